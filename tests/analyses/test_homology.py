"""Betti curves along a run: what a row says, identities, and resumption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import relutopo as rt
from relutopo import registry
from relutopo.analyses import versions
from relutopo.analyses.association import identity
from relutopo.analyses.homology import Homology
from relutopo.errors import InputError, UnknownNameError
from relutopo.homology.diagram import Diagram
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.learning.surfaces import sinsin
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.networks.network import Network

BOX = {"name": "box", "low": -2, "high": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    return train(
        sinsin(n=60),
        MlpSettings([7, 6]),
        TrainerSettings(n_steps=60, learning_rate=0.02, n_checkpoints=0, checkpoint_every=10),
        directory=tmp_path_factory.mktemp("run"),
    )


def settings(filtration: str = "random_closure", **more: Any) -> Homology:
    return Homology(filtration={"name": filtration}, domain=BOX, **more)


def comparable(rows: list[dict[str, Any]], *left_out: str) -> str:
    """Give rows without their timings as text, in which NaN equals NaN."""
    return json.dumps(
        [
            {k: v for k, v in row.items() if not k.startswith("seconds") and k not in left_out}
            for row in rows
        ]
    )


def test_a_row_agrees_with_the_complex_and_the_diagrams(run: TrainingRun) -> None:
    step = run.steps[-1]
    chosen = settings(n_filtrations=4)
    found = chosen.checkpoint(run, step)
    diagrams = chosen.diagrams(found.subject).diagrams
    row, network = found.row, run.checkpoint(step).network
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=2))
    assert row["step"] == step
    assert row["train_loss"] == run.history.train_loss[step]
    assert tuple(row[f"n_cells_{k}"] for k in range(3)) == complex_.n_cells
    assert (row["n_cells"], row["n_regions"]) == (sum(complex_.n_cells), complex_.n_cells[2])
    assert row["euler"] == 1
    assert [row[f"betti_{k}"] for k in range(3)] == [1, 0, 0]
    zeros = rt.betti_numbers(rt.decision_boundary(complex_))
    assert (row["boundary_betti_0"], row["boundary_betti_1"]) == zeros[:2]
    assert row["n_filtrations"] == len(diagrams) == 4
    for k in (0, 1):
        # Slow reference: count the classes alive at every value of the filtration.
        for name, of_peak in (("height", 0), ("value", 1)):
            peaks = []
            for diagram in diagrams:
                pairs, essential = diagram.pairs(k), diagram.essential(k)
                alive = [
                    (
                        int(
                            np.sum((pairs[:, 0] <= t) & (t < pairs[:, 1])) + np.sum(essential <= t)
                        ),
                        t,
                    )
                    for t in np.unique(diagram.values)
                ]
                height = max(count for count, _ in alive)
                peaks.append((height, min(t for count, t in alive if count == height))[of_peak])
            assert row[f"betti_{k}_peak_{name}"] == pytest.approx(np.mean(peaks))
            assert row[f"betti_{k}_peak_{name}_std"] == pytest.approx(np.std(peaks, ddof=1))
        assert row[f"betti_{k}_peak_fraction"] == pytest.approx(
            row[f"betti_{k}_peak_index"] / row["n_cells"]
        )


def test_dimension_major_restates_the_cell_counts_on_every_row(run: TrainingRun) -> None:
    table = pd.DataFrame(settings("dimension_major").rows(run))
    v, e, f = (table[f"n_cells_{k}"] for k in range(3))
    assert len(table) == len(run.steps)
    for name, counts in (
        ("betti_0_peak_index", v),
        ("betti_0_peak_height", v),
        ("betti_1_peak_index", v + e),
        ("betti_1_peak_height", f),
    ):
        assert (table[name] == counts).all()
        assert (table[f"{name}_std"] == 0).all()
    assert (v + e + f == 2 * e + 1).all()
    assert identity(table, "betti_1_peak_value") == "(V + E) / (V + E + F)"
    closure = pd.DataFrame(settings("random_closure").rows(run))
    names = [f"betti_{k}_peak_{what}" for k in (0, 1) for what in ("index", "value", "height")]
    assert [identity(closure, name) for name in names] == [""] * 6


def test_an_interrupted_analysis_gives_the_same_table(run: TrainingRun) -> None:
    chosen = settings("random_extension", seed=5)
    whole = [chosen.checkpoint(run, step).row for step in run.steps]
    done_so_far: list[int] = []

    def stop(done: int, total: int, /, message: str = "") -> None:
        done_so_far.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        chosen.rows(run, progress=stop)
    folder = run.directory / "analysis" / chosen.key
    files = sorted(folder.glob("step_*.json"))
    assert len(files) == 3
    before = [file.stat().st_mtime_ns for file in files]
    resumed = chosen.rows(run)
    assert comparable(resumed) == comparable(whole)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_reducers_give_the_same_numbers(run: TrainingRun) -> None:
    rows = [settings(reducer={"name": name}).rows(run) for name in ("z2", "phat")]
    assert comparable(rows[0], "method") == comparable(rows[1], "method")
    assert {row["method"].split()[0] for row in rows[1]} == {"phat"}


def diagrams(chosen: Homology, network: Network, data: Dataset, step: int) -> tuple[Diagram, ...]:
    return chosen.diagrams(chosen.subject(network, data, step=step)).diagrams


def test_seeds_and_steps_draw_other_orders(run: TrainingRun) -> None:
    network, data = run.checkpoint(60).network, run.dataset
    first, again, seed, step = (
        diagrams(settings(seed=s), network, data, t)[0].values
        for s, t in ((0, 0), (0, 0), (1, 0), (0, 1))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, seed)
    assert not np.array_equal(first, step)


@pytest.mark.parametrize("name", sorted(set(registry.names("filtration")) - {"lower_star"}))
def test_every_filtration_can_be_named(run: TrainingRun, name: str) -> None:
    options = {"points": "training"} if name == "distance_to_data" else {}
    chosen = Homology(filtration={"name": name, **options}, n_filtrations=2)
    row = chosen.checkpoint(run, 60).row
    assert row["filtration_status"] == "ok"
    drawn = 2 if name.startswith(("random", "dimension")) else 1
    assert row["n_filtrations"] == drawn
    assert np.isnan(row["betti_0_peak_value_std"]) == (drawn == 1)
    assert row["betti_0_peak_height"] >= 1


def test_a_network_without_zeros_has_a_row_without_distances_to_them(run: TrainingRun) -> None:
    positive = rt.ReluNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.5]])
    chosen = settings("distance_to_decision_boundary")
    found = chosen.analyse(positive, run.dataset)
    row = found.row
    assert chosen.diagrams(found.subject).diagrams == ()
    assert row["filtration_status"] == "no decision boundary"
    assert row["n_cells"] == 25
    assert (row["betti_0"], row["boundary_betti_0"], row["n_filtrations"]) == (1, 0, 0)
    other = settings().analyse(positive, run.dataset).row
    assert list(other) == list(row)
    assert np.isnan(row["betti_1_peak_value"])


def test_bad_settings_are_named(run: TrainingRun) -> None:
    with pytest.raises(InputError, match="`n_filtrations` must be an integer from 1, got 0"):
        Homology(n_filtrations=0)
    for seed in (-1, 0.5):
        with pytest.raises(InputError, match=f"`seed` must be an integer from 0, got {seed}"):
            settings(seed=seed).checkpoint(run, 0)
    with pytest.raises(UnknownNameError, match="filtration='nobody' is not registered"):
        settings("nobody").checkpoint(run, 0)
    with pytest.raises(InputError, match="'distance_to_data' needs the option points, got none"):
        settings("distance_to_data").checkpoint(run, 0)
    with pytest.raises(InputError, match=r"`step` must be one of \[0, 10, .*\], got 3"):
        settings().checkpoint(run, 3)


def test_other_settings_and_other_code_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().key == settings().key
    keys = {settings().key, settings(seed=1).key, settings("output").key}
    monkeypatch.setattr(versions, "code_version", lambda: "0.1.0+changed")
    assert len(keys | {settings().key}) == 4


@pytest.mark.slow
def test_spikes_that_no_checkpoint_is_at_are_drawn_without(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = Homology(n_filtrations=1)
    tables = analysis.conclude(analysis.rows(run), run).tables
    monkeypatch.setattr("relutopo.analyses.homology._moments", lambda run: {10**6: ", at the peak"})
    assert "complexes" in analysis.draw(tables, run)


def test_networks_of_many_outputs_are_drawn(tmp_path: Path) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    data = Dataset("three", points, np.arange(30) % 3)
    files = [tmp_path / f"step={step}.npz" for step in (0, 1)]
    for seed, file in enumerate(files):
        rt.save_network(file, rt.gallery.random_network([2, 4, 3], seed=seed))
    models = rt.ModelFiles(tmp_path / "rows", files, data)
    chosen = settings()
    conclusion = chosen.conclude([chosen.checkpoint(models, step).row for step in (0, 1)], models)
    figures = chosen.draw(conclusion.tables, models)
    assert set(figures) == {"complexes", "betti_curves"}
