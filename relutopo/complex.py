"""The cell complex of a network on a domain: the public interface to its cells."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_numbers
from relutopo.geometry.canonical import canonical
from relutopo.geometry.cells import Cells
from relutopo.geometry.invariants import check
from relutopo.geometry.location import locate
from relutopo.geometry.one_region import Region, region_of
from relutopo.geometry.storage import load_cells
from relutopo.geometry.tables import neurons_table, regions_table
from relutopo.homology.boundary import boundary_matrix
from relutopo.homology.decision import Decision, decision
from relutopo.homology.filtration import Filtration
from relutopo.interfaces import BoundaryMatrix
from relutopo.spectral.dual_graph import DualGraph, dual_graph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellComplex", "load_complex"]


@dataclass(frozen=True, eq=False, repr=False)
class CellComplex(Cells):
    """The polyhedral complex into which a network cuts a domain.

    Its arrays, incidences and measures are those of `Cells`.
    """

    @classmethod
    def of(cls, cells: Cells) -> CellComplex:
        """Return the complex that consists of some cells; it shares their arrays.

        Parameters
        ----------
        cells : Cells
        """
        if isinstance(cells, CellComplex):
            return cells
        return cls(**{entry.name: getattr(cells, entry.name) for entry in fields(cells)})

    def locate(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the region of each point, by its activation pattern.

        Parameters
        ----------
        points : (n, d) or (d,) array_like
            Several points, or one.

        Returns
        -------
        (n,) ndarray of int64, or an integer for one point
            Region index; `OUTSIDE` (-1) outside the domain, `ON_BOUNDARY` (-2) for a point on a
            facet between regions, which belongs to several. A point on a side of the domain
            belongs to the region there. Signs that rounding leaves open are decided exactly.

        Examples
        --------
        >>> import relutopo as rt
        >>> step = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
        >>> halves = rt.decompose(step, rt.Box(-1, 1, dim=2), enumerator="exact")
        >>> halves.patterns[halves.locate([0.5, 0.2])].tolist()
        [True]
        >>> halves.locate([[0.0, 0.5], [2.0, 0.0]]).tolist()
        [-2, -1]
        """
        x = as_numbers(points, "points")
        if x.shape == (self.dim,):
            one: Any = locate(self, x[None])[0]
            return one  # type: ignore[no-any-return]
        return locate(self, x)

    def region(self, region: int) -> Region:
        """Return a region with all its data.

        Parameters
        ----------
        region : int
            0..n_regions-1, for example from `locate`.

        Returns
        -------
        Region
            Its pattern by layer, its corners, volume, inradius, affine map, neighbours and facets.

        Raises
        ------
        InputError
            If there is no such region.

        Examples
        --------
        >>> import relutopo as rt
        >>> step = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
        >>> halves = rt.decompose(step, rt.Box(-1, 1, dim=2), enumerator="exact")
        >>> halves.region(halves.locate([0.5, 0.2]))
        Region(1, pattern 1, 4 vertices, volume 2, neighbours 0)
        """
        return region_of(self, region)

    def regions_table(self, points: ArrayLike | None = None) -> pd.DataFrame:
        """Return a table with a row for each region.

        ``relutopo.columns("regions_table")`` explains the columns.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points to count in each region, in the column ``n_points``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> import relutopo as rt
        >>> step = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
        >>> halves = rt.decompose(step, rt.Box(-1, 1, dim=2), enumerator="exact")
        >>> table = halves.regions_table([[0.5, 0.2]])
        >>> print(table[["pattern", "volume", "n_neighbours", "slope_0_0", "n_points"]])
          pattern  volume  n_neighbours  slope_0_0  n_points
        0       0     2.0             1        0.0         0
        1       1     2.0             1        1.0         1
        """
        return regions_table(self, points)

    def neurons_table(self, points: ArrayLike | None = None) -> pd.DataFrame:
        """Return a table with a row for each hidden neuron, named by its layer and unit.

        ``relutopo.columns("neurons_table")`` explains the columns.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points at which to count, in addition, whether a neuron is on.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingExtraError
            If pandas is not installed.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0, 1.0]]], [[0, 0, 9], [0]])
        >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
        >>> table = complex_.neurons_table()
        >>> print(table[["layer", "unit", "is_always_on", "facet_measure", "same_as"]])
           layer  unit  is_always_on  facet_measure same_as
        0      0     0         False            2.0  (0, 1)
        1      0     1         False            2.0  (0, 0)
        2      0     2          True            0.0
        """
        return neurons_table(self, points)

    def check(self) -> None:
        """Check every invariant of a complex; raise `InvariantError` on the first broken one."""
        check(self)

    def canonical(self) -> CellComplex:
        """Return the same complex with cells in canonical order.

        Regions are ordered by activation pattern; other cells by the regions and sides of the
        domain that contain them, which determine them. If two enumerators find the same cells,
        their canonical complexes have equal arrays.
        """
        return canonical(self)

    def dual_graph(self, adjacency: Literal["facet", "hamming"] = "facet") -> DualGraph:
        """Return the graph of regions.

        Parameters
        ----------
        adjacency : {"facet", "hamming"}
            Join regions that share a facet, or whose patterns differ in one neuron.
        """
        return dual_graph(self, adjacency)

    def decision(self) -> Decision:
        """Return the network's decision between its classes, for any number of classes.

        Cells and incidences are exact, ties included; see `relutopo.Decision`.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0, 0.0]])
        >>> rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact").decision()
        Decision(3 classes, 7 + 9 + 3 cells, 1 of 1 regions crossed)
        """
        return decision(self)

    def boundary_matrix(self, filtration: Filtration) -> BoundaryMatrix:
        """Return the boundary matrix over Z/2 in the order of a filtration.

        Parameters
        ----------
        filtration : Filtration
            Of this complex; see `relutopo.filtration`.
        """
        return boundary_matrix(self, filtration)


def load_complex(path: str | os.PathLike[str]) -> CellComplex:
    """Read a complex that `save_complex` wrote, executing nothing in it.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file is missing, damaged, of another format or not a complex.

    Examples
    --------
    >>> import tempfile
    >>> import relutopo as rt
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> path = tempfile.mkdtemp() + "/complex.npz"
    >>> rt.save_complex(path, rt.decompose(lines, rt.Box(-1, 1, dim=2), enumerator="exact"))
    >>> load_complex(path)
    CellComplex(dim=2, 9 + 12 + 4 cells, exact)
    """
    return CellComplex.of(load_cells(path))
