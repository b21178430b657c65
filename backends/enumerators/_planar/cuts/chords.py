"""Compiled kernels that find the chords along which a layer cuts each region of the plane.

Within a region the zero set of a neuron that crosses it is a chord between two points of the rim;
the rim's points, corners and crossings of its edges, are numbered 0..B-1 counterclockwise. Neurons
with the same two points have the same chord. Chords cross inside the region if and only if their
ends interleave on the rim, so only the order of crossings along a chord needs arithmetic.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

from ..._certified.crossings import parameter
from ..._certified.values import unit_value_at
from ..._shared.bits import lowest_bit
from ..._shared.growing import fill, grown
from ..records import Chords, Crossings
from .signs import sort_along

__all__ = ["find_chords", "rim_size"]


@njit(cache=True, inline="always")
def _sign(positive, negative, v, j):
    word, bit = j >> 6, np.uint64(j & 63)
    above = (positive[v, word] >> bit) & np.uint64(1)
    below = (negative[v, word] >> bit) & np.uint64(1)
    return np.int8(above) - np.int8(below)


@njit(cache=True, inline="always")
def _crossing_units(r, region_ptr, corners, positive, negative, inside, units):
    """Collect the units with both signs at corners of region r, ascending, and also as bits."""
    count = 0
    for w in range(positive.shape[1]):
        above, below = np.uint64(0), np.uint64(0)
        for q in range(region_ptr[r], region_ptr[r + 1]):
            above |= positive[corners[q], w]
            below |= negative[corners[q], w]
        word = above & below
        inside[w] = word
        while word:
            units[count] = 64 * w + int(lowest_bit(word))
            word &= word - np.uint64(1)
            count += 1
    return count


@njit(cache=True)
def rim_size(r, region_ptr, half_edges, group_ptr):
    """Return how many points are on the rim of region r."""
    size = 0
    for q in range(region_ptr[r], region_ptr[r + 1]):
        e = half_edges[q] >> 1
        size += 1 + group_ptr[e + 1] - group_ptr[e]
    return size


@njit(cache=True, inline="always")
def _walk_rim(
    r,
    region_ptr,
    half_edges,
    edge_vertices,
    positive,
    negative,
    ptr,
    item,
    same,
    group_ptr,
    base,
    inside,
    found,
    begin,
    end,
    turn,
    rim,
):
    """Write the vertices on the rim of region r to `rim`, and where the found units vanish.

    Unit j vanishes at the points ``begin[j] < end[j]``, and ``turn[j]`` is its sign between them.
    Returns whether every unit vanishes at exactly two points.
    """
    for i in range(len(found)):
        begin[found[i]] = end[found[i]] = -1
    position, n_ends = 0, 0
    for q in range(region_ptr[r], region_ptr[r + 1]):
        e, back = half_edges[q] >> 1, half_edges[q] & 1
        v, following = edge_vertices[e, back], edge_vertices[e, 1 - back]
        rim[position] = v
        for w in range(positive.shape[1]):
            word = inside[w] & ~(positive[v, w] | negative[v, w])
            while word:
                j = 64 * w + int(lowest_bit(word))
                word &= word - np.uint64(1)
                n_ends += 1
                if begin[j] < 0:
                    begin[j], turn[j] = position, _sign(positive, negative, following, j)
                else:
                    end[j] = position
        group = group_ptr[e + 1] if back else group_ptr[e] - 1
        for i in range(ptr[e + 1] - ptr[e]):
            k = ptr[e + 1] - 1 - i if back else ptr[e] + i
            # Backwards, a group's first crossing comes last.
            if i == 0 or not same[k + 1 if back else k]:
                position += 1
                group += -1 if back else 1
                rim[position] = base + group
            j = item[k]
            n_ends += 1
            if begin[j] < 0:
                begin[j], turn[j] = position, _sign(positive, negative, following, j)
            else:
                end[j] = position
        position += 1
    for i in range(len(found)):
        if end[found[i]] < 0 or turn[found[i]] == 0:
            return False
    return n_ends == 2 * len(found)


@njit(cache=True)
def _sort_by_ends(found, begin, end, size):
    """Sort units by the points where they vanish; stable."""
    if len(found) > 16:
        # Numbers of the type that `sort_along` sorts, so that sorting is compiled once.
        keys = (begin[found] * size + end[found]).astype(np.float64)
        fill(found, found[np.argsort(keys, kind="mergesort")])
        return
    for i in range(1, len(found)):
        j = found[i]
        key = begin[j] * size + end[j]
        k = i
        while k > 0 and begin[found[k - 1]] * size + end[found[k - 1]] > key:
            found[k] = found[k - 1]
            k -= 1
        found[k] = j


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
        A region whose signs contradict convexity, or -1.
    n_open : int
        How many orders along chords are open.
    """
    cells, maps, corners = crossed.cells, crossed.maps, crossed.beside.origins
    positive, negative = crossed.signs.positive, crossed.signs.negative
    ptr, item, same = crossed.crossings.ptr, crossed.crossings.item, crossed.crossings.same
    edge_vertices, base = cells.edge_vertices, len(cells.x)
    region_ptr, half_edges, group_ptr = cells.region_ptr, cells.half_edges, placed.group_ptr
    plane_of, planes, error_of, errors = maps.plane_of, maps.planes, maps.error_of, maps.errors
    x, deviation, limit = placed.x, placed.deviation, maps.limit
    n_regions, n_units = len(region_ptr) - 1, planes.shape[2]
    chord_ptr = np.zeros(n_regions + 1, np.int64)
    region, ends = np.empty(64, np.int32), np.empty((64, 2), np.int32)
    end_vertices = np.empty((64, 2), np.int32)
    unit_ptr, cross_ptr = np.zeros(65, np.int64), np.zeros(65, np.int64)
    units, after = np.empty(64, np.int32), np.empty(64, np.int8)
    cross, linked = np.empty(64, np.int32), np.empty(64, np.bool_)
    t, t_error = np.empty(64), np.empty(64)
    inside = np.empty(positive.shape[1], np.uint64)
    units_found = np.empty(n_units, np.int64)
    begin, end = np.empty(n_units, np.int64), np.empty(n_units, np.int64)
    turn = np.empty(n_units, np.int8)
    rim = np.empty(64, np.int32)
    # A call with a literal 0 would be compiled separately.
    n_chords, n_members, n_crossings = np.int64(0), np.int64(0), np.int64(0)
    broken, n_open = -1, 0
    for r in range(n_regions):
        count = np.int64(0)
        if plane_of[r] >= 0:
            count = _crossing_units(r, region_ptr, corners, positive, negative, inside, units_found)
        if count == 0:
            chord_ptr[r + 1] = n_chords
            continue
        found = units_found[:count]
        size = rim_size(r, region_ptr, half_edges, group_ptr)
        if size > len(rim):
            rim = grown(rim, size)
        if not _walk_rim(
            r,
            region_ptr,
            half_edges,
            edge_vertices,
            positive,
            negative,
            ptr,
            item,
            same,
            group_ptr,
            base,
            inside,
            found,
            begin,
            end,
            turn,
            rim,
        ):
            broken = r
            break

        _sort_by_ends(found, begin, end, size)
        first = n_chords
        # Calls that only find that there is room would take half of the time.
        if first + count > len(region):
            region, ends = grown(region, first + count), grown(ends, first + count)
            end_vertices = grown(end_vertices, first + count)
            unit_ptr = grown(unit_ptr, len(region) + 1)
            cross_ptr = grown(cross_ptr, len(region) + 1)
        if n_members + count > len(units):
            units, after = grown(units, n_members + count), grown(after, n_members + count)
        for i in range(count):
            j = found[i]
            last = n_chords - 1
            if i == 0 or begin[j] != ends[last, 0] or end[j] != ends[last, 1]:
                region[n_chords] = r
                ends[n_chords, 0], ends[n_chords, 1] = begin[j], end[j]
                end_vertices[n_chords, 0] = rim[begin[j]]
                end_vertices[n_chords, 1] = rim[end[j]]
                n_chords += 1
            units[n_members], after[n_members] = j, turn[j]
            n_members += 1
            unit_ptr[n_chords] = n_members
        chord_ptr[r + 1] = n_chords

        if n_chords == first + 1:
            # One chord crosses no other.
            cross_ptr[n_chords] = n_crossings
            continue
        plane, error = planes[plane_of[r]], errors[error_of[r]]
        for c in range(first, n_chords):
            room = n_crossings + n_chords - first
            if room > len(cross):
                cross, linked = grown(cross, room), grown(linked, room)
                t, t_error = grown(t, room), grown(t_error, room)
            start = n_crossings
            c0, c1 = ends[c, 0], ends[c, 1]
            for o in range(first, n_chords):
                o0, o1 = ends[o, 0], ends[o, 1]
                if o0 < c0 < o1 < c1 or c0 < o0 < c1 < o1:
                    j = units[unit_ptr[o]]
                    a, b = end_vertices[c, 0], end_vertices[c, 1]
                    za, bound_a = unit_value_at(plane, error, j, x, deviation, a, limit)
                    zb, bound_b = unit_value_at(plane, error, j, x, deviation, b, limit)
                    cross[n_crossings] = o - first
                    t[n_crossings], t_error[n_crossings] = parameter(za, bound_a, zb, bound_b)
                    n_crossings += 1
            sort_along(start, n_crossings, cross, t, t_error, linked)
            for i in range(start, n_crossings):
                n_open += linked[i]
            cross_ptr[c + 1] = n_crossings
    crossings = Crossings(
        cross_ptr[: n_chords + 1],
        cross[:n_crossings],
        t[:n_crossings],
        t_error[:n_crossings],
        linked[:n_crossings],
    )
    chords = Chords(
        chord_ptr,
        region[:n_chords],
        ends[:n_chords],
        end_vertices[:n_chords],
        unit_ptr[: n_chords + 1],
        units[:n_members],
        after[:n_members],
        crossings,
    )
    return chords, broken, n_open
