"""Exact decisions for the planar enumerator, where error bounds leave a sign or an order open.

Both are looked for to twice the precision first (`_precise`). What that leaves open is decided with
integers (`relutopo.arithmetic.exact`): a region's activation pattern gives
the exact planes of its neurons, and a vertex is the point where the planes of the facets beside it
vanish. Lines that bound a region and meet in a corner are never parallel there, so every corner is
determined by its two neighbouring edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, intersection_point, sign
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.network import Network

from .._certified.crossings import parameter_between
from .._certified.precise import (
    PreciseMap,
    PreciseMaps,
    PrecisePlane,
    meeting_point,
    plane_of,
    plane_of_side,
    sign_at,
    value_at,
)
from .blocks.block import Block

__all__ = ["Plane", "Point", "Settler", "settle_orders", "settle_signs"]

Plane: TypeAlias = tuple[int, int]
"""A region, and the label of a side, of an earlier neuron or of one that cuts."""
Point: TypeAlias = tuple[int, Sequence[int]]
"""A region and d labels, whose planes meet in the point."""


class Settler:
    """Exact planes and points of the complex before one layer cuts it.

    Parameters
    ----------
    network, domain
        What is being decomposed.
    layer : int
        The layer that cuts.
    block : Block
        What it cuts.
    precise : PreciseMaps or None
        The network's maps to twice the precision.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        layer: int,
        block: Block,
        precise: PreciseMaps | None,
    ) -> None:
        self._network = network
        self._layer = layer
        self._block = block
        self._precise = precise
        self._chains: dict[int, list[PreciseMap]] = {}
        self._earlier: dict[int, list[Integers]] = {}
        self._planes: dict[tuple[int, int], Integers] = {}
        self._domain = domain

    @cached_property
    def _sides(self) -> Integers:
        return self._domain.side_planes()

    def plane(self, region: int, label: int) -> Integers:
        """Return the plane of a facet label on a region."""
        if label < 0:
            side: Integers = self._sides[-1 - label]
            return side
        layer = int(self._network.layer_of(label))
        unit = label - self._network.layer_offsets[layer]
        if layer == self._layer:
            return self._neuron_plane(region, unit)
        plane: Integers = self._earlier_layers(region)[layer][unit]
        return plane

    def _earlier_layers(self, region: int) -> list[Integers]:
        if region not in self._earlier:
            self._earlier[region] = self._network.exact_maps(self._pattern(region), self._layer)
        return self._earlier[region]

    def _pattern(self, region: int) -> NDArray[np.bool_]:
        (pattern,) = unpack_patterns(
            self._block.cells.packed[region][None], self._network.n_neurons
        )
        bits: NDArray[np.bool_] = pattern
        return bits

    def _neuron_plane(self, region: int, unit: int) -> Integers:
        key = (region, unit)
        if key not in self._planes:
            (self._planes[key],) = self._network.exact_planes(
                self._pattern(region), self._earlier_layers(region), [unit]
            )
        return self._planes[key]

    def point(self, region: int, labels: Sequence[int]) -> Integers:
        """Return the point where d planes of a region vanish."""
        return intersection_point([self.plane(region, label) for label in labels])

    def corner(self, region: int, vertex: int) -> Integers:
        """Return a corner of a region."""
        return self.point(region, self.lines(region, vertex))

    def lines(self, region: int, vertex: int) -> list[int]:
        """Return the labels of the d facets of a region that meet in a corner."""
        cells = self._block.cells
        if cells.x.shape[1] == 1:
            return [int(cells.labels[vertex])]
        sides = slice(cells.region_ptr[region], cells.region_ptr[region + 1])
        (q,) = np.flatnonzero(self._block.beside.origins[sides] == vertex)
        halves = cells.half_edges[sides]
        return [int(cells.labels[halves[i] >> 1]) for i in (q, q - 1)]

    def precise_point(self, region: int, labels: Sequence[int]) -> tuple[Integers, float]:
        """Return nearly the point where two planes of a region vanish, and a bound of the error.

        The bound is infinite where maps are not to be had to twice the precision.
        """
        if self._precise is None or len(labels) != 2:
            return np.zeros(len(labels) + 1, dtype=object), np.inf
        return meeting_point(*(self._precise_plane(region, label) for label in labels))

    def precise_sign(self, region: int, vertex: int, neuron: int) -> int:
        """Return the sign of a neuron of the cutting layer at a corner of a region.

        It is 0 where twice the precision leaves it open, or is not to be had.
        """
        if self._precise is None:
            return 0
        point, error = self.precise_point(region, self.lines(region, vertex))
        return sign_at(self._precise_plane(region, neuron), point, error)

    def parameters(self, ends: Sequence[Point], planes: Sequence[Plane]) -> list[Fraction]:
        """Return where planes cross a segment, 0 at its start and 1 at its stop, in right order.

        They are exact where twice the precision leaves the order open, or is not to be had.
        """
        if self._precise is not None:
            start, stop = (self.precise_point(*end) for end in ends)
            found = [
                parameter_between(value_at(plane, *start), value_at(plane, *stop))
                for plane in map(self._precise_plane, *zip(*planes, strict=True))
            ]
            if all(b - a > 1.01 * (e + f) for (a, e), (b, f) in pairwise(sorted(found))):
                return [t for t, _ in found]
        begin, end = (self.point(*point) for point in ends)
        exact = []
        for region, label in planes:
            plane = self.plane(region, label)
            # Values at the ends, both times the same positive number.
            at_start, at_stop = (plane @ begin) * end[-1], (plane @ end) * begin[-1]
            exact.append(Fraction(at_start, at_start - at_stop))
        return exact

    def _precise_plane(self, region: int, label: int) -> PrecisePlane:
        if label < 0:
            return plane_of_side(self._sides[-1 - label])
        if region not in self._chains:
            assert self._precise is not None
            self._chains[region] = self._precise.chain(self._pattern(region), self._layer)
        layer = int(self._network.layer_of(label))
        return plane_of(self._chains[region][layer], label - self._network.layer_offsets[layer])


def settle_signs(
    settler: Settler,
    unknown: NDArray[np.int32],
    neurons: NDArray[np.int32],
    owner: NDArray[np.int32],
) -> Iterator[tuple[int, int, int]]:
    """Yield (vertex, unit, sign) for the (vertex, unit) pairs in `unknown`; see `Cutters`."""
    previous, point = -1, None
    for vertex, unit in unknown.tolist():
        region, neuron = int(owner[vertex]), int(neurons[unit])
        precise = settler.precise_sign(region, vertex, neuron)
        if precise:
            yield vertex, unit, precise
            continue
        if vertex != previous:
            previous, point = vertex, settler.corner(region, vertex)
        yield vertex, unit, sign(settler.plane(region, neuron) @ point)


def settle_orders(
    settler: Settler,
    ptr: NDArray[np.int64],
    linked: NDArray[np.bool_],
    columns: Sequence[NDArray[Any]],
    ends: Callable[[int], tuple[Point, Point]],
    plane: Callable[[int, int], Plane],
) -> int:
    """Order crossings exactly where it is open, and find those at the same point, in place.

    Parameters
    ----------
    settler : Settler
    ptr : (n_segments + 1,) ndarray
        Crossings ``ptr[s]:ptr[s + 1]`` lie on segment s, in order but for open runs.
    linked : ndarray of bool
        Crossing i and i - 1 are in open order; on return: at the same point.
    columns : sequence of ndarrays
        Arrays with an entry for each crossing, which are permuted; crossings at the same point
        are put in the order of the first one.
    ends : callable
        Segment → its ends.
    plane : callable
        (segment, crossing) → the plane whose zero the crossing is.

    Returns
    -------
    int
        How many orders were open.
    """
    open_places = np.flatnonzero(linked)
    for run in np.split(open_places, np.flatnonzero(np.diff(open_places) > 1) + 1):
        if not run.size:
            continue
        lo, hi = int(run[0]) - 1, int(run[-1]) + 1
        segment = int(np.searchsorted(ptr, lo, side="right")) - 1
        parameters = settler.parameters(ends(segment), [plane(segment, i) for i in range(lo, hi)])
        items = columns[0][lo:hi]
        order = sorted(range(hi - lo), key=lambda k: (parameters[k], items[k]))
        for column in columns:
            column[lo:hi] = column[lo:hi][order]
        linked[lo:hi] = [
            k > 0 and parameters[order[k]] == parameters[order[k - 1]] for k in range(hi - lo)
        ]
    return len(open_places)
