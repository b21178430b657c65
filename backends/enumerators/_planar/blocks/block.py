"""A block: some regions of a planar complex, which later layers cut independently.

Work on a block stays within the processor's cache, and blocks are independent, so threads may share
them. A complex is split into blocks of neighbouring regions; each block is cut by all remaining
layers; and the parts are glued along their shared edges. In every block a shared edge gets the same
vertices in the same order, because all decisions are exact.

Invariants: edges are directed, half-edges as in `records`, and pieces of an edge have its
direction. The vertices that a block began with come first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.local_maps import Shared
from relutopo.system.compilation import njit

from ..maps.graph_maps import Evaluated
from ..records import Beside, IntegerPlanes, Maps, PlanarCells, Values

__all__ = ["NO_LINES", "Block", "Part", "incidences"]

NO_LINES = np.empty((0, 4))


@dataclass(frozen=True)
class Block:
    """The complex of a block after some layers.

    Attributes
    ----------
    cells : PlanarCells
    earlier : Maps, Values, Evaluated or None
        Of the last layer that cut: its maps before the cut, or values at the vertices; or the graph
        evaluated up to that layer.
    piece_ptr, pieces : ndarrays of int64, int32
        Edge e that the block began with has the pieces ``pieces[piece_ptr[e]:piece_ptr[e + 1]]``,
        in order along it.
    n_uncertain : int
        Decisions taken exactly since the block began.
    integers : IntegerPlanes or None
        For networks with short planes that often meet, after the first layer.
    lines : (n_edges, 4) ndarray
        For deep networks, after the first layer; see `cuts.lines`. Otherwise empty.
    known_beside : Beside or None
        The incidences of the cells, where they are known.
    """

    cells: PlanarCells
    earlier: Maps | Values | Evaluated | None
    piece_ptr: NDArray[np.int64]
    pieces: NDArray[np.int32]
    n_uncertain: int
    integers: IntegerPlanes | None = None
    lines: NDArray[np.float64] = field(default_factory=lambda: NO_LINES)
    known_beside: Beside | None = None

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.cells.packed)

    @property
    def shared(self) -> Shared | None:
        """What the patterns of regions share, if they are kept short."""
        return self.earlier.shared if isinstance(self.earlier, Evaluated) else None

    def patterns(self, regions: slice = slice(None)) -> NDArray[np.uint8]:
        """Return whole patterns."""
        packed, shared = self.cells.packed[regions], self.shared
        return packed if shared is None else shared.whole(packed)

    def shortened(self, n_neurons: int) -> Block:
        """Return the block with short patterns."""
        cells = self.cells
        shared, kept = Shared.by(cells.packed, n_neurons, np.unique(cells.labels))
        return replace(self, cells=cells._replace(packed=kept), earlier=Evaluated(None, shared))

    @property
    def beside(self) -> Beside:
        """The incidences of the cells."""
        if self.known_beside is None:  # a `cached_property` would let only one thread find them
            object.__setattr__(self, "known_beside", incidences(self.cells))
        assert self.known_beside is not None
        return self.known_beside


@dataclass(frozen=True)
class Part:
    """A block, and the numbers of its vertices and edges in the complex that it was taken from."""

    block: Block
    vertices: NDArray[np.int32]
    edges: NDArray[np.int32]


@njit(cache=True, nogil=True)
def incidences(cells):
    """Return what is beside what in a complex."""
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
