"""The choice between the other eigensolvers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from ._factorisation.cholesky import Cholesky
from ._factorisation.elimination import Elimination
from ._pencil import Iterate, PencilSolver, SymmetricProblem
from .amg_lobpcg import AmgLobpcgEigensolver
from .arpack import ArpackEigensolver

__all__ = ["AutoEigensolver"]

_MOST_OPERATIONS = 6_000
"""Multiplications of the factorisation for each node and edge."""


@dataclass(frozen=True, eq=False)
class _Chosen:
    solver: PencilSolver[Any]
    setup: object


class AutoEigensolver(PencilSolver[_Chosen]):
    """Factorise where that is cheap, otherwise use multigrid.

    `arpack` runs if its factorisation takes at most 6,000 multiplications for each node and edge
    of the graph, otherwise `amg_lobpcg`. The number follows from the order of elimination, before
    anything is factorised. The record names the solver that ran.

    Near this threshold both take about the same time. On one core, with tolerance 1e-8:

    ================================== ========= ========== ======== ============
    graph                                  nodes operations `arpack` `amg_lobpcg`
    ================================== ========= ========== ======== ============
    plane complex                            764         60     5 ms        14 ms
    plane complex                         31,791        390    0.1 s        0.3 s
    plane complex                        505,571      1,600    2.6 s        5.5 s
    plane complex                      2,058,978      3,200     15 s         36 s
    triangles of a plane triangulation   499,961      3,000    2.8 s        6.0 s
    tetrahedra of a triangulation          3,062        940    15 ms        37 ms
    tetrahedra of a triangulation         33,008     19,000    0.6 s        0.4 s
    cubes of a 20 × 20 × 20 grid           8,000      2,800   0.05 s       0.05 s
    cubes of a 30 × 30 × 30 grid          27,000      9,800    0.3 s        0.2 s
    ================================== ========= ========== ======== ============

    On two cores `arpack` takes about two thirds of that. On a plane complex its time, unlike that
    of `amg_lobpcg`, does not depend on the weights.

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of the iterations of the solver that runs; see there.
    n_threads : int, optional
        Threads that share the work of `arpack`; see there.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> result = AutoEigensolver().solve(path, np.ones(3))
    >>> round(float(result.values[0]), 9), result.method
    (1.0, 'dense')
    """

    name: ClassVar[str] = "auto"
    numbered_from: ClassVar[float] = ArpackEigensolver.numbered_from

    def __init__(
        self, tol: float = 1e-8, max_iterations: int = 500, n_threads: int | None = None
    ) -> None:
        super().__init__(tol, max_iterations)
        self._arpack = ArpackEigensolver(tol, max_iterations, n_threads)

    def set_up(self, laplacian: sparse.csr_array) -> _Chosen:
        """Choose the cheaper one, and let it set up."""
        n = laplacian.shape[0]
        with self._arpack.threads(n) as run:
            plan = Elimination.of(laplacian, run)
            size = (n + laplacian.nnz) / 2  # nodes and edges
            is_cheap = plan.n_operations <= _MOST_OPERATIONS * size
            if is_cheap and plan.has_room():
                return _Chosen(self._arpack, Cholesky.of(laplacian, plan, run))
        multigrid = AmgLobpcgEigensolver(self.tol, self.max_iterations)
        return _Chosen(multigrid, multigrid.set_up(laplacian))

    def plan_of(self, setup: _Chosen, laplacian: sparse.csr_array) -> Elimination | None:
        """Return the plan of the chosen one."""
        return setup.solver.plan_of(setup.setup, laplacian)

    def iterate(
        self, setup: _Chosen, problem: SymmetricProblem, n_pairs: int, rng: np.random.Generator
    ) -> Iterate:
        """Let the chosen one iterate."""
        return setup.solver.iterate(setup.setup, problem, n_pairs, rng)
