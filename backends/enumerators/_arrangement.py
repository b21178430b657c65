"""Compiled kernels of the planar enumerator; `cpu.py` calls them layer by layer.

Data. Edges are directed from ``edge_vertices[e, 0]`` to ``edge_vertices[e, 1]``. A *half-edge* is
the number ``2 * e + r``: edge e, traversed backwards if r = 1. The half-edges of a region follow
each other counterclockwise with the region on their left; a region's *corner* q is the origin of
its q-th half-edge. ``signs[v, j]`` is the sign of the layer's j-th pre-activation at vertex v.

Nothing here decides a sign or an order from floats alone: kernels give a value with a bound, or
mark what the bound leaves open, and the caller settles it exactly. Everything after that is
combinatorial.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UNKNOWN = np.int8(2)
"""A sign that the error bound leaves open."""

_UNIT_ROUNDOFF = 2.0**-53
_UNDERFLOW = 1e-300


@njit(cache=True, inline="always")
def _value(planes, errors, r, j, x, x_error, v, limit):
    """Return unit j's pre-activation at vertex v by the map of region r, and a bound of its error.

    The bound adds the rounding of the evaluation (γ_{d+1}), twice the error of the map (once for
    A and c at x, once for A times the deviation of x, which is at most `limit`, the smallest
    magnitude of an axis), and |A|₁ times the deviation. Constants are rounded up.
    """
    d = x.shape[1]
    c, error = planes[r, d, j], errors[r, j]
    z, size, slope = c, abs(c), 0.0
    for i in range(d):
        a = planes[r, i, j]
        z += a * x[v, i]
        size += abs(a * x[v, i])
        slope += abs(a)
    if slope == 0.0 and c == 0.0 and error == 0.0:
        return 0.0, 0.0
    if x_error[v] > limit:
        return z, np.inf
    bound = (2 * d + 4) * _UNIT_ROUNDOFF * size + 2.02 * error + 1.01 * slope * x_error[v]
    return z, bound + _UNDERFLOW


@njit(cache=True)
def corner_signs(first, planes, errors, corner_ptr, corners, owner, x, x_error, limit, signs):
    """Fill the rows of `signs` of the vertices that regions first, first + 1, ... own.

    Returns the number of signs marked `UNKNOWN`.
    """
    n_unknown = 0
    for r in range(len(planes)):
        for q in range(corner_ptr[first + r], corner_ptr[first + r + 1]):
            v = corners[q]
            if owner[v] != first + r:
                continue
            for j in range(signs.shape[1]):
                z, bound = _value(planes, errors, r, j, x, x_error, v, limit)
                if z > bound:
                    signs[v, j] = 1
                elif z < -bound:
                    signs[v, j] = -1
                elif bound == 0.0:
                    signs[v, j] = 0
                else:
                    signs[v, j] = UNKNOWN
                    n_unknown += 1
    return n_unknown


@njit(cache=True)
def count_edge_crossings(edge_vertices, signs):
    """Return the prefix sums of how many neurons change sign strictly along each edge."""
    n_edges = len(edge_vertices)
    ptr = np.zeros(n_edges + 1, np.int64)
    for e in range(n_edges):
        a, b = edge_vertices[e]
        count = 0
        for j in range(signs.shape[1]):
            count += signs[a, j] * signs[b, j] == -1
        ptr[e + 1] = ptr[e] + count
    return ptr


@njit(cache=True, inline="always")
def _parameter(za, bound_a, zb, bound_b):
    """Return where z vanishes between its values za at 0 and zb at 1, and a bound of the error.

    With exact values za + α and zb + β and D = za - zb the exact parameter differs from za / D by
    (za β - zb α) / (D (D + α - β)).
    """
    gap = abs(za - zb)
    slack = gap - bound_a - bound_b
    if slack <= 0.5 * gap:
        return 0.5, np.inf
    t = min(1.0, max(0.0, za / (za - zb)))
    error = (bound_a * abs(zb) + bound_b * abs(za)) / (gap * slack)
    return t, 1.01 * error + 4 * _UNIT_ROUNDOFF


@njit(cache=True)
def _sort_along(lo, hi, item, t, t_error, linked):
    """Sort lo..hi by t; set `linked[i]` where the order of i - 1 and i stays open.

    The order before and after i is certain if every interval t ± t_error before i ends before
    every one from i on begins.
    """
    n = hi - lo
    if n == 0:
        return
    order = np.argsort(t[lo:hi], kind="mergesort")
    item[lo:hi] = item[lo:hi][order]
    t[lo:hi] = t[lo:hi][order]
    t_error[lo:hi] = t_error[lo:hi][order]
    begins = np.empty(n)
    running = np.inf
    for i in range(n - 1, -1, -1):
        running = min(running, t[lo + i] - t_error[lo + i])
        begins[i] = running
    ends = -np.inf
    linked[lo] = False
    for i in range(1, n):
        ends = max(ends, t[lo + i - 1] + t_error[lo + i - 1])
        linked[lo + i] = begins[i] <= ends


@njit(cache=True)
def edge_crossings(
    first,
    planes,
    errors,
    edge_vertices,
    edge_owner,
    x,
    x_error,
    limit,
    signs,
    ptr,
    neuron,
    t,
    t_error,
    linked,
):
    """Fill and sort the crossings of the edges that regions first, first + 1, ... own."""
    for e in range(len(edge_vertices)):
        r = edge_owner[e] - first
        if r < 0 or r >= len(planes) or ptr[e] == ptr[e + 1]:
            continue
        a, b = edge_vertices[e]
        k = ptr[e]
        for j in range(signs.shape[1]):
            if signs[a, j] * signs[b, j] == -1:
                za, bound_a = _value(planes, errors, r, j, x, x_error, a, limit)
                zb, bound_b = _value(planes, errors, r, j, x, x_error, b, limit)
                neuron[k] = j
                t[k], t_error[k] = _parameter(za, bound_a, zb, bound_b)
                k += 1
        _sort_along(ptr[e], ptr[e + 1], neuron, t, t_error, linked)


@njit(cache=True)
def count_groups(ptr, same):
    """Return the prefix sums of how many distinct points each segment is crossed at.

    `same[i]` says that crossing i is at the same point as crossing i - 1.
    """
    group_ptr = np.zeros_like(ptr)
    for e in range(len(ptr) - 1):
        count = 0
        for i in range(ptr[e], ptr[e + 1]):
            count += not same[i]
        group_ptr[e + 1] = group_ptr[e] + count
    return group_ptr


@njit(cache=True, inline="always")
def _place(x, x_error, a, b, t, t_error, magnitude, target):
    """Put vertex `target` at parameter t of the segment from a to b, with its error bound."""
    error = max(x_error[a], x_error[b])
    span, size = 0.0, 0.0
    for i in range(x.shape[1]):
        step = x[b, i] - x[a, i]
        x[target, i] = x[a, i] + t * step
        span = max(span, abs(step))
        size = max(size, magnitude[i])
    x_error[target] = 1.01 * (error + (span + 2 * error) * t_error) + 8 * _UNIT_ROUNDOFF * size


@njit(cache=True)
def place_on_edges(edge_vertices, ptr, same, group_ptr, t, t_error, magnitude, base, x, x_error):
    """Place the vertex of each group, from the crossing with the smallest error; return which.

    The vertex of group g is base + g. The result holds that crossing, for each group.
    """
    best_of = np.empty(group_ptr[-1], np.int64)
    for e in range(len(ptr) - 1):
        g = group_ptr[e] - 1
        for i in range(ptr[e], ptr[e + 1]):
            if not same[i]:
                g += 1
                best_of[g] = i
            elif t_error[i] < t_error[best_of[g]]:
                best_of[g] = i
        for g in range(group_ptr[e], group_ptr[e + 1]):
            i = best_of[g]
            a, b = edge_vertices[e]
            _place(x, x_error, a, b, t[i], t_error[i], magnitude, base + g)
    return best_of


@njit(cache=True)
def split_edges(edge_vertices, group_ptr, base):
    """Return the pieces of all edges, edge by edge, and the first piece of each edge."""
    first_piece = np.empty(len(edge_vertices) + 1, np.int64)
    pieces = np.empty((len(edge_vertices) + group_ptr[-1], 2), np.int32)
    k = 0
    for e in range(len(edge_vertices)):
        first_piece[e] = k
        tail = edge_vertices[e, 0]
        for g in range(group_ptr[e], group_ptr[e + 1]):
            pieces[k, 0], pieces[k, 1] = tail, base + g
            tail = base + g
            k += 1
        pieces[k, 0], pieces[k, 1] = tail, edge_vertices[e, 1]
        k += 1
    first_piece[len(edge_vertices)] = k
    return pieces, first_piece


@njit(cache=True)
def line_patterns(edge_vertices, signs, ptr, neuron, same, packed, offset, first_piece):
    """Return the patterns of the pieces of a line's regions (d = 1)."""
    result = np.empty((first_piece[-1], packed.shape[1]), np.uint8)
    for r in range(len(edge_vertices)):
        row = packed[r].copy()
        a, b = edge_vertices[r]
        for j in range(signs.shape[1]):
            if signs[a, j] > 0 or (signs[a, j] == 0 and signs[b, j] > 0):
                bit = offset + j
                row[bit >> 3] |= np.uint8(1 << (bit & 7))
        k = first_piece[r]
        for i in range(ptr[r], ptr[r + 1]):
            if not same[i]:
                result[k] = row
                k += 1
            bit = offset + neuron[i]
            row[bit >> 3] ^= np.uint8(1 << (bit & 7))
        result[k] = row
    return result


# Chords. Within a region P the zero set of a crossing neuron is a chord between two points of P's
# rim; the rim's points, corners and crossings of its edges, are numbered 0..B-1 counterclockwise.
# Neurons with the same two points have the same chord. Chords cross inside P if and only if their
# ends interleave on the rim, so that only the order of crossings along a chord needs arithmetic.


@njit(cache=True)
def rim_sizes(region_ptr, half_edges, group_ptr):
    """Return the prefix sums of the number of points on each region's rim."""
    ptr = np.zeros(len(region_ptr), np.int64)
    for r in range(len(region_ptr) - 1):
        count = 0
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e = half_edges[q] >> 1
            count += 1 + group_ptr[e + 1] - group_ptr[e]
        ptr[r + 1] = ptr[r] + count
    return ptr


@njit(cache=True)
def walk_rims(region_ptr, half_edges, edge_vertices, group_ptr, first_piece, base, rim_ptr):
    """Return, for each rim point, its vertex and the half-edge of the piece that follows it."""
    vertex = np.empty(rim_ptr[-1], np.int32)
    piece = np.empty(rim_ptr[-1], np.int32)
    for r in range(len(region_ptr) - 1):
        k = rim_ptr[r]
        for q in range(region_ptr[r], region_ptr[r + 1]):
            e, back = half_edges[q] >> 1, half_edges[q] & 1
            n = group_ptr[e + 1] - group_ptr[e]
            for i in range(n + 1):
                if i == 0:
                    vertex[k] = edge_vertices[e, back]
                else:
                    vertex[k] = base + (group_ptr[e + 1] - i if back else group_ptr[e] + i - 1)
                piece[k] = 2 * (first_piece[e] + (n - i if back else i)) + back
                k += 1
    return vertex, piece


@njit(cache=True)
def _collect(
    r,
    region_ptr,
    half_edges,
    edge_vertices,
    signs,
    ptr,
    neuron,
    same,
    rim_size,
    crossing,
    seen,
    begin,
    end,
    after,
):
    """Find the neurons that cross region r, and where.

    Fills `crossing` with those neurons, ascending; for each of them `begin` < `end`, its two rim
    points, and `after`, its sign on the rim between the two. Returns their number, or -1 if the
    signs contradict convexity.
    """
    n_neurons = signs.shape[1]
    lo, hi = region_ptr[r], region_ptr[r + 1]
    seen[:] = 0
    for q in range(lo, hi):
        v = edge_vertices[half_edges[q] >> 1, half_edges[q] & 1]
        for j in range(n_neurons):
            # 1 for +, 2 for -, 0 for 0
            seen[j] |= (signs[v, j] > 0) + 2 * (signs[v, j] < 0)
    count = 0
    for j in range(n_neurons):
        if seen[j] == 3:
            crossing[count] = j
            begin[j] = end[j] = -1
            count += 1
    if count == 0:
        return 0
    position = 0
    for q in range(lo, hi):
        e, back = half_edges[q] >> 1, half_edges[q] & 1
        v, w = edge_vertices[e, back], edge_vertices[e, 1 - back]
        for i in range(count):
            j = crossing[i]
            if signs[v, j] == 0:
                if begin[j] < 0:
                    begin[j], after[j] = position, signs[w, j]
                elif end[j] < 0:
                    end[j] = position
                else:
                    return -1
        n = ptr[e + 1] - ptr[e]
        for i in range(n):
            k = ptr[e + 1] - 1 - i if back else ptr[e] + i
            # Backwards, a group's first crossing comes last.
            opens = i == 0 or not same[k + 1 if back else k]
            position += opens
            j = neuron[k]
            if begin[j] < 0:
                begin[j], after[j] = position, signs[w, j]
            elif end[j] < 0:
                end[j] = position
            else:
                return -1
        position += 1
    if position != rim_size:
        return -1
    for i in range(count):
        if end[crossing[i]] < 0 or after[crossing[i]] == 0:
            return -1
    return count


@njit(cache=True)
def count_chords(region_ptr, half_edges, edge_vertices, signs, ptr, neuron, same, rim_ptr):
    """Return prefix sums over regions of crossing neurons, chords, and crossings of chords.

    Each crossing of two chords counts twice, once for each. The fourth value is the first region
    whose signs contradict convexity, or -1.
    """
    n_regions, n_neurons = len(region_ptr) - 1, signs.shape[1]
    member_ptr = np.zeros(n_regions + 1, np.int64)
    chord_ptr = np.zeros(n_regions + 1, np.int64)
    meet_ptr = np.zeros(n_regions + 1, np.int64)
    crossing = np.empty(n_neurons, np.int64)
    seen = np.empty(n_neurons, np.int8)
    begin, end = np.empty(n_neurons, np.int64), np.empty(n_neurons, np.int64)
    after = np.empty(n_neurons, np.int8)
    for r in range(n_regions):
        size = rim_ptr[r + 1] - rim_ptr[r]
        count = _collect(
            r,
            region_ptr,
            half_edges,
            edge_vertices,
            signs,
            ptr,
            neuron,
            same,
            size,
            crossing,
            seen,
            begin,
            end,
            after,
        )
        if count < 0:
            return member_ptr, chord_ptr, meet_ptr, r
        chords, meets = 0, 0
        if count > 0:
            keys = begin[crossing[:count]] * size + end[crossing[:count]]
            keys.sort()
            for i in range(count):
                if i > 0 and keys[i] == keys[i - 1]:
                    continue
                chords += 1
                e = keys[i] % size
                last = keys[i]
                for k in range(i + 1, count):
                    if keys[k] // size >= e:
                        break
                    if keys[k] != last:
                        last = keys[k]
                        meets += 2 * (keys[k] // size > keys[i] // size and keys[k] % size > e)
        member_ptr[r + 1] = member_ptr[r] + count
        chord_ptr[r + 1] = chord_ptr[r] + chords
        meet_ptr[r + 1] = meet_ptr[r] + meets
    return member_ptr, chord_ptr, meet_ptr, -1


@njit(cache=True)
def fill_chords(
    region_ptr,
    half_edges,
    edge_vertices,
    signs,
    ptr,
    neuron,
    same,
    rim_ptr,
    member_ptr,
    chord_ptr,
    meet_ptr,
):
    """Return the chords of all regions.

    Returns
    -------
    ends : (n_chords, 2)
        Rim points, the first less than the second; chords of a region ascend by them.
    neuron_ptr, neurons, after
        For each chord its neurons, ascending, and the sign of each on the rim between the ends.
    cross_ptr, cross
        For each chord the chords of the region that it crosses, as numbers within the region.
    region
        For each chord its region.
    """
    n_regions, n_neurons = len(region_ptr) - 1, signs.shape[1]
    n_chords = chord_ptr[-1]
    ends = np.empty((n_chords, 2), np.int32)
    region = np.empty(n_chords, np.int32)
    neuron_ptr = np.zeros(n_chords + 1, np.int64)
    neurons = np.empty(member_ptr[-1], np.int32)
    member_after = np.empty(member_ptr[-1], np.int8)
    cross_ptr = np.zeros(n_chords + 1, np.int64)
    cross = np.empty(meet_ptr[-1], np.int32)
    crossing = np.empty(n_neurons, np.int64)
    seen = np.empty(n_neurons, np.int8)
    begin, end = np.empty(n_neurons, np.int64), np.empty(n_neurons, np.int64)
    after = np.empty(n_neurons, np.int8)
    for r in range(n_regions):
        if member_ptr[r] == member_ptr[r + 1]:
            continue
        size = rim_ptr[r + 1] - rim_ptr[r]
        count = _collect(
            r,
            region_ptr,
            half_edges,
            edge_vertices,
            signs,
            ptr,
            neuron,
            same,
            size,
            crossing,
            seen,
            begin,
            end,
            after,
        )
        keys = begin[crossing[:count]] * size + end[crossing[:count]]
        order = np.argsort(keys, kind="mergesort")
        first = chord_ptr[r]
        c = first - 1
        for i in range(count):
            j = crossing[order[i]]
            if i == 0 or keys[order[i]] != keys[order[i - 1]]:
                c += 1
                ends[c, 0], ends[c, 1], region[c] = begin[j], end[j], r
                neuron_ptr[c] = member_ptr[r] + i
            neurons[member_ptr[r] + i] = j
            member_after[member_ptr[r] + i] = after[j]
        last = c + 1
        k = meet_ptr[r]
        for c in range(first, last):
            cross_ptr[c] = k
            for o in range(first, last):
                if (ends[o, 0] < ends[c, 0] < ends[o, 1] < ends[c, 1]) or (
                    ends[c, 0] < ends[o, 0] < ends[c, 1] < ends[o, 1]
                ):
                    cross[k] = o - first
                    k += 1
    # Regions without chords leave no entry, so the ends of the lists need no repair but the last.
    neuron_ptr[n_chords] = member_ptr[-1]
    cross_ptr[n_chords] = meet_ptr[-1]
    return ends, neuron_ptr, neurons, member_after, cross_ptr, cross, region


@njit(cache=True)
def chord_crossings(
    first,
    planes,
    errors,
    chord_ptr,
    ends,
    neuron_ptr,
    neurons,
    cross_ptr,
    cross,
    rim_ptr,
    rim_vertex,
    x,
    x_error,
    limit,
    t,
    t_error,
    linked,
):
    """Fill and sort the crossings along the chords of regions first, first + 1, ...."""
    for k in range(len(planes)):
        r = first + k
        for c in range(chord_ptr[r], chord_ptr[r + 1]):
            a = rim_vertex[rim_ptr[r] + ends[c, 0]]
            b = rim_vertex[rim_ptr[r] + ends[c, 1]]
            for i in range(cross_ptr[c], cross_ptr[c + 1]):
                j = neurons[neuron_ptr[chord_ptr[r] + cross[i]]]
                za, bound_a = _value(planes, errors, k, j, x, x_error, a, limit)
                zb, bound_b = _value(planes, errors, k, j, x, x_error, b, limit)
                t[i], t_error[i] = _parameter(za, bound_a, zb, bound_b)
            _sort_along(cross_ptr[c], cross_ptr[c + 1], cross, t, t_error, linked)


@njit(cache=True)
def count_inner_vertices(chord_ptr, cross_ptr, cross, same):
    """Return the prefix sums over regions of the points at which chords cross inside.

    A point belongs to the first of the chords through it.
    """
    ptr = np.zeros_like(chord_ptr)
    for r in range(len(chord_ptr) - 1):
        count = 0
        for c in range(chord_ptr[r], chord_ptr[r + 1]):
            i = cross_ptr[c]
            while i < cross_ptr[c + 1]:
                smallest = cross[i]
                i += 1
                while i < cross_ptr[c + 1] and same[i]:
                    smallest = min(smallest, cross[i])
                    i += 1
                count += smallest > c - chord_ptr[r]
        ptr[r + 1] = ptr[r] + count
    return ptr


@njit(cache=True)
def face_counts(region_ptr, rim_ptr, chord_ptr, chord_group_ptr, inner_ptr):
    """Return prefix sums over regions of new edges, faces, and half-edges of the faces.

    Euler's relation for the disc: faces = chord edges - inner vertices + 1.
    """
    n_regions = len(region_ptr) - 1
    edge_ptr = np.zeros(n_regions + 1, np.int64)
    face_ptr = np.zeros(n_regions + 1, np.int64)
    side_ptr = np.zeros(n_regions + 1, np.int64)
    for r in range(n_regions):
        c0, c1 = chord_ptr[r], chord_ptr[r + 1]
        edges = chord_group_ptr[c1] - chord_group_ptr[c0] + c1 - c0
        edge_ptr[r + 1] = edge_ptr[r] + edges
        face_ptr[r + 1] = face_ptr[r] + edges - (inner_ptr[r + 1] - inner_ptr[r]) + 1
        side_ptr[r + 1] = side_ptr[r] + 2 * edges + rim_ptr[r + 1] - rim_ptr[r]
    return edge_ptr, face_ptr, side_ptr


@njit(cache=True)
def fill_faces(
    region_ptr,
    half_edges,
    edge_vertices,
    signs,
    packed,
    offset,
    rim_ptr,
    rim_vertex,
    rim_piece,
    chord_ptr,
    ends,
    neuron_ptr,
    neurons,
    after,
    cross_ptr,
    cross,
    same,
    t,
    t_error,
    inner_ptr,
    edge_ptr,
    face_ptr,
    side_ptr,
    inner_base,
    edge_base,
    magnitude,
    x,
    x_error,
    new_vertices,
    new_labels,
    inner_source,
    out_ptr,
    out_half_edges,
    out_packed,
):
    """Build vertices, edges, faces and patterns inside every region.

    Fills the rows of inner vertices in `x` and `x_error` from inner_base on, with `inner_source`
    telling the region and two neurons of each; the rows of chord edges in `new_vertices` and
    `new_labels` from edge_base on; and the faces.
    """
    n_neurons = signs.shape[1]
    for r in range(len(region_ptr) - 1):
        c0, c1 = chord_ptr[r], chord_ptr[r + 1]
        size, rim0 = rim_ptr[r + 1] - rim_ptr[r], rim_ptr[r]
        f0, s0 = face_ptr[r], side_ptr[r]
        row = packed[r].copy()
        for q in range(region_ptr[r], region_ptr[r + 1]):
            v = edge_vertices[half_edges[q] >> 1, half_edges[q] & 1]
            for j in range(n_neurons):
                if signs[v, j] > 0:
                    bit = offset + j
                    row[bit >> 3] |= np.uint8(1 << (bit & 7))
        # The reference face is left of the first piece of the rim. Crossing neurons have been
        # set above; clear those that are negative there.
        for c in range(c0, c1):
            for m in range(neuron_ptr[c], neuron_ptr[c + 1]):
                if (after[m] > 0) != (ends[c, 0] == 0):
                    bit = offset + neurons[m]
                    row[bit >> 3] ^= np.uint8(1 << (bit & 7))
        out_ptr[f0] = s0
        out_packed[f0] = row
        if c0 == c1:
            for p in range(size):
                out_half_edges[s0 + p] = rim_piece[rim0 + p]
            continue

        # Local vertices: rim points, then inner ones. Local edge i < size is the rim piece after
        # point i; chord edges follow. `path` holds the local vertices along each chord.
        k = c1 - c0
        n_inner = inner_ptr[r + 1] - inner_ptr[r]
        n_vertices = size + n_inner
        n_edges = size + edge_ptr[r + 1] - edge_ptr[r]
        met = np.empty((k, k), np.int32)
        path_ptr = np.zeros(k + 1, np.int64)
        path = np.empty(n_edges - size + k, np.int32)
        degree = np.zeros(n_vertices, np.int32)
        next_inner = size
        w = 0
        for c in range(k):
            path_ptr[c] = w
            path[w] = ends[c0 + c, 0]
            w += 1
            hi = cross_ptr[c0 + c + 1]
            i = cross_ptr[c0 + c]
            while i < hi:
                smallest, best = cross[i], i
                stop = i + 1
                while stop < hi and same[stop]:
                    smallest = min(smallest, cross[stop])
                    if t_error[stop] < t_error[best]:
                        best = stop
                    stop += 1
                if smallest > c:
                    local = next_inner
                    next_inner += 1
                    for m in range(i, stop):
                        met[c, cross[m]] = local
                    target = inner_base + inner_ptr[r] + local - size
                    _place(
                        x,
                        x_error,
                        rim_vertex[rim0 + ends[c0 + c, 0]],
                        rim_vertex[rim0 + ends[c0 + c, 1]],
                        t[best],
                        t_error[best],
                        magnitude,
                        target,
                    )
                    source = inner_ptr[r] + local - size
                    inner_source[source, 0] = r
                    inner_source[source, 1] = neurons[neuron_ptr[c0 + c]]
                    inner_source[source, 2] = neurons[neuron_ptr[c0 + cross[best]]]
                else:
                    local = met[smallest, c]
                degree[local] += 1
                path[w] = local
                w += 1
                i = stop
            path[w] = ends[c0 + c, 1]
            w += 1
        path_ptr[k] = w

        # Rotations: the half-edges that leave each vertex, counterclockwise. At a rim point:
        # the rim piece ahead, chords that begin here by their other end, chords that end here by
        # their other end, the rim piece behind. At an inner vertex: towards the chords' first
        # ends, then towards their second ends, in the order of the chords.
        begins = np.zeros(size, np.int32)
        for c in range(k):
            begins[ends[c0 + c, 0]] += 1
            degree[ends[c0 + c, 0]] += 1
            degree[ends[c0 + c, 1]] += 1
        rotation_ptr = np.zeros(n_vertices + 1, np.int64)
        low = np.empty(n_vertices, np.int64)
        high = np.empty(n_vertices, np.int64)
        for v in range(n_vertices):
            at = rotation_ptr[v]
            if v < size:
                low[v] = at + 1
                high[v] = at + 1 + begins[v]
                rotation_ptr[v + 1] = at + degree[v] + 2
            else:
                low[v] = at
                high[v] = at + degree[v]
                rotation_ptr[v + 1] = at + 2 * degree[v]
        rotation = np.empty(rotation_ptr[n_vertices], np.int64)
        for p in range(size):
            rotation[rotation_ptr[p]] = 2 * p
            before = p - 1 if p > 0 else size - 1
            rotation[rotation_ptr[p + 1] - 1] = 2 * before + 1
        edge_chord = np.empty(n_edges - size, np.int32)
        edge = size
        for c in range(k):
            a, b = path_ptr[c], path_ptr[c + 1] - 1
            for w in range(a, b):
                edge_chord[edge - size] = c
                if w == a:
                    rotation[low[path[w]]] = 2 * edge
                    low[path[w]] += 1
                else:
                    rotation[high[path[w]]] = 2 * edge
                    high[path[w]] += 1
                if w + 1 == b:
                    rotation[high[path[b]]] = 2 * edge + 1
                    high[path[b]] += 1
                else:
                    rotation[low[path[w + 1]]] = 2 * edge + 1
                    low[path[w + 1]] += 1
                row_out = edge_base + edge_ptr[r] + edge - size
                for s in range(2):
                    v = path[w + s]
                    new_vertices[row_out, s] = (
                        rim_vertex[rim0 + v] if v < size else inner_base + inner_ptr[r] + v - size
                    )
                new_labels[row_out] = offset + neurons[neuron_ptr[c0 + c]]
                edge += 1

        # A face keeps to its left: after arriving at a vertex it leaves by the half-edge that
        # comes just before the reverse of the arrival in the rotation.
        following = np.empty(2 * n_edges, np.int64)
        for v in range(n_vertices):
            lo, hi = rotation_ptr[v], rotation_ptr[v + 1]
            for i in range(lo, hi):
                following[rotation[i] ^ 1] = rotation[i - 1 if i > lo else hi - 1]
        face_of = np.full(2 * n_edges, -1, np.int32)
        first_half = np.empty(face_ptr[r + 1] - f0, np.int64)
        n_faces = 0
        s = s0
        for start in range(2 * n_edges):
            if face_of[start] >= 0 or (start < 2 * size and start & 1):
                continue
            out_ptr[f0 + n_faces] = s
            first_half[n_faces] = start
            h = start
            while face_of[h] < 0:
                face_of[h] = n_faces
                if h < 2 * size:
                    out_half_edges[s] = rim_piece[rim0 + (h >> 1)]
                else:
                    out_half_edges[s] = 2 * (edge_base + edge_ptr[r] - size) + h
                s += 1
                h = following[h]
            n_faces += 1

        # Patterns spread from the reference face across chord edges, which flip their neurons.
        known = np.zeros(n_faces, np.bool_)
        stack = np.empty(n_faces, np.int64)
        known[0] = True
        stack[0] = 0
        height = 1
        while height > 0:
            height -= 1
            face = stack[height]
            start = first_half[face]
            h = start
            while True:
                if h >= 2 * size:
                    other = face_of[h ^ 1]
                    if not known[other]:
                        known[other] = True
                        stack[height] = other
                        height += 1
                        out_packed[f0 + other] = out_packed[f0 + face]
                        c = c0 + edge_chord[(h >> 1) - size]
                        for m in range(neuron_ptr[c], neuron_ptr[c + 1]):
                            bit = offset + neurons[m]
                            out_packed[f0 + other, bit >> 3] ^= np.uint8(1 << (bit & 7))
                h = following[h]
                if h == start:
                    break
    out_ptr[face_ptr[-1]] = side_ptr[-1]


@njit(cache=True)
def owners(out_ptr, out_half_edges, edge_vertices, n_vertices):
    """Return one region that contains each edge, and one that contains each vertex."""
    edge_owner = np.empty(len(edge_vertices), np.int32)
    vertex_owner = np.empty(n_vertices, np.int32)
    for r in range(len(out_ptr) - 2, -1, -1):
        for q in range(out_ptr[r], out_ptr[r + 1]):
            e = out_half_edges[q] >> 1
            edge_owner[e] = r
            vertex_owner[edge_vertices[e, out_half_edges[q] & 1]] = r
    return edge_owner, vertex_owner
