"""Multigrid that treats all nodes at once, on any device."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.device import Device

from .aggregation import tentative_prolongation
from .hierarchy import Level, Scheme
from .products import chebyshev_step
from .random import uniform_numbers

__all__ = ["ParallelScheme"]

# Degree of the Chebyshev polynomial, and the lower end of its damping interval, as a share of the
# upper end.
_SMOOTHING = (3, 1 / 16)
_START_SMOOTHING = (4, 1 / 30)


class ParallelScheme(Scheme):
    """Aggregates around far apart roots, and smoothing by Chebyshev's polynomials in D⁻¹ L.

    Polynomials in D⁻¹ L are symmetric in the inner product of D: each smoothing is its own
    transpose.
    """

    def __init__(self, device: Device) -> None:
        self.device = device

    def aggregate(self, matrix: Any) -> Any:
        """Return which aggregate each node is in; see `Scheme`."""
        return tentative_prolongation(matrix, self.device)

    def smooth_down(self, level: Level, rights: Any) -> Any:
        """Smooth 0."""
        return self._smooth(level, [None] * len(rights), rights, *_SMOOTHING)

    def smooth_up(self, level: Level, x: Any, rights: Any) -> Any:
        """Smooth x."""
        return self._smooth(level, x, rights, *_SMOOTHING)

    def smooth_start(self, level: Level, x: Any, rights: Any) -> Any:
        """Smooth x more."""
        return self._smooth(level, x, rights, *_START_SMOOTHING)

    def _smooth(self, level: Level, x: Any, rights: Any, degree: int, lowest: float) -> Any:
        pairs = zip(x, rights, strict=True)
        rows = [self._smooth_row(level, row, right, degree, lowest) for row, right in pairs]
        return self.device.xp.stack(rows)

    def noise(self, n_vectors: int, n: int, rng: np.random.Generator) -> Any:
        """Return numbers between -1 and 1 that are the same on any device."""
        xp, seeds = self.device.xp, [int(rng.integers(2**63)) for _ in range(n_vectors)]
        return xp.stack([uniform_numbers(xp, n, seed) for seed in seeds])

    def _smooth_row(self, level: Level, x: Any, right: Any, degree: int, lowest: float) -> Any:
        """Return an x with less of L x - right in the upper part of the spectrum; None is 0.

        Y. Saad, Iterative methods for sparse linear systems, 2nd edition (2003), algorithm 12.1,
        preconditioned by the diagonal.
        """
        xp, inverse = self.device.xp, level.inverse_diagonal
        centre = level.bound * (1 + lowest) / 2
        half_width = level.bound * (1 - lowest) / 2
        ratio = half_width / centre
        if x is None:
            x = step = right * inverse / centre
        else:
            vectors = x, right, right, inverse
            step, x = chebyshev_step(xp, level.matrix, vectors, 0.0, 1 / centre)
        for _ in range(degree - 1):
            previous, ratio = ratio, 1 / (2 * centre / half_width - ratio)
            vectors = x, step, right, inverse
            keep, gain = ratio * previous, 2 * ratio / half_width
            step, x = chebyshev_step(xp, level.matrix, vectors, keep, gain)
        return x
