"""Splitting a block into smaller ones of neighbouring regions; see `block`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InvariantError
from relutopo.system.compilation import njit

from ..records import PlanarCells, Values
from .block import Block, Part

__all__ = ["Parts"]


class Parts:
    """Parts of a block, each of which is made on request.

    Parameters
    ----------
    whole : Block
    size : int
        How many regions a part may have.
    """

    def __init__(self, whole: Block, size: int) -> None:
        if whole.earlier is None:
            raise InvariantError(
                "a block was split before any layer cut it; please report this bug"
            )
        self.whole = whole
        self._earlier = whole.earlier
        n_parts = -(-whole.n_regions // size)
        self._order, self._ptr = _neighbourhoods(whole.cells, n_parts)
        # Number arrays that `_select` needs, one for each thread that takes parts.
        self._unused: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []

    def __len__(self) -> int:
        return len(self._ptr) - 1

    def take(self, i: int) -> Part:
        """Return part i."""
        cells = self.whole.cells
        regions = np.sort(self._order[self._ptr[i] : self._ptr[i + 1]])
        try:
            numbers = self._unused.pop()
        except IndexError:
            numbers = (
                np.full(len(cells.edge_vertices), -1, np.int32),
                np.full(len(cells.x), -1, np.int32),
            )
        region_ptr, half_edges, edges, vertices, edge_vertices = _select(
            regions, cells.region_ptr, cells.half_edges, cells.edge_vertices, *numbers
        )
        self._unused.append(numbers)
        own = PlanarCells(
            x=cells.x[vertices],
            deviation=cells.deviation[vertices],
            edge_vertices=edge_vertices,
            labels=cells.labels[edges],
            region_ptr=region_ptr,
            half_edges=half_edges,
            packed=cells.packed[regions],
        )
        earlier, integers, lines = self._earlier, self.whole.integers, self.whole.lines
        block = Block(
            cells=own,
            earlier=earlier.of(vertices) if isinstance(earlier, Values) else earlier.of(regions),
            piece_ptr=np.arange(len(edges) + 1),
            pieces=np.arange(len(edges), dtype=np.int32),
            n_uncertain=0,
            integers=integers and integers._replace(lines=integers.lines[edges]),
            lines=lines[edges] if len(lines) else lines,
        )
        return Part(block, vertices, edges)


@njit(cache=True, nogil=True)
def _neighbourhoods(cells, n_parts):
    """Divide regions into equal parts, each in its own box that is not too long.

    The box is repeatedly halved along its longer side. Returns the regions of all parts, and where
    each part begins.
    """
    n_regions = len(cells.packed)
    order = np.arange(n_regions).astype(np.int32)
    x = np.empty((n_regions, 2))
    for r in range(n_regions):
        half = cells.half_edges[cells.region_ptr[r]]
        x[r] = cells.x[cells.edge_vertices[half >> 1, half & 1]]
    ptr = n_regions * np.arange(n_parts + 1) // n_parts
    stack = [(0, n_parts)]
    while len(stack) > 0:
        first, last = stack.pop()
        if last - first < 2:
            continue
        middle = (first + last) // 2
        lo, hi = ptr[first], ptr[last]
        wide = x[lo:hi, 0].max() - x[lo:hi, 0].min()
        high = x[lo:hi, 1].max() - x[lo:hi, 1].min()
        _put_in_place(order, x, 0 if wide >= high else 1, lo, hi, ptr[middle])
        stack.append((first, middle))
        stack.append((middle, last))
    return order, ptr


@njit(cache=True)
def _put_in_place(order, x, axis, lo, hi, at):
    """Sort points lo..hi-1 by an axis, but only so far that those before `at` are the smallest."""
    hi -= 1
    while lo < hi:
        a, b, c = x[lo, axis], x[(lo + hi) >> 1, axis], x[hi, axis]
        pivot = max(min(a, b), min(max(a, b), c))
        i, k = lo, hi
        while i <= k:
            while x[i, axis] < pivot:
                i += 1
            while x[k, axis] > pivot:
                k -= 1
            if i <= k:
                order[i], order[k] = order[k], order[i]
                x[i, 0], x[k, 0] = x[k, 0], x[i, 0]
                x[i, 1], x[k, 1] = x[k, 1], x[i, 1]
                i += 1
                k -= 1
        if at <= k:
            hi = k
        elif at >= i:
            lo = i
        else:
            return


@njit(cache=True, nogil=True)
def _select(regions, region_ptr, half_edges, edge_vertices, edge_number, vertex_number):
    """Return the complex of some regions with its own numbers, and the numbers before.

    `edge_number` and `vertex_number` are -1 throughout, before and after.
    """
    n_sides = 0
    for r in regions:
        n_sides += region_ptr[r + 1] - region_ptr[r]
    new_ptr = np.zeros(len(regions) + 1, np.int64)
    new_half_edges = np.empty(n_sides, np.int32)
    edges = np.empty(n_sides, np.int32)
    vertices = np.empty(n_sides, np.int32)
    new_edge_vertices = np.empty((n_sides, 2), np.int32)
    n_edges, n_vertices, s = 0, 0, 0
    for i in range(len(regions)):
        r = regions[i]
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e = half_edges[q] >> 1
            if edge_number[e] < 0:
                edge_number[e] = n_edges
                edges[n_edges] = e
                for k in range(2):
                    v = edge_vertices[e, k]
                    if vertex_number[v] < 0:
                        vertex_number[v] = n_vertices
                        vertices[n_vertices] = v
                        n_vertices += 1
                    new_edge_vertices[n_edges, k] = vertex_number[v]
                n_edges += 1
            new_half_edges[s] = 2 * edge_number[e] + (half_edges[q] & 1)
            s += 1
        new_ptr[i + 1] = s
    for e in edges[:n_edges]:
        edge_number[e] = -1
    for v in vertices[:n_vertices]:
        vertex_number[v] = -1
    return (
        new_ptr,
        new_half_edges,
        edges[:n_edges].copy(),
        vertices[:n_vertices].copy(),
        new_edge_vertices[:n_edges].copy(),
    )
