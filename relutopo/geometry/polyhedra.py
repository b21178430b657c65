"""Convex cells that meet along common faces: incidences, triangulations, measures.

Nothing here knows of networks. Cells of dimension k are numbered 0..n_k-1; *regions* are the cells
of the dimension d of the space.

Invariant: a (d-1)-cell belongs to no more than two regions; a cell of dimension k ≥ 1 is the convex
hull of its vertices, and its facets are (k-1)-cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import Frozen, freeze, frozen, read_only
from relutopo.checks import check_integer
from relutopo.geometry.domain import FacetLists
from relutopo.reports.shown import Shown
from relutopo.system.memory import Room

__all__ = ["PolyhedralCells", "for_kernels", "joined_facets"]


@dataclass(frozen=True, eq=False)
class PolyhedralCells(Frozen, Shown):
    """Convex cells of all dimensions up to that of their space.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    vertices : (n_0, d) ndarray of float64
        Coordinates, as floats.
    facets : tuple of d pairs (indptr, indices)
        Entry k - 1 lists the facets of each k-cell in CSR form.

    Examples
    --------
    A triangle:

    >>> edges = (np.array([0, 2, 4, 6]), np.array([0, 1, 1, 2, 2, 0], dtype=np.int32))
    >>> inside = (np.array([0, 3]), np.array([0, 1, 2], dtype=np.int32))
    >>> cells = PolyhedralCells(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), (edges, inside))
    >>> cells.volumes.tolist(), cells.n_cells
    ([1.0], (3, 3, 1))
    """

    vertices: NDArray[np.float64]
    facets: tuple[FacetLists, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", frozen(self.vertices))
        facets = tuple((frozen(indptr), frozen(indices)) for indptr, indices in self.facets)
        object.__setattr__(self, "facets", facets)

    def __repr__(self) -> str:
        cells = " + ".join(map(str, self.n_cells))
        return f"{type(self).__name__}(dim={self.dim}, {cells} cells)"

    def _facts(self) -> Mapping[str, object]:
        return {"dimension": self.dim, "cells by dimension": self.n_cells}

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return int(self.vertices.shape[1])

    @cached_property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells of each dimension, (n_0, ..., n_d)."""
        return (len(self.vertices), *(len(indptr) - 1 for indptr, _ in self.facets))

    @property
    def n_regions(self) -> int:
        """Number of regions, n_d."""
        return self.n_cells[-1]

    @cached_property
    def facet_regions(self) -> NDArray[np.int32]:
        """Regions beside each (d-1)-cell, (n_{d-1}, 2), ascending; -1 after a lone one."""
        indptr, facet = self.facets[-1]
        owner = np.repeat(np.arange(self.n_regions, dtype=np.int32), np.diff(indptr))
        regions = np.full((self.n_cells[-2], 2), -1, dtype=np.int32)
        # NumPy keeps the last of several assignments to one index.
        regions[facet[::-1], 0] = owner[::-1]
        regions[facet, 1] = owner
        regions[regions[:, 0] == regions[:, 1], 1] = -1
        return freeze(regions)

    def boundary(self, k: int) -> sparse.csc_array:
        """Return the boundary matrix ∂_k over Z/2.

        Parameters
        ----------
        k : int
            Dimension of the cells whose boundary is taken, 1..d.

        Returns
        -------
        scipy.sparse.csc_array, shape (n_{k-1}, n_k)
            Entry 1 where a (k-1)-cell is a facet of a k-cell. The rows in a column are not sorted.
        """
        check_integer("k", k, 1, self.dim, remedy="vertices have no boundary")
        indptr, indices = self.facets[k - 1]
        ones = np.ones(len(indices), dtype=np.int8)
        # Copies: people sort the rows of their matrix in place.
        return sparse.csc_array(
            (ones, indices.copy(), indptr.copy()), shape=(self.n_cells[k - 1], self.n_cells[k])
        )

    def cell_vertices(self, k: int) -> sparse.csr_array:
        """Return which vertices each k-cell has.

        Parameters
        ----------
        k : int
            Dimension of the cells, 0..d.

        Returns
        -------
        scipy.sparse.csr_array of bool, shape (n_k, n_0)
            Entry True where a vertex belongs to a k-cell; column indices sorted.
        """
        check_integer("k", k, 0, self.dim, remedy="cells are no larger")
        indptr, indices = self._corners[k]
        # Copies: people sort the rows of their matrix in place.
        return sparse.csr_array(
            (np.ones(len(indices), dtype=bool), indices.copy(), indptr.copy()),
            shape=(self.n_cells[k], self.n_cells[0]),
        )

    @cached_property
    def facets_by_index(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The facets of all cells, in CSR form, where cells are numbered through all dimensions."""
        return joined_facets(self.n_cells, self.facets)

    @cached_property
    def _corners(self) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """For each k the vertices of the k-cells, ascending in a cell: (indptr, vertices)."""
        from relutopo.geometry.kernels import corners  # loads numba

        n = self.n_cells[0]
        levels = [(np.arange(n + 1, dtype=np.int32), np.arange(n, dtype=np.int32))]
        for lists in self.facets:
            levels.append(corners(*for_kernels(lists), *levels[-1], n))
        return levels

    @cached_property
    def interior_points(self) -> NDArray[np.float64]:
        """Mean of each region's vertices, (n_d, d); a point of its interior up to rounding."""
        return freeze(self._vertex_means(self.dim))

    def interior_points_of(self, regions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return `interior_points` of some regions; in the plane without those of the others."""
        if self.dim != 2:
            return self.interior_points[regions]
        from relutopo.geometry.kernels import means_of_corners  # loads numba

        edges, polygons = map(for_kernels, self.facets)
        means: NDArray[np.float64]
        means = means_of_corners(read_only(self.vertices), edges[1], *polygons, regions)
        return means

    def _vertex_means(self, k: int) -> NDArray[np.float64]:
        from relutopo.geometry.kernels import means_of_rows  # loads numba

        means: NDArray[np.float64] = means_of_rows(read_only(self.vertices), *self._corners[k])
        return means

    @cached_property
    def _simplices(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Pulling triangulation: for each k, (owner cell, k + 1 vertices) of every simplex.

        A cell is the union of the cones from its first vertex over the facets that do not
        contain it.
        """
        every = np.arange(self.n_cells[0])
        levels = [(every, every[:, None])]
        for k in range(1, self.dim + 1):
            first_below, first = (
                corners[starts[:-1]] for starts, corners in self._corners[k - 1 : k + 1]
            )
            indptr, facet = self.facets[k - 1]
            cell = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
            # The first vertex of a cell is in a facet only as the facet's first.
            is_opposite = first_below[facet] != first[cell]
            cell, facet = cell[is_opposite], facet[is_opposite]
            # Every simplex of every facet left gives one simplex of the cell.
            owner_below, below = levels[-1]
            order = np.argsort(owner_below, kind="stable")
            starts = np.searchsorted(owner_below[order], np.arange(self.n_cells[k - 1] + 1))
            n_simplices = int(np.diff(starts)[facet].sum())
            # Of each its vertices, those below and both together; which cell and which facet.
            self._check_room(8 * n_simplices * (3 * (k + 1) + 4))
            owner, simplex = _joined(cell, facet, starts, order)
            levels.append((owner, np.concatenate([first[owner, None], below[simplex]], axis=1)))
        return levels

    @staticmethod
    def _check_room(n_bytes: int) -> None:
        remedy = "decompose an AffineSlice: a cube of d dimensions is cut into d! simplices"
        Room().check(n_bytes, "a triangulation of the cells, for their volumes,", remedy)

    def triangulation(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Cut the k-cells into simplices, without new vertices.

        Parameters
        ----------
        k : int
            Dimension of the cells, 0..d.

        Returns
        -------
        owner : (n_simplices,) ndarray of int64
            The cell of each simplex.
        corners : (n_simplices, k + 1) ndarray of int64
            Its vertices.

        Raises
        ------
        LimitReachedError
            If the simplices take more memory than there is.
        """
        check_integer("k", k, 0, self.dim, remedy="cells are no larger")
        owner, corners = self._simplices[k]
        return owner.copy(), corners.copy()

    def _measure(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the measures of the k-cells, and their centres of mass."""
        totals, moments = self._polygons() if k == self.dim == 2 else self._sums_of_simplices(k)
        solid = totals > 0
        if solid.all():
            return totals, moments / totals[:, None]
        centroids = self._vertex_means(k)
        centroids[solid] = moments[solid] / totals[solid, None]
        return totals, centroids

    def _polygons(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the areas of regions in the plane, and their moments."""
        from relutopo.geometry.kernels import polygons  # loads numba

        edges, regions = map(for_kernels, self.facets)
        found: tuple[Any, Any] = polygons(read_only(self.vertices), edges[1], *regions)
        return found

    def _sums_of_simplices(self, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the measures of the k-cells, and their moments, over a triangulation."""
        owner, corners = self._simplices[k]
        self._check_room(3 * 8 * corners.size * self.dim)  # coordinates, differences, products
        points = self.vertices[corners]
        spans = points[:, 1:] - points[:, :1]
        with np.errstate(divide="ignore"):  # of a determinant too small for a float
            if k == self.dim:
                sizes = np.abs(np.linalg.det(spans))
            else:
                sizes = np.sqrt(np.maximum(np.linalg.det(spans @ spans.swapaxes(1, 2)), 0.0))
        sizes /= factorial(k)
        totals = self._sum_over_cells(k, owner, sizes)
        moments = np.stack(
            [self._sum_over_cells(k, owner, sizes * x) for x in points.mean(axis=1).T], axis=1
        )
        return totals, moments

    def _sum_over_cells(
        self, k: int, owner: NDArray[np.int64], values: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return np.bincount(owner, weights=values, minlength=self.n_cells[k]).astype(np.float64)

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """d-dimensional volume of each region, (n_d,); its length for d = 1, area for d = 2."""
        return freeze(self._measure(self.dim)[0])

    @cached_property
    def centroids(self) -> NDArray[np.float64]:
        """Centre of mass of each region, (n_d, d)."""
        return freeze(self._measure(self.dim)[1])

    @cached_property
    def facet_measures(self) -> NDArray[np.float64]:
        """(d-1)-dimensional measure of each (d-1)-cell, (n_{d-1},): an edge's length for d = 2."""
        return freeze(self._measure(self.dim - 1)[0])

    def region_vertices(self, region: int) -> NDArray[np.int64]:
        """Return the vertices of one region; in the plane counterclockwise.

        Parameters
        ----------
        region : int
            0..n_regions-1.
        """
        check_integer("region", region, 0, self.n_regions - 1, remedy="look at n_regions")
        indptr, indices = self._corners[self.dim]
        corners = indices[indptr[region] : indptr[region + 1]]
        if self.dim == 2:
            arms = self.vertices[corners] - self.interior_points[region]
            corners = corners[np.argsort(np.arctan2(arms[:, 1], arms[:, 0]))]
        return corners.astype(np.int64)


def for_kernels(lists: FacetLists) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return lists of facets as kernels take them: read-only, and of these types."""
    indptr, facets = lists
    return (
        read_only(indptr.astype(np.int64, copy=False)),
        read_only(facets.astype(np.int32, copy=False)),
    )


def joined_facets(
    n_cells: Sequence[int], facets: Sequence[FacetLists]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the facets of all cells, in CSR form, where cells are numbered by rising dimension.

    Parameters
    ----------
    n_cells : sequence of int
    facets : sequence of pairs (indptr, indices)
        Both as those of `PolyhedralCells`.
    """
    ends, faces = [np.zeros(n_cells[0] + 1, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    n_entries, first = 0, 0
    for n_faces, (indptr, indices) in zip(n_cells, facets, strict=False):
        ends.append(indptr[1:] + n_entries)
        faces.append(indices.astype(np.int64) + first)
        n_entries += len(indices)
        first += n_faces
    return freeze(np.concatenate(ends)), freeze(np.concatenate(faces))


def _joined(
    cells: NDArray[np.integer], parts: NDArray[np.integer], ptr: NDArray[np.integer], items: Any
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the items of each cell's parts, those of part p being ``items[ptr[p]:ptr[p + 1]]``.

    A cell that has several parts is listed for each of them in `cells`; the first array has the
    cell of each item.
    """
    counts = np.diff(ptr)[parts]
    rank = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(cells, counts), items[np.repeat(ptr[:-1][parts], counts) + rank]
