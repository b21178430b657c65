"""Plane complexes as polygons and segments, all regions at once.

Invariant: everything here is for d = 2, where a facet is an edge with two vertices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polyhedra import PolyhedralCells

__all__ = ["edge_vertices", "polygons", "zero_segments"]

_RELATIVE_ZERO = 1e-12
"""Values below this fraction of the largest one are rounding errors of zero."""


def _require_plane(complex_: PolyhedralCells) -> None:
    """Refuse a complex that is not two-dimensional.

    Raises
    ------
    InputError
        If the dimension is not 2.
    """
    if complex_.dim != 2:
        raise InputError(
            f"`complex_` must have dimension 2 to be drawn, got dimension {complex_.dim}; "
            "decompose the network on a plane, an AffineSlice of two dimensions"
        )


def edge_vertices(complex_: Cells) -> NDArray[np.int32]:
    """Return the two vertices of each edge of a plane complex, (n_1, 2)."""
    _require_plane(complex_)
    return complex_.facets[0][1].reshape(-1, 2)


def polygons(complex_: PolyhedralCells) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the vertices of every region of a plane complex, counterclockwise.

    Parameters
    ----------
    complex_ : PolyhedralCells
        Of dimension 2.

    Returns
    -------
    indptr : (n_regions + 1,) ndarray of int64
    vertices : (indptr[-1],) ndarray of int64
        Region r has the vertices ``vertices[indptr[r]:indptr[r + 1]]`` in this order.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> line = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    >>> indptr, vertices = polygons(decompose(line, Box(-1, 1, dim=2), enumerator="exact"))
    >>> indptr.tolist()
    [0, 4, 8]
    """
    _require_plane(complex_)
    incidence = complex_.cell_vertices(2)
    owner = np.repeat(np.arange(complex_.n_regions), np.diff(incidence.indptr))
    # A convex polygon is seen from an interior point in the order of angles.
    x, y = (complex_.vertices[incidence.indices] - complex_.interior_points[owner]).T
    order = np.lexsort((np.arctan2(y, x), owner))
    return incidence.indptr.astype(np.int64), incidence.indices[order].astype(np.int64)


def zero_segments(complex_: Cells, values: ArrayLike) -> NDArray[np.float64]:
    """Return the zero set of a function that is affine on every region of a plane complex.

    On a region where the function has both signs, its zero set is one segment between two points
    of the polygon: zeros inside edges, which follow by interpolation, or vertices. Elsewhere it
    consists of whole edges, or of whole regions, whose border is returned.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2.
    values : (n_0,) array_like
        The function at the vertices. Values below 1e-12 of the largest count as zero.

    Returns
    -------
    (n, 2, 2) ndarray of float64
        End points of the segments, in no particular order; no segment comes twice.

    Raises
    ------
    InputError
        If the dimension is not 2 or there is not one finite value for each vertex.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> line = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    >>> complex_ = decompose(line, Box(-1, 1, dim=2), enumerator="exact")
    >>> zero_segments(complex_, complex_.vertices[:, 1]).shape
    (2, 2, 2)
    """
    edges = edge_vertices(complex_)
    f = np.asarray(values, dtype=np.float64)
    if f.shape != (complex_.n_cells[0],) or not np.isfinite(f).all():
        raise InputError(
            f"`values` must be {complex_.n_cells[0]} finite numbers, one for each vertex, got "
            f"shape {f.shape}; pass the function's values at `complex_.vertices`"
        )
    sign = np.where(np.abs(f) <= _RELATIVE_ZERO * np.abs(f).max(), 0, np.sign(f)).astype(np.int8)
    incidence = complex_.cell_vertices(2)
    highest = np.maximum.reduceat(sign[incidence.indices], incidence.indptr[:-1])
    lowest = np.minimum.reduceat(sign[incidence.indices], incidence.indptr[:-1])

    # Across regions: all zeros on the border of a region with both signs, of which the
    # lexicographically first and last are the ends of the segment.
    start, end = edges.T
    crossed = sign[start] * sign[end] < 0
    fraction = np.zeros(len(edges))
    fraction[crossed] = f[start[crossed]] / (f[start[crossed]] - f[end[crossed]])
    crossings = complex_.vertices[start] + fraction[:, None] * (
        complex_.vertices[end] - complex_.vertices[start]
    )
    indptr, edge = complex_.facets[1]
    edge_owner = np.repeat(np.arange(complex_.n_regions), np.diff(indptr))
    vertex_owner = np.repeat(np.arange(complex_.n_regions), np.diff(incidence.indptr))
    on_edge = crossed[edge]
    mixed = (lowest < 0) & (highest > 0)
    on_vertex = (sign[incidence.indices] == 0) & mixed[vertex_owner]
    owner = np.concatenate([edge_owner[on_edge], vertex_owner[on_vertex]])
    points = np.concatenate(
        [crossings[edge[on_edge]], complex_.vertices[incidence.indices[on_vertex]]]
    )
    order = np.lexsort((points[:, 1], points[:, 0], owner))
    _, first = np.unique(owner[order], return_index=True)
    last = np.append(first, len(order))[1:] - 1
    across = points[order][np.stack([first, last], axis=1)]

    # Along edges, unless zero on all sides of the edge.
    flat = (lowest == 0) & (highest == 0)
    regions = complex_.facet_regions
    second = np.where(regions[:, 1] < 0, regions[:, 0], regions[:, 1])
    whole = (sign[start] == 0) & (sign[end] == 0) & ~(flat[regions[:, 0]] & flat[second])
    return np.concatenate([across, complex_.vertices[edges[whole]]])
