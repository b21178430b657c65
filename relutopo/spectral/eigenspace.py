"""The eigenspace of a Fiedler value, as far as double precision separates eigenvectors.

If the value is multiple, or so close to the next one that residuals cannot separate the two, there
is no unique Fiedler vector: any unit vector of the *eigenspace* is as good. The space is found by
asking for more pairs until a gap follows that is large against the errors. Within the span of these
pairs, values and vectors come from Rayleigh quotients that are summed along edges; this separates
values that residuals do not.

Invariants: the basis is W_V-orthonormal; if `Eigenspace.is_whole`, a unit vector of it is within
`Eigenspace.error` of a unit vector of the true space, in the norm of W_V.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy import sparse

from relutopo.interfaces import EigenResult
from relutopo.spectral.accuracy import RESOLVED, error_bound, quality_of

__all__ = ["MOST_PAIRS", "Eigenspace", "canonical_vector", "eigenspace"]

MOST_PAIRS = 16
"""At most this many pairs are asked for; an eigenspace of this dimension may be larger."""
_EPS = float(np.finfo(np.float64).eps)
_SUMMATION = 16  # roundings that a sum over edges may add up to, beyond those of its terms
_HAS_PART = 1e-6
_COMPARABLE = 1e6

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Eigenspace:
    """The eigenspace of the smallest non-zero eigenvalue.

    Attributes
    ----------
    value : float
        The eigenvalue.
    residual : float
        The largest of the relative residuals of the basis.
    basis : (n, m) ndarray
        W_V-orthonormal columns.
    error : float
        Bound of a unit vector's distance from the true space, in the norm of W_V, at most
        `relutopo.spectral.accuracy.RESOLVED`. If `is_whole` is False it is set to that number,
        and bounds nothing.
    gap : float
        (λ₃ - λ₂) / λ₂, the relative distance of the second smallest value from the smallest.
    is_gap_proved : bool
        Whether it is proved that below the next value there are no more eigenvalues than the
        dimension of the space.
    is_whole : bool
        Whether a gap follows the m values; otherwise the true space may be larger.
    iterations : int
        Iterations of the eigensolver, summed over all its calls.
    method : str
        The method that ran in the last call.
    """

    value: float
    residual: float
    basis: Floats
    error: float
    gap: float
    is_gap_proved: bool
    is_whole: bool
    iterations: int
    method: str


def eigenspace(
    solve: Callable[[int], EigenResult], laplacian: sparse.csr_array, weights: Floats
) -> Eigenspace:
    """Return the eigenspace of the smallest non-zero value.

    Parameters
    ----------
    solve : callable
        Takes a number of pairs, and returns that many converged pairs.
    laplacian : (n, n) scipy.sparse.csr_array
        L.
    weights : (n,) ndarray
        Diagonal of W_V.
    """
    most = min(MOST_PAIRS, len(weights) - 1)
    n_pairs, iterations = 1, 0
    while True:
        result = solve(n_pairs)
        iterations += result.iterations
        found = _separated(result, laplacian, weights, iterations)
        if found.is_whole or n_pairs == most:
            return found
        n_pairs = min(2 * n_pairs, most)


def _separated(
    result: EigenResult, laplacian: sparse.csr_array, weights: Floats, iterations: int
) -> Eigenspace:
    """Return the first pairs up to a gap, or all of them if none follows."""
    values, basis, rounding = _along_edges(result, laplacian, weights)
    next_value = float([*result.values.tolist(), result.next_value][len(values)])
    qualities = [quality_of(laplacian, weights, x) for x in np.ascontiguousarray(basis.T)]
    squares = accumulate(quality.distance**2 for quality in qualities)
    distances = [*map(math.sqrt, squares)]
    following = [*values[1:], next_value]
    n, m, error = len(values), 0, np.inf
    while error > RESOLVED and m < n:
        m += 1
        error = error_bound(distances[m - 1], next_value - values[m - 1])
        if m < n:
            error += error_bound(rounding, following[m - 1] - values[m - 1])
    return Eigenspace(
        value=values[0],
        residual=max(quality.residual for quality in qualities[:m]),
        basis=basis[:, :m],
        error=min(error, RESOLVED),
        gap=max(0.0, (following[0] - values[0]) / values[0]),
        is_gap_proved=result.is_next_value_proved,
        is_whole=error <= RESOLVED,
        iterations=iterations,
        method=result.method,
    )


def _along_edges(
    result: EigenResult, laplacian: sparse.csr_array, weights: Floats
) -> tuple[list[float], Floats, float]:
    """Return Ritz values and vectors of the pairs, and how far rounding moves the projected L.

    Pairs whose values are far larger than the first are left out, because they would hide the
    small ones in rounding.
    """
    first, *others = result.values.tolist()
    n_pairs = 1 + sum(value <= _COMPARABLE * first for value in others)
    x = result.vectors[:, :n_pairs]
    if n_pairs == 1:
        return [first], x, 0.0
    upper = sparse.triu(laplacian, k=1, format="coo")
    u, v = upper.coords
    roots = np.sqrt(-upper.data)[:, None]
    steps = roots * (x[u] - x[v])
    values, c = scipy.linalg.eigh(steps.T @ steps, x.T @ (weights[:, None] * x))
    # Differences are off by the rounding of the entries, sums by that of their terms.
    sizes = float(np.linalg.norm(roots * (np.abs(x[u]) + np.abs(x[v])), axis=0).max())
    largest = float(np.sqrt(values[-1]))
    rounding = _EPS * (2 * sizes * largest + _SUMMATION * largest**2) + (_EPS * sizes) ** 2
    return values.tolist(), x @ c, rounding


def canonical_vector(space: Floats, weights: Floats, references: Floats) -> Floats:
    """Return the unit vector of a space along the first reference that has a component in it.

    It depends on the space and the references alone, not on the basis. With the coordinates of
    regions as references, neither the eigensolver nor the order of the regions matters.

    Parameters
    ----------
    space : (n, m) ndarray
        W_V-orthonormal columns.
    weights : (n,) ndarray
        Diagonal of W_V.
    references : (n, q) ndarray
        If none of them has a component in the space, or there are none, the result is the vector
        with the largest entry at the node where vectors of the space can be largest (the first of
        several).

    Examples
    --------
    >>> space = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> canonical_vector(space, np.ones(3), np.array([[0.0, 3.0], [1.0, 0.0], [9.0, 0.0]]))
    array([0., 1., 0.])
    """
    for reference in references.T:
        c = space.T @ (weights * reference)
        size = float(np.linalg.norm(c))
        if size > _HAS_PART * float(np.sqrt(weights @ reference**2)):
            return np.asarray(space @ (c / size))
    sizes = np.linalg.norm(space, axis=1)
    c = space[int(np.argmax(sizes >= (1 - 1e-6) * sizes.max()))]
    return np.asarray(space @ (c / np.linalg.norm(c)))
