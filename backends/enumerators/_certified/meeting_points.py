"""The point where d planes meet, with a bound of its error.

Let A x + c be the computed planes, one in each row, whose exact values differ from these by at most
their *slack* throughout the domain. With any B ≈ A⁻¹ and R = I - B A, a computed point x deviates
from the exact one by at most ::

    ‖|B| η‖ / (1 - ‖R‖),

where η bounds the exact planes' values at x: the computed residual, its rounding and the slack
(Rump, Verification methods, Acta Numerica 19, 2010, section 10). ‖R‖ must be at most 1/2, or the
planes may not meet in a point: then the bound is infinite, as also for NaN.

B comes from Gauss-Jordan elimination with pivoting; x is corrected once by its residual.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.arithmetic.rounding import UNDERFLOW, UNIT_ROUNDOFF
from relutopo.devices.kernels import Kernel
from relutopo.system.compilation import njit

from .values import larger

__all__ = ["meeting_points", "place"]


@njit(cache=True)
def place(a, offset, slack, inverse, x, v):
    """Put vertex v where d planes meet; return a bound of its error, inf if it cannot be bounded.

    Row i of `a` and `offset[i]` are a plane, and `slack[i]` its slack; `inverse` has room for d
    rows of 2 d numbers.
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
        inverse[k, 0] = abs(residual) + rounding * size + slack[k] + UNDERFLOW
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
        norm, error = larger(norm, row), larger(error, deviation)
    # Neither holds of what is no number.
    return 1.02 * error / (1.0 - norm) if norm <= 0.5 and error < np.inf else np.inf


_MEETING_POINTS = Kernel(
    "relutopo_meeting_points",
    "raw float64 numbers, raw int32 planes, int64 n_planes, int64 n_points",
    "raw float64 x, raw float64 bounds",
    f"""
    const double rounding = (DIM + 3) * {UNIT_ROUNDOFF!r};
    double a[DIM][DIM], offset[DIM], slack[DIM], rows[DIM][2 * DIM], point[DIM], eta[DIM];
    for (int q = 0; q < DIM; ++q) {{
        long long plane = planes[i * DIM + q];
        for (int k = 0; k < DIM; ++k) {{
            a[q][k] = rows[q][k] = numbers[k * n_planes + plane];
            rows[q][DIM + k] = k == q;
        }}
        offset[q] = numbers[DIM * n_planes + plane];
        slack[q] = numbers[(DIM + 1) * n_planes + plane];
        point[q] = 0.0;
    }}
    for (int k = 0; k < DIM; ++k) {{
        for (int q = k + 1; q < DIM; ++q)
            if (fabs(rows[q][k]) > fabs(rows[k][k]))
                for (int p = 0; p < 2 * DIM; ++p) {{
                    double kept = rows[k][p];
                    rows[k][p] = rows[q][p];
                    rows[q][p] = kept;
                }}
        double pivot = rows[k][k];
        for (int p = 0; p < 2 * DIM; ++p) rows[k][p] /= pivot;
        for (int q = 0; q < DIM; ++q)
            if (q != k) {{
                double factor = rows[q][k];
                for (int p = 0; p < 2 * DIM; ++p) rows[q][p] -= factor * rows[k][p];
            }}
    }}
    for (int round = 0; round < 2; ++round) {{
        double residual[DIM];
        for (int q = 0; q < DIM; ++q) {{
            residual[q] = offset[q];
            for (int k = 0; k < DIM; ++k) residual[q] += a[q][k] * point[k];
        }}
        for (int k = 0; k < DIM; ++k)
            for (int q = 0; q < DIM; ++q) point[q] -= rows[q][DIM + k] * residual[k];
    }}
    for (int q = 0; q < DIM; ++q) {{
        double residual = offset[q], size = fabs(offset[q]);
        for (int k = 0; k < DIM; ++k) {{
            double term = a[q][k] * point[k];
            residual += term;
            size += fabs(term);
        }}
        eta[q] = fabs(residual) + rounding * size + slack[q] + {UNDERFLOW!r};
    }}
    double largest_norm = 0.0, largest_error = 0.0;
    bool is_number = true;
    for (int p = 0; p < DIM; ++p) {{
        double norm = 0.0, error = 0.0;
        for (int q = 0; q < DIM; ++q) {{
            double entry = p == q, size = 1.0;
            for (int k = 0; k < DIM; ++k) {{
                double term = rows[p][DIM + k] * a[k][q];
                entry -= term;
                size += fabs(term);
            }}
            norm += fabs(entry) + rounding * size;
            error += fabs(rows[p][DIM + q]) * eta[q];
        }}
        is_number = is_number && norm == norm && error == error;
        if (norm > largest_norm) largest_norm = norm;
        if (error > largest_error) largest_error = error;
    }}
    double found = 1.02 * largest_error / (1.0 - largest_norm);
    bounds[i] = is_number && largest_norm <= 0.5 && found < INFINITE ? found : INFINITE;
    for (int q = 0; q < DIM; ++q) x[q * n_points + i] = point[q];
    """,
)


def meeting_points(xp: Any, numbers: Any, planes: Any) -> tuple[Any, Any]:
    """Return where d planes meet, at each of n places, and bounds of the errors.

    Parameters
    ----------
    xp : module
    numbers : (d + 2, n_planes) ndarray
        A, c and the slack of planes.
    planes : (n, d) ndarray of int32
        The columns of `numbers` that meet.

    Returns
    -------
    x : (d, n) ndarray
    bounds : (n,) ndarray
        Of the deviation of any coordinate; infinite where the planes may not meet in a point.
    """
    n, d = planes.shape
    kernel = _MEETING_POINTS.on(xp, DIM=d)
    if kernel is not None:
        x, bounds = xp.empty((d, n)), xp.empty(n)
        kernel(numbers, planes, numbers.shape[1], n, x, bounds, size=n)
        return x, bounds
    rounding = (d + 3) * UNIT_ROUNDOFF
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
    # Neither holds of what is no number.
    bounds = xp.where(norm <= 0.5, 1.02 * error / (1.0 - norm), np.inf)
    return x, xp.where(bounds < np.inf, bounds, np.inf)


def _inverse(xp: Any, a: Any) -> Any:
    """Return approximate inverses of n matrices, (d, d, n), by Gauss-Jordan with pivoting."""
    d, _, n = a.shape
    rows = xp.zeros((d, 2 * d, n))
    rows[:, :d] = a
    for k in range(d):
        rows[k, d + k] = 1.0
    for k in range(d):
        for i in range(k + 1, d):
            below = xp.abs(rows[i, k]) > xp.abs(rows[k, k])
            upper, lower = rows[k] + 0.0, rows[i] + 0.0
            rows[k] = xp.where(below, lower, upper)
            rows[i] = xp.where(below, upper, lower)
        rows[k] /= rows[k, k] + 0.0
        for i in range(d):
            if i != k:
                rows[i] -= (rows[i, k] + 0.0) * rows[k]
    return rows[:, d:]
