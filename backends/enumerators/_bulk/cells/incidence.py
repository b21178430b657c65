"""Sets of units that vanish, or remain, where flats meet, for many pairs of flats at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel

from ..records import FlatSigns
from ..sets.bitsets import Units
from ..sets.lists import Array

__all__ = ["crosses_earlier", "vanishing_on_sections", "vanishing_on_walls"]


_VANISHING = """
    long long entry = i / n_words, w = i % n_words;
    long long f = facet[entry] * n_words + w, b = wall[entry] * n_words + w;
    unsigned long long vanishing = (positive[f] | negative[f]) & ~(positive_b[b] | negative_b[b]);
"""
_ON_WALLS = Kernel(
    "relutopo_vanishing_on_walls",
    "raw uint64 positive, raw uint64 negative, raw uint64 positive_b, raw uint64 negative_b, "
    "raw int32 facet, raw int32 wall, raw bool cuts, int64 n_words",
    "raw uint64 sets",
    f"{_VANISHING} sets[i] = cuts[entry] ? vanishing : vanishing & positive[f];",
)
_ON_SECTIONS = Kernel(
    "relutopo_vanishing_on_sections",
    "raw uint64 positive, raw uint64 negative, raw uint64 positive_b, raw uint64 negative_b, "
    "raw uint64 positive_u, raw uint64 negative_u, raw int32 facet, raw int32 wall, "
    "raw int32 flat, int64 n_words",
    "raw uint64 sets",
    f"""
    {_VANISHING}
    long long u = flat[entry] * n_words + w;
    sets[i] = vanishing & positive_u[u] & negative_u[u];
    """,
)
_EARLIER = Kernel(
    "relutopo_crosses_earlier",
    "raw uint64 positive_u, raw uint64 negative_u, raw int32 flat, raw uint64 positive, "
    "raw uint64 negative, raw int32 unit, int64 n_words",
    "raw bool found",
    """
    long long row = i / n_words, w = i % n_words, u = flat[row] * n_words + w;
    unsigned long long others = (positive_u[u] | negative_u[u]) & ~(positive[i] | negative[i]);
    if (w == unit[row] >> 6) others &= (1ULL << (unit[row] & 63)) - 1;
    if (others && w <= unit[row] >> 6) found[row] = true;
    """,
)


def vanishing_on_walls(
    xp: Any, units: Units, flats: FlatSigns, flat: Array, below: FlatSigns, wall: Array, cuts: Array
) -> Array:
    """Return the units that vanish on a wall but not on its flat, and are positive on the flat.

    For a wall that cuts its flat, return all that vanish, since they have both signs on the flat.

    Parameters
    ----------
    xp : module
    units : Units
    flats, below : FlatSigns
        All flats of two successive dimensions.
    flat, wall : (n,) ndarrays of int32
        Pairs of a flat and a wall of it.
    cuts : (n,) ndarray of bool

    Returns
    -------
    (n + 1, n_words) ndarray of uint64
        The last set is empty.
    """
    kernel, n = _ON_WALLS.on(xp), len(flat)
    sets = xp.empty((n + 1, units.n_words), dtype=np.uint64)
    sets[n:] = np.uint64(0)
    if kernel is None:
        vanishing = _nonzero(flats, flat) & ~_nonzero(below, wall)
        sets[:n] = vanishing & xp.where(cuts[:, None], ~np.uint64(0), flats.positive[flat])
        return sets
    signs = flats.positive, flats.negative, below.positive, below.negative
    kernel(*signs, flat, wall, cuts, units.n_words, sets, size=n * units.n_words)
    return sets


def vanishing_on_sections(
    xp: Any,
    units: Units,
    upper: FlatSigns,
    flat: Array,
    flats: FlatSigns,
    facet: Array,
    below: FlatSigns,
    wall: Array,
) -> Array:
    """Return the units that cross a flat and vanish on a wall of its facet, but not on the facet.

    Parameters
    ----------
    xp : module
    units : Units
    upper, flats, below : FlatSigns
        Of three successive dimensions.
    flat, facet, wall : (n,) ndarrays of int32
        Triples of flats, each contained in the one before.

    Returns
    -------
    (n, n_words) ndarray of uint64
    """
    kernel = _ON_SECTIONS.on(xp)
    if kernel is None:
        vanishing = _nonzero(flats, facet) & ~_nonzero(below, wall)
        return vanishing & upper.positive[flat] & upper.negative[flat]
    sets = xp.empty((len(flat), units.n_words), dtype=np.uint64)
    signs = [sets for signs in (flats, below, upper) for sets in (signs.positive, signs.negative)]
    kernel(*signs, facet, wall, flat, units.n_words, sets, size=sets.size)
    return sets


def crosses_earlier(
    xp: Any, units: Units, upper: FlatSigns, flat: Array, sections: FlatSigns, unit: Array
) -> Array:
    """Tell on which sections a unit before the given one vanishes that does not on the flat.

    Parameters
    ----------
    xp : module
    units : Units
    upper : FlatSigns
    flat : (n,) ndarray of int32
        The flat of each section.
    sections : FlatSigns
        The n sections.
    unit : (n,) ndarray of int32

    Returns
    -------
    (n,) ndarray of bool
    """
    kernel = _EARLIER.on(xp)
    if kernel is None:
        vanishing = _nonzero(upper, flat) & ~(sections.positive | sections.negative)
        return ((vanishing & units.below[unit]) != 0).any(axis=1)
    found = xp.zeros(len(flat), dtype=bool)
    signs = upper.positive, upper.negative, flat, sections.positive, sections.negative
    kernel(*signs, unit, units.n_words, found, size=sections.positive.size)
    return found


def _nonzero(flats: FlatSigns, some: Array) -> Array:
    """Return `FlatSigns.nonzero` for some flats."""
    return flats.positive[some] | flats.negative[some]
