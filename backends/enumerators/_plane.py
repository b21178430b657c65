"""The enumerator `cpu` on lines and planes (d = 1 and 2).

A whole layer cuts at once. On a region of the complex so far the layer's pre-activations are
affine, so within it their zeros are chords:

1. every pre-activation gets its sign in {-1, 0, +1} at every vertex;
2. along every edge the neurons that change sign are sorted, which gives the new vertices on
   it, shared by the regions on both sides;
3. in every region each crossing neuron now has its two points on the rim, so that which chords
   cross is combinatorial; along each chord the crossings are sorted;
4. the order of ends on the rim turns into the order of edges around every vertex, the faces are
   traced, and patterns spread from face to face by flipping the neurons of the edge between.

Only signs (1) and orders (2, 3) involve numbers. Each is taken from floats where an a-priori
error bound allows and decided in integers where it does not, so the result is right for every
arrangement: many lines through one point, duplicate or dead neurons, lines along the sides. The
bounds are derived in `relutopo.geometry.network` (maps) and `_arrangement` (values, parameters,
positions). The bounds of positions are for the worst case and grow with depth, far above the
errors themselves; a vertex whose bound exceeds `POSITION_TARGET` relative to the domain lies on
nearly parallel lines and is computed exactly and rounded.

Work is proportional to the result, plus one evaluation of the layer at every corner.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InvariantError
from relutopo.geometry.complex import CellComplex, EnumerationRecord
from relutopo.geometry.domain import Domain
from relutopo.geometry.exact import Integers, intersection_point, to_float
from relutopo.geometry.network import AffineMaps, Network
from relutopo.geometry.patterns import unpack_patterns
from relutopo.interfaces import Progress

from . import _arrangement as kernels
from ._limits import POSITION_TARGET, check_limit
from ._settle import Settler, settle_orders, settle_signs

__all__ = ["enumerate_plane"]

_MAPS_AT_ONCE = 2**26
"""How many numbers of affine maps are held at a time."""


def enumerate_plane(
    network: Network, domain: Domain, max_cells: int | None, progress: Progress | None
) -> CellComplex:
    """Return the complex of a network on a domain of dimension 1 or 2; see `Enumerator`."""
    begin = time.perf_counter()
    state, n_layers = _start(network, domain), len(network.layer_sizes)
    for layer in range(n_layers):
        cut = _Layer(network, domain, layer, state, max_cells)
        state = cut.line() if domain.dim == 1 else cut.plane()
        if progress is not None:
            progress(layer + 1, n_layers, f"{len(state.packed)} regions")
    edges = (
        np.arange(0, 2 * len(state.edge_vertices) + 1, 2, dtype=np.int64),
        state.edge_vertices.ravel(),
    )
    regions = (state.region_ptr, state.half_edges >> 1)
    return CellComplex(
        network=network,
        domain=domain,
        vertices=state.x,
        facets=(edges,) if domain.dim == 1 else (edges, regions),
        packed_patterns=state.packed,
        facet_labels=state.labels,
        record=EnumerationRecord(
            "cpu", "certified", state.n_uncertain, time.perf_counter() - begin
        ),
    )


@dataclass(frozen=True)
class _State:
    """The complex after some layers; arrays as `_arrangement` describes them.

    For d = 1 regions are the edges: `half_edges` is empty and `labels` belong to vertices.
    """

    x: NDArray[np.float64]
    x_error: NDArray[np.float64]
    edge_vertices: NDArray[np.int32]
    labels: NDArray[np.int32]
    region_ptr: NDArray[np.int64]
    half_edges: NDArray[np.int32]
    packed: NDArray[np.uint8]
    edge_owner: NDArray[np.int32]
    vertex_owner: NDArray[np.int32]
    n_uncertain: int


def _start(network: Network, domain: Domain) -> _State:
    lattice = domain.face_lattice()
    corners, labels = lattice.vertices, -1 - lattice.sides
    edges = lattice.facets[0][1].reshape(-1, 2)
    half_edges = np.empty(0, dtype=np.int32)
    if domain.dim == 2:
        # Order the sides counterclockwise by their midpoints, each from its first corner on.
        spokes = corners[edges].mean(axis=1) - corners.mean(axis=0)
        order = np.argsort(np.arctan2(spokes[:, 1], spokes[:, 0]))
        edges, labels = edges[order], labels[order]
        arms = corners[edges] - corners.mean(axis=0)
        turns = arms[:, 0, 0] * arms[:, 1, 1] - arms[:, 0, 1] * arms[:, 1, 0]
        edges = np.where((turns > 0)[:, None], edges, edges[:, ::-1])
        half_edges = np.arange(0, 2 * len(edges), 2, dtype=np.int32)
    return _State(
        x=corners.copy(),
        x_error=lattice.rounding,
        edge_vertices=np.ascontiguousarray(edges, dtype=np.int32),
        labels=labels.astype(np.int32),
        region_ptr=np.array([0, len(half_edges) or 2], dtype=np.int64),
        half_edges=half_edges,
        packed=np.zeros((1, -(-network.n_neurons // 8)), dtype=np.uint8),
        edge_owner=np.zeros(len(edges), dtype=np.int32),
        vertex_owner=np.zeros(len(corners), dtype=np.int32),
        n_uncertain=0,
    )


@dataclass(frozen=True)
class _Crossings:
    """Where neurons or chords cross segments: entries ptr[s]:ptr[s + 1] belong to segment s.

    `item` is what crosses, `t` the parameter in (0, 1) with its error bound, `same` tells that a
    crossing is at the same point as the one before it. Points are counted by `group_ptr`.
    """

    ptr: NDArray[np.int64]
    item: NDArray[np.int32]
    t: NDArray[np.float64]
    t_error: NDArray[np.float64]
    same: NDArray[np.bool_]
    group_ptr: NDArray[np.int64]

    @classmethod
    def empty(cls, ptr: NDArray[np.int64], item: NDArray[np.int32] | None = None) -> _Crossings:
        n = int(ptr[-1])
        return cls(
            ptr=ptr,
            item=np.empty(n, dtype=np.int32) if item is None else item,
            t=np.empty(n),
            t_error=np.empty(n),
            same=np.zeros(n, dtype=bool),
            group_ptr=ptr,
        )

    def settle(
        self,
        ends: Callable[[int], tuple[Integers, Integers]],
        plane: Callable[[int, int], Integers],
    ) -> int:
        columns = (self.item, self.t, self.t_error)
        return settle_orders(self.ptr, self.same, columns, ends, plane)


class _Layer:
    """One layer cuts the complex."""

    def __init__(
        self,
        network: Network,
        domain: Domain,
        layer: int,
        state: _State,
        max_cells: int | None,
    ) -> None:
        self.network, self.layer, self.state = network, layer, state
        self.max_cells = max_cells
        # Computed coordinates may leave the domain by rounding.
        self.magnitude = domain.magnitude * (1 + 2.0**-30)
        self.limit = float(self.magnitude.min())
        self.target = POSITION_TARGET * float(self.magnitude.max())
        self.offset = network.layer_offsets[layer]
        self.size = network.layer_sizes[layer]
        self.n_old = len(state.x)
        self.n_uncertain = state.n_uncertain
        self.settler = Settler(network, domain, layer, state.packed, self._corner_labels)
        self._all_maps: AffineMaps | None = None

    def _corner_labels(self, region: int, vertex: int) -> list[int]:
        state = self.state
        if not len(state.half_edges):
            return [int(state.labels[vertex])]
        halves = state.half_edges[state.region_ptr[region] : state.region_ptr[region + 1]]
        origins = state.edge_vertices[halves >> 1, halves & 1]
        (q,) = np.flatnonzero(origins == vertex)
        return [int(state.labels[halves[i] >> 1]) for i in (q, q - 1)]

    def maps(self) -> Iterator[tuple[int, AffineMaps]]:
        """Yield (first region, maps of consecutive regions), as many as fit into memory."""
        n_regions = len(self.state.packed)
        step = max(1, _MAPS_AT_ONCE // (self.size * (self.network.input_dim + 2)))
        for first in range(0, n_regions, step):
            if self._all_maps is not None:
                yield 0, self._all_maps
                return
            patterns = unpack_patterns(
                self.state.packed[first : first + step], self.network.n_neurons
            )
            maps = self.network.affine_maps(self.layer, patterns, self.magnitude)
            if n_regions <= step:
                self._all_maps = maps
            yield first, maps

    def signs(self, corners: NDArray[np.int32]) -> NDArray[np.int8]:
        """Return the exact sign of each neuron at each vertex."""
        state = self.state
        signs = np.empty((self.n_old, self.size), dtype=np.int8)
        n_unknown = 0
        for first, maps in self.maps():
            n_unknown += kernels.corner_signs(
                first,
                maps.planes,
                maps.errors,
                state.region_ptr,
                corners,
                state.vertex_owner,
                state.x,
                state.x_error,
                self.limit,
                signs,
            )
        if n_unknown:
            self.n_uncertain += n_unknown
            unknown = np.argwhere(signs == kernels.UNKNOWN)
            settle_signs(self.settler, signs, unknown, state.vertex_owner)
        return signs

    def cross_edges(self, signs: NDArray[np.int8]) -> _Crossings:
        """Sort the neurons that cross each edge, and place the new vertices."""
        state = self.state
        ptr = kernels.count_edge_crossings(state.edge_vertices, signs)
        crossings = _Crossings.empty(ptr)
        for first, maps in self.maps():
            kernels.edge_crossings(
                first,
                maps.planes,
                maps.errors,
                state.edge_vertices,
                state.edge_owner,
                state.x,
                state.x_error,
                self.limit,
                signs,
                ptr,
                crossings.item,
                crossings.t,
                crossings.t_error,
                crossings.same,
            )

        def ends(edge: int) -> tuple[Integers, Integers]:
            a, b = state.edge_vertices[edge]
            region = int(state.edge_owner[edge])
            return self.settler.corner(region, int(a)), self.settler.corner(region, int(b))

        def plane(edge: int, i: int) -> Integers:
            return self.settler.neuron_plane(int(state.edge_owner[edge]), int(crossings.item[i]))

        self.n_uncertain += crossings.settle(ends, plane)
        return replace(crossings, group_ptr=kernels.count_groups(ptr, crossings.same))

    def refine(
        self,
        x: NDArray[np.float64],
        x_error: NDArray[np.float64],
        vertices: NDArray[np.intp],
        point: Callable[[int], Integers],
    ) -> None:
        """Compute those of the vertices exactly whose error bound is too large."""
        rounding = 2.0**-52 * float(self.magnitude.max())
        for vertex in vertices[x_error[vertices] > self.target].tolist():
            x[vertex] = to_float(point(vertex))
            x_error[vertex] = rounding

    def place_on_edges(
        self, crossings: _Crossings, x: NDArray[np.float64], x_error: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Place the new vertices on edges; return for each the crossing that defines it."""
        state = self.state
        source: NDArray[np.int64] = kernels.place_on_edges(
            state.edge_vertices,
            crossings.ptr,
            crossings.same,
            crossings.group_ptr,
            crossings.t,
            crossings.t_error,
            self.magnitude,
            self.n_old,
            x,
            x_error,
        )
        new = np.arange(self.n_old, self.n_old + len(source))
        self.refine(x, x_error, new, partial(self.edge_point, crossings, source))
        return source

    def edge_point(self, crossings: _Crossings, source: NDArray[np.int64], vertex: int) -> Integers:
        """Return a new vertex on an edge exactly."""
        i = int(source[vertex - self.n_old])
        edge = int(np.searchsorted(crossings.ptr, i, side="right")) - 1
        region = int(self.state.edge_owner[edge])
        planes = [self.settler.neuron_plane(region, int(crossings.item[i]))]
        if len(self.state.half_edges):
            planes.append(self.settler.plane(region, int(self.state.labels[edge])))
        return intersection_point(planes)

    def line(self) -> _State:
        """Cut the regions of a line."""
        state = self.state
        signs = self.signs(state.edge_vertices.ravel())
        crossings = self.cross_edges(signs)
        n_new = int(crossings.group_ptr[-1])
        check_limit(self.max_cells, 2 * (self.n_old + n_new) - 1, self.network, self.layer)
        x = np.concatenate([state.x, np.empty((n_new, 1))])
        x_error = np.concatenate([state.x_error, np.empty(n_new)])
        self.place_on_edges(crossings, x, x_error)
        pieces, first_piece = kernels.split_edges(
            state.edge_vertices, crossings.group_ptr, self.n_old
        )
        first_of_group = np.flatnonzero(~crossings.same)
        labels = np.concatenate(
            [state.labels, (self.offset + crossings.item[first_of_group]).astype(np.int32)]
        )
        packed = kernels.line_patterns(
            state.edge_vertices,
            signs,
            crossings.ptr,
            crossings.item,
            crossings.same,
            state.packed,
            self.offset,
            first_piece,
        )
        n_regions = len(pieces)
        vertex_owner = np.empty(len(x), dtype=np.int32)
        vertex_owner[pieces.ravel()] = np.repeat(np.arange(n_regions, dtype=np.int32), 2)
        return replace(
            state,
            x=x,
            x_error=x_error,
            edge_vertices=pieces,
            labels=labels,
            region_ptr=np.arange(0, 2 * n_regions + 1, 2),
            packed=packed,
            edge_owner=np.arange(n_regions, dtype=np.int32),
            vertex_owner=vertex_owner,
            n_uncertain=self.n_uncertain,
        )

    def plane(self) -> _State:
        """Cut the regions of a plane."""
        state = self.state
        edges, halves, regions = state.edge_vertices, state.half_edges, state.region_ptr
        signs = self.signs(edges[halves >> 1, halves & 1])
        on_edges = self.cross_edges(signs)
        groups = on_edges.group_ptr
        inner_base = self.n_old + int(groups[-1])
        pieces, first_piece = kernels.split_edges(edges, groups, self.n_old)

        rim_ptr = kernels.rim_sizes(regions, halves, groups)
        rim_vertex, rim_piece = kernels.walk_rims(
            regions, halves, edges, groups, first_piece, self.n_old, rim_ptr
        )
        shape = (regions, halves, edges, signs, on_edges.ptr, on_edges.item, on_edges.same, rim_ptr)
        member_ptr, chord_ptr, meet_ptr, broken = kernels.count_chords(*shape)
        if broken >= 0:
            raise InvariantError(
                f"the signs at the corners of region {broken} contradict its convexity in layer "
                f"{self.layer + 1}; please report this network as a bug"
            )
        chord_ends, neuron_ptr, neurons, after, cross_ptr, cross, chord_region = (
            kernels.fill_chords(*shape, member_ptr, chord_ptr, meet_ptr)
        )

        room = inner_base + int(meet_ptr[-1]) // 2
        x = np.concatenate([state.x, np.empty((room - self.n_old, 2))])
        x_error = np.concatenate([state.x_error, np.empty(room - self.n_old)])
        source = self.place_on_edges(on_edges, x, x_error)

        inside = _Crossings.empty(cross_ptr, cross)
        for first, maps in self.maps():
            kernels.chord_crossings(
                first,
                maps.planes,
                maps.errors,
                chord_ptr,
                chord_ends,
                neuron_ptr,
                neurons,
                cross_ptr,
                cross,
                rim_ptr,
                rim_vertex,
                x,
                x_error,
                self.limit,
                inside.t,
                inside.t_error,
                inside.same,
            )

        def rim_point(region: int, position: int) -> Integers:
            vertex = int(rim_vertex[rim_ptr[region] + position])
            if vertex < self.n_old:
                return self.settler.corner(region, vertex)
            return self.edge_point(on_edges, source, vertex)

        def ends(chord: int) -> tuple[Integers, Integers]:
            region = int(chord_region[chord])
            a, b = chord_ends[chord].tolist()
            return rim_point(region, a), rim_point(region, b)

        def plane(chord: int, i: int) -> Integers:
            region = int(chord_region[chord])
            other = int(chord_ptr[region]) + int(cross[i])
            return self.settler.neuron_plane(region, int(neurons[neuron_ptr[other]]))

        self.n_uncertain += inside.settle(ends, plane)

        inner_ptr = kernels.count_inner_vertices(chord_ptr, cross_ptr, cross, inside.same)
        chord_groups = kernels.count_groups(cross_ptr, inside.same)
        edge_ptr, face_ptr, side_ptr = kernels.face_counts(
            regions, rim_ptr, chord_ptr, chord_groups, inner_ptr
        )
        n_vertices = inner_base + int(inner_ptr[-1])
        n_edges = len(pieces) + int(edge_ptr[-1])
        n_regions = int(face_ptr[-1])
        check_limit(self.max_cells, n_vertices + n_edges + n_regions, self.network, self.layer)
        new_edges = np.concatenate([pieces, np.empty((int(edge_ptr[-1]), 2), dtype=np.int32)])
        labels = np.empty(n_edges, dtype=np.int32)
        labels[: len(pieces)] = np.repeat(state.labels, np.diff(first_piece))
        inner_source = np.empty((int(inner_ptr[-1]), 3), dtype=np.int32)
        region_ptr = np.empty(n_regions + 1, dtype=np.int64)
        half_edges = np.empty(int(side_ptr[-1]), dtype=np.int32)
        packed = np.empty((n_regions, state.packed.shape[1]), dtype=np.uint8)
        kernels.fill_faces(
            regions,
            halves,
            edges,
            signs,
            state.packed,
            self.offset,
            rim_ptr,
            rim_vertex,
            rim_piece,
            chord_ptr,
            chord_ends,
            neuron_ptr,
            neurons,
            after,
            cross_ptr,
            cross,
            inside.same,
            inside.t,
            inside.t_error,
            inner_ptr,
            edge_ptr,
            face_ptr,
            side_ptr,
            inner_base,
            len(pieces),
            self.magnitude,
            x,
            x_error,
            new_edges,
            labels,
            inner_source,
            region_ptr,
            half_edges,
            packed,
        )

        def inner_point(vertex: int) -> Integers:
            region, *units = inner_source[vertex - inner_base].tolist()
            return intersection_point([self.settler.neuron_plane(region, u) for u in units])

        self.refine(x, x_error, np.arange(inner_base, n_vertices), inner_point)
        edge_owner, vertex_owner = kernels.owners(region_ptr, half_edges, new_edges, n_vertices)
        return _State(
            x=x[:n_vertices].copy(),
            x_error=x_error[:n_vertices].copy(),
            edge_vertices=new_edges,
            labels=labels,
            region_ptr=region_ptr,
            half_edges=half_edges,
            packed=packed,
            edge_owner=edge_owner,
            vertex_owner=vertex_owner,
            n_uncertain=self.n_uncertain,
        )
