"""Networks as graphs of affine maps and kinks.

Every piecewise linear layer in use is a composition of affine maps and *kinks*, the elementwise
functions y = (slope_on if z > 0 else slope_off) z. The neurons are the units of the kinks, and a
layer consists of the kinks behind the same number of others (on the longest path from the input).

Values are numbered: value 0 is the input, value i + 1 the result of node i; the last value is the
output. A node uses only earlier values. One stored matrix serves floats, error bounds and integers.

Rounding
--------
Let N be the largest number of products and summands of one entry of an affine node. With γ_N, the
bound X and ``h = |Â| X + |ĉ|`` as in `relutopo.networks.network`, ::

    e' = Σ_i |M_i| e_i + γ_N (Σ_i |M_i| h_i + |b|)

bounds the error of a sum of affine images Σ_i M_i s_i + b; a node that only selects, or scales by
powers of two, adds none. A kink multiplies errors by at most max(|slope_on|, |slope_off|), or
by the slope of the pattern that is given, and adds one rounding. Heights are enlarged by 2^-600
wherever they or their errors are not zero, and nonzero weights below 2^-300 are refused; so the
bound covers underflow too, and it is zero exactly where every product is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo.arithmetic.exact import Integers, dyadic_integers
from relutopo.arithmetic.rounding import gamma
from relutopo.arrays import Frozen, as_points, frozen
from relutopo.checks import check_integer
from relutopo.errors import FloatRangeError, InputError
from relutopo.networks.network import AffineMaps, Network

__all__ = ["Affine", "GraphNetwork", "Kink", "Matrix", "first_equal_rows"]

Matrix: TypeAlias = NDArray[np.float64] | sparse.csr_array
"""A dense or a sparse matrix, whichever is smaller."""

_SMALLEST_WEIGHT = 2.0**-300
_UNDERFLOW = 2.0**-600
_LARGEST = 1e140
"""Squares and products of numbers up to this do not overflow."""
_NUMBERS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Affine(Frozen):
    """The sum of affine images Σ_i matrices[i] @ value[sources[i]] + bias.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    sources : tuple of int
        Numbers of earlier values.
    matrices : tuple of (n, n_i) ndarray or csr_array
        One for each source.
    bias : (n,) ndarray
    """

    sources: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    bias: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrices", tuple(map(_frozen_matrix, self.matrices)))
        object.__setattr__(self, "bias", frozen(self.bias))

    @property
    def size(self) -> int:
        """Number of entries n of the result."""
        return len(self.bias)

    @cached_property
    def sizes(self) -> tuple[Matrix, ...]:
        """The absolute values of the matrices."""
        return tuple(np.abs(m) if isinstance(m, np.ndarray) else abs(m) for m in self.matrices)

    @cached_property
    def rows(self) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], ...]:
        """The matrices row by row: of each where its rows end, the columns, and the numbers."""
        found = []
        for matrix in self.matrices:
            rows = sparse.csr_array(matrix)
            ends, columns = rows.indptr.astype(np.int64), rows.indices.astype(np.int64)
            found.append((ends, columns, np.array(rows.data)))
        return tuple(found)

    @cached_property
    def rounding(self) -> float:
        """Relative error bound γ_N of one entry; 0 if the node selects or scales by powers of 2."""
        terms = np.zeros(self.size, dtype=np.int64)
        exact = not self.bias.any()
        for matrix in self.matrices:
            rows = sparse.csr_array(matrix)
            terms += np.diff(rows.indptr)
            exact = exact and _are_powers_of_two(rows.data)
        most = int(terms.max(initial=0))
        return 0.0 if exact and most <= 1 else 1.01 * gamma(most + len(self.matrices) + 2)

    @cached_property
    def integers(self) -> _IntegerAffine:
        """The same map in integers."""
        rows = [sparse.csr_array(matrix) for matrix in self.matrices]
        (bias, *data), shift = dyadic_integers(self.bias, *(matrix.data for matrix in rows))
        terms = tuple(
            (source, matrix.indptr, matrix.indices, integers)
            for source, matrix, integers in zip(self.sources, rows, data, strict=True)
        )
        return _IntegerAffine(terms, bias, shift)


@dataclass(frozen=True)
class Kink(Frozen):
    """The elementwise function y = (slope_on if z > 0 else slope_off) z.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    source : int
        Number of the earlier value z.
    slope_on, slope_off : (n,) ndarray
        Slopes where z > 0 and elsewhere.
    """

    source: int
    slope_on: NDArray[np.float64]
    slope_off: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope_on", frozen(self.slope_on))
        object.__setattr__(self, "slope_off", frozen(self.slope_off))

    @property
    def size(self) -> int:
        """Number of entries n of the result."""
        return len(self.slope_on)

    @cached_property
    def slopes(self) -> NDArray[np.float64]:
        """Both slopes, (2, n): elsewhere, and where z > 0."""
        return np.stack([self.slope_off, self.slope_on])

    @cached_property
    def rounding(self) -> float:
        """Relative error bound of one entry; 0 if the slopes are powers of two."""
        slopes = np.concatenate([self.slope_on, self.slope_off])
        return 0.0 if _are_powers_of_two(slopes[slopes != 0]) else 1.01 * gamma(2)

    @cached_property
    def integers(self) -> tuple[Integers, Integers, int]:
        """Both slopes times a power of two, and its exponent."""
        (on, off), shift = dyadic_integers(self.slope_on, self.slope_off)
        return on, off, shift


@dataclass(frozen=True)
class _IntegerAffine:
    """Terms (source, indptr, indices, integers) and bias, times 2**shift."""

    terms: tuple[tuple[int, NDArray[np.int32], NDArray[np.int32], Integers], ...]
    bias: Integers
    shift: int


@dataclass(frozen=True)
class _Target:
    """A value that belongs to a layer, and the number of its first unit there."""

    value: int
    size: int
    start: int


class GraphNetwork(Frozen, Network):
    """A directed acyclic graph of affine maps and kinks.

    Parameters
    ----------
    input_dim : int
        Dimension d of the input.
    nodes : sequence of Affine or Kink
        At least one; the result of the last one is the output.

    Raises
    ------
    InputError
        If shapes do not fit together, or a weight is NaN, infinite, or nonzero and below 2^-300
        in absolute value.

    Examples
    --------
    The absolute value:

    >>> net = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> net([[-2.0], [3.0]]).ravel().tolist()
    [2.0, 3.0]
    >>> net.layer_sizes
    (1,)
    """

    def __init__(self, input_dim: int, nodes: Sequence[Affine | Kink]) -> None:
        if not nodes:
            raise InputError("`nodes` must not be empty; pass at least one affine map or kink")
        input_dim = check_integer("input_dim", input_dim, 1, remedy="pass the number of inputs")
        self.input_dim = input_dim
        self.nodes = tuple(nodes)
        self.n_outputs = self.nodes[-1].size
        sizes, depths = [input_dim], [0]
        hidden: list[list[_Target]] = []
        # For each kink, by the number of its value: its layer, and its first unit in the layer.
        self._place: dict[int, tuple[int, int]] = {}
        for number, node in enumerate(self.nodes, start=1):
            _check_node(node, number, sizes)
            if isinstance(node, Affine):
                depths.append(max(depths[source] for source in node.sources))
            else:
                layer = depths[node.source]
                if layer == len(hidden):
                    hidden.append([])
                start = sum(target.size for target in hidden[layer])
                hidden[layer].append(_Target(node.source, node.size, start))
                self._place[number] = layer, start
                depths.append(layer + 1)
            sizes.append(node.size)
        self.layer_sizes = tuple(sum(target.size for target in layer) for layer in hidden)
        self._layers = [*hidden, [_Target(len(self.nodes), self.n_outputs, 0)]]
        self.depths = tuple(depths)
        self._widest = max(sizes)

    def __repr__(self) -> str:
        layers = "".join(f"{size}-" for size in self.layer_sizes)
        link = f", link {self.link}" if self.link else ""
        return f"GraphNetwork({self.input_dim}-{layers}{self.n_outputs}{link})"

    def restricted(self, origin: ArrayLike, basis: ArrayLike) -> GraphNetwork:
        """Return the network u → f(origin + basis u); see `Network.restricted`."""
        first = Affine((0,), (np.array(basis, dtype=float),), np.array(origin, dtype=float))
        if first.matrices[0].shape[0] != self.input_dim or first.bias.shape != (self.input_dim,):
            raise InputError(
                f"`origin` and `basis` must have {self.input_dim} rows, one for each input of the "
                f"network, got shapes {first.bias.shape} and {first.matrices[0].shape}"
            )
        moved: list[Affine | Kink] = [first]
        for node in self.nodes:
            if isinstance(node, Affine):
                sources = tuple(source + 1 for source in node.sources)
                moved.append(Affine(sources, node.matrices, node.bias))
            else:
                moved.append(Kink(node.source + 1, node.slope_on, node.slope_off))
        return GraphNetwork(first.matrices[0].shape[1], moved).with_link(self.link)

    def equal_outputs(self) -> NDArray[np.int64]:
        """Return for each output the first one that has the same weights and bias."""
        last = self.nodes[-1]
        if isinstance(last, Affine):
            return first_equal_rows(
                sparse.hstack([*map(sparse.csr_array, last.matrices)]), last.bias
            )
        return super().equal_outputs()

    @cached_property
    def may_vanish(self) -> bool:
        """Whether a neuron behind others has no bias, so that it may vanish on a whole region."""
        for target in (target for layer in self._layers[1:-1] for target in layer):
            node = self.nodes[target.value - 1]
            if not isinstance(node, Affine) or not node.bias.all():
                return True
        return False

    def targets(self, layer: int) -> list[tuple[int, int, int]]:
        """Return the values of a layer, each as its number, its size, and its first unit."""
        return [(target.value, target.size, target.start) for target in self._layers[layer]]

    def size_of(self, number: int) -> int:
        """Return the number of entries of a value."""
        return self.nodes[number - 1].size if number else self.input_dim

    def first_neuron(self, number: int) -> int:
        """Return the first neuron of the kink whose result is a value."""
        layer, start = self._place[number]
        return self.layer_offsets[layer] + start

    # Floats

    def preactivations(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return z_j(x) of every hidden neuron by a forward pass; shape (n, n_neurons)."""
        hidden = [target for layer in self._layers[:-1] for target in layer]
        return self._at_points(as_points(points, self.input_dim), hidden, bounded=False)[0]

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs at points of shape (n, d); shape (n, n_outputs)."""
        points = as_points(points, self.input_dim)
        return self._at_points(points, self._layers[-1], bounded=False)[0]

    def preactivation_bounds(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return z_j(x) and a bound of its rounding error; see `Network`."""
        return self._at_points(points, [t for layer in self._layers[:-1] for t in layer])

    def _at_points(
        self, points: NDArray[np.float64], targets: Sequence[_Target], *, bounded: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n = len(points)
        width = sum(target.size for target in targets)
        values, bounds = np.empty((n, width)), np.empty((n, width))
        step = max(1, _NUMBERS_AT_ONCE // self._widest)
        for first in range(0, n, step):
            part = slice(first, first + step)
            start = points[part, None, :]
            computed, errors = self._floats(start, np.ones(1), None, targets, bounded=bounded)
            values[part], bounds[part] = computed[:, 0], errors
        return values, bounds

    def affine_maps(
        self, layer: int, patterns: NDArray[np.bool_], magnitude: NDArray[np.float64]
    ) -> AffineMaps:
        """Return a layer's affine maps on regions, with error bounds; see `Network`."""
        n, d = len(patterns), self.input_dim
        size = (*self.layer_sizes, self.n_outputs)[layer]
        planes, errors = np.empty((n, d + 1, size)), np.empty((n, size))
        identity = np.eye(d + 1, d)[None]
        weights = np.append(np.maximum(magnitude, _SMALLEST_WEIGHT), 1.0)
        step = max(1, _NUMBERS_AT_ONCE // ((d + 1) * self._widest))
        for first in range(0, n, step):
            part = slice(first, first + step)
            planes[part], errors[part] = self._floats(
                identity, weights, patterns[part], self._layers[layer]
            )
            largest = np.abs(planes[part]).max(initial=0.0)
            if not largest <= _LARGEST:
                raise FloatRangeError(
                    f"`network` must have pre-activations below {_LARGEST:.0e}, so that floats can "
                    f"bound errors; in layer {layer} one reaches {largest:.1e}; scale its layers "
                    "down"
                )
        return AffineMaps(planes, errors)

    def _floats(
        self,
        start: NDArray[np.float64],
        weights: NDArray[np.float64],
        patterns: NDArray[np.bool_] | None,
        targets: Sequence[_Target],
        *,
        bounded: bool = True,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Evaluate targets and, if `bounded`, their error bounds; otherwise the bounds are zeros.

        Arrays have shape (regions or points, rows, n), where the bias is added to the last row; the
        height of an entry is the sum of its rows' absolute values times `weights`. Without
        patterns, kinks use the sign of the computed value. Arrays that do not depend on the region
        have leading length 1.
        """
        values, errors = {0: start}, {0: np.zeros((len(start), start.shape[-1]))}
        wanted = self.ancestors([target.value for target in targets])
        for number in wanted:
            node = self.nodes[number - 1]
            if isinstance(node, Affine):
                value: NDArray[np.float64] = np.zeros((1, 1, 1))
                error: NDArray[np.float64] = np.zeros((1, node.size))
                if bounded:
                    error = node.rounding * np.abs(node.bias)[None]
                terms = zip(node.sources, node.matrices, node.sizes, strict=True)
                for source, matrix, sizes in terms:
                    z = values[source]
                    # One matrix product serves all regions and rows.
                    image = z.reshape(-1, z.shape[-1]) @ matrix.T
                    value = value + image.reshape(*z.shape[:-1], node.size)
                    if bounded:
                        error = error + _spread(node, z, errors[source], weights) @ sizes.T
                value[:, -1] += node.bias
            else:
                z = values[node.source]
                if patterns is None:
                    slopes = np.where(z[:, -1] > 0, node.slope_on, node.slope_off)
                    certain = np.abs(z[:, -1]) > errors[node.source]
                    either = np.maximum(np.abs(node.slope_on), np.abs(node.slope_off))
                    steepest = np.where(certain, np.abs(slopes), either)
                else:
                    neuron = self.first_neuron(number)
                    on = patterns[:, neuron : neuron + node.size]
                    slopes = np.where(on, node.slope_on, node.slope_off)
                    steepest = np.abs(slopes)
                value = z * slopes[:, None]
                error = errors[node.source]
                if bounded:
                    error = steepest * _spread(node, z, error, weights)
            values[number], errors[number] = value, error
        n = len(start) if patterns is None else len(patterns)
        rows = start.shape[1]
        found = [np.broadcast_to(values[t.value], (n, rows, t.size)) for t in targets]
        bounds = [np.broadcast_to(errors[t.value], (n, t.size)) for t in targets]
        result = np.concatenate([np.empty((n, rows, 0)), *found], axis=2)
        bound = np.concatenate([np.empty((n, 0)), *bounds], axis=1)
        if not np.isfinite(bound if bounded else result).all():
            raise InputError(
                "the network's values must stay within the range of floats, but they overflow; "
                "shrink the domain, or load an earlier checkpoint if the training diverged"
            )
        return result, bound

    def ancestors(self, values: Iterable[int], known: Container[int] = (0,)) -> list[int]:
        """Return the numbers of all values that the given ones need, without those known."""
        needed = set(values)
        for number in range(len(self.nodes), 0, -1):
            if number in needed and number not in known:
                needed.update(_sources(self.nodes[number - 1]))
        return sorted(number for number in needed if number not in known)

    def finished(self, values: Container[int]) -> list[int]:
        """Return which of the known values no other value needs any more."""
        needed = {
            source
            for number, node in enumerate(self.nodes, start=1)
            if number not in values
            for source in _sources(node)
        }
        numbers = range(len(self.nodes) + 1)
        return [number for number in numbers if number in values and number not in needed]

    # Integers

    @cached_property
    def _scales(self) -> tuple[list[int], list[int]]:
        """Exponent of the power of two in the integers of each value, and of each layer."""
        values = [0] * (len(self.nodes) + 1)
        layers: list[int] = []
        for targets in self._layers:
            for number in self.ancestors(target.value for target in targets):
                node = self.nodes[number - 1]
                if isinstance(node, Affine):
                    before = max(values[source] for source in node.sources)
                    values[number] = before + node.integers.shift
                else:  # starts from the planes of its layer
                    values[number] = layers[self._place[number][0]] + node.integers[2]
            layers.append(max(values[target.value] for target in targets))
        return values, layers

    @property
    def output_exponent(self) -> int:
        """Exponent e such that the exact planes of the outputs are 2^e times their real values."""
        return self._scales[1][-1]

    def exact_planes(
        self,
        pattern: NDArray[np.bool_],
        earlier: Sequence[Integers],
        units: Sequence[int] | None = None,
    ) -> Integers:
        """Return the exact map of the layer after the `earlier` ones; see `Network`."""

        def given(number: int, rows: NDArray[np.int64]) -> Integers:
            if self.depths[number] == 0:
                return self._fixed_planes(number)[rows]
            layer, start = self._place[number]
            neurons = self.layer_offsets[layer] + start + rows
            on, off, _ = self.nodes[number - 1].integers  # type: ignore[misc]
            slopes = np.where(pattern[neurons], on[rows], off[rows])
            planes: Integers = slopes[:, None] * earlier[layer][start + rows]
            return planes

        one = np.array([0] * self.input_dim + [1], dtype=object)
        return self._exact_layer(len(earlier), self._is_fixed_or_kink, given, one, units)

    def exact_preactivations(self, points: Integers) -> list[Integers]:
        """Return the exact pre-activations of each layer at exact points; see `Network`."""
        inputs, one = points[:, :-1].T, points[:, -1]
        layers: list[Integers] = []

        def given(number: int, rows: NDArray[np.int64]) -> Integers:
            if number == 0:
                return inputs[rows]
            layer, start = self._place[number]
            z = layers[layer][start + rows]
            on, off, _ = self.nodes[number - 1].integers  # type: ignore[misc]
            image: Integers = np.where(z > 0, on[rows, None] * z, off[rows, None] * z)
            return image

        for layer in range(len(self._layers)):
            rows = self._exact_layer(layer, self._is_input_or_kink, given, one)
            layers.append(rows)  # `given` reads them for the next layer
        return [z.T for z in layers]

    def _is_input_or_kink(self, number: int) -> bool:
        return number == 0 or number in self._place

    def _is_fixed_or_kink(self, number: int) -> bool:
        return self.depths[number] == 0 or number in self._place

    def _fixed_planes(self, number: int) -> Integers:
        """Return the planes of a value before all kinks, which are the same on all regions."""
        if number not in self._fixed:
            identity = np.eye(self.input_dim, self.input_dim + 1, dtype=int).astype(object)
            one = np.array([0] * self.input_dim + [1], dtype=object)
            size = self.nodes[number - 1].size if number else self.input_dim
            self._fixed[number] = self._exact_rows(
                {number: np.arange(size)},
                self._is_input_or_kink,
                lambda _, rows: identity[rows],
                one,
            )[number]
        return self._fixed[number]

    @cached_property
    def _fixed(self) -> dict[int, Integers]:
        return {}

    def _exact_layer(
        self,
        layer: int,
        is_given: Callable[[int], bool],
        given: Callable[[int, NDArray[np.int64]], Integers],
        one: Integers,
        units: Sequence[int] | None = None,
    ) -> Integers:
        """Return the units' rows of a layer; see `_exact_rows`."""
        targets = self._layers[layer]
        size = sum(target.size for target in targets)
        chosen = np.arange(size) if units is None else np.asarray(units, dtype=np.int64)
        wanted: dict[int, NDArray[np.int64]] = {}
        for target in targets:
            rows = chosen - target.start
            rows = rows[(rows >= 0) & (rows < target.size)]
            if rows.size:
                _join(wanted, target.value, rows)
        values = self._exact_rows(wanted, is_given, given, one)
        result = np.zeros((len(chosen), len(one)), dtype=object)
        scales, layer_scales = self._scales
        for target in targets:
            rows = chosen - target.start
            here = np.flatnonzero((rows >= 0) & (rows < target.size))
            if here.size:
                place = np.searchsorted(wanted[target.value], rows[here])
                lift = 1 << (layer_scales[layer] - scales[target.value])
                result[here] = values[target.value][place] * lift
        return result

    def _exact_rows(
        self,
        wanted: Mapping[int, NDArray[np.int64]],
        is_given: Callable[[int], bool],
        given: Callable[[int, NDArray[np.int64]], Integers],
        one: Integers,
    ) -> dict[int, Integers]:
        """Evaluate chosen rows of values in integers, and nothing that they do not need.

        Parameters
        ----------
        wanted : mapping
            The sorted rows that are wanted, by the number of the value.
        is_given, given : callable
            Whether a value is given, and a function of (number, rows) that returns its rows.
        one : ndarray
            The constant 1 in the form of a row: biases are added times this.
        """
        needed = dict(wanted)
        for number in range(max(needed), 0, -1):
            if number in needed and not is_given(number):
                for source, indptr, indices, _ in self._integer_affine(number).terms:
                    columns, _ = _take_rows(indptr, needed[number])
                    _join(needed, source, indices[columns].astype(np.int64))
        scales, _ = self._scales
        values: dict[int, Integers] = {}
        for number in sorted(needed):
            rows = needed[number]
            if is_given(number):
                values[number] = given(number, rows)
                continue
            node = self._integer_affine(number)
            value = node.bias[rows, None] * one * (1 << (scales[number] - node.shift))
            for source, indptr, indices, data in node.terms:
                entries, starts = _take_rows(indptr, rows)
                if not entries.size:
                    continue
                place = np.searchsorted(needed[source], indices[entries])
                products = data[entries, None] * values[source][place]
                filled = np.flatnonzero(np.diff(np.append(starts, len(entries))))
                sums = np.add.reduceat(products, starts[filled], axis=0)
                value[filled] += sums * (1 << (scales[number] - node.shift - scales[source]))
            values[number] = value
        return values

    def _integer_affine(self, number: int) -> _IntegerAffine:
        node = self.nodes[number - 1]
        assert isinstance(node, Affine)
        return node.integers


def _sources(node: Affine | Kink) -> tuple[int, ...]:
    return node.sources if isinstance(node, Affine) else (node.source,)


def first_equal_rows(matrix: Matrix, bias: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each row of an affine map the first row equal to it.

    Examples
    --------
    >>> first_equal_rows(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.0, 1.0])).tolist()
    [0, 1]
    """
    rows = sparse.csr_array(matrix)
    rows.sort_indices()
    found: dict[tuple[bytes, bytes, float], int] = {}
    first = np.empty(len(bias), dtype=np.int64)
    for i, constant in enumerate(bias.tolist()):
        entries = slice(rows.indptr[i], rows.indptr[i + 1])
        key = rows.indices[entries].tobytes(), rows.data[entries].tobytes(), constant
        first[i] = found.setdefault(key, i)
    return first


def _frozen_matrix(matrix: Matrix) -> Matrix:
    if isinstance(matrix, np.ndarray):
        return frozen(matrix)
    arrays = frozen(matrix.data), frozen(matrix.indices), frozen(matrix.indptr)
    return sparse.csr_array(arrays, shape=matrix.shape)


def _spread(
    node: Affine | Kink,
    value: NDArray[np.float64],
    error: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a source's error and its share of the node's rounding, entry by entry."""
    if not node.rounding:
        return 1.01 * error
    heights = np.einsum("i,rin->rn", weights, np.abs(value))
    heights = heights + _UNDERFLOW * ((heights > 0) | (error > 0))
    spread: NDArray[np.float64] = 1.01 * error + node.rounding * heights
    return spread


def _are_powers_of_two(numbers: NDArray[np.float64]) -> bool:
    """Whether products with these are exact: ±1, ±2, ±4, ..."""
    mantissas, exponents = np.frexp(numbers)
    return bool(np.all((np.abs(mantissas) == 0.5) & (exponents > 0)))


def _join(needed: dict[int, NDArray[np.int64]], number: int, rows: NDArray[np.int64]) -> None:
    needed[number] = np.union1d(needed.get(number, np.empty(0, dtype=np.int64)), rows)


def _take_rows(
    indptr: NDArray[np.int32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the entries of some rows of a CSR matrix, and their row pointer."""
    counts = indptr[rows + 1] - indptr[rows]
    starts = np.cumsum(counts) - counts
    places = np.arange(counts.sum()) + np.repeat(indptr[rows] - starts, counts)
    return places, starts


def _check_node(node: Affine | Kink, number: int, sizes: Sequence[int]) -> None:
    if isinstance(node, Affine):
        sources = list(zip(node.sources, node.matrices, strict=True))
        fits = all(0 <= s < number and m.shape == (node.size, sizes[s]) for s, m in sources)
        numbers = [node.bias, *(m.data if sparse.issparse(m) else m for m in node.matrices)]
    else:
        fits = 0 <= node.source < number and node.slope_on.shape == node.slope_off.shape
        fits = fits and node.size == sizes[node.source]
        numbers = [node.slope_on, node.slope_off]
    if not fits:
        raise InputError(
            f"node {number - 1} must use earlier values, with shapes that fit their sizes "
            f"{list(sizes)}; check its sources and matrices"
        )
    for array in numbers:
        if not np.isfinite(array).all():
            raise InputError(
                f"weights of node {number - 1} must be finite, got NaN or infinity; did the "
                "training diverge? Load an earlier checkpoint"
            )
        magnitudes = np.abs(array)
        if ((magnitudes > 0) & (magnitudes < _SMALLEST_WEIGHT)).any():
            raise InputError(
                f"nonzero weights of node {number - 1} must be at least 2^-300 in absolute "
                "value, got a smaller one; set such weights to zero"
            )
