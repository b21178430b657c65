"""The task of an enumerator: network and domain, limits, and the neurons that cut next."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from relutopo.errors import LimitReachedError
from relutopo.geometry.domain import Domain
from relutopo.networks.balancing import balanced
from relutopo.networks.network import Network
from relutopo.system.memory import Room

__all__ = ["Limits", "Stage", "Task"]

_POSITION_TARGET = 2.0**-13


class Stage(NamedTuple):
    """The units ``first:last`` of a layer, which cut at once."""

    layer: int
    first: int
    last: int


class Limits:
    """How many cells a complex may have, and how many bytes it may take.

    Memory is bounded through the number of cells: each counts with its bytes at the worst moment,
    temporary arrays included.

    Parameters
    ----------
    max_cells, max_bytes : int or None
        See `relutopo.interfaces.Enumerator`.
    bytes_a_cell : float
        What the enumerator takes for each cell.
    """

    def __init__(self, max_cells: int | None, max_bytes: int | None, bytes_a_cell: float) -> None:
        self.max_cells, self.bytes_a_cell = max_cells, bytes_a_cell
        self.room = Room(max_bytes)

    @property
    def most_cells(self) -> int:
        """How many cells there may be."""
        by_bytes = self._most_by_bytes
        return by_bytes if self.max_cells is None else min(self.max_cells, by_bytes)

    @cached_property
    def _most_by_bytes(self) -> int:
        return int(self.room.n_bytes / self.bytes_a_cell)

    def check(self, n_cells: int, network: Network, layer: int, unit: int | None = None) -> None:
        """Stop when a layer, or its neuron number `unit`, makes too many cells."""
        neuron = "" if unit is None else f", neuron {unit + 1} of {network.layer_sizes[layer]}"
        where = f"layer {layer + 1} of {len(network.layer_sizes)}{neuron}"
        if self.max_cells is not None and n_cells > self.max_cells:
            raise LimitReachedError(
                f"`max_cells`={self.max_cells} was reached in {where}, with {n_cells} cells; raise "
                "the limit or shrink the domain"
            )
        if n_cells > self._most_by_bytes:  # kernels stop there, and nothing else may continue
            self.room.refuse(
                self.bytes_a_cell * n_cells, f"{where}, with {n_cells} cells,", "shrink the domain"
            )


class Task:
    """The network and domain to decompose, and the data that all layers need.

    Parameters
    ----------
    network : Network
    domain : Domain
    limits : Limits

    Attributes
    ----------
    network : Network
        A network with the same signs everywhere, whose numbers stay within the range of floats.
    magnitude : (d,) ndarray
        Bound of the coordinates.
    limit : float
        Its smallest entry: a vertex with a larger error bound decides no signs.
    target : float
        A vertex with a larger error bound is computed exactly and rounded.
    rounding : float
        Error of such a vertex.
    """

    def __init__(self, network: Network, domain: Domain, limits: Limits) -> None:
        self.network, self.domain = balanced(network, domain.magnitude), domain
        self.limits = limits
        # By rounding, computed coordinates may lie outside the domain.
        self.magnitude = domain.magnitude * (1 + 2.0**-30)
        self.limit = float(self.magnitude.min())
        size = float(self.magnitude.max())
        self.target, self.rounding = _POSITION_TARGET * size, 2.0**-52 * size

    def check_limit(self, n_cells: int, layer: int, unit: int | None = None) -> None:
        """Stop when a layer, or its neuron number `unit`, makes too many cells."""
        self.limits.check(n_cells, self.network, layer, unit)

    def is_last(self, stage: Stage) -> bool:
        """Tell whether nothing cuts after a stage."""
        sizes = self.network.layer_sizes
        return stage.layer == len(sizes) - 1 and stage.last == sizes[-1]
