"""Multigrid that goes from node to node, on the host, by the kernels of pyamg."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices.device import numpy_device
from relutopo.optional import require

from .aggregation import STRENGTH
from .hierarchy import Level, Scheme

__all__ = ["SequentialScheme"]

Floats = NDArray[np.float64]


class SequentialScheme(Scheme):
    """Aggregates one after the other, and the sweeps of Gauss and Seidel.

    Parameters
    ----------
    purpose : str
        What needs pyamg, for the error if it is missing.
    """

    def __init__(self, purpose: str) -> None:
        self.device = numpy_device()
        self._pyamg: Any = require("pyamg", purpose)
        # Without the checks around it, which take longer than the sweep on small levels.
        self._gauss_seidel: Any = self._pyamg.amg_core.gauss_seidel

    def aggregate(self, matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return which aggregate each node is in; see `Scheme`."""
        strength = self._pyamg.strength.classical_strength_of_connection(matrix, theta=STRENGTH)
        members = self._pyamg.aggregation.standard_aggregation(strength)[0]
        return sparse.csr_matrix(members, dtype=np.float64)

    def smooth_down(self, level: Level, right: Floats) -> Floats:
        """Sweep forwards, from 0."""
        x = np.zeros_like(right)
        self._sweep(level, x, right)
        return x

    def smooth_up(self, level: Level, x: Floats, right: Floats) -> Floats:
        """Sweep backwards."""
        self._sweep(level, x, right, backwards=True)
        return x

    def smooth_start(self, level: Level, x: Floats, right: Floats) -> Floats:
        """Sweep forwards and backwards."""
        self._sweep(level, x, right)
        self._sweep(level, x, right, backwards=True)
        return x

    def _sweep(self, level: Level, x: Floats, right: Floats, *, backwards: bool = False) -> None:
        matrix, n = level.matrix, len(x)
        nodes = (n - 1, -1, -1) if backwards else (0, n, 1)
        self._gauss_seidel(matrix.indptr, matrix.indices, matrix.data, x, right, *nodes)

    def noise(self, n_vectors: int, n: int, rng: np.random.Generator) -> Floats:
        """Return normal numbers."""
        return rng.standard_normal((n, n_vectors)).T
