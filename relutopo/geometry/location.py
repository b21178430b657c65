"""Which region a point lies in, by its activation pattern.

A point belongs to a region if no other region holds it. Inside the domain this holds where no
neuron is zero, except those that vanish on the whole region. On a side of the domain neurons may
also be zero at the point and nowhere inside near it, as the kinks of a network that begins with a
ReLU are on the sides of [0, 1]^d: these are told apart exactly, by the directions that lead from
the point into the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, homogeneous_points
from relutopo.arrays import as_points
from relutopo.errors import InvariantError
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.domain import Domain
from relutopo.geometry.patterns import find_patterns, pack_patterns
from relutopo.geometry.polytope import Cone
from relutopo.geometry.region import pattern_beyond
from relutopo.networks.network import Network

__all__ = ["NOT_FOUND", "KnownRegions", "Located", "locate", "located"]

NOT_FOUND = -3
"""What `KnownRegions.locate` says of a point inside a region that is not among the known ones."""

_POINTS_AT_ONCE = 256


class Located(NamedTuple):
    """Where points lie, and what the network decides there.

    Attributes
    ----------
    regions : (n,) ndarray of int64
        See `KnownRegions.locate`.
    decided : (n,) ndarray of bool or None
        Whether `Network.decision_values` are positive, if locating the points told it of all.
    """

    regions: NDArray[np.int64]
    decided: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class KnownRegions:
    """Some of the regions of a network on a domain, by their patterns.

    Attributes
    ----------
    network : Network
    domain : Domain
    packed_patterns : (n_regions, ceil(n_neurons / 8)) ndarray of uint8
        Distinct activation patterns, `numpy.packbits` with ``bitorder="little"``.
    """

    network: Network
    domain: Domain
    packed_patterns: NDArray[np.uint8]

    def locate(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the region of each point.

        A point with a pre-activation of exactly zero lies on a facet, unless the neuron is zero on
        the whole region (a dead neuron without bias), or the point lies on a side of the domain
        and the neuron has one sign in the domain around it.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray of int64
            Region, `OUTSIDE` (-1), `ON_BOUNDARY` (-2), or `NOT_FOUND` (-3) inside a region that is
            not among the known ones.
        """
        return self._located(as_points(points, self.domain.dim)).regions

    def _located(self, x: NDArray[np.float64]) -> Located:
        inside = np.flatnonzero(self.domain.holds(x))
        are_all_inside = len(inside) == len(x)
        within = np.array(x, order="C") if are_all_inside else x[inside]
        packed, close, signs, decided = self.network.patterns_at(within)
        regions = find_patterns(packed, self.packed_patterns)
        regions[regions < 0] = NOT_FOUND
        if not are_all_inside:
            found, decided = regions, None
            regions = np.full(len(x), OUTSIDE, dtype=np.int64)
            regions[inside] = found
        if not len(close):
            return Located(regions, decided)
        zero = np.flatnonzero((signs == 0).any(axis=1))
        for first in range(0, len(zero), _POINTS_AT_ONCE):
            rows = zero[first : first + _POINTS_AT_ONCE]
            doubtful = (signs[rows] == 0) & ~self._vanish_for_certain(signs[rows] > 0)
            for i in np.flatnonzero(doubtful.any(axis=1)):
                if not self._vanish(signs[rows[i]] > 0, np.flatnonzero(doubtful[i])):
                    row = inside[close[rows[i]]]
                    regions[row] = self._region_at_side(homogeneous_points(x[row])[0])
        return Located(regions, decided)

    def _region_at_side(self, point: Integers) -> int:
        """Return the only region that holds a point on a side of the domain, or `ON_BOUNDARY`."""
        sides = self.domain.side_planes()
        sides = sides[sides @ point == 0]
        if not len(sides):
            return ON_BOUNDARY
        centre = self.domain.inner_point()
        inwards = centre[:-1] * point[-1] - point[:-1] * centre[-1]
        pattern = pattern_beyond(self.network, point, inwards)
        if pattern is None:  # along the zeros of a neuron, which go on inside
            return ON_BOUNDARY
        maps = self.network.exact_maps(pattern, len(self.network.layer_sizes))
        planes = np.concatenate(maps)
        slopes = planes[planes @ point == 0][:, :-1]
        cone = Cone.of_rows(list(-sides[:, :-1]))
        along = np.array([slopes @ line for line in cone.lines], dtype=object)
        into = np.array([slopes @ ray for ray in cone.rays], dtype=object)
        if along.any() or ((into > 0).any(axis=0) & (into < 0).any(axis=0)).any():
            return ON_BOUNDARY
        (found,) = find_patterns(pack_patterns(pattern[None]), self.packed_patterns).tolist()
        return found if found >= 0 else NOT_FOUND

    def _vanish_for_certain(self, patterns: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which neurons are zero on the regions of patterns, as the floats show exactly."""
        known = [np.empty((len(patterns), 0), dtype=bool)]
        for layer in range(len(self.network.layer_sizes)):
            maps = self.network.affine_maps(layer, patterns, self.domain.magnitude)
            known.append((maps.errors == 0) & ~maps.planes.any(axis=1))
        return np.concatenate(known, axis=1)

    def _vanish(self, pattern: NDArray[np.bool_], neurons: NDArray[np.intp]) -> bool:
        """Whether all the neurons are identically zero on the region of a pattern."""
        maps = self.network.exact_maps(pattern, len(self.network.layer_sizes))
        return not np.concatenate(maps)[neurons].any()


def locate(complex_: Cells, points: ArrayLike) -> NDArray[np.int64]:
    """Return the region of each point; see `CellComplex.locate`.

    Parameters
    ----------
    complex_ : Cells
    points : (n, d) array_like

    Returns
    -------
    (n,) ndarray of int64
        Region, `OUTSIDE` or `ON_BOUNDARY`.
    """
    return located(complex_, points).regions


def located(complex_: Cells, points: ArrayLike) -> Located:
    """Locate points, and say what else that told.

    Parameters
    ----------
    complex_ : Cells
    points : (n, d) array_like

    Returns
    -------
    Located
        Its regions as from `locate`.
    """
    x = as_points(points, complex_.dim)
    known = KnownRegions(complex_.network, complex_.domain, complex_.packed_patterns)
    found = known._located(x)
    lost = found.regions == NOT_FOUND
    if lost.any():
        raise InvariantError(
            f"the point {x[np.argmax(lost)].tolist()} lies in the domain and on no "
            "facet, but no region has its activation pattern; check the enumerator that made "
            "this complex with complex_.check()"
        )
    return found
