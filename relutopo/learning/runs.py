"""Training runs on disk, where training and analysis meet.

A training run is a folder::

    settings.json              network, trainer and seed, as given
    data.npz                   name, points, targets, those that are held out, classes, features
    checkpoints/step_000300.pt the network after 300 updates (torch, plain tensors and numbers)
    history.npz                loss and accuracy along the way
    unfinished.pt              only during training: what is needed to continue it
    analysis/<key>/            rows of one analysis (see `relutopo.analyses.base`)

Analyses need only the protocol `Run`, which models in files satisfy as well
(`relutopo.learning.model_files.ModelFiles`).

Invariants: every file is written atomically; ``history.npz`` is written last, so a run that has one
is complete; nothing in a file is executed when it is read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_integer, is_integer
from relutopo.errors import InputError, LimitReachedError
from relutopo.learning.datasets import Dataset
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.state_dicts import network_of_state_dict
from relutopo.networks.torch_files import load_tensors_only
from relutopo.optional import require
from relutopo.system.archives import read_arrays
from relutopo.system.files import atomic_write, save_json
from relutopo.system.settings import differences
from relutopo.system.untrusted import PLAIN, read_json

__all__ = [
    "Checkpoint",
    "History",
    "Run",
    "TrainingRun",
    "load_checkpoint",
    "planned_steps",
    "save_checkpoint",
]

FORMAT = 1
_MOST_STEPS = 10**8
_TUPLES = ("classes", "features")
"""Arrays that not every data set has."""
_OF_DATASET = tuple(f.name for f in fields(Dataset))
_STEP_FILE = re.compile(r"step_(\d+)\.pt")


@dataclass(frozen=True, eq=False, repr=False)
class Checkpoint:
    """The network after some updates.

    Attributes
    ----------
    step : int
        Number of updates made.
    state : mapping of str to torch.Tensor
        State dict of the model.
    """

    step: int
    state: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Checkpoint(step {self.step}, {len(self.state)} tensors)"

    @property
    def network(self) -> ReluNetwork:
        """The network, for the geometry."""
        return network_of_state_dict(self.state)


def planned_steps(
    n_steps: int, n_checkpoints: int, named: Iterable[int] = (), every: int | None = None
) -> list[int]:
    """Return the steps that get a checkpoint independently of the loss, ascending.

    Parameters
    ----------
    n_steps : int
        The last step.
    n_checkpoints : int
        Number of steps evenly spaced on a log axis; rounding makes early ones coincide, so there
        are somewhat fewer.
    named : iterable of int
        Further steps, given by number; those after the last step are left out.
    every : int, optional
        Multiples of this are added.

    Examples
    --------
    >>> planned_steps(1000, 4, [30])
    [0, 1, 10, 30, 100, 1000]
    """
    spaced = np.rint(np.geomspace(1, n_steps, n_checkpoints)).astype(int).tolist()
    even = range(0, n_steps, every or n_steps)
    return sorted({0, n_steps, *spaced, *even, *(step for step in named if step <= n_steps)})


def save_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Parameters
    ----------
    path : path-like
        Usually ``step_<number>.pt``.
    checkpoint : Checkpoint
    """
    save_tensors(path, {"format": FORMAT, "step": checkpoint.step, "state": dict(checkpoint.state)})


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint without executing anything in it.

    Parameters
    ----------
    path : path-like
        Written by `save_checkpoint`.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not a checkpoint.
    """
    content = load_tensors(path)
    if not isinstance(content, dict) or not {"format", "step", "state"} <= content.keys():
        raise InputError(
            f"{os.fspath(path)!r} must be a relutopo checkpoint with 'format', 'step' and 'state', "
            f"got {type(content).__name__}; write it with save_checkpoint"
        )
    if content["format"] != FORMAT:
        raise InputError(
            f"{os.fspath(path)!r} must have format {FORMAT}, got {content['format']}; "
            "read it with the version of relutopo that wrote it"
        )
    step, state = content["step"], content["state"]
    if not is_integer(step) or not isinstance(state, Mapping):
        raise InputError(
            f"{os.fspath(path)!r} must have an integer 'step' and a state dict, got "
            f"{type(step).__name__} and {type(state).__name__}; delete it and train again"
        )
    return Checkpoint(int(step), state)


def save_tensors(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write plain tensors, numbers, lists and dicts of them atomically with torch."""
    torch = require("torch", "saving a checkpoint")
    with atomic_write(path) as file:
        torch.save(content, file)


def load_tensors(path: str | os.PathLike[str]) -> Any:
    """Read a file of `save_tensors`; refuse content that would have to be executed."""
    require("torch", "loading a checkpoint")
    if not Path(path).is_file():
        raise InputError(
            f"checkpoint {os.fspath(path)!r} does not exist; look into its folder, or train first"
        )
    try:
        return load_tensors_only(path)
    except LimitReachedError:
        raise
    except Exception as error:
        # For a damaged file torch may raise unpickling, runtime, end-of-file or zip errors.
        raise InputError(
            f"checkpoint {os.fspath(path)!r} cannot be read: it is damaged, or holds more than "
            f"plain tensors and numbers ({type(error).__name__}); delete it and train again"
        ) from error


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """Loss and accuracy along a training run.

    Attributes
    ----------
    train_steps : (n,) ndarray of int64
        Steps at which the training set was evaluated, ascending: 0..n_steps for a run that was
        trained here.
    train_loss, train_accuracy : (n,) ndarray of float64
        Values at these steps.
    held_out_steps : (k,) ndarray of int64
        Steps at which the held-out set was evaluated, ascending.
    held_out_loss, held_out_accuracy : (k,) ndarray of float64
        Values at these steps.
    """

    train_steps: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    train_accuracy: NDArray[np.float64]
    held_out_steps: NDArray[np.int64]
    held_out_loss: NDArray[np.float64]
    held_out_accuracy: NDArray[np.float64]

    def __repr__(self) -> str:
        if not len(self.train_steps):
            return "History(no steps)"
        return (
            f"History({len(self.train_steps)} steps to {self.train_steps[-1]}, "
            f"train loss {self.train_loss[-1]:.4g})"
        )

    def at(self, step: int) -> dict[str, float]:
        """Return the four values at a step; NaN where a set was not evaluated.

        Parameters
        ----------
        step : int
        """
        step = check_integer("step", step, remedy="pass a number of updates")
        return {
            "train_loss": _value(self.train_steps, self.train_loss, step),
            "train_accuracy": _value(self.train_steps, self.train_accuracy, step),
            "held_out_loss": _value(self.held_out_steps, self.held_out_loss, step),
            "held_out_accuracy": _value(self.held_out_steps, self.held_out_accuracy, step),
        }


def _value(steps: NDArray[np.int64], values: NDArray[np.float64], step: int) -> float:
    k = int(np.searchsorted(steps, step))
    return float(values[k]) if k < len(steps) and steps[k] == step else np.nan


_OF_HISTORY = tuple(f.name for f in fields(History))


class Run(Protocol):
    """Networks at some steps of a training, with the data and the known losses."""

    @property
    def directory(self) -> Path:
        """Where rows of analyses are kept."""

    @property
    def steps(self) -> list[int]:
        """Steps at which there is a network, ascending."""

    @property
    def regular_steps(self) -> list[int]:
        """The steps that were chosen independently of the loss."""

    @property
    def has_every_loss(self) -> bool:
        """Whether the training loss is known after every update, not only at `steps`."""

    @property
    def history(self) -> History:
        """Loss and accuracy."""

    @property
    def dataset(self) -> Dataset:
        """The data that the network learns."""

    def network(self, step: int) -> Network:
        """Return the network at one of the steps; `InputError` if it is not available."""


class TrainingRun:
    """A training run's folder; a `Run` when it is complete.

    Parameters
    ----------
    directory : path-like
        The folder; it need not exist yet.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"TrainingRun({str(self.directory)!r})"

    @property
    def unfinished_path(self) -> Path:
        """The file in which the trainer keeps what it needs to continue."""
        return self.directory / "unfinished.pt"

    @property
    def is_complete(self) -> bool:
        """Whether training has finished."""
        return (self.directory / "history.npz").is_file()

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints in the folder, ascending."""
        found = (_STEP_FILE.fullmatch(p.name) for p in self.directory.glob("checkpoints/*.pt"))
        return sorted(int(match[1]) for match in found if match)

    def checkpoint_path(self, step: int) -> Path:
        """Return the path of the checkpoint of a step."""
        step = check_integer("step", step, remedy="look at `steps`")
        return self.directory / "checkpoints" / f"step_{step:06d}.pt"

    def checkpoint(self, step: int) -> Checkpoint:
        """Load the checkpoint of a step; `InputError` if it is missing or damaged."""
        if not self.checkpoint_path(step).is_file():
            raise InputError(
                f"`step` must be one of {self.steps}, got {step}: "
                f"there is no {self.checkpoint_path(step)}"
            )
        return load_checkpoint(self.checkpoint_path(step))

    def network(self, step: int) -> ReluNetwork:
        """Return the network of a step; `InputError` if its checkpoint is missing or damaged."""
        return self.checkpoint(step).network

    @property
    def regular_steps(self) -> list[int]:
        """Steps of the evenly spaced checkpoints, or all that were asked for by number.

        Steps that the trainer adds around spikes of the loss are not among them.
        """
        trainer = self._settings().get("trainer")
        numbers: Mapping[str, Any] = trainer if isinstance(trainer, Mapping) else {}
        last: Any = numbers.get("n_steps")
        every: Any = numbers.get("checkpoint_every")
        n: Any = numbers.get("n_checkpoints")
        named: Any = numbers.get("checkpoint_steps")
        if is_integer(last) and 1 <= last <= _MOST_STEPS:
            if is_integer(every) and every >= 1:
                return list(range(0, last + 1, every))
            is_count = is_integer(n) and 1 <= n <= _MOST_STEPS
            are_named = isinstance(named, list) and all(map(is_integer, named))
            if every is None and is_count and are_named:
                return planned_steps(last, n, named)
        raise InputError(
            f"{str(self.directory / 'settings.json')!r} must be the settings of a training run, "
            "but do not say which checkpoints there are; delete it and train again"
        )

    @property
    def has_every_loss(self) -> bool:
        """True: the trainer keeps the loss of every step."""
        return True

    @property
    def history(self) -> History:
        """Loss and accuracy; `InputError` if training has not finished."""
        return History(**_load_arrays(self.directory / "history.npz", _OF_HISTORY))

    @property
    def dataset(self) -> Dataset:
        """The data that the network was trained on."""
        arrays = _load_arrays(self.directory / "data.npz", _OF_DATASET)
        tuples: dict[str, Any] = {
            name: tuple(arrays.pop(name).tolist()) for name in _TUPLES if name in arrays
        }
        return Dataset(str(arrays.pop("name")), **arrays, **tuples)

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = read_json(
            self.directory / "settings.json",
            {str: PLAIN},
            "the settings of a training run",
            "delete it and train again",
        )
        return settings

    def claim(self, settings: Mapping[str, Any], dataset: Dataset) -> None:
        """Take the folder for a run with these settings and data.

        Parameters
        ----------
        settings : mapping
            All settings that affect training, as plain values.
        dataset : Dataset

        Raises
        ------
        InputError
            If the folder already holds a run with other settings or data.
        """
        path = self.directory / "settings.json"
        wanted = json.loads(json.dumps({"format": FORMAT, **settings}))
        if path.is_file():
            present = self._settings()
            differing = differences(present, wanted)
            if not self.dataset.equals(dataset):
                differing.append("data")
            if differing:
                raise InputError(
                    f"the training run in {str(self.directory)!r} was made with other settings: "
                    f"{'; '.join(differing)}; pass the same settings, or another folder"
                )
            return
        _save_arrays(self.directory / "data.npz", dataset)
        save_json(wanted, path)

    def finish(self, history: History) -> None:
        """Write the history, which marks the run complete."""
        _save_arrays(self.directory / "history.npz", history)
        self.unfinished_path.unlink(missing_ok=True)


def _save_arrays(path: Path, record: History | Dataset) -> None:
    with atomic_write(path) as file:
        values = {f.name: getattr(record, f.name) for f in fields(record)}
        arrays: dict[str, Any] = {name: x for name, x in values.items() if x is not None}
        np.savez(file, **arrays)


def _load_arrays(path: Path, names: Sequence[str]) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{str(path)!r} does not exist; train first, or let training finish")
    try:
        arrays = read_arrays(path, names.__contains__)
        found = {name: arrays[name] for name in names if name in arrays or name not in _TUPLES}
        if names == _OF_HISTORY:
            _check_history(found)
        return found
    except Exception as error:
        # A damaged file may raise value, key, end-of-file or zip errors.
        raise InputError(
            f"{str(path)!r} cannot be read ({type(error).__name__}: {error}); delete it and train "
            "again"
        ) from error


def _check_history(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise a ValueError for arrays that are not a history."""
    for which in ("train", "held_out"):
        steps = arrays[f"{which}_steps"]
        if steps.ndim != 1 or steps.dtype.kind != "i" or (np.diff(steps) <= 0).any():
            raise ValueError(f"{which}_steps must be ascending integers")
        for name in (f"{which}_loss", f"{which}_accuracy"):
            if arrays[name].shape != steps.shape or arrays[name].dtype.kind != "f":
                raise ValueError(f"{name} has {arrays[name].size} entries for {steps.size} steps")
