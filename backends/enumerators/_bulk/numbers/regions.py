"""The regions of a complex that grows by layers: their patterns, and their affine maps.

A region stores its parent, the region of the complex before the layer, and the layer's units that
are positive on it. Children of one parent have consecutive numbers, so the ancestors of
consecutive regions are consecutive too, and maps are computed for ranges of regions: each layer
multiplies the maps of the ancestors by one matrix. Maps are computed when they are needed; only one
range has to fit into memory.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import SMALLEST_REACH, gamma
from relutopo.devices.device import Device
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork

from ..sets.bitsets import Units
from ..sets.lists import Array
from .maps import inherited
from .maps_by_walking import Walk

__all__ = ["Regions"]

_TINY = float(np.finfo(np.float64).tiny)


class Regions:
    """Regions of the complex so far, and their ancestors.

    Parameters
    ----------
    device : Device
    network : Network
    magnitude : (d,) ndarray
        Bound of the coordinates.
    at_once : int
        Most numbers of a temporary array.
    """

    def __init__(
        self, device: Device, network: Network, magnitude: NDArray[np.float64], at_once: int
    ) -> None:
        self._device, self._network, self._magnitude = device, network, magnitude
        self._at_once = at_once
        xp = device.xp
        self._reach = device.to_device(np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0))
        self._parents: list[Array] = [xp.zeros(1, dtype=np.int32)]
        self._sets: list[Array] = [xp.zeros((1, 1), dtype=np.uint64)]
        self._units: list[Units] = []
        self._weights: list[tuple[Array, Array, Array]] = []
        if isinstance(network, ReluNetwork):
            # The map of the first layer is exact; there are few weights compared with cells.
            for w, b in network.arrays_on(device):
                columns = xp.ascontiguousarray(w.T)
                self._weights.append((columns, xp.abs(columns), b))

    def __len__(self) -> int:
        return len(self._parents[-1])

    @property
    def layer(self) -> int:
        """How many layers have cut."""
        return len(self._units)

    def grow(self, units: Units, parents: Array, positive: Array) -> None:
        """Replace the regions by their children.

        Parameters
        ----------
        units : Units
            Of the layer that cut.
        parents : (n,) ndarray of int32
            Ascending.
        positive : (n, n_words) ndarray of uint64
            The units that are positive on each child.
        """
        self._units.append(units)
        self._parents.append(parents)
        self._sets.append(positive)

    def patterns(self, layer: int, regions: Array) -> Array:
        """Return the patterns of regions of the complex before a layer, (n, n_neurons so far)."""
        xp = self._device.xp
        columns = []
        for level in range(layer, 0, -1):
            units = self._units[level - 1]
            columns.append(units.unpack(self._sets[level][regions])[:, : units.n])
            regions = self._parents[level][regions]
        if not columns:
            return xp.zeros((len(regions), 0), dtype=np.uint8)
        return xp.concatenate(columns[::-1], axis=1)

    def packed(self, layer: int, regions: Array) -> NDArray[np.uint8]:
        """Return the patterns of regions of the complex before a layer, packed, on the host."""
        n_neurons, xp = self._network.n_neurons, self._device.xp
        n_words, n_bytes = -(-n_neurons // 64), -(-n_neurons // 8)
        result = np.zeros((len(regions), n_bytes), dtype=np.uint8)
        if not layer:
            return result
        step = max(1, self._at_once // n_words)
        for first in range(0, len(regions), step):
            part = slice(first, first + step)
            words = xp.zeros((len(regions[part]), n_words), dtype=np.uint64)
            rows = regions[part].astype(np.int32)
            for level in range(layer, 0, -1):
                offset = self._network.layer_offsets[level - 1]
                self._units[level - 1].place(self._sets[level], rows, words, offset)
                rows = self._parents[level][rows]
            raw = words.view(np.uint8)[:, :n_bytes]
            self._device.to_host(xp.ascontiguousarray(raw), out=result[part])
        return result

    @property
    def can_walk(self) -> bool:
        """Whether `walk` leads to the next layer's maps."""
        compiles = hasattr(self._device.xp, "ElementwiseKernel")
        return compiles and self.layer > 0 and bool(self._weights)

    def ranges(self) -> list[tuple[int, int]]:
        """Return consecutive ranges of regions such that few enough numbers are stored at a time.

        Maps are stored for a range, or for the parents of a range that is walked through.
        """
        width = (self._network.input_dim + 1) * max(self._network.layer_sizes)
        n_stored = len(self._parents[-2] if self.can_walk else self)
        bounds = np.linspace(0, n_stored, -(-n_stored * width // self._at_once) + 1).astype(int)
        if self.can_walk:
            first = self._device.xp.searchsorted(self._parents[-1], self._device.to_device(bounds))
            bounds = self._device.to_host(first)
        return [(lo, hi) for lo, hi in pairwise(bounds.tolist()) if lo < hi]

    def maps(self, lo: int, hi: int) -> tuple[Array, Array]:
        """Return the next layer's affine maps on regions lo..hi-1, and the bounds of their errors.

        `relutopo.networks.network.AffineMaps` describes them, and the docstring of that module
        derives the bounds.
        """
        if not self._weights:
            return self._maps_of_host(lo, hi)
        return self._maps_of_layer(self.layer, lo, hi)

    def walk(self, lo: int, hi: int) -> Walk:
        """Return how to walk through regions lo..hi-1 with the next layer's maps."""
        parents = self._parents[-1][lo:hi]
        first, last = int(parents[0]), int(parents[-1]) + 1
        columns, _, bias = self._weights[self.layer]
        return Walk.of(
            self._device.xp,
            self._units[-1],
            self._sets[-1][lo:hi],
            parents - np.int32(first),
            self._maps_of_layer(self.layer - 1, first, last),
            (columns, bias),
            self._reach,
            0.0 if self._products_are_normal else _TINY,
        )

    def _maps_of_layer(self, layer: int, lo: int, hi: int) -> tuple[Array, Array]:
        """Return a layer's maps on regions lo..hi-1 of the complex before it."""
        xp, d, ranges = self._device.xp, self._network.input_dim, [(lo, hi)]
        for level in range(layer, 0, -1):
            parents = self._parents[level]
            lo, hi = int(parents[lo]), int(parents[hi - 1]) + 1
            ranges.append((lo, hi))
        first, _, bias = self._weights[0]
        planes = xp.concatenate([first, bias[None]])[None]
        errors = xp.zeros((1, len(bias)))
        for level in range(1, layer + 1):
            (lo, hi), (before, _) = ranges[layer - level], ranges[layer - level + 1]
            columns, sizes, bias = self._weights[level]
            units = self._units[level - 1]
            rounding = 1.01 * gamma(units.n + 2)
            parent = self._parents[level][lo:hi] - np.int32(before)
            sets = self._sets[level][lo:hi]
            planes, errors = inherited(
                xp, units, (planes, errors), parent, sets, self._reach, rounding
            )
            # One matrix product serves all regions and columns.
            planes = (planes.reshape(-1, units.n) @ columns).reshape(hi - lo, d + 1, len(bias))
            planes[:, d] += bias
            errors = errors @ sizes
            errors += rounding * xp.abs(bias)
            if not self._products_are_normal:
                errors += units.n * _TINY
        return planes, errors

    @property
    def _products_are_normal(self) -> bool:
        return isinstance(self._network, ReluNetwork) and self._network.products_are_normal

    def _maps_of_host(self, lo: int, hi: int) -> tuple[Array, Array]:
        """Return the maps of a network that can compute them only on the host."""
        device = self._device
        pattern = self.patterns(self.layer, device.xp.arange(lo, hi))
        maps = self._network.affine_maps(
            self.layer, device.to_host(pattern).astype(bool), self._magnitude
        )
        return device.to_device(maps.planes), device.to_device(maps.errors)
