"""Enumeration in exact rational arithmetic: slow, simple, any dimension.

The face lattice is cut by one neuron after another. Every vertex gets the sign of the neuron
there, in {-1, 0, +1}; a k-cell is cut when its vertices carry both signs. Going up k = 1..d, a
cut cell c becomes c⁺, c⁻ and c⁰ = c ∩ {z = 0}. The facets of c⁰ are the f⁰ of the cut facets
f of c, and the (k-2)-faces of c that lie wholly in {z = 0}. Everything is an integer, so there
is no rounding anywhere but in the coordinates that are returned.

Use it for tests, and to certify small cases; the cost is neurons × cells.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, sign, to_float
from relutopo.complex import CellComplex
from relutopo.geometry.cells import EnumerationRecord
from relutopo.geometry.domain import Domain, FacetLists, side_label
from relutopo.geometry.patterns import pack_patterns
from relutopo.interfaces import Enumerator, Progress
from relutopo.networks.network import Network

from ._shared.task import Limits

__all__ = ["ExactEnumerator"]


class ExactEnumerator(Enumerator):
    """Cuts the face lattice neuron by neuron with Python integers.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2), enumerator="exact").n_cells
    (9, 12, 4)
    """

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> CellComplex:
        """Return the complex of the network on the domain; see `Enumerator`."""
        begin = time.perf_counter()
        limits = Limits(max_cells, max_bytes, _bytes_a_cell(network, domain.dim))
        lattice = _Lattice(network, domain)
        n_layers = len(network.layer_sizes)
        for layer in range(n_layers):
            for unit in range(network.layer_sizes[layer]):
                lattice.cut(layer, unit)
                limits.check(lattice.n_cells, network, layer, unit)
            if progress is not None:
                progress(layer + 1, n_layers, f"{lattice.n_cells} cells")
        return lattice.complex(network, domain, time.perf_counter() - begin)


def _bytes_a_cell(network: Network, dim: int) -> float:
    """Return the bytes of a cell: sets of Python integers, and exact values at every vertex."""
    return float(1000.0 * dim + 100 * network.n_neurons / 2**dim)


class _Lattice:
    """The face lattice so far.

    ``facets[k]`` holds, for each k-cell, the set of its facets (k ≥ 1); ``corners[k]`` the set of
    its vertices. ``values[v]`` are the exact pre-activations of all layers at vertex v.
    """

    def __init__(self, network: Network, domain: Domain) -> None:
        faces = domain.face_lattice()
        self.dim = domain.dim
        self.network = network
        self.points: list[Integers] = []
        self.values: list[list[Integers]] = []
        for point in faces.exact_vertices:
            self.add_vertex(point)
        self.facets: list[list[set[int]]] = [[set() for _ in self.points]]
        self.corners: list[list[set[int]]] = [[{v} for v in range(len(self.points))]]
        for indptr, indices in faces.facets:
            self.facets.append([set(x.tolist()) for x in np.split(indices, indptr[1:-1])])
            self.corners.append([self.union(len(self.corners), f) for f in self.facets[-1]])
        self.labels = [side_label(int(s)) for s in faces.sides]
        self.patterns: list[list[bool]] = [[]]

    def union(self, k: int, facets: Iterable[int]) -> set[int]:
        return set().union(*(self.corners[k - 1][f] for f in facets))

    @property
    def n_cells(self) -> int:
        return sum(map(len, self.corners))

    def add_vertex(self, point: Integers) -> int:
        divisor = reduce(gcd, point.tolist())
        self.points.append(point // divisor)
        self.values.append([z[0] for z in self.network.exact_preactivations(self.points[-1][None])])
        return len(self.points) - 1

    def cut(self, layer: int, unit: int) -> None:
        """Cut every cell that has both signs of one neuron."""
        z = [values[layer][unit] for values in self.values]
        signs = [sign(value) for value in z]
        neuron = self.network.layer_offsets[layer] + unit
        # For each cut cell of the dimension below: its half on the plus side and its section. The
        # half on the minus side keeps the cell's number.
        plus_of: dict[int, int] = {}
        section_of: dict[int, int] = {}
        for k in range(1, self.dim + 1):
            plus_above: dict[int, int] = {}
            section_above: dict[int, int] = {}
            for c in range(len(self.corners[k])):
                found = {signs[v] for v in self.corners[k][c]}
                if not found >= {-1, 1}:
                    if k == self.dim:
                        self.patterns[c].append(1 in found)
                    continue
                plus, minus = set(), set()
                for f in self.facets[k][c]:
                    if f in plus_of:
                        plus.add(plus_of[f])
                        minus.add(f)
                    elif any(signs[v] > 0 for v in self.corners[k - 1][f]):
                        plus.add(f)
                    else:
                        minus.add(f)
                if k == 1:
                    a, b = self.facets[1][c]
                    section = self.add_vertex(
                        abs(z[b]) * self.points[a] + abs(z[a]) * self.points[b]
                    )
                    signs.append(0)
                    self.facets[0].append(set())
                    self.corners[0].append({section})
                else:
                    halves = plus | minus
                    facets = {section_of[f] for f in self.facets[k][c] if f in section_of}
                    facets |= (
                        {
                            g
                            for f in halves
                            for g in self.facets[k - 1][f]
                            if all(signs[v] == 0 for v in self.corners[k - 2][g])
                        }
                        if k > 2
                        else {v for v in self.corners[k][c] if signs[v] == 0}
                    )
                    section = self.add_cell(k - 1, facets)
                if k == self.dim:
                    self.labels.append(neuron)
                plus_above[c] = self.add_cell(k, plus | {section})
                self.facets[k][c] = minus | {section}
                self.corners[k][c] = self.union(k, self.facets[k][c])
                section_above[c] = section
                if k == self.dim - 1:
                    self.labels.append(self.labels[c])
                if k == self.dim:
                    self.patterns.append([*self.patterns[c], True])
                    self.patterns[c].append(False)
            plus_of, section_of = plus_above, section_above

    def add_cell(self, k: int, facets: set[int]) -> int:
        self.facets[k].append(facets)
        self.corners[k].append(self.union(k, facets))
        return len(self.corners[k]) - 1

    def complex(self, network: Network, domain: Domain, seconds: float) -> CellComplex:
        bits = np.array(self.patterns, dtype=bool).reshape(len(self.patterns), -1)
        vertices = np.array([to_float(p) for p in self.points])
        return CellComplex(
            network=network,
            domain=domain,
            vertices=vertices,
            vertex_errors=np.spacing(np.abs(vertices).max(axis=1)),
            facets=tuple(_csr(lists) for lists in self.facets[1:]),
            packed_patterns=pack_patterns(bits),
            facet_labels=np.array(self.labels, dtype=np.int32),
            record=EnumerationRecord("exact", "certified", 0, seconds),
        )


def _csr(lists: list[set[int]]) -> FacetLists:
    indptr: NDArray[np.int64] = np.cumsum([0, *map(len, lists)], dtype=np.int64)
    return indptr, np.array([f for facets in lists for f in sorted(facets)], dtype=np.int32)
