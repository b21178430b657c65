"""Forward passes of perceptrons in compiled code, many points at once.

`relutopo.networks.network` derives the bounds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import gamma
from relutopo.system.compilation import njit

__all__ = ["Pass", "forward"]

_TINY_VALUE = 2.0**-500
_TINY_WEIGHT = 2.0**-400
_AT_ONCE = 128
"""Points whose values are computed side by side."""

Floats = NDArray[np.float64]
_gamma = njit(cache=True)(gamma)


class Pass(NamedTuple):
    """What a forward pass gives.

    Attributes
    ----------
    patterns : (n, ceil(n_neurons / 8)) ndarray of uint8
        Which neurons are positive, packed.
    is_open : (n,) ndarray of bool
        Whether a neuron's sign is open. That of a neuron that is 0 counts as open, unless it is 0
        everywhere.
    outputs : (n, n_outputs) ndarray
        The outputs.
    errors : (n_outputs,) ndarray
        Bounds of their rounding errors, the same for all points.
    slopes : (n_outputs,) ndarray
        How much more they are off for each unit by which a coordinate of a point is off.
    """

    patterns: NDArray[np.uint8]
    is_open: NDArray[np.bool_]
    outputs: Floats
    errors: Floats
    slopes: Floats


@njit(cache=True, nogil=True, fastmath={"contract"})
def forward(points: Floats, weights: Floats, biases: Floats, widths: NDArray[np.int64]) -> Pass:
    """Return patterns and outputs of a perceptron at points.

    Parameters
    ----------
    points : (n, d) ndarray
    weights, biases : ndarrays
        Those of all layers, one after another.
    widths : (n_layers + 1,) ndarray of int64
        d, and the sizes of the layers.
    """
    n, n_layers, n_outputs = len(points), len(widths) - 1, widths[-1]
    n_neurons = len(biases) - n_outputs
    patterns = np.zeros((n, (n_neurons + 7) // 8), np.uint8)
    is_open, outputs = np.zeros(n, np.bool_), np.empty((n, n_outputs))
    errors, slopes = _bounds(points, weights, biases, widths)
    x, z = np.empty((widths.max(), _AT_ONCE)), np.empty((widths.max(), _AT_ONCE))
    # Of each point: bits of the byte to write, how far signs are from open, and NaN if infinite.
    bits, least, finite = np.zeros(_AT_ONCE), np.empty(_AT_ONCE), np.empty(_AT_ONCE)
    for begin in range(0, n, _AT_ONCE):
        size = min(_AT_ONCE, n - begin)  # loops of constant length are not vectorised
        for p in range(size):
            least[p], finite[p] = np.inf, 0.0
            for i in range(widths[0]):
                x[i, p] = points[begin + p, i]
        at, unit = 0, 0
        for layer in range(n_layers):
            for j in range(widths[layer + 1]):
                # A value is read and written once for four inputs.
                bias, i = biases[unit], 0
                if widths[layer] >= 4:
                    a, b, c, d = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
                    for p in range(size):
                        value = bias + a * x[0, p]
                        value += b * x[1, p]
                        value += c * x[2, p]
                        z[j, p] = value + d * x[3, p]
                    at += 4
                    i += 4
                else:
                    for p in range(size):
                        z[j, p] = bias
                while i + 4 <= widths[layer]:
                    a, b, c, d = weights[at], weights[at + 1], weights[at + 2], weights[at + 3]
                    for p in range(size):
                        value = z[j, p] + a * x[i, p]
                        value += b * x[i + 1, p]
                        value += c * x[i + 2, p]
                        z[j, p] = value + d * x[i + 3, p]
                    at += 4
                    i += 4
                while i < widths[layer]:
                    weight = weights[at]
                    for p in range(size):
                        z[j, p] += weight * x[i, p]
                    at += 1
                    i += 1
                unit += 1
                if unit > n_neurons:
                    for p in range(size):
                        outputs[begin + p, j] = z[j, p]
                    continue
                bit, error = float(1 << ((unit - 1) & 7)), errors[unit - 1]
                if error > 0.0:  # otherwise the neuron is 0 everywhere
                    for p in range(size):
                        bits[p] += bit if z[j, p] > 0.0 else 0.0
                        distance = abs(z[j, p]) - error
                        least[p] = distance if distance < least[p] else least[p]
                        finite[p] += 0.0 * z[j, p]
                if unit & 7 == 0 or unit == n_neurons:
                    for p in range(size):
                        patterns[begin + p, (unit - 1) >> 3] = np.uint8(bits[p])
                        bits[p] = 0.0
            for j in range(widths[layer + 1]):
                for p in range(size):
                    x[j, p] = max(z[j, p], 0.0)
        for p in range(size):
            is_open[begin + p] = not (least[p] > 0.0 and finite[p] == 0.0)
    return Pass(patterns, is_open, outputs, errors[-n_outputs:], slopes[-n_outputs:])


@njit(cache=True, nogil=True)
def _bounds(
    points: Floats, weights: Floats, biases: Floats, widths: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return bounds of the errors of all neurons and outputs, and how they grow; see `Pass`."""
    errors, slopes = np.zeros(len(biases)), np.zeros(len(biases))
    # Of the inputs of a layer: bounds of the values and of their errors.
    heights, e, s = np.zeros(widths.max()), np.zeros(widths.max()), np.zeros(widths.max())
    for i in range(widths[0]):
        # Not 0, even if all points are: only neurons that are 0 everywhere have the bound 0.
        heights[i], s[i] = _TINY_VALUE, 1.0
        for p in range(len(points)):
            heights[i] = max(heights[i], abs(points[p, i]))
    at, unit = 0, 0
    for layer in range(len(widths) - 1):
        rounding, first = 1.01 * _gamma(widths[layer] + 2), unit
        tops = np.empty(widths[layer + 1])
        for j in range(widths[layer + 1]):
            tops[j] = abs(biases[unit])
            errors[unit] = rounding * tops[j]
            for i in range(widths[layer]):
                if weights[at] != 0.0 and heights[i] > 0.0:
                    size = abs(weights[at]) + _TINY_WEIGHT
                    height = heights[i] + _TINY_VALUE
                    tops[j] += 1.01 * size * height
                    errors[unit] += size * (1.01 * e[i] + rounding * height)
                slopes[unit] += 1.01 * abs(weights[at]) * s[i]
                at += 1
            unit += 1
        for j in range(widths[layer + 1]):
            heights[j], e[j], s[j] = tops[j], errors[first + j], slopes[first + j]
    return errors, slopes
