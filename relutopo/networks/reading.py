"""Networks from whatever describes one: modules, state dicts, files, arrays."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from relutopo.checks import check_integers
from relutopo.errors import InputError
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.optional import require

__all__ = ["as_network"]


def as_network(model: Any, input_shape: Sequence[int] | None = None) -> Network:
    """Turn whatever describes a network into a `Network`.

    Parameters
    ----------
    model : Network, torch.nn.Module, mapping, path, or pair (weights, biases)
        A network; a torch module whose non-linearities are piecewise linear (see
        `relutopo.networks.torch_modules`; what counts is its evaluation mode); the state dict of a
        sequence of Linear and ReLU layers, or the ``.pt`` file that holds it; a ``.onnx`` file; or
        two sequences of arrays.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis, for example ``(1, 28, 28)``. Needed for a module
        that does not begin with a Linear layer, or whose Linear layers act on each row.

    Returns
    -------
    Network
        A `ReluNetwork` where that is possible, otherwise a `GraphNetwork`.

    Raises
    ------
    UnsupportedModuleError
        If a torch module does something that is not understood.
    InputError
        If `model` is none of these, or `input_shape` is missing or does not fit.

    Examples
    --------
    >>> as_network(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])).n_neurons
    1
    """
    if input_shape is not None:
        input_shape = _checked_shape(input_shape)
    network = _read_network(model, input_shape)
    if input_shape is not None and math.prod(input_shape) != network.input_dim:
        raise InputError(
            f"`input_shape` {input_shape} has {math.prod(input_shape)} entries, the network "
            f"takes {network.input_dim}; pass the shape of one input, without the batch axis"
        )
    return network


def _checked_shape(shape: Any) -> tuple[int, ...]:
    remedy = "pass the shape of one input without the batch axis, for example (2,) or (1, 28, 28)"
    return check_integers("input_shape", shape, 1, at_least=1, remedy=remedy)


def _read_network(model: Any, input_shape: Sequence[int] | None) -> Network:
    if isinstance(model, Network):
        return model
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from relutopo.networks.torch_modules import network_of_module  # loads torch

        return network_of_module(model, input_shape)
    if isinstance(model, Mapping):
        return ReluNetwork.from_state_dict(model)
    if isinstance(model, (str, os.PathLike)):
        if not os.path.isfile(model):
            raise InputError(
                f"`model` names the file {os.fspath(model)!r}, which does not exist; check the path"
            )
        if os.fspath(model).endswith(".onnx"):
            require("torch", "reading an ONNX file")
            from relutopo.networks.onnx_files import network_of_onnx  # loads torch

            return network_of_onnx(model, input_shape)
        return ReluNetwork.from_state_dict(_load_state_dict(model))
    if isinstance(model, (tuple, list)) and len(model) == 2:
        return ReluNetwork(*model)
    raise InputError(
        "`model` must be a relutopo Network, a torch.nn.Module, a state dict, the path of a .pt "
        f"or .onnx file or a pair (weights, biases), got {type(model).__name__}; convert it to "
        "one of these"
    )


def _load_state_dict(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    name = os.fspath(path)
    torch = require("torch", "reading a .pt file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises pickle, runtime, key and end-of-file errors alike for an unreadable file.
        raise InputError(
            f"{name!r} cannot be read as a state dict ({type(error).__name__}); write it with "
            "torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, Mapping):
        raise InputError(
            f"{name!r} must hold a state dict, got {type(state).__name__}; write it with "
            "torch.save(model.state_dict(), path)"
        )
    return state
