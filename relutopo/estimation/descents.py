"""Estimates of the number of regions by random descents, in any number of dimensions.

Neurons cut the domain one after another, layer by layer: a polytope that a neuron cuts has two
children, any other has one. The regions are the leaves of this tree. A descent chooses one part at
each cut, with some probability; the expected product of the inverse probabilities is the number of
leaves, whatever the probabilities are (D. E. Knuth, "Estimating the efficiency of backtrack
programs", Math. Comp. 29 (1975) 121-136).

Whether a neuron cuts a polytope is decided in floats: by points known to lie in it, by the domain's
box, and otherwise by linear programmes. So the result is an estimate. A part is chosen with
probability proportional to the largest value of the neuron in it, since larger parts have more
regions.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.domain import Box
from relutopo.networks.network import Network

__all__ = ["descents"]

_N_POINTS = 64
_LEAST_SHARE = 0.15
_ZERO = 1e-9
"""Values below this, relative to the largest value on the box, count as zero."""


def descents(
    network: Network, box: Box, most: int, seconds: float, rng: np.random.Generator
) -> list[float]:
    """Return independent, unbiased estimates of the number of regions.

    Parameters
    ----------
    network : Network
    box : Box
    most : int
        Largest number of descents.
    seconds : float
        No further descent is begun after this time, once there are two.
    rng : numpy.random.Generator

    Returns
    -------
    list of float

    Examples
    --------
    >>> from relutopo.networks.perceptron import ReluNetwork
    >>> cross = ReluNetwork([np.eye(2), np.ones((1, 2))], [np.zeros(2), [0.0]])
    >>> found = descents(cross, Box(-1, 1, dim=2), 3, 1.0, np.random.default_rng(0))
    >>> [round(number) for number in found]
    [4, 4, 4]
    """
    end, found = time.perf_counter() + seconds, list[float]()
    while len(found) < most and (len(found) < 2 or time.perf_counter() < end):
        found.append(_descent(network, box, rng))
    return found


def _descent(network: Network, box: Box, rng: np.random.Generator) -> float:
    centre, half = (box.low + box.high) / 2, (box.high - box.low) / 2
    points = centre + half * rng.uniform(-1, 1, (_N_POINTS, box.dim))
    normals, offsets = list[NDArray[np.float64]](), list[float]()
    pattern = np.zeros((1, network.n_neurons), dtype=bool)
    weight = 1.0
    for layer, first in enumerate(network.layer_offsets[:-1]):
        maps = network.affine_maps(layer, pattern[:, :first], box.magnitude)
        for unit, plane in enumerate(maps.planes[0].T):
            a, c = plane[:-1], plane[-1]
            reach = float(np.abs(a) @ half)
            middle = float(a @ centre + c)
            zero = _ZERO * (abs(middle) + reach)
            values = points @ a + c
            low, high = float(values.min()), float(values.max())
            for sign in (1.0, -1.0):  # the smallest value, then the largest
                known = low if sign > 0 else -high
                if known > -zero and sign * middle - reach < -zero:
                    x = _least(sign * a, normals, offsets, box)
                    if x is not None:
                        points = np.concatenate([points, x[None]])
                        value = float(a @ x + c)
                        low, high = min(low, value), max(high, value)
            is_on = high > -low
            if low < -zero and high > zero:
                share = float(np.clip(high / (high - low), _LEAST_SHARE, 1 - _LEAST_SHARE))
                is_on = rng.uniform() < share
                weight /= share if is_on else 1 - share
                sign = 1.0 if is_on else -1.0
                points = points[sign * (points @ a + c) > 0]
                normals.append(-sign * a)
                offsets.append(sign * c)
            pattern[0, first + unit] = is_on
    return weight


def _least(
    direction: NDArray[np.float64],
    normals: list[NDArray[np.float64]],
    offsets: list[float],
    box: Box,
) -> NDArray[np.float64] | None:
    """Return a point of a part of the box where a linear function is least; None if unknown."""
    from scipy.optimize import linprog  # slow to load, and seldom needed

    parts: dict[str, Any] = {"A_ub": np.array(normals), "b_ub": np.array(offsets)}
    ends: Any = np.stack([box.low, box.high], axis=1)
    result = linprog(direction, **(parts if normals else {}), bounds=ends, method="highs")
    return np.asarray(result.x) if result.x is not None else None
