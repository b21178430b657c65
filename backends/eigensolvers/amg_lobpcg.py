"""LOBPCG with an algebraic multigrid preconditioner.

A. V. Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block
preconditioned conjugate gradient method", SIAM J. Sci. Comput. 23 (2001) 517-541, algorithm 5.1,
written out here for our pencils, because a stop on the true residual in the terms of the pencil,
a deflated kernel and orthonormal bases throughout are what makes it reliable on badly scaled
weights. The start comes from the coarse levels, as in J. C. Urschel, X. Hu, J. Xu, L. T. Zikatanov,
"A cascadic multigrid algorithm for computing the Fiedler vector of graph Laplacians", J. Comput.
Math. 33 (2015) 209-226. Memory and time grow like the number of edges, in any dimension.

The loop for cards, in `_multigrid.lobpcg`, is the same idea in other arithmetic, and stays apart:
it iterates on the pencil itself, and deflates the kernel as a first row of the basis, not by
projections. Either loop in place of the other would change the last bits of results. The hierarchy,
its cycle, the start, and what decides on the stop are the same code.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.checks import check_integer

from ._multigrid.hierarchy import Hierarchy, csr_to_device
from ._multigrid.orthonormal import orthonormal
from ._multigrid.progress import BlockState, Progress
from ._multigrid.sequential import SequentialScheme
from ._pencil import DENSE_UP_TO, Iterate, PencilSolver, SymmetricProblem

__all__ = ["AmgLobpcgEigensolver"]


class AmgLobpcgEigensolver(PencilSolver[Hierarchy]):
    """Block LOBPCG, preconditioned by a smoothed-aggregation V-cycle (pyamg).

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of LOBPCG iterations.
    block_size : int, default 1
        Vectors that are iterated together at least, 1..16; always one more than pairs are asked
        for, from which the gap is taken. More take fewer iterations where eigenvalues are nearly
        multiple, and cost more each.

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
        self._scheme = SequentialScheme(f"the eigensolver {self.name!r}")

    def set_up(self, laplacian: sparse.csr_array) -> Hierarchy:
        """Return the hierarchy of coarser Laplacians."""
        return Hierarchy.of(csr_to_device(laplacian, self._scheme.device), self._scheme)

    def iterate(
        self, setup: Hierarchy, problem: SymmetricProblem, n_pairs: int, rng: np.random.Generator
    ) -> Iterate:
        """Return the first Ritz vectors once their true residuals are small enough."""
        device, matrix = self._scheme.device, problem.matrix()
        m = max(self.block_size, n_pairs + 1)
        progress = Progress(self, problem, n_pairs, m)
        start = np.ascontiguousarray(setup.start(problem.roots**2, rng, m).T)
        basis = problem.roots[:, None] * start
        sizes = problem.roots[:, None] * (2 * matrix.diagonal())[:, None]
        while True:
            q = orthonormal(problem.project(basis).T, np.ones(problem.n), device).T
            image = matrix @ q
            values, c = np.linalg.eigh(_symmetric(q.T @ image))
            values, c = values[:m], c[:, :m]
            g = q @ c
            residuals = image @ c - g * values
            state = BlockState(
                values,
                np.linalg.norm(residuals, axis=0),
                np.linalg.norm(problem.roots[:, None] * residuals, axis=0),
                np.linalg.norm(problem.roots[:, None] * g, axis=0),
                np.linalg.norm(sizes * g, axis=0),
            )
            found = progress.judge(state, lambda g=g: g[:, :n_pairs])  # type: ignore[misc]
            if found is not None:
                return found
            steps = self._precondition(setup, problem, residuals[:, progress.active])
            basis = np.concatenate([g, steps], axis=1)
            if q.shape[1] > m:
                # What the last step added to the Ritz vectors is the conjugate direction.
                directions = q[:, m:] @ c[m:, progress.active]
                basis = np.concatenate([basis, directions], axis=1)

    def _precondition(
        self, hierarchy: Hierarchy, problem: SymmetricProblem, residuals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Apply an approximation of A⁺ = W_V^{1/2} L⁺ W_V^{1/2} to columns."""
        roots = problem.roots[:, None]
        right = roots * problem.project(residuals)
        solved = [hierarchy.cycle(np.ascontiguousarray(y)) for y in right.T]
        return problem.project(roots * np.stack(solved, axis=1))


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2
