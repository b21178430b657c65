"""The enumerator `cpu` in any dimension d ≥ 1: the face lattice is cut neuron by neuron.

Every vertex gets the sign of the neuron in {-1, 0, +1}; a k-cell is cut when its vertices carry
both signs. Going up k = 1..d, a cut cell c becomes c⁺, c⁻ and its section c⁰; the facets of c⁰ are
the sections of the cut facets of c and the (k-2)-faces of c that lie wholly in the zero set. With
the third sign this is right for every arrangement.

Signs are exact: they come from floats where the bounds of `_arrangement` allow, and otherwise from
the network's exact pre-activations at the exact vertex. A vertex knows the edge and the neuron that
made it, so its exact coordinates follow from those of the edge's ends.

Every neuron looks at every cell once, a few nanoseconds each. In the n^d cells of n hyperplanes
that is n / (d + 1) looks a cell, which is little for d ≥ 3; lines and planes have `_plane`.
"""

from __future__ import annotations

import time
from functools import reduce
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.complex import CellComplex, EnumerationRecord
from relutopo.geometry.domain import Domain, FaceLattice, FacetLists
from relutopo.geometry.exact import Integers, sign, to_float
from relutopo.geometry.network import Network
from relutopo.geometry.patterns import unpack_patterns
from relutopo.interfaces import Progress

from . import _cutting as kernels
from ._arrangement import UNKNOWN
from ._limits import POSITION_TARGET, check_limit

__all__ = ["enumerate_lattice"]


def enumerate_lattice(
    network: Network, domain: Domain, max_cells: int | None, progress: Progress | None
) -> CellComplex:
    """Return the complex of a network on a domain; see `Enumerator`."""
    begin = time.perf_counter()
    lattice, n_layers = _Lattice(network, domain), len(network.layer_sizes)
    for layer in range(n_layers):
        lattice.start_layer(layer)
        for unit in range(network.layer_sizes[layer]):
            lattice.cut(unit)
            check_limit(max_cells, lattice.n_cells, network, layer, unit)
        if progress is not None:
            progress(layer + 1, n_layers, f"{lattice.cells[-1].n} regions")
    return CellComplex(
        network=network,
        domain=domain,
        vertices=lattice.x[: lattice.n_vertices].copy(),
        facets=tuple(cells.facets() for cells in lattice.cells),
        packed_patterns=lattice.packed[: lattice.cells[-1].n].copy(),
        facet_labels=lattice.labels[: lattice.n_facets].copy(),
        record=EnumerationRecord(
            "cpu", "certified", lattice.n_uncertain, time.perf_counter() - begin
        ),
    )


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return an array with room for `size` rows; rows beyond the old ones are not initialised."""
    if len(array) >= size:
        return array
    bigger = np.empty((max(size, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
    bigger[: len(array)] = array
    return bigger


class _Cells:
    """The cells of one dimension k ≥ 1, as `_cutting` describes them."""

    def __init__(self, lists: FacetLists) -> None:
        indptr, indices = lists
        self.n = len(indptr) - 1
        self.start = indptr[:-1].copy()
        self.count = np.diff(indptr).astype(np.int32)
        self.pool = indices.copy()
        self.end = len(indices)
        self.flags = np.zeros(self.n, dtype=np.uint8)
        self.half = np.full(self.n, -1, dtype=np.int32)
        self.section = np.full(self.n, -1, dtype=np.int32)
        self.parent = np.zeros(self.n, dtype=np.int32)

    def make_room(self, cells: int, entries: int) -> None:
        for name in ("start", "count", "flags", "half", "section", "parent"):
            setattr(self, name, _grown(getattr(self, name), self.n + cells))
        self.pool = _grown(self.pool, self.end + entries)

    def facets(self) -> FacetLists:
        lists: FacetLists = kernels.compact(self.n, self.start, self.count, self.pool)
        return lists

    def tidy(self) -> None:
        """Drop the lists that cuts have replaced."""
        indptr, self.pool = self.facets()
        self.start, self.end = indptr[:-1].copy(), len(self.pool)
        self.count = self.count[: self.n].copy()


class _Lattice:
    """The face lattice so far; ``cells[k - 1]`` are the k-cells."""

    def __init__(self, network: Network, domain: Domain) -> None:
        faces: FaceLattice = domain.face_lattice()
        self.network = network
        # Computed coordinates may leave the domain by rounding.
        self.magnitude = domain.magnitude * (1 + 2.0**-30)
        self.limit = float(self.magnitude.min())
        self.target = POSITION_TARGET * float(self.magnitude.max())
        self.x = faces.vertices.copy()
        self.n_vertices = len(self.x)
        self.x_error = faces.rounding
        self.origin = np.full((self.n_vertices, 3), -1, dtype=np.int32)
        self.points: dict[int, Integers] = dict(enumerate(faces.exact_vertices))
        self.cells = [_Cells(lists) for lists in faces.facets]
        self.labels = (-1 - faces.sides).astype(np.int32)
        self.packed = np.zeros((1, -(-network.n_neurons // 8)), dtype=np.uint8)
        self.n_uncertain = 0

    @property
    def n_cells(self) -> int:
        """Number of cells of all dimensions."""
        return self.n_vertices + sum(cells.n for cells in self.cells)

    @property
    def n_facets(self) -> int:
        """Number of (d-1)-cells."""
        return self.cells[-2].n if len(self.cells) > 1 else self.n_vertices

    def start_layer(self, layer: int) -> None:
        """Evaluate a layer's maps on all regions and its signs at all vertices."""
        self.layer = layer
        n_regions = self.cells[-1].n
        patterns = unpack_patterns(self.packed[:n_regions], self.network.n_neurons)
        maps = self.network.affine_maps(layer, patterns, self.magnitude)
        self.planes, self.errors = maps.planes, maps.errors
        above = np.arange(n_regions, dtype=np.int32)
        for k in range(len(self.cells) - 1, -1, -1):
            cells = self.cells[k]
            cells.tidy()
            cells.parent = above
            n_below = self.cells[k - 1].n if k else self.n_vertices
            below = np.empty(n_below, dtype=np.int32)
            kernels.hand_down(cells.n, cells.start, cells.count, cells.pool, above, below)
            above = below
        self.vertex_parent = above
        shape = (self.n_vertices, self.network.layer_sizes[layer])
        self.signs = np.full(shape, UNKNOWN, dtype=np.int8)
        self.vertex_flag = np.zeros(self.n_vertices, dtype=np.uint8)
        self.resolve(0)

    def resolve(self, first: int) -> None:
        """Decide all signs of the vertices from `first` on."""
        n_unknown = kernels.resolve_signs(
            first,
            self.n_vertices,
            self.planes,
            self.errors,
            self.vertex_parent,
            self.x,
            self.x_error,
            self.limit,
            self.signs,
        )
        if n_unknown:
            self.n_uncertain += n_unknown
            fresh = self.signs[first : self.n_vertices]
            for row in np.flatnonzero((fresh == UNKNOWN).any(axis=1)).tolist():
                values = self.exact_values(first + row, self.layer)
                for j in np.flatnonzero(fresh[row] == UNKNOWN):
                    fresh[row, j] = sign(values[j])

    def exact_values(self, vertex: int, layer: int) -> Integers:
        """Return a layer's pre-activations at a vertex, times a positive number."""
        point = self.exact_point(vertex)
        values: Integers = self.network.exact_preactivations(point[None])[layer][0]
        return values

    def exact_point(self, vertex: int) -> Integers:
        """Return a vertex exactly, from the ends of the edge that was cut there."""
        waiting = [vertex]
        while waiting:
            v = waiting[-1]
            a, b, neuron = self.origin[v].tolist()
            missing = [end for end in (a, b) if v not in self.points and end not in self.points]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if v in self.points:
                continue
            layer = int(self.network.layer_of(neuron))
            unit = neuron - self.network.layer_offsets[layer]
            at_a, at_b = (abs(self.exact_values(end, layer)[unit]) for end in (a, b))
            point = at_b * self.points[a] + at_a * self.points[b]
            self.points[v] = point // reduce(gcd, point.tolist())
        return self.points[vertex]

    def cut(self, unit: int) -> None:
        """Cut every cell that has both signs of a neuron of the layer."""
        neuron = self.network.layer_offsets[self.layer] + unit
        edges, first = self.cells[0], self.n_vertices
        kernels.vertex_flags(self.signs, unit, first, self.vertex_flag)
        uncut = np.full(first, -1, dtype=np.int32)
        n_cut = self.classify(edges, self.vertex_flag, uncut)
        size = first + n_cut
        for name in ("x", "x_error", "origin", "vertex_parent", "signs", "vertex_flag"):
            setattr(self, name, _grown(getattr(self, name), size))
        edges.make_room(n_cut, 2 * n_cut)
        edges.end = kernels.cut_edges(
            edges.n,
            edges.start,
            edges.count,
            edges.pool,
            edges.end,
            edges.flags,
            edges.half,
            edges.section,
            edges.parent,
            unit,
            first,
            self.planes,
            self.errors,
            self.x,
            self.x_error,
            self.limit,
            self.magnitude,
            self.origin,
            self.vertex_parent,
            self.signs,
            self.vertex_flag,
        )
        self.origin[first:size, 2] = neuron
        self.n_vertices = size
        edges.n += n_cut
        self.refine(first)
        self.resolve(first)
        self.label(1, edges, edges.n - n_cut, n_cut, neuron)
        for k in range(2, len(self.cells) + 1):
            cells, below = self.cells[k - 1], self.cells[k - 2]
            flags_two_below = self.cells[k - 3].flags if k > 2 else self.vertex_flag
            n_old, n_cut = cells.n, self.classify(cells, below.flags, below.half)
            own, entries = kernels.room_to_cut(
                n_old, cells.start, cells.count, cells.pool, cells.flags, below.count
            )
            cells.make_room(n_cut, own)
            below.make_room(n_cut, entries)
            cells.end, below.end = kernels.cut_cells(
                n_old,
                cells.start,
                cells.count,
                cells.pool,
                cells.end,
                cells.flags,
                cells.half,
                cells.section,
                cells.parent,
                below.n,
                below.start,
                below.count,
                below.pool,
                below.end,
                below.flags,
                below.half,
                below.section,
                below.parent,
                flags_two_below,
            )
            cells.n += n_cut
            below.n += n_cut
            self.label(k, cells, n_old, n_cut, neuron)

        regions = self.cells[-1]
        self.packed = _grown(self.packed, regions.n)
        kernels.record_neuron(
            regions.n - n_cut, n_cut, regions.flags, regions.half, self.packed, neuron
        )

    def label(self, k: int, cells: _Cells, n_old: int, n_cut: int, neuron: int) -> None:
        """Label the facets that the cuts of k-cells have made."""
        d = len(self.cells)
        if k == d - 1:  # the plus half of a facet lies on the same plane
            cut = np.flatnonzero(cells.half[:n_old] >= 0)
            self.labels = np.append(self.labels, self.labels[cut])
        elif k == d:  # the section of a region lies on the neuron's
            self.labels = np.append(self.labels, np.full(n_cut, neuron, dtype=np.int32))

    def classify(
        self, cells: _Cells, flags_below: NDArray[np.uint8], half_below: NDArray[np.int32]
    ) -> int:
        """Write the flags of cells, and return how many are cut."""
        n_cut: int = kernels.classify(
            cells.n,
            cells.start,
            cells.count,
            cells.pool,
            flags_below,
            half_below,
            cells.flags,
        )
        return n_cut

    def refine(self, first: int) -> None:
        """Compute those of the new vertices exactly whose error bound is too large."""
        new = slice(first, self.n_vertices)
        for vertex in (first + np.flatnonzero(self.x_error[new] > self.target)).tolist():
            self.x[vertex] = to_float(self.exact_point(vertex))
            self.x_error[vertex] = 2.0**-52 * float(self.magnitude.max())
