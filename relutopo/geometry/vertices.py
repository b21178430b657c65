"""Vertices of a complex exactly, from the planes of the facets that meet there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from scipy import sparse

from relutopo.arithmetic.exact import Integers, intersection_point
from relutopo.errors import InputError, InvariantError
from relutopo.geometry.cells import Cells

__all__ = ["exact_vertex"]


def exact_vertex(
    complex_: Cells,
    region: int,
    vertex: int,
    maps: Sequence[Integers],
    corners: sparse.csr_array,
) -> Integers:
    """Return a vertex of a region exactly.

    Parameters
    ----------
    complex_ : Cells
    region, vertex : int
        A region and one of its vertices.
    maps : sequence of ndarrays of int objects
        `Network.exact_maps` of all hidden layers on the region.
    corners : scipy.sparse.csr_array
        ``complex_.cell_vertices(complex_.dim - 1)``.

    Returns
    -------
    (d + 1,) ndarray of int objects
        The point (X, W) in the sense of `relutopo.arithmetic.exact`.

    Raises
    ------
    InvariantError
        If the facets of the region at the vertex do not meet in one point.
    """
    network, sides = complex_.network, complex_.domain.side_planes()
    indptr, facets = complex_.facets[-1]
    planes = []
    for facet in facets[indptr[region] : indptr[region + 1]]:
        if vertex in corners.indices[corners.indptr[facet] : corners.indptr[facet + 1]]:
            label = int(complex_.facet_labels[facet])
            if label < 0:
                planes.append(sides[-1 - label])
            else:
                layer = int(network.layer_of(label))
                planes.append(maps[layer][label - network.layer_offsets[layer]])
    for chosen in combinations(planes, complex_.dim):
        try:
            return intersection_point(chosen)
        except InputError:  # their normals are dependent
            continue
    raise InvariantError(
        f"the {len(planes)} facets of region {region} at vertex {vertex} do not meet in one point"
    )
