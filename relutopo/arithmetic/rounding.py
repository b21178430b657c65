"""Bounds of rounding errors, for numbers and for arrays of NumPy or of what has its functions.

The bound of a value A x + c stands here alone. Where x is known up to a deviation δ, and the map up
to e (see `relutopo.networks.network.AffineMaps`), it adds

- the rounding of the evaluation, γ_{d+1} for each of its sums;
- twice the error of the map: once for A and c at x, and once for A times the deviation of x, which
  is at most the smallest magnitude of an axis, or the bound says nothing;
- |A|₁ times the deviation.

Constants are rounded up, which covers the rounding of the bound itself. Kernels compile the same
text, or put the same constants into C.
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
"""Maps take smaller bounds of |x_i| for this, so that bounds of errors do not underflow to 0."""
UNIT_ROUNDOFF = 2.0**-53
"""u, half the distance from 1 to the next float."""
UNDERFLOW = 1e-300
"""More than the few products of a value lose that are too small for a float."""
ONCE, TWICE = 1.01, 2.02
"""How often an error counts in a sum, rounded up."""


def gamma(n: int) -> float:
    """Return γ_n = n u / (1 - n u), the relative error bound of n roundings.

    Examples
    --------
    >>> gamma(1) > 2.0**-53
    True
    """
    return n * UNIT_ROUNDOFF / (1 - n * UNIT_ROUNDOFF)


def value_bound(size: Any, slope: Any, e: Any, deviation: Any, d: int) -> Any:
    """Return a bound of the error of a value A x + c whose x is not too far off.

    Parameters
    ----------
    size, slope : float or ndarray
        Σ_i |A_i x_i| + |c|, and Σ_i |A_i|.
    e : float or ndarray
        Bound of the map's error.
    deviation : float or ndarray
        Bound of how far any coordinate is off.
    d : int
        How many coordinates there are.

    Examples
    --------
    >>> value_bound(size=3.0, slope=1.0, e=0.0, deviation=0.0, d=1) < 1e-14
    True
    """
    return (2 * d + 4) * UNIT_ROUNDOFF * size + TWICE * e + ONCE * slope * deviation + UNDERFLOW


def bound_of_value(
    xp: Any, size: Any, slope: Any, e: Any, deviation: Any, limit: float, d: int
) -> Any:
    """Return bounds of the errors of values A x + c, wherever x may be.

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
        Infinite where a point is further off than `limit`.
    """
    bound = value_bound(size, slope, e, deviation, d)
    return xp.where(deviation <= limit, bound, np.inf)
