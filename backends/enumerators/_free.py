"""The last layer on a block of siblings: maps and signs of those units alone that may cut there.

A block is a small part of the plane, and most units of a wide layer keep their sign throughout it.
Let y be the pre-activations of the layer before, affine on the whole block as its regions are
siblings; F its units that switch within the block; and D a pattern that equals those of all regions
but for F. Then for every x in the block ::

    z_j(x) = (W D y + b)_j(x) + Σ_{i in F} W_ji s_i(x),      0 ≤ s_i = max(y_i, 0) - D_i y_i ≤ m_i

With D_i = [y_i > 0] in the middle of the block, m_i is what y_i varies by less |y_i| there, if that
is positive. So one map, that of D, and one sum over F give each unit an interval that holds all its
values, rounding included. If 0 is outside, the unit's sign is certain: it is *fixed*. The others
are *free*, and only they get maps, by updates of rank one from that of D, and signs at vertices.
The bounds of rounding are derived in `_maps`.
"""

from __future__ import annotations

import numpy as np

from relutopo.compilation import njit

from ._bits import lowest_bit, n_words, negative_bits
from ._records import Maps, Signs, Units
from ._siblings import differing_units, forest, multiply, sum_of_squares, switch
from ._values import UNDERFLOW, UNIT_ROUNDOFF, value

__all__ = ["next_of_free"]

_NUMBERS_AT_ONCE = 2**14
"""How many numbers maps have that are made before they are used, while they are in the cache."""


@njit(cache=True, nogil=True)
def next_of_free(this, room, cells, beside, earlier):
    """Return the free units of the last layer, their maps on regions, and their signs at vertices.

    Parameters
    ----------
    this : `_maps._Layer`
    room : ndarray
        At least three numbers for each region and unit; what the maps are stored in.
    cells, beside
        A block of siblings, before the layer cuts.
    earlier : Maps
        Of the layer before.
    """
    packed, x = cells.packed, cells.x
    n_before, n, n_regions = len(this.columns) - 1, this.columns.shape[1], len(packed)
    first, shift = this.offset >> 3, this.offset & 7
    last = (this.offset + n_before + 7) >> 3
    p, e = earlier.plane_of[0], earlier.error_of[0]
    plane = earlier.planes[p]

    deviation = cells.x_error.max()
    middle, half, reach = np.empty(2), np.empty(2), np.ones(3)
    for k in range(2):
        low, high = x[:, k].min(), x[:, k].max()
        middle[k] = 0.5 * (low + high)
        reach[k] = max(abs(low), abs(high)) + 2 * deviation
        half[k] = 1.01 * (max(high - middle[k], middle[k] - low) + deviation)

    mask = np.zeros(last - first, np.uint8)
    for r in range(n_regions):
        for i in range(last - first):
            mask[i] |= packed[r, first + i] ^ packed[0, first + i]
    switching, place, n_switching = np.empty(n_before, np.int64), np.empty(n_before, np.int64), 0
    overshoot, is_on = np.empty(n_before), np.empty(n_before, np.bool_)
    active = np.empty(n_before, np.int64)
    n_active = n_always = 0
    for i in range(n_before):
        byte, bit = (shift + i) >> 3, (shift + i) & 7
        on = (packed[0, first + byte] >> bit) & 1 == 1
        if (mask[byte] >> bit) & 1:
            at, size, spread = _over_box(plane[0, i], plane[1, i], plane[2, i], middle, half)
            slack = 2.02 * earlier.errors[e, i] + 8 * UNIT_ROUNDOFF * size
            on = at > 0.0
            switching[n_switching], place[n_switching], is_on[n_switching] = i, shift + i, on
            overshoot[n_switching] = 1.01 * max(0.0, spread + slack - abs(at))
            n_switching += 1
        else:
            n_always += on
        if on:
            active[n_active] = i
            n_active += 1
    switching, is_on = switching[:n_switching], is_on[:n_switching]
    bits = _gather_bits(packed, first, place[:n_switching])

    base = np.empty((1, 3, n))
    multiply(base, 0, earlier.planes, p, this.columns, this.bias, active, n_active, 0)
    center, radius = np.zeros(n), np.zeros(n)
    for k in range(n_switching):
        _add_interval(this.columns[switching[k]], 0.5 * overshoot[k], center, radius)

    # The map of D, and those that are some switches away from it.
    order, before, n_flips = forest(
        cells.region_ptr, beside.across, earlier.plane_of, bits, 0, bits.shape[1], n_before
    )
    from_base = _switches_from_base(order, before, bits, is_on)
    rounding = 1.02 * (n_before // 4 + 8 + 2 * (n_flips + from_base).max()) * UNIT_ROUNDOFF
    scale = 0.0
    for k in range(3):
        height = rounding * np.sqrt(sum_of_squares(earlier.planes, p, k))
        scale += reach[k] * (1.02 * earlier.norms[e, k] + height)
    smallest = rounding / UNIT_ROUNDOFF * 4 * this.underflow
    first_neuron = this.offset + n_before
    free, neurons = np.empty(n, np.int64), np.empty(n, np.int32)
    always = np.zeros((first_neuron + n + 7) >> 3, np.uint8)
    # The second row is for regions without an active unit: nothing is rounded there.
    errors, n_free = np.zeros((2, n)), 0
    for j in range(n):
        at, size, spread = _over_box(base[0, 0, j], base[0, 1, j], base[0, 2, j], middle, half)
        at += center[j]
        error = this.row_norms[j] * scale + rounding * abs(this.bias[j]) + smallest
        slack = 2.02 * error + (n_before + 16) * UNIT_ROUNDOFF * (size + radius[j])
        neuron = first_neuron + j
        if not abs(at) > spread + 1.01 * radius[j] + slack:
            free[n_free], neurons[n_free], errors[0, n_free] = j, neuron, error
            n_free += 1
        elif at > 0.0:
            always[neuron >> 3] |= np.uint8(1 << (neuron & 7))
    free, errors = free[:n_free], errors[:, :n_free].copy()

    columns = np.empty((n_switching, n_free))
    slopes = np.empty((1, 3, n_switching))
    for k in range(n_switching):
        slopes[0, :, k] = plane[:, switching[k]]
        for j in range(n_free):
            columns[k, j] = this.columns[switching[k], free[j]]
    start = np.empty((3, n_free))
    for k in range(3):
        for j in range(n_free):
            start[k, j] = base[0, k, free[j]]

    # Of all regions' maps: bounds of errors of values, and of slopes.
    bound, slope = np.zeros(n_free), np.zeros(n_free)
    for k in range(3):
        spread = np.sqrt(sum_of_squares(slopes, 0, k))
        for j in range(n_free):
            steepest = 1.01 * (abs(start[k, j]) + this.row_norms[free[j]] * spread)
            bound[j] += 9 * UNIT_ROUNDOFF * reach[k] * steepest
            slope[j] += 1.02 * steepest if k < 2 else 0.0
    bound += 2.03 * errors[0] + 2 * UNDERFLOW

    planes = room[: n_regions * 3 * n_free].reshape((n_regions, 3, n_free))
    plane_of, error_of = np.arange(n_regions, dtype=np.int32), np.zeros(n_regions, np.int32)
    shape = len(x), n_words(n_free)
    positive, negative = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    unknown, n_unknown = np.empty((16, 2), np.int32), 0
    maps = Maps(planes, plane_of, errors, error_of, np.empty((0, 3)), reach.min())
    differing = np.empty(8 * bits.shape[1], np.int64)
    at_once = max(1, _NUMBERS_AT_ONCE // (3 * max(1, n_free)))
    for begin in range(0, n_regions, at_once):
        regions = order[begin : begin + at_once]
        for r in regions:
            other = before[r]
            if n_always == 0 and not bits[r].any():
                planes[r, :2] = 0.0
                planes[r, 2] = this.bias[free]
                error_of[r] = 1
            elif other >= 0:
                for i in range(differing_units(bits, r, other, 0, bits.shape[1], differing)):
                    k = differing[i]
                    sign = 1.0 if _has(bits, r, k) else -1.0
                    switch(planes, r, other, sign, slopes, 0, columns, k)
                    other = r
            else:
                planes[r] = start
                for k in range(n_switching):
                    if _has(bits, r, k) != is_on[k]:
                        sign = -1.0 if is_on[k] else 1.0
                        switch(planes, r, r, sign, slopes, 0, columns, k)
        unknown, n_unknown = _signs(
            regions, maps, beside, cells, bound, slope, positive, negative, unknown, n_unknown
        )
    signs = Signs(positive, negative, unknown[:n_unknown])
    return Units(neurons[:n_free].copy(), always), maps, signs


@njit(cache=True)
def _gather_bits(packed, first, places):
    """Return some bits of each pattern, counted from its byte `first` on, as packed patterns."""
    bits = np.zeros((len(packed), (len(places) + 7) >> 3), np.uint8)
    for r in range(len(packed)):
        for k in range(len(places)):
            bit = (packed[r, first + (places[k] >> 3)] >> (places[k] & 7)) & 1
            bits[r, k >> 3] |= bit << (k & 7)
    return bits


@njit(cache=True, inline="always")
def _has(bits, r, k):
    return (bits[r, k >> 3] >> (k & 7)) & 1 == 1


@njit(cache=True, inline="always")
def _over_box(a, b, c, middle, half):
    """Return the value of a map in the middle, the sum of its terms, and how far it varies."""
    ax, by = a * middle[0], b * middle[1]
    return c + ax + by, abs(c) + abs(ax) + abs(by), 1.01 * (abs(a) * half[0] + abs(b) * half[1])


@njit(cache=True)
def _add_interval(column, half, center, radius):
    for j in range(len(column)):
        center[j] += half * column[j]
        radius[j] += half * abs(column[j])


@njit(cache=True)
def _switches_from_base(order, before, bits, is_on):
    """Return how many units switch from D to the region where the path to each region begins."""
    count = np.zeros(len(order), np.int64)
    for r in order:
        if before[r] >= 0:
            count[r] = count[before[r]]
            continue
        for k in range(len(is_on)):
            count[r] += _has(bits, r, k) != is_on[k]
    return count


@njit(cache=True)
def _beyond(planes, r, x0, x1, deviation, bound, slope, if_above, if_below):
    for j in range(planes.shape[2]):
        z = planes[r, 2, j] + planes[r, 0, j] * x0 + planes[r, 1, j] * x1
        b = bound[j] + slope[j] * deviation
        if_above[j] = b - z
        if_below[j] = b + z


@njit(cache=True)
def _signs(regions, maps, beside, cells, bound, slope, positive, negative, unknown, n_unknown):
    """Fill the signs at the vertices that regions own; see `_values.corner_signs`.

    Bounds that hold on all regions decide nearly everything, and closer ones what is left.
    """
    n, words = maps.planes.shape[2], positive.shape[1]
    if_above, if_below = np.ones(64 * words), np.ones(64 * words)
    for r in regions:
        for q in range(beside.own_ptr[r], beside.own_ptr[r + 1]):
            v = beside.own[q]
            x0, x1, deviation = cells.x[v, 0], cells.x[v, 1], cells.x_error[v]
            if deviation <= maps.limit:
                _beyond(maps.planes, r, x0, x1, deviation, bound, slope, if_above, if_below)
            else:
                if_above[:], if_below[:] = 1.0, 1.0
            for w in range(words):
                positive[v, w] = negative_bits(if_above, 64 * w)
                negative[v, w] = negative_bits(if_below, 64 * w)
                word = ~(positive[v, w] | negative[v, w])
                if w == words - 1 and n & 63:
                    word &= (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1)
                while word:
                    bit = word & (~word + np.uint64(1))
                    word ^= bit
                    j = 64 * w + int(lowest_bit(bit))
                    z, close = value(
                        maps.planes[r],
                        maps.errors[maps.error_of[r]],
                        j,
                        cells.x,
                        cells.x_error,
                        v,
                        maps.limit,
                    )
                    if z > close:
                        positive[v, w] |= bit
                    elif z < -close:
                        negative[v, w] |= bit
                    elif close > 0.0:
                        if n_unknown == len(unknown):
                            unknown = np.concatenate((unknown, np.empty_like(unknown)))
                        unknown[n_unknown, 0], unknown[n_unknown, 1] = v, j
                        n_unknown += 1
    return unknown, n_unknown
