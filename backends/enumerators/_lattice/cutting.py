"""The compiled kernel that cuts a small complex by one neuron after another.

Data. Cells of all dimensions share one numbering; a cell that is cut keeps its number for its half
on the minus side, and the half on the plus side and the section get the next two numbers. The
facets of cell c are ``pool[info[c, START] : info[c, START] + info[c, COUNT]]``; for a vertex START
is its row in `x`. Every cell knows its dimension, its carrier (the cell that it was part of when
the block was taken) and the planes whose intersection is its affine hull.

``mask[c]`` holds three sets of neurons: those that are positive, negative, and zero at some vertex
of c. Words 3 w + PLUS, 3 w + MINUS and 3 w + ZERO have neurons 64 w, ..., 64 w + 63, from the
highest bit down. A neuron cuts a cell if it is in the first two sets.
Masks of a new cell are the unions over its facets. Of a vertex whose sign is still open, a neuron
is in both of the first two sets.

Work. For every neuron and dimension a chain links the cells that it cuts. Chains are filled when
the block is taken and whenever a cell is made, so a neuron touches only what it cuts and its
facets.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

from .._certified.meeting_points import place
from .._certified.values import OPEN, certain_sign, value_at
from .._shared.bits import lowest_bit

# Columns of `info`, `kind`, `chains` and, modulo 3, `mask`.
START, COUNT, ROOM, PLUS_HALF = range(4)
CARRIER, LEVEL = range(2)
HEAD, TAIL, LENGTH = range(3)
PLUS, MINUS, ZERO = range(3)

# Entries of `cursor`, the kernel's state between calls.
N_CURSOR = 13
(
    N_CELLS,
    N_VERTICES,
    POOL_END,
    N_LINKS,
    FREE_LINK,
    UNIT,
    DIMENSION,
    STAGE,
    ITEM,
    N_CUT,
    FIRST_NEW,
    FIRST_OF_UNIT,
    LONGEST,
) = range(N_CURSOR)

# What the kernel returns: it is done, wants larger arrays, exact positions or exact signs, or there
# are too many cells.
DONE, MORE_CELLS, MORE_POOL, MORE_LINKS, MORE_SCRATCH, REFINE, SETTLE, LIMIT = range(8)

_COLLECT, _PLACE, _EVALUATE, _SPLIT = range(4)


@njit(cache=True, inline="always")
def push(cursor, chains, links, level, unit, c):
    """Append a cell to a chain; there must be room."""
    link = cursor[FREE_LINK]
    if link >= 0:
        cursor[FREE_LINK] = links[link, 1]
    else:
        link = cursor[N_LINKS]
        cursor[N_LINKS] += 1
    links[link, 0] = c
    links[link, 1] = -1
    if chains[level, unit, LENGTH] == 0:
        chains[level, unit, HEAD] = link
    else:
        links[chains[level, unit, TAIL], 1] = link
    chains[level, unit, TAIL] = link
    chains[level, unit, LENGTH] += 1


@njit(cache=True, inline="always")
def unite(mask, a, b):
    """Add the sets of cell b to those of cell a."""
    for w in range(0, mask.shape[1], 3):
        mask[a, w] |= mask[b, w]
        mask[a, w + 1] |= mask[b, w + 1]
        mask[a, w + 2] |= mask[b, w + 2]


@njit(cache=True, inline="always")
def push_all(cursor, chains, links, mask, level, c):
    """Append a cell to the chains of all neurons that cut it."""
    for w in range(mask.shape[1] // 3):
        bits = mask[c, 3 * w + PLUS] & mask[c, 3 * w + MINUS]
        while bits:
            push(cursor, chains, links, level, 64 * w + 63 - np.int64(lowest_bit(bits)), c)
            bits &= bits - np.uint64(1)


@njit(cache=True)
def _place_all(
    cursor, unit, n_units, cuts, info, kind, planes_of, x, deviation, rows, old, region_of
):
    """Place the new vertices on the edges that a neuron cuts; return the largest error."""
    d = x.shape[1]
    a, offset, slack = np.empty((d, d)), np.empty(d), np.empty(d)
    inverse = np.empty((d, 2 * d))
    worst = 0.0
    for item in range(cursor[N_CUT]):
        e = cuts[item]
        vertex = cursor[FIRST_NEW] + 2 * item + 1
        v = cursor[N_VERTICES]
        cursor[N_VERTICES] += 1
        info[vertex, START], info[vertex, COUNT] = v, 0
        kind[vertex, CARRIER], kind[vertex, LEVEL] = kind[e, CARRIER], 0
        for i in range(d - 1):
            planes_of[vertex, i] = planes_of[e, i]
        planes_of[vertex, d - 1] = region_of[kind[e, CARRIER]] * n_units + unit
        for i in range(d):
            p = planes_of[vertex, i]
            if p >= 0:
                for k in range(d):
                    a[i, k] = rows[p, k]
                offset[i], slack[i] = rows[p, d], 1.01 * rows[p, d + 1]
            else:
                for k in range(d):
                    a[i, k] = old[~p, k]
                offset[i], slack[i] = old[~p, d], 1.01 * old[~p, d + 1]
        deviation[v] = place(a, offset, slack, inverse, x, v)
        worst = max(worst, deviation[v])
    return worst


@njit(cache=True)
def _evaluate_all(
    cursor, unit, n_units, cuts, info, kind, mask, x, deviation, rows, region_of, limit
):
    """Give the new vertices their masks; return whether signs stay open."""
    d, n_words = x.shape[1], mask.shape[1] // 3
    some_open = False
    for item in range(cursor[N_CUT]):
        e = cuts[item]
        vertex = cursor[FIRST_NEW] + 2 * item + 1
        v = info[vertex, START]
        first_row = region_of[kind[e, CARRIER]] * n_units
        for w in range(n_words):
            crossing = mask[e, 3 * w + PLUS] & mask[e, 3 * w + MINUS]
            # Between the ends an affine function keeps a sign that they agree on or that one has.
            plus = mask[e, 3 * w + PLUS] & ~crossing
            minus = mask[e, 3 * w + MINUS] & ~crossing
            bits = crossing
            while bits:
                position = lowest_bit(bits)
                bit = np.uint64(1) << position
                bits ^= bit
                j = 64 * w + 63 - np.int64(position)
                if j == unit:
                    continue
                row = rows[first_row + j]
                z, bound = value_at(row, row[d + 1], x[v], deviation[v], limit)
                sign = certain_sign(z, bound)
                if sign > 0:
                    plus |= bit
                if sign < 0 or sign == OPEN:
                    minus |= bit
                some_open |= sign == OPEN
            mask[vertex, 3 * w + PLUS] = plus
            mask[vertex, 3 * w + MINUS] = minus
            mask[vertex, 3 * w + ZERO] = ~(plus | minus)
    return some_open


@njit(cache=True)
def _split_edges(cursor, unit, cuts, chains, links, mask, info, kind, planes_of, pool):
    """Split the edges that a neuron cuts at their new vertices; return whether room is wanted."""
    bit = np.uint64(1) << np.uint64(63 - (unit & 63))
    word = 3 * (unit >> 6) + PLUS
    while cursor[ITEM] < cursor[N_CUT]:
        if cursor[N_LINKS] + chains.shape[1] > len(links):
            return MORE_LINKS
        if cursor[POOL_END] + 2 > len(pool):
            return MORE_POOL
        item = cursor[ITEM]
        cursor[ITEM] += 1
        e = cuts[item]
        half = cursor[FIRST_NEW] + 2 * item
        vertex = half + 1
        start = info[e, START]
        minus, plus = pool[start], pool[start + 1]
        if mask[minus, word] & bit:
            minus, plus = plus, minus
        new_start = cursor[POOL_END]
        cursor[POOL_END] += 2
        pool[start], pool[start + 1] = minus, vertex
        pool[new_start], pool[new_start + 1] = plus, vertex
        info[e, PLUS_HALF] = half
        info[half, START], info[half, COUNT], info[half, ROOM] = new_start, 2, 2
        info[half, PLUS_HALF] = info[vertex, PLUS_HALF] = -1
        kind[half, CARRIER], kind[half, LEVEL] = kind[e, CARRIER], 1
        for i in range(planes_of.shape[1] - 1):
            planes_of[half, i] = planes_of[e, i]
        for w in range(mask.shape[1]):
            mask[e, w] = mask[minus, w] | mask[vertex, w]
            mask[half, w] = mask[plus, w] | mask[vertex, w]
        push_all(cursor, chains, links, mask, 1, half)
    return DONE


@njit(cache=True)
def _split_cells(
    cursor,
    unit,
    level,
    cuts,
    side,
    chains,
    links,
    mask,
    info,
    kind,
    planes_of,
    pool,
    region_of,
):
    """Split the k-cells, k ≥ 2, that a neuron cuts; return whether room is wanted."""
    split_from = cursor[FIRST_OF_UNIT]
    word = 3 * (unit >> 6)
    bit = np.uint64(1) << np.uint64(63 - (unit & 63))
    n_planes = planes_of.shape[1] - level
    # One place to spare, for the section by which a list may grow.
    spare = 1 if level > 2 else 0
    while cursor[ITEM] < cursor[N_CUT]:
        item = cursor[ITEM]
        c = cuts[item]
        start, count = info[c, START], info[c, COUNT]
        if cursor[N_LINKS] + 2 * chains.shape[1] > len(links):
            return MORE_LINKS
        if count + 1 > len(side):
            return MORE_SCRATCH
        # Two halves, and a section with at most all faces of all facets.
        if cursor[POOL_END] + 2 * (count + 3) + count * (cursor[LONGEST] + 1) > len(pool):
            return MORE_POOL
        cursor[ITEM] += 1
        half = cursor[FIRST_NEW] + 2 * item
        section = half + 1
        first = end = cursor[POOL_END]
        n_plus = n_minus = 0
        for w in range(mask.shape[1]):
            mask[c, w] = mask[half, w] = mask[section, w] = np.uint64(0)
        for i in range(start, start + count):
            f = pool[i]
            h = info[f, PLUS_HALF]
            if h >= split_from:
                side[n_plus] = h
                n_plus += 1
                pool[start + n_minus] = f
                n_minus += 1
                pool[end] = h + 1
                end += 1
                unite(mask, c, f)
                unite(mask, half, h)
                unite(mask, section, h + 1)
                continue
            if mask[f, word + PLUS] & bit:
                side[n_plus] = f
                n_plus += 1
                unite(mask, half, f)
            else:
                pool[start + n_minus] = f
                n_minus += 1
                unite(mask, c, f)
            if mask[f, word + ZERO] & bit:
                # Faces of an uncut facet that lie in the zero set bound the section; each of them
                # lies in two facets of the cell.
                for q in range(info[f, START], info[f, START] + info[f, COUNT]):
                    g = pool[q]
                    if (mask[g, word + PLUS] | mask[g, word + MINUS]) & bit:
                        continue
                    known = False
                    for p in range(first, end):
                        known = known or pool[p] == g
                    if not known:
                        pool[end] = g
                        end += 1
                        unite(mask, section, g)
        info[section, START], info[section, COUNT] = first, end - first
        info[section, ROOM] = end - first + spare
        end += spare
        info[half, START], info[half, COUNT], info[half, ROOM] = end, n_plus + 1, n_plus + 2
        for i in range(n_plus):
            pool[end + i] = side[i]
        pool[end + n_plus] = section
        end += n_plus + 2
        if n_minus == info[c, ROOM]:
            for i in range(n_minus):
                pool[end + i] = pool[start + i]
            start = info[c, START] = end
            info[c, ROOM] = n_minus + 2
            end += n_minus + 2
        pool[start + n_minus] = section
        info[c, COUNT] = n_minus + 1
        cursor[POOL_END] = end
        cursor[LONGEST] = max(cursor[LONGEST], n_plus + 1, n_minus + 1, info[section, COUNT])
        info[c, PLUS_HALF] = half
        info[half, PLUS_HALF] = info[section, PLUS_HALF] = -1
        kind[half, CARRIER] = kind[section, CARRIER] = kind[c, CARRIER]
        kind[half, LEVEL], kind[section, LEVEL] = level, level - 1
        for i in range(n_planes):
            planes_of[half, i] = planes_of[section, i] = planes_of[c, i]
        planes_of[section, n_planes] = region_of[kind[c, CARRIER]] * chains.shape[1] + unit
        unite(mask, c, section)
        unite(mask, half, section)
        push_all(cursor, chains, links, mask, level, half)
        push_all(cursor, chains, links, mask, level - 1, section)
    return DONE


@njit(cache=True, nogil=True)
def cut(
    cursor,
    chains,
    links,
    mask,
    info,
    kind,
    planes_of,
    pool,
    cuts,
    side,
    x,
    deviation,
    rows,
    old,
    region_of,
    limit,
    target,
    max_cells,
):
    """Cut a block by all of its neurons; return early to ask for something.

    ``rows[r * n_units + j]`` is neuron j on the block's region r, ``old[~p]`` an earlier plane p
    (A, c, error). ``region_of[c]`` is a region that contains carrier c. After `MORE_...`, `REFINE`
    (vertices whose error exceeds `target`) and `SETTLE` (open signs) the caller goes on where the
    cursor stands.
    """
    dim, n_units = x.shape[1], chains.shape[1]
    while cursor[UNIT] < n_units:
        unit = cursor[UNIT]
        word = 3 * (unit >> 6)
        bit = np.uint64(1) << np.uint64(63 - (unit & 63))
        while cursor[DIMENSION] <= dim:
            level = cursor[DIMENSION]
            if cursor[STAGE] == _COLLECT:
                if chains[level, unit, LENGTH] > len(cuts):
                    return MORE_SCRATCH
                n_cut = 0
                if chains[level, unit, LENGTH]:
                    link = chains[level, unit, HEAD]
                    while link >= 0:
                        c = links[link, 0]
                        if mask[c, word + PLUS] & mask[c, word + MINUS] & bit:
                            cuts[n_cut] = c
                            n_cut += 1
                        link = links[link, 1]
                if cursor[N_CELLS] + 2 * n_cut > len(info):
                    return MORE_CELLS
                cursor[N_CUT], cursor[ITEM] = n_cut, 0
                cursor[FIRST_NEW] = cursor[N_CELLS]
                cursor[N_CELLS] += 2 * n_cut
                cursor[STAGE] = _PLACE if level == 1 else _SPLIT
            if cursor[STAGE] == _PLACE:
                if cursor[N_VERTICES] + cursor[N_CUT] > len(x):
                    return MORE_CELLS
                worst = _place_all(
                    cursor, unit, n_units, cuts, info, kind, planes_of, x, deviation, rows, old,
                    region_of,
                )  # fmt: skip
                cursor[STAGE] = _EVALUATE
                if worst > target:
                    return REFINE
            if cursor[STAGE] == _EVALUATE:
                some_open = _evaluate_all(
                    cursor, unit, n_units, cuts, info, kind, mask, x, deviation, rows, region_of,
                    limit,
                )  # fmt: skip
                cursor[STAGE] = _SPLIT
                if some_open:
                    return SETTLE
            if level == 1:
                wish = _split_edges(
                    cursor, unit, cuts, chains, links, mask, info, kind, planes_of, pool
                )
            else:
                wish = _split_cells(
                    cursor, unit, level, cuts, side, chains, links, mask, info, kind, planes_of,
                    pool, region_of,
                )  # fmt: skip
            if wish != DONE:
                return wish
            cursor[DIMENSION] += 1
            cursor[STAGE] = _COLLECT
        for level in range(1, dim + 1):
            if chains[level, unit, LENGTH]:
                links[chains[level, unit, TAIL], 1] = cursor[FREE_LINK]
                cursor[FREE_LINK] = chains[level, unit, HEAD]
        cursor[UNIT] += 1
        cursor[DIMENSION] = 1
        cursor[FIRST_OF_UNIT] = cursor[N_CELLS]
        if 0 <= max_cells < cursor[N_CELLS]:
            return LIMIT
    return DONE
