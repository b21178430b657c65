"""Sets of a layer's units as bits of 64-bit words, for arrays of any namespace.

A set is a row of words; unit j is bit ``j & 63`` of word ``j >> 6``, as for compiled kernels
(`_bits`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._bulk_arrays import Array, spread

__all__ = ["Units"]


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
        single = np.zeros((n, self.n_words), dtype=np.uint64)
        below = np.zeros((n, self.n_words), dtype=np.uint64)
        for j in range(n):
            single[j, j >> 6] = 1 << (j & 63)
            below[j, : j >> 6] = 2**64 - 1
            below[j, j >> 6] = (1 << (j & 63)) - 1
        self.single, self.below = xp.asarray(single), xp.asarray(below)

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
        """Yield slices of so many rows that their bits can be unpacked at once."""
        step = max(1, times * self._at_once // (64 * self.n_words))
        for first in range(0, n, step):
            yield slice(first, min(n, first + step))

    def members(self, sets: Array) -> tuple[Array, Array]:
        """Return all pairs (set, unit in it), both ascending."""
        xp = self._xp
        filled = xp.flatnonzero((sets != 0).any(axis=1))
        rows, units = [xp.zeros(0, dtype=np.int64)], [xp.zeros(0, dtype=np.int64)]
        for part in self.slices(len(filled), 8):  # bytes, where others unpack into numbers
            places = xp.flatnonzero(self.unpack(sets[filled[part]]))
            rows.append(filled[part][places // (64 * self.n_words)])
            units.append(places % (64 * self.n_words))
        return xp.concatenate(rows), xp.concatenate(units)

    def union(self, sets: Array, ptr: Array) -> Array:
        """Return the union of rows ptr[i]..ptr[i + 1]-1 for each i; none of these is empty.

        Every row takes in the row that is 1, 2, 4, ... places further on, while that is in the
        same segment; `sets` is overwritten.
        """
        xp = self._xp
        if len(ptr) == 1:
            return sets[:0]
        end = ptr[1:][spread(xp, ptr)]
        longest, step = int((ptr[1:] - ptr[:-1]).max()), 1
        while step < longest:
            inside = xp.arange(step, len(sets)) < end[:-step]
            sets[:-step] |= xp.where(inside[:, None], sets[step:], np.uint64(0))
            step *= 2
        return sets[ptr[:-1]]
