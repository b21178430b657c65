"""Compiled kernels that give a graph's units maps where they cross regions, and signs at vertices.

What the bounds leave open at a vertex is zero by structure where pooling compares what a kink has
set to zero with what vanishes on an edge there; that is known without any number.

As in `relutopo.networks.local_walks`, the loop over regions replaces no array by a longer one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.local_kernels import Rows
from relutopo.system.compilation import njit

from ..._certified.values import bound_near
from ..._shared.bits import lowest_bit, n_words, negative_bits
from ..._shared.growing import grown
from ..records import Maps, VertexSigns

__all__ = ["maps_and_signs"]


class _Structure(NamedTuple):
    """What contributes to what.

    Attributes
    ----------
    variable_of : ndarray of int32
        The variable that each neuron is, or -1.
    dependent : ndarray of int64
        The variables to which nothing but others contributes.
    supports, others
        Of `LocalLayer`.
    """

    variable_of: NDArray[np.int32]
    dependent: NDArray[np.int64]
    supports: Rows
    others: NDArray[np.bool_]


class _Here(NamedTuple):
    """The present region.

    Attributes
    ----------
    rows : (4, n_units) ndarray
        A, c and the error bound of the map of each unit.
    if_above, if_below : (64 n_words,) ndarrays
        Numbers that are negative where a unit is positive at a vertex, and where it is negative.
    is_left : (n_words,) ndarray of uint64
        The units that are not known to be zero throughout.
    open_units : (n_words,) ndarray of uint64
        Room for those that are open at a vertex.
    is_active : (f,) ndarray of bool
        Which variables are active.
    zeros : (f,) ndarray of int64
        Room for variables.
    """

    rows: NDArray[np.float64]
    if_above: NDArray[np.float64]
    if_below: NDArray[np.float64]
    is_left: NDArray[np.uint64]
    open_units: NDArray[np.uint64]
    is_active: NDArray[np.bool_]
    zeros: NDArray[np.int64]


class _Found(NamedTuple):
    """Signs and open pairs as in `VertexSigns`, open vertices, maps as in `Maps`."""

    positive: NDArray[np.uint64]
    negative: NDArray[np.uint64]
    unknown: NDArray[np.int32]
    is_open: NDArray[np.bool_]
    plane_of: NDArray[np.int32]
    planes: NDArray[np.float64]
    errors: NDArray[np.float64]


@njit(cache=True, nogil=True)
def maps_and_signs(n_units, changes, variables, supports, others, cells, beside, limit):
    """Return the maps of regions that units may cross, and the signs at all vertices.

    Parameters
    ----------
    n_units : int
    changes, variables, supports, others
        Of `LocalLayer`.
    cells, beside
        The block before the layer cuts.
    limit : float
        Of `Maps`.

    Returns
    -------
    maps : Maps
        Other regions have the plane -1.
    signs : VertexSigns
    """
    n_regions, n_vertices = len(cells.region_ptr) - 1, len(cells.x)
    words, f = n_words(n_units), len(variables)
    variable_of = np.full(variables.max() + 1 if f else 0, -1, np.int32)
    for i in range(f):
        variable_of[variables[i]] = i
    structure = _Structure(variable_of, np.flatnonzero(~others[:f]), supports, others)
    here = _Here(
        np.zeros((4, n_units)),
        np.ones(64 * words),
        np.ones(64 * words),
        np.zeros(words, np.uint64),
        np.zeros(words, np.uint64),
        np.zeros(f, np.bool_),
        np.empty(f, np.int64),
    )
    for j in range(n_units):
        here.is_left[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
    found = _Found(
        np.zeros((n_vertices, words), np.uint64),
        np.zeros((n_vertices, words), np.uint64),
        np.empty((16 + 4 * n_units, 2), np.int32),
        np.zeros(n_vertices, np.bool_),
        np.full(n_regions, -1, np.int32),
        np.empty((64, 3, n_units)),
        np.empty((64, n_units)),
    )
    r, n_unknown, n_kept = _walk(
        0, 0, 0, n_units, changes, structure, cells, beside, limit, here, found
    )
    while r < n_regions:
        most = n_unknown + n_units * (beside.own_ptr[r + 1] - beside.own_ptr[r])
        found = _Found(
            found.positive,
            found.negative,
            grown(found.unknown, most),
            found.is_open,
            found.plane_of,
            grown(found.planes, n_kept + 1),
            grown(found.errors, n_kept + 1),
        )
        r, n_unknown, n_kept = _walk(
            r, n_unknown, n_kept, n_units, changes, structure, cells, beside, limit, here, found
        )
    plane_of, norms = found.plane_of, np.zeros((n_kept, 3))  # norms are not used
    planes, errors = found.planes[:n_kept], found.errors[:n_kept]
    maps = Maps(planes, plane_of, errors, plane_of, norms, limit)
    return maps, VertexSigns(found.positive, found.negative, found.unknown[:n_unknown])


@njit(cache=True)
def _walk(r, n_unknown, n_kept, n_units, changes, structure, cells, beside, limit, here, found):
    """Fill what is found from region r on; return where there is no room any more, or the end.

    It also returns how many open pairs and maps there are then.
    """
    ptr, places, maps = changes.ptr, changes.places, changes.maps
    flip_ptr, flips = changes.flip_ptr, changes.flips
    x, deviation, region_ptr = cells.x, cells.deviation, cells.region_ptr
    origins, own_ptr, own = beside.origins, beside.own_ptr, beside.own
    rows, if_above, if_below = here.rows, here.if_above, here.if_below
    is_left, open_units, is_active, words = (
        here.is_left,
        here.open_units,
        here.is_active,
        len(here.is_left),
    )
    positive, negative, unknown = found.positive, found.negative, found.unknown
    is_open, plane_of, planes, errors = found.is_open, found.plane_of, found.planes, found.errors
    while r < len(plane_of) and n_kept < len(errors):
        if n_unknown + n_units * (own_ptr[r + 1] - own_ptr[r]) > len(unknown):
            break
        for i in range(ptr[r], ptr[r + 1]):
            j = places[i]
            a, b, c, error = maps[i, 0], maps[i, 1], maps[i, 2], maps[i, 3]
            rows[0, j], rows[1, j], rows[2, j], rows[3, j] = a, b, c, error
            bit = np.uint64(1) << np.uint64(j & 63)
            is_left[j >> 6] |= bit
            if a == b == c == 0.0 and error == 0.0:
                is_left[j >> 6] ^= bit
        for i in range(flip_ptr[r], flip_ptr[r + 1]):
            is_active[flips[i]] ^= True
        for q in range(own_ptr[r], own_ptr[r + 1]):
            v = own[q]
            off, some = deviation[v], np.uint64(0)
            if off <= limit:
                _beyond(rows, x[v, 0], x[v, 1], off, if_above, if_below)
            for w in range(words):
                above, below = np.uint64(0), np.uint64(0)
                if off <= limit:
                    above = negative_bits(if_above, 64 * w)
                    below = negative_bits(if_below, 64 * w)
                positive[v, w], negative[v, w] = above, below
                open_units[w] = is_left[w] & ~(above | below)
                some |= open_units[w]
            if some:
                _leave_out_zeros(r, v, cells, origins, structure, here)
                for w in range(words):
                    word = open_units[w]
                    while word:
                        unknown[n_unknown, 0] = v
                        unknown[n_unknown, 1] = 64 * w + int(lowest_bit(word))
                        word &= word - np.uint64(1)
                        n_unknown += 1
                        is_open[v] = True
        is_kept = False
        for w in range(words):
            above, below = np.uint64(0), np.uint64(0)
            for q in range(region_ptr[r], region_ptr[r + 1]):
                v = origins[q]
                above |= positive[v, w]
                below |= negative[v, w]
                is_kept |= is_open[v]
            is_kept |= (above & below) != 0
        if is_kept:
            for j in range(n_units):
                planes[n_kept, 0, j] = rows[0, j]
                planes[n_kept, 1, j] = rows[1, j]
                planes[n_kept, 2, j] = rows[2, j]
                errors[n_kept, j] = rows[3, j]
            plane_of[r] = n_kept
            n_kept += 1
        r += 1
    return r, n_unknown, n_kept


@njit(cache=True)
def _beyond(rows, x0, x1, deviation, if_above, if_below):
    """Fill `if_above` and `if_below` for a point, without branches, so that it is vectorised."""
    for j in range(rows.shape[1]):
        a, b, c = rows[0, j], rows[1, j], rows[2, j]
        z = c + a * x0 + b * x1
        size, slope = abs(c) + abs(a * x0) + abs(b * x1), abs(a) + abs(b)
        bound = bound_near(size, slope, rows[3, j], deviation, 2)
        if_above[j] = bound - z
        if_below[j] = bound + z


@njit(cache=True)
def _leave_out_zeros(r, v, cells, origins, structure, here):
    """Take from the open units those that are zero by structure in corner v of region r."""
    variable_of, dependent, supports, others = structure
    left, is_active, zeros = here.open_units, here.is_active, here.zeros
    f, n_zeros = len(is_active), 0
    for line in _lines(r, v, cells, origins):
        i = variable_of[line] if 0 <= line < len(variable_of) else np.int32(-1)
        if i >= 0 and is_active[i]:
            is_active[i] = False
            zeros[n_zeros] = i
            n_zeros += 1
    if not n_zeros:
        return
    for i in dependent:
        if is_active[i] and not _has_active(i, supports, is_active):
            is_active[i] = False
            zeros[n_zeros] = i
            n_zeros += 1
    for w in range(len(left)):
        word = left[w]
        while word:
            j = 64 * w + int(lowest_bit(word))
            if not others[f + j] and not _has_active(f + j, supports, is_active):
                left[w] &= ~(np.uint64(1) << np.uint64(j & 63))
            word &= word - np.uint64(1)
    for i in zeros[:n_zeros]:
        is_active[i] = True


@njit(cache=True)
def _lines(r, v, cells, origins):
    """Return the labels of the two edges of region r that meet in its corner v."""
    first, last = cells.region_ptr[r], cells.region_ptr[r + 1]
    q = first
    while origins[q] != v:
        q += 1
    before = q - 1 if q > first else last - 1
    return cells.labels[cells.half_edges[q] >> 1], cells.labels[cells.half_edges[before] >> 1]


@njit(cache=True, inline="always")
def _has_active(i, supports, is_active):
    """Return whether any variable in the support of row i is active."""
    result = False
    for q in range(supports.ptr[i], supports.ptr[i + 1]):
        result |= is_active[supports.columns[q]]
    return result
