"""Where a plane crosses a segment: the parameter t in [0, 1], with a bound of its error.

Let z_a + α and z_b + β be the exact values at the two ends, of opposite signs, with bounds of |α|
and |β|, and D = z_a - z_b. The exact parameter differs from z_a / D by ::

    (z_a β - z_b α) / (D (D + α - β)),

and |D + α - β| is at least the *slack*, |D| minus both bounds. If the slack is at most half of |D|,
or NaN, the values decide nothing: t is 1/2 and the bound infinite. In floats, quotients are
computed first, because products may underflow.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from relutopo.arithmetic.rounding import ONCE, UNDERFLOW, UNIT_ROUNDOFF
from relutopo.devices.kernels import Kernel
from relutopo.system.compilation import njit

from .values import VALUE_IN_C, values

__all__ = ["parameter", "parameter_between", "parameters"]


@njit(cache=True, inline="always")
def parameter(za, bound_a, zb, bound_b):
    """Return where z vanishes between its values za at 0 and zb at 1, and a bound of the error."""
    gap = abs(za - zb)
    slack = gap - bound_a - bound_b
    if not slack > 0.5 * gap:
        return 0.5, np.inf
    t = min(1.0, max(0.0, za / (za - zb)))
    error = (bound_a * (abs(zb) / gap) + bound_b * (abs(za) / gap)) / slack
    return t, ONCE * error + 4 * UNIT_ROUNDOFF


def parameter_between(
    start: tuple[Fraction, float], stop: tuple[Fraction, float]
) -> tuple[Fraction, float]:
    """Return the same for values known to more digits than floats have."""
    (a, alpha), (b, beta) = start, stop
    gap = float(abs(a - b))
    slack = gap - alpha - beta
    if not (slack > 0.5 * gap and gap * slack > 0.0):
        return Fraction(1, 2), np.inf
    lost = alpha * float(abs(b)) + beta * float(abs(a)) + UNDERFLOW
    return a / (a - b), ONCE * lost / (gap * slack)


_PARAMETERS = Kernel(
    "relutopo_parameters",
    "raw float64 numbers, raw int32 planes, raw int32 lines, raw int32 ends, raw float64 x, "
    "raw float64 deviation, int64 n_planes, int64 n_points, float64 limit",
    "raw float64 parameter, raw float64 bounds",
    f"""
    double m[DIM + 1], values[2], errors[2];
    for (int k = 0; k <= DIM; ++k) m[k] = numbers[k * n_planes + planes[i]];
    double error = numbers[(DIM + 1) * n_planes + planes[i]];
    for (int end = 0; end < 2; ++end) {{
        long long v = ends[2 * (long long)lines[i] + end];
        {VALUE_IN_C}
        values[end] = z;
        errors[end] = bound;
    }}
    double gap = fabs(values[0] - values[1]);
    double slack = gap - errors[0] - errors[1];
    double found = errors[0] * (fabs(values[1]) / gap) + errors[1] * (fabs(values[0]) / gap);
    double t = values[0] / (values[0] - values[1]);
    bool certain = slack > 0.5 * gap;
    parameter[i] = certain ? fmin(fmax(t, 0.0), 1.0) : 0.5;
    bounds[i] = certain ? {ONCE!r} * (found / slack) + 4 * {UNIT_ROUNDOFF!r} : INFINITE;
    """,
)


def parameters(
    xp: Any,
    numbers: Any,
    planes: Any,
    lines: Any,
    ends: Any,
    x: Any,
    deviation: Any,
    limit: float,
) -> tuple[Any, Any]:
    """Return where planes vanish between two points, and bounds of the errors.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    numbers : (d + 2, n_planes) ndarray
        A, c and the error bound of planes.
    planes, lines : (n,) ndarrays of int32
        Columns of `numbers`, and the lines that they cross.
    ends : (n_lines, 2) ndarray of int32
        Points where each line begins and stops; the exact values there have opposite signs.
    x, deviation : (d, n_points) and (n_points,) ndarrays
        Points and bounds of their errors.
    limit : float
        Smallest magnitude of an axis.

    Returns
    -------
    t, bounds : (n,) ndarrays
    """
    n, d = len(planes), len(x)
    kernel = _PARAMETERS.on(xp, DIM=d)
    if kernel is not None:
        t, bounds = xp.empty(n), xp.empty(n)
        sizes = numbers.shape[1], x.shape[1], limit
        kernel(numbers, planes, lines, ends, x, deviation, *sizes, t, bounds, size=n)
        return t, bounds
    rows = numbers[:, planes]
    (a, bound_a, _), (b, bound_b, _) = (
        values(xp, rows, x[:, v], deviation[v], limit) for v in ends[lines].T
    )
    gap = xp.abs(a - b)
    slack = gap - bound_a - bound_b
    certain = slack > 0.5 * gap
    error = bound_a * (xp.abs(b) / gap) + bound_b * (xp.abs(a) / gap)
    t = xp.where(certain, xp.clip(a / (a - b), 0.0, 1.0), 0.5)
    return t, xp.where(certain, ONCE * (error / slack) + 4 * UNIT_ROUNDOFF, np.inf)
