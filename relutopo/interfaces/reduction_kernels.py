"""The laws of reductions as a compiled kernel; importing it loads numba."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["obeys_laws"]


@njit(cache=True)
def obeys_laws(
    pairs: NDArray[np.int64], essential: NDArray[np.int64], dimensions: NDArray[np.int8]
) -> bool:
    """Tell whether pairs and essential columns obey the laws of a reduction.

    Parameters
    ----------
    pairs : (n_pairs, 2) ndarray of int64
    essential : (n_essential,) ndarray of int64
    dimensions : (n,) ndarray of int8
        Dimension of each column.

    Examples
    --------
    >>> ends = np.array([0, 0, 1], dtype=np.int8)
    >>> obeys_laws(np.array([[1, 2]]), np.array([0]), ends)
    True
    >>> obeys_laws(np.array([[0, 1]]), np.array([2]), ends)
    False
    """
    n, before = len(dimensions), -1
    if 2 * len(pairs) + len(essential) != n:
        return False
    is_met = np.zeros(n, np.bool_)
    for i in range(len(pairs)):
        birth, death = pairs[i, 0], pairs[i, 1]
        if not before < birth < death < n or dimensions[birth] != dimensions[death] - 1:
            return False
        if is_met[birth] or is_met[death]:
            return False
        is_met[birth] = is_met[death] = True
        before = birth
    before = -1
    for i in range(len(essential)):
        column = essential[i]
        if not before < column < n or is_met[column]:
            return False
        is_met[column] = True
        before = column
    return True
