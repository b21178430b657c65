"""What a layer needs to cut a complex: signs and positions, exact where floats do not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from relutopo.arithmetic.exact import Integers, to_float
from relutopo.devices.device import Device
from relutopo.geometry.domain import Domain
from relutopo.networks.network import Network

from .._certified.crossings import parameters
from .._certified.decisions import Decisions
from .._certified.meeting_points import meeting_points
from .._certified.values import signs_of_pairs
from .._shared.task import Limits, Task
from .decisions import Open, Settler
from .numbers.maps import signs_from_maps
from .numbers.maps_by_walking import Walk, planes_on_walk, signs_on_walk
from .numbers.regions import Regions
from .records import BulkCells
from .sets.bitsets import Units
from .sets.lists import Array, Lists, gathered
from .tuning import Tuning

__all__ = ["BulkTask", "LayerCut"]

_RANGES_KEPT = 16
"""Number of ranges of regions whose maps may be kept until the layer has cut."""


class BulkTask(Task):
    """The data that all layers share.

    Parameters
    ----------
    device, network, domain
        What is decomposed, and where.
    tuning : Tuning
    limits : Limits
    """

    def __init__(
        self,
        device: Device,
        network: Network,
        domain: Domain,
        tuning: Tuning,
        limits: Limits,
    ) -> None:
        super().__init__(network, domain, limits)
        self.device, self.tuning = device, tuning
        self.regions = Regions(device, self.network, self.magnitude, tuning.at_once)
        decisions = Decisions(self.network, domain, self.magnitude)
        self.settler = Settler(device, self.network, self.regions, decisions)


class LayerCut:
    """One layer, and the complex that it cuts.

    Parameters
    ----------
    task : BulkTask
    cells : BulkCells
        The complex; its table and its vertices grow.
    """

    def __init__(self, task: BulkTask, cells: BulkCells) -> None:
        self.device, self.xp = task.device, task.device.xp
        self.cells, self._task, self.regions = cells, task, task.regions
        self.layer = task.regions.layer
        self.dim = len(cells.x)
        self.units = Units(self.xp, task.network.layer_sizes[self.layer], task.tuning.at_once)
        self._first_neuron = task.network.layer_offsets[self.layer]
        self.regions_of = self._find_regions()
        self._ranges = self.regions.ranges()
        self._kept: list[Any] = []
        self._planes = Lists(self.xp.zeros(1, dtype=np.int64), self.xp.zeros(0, dtype=np.int32))
        self._first_plane = 0

    def check_limit(self, n_cells: int) -> None:
        """Stop if the layer, which makes at least `n_cells` cells, makes more than allowed."""
        self._task.check_limit(n_cells, self.layer)

    def require(self, n_bytes: int) -> None:
        """Raise an error if the device has less memory; it is not asked for small amounts."""
        if n_bytes >= self._task.tuning.ask_from:
            sizes = self._task.network.layer_sizes
            self.device.require_memory(n_bytes, f"layer {self.layer + 1} of {len(sizes)}")

    def _find_regions(self) -> list[Array]:
        """Return, for the cells of each dimension, the first region that each belongs to."""
        xp, cells = self.xp, self.cells
        regions = [xp.arange(cells.n[-1], dtype=np.int32)]
        for k in range(self.dim, 0, -1):
            facets = cells.facets[k - 1]
            below = xp.full(cells.n[k - 1], np.iinfo(np.int32).max, dtype=np.int32)
            xp.minimum.at(below, facets.items, regions[-1][facets.owners(xp)])
            regions.append(below)
        return regions[::-1]

    def _maps(self) -> Iterator[tuple[int, int, Any]]:
        """Yield ranges lo..hi-1 of regions, and the layer's maps there, or a walk through them."""
        make = self.regions.walk if self.regions.can_walk else self.regions.maps
        for i, (lo, hi) in enumerate(self._ranges):
            maps = self._kept[i] if i < len(self._kept) else make(lo, hi)
            if i == len(self._kept) < _RANGES_KEPT:
                self._kept.append(maps)
            yield lo, hi, maps

    def add_planes(self, crossing: Array) -> None:
        """Add the zero sets of neurons on regions to the table, and free the layer's maps.

        Parameters
        ----------
        crossing : (n_d, n_words) ndarray of uint64
            The units that cross each region.
        """
        xp, table = self.xp, self.cells.table
        found, region = self.units.members(crossing)
        numbers = xp.empty((self.dim + 2, len(region)))
        for lo, hi, maps in self._maps():
            ptr = found.ptr[lo : hi + 1]
            if isinstance(maps, Walk):
                planes_on_walk(xp, self.units, maps, crossing[lo:hi], ptr, numbers)
                continue
            planes, errors = maps
            here = slice(int(ptr[0]), int(ptr[-1]))
            row, column = region[here] - np.int32(lo), found.items[here]
            for i in range(self.dim + 1):
                numbers[i, here] = planes[row, i, column]
            numbers[self.dim + 1, here] = errors[row, column]
        self._kept.clear()
        self._first_plane, self._planes = len(table.labels), found
        labels = found.items + np.int32(self._first_neuron)
        table.labels = xp.concatenate([table.labels, labels])
        table.regions = xp.concatenate([table.regions, region])
        table.numbers = xp.concatenate([table.numbers, numbers], axis=1)

    def plane_of(self, region: Array, unit: Array) -> Array:
        """Return the rows of the table with the zero sets of units on regions; all are int32."""
        row = self._planes.places(self.xp, region, unit)
        row += self._first_plane
        return row.astype(np.int32)

    def add_vertices(self, x: Array, deviation: Array, points: dict[int, Integers]) -> None:
        """Add vertices; `points` has those that are known exactly, by their place."""
        first = len(self.cells.deviation)
        self.check_limit(first + len(deviation))
        self.cells.x = self.xp.concatenate([self.cells.x, x], axis=1)
        self.cells.deviation = self.xp.concatenate([self.cells.deviation, deviation])
        for place, point in points.items():
            self._task.settler.known[first + place] = point

    # Positions

    def place(self, planes: Array) -> tuple[Array, Array, dict[int, Integers]]:
        """Return where planes of the table meet.

        Parameters
        ----------
        planes : (n, d) ndarray of int
            Rows of the table.

        Returns
        -------
        x, deviation : (d, n), (n,) ndarrays
            The points, and bounds of their errors.
        points : dict of int to ndarray of int objects
            Points that had to be computed exactly, by their place.
        """
        xp, d, n = self.xp, self.dim, len(planes)
        x, deviation = xp.empty((d, n)), xp.empty(n)
        step = max(1, self._task.tuning.at_once // (2 * d * d))
        for first in range(0, n, step):
            part = slice(first, first + step)
            x[:, part], deviation[part] = meeting_points(xp, self.cells.table.numbers, planes[part])
        far = self.device.to_host(xp.flatnonzero(~(deviation <= self._task.target)))
        points = self._task.settler.points(far, planes, self.cells.table)
        if points:
            some = self.device.to_device(far)
            x[:, some] = self.device.to_device(
                np.array([to_float(points[v]) for v in far.tolist()]).T
            )
            deviation[some] = self._task.rounding
        return x, deviation, points

    # Signs

    def sign_vertices(self) -> tuple[Array, Array]:
        """Return the units that are positive and those that are negative at each vertex."""
        xp, units, cells = self.xp, self.units, self.cells
        n = cells.n[0]
        signs = units.none(n), units.none(n), units.none(n)
        order = xp.argsort(self.regions_of[0], kind="stable")
        ptr = gathered(xp, self.regions_of[0][order], cells.n[-1])
        for lo, hi, maps in self._maps():
            if isinstance(maps, Walk):
                vertices = Lists(ptr[lo : hi + 1], order)
                at = cells.x, cells.deviation, self._task.limit
                signs_on_walk(xp, units, maps, vertices, *at, signs)
                continue
            first, last = ptr[xp.asarray([lo, hi])].tolist()
            for part in units.slices(last - first):
                v = order[first + part.start : first + part.stop]
                region = self.regions_of[0][v] - np.int32(lo)
                at = cells.x[:, v], cells.deviation[v], self._task.limit
                found = signs_from_maps(xp, units, maps, region, *at)
                for sets, some in zip(signs, found, strict=True):
                    sets[v] = some
        positive, negative, is_open = signs
        open_units, v = units.members(is_open)
        if len(v):
            known, region = self._task.settler.known, self.regions_of[0][v]
            pairs = v, open_units.items, region
            self._settle((positive, negative), [pairs], cells.planes[0], known)
        return positive, negative

    def add_signs(
        self,
        signs: tuple[Array, Array],
        region: Array,
        open_at: tuple[Array, Array],
        planes: Array,
        at: tuple[Array, Array],
        points: dict[int, Integers],
    ) -> None:
        """Add the signs of some units at points to those that are known.

        Parameters
        ----------
        signs : two (n, n_words) ndarrays of uint64
            The units that are positive and those that are negative at each point; changed in place.
        region : (n,) ndarray of int32
        open_at : (n_rows,) ndarray of int64, (n, n_words) ndarray of uint64
            The points to which units are added, and these units; each crosses the region.
        planes : (n, d) ndarray of int32
            Rows of the table: the planes that meet in the point.
        at : (d, n), (n,) ndarrays
            Points, and bounds of their errors.
        points : dict of int to ndarray of int objects
            Exact points; more are added where signs are open.
        """
        (some, wanted), (x, deviation) = open_at, at
        xp, units, unknown = self.xp, self.units, []
        for part in units.slices(len(some)):
            rows = some[part]
            flags = units.unpack(wanted[rows])
            shape, places = flags.shape, xp.flatnonzero(flags)
            v, unit = rows[places // shape[1]], places % shape[1]
            plane = self.plane_of(region[v], unit.astype(np.int32))
            numbers = self.cells.table.numbers[:, plane]
            *found, is_open = signs_of_pairs(xp, numbers, x[:, v], deviation[v], self._task.limit)
            for sets, beyond in zip(signs, found, strict=True):
                flags = xp.zeros(shape, dtype=bool)
                flags.ravel()[places] = beyond
                sets[rows] |= units.pack(flags)
            v = v[is_open]
            unknown.append((v, unit[is_open], region[v]))
        if unknown:
            self._settle(signs, unknown, planes, points)

    def along(self, region: Array, unit: Array, line: Array, ends: Array) -> tuple[Array, Array]:
        """Return where units cross lines, as parameters between the ends, with error bounds.

        Parameters
        ----------
        region, unit, line : (n,) ndarrays of int32
            A region that contains each line, the unit, and the line.
        ends : (n_lines, 2) ndarray of int32
            Vertices.

        Returns
        -------
        t, bounds : (n,) ndarrays
            t in [0, 1].
        """
        xp, cells = self.xp, self.cells
        t, bounds = xp.empty(len(unit)), xp.empty(len(unit))
        planes = self.plane_of(region, unit)
        step = max(1, self._task.tuning.at_once // (self.dim + 2))
        for first in range(0, len(unit), step):
            part = slice(first, first + step)
            points = cells.x, cells.deviation, self._task.limit
            t[part], bounds[part] = parameters(
                xp, cells.table.numbers, planes[part], line[part], ends, *points
            )
        return t, bounds

    def _settle(
        self,
        signs: tuple[Array, Array],
        pairs: list[tuple[Array, Array, Array]],
        planes: Array,
        points: dict[int, Integers],
    ) -> None:
        """Decide open signs, given as triples of points, units and regions."""
        left = Open(
            *(
                self.device.to_host(self.xp.concatenate(parts)).astype(np.int64)
                for parts in zip(*pairs, strict=True)
            )
        )
        self._task.settler.settle(signs, left, planes, self.cells.table, points)
