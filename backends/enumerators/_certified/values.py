"""The sign of a value A x + c: certain from floats, or open.

The error bound of a value is derived in `relutopo.arithmetic.rounding`. Here it is compiled for the
processor, beside the same for arrays of NumPy or CuPy, and in C for their kernels. A sign is
certain only if a finite value exceeds its bound; NaN and infinity leave it open. A plane that is
known to be zero vanishes everywhere; its bound is zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.arithmetic.rounding import (
    ONCE,
    TWICE,
    UNDERFLOW,
    UNIT_ROUNDOFF,
    bound_of_value,
    value_bound,
)
from relutopo.system.compilation import njit

__all__ = [
    "OPEN",
    "SIGN_IN_C",
    "VALUE_IN_C",
    "bound_near",
    "certain_sign",
    "decide",
    "larger",
    "signs_of_pairs",
    "unit_value_at",
    "value_at",
    "values",
]

OPEN = 2
"""Stands for a sign that the bound leaves open."""

bound_near = njit(cache=True, inline="always")(value_bound)
"""`value_bound`, in compiled kernels."""


@njit(cache=True, inline="always")
def larger(a, b):
    """Return the larger one, or NaN if either is NaN, which `max` may drop."""
    return a if a > b or a != a else b


@njit(cache=True, inline="always")
def value_at(plane, error, x, deviation, limit):
    """Return the value of a plane (A, c, ...) at a point, and a bound of its error.

    Parameters
    ----------
    plane : (≥ d + 1,) ndarray
    error : float
        Bound of the plane's error.
    x, deviation : (d,) ndarray, float
        The point, and a bound of the error of any coordinate.
    limit : float
        Smallest magnitude of an axis.
    """
    d = len(x)
    z, size, slope = plane[d], abs(plane[d]), 0.0
    for i in range(d):
        term = plane[i] * x[i]
        z += term
        size += abs(term)
        slope += abs(plane[i])
    if slope == 0.0 and plane[d] == 0.0 and error == 0.0:
        return 0.0, 0.0
    if not deviation <= limit:
        return z, np.inf
    return z, bound_near(size, slope, error, deviation, d)


@njit(cache=True, forceinline=True)
def unit_value_at(planes, p, errors, e, j, x, deviation, v, limit):
    """Return the value of unit j at vertex v, and a bound of its error; see `value_at`.

    It reads the arrays in place, and becomes part of what calls it: a view of them, or a call that
    takes them, would take longer than all else.

    Parameters
    ----------
    planes, errors : (n, d + 1, n_units), (m, n_units) ndarrays
        Maps of regions, and the bounds of their errors.
    p, e : int
        The map of a region, and the row of its errors.
    x, deviation : (n_vertices, d), (n_vertices,) ndarrays
    """
    d, error = x.shape[1], errors[e, j]
    c = planes[p, d, j]
    z, size, slope = c, abs(c), 0.0
    for i in range(d):
        term = planes[p, i, j] * x[v, i]
        z += term
        size += abs(term)
        slope += abs(planes[p, i, j])
    bound = bound_near(size, slope, error, deviation[v], d)
    if not deviation[v] <= limit:
        bound = np.inf
    if slope == 0.0 and c == 0.0 and error == 0.0:
        z, bound = 0.0, 0.0
    return z, bound


@njit(cache=True, inline="always")
def certain_sign(z, bound):
    """Return the sign of a value with its bound, or `OPEN`."""
    if bound == 0.0:
        return 0
    if z > bound and z < np.inf:
        return 1
    if -z > bound and -z < np.inf:
        return -1
    return OPEN


def values(xp: Any, rows: Any, x: Any, deviation: Any, limit: float) -> tuple[Any, Any, Any]:
    """Return the values of planes at points, bounds of the errors, and which planes are zero.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    rows : (d + 2, ...) ndarray
        A, c and the error bound of each plane.
    x : (d, ...) ndarray
        A point for each plane.
    deviation : ndarray
        Bounds of the errors of their coordinates.
    limit : float
        Smallest magnitude of an axis.
    """
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


def decide(z: Any, bound: Any, vanishes: Any) -> tuple[Any, Any, Any]:
    """Return where z is certainly positive, certainly negative, and where its sign is open."""
    positive, negative = (z > bound) & (z < np.inf), (-z > bound) & (-z < np.inf)
    return positive, negative, ~(positive | negative | vanishes)


def signs_of_pairs(
    xp: Any, rows: Any, x: Any, deviation: Any, limit: float
) -> tuple[Any, Any, Any]:
    """Return the signs of planes at points, one plane for each point; see `values`, `decide`."""
    return decide(*values(xp, rows, x, deviation, limit))


VALUE_IN_C = f"""
double z = m[DIM], size = fabs(m[DIM]), slope = 0.0;
for (int k = 0; k < DIM; ++k) {{
    double term = m[k] * x[k * n_points + v];
    z += term;
    size += fabs(term);
    slope += fabs(m[k]);
}}
double bound = (2 * DIM + 4) * {UNIT_ROUNDOFF!r} * size + {TWICE!r} * error
    + {ONCE!r} * slope * deviation[v] + {UNDERFLOW!r};
if (!(deviation[v] <= limit)) bound = INFINITE;
"""
"""C code of `value_at`, for a plane m[0..DIM] and its error, at point v of x."""

SIGN_IN_C = f"""
{VALUE_IN_C}
is_above = z > bound && z < INFINITE;
is_below = -z > bound && -z < INFINITE;
is_open = !(is_above || is_below || (slope == 0.0 && m[DIM] == 0.0 && error == 0.0));
"""
"""C code of `VALUE_IN_C`, followed by that of `certain_sign`."""
