"""The flats of a layer: where its neurons vanish on the cells before it; see `enumerator`."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel

from ..layer import LayerCut
from ..records import Flats, FlatSigns, Level
from ..sets.equal_rows import Unions, match
from ..sets.lists import Array, Lists, concatenate_lists, distinct, gathered
from .incidence import crosses_earlier, vanishing_on_sections
from .points import cut_lines

__all__ = ["find_flats"]

_WALLS = Kernel(
    "relutopo_walls",
    "raw int64 facet_ptr, raw int32 facets, raw int64 cutting_ptr, raw int32 cutting",
    "raw int32 walls, raw bool cuts",
    """
    long long target = facet_ptr[i] + cutting_ptr[i];
    for (long long p = facet_ptr[i]; p < facet_ptr[i + 1]; ++p) walls[target++] = facets[p];
    for (long long p = cutting_ptr[i]; p < cutting_ptr[i + 1]; ++p) {
        walls[target] = cutting[p];
        cuts[target++] = true;
    }
    """,
)


def find_flats(cut: LayerCut) -> list[Level]:
    """Return the flats of all dimensions 0..d; the vertices of `cut` get those of dimension 0."""
    xp, levels = cut.xp, list[Level]()
    wholes = _whole_cells(cut)
    cut.add_planes(wholes[-1].crossing)
    for k in range(cut.dim + 1):
        whole = flats = wholes.pop(0)  # freed once its level holds the arrays
        below = []
        for m in range(k - 1, -1, -1):
            flats = (
                _sections(cut, levels, flats, m, first_cut=m == k - 1)
                if m
                else cut_lines(cut, levels[0], flats)
            )
            below.append(flats)
        # The cells themselves are the first flats of their dimension.
        levels.append(Level(whole.positive, whole.negative, whole.planes, *_walls(xp, whole, k)))
        for m, found in zip(range(k - 1, -1, -1), below, strict=True):
            _append(xp, levels[m], found, m)
    return levels


def _append(xp: Any, level: Level, flats: Flats, m: int) -> None:
    level.positive = xp.concatenate([level.positive, flats.positive])
    level.negative = xp.concatenate([level.negative, flats.negative])
    level.planes = xp.concatenate([level.planes, flats.planes])
    if m:
        walls, cuts = _walls(xp, flats, m)
        level.walls = concatenate_lists(xp, [level.walls, walls])
        level.cuts = xp.concatenate([level.cuts, cuts])


def _walls(xp: Any, flats: Flats, m: int) -> tuple[Lists, Array]:
    """Return the walls of flats of dimension m, and which of them cut."""
    facets = flats.facets
    if not m:
        return facets, xp.zeros(0, dtype=bool)
    cutting = flats.subflats
    n = len(facets.items) + len(cutting.items)
    ptr = facets.ptr + cutting.ptr
    items, cuts = xp.empty(n, dtype=np.int32), xp.zeros(n, dtype=bool)
    # The facets of a flat come before the flats that cut it.
    kernel = _WALLS.on(xp)
    if kernel is not None:
        parts = facets.ptr, facets.items, cutting.ptr, cutting.items
        kernel(*parts, items, cuts, size=len(facets))
        return Lists(ptr, items), cuts
    of_facets = xp.arange(len(facets.items)) + cutting.ptr[facets.owners(xp)]
    of_cutting = xp.arange(len(cutting.items)) + facets.ptr[cutting.owners(xp) + 1]
    items[of_facets], items[of_cutting] = facets.items, cutting.items
    cuts[of_cutting] = True
    return Lists(ptr, items), cuts


def _whole_cells(cut: LayerCut) -> list[Flats]:
    """Return the cells of all dimensions as flats."""
    xp, cells = cut.xp, cut.cells
    positive, negative = cut.sign_vertices()
    facets = Lists(xp.zeros(len(positive) + 1, np.int64), xp.zeros(0, np.int32))
    below = []
    for k, n in enumerate(cells.n):
        if k:
            # The (k-1)-cells are the first flats of their dimension, so their numbers are the same.
            facets = cells.facets[k - 1]
            positive = cut.units.union(positive, facets)
            negative = cut.units.union(negative, facets)
        planes = cells.planes[k] if k < cut.dim else xp.zeros((n, 0), dtype=np.int32)
        number = xp.arange(n, dtype=np.int32)
        below.append(Flats(positive, negative, cut.regions_of[k], 0, number, planes, facets))
    return below


def _sections(cut: LayerCut, levels: list[Level], upper: Flats, m: int, first_cut: bool) -> Flats:
    """Cut the flats of dimension m + 1 ≥ 2 in some cells by all neurons that cross them.

    The facets of the section by a neuron are the walls of the flat's facets on which the neuron
    vanishes. Sections of one flat by two neurons are equal if both neurons vanish there; the first
    neuron represents them. Sections of several flats are equal if the same neurons vanish there.
    """
    xp, units = cut.xp, cut.units
    level, below = levels[m], levels[m - 1]
    facet, owner = upper.facets.items, upper.facets.owners(xp)
    walls, place = level.walls.of(xp, facet)
    wall, flat = walls.items, owner[place]
    vanishing = vanishing_on_sections(xp, units, upper, flat, level, facet[place], below, wall)
    members, entry = units.members(vanishing)
    del vanishing, place
    flat, unit, facets = _sections_by_unit(
        xp, units.n, len(below), flat[entry], members.items, wall[entry]
    )
    positive = units.union(below.positive, facets)
    negative = units.union(below.negative, facets)
    sections = FlatSigns(positive, negative)
    earlier = crosses_earlier(xp, units, upper, flat, sections, unit)
    kept = xp.flatnonzero(~earlier).astype(np.int32)
    carrier = upper.carrier[flat]
    first = kept
    number = xp.arange(len(kept), dtype=np.int32)
    if not first_cut:
        names = Unions(positive, kept, negative, kept)
        first, number = match(xp, carrier[kept], len(upper.regions), names)
        first = kept[first]
    bounding, _ = facets.of(xp, first)
    by = cut.plane_of(upper.regions[carrier[first]], unit[first])
    flats = Flats(
        regions=upper.regions,
        first=len(level),
        carrier=carrier[first],
        positive=positive[first],
        negative=negative[first],
        planes=xp.concatenate([upper.planes[flat[first]], by[:, None]], axis=1),
        facets=bounding,
    )
    ptr = gathered(xp, flat[kept], len(upper))
    upper.subflats = Lists(ptr, number + np.int32(flats.first))
    return flats


def _sections_by_unit(
    xp: Any, n_units: int, n_walls: int, flat: Array, unit: Array, wall: Array
) -> tuple[Array, Array, Lists]:
    """Gather the facets of sections, each of which is found from two sides.

    Parameters
    ----------
    xp : module
    n_units, n_walls : int
    flat, unit, wall : (n,) ndarrays of int32
        A section, given by its flat and its unit, and a facet of it.

    Returns
    -------
    flat, unit : (n_sections,) ndarrays of int32
        Ascending.
    facets : Lists
    """
    n_walls = max(1, n_walls)
    key = distinct(xp, (flat.astype(np.int64) * n_units + unit) * n_walls + wall)
    section = key // n_walls
    begins = xp.ones(len(key), dtype=bool)
    begins[1:] = section[1:] != section[:-1]
    heads = xp.flatnonzero(begins)
    facets = Lists(xp.append(heads, len(key)), (key - section * n_walls).astype(np.int32))
    section = section[heads]
    flat = section // n_units
    return flat.astype(np.int32), (section - flat * n_units).astype(np.int32), facets
