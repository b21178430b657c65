"""LOBPCG with an algebraic multigrid preconditioner, on any device.

The iteration is that of `amg_lobpcg`, with one vector, in the terms of the pencil, with aggregates
that are found for all nodes at once, and with smoothing by Chebyshev polynomials in place of Gauss
and Seidel's, which goes from node to node. Vectors and matrices stay on the device, but for the
coarsest; in each iteration four arrays of at most 4 × 4 numbers come to the host: two Gram
matrices, the projected matrix, and the norms that decide on the stop.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from relutopo.devices.device import Device

from .._pencil import LARGEST_TOL, Iterate, PencilSolver, SymmetricProblem
from .hierarchy import Hierarchy, csr_to_device
from .orthonormal import orthonormal
from .parallel import ParallelScheme
from .products import combinations, inner_products, product

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
    breadth_first: ClassVar[bool] = False  # takes longer than all that follows

    def __init__(self, device: Device, tol: float, max_iterations: int) -> None:
        super().__init__(tol, max_iterations)
        self.device = device

    def set_up(self, laplacian: sparse.csr_array) -> sparse.csr_array:
        """Return the Laplacian itself: after each solution the memory of a card is free again."""
        return laplacian

    def iterate(
        self, setup: sparse.csr_array, problem: SymmetricProblem, rng: np.random.Generator
    ) -> Iterate:
        """Return the first Ritz pair that is accepted."""
        n_bytes = _BYTES_PER_ENTRY * setup.nnz + _BYTES_PER_NODE * problem.n
        purpose = f"the Fiedler vector of {problem.n:,} nodes"
        with self.device.session():
            self.device.require_memory(n_bytes, purpose)
            return self._iterate(setup, problem, rng)

    def _iterate(
        self, on_host: sparse.csr_array, problem: SymmetricProblem, rng: np.random.Generator
    ) -> Iterate:
        device, xp = self.device, self.device.xp
        laplacian = csr_to_device(on_host, device)
        hierarchy = Hierarchy.of(laplacian, ParallelScheme(device))
        weights, diagonal = device.to_device(problem.roots**2), laplacian.diagonal()
        basis, iterations = list(hierarchy.start(weights, rng)), 0
        while True:
            # Orthogonal to the kernel, which stands first.
            q = orthonormal(xp.stack([xp.ones(problem.n), *basis]), weights, device)[1:]
            image = product(xp, laplacian, q)
            projected = device.to_host(inner_products(xp, q, image))
            values, c = np.linalg.eigh((projected + projected.T) / 2)
            value, ritz = float(values[0]), c[:, 0]
            # What the last step added to the Ritz vector is the conjugate direction.
            added = np.append(0.0, ritz[1:])
            coefficients = device.to_device(np.stack([ritz, added]))
            x, direction = combinations(xp, coefficients, q)
            weighted = weights * x
            residual = combinations(xp, coefficients[:1], image)[0] - value * weighted
            stop = iterations == self.max_iterations
            if stop or self._promises(value, x, weighted, residual, laplacian, diagonal):
                pair = problem.eigenpair(problem.roots * device.to_host(x))
                if stop or self.accepts(problem, pair):
                    return Iterate(pair, iterations, self.name)
            iterations += 1
            basis = [x, hierarchy.cycle(residual)] + ([direction] if len(q) > 1 else [])

    def _promises(
        self, value: float, x: Any, weighted: Any, residual: Any, laplacian: Any, diagonal: Any
    ) -> bool:
        """Tell whether a pair is likely to be accepted, in the terms of `PencilSolver.accepts`.

        Only then is it worth a full check on the host.
        """
        xp = self.device.xp
        squares = xp.stack([residual @ residual, weighted @ weighted])
        error, norm = map(math.sqrt, self.device.to_host(squares))
        scale = value * norm
        if error <= self.tol * scale or error > LARGEST_TOL * scale:
            return error <= self.tol * scale
        sizes = abs(x)
        sizes = product(xp, laplacian, sizes, 2 * diagonal * sizes, -1.0)
        rounding = float(np.finfo(np.float64).eps) * math.sqrt(sizes @ sizes)
        return error <= 1.1 * rounding
