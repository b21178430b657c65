"""One region of a network by itself: its walls, and the regions behind them.

A region with activation pattern s is {x in the domain: s_j z_j(x) ≥ 0 for all neurons j}, where
z_j is the affine map of neuron j under the pattern s: an intersection of half-spaces, most of them
redundant. A neuron makes a *wall* if some point of its plane satisfies all other inequalities
strictly (those with the same plane aside). Candidates come from floats: rays from the centre of the
region, then, for neurons that a box around the region does not exclude, one linear programme each
(HiGHS), ::

    maximise t    such that    g_j(y) = 0    and    g_i(y) ≥ t  for all i,

over normalised rows g_i. Every candidate is then proved or disproved:

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
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, homogeneous_points
from relutopo.errors import InvariantError
from relutopo.geometry.domain import Domain
from relutopo.geometry.polytope import Cone, integer_rows
from relutopo.networks.network import Network

__all__ = ["RegionGeometry", "Walls", "pattern_beyond"]

_ORDINARY = 400
"""Up to which power of two normals are left as they are."""
_FAR = 2.0**60
"""Where a plane passes |y_i| ≤ 1 by; solvers take far larger numbers for infinite."""
_TINY = 1e-10
"""Rows whose relative error bound is larger are computed exactly and rounded."""
_SAME = 1e-9
"""Normalised rows that differ by less may be the same plane, which is decided exactly."""
_MOST_STEPS = 30
"""How many times an exact decision takes a further row into account before it is given up."""
_RAYS_PER_NEURON = 10
_OPEN_PER_AXIS = 6
"""From how many open neurons an axis the 2 d programmes for a box around the region pay."""


@dataclass(frozen=True)
class Walls:
    """The walls of a region inside the domain.

    Attributes
    ----------
    neighbours : list of (n_neurons,) ndarrays of bool
        Pattern of the region behind each wall.
    n_open : int
        Neurons of which it was neither proved nor disproved that they make a wall.
    """

    neighbours: list[NDArray[np.bool_]]
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


class RegionGeometry:
    """The inequalities of one region, in coordinates y = x / scale with |y_i| ≤ 1.

    Row i < n_neurons belongs to neuron i, row n_neurons + s to side s of the domain. Floats are
    kept for the rows in `rows` only, which are those that are not constant.

    Parameters
    ----------
    network, domain
    pattern : (n_neurons,) ndarray of bool
        Of a region with interior points in the domain.
    """

    def __init__(self, network: Network, domain: Domain, pattern: NDArray[np.bool_]) -> None:
        self.network, self.domain, self.pattern = network, domain, pattern
        self.scale = float(domain.magnitude.max())
        self.n_linear_programs = 0
        self._load_rows()
        self.centre, self.inradius, _ = self._widest(np.arange(len(self.rows)))

    @property
    def interior_point(self) -> NDArray[np.float64]:
        """Centre of a largest ball in the region, rounded; (d,). NaN if the solver failed."""
        return self.centre * self.scale

    @cached_property
    def _exact_rows(self) -> Integers:
        """All rows, (n_neurons + n_sides, d + 1), non-negative inside."""
        maps = self.network.exact_maps(self.pattern, len(self.network.layer_sizes))
        normals, offsets = self.domain.halfspaces()
        sides = integer_rows(np.concatenate([-normals, offsets[:, None]], axis=1))
        rows: Integers = np.concatenate([*maps, sides])
        rows[: self.network.n_neurons][~self.pattern] *= -1
        return rows

    def _load_rows(self) -> None:
        network, magnitude = self.network, self.domain.magnitude
        planes, errors = [], []
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is computed exactly
            for layer in range(len(network.layer_sizes)):
                maps = network.affine_maps(layer, self.pattern[None], magnitude)
                planes.append(maps.planes[0].T)
                errors.append(maps.errors[0])
        normals, offsets = self.domain.halfspaces()
        signs = np.where(self.pattern, 1.0, -1.0)
        rows = np.concatenate([*planes, np.concatenate([-normals, offsets[:, None]], axis=1)])
        rows[: network.n_neurons] *= signs[:, None]
        error = np.concatenate([*errors, np.zeros(len(normals))])
        # Rows of which floats know too little, constant ones among them.
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.abs(rows[:, :-1]) @ magnitude
            known = (sizes > 0) & (sizes < np.inf) & np.isfinite(rows[:, -1])
            vague = np.flatnonzero(~(known & (error <= _TINY * sizes)))
        self.some_vanish = False
        for i in vague.tolist():
            exact = self._exact_rows[i]
            largest = max(map(abs, exact[:-1]))
            self.some_vanish |= not exact.any()
            rows[i] = [_ratio(x, largest) for x in exact] if largest else 0.0
            error[i] = 0.0
        rows, error = _of_ordinary_size(rows, error)
        norms = np.linalg.norm(rows[:, :-1], axis=1)
        self.rows = np.flatnonzero(norms > 0)
        norms = norms[self.rows]
        self.normals = rows[self.rows, :-1] / norms[:, None]
        with np.errstate(over="ignore"):
            self.offsets = np.clip(rows[self.rows, -1] / norms / self.scale, -_FAR, _FAR)
        # Deviation of a computed value n·y + c from the exact row, up to one positive factor: the
        # bound of the row, then the rounding of the division, of the product and of the sum.
        d = self.domain.dim
        self.errors = 1.01 * error[self.rows] / norms / self.scale
        self.errors += (d + 16) * 2.0**-52 * (np.sqrt(d) + np.abs(self.offsets))

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

    def _near_rows(self) -> NDArray[np.bool_]:
        """Tell which rows are not positive on the whole of a box around the region.

        In e·y ≤ e·y + Σ λ_i g_i(y) the multipliers of max e·y cancel nearly all that depends on y,
        so that with |y_i| ≤ 1 the right-hand side is a safe bound whatever their errors.
        """
        d = self.domain.dim
        reach = np.empty((2, d))
        for k, sign in enumerate((-1.0, 1.0)):
            for axis in range(d):
                objective = np.zeros(d)
                objective[axis] = sign
                _, multipliers = self._solve(objective, self.normals, self.offsets)
                rest = objective + multipliers @ self.normals
                slack = multipliers @ self.errors
                reach[k, axis] = multipliers @ self.offsets + 1.01 * np.abs(rest).sum()
                reach[k, axis] += (2 + len(multipliers)) * slack + 2.0**-50
        middle, half = (reach[1] - reach[0]) / 2, (reach[1] + reach[0]) / 2
        lowest = self.normals @ middle + self.offsets - 1.01 * np.abs(self.normals) @ half
        near: NDArray[np.bool_] = lowest <= 2 * self.errors
        return near

    def walls(self) -> Walls:
        """Find the walls of the region, and the patterns behind them."""
        neighbours: list[NDArray[np.bool_]] = []
        candidates = np.flatnonzero(self.rows < self.network.n_neurons)
        settled = np.zeros(len(self.rows), dtype=bool)

        def record(found: tuple[Iterable[int], NDArray[np.bool_] | None] | None) -> bool:
            if found is None:
                return False
            members, neighbour = found
            settled[np.isin(self.rows, list(members))] = True
            if neighbour is not None:
                neighbours.append(neighbour)
            return True

        for row, y in self._shoot(candidates):
            if not settled[row]:
                record(self._cross(row, y))
        near = np.ones(len(self.rows), dtype=bool)
        if (~settled[candidates]).sum() > _OPEN_PER_AXIS * self.domain.dim:
            near = self._near_rows()
            settled |= ~near
        n_open = 0
        for row in candidates.tolist():
            if settled[row]:
                continue
            apart = np.flatnonzero(near & ~self._alike(row))
            y, t, multipliers = self._widest(apart, row)
            if t > 0 and record(self._cross(row, y)):
                continue
            if self._is_excluded(row, apart, multipliers):
                settled[row] = True
                continue
            verdict = self._decide(row, apart[multipliers > _SAME])
            if verdict is False:
                settled[row] = True
            elif verdict is None or not record(self._cross_exactly(row, verdict)):
                n_open += 1
        return Walls(neighbours, n_open)

    def _alike(self, row: int) -> NDArray[np.bool_]:
        """Tell which rows may have the same plane as a row."""
        cosines = self.normals @ self.normals[row]
        signs = np.where(cosines < 0, -1.0, 1.0)
        near = np.abs(self.normals - signs[:, None] * self.normals[row]).max(axis=1) < _SAME
        alike: NDArray[np.bool_] = near & (
            np.abs(self.offsets - signs * self.offsets[row]) < _SAME * (1 + abs(self.offsets[row]))
        )
        return alike

    def _shoot(self, candidates: NDArray[np.intp]) -> list[tuple[int, NDArray[np.float64]]]:
        """Send rays from the centre; return the rows hit first, and where with most room."""
        heights = self._values(self.centre)
        if not np.all(heights > 0):
            return []
        rng = np.random.default_rng(0)
        others = rng.standard_normal((_RAYS_PER_NEURON * len(candidates), self.domain.dim))
        rays = np.concatenate([-self.normals[candidates], others])
        with np.errstate(divide="ignore", over="ignore"):
            speeds = -(rays @ self.normals.T)
            times = np.where(speeds > 0, heights / np.maximum(speeds, 0.0), np.inf)
        first = np.argmin(times, axis=1)
        points = self.centre + times[np.arange(len(rays)), first, None] * rays
        values = points @ self.normals.T + self.offsets
        values[np.arange(len(rays)), first] = np.inf
        room = values.min(axis=1)
        best: dict[int, int] = {}
        for ray in np.argsort(-room, kind="stable").tolist():
            best.setdefault(int(first[ray]), ray)
        is_candidate = self.rows < self.network.n_neurons
        return [(row, points[ray]) for row, ray in best.items() if is_candidate[row]]

    def _cross(
        self, row: int, y: NDArray[np.float64]
    ) -> tuple[Iterable[int], NDArray[np.bool_] | None] | None:
        """Prove that a point near the plane of a row is near a wall; see `_cross_exactly`."""
        values = self._values(y)
        clear = values - self.errors > 1.01 * (abs(values[row]) + self.errors[row])
        clear[row] = True
        neuron = int(self.rows[row])
        if clear.all() and not self.some_vanish:
            neighbour = self.pattern.copy()
            neighbour[neuron] ^= True
            return [neuron], neighbour
        if np.any(values[~clear] < -_SAME):
            return None
        *x, w = homogeneous_points(y * self.scale)[0]
        *normal, offset = self._exact_rows[neuron]
        a, p = np.array(normal, dtype=object), np.array(x, dtype=object)
        square, value = a @ a, a @ p + offset * w
        return self._cross_exactly(row, np.append(p * square - value * a, w * square))

    def _cross_exactly(
        self, row: int, point: Integers
    ) -> tuple[Iterable[int], NDArray[np.bool_] | None] | None:
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
        normal = multipliers @ self.normals[among]
        slope = float(normal @ self.normals[row])
        rest = normal - slope * self.normals[row]
        constant = float(multipliers @ self.offsets[among]) - slope * self.offsets[row]
        # The errors of the rows contain a multiple of their coefficients' rounding.
        slack = multipliers @ self.errors[among] + abs(slope) * self.errors[row]
        return bool(constant + 1.01 * np.abs(rest).sum() + (2 + len(among)) * slack < 0)

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
