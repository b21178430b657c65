"""Arrays whose memory the system gets back as soon as they are freed."""

from __future__ import annotations

from mmap import ACCESS_COPY, mmap
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["kept"]

_FEWEST_BYTES = 2**14
"""Fewest bytes that are worth pages of their own."""

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
