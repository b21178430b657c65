"""The search of union-find, for compiled kernels of reducers and of cycles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["find"]


@njit(cache=True, inline="always")
def find(parent: NDArray[np.uint32], node: np.uint32) -> np.uint32:
    """Return the root of a node, and halve the path to it, in place.

    Places are unsigned: signed ones would be tested for negative indices at every access.

    Parameters
    ----------
    parent : (n,) ndarray of uint32
        A root is its own parent.
    node : uint32

    Examples
    --------
    >>> parent = np.array([0, 0, 1, 2], np.uint32)
    >>> int(find(parent, np.uint32(3))), parent.tolist()
    (0, [0, 0, 1, 1])
    """
    above = parent[node]
    while above != node:
        grandparent = parent[above]
        parent[node] = grandparent
        node = grandparent
        above = parent[node]
    return node
