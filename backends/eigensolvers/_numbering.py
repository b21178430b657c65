"""A numbering of a graph in which neighbours are near each other in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.spectral.csr import csr_of
from relutopo.spectral.kernels import breadth_first
from relutopo.system.compilation import njit

__all__ = ["breadth_first_order", "renumbered"]


def renumbered(matrix: sparse.csr_array, order: NDArray[np.int32]) -> sparse.csr_array:
    """Return a symmetric matrix with rows and columns in another order.

    Parameters
    ----------
    matrix : (n, n) scipy.sparse.csr_array
    order : (n,) ndarray of int32
        The old row at each new one.

    Returns
    -------
    (n, n) scipy.sparse.csr_array
        With sorted indices of type int32.

    Examples
    --------
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> renumbered(path, np.array([1, 0, 2], dtype=np.int32)).toarray().tolist()
    [[2.0, -1.0, -1.0], [-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]]
    """
    result = csr_of(*_renumber(matrix.indptr, matrix.indices, matrix.data, order))
    result.has_sorted_indices = True
    return result


@njit(cache=True)
def _renumber(indptr, indices, data, order):
    n = len(order)
    position = np.empty(n, np.int32)
    for i in range(n):
        position[order[i]] = i
    new_indptr = np.zeros(n + 1, np.int32)
    for i in range(n):
        new_indptr[i + 1] = new_indptr[i] + (indptr[order[i] + 1] - indptr[order[i]])
    new_indices = np.empty(len(indices), np.int32)
    new_data = np.empty(len(indices), np.float64)
    end = new_indptr[:-1].copy()
    # Row i is also column i: written in this order, the columns of every row come sorted.
    for i in range(n):
        for p in range(indptr[order[i]], indptr[order[i] + 1]):
            row = position[indices[p]]
            new_indices[end[row]] = i
            new_data[end[row]] = data[p]
            end[row] += 1
    return new_indptr, new_indices, new_data


@njit(cache=True)
def breadth_first_order(indptr, indices):
    """Return the nodes by their distance from a node that is farthest from node 0, (n,) int32.

    Nodes without a path to it come last.
    """
    n = len(indptr) - 1
    distance, order = np.full(n, -1, np.int32), np.empty(n + 1, np.int32)
    # For the plain number 0, and for one of 32 bits, it would be compiled apart.
    n_reached = breadth_first(indptr, indices, np.int64(0), distance, order)
    last = np.int64(order[n_reached - 1])
    for v in range(n):
        distance[v] = -1
    n_reached = breadth_first(indptr, indices, last, distance, order)
    for v in range(n):
        if distance[v] < 0:
            order[n_reached] = v
            n_reached += 1
    return order[:n]
