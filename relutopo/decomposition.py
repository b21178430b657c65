"""Functions that bring a backend, chosen by name, to the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo import registry
from relutopo.errors import InputError
from relutopo.geometry.complex import CellComplex
from relutopo.geometry.domain import Domain
from relutopo.geometry.slices import network_on
from relutopo.interfaces import Enumerator, Progress, checked_complex
from relutopo.system.interrupts import interrupts_that_insist

__all__ = ["decompose"]


@interrupts_that_insist()
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
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    domain : Domain
        For example ``Box(-1.5, 1.5, dim=2)``. On an `AffineSlice` the complex is that of
        the network as a function of the slice's coordinates; for a torch module the shape of
        the slice's origin is the shape of one input.
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
    BackendError
        If the enumerator returns something else.

    Examples
    --------
    >>> from relutopo import Box
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> decompose(lines, Box(-1, 1, dim=2)).n_cells
    (9, 12, 4)
    """
    if max_cells is not None and not (_is_whole(max_cells) and max_cells >= 1):
        raise InputError(
            f"`max_cells` must be an integer from 1, got {max_cells!r}; None sets no limit"
        )
    backend: Enumerator = registry.create("enumerator", enumerator)
    network = network_on(model, domain)
    found = backend.enumerate(network, domain, max_cells=max_cells, progress=progress)
    return checked_complex(found, backend, network, domain)


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
