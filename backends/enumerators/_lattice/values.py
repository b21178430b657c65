"""Compiled kernels that place a vertex and evaluate a neuron there, with bounds of the errors."""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.system.compilation import njit

_UNDERFLOW = 1e-300


@njit(cache=True, inline="always")
def value_at(rows, row, x, v, deviation, limit):
    """Return the pre-activation of a row (A, c, error, |A|₁) at vertex v, and an error bound.

    The bound adds the rounding of the evaluation (γ_{d+1}), twice the error of the map (once for
    A and c at x, once for A times the deviation of x, which is at most `limit`, the smallest
    magnitude of an axis), and |A|₁ times the deviation. Constants are rounded up.
    """
    d = x.shape[1]
    c, error, slope = rows[row, d], rows[row, d + 1], rows[row, d + 2]
    if slope == 0.0 and c == 0.0 and error == 0.0:
        return 0.0, 0.0
    if deviation[v] > limit:
        return 0.0, np.inf
    z, size = c, abs(c)
    for i in range(d):
        term = rows[row, i] * x[v, i]
        z += term
        size += abs(term)
    bound = (2 * d + 4) * UNIT_ROUNDOFF * size + 2.02 * error + 1.01 * slope * deviation[v]
    return z, bound + _UNDERFLOW


@njit(cache=True)
def place(a, offset, slack, inverse, x, v):
    """Put vertex v where d planes meet; return a bound of its error, inf if there is none.

    Row i of `a` and `offset[i]` are a plane as computed; its exact values differ from them by at
    most `slack[i]` in the domain. With any B ≈ A⁻¹ and R = I - B A the deviation of x is at most
    ‖|B| η‖ / (1 - ‖R‖), where η bounds the exact planes' values at x: the computed residual, its
    rounding and the slack (Rump, Verification methods, Acta Numerica 19, 2010, section 10).
    """
    d = len(a)
    for i in range(d):
        for k in range(d):
            inverse[i, k] = a[i, k]
            inverse[i, d + k] = 1.0 if i == k else 0.0
    for k in range(d):
        pivot = k
        for i in range(k + 1, d):
            if abs(inverse[i, k]) > abs(inverse[pivot, k]):
                pivot = i
        if inverse[pivot, k] == 0.0:
            return np.inf
        if pivot != k:
            for q in range(2 * d):
                inverse[k, q], inverse[pivot, q] = inverse[pivot, q], inverse[k, q]
        scale = 1.0 / inverse[k, k]
        for q in range(k + 1, d + k + 1):
            inverse[k, q] *= scale
        for q in range(d + k + 1, 2 * d):
            inverse[k, q] *= scale
        for i in range(d):
            factor = inverse[i, k]
            if i != k and factor != 0.0:
                for q in range(k + 1, 2 * d):
                    inverse[i, q] -= factor * inverse[k, q]
    # Two rounds: the second one corrects x by the residual of the first.
    for i in range(d):
        x[v, i] = 0.0
    for _ in range(2):
        for k in range(d):
            residual = offset[k]
            for i in range(d):
                residual += a[k, i] * x[v, i]
            inverse[k, 0] = residual
        for i in range(d):
            step = 0.0
            for k in range(d):
                step += inverse[i, d + k] * inverse[k, 0]
            x[v, i] -= step
    rounding = (d + 3) * UNIT_ROUNDOFF
    for k in range(d):
        residual, size = offset[k], abs(offset[k])
        for i in range(d):
            term = a[k, i] * x[v, i]
            residual += term
            size += abs(term)
        inverse[k, 0] = abs(residual) + rounding * size + slack[k] + _UNDERFLOW
    norm, error = 0.0, 0.0
    for i in range(d):
        row, deviation = 0.0, 0.0
        for q in range(d):
            entry, size = (1.0 if i == q else 0.0), 1.0
            for k in range(d):
                term = inverse[i, d + k] * a[k, q]
                entry -= term
                size += abs(term)
            row += abs(entry) + rounding * size
            deviation += abs(inverse[i, d + q]) * inverse[q, 0]
        norm, error = max(norm, row), max(error, deviation)
    # Not a number where a product has overflown.
    return 1.02 * error / (1.0 - norm) if norm <= 0.5 and error < np.inf else np.inf
