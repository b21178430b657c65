"""Short loops that are a basis of H_1.

Each edge is given a class, an element of (Z/2)^β, so that the sum of the classes along a closed
walk is the homology class of the walk: the β edges that create a class have unit vectors, the edges
of a spanning forest have zero, and every other edge completes a cycle that is a boundary, so its
sum must be zero. Each edge outside a tree of shortest paths from a vertex closes a loop whose class
and length are known at once (Erickson, Whittlesey, Greedy optimal homotopy and homology generators,
SODA 2005). From these loops and those of the given basis, the shortest independent ones are taken.
Trees from all vertices would give the shortest basis of all; here trees grow from a few vertices of
each loop, as long as the basis becomes shorter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.homology.cycles import Cycles, edge_lengths

__all__ = ["shortened"]

_MOST_LOOPS = 64
"""Number of bits of a class."""
_ROOTS, _ROUNDS = 8, 6
_LEAST_GAIN = 1e-9
"""Differences below this share of the length count as rounding."""
_Numbers = NDArray[np.int32]


class _Loop(NamedTuple):
    """A loop, given by its edges, or by the root of a tree and the edge that closes it there."""

    length: float
    class_: int
    edges: _Numbers | None
    root: int = -1
    closing: int = -1


def shortened(every: Cycles, births: NDArray[np.int64]) -> Cycles:
    """Return a basis of H_1 that is no longer than a given one.

    Parameters
    ----------
    every : Cycles
        Cycles of all classes of degree 1.
    births : (n,) ndarray of int64
        The edges that create them.

    Returns
    -------
    Cycles
        Of the classes that never end, the shortest first; unchanged if there are more than 64.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0, 0, 0, 0], [-1]])
    >>> ring = rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact").decision().region(1)
    >>> rt.homology_basis(ring, 1).measures.tolist()
    [5.656854249492381]
    """
    complex_ = every.complex_
    n_filled = int((every.pairs[:, 1] >= 0).sum())
    n, begin = len(every) - n_filled, every.indptr[n_filled]
    loops = replace(
        every,
        indptr=every.indptr[n_filled:] - begin,
        cells=every.cells[begin:],
        pairs=every.pairs[n_filled:],
    )
    indptr, faces = complex_.facets[0]
    if not 0 < n <= _MOST_LOOPS or (np.diff(indptr) != 2).any():
        return loops
    from relutopo.homology import cycle_kernels as kernels  # loads numba

    found = edge_lengths(complex_)
    lengths = np.ones(len(indptr) - 1) if found is None else found
    classes = np.zeros(len(lengths), dtype=np.uint64)
    classes[births[n_filled:]] = np.uint64(1) << np.arange(n, dtype=np.uint64)
    kernels.cocycles(births[:n_filled].copy(), every.indptr, every.cells, classes)
    graph = _Graph(faces.reshape(-1, 2).astype(np.int32), lengths, classes, complex_.n_cells[0])
    chosen = [graph.loop(cycle.cells) for cycle in loops]
    for _ in range(_ROUNDS):
        before = sum(loop.length for loop in chosen)
        chosen = [graph.built(loop) for loop in _shortest_basis(graph.candidates(chosen))]
        if sum(loop.length for loop in chosen) > (1 - _LEAST_GAIN) * before:
            break
    chosen.sort(key=lambda loop: loop.length)
    cells = [loop.edges for loop in chosen if loop.edges is not None]
    return replace(
        loops,
        indptr=np.append(0, np.cumsum([len(edges) for edges in cells])),
        cells=np.concatenate(cells),
        methods=(loops.methods[0], "short loops"),
    )


class _Graph:
    """Vertices and edges with lengths and classes."""

    def __init__(
        self,
        ends: _Numbers,
        lengths: NDArray[np.float64],
        classes: NDArray[np.uint64],
        n_nodes: int,
    ) -> None:
        self.ends, self.lengths, self.classes = ends, lengths, classes
        counts = np.bincount(ends.ravel(), minlength=n_nodes)
        self._indptr = np.append(0, np.cumsum(counts))
        self._links = np.argsort(ends.ravel(), kind="stable") // 2

    def loop(self, edges: _Numbers) -> _Loop:
        """Return the loop of some edges."""
        class_ = int(np.bitwise_xor.reduce(self.classes[edges]))
        return _Loop(float(self.lengths[edges].sum()), class_, edges)

    def candidates(self, loops: list[_Loop]) -> list[_Loop]:
        """Return loops, and the best of each class that trees from some of their vertices give."""
        most = max(loop.length for loop in loops)
        found = list(loops)
        roots = set()
        for loop in loops:
            vertices = np.unique(self.ends[loop.edges])
            few = np.linspace(0, len(vertices) - 1, min(_ROOTS, len(vertices))).astype(int)
            roots.update(vertices[few].tolist())
        for root in sorted(roots):
            distance, _, sums = self._tree(root, most / 2)
            first, second = self.ends.T
            totals = distance[first] + distance[second] + self.lengths
            classes = sums[first] ^ sums[second] ^ self.classes
            closing = np.flatnonzero((classes != 0) & (totals < most))
            closing = closing[np.argsort(totals[closing], kind="stable")]
            kinds, places = np.unique(classes[closing], return_index=True)
            for class_, edge in zip(kinds.tolist(), closing[places].tolist(), strict=True):
                found.append(_Loop(float(totals[edge]), class_, None, root, edge))
        return found

    def built(self, loop: _Loop) -> _Loop:
        """Return a loop with its edges, without the edges that it runs along twice."""
        if loop.edges is not None:
            return loop
        _, reached_by, _ = self._tree(loop.root, loop.length)
        edges = [loop.closing]
        for node in self.ends[loop.closing].tolist():
            while node != loop.root:
                edge = int(reached_by[node])
                edges.append(edge)
                node = int(self.ends[edge].sum()) - node
        once, counts = np.unique(np.array(edges, dtype=np.int32), return_counts=True)
        return self.loop(once[counts % 2 == 1])

    def _tree(
        self, root: int, radius: float
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.uint64]]:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        found: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.uint64]]
        found = kernels.shortest_tree(
            root, radius, self.ends, self.lengths, self.classes, self._indptr, self._links
        )
        return found


def _shortest_basis(loops: list[_Loop]) -> list[_Loop]:
    """Return the shortest loops with independent classes, by elimination."""
    pivots: dict[int, int] = {}
    chosen = []
    for loop in sorted(loops, key=lambda loop: loop.length):
        rest = loop.class_
        while rest and rest.bit_length() in pivots:
            rest ^= pivots[rest.bit_length()]
        if rest:
            pivots[rest.bit_length()] = rest
            chosen.append(loop)
    return chosen
