"""The compiled kernel that cuts a small complex by one neuron of a stage after another.

In ascending dimensions, a neuron cuts the cells of its chains; their facets have been cut before.
The masks of a new cell are the unions of those of its facets.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

from .._certified.meeting_points import place
from .._certified.values import OPEN, certain_sign, value_at
from .records import (
    CARRIER,
    COUNT,
    HEAD,
    LENGTH,
    LEVEL,
    MINUS,
    PLUS,
    PLUS_HALF,
    ROOM,
    START,
    TAIL,
    ZERO,
)

# Entries of the cursor.
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

# Results of the kernel: done, larger arrays needed, exact positions or exact signs needed, or too
# many cells.
DONE, MORE_CELLS, MORE_POOL, MORE_LINKS, MORE_SCRATCH, REFINE, SETTLE, LIMIT = range(8)

_COLLECT, _PLACE, _EVALUATE, _SPLIT = range(4)


@njit(cache=True, inline="always")
def bit_of(unit):
    """Return the bit of a neuron of the stage."""
    return np.uint64(1) << np.uint64(63 - unit)


@njit(cache=True, inline="always")
def push_all(chains, level, c, crossing):
    """Append a cell to the chains of all neurons that cut it; there must be room."""
    cursor, ends, links = chains
    while crossing:
        position = lowest_bit(crossing)
        crossing &= crossing - np.uint64(1)
        unit = 63 - np.int64(position)
        link = cursor[FREE_LINK]
        if link >= 0:
            cursor[FREE_LINK] = links[link, 1]
        else:
            link = cursor[N_LINKS]
            cursor[N_LINKS] += 1
        links[link, 0] = c
        links[link, 1] = -1
        if ends[level, unit, LENGTH] == 0:
            ends[level, unit, HEAD] = link
        else:
            links[ends[level, unit, TAIL], 1] = link
        ends[level, unit, TAIL] = link
        ends[level, unit, LENGTH] += 1


@njit(cache=True)
def _place_all(cells, cursor, cuts, planes, unit):
    """Place the new vertices on the edges that a neuron cuts; return the largest error."""
    kind, planes_of, x, rows, old = cells.kind, cells.planes_of, cells.x, planes.rows, planes.old
    d = x.shape[1]
    a, offset, slack = np.empty((d, d)), np.empty(d), np.empty(d)
    inverse = np.empty((d, 2 * d))
    worst = 0.0
    for item in range(cursor[N_CUT]):
        e = cuts[item]
        vertex = cursor[FIRST_NEW] + 2 * item + 1
        v = cursor[N_VERTICES]
        cursor[N_VERTICES] += 1
        cells.info[vertex, START], cells.info[vertex, COUNT] = v, 0
        kind[vertex, CARRIER], kind[vertex, LEVEL] = kind[e, CARRIER], 0
        for i in range(d - 1):
            planes_of[vertex, i] = planes_of[e, i]
        region = planes.region_of[kind[e, CARRIER]]
        planes_of[vertex, d - 1] = region * planes.n_units + unit
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
        cells.deviation[v] = place(a, offset, slack, inverse, x, v)
        worst = max(worst, cells.deviation[v])
    return worst


@njit(cache=True)
def _evaluate_all(cells, cursor, cuts, planes, unit):
    """Give the new vertices their masks; return whether signs stay open."""
    mask, x, rows = cells.mask, cells.x, planes.rows
    d = x.shape[1]
    others = ~bit_of(unit)
    some_open = False
    for item in range(cursor[N_CUT]):
        e = cuts[item]
        vertex = cursor[FIRST_NEW] + 2 * item + 1
        v = cells.info[vertex, START]
        region = planes.region_of[cells.kind[e, CARRIER]]
        first = region * planes.n_units
        crossing = mask[e, PLUS] & mask[e, MINUS]
        # Between the ends an affine function has the sign on which they agree, or that one end has.
        plus = mask[e, PLUS] & ~crossing
        minus = mask[e, MINUS] & ~crossing
        bits = crossing & others
        while bits:
            position = lowest_bit(bits)
            bit = np.uint64(1) << position
            bits ^= bit
            row = rows[first + 63 - np.int64(position)]
            z, bound = value_at(row, row[d + 1], x[v], cells.deviation[v], planes.limit)
            sign = certain_sign(z, bound)
            if sign > 0 or sign == OPEN:
                plus |= bit
            if sign < 0 or sign == OPEN:
                minus |= bit
            some_open |= sign == OPEN
        mask[vertex, PLUS], mask[vertex, MINUS] = plus, minus
        mask[vertex, ZERO] = ~(plus | minus)
    return some_open


@njit(cache=True)
def _split_edges(cells, chains, pool, unit):
    """Split the edges that a neuron cuts at their new vertices; return whether room is needed."""
    mask, info, kind, planes_of = cells.mask, cells.info, cells.kind, cells.planes_of
    cursor, facets = chains.cursor, pool.facets
    bit = bit_of(unit)
    while cursor[ITEM] < cursor[N_CUT]:
        if cursor[N_LINKS] + chains.ends.shape[1] > len(chains.links):
            return MORE_LINKS
        if cursor[POOL_END] + 2 > len(facets):
            return MORE_POOL
        item = cursor[ITEM]
        cursor[ITEM] += 1
        e = pool.cuts[item]
        half = cursor[FIRST_NEW] + 2 * item
        vertex = half + 1
        start = info[e, START]
        minus, plus = facets[start], facets[start + 1]
        if mask[minus, PLUS] & bit:
            minus, plus = plus, minus
        new_start = cursor[POOL_END]
        cursor[POOL_END] += 2
        facets[start], facets[start + 1] = minus, vertex
        facets[new_start], facets[new_start + 1] = plus, vertex
        info[e, PLUS_HALF] = half
        info[half, START], info[half, COUNT], info[half, ROOM] = new_start, 2, 2
        info[half, PLUS_HALF] = info[vertex, PLUS_HALF] = -1
        kind[half, CARRIER], kind[half, LEVEL] = kind[e, CARRIER], 1
        for i in range(planes_of.shape[1] - 1):
            planes_of[half, i] = planes_of[e, i]
        for w in range(3):
            mask[e, w] = mask[minus, w] | mask[vertex, w]
            mask[half, w] = mask[plus, w] | mask[vertex, w]
        push_all(chains, 1, half, mask[half, PLUS] & mask[half, MINUS])
    return DONE


@njit(cache=True)
def _split_cells(cells, chains, pool, planes, unit, level):
    """Split the k-cells, k ≥ 2, that a neuron cuts; return whether room is needed."""
    mask, info, kind, planes_of = cells.mask, cells.info, cells.kind, cells.planes_of
    cursor, n_units, n_links = chains.cursor, chains.ends.shape[1], len(chains.links)
    facets, cuts, side = pool
    split_from = cursor[FIRST_OF_UNIT]
    bit, none = bit_of(unit), np.uint64(0)
    n_planes = planes_of.shape[1] - level
    # One spare place, for the section by which a list may grow.
    spare = 1 if level > 2 else 0
    while cursor[ITEM] < cursor[N_CUT]:
        item = cursor[ITEM]
        c = cuts[item]
        start, count = info[c, START], info[c, COUNT]
        if cursor[N_LINKS] + 2 * n_units > n_links:
            return MORE_LINKS
        if count + 1 > len(side):
            return MORE_SCRATCH
        # Two halves, and a section with at most all faces of all facets.
        if cursor[POOL_END] + 2 * (count + 3) + count * (cursor[LONGEST] + 1) > len(facets):
            return MORE_POOL
        cursor[ITEM] += 1
        half = cursor[FIRST_NEW] + 2 * item
        section = half + 1
        first = end = cursor[POOL_END]
        n_plus = n_minus = 0
        c_plus = c_minus = c_zero = none
        half_plus = half_minus = half_zero = none
        section_plus = section_minus = section_zero = none
        for i in range(start, start + count):
            f = facets[i]
            h = info[f, PLUS_HALF]
            if h >= split_from:
                side[n_plus] = h
                n_plus += 1
                facets[start + n_minus] = f
                n_minus += 1
                facets[end] = h + 1
                end += 1
                c_plus |= mask[f, PLUS]
                c_minus |= mask[f, MINUS]
                c_zero |= mask[f, ZERO]
                half_plus |= mask[h, PLUS]
                half_minus |= mask[h, MINUS]
                half_zero |= mask[h, ZERO]
                section_plus |= mask[h + 1, PLUS]
                section_minus |= mask[h + 1, MINUS]
                section_zero |= mask[h + 1, ZERO]
                continue
            if mask[f, PLUS] & bit:
                side[n_plus] = f
                n_plus += 1
                half_plus |= mask[f, PLUS]
                half_minus |= mask[f, MINUS]
                half_zero |= mask[f, ZERO]
            else:
                facets[start + n_minus] = f
                n_minus += 1
                c_plus |= mask[f, PLUS]
                c_minus |= mask[f, MINUS]
                c_zero |= mask[f, ZERO]
            if mask[f, ZERO] & bit:
                # Faces of an uncut facet that lie in the zero set bound the section; each of them
                # lies in two facets of the cell.
                for q in range(info[f, START], info[f, START] + info[f, COUNT]):
                    g = facets[q]
                    if (mask[g, PLUS] | mask[g, MINUS]) & bit:
                        continue
                    known = False
                    for p in range(first, end):
                        known = known or facets[p] == g
                    if not known:
                        facets[end] = g
                        end += 1
                        section_plus |= mask[g, PLUS]
                        section_minus |= mask[g, MINUS]
                        section_zero |= mask[g, ZERO]
        info[section, START], info[section, COUNT] = first, end - first
        info[section, ROOM] = end - first + spare
        cursor[LONGEST] = max(cursor[LONGEST], n_plus + 1, n_minus + 1, end - first)
        end += spare
        info[half, START], info[half, COUNT], info[half, ROOM] = end, n_plus + 1, n_plus + 2
        for i in range(n_plus):
            facets[end + i] = side[i]
        facets[end + n_plus] = section
        end += n_plus + 2
        if n_minus == info[c, ROOM]:
            for i in range(n_minus):
                facets[end + i] = facets[start + i]
            start = info[c, START] = end
            info[c, ROOM] = n_minus + 2
            end += n_minus + 2
        facets[start + n_minus] = section
        info[c, COUNT] = n_minus + 1
        cursor[POOL_END] = end
        info[c, PLUS_HALF] = half
        info[half, PLUS_HALF] = info[section, PLUS_HALF] = -1
        carrier = kind[c, CARRIER]
        kind[half, CARRIER] = kind[section, CARRIER] = carrier
        kind[half, LEVEL], kind[section, LEVEL] = level, level - 1
        for i in range(n_planes):
            planes_of[half, i] = planes_of[section, i] = planes_of[c, i]
        region = planes.region_of[carrier]
        planes_of[section, n_planes] = region * planes.n_units + unit
        half_plus |= section_plus
        half_minus |= section_minus
        mask[c, PLUS] = c_plus | section_plus
        mask[c, MINUS] = c_minus | section_minus
        mask[c, ZERO] = c_zero | section_zero
        mask[half, PLUS], mask[half, MINUS] = half_plus, half_minus
        mask[half, ZERO] = half_zero | section_zero
        mask[section, PLUS], mask[section, MINUS] = section_plus, section_minus
        mask[section, ZERO] = section_zero
        push_all(chains, level, half, half_plus & half_minus)
        push_all(chains, level - 1, section, section_plus & section_minus)
    return DONE


@njit(cache=True)
def _collect(mask, chains, cuts, unit, level):
    """Write the cells of a chain that are still to be cut; return how many there are."""
    ends, links, bit = chains.ends, chains.links, bit_of(unit)
    n_cut = 0
    link = ends[level, unit, HEAD] if ends[level, unit, LENGTH] else -1
    while link >= 0:
        c = links[link, 0]
        if mask[c, PLUS] & mask[c, MINUS] & bit:
            cuts[n_cut] = c
            n_cut += 1
        link = links[link, 1]
    return n_cut


@njit(cache=True, nogil=True)
def cut(cells, chains, pool, planes, max_cells):
    """Cut a block by the neurons of its stage; return early if the caller must do something.

    After `MORE_...`, `REFINE` (vertices whose error exceeds the target) and `SETTLE` (open signs)
    the caller calls again, and the kernel continues at the cursor.
    """
    cursor, ends, links = chains
    cuts = pool.cuts
    dim, n_units = cells.x.shape[1], ends.shape[1]
    while cursor[UNIT] < n_units:
        unit = cursor[UNIT]
        while cursor[DIMENSION] <= dim:
            level = cursor[DIMENSION]
            if cursor[STAGE] == _COLLECT:
                if ends[level, unit, LENGTH] > len(cuts):
                    return MORE_SCRATCH
                n_cut = _collect(cells.mask, chains, cuts, unit, level)
                if cursor[N_CELLS] + 2 * n_cut > len(cells.info):
                    return MORE_CELLS
                cursor[N_CUT], cursor[ITEM] = n_cut, 0
                cursor[FIRST_NEW] = cursor[N_CELLS]
                cursor[N_CELLS] += 2 * n_cut
                cursor[STAGE] = _PLACE if level == 1 else _SPLIT
            if cursor[STAGE] == _PLACE:
                if cursor[N_VERTICES] + cursor[N_CUT] > len(cells.x):
                    return MORE_CELLS
                worst = _place_all(cells, cursor, cuts, planes, unit)
                cursor[STAGE] = _EVALUATE
                if worst > planes.target:
                    return REFINE
            if cursor[STAGE] == _EVALUATE:
                some_open = _evaluate_all(cells, cursor, cuts, planes, unit)
                cursor[STAGE] = _SPLIT
                if some_open:
                    return SETTLE
            if level == 1:
                wish = _split_edges(cells, chains, pool, unit)
            else:
                wish = _split_cells(cells, chains, pool, planes, unit, level)
            if wish != DONE:
                return wish
            cursor[DIMENSION] += 1
            cursor[STAGE] = _COLLECT
        for level in range(1, dim + 1):
            if ends[level, unit, LENGTH]:
                links[ends[level, unit, TAIL], 1] = cursor[FREE_LINK]
                cursor[FREE_LINK] = ends[level, unit, HEAD]
        cursor[UNIT] += 1
        cursor[DIMENSION] = 1
        cursor[FIRST_OF_UNIT] = cursor[N_CELLS]
        if 0 <= max_cells < cursor[N_CELLS]:
            return LIMIT
    return DONE
