"""The cells into which a layer cuts its flats; see `_bulk`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._bulk_arrays import Array, Lists, gathered, group, merged
from ._bulk_curve import curve_codes
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
    flat = level.walls.owners(xp)
    wall, cuts = level.walls.items, xp.flatnonzero(level.cuts)
    vanishing = level.nonzero[flat] & ~levels[m - 1].nonzero[wall]
    sides = vanishing & level.positive[flat]
    sides[cuts] = _one_side(step, levels, m, flat[cuts], vanishing[cuts])
    # Once more, for the other side.
    flat = xp.concatenate([flat, flat[cuts]])
    wall = xp.concatenate([wall, wall[cuts]])
    sides = xp.concatenate([sides, vanishing[cuts] & ~sides[cuts]])
    del vanishing
    n_facets = int((below.ptr[wall + 1] - below.ptr[wall]).sum())
    step.require(n_facets * (8 * step.units.n_words + 64))
    facet, place = Lists(below.ptr, xp.arange(len(below.flat), dtype=np.int32)).of(xp, wall)
    flat, words = flat[place], merged(xp, below.positive, facet, sides, place)
    del sides, place, wall
    order, ptr = group(xp, flat, len(level), words)
    first = order[ptr[:-1]]
    flat = flat[first]
    return Pieces(
        ptr=gathered(xp, flat, len(level)),
        flat=flat,
        positive=words[first],
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
    """Return the units, of those that vanish on a wall, that are positive on one side of it.

    Where it is one unit, on its positive side. Several units are multiples of each other on the
    flat, so their signs at any vertex outside the wall tell.
    """
    xp = step.xp
    nonempty = vanishing != 0
    one_bit = (vanishing & (vanishing - nonempty)) == 0
    several = xp.flatnonzero((nonempty.sum(axis=1) > 1) | ~one_bit.all(axis=1))
    if not len(several):
        return vanishing
    wanted = vanishing[several]
    cell = flat[several]
    for k in range(m, 0, -1):
        # Any wall on which the units do not vanish has such a vertex.
        wall, place = levels[k].walls.of(xp, cell)
        outside = (levels[k - 1].nonzero[wall] & wanted[place]).any(axis=1)
        wall, place = wall[outside], place[outside]
        is_first = xp.ones(len(place), dtype=bool)
        is_first[1:] = place[1:] != place[:-1]
        cell = wall[is_first]
    result = vanishing.copy()
    result[several] &= levels[0].positive[cell]
    return result
