"""Compiled kernels that walk from the map of a region to those of its siblings; see `maps`.

Bits of a pattern are those of the layer before, which lie in its bytes from `first` on.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

__all__ = ["active_units", "differing_units", "forest", "multiply", "sum_of_squares", "switch"]


@njit(cache=True)
def differing_units(packed, a, b, first, last, units):
    """Collect the units, counted from bit 8 * first, in which siblings a and b differ."""
    count = 0
    for i in range(first, last):
        byte = np.uint64(packed[a, i] ^ packed[b, i])
        while byte:
            units[count] = 8 * (i - first) + int(lowest_bit(byte))
            byte &= byte - np.uint64(1)
            count += 1
    return count


@njit(cache=True)
def active_units(packed, r, first, mask, units):
    """Collect the units of a mask that are set, counted from bit 8 * first."""
    count = 0
    for i in range(len(mask)):
        byte = np.uint64(packed[r, first + i] & mask[i])
        while byte:
            units[count] = 8 * i + int(lowest_bit(byte))
            byte &= byte - np.uint64(1)
            count += 1
    return count


@njit(cache=True, nogil=True)
def forest(indptr, neighbours, parent, packed, first, last, most):
    """Join siblings by shortest paths of at most `most` flips.

    Returns the regions in an order in which every one comes after the region that its path comes
    from; that region, or -1 at the beginning of a path; and the number of flips along the path.
    """
    n = len(parent)
    order = np.empty(n, np.int32)
    before = np.full(n, -2, np.int32)
    flips = np.zeros(n, np.int64)
    units = np.empty(8 * (last - first), np.int64)
    end = 0
    for root in range(n):
        if before[root] != -2:
            continue
        before[root] = -1
        order[end] = root
        head = end
        end += 1
        while head < end:
            r = order[head]
            head += 1
            for q in range(indptr[r], indptr[r + 1]):
                s = neighbours[q]
                if s >= 0 and before[s] == -2 and parent[s] == parent[r]:
                    n_flips = flips[r] + differing_units(packed, r, s, first, last, units)
                    if n_flips > most:
                        continue
                    before[s], flips[s] = r, n_flips
                    order[end] = s
                    end += 1
    return order, before, flips


@njit(cache=True, fastmath={"contract"})
def multiply(planes, r, parents, p, columns, bias, units, shift, slopes, added):
    """Fill region r's map by the product of matrices, over the units less `shift`.

    Rows of `added` are numbers and the units that are added to them.
    """
    n, n_units = len(bias), len(units)
    for j in range(n):
        planes[r, 0, j] = planes[r, 1, j] = planes[r, 2, j] = 0.0
    k = 0
    while k + 4 <= n_units:
        i0, i1 = units[k] - shift, units[k + 1] - shift
        i2, i3 = units[k + 2] - shift, units[k + 3] - shift
        s0, s1, s2, s3 = slopes[i0], slopes[i1], slopes[i2], slopes[i3]
        a0, a1 = s0 * parents[p, 0, i0], s1 * parents[p, 0, i1]
        a2, a3 = s2 * parents[p, 0, i2], s3 * parents[p, 0, i3]
        b0, b1 = s0 * parents[p, 1, i0], s1 * parents[p, 1, i1]
        b2, b3 = s2 * parents[p, 1, i2], s3 * parents[p, 1, i3]
        c0, c1 = s0 * parents[p, 2, i0], s1 * parents[p, 2, i1]
        c2, c3 = s2 * parents[p, 2, i2], s3 * parents[p, 2, i3]
        for j in range(n):
            w0, w1, w2, w3 = columns[i0, j], columns[i1, j], columns[i2, j], columns[i3, j]
            planes[r, 0, j] += (a0 * w0 + a1 * w1) + (a2 * w2 + a3 * w3)
            planes[r, 1, j] += (b0 * w0 + b1 * w1) + (b2 * w2 + b3 * w3)
            planes[r, 2, j] += (c0 * w0 + c1 * w1) + (c2 * w2 + c3 * w3)
        k += 4
    for k in range(n_units - n_units % 4, n_units):
        i = units[k] - shift
        a, b, c = (
            slopes[i] * parents[p, 0, i],
            slopes[i] * parents[p, 1, i],
            slopes[i] * parents[p, 2, i],
        )
        for j in range(n):
            planes[r, 0, j] += a * columns[i, j]
            planes[r, 1, j] += b * columns[i, j]
            planes[r, 2, j] += c * columns[i, j]
    for k in range(len(added)):
        j, i = added[k]
        for m in range(3):
            planes[r, m, j] += parents[p, m, i]
    for j in range(n):
        planes[r, 2, j] += bias[j]


@njit(cache=True, fastmath={"contract"})
def switch(planes, r, other, change, parents, p, columns, i):
    """Fill region r's map from another one, which may be itself, by a change of unit i's slope."""
    column = columns[i]
    for k in range(3):
        factor, target, source = change * parents[p, k, i], planes[r, k], planes[other, k]
        if r == other:  # apart, as a loop over two overlapping arrays is not vectorised
            for j in range(len(column)):
                target[j] += factor * column[j]
        else:
            for j in range(len(column)):
                target[j] = source[j] + factor * column[j]


@njit(cache=True, fastmath={"reassoc", "contract"})
def sum_of_squares(planes, p, m):
    total = 0.0
    for i in range(planes.shape[2]):
        total += planes[p, m, i] * planes[p, m, i]
    return total
