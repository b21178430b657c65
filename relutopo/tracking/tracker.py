"""Record signatures of a network while one's own code trains it.

The training process only copies the network at the recorded steps; a process in the background,
which gives way to training, analyses the copies. They meet in a folder::

    settings.json, data.npz      what is computed, on which data
    pending/step_000300.npz      a network that waits, and
    pending/step_000300.json     its step and loss
    rows/step_000300.json        what was computed
    networks/step_000300.npz     the network, if networks are kept
    logged.json                  the steps that loggers have
    worker.log                   what the process in the background has to say

Invariant: each step is recorded once; after a kill of either process nothing that was recorded is
lost, and a new tracker in the same folder goes on if it is told to. Rows of two runs never mix
without a word.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from relutopo.analyses.base import Row, described
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.analyses.partition import Partition
from relutopo.checks import check_flag, check_path
from relutopo.complex import CellComplex
from relutopo.errors import InputError, RelutopoError
from relutopo.estimation.estimate import costs_if_many
from relutopo.geometry.slices import AffineSlice, network_on
from relutopo.learning.datasets import Dataset
from relutopo.learning.runs import TrainingRun
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.reading import as_network
from relutopo.networks.storage import load_network, save_network
from relutopo.optional import require
from relutopo.plots import plot_timeline
from relutopo.reports.shown import Shown
from relutopo.reports.text import counted
from relutopo.signatures.subject import Choice
from relutopo.system.files import append_to, atomic_write
from relutopo.system.processes import apart
from relutopo.system.untrusted import PLAIN, read_json
from relutopo.tracking.arguments import (
    check_choices,
    check_parts,
    checked_step,
    checked_steps,
    number_of,
)
from relutopo.tracking.loggers import Logger, logger
from relutopo.tracking.scalars import scalars
from relutopo.tracking.tensorboard import SUFFIX

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Tracker"]

log = logging.getLogger("relutopo")

_PAUSE = 2.0
"""Seconds between looks for rows that loggers do not have."""
_PATIENCE = 3.0
"""Seconds that closing waits without a word."""
_MOST_CELLS = 20_000_000
"""Of a complex, where the analysis sets no bound: a minute or a gigabyte or so for each step."""


class Tracker(Shown):
    """Records signatures at some steps of a training loop.

    Parameters
    ----------
    directory : path-like
        Where everything is kept: one folder for each training run.
    dataset : Dataset
        Its points weigh the regions and bound the domain; its held-out points, if there are any,
        measure accuracy. With more than two classes, or values in place of classes, the columns
        that compare a partition with two classes are empty, and ``label_status`` and
        ``decision_status`` say why.
    analysis : CheckpointAnalysis, optional
        What is computed, by default `relutopo.Partition`. Its class must be in a
        module that another process can import. Where it has neither ``max_cells`` nor
        ``max_bytes``, complexes have at most 20 million cells: the first network that is recorded
        is refused if many more are expected, and a later step that has more says so in ``error``.
    signatures : sequence of str, mapping or Signature
        Signatures whose columns are added to those of the analysis; see `CheckpointAnalysis`.
    steps : int or collection of int
        Which steps are recorded: a number stands for that many in each power of ten, evenly spaced
        on a log axis, and step 0; a collection for its own steps.
    slice : AffineSlice, optional
        For networks with many inputs: the affine slice that is decomposed. Points of the data
        set are then coordinates on it.
    input_shape : sequence of int, optional
        Shape of one input of a module that does not begin with a Linear layer.
    tensorboard : path-like, optional
        Folder for TensorBoard; every number of a row becomes a scalar
        ``relutopo-<group>/<column>``.
    loggers : sequence of str or objects, optional
        Loggers that get the same numbers, in the process that trains: "wandb" and "mlflow" stand
        for their active runs; other objects need a method ``log(values, step)``. Rows are known
        some time after their steps; loggers get them when `step` or `close` is called next.
    resume : bool, default False
        Whether to go on in a folder where an earlier tracker recorded steps, with the same
        settings, data, slice and input shape. These steps are not recorded again. In an empty
        folder it changes nothing.
    keep : bool, default False
        Whether to keep the networks of the recorded steps, for `network` and `complex`.

    Raises
    ------
    InputError
        If an argument is wrong; or the folder holds steps, and `resume` is false, or they were
        recorded with other settings, other data, or another slice or input shape.
    MissingExtraError
        If TensorBoard or a logger is asked for and not installed.

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
        loggers: Sequence[str | Logger] = (),
        resume: bool = False,
        keep: bool = False,
    ) -> None:
        analysis = Partition() if analysis is None else analysis
        check_parts(dataset, analysis, slice)
        check_path(directory, "signatures", "directory")
        if tensorboard is not None:
            check_path(tensorboard, "runs/mine", "tensorboard")
        replace(analysis, signatures=signatures)  # refuses what is no sequence
        self._is_bounded = analysis.max_cells is not None or analysis.max_bytes is not None
        analysis = replace(
            analysis,
            signatures=(*analysis.signatures, *signatures),
            max_cells=analysis.max_cells if self._is_bounded else _MOST_CELLS,
        )
        check_choices(dataset, analysis)
        if tensorboard is not None:
            require("tensorboard", "logging to TensorBoard")
        is_one = isinstance(loggers, str) or not isinstance(loggers, Iterable)
        chosen: Iterable[Any] = [loggers] if is_one else loggers
        self._loggers = [logger(choice) for choice in chosen]
        self.directory = Path(directory).absolute()  # the process may change its own
        self._steps = checked_steps(steps)
        self._slice, self._dataset = slice, dataset
        self._keeps = check_flag("keep", keep)
        self._input_shape = None if input_shape is None else tuple(map(int, input_shape))
        # A training run's folder knows its settings and its data, and refuses others.
        board = None if tensorboard is None else os.path.abspath(tensorboard)
        content = {
            "analysis": described(analysis),
            "slice": None if slice is None else _key(slice),
            "input_shape": self._input_shape,
            "tensorboard": board,
            "keep": self._keeps,
        }
        if not check_flag("resume", resume):
            self._begin_anew(board)
        TrainingRun(self.directory).claim(content, dataset)
        for name in ("pending", "rows"):
            (self.directory / name).mkdir(exist_ok=True)
        self._worker: subprocess.Popen[bytes] | None = None
        self._has_copied = False
        self._analysis = analysis
        self._compared: Any = None  # the module whose network was compared with its forward pass
        self._known = self._recorded()
        self._logged = self._read_logged()
        self._next_look = 0.0
        if self._has_pending():
            self._start()

    def _recorded(self) -> set[int]:
        """Return the steps that the folder holds, analysed or not."""
        return {int(path.stem[5:]) for path in self.directory.glob("*/step_*.json")}

    def _begin_anew(self, board: str | None) -> None:
        """Refuse a folder that holds another run's steps; forget settings that were never used."""
        if found := sorted(self._recorded()):
            steps = f"step {found[0]}" if len(found) == 1 else f"steps {found[0]} to {found[-1]}"
            raise InputError(
                f"`directory` {str(self.directory)!r} holds {counted(len(found), 'row')} of an "
                f"earlier run, {steps}; pass resume=True to go on with that run, or another folder "
                "for a new one"
            )
        if board is not None and any(Path(board).glob(f"*{SUFFIX}")):
            raise InputError(
                f"`tensorboard` {board!r} holds the curves of an earlier run; pass resume=True to "
                "add to them, or another folder for a new run"
            )
        settings = self.directory / "settings.json"
        if settings.is_file():
            what = "the settings of a tracker", "begin in a new folder"
            if "analysis" in read_json(settings, {str: PLAIN}, *what):
                settings.unlink()

    def __repr__(self) -> str:
        n_rows, n_waiting = (
            sum(1 for _ in self.directory.glob(f"{name}/*.json")) for name in ("rows", "pending")
        )
        waiting = f", {n_waiting} waiting" if n_waiting else ""
        return f"Tracker({str(self.directory)!r}, {counted(n_rows, 'row')}{waiting})"

    def _facts(self) -> Mapping[str, object]:
        rows = self.rows
        n_errors = sum(row["error"] is not None for row in rows)
        facts: dict[str, object] = {
            "folder": self.directory,
            "steps": [row["step"] for row in rows],
            "data": self._dataset,
            "analysis": type(self._analysis).__name__,
            "networks": "kept" if self._keeps else "not kept",
        }
        return facts | ({"steps with an error": n_errors} if n_errors else {})

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.close()
        elif self._worker is not None:
            self._closing.touch()  # an interrupt does not wait; the worker ends when it is done

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
        step = checked_step(step)
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
            cannot be read, or its complex is expected to be too large. Later, when training has
            diverged for example, that is recorded as the step's ``error``; a file that cannot be
            written is warned of. Training goes on.
        """
        step = checked_step(step)
        if self._loggers and time.monotonic() >= self._next_look:
            self._tell_loggers()
        if not self.wants(step):
            return False
        note: Row = {"step": step, "loss": number_of(loss)}
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
        if network.input_dim != self._dataset.dim:
            raise InputError(
                f"`model` takes {network.input_dim} inputs, the points of `dataset` have "
                f"{self._dataset.dim}; pass the data of this model, or for coordinates on a slice "
                "the `slice`"
            )
        self._analysis.check_network(network, self._dataset)
        if not self._has_copied:
            self._check_costs(network)
        return network

    def _check_costs(self, network: Network) -> None:
        """Refuse work beyond the default bound before it begins, when training has just begun."""
        if self._is_bounded or not self._analysis.needs_complex:
            return
        domain = self._analysis.subject(network, self._dataset).domain
        found = costs_if_many(network, domain)
        if found is not None and found.n_cells > _MOST_CELLS:
            plane = "take a plane, Partition(domain={'name': 'slice_principal'}), "
            raise InputError(
                f"the complex of `model` must have at most {_MOST_CELLS:,} cells if the analysis "
                f"sets no bound, expected are {found.n_cells:.2g}: {found}; "
                f"{plane if domain.dim > 2 else ''}take relutopo.Paths(), which needs no complex, "
                "or set `max_cells` of the analysis"
            )

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
            status = self._waited_for(self._worker)
            self._worker = None
            if status != 0:
                raise RelutopoError(
                    f"the analysis in the background ended with status {status}; what it said "
                    f"stands in {str(self.directory / 'worker.log')!r}; a new tracker in the same "
                    "folder goes on, with resume=True"
                )
            if self._has_pending():  # recorded when it had looked for the last time
                self._start()
        if self._loggers:
            self._tell_loggers()

    def _waited_for(self, worker: subprocess.Popen[bytes]) -> int:
        """Return how the process in the background ended, and say so where that takes long."""
        with suppress(subprocess.TimeoutExpired):
            return worker.wait(_PATIENCE)
        waiting = sum(1 for _ in self.directory.glob("pending/*.json"))
        # Where no logging is set up only warnings are seen.
        log.warning(
            "waiting for the analysis of %s in %r; it takes the time that other programs leave",
            counted(waiting, "step"),
            str(self.directory),
        )
        return worker.wait()

    def _read_logged(self) -> set[int]:
        path = self.directory / "logged.json"
        if not path.is_file():
            return set()
        steps: list[int] = read_json(path, [int], "the steps that loggers have", "delete it")
        return set(steps)

    def _tell_loggers(self) -> None:
        """Give new rows to the loggers; training shall not end because one of them fails."""
        self._next_look = time.monotonic() + _PAUSE
        found = {int(path.stem[5:]) for path in self.directory.glob("rows/step_*.json")}
        new = found - self._logged
        if not new:
            return
        for row in self.rows:
            step = int(row["step"])
            if step not in new:
                continue
            values = scalars(row)
            for one in self._loggers:
                try:
                    one.log(values, step)
                except Exception as error:
                    warnings.warn(
                        f"the logger {type(one).__name__} did not take step {step} "
                        f"({type(error).__name__}: {error}); its row stays in "
                        f"{str(self.directory)!r}, and training goes on",
                        stacklevel=3,
                    )
            self._logged.add(step)
        with suppress(OSError), atomic_write(self.directory / "logged.json", flush=False) as file:
            file.write(json.dumps(sorted(self._logged)).encode())

    @property
    def rows(self) -> list[Row]:
        """What has been computed so far, in the order of steps.

        Each row has ``step``, ``loss``, ``train_accuracy``, ``held_out_accuracy``, ``error`` (None,
        or why there are no more columns), and the columns of the analysis and its signatures. An
        accuracy is NaN where there are no held-out points, or no labels.
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

    def plot(self, *columns: str | Sequence[str]) -> Figure:
        """Draw what is known so far against the training step, while it trains and afterwards.

        Parameters
        ----------
        *columns : str or sequence of str
            Columns of `table`: a panel for each name, or for each sequence of names. By default
            loss, accuracy, agreement, regions and whatever else `relutopo.plots.plot_timeline`
            knows.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        InputError
            If no step has been analysed yet, or there is no such column.
        """
        return plot_timeline(self.table(), columns or None)

    def network(self, step: int) -> Network:
        """Return the network of a recorded step; on a slice it takes coordinates on the slice.

        Parameters
        ----------
        step : int
            One of the steps of `rows`, or one that waits to be analysed.

        Raises
        ------
        InputError
            If the step was not recorded, or its network could not be read or was not kept.

        Examples
        --------
        >>> import tempfile
        >>> from relutopo.learning.datasets import two_moons
        >>> kink = ([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]])
        >>> with Tracker(tempfile.mkdtemp(), two_moons(n=20), keep=True) as tracker:
        ...     recorded = tracker.step(kink, 0)
        >>> tracker.network(0)
        ReluNetwork(2-1-1)
        """
        name = f"step_{checked_step(step):06d}.npz"
        # The other process moves the file from the one folder to the other.
        for folder in ("pending", "networks", "networks"):
            path = self.directory / folder / name
            if path.is_file():
                with suppress(FileNotFoundError):
                    return load_network(path)
        steps = sorted(self._recorded())
        if step not in steps:
            raise InputError(f"`step` must be a recorded one, {steps}, got {step}; see `rows`")
        raise InputError(
            f"`step` must be one whose network is kept, got {step}, which has a row only; "
            + (
                "its error says why"
                if self._keeps
                else "pass keep=True when the tracker is made, which keeps all"
            )
        )

    def complex(self, step: int) -> CellComplex:
        """Return the complex of a recorded step, on the domain of the analysis.

        Parameters
        ----------
        step : int
            As for `network`.

        Raises
        ------
        InputError
            As `network`.
        LimitReachedError
            If the analysis has ``max_cells``, and they are reached.
        """
        return self._analysis.subject(self.network(step), self._dataset, step=step).complex

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
        with append_to(self.directory / "worker.log") as said:
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
                stdout=said,
                stderr=said,
                **apart(),  # what interrupts training shall not interrupt it
            )


def _failure(error: Exception) -> Row:
    """Return what a row has if there is no network to analyse."""
    unknown: Row = {"train_accuracy": math.nan, "held_out_accuracy": math.nan}
    return unknown | {"error": f"{type(error).__name__}: {error}"}


def _key(slice: AffineSlice) -> str:
    """Return a hash of what decides the network on a slice; its box does not."""
    content = hashlib.sha256(repr(slice.input_shape).encode())
    content.update(slice.origin.tobytes())
    content.update(slice.basis.tobytes())
    return content.hexdigest()[:12]
