"""Enumeration on the CPU, compiled with numba, in any dimension, certified.

Lines and planes are cut by a whole layer at once (`_planar`), and so are cells of higher dimensions
where neurons are in general position; elsewhere their face lattice is cut neuron by neuron
(`_lattice`). All take signs and orders from floats only where an a-priori error bound allows and
decide the rest with integers, so the result is right for every arrangement: many lines through one
point, duplicate or dead neurons, lines along the sides.
"""

from __future__ import annotations

from relutopo.checks import check_threads
from relutopo.complex import CellComplex
from relutopo.geometry.domain import Domain
from relutopo.interfaces import Enumerator, Progress
from relutopo.networks.network import Network

__all__ = ["CpuEnumerator"]


class CpuEnumerator(Enumerator):
    """Cuts domains of any dimension with compiled kernels.

    Parameters
    ----------
    n_threads : int, optional
        Number of threads; by default the number of cores that the process may use. The result does
        not depend on it.

    Raises
    ------
    InputError
        If `n_threads` is not positive.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2), enumerator="cpu").record.status
    'certified'
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = check_threads(n_threads)

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> CellComplex:
        """Return the complex of the network on the domain; see `Enumerator`."""
        if domain.dim <= 2:
            from ._planar.enumeration import enumerate_planar  # loads numba

            return enumerate_planar(
                network, domain, max_cells, progress, self.n_threads, max_bytes=max_bytes
            )
        from ._lattice.enumeration import enumerate_lattice

        return enumerate_lattice(
            network, domain, max_cells, progress, self.n_threads, max_bytes=max_bytes
        )
