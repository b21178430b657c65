"""Smoothed aggregation: a hierarchy of coarser and coarser problems on a device.

P. Vaněk, J. Mandel, M. Brezina, "Algebraic multigrid by smoothed aggregation for second and fourth
order elliptic problems", Computing 56 (1996) 179-196. The coarsest problem alone is solved on the
host.

Aggregating and smoothing are a `Scheme`'s: node by node (`sequential`), or for all nodes at once on
any device (`parallel`).

Invariants: every prolongation preserves constants, so constants are the kernel on every level; the
cycle is a symmetric operator, because smoothing after the coarse correction is the transpose of
smoothing before it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices.device import Device

from .products import product
from .random import uniform_numbers

__all__ = ["Hierarchy", "Level", "Scheme"]

_COARSE = 100  # the coarsest level is solved densely
_MOST_LEVELS = 20
_JACOBI = 4 / 3
_POWERS = 8  # steps of the power method, enough for one digit
_NOISE = 0.01
_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Level:
    """One level but the coarsest; all arrays are on the device.

    Attributes
    ----------
    matrix : (n, n) csr_matrix
        L of this level.
    inverse_diagonal : (n,) array
        Of L, 0 where its entry is 0.
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


class Scheme(ABC):
    """The parts of a hierarchy that may differ: aggregation, smoothing and noise.

    Attributes
    ----------
    device : Device
        Where the arrays are.
    """

    device: Device

    @abstractmethod
    def aggregate(self, matrix: Any) -> Any:
        """Return which aggregate each node is in.

        Parameters
        ----------
        matrix : (n, n) csr_matrix
            L of a graph, with sorted indices of type int32 and every diagonal entry.

        Returns
        -------
        (n, m) csr_matrix
            1 where a node belongs to an aggregate; a node in none is interpolated from neighbours.
        """

    @abstractmethod
    def smooth_down(self, level: Level, rights: Any) -> Any:
        """Return x whose residuals L x - right are less in the upper spectrum than those of 0.

        Right sides and what is smoothed are rows, (k, n).
        """

    @abstractmethod
    def smooth_up(self, level: Level, x: Any, rights: Any) -> Any:
        """Smooth x by the transpose of the operation of `smooth_down`. May change x."""

    @abstractmethod
    def smooth_start(self, level: Level, x: Any, rights: Any) -> Any:
        """Smooth starts that were interpolated from a coarser level. May change x."""

    @abstractmethod
    def noise(self, n_vectors: int, n: int, rng: np.random.Generator) -> Any:
        """Return independent numbers around 0, (n_vectors, n)."""


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """All levels of a Laplacian, finest first.

    Attributes
    ----------
    scheme : Scheme
    levels : list of Level
        Empty if the Laplacian is small enough to be solved densely.
    coarsest : (m, m) ndarray
        L of the coarsest level, on the host.
    coarse_inverse : (m, m) array
        Its pseudo-inverse, on the device.
    """

    scheme: Scheme
    levels: list[Level]
    coarsest: NDArray[np.float64]
    coarse_inverse: Any

    @classmethod
    def of(cls, matrix: Any, scheme: Scheme) -> Hierarchy:
        """Set up the hierarchy of a Laplacian.

        Parameters
        ----------
        matrix : (n, n) csr_matrix
            L of a connected graph, on the device of the scheme, with indices of type int32.
        scheme : Scheme
        """
        device = scheme.device
        levels: list[Level] = []
        while matrix.shape[0] > _COARSE and len(levels) < _MOST_LEVELS:
            matrix.sum_duplicates()  # sorts, which must not happen after its arrays are shared
            tentative = scheme.aggregate(matrix)
            if not 0 < tentative.shape[1] < tentative.shape[0]:
                break
            level = _level(matrix, tentative, device)
            levels.append(level)
            matrix = level.restriction @ (matrix @ level.prolongation)
        coarsest = _to_host(matrix, device).toarray()
        coarsest = (coarsest + coarsest.T) / 2
        inverse = device.to_device(scipy.linalg.pinvh(coarsest))
        return cls(scheme, levels, coarsest, inverse)

    def cycle(self, rights: Any, k: int = 0) -> Any:
        """Apply one V-cycle from level k on to rows: approximations of L⁺ right, (m, n)."""
        if k == len(self.levels):
            return rights @ self.coarse_inverse
        scheme, level = self.scheme, self.levels[k]
        xp, x = scheme.device.xp, scheme.smooth_down(level, rights)
        residuals = product(xp, level.matrix, x, rights, -1.0)
        coarse = self.cycle(product(xp, level.restriction, residuals), k + 1)
        return scheme.smooth_up(level, product(xp, level.prolongation, coarse, x), rights)

    def start(self, weights: Any, rng: np.random.Generator, n_vectors: int = 1) -> Any:
        """Return approximate first eigenvectors of the pencil, (n_vectors, n), from coarse to fine.

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
        n_vectors : int
        """
        scheme, device = self.scheme, self.scheme.device
        xp, lumped = device.xp, [weights]
        for level in self.levels:
            lumped.append(xp.maximum(product(xp, level.restriction, lumped[-1]), _TINY))
        roots = np.sqrt(device.to_host(lumped.pop()))
        dense = self.coarsest / np.multiply.outer(roots, roots)
        coarse = np.linalg.eigh(dense)[1][:, 1 : 1 + n_vectors] / roots[:, None]
        # A coarsest level of a few nodes has too few vectors, that of a star none.
        missing = rng.standard_normal((len(dense), n_vectors - coarse.shape[1]))
        coarse = np.concatenate([coarse, missing], axis=1)
        vectors = device.to_device(np.ascontiguousarray(coarse.T))
        for level, w in zip(reversed(self.levels), reversed(lumped), strict=True):
            vectors = product(xp, level.prolongation, vectors)
            noises = scheme.noise(n_vectors, vectors.shape[1], rng)
            sizes = abs(vectors).max(axis=1, keepdims=True)
            x = vectors + _NOISE * sizes * noises
            images = product(xp, level.matrix, x)
            quotients = (x * images).sum(axis=1) / (x * (w * x)).sum(axis=1)
            vectors = scheme.smooth_start(level, x, quotients[:, None] * w * x)
        return vectors


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
    inverse = xp.where(diagonal > _TINY, 1 / diagonal, 0.0)
    return Level(matrix, inverse, bound, prolongation, prolongation.T.tocsr())


def _gershgorin(matrix: Any, diagonal: Any, device: Device) -> float:
    xp = device.xp
    arrays = abs(matrix.data), matrix.indices, matrix.indptr
    sizes = device.sparse.csr_matrix(arrays, shape=matrix.shape)
    return float((product(xp, sizes, xp.ones(matrix.shape[1])) / diagonal).max())


def _largest_eigenvalue(matrix: Any, diagonal: Any, device: Device) -> float:
    """Return about the largest eigenvalue of D⁻¹ L, from below, by the power method."""
    xp = device.xp
    x = uniform_numbers(xp, matrix.shape[0], 0)
    for _ in range(_POWERS):
        x = product(xp, matrix, x) / diagonal
    return float((x @ product(xp, matrix, x)) / (x @ (diagonal * x)))


def _to_host(matrix: Any, device: Device) -> sparse.csr_matrix:
    arrays = (device.to_host(array) for array in (matrix.data, matrix.indices, matrix.indptr))
    return sparse.csr_matrix(tuple(arrays), shape=matrix.shape)
