"""Error bounds of an eigenpair of a Laplacian, and which signs of the vector they leave open.

Everything is computed from differences along edges, xᵢ - xⱼ: in products of the diagonal of L with
x, a Fiedler value that is small against the weights would be lost in rounding.

Invariants, with r = L x - λ W_V x, the residual of a unit vector x (xᵀ W_V x = 1, 1ᵀ W_V x = 0),
and ρ its norm in W_V⁻¹, rounding included: λ is Rayleigh's quotient; an eigenvalue lies within ρ
of λ; and if no other eigenvalue but 0 is below λ + g, then x is within √2 ρ / g of a unit
eigenvector in the norm of W_V (C. Davis, W. M. Kahan, "The rotation of eigenvectors by a
perturbation. III", SIAM J. Numer. Anal. 7 (1970) 1-46, the sin θ theorem), so that entry i is off
by at most that over √wᵢ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import read_only
from relutopo.interfaces import EigenResult

__all__ = [
    "RESOLVED",
    "Quality",
    "certain_signs",
    "entry_bounds",
    "error_bound",
    "quality_of",
    "span_error",
]

RESOLVED = 1e-3
"""An eigenvalue counts as simple if the error of its unit vector is at most this."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """How well a unit vector solves a pencil.

    Attributes
    ----------
    value : float
        Rayleigh's quotient xᵀ L x / xᵀ W_V x.
    residual : float
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖); infinite for a value of 0.
    rounding : float
        About what rounding the entries of x adds to the residual: ε ‖|L| |x|‖ / (λ ‖W_V x‖).
    distance : float
        ρ: the norm of L x - λ W_V x in W_V⁻¹, with its rounding.
    """

    value: float
    residual: float
    rounding: float
    distance: float


def quality_of(laplacian: sparse.csr_array, weights: Floats, x: Floats) -> Quality:
    """Return the quality of a vector.

    Parameters
    ----------
    laplacian : (n, n) scipy.sparse.csr_array
        L.
    weights : (n,) ndarray
        Diagonal of W_V.
    x : (n,) ndarray
        With xᵀ W_V x = 1.

    Examples
    --------
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> found = quality_of(path, np.ones(3), np.array([1.0, 0.0, -1.0]) / np.sqrt(2.0))
    >>> round(found.value, 9), found.residual < 1e-15
    (1.0, True)
    """
    from relutopo.spectral.kernels import residual_norms  # loads numba

    matrix = laplacian.indptr, laplacian.indices, laplacian.data
    return Quality(*residual_norms(*matrix, read_only(weights), x))


def error_bound(distance: float, gap: float) -> float:
    """Return a bound of the distance of a unit vector from an eigenvector, in the norm of W_V.

    Parameters
    ----------
    distance : float
        See `Quality`.
    gap : float
        Distance from the value to the next eigenvalue.

    Examples
    --------
    >>> error_bound(0.0, 0.0), error_bound(1e-9, np.inf)
    (inf, 0.0)
    """
    return float(math.sqrt(2) * distance / gap) if gap > 0 else np.inf


def span_error(result: EigenResult, laplacian: sparse.csr_array, weights: Floats) -> float:
    """Return a bound of the distance of the span of computed eigenvectors from the true space.

    Parameters
    ----------
    result : EigenResult
    laplacian : (n, n) scipy.sparse.csr_array
        L.
    weights : (n,) ndarray
        Diagonal of W_V.

    Returns
    -------
    float
        Bound for each unit vector of the span, in the norm of W_V. The true space is that of all
        eigenvectors up to the last of the values.
    """
    vectors = np.ascontiguousarray(result.vectors.T)
    distances = [quality_of(laplacian, weights, x).distance for x in vectors]
    return error_bound(float(np.linalg.norm(distances)), result.next_value - result.values[-1])


def entry_bounds(weights: Floats, x: Floats, error: float) -> Floats:
    """Return a bound of the error of each entry.

    Parameters
    ----------
    weights : (n,) ndarray
        Diagonal of W_V.
    x : (n,) ndarray
        With xᵀ W_V x = 1 and 1ᵀ W_V x = 0, both rounded.
    error : float
        Bound of the error in the norm of W_V.

    Examples
    --------
    >>> entry_bounds(np.array([1.0, 4.0]), np.zeros(2), 1e-9).tolist()
    [1e-09, 5e-10]
    """
    from relutopo.spectral.kernels import bounds_of_entries  # loads numba

    bounds: Floats = bounds_of_entries(read_only(weights), np.ascontiguousarray(x), float(error))
    return bounds


def certain_signs(weights: Floats, x: Floats, error: float) -> NDArray[np.int8]:
    """Return the sign of each entry, 0 where it may be 0 or of the other sign; see `entry_bounds`.

    Parameters
    ----------
    weights, x : (n,) ndarray
    error : float

    Examples
    --------
    >>> certain_signs(np.ones(3), np.array([0.7, 1e-17, -0.7]), 1e-15).tolist()
    [1, 0, -1]
    """
    from relutopo.spectral import kernels  # loads numba

    signs: NDArray[np.int8]
    signs = kernels.certain_signs(read_only(weights), np.ascontiguousarray(x), float(error))
    return signs
