"""From eigenvectors to parts: how the rows of k eigenvectors are turned into k groups of nodes.

The vectors x₁, ..., x_k of L x = λ W_V x, where x₁ is constant, span a space. The parts must not
depend on the basis of the space that a solver returns. Those of `ClusterQr` and `KMeans` do not;
`Signs` has two parts and a single vector.

Invariant: a node gets part -1 where the error of the vectors leaves its part open.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_integer
from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.spectral.accuracy import certain_signs

__all__ = ["AutoRounding", "ClusterQr", "KMeans", "Rounding", "Signs", "numbered"]

Floats = NDArray[np.float64]

_TIED = 1e-6
"""Relative difference up to which two nodes are equally good as the first of a part."""


class Rounding(ABC):
    """Turns eigenvectors into parts."""

    @abstractmethod
    def __call__(
        self,
        vectors: Floats,
        weights: Floats,
        counts: NDArray[np.int64],
        *,
        error: float,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the part of each node.

        Parameters
        ----------
        vectors : (n, k) ndarray
            Orthonormal in W_V; the first is constant.
        weights : (n,) ndarray
            Diagonal of W_V.
        counts : (n,) ndarray of int64
            Data points in each node.
        error : float
            Bound of the distance of a unit vector in the span from the true space, in the norm of
            W_V.
        seed : int
            Seed of a random strategy.

        Returns
        -------
        (n,) ndarray of int64
            In 0..k - 1, or -1 for a node whose part is open.
        """


@dataclass(frozen=True)
class Signs(Rounding):
    """Two parts, by the sign of the Fiedler vector, as in `fiedler_partition`."""

    def __call__(
        self,
        vectors: Floats,
        weights: Floats,
        counts: NDArray[np.int64],
        *,
        error: float,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return 0 for negative entries of the second vector, and 1 for positive ones."""
        n_vectors = vectors.shape[1]
        if n_vectors != 2:
            raise InputError(
                f"`rounding` 'signs' gives two parts, got k={n_vectors}; choose 'cluster_qr'"
            )
        signs = certain_signs(weights, vectors[:, 1], error)
        return np.where(signs == 0, -1, (signs > 0).astype(np.int64))


@dataclass(frozen=True)
class ClusterQr(Rounding):
    """Parts around k nodes that QR factorisation with column pivoting selects.

    The rows of W_V^½ (x₁ ... x_k), taken as columns, are pivoted: each pivot is the node farthest
    from the span of the pivots before it. The orthogonal factor of the polar decomposition of the
    pivots turns the space so that its axes are close to them; a node belongs to the axis along
    which its row is longest (A. Damle, V. Minden, L. Ying, "Simple, direct and efficient multi-way
    spectral clustering", Information and Inference 8 (2019) 181-203, algorithm 1). Nothing is
    random, and a rotated basis gives the same parts. Among equally far nodes the pivot is the one
    with the smallest number.
    """

    def __call__(
        self,
        vectors: Floats,
        weights: Floats,
        counts: NDArray[np.int64],
        *,
        error: float,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the axis along which each row is longest."""
        rows = np.sqrt(weights)[:, None] * vectors
        pivots = _pivots(rows)
        left, _, right = np.linalg.svd(rows[pivots].T)
        lengths = np.abs(rows @ (left @ right))
        parts = np.argmax(lengths, axis=1)
        ordered = np.sort(lengths, axis=1)
        margin = ordered[:, -1] - ordered[:, -2]
        # The error of a row is at most that of each of its entries, in the norm of W_V.
        spread = np.finfo(np.float64).eps * np.linalg.norm(rows, axis=1)
        undecided = margin <= 2 * np.sqrt(vectors.shape[1]) * (error + 8 * spread)
        return np.where(undecided, -1, parts)


@dataclass(frozen=True)
class KMeans(Rounding):
    """Parts by k-means on the rows of the vectors, scaled to length one.

    Each node counts with the number of data points in it, or, if no node has any, with its vertex
    weight. The best of several random starts is taken (A. Y. Ng, M. I. Jordan, Y. Weiss, "On
    spectral clustering: analysis and an algorithm", NIPS 14 (2001), steps 4 to 6, there without
    weights). With weights 1 + count it finds classes better than `ClusterQr`. Needs scikit-learn.

    Parameters
    ----------
    n_starts : int, default 10
        Random starts, ≥ 1.
    """

    n_starts: int = 10

    def __post_init__(self) -> None:
        check_integer("n_starts", self.n_starts, 1, remedy="10 are enough")

    def __call__(
        self,
        vectors: Floats,
        weights: Floats,
        counts: NDArray[np.int64],
        *,
        error: float,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the group of each row."""
        cluster = require("sklearn.cluster", "the rounding 'k_means'")
        rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        masses = counts if counts.any() else weights
        k = vectors.shape[1]
        n_distinct = len(np.unique(rows[masses > 0].round(12), axis=0))
        if n_distinct < k:
            raise InputError(
                f"`points` must lie in regions that the eigenvectors tell apart, at least k={k}, "
                f"got {n_distinct}; choose the rounding 'cluster_qr', or a smaller k"
            )
        found = cluster.KMeans(k, n_init=self.n_starts, random_state=seed)
        parts: NDArray[np.int64] = found.fit(rows, sample_weight=masses).predict(rows)
        return parts.astype(np.int64)


@dataclass(frozen=True)
class AutoRounding(Rounding):
    """`Signs` for two parts, `ClusterQr` for more."""

    @staticmethod
    def chosen(k: int) -> Rounding:
        """Return the rounding that is used for k parts."""
        return Signs() if k == 2 else ClusterQr()

    def __call__(
        self,
        vectors: Floats,
        weights: Floats,
        counts: NDArray[np.int64],
        *,
        error: float,
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the parts of the chosen strategy."""
        chosen = self.chosen(vectors.shape[1])
        return chosen(vectors, weights, counts, error=error, seed=seed)


def numbered(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return parts renumbered in the order of their first nodes; -1 stays.

    Examples
    --------
    >>> numbered(np.array([-1, 4, 4, 0, 2])).tolist()
    [-1, 0, 0, 1, 2]
    """
    met, first = np.unique(parts, return_index=True)
    kept = met >= 0
    order = np.argsort(first[kept])
    number = np.full(int(parts.max(initial=-1)) + 2, -1, dtype=np.int64)
    number[met[kept][order]] = np.arange(kept.sum())
    return number[parts]


def _pivots(rows: Floats) -> list[int]:
    """Return the rows that pivoting takes first, as many as there are columns.

    They are found by Gram-Schmidt, done twice, so that our rule decides ties and not rounding.
    """
    remaining = rows.copy()
    pivots: list[int] = []
    for _ in range(rows.shape[1]):
        lengths = np.linalg.norm(remaining, axis=1)
        pivot = int(np.argmax(lengths >= (1 - _TIED) * lengths.max()))
        axis = remaining[pivot] / lengths[pivot]
        for _ in range(2):
            remaining -= np.outer(remaining @ axis, axis)
        pivots.append(pivot)
    return pivots
