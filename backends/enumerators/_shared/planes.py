"""The planes in which cells lie, as floats with bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.domain import Domain

__all__ = ["PlaneTable", "sides_as_planes"]


@dataclass
class PlaneTable:
    """Zero sets of neurons on regions, and sides of the domain.

    Attributes
    ----------
    labels : (n,) ndarray of int32
        The neuron, or -1 - s for side s of the domain.
    regions : (n, ...) ndarray
        Identifies the region, in the complex before the neuron's layer: its number as int32, or its
        packed pattern.
    numbers : (n, d + 2) or (d + 2, n) ndarray
        A, c and the error bound e of A x + c over the domain; on a device one plane in a column.
    """

    labels: Any
    regions: Any
    numbers: Any


def sides_as_planes(domain: Domain) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the labels of the sides of a domain, and their numbers, (n, d + 2)."""
    normals, offsets = domain.halfspaces()
    n = len(offsets)
    labels = -1 - np.arange(n, dtype=np.int32)
    return labels, np.concatenate([normals, -offsets[:, None], np.zeros((n, 1))], axis=1)
