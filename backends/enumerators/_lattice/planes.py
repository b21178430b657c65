"""The planes in which cells lie, as floats with bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.domain import Domain

__all__ = ["PlaneTable"]


@dataclass(frozen=True)
class PlaneTable:
    """Zero sets of neurons on regions, and sides of the domain.

    Attributes
    ----------
    neurons : (n,) ndarray of int32
        The neuron, or -1 - s for side s of the domain.
    coefficients : (n, d + 2) ndarray
        A, c and the error bound e of A x + c over the domain.
    packed : (n, n_bytes) ndarray of uint8
        Pattern of the region, for the layers before.
    """

    neurons: NDArray[np.int32]
    coefficients: NDArray[np.float64]
    packed: NDArray[np.uint8]

    @classmethod
    def of_sides(cls, domain: Domain, n_bytes: int) -> PlaneTable:
        """Return the sides of a domain."""
        normals, offsets = domain.halfspaces()
        n = len(offsets)
        return cls(
            neurons=-1 - np.arange(n, dtype=np.int32),
            coefficients=np.concatenate([normals, -offsets[:, None], np.zeros((n, 1))], axis=1),
            packed=np.zeros((n, n_bytes), dtype=np.uint8),
        )

    def extended(self, others: Sequence[PlaneTable], names_only: bool) -> PlaneTable:
        """Return all rows one after another, or nothing but their `neurons`."""
        tables = [self, *others]
        neurons = np.concatenate([t.neurons for t in tables])
        if names_only:
            return PlaneTable(neurons, self.coefficients[:0], self.packed[:0])
        return PlaneTable(
            neurons=neurons,
            coefficients=np.concatenate([t.coefficients for t in tables]),
            packed=np.concatenate([t.packed for t in tables]),
        )
