"""The boundary matrix of a filtered complex over Z/2, as arrays.

Invariant: every `BoundaryMatrix` is valid: rows are smaller than their column, ascend, and are one
dimension lower; ∂∂ = 0. Reducers rely on this and check nothing.
"""

from __future__ import annotations

import numpy as np

from relutopo.arrays import freeze
from relutopo.geometry.cells import CellLists, check_cell_lists
from relutopo.homology.filtration import Filtration, check_filtration
from relutopo.interfaces import BoundaryMatrix
from relutopo.system.memory import Room

__all__ = ["boundary_matrix"]

_BYTES_AN_ENTRY, _BYTES_A_CELL = 50, 60
"""Memory for a boundary matrix, temporary arrays included."""


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
    check_cell_lists(complex_)
    check_filtration(filtration)
    n = sum(complex_.n_cells)
    n_entries = sum(len(facets) for _, facets in complex_.facets)
    Room().check(
        _BYTES_AN_ENTRY * n_entries + _BYTES_A_CELL * n,
        f"the boundary matrix of {n} cells",
        "take a smaller complex",
    )
    from relutopo.homology.order_kernels import boundary_columns  # loads numba

    facets = filtration.checked_facets(complex_)
    indptr, indices = boundary_columns(*facets, filtration.order, filtration.positions)
    dimensions = np.repeat(np.arange(len(complex_.n_cells), dtype=np.int8), complex_.n_cells)
    # The order was checked above, and ∂∂ = 0 is an invariant of the complex in any order.
    return BoundaryMatrix(
        freeze(indptr), freeze(indices), freeze(dimensions[filtration.order]), verify=False
    )
