"""Vertices to twice the precision, for where two lines are nearly parallel.

Maps are computed in pairs of floats (hi, lo) that stand for their sum, the weights being exact.

Rounding (u = 2^-53, notation of `_planar.maps`): a product of a pair and a float is found up to
4 u² of its size, and a sum of n of them collects low parts of at most 2 u times the partial sums,
whose own summation rounds by at most 2 n u; so a sum is off by at most ρ = 8 (n + 4)² u² times the
sum S of the absolute terms, and E' = ‖W‖ E + ρ (‖W‖_F H + ‖b‖) as for single floats.

A point is then the exact solution of Ã x̃ = -c̃, in integers. For the true x the residual Ã x + c̃ is
at most the bounds d of the two planes, so that |x̃ - x| ≤ |Ã⁻¹| d.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers, sign
from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.networks.network import SMALLEST_REACH, Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.compilation import njit

from .norms import spectral_norm_bound

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
    """Slopes and offset times `scale`, and a bound of Σ_k X_k |δA_k| for their errors."""

    a: int
    b: int
    c: int
    scale: int
    error: float


class PreciseMap(NamedTuple):
    """Rows are the columns A_k of a map, the offset the last; `error` is E."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    error: float


class PreciseMaps:
    """Maps of a network on the plane to twice the precision.

    Parameters
    ----------
    network : ReluNetwork
        Whose products of weights do not underflow.
    magnitude : (2,) ndarray
        Bound of the coordinates.
    """

    def __init__(self, network: ReluNetwork, magnitude: NDArray[np.float64]) -> None:
        self._network = network
        self._reach = np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0)

    @classmethod
    def on_plane(cls, network: Network, magnitude: NDArray[np.float64]) -> PreciseMaps | None:
        """Return the maps of a network, or None where they are not to be had."""
        if len(magnitude) != 2 or not isinstance(network, ReluNetwork):
            return None
        return cls(network, magnitude) if network.products_are_normal else None

    @cached_property
    def _norms(self) -> list[tuple[float, float, float]]:
        return [
            (
                spectral_norm_bound(w),
                float(np.linalg.norm(w)),
                float(np.linalg.norm(b)),
            )
            for w, b in zip(self._network.weights[:-1], self._network.biases[:-1], strict=True)
        ]

    def chain(self, pattern: NDArray[np.bool_], last_layer: int) -> list[PreciseMap]:
        """Return the maps of layers 0..last_layer on the region of a pattern."""
        network = self._network
        first = np.concatenate([network.weights[0].T, network.biases[0][None]])
        maps = [PreciseMap(first, np.zeros_like(first), 0.0)]
        for layer in range(1, last_layer + 1):
            w, before = network.weights[layer], maps[-1]
            active = pattern[network.layer_offsets[layer - 1] :][: w.shape[1]]
            high, low, scale = _product(
                before.high, before.low, active, w.T, network.biases[layer], self._reach
            )
            norm, total, bias_norm = self._norms[layer]
            rounding = 1.02 * 8 * (w.shape[1] + 4) ** 2 * UNIT_ROUNDOFF**2
            error = 1.01 * norm * before.error + rounding * (total * scale + bias_norm)
            maps.append(PreciseMap(high, low, error))
        return maps


def plane_of(here: PreciseMap, unit: int) -> PrecisePlane:
    """Return the plane of one unit of a map; the bound of all units bounds each."""
    halves = np.concatenate([here.high[:, unit], here.low[:, unit]])
    (numbers,), shift = dyadic_integers(halves)
    a, b, c = (numbers[:3] + numbers[3:]).tolist()
    return PrecisePlane(a, b, c, 1 << shift, here.error)


def plane_of_side(side: Integers) -> PrecisePlane:
    """Return the plane of a side of the domain, which is exact."""
    a, b, c = side.tolist()
    return PrecisePlane(a, b, c, scale=1, error=0.0)


def meeting_point(first: PrecisePlane, second: PrecisePlane) -> tuple[Integers, float]:
    """Return where two planes vanish, and a bound of its error, infinite if they may not meet."""
    (a, b, c, scale, error), (p, q, r, other_scale, other_error) = first, second
    x, y, w = b * r - c * q, c * p - a * r, a * q - b * p
    if w == 0:
        return np.array([0, 0, 1], dtype=object), np.inf
    if w < 0:
        x, y, w = -x, -y, -w
    x_error = _ratio(abs(q) * scale, w) * error + _ratio(abs(b) * other_scale, w) * other_error
    y_error = _ratio(abs(p) * scale, w) * error + _ratio(abs(a) * other_scale, w) * other_error
    return np.array([x, y, w], dtype=object), 1.01 * max(x_error, y_error)


def value_at(plane: PrecisePlane, point: Integers, point_error: float) -> tuple[Fraction, float]:
    """Return a plane's value at a point that is known up to an error, and a bound of its error."""
    a, b, c, scale, error = plane
    x, y, w = point.tolist()
    bound = 1.01 * (error + _ratio(abs(a) + abs(b), scale) * point_error)
    return Fraction(a * x + b * y + c * w, scale * w), bound


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
        scale += reach[k] * np.sqrt(square)
    high_sum = total + rest
    return high_sum, rest - (high_sum - total), scale
