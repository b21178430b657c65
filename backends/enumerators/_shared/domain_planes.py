"""The sides of a domain in which its faces lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers
from relutopo.geometry.domain import FaceLattice

__all__ = ["planes_of_faces"]


def planes_of_faces(faces: FaceLattice, sides: Integers) -> list[NDArray[np.int32]]:
    """Return, for each k-face of a domain, k < d, d - k sides whose intersection it spans.

    Parameters
    ----------
    faces : FaceLattice
    sides : (n_sides, d + 1) ndarray of int objects
        Exact planes.
    """
    d = faces.vertices.shape[1]
    containing: list[list[set[int]]] = [[{s} for s in faces.sides.tolist()]]
    for k in range(d - 1, 0, -1):
        indptr, indices = faces.facets[k - 1]
        below: list[set[int]] = [set() for _ in range(int(indices.max()) + 1)]
        for c, found in enumerate(containing[-1]):
            for f in indices[indptr[c] : indptr[c + 1]].tolist():
                below[f] |= found
        containing.append(below)
    return [
        np.array(
            [_independent(sorted(found), sides, d - k) for found in containing[d - 1 - k]],
            dtype=np.int32,
        )
        for k in range(d)
    ]


def _independent(numbers: list[int], sides: Integers, wanted: int) -> list[int]:
    """Return the first sides with linearly independent normals; there are so many as wanted."""
    if len(numbers) == wanted:
        return numbers
    chosen: list[int] = []
    basis: list[tuple[int, Integers]] = []
    for s in numbers:
        rest = sides[s, :-1].copy()
        for pivot, row in basis:
            rest = rest * row[pivot] - row * rest[pivot]
        (nonzero,) = np.nonzero(rest)
        if nonzero.size and len(chosen) < wanted:
            basis.append((int(nonzero[0]), rest))
            chosen.append(s)
    return chosen
