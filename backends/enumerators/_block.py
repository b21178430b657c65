"""A block: some regions of a planar complex, which later layers cut on their own.

Work on a block stays within the processor's cache, and blocks are independent, so that threads may
share them. A complex is split into blocks of neighbouring regions; each block is cut by all the
layers that are left; and the parts are glued along the edges that they share. Whatever block an
edge is cut in, it gets the same vertices in the same order, as all decisions are exact.

Invariants: edges are directed, half-edges as in `_chords`. The vertices that a block began with
come first, and so do the pieces of the edges that it began with, in order along each edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relutopo.compilation import njit
from relutopo.errors import InvariantError

from ._records import Beside, Cells, Maps, Values

__all__ = ["Block", "Part", "glue", "split"]


@dataclass(frozen=True)
class Block:
    """The complex of a block after some layers.

    Attributes
    ----------
    cells : Cells
    earlier : Maps, Values or None
        Of the last layer that cut: maps as they were before it did, or values at the vertices.
    piece_ptr : ndarray of int64
        The pieces of edge e that the block began with are edges ``piece_ptr[e]:piece_ptr[e + 1]``.
    n_uncertain : int
        Decisions taken exactly since the block began.
    """

    cells: Cells
    earlier: Maps | Values | None
    piece_ptr: NDArray[np.int64]
    n_uncertain: int

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.cells.packed)

    @property
    def n_cells(self) -> int:
        """Number of cells of all dimensions."""
        return len(self.cells.x) + len(self.cells.edge_vertices) + self.n_regions

    @cached_property
    def beside(self) -> Beside:
        """What is beside what."""
        beside: Beside = _beside(self.cells)
        return beside


@dataclass(frozen=True)
class Part:
    """A block and where its vertices and edges are in the complex that it was taken from."""

    block: Block
    vertices: NDArray[np.int32]
    edges: NDArray[np.int32]


def split(whole: Block, size: int) -> list[Part]:
    """Take a block apart into blocks of at most `size` neighbouring regions."""
    earlier = whole.earlier
    if earlier is None:
        raise InvariantError("a block was split before any layer cut it; please report this bug")
    cells = whole.cells
    locations = cells.x[whole.beside.origins[cells.region_ptr[:-1]]]
    numbers = np.full(len(cells.edge_vertices), -1, np.int32), np.full(len(cells.x), -1, np.int32)
    parts = []
    for some in _neighbourhoods(locations, -(-whole.n_regions // size)):
        regions = np.sort(some)
        region_ptr, half_edges, edges, vertices, edge_vertices = _select(
            regions, cells.region_ptr, cells.half_edges, cells.edge_vertices, *numbers
        )
        own = Cells(
            x=cells.x[vertices],
            x_error=cells.x_error[vertices],
            edge_vertices=edge_vertices,
            labels=cells.labels[edges],
            region_ptr=region_ptr,
            half_edges=half_edges,
            packed=cells.packed[regions],
        )
        block = Block(
            cells=own,
            earlier=earlier.of(regions) if isinstance(earlier, Maps) else earlier.of(vertices),
            piece_ptr=np.arange(len(edges) + 1),
            n_uncertain=0,
        )
        parts.append(Part(block, vertices, edges))
    return parts


def _neighbourhoods(
    x: NDArray[np.float64], n_parts: int, some: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """Share points among equal parts, each of them in a box of its own that is not too long."""
    some = np.arange(len(x)) if some is None else some
    if n_parts == 1:
        return [some]
    y = x[some]
    axis = int(np.argmax(np.ptp(y, axis=0)))
    few = n_parts // 2
    order = np.argpartition(y[:, axis], len(some) * few // n_parts)
    first, second = np.split(some[order], [len(some) * few // n_parts])
    return _neighbourhoods(x, few, first) + _neighbourhoods(x, n_parts - few, second)


def glue(
    whole: Block,
    parts: Sequence[Part],
    each: Callable[[Callable[[int], None], range], Iterable[None]],
) -> Block:
    """Put the parts of a block, cut further, together again.

    Parameters
    ----------
    whole : Block
        Before it was split.
    parts : sequence of Part
        In the order of `split`. Their `vertices` and `edges` are those they began with.
    each : callable
        `map`, or that of a pool.
    """
    old = whole.cells
    n_pieces = np.zeros(len(old.edge_vertices), np.int64)
    # Of the parts that share an edge the first one gives its vertices their coordinates.
    giver = np.full(len(old.edge_vertices), -1, np.int32)
    n_inner = np.zeros((len(parts) + 1, 4), np.int64)
    for i, part in enumerate(parts):
        block = part.block
        unequal = _count_pieces(i, part.edges, block.piece_ptr, n_pieces, giver)
        if unequal >= 0:
            raise InvariantError(
                f"an edge is cut into {n_pieces[part.edges[unequal]]} and into "
                f"{np.diff(block.piece_ptr)[unequal]} pieces from its two sides; please report "
                "this network as a bug"
            )
        n_on_edges = int(block.piece_ptr[-1]) - len(part.edges)
        n_inner[i + 1] = (
            len(block.cells.x) - len(part.vertices) - n_on_edges,
            len(block.cells.edge_vertices) - int(block.piece_ptr[-1]),
            block.n_regions,
            len(block.cells.half_edges),
        )
    first_piece = np.concatenate([[0], np.cumsum(n_pieces)])
    bases = np.cumsum(n_inner, axis=0)
    bases[:, 0] += len(old.x) + first_piece[-1] - len(n_pieces)
    bases[:, 1] += first_piece[-1]
    n_vertices, n_edges, n_regions, n_sides = bases[-1].tolist()
    new = Cells(
        x=np.empty((n_vertices, 2)),
        x_error=np.empty(n_vertices),
        edge_vertices=np.empty((n_edges, 2), np.int32),
        labels=np.empty(n_edges, np.int32),
        region_ptr=np.zeros(n_regions + 1, np.int64),
        half_edges=np.empty(n_sides, np.int32),
        packed=np.empty((n_regions, old.packed.shape[1]), np.uint8),
    )
    new.x[: len(old.x)] = old.x
    new.x_error[: len(old.x)] = old.x_error

    def paste(i: int) -> None:
        part, block = parts[i], parts[i].block
        _paste(
            i,
            part.vertices,
            part.edges,
            block.piece_ptr,
            giver,
            first_piece,
            len(old.x),
            bases[i],
            block.cells,
            new,
        )

    for _ in each(paste, range(len(parts))):
        pass
    return Block(
        cells=new,
        earlier=None,
        piece_ptr=first_piece[whole.piece_ptr],
        n_uncertain=whole.n_uncertain + sum(part.block.n_uncertain for part in parts),
    )


@njit(cache=True, nogil=True)
def _beside(cells):
    region_ptr, half_edges = cells.region_ptr, cells.half_edges
    n_regions, n_edges = len(region_ptr) - 1, len(cells.edge_vertices)
    n_vertices = len(cells.x)
    origins, across = np.empty(len(half_edges), np.int32), np.full(len(half_edges), -1, np.int32)
    place = np.full(n_edges, -1, np.int64)
    edge_owner, vertex_owner = np.empty(n_edges, np.int32), np.full(n_vertices, -1, np.int32)
    own_ptr, own = np.zeros(n_regions + 1, np.int64), np.empty(n_vertices, np.int32)
    n_owned = 0
    for r in range(n_regions):
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e = half_edges[q] >> 1
            v = cells.edge_vertices[e, half_edges[q] & 1]
            origins[q] = v
            if vertex_owner[v] < 0:
                vertex_owner[v] = r
                own[n_owned] = v
                n_owned += 1
            if place[e] < 0:
                edge_owner[e], place[e] = r, q
            else:
                across[q], across[place[e]] = edge_owner[e], r
        own_ptr[r + 1] = n_owned
    return Beside(origins, across, edge_owner, vertex_owner, own_ptr, own)


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


@njit(cache=True, nogil=True)
def _count_pieces(part, edges, piece_ptr, n_pieces, giver):
    """Note how many pieces each edge has; return one that another part cut otherwise, or -1."""
    for i in range(len(edges)):
        e, n = edges[i], piece_ptr[i + 1] - piece_ptr[i]
        if giver[e] < 0:
            giver[e], n_pieces[e] = part, n
        elif n_pieces[e] != n:
            return i
    return -1


@njit(cache=True, nogil=True)
def _paste(part, vertices, edges, piece_ptr, giver, first_piece, n_old, base, cells, to):
    """Copy a part to its place; `base` has its first inner vertex, edge, region and half-edge."""
    x, x_error, edge_vertices, packed = cells.x, cells.x_error, cells.edge_vertices, cells.packed
    vertex_number = np.full(len(x), -1, np.int32)
    edge_number = np.empty(len(edge_vertices), np.int32)
    vertex_number[: len(vertices)] = vertices
    for i in range(len(edges)):
        e = edges[i]
        # Every edge before has one vertex less than it has pieces.
        vertex = n_old + first_piece[e] - e
        for p in range(piece_ptr[i], piece_ptr[i + 1]):
            edge_number[p] = first_piece[e] + p - piece_ptr[i]
            if p + 1 < piece_ptr[i + 1]:
                v = edge_vertices[p, 1]
                vertex_number[v] = vertex
                if giver[e] == part:
                    to.x[vertex], to.x_error[vertex] = x[v], x_error[v]
                vertex += 1
    vertex = base[0]
    for v in range(len(vertices), len(x)):
        if vertex_number[v] < 0:
            vertex_number[v] = vertex
            to.x[vertex], to.x_error[vertex] = x[v], x_error[v]
            vertex += 1
    edge = base[1]
    for e in range(piece_ptr[-1], len(edge_vertices)):
        edge_number[e] = edge
        edge += 1
    for i in range(len(edges)):
        if giver[edges[i]] == part:
            for p in range(piece_ptr[i], piece_ptr[i + 1]):
                _copy_edge(p, edge_number, vertex_number, edge_vertices, cells.labels, to)
    for e in range(piece_ptr[-1], len(edge_vertices)):
        _copy_edge(e, edge_number, vertex_number, edge_vertices, cells.labels, to)
    to.packed[base[2] : base[2] + len(packed)] = packed
    for r in range(len(packed)):
        to.region_ptr[base[2] + r + 1] = base[3] + cells.region_ptr[r + 1]
    for q in range(len(cells.half_edges)):
        half = cells.half_edges[q]
        to.half_edges[base[3] + q] = 2 * edge_number[half >> 1] + (half & 1)


@njit(cache=True, inline="always")
def _copy_edge(e, edge_number, vertex_number, edge_vertices, labels, to):
    number = edge_number[e]
    to.edge_vertices[number, 0] = vertex_number[edge_vertices[e, 0]]
    to.edge_vertices[number, 1] = vertex_number[edge_vertices[e, 1]]
    to.labels[number] = labels[e]
