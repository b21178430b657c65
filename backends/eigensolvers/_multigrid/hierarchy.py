"""Smoothed aggregation: a hierarchy of coarser and coarser problems on a device.

P. Vaněk, J. Mandel, M. Brezina, "Algebraic multigrid by smoothed aggregation for second and fourth
order elliptic problems", Computing 56 (1996) 179-196. The coarsest problem alone is solved on the
host.

Invariants: every prolongation keeps constants, so constants are the kernel on every level; the
cycle is a symmetric operator, because Chebyshev's polynomials in D⁻¹ L are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices.device import Device

from .products import chebyshev_step, product
from .random import random_numbers

__all__ = ["Hierarchy", "Level", "csr_to_device"]

_COARSE = 100  # the coarsest level is solved densely
_MOST_LEVELS = 20
_JACOBI = 4 / 3
_POWERS = 8  # steps of the power method, enough for one digit
_NOISE = 0.01
_TINY = float(np.finfo(np.float64).tiny)
# Degree of Chebyshev's polynomial, and the lower end of what it damps as a part of the upper end.
_SMOOTHING = (3, 1 / 16)
_START_SMOOTHING = (4, 1 / 30)


@dataclass(frozen=True, eq=False)
class Level:
    """One level but the coarsest; all arrays are on the device.

    Attributes
    ----------
    xp : module
    matrix : (n, n) csr_matrix
        L of this level.
    inverse_diagonal : (n,) array
        Of L.
    bound : float
        An upper bound of the eigenvalues of D⁻¹ L, Gershgorin's.
    prolongation, restriction : (n, m) and (m, n) csr_matrix
        To and from the next level, of each other's transpose.
    """

    xp: Any
    matrix: Any
    inverse_diagonal: Any
    bound: float
    prolongation: Any
    restriction: Any

    def smooth(self, x: Any, right: Any, smoothing: tuple[int, float] = _SMOOTHING) -> Any:
        """Return an x with less of L x - right in the upper part of the spectrum; None is 0.

        Y. Saad, Iterative methods for sparse linear systems, 2nd edition (2003), algorithm 12.1,
        preconditioned by the diagonal.
        """
        degree, lowest = smoothing
        centre = self.bound * (1 + lowest) / 2
        half_width = self.bound * (1 - lowest) / 2
        ratio = half_width / centre
        if x is None:
            x = step = right * self.inverse_diagonal / centre
        else:
            step, x = self._step(x, right, right, 0.0, 1 / centre)
        for _ in range(degree - 1):
            previous, ratio = ratio, 1 / (2 * centre / half_width - ratio)
            step, x = self._step(x, step, right, ratio * previous, 2 * ratio / half_width)
        return x

    def _step(self, x: Any, step: Any, right: Any, keep: float, gain: float) -> tuple[Any, Any]:
        vectors = x, step, right, self.inverse_diagonal
        return chebyshev_step(self.xp, self.matrix, vectors, keep, gain)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """All levels of a Laplacian, finest first.

    Attributes
    ----------
    device : Device
    levels : list of Level
        Empty if the Laplacian is so small that it is solved densely.
    coarsest : (m, m) ndarray
        L of the coarsest level, on the host.
    coarse_inverse : (m, m) array
        Its pseudo-inverse, on the device.
    """

    device: Device
    levels: list[Level]
    coarsest: NDArray[np.float64]
    coarse_inverse: Any

    @classmethod
    def of(cls, matrix: Any, device: Device, aggregate: Callable[[Any], Any]) -> Hierarchy:
        """Set up.

        Parameters
        ----------
        matrix : (n, n) csr_matrix
            L of a connected graph, on the device, with indices of type int32.
        device : Device
        aggregate : callable
            What aggregates nodes, from a matrix to an (n, m) csr_matrix, 1 where a node is of an
            aggregate; a node of none is interpolated from its neighbours.
        """
        levels: list[Level] = []
        while matrix.shape[0] > _COARSE and len(levels) < _MOST_LEVELS:
            matrix.sum_duplicates()  # sorts, which must not happen once its arrays are shared
            tentative = aggregate(matrix)
            if not 0 < tentative.shape[1] < tentative.shape[0]:
                break
            level = _level(matrix, tentative, device)
            levels.append(level)
            matrix = level.restriction @ (matrix @ level.prolongation)
        coarsest = _to_host(matrix, device).toarray()
        coarsest = (coarsest + coarsest.T) / 2
        inverse = device.to_device(scipy.linalg.pinvh(coarsest))
        return cls(device, levels, coarsest, inverse)

    def cycle(self, right: Any, k: int = 0) -> Any:
        """Apply one V-cycle from level k on: an approximation of L⁺ right."""
        if k == len(self.levels):
            return self.coarse_inverse @ right
        level = self.levels[k]
        xp, x = self.device.xp, level.smooth(None, right)
        residual = product(xp, level.matrix, x, right, -1.0)
        coarse = self.cycle(product(xp, level.restriction, residual), k + 1)
        return level.smooth(product(xp, level.prolongation, coarse, x), right)

    def start(self, weights: Any, rng: np.random.Generator) -> Any:
        """Return an approximate Fiedler vector of the pencil, (n,), from coarse to fine.

        J. C. Urschel, X. Hu, J. Xu, L. T. Zikatanov, "A cascadic multigrid algorithm for
        computing the Fiedler vector of graph Laplacians", J. Comput. Math. 33 (2015) 209-226.
        On each level W_V is lumped to a diagonal, and smoothing of L x = ρ W_V x, ρ the Rayleigh
        quotient, follows the interpolation. A little noise on each level keeps a symmetric graph
        from starting at another eigenvector, or orthogonal to the right one.

        Parameters
        ----------
        weights : (n,) array
            Diagonal of W_V.
        rng : numpy.random.Generator
        """
        xp = self.device.xp
        lumped = [weights]
        for level in self.levels:
            lumped.append(xp.maximum(product(xp, level.restriction, lumped[-1]), _TINY))
        roots = np.sqrt(self.device.to_host(lumped.pop()))
        dense = self.coarsest / np.multiply.outer(roots, roots)
        if len(dense) > 1:
            coarse = np.linalg.eigh(dense)[1][:, 1] / roots
        else:  # a star, for one
            coarse = rng.standard_normal(1)
        x = self.device.to_device(coarse)
        for level, w in zip(reversed(self.levels), reversed(lumped), strict=True):
            x = product(xp, level.prolongation, x)
            noise = _noise(xp, len(x), int(rng.integers(2**63)))
            x = x + _NOISE * abs(x).max() * noise
            quotient = (x @ product(xp, level.matrix, x)) / (x @ (w * x))
            x = level.smooth(x, quotient * w * x, _START_SMOOTHING)
        return x


def _level(matrix: Any, tentative: Any, device: Device) -> Level:
    """Return a level whose coarse nodes are aggregates; see `Hierarchy.of`."""
    xp, csr = device.xp, device.sparse.csr_matrix
    diagonal = xp.maximum(matrix.diagonal(), _TINY)
    bound = _gershgorin(matrix, diagonal, device)
    largest = _largest_eigenvalue(matrix, diagonal, device)
    # P = (I - ω D⁻¹ L) T; the entries of L T are scaled row by row.
    change = matrix @ tentative
    entries = xp.arange(change.nnz)
    rows = xp.searchsorted(change.indptr, entries, side="right") - 1
    scaled = change.data * (_JACOBI / largest / diagonal)[rows]
    change = csr((scaled, change.indices, change.indptr), shape=change.shape)
    prolongation = (tentative - change).tocsr()
    return Level(xp, matrix, 1 / diagonal, bound, prolongation, prolongation.T.tocsr())


def _gershgorin(matrix: Any, diagonal: Any, device: Device) -> float:
    xp = device.xp
    arrays = abs(matrix.data), matrix.indices, matrix.indptr
    sizes = device.sparse.csr_matrix(arrays, shape=matrix.shape)
    return float((product(xp, sizes, xp.ones(matrix.shape[1])) / diagonal).max())


def _largest_eigenvalue(matrix: Any, diagonal: Any, device: Device) -> float:
    """Return about the largest eigenvalue of D⁻¹ L, from below, by the power method."""
    xp = device.xp
    x = _noise(xp, matrix.shape[0], 0)
    for _ in range(_POWERS):
        x = product(xp, matrix, x) / diagonal
    return float((x @ product(xp, matrix, x)) / (x @ (diagonal * x)))


def _noise(xp: Any, n: int, seed: int) -> Any:
    """Return numbers between -1 and 1."""
    return (random_numbers(xp, n, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def csr_to_device(matrix: sparse.csr_array, device: Device) -> Any:
    """Return a matrix of the host as CSR of a device, with indices of type int32."""
    indices, indptr = (a.astype(np.int32, copy=False) for a in (matrix.indices, matrix.indptr))
    arrays = tuple(device.to_device(array) for array in (matrix.data, indices, indptr))
    return device.sparse.csr_matrix(arrays, shape=matrix.shape)


def _to_host(matrix: Any, device: Device) -> sparse.csr_matrix:
    arrays = (device.to_host(array) for array in (matrix.data, matrix.indices, matrix.indptr))
    return sparse.csr_matrix(tuple(arrays), shape=matrix.shape)
