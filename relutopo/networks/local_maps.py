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
comparisons in pooling: entries that a kink has set to zero are never computed.

Rounding
--------
The u_i are treated as further inputs, with |u_i| ≤ U_i on the block, so the bounds of
`relutopo.networks.graph` hold for A, c and C unchanged. They bound ``|δA x + δc + Σ δC_i u_i|`` at
the points of the block. On a region the error of z_i enters u_i with the factor s_i, and a sum of f
products adds γ_{f+6} times the sizes of its terms.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arithmetic.rounding import gamma
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.networks.local_kernels import maps_on_regions, sparse_rows
from relutopo.networks.network import AffineMaps

__all__ = ["LocalGraph", "LocalLayer", "Place"]

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]
_Number = TypeVar("_Number", np.float64, np.bool_)

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
    _support: _Support
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
        variables = self._variables
        zero = (variables.neurons == labels[:, :, None]).any(axis=1)
        active = self._active[regions]
        start = 0
        for stop in variables.ends:
            of = variables.support.rows(slice(start, stop), start)
            zero[:, start:stop] |= of.is_empty(active[:, :start] & ~zero[:, :start])
            start = stop
        return self._support.is_empty(active & ~zero)


@dataclass(frozen=True)
class _Support:
    """Supports of values: whether `others` contribute, (n,), and which variables, `sets` (n, f)."""

    others: _Flags
    sets: _Flags

    def rows(self, rows: NDArray[np.integer] | slice, n_variables: int) -> _Support:
        return _Support(self.others[rows], self.sets[rows, :n_variables])

    def is_empty(self, active: _Flags) -> _Flags:
        """Return, for each row of active variables, which values have nothing active in them."""
        found: _Flags = active.astype(float) @ self.sets.T.astype(float) == 0
        return found & ~self.others


class _Variables:
    """The local variables so far.

    Attributes
    ----------
    neurons : (f,) ndarray of int64
    on, off : (f,) ndarrays
        Slopes of their kinks.
    ends : list of int
        Where each kink's variables end.
    planes, factors, errors : (f, d + 1), (f, f), (f,) ndarrays
        Their pre-activations as A, c and C, and error bounds of these.
    support : _Support
    reach : (f,) ndarray
        The bounds U.
    """

    def __init__(self, middle: _Floats, half: _Floats, reach: _Floats) -> None:
        self._middle, self._half, self._reach = middle, half, reach
        d = len(middle)
        self.neurons = np.zeros(0, dtype=np.int64)
        self.on = self.off = self.reach = self.errors = np.zeros(0)
        self.ends: list[int] = []
        self.planes, self.factors = np.zeros((0, d + 1)), np.zeros((0, 0))
        self.support = _Support(np.zeros(0, dtype=bool), np.zeros((0, 0), dtype=bool))
        # With u_i = σ_i z_i + w_i, σ the slope in the middle of the block: z_i in terms of x and w,
        # the largest w_i (the other end of its interval is 0), and the error bounds.
        self._slopes = self._jumps = self._folded_errors = np.zeros(0)
        self._folded = np.zeros((0, d + 1))

    def __len__(self) -> int:
        return len(self.neurons)

    @property
    def weights(self) -> _Floats:
        """Bounds of the factors of the columns of values: of |x_i|, 1 and |u_i|."""
        return np.concatenate([self._reach, self.reach])

    def intervals(
        self, values: _Floats, errors: _Floats
    ) -> tuple[_Floats, _Floats, _Floats, _Floats]:
        """Return for values, (n, d + 1 + f), intervals that contain them throughout the block.

        Returns
        -------
        center, radius : (n,) ndarrays
        folded, folded_errors : (n, d + 1 + f), (n,) ndarrays
            The values in terms of x and w.
        """
        d = len(self._middle)
        slopes = values[:, d + 1 :] * self._slopes
        sizes = np.concatenate([self._reach, np.abs(self._jumps)])
        lost = _LOST * sizes.sum()
        heights = np.abs(values) @ sizes + np.abs(slopes) @ (np.abs(self._folded) @ sizes)
        folded = values + slopes @ self._folded
        rounding = self._rounding
        bounds = _ONCE * (errors + np.abs(slopes) @ self._folded_errors) + rounding * heights + lost
        center = (
            folded[:, :d] @ self._middle + folded[:, d] + folded[:, d + 1 :] @ (0.5 * self._jumps)
        )
        radius = np.abs(folded[:, :d]) @ self._half + 0.5 * (
            np.abs(folded[:, d + 1 :]) @ np.abs(self._jumps)
        )
        slack = rounding * (np.abs(folded) @ sizes) + lost
        return center, _ONCE * (radius + bounds + slack), folded, bounds

    def add(
        self,
        neurons: NDArray[np.int64],
        kink: tuple[_Floats, _Floats],
        values: _Floats,
        errors: _Floats,
        support: _Support,
        is_on: _Flags,
        is_switching: _Flags,
    ) -> None:
        """Add a kink's local units by their pre-activations; `is_on` if they do not switch."""
        (on, off), d, f, n = kink, len(self._middle), len(self), len(neurons)
        center, radius, folded, bounds = self.intervals(values, errors)
        is_fixed = ~is_switching
        slopes = np.where(np.where(is_fixed, is_on, center > 0), on, off)
        beyond = np.where(is_fixed, 0.0, np.maximum(0.0, radius - np.abs(center)))
        steepest = np.where(is_fixed, np.abs(slopes), np.maximum(np.abs(on), np.abs(off)))
        reach = np.maximum(_ONCE * steepest * (np.abs(center) + radius), _LEAST)

        def grown(
            rows: NDArray[_Number], more: NDArray[_Number], n_columns: int
        ) -> NDArray[_Number]:
            return np.concatenate([_wide(rows, n_columns), _wide(more, n_columns)])

        self._folded = grown(self._folded, folded, d + 1 + f + n)
        self._folded_errors = np.append(self._folded_errors, bounds)
        self._slopes = np.append(self._slopes, slopes)
        self._jumps = np.append(self._jumps, _ONCE * (on - off) * beyond)
        self.planes = np.concatenate([self.planes, values[:, : d + 1]])
        self.factors = grown(self.factors, values[:, d + 1 :], f + n)
        self.errors = np.append(self.errors, errors)
        self.support = _Support(
            np.append(self.support.others, support.others),
            grown(self.support.sets, support.sets, f + n),
        )
        self.neurons = np.append(self.neurons, neurons)
        self.on, self.off = np.append(self.on, on), np.append(self.off, off)
        self.reach = np.append(self.reach, reach)
        self.ends = [*self.ends, f + n]

    def free(
        self, values: _Floats, errors: _Floats, support: _Support
    ) -> tuple[NDArray[np.int64], _Flags]:
        """Return which values may change their sign in the block, and which others are positive."""
        d = len(self._middle)
        is_zero = ~support.others & ~support.sets.any(axis=1)
        center = values[:, :d] @ self._middle + values[:, d]
        # A quick bound decides most values; NaN leaves a value open.
        sizes = np.concatenate([self._half, self._rounding * self._reach[-1:], self.reach])
        radius = _ONCE * (np.abs(values) @ sizes + 2 * errors)
        radius += self._rounding * np.abs(values[:, :d]) @ self._reach[:d] + _UNDERFLOW
        is_known = (np.abs(center) > radius) | is_zero
        (left,) = np.nonzero(~is_known)
        center[left], radius, _, _ = self.intervals(values[left], errors[left])
        is_known[left] = np.abs(center[left]) > radius
        return np.flatnonzero(~is_known), is_known & ~is_zero & (center > 0)

    @property
    def _rounding(self) -> float:
        """Relative error bound of sums of products with all variables."""
        return _ONCE * gamma(len(self) + len(self._middle) + 10)

    def maps(
        self,
        patterns: _Patterns,
        values: _Floats,
        errors: _Floats,
        support: _Support,
    ) -> tuple[AffineMaps, _Flags]:
        """Return the maps of values on regions, and which variables are active there."""
        d, f = len(self._middle), len(self)
        rounding = _ONCE * gamma(f + 6)
        lost = _LOST * self._reach.sum()
        planes = np.concatenate([self.planes, values[:, : d + 1]])
        factors = np.concatenate([self.factors, values[:, d + 1 :]])
        others = np.append(self.support.others, support.others)
        sets = np.concatenate([self.support.sets, support.sets])
        # Where something else contributes, it does not matter which variables do.
        sets[others] = False
        own = _ONCE * np.append(self.errors, errors) + rounding * (np.abs(planes) @ self._reach)
        maps, bounds, active = maps_on_regions(
            patterns.packed,
            self.neurons,
            np.stack([self.off, self.on]),
            planes,
            sparse_rows(factors),
            own + lost,
            others,
            sparse_rows(sets),
            self._reach,
            rounding,
            lost,
        )
        return AffineMaps(maps, bounds), active


class _Patterns(NamedTuple):
    """Packed patterns of regions, and for each neuron its first bit and whether any bit differs."""

    packed: NDArray[np.uint8]
    first: _Flags
    is_switching: _Flags

    @classmethod
    def unpacked(cls, packed: NDArray[np.uint8], n_neurons: int) -> _Patterns:
        """Return the patterns of the first neurons."""
        differ = np.bitwise_or.reduce(packed ^ packed[:1], axis=0)
        bits = (
            np.unpackbits(row, count=n_neurons, bitorder="little").astype(bool)
            for row in (packed[0], differ)
        )
        return cls(packed, *bits)


@dataclass(frozen=True)
class _Value:
    """A value of the graph: its columns A, c and C (of its variables), error bounds and support."""

    columns: _Floats
    errors: _Floats
    support: _Support

    def wide(self, n_columns: int) -> _Floats:
        return _wide(self.columns, n_columns)


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
    >>> packed = np.array([[0b01], [0b10]], dtype=np.uint8)
    >>> place = Place(-near, near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, near).layer(1, packed)
    >>> found.units.tolist(), found.is_on.tolist()
    ([], [True])
    >>> place = Place(-8 * near, near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, 8 * near).layer(1, packed)
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

    def layer(self, layer: int, packed: NDArray[np.uint8]) -> tuple[LocalLayer, LocalGraph]:
        """Return a layer on the block, and the graph evaluated up to it.

        Parameters
        ----------
        layer : int
            0..n_layers-1; not before the layer of an earlier call.
        packed : (R, ≥ layer_offsets[layer] / 8) ndarray of uint8
            Activation patterns of the block's regions, R ≥ 1, packed as in a complex.
        """
        network, d = self._network, self._network.input_dim
        targets = network.targets(layer)
        after = copy(self)
        variables = after._variables = copy(self._variables)
        values = after._values = dict(self._values)
        patterns = _Patterns.unpacked(packed, network.layer_offsets[layer])
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
        width = d + 1 + len(variables)
        found = [values[value] for value, _, _ in targets]
        columns = np.concatenate([value.wide(width) for value in found])
        errors = np.concatenate([value.errors for value in found])
        support = _Support(
            np.concatenate([value.support.others for value in found]),
            np.concatenate([_wide(value.support.sets, len(variables)) for value in found]),
        )
        units, is_on = variables.free(columns, errors, support)
        of_units = support.rows(units, len(variables))
        maps, active = variables.maps(patterns, columns[units], errors[units], of_units)
        return LocalLayer(units, is_on, maps, variables, of_units, active), after


def _input_value(d: int) -> _Value:
    support = _Support(np.ones(d, dtype=bool), np.zeros((d, 0), dtype=bool))
    return _Value(np.eye(d, d + 1), np.zeros(d), support)


def _wide(columns: NDArray[_Number], n: int) -> NDArray[_Number]:
    """Return columns, padded with zeros to n."""
    if columns.shape[1] == n:
        return columns
    result = np.zeros((len(columns), n), dtype=columns.dtype)
    result[:, : columns.shape[1]] = columns
    return result


def _spread(node: Affine | Kink, value: _Value, weights: _Floats) -> _Floats:
    """Return a value's error and its share of the node's rounding, entry by entry."""
    if not node.rounding:
        return _ONCE * value.errors
    heights = np.abs(value.columns) @ weights[: value.columns.shape[1]]
    heights = heights + _UNDERFLOW * ((heights > 0) | (value.errors > 0))
    spread: _Floats = _ONCE * value.errors + node.rounding * heights
    return spread


def _affine(node: Affine, sources: list[_Value], variables: _Variables) -> _Value:
    weights = variables.weights
    d = len(weights) - len(variables) - 1
    widest = max(source.columns.shape[1] for source in sources)
    columns = np.zeros((node.size, widest))
    # Error bounds, and the parts of the support: anything that is not a variable, and variables.
    sums = np.zeros((node.size, 3))
    for matrix, sizes, source in zip(node.matrices, node.sizes, sources, strict=True):
        image = matrix @ source.columns
        if image.shape[1] == widest and len(sources) == 1:
            columns = image
        else:
            columns[:, : image.shape[1]] += image
        support = source.support
        spread = _spread(node, source, weights)
        sums += sizes @ np.stack([spread, support.others, support.sets.any(axis=1)], axis=1)
    columns[:, d] += node.bias
    others = (sums[:, 1] > 0) | (node.bias != 0)
    sets = np.zeros((node.size, widest - d - 1), dtype=bool)
    rows = np.flatnonzero(~others & (sums[:, 2] > 0))
    if rows.size:
        for sizes, source in zip(node.sizes, sources, strict=True):
            before = source.support.sets
            sets[rows, : before.shape[1]] |= _rows_of(sizes, rows) @ before.astype(float) > 0
    errors = sums[:, 0] + node.rounding * np.abs(node.bias)
    return _Value(columns, errors, _Support(others, sets))


def _rows_of(matrix: Matrix, rows: NDArray[np.int64]) -> Matrix:
    return matrix[rows] if isinstance(matrix, np.ndarray) else sparse.csr_array(matrix[rows])


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
    d = len(variables.weights) - len(variables) - 1
    errors = np.abs(slopes) * _spread(node, source, variables.weights)
    is_active = slopes != 0
    support = source.support
    others, sets = support.others & is_active, support.sets & is_active[:, None]
    if not local.size:
        return _Value(source.columns * slopes[:, None], errors, _Support(others, sets))
    f, n = len(variables), len(local)
    variables.add(
        first + local,
        (node.slope_on[local], node.slope_off[local]),
        _wide(source.columns[local], d + 1 + f),
        source.errors[local],
        _Support(support.others[local], _wide(support.sets[local], f)),
        is_on[local],
        is_switching[local],
    )
    columns = np.zeros((node.size, d + 1 + f + n))
    np.multiply(source.columns, slopes[:, None], out=columns[:, : source.columns.shape[1]])
    sets = _wide(sets, f + n)
    columns[local], errors[local], others[local], sets[local] = 0.0, 0.0, False, False
    own = np.arange(n)
    columns[local, d + 1 + f + own] = 1.0
    sets[local, f + own] = True
    return _Value(columns, errors, _Support(others, sets))
