"""Compiled passes: the steps of a layer's cut of the plane between exact decisions.

`finish` continues as long as bounds decide everything; otherwise it stops, the caller decides open
signs and orders exactly (`plane`), and performs the remaining steps one by one. So while nothing is
open, a cut takes little time in Python.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

from ..._shared.growing import lengthened
from ..records import Crossed, Crossings, Cut, Placed, PlanarCells
from .chords import find_chords
from .faces import build_faces, count_cells, split_edges
from .lines import sharpen_inside, sharpen_on_edges
from .signs import (
    count_crossings,
    count_groups,
    edge_crossings,
    place_on_edges,
    regions_crossed,
)

__all__ = [
    "BEGUN",
    "BUILT",
    "FOUND",
    "PLACED",
    "CutLimits",
    "Finished",
    "build",
    "cross_edges",
    "finish",
    "place_edges",
]


BEGUN, PLACED, FOUND, BUILT = 0, 1, 2, 3
"""How far `finish` came: orders along edges are open; new vertices on edges have too large errors;
orders along chords are open, or signs contradict convexity; the cut is done, or would have too many
cells."""


class CutLimits(NamedTuple):
    """What bounds a cut.

    Attributes
    ----------
    magnitude : (d,) ndarray
        Bound of the coordinates.
    target, sharp : float
        Vertices with larger errors are computed anew; those with errors above `sharp` are corrected
        first if the lines are known that meet in them.
    most : int
        How many cells of all dimensions there may be.
    """

    magnitude: NDArray[np.float64]
    target: float
    sharp: float
    most: int


class Finished(NamedTuple):
    """The result of `finish`; the cut is empty unless it is done.

    Attributes
    ----------
    reached : int
    placed : Placed
    n_cells : int
        How many cells of all dimensions there are after the cut.
    cut : Cut
    """

    reached: int
    placed: Placed
    n_cells: int
    cut: Cut


@njit(cache=True, nogil=True)
def cross_edges(cells, beside, maps, signs):
    """Return the units that cross each edge, sorted, and how many orders are open.

    It also returns `above` and `regions` of `Crossed`.
    """
    above, regions = regions_crossed(cells, beside.origins, maps.plane_of, signs)
    ptr = count_crossings(cells, regions, signs.positive, signs.negative)
    n = ptr[-1]
    crossings = Crossings(
        ptr, np.empty(n, np.int32), np.empty(n), np.empty(n), np.zeros(n, np.bool_)
    )
    n_open = edge_crossings(cells, beside.edge_owner, maps, signs, crossings)
    return crossings, n_open, above, regions


@njit(cache=True, nogil=True)
def place_edges(cells, crossings, magnitude):
    """Place the new vertices on edges."""
    group_ptr = count_groups(crossings.ptr, crossings.same)
    x, deviation = lengthened(cells.x, group_ptr[-1]), lengthened(cells.deviation, group_ptr[-1])
    source = place_on_edges(cells.edge_vertices, crossings, group_ptr, magnitude, x, deviation)
    return Placed(x, deviation, group_ptr, source, np.arange(len(group_ptr)) + group_ptr)


@njit(cache=True, nogil=True, inline="always")
def build(crossed, placed, chords, lines, limits):
    """Return how many cells of all dimensions there will be, and the cut if they are not too many.

    `finish` includes this function, so that the code of faces is compiled only once.
    """
    cells, group_ptr = crossed.cells, placed.group_ptr
    sizes = count_cells(cells, crossed.regions, group_ptr, chords)
    n_inner, n_regions = sizes.n_inner, sizes.n_faces
    n_edges = placed.first_piece[-1] + sizes.n_edges
    n_cells = len(placed.x) + n_inner + n_edges + n_regions
    if limits.most < n_cells:
        return n_cells, _no_cut(cells)
    labels, p = np.empty(n_edges, np.int32), 0
    for e in range(len(cells.labels)):
        for _ in range(1 + group_ptr[e + 1] - group_ptr[e]):
            labels[p] = cells.labels[e]
            p += 1
    after = PlanarCells(
        lengthened(placed.x, n_inner),
        lengthened(placed.deviation, n_inner),
        split_edges(cells.edge_vertices, group_ptr, len(cells.x), sizes.n_edges),
        labels,
        np.empty(n_regions + 1, np.int64),
        np.empty(sizes.n_sides, np.int32),
        np.empty((n_regions, len(crossed.cutters.always)), np.uint8),
    )
    cut = Cut(
        after,
        np.empty(n_regions, np.int32),
        np.empty((n_inner, 3), np.int32),
        np.empty((n_inner, 2), np.int32),
    )
    build_faces(crossed, placed, chords, limits.magnitude, sizes, cut)
    if len(lines) > 0:
        sharpen_inside(crossed, cut, limits.sharp)
    return n_cells, cut


@njit(cache=True)
def _no_cut(cells):
    return Cut(cells, np.empty(0, np.int32), np.empty((0, 3), np.int32), np.empty((0, 2), np.int32))


@njit(cache=True)
def _not_placed(cells):
    no_numbers = np.empty(0, np.int64)
    return Placed(cells.x, cells.deviation, no_numbers, no_numbers, no_numbers)


@njit(cache=True, nogil=True)
def finish(crossed, is_crossed, lines, limits):
    """Place vertices, find chords and build faces, as far as nothing is open.

    Unless `is_crossed`, the crossings of edges are yet to be found. `lines` are those of `lines`,
    (n_edges, 4), or none at all.
    """
    cells = crossed.cells
    if not is_crossed:
        maps, signs = crossed.maps, crossed.signs
        crossings, n_open, above, regions = cross_edges(cells, crossed.beside, maps, signs)
        crossed = Crossed(
            cells, crossed.beside, crossed.cutters, maps, signs, crossings, above, regions
        )
        if n_open:
            return Finished(BEGUN, _not_placed(cells), 0, _no_cut(cells))
    placed = place_edges(cells, crossed.crossings, limits.magnitude)
    if len(lines) > 0:
        sharpen_on_edges(lines, crossed, placed, limits.sharp)
    for v in range(len(cells.x), len(placed.x)):
        if not placed.deviation[v] <= limits.target:
            return Finished(PLACED, placed, 0, _no_cut(cells))
    chords, broken, n_open = find_chords(crossed, placed)
    if broken >= 0 or n_open:
        return Finished(FOUND, placed, 0, _no_cut(cells))
    n_cells, cut = build(crossed, placed, chords, lines, limits)
    return Finished(BUILT, placed, n_cells, cut)
