"""One region of a network by itself: its walls, and the regions behind them.

A region with activation pattern s is {x in the domain: s_j z_j(x) ≥ 0 for all neurons j}, where
z_j is the affine map of neuron j under the pattern s: an intersection of half-spaces, most of them
redundant. A neuron makes a *wall* if some point of its plane satisfies all other inequalities
strictly (those with the same plane aside). Candidates come from floats, for all neurons together
(`relutopo.geometry.strict_points`): by relaxation from the centre of the region, then, for neurons
that it left open, by an interior point method for ::

    maximise t    such that    g_j(y) = 0    and    g_i(y) ≥ t  for all i,

over normalised rows g_i, and last by one linear programme each (HiGHS), which ends at a corner and
not between several. Every candidate is then proved or disproved:

- *wall*: at the point found all other rows exceed their error bound, by more than the distance
  that an exact zero of g_j can be away; or the exact projection of the point onto the exact plane
  satisfies all exact rows.
- *no wall*: the multipliers λ ≥ 0 of the programme combine the rows to Σ λ_i g_i - ν g_j,
  which a rounding-safe bound shows to be negative on the whole domain (A. Neumaier,
  O. Shcherbina, "Safe bounds in linear and mixed-integer linear programming", Math. Program. 99
  (2004) 283-296); or the few rows with λ_i > 0 admit no strict point in exact arithmetic.

What remains open after that is counted, never guessed.

The region behind a wall: with a single row that vanishes there, its neuron flips and nothing else
can, because all others are non-zero at a point of the wall. Otherwise (duplicate neurons, neurons
that vanish on the whole region) the pattern just beyond an exact point of the wall follows layer by
layer from exact values and, where they are zero, from exact slopes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, homogeneous_points, to_float
from relutopo.errors import InvariantError
from relutopo.geometry.domain import Domain
from relutopo.geometry.polytope import Cone, integer_rows
from relutopo.geometry.strict_points import Raised, raised, relaxed
from relutopo.networks.network import Network

__all__ = ["RegionGeometry", "Sides", "Walls", "pattern_beyond"]

_ORDINARY = 400
"""Up to which power of two normals are left as they are."""
_FAR = 2.0**60
"""Where a plane passes |y_i| ≤ 1 by; solvers take far larger numbers for infinite."""
_NORMAL = 1e-290
"""Beside which what underflows is nothing."""
_TINY = 1e-10
"""Rows whose relative error bound is larger are computed exactly and rounded."""
_SAME = 1e-9
"""Normalised rows that differ by less may be the same plane, which is decided exactly."""
_MOST_STEPS = 30
"""How many times an exact decision takes a further row into account before it is given up."""
_LIFT = 0.02
"""How high a step of the relaxation lifts a row, in parts of the inradius."""
_CLOSE = 1e-10
"""How far the largest ball may be from the one found, in parts of it."""
_MOST_IN_VAIN = 3
"""Iterations for the largest ball that bring nothing, until it is taken as it is."""


@dataclass(frozen=True)
class Walls:
    """The walls of a region inside the domain.

    Attributes
    ----------
    neighbours : list of (n_neurons,) ndarrays of bool
        Pattern of the region behind each wall, in the order of the neurons.
    points : list of (d,) ndarrays
        A point near each wall, rounded, around which the wall was proved.
    n_open : int
        Neurons that were neither proved nor disproved to make a wall.
    """

    neighbours: list[NDArray[np.bool_]]
    points: list[NDArray[np.float64]]
    n_open: int


def pattern_beyond(
    network: Network, point: Integers, direction: Integers
) -> NDArray[np.bool_] | None:
    """Return the activation pattern at point + δ·direction for all small δ > 0.

    Parameters
    ----------
    network : Network
    point : (d + 1,) ndarray of int objects
        A point (X, W), exact.
    direction : (d,) ndarray of int objects

    Returns
    -------
    (n_neurons,) ndarray of bool or None
        None if the direction runs along the zeros of a neuron that does not vanish on the whole
        region, so that the points lie on a facet.

    Examples
    --------
    >>> from relutopo import ReluNetwork
    >>> cross = ReluNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> origin = np.array([0, 0, 1], dtype=object)
    >>> pattern_beyond(cross, origin, np.array([2, -1], dtype=object)).tolist()
    [True, False]
    >>> pattern_beyond(cross, origin, np.array([1, 0], dtype=object)) is None
    True
    """
    pattern = np.zeros(network.n_neurons, dtype=bool)
    maps: list[Integers] = []
    for start, size in zip(network.layer_offsets, network.layer_sizes, strict=False):
        planes = network.exact_planes(pattern, maps)
        values, slopes = planes @ point, planes[:, :-1] @ direction
        leading = np.where(values != 0, values, slopes)
        if planes[leading == 0].any():
            return None
        pattern[start : start + size] = leading > 0
        maps.append(planes)
    return pattern


class Sides:
    """The half-spaces of a domain, as rows that are not negative inside.

    Parameters
    ----------
    domain : Domain
    """

    def __init__(self, domain: Domain) -> None:
        normals, offsets = domain.halfspaces()
        self.rows: NDArray[np.float64] = np.concatenate([-normals, offsets[:, None]], axis=1)
        self.magnitude = domain.magnitude
        self.scale = float(self.magnitude.max())

    @cached_property
    def exact_rows(self) -> list[Integers]:
        """The same rows, each times a power of two of its own."""
        return integer_rows(self.rows)


class RegionGeometry:
    """The inequalities of one region, in coordinates y = x / scale with |y_i| ≤ 1.

    Row i < n_neurons belongs to neuron i, row n_neurons + s to side s of the domain. Floats are
    kept for the rows in `rows` only, which are those that may vanish in the domain.

    A ball of radius `inradius` lies in the region, and none of a radius above `most_inradius` (both
    in y), for certain.

    Parameters
    ----------
    network, domain
    pattern : (n_neurons,) ndarray of bool
        Of a region with interior points in the domain.
    sides : Sides, optional
        Of the domain, where many regions share them.
    maps : (n_neurons, d + 1) and (n_neurons,) ndarrays, optional
        What `Network.affine_maps` gives for the pattern, likewise.
    """

    def __init__(
        self,
        network: Network,
        domain: Domain,
        pattern: NDArray[np.bool_],
        sides: Sides | None = None,
        maps: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> None:
        self.network, self.domain, self.pattern = network, domain, pattern
        self.sides = Sides(domain) if sides is None else sides
        self.scale = self.sides.scale
        self.n_linear_programs = 0
        if maps is None:
            ((planes, errors),) = _maps_of(network, self.sides, pattern[None])
        else:
            planes, errors = maps
        self._load_rows(planes, errors)
        self._find_centre()

    @classmethod
    def of_patterns(
        cls, network: Network, sides: Sides, domain: Domain, patterns: NDArray[np.bool_]
    ) -> Iterator[RegionGeometry]:
        """Yield the regions of several patterns, (n, n_neurons), whose maps are made together."""
        for pattern, maps in zip(patterns, _maps_of(network, sides, patterns), strict=True):
            yield cls(network, domain, pattern, sides, maps)

    @property
    def interior_point(self) -> NDArray[np.float64]:
        """Centre of a largest ball in the region, rounded; (d,). NaN if the solver failed."""
        return self.centre * self.scale

    @cached_property
    def _exact_rows(self) -> Integers:
        """All rows, (n_neurons + n_sides, d + 1), non-negative inside."""
        maps = self.network.exact_maps(self.pattern, len(self.network.layer_sizes))
        rows: Integers = np.concatenate([*maps, self.sides.exact_rows])
        rows[: self.network.n_neurons][~self.pattern] *= -1
        return rows

    def _load_rows(self, planes: NDArray[np.float64], errors: NDArray[np.float64]) -> None:
        n_neurons, magnitude = self.network.n_neurons, self.sides.magnitude
        rows = np.concatenate([planes, self.sides.rows])
        rows[:n_neurons] *= np.where(self.pattern, 1.0, -1.0)[:, None]
        error = np.concatenate([errors, np.zeros(len(self.sides.rows))])
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.abs(rows[:, :-1]) @ magnitude
            # A neuron far from its zero everywhere in the domain is no wall and bounds nothing.
            far = (rows[:, -1] > 1.01 * (sizes + error) + _NORMAL) & (rows[:, -1] < np.inf)
            far[n_neurons:] = False
            # Rows of which floats know too little, constant ones among them.
            known = (sizes > 0) & (sizes < np.inf) & np.isfinite(rows[:, -1])
            vague = np.flatnonzero(~(far | (known & (error <= _TINY * sizes))))
        self.some_vanish = False
        for i in vague.tolist():
            exact = self._exact_rows[i]
            largest = max(map(abs, exact[:-1]))
            self.some_vanish |= not exact.any()
            rows[i] = [_ratio(x, largest) for x in exact] if largest else 0.0
            error[i] = 0.0
        rows, error = _of_ordinary_size(rows, error)
        norms = np.linalg.norm(rows[:, :-1], axis=1)
        self.rows = np.flatnonzero((norms > 0) & ~far)
        norms = norms[self.rows]
        self.normals = rows[self.rows, :-1] / norms[:, None]
        with np.errstate(over="ignore"):
            self.offsets = np.clip(rows[self.rows, -1] / norms / self.scale, -_FAR, _FAR)
        # Deviation of a computed value n·y + c from the exact row, up to one positive factor: the
        # bound of the row, then the rounding of the division, of the product and of the sum.
        d = self.domain.dim
        self.errors = 1.01 * error[self.rows] / norms / self.scale
        self.errors += (d + 16) * 2.0**-52 * (np.sqrt(d) + np.abs(self.offsets))

    def _find_centre(self) -> None:
        """Find the centre of a largest ball, and prove how large it is.

        A ball around the centre reaches as far as the lowest row there, less its error; a normal
        of length one, as computed, is as long up to the error of the row over the shortest axis.
        None is larger than Σ λ_i g_i for λ ≥ 0 of sum one, which is nearly constant.
        """
        start = np.clip(to_float(self.domain.inner_point()) / self.scale, -1, 1)
        whole = np.ones((1, len(self.rows)), dtype=bool)

        self.centre: NDArray[np.float64] = start
        multipliers, highest, least, in_vain = np.zeros(len(self.rows)), -np.inf, np.inf, 0

        def is_enough(_: NDArray[np.intp], now: Raised) -> NDArray[np.bool_]:
            nonlocal multipliers, highest, least, in_vain
            most = float(now.multipliers[0] @ self.offsets)
            most += float(np.abs(now.multipliers[0] @ self.normals).sum())
            in_vain += 1
            if now.heights[0] > highest:
                self.centre, highest, in_vain = now.points[0], float(now.heights[0]), 0
            if most < least:
                multipliers, least, in_vain = now.multipliers[0], most, 0
            # Near the end the multipliers become worse again, beyond what floats can tell.
            return np.array([least - highest <= _CLOSE * abs(highest) or in_vain > _MOST_IN_VAIN])

        raised(self.normals, self.offsets, start[None], np.zeros((1, len(start))), whole, is_enough)
        if not np.all(self._values(self.centre) > self.errors):
            self.centre, _, multipliers = self._widest(np.arange(len(self.rows)))
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            room = self._values(self.centre) - self.errors - 2.0**-52 * np.sqrt(len(start))
            lean = self.errors * self.scale / self.sides.magnitude.min()
            lean += (len(start) + 16) * 2.0**-52
            self.inradius = max(0.0, float(np.min(room * (1 - lean), initial=np.inf)))
            weight = multipliers.sum()
            most = multipliers @ self.offsets + 1.01 * np.abs(multipliers @ self.normals).sum()
            most += (2 + len(multipliers)) * (multipliers @ self.errors) + 2 * multipliers @ lean
            most = float(most / weight * (1 + len(multipliers) * 2.0**-50))
        # Between two sides of the domain there is never more than its width.
        self.most_inradius = most if np.isfinite(most) else 1.0
        self.inradius = min(self.inradius, self.most_inradius)

    def _values(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self.normals @ y + self.offsets
        return values

    def _widest(
        self, among: NDArray[np.intp], wall: int | None = None
    ) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
        """Maximise the least value of some rows, on the plane of a wall if one is given.

        Returns the point, the value, and the multipliers of the rows.
        """
        d, n = self.domain.dim, len(among)
        y, multipliers = self._solve(
            np.append(np.zeros(d), 1.0),
            np.concatenate([self.normals[among], -np.ones((n, 1))], axis=1),
            self.offsets[among],
            None if wall is None else np.append(self.normals[wall], 0.0),
            0.0 if wall is None else self.offsets[wall],
        )
        return y[:-1], float(y[-1]), multipliers

    def _solve(
        self,
        objective: NDArray[np.float64],
        normals: NDArray[np.float64],
        offsets: NDArray[np.float64],
        wall: NDArray[np.float64] | None = None,
        wall_offset: float = 0.0,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Maximise a linear function where rows are ≥ 0, and one = 0; return argument and λ."""
        from scipy.optimize import linprog  # slow to load, and seldom needed

        result = linprog(
            -objective,
            A_ub=-normals,
            b_ub=offsets,
            A_eq=None if wall is None else wall[None],
            b_eq=None if wall is None else [-wall_offset],
            bounds=(None, None),
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        self.n_linear_programs += 1
        if result.x is None:  # a failure of the solver: no candidate, and nothing is excluded
            return np.full(len(objective), np.nan), np.zeros(len(offsets))
        return result.x, np.maximum(-result.ineqlin.marginals, 0.0)

    def walls(self) -> Walls:
        """Find the walls of the region, and the patterns behind them."""
        found: list[tuple[NDArray[np.bool_], NDArray[np.float64]]] = []
        settled = self.rows >= self.network.n_neurons

        def record(
            crossing: tuple[NDArray[np.intp], NDArray[np.bool_] | None] | None,
            point: NDArray[np.float64],
        ) -> bool:
            if crossing is None:
                return False
            members, neighbour = crossing
            settled[np.searchsorted(self.rows, members)] = True
            if neighbour is not None:
                found.append((neighbour, point * self.scale))
            return True

        def record_all(rows: NDArray[np.intp], points: NDArray[np.float64]) -> None:
            clear = self._are_clear(rows, points)
            for row, y, is_clear in zip(rows.tolist(), points, clear.tolist(), strict=True):
                if not settled[row]:
                    record(self._flipped(row) if is_clear else self._cross(row, y), y)

        products = self.normals @ self.normals.T
        apart = ~self._alike(products)
        wanted = np.flatnonzero(~settled)
        record_all(*self._relaxed(products, wanted, apart[wanted]))
        wanted = np.flatnonzero(~settled)
        points, every = self._raised(wanted, apart[wanted])
        record_all(wanted, points)
        settled[wanted] |= self._are_excluded(wanted, every)
        n_open = 0
        for row in np.flatnonzero(~settled).tolist():
            if settled[row]:
                continue
            others = np.flatnonzero(apart[row])
            y, t, multipliers = self._widest(others, row)
            if t > 0 and record(self._cross(row, y), y):
                continue
            if self._is_excluded(row, others, multipliers):
                settled[row] = True
                continue
            verdict = self._decide(row, others[multipliers > _SAME])
            if verdict is False:
                settled[row] = True
            elif verdict is None or not record(
                self._cross_exactly(row, verdict), to_float(verdict) / self.scale
            ):
                n_open += 1
        found.sort(key=lambda wall: np.flatnonzero(wall[0] != self.pattern).tolist())
        return Walls([wall for wall, _ in found], [point for _, point in found], n_open)

    def _relaxed(
        self, products: NDArray[np.float64], walls: NDArray[np.intp], apart: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return rows, and points near their planes where all that count seem positive."""
        if not np.isfinite(self.centre).all():
            return walls[:0], np.empty((0, self.domain.dim))
        # Lowered by what a proof takes, so that whatever is positive is nearly always proved.
        low = self.offsets - 1.1 * self.errors - 3 * self.errors.max(initial=0.0)
        lift = _LIFT * max(0.0, float(self._values(self.centre).min(initial=np.inf)))
        which, points = relaxed(self.normals, low, products, self.centre, walls, apart, lift)
        rows = walls[which]
        beside = self.normals[rows]
        heights = np.einsum("kd,kd->k", points, beside) + self.offsets[rows]
        return rows, points - heights[:, None] * beside

    def _raised(
        self, walls: NDArray[np.intp], apart: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return for each row a point of its plane, and multipliers: one of both may be a proof."""
        planes = self.normals[walls]
        start = np.where(np.isfinite(self.centre), self.centre, 0.0)
        feet = start - (planes @ start + self.offsets[walls])[:, None] * planes

        def is_enough(which: NDArray[np.intp], now: Raised) -> NDArray[np.bool_]:
            rows = walls[which]
            is_wall = now.heights > 4 * (self.errors.max() + self.errors[rows])
            ended: NDArray[np.bool_] = is_wall | self._are_excluded(rows, now.multipliers)
            return ended

        end = raised(self.normals, self.offsets, feet, planes, apart, is_enough)
        return end.points, end.multipliers

    def _alike(self, products: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which rows may have the same plane; (R, R), of the products of their normals."""
        alike = np.eye(len(self.rows), dtype=bool)
        i, j = np.nonzero(np.abs(products) > 1 - 1e-6)
        signs = np.where(products[i, j] < 0, -1.0, 1.0)
        near = np.abs(self.normals[j] - signs[:, None] * self.normals[i]).max(axis=1) < _SAME
        off = np.abs(self.offsets[j] - signs * self.offsets[i])
        alike[i, j] |= near & (off < _SAME * (1 + np.abs(self.offsets[i])))
        return alike

    def _are_clear(self, rows: NDArray[np.intp], points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell at which points near the planes of rows all other rows are positive for certain.

        They are then as well at the nearest exact zero of the row.
        """
        values, at = points @ self.normals.T + self.offsets, np.arange(len(rows))
        away = 1.01 * (np.abs(values[at, rows]) + self.errors[rows])
        clear = values - self.errors > away[:, None]
        clear[at, rows] = True
        all_clear: NDArray[np.bool_] = clear.all(axis=1) & (not self.some_vanish)
        return all_clear

    def _flipped(self, row: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return what lies behind a row that alone vanishes there; see `_cross_exactly`."""
        neighbour = self.pattern.copy()
        neighbour[self.rows[row]] ^= True
        return self.rows[row : row + 1], neighbour

    def _cross(
        self, row: int, y: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None] | None:
        """Prove that a point near the plane of a row is near a wall; see `_cross_exactly`."""
        if self._are_clear(np.array([row]), y[None])[0]:
            return self._flipped(row)
        values = self._values(y)
        values[row] = 0.0
        if not np.all(values >= -_SAME):
            return None
        *x, w = homogeneous_points(y * self.scale)[0]
        *normal, offset = self._exact_rows[int(self.rows[row])]
        a, p = np.array(normal, dtype=object), np.array(x, dtype=object)
        square, value = a @ a, a @ p + offset * w
        return self._cross_exactly(row, np.append(p * square - value * a, w * square))

    def _cross_exactly(
        self, row: int, point: Integers
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_] | None] | None:
        """Return the rows with this row's plane and the pattern behind it, None on the border.

        The exact point lies on the plane; None if another row is not positive there.
        """
        exact, neuron = self._exact_rows, int(self.rows[row])
        values = exact @ point
        zero = np.flatnonzero((values == 0) & exact.any(axis=1))
        if np.any(values < 0) or not all(_parallel(exact[i], exact[neuron]) for i in zero):
            return None
        if zero[-1] >= self.network.n_neurons:
            return zero, None
        neighbour = pattern_beyond(self.network, point, -exact[neuron][:-1])
        if neighbour is None:
            (name,) = self.network.names_of([neuron])
            raise InvariantError(
                f"no region lies behind neuron {name} (layer, unit) of a region; please report "
                "this network as a bug"
            )
        return zero, neighbour

    def _is_excluded(
        self, row: int, among: NDArray[np.intp], multipliers: NDArray[np.float64]
    ) -> bool:
        """Whether Σ λ_i g_i < 0 for certain on the plane of a row, within |y_i| ≤ 1."""
        every = np.zeros((1, len(self.rows)))
        every[0, among] = multipliers
        return bool(self._are_excluded(np.array([row]), every)[0])

    def _are_excluded(
        self, rows: NDArray[np.intp], multipliers: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Tell the same of several rows, with multipliers of all rows for each; (K, R)."""
        normal, own = multipliers @ self.normals, self.normals[rows]
        slope = np.einsum("kd,kd->k", normal, own)
        rest = normal - slope[:, None] * own
        constant = multipliers @ self.offsets - slope * self.offsets[rows]
        # The errors of the rows contain a multiple of their coefficients' rounding.
        slack = multipliers @ self.errors + np.abs(slope) * self.errors[rows]
        excluded: NDArray[np.bool_] = (
            constant + 1.01 * np.abs(rest).sum(axis=1) + (2 + len(self.rows)) * slack < 0
        )
        return excluded

    def _decide(self, row: int, support: NDArray[np.intp]) -> Integers | Literal[False] | None:
        """Decide exactly whether a row makes a facet: its point, False, or None if that is hard.

        Some rows without a strict point on the plane disprove it; otherwise their strict point
        either satisfies all other rows or names another one to take into account.
        """
        exact, neuron = self._exact_rows, int(self.rows[row])
        wall = exact[neuron]
        far = np.array([0] * self.domain.dim + [1], dtype=object)
        chosen = [i for i in self.rows[support].tolist() if not _parallel(exact[i], wall)]
        for _ in range(_MOST_STEPS):
            cone = Cone.of_rows([far, *(exact[i] for i in chosen), wall])
            on_wall = [ray for ray in cone.rays if wall @ ray == 0]
            # A line of the cone changes no row, so the sum of the rays is as strict as any point.
            point: Integers = np.sum([far * 0, *on_wall], axis=0)
            if point[-1] <= 0 or any(exact[i] @ point <= 0 for i in chosen):
                return False
            values = exact[self.rows] @ point
            violated = [
                (Fraction(value, sum(map(abs, exact[i]))), i)
                for value, i in zip(values, self.rows.tolist(), strict=True)
                if value <= 0 and not _parallel(exact[i], wall)
            ]
            if not violated:
                return point
            chosen.append(min(violated)[1])
        return None


def _maps_of(
    network: Network, sides: Sides, patterns: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield the maps of all neurons, (n_neurons, d + 1), and their bounds, for each pattern."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is computed exactly
        layers = [
            network.affine_maps(layer, patterns, sides.magnitude)
            for layer in range(len(network.layer_sizes))
        ]
    for i in range(len(patterns)):
        planes = [np.empty((0, len(sides.magnitude) + 1)), *(x.planes[i].T for x in layers)]
        yield np.concatenate(planes), np.concatenate([np.empty(0), *(x.errors[i] for x in layers)])


def _ratio(x: int, largest: int) -> float:
    """Return x / largest as a float, the largest one if it is beyond."""
    try:
        return float(Fraction(x, largest))
    except OverflowError:
        return sys.float_info.max if x > 0 else -sys.float_info.max


def _of_ordinary_size(
    rows: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale rows by powers of two, so that squares of their normals are floats."""
    largest = np.abs(rows[:, :-1]).max(axis=1)
    exponents = np.where(largest > 0, -np.frexp(largest)[1], 0)
    shifts = np.where(np.abs(exponents) > _ORDINARY, exponents, 0)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(rows, shifts[:, None]), np.ldexp(errors, shifts)


def _parallel(a: Integers, b: Integers) -> bool:
    """Whether two integer vectors, b not zero, are proportional."""
    k = int(np.flatnonzero(b)[0])
    return bool(np.all(a * b[k] == b * a[k]))
