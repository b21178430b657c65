"""Compiled kernels of the reducer `z2`; its docstring explains and proves them.

``partner[c]`` is the other column of the pair of column c, or -1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.union_find import find
from relutopo.system.compilation import njit

__all__ = ["collect", "dual_edges", "pair_columns", "pair_dual_edges", "pair_edges"]


@njit(cache=True)
def pair_edges(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int64],
    dims: NDArray[np.int8],
    parent: NDArray[np.uint32],
    partner: NDArray[np.int32],
) -> bool:
    """Pair vertices with the edges that join their component to an older one.

    Node 0 is the ground, node v + 1 the vertex v. Returns False, with `partner` half filled, if an
    edge has more than two ends.
    """
    one = np.uint32(1)
    for edge in range(len(dims)):
        if dims[edge] != 1:
            continue
        first, size = indptr[edge], indptr[edge + 1] - indptr[edge]
        if size == 0:
            continue
        if size > 2:
            return False
        young = find(parent, np.uint32(indices[first + size - 1] + 1))
        old = np.uint32(0)
        if size == 2:
            old = find(parent, np.uint32(indices[first] + 1))
        if old == young:
            continue
        if old > young:
            old, young = young, old
        parent[young] = old
        partner[young - one] = edge
        partner[edge] = young - one
    return True


@njit(cache=True)
def dual_edges(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int64],
    dims: NDArray[np.int8],
    top: int,
    ends: NDArray[np.uint32],
) -> bool:
    """Fill in the top cells at each row; return False if a row has more than two.

    Top cell j is node n - j, so that a later cell is an older node; 0 stands for the ground.
    """
    n = len(dims)
    for cell in range(n):
        if dims[cell] != top:
            continue
        node = np.uint32(n - cell)
        for p in range(indptr[cell], indptr[cell + 1]):
            row = np.uint32(indices[p])
            if ends[row, 0] == 0:
                ends[row, 0] = node
            elif ends[row, 1] == 0:
                ends[row, 1] = node
            else:
                return False
    return True


@njit(cache=True)
def pair_dual_edges(
    ends: NDArray[np.uint32],
    dims: NDArray[np.int8],
    top: int,
    parent: NDArray[np.uint32],
    partner: NDArray[np.int32],
) -> None:
    """Pair (top-1)-cells, last to first, with the top cell whose component they end."""
    n = np.uint32(len(dims))
    for row in range(len(dims) - 1, -1, -1):
        # A row that is a death is not a birth, so its ends are joined already.
        if dims[row] != top - 1 or partner[row] >= 0 or ends[row, 0] == 0:
            continue
        old, young = find(parent, ends[row, 0]), find(parent, ends[row, 1])
        if old == young:
            continue
        if old > young:
            old, young = young, old
        parent[young] = old
        partner[row] = n - young
        partner[n - young] = row


def _bit_positions() -> NDArray[np.int64]:
    """Return the table from the top six bits of (1 << i) * _DE_BRUIJN to i."""
    table = np.zeros(64, dtype=np.int64)
    for i in range(64):
        table[((int(_DE_BRUIJN) << i) % 2**64) >> 58] = i
    return table


# In the binary digits of this number every six neighbours differ (Leiserson, Prokop, Randall,
# Using de Bruijn sequences to index a 1 in a computer word, 1998).
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_POSITIONS = _bit_positions()


@njit(cache=True)
def _toggle(tree: NDArray[np.uint64], starts: NDArray[np.int64], element: int) -> None:
    """Add an element to a set over Z/2.

    The set is a bit tree: level 0 has a bit for each element, a bit of level l + 1 tells whether
    a word of level l is not zero.
    """
    for start in starts:
        word = start + (element >> 6)
        before = tree[word]
        after = before ^ (np.uint64(1) << np.uint64(element & 63))
        tree[word] = after
        if before != 0 and after != 0:
            return
        element >>= 6


@njit(cache=True)
def _smallest(tree: NDArray[np.uint64], starts: NDArray[np.int64]) -> int:
    """Return the smallest element of a bit tree, -1 if there is none."""
    element = 0
    for level in range(len(starts) - 1, -1, -1):
        word = tree[starts[level] + element]
        if word == 0:
            return -1
        lowest = word & (~word + np.uint64(1))
        element = (element << 6) | _BIT_POSITIONS[(lowest * _DE_BRUIJN) >> np.uint64(58)]
    return element


@njit(cache=True)
def pair_columns(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int64],
    dims: NDArray[np.int8],
    k: int,
    partner: NDArray[np.int32],
) -> None:
    """Pair the rows of ∂_k that are not paired yet with the columns that are not paired yet.

    Rows are numbered from the last to the first, so that the pivot is the smallest number.
    """
    n = len(dims)
    number = np.full(n, -1, dtype=np.int32)
    n_rows = 0
    for row in range(n - 1, -1, -1):
        if dims[row] == k - 1 and partner[row] < 0:
            number[row] = n_rows
            n_rows += 1
    row_of = np.empty(n_rows, dtype=np.int32)
    for row in range(n):
        if number[row] >= 0:
            row_of[number[row]] = row

    words, level_size = [0], (n_rows >> 6) + 1
    while level_size > 1:
        words.append(words[-1] + level_size)
        level_size = ((level_size - 1) >> 6) + 1
    starts = np.array(words)
    tree = np.zeros(words[-1] + 1, dtype=np.uint64)

    # The reduced column with pivot p is pool[begins[p]:ends[p]], empty if there is none yet.
    begins, ends = np.zeros(n_rows, dtype=np.int64), np.zeros(n_rows, dtype=np.int64)
    pool, used = np.empty(len(indices) // 2 + 64, dtype=np.int32), 0
    for column in range(n):
        if dims[column] != k or partner[column] >= 0:
            continue
        begin = used
        pool = _with_room(pool, used + indptr[column + 1] - indptr[column])
        for p in range(indptr[column + 1] - 1, indptr[column] - 1, -1):
            if number[indices[p]] >= 0:
                pool[used] = number[indices[p]]
                used += 1
        if used == begin:
            continue
        pivot = int(pool[begin])
        if ends[pivot] > 0:
            for p in range(begin, used):
                _toggle(tree, starts, pool[p])
            used = begin
            while pivot >= 0 and ends[pivot] > 0:
                for p in range(begins[pivot], ends[pivot]):
                    _toggle(tree, starts, pool[p])
                pivot = _smallest(tree, starts)
            if pivot < 0:
                continue
            element = pivot
            while element >= 0:
                pool = _with_room(pool, used + 1)
                pool[used] = element
                used += 1
                _toggle(tree, starts, element)
                element = _smallest(tree, starts)
        begins[pivot], ends[pivot] = begin, used
        partner[row_of[pivot]] = column
        partner[column] = row_of[pivot]


@njit(cache=True)
def _with_room(pool: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    if size <= len(pool):
        return pool
    larger = np.empty(2 * size, dtype=np.int32)
    larger[: len(pool)] = pool
    return larger


@njit(cache=True)
def collect(partner: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs (birth, death) and the cells without partner, both ascending."""
    n_pairs, n_essential = 0, 0
    for cell in range(len(partner)):
        n_pairs += partner[cell] > cell
        n_essential += partner[cell] < 0
    pairs = np.empty((n_pairs, 2), dtype=np.int64)
    essential = np.empty(n_essential, dtype=np.int64)
    n_pairs, n_essential = 0, 0
    for cell in range(len(partner)):
        if partner[cell] > cell:
            pairs[n_pairs, 0], pairs[n_pairs, 1] = cell, partner[cell]
            n_pairs += 1
        elif partner[cell] < 0:
            essential[n_essential] = cell
            n_essential += 1
    return pairs, essential
