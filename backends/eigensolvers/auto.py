"""The choice between the other eigensolvers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ._cholesky import Elimination
from ._pencil import Iterate, PencilSolver, SymmetricProblem
from .amg_lobpcg import AmgLobpcgEigensolver
from .arpack import ArpackEigensolver

__all__ = ["AutoEigensolver"]

_MOST_OPERATIONS = 5_000
"""Multiplications of the factorisation for each node and edge."""


class AutoEigensolver(PencilSolver):
    """Factorise where that is cheap, else use multigrid.

    `arpack` runs if its factorisation takes at most 5,000 multiplications for each node and edge
    of the graph, otherwise `amg_lobpcg`. The number is known before anything is factorised, from
    the order of elimination. The record names the one that ran.

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of the iterations of whichever runs; see there.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> result = AutoEigensolver().solve(path, np.ones(3))
    >>> round(result.value, 9), result.method
    (1.0, 'dense')
    """

    name: ClassVar[str] = "auto"

    def __init__(self, tol: float = 1e-8, max_iterations: int = 500) -> None:
        super().__init__(tol, max_iterations)

    def iterate(self, problem: SymmetricProblem, rng: np.random.Generator) -> Iterate:
        """Let the cheaper one iterate."""
        plan = Elimination.of(problem.laplacian)
        size = problem.n + problem.laplacian.nnz / 2
        if plan.n_operations <= _MOST_OPERATIONS * size:
            return ArpackEigensolver(self.tol, self.max_iterations).iterate_on(plan, problem, rng)
        return AmgLobpcgEigensolver(self.tol, self.max_iterations).iterate(problem, rng)
