"""Models in files, used in place of a training run."""

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

__all__ = ["ModelFiles", "accuracy"]


class ModelFiles:
    """Models in files: a `Run` whose loss is known only at its steps.

    Parameters
    ----------
    directory : path-like
        Where rows of analyses are kept.
    files : sequence of path-like
        One for each checkpoint; `relutopo.learning.file_steps.file_steps` finds their steps.
    dataset : Dataset
    trust, input_shape, key, output, fixed
        See `relutopo.load_model`.

    Attributes
    ----------
    steps_from : str
        Where the steps come from, in words.

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
        output: str | int | None = None,
        fixed: Mapping[str, Any] | None = None,
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
            "output": output,
            "fixed": fixed,
        }

    def __repr__(self) -> str:
        return f"ModelFiles({str(self.directory)!r}, {len(self._files)} files)"

    @property
    def steps(self) -> list[int]:
        """Steps of the models, ascending."""
        return sorted(self._files)

    @property
    def regular_steps(self) -> list[int]:
        """All steps, since it is not known how they were chosen."""
        return self.steps

    @property
    def has_every_loss(self) -> bool:
        """False: the loss between two models is not known."""
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
        """Mean squared error and accuracy of each model; NaN where one does not apply."""
        data, steps = self._dataset, np.array(self.steps, dtype=np.int64)
        train, held_out = np.empty((2, len(steps), 2))
        for i, step in enumerate(self.steps):
            network = self.network(step)
            for scores, sample in (
                (train, (data.points, data.targets)),
                (held_out, (data.held_out_points, data.held_out_targets)),
            ):
                scores[i] = _loss(network, *sample), accuracy(network, data, *sample)
        return History(steps, train[:, 0], train[:, 1], steps, held_out[:, 0], held_out[:, 1])


def _global_step(path: Path, trust: bool) -> int | None:
    """Return the step that is recorded in a checkpoint, or None."""
    if path.suffix == ".onnx" or not path.is_file():
        return None
    content = model_in_file(str(path), trust)
    for key in ("global_step", "step", "iteration", "epoch"):
        step = content.get(key) if isinstance(content, Mapping) else None
        if isinstance(step, int) and not isinstance(step, bool) and step >= 0:
            return step
    return None


def _loss(network: Network, points: NDArray[np.float64], targets: NDArray[np.float64]) -> float:
    if network.n_outputs > 2 or not len(points):
        return np.nan
    return float(np.mean((network.decision_values(points) - targets) ** 2))


def accuracy(
    network: Network, dataset: Dataset, points: NDArray[np.float64], targets: NDArray[np.float64]
) -> float:
    """Return the fraction of points that the network puts into their class.

    Parameters
    ----------
    network : Network
        With one output or two for two classes, and one output for each class if there are more.
    dataset : Dataset
        The data set of the points.
    points : (n, d) ndarray
    targets : (n,) ndarray

    Returns
    -------
    float
        NaN if there are no points or no classes, or the number of outputs does not fit the classes.
    """
    if dataset.classes is None or not len(points):
        return np.nan
    n_classes, n_outputs = len(dataset.classes), network.n_outputs
    if n_classes <= 2 and n_outputs <= 2:
        return float(np.mean((network.decision_values(points) > 0) == (targets > 0)))
    if n_classes != n_outputs:
        return np.nan
    decided = np.argmax(network(points), axis=1)
    return float(np.mean(decided == dataset.class_numbers(targets)))
