"""Decisions that error bounds leave open: by structure, to twice the precision, then in integers.

A *plane* is named by its label, a neuron or -1 - s for side s of the domain, and by the packed
pattern of a region on whose closure it is wanted. A *point* is named by d planes that meet in it.
The first step, floats with bounds, has separate kernels in each family of enumerators. Of what
these leave open, zeros that follow from the network's structure are found without numbers
(`structure`, `rows`). Others are computed to twice the precision (`precise`) where that is
available, and decided in integers (`relutopo.arithmetic.exact`) if it is not, or leaves them open.

Regions whose patterns agree before a layer have the same maps there, so maps are cached by layer
and by the pattern before it. Threads may share all of this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache, reduce
from itertools import pairwise
from math import gcd
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, intersection_point, sign
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.network import Network

from .crossings import parameter_between
from .precise import (
    PreciseMap,
    PreciseMaps,
    PrecisePlane,
    meeting_point,
    plane_of,
    plane_of_side,
    sign_at,
    value_at,
)
from .rows import Rows
from .structure import Form, Forms, Span, Structure, direction

__all__ = ["Decisions", "Plane"]

Plane: TypeAlias = tuple[int, NDArray[np.uint8]]
"""A label, and the packed pattern of a region; for a side of the domain any pattern will do."""

_MAPS_KEPT, _PLANES_KEPT = 256, 1024


def _first_precise(d: int) -> int:
    """Return the layer from which on integers are so long that twice the precision is tried first.

    Twice the precision decides values that are close to zero but not zero, which are common behind
    many layers in the plane. In space open values nearly always are zero, and it would not help.
    """
    return 2 if d == 2 else 8


class Decisions:
    """Planes, points, signs and orders that are certainly right.

    Parameters
    ----------
    network, domain
        The network, and the domain that it decomposes.
    magnitude : (d,) ndarray
        Bound of the coordinates.

    Attributes
    ----------
    known : dict of int to ndarray of int objects
        Vertices of the complex that are known exactly, by their number; the domain's to begin with.
    """

    def __init__(self, network: Network, domain: Domain, magnitude: NDArray[np.float64]) -> None:
        self._network, self._domain, self._magnitude = network, domain, magnitude
        self._first_precise = _first_precise(len(magnitude))

    # For most small networks nothing stays open, so nothing is made before it is needed. What is
    # made is kept: many vertices lie on the planes of one region.

    @cached_property
    def _maps(self) -> Callable[[int, bytes], list[Integers]]:
        return lru_cache(_MAPS_KEPT)(self._compute_maps)

    @cached_property
    def _neuron_plane(self) -> Callable[[int, bytes], Integers]:
        return lru_cache(_PLANES_KEPT)(self._compute_plane)

    @cached_property
    def _near_map(self) -> Callable[[int, bytes], PreciseMap]:
        return lru_cache(_MAPS_KEPT)(self._compute_near_map)

    @cached_property
    def known(self) -> dict[int, Integers]:
        """Vertices that are known exactly, by their number."""
        return dict(enumerate(self._domain.face_lattice().exact_vertices))

    @cached_property
    def _sides(self) -> Integers:
        return self._domain.side_planes()

    @cached_property
    def precise(self) -> PreciseMaps | None:
        """Maps to twice the precision, where they are available."""
        return PreciseMaps.of(self._network, self._magnitude)

    @cached_property
    def structure(self) -> Structure | None:
        """Forms of neurons, where the network has structure."""
        return Structure.of(self._network)

    @cached_property
    def rows(self) -> Rows | None:
        """Rows of neurons, where the network is a perceptron."""
        return Rows.of(self._network)

    def plane(self, plane: Plane) -> Integers:
        """Return a plane exactly, up to a positive factor common to all planes of its layer."""
        label, packed = plane
        if label < 0:
            side: Integers = self._sides[-1 - label]
            return side
        return self._neuron_plane(label, self._before(label, packed)[1])

    def point(self, meeting: Sequence[Plane]) -> Integers:
        """Return the exact point where d planes meet."""
        point = intersection_point([self.plane(plane) for plane in meeting])
        shortened: Integers = point // reduce(gcd, point.tolist())
        return shortened

    def near_point(self, meeting: Sequence[Plane]) -> tuple[Integers, float]:
        """Return the point where d planes meet to twice the precision, and a bound of its error.

        The bound is infinite where maps are not available to twice the precision.
        """
        if self.precise is None:
            return np.zeros(len(meeting) + 1, dtype=object), np.inf
        return meeting_point([self._near_plane(plane) for plane in meeting])

    def signs(
        self, meeting: Sequence[Plane], wanted: Sequence[Plane], point: Integers | None
    ) -> tuple[list[int], Integers | None, int]:
        """Return the signs of planes at the point where other planes meet.

        Parameters
        ----------
        meeting : sequence of d planes
        wanted : sequence of planes
            Neurons of one layer.
        point : ndarray of int objects or None
            The point, if it is known exactly already.

        Returns
        -------
        signs : list of int
        point : ndarray of int objects or None
            The point, if it is known exactly by now.
        n_open : int
            How many signs took numbers.
        """
        is_zero = self._vanish(meeting, wanted)
        left = [plane for plane, zero in zip(wanted, is_zero, strict=True) if not zero]
        if not left:
            return [0] * len(wanted), point, 0
        found, point = self._signs(meeting, left, point)
        rest = iter(found)
        return [0 if zero else next(rest) for zero in is_zero], point, len(left)

    def _signs(
        self, meeting: Sequence[Plane], wanted: Sequence[Plane], point: Integers | None
    ) -> tuple[list[int], Integers | None]:
        signs = [0] * len(wanted)
        is_long = self._network.layer_of(wanted[0][0]) >= self._first_precise
        if point is None and is_long and self.precise is not None:
            near, error = self.near_point(meeting)
            signs = [sign_at(self._near_plane(plane), near, error) for plane in wanted]
            if all(signs):
                return signs, None
        if point is None:
            point = self.point(meeting)
        return [
            found or sign(self.plane(plane) @ point)
            for found, plane in zip(signs, wanted, strict=True)
        ], point

    def _vanish(self, meeting: Sequence[Plane], wanted: Sequence[Plane]) -> list[bool]:
        """Return which planes contain the point where others meet by structure alone."""
        rows = self.rows
        if rows is not None:
            at_origin = all(rows.contains_origin(label) for label, _ in meeting)
            known = {self._kind(rows, plane, at_origin) for plane in meeting}
            return [self._kind(rows, plane, at_origin) in known for plane in wanted]
        if self.structure is None:
            return [False] * len(wanted)
        return [not rest for _, rest in self._rests(self.structure, meeting, wanted)]

    def _kind(self, rows: Rows, plane: Plane, at_origin: bool) -> object:
        """Return the same for planes that rows tell to be the same, or to contain the origin."""
        label, packed = plane
        if at_origin and rows.contains_origin(label):
            return "origin"
        return (rows.first(label), self._before(label, packed)[1]) if label >= 0 else label

    def _rests(
        self, structure: Structure, others: Sequence[Plane], planes: Sequence[Plane]
    ) -> Iterator[tuple[Forms, Form]]:
        """Yield for each plane the forms on its region, and what others leave of its own form."""
        before, span = None, Span(())
        for label, packed in planes:
            here = structure.on(packed)
            if here is not before:
                before = here
                span = Span(
                    here.form(other)
                    for other, own in others
                    if other >= 0 and here.agrees(structure.on(own), other)
                )
            yield here, span.rest(here.form(label))

    def parameters(
        self, ends: Sequence[Sequence[Plane]], planes: Sequence[Plane]
    ) -> tuple[list[Fraction], int]:
        """Return where planes cross a segment, 0 at its start and 1 at its stop, rightly ordered.

        They are exact if twice the precision leaves the order open or is not available. Of planes
        that cross at one point by structure, only the first one is computed, and none if all do.

        Parameters
        ----------
        ends : two sequences of d planes
            Those of the segment's line are the same in both, unless more planes meet in an end.
        planes : sequence of planes
            Neurons of one layer.

        Returns
        -------
        parameters : list of Fraction
        n_open : int
            How many orders of neighbours took numbers.
        """
        first = self._first_alike(ends, planes)
        kinds = sorted(set(first))
        if len(kinds) == 1:
            return [Fraction(0)] * len(planes), 0
        found = dict(zip(kinds, self._parameters(ends, [planes[k] for k in kinds]), strict=True))
        return [found[k] for k in first], len(kinds) - 1

    def _first_alike(self, ends: Sequence[Sequence[Plane]], planes: Sequence[Plane]) -> list[int]:
        """Return for each plane the first one that crosses a segment where it does by structure."""
        structure, rows, at_stop = self.structure, self.rows, dict(ends[1])
        if rows is not None:
            line = [label for label, _ in ends[0] if label in at_stop]
            # An end may be named by other planes than those of the segment's line.
            is_known = len(line) == len(ends[0]) - 1
            at_origin = is_known and all(map(rows.contains_origin, line))
            kinds: dict[object, int] = {}
            return [
                kinds.setdefault(self._kind(rows, plane, at_origin), k)
                for k, plane in enumerate(planes)
            ]
        if structure is None:
            return list(range(len(planes)))
        common = [
            (label, packed)
            for label, packed in ends[0]
            if label >= 0
            and label in at_stop
            and structure.on(packed).agrees(structure.on(at_stop[label]), label)
        ]
        first: dict[object, int] = {}
        found = []
        for k, (here, rest) in enumerate(self._rests(structure, common, planes)):
            found.append(first.setdefault((here, direction(rest)) if rest else k, k))
        return found

    def _parameters(
        self, ends: Sequence[Sequence[Plane]], planes: Sequence[Plane]
    ) -> list[Fraction]:
        if self.precise is not None:
            start, stop = (self.near_point(end) for end in ends)
            found = [
                parameter_between(value_at(plane, *start), value_at(plane, *stop))
                for plane in map(self._near_plane, planes)
            ]
            if all(b - a > 1.01 * (e + f) for (a, e), (b, f) in pairwise(sorted(found))):
                return [t for t, _ in found]
        begin, end = (self.point(meeting) for meeting in ends)
        exact = []
        for plane in map(self.plane, planes):
            # Values at the ends, multiplied by the same positive number.
            at_start, at_stop = (plane @ begin) * end[-1], (plane @ end) * begin[-1]
            exact.append(Fraction(at_start, at_start - at_stop))
        return exact

    def _before(self, label: int, packed: NDArray[np.uint8]) -> tuple[int, bytes]:
        """Return the layer of a neuron, and a region's pattern before it."""
        layer = int(self._network.layer_of(label))
        n_before = self._network.layer_offsets[layer]
        (pattern,) = unpack_patterns(packed[None, : -(-n_before // 8)], n_before)
        return layer, pattern.tobytes()

    def _compute_maps(self, layer: int, pattern: bytes) -> list[Integers]:
        """Return the exact maps of all layers before one."""
        if not layer:
            return []
        earlier = self._maps(layer - 1, pattern[: self._network.layer_offsets[layer - 1]])
        bits = np.frombuffer(pattern, dtype=bool)
        return [*earlier, self._network.exact_planes(bits, earlier)]

    def _compute_plane(self, label: int, pattern: bytes) -> Integers:
        layer = int(self._network.layer_of(label))
        unit = label - self._network.layer_offsets[layer]
        bits, earlier = np.frombuffer(pattern, dtype=bool), self._maps(layer, pattern)
        plane: Integers
        (plane,) = self._network.exact_planes(bits, earlier, [unit])
        return plane

    def _near_plane(self, plane: Plane) -> PrecisePlane:
        label, packed = plane
        if label < 0:
            return plane_of_side(self._sides[-1 - label])
        layer, pattern = self._before(label, packed)
        unit = label - self._network.layer_offsets[layer]
        assert self.precise is not None
        return plane_of(self._near_map(layer, pattern), unit, self.precise.reach)

    def _compute_near_map(self, layer: int, pattern: bytes) -> PreciseMap:
        """Return a layer's map to twice the precision."""
        assert self.precise is not None
        high, low, errors = self.precise.on(np.frombuffer(pattern, dtype=bool)[None], layer)
        return PreciseMap(high[0], low[0], errors[0])
