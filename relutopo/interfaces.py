"""The three backend roles, and the records that they return.

Each role is one abstract class with one method. Laws that every backend of a role obeys stand in
the docstring of the role; the tests run every registered backend through them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

if TYPE_CHECKING:
    from relutopo.geometry.complex import CellComplex
    from relutopo.geometry.domain import Domain
    from relutopo.geometry.network import Network
    from relutopo.homology.boundary import BoundaryMatrix

__all__ = ["EigenResult", "Eigensolver", "Enumerator", "Progress", "Reducer", "Reduction"]


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
            Diagonal of W_V, positive.
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
