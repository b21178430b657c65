"""Enumeration on the CPU, compiled with numba, in any dimension, certified.

Lines and planes go to `_plane`, which cuts a whole layer at once; higher dimensions to `_lattice`,
which cuts the face lattice neuron by neuron. Both take signs and orders from floats only where an
a-priori error bound allows and decide the rest with integers, so the result is right for every
arrangement.
"""

from __future__ import annotations

from relutopo.geometry.complex import CellComplex
from relutopo.geometry.domain import Domain
from relutopo.geometry.network import Network
from relutopo.interfaces import Enumerator, Progress

__all__ = ["CpuEnumerator"]


class CpuEnumerator(Enumerator):
    """Cuts domains of any dimension with compiled kernels.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2), enumerator="cpu").record.status
    'certified'
    """

    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        progress: Progress | None = None,
    ) -> CellComplex:
        """Return the complex of the network on the domain; see `Enumerator`."""
        if domain.dim <= 2:
            from ._plane import enumerate_plane  # loads numba

            return enumerate_plane(network, domain, max_cells, progress)
        from ._lattice import enumerate_lattice

        return enumerate_lattice(network, domain, max_cells, progress)
