"""The units of a wide last layer that may cut a block of siblings.

A block is a small part of the plane, and most units of a wide layer keep their sign throughout it.
Let y be the pre-activations of the layer before, affine on the whole block as its regions are
siblings; F its units that switch within the block; and D a pattern that equals those of all regions
but for F. Then for every x in the block ::

    z_j(x) = (W D y + b)_j(x) + Σ_{i in F} W_ji s_i(x),      0 ≤ s_i = max(y_i, 0) - D_i y_i ≤ m_i

With D_i = [y_i > 0] in the middle of the block, m_i is what y_i varies by less |y_i| there, if that
is positive. So one map, that of D, and one sum over F give each unit an interval that holds all its
values, rounding included. If 0 is outside, the unit's sign is certain: it is *fixed*. The others
are *free*, and only they need maps and signs (`free_maps`). The bounds of rounding are derived in
`maps`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, SMALLEST_REACH, TWICE, UNDERFLOW, UNIT_ROUNDOFF
from relutopo.system.compilation import njit

from ..._certified.norms import norm_from
from ..._certified.values import bound_near, larger
from ..records import Cutters
from .siblings import forest, multiply, sum_of_squares

__all__ = ["Free", "Switching", "find_free", "has"]


class Switching(NamedTuple):
    """The units F.

    Attributes
    ----------
    units : (n_switching,) ndarray of int64
        As numbers in the layer before.
    is_on : (n_switching,) ndarray of bool
        The pattern D.
    overshoot : (n_switching,) ndarray
        The bounds m.
    bits : (n_regions, n_bytes) ndarray of uint8
        Each region's pattern of F.
    n_always : int
        How many other units of the layer before are active throughout, and what is carried.
    """

    units: NDArray[np.int64]
    is_on: NDArray[np.bool_]
    overshoot: NDArray[np.float64]
    bits: NDArray[np.uint8]
    n_always: int


class Free(NamedTuple):
    """What the maps of free units are made from.

    Attributes
    ----------
    start : (3, n_free) ndarray
        The map of D.
    slopes : (1, 3, n_switching) ndarray
        The map y of F.
    columns : (n_switching, n_free) ndarray
        Of W, as rows.
    bias, row_norms : (n_free,) ndarrays
    order, before : ndarrays of int32
        A walk through all regions; see `siblings.forest`.
    errors : (2, n_free) ndarray
        Bounds as in `Maps`; the second row is for regions without an active unit, where only the
        bias is off.
    reach : (3,) ndarray
        Bounds of the coordinates, and 1.
    """

    start: NDArray[np.float64]
    slopes: NDArray[np.float64]
    columns: NDArray[np.float64]
    bias: NDArray[np.float64]
    row_norms: NDArray[np.float64]
    order: NDArray[np.int32]
    before: NDArray[np.int32]
    errors: NDArray[np.float64]
    reach: NDArray[np.float64]


@njit(cache=True, nogil=True)
def find_free(this, cells, beside, earlier):
    """Return the free units, what switches in the layer before, and what gives the maps.

    Parameters
    ----------
    this : `chain._Layer`
    cells, beside
        A block of siblings, before the layer cuts.
    earlier : Maps
        Of the layer before.
    """
    n_inputs, n = len(this.columns) - 1, this.n_units
    p, e = earlier.plane_of[0], earlier.error_of[0]
    deviation = cells.deviation.max()
    middle, half, reach = np.empty(2), np.empty(2), np.ones(3)
    for k in range(2):
        low, high = cells.x[:, k].min(), cells.x[:, k].max()
        middle[k] = 0.5 * (low + high)
        reach[k] = larger(max(abs(low), abs(high)) + 2 * deviation, SMALLEST_REACH)
        half[k] = ONCE * (larger(high - middle[k], middle[k] - low) + deviation)

    switching, active = _switching(this, cells.packed, earlier, middle, half)
    base = np.empty((1, 3, n))
    columns, added = this.columns, this.added
    multiply(base, 0, earlier.planes, p, columns, this.bias, active, 0, this.slopes_on, added)
    center, radius = np.zeros(n), np.zeros(n)
    for k in range(len(switching.units)):
        column = this.columns[switching.units[k]]
        _add_interval(column, 0.5 * switching.overshoot[k], center, radius)

    bits = switching.bits
    order, before, n_flips = forest(
        cells.region_ptr, beside.across, earlier.plane_of, bits, 0, bits.shape[1], this.n_before
    )
    n_flips += _flips_from_base(order, before, switching)
    n_roundings = n_inputs // 4 + 8 + 2 * n_flips.max() + this.n_roundings
    rounding = 1.02 * n_roundings * UNIT_ROUNDOFF
    scale = 0.0
    for k in range(3):
        square = sum_of_squares(earlier.planes, p, k)
        height = rounding * norm_from(square, earlier.planes[p, k])
        scale += reach[k] * (1.02 * earlier.norms[e, k] + height)
    error = this.row_norms * scale + rounding * np.abs(this.bias)
    error += n_roundings * 4 * this.underflow + this.bias_error

    first = this.offset + this.n_before
    units, n_free = np.empty(n, np.int64), 0
    always = np.zeros((first + n + 7) >> 3, np.uint8)
    for j in range(n):
        at, size, spread = _over_box(base[0, 0, j], base[0, 1, j], base[0, 2, j], middle, half)
        at += center[j]
        slack = (n_inputs + 16) * UNIT_ROUNDOFF * (size + radius[j]) + UNDERFLOW
        if not abs(at) > spread + ONCE * radius[j] + TWICE * error[j] + slack:
            units[n_free] = j
            n_free += 1
        elif at > 0.0:
            always[(first + j) >> 3] |= np.uint8(1 << ((first + j) & 7))
    units = units[:n_free]

    start, slopes = np.empty((3, n_free)), np.empty((1, 3, len(switching.units)))
    for k in range(3):
        start[k] = base[0, k][units]
        slopes[0, k] = earlier.planes[p, k][switching.units]
    columns = np.empty((len(switching.units), n_free))
    for k in range(len(switching.units)):
        columns[k] = this.columns[switching.units[k]][units]
    errors = np.zeros((2, n_free))
    errors[0], errors[1] = error[units], this.bias_error[units]
    bias, row_norms = this.bias[units], this.row_norms[units]
    free = Free(start, slopes, columns, bias, row_norms, order, before, errors, reach)
    neurons = (first + units).astype(np.int32)
    return Cutters(neurons, neurons, always), switching, free


@njit(cache=True)
def _switching(this, packed, earlier, middle, half):
    """Return the units F, and those of the layer before that are active in D."""
    n_before, n_inputs = this.n_before, len(this.columns) - 1
    first, shift = this.offset >> 3, this.offset & 7
    plane, errors = earlier.planes[earlier.plane_of[0]], earlier.errors[earlier.error_of[0]]
    mask = np.zeros((shift + n_before + 7) >> 3, np.uint8)
    for r in range(len(packed)):
        for i in range(len(mask)):
            mask[i] |= packed[r, first + i] ^ packed[0, first + i]
    units, active = np.empty(n_before, np.int64), np.empty(n_inputs, np.int64)
    is_on, overshoot = np.empty(n_before, np.bool_), np.empty(n_before)
    n_switching = n_active = n_always = 0
    for i in range(n_before):
        byte, bit = (shift + i) >> 3, (shift + i) & 7
        on = (packed[0, first + byte] >> bit) & 1 == 1
        if (mask[byte] >> bit) & 1:
            at, size, spread = _over_box(plane[0, i], plane[1, i], plane[2, i], middle, half)
            slack = bound_near(size, 0.0, errors[i], 0.0, 2)
            on = at > 0.0
            units[n_switching], is_on[n_switching] = i, on
            overshoot[n_switching] = ONCE * larger(0.0, spread + slack - abs(at))
            n_switching += 1
        else:
            n_always += on
        if on:
            active[n_active] = i
            n_active += 1
    for i in this.carried:
        active[n_active] = i
        n_active += 1
    n_always += n_inputs - n_before
    units = units[:n_switching]
    bits = np.zeros((len(packed), (n_switching + 7) >> 3), np.uint8)
    for r in range(len(packed)):
        for k in range(n_switching):
            place = shift + units[k]
            bit = (packed[r, first + (place >> 3)] >> (place & 7)) & 1
            bits[r, k >> 3] |= bit << (k & 7)
    is_on, overshoot = is_on[:n_switching], overshoot[:n_switching]
    return Switching(units, is_on, overshoot, bits, n_always), active[:n_active]


@njit(cache=True, inline="always")
def has(bits, r, k):
    """Return whether bit k of a row is set."""
    return (bits[r, k >> 3] >> (k & 7)) & 1 == 1


@njit(cache=True, inline="always")
def _over_box(a, b, c, middle, half):
    """Return the value of a map in the middle, the sum of its terms, and how far it varies."""
    ax, by = a * middle[0], b * middle[1]
    return c + ax + by, abs(c) + abs(ax) + abs(by), ONCE * (abs(a) * half[0] + abs(b) * half[1])


@njit(cache=True)
def _add_interval(column, half, center, radius):
    for j in range(len(column)):
        center[j] += half * column[j]
        radius[j] += half * abs(column[j])


@njit(cache=True)
def _flips_from_base(order, before, switching):
    """Return how many units switch from D to the region where the path to each region begins."""
    count = np.zeros(len(order), np.int64)
    for r in order:
        if before[r] >= 0:
            count[r] = count[before[r]]
            continue
        for k in range(len(switching.units)):
            count[r] += has(switching.bits, r, k) != switching.is_on[k]
    return count
