"""The role that finds the Fiedler pair of a weighted Laplacian."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.errors import BackendError
from relutopo.interfaces.laws import broken_law

__all__ = [
    "EigenResult",
    "Eigensolver",
    "PreparedLaplacian",
    "checked_eigenpair",
    "checked_preparation",
]

_NORMALISED = 1e-6
"""How far the normalisation of an eigenvector may be off; far more than rounding."""


@dataclass(frozen=True)
class EigenResult:
    """The smallest non-zero eigenpair of a pencil.

    Attributes
    ----------
    value : float
        Eigenvalue λ > 0.
    vector : (n,) ndarray of float64
        Eigenvector x with xᵀ W_V x = 1 and 1ᵀ W_V x = 0; its largest entry by modulus (the
        first of several) is positive.
    residual : float
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖), computed afresh from the result.
    iterations : int
        Outer iterations, 0 for a dense solution.
    seconds : float
        Wall-clock time.
    method : str
        The method that ran: the registry name, or "dense" for a tiny graph.
    status : {"converged", "not_converged"}
        Whether the residual is at most the tolerance asked for; or at most 1e-6 and no larger than
        the rounding error of computing it, so that double precision allows no smaller one.
    """

    value: float
    vector: NDArray[np.float64]
    residual: float
    iterations: int
    seconds: float
    method: str
    status: Literal["converged", "not_converged"]


class Eigensolver(ABC):
    """Finds the Fiedler pair of the pencil L x = λ W_V x.

    A backend implements `solve`. One that does work for L alone may implement `prepare` too, so
    that pencils with the same L and other vertex weights share that work.

    Laws: the value is the smallest eigenvalue on the W_V-complement of the constants; the
    residual is the true one; the same seed gives the same result, whether L was prepared before or
    not; NumPy's global random state is left as it was.
    """

    @abstractmethod
    def solve(
        self, laplacian: sparse.csr_array, vertex_weights: NDArray[np.float64], *, seed: int = 0
    ) -> EigenResult:
        """Return the Fiedler pair of a connected graph.

        Parameters
        ----------
        laplacian : (n, n) scipy.sparse.csr_array
            L = ∂ᵀ W_E ∂: symmetric, positive semidefinite, with the constants as its kernel;
            n ≥ 2.
        vertex_weights : (n,) ndarray
            Diagonal of W_V, positive; may be read-only.
        seed : int
            Seed of the random start.
        """

    def prepare(self, laplacian: sparse.csr_array) -> PreparedLaplacian:
        """Return what solves pencils of one Laplacian, for any vertex weights.

        The two pencils of a checkpoint, with the data as weights and without, have the same
        Laplacian. Numbering its nodes and factorising it take a third of the time in which
        `arpack` solves both, if there are 30,000 nodes, and a tenth if there are 400; the
        hierarchy of `amg_lobpcg` takes a tenth. Unless a backend says otherwise nothing is
        prepared: each solution calls `solve`.

        Parameters
        ----------
        laplacian : (n, n) scipy.sparse.csr_array
            L, as for `solve`; must not be changed while the result is in use.

        Returns
        -------
        PreparedLaplacian

        Examples
        --------
        >>> from relutopo import registry
        >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
        >>> prepared = registry.create("eigensolver", "auto").prepare(path)
        >>> [round(prepared.solve(np.array([1.0, w, 1.0])).value, 9) for w in (1, 3)]
        [1.0, 1.0]
        """
        return _Unprepared(self, laplacian)


class PreparedLaplacian(ABC):
    """A Laplacian that an eigensolver has prepared; see `Eigensolver.prepare`.

    Law: every solution is the one that the eigensolver finds without preparation, whatever was
    solved before.
    """

    @abstractmethod
    def solve(self, vertex_weights: NDArray[np.float64], *, seed: int = 0) -> EigenResult:
        """Return the Fiedler pair for some vertex weights; see `Eigensolver.solve`.

        The `seconds` of the result are those of this solution alone.
        """


@dataclass(frozen=True, eq=False)
class _Unprepared(PreparedLaplacian):
    eigensolver: Eigensolver
    laplacian: sparse.csr_array

    def solve(self, vertex_weights: NDArray[np.float64], *, seed: int = 0) -> EigenResult:
        return self.eigensolver.solve(self.laplacian, vertex_weights, seed=seed)


def checked_preparation(prepared: object, eigensolver: Eigensolver) -> PreparedLaplacian:
    """Return what `Eigensolver.prepare` returned, if it is a `PreparedLaplacian`.

    Parameters
    ----------
    prepared : object
        What `eigensolver` returned.
    eigensolver : Eigensolver

    Raises
    ------
    BackendError
        If it is something else.

    Examples
    --------
    >>> class Solver(Eigensolver):
    ...     def solve(self, laplacian, vertex_weights, *, seed=0): ...
    ...     def prepare(self, laplacian): ...
    >>> checked_preparation(Solver().prepare(None), Solver())
    Traceback (most recent call last):
    ...
    relutopo.errors.BackendError: ... must return a PreparedLaplacian from `prepare`, got ...
    """
    if not isinstance(prepared, PreparedLaplacian):
        kind = type(prepared).__name__
        raise broken_law("eigensolver", eigensolver, "a PreparedLaplacian from `prepare`", kind)
    return prepared


def checked_eigenpair(
    found: object,
    eigensolver: Eigensolver,
    laplacian: sparse.csr_array,
    vertex_weights: NDArray[np.float64],
) -> EigenResult:
    """Return what an eigensolver returned, if value and vector have the residual that it states.

    That no smaller eigenvalue exists, and the sign of the vector, are not tested. The numbers of
    a pair that did not converge may be anything.

    Parameters
    ----------
    found : object
        What `eigensolver` returned.
    eigensolver : Eigensolver
    laplacian : (n, n) scipy.sparse.csr_array
        L, as for `Eigensolver.solve`.
    vertex_weights : (n,) ndarray
        Diagonal of W_V.

    Raises
    ------
    BackendError
        If it is no `EigenResult`, or breaks what that says of value, vector and residual.

    Examples
    --------
    >>> class Constant(Eigensolver):
    ...     def solve(self, laplacian, vertex_weights, *, seed=0):
    ...         return EigenResult(1.0, np.full(2, 0.5**0.5), 0.0, 1, 0.0, "constant", "converged")
    >>> edge, weights = sparse.csr_array([[1.0, -1.0], [-1.0, 1.0]]), np.ones(2)
    >>> checked_eigenpair(Constant().solve(edge, weights), Constant(), edge, weights)
    Traceback (most recent call last):
    ...
    relutopo.errors.BackendError: ... a vector with 1ᵀ W_V x = 0, got 1.41421; ...
    """

    def broken(expected: str, came: object) -> BackendError:
        return broken_law("eigensolver", eigensolver, expected, came)

    if not isinstance(found, EigenResult):
        raise broken("an EigenResult", type(found).__name__)
    if found.status not in ("converged", "not_converged"):
        raise broken("the `status` 'converged' or 'not_converged'", repr(found.status))
    for name in ("value", "residual"):
        number = getattr(found, name)
        if not isinstance(number, Real):
            raise broken(f"a number as `{name}`", type(number).__name__)
    if found.status == "not_converged":
        return found
    if not 0 < found.value < np.inf:
        raise broken("a positive finite `value`", found.value)
    if not 0 <= found.residual < np.inf:
        raise broken("a finite `residual` that is not negative", found.residual)
    _check_floats(found.vector, len(vertex_weights), broken)
    weighted = vertex_weights * found.vector
    square, along_kernel = float(found.vector @ weighted), float(weighted.sum())
    if not abs(square - 1) <= _NORMALISED:
        raise broken("a vector with xᵀ W_V x = 1", f"{square:.6g}")
    if not abs(along_kernel) <= _NORMALISED * np.sqrt(vertex_weights.sum()):
        raise broken("a vector with 1ᵀ W_V x = 0", f"{along_kernel:.6g}")
    image = laplacian @ found.vector
    scale = found.value * float(np.linalg.norm(weighted))
    residual = float(np.linalg.norm(image - found.value * weighted)) / scale
    # Twice what rounding makes of it at most: |L| |x|, because L has nothing positive off its
    # diagonal, is added up entry by entry, here and in the backend.
    sizes = np.abs(found.vector)
    sizes = 2 * laplacian.diagonal() * sizes - laplacian @ sizes
    sizes *= np.diff(laplacian.indptr) + 3
    rounding = 2 * np.finfo(np.float64).eps * float(np.linalg.norm(sizes)) / scale
    if not abs(residual - found.residual) <= 0.01 * residual + rounding:
        raise broken(
            f"the true residual ‖L x - λ W_V x‖ / (λ ‖W_V x‖), {residual:.1e}",
            f"{found.residual:.1e}",
        )
    return found


def _check_floats(vector: object, n: int, broken: Callable[[str, object], BackendError]) -> None:
    expected = f"a `vector` of {n} real floats"
    if not isinstance(vector, np.ndarray):
        raise broken(expected, type(vector).__name__)
    if vector.shape != (n,) or vector.dtype.kind != "f":
        raise broken(expected, f"shape {vector.shape} and dtype {vector.dtype}")
    finite = np.isfinite(vector)
    if not finite.all():
        i = int(np.argmin(finite))
        raise broken("a finite `vector`", f"{vector[i]} at index {i}")
