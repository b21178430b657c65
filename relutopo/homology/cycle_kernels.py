"""Compiled kernels of `relutopo.homology.representatives`; the docstring there proves them right.

Cells of one dimension, the *nodes*, are joined by cells of the next or the previous dimension, the
*links*. The node after the last one is the *ground*, older than all others: it is the second end
of links that have only one.

Indices into arrays are unsigned where access is random, because each access by a signed index
tests whether it is negative.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.union_find import find
from relutopo.system.compilation import njit

__all__ = [
    "by_dimension",
    "chosen_above",
    "cocycles",
    "coface_nodes",
    "count_differences",
    "elder_forest",
    "face_nodes",
    "fill_differences",
    "pairs_of_vertices",
    "reduced_columns",
    "shortest_cycles",
    "shortest_tree",
    "sums_of_columns",
]

_Ints = NDArray[np.int64]
_Nodes = NDArray[np.int32]
_Places = NDArray[np.uint32]


@njit(cache=True)
def by_dimension(pairs: _Ints, dimensions: NDArray[np.int8], top: int) -> tuple[_Ints, _Ints]:
    """Sort pairs by the dimensions of their births, 0..top, and otherwise keep their order.

    Returns
    -------
    indptr : (top + 2,) ndarray
    pairs : (n, 2) ndarray
        The pairs of dimension k are ``pairs[indptr[k]:indptr[k + 1]]``.
    """
    indptr = np.zeros(top + 2, dtype=np.int64)
    for i in range(len(pairs)):
        indptr[dimensions[pairs[i, 0]] + 1] += 1
    for k in range(top + 1):
        indptr[k + 1] += indptr[k]
    used = indptr.copy()
    found = np.empty((len(pairs), 2), dtype=np.int64)
    for i in range(len(pairs)):
        k = dimensions[pairs[i, 0]]
        found[used[k], 0], found[used[k], 1] = pairs[i, 0], pairs[i, 1]
        used[k] += 1
    return indptr, found


@njit(cache=True)
def face_nodes(indptr: _Ints, faces: _Nodes, ground: int, ends: _Nodes) -> bool:
    """Fill in the nodes that are faces of each link; return False if a link has more than two."""
    for link in range(len(indptr) - 1):
        first, size = indptr[link], indptr[link + 1] - indptr[link]
        if size > 2:
            return False
        ends[link, 0] = faces[first] if size > 0 else ground
        ends[link, 1] = faces[first + 1] if size > 1 else ground
    return True


@njit(cache=True)
def coface_nodes(indptr: _Ints, faces: _Nodes, ends: _Nodes) -> bool:
    """Fill in the nodes that have each link as a face; return False if more than two have it.

    `ends` must hold the ground everywhere.
    """
    ground = len(indptr) - 1
    for node in range(ground):
        for p in range(indptr[node], indptr[node + 1]):
            face = np.uint32(faces[p])
            if ends[face, 1] != ground:
                return False
            ends[face, np.uint8(ends[face, 0] != ground)] = node
    return True


@njit(cache=True)
def pairs_of_vertices(pairs: _Ints, order: _Ints, ends: _Nodes, others: _Nodes) -> bool:
    """Fill in for each vertex the root of the older component that its component is joined to.

    Parameters
    ----------
    pairs : (n, 2) ndarray
        Of degree 0.
    order : ndarray
        All cells by number, in the order of the filtration.
    ends : (n_1, 2) ndarray
        The vertices of each edge, or the ground.
    others : (n_0,) ndarray
        Written to; the ground where the edge has no other end.

    Returns
    -------
    bool
        Whether the edges join the components that the pairs say.
    """
    ground = len(others)
    young_at = np.full(len(order), -1, dtype=np.int32)
    for i in range(len(pairs)):
        young_at[pairs[i, 1]] = order[pairs[i, 0]]
    parent = np.arange(ground + 1).astype(np.uint32)
    for place in range(len(order)):
        if young_at[place] < 0:
            continue
        young, edge = np.uint32(young_at[place]), np.uint32(order[place] - ground)
        one = find(parent, np.uint32(ends[edge, 0]))
        old = find(parent, np.uint32(ends[edge, 1]))
        if one != young:
            one, old = old, one
        if one != young or old == young:
            return False
        parent[young] = old
        others[young] = old
    return True


@njit(cache=True)
def elder_forest(links: _Nodes, nodes: _Nodes, ends: _Nodes, above: _Nodes) -> bool:
    """Join components by links, from the last link to the first, the younger below the older.

    Then the subtree below a node is its component at the moment when the node ceased to be a root.

    Parameters
    ----------
    links : (n,) ndarray
        In the order of the filtration.
    nodes : (n,) ndarray
        The root that each link joins to an older root.
    ends : (n_links, 2) ndarray
        The nodes beside each link.
    above : (n_nodes + 1,) ndarray
        All -1 at first; filled with the root that each root was joined to.

    Returns
    -------
    bool
        Whether the links join the components that `nodes` says.
    """
    parent = np.arange(len(above)).astype(np.uint32)
    for i in range(len(links) - 1, -1, -1):
        link, young = np.uint32(links[i]), np.uint32(nodes[i])
        one = find(parent, np.uint32(ends[link, 0]))
        old = find(parent, np.uint32(ends[link, 1]))
        if one != young:
            one, old = old, one
        if one != young or old == young:
            return False
        parent[young] = old
        above[young] = old
    return True


@njit(cache=True)
def chosen_above(
    nodes: _Nodes, is_chosen: NDArray[np.bool_], n_chosen: int, above: _Nodes
) -> tuple[_Places, _Places]:
    """Contract a forest to chosen nodes, which are numbered from 1 in the order of `nodes`.

    Parameters
    ----------
    nodes : (n,) ndarray
        The first node was joined last, so that nodes above a node come before it.
    is_chosen : (n,) ndarray
    n_chosen : int
    above : (n_nodes + 1,) ndarray
        See `elder_forest`.

    Returns
    -------
    start : (n_nodes + 1,) ndarray
        The first chosen node from each node upwards, itself included; 0 if there is none.
    following : (n_chosen + 1,) ndarray
        The next chosen node above each chosen node.
    """
    start = np.zeros(len(above), dtype=np.uint32)
    following = np.zeros(n_chosen + 1, dtype=np.uint32)
    n = 0
    for i in range(len(nodes)):
        node = np.uint32(nodes[i])
        upwards = start[np.uint32(above[node])]
        if is_chosen[i]:
            n += 1
            following[n], start[node] = upwards, n
        else:
            start[node] = upwards
    return start, following


@njit(cache=True)
def count_differences(ends: _Nodes, start: _Places, following: _Places, steps: _Places) -> _Ints:
    """Count for each chosen node of a forest the links with exactly one end below it.

    These are, for a link with ends a and b, the chosen nodes on the paths upwards from a and from b
    to the point where the paths meet; each step on the paths adds one entry.

    Parameters
    ----------
    ends : (n_links, 2) ndarray
    start, following : ndarrays
        See `chosen_above`.
    steps : (n, 2) ndarray
        Filled with pairs of chosen node and link, link after link, as far as there is room.

    Returns
    -------
    (n_chosen + 1,) ndarray
        Cumulative sums of the counts.
    """
    counts = np.zeros(len(following), dtype=np.uint32)
    n, one, room = np.uint64(0), np.uint64(1), np.uint64(len(steps))
    for link in range(len(ends)):
        a = start[np.uint32(ends[link, 0])]
        b = start[np.uint32(ends[link, 1])]
        while a != b:
            below, b = max(a, b), min(a, b)
            counts[below] += np.uint32(1)
            if n < room:
                steps[n, 0], steps[n, 1] = below, link
            n += one
            a = following[below]
    indptr = np.zeros(len(following), dtype=np.int64)
    for i in range(1, len(following)):
        indptr[i] = indptr[i - 1] + counts[i]
    return indptr


@njit(cache=True)
def fill_differences(
    ends: _Nodes, start: _Places, following: _Places, steps: _Places, indptr: _Ints
) -> _Nodes:
    """Return the links that `count_differences` has counted, ascending for each chosen node."""
    links = np.empty(indptr[-1], dtype=np.int32)
    used = np.zeros(len(indptr), dtype=np.uint64)
    used[1:] = indptr[:-1]
    one = np.uint64(1)
    if len(links) <= len(steps):
        for n in range(len(links)):
            below = steps[n, 0]
            links[used[below]] = steps[n, 1]
            used[below] += one
        return links
    for link in range(len(ends)):
        a = start[np.uint32(ends[link, 0])]
        b = start[np.uint32(ends[link, 1])]
        while a != b:
            below, b = max(a, b), min(a, b)
            links[used[below]] = link
            used[below] += one
            a = following[below]
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
    """Return for each chosen link a shortest cycle through it and earlier links, by Dijkstra.

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
        Links of the cycles, ascending in each; none where no earlier links join the ends.
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
def shortest_tree(
    root: int,
    radius: float,
    ends: _Nodes,
    lengths: NDArray[np.float64],
    classes: NDArray[np.uint64],
    indptr: _Ints,
    links: _Ints,
) -> tuple[NDArray[np.float64], _Ints, NDArray[np.uint64]]:
    """Return shortest paths from a node, by Dijkstra.

    Parameters
    ----------
    root : int
    radius : float
        Longer paths are not followed.
    ends : (n_links, 2) ndarray
    lengths : (n_links,) ndarray
        Not negative.
    classes : (n_links,) ndarray
        Words that are added up along paths, bit by bit over Z/2.
    indptr, links : ndarrays
        The links at each node.

    Returns
    -------
    distance : (n_nodes,) ndarray
        Infinite for nodes that no path reaches.
    reached_by : (n_nodes,) ndarray
        The last link of the path, -1 if there is none.
    sums : (n_nodes,) ndarray
        Sum of `classes` along the path.
    """
    n_nodes = len(indptr) - 1
    distance = np.full(n_nodes, np.inf)
    reached_by = np.full(n_nodes, -1, dtype=np.int64)
    sums = np.zeros(n_nodes, dtype=np.uint64)
    distance[root] = 0.0
    heap = [(0.0, np.int64(root))]
    while len(heap) > 0:
        far, node = heapq.heappop(heap)
        if far > distance[node]:
            continue
        for p in range(indptr[node], indptr[node + 1]):
            step = links[p]
            other = np.int64(ends[step, 0]) + np.int64(ends[step, 1]) - node
            total = far + lengths[step]
            if total < distance[other] and total <= radius:
                distance[other] = total
                reached_by[other] = step
                sums[other] = sums[node] ^ classes[step]
                heapq.heappush(heap, (total, other))
    return distance, reached_by, sums


@njit(cache=True)
def cocycles(births: _Ints, indptr: _Ints, cycles: _Nodes, classes: NDArray[np.uint64]) -> None:
    """Fill in classes of links such that the classes along each given cycle add up to zero.

    Parameters
    ----------
    births : (n,) ndarray
        One link of each cycle. When its turn comes, all other links of the cycle have a class.
    indptr, cycles : ndarrays
        Links of the cycles, in CSR form.
    classes : (n_links,) ndarray
        Zero at the births, which are filled in; given at the other links.
    """
    for i in range(len(births)):
        total = np.uint64(0)
        for p in range(indptr[i], indptr[i + 1]):
            total ^= classes[cycles[p]]
        classes[births[i]] = total


@njit(cache=True)
def reduced_columns(
    indptr: _Ints, rows: _Ints, owner: _Ints, n_reducing: int, keep_steps: bool
) -> tuple[bool, _Ints, _Ints, _Ints, _Ints]:
    """Reduce columns over Z/2 from the left, where the final pivot of each column is known.

    Parameters
    ----------
    indptr, rows : ndarrays
        Columns; the pivot of a column is its smallest row.
    owner : (n_rows,) ndarray
        The column whose final pivot is this row, -1 if there is none.
    n_reducing : int
        The first `n_reducing` columns end with a pivot; the others end empty.
    keep_steps : bool
        Whether to record which columns were added to which.

    Returns
    -------
    is_right : bool
        Whether all columns ended that way.
    begins, pool : ndarrays
        The reduced column j is ``pool[begins[j]:begins[j + 1]]``.
    step_begins, steps : ndarrays
        The columns that were added to column j, likewise.
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
    """Return which original columns add up to each reduced column from number `first` on.

    Parameters
    ----------
    step_begins, steps : ndarrays
        The reduced columns that were added to each column.
    first : int
        Columns before this one were added to others; the later ones were only reduced.

    Returns
    -------
    indptr, columns : ndarrays
        In CSR form, descending in each row.
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
    """Add an element over Z/2 to a set of bits, one for each element, and return the element."""
    words[element >> 6] ^= np.uint64(1) << np.uint64(element & 63)
    return element


@njit(cache=True)
def _next(words: NDArray[np.uint64], least: int, last: int) -> int:
    """Return the smallest element of a set in least..last, or -1 if there is none."""
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
