"""Record signatures of a network while one's own code trains it.

The training process only copies the network at the recorded steps; a process in the background,
which gives way to training, analyses the copies. They meet in a folder::

    settings.json, data.npz      what is computed, on which data
    pending/step_000300.npz      a network that waits, and
    pending/step_000300.json     its step and loss
    rows/step_000300.json        what was computed
    worker.log                   what the process in the background has to say

Invariant: each step is recorded once; after a kill of either process nothing that was recorded is
lost, and a new tracker in the same folder goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from relutopo import registry
from relutopo.analyses.base import Row, described
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.analyses.partition import Partition
from relutopo.checks import check_integer, check_integers
from relutopo.errors import InputError, RelutopoError
from relutopo.geometry.slices import AffineSlice, network_on
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.reading import as_network
from relutopo.networks.storage import save_network
from relutopo.optional import require
from relutopo.signatures.subject import Choice
from relutopo.system.files import append_to, atomic_write
from relutopo.system.processes import apart
from relutopo.system.untrusted import PLAIN, read_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Tracker"]


class Tracker:
    """Records signatures at some steps of a training loop.

    Parameters
    ----------
    directory : path-like
        Where everything is kept. A folder with the same settings, data, slice and input shape
        goes on; steps that it holds are not recorded again.
    dataset : Dataset
        Weighs the regions and bounds the domain; held-out points measure accuracy.
    analysis : CheckpointAnalysis, optional
        What is computed, by default `relutopo.Partition`. Its class must be in a
        module that another process can import.
    signatures : sequence of str, mapping or Signature
        Signatures whose columns are added to those of the analysis; see `CheckpointAnalysis`.
    steps : int or collection of int
        Which steps are recorded: so many in each power of ten, evenly spaced on a log axis, and
        step 0; or these steps.
    slice : AffineSlice, optional
        For networks with many inputs: the affine slice that is decomposed. Points of the data
        set are then coordinates on it.
    input_shape : sequence of int, optional
        Shape of one input of a module that does not begin with a Linear layer.
    tensorboard : path-like, optional
        Folder for TensorBoard; every number of a row becomes a scalar ``relutopo/<column>``.

    Raises
    ------
    InputError
        If an argument is wrong, or the folder was made with other settings, other data, or
        another slice or input shape.
    MissingExtraError
        If TensorBoard is asked for and not installed.

    Examples
    --------
    >>> import tempfile, torch
    >>> from relutopo.learning.datasets import two_moons
    >>> data = two_moons(n=20)
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    >>> with Tracker(tempfile.mkdtemp(), data, steps=[0, 5]) as tracker:
    ...     for step in range(10):  # and train between
    ...         recorded = tracker.step(model, step, loss=0.5)
    >>> [(row["step"], row["loss"]) for row in tracker.rows]
    [(0, 0.5), (5, 0.5)]
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        dataset: Dataset,
        analysis: CheckpointAnalysis | None = None,
        *,
        signatures: Sequence[Choice] = (),
        steps: int | Collection[int] = 10,
        slice: AffineSlice | None = None,
        input_shape: Collection[int] | None = None,
        tensorboard: str | os.PathLike[str] | None = None,
    ) -> None:
        analysis = Partition() if analysis is None else analysis
        _check(dataset, analysis, slice)
        analysis = replace(analysis, signatures=(*analysis.signatures, *signatures))
        _check_choices(dataset, analysis)
        if tensorboard is not None:
            require("tensorboard", "logging to TensorBoard")
        self.directory = Path(directory).absolute()  # the process may change its own
        self._steps = _checked_steps(steps)
        self._slice = slice
        self._input_shape = None if input_shape is None else tuple(map(int, input_shape))
        # A training run's folder knows its settings and its data, and refuses others.
        board = None if tensorboard is None else os.path.abspath(tensorboard)
        content = {
            "analysis": described(analysis),
            "slice": None if slice is None else _key(slice),
            "input_shape": self._input_shape,
            "tensorboard": board,
        }
        TrainingRun(self.directory).claim(content, dataset)
        for name in ("pending", "rows"):
            (self.directory / name).mkdir(exist_ok=True)
        self._worker: subprocess.Popen[bytes] | None = None
        self._has_copied, self._dim = False, dataset.dim
        self._analysis = analysis
        self._compared: Any = None  # the module whose network was compared with its forward pass
        self._known = {int(path.stem[5:]) for path in self.directory.glob("*/step_*.json")}
        if self._has_pending():
            self._start()

    def __repr__(self) -> str:
        return f"Tracker({str(self.directory)!r})"

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wants(self, step: int) -> bool:
        """Tell whether `step` would record this step.

        Examples
        --------
        >>> import tempfile
        >>> from relutopo.learning.datasets import two_moons
        >>> tracker = Tracker(tempfile.mkdtemp(), two_moons(n=20), steps=3)
        >>> [step for step in range(101) if tracker.wants(step)]
        [0, 1, 2, 5, 10, 22, 46, 100]
        """
        step = _checked_step(step)
        if step in self._known:
            return False
        if not isinstance(self._steps, int):
            return step in self._steps
        if step == 0:
            return True
        # Whether some whole power of 10^(1 / steps) is rounded to this step.
        low, high = (self._steps * math.log10(step + shift) for shift in (-0.5, 0.5))
        return math.ceil(low) <= math.floor(high)

    def step(self, model: Any, step: int, loss: Any = float("nan")) -> bool:
        """Record the network after a step, if this step is to be recorded.

        Parameters
        ----------
        model : torch.nn.Module, Network, state dict, or pair (weights, biases)
            See `relutopo.as_network`; it is copied.
        step : int
            Number of updates made.
        loss : float or tensor with one element, optional
            Kept beside the signature; read only if the step is recorded.

        Returns
        -------
        bool
            Whether it was recorded.

        Raises
        ------
        InputError
            If the step or the loss is no number, or the first network that this tracker records
            cannot be read. Later, when training has diverged for example, that is recorded as the
            step's ``error``; a file that cannot be written is warned of. Training goes on.
        """
        step = _checked_step(step)
        if not self.wants(step):
            return False
        note: Row = {"step": step, "loss": _number(loss)}
        try:
            self._record(model, note, f"step_{step:06d}")
            self._known.add(step)
            self._start()
        except OSError as error:
            warnings.warn(
                f"step {step} is not recorded in {str(self.directory)!r}: {error}; training goes "
                "on, and later steps are tried again",
                stacklevel=2,
            )
        return step in self._known

    def _record(self, model: Any, note: Row, name: str) -> None:
        try:
            network = self._copy(model)
        except RelutopoError as error:
            if not self._has_copied:
                raise
            self._write(self.directory / "rows" / f"{name}.json", note | _failure(error))
            return
        pending = self.directory / "pending" / name
        # Training shall not wait for the disk, and a loss of power ends it anyway.
        save_network(pending.with_suffix(".npz"), network, flush=False)
        self._write(pending.with_suffix(".json"), note)
        self._has_copied = True

    @staticmethod
    def _write(path: Path, row: Row) -> None:
        with atomic_write(path, flush=False) as file:
            file.write(json.dumps(row).encode())

    def _copy(self, model: Any) -> Network:
        network = self._read(model)
        if network.input_dim != self._dim:
            raise InputError(
                f"`model` takes {network.input_dim} inputs, the points of `dataset` have "
                f"{self._dim}; pass the data of this model, or for coordinates on a slice the "
                "`slice`"
            )
        self._analysis.check_network(network)
        return network

    def _read(self, model: Any) -> Network:
        if self._slice is not None:
            return network_on(model, self._slice)
        if model is self._compared:
            from relutopo.networks.torch_modules import perceptron_of  # loads torch, which is there

            again = perceptron_of(model)
            if again is not None:
                return again
        network = as_network(model, self._input_shape)
        if isinstance(network, ReluNetwork) and hasattr(model, "named_modules"):
            self._compared = model
        return network

    def close(self) -> None:
        """Wait until everything that was recorded is analysed.

        More steps can be recorded afterwards, until it is closed again.

        Raises
        ------
        RelutopoError
            If the process in the background failed.
        """
        while self._worker is not None:
            self._closing.touch()
            status = self._worker.wait()
            self._worker = None
            if status != 0:
                raise RelutopoError(
                    f"the analysis in the background ended with status {status}; what it said "
                    f"stands in {str(self.directory / 'worker.log')!r}; a new tracker in the same "
                    "folder goes on"
                )
            if self._has_pending():  # recorded when it had looked for the last time
                self._start()

    @property
    def rows(self) -> list[Row]:
        """What has been computed so far, in the order of steps.

        Each row has ``step``, ``loss``, ``train_accuracy``, ``held_out_accuracy``, ``error`` (None,
        or why there are no more columns), and the columns of the analysis and its signatures.
        """
        paths = sorted(self.directory.glob("rows/*.json"))
        values = (None, bool, float, str, [PLAIN])
        rows: list[Row] = [
            read_json(path, {str: values}, "a row of a tracker", "delete it") for path in paths
        ]
        return sorted(rows, key=lambda row: int(row["step"]))

    def table(self) -> pd.DataFrame:
        """Return the rows as a table."""
        pandas = require("pandas", "the table of a tracker")
        table: pd.DataFrame = pandas.DataFrame(self.rows)
        return table

    @property
    def _closing(self) -> Path:
        return self.directory / "closing"

    def _has_pending(self) -> bool:
        return any(self.directory.glob("pending/*.json"))

    def _start(self) -> None:
        self._closing.unlink(missing_ok=True)  # an earlier close may have left it
        # One that failed is not started again, so that `close` can tell of it.
        if self._worker is not None and self._worker.poll() != 0:
            return
        one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
        with append_to(self.directory / "worker.log") as log:
            self._worker = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "relutopo.tracking",
                    os.fspath(self.directory),
                    str(os.getpid()),
                ],
                env=os.environ | one,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **apart(),  # what interrupts training shall not interrupt it
            )


def _failure(error: Exception) -> Row:
    """Return what a row has if there is no network to analyse."""
    unknown: Row = {"train_accuracy": math.nan, "held_out_accuracy": math.nan}
    return unknown | {"error": f"{type(error).__name__}: {error}"}


def _number(loss: Any) -> float:
    if loss is None:
        return math.nan
    try:
        return float(loss.detach() if hasattr(loss, "detach") else loss)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"`loss` must be one number, got {type(loss).__name__} ({error}); pass the mean, for "
            "example"
        ) from error


def _checked_step(step: Any) -> int:
    return check_integer("step", step, remedy="pass the number of updates made")


def _checked_steps(steps: Any) -> int | frozenset[int]:
    remedy = "pass so many for each power of ten, or a collection of steps"
    if isinstance(steps, Collection) and not isinstance(steps, str):
        return frozenset(check_integers("steps", steps, remedy=remedy))
    return check_integer("steps", steps, 1, remedy=remedy)


def _key(slice: AffineSlice) -> str:
    """Return a hash of what decides the network on a slice; its box does not."""
    content = hashlib.sha256(repr(slice.input_shape).encode())
    content.update(slice.origin.tobytes())
    content.update(slice.basis.tobytes())
    return content.hexdigest()[:12]


def _check(dataset: Any, analysis: Any, slice: Any) -> None:
    """Refuse at once what would otherwise fail in the background, step by step."""
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"`dataset` must be a relutopo.learning.datasets.Dataset, got "
            f"{type(dataset).__name__}; pass Dataset(name, points, targets, held_out_points, "
            "held_out_targets)"
        )
    if not isinstance(analysis, CheckpointAnalysis):
        raise InputError(
            f"`analysis` must be a CheckpointAnalysis, got {type(analysis).__name__}; pass "
            "relutopo.Partition(...), for example"
        )
    if slice is not None and not isinstance(slice, AffineSlice):
        raise InputError(
            f"`slice` must be an AffineSlice, got {type(slice).__name__}; pass for example "
            "AffineSlice.through(*three_inputs), or leave it out"
        )


def _check_choices(dataset: Dataset, analysis: CheckpointAnalysis) -> None:
    """Refuse names that nobody registered, loading nothing, and data that do not fit."""
    for kind in (type(analysis), *map(type, analysis.signatures)):
        if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
            raise InputError(
                f"{kind.__name__} must be a class that another process can import, got one of "
                f"{kind.__module__}; define it in a module of its own"
            )
    signatures = ({"name": one} if isinstance(one, str) else one for one in analysis.signatures)
    for role, entry in [
        *((role, getattr(analysis, role, {})) for role in registry.roles()),
        *(("signature", entry) for entry in signatures if isinstance(entry, Mapping)),
    ]:
        if "name" in entry:
            registry.check(role, entry["name"])
    analysis.check(dataset, analysis.create("domain")(dataset))
