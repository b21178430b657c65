"""LOBPCG with an algebraic multigrid preconditioner, on any device.

The iteration is that of `amg_lobpcg`, with one vector, and with smoothing by Chebyshev polynomials
in place of Gauss and Seidel's, which goes from node to node. Vectors and matrices stay on the
device; in each iteration four arrays of at most 3 × 3 numbers come to the host: two Gram matrices,
the projected matrix, and the norms that decide on the stop.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from relutopo.devices import Device
from relutopo.optional import require

from ._hierarchy import Hierarchy, csr_to_device
from ._orthonormal import orthonormal
from ._pencil import LARGEST_TOL, Iterate, PencilSolver, SymmetricProblem

__all__ = ["DeviceLobpcgEigensolver"]

# Estimates, from the sizes of the products of the set-up, with room for their buffers.
_BYTES_PER_ENTRY = 100
_BYTES_PER_NODE = 250


class DeviceLobpcgEigensolver(PencilSolver):
    """LOBPCG, preconditioned by a smoothed-aggregation V-cycle.

    Parameters
    ----------
    device : Device
        What it runs on.
    tol : float
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int
        Limit of iterations.

    Raises
    ------
    MissingExtraError
        If pyamg is not installed.
    """

    name: ClassVar[str] = "cuda_lobpcg"

    def __init__(self, device: Device, tol: float, max_iterations: int) -> None:
        super().__init__(tol, max_iterations)
        self.device = device
        self._pyamg = require("pyamg", f"the eigensolver {self.name!r}")

    def iterate(self, problem: SymmetricProblem, rng: np.random.Generator) -> Iterate:
        """Return the Ritz vector once its true residual is small enough."""
        n_bytes = _BYTES_PER_ENTRY * problem.laplacian.nnz + _BYTES_PER_NODE * problem.n
        purpose = f"the Fiedler vector of {problem.n:,} nodes"
        with self.device.session():
            self.device.require_memory(n_bytes, purpose)
            return self._iterate(problem, rng)

    def _iterate(self, problem: SymmetricProblem, rng: np.random.Generator) -> Iterate:
        device = self.device
        xp = device.xp
        laplacian = csr_to_device(problem.laplacian, device)
        hierarchy = Hierarchy.of(laplacian, problem.laplacian, device, self._pyamg)
        roots = device.to_device(problem.roots)
        kernel = device.to_device(problem.kernel)
        diagonal = laplacian.diagonal()

        def project(g: Any) -> Any:
            for _ in range(2):  # as in SymmetricProblem
                g = g - (g @ kernel) * kernel
            return g

        basis = [roots * hierarchy.start(roots**2, rng)]
        iterations = 0
        while True:
            columns = xp.stack([project(row) for row in basis]).T
            q = xp.ascontiguousarray(orthonormal(columns, device).T)
            image = xp.stack([(laplacian @ (row / roots)) / roots for row in q])
            projected = device.to_host(q @ image.T)
            values, c = np.linalg.eigh((projected + projected.T) / 2)
            value = float(values[0])
            first = device.to_device(np.ascontiguousarray(c[:, 0]))
            g = first @ q
            residual = first @ image - value * g
            if self._promises(value, g, residual, roots, laplacian, diagonal) or (
                iterations == self.max_iterations
            ):
                vector = device.to_host(g)
                if iterations == self.max_iterations or self.accepts(problem.eigenpair(vector)):
                    return Iterate(vector, iterations, self.name)
            iterations += 1
            step = project(roots * hierarchy.cycle(roots * project(residual)))
            # What the last step added to the Ritz vector is the conjugate direction.
            basis = [g, step] + ([first[1:] @ q[1:]] if len(q) > 1 else [])

    def _promises(
        self, value: float, g: Any, residual: Any, roots: Any, laplacian: Any, diagonal: Any
    ) -> bool:
        """Tell whether a pair is likely to be accepted, in the terms of `Eigenpair`.

        Only then is it worth a full check on the host.
        """
        xp = self.device.xp
        sizes = abs(g / roots)
        norms = [
            xp.linalg.norm(roots * residual),
            xp.linalg.norm(2 * diagonal * sizes - laplacian @ sizes),
            xp.linalg.norm(roots * g),
        ]
        error, rounding, scale = self.device.to_host(xp.stack(norms)).tolist()
        rounding *= np.finfo(np.float64).eps
        largest = max(self.tol * value * scale, min(1.1 * rounding, LARGEST_TOL * value * scale))
        return bool(error <= largest)
