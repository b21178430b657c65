"""Products of small matrices by one thread of NumPy's and SciPy's libraries.

The number of threads of these libraries is a setting of the whole process. If each caller saved,
changed and restored it, overlapping callers would lose it: the second would save, and later
restore, the one thread of the first. So the first caller changes the setting, and the last one
restores it.
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

_libraries = ThreadpoolController().select(user_api="blas").lib_controllers
_lock = Lock()
_inside: set[object] = set()
_before: list[tuple[Any, int]] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Use one thread for products of matrices until the last block that asked for it has ended.

    Examples
    --------
    >>> with one_blas_thread(), one_blas_thread():
    ...     pass
    """
    me = object()
    try:
        with _lock:
            if not _inside:
                for library in _libraries:
                    if (n_threads := library.num_threads) != 1:
                        _before.append((library, n_threads))
                        library.set_num_threads(1)
            _inside.add(me)
        yield
    finally:  # also if an interrupt struck on the way in
        with _lock:
            _inside.discard(me)
            while _before and not _inside:
                library, n_threads = _before.pop()
                library.set_num_threads(n_threads)
