"""Compiled kernels of graphs; importing them loads numba, so import them where they are used.

Each makes one or two passes over the incidences in the order in which they are stored, so the time
is proportional to the size of the result and nothing is sorted as a whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.union_find import find
from relutopo.system.compilation import njit

__all__ = [
    "adjacency_rows",
    "bounds_of_entries",
    "breadth_first",
    "certain_signs",
    "components",
    "facet_edges",
    "laplacian_rows",
    "residual_norms",
]

_EPS = float(np.finfo(np.float64).eps)

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


@njit(cache=True)
def facet_edges(indptr: Int64s, facets: Int32s, n_facets: int) -> tuple[Int32s, Int32s]:
    """Return the pairs u < v of regions that share a facet, in lexicographic order, and the facet.

    Parameters
    ----------
    indptr, facets : ndarrays
        The facets of each region, in CSR form.
    n_facets : int
        Number of facets; each has one region or two.

    Examples
    --------
    >>> edges, shared = facet_edges(np.array([0, 2, 4]), np.array([0, 1, 1, 2], np.int32), 3)
    >>> edges.tolist(), shared.tolist()
    ([[0, 1]], [1])
    """
    n_edges = len(facets) - n_facets
    edges = np.empty((n_edges, 2), np.int32)
    shared = np.empty(n_edges, np.int32)
    # From the exclusive or of a facet's regions (numbered from 1, 0 for none), one of them gives
    # the other.
    both = np.zeros(n_facets, np.int32)
    for u in range(len(indptr) - 1):
        for i in range(indptr[u], indptr[u + 1]):
            both[facets[i]] ^= u + 1
    end = 0
    for u in range(len(indptr) - 1):
        start = end
        for i in range(indptr[u], indptr[u + 1]):
            v = (both[facets[i]] ^ (u + 1)) - 1
            if v <= u:
                continue
            # Insertion sort: a region has few neighbours.
            at = end
            while at > start and edges[at - 1, 1] > v:
                edges[at, 1] = edges[at - 1, 1]
                shared[at] = shared[at - 1]
                at -= 1
            edges[at, 1] = v
            shared[at] = facets[i]
            edges[end, 0] = u
            end += 1
    return edges, shared


@njit(cache=True)
def _row_ends(edges: Int32s, n_nodes: int, n_extra: int) -> tuple[Int32s, Int32s]:
    """Return the row pointer of a symmetric matrix, and how many columns lie below each diagonal.

    `n_extra` is added to the length of every row.
    """
    indptr = np.full(n_nodes + 1, n_extra, np.int32)
    indptr[0] = 0
    below = np.zeros(n_nodes, np.int32)
    for e in range(len(edges)):
        indptr[edges[e, 0] + 1] += 1
        indptr[edges[e, 1] + 1] += 1
        below[edges[e, 1]] += 1
    for u in range(n_nodes):
        indptr[u + 1] += indptr[u]
    return indptr, below


@njit(cache=True)
def adjacency_rows(edges: Int32s, n_nodes: int) -> tuple[Int32s, Int32s]:
    """Return the row pointer and the sorted columns of the symmetric adjacency matrix.

    Parameters
    ----------
    edges : (m, 2) ndarray of int32
        Pairs u < v in lexicographic order.
    n_nodes : int

    Examples
    --------
    >>> indptr, columns = adjacency_rows(np.array([[0, 1], [0, 2]], np.int32), 3)
    >>> indptr.tolist(), columns.tolist()
    ([0, 2, 3, 4], [1, 2, 0, 0])
    """
    # For a plain number it would be compiled apart.
    indptr, below = _row_ends(edges, n_nodes, np.int64(0))
    columns = np.empty(2 * len(edges), np.int32)
    low = indptr[:-1].copy()
    high = low + below
    for e in range(len(edges)):
        u, v = edges[e, 0], edges[e, 1]
        columns[high[u]] = v
        high[u] += 1
        columns[low[v]] = u
        low[v] += 1
    return indptr, columns


@njit(cache=True)
def laplacian_rows(edges: Int32s, weights: Any, n_nodes: int) -> tuple[Int32s, Int32s, Any]:
    """Return the rows of ∂ᵀ W_E ∂ in CSR form, columns sorted.

    Parameters
    ----------
    edges : (m, 2) ndarray of int32
        Pairs u < v in lexicographic order.
    weights : (m,) ndarray
        The diagonal of W_E.
    n_nodes : int

    Examples
    --------
    >>> _, _, values = laplacian_rows(np.array([[0, 1]], np.int32), np.array([2.0]), 2)
    >>> values.tolist()
    [2.0, -2.0, -2.0, 2.0]
    """
    indptr, below = _row_ends(edges, n_nodes, np.int64(1))
    columns = np.empty(indptr[-1], np.int32)
    values = np.empty(indptr[-1], np.float64)
    diagonal = np.zeros(n_nodes, np.float64)
    low = indptr[:-1].copy()
    high = low + below + 1
    for e in range(len(edges)):
        u, v = edges[e, 0], edges[e, 1]
        columns[high[u]] = v
        values[high[u]] = -weights[e]
        high[u] += 1
        columns[low[v]] = u
        values[low[v]] = -weights[e]
        low[v] += 1
        diagonal[u] += weights[e]
        diagonal[v] += weights[e]
    for u in range(n_nodes):
        columns[low[u]] = u
        values[low[u]] = diagonal[u]
    return indptr, columns, values


@njit(cache=True)
def breadth_first(
    indptr: Int32s, columns: Int32s, root: int, distance: Int32s, queue: Int32s
) -> int:
    """Fill in the distances of all nodes that can be reached from a node; they were -1 before.

    Returns the number of these nodes. They fill the beginning of `queue`, in order of distance;
    it has room for one node more than there are with distance -1.

    Parameters
    ----------
    indptr, columns : ndarrays of int32
        The neighbours of each node, in CSR form.
    root : int
        The node to begin at, whose distance is -1.
    distance : (n,) ndarray of int32
        Written to.
    queue : ndarray of int32
        Written to.

    Examples
    --------
    >>> indptr, columns = adjacency_rows(np.array([[0, 1], [1, 2]], np.int32), 3)
    >>> distance, queue = np.full(3, -1, np.int32), np.empty(4, np.int32)
    >>> breadth_first(indptr, columns, 2, distance, queue), distance.tolist()
    (3, [2, 1, 0])
    """
    distance[root] = 0
    queue[0] = root
    head, tail = 0, 1
    while head < tail:
        u = queue[head]
        head += 1
        further = distance[u] + 1
        for i in range(indptr[u], indptr[u + 1]):
            # No branch, which could not be predicted: a node that is not new is overwritten.
            v = columns[i]
            queue[tail] = v
            is_new = distance[v] < 0
            distance[v] = further if is_new else distance[v]
            tail += is_new
    return tail


@njit(cache=True)
def components(edges: Int32s, n_nodes: int) -> Int32s:
    """Return the connected component of each node, numbered from 0 by first node.

    Parameters
    ----------
    edges : (n_edges, 2) ndarray of int32
    n_nodes : int

    Examples
    --------
    >>> components(np.array([[0, 2]], np.int32), 3).tolist()
    [0, 1, 0]
    """
    parents = np.arange(n_nodes, dtype=np.uint32)
    for i in range(len(edges)):
        u, v = find(parents, np.uint32(edges[i, 0])), find(parents, np.uint32(edges[i, 1]))
        parents[max(u, v)] = min(u, v)
    labels, n_found = np.empty(n_nodes, np.int32), 0
    for node in range(n_nodes):
        root = find(parents, np.uint32(node))
        if root == node:  # the first node of its component
            labels[node] = n_found
            n_found += 1
        else:
            labels[node] = labels[root]
    return labels


@njit(cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
def residual_norms(
    indptr: Int32s, columns: Int32s, values: Any, weights: Any, x: Any
) -> tuple[float, float, float, float]:
    """Return the numbers of `relutopo.spectral.accuracy.Quality` for a vector.

    L x, |L| |x| and xᵀ L x are computed from the entries of L off its diagonal, as sums over
    differences, without the cancellation that the diagonal would cause.

    Parameters
    ----------
    indptr, columns, values : ndarrays
        L in CSR form.
    weights, x : (n,) ndarrays
        Diagonal of W_V, and the vector.

    Examples
    --------
    >>> edge = laplacian_rows(np.array([[0, 1]], np.int32), np.array([2.0]), 2)
    >>> residual_norms(*edge, np.ones(2), np.array([0.5, -0.5]))[:2]
    (2.0, 1.0)
    """
    n = len(x)
    image, sizes = np.empty(n), np.empty(n)
    energy = norm = residual = rounding = distance = of_rounding = 0.0
    for i in range(n):
        sum_ = size = of_row = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            j = columns[p]
            if j != i:
                difference = x[i] - x[j]
                change = -values[p] * difference
                sum_ += change
                of_row += change * difference
                size -= values[p] * (abs(x[i]) + abs(x[j]))
        image[i] = sum_
        # Each entry of the residual is off by the effect of rounding x, and by the few roundings
        # of a row; differences are rounded less than that.
        sizes[i] = _EPS * size
        energy += of_row
    value = energy / 2  # each edge was met twice
    if not value > 0.0:
        return value, np.inf, 0.0, np.inf
    for i in range(n):
        weighted = weights[i] * x[i]
        off = image[i] - value * weighted
        norm += weighted * weighted
        residual += off * off
        rounding += sizes[i] * sizes[i]
        distance += off * off / weights[i]
        of_rounding += sizes[i] * sizes[i] / weights[i]
    scale = np.sqrt(norm)
    return (
        value,
        np.sqrt(residual) / value / scale,
        np.sqrt(rounding) / value / scale,
        np.sqrt(distance) + np.sqrt(of_rounding),
    )


@njit(cache=True, error_model="numpy")
def bounds_of_entries(weights: Any, x: Any, error: float) -> Any:
    """Return the bounds of `relutopo.spectral.accuracy.entry_bounds`.

    Parameters
    ----------
    weights, x : (n,) ndarrays
        Diagonal of W_V, and the vector.
    error : float
        Bound of its error in the norm of W_V.

    Examples
    --------
    >>> bounds_of_entries(np.array([1.0, 4.0]), np.zeros(2), 1e-9).tolist()
    [1e-09, 5e-10]
    """
    n, total, size, part, lost = len(x), 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        weighted = weights[i] * x[i]
        total += weights[i]
        size += abs(weighted)
        # What the sum of terms of both signs loses in rounding is added up apart.
        longer = part + weighted
        taken = longer - part
        lost += (part - (longer - taken)) + (weighted - taken)
        part = longer
    # A component along the constants moves all entries alike.
    shift = (abs(part + lost) + 4 * _EPS * size) / total
    bounds = np.empty(n)
    for i in range(n):
        bounds[i] = error / np.sqrt(weights[i]) + shift + 2 * _EPS * abs(x[i])
    return bounds


@njit(cache=True, error_model="numpy")
def certain_signs(weights: Any, x: Any, error: float) -> NDArray[np.int8]:
    """Return the sign of each entry, 0 where the bound of `bounds_of_entries` leaves it open.

    Parameters
    ----------
    weights, x, error
        As for `bounds_of_entries`.

    Examples
    --------
    >>> certain_signs(np.ones(3), np.array([0.7, 1e-17, -0.7]), 1e-15).tolist()
    [1, 0, -1]
    """
    bounds, signs = bounds_of_entries(weights, x, error), np.empty(len(x), np.int8)
    for i in range(len(x)):
        sign = 1 if x[i] > 0.0 else -1
        signs[i] = 0 if abs(x[i]) <= bounds[i] else sign
    return signs
