"""Small pencils, solved by the eigenvectors of the pseudo-inverse.

Graphs of a few nodes may be scaled worse than large ones: a million points in one region, facets
of length 1e-12. The largest eigenvalues of A⁺ = W_V^{1/2} L⁺ W_V^{1/2} correspond to the smallest
of the pencil, and are found as accurately as A⁺ is known. So A⁺ is computed without cancellation:
the Laplacian without one node, the *ground*, has an inverse with no negative entry, and both its
elimination, with pivots that are sums (see `_factorisation.cholesky`), and the substitution add up
numbers of one sign. So every entry is accurate, whatever the weights.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["smallest_vectors"]

Floats = NDArray[np.float64]
_N_POLISHES = 4
_ROUNDINGS = 16
"""Error of eigenvalues, in roundings of the largest one, divided by the size of the matrix."""


def smallest_vectors(laplacian: Floats, roots: Floats, n_vectors: int) -> tuple[Floats, float]:
    """Return g of the first eigenvectors outside the kernel, and a lower bound of the last value.

    If values are many decades apart, rounding of the first ones hides the last.

    Parameters
    ----------
    laplacian : (n, n) ndarray
        L of a connected graph; only its off-diagonal entries are used.
    roots : (n,) ndarray
        Diagonal of W_V^{1/2}.
    n_vectors : int
        At most n - 1.

    Returns
    -------
    g : (n, n_vectors) ndarray
        Orthonormal columns.
    at_least : float
        Lower bound of the last eigenvector's value.
    """
    # Grounding a light node at a weak edge would leave a large multiple of the constants to project
    # away; the heaviest node is never far off in the norm of W_V.
    last = len(roots) - 1
    order = np.arange(len(roots))
    order[[int(np.argmax(roots)), last]] = order[[last, int(np.argmax(roots))]]
    inner = roots[order]
    kernel = inner / np.linalg.norm(inner)
    inverse = _grounded_inverse(np.ascontiguousarray(laplacian[np.ix_(order, order)]))

    def project(g: Floats) -> Floats:
        for _ in range(2):
            g = g - np.multiply.outer(kernel, kernel @ g)
        return g

    def invert(g: Floats) -> Floats:
        y = inverse @ (inner[:, None] * project(g))
        y -= (kernel @ (inner[:, None] * y)) / (kernel @ inner)
        return project(inner[:, None] * y)

    matrix = invert(np.eye(len(roots)))
    scale = float(np.abs(matrix).max())
    matrix = (matrix + matrix.T) / (2 * scale)
    first = len(roots) - n_vectors
    inverses, g = scipy.linalg.eigh(matrix, subset_by_index=[first, last])
    if len(inverses) < n_vectors:  # LAPACK may leave out some of many equal ones
        inverses, g = (x[..., first:] for x in np.linalg.eigh(matrix))
    error = _ROUNDINGS * len(roots) * np.finfo(np.float64).eps
    at_least = float(1.0 / (scale * (max(float(inverses[0]), 0.0) + error)))
    # The same bound from the pencil itself, in which rounding of the largest values hides others.
    values = np.linalg.eigvalsh(laplacian / np.multiply.outer(roots, roots))
    at_least = max(at_least, float(values[n_vectors] - error * values[-1]))
    g = g[:, ::-1]
    for _ in range(_N_POLISHES):  # makes relatively small entries accurate
        g = project(np.linalg.qr(invert(g) / scale)[0])
    given = np.empty_like(g)
    given[order] = g
    return given, at_least


@njit(cache=True)
def _grounded_inverse(laplacian: Floats) -> Floats:
    """Return the inverse of a Laplacian without its last node, with zeros for that node."""
    n = len(laplacian)
    factor = np.zeros((n, n))  # minus the off-diagonal entries, eliminated in place
    for i in range(n):
        for j in range(n):
            if i != j:
                factor[i, j] = -laplacian[i, j]
    pivots = np.ones(n)
    for k in range(n - 1):
        pivot = 0.0
        for j in range(k + 1, n):
            pivot += factor[k, j]
        pivots[k] = pivot
        if pivot <= 0.0:
            continue
        for i in range(k + 1, n):
            share = factor[i, k] / pivot
            if share > 0.0:
                for j in range(k + 1, n):
                    if i != j:
                        factor[i, j] += share * factor[k, j]
    inverse = np.zeros((n, n))
    for c in range(n - 1):
        x = inverse[c]  # the inverse is symmetric
        x[c] = 1.0
        for k in range(n - 1):
            if pivots[k] > 0.0:
                x[k] /= pivots[k]
                for i in range(k + 1, n - 1):
                    x[i] += factor[i, k] * x[k]
        # x is D⁻¹ times the forward solution; the backward substitution adds multiples of entries
        # that are known.
        for k in range(n - 2, -1, -1):
            if pivots[k] > 0.0:
                for j in range(k + 1, n - 1):
                    x[k] += factor[k, j] * x[j] / pivots[k]
    return inverse
