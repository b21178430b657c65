"""Files of strangers: refused with an error of ours, soon, with little memory, nothing executed."""

from __future__ import annotations

import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hostile
import relutopo as rt
from relutopo.complex import load_complex
from relutopo.errors import LimitReachedError, RelutopoError
from relutopo.geometry.storage import save_complex
from relutopo.learning.data_files import data_file
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun, load_checkpoint
from relutopo.networks.reading import load_model
from relutopo.networks.storage import load_network, save_network
from relutopo.system.archives import read_arrays

NETWORK = rt.ReluNetwork([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
_MORE = 2**30
"""Bytes that a refusal may touch; each of these files asks for far more, or for none."""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is executed, and little memory is touched."""
    monkeypatch.chdir(tmp_path)
    before = _peak()
    yield
    assert not (tmp_path / "pwned").exists()
    assert not list(tmp_path.rglob("pwned*"))
    assert _peak() < before + _MORE


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def refused(read: Callable[[Path], object], path: Path, what: str) -> None:
    try:
        with pytest.raises(RelutopoError) as caught:
            read(path)
    except BaseException as error:
        raise AssertionError(what) from error
    message = str(caught.value)
    assert "\x1b" not in message
    assert ";" in message, f"{what}: {message}"  # which a remedy follows


@pytest.mark.slow
def test_archives_of_networks_complexes_and_data(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    points: dict[str, Any] = {"points": np.ones((4, 2)), "targets": np.array([0.0, 1, 0, 1])}
    save_network(path, NETWORK)
    network = read_arrays(path)
    save_complex(path, rt.decompose(NETWORK, rt.Box(-1, 1, dim=2), enumerator="exact"))
    complex_ = read_arrays(path)
    np.savez(path, **points)
    assert data_file(str(path)).points.shape == (4, 2)

    def data(path: Path) -> Dataset:
        return data_file(str(path))

    for read, good in ((load_network, network), (load_complex, complex_), (data, points)):
        for kind, content in hostile.archives(good):
            if read is data and kind in ("other zeros without end", "no array"):
                continue  # its total is refused all the same, or below
            path.write_bytes(content)
            refused(read, path, f"{read.__name__}: {kind}")


def test_arrays_that_are_not_asked_for_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez_compressed(path, points=np.ones((4, 2)), targets=np.ones(4), more=np.zeros(10**6))
    assert data_file(str(path)).points.shape == (4, 2)
    payload = np.array([hostile.Payload()], dtype=object)
    np.savez(path, allow_pickle=True, points=np.ones((4, 2)), targets=np.ones(4), a=payload)
    assert data_file(str(path)).points.shape == (4, 2)


def test_places_of_entries_stay_within_their_matrix(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(0)
    layers = torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(18, 1)
    network = rt.as_network(torch.nn.Sequential(*layers), (1, 4, 4))
    path = tmp_path / "network.npz"
    save_network(path, network)
    arrays = read_arrays(path)
    key = next(name for name in arrays if name.endswith("/indices"))
    pointers = key.replace("indices", "indptr")
    wrong = [
        {key: arrays[key] + 10**6},
        {key: arrays[key] - 10**6},
        {pointers: arrays[pointers][::-1].copy()},
        {pointers: arrays[pointers] * 2},
        {key.replace("indices", "shape"): np.array([2**40, 2**40])},
        {key.replace("indices", "shape"): np.array([-1, 16])},
        {"network/input_dim": 2**50},
        {"network/input_dim": -1},
        {"network/n_nodes": 2**50},
        {"network/kind": "evil"},
        {"network/kind": 3},
        {"network/0/sources": np.array([-1])},
        {"network/0/sources": np.array([5])},
        {"network/0/sources": np.array([2**62])},
    ]
    for change in wrong:
        np.savez(path, **{**arrays, **change})
        refused(load_network, path, str(change)[:80])


@pytest.mark.slow
def test_files_of_torch(tmp_path: Path) -> None:
    for path in hostile.torch_files(tmp_path):
        refused(load_model, path, path.name)
        refused(load_checkpoint, path, f"checkpoint: {path.name}")
        path.unlink()


@pytest.mark.slow
def test_files_of_onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    # What is there differs between machines, and refusals begin where it ends.
    monkeypatch.setattr("relutopo.system.memory.available_bytes", lambda: 2**31)
    for path in hostile.onnx_files(tmp_path):
        refused(load_model, path, path.name)
        refused(lambda path: load_model(path, input_shape=(2**40,)), path, f"shape, {path.name}")


def test_shapes_of_inputs_beyond_all_memory() -> None:
    for shape in ((2**40,), (2**31, 2**31), (2**62, 2**62)):
        with pytest.raises(LimitReachedError, match=r"an input of \d+ entries needs .*; pass a"):
            rt.as_network(NETWORK, shape)


@pytest.mark.parametrize("kind", hostile.special_files())
@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "network.npz"])
def test_what_is_no_file(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / "folder" / name
    path.parent.mkdir()
    hostile.special_files()[kind](path)
    refused(load_model, path, kind)
    refused(load_complex, path, kind)
    refused(load_network, path, kind)
    refused(lambda path: data_file(str(path)), path, kind)


@pytest.mark.slow
def test_training_runs(tmp_path: Path) -> None:
    from relutopo.learning.trainer import MlpSettings, TrainerSettings, train

    dataset = _moons()
    good = tmp_path / "good"
    settings = TrainerSettings(n_steps=4, n_checkpoints=2, checkpoint_steps=[])
    run = train(dataset, MlpSettings(hidden=[3]), settings, seed=0, directory=good)
    assert run.regular_steps
    history, data = (read_arrays(good / f"{name}.npz") for name in ("history", "data"))
    folder = tmp_path / "run"
    for name, arrays in (("history", history), ("data", data)):
        for kind, content in hostile.archives(arrays):
            if kind in ("other zeros without end",):
                continue
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(good, folder)
            (folder / f"{name}.npz").write_bytes(content)
            refused(
                lambda path: (TrainingRun(path).history, TrainingRun(path).dataset),
                folder,
                f"{name}: {kind}",
            )
    for kind, content in hostile.json_files():
        (folder / "settings.json").write_bytes(content)
        refused(lambda path: TrainingRun(path).regular_steps, folder, kind)
    trainer: Any
    for trainer in (None, 3, [], {}, {"n_steps": "x"}, {"n_steps": 2**70, "checkpoint_every": 1}):
        (folder / "settings.json").write_text(json.dumps({"trainer": trainer}))
        refused(lambda path: TrainingRun(path).regular_steps, folder, str(trainer))


def _moons() -> Dataset:
    from relutopo.learning.datasets import two_moons

    return two_moons(n=20)


def test_rows_and_trackers(tmp_path: Path) -> None:
    from relutopo.analyses.rows import kept_rows
    from relutopo.tracking.tracker import Tracker

    tracker = Tracker(tmp_path / "tracker", _moons(), steps=[0])
    kinds = list(hostile.json_files())
    for kind, content in kinds:
        if kind == "an empty mapping":
            continue
        (tracker.directory / "rows" / "step_000000.json").write_bytes(content)
        refused(lambda _: tracker.rows, tracker.directory, kind)
        (tmp_path / "step_000000.json").write_bytes(content)
        refused(lambda path: kept_rows(path, {}, [0], lambda step: {}), tmp_path, kind)
    (tmp_path / "step_000000.json").unlink()
    os.mkfifo(tmp_path / "step_000001.json")
    assert kept_rows(tmp_path, {}, [1], lambda step: {"step": 1}) == [{"step": 1}]
