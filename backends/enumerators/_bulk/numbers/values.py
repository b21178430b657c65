"""Positions and signs in bulk, with bounds of their errors.

The formulas and their bounds are those of the enumerator `cpu` in any dimension
(`_lattice.values`), on arrays. Arrays have the coordinate first and the place last, so that every
operation runs over contiguous memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.arithmetic.rounding import UNDERFLOW, UNIT_ROUNDOFF, bound_of_value, rounding_of_value
from relutopo.devices.kernels import Kernel

from ..sets.lists import Array

__all__ = [
    "SIGN_OF_VALUE",
    "decide",
    "meeting_points",
    "parameters",
    "signs_of_pairs",
]

# The value z of a plane m at point v, and the bound of its error; see `bound_of_value`.
_VALUE = """
double z = m[DIM], size = fabs(m[DIM]), slope = 0.0;
for (int k = 0; k < DIM; ++k) {
    double term = m[k] * x[k * n_points + v];
    z += term;
    size += fabs(term);
    slope += fabs(m[k]);
}
double bound = rounding * size + 2.02 * error + 1.01 * slope * deviation[v] + 1e-300;
bool is_near = deviation[v] <= limit;
"""
SIGN_OF_VALUE = f"""
{_VALUE}
is_above = is_near && z > bound;
is_below = is_near && -z > bound;
is_open = !(is_above || is_below || (slope == 0.0 && m[DIM] == 0.0 && error == 0.0));
"""
"""What `decide` does, in a kernel, with a plane's m[0..DIM] and error, at point v of x."""

_MEETING_POINTS = Kernel(
    "relutopo_meeting_points",
    "raw float64 numbers, raw int32 planes, int64 n_planes, int64 n_points, float64 rounding",
    "raw float64 x, raw float64 bounds",
    """
    double a[DIM][DIM], offset[DIM], slack[DIM], rows[DIM][2 * DIM], point[DIM], eta[DIM];
    for (int q = 0; q < DIM; ++q) {
        long long plane = planes[i * DIM + q];
        for (int k = 0; k < DIM; ++k) {
            a[q][k] = rows[q][k] = numbers[k * n_planes + plane];
            rows[q][DIM + k] = k == q;
        }
        offset[q] = numbers[DIM * n_planes + plane];
        slack[q] = numbers[(DIM + 1) * n_planes + plane];
        point[q] = 0.0;
    }
    for (int k = 0; k < DIM; ++k) {
        for (int q = k + 1; q < DIM; ++q)
            if (fabs(rows[q][k]) > fabs(rows[k][k]))
                for (int p = 0; p < 2 * DIM; ++p) {
                    double kept = rows[k][p];
                    rows[k][p] = rows[q][p];
                    rows[q][p] = kept;
                }
        double pivot = rows[k][k];
        for (int p = 0; p < 2 * DIM; ++p) rows[k][p] /= pivot;
        for (int q = 0; q < DIM; ++q)
            if (q != k) {
                double factor = rows[q][k];
                for (int p = 0; p < 2 * DIM; ++p) rows[q][p] -= factor * rows[k][p];
            }
    }
    for (int round = 0; round < 2; ++round) {
        double residual[DIM];
        for (int q = 0; q < DIM; ++q) {
            residual[q] = offset[q];
            for (int k = 0; k < DIM; ++k) residual[q] += a[q][k] * point[k];
        }
        for (int k = 0; k < DIM; ++k)
            for (int q = 0; q < DIM; ++q) point[q] -= rows[q][DIM + k] * residual[k];
    }
    for (int q = 0; q < DIM; ++q) {
        double residual = offset[q], size = fabs(offset[q]);
        for (int k = 0; k < DIM; ++k) {
            double term = a[q][k] * point[k];
            residual += term;
            size += fabs(term);
        }
        eta[q] = fabs(residual) + rounding * size + slack[q] + 1e-300;
    }
    double largest_norm = 0.0, largest_error = 0.0;
    bool is_number = true;
    for (int p = 0; p < DIM; ++p) {
        double norm = 0.0, error = 0.0;
        for (int q = 0; q < DIM; ++q) {
            double entry = p == q, size = 1.0;
            for (int k = 0; k < DIM; ++k) {
                double term = rows[p][DIM + k] * a[k][q];
                entry -= term;
                size += fabs(term);
            }
            norm += fabs(entry) + rounding * size;
            error += fabs(rows[p][DIM + q]) * eta[q];
        }
        is_number = is_number && norm == norm && error == error;
        if (norm > largest_norm) largest_norm = norm;
        if (error > largest_error) largest_error = error;
    }
    double found = 1.02 * largest_error / (1.0 - largest_norm);
    bounds[i] = is_number && largest_norm <= 0.5 && found < INFINITE ? found : INFINITE;
    for (int q = 0; q < DIM; ++q) x[q * n_points + i] = point[q];
    """,
)

_PARAMETERS = Kernel(
    "relutopo_parameters",
    "raw float64 numbers, raw int32 planes, raw int32 lines, raw int32 ends, raw float64 x, "
    "raw float64 deviation, int64 n_planes, int64 n_points, float64 rounding, float64 limit, "
    "float64 unit_roundoff",
    "raw float64 parameter, raw float64 bounds",
    f"""
    double m[DIM + 1], values[2], errors[2];
    for (int k = 0; k <= DIM; ++k) m[k] = numbers[k * n_planes + planes[i]];
    double error = numbers[(DIM + 1) * n_planes + planes[i]];
    for (int end = 0; end < 2; ++end) {{
        long long v = ends[2 * (long long)lines[i] + end];
        {_VALUE}
        values[end] = z;
        errors[end] = is_near ? bound : INFINITE;
    }}
    double gap = fabs(values[0] - values[1]);
    double slack = gap - errors[0] - errors[1];
    double found = errors[0] * (fabs(values[1]) / gap) + errors[1] * (fabs(values[0]) / gap);
    double t = values[0] / (values[0] - values[1]);
    bool certain = slack > 0.5 * gap;
    parameter[i] = certain ? fmin(fmax(t, 0.0), 1.0) : 0.5;
    bounds[i] = certain ? 1.01 * found / slack + 4 * unit_roundoff : INFINITE;
    """,
)


def meeting_points(xp: Any, numbers: Array, planes: Array) -> tuple[Array, Array]:
    """Return where d planes meet, at each of n places, and bounds of the errors.

    A plane is given as computed, (A, c), with its slack: its exact values differ by at most that
    in the domain. With any B ≈ A⁻¹ and R = I - B A the deviation of x is at most
    ‖|B| η‖ / (1 - ‖R‖), where η bounds the exact planes' values at x: the computed residual, its
    rounding and the slack (Rump, Verification methods, Acta Numerica 19, 2010, section 10).

    Parameters
    ----------
    xp : module
    numbers : (d + 2, n_planes) ndarray
        Planes.
    planes : (n, d) ndarray of int32
        The columns of `numbers` that meet.

    Returns
    -------
    x : (d, n) ndarray
    bounds : (n,) ndarray
        Of the deviation of any coordinate; infinite where the planes may not meet in a point.
    """
    n, d = planes.shape
    rounding = (d + 3) * UNIT_ROUNDOFF
    kernel = _MEETING_POINTS.on(xp, DIM=d)
    if kernel is not None:
        x, bounds = xp.empty((d, n)), xp.empty(n)
        kernel(numbers, planes, numbers.shape[1], n, rounding, x, bounds, size=n)
        return x, bounds
    meeting = numbers[:, planes.T].transpose(1, 0, 2)
    a, offset, slack = meeting[:, :d], meeting[:, d], meeting[:, d + 1]
    inverse = _inverse(xp, a)
    x = xp.zeros_like(offset)
    for _ in range(2):  # the second round corrects x by the residual of the first
        residual = offset + 0.0
        for k in range(d):
            residual += a[:, k] * x[k]
        for k in range(d):
            x -= inverse[:, k] * residual[k]
    residual, size = offset + 0.0, xp.abs(offset)
    for k in range(d):
        term = a[:, k] * x[k]
        residual += term
        size += xp.abs(term)
    eta = xp.abs(residual) + rounding * size + slack + UNDERFLOW
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
    xp: Any,
    numbers: Array,
    planes: Array,
    lines: Array,
    ends: Array,
    x: Array,
    deviation: Array,
    limit: float,
) -> tuple[Array, Array]:
    """Return where planes vanish between two points, and bounds of the errors.

    With exact values z_a + α at the start and z_b + β at the stop and D = z_a - z_b the exact
    parameter differs from z_a / D by (z_a β - z_b α) / (D (D + α - β)). Quotients come first:
    products may be too small for a float.

    Parameters
    ----------
    xp : module
    numbers : (d + 2, n_planes) ndarray
        A, c and the error bound of planes.
    planes, lines : (n,) ndarrays of int32
        Columns of `numbers`, and the lines that they cross.
    ends : (n_lines, 2) ndarray of int32
        Points where each line begins and stops; the exact values there have opposite signs.
    x, deviation : (d, n_points) and (n_points,) ndarrays
        Points and bounds of their errors.
    limit : float
        As for `signs_of_pairs`.

    Returns
    -------
    t, bounds : (n,) ndarrays
        t in [0, 1]; the bound is infinite where the values say nothing.
    """
    n, d = len(planes), len(x)
    kernel = _PARAMETERS.on(xp, DIM=d)
    if kernel is not None:
        t, bounds = xp.empty(n), xp.empty(n)
        sizes = numbers.shape[1], x.shape[1], rounding_of_value(d), limit, UNIT_ROUNDOFF
        kernel(numbers, planes, lines, ends, x, deviation, *sizes, t, bounds, size=n)
        return t, bounds
    rows = numbers[:, planes]
    (a, bound_a, _), (b, bound_b, _) = (
        _values(xp, rows, x[:, v], deviation[v], limit) for v in ends[lines].T
    )
    gap = xp.abs(a - b)
    slack = gap - bound_a - bound_b
    certain = slack > 0.5 * gap
    error = bound_a * (xp.abs(b) / gap) + bound_b * (xp.abs(a) / gap)
    t = xp.where(certain, xp.clip(a / (a - b), 0.0, 1.0), 0.5)
    return t, xp.where(certain, 1.01 * error / slack + 4 * UNIT_ROUNDOFF, np.inf)
