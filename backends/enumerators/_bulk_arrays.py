"""Array operations that the bulk enumerator is made of: ragged lists, and groups of rows.

Everything here is written against an array namespace `xp`, NumPy or CuPy, and uses what both have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from relutopo.device_kernels import Kernel
from relutopo.errors import InvariantError

__all__ = [
    "Array",
    "Lists",
    "concatenate_lists",
    "distinct",
    "gathered",
    "group",
    "match",
    "merged",
    "prefix_sums",
    "spread",
]

Array: TypeAlias = Any
"""An array of NumPy or CuPy."""

_SEEDS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)

_KEYS = Kernel(
    "relutopo_keys",
    "raw int32 owner, raw uint64 words, int64 n_words, uint64 seed, int32 n_bits",
    "raw uint64 keys",
    """
    unsigned long long hash = seed;
    for (long long w = 0; w < n_words; ++w) {
        hash ^= words[i * n_words + w];
        hash *= 0xBF58476D1CE4E5B9ULL;
        hash ^= hash >> 27;
        hash *= 0x94D049BB133111EBULL;
        hash ^= hash >> 31;
    }
    keys[i] = hash >> n_bits | (unsigned long long)owner[i] << (64 - n_bits);
    """,
)
_MERGED = Kernel(
    "relutopo_merged",
    "raw uint64 sets, raw int32 rows, raw uint64 more, raw int32 more_rows, int64 n_words",
    "raw uint64 words",
    """
    long long row = i / n_words, w = i % n_words;
    words[i] = sets[rows[row] * n_words + w] | more[more_rows[row] * n_words + w];
    """,
)


_SPREAD = Kernel(
    "relutopo_spread",
    "raw int64 ptr",
    "raw int32 owners",
    """
    for (long long p = ptr[i]; p < ptr[i + 1]; ++p) owners[p] = i;
    """,
)
_LISTS = Kernel(
    "relutopo_lists",
    "raw int64 source_ptr, raw int32 source, raw int32 rows, raw int64 ptr",
    "raw int32 items, raw int32 owners",
    """
    long long from = source_ptr[rows[i]];
    for (long long p = ptr[i]; p < ptr[i + 1]; ++p) {
        items[p] = source[from++];
        owners[p] = i;
    }
    """,
)
_ROWS_AT_ONCE = 2**21
"""Of how many rows the words are made at a time."""


@dataclass(frozen=True)
class Lists:
    """Lists of numbers: list i is ``items[ptr[i]:ptr[i + 1]]``; int64 and int32."""

    ptr: Array
    items: Array

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def owners(self, xp: Any) -> Array:
        """Return, for each item, the list that it is in."""
        return spread(xp, self.ptr)

    def of(self, xp: Any, rows: Array) -> tuple[Array, Array]:
        """Return the items of some lists, and for each of them the place of its list in `rows`.

        All are int32.
        """
        counts = self.ptr[rows + 1] - self.ptr[rows]
        ptr = prefix_sums(xp, counts)
        kernel = _LISTS.on(xp)
        if kernel is not None:
            n = int(ptr[-1])
            items, owner = xp.empty(n, dtype=np.int32), xp.empty(n, dtype=np.int32)
            rows = rows.astype(np.int32, copy=False)
            kernel(self.ptr, self.items, rows, ptr, items, owner, size=len(rows))
            return items, owner
        owner = spread(xp, ptr)
        return self.items[self.ptr[rows][owner] + xp.arange(len(owner)) - ptr[owner]], owner


def prefix_sums(xp: Any, values: Array, dtype: type = np.int64) -> Array:
    """Return the sums of the first 0, 1, 2, ... values, modulo what the type holds."""
    sums = xp.zeros(len(values) + 1, dtype=dtype)
    if len(values):
        sums[1:] = xp.cumsum(values, dtype=dtype)
    return sums


def distinct(xp: Any, numbers: Array) -> Array:
    """Return the numbers that occur, ascending."""
    return xp.unique(numbers) if len(numbers) else numbers


def spread(xp: Any, ptr: Array) -> Array:
    """Return number i as often as list i has items."""
    kernel = _SPREAD.on(xp)
    if kernel is not None:
        owners = xp.empty(int(ptr[-1]), dtype=np.int32)
        kernel(ptr, owners, size=len(ptr) - 1)
        return owners
    places = xp.arange(int(ptr[-1]), dtype=np.int64)
    return xp.searchsorted(ptr[1:], places, side="right").astype(np.int32)


def gathered(xp: Any, owners: Array, n: int) -> Array:
    """Return where the items of each of n owners begin, and the end; `owners` ascend."""
    return xp.searchsorted(owners, xp.arange(n + 1, dtype=owners.dtype), side="left")


def concatenate_lists(xp: Any, lists: list[Lists]) -> Lists:
    """Return the lists of all, one after another."""
    ptrs, offset = [lists[0].ptr[:1]], 0
    for part in lists:
        ptrs.append(part.ptr[1:] + offset)
        offset += len(part.items)
    return Lists(xp.concatenate(ptrs), xp.concatenate([part.items for part in lists]))


def group(
    xp: Any, owner: Array, n_owners: int, words: Callable[[Any], Array]
) -> tuple[Array, Array]:
    """Find which rows have the same owner and the same words.

    Rows are sorted by the owner and a hash of the words; rows that come together by chance make
    another hash necessary, so the groups are right and do not depend on chance.

    Parameters
    ----------
    xp : module
    owner : (n,) ndarray of int32
        0..n_owners-1.
    n_owners : int
    words : callable
        Gives the words of the rows that an index stands for, (n_rows, n_words), of uint64.

    Returns
    -------
    order : (n,) ndarray
        Rows, one group after another; owners ascend, and rows ascend in a group.
    ptr : (n_groups + 1,) ndarray
        Group i is ``order[ptr[i]:ptr[i + 1]]``.
    """
    n = len(owner)
    if n == 0:
        return xp.zeros(0, dtype=np.int64), xp.zeros(1, dtype=np.int64)
    n_bits = max(1, (n_owners - 1).bit_length())
    for seed in _SEEDS:
        key = xp.empty(n, dtype=np.uint64)
        for part in _parts(n):
            key[part] = _keys(xp, owner[part], n_bits, words(part), seed)
        order = xp.argsort(key, kind="stable")
        key = key[order]
        begins = xp.ones(n, dtype=bool)
        begins[1:] = key[1:] != key[:-1]
        follows = xp.flatnonzero(~begins)
        one, other = order[follows], order[follows - 1]
        if all(bool((words(one[p]) == words(other[p])).all()) for p in _parts(len(one))):
            return order, xp.append(xp.flatnonzero(begins), n)
    raise InvariantError("four hash functions have failed in a row; please report this as a bug")


def match(
    xp: Any, owner: Array, n_owners: int, words: Callable[[Any], Array]
) -> tuple[Array, Array]:
    """Give rows with the same owner and the same words one number; see `group`.

    Returns
    -------
    first : (n_groups,) ndarray
        The first row of each number, ascending.
    number : (n,) ndarray of int32
        The number of each row.
    """
    order, ptr = group(xp, owner, n_owners, words)
    heads = order[ptr[:-1]]
    if not len(heads):
        return heads, heads.astype(np.int32)
    by_head = xp.argsort(heads, kind="stable")
    rank = xp.empty(len(heads), dtype=np.int32)
    rank[by_head] = xp.arange(len(heads), dtype=np.int32)
    number = xp.empty(len(owner), dtype=np.int32)
    number[order] = rank[spread(xp, ptr)]
    return heads[by_head], number


def merged(xp: Any, sets: Array, rows: Array, more: Array, more_rows: Array) -> Array:
    """Return ``sets[rows] | more[more_rows]``.

    Parameters
    ----------
    xp : module
    sets, more : (n_sets, n_words) and (n_more, n_words) ndarrays of uint64
    rows, more_rows : (n,) ndarrays of int32
    """
    kernel = _MERGED.on(xp)
    if kernel is None:
        return sets[rows] | more[more_rows]
    words = xp.empty((len(rows), sets.shape[1]), dtype=np.uint64)
    kernel(sets, rows, more, more_rows, sets.shape[1], words, size=words.size)
    return words


def _parts(n: int) -> Iterator[slice]:
    for first in range(0, n, _ROWS_AT_ONCE):
        yield slice(first, min(n, first + _ROWS_AT_ONCE))


def _keys(xp: Any, owner: Array, n_bits: int, words: Array, seed: int) -> Array:
    """Return numbers with the owner in their n_bits highest bits, and then a hash of the words."""
    kernel = _KEYS.on(xp)
    if kernel is not None:
        keys = xp.empty(len(words), dtype=np.uint64)
        kernel(owner, words, words.shape[1], seed, n_bits, keys, size=len(words))
        return keys
    keys = _hash(xp, words, seed) >> np.uint64(n_bits)
    keys |= owner.astype(np.uint64) << np.uint64(64 - n_bits)
    return keys


def _hash(xp: Any, words: Array, seed: int) -> Array:
    """Return a hash of each row, by the mixing of SplitMix64 (Steele, Lea, Flood 2014)."""
    result = xp.full(len(words), np.uint64(seed))
    for w in range(words.shape[1]):
        result ^= words[:, w]
        result *= np.uint64(0xBF58476D1CE4E5B9)
        result ^= result >> np.uint64(27)
        result *= np.uint64(0x94D049BB133111EB)
        result ^= result >> np.uint64(31)
    return result
