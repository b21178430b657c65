"""A bound of the spectral norm of a matrix, by products alone.

For the Gram matrix G = W Wᵀ and any k, ‖W‖^(2k) = ‖G^k‖ ≤ ‖G^k‖_F ≤ √n ‖G^k‖. With k = 2^4 the
bound is too large by a factor of n^(1/64) at most, 1.12 for n = 1000. A singular value
decomposition would take longer, above all where other threads use the processors too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["spectral_norm_bound"]

_N_SQUARINGS = 4


def spectral_norm_bound(matrix: NDArray[np.float64]) -> float:
    """Return at least ‖W‖, and not much more."""
    largest = float(np.abs(matrix).max(initial=0.0))  # squares of tiny numbers would vanish
    if largest == 0.0:
        return 0.0
    scale = largest * float(np.linalg.norm(matrix / largest))
    w = matrix / scale
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    exponent = 2.0
    factor = 1.0
    for _ in range(_N_SQUARINGS):
        # A squaring rounds by at most n^(3/2) u relative to its result.
        gram = gram @ gram
        exponent *= 2.0
        size = float(np.linalg.norm(gram))
        gram, factor = gram / size, factor * size ** (1.0 / exponent)
    return scale * factor * (1 + 2.0**-20)
