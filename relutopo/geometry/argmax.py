"""The cells on which the same outputs of a network are greatest, with exact signs.

Every cell c of a complex is cut by the outputs that are greatest on it: for a set S of outputs let
c_S be the points of the interior of c at which the outputs of S are equal and all others are less.
The outputs are affine on c, so each c_S is convex, and the c_S that are not empty are the cells of
the coarsest refinement of the complex such that on each of its cells one set of outputs is
greatest.

It is made output by output. Let m be the maximum of the outputs so far; it is affine on each cell
of the refinement so far. The next output f minus m has a sign at every vertex, and

- the cells with a negative vertex keep their negative part, with S as it was;
- f joins S on cells whose vertices are all zero, and on the section {f = m}, one dimension lower,
  of cells with vertices of both signs;
- the positive parts of all cells in one cell c of the complex become one cell, c_{f}. It has the
  dimension of c, since it is open there; walls between earlier outputs vanish with the outputs.

Signs at vertices come from floats only beyond a bound. A new vertex, p = a + t (b - a) with the
zero of g = f - m on an edge between a and b, has the outputs of a and b in the same proportion, and
with |δg| ≤ ε at both ends t is off by at most ε / (|g(a)| + |g(b)|), besides rounding. Where that
leaves a sign open, vertices are taken exactly, as the intersections that they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arithmetic.exact import Integers, sign, to_float
from relutopo.arithmetic.rounding import UNDERFLOW, UNIT_ROUNDOFF
from relutopo.arrays import frozen
from relutopo.geometry.cells import Cells
from relutopo.geometry.decision import WELL_KNOWN, output_values
from relutopo.geometry.domain import FacetLists
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.geometry.vertices import exact_vertex
from relutopo.system.memory import Room

__all__ = ["ArgmaxCells", "argmax_cells"]

_MAPS_KEPT = 256
"""Of how many regions the exact maps are kept."""
_BYTES_A_CELL = 400
"""What all arrays of a cell take, but for those that have an entry for each class."""


@dataclass(frozen=True, eq=False, repr=False)
class ArgmaxCells(PolyhedralCells):
    """The cells of a complex, cut where the set of greatest outputs changes.

    A single output f counts as the two outputs 0 and f. Cells are ordered by the cell of the
    complex in whose interior they lie, then by their greatest outputs.

    Attributes
    ----------
    vertices, facets
        As in `PolyhedralCells`.
    origins : tuple of (n_k, 2) ndarrays of int64
        For each dimension k the cell of the complex in whose interior each k-cell lies: its
        dimension and its number.
    greatest : tuple of (n_k, n_classes) ndarrays of bool
        For each dimension the outputs that are greatest on each cell.
    n_exact : int
        How many signs were decided exactly.
    """

    origins: tuple[NDArray[np.int64], ...]
    greatest: tuple[NDArray[np.bool_], ...]
    n_exact: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("origins", "greatest"):
            object.__setattr__(self, name, tuple(frozen(array) for array in getattr(self, name)))


def argmax_cells(complex_: Cells) -> ArgmaxCells:
    """Cut the cells of a complex where the set of greatest outputs changes.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    ArgmaxCells

    Raises
    ------
    LimitReachedError
        If there is not enough memory.

    Examples
    --------
    The outputs x, y and -x - y meet at the origin:

    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0, 0.0]])
    >>> square = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> argmax_cells(square).n_cells
    (7, 9, 3)
    """
    n_classes = max(2, complex_.network.n_outputs)
    n_cells = sum(complex_.n_cells)
    Room().check(
        (2 * n_classes + _BYTES_A_CELL) * n_cells + 48 * n_classes * complex_.n_cells[0],
        f"the decision between {n_classes} classes on {n_cells} cells",
        "take a smaller complex",
    )
    vertices = _Vertices(complex_)
    level = _first_level(complex_, n_classes)
    # Outputs that are equal everywhere tie with the first of them, and need no look.
    equal = complex_.network.equal_outputs() if complex_.network.n_outputs > 1 else np.arange(2)
    for output in np.flatnonzero(equal == np.arange(n_classes))[1:].tolist():
        signs = vertices.signs(level[0].vertices, level[0].leaders, output)
        if (signs >= 0).any():
            level = _with_output(level, signs, output, vertices)
    for cells in level:
        cells.greatest = cells.greatest[:, equal]
    return _sorted(level, vertices)


@dataclass
class _Level:
    """The cells of one dimension k.

    Attributes
    ----------
    facets : FacetLists
        Empty for vertices.
    origins : (n_k, 2) ndarray
    leaders : (n_k,) ndarray
        The first of the greatest outputs.
    greatest : (n_k, n_classes) ndarray of bool
    vertices : (n_0,) ndarray
        For k = 0 the numbers in `_Vertices`; empty otherwise.
    """

    facets: FacetLists
    origins: NDArray[np.int64]
    leaders: NDArray[np.int64]
    greatest: NDArray[np.bool_]
    vertices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.leaders)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return each cell once for each of its facets, and these."""
        indptr, facets = self.facets
        return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)), facets.astype(np.int64)


_NO_FACETS: FacetLists = (np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))


def _first_level(complex_: Cells, n_classes: int) -> list[_Level]:
    """Return all cells of a complex; with one output only, output 0 is greatest on all of them."""
    levels = []
    for k, n in enumerate(complex_.n_cells):
        origins = np.stack([np.full(n, k), np.arange(n)], axis=1)
        greatest = np.zeros((n, n_classes), dtype=bool)
        greatest[:, 0] = True
        facets = complex_.facets[k - 1] if k else _NO_FACETS
        numbers = np.arange(n if k == 0 else 0)
        levels.append(_Level(facets, origins, np.zeros(n, dtype=np.int64), greatest, numbers))
    return levels


def _with_output(
    levels: list[_Level], signs: NDArray[np.int8], output: int, vertices: _Vertices
) -> list[_Level]:
    """Let one more output take part; `signs` are those of it minus the maximum, at vertices."""
    d = len(levels) - 1
    above, below = [signs > 0], [signs < 0]
    for level in levels[1:]:
        indptr, facets = level.facets
        above.append(np.logical_or.reduceat(above[-1][facets], indptr[:-1]))
        below.append(np.logical_or.reduceat(below[-1][facets], indptr[:-1]))

    # For each old cell the numbers of its new parts, -1 where there is none. A section counts among
    # the cells one dimension lower.
    minus, zero, plus = [], [], []
    section = [np.full(len(levels[0]), -1)]
    new = []
    for k, level in enumerate(levels):
        kept, equal = np.flatnonzero(below[k]), np.flatnonzero(~below[k] & ~above[k])
        cut = np.flatnonzero(below[k + 1] & above[k + 1]) if k < d else kept[:0]
        open_ = np.flatnonzero(above[k] & (level.origins[:, 0] == k))
        won, first, which = np.unique(
            level.origins[open_, 1], return_index=True, return_inverse=True
        )
        n, ends = len(level), np.cumsum([len(kept), len(equal), len(cut), len(won)])
        minus.append(_numbers(n, kept, np.arange(len(kept))))
        zero.append(_numbers(n, equal, ends[0] + np.arange(len(equal))))
        plus.append(_numbers(n, open_, ends[2] + which))
        higher = levels[min(k + 1, d)]
        if k < d:
            section.append(_numbers(len(higher), cut, ends[1] + np.arange(len(cut))))
        own = np.concatenate([kept, equal])
        origins = [level.origins[own], higher.origins[cut], level.origins[open_[first]]]
        leaders = [level.leaders[own], higher.leaders[cut], np.full(len(won), output)]
        greatest = np.zeros((ends[-1], level.greatest.shape[1]), dtype=bool)
        greatest[: ends[2]] = np.concatenate([level.greatest[own], higher.greatest[cut]])
        greatest[ends[0] :, output] = True
        numbers = level.vertices
        if k == 0:
            corners = levels[1].facets[1].reshape(-1, 2)[cut]
            made = vertices.between(
                numbers[corners], higher.leaders[cut], output, higher.origins[cut]
            )
            numbers = np.concatenate([numbers[own], made, numbers[open_[first]]])
        new.append(
            _Level(_NO_FACETS, np.concatenate(origins), np.concatenate(leaders), greatest, numbers)
        )

    for k in range(1, d + 1):
        cells, faces = levels[k].pairs()
        pairs = [
            (minus[k][cells], minus[k - 1][faces]),
            (minus[k][cells], zero[k - 1][faces]),
            (minus[k], section[k]),
            (zero[k][cells], zero[k - 1][faces]),
            # Walls between positive parts of one cell vanish: they have no number.
            (plus[k][cells], plus[k - 1][faces]),
            (plus[k][cells], zero[k - 1][faces]),
            (plus[k], section[k]),
        ]
        if k < d:
            higher_cells, walls = levels[k + 1].pairs()
            pairs.append((section[k + 1][higher_cells], section[k][walls]))
            # Faces two dimensions lower than a cell that is cut, all of whose vertices are zero.
            incidence = _incidence(levels[k], len(levels[k - 1]))
            two_lower = sparse.csc_array(incidence @ _incidence(levels[k + 1], len(levels[k])))
            owners = np.repeat(np.arange(len(levels[k + 1])), np.diff(two_lower.indptr))
            pairs.append((section[k + 1][owners], zero[k - 1][two_lower.indices]))
        new[k].facets = _csr(pairs, len(new[k]), len(new[k - 1]))
    return new


def _numbers(n: int, cells: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values at some of n cells, and -1 elsewhere."""
    numbers = np.full(n, -1)
    numbers[cells] = values
    return numbers


def _incidence(level: _Level, n_below: int) -> sparse.csc_array:
    indptr, facets = level.facets
    ones = np.ones(len(facets), dtype=np.int8)
    return sparse.csc_array((ones, facets, indptr), shape=(n_below, len(level)))


def _csr(
    pairs: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]], n_cells: int, n_below: int
) -> FacetLists:
    """Return pairs (cell, facet) as lists; those with a -1 do not count."""
    keys = []
    for cells, facets in pairs:
        valid = (cells >= 0) & (facets >= 0)
        keys.append(cells[valid] * n_below + facets[valid])
    cells, facets = np.divmod(np.unique(np.concatenate(keys)), max(n_below, 1))
    indptr = np.searchsorted(cells, np.arange(n_cells + 1))
    return indptr.astype(np.int64), facets.astype(np.int32)


def _sorted(levels: list[_Level], vertices: _Vertices) -> ArgmaxCells:
    """Order the cells by the cell that they lie in, then by their greatest outputs."""
    rank = numbers = np.empty(0, dtype=np.int64)
    facets, origins, greatest = [], [], []
    for k, level in enumerate(levels):
        keys = [*~level.greatest.T[::-1], level.origins[:, 1], level.origins[:, 0]]
        order = np.lexsort(keys)
        rank_below, rank = rank, _numbers(len(level), order, np.arange(len(level)))
        if k == 0:
            numbers = level.vertices[order]
        else:
            cells, below = level.pairs()
            pairs = [(rank[cells], rank_below[below])]
            facets.append(_csr(pairs, len(level), len(levels[k - 1])))
        origins.append(level.origins[order])
        greatest.append(level.greatest[order])
    return ArgmaxCells(
        vertices.positions[numbers],
        tuple(facets),
        tuple(origins),
        tuple(greatest),
        vertices.n_exact,
    )


class _Vertices:
    """All vertices that were ever made, with the outputs there; those of the complex come first."""

    def __init__(self, complex_: Cells) -> None:
        self._complex = complex_
        values, bounds = output_values(complex_)
        if values.shape[1] == 1:
            values, bounds = (np.append(np.zeros_like(a), a, axis=1) for a in (values, bounds))
        self._values, self._bounds = values, bounds
        self.positions = complex_.vertices
        # Every cell lies in the border of some region.
        self._homes = [np.arange(complex_.n_regions)]
        for k in range(complex_.dim, 0, -1):
            indptr, facets = complex_.facets[k - 1]
            homes = np.empty(complex_.n_cells[k - 1], dtype=np.int64)
            homes[facets] = np.repeat(self._homes[0], np.diff(indptr))
            self._homes.insert(0, homes)
        self._regions = self._homes[0]
        n = len(self.positions)
        self._ends = np.full((n, 2), -1)
        self._outputs = np.full((n, 2), -1)
        self._points: dict[int, Integers] = {}
        self._maps: dict[int, list[Integers]] = {}
        self.n_exact = 0

    @cached_property
    def _corners(self) -> sparse.csr_array:
        return self._complex.cell_vertices(self._complex.dim - 1)

    def _differences(
        self, vertices: NDArray[np.int64], leaders: NDArray[np.int64], output: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return an output minus the greatest ones so far, and bounds of the errors."""
        f, g = self._values[vertices, output], self._values[vertices, leaders]
        e = self._bounds[vertices, output] + self._bounds[vertices, leaders]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is decided exactly
            bounds = 1.01 * (e + UNIT_ROUNDOFF * (np.abs(f) + np.abs(g))) + UNDERFLOW
            return f - g, np.where(np.isfinite(bounds), bounds, np.inf)

    def signs(
        self, vertices: NDArray[np.int64], leaders: NDArray[np.int64], output: int
    ) -> NDArray[np.int8]:
        """Return the sign of an output minus the one that leads at each vertex."""
        values, bounds = self._differences(vertices, leaders, output)
        signs = np.sign(np.nan_to_num(values)).astype(np.int8)
        is_open = np.flatnonzero(~(np.abs(values) > bounds))
        self.n_exact += len(is_open)
        # Region by region, because what is exact there is kept.
        for i in is_open[np.argsort(self._regions[vertices[is_open]], kind="stable")].tolist():
            vertex = int(vertices[i])
            plane = self._difference(int(self._regions[vertex]), output, int(leaders[i]))
            signs[i] = sign(plane @ self._exact(vertex)) if plane.any() else 0
        return signs

    def between(
        self,
        ends: NDArray[np.int64],
        leaders: NDArray[np.int64],
        output: int,
        origins: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Make the zeros of an output minus those that lead on edges, and return their numbers.

        `origins` are the cells of the complex in which the edges lie.
        """
        n, m = len(self.positions), len(ends)
        regions = np.array([self._homes[k][i] for k, i in origins.tolist()], dtype=np.int64)
        a, b = ends.T
        values_a, bounds_a = self._differences(a, leaders, output)
        values_b, bounds_b = self._differences(b, leaders, output)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            totals = np.abs(values_a) + np.abs(values_b)
            t = np.abs(values_a) / totals
            off = np.maximum(bounds_a, bounds_b) / totals + 4 * UNIT_ROUNDOFF
            is_known = np.isfinite(totals) & (off <= WELL_KNOWN)
            spans = self._values[b] - self._values[a]
            values = self._values[a] + t[:, None] * spans
            bounds = np.maximum(self._bounds[a], self._bounds[b]) + np.abs(spans) * off[:, None]
            sizes = np.abs(self._values[a]) + np.abs(self._values[b])
            bounds = 1.01 * (bounds + 4 * UNIT_ROUNDOFF * sizes) + UNDERFLOW
            bounds[~(is_known[:, None] & np.isfinite(values) & np.isfinite(bounds))] = np.inf
            positions = self.positions[a] + t[:, None] * (self.positions[b] - self.positions[a])
        self._values = np.concatenate([self._values, values])
        self._bounds = np.concatenate([self._bounds, bounds])
        self._regions = np.concatenate([self._regions, regions])
        self._ends = np.concatenate([self._ends, ends])
        pairs = np.stack([np.full(m, output), leaders], axis=1)
        self._outputs = np.concatenate([self._outputs, pairs])
        for i in np.flatnonzero(~is_known).tolist():
            positions[i] = to_float(self._exact(n + i))
        self.positions = np.concatenate([self.positions, positions])
        return np.arange(n, n + m)

    def _exact(self, vertex: int) -> Integers:
        """Return the point (X, W) that a vertex is."""
        if vertex not in self._points:
            region = int(self._regions[vertex])
            a, b = self._ends[vertex].tolist()
            if a < 0:
                point = exact_vertex(
                    self._complex, region, vertex, self._maps_on(region), self._corners
                )
            else:
                first, second = self._exact(a), self._exact(b)
                plane = self._difference(region, *self._outputs[vertex].tolist())
                point = abs(plane @ second) * first + abs(plane @ first) * second
            reduced: Integers = point // gcd(*point.tolist())
            self._points[vertex] = reduced
        return self._points[vertex]

    def _difference(self, region: int, output: int, leader: int) -> Integers:
        """Return the plane of an output minus that of another on a region."""
        planes = self._maps_on(region)[-1]
        if self._complex.network.n_outputs == 1:  # of the outputs 0 and f, f is the later one
            planes = np.concatenate([np.zeros_like(planes), planes])
        difference: Integers = planes[output] - planes[leader]
        return difference

    def _maps_on(self, region: int) -> list[Integers]:
        if region not in self._maps:
            if len(self._maps) >= _MAPS_KEPT:
                self._maps.clear()
            network = self._complex.network
            self._maps[region] = network.exact_maps(
                self._complex.patterns[region], len(network.layer_sizes) + 1
            )
        return self._maps[region]
