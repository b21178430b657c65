"""Positions and signs in bulk, with bounds of their errors.

The formulas and their bounds are those of the enumerator `cpu` in any dimension
(`_lattice_values`), on arrays. Arrays have the coordinate first and the place last, so that every
operation runs over contiguous memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.geometry.network import UNIT_ROUNDOFF

from ._bulk_arrays import Array

__all__ = ["bound_of_value", "decide", "meeting_points", "parameters", "signs_of_pairs"]

_UNDERFLOW = 1e-300


def meeting_points(xp: Any, planes: Array) -> tuple[Array, Array]:
    """Return where d planes meet, at each of n places, and bounds of the errors.

    Row i of `planes` holds a plane as computed, (A, c), and its slack: its exact values differ by
    at most that in the domain. With any B ≈ A⁻¹ and R = I - B A the deviation of x is at most
    ‖|B| η‖ / (1 - ‖R‖), where η bounds the exact planes' values at x: the computed residual, its
    rounding and the slack (Rump, Verification methods, Acta Numerica 19, 2010, section 10).

    Parameters
    ----------
    xp : module
    planes : (d, d + 2, n) ndarray

    Returns
    -------
    x : (d, n) ndarray
    bounds : (n,) ndarray
        Of the deviation of any coordinate; infinite where the planes may not meet in a point.
    """
    d = len(planes)
    a, offset, slack = planes[:, :d], planes[:, d], planes[:, d + 1]
    inverse = _inverse(xp, a)
    x = xp.zeros_like(offset)
    for _ in range(2):  # the second round corrects x by the residual of the first
        residual = offset + 0.0
        for k in range(d):
            residual += a[:, k] * x[k]
        for k in range(d):
            x -= inverse[:, k] * residual[k]
    rounding = (d + 3) * UNIT_ROUNDOFF
    residual, size = offset + 0.0, xp.abs(offset)
    for k in range(d):
        term = a[:, k] * x[k]
        residual += term
        size += xp.abs(term)
    eta = xp.abs(residual) + rounding * size + slack + _UNDERFLOW
    norm, error = xp.zeros_like(x), xp.zeros_like(x)
    for q in range(d):
        entry, size = xp.zeros_like(x), xp.ones_like(x)
        entry[q] = 1.0
        for k in range(d):
            term = inverse[:, k] * a[k, q]
            entry -= term
            size += xp.abs(term)
        norm += xp.abs(entry) + rounding * size
        error += xp.abs(inverse[:, q]) * eta[q]
    for i in range(1, d):
        norm[0], error[0] = xp.maximum(norm[0], norm[i]), xp.maximum(error[0], error[i])
    norm, error = norm[0], error[0]
    # Not a number where a product has overflown.
    bounds = xp.where(norm <= 0.5, 1.02 * error / (1.0 - norm), np.inf)
    return x, xp.where(bounds < np.inf, bounds, np.inf)


def _inverse(xp: Any, a: Array) -> Array:
    """Return nearly the inverses of n matrices, (d, d, n), by Gauss-Jordan with pivots."""
    d, _, n = a.shape
    rows = xp.zeros((d, 2 * d, n))
    rows[:, :d] = a
    for k in range(d):
        rows[k, d + k] = 1.0
    for k in range(d):
        for i in range(k + 1, d):
            larger = xp.abs(rows[i, k]) > xp.abs(rows[k, k])
            upper, lower = rows[k] + 0.0, rows[i] + 0.0
            rows[k] = xp.where(larger, lower, upper)
            rows[i] = xp.where(larger, upper, lower)
        rows[k] /= rows[k, k] + 0.0
        for i in range(d):
            if i != k:
                rows[i] -= (rows[i, k] + 0.0) * rows[k]
    return rows[:, d:]


def bound_of_value(
    xp: Any, size: Array, slope: Array, e: Array, deviation: Array, limit: float, d: int
) -> Array:
    """Return a bound of the error of a value A x + c.

    It adds the rounding of the evaluation (γ_{d+1}), twice the error of the map (once for A and c
    at x, once for A times the deviation of x, which is at most `limit`, the smallest magnitude of
    an axis), and |A|₁ times the deviation. Constants are rounded up.
    """
    bound = (2 * d + 4) * UNIT_ROUNDOFF * size + 2.02 * e + 1.01 * slope * deviation + _UNDERFLOW
    return xp.where(deviation <= limit, bound, np.inf)


def _values(
    xp: Any, rows: Array, x: Array, deviation: Array, limit: float
) -> tuple[Array, Array, Array]:
    """Return the values of planes at points, bounds of the errors, and which planes are zero."""
    d = len(x)
    c, e = rows[d], rows[d + 1]
    z, size, slope = c + 0.0, xp.abs(c), xp.zeros_like(c)
    for i in range(d):
        term = rows[i] * x[i]
        z += term
        size += xp.abs(term)
        slope += xp.abs(rows[i])
    vanishes = (slope == 0.0) & (c == 0.0) & (e == 0.0)
    return z, bound_of_value(xp, size, slope, e, deviation, limit, d), vanishes


def decide(z: Array, bound: Array, vanishes: Array) -> tuple[Array, Array, Array]:
    """Return where z is certainly positive, certainly negative, and where that stays open."""
    positive, negative = z > bound, -z > bound
    return positive, negative, ~(positive | negative | vanishes)


def signs_of_pairs(
    xp: Any, rows: Array, x: Array, deviation: Array, limit: float
) -> tuple[Array, Array, Array]:
    """Return the signs of planes at points, one plane for each point.

    Parameters
    ----------
    xp : module
    rows : (d + 2, n) ndarray
        A, c and the error bound of each plane.
    x, deviation : (d, n), (n,) ndarrays
        Points, and bounds of their errors.
    limit : float
        Smallest magnitude of an axis.

    Returns
    -------
    positive, negative, unknown : (n,) ndarrays of bool
    """
    return decide(*_values(xp, rows, x, deviation, limit))


def parameters(
    xp: Any, rows: Array, start: tuple[Array, Array], stop: tuple[Array, Array], limit: float
) -> tuple[Array, Array]:
    """Return where planes vanish between two points, and bounds of the errors.

    With exact values z_a + α at the start and z_b + β at the stop and D = z_a - z_b the exact
    parameter differs from z_a / D by (z_a β - z_b α) / (D (D + α - β)).

    Parameters
    ----------
    xp : module
    rows : (d + 2, n) ndarray
        A, c and the error bound of each plane.
    start, stop : pairs of (d, n) and (n,) ndarrays
        Points and bounds of their errors; the exact values there have opposite signs.
    limit : float
        As for `signs_of_pairs`.

    Returns
    -------
    t, bounds : (n,) ndarrays
        t in [0, 1]; the bound is infinite where the values say nothing.
    """
    a, bound_a, _ = _values(xp, rows, *start, limit)
    b, bound_b, _ = _values(xp, rows, *stop, limit)
    gap = xp.abs(a - b)
    slack = gap - bound_a - bound_b
    certain = slack > 0.5 * gap
    error = (bound_a * xp.abs(b) + bound_b * xp.abs(a)) / (gap * slack)
    t = xp.where(certain, xp.clip(a / (a - b), 0.0, 1.0), 0.5)
    return t, xp.where(certain, 1.01 * error + 4 * UNIT_ROUNDOFF, np.inf)
