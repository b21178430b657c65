"""Maps of a wide last layer's free units on a block of siblings, and their signs; see `free`."""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit
from relutopo.arithmetic.rounding import UNDERFLOW, UNIT_ROUNDOFF
from relutopo.system.compilation import njit

from ..._certified.norms import norm_from
from ..._certified.values import OPEN, certain_sign, value_at
from ..._shared.bits import in_neither, n_words, negative_bits
from ..._shared.growing import grown
from ..records import Maps, VertexSigns
from .free_units import find_free, has
from .siblings import differing_units, sum_of_squares, switch

__all__ = ["next_of_free"]

_NUMBERS_AT_ONCE = 2**14
"""How many numbers maps have that are made before they are used, while they are in the cache."""


@njit(cache=True, nogil=True)
def next_of_free(this, room, cells, beside, earlier):
    """Return the free units, their maps on regions, and their signs at vertices.

    Parameters
    ----------
    this, cells, beside, earlier
        As for `find_free`.
    room : ndarray
        At least three numbers for each region and unit; what the maps are stored in.
    """
    units, switching, free = find_free(this, cells, beside, earlier)
    n_regions, n = len(cells.packed), len(units.neurons)
    maps = Maps(
        room[: 3 * n_regions * n].reshape((n_regions, 3, n)),
        np.arange(n_regions).astype(np.int32),
        free.errors,
        np.zeros(n_regions, np.int32),
        np.empty((0, 3)),
        free.reach.min(),
    )
    bound, slope = _bounds(free)
    shape = len(cells.x), n_words(n)
    positive, negative = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    above, crossed = np.empty((0, shape[1]), np.uint64), np.empty(0, np.int32)
    unknown, n_unknown = np.empty((16, 2), np.int32), 0
    signs = VertexSigns(positive, negative, unknown, above, crossed)
    at_once = max(1, _NUMBERS_AT_ONCE // (3 * max(1, n)))
    for begin in range(0, n_regions, at_once):
        regions = free.order[begin : begin + at_once]
        _fill(regions, switching, free, maps)
        unknown, n_unknown = _signs(regions, maps, cells, beside, bound, slope, signs, n_unknown)
        signs = VertexSigns(positive, negative, unknown, above, crossed)
    unknown = signs.unknown[:n_unknown]
    return units, maps, VertexSigns(positive, negative, unknown, above, crossed)


@njit(cache=True)
def _fill(regions, switching, free, maps):
    """Fill the maps of some regions, and which row of errors they have."""
    bits, planes = switching.bits, maps.planes
    differing = np.empty(8 * bits.shape[1], np.int64)
    for r in regions:
        other = free.before[r]
        if switching.n_always == 0 and not bits[r].any():
            planes[r, :2] = 0.0
            planes[r, 2] = free.bias
            maps.error_of[r] = 1
        elif other >= 0:
            for i in range(differing_units(bits, r, other, 0, bits.shape[1], differing)):
                k = differing[i]
                sign = 1.0 if has(bits, r, k) else -1.0
                switch(planes, r, other, sign, free.slopes, 0, free.columns, k)
                other = r
        else:
            planes[r] = free.start
            for k in range(len(switching.units)):
                if has(bits, r, k) != switching.is_on[k]:
                    sign = -1.0 if switching.is_on[k] else 1.0
                    switch(planes, r, r, sign, free.slopes, 0, free.columns, k)


@njit(cache=True)
def _bounds(free):
    """Return, for each unit, bounds that hold on all regions: of errors of values, and of slopes.

    A switch changes column k of unit j's map by at most ‖W_j‖ times the norm of that column of F.
    """
    n = len(free.bias)
    bound, slope = np.zeros(n), np.zeros(n)
    for k in range(3):
        norm = norm_from(sum_of_squares(free.slopes, 0, k), free.slopes[0, k])
        for j in range(n):
            steepest = 1.01 * (abs(free.start[k, j]) + free.row_norms[j] * norm)
            bound[j] += 9 * UNIT_ROUNDOFF * free.reach[k] * steepest
            slope[j] += 1.02 * steepest if k < 2 else 0.0
    return bound + 2.03 * free.errors[0] + 2 * UNDERFLOW, slope


@njit(cache=True)
def _beyond(planes, r, x0, x1, deviation, bound, slope, if_above, if_below):
    for j in range(planes.shape[2]):
        z = planes[r, 2, j] + planes[r, 0, j] * x0 + planes[r, 1, j] * x1
        b = bound[j] + slope[j] * deviation
        if_above[j] = b - z
        if_below[j] = b + z


@njit(cache=True)
def _signs(regions, maps, cells, beside, bound, slope, signs, n_unknown):
    """Fill the signs at the vertices that regions own; see `cuts.signs.corner_signs`.

    Bounds that hold on all regions decide nearly everything, and closer ones what is left.
    """
    positive, negative, unknown = signs.positive, signs.negative, signs.unknown
    n, words = maps.planes.shape[2], positive.shape[1]
    if_above, if_below = np.ones(64 * words), np.ones(64 * words)
    for r in regions:
        for q in range(beside.own_ptr[r], beside.own_ptr[r + 1]):
            v = beside.own[q]
            x0, x1, deviation = cells.x[v, 0], cells.x[v, 1], cells.deviation[v]
            if deviation <= maps.limit:
                _beyond(maps.planes, r, x0, x1, deviation, bound, slope, if_above, if_below)
            else:
                if_above[:], if_below[:] = 1.0, 1.0
            for w in range(words):
                positive[v, w] = negative_bits(if_above, 64 * w)
                negative[v, w] = negative_bits(if_below, 64 * w)
                word = in_neither(positive, negative, v, w, n)
                while word:
                    bit = word & (~word + np.uint64(1))
                    word ^= bit
                    j = 64 * w + int(lowest_bit(bit))
                    error = maps.errors[maps.error_of[r], j]
                    plane = maps.planes[r, :, j]
                    z, close = value_at(plane, error, cells.x[v], deviation, maps.limit)
                    sign = certain_sign(z, close)
                    if sign == 1:
                        positive[v, w] |= bit
                    elif sign == -1:
                        negative[v, w] |= bit
                    elif sign == OPEN:
                        unknown = grown(unknown, n_unknown + 1)
                        unknown[n_unknown, 0], unknown[n_unknown, 1] = v, j
                        n_unknown += 1
    return unknown, n_unknown
