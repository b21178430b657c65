"""Signatures along a run: what a row says, and resumption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.analyses.partition import Partition
from relutopo.errors import InputError, UnknownNameError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.runs import TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train


@pytest.fixture
def run(tmp_path: Path) -> TrainingRun:
    return train(
        two_moons(n=60),
        MlpSettings([6, 5]),
        TrainerSettings(n_steps=60, learning_rate=0.02, n_checkpoints=4),
        directory=tmp_path / "run",
    )


def timeless(rows: list[dict[str, Any]]) -> str:
    """Give rows without their timings as text, in which NaN equals NaN."""
    return json.dumps(
        [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]
    )


def test_a_row_agrees_with_the_complex_and_the_partitions(run: TrainingRun) -> None:
    step = run.steps[-1]
    settings = Partition()
    found = settings.partitions(settings.checkpoint(run, step))
    row, data = found.row, run.dataset
    network = run.checkpoint(step).network
    complex_ = rt.decompose(network, rt.Box.around(data.points, 0.25))
    assert row["step"] == step
    assert row["train_accuracy"] == np.mean((network(data.points)[:, 0] > 0) == (data.targets > 0))
    assert tuple(row[f"n_cells_{k}"] for k in range(3)) == complex_.n_cells
    assert row["n_regions"] == complex_.n_regions
    assert row["enumerator"] == "cpu"
    for kind, part in (("weighted", found.weighted), ("unweighted", found.unweighted)):
        assert part is not None
        assert row[f"{kind}_fiedler_value"] == part.value
        assert row[f"{kind}_status"] == "converged"
        assert row[f"{kind}_residual"] < 1e-6
        # Slow reference for the agreement, straight from its definition.
        assert part.n_open == 0
        same = (part.sides[complex_.locate(data.points)] > 0) == (data.targets > 0)
        assert row[f"{kind}_agreement"] == max(same.mean(), 1 - same.mean())
        assert row[f"{kind}_agreement"] <= row[f"{kind}_sweep_agreement"] <= row["purity"]
        assert row[f"{kind}_held_out_agreement"] <= row["held_out_purity"]
    assert found.unweighted is not None
    assert set(found.unweighted.vertex_weights) == {1.0}


def test_an_interrupted_analysis_gives_the_same_table(run: TrainingRun, tmp_path: Path) -> None:
    settings = Partition()
    whole = [settings.checkpoint(run, step).row for step in run.steps]
    computed: list[int] = []

    def stop(done: int, total: int, /, message: str = "") -> None:
        computed.append(done)
        if len(computed) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settings.rows(run, progress=stop)
    files = sorted(run.directory.glob("analysis/*/step_*.json"))
    assert len(files) == 2
    before = [file.stat().st_mtime_ns for file in files]
    assert timeless(settings.rows(run)) == timeless(whole)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_rows_of_different_settings_do_not_mix(run: TrainingRun) -> None:
    first = Partition()
    second = Partition(vertex_weights={"name": "unweighted"}, adjacency="hamming")
    rows = first.rows(run)
    others = second.rows(run)
    assert timeless(rows) == timeless(first.rows(run))
    assert timeless(rows) != timeless(others)
    assert all(row["weighted_fiedler_value"] == row["unweighted_fiedler_value"] for row in others)
    assert len(list((run.directory / "analysis").iterdir())) == 2


def test_another_eigensolver_finds_the_same_without_training(run: TrainingRun) -> None:
    tables = [Partition(eigensolver={"name": name}).rows(run) for name in ("arpack", "amg_lobpcg")]
    for first, second in zip(*tables, strict=True):
        for kind in ("weighted", "unweighted"):
            assert first[f"{kind}_fiedler_value"] == pytest.approx(
                second[f"{kind}_fiedler_value"], rel=1e-6
            )


def test_a_network_without_kinks_gives_an_empty_row_that_says_so() -> None:
    flat = rt.ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[100.0], [0.0]])
    settings = Partition()
    found = settings.partitions(settings.analyse(flat, two_moons(n=20)))
    assert found.weighted is None
    assert found.row["n_regions"] == 1
    assert found.row["weighted_status"] == "one region"
    assert np.isnan(found.row["weighted_agreement"])


def test_points_without_a_region_are_counted() -> None:
    # A kink along x_1 = 0, and two of the points on it.
    kink = rt.ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[0.0], [-0.5]])
    x = np.array([[0.0, -1.0], [0.0, 1.0], [-1.0, 0.0], [1.0, 0.5]])
    y = np.array([-1.0, 1.0, -1.0, 1.0])
    row = Partition().analyse(kink, Dataset("cross", x, y, x, y)).row
    assert (row["n_points_on_boundary"], row["n_points_outside"]) == (2, 0)


@pytest.mark.slow
def test_without_points_in_the_partition_there_is_no_agreement() -> None:
    """Two equal neurons split the Hamming graph, and the other kinks lie where no points are."""
    w, b = [[1.0, 0.0]] * 5, [0.0, 0.0, -0.2, -0.4, -0.6]
    network = rt.ReluNetwork([w, [[1.0] * 5]], [b, [-0.1]])
    x = np.array([[-0.5, 0.1], [-0.6, 0.2], [-0.3, -0.4], [-0.2, 0.7]])
    y = np.array([1.0, -1.0, 1.0, -1.0])
    box = {"name": "box", "low": -1, "high": 1}
    settings = Partition(adjacency="hamming", component="largest", domain=box)
    row = settings.analyse(network, Dataset("left", x, y, np.add(x, [1.0, 0.0]), y)).row
    assert row["weighted_status"] == "converged"
    assert np.isnan(
        [row["weighted_agreement"], row["purity"], row["weighted_decision_by_points"]]
    ).all()
    assert row["held_out_purity"] >= row["weighted_held_out_agreement"] >= 0.5
    beyond = Partition(domain=box).analyse(network, Dataset("beyond", x, y, x + 9, y)).row
    assert np.isnan(beyond["weighted_held_out_agreement"])
    assert beyond["weighted_agreement"] >= 0.5


def test_facets_without_length_end_no_run() -> None:
    """Two of the kinks meet a third so close to each other that floats tell them not apart."""
    kinks = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    network = rt.ReluNetwork([kinks, [[1.0] * 3]], [[0.0, 0.0, -1e-200], [-0.1]])
    settings = Partition(
        edge_weights={"name": "facet_length"}, domain={"name": "box", "low": -1, "high": 1}
    )
    row = settings.analyse(network, two_moons(n=20)).row
    assert row["weighted_status"] == "weights not positive"
    assert np.isnan(row["weighted_agreement"])


def test_a_damaged_row_and_wrong_choices_are_named(run: TrainingRun) -> None:
    settings = Partition()
    settings.rows(run)
    path = run.directory / "analysis" / settings.key / "step_000000.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"step_000000.json' must be a row, but it cannot be read"):
        settings.rows(run)
    with pytest.raises(UnknownNameError, match="choose one of amg_lobpcg, arpack"):
        Partition(eigensolver={"name": "nobody"}).create("eigensolver")
    with pytest.raises(InputError, match=r"'arpack' does not take the options \['speed'\]"):
        Partition(eigensolver={"name": "arpack", "speed": 2}).create("eigensolver")
    with pytest.raises(InputError, match="`enumerator` must have a 'name' from the registry"):
        Partition(enumerator={}).create("enumerator")
