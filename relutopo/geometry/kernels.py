"""Compiled kernels of complexes; importing them loads numba, so import them where they are used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = [
    "corners",
    "extremes_over_facets",
    "find_rows",
    "means_of_corners",
    "means_of_rows",
    "polygons",
    "sections",
    "signs_beyond",
]

Floats = NDArray[np.float64]
Int8s = NDArray[np.int8]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


@njit(cache=True)
def corners(
    indptr: Int64s, facets: Int32s, below_ptr: Int32s, below: Int32s, n_vertices: int
) -> tuple[Int32s, Int32s]:
    """Return the vertices of cells, ascending in a cell, as CSR lists.

    Parameters
    ----------
    indptr, facets : ndarrays
        The facets of the cells.
    below_ptr, below : ndarrays
        The vertices of the facets.
    n_vertices : int

    Examples
    --------
    >>> triangle = np.array([0, 3]), np.array([0, 1, 2], np.int32)
    >>> edges = np.array([0, 2, 4, 6], np.int32), np.array([0, 2, 1, 2, 0, 1], np.int32)
    >>> [part.tolist() for part in corners(*triangle, *edges, 3)]
    [[0, 3], [0, 1, 2]]
    """
    # Listing the cells of each vertex, and from these the vertices of each cell, sorts them.
    n = len(indptr) - 1
    last = np.full(n_vertices, -1, np.int32)
    ends, filled = np.zeros(n + 1, np.int32), np.zeros(n_vertices + 1, np.int32)
    for cell in range(n):
        ends[cell + 1] = ends[cell]
        for i in range(indptr[cell], indptr[cell + 1]):
            for j in range(below_ptr[facets[i]], below_ptr[facets[i] + 1]):
                if last[below[j]] != cell:
                    last[below[j]] = cell
                    ends[cell + 1] += 1
                    filled[below[j] + 1] += 1
    for vertex in range(n_vertices):
        filled[vertex + 1] += filled[vertex]
        last[vertex] = -1
    cells = np.empty(ends[n], np.int32)
    for cell in range(n):
        for i in range(indptr[cell], indptr[cell + 1]):
            for j in range(below_ptr[facets[i]], below_ptr[facets[i] + 1]):
                if last[below[j]] != cell:
                    last[below[j]] = cell
                    cells[filled[below[j]]] = cell
                    filled[below[j]] += 1
    at, vertices, i = ends[:-1].copy(), np.empty(ends[n], np.int32), 0
    for vertex in range(n_vertices):
        while i < filled[vertex]:  # by now the end of the vertex's cells
            vertices[at[cells[i]]] = vertex
            at[cells[i]] += 1
            i += 1
    return ends, vertices


@njit(cache=True)
def means_of_rows(rows: Floats, indptr: Int32s, chosen: Int32s) -> Floats:
    """Return the means of lists of rows, which are CSR lists.

    Examples
    --------
    >>> places = np.array([[0.0, 2.0], [1.0, 4.0]])
    >>> means_of_rows(places, np.array([0, 2], np.int32), np.array([0, 1], np.int32)).tolist()
    [[0.5, 3.0]]
    """
    n, d = len(indptr) - 1, rows.shape[1]
    means = np.zeros((n, d))
    for i in range(n):
        for j in range(indptr[i], indptr[i + 1]):
            for k in range(d):
                means[i, k] += rows[chosen[j], k]
        for k in range(d):
            means[i, k] /= indptr[i + 1] - indptr[i]
    return means


@njit(cache=True)
def means_of_corners(
    vertices: Floats, ends: Int32s, indptr: Int64s, edges: Int32s, chosen: Int64s
) -> Floats:
    """Return the means of the corners of some polygons, summed in ascending order of vertices.

    Parameters
    ----------
    vertices, ends, indptr, edges
        As for `polygons`.
    chosen : ndarray of int64
        Which polygons.

    Examples
    --------
    >>> places = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    >>> triangle = np.array([0, 1, 1, 2, 2, 0], "i4"), np.array([0, 3]), np.array([0, 1, 2], "i4")
    >>> means_of_corners(places, *triangle, np.array([0])).tolist()
    [[1.0, 1.0]]
    """
    means, corners = np.zeros((len(chosen), 2)), np.empty(16, np.int32)
    for q in range(len(chosen)):
        begin, n = indptr[chosen[q]], indptr[chosen[q] + 1] - indptr[chosen[q]]
        if n > len(corners):
            corners = np.empty(2 * n, np.int32)
        size = 0
        for i in range(begin, begin + n):
            for v in (ends[2 * edges[i]], ends[2 * edges[i] + 1]):
                at = size
                while at > 0 and corners[at - 1] > v:
                    at -= 1
                if at == 0 or corners[at - 1] != v:
                    for j in range(size, at, -1):
                        corners[j] = corners[j - 1]
                    corners[at] = v
                    size += 1
        for i in range(size):
            means[q, 0] += vertices[corners[i], 0]
            means[q, 1] += vertices[corners[i], 1]
        means[q, 0] /= size
        means[q, 1] /= size
    return means


@njit(cache=True)
def extremes_over_facets(
    indptr: Int64s, facets: Int32s, low: Int8s, high: Int8s
) -> tuple[Int8s, Int8s]:
    """Return the least of `low` and the greatest of `high` over the facets of each cell.

    Examples
    --------
    >>> ends, signs = np.array([0, 1, 1, 2], np.int32), np.array([1, 1, -1], np.int8)
    >>> found = extremes_over_facets(np.array([0, 2, 4]), ends, signs, signs)
    >>> [part.tolist() for part in found]
    [[1, -1], [1, 1]]
    """
    n = len(indptr) - 1
    least, greatest = np.empty(n, np.int8), np.empty(n, np.int8)
    for cell in range(n):
        a, b = np.int8(127), np.int8(-128)
        for i in range(indptr[cell], indptr[cell + 1]):
            a, b = min(a, low[facets[i]]), max(b, high[facets[i]])
        least[cell], greatest[cell] = a, b
    return least, greatest


@njit(cache=True)
def polygons(
    vertices: Floats, ends: Int32s, indptr: Int64s, edges: Int32s
) -> tuple[Floats, Floats]:
    """Return the areas of convex polygons, and their areas times their centres of mass.

    Parameters
    ----------
    vertices : (n_0, 2) ndarray
    ends : (2 n_1,) ndarray
        The two vertices of each edge.
    indptr, edges : ndarrays
        The edges of each polygon.

    Examples
    --------
    >>> places = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    >>> triangle = np.array([0, 1, 1, 2, 2, 0], "i4"), np.array([0, 3]), np.array([0, 1, 2], "i4")
    >>> [part.tolist() for part in polygons(places, *triangle)]
    [[4.5], [[4.5, 4.5]]]
    """
    n = len(indptr) - 1
    areas, moments = np.zeros(n), np.zeros((n, 2))
    for polygon in range(n):
        begin, end = indptr[polygon], indptr[polygon + 1]
        first = len(vertices)
        for i in range(begin, end):
            first = min(first, ends[2 * edges[i]], ends[2 * edges[i] + 1])
        # The triangles between the first vertex and the edges that it is not on.
        for i in range(begin, end):
            a, b = ends[2 * edges[i]], ends[2 * edges[i] + 1]
            if a == first or b == first:
                continue
            x, y = vertices[first, 0], vertices[first, 1]
            ax, ay, bx, by = vertices[a, 0], vertices[a, 1], vertices[b, 0], vertices[b, 1]
            area = abs((ax - x) * (by - y) - (ay - y) * (bx - x)) / 2
            areas[polygon] += area
            moments[polygon, 0] += area * ((x + ax + bx) / 3)
            moments[polygon, 1] += area * ((y + ay + by) / 3)
    return areas, moments


@njit(cache=True)
def sections(
    above_ptr: Int64s,
    above: Int32s,
    indptr: Int64s,
    facets: Int32s,
    is_cut_above: NDArray[np.bool_],
    cut: Int64s,
    is_whole: NDArray[np.bool_],
    whole: Int64s,
) -> tuple[Int64s, Int32s]:
    """Return the facets of the k-cells of a decision boundary, as CSR lists.

    These are whole k-cells, then the sections of cut (k+1)-cells.

    Parameters
    ----------
    above_ptr, above : ndarrays
        The facets of the (k+1)-cells.
    indptr, facets : ndarrays
        The facets of the k-cells.
    is_cut_above : ndarray of bool
        Which (k+1)-cells are cut.
    cut : ndarray
        The number of the section of each k-cell, -1 for those that are not cut.
    is_whole : ndarray of bool
        Which k-cells are whole.
    whole : ndarray
        The number of each (k-1)-cell that is whole, -1 for others.

    Examples
    --------
    The section of a triangle through a vertex and the edge that is opposite:

    >>> triangle = np.array([0, 3]), np.array([0, 1, 2], np.int32)
    >>> edges = np.array([0, 2, 4, 6]), np.array([0, 1, 1, 2, 0, 2], np.int32)
    >>> found = sections(*triangle, *edges, np.array([True]), np.array([-1, 1, -1]),
    ...                  np.zeros(3, bool), np.array([0, -1, -1]))
    >>> [part.tolist() for part in found]
    [[0, 2], [0, 1]]
    """
    n_cells, room = np.sum(is_whole) + np.sum(is_cut_above), len(facets)
    for cell in range(len(is_cut_above)):
        if is_cut_above[cell]:
            for i in range(above_ptr[cell], above_ptr[cell + 1]):
                room += 1 + indptr[above[i] + 1] - indptr[above[i]]
    ends, found = np.zeros(n_cells + 1, np.int64), np.empty(room, np.int32)
    last = np.full(len(whole), -1, np.int64)
    size, n = 0, 0
    for cell in range(len(is_whole)):
        if is_whole[cell]:
            for i in range(indptr[cell], indptr[cell + 1]):
                found[size] = whole[facets[i]]
                size += 1
            n += 1
            ends[n] = size
    for cell in range(len(is_cut_above)):
        if is_cut_above[cell]:
            # Two facets of the cell meet in each of their facets.
            for i in range(above_ptr[cell], above_ptr[cell + 1]):
                for j in range(indptr[above[i]], indptr[above[i] + 1]):
                    face = facets[j]
                    if whole[face] >= 0 and last[face] != cell:
                        last[face] = cell
                        found[size] = whole[face]
                        size += 1
            for i in range(above_ptr[cell], above_ptr[cell + 1]):
                if cut[above[i]] >= 0:
                    found[size] = cut[above[i]]
                    size += 1
            n += 1
            ends[n] = size
    return ends, found[:size].copy()


@njit(cache=True)
def find_rows(rows: NDArray[np.uint8], among: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each row the index of the equal row among others, which are distinct, or -1.

    Examples
    --------
    >>> others = np.array([[3, 0], [1, 0]], dtype=np.uint8)
    >>> find_rows(np.array([[1, 0], [1, 2]], dtype=np.uint8), others).tolist()
    [1, -1]
    """
    size = 2
    while size < 2 * len(among):
        size *= 2
    table = np.full(size, -1, np.int64)
    for i in range(len(among)):
        slot = _hash(among, i) & (size - 1)
        while table[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[slot] = i
    found = np.full(len(rows), -1, np.int64)
    for i in range(len(rows)):
        slot = _hash(rows, i) & (size - 1)
        while table[slot] >= 0:
            other = table[slot]
            k = 0
            while k < rows.shape[1] and rows[i, k] == among[other, k]:
                k += 1
            if k == rows.shape[1]:
                found[i] = other
                break
            slot = (slot + 1) & (size - 1)
    return found


@njit(cache=True)
def _hash(rows: NDArray[np.uint8], i: int) -> Any:
    """Return a hash of a row: FNV-1a, its upper half folded into the lower one."""
    value = np.uint64(0xCBF29CE484222325)
    for k in range(rows.shape[1]):
        value = (value ^ np.uint64(rows[i, k])) * np.uint64(0x100000001B3)
    return np.int64((value ^ (value >> np.uint64(32))) & np.uint64(0x7FFFFFFF))


@njit(cache=True)
def signs_beyond(values: Floats, bounds: Floats) -> tuple[Int8s, NDArray[np.bool_]]:
    """Return the signs of values, and which of them error bounds leave open.

    Parameters
    ----------
    values, bounds : (n,) ndarrays
        What is not finite counts as open; the sign of NaN is 0.

    Examples
    --------
    >>> [part.tolist() for part in signs_beyond(np.array([2.0, -1.0, np.inf]), np.ones(3))]
    [[1, -1, 1], [False, True, True]]
    """
    signs, is_open = np.empty(len(values), np.int8), np.empty(len(values), np.bool_)
    for i in range(len(values)):
        value = values[i]
        signs[i] = np.int8(value > 0.0) - np.int8(value < 0.0)
        is_open[i] = not (abs(value) > bounds[i] and abs(value) < np.inf)
    return signs, is_open
