"""Which region a point lies in, by its activation pattern."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InvariantError
from relutopo.geometry.complex import ON_BOUNDARY, OUTSIDE, CellComplex
from relutopo.geometry.domain import as_points
from relutopo.geometry.patterns import find_patterns, pack_patterns

__all__ = ["locate"]


def locate(complex_: CellComplex, points: ArrayLike) -> NDArray[np.int64]:
    """Return the region of each point; see `CellComplex.locate`.

    A point with a pre-activation of exactly zero lies on a facet, unless the neuron is zero on the
    whole region (a dead neuron without bias).

    Parameters
    ----------
    complex_ : CellComplex
    points : (n, d) array_like

    Returns
    -------
    (n,) ndarray of int64
        Region, `OUTSIDE` or `ON_BOUNDARY`.
    """
    network, domain = complex_.network, complex_.domain
    x = as_points(points, complex_.dim)
    regions = np.full(len(x), OUTSIDE, dtype=np.int64)
    inside = np.flatnonzero(domain.contains(x))
    signs = network.signs(x[inside])
    found = find_patterns(pack_patterns(signs > 0), complex_.packed_patterns)
    regions[inside] = np.where(found >= 0, found, ON_BOUNDARY)
    for i in np.flatnonzero((signs == 0).any(axis=1)):
        region = found[i]
        if region >= 0 and not _vanish(complex_, int(region), np.flatnonzero(signs[i] == 0)):
            regions[inside[i]] = ON_BOUNDARY
    lost = (found < 0) & (signs != 0).all(axis=1)
    if lost.any():
        raise InvariantError(
            f"the point {x[inside[np.argmax(lost)]].tolist()} lies in the domain and on no "
            "facet, but no region has its activation pattern; check the enumerator that made "
            "this complex with complex_.check()"
        )
    return regions


def _vanish(complex_: CellComplex, region: int, neurons: NDArray[np.intp]) -> bool:
    """Whether all the neurons are identically zero on a region."""
    network = complex_.network
    maps = network.exact_maps(complex_.patterns[region], len(network.layer_sizes))
    return all(not plane.any() for plane in np.concatenate(maps)[neurons])
