"""Smoothed aggregation: a hierarchy of coarser and coarser problems on a device.

P. Vaněk, J. Mandel, M. Brezina, "Algebraic multigrid by smoothed aggregation for second and fourth
order elliptic problems", Computing 56 (1996) 179-196. Which nodes are aggregated is decided on the
host, by pyamg; products of matrices, smoothing and cycles run on the device.

Invariants: every prolongation keeps constants, so constants are the kernel on every level; the
cycle is a symmetric operator, because Chebyshev's polynomials in D⁻¹ L are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices import Device

__all__ = ["Hierarchy", "Level", "csr_to_device"]

_COARSE = 100  # the coarsest level is solved densely
_MOST_LEVELS = 20
# Strength relative to the strongest edge of a node keeps aggregates off the weak edges of badly
# scaled graphs and still finds strong ones at hubs.
_STRENGTH = 0.25
_JACOBI = 4 / 3
_POWERS = 15  # steps of the power method, enough for one or two digits
_NOISE = 0.01
_TINY = float(np.finfo(np.float64).tiny)
# Degree of Chebyshev's polynomial, and the lower end of what it damps as a part of the upper end.
_SMOOTHING = (2, 1 / 8)
_START_SMOOTHING = (4, 1 / 30)


@dataclass(frozen=True, eq=False)
class Level:
    """One level but the coarsest; all arrays are on the device.

    Attributes
    ----------
    matrix : (n, n) csr_matrix
        L of this level.
    inverse_diagonal : (n,) array
        Of L.
    bound : float
        An upper bound of the eigenvalues of D⁻¹ L, Gershgorin's.
    prolongation, restriction : (n, m) and (m, n) csr_matrix
        To and from the next level, of each other's transpose.
    """

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
        residual = right if x is None else right - self.matrix @ x
        step = residual * (self.inverse_diagonal / centre)
        x = step if x is None else x + step
        for _ in range(degree - 1):
            residual = right - self.matrix @ x
            previous, ratio = ratio, 1 / (2 * centre / half_width - ratio)
            step = ratio * previous * step
            step += (2 * ratio / half_width) * self.inverse_diagonal * residual
            x = x + step
        return x


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
    def of(cls, matrix: Any, laplacian: sparse.csr_array, device: Device, pyamg: Any) -> Hierarchy:
        """Set up.

        Parameters
        ----------
        matrix : (n, n) csr_matrix
            L of a connected graph, on the device.
        laplacian : (n, n) scipy.sparse.csr_array
            The same on the host.
        device : Device
        pyamg : module
        """
        levels: list[Level] = []
        host: Any = laplacian
        while matrix.shape[0] > _COARSE and len(levels) < _MOST_LEVELS:
            strength = pyamg.strength.classical_strength_of_connection(host, theta=_STRENGTH)
            members = pyamg.aggregation.standard_aggregation(strength)[0]
            if not 0 < members.shape[1] < members.shape[0]:
                break
            level = _level(matrix, members, device)
            levels.append(level)
            matrix = level.restriction @ (matrix @ level.prolongation)
            host = _to_host(matrix, device)
        coarsest = host.toarray()
        coarsest = (coarsest + coarsest.T) / 2
        inverse = device.to_device(scipy.linalg.pinvh(coarsest))
        return cls(device, levels, coarsest, inverse)

    def cycle(self, right: Any, k: int = 0) -> Any:
        """Apply one V-cycle from level k on: an approximation of L⁺ right."""
        if k == len(self.levels):
            return self.coarse_inverse @ right
        level = self.levels[k]
        x = level.smooth(None, right)
        coarse = self.cycle(level.restriction @ (right - level.matrix @ x), k + 1)
        return level.smooth(x + level.prolongation @ coarse, right)

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
        lumped = [weights]
        for level in self.levels:
            lumped.append(self.device.xp.maximum(level.restriction @ lumped[-1], _TINY))
        roots = np.sqrt(self.device.to_host(lumped.pop()))
        dense = self.coarsest / np.multiply.outer(roots, roots)
        if len(dense) > 1:
            coarse = np.linalg.eigh(dense)[1][:, 1] / roots
        else:  # a star, for one
            coarse = rng.standard_normal(1)
        x = self.device.to_device(coarse)
        for level, w in zip(reversed(self.levels), reversed(lumped), strict=True):
            x = level.prolongation @ x
            x = x + _NOISE * abs(x).max() * self.device.to_device(rng.standard_normal(len(x)))
            quotient = (x @ (level.matrix @ x)) / (x @ (w * x))
            x = level.smooth(x, quotient * w * x, _START_SMOOTHING)
        return x


def _level(matrix: Any, members: Any, device: Device) -> Level:
    """Return a level whose coarse nodes are aggregates.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        On the device.
    members : (n, m) scipy.sparse matrix
        1 where a node is of an aggregate; a node of none is interpolated from its neighbours.
    """
    xp, csr = device.xp, device.sparse.csr_matrix
    matrix.sum_duplicates()  # sorts, which must not happen once its arrays are shared
    sizes = csr((abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    diagonal = xp.maximum(matrix.diagonal(), _TINY)
    bound = float(((sizes @ xp.ones(matrix.shape[1])) / diagonal).max())
    largest = _largest_eigenvalue(matrix, diagonal, device)
    tentative = csr_to_device(members.astype(np.float64), device)
    # P = (I - ω D⁻¹ L) T; the entries of L T are scaled row by row.
    change = matrix @ tentative
    entries = xp.arange(change.nnz)
    rows = xp.searchsorted(change.indptr, entries, side="right") - 1
    scaled = change.data * (_JACOBI / largest / diagonal)[rows]
    change = csr((scaled, change.indices, change.indptr), shape=change.shape)
    prolongation = (tentative - change).tocsr()
    return Level(matrix, 1 / diagonal, bound, prolongation, prolongation.T.tocsr())


def _largest_eigenvalue(matrix: Any, diagonal: Any, device: Device) -> float:
    """Return about the largest eigenvalue of D⁻¹ L, from below, by the power method."""
    x = device.to_device(np.random.default_rng(0).standard_normal(matrix.shape[0]))
    for _ in range(_POWERS):
        x = (matrix @ x) / diagonal
        x = x / abs(x).max()
    return float((x @ (matrix @ x)) / (x @ (diagonal * x)))


def csr_to_device(matrix: Any, device: Device) -> Any:
    """Return a matrix of the host as CSR of a device."""
    host = sparse.csr_matrix(matrix)
    arrays = (device.to_device(array) for array in (host.data, host.indices, host.indptr))
    return device.sparse.csr_matrix(tuple(arrays), shape=host.shape)


def _to_host(matrix: Any, device: Device) -> sparse.csr_matrix:
    arrays = (device.to_host(array) for array in (matrix.data, matrix.indices, matrix.indptr))
    return sparse.csr_matrix(tuple(arrays), shape=matrix.shape)
