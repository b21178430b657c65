"""What an eigenpair of a pencil must satisfy, as a compiled kernel; importing it loads numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.system.compilation import njit

__all__ = ["norms_of_pair"]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def norms_of_pair(
    indptr: Any, columns: Any, values: Any, weights: Any, x: Any, eigenvalue: float
) -> tuple[float, float, float, float]:
    """Return xᵀ W_V x, 1ᵀ W_V x / ‖W_V^{1/2} 1‖, ‖W_V x‖ and ‖L x - λ W_V x‖.

    They are not finite if an entry of x is not.

    Parameters
    ----------
    indptr, columns, values : ndarrays
        L in CSR form.
    weights, x : (n,) ndarrays
        Diagonal of W_V, and the vector.
    eigenvalue : float
        λ.

    Examples
    --------
    >>> edge = np.array([0, 2, 4]), np.array([0, 1, 0, 1]), np.array([1.0, -1.0, -1.0, 1.0])
    >>> norms_of_pair(*edge, np.ones(2), np.array([1.0, -1.0]), 2.0)[::3]
    (2.0, 0.0)
    """
    square = along = size = rest = total = 0.0
    for i in range(len(x)):
        image = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            image += values[p] * x[columns[p]]
        weighted = weights[i] * x[i]
        off = image - eigenvalue * weighted
        square += weighted * x[i]
        along += weighted
        total += weights[i]
        size += weighted * weighted
        rest += off * off
    return square, along / np.sqrt(total), np.sqrt(size), np.sqrt(rest)
