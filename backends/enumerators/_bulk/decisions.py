"""Signs that bounds leave open in the bulk enumerator, decided on the host.

The data that `_certified.decisions` needs are fetched from the device, and its answers put back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers
from relutopo.devices.device import Device
from relutopo.networks.network import Network

from .._certified.decisions import Decisions, Plane
from .._shared.planes import PlaneTable
from .numbers.regions import Regions
from .sets.lists import Array

__all__ = ["Open", "Settler"]


class Open(NamedTuple):
    """Signs that bounds leave open: those of units at places, each of which is in a region.

    Attributes
    ----------
    place, unit, region : (n,) ndarrays of int64
    """

    place: NDArray[np.int64]
    unit: NDArray[np.int64]
    region: NDArray[np.int64]


class Settler:
    """Passes open signs on the device to `Decisions` on the host, and returns the answers.

    Parameters
    ----------
    device : Device
        Where the arrays are.
    network : Network
    regions : Regions
        Those of the complex so far.
    decisions : Decisions

    Attributes
    ----------
    n_open : int
        How many signs were decided.
    """

    def __init__(
        self, device: Device, network: Network, regions: Regions, decisions: Decisions
    ) -> None:
        self._device, self._network, self._regions = device, network, regions
        self._decisions = decisions
        self.n_open = 0

    @property
    def known(self) -> dict[int, Integers]:
        """Vertices of the complex that are known exactly, by their number."""
        return self._decisions.known

    def points(
        self, places: NDArray[np.int64], planes: Array, table: PlaneTable
    ) -> dict[int, Integers]:
        """Return the exact points where planes meet, by their place.

        Parameters
        ----------
        places : (n_places,) ndarray of int64
        planes : (n, d) ndarray of int32
            Rows of the table; those at `places` meet in points.
        table : PlaneTable
        """
        names = self._names(places, planes, table)
        return {place: self._decisions.point(names[place]) for place in names}

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
            The open signs.
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
        names: dict[int, list[Plane]],
        points: dict[int, Integers],
    ) -> NDArray[np.int64]:
        """Return the open signs; `pairs_at` has those of each place, `names` the planes there."""
        layer, found = self._regions.layer, np.zeros(len(left.place), dtype=np.int64)
        neurons = left.unit + self._network.layer_offsets[layer]
        patterns = self._patterns(layer, left.region)
        for v, pairs in pairs_at.items():
            wanted = [
                (neuron, patterns[region])
                for neuron, region in zip(
                    neurons[pairs].tolist(), left.region[pairs].tolist(), strict=True
                )
            ]
            point = points.get(v)
            found[pairs], point, _ = self._decisions.signs(names.get(v, []), wanted, point)
            if point is not None:
                points[v] = point
        return found

    def _names(
        self, places: NDArray[np.int64], planes: Array, table: PlaneTable
    ) -> dict[int, list[Plane]]:
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
