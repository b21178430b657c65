"""Bounds of rounding errors, for numbers and for arrays of NumPy or of what has its functions."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["UNDERFLOW", "UNIT_ROUNDOFF", "bound_of_value", "gamma", "rounding_of_value"]

UNIT_ROUNDOFF = 2.0**-53
"""u, half the distance from 1 to the next float."""
UNDERFLOW = 1e-300
"""More than the few products of a value lose that are too small for a float."""


def gamma(n: int) -> float:
    """Return γ_n = n u / (1 - n u), the relative error bound of n roundings.

    Examples
    --------
    >>> gamma(1) > 2.0**-53
    True
    """
    return n * UNIT_ROUNDOFF / (1 - n * UNIT_ROUNDOFF)


def rounding_of_value(d: int) -> float:
    """Return twice the relative rounding of a value A x + c; see `bound_of_value`."""
    return (2 * d + 4) * UNIT_ROUNDOFF


def bound_of_value(
    xp: Any, size: Any, slope: Any, e: Any, deviation: Any, limit: float, d: int
) -> Any:
    """Return a bound of the error of a value A x + c, computed where x is known up to a deviation.

    It adds the rounding of the evaluation (γ_{d+1}), twice the error of the map (once for A and c
    at x, once for A times the deviation of x, which is at most `limit`, the smallest magnitude of
    an axis), and |A|₁ times the deviation. Constants are rounded up.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    size, slope : ndarrays
        Σ_i |A_i x_i| + |c|, and Σ_i |A_i|.
    e : ndarray
        Bound of the map's error; see `relutopo.networks.network.AffineMaps`.
    deviation : ndarray
        Bound of how far any coordinate is off.
    limit : float
        Smallest magnitude of an axis.
    d : int
        How many coordinates there are.

    Returns
    -------
    ndarray
        Infinite where a point is further off than `limit`.
    """
    bound = rounding_of_value(d) * size + 2.02 * e + 1.01 * slope * deviation + UNDERFLOW
    return xp.where(deviation <= limit, bound, np.inf)
