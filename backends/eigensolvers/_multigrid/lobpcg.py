"""LOBPCG with an algebraic multigrid preconditioner, on any device.

The iteration is that of `amg_lobpcg`, in terms of the pencil. Aggregates are found for all nodes at
once, and Chebyshev polynomials smooth in place of Gauss-Seidel sweeps, which go from node to node.
All vectors and matrices but the coarsest stay on the device; in each iteration four small arrays
come to the host: two Gram matrices, the projected matrix, and the norms that decide on the stop.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import sparse

from relutopo.devices.device import Device

from .._pencil import Iterate, PencilSolver, SymmetricProblem
from .hierarchy import Hierarchy
from .orthonormal import orthonormal
from .parallel import ParallelScheme
from .products import combinations, inner_products, product
from .progress import BlockState, Progress

__all__ = ["DeviceLobpcgEigensolver"]

# Estimates, at the product of sparse matrices that takes most: 24 bytes for each product of two of
# their entries, of which a plane graph has 2.5 an entry of L, and solid or badly scaled ones to 12.
_BYTES_PER_ENTRY = 350
_BYTES_PER_NODE = 250


class DeviceLobpcgEigensolver(PencilSolver[sparse.csr_array]):
    """LOBPCG, preconditioned by a smoothed-aggregation V-cycle.

    Parameters
    ----------
    device : Device
        What it runs on.
    tol : float
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int
        Limit of iterations.
    """

    name: ClassVar[str] = "cuda_lobpcg"
    numbered_from: ClassVar[float] = math.inf  # it takes longer than all that follows

    def __init__(self, device: Device, tol: float, max_iterations: int) -> None:
        super().__init__(tol, max_iterations)
        self.device = device

    def set_up(self, laplacian: sparse.csr_array) -> sparse.csr_array:
        """Return the Laplacian itself: after each solution the memory of a card is free again."""
        return laplacian

    def iterate(
        self,
        setup: sparse.csr_array,
        problem: SymmetricProblem,
        n_pairs: int,
        rng: np.random.Generator,
    ) -> Iterate:
        """Return the first Ritz pairs that are accepted."""
        n_vectors = 3 * (n_pairs + 1)
        n_bytes = _BYTES_PER_ENTRY * setup.nnz + (_BYTES_PER_NODE + 16 * n_vectors) * problem.n
        purpose = f"the Fiedler vector of {problem.n:,} nodes"
        with self.device.session():
            self.device.require_memory(n_bytes, purpose)
            return self._iterate(setup, problem, n_pairs, rng)

    def _iterate(
        self,
        on_host: sparse.csr_array,
        problem: SymmetricProblem,
        n_pairs: int,
        rng: np.random.Generator,
    ) -> Iterate:
        device, xp, m = self.device, self.device.xp, n_pairs + 1
        laplacian = device.csr_to_device(on_host)
        hierarchy = Hierarchy.of(laplacian, ParallelScheme(device))
        weights, diagonal = device.to_device(problem.roots**2), laplacian.diagonal()
        inverse = 1 / weights
        progress = Progress(self, problem, n_pairs, m)
        basis = list(hierarchy.start(weights, rng, m))
        while True:
            # Orthogonal to the kernel, which is the first row.
            q = orthonormal(xp.stack([xp.ones(problem.n), *basis]), weights, device)[1:]
            image = product(xp, laplacian, q)
            projected = device.to_host(inner_products(xp, q, image))
            values, c = np.linalg.eigh((projected + projected.T) / 2)
            values, ritz = values[:m], c[:, :m].T
            # The last step's change of the Ritz vectors is the conjugate direction.
            added = ritz.copy()
            added[:, :m] = 0.0
            coefficients = device.to_device(np.concatenate([ritz, added]))
            x = combinations(xp, coefficients, q)
            x, directions = x[:m], x[m:]
            weighted = weights * x
            shares = device.to_device(values[:, None])
            residuals = combinations(xp, coefficients[:m], image) - shares * weighted
            rows = residuals, weighted, diagonal * x
            squares = xp.stack([row[j] @ row[j] for row in rows for j in range(m)])
            distances = xp.stack([residuals[j] @ (inverse * residuals[j]) for j in range(m)])
            norms = np.sqrt(device.to_host(xp.stack([*squares, *distances]))).reshape(4, m)
            errors, scales, sizes, distances = norms
            state = BlockState(values, distances, errors, scales, 2 * sizes)
            found = progress.judge(
                state,
                lambda x=x: problem.roots[:, None] * device.to_host(x[:n_pairs]).T,  # type: ignore[misc]
            )
            if found is not None:
                return found
            active = np.flatnonzero(progress.active).tolist()
            basis = [*x, *hierarchy.cycle(xp.stack([residuals[j] for j in active]))]
            if len(q) > m:
                basis += [directions[j] for j in active]
