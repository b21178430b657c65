"""The role that finds the first eigenpairs of a weighted Laplacian."""

from __future__ import annotations

import inspect
import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arrays import read_only
from relutopo.errors import BackendError
from relutopo.interfaces.laws import broken_law

__all__ = [
    "EigenResult",
    "Eigensolver",
    "PreparedLaplacian",
    "checked_eigenpair",
    "checked_preparation",
    "refused_record",
]

_NORMALISED = 1e-6
"""Tolerance for the normalisation of an eigenvector; far larger than rounding errors."""
_REMEDY = (
    "return an EigenResult with `values`, `vectors` as columns, `residuals` and `next_value` from "
    "`solve(laplacian, vertex_weights, *, n_pairs=1, seed=0)`, as docs/backends.md shows"
)


@dataclass(frozen=True, eq=False)
class EigenResult:
    """The k smallest non-zero eigenpairs of a pencil.

    Attributes
    ----------
    values : (k,) ndarray of float64
        Eigenvalues λ > 0, ascending, repeated by multiplicity.
    vectors : (n, k) ndarray of float64
        An eigenvector x in each column, with xᵀ W_V x = 1 and 1ᵀ W_V x = 0, W_V-orthogonal to
        the others; the largest entry of each by modulus (the first of several) is positive.
    residuals : (k,) ndarray of float64
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖) of each, recomputed from the returned pair.
    next_value : float
        The eigenvalue after these, or less: its distance from ``values[-1]`` may be a tenth too
        small. It is ``values[-1]`` if that may be multiple, and inf if there is none (k = n - 1).
        Partitions decide by it whether they are unique.
    iterations : int
        Outer iterations, 0 for a dense solution.
    seconds : float
        Wall-clock time.
    method : str
        The method that ran: the registry name, or "dense" for a tiny graph.
    status : {"converged", "not_converged"}
        "converged" if every residual is at most the requested tolerance, or no larger than
        rounding the vector makes it, so that double precision allows none smaller.
    is_next_value_proved : bool, default False
        Whether it is proved, rounding included, that no eigenvalue other than 0 and these k lies
        below `next_value`. Otherwise `next_value` is an estimate: the first of several close
        eigenvalues may be missed, and the estimate may exceed the true value by about a tenth of
        the distance from ``values[-1]``.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    residuals: NDArray[np.float64]
    next_value: float
    iterations: int
    seconds: float
    method: str
    status: Literal["converged", "not_converged"]
    is_next_value_proved: bool = False


class Eigensolver(ABC):
    """Finds the smallest non-zero eigenpairs of the pencil L x = λ W_V x.

    A backend implements `solve`. It may also implement `prepare`, if part of its work depends on L
    alone; then pencils with the same L and other vertex weights share that work.

    Laws: the values are the smallest eigenvalues on the W_V-complement of the constants;
    `next_value` lies between the last of them and the eigenvalue after it, certainly if it is said
    to be proved; the residuals are the true ones; the same seed gives the same result, whether or
    not L was prepared; NumPy's global random state does not change.
    """

    @abstractmethod
    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        """Return the first eigenpairs of a connected graph.

        Parameters
        ----------
        laplacian : (n, n) scipy.sparse.csr_array
            L = ∂ᵀ W_E ∂: symmetric, positive semidefinite, with the constants as its kernel;
            n ≥ 2.
        vertex_weights : (n,) ndarray
            Diagonal of W_V, positive; may be read-only.
        n_pairs : int
            Number of pairs to find, 1..n - 1; the first is the Fiedler pair.
        seed : int
            Seed of the random start.
        """

    def prepare(self, laplacian: sparse.csr_array) -> PreparedLaplacian:
        """Return an object that solves pencils of one Laplacian, for any vertex weights.

        The two pencils of a checkpoint, weighted by the data and unweighted, have the same
        Laplacian. Numbering its nodes and factorising it take a third of the time in which
        `arpack` solves both for 30,000 nodes, and a tenth for 400 nodes; the hierarchy of
        `amg_lobpcg` takes a tenth. By default nothing is prepared: each solution calls `solve`.

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
        >>> [prepared.solve(np.array([1.0, w, 1.0])).values.round(9) for w in (1, 3)]
        [array([1.]), array([1.])]
        """
        return _Unprepared(self, laplacian)


class PreparedLaplacian(ABC):
    """A Laplacian that an eigensolver has prepared; see `Eigensolver.prepare`.

    Law: every solution equals the one that the eigensolver finds without preparation, whatever was
    solved before.
    """

    @abstractmethod
    def solve(
        self, vertex_weights: NDArray[np.float64], *, n_pairs: int = 1, seed: int = 0
    ) -> EigenResult:
        """Return the first eigenpairs for some vertex weights; see `Eigensolver.solve`.

        The `seconds` of the result are those of this solution alone.
        """


@dataclass(frozen=True, eq=False)
class _Unprepared(PreparedLaplacian):
    eigensolver: Eigensolver
    laplacian: sparse.csr_array

    def solve(
        self, vertex_weights: NDArray[np.float64], *, n_pairs: int = 1, seed: int = 0
    ) -> EigenResult:
        return self.eigensolver.solve(self.laplacian, vertex_weights, n_pairs=n_pairs, seed=seed)


def checked_preparation(prepared: object, eigensolver: Eigensolver) -> PreparedLaplacian:
    """Return the result of `Eigensolver.prepare` if it is a `PreparedLaplacian`.

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
    ...     def solve(self, laplacian, vertex_weights, *, n_pairs=1, seed=0): ...
    ...     def prepare(self, laplacian): ...
    >>> checked_preparation(Solver().prepare(None), Solver())
    Traceback (most recent call last):
    ...
    relutopo.errors.BackendError: ... must return a PreparedLaplacian from `prepare`, got ...
    """
    if not isinstance(prepared, PreparedLaplacian):
        kind = type(prepared).__name__
        raise broken_law("eigensolver", eigensolver, "a PreparedLaplacian from `prepare`", kind)
    for given in (eigensolver.solve, prepared.solve):
        taken, takes_pairs = _parameters(getattr(given, "__func__", given))
        if not takes_pairs:
            raise BackendError(
                f"`eigensolver` {type(eigensolver).__qualname__} must take `n_pairs`, the number "
                f"of eigenpairs to return, in `{given.__qualname__}`, got the parameters {taken}; "
                f"{_REMEDY}"
            )
    return prepared


@lru_cache
def _parameters(function: Callable[..., object]) -> tuple[str, bool]:
    """Return the names of the parameters, and whether `n_pairs` can be passed by name."""
    parameters = inspect.signature(function).parameters.values()
    takes_pairs = any(p.name == "n_pairs" or p.kind is p.VAR_KEYWORD for p in parameters)
    return ", ".join(p.name for p in parameters), takes_pairs


@contextmanager
def refused_record(eigensolver: Eigensolver) -> Iterator[None]:
    """Name the remedy if an eigensolver makes an `EigenResult` with wrong fields.

    Parameters
    ----------
    eigensolver : Eigensolver
        The solver that is called within the ``with`` block.

    Raises
    ------
    BackendError

    Examples
    --------
    >>> with refused_record(None):
    ...     EigenResult(1.0, np.ones(2))
    Traceback (most recent call last):
    ...
    relutopo.errors.BackendError: ... must return values, vectors, ... for the `n_pairs` asked ...
    """
    try:
        yield
    except TypeError as error:
        if f"{EigenResult.__name__}.__init__()" not in str(error):
            raise
        raise BackendError(
            f"`eigensolver` {type(eigensolver).__qualname__} must return values, vectors, "
            f"residuals and the next value for the `n_pairs` asked for, got {error}; {_REMEDY}"
        ) from error


def checked_eigenpair(
    found: object,
    eigensolver: Eigensolver,
    laplacian: sparse.csr_array,
    vertex_weights: NDArray[np.float64],
    n_pairs: int = 1,
) -> EigenResult:
    """Return an eigensolver's result if its values and vectors have the residuals it states.

    Not tested: that no smaller eigenvalue exists, that the next value is right, and the signs of
    the vectors. Pairs that did not converge may have any values.

    Parameters
    ----------
    found : object
        What `eigensolver` returned.
    eigensolver : Eigensolver
    laplacian : (n, n) scipy.sparse.csr_array
        L, as for `Eigensolver.solve`.
    vertex_weights : (n,) ndarray
        Diagonal of W_V.
    n_pairs : int
        How many pairs were asked for.

    Raises
    ------
    BackendError
        If it is no `EigenResult`, or breaks what that says of values, vectors and residuals.

    Examples
    --------
    >>> class Constant(Eigensolver):
    ...     def solve(self, laplacian, vertex_weights, *, n_pairs=1, seed=0):
    ...         x, ends = np.full((2, 1), 0.5**0.5), (np.inf, 1, 0.0, "constant", "converged")
    ...         return EigenResult(np.ones(1), x, np.zeros(1), *ends)
    >>> edge, weights = sparse.csr_array([[1.0, -1.0], [-1.0, 1.0]]), np.ones(2)
    >>> checked_eigenpair(Constant().solve(edge, weights), Constant(), edge, weights)
    Traceback (most recent call last):
    ...
    relutopo.errors.BackendError: ... a vector 0 with 1ᵀ W_V x = 0, got 1.41421; ...
    """
    from relutopo.interfaces.pencil_kernels import norms_of_pair  # loads numba

    def broken(expected: str, came: object) -> BackendError:
        return broken_law("eigensolver", eigensolver, expected, came)

    if not isinstance(found, EigenResult):
        raise broken("an EigenResult", type(found).__name__)
    if found.status not in ("converged", "not_converged"):
        raise broken("the `status` 'converged' or 'not_converged'", repr(found.status))
    n = len(vertex_weights)
    for name, shape in (
        ("values", (n_pairs,)),
        ("residuals", (n_pairs,)),
        ("vectors", (n, n_pairs)),
    ):
        _check_floats(name, getattr(found, name), shape, broken)
    following: object = found.next_value
    if not isinstance(following, Real):
        raise broken("a number as `next_value`", type(following).__name__)
    if found.status == "not_converged":
        return found
    matrix = laplacian.indptr, laplacian.indices, laplacian.data, read_only(vertex_weights)
    values, residuals, vectors = found.values.tolist(), found.residuals.tolist(), found.vectors
    columns = [np.ascontiguousarray(vectors[:, i]) for i in range(n_pairs)]
    norms = [norms_of_pair(*matrix, x, value) for x, value in zip(columns, values, strict=True)]
    squares = [square for square, *_ in norms]
    if not all(map(math.isfinite, [*values, *residuals, *squares])):
        for name in ("values", "residuals", "vectors"):
            finite = np.isfinite(getattr(found, name))
            if not finite.all():
                at = np.unravel_index(int(np.argmin(finite)), finite.shape)
                index = ", ".join(map(str, at))
                raise broken(f"finite `{name}`", f"{getattr(found, name)[at]} at index {index}")
    if not values[0] > 0 or not all(map(operator.ge, values[1:], values)):
        raise broken("positive ascending `values`", values)
    if not min(residuals) >= 0:
        raise broken("`residuals` that are not negative", residuals)
    if not found.next_value >= values[-1]:
        raise broken(f"a `next_value` from the last of the values {values[-1]}", found.next_value)
    if (found.next_value == np.inf) != (n_pairs == n - 1):
        raise broken(
            "inf as `next_value` if there are no more pairs, and only then", found.next_value
        )
    for i, (vector, (square, along_kernel, size, rest)) in enumerate(
        zip(columns, norms, strict=True)
    ):
        if not abs(square - 1) <= _NORMALISED:
            raise broken(f"a vector {i} with xᵀ W_V x = 1", f"{square:.6g}")
        if not abs(along_kernel) <= _NORMALISED:
            total = float(vertex_weights @ vector)
            raise broken(f"a vector {i} with 1ᵀ W_V x = 0", f"{total:.6g}")
        for j in range(i):
            product = float(columns[j] @ (vertex_weights * vector))
            if not abs(product) <= _NORMALISED:
                raise broken(f"vectors {j} and {i} with xᵀ W_V y = 0", f"{product:.6g}")
        scale = values[i] * size
        residual = rest / scale
        off = abs(residual - residuals[i])
        if off <= 0.01 * residual:
            continue
        # Allow four times the effect of rounding. It is bounded by |L| |x|, summed entry by entry
        # here and in the backend, because L has no positive entry off its diagonal.
        sizes = np.abs(vector)
        sizes = 2 * laplacian.diagonal() * sizes - laplacian @ sizes
        sizes *= np.diff(laplacian.indptr) + 3
        rounding = 4 * np.finfo(np.float64).eps * float(np.linalg.norm(sizes)) / scale
        if not off <= 0.01 * residual + rounding:
            raise broken(
                f"the true residual {i}, ‖L x - λ W_V x‖ / (λ ‖W_V x‖), {residual:.1e}",
                f"{residuals[i]:.1e}",
            )
    return found


def _check_floats(
    name: str, array: object, shape: tuple[int, ...], broken: Callable[[str, object], BackendError]
) -> None:
    expected = f"`{name}` of shape {shape} and real floats"
    if not isinstance(array, np.ndarray):
        raise broken(expected, type(array).__name__)
    if array.shape != shape or array.dtype.kind != "f":
        raise broken(expected, f"shape {array.shape} and dtype {array.dtype}")
