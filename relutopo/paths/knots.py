"""The knots of many segments at once, in floats with bounds.

On a segment x(t) = (1-t) a + t b every value of a network is affine in t between *knots*, where a
neuron of an earlier layer changes its sign. Layer by layer, values are known at the knots so far
and at both ends. A neuron with different signs at neighbouring points has one zero between
them, a new knot; every value that is still needed is affine there and is interpolated. So the work
is at most a forward pass at each knot, for any network of affine maps and kinks.

Bounds
------
Let v_0, v_1 be the computed values at neighbouring points, which differ from the exact values at
the exact knots by at most e_0, e_1. A neuron with certain, opposite signs there vanishes at the
fraction ``λ = |z_0| / (|z_0| + |z_1|)`` of the piece, which is off by at most ::

    δ = max(e_0, e_1) / (|z_0| + |z_1| - e_0 - e_1) + 4 u.

Any affine value there is v_0 + λ (v_1 - v_0), off by at most ::

    max(e_0, e_1) + δ |v_1 - v_0| + 4 u (|v_0| + |v_1|),

and the neuron's own value is exactly zero. Affine maps and kinks add errors as in
`relutopo.networks.graph`; a unit that is certainly off passes on no error. A sign is *open* if its
value is within its bound, unless both are zero; the order of two knots is open if their λ ± δ
overlap. If nothing on a segment is open, then by induction over layers its knots are the exact
ones, in the exact order.

Only in these cases is it certain that several neurons vanish together: they are twins
(`relutopo.paths.twins`); or a value is zero because all its terms are, or because it is a
difference of entries that are alike there (`relutopo.paths.alike`), on the segment or at one of its
ends; or they are units of the first layer that are alike. In the first two cases they vanish on one
plane, or everywhere, or at an end, in the last on planes that differ. Where other planes meet on a
segment, something is open.

Where it runs
-------------
What has a number for each point and entry lies on a `relutopo.devices.device.Device`; what has one
for each point or knot, where knots are put in order, lies on the host. So a card takes nothing from
the host but indices and fractions, and results differ by what its sums round otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, UNIT_ROUNDOFF
from relutopo.devices.device import Device, numpy_device
from relutopo.networks.graph import GraphNetwork
from relutopo.paths.alike import Comparisons, Flips
from relutopo.paths.point_values import Insertion, NodeOn, Value, with_points
from relutopo.paths.twins import Twins, twins_of

__all__ = ["KnotFinder", "Knots", "Require"]

_Floats: TypeAlias = NDArray[np.float64]
_Ints: TypeAlias = NDArray[np.int64]
Require: TypeAlias = Callable[[int, int], None]
"""What refuses work that cannot fit."""
_ARRAYS = 6
"""Of the largest value, that there are beside all values while one of them is computed."""


def _anything(n_bytes: int, n_points: int) -> None:
    """Require nothing."""


@dataclass(frozen=True)
class Knots:
    """Segments with their knots; *points* are the knots and both ends, in order.

    Attributes
    ----------
    indptr : (n + 1,) ndarray of int64
        Where the points of each segment begin.
    t, t_errors : (n_points,) ndarrays
        Where the points are, and error bounds of that.
    outputs, output_errors : (n_points, n_outputs) ndarrays
    first : (n, n_neurons) ndarray of bool
        The pattern on the first piece of each segment.
    points, neurons : (n_switches,) ndarrays of int64
        Which neuron switches at which point; sorted by points, then neurons.
    meets : (n_points,) ndarray of bool
        At which points planes that differ are known to meet.
    n_open : (n,) ndarray of int64
        Signs and orders that the bounds leave open, for each segment.
    """

    indptr: _Ints
    t: _Floats
    t_errors: _Floats
    outputs: _Floats
    output_errors: _Floats
    first: NDArray[np.bool_]
    points: _Ints
    neurons: _Ints
    meets: NDArray[np.bool_]
    n_open: _Ints


class KnotFinder:
    """Finds the knots of a network on segments.

    Parameters
    ----------
    graph : GraphNetwork
    device : Device, optional
        Where it computes; by default the computer's own memory.

    Attributes
    ----------
    n_bytes_a_point : int
        What the work takes for each point of segments, at most.

    Examples
    --------
    >>> from relutopo.networks.graph import Kink
    >>> absolute = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> found = KnotFinder(absolute).find(np.array([[-1.0]]), np.array([[3.0]]))
    >>> found.t.tolist(), found.outputs.ravel().tolist(), found.neurons.tolist()
    ([0.0, 0.25, 1.0], [1.0, 0.0, 3.0], [0])
    """

    def __init__(self, graph: GraphNetwork, device: Device | None = None) -> None:
        self.graph = graph
        self.device = numpy_device() if device is None else device
        self.comparisons = Comparisons(graph)
        self.twins = [twins_of(graph, layer) for layer in range(len(graph.layer_sizes))]
        self.flips = Flips(graph, self.twins[0].chosen) if self.twins else None
        self._nodes = [NodeOn(node, self.device) for node in graph.nodes]
        self.n_bytes_a_point = 8 * max(self._numbers_a_point())

    def find(self, starts: _Floats, ends: _Floats, require: Require = _anything) -> Knots:
        """Return the knots of segments.

        Parameters
        ----------
        starts, ends : (n, d) ndarrays
            Finite, taken as exact.
        require : callable
            Called with bytes, and how many points take them, before they are asked for.
        """
        with np.errstate(all="ignore"):  # values that overflow are open
            return self._find(starts, ends, require)

    def _find(self, starts: _Floats, ends: _Floats, require: Require) -> Knots:
        n, d = starts.shape
        graph, device = self.graph, self.device
        x = device.to_device(np.stack([starts, ends], axis=1).reshape(2 * n, d))
        values: dict[int, Value] = {0: (x, device.xp.zeros_like(x))}
        t = np.tile([0.0, 1.0], n)
        t_errors = np.zeros_like(t)
        segment = np.repeat(np.arange(n), 2)
        n_open = np.zeros(n, dtype=np.int64)
        first = np.zeros((n, graph.n_neurons), dtype=bool)
        points, neurons = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        zeros = self._zeros(starts, ends)
        zeros_at_ends = self._zeros_at_ends(starts, ends)
        together = self.flips.together(starts, ends) if self.flips is not None else None
        meets = np.zeros(2 * n, dtype=bool)
        for layer in range(len(graph.layer_sizes)):
            numbers = [value for value, _, _ in graph.targets(layer)]
            self._evaluate(numbers, values, segment, zeros, zeros_at_ends)
            alike = None if layer or together is None else together
            found = self._switches(layer, values, segment, n_open, alike)
            offset = graph.layer_offsets[layer]
            first[:, offset : offset + graph.layer_sizes[layer]] = found.first
            moved = _positions(found.pieces, len(segment))
            new = found.pieces + 1 + np.arange(len(found.pieces))
            n_points = len(segment) + len(new)
            require(n_points * self.n_bytes_a_point, n_points)
            places = found.pieces, found.fractions, found.deviations, moved, new
            inserted = Insertion.of(*places, device)
            for number, value in values.items():
                values[number] = with_points(value, inserted, device.xp)
            t, t_errors = (
                array[:, 0]
                for array in with_points((t[:, None], t_errors[:, None]), Insertion.of(*places), np)
            )
            beyond = np.maximum(t[new] - t[moved][found.pieces + 1], 0.0)
            t[new] -= beyond  # rounding keeps the order
            t_errors[new] += beyond
            members, chosen = _alike(found, segment, alike)
            within, units = _owners(chosen, self.twins[layer])
            owners = members[within]
            self._set_zero(layer, owners, units, values, new)
            before, meets = meets, np.zeros(len(moved) + len(new), dtype=bool)
            meets[moved] = before
            meets[new] = np.bincount(members, minlength=len(new)) > 1
            points = np.concatenate([moved[points], moved[found.old_points], new[owners]])
            neurons = np.concatenate([neurons, offset + found.old_units, offset + units])
            segments, segment = segment, np.empty(len(segment) + len(new), dtype=np.int64)
            segment[moved], segment[new] = segments, segments[found.pieces]
        self._evaluate([len(graph.nodes)], values, segment, zeros, zeros_at_ends)
        order = np.lexsort((neurons, points))
        outputs, output_errors = device.all_to_host(values[len(graph.nodes)])
        return Knots(
            indptr=np.searchsorted(segment, np.arange(n + 1)),
            t=t,
            t_errors=t_errors,
            outputs=outputs + 0.0,  # never -0
            output_errors=output_errors,
            first=first,
            points=points[order],
            neurons=neurons[order],
            meets=meets,
            n_open=n_open,
        )

    def _numbers_a_point(self) -> Iterator[int]:
        """Yield how many numbers there are for each point when a value is computed."""
        graph, values = self.graph, {0}
        for layer in range(len(graph.layer_sizes) + 1):
            targets = {len(graph.nodes)}
            if layer < len(graph.layer_sizes):
                targets = {value for value, _, _ in graph.targets(layer)}
            yield (2 + _ARRAYS) * graph.input_dim
            for number in graph.ancestors(targets, known=set(values)):
                values.add(number)
                sizes = [graph.size_of(value) for value in values]
                yield 2 * sum(sizes) + _ARRAYS * max(sizes)
                values -= {value for value in graph.finished(values) if value not in targets}

    def _zeros(self, starts: _Floats, ends: _Floats) -> dict[int, NDArray[np.bool_]]:
        """Return, by values, which entries are zero for certain on each segment, where any are."""
        zeros: dict[int, NDArray[np.bool_]] = {}
        for i, both in enumerate(zip(starts, ends, strict=True)):
            for number, entries in self.comparisons.vanishing(*both).items():
                if number not in zeros:
                    zeros[number] = np.zeros((len(starts), self.graph.size_of(number)), dtype=bool)
                zeros[number][i, entries] = True
        return zeros

    def _zeros_at_ends(self, starts: _Floats, ends: _Floats) -> dict[int, tuple[_Ints, _Ints]]:
        """Return, by values, which entries are zero at ends of segments: 2 i, 2 i + 1, and entry.

        Those of flat parts of one image are no constants along the segment.
        """
        found: dict[int, list[tuple[_Ints, _Ints]]] = {}
        for end, x in enumerate(np.stack([starts, ends], axis=1).reshape(-1, starts.shape[1])):
            for number, entries in self.comparisons.vanishing(x, x).items():
                found.setdefault(number, []).append((np.full(len(entries), end), entries))
        return {
            number: (np.concatenate([e for e, _ in parts]), np.concatenate([k for _, k in parts]))
            for number, parts in found.items()
        }

    def _evaluate(
        self,
        targets: list[int],
        values: dict[int, Value],
        segment: _Ints,
        zeros: dict[int, NDArray[np.bool_]],
        zeros_at_ends: dict[int, tuple[_Ints, _Ints]],
    ) -> None:
        """Add the targets to the values, and drop values that are no longer needed."""
        xp, kept = self.device.xp, set(targets)
        for number in self.graph.ancestors(targets, known=values):
            z, e = self._nodes[number - 1].image(values, xp)
            if number in zeros:
                vanish = self.device.to_device(zeros[number])[self.device.to_device(segment)]
                z, e = xp.where(vanish, 0.0, z), xp.where(vanish, 0.0, e)
            if number in zeros_at_ends:
                of, entries = zeros_at_ends[number]
                n = segment[-1] + 1
                heads, tails = (np.searchsorted(segment, range(n), s) for s in ("left", "right"))
                rows = np.stack([heads, tails - 1], axis=1).ravel()[of]
                at = self.device.to_device(rows), self.device.to_device(entries)
                z[at], e[at] = 0.0, 0.0
            values[number] = z, e
            for other in self.graph.finished(values):
                if other not in kept:
                    del values[other]

    def _switches(
        self,
        layer: int,
        values: dict[int, Value],
        segment: _Ints,
        n_open: _Ints,
        alike: _Ints | None,
    ) -> _Switches:
        """Return where the neurons of a layer change their signs, of alike ones the first."""
        twins, device, xp = self.twins[layer], self.device, self.device.xp
        inside = segment[:-1] == segment[1:]
        parts = [values[number] for number, _, _ in self.graph.targets(layer)]
        chosen = device.to_device(twins.chosen)
        z, e = (xp.concatenate(arrays, axis=1)[:, chosen] for arrays in zip(*parts, strict=True))
        is_open = ~((xp.abs(z) > e) | ((z == 0) & (e == 0)))
        signs = xp.sign(xp.where(xp.isfinite(z), z, 0.0)).astype(np.int8)
        pieces, places = xp.nonzero(
            (signs[:-1] * signs[1:] < 0) & device.to_device(inside[:, None])
        )
        own = signs[:, device.to_device(twins.place)] * device.to_device(twins.signs)
        heads = device.to_device(np.flatnonzero(np.append(True, ~inside)))
        # Neurons that vanish at knots of others may be on at one side only.
        inner = device.to_device(np.flatnonzero(inside[:-1] & inside[1:]) + 1)
        rows, units = xp.nonzero(own[inner] == 0)
        rows = inner[rows]
        differs = (own[rows - 1, units] > 0) != (own[rows + 1, units] > 0)
        amounts, pieces, places, z_0, z_1, e_0, e_1, old_points, old_units, now, then = (
            device.all_to_host(
                [
                    *(is_open.sum(axis=1), pieces, places),
                    *(array[p, places] for array in (z, e) for p in (pieces, pieces + 1)),
                    *(rows[differs], units[differs], own[heads], own[heads + 1]),
                ]
            )
        )
        _count(n_open, segment, amounts)
        if alike is not None:
            firsts = alike[segment[pieces], places] == places
            pieces, places, z_0, z_1, e_0, e_1 = (
                array[firsts] for array in (pieces, places, z_0, z_1, e_0, e_1)
            )
        z_0, z_1 = np.abs(z_0), np.abs(z_1)
        fractions = z_0 / (z_0 + z_1)
        deviations = ONCE * np.maximum(e_0, e_1) / (z_0 + z_1 - e_0 - e_1) + 4 * UNIT_ROUNDOFF
        order = np.lexsort((fractions, pieces))
        pieces, places = pieces[order], places[order]
        fractions, deviations = fractions[order], deviations[order]
        clear = fractions[:-1] + deviations[:-1] < fractions[1:] - deviations[1:]
        close = np.flatnonzero((pieces[:-1] == pieces[1:]) & ~clear)
        _count(n_open, segment[pieces[close]], np.ones(len(close), dtype=np.int64))
        first = np.where(now != 0, now > 0, then > 0)
        return _Switches(pieces, places, fractions, deviations, old_points, old_units, first)

    def _set_zero(
        self, layer: int, owners: _Ints, units: _Ints, values: dict[int, Value], new: _Ints
    ) -> None:
        """Set neurons to zero at their own knots."""
        for number, size, start in self.graph.targets(layer):
            here = (units >= start) & (units < start + size)
            rows, columns = map(self.device.to_device, (new[owners[here]], units[here] - start))
            for array in values[number]:
                array[rows, columns] = 0.0


@dataclass(frozen=True)
class _Switches:
    """The signs of a layer's neurons on all pieces.

    Attributes
    ----------
    pieces, units : (n_new,) ndarrays of int64
        The point after which each new knot comes, and the chosen unit that switches; sorted.
    fractions, deviations : (n_new,) ndarrays of float64
        Where on the piece, and error bounds.
    old_points, old_units : ndarrays of int64
        Knots of earlier layers at which units switch as well.
    first : (n, n_l) ndarray of bool
        Which units are on at the beginning of each segment.
    """

    pieces: _Ints
    units: _Ints
    fractions: _Floats
    deviations: _Floats
    old_points: _Ints
    old_units: _Ints
    first: NDArray[np.bool_]


def _positions(pieces: _Ints, n_points: int) -> _Ints:
    """Return the new positions of old points when each new point is put after its piece's start.

    Examples
    --------
    >>> _positions(np.array([0, 0, 1]), 3).tolist()
    [0, 3, 5]
    """
    numbers = np.arange(n_points)
    return numbers + np.searchsorted(pieces, numbers)


def _alike(found: _Switches, segment: _Ints, alike: _Ints | None) -> tuple[_Ints, _Ints]:
    """Return for new knots of chosen units all pairs of a knot and a chosen unit that is alike."""
    if alike is None:
        return np.arange(len(found.units)), found.units
    members, chosen = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    owner = segment[found.pieces]
    for i in np.unique(owner):
        knots = np.flatnonzero(owner == i)
        at, units = np.nonzero(alike[i] == found.units[knots][:, None])
        members.append(knots[at])
        chosen.append(units)
    return np.concatenate(members), np.concatenate(chosen)


def _owners(places: _Ints, twins: Twins) -> tuple[_Ints, _Ints]:
    """Return for new knots of chosen units all pairs of a knot and a multiple of its unit."""
    if len(twins.chosen) == len(twins.place):
        return np.arange(len(places)), places
    units = np.argsort(twins.place, kind="stable")
    counts = np.bincount(twins.place, minlength=len(twins.chosen))
    starts = np.cumsum(counts) - counts
    repeats = counts[places]
    owners = np.repeat(np.arange(len(places)), repeats)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return owners, units[starts[places][owners] + within]


def _count(totals: _Ints, segments: _Ints, amounts: _Ints) -> None:
    np.add.at(totals, segments, amounts)
