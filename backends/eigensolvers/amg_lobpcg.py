"""LOBPCG with an algebraic multigrid preconditioner.

A. V. Knyazev, "Toward the optimal preconditioned eigensolver: locally optimal block
preconditioned conjugate gradient method", SIAM J. Sci. Comput. 23 (2001) 517-541, algorithm 5.1,
implemented here for our pencils, because stopping by the true residual of the pencil, deflating the
kernel and keeping all bases orthonormal make it reliable for badly scaled weights. The start comes
from the coarse levels, as in J. C. Urschel, X. Hu, J. Xu, L. T. Zikatanov, "A cascadic multigrid
algorithm for computing the Fiedler vector of graph Laplacians", J. Comput. Math. 33 (2015) 209-226.
Memory and time grow like the number of edges, in any dimension.

The loop for cards, in `_multigrid.lobpcg`, is the same method in other arithmetic, and is kept
separate: it iterates on the pencil itself, and deflates the kernel as the first row of the basis,
not by projections. Replacing either loop by the other would change the last bits of results. The
hierarchy, its cycle, the start and the stopping rule are the same code.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.checks import check_integer

from ._multigrid.hierarchy import Hierarchy
from ._multigrid.orthonormal import orthonormal
from ._multigrid.products import product
from ._multigrid.progress import BlockState, Progress
from ._multigrid.sequential import SequentialScheme
from ._pencil import DENSE_UP_TO, Iterate, PencilSolver, SymmetricProblem
from ._rows import orthonormal_rows, project_out, residuals_of

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
        Least number of vectors that are iterated together, 1..16; there is always at least one more
        than the requested pairs, which gives the gap. More vectors take fewer iterations if
        eigenvalues are nearly multiple, but each iteration costs more.

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
    >>> round(float(result.values[0]), 9), result.method
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
        return Hierarchy.of(self._scheme.device.csr_to_device(laplacian), self._scheme)

    def iterate(
        self, setup: Hierarchy, problem: SymmetricProblem, n_pairs: int, rng: np.random.Generator
    ) -> Iterate:
        """Return the first Ritz vectors once their true residuals are small enough."""
        device, matrix = self._scheme.device, problem.matrix()
        m = max(self.block_size, n_pairs + 1)
        progress = Progress(self, problem, n_pairs, m)
        # Vectors are rows.
        roots, kernel = problem.roots, problem.kernel
        basis, ones = roots * setup.start(roots**2, rng, m), np.ones(problem.n)
        sizes = 2 * roots * matrix.diagonal()
        while True:
            project_out(kernel, basis)
            q, is_orthonormal = orthonormal_rows(basis)
            if not is_orthonormal:
                q = orthonormal(basis, ones, device)
            image = product(np, matrix, q)
            values, c = np.linalg.eigh(_symmetric(q @ image.T))
            values, c = values[:m], np.ascontiguousarray(c[:, :m].T)
            g = c @ q
            residuals, norms = residuals_of(values, g, c @ image, roots, sizes)
            found = progress.judge(BlockState(values, *norms), lambda g=g: g[:n_pairs].T)  # type: ignore[misc]
            if found is not None:
                return found
            active = progress.active
            steps = _precondition(setup, problem, residuals[active])
            # The last step's change of the Ritz vectors is the conjugate direction.
            changes = c[active, m:] @ q[m:] if len(q) > m else []
            basis = np.stack([*g, *steps, *changes])


def _precondition(
    hierarchy: Hierarchy, problem: SymmetricProblem, residuals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Apply an approximation of W_V^{1/2} L⁺ W_V^{1/2} to rows, but for parts along the kernel."""
    # What is orthogonal to the kernel here has the sum 0 there, as the cycle expects.
    project_out(problem.kernel, residuals)
    steps: NDArray[np.float64] = problem.roots * hierarchy.cycle(problem.roots * residuals)
    return steps


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2
