"""Compiled kernels that find the chords along which a layer cuts each region of the plane.

Within a region the zero set of a neuron that crosses it is a chord between two points of the rim;
the rim's points, corners and crossings of its edges, are numbered 0..B-1 counterclockwise. Neurons
with the same two points have the same chord. Chords cross inside the region if and only if their
ends interleave on the rim, so only the order of crossings along a chord needs arithmetic.

A view of an array, one that is replaced by a longer one, and a call that takes arrays and branches
count references, which would take most of the time. So arrays get their lengths before loops over
regions, and these mostly call nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit, popcount
from relutopo.system.compilation import njit

from ..._certified.crossings import parameter
from ..._certified.values import unit_value_at
from ..._shared.growing import fill
from ..records import Chords, Crossings
from .signs import sort_along

__all__ = ["find_chords"]


class _Ends(NamedTuple):
    """Where units vanish on the rims of the regions that they cross.

    Attributes
    ----------
    ptr : (n_crossed + 1,) ndarray of int64
        The i-th region that is crossed is so by ``units[ptr[i]:ptr[i + 1]]``, ascending.
    units : (n,) ndarray of int32
    points, vertices : (n, 2) ndarrays of int32
        The two points of the rim where each vanishes, the first less than the second, and their
        vertices.
    turn : (n,) ndarray of int8
        Its sign between them.
    """

    ptr: NDArray[np.int64]
    units: NDArray[np.int32]
    points: NDArray[np.int32]
    vertices: NDArray[np.int32]
    turn: NDArray[np.int8]


@njit(cache=True, inline="always")
def _sign(positive, negative, v, j):
    word, bit = j >> 6, np.uint64(j & 63)
    above = (positive[v, word] >> bit) & np.uint64(1)
    below = (negative[v, word] >> bit) & np.uint64(1)
    return np.int8(above) - np.int8(below)


@njit(cache=True)
def _crossing_units(crossed):
    """Return the units with both signs at corners of regions, with other arrays of `_Ends`."""
    region_ptr, corners, regions = (
        crossed.cells.region_ptr,
        crossed.beside.origins,
        crossed.regions,
    )
    negative, above = crossed.signs.negative, crossed.above
    n_crossed, n_words = len(regions), negative.shape[1]
    ptr, both, n = np.zeros(n_crossed + 1, np.int64), np.empty((n_crossed, n_words), np.uint64), 0
    for i in range(n_crossed):
        r = regions[i]
        for w in range(n_words):
            below = np.uint64(0)
            for q in range(region_ptr[r], region_ptr[r + 1]):
                below |= negative[corners[q], w]
            both[i, w] = above[r, w] & below
            n += int(popcount(both[i, w]))
        ptr[i + 1] = n
    units, k = np.empty(n, np.int32), 0
    for i in range(n_crossed):
        for w in range(n_words):
            word = both[i, w]
            while word:
                units[k] = 64 * w + int(lowest_bit(word))
                word &= word - np.uint64(1)
                k += 1
    return _Ends(
        ptr, units, np.full((n, 2), -1, np.int32), np.empty((n, 2), np.int32), np.zeros(n, np.int8)
    )


@njit(cache=True)
def _walk_rims(crossed, placed, found):
    """Find the points where units vanish; return a region where some unit has not two, or -1."""
    cells, positive, negative = crossed.cells, crossed.signs.positive, crossed.signs.negative
    region_ptr, half_edges, edge_vertices = cells.region_ptr, cells.half_edges, cells.edge_vertices
    ptr, item, same = crossed.crossings.ptr, crossed.crossings.item, crossed.crossings.same
    group_ptr, base = placed.group_ptr, len(cells.x)
    first, units, points, vertices, turn = found
    n_words, n_units = positive.shape[1], len(crossed.cutters.neurons)
    entry_of, inside = np.empty(n_units, np.int64), np.zeros(n_words, np.uint64)
    for c in range(len(first) - 1):
        r = crossed.regions[c]
        for w in range(n_words):
            inside[w] = 0
        for k in range(first[c], first[c + 1]):
            j = units[k]
            entry_of[j] = k
            inside[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        position, n_ends = 0, 0
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e, back = half_edges[q] >> 1, half_edges[q] & 1
            v, following = edge_vertices[e, back], edge_vertices[e, 1 - back]
            for w in range(n_words):
                word = inside[w] & ~(positive[v, w] | negative[v, w])
                while word:
                    j = 64 * w + int(lowest_bit(word))
                    word &= word - np.uint64(1)
                    k, n_ends = entry_of[j], n_ends + 1
                    if points[k, 0] < 0:
                        points[k, 0], vertices[k, 0] = position, v
                        turn[k] = _sign(positive, negative, following, j)
                    else:
                        points[k, 1], vertices[k, 1] = position, v
            group = group_ptr[e + 1] if back else group_ptr[e] - 1
            for i in range(ptr[e + 1] - ptr[e]):
                at = ptr[e + 1] - 1 - i if back else ptr[e] + i
                # Backwards, a group's first crossing comes last.
                if i == 0 or not same[at + 1 if back else at]:
                    position += 1
                    group += -1 if back else 1
                j = item[at]
                k, n_ends = entry_of[j], n_ends + 1
                if points[k, 0] < 0:
                    points[k, 0], vertices[k, 0] = position, base + group
                    turn[k] = _sign(positive, negative, following, j)
                else:
                    points[k, 1], vertices[k, 1] = position, base + group
            position += 1
        for k in range(first[c], first[c + 1]):
            if points[k, 1] < 0 or turn[k] == 0:
                return r
        if n_ends != 2 * (first[c + 1] - first[c]):
            return r
    return -1


@njit(cache=True)
def _order(found):
    """Return the entries of each region, ascending by the points where they vanish; stable."""
    ptr, points = found.ptr, found.points
    order = np.arange(ptr[-1])
    for r in range(len(ptr) - 1):
        lo, hi = ptr[r], ptr[r + 1]
        if hi - lo > 16:
            _sort_many(order, points, lo, hi)
            continue
        for i in range(lo + 1, hi):
            k, a, b = i, points[i, 0], points[i, 1]
            while k > lo:
                before = order[k - 1]
                if points[before, 0] < a or (points[before, 0] == a and points[before, 1] <= b):
                    break
                order[k] = before
                k -= 1
            order[k] = i
    return order


@njit(cache=True)
def _sort_many(order, points, lo, hi):
    # Numbers of the type that `sort_along` sorts, so that sorting is compiled once.
    keys, size = np.empty(hi - lo), 0
    for i in range(lo, hi):
        size = max(size, points[i, 1] + 1)
    for i in range(lo, hi):
        keys[i - lo] = points[i, 0] * size + points[i, 1]
    fill(order[lo:hi], lo + np.argsort(keys, kind="mergesort"))


@njit(cache=True, inline="always")
def _interleave(a, b, c, d):
    return c < a < d < b or a < c < b < d


@njit(cache=True, nogil=True)
def find_chords(crossed, placed):
    """Return the chords of all regions, with their crossings in order.

    Parameters
    ----------
    crossed : Crossed
    placed : Placed

    Returns
    -------
    chords : Chords
        For each chord the chords that it crosses, sorted as by `signs.sort_along`.
    broken : int
        A region whose signs contradict convexity, or -1; then there are no chords.
    n_open : int
        How many orders along chords are open.
    """
    found = _crossing_units(crossed)
    broken = _walk_rims(crossed, placed, found)
    if broken >= 0:
        found.ptr[:] = 0
    first, order = found.ptr, _order(found)
    n_regions, regions, n = len(crossed.cells.region_ptr) - 1, crossed.regions, first[-1]
    chord_ptr, unit_ptr = np.zeros(n_regions + 1, np.int64), np.zeros(n + 1, np.int64)
    region, units, after = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int8)
    ends, end_vertices = np.empty((n, 2), np.int32), np.empty((n, 2), np.int32)
    points, vertices = found.points, found.vertices
    n_chords, done = 0, 0
    for c in range(len(regions)):
        r = regions[c]
        for i in range(done, r):
            chord_ptr[i + 1] = n_chords
        done = r + 1
        for i in range(first[c], first[c + 1]):
            k = order[i]
            a, b = points[k, 0], points[k, 1]
            if i == first[c] or a != ends[n_chords - 1, 0] or b != ends[n_chords - 1, 1]:
                region[n_chords], ends[n_chords, 0], ends[n_chords, 1] = r, a, b
                end_vertices[n_chords, 0] = vertices[k, 0]
                end_vertices[n_chords, 1] = vertices[k, 1]
                n_chords += 1
            units[i], after[i] = found.units[k], found.turn[k]
            unit_ptr[n_chords] = i + 1
        chord_ptr[r + 1] = n_chords
    for i in range(done, n_regions):
        chord_ptr[i + 1] = n_chords
    cross_ptr = np.zeros(n_chords + 1, np.int64)
    for c in range(n_chords):
        count, c0, c1 = 0, ends[c, 0], ends[c, 1]
        for o in range(chord_ptr[region[c]], chord_ptr[region[c] + 1]):
            count += _interleave(c0, c1, ends[o, 0], ends[o, 1])
        cross_ptr[c + 1] = cross_ptr[c] + count
    n_crossings = cross_ptr[-1]
    crossings = Crossings(
        cross_ptr,
        np.empty(n_crossings, np.int32),
        np.empty(n_crossings),
        np.empty(n_crossings),
        np.empty(n_crossings, np.bool_),
    )
    chords = Chords(
        chord_ptr,
        region[:n_chords],
        ends[:n_chords],
        end_vertices[:n_chords],
        unit_ptr[: n_chords + 1],
        units,
        after,
        crossings,
    )
    return chords, broken, _sort_crossings(crossed.maps, placed, chords)


@njit(cache=True)
def _sort_crossings(maps, placed, chords):
    """Fill and sort the crossings of chords; return how many orders are open."""
    plane_of, planes, error_of, errors = maps.plane_of, maps.planes, maps.error_of, maps.errors
    x, deviation, limit = placed.x, placed.deviation, maps.limit
    chord_ptr, region, ends = chords.chord_ptr, chords.region, chords.ends
    unit_ptr, units, end_vertices = chords.unit_ptr, chords.units, chords.end_vertices
    ptr, cross, t, t_error, linked = chords.crossings
    n_open = 0
    for c in range(len(region)):
        if ptr[c] == ptr[c + 1]:
            continue
        r, i, c0, c1 = region[c], ptr[c], ends[c, 0], ends[c, 1]
        a, b = end_vertices[c, 0], end_vertices[c, 1]
        p, row = plane_of[r], error_of[r]
        for o in range(chord_ptr[r], chord_ptr[r + 1]):
            if _interleave(c0, c1, ends[o, 0], ends[o, 1]):
                j = units[unit_ptr[o]]
                za, bound_a = unit_value_at(planes, p, errors, row, j, x, deviation, a, limit)
                zb, bound_b = unit_value_at(planes, p, errors, row, j, x, deviation, b, limit)
                cross[i] = o - chord_ptr[r]
                t[i], t_error[i] = parameter(za, bound_a, zb, bound_b)
                i += 1
        sort_along(ptr[c], i, cross, t, t_error, linked)
        for k in range(ptr[c], i):
            n_open += linked[k]
    return n_open
