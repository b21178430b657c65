"""The role that reduces boundary matrices over Z/2.

Invariant: every `BoundaryMatrix` is valid: rows are smaller than their column, ascend, and are one
dimension lower; ∂∂ = 0. Reducers rely on this and check nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import Frozen, as_array, frozen, read_only
from relutopo.errors import BackendError, InputError
from relutopo.interfaces.laws import broken_law
from relutopo.reports.shown import Shown

__all__ = ["BoundaryMatrix", "Reducer", "Reduction", "checked_reduction"]


@dataclass(frozen=True, eq=False, repr=False)
class BoundaryMatrix(Frozen, Shown):
    """A boundary matrix over Z/2 in filtration order, one sparse column a cell.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    indptr : (n + 1,) ndarray of int64
        Column j has the rows ``indices[indptr[j]:indptr[j + 1]]``.
    indices : (n_entries,) ndarray of int64
        Row indices, ascending and distinct in each column, all smaller than the column.
    dimensions : (n,) ndarray of int8
        Dimension of each cell.
    verify : bool, default True
        Constructor only. False skips all checks, for a matrix known to be right.

    Raises
    ------
    InputError
        If the arrays do not fit together, a row is not smaller than its column, rows do not ascend,
        a row is not one dimension lower than its column, or ∂∂ ≠ 0; the message names the first
        offender.

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
        for name, dtype in types:
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            object.__setattr__(self, name, frozen(array))
        if verify:
            _check_entries(self)

    def __repr__(self) -> str:
        columns = " + ".join(map(str, self._facts()["columns by dimension"]))
        return f"BoundaryMatrix({columns} columns, {len(self.indices)} entries)"

    def _facts(self) -> dict[str, Any]:
        return {
            "columns by dimension": tuple(np.bincount(self.dimensions).tolist()),
            "entries": len(self.indices),
        }

    @property
    def n_columns(self) -> int:
        """Number of cells."""
        return len(self.indptr) - 1

    def to_sparse(self) -> sparse.csc_array:
        """Return the matrix as `scipy.sparse.csc_array` of shape (n, n) with entries 0 and 1."""
        ones = np.ones(len(self.indices), dtype=np.int8)
        shape = (self.n_columns, self.n_columns)
        return sparse.csc_array((ones, self.indices, self.indptr), shape=shape)


@dataclass(frozen=True, repr=False)
class Reduction(Frozen, Shown):
    """Persistence pairs of a boundary matrix.

    Attributes
    ----------
    pairs : (n_pairs, 2) ndarray of int64
        Birth and death: the column that creates a class, and the column that ends it. Sorted by
        birth.
    essential : (n_essential,) ndarray of int64
        Columns whose classes never end, ascending.
    seconds : float
        Wall-clock time.
    method : str
        The method that ran.
    """

    pairs: NDArray[np.int64]
    essential: NDArray[np.int64]
    seconds: float
    method: str

    def __repr__(self) -> str:
        return f"Reduction({len(self.pairs)} pairs, {len(self.essential)} essential, {self.method})"


class Reducer(ABC):
    """Reduces a boundary matrix over Z/2.

    Laws: every column is the birth or death of exactly one pair, or essential; a pair's birth
    comes before its death, one dimension below; the result does not depend on the backend.
    """

    @abstractmethod
    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        """Return the persistence pairs of a boundary matrix in filtration order.

        Parameters
        ----------
        boundary : BoundaryMatrix
            One sparse column a cell; the rows of a column are smaller than its own index.
        """


def checked_reduction(found: object, reducer: Reducer, boundary: BoundaryMatrix) -> Reduction:
    """Return a reducer's result if it obeys the laws of `Reducer` and `Reduction`.

    It is not tested whether the pairs are those of this matrix.

    Parameters
    ----------
    found : object
        What `reducer` returned.
    reducer : Reducer
    boundary : BoundaryMatrix
        What `reducer` was given.

    Raises
    ------
    BackendError
        If it is not a `Reduction`; an array has a wrong shape or type; a column is missing or
        occurs twice; or a pair is not in order, or not of neighbouring dimensions.
    """

    def broken(expected: str, came: object) -> BackendError:
        return broken_law("reducer", reducer, expected, came)

    if not isinstance(found, Reduction):
        raise broken("a Reduction", type(found).__name__)
    _check_columns("pairs", found.pairs, (2,), broken)
    _check_columns("essential", found.essential, (), broken)
    n, dims = boundary.n_columns, boundary.dimensions
    from relutopo.interfaces.reduction_kernels import obeys_laws  # loads numba

    given = (np.ascontiguousarray(x, np.int64) for x in (found.pairs, found.essential))
    if obeys_laws(*map(read_only, given), dims):
        return found
    # What follows only finds the words for what is broken.
    columns = np.concatenate(
        [found.pairs.ravel(), found.essential], dtype=np.int64, casting="unsafe"
    )
    outside = (columns < 0) | (columns >= n)
    if outside.any():
        raise broken(f"columns in 0..{n - 1}", columns[np.argmax(outside)])
    times = np.bincount(columns, minlength=n)
    if (times != 1).any():
        j = int(np.argmax(times != 1))
        raise broken(
            "every column once, in `pairs` or in `essential`", f"column {j} {times[j]} times"
        )
    births, deaths = found.pairs.T
    for expected, bad in (
        ("births before their deaths", births > deaths),
        ("births one dimension below their deaths", dims[births] != dims[deaths] - 1),
        ("`pairs` sorted by birth", np.diff(births, prepend=-1) < 0),
    ):
        if bad.any():
            i = int(np.argmax(bad))
            raise broken(expected, f"the pair {found.pairs[i].tolist()} in row {i}")
    descending = np.diff(found.essential) < 0
    if descending.any():
        i = int(np.argmax(descending))
        raise broken(
            "`essential` ascending", f"{found.essential[i : i + 2].tolist()} from index {i}"
        )
    return found


def _check_columns(
    name: str,
    columns: object,
    width: tuple[int, ...],
    broken: Callable[[str, object], BackendError],
) -> None:
    shape = f"(n, {width[0]})" if width else "(n,)"
    expected = f"`{name}` as an array of integers of shape {shape}"
    if not isinstance(columns, np.ndarray):
        raise broken(expected, type(columns).__name__)
    if columns.shape[1:] != width or not columns.ndim or columns.dtype.kind not in "iu":
        raise broken(expected, f"shape {columns.shape} and dtype {columns.dtype}")


def _check_shapes(indptr: Any, indices: Any, dimensions: Any) -> None:
    remedy = "pass the columns in CSC form, as scipy.sparse does"
    arrays: dict[str, NDArray[Any]] = {
        "indptr": as_array(indptr),
        "indices": as_array(indices),
        "dimensions": as_array(dimensions),
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
        raise InputError(
            f"`dimensions` must be in 0..127, got {dims[j]} at column {j}; vertices have 0"
        )


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
    # Entries of ∂∂ count paths of length two; these numbers fit into int32.
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
