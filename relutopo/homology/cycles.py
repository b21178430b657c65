"""Cycles that represent the classes of a diagram over Z/2: where the hole is.

Let K_t be the cells that have entered up to cell t. A class that cell b creates and cell d ends is
represented by a cycle z whose last cell is b and that is a boundary in K_d. It is alive from b
until d and no longer: the last cells of boundaries in K_t are the births of what has died until t,
so that z is no boundary before d. For a class that never ends, any cycle with the last cell b will
do, for the same reason.

Of such cycles these are taken:

- **H_0.** Union-find along the edges keeps the oldest vertex of each component as its root. The
  edge d joins the component of b to an older one: z is b and the root of that.
- **H_{D-1}**, D the dimension of the complex, where a (D-1)-cell has two D-cells beside it, or one
  and the outside. The same union-find on D-cells along (D-1)-cells, all in reverse order, the
  outside the oldest: cell b joins the component of d to one that is older, in which there is a
  D-cell that enters after d. z is the border of d's component at that time. It is there with b,
  because other cells of the border, had they come after b, would have joined it before; and its
  filling is complete with d, the last of its D-cells.
- **All at once.** Let the root of each component be below the root that it was joined to. Then a
  component is, when it is joined, the subtree below its root, and a (D-1)-cell between two
  D-cells is in the borders of those on the paths from both to where they meet: the cells of all
  cycles are found in a time that is linear in the complex and in what is returned.
- **H_1, classes that never end.** The edge b and a shortest path between its ends along earlier
  edges: no cycle with the last cell b is shorter.
- **H_D**, classes that never end, where D-cells are joined as above: the component of b, which has
  no border.
- **In between**, and where more than two D-cells meet in a (D-1)-cell, columns of the boundary
  matrix are reduced from the left: z is the reduced column of d; of a class that never ends, the
  sum of the columns, b among them, that have added up to zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import factorial
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import Frozen, freeze, frozen, read_only
from relutopo.errors import BackendError, InputError
from relutopo.geometry.cells import CellLists
from relutopo.geometry.domain import FacetLists
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.homology.filtration import Filtration
from relutopo.interfaces import Reduction
from relutopo.optional import require
from relutopo.reports.columns import Column
from relutopo.reports.shown import Shown
from relutopo.system.memory import Room

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS_OF_CYCLES",
    "Cycle",
    "CycleFinder",
    "Cycles",
    "edge_lengths",
    "lives_of",
    "solid",
]

COLUMNS_OF_CYCLES = (
    Column("birth", "value", "filtration value at which the class is born"),
    Column("death", "value", "value at which it dies; infinite if it never ends"),
    Column("life", "value", "death minus birth"),
    Column("created_by", "cell", "number, in the order of the filtration, of the cell that does"),
    Column("ended_by", "cell", "number of the cell that ends it, -1 if none does"),
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
_Lists = tuple[_Ints, Any]
"""Cells of several cycles in CSR form: indptr and indices."""
_STEPS = 8
"""So many entries a (D-1)-cell are kept while borders are counted, which saves a second count."""


@dataclass(frozen=True, eq=False, repr=False)
class Cycle(Frozen, Shown):
    """A cycle over Z/2 that represents a class of homology.

    Its cells are there when the class is born, its boundary is zero, and it becomes a boundary when
    the class dies, not before. It is one of many such cycles, `method` says which:

    ============================  ==================================================================
    union-find                    H_0: the first vertex of the component, and the first one of the
                                  older component that it is joined to
    dual union-find               H_{D-1} of a complex of dimension D: the border of a union of
                                  D-cells, those that fill the hole; where these surround what was
                                  filled before, the border of that belongs to it. H_D: a whole
                                  component
    shortest path                 H_1, never ends: no cycle that is there when the class is born,
                                  and not before, is shorter, by lengths where the vertices have
                                  coordinates, otherwise by the number of edges
    short loops                   H_1, in `homology_basis`: shortest paths from some vertices close
                                  them; they need not be the shortest
    columns                       what the reduction of the boundary matrix leaves; it may be long
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
        How it was found.
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
            found = np.unique(_rows_of(self.complex_.facets[k - 1], found)[1])
        return freeze(found.astype(np.int64))

    @property
    def vertices(self) -> NDArray[np.float64]:
        """Coordinates of the vertices of its cells, (n, d)."""
        found: NDArray[np.float64] = coordinates(self.complex_)[self.vertex_numbers]
        return found

    @property
    def segments(self) -> NDArray[np.float64]:
        """Ends of its edges, (n, 2, d); of cycles of dimension 1."""
        found: NDArray[np.float64] = coordinates(self.complex_)[self._ends()]
        return found

    @property
    def loops(self) -> list[NDArray[np.float64]]:
        """Closed polylines without double points that together are a cycle of dimension 1.

        Each is an (m + 1, d) array whose last point is its first. Where several touch in a vertex,
        the cycle can be taken apart in other ways too.
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
        """Its measure: how many points, how long, which area."""
        return float(_sizes(self.simplices).sum())

    def _ends(self) -> _Ints:
        if self.dim != 1:
            raise InputError(
                f"a cycle of edges has dimension 1, got {self.dim}; use vertices or simplices"
            )
        sizes, ends = _rows_of(self.complex_.facets[0], self.cells)
        if (sizes != 2).any():
            raise InputError("an edge must have two ends to be drawn, got one without; use cells")
        return ends.reshape(-1, 2)


@dataclass(frozen=True, eq=False, repr=False)
class Cycles(Frozen, Shown, Sequence[Cycle]):
    """Cycles that represent classes of homology of one degree: a sequence of `Cycle`.

    First those that end, by birth, then those that never end. What is guaranteed of each, and what
    was chosen among others, is said at `Cycle`.

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
        How those that end were found, and those that never end.
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
        """The measure of each cycle, (n,): how many points, how long, which area."""
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

        Its columns are explained by ``relutopo.columns("cycles_table")``.

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


class CycleFinder:
    """Finds the cells of representatives, as the module's docstring says.

    What serves several of them is made once.

    Parameters
    ----------
    complex_ : CellLists
    filtration : Filtration
        Of this complex.
    reduction : Reduction
        Of its boundary matrix.
    dimensions : (n,) ndarray of int8
        Of all cells, in the order of the filtration.
    """

    def __init__(
        self,
        complex_: CellLists,
        filtration: Filtration,
        reduction: Reduction,
        dimensions: NDArray[np.int8],
    ) -> None:
        self.complex_, self.filtration, self.reduction = complex_, filtration, reduction
        self.dimensions = dimensions
        self._starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
        self._top = max((k for k, n in enumerate(complex_.n_cells) if n), default=0)
        self._reduced: dict[int, tuple[_Ints, _Lists]] = {}

    def pairs(self, dim: int) -> _Ints:
        """Return birth and death by number of the classes of one degree that end, by birth."""
        indptr, pairs = self._pairs
        found: _Ints = pairs[indptr[dim] : indptr[dim + 1]]
        return found

    @cached_property
    def _pairs(self) -> _Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        top = len(self.complex_.n_cells) - 1
        found: _Lists = kernels.by_dimension(self.reduction.pairs, self.dimensions, top)
        return found

    def find(self, dim: int, finite: _Ints, essential: _Ints) -> tuple[_Lists, tuple[str, str]]:
        """Return the cells of cycles in CSR form, and how they were found.

        Parameters
        ----------
        dim : int
        finite : (n, 2) ndarray of int64
            Births and deaths, by number, of classes that end.
        essential : (m,) ndarray of int64
            Births of classes that do not.

        Raises
        ------
        BackendError
            If the pairs are not those of the complex.
        LimitReachedError
            If there is not enough memory.
        """
        nothing = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32)
        first, how_first = self._finite(dim, finite) if len(finite) else (nothing, "none")
        last, how_last = self._essential(dim, essential) if len(essential) else (nothing, "none")
        found = first if len(finite) else last
        if len(finite) and len(essential):
            indptr = np.concatenate([first[0], first[0][-1] + last[0][1:]])
            found = indptr, np.concatenate([first[1], last[1]])
        return (found[0], found[1].astype(np.int32, copy=False)), (how_first, how_last)

    def _finite(self, dim: int, pairs: _Ints) -> tuple[_Lists, str]:
        if dim == 0 and self._others is not None:
            return self._pairs_of_vertices(self._others, pairs[:, 0]), "union-find"
        if dim == self._top - 1 and self._dual is not None:
            return self._borders(*self._dual, pairs[:, 0]), "dual union-find"
        return self._columns_of(dim, self._cells(dim + 1, pairs[:, 1])), "columns"

    def _essential(self, dim: int, births: _Ints) -> tuple[_Lists, str]:
        chosen = self._cells(dim, births)
        if dim == 0:
            return (np.arange(len(chosen) + 1), chosen), "union-find"
        if dim == 1 and self._ends is not None:
            return self._shortest(self._ends, chosen), "shortest path"
        if dim == self._top and self._dual is not None:
            return self._components(self._dual[1], chosen), "dual union-find"
        return self._sums(dim, chosen), "columns"

    def _cells(self, dim: int, places: _Ints) -> _Ints:
        """Return cells by their number in their dimension."""
        cells: _Ints = self.filtration.order[places] - self._starts[dim]
        return cells

    def _order(self, dim: int) -> _Ints:
        """Return the cells of one dimension in the order in which they enter."""
        order = self.filtration.order
        is_in = (order >= self._starts[dim]) & (order < self._starts[dim + 1])
        found: _Ints = order[is_in] - self._starts[dim]
        return found

    def _lists(self, dim: int) -> tuple[_Ints, _Numbers]:
        """Return the facets of the cells of one dimension, of one type."""
        indptr, facets = self.complex_.facets[dim - 1]
        return (
            read_only(np.ascontiguousarray(indptr, dtype=np.int64)),
            read_only(np.ascontiguousarray(facets, dtype=np.int32)),
        )

    @cached_property
    def _others(self) -> _Numbers | None:
        """By vertex the oldest one of the component to which its own is joined.

        None where an edge has more than two ends.
        """
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        ends = self._ends
        if ends is None:
            return None
        others = np.full(self.complex_.n_cells[0], -1, dtype=np.int32)
        order = self.filtration.order
        _require(kernels.pairs_of_vertices(self.pairs(0), order, ends, others))
        return others

    @cached_property
    def _ends(self) -> _Numbers | None:
        """The two ends of each edge, the number after the last vertex where it has none.

        None where an edge has more than two.
        """
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        indptr, faces = self._lists(1)
        if (np.diff(indptr) == 2).all():
            return faces.reshape(-1, 2)
        ends = np.empty((self.complex_.n_cells[1], 2), dtype=np.int32)
        are_two = kernels.face_nodes(indptr, faces, self.complex_.n_cells[0], ends)
        return read_only(ends) if are_two else None

    @cached_property
    def _dual(self) -> tuple[_Numbers, _Numbers, _Numbers] | None:
        """The cells of the largest dimension beside each facet, what each is below, and which ones.

        None where a facet has more than two.
        """
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        if self._top < 1:
            return None
        below, n_nodes = self._top - 1, self.complex_.n_cells[self._top]
        ends = np.full((self.complex_.n_cells[below], 2), n_nodes, dtype=np.int32)
        if not kernels.coface_nodes(*self._lists(self._top), ends):
            return None
        above = np.full(n_nodes + 1, -1, dtype=np.int32)
        births, deaths = self.pairs(below).T
        links = self._cells(below, births).astype(np.int32)
        nodes = self._cells(self._top, deaths).astype(np.int32)
        _require(kernels.elder_forest(links, nodes, ends, above))
        return ends, above, nodes

    def _pairs_of_vertices(self, others: _Numbers, births: _Ints) -> _Lists:
        own = self.filtration.order[births]
        other = others[own]
        indptr = 2 * np.arange(len(births) + 1)
        both = np.stack([np.minimum(own, other), np.maximum(own, other)], axis=1).ravel()
        is_vertex = both < len(others)
        if not is_vertex.all():  # the other end of an edge may be none
            return np.append(0, np.cumsum(is_vertex))[indptr], both[is_vertex]
        return indptr, both

    def _borders(self, ends: _Numbers, above: _Numbers, nodes: _Numbers, births: _Ints) -> _Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        every = self.pairs(self._top - 1)[:, 0]
        is_chosen = np.zeros(len(every), dtype=np.bool_)
        is_chosen[np.searchsorted(every, births) if len(births) < len(every) else slice(None)] = 1
        forest = kernels.chosen_above(nodes, is_chosen, len(births), above)
        steps = np.empty(_STEPS * len(ends), dtype=np.int32), np.empty(len(ends), dtype=np.int32)
        indptr = kernels.count_differences(ends, *forest, *steps)
        Room().check(
            4 * int(indptr[-1]),
            f"cycles of {int(indptr[-1])} cells together",
            "choose those that live longer, with a larger `least`",
        )
        return indptr, kernels.fill_differences(ends, *forest, *steps, indptr)

    def _components(self, above: _Numbers, births: _Ints) -> _Lists:
        root = np.where(above < 0, np.arange(len(above)), above)
        while (root[root] != root).any():
            root = root[root]
        _require((above[births] < 0).all())
        slot = np.full(len(above), -1)
        slot[births] = np.arange(len(births))
        label = slot[root[:-1]]
        cells = np.flatnonzero(label >= 0)
        counts = np.bincount(label[cells], minlength=len(births))
        in_order = cells[np.argsort(label[cells], kind="stable")]
        return np.concatenate([[0], np.cumsum(counts)]), in_order

    def _shortest(self, ends: _Numbers, births: _Ints) -> _Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        lengths = edge_lengths(self.complex_)
        at_node = ends.ravel()
        counts = np.bincount(at_node, minlength=self.complex_.n_cells[0] + 1)
        found: _Lists = kernels.shortest_cycles(
            births,
            ends,
            np.ones(len(ends)) if lengths is None else lengths,
            self.filtration.positions[self._starts[1] : self._starts[2]].copy(),
            np.concatenate([[0], np.cumsum(counts)]),
            np.argsort(at_node, kind="stable") // 2,
        )
        _require((np.diff(found[0]) > 0).all())
        return found

    def _columns_of(self, dim: int, deaths: _Ints) -> _Lists:
        """Return the reduced columns of some cells of dimension dim + 1."""
        if dim not in self._reduced:
            columns = self._ending(dim)
            begins, rows, _ = self._reduce(dim + 1, columns, np.empty(0, dtype=np.int64))
            order = self._order(dim)
            place = np.full(self.complex_.n_cells[dim + 1], -1)
            place[columns] = np.arange(len(columns))
            self._reduced[dim] = place, (begins, order[len(order) - 1 - rows])
        place, (begins, cells) = self._reduced[dim]
        return _ascending(_taken((begins, cells), place[deaths]))

    def _sums(self, dim: int, births: _Ints) -> _Lists:
        """Return sums of columns that are zero, the column of a birth among those of each."""
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        ending = self._ending(dim - 1)
        _, _, steps = self._reduce(dim, ending, births)
        indptr, columns = kernels.sums_of_columns(*steps, len(ending))
        return _ascending((indptr, np.concatenate([ending, births])[columns]))

    def _ending(self, dim: int) -> _Ints:
        """Return the cells that end classes of some degree, in their order."""
        return self._cells(dim + 1, np.sort(self.pairs(dim)[:, 1]))

    def _reduce(self, dim: int, ending: _Ints, empty: _Ints) -> tuple[_Ints, _Ints, _Lists]:
        """Reduce columns of ∂_dim; rows are numbered from the last to the first."""
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        order = self._order(dim - 1)
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.arange(len(order) - 1, -1, -1)
        indptr, facets = self.complex_.facets[dim - 1]
        sizes, rows = _rows_of((indptr, facets), np.concatenate([ending, empty]))
        births, deaths = self.pairs(dim - 1).T
        place = np.full(self.complex_.n_cells[dim], -1)
        place[ending] = np.arange(len(ending))
        owner = np.full(len(order), -1, dtype=np.int64)
        owner[number[self._cells(dim - 1, births)]] = place[self._cells(dim, deaths)]
        is_right, begins, pool, step_begins, steps = kernels.reduced_columns(
            np.concatenate([[0], np.cumsum(sizes)]),
            number[rows],
            owner,
            len(ending),
            len(empty) > 0,
        )
        _require(is_right)
        return begins, pool, (step_begins, steps)


def edge_lengths(complex_: CellLists) -> NDArray[np.float64] | None:
    """Return the lengths of the edges, None where vertices have no coordinates or edges no ends.

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


def _require(are_those: Any) -> None:
    if not are_those:
        raise BackendError(
            "a reduction must have the pairs of the complex and its filtration, got others; "
            'reduce with "z2"'
        )


def _rows_of(lists: FacetLists, cells: NDArray[Any]) -> tuple[_Ints, _Ints]:
    """Return how many entries some rows of lists in CSR form have, and these entries."""
    indptr, entries = _taken((lists[0], lists[1]), cells)
    return np.diff(indptr), entries


def _taken(lists: tuple[Any, Any], rows: NDArray[Any]) -> _Lists:
    """Return some rows of lists in CSR form."""
    begins, sizes = lists[0][rows], lists[0][rows + 1] - lists[0][rows]
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], sizes)
    return indptr, lists[1][places].astype(np.int64)


def _ascending(lists: _Lists) -> _Lists:
    indptr, entries = lists
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return indptr, entries[np.lexsort((entries, row))]


def coordinates(complex_: CellLists) -> NDArray[np.float64]:
    """Return the coordinates of all vertices, or say that there are none."""
    vertices: NDArray[np.float64] | None = getattr(complex_, "vertices", None)
    if vertices is None:
        raise InputError(
            f"`complex_` must have `vertices` for coordinates, got {type(complex_).__name__} "
            "without; use cells"
        )
    return vertices


def lives_of(births: NDArray[np.float64], deaths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how long classes live; those between equal values, infinite ones too, not at all.

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
    """Return the convex cells of what has coordinates; see `PolyhedralCells`."""
    if isinstance(complex_, PolyhedralCells):
        return complex_
    return PolyhedralCells(coordinates(complex_), complex_.facets)


def _closed_walks(ends: _Ints) -> list[list[int]]:
    """Take a graph of even degrees apart into closed walks that meet no vertex twice."""
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
