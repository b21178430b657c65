"""Records of arrays that compiled kernels of the planar enumerator take and return.

Edges are directed from ``edge_vertices[e, 0]`` to ``edge_vertices[e, 1]``. A *half-edge* is the
number ``2 * e + r``: edge e, traversed backwards if r = 1. The half-edges of a region follow each
other counterclockwise with the region on their left; a region's *corner* q is the origin of its
q-th half-edge.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Beside",
    "Chords",
    "Crossed",
    "Crossings",
    "Cut",
    "Cutters",
    "IntegerPlanes",
    "Maps",
    "Placed",
    "PlanarCells",
    "Values",
    "VertexSigns",
]


class PlanarCells(NamedTuple):
    """A complex.

    Attributes
    ----------
    x, deviation : (n_vertices, d), (n_vertices,) ndarrays
        Vertices, and bounds of how far each is off in any coordinate; no bounds when parts of a
        block have been put together, as no layer is left to cut.
    edge_vertices : (n_edges, 2) ndarray of int32
    labels : (n_edges,) ndarray of int32
        As `CellComplex.facet_labels`.
    region_ptr, half_edges : ndarrays of int64, int32
        Half-edges of each region in CSR form.
    packed : (n_regions, n_bytes) ndarray of uint8
        Patterns of the layers so far; of a graph, what is kept of them (`Block.shared`).
    """

    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    edge_vertices: NDArray[np.int32]
    labels: NDArray[np.int32]
    region_ptr: NDArray[np.int64]
    half_edges: NDArray[np.int32]
    packed: NDArray[np.uint8]


class Beside(NamedTuple):
    """What is beside what in a complex; of graphs, `across`, `own_ptr` and `own` may be empty.

    Attributes
    ----------
    origins : ndarray of int32
        The origin of each half-edge.
    across : ndarray of int32
        The region on the other side of each half-edge, -1 where none is.
    edge_owner, vertex_owner : (n_edges,), (n_vertices,) ndarrays of int32
        The first region that contains each edge and each vertex.
    own_ptr, own : ndarrays of int64, int32
        CSR lists of the vertices that each region owns.
    """

    origins: NDArray[np.int32]
    across: NDArray[np.int32]
    edge_owner: NDArray[np.int32]
    vertex_owner: NDArray[np.int32]
    own_ptr: NDArray[np.int64]
    own: NDArray[np.int32]


class Maps(NamedTuple):
    """A layer's maps: region r has ``planes[plane_of[r]]``, bounded by ``errors[error_of[r]]``.

    In a graph, regions that the layer is known not to cross have no map, and the number -1.


    ``planes[p, :d, j]`` and ``planes[p, d, j]`` are slope and offset of unit j's pre-activation,
    and ``errors[e, j]`` its bound as in `relutopo.networks.network.AffineMaps`. For each row of
    `errors`, `norms` has the bounds e_k of `maps`. All bounds hold for points that are at most
    `limit` off, in any coordinate.
    """

    planes: NDArray[np.float64]
    plane_of: NDArray[np.int32]
    errors: NDArray[np.float64]
    error_of: NDArray[np.int32]
    norms: NDArray[np.float64]
    limit: float

    def of(self, regions: NDArray[np.integer]) -> Maps:
        """Return the maps of some regions, in their order; the arrays of maps are shared."""
        return self._replace(plane_of=self.plane_of[regions], error_of=self.error_of[regions])


class Values(NamedTuple):
    """A layer's pre-activations `z` at vertices, with bounds as in `vertices`.

    Attributes
    ----------
    z : (n_vertices, n_units) ndarray
    errors : (n_vertices,) ndarray
        The bound e of each vertex.
    slope : float
        The bound S of the slopes.
    """

    z: NDArray[np.float64]
    errors: NDArray[np.float64]
    slope: float

    def of(self, vertices: NDArray[np.integer]) -> Values:
        """Return the values at some vertices, in their order."""
        return self._replace(z=self.z[vertices], errors=self.errors[vertices])


class IntegerPlanes(NamedTuple):
    """What is known as integers of a block.

    Attributes
    ----------
    lines : (n_edges, 3, k) ndarray of int32
        The line of each edge.
    units : (n_planes, n_units, 3, k) ndarray of int32
        The planes of the layer that cuts or has cut last, whose maps are `Maps`, by their rows.
    """

    lines: NDArray[np.int32]
    units: NDArray[np.int32]


class Cutters(NamedTuple):
    """What a stage cuts a block with; all else that is said of units counts these alone.

    Attributes
    ----------
    neurons : (n_units,) ndarray of int32
        The neuron that each unit is.
    bits : (n_units,) ndarray of int32
        Its bit in patterns: its number, unless they are kept short (`Block.shared`).
    always : (n_bytes,) ndarray of uint8
        As a pattern, the layer's other neurons that are positive throughout the block; the rest are
        negative throughout.
    """

    neurons: NDArray[np.int32]
    bits: NDArray[np.int32]
    always: NDArray[np.uint8]


class VertexSigns(NamedTuple):
    """The units that are positive and those that are negative at each vertex, as bits.

    `unknown` lists the (vertex, unit) pairs that the bounds leave open; they are in neither set.
    In a graph, `above` has the units that are positive at a corner of each region, and `regions`
    are those that have a map, ascending; both as far as bounds decide. Otherwise both are empty.
    """

    positive: NDArray[np.uint64]
    negative: NDArray[np.uint64]
    unknown: NDArray[np.int32]
    above: NDArray[np.uint64]
    regions: NDArray[np.int32]


class Crossings(NamedTuple):
    """Where units or chords cross segments: entries ptr[s]:ptr[s + 1] belong to segment s.

    `item` is what crosses, `t` the parameter in (0, 1) with its error bound, `same` tells that a
    crossing is at the same point as the one before it; while orders are open, that its order and
    that of the one before are.
    """

    ptr: NDArray[np.int64]
    item: NDArray[np.int32]
    t: NDArray[np.float64]
    t_error: NDArray[np.float64]
    same: NDArray[np.bool_]


class Crossed(NamedTuple):
    """A complex whose edges a stage crosses.

    Attributes
    ----------
    cells, beside
        Before the stage cuts.
    cutters : Cutters
        What cuts it.
    maps : Maps
        Of the cutters, on the regions that they cross.
    signs : VertexSigns
        Of the cutters; certain, when they are decided that the bounds leave open.
    crossings : Crossings
        For each edge the cutters that change their sign along it.
    above : (n_regions, n_words) ndarray of uint64
        The cutters that are positive at a corner of each region.
    regions : ndarray of int32
        The regions that cutters cross, ascending.
    """

    cells: PlanarCells
    beside: Beside
    cutters: Cutters
    maps: Maps
    signs: VertexSigns
    crossings: Crossings
    above: NDArray[np.uint64]
    regions: NDArray[np.int32]


class Placed(NamedTuple):
    """The new vertices on edges, and where the pieces of edges between them begin.

    Attributes
    ----------
    x, deviation : (n_vertices, d), (n_vertices,) ndarrays
        All vertices so far; the new ones come last.
    group_ptr : (n_edges + 1,) ndarray of int64
        Edge e has the new vertices ``n_old + group_ptr[e]``, ....
    source : ndarray of int64
        The crossing that each new vertex was placed from.
    first_piece : (n_edges + 1,) ndarray of int64
        Edge e has the pieces ``first_piece[e]:first_piece[e + 1]``, in order along it.
    """

    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    group_ptr: NDArray[np.int64]
    source: NDArray[np.int64]
    first_piece: NDArray[np.int64]


class Chords(NamedTuple):
    """The chords of all regions.

    Attributes
    ----------
    chord_ptr : (n_regions + 1,) ndarray of int64
        Region r has the chords ``chord_ptr[r]:chord_ptr[r + 1]``, ascending by rim points.
    region, ends, end_vertices : (n_chords,), (n_chords, 2), (n_chords, 2) ndarrays of int32
        For each chord its region, its rim points, the first less than the second, and their
        vertices.
    unit_ptr, units, after : ndarrays of int64, int32, int8
        For each chord its units, ascending, and the sign of each on the rim between the ends.
    crossings : Crossings
        For each chord the chords of the region that it crosses, as numbers within the region.
    """

    chord_ptr: NDArray[np.int64]
    region: NDArray[np.int32]
    ends: NDArray[np.int32]
    end_vertices: NDArray[np.int32]
    unit_ptr: NDArray[np.int64]
    units: NDArray[np.int32]
    after: NDArray[np.int8]
    crossings: Crossings


class Cut(NamedTuple):
    """A complex after a cut.

    Attributes
    ----------
    cells : PlanarCells
    parent : (n_regions,) ndarray of int32
        The region before that each region is part of.
    inner_source : (n_inner, 3) ndarray of int32
        For each of the last vertices, those inside regions, the region and two of its units.
    inner_ends : (n_inner, 2) ndarray of int32
        For each of them, the ends of a chord on which it lies.
    """

    cells: PlanarCells
    parent: NDArray[np.int32]
    inner_source: NDArray[np.int32]
    inner_ends: NDArray[np.int32]
