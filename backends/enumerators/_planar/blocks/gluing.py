"""Joining the parts of a block again, one after the other; see `block`.

A part is copied to its place as soon as it has been cut, so that it need not be kept. The final
number of cells is not known then, so arrays are made longer than needed, which takes no memory
until they are written to, and are cut to length in the end. Their length is bounded by the
prediction from the parts so far, by the limits, and, if that is much memory, by a few times the
present size, because the first part may be unlike the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InvariantError
from relutopo.system.compilation import njit

from ..._shared.task import Limits
from ..records import PlanarCells
from .block import Block, Part

__all__ = ["Gluing"]

_ROOM, _GROWTH, _LEAST_GROWTH = 2, 4, 1.25
"""Arrays are at most this many times as long as predicted, this many times the present length, and
this many times if memory is short."""

_SMALL_SHARE = 1 / 4
"""Share of the available memory that may be reserved from the prediction alone."""


class Gluing:
    """A block that grows by parts that all layers have cut.

    Cells that several parts share get their numbers and coordinates from the first of the parts.

    Parameters
    ----------
    whole : Block
        Before it was split.
    n_parts : int
    limits : Limits
    """

    def __init__(self, whole: Block, n_parts: int, limits: Limits) -> None:
        self._whole, self._n_parts, self._limits = whole, n_parts, limits
        self._n_added, self._n_uncertain = 0, whole.n_uncertain
        # Of each edge of the whole that was cut: its first piece, the first vertex on it, and the
        # number of its pieces.
        self._known = np.full((len(whole.cells.edge_vertices), 3), -1, np.int32)
        # How many vertices, edges, regions and half-edges there are.
        self._ends = np.array([len(whole.cells.x), 0, 0, 0])
        self._begin = self._ends.copy()
        self._room = np.zeros(4, np.int64)
        self._to = whole.cells

    @property
    def n_regions(self) -> int:
        """Number of regions so far."""
        return int(self._ends[2])

    @property
    def n_cells(self) -> int:
        """Number of cells of all dimensions so far."""
        return int(self._ends[:3].sum())

    def add(self, part: Part) -> None:
        """Copy a part to its place."""
        block, cells = part.block, part.block.cells
        sizes = len(cells.x), len(cells.edge_vertices), len(cells.packed), len(cells.half_edges)
        most = self._ends + np.array(sizes, dtype=np.int64)
        self._n_added += 1
        if (most > self._room).any():
            self._lengthen(self._room_for(most, cells), cells.packed.shape[1])
        unequal = _paste(
            part.vertices,
            part.edges,
            block.piece_ptr,
            block.pieces,
            cells,
            self._known,
            self._ends,
            self._to,
        )
        if unequal >= 0:
            n_pieces = self._known[part.edges[unequal], 2], np.diff(block.piece_ptr)[unequal]
            raise InvariantError(
                f"an edge is cut into {n_pieces[0]} and into {n_pieces[1]} pieces from its two "
                "sides; please report this network as a bug"
            )
        self._n_uncertain += block.n_uncertain

    def _room_for(self, most: NDArray[np.int64], part: PlanarCells) -> NDArray[np.int64]:
        """Return the new lengths of arrays, to hold a part and further ones."""
        added = (most - self._begin) * self._n_parts // self._n_added
        # A planar complex has one edge less than vertices and regions together. So each kind is at
        # most half of all cells, and there are at most as many half-edges as cells.
        by_cells = self._limits.most_cells * np.array([0.5, 0.5, 0.5, 1.0]) + 2
        wanted = np.minimum(self._begin + _ROOM * added, by_cells)
        room: NDArray[np.int64] = np.maximum(most, wanted.astype(np.int64))
        each = np.array([24, 12, 8 + part.packed.shape[1], 4])
        taken, there_is = int(each @ self._room), self._limits.room
        if taken + int(each @ room) > _SMALL_SHARE * there_is.n_bytes:
            room = np.maximum(most, np.minimum(room, _GROWTH * most))
        if taken + int(each @ room) > there_is.n_bytes:
            room = np.maximum(most, (_LEAST_GROWTH * most).astype(np.int64))
        there_is.check(taken + int(each @ room), "gluing blocks", "shrink the domain")
        return room

    def _lengthen(self, room: NDArray[np.int64], n_bytes: int) -> None:
        """Move the cells so far to arrays of the given lengths."""
        n_vertices, n_edges, n_regions, n_sides = room.tolist()
        ends, old = self._ends, self._to
        new = PlanarCells(
            x=np.empty((n_vertices, 2)),
            deviation=np.empty(n_vertices),
            edge_vertices=np.empty((n_edges, 2), np.int32),
            labels=np.empty(n_edges, np.int32),
            region_ptr=np.zeros(n_regions + 1, np.int64),
            half_edges=np.empty(n_sides, np.int32),
            packed=np.empty((n_regions, n_bytes), np.uint8),
        )
        # Before the first region there are only vertices.
        n_arrays = len(new) if ends[2] else 2
        arrays: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(new, old, strict=True)
        for (to, so_far), n in islice(zip(arrays, self._lengths(), strict=True), n_arrays):
            to[:n] = so_far[:n]
        self._to, self._room = new, room

    def _lengths(self) -> list[int]:
        """Return how long each array of cells is so far."""
        n_vertices, n_edges, n_regions, n_sides = self._ends.tolist()
        return [n_vertices, n_vertices, n_edges, n_edges, n_regions + 1, n_sides, n_regions]

    def finish(self) -> Block:
        """Return the block when all parts have been added."""
        arrays: Iterable[NDArray[Any]] = self._to
        for array, n in zip(arrays, self._lengths(), strict=True):
            # The surplus is returned to the system; nothing else refers to the arrays.
            array.resize((n, *array.shape[1:]), refcheck=False)
        piece_ptr, pieces = _all_pieces(self._whole.piece_ptr, self._whole.pieces, self._known)
        return Block(self._to, None, piece_ptr, pieces, self._n_uncertain)


@njit(cache=True, nogil=True)
def _all_pieces(ptr, edges, known):
    """Return the pieces of lists of edges, list by list, and where each list begins."""
    new_ptr = np.zeros_like(ptr)
    for i in range(len(ptr) - 1):
        new_ptr[i + 1] = new_ptr[i]
        for e in edges[ptr[i] : ptr[i + 1]]:
            new_ptr[i + 1] += known[e, 2]
    pieces = np.empty(new_ptr[-1], np.int32)
    end = 0
    for e in edges[: ptr[-1]]:
        for k in range(known[e, 2]):
            pieces[end] = known[e, 0] + k
            end += 1
    return new_ptr, pieces


@njit(cache=True, nogil=True)
def _paste(vertices, edges, piece_ptr, pieces, cells, known, ends, to):
    """Copy a part to its place; return an edge that another part cut differently, or -1."""
    x, edge_vertices, packed = cells.x, cells.edge_vertices, cells.packed
    vertex_number = np.full(len(x), -1, np.int32)
    edge_number = np.full(len(edge_vertices), -1, np.int32)
    vertex_number[: len(vertices)] = vertices
    vertex, edge, region, side = ends
    first_edge = edge
    for i in range(len(edges)):
        e, first, n = edges[i], piece_ptr[i], piece_ptr[i + 1] - piece_ptr[i]
        is_new = known[e, 0] < 0
        if is_new:
            known[e, 0], known[e, 1], known[e, 2] = edge, vertex, n
            edge += n
            vertex += n - 1
        elif known[e, 2] != n:
            return i
        for k in range(n):
            p = pieces[first + k]
            edge_number[p] = known[e, 0] + k
            if k + 1 < n:
                # The pieces of an edge have its direction.
                v = edge_vertices[p, 1]
                vertex_number[v] = known[e, 1] + k
                if is_new:
                    to.x[vertex_number[v]] = x[v]
                    to.deviation[vertex_number[v]] = cells.deviation[v]
    for v in range(len(vertices), len(x)):
        if vertex_number[v] < 0:
            vertex_number[v] = vertex
            to.x[vertex] = x[v]
            to.deviation[vertex] = cells.deviation[v]
            vertex += 1
    for p in range(len(edge_vertices)):
        if edge_number[p] < 0:
            edge_number[p] = edge
            edge += 1
        number = edge_number[p]
        if number >= first_edge:
            to.edge_vertices[number, 0] = vertex_number[edge_vertices[p, 0]]
            to.edge_vertices[number, 1] = vertex_number[edge_vertices[p, 1]]
            to.labels[number] = cells.labels[p]
    to.packed[region : region + len(packed)] = packed
    for r in range(len(packed)):
        to.region_ptr[region + r + 1] = side + cells.region_ptr[r + 1]
    for q in range(len(cells.half_edges)):
        half = cells.half_edges[q]
        to.half_edges[side + q] = 2 * edge_number[half >> 1] + (half & 1)
    ends[0], ends[1] = vertex, edge
    ends[2], ends[3] = region + len(packed), side + len(cells.half_edges)
    return -1
