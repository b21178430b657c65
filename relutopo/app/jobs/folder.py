"""Folder of a job: its record, lock, results and error.

::

    job.json         identity of the job, and its command line
    lock             held by the process that computes the job, until that ends
    results.parquet  and all other output of the job, each file written atomically
    done.json        written last: a job that has one is complete and is never computed again
    error.json       error of the last attempt; deleted when a later one succeeds

Invariant: the folder is valid after a kill at any moment; results are complete if and only if
``done.json`` exists; a folder that somebody else made is no danger: records have one form, and no
name in them becomes a path unless it is a plain one.
"""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from relutopo.app.jobs.identity import Identity
from relutopo.errors import InputError
from relutopo.system.files import is_locked, remove_leftovers, save_json
from relutopo.system.settings import differences
from relutopo.system.untrusted import PLAIN, is_plain_name, read_json, refuse_detours

__all__ = ["PAGE", "RECORDS", "JobFolder", "JobRecord", "JobStatus", "stopwatch"]

PAGE = "explore.html"
"""The page of a run, which is no result: it can be made again from the others."""
JobStatus = Literal["done", "failed", "running", "unfinished"]
RECORDS = frozenset({"lock", "job.json", "config.json", "environment.json", "error.json"})
"""What says what a job is and how it failed, and holds nothing that it computed."""
_FORMS: Mapping[str, Any] = {
    "job": {
        "id": str,
        "identity": {
            "experiment": str,
            "settings": {str: PLAIN},
            "code": {str: str},
            "inputs": {str: str},
        },
        "choices": {str: str},
        "overrides": [str],
        "asked": str,
    },
    "done": {"finished": str, "seconds": {str: float}, "measures": {str: float}},
    "error": {"failed": str, "type": str, "message": str, "traceback": str, "attempts": int},
}
_COLUMNS = frozenset({"job", "status", "experiment", "analysis", "error", "code"})
"""What tables of jobs have of their own, beside ``seconds_<stage>``."""
_KEY = re.compile(r"[A-Za-z_][\w.@/:-]*", re.ASCII)


@dataclass(frozen=True)
class JobRecord:
    """Identity of a job, and the command line that started it.

    Attributes
    ----------
    identity : Identity
    choices : mapping of str to str
        What was chosen in each configuration group.
    overrides : sequence of str
        Overrides of the command line, ``key=value``.
    asked : str
        Time of the last start of the command, in ISO format.
    """

    identity: Identity
    choices: Mapping[str, str]
    overrides: Sequence[str] = ()
    asked: str = field(default_factory=lambda: _now())

    @property
    def keys(self) -> list[str]:
        """The overridden keys."""
        return [override.partition("=")[0].lstrip("+~") for override in self.overrides]

    def value(self, key: str) -> Any:
        """Return the value of a key in this job, overridden or not."""
        if key in self.choices:
            return self.choices[key]
        value: Any = self.identity.settings
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


class JobFolder:
    """The folder of one job.

    Parameters
    ----------
    directory : path-like
        It need not exist yet.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def __repr__(self) -> str:
        return f"JobFolder({str(self.directory)!r})"

    @property
    def status(self) -> JobStatus:
        """Status of the job now."""
        if self.is_done:
            return "done"
        if is_locked(self.directory / "lock"):
            return "running"
        return "failed" if self._path("error").is_file() else "unfinished"

    @property
    def record(self) -> JobRecord:
        """Content of ``job.json``; `InputError` if it cannot be read."""
        content = self._read("job")
        identity = Identity(**content.pop("identity"))
        content.pop("id")
        record = JobRecord(identity, **content)
        for key in record.keys:
            # These are groups as well, and what is chosen in them is the same as in the record.
            if not _KEY.fullmatch(key) or key in _COLUMNS - {"experiment", "analysis"}:
                raise self._unreadable("job", f"it overrides {key[:60]!r}, which is no key")
        return record

    @property
    def result(self) -> dict[str, Any]:
        """Content of ``done.json``: finished, seconds, measures."""
        content = self._read("done")
        # Figures are named after measures, and columns after both.
        for name in (*content["measures"], *content["seconds"]):
            if not is_plain_name(name):
                raise self._unreadable("done", f"it measures {name[:60]!r}, which is no name")
        for name in content["measures"]:
            if name in _COLUMNS or name.startswith("seconds_"):
                raise self._unreadable("done", f"it measures {name!r}, which is a column already")
        numbers = {kind: _floats(content[kind]) for kind in ("seconds", "measures")}
        return {**content, **numbers}

    @property
    def error(self) -> dict[str, Any]:
        """Content of ``error.json``: failed, type, message, traceback, attempts."""
        return self._read("error")

    @property
    def is_done(self) -> bool:
        """Whether the job is complete."""
        return self._path("done").is_file()

    def begin(self, record: JobRecord) -> None:
        """Take the folder for a job; results of other code or other input files do not count.

        Raises
        ------
        InputError
            If the folder holds the results of a job with other settings, or leads elsewhere.
        """
        refuse_detours(self.directory, below=["**"])
        if self.is_done:
            self._refuse_others(record.identity)
        remove_leftovers(self.directory)
        path = self._path("job")
        if not path.is_file() or self.record.identity.id != record.identity.id:
            self._path("done").unlink(missing_ok=True)
            self._path("error").unlink(missing_ok=True)
        self._write("job", {"id": record.identity.id, **asdict(record)})

    def _refuse_others(self, identity: Identity) -> None:
        present = self.record.identity
        if present.settings_id == identity.settings_id:
            return
        settings = json.loads(json.dumps(identity.settings))
        differing = differences(present.settings, settings)
        if present.experiment != identity.experiment:
            differing += differences(present.experiment, identity.experiment, "experiment")
        raise InputError(
            f"{str(self.directory)!r} holds the results of other settings: {'; '.join(differing)}; "
            "pass the same settings, or another folder"
        )

    def finish(self, seconds: Mapping[str, float], measures: Mapping[str, float]) -> None:
        """Mark the job complete."""
        content = {"finished": _now(), "seconds": dict(seconds), "measures": dict(measures)}
        self._write("done", content)
        self._path("error").unlink(missing_ok=True)

    def fail(self, error: BaseException) -> None:
        """Record why the job could not be completed."""
        attempts = self.error["attempts"] if self._path("error").is_file() else 0
        content = {
            "failed": _now(),
            "type": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
            "attempts": attempts + 1,
        }
        self._write("error", content)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = read_json(
            self._path(name), _FORMS[name], "a record of a job", self._remedy
        )
        return content

    def _unreadable(self, name: str, reason: str) -> InputError:
        return InputError(
            f"{str(self._path(name))!r} must be a record of a job, but it cannot be read "
            f"({reason}); {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        return f"delete the folder {str(self.directory)!r} to compute the job again"

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        save_json(content, self._path(name))


def _floats(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def stopwatch(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the wall-clock time of a block to a stage."""
    begin = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begin
