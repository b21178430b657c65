"""How much agreements may vary where a partition is not unique.

Each node has one weight that agrees if its side is positive, and another that agrees if its side is
negative; the agreement is the share of all weight that agrees, or that disagrees if this is more.
Two things may be open: the side of nodes whose entry is within the error of the vector, and, for a
multiple Fiedler value, the vector itself. In an eigenspace of two dimensions the vector is a
direction in a plane. Each node changes its side at two angles and nowhere else, so sorting these
angles covers all directions.

Invariant: the interval holds the agreement of every vector in the space, with open nodes on any
side or half on each. With three or more dimensions this holds for the vectors that were tried.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["range_in_space"]

_N_PLANES = 64
"""Planes through the vector that are tried in a space of three or more dimensions."""

Floats = NDArray[np.float64]


def range_in_space(
    space: Floats, vector: Floats, bounds: Floats, plus: Floats, minus: Floats
) -> tuple[float, float]:
    """Return the least and the greatest agreement over the vectors of a space of dimension ≥ 2.

    Parameters
    ----------
    space : (n, m) ndarray
        Basis of the possible vectors.
    vector : (n,) ndarray
        One of them.
    bounds : (n,) ndarray
        Error bounds of its entries.
    plus, minus : (n,) ndarray
        Weight of a node that agrees if the node is on the positive, on the negative side; not all
        zero.

    Examples
    --------
    >>> plane, ones = np.eye(3)[:, :2], np.ones(3)
    >>> range_in_space(plane, plane[:, 0], 1e-9 * ones, ones * [1, 1, 0], ones * [0, 0, 1])
    (0.5, 1.0)
    """
    counts = plus + minus > 0
    total = float((plus + minus).sum())
    found = [
        _over_angles(plane[counts], bounds[counts], plus[counts], minus[counts], total)
        for plane in _planes(space, vector)
    ]
    lows, highs = zip(*found, strict=True)
    return min(lows), max(highs)


def _range(least: Floats, greatest: Floats, total: float) -> tuple[float, float]:
    """Return the range of max(a, total - a) / total for a between bounds."""
    ends = np.maximum(least, total - least), np.maximum(greatest, total - greatest)
    across = (least <= total / 2) & (greatest >= total / 2)
    low = np.where(across & (least < greatest), total / 2, np.minimum(*ends))
    return float(low.min() / total), float(np.maximum(*ends).max() / total)


def _planes(space: Floats, vector: Floats) -> list[Floats]:
    m = space.shape[1]
    if m == 2:
        return [space]
    rng = np.random.default_rng(0)
    own = np.asarray(np.linalg.lstsq(space, vector)[0])
    planes = []
    for _ in range(_N_PLANES):
        drawn = rng.standard_normal(m)
        other = np.subtract(drawn, (drawn @ own) / (own @ own) * own)
        planes.append(np.stack([vector, space @ (other / np.linalg.norm(other))], axis=1))
    return planes


def _over_angles(
    plane: Floats, bounds: Floats, plus: Floats, minus: Floats, total: float
) -> tuple[float, float]:
    """Return the range over all vectors cos t a + sin t b of a plane with the columns a and b."""
    sizes = np.hypot(*plane.T)
    angle = np.arctan2(plane[:, 1], plane[:, 0])
    low, high = np.minimum(plus, minus), np.maximum(plus, minus)
    turns = sizes > bounds
    always_low, always_high = low[~turns].sum(), high[~turns].sum()
    angle, plus, minus, low, high = (x[turns] for x in (angle, plus, minus, low, high))
    half = np.arcsin(np.minimum(bounds[turns] / sizes[turns], 1.0))
    # The side at the angle t is the sign of cos(t - angle). The events of a node are: its side
    # opens, is positive; opens, is negative.
    at = [-np.pi / 2 - half, -np.pi / 2 + half, np.pi / 2 - half, np.pi / 2 + half]
    events = np.concatenate([angle + shift for shift in at]) % (2 * np.pi)
    to_low = np.concatenate([low - minus, plus - low, low - plus, minus - low])
    to_high = np.concatenate([high - minus, plus - high, high - plus, minus - high])
    closes = np.repeat([False, True, False, True], len(angle))
    if not len(events):
        return _range(np.array([always_low]), np.array([always_high]), total)
    # Around the circle, from the middle of the longest interval between two events.
    ordered = np.sort(events)
    ways = np.diff(ordered, append=ordered[0] + 2 * np.pi)
    begin = float(ordered[int(np.argmax(ways))] + ways.max() / 2)
    order = np.lexsort([closes, (events - begin) % (2 * np.pi)])
    slope = np.abs((angle - begin + np.pi) % (2 * np.pi) - np.pi)
    is_plus, is_minus = slope < np.pi / 2 - half, slope > np.pi / 2 + half
    start_low = np.where(is_plus, plus, np.where(is_minus, minus, low)).sum() + always_low
    start_high = np.where(is_plus, plus, np.where(is_minus, minus, high)).sum() + always_high
    least = start_low + np.cumsum(np.append(0.0, to_low[order]))
    greatest = start_high + np.cumsum(np.append(0.0, to_high[order]))
    return _range(least, greatest, total)
