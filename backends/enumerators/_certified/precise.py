"""Planes and points to twice the precision, for planes that are nearly parallel.

Maps are computed in pairs of floats (hi, lo) that represent their sum; the weights are exact.

Rounding (u = 2^-53, notation of `_planar.maps`): a product of a pair and a float is found up to
4 u² of its size, and a sum of n of them collects low parts of at most 2 u times the partial sums,
whose own summation rounds by at most 2 n u; so a sum is off by at most ρ = 8 (n + 4)² u² times the
sum S of the absolute terms, and E' = ‖W‖ E + ρ (‖W‖_F H + ‖b‖) as for single floats. Products in
deep networks may underflow: each term loses less than the smallest normal number. All of this holds
for each column A_k of a map separately, with a bound E_k, and E = Σ_k X_k E_k.

A point is then the exact solution of Ã x̃ = -c̃, in integers. For the true x the residual Ã x + c̃ is
at most the bounds d of the planes, so that |x̃ - x| ≤ |Ã⁻¹| d.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, adjugate, sign
from relutopo.arithmetic.rounding import SMALLEST_REACH, UNIT_ROUNDOFF
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.compilation import njit

from .norms import norm_from, norms_of_rows, spectral_norm_bound

__all__ = [
    "PreciseMap",
    "PreciseMaps",
    "PrecisePlane",
    "meeting_point",
    "plane_of",
    "plane_of_side",
    "sign_at",
    "value_at",
]


_SMALLEST = float(np.finfo(np.float64).tiny)


class PrecisePlane(NamedTuple):
    """(A, c) times `scale` as integers, and a bound of Σ_k X_k |δA_k| + |δc| for their errors."""

    numbers: Integers
    scale: int
    error: float


class PreciseMap(NamedTuple):
    """Rows are the columns A_k of a map, the offset the last; `errors` has the bounds E_k."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    errors: NDArray[np.float64]


class _Layers(NamedTuple):
    """All layers in the form that the kernel takes.

    `first` is the map of layer 0, which is exact. The later layers are stored one after another:
    the columns of their weights, their biases, and three norms each, ‖W‖, ‖W‖_F and ‖b‖.
    """

    first: NDArray[np.float64]
    offsets: NDArray[np.int64]
    columns: NDArray[np.float64]
    biases: NDArray[np.float64]
    norms: NDArray[np.float64]


class PreciseMaps:
    """Maps of a network to twice the precision, each layer's from those of the layer before.

    Parameters
    ----------
    network : ReluNetwork
    magnitude : (d,) ndarray
        Bound of the coordinates.
    """

    def __init__(self, network: ReluNetwork, magnitude: NDArray[np.float64]) -> None:
        self._network = network
        self.reach = np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0)

    @classmethod
    def of(cls, network: Network, magnitude: NDArray[np.float64]) -> PreciseMaps | None:
        """Return the maps of a network, or None where they are not available."""
        if len(magnitude) < 2 or not isinstance(network, ReluNetwork):
            return None
        return cls(network, magnitude)

    @cached_property
    def _layers(self) -> _Layers:
        weights, biases = self._network.weights[:-1], self._network.biases[:-1]
        later = list(zip(weights[1:], biases[1:], strict=True))
        none = [np.empty(0)]
        return _Layers(
            first=np.concatenate([weights[0].T, biases[0][None]]),
            offsets=np.array(self._network.layer_offsets),
            columns=np.concatenate([*none, *(w.T.ravel() for w, _ in later)]),
            biases=np.concatenate([*none, *(b for _, b in later)]),
            norms=np.array(
                [
                    (
                        spectral_norm_bound(w),
                        float(norms_of_rows(w.reshape(1, -1))[0]),
                        float(norms_of_rows(b[None])[0]),
                    )
                    for w, b in later
                ]
            ).reshape(-1, 3),
        )

    def on(self, patterns: NDArray[np.bool_], layer: int) -> PreciseMap:
        """Return the maps of a layer on regions, with an additional first axis for the regions.

        Parameters
        ----------
        patterns : (n_regions, ≥ layer_offsets[layer]) ndarray of bool
            Maps that a region shares with the one before it are computed once.
        layer : int
        """
        high, low, errors = _maps(self._layers, patterns, layer)
        return PreciseMap(high, low, errors)


def plane_of(here: PreciseMap, unit: int, reach: NDArray[np.float64]) -> PrecisePlane:
    """Return the plane of one unit of a map; the bounds of all units bound each."""
    parts = [*here.high[:, unit].tolist(), *here.low[:, unit].tolist()]
    # As in `relutopo.arithmetic.exact.dyadic_integers`, which is slower for so few numbers.
    ratios = [part.as_integer_ratio() for part in parts]
    length = max(denominator.bit_length() for _, denominator in ratios)
    integers = [num << (length - denominator.bit_length()) for num, denominator in ratios]
    n = len(here.high)
    numbers = np.empty(n, dtype=object)
    numbers[:] = [high + low for high, low in zip(integers[:n], integers[n:], strict=True)]
    return PrecisePlane(numbers, 1 << (length - 1), 1.01 * float(reach @ here.errors))


def plane_of_side(side: Integers) -> PrecisePlane:
    """Return the plane of a side of the domain, which is exact."""
    return PrecisePlane(side, scale=1, error=0.0)


def meeting_point(planes: Sequence[PrecisePlane]) -> tuple[Integers, float]:
    """Return where d planes vanish, and a bound of its error, if they meet in a point.

    The bound is infinite if the planes, known to twice the precision, may not meet in a point.
    """
    d = len(planes)
    numbers = np.array([plane.numbers for plane in planes], dtype=object)
    inverse, w = adjugate(numbers[:, :d])
    point = np.append(-(inverse @ numbers[:, d]), w)
    if w == 0:
        return np.append(np.zeros(d, dtype=object), 1), np.inf
    if w < 0:
        point, w = -point, -w
    errors = [
        sum(
            _ratio(abs(entry) * plane.scale, w) * plane.error
            for entry, plane in zip(row, planes, strict=True)
        )
        for row in inverse.tolist()
    ]
    return point, 1.01 * max(errors)


def value_at(plane: PrecisePlane, point: Integers, point_error: float) -> tuple[Fraction, float]:
    """Return a plane's value at a point that is known up to an error, and a bound of its error."""
    numbers, scale, error = plane
    slope = sum(map(abs, numbers[:-1].tolist()))
    bound = 1.01 * (error + _ratio(slope, scale) * point_error)
    return Fraction(numbers @ point, scale * point[-1]), bound


def sign_at(plane: PrecisePlane, point: Integers, point_error: float) -> int:
    """Return the sign of a plane at a point that is known up to an error; 0 if it is open."""
    value, bound = value_at(plane, point, point_error)
    return sign(value.numerator) if abs(value) > bound else 0


def _ratio(numerator: int, denominator: int) -> float:
    try:
        return numerator / denominator
    except OverflowError:
        return np.inf


@intrinsic
def _fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


@njit(cache=True, nogil=True)
def _maps(layers, patterns, layer):
    """Return the maps of a layer on regions as high and low parts, and the bounds E_k."""
    first, offsets = layers.first, layers.offsets
    n_regions, n_columns = len(patterns), len(first)
    n = offsets[layer + 1] - offsets[layer]
    widest = 0
    for i in range(layer + 1):
        widest = max(widest, offsets[i + 1] - offsets[i])
    # The maps of all layers up to this one, on the previous region.
    high, low = np.zeros((layer + 1, n_columns, widest)), np.zeros((layer + 1, n_columns, widest))
    errors = np.zeros((layer + 1, n_columns))
    high[0, :, : first.shape[1]] = first
    all_high, all_low = np.empty((n_regions, n_columns, n)), np.empty((n_regions, n_columns, n))
    all_errors = np.empty((n_regions, n_columns))
    for r in range(n_regions):
        start = 0
        if r > 0:
            j = 0
            while j < offsets[layer] and patterns[r, j] == patterns[r - 1, j]:
                j += 1
            while start < layer and offsets[start + 1] <= j:
                start += 1
        at = 0
        for i in range(layer):
            n_before, n_after = offsets[i + 1] - offsets[i], offsets[i + 2] - offsets[i + 1]
            if i >= start:
                columns = layers.columns[at : at + n_before * n_after].reshape(n_before, n_after)
                bias = layers.biases[offsets[i + 1] - offsets[1] : offsets[i + 2] - offsets[1]]
                active = patterns[r, offsets[i] : offsets[i + 1]]
                _product(high, low, errors, i, active, columns, bias, layers.norms[i])
            at += n_before * n_after
        all_high[r], all_low[r] = high[layer, :, :n], low[layer, :, :n]
        all_errors[r] = errors[layer]
    return all_high, all_low, all_errors


@njit(cache=True)
def _product(high, low, errors, i, active, columns, bias, norms):
    """Fill map i + 1 from map i."""
    n_columns, n_before, n = high.shape[1], len(active), len(bias)
    norm, total_norm, bias_norm = norms
    rounding = 1.02 * 8 * (n_before + 4) ** 2 * UNIT_ROUNDOFF**2
    smallest = n_before * n * _SMALLEST
    used = np.empty(n_before)
    for k in range(n_columns):
        total, rest = high[i + 1, k, :n], low[i + 1, k, :n]
        total[:], rest[:] = 0.0, 0.0
        if k == n_columns - 1:
            total[:] = bias
        square = 0.0
        for m in range(n_before):
            used[m] = high[i, k, m] if active[m] else 0.0
            if active[m]:
                square += used[m] * used[m]
                _add_product(total, rest, used[m], low[i, k, m], columns[m])
        _join(total, rest)
        size = total_norm * norm_from(square, used)
        if k == n_columns - 1:
            size += bias_norm
        errors[i + 1, k] = 1.01 * norm * errors[i, k] + rounding * size + smallest


@njit(cache=True)
def _add_product(total, rest, factor, small, weights):
    """Add a pair of floats times weights to total and rest."""
    for j in range(len(weights)):
        weight, before = weights[j], total[j]
        product = factor * weight
        error = _fma(factor, weight, -product) + small * weight
        # The sum of two floats and its error (Knuth).
        after = before + product
        part = after - before
        rest[j] += (before - (after - part)) + (product - part) + error
        total[j] = after


@njit(cache=True)
def _join(total, rest):
    """Turn a sum and its rest into a high and a low part with the same total."""
    for j in range(len(total)):
        high = total[j] + rest[j]
        rest[j] -= high - total[j]
        total[j] = high
