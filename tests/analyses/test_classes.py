"""Partitions in as many parts as there are classes: rows, resumption, summaries, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

import relutopo as rt
from relutopo.analyses.classes import Classes
from relutopo.analyses.classes_summary import NAMES, WEIGHTINGS, sweep_summary
from relutopo.analyses.partition import Partition
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.planar_classes import three_blobs
from relutopo.learning.runs import TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.spectral.weights import ChungLanglands

WEIGHTS: dict[str, Any] = {
    "unweighted": "unweighted",
    "count_plus_one": "count_plus_one",
    "chung_langlands": ChungLanglands(scale=10.0),
}


def trained(directory: Path, data: Dataset) -> TrainingRun:
    settings = TrainerSettings(n_steps=60, learning_rate=0.02, n_checkpoints=4)
    return train(data, MlpSettings([6, 5]), settings, directory=directory)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    return trained(tmp_path_factory.mktemp("classes") / "run", three_blobs(n=60))


def timeless(rows: list[dict[str, Any]]) -> str:
    """Give rows without their timings as text, in which NaN equals NaN."""
    return json.dumps(
        [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in rows]
    )


def rendered(lines: Sequence[RenderableType]) -> str:
    console = Console(width=200)
    with console.capture() as shown:
        for line in lines:
            console.print(line)
    return shown.get()


@pytest.mark.parametrize("k", [None, 2, 4])
def test_a_row_agrees_with_the_partitions_that_one_makes_oneself(
    run: TrainingRun, k: int | None
) -> None:
    step, data = run.steps[-1], run.dataset
    row = Classes(k=k).checkpoint(run, step).row
    complex_ = rt.decompose(run.network(step), rt.Box.around(data.points, 0.25))
    assert row["n_regions"] == complex_.n_regions
    assert row["k"] == (k or 3)
    assert row["label_status"] == "ok"
    assert row["largest_class"] == pytest.approx(1 / 3)
    graph = complex_.dual_graph()
    for kind, weights in WEIGHTS.items():
        part = rt.spectral_partition(graph, data.points, k=k or 3, vertex_weights=weights)
        found = part.agreement(data.points, data.targets)
        held_out = part.agreement(data.held_out_points, data.held_out_targets)
        decided = part.decision_agreement(data.points)
        of_kind = {
            "status": "converged",
            "method": part.method,
            "separation": part.separation,
            "is_unique": float(part.is_unique),
            "n_on_cut": part.n_open,
            "agreement": found.accuracy,
            "adjusted_rand_index": found.adjusted_rand_index,
            "held_out_agreement": held_out.accuracy,
            "held_out_adjusted_rand_index": held_out.adjusted_rand_index,
            "decision_by_points": decided.by_points,
            "decision_by_volume": decided.by_volume,
        }
        assert {name: row[f"{kind}_{name}"] for name in of_kind} == of_kind
        assert row[f"{kind}_agreement"] <= row["purity"] == found.purity
        assert row["held_out_purity"] == held_out.purity


def test_all_columns_of_a_table_are_declared(run: TrainingRun) -> None:
    settings = Classes()
    table = settings.conclude(settings.rows(run), run).tables["results"]
    declared = {
        column.name.replace("{k}", str(k))
        for column in settings.columns_of_rows()
        for k in range(3)
    }
    assert set(table.columns) == declared


def test_two_parts_of_two_classes_have_the_numbers_of_the_fiedler_partition(
    tmp_path: Path,
) -> None:
    """Two parts are the two signs of the Fiedler vector, with either weights that both have."""
    two = trained(tmp_path / "run", two_moons(n=60))
    ours, theirs = Classes(rounding={"name": "signs"}), Partition()
    same = {"unweighted": "unweighted", "count_plus_one": "weighted"}
    names = ("status", "agreement", "held_out_agreement", "decision_by_points")
    for step in two.steps:
        row, other = (settings.checkpoint(two, step).row for settings in (ours, theirs))
        assert (row["purity"], row["held_out_purity"]) == (
            other["purity"],
            other["held_out_purity"],
        )
        for kind, of_partition in same.items():
            for name in names:
                assert row[f"{kind}_{name}"] == other[f"{of_partition}_{name}"], (step, kind, name)


def test_an_interrupted_analysis_gives_the_same_table(run: TrainingRun) -> None:
    settings = Classes(seed=1)
    whole = [settings.checkpoint(run, step).row for step in run.steps]
    computed: list[int] = []

    def stop(done: int, total: int, /, message: str = "") -> None:
        computed.append(done)
        if len(computed) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        settings.rows(run, progress=stop)
    files = sorted((run.directory / "analysis" / settings.key).glob("step_*.json"))
    assert len(files) == 2
    before = [file.stat().st_mtime_ns for file in files]
    assert timeless(settings.rows(run)) == timeless(whole)
    assert [file.stat().st_mtime_ns for file in files] == before


def test_settings_have_rows_of_their_own(run: TrainingRun) -> None:
    several = [
        Classes(),
        Classes(k=2),
        Classes(scale=1.0),
        Classes(rounding={"name": "k_means"}),
        Classes(adjacency="hamming"),
    ]
    assert len({settings.key for settings in several}) == len(several)
    plain, other = (Classes(scale=scale).checkpoint(run, run.steps[-1]).row for scale in (10.0, 0))
    for kind in ("unweighted", "count_plus_one"):
        assert plain[f"{kind}_separation"] == other[f"{kind}_separation"]
    assert plain["chung_langlands_separation"] != other["chung_langlands_separation"]


def test_values_have_partitions_but_no_agreement() -> None:
    network = rt.gallery.random_network([2, 6, 1], seed=0)
    x = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    data = Dataset("values", x, x[:, 0] ** 2)
    row = Classes(k=3).analyse(network, data).row
    assert row["label_status"] == "targets are values, not labels"
    assert row["chung_langlands_status"] == "converged"
    assert np.isnan([row["chung_langlands_agreement"], row["purity"], row["largest_class"]]).all()
    row = Classes().analyse(network, data).row
    assert row["chung_langlands_status"] == "no classes to count"


def test_fewer_regions_than_parts_give_an_empty_row_that_says_so() -> None:
    flat = rt.ReluNetwork([[[1.0, 0.0]], np.ones((3, 1))], [[100.0], [0.0, 0.0, 0.0]])
    row = Classes().analyse(flat, three_blobs(n=12)).row
    assert row["n_regions"] == 1
    assert row["unweighted_status"] == "fewer than 3 regions"
    assert np.isnan(row["unweighted_agreement"])


def test_the_summary_shows_all_weights(run: TrainingRun) -> None:
    settings = Classes()
    conclusion = settings.conclude(settings.rows(run), run)
    text = rendered(conclusion.summary)
    assert "Do the 3 parts follow the classes?" in text
    for name in NAMES.values():
        assert name.split()[0][:8] in text
    last = conclusion.tables["results"].iloc[-1]
    for kind in WEIGHTINGS:
        assert conclusion.measures[f"{kind}_agreement"] == last[f"{kind}_agreement"]


def test_a_sweep_shows_each_setting(run: TrainingRun) -> None:
    pandas = pytest.importorskip("pandas")
    tables = []
    for k in (2, 3):
        for seed in (0, 1):
            settings = Classes(k=k, seed=seed)
            labels = {"job": f"k={k},seed={seed}", "analysis.k": k, "seed": seed}
            conclusion = settings.conclude(settings.rows(run), run, labels)
            tables.append(conclusion.tables["results"])
    text = rendered(sweep_summary(pandas.concat(tables), ["analysis.k", "seed"]))
    assert text.count("analysis.k") == 2
    assert "Last checkpoint" in text


def test_what_cannot_be_compared_is_refused() -> None:
    blobs = three_blobs(n=12)
    x = blobs.points
    with pytest.raises(InputError, match=r"must be labels of two classes or more .*got values"):
        Classes().check_conclusion(Dataset("values", x, x[:, 0]))
    with pytest.raises(InputError, match=r"must be labels of two classes or more .*got 1 class"):
        Classes().check_conclusion(Dataset("one", x, ["cat"] * 12))
    network = rt.gallery.random_network([2, 4, 2], seed=0)
    with pytest.raises(InputError, match=r"an output for each of the 3 classes .*got 2"):
        Classes().check_network(network, blobs)
    with pytest.raises(InputError, match="`domain` must hold training points"):
        Classes().check(blobs, rt.Box(50, 51, dim=2))
    with pytest.raises(InputError, match=r"`k` must be .*got 1; leave it out"):
        Classes(k=1)
    with pytest.raises(InputError, match=r"`scale` must be .*got -1"):
        Classes(scale=-1.0)
    with pytest.raises(InputError, match=r"got 3: .*take the analysis classes, relutopo\.Classes"):
        Partition().check_conclusion(blobs)


@pytest.mark.slow
def test_figures_show_all_weights_and_the_last_partition(run: TrainingRun, tmp_path: Path) -> None:
    settings = Classes()
    conclusion = settings.conclude(settings.rows(run), run)
    figures = settings.draw(conclusion.tables, run)
    assert list(figures) == ["timeline", "partition_history", "partition", "embedding"]
    assert len(figures["partition_history"].axes) == 9
    curves = [line.get_label() for line in figures["timeline"].axes[2].get_lines()]
    assert {"Chung-Langlands", "1 + count", "unweighted"} <= set(curves)
