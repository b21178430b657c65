"""Arrays that grow, for compiled kernels."""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

__all__ = ["grown"]


@njit(cache=True)
def grown(array, size):
    """Return the array, or a longer copy if it has fewer than `size` rows."""
    if size <= len(array):
        return array
    longer = np.empty((max(size, 2 * len(array)), *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer
