"""The decision boundary {f = 0} inside a decomposed domain, as a complex of its own.

f is affine on every cell, so it cuts the face lattice as one more neuron would. Give every vertex
the sign of f in {-1, 0, +1}. Then {f = 0} consists of

- the cells whose vertices all have sign 0, and
- for each k-cell c whose vertices carry both signs, its section c⁰ = c ∩ {f = 0}, a (k-1)-cell.
  The facets of c⁰ are the sections f⁰ of those facets f of c that are cut, and the (k-2)-faces of
  c that lie wholly in {f = 0}.

Facets of cells of the first kind are of the first kind again. Cells of one dimension are numbered
with the whole cells first, then the sections.

For more than two outputs, the decision boundary is where no output is greatest alone: the cells of
`relutopo.geometry.argmax.argmax_cells` at which two or more outputs are greatest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import to_float
from relutopo.arrays import as_points, freeze, read_only
from relutopo.errors import InputError, NoDecisionBoundaryError
from relutopo.geometry.argmax import ArgmaxCells, argmax_cells
from relutopo.geometry.cells import Cells, check_cells
from relutopo.geometry.decision import (
    WELL_KNOWN,
    exact_values,
    known_better,
    values_and_signs,
)
from relutopo.geometry.domain import FacetLists
from relutopo.geometry.polyhedra import PolyhedralCells, for_kernels
from relutopo.reports.shown import Shown

__all__ = ["DecisionBoundary", "closed_part", "decision_boundary", "ties_of"]

_NUMBERS_AT_ONCE = 2**20
"""Entries of the largest temporary array."""


@dataclass(frozen=True, eq=False)
class DecisionBoundary(Shown):
    """The cells of {f = 0} in a domain of dimension d, or the cells at which greatest outputs tie.

    Attributes
    ----------
    vertices : (n_0, d) ndarray of float64
        Coordinates, up to rounding.
    facets : tuple of d pairs (indptr, indices)
        Entry k - 1 lists the facets of each k-cell in CSR form. The d-cells are the regions on
        which f vanishes, or outputs tie.
    """

    vertices: NDArray[np.float64]
    facets: tuple[FacetLists, ...]

    def __repr__(self) -> str:
        return f"DecisionBoundary({' + '.join(map(str, self.n_cells))} cells)"

    def _facts(self) -> Mapping[str, object]:
        return {"cells by dimension": self.n_cells}

    @property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells of each dimension, (n_0, ..., n_d)."""
        return (len(self.vertices), *(len(indptr) - 1 for indptr, _ in self.facets))

    @property
    def segments(self) -> NDArray[np.float64]:
        """Ends of the 1-cells, (n_1, 2, d): in the plane the curve f = 0."""
        segments: NDArray[np.float64] = self.vertices[self.facets[0][1].reshape(-1, 2)]
        return segments

    def distances(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the Euclidean distance from points to the cells of dimension 0 and 1.

        For d ≤ 2 this is the distance to the decision boundary, except for points inside a region
        on which f vanishes or outputs tie; vertices of the decomposition are never inside one.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray

        Raises
        ------
        InputError
            If d > 2.
        NoDecisionBoundaryError
            If the boundary is empty.
        """
        d = self.vertices.shape[1]
        if d > 2:
            raise InputError(
                f"distances to the decision boundary are for domains of dimension 1 and 2, got "
                f"{d}; use the filtration 'abs_output', or 'margin' for several classes"
            )
        if not len(self.vertices):
            raise NoDecisionBoundaryError(
                "the network decides for the same class on the whole domain, so that no point has "
                "a distance to its decision boundary; enlarge the domain or use another filtration"
            )
        x = as_points(points, d)
        from scipy.spatial import cKDTree  # slow to load, and seldom needed

        nearest = np.asarray(cKDTree(self.vertices).query(x)[0])
        starts = self.segments[:, 0]
        spans = self.segments[:, 1] - starts
        squares = np.sum(spans**2, axis=1)
        starts, spans, squares = (a[squares > 0] for a in (starts, spans, squares))
        if len(starts):
            step = max(1, _NUMBERS_AT_ONCE // len(starts))
            for i in range(0, len(x), step):
                arms = x[i : i + step, None] - starts
                along = np.clip(np.sum(arms * spans, axis=2) / squares, 0.0, 1.0)
                feet = np.linalg.norm(arms - along[..., None] * spans, axis=2)
                nearest[i : i + step] = np.minimum(nearest[i : i + step], feet.min(axis=1))
        return nearest


def decision_boundary(complex_: Cells) -> DecisionBoundary:
    """Return where a network's decision changes in the domain of a complex, as a complex.

    For one output f this is {f = 0}; for two, f is their difference, second minus first. For more
    it is where no output is greatest alone; `relutopo.CellComplex.decision` also gives the classes
    on both sides.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    DecisionBoundary

    Examples
    --------
    The zeros of |x| + |y| - 1, a diamond:

    >>> import relutopo as rt
    >>> net = ([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0, 0, 0, 0], [-1]])
    >>> diamond = decision_boundary(rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact"))
    >>> diamond.n_cells, rt.betti_numbers(diamond)
    ((4, 4, 0), (1, 1, 0))
    """
    if check_cells(complex_).network.n_outputs > 2:
        return ties_of(argmax_cells(complex_))
    f, signs, bounds = values_and_signs(complex_)
    from relutopo.geometry.kernels import extremes_over_facets, sections  # loads numba

    lists = [*map(for_kernels, complex_.facets)]
    lowest = highest = signs
    whole, cut = [signs == 0], [np.zeros(len(signs), dtype=bool)]
    for cells in lists:
        lowest, highest = extremes_over_facets(*cells, lowest, highest)
        whole.append((highest == 0) & (lowest == 0))
        cut.append((highest > 0) & (lowest < 0))
    lists.append((read_only(np.zeros(1, dtype=np.int64)), read_only(np.empty(0, dtype=np.int32))))
    cut.append(np.empty(0, dtype=bool))  # there are no cells of larger dimension
    facets = []
    for k in range(1, complex_.dim + 1):
        n_below = np.sum(whole[k - 1])
        numbers = _ranks(whole[k - 1], 0), _ranks(cut[k], n_below)
        facets.append(
            sections(*lists[k], *lists[k - 1], cut[k + 1], numbers[1], whole[k], numbers[0])
        )
    places = _positions(complex_, f, bounds, np.flatnonzero(whole[0]), np.flatnonzero(cut[1]))
    return DecisionBoundary(places, tuple(facets))


def ties_of(cells: ArgmaxCells) -> DecisionBoundary:
    """Return the cells at which two or more outputs are greatest."""
    return DecisionBoundary(*closed_part(cells, [g.sum(axis=1) > 1 for g in cells.greatest]))


def closed_part(
    cells: PolyhedralCells, chosen: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.float64], tuple[FacetLists, ...]]:
    """Return vertices and facets of chosen cells; faces of chosen cells must be chosen too."""
    facets = []
    for k, (indptr, indices) in enumerate(cells.facets, start=1):
        number = np.cumsum(chosen[k - 1]) - 1
        sizes = np.diff(indptr)
        below = number[indices[np.repeat(chosen[k], sizes)]].astype(np.int32)
        facets.append((freeze(np.append(0, np.cumsum(sizes[chosen[k]]))), freeze(below)))
    return freeze(cells.vertices[chosen[0]]), tuple(facets)


def _ranks(chosen: NDArray[np.bool_], first: int) -> NDArray[np.int64]:
    """Return numbers of the chosen cells, from `first` on; -1 for the others."""
    return np.where(chosen, np.cumsum(chosen) + (first - 1), -1)


def _positions(
    complex_: Cells,
    f: NDArray[np.float64],
    bounds: NDArray[np.float64],
    vertices: NDArray[np.int64],
    edges: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the coordinates of vertices, then the zeros of f on edges."""
    ends = complex_.facets[0][1].reshape(-1, 2)[edges]
    share, is_known = _shares(f, bounds, ends)
    if not is_known.all():
        known_better(complex_, f, bounds, np.unique(ends[~is_known]))
        share, is_known = _shares(f, bounds, ends)
    a, b = complex_.vertices[ends[:, 0]], complex_.vertices[ends[:, 1]]
    zeros = a + np.where(is_known, share, 0.5)[:, None] * (b - a)
    if not is_known.all():
        exact = exact_values(complex_, ends[~is_known].ravel())
        zeros[~is_known] = [
            to_float(abs(at_second) * first + abs(at_first) * second)
            for (first, at_first), (second, at_second) in zip(exact[::2], exact[1::2], strict=True)
        ]
    return np.concatenate([complex_.vertices[vertices], zeros])


def _shares(
    f: NDArray[np.float64], bounds: NDArray[np.float64], ends: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return how far along edges f vanishes, and whether floats know it."""
    sizes = np.abs(f)[ends]
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        totals = sizes.sum(axis=1)
        is_known = np.isfinite(totals) & (bounds[ends].max(axis=1) <= WELL_KNOWN * totals)
        return sizes[:, 0] / totals, is_known
