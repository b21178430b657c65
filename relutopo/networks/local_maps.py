"""A graph of affine maps and kinks on a small part of the plane that is its input space.

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

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, gamma
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.networks.local_kernels import (
    LEAST,
    Added,
    Folded,
    Frame,
    Rows,
    image,
    image_of_kink,
    plus_image,
)
from relutopo.networks.local_walks import (
    Changes,
    first_and_switching,
    free_on_regions,
    put_bits,
    take_bits,
)

__all__ = ["LocalGraph", "LocalLayer", "Place", "Shared"]

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


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
        The neurons whose bits are kept, ascending.
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
        >>> shared.neurons.tolist(), shared.always.tolist(), kept[:, 0].tolist()
        ([0, 1], [False, False, True], [1, 3])
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

    @property
    def n_bytes(self) -> int:
        """Number of bytes that are kept of a pattern, in whole words of 8."""
        return -(-len(self.neurons) // 64) * 8

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
    changes : Changes
        Maps of `units`; their errors hold at the points of each region.
    variables : (f,) ndarray of int64
        The neurons that are variables.
    supports : Rows
        Which variables contribute to the pre-activations of the variables, then of `units`.
    others : (f + n_units,) ndarray of bool
        Whether anything else does.
    """

    units: NDArray[np.int64]
    is_on: _Flags
    changes: Changes
    variables: NDArray[np.int64]
    supports: Rows
    others: _Flags


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

    def __iter__(self) -> Iterator[Any]:
        yield from (self.planes, self.factors, self.errors, self.others)

    def then(self, more: _Value) -> _Value:
        """Return these entries and more."""
        return _Value(
            np.concatenate([self.planes, more.planes]),
            self.factors.then(more.factors),
            np.concatenate([self.errors, more.errors]),
            np.concatenate([self.others, more.others]),
        )


class _Variables:
    """The local variables so far.

    Attributes
    ----------
    neurons : (f,) ndarray of int64
    slopes : (2, f) ndarray
        Slopes of their kinks, as in `Kink`.
    """

    def __init__(self, middle: _Floats, half: _Floats, reach: _Floats) -> None:
        self._frame = Frame(middle, half, reach)
        none, no_rows, no_planes = np.zeros(0), Rows.empty(0), np.zeros((0, len(middle) + 1))
        no_values = no_planes, no_rows, none, np.zeros(0, dtype=bool)
        folded = Folded(no_planes, no_rows, none, none)
        self._added = Added(*no_values, folded, none, none, none)
        self.neurons = np.zeros(0, dtype=np.int64)
        self.slopes = np.zeros((2, 0))

    def __len__(self) -> int:
        return len(self.neurons)

    @property
    def reach(self) -> _Floats:
        """Bounds of |x_i|, and 1."""
        return self._frame.reach

    def copy(self) -> _Variables:
        """Return variables to which others can be added."""
        other = object.__new__(_Variables)
        other.__dict__.update(self.__dict__)
        return other

    def affine(self, node: Affine, sources: list[_Value]) -> _Value:
        """Return the value of an affine node."""
        reaches, found = (self._frame.reach, self._added.reach), None
        for i, source in enumerate(sources):
            # The bias is added in the end.
            bias = node.bias if i + 1 == len(sources) else node.bias[:0]
            rows = Rows(*node.rows[i])
            if found is None:
                found = _Value(*image(rows, bias, node.rounding, *source, *reaches))
            else:
                more = rows, bias, node.rounding, (*source,)
                found = _Value(*plus_image((*found,), *more, *reaches))
        assert found is not None
        return found

    def kink(
        self, node: Kink, source: _Value, first: int, patterns: _Flags, is_local: _Flags
    ) -> _Value:
        """Return the value of a kink whose neurons start at `first`, and add those that are local.

        The other parameters are as for `image_of_kink`.
        """
        found, rows, self._added = image_of_kink(
            *source,
            node.slopes,
            node.rounding,
            patterns,
            is_local,
            first,
            self._frame,
            self._added,
            self._rounding,
        )
        self.neurons = np.concatenate((self.neurons, first + rows))
        self.slopes = np.concatenate((self.slopes, node.slopes[:, rows]), axis=1)
        return _Value(*found)

    @property
    def _rounding(self) -> float:
        """Relative error bound of sums of products with all variables."""
        return ONCE * gamma(len(self) + len(self._frame.middle) + 10)

    def layer(self, value: _Value, shared: Shared, kept: NDArray[np.uint8]) -> LocalLayer:
        """Return the layer that starts from a value, on regions with the bits `kept`."""
        units, is_on, changes, supports, others = free_on_regions(
            (*value,),
            self._added,
            self.neurons,
            self.slopes,
            self._frame,
            kept,
            shared.neurons,
            (self._rounding, ONCE * gamma(len(self) + 6)),
        )
        return LocalLayer(units, is_on, changes, self.neurons, supports, others)


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
    The hat max(0, 1 - |x|) of the first coordinate where it is positive, and where it ends:

    >>> from relutopo.networks.perceptron import ReluNetwork, relu_nodes
    >>> weights = [[1.0, 0.0], [-1.0, 0.0]], [[-1.0, -1.0]], [[1.0]]
    >>> graph = GraphNetwork(2, relu_nodes(ReluNetwork(weights, [[0, 0], [1.0], [0]])))
    >>> shared, kept = Shared.by(np.array([[0b01], [0b10]], dtype=np.uint8), 2, np.arange(2))
    >>> near = np.array([0.25, 0.25])
    >>> place = Place(-near, near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, near).layer(1, shared, kept)
    >>> found.units.tolist(), found.is_on.tolist()
    ([], [True])
    >>> place = Place(-8 * near, 8 * near, np.array([0, 1]))
    >>> found, _ = LocalGraph(graph, place, 8 * near).layer(1, shared, kept)
    >>> found.units.tolist(), found.changes.maps[:, :3].tolist()
    ([0], [[-1.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    """

    def __init__(self, network: GraphNetwork, place: Place, magnitude: _Floats) -> None:
        middle = 0.5 * (place.low + place.high)
        half = ONCE * np.maximum(place.high - middle, middle - place.low)
        reach = np.append(np.maximum(magnitude, LEAST), 1.0)
        self._network = network
        self._variables = _Variables(middle, half, reach)
        self._values = {0: _input_value(network.input_dim)}
        self._labels = place.labels if network.may_vanish else place.labels[:0]

    @property
    def reach(self) -> _Floats:
        """Bounds of |x_i| over the block, and 1."""
        return self._variables.reach

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
        network = self._network
        targets = network.targets(layer)
        variables, values = self._variables.copy(), dict(self._values)
        after = object.__new__(LocalGraph)
        after.__dict__.update(self.__dict__, _variables=variables, _values=values)
        patterns = first_and_switching(kept, shared.neurons, shared.always)
        is_local = patterns[1].copy()
        own = self._labels[(self._labels >= 0) & (self._labels < len(is_local))]
        is_local[own] = True
        for number in network.ancestors([value for value, _, _ in targets], values):
            node = network.nodes[number - 1]
            if isinstance(node, Affine):
                values[number] = variables.affine(node, [values[s] for s in node.sources])
            else:
                first = network.first_neuron(number)
                source = values[node.source]
                values[number] = variables.kink(node, source, first, patterns, is_local)
        for number in network.finished(values):
            del values[number]
        found = reduce(_Value.then, (values[value] for value, _, _ in targets))
        return variables.layer(found, shared, kept), after


def _input_value(d: int) -> _Value:
    return _Value(np.eye(d, d + 1), Rows.empty(d), np.zeros(d), np.ones(d, dtype=bool))
