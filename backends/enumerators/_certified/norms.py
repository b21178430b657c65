"""Bounds of norms: Euclidean norms whose squares may underflow, and spectral norms by products.

Squares of numbers below 1e-154 underflow. If a sum of squares is so small that such numbers matter,
the norm is bounded by the largest number times the root of their count.

For the Gram matrix G = W Wᵀ and any k, ‖W‖^(2k) = ‖G^k‖ ≤ ‖G^k‖_F ≤ √n ‖G^k‖. With k = 2^4 the
bound is too large by a factor of at most n^(1/64), 1.12 for n = 1000. A singular value
decomposition would take longer, above all if other threads also use the processors.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

from .values import larger

__all__ = ["norm_from", "norm_of_difference", "norms_of_rows", "spectral_norm_bound"]

_N_SQUARINGS = 4
_VANISHING = 1e-280
"""Against sums of squares above this, squares that underflowed are negligible."""


@njit(cache=True)
def norm_from(square, numbers):
    """Return the norm of numbers whose squares add up to `square`, or a bound of it."""
    if square > _VANISHING:
        return np.sqrt(square)
    largest = 0.0
    for number in numbers:
        largest = larger(largest, abs(number))
    return np.sqrt(len(numbers)) * largest


@njit(cache=True)
def norm_of_difference(square, a, b):
    """Return the norm of a - b, whose squares add up to `square`, or a bound of it."""
    if square > _VANISHING:  # the difference need not be computed
        return np.sqrt(square)
    return norm_from(square, a - b)


def norms_of_rows(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return upper bounds of the norms of rows, tight up to rounding if no square underflows.

    Examples
    --------
    >>> norms_of_rows(np.array([[3.0, 4.0], [1e-200, 0.0]])).tolist()
    [5.0, 1.414213562373095e-200]
    """
    squares = (matrix * matrix).sum(axis=1)
    norms: NDArray[np.float64] = np.sqrt(squares)
    small = squares <= _VANISHING
    if small.any():
        largest = np.abs(matrix[small]).max(axis=1, initial=0.0)
        norms[small] = np.sqrt(matrix.shape[1]) * largest
    return norms


def spectral_norm_bound(matrix: NDArray[np.float64]) -> float:
    """Return a close upper bound of ‖W‖."""
    largest = float(np.abs(matrix).max(initial=0.0))  # squares of tiny numbers would underflow
    if largest == 0.0:
        return 0.0
    scale = largest * _norm(matrix / largest)
    w = matrix / scale
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    exponent = 2.0
    factor = 1.0
    for _ in range(_N_SQUARINGS):
        # A squaring rounds by at most n^(3/2) u relative to its result.
        gram = gram @ gram
        exponent *= 2.0
        size = _norm(gram)
        gram, factor = gram / size, factor * size ** (1.0 / exponent)
    return scale * factor * (1 + 2.0**-20)


def _norm(matrix: NDArray[np.float64]) -> float:
    """Return ‖W‖_F; NumPy's own function takes three times as long for small matrices."""
    flat = matrix.ravel(order="K")
    return sqrt(flat @ flat)
