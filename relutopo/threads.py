"""Threads that share work among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

__all__ = ["Run", "threads"]

Part = TypeVar("Part")
Result = TypeVar("Result")


class Run(Protocol):
    """What `map` is, whether it works in threads or not."""

    def __call__(
        self, work: Callable[[Part], Result], parts: Iterable[Part], /
    ) -> Iterator[Result]:
        """Return what `work` makes of each part, in their order."""


@contextmanager
def threads(n_threads: int) -> Iterator[Run]:
    """Give a `map` that works in threads and keeps the order; what waits is dropped at the end."""
    if n_threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
