"""Sparse matrices of arrays that kernels made, for which SciPy's checks would take longer."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from scipy import sparse

__all__ = ["csr_of"]

_EMPTY = sparse.csr_array((1, 1))


def csr_of(indptr: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> sparse.csr_array:
    """Return the square matrix with some rows.

    Parameters
    ----------
    indptr, columns, values : ndarrays
        In CSR form, known to be right: indices of one type, no row twice in a column, and nothing
        after the last row.

    Examples
    --------
    >>> import numpy as np
    >>> ends, columns = np.array([0, 1, 2], np.int32), np.array([1, 0], np.int32)
    >>> csr_of(ends, columns, np.array([2.0, 3.0])).toarray().tolist()
    [[0.0, 2.0], [3.0, 0.0]]
    """
    n = len(indptr) - 1
    matrix = sparse.csr_array.__new__(sparse.csr_array)
    # As a copy or a pickle is made: whatever else an empty one has, this one has, too.
    vars(matrix).update(vars(_EMPTY), indptr=indptr, indices=columns, data=values, _shape=(n, n))
    return matrix
