"""Arrays that grow, in compiled kernels and outside of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["doubled", "fill", "grown", "lengthened"]


@njit(cache=True)
def fill(target, source):
    """Copy all numbers of one row to the first places of another.

    Assigning one array to another takes seconds to compile, because of its error message.
    """
    for i in range(len(source)):
        target[i] = source[i]


@njit(cache=True)
def grown(array, size):
    """Return the array, or a longer copy if it has fewer than `size` rows."""
    if size <= len(array):
        return array
    n_rows = max(size, 2 * len(array))
    if array.ndim == 1:  # numba compiles one of the branches, and this one in half the time
        longer = np.empty(n_rows, array.dtype)
        for i in range(len(array)):
            longer[i] = array[i]
    else:
        longer = np.empty((n_rows, *array.shape[1:]), array.dtype)
        fill(longer.ravel(), array.ravel())
    return longer


@njit(cache=True)
def lengthened(array, n):
    """Return a copy with n more rows, whose content is undefined."""
    longer = np.empty((len(array) + n, *array.shape[1:]), array.dtype)
    fill(longer.ravel(), array.ravel())
    return longer


def doubled(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy with twice the rows; the content of the new ones is undefined."""
    longer = np.empty((2 * len(array), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
