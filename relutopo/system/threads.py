"""Threads that share work among them, and the cores that there are for them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

__all__ = ["Run", "available_cores", "threads"]

_AHEAD = 4
"""How many results a thread, on average, may be ahead of what they are needed for."""

Part = TypeVar("Part")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return how many cores this process may use: some systems tell, elsewhere it is all of them.

    Examples
    --------
    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Run(Protocol):
    """What `map` is, whether it works in threads or not."""

    def __call__(
        self, work: Callable[[Part], Result], parts: Iterable[Part], /
    ) -> Iterator[Result]:
        """Return what `work` makes of each part, in their order."""


@contextmanager
def threads(n_threads: int) -> Iterator[Run]:
    """Give a `map` that works in threads and keeps the order; what waits is dropped at the end.

    Like `map` it begins when the first result is asked for, and it is never far ahead, so that few
    results wait in memory.
    """
    if n_threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(n_threads)

    def run(work: Callable[[Part], Result], parts: Iterable[Part], /) -> Iterator[Result]:
        ahead: deque[Future[Result]] = deque()
        for part in parts:
            ahead.append(pool.submit(work, part))
            if len(ahead) >= _AHEAD * n_threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)
