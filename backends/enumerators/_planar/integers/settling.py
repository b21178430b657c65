"""Signs and orders that bounds leave open, decided with the integers of a block.

The order of two planes along a line is a sign too: that of the second one where the first one
meets the line, against its sign where the line begins.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

from .digits import meet, sign_at

__all__ = ["settle_along_chords", "settle_along_edges", "settle_signs"]


@njit(cache=True, nogil=True)
def settle_signs(signs, cells, beside, plane_of, places, integers):
    """Fill the signs of the (vertex, unit) pairs in ``signs.unknown``.

    Here and below `places` has the numbers of the stage's units among those of the layer.
    """
    lines, units = integers.lines, integers.units
    k = lines.shape[2]
    point, sums = np.empty((3, 2 * k), np.int64), np.empty(3 * k, np.int64)
    previous, side, plane = -1, 0, 0
    for i in range(len(signs.unknown)):
        v, j = signs.unknown[i]
        if v != previous:
            previous = v
            r = beside.vertex_owner[v]
            plane = plane_of[r]
            q = cells.region_ptr[r]
            while beside.origins[q] != v:
                q += 1
            before = q - 1 if q > cells.region_ptr[r] else cells.region_ptr[r + 1] - 1
            a, b = cells.half_edges[q] >> 1, cells.half_edges[before] >> 1
            side = meet(lines[a], lines[b], point)
        sign = side * sign_at(units[plane, places[j]], point, sums)
        if sign > 0:
            signs.positive[v, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        elif sign < 0:
            signs.negative[v, j >> 6] |= np.uint64(1) << np.uint64(j & 63)


@njit(cache=True)
def _settle_run(crossings, lo, hi, line, planes, members, at_start):
    """Sort the crossings lo..hi-1 along a line; note which are at the same point.

    Crossing lo + i is that of ``planes[members[i]]``, which has the sign ``at_start[i]`` where the
    line begins.
    """
    n, k = hi - lo, line.shape[1]
    item, same = crossings.item[lo:hi], crossings.same[lo:hi]
    point, sums = np.empty((3, 2 * k), np.int64), np.empty(3 * k, np.int64)
    order = np.empty(n, np.int64)
    for i in range(n):
        side = meet(planes[members[i]], line, point)
        low, high = 0, i
        while low < high:  # of many at one point, few are compared
            middle = (low + high) >> 1
            other = order[middle]
            sign = side * at_start[other] * sign_at(planes[members[other]], point, sums)
            if sign < 0 or (sign == 0 and item[other] < item[i]):  # the other one comes before
                low = middle + 1
            else:
                high = middle
        for at in range(i, low, -1):
            order[at] = order[at - 1]
        order[low] = i
    for i in range(n):
        same[i] = False
        if i > 0:
            meet(planes[members[order[i]]], line, point)
            same[i] = sign_at(planes[members[order[i - 1]]], point, sums) == 0
    item[:] = item[order]
    crossings.t[lo:hi] = crossings.t[lo:hi][order]
    crossings.t_error[lo:hi] = crossings.t_error[lo:hi][order]


@njit(cache=True, nogil=True)
def settle_along_edges(crossings, cells, owner, signs, plane_of, places, integers):
    """Order the crossings of edges where that is open."""
    ptr, item, same, positive = crossings.ptr, crossings.item, crossings.same, signs.positive
    members, at_start = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    for e in range(len(ptr) - 1):
        v = cells.edge_vertices[e, 0]
        i = ptr[e] + 1
        while i < ptr[e + 1]:
            if not same[i]:
                i += 1
                continue
            lo = i - 1
            while i < ptr[e + 1] and same[i]:
                i += 1
            for m in range(lo, i):
                j = item[m]
                members[m - lo] = places[j]
                is_above = (positive[v, j >> 6] >> np.uint64(j & 63)) & np.uint64(1)
                at_start[m - lo] = 1 if is_above else -1
            planes = integers.units[plane_of[owner[e]]]
            _settle_run(crossings, lo, i, integers.lines[e], planes, members, at_start)


@njit(cache=True, nogil=True)
def settle_along_chords(chords, plane_of, places, integers):
    """Order the crossings of chords where that is open."""
    crossings, ends, unit_ptr = chords.crossings, chords.ends, chords.unit_ptr
    ptr, item, same = crossings.ptr, crossings.item, crossings.same
    members, at_start = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    for c in range(len(ptr) - 1):
        r = chords.region[c]
        i = ptr[c] + 1
        while i < ptr[c + 1]:
            if not same[i]:
                i += 1
                continue
            lo = i - 1
            while i < ptr[c + 1] and same[i]:
                i += 1
            for m in range(lo, i):
                other = chords.chord_ptr[r] + item[m]
                members[m - lo] = places[chords.units[unit_ptr[other]]]
                is_between = ends[other, 0] < ends[c, 0] < ends[other, 1]
                after = chords.after[unit_ptr[other]]
                at_start[m - lo] = after if is_between else -after
            planes = integers.units[plane_of[r]]
            line = planes[places[chords.units[unit_ptr[c]]]]
            _settle_run(crossings, lo, i, line, planes, members, at_start)
