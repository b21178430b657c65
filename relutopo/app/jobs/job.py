"""One job of the `relutopo` command: train, analyse, report; or find that this was done before."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from relutopo import registry
from relutopo.app.jobs.folder import JobFolder, JobRecord, stopwatch
from relutopo.app.jobs.identity import input_files
from relutopo.app.reports.environment import environment
from relutopo.app.reports.progress import progress_bar
from relutopo.app.reports.summaries import save_summary, show
from relutopo.checks import check_seed
from relutopo.errors import InputError
from relutopo.geometry.storage import save_complex
from relutopo.learning.datasets import MOST_SEED, Dataset
from relutopo.learning.model_files import ModelFiles
from relutopo.learning.runs import TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.optional import require
from relutopo.reports.text import counted
from relutopo.system.files import locked, remove_leftovers, save_json

__all__ = ["Job", "measures_of", "module_of"]

_MODULES = {
    "partition": "app.jobs.partition_job",
    "homology": "app.jobs.homology_job",
    "scale": "analyses.scale",
}
log = logging.getLogger("relutopo")


@dataclass(frozen=True)
class Job:
    """A job, before it is run.

    Attributes
    ----------
    values : mapping
        The resolved configuration.
    record : JobRecord
        Which job it is.
    directory : Path
        Its folder.
    sweep_directory : Path or None
        Folder of the sweep that it belongs to; jobs of a sweep share training runs.
    """

    values: Mapping[str, Any]
    record: JobRecord
    directory: Path
    sweep_directory: Path | None = None

    @property
    def training_directory(self) -> Path:
        """Folder of the training run."""
        if self.values["training_dir"] is not None:
            return Path(self.values["training_dir"])
        if self.sweep_directory is None:
            return self.directory / "training"
        return self.sweep_directory / "training" / self.record.identity.training_id

    def run(self) -> dict[str, float]:
        """Compute the job unless that was done before; return its measures.

        An error is recorded in the job's folder and raised. If another process works on the same
        job, this one waits for it.
        """
        folder = JobFolder(self.directory)

        def wait() -> None:
            log.info("another process works in %s; waiting for it", self.directory)

        with locked(self.directory / "lock", wait):
            folder.begin(self.record)
            if folder.is_done:
                log.info("done before: %s", self.directory)
                if self.sweep_directory is None:
                    print((self.directory / "summary.txt").read_text(), end="")
            else:
                try:
                    seconds, measures = self._compute()
                    folder.finish(seconds, measures)
                except Exception as error:
                    _record(folder, error)
                    raise
                log.info("done in %.0f s: %s", sum(seconds.values()), _first_known(measures))
            kept: dict[str, float] = folder.result["measures"]
            return kept

    def _compute(self) -> tuple[dict[str, float], dict[str, float]]:
        values, directory = self.values, self.directory
        check_seed(values["seed"], MOST_SEED)
        save_json(values, directory / "config.json")
        save_json(environment(values["seed"]), directory / "environment.json")
        module = module_of(values)
        settings = module.settings(values)
        seconds: dict[str, float] = {}
        if values["analysis"] == "scale":
            return self._measure(module, settings)
        with stopwatch(seconds, "data"):
            dataset = _dataset(values["data"])
            domain = settings.create("domain")(dataset)  # what does not fit shall not wait
            module.check(dataset, domain)
        if domain.dim > 3:
            log.warning(
                "the domain has %d dimensions; the number of cells grows like the number of "
                "neurons to that power, and domain=slice_principal cuts a plane",
                domain.dim,
            )
        with stopwatch(seconds, "training"):
            run = self._models(dataset) if _is_inspection(values) else self._train(dataset)

        log.info(
            "analysing %s; the first use compiles, up to a minute",
            counted(len(run.steps), "checkpoint"),
        )
        # Threads cost small matrices more than they give: ten times as long on a busy machine.
        threadpoolctl = require("threadpoolctl", "the command 'relutopo'")
        with threadpoolctl.threadpool_limits(1, "blas"):
            with stopwatch(seconds, "analysis"), progress_bar("analysing") as progress:
                rows = module.analyse(run, settings, progress)
            labels = {
                "experiment": self.record.identity.experiment,
                "data": dataset.name,
                "seed": values["seed"],
            }
            with stopwatch(seconds, "report"):
                log.info("writing tables and the last complex")
                last = run.checkpoint(run.steps[-1]).network
                save_complex(directory / "complex.npz", settings.decompose(last, dataset))
                conclusion = module.conclude(rows, run, settings, labels, directory)
                if values["figures"]:
                    log.info("drawing figures")
                    module.draw(run, settings, directory)
                save_summary(conclusion.summary, directory)
        if self.sweep_directory is None:
            show(conclusion.summary, directory)
        return seconds, conclusion.measures

    def _measure(self, module: Any, settings: Any) -> tuple[dict[str, float], dict[str, float]]:
        """Time each step on a network that nobody trains."""
        seconds: dict[str, float] = {}
        threadpoolctl = require("threadpoolctl", "the command 'relutopo'")
        with (
            threadpoolctl.threadpool_limits(1, "blas"),
            stopwatch(seconds, "measuring"),
            progress_bar("measuring") as progress,
        ):
            row = module.measure(settings, progress)
        conclusion = module.conclude(row, self.directory)
        save_summary(conclusion.summary, self.directory)
        if self.sweep_directory is None:
            show(conclusion.summary, self.directory)
        return seconds, conclusion.measures

    def _models(self, dataset: Dataset) -> ModelFiles:
        pattern, path = self.values["checkpoints"], self.values["network"].get("path")
        if (pattern is None) == (path is None):
            raise InputError(
                f"one of `network.path` and `checkpoints` must be given, got {path!r} and "
                f"{pattern!r}; pass the file of one model, or a pattern for many in quotes: "
                "'checkpoints=runs/*.pt'"
            )
        files = [path] if pattern is None else input_files(pattern)
        if not files:
            raise InputError(f"`checkpoints` {pattern!r} matches no file; check the pattern")
        log.info("reading %s; data: %s", counted(len(files), "model"), dataset.name)
        options = {key: self.values["network"].get(key) for key in ("trust", "input_shape")}
        directory = self.directory / "models" / self.record.identity.id
        return ModelFiles(directory, files, dataset, **options)

    def _train(self, dataset: Dataset) -> TrainingRun:
        values, run = self.values, TrainingRun(self.training_directory)
        network, trainer = MlpSettings(**values["network"]), TrainerSettings(**values["trainer"])

        def wait() -> None:
            log.info("another job trains the same network in %s; waiting for it", run.directory)

        with locked(run.directory / "lock", wait):
            remove_leftovers(run.directory)
            if run.is_complete:
                log.info("using the training run in %s", run.directory)
            else:
                log.info("training on %d points of %s", len(dataset.points), dataset.name)
            with progress_bar("training") as progress:
                return train(
                    dataset,
                    network,
                    trainer,
                    seed=values["seed"],
                    directory=run.directory,
                    progress=progress,
                )


def module_of(values: Mapping[str, Any]) -> Any:
    """Return the module that does what is particular to jobs with these settings."""
    analysis = values["analysis"]
    if analysis not in _MODULES:
        raise InputError(f"`analysis` must be one of {', '.join(_MODULES)}, got {analysis!r}")
    if analysis == "homology" and _is_inspection(values):
        # The loss between models is not known.
        return import_module("relutopo.app.jobs.inspection_job")
    return import_module(f"relutopo.{_MODULES[analysis]}")


def measures_of(values: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of what a job with these settings measures, the most important first."""
    names: Sequence[str] = module_of(values).MEASURES
    return names


def _is_inspection(values: Mapping[str, Any]) -> bool:
    """Tell whether the models are there already."""
    return values["checkpoints"] is not None or "path" in values["network"]


def _first_known(measures: Mapping[str, float]) -> str:
    """Return the most important measure that there is.

    Examples
    --------
    >>> _first_known({"delay": float("nan"), "n_regions": 156.0})
    'n_regions 156'
    """
    known = (f"{name} {value:.4g}" for name, value in measures.items() if not math.isnan(value))
    return next(known, "nothing could be measured")


def _record(folder: JobFolder, error: Exception) -> None:
    try:
        folder.fail(error)
    except OSError as reason:
        log.error("the error could not be recorded in %s: %s", folder.directory, reason)


def _dataset(entry: Mapping[str, Any]) -> Dataset:
    options = {key: value for key, value in entry.items() if key != "name"}
    dataset: Dataset = registry.create("data", entry["name"], **options)
    return dataset
