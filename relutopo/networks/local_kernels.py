"""Compiled kernels for graphs on a block of regions; see `relutopo.networks.local_maps`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["Rows", "maps_on_regions", "sparse_rows"]


class Rows(NamedTuple):
    """Non-zero entries of a matrix, row by row: those of row i are at ptr[i]:ptr[i + 1]."""

    ptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    numbers: NDArray[np.float64]


def sparse_rows(matrix: NDArray[Any]) -> Rows:
    """Return the non-zero entries of a matrix, row by row.

    Examples
    --------
    >>> rows = sparse_rows(np.array([[0.0, 2.0], [0.0, 0.0], [3.0, 4.0]]))
    >>> rows.ptr.tolist(), rows.columns.tolist(), rows.numbers.tolist()
    ([0, 1, 1, 3], [1, 0, 1], [2.0, 3.0, 4.0])
    """
    rows, columns = np.nonzero(matrix)
    ptr = np.searchsorted(rows, np.arange(len(matrix) + 1))
    return Rows(ptr, columns, matrix[rows, columns].astype(float))


@njit(cache=True, nogil=True)
def maps_on_regions(
    slopes: NDArray[np.float64],
    planes: NDArray[np.float64],
    factors: Rows,
    own: NDArray[np.float64],
    others: NDArray[np.bool_],
    sets: Rows,
    reach: NDArray[np.float64],
    rounding: float,
    lost: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return maps on regions, their bounds, and which variables are active there.

    Parameters
    ----------
    slopes : (n_regions, f) ndarray
        Slopes of the variables.
    planes : (f + n, d + 1) ndarray
        A and c of the pre-activations of the variables, then of the wanted values.
    factors : Rows
        C of the same; rows of variables have entries only in earlier columns.
    own : (f + n,) ndarray
        Bounds of the errors of A, c and C, including the rounding of the sums that start with them.
    others : (f + n,) ndarray of bool
        Whether anything besides the variables contributes to a value.
    sets : Rows
        The supports.
    reach : (d + 1,) ndarray
        Bounds of the factors of the columns of maps: of |x_i|, and 1.
    rounding, lost : float
        Relative rounding error of a sum, and its loss to underflow.

    Returns
    -------
    maps, bounds : (n_regions, d + 1, n), (n_regions, n) ndarrays
    active : (n_regions, f) ndarray of bool
    """
    n_regions, f = slopes.shape
    n_rows, width = planes.shape
    maps, bounds = np.zeros((n_regions, width, n_rows - f)), np.zeros((n_regions, n_rows - f))
    active = np.zeros((n_regions, f), np.bool_)
    inputs, losses, total = np.empty((f, width)), np.empty(f), np.empty(width)
    for r in range(n_regions):
        for i in range(n_rows):
            slope = slopes[r, i] if i < f else 1.0
            # A value whose support has nothing active is known to be zero.
            is_empty = slope == 0.0
            if not is_empty and not others[i]:
                is_empty = True
                for q in range(sets.ptr[i], sets.ptr[i + 1]):
                    is_empty &= not active[r, sets.columns[q]]
            if is_empty:
                if i < f:
                    inputs[i], losses[i] = 0.0, 0.0
                continue
            for k in range(width):
                total[k] = planes[i, k]
            bound = own[i]
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                j, factor = factors.columns[q], factors.numbers[q]
                for k in range(width):
                    total[k] += factor * inputs[j, k]
                bound += abs(factor) * losses[j]
            if i >= f:
                bounds[r, i - f] = bound
                for k in range(width):
                    maps[r, k, i - f] = total[k]
                continue
            height, is_zero = 0.0, True
            for k in range(width):
                inputs[i, k] = slope * total[k]
                height += reach[k] * abs(inputs[i, k])
                is_zero &= inputs[i, k] == 0.0
            active[r, i] = bound > 0.0 or not is_zero
            losses[i] = 1.01 * (abs(slope) * bound + 2.0 * rounding * height)
            if bound > 0.0:
                losses[i] += lost
    return maps, bounds, active
