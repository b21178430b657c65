"""The cells into which a layer cuts its flats; see `enumerator`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel

from ..layer import LayerCut
from ..records import Level
from ..sets.curve import curve_order
from ..sets.equal_rows import Unions, group
from ..sets.lists import Array, Lists, gathered, pointers, prefix_sums, spread
from .incidence import vanishing_on_walls

__all__ = ["Pieces", "along_curve", "next_pieces", "points_as_pieces"]

_N_ON_WALLS = Kernel(
    "relutopo_n_on_walls",
    "raw int64 ptr, raw int32 wall, raw bool cuts",
    "raw int64 lengths",
    "lengths[i] = (ptr[wall[i] + 1] - ptr[wall[i]]) * (cuts[i] ? 2 : 1);",
)
_ON_WALLS = Kernel(
    "relutopo_on_walls",
    "raw int64 ptr, raw int32 flat, raw int32 wall, raw bool cuts, raw int32 other, "
    "raw int64 begins",
    "raw int32 cell, raw int32 of, raw int32 side",
    """
    long long place = begins[i];
    for (int round = 0; round <= (cuts[i] ? 1 : 0); ++round)
        for (long long c = ptr[wall[i]]; c < ptr[wall[i] + 1]; ++c) {
            cell[place] = c;
            of[place] = flat[i];
            side[place++] = round ? other[i] : i;
        }
    """,
)


@dataclass
class Pieces:
    """The new cells of one dimension, grouped by flat.

    Attributes
    ----------
    ptr : (n_flats + 1,) ndarray
        Flat f has the cells ``ptr[f]:ptr[f + 1]``.
    flat : (n,) ndarray of int32
        The flat of each cell.
    positive : (n, n_words) ndarray of uint64
        Units that are positive on the cell; the others are negative, or vanish on its flat.
    facets : Lists
        New cells of the dimension below.
    """

    ptr: Array
    flat: Array
    positive: Array
    facets: Lists


def points_as_pieces(cut: LayerCut, level: Level) -> Pieces:
    """Return the vertices as pieces."""
    xp, n = cut.xp, len(level)
    none = Lists(xp.zeros(n + 1, dtype=np.int64), xp.zeros(0, dtype=np.int32))
    every = xp.arange(n, dtype=np.int32)
    return Pieces(xp.arange(n + 1), every, level.positive, none)


def next_pieces(cut: LayerCut, levels: list[Level], m: int, below: Pieces) -> Pieces:
    """Return the m-cells, from the cells of the dimension below.

    A cell on a wall of a flat is a facet of one cell of the flat, or of two if the wall cuts the
    flat. Next to the wall every unit has its sign on the wall; units that vanish on the wall have
    the sign of the side. Cells of a flat are equal if their signs are.
    """
    xp, level, n = cut.xp, levels[m], len(levels[m].walls.items)
    flat, wall = level.walls.owners(xp), level.walls.items
    sides = vanishing_on_walls(xp, cut.units, level, flat, levels[m - 1], wall, level.cuts)
    # On the other side of a cutting wall none of these units is positive, unless several vanish.
    other = xp.full(n, n, dtype=np.int32)
    several = xp.flatnonzero(level.cuts & (cut.units.sizes(sides[:n]) > 1))
    if len(several):
        vanishing = sides[several]
        one = _one_side(cut, levels, m, flat[several], vanishing)
        sides[several] = one
        other[several] = xp.arange(n + 1, n + 1 + len(several), dtype=np.int32)
        sides = xp.concatenate([sides, vanishing & ~one])
    begins = _places_on_walls(xp, below.ptr, wall, level.cuts)
    cut.require(int(begins[-1]) * 64)
    facet, flat, side = _on_walls(xp, below.ptr, flat, wall, level.cuts, other, begins)
    names = Unions(below.positive, facet, sides, side)
    order, ptr = group(xp, flat, len(level), names)
    first = order[ptr[:-1]]
    flat = flat[first]
    return Pieces(
        ptr=gathered(xp, flat, len(level)),
        flat=flat,
        positive=names.words(xp, first),
        facets=Lists(ptr, facet[order]),
    )


def _on_walls(
    xp: Any, ptr: Array, flat: Array, wall: Array, cuts: Array, other: Array, begins: Array
) -> tuple[Array, Array, Array]:
    """Return the cells on the walls of flats, each once for every side on which it is a facet.

    Parameters
    ----------
    xp : module
    ptr : (n_walls + 1,) ndarray of int64
        Wall w has the cells ``ptr[w]:ptr[w + 1]``.
    flat, wall : (n,) ndarrays of int32
        Pairs of a flat and a wall of it.
    cuts : (n,) ndarray of bool
        Whether the flat lies on both sides of the wall.
    other : (n,) ndarray of int32
        The number of the second side in that case; the number of the first is the place in `wall`.
    begins : (n + 1,) ndarray of int64
        See `_places_on_walls`.

    Returns
    -------
    cell, flat, side : (n_facets,) ndarrays of int32
    """
    kernel = _ON_WALLS.on(xp)
    if kernel is not None:
        cell, of, side = (xp.empty(int(begins[-1]), dtype=np.int32) for _ in range(3))
        kernel(ptr, flat, wall, cuts, other, begins, cell, of, side, size=len(wall))
        return cell, of, side
    owner = spread(xp, begins)
    place = xp.arange(len(owner)) - begins[owner]
    n_cells = (ptr[wall + 1] - ptr[wall])[owner]
    is_second = place >= n_cells
    cell = ptr[wall][owner] + xp.where(is_second, place - n_cells, place)
    return cell.astype(np.int32), flat[owner], xp.where(is_second, other[owner], owner)


def _places_on_walls(xp: Any, ptr: Array, wall: Array, cuts: Array) -> Array:
    """Return where the cells of each wall begin in the result of `_on_walls`, and the end."""
    kernel = _N_ON_WALLS.on(xp)
    if kernel is None:
        return prefix_sums(xp, (ptr[wall + 1] - ptr[wall]) * (1 + cuts))
    return pointers(xp, kernel, len(wall), ptr, wall, cuts)


def along_curve(cut: LayerCut, below: list[Lists], regions: Pieces) -> Pieces:
    """Return regions whose numbers, among those of one flat, follow a curve through the domain.

    Parameters
    ----------
    cut : LayerCut
    below : list of Lists
        The facets of the cells of dimension 1..d-1.
    regions : Pieces
    """
    xp = cut.xp
    vertex = xp.arange(len(regions.flat))
    for lists in [regions.facets, *reversed(below)]:
        vertex = lists.items[lists.ptr[vertex]]
    order = curve_order(xp, regions.flat, len(regions.ptr) - 1, cut.cells.x[:, vertex])
    facets, _ = regions.facets.of(xp, order)
    # The regions of one flat stay together.
    return Pieces(regions.ptr, regions.flat, regions.positive[order], facets)


def _one_side(cut: LayerCut, levels: list[Level], m: int, flat: Array, vanishing: Array) -> Array:
    """Return those of several units vanishing on a wall that are positive on one side of it.

    They are multiples of each other on the flat, so their signs at any vertex outside the wall
    decide.
    """
    xp, cell = cut.xp, flat
    for k in range(m, 0, -1):
        # Any wall on which the units do not vanish has such a vertex.
        walls, place = levels[k].walls.of(xp, cell)
        wall = walls.items
        outside = (levels[k - 1].nonzero[wall] & vanishing[place]).any(axis=1)
        wall, place = wall[outside], place[outside]
        is_first = xp.ones(len(place), dtype=bool)
        is_first[1:] = place[1:] != place[:-1]
        cell = wall[is_first]
    return vanishing & levels[0].positive[cell]
