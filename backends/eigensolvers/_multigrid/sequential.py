"""Multigrid that goes from node to node, on the host; pyamg aggregates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices.device import numpy_device
from relutopo.optional import require
from relutopo.system.compilation import njit

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

    def aggregate(self, matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return which aggregate each node is in; see `Scheme`."""
        strength = self._pyamg.strength.classical_strength_of_connection(matrix, theta=STRENGTH)
        members = self._pyamg.aggregation.standard_aggregation(strength)[0]
        return sparse.csr_matrix(members, dtype=np.float64)

    def smooth_down(self, level: Level, rights: Floats) -> Floats:
        """Sweep forwards, from 0."""
        x = np.zeros_like(rights)
        self._sweep(level, x, rights)
        return x

    def smooth_up(self, level: Level, x: Floats, rights: Floats) -> Floats:
        """Sweep backwards."""
        self._sweep(level, x, rights, backwards=True)
        return x

    def smooth_start(self, level: Level, x: Floats, rights: Floats) -> Floats:
        """Sweep forwards and backwards."""
        self._sweep(level, x, rights)
        self._sweep(level, x, rights, backwards=True)
        return x

    def _sweep(self, level: Level, x: Floats, rights: Floats, *, backwards: bool = False) -> None:
        matrix = level.matrix
        arrays = matrix.indptr, matrix.indices, matrix.data, level.inverse_diagonal
        _sweep(*arrays, x, rights, backwards)

    def noise(self, n_vectors: int, n: int, rng: np.random.Generator) -> Floats:
        """Return normal numbers."""
        return np.ascontiguousarray(rng.standard_normal((n, n_vectors)).T)


@njit(cache=True)
def _sweep(
    indptr: Any, indices: Any, data: Any, inverse: Any, x: Any, rights: Any, backwards: bool
) -> None:
    """Solve the equation of one node after the other for its own entry, in each row of x."""
    # Two rows at a time take little longer than one. The node's own entry is not told from others,
    # which costs a branch each, and indices are unsigned, which else are compared with 0.
    k, n = len(x), len(indptr) - 1
    for first in range(0, k - 1, 2):
        a, b, right_a, right_b = x[first], x[first + 1], rights[first], rights[first + 1]
        for step in range(n):
            i = np.uint32(n - 1 - step if backwards else step)
            total_a, total_b = 0.0, 0.0
            for p in range(np.uint32(indptr[i]), np.uint32(indptr[i + np.uint32(1)])):
                j = np.uint32(indices[p])
                total_a += data[p] * a[j]
                total_b += data[p] * b[j]
            a[i] += (right_a[i] - total_a) * inverse[i]
            b[i] += (right_b[i] - total_b) * inverse[i]
    if k % 2:
        a, right_a = x[k - 1], rights[k - 1]
        for step in range(n):
            i = np.uint32(n - 1 - step if backwards else step)
            total_a = 0.0
            for p in range(np.uint32(indptr[i]), np.uint32(indptr[i + np.uint32(1)])):
                total_a += data[p] * a[np.uint32(indices[p])]
            a[i] += (right_a[i] - total_a) * inverse[i]
