"""Products of small matrices by one thread of NumPy's and SciPy's libraries.

How many threads these take is a setting of the whole process. Who alone looks up the setting,
changes it and puts it back loses it when others do so meanwhile: whoever comes second finds the
one thread of the first, and leaves it behind. So all count as one: the first changes the setting,
the last puts it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy  # noqa: F401  (the library must be loaded before it is looked for)
import scipy.linalg  # noqa: F401
from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

_libraries = ThreadpoolController()
_lock = Lock()
_inside: set[object] = set()
_limits: list[Any] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give products of matrices one thread until the last block that asked for it has ended.

    Examples
    --------
    >>> with one_blas_thread(), one_blas_thread():
    ...     pass
    """
    me = object()
    try:
        with _lock:
            if not _inside:
                _limits.append(_libraries.limit(limits=1, user_api="blas"))
            _inside.add(me)
        yield
    finally:  # also if an interrupt struck on the way in
        with _lock:
            _inside.discard(me)
            while _limits and not _inside:
                _limits.pop().restore_original_limits()
