"""Cycles over Z/2 that represent classes of homology, as records: cells, coordinates, measures.

`relutopo.homology.representatives` says how they are found, and
`relutopo.homology.short_loops` how where there is no filtration.

Invariants: cells ascend in each cycle, and their boundary is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import Frozen, freeze, frozen
from relutopo.errors import InputError
from relutopo.geometry.cells import CellLists
from relutopo.geometry.domain import FacetLists
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.optional import require
from relutopo.reports.columns import Column
from relutopo.reports.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS_OF_CYCLES",
    "Cycle",
    "Cycles",
    "Lists",
    "coordinates",
    "edge_lengths",
    "lives_of",
    "rows_of",
    "solid",
    "taken",
]

COLUMNS_OF_CYCLES = (
    Column("birth", "value", "filtration value at which the class is born"),
    Column("death", "value", "value at which it dies; infinite if it never ends"),
    Column("life", "value", "death minus birth"),
    Column("created_by", "cell", "the cell that creates it, by its number in the filtration"),
    Column("ended_by", "cell", "the cell that ends it, by its number; -1 if none does"),
    Column("n_cells", "cells", "cells of the cycle"),
    Column(
        "measure",
        "k-volume",
        "points, length or area of the cycle, by its degree k; where vertices have coordinates",
    ),
)
"""What `Cycles.table` has."""

_Ints = NDArray[np.int64]
_Numbers = NDArray[np.int32]
Lists = tuple[_Ints, Any]
"""Cells of several cycles in CSR form: indptr and indices."""


@dataclass(frozen=True, eq=False, repr=False)
class Cycle(Frozen, Shown):
    """A cycle over Z/2 that represents a class of homology.

    Its cells have entered when the class is born, its boundary is zero, and it becomes a boundary
    exactly when the class dies. It is one of many such cycles; `method` says which:

    ============================  ==================================================================
    union-find                    H_0: the first vertex of the component, and the first vertex of
                                  the older component that it is joined to
    dual union-find               H_{D-1} of a complex of dimension D: the border of the union of
                                  the D-cells that fill the hole; where these surround parts filled
                                  before, the border of those parts is included. H_D: a whole
                                  component
    shortest path                 H_1, never ends: a shortest one of all cycles that first exist
                                  when the class is born, by length where the vertices have
                                  coordinates, otherwise by the number of edges
    short loops                   H_1, in `homology_basis`: closed by shortest paths from some
                                  vertices; they need not be the shortest
    columns                       a column of the reduced boundary matrix; it may be long
    ============================  ==================================================================

    Attributes
    ----------
    dim : int
        Degree of the homology group, and dimension of the cells.
    cells : (n,) ndarray of int32
        Numbers of the cells among those of dimension `dim` of the complex, ascending.
    birth, death : float
        Filtration values; the death of a class that never ends is infinite.
    pair : (int, int)
        The numbers, in the order of the filtration, of the cell that creates the class and of the
        one that ends it, -1 if none does.
    method : str
        How it was found: one of the names above.
    complex_ : CellLists
        The complex.

    Examples
    --------
    The outline of a square whose inside enters last:

    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0]], [[1.0]]], [[9.0], [0.0]])
    >>> square = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> entry = rt.Filtration.from_values(square, [[0.0] * 4, [1.0] * 4, [3.0]])
    >>> (cycle,) = rt.persistence(square, entry).representatives(1)
    >>> cycle
    Cycle(H_1 from 1 to 3, 4 cells, dual union-find)
    >>> cycle.measure, [len(loop) for loop in cycle.loops]
    (8.0, [5])
    """

    dim: int
    cells: _Numbers
    birth: float
    death: float
    pair: tuple[int, int]
    method: str
    complex_: CellLists

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", frozen(self.cells))

    def __repr__(self) -> str:
        end = "on" if self.is_essential else f"to {self.death:.6g}"
        return (
            f"Cycle(H_{self.dim} from {self.birth:.6g} {end}, {len(self.cells)} cells, "
            f"{self.method})"
        )

    def _facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = {
            "degree": self.dim,
            "birth": self.birth,
            "death": "never" if self.is_essential else self.death,
            "cells": len(self.cells),
        }
        if hasattr(self.complex_, "vertices") and self.dim in (1, 2):
            facts[("length", "area")[self.dim - 1]] = self.measure
        return {**facts, "found by": self.method}

    @property
    def is_essential(self) -> bool:
        """Whether the class never ends."""
        return self.pair[1] < 0

    @cached_property
    def vertex_numbers(self) -> _Ints:
        """Numbers of the vertices of its cells, ascending."""
        found: NDArray[Any] = self.cells
        for k in range(self.dim, 0, -1):
            found = np.unique(rows_of(self.complex_.facets[k - 1], found)[1])
        return freeze(found.astype(np.int64))

    @property
    def vertices(self) -> NDArray[np.float64]:
        """Coordinates of the vertices of its cells, (n, d)."""
        found: NDArray[np.float64] = coordinates(self.complex_)[self.vertex_numbers]
        return found

    @property
    def segments(self) -> NDArray[np.float64]:
        """Ends of its edges, (n, 2, d); for cycles of dimension 1."""
        found: NDArray[np.float64] = coordinates(self.complex_)[self._ends()]
        return found

    @property
    def loops(self) -> list[NDArray[np.float64]]:
        """Closed polylines without double points that together make up a cycle of dimension 1.

        Each is an (m + 1, d) array whose last point equals its first. Where several touch in a
        vertex, the cycle could be divided in other ways too.
        """
        every = coordinates(self.complex_)
        return [every[loop] for loop in _closed_walks(self._ends())]

    @property
    def simplices(self) -> NDArray[np.float64]:
        """Corners of simplices into which its cells are cut, (n, dim + 1, d)."""
        if self.dim < 2:
            return self.segments if self.dim else self.vertices[:, None]
        owner, corners = solid(self.complex_).triangulation(self.dim)
        is_mine = np.zeros(self.complex_.n_cells[self.dim], dtype=bool)
        is_mine[self.cells] = True
        found: NDArray[np.float64] = coordinates(self.complex_)[corners[is_mine[owner]]]
        return found

    @property
    def measure(self) -> float:
        """Its measure: number of points, length, area, by its dimension."""
        return float(_sizes(self.simplices).sum())

    def _ends(self) -> _Ints:
        if self.dim != 1:
            raise InputError(
                f"a cycle of edges has dimension 1, got {self.dim}; use vertices or simplices"
            )
        sizes, ends = rows_of(self.complex_.facets[0], self.cells)
        if (sizes != 2).any():
            raise InputError("an edge must have two ends to be drawn, got one without; use cells")
        return ends.reshape(-1, 2)


@dataclass(frozen=True, eq=False, repr=False)
class Cycles(Frozen, Shown, Sequence[Cycle]):
    """Cycles that represent classes of homology of one degree: a sequence of `Cycle`.

    Classes that end come first, by birth, then those that never end. `Cycle` says what is
    guaranteed of each, and which of many cycles was chosen.

    Attributes
    ----------
    dim : int
        Degree of the homology group, and dimension of the cells.
    indptr : (n + 1,) ndarray of int64
        Cycle i has the cells ``cells[indptr[i]:indptr[i + 1]]``.
    cells : ndarray of int32
        Numbers of cells of dimension `dim` of the complex, ascending in each cycle.
    pairs : (n, 2) ndarray of int64
        Numbers, in the order of the filtration, of the cell that creates a class and of the one
        that ends it, -1 if none does.
    methods : (str, str)
        How the cycles of classes that end were found, and those of classes that never end.
    values : ndarray of float64
        Filtration values of all cells, in the order of the filtration.
    complex_ : CellLists
        The complex.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "dimension_major", seed=0))
    >>> cycles = diagram.representatives(1)
    >>> cycles, [len(cycle.cells) for cycle in cycles]
    (Cycles(H_1, 4 cycles, 16 cells), [4, 4, 4, 4])
    """

    dim: int
    indptr: _Ints
    cells: _Numbers
    pairs: _Ints
    methods: tuple[str, str]
    values: NDArray[np.float64]
    complex_: CellLists

    def __post_init__(self) -> None:
        for name in ("indptr", "cells", "pairs", "values"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        return f"Cycles(H_{self.dim}, {len(self)} cycles, {len(self.cells)} cells)"

    def _facts(self) -> Mapping[str, object]:
        n_essential = int((self.pairs[:, 1] < 0).sum())
        counts = (len(self) - n_essential, n_essential)
        found = [how for how, n in zip(self.methods, counts, strict=True) if n]
        return {
            "degree": self.dim,
            "cycles": len(self),
            "of classes that never end": n_essential,
            "cells": len(self.cells),
            "found by": list(dict.fromkeys(found)),
        }

    @cached_property
    def births(self) -> NDArray[np.float64]:
        """Filtration values at which the classes are born, (n,)."""
        return freeze(self.values[self.pairs[:, 0]])

    @cached_property
    def deaths(self) -> NDArray[np.float64]:
        """Filtration values at which they die, (n,); infinite where they never end."""
        ended_by = self.pairs[:, 1]
        return freeze(np.where(ended_by < 0, np.inf, self.values[ended_by]))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @overload
    def __getitem__(self, index: int) -> Cycle: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Cycle, ...]: ...

    def __getitem__(self, index: int | slice) -> Cycle | tuple[Cycle, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        i = range(len(self))[index]
        birth, death = self.pairs[i].tolist()
        return Cycle(
            self.dim,
            self.cells[self.indptr[i] : self.indptr[i + 1]],
            float(self.births[i]),
            float(self.deaths[i]),
            (birth, death),
            self.methods[int(death < 0)],
            self.complex_,
        )

    def __iter__(self) -> Iterator[Cycle]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def measures(self) -> NDArray[np.float64]:
        """The measure of each cycle, (n,): number of points, length, area, by `dim`."""
        n = self.complex_.n_cells[self.dim]
        lengths = edge_lengths(self.complex_) if self.dim == 1 else np.ones(n)
        if lengths is None:
            return freeze(np.array([cycle.measure for cycle in self]))
        of_cells = lengths
        if self.dim > 1:
            owner, corners = solid(self.complex_).triangulation(self.dim)
            sizes = _sizes(coordinates(self.complex_)[corners])
            of_cells = np.bincount(owner, weights=sizes, minlength=n).astype(np.float64)
        sums = np.concatenate([[0.0], np.cumsum(of_cells[self.cells])])
        return freeze(sums[self.indptr[1:]] - sums[self.indptr[:-1]])

    def table(self) -> pd.DataFrame:
        """Return a table with a row for each cycle.

        ``relutopo.columns("cycles_table")`` explains its columns.

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
        >>> net = ([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0, 0, 0, 0], [-1]])
        >>> complex_ = rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact")
        >>> diamond = rt.homology_basis(rt.decision_boundary(complex_), 1)
        >>> print(diamond.table()[["birth", "death", "n_cells", "measure"]])
           birth  death  n_cells   measure
        0    0.0    inf        4  5.656854
        """
        pandas = require("pandas", "the table of cycles")
        created_by, ended_by = self.pairs.T
        columns: dict[str, Any] = {
            "birth": self.births,
            "death": self.deaths,
            "life": lives_of(self.births, self.deaths),
            "created_by": created_by,
            "ended_by": ended_by,
            "n_cells": np.diff(self.indptr),
        }
        if hasattr(self.complex_, "vertices"):
            columns["measure"] = self.measures
        table: pd.DataFrame = pandas.DataFrame(columns)
        return table


def edge_lengths(complex_: CellLists) -> NDArray[np.float64] | None:
    """Return the lengths of the edges; None if vertices have no coordinates or edges not two ends.

    Examples
    --------
    >>> import relutopo as rt
    >>> line = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    >>> edge_lengths(line).tolist()
    [1.0, 1.0]
    """
    indptr, ends = complex_.facets[0]
    if not hasattr(complex_, "vertices") or (np.diff(indptr) != 2).any():
        return None
    first, second = complex_.vertices[ends.reshape(-1, 2)].swapaxes(0, 1)
    lengths: NDArray[np.float64] = np.linalg.norm(second - first, axis=1)
    return lengths


def rows_of(lists: FacetLists, cells: NDArray[Any]) -> tuple[_Ints, _Ints]:
    """Return the lengths of some rows of lists in CSR form, and the entries of these rows."""
    indptr, entries = taken((lists[0], lists[1]), cells)
    return np.diff(indptr), entries


def taken(lists: tuple[Any, Any], rows: NDArray[Any]) -> Lists:
    """Return some rows of lists in CSR form."""
    begins, sizes = lists[0][rows], lists[0][rows + 1] - lists[0][rows]
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], sizes)
    return indptr, lists[1][places].astype(np.int64)


def coordinates(complex_: CellLists) -> NDArray[np.float64]:
    """Return the coordinates of all vertices, or raise an error if there are none."""
    vertices: NDArray[np.float64] | None = getattr(complex_, "vertices", None)
    if vertices is None:
        raise InputError(
            f"`complex_` must have `vertices` for coordinates, got {type(complex_).__name__} "
            "without; use cells"
        )
    return vertices


def lives_of(births: NDArray[np.float64], deaths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how long classes live; zero where birth equals death, also if both are infinite.

    Examples
    --------
    >>> lives_of(np.array([0.0, np.inf]), np.array([2.0, np.inf])).tolist()
    [2.0, 0.0]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(births == deaths, 0.0, deaths - births)


def _sizes(simplices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the k-dimensional measures of simplices, (n, k + 1, d)."""
    spans = simplices[:, 1:] - simplices[:, :1]
    k = spans.shape[1]
    if not k:
        return np.ones(len(simplices))
    sizes = np.sqrt(np.maximum(np.linalg.det(spans @ spans.swapaxes(1, 2)), 0.0))
    scaled: NDArray[np.float64] = sizes / factorial(k)
    return scaled


def solid(complex_: CellLists) -> PolyhedralCells:
    """Return the convex cells of a complex with coordinates; see `PolyhedralCells`."""
    if isinstance(complex_, PolyhedralCells):
        return complex_
    return PolyhedralCells(coordinates(complex_), complex_.facets)


def _closed_walks(ends: _Ints) -> list[list[int]]:
    """Divide a graph of even degrees into closed walks that visit no vertex twice."""
    at: dict[int, list[tuple[int, int]]] = {}
    for edge, (a, b) in enumerate(ends.tolist()):
        at.setdefault(a, []).append((b, edge))
        at.setdefault(b, []).append((a, edge))
    is_used = [False] * len(ends)
    walks = []
    for start in at:
        path, place = [start], {start: 0}
        while True:
            onward = at[path[-1]]
            while onward and is_used[onward[-1][1]]:
                onward.pop()
            if not onward:
                break
            vertex, edge = onward.pop()
            is_used[edge] = True
            if vertex in place:
                first = place[vertex]
                walks.append([*path[first:], vertex])
                for passed in path[first + 1 :]:
                    del place[passed]
                del path[first + 1 :]
            else:
                place[vertex] = len(path)
                path.append(vertex)
    return walks
