"""Scenes of runs, folders, diagrams, families and path graphs: what they hold and refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError, MissingExtraError
from relutopo.explorer import charts
from relutopo.explorer.diagrams import parts_of_diagram
from relutopo.explorer.runs import scene_of_run
from relutopo.learning.datasets import Dataset

SETTINGS = rt.TrainerSettings(n_steps=60, n_checkpoints=8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> rt.TrainingRun:
    folder = tmp_path_factory.mktemp("run")
    return rt.train(rt.two_moons(n=40), rt.MlpSettings([6]), SETTINGS, directory=folder)


@pytest.fixture(scope="module")
def complex_(run: rt.TrainingRun) -> rt.CellComplex:
    return rt.decompose(run.network(60), rt.Box.around(run.dataset.points))


def test_few_checkpoints_are_chosen_evenly_and_the_page_says_so(run: rt.TrainingRun) -> None:
    whole = scene_of_run(run)
    assert [frame.facts["step"] for frame in whole.frames] == run.steps
    assert "sampled" not in {note.kind for note in whole.notes}
    n_regions = len(whole.frames[-1].quantities[0].values)
    some = scene_of_run(run, most_regions=3 * n_regions)
    steps = [frame.facts["step"] for frame in some.frames]
    assert steps == [run.steps[0], run.steps[len(run.steps) // 2], run.steps[-1]]
    text = next(note.text for note in some.notes if note.kind == "sampled")
    assert text.startswith(f"3 of {len(run.steps)} checkpoints")
    alone = scene_of_run(run, most_regions=1)
    assert [frame.facts["step"] for frame in alone.frames] == [run.steps[-1]]
    assert "time" not in alone.facts


def test_words_keep_the_order_of_the_outputs(tmp_path: Path) -> None:
    names = ["zebra", "mouse", "ant"]
    points = np.random.default_rng(0).uniform(-1, 1, (30, 2))
    data = Dataset("zoo", points, [names[k % 3] for k in range(30)], classes=names)
    run = rt.train(data, rt.MlpSettings([5]), SETTINGS, directory=tmp_path / "run")
    frame = scene_of_run(run, most_regions=1).frames[-1]
    assert frame.facts["classes"] == names
    assert frame.arrays["pointClasses"].tolist() == [k % 3 for k in range(30)]
    (decision,) = (q for q in frame.quantities if q.name == "decision")
    assert decision.categories[:3] == tuple(names)


def test_rows_that_are_known_are_not_computed_again(run: rt.TrainingRun) -> None:
    analysis = rt.Partition()
    rows = analysis.rows(run)
    table = analysis.table(rows)
    table["n_regions"] = np.arange(len(table)) + 1000.0
    time = scene_of_run(run, analysis=analysis, table=table, most_regions=1_000).facts["time"]
    numbers = {curve["name"]: curve["y"] for curve in time["numbers"]}
    assert numbers["n_regions"] == table["n_regions"].tolist()


def test_the_first_step_of_a_pattern_is_that_of_the_frames(run: rt.TrainingRun) -> None:
    scene = scene_of_run(run)
    seen: dict[bytes, float] = {}
    for frame in scene.frames:
        first = next(entry for entry in frame.quantities if entry.name == "first_step")
        for pattern, step in zip(frame.arrays["patterns"], first.values, strict=True):
            assert seen.setdefault(pattern.tobytes(), frame.facts["step"]) == step


def test_frames_have_quantities_of_the_same_names(tmp_path: Path) -> None:
    """Also where a checkpoint has no partition, as it has one region."""
    data = Dataset("two", [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]], [0, 1, 0, 1])
    settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings([1]), settings, directory=tmp_path)

    class Halves:
        """The same run, whose first network never switches."""

        directory, steps, history, dataset = tmp_path, run.steps, run.history, data
        regular_steps, has_every_loss = run.steps, True

        @staticmethod
        def network(step: int) -> rt.Network:
            flat = ([[[1.0, 0.0]], [[1.0]]], [[50.0], [0.0]])
            kink = ([[[1.0, 0.0]], [[1.0]]], [[-0.5], [-0.2]])
            return rt.as_network(flat if step == 0 else kink)

    scene = charts.with_charts(scene_of_run(Halves()))
    names = {tuple(sorted(entry.name for entry in frame.quantities)) for frame in scene.frames}
    assert len(names) == 1
    assert "fiedler" in names.pop()
    fiedler = next(entry for entry in scene.frames[0].quantities if entry.name == "fiedler")
    assert np.isnan(fiedler.values).all()


def test_of_values_there_are_no_accuracies(tmp_path: Path) -> None:
    settings = rt.TrainerSettings(n_steps=4, n_checkpoints=3)
    run = rt.train(rt.bump(n=30), rt.MlpSettings([4]), settings, directory=tmp_path)
    time = scene_of_run(run).facts["time"]
    assert "share" not in time["panels"]
    assert time["events"] == []


def test_representatives_that_are_left_out_are_told(complex_: rt.CellComplex) -> None:
    order = rt.filtration(complex_, "random_closure", seed=0)
    diagram = rt.persistence(complex_, order)
    arrays, facts = parts_of_diagram(diagram)
    assert "no representative" not in facts["diagram"]["note"]
    sizes = np.diff(arrays["cycles:offsets"])
    lives = arrays["classes:deaths"] - arrays["classes:births"]
    less, told = parts_of_diagram(diagram, most_cells=int(sizes.sum()) // 2)
    kept = np.diff(less["cycles:offsets"]) > 0
    assert 0 < kept.sum() < len(kept)
    assert lives[kept].min() >= lives[~kept & (sizes > 0)].max()
    assert f"The {(~kept).sum()} classes" in told["diagram"]["note"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": [[0.0, 0.0]]}, "`points` must be left out here"),
        ({"analysis": "partition"}, "`analysis` must be"),
    ],
)
def test_what_a_run_does_not_take_is_refused(
    run: rt.TrainingRun, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        rt.explore(run, **arguments)


def test_what_others_do_not_take_is_refused(complex_: rt.CellComplex) -> None:
    with pytest.raises(InputError, match="only checkpoints of a run are analysed"):
        rt.explore(complex_, analysis=rt.Partition())
    with pytest.raises(InputError, match="`domain` must be left out here"):
        rt.explore(complex_, domain="slice_principal")
    with pytest.raises(InputError, match="at least one complex"):
        rt.explore([])
    with pytest.raises(InputError, match=r"`x` must be a complex, a partition, .*got None; take"):
        rt.explore(None)
    with pytest.raises(InputError, match=r"`x` .*, got DualGraph; pass its `complex`"):
        rt.explore([complex_.dual_graph()])
    with pytest.raises(InputError, match="pass the complexes one by one"):
        rt.explore([complex_], columns={"a": np.zeros(complex_.n_regions)})
    diagram = rt.persistence(complex_, rt.filtration(complex_, "dimension_major"))
    with pytest.raises(InputError, match="knows its complex"):
        rt.explore(replace(diagram, complex_=None, filtration=None))


@pytest.mark.slow
@pytest.mark.parametrize("dim", [3, 7])
def test_a_run_in_more_dimensions_opens_on_a_slice(tmp_path: Path, dim: int) -> None:
    points = np.random.default_rng(0).normal(size=(20, dim))
    if dim > 3:
        points[:, 2] = 1.0  # around which there is no box
    data = Dataset("space", points, points[:, 0] > 0)
    settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings([3]), settings, directory=tmp_path)
    scene = rt.explore(run).scene
    words = "on the plane of two principal components"
    assert scene.title == f"space: {len(run.steps)} checkpoints, {words}"
    assert (
        scene.facts["slice"] == f"the networks have {dim} inputs, and are shown {words} of the data"
    )
    assert scene.summary["inputs"] == f"{dim}, on a slice"
    assert "projected" in [note.kind for note in scene.notes]
    plane = rt.AffineSlice.principal(points)
    for step, frame in zip(run.steps, scene.frames, strict=True):
        complex_ = rt.decompose(run.network(step), plane)
        np.testing.assert_array_equal(frame.arrays["patterns"], complex_.packed_patterns)
        np.testing.assert_allclose(frame.arrays["points"], plane.coordinates(points)[0])
    assert rt.explore(run, title="Mine").scene.title == f"Mine, {words}"

    # What is asked for is no surprise.
    through = {"name": "slice_through", "points": [0, 1, 2]}
    for arguments in ({"domain": through}, {"analysis": rt.Partition(domain=through)}):
        asked = rt.explore(run, title="Mine", **arguments).scene
        assert asked.title == "Mine"
        assert "slice" not in asked.facts
        assert np.abs(asked.frames[0].arrays["points"][0]).max() < 1e-9  # the origin
    with pytest.raises(InputError, match="got a domain of 3 dimensions; leave `domain` out"):
        rt.explore(run, domain={"name": "slice_principal", "dim": 3})
    with pytest.raises(InputError, match="`domain` must be the name of a rule, or a mapping"):
        rt.explore(run, domain=plane)  # type: ignore[arg-type]


def test_a_run_of_one_input_is_refused(tmp_path: Path) -> None:
    points = np.linspace(-1, 1, 20)[:, None]
    data = Dataset("line", points, points[:, 0] > 0)
    settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings([3]), settings, directory=tmp_path)
    with pytest.raises(InputError, match="got a domain of 1 dimension; draw networks of one input"):
        rt.explore(run)


def test_a_run_without_complexes_is_refused_in_words(run: rt.TrainingRun) -> None:
    with pytest.raises(InputError, match="Paths makes no complexes; look at its tables"):
        rt.explore(run, analysis=rt.Paths(n=5))


def test_the_missing_library_is_named(
    complex_: rt.CellComplex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bokeh", None)
    with pytest.raises((MissingExtraError, ImportError), match="bokeh"):
        rt.explore(complex_)


@pytest.mark.slow
def test_the_same_run_gives_the_same_page(run: rt.TrainingRun) -> None:
    assert rt.explore(run).html == rt.explore(run).html
