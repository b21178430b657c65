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
(`relutopo.paths.twins`), or a value is zero because all its terms are, or because it is a
difference of alike entries (`relutopo.paths.alike`). Then they vanish on one plane, or everywhere.
Where different planes meet on a segment, something is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, UNIT_ROUNDOFF
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.paths.alike import Comparisons
from relutopo.paths.twins import Twins, twins_of

__all__ = ["KnotFinder", "Knots"]

_Floats: TypeAlias = NDArray[np.float64]
_Ints: TypeAlias = NDArray[np.int64]
_Value: TypeAlias = tuple[_Floats, _Floats]
"""A value at each point, and bounds of its errors."""

_UNDERFLOW = 2.0**-600
_LOST = 2.0**-1000
_TIME = -1
"""The number of t among the values of the graph."""


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
    n_open: _Ints


class KnotFinder:
    """Finds the knots of a network on segments.

    Parameters
    ----------
    graph : GraphNetwork

    Examples
    --------
    >>> absolute = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> found = KnotFinder(absolute).find(np.array([[-1.0]]), np.array([[3.0]]))
    >>> found.t.tolist(), found.outputs.ravel().tolist(), found.neurons.tolist()
    ([0.0, 0.25, 1.0], [1.0, 0.0, 3.0], [0])
    """

    def __init__(self, graph: GraphNetwork) -> None:
        self.graph = graph
        self.comparisons = Comparisons(graph)
        self.twins = [twins_of(graph, layer) for layer in range(len(graph.layer_sizes))]

    def find(self, starts: _Floats, ends: _Floats) -> Knots:
        """Return the knots of segments.

        Parameters
        ----------
        starts, ends : (n, d) ndarrays
            Finite, taken as exact.
        """
        with np.errstate(all="ignore"):  # values that overflow are open
            return self._find(starts, ends)

    def _find(self, starts: _Floats, ends: _Floats) -> Knots:
        n, d = starts.shape
        graph = self.graph
        x = np.stack([starts, ends], axis=1).reshape(2 * n, d)
        t = np.tile([0.0, 1.0], n)[:, None]
        values: dict[int, _Value] = {
            0: (x, np.zeros_like(x)),
            _TIME: (t, np.zeros_like(t)),
        }
        segment = np.repeat(np.arange(n), 2)
        n_open = np.zeros(n, dtype=np.int64)
        first = np.zeros((n, graph.n_neurons), dtype=bool)
        points, neurons = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        zeros = [self.comparisons.vanishing(*both) for both in zip(starts, ends, strict=True)]
        for layer in range(len(graph.layer_sizes)):
            self._evaluate([value for value, _, _ in graph.targets(layer)], values, segment, zeros)
            found = self._switches(layer, values, segment, n_open)
            offset = graph.layer_offsets[layer]
            first[:, offset : offset + graph.layer_sizes[layer]] = found.first
            moved = _positions(found.pieces, len(segment))
            new = found.pieces + 1 + np.arange(len(found.pieces))
            for number, value in values.items():
                values[number] = _with_points(value, found, moved, new)
            t, t_errors = (array[:, 0] for array in values[_TIME])
            beyond = np.maximum(t[new] - t[moved][found.pieces + 1], 0.0)
            t[new] -= beyond  # rounding keeps the order
            t_errors[new] += beyond
            self._set_zero(layer, found, values, new)
            owners, units = _owners(found.units, self.twins[layer])
            points = np.concatenate([moved[points], moved[found.old_points], new[owners]])
            neurons = np.concatenate([neurons, offset + found.old_units, offset + units])
            before, segment = segment, np.empty(len(segment) + len(new), dtype=np.int64)
            segment[moved], segment[new] = before, before[found.pieces]
        self._evaluate([len(graph.nodes)], values, segment, zeros)
        order = np.lexsort((neurons, points))
        outputs, output_errors = values[len(graph.nodes)]
        places, place_errors = values[_TIME]
        return Knots(
            indptr=np.searchsorted(segment, np.arange(n + 1)),
            t=places[:, 0],
            t_errors=place_errors[:, 0],
            outputs=outputs + 0.0,  # never -0
            output_errors=output_errors,
            first=first,
            points=points[order],
            neurons=neurons[order],
            n_open=n_open,
        )

    def _evaluate(
        self,
        targets: list[int],
        values: dict[int, _Value],
        segment: _Ints,
        zeros: list[dict[int, _Ints]],
    ) -> None:
        """Add the targets to the values, and drop values that are no longer needed.

        For each segment, `zeros` tells which entries of which values are certainly zero.
        """
        for number in self.graph.ancestors(targets, known=values):
            node = self.graph.nodes[number - 1]
            values[number] = _image(node, values)
            for i, entries in enumerate(zeros):
                if number in entries:
                    rows = slice(*np.searchsorted(segment, [i, i + 1]))
                    for array in values[number]:
                        array[rows, entries[number]] = 0.0
        kept = {_TIME, *targets}
        for number in self.graph.finished(values):
            if number not in kept:
                del values[number]

    def _switches(
        self, layer: int, values: dict[int, _Value], segment: _Ints, n_open: _Ints
    ) -> _Switches:
        """Return where the neurons of a layer change their signs."""
        twins = self.twins[layer]
        parts = [values[number] for number, _, _ in self.graph.targets(layer)]
        z, e = (
            np.concatenate(arrays, axis=1)[:, twins.chosen] for arrays in zip(*parts, strict=True)
        )
        is_open = ~((np.abs(z) > e) | ((z == 0) & (e == 0)))
        _count(n_open, segment[is_open.any(axis=1)], is_open[is_open.any(axis=1)].sum(axis=1))
        signs = np.sign(np.where(np.isfinite(z), z, 0.0)).astype(np.int8)
        inside = segment[:-1] == segment[1:]
        pieces, places = np.nonzero((signs[:-1] * signs[1:] < 0) & inside[:, None])
        z_0, z_1 = np.abs(z[pieces, places]), np.abs(z[pieces + 1, places])
        e_0, e_1 = e[pieces, places], e[pieces + 1, places]
        fractions = z_0 / (z_0 + z_1)
        deviations = ONCE * np.maximum(e_0, e_1) / (z_0 + z_1 - e_0 - e_1) + 4 * UNIT_ROUNDOFF
        order = np.lexsort((fractions, pieces))
        pieces, places = pieces[order], places[order]
        fractions, deviations = fractions[order], deviations[order]
        clear = fractions[:-1] + deviations[:-1] < fractions[1:] - deviations[1:]
        close = np.flatnonzero((pieces[:-1] == pieces[1:]) & ~clear)
        _count(n_open, segment[pieces[close]], np.ones(len(close), dtype=np.int64))
        # Neurons that vanish at knots of others may be on at one side only.
        own = signs[:, twins.place] * twins.signs
        inner = np.flatnonzero(inside[:-1] & inside[1:]) + 1
        rows, units = np.nonzero(own[inner] == 0)
        rows = inner[rows]
        differs = (own[rows - 1, units] > 0) != (own[rows + 1, units] > 0)
        heads = np.flatnonzero(np.append(True, ~inside))
        first = np.where(own[heads] != 0, own[heads] > 0, own[heads + 1] > 0)
        return _Switches(
            pieces, places, fractions, deviations, rows[differs], units[differs], first
        )

    def _set_zero(
        self, layer: int, found: _Switches, values: dict[int, _Value], new: _Ints
    ) -> None:
        """Set neurons to zero at their own knots."""
        owners, units = _owners(found.units, self.twins[layer])
        for number, size, start in self.graph.targets(layer):
            here = (units >= start) & (units < start + size)
            for array in values[number]:
                array[new[owners[here]], units[here] - start] = 0.0


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


def _image(node: Affine | Kink, values: dict[int, _Value]) -> _Value:
    """Return the result of a node, with bounds; see `relutopo.networks.graph`."""
    if isinstance(node, Affine):
        value: _Floats = np.zeros(1)
        error: _Floats = node.rounding * np.abs(node.bias)
        for source, matrix, sizes in zip(node.sources, node.matrices, node.sizes, strict=True):
            z, e = values[source]
            value = z @ matrix.T + value
            error = _spread(node, z, e) @ sizes.T + error
        return value + node.bias, error
    z, e = values[node.source]
    on, off = np.abs(node.slope_on), np.abs(node.slope_off)
    slopes = np.where(z > 0, node.slope_on, node.slope_off)
    steepest = np.where(np.abs(z) > e, np.abs(slopes), np.maximum(on, off))
    return z * slopes, steepest * _spread(node, z, e)


def _spread(node: Affine | Kink, z: _Floats, e: _Floats) -> _Floats:
    """Return a source's error and its share of the node's rounding, entry by entry."""
    if not node.rounding:
        return ONCE * e
    heights: _Floats = np.abs(z)
    np.add(heights, _UNDERFLOW, out=heights, where=(z != 0) | (e > 0))
    heights *= node.rounding
    heights += ONCE * e
    return heights


def _with_points(value: _Value, found: _Switches, moved: _Ints, new: _Ints) -> _Value:
    """Return a value at the old points and at the new knots between them."""
    z, e = value
    z_0, z_1 = z[found.pieces], z[found.pieces + 1]
    e_0, e_1 = e[found.pieces], e[found.pieces + 1]
    step = z_1 - z_0
    values = np.empty((len(moved) + len(new), z.shape[1]))
    errors = np.empty_like(values)
    values[moved], errors[moved] = z, e
    values[new] = z_0 + found.fractions[:, None] * step
    size = np.abs(z_0) + np.abs(z_1)
    errors[new] = ONCE * (
        np.maximum(e_0, e_1)
        + found.deviations[:, None] * np.abs(step)
        + 4 * UNIT_ROUNDOFF * size
        + _LOST * (size > 0)
    )
    return values, errors


def _positions(pieces: _Ints, n_points: int) -> _Ints:
    """Return the new positions of old points when each new point is put after its piece's start.

    Examples
    --------
    >>> _positions(np.array([0, 0, 1]), 3).tolist()
    [0, 3, 5]
    """
    numbers = np.arange(n_points)
    return numbers + np.searchsorted(pieces, numbers)


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
