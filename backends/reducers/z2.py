"""Our own reduction over Z/2: union-find where the matrix is a graph's, columns elsewhere.

Write ∂_k for the columns of dimension k. Their pairs depend on ranks of lower left submatrices
only, so they may be found for each k apart, and from the anti-transpose of ∂_k as well (de Silva,
Morozov, Vejdemo-Johansson, Dualities in persistent (co)homology, 2011, section 3).

- ∂_1 with at most two entries a column is the boundary matrix of a graph. Kruskal's union-find
  with the elder rule reduces it. A column with one entry is an edge to a ground node that is older
  than all others.
- ∂_D, D the largest dimension, with at most two entries a row is, anti-transposed, again such a
  matrix: nodes are the D-cells, edges the (D-1)-cells, both in reverse order, and a row with one
  entry is an edge to the ground (the outside of a ball). Nothing is assumed of the complex: on a
  closed surface no row has one entry, no node is tied to the ground, and the last D-cell of each
  component has no partner, which is the essential class.
- The rest is reduced by columns from the left, from large k to small, with clearing (Chen and
  Kerber, Persistent homology computation with a twist, EuroCG 2011): a column known as a birth is
  zero. Rows known as deaths are left out (Bauer, Kerber, Reininghaus, Clear and compress, 2014,
  section 3): a reduced column is a cycle, and the last cell of a cycle is a birth.

Both conditions are checked while the graphs are read, and a matrix that fails one goes to the
column reduction.
"""

from __future__ import annotations

import time

import numpy as np

from relutopo.errors import InputError
from relutopo.interfaces import Reducer, Reduction
from relutopo.interfaces.reducer import BoundaryMatrix

__all__ = ["Z2Reducer"]

_MAX_COLUMNS = 2**31 - 2
"""Cells are numbered by int32 here, and one more number stands for the ground node."""


class Z2Reducer(Reducer):
    """Union-find for H_0 and H_{D-1}, column reduction with clearing in between.

    Examples
    --------
    A circle of two vertices and two edges:

    >>> from relutopo.interfaces.reducer import BoundaryMatrix
    >>> circle = BoundaryMatrix(np.array([0, 0, 0, 2, 4]), np.array([0, 1, 0, 1]),
    ...                         np.array([0, 0, 1, 1]))
    >>> result = Z2Reducer().reduce(circle)
    >>> result.pairs.tolist(), result.essential.tolist(), result.method
    ([[1, 2]], [0, 3], 'z2 (∂1 union-find)')
    """

    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        """Return the persistence pairs; see `Reducer`."""
        begin = time.perf_counter()
        from . import _pairing as kernels  # loads numba

        indptr, indices, dims = boundary.indptr, boundary.indices, boundary.dimensions
        n = boundary.n_columns
        if n > _MAX_COLUMNS:
            raise InputError(
                f"`boundary` must have at most {_MAX_COLUMNS} columns, got {n}; "
                "shrink the domain or the network"
            )
        partner = np.full(n, -1, dtype=np.int32)
        top = int(dims.max(initial=0))
        ways: dict[int, str] = {}
        if top >= 1:
            if kernels.pair_edges(
                indptr, indices, dims, np.arange(n + 1, dtype=np.uint32), partner
            ):
                ways[1] = "union-find"
            else:
                partner[:] = -1
        if top >= 2:
            ends = np.zeros((n, 2), dtype=np.uint32)
            if kernels.dual_edges(indptr, indices, dims, top, ends):
                parent = np.arange(n + 1, dtype=np.uint32)
                kernels.pair_dual_edges(ends, dims, top, parent, partner)
                ways[top] = "dual union-find"
        for k in range(top, 0, -1):
            if k not in ways:
                kernels.pair_columns(indptr, indices, dims, k, partner)
                ways[k] = "columns"
        pairs, essential = kernels.collect(partner)
        method = ", ".join(f"∂{k} {ways[k]}" for k in sorted(ways))
        seconds = time.perf_counter() - begin
        return Reduction(pairs, essential, seconds, f"z2 ({method})" if ways else "z2")
