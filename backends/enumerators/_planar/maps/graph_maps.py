"""A layer of a graph on a block of the plane: its units there, their maps, and their signs.

Only units that may change their sign in the block are given maps (`relutopo.networks.local_maps`).
What the bounds leave open at a vertex is zero by structure where pooling compares what a kink has
set to zero with what vanishes on an edge there; that is known without any number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.graph import GraphNetwork
from relutopo.networks.local_maps import LocalGraph, Place, Shared
from relutopo.system.compilation import njit

from ..._shared.bits import in_neither, lowest_bit, n_words, negative_bits
from ..._shared.growing import fill, grown
from ..cuts.signs import beyond_in_plane
from ..records import Beside, Cutters, Maps, PlanarCells, VertexSigns

__all__ = ["Evaluated", "LocalCut", "cut_locally"]


class Evaluated(NamedTuple):
    """A graph as far as it is evaluated on a block, or None where it is not.

    `shared` is what the patterns of the block's regions share, if they are kept short.
    """

    graph: LocalGraph | None
    shared: Shared | None

    def of(self, parts: NDArray[np.integer]) -> Evaluated:
        """Return what is known on a part of the block: fewer units switch there."""
        return Evaluated(None, self.shared)


class LocalCut(NamedTuple):
    """What cuts a block, with maps where it may cross regions, and signs at vertices."""

    cutters: Cutters
    maps: Maps
    signs: VertexSigns
    evaluated: Evaluated


def cut_locally(
    network: GraphNetwork,
    layer: int,
    cells: PlanarCells,
    beside: Beside,
    magnitude: NDArray[np.float64],
    earlier: Evaluated,
) -> LocalCut | None:
    """Return what cuts a block, or None where numbers leave the range of floats.

    Parameters
    ----------
    network : GraphNetwork
    layer : int
        At least 1.
    cells, beside
        The block before the layer cuts.
    magnitude : (2,) ndarray
        Bound of the coordinates of the domain.
    earlier : Evaluated
        Of the layer before, with what patterns share.
    """
    n_before = network.layer_offsets[layer]
    graph, shared = earlier
    assert shared is not None
    if graph is None:
        off = cells.deviation.max()
        low, high = cells.x.min(axis=0) - off, cells.x.max(axis=0) + off
        reach = np.minimum(np.maximum(-low, high), magnitude)
        place = Place(np.maximum(low, -reach), np.minimum(high, reach), np.unique(cells.labels))
        graph = LocalGraph(network, place, reach)
    with np.errstate(over="ignore", invalid="ignore"):
        found, graph = graph.layer(layer, shared, cells.packed)
    if not np.isfinite(found.changes.maps[:, -1]).all():
        return None
    maps, signs = _maps_and_signs(
        len(found.units),
        found.changes,
        found.variables,
        found.supports,
        found.others,
        cells,
        beside,
        float(magnitude.min()),
    )
    bits = len(shared.neurons) + np.arange(len(found.units), dtype=np.int32)
    shared = shared.then(found.units, found.is_on)
    no_others = np.zeros(-(-len(shared.neurons) // 8), np.uint8)
    cutters = Cutters((n_before + found.units).astype(np.int32), bits, no_others)
    return LocalCut(cutters, maps, signs, Evaluated(graph, shared))


@njit(cache=True, nogil=True)
def _maps_and_signs(n_units, changes, variables, supports, others, cells, beside, limit):
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
    n_regions, n_words_ = len(cells.region_ptr) - 1, n_words(n_units)
    x, deviation, origins = cells.x, cells.deviation, beside.origins
    positive = np.zeros((len(x), n_words_), np.uint64)
    negative = np.zeros((len(x), n_words_), np.uint64)
    is_open = np.zeros(len(x), np.bool_)
    unknown, n_unknown = np.empty((16, 2), np.int32), np.int64(0)
    if_above, if_below = np.ones(64 * n_words_), np.ones(64 * n_words_)
    # The maps on the present region, and the units that are known to be zero throughout it.
    planes, errors = np.zeros((1, 3, n_units)), np.zeros((1, n_units))
    is_zero, left = np.zeros(n_words_, np.uint64), np.zeros(n_words_, np.uint64)
    plane_of, n_kept = np.full(n_regions, -1, np.int32), np.int64(0)
    kept_planes, kept_errors = np.empty((64, 3, n_units)), np.empty((64, n_units))
    f = len(variables)
    is_active, zeros = np.zeros(f, np.bool_), np.empty(f, np.int64)
    dependent = np.flatnonzero(~others[:f])
    variable_of = np.full(variables.max() + 1 if f else 0, -1, np.int32)
    for i in range(f):
        variable_of[variables[i]] = i
    for r in range(n_regions):
        for i in range(changes.ptr[r], changes.ptr[r + 1]):
            j, word, bit = changes.places[i], changes.places[i] >> 6, changes.places[i] & 63
            a, b, c = changes.maps[i, 0], changes.maps[i, 1], changes.maps[i, 2]
            planes[0, 0, j], planes[0, 1, j], planes[0, 2, j] = a, b, c
            errors[0, j] = changes.maps[i, 3]
            is_zero[word] &= ~(np.uint64(1) << np.uint64(bit))
            if a == b == c == 0.0 and errors[0, j] == 0.0:
                is_zero[word] |= np.uint64(1) << np.uint64(bit)
        for i in range(changes.flip_ptr[r], changes.flip_ptr[r + 1]):
            is_active[changes.flips[i]] ^= True
        for q in range(beside.own_ptr[r], beside.own_ptr[r + 1]):
            v = beside.own[q]
            off = deviation[v]
            if off <= limit:
                beyond_in_plane(planes, 0, errors, 0, x[v, 0], x[v, 1], off, if_above, if_below)
                for w in range(n_words_):
                    positive[v, w] = negative_bits(if_above, 64 * w)
                    negative[v, w] = negative_bits(if_below, 64 * w)
            some = np.uint64(0)
            for w in range(n_words_):
                left[w] = in_neither(positive, negative, v, w, n_units) & ~is_zero[w]
                some |= left[w]
            if some:
                before = n_unknown
                lines = _lines(r, v, cells, origins)
                _leave_out_zeros(
                    left, lines, variable_of, dependent, supports, others, is_active, zeros
                )
                for w in range(n_words_):
                    word = left[w]
                    while word:
                        unknown = grown(unknown, n_unknown + 1)
                        unknown[n_unknown, 0] = v
                        unknown[n_unknown, 1] = 64 * w + int(lowest_bit(word))
                        word &= word - np.uint64(1)
                        n_unknown += 1
                is_open[v] = n_unknown > before
        is_kept = np.uint64(0)
        for w in range(n_words_):
            above, below = np.uint64(0), np.uint64(0)
            for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
                above |= positive[origins[q], w]
                below |= negative[origins[q], w]
            is_kept |= above & below
        for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
            is_kept |= np.uint64(is_open[origins[q]])
        if is_kept:
            kept_planes = grown(kept_planes, n_kept + 1)
            kept_errors = grown(kept_errors, n_kept + 1)
            fill(kept_planes[n_kept].ravel(), planes.ravel())
            fill(kept_errors[n_kept], errors[0])
            plane_of[r] = n_kept
            n_kept += 1
    norms = np.zeros((n_kept, 3))  # not used
    maps = Maps(kept_planes[:n_kept], plane_of, kept_errors[:n_kept], plane_of, norms, limit)
    return maps, VertexSigns(positive, negative, unknown[:n_unknown])


@njit(cache=True)
def _leave_out_zeros(left, lines, variable_of, dependent, supports, others, is_active, zeros):
    """Take from the set `left` the units that are zero by structure where two lines meet.

    Parameters
    ----------
    left : (n_words,) ndarray of uint64
    lines : pair of int
        Labels.
    variable_of : ndarray of int32
        The variable that each neuron is, or -1.
    dependent : ndarray of int64
        The variables to which nothing but others contributes.
    supports, others
        Of `LocalLayer`.
    is_active : (f,) ndarray of bool
        Which variables are active on the region.
    zeros : (f,) ndarray of int64
        Room for variables.
    """
    f, n_zeros = len(is_active), 0
    for line in lines:
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
