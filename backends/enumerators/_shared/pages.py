"""Arrays whose memory the system gets back as soon as they are freed."""

from __future__ import annotations

from math import prod
from mmap import ACCESS_COPY, mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["empty_together", "kept"]

_FEWEST_BYTES = 2**14
"""Fewest bytes that are worth pages of their own."""
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
    pages = mmap(-1, array.nbytes, access=ACCESS_COPY)
    copy = np.frombuffer(pages, dtype=array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def empty_together(*wanted: tuple[tuple[int, ...], Any]) -> list[NDArray[Any]]:
    """Return arrays of some shapes and types, of undefined content, that share pages of their own.

    The system gets them back as soon as none of the arrays is left. Giving memory back interrupts
    all threads, so it should not be done for each array.
    """
    offsets = [0]
    for shape, dtype in wanted:
        n_bytes = prod(shape) * np.dtype(dtype).itemsize
        offsets.append(-(-(offsets[-1] + n_bytes) // _ALIGNMENT) * _ALIGNMENT)
    n_bytes = offsets[-1]
    pages: Any
    if n_bytes < _FEWEST_BYTES:
        pages = np.empty(n_bytes, dtype=np.uint8)
    else:
        pages = mmap(-1, n_bytes, access=ACCESS_COPY)
    return [
        np.ndarray(shape, dtype, pages, offset)
        for (shape, dtype), offset in zip(wanted, offsets, strict=False)
    ]
