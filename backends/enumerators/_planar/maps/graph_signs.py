"""Compiled kernels that give a graph's units maps where they cross regions, and signs at vertices.

What the bounds leave open at a vertex is zero by structure where pooling compares what a kink has
set to zero with what vanishes on an edge there; that is known without any number.

As in `relutopo.networks.local_walks`, the loop over regions replaces no array by a longer one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.networks.local_kernels import Rows
from relutopo.system.compilation import njit

from ..._certified.values import bound_near
from ..._shared.bits import N_LANES, n_words, negative_lanes
from ..._shared.growing import grown
from ..records import Beside, Maps, VertexSigns

__all__ = ["maps_and_signs"]


_ROOM = 2**18
"""There is room for maps of at most so many units at first."""


class _Structure(NamedTuple):
    """What contributes to what.

    Attributes
    ----------
    variable_of : ndarray of int32
        The variable that each neuron is, or -1.
    use_ptr, uses : ndarrays of int64
        For each variable, those later ones that it contributes to, and nothing but variables does.
    supports, others
        Of `LocalLayer`.
    """

    variable_of: NDArray[np.int32]
    use_ptr: NDArray[np.int64]
    uses: NDArray[np.int64]
    supports: Rows
    others: NDArray[np.bool_]


class _Here(NamedTuple):
    """The present region.

    Attributes
    ----------
    rows : (4, n) ndarray
        A, c and the error bound of the map of each unit, and zeros up to whole lanes.
    if_above, if_below : (n,) ndarrays
        Numbers that are negative where a unit is positive at a vertex, and where it is negative.
    is_left, is_zero : (n_words,) ndarrays of uint64
        The units whose map is not zero, and those that vanish by what pooling chooses.
    open_units : (n_words,) ndarray of uint64
        Room for those that are open at a vertex.
    is_active : (f,) ndarray of bool
        Which variables are active.
    zeros : (f,) ndarray of int64
        Room for variables.
    corners : ndarray of uint32
        Room for the vertices of its corners.
    new_corners : ndarray of int64
        Room for the corners whose vertices are in no region before.
    """

    rows: NDArray[np.float64]
    if_above: NDArray[np.float64]
    if_below: NDArray[np.float64]
    is_left: NDArray[np.uint64]
    is_zero: NDArray[np.uint64]
    open_units: NDArray[np.uint64]
    is_active: NDArray[np.bool_]
    zeros: NDArray[np.int64]
    corners: NDArray[np.uint32]
    new_corners: NDArray[np.int64]


class _Found(NamedTuple):
    """As in `VertexSigns` and `Maps`; `above` is of all regions; `is_open` tells open vertices."""

    positive: NDArray[np.uint64]
    negative: NDArray[np.uint64]
    unknown: NDArray[np.int32]
    above: NDArray[np.uint64]
    is_open: NDArray[np.bool_]
    plane_of: NDArray[np.int32]
    planes: NDArray[np.float64]
    errors: NDArray[np.float64]


@njit(cache=True, nogil=True)
def maps_and_signs(n_units, changes, zeros, variables, supports, others, cells, limit):
    """Return the maps of regions that units may cross, and the signs at all vertices.

    What is beside what is found on the way.

    Parameters
    ----------
    n_units : int
    changes : Changes
    zeros : tuple of ndarrays of int64, int32
        The units that begin or cease to vanish on each region, in CSR form.
    variables, supports, others
        Of `LocalLayer`.
    cells : PlanarCells
        The block before the layer cuts.
    limit : float
        Of `Maps`.

    Returns
    -------
    beside : Beside
        Without lists of own vertices; origins and owners of edges are those of regions with maps.
    maps : Maps
        Other regions have the plane -1.
    signs : VertexSigns
    """
    n_regions, n_vertices = len(cells.region_ptr) - 1, len(cells.x)
    words, f = n_words(n_units), len(variables)
    variable_of = np.full(variables.max() + 1 if f else 0, -1, np.int32)
    for i in range(f):
        variable_of[variables[i]] = i
    use_ptr, uses = _uses(f, supports, others)
    structure = _Structure(variable_of, use_ptr, uses, supports, others)
    n = N_LANES * -(-n_units // N_LANES)
    most_corners = np.max(np.diff(cells.region_ptr)) + 1
    here = _Here(
        np.zeros((4, n)),
        np.ones(n),
        np.ones(n),
        np.zeros(words, np.uint64),
        np.zeros(words, np.uint64),
        np.zeros(words, np.uint64),
        np.zeros(f, np.bool_),
        np.empty(f, np.int64),
        np.empty(most_corners, np.uint32),
        np.empty(most_corners, np.int64),
    )
    for j in range(n_units):
        here.is_left[j >> 6] |= np.uint64(1) << np.uint64(j & 63)
    room = 64 + min(n_regions // 3, _ROOM // max(1, n_units))
    beside = Beside(
        np.empty(len(cells.half_edges), np.int32),
        np.empty(0, np.int32),
        np.full(len(cells.edge_vertices), -1, np.int32),
        np.full(n_vertices, -1, np.int32),
        np.empty(0, np.int64),
        np.empty(0, np.int32),
    )
    found = _Found(
        np.empty((n_vertices, words), np.uint64),
        np.empty((n_vertices, words), np.uint64),
        np.empty((16 + 4 * n_units, 2), np.int32),
        np.zeros((n_regions, words), np.uint64),
        np.zeros(n_vertices, np.bool_),
        np.full(n_regions, -1, np.int32),
        np.empty((room, 3, n_units)),
        np.empty((room, n_units)),
    )
    r, n_unknown, n_kept = _walk(
        0, 0, 0, n_units, changes, zeros, structure, cells, beside, limit, here, found
    )
    while r < n_regions:
        most = n_unknown + n_units * (cells.region_ptr[r + 1] - cells.region_ptr[r])
        found = _Found(
            found.positive,
            found.negative,
            grown(found.unknown, most),
            found.above,
            found.is_open,
            found.plane_of,
            grown(found.planes, n_kept + 1),
            grown(found.errors, n_kept + 1),
        )
        r, n_unknown, n_kept = _walk(
            r,
            n_unknown,
            n_kept,
            n_units,
            changes,
            zeros,
            structure,
            cells,
            beside,
            limit,
            here,
            found,
        )
    plane_of, norms = found.plane_of, np.zeros((n_kept, 3))  # norms are not used
    planes, errors = found.planes[:n_kept], found.errors[:n_kept]
    maps = Maps(planes, plane_of, errors, plane_of, norms, limit)
    unknown = found.unknown[:n_unknown]
    kept = np.empty(n_kept, np.int32)
    for r in range(n_regions):
        if plane_of[r] >= 0:
            kept[plane_of[r]] = r
    signs = VertexSigns(found.positive, found.negative, unknown, found.above, kept)
    return beside, maps, signs


@njit(cache=True)
def _walk(
    r, n_unknown, n_kept, n_units, changes, zeros, structure, cells, beside, limit, here, found
):
    """Fill what is found from region r on; return where there is no room any more, or the end.

    It also returns how many open pairs and maps there are then.
    """
    ptr, places, maps = changes.ptr, changes.places, changes.maps
    flip_ptr, flips = changes.flip_ptr, changes.flips
    x, deviation, region_ptr = cells.x, cells.deviation, cells.region_ptr
    # The origin of a half-edge is the entry of that number.
    half_edges, ends, labels = cells.half_edges, cells.edge_vertices.reshape(-1), cells.labels
    origins, edge_owner, vertex_owner = beside.origins, beside.edge_owner, beside.vertex_owner
    rows, if_above, if_below = here.rows, here.if_above, here.if_below
    is_left, is_zero, open_units = here.is_left, here.is_zero, here.open_units
    corners, new_corners = here.corners, here.new_corners
    zero_ptr, zero_units = zeros
    is_active, words, variable_of = here.is_active, len(here.is_left), structure.variable_of
    support_ptr, columns = structure.supports.ptr, structure.supports.columns
    use_ptr, uses, others = structure.use_ptr, structure.uses, structure.others
    zeros, f = here.zeros, len(here.is_active)
    positive, negative, unknown = found.positive, found.negative, found.unknown
    above_of = found.above
    is_open, plane_of, planes, errors = found.is_open, found.plane_of, found.planes, found.errors
    i_flip = flip_ptr[r]
    while r < len(plane_of) and n_kept < len(errors):
        first, last, is_kept = region_ptr[r], region_ptr[r + 1], False
        if n_unknown + n_units * (last - first) > len(unknown):
            break
        for i in range(ptr[r], ptr[r + 1]):
            place = places[i]
            a, b, c, error = maps[i, 0], maps[i, 1], maps[i, 2], maps[i, 3]
            rows[0, place], rows[1, place], rows[2, place], rows[3, place] = a, b, c, error
            is_flat = (a == 0.0) & (b == 0.0) & (c == 0.0) & (error == 0.0)
            shift = np.uint64(place & 63)
            is_left[place >> 6] &= ~(np.uint64(1) << shift)
            is_left[place >> 6] |= np.uint64(not is_flat) << shift
        for i in range(zero_ptr[r], zero_ptr[r + 1]):
            is_zero[zero_units[i] >> 6] ^= np.uint64(1) << np.uint64(zero_units[i] & 63)
        # Branches that depend on what is new would be foreseen badly, and indices with a sign are
        # looked at whether they count from the end.
        n_corners, n_new = last - first, 0
        for k in range(n_corners):
            v = np.uint32(ends[np.uint32(half_edges[first + k])])
            corners[k] = v
            new_corners[n_new] = k
            n_new += vertex_owner[v] < 0
            vertex_owner[v] = r if vertex_owner[v] < 0 else vertex_owner[v]
        for i_new in range(n_new):
            corner = new_corners[i_new]
            v = corners[corner]
            off, some = deviation[v], np.uint64(0)
            if off <= limit:
                _beyond(rows, x[v, 0], x[v, 1], off, if_above, if_below)
            for w in range(words):
                above, below = np.uint64(0), np.uint64(0)
                if off <= limit:
                    for k in range(64 * w, min(64 * w + 64, len(if_above)), N_LANES):
                        above |= negative_lanes(if_above, k) << np.uint64(k & 63)
                        below |= negative_lanes(if_below, k) << np.uint64(k & 63)
                positive[v, w], negative[v, w] = above, below
                open_units[w] = is_left[w] & ~(is_zero[w] | above | below)
                some |= open_units[w]
            if some:
                # Take out what is zero by structure in this corner: all that contributes to it
                # is zero on the region, or on one of the two edges that meet here.
                while i_flip < flip_ptr[r + 1]:
                    is_active[flips[i_flip]] ^= True
                    i_flip += 1
                n_zeros, n_done, before = 0, 0, corner - 1 if corner > 0 else n_corners - 1
                for half in (half_edges[first + corner], half_edges[first + before]):
                    line = labels[half >> 1]
                    if not 0 <= line < len(variable_of):
                        continue
                    i = int(variable_of[line])
                    if i >= 0 and is_active[i]:
                        is_active[i] = False
                        zeros[n_zeros] = i
                        n_zeros += 1
                while n_done < n_zeros:
                    i = zeros[n_done]
                    n_done += 1
                    for k in range(use_ptr[i], use_ptr[i + 1]):
                        j = uses[k]
                        has_active = not is_active[j]
                        for m in range(support_ptr[j], support_ptr[j + 1]):
                            has_active |= is_active[columns[m]]
                        if not has_active:
                            is_active[j] = False
                            zeros[n_zeros] = j
                            n_zeros += 1
                for w in range(words if n_zeros else 0):
                    word = open_units[w]
                    while word:
                        bit, j = (
                            word & (~word + np.uint64(1)),
                            f + 64 * w + int(lowest_bit(word)),
                        )
                        word ^= bit
                        has_active = others[j]
                        for m in range(support_ptr[j], support_ptr[j + 1]):
                            has_active |= is_active[columns[m]]
                        if not has_active:
                            open_units[w] ^= bit
                for k in range(n_zeros):
                    is_active[zeros[k]] = True
                for w in range(words):
                    word = open_units[w]
                    while word:
                        unknown[n_unknown, 0] = v
                        unknown[n_unknown, 1] = 64 * w + int(lowest_bit(word))
                        word &= word - np.uint64(1)
                        n_unknown += 1
                        is_open[v] = True
        for w in range(words):
            above, below = np.uint64(0), np.uint64(0)
            for k in range(n_corners):
                v = corners[k]
                above |= positive[v, w]
                below |= negative[v, w]
            above_of[r, w] = above
            is_kept |= (above & below) != 0
        if n_unknown:
            for k in range(n_corners):
                is_kept |= is_open[corners[k]]
        if is_kept:
            for j in range(n_units):
                planes[n_kept, 0, j] = rows[0, j]
                planes[n_kept, 1, j] = rows[1, j]
                planes[n_kept, 2, j] = rows[2, j]
                errors[n_kept, j] = rows[3, j]
            for k in range(n_corners):
                e = half_edges[first + k] >> 1
                origins[first + k] = corners[k]
                edge_owner[e] = r if edge_owner[e] < 0 else edge_owner[e]
            plane_of[r] = n_kept
            n_kept += 1
        r += 1
    while i_flip < flip_ptr[r]:
        is_active[flips[i_flip]] ^= True
        i_flip += 1
    return r, n_unknown, n_kept


@njit(cache=True, forceinline=True)
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
def _uses(f, supports, others):
    """Return `use_ptr` and `uses` of `_Structure`."""
    ptr, columns = supports.ptr, supports.columns
    use_ptr = np.zeros(f + 2, np.int64)
    for i in range(f):
        for q in range(ptr[i], ptr[i + 1] if not others[i] else ptr[i]):
            use_ptr[columns[q] + 2] += 1
    for i in range(f):
        use_ptr[i + 2] += use_ptr[i + 1]
    uses = np.empty(use_ptr[f + 1], np.int64)
    for i in range(f):
        for q in range(ptr[i], ptr[i + 1] if not others[i] else ptr[i]):
            uses[use_ptr[columns[q] + 1]] = i
            use_ptr[columns[q] + 1] += 1
    return use_ptr[: f + 1], uses
