"""Nested dissection of a graph: an order of elimination with little fill, from the graph alone.

A. George, "Nested dissection of a regular finite element mesh", SIAM J. Numer. Anal. 10 (1973)
345-363: cut the nodes into two halves and a separator, order both halves first, each in the same
way, and the separator last. On planar graphs the factor then has O(n log n) entries (R. J.
Lipton, D. J. Rose, R. E. Tarjan, "Generalized nested dissection", SIAM J. Numer. Anal. 16 (1979)
346-358).

Halves are chosen by coordinates that come from the graph: the differences of the distances to two
nodes that are far apart, for three such pairs, smoothed. In dual graphs of complexes they are as
good as the regions' positions, and they need no complex. The separator of two halves is a smallest
set of nodes that meets every edge between them (D. Kőnig, "Gráfok és mátrixok", 1931): it has the
size of a largest matching of these edges, from which it is read off.

All decisions use integers, or sums in a fixed order: the same graph gives the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from relutopo.spectral.kernels import breadth_first
from relutopo.system.compilation import njit
from relutopo.system.threads import Run

from .tuning import DEFAULT, Tuning

__all__ = ["Dissection", "nested_dissection"]

_N_SWEEPS = 2
_SAMPLE = 127


@dataclass(frozen=True, eq=False)
class Dissection:
    """An order of the nodes, and its blocks: separators, and parts that were not cut further.

    Attributes
    ----------
    order : (n,) ndarray of int32
        The node at each position.
    starts : (n_blocks + 1,) ndarray of int64
        Block b takes the positions starts[b]:starts[b + 1].
    parents : (n_blocks,) ndarray of int64
        The separator next above a block, a later block; -1 if there is none. No edge joins a
        block with a later block that is not above it.
    coordinates : (3, n) ndarray of float32
        Smooth functions on the nodes, each increasing from one end of the graph to another.
    """

    order: NDArray[np.int32]
    starts: NDArray[np.int64]
    parents: NDArray[np.int64]
    coordinates: NDArray[np.float32]


def nested_dissection(
    indptr: NDArray[np.int32],
    indices: NDArray[np.int32],
    run: Run = map,
    tuning: Tuning = DEFAULT,
) -> Dissection:
    """Return a nested dissection of a graph.

    Parameters
    ----------
    indptr, indices : ndarray of int32
        Symmetric adjacency in CSR form; diagonal entries do not matter. In a graph that is not cut
        at once, node 0 should be a peripheral one.
    run : callable
        `map`, or a `map` that works in threads; the result does not depend on it.
    tuning : Tuning

    Returns
    -------
    Dissection

    Examples
    --------
    >>> from scipy import sparse
    >>> ones = np.ones(8)
    >>> path = sparse.diags_array([ones, ones], offsets=[-1, 1], format="csr")
    >>> found = nested_dissection(path.indptr, path.indices, tuning=Tuning(leaf_size_at_once=5))
    >>> found.order[-1], np.diff(found.starts).tolist(), found.parents.tolist()
    (np.int32(5), [3, 5, 1], [2, 2, -1])
    """
    n = len(indptr) - 1
    if n <= tuning.cut_at_once:
        return Dissection(*_at_once(indptr, indices, tuning.leaf_size_at_once))
    work = (
        np.arange(n, dtype=np.int32),  # the order
        np.full(n, -1, dtype=np.int64),  # where blocks start; see `_cut`
        np.full(n, 4, dtype=np.int32),  # places
        np.full(n, -1, dtype=np.int32),  # mates
        np.full(n, -1, dtype=np.int32),  # seen from
        np.empty(n, dtype=np.int32),
    )
    order, above = work[:2]
    above[0] = n
    coordinates = _landmark_coordinates(indptr, indices, 0)
    graph = (indptr, indices, coordinates)

    def halves(part: tuple[int, int]) -> list[tuple[int, int]]:
        begin, end = part
        first_high, first_cut = _cut(graph, work, begin, end)
        return [(begin, first_high), (first_high, first_cut)] if first_high < end else []

    parts = [(0, n)]
    while parts and n > tuning.cut_at_once * len(parts):
        parts = list(chain.from_iterable(run(halves, parts)))
    list(run(lambda part: _dissect(graph, work, tuning.leaf_size, *part), parts))
    starts = np.flatnonzero(above >= 0)
    parents = np.searchsorted(starts, above[starts])
    parents[parents == len(starts)] = -1
    return Dissection(order, np.append(starts, n), parents, coordinates.T.copy())


@njit(cache=True)
def _at_once(indptr, indices, leaf_size):
    """Return the fields of the dissection of a graph that one thread cuts.

    The functions that it calls are taken into it, or LLVM would see them twice.
    """
    n = len(indptr) - 1
    order, above = np.arange(n).astype(np.int32), np.full(n, -1, np.int64)
    places, scratch = np.full(n, 4, np.int32), np.empty(n + 1, np.int32)
    mates, seen = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    above[0] = n
    # Small graphs come in any order of their nodes.
    n_reached = breadth_first(indptr, indices, np.int64(0), seen, scratch)
    x = _landmark_coordinates(indptr, indices, np.int64(scratch[n_reached - 1]))
    seen[:] = -1
    work = order, above, places, mates, seen, scratch
    _dissect((indptr, indices, x), work, leaf_size, np.int64(0), np.int64(n))
    n_blocks = 0
    for k in range(n):
        n_blocks += above[k] >= 0
    starts, parents = np.empty(n_blocks + 1, np.int64), np.full(n_blocks, -1, np.int64)
    starts[n_blocks], b = n, 0
    for k in range(n):
        if above[k] >= 0:
            starts[b], scratch[k] = k, b
            b += 1
    for b in range(n_blocks):
        if above[starts[b]] < n:
            parents[b] = scratch[above[starts[b]]]
    coordinates = np.empty((3, n), np.float32)
    for v in range(n):
        coordinates[0, v], coordinates[1, v], coordinates[2, v] = x[v, 0], x[v, 1], x[v, 2]
    return order, starts, parents, coordinates


@njit(cache=True, inline="always")
def _landmark_coordinates(indptr, indices, source):
    """Return three smooth coordinates of each node, (n, 3); `source` is a peripheral one."""
    n = len(indptr) - 1
    x = np.empty((n, 3), np.float32)
    queue = np.empty(n + 1, np.int32)
    one, two = np.empty(n, np.int32), np.empty(n, np.int32)
    nearest = np.full(n, n, np.int32)  # distance to the landmarks so far
    for axis in range(3):
        one[:] = -1
        breadth_first(indptr, indices, source, one, queue)
        # The other end of the axis lies far from its beginning and from all earlier landmarks.
        other, best = 0, -1
        for v in range(n):
            far = one[v] + min(nearest[v], one[v])
            if far > best:
                other, best = v, far
        two[:] = -1
        breadth_first(indptr, indices, other, two, queue)
        source, best = 0, -1
        for v in range(n):
            x[v, axis] = one[v] - two[v]
            nearest[v] = min(nearest[v], one[v], two[v])
            if nearest[v] > best:
                source, best = v, nearest[v]
    # Distances are integers with many ties; averaging over neighbours breaks them.
    y = np.empty_like(x)
    half = np.float32(0.5)
    for _ in range(_N_SWEEPS):
        for v in range(n):
            a = b = c = np.float32(0)
            for p in range(indptr[v], indptr[v + 1]):
                u = indices[p]
                a += x[u, 0]
                b += x[u, 1]
                c += x[u, 2]
            share = half / np.float32(max(1, indptr[v + 1] - indptr[v]))
            y[v, 0] = half * x[v, 0] + share * a
            y[v, 1] = half * x[v, 1] + share * b
            y[v, 2] = half * x[v, 2] + share * c
        x, y = y, x
    return x


# A node's place is four times its part, plus its side. Parts are numbered by their first position,
# from 1; a node in a separator has the place 0.
_LOW, _HIGH, _SEPARATOR = 1, 2, 3
_ACROSS = _LOW ^ _HIGH
_DIRECTIONS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 0]], np.float32)
_DIRECTIONS /= np.sqrt((_DIRECTIONS**2).sum(axis=1, keepdims=True))


@njit(cache=True, nogil=True)
def _cut(graph, work, begin, end):
    """Cut the part at some positions into low nodes, high nodes and a separator, in this order.

    Returns the first positions of the latter two; both are `end` if the part was not cut. It writes
    nothing about nodes in other parts, and reads only their places, which never equal its own; so
    parts can be cut at the same time.

    A block starts at every position where `above` is not -1; it holds there the first position
    of the separator next above, n if there is none.
    """
    order, above, place, mate, seen, scratch = work
    nodes, spare = order[begin:end], scratch[begin:end]
    n_at_cut, n_low = _halve(graph, nodes, place, spare)
    n_cut, n_cut_low = _separate(graph, spare[:n_at_cut], place, mate, seen)
    n_low -= n_cut_low
    n_high = len(nodes) - n_low - n_cut
    if n_cut >= min(n_low, n_high):  # a dense part: cutting it would gain nothing
        return end, end
    first_high, first_cut = begin + n_low, begin + n_low + n_high
    at, new_place = np.zeros(4, np.int64), np.zeros(4, np.int32)
    at[_HIGH], at[_SEPARATOR] = n_low, n_low + n_high
    new_place[_LOW], new_place[_HIGH] = 4 * (begin + 1), 4 * (first_high + 1)
    for v in nodes:
        side = place[v] & 3
        spare[at[side]] = v
        at[side] += 1
        place[v] = new_place[side]
    for q in range(len(nodes)):
        nodes[q] = spare[q]
    parent = above[begin]
    if n_cut > 0:
        above[first_cut] = parent
        parent = first_cut
    above[begin] = above[first_high] = parent
    return first_high, first_cut


@njit(cache=True, nogil=True, inline="always")
def _dissect(graph, work, leaf_size, begin, end):
    """Cut a part, and recursively all parts that result."""
    # No half has more than three quarters of the nodes: there are never so many parts to do.
    todo, n = np.empty((128, 2), np.int64), 1
    todo[0, 0], todo[0, 1] = begin, end
    while n:
        n -= 1
        begin, end = todo[n, 0], todo[n, 1]
        if end - begin > leaf_size:
            first_high, first_cut = _cut(graph, work, begin, end)
            if first_high < end:
                todo[n, 0], todo[n, 1] = begin, first_high
                todo[n + 1, 0], todo[n + 1, 1] = first_high, first_cut
                n += 2


@njit(cache=True, nogil=True)
def _key(x, v, a, b, c):
    return a * x[v, 0] + b * x[v, 1] + c * x[v, 2]


@njit(cache=True, nogil=True)
def _direction(i):
    return _DIRECTIONS[i, 0], _DIRECTIONS[i, 1], _DIRECTIONS[i, 2]


@njit(cache=True, nogil=True)
def _middle(values):
    """Return the value at half the length in sorted order; the values are reordered."""
    wanted, low, high = len(values) // 2, 0, len(values) - 1
    while low < high:
        pivot, i, j = values[(low + high) // 2], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@njit(cache=True, nogil=True)
def _halve(graph, nodes, place, at_cut):
    """Assign every node a side of about the median along one direction.

    Of the two directions in which the nodes spread most, the one with fewer nodes at the cut is
    taken. If both leave less than a quarter on one side, as for the leaves of a star, which are all
    at one place, the first half of the nodes is low. Writes the nodes at the cut to `at_cut`;
    returns how many there are, and how many nodes are low.
    """
    indptr, indices, x = graph
    size = len(nodes)
    n_sample = min(_SAMPLE, size)
    sample = np.empty((2, n_sample), np.float32)
    first = second = 0
    widest = next_widest = np.float32(-1)
    for direction in range(len(_DIRECTIONS)):
        a, b, c = _direction(direction)
        total = squares = np.float32(0)
        origin = _key(x, nodes[0], a, b, c)
        for q in range(n_sample):
            z = _key(x, nodes[q * size // n_sample], a, b, c) - origin
            total += z
            squares += z * z
        width = squares - total * total / np.float32(n_sample)
        if width > widest:
            first, second = direction, first
            widest, next_widest = width, widest
        elif width > next_widest:
            second, next_widest = direction, width
    a, b, c = _direction(first)
    d, e, f = _direction(second)
    for q in range(n_sample):
        v = nodes[q * size // n_sample]
        sample[0, q] = _key(x, v, a, b, c)
        sample[1, q] = _key(x, v, d, e, f)
    s, t = _middle(sample[0]), _middle(sample[1])
    # Both at once, and without branches: which side a node is on cannot be predicted.
    part = place[nodes[0]] & ~3
    n_first = n_second = 0
    for v in nodes:
        i, j = _key(x, v, a, b, c) < s, _key(x, v, d, e, f) < t
        n_first += i
        n_second += j
        place[v] = part | i | j << 1
    n_at_cut = at_first = at_second = low_first = low_second = 0
    for v in nodes:
        here = place[v]
        differs = 0
        for p in range(indptr[v], indptr[v + 1]):
            apart = place[indices[p]] ^ here
            differs |= apart if apart < 4 else 0
        at_cut[n_at_cut] = v
        n_at_cut += differs != 0
        at_first += differs & 1
        at_second += differs >> 1
        low_first += differs & here & 1
        low_second += (differs & here) >> 1 & 1
    few_first = min(low_first, at_first - low_first)
    few_second = min(low_second, at_second - low_second)
    if min(n_first, size - n_first) < size // 4:
        few_first = size
    if min(n_second, size - n_second) < size // 4:
        few_second = size
    if min(few_first, few_second) == size:
        return _halve_by_number(indptr, indices, nodes, place, at_cut), size // 2
    chosen = 0 if few_first <= few_second else 1
    for v in nodes:
        place[v] = part | _HIGH - (place[v] >> chosen & 1)
    return n_at_cut, n_second if chosen else n_first


@njit(cache=True, nogil=True)
def _halve_by_number(indptr, indices, nodes, place, at_cut):
    """Give the first half of the nodes the low side; return how many are at the cut."""
    part = place[nodes[0]] & ~3
    for q in range(len(nodes)):
        place[nodes[q]] = part | (_LOW if q < len(nodes) // 2 else _HIGH)
    n_at_cut = 0
    for v in nodes:
        for p in range(indptr[v], indptr[v + 1]):
            if place[indices[p]] ^ place[v] == _ACROSS:
                at_cut[n_at_cut] = v
                n_at_cut += 1
                break
    return n_at_cut


@njit(cache=True, nogil=True)
def _separate(graph, cut, place, mate, seen):
    """Move the nodes of a smallest separator from their sides to `_SEPARATOR`.

    `cut` holds the nodes that may be at the cut. Returns how many moved, and how many of them
    were low. `mate` and `seen` are -1 throughout, before and after.
    """
    indptr, indices, _ = graph
    # A largest matching of the edges between the sides: from each low node, search for a path that
    # alternates between free and matched edges and ends at a free high node. `seen` of a high node
    # holds the low node from which it was reached. Nodes reached by a search without success stay
    # marked: no later path goes through them.
    low, high = np.empty(len(cut), np.int32), np.empty(len(cut), np.int32)
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
            while free >= 0:
                v = seen[free]
                mate[free], mate[v], free = v, free, mate[v]
            for u in high[:n_high]:
                seen[u] = -1
        else:
            for v in low[:n_low]:
                seen[v] = v
    # Kőnig: the low nodes that no search without success reached, and the high ones that one did.
    n_moved = n_moved_low = 0
    for v in cut:
        is_low = place[v] & 3 == _LOW
        if is_low == (seen[v] < 0):
            place[v] |= _SEPARATOR
            n_moved += 1
            n_moved_low += is_low
        mate[v] = seen[v] = -1
    return n_moved, n_moved_low
