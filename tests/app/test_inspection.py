"""Models and data from files: what is read, what is refused, and the command on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import relutopo as rt
from relutopo.errors import InputError
from relutopo.learning.checkpoints import Checkpoint, save_checkpoint
from relutopo.learning.model_files import ModelFiles, data_file, load_model

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-1, 1, (40, 2))
CLASSES = (POINTS[:, 0] > 0).astype(int)


def model(seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data, a model, and the checkpoints of a run as other programs write them."""
    np.savez(tmp_path / "data.npz", points=POINTS, targets=CLASSES)
    (tmp_path / "runs").mkdir()
    for step in (0, 10, 200):
        path = tmp_path / "runs" / f"run1-epoch={step}.ckpt"
        torch.save({"epoch": step, "state_dict": model(step).state_dict()}, path)
    torch.save(model(0).state_dict(), tmp_path / "model.pt")
    return tmp_path


def test_classes_become_signs(folder: Path) -> None:
    data = data_file(str(folder / "data.npz"))
    assert data.name == "data"
    np.testing.assert_array_equal(data.targets, 2 * CLASSES - 1)
    np.testing.assert_array_equal(data.held_out_points, POINTS)
    np.savez(folder / "values.npz", points=POINTS, targets=POINTS[:, 0], held_out_points=[[0, 0.5]],
             held_out_targets=[0.25])  # fmt: skip
    values = data_file(str(folder / "values.npz"))
    np.testing.assert_array_equal(values.targets, POINTS[:, 0])
    assert values.held_out_targets.tolist() == [0.25]


def test_every_kind_of_checkpoint_gives_the_network(folder: Path) -> None:
    expected = rt.as_network(model(0))(POINTS)
    save_checkpoint(folder / "own.pt", Checkpoint(3, model(0).state_dict()))
    for name in ("model.pt", "own.pt", "runs/run1-epoch=0.ckpt"):
        np.testing.assert_array_equal(load_model(folder / name)(POINTS), expected)


def test_steps_are_the_last_numbers_of_names(folder: Path) -> None:
    data = data_file(str(folder / "data.npz"))
    run = ModelFiles(folder, list((folder / "runs").iterdir()), data)
    assert run.steps == [0, 10, 200]
    outputs = rt.as_network(model(200))(POINTS)[:, 0]
    last = run.history.at(200)
    assert last["train_accuracy"] == np.mean((outputs > 0) == (CLASSES == 1))
    assert last["train_loss"] == pytest.approx(np.mean((outputs - (2 * CLASSES - 1)) ** 2))
    assert np.isnan(run.history.train_loss[11:200]).all()
    for name in ("a.pt", "b.pt"):
        torch.save(model(0).state_dict(), folder / name)
    assert ModelFiles(folder, [folder / "b.pt", folder / "a.pt"], data).steps == [0, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.pt", None, "does not exist"),
        ("bad.pt", b"no model", "cannot be read: it is damaged"),
        ("none.npz", None, "which does not exist"),
        ("bad.npz", b"no data", "cannot be read"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    folder: Path, name: str, content: bytes | None, message: str
) -> None:
    path = folder / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_model(path) if name.endswith("pt") else data_file(str(path))
    assert name in str(caught.value)


def test_data_without_targets_and_models_of_other_data_are_refused(folder: Path) -> None:
    np.savez(folder / "points.npz", points=POINTS)
    with pytest.raises(InputError, match=r"must have the arrays 'points' and 'targets'"):
        data_file(str(folder / "points.npz"))
    np.savez(folder / "space.npz", points=np.zeros((3, 3)), targets=np.zeros(3))
    run = ModelFiles(folder, [folder / "model.pt"], data_file(str(folder / "space.npz")))
    with pytest.raises(InputError, match="takes 2 inputs, the points of 'space' have 3"):
        run.checkpoint(0)


@pytest.mark.slow
def test_the_command_inspects_models_of_ones_own(folder: Path, command: Callable[..., str]) -> None:
    own = ["experiment=inspect", "data.path=data.npz", "checkpoints=runs/*.ckpt"]
    command(folder, *own, "hydra.run.dir=fiedler")
    command(folder, *own, "hydra.run.dir=betti", "analysis=homology", "figures=false")
    table = pd.read_parquet(folder / "fiedler" / "results.parquet")
    betti = pd.read_parquet(folder / "betti" / "results.parquet")
    assert table["step"].tolist() == betti["step"].tolist() == [0, 10, 200]
    np.testing.assert_array_equal(table["n_regions"], betti["n_regions"])
    complex_ = rt.decompose(model(200), rt.Box.around(POINTS, 0.25))
    assert table["n_regions"].iloc[-1] == complex_.n_regions
    assert (folder / "fiedler" / "figures" / "timeline.png").is_file()
    neither = command(folder, *own[:2], succeeds=False)
    assert "one of `network.path` and `checkpoints` must be given" in neither
    damaged = folder / "runs" / "run1-epoch=300.ckpt"
    damaged.write_bytes(b"half")
    printed = command(folder, *own, "hydra.run.dir=fiedler", succeeds=False)
    assert "epoch=300.ckpt' cannot be read" in printed
    assert pd.read_parquet(folder / "fiedler" / "results.parquet").equals(table)  # it stays
