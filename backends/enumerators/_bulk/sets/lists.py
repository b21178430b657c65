"""Ragged lists, and other array operations of the bulk enumerator.

Everything here works with an array namespace `xp`, NumPy or CuPy, and uses only what both provide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from relutopo.devices.kernels import Kernel

__all__ = [
    "Array",
    "Lists",
    "concatenate_lists",
    "distinct",
    "gathered",
    "pointers",
    "prefix_sums",
    "spread",
]

Array: TypeAlias = Any
"""An array of NumPy or CuPy."""

_SPREAD = Kernel(
    "relutopo_spread",
    "raw int64 ptr",
    "raw int32 owners",
    """
    for (long long p = ptr[i]; p < ptr[i + 1]; ++p) owners[p] = i;
    """,
)
_LENGTHS = Kernel(
    "relutopo_lengths",
    "raw int64 ptr, raw int32 rows",
    "raw int64 lengths",
    "lengths[i] = ptr[rows[i] + 1] - ptr[rows[i]];",
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
_PLACES = Kernel(
    "relutopo_places",
    "raw int64 ptr, raw int32 items, raw int32 rows, raw int32 wanted",
    "raw int64 places",
    """
    long long low = ptr[rows[i]], high = ptr[rows[i] + 1];
    while (low < high) {
        long long middle = (low + high) / 2;
        if (items[middle] < wanted[i]) low = middle + 1;
        else high = middle;
    }
    places[i] = low;
    """,
)


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

    def of(self, xp: Any, rows: Array) -> tuple[Lists, Array]:
        """Return some lists, and for each of their items the place of its list in `rows`, int32."""
        kernel = _LENGTHS.on(xp)
        if kernel is None:
            ptr = prefix_sums(xp, self.ptr[rows + 1] - self.ptr[rows])
            owner = spread(xp, ptr)
            places = self.ptr[rows][owner] + xp.arange(len(owner)) - ptr[owner]
            return Lists(ptr, self.items[places]), owner
        rows = rows.astype(np.int32, copy=False)
        ptr = pointers(xp, kernel, len(rows), self.ptr, rows)
        n = int(ptr[-1])
        items, owner = xp.empty(n, dtype=np.int32), xp.empty(n, dtype=np.int32)
        _LISTS.on(xp)(self.ptr, self.items, rows, ptr, items, owner, size=len(rows))
        return Lists(ptr, items), owner

    def places(self, xp: Any, rows: Array, wanted: Array) -> Array:
        """Return where some items are, each in one of the lists, which ascend; int64.

        Parameters
        ----------
        xp : module
        rows, wanted : (n,) ndarrays of int32
            A list, and an item of it.
        """
        kernel = _PLACES.on(xp)
        if kernel is None:
            width = 1 + int(self.items.max()) if len(self.items) else 1
            keys = self.owners(xp).astype(np.int64) * width + self.items
            return xp.searchsorted(keys, rows.astype(np.int64) * width + wanted)
        places = xp.empty(len(rows), dtype=np.int64)
        kernel(self.ptr, self.items, rows, wanted, places, size=len(rows))
        return places


def prefix_sums(xp: Any, values: Array, dtype: type = np.int64) -> Array:
    """Return the sums of the first 0, 1, 2, ... values, modulo the range of the type."""
    sums = xp.zeros(len(values) + 1, dtype=dtype)
    if len(values):
        sums[1:] = xp.cumsum(values, dtype=dtype)
    return sums


def pointers(xp: Any, kernel: Any, n: int, *arguments: Any) -> Array:
    """Return where each of n lists begins, and the end, from a kernel that gives their lengths."""
    lengths = xp.zeros(n + 1, dtype=np.int64)
    kernel(*arguments, lengths[1:], size=n)
    return xp.cumsum(lengths)


def distinct(xp: Any, numbers: Array) -> Array:
    """Return the numbers that occur, ascending."""
    return xp.unique(numbers) if len(numbers) else numbers


def spread(xp: Any, ptr: Array) -> Array:
    """Return each number i repeated as many times as list i has items."""
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
