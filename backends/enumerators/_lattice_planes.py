"""The planes in which cells lie, as floats with bounds and exactly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.domain import Domain, FaceLattice
from relutopo.geometry.exact import Integers, intersection_point
from relutopo.geometry.network import Network
from relutopo.geometry.patterns import unpack_patterns

__all__ = ["ExactPoints", "PlaneTable", "planes_of_faces"]


@dataclass(frozen=True)
class PlaneTable:
    """Zero sets of neurons on regions, and sides of the domain.

    Attributes
    ----------
    neurons : (n,) ndarray of int32
        The neuron, or -1 - s for side s of the domain.
    coefficients : (n, d + 2) ndarray
        A, c and the error bound e of A x + c over the domain.
    packed : (n, n_bytes) ndarray of uint8
        Pattern of the region, for the layers before.
    """

    neurons: NDArray[np.int32]
    coefficients: NDArray[np.float64]
    packed: NDArray[np.uint8]

    @classmethod
    def of_sides(cls, domain: Domain, n_bytes: int) -> PlaneTable:
        """Return the sides of a domain."""
        normals, offsets = domain.halfspaces()
        n = len(offsets)
        return cls(
            neurons=-1 - np.arange(n, dtype=np.int32),
            coefficients=np.concatenate([normals, -offsets[:, None], np.zeros((n, 1))], axis=1),
            packed=np.zeros((n, n_bytes), dtype=np.uint8),
        )

    def extended(self, others: Sequence[PlaneTable], names_only: bool) -> PlaneTable:
        """Return all rows one after another, or nothing but their `neurons`."""
        tables = [self, *others]
        neurons = np.concatenate([t.neurons for t in tables])
        if names_only:
            return PlaneTable(neurons, self.coefficients[:0], self.packed[:0])
        return PlaneTable(
            neurons=neurons,
            coefficients=np.concatenate([t.coefficients for t in tables]),
            packed=np.concatenate([t.packed for t in tables]),
        )


class ExactPoints:
    """Vertices as exact points.

    Parameters
    ----------
    network, domain
        What is being decomposed.
    corners : (n, d + 1) ndarray of int objects
        The first vertices.
    """

    def __init__(self, network: Network, domain: Domain, corners: Integers) -> None:
        self._network = network
        self._sides = domain.side_planes()
        self.known: dict[int, Integers] = dict(enumerate(corners))
        # Many vertices lie on the planes of one region.
        self._maps = lru_cache(maxsize=64)(self._compute_maps)

    def point(self, vertex: int, table: PlaneTable, planes: NDArray[np.int32]) -> Integers:
        """Return a vertex of the complex; row v of `planes` names the planes of vertex v."""
        if vertex not in self.known:
            self.known[vertex] = self.intersection(
                (int(table.neurons[p]), table.packed[p]) for p in planes[vertex]
            )
        return self.known[vertex]

    def intersection(self, planes: Iterable[tuple[int, NDArray[np.uint8]]]) -> Integers:
        """Return the common point of planes, each a neuron (or side) and a region's pattern."""
        point = intersection_point([self._plane(neuron, packed) for neuron, packed in planes])
        shortened: Integers = point // reduce(gcd, point.tolist())
        return shortened

    def _plane(self, neuron: int, packed: NDArray[np.uint8]) -> Integers:
        if neuron < 0:
            side: Integers = self._sides[-1 - neuron]
            return side
        layer = int(self._network.layer_of(neuron))
        first = self._network.layer_offsets[layer]
        (pattern,) = unpack_patterns(packed[None], self._network.n_neurons)
        earlier = self._maps(layer, pattern[:first].tobytes())
        plane: Integers
        (plane,) = self._network.exact_planes(pattern[:first], earlier, [neuron - first])
        return plane

    def _compute_maps(self, layer: int, pattern: bytes) -> list[Integers]:
        return self._network.exact_maps(np.frombuffer(pattern, dtype=bool), layer)


def planes_of_faces(faces: FaceLattice, sides: Integers) -> list[NDArray[np.int32]]:
    """Return, for each k-face of a domain, k < d, d - k sides whose intersection it spans.

    Parameters
    ----------
    faces : FaceLattice
    sides : (n_sides, d + 1) ndarray of int objects
        Exact planes.
    """
    d = faces.vertices.shape[1]
    containing: list[list[set[int]]] = [[{s} for s in faces.sides.tolist()]]
    for k in range(d - 1, 0, -1):
        indptr, indices = faces.facets[k - 1]
        below: list[set[int]] = [set() for _ in range(int(indices.max()) + 1)]
        for c, found in enumerate(containing[-1]):
            for f in indices[indptr[c] : indptr[c + 1]].tolist():
                below[f] |= found
        containing.append(below)
    return [
        np.array(
            [_independent(sorted(found), sides, d - k) for found in containing[d - 1 - k]],
            dtype=np.int32,
        )
        for k in range(d)
    ]


def _independent(numbers: list[int], sides: Integers, wanted: int) -> list[int]:
    """Return the first sides with linearly independent normals."""
    chosen: list[int] = []
    basis: list[tuple[int, Integers]] = []
    for s in numbers:
        rest = sides[s, :-1].copy()
        for pivot, row in basis:
            rest = rest * row[pivot] - row * rest[pivot]
        (nonzero,) = np.nonzero(rest)
        if nonzero.size and len(chosen) < wanted:
            basis.append((int(nonzero[0]), rest))
            chosen.append(s)
    return chosen
