"""The cells into which a layer cuts its flats; see `_bulk`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._bulk_arrays import Array, Lists, gathered, group, merged
from ._bulk_curve import curve_codes
from ._bulk_incidence import vanishing_on_walls
from ._bulk_layer import LayerStep
from ._bulk_levels import Level

__all__ = ["Pieces", "along_curve", "next_pieces", "points_as_pieces"]


@dataclass
class Pieces:
    """The new cells of one dimension, those of one flat one after another.

    Attributes
    ----------
    ptr : (n_flats + 1,) ndarray
        Cells ``ptr[f]:ptr[f + 1]`` are those of flat f.
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


def points_as_pieces(step: LayerStep, level: Level) -> Pieces:
    """Return the vertices."""
    xp, n = step.xp, len(level)
    none = Lists(xp.zeros(n + 1, dtype=np.int64), xp.zeros(0, dtype=np.int32))
    every = xp.arange(n, dtype=np.int32)
    return Pieces(xp.arange(n + 1), every, level.positive, none)


def next_pieces(step: LayerStep, levels: list[Level], m: int, below: Pieces) -> Pieces:
    """Return the m-cells, from the cells of the dimension below.

    A cell on a wall of a flat is a facet of one cell of the flat, or of two where the wall cuts
    it. Beyond the wall every unit has the sign that it has on the wall, and those that vanish
    there have the sign of that side. Cells of a flat are the same if their signs are.
    """
    xp, level = step.xp, levels[m]
    flat, wall = level.walls.owners(xp), level.walls.items
    sides = vanishing_on_walls(xp, step.units, level, flat, levels[m - 1], wall, level.cuts)
    several = xp.flatnonzero(level.cuts & (step.units.sizes(sides) > 1))
    vanishing = sides[several]
    one = _one_side(step, levels, m, flat[several], vanishing)
    sides[several] = one
    # Once more, for the other side of what cuts: nothing but of several can be positive there.
    cuts = xp.flatnonzero(level.cuts)
    n = len(flat)
    side = xp.full(n, n, dtype=np.int32)
    side[several] = xp.arange(n + 1, n + 1 + len(several), dtype=np.int32)
    sides = xp.concatenate([sides, step.units.none(1), vanishing & ~one])
    side = xp.concatenate([xp.arange(n, dtype=np.int32), side[cuts]])
    flat = xp.concatenate([flat, flat[cuts]])
    wall = xp.concatenate([wall, wall[cuts]])
    n_facets = int((below.ptr[wall + 1] - below.ptr[wall]).sum())
    step.require(n_facets * 64)
    facet, place = Lists(below.ptr, xp.arange(len(below.flat), dtype=np.int32)).of(xp, wall)
    flat, side = flat[place], side[place]
    del place, wall

    def words(some: Any) -> Array:
        return merged(xp, below.positive, facet[some], sides, side[some])

    order, ptr = group(xp, flat, len(level), words)
    first = order[ptr[:-1]]
    flat = flat[first]
    return Pieces(
        ptr=gathered(xp, flat, len(level)),
        flat=flat,
        positive=words(first),
        facets=Lists(ptr, facet[order]),
    )


def along_curve(step: LayerStep, below: list[Lists], regions: Pieces) -> Pieces:
    """Return regions whose numbers, among those of one flat, follow a curve through the domain.

    Parameters
    ----------
    step : LayerStep
    below : list of Lists
        The facets of the cells of dimension 1..d-1.
    regions : Pieces
    """
    xp = step.xp
    vertex = xp.arange(len(regions.flat))
    for lists in [regions.facets, *reversed(below)]:
        vertex = lists.items[lists.ptr[vertex]]
    order = xp.argsort(curve_codes(step.device, step.cells.x[:, vertex]), kind="stable")
    order = order[xp.argsort(regions.flat[order], kind="stable")]
    items, owner = regions.facets.of(xp, order)
    ptr = gathered(xp, owner, len(order))
    return Pieces(regions.ptr, regions.flat[order], regions.positive[order], Lists(ptr, items))


def _one_side(step: LayerStep, levels: list[Level], m: int, flat: Array, vanishing: Array) -> Array:
    """Return the units, of several that vanish on a wall, that are positive on one side of it.

    They are multiples of each other on the flat, so their signs at any vertex outside the wall
    tell.
    """
    xp, cell = step.xp, flat
    if not len(cell):
        return vanishing
    for k in range(m, 0, -1):
        # Any wall on which the units do not vanish has such a vertex.
        wall, place = levels[k].walls.of(xp, cell)
        outside = (levels[k - 1].nonzero[wall] & vanishing[place]).any(axis=1)
        wall, place = wall[outside], place[outside]
        is_first = xp.ones(len(place), dtype=bool)
        is_first[1:] = place[1:] != place[:-1]
        cell = wall[is_first]
    return vanishing & levels[0].positive[cell]
