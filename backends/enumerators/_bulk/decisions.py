"""What bounds leave open in the bulk enumerator, decided on the host.

In the plane a sign is looked for to twice the precision first (`_precise`), which spares deep
networks integers of thousands of digits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, sign
from relutopo.devices.device import Device
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.network import Network

from .._certified.exact_points import ExactPoints
from .._certified.precise import (
    PreciseMap,
    PreciseMaps,
    PrecisePlane,
    meeting_point,
    plane_of,
    plane_of_side,
    sign_at,
)
from .._shared.planes import PlaneTable
from .numbers.regions import Regions
from .sets.lists import Array

__all__ = ["Decisions", "Open"]

_LONG_INTEGERS = 2
"""From which layer on integers are so long that twice the precision is tried first."""

Named: TypeAlias = tuple[int, NDArray[np.uint8]]
"""A facet label, and the packed pattern of a region; that of a side of the domain is empty."""


class Open(NamedTuple):
    """Signs that bounds leave open: those of units at places, each of which is in a region.

    Attributes
    ----------
    place, unit, region : (n,) ndarrays of int64
    """

    place: NDArray[np.int64]
    unit: NDArray[np.int64]
    region: NDArray[np.int64]


class Decisions:
    """Exact points and signs.

    Parameters
    ----------
    device : Device
        Where the arrays are.
    network, domain
        What is decomposed, and where.
    magnitude : (d,) ndarray
        Bound of the coordinates.
    regions : Regions
        Those of the complex so far.

    Attributes
    ----------
    n_open : int
        How many signs were decided.
    """

    def __init__(
        self,
        device: Device,
        network: Network,
        domain: Domain,
        magnitude: NDArray[np.float64],
        regions: Regions,
    ) -> None:
        self._device, self._network, self._regions = device, network, regions
        self._sides = domain.side_planes()
        self._exact = ExactPoints(network, domain, domain.face_lattice().exact_vertices)
        self._precise = PreciseMaps.on_plane(network, magnitude)
        # Many vertices lie on the planes of one region.
        self._chain = lru_cache(maxsize=64)(self._compute_chain)
        self.n_open = 0

    @property
    def known(self) -> dict[int, Integers]:
        """Vertices of the complex that are known exactly, by their number."""
        return self._exact.known

    def points(
        self, places: NDArray[np.int64], planes: Array, table: PlaneTable
    ) -> dict[int, Integers]:
        """Return exactly where planes meet, by the place.

        Parameters
        ----------
        places : (n_places,) ndarray of int64
        planes : (n, d) ndarray of int32
            Rows of the table; those at `places` meet in points.
        table : PlaneTable
        """
        names = self._names(places, planes, table)
        return {place: self._exact.intersection(names[place]) for place in names}

    def settle(
        self,
        signs: tuple[Array, Array],
        left: Open,
        planes: Array,
        table: PlaneTable,
        points: dict[int, Integers],
    ) -> None:
        """Decide open signs of units of the next layer.

        Parameters
        ----------
        signs : two (n, n_words) ndarrays of uint64
            The units that are positive and negative at each place; changed in place.
        left : Open
            What is to be decided.
        planes : (n, d) ndarray of int32
            Rows of the table that meet in the point.
        table : PlaneTable
        points : dict of int to ndarray of int objects
            Exact points by their place; more are added.
        """
        if not len(left.place):
            return
        self.n_open += len(left.place)
        rows, which = np.unique(left.place, return_inverse=True)
        pairs = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
        on_device = self._device.to_device(rows)
        words = [self._device.to_host(sets[on_device]).copy() for sets in signs]
        unknown = [v for v in rows.tolist() if v not in points]
        names = self._names(np.array(unknown, dtype=np.int64), planes, table)
        found = self._signs(left, dict(zip(rows.tolist(), pairs, strict=True)), names, points)
        for sets, some, wanted in zip(words, signs, (1, -1), strict=True):
            here = found == wanted
            bits = np.uint64(1) << (left.unit[here] & 63).astype(np.uint64)
            np.bitwise_or.at(sets, (which[here], left.unit[here] >> 6), bits)
            some[on_device] = self._device.to_device(sets)

    def _signs(
        self,
        left: Open,
        pairs_at: dict[int, NDArray[np.int64]],
        names: dict[int, list[Named]],
        points: dict[int, Integers],
    ) -> NDArray[np.int64]:
        """Return the open signs; `pairs_at` has those of each place, `names` the planes there."""
        layer, found = self._regions.layer, np.zeros(len(left.place), dtype=np.int64)
        patterns = self._patterns(layer, left.region)
        for v, pairs in pairs_at.items():
            if v not in points:
                neurons = left.unit[pairs] + self._network.layer_offsets[layer]
                signs = self._precise_signs(
                    names[v], neurons.tolist(), [patterns[r] for r in left.region[pairs].tolist()]
                )
                if signs is not None:
                    found[pairs] = signs
                    continue
                points[v] = self._exact.intersection(names[v])
            # One forward pass tells all units.
            values = self._network.exact_preactivations(points[v][None])[layer][0]
            found[pairs] = [sign(values[j]) for j in left.unit[pairs].tolist()]
        return found

    def _precise_signs(
        self, meeting: list[Named], neurons: list[int], patterns: list[NDArray[np.uint8]]
    ) -> list[int] | None:
        """Return the signs of neurons where planes meet, or None if one of them stays open."""
        if self._precise is None or self._regions.layer < _LONG_INTEGERS:
            return None
        point, error = meeting_point(*(self._precise_plane(*plane) for plane in meeting))
        signs = []
        for neuron, packed in zip(neurons, patterns, strict=True):
            signs.append(sign_at(self._precise_plane(neuron, packed), point, error))
            if not signs[-1]:
                return None
        return signs

    def _precise_plane(self, label: int, packed: NDArray[np.uint8]) -> PrecisePlane:
        if label < 0:
            return plane_of_side(self._sides[-1 - label])
        layer = int(self._network.layer_of(label))
        here = self._chain(layer, packed.tobytes())
        return plane_of(here, label - self._network.layer_offsets[layer])

    def _compute_chain(self, layer: int, packed: bytes) -> PreciseMap:
        assert self._precise is not None
        (pattern,) = unpack_patterns(
            np.frombuffer(packed, dtype=np.uint8)[None], self._network.n_neurons
        )
        return self._precise.chain(pattern, layer)[-1]

    def _names(
        self, places: NDArray[np.int64], planes: Array, table: PlaneTable
    ) -> dict[int, list[Named]]:
        """Return the planes that meet at some places."""
        if not places.size:
            return {}
        device = self._device
        rows = planes[device.to_device(places)]
        labels, regions = device.to_host(table.labels[rows]), device.to_host(table.regions[rows])
        layers = np.where(labels < 0, -1, self._network.layer_of(labels))
        patterns = {
            layer: self._patterns(layer, regions[layers == layer])
            for layer in range(self._regions.layer + 1)
        }
        side = np.zeros(0, dtype=np.uint8)
        return {
            place: [
                (label, patterns[layer][region] if label >= 0 else side)
                for label, layer, region in zip(*names, strict=True)
            ]
            for place, *names in zip(
                places.tolist(), labels.tolist(), layers.tolist(), regions.tolist(), strict=True
            )
        }

    def _patterns(self, layer: int, regions: NDArray[np.integer]) -> dict[int, NDArray[np.uint8]]:
        """Return the packed patterns of regions of the complex before a layer."""
        some = np.unique(regions)
        packed = self._regions.packed(layer, self._device.to_device(some))
        return dict(zip(some.tolist(), packed, strict=True))
