"""Models and data of one's own, from files, in the place of a training run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_flag
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.learning.file_steps import file_steps
from relutopo.learning.runs import History
from relutopo.networks.model_files import model_in_file
from relutopo.networks.network import Network
from relutopo.networks.reading import load_model
from relutopo.system.archives import read_arrays

__all__ = ["ModelFiles", "accuracy", "data_file"]

_ARRAYS = frozenset({"points", "targets", "held_out_points", "held_out_targets"})


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
    present: list[str] = []

    def is_known(name: str) -> bool:
        present.append(name)
        return name in _ARRAYS

    try:
        arrays = read_arrays(path, is_known)
    except Exception as error:
        # Value, end-of-file, zip and type errors alike come from an unreadable file.
        raise InputError(
            f"{path!r} cannot be read ({type(error).__name__}: {error}); write it with "
            "numpy.savez(path, points=..., targets=...)"
        ) from error
    missing = [name for name in ("points", "targets") if name not in arrays]
    if missing:
        raise InputError(
            f"{path!r} must have the arrays 'points' and 'targets', got {sorted(present)}; write "
            "it with numpy.savez(path, points=..., targets=...)"
        )
    held_out_names = sorted({"held_out_points", "held_out_targets"} & set(arrays))
    if len(held_out_names) == 1:
        raise InputError(
            f"{path!r} must have both 'held_out_points' and 'held_out_targets' or neither, got "
            f"{sorted(present)}; add the other, or leave out both"
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


class ModelFiles:
    """Models in files: a `Run` whose loss is known at its steps only.

    Parameters
    ----------
    directory : path-like
        Where rows of analyses are kept.
    files : sequence of path-like
        One for each checkpoint; `relutopo.learning.file_steps.file_steps` tells their steps.
    dataset : Dataset
        With one target for each output.
    trust, input_shape, key
        See `relutopo.load_model`.

    Attributes
    ----------
    steps_from : str
        Where the steps are from, in words.

    Raises
    ------
    InputError
        If there are no files, two have one step, or some have none.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        files: Sequence[str | os.PathLike[str]],
        dataset: Dataset,
        *,
        trust: bool = False,
        input_shape: Sequence[int] | None = None,
        key: str | None = None,
    ) -> None:
        self.directory = Path(directory)
        if not files:
            raise InputError("`files` must be at least one model, got none; check the pattern")
        found = file_steps(files, partial(_global_step, trust=check_flag("trust", trust)))
        self._files, self.steps_from = found.files, found.source
        self._dataset = dataset
        self._options: dict[str, Any] = {
            "trust": trust,
            "input_shape": input_shape,
            "key": key,
        }

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
        network = load_model(path, **self._options)
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


def _global_step(path: Path, trust: bool) -> int | None:
    """Return the step that a checkpoint says it is from."""
    if path.suffix == ".onnx" or not path.is_file():
        return None
    content = model_in_file(str(path), trust)
    for key in ("global_step", "step", "iteration", "epoch"):
        step = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(step, int) and not isinstance(step, bool) and step >= 0:
            return step
    return None


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
