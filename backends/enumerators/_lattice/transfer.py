"""Compiled kernels that take a block out of a complex, prepare it for cutting, and put it back.

A block is the closure of some regions. Its cells are numbered regions first, vertices last, as
`cutting` requires; these initial cells are the *carriers* of all cells that come from them.

Neighbouring blocks cut the cells that they share independently but in the same way: a cell is made
by cutting a cell with the same carrier, so the cells of one carrier and dimension are made in the
same order in every block that contains it. Therefore (carrier, dimension, rank) names a cell in all
of them.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit, popcount
from relutopo.system.compilation import njit

from .._certified.values import OPEN, bound_near, certain_sign
from .cutting import LONGEST, N_CELLS, N_LINKS, POOL_END, push_all
from .records import (
    CARRIER,
    COUNT,
    LENGTH,
    LEVEL,
    MINUS,
    PLUS,
    PLUS_HALF,
    ROOM,
    START,
    ZERO,
)


@njit(cache=True, nogil=True)
def spread(indptr, indices, first, last, first_below, last_below):
    """Pass the first and last block of every cell on to its facets."""
    first_below[:] = 2**31 - 1
    last_below[:] = -1
    for c in range(len(indptr) - 1):
        for i in range(indptr[c], indptr[c + 1]):
            f = indices[i]
            first_below[f] = min(first_below[f], first[c])
            last_below[f] = max(last_below[f], last[c])


@njit(cache=True, nogil=True)
def gather(cells, region_of, indptr, indices, number, first):
    """Return the facets of some cells: their lists in block numbers, themselves, and regions.

    `number` is -1 for every facet, before and after; the block numbers begin at `first`.
    """
    size = 0
    for c in cells:
        size += indptr[c + 1] - indptr[c]
    lists = np.empty(size, np.int32)
    below = np.empty(size, np.int32)
    regions = np.empty(size, np.int32)
    n, k = 0, 0
    for i in range(len(cells)):
        for q in range(indptr[cells[i]], indptr[cells[i] + 1]):
            f = indices[q]
            if number[f] < 0:
                number[f] = first + n
                below[n] = f
                regions[n] = region_of[i]
                n += 1
            lists[k] = number[f]
            k += 1
    for i in range(n):
        number[below[i]] = -1
    return lists, below[:n].copy(), regions[:n].copy()


@njit(cache=True, nogil=True)
def lay_out(first, level, taken, indptr, lists, cells, facets, cursor):
    """Write the lists of a block's cells of one dimension, with a spare place for each."""
    info, kind = cells.info, cells.kind
    end = cursor[POOL_END]
    k = 0
    for i in range(len(taken)):
        c = first + i
        count = indptr[taken[i] + 1] - indptr[taken[i]]
        info[c, START], info[c, COUNT], info[c, ROOM] = end, count, count + 1
        info[c, PLUS_HALF] = -1
        kind[c, CARRIER], kind[c, LEVEL] = c, level
        for q in range(count):
            facets[end + q] = lists[k]
            k += 1
        end += count + 1
        cursor[LONGEST] = max(cursor[LONGEST], count)
    cursor[POOL_END] = end


@njit(cache=True, nogil=True)
def evaluate(planes, errors, begin, end, vertex_regions, x, deviation, limit, signs):
    """Write the signs of neurons begin..end-1 at the vertices; return how many stay `OPEN`."""
    d, n_units = x.shape[1], end - begin
    z, size, slope = np.empty(n_units), np.empty(n_units), np.empty(n_units)
    n_open = 0
    for v in range(len(x)):
        r = vertex_regions[v]
        for j in range(n_units):
            z[j] = planes[r, d, begin + j]
            size[j] = abs(z[j])
            slope[j] = 0.0
        for i in range(d):
            x_i = x[v, i]
            for j in range(n_units):
                a = planes[r, i, begin + j]
                z[j] += a * x_i
                size[j] += abs(a * x_i)
                slope[j] += abs(a)
        is_near = deviation[v] <= limit
        for j in range(n_units):
            error = errors[r, begin + j]
            bound = bound_near(size[j], slope[j], error, deviation[v], d) if is_near else np.inf
            if slope[j] == 0.0 and planes[r, d, begin + j] == 0.0 and error == 0.0:
                bound = 0.0
            signs[v, j] = certain_sign(z[j], bound)
            n_open += signs[v, j] == OPEN
    return n_open


@njit(cache=True, nogil=True)
def pick_rows(planes, errors, units, rows):
    """Copy the maps of some neurons of each region to rows (A, c, error)."""
    d = planes.shape[1] - 1
    k = 0
    for r in range(len(planes)):
        for j in units:
            for i in range(d + 1):
                rows[k, i] = planes[r, i, j]
            rows[k, d + 1] = errors[r, j]
            k += 1


@njit(cache=True, nogil=True)
def fill_masks(cells, facets, cursor, signs, units, dim):
    """Write the masks of a block's cells for some neurons; return the number of cuts in them.

    `signs` has a row for each row of vertices.
    """
    mask, info, kind = cells.mask, cells.info, cells.kind
    n_cuts = np.int64(0)
    for level in range(dim + 1):
        for c in range(cursor[N_CELLS]):
            if kind[c, LEVEL] != level:
                continue
            plus = minus = zero = np.uint64(0)
            if level == 0:
                for j in range(len(units)):
                    s = signs[info[c, START], units[j]]
                    bit = np.uint64(1) << np.uint64(63 - j)
                    if s > 0:
                        plus |= bit
                    elif s < 0:
                        minus |= bit
                    else:
                        zero |= bit
            for i in range(info[c, START], info[c, START] + info[c, COUNT]):
                plus |= mask[facets[i], PLUS]
                minus |= mask[facets[i], MINUS]
                zero |= mask[facets[i], ZERO]
            mask[c, PLUS], mask[c, MINUS], mask[c, ZERO] = plus, minus, zero
            n_cuts += np.int64(popcount(plus & minus))
    return n_cuts


@njit(cache=True, nogil=True)
def fill_chains(cells, chains):
    """Put every cell into the chains of the neurons that cut it."""
    chains.ends[:, :, LENGTH] = 0
    chains.cursor[N_LINKS] = 0
    for c in range(chains.cursor[N_CELLS]):
        push_all(chains, cells.kind[c, LEVEL], c, cells.mask[c, PLUS] & cells.mask[c, MINUS])


@njit(cache=True, nogil=True)
def number_cells(n, n_carriers, kind, slot, owned, dim):
    """Return the position of every cell among those of its dimension, for handing back.

    Shared cells that the block owns come first, carrier by carrier; then cells that only it has;
    then shared cells that others own, carrier by carrier; then the vertices that existed before.
    `slot` numbers the shared carriers, -1 for others.

    Returns
    -------
    position : (n,) place of each cell among those of its dimension
    order : (n,) the cells by dimension and position
    counts : (n_slots, dim + 1) cells of each carrier
    first : (n_slots, dim + 1) position of the first of them
    n_owned, n_all : (dim + 1,) cells owned, and all of them
    """
    counts = np.zeros((len(owned), dim + 1), np.int32)
    first = np.zeros((len(owned), dim + 1), np.int32)
    n_private, n_owned = np.zeros(dim + 1, np.int64), np.zeros(dim + 1, np.int64)
    n_all = np.zeros(dim + 1, np.int64)
    n_initial = 0
    for c in range(n):
        k = kind[c, LEVEL]
        if c < n_carriers and k == 0:
            n_initial += 1
        elif slot[kind[c, CARRIER]] < 0:
            n_private[k] += 1
        else:
            counts[slot[kind[c, CARRIER]], k] += 1
    private = np.zeros(dim + 1, np.int64)
    for k in range(dim + 1):
        for turn in range(2):
            for s in range(len(owned)):
                if owned[s] == (turn == 0):
                    first[s, k] = n_all[k]
                    n_all[k] += counts[s, k]
            if turn == 0:
                private[k] = n_all[k]
                n_all[k] += n_private[k]
                n_owned[k] = n_all[k]
    initial = n_all[0]
    n_all[0] += n_initial
    position, order = np.empty(n, np.int32), np.empty(n, np.int32)
    offset = np.cumsum(n_all) - n_all
    following = first.copy()
    for c in range(n):
        k = kind[c, LEVEL]
        s = -1 if c < n_carriers and k == 0 else slot[kind[c, CARRIER]]
        if c < n_carriers and k == 0:
            position[c] = initial
            initial += 1
        elif s < 0:
            position[c] = private[k]
            private[k] += 1
        else:
            position[c] = following[s, k]
            following[s, k] += 1
        order[offset[k] + position[c]] = c
    return position, order, counts, first, n_owned, n_all


@njit(cache=True, nogil=True)
def mark_planes(order, planes_of, width, used):
    """Return the planes of some cells, and mark those of the block's own that are among them."""
    planes = np.empty((len(order), width), np.int32)
    for i in range(len(order)):
        for k in range(width):
            p = planes_of[order[i], k]
            planes[i, k] = p
            if p >= 0:
                used[p] = True
    return planes


@njit(cache=True, nogil=True)
def rename_planes(planes, rank):
    """Replace the block's own planes by their rank."""
    for i in range(planes.shape[0]):
        for k in range(planes.shape[1]):
            if planes[i, k] >= 0:
                planes[i, k] = rank[planes[i, k]]


@njit(cache=True, nogil=True)
def lists_of(order, info, facets):
    """Return the facets of some cells: how many, and their numbers in the block."""
    counts = np.empty(len(order), np.int32)
    size = 0
    for i in range(len(order)):
        counts[i] = info[order[i], COUNT]
        size += counts[i]
    entries = np.empty(size, np.int32)
    k = 0
    for c in order:
        start = info[c, START]
        for q in range(start, start + info[c, COUNT]):
            entries[k] = facets[q]
            k += 1
    return counts, entries


@njit(cache=True, nogil=True)
def add_patterns(words, neurons, packed):
    """Set the bits of the given neurons that are in the words of regions."""
    for i in range(len(words)):
        bits = words[i]
        while bits:
            neuron = neurons[63 - np.int64(lowest_bit(bits))]
            packed[i, neuron >> 3] |= np.uint8(1 << (neuron & 7))
            bits &= bits - np.uint64(1)


@njit(cache=True, nogil=True)
def put_back(counts, entries, names, end, indptr, indices):
    """Write a block's lists, in the complex' numbers of cells, into `indices` from `end` on."""
    k = 0
    for i in range(len(counts)):
        for _ in range(counts[i]):
            indices[end] = names[entries[k]]
            end += 1
            k += 1
        indptr[i] = end


@njit(cache=True, nogil=True)
def give_names(position, levels, start, n_owned, owned, shared, counts, base, initial):
    """Replace the positions of a block's cells by their numbers in the complex, by dimension.

    Parameters
    ----------
    position, levels : (n,) ndarrays
        Of each cell, as it is handed back.
    start, n_owned : (dim + 1,) ndarrays
        The complex' number of the first cell that the block owns, and how many there are.
    owned, shared, counts, base
        The shared carriers: whether the block owns them, their numbers, how many cells they have by
        dimension, and the complex' numbers of the first of them.
    initial : ndarray of int32
        Numbers of the vertices that were there before.
    """
    dim = len(start) - 1
    # For each dimension, the names of the positions that the block does not own.
    size = len(initial)
    for s in range(len(shared)):
        if not owned[s]:
            for k in range(dim + 1):
                size += counts[s, k]
    others, first = np.empty(size, np.int32), np.empty(dim + 1, np.int64)
    at = 0
    for k in range(dim + 1):
        first[k] = at - n_owned[k]
        for s in range(len(shared)):
            if not owned[s]:
                for i in range(counts[s, k]):
                    others[at] = base[shared[s], k] + i
                    at += 1
        if k == 0:
            for i in range(len(initial)):
                others[at] = initial[i]
                at += 1
    for c in range(len(position)):
        k, p = levels[c], position[c]
        position[c] = start[k] + p if p < n_owned[k] else others[first[k] + p]


@njit(cache=True, nogil=True)
def put_planes(planes, offset, result):
    """Copy planes of cells; negative ones, ``~row``, are old; the others begin at `offset`."""
    for i in range(planes.shape[0]):
        for k in range(planes.shape[1]):
            p = planes[i, k]
            result[i, k] = ~p if p < 0 else p + offset
