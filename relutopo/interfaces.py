"""The three backend roles, and the records that they return.

Each role is one abstract class with one method. Laws that every backend of a role obeys stand in
the docstring of the role; the tests run every registered backend through them.

Invariant: what a backend returns is used only after `checked_complex`, `checked_eigenpair` or
`checked_reduction`, which test those laws that cost no more than reading the result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.errors import BackendError

if TYPE_CHECKING:
    from relutopo.geometry.complex import CellComplex
    from relutopo.geometry.domain import Domain
    from relutopo.homology.boundary import BoundaryMatrix
    from relutopo.networks.network import Network

__all__ = [
    "EigenResult",
    "Eigensolver",
    "Enumerator",
    "Progress",
    "Reducer",
    "Reduction",
    "checked_complex",
    "checked_eigenpair",
    "checked_reduction",
]

_NORMALISED = 1e-6
"""How far the normalisation of an eigenvector may be off; far more than rounding."""


class Progress(Protocol):
    """Called as long work advances."""

    def __call__(self, done: int, total: int, /, message: str = "") -> None:
        """Say that `done` of `total` steps are done."""


class Enumerator(ABC):
    """Cuts a domain into the cells of a network.

    Laws: the result satisfies `CellComplex.check`; the same network and domain give the same
    complex, cell by cell after `CellComplex.canonical`, whatever the enumerator.
    """

    @abstractmethod
    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        progress: Progress | None = None,
    ) -> CellComplex:
        """Return the complex of the network on the domain.

        Parameters
        ----------
        network : Network
        domain : Domain
            Of the network's input dimension.
        max_cells : int, optional
            Stop with an error before the complex has more cells of all dimensions than this.
        progress : Progress, optional
            Called after each layer.

        Raises
        ------
        LimitReachedError
            If `max_cells` is reached.
        """


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

    Laws: the value is the smallest eigenvalue on the W_V-complement of the constants; the
    residual is the true one; the same seed gives the same result; NumPy's global random state is
    left as it was.
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


@dataclass(frozen=True)
class Reduction:
    """Persistence pairs of a boundary matrix.

    Attributes
    ----------
    pairs : (n_pairs, 2) ndarray of int64
        Columns birth and death: the column that creates a class and the one that ends it,
        sorted by birth.
    essential : (n_essential,) ndarray of int64
        Columns whose classes never end, ascending.
    seconds : float
        Wall-clock time.
    method : str
        The method that ran.
    """

    pairs: NDArray[np.int64]
    essential: NDArray[np.int64]
    seconds: float
    method: str


class Reducer(ABC):
    """Reduces a boundary matrix over Z/2.

    Laws: every column is the birth or death of exactly one pair, or essential; a pair's birth
    comes before its death, one dimension below; the result does not depend on the backend.
    """

    @abstractmethod
    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        """Return the persistence pairs of a boundary matrix in filtration order.

        Parameters
        ----------
        boundary : BoundaryMatrix
            One sparse column a cell; the rows of a column are smaller than its own index.
        """


def checked_complex(
    found: object, enumerator: Enumerator, network: Network, domain: Domain
) -> CellComplex:
    """Return what an enumerator returned, if it is a complex of what it was given.

    That it satisfies its invariants is not tested; `CellComplex.check` does, and takes long.

    Parameters
    ----------
    found : object
        What `enumerator` returned.
    enumerator : Enumerator
    network : Network
    domain : Domain

    Raises
    ------
    BackendError
        If it is no complex, or one of another network or domain.
    """
    from relutopo.geometry.complex import CellComplex  # the roles alone do without it

    if not isinstance(found, CellComplex):
        raise _broken("enumerator", enumerator, "a CellComplex", type(found).__name__)
    for name, own, given in (
        ("network", found.network, network),
        ("domain", found.domain, domain),
    ):
        if own is not given:
            expected = f"a complex with the `{name}` that it was given"
            raise _broken("enumerator", enumerator, expected, f"another one, {own!r}")
    return found


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
        return _broken("eigensolver", eigensolver, expected, came)

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


def checked_reduction(found: object, reducer: Reducer, boundary: BoundaryMatrix) -> Reduction:
    """Return what a reducer returned, if it obeys the laws of `Reducer` and of `Reduction`.

    That the pairs are those of this matrix is not tested.

    Parameters
    ----------
    found : object
        What `reducer` returned.
    reducer : Reducer
    boundary : BoundaryMatrix
        What it was given.

    Raises
    ------
    BackendError
        If it is no `Reduction`; arrays have a wrong shape or no integers; a column is missing,
        or there twice; or a pair is not in order, or not of neighbouring dimensions.
    """

    def broken(expected: str, came: object) -> BackendError:
        return _broken("reducer", reducer, expected, came)

    if not isinstance(found, Reduction):
        raise broken("a Reduction", type(found).__name__)
    _check_columns("pairs", found.pairs, (2,), broken)
    _check_columns("essential", found.essential, (), broken)
    n, dims = boundary.n_columns, boundary.dimensions
    columns = np.concatenate(
        [found.pairs.ravel(), found.essential], dtype=np.int64, casting="unsafe"
    )
    outside = (columns < 0) | (columns >= n)
    if outside.any():
        raise broken(f"columns in 0..{n - 1}", columns[np.argmax(outside)])
    times = np.bincount(columns, minlength=n)
    if (times != 1).any():
        j = int(np.argmax(times != 1))
        raise broken(
            "every column once, in `pairs` or in `essential`", f"column {j} {times[j]} times"
        )
    births, deaths = found.pairs.T
    for expected, bad in (
        ("births before their deaths", births > deaths),
        ("births one dimension below their deaths", dims[births] != dims[deaths] - 1),
        ("`pairs` sorted by birth", np.diff(births, prepend=-1) < 0),
    ):
        if bad.any():
            i = int(np.argmax(bad))
            raise broken(expected, f"the pair {found.pairs[i].tolist()} in row {i}")
    descending = np.diff(found.essential) < 0
    if descending.any():
        i = int(np.argmax(descending))
        raise broken(
            "`essential` ascending", f"{found.essential[i : i + 2].tolist()} from index {i}"
        )
    return found


def _check_columns(
    name: str,
    columns: object,
    width: tuple[int, ...],
    broken: Callable[[str, object], BackendError],
) -> None:
    shape = f"(n, {width[0]})" if width else "(n,)"
    expected = f"`{name}` as an array of integers of shape {shape}"
    if not isinstance(columns, np.ndarray):
        raise broken(expected, type(columns).__name__)
    if columns.shape[1:] != width or not columns.ndim or columns.dtype.kind not in "iu":
        raise broken(expected, f"shape {columns.shape} and dtype {columns.dtype}")


def _broken(role: str, backend: object, expected: str, came: object) -> BackendError:
    kind = type(backend)
    return BackendError(
        f"`{role}` {kind.__module__}.{kind.__qualname__} must return {expected}, got {came}; "
        "correct it by the docstrings of relutopo.interfaces, or choose another one"
    )
