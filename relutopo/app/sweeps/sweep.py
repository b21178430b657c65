"""Jobs of a sweep, gathered from their folders into tables.

A sweep is a folder with a folder ``jobs/<id>`` for each job; see `relutopo.app.jobs.folder`. Where
several versions of the code ran the same settings, the run that was started last counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo import registry
from relutopo.app.jobs.folder import JobFolder, JobRecord, JobStatus
from relutopo.errors import InputError, UnknownNameError
from relutopo.optional import require
from relutopo.reports.tables import load_table
from relutopo.reports.text import natural_key
from relutopo.system.untrusted import is_plain_name, printable, refuse_detours

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sweep", "SweepJob"]


@dataclass(frozen=True)
class SweepJob:
    """One job of a sweep.

    Attributes
    ----------
    folder : JobFolder
    record : JobRecord
    status : {"done", "failed", "running", "unfinished"}
    """

    folder: JobFolder
    record: JobRecord
    status: JobStatus

    @property
    def name(self) -> str:
        """The job's identity."""
        return self.folder.directory.name

    @property
    def analysis(self) -> str:
        """The kind of analysis that it makes."""
        return str(self.record.identity.settings["analysis"]["name"])

    def check(self) -> None:
        """Raise an `InputError` for a folder or an analysis with a name that nobody gives it."""
        if not is_plain_name(self.name):
            raise InputError(
                f"{printable(str(self.folder.directory))!r} must be the folder of a job, named by "
                "letters and digits; remove it, or rename it"
            )
        path = str(self.folder.directory / "job.json")
        analysis = self.record.identity.settings.get("analysis")
        name = analysis.get("name") if isinstance(analysis, Mapping) else None
        if not isinstance(name, str):
            raise InputError(
                f"{path!r} must name an analysis in its settings, got none; delete the folder "
                f"{str(self.folder.directory)!r} to compute the job again"
            )
        try:
            registry.check("analysis", name)
        except UnknownNameError as error:
            raise InputError(
                f"{path!r} must name an analysis that there is: {error}; or delete the folder "
                f"{str(self.folder.directory)!r}"
            ) from error


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep.

    Attributes
    ----------
    directory : Path
    jobs : tuple of SweepJob
        In the order of their overrides.
    """

    directory: Path
    jobs: tuple[SweepJob, ...]

    @classmethod
    def open(cls, directory: str | Path) -> Sweep:
        """Find the jobs in a sweep's folder; `InputError` if there are none."""
        directory = Path(directory)
        refuse_detours(directory, below=("", "figures", "jobs"))
        latest: dict[str, SweepJob] = {}
        for path in sorted(directory.glob("jobs/*/job.json")):
            folder = JobFolder(path.parent)
            job = SweepJob(folder, folder.record, folder.status)
            job.check()
            other = latest.setdefault(job.record.identity.settings_id, job)
            if job.record.asked > other.record.asked:
                latest[job.record.identity.settings_id] = job
        if not latest:
            raise InputError(
                f"{str(directory)!r} must be the folder of a sweep, with jobs in its folder "
                "'jobs', but there are none; pass a folder that `relutopo --multirun` made"
            )
        return cls(directory, tuple(sorted(latest.values(), key=_order)))

    def only(self, status: JobStatus = "done", analysis: str | None = None) -> Sweep:
        """Return the jobs with a status, and of a kind of analysis."""
        jobs = (job for job in self.jobs if job.status == status)
        chosen = tuple(job for job in jobs if analysis in (None, job.analysis))
        return Sweep(self.directory, chosen)

    def measuring(self, measure: str) -> Sweep:
        """Return the jobs, all of them done, that have a measure."""
        jobs = (job for job in self.jobs if measure in job.folder.result["measures"])
        return Sweep(self.directory, tuple(jobs))

    def __len__(self) -> int:
        return len(self.jobs)

    @cached_property
    def swept(self) -> dict[str, list[Any]]:
        """For each overridden key whose values differ between jobs, its value in every job."""
        keys = dict.fromkeys(key for job in self.jobs for key in job.record.keys)
        values = {key: [_plain(job.record.value(key)) for job in self.jobs] for key in keys}
        return {key: _alike(column) for key, column in values.items() if len(set(column)) > 1}

    @property
    def settings(self) -> list[str]:
        """The swept keys but the seed."""
        return [key for key in self.swept if key != "seed"]

    @cached_property
    def measures(self) -> list[str]:
        """What the jobs that are done measured, the most important first."""
        done = (job for job in self.jobs if job.status == "done")
        return list(dict.fromkeys(name for job in done for name in job.folder.result["measures"]))

    def table(self, stem: str = "results") -> pd.DataFrame:
        """Put the tables of all jobs into one; each must be done.

        Parameters
        ----------
        stem : str
            The table's name in a job's folder, without ``.parquet``.

        Returns
        -------
        pandas.DataFrame
            All rows, with the columns ``job``, ``code`` (its version), and every swept key that
            is not a column of the tables already.

        Raises
        ------
        InputError
            If a table is missing or damaged.
        """
        pandas = require("pandas", "the table of a sweep")
        tables = []
        for i, job in enumerate(self.jobs):
            path = job.folder.directory / f"{stem}.parquet"
            try:
                table = load_table(path)
            except InputError as error:
                raise InputError(
                    f"{error}; delete the folder {str(job.folder.directory)!r} and give the "
                    "sweep's command again, which computes that job anew"
                ) from error
            table = table.drop(columns=["job", "code"], errors="ignore")
            table.insert(0, "job", job.name)
            for key, column in self.swept.items():
                if key not in table.columns:
                    table.insert(1, key, column[i])
            tables.append(table.assign(code=_code(job)))
        combined: pd.DataFrame = pandas.concat(tables, ignore_index=True)
        return combined

    def overview(self) -> pd.DataFrame:
        """Return one row for each job.

        Returns
        -------
        pandas.DataFrame
            With the columns job, status, experiment, analysis, the swept keys, what was measured,
            ``seconds_<stage>``, error and code.
        """
        pandas = require("pandas", "the table of a sweep")
        rows = []
        for i, job in enumerate(self.jobs):
            row: dict[str, Any] = {
                "job": job.name,
                "status": job.status,
                "experiment": job.record.identity.experiment,
                "analysis": job.analysis,
                **{key: column[i] for key, column in self.swept.items()},
            }
            if job.status == "done":
                result = job.folder.result
                row |= result["measures"]
                row |= {f"seconds_{stage}": s for stage, s in result["seconds"].items()}
            if job.status == "failed":
                error = job.folder.error
                row["error"] = printable(f"{error['type']}: {error['message']}")
            rows.append({**row, "code": _code(job)})
        table: pd.DataFrame = pandas.DataFrame(rows)
        return table


def _order(job: SweepJob) -> list[Any]:
    """Sort jobs in the order in which their values grow."""
    return [natural_key(_plain(job.record.value(key))) for key in job.record.keys]


def _code(job: SweepJob) -> str:
    return ", ".join(f"{name} {version}" for name, version in job.record.identity.code.items())


def _plain(value: Any) -> Any:
    """Return a value that a table can hold: lists and mappings as text."""
    if isinstance(value, (list, tuple, Mapping)):
        return str(value).replace(" ", "").replace("'", "")
    return value


def _alike(column: list[Any]) -> list[Any]:
    """Return values of one kind: as they are if they are all numbers, else as text."""
    # Tables hold integers of 64 bits.
    numbers = all(
        isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
        for value in column
    )
    booleans = {isinstance(value, bool) for value in column}
    return column if numbers and len(booleans) == 1 else [str(value) for value in column]
