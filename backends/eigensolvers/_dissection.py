"""Nested dissection of a graph: an order of elimination with little fill, from the graph alone.

A. George, "Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10 (1973)
345-363: cut the nodes into two halves and a separator, order both halves first, each in the same
way, and the separator last. On planar graphs the factor then has O(n log n) entries (R. J.
Lipton, D. J. Rose, R. E. Tarjan, "Generalized nested dissection", SIAM J. Numer. Anal. 16 (1979)
346-358).

Halves come from coordinates, and these from the graph: the differences of the distances to two
far apart nodes, for three such pairs, smoothed. In dual graphs of complexes they are as good as
the regions' positions, and they exist without a complex. Between two halves the separator is a
smallest set of nodes that meets every edge between them (D. Kőnig, "Gráfok és mátrixok", 1931):
as large as a largest matching of these edges, from which it is read off.

Everything is decided by integers and by sums in a fixed order: same graph, same order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.compilation import njit

from ._numbering import distances

__all__ = ["Dissection", "nested_dissection"]

_LEAF_SIZE = 12
_N_SWEEPS = 2
_SAMPLE = 127
_N_TRIED = 2


@dataclass(frozen=True, eq=False)
class Dissection:
    """An order of the nodes, and its blocks: parts that were not cut further, and separators.

    Attributes
    ----------
    order : (n,) ndarray of int32
        The node at each position.
    starts : (n_blocks + 1,) ndarray of int64
        Block b takes the positions starts[b]:starts[b + 1].
    parents : (n_blocks,) ndarray of int64
        The separator next above a block, a later block; -1 if there is none. No edge joins a
        block with a later block that is not above it.
    """

    order: NDArray[np.int32]
    starts: NDArray[np.int64]
    parents: NDArray[np.int64]


def nested_dissection(
    indptr: NDArray[np.int32], indices: NDArray[np.int32], leaf_size: int = _LEAF_SIZE
) -> Dissection:
    """Return a nested dissection of a graph.

    Parameters
    ----------
    indptr, indices : ndarray of int32
        Symmetric adjacency in CSR form; diagonal entries do not matter.
    leaf_size : int
        Parts of at most this many nodes are not cut further.

    Returns
    -------
    Dissection

    Examples
    --------
    >>> from scipy import sparse
    >>> ones = np.ones(8)
    >>> path = sparse.diags_array([ones, ones], offsets=[-1, 1], format="csr")
    >>> found = nested_dissection(path.indptr, path.indices, leaf_size=5)
    >>> found.order[-1], np.diff(found.starts).tolist(), found.parents.tolist()
    (np.int32(5), [3, 5, 1], [2, 2, -1])
    """
    coordinates = _landmark_coordinates(indptr, indices)
    order, above = _dissect(indptr, indices, coordinates, leaf_size)
    starts = np.flatnonzero(above >= 0)
    parents = np.searchsorted(starts, above[starts])
    parents[parents == len(starts)] = -1
    return Dissection(order, np.append(starts, len(order)), parents)


@njit(cache=True)
def _landmark_coordinates(indptr, indices):
    """Return three smooth coordinates of each node, (n, 3)."""
    n = len(indptr) - 1
    x = np.empty((n, 3))
    queue = np.empty(n, np.int32)
    one, two = np.empty(n, np.int32), np.empty(n, np.int32)
    nearest = np.full(n, n, np.int32)  # distance to the landmarks so far
    source = queue[distances(indptr, indices, 0, one, queue) - 1]
    for axis in range(3):
        distances(indptr, indices, source, one, queue)
        # The other end of the axis lies far from its beginning and from all earlier landmarks.
        other, best = 0, -1
        for v in range(n):
            far = one[v] + min(nearest[v], one[v])
            if far > best:
                other, best = v, far
        distances(indptr, indices, other, two, queue)
        source, best = 0, -1
        for v in range(n):
            x[v, axis] = one[v] - two[v]
            nearest[v] = min(nearest[v], one[v], two[v])
            if nearest[v] > best:
                source, best = v, nearest[v]
    # Distances are integers with many ties; averages over neighbours tell them apart.
    y = np.empty_like(x)
    for _ in range(_N_SWEEPS):
        for v in range(n):
            a = b = c = 0.0
            for p in range(indptr[v], indptr[v + 1]):
                u = indices[p]
                a += x[u, 0]
                b += x[u, 1]
                c += x[u, 2]
            share = 0.5 / max(1, indptr[v + 1] - indptr[v])
            y[v, 0] = 0.5 * x[v, 0] + share * a
            y[v, 1] = 0.5 * x[v, 1] + share * b
            y[v, 2] = 0.5 * x[v, 2] + share * c
        x, y = y, x
    return x


@njit(cache=True, inline="always")
def _key(x, v, direction):
    """Return the coordinate of a node along one of `_N_DIRECTIONS` directions."""
    if direction < 3:
        return x[v, direction]
    if direction == 3:
        return x[v, 0] + x[v, 1]
    return x[v, 0] - x[v, 1]


_N_DIRECTIONS = 5
_LOW, _HIGH, _SEPARATOR = 1, 2, 3
_ACROSS = _LOW ^ _HIGH


@njit(cache=True, inline="always")
def _is_at_cut(indptr, indices, place, v):
    """Tell whether a node has a neighbour in its part on the other side."""
    for p in range(indptr[v], indptr[v + 1]):  # noqa: SIM110
        if place[indices[p]] ^ place[v] == _ACROSS:
            return True
    return False


@njit(cache=True)
def _dissect(indptr, indices, x, leaf_size):
    """Return the order, and where its blocks start.

    A block starts at every position where the second array is not -1; it holds there the first
    position of the separator next above, n if there is none.
    """
    n = len(indptr) - 1
    order = np.arange(n).astype(np.int32)
    above = np.full(n, -1, np.int64)
    place = np.zeros(n, np.int32)  # 4 * part + side
    scratch = np.empty(n, np.int32)
    mate = np.full(n, -1, np.int32)
    seen = np.full(n, -1, np.int32)
    n_parts = 1
    todo = [(0, n, n)]
    while todo:
        begin, end, parent = todo.pop()
        above[begin] = parent
        size = end - begin
        if size <= leaf_size or not _halve(indptr, indices, x, order[begin:end], place):
            continue
        _separate(indptr, indices, order[begin:end], place, mate, seen, scratch)
        n_low = n_high = n_cut = 0
        for q in range(begin, end):
            v = order[q]
            side = place[v] & 3
            if side == _LOW:
                order[begin + n_low] = v
                n_low += 1
            elif side == _HIGH:
                scratch[n_high] = v
                n_high += 1
            else:
                n_cut += 1
                scratch[size - n_cut] = v
        first_high, first_cut = begin + n_low, begin + n_low + n_high
        order[first_high:first_cut] = scratch[:n_high]
        order[first_cut:end] = scratch[size - n_cut : size]
        if n_cut >= min(n_low, n_high):  # a dense part: cutting it would gain nothing
            continue
        above[begin] = -1
        for q in range(begin, first_high):
            place[order[q]] = 4 * n_parts
        for q in range(first_high, first_cut):
            place[order[q]] = 4 * (n_parts + 1)
        for q in range(first_cut, end):
            place[order[q]] = 0
        n_parts += 2
        if n_cut > 0:
            above[first_cut] = parent
            parent = first_cut
        todo.append((begin, first_high, parent))
        todo.append((first_high, first_cut, parent))
    return order, above


@njit(cache=True)
def _halve(indptr, indices, x, nodes, place):
    """Give every node its side of about the median along one direction.

    Of the two directions in which the nodes lie farthest apart it is the one with fewer nodes at
    the cut. Returns False if both leave less than a quarter on one side.
    """
    size = len(nodes)
    part = place[nodes[0]]
    n_sample = min(_SAMPLE, size)
    sample = np.empty(n_sample)
    thresholds, widths = np.empty(_N_DIRECTIONS), np.empty(_N_DIRECTIONS)
    for direction in range(_N_DIRECTIONS):
        for q in range(n_sample):
            sample[q] = _key(x, nodes[q * size // n_sample], direction)
        sample.sort()
        thresholds[direction] = sample[n_sample // 2]
        widths[direction] = sample[n_sample - 1 - n_sample // 8] - sample[n_sample // 8]
        if direction >= 3:
            widths[direction] /= np.sqrt(2)
    best, fewest = -1, size
    for direction in np.argsort(-widths)[:_N_TRIED]:
        threshold = thresholds[direction]
        n_low = at_low = at_high = 0
        for v in nodes:
            low = _key(x, v, direction) < threshold
            n_low += low
            for p in range(indptr[v], indptr[v + 1]):
                u = indices[p]
                if place[u] == part and (_key(x, u, direction) < threshold) != low:
                    if low:
                        at_low += 1
                    else:
                        at_high += 1
                    break
        if min(n_low, size - n_low) >= size // 4 and min(at_low, at_high) < fewest:
            best, fewest = direction, min(at_low, at_high)
    if best < 0:
        return False
    for v in nodes:
        low = _key(x, v, best) < thresholds[best]
        place[v] = part + (_LOW if low else _HIGH)
    return True


@njit(cache=True)
def _separate(indptr, indices, nodes, place, mate, seen, scratch):
    """Move the nodes of a smallest separator from their sides to `_SEPARATOR`.

    `mate` and `seen` are -1 throughout, before and after.
    """
    n_cut = 0
    for v in nodes:
        if _is_at_cut(indptr, indices, place, v):
            scratch[n_cut] = v
            n_cut += 1
    cut = scratch[:n_cut].copy()
    # A largest matching of the edges between the sides: from each low node a search for a path
    # that alternates between free and matched edges and ends at a free high node. `seen` of a
    # high node holds the low node from which it was reached. What a search without success
    # reached stays marked: no later path passes there.
    low, high = np.empty(n_cut, np.int32), np.empty(n_cut, np.int32)
    for start in cut:
        if place[start] & 3 != _LOW:
            continue
        low[0] = start
        head, n_low, n_high, free = 0, 1, 0, -1
        while head < n_low and free < 0:
            v = low[head]
            head += 1
            for p in range(indptr[v], indptr[v + 1]):
                u = indices[p]
                if place[u] ^ place[v] != _ACROSS or seen[u] >= 0:
                    continue
                seen[u] = v
                high[n_high] = u
                n_high += 1
                if mate[u] < 0:
                    free = u
                    break
                low[n_low] = mate[u]
                n_low += 1
        if free >= 0:
            for u in high[:n_high]:
                v, seen[u] = seen[u], -1
                scratch[u] = v
            while free >= 0:
                v = scratch[free]
                mate[free], mate[v], free = v, free, mate[v]
        else:
            for v in low[:n_low]:
                seen[v] = v
    # Kőnig: the low nodes that no search without success reached, and the high ones that one did.
    for v in cut:
        if (place[v] & 3 == _LOW) == (seen[v] < 0):
            place[v] |= _SEPARATOR
        mate[v] = -1
    for v in cut:
        seen[v] = -1
