"""Sets of a layer's units as bits of 64-bit words, for arrays of any namespace.

A set is a row of words; unit j is bit ``j & 63`` of word ``j >> 6``, as for compiled kernels
(`_shared.bits`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.devices.kernels import Kernel

from .lists import Array, Lists, gathered, pointers, spread

__all__ = ["Units"]

_SIZES = Kernel(
    "relutopo_sizes",
    "raw uint64 sets, int64 n_words",
    "raw int64 counts",
    """
    long long count = 0;
    for (long long w = 0; w < n_words; ++w) count += N_BITS(sets[i * n_words + w]);
    counts[i] = count;
    """,
)
_MEMBERS = Kernel(
    "relutopo_members",
    "raw uint64 sets, raw int64 ptr, int64 n_words",
    "raw int32 units, raw int32 rows",
    """
    unsigned long long word = sets[i];
    if (word) {
        long long row = i / n_words, w = i % n_words, place = ptr[row];
        for (long long earlier = i - w; earlier < i; ++earlier) place += N_BITS(sets[earlier]);
        for (; word; word &= word - 1) {
            rows[place] = row;
            units[place++] = 64 * w + LOWEST_BIT(word);
        }
    }
    """,
)
_UNION = Kernel(
    "relutopo_union",
    "raw uint64 sets, raw int64 ptr, raw int32 items, int64 n_words",
    "raw uint64 unions",
    """
    long long list = i / n_words, w = i % n_words;
    unsigned long long found = 0;
    for (long long p = ptr[list]; p < ptr[list + 1]; ++p) found |= sets[items[p] * n_words + w];
    unions[i] = found;
    """,
)
_PLACED = Kernel(
    "relutopo_placed",
    "raw uint64 sets, raw int32 rows, int64 n_words, int64 first, int64 shift, int64 n_all, "
    "int64 n_touched",
    "raw uint64 words",
    """
    long long row = i / n_touched, w = i % n_touched;
    long long source = rows[row] * n_words;
    unsigned long long bits = w < n_words ? sets[source + w] << shift : 0;
    if (w > 0 && shift > 0) bits |= sets[source + w - 1] >> (64 - shift);
    words[row * n_all + first + w] |= bits;
    """,
)


class Units:
    """Sets of the units of one layer.

    Parameters
    ----------
    xp : module
        Array namespace.
    n : int
        Number of units.
    at_once : int
        How many bits are unpacked at a time.
    """

    def __init__(self, xp: Any, n: int, at_once: int) -> None:
        self._xp, self._at_once = xp, at_once
        self.n, self.n_words = n, max(1, -(-n // 64))

    @cached_property
    def single(self) -> Array:
        """For each unit the set of it alone."""
        return self._xp.asarray(self._single)

    @cached_property
    def below(self) -> Array:
        """For each unit the set of those before it."""
        unit = np.arange(self.n)
        below = np.zeros((self.n, self.n_words), dtype=np.uint64)
        below[unit[:, None] >> 6 > np.arange(self.n_words)] = 2**64 - 1
        below |= np.where(self._single > 0, self._single - np.uint64(self._single > 0), 0)
        return self._xp.asarray(below)

    @cached_property
    def _single(self) -> NDArray[np.uint64]:
        unit = np.arange(self.n)
        single = np.zeros((self.n, self.n_words), dtype=np.uint64)
        single[unit, unit >> 6] = np.uint64(1) << (unit & 63).astype(np.uint64)
        return single

    def none(self, n: int) -> Array:
        """Return n empty sets."""
        return self._xp.zeros((n, self.n_words), dtype=np.uint64)

    def pack(self, flags: Array) -> Array:
        """Return the sets of the units that are flagged; flags (n, 64 n_words) of bool."""
        packed = self._xp.packbits(flags.ravel(), bitorder="little")
        return packed.view(np.uint64).reshape(len(flags), self.n_words)

    def unpack(self, sets: Array) -> Array:
        """Return a flag for each bit of the words, (n, 64 n_words)."""
        raw = self._xp.ascontiguousarray(sets).view(np.uint8).ravel()
        flags = self._xp.unpackbits(raw, bitorder="little")
        return flags.reshape(len(sets), 64 * self.n_words)

    def slices(self, n: int, times: int = 1) -> Iterator[slice]:
        """Yield slices of rows, as many as can be unpacked at once."""
        step = max(1, times * self._at_once // (64 * self.n_words))
        for first in range(0, n, step):
            yield slice(first, min(n, first + step))

    def sizes(self, sets: Array) -> Array:
        """Return how many units each set has, int64."""
        xp = self._xp
        counts = xp.zeros(len(sets), dtype=np.int64)
        kernel = _SIZES.on(xp)
        if kernel is not None:
            kernel(sets, self.n_words, counts, size=len(sets))
            return counts
        for part in self.slices(len(sets), 8):
            counts[part] = self.unpack(sets[part]).sum(axis=1)
        return counts

    def members(self, sets: Array) -> tuple[Lists, Array]:
        """Return the units in each set, ascending, and for each of them its set, int32."""
        xp = self._xp
        kernel = _MEMBERS.on(xp)
        if kernel is not None:
            ptr = pointers(xp, _SIZES.on(xp), len(sets), sets, self.n_words)
            n = int(ptr[-1])
            units, rows = xp.empty(n, dtype=np.int32), xp.empty(n, dtype=np.int32)
            kernel(sets, ptr, self.n_words, units, rows, size=sets.size)
            return Lists(ptr, units), rows
        filled = xp.flatnonzero((sets != 0).any(axis=1))
        none = xp.zeros(0, dtype=np.int64)
        rows, units = [none], [none]
        for part in self.slices(len(filled), 8):  # into bytes, where others unpack into numbers
            places = xp.flatnonzero(self.unpack(sets[filled[part]]))
            rows.append(filled[part][places // (64 * self.n_words)])
            units.append(places % (64 * self.n_words))
        rows, units = (xp.concatenate(parts).astype(np.int32) for parts in (rows, units))
        return Lists(gathered(xp, rows, len(sets)), units), rows

    def union(self, sets: Array, lists: Lists) -> Array:
        """Return the union of the sets in each list; no list is empty.

        Every row is joined with the row 1, 2, 4, ... places further on, as long as that is in the
        same list.
        """
        xp, ptr = self._xp, lists.ptr
        kernel = _UNION.on(xp)
        if kernel is not None:
            unions = xp.empty((len(lists), self.n_words), dtype=np.uint64)
            kernel(sets, ptr, lists.items, self.n_words, unions, size=unions.size)
            return unions
        sets = sets[lists.items]
        if not len(lists):
            return sets
        end = ptr[1:][spread(xp, ptr)]
        longest, step = int((ptr[1:] - ptr[:-1]).max()), 1
        while step < longest:
            inside = xp.arange(step, len(sets)) < end[:-step]
            sets[:-step] |= xp.where(inside[:, None], sets[step:], np.uint64(0))
            step *= 2
        return sets[ptr[:-1]]

    def place(self, sets: Array, rows: Array, words: Array, first: int) -> None:
        """Put some sets into longer rows of bits, from bit `first` on, where none is set yet.

        Parameters
        ----------
        sets : (n_sets, n_words) ndarray of uint64
        rows : (n,) ndarray of int32
            Which sets.
        words : (n, n_all) ndarray of uint64
            Changed in place.
        first : int
        """
        word, shift = first >> 6, first & 63
        n_touched = min(self.n_words + (shift > 0), words.shape[1] - word)
        kernel = _PLACED.on(self._xp)
        if kernel is not None:
            sizes = self.n_words, word, shift, words.shape[1], n_touched
            kernel(sets, rows, *sizes, words, size=len(rows) * n_touched)
            return
        some = sets[rows]
        for w in range(self.n_words):
            words[:, word + w] |= some[:, w] << np.uint64(shift)
            if shift and word + w + 1 < words.shape[1]:
                words[:, word + w + 1] |= some[:, w] >> np.uint64(64 - shift)
