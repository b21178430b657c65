"""What is decomposed, and which neurons cut next: the same for all families of enumerators."""

from __future__ import annotations

from typing import NamedTuple

from relutopo.errors import LimitReachedError
from relutopo.geometry.domain import Domain
from relutopo.networks.balancing import balanced
from relutopo.networks.network import Network

__all__ = ["Stage", "Task", "check_limit"]

_POSITION_TARGET = 2.0**-13


class Stage(NamedTuple):
    """The units ``first:last`` of a layer, which cut at once."""

    layer: int
    first: int
    last: int


class Task:
    """What is being decomposed, and what all layers need of it.

    Parameters
    ----------
    network : Network
    domain : Domain
    max_cells : int or None
        Limit of the number of cells.

    Attributes
    ----------
    network : Network
        One with the same signs everywhere, whose numbers do not leave the range of floats.
    magnitude : (d,) ndarray
        Bound of the coordinates.
    limit : float
        Its smallest entry: what is further off than that says nothing of a neuron's value.
    target : float
        Bound of a vertex' error from which it is computed exactly and rounded.
    rounding : float
        How far a vertex is off that is.
    """

    def __init__(self, network: Network, domain: Domain, max_cells: int | None) -> None:
        self.network, self.domain = balanced(network, domain.magnitude), domain
        self.max_cells = max_cells
        # Computed coordinates may leave the domain by rounding.
        self.magnitude = domain.magnitude * (1 + 2.0**-30)
        self.limit = float(self.magnitude.min())
        size = float(self.magnitude.max())
        self.target, self.rounding = _POSITION_TARGET * size, 2.0**-52 * size

    def check_limit(self, n_cells: int, layer: int, unit: int | None = None) -> None:
        """Stop when a layer, or its neuron number `unit`, makes too many cells."""
        check_limit(self.max_cells, n_cells, self.network, layer, unit)

    def is_last(self, stage: Stage) -> bool:
        """Tell whether nothing cuts after a stage."""
        sizes = self.network.layer_sizes
        return stage.layer == len(sizes) - 1 and stage.last == sizes[-1]


def check_limit(
    max_cells: int | None, n_cells: int, network: Network, layer: int, unit: int | None = None
) -> None:
    """Stop when a layer, or its neuron number `unit`, makes more than `max_cells` cells."""
    if max_cells is None or n_cells <= max_cells:
        return
    neuron = "" if unit is None else f", neuron {unit + 1} of {network.layer_sizes[layer]}"
    raise LimitReachedError(
        f"`max_cells`={max_cells} was reached in layer {layer + 1} of {len(network.layer_sizes)}"
        f"{neuron}, with {n_cells} cells; raise the limit or shrink the domain"
    )
