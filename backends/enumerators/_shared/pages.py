"""Arrays whose memory the system gets back as soon as they are freed."""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pages", "kept"]

_FEWEST_BYTES = 2**14
"""Fewest bytes that are worth pages of their own."""
_HUGE_PAGE = 2**21
"""Bytes of a huge page, on most systems."""
_ALIGNMENT = 64
"""Arrays begin at multiples of so many bytes."""

_Scalar = TypeVar("_Scalar", bound=np.generic)


def kept(array: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return a copy in pages of its own.

    Allocators keep what is freed between other arrays. Parts of a result would count twice at the
    end: those that have been written into it, and the result.
    """
    if array.nbytes < _FEWEST_BYTES:
        return array.copy()
    copy = np.frombuffer(_mapped(array.nbytes), dtype=array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class Pages:
    """Memory for arrays that are made one after another and freed in about the same order.

    Arrays share huge pages if there are many. The system takes as long for each small page as for
    clearing dozens of them, one thread at a time, and it interrupts all threads when it gets pages
    back. It gets them as soon as none of the arrays on them is left. For one thread.

    Parameters
    ----------
    expected : int
        About how many bytes there will be, at least.
    at_once : int
        How many are asked for at once if there are many. Memory is taken only for the pages that
        are written to.
    """

    def __init__(self, expected: int = 0, at_once: int = 2 * _HUGE_PAGE) -> None:
        self._total, self._at_once = expected, at_once
        self._pages: Any = bytearray()
        self._begin = 0

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return an array of undefined content."""
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        self._total += n_bytes
        if self._begin + n_bytes > len(self._pages):
            # As much again as there has been, so that few arrays take few bytes.
            wanted = max(n_bytes, min(self._total, max(self._at_once, self._total // 16)))
            if wanted < _FEWEST_BYTES:
                return np.empty(shape, dtype)
            if wanted >= _HUGE_PAGE:
                wanted = -(-wanted // _HUGE_PAGE) * _HUGE_PAGE
            self._pages, self._begin = _mapped(wanted), 0
        array: NDArray[Any] = np.ndarray(shape, dtype, self._pages, self._begin)
        self._begin += -(-n_bytes // _ALIGNMENT) * _ALIGNMENT
        return array

    def shorter(self, last: NDArray[_Scalar], n: int) -> NDArray[_Scalar]:
        """Return the first n entries of the array that was made last, and take back the others."""
        if last.base is self._pages:
            self._begin -= last[n:].nbytes // _ALIGNMENT * _ALIGNMENT
        return last[:n]

    def longer(self, last: NDArray[_Scalar], n: int) -> NDArray[_Scalar]:
        """Return an array of n entries that begins with those of the array that was made last."""
        self.shorter(last, 0)
        array = self.empty((n, *last.shape[1:]), last.dtype)
        if array.ctypes.data != last.ctypes.data:
            array[: len(last)] = last
        return array


def _mapped(n_bytes: int) -> mmap.mmap:
    """Return new pages, huge ones where the system has them and they fit."""
    try:
        pages = mmap.mmap(-1, n_bytes, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise MemoryError(f"no {n_bytes} bytes in pages") from error
    if n_bytes >= _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages
