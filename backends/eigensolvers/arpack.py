"""ARPACK on the inverse: a sparse factorisation, then implicitly restarted Lanczos.

Shift-invert at the shift 0. L is singular, but the pseudo-inverse needs no shift: on a connected
graph L y = b with 1ᵀ b = 0 has the solution that is 0 at one node and solves the *grounded*
system, L without that node's row and column, which is positive definite, elsewhere. Any other
solution differs by a constant, which the projection removes. So ARPACK sees the
operator A⁺ = W_V^{1/2} L⁺ W_V^{1/2} up to projections, whose largest eigenvalue is 1/λ.

(A shift just below 0 also works but has to be small against λ and large against rounding; here
there is nothing to choose.)
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from ._pencil import PencilSolver, SymmetricProblem

__all__ = ["ArpackEigensolver"]


class ArpackEigensolver(PencilSolver):
    """Sparse Cholesky-like factorisation (SuperLU) and Lanczos (ARPACK, `scipy` `eigsh`).

    The factors fill in like n log n for planar graphs; for graphs of complexes in three and more
    dimensions `amg_lobpcg` needs far less memory.

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 300
        Limit of Lanczos restarts, and of inverse iterations afterwards.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> result = ArpackEigensolver().solve(path, np.ones(3))
    >>> round(result.value, 9), result.method
    (1.0, 'dense')
    """

    name: ClassVar[str] = "arpack"

    def __init__(self, tol: float = 1e-8, max_iterations: int = 300) -> None:
        super().__init__(tol, max_iterations)

    def iterate(
        self, problem: SymmetricProblem, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], int]:
        """Return the eigenvector of 1/λ, polished by inverse iteration."""
        # SuperLU needs no pivoting on a diagonally dominant symmetric matrix; minimum degree on
        # its graph keeps the factors sparse.
        factors = sparse_linalg.splu(
            sparse.csc_array(problem.laplacian[1:, 1:]),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        applications = 0

        def invert(g: NDArray[np.float64]) -> NDArray[np.float64]:
            nonlocal applications
            applications += 1
            y = np.zeros(problem.n)
            y[1:] = factors.solve((problem.roots * problem.project(np.ravel(g)))[1:])
            # Removing the constant before scaling keeps the projection below free of cancellation.
            y -= problem.kernel @ (problem.roots * y) / (problem.kernel @ problem.roots)
            return problem.project(problem.roots * y)

        start = problem.project(rng.standard_normal(problem.n))
        operator = sparse_linalg.LinearOperator(
            (problem.n, problem.n), matvec=invert, dtype=np.float64
        )
        try:
            g = sparse_linalg.eigsh(
                operator, k=1, which="LA", v0=start, maxiter=self.max_iterations, rng=rng
            )[1][:, 0]
        except sparse_linalg.ArpackNoConvergence:
            g = start  # the record will say what residual inverse iteration alone reaches
        # An error of size ε in g along a high mode is one of size ε λ_max / λ in the residual;
        # applying the inverse damps it by the same factor.
        for _ in range(self.max_iterations):
            g = invert(g)
            g /= np.linalg.norm(g)
            if self.accepts(problem.eigenpair(g)):
                break
        return g, applications
