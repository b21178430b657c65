"""The boundary matrix of a filtered complex over Z/2, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoundaryMatrix"]


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

    @property
    def n_columns(self) -> int:
        """Number of cells."""
        return len(self.indptr) - 1
