"""How far points are from the nearest wall, in any number of dimensions.

The ball around a point that reaches as far as the nearest plane of a neuron, under the pattern of
the point, lies in the closed region of the point: no other plane comes nearer, and inside the ball
nothing changes. Where it touches the plane there is a wall of the region. So the distance needs no
search: it is the least |z_j(x)| / |∇z_j(x)| over all neurons j of all layers. The sides of a domain
play no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import homogeneous_points
from relutopo.networks.network import Network
from relutopo.networks.reading import network_for
from relutopo.reports.shown import Shown

__all__ = ["WallMargins", "margins_of", "wall_margins"]

_TINY = 1e-140
"""Lengths whose squares leave the ordinary floats."""
_SURE = 1e8
"""How many times its error the length of a normal is, for floats to be believed."""
_LARGEST = np.finfo(np.float64).max
_SAME_SIZE = 4
"""Powers of two within which points count as of one size."""
_MOST_NUMBERS = 2**22
"""Of the maps that are held at once."""


@dataclass(frozen=True, eq=False)
class WallMargins(Shown):
    """Distances of points from the nearest wall of their regions.

    Attributes
    ----------
    margins : (n,) ndarray of float64
        Euclidean distance, a bound from below: within it no neuron changes its sign, for certain.
        0 on a wall; infinity where no neuron depends on the input.
    most_margins : (n,) ndarray of float64
        A bound from above.
    neurons : (n,) ndarray of int64
        The neuron whose wall is nearest, in the order of the layers; -1 for none.
    """

    margins: NDArray[np.float64]
    most_margins: NDArray[np.float64]
    neurons: NDArray[np.int64]

    def __repr__(self) -> str:
        if not len(self.margins):
            return "WallMargins(0 points)"
        low, middle, high = self._span
        span = f"{low:.3g} to {high:.3g}, half below {middle:.3g}"
        return f"WallMargins({len(self.margins)} points, {span})"

    @property
    def _span(self) -> tuple[float, float, float]:
        """Least, median and greatest margin."""
        # Quantiles would take differences, but margins may be infinite.
        n, ordered = len(self.margins), np.sort(self.margins)
        middle = 0.5 * ordered[(n - 1) // 2] + 0.5 * ordered[n // 2]
        return float(ordered[0]), float(middle), float(ordered[-1])

    def _facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = {"points": len(self.margins)}
        if len(self.margins):
            facts |= dict(zip(("least margin", "median", "greatest"), self._span, strict=True))
            facts["on a wall"] = int((self.margins == 0).sum())
        return facts


def wall_margins(model: Any, points: ArrayLike) -> WallMargins:
    """Return how far points are from the nearest wall of their regions; no search is needed.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, or pair (weights, biases)
        See `relutopo.as_network`.
    points : (n, ...) array_like
        Inputs of any dimension; those of a module in its shape or flat.

    Returns
    -------
    WallMargins

    Raises
    ------
    InputError
        If the dimensions differ.

    Examples
    --------
    >>> lines = ([[[1.0, 0.0], [3.0, 4.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> found = wall_margins(lines, [[0.5, 1.0], [2.0, -1.0]])
    >>> found.margins.round(9).tolist(), found.neurons.tolist()
    ([0.5, 0.4], [0, 1])
    """
    return margins_of(*network_for(model, points))


def margins_of(network: Network, points: NDArray[np.float64]) -> WallMargins:
    """Return the margins of points; see `wall_margins`.

    Parameters
    ----------
    network : Network
    points : (n, d) ndarray
    """
    n, d = points.shape
    margins, most = np.full(n, np.inf), np.full(n, np.inf)
    neurons = np.full(n, -1, dtype=np.int64)
    step = max(1, _MOST_NUMBERS // ((d + 1) * max(1, *network.layer_sizes, 1)))
    # Points share bounds of their coordinates: none is to suffer from others far outside.
    sizes = np.frexp(np.abs(points).max(axis=1, initial=0.0))[1] // _SAME_SIZE
    order = np.argsort(sizes, kind="stable")
    for alike in np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1):
        for first in range(0, len(alike), step):
            piece = alike[first : first + step]
            margins[piece], most[piece], neurons[piece] = _margins(network, points[piece])
    return WallMargins(margins, most, neurons)


def _margins(
    network: Network, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the margins of a few points, bounds from above, and neurons.

    A map's bound e is that of Σ |δA_i| X_i + |δc| with X_i > 0, so that e / min X_i bounds |δA|.
    """
    margins, most = np.full(len(x), np.inf), np.full(len(x), np.inf)
    neurons = np.full(len(x), -1, dtype=np.int64)
    signs = network.signs(x)
    patterns = signs > 0
    reach = np.maximum(np.abs(x).max(axis=0, initial=0.0), 2.0**-60)
    reach = np.maximum(reach, 2.0**-10 * reach.max())
    unit = (x.shape[1] + 8) * 2.0**-52
    for layer, start in enumerate(network.layer_offsets[:-1]):
        with np.errstate(all="ignore"):
            maps = network.affine_maps(layer, patterns, reach)
            slopes = maps.planes[:, :-1]
            lengths = np.linalg.norm(slopes, axis=1)
            values = np.abs(np.einsum("nd,ndl->nl", x, slopes) + maps.planes[:, -1])
            off = 1.01 * maps.errors + unit * (
                np.einsum("nd,ndl->nl", np.abs(x), np.abs(slopes)) + np.abs(maps.planes[:, -1])
            )
            lean = 1.01 * maps.errors / reach.min() + unit * lengths
            low = np.maximum(values - off, 0) / (lengths + lean)
            high = (values + off) / np.maximum(lengths - lean, 0)
            here = signs[:, start : start + network.layer_sizes[layer]] == 0
        constant = ~slopes.any(axis=1) & (maps.errors == 0)
        sure = (lengths > _SURE * lean + _TINY) & np.isfinite(low) & np.isfinite(high)
        # A constant has no wall; of what floats know too little, and may be nearest, is computed
        # in integers.
        low = np.minimum(np.where(np.isnan(low), 0.0, low), _LARGEST)
        low = np.where(constant, np.inf, low)
        high = np.where(sure & ~constant, high, np.inf)
        on_wall = here & sure & ~constant
        low[on_wall] = high[on_wall] = 0.0
        known = np.minimum(most, high.min(axis=1))
        vague = ~constant & ~sure & ((low < known[:, None]) | here)
        for i in np.flatnonzero(vague.any(axis=1)).tolist():
            units = np.flatnonzero(vague[i])
            low[i, units], high[i, units] = _exactly(network, patterns[i], x[i], layer, units)
        nearest = high.argmin(axis=1)
        at = np.arange(len(x)), nearest
        nearer = high[at] < most
        neurons[nearer] = start + nearest[nearer]
        most[nearer] = high[at][nearer]
        np.minimum(margins, low.min(axis=1), out=margins)
    return margins, most, neurons


def _exactly(
    network: Network,
    pattern: NDArray[np.bool_],
    point: NDArray[np.float64],
    layer: int,
    units: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bounds of the distance from the planes of some units, each rounded outwards."""
    (x,) = homogeneous_points(point)
    planes = network.exact_planes(pattern, network.exact_maps(pattern, layer), units.tolist())
    low, high = np.full(len(units), np.inf), np.full(len(units), np.inf)
    for i, plane in enumerate(planes):
        square = plane[:-1] @ plane[:-1]
        if square:
            value = abs(plane @ x)
            # A root in integers, of 2^-2k times as large a unit as leaves 60 bits.
            k = max(0, 60 + (square.bit_length() // 2 + int(x[-1]).bit_length()))
            root = isqrt((value**2 << 2 * k) // (square * int(x[-1]) ** 2))
            try:
                low[i] = np.nextafter(float(Fraction(root, 1 << k)), 0)
                high[i] = np.nextafter(float(Fraction(root + 1, 1 << k)), np.inf)
            except OverflowError:
                low[i], high[i] = _LARGEST, np.inf
            if not value:
                low[i] = high[i] = 0.0
    return low, high
