"""Complexes of three dimensions as the page reads them.

The page itself cuts them by planes of any direction: a region, a facet or an edge that a plane cuts
becomes a polygon, a segment or a point of the section. For every plane, polygons of the section
share their corners, as regions do.

Invariant: everything here is for d = 3, where surfaces are triangles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.cells import Cells
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.homology.decision import decision
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition

__all__ = ["cut_triangles", "decision_triangles", "geometry_of_space"]

_Floats = NDArray[np.float64]


def geometry_of_space(complex_: Cells) -> dict[str, NDArray[Any]]:
    """Return the arrays of a complex in space.

    ``places``, the coordinates of the vertices; ``lines``, the two vertices of each edge;
    ``faceOffsets`` and ``faceLines``, the edges of each facet; ``bodyOffsets`` and ``bodyFaces``,
    the facets of each region; ``faceNeurons`` and ``faceBeside``, label and regions of each facet;
    ``middles``, a point inside each region; ``frameLines``, the edges of the domain;
    ``skin`` and ``skinFaces``, triangles of the facets on sides of the domain, and their facets.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 3.

    Examples
    --------
    >>> import relutopo as rt
    >>> line = ([[[1.0, 0.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    >>> cube = rt.decompose(line, rt.Box(-1, 1, dim=3), enumerator="exact")
    >>> arrays = geometry_of_space(cube)
    >>> arrays["frameLines"].shape, arrays["middles"].shape
    ((16, 2), (2, 3))
    """
    lines = complex_.facets[0][1].reshape(-1, 2)
    face_offsets, face_lines = complex_.facets[1]
    labels = complex_.facet_labels
    owner, corners = complex_.triangulation(2)
    on_side = labels[owner] < 0
    return {
        "places": complex_.vertices,
        "lines": lines,
        "faceOffsets": face_offsets,
        "faceLines": face_lines,
        "bodyOffsets": complex_.facets[2][0],
        "bodyFaces": complex_.facets[2][1],
        "faceNeurons": labels,
        "faceBeside": complex_.facet_regions,
        "middles": complex_.interior_points,
        "frameLines": lines[_on_two_sides(complex_)],
        "skin": corners[on_side],
        "skinFaces": owner[on_side],
        "patterns": complex_.packed_patterns,
    }


def _on_two_sides(complex_: Cells) -> NDArray[np.bool_]:
    """Tell which edges lie on two sides of the domain."""
    indptr, lines = complex_.facets[1]
    labels = np.repeat(complex_.facet_labels, np.diff(indptr))
    on_side = labels < 0
    n = complex_.n_cells[1]
    least, greatest = np.zeros(n, dtype=np.int64), np.full(n, np.iinfo(np.int64).min)
    np.minimum.at(least, lines[on_side], labels[on_side])
    np.maximum.at(greatest, lines[on_side], labels[on_side])
    found: NDArray[np.bool_] = least < greatest
    return found


def decision_triangles(complex_: Cells) -> tuple[_Floats, dict[str, NDArray[Any]]]:
    """Return where the decision changes, as triangles, (n, 3, 3), and whose surfaces these are.

    The surface of a class is the boundary of the union of cells where it wins: the triangles that
    have it on one of their sides, and the part of the domain's sides that it has. The arrays are
    ``wallClasses``, the two classes beside each triangle; ``sides``, triangles of the sides of the
    domain, cut where the decision changes, and ``sideClasses``, the class of each.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 3.

    Examples
    --------
    >>> import relutopo as rt
    >>> plane = ([[[1.0, 0.0, 0.0]], [[1.0]]], [[0.0], [-0.5]])  # 1 where x > 1/2, in a cube
    >>> cube = rt.decompose(plane, rt.Box(-1, 1, dim=3), enumerator="exact")
    >>> walls, arrays = decision_triangles(cube)
    >>> len(walls), arrays["wallClasses"].tolist(), len(arrays["sides"])
    (2, [[0, 1], [0, 1]], 28)
    """
    found = decision(complex_)
    cells = found.refined
    owner, corners = cells.triangulation(2)
    beside, walls = cells.facet_regions, found.wall_classes
    is_wall, is_side = walls[owner, 0] >= 0, beside[owner, 1] < 0
    triangles = cells.vertices[corners]
    return triangles[is_wall], {
        "wallClasses": walls[owner[is_wall]],
        "sides": triangles[is_side],
        "sideClasses": found.classes[beside[owner[is_side], 0]],
    }


def cut_triangles(part: FiedlerPartition | SpectralPartition) -> _Floats:
    """Return the facets between regions of different parts, as triangles, (n, 3, 3).

    Parameters
    ----------
    part : FiedlerPartition or SpectralPartition
        Of a complex of dimension 3.
    """
    complex_ = part.complex
    parts = part.sides if isinstance(part, FiedlerPartition) else part.parts
    beside = complex_.facet_regions
    is_cut = beside[:, 1] >= 0
    for region in beside.T:
        is_cut &= part.component[region]
    is_cut &= parts[beside[:, 0]] != parts[beside[:, 1]]
    return _triangles(complex_, is_cut)


def _triangles(cells: PolyhedralCells, which: NDArray[np.bool_]) -> _Floats:
    owner, corners = cells.triangulation(2)
    triangles: _Floats = cells.vertices[corners[which[owner]]]
    return triangles
