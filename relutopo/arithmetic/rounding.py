"""Bounds of rounding errors, for numbers, arrays of NumPy, and arrays with the same functions.

This is the only place that states the bound of a value A x + c. If x is known up to a deviation δ,
and the map up to e (see `relutopo.networks.network.AffineMaps`), the bound is the sum of

- the rounding of the evaluation, γ_{d+1} for each of its sums;
- twice the error of the map: once for A and c at x, and once for A times the deviation of x. The
  second is valid only if the deviation is at most the smallest magnitude of an axis;
- |A|₁ times the deviation.

Constants are rounded up, which covers the rounding of the bound itself. Kernels compile these same
functions, or put the same constants into C.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "ONCE",
    "SMALLEST_REACH",
    "TWICE",
    "UNDERFLOW",
    "UNIT_ROUNDOFF",
    "bound_of_value",
    "gamma",
    "value_bound",
]

SMALLEST_REACH = 2.0**-100
"""Smaller bounds of |x_i| are replaced by this, so that error bounds do not underflow to 0."""
UNIT_ROUNDOFF = 2.0**-53
"""u, half the distance from 1 to the next float."""
UNDERFLOW = 1e-300
"""More than the products of one value can lose by underflow."""
ONCE, TWICE = 1.01, 2.02
"""How many times the error of the map counts in the bound, rounded up."""


def gamma(n: int) -> float:
    """Return γ_n = n u / (1 - n u), the relative error bound of n roundings.

    Examples
    --------
    >>> gamma(1) > 2.0**-53
    True
    """
    return n * UNIT_ROUNDOFF / (1 - n * UNIT_ROUNDOFF)


def value_bound(size: Any, slope: Any, e: Any, deviation: Any, d: int) -> Any:
    """Return a bound of the error of a value A x + c, valid if the deviation of x is small enough.

    Parameters
    ----------
    size, slope : float or ndarray
        Σ_i |A_i x_i| + |c|, and Σ_i |A_i|.
    e : float or ndarray
        Bound of the map's error.
    deviation : float or ndarray
        Bound of the error of any coordinate of x.
    d : int
        Number of coordinates.

    Examples
    --------
    >>> value_bound(size=3.0, slope=1.0, e=0.0, deviation=0.0, d=1) < 1e-14
    True
    """
    return (2 * d + 4) * UNIT_ROUNDOFF * size + TWICE * e + ONCE * slope * deviation + UNDERFLOW


def bound_of_value(
    xp: Any, size: Any, slope: Any, e: Any, deviation: Any, limit: float, d: int
) -> Any:
    """Return bounds of the errors of values A x + c for any deviation of x.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    size, slope, e, deviation, d
        As for `value_bound`.
    limit : float
        Smallest magnitude of an axis.

    Returns
    -------
    ndarray
        Infinite where the deviation of a point exceeds `limit`.
    """
    bound = value_bound(size, slope, e, deviation, d)
    return xp.where(deviation <= limit, bound, np.inf)
