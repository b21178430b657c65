"""What the enumerators share: the limit of cells, and from where float positions will not do."""

from __future__ import annotations

from relutopo.errors import LimitReachedError
from relutopo.networks.network import Network

__all__ = ["POSITION_TARGET", "check_limit"]

POSITION_TARGET = 2.0**-13
"""Error bound, relative to the domain, from which a vertex is computed exactly and rounded."""


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
