"""Rests for the process beside training.

The lowest priority is not enough where training uses every core. Its threads wait for each other
many times in a step, and whatever runs in the gaps evicts their caches and delays their waking: a
process that is always there slows training by more than a tenth, although it gets little time
itself. So it works in short pieces, whatever it does, and rests after each piece in which training
kept nearly all cores busy.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from relutopo.system.processes import processor_seconds
from relutopo.system.threads import available_cores

__all__ = ["Pace", "cores_in_quota", "rest_after"]

_PIECE = 0.25
"""Seconds of work between looks at training, of whose processor time Linux tells hundredths."""
_POLL = 0.2
"""Seconds between looks whether a rest shall end: each look wakes a process beside training."""
_REST = 4.0
_NEARLY_ALL = 0.8
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def rest_after(seconds: float, processor: float, n_cores: float) -> float:
    """Return how long to rest after a piece of work.

    Parameters
    ----------
    seconds : float
        How long the piece took.
    processor : float
        Seconds of processor time, of all cores together, that training had meanwhile.
    n_cores : float
        How many cores training and this process may have together.

    Returns
    -------
    float
        Seconds: four times as long as the piece if training had four fifths of all cores, otherwise
        none.

    Examples
    --------
    >>> rest_after(0.5, processor=0.9, n_cores=2), rest_after(0.5, processor=0.5, n_cores=2)
    (2.0, 0.0)
    """
    return _REST * seconds if processor >= _NEARLY_ALL * n_cores * seconds else 0.0


def cores_in_quota() -> float:
    """Return how many cores this process and its like may keep busy.

    Returns
    -------
    float
        A container may have a quota that is no whole number, on a machine with many more cores.
        What this process takes of it is then missing for training, whatever the priorities.
    """
    cores = float(available_cores())
    with suppress(OSError, ValueError):  # no such file, or its quota is "max"
        quota, period = map(int, _QUOTA.read_text().split())
        cores = min(cores, quota / period)
    return cores


class Pace:
    """Lets the main thread of this process rest while another process keeps all cores busy.

    Where the system does not tell processor times, or has no alarms, there are no rests.

    Parameters
    ----------
    process : int
        Number of the process that trains.
    is_closing : callable
        Tells whether that process waits for this one; then there is no rest, and one that has
        begun ends.
    """

    def __init__(self, process: int, is_closing: Callable[[], bool]) -> None:
        self._process, self._is_closing = process, is_closing
        self._begin, self._before = time.monotonic(), processor_seconds(process)
        self._n_cores = cores_in_quota()
        self._has_alarms = hasattr(signal, "setitimer") and not math.isnan(self._before)

    def __enter__(self) -> Pace:
        """Interrupt what this thread does from now on, by alarms, to rest if that is due."""
        if self._has_alarms:
            signal.signal(signal.SIGALRM, lambda *_: self._pause())
            signal.setitimer(signal.ITIMER_REAL, _PIECE)
        return self

    def __exit__(self, *_: object) -> None:
        """Interrupt it no more."""
        if self._has_alarms:
            # Stopping the timer would not do: a pause that is due by now would set it again.
            signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def _pause(self) -> None:
        self.rest()
        signal.setitimer(signal.ITIMER_REAL, _PIECE)

    def rest(self) -> None:
        """Rest as long as is due since the last rest, or until training waits."""
        now = time.monotonic()
        processor = processor_seconds(self._process) - self._before
        until = now + rest_after(now - self._begin, processor, self._n_cores)
        while time.monotonic() < until and not self._is_closing():
            time.sleep(_POLL)
        self._begin, self._before = time.monotonic(), processor_seconds(self._process)
