"""Compiled kernels that take new cells out of the room they were made in, number and join them.

A part is handled by one call at a time: between calls threads wait for their turn in Python, which
takes as long as the work itself if there are many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

from .flats import N_CELLS, N_ENTRIES, N_VERTICES
from .records import MINUS, PLUS
from .survey import row_of

__all__ = ["Joined", "Kept", "give_numbers", "put", "take_out"]


class Kept(NamedTuple):
    """The new cells inside some k-cells of a d-dimensional complex, in memory of their own.

    Attributes
    ----------
    begin, n_facets, entries, x, deviation : ndarrays
        As in `Made`.
    planes : ndarray of int32
        The planes in which the new cells lie, d - l for each l-cell, by dimension l < d; only those
        of (d-1)-cells in the last stage.
    mask : (≥ n, 2) ndarray of uint64
        As in `Made`; for k = d only the positive neurons of the new regions, (n_regions, 1).
    """

    begin: NDArray[np.int32]
    n_facets: NDArray[np.int32]
    entries: NDArray[np.int32]
    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    planes: NDArray[np.int32]
    mask: NDArray[np.uint64]


class Joined(NamedTuple):
    """A complex whose arrays of all dimensions are one, as kernels want them.

    Attributes
    ----------
    x, deviation, packed : ndarrays
        As in `LatticeCells`.
    indptr, indices, planes : ndarrays of int64, int32, int32
        The lists of facets, and the planes, one dimension after another.
    first_indptr, first_index, first_plane : (d + 1,) ndarrays of int64
        Where each dimension begins in these.
    """

    x: NDArray[np.float64]
    deviation: NDArray[np.float64]
    packed: NDArray[np.uint8]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    planes: NDArray[np.int32]
    first_indptr: NDArray[np.int64]
    first_index: NDArray[np.int64]
    first_plane: NDArray[np.int64]


@njit(cache=True, nogil=True)
def take_out(carriers, made, rows, first, lowest, offset, kept):
    """Copy what has been made; add the planes of l-cells, l ≥ lowest, new ones from `offset` on."""
    begin, mask = made.begin, made.mask
    k, d = begin.shape[1] - 2, made.x.shape[1]
    for i in range(made.cursor[N_CELLS]):
        kept.n_facets[i] = made.n_facets[i]
    for i in range(made.cursor[N_ENTRIES]):
        kept.entries[i] = made.entries[i]
    for i in range(made.cursor[N_VERTICES]):
        for j in range(d):
            kept.x[i, j] = made.x[i, j]
        kept.deviation[i] = made.deviation[i]
    n = 0
    if k == d:
        for i in range(len(begin)):
            for cell in range(begin[i, d], begin[i, d + 1]):
                kept.mask[n, PLUS] = mask[cell, PLUS]
                n += 1
    n = 0
    for level in range(lowest, min(k + 1, d)):
        for i in range(len(begin)):
            c = first + i
            others = carriers.mask[c, PLUS] & carriers.mask[c, MINUS]
            for cell in range(begin[i, level], begin[i, level + 1]):
                for q in range(d - k):
                    kept.planes[n + q] = carriers.planes[c, q]
                n += d - level
                zeros = ~(mask[cell, PLUS] | mask[cell, MINUS]) & others
                q = n
                while zeros:
                    position = lowest_bit(zeros)
                    zeros &= zeros - np.uint64(1)
                    q -= 1
                    row = row_of(rows.begin, rows.crossing, carriers.region_of[c], position)
                    kept.planes[q] = offset + row


@njit(cache=True, nogil=True)
def give_numbers(kept, starts, first, row, below):
    """Give numbers to cells inside some carriers, those of each dimension from a start on.

    They are written with the masks, from `row` on, for the cells of the next dimension.
    """
    begin, following = kept.begin, starts.copy()
    for i in range(len(begin)):
        for level in range(len(following)):
            below.number[first + i, level] = following[level]
            following[level] += begin[i, level + 1] - begin[i, level]
            below.begin[first + i, level] = row + begin[i, level]
        below.begin[first + i, len(following)] = row + begin[i, len(following)]
    for i in range(begin[len(begin) - 1, len(following)]):
        below.mask[row + i, PLUS] = kept.mask[i, PLUS]
        below.mask[row + i, MINUS] = kept.mask[i, MINUS]


@njit(cache=True, nogil=True)
def put(kept, first, starts, entry_starts, lowest, old_packed, first_neuron, joined):
    """Write the cells inside some carriers, and their lists of facets, from their starts on."""
    begin, n_facets, entries = kept.begin, kept.n_facets, kept.entries
    indptr, indices = joined.indptr, joined.indices
    k, d = begin.shape[1] - 2, joined.x.shape[1]
    for i in range(len(kept.x)):
        for j in range(d):
            joined.x[starts[0] + i, j] = kept.x[i, j]
        joined.deviation[starts[0] + i] = kept.deviation[i]
    following, ends = starts.copy(), joined.first_index[: k + 1] + entry_starts
    at = 0
    for i in range(len(begin)):
        first_facet = np.int64(0)
        for level in range(k + 1):
            number, end = following[level], ends[level]
            if level:
                p = joined.first_indptr[level] + number
                for c in range(begin[i, level], begin[i, level + 1]):
                    for _ in range(n_facets[c]):
                        entry = entries[at]
                        indices[end] = entry if entry >= 0 else first_facet + ~entry
                        at += 1
                        end += 1
                    p += 1
                    indptr[p] = end - joined.first_index[level]
            first_facet = number
            following[level] += begin[i, level + 1] - begin[i, level]
            ends[level] = end
    n = 0
    for level in range(lowest, min(k + 1, d)):
        width = d - level
        at = joined.first_plane[level] + starts[level] * width
        for _ in range((following[level] - starts[level]) * width):
            joined.planes[at] = kept.planes[n]
            at += 1
            n += 1
    if k == d:
        n = 0
        for i in range(len(begin)):
            for _ in range(begin[i, d], begin[i, d + 1]):
                _write_pattern(
                    kept.mask[n, PLUS], old_packed[first + i], first_neuron,
                    joined.packed[starts[d] + n],
                )  # fmt: skip
                n += 1


@njit(cache=True, inline="always")
def _write_pattern(bits, old, first_neuron, new):
    """Write the pattern of a new region: that of the region it was cut from, and a stage's bits."""
    for b in range(len(old)):
        new[b] = old[b]
    while bits:
        neuron = first_neuron + 63 - np.int64(lowest_bit(bits))
        bits &= bits - np.uint64(1)
        new[neuron >> 3] |= np.uint8(1 << (neuron & 7))
