"""LOBPCG with an algebraic multigrid preconditioner.

A. V. Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block
preconditioned conjugate gradient method", SIAM J. Sci. Comput. 23 (2001) 517-541, algorithm 5.1,
written out here for our pencils, because a stop on the true residual in the terms of the pencil,
a deflated kernel and orthonormal bases throughout are what makes it reliable on badly scaled
weights. Memory and time grow like the number of edges, in any dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError
from relutopo.optional import require

from ._pencil import DENSE_UP_TO, PencilSolver, SymmetricProblem

__all__ = ["AmgLobpcgEigensolver"]


class AmgLobpcgEigensolver(PencilSolver):
    """Block LOBPCG, preconditioned by a smoothed-aggregation V-cycle (pyamg).

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of LOBPCG iterations.
    block_size : int, default 4
        Vectors that are iterated together, 1..16. Only the first must converge; the others keep
        nearly multiple eigenvalues from slowing it down.

    Raises
    ------
    MissingExtraError
        If pyamg is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> result = AmgLobpcgEigensolver().solve(path, np.ones(3))
    >>> round(result.value, 9), result.method
    (1.0, 'dense')
    """

    name: ClassVar[str] = "amg_lobpcg"

    def __init__(self, tol: float = 1e-8, max_iterations: int = 500, block_size: int = 4) -> None:
        super().__init__(tol, max_iterations)
        # The basis of three blocks and the kernel must fit into the smallest iterated problem.
        limit = DENSE_UP_TO // 4
        if not 1 <= block_size <= limit:
            raise InputError(f"`block_size` must be in 1..{limit}, got {block_size}; try 4")
        self.block_size = block_size
        self._pyamg = require("pyamg", "the eigensolver 'amg_lobpcg'")

    def iterate(
        self, problem: SymmetricProblem, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], int]:
        """Return the first Ritz vector once its true residual is small enough."""
        with _numpy_seeded(rng):
            precondition = self._preconditioner(problem)
        matrix = problem.matrix()
        m = self.block_size
        kernel = problem.kernel[:, None]
        basis = rng.standard_normal((problem.n, m))
        iterations = 0
        while True:
            # The kernel as first column: the rest comes out orthogonal to it.
            q = np.linalg.qr(np.concatenate([kernel, basis], axis=1))[0][:, 1:]
            image = matrix @ q
            values, c = np.linalg.eigh(_symmetric(q.T @ image))
            values, c = values[:m], c[:, :m]
            g = q @ c
            if self.accepts(problem.eigenpair(g[:, 0])) or iterations == self.max_iterations:
                return g[:, 0], iterations
            iterations += 1
            residuals = image @ c - g * values
            # What the last step added to the Ritz vectors is the conjugate direction.
            directions = q[:, m:] @ c[m:]
            basis = np.concatenate([g, precondition(residuals), directions], axis=1)

    def _preconditioner(
        self, problem: SymmetricProblem
    ) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Return an approximation of A⁺ = W_V^{1/2} L⁺ W_V^{1/2} on a block of columns."""
        # Strength relative to the strongest edge of a node keeps aggregates off the weak edges of
        # badly scaled graphs and still finds strong ones at hubs; energy minimisation then gives
        # the smoothest interpolation on that sparsity.
        hierarchy = self._pyamg.smoothed_aggregation_solver(
            problem.laplacian,
            B=np.ones((problem.n, 1)),
            strength=("classical", {"theta": 0.1}),
            smooth=("energy", {"krylov": "cg"}),
            coarse_solver="pinv",
        )
        cycle = hierarchy.aspreconditioner(cycle="V")
        roots = problem.roots[:, None]

        def precondition(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
            right = roots * problem.project(residuals)
            solved = np.stack([cycle @ column for column in right.T], axis=1)
            solved = problem.project(roots * solved)
            lengths = np.linalg.norm(solved, axis=0)
            return np.asarray(solved / np.maximum(lengths, np.finfo(float).tiny))

        return precondition


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2


@contextmanager
def _numpy_seeded(rng: np.random.Generator) -> Iterator[None]:
    """Seed NumPy's global generator, which pyamg draws from, and put it back afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
