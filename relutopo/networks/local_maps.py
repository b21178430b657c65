"""A graph of affine maps and kinks on a small part of its input space.

A block consists of some neighbouring regions. Most neurons keep their sign on it. The results of
the others, and of those whose zeros bound the block, are *local variables* u_1, ..., u_f, in the
order of the graph. All else is affine, so on the whole block every value of the network is ::

    A x + c + Σ_i C_i u_i

with one A, c and C. One evaluation of the graph, with d + 1 + f columns in place of d + 1, serves
all regions of the block: on a region u_i = s_i z_i, with the slope s_i that its pattern gives, and
z_i has the same form in earlier variables alone. So the map of a region takes one product with f
rows, whatever the network's size, and only for units that may change their sign in the block; the
sign of the others is known from an interval that contains all of their values.

Structure
---------
The *support* of a value tells which variables contribute to it, and whether anything else does, a
bias or a neuron that is positive throughout. It depends on which weights are zero, not on
computed numbers. If nothing in the support of a value is active on a region, the value is known to
be zero there; likewise at a point where all active variables of its support are zero. This decides
comparisons in pooling: entries that a kink has set to zero are never computed. Few variables
contribute to a value of a convolution, so C consists of sparse rows, with an entry, be it zero, for
each variable of the support.

Rounding
--------
The u_i are treated as further inputs, with |u_i| ≤ U_i on the block, so the bounds of
`relutopo.networks.graph` hold for A, c and C unchanged. They bound ``|δA x + δc + Σ δC_i u_i|`` at
the points of the block. On a region the error of z_i enters u_i with the factor s_i, and a sum of f
products adds γ_{f+6} times the sizes of its terms.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import gamma
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.networks.local_kernels import (
    Rows,
    image,
    maps_on_regions,
    put_bits,
    sum_of_rows,
    take_bits,
    vanishing,
)
from relutopo.networks.network import AffineMaps

__all__ = ["LocalGraph", "LocalLayer", "Place", "Shared"]

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]

_LEAST = 2.0**-300
_UNDERFLOW = 2.0**-600
# More than products can lose by underflow in each entry of a map.
_LOST = 2.0**-1000
_ONCE = 1.01


@dataclass(frozen=True)
class Place:
    """Where a block is.

    Attributes
    ----------
    low, high : (d,) ndarray
        Corners of a box that contains it.
    labels : ndarray of int
        Neurons on whose zeros its facets lie; numbers that are not neurons are ignored.
    """

    low: _Floats
    high: _Floats
    labels: NDArray[np.integer]


class Shared(NamedTuple):
    """What the patterns of a block's regions share. Of each region only the other bits are kept.

    Attributes
    ----------
    neurons : (n,) ndarray of int64
        The neurons whose bits are kept.
    always : (n_neurons,) ndarray of bool
        The other neurons that are positive throughout.
    """

    neurons: NDArray[np.int64]
    always: _Flags

    @classmethod
    def by(
        cls, packed: NDArray[np.uint8], n_neurons: int, labels: NDArray[np.integer]
    ) -> tuple[Shared, NDArray[np.uint8]]:
        """Return what patterns share, and the bits to be kept, among them those of `labels`.

        Parameters
        ----------
        packed : (n_regions, ceil(n_neurons / 8)) ndarray of uint8
        n_neurons : int
        labels : ndarray of int
            Numbers that are not neurons are ignored.

        Examples
        --------
        >>> packed = np.array([[0b101], [0b111]], dtype=np.uint8)
        >>> shared, kept = Shared.by(packed, 3, np.array([-1, 0]))
        >>> shared.neurons.tolist(), shared.always.tolist(), kept.tolist()
        ([0, 1], [False, False, True], [[1], [3]])
        >>> shared.whole(kept).tolist()
        [[5], [7]]
        """
        differ = np.bitwise_or.reduce(packed ^ packed[:1], axis=0)
        always, is_kept = (
            np.unpackbits(row, count=n_neurons, bitorder="little").astype(bool)
            for row in (packed[0], differ)
        )
        is_kept[labels[(labels >= 0) & (labels < n_neurons)]] = True
        always[is_kept] = False
        neurons = np.flatnonzero(is_kept)
        return cls(neurons, always), take_bits(packed, neurons)

    def whole(self, kept: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return whole patterns."""
        others = np.packbits(self.always, bitorder="little")
        packed: NDArray[np.uint8] = put_bits(kept, self.neurons, others)
        return packed

    def then(self, units: NDArray[np.int64], is_on: _Flags) -> Shared:
        """Return the same with a further layer, of which the bits of `units` are kept."""
        neurons = np.append(self.neurons, len(self.always) + units)
        return Shared(neurons, np.append(self.always, is_on))


@dataclass(frozen=True)
class LocalLayer:
    """A layer of a graph on a block.

    Attributes
    ----------
    units : (n_units,) ndarray of int64
        The units of the layer that may change their sign in the block.
    is_on : (n_l,) ndarray of bool
        Whether a unit is not among these, and positive throughout.
    maps : AffineMaps
        Maps of `units`; their errors hold at the points of each region.
    """

    units: NDArray[np.int64]
    is_on: _Flags
    maps: AffineMaps
    _variables: _Variables
    _values: _Value
    _active: _Flags

    def vanish_at(self, regions: NDArray[np.integer], labels: NDArray[np.integer]) -> _Flags:
        """Tell which units are zero at points, from structure alone.

        Parameters
        ----------
        regions : (n,) ndarray of int
            A region of the block whose closure contains the point.
        labels : (n, m) ndarray of int
            Neurons that are zero at the point.

        Returns
        -------
        (n, n_units) ndarray of bool
            False where structure does not decide.
        """
        known = self._variables.values.then(self._values)
        neurons = self._variables.neurons
        found: _Flags = vanishing(
            known.factors, known.others, neurons, self._active, regions, labels
        )
        return found


@dataclass(frozen=True)
class _Value:
    """A value of the graph: A and c, and C of its variables, error bounds and other support.

    Attributes
    ----------
    planes : (n, d + 1) ndarray
    factors : Rows
    errors : (n,) ndarray
    others : (n,) ndarray of bool
        Whether anything besides the variables contributes.
    """

    planes: _Floats
    factors: Rows
    errors: _Floats
    others: _Flags

    @classmethod
    def empty(cls, d: int) -> _Value:
        """Return a value without entries."""
        return cls(np.zeros((0, d + 1)), Rows.empty(0), np.zeros(0), np.zeros(0, dtype=bool))

    def take(self, entries: NDArray[np.int64]) -> _Value:
        """Return some entries."""
        factors, errors = self.factors.take(entries), self.errors[entries]
        return _Value(self.planes[entries], factors, errors, self.others[entries])

    def then(self, more: _Value) -> _Value:
        """Return these entries and more."""
        return _Value(
            np.concatenate([self.planes, more.planes]),
            self.factors.then(more.factors),
            np.concatenate([self.errors, more.errors]),
            np.concatenate([self.others, more.others]),
        )

    def times(self, matrix: Rows, errors: _Floats, n_variables: int) -> _Value:
        """Return the product of a matrix with this value, of which `errors` are the errors."""
        found = image(matrix, self.planes, self.factors, errors, self.others, n_variables)
        return _Value(*found)

    def plus(self, other: _Value) -> _Value:
        """Return the sum."""
        return _Value(
            self.planes + other.planes,
            sum_of_rows(self.factors, other.factors),
            self.errors + other.errors,
            self.others | other.others,
        )


class _Variables:
    """The local variables so far.

    Attributes
    ----------
    neurons : (f,) ndarray of int64
    on, off : (f,) ndarrays
        Slopes of their kinks.
    values : _Value
        Their pre-activations.
    reach : (f,) ndarray
        The bounds U.
    """

    def __init__(self, middle: _Floats, half: _Floats, reach: _Floats) -> None:
        self._middle, self._half, self._reach = middle, half, reach
        d = len(middle)
        self.neurons = np.zeros(0, dtype=np.int64)
        self.on = self.off = self.reach = np.zeros(0)
        self.values = _Value.empty(d)
        # With u_i = σ_i z_i + w_i, σ the slope in the middle of the block: z_i in terms of x and w,
        # and the largest w_i (the other end of its interval is 0).
        self._slopes = self._jumps = np.zeros(0)
        self._folded = _Value.empty(d)

    def __len__(self) -> int:
        return len(self.neurons)

    def heights(self, value: _Value) -> _Floats:
        """Return bounds of the sums of the absolute terms of a value."""
        return np.abs(value.planes) @ self._reach + value.factors.absolute.times(self.reach)

    def intervals(self, values: _Value) -> tuple[_Floats, _Floats, _Value]:
        """Return intervals that contain values throughout the block.

        Returns
        -------
        center, radius : (n,) ndarrays
        folded : _Value
            The values in terms of x and w.
        """
        d, f, jumps = len(self._middle), len(self), np.abs(self._jumps)
        factors = values.factors
        slopes = factors._replace(numbers=factors.numbers * self._slopes[factors.columns])
        lost = _LOST * (self._reach.sum() + jumps.sum())

        def sizes(value: _Value) -> _Floats:
            return np.abs(value.planes) @ self._reach + value.factors.absolute.times(jumps)

        heights = sizes(values) + slopes.absolute.times(sizes(self._folded))
        folded = values.plus(self._folded.times(slopes, self._folded.errors, f))
        rounding = self._rounding
        folded = replace(folded, errors=_ONCE * folded.errors + rounding * heights + lost)
        planes = folded.planes
        center = planes[:, :d] @ self._middle + planes[:, d]
        center += folded.factors.times(0.5 * self._jumps)
        radius = np.abs(planes[:, :d]) @ self._half
        radius += 0.5 * folded.factors.absolute.times(jumps)
        slack = rounding * sizes(folded) + lost
        return center, _ONCE * (radius + folded.errors + slack), folded

    def add(
        self,
        neurons: NDArray[np.int64],
        kink: tuple[_Floats, _Floats],
        values: _Value,
        is_on: _Flags,
        is_switching: _Flags,
    ) -> None:
        """Add a kink's local units by their pre-activations; `is_on` if they do not switch."""
        on, off = kink
        center, radius, folded = self.intervals(values)
        is_fixed = ~is_switching
        slopes = np.where(np.where(is_fixed, is_on, center > 0), on, off)
        beyond = np.where(is_fixed, 0.0, np.maximum(0.0, radius - np.abs(center)))
        steepest = np.where(is_fixed, np.abs(slopes), np.maximum(np.abs(on), np.abs(off)))
        reach = np.maximum(_ONCE * steepest * (np.abs(center) + radius), _LEAST)
        self._folded = self._folded.then(folded)
        self._slopes = np.append(self._slopes, slopes)
        self._jumps = np.append(self._jumps, _ONCE * (on - off) * beyond)
        self.values = self.values.then(values)
        self.neurons = np.append(self.neurons, neurons)
        self.on, self.off = np.append(self.on, on), np.append(self.off, off)
        self.reach = np.append(self.reach, reach)

    def free(self, values: _Value) -> tuple[NDArray[np.int64], _Flags]:
        """Return which values may change their sign in the block, and which others are positive."""
        d, planes = len(self._middle), values.planes
        is_zero = ~values.others & (values.factors.counts == 0)
        center = planes[:, :d] @ self._middle + planes[:, d]
        # A quick bound decides most values; NaN leaves a value open.
        sizes = np.abs(planes)
        radius = sizes @ np.append(self._half, self._rounding)
        radius += values.factors.absolute.times(self.reach) + 2 * values.errors
        radius = _ONCE * radius + self._rounding * sizes[:, :d] @ self._reach[:d] + _UNDERFLOW
        is_known = (np.abs(center) > radius) | is_zero
        left = np.flatnonzero(~is_known)
        center[left], radius, _ = self.intervals(values.take(left))
        is_known[left] = np.abs(center[left]) > radius
        return np.flatnonzero(~is_known), is_known & ~is_zero & (center > 0)

    @property
    def _rounding(self) -> float:
        """Relative error bound of sums of products with all variables."""
        return _ONCE * gamma(len(self) + len(self._middle) + 10)

    def maps(
        self, shared: Shared, kept: NDArray[np.uint8], values: _Value
    ) -> tuple[AffineMaps, _Flags]:
        """Return the maps of values on regions, and which variables are active there."""
        bit_of = np.empty(len(shared.always), dtype=np.int64)
        bit_of[shared.neurons] = np.arange(len(shared.neurons))
        rounding = _ONCE * gamma(len(self) + 6)
        lost = _LOST * self._reach.sum()
        known = self.values.then(values)
        own = _ONCE * known.errors + rounding * (np.abs(known.planes) @ self._reach)
        maps, bounds, active = maps_on_regions(
            kept,
            bit_of[self.neurons],
            np.stack([self.off, self.on]),
            known.planes,
            known.factors,
            own + lost,
            known.others,
            self._reach,
            rounding,
            lost,
        )
        return AffineMaps(maps, bounds), active


class _Patterns(NamedTuple):
    """For each neuron its bit in the first region, and whether any region has another one."""

    first: _Flags
    is_switching: _Flags

    @classmethod
    def of(cls, shared: Shared, kept: NDArray[np.uint8]) -> _Patterns:
        """Return the patterns of regions."""
        first, is_switching = shared.always.copy(), np.zeros_like(shared.always)
        differ = np.bitwise_or.reduce(kept ^ kept[:1], axis=0)
        for bits, row in ((first, kept[0]), (is_switching, differ)):
            bits[shared.neurons] = np.unpackbits(
                row, count=len(shared.neurons), bitorder="little"
            ).astype(bool)
        return cls(first, is_switching)


class LocalGraph:
    """A graph on a block, as far as it has been evaluated.

    Parameters
    ----------
    network : GraphNetwork
    place : Place
        Where the block is.
    magnitude : (d,) ndarray
        Bound of |x_i| over the block.

    Examples
    --------
    The hat max(0, 1 - |x|) where it is positive, and where it ends:

    >>> from relutopo.networks.perceptron import ReluNetwork, relu_nodes
    >>> hat = ReluNetwork([[[1.0], [-1.0]], [[-1.0, -1.0]], [[1.0]]], [[0, 0], [1.0], [0]])
    >>> graph, near = GraphNetwork(1, relu_nodes(hat)), np.array([0.25])
    >>> shared, kept = Shared.by(np.array([[0b01], [0b10]], dtype=np.uint8), 2, np.arange(2))
    >>> place = Place(-near, near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, near).layer(1, shared, kept)
    >>> found.units.tolist(), found.is_on.tolist()
    ([], [True])
    >>> place = Place(-8 * near, near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, 8 * near).layer(1, shared, kept)
    >>> found.units.tolist(), found.maps.planes[1].tolist()
    ([0], [[1.0], [1.0]])
    """

    def __init__(self, network: GraphNetwork, place: Place, magnitude: _Floats) -> None:
        middle = 0.5 * (place.low + place.high)
        half = _ONCE * np.maximum(place.high - middle, middle - place.low)
        reach = np.append(np.maximum(magnitude, _LEAST), 1.0)
        self._network = network
        self._variables = _Variables(middle, half, reach)
        self._values = {0: _input_value(network.input_dim)}
        self._labels = place.labels if network.may_vanish else place.labels[:0]

    def layer(
        self, layer: int, shared: Shared, kept: NDArray[np.uint8]
    ) -> tuple[LocalLayer, LocalGraph]:
        """Return a layer on the block, and the graph evaluated up to it.

        Parameters
        ----------
        layer : int
            0..n_layers-1; not before the layer of an earlier call.
        shared : Shared
            What the patterns before the layer share.
        kept : (R, n_bytes) ndarray of uint8
            The bits of the block's regions, R ≥ 1, that are kept, those of the labels among them.
        """
        network, d = self._network, self._network.input_dim
        targets = network.targets(layer)
        after = copy(self)
        variables = after._variables = copy(self._variables)
        values = after._values = dict(self._values)
        patterns = _Patterns.of(shared, kept)
        is_local = patterns.is_switching.copy()
        own = self._labels[(self._labels >= 0) & (self._labels < len(is_local))]
        is_local[own] = True
        for number in network.ancestors([value for value, _, _ in targets], values):
            node = network.nodes[number - 1]
            if isinstance(node, Affine):
                values[number] = _affine(node, [values[s] for s in node.sources], variables)
            else:
                first = network.first_neuron(number)
                values[number] = _kink(
                    node, values[node.source], variables, first, patterns, is_local
                )
        for number in network.finished(values):
            del values[number]
        found = _Value.empty(d)
        for value, _, _ in targets:
            found = found.then(values[value])
        units, is_on = variables.free(found)
        of_units = found.take(units)
        maps, active = variables.maps(shared, kept, of_units)
        return LocalLayer(units, is_on, maps, variables, of_units, active), after


def _input_value(d: int) -> _Value:
    return _Value(np.eye(d, d + 1), Rows.empty(d), np.zeros(d), np.ones(d, dtype=bool))


def _spread(node: Affine | Kink, value: _Value, variables: _Variables) -> _Floats:
    """Return a value's error and its share of the node's rounding, entry by entry."""
    if not node.rounding:
        return _ONCE * value.errors
    heights = variables.heights(value)
    heights = heights + _UNDERFLOW * ((heights > 0) | (value.errors > 0))
    spread: _Floats = _ONCE * value.errors + node.rounding * heights
    return spread


def _affine(node: Affine, sources: list[_Value], variables: _Variables) -> _Value:
    value, *more = (
        source.times(Rows(*rows), _spread(node, source, variables), len(variables))
        for rows, source in zip(node.rows, sources, strict=True)
    )
    for term in more:
        value = value.plus(term)
    value.planes[:, -1] += node.bias
    errors = value.errors + node.rounding * np.abs(node.bias)
    return replace(value, errors=errors, others=value.others | (node.bias != 0))


def _kink(
    node: Kink,
    source: _Value,
    variables: _Variables,
    first: int,
    patterns: _Patterns,
    is_local: _Flags,
) -> _Value:
    """Return the value of a kink whose neurons start at `first`."""
    here = slice(first, first + node.size)
    is_on, is_switching = patterns.first[here], patterns.is_switching[here]
    slopes = np.where(is_on, node.slope_on, node.slope_off)
    # Units that are zero on the whole block need no variable.
    (local,) = np.nonzero(is_local[here] & (is_switching | (slopes != 0)))
    f = len(variables)
    errors = np.abs(slopes) * _spread(node, source, variables)
    if local.size:
        variables.add(
            first + local,
            (node.slope_on[local], node.slope_off[local]),
            source.take(local),
            is_on[local],
            is_switching[local],
        )
    # What is local is a variable, and nothing else.
    slopes[local], errors[local] = 0.0, 0.0
    row_of, counts = source.factors.row_of, source.factors.counts
    kept = slopes[row_of] != 0
    counts[slopes == 0], counts[local] = 0, 1
    ptr = np.append(0, np.cumsum(counts))
    is_own = np.zeros(ptr[-1], dtype=bool)
    is_own[ptr[local]] = True
    columns, numbers = np.empty(ptr[-1], dtype=np.int64), np.ones(ptr[-1])
    columns[is_own], columns[~is_own] = f + np.arange(len(local)), source.factors.columns[kept]
    numbers[~is_own] = (slopes[row_of] * source.factors.numbers)[kept]
    planes = source.planes * slopes[:, None]
    return _Value(planes, Rows(ptr, columns, numbers), errors, source.others & (slopes != 0))
