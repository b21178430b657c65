"""The role that cuts a domain into cells."""

from __future__ import annotations

from abc import ABC, abstractmethod

from relutopo.geometry.cells import Cells
from relutopo.geometry.domain import Domain
from relutopo.interfaces.laws import broken_law
from relutopo.interfaces.progress import Progress
from relutopo.networks.network import Network

__all__ = ["Enumerator", "checked_cells"]


class Enumerator(ABC):
    """Cuts a domain into the cells of a network.

    Laws: the result satisfies `CellComplex.check`; the same network and domain give the same
    complex, cell by cell after `CellComplex.canonical`, whatever the enumerator.
    """

    @abstractmethod
    def enumerate(
        self,
        network: Network,
        domain: Domain,
        *,
        max_cells: int | None = None,
        max_bytes: int | None = None,
        progress: Progress | None = None,
    ) -> Cells:
        """Return the complex of the network on the domain.

        Parameters
        ----------
        network : Network
        domain : Domain
            Of the network's input dimension.
        max_cells : int, optional
            Stop with an error before the complex has more cells than this, all dimensions together.
        max_bytes : int, optional
            Stop with an error before the work takes more of this machine's memory than this, as far
            as can be predicted. By default the bound is nine tenths of what the process can have;
            see `Room` of `relutopo.system.memory`.
        progress : Progress, optional
            Called after each layer.

        Raises
        ------
        LimitReachedError
            If `max_cells` or `max_bytes` is reached.
        """


def checked_cells(found: object, enumerator: Enumerator, network: Network, domain: Domain) -> Cells:
    """Return an enumerator's result if it is a complex of the given network and domain.

    Its invariants are not tested; `CellComplex.check` tests them, which takes long.

    Parameters
    ----------
    found : object
        What `enumerator` returned.
    enumerator : Enumerator
    network : Network
    domain : Domain

    Raises
    ------
    BackendError
        If it is not a complex, or is one of another network or domain.
    """
    if not isinstance(found, Cells):
        raise broken_law("enumerator", enumerator, "a CellComplex", type(found).__name__)
    for name, own, given in (
        ("network", found.network, network),
        ("domain", found.domain, domain),
    ):
        if own is not given:
            expected = f"a complex with the `{name}` that it was given"
            raise broken_law("enumerator", enumerator, expected, f"another one, {own!r}")
    return found
