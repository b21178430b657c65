"""Models and data from files: what is read, what is refused, and the command on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import relutopo as rt
from relutopo.analyses.homology import Homology
from relutopo.analyses.partition import Partition
from relutopo.app.messages import explain
from relutopo.complex import load_complex
from relutopo.errors import InputError
from relutopo.learning.data_files import data_file
from relutopo.learning.model_files import ModelFiles
from relutopo.learning.runs import Checkpoint, save_checkpoint
from relutopo.networks.reading import load_model

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
    assert (data.classes, data.has_held_out) == ((0, 1), False)
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


def test_steps_are_numbers_of_names(folder: Path) -> None:
    data = data_file(str(folder / "data.npz"))
    run = ModelFiles(folder, list((folder / "runs").iterdir()), data)
    assert run.steps == [0, 10, 200]
    outputs = rt.as_network(model(200))(POINTS)[:, 0]
    last = run.history.at(200)
    assert last["train_accuracy"] == np.mean((outputs > 0) == (CLASSES == 1))
    assert last["train_loss"] == pytest.approx(np.mean((outputs - (2 * CLASSES - 1)) ** 2))
    assert all(np.isnan(value) for step in (11, 201) for value in run.history.at(step).values())
    for name in ("a.pt", "b.pt"):
        torch.save(model(0).state_dict(), folder / name)
    assert ModelFiles(folder, [folder / "b.pt", folder / "a.pt"], data).steps == [0, 1]


def test_a_date_in_a_name_is_a_step_as_well(folder: Path) -> None:
    data, dates = data_file(str(folder / "data.npz")), (20261126214206, 20261127000000)
    for number in (*dates, 2**63):
        torch.save(model(0).state_dict(), folder / f"model_{number}.pt")
    run = ModelFiles(folder, [folder / f"model_{date}.pt" for date in dates], data)
    assert run.steps == list(dates)
    first, second = (run.history.at(date) for date in dates)
    assert [str(x) for x in second.values()] == [str(x) for x in first.values()]
    assert 0 < run.history.at(dates[0])["train_loss"] < np.inf
    assert ModelFiles(folder, [folder / f"model_{2**63}.pt"], data).steps == [0]


def test_steps_that_files_tell(folder: Path) -> None:
    data = data_file(str(folder / "data.npz"))
    for name, step in (("a", 200), ("b", 10), ("c", 0)):
        content = {"global_step": step, "state_dict": model(step).state_dict()}
        torch.save(content, folder / f"{name}-loss=0.{step}.ckpt")
    run = ModelFiles(folder, list(folder.glob("*.ckpt")), data)
    assert run.steps == [0, 10, 200]
    assert run.steps_from == '"global_step" in the files'
    expected = rt.as_network(model(10))(POINTS)
    np.testing.assert_array_equal(run.network(10)(POINTS), expected)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.pt", None, "does not exist"),
        ("bad.pt", b"no model", "cannot be read: it is damaged"),
        ("empty.pt", b"", "cannot be read: it is damaged"),
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


def test_a_network_in_a_checkpoint_of_several_is_chosen_by_its_key(tmp_path: Path) -> None:
    states = {"net": model(0).state_dict(), "average": model(1).state_dict(), "epoch": 3}
    torch.save(states, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"got 2 mappings of arrays, under net, average"):
        load_model(tmp_path / "model.pt")
    for key, number in (("net", 0), ("average", 1)):
        network = load_model(tmp_path / "model.pt", key=key)
        np.testing.assert_array_equal(network(POINTS), rt.as_network(model(number))(POINTS))


def test_data_without_targets_and_models_of_other_data_are_refused(folder: Path) -> None:
    np.savez(folder / "points.npz", points=POINTS)
    with pytest.raises(InputError, match=r"must have the arrays 'points' and 'targets'"):
        data_file(str(folder / "points.npz"))
    np.savez(folder / "space.npz", points=np.zeros((3, 3)), targets=np.zeros(3))
    run = ModelFiles(folder, [folder / "model.pt"], data_file(str(folder / "space.npz")))
    with pytest.raises(InputError, match="takes 2 inputs, the points of 'space' have 3"):
        run.network(0)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"targets": CLASSES + (POINTS[:, 1] > 0.5)}, "the training targets .* got 3: 0, 1, 2"),
        ({"targets": POINTS[:, 0]}, r"the training targets .* got 40: .*, \.\.\.; pass points"),
        ({"targets": CLASSES * 0}, "the training targets .* got 1: 0"),
        (
            {"targets": CLASSES, "held_out_points": POINTS, "held_out_targets": CLASSES * 0},
            "the held-out targets .* got 1: 0",
        ),
    ],
)
def test_a_partition_takes_two_classes_and_homology_any_targets(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "data.npz", points=POINTS, **arrays)
    data = data_file(str(tmp_path / "data.npz"))
    domain = rt.Box(-1, 1, dim=2)
    with pytest.raises(InputError, match=message):
        Partition().check_conclusion(data)
    Partition().check(data, domain)
    Homology().check(data, domain)
    Homology().check_conclusion(data)


@pytest.mark.parametrize(
    "classes",
    [CLASSES, 2 * CLASSES - 1, CLASSES > 0, CLASSES + 1, 2.0 * CLASSES + 2, CLASSES[:, None],
     np.array(["cat", "dog"])[CLASSES]],
)  # fmt: skip
def test_a_partition_takes_two_classes_of_any_kind(tmp_path: Path, classes: Any) -> None:
    np.savez(tmp_path / "data.npz", points=POINTS, targets=classes)
    data = data_file(str(tmp_path / "data.npz"))
    np.testing.assert_array_equal(data.targets, 2 * CLASSES - 1)
    Partition().check_conclusion(data)


@pytest.mark.parametrize("name", ["held_out_points", "held_out_targets"])
def test_held_out_arrays_come_together(tmp_path: Path, name: str) -> None:
    arrays: dict[str, Any] = {"points": POINTS, "targets": CLASSES, name: POINTS[:20]}
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(InputError, match="must have both 'held_out_points' and 'held_out_targets'"):
        data_file(str(tmp_path / "data.npz"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"points": POINTS, "targets": CLASSES * 1j}, "'targets' in .* must be numbers or words"),
        ({"points": POINTS.astype(str), "targets": CLASSES}, "'points' in .* must be numbers"),
        ({"points": POINTS[:0], "targets": CLASSES[:0]}, r"at least one point, got .* \(0, 2\)"),
    ],
)
def test_arrays_without_numbers_are_named(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(InputError, match=message):
        data_file(str(tmp_path / "data.npz"))


class Touch:
    """Its pickle creates a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mknod, (os.fspath(self.path),)


def test_code_in_a_file_runs_only_where_that_is_allowed(tmp_path: Path) -> None:
    path, witness = tmp_path / "evil.pt", tmp_path / "witness"
    torch.save({"state_dict": model(0).state_dict(), "more": Touch(witness)}, path)
    with pytest.raises(InputError, match=r"runs code from the file; .* pass trust=True$"):
        load_model(path)
    assert not witness.exists()
    expected = rt.as_network(model(0))(POINTS)
    np.testing.assert_array_equal(load_model(path, trust=True)(POINTS), expected)
    assert witness.exists()


@pytest.mark.parametrize("content", [model(0), {"model": model(0), "epoch": 3}])
def test_whole_modules_are_read_on_trust(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "module.pt")
    with pytest.raises(InputError, match=r"module.pt' holds more than tensors"):
        load_model(tmp_path / "module.pt")
    network = load_model(tmp_path / "module.pt", trust=True)
    np.testing.assert_array_equal(network(POINTS), rt.as_network(model(0))(POINTS))


def test_a_missing_shape_is_asked_for(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten())
    torch.save(module, tmp_path / "module.pt")
    message = r"`input_shape` is needed for .*; pass as_network\(model, input_shape=\(1, 28, 28\)\)"
    with pytest.raises(InputError, match=message) as caught:
        load_model(tmp_path / "module.pt", trust=True)
    assert explain(caught.value).endswith("; add network.input_shape=[1,28,28], for example")


@pytest.mark.filterwarnings("ignore")  # torch's own
def test_programs_are_refused_by_name(tmp_path: Path) -> None:
    torch.jit.script(model(0)).save(tmp_path / "script.pt")  # type: ignore[no-untyped-call]
    torch.export.save(torch.export.export(model(0), (torch.zeros(1, 2),)), tmp_path / "export.pt2")
    for name in ("script.pt", "export.pt2"):
        for trust in (False, True):
            with pytest.raises(InputError, match="it is a program of TorchScript"):
                load_model(tmp_path / name, trust=trust)


NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 1))
    def forward(self, x):
        return self.body(x)

if __name__ == "__main__":
    import nets, numpy
    torch.manual_seed(0)
    torch.save(nets.Net(), "net.pt")
    images = numpy.random.default_rng(0).normal(size=(12, 1, 6, 6))
    numpy.savez("images.npz", points=images, targets=numpy.arange(12) % 2)
"""


@pytest.mark.slow
def test_the_command_inspects_a_module_of_images_on_a_slice(
    tmp_path: Path, command: Callable[..., str], fresh_command: Callable[..., str]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "nets.py").write_text(NETS)
    subprocess.run([sys.executable, "nets.py"], cwd=home, check=True)
    there = tmp_path / "there"
    there.mkdir()
    own = ["experiment=inspect", "network.path=../home/net.pt", "data.path=../home/images.npz",
           "network.input_shape=[1,6,6]", "domain=slice_through", "domain.points=[0,5,9]",
           "hydra.run.dir=out"]  # fmt: skip
    assert "add network.trust=true" in command(there, *own, succeeds=False)
    own += ["network.trust=true"]
    printed = command(there, *own, succeeds=False)
    assert "No module named 'nets'; the module that defines its class must be importable" in printed
    assert "Traceback" not in printed
    printed = fresh_command(there, *own, env=os.environ | {"PYTHONPATH": os.fspath(home)})
    complex_ = load_complex(there / "out" / "complex.npz")
    assert complex_.dim == 2
    complex_.check()
    table = pd.read_parquet(there / "out" / "results.parquet")
    assert table["n_regions"].item() == complex_.n_regions
    images = data_file(os.fspath(home / "images.npz")).points
    assert images.shape == (12, 36)
    plane = rt.AffineSlice.through(*images[[0, 5, 9]], margin=0.25)
    distances = plane.coordinates(images)[1]
    assert table["points_distance"].item() == pytest.approx(np.median(distances))
    assert "the data take part by their projections" in " ".join(printed.split())
    assert (there / "out" / "figures" / "partition.png").is_file()
    printed = fresh_command(
        there, *own[:4], "network.trust=true", "hydra.run.dir=whole", succeeds=False,
        env=os.environ | {"PYTHONPATH": os.fspath(home)},
    )  # fmt: skip
    assert "must have at most 12 dimensions to be cut into cells, got a box of 36" in printed
    assert "domain=slice_principal" in printed


@pytest.mark.slow
def test_the_command_inspects_models_of_ones_own(folder: Path, command: Callable[..., str]) -> None:
    own = ["experiment=inspect", "data.path=data.npz", "checkpoints=runs/*.ckpt"]
    command(folder, *own, "hydra.run.dir=fiedler")
    command(folder, *own, "hydra.run.dir=betti", "analysis=homology", "figures=false")
    table = pd.read_parquet(folder / "fiedler" / "results.parquet")
    betti = pd.read_parquet(folder / "betti" / "results.parquet")
    assert table["step"].tolist() == betti["step"].tolist() == [0, 10, 200]
    np.testing.assert_array_equal(table["n_regions"], betti["n_regions"])
    unknown = [name for name in table.columns if "held_out" in name]
    assert {"held_out_loss", "held_out_accuracy", "held_out_purity"} < set(unknown)
    assert table[[*unknown, "generalised_step"]].isna().all(axis=None)
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


@pytest.mark.slow
def test_a_sweep_over_models_of_ones_own_and_trained_ones(
    folder: Path, command: Callable[..., str]
) -> None:
    """Of which some have a loss between their checkpoints, and some have none."""
    small = ["--multirun", "hydra.sweep.dir=out", "analysis=homology", "figures=false"]
    command(folder, *small, "checkpoints=runs/*.ckpt", "seed=0,1")
    few = ["trainer.n_steps=40", "trainer.checkpoint_every=10", "network.hidden=[4]"]
    printed = command(folder, *small, *few, "seed=0,1", "analysis.n_filtrations=1")
    table = pd.read_parquet(folder / "out" / "jobs.parquet")
    assert table["status"].tolist() == ["done"] * 4
    assert "4 jobs" in printed
