"""Lanczos on the inverse after a sparse factorisation: ARPACK's method, but in blocks.

Shift-invert at the shift 0. L is singular, but the pseudo-inverse needs no shift: on a connected
graph L y = b with 1ᵀ b = 0 has a solution that is 0 at one node, and the *grounded* factor gives
it. Any other solution differs by a constant, which the projection removes. So Lanczos sees the
operator A⁺ = W_V^{1/2} L⁺ W_V^{1/2} up to projections, whose largest eigenvalues are the 1/λ.

ARPACK itself, which this backend is named after, iterates one vector, and so finds only one
eigenvector of a multiple value. A block with one vector more than the requested pairs finds a
double value, and the gap, at once; two vectors take little longer than one, because the factor is
read once for both.

(A shift just below 0 would also work, but would have to be small against λ and large against
rounding; here there is nothing to choose.)
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.checks import check_threads
from relutopo.errors import LimitReachedError
from relutopo.system.compilation import njit
from relutopo.system.memory import available_bytes, readable
from relutopo.system.threads import Run, threads

from ._factorisation.cholesky import Cholesky
from ._factorisation.elimination import Elimination
from ._factorisation.substitution import solve_at_once
from ._factorisation.tuning import DEFAULT
from ._lanczos import Step, largest_ritz_vectors, step_with, steps_of
from ._pencil import Eigenpair, Iterate, PencilSolver, SymmetricProblem
from ._rows import lengths

__all__ = ["ArpackEigensolver"]

_N_POLISHES = 4
_LEAST_TOL = 1e-12  # of the Lanczos method; inverse iteration does the rest

Floats = NDArray[np.float64]


class ArpackEigensolver(PencilSolver[Cholesky]):
    """Sparse Cholesky factorisation and Lanczos with restarts, ARPACK's method in blocks.

    The factorisation is our own: nested dissection of the graph and dense kernels, about ten times
    as fast as SuperLU with its minimum-degree order on graphs of planar complexes. There its
    entries are like n log n; for large graphs of complexes in three and more dimensions
    `amg_lobpcg` needs far less time and memory.

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 300
        Limit of Lanczos restarts, of each of at most three attempts.
    n_threads : int, optional
        Number of threads; by default the number of cores that the process may use. The result does
        not depend on it.

    Raises
    ------
    InputError
        If an argument is out of its range.
    LimitReachedError
        By `solve` and `prepare`, if the factor would need more memory than there is.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> path = sparse.csr_array(np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]]))
    >>> result = ArpackEigensolver().solve(path, np.ones(3))
    >>> round(float(result.values[0]), 9), result.method
    (1.0, 'dense')
    """

    name: ClassVar[str] = "arpack"
    numbered_from: ClassVar[float] = DEFAULT.cut_at_once + 1

    def __init__(
        self, tol: float = 1e-8, max_iterations: int = 300, n_threads: int | None = None
    ) -> None:
        super().__init__(tol, max_iterations)
        self.n_threads = check_threads(n_threads)

    def set_up(self, laplacian: sparse.csr_array) -> Cholesky:
        """Return the factor of the grounded Laplacian."""
        with self.threads(laplacian.shape[0]) as run:
            plan = Elimination.of(laplacian, run)
            if not plan.has_room():
                raise LimitReachedError(
                    f"`eigensolver` 'arpack' must have room for its factor, {plan.n_entries:,} "
                    f"entries of {laplacian.shape[0]:,} nodes; got {readable(plan.n_bytes)} to "
                    f"ask for, and {readable(available_bytes())} that are available; choose the "
                    "eigensolver 'amg_lobpcg', whose memory grows like the number of edges, or "
                    "'auto'"
                )
            return Cholesky.of(laplacian, plan, run)

    def plan_of(self, setup: Cholesky, laplacian: sparse.csr_array) -> Elimination:
        """Return the plan of the factor."""
        return setup.plan

    def threads(self, n: int) -> AbstractContextManager[Run]:
        """Provide the `map` for a graph of n nodes: in threads only if there is work for two."""
        return threads(1 if n <= DEFAULT.piece_size else self.n_threads)

    def iterate(
        self, setup: Cholesky, problem: SymmetricProblem, n_pairs: int, rng: np.random.Generator
    ) -> Iterate:
        """Return the eigenvectors of the largest 1/λ, polished by inverse iteration."""
        with self.threads(problem.n) as run:
            return self._iterate(setup, problem, n_pairs, rng, run)

    def _iterate(
        self,
        factor: Cholesky,
        problem: SymmetricProblem,
        n_pairs: int,
        rng: np.random.Generator,
        run: Run,
    ) -> Iterate:
        dissection = factor.plan.dissection
        order = dissection.order
        # Everything below is in the order of elimination, vectors are rows.
        roots, kernel = problem.roots[order], problem.kernel[order]
        total = kernel @ roots
        inverse = factor.panels[0], factor.blocks, roots, kernel, total  # of one piece
        applications = 0

        def invert(g: Floats) -> Floats:
            nonlocal applications
            applications += 1
            if factor.is_in_one_piece:
                images: Floats = _inverted(*inverse, g)
                return images
            y = factor.solve(_right_sides(g, roots, kernel), run)[: len(g)]
            _project_solutions(y, roots, kernel, total)
            return y

        def advance(
            basis: Floats, t: Floats, block: Floats, size: int, until: int, loss: float
        ) -> Step:
            nonlocal applications
            if not factor.is_in_one_piece:
                return steps_of(invert)(basis, t, block, size, until, loss)
            step: Step = _steps(*inverse, basis, t, block, size, until, loss)
            applications += (step.size - size) // len(block)
            return step

        def pairs_of(g: Floats) -> list[Eigenpair]:
            nodes = np.empty_like(g)
            nodes[:, order] = g
            return problem.eigenpairs(nodes.T)

        start = rng.standard_normal((n_pairs + 1, problem.n))
        _add_smooth(start, dissection.coordinates, order, roots, kernel)
        tol = max(self.tol / 2, _LEAST_TOL)
        found = largest_ritz_vectors(advance, start, tol, self.max_iterations, rng)
        # As far as its Ritz value tells, the gap to the next value is not overestimated.
        next_value = 1 / (found.values[-1] + found.bounds[-1])
        g = found.vectors[:n_pairs]
        # An error of size ε in g along a high mode is one of size ε λ_max / λ in the residual;
        # applying the inverse damps it by the same factor.
        for _ in range(_N_POLISHES):
            g = invert(g / lengths(g)[:, None])
            if n_pairs > 1:
                g = np.linalg.qr(g.T)[0].T
            pairs = pairs_of(g)
            if self.is_final(problem, pairs, next_value):
                break
        return Iterate(pairs, next_value, applications, self.name)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _add_smooth(
    rows: Floats,
    coordinates: NDArray[np.float32],
    order: NDArray[np.int32],
    roots: Floats,
    kernel: Floats,
) -> None:
    """Add functions that vary from end to end of the graph, as the first eigenvectors do, to rows.

    Both are projected, and scaled to the same length. The random part serves the eigenvectors that
    do not; its high modes vanish in the first step of Lanczos.
    """
    smooth = np.empty(len(roots))
    for m in range(len(rows)):
        row, n_parts = rows[m], 2 if m < len(coordinates) else 1
        if n_parts == 2:
            for i in range(len(row)):
                smooth[i] = roots[i] * coordinates[m, order[i]]
        for part in range(n_parts):
            given = row if part == 0 else smooth
            along = square = 0.0
            for i in range(len(row)):
                along += given[i] * kernel[i]
            for i in range(len(row)):
                given[i] -= along * kernel[i]
                square += given[i] * given[i]
            scale = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
            for i in range(len(row)):
                given[i] *= scale
        if n_parts == 2:
            for i in range(len(row)):
                row[i] += smooth[i]


@njit(cache=True, nogil=True)
def _steps(
    panels: Floats,
    blocks: Any,
    roots: Floats,
    kernel: Floats,
    total: float,
    basis: Floats,
    t: Floats,
    block: Floats,
    size: int,
    until: int,
    loss: float,
) -> Step:
    """Do steps of Lanczos, by a factor in one piece; see `_lanczos.steps_of`."""
    while True:
        image = _inverted(panels, blocks, roots, kernel, total, block)
        step: Step = step_with(image, basis, t, block, size, loss)
        block, size, loss = step.block, step.size, step.loss
        if size >= until or not step.is_independent:
            return step


@njit(cache=True, nogil=True)
def _inverted(
    panels: Floats, blocks: Any, roots: Floats, kernel: Floats, total: float, g: Floats
) -> Floats:
    """Return the images of rows under A⁺, by a factor in one piece."""
    every = _right_sides(g, roots, kernel)
    solve_at_once(panels, blocks, every)
    images: Floats = every[: len(g)]
    _project_solutions(images, roots, kernel, total)
    return images


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _right_sides(g: Floats, roots: Floats, kernel: Floats) -> Floats:
    """Return W_V^{1/2} times the projection of each row, and a row of zeros to an odd number."""
    right = np.zeros((len(g) + len(g) % 2, len(roots)))
    for row, given in zip(right, g):  # noqa: B905  # numba knows no strict
        part = 0.0
        for i in range(len(row)):
            part += given[i] * kernel[i]
        for i in range(len(row)):
            row[i] = roots[i] * (given[i] - part * kernel[i])
    return right


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _project_solutions(y: Floats, roots: Floats, kernel: Floats, total: float) -> None:
    """Replace each row by the projection of W_V^{1/2} times itself; `total` is kᵀ W_V^{1/2} 1."""
    for row in y:
        # Removing the constant before scaling keeps the projection below free of cancellation.
        constant = 0.0
        for i in range(len(row)):
            constant += roots[i] * row[i] * kernel[i]
        constant /= total
        part = 0.0
        for i in range(len(row)):
            row[i] = roots[i] * (row[i] - constant)
            part += row[i] * kernel[i]
        for i in range(len(row)):
            row[i] -= part * kernel[i]
