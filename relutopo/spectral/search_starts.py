"""Where a search for regions starts: the regions of points, and those along a path.

A point on a wall belongs to no region. The region met first in a random direction from the point
into the domain takes its place; it is found in exact arithmetic. All points go towards the same
point of the domain, so points on one plane go to the same side of it.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers, homogeneous_points, to_float
from relutopo.arrays import as_points
from relutopo.errors import InputError, InvariantError
from relutopo.geometry.domain import Domain
from relutopo.geometry.region import pattern_beyond
from relutopo.networks.network import Network

__all__ = ["Starts"]

_MOST_DIRECTIONS = 100
"""How many directions are tried from a point; the first nearly always leads into a region."""
_HALVINGS = 40
"""A leg of a path is halved at most so often; regions between closer points may be missed."""
_MOST_DISTANCES = 2**22


class Starts:
    """The points at which a search starts.

    Parameters
    ----------
    network : Network
    domain : Domain
    seeds : (n, d) array_like or None
        The centre of the domain if left out.
    is_path : bool
        Whether the seeds are the corners of a broken line; then all must lie in the domain.

    Raises
    ------
    InputError
        If no seed lies in the domain, or a path has fewer than two points or leaves the domain.
    """

    def __init__(
        self, network: Network, domain: Domain, seeds: ArrayLike | None, *, is_path: bool = False
    ) -> None:
        self.network, self.domain, self.is_path = network, domain, is_path
        given = None if seeds is None else as_points(seeds, domain.dim, "seeds")
        if is_path and (given is None or len(given) < 2):
            raise InputError(
                f"`seeds` must be at least two points of a path, got "
                f"{0 if given is None else len(given)}; pass for example [start, end]"
            )
        self.points = to_float(domain.inner_point())[None] if given is None else given
        inside = domain.contains(self.points)
        # A domain may be too narrow to hold its centre when rounded.
        self.is_centre_lost = given is None and not inside.any()
        if self.is_centre_lost:
            return
        if not inside.any() or (is_path and not inside.all()):
            raise InputError(
                f"`seeds` must have {'all points' if is_path else 'a point'} in the domain, got "
                f"{np.sum(~inside)} outside {domain!r}; widen the domain, for example "
                "Box.around(seeds)"
            )
        self.points = self.points[inside]

    def patterns(self) -> list[NDArray[np.bool_]]:
        """Return the patterns of the regions to start in."""
        if self.is_centre_lost:
            return self._exactly(self.domain.inner_point()[None])
        return self._along() if self.is_path else self._at(self.points)

    def distances(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far points, (n, d), are from the nearest start, up to rounding; (n,)."""
        centre = self.points[0]  # far from the origin, products would lose all digits
        x, starts = points - centre, self.points - centre
        least = np.full(len(x), np.inf)
        step = max(1, _MOST_DISTANCES // max(1, len(x)))
        for first in range(0, len(starts), step):
            some = starts[first : first + step]
            squares = np.einsum("id,id->i", some, some)[:, None] - 2 * (some @ x.T)
            np.minimum(least, squares.min(axis=0), out=least)
        roots: NDArray[np.float64] = np.sqrt(np.maximum(least + np.einsum("id,id->i", x, x), 0))
        return roots

    def _at(self, x: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
        """Return the pattern of a region at each point."""
        signs = self.network.signs(x)
        patterns = list(signs > 0)
        zero = np.flatnonzero((signs == 0).any(axis=1))
        for i, pattern in zip(
            zero.tolist(), self._exactly(homogeneous_points(x[zero])), strict=True
        ):
            patterns[i] = pattern
        return patterns

    def _along(self) -> list[NDArray[np.bool_]]:
        """Return the patterns that a broken line meets, in order, from its first to its last point.

        Regions are convex, so between two points of one region there is no other region. Between
        points of different regions the midpoint is examined.
        """
        x = self.points
        here = self._at(x)
        for _ in range(_HALVINGS):
            wide = [
                i
                for i in range(len(x) - 1)
                if not np.array_equal(here[i], here[i + 1]) and not np.array_equal(x[i], x[i + 1])
            ]
            if not wide:
                break
            middles = (x[wide] + x[[i + 1 for i in wide]]) / 2
            between = dict(zip(wide, zip(middles, self._at(middles), strict=True), strict=True))
            points, patterns = [x[0]], [here[0]]
            for i in range(len(x) - 1):
                for point, pattern in [
                    *([between[i]] if i in between else []),
                    (x[i + 1], here[i + 1]),
                ]:
                    # Of successive points in one region, the first and the last are enough.
                    if len(patterns) > 1 and all(
                        np.array_equal(pattern, other) for other in patterns[-2:]
                    ):
                        points.pop()
                        patterns.pop()
                    points.append(point)
                    patterns.append(pattern)
            x, here = np.array(points), patterns
        return here

    def _exactly(self, points: Integers) -> list[NDArray[np.bool_]]:
        """Return the pattern of the region in a random direction from each exact point."""
        centre, sides = self.domain.inner_point(), self.domain.side_planes()
        return [
            _pattern_at(self.network, point, centre, sides, np.random.default_rng(0))
            for point in points
        ]


def _pattern_at(
    network: Network, point: Integers, centre: Integers, sides: Integers, rng: np.random.Generator
) -> NDArray[np.bool_]:
    room = -sides @ centre  # positive
    for _ in range(_MOST_DIRECTIONS):
        (step,), _ = dyadic_integers(rng.standard_normal(len(point) - 1))
        # The line from the centre along the step leaves the domain at centre + step / t, where t
        # is the largest slope / room; go a random part of the way, all in exact arithmetic.
        slopes = sides[:, :-1] @ step * centre[-1]
        farthest = 1 / max(Fraction(a, b) for a, b in zip(slopes, room, strict=True))
        way = Fraction(rng.random()) * farthest
        shift = step * way.numerator * centre[-1]
        end = np.append(centre[:-1] * way.denominator + shift, centre[-1] * way.denominator)
        beyond = pattern_beyond(network, point, end[:-1] * point[-1] - point[:-1] * end[-1])
        if beyond is not None:
            return beyond
    raise InvariantError(
        f"no region lies in {_MOST_DIRECTIONS} random directions from a seed; please report this "
        "network as a bug"
    )
