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
    # Contiguous, so that kernels are compiled once.
    return Rows(ptr, np.ascontiguousarray(columns), matrix[rows, columns].astype(float))


@njit(cache=True, nogil=True)
def maps_on_regions(
    packed: NDArray[np.uint8],
    neurons: NDArray[np.int64],
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

    A region mostly differs from the one before it in few neurons. Only what depends on these is
    computed again.

    Parameters
    ----------
    packed : (n_regions, n_bytes) ndarray of uint8
        Patterns of the regions.
    neurons : (f,) ndarray of int64
        The neurons that the variables are results of. Regions differ in no others that matter.
    slopes : (2, f) ndarray
        Slopes of the variables where their neurons are off, and where they are on.
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
    n_regions, f = len(packed), len(neurons)
    n_rows, width = planes.shape
    maps = np.empty((n_regions, width, n_rows - f))
    bounds = np.empty((n_regions, n_rows - f))
    active = np.empty((n_regions, f), np.bool_)
    inputs, losses, total = np.zeros((f, width)), np.zeros(f), np.empty(width)
    is_active = np.zeros(f, np.bool_)
    use_ptr, uses = _uses(f, factors, sets)
    variable_of, places = _variables_of_bits(neurons, packed.shape[1])
    # Rows that are not known to be as on the region before, the first one last.
    queue = np.arange(n_rows)[::-1].copy()
    n_queued = int(n_rows)
    is_queued = np.ones(n_rows, np.bool_)
    for r in range(n_regions):
        if r > 0:
            for k in range(width):
                for j in range(n_rows - f):
                    maps[r, k, j] = maps[r - 1, k, j]
            for j in range(n_rows - f):
                bounds[r, j] = bounds[r - 1, j]
            for place in places:
                byte = packed[r, place] ^ packed[r - 1, place]
                bit = 8 * place
                while byte:
                    if byte & 1 and variable_of[bit] >= 0:
                        n_queued = _put(variable_of[bit], queue, n_queued, is_queued)
                    byte >>= 1
                    bit += 1
        while n_queued:
            n_queued -= 1
            i = queue[n_queued]
            is_queued[i] = False
            slope = 1.0
            if i < f:
                slope = slopes[(packed[r, neurons[i] >> 3] >> (neurons[i] & 7)) & 1, i]
            # A value whose support has nothing active is known to be zero.
            is_empty = slope == 0.0
            if not is_empty and not others[i]:
                is_empty = True
                for q in range(sets.ptr[i], sets.ptr[i + 1]):
                    is_empty &= not is_active[sets.columns[q]]
            bound = 0.0 if is_empty else own[i]
            for k in range(width):
                total[k] = 0.0 if is_empty else planes[i, k]
            if not is_empty:
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
            is_active[i] = bound > 0.0 or not is_zero
            losses[i] = 1.01 * (abs(slope) * bound + 2.0 * rounding * height)
            if bound > 0.0:
                losses[i] += lost
            for q in range(use_ptr[i], use_ptr[i + 1]):
                n_queued = _put(uses[q], queue, n_queued, is_queued)
        for i in range(f):
            active[r, i] = is_active[i]
    return maps, bounds, active


@njit(cache=True)
def _uses(f: int, factors: Rows, sets: Rows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each variable, the rows whose values or supports it is part of."""
    ptr, n_rows = np.zeros(f + 2, np.int64), len(factors.ptr) - 1
    for rows in (factors, sets):
        for j in rows.columns:
            ptr[j + 2] += 1
    ptr = ptr.cumsum()
    uses = np.empty(ptr[-1], np.int64)
    for rows in (factors, sets):
        for i in range(n_rows):
            for q in range(rows.ptr[i], rows.ptr[i + 1]):
                j = rows.columns[q]
                uses[ptr[j + 1]] = i
                ptr[j + 1] += 1
    return ptr[:-1], uses


@njit(cache=True)
def _variables_of_bits(
    neurons: NDArray[np.int64], n_bytes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which variable each bit of a pattern stands for, or -1, and the bytes that matter."""
    variable_of, matters = np.full(8 * n_bytes, -1, np.int64), np.zeros(n_bytes, np.bool_)
    for i in range(len(neurons)):
        variable_of[neurons[i]] = i
        matters[neurons[i] >> 3] = True
    return variable_of, np.flatnonzero(matters)


@njit(cache=True)
def _put(i: int, queue: NDArray[np.int64], n_queued: int, is_queued: NDArray[np.bool_]) -> int:
    """Put a number into a falling queue unless it is there; return how many there are."""
    if is_queued[i]:
        return n_queued
    is_queued[i] = True
    k = n_queued
    while k > 0 and queue[k - 1] < i:
        queue[k] = queue[k - 1]
        k -= 1
    queue[k] = i
    return n_queued + 1
