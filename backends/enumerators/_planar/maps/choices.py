"""Compiled kernels that tell which entries of a graph coincide where pooling chooses the same ones.

As in `_certified.structure`, but for all regions of a block, one after another. On a region every
entry of a graph's values is a multiple of a *class*: a class is an entry that is taken as it is, or
a sum of multiples of other classes, and equal sums are one class. So entries that are computed in
the same way of what is chosen there have the same class, whatever comes between. Neurons of the
class 0 vanish on the region; those of one class vanish on the same line; and if a sum is a
combination of two others, its line goes through the point where theirs meet.

Invariant: what is told is exact, see `classes`; what is not found is left to other decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.networks.local_maps import Shared
from relutopo.networks.local_walks import Changes
from relutopo.system.compilation import njit

from ..._shared.growing import grown
from ..records import Beside, PlanarCells
from .classes import ZERO, Classes, begin, evaluate, follow, load, reduced, room_for, vanishes
from .entries import Entries

__all__ = ["Choices", "may_vanish"]

_NEAR = 1.05
"""Maps that vanish are smaller than their error bounds times this."""


class _Regions(NamedTuple):
    """Regions of a block, and in `at` the one that was visited last, or -1; see `Shared`."""

    at: NDArray[np.int64]
    neurons: NDArray[np.int64]
    always: NDArray[np.bool_]
    packed: NDArray[np.uint8]


def may_vanish(changes: Changes, reach: NDArray[np.float64]) -> bool:
    """Tell whether any maps are so small that they may vanish, besides those that are 0."""
    sizes, errors = np.abs(changes.maps[:, :3]) @ reach, changes.maps[:, 3]
    return bool(((sizes <= _NEAR * errors) & (errors > 0.0)).any())


class Choices:
    """What a graph's entries are on the regions of a block, which are visited one after another.

    Nothing is made before it is needed, and layers that cut the block share what is.

    Parameters
    ----------
    entries : callable
        Gives the network's entries.
    """

    def __init__(self, entries: Callable[[], Entries]) -> None:
        self._given = entries
        self._regions: _Regions | None = None

    def on(self, shared: Shared, packed: NDArray[np.uint8]) -> None:
        """Go to the regions that the next layer cuts.

        Parameters
        ----------
        shared : Shared
            What their patterns share.
        packed : (n_regions, n_bytes) ndarray of uint8
            What is kept of these.
        """
        self._regions = _Regions(np.full(1, -1), *shared, packed)

    @cached_property
    def _entries(self) -> Entries:
        return self._given()

    @cached_property
    def _classes(self) -> Classes:
        return room_for(self._entries)

    def _units(self, neurons: NDArray[np.integer]) -> NDArray[np.int64]:
        units: NDArray[np.int64] = self._entries.before[neurons]
        return units

    def vanishing(
        self, neurons: NDArray[np.integer], changes: Changes, reach: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return which units begin or cease to vanish on each region, in CSR form.

        Parameters
        ----------
        neurons : ndarray of int
            The neurons of the units.
        changes : Changes
            Their maps.
        reach : (3,) ndarray
            Bounds of |x_i|, and 1.
        """
        found: tuple[NDArray[np.int64], NDArray[np.int32]] = _vanishing(
            self._units(neurons),
            changes,
            reach,
            self._entries,
            self._classes,
            self._regions,
        )
        return found

    def left(
        self,
        unknown: NDArray[np.int32],
        neurons: NDArray[np.integer],
        cells: PlanarCells,
        beside: Beside,
    ) -> NDArray[np.int32]:
        """Return those of the (vertex, unit) pairs in `unknown` that are not known to be zero."""
        found: NDArray[np.int32] = _left(
            unknown,
            self._units(neurons),
            cells,
            beside,
            self._entries,
            self._classes,
            self._regions,
        )
        return found

    def meet(self, region: int, line: int, neurons: NDArray[np.integer]) -> bool:
        """Tell whether neurons are known to cross a line in one point on a region.

        Parameters
        ----------
        region : int
        line : int
            A neuron that vanishes there, or a negative number.
        neurons : ndarray of int
        """
        return bool(
            _meet(
                region,
                self._entries.before[line] if line >= 0 else -1,
                self._units(neurons),
                self._entries,
                self._classes,
                self._regions,
            )
        )


@njit(cache=True)
def _visit(r, entries, classes, regions):
    """Go to a region; known entries that are not as on the one before go to `changed`.

    Return how many these are.
    """
    bits, class_of, changed, dirty = (
        classes.bits,
        classes.class_of,
        classes.changed,
        classes.dirty,
    )
    packed, neurons, always = regions.packed, regions.neurons, regions.always
    before, n = regions.at[0], 0
    regions.at[0] = r
    room = len(entries.neuron) + len(entries.terms)
    if classes.sizes[0] + 2 * room > len(classes.length) or classes.sizes[
        1
    ] + 4 * room + 2048 > len(classes.parts):
        for e in range(len(class_of)):
            if class_of[e] >= 0:
                changed[n] = e
                n += 1
        for i in range(len(classes.table)):
            classes.table[i] = 0
        begin(classes)
    if before < 0:
        now = always.copy()
        for i in range(len(neurons)):
            now[neurons[i]] = (packed[r, i >> 3] >> (i & 7)) & 1
        for neuron in range(len(now)):
            if bits[neuron] != now[neuron]:
                bits[neuron] = now[neuron]
                e = entries.after[neuron]
                dirty[e >> 6] |= np.uint64(class_of[e] >= 0) << np.uint64(e & 63)
    for b in range(packed.shape[1] if before >= 0 else 0):
        byte = np.uint64(packed[r, b] ^ packed[before, b])
        while byte:
            neuron = neurons[8 * b + int(lowest_bit(byte))]
            byte &= byte - np.uint64(1)
            bits[neuron] ^= True
            e = entries.after[neuron]
            dirty[e >> 6] |= np.uint64(class_of[e] >= 0) << np.uint64(e & 63)
    return max(n, follow(-1, entries, classes))


@njit(cache=True, nogil=True)
def _vanishing(units, changes, reach, entries, classes, regions):
    n_units, class_of, changed = len(units), classes.class_of, classes.changed
    unit_of = np.full(len(entries.neuron), -1, np.int64)
    for j in range(n_units):
        unit_of[units[j]] = j
    is_near, is_zero = np.zeros(n_units, np.bool_), np.zeros(n_units, np.bool_)
    queue, seen = np.empty(n_units, np.int64), np.full(n_units, -1, np.int64)
    ptr, found, n_found = (
        np.zeros(len(regions.packed) + 1, np.int64),
        np.empty(n_units, np.int32),
        0,
    )
    for r in range(len(regions.packed)):
        n_queue, n_changed = 0, _visit(r, entries, classes, regions)
        for i in range(n_changed):
            j = unit_of[changed[i]]
            if j >= 0 and is_near[j]:
                seen[j] = r
                queue[n_queue] = j
                n_queue += 1
        for i in range(changes.ptr[r], changes.ptr[r + 1]):
            j, size = changes.places[i], 0.0
            for q in range(3):
                size += reach[q] * abs(changes.maps[i, q])
            is_near[j] = size <= _NEAR * changes.maps[i, 3] and changes.maps[i, 3] > 0.0
            if (is_near[j] or is_zero[j]) and seen[j] != r:
                seen[j] = r
                queue[n_queue] = j
                n_queue += 1
        found = grown(found, n_found + n_queue)
        for i in range(n_queue):
            j = queue[i]
            if is_near[j] and class_of[units[j]] < 0:
                evaluate(units[j], entries, classes)
            vanishes = is_near[j] and class_of[units[j]] == ZERO
            if vanishes != is_zero[j]:
                is_zero[j] = vanishes
                found[n_found] = j
                n_found += 1
        ptr[r + 1] = n_found
    return ptr, found[:n_found]


@njit(cache=True)
def _left(unknown, units, cells, beside, entries, classes, regions):
    region_ptr, half_edges, labels = cells.region_ptr, cells.half_edges, cells.labels
    left, n_left, i = np.empty_like(unknown), 0, 0
    while i < len(unknown):
        v = unknown[i, 0]
        r = beside.vertex_owner[v]
        _visit(r, entries, classes, regions)
        first, last = region_ptr[r], region_ptr[r + 1]
        q = first
        while beside.origins[q] != v:
            q += 1
        before = q - 1 if q > first else last - 1
        a, b = labels[half_edges[q] >> 1], labels[half_edges[before] >> 1]
        k_a = evaluate(entries.before[a], entries, classes) if a >= 0 else ZERO
        k_b = evaluate(entries.before[b], entries, classes) if b >= 0 else ZERO
        # Sums 4 and 5 are the two lines, the second one without what the first one has.
        n_a, n_b = load(4, k_a, classes), load(6, k_b, classes)
        n_b = max(0, reduced(6, n_b, 4, n_a, 5, classes))
        while i < len(unknown) and unknown[i, 0] == v:
            j = unknown[i, 1]
            i += 1
            k = evaluate(units[j], entries, classes)
            if k in (ZERO, k_a, k_b):
                continue
            n = reduced(6, load(6, k, classes), 4, n_a, 7, classes)
            if n > 0:
                n = reduced(7, n, 5, n_b, 6, classes)
            if n != 0 and not vanishes(k, k_a, k_b, classes):
                left[n_left, 0], left[n_left, 1] = v, j
                n_left += 1
    return left[:n_left]


@njit(cache=True)
def _meet(r, line, units, entries, classes, regions):
    _visit(r, entries, classes, regions)
    k_line, n_first = ZERO, 0
    if line >= 0:
        k_line = evaluate(line, entries, classes)
    n_line = load(4, k_line, classes)
    for j in range(len(units)):
        k = evaluate(units[j], entries, classes)
        n = reduced(6, load(6, k, classes), 4, n_line, 5 if j == 0 else 7, classes)
        if n <= 0:
            return False
        if j == 0:
            n_first = n
        elif reduced(7, n, 5, n_first, 6, classes) != 0:
            return False
    return True
