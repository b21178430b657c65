"""A layer's pre-activations at vertices, from those of the layer before.

Where a layer cuts few regions, hardly any region has a sibling whose map is only an update away
(`maps`). There are about as many vertices as regions, and a vertex needs one column where a map
needs three; so from then on the values at the vertices are carried from layer to layer, and maps
are fitted to them where a neuron crosses, and for the neurons that do.

Let x̂ be the floats that stand for a vertex v, and Z the map of a region R that has v as a corner.
For all such regions the values ẑ at v obey ::

    ‖ẑ - Z(x̂)‖ ≤ e

in Euclidean norm over the neurons, and what is carried beside them. How far x̂ is from v is told
apart (`PlanarCells.deviation`), so that it is not passed on. By the inequality of Cauchy and
Schwarz the next layer's values, computed with the pattern D of one of those regions, are off by at
most ::

    ‖W‖ (e + f) + γ (‖W‖_F ‖D ẑ‖ + ‖b‖)

where f is the norm of ẑ over those neurons in which the other regions' patterns differ from D; they
vanish in v, and nearly in x̂. Where units are leaky, D has their slopes, ‖W‖ bounds W D for all
patterns, and f counts times the largest jump of a slope. γ is as in `maps`. On an edge both sides'
maps are affine; so values at a new vertex on it are interpolated, and what x̂ is off the edge
counts times a bound S of the slopes, which grows with ‖W‖ too.

The sign of neuron j in v is that of ẑ_j where |ẑ_j| > e + s δ, with δ = |v - x̂| and s the slope of
neuron j. Nearly always S ‖W_j‖ does for s; else it comes from the values at three corners of R.
A map fitted to three corners, each within m, is within κ m at every corner, κ being the greatest
sum of the absolute values of barycentric coordinates; and so within the region.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit
from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.system.compilation import njit

from ..._certified.norms import norm_from, norm_of_difference
from ..._certified.values import OPEN, certain_sign, larger
from ..._shared.bits import in_neither, n_words, negative_bits
from ..._shared.growing import grown
from ..records import Maps, Values, VertexSigns

__all__ = ["add_vertices", "are_coarse", "fit_maps", "next_values", "values_of_maps"]

_AT_ONCE = 4
"""How many vertices are evaluated at a time."""

_SQRT_2 = 1.4142136


@njit(cache=True, nogil=True)
def values_of_maps(maps, cells, beside):
    """Return the values of maps at all vertices."""
    n_planes, n = len(maps.planes), maps.planes.shape[2]
    heights = np.full((n_planes, 3), -1.0)
    slope = 0.0
    for r in range(len(maps.plane_of)):
        p, e = maps.plane_of[r], maps.error_of[r]
        if heights[p, 0] < 0.0:
            for k in range(3):
                square = _sum_of_squares(maps.planes[p, k])
                heights[p, k] = norm_from(square, maps.planes[p, k])
        a, b = heights[p, 0] + maps.norms[e, 0], heights[p, 1] + maps.norms[e, 1]
        slope = larger(slope, 1.01 * norm_from(a * a + b * b, (a, b)))
    z, errors = np.empty((len(cells.x), n)), np.zeros(len(cells.x))
    for v in range(len(cells.x)):
        p = maps.plane_of[beside.vertex_owner[v]]
        _evaluate(maps.planes[p], cells.x[v, 0], cells.x[v, 1], z[v])
    other = np.empty(n)
    for r in range(len(maps.plane_of)):
        p, e = maps.plane_of[r], maps.error_of[r]
        for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
            v = beside.origins[q]
            x0, x1 = abs(cells.x[v, 0]), abs(cells.x[v, 1])
            size = heights[p, 0] * x0 + heights[p, 1] * x1 + heights[p, 2]
            error = maps.norms[e, 0] * x0 + maps.norms[e, 1] * x1 + maps.norms[e, 2]
            jump = 0.0
            if p != maps.plane_of[beside.vertex_owner[v]]:
                _evaluate(maps.planes[p], cells.x[v, 0], cells.x[v, 1], other)
                jump = norm_of_difference(_square_of_distance(z, v, other), z[v], other)
            errors[v] = larger(errors[v], 1.01 * (jump + error + 8 * UNIT_ROUNDOFF * size))
    return Values(z, errors, slope)


@njit(cache=True, nogil=True)
def are_coarse(values, share):
    """Return whether at most vertices the bound is more than a share of the norm of the values."""
    n_coarse = 0
    for v in range(len(values.z)):
        error = values.errors[v]
        n_coarse += error * error > share * share * _sum_of_squares(values.z[v])
    return 2 * n_coarse > len(values.z)


@njit(cache=True, fastmath={"contract"})
def _evaluate(plane, x0, x1, z):
    for j in range(len(z)):
        z[j] = plane[2, j] + (plane[0, j] * x0 + plane[1, j] * x1)


@njit(cache=True, fastmath={"reassoc", "contract"})
def _square_of_distance(z, v, other):
    total = 0.0
    for i in range(len(other)):
        total += (z[v, i] - other[i]) ** 2
    return total


@njit(cache=True, fastmath={"reassoc", "contract"})
def _sum_of_squares(numbers):
    total = 0.0
    for i in range(len(numbers)):
        total += numbers[i] * numbers[i]
    return total


@njit(cache=True)
def _layer_bits(packed, offset, n):
    """Return the bits of a layer of each pattern as words."""
    bits = np.zeros((len(packed), n_words(n)), np.uint64)
    shift = offset & 7
    for r in range(len(packed)):
        for i in range(offset >> 3, (offset + n + 7) >> 3):
            byte = np.uint64(packed[r, i])
            at = 8 * i - offset
            if at < 0:
                bits[r, 0] |= byte >> np.uint64(shift)
            else:
                bits[r, at >> 6] |= byte << np.uint64(at & 63)
                if (at & 63) > 56 and (at >> 6) + 1 < bits.shape[1]:
                    bits[r, (at >> 6) + 1] |= byte >> np.uint64(64 - (at & 63))
        if n & 63:
            bits[r, -1] &= (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1)
    return bits


@njit(cache=True)
def _disagreement(bits, z, region_ptr, origins, vertex_owner):
    """Return f for each vertex."""
    norms, differing = np.zeros(len(z)), np.zeros(z.shape[1])
    for r in range(len(bits)):
        for q in range(region_ptr[r], region_ptr[r + 1]):
            v = origins[q]
            total, n = 0.0, 0
            for w in range(bits.shape[1]):
                word = bits[r, w] ^ bits[vertex_owner[v], w]
                while word:
                    j = 64 * w + int(lowest_bit(word))
                    word &= word - np.uint64(1)
                    total += z[v, j] * z[v, j]
                    differing[n] = z[v, j]
                    n += 1
            if n:
                norms[v] = larger(norms[v], norm_from(total, differing[:n]))
    return norms


@njit(cache=True, fastmath={"contract"})
def _multiply(active, units, n_units, columns, added, bias, z, rows):
    """Fill four rows of z from the values of active units at four vertices."""
    n = len(bias)
    at0, at1, at2, at3 = active[0], active[1], active[2], active[3]
    to0, to1, to2, to3 = z[rows[0]], z[rows[1]], z[rows[2]], z[rows[3]]
    for j in range(n):
        to0[j] = to1[j] = to2[j] = to3[j] = bias[j]
    for k in range(len(added)):
        j, i = added[k]
        to0[j] += at0[i]
        to1[j] += at1[i]
        to2[j] += at2[i]
        to3[j] += at3[i]
    for k in range(0, n_units, 4):
        i0, i1, i2, i3 = units[k], units[k + 1], units[k + 2], units[k + 3]
        a0, a1, a2, a3 = at0[i0], at0[i1], at0[i2], at0[i3]
        b0, b1, b2, b3 = at1[i0], at1[i1], at1[i2], at1[i3]
        c0, c1, c2, c3 = at2[i0], at2[i1], at2[i2], at2[i3]
        d0, d1, d2, d3 = at3[i0], at3[i1], at3[i2], at3[i3]
        # Rows of their own: indices in two dimensions would take a third more time.
        row0, row1, row2, row3 = columns[i0], columns[i1], columns[i2], columns[i3]
        for j in range(n):
            w0, w1, w2, w3 = row0[j], row1[j], row2[j], row3[j]
            to0[j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
            to1[j] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
            to2[j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
            to3[j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3


@njit(cache=True)
def _compare(z, threshold, if_above, if_below):
    for j in range(len(z)):
        if_above[j] = threshold - z[j]
        if_below[j] = threshold + z[j]


@njit(cache=True)
def _active_units(first, last, bits, vertex_owner, own, units):
    """Collect the units that are active at any of some vertices; return how many they are."""
    count = 0
    for w in range(bits.shape[1]):
        word = np.uint64(0)
        for i in range(first, last):
            word |= bits[vertex_owner[own[i]], w]
        while word:
            units[count] = 64 * w + int(lowest_bit(word))
            word &= word - np.uint64(1)
            count += 1
    return count


@njit(cache=True)
def _with_carried(units, count, carried, n_inputs):
    """Add what is carried to some units, and fill them up with unit `n_inputs`."""
    for i in carried:
        units[count] = i
        count += 1
    while count % 4:
        units[count] = n_inputs
        count += 1
    return count


@njit(cache=True, fastmath={"reassoc", "contract"})
def _activate(bits, n_before, z, active):
    """Fill the values of units, 0 where they are inactive; return the sum of their squares."""
    square = 0.0
    for w in range(len(bits)):
        end = min(64 * w + 64, n_before)
        word, numbers, target = bits[w], z[64 * w : end], active[64 * w : end]
        for j in range(len(numbers)):
            number = numbers[j] if (word >> np.uint64(j)) & np.uint64(1) else 0.0
            target[j] = number
            square += number * number
    for j in range(n_before, len(z)):
        active[j] = z[j]
        square += z[j] * z[j]
    return square


@njit(cache=True, fastmath={"reassoc", "contract"})
def _scale(bits, n_before, z, on, off, active):
    """Fill the values of units with other slopes; return the sum of their squares."""
    square = 0.0
    for j in range(n_before):
        is_on = (bits[j >> 6] >> np.uint64(j & 63)) & np.uint64(1)
        number = (on[j] if is_on else off[j]) * z[j]
        active[j] = number
        square += number * number
    for j in range(n_before, len(z)):
        active[j] = z[j]
        square += z[j] * z[j]
    return square


@njit(cache=True, nogil=True)
def next_values(this, cells, beside, earlier):
    """Return a layer's values at vertices and its signs there, from the layer before.

    Parameters
    ----------
    this : `chain._Layer`
    cells, beside
        The complex before the layer cuts.
    earlier : Values
    """
    n_before, n_inputs = this.n_before, len(this.columns) - 1
    n, n_units = this.columns.shape[1], this.n_units
    n_vertices = len(cells.x)
    words = n_words(n_units)
    bits = _layer_bits(cells.packed, this.offset, n_before)
    off = _disagreement(bits, earlier.z, cells.region_ptr, beside.origins, beside.vertex_owner)
    n_roundings = n_inputs // 4 + 8 + this.n_roundings
    rounding = 1.02 * n_roundings * UNIT_ROUNDOFF
    smallest = n_roundings * 4 * this.underflow
    total = norm_from(np.sum(this.row_norms**2), this.row_norms)
    bias_norm = norm_from(np.sum(this.bias**2), this.bias)
    steepest, largest_bias = this.row_norms[:n_units].max(), np.abs(this.bias[:n_units]).max()
    bias_error = norm_from(np.sum(this.bias_error**2), this.bias_error)

    # The last rows are for what fills up the last vertices to as many as are evaluated at a time.
    z, errors = np.empty((n_vertices + _AT_ONCE, n)), np.empty(n_vertices)
    positive = np.zeros((n_vertices, words), np.uint64)
    negative = np.zeros((n_vertices, words), np.uint64)
    doubtful, n_doubtful = np.empty((64, 2), np.int32), 0
    # One more unit, which is never active, fills up groups of four.
    active, norms = np.zeros((_AT_ONCE, n_inputs + 1)), np.zeros(_AT_ONCE)
    rows = np.empty(_AT_ONCE, np.int64)
    units = np.arange(n_inputs + 3)
    n_active = _with_carried(units, n_before, this.carried, n_inputs)
    if_above, if_below = np.ones(64 * words), np.ones(64 * words)
    for start in range(0, n_vertices, _AT_ONCE):
        stop = min(start + _AT_ONCE, n_vertices)
        if this.is_relu:
            n_active = _active_units(start, stop, bits, beside.vertex_owner, beside.own, units)
            n_active = _with_carried(units, n_active, this.carried, n_inputs)
        for i in range(_AT_ONCE):
            rows[i] = beside.own[start + i] if start + i < stop else n_vertices + i
        for i in range(stop - start):
            here = bits[beside.vertex_owner[rows[i]]]
            if this.is_relu:
                square = _activate(here, n_before, earlier.z[rows[i]], active[i])
            else:
                slopes = this.slopes_on, this.slopes_off
                square = _scale(here, n_before, earlier.z[rows[i]], *slopes, active[i])
            norms[i] = norm_from(square, active[i])
        _multiply(active, units, n_active, this.columns, this.added, this.bias, z, rows)
        for i in range(stop - start):
            v = rows[i]
            before = 1.02 * (earlier.errors[v] + this.change * off[v])
            height = rounding * norms[i]
            errors[v] = (
                1.02 * this.norm * before + total * height + rounding * bias_norm + n * smallest
            )
            errors[v] += bias_error
            moved = 1.02 * _SQRT_2 * earlier.slope * cells.deviation[v]
            threshold = steepest * (before + height + moved) + rounding * largest_bias + smallest
            threshold += bias_error
            _compare(z[v, :n_units], threshold, if_above, if_below)
            for w in range(words):
                positive[v, w] = negative_bits(if_above, 64 * w)
                negative[v, w] = negative_bits(if_below, 64 * w)
                word = in_neither(positive, negative, v, w, n_units)
                while word:
                    doubtful = grown(doubtful, n_doubtful + 1)
                    doubtful[n_doubtful, 0] = v
                    doubtful[n_doubtful, 1] = 64 * w + int(lowest_bit(word))
                    word &= word - np.uint64(1)
                    n_doubtful += 1
    z = z[:n_vertices]
    n_unknown = _look_closer(doubtful, n_doubtful, cells, beside, z, errors, positive, negative)
    values = Values(z, errors, 1.02 * this.norm * earlier.slope)
    none = np.empty((0, words), np.uint64), np.empty(0, np.int32)
    return values, VertexSigns(positive, negative, doubtful[:n_unknown], none[0], none[1])


@njit(cache=True)
def _look_closer(doubtful, n_doubtful, cells, beside, z, errors, positive, negative):
    """Decide signs by the slopes in the owners of the vertices; keep what stays open, in place."""
    n_unknown = 0
    previous = -1
    for i in range(n_doubtful):
        v, j = doubtful[i]
        if v != previous:
            previous = v
            r = beside.vertex_owner[v]
            p, q, s = _triangle(r, cells.region_ptr, beside.origins, cells.x)
            u0, u1, w0, w1, det, is_thin = _sides(p, q, s, cells.x)
            m = larger(larger(errors[p], errors[q]), errors[s])
        sign = OPEN
        if not is_thin:
            by_q = (abs(z[q, j] - z[p, j]) + 2 * m) * (abs(w0) + abs(w1))
            by_s = (abs(z[s, j] - z[p, j]) + 2 * m) * (abs(u0) + abs(u1))
            bound = 1.01 * (errors[v] + (by_q + by_s) / abs(det) * cells.deviation[v])
            sign = certain_sign(z[v, j], bound)
        if sign == OPEN:
            doubtful[n_unknown, 0], doubtful[n_unknown, 1] = v, j
            n_unknown += 1
        elif sign > 0:
            positive[v, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        elif sign < 0:
            negative[v, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
    return n_unknown


@njit(cache=True)
def _triangle(r, region_ptr, origins, x):
    """Return three corners of a region that are far from each other."""
    first, last = region_ptr[r], region_ptr[r + 1]
    p = origins[first]
    q, s, most = p, p, -1.0
    for i in range(first + 1, last):
        v = origins[i]
        distance = (x[v, 0] - x[p, 0]) ** 2 + (x[v, 1] - x[p, 1]) ** 2
        if distance > most:
            q, most = v, distance
    most = -1.0
    for i in range(first + 1, last):
        v = origins[i]
        if v == q:
            continue
        area = abs(
            (x[q, 0] - x[p, 0]) * (x[v, 1] - x[p, 1]) - (x[q, 1] - x[p, 1]) * (x[v, 0] - x[p, 0])
        )
        if area > most:
            s, most = v, area
    return p, q, s


@njit(cache=True)
def _sides(p, q, s, x):
    """Return q - p and s - p, their determinant, and whether it is mostly rounding."""
    u0, u1 = x[q, 0] - x[p, 0], x[q, 1] - x[p, 1]
    w0, w1 = x[s, 0] - x[p, 0], x[s, 1] - x[p, 1]
    det = u0 * w1 - u1 * w0
    is_thin = not abs(det) > 2.0**12 * UNIT_ROUNDOFF * (abs(u0 * w1) + abs(u1 * w0))
    return u0, u1, w0, w1, det, is_thin


@njit(cache=True, nogil=True)
def fit_maps(values, cells, beside, signs):
    """Return maps of the units that cross regions, on those regions; nothing else is filled."""
    positive, negative = signs.positive, signs.negative
    n_regions, words, n = len(cells.packed), positive.shape[1], values.z.shape[1]
    plane_of, n_crossed = np.zeros(n_regions, np.int32), 0
    inside = np.empty((n_regions, words), np.uint64)
    for r in range(n_regions):
        any_unit = np.uint64(0)
        for w in range(words):
            above, below = np.uint64(0), np.uint64(0)
            for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
                v = beside.origins[q]
                above |= positive[v, w]
                below |= negative[v, w]
            inside[n_crossed, w] = above & below
            any_unit |= above & below
        if any_unit:
            plane_of[r] = n_crossed
            n_crossed += 1
        else:
            plane_of[r] = -1
    planes, errors = np.empty((n_crossed, 3, n)), np.empty((n_crossed, n))
    for r in range(n_regions):
        k = plane_of[r]
        if k >= 0:
            _fit(r, k, inside[k], values, cells, beside, planes, errors)
    # The bounds hold wherever a point of the region may be.
    return Maps(planes, plane_of, errors, plane_of, np.empty((0, 3)), np.inf)


@njit(cache=True)
def _fit(r, k, inside, values, cells, beside, planes, errors):
    x, z = cells.x, values.z
    p, q, s = _triangle(r, cells.region_ptr, beside.origins, x)
    u0, u1, w0, w1, det, is_thin = _sides(p, q, s, x)
    if is_thin:  # nothing is known, and everything is decided exactly
        planes[k] = 0.0
        errors[k] = np.inf
        return
    u_size, w_size = abs(u0) + abs(u1), abs(w0) + abs(w1)
    kappa, deviation = 1.0, 0.0
    for i in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
        v = beside.origins[i]
        deviation = larger(deviation, cells.deviation[v])
        v0, v1 = x[v, 0] - x[p, 0], x[v, 1] - x[p, 1]
        to_q, to_s = (v0 * w1 - v1 * w0) / det, (u0 * v1 - u1 * v0) / det
        slack = 16 * UNIT_ROUNDOFF * (abs(v0) + abs(v1)) * (u_size + w_size) / abs(det)
        kappa = larger(kappa, abs(1.0 - to_q - to_s) + abs(to_q) + abs(to_s) + slack)
    gradients = (u_size + w_size + abs(u0 - w0) + abs(u1 - w1)) / abs(det)
    m = larger(larger(values.errors[p], values.errors[q]), values.errors[s])
    for w in range(len(inside)):
        word = inside[w]
        while word:
            j = 64 * w + int(lowest_bit(word))
            word &= word - np.uint64(1)
            by_q, by_s = z[q, j] - z[p, j], z[s, j] - z[p, j]
            a, b = (by_q * w1 - by_s * u1) / det, (by_s * u0 - by_q * w0) / det
            c = z[p, j] - (a * x[p, 0] + b * x[p, 1])
            planes[k, 0, j], planes[k, 1, j], planes[k, 2, j] = a, b, c
            most = 0.0
            for v in (p, q, s):
                ax, by = a * x[v, 0], b * x[v, 1]
                size = abs(c) + abs(ax) + abs(by)
                most = larger(most, abs(c + ax + by - z[v, j]) + 8 * UNIT_ROUNDOFF * size)
            errors[k, j] = 1.01 * (m + most) * (kappa + gradients * deviation)


@njit(cache=True, nogil=True)
def add_vertices(values, cells, placed, inner_ends, x):
    """Return the values at the vertices of a complex that was cut.

    Parameters
    ----------
    values : Values
    cells : PlanarCells
        Before the cut.
    placed : Placed
    inner_ends : (n_inner, 2) ndarray
        For each vertex inside a region the ends of a chord through it.
    x : (n_vertices, 2) ndarray
        All vertices.
    """
    n_old, n_placed, n = len(cells.x), len(placed.x), values.z.shape[1]
    z, errors = np.empty((len(x), n)), np.empty(len(x))
    z[:n_old], errors[:n_old] = values.z, values.errors
    for e in range(len(cells.edge_vertices)):
        a, b = cells.edge_vertices[e]
        for v in range(n_old + placed.group_ptr[e], n_old + placed.group_ptr[e + 1]):
            errors[v] = _interpolate(v, a, b, x, z, errors, values.slope)
    for i in range(len(inner_ends)):
        v = n_placed + i
        a, b = inner_ends[i]
        errors[v] = _interpolate(v, a, b, x, z, errors, values.slope)
    return Values(z, errors, values.slope)


@njit(cache=True)
def _interpolate(v, a, b, x, z, errors, slope):
    """Fill the values at a vertex near the segment between two others; return their bound."""
    d0, d1 = x[b, 0] - x[a, 0], x[b, 1] - x[a, 1]
    t, square = 0.0, d0 * d0 + d1 * d1
    if square > 0.0:
        t = ((x[v, 0] - x[a, 0]) * d0 + (x[v, 1] - x[a, 1]) * d1) / square
        t = min(1.0, max(0.0, t))
    off = max(abs(x[a, 0] + t * d0 - x[v, 0]), abs(x[a, 1] + t * d1 - x[v, 1]))
    size = max(abs(x[a, 0]), abs(x[a, 1])) + max(abs(d0), abs(d1))
    of_a, of_step = _mix(z, v, a, b, t)
    size_of_z = 1.01 * (norm_from(of_a, z[a]) + norm_of_difference(of_step, z[b], z[a]))
    off = 1.02 * _SQRT_2 * slope * (off + 4 * UNIT_ROUNDOFF * size)
    return 1.0001 * larger(errors[a], errors[b]) + off + 4 * UNIT_ROUNDOFF * size_of_z


@njit(cache=True, fastmath={"reassoc", "contract"})
def _mix(z, v, a, b, t):
    """Interpolate; return the sums of the squares of both terms."""
    of_a, of_step = 0.0, 0.0
    for j in range(z.shape[1]):
        step = z[b, j] - z[a, j]
        z[v, j] = z[a, j] + t * step
        of_a += z[a, j] * z[a, j]
        of_step += step * step
    return of_a, of_step
