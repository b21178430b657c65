"""Planes and points to twice the precision, for where planes are nearly parallel.

Maps are computed in pairs of floats (hi, lo) that stand for their sum, the weights being exact.

Rounding (u = 2^-53, notation of `_planar.maps`): a product of a pair and a float is found up to
4 u² of its size, and a sum of n of them collects low parts of at most 2 u times the partial sums,
whose own summation rounds by at most 2 n u; so a sum is off by at most ρ = 8 (n + 4)² u² times the
sum S of the absolute terms, and E' = ‖W‖ E + ρ (‖W‖_F H + ‖b‖) as for single floats.

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

from relutopo.arithmetic.exact import Integers, adjugate, dyadic_integers, sign
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


class PrecisePlane(NamedTuple):
    """(A, c) times `scale` as integers, and a bound of Σ_k X_k |δA_k| + |δc| for their errors."""

    numbers: Integers
    scale: int
    error: float


class PreciseMap(NamedTuple):
    """Rows are the columns A_k of a map, the offset the last; `error` is E."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    error: float


class PreciseMaps:
    """Maps of a network to twice the precision, each layer's from those of the layer before.

    Parameters
    ----------
    network : ReluNetwork
        Whose products of weights do not underflow.
    magnitude : (d,) ndarray
        Bound of the coordinates.
    """

    def __init__(self, network: ReluNetwork, magnitude: NDArray[np.float64]) -> None:
        self._network = network
        self._reach = np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0)

    @classmethod
    def of(cls, network: Network, magnitude: NDArray[np.float64]) -> PreciseMaps | None:
        """Return the maps of a network, or None where they are not available."""
        if len(magnitude) < 2 or not isinstance(network, ReluNetwork):
            return None
        return cls(network, magnitude) if network.products_are_normal else None

    @cached_property
    def _norms(self) -> list[tuple[float, float, float]]:
        return [
            (
                spectral_norm_bound(w),
                float(norms_of_rows(w.reshape(1, -1))[0]),
                float(norms_of_rows(b[None])[0]),
            )
            for w, b in zip(self._network.weights[:-1], self._network.biases[:-1], strict=True)
        ]

    @cached_property
    def first(self) -> PreciseMap:
        """The map of layer 0, which is exact."""
        first = np.concatenate([self._network.weights[0].T, self._network.biases[0][None]])
        return PreciseMap(first, np.zeros_like(first), 0.0)

    def following(self, before: PreciseMap, active: NDArray[np.bool_], layer: int) -> PreciseMap:
        """Return the map of a layer, from that of the layer before and its active units."""
        w, bias = self._network.weights[layer], self._network.biases[layer]
        high, low, scale = _product(before.high, before.low, active, w.T, bias, self._reach)
        norm, total, bias_norm = self._norms[layer]
        rounding = 1.02 * 8 * (w.shape[1] + 4) ** 2 * UNIT_ROUNDOFF**2
        error = 1.01 * norm * before.error + rounding * (total * scale + bias_norm)
        return PreciseMap(high, low, error)


def plane_of(here: PreciseMap, unit: int) -> PrecisePlane:
    """Return the plane of one unit of a map; the bound of all units bounds each."""
    (high, low), shift = dyadic_integers(here.high[:, unit], here.low[:, unit])
    return PrecisePlane(high + low, 1 << shift, here.error)


def plane_of_side(side: Integers) -> PrecisePlane:
    """Return the plane of a side of the domain, which is exact."""
    return PrecisePlane(side, scale=1, error=0.0)


def meeting_point(planes: Sequence[PrecisePlane]) -> tuple[Integers, float]:
    """Return where d planes vanish, and a bound of its error, if they meet in a point.

    The bound is infinite where the planes to twice the precision do not.
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
def _product(high, low, active, columns, bias, reach):
    """Return the map after one layer as high and low part, and H of the one before."""
    n_columns, n = len(high), len(bias)
    total, rest = np.zeros((n_columns, n)), np.zeros((n_columns, n))
    total[-1] = bias
    scale = 0.0
    for k in range(n_columns):
        square = 0.0
        for i in range(len(active)):
            if not active[i]:
                continue
            factor, small = high[k, i], low[k, i]
            square += factor * factor
            for j in range(n):
                weight, before = columns[i, j], total[k, j]
                product = factor * weight
                error = _fma(factor, weight, -product) + small * weight
                # The sum of two floats and its error (Knuth).
                after = before + product
                part = after - before
                rest[k, j] += (before - (after - part)) + (product - part) + error
                total[k, j] = after
        scale += reach[k] * norm_from(square, np.where(active, high[k], 0.0))
    high_sum = total + rest
    return high_sum, rest - (high_sum - total), scale
