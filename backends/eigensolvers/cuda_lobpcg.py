"""LOBPCG with an algebraic multigrid preconditioner on an NVIDIA card."""

from __future__ import annotations

from relutopo.devices.cuda import cuda_device

from ._multigrid.lobpcg import DeviceLobpcgEigensolver

__all__ = ["CudaLobpcgEigensolver"]


class CudaLobpcgEigensolver(DeviceLobpcgEigensolver):
    """LOBPCG, preconditioned by a smoothed-aggregation V-cycle, on an NVIDIA card through CuPy.

    The host solves the coarsest level and checks the residual of the result; all else runs on the
    card, whose memory is freed after each solution. cuSPARSE does not guarantee the order of its
    sums, so results may differ in their last bits from run to run.

    Parameters
    ----------
    tol : float, default 1e-8
        Largest relative residual that counts as converged, in (0, 1e-6].
    max_iterations : int, default 500
        Limit of LOBPCG iterations.
    device : int, default 0
        Number of the card.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    DeviceError
        If there is no card that can be used.
    InputError
        If there is no such card.
    """

    def __init__(self, tol: float = 1e-8, max_iterations: int = 500, device: int = 0) -> None:
        purpose = f"the eigensolver {self.name!r}"
        card = cuda_device(device, purpose, "choose the eigensolver 'auto'")
        super().__init__(card, tol, max_iterations)
