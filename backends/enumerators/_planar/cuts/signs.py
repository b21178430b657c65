"""Compiled numerical kernels: signs at vertices, and orders along segments.

Nothing here is decided from floats without a bound: a kernel returns a value with an error bound,
or marks what the bound leaves open, which the caller decides exactly. NaN leaves open whatever
depends on it.

Maps and signs are as in `records`. The signs at a vertex are two sets of units: those that are
positive there and those that are negative.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit, popcount
from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.system.compilation import njit

from ..._certified.crossings import parameter
from ..._certified.values import bound_near, larger, unit_value_at
from ..._shared.bits import in_neither, negative_bits
from ..._shared.growing import fill, grown

__all__ = [
    "beyond_in_plane",
    "corner_signs",
    "count_crossings",
    "count_groups",
    "edge_crossings",
    "place",
    "place_on_edges",
    "regions_crossed",
    "sort_along",
]

# The value of every unit and its bound, without branches, so that the loop is vectorised; in
# separate functions, because loops with many arrays are not. `if_above` and `if_below` become
# negative where the value exceeds its bound.


@njit(cache=True)
def beyond_in_plane(planes, p, errors, e, x0, x1, deviation, if_above, if_below):
    """Fill `if_above` and `if_below` for a point and the maps in rows p and e."""
    for j in range(errors.shape[1]):
        a, b, c = planes[p, 0, j], planes[p, 1, j], planes[p, 2, j]
        z = c + a * x0 + b * x1
        size, slope = abs(c) + abs(a * x0) + abs(b * x1), abs(a) + abs(b)
        bound = bound_near(size, slope, errors[e, j], deviation, 2)
        if_above[j] = bound - z
        if_below[j] = bound + z


@njit(cache=True)
def _beyond_on_line(planes, p, errors, e, x0, deviation, if_above, if_below):
    for j in range(errors.shape[1]):
        a, c = planes[p, 0, j], planes[p, 1, j]
        z = c + a * x0
        size = abs(c) + abs(a * x0)
        bound = bound_near(size, abs(a), errors[e, j], deviation, 1)
        if_above[j] = bound - z
        if_below[j] = bound + z


@njit(cache=True, nogil=True)
def corner_signs(regions, maps, cells, beside, signs, n_unknown):
    """Fill the signs at the vertices that the regions own, each from the map of its owner.

    Adds the (vertex, unit) pairs that the bounds leave open to the first `n_unknown` rows of
    ``signs.unknown``; returns these two.
    """
    planes, errors, limit = maps.planes, maps.errors, maps.limit
    plane_of, error_of = maps.plane_of, maps.error_of
    own_ptr, own, x, deviation = beside.own_ptr, beside.own, cells.x, cells.deviation
    positive, negative, unknown = signs.positive, signs.negative, signs.unknown
    d, n, n_words = x.shape[1], errors.shape[1], positive.shape[1]
    if_above, if_below = np.ones(64 * n_words), np.ones(64 * n_words)
    for r in regions:
        p, e = plane_of[r], error_of[r]
        for q in range(own_ptr[r], own_ptr[r + 1]):
            v = own[q]
            off = deviation[v]
            if off <= limit:
                x0, x1 = x[v, 0], x[v, d - 1]
                if d == 2:
                    beyond_in_plane(planes, p, errors, e, x0, x1, off, if_above, if_below)
                else:
                    _beyond_on_line(planes, p, errors, e, x0, off, if_above, if_below)
                for w in range(n_words):
                    positive[v, w] = negative_bits(if_above, 64 * w)
                    negative[v, w] = negative_bits(if_below, 64 * w)
            for w in range(n_words):
                word = in_neither(positive, negative, v, w, n)
                while word:
                    j = 64 * w + int(lowest_bit(word))
                    word &= word - np.uint64(1)
                    is_flat = planes[p, 0, j] == planes[p, d - 1, j] == planes[p, d, j] == 0.0
                    if is_flat and errors[e, j] == 0.0:
                        continue
                    unknown = grown(unknown, n_unknown + 1)
                    unknown[n_unknown, 0], unknown[n_unknown, 1] = v, j
                    n_unknown += 1
    return unknown, n_unknown


@njit(cache=True)
def sort_along(lo, hi, item, t, t_error, linked):
    """Sort lo..hi by t; set `linked[i]` where the order of i - 1 and i is open.

    The order before and after i is certain if every interval t ± t_error before i ends before
    every one from i on begins.
    """
    if hi - lo > 16:
        order = np.argsort(t[lo:hi], kind="mergesort")
        fill(item[lo:hi], item[lo:hi][order])
        fill(t[lo:hi], t[lo:hi][order])
        fill(t_error[lo:hi], t_error[lo:hi][order])
    else:
        for i in range(lo + 1, hi):
            this_item, this_t, this_error = item[i], t[i], t_error[i]
            k = i
            while k > lo and t[k - 1] > this_t:
                item[k], t[k], t_error[k] = item[k - 1], t[k - 1], t_error[k - 1]
                k -= 1
            item[k], t[k], t_error[k] = this_item, this_t, this_error
    widest, closest = 0.0, np.inf
    for i in range(lo, hi):
        linked[i] = False
        widest = larger(widest, t_error[i])
        if i > lo:
            closest = -larger(-closest, t[i - 1] - t[i])
    if closest > 2.01 * widest:
        return
    begins = np.empty(hi - lo)
    running = np.inf
    for i in range(hi - 1, lo - 1, -1):
        running = -larger(-running, t_error[i] - t[i])
        begins[i - lo] = running
    ends = -np.inf
    for i in range(lo + 1, hi):
        ends = larger(ends, t[i - 1] + t_error[i - 1])
        linked[i] = not begins[i - lo] > ends


@njit(cache=True, inline="always")
def _crossers(positive, negative, a, b, w):
    """Return word w of the set of units with strictly opposite signs at vertices a and b."""
    return (positive[a, w] & negative[b, w]) | (negative[a, w] & positive[b, w])


@njit(cache=True, nogil=True)
def regions_crossed(cells, origins, plane_of, signs):
    """Return the units that are positive at corners of each region, and the regions crossed.

    They are `above` and `regions` of `Crossed`.
    """
    region_ptr, positive, negative = cells.region_ptr, signs.positive, signs.negative
    n_regions, n_words = len(region_ptr) - 1, positive.shape[1]
    above, is_known = signs.above, len(signs.above) == n_regions
    if is_known and not len(signs.unknown):
        return above, signs.regions
    if not is_known:
        above = np.empty((n_regions, n_words), np.uint64)
    regions, n = np.empty(n_regions, np.int32), 0
    for r in range(n_regions):
        if is_known and plane_of[r] < 0:
            continue
        both = np.uint64(0)
        for w in range(n_words):
            some, others = np.uint64(0), np.uint64(0)
            for q in range(region_ptr[r], region_ptr[r + 1]):
                some |= positive[origins[q], w]
                others |= negative[origins[q], w]
            above[r, w] = some
            both |= some & others
        if both:
            regions[n] = r
            n += 1
    return above, regions[:n].copy()


@njit(cache=True, nogil=True)
def count_crossings(cells, regions, positive, negative):
    """Return the prefix sums of the numbers of units that strictly change sign along each edge.

    Parameters
    ----------
    cells : PlanarCells
    regions : ndarray of int32
        The regions that units cross; they do not cross edges of others.
    positive, negative : (n_vertices, n_words) ndarrays of uint64
    """
    edge_vertices, region_ptr, half_edges = cells.edge_vertices, cells.region_ptr, cells.half_edges
    n_edges, n_words = len(edge_vertices), positive.shape[1]
    ptr = np.zeros(n_edges + 1, np.int64)
    if 2 * len(regions) < len(region_ptr) - 1:
        for r in regions:
            for q in range(region_ptr[r], region_ptr[r + 1]):
                e, count = half_edges[q] >> 1, np.uint64(0)
                a, b = edge_vertices[e, 0], edge_vertices[e, 1]
                for w in range(n_words):
                    count += popcount(_crossers(positive, negative, a, b, w))
                ptr[e + 1] = count
    else:
        for e in range(n_edges):
            count = np.uint64(0)
            a, b = edge_vertices[e, 0], edge_vertices[e, 1]
            for w in range(n_words):
                count += popcount(_crossers(positive, negative, a, b, w))
            ptr[e + 1] = count
    for e in range(n_edges):
        ptr[e + 1] += ptr[e]
    return ptr


@njit(cache=True, nogil=True)
def edge_crossings(cells, edge_owner, maps, signs, crossings):
    """Fill and sort the units that cross each edge; return how many orders are open."""
    plane_of, planes, error_of, errors = maps.plane_of, maps.planes, maps.error_of, maps.errors
    edge_vertices, x, deviation, limit = cells.edge_vertices, cells.x, cells.deviation, maps.limit
    positive, negative, ptr = signs.positive, signs.negative, crossings.ptr
    item, t, t_error, linked = crossings.item, crossings.t, crossings.t_error, crossings.same
    n_open = 0
    for e in range(len(edge_vertices)):
        k = ptr[e]
        if k == ptr[e + 1]:
            continue
        a, b = edge_vertices[e, 0], edge_vertices[e, 1]
        p, row = plane_of[edge_owner[e]], error_of[edge_owner[e]]
        for w in range(positive.shape[1]):
            word = _crossers(positive, negative, a, b, w)
            while word:
                j = 64 * w + int(lowest_bit(word))
                word &= word - np.uint64(1)
                za, bound_a = unit_value_at(planes, p, errors, row, j, x, deviation, a, limit)
                zb, bound_b = unit_value_at(planes, p, errors, row, j, x, deviation, b, limit)
                item[k] = j
                t[k], t_error[k] = parameter(za, bound_a, zb, bound_b)
                k += 1
        if k == ptr[e] + 1:
            linked[ptr[e]] = False
            continue
        sort_along(ptr[e], k, item, t, t_error, linked)
        for i in range(ptr[e], k):
            n_open += linked[i]
    return n_open


@njit(cache=True, nogil=True)
def count_groups(ptr, same):
    """Return the prefix sums of the numbers of distinct crossing points of each segment.

    `same[i]` tells whether crossing i is at the same point as crossing i - 1.
    """
    n_same = 0
    for i in range(len(same)):
        n_same += same[i]
    if not n_same:
        return ptr
    group_ptr, total = np.zeros_like(ptr), 0
    for e in range(len(ptr) - 1):
        for i in range(ptr[e], ptr[e + 1]):
            total += not same[i]
        group_ptr[e + 1] = total
    return group_ptr


@njit(cache=True, inline="always")
def place(x, deviation, a, b, t, t_error, magnitude, target):
    """Put vertex `target` at parameter t of the segment from a to b, with its error bound."""
    error = larger(deviation[a], deviation[b])
    span, size = 0.0, 0.0
    for i in range(x.shape[1]):
        step = x[b, i] - x[a, i]
        x[target, i] = x[a, i] + t * step
        span = max(span, abs(step))
        size = max(size, magnitude[i])
    deviation[target] = 1.01 * (error + (span + 2 * error) * t_error) + 8 * UNIT_ROUNDOFF * size


@njit(cache=True, nogil=True)
def place_on_edges(edge_vertices, crossings, group_ptr, magnitude, x, deviation):
    """Place the vertex of each group, from the crossing with the smallest error; return which.

    The vertices of groups come last. The result holds that crossing, for each group.
    """
    ptr, same, t, t_error = crossings.ptr, crossings.same, crossings.t, crossings.t_error
    base = len(x) - group_ptr[-1]
    best_of = np.empty(group_ptr[-1], np.int64)
    for e in range(len(ptr) - 1):
        if ptr[e] == ptr[e + 1]:
            continue
        g = group_ptr[e] - 1
        for i in range(ptr[e], ptr[e + 1]):
            if not same[i]:
                g += 1
                best_of[g] = i
            elif t_error[i] < t_error[best_of[g]]:
                best_of[g] = i
        for g in range(group_ptr[e], group_ptr[e + 1]):
            i = best_of[g]
            a, b = edge_vertices[e, 0], edge_vertices[e, 1]
            place(x, deviation, a, b, t[i], t_error[i], magnitude, base + g)
    return best_of
