"""The decision of a network with any number of outputs: which is greatest, and where they meet.

Everything is read from the coarsest refinement of a complex on each of whose cells a fixed set of
outputs is greatest (`relutopo.geometry.argmax`); its cells and incidences are exact.

Where outputs tie on a whole region, its class is the first of them, as with `numpy.argmax`; the
closed region of a class contains every point at which its output is greatest, alone or tied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import Frozen, freeze, frozen
from relutopo.checks import check_integer
from relutopo.errors import InputError
from relutopo.geometry.argmax import ArgmaxCells, argmax_cells
from relutopo.geometry.cells import Cells
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.homology.decision_boundary import DecisionBoundary, closed_part, ties_of
from relutopo.homology.persistence import betti_numbers
from relutopo.interfaces import Reducer
from relutopo.reports.shown import Shown

__all__ = ["Decision", "decision"]


@dataclass(frozen=True, eq=False)
class Decision(Frozen, Shown):
    """Where a network decides for which class: the one whose output is greatest.

    A network with one output f decides between class 0, where f < 0, and class 1, where f > 0.

    Attributes
    ----------
    refined : ArgmaxCells
        The cells of the complex, cut where the set of greatest outputs changes and nowhere else;
        its regions are the *cells of the decision*. It can be filtered and measured.
    classes : (n_d,) ndarray of int64
        The class of each region of `refined`, the first one where outputs tie.
    is_tied : (n_d,) ndarray of bool
        Whether two or more outputs are greatest on the whole region of `refined`.
    region_of : (n_d,) ndarray of int64
        The region of the complex that contains each region of `refined`.
    crossed : (n_regions,) ndarray of bool
        Which regions of the complex the decision boundary crosses: outputs of different classes are
        greatest on open parts of them.
    """

    refined: ArgmaxCells
    classes: NDArray[np.int64]
    is_tied: NDArray[np.bool_]
    region_of: NDArray[np.int64]
    crossed: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for name in ("classes", "is_tied", "region_of", "crossed"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        cells = " + ".join(map(str, self.refined.n_cells))
        tied = f", {int(self.is_tied.sum())} tied" if self.is_tied.any() else ""
        return (
            f"Decision({self.n_classes} classes, {cells} cells{tied}, "
            f"{int(self.crossed.sum())} of {len(self.crossed)} regions crossed)"
        )

    def _facts(self) -> Mapping[str, object]:
        meetings = {0: "triple points"}.get(self.dim - 2, "cells where three classes meet")
        return {
            "classes": self.n_classes,
            "regions of the complex": len(self.crossed),
            "regions crossed": int(self.crossed.sum()),
            "cells by dimension": self.refined.n_cells,
            "volumes of the classes": self.volumes.tolist(),
            "volume of ties": sum(self.ties.values()),
            meetings: len(self.meetings),
            "signs decided exactly": self.refined.n_exact,
        }

    @property
    def n_classes(self) -> int:
        """Number of outputs; 2 for a single one."""
        return int(self.refined.greatest[0].shape[1])

    @property
    def dim(self) -> int:
        """Dimension d of the domain."""
        return self.refined.dim

    @cached_property
    def volumes(self) -> NDArray[np.float64]:
        """d-dimensional volume of each class, (n_classes,); in the plane its area."""
        sizes = self.refined.volumes
        totals = np.bincount(self.classes, weights=sizes, minlength=self.n_classes)
        return freeze(totals.astype(np.float64))

    @cached_property
    def ties(self) -> Mapping[tuple[int, ...], float]:
        """The volume on which several outputs are greatest, by the tuple of these outputs."""
        found: dict[tuple[int, ...], float] = {}
        for region in np.flatnonzero(self.is_tied).tolist():
            outputs = tuple(np.flatnonzero(self.refined.greatest[-1][region]).tolist())
            found[outputs] = found.get(outputs, 0.0) + float(self.refined.volumes[region])
        return dict(sorted(found.items()))

    @cached_property
    def wall_classes(self) -> NDArray[np.int64]:
        """The classes on both sides of each (d-1)-cell, (n_{d-1}, 2), ascending.

        Both are -1 where the decision does not change: within a class, and on sides of the domain.
        """
        beside = self.refined.facet_regions
        both = np.sort(self.classes[beside], axis=1)
        both[(beside[:, 1] < 0) | (both[:, 0] == both[:, 1])] = -1
        return freeze(both)

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """The pairs of classes that have a wall between them, (n_pairs, 2), ascending."""
        return freeze(np.unique(self.wall_classes[self.wall_classes[:, 0] >= 0], axis=0))

    @cached_property
    def measures(self) -> NDArray[np.float64]:
        """(d-1)-dimensional measure of the walls between each two classes, (n_classes, n_classes).

        In the plane this is their length. The matrix is symmetric.
        """
        is_wall = self.wall_classes[:, 0] >= 0
        first, second = self.wall_classes[is_wall].T
        sizes = self.refined.facet_measures[is_wall]
        matrix = np.zeros((self.n_classes, self.n_classes))
        np.add.at(matrix, (first, second), sizes)
        return freeze(matrix + matrix.T)

    def walls(self, first: int, second: int) -> NDArray[np.int64]:
        """Return the (d-1)-cells of `refined` between two classes.

        Parameters
        ----------
        first, second : int
            Different classes, 0..n_classes-1, in any order.
        """
        low, high = sorted((self._class("first", first), self._class("second", second)))
        if low == high:
            raise InputError(
                f"`first` and `second` must be different classes, got {low} twice; look at pairs"
            )
        return np.flatnonzero((self.wall_classes == [low, high]).all(axis=1))

    def segments(self, first: int, second: int) -> NDArray[np.float64]:
        """Return the ends of the segments between two classes in the plane, (n, 2, 2).

        Parameters
        ----------
        first, second : int
            Different classes, 0..n_classes-1, in any order.

        Raises
        ------
        InputError
            If d is not 2; `walls` gives the cells in any dimension.
        """
        if self.dim != 2:
            raise InputError(
                f"`segments` are for domains of dimension 2, got {self.dim}; use `walls`"
            )
        ends = self.refined.facets[0][1].reshape(-1, 2)[self.walls(first, second)]
        segments: NDArray[np.float64] = self.refined.vertices[ends]
        return segments

    @cached_property
    def meetings(self) -> NDArray[np.int64]:
        """The (d-2)-cells of `refined` at which three or more classes meet: triple points."""
        if self.dim < 2:
            return freeze(np.empty(0, dtype=np.int64))
        n = len(self.classes)
        is_in = sparse.csc_array(
            (np.ones(n, dtype=np.int64), (np.arange(n), self.classes)), shape=(n, self.n_classes)
        )
        d = self.dim
        walls, regions = (self.refined.boundary(k).astype(np.int64) for k in (d - 1, d))
        around = sparse.csr_array(walls @ regions @ is_in)
        around.eliminate_zeros()
        return freeze(np.flatnonzero(np.diff(around.indptr) >= 3))

    @cached_property
    def triple_points(self) -> NDArray[np.float64]:
        """Points of the plane at which three or more classes meet, (n, 2).

        Raises
        ------
        InputError
            If d is not 2; `meetings` gives the cells in any dimension.
        """
        if self.dim != 2:
            raise InputError(
                f"`triple_points` are for domains of dimension 2, got {self.dim}; use `meetings`"
            )
        return freeze(self.refined.vertices[self.meetings])

    def region(self, class_: int) -> PolyhedralCells:
        """Return the closed region of a class, where its output is greatest, as a complex.

        Points at which other outputs are equally great belong to it.

        Parameters
        ----------
        class_ : int
            0..n_classes-1.
        """
        class_ = self._class("class_", class_)
        return PolyhedralCells(
            *closed_part(self.refined, [g[:, class_] for g in self.refined.greatest])
        )

    @cached_property
    def boundary(self) -> DecisionBoundary:
        """Where no output is greatest alone, as a complex; for two classes `decision_boundary`."""
        return ties_of(self.refined)

    def betti_numbers(self, *, reducer: str | Reducer = "z2") -> tuple[tuple[int, ...], ...]:
        """Return the Betti numbers over Z/2 of the closed region of each class.

        For the decision boundary take ``rt.betti_numbers(decision.boundary)``.

        Parameters
        ----------
        reducer : str or Reducer
            Registry name or instance.
        """
        return tuple(
            betti_numbers(self.region(class_), reducer=reducer) for class_ in range(self.n_classes)
        )

    def _class(self, name: str, value: int) -> int:
        return check_integer(name, value, 0, self.n_classes - 1, remedy="look at n_classes")


def decision(complex_: Cells) -> Decision:
    """Return which class a network decides for in each part of its complex.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    Decision

    Raises
    ------
    LimitReachedError
        If there is not enough memory.

    Examples
    --------
    The outputs x, y and -x - y meet at the origin:

    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0, 0.0]])
    >>> found = decision(rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact"))
    >>> found
    Decision(3 classes, 7 + 9 + 3 cells, 1 of 1 regions crossed)
    >>> found.volumes.tolist(), found.triple_points.tolist()
    ([1.25, 1.25, 1.5], [[0.0, 0.0]])
    >>> found.betti_numbers()
    ((1, 0, 0), (1, 0, 0), (1, 0, 0))
    """
    refined = argmax_cells(complex_)
    greatest = refined.greatest[-1]
    region_of = refined.origins[-1][:, 1]
    crossed = np.bincount(region_of, minlength=complex_.n_regions) > 1
    return Decision(
        refined=refined,
        classes=freeze(greatest.argmax(axis=1)),
        is_tied=freeze(greatest.sum(axis=1) > 1),
        region_of=freeze(region_of),
        crossed=freeze(crossed),
    )
