"""Checkpoint files: safe to read, clear when they cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_circles
from relutopo.learning.model_files import ModelFiles
from relutopo.learning.runs import (
    Checkpoint,
    TrainingRun,
    load_checkpoint,
    save_checkpoint,
)
from relutopo.learning.trainer import MlpSettings, TrainerSettings, build_mlp, train


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = build_mlp(2, MlpSettings([3, 3]))
    save_checkpoint(tmp_path / "step_000007.pt", Checkpoint(7, model.state_dict()))
    return tmp_path / "step_000007.pt"


def test_a_checkpoint_round_trips_without_executing_anything(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    assert set(content) == {"format", "step", "state"}
    checkpoint = load_checkpoint(path)
    model = build_mlp(2, MlpSettings([3, 3]))
    x = np.random.default_rng(0).normal(size=(20, 2))
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(checkpoint.network(x), expected, rtol=1e-12)
    assert checkpoint.step == 7


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"checkpoint '.*nowhere.pt' does not exist"):
        load_checkpoint(tmp_path / "nowhere.pt")


def test_a_truncated_file_is_named(path: Path) -> None:
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"step_000007.pt' cannot be read: it is damaged"):
            load_checkpoint(path)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def test_a_file_that_would_execute_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "step": 0, "state": Attack()}, tmp_path / "bad.pt")
    with pytest.raises(InputError, match="holds more than plain tensors"):
        load_checkpoint(tmp_path / "bad.pt")
    assert not (tmp_path / "executed").exists()


def test_other_content_is_named(tmp_path: Path) -> None:
    torch.save({"0.weight": torch.zeros(1, 2)}, tmp_path / "state.pt")
    with pytest.raises(InputError, match="must be a relutopo checkpoint"):
        load_checkpoint(tmp_path / "state.pt")
    torch.save({"format": 99, "step": 0, "state": {}}, tmp_path / "new.pt")
    with pytest.raises(InputError, match="must have format 1, got 99"):
        load_checkpoint(tmp_path / "new.pt")


def test_a_run_gives_back_its_data_and_names_missing_parts(tmp_path: Path) -> None:
    data = two_circles(n=20)
    run = TrainingRun(tmp_path / "run")
    assert not run.is_complete
    with pytest.raises(InputError, match=r"history.npz' does not exist; train first"):
        _ = run.history
    train(data, MlpSettings([3]), TrainerSettings(n_steps=5), directory=run.directory)
    assert run.dataset.equals(data)
    with pytest.raises(InputError, match=r"`step` must be one of \[0, .*\], got 77"):
        run.checkpoint(77)
    assert np.isnan(run.history.at(3)["held_out_loss"]) == (3 not in run.history.held_out_steps)
    (run.directory / "history.npz").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"history.npz' cannot be read"):
        _ = run.history


def test_outputs_and_other_inputs_of_files(tmp_path: Path) -> None:
    """What the command's keys ``network.output`` and ``network.fixed`` are passed on to."""
    pytest.importorskip("onnx")
    from onnx_graphs import mlp, node, write

    nodes = [node("Concat", "x t", axis=1), *mlp()]
    path = write(
        tmp_path / "step=3.onnx", nodes, inputs={"x": ("n", 1), "t": (1, 1)}, outputs=["y", "r"]
    )
    x = np.linspace(-1, 1, 8)[:, None]
    dataset = Dataset("line", x, x[:, 0], x, x[:, 0])
    for output in ("y", "0", 0):
        run = ModelFiles(tmp_path / "run", [path], dataset, output=output, fixed={"t": [0.5]})
        assert run.network(3).input_dim == 1
    with pytest.raises(InputError, match="`fixed` must name inputs"):
        ModelFiles(tmp_path / "run", [path], dataset, output="y", fixed={"z": 1.0}).network(3)
