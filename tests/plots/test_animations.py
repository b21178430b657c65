"""Films of training: one picture a checkpoint, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from PIL import Image, ImageSequence

import relutopo as rt
from relutopo.errors import InputError, MissingExtraError
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.plots import animate

SETTINGS = rt.TrainerSettings(n_steps=60, n_checkpoints=2, checkpoint_every=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    folder = tmp_path_factory.mktemp("run")
    return rt.train(rt.two_moons(n=30), rt.MlpSettings([4]), SETTINGS, seed=0, directory=folder)


def pictures(path: Path) -> list[tuple[bytes, int]]:
    """Return the pictures of a film, each with its milliseconds."""
    with Image.open(path) as film:
        shown = ImageSequence.Iterator(film)
        return [(picture.convert("RGB").tobytes(), picture.info["duration"]) for picture in shown]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["complex", "partition"])
def test_a_film_has_a_picture_for_each_checkpoint(
    run: TrainingRun, tmp_path: Path, what: str
) -> None:
    path = animate(run, tmp_path / "film.gif", what=what, seconds=0.2)  # type: ignore[arg-type]
    found = pictures(path)
    assert len({picture for picture, _ in found}) == len(run.steps) > 2
    assert sum(milliseconds for _, milliseconds in found) == 200 * (len(run.steps) + 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["film.gif"]


@pytest.mark.slow
def test_the_steps_can_be_chosen(run: TrainingRun, tmp_path: Path) -> None:
    film = animate(run, tmp_path / "film.gif", steps=[60, 0], values="volume")
    assert len({picture for picture, _ in pictures(film)}) == 2


def test_a_plane_through_more_inputs_can_be_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 3))
    data = Dataset("space", points, points[:, 0] > 0)
    settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings([3]), settings, seed=0, directory=tmp_path / "run")
    with pytest.raises(InputError, match="AffineSlice"):
        animate(run, tmp_path / "film.gif")
    plane = rt.AffineSlice.principal(points)
    assert animate(run, tmp_path / "film.gif", domain=plane, steps=[2]).is_file()


def test_what_cannot_be_drawn_is_refused(run: TrainingRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.gif or \.mp4"):
        animate(run, tmp_path / "film.avi")
    with pytest.raises(InputError, match="`steps` must be among"):
        animate(run, tmp_path / "film.gif", steps=[7])
    with pytest.raises(InputError, match="`run` must be a training run"):
        animate("outputs/run", tmp_path / "film.gif")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="what"):
        animate(run, tmp_path / "film.gif", what="graph")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_ffmpeg_is_named_where_it_is_missing(
    run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(MissingExtraError, match=r"ffmpeg.*\.gif"):
        animate(run, tmp_path / "film.mp4")


@pytest.mark.slow
@pytest.mark.skipif(not FFMpegWriter.isAvailable(), reason="ffmpeg is not installed")
def test_a_film_can_be_mp4(run: TrainingRun, tmp_path: Path) -> None:
    assert b"ftyp" in animate(run, tmp_path / "film.mp4", steps=[0, 60]).read_bytes()[:32]
