"""Pages of runs: which runs leave one, and the command that makes one of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import relutopo as rt
from relutopo.app.jobs.folder import PAGE
from relutopo.app.reports import pages
from relutopo.errors import MissingExtraError
from relutopo.explorer.packing import unpack

Command = Callable[..., str]
TINY = ["data.n=40", "network.hidden=[6,5]", "trainer.n_steps=40", "trainer.n_checkpoints=3"]


def content(page: Path) -> tuple[dict[str, Any], list[tuple[dict[str, Any], dict[str, Any]]]]:
    """Return the scene of a page, and arrays and facts of its frames."""
    text = page.read_text(encoding="utf-8")

    def of(name: str) -> Any:
        begin = f'<script type="application/json" id="{name}">'
        return json.loads(text.partition(begin)[2].partition("</script>")[0])

    scene = of("scene")
    return scene, [unpack(of(f"frame-{i}")) for i in range(len(scene["frames"]))]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """A folder in which one run was made."""
    folder = tmp_path_factory.mktemp("workplace")
    command(folder, *TINY, "hydra.run.dir=outputs/first")
    return folder


@pytest.mark.slow
def test_a_run_leaves_its_page(workplace: Path) -> None:
    run = rt.TrainingRun(workplace / "outputs" / "first" / "training")
    scene, frames = content(workplace / "outputs" / "first" / PAGE)
    assert [facts["step"] for _, facts in frames] == run.steps
    box = rt.Box.around(run.dataset.points, 0.25)
    for step, (arrays, _) in zip(run.steps, frames, strict=True):
        complex_ = rt.decompose(run.network(step), box)
        np.testing.assert_array_equal(arrays["patterns"], complex_.packed_patterns)
    numbers = {curve["name"] for curve in scene["time"]["numbers"]}
    assert {"n_regions", "weighted_fiedler_value", "weighted_agreement"} <= numbers
    assert {"spectrum", "histogram", "time"} == set(scene["charts"])


@pytest.mark.slow
def test_the_command_makes_the_same_page_again(workplace: Path, command: Command) -> None:
    first = workplace / "outputs" / "first"
    made = (first / PAGE).read_bytes()
    assert command(workplace, "show", "outputs/first").count(PAGE) == 1
    printed = command(workplace, "explore", "outputs/first", "--to", "again.html")
    assert printed.strip() == "again.html"
    assert (workplace / "again.html").read_bytes() == made
    (first / PAGE).unlink()
    printed = command(workplace, "explore", "outputs/first")
    assert Path(printed.strip()) == Path("outputs/first") / PAGE
    assert (first / PAGE).read_bytes() == made


@pytest.mark.slow
def test_the_folder_of_a_training_can_be_explored(workplace: Path, command: Command) -> None:
    command(workplace, "explore", "outputs/first/training", "--to", "training.html")
    scene, frames = content(workplace / "training.html")
    assert scene["kind"] == "run"
    assert len(frames) == len(scene["time"]["x"]) > 2


@pytest.mark.slow
def test_networks_of_many_inputs_are_shown_on_a_slice(tmp_path: Path, command: Command) -> None:
    """Of an analysis without complexes there is no page at first, as none was asked for."""
    small = ["network.hidden=[5]", "trainer.n_steps=20", "trainer.n_checkpoints=2"]
    paths = ["trainer.held_out_every=10", "analysis.n=5", "hydra.run.dir=out"]
    command(tmp_path, "experiment=digits", *small, *paths)
    assert not (tmp_path / "out" / PAGE).exists()
    for folder in ("out", "out/training"):
        target, said = command(tmp_path, "explore", folder).splitlines()
        assert Path(target) == Path(folder) / PAGE
        assert said.startswith("the networks have 64 inputs, and are shown on the plane of two")
        scene, frames = content(tmp_path / target)
        assert scene["title"].endswith("on the plane of two principal components")
        assert len(frames) == len(scene["time"]["x"])
    # The time line of the run of the command has the numbers of its own analysis.
    numbers = [
        {curve["name"] for curve in content(tmp_path / f / PAGE)[0]["time"]["numbers"]}
        for f in ("out", "out/training")
    ]
    assert "n_regions" in numbers[1] - numbers[0]


@pytest.mark.slow
def test_a_run_in_space_leaves_a_page_of_a_slice(tmp_path: Path, command: Command) -> None:
    points = np.random.default_rng(0).normal(size=(30, 3))
    np.savez(tmp_path / "data.npz", points=points, targets=points[:, 0] > 0)
    own = ["data=file", "data.path=data.npz", "network.hidden=[4]", "analysis=homology"]
    command(tmp_path, *own, "trainer.n_steps=20", "trainer.n_checkpoints=2", "hydra.run.dir=out")
    made = (tmp_path / "out" / PAGE).read_bytes()
    scene, frames = content(tmp_path / "out" / PAGE)
    assert scene["title"].endswith("on the plane of two principal components")
    assert {"projected", "partial"} <= {note["kind"] for note in scene["notes"]}
    assert all(facts["kind"] == "plane" for _, facts in frames)
    names = {curve["name"] for curve in scene["time"]["numbers"]}
    assert any(name.startswith("betti_2") for name in names)  # those of the space
    command(tmp_path, "explore", "out", "--to", "again.html")
    assert (tmp_path / "again.html").read_bytes() == made


@pytest.mark.parametrize("name", ["page.pdf", ""])
def test_files_of_other_kinds_are_refused(workplace: Path, command: Command, name: str) -> None:
    printed = command(workplace, "explore", "outputs/first", "--to", name, succeeds=False)
    assert "`--to` must" in printed
    assert "page.html" in printed


@pytest.mark.slow
def test_without_figures_there_is_no_page(workplace: Path, command: Command) -> None:
    shared = "training_dir=outputs/first/training"
    command(workplace, *TINY, shared, "figures=false", "hydra.run.dir=outputs/plain")
    assert not (workplace / "outputs" / "plain" / PAGE).exists()


@pytest.mark.slow
def test_where_there_is_nothing_to_show_there_is_no_page(tmp_path: Path, command: Command) -> None:
    command(tmp_path, "experiment=scale", "analysis.width=4", "hydra.run.dir=out")
    assert not (tmp_path / "out" / PAGE).exists()
    printed = command(tmp_path, "explore", "out", succeeds=False)
    assert "has no complexes to explore" in printed


@pytest.mark.slow
def test_homology_leaves_diagrams_in_its_page(workplace: Path, command: Command) -> None:
    shared = "training_dir=outputs/first/training"
    command(workplace, *TINY, shared, "analysis=homology", "hydra.run.dir=outputs/betti")
    scene, frames = content(workplace / "outputs" / "betti" / PAGE)
    assert {"diagram", "betti", "histogram", "time"} == set(scene["charts"])
    for arrays, facts in frames:
        assert facts["diagram"]["filtration"] == "random_closure"
        assert len(arrays["cycles:offsets"]) == len(arrays["classes:births"]) + 1


@pytest.mark.slow
def test_each_job_of_a_sweep_has_a_page(tmp_path: Path, command: Command) -> None:
    command(tmp_path, "--multirun", *TINY, "seed=0,1", "hydra.sweep.dir=out")
    jobs = sorted((tmp_path / "out" / "jobs").iterdir())
    assert len(jobs) == 2
    assert all((job / PAGE).is_file() for job in jobs)
    assert "job by job" in command(tmp_path, "explore", "out", succeeds=False)
    # The runs that jobs share are found beside them, also where the folder was moved.
    os.rename(tmp_path / "out", tmp_path / "moved")
    moved = tmp_path / "moved" / "jobs" / jobs[0].name
    command(tmp_path, "explore", os.fspath(moved), "--to", "again.html")
    assert (tmp_path / "again.html").read_bytes() == (moved / PAGE).read_bytes()


@pytest.mark.slow
def test_of_models_of_ones_own_the_last_complex_is_kept(tmp_path: Path, command: Command) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", points=rng.normal(size=(20, 2)), labels=np.arange(20) % 2)
    layers = torch.nn.Linear(2, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1)
    torch.save(torch.nn.Sequential(*layers).state_dict(), tmp_path / "model.pt")
    own = ["experiment=inspect", "network.path=model.pt", "data.path=data.npz"]
    command(tmp_path, *own, "hydra.run.dir=out")
    scene, frames = content(tmp_path / "out" / PAGE)
    assert len(frames) == 1
    assert "time" not in scene
    command(tmp_path, "explore", "out", "--to", "again.html")
    _, again = content(tmp_path / "again.html")
    np.testing.assert_array_equal(frames[0][0]["patterns"], again[0][0]["patterns"])


@pytest.mark.parametrize("folder", [".", "nowhere", "outputs"])
def test_folders_without_a_run_are_refused(workplace: Path, command: Command, folder: str) -> None:
    printed = command(workplace, "explore", folder, succeeds=False)
    assert "must be the folder of a run" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_what_is_not_complete_is_refused(tmp_path: Path, command: Command) -> None:
    (tmp_path / "job.json").write_text("{}")
    assert "is not complete" in command(tmp_path, "explore", ".", succeeds=False)
    (tmp_path / "done.json").write_text("{}")
    (tmp_path / "config.json").write_text('{"analysis": 3}')
    assert "Traceback" not in command(tmp_path, "explore", ".", succeeds=False)


def test_a_run_ends_well_without_the_library_of_charts(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(scene: object) -> None:
        raise MissingExtraError('a page needs bokeh; remedy: pip install "relutopo[explore]"')

    class Place:
        directory = workplace / "unmade"
        run = rt.TrainingRun(workplace / "outputs" / "first" / "training")
        dataset = run.dataset
        draws_figures = True

        @staticmethod
        def stage(name: str) -> Any:
            return monkeypatch.context()

    monkeypatch.setattr(pages, "page_of", missing)
    analysis = rt.Partition()
    conclusion = analysis.conclude(analysis.rows(Place.run), Place.run)
    with caplog.at_level("INFO", logger="relutopo"):
        pages.save_page(analysis, Place, conclusion, is_sweep=False)  # type: ignore[arg-type]
    assert "relutopo[explore]" in caplog.text
    assert not Place.directory.exists()
