"""What a job gives its analysis to work with: data, a run, a folder, and a stopwatch."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from relutopo import registry
from relutopo.app.jobs.folder import JobRecord, stopwatch
from relutopo.app.jobs.identity import input_files
from relutopo.app.reports.progress import progress_bar
from relutopo.errors import InputError
from relutopo.interfaces import Progress
from relutopo.learning.datasets import Dataset
from relutopo.learning.model_files import ModelFiles
from relutopo.learning.runs import Run, TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.reports.text import counted
from relutopo.system.files import locked, remove_leftovers

__all__ = ["JobWorkplace"]

log = logging.getLogger("relutopo")
_MOST_STEPS = 12


class JobWorkplace:
    """The `relutopo.analyses.base.Workplace` of a job of the command.

    Parameters
    ----------
    values : mapping
        The resolved configuration.
    record : JobRecord
        Which job it is.
    directory : Path
        Its folder.
    training_directory : Path
        Folder of the training run.

    Attributes
    ----------
    seconds : dict of str to float
        Wall-clock time of each stage so far.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        record: JobRecord,
        directory: Path,
        training_directory: Path,
    ) -> None:
        self._values, self._record = values, record
        self._training_directory = training_directory
        self.directory = directory
        self.seconds: dict[str, float] = {}

    @cached_property
    def dataset(self) -> Dataset:
        """The data."""
        dataset: Dataset = registry.create_from("data", self._values["data"])
        return dataset

    @cached_property
    def run(self) -> Run:
        """The models that are there, or the run that is trained now unless it was before."""
        # The models of one's own are there already.
        if self._values["checkpoints"] is not None or "path" in self._values["network"]:
            return self._models()
        return self._train()

    @property
    def labels(self) -> Mapping[str, Any]:
        """Experiment, data and seed."""
        return {
            "experiment": self._record.identity.experiment,
            "data": self.dataset.name,
            "seed": self._values["seed"],
        }

    @property
    def draws_figures(self) -> bool:
        """Whether figures are wanted."""
        return bool(self._values["figures"])

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Count the time of a block as that of a stage."""
        return stopwatch(self.seconds, name)

    def progress(self, words: str) -> AbstractContextManager[Progress]:
        """Show the progress of a block on the terminal and in the log."""
        return progress_bar(words)

    def _models(self) -> ModelFiles:
        pattern, path = self._values["checkpoints"], self._values["network"].get("path")
        if (pattern is None) == (path is None):
            raise InputError(
                f"one of `network.path` and `checkpoints` must be given, got {path!r} and "
                f"{pattern!r}; pass the file of one model, or a pattern for many in quotes: "
                "'checkpoints=runs/*.pt'"
            )
        files = [path] if pattern is None else input_files(pattern)
        if not files:
            raise InputError(f"`checkpoints` {pattern!r} matches no file; check the pattern")
        network = self._values["network"]  # only that of files has options for them
        named = ("trust", "input_shape", "key", "output", "fixed")
        options = {name: network[name] for name in named if name in network}
        directory = self.directory / "models" / self._record.identity.id
        run = ModelFiles(directory, files, self.dataset, **options)
        log.info("reading %s; data: %s", counted(len(files), "model"), self.dataset.name)
        if len(files) > 1:
            steps = (
                run.steps
                if len(run.steps) <= _MOST_STEPS
                else ([*run.steps[: _MOST_STEPS - 2], "...", run.steps[-1]])
            )
            log.info("at the steps %s, %s", ", ".join(map(str, steps)), run.steps_from)
        return run

    def _train(self) -> TrainingRun:
        values, run = self._values, TrainingRun(self._training_directory)
        with registry.options_of("network", values["network"]):
            network = MlpSettings(**values["network"])
        with registry.options_of("trainer", values["trainer"]):
            trainer = TrainerSettings(**values["trainer"])

        def wait() -> None:
            log.info("another job trains the same network in %s; waiting for it", run.directory)

        with locked(run.directory / "lock", wait):
            remove_leftovers(run.directory)
            if run.is_complete:
                log.info("using the training run in %s", run.directory)
            else:
                log.info("training on %d points of %s", len(self.dataset.points), self.dataset.name)
            with progress_bar("training") as progress:
                return train(
                    self.dataset,
                    network,
                    trainer,
                    seed=values["seed"],
                    directory=run.directory,
                    progress=progress,
                )
