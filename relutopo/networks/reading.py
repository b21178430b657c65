"""Networks from whatever describes one: modules, state dicts, files, arrays."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from relutopo.checks import check_flag, check_integers
from relutopo.errors import InputError
from relutopo.networks.model_files import model_in_file
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.optional import require

__all__ = ["as_network", "load_model"]


def as_network(model: Any, input_shape: Sequence[int] | None = None) -> Network:
    """Turn whatever describes a network into a `Network`.

    Parameters
    ----------
    model : Network, torch.nn.Module, mapping, path, or pair (weights, biases)
        A network; a torch module whose non-linearities are piecewise linear (see
        `relutopo.networks.torch_modules`; what counts is its evaluation mode); the state dict of a
        sequence of Linear and ReLU layers; a file, as `load_model` reads it without trust; or two
        sequences of arrays.
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
        return load_model(model, input_shape=input_shape)
    if isinstance(model, (tuple, list)) and len(model) == 2:
        return ReluNetwork(*model)
    raise InputError(
        "`model` must be a relutopo Network, a torch.nn.Module, a state dict, the path of a .pt "
        f"or .onnx file or a pair (weights, biases), got {type(model).__name__}; convert it to "
        "one of these"
    )


def load_model(
    path: str | os.PathLike[str],
    *,
    trust: bool = False,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Read a network from a ``.onnx`` file, or from one that `torch.save` wrote.

    Parameters
    ----------
    path : path-like
        A state dict of Linear and ReLU layers, a checkpoint that has one under ``state``,
        ``state_dict``, ``model_state_dict`` or ``model``, or ONNX.
    trust : bool, default False
        Whether the file may hold whole Python objects, such as a module. Reading them *runs code
        from the file*: only for files of people you trust. Their classes must be importable.
    input_shape : sequence of int, optional
        Shape of one input of a module that does not begin with a Linear layer.

    Raises
    ------
    InputError
        If the file is missing, unreadable, holds no network, or needs `trust`.
    """
    trust = check_flag("trust", trust)
    name = os.fspath(path)
    if not os.path.isfile(path):
        raise InputError(f"`model` names the file {name!r}, which does not exist; check the path")
    if name.endswith(".onnx"):
        require("torch", "reading an ONNX file")
        from relutopo.networks.onnx_files import network_of_onnx  # loads torch

        return network_of_onnx(path, input_shape)
    content = model_in_file(name, trust)
    if not isinstance(content, Mapping) and not hasattr(content, "state_dict"):
        raise InputError(
            f"{name!r} must hold a state dict, got {type(content).__name__}; write it with "
            "torch.save(model.state_dict(), path)"
        )
    try:
        return as_network(content, input_shape)
    except InputError as error:
        raise InputError(f"{name!r} holds no network that can be read: {error}") from error
