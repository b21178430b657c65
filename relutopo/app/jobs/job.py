"""One job of the `relutopo` command: train, analyse, report; or find that this was done before."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relutopo import registry
from relutopo.analyses.base import analysis_class, analysis_of
from relutopo.app.jobs.folder import JobFolder, JobRecord
from relutopo.app.jobs.workplace import JobWorkplace
from relutopo.app.reports.environment import environment
from relutopo.app.reports.pages import save_page
from relutopo.app.reports.summaries import save_summary, show
from relutopo.checks import check_seed
from relutopo.learning.datasets import MOST_SEED
from relutopo.reports.columns import column_names
from relutopo.system.files import locked, save_json
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words
from relutopo.system.untrusted import printable, read_text

__all__ = ["Job", "check_settings", "measures_of"]

_DIM = 2
"""Dimensions for which columns of signatures can be the objective of a search."""
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
                    again = "delete the folder to compute the job again"
                    text = read_text(self.directory / "summary.txt", "a summary", again)
                    print(printable(text), end="")
            else:
                try:
                    with in_words("set max_cells or max_bytes, or take a smaller network"):
                        seconds, measures = self._compute()
                    folder.finish(seconds, measures)
                except Exception as error:
                    _record(folder, error)
                    raise
                log.info("done in %.0f s: %s", sum(seconds.values()), _first_known(measures))
            kept: dict[str, float] = folder.result["measures"]
            return kept

    @deliver_interrupts
    def _compute(self) -> tuple[dict[str, float], dict[str, float]]:
        values, directory = self.values, self.directory
        check_settings(values)
        training_directory = self.training_directory
        # Jobs of a sweep share training runs, which stand beside them.
        training = {} if self.sweep_directory is None else {"training_dir": str(training_directory)}
        save_json({**values, **training}, directory / "config.json")
        save_json(environment(values["seed"]), directory / "environment.json")
        place = JobWorkplace(values, self.record, directory, training_directory)
        analysis = analysis_of(values)
        conclusion = analysis.carry_out(place)
        save_page(analysis, place, conclusion, is_sweep=self.sweep_directory is not None)
        save_summary(conclusion.summary, directory)
        if self.sweep_directory is None:
            show(conclusion.summary, directory)
        return place.seconds, dict(conclusion.measures)


def check_settings(values: Mapping[str, Any]) -> None:
    """Raise the error of whatever is wrong with settings and can be told without computing.

    Examples
    --------
    >>> check_settings({"seed": 0, "analysis": {"name": "scale"}})
    """
    check_seed(values["seed"], MOST_SEED)
    analysis_of(values).check_choices()


def measures_of(values: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of what a job with these settings measures, the most important first."""
    kind = analysis_class(values["analysis"]["name"])
    if "signatures" not in kind.__dataclass_fields__:
        return kind.measures
    signatures = [
        registry.constructor("signature", entry["name"]) for entry in values["signature"].values()
    ]
    columns = [column for signature in signatures for column in getattr(signature, "columns", ())]
    return (*kind.measures, *column_names(columns, _DIM))


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
