"""The boundary matrix of a filtered complex over Z/2, as arrays.

Invariant: a `BoundaryMatrix` that exists is one: rows lie below their column, ascend, and are one
dimension lower; ∂∂ = 0. Reducers rely on it and check nothing.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.errors import InputError
from relutopo.geometry.domain import FacetLists
from relutopo.homology.filtration import Filtration

__all__ = ["BoundaryMatrix", "CellLists", "boundary_matrix"]


class CellLists(Protocol):
    """Whatever has cells with facets: a `CellComplex`, a `DecisionBoundary`."""

    @property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells of each dimension."""

    @property
    def facets(self) -> tuple[FacetLists, ...]:
        """For each k ≥ 1 the facets of the k-cells, (indptr, indices)."""


@dataclass(frozen=True, eq=False)
class BoundaryMatrix:
    """A boundary matrix over Z/2 in filtration order, one sparse column a cell.

    Attributes
    ----------
    indptr : (n + 1,) ndarray of int64
        Column j has the rows ``indices[indptr[j]:indptr[j + 1]]``.
    indices : (n_entries,) ndarray of int64
        Row indices, ascending and distinct in each column, all smaller than the column.
    dimensions : (n,) ndarray of int8
        Dimension of each cell.
    verify : bool, default True
        Constructor only. True copies the arrays, so that what was checked stays as it is; False
        skips all checks and keeps them, for a matrix known to be right.

    Raises
    ------
    InputError
        If the arrays do not fit together, a row is not below its column, rows do not ascend, a
        row is not one dimension below its column, or ∂∂ ≠ 0; the message names the first offender.

    Examples
    --------
    An edge with its two ends:

    >>> edge = BoundaryMatrix(np.array([0, 0, 0, 2]), np.array([0, 1]), np.array([0, 0, 1]))
    >>> edge.n_columns
    3
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    dimensions: NDArray[np.int8]
    verify: InitVar[bool] = True

    def __post_init__(self, verify: bool) -> None:
        if verify:
            _check_shapes(self.indptr, self.indices, self.dimensions)
        types: tuple[tuple[str, Any], ...] = (
            ("indptr", np.int64),
            ("indices", np.int64),
            ("dimensions", np.int8),
        )
        take = np.array if verify else np.ascontiguousarray  # the first copies
        for name, dtype in types:
            object.__setattr__(self, name, take(getattr(self, name), dtype=dtype))
        if verify:
            _check_entries(self)

    @property
    def n_columns(self) -> int:
        """Number of cells."""
        return len(self.indptr) - 1

    def to_sparse(self) -> sparse.csc_array:
        """Return the matrix as `scipy.sparse.csc_array` of shape (n, n) with entries 0 and 1."""
        ones = np.ones(len(self.indices), dtype=np.int8)
        shape = (self.n_columns, self.n_columns)
        return sparse.csc_array((ones, self.indices, self.indptr), shape=shape)


def boundary_matrix(complex_: CellLists, filtration: Filtration) -> BoundaryMatrix:
    """Return the boundary matrix of a complex in the order of a filtration.

    Parameters
    ----------
    complex_ : CellComplex or any `CellLists`
    filtration : Filtration
        Of this complex.

    Returns
    -------
    BoundaryMatrix
        Column j is the j-th cell to enter.

    Raises
    ------
    InputError
        If the filtration is of other cells, or a cell enters before one of its faces.

    Examples
    --------
    >>> import relutopo as rt
    >>> line = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    >>> matrix = boundary_matrix(line, rt.filtration(line, "dimension_major"))
    >>> matrix.dimensions.tolist(), matrix.indices.size
    ([0, 0, 0, 1, 1], 4)
    """
    filtration.check(complex_)
    n = len(filtration.order)
    starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
    sizes = [np.zeros(complex_.n_cells[0], dtype=np.int64)]
    rows = [np.empty(0, dtype=np.int64)]
    for k, (indptr, facets) in enumerate(complex_.facets):
        sizes.append(np.diff(indptr))
        rows.append(filtration.positions[starts[k] + facets])
    entries = np.concatenate(rows)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    ones = np.ones(len(entries), dtype=np.int8)
    matrix = sparse.csc_array((ones, entries, indptr), shape=(n, n))[:, filtration.order]
    matrix.sort_indices()
    dimensions = np.repeat(np.arange(len(complex_.n_cells), dtype=np.int8), complex_.n_cells)
    # The order was checked above, and ∂∂ = 0 is an invariant of the complex in any order.
    return BoundaryMatrix(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int64),
        dimensions[filtration.order],
        verify=False,
    )


def _check_shapes(indptr: Any, indices: Any, dimensions: Any) -> None:
    remedy = "pass the columns in CSC form, as scipy.sparse does"
    arrays: dict[str, NDArray[Any]] = {
        "indptr": np.asarray(indptr),
        "indices": np.asarray(indices),
        "dimensions": np.asarray(dimensions),
    }
    for name, array in arrays.items():
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise InputError(
                f"`{name}` must be a one-dimensional array of integers, got shape {array.shape} "
                f"and dtype {array.dtype}; {remedy}"
            )
    pointers, n_entries = arrays["indptr"], len(arrays["indices"])
    if not len(pointers) or pointers[0] != 0 or pointers[-1] != n_entries:
        raise InputError(
            f"`indptr` must go from 0 to the number of entries, {n_entries}, got "
            f"{pointers[:1].tolist()} to {pointers[-1:].tolist()}; {remedy}"
        )
    if np.any(pointers[1:] < pointers[:-1]):
        j = int(np.argmax(pointers[1:] < pointers[:-1]))
        raise InputError(
            f"`indptr` must not decrease, got {pointers[j]} then {pointers[j + 1]} at column {j}; "
            f"{remedy}"
        )
    dims = arrays["dimensions"]
    if len(dims) != len(pointers) - 1:
        raise InputError(
            f"`dimensions` must have one entry for each of the {len(pointers) - 1} columns, got "
            f"{len(dims)}; pass the dimension of each cell"
        )
    if dims.size and not 0 <= dims.min() <= dims.max() <= 127:
        j = int(np.argmax((dims < 0) | (dims > 127)))
        raise InputError(f"`dimensions` must be in 0..127, got {dims[j]} at column {j}")


def _check_entries(matrix: BoundaryMatrix) -> None:
    rows, dims = matrix.indices, matrix.dimensions
    columns = np.repeat(np.arange(matrix.n_columns), np.diff(matrix.indptr))

    def first(bad: NDArray[np.bool_]) -> tuple[int, int, int] | None:
        i = int(np.argmax(bad)) if bad.any() else -1
        return None if i < 0 else (i, int(columns[i]), int(rows[i]))

    if found := first((rows < 0) | (rows >= columns)):
        _, j, row = found
        raise InputError(
            f"every row must be smaller than its column, got row {row} in column {j}; "
            "put the columns in filtration order, faces first"
        )
    if found := first(np.concatenate([[False], (np.diff(rows) <= 0) & (np.diff(columns) == 0)])):
        i, j, row = found
        raise InputError(
            f"rows must ascend and be distinct in each column, got {rows[i - 1]} then {row} in "
            f"column {j}; sort the rows and cancel pairs of equal ones"
        )
    if found := first(dims[rows] != dims[columns] - 1):
        _, j, row = found
        raise InputError(
            f"a boundary must be one dimension lower, got row {row} of dimension {dims[row]} in "
            f"column {j} of dimension {dims[j]}; correct `dimensions` or the column"
        )
    # Entries of ∂∂ count paths of length two, of which int32 has room for enough.
    boundary = matrix.to_sparse().astype(np.int32)
    twice = sparse.csc_array(boundary @ boundary)
    odd = np.flatnonzero(twice.data % 2)
    if odd.size:
        j = int(np.searchsorted(twice.indptr, odd[0], side="right")) - 1
        in_column = odd[odd < twice.indptr[j + 1]]
        raise InputError(
            f"∂∂ must be zero over Z/2, got a boundary of column {j} whose own boundary contains "
            f"row {twice.indices[in_column].min()}; a boundary must be a cycle"
        )
