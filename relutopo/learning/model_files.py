"""Models and data of one's own, from files, in the place of a training run.

Invariant: nothing in a file is executed when it is read, unless the caller says that it may be.
"""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_flag
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import History, load_tensors
from relutopo.networks.network import Network
from relutopo.networks.reading import as_network
from relutopo.optional import require

__all__ = ["ModelFiles", "accuracy", "data_file", "load_model"]

_INSIDE = ("state", "state_dict", "model_state_dict", "model")
"""Keys under which checkpoints keep the state dict, or the module, beside other things."""
_DAMAGED = "it is damaged, or no file of torch.save"


def data_file(path: str) -> Dataset:
    """Read points and targets from a ``.npz`` file.

    Parameters
    ----------
    path : str
        Its arrays are ``points`` (n, d) and ``targets`` (n,), and, if there are points that
        training never saw, ``held_out_points`` and ``held_out_targets``. Without them the
        training points stand in their place. Points may have any shape behind their first axis,
        such as (n, 1, 28, 28). Targets of two classes may be 0 and 1, or -1 and 1.

    Returns
    -------
    Dataset
        Named like the file. Classes 0 and 1 become -1 and 1.

    Raises
    ------
    InputError
        If the file or an array is missing, or cannot be read, or holds no numbers, or one of the
        held-out arrays comes without the other.
    """
    if not os.path.isfile(path):
        raise InputError(f"`data.path` names the file {path!r}, which does not exist; check it")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:
        # NumPy raises value, end-of-file, zip and type errors alike for an unreadable file.
        raise InputError(
            f"{path!r} cannot be read ({type(error).__name__}); write it with "
            "numpy.savez(path, points=..., targets=...)"
        ) from error
    missing = [name for name in ("points", "targets") if name not in arrays]
    if missing:
        raise InputError(
            f"{path!r} must have the arrays 'points' and 'targets', got {sorted(arrays)}; write it "
            "with numpy.savez(path, points=..., targets=...)"
        )
    held_out_names = sorted({"held_out_points", "held_out_targets"} & set(arrays))
    if len(held_out_names) == 1:
        raise InputError(
            f"{path!r} must have both 'held_out_points' and 'held_out_targets' or neither, got "
            f"{sorted(arrays)}; add the other, or leave out both"
        )
    for name in ("points", "targets", *held_out_names):
        array = arrays[name]
        if array.dtype.kind not in "biuf" or not array.size:
            raise InputError(
                f"{name!r} in {path!r} must be numbers, for at least one point, got "
                f"{array.dtype} of shape {array.shape}; write for example classes as 0 and 1"
            )
    points = _flat(arrays["points"])
    held_out = _flat(arrays.get("held_out_points", points))
    given = arrays.get("held_out_targets", arrays["targets"])
    classes = set(np.unique(arrays["targets"]).tolist()) | set(np.unique(given).tolist())
    are_bits = classes == {0, 1}
    targets, held_out_targets = (
        2 * np.asarray(values, dtype=np.float64) - 1 if are_bits else np.asarray(values, float)
        for values in (arrays["targets"], given)
    )
    return Dataset(Path(path).stem, points, targets, held_out, held_out_targets)


def _flat(points: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    return array if array.ndim < 2 else array.reshape(len(array), -1)


def load_model(
    path: str | os.PathLike[str],
    *,
    trust: bool = False,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Read a network from a ``.onnx`` file, or from one that `torch.save` wrote.

    Parameters
    ----------
    path : path-like
        A state dict of Linear and ReLU layers, a checkpoint that has one under ``state``,
        ``state_dict``, ``model_state_dict`` or ``model``, or ONNX.
    trust : bool, default False
        Whether the file may hold whole Python objects, such as a module. Reading them *runs code
        from the file*: only for files of people you trust. Their classes must be importable.
    input_shape : sequence of int, optional
        Shape of one input of a module that does not begin with a Linear layer.

    Raises
    ------
    InputError
        If the file is missing, unreadable, holds no network, or needs `trust`.
    """
    trust = check_flag("trust", trust)
    name = os.fspath(path)
    if not os.path.isfile(path):
        raise InputError(f"the model {name!r} does not exist; check its path")
    if name.endswith(".onnx"):
        return as_network(path, input_shape)
    _refuse_programs(name)
    content = _load_trusted(name) if trust else _load_plain(name)
    if isinstance(content, Mapping):
        inside = [content[key] for key in _INSIDE if key in content]
        content = inside[0] if inside else content
    if isinstance(content, Mapping):
        nested = [key for key, value in content.items() if isinstance(value, Mapping)]
        if nested:
            raise InputError(
                f"{name!r} must have its state dict alone or under one of {', '.join(_INSIDE)}, "
                f"got a mapping under {nested[0]!r}; write it with "
                "torch.save(model.state_dict(), path)"
            )
    try:
        return as_network(content, input_shape)
    except InputError as error:
        raise InputError(f"{name!r} holds no network that can be read: {error}") from error


def _refuse_programs(name: str) -> None:
    """Raise an `InputError` for what `torch.jit.save` and `torch.export.save` write."""
    if not zipfile.is_zipfile(name):
        return
    with zipfile.ZipFile(name) as archive:
        if any("/code/" in entry or "/models/" in entry for entry in archive.namelist()):
            raise _unreadable(name, "it is a program of TorchScript or torch.export")


def _load_plain(name: str) -> Any:
    try:
        return load_tensors(name)
    except InputError as error:
        if zipfile.is_zipfile(name) and isinstance(error.__cause__, pickle.UnpicklingError):
            raise InputError(
                f"the model {name!r} holds more than tensors, a whole module for example, and "
                "reading that runs code from the file; write it with "
                "torch.save(model.state_dict(), path), or as ONNX; or, if you trust those who made "
                "it, pass trust=True"
            ) from error
        raise _unreadable(name, _DAMAGED) from error


def _load_trusted(name: str) -> Any:
    torch = require("torch", "reading a model")
    try:
        return torch.load(name, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the model {name!r} cannot be read: {error}; the module that defines its class must "
            "be importable under that name: run with PYTHONPATH=<folder of the module>"
        ) from error
    except Exception as error:  # unpickling runs any code, which may raise anything
        raise _unreadable(name, f"{_DAMAGED} ({type(error).__name__})") from error


def _unreadable(name: str, reason: str) -> InputError:
    return InputError(
        f"the model {name!r} cannot be read: {reason}; write it with "
        "torch.save(model.state_dict(), path), or as ONNX"
    )


class ModelFiles:
    """Models in files: a `Run` whose loss is known at its steps only.

    Parameters
    ----------
    directory : path-like
        Where rows of analyses are kept.
    files : sequence of path-like
        One for each checkpoint. Its step is the last number in its name; where that is missing,
        is beyond 64 bits, or names two files alike, steps count the files in the order of their
        names.
    dataset : Dataset
        With one target for each output.
    trust, input_shape
        See `load_model`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        files: Sequence[str | os.PathLike[str]],
        dataset: Dataset,
        *,
        trust: bool = False,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        self.directory = Path(directory)
        if not files:
            raise InputError("`files` must be at least one model, got none; check the pattern")
        self._files = _by_step([Path(file) for file in files])
        self._dataset = dataset
        self._trust, self._input_shape = check_flag("trust", trust), input_shape

    def __repr__(self) -> str:
        return f"ModelFiles({str(self.directory)!r}, {len(self._files)} files)"

    @property
    def steps(self) -> list[int]:
        """Steps of the models, ascending."""
        return sorted(self._files)

    @property
    def regular_steps(self) -> list[int]:
        """All steps: nothing is known of how they were chosen."""
        return self.steps

    @property
    def has_every_loss(self) -> bool:
        """Never: the loss between two models is not known."""
        return False

    @property
    def dataset(self) -> Dataset:
        """The data."""
        return self._dataset

    def network(self, step: int) -> Network:
        """Load the model of a step; `InputError` if it cannot be used with the data."""
        path = self._files[step]
        network = load_model(path, trust=self._trust, input_shape=self._input_shape)
        if network.input_dim != self._dataset.dim:
            raise InputError(
                f"{str(path)!r} takes {network.input_dim} inputs, the points of "
                f"{self._dataset.name!r} have {self._dataset.dim}; pass the data of this model"
            )
        return network

    @cached_property
    def history(self) -> History:
        """Mean squared error and accuracy (sign of output and target) of each model."""
        data, steps = self._dataset, np.array(self.steps, dtype=np.int64)
        train, held_out = np.empty((2, len(steps), 2))
        for i, step in enumerate(self.steps):
            network = self.network(step)
            train[i] = _score(network, data.points, data.targets)
            held_out[i] = _score(network, data.held_out_points, data.held_out_targets)
        return History(steps, train[:, 0], train[:, 1], steps, held_out[:, 0], held_out[:, 1])


def _by_step(files: Sequence[Path]) -> dict[int, Path]:
    files = sorted(files)
    numbers = [re.findall(r"\d+", file.stem) for file in files]
    steps = [int(found[-1]) for found in numbers if found]
    if len(set(steps)) < len(files) or max(steps) > np.iinfo(np.int64).max:
        steps = list(range(len(files)))
    return dict(zip(steps, files, strict=True))


def _score(
    network: Network, points: NDArray[np.float64], targets: NDArray[np.float64]
) -> tuple[float, float]:
    error = network.decision_values(points) - targets
    return float(np.mean(error**2)), accuracy(network, points, targets)


def accuracy(network: Network, points: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    """Return the fraction of points at which output and target have the same sign.

    Parameters
    ----------
    network : Network
    points : (n, d) ndarray
    targets : (n,) ndarray
    """
    return float(np.mean((network.decision_values(points) > 0) == (targets > 0)))
