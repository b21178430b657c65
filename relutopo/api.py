"""Functions that bring a backend, chosen by name, to the data."""

from __future__ import annotations

from typing import Any

from relutopo import registry
from relutopo.errors import InputError
from relutopo.geometry.complex import CellComplex
from relutopo.geometry.domain import Domain
from relutopo.geometry.network import as_network
from relutopo.interfaces import Enumerator, Progress

__all__ = ["decompose"]


def decompose(
    model: Any,
    domain: Domain,
    *,
    enumerator: str | Enumerator = "cpu",
    max_cells: int | None = None,
    progress: Progress | None = None,
) -> CellComplex:
    """Cut a domain into the cells of a network.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain
        For example ``Box(-1.5, 1.5, dim=2)``.
    enumerator : str or Enumerator
        Registry name or instance.
    max_cells : int, optional
        Stop with an error before the complex has more cells of all dimensions than this.
    progress : Progress, optional
        Called after each layer with (layers done, layers, message).

    Returns
    -------
    CellComplex

    Raises
    ------
    InputError
        If the model or the domain cannot be used, or their dimensions differ.
    LimitReachedError
        If `max_cells` is reached.

    Examples
    --------
    >>> from relutopo import Box
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2)).n_cells
    (9, 12, 4)
    """
    network = as_network(model)
    if not isinstance(domain, Domain):
        raise InputError(
            f"`domain` must be a Domain, got {type(domain).__name__}; pass for example "
            f"Box(-1, 1, dim={network.input_dim})"
        )
    if domain.dim != network.input_dim:
        raise InputError(
            f"`domain` has {domain.dim} dimensions, the network takes {network.input_dim}; "
            f"pass for example Box(-1, 1, dim={network.input_dim})"
        )
    backend = registry.create("enumerator", enumerator)
    result: CellComplex = backend.enumerate(network, domain, max_cells=max_cells, progress=progress)
    return result
