"""Representatives: cycles of cells over Z/2 for the classes of a diagram.

Let K_t be the cells that have entered up to cell t. A class that cell b creates and cell d ends is
represented by a cycle z whose last cell is b and that is a boundary in K_d. Its class lives from b
to d exactly: the last cells of boundaries in K_t are the births of the classes that have died by t,
so z is not a boundary before d. For the same reason, any cycle with the last cell b represents a
class that never ends.

Of these cycles, the following are chosen:

- **H_0.** Union-find along the edges keeps the oldest vertex of each component as its root. The
  edge d joins the component of b to an older one: z is b and the root of the older one.
- **H_{D-1}**, D the dimension of the complex, where a (D-1)-cell has two D-cells beside it, or one
  and the outside. The same union-find on D-cells along (D-1)-cells, all in reverse order, the
  outside the oldest: cell b joins the component of d to an older one, which has a D-cell that
  enters after d. z is the border of d's component at that time. It is complete when b enters,
  because any cell of the border that entered after b would have joined the component earlier; and
  its filling is complete when d enters, the last of its D-cells.
- **All of these at once.** Let each root be below the root that it was joined to. Then a component
  is, at the moment when it is joined, the subtree below its root, and a (D-1)-cell between two
  D-cells is in the borders of the roots on the paths upwards from both to the point where the paths
  meet. So the cells of all cycles are found in time linear in the complex and the result.
- **H_1, classes that never end.** The edge b and a shortest path between its ends along earlier
  edges: no cycle with the last cell b is shorter.
- **H_D**, classes that never end, where D-cells are joined as above: the component of b, which has
  no border.
- **Other degrees**, and where more than two D-cells meet in a (D-1)-cell: columns of the boundary
  matrix are reduced from the left. z is the reduced column of d; for a class that never ends, the
  set of columns, b among them, that added up to zero.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import read_only
from relutopo.errors import BackendError
from relutopo.geometry.cells import CellLists
from relutopo.homology.cycles import Lists, edge_lengths, rows_of, taken
from relutopo.homology.filtration import Filtration
from relutopo.interfaces import Reduction
from relutopo.system.memory import Room

__all__ = ["CycleFinder"]

_Ints = NDArray[np.int64]
_Numbers = NDArray[np.int32]
_STEPS = 8
"""Entries kept for each (D-1)-cell while borders are counted, which saves a second count."""


class CycleFinder:
    """Finds the cells of representatives, as the module's docstring explains.

    Work that several of them share is done once.

    Parameters
    ----------
    complex_ : CellLists
    filtration : Filtration
        Of this complex.
    reduction : Reduction
        Of its boundary matrix.
    dimensions : (n,) ndarray of int8
        Dimensions of all cells, in the order of the filtration.
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
        self._reduced: dict[int, tuple[_Ints, Lists]] = {}

    def pairs(self, dim: int) -> _Ints:
        """Return births and deaths, by number, of classes of one degree that end; by birth."""
        indptr, pairs = self._pairs
        found: _Ints = pairs[indptr[dim] : indptr[dim + 1]]
        return found

    @cached_property
    def _pairs(self) -> Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        top = len(self.complex_.n_cells) - 1
        found: Lists = kernels.by_dimension(self.reduction.pairs, self.dimensions, top)
        return found

    def find(self, dim: int, finite: _Ints, essential: _Ints) -> tuple[Lists, tuple[str, str]]:
        """Return the cells of cycles in CSR form, and how they were found.

        Parameters
        ----------
        dim : int
        finite : (n, 2) ndarray of int64
            Births and deaths, by number, of classes that end.
        essential : (m,) ndarray of int64
            Births, by number, of classes that never end.

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

    def _finite(self, dim: int, pairs: _Ints) -> tuple[Lists, str]:
        if dim == 0 and self._others is not None:
            return self._pairs_of_vertices(self._others, pairs[:, 0]), "union-find"
        if dim == self._top - 1 and self._dual is not None:
            return self._borders(*self._dual, pairs[:, 0]), "dual union-find"
        return self._columns_of(dim, self._cells(dim + 1, pairs[:, 1])), "columns"

    def _essential(self, dim: int, births: _Ints) -> tuple[Lists, str]:
        chosen = self._cells(dim, births)
        if dim == 0:
            return (np.arange(len(chosen) + 1), chosen), "union-find"
        if dim == 1 and self._ends is not None:
            return self._shortest(self._ends, chosen), "shortest path"
        if dim == self._top and self._dual is not None:
            return self._components(self._dual[1], chosen), "dual union-find"
        return self._sums(dim, chosen), "columns"

    def _cells(self, dim: int, places: _Ints) -> _Ints:
        """Return the numbers, within their dimension, of cells at places of the filtration."""
        cells: _Ints = self.filtration.order[places] - self._starts[dim]
        return cells

    def _order(self, dim: int) -> _Ints:
        """Return the cells of one dimension in the order in which they enter."""
        order = self.filtration.order
        is_in = (order >= self._starts[dim]) & (order < self._starts[dim + 1])
        found: _Ints = order[is_in] - self._starts[dim]
        return found

    def _lists(self, dim: int) -> tuple[_Ints, _Numbers]:
        """Return the facets of the cells of one dimension, as arrays of fixed types."""
        indptr, facets = self.complex_.facets[dim - 1]
        return (
            read_only(np.ascontiguousarray(indptr, dtype=np.int64)),
            read_only(np.ascontiguousarray(facets, dtype=np.int32)),
        )

    @cached_property
    def _others(self) -> _Numbers | None:
        """For each vertex, the oldest vertex of the component that its component is joined to.

        None if an edge has more than two ends.
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
        """The two ends of each edge; the number after the last vertex for an end that is missing.

        None if an edge has more than two ends.
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
        """The D-cells beside each (D-1)-cell, the forest of D-cells, and the joined roots in order.

        None if a (D-1)-cell has more than two D-cells beside it, or the complex no edges.
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

    def _pairs_of_vertices(self, others: _Numbers, births: _Ints) -> Lists:
        own = self.filtration.order[births].astype(np.int32)
        other = others[own]
        both = np.empty((len(own), 2), dtype=np.int32)
        np.minimum(own, other, out=both[:, 0])
        np.maximum(own, other, out=both[:, 1])
        indptr, cells = 2 * np.arange(len(own) + 1), both.ravel()
        if (both[:, 1] == len(others)).any():  # an edge may have no other end
            is_vertex = cells < len(others)
            return np.append(0, np.cumsum(is_vertex))[indptr], cells[is_vertex]
        return indptr, cells

    def _borders(self, ends: _Numbers, above: _Numbers, nodes: _Numbers, births: _Ints) -> Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        every = self.pairs(self._top - 1)[:, 0]
        is_chosen = np.zeros(len(every), dtype=np.bool_)
        is_chosen[np.searchsorted(every, births) if len(births) < len(every) else slice(None)] = 1
        forest = kernels.chosen_above(nodes, is_chosen, len(births), above)
        steps = np.empty((_STEPS * len(ends), 2), dtype=np.uint32)
        indptr = kernels.count_differences(ends, *forest, steps)
        Room().check(
            4 * int(indptr[-1]),
            f"cycles of {int(indptr[-1])} cells together",
            "choose those that live longer, with a larger `least`",
        )
        return indptr, kernels.fill_differences(ends, *forest, steps, indptr)

    def _components(self, above: _Numbers, births: _Ints) -> Lists:
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

    def _shortest(self, ends: _Numbers, births: _Ints) -> Lists:
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        lengths = edge_lengths(self.complex_)
        at_node = ends.ravel()
        counts = np.bincount(at_node, minlength=self.complex_.n_cells[0] + 1)
        found: Lists = kernels.shortest_cycles(
            births,
            ends,
            np.ones(len(ends)) if lengths is None else lengths,
            self.filtration.positions[self._starts[1] : self._starts[2]].copy(),
            np.concatenate([[0], np.cumsum(counts)]),
            np.argsort(at_node, kind="stable") // 2,
        )
        _require((np.diff(found[0]) > 0).all())
        return found

    def _columns_of(self, dim: int, deaths: _Ints) -> Lists:
        """Return the reduced columns of cells of dimension dim + 1 that end classes."""
        if dim not in self._reduced:
            columns = self._ending(dim)
            begins, rows, _ = self._reduce(dim + 1, columns, np.empty(0, dtype=np.int64))
            order = self._order(dim)
            place = np.full(self.complex_.n_cells[dim + 1], -1)
            place[columns] = np.arange(len(columns))
            self._reduced[dim] = place, (begins, order[len(order) - 1 - rows])
        place, (begins, cells) = self._reduced[dim]
        return _ascending(taken((begins, cells), place[deaths]))

    def _sums(self, dim: int, births: _Ints) -> Lists:
        """Return for each birth a set of columns, its own among them, that add up to zero."""
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        ending = self._ending(dim - 1)
        _, _, steps = self._reduce(dim, ending, births)
        indptr, columns = kernels.sums_of_columns(*steps, len(ending))
        return _ascending((indptr, np.concatenate([ending, births])[columns]))

    def _ending(self, dim: int) -> _Ints:
        """Return the cells that end classes of one degree, in the order of the filtration."""
        return self._cells(dim + 1, np.sort(self.pairs(dim)[:, 1]))

    def _reduce(self, dim: int, ending: _Ints, empty: _Ints) -> tuple[_Ints, _Ints, Lists]:
        """Reduce columns of ∂_dim; rows are numbered from the last to the first."""
        from relutopo.homology import cycle_kernels as kernels  # loads numba

        order = self._order(dim - 1)
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.arange(len(order) - 1, -1, -1)
        indptr, facets = self.complex_.facets[dim - 1]
        sizes, rows = rows_of((indptr, facets), np.concatenate([ending, empty]))
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


def _require(are_those: Any) -> None:
    if not are_those:
        raise BackendError(
            "a reduction must have the pairs of the complex and its filtration, got others; "
            'reduce with "z2"'
        )


def _ascending(lists: Lists) -> Lists:
    indptr, entries = lists
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return indptr, entries[np.lexsort((entries, row))]
