"""Compiled kernels of `relutopo.homology.cycles`, whose docstring says why they are right.

Nodes are numbered by age: a smaller number is older, and 0 is the ground.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = [
    "coface_nodes",
    "count_differences",
    "elder_forest",
    "face_nodes",
    "fill_differences",
    "reduced_columns",
    "shortest_cycles",
    "sums_of_columns",
]

_Ints = NDArray[np.int64]
_Nodes = NDArray[np.int32]


@njit(cache=True)
def face_nodes(indptr: _Ints, faces: _Nodes, node_of: _Nodes, ends: _Nodes) -> bool:
    """Fill in the at most two nodes that are faces of each cell; False if a cell has more."""
    for cell in range(len(indptr) - 1):
        first, size = indptr[cell], indptr[cell + 1] - indptr[cell]
        if size > 2:
            return False
        for i in range(size):
            ends[cell, i] = node_of[faces[first + i]]
    return True


@njit(cache=True)
def coface_nodes(indptr: _Ints, faces: _Nodes, node_of: _Nodes, ends: _Nodes) -> bool:
    """Fill in the at most two nodes that have each cell as a face; False if a cell is in more."""
    for cell in range(len(indptr) - 1):
        for p in range(indptr[cell], indptr[cell + 1]):
            face = faces[p]
            if ends[face, 0] == 0:
                ends[face, 0] = node_of[cell]
            elif ends[face, 1] == 0:
                ends[face, 1] = node_of[cell]
            else:
                return False
    return True


@njit(cache=True, inline="always")
def _find(parent: _Nodes, node: np.int32) -> np.int32:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True)
def elder_forest(ends: _Nodes, order: _Ints, above: _Nodes, joined_by: _Nodes) -> None:
    """Join nodes by links in some order; of two components the older one keeps its root.

    Then the component of a node, as it was when it ceased to be a root, is the subtree below it.

    Parameters
    ----------
    ends : (n_links, 2) ndarray
        The two nodes of each link.
    order : (n,) ndarray
        Links, the first first.
    above : (n_nodes,) ndarray
        All -1; filled with the root that each root was joined to.
    joined_by : (n_nodes,) ndarray
        All -1; filled with the link that joined it.
    """
    parent = np.arange(len(above)).astype(np.int32)
    for link in order:
        young, old = _find(parent, ends[link, 0]), _find(parent, ends[link, 1])
        if old == young:
            continue
        if old > young:
            old, young = young, old
        parent[young] = old
        above[young] = old
        joined_by[young] = link


@njit(cache=True)
def count_differences(
    ends: _Nodes, above: _Nodes, slot: _Nodes, n_slots: int
) -> tuple[_Ints, _Nodes, _Nodes]:
    """Count for chosen nodes of a forest the links of which one end alone lies below them.

    A link with ends a and b is of the chosen nodes on the paths from a and from b to where these
    meet: each step is an entry of the result.

    Parameters
    ----------
    ends : (n_links, 2) ndarray
    above : (n_nodes,) ndarray
        The node above each node, an older one; -1 at roots.
    slot : (n_nodes,) ndarray
        Number of each chosen node, -1 for the others.
    n_slots : int
        How many are chosen.

    Returns
    -------
    indptr : (n_slots + 1,) ndarray
        Sums of the counts.
    start, following : (n_nodes,) ndarrays
        The first chosen node from each node upwards, itself included and not; -1 if none is.
    """
    n_nodes = len(above)
    start = np.full(n_nodes, -1, dtype=np.int32)
    following = np.full(n_nodes, -1, dtype=np.int32)
    for node in range(n_nodes):
        if above[node] >= 0:
            following[node] = start[above[node]]
        start[node] = node if slot[node] >= 0 else following[node]
    indptr = np.zeros(n_slots + 1, dtype=np.int64)
    for link in range(len(ends)):
        a, b = start[ends[link, 0]], start[ends[link, 1]]
        while a != b:
            if a < b:
                a, b = b, a
            indptr[slot[a] + 1] += 1
            a = following[a]
    for i in range(n_slots):
        indptr[i + 1] += indptr[i]
    return indptr, start, following


@njit(cache=True)
def fill_differences(
    ends: _Nodes, slot: _Nodes, indptr: _Ints, start: _Nodes, following: _Nodes
) -> _Ints:
    """Return what `count_differences` has counted, ascending for each chosen node."""
    links = np.empty(indptr[-1], dtype=np.int64)
    used = indptr[:-1].copy()
    for link in range(len(ends)):
        a, b = start[ends[link, 0]], start[ends[link, 1]]
        while a != b:
            if a < b:
                a, b = b, a
            links[used[slot[a]]] = link
            used[slot[a]] += 1
            a = following[a]
    return links


@njit(cache=True)
def shortest_cycles(
    chosen: _Ints,
    ends: _Nodes,
    lengths: NDArray[np.float64],
    times: _Ints,
    indptr: _Ints,
    links: _Ints,
) -> tuple[_Ints, _Ints]:
    """Return for each chosen link a shortest cycle of it and of earlier links; by Dijkstra.

    Parameters
    ----------
    chosen : (n,) ndarray
    ends : (n_links, 2) ndarray
    lengths : (n_links,) ndarray
        Not negative.
    times : (n_links,) ndarray
        When each link enters.
    indptr, links : ndarrays
        The links at each node.

    Returns
    -------
    starts : (n + 1,) ndarray
    cycles : ndarray
        Links of the cycles, ascending for each; none where the ends are not joined.
    """
    n_nodes = len(indptr) - 1
    distance = np.full(n_nodes, np.inf)
    reached_by = np.full(n_nodes, -1, dtype=np.int64)
    starts = np.zeros(len(chosen) + 1, dtype=np.int64)
    cycles, used = np.empty(64, dtype=np.int64), 0
    touched = np.empty(n_nodes, dtype=np.int64)
    for i in range(len(chosen)):
        link = chosen[i]
        source, target = np.int64(ends[link, 0]), np.int64(ends[link, 1])
        distance[source] = 0.0
        touched[0], n_touched = source, 1
        heap = [(0.0, source)]
        while len(heap) > 0:
            far, node = heapq.heappop(heap)
            if node == target:
                break
            if far > distance[node]:
                continue
            for p in range(indptr[node], indptr[node + 1]):
                step = links[p]
                if times[step] >= times[link]:
                    continue
                other = np.int64(ends[step, 0]) + np.int64(ends[step, 1]) - node
                total = far + lengths[step]
                if total < distance[other]:
                    if distance[other] == np.inf:
                        touched[n_touched] = other
                        n_touched += 1
                    distance[other] = total
                    reached_by[other] = step
                    heapq.heappush(heap, (total, other))
        if distance[target] < np.inf:
            begin = used
            node = target
            cycles = _with_room(cycles, used + 1)
            cycles[used] = link
            used += 1
            while node != source:
                step = reached_by[node]
                cycles = _with_room(cycles, used + 1)
                cycles[used] = step
                used += 1
                node = np.int64(ends[step, 0]) + np.int64(ends[step, 1]) - node
            cycles[begin:used].sort()
        starts[i + 1] = used
        for j in range(n_touched):
            distance[touched[j]] = np.inf
    return starts, cycles[:used].copy()


@njit(cache=True)
def reduced_columns(
    indptr: _Ints, rows: _Ints, owner: _Ints, n_reducing: int, keep_steps: bool
) -> tuple[bool, _Ints, _Ints, _Ints, _Ints]:
    """Reduce columns over Z/2 from the left; which column ends with which pivot is known.

    Parameters
    ----------
    indptr, rows : ndarrays
        Columns; the pivot of a column is its smallest row.
    owner : (n_rows,) ndarray
        The column that ends with this row as its pivot, -1 if none does.
    n_reducing : int
        The first columns are those that end with a pivot; the others end empty.
    keep_steps : bool
        Whether it is kept which columns were added to which.

    Returns
    -------
    is_right : bool
        Whether all columns ended so.
    begins, pool : ndarrays
        The reduced column j is ``pool[begins[j]:begins[j + 1]]``.
    step_begins, steps : ndarrays
        The columns that were added to it, likewise.
    """
    n = len(indptr) - 1
    begins, pool, used = np.zeros(n + 1, dtype=np.int64), np.empty(2 * len(rows) + 64, np.int64), 0
    step_begins, steps, n_steps = np.zeros(n + 1, dtype=np.int64), np.empty(64, np.int64), 0
    words = np.zeros((len(owner) >> 6) + 1, dtype=np.uint64)
    for column in range(n):
        last = -1
        for p in range(indptr[column], indptr[column + 1]):
            last = max(last, _toggle(words, rows[p]))
        pivot = _next(words, 0, last)
        while pivot >= 0:
            other = owner[pivot]
            if other == column and column < n_reducing:
                break
            if other < 0 or other >= min(column, n_reducing):
                return False, begins, pool, step_begins, steps
            for p in range(begins[other], begins[other + 1]):
                last = max(last, _toggle(words, pool[p]))
            if keep_steps:
                steps = _with_room(steps, n_steps + 1)
                steps[n_steps] = other
                n_steps += 1
            pivot = _next(words, pivot, last)
        if pivot < 0 and column < n_reducing:
            return False, begins, pool, step_begins, steps
        while pivot >= 0:
            pool = _with_room(pool, used + 1)
            pool[used] = pivot
            used += 1
            _toggle(words, pivot)
            pivot = _next(words, pivot, last)
        begins[column + 1], step_begins[column + 1] = used, n_steps
    return True, begins, pool[:used].copy(), step_begins, steps[:n_steps].copy()


@njit(cache=True)
def sums_of_columns(step_begins: _Ints, steps: _Ints, first: int) -> tuple[_Ints, _Ints]:
    """Return of which columns the reduced columns from number `first` on are sums.

    Parameters
    ----------
    step_begins, steps : ndarrays
        Which columns, as they were when they were reduced, were added to each.
    first : int
        Columns before this one were added, the others only reduced.

    Returns
    -------
    indptr, columns : ndarrays
        Descending for each.
    """
    n = len(step_begins) - 1
    odd = np.zeros(n, dtype=np.bool_)
    indptr = np.zeros(n - first + 1, dtype=np.int64)
    columns, used = np.empty(64, dtype=np.int64), 0
    for i in range(n - first):
        odd[first + i] = True
        for column in range(first + i, -1, -1):
            if odd[column]:
                odd[column] = False
                columns = _with_room(columns, used + 1)
                columns[used] = column
                used += 1
                for p in range(step_begins[column], step_begins[column + 1]):
                    odd[steps[p]] = not odd[steps[p]]
        indptr[i + 1] = used
    return indptr, columns[:used].copy()


@njit(cache=True, inline="always")
def _toggle(words: NDArray[np.uint64], element: int) -> int:
    """Add an element to a set over Z/2, which has a bit for each, and return it."""
    words[element >> 6] ^= np.uint64(1) << np.uint64(element & 63)
    return element


@njit(cache=True)
def _next(words: NDArray[np.uint64], least: int, last: int) -> int:
    """Return the smallest element that is `least` or larger, -1 if none up to `last` is."""
    if last < least:
        return -1
    place = least >> 6
    word = (words[place] >> np.uint64(least & 63)) << np.uint64(least & 63)
    while word == 0:
        place += 1
        if place > last >> 6:
            return -1
        word = words[place]
    bit = 0
    for half in (32, 16, 8, 4, 2, 1):
        if word & ((np.uint64(1) << np.uint64(half)) - np.uint64(1)) == 0:
            word >>= np.uint64(half)
            bit += half
    return (place << 6) + bit


@njit(cache=True)
def _with_room(pool: _Ints, size: int) -> _Ints:
    if size <= len(pool):
        return pool
    larger = np.empty(2 * size, dtype=np.int64)
    larger[: len(pool)] = pool
    return larger
