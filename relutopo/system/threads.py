"""Threads that share work, and the number of cores available to them.

Invariant: an interrupt of the waiting thread leaves no lock taken that another thread needs. So
threads use only locks and queues implemented in C: entering a `threading.Condition`, as
`concurrent.futures` does, runs Python code, and an interrupt after its first instruction keeps its
lock for ever.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from relutopo.system.memory import address_space_left
from relutopo.system.uninterrupted import Task, Work

__all__ = ["Run", "Spares", "available_cores", "threads"]

_AHEAD = 4
"""How many results each thread may compute ahead of need, on average."""
_PAUSE = 1.0
"""Seconds between checks whether the block has ended; usually threads are told earlier."""

_BYTES_A_THREAD = 2**28
"""Address space for each thread, if a limit of the process bounds it."""

Part = TypeVar("Part")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use; all cores if the system does not tell.

    Examples
    --------
    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Run(Protocol):
    """The interface of `map`, whether it works in threads or not."""

    def __call__(
        self, work: Callable[[Part], Result], parts: Iterable[Part], /
    ) -> Iterator[Result]:
        """Return the result of `work` for each part, in order."""


class Spares(Generic[Result]):
    """Rooms to work in: as many are made as are used at once, and used again.

    Parameters
    ----------
    make : callable
        Makes one.

    Examples
    --------
    >>> lists = Spares(list)
    >>> with lists.one() as first:
    ...     first.append(1)
    >>> with lists.one() as again:
    ...     again
    [1]
    """

    def __init__(self, make: Callable[[], Result]) -> None:
        self._make = make
        self._free: SimpleQueue[Result] = SimpleQueue()

    @contextmanager
    def one(self) -> Iterator[Result]:
        """Lend one."""
        try:
            room = self._free.get_nowait()
        except Empty:
            room = self._make()
        try:
            yield room
        finally:
            self._free.put(room)


@contextmanager
def threads(n_threads: int) -> Iterator[Run]:
    """Provide a `map` in threads that keeps the order; unstarted work is dropped at the end.

    Like `map` it begins when the first result is asked for, and it never runs far ahead, so that
    few results wait in memory. The thread that asks is one of them: it works while it would wait.
    """
    # Each thread has its own stack, heap and buffer of OpenBLAS; for one nobody need be asked.
    if n_threads > 1 and (left := address_space_left()) is not None:
        n_threads = max(1, min(n_threads, left // _BYTES_A_THREAD))
    if n_threads == 1:
        yield map
        return
    waiting: SimpleQueue[Work[Any] | None] = SimpleQueue()
    team = _Team(waiting)
    tasks = [Task(team.serve) for _ in range(n_threads - 1)]

    def run(work: Callable[[Part], Result], parts: Iterable[Part], /) -> Iterator[Result]:
        ahead: deque[Work[Result]] = deque()
        for part in parts:
            ahead.append(Work(partial(work, part)))
            waiting.put(ahead[-1])
            if len(ahead) >= _AHEAD * n_threads:
                yield team.result_of(ahead.popleft())
        while ahead:
            yield team.result_of(ahead.popleft())

    try:
        yield run
    finally:
        team.has_ended = True
        for _ in tasks:
            waiting.put(None)
        for task in tasks:
            task.wait()


class _Team:
    """The threads of a block: one that waits for results, and others that work until it ends."""

    def __init__(self, waiting: SimpleQueue[Work[Any] | None]) -> None:
        self._waiting = waiting
        self.has_ended = False

    def serve(self) -> None:
        while not self.has_ended:
            try:
                work = self._waiting.get(timeout=_PAUSE)
            except Empty:  # an interrupt may have prevented the notice of the end
                continue
            if work is not None and not self.has_ended:
                work.do()

    def result_of(self, work: Work[Result]) -> Result:
        """Return the result of a piece of work, and do what waits until then."""
        while not work.has_ended:
            try:
                other = self._waiting.get_nowait()
            except Empty:
                break
            if other is not None:
                other.do()
                if other.was_interrupted:
                    other.wait()  # raises it, without waiting for earlier results
        return work.wait()
