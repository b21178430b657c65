"""Processes that run checks, so that one that hangs or crashes is seen, and replaced.

Invariant: a worker runs one case at a time, so that whatever happens to it is due to that case.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

from tests.campaign.framework import KINDS, Case, Outcome, judge

__all__ = ["Worker", "first_ready"]

_ROOT = Path(__file__).parents[2]
_TO_START = 120.0
"""Seconds that a fresh process may take longer: it loads torch and compiled code."""


def serve(pipe: Connection, modules: list[str]) -> None:
    """Load kinds, and run what is asked for until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the campaign, which ends this
    for module in modules:
        importlib.import_module(module)
    while True:
        try:
            name, check, case = pipe.recv()
        except EOFError:
            return
        pipe.send(judge(KINDS[name], check, case))


class Worker:
    """A process that runs one check at a time.

    Parameters
    ----------
    modules : list of str
        What registers the kinds.
    """

    def __init__(self, modules: list[str]) -> None:
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection[Any, Any] | None = None
        self._deadline = 0.0
        self._case: Case | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it runs a check."""
        return self._case is not None

    def start(self, name: str, check: str, case: Case) -> None:
        """Begin a check of a case."""
        fresh = self._process is None
        if fresh:
            self._pipe, other = Pipe()
            number = other.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.campaign.workers", str(number), *self._modules],
                cwd=_ROOT,
                pass_fds=[number],
                start_new_session=True,  # what it starts ends with it
            )
            other.close()
        assert self._pipe is not None
        self._case = case
        limit = KINDS[name].limit + (_TO_START if fresh else 0.0)
        self._deadline = time.monotonic() + limit
        self._pipe.send((name, check, case))

    def poll(self) -> Outcome | None:
        """Return how the check ended, or None while it runs."""
        assert self._case is not None
        assert self._pipe is not None
        assert self._process is not None
        tags = self._case.tags()
        outcome: Outcome
        if self._pipe.poll():
            try:
                outcome = self._pipe.recv()
            except (EOFError, ConnectionResetError):
                status = self._process.wait(10)
                outcome = Outcome("crash", f"exit status {status}", "", tags)
                self.close()
        elif time.monotonic() > self._deadline:
            outcome = Outcome("hang", "no answer within its limit of time", "", tags)
            self.close()
        else:
            return None
        self._case = None
        return outcome

    def run(self, name: str, check: str, case: Case) -> Outcome:
        """Return how a check of a case ends."""
        self.start(name, check, case)
        while (outcome := self.poll()) is None:
            first_ready([self])
        return outcome

    def close(self) -> None:
        """End the process and what it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = self._case = None


def first_ready(workers: list[Worker], seconds: float = 0.2) -> None:
    """Wait until one of some busy workers has an answer, or some time has passed."""
    wait([worker._pipe for worker in workers if worker.is_busy and worker._pipe], seconds)


if __name__ == "__main__":
    from tests.campaign import workers

    workers.serve(Connection(int(sys.argv[1])), sys.argv[2:])
