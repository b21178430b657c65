"""Vertices as exact points, found from the planes that meet in them; for all dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from math import gcd

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, intersection_point
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.network import Network

__all__ = ["ExactPoints"]


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

    def point(self, vertex: int, planes: Iterable[tuple[int, NDArray[np.uint8]]]) -> Integers:
        """Return a vertex of the complex, the common point of planes; see `intersection`."""
        if vertex not in self.known:
            self.known[vertex] = self.intersection(planes)
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
