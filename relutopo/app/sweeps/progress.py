"""Progress of a sweep: jobs finished, jobs failed, time left.

Jobs may run in this process, in others or on other machines. A thread of the process that launches
them reads their state from their folders (`relutopo.app.jobs.folder`).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from relutopo.reports.text import counted, in_time
from relutopo.system.files import append_to

__all__ = ["SweepWatch"]

_PAUSE = 1.0
"""Least time between two reads of the folders, in seconds."""
_SHARE = 0.05
"""Largest fraction of time spent reading, for sweeps of many jobs and slow disks."""


class SweepWatch:
    """Reports progress whenever jobs finish: how many have, how many failed, the time left.

    A line goes to the terminal and to ``sweep.log`` in the sweep's folder.

    Parameters
    ----------
    directory : Path
        Folder of the sweep, before the first job is launched. Jobs of earlier runs in the same
        folder count when they are launched again.
    n_jobs : int or None
        Number of jobs, if it is known.

    Examples
    --------
    >>> import tempfile
    >>> SweepWatch(Path(tempfile.mkdtemp()), 3).look()
    >>> SweepWatch(Path("nowhere"), 3).line(seconds=60.0, finished=2, failed=1, computed=2)
    '2 of 3 jobs finished, 1 failed; about 30 s left'
    """

    def __init__(self, directory: Path, n_jobs: int | None) -> None:
        self.directory, self.n_jobs = directory, n_jobs
        self._begin = time.monotonic()
        self._before = {name: self._marks(name) for name in self._names()}
        self._finished: set[str] = set()
        self._failed: set[str] = set()
        self._computed = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep watch", daemon=True)

    def start(self) -> None:
        """Start the thread that reports progress."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and report for a last time.

        If fewer have finished than were expected, because equal settings are one job, the last
        line says how many there are and no more.
        """
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(OSError):
            text = self.look()
            if self.n_jobs is not None and len(self._finished) < self.n_jobs:
                self.n_jobs = None
                text = self._now()
            self._tell(text)

    def look(self) -> str | None:
        """Return a line of progress if jobs have finished since the last call, else None.

        Returns
        -------
        str or None
            See `line`.
        """
        known = len(self._finished)
        for name in self._names():
            before, now = self._before.get(name, _UNKNOWN), self._marks(name)
            # A job that is asked for writes its record anew, also if it was done before.
            if name in self._finished or now["job"] == before["job"]:
                continue
            is_failed = now["error"] not in (None, before["error"]) and now["done"] is None
            if is_failed or now["done"] is not None:
                self._finished.add(name)
                self._computed += is_failed or now["done"] != before["done"]
            if is_failed:
                self._failed.add(name)
        return None if len(self._finished) == known else self._now()

    def _now(self) -> str:
        seconds = time.monotonic() - self._begin
        return self.line(seconds, len(self._finished), len(self._failed), self._computed)

    def line(self, seconds: float, finished: int, failed: int, computed: int) -> str:
        """Return a line of progress.

        Parameters
        ----------
        seconds : float
            Since the beginning of the sweep.
        finished : int
            Number of jobs finished, those that failed included.
        failed : int
            Number of jobs failed.
        computed : int
            Number of finished jobs that were not done before, and so took time.
        """
        is_known = self.n_jobs is not None
        text = f"{finished} of {self.n_jobs} jobs" if is_known else counted(finished, "job")
        text += " finished" + (f", {failed} failed" if failed else "")
        if self.n_jobs is None or not computed or finished >= self.n_jobs:
            return text
        return f"{text}; about {in_time(seconds / computed * (self.n_jobs - finished))} left"

    def _run(self) -> None:
        pause = _PAUSE
        while not self._stopped.wait(pause):
            begin = time.monotonic()
            with suppress(OSError):  # a disk that is full or away must not end the watch
                self._tell(self.look())
            pause = max(_PAUSE, (time.monotonic() - begin) / _SHARE)

    def _tell(self, text: str | None) -> None:
        if text is not None:
            print(text, flush=True)
            with append_to(self.directory / "sweep.log") as log:
                log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {text}\n".encode())

    def _names(self) -> list[str]:
        return [path.parent.name for path in self.directory.glob("jobs/*/job.json")]

    def _marks(self, name: str) -> dict[str, int | None]:
        """Return when each record of a job was written, None for those that are not there."""
        marks: dict[str, int | None] = dict.fromkeys(_UNKNOWN)
        for record in marks:
            with suppress(FileNotFoundError):
                path = self.directory / "jobs" / name / f"{record}.json"
                marks[record] = path.stat().st_mtime_ns
        return marks


_UNKNOWN: dict[str, int | None] = {"job": None, "done": None, "error": None}
