"""LOBPCG with an algebraic multigrid preconditioner.

A. V. Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block
preconditioned conjugate gradient method", SIAM J. Sci. Comput. 23 (2001) 517-541, algorithm 5.1,
written out here for our pencils, because a stop on the true residual in the terms of the pencil,
a deflated kernel and orthonormal bases throughout are what makes it reliable on badly scaled
weights. The start comes from the coarse levels, as in J. C. Urschel, X. Hu, J. Xu, L. T. Zikatanov,
"A cascadic multigrid algorithm for computing the Fiedler vector of graph Laplacians", J. Comput.
Math. 33 (2015) 209-226. Memory and time grow like the number of edges, in any dimension.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.checks import check_integer
from relutopo.devices.device import numpy_device
from relutopo.optional import require

from ._multigrid.hierarchy import Hierarchy, csr_to_device
from ._multigrid.orthonormal import orthonormal
from ._pencil import DENSE_UP_TO, LARGEST_TOL, Iterate, PencilSolver, SymmetricProblem

__all__ = ["AmgLobpcgEigensolver"]

_NOISE = 0.01
# Keeps aggregates off the weak edges of badly scaled graphs, and still finds strong ones at hubs.
_STRENGTH = 0.25


class AmgLobpcgEigensolver(PencilSolver):
    """Block LOBPCG, preconditioned by a smoothed-aggregation V-cycle (pyamg).

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of LOBPCG iterations.
    block_size : int, default 1
        Vectors that are iterated together, 1..16. Only the first must converge; more take fewer
        iterations where eigenvalues are nearly multiple, and cost more each.

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

    def __init__(self, tol: float = 1e-8, max_iterations: int = 500, block_size: int = 1) -> None:
        super().__init__(tol, max_iterations)
        # The basis of three blocks and the kernel must fit into the smallest iterated problem.
        limit = DENSE_UP_TO // 4
        self.block_size = check_integer("block_size", block_size, 1, limit, remedy="try 1")
        self._pyamg = require("pyamg", "the eigensolver 'amg_lobpcg'")
        self._gauss_seidel = self._pyamg.relaxation.relaxation.gauss_seidel

    def iterate(self, problem: SymmetricProblem, rng: np.random.Generator) -> Iterate:
        """Return the first Ritz vector once its true residual is small enough."""
        device = numpy_device()
        laplacian = csr_to_device(problem.laplacian, device)
        hierarchy = Hierarchy.of(laplacian, device, self._tentative_prolongation)
        matrix, m = problem.matrix(), self.block_size
        basis = problem.roots[:, None] * self._start(hierarchy, problem.roots**2, rng)
        iterations = 0
        while True:
            q = orthonormal(problem.project(basis).T, np.ones(problem.n), device).T
            image = matrix @ q
            values, c = np.linalg.eigh(_symmetric(q.T @ image))
            values, c = values[:m], c[:, :m]
            g = q @ c
            residuals = image @ c - g * values
            # In the terms of the pencil; only what promises to be accepted is worth a full check.
            error = np.linalg.norm(problem.roots * residuals[:, 0])
            promising = error <= LARGEST_TOL * values[0] * np.linalg.norm(problem.roots * g[:, 0])
            stop = iterations == self.max_iterations
            if stop or promising:
                pair = problem.eigenpair(g[:, 0])
                if stop or self.accepts(problem, pair):
                    return Iterate(pair, iterations, self.name)
            iterations += 1
            # What the last step added to the Ritz vectors is the conjugate direction.
            directions = q[:, m:] @ c[m:]
            steps = self._precondition(hierarchy, problem, residuals)
            basis = np.concatenate([g, steps, directions], axis=1)

    def _tentative_prolongation(self, matrix: sparse.csr_matrix) -> sparse.csr_matrix:
        """Return which aggregate each node is in, of strength relative to its strongest edge."""
        strength = self._pyamg.strength.classical_strength_of_connection(matrix, theta=_STRENGTH)
        members = self._pyamg.aggregation.standard_aggregation(strength)[0]
        return sparse.csr_matrix(members, dtype=np.float64)

    def _start(
        self, hierarchy: Hierarchy, weights: NDArray[np.float64], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return approximate eigenvectors of the pencil, (n, block_size), from coarse to fine.

        On each level W_V is lumped to a diagonal, and a sweep of Gauss-Seidel on
        L x = ρ W_V x, ρ the Rayleigh quotient, smooths what was interpolated. A little noise on
        each level keeps a symmetric graph from starting at another eigenvector, or orthogonal to
        the right one.
        """
        lumped = [weights]
        for level in hierarchy.levels:
            lumped.append(np.maximum(level.restriction @ lumped[-1], np.finfo(float).tiny))
        roots = np.sqrt(lumped[-1])
        dense = hierarchy.coarsest / np.multiply.outer(roots, roots)
        x = np.linalg.eigh(_symmetric(dense))[1][:, 1 : 1 + self.block_size] / roots[:, None]
        # A coarsest level of a few nodes has too few vectors.
        missing = self.block_size - x.shape[1]
        x = np.concatenate([x, rng.standard_normal((len(x), missing))], axis=1)
        for level, w in zip(reversed(hierarchy.levels), reversed(lumped[:-1]), strict=True):
            x = level.prolongation @ x
            x += _NOISE * np.abs(x).max(axis=0) * rng.standard_normal(x.shape)
            for j in range(self.block_size):
                column = np.ascontiguousarray(x[:, j])
                quotient = column @ (level.matrix @ column) / (column @ (w * column))
                self._gauss_seidel(level.matrix, column, quotient * w * column, sweep="symmetric")
                x[:, j] = column
        return x

    def _precondition(
        self, hierarchy: Hierarchy, problem: SymmetricProblem, residuals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Apply an approximation of A⁺ = W_V^{1/2} L⁺ W_V^{1/2} to columns."""
        roots = problem.roots[:, None]
        right = roots * problem.project(residuals)
        solved = [self._v_cycle(hierarchy, 0, np.ascontiguousarray(y)) for y in right.T]
        return problem.project(roots * np.stack(solved, axis=1))

    def _v_cycle(
        self, hierarchy: Hierarchy, k: int, right: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Apply one V-cycle from level k on.

        One sweep forwards before and one backwards after the coarse correction make it symmetric.
        """
        if k == len(hierarchy.levels):
            return np.asarray(hierarchy.coarse_inverse @ right)
        level = hierarchy.levels[k]
        x = np.zeros_like(right)
        self._gauss_seidel(level.matrix, x, right, sweep="forward")
        coarse = level.restriction @ (right - level.matrix @ x)
        x += level.prolongation @ self._v_cycle(hierarchy, k + 1, coarse)
        self._gauss_seidel(level.matrix, x, right, sweep="backward")
        return x


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2
