"""Filtrations: an order of all cells in which every face comes before its cofaces, with values.

Cells of all dimensions share one global index, dimension by dimension: cell i of dimension k is
``n_0 + ... + n_{k-1} + i``. In messages a cell is a pair (dimension, index).

Invariant: the values ascend along the order (ties allowed) and none is NaN. Whether faces come
first depends on the complex; `Filtration.check` tests it, and every function that applies a
filtration to a complex calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, as_numbers, freeze
from relutopo.checks import check_integer, check_kind
from relutopo.errors import InputError
from relutopo.geometry.polyhedra import PolyhedralCells, joined_facets
from relutopo.reports.shown import Shown

if TYPE_CHECKING:
    from relutopo.geometry.cells import CellLists

__all__ = ["Filtration", "check_filtration", "facets_by_index"]


@dataclass(frozen=True, eq=False)
class Filtration(Frozen, Shown):
    """An order of the cells of a complex, and a value for each cell.

    Keeps read-only copies of the arrays, so that they stay as they were checked.

    Attributes
    ----------
    n_cells : tuple of int
        Number of cells of each dimension; n is their sum.
    order : (n,) ndarray of int64
        Global indices of the cells in the order in which they enter.
    values : (n,) ndarray of float64
        The value of each cell, by global index; ascending along `order`.
    name : str
        Name of the strategy that made it.
    seed : int or None
        Its seed; None if it is not random.
    positions : (n,) ndarray of int64
        When each cell enters, 0..n-1, by global index; the inverse of `order`.

    Raises
    ------
    InputError
        If the order is no permutation, a value is NaN, or the values do not ascend along the
        order; the message names the first offender.

    Examples
    --------
    Two vertices and their edge:

    >>> Filtration((2, 1), np.array([1, 0, 2]), np.array([0.5, 0.1, 0.5])).positions.tolist()
    [1, 0, 2]
    """

    n_cells: tuple[int, ...]
    order: NDArray[np.int64]
    values: NDArray[np.float64]
    name: str = "custom"
    seed: int | None = None
    positions: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order, values = np.array(self.order), np.array(self.values, dtype=np.float64)
        n = sum(self.n_cells)
        for name, array in (("order", order), ("values", values)):
            if array.shape != (n,):
                raise InputError(
                    f"`{name}` must have one entry for each of the {n} cells, got shape "
                    f"{array.shape}; number the cells dimension by dimension"
                )
        from relutopo.homology.order_kernels import entered  # loads numba

        if order.dtype.kind not in "iu":
            raise InputError(f"`order` must be a permutation of 0..{n - 1}, got {_fault(order)}")
        order = order.astype(np.int64, copy=False)
        positions, is_valid = entered(order, values)
        if not is_valid:
            raise self._wrong(order, values)
        for name, array in (("order", order), ("values", values), ("positions", positions)):
            object.__setattr__(self, name, freeze(array))

    def _wrong(self, order: NDArray[np.int64], values: NDArray[np.float64]) -> InputError:
        """Return an error that says what is wrong with an order and values."""
        n = len(order)
        if not np.array_equal(np.sort(order), np.arange(n)):
            return InputError(f"`order` must be a permutation of 0..{n - 1}, got {_fault(order)}")
        if np.isnan(values).any():
            cell = self.cell(int(np.argmax(np.isnan(values))))
            return InputError(
                f"`values` must not be NaN, got NaN for cell {cell}; "
                "is the function defined at all vertices?"
            )
        along = values[order]
        i = int(np.argmax(along[1:] < along[:-1]))
        return InputError(
            f"`values` must ascend along `order`, got {along[i]} for cell "
            f"{self.cell(int(order[i]))} and then {along[i + 1]} for cell "
            f"{self.cell(int(order[i + 1]))}; sort the order by value"
        )

    def __repr__(self) -> str:
        seed = "" if self.seed is None else f", seed={self.seed}"
        return f"Filtration({self.name!r}, {len(self.order)} cells{seed})"

    def _facts(self) -> Mapping[str, object]:
        first, last = (float(self.values[self.order[i]]) for i in (0, -1))
        return {
            "strategy": self.name,
            "seed": "nothing random" if self.seed is None else self.seed,
            "cells by dimension": self.n_cells,
            "values": (first, last),
        }

    def cell(self, index: int) -> tuple[int, int]:
        """Return (dimension, index in that dimension) of a global index.

        Examples
        --------
        >>> Filtration((2, 1), np.arange(3), np.zeros(3)).cell(2)
        (1, 0)
        """
        starts = np.concatenate([[0], np.cumsum(self.n_cells)])
        index = check_integer("index", index, 0, int(starts[-1]) - 1, remedy="look at n_cells")
        k = int(np.searchsorted(starts, index, side="right")) - 1
        return k, int(index - starts[k])

    def check(self, complex_: CellLists) -> None:
        """Check that this is a filtration of a complex.

        Raises
        ------
        InputError
            If the complex has other numbers of cells, or a cell enters before one of its faces; the
            message names the first such cell and the face.
        """
        self.checked_facets(complex_)

    def checked_facets(self, complex_: CellLists) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Check that this is a filtration of a complex, and return what `facets_by_index` does.

        Raises
        ------
        InputError
            See `check`.
        """
        if self.n_cells != tuple(complex_.n_cells):
            raise InputError(
                f"`filtration` orders {self.n_cells} cells, the complex has "
                f"{tuple(complex_.n_cells)}; make one for this complex"
            )
        from relutopo.homology.order_kernels import first_late  # loads numba

        indptr, faces = facets_by_index(complex_)
        cell, face = first_late(indptr, faces, self.positions)
        if cell >= 0:
            raise InputError(
                f"a cell must enter after its faces, but cell {self.cell(cell)} enters at position "
                f"{self.positions[cell]} and its face {self.cell(face)} at position "
                f"{self.positions[face]}; raise its value at least to those of its faces"
            )
        return indptr, faces

    @classmethod
    def from_values(
        cls,
        complex_: CellLists,
        values: Sequence[ArrayLike],
        name: str = "custom",
        seed: int | None = None,
    ) -> Filtration:
        """Order the cells of a complex by value; ties by dimension, then by index.

        Parameters
        ----------
        complex_ : CellComplex or any `CellLists`
        values : sequence of (n_k,) array_like
            For each dimension the values of its cells, none smaller than a face's.
        name : str
            Recorded.
        seed : int, optional
            Recorded.

        Raises
        ------
        InputError
            If lengths differ from the numbers of cells, a value is NaN, or a cell has a smaller
            value than one of its faces; the message names the two cells.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
        >>> line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
        >>> Filtration.from_values(line, [[0.2, 0.1, 0.3], [0.9, 0.3]]).order.tolist()
        [1, 0, 2, 4, 3]
        """
        if not isinstance(values, Sequence):
            raise InputError(
                f"`values` must be a list with an array for each dimension, got "
                f"{type(values).__name__}; give every cell one value"
            )
        arrays: list[NDArray[Any]] = [as_numbers(v, "values") for v in values]
        n_cells = tuple(complex_.n_cells)
        if tuple(a.shape for a in arrays) != tuple((n,) for n in n_cells):
            raise InputError(
                f"`values` must have {n_cells} entries for the dimensions 0..{len(n_cells) - 1}, "
                f"got shapes {[a.shape for a in arrays]}; give every cell one value"
            )
        from relutopo.homology.order_kernels import ascending_order  # loads numba

        joined = np.concatenate(arrays, dtype=np.float64)
        # Global indices ascend with the dimension, so ties are broken as promised. The constructor
        # finds NaNs.
        result = cls(n_cells, ascending_order(joined), joined, name, seed)
        result.check(complex_)
        return result


def facets_by_index(complex_: CellLists) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the facets of all cells, by global index, in CSR form, read-only.

    Parameters
    ----------
    complex_ : CellLists

    Examples
    --------
    >>> import relutopo as rt
    >>> line = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    >>> [part.tolist() for part in facets_by_index(line)]
    [[0, 0, 0, 0, 2, 4], [0, 2, 1, 2]]
    """
    if isinstance(complex_, PolyhedralCells):
        return complex_.facets_by_index
    return joined_facets(complex_.n_cells, complex_.facets)


def _fault(order: NDArray[Any]) -> str:
    if order.dtype.kind not in "iu":
        return f"dtype {order.dtype}"
    outside = (order < 0) | (order >= len(order))
    if outside.any():
        i = int(np.argmax(outside))
        return f"{order[i]} at position {i}; every cell must appear once"
    repeated = int(np.argmax(np.bincount(order, minlength=len(order)) > 1))
    return f"cell {repeated} more than once; every cell must appear once"


def check_filtration(filtration: Any) -> Filtration:
    """Return the argument if it is a `Filtration`.

    Raises
    ------
    InputError
        If it is anything else, such as the name of a strategy.

    Examples
    --------
    >>> check_filtration("random_closure")
    Traceback (most recent call last):
    ...
    relutopo.errors.InputError: `filtration` must be a Filtration, got 'random_closure'; pass ...
    """
    name = filtration if isinstance(filtration, str) and len(filtration) < 40 else "random_closure"
    remedy = f"pass relutopo.filtration(complex_, {name!r})"
    found: Filtration = check_kind("filtration", filtration, Filtration, remedy=remedy)
    return found
