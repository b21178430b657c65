"""A numbering of cells that depends on the complex alone, not on who enumerated it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import freeze
from relutopo.geometry.cells import Cells
from relutopo.geometry.domain import FacetLists
from relutopo.geometry.patterns import pattern_keys

__all__ = ["canonical"]


_Cells = TypeVar("_Cells", bound=Cells)


def canonical(complex_: _Cells) -> _Cells:
    """Return the complex with cells in canonical order; see `CellComplex.canonical`.

    Regions ascend by packed pattern. A cell of lower dimension is the intersection of the
    regions and sides of the domain that contain it, so the ascending list of these determines it,
    and the lists order the cells.

    Parameters
    ----------
    complex_ : Cells

    Returns
    -------
    Cells
        Of the same class.
    """
    d = complex_.dim
    orders: list[NDArray[np.int64]] = [np.argsort(pattern_keys(complex_.packed_patterns))]
    rank = np.argsort(orders[0])
    # Rows: cells; columns: regions in canonical order, then sides.
    n_regions = complex_.n_regions
    containers = sparse.csr_array(
        (np.ones(n_regions, dtype=bool), (np.arange(n_regions), rank)),
        shape=(n_regions, n_regions + len(complex_.domain.halfspaces()[1])),
    )
    for k in range(d, 0, -1):
        containers = sparse.csr_array(complex_.boundary(k).astype(bool) @ containers)
        if k == d:
            border = np.flatnonzero(complex_.facet_labels < 0)
            sides = n_regions - 1 - complex_.facet_labels[border]
            containers = sparse.csr_array(
                containers
                + sparse.csr_array(
                    (np.ones(len(border), dtype=bool), (border, sides)), shape=containers.shape
                )
            )
        containers.sort_indices()
        keys = [tuple(x.tolist()) for x in np.split(containers.indices, containers.indptr[1:-1])]
        orders.append(np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64))
    orders.reverse()
    return replace(
        complex_,
        vertices=freeze(complex_.vertices[orders[0]]),
        vertex_errors=freeze(complex_.vertex_errors[orders[0]]),
        facets=tuple(
            _renumber(lists, orders[k], orders[k + 1]) for k, lists in enumerate(complex_.facets)
        ),
        packed_patterns=freeze(complex_.packed_patterns[orders[d]]),
        facet_labels=freeze(complex_.facet_labels[orders[d - 1]]),
    )


def _renumber(
    lists: FacetLists, order_below: NDArray[np.int64], order: NDArray[np.int64]
) -> FacetLists:
    """Reorder cells and rename their facets, ascending within a cell."""
    indptr, indices = lists
    matrix = sparse.csr_array(
        (np.ones(len(indices), dtype=bool), np.argsort(order_below)[indices], indptr),
        shape=(len(order), len(order_below)),
    )[order]
    matrix.sort_indices()
    return freeze(matrix.indptr.astype(np.int64)), freeze(matrix.indices.astype(np.int32))
