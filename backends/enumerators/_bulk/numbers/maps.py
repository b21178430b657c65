"""The affine maps of regions in bulk: their signs at vertices, and the input of the next layer.

A layer has maps on all regions and signs at all vertices, each for all units: these arrays are the
largest of all.
"""

from __future__ import annotations

from typing import Any

from relutopo.arithmetic.rounding import bound_of_value
from relutopo.devices.kernels import Kernel

from ..._certified.values import SIGN_IN_C, decide
from ..sets.bitsets import Units
from ..sets.lists import Array

__all__ = ["inherited", "signs_from_maps"]


_SIGNS = Kernel(
    "relutopo_signs",
    "raw float64 planes, raw float64 errors, raw int32 region, raw float64 x, "
    "raw float64 deviation, int64 n_points, int64 n_units, int64 width, "
    "float64 limit",
    "raw uint32 above, raw uint32 below, raw uint32 open",
    f"""
    long long v = i / width, j = i % width;
    bool is_above = false, is_below = false, is_open = false;
    if (j < n_units) {{
        double m[DIM + 1], error = errors[(long long)region[v] * n_units + j];
        for (int k = 0; k <= DIM; ++k)
            m[k] = planes[((long long)region[v] * (DIM + 1) + k) * n_units + j];
        {SIGN_IN_C}
    }}
    SET_BIT(above, v * (width >> 5), j, is_above);
    SET_BIT(below, v * (width >> 5), j, is_below);
    SET_BIT(open, v * (width >> 5), j, is_open);
    """,
)

_INHERITED = Kernel(
    "relutopo_inherited",
    "raw float64 planes, raw float64 errors, raw int32 parent, raw uint64 sets, "
    "raw float64 reach, int32 n_rows, int64 n_units, int64 n_words, float64 rounding",
    "raw float64 maps, raw float64 weight",
    """
    long long r = i / n_units, j = i % n_units;
    bool active = sets[r * n_words + (j >> 6)] >> (j & 63) & 1;
    long long source = (long long)parent[r] * n_rows * n_units + j;
    long long target = r * n_rows * n_units + j;
    double height = 0.0;
    for (int k = 0; k < n_rows; ++k) {
        double entry = active ? planes[source + k * n_units] : 0.0;
        maps[target + k * n_units] = entry;
        height += reach[k] * fabs(entry);
    }
    double error = active ? errors[(long long)parent[r] * n_units + j] : 0.0;
    weight[i] = 1.01 * error + rounding * height;
    """,
)


def signs_from_maps(
    xp: Any,
    units: Units,
    maps: tuple[Array, Array],
    region: Array,
    x: Array,
    deviation: Array,
    limit: float,
) -> tuple[Array, Array, Array]:
    """Return the signs of all units at vertices, from the map of a region of each.

    Parameters
    ----------
    xp : module
    units : Units
    maps : pair of (R, d + 1, n_units) and (R, n_units) ndarrays
        See `relutopo.networks.network.AffineMaps`.
    region : (n,) ndarray of int32
    x, deviation : (d, n), (n,) ndarrays
        Vertices, and bounds of their errors.
    limit : float
        Smallest magnitude of an axis.

    Returns
    -------
    above, below, is_open : (n, n_words) ndarrays of uint64
        Sets of units that are certainly positive, certainly negative, and neither known nor zero.
    """
    (planes, errors), (d, n) = maps, x.shape
    kernel = _SIGNS.on(xp, DIM=d)
    if kernel is not None:
        signs = units.none(n), units.none(n), units.none(n)
        words = [sets.view("uint32") for sets in signs]
        width = 64 * units.n_words
        sizes = n, units.n, width, limit
        kernel(planes, errors, region, x, deviation, *sizes, *words, size=n * width)
        return signs
    c, e = planes[region, d], errors[region]
    z, size, slope = c + 0.0, xp.abs(c), xp.zeros_like(c)
    for i in range(d):
        a = planes[region, i]
        slope += xp.abs(a)
        a *= x[i][:, None]
        z += a
        size += xp.abs(a)
    vanishes = (slope == 0.0) & (c == 0.0) & (e == 0.0)
    bound = bound_of_value(xp, size, slope, e, deviation[:, None], limit, d)
    flags = xp.zeros((3, n, 64 * units.n_words), dtype=bool)
    for row, found in zip(flags, decide(z, bound, vanishes), strict=True):
        row[:, : units.n] = found
    above, below, is_open = (units.pack(row) for row in flags)
    return above, below, is_open


def inherited(
    xp: Any,
    units: Units,
    maps: tuple[Array, Array],
    parent: Array,
    sets: Array,
    reach: Array,
    rounding: float,
) -> tuple[Array, Array]:
    """Return the input of the next layer's maps on regions: the maps of the active units.

    Parameters
    ----------
    xp : module
    units : Units
    maps : pair of (R, d + 1, n_units) and (R, n_units) ndarrays
        A layer's maps, and the bounds of their errors.
    parent : (n,) ndarray of int32
        The region, of those R, that contains each of n regions.
    sets : (n, n_words) ndarray of uint64
        The units that are positive on each region.
    reach : (d + 1,) ndarray
        Bounds of the coordinates, and 1.
    rounding : float
        Relative rounding of the next layer's sums.

    Returns
    -------
    planes : (n, d + 1, n_units) ndarray
        The maps of active units, and 0 for others.
    weights : (n, n_units) ndarray
        Their errors, including the rounding of their products with the next layer's weights.
    """
    planes, errors = maps
    n, n_rows = len(parent), planes.shape[1]
    kernel = _INHERITED.on(xp)
    if kernel is not None:
        results = xp.empty((n, n_rows, units.n)), xp.empty((n, units.n))
        sizes = n_rows, units.n, units.n_words
        kernel(planes, errors, parent, sets, reach, *sizes, rounding, *results, size=n * units.n)
        return results
    active = units.unpack(sets)[:, : units.n].astype(float)
    planes = planes[parent]
    planes *= active[:, None, :]
    heights = xp.zeros_like(active)
    for i in range(n_rows):
        heights += reach[i] * xp.abs(planes[:, i])
    return planes, 1.01 * errors[parent] * active + rounding * heights
