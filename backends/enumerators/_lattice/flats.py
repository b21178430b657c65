"""The compiled kernel that cuts cells by all neurons of a stage at once, in general position.

A cell that is cut, the *carrier*, is a k-dimensional polytope, and its facets have been cut before.
Neurons are in general position on it if every new vertex inside a j-dimensional face of it is a
zero of exactly j of the neurons that cut the carrier. Then signs say everything:

- New lines inside the carrier are zeros of k - 1 neurons. Each has its ends in two facets, as the
  two vertices there with these zeros. It has a vertex for each neuron with other signs at the two
  ends, and the vertices' signs are their order along it.
- A new (l-1)-cell inside a facet of the carrier bounds one l-cell inside the carrier, that with the
  same zeros and signs. One inside the carrier bounds two for each of its zeros, with either sign in
  its place. So l-cells are found by their signs, in a hash table, with their lists of facets.

Every vertex is made once and every cell once, and nothing is made that is cut again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit, popcount
from relutopo.system.compilation import njit

from .._certified.meeting_points import place
from .._certified.values import OPEN, certain_sign, value_at
from .records import MINUS, PLUS, ZERO
from .survey import row_of

__all__ = ["Below", "Carriers", "Made", "Scratch"]

# Entries of the cursor.
N_CURSOR = 14
(
    CARRIER,
    STAGE,
    LEVEL,
    N_CELLS,
    N_ENTRIES,
    N_VERTICES,
    LINE,
    N_LINES,
    STAMP,
    FIRST_NEW,
    BITS,
    N_CROSSINGS,
    OPEN_VERTEX,
    OPEN_BIT,
) = range(N_CURSOR)

# Results of the kernel: done, larger arrays needed, exact positions or exact signs needed, too many
# cells, or neurons that are not in general position.
DONE, MORE_CELLS, MORE_ENTRIES, MORE_VERTICES, MORE_SCRATCH, REFINE, SETTLE, LIMIT, SPECIAL = range(
    9
)

_BEGIN, _PLACE, _ORDER, _CELLS = range(4)

# Columns of `lines`: the ends as rows of the masks below, their numbers, and a place in `chain`.
_A, _B, _NUMBER_A, _NUMBER_B, _START = range(5)


class Carriers(NamedTuple):
    """The k-cells of the complex that is cut.

    Attributes
    ----------
    indptr, indices : ndarrays of int64, int32
        Their facets.
    mask : (n, 3) ndarray of uint64
        The neurons that are positive, negative and zero at some vertex.
    region_of : (n,) ndarray of int32
        A region that contains them.
    planes : (n, d - k) ndarray of int32
        The planes in which they lie, rows of the complex' table.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    mask: NDArray[np.uint64]
    region_of: NDArray[np.int32]
    planes: NDArray[np.int32]


class Below(NamedTuple):
    """The new cells inside the (k-1)-cells, one after another, by dimension.

    Attributes
    ----------
    mask : (n, 2) ndarray of uint64
        The neurons that are positive and negative on each new cell.
    begin : (n_below, k + 1) ndarray of int32
        The row of `mask` with which the l-cells inside each (k-1)-cell begin, and their end.
    number : (n_below, k) ndarray of int32
        The number of the first of them in the new complex.
    """

    mask: NDArray[np.uint64]
    begin: NDArray[np.int32]
    number: NDArray[np.int32]


class Made(NamedTuple):
    """The new cells inside some k-cells, as in `Below`.

    Attributes
    ----------
    cursor : ndarray of int64
        The kernel's state between calls.
    mask : (n, 2) ndarray of uint64
    n_facets : (n,) ndarray of int32
        How many facets each cell has.
    entries : ndarray of int32
        The facets of one cell after the other: numbers in the new complex, or ``~i`` for the cell
        i of the facets' dimension inside the same carrier.
    begin : (n_carriers, k + 2) ndarray of int32
        Where the l-cells inside each carrier begin, and the end.
    counts : (2, k + 1) ndarray of int64
        How many cells there are of each dimension, and entries of their lists.
    x, deviation : (n_vertices, d), (n_vertices,) ndarrays
        New vertices, and bounds of their errors.
    """

    cursor: NDArray[np.int64]
    mask: NDArray[np.uint64]
    n_facets: NDArray[np.int32]
    entries: NDArray[np.int32]
    begin: NDArray[np.int32]
    counts: NDArray[np.int64]
    x: NDArray[np.float64]
    deviation: NDArray[np.float64]


class Scratch(NamedTuple):
    """Room for one carrier.

    Attributes
    ----------
    lines : (n, 5) ndarray of int32
        The lines inside it; see above.
    chain : ndarray of int32
        The vertices on each line, in order.
    keys, slots : (2^b, 2) ndarrays of uint64, int32
        A hash table: two masks; the time of their entry, and what they stand for.
    owner, member, signs : (n,), (n,), (n, 2) ndarrays
        Pairs of a cell and a facet, and the cell's positive and negative neurons.
    order, rank : (n,) ndarrays of int32
        Places of cells.
    a, offset, slack, inverse : ndarrays
        What `place` needs.
    """

    lines: NDArray[np.int32]
    chain: NDArray[np.int32]
    keys: NDArray[np.uint64]
    slots: NDArray[np.int32]
    owner: NDArray[np.int32]
    member: NDArray[np.int32]
    signs: NDArray[np.uint64]
    order: NDArray[np.int32]
    rank: NDArray[np.int32]
    a: NDArray[np.float64]
    offset: NDArray[np.float64]
    slack: NDArray[np.float64]
    inverse: NDArray[np.float64]


@njit(cache=True, inline="always")
def _bits_for(n):
    """Return the binary logarithm of the size of a table for n entries."""
    bits = 4
    while (1 << bits) < 2 * n:
        bits += 1
    return bits


@njit(cache=True, inline="always")
def _slot_of(keys, slots, bits, stamp, u, v):
    """Return the slot of two masks in a table, or a free one for them."""
    h = (u * np.uint64(0x9E3779B97F4A7C15)) ^ (v >> np.uint64(32) | v << np.uint64(32))
    h = (h ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    slot = np.int64(h >> np.uint64(64 - bits))
    while slots[slot, 0] == stamp and (keys[slot, 0] != u or keys[slot, 1] != v):
        slot = (slot + 1) & ((1 << bits) - 1)
    return slot


@njit(cache=True, inline="always")
def _find_lines(carriers, below, scratch, cursor, c):
    """Find the lines inside a carrier; return whether room is needed."""
    lines, keys, slots = scratch.lines, scratch.keys, scratch.slots
    crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
    n_ends = 0
    for i in range(carriers.indptr[c], carriers.indptr[c + 1]):
        f = carriers.indices[i]
        n_ends += below.begin[f, 1] - below.begin[f, 0]
    bits = _bits_for(n_ends)
    if (1 << bits) > len(keys) or n_ends > len(lines):
        return MORE_SCRATCH
    cursor[STAMP] += 1
    stamp = cursor[STAMP]
    n_lines, n_crossings = 0, np.int64(0)
    for i in range(carriers.indptr[c], carriers.indptr[c + 1]):
        f = carriers.indices[i]
        for q in range(below.begin[f, 0], below.begin[f, 1]):
            number = below.number[f, 0] + q - below.begin[f, 0]
            zeros = ~(below.mask[q, PLUS] | below.mask[q, MINUS]) & crossing
            s = _slot_of(keys, slots, bits, stamp, zeros, np.uint64(0))
            if slots[s, 0] != stamp:
                keys[s, 0], keys[s, 1] = zeros, np.uint64(0)
                slots[s, 0], slots[s, 1] = stamp, n_lines
                lines[n_lines, _A], lines[n_lines, _NUMBER_A] = q, number
                n_lines += 1
            else:
                line = slots[s, 1]
                p = lines[line, _A]
                lines[line, _B], lines[line, _NUMBER_B] = q, number
                lines[line, _START] = n_crossings
                other = below.mask[p, PLUS] & below.mask[q, MINUS]
                other |= below.mask[p, MINUS] & below.mask[q, PLUS]
                n_crossings += np.int64(popcount(other & crossing))
    if n_crossings > len(scratch.chain):
        return MORE_SCRATCH
    cursor[N_LINES], cursor[N_CROSSINGS] = n_lines, n_crossings
    return DONE if n_ends == 2 * n_lines else SPECIAL


@njit(cache=True, inline="always")
def _zeros_and_others(mask, p, q, crossing):
    """Return the neurons of a line, and those that cross it between its ends p and q."""
    zeros = ~(mask[p, PLUS] | mask[p, MINUS]) & crossing
    others = mask[p, PLUS] & mask[q, MINUS] | mask[p, MINUS] & mask[q, PLUS]
    return zeros, others & crossing


@njit(cache=True, inline="always")
def _place_on_line(carriers, below, made, scratch, rows, c, k):
    """Find or make the vertices on a line; return the largest error of those that are new.

    Of a new one, the signs of neurons that cross the line are in both masks as long as they are
    open.
    """
    cursor, mask, keys, slots = made.cursor, made.mask, scratch.keys, scratch.slots
    a, offset, slack = scratch.a, scratch.offset, scratch.slack
    d, region, at = len(a), carriers.region_of[c], scratch.lines[cursor[LINE], _START]
    crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
    p, q = scratch.lines[cursor[LINE], _A], scratch.lines[cursor[LINE], _B]
    zeros, others = _zeros_and_others(below.mask, p, q, crossing)
    plus = below.mask[p, PLUS] & crossing | carriers.mask[c, PLUS] & ~crossing
    minus = below.mask[p, MINUS] & crossing | carriers.mask[c, MINUS] & ~crossing
    cursor[FIRST_NEW] = cursor[N_CELLS]
    worst = 0.0
    bits = others
    while bits:
        bit = np.uint64(1) << lowest_bit(bits)
        bits ^= bit
        s = _slot_of(keys, slots, cursor[BITS], cursor[STAMP], zeros | bit, np.uint64(0))
        if slots[s, 0] == cursor[STAMP]:
            scratch.chain[at] = slots[s, 1]
            at += 1
            continue
        vertex, v = cursor[N_CELLS], cursor[N_VERTICES]
        cursor[N_CELLS] += 1
        cursor[N_VERTICES] += 1
        keys[s, 0], keys[s, 1] = zeros | bit, np.uint64(0)
        slots[s, 0], slots[s, 1] = cursor[STAMP], vertex
        scratch.chain[at] = vertex
        at += 1
        mask[vertex, PLUS] = plus | (others ^ bit)
        mask[vertex, MINUS] = minus | (others ^ bit)
        mask[vertex, PLUS] &= ~bit
        mask[vertex, MINUS] &= ~bit
        made.n_facets[vertex] = 0
        for i in range(d - k):
            row = carriers.planes[c, i]
            for j in range(d):
                a[i, j] = rows.old[row, j]
            offset[i], slack[i] = rows.old[row, d], 1.01 * rows.old[row, d + 1]
        i = d
        left = zeros | bit
        while left:
            position = lowest_bit(left)
            left &= left - np.uint64(1)
            i -= 1
            row = row_of(rows.begin, rows.crossing, region, position)
            for j in range(d):
                a[i, j] = rows.numbers[row, j]
            offset[i], slack[i] = rows.numbers[row, d], 1.01 * rows.numbers[row, d + 1]
        made.deviation[v] = place(a, offset, slack, scratch.inverse, made.x, v)
        worst = max(worst, made.deviation[v])
    return worst


@njit(cache=True, inline="always")
def _order_line(carriers, below, made, scratch, rows, c):
    """Sort the vertices on a line, and give the new ones their signs; return whether one is open.

    A vertex is sorted in by the signs there of the neurons of others, or theirs of its neuron.
    """
    cursor, mask, chain, order = made.cursor, made.mask, scratch.chain, scratch.order
    start, region = scratch.lines[cursor[LINE], _START], carriers.region_of[c]
    crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
    p, q = scratch.lines[cursor[LINE], _A], scratch.lines[cursor[LINE], _B]
    _, others = _zeros_and_others(below.mask, p, q, crossing)
    plus_first = below.mask[p, PLUS]
    n, first_new, d = np.int64(popcount(others)), cursor[FIRST_NEW], made.x.shape[1]
    n_sorted = 0
    for is_new in range(2):
        for i in range(start, start + n):
            vertex = np.int64(chain[i])
            if (vertex >= first_new) != (is_new == 1):
                continue
            own = others & ~(mask[vertex, PLUS] | mask[vertex, MINUS])
            low, high = 0, n_sorted
            while low < high:
                middle = (low + high) >> 1
                w = np.int64(order[middle])
                bit = others & ~(mask[w, PLUS] | mask[w, MINUS])
                if not mask[vertex, PLUS] & mask[vertex, MINUS] & bit:
                    is_later = bool((mask[vertex, PLUS] ^ plus_first) & bit)
                elif not mask[w, PLUS] & mask[w, MINUS] & own:
                    is_later = not (mask[w, PLUS] ^ plus_first) & own
                else:
                    row = row_of(rows.begin, rows.crossing, region, lowest_bit(bit))
                    v = vertex + cursor[N_VERTICES] - cursor[N_CELLS]
                    z, bound = value_at(
                        rows.numbers[row], rows.numbers[row, d + 1], made.x[v], made.deviation[v],
                        rows.limit,
                    )  # fmt: skip
                    sign = certain_sign(z, bound)
                    if sign == 0:
                        return SPECIAL
                    if sign == OPEN:
                        cursor[OPEN_VERTEX], cursor[OPEN_BIT] = vertex, lowest_bit(bit)
                        return SETTLE
                    is_later = (sign > 0) != bool(plus_first & bit)
                if is_later:
                    low = middle + 1
                else:
                    high = middle
            for k in range(n_sorted, low, -1):
                order[k] = order[k - 1]
            order[low] = vertex
            n_sorted += 1
    # Neurons of vertices that come before have the signs of the other end.
    passed = np.uint64(0)
    for i in range(n):
        vertex = np.int64(order[i])
        chain[start + i] = vertex
        own = others & ~(mask[vertex, PLUS] | mask[vertex, MINUS])
        if vertex >= first_new:
            plus = (plus_first ^ passed) & (others ^ own)
            mask[vertex, PLUS] = mask[vertex, PLUS] & ~others | plus
            mask[vertex, MINUS] = mask[vertex, MINUS] & ~others | plus ^ (others ^ own)
        passed |= own
    return DONE


@njit(cache=True, inline="always")
def _make_edges(carriers, below, made, scratch, c, first_cell):
    """Make the edges between the vertices on all lines of a carrier."""
    cursor, mask, entries = made.cursor, made.mask, made.entries
    crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
    plus_always = carriers.mask[c, PLUS] & ~crossing
    minus_always = carriers.mask[c, MINUS] & ~crossing
    for i in range(cursor[N_LINES]):
        p, q = scratch.lines[i, _A], scratch.lines[i, _B]
        _, others = _zeros_and_others(below.mask, p, q, crossing)
        start = scratch.lines[i, _START]
        end = start + np.int64(popcount(others))
        plus, minus = below.mask[p, PLUS], below.mask[p, MINUS]
        before = scratch.lines[i, _NUMBER_A]
        for j in range(start, end + 1):
            edge, at = cursor[N_CELLS], cursor[N_ENTRIES]
            cursor[N_CELLS] += 1
            cursor[N_ENTRIES] += 2
            if j < end:
                vertex = np.int64(scratch.chain[j])
                next_plus, next_minus = mask[vertex, PLUS], mask[vertex, MINUS]
                number = ~(vertex - first_cell)
            else:
                next_plus, next_minus = below.mask[q, PLUS], below.mask[q, MINUS]
                number = np.int64(scratch.lines[i, _NUMBER_B])
            mask[edge, PLUS] = (plus | next_plus) & crossing | plus_always
            mask[edge, MINUS] = (minus | next_minus) & crossing | minus_always
            made.n_facets[edge] = 2
            entries[at], entries[at + 1] = before, number
            plus, minus, before = next_plus, next_minus, number


@njit(cache=True, inline="always")
def _sort(mask, first, order, n):
    """Sort cells by their positive neurons, the first one before the second; note their order."""
    for i in range(n):
        order[i] = i
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap:
        for i in range(gap, n):
            plus, minus, o = mask[first + i, PLUS], mask[first + i, MINUS], order[i]
            j = i
            while j >= gap and mask[first + j - gap, PLUS] > plus:
                mask[first + j, PLUS] = mask[first + j - gap, PLUS]
                mask[first + j, MINUS] = mask[first + j - gap, MINUS]
                order[j] = order[j - gap]
                j -= gap
            mask[first + j, PLUS], mask[first + j, MINUS], order[j] = plus, minus, o
        gap //= 3


@njit(cache=True, inline="always")
def _make_cells(carriers, below, made, scratch, c, k, level, first_carrier):
    """Make the l-cells inside a carrier from the (l-1)-cells; return whether room is needed."""
    cursor, mask, entries, count = made.cursor, made.mask, made.entries, made.n_facets
    owner, member, signs = scratch.owner, scratch.member, scratch.signs
    keys, slots, order, rank = scratch.keys, scratch.slots, scratch.order, scratch.rank
    crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
    plus_always = carriers.mask[c, PLUS] & ~crossing
    minus_always = carriers.mask[c, MINUS] & ~crossing
    begin, end = made.begin[c - first_carrier, level - 1], cursor[N_CELLS]
    n_pairs = 2 * (k - level + 1) * (end - begin)
    for i in range(carriers.indptr[c], carriers.indptr[c + 1]):
        f = carriers.indices[i]
        n_pairs += below.begin[f, level] - below.begin[f, level - 1]
    most = n_pairs // (level + 1)  # every l-cell has at least so many facets
    bits = _bits_for(most)
    if end + most > len(mask):
        return MORE_CELLS
    if cursor[N_ENTRIES] + n_pairs > len(entries):
        return MORE_ENTRIES
    if n_pairs > len(owner) or most > len(order) or (1 << bits) > len(scratch.keys):
        return MORE_SCRATCH
    # Pairs of a cell, by its signs, and a facet.
    n_pairs = 0
    for i in range(carriers.indptr[c], carriers.indptr[c + 1]):
        f = carriers.indices[i]
        first = below.begin[f, level - 1]
        for q in range(first, below.begin[f, level]):
            signs[n_pairs, PLUS] = below.mask[q, PLUS] & crossing | plus_always
            signs[n_pairs, MINUS] = below.mask[q, MINUS] & crossing | minus_always
            member[n_pairs] = below.number[f, level - 1] + q - first
            n_pairs += 1
    for q in range(begin, end):
        plus, minus = mask[q, PLUS], mask[q, MINUS]
        zeros = ~(plus | minus) & crossing
        while zeros:
            bit = np.uint64(1) << lowest_bit(zeros)
            zeros ^= bit
            signs[n_pairs, PLUS], signs[n_pairs, MINUS] = plus | bit, minus
            signs[n_pairs + 1, PLUS], signs[n_pairs + 1, MINUS] = plus, minus | bit
            member[n_pairs] = member[n_pairs + 1] = ~(q - begin)
            n_pairs += 2
    cursor[STAMP] += 1
    stamp, n = cursor[STAMP], 0
    for i in range(n_pairs):
        plus, minus = signs[i, PLUS], signs[i, MINUS]
        s = _slot_of(keys, slots, bits, stamp, plus, minus)
        if slots[s, 0] != stamp:
            keys[s, 0], keys[s, 1] = plus, minus
            slots[s, 0], slots[s, 1] = stamp, n
            mask[end + n, PLUS], mask[end + n, MINUS] = plus, minus
            n += 1
        owner[i] = slots[s, 1]
    cursor[N_CELLS] += n
    if level == made.x.shape[1]:
        _sort(mask, end, order, n)
        for i in range(n):
            rank[order[i]] = i
        for i in range(n_pairs):
            owner[i] = rank[owner[i]]
    for i in range(n):
        count[end + i] = 0
    for i in range(n_pairs):
        count[end + owner[i]] += 1
    at = cursor[N_ENTRIES]
    for i in range(n):
        order[i] = at
        at += count[end + i]
    cursor[N_ENTRIES] = at
    for i in range(n_pairs):
        entries[order[owner[i]]] = member[i]
        order[owner[i]] += 1
    return DONE


@njit(cache=True, inline="always")
def _keep(carriers, below, made, c, k, i):
    """Take over a cell that nothing cuts."""
    cursor, cell = made.cursor, made.cursor[N_CELLS]
    for level in range(k + 1):
        made.begin[i, level] = cell
    made.mask[cell, PLUS], made.mask[cell, MINUS] = carriers.mask[c, PLUS], carriers.mask[c, MINUS]
    made.n_facets[cell] = carriers.indptr[c + 1] - carriers.indptr[c]
    for q in range(carriers.indptr[c], carriers.indptr[c + 1]):
        made.entries[cursor[N_ENTRIES]] = below.number[carriers.indices[q], k - 1]
        cursor[N_ENTRIES] += 1
    cursor[N_CELLS] += 1
    made.begin[i, k + 1] = cursor[N_CELLS]
    made.counts[0, k] += 1
    made.counts[1, k] += made.n_facets[cell]


# Without counting references to arrays, which would take most of the time: the records have many,
# and every function that is inlined would count them again. Nothing is allocated here.
@njit(cache=True, nogil=True, _nrt=False)
def cut(carriers, below, made, scratch, rows, first, last, most_cells):
    """Cut the carriers first..last-1; return early if the caller must do something.

    After `MORE_...`, `REFINE` (new vertices on a line whose error exceeds the target) and `SETTLE`
    (an open sign) the caller calls again, and the kernel continues at the cursor.
    """
    cursor, k = made.cursor, made.begin.shape[1] - 2
    while cursor[CARRIER] < last:
        c = cursor[CARRIER]
        i = c - first
        if cursor[STAGE] == _BEGIN:
            if cursor[N_CELLS] > most_cells:
                return LIMIT
            crossing = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
            if crossing & carriers.mask[c, ZERO]:
                return SPECIAL
            n_facets = carriers.indptr[c + 1] - carriers.indptr[c]
            if cursor[N_ENTRIES] + n_facets > len(made.entries):
                return MORE_ENTRIES
            if cursor[N_CELLS] + 1 > len(made.mask):
                return MORE_CELLS
            if not crossing:
                _keep(carriers, below, made, c, k, i)
                cursor[CARRIER] += 1
                continue
            wish = _find_lines(carriers, below, scratch, cursor, c)
            if wish != DONE:
                return wish
            n_edges = cursor[N_CROSSINGS] + cursor[N_LINES]
            n_vertices = cursor[N_CROSSINGS] // k  # each is on k lines
            bits = _bits_for(n_vertices)
            if (1 << bits) > len(scratch.keys) or len(scratch.order) < 64:
                return MORE_SCRATCH
            if cursor[N_CELLS] + n_vertices + n_edges > len(made.mask):
                return MORE_CELLS
            if cursor[N_ENTRIES] + 2 * n_edges > len(made.entries):
                return MORE_ENTRIES
            if cursor[N_VERTICES] + n_vertices > len(made.x):
                return MORE_VERTICES
            cursor[BITS], cursor[LINE] = bits, 0
            cursor[STAMP] += 1
            made.begin[i, 0] = cursor[N_CELLS]
            cursor[STAGE] = _PLACE
        while cursor[STAGE] < _CELLS and cursor[LINE] < cursor[N_LINES]:
            if cursor[STAGE] == _PLACE:
                cursor[STAGE] = _ORDER
                worst = _place_on_line(carriers, below, made, scratch, rows, c, k)
                if worst > rows.target:
                    return REFINE
            wish = _order_line(carriers, below, made, scratch, rows, c)
            if wish != DONE:
                return wish
            cursor[LINE] += 1
            cursor[STAGE] = _PLACE
        if cursor[STAGE] < _CELLS:
            first_cell = made.begin[i, 0]
            made.begin[i, 1] = cursor[N_CELLS]
            n_entries = cursor[N_ENTRIES]
            _make_edges(carriers, below, made, scratch, c, first_cell)
            made.counts[1, 1] += cursor[N_ENTRIES] - n_entries
            cursor[STAGE], cursor[LEVEL] = _CELLS, 2
        while cursor[LEVEL] <= k:
            level = cursor[LEVEL]
            made.begin[i, level] = cursor[N_CELLS]
            n_entries = cursor[N_ENTRIES]
            wish = _make_cells(carriers, below, made, scratch, c, k, level, first)
            if wish != DONE:
                return wish
            made.counts[1, level] += cursor[N_ENTRIES] - n_entries
            cursor[LEVEL] += 1
        made.begin[i, k + 1] = cursor[N_CELLS]
        for level in range(k + 1):
            made.counts[0, level] += made.begin[i, level + 1] - made.begin[i, level]
        cursor[STAGE] = _BEGIN
        cursor[CARRIER] += 1
    return DONE if cursor[N_CELLS] <= most_cells else LIMIT
