"""Which rows of words are equal: flats by their signs, points by the units that vanish there.

A row is the union of two sets of units, of which few different ones are stored. Kernels compute a
row from these; only its hash is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.arithmetic.mixing import GOLDEN_GAMMA, MIX_IN_C, mix
from relutopo.devices.kernels import Kernel
from relutopo.errors import InvariantError

from .lists import Array, spread

__all__ = ["Unions", "differ", "group", "match"]

_SEEDS = (GOLDEN_GAMMA, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)
_ROWS_AT_ONCE = 2**21
"""How many rows are written out as words at a time, where there are no kernels."""

_FIRST = (
    "raw uint64 sets, raw int32 rows, raw uint64 more, raw int32 more_rows, raw int32 but, "
    "int32 n_but"
)
_SECOND = (
    "raw uint64 sets_b, raw int32 rows_b, raw uint64 more_b, raw int32 more_rows_b, "
    "raw int32 but_b, int32 n_but_b"
)


def _word(row: str, w: str, suffix: str = "") -> str:
    """Return the C expression for a word of a row."""
    s = suffix
    return (
        f"((sets{s}[rows{s}[{row}] * n_words + {w}] | "
        f"more{s}[more_rows{s}[{row}] * n_words + {w}]) & "
        f"~(n_but{s} && but{s}[{row}] >> 6 == {w} ? 1ULL << (but{s}[{row}] & 63) : 0ULL))"
    )


_ROWS = Kernel(
    "relutopo_rows",
    f"{_FIRST}, raw int64 some, int64 n_words",
    "raw uint64 words",
    f"""
    long long row = some[i / n_words], w = i % n_words;
    words[i] = {_word("row", "w")};
    """,
)
_KEYS = Kernel(
    "relutopo_keys",
    f"{_FIRST}, raw int32 owner, int64 n_words, uint64 seed, int32 n_bits",
    "raw uint64 keys",
    f"""
    unsigned long long hash = seed;
    for (long long w = 0; w < n_words; ++w) {{
        hash ^= {_word("i", "w")};
        {MIX_IN_C}
    }}
    keys[i] = hash >> n_bits | (unsigned long long)owner[i] << (64 - n_bits);
    """,
)
_DIFFER = Kernel(
    "relutopo_differ",
    f"{_FIRST}, {_SECOND}, raw int64 one, raw int64 other, int64 n_words",
    "raw bool found",
    f"""
    long long a = one[i], b = other[i];
    for (long long w = 0; w < n_words; ++w)
        if ({_word("a", "w")} != {_word("b", "w", "_b")}) found[0] = true;
    """,
)
_COLLIDE = Kernel(
    "relutopo_collide",
    f"{_FIRST}, raw int64 order, raw bool begins, int64 n_words",
    "raw bool found",
    f"""
    if (!begins[i]) {{
        long long a = order[i], b = order[i - 1];
        for (long long w = 0; w < n_words; ++w)
            if ({_word("a", "w")} != {_word("b", "w")}) found[0] = true;
    }}
    """,
)
_BEGINS = Kernel(
    "relutopo_begins",
    "raw uint64 keys, raw int64 order",
    "raw bool begins",
    "begins[i] = i == 0 || keys[order[i]] != keys[order[i - 1]];",
)


@dataclass(frozen=True)
class Unions:
    """Rows of words: ``sets[rows] | more[more_rows]``, without the units `but`.

    Attributes
    ----------
    sets, more : (n_sets, n_words) and (n_more, n_words) ndarrays of uint64
    rows, more_rows : (n,) ndarrays of int32
    but : (n,) ndarray of int32 or None
        A unit for each row.
    """

    sets: Array
    rows: Array
    more: Array
    more_rows: Array
    but: Array = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_words(self) -> int:
        """Words of a row."""
        return int(self.sets.shape[1])

    @property
    def for_kernels(self) -> tuple[Any, ...]:
        """The arguments that represent the rows in a kernel."""
        has_units = self.but is not None
        units = self.but if has_units else self.rows
        return self.sets, self.rows, self.more, self.more_rows, units, int(has_units)

    def words(self, xp: Any, some: Array) -> Array:
        """Return some rows, an int64 for each."""
        kernel = _ROWS.on(xp)
        if kernel is not None:
            words = xp.empty((len(some), self.n_words), dtype=np.uint64)
            kernel(*self.for_kernels, some, self.n_words, words, size=words.size)
            return words
        words = self.sets[self.rows[some]] | self.more[self.more_rows[some]]
        if self.but is not None:
            unit = self.but[some]
            single = np.uint64(1) << (unit & 63).astype(np.uint64)
            words[xp.arange(len(some)), unit >> 6] &= ~single
        return words


def differ(xp: Any, first: Unions, one: Array, second: Unions, other: Array) -> bool:
    """Tell whether any of some rows differs from its counterpart.

    Parameters
    ----------
    xp : module
    first, second : Unions
    one, other : (n,) ndarrays of int64
        Rows of the first, and the rows of the second with which they are compared.
    """
    kernel = _DIFFER.on(xp)
    if kernel is not None:
        found = xp.zeros(1, dtype=bool)
        both = *first.for_kernels, *second.for_kernels
        kernel(*both, one, other, first.n_words, found, size=len(one))
        return bool(found[0])
    return any(
        bool((first.words(xp, one[part]) != second.words(xp, other[part])).any())
        for part in _parts(len(one))
    )


def group(xp: Any, owner: Array, n_owners: int, names: Unions) -> tuple[Array, Array]:
    """Find which rows have the same owner and the same words.

    Rows are sorted by the owner and a hash of the words; if different rows have equal hashes,
    another hash function is used. So the groups are right and do not depend on chance.

    Parameters
    ----------
    xp : module
    owner : (n,) ndarray of int32
        0..n_owners-1.
    n_owners : int
    names : Unions
        n of them.

    Returns
    -------
    order : (n,) ndarray of int64
        Rows, one group after another; owners ascend, and rows ascend in a group.
    ptr : (n_groups + 1,) ndarray of int64
        Group i is ``order[ptr[i]:ptr[i + 1]]``.
    """
    n = len(owner)
    if n == 0:
        return xp.zeros(0, dtype=np.int64), xp.zeros(1, dtype=np.int64)
    n_bits = max(1, (n_owners - 1).bit_length())
    for seed in _SEEDS:
        key = _keys(xp, owner, n_bits, names, seed)
        order = xp.argsort(key, kind="stable")
        begins = _begins(xp, key, order)
        if not _collide(xp, names, order, begins):
            return order, xp.append(xp.flatnonzero(begins), n)
    raise InvariantError("four hash functions have failed in a row; please report this as a bug")


def match(xp: Any, owner: Array, n_owners: int, names: Unions) -> tuple[Array, Array]:
    """Give rows with the same owner and the same words one number; see `group`.

    Returns
    -------
    first : (n_groups,) ndarray of int64
        The first row of each number, ascending.
    number : (n,) ndarray of int32
        The number of each row.
    """
    order, ptr = group(xp, owner, n_owners, names)
    heads = order[ptr[:-1]]
    if not len(heads):
        return heads, heads.astype(np.int32)
    by_head = xp.argsort(heads, kind="stable")
    rank = xp.empty(len(heads), dtype=np.int32)
    rank[by_head] = xp.arange(len(heads), dtype=np.int32)
    number = xp.empty(len(owner), dtype=np.int32)
    number[order] = rank[spread(xp, ptr)]
    return heads[by_head], number


def _parts(n: int) -> Iterator[slice]:
    for first in range(0, n, _ROWS_AT_ONCE):
        yield slice(first, min(n, first + _ROWS_AT_ONCE))


def _keys(xp: Any, owner: Array, n_bits: int, names: Unions, seed: int) -> Array:
    """Return numbers with the owner in their n_bits highest bits, then a hash of the words."""
    kernel, n = _KEYS.on(xp), len(owner)
    keys = xp.empty(n, dtype=np.uint64)
    if kernel is not None:
        kernel(*names.for_kernels, owner, names.n_words, seed, n_bits, keys, size=n)
        return keys
    for part in _parts(n):
        words = names.words(xp, xp.arange(part.start, part.stop))
        keys[part] = _hash(xp, words, seed) >> np.uint64(n_bits)
    keys |= owner.astype(np.uint64) << np.uint64(64 - n_bits)
    return keys


def _collide(xp: Any, names: Unions, order: Array, begins: Array) -> bool:
    """Tell whether neighbouring rows of a group differ."""
    kernel = _COLLIDE.on(xp)
    if kernel is None:
        follows = xp.flatnonzero(~begins)
        return differ(xp, names, order[follows], names, order[follows - 1])
    found = xp.zeros(1, dtype=bool)
    kernel(*names.for_kernels, order, begins, names.n_words, found, size=len(order))
    return bool(found[0])


def _begins(xp: Any, key: Array, order: Array) -> Array:
    """Tell where, in order, the keys change."""
    kernel, begins = _BEGINS.on(xp), xp.ones(len(order), dtype=bool)
    if kernel is not None:
        kernel(key, order, begins, size=len(order))
        return begins
    sorted_keys = key[order]
    begins[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return begins


def _hash(xp: Any, words: Array, seed: int) -> Array:
    """Return a hash of each row, by the mixing of SplitMix64."""
    result = xp.full(len(words), np.uint64(seed))
    for w in range(words.shape[1]):
        result ^= words[:, w]
        mix(result)
    return result
