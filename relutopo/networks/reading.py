"""Networks read from modules, state dicts, files, arrays."""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_numbers, as_points
from relutopo.checks import check_flag, check_integers, check_path, kind_of
from relutopo.devices.copies import host_array
from relutopo.errors import InputError
from relutopo.networks.estimators import is_estimator, network_of_estimator
from relutopo.networks.model_files import model_in_file
from relutopo.networks.network import Network
from relutopo.networks.roundoff import outputs_in_range, roundoff
from relutopo.networks.state_dicts import network_of_state_dict, parameters_in
from relutopo.networks.storage import load_network
from relutopo.networks.weight_lists import network_of_weights
from relutopo.optional import require
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import Room, in_words

__all__ = ["as_network", "load_model", "network_for"]

log = logging.getLogger("relutopo")
_SINGLE_PRECISION = 1e-4
"""Tolerance for outputs in single precision, relative to the largest of them."""
_SINGLE_UNIT = 2.0**-24


@deliver_interrupts
@in_words("take a smaller model")
def as_network(
    model: Any,
    input_shape: Sequence[int] | None = None,
    *,
    key: str | None = None,
    output: str | int | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    expected: tuple[ArrayLike, ArrayLike] | None = None,
) -> Network:
    """Read a `Network` from a model of any supported kind.

    Parameters
    ----------
    model : Network, torch.nn.Module, keras.Model, estimator, mapping, path, or sequence of arrays
        A network; a torch module whose non-linearities are piecewise linear, read in evaluation
        mode (see `relutopo.networks.torch_modules`); a sequential or functional model of Keras; a
        perceptron of scikit-learn, alone or at the end of a pipeline of affine steps; the state
        dict of a sequence of Linear and ReLU layers, or a tree of parameters with kernels, alone or
        in a checkpoint; a file, as `load_model` reads it without trust; a pair of sequences
        (weights, biases), or pairs (weight, bias).
    input_shape : sequence of int, optional
        Shape of one input without the batch axis, for example ``(1, 28, 28)``. Needed for a module
        that does not begin with a Linear layer, or whose Linear layers act on each row.
    key : str, optional
        Which part of a mapping, a checkpoint or a file is the network, if there are several: keys
        joined by points, or the common beginning of the names of its layers.
    output : str or int, optional
        Which output to read, if a torch module or an ONNX file has several: its name (a key or a
        field of the module's result) or its number. In an ONNX file, also the name of any value.
    fixed : mapping of str to array_like, optional
        Values of all inputs but one, by name, if a torch module or an ONNX file takes several.
        Arguments of a module may be any objects, as passed in a call with one row.
    expected : pair (points, outputs), optional
        Points (n, d) and the outputs (n, n_outputs), or (n,), that the model itself computed there,
        to compare with. Names and shapes of a state dict do not tell what is between its layers;
        this comparison does.

    Returns
    -------
    Network
        A `ReluNetwork` if possible, otherwise a `GraphNetwork`. The log and the `repr` say which
        layers of a state dict were read.

    Raises
    ------
    UnsupportedModuleError
        If an operation of a torch module is not understood.
    InputError
        If `model` is of no supported kind, it can be read in several ways, `input_shape` is missing
        or does not fit, or the outputs differ from those expected.

    Examples
    --------
    >>> as_network(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])).n_neurons
    1
    """
    if input_shape is not None:
        input_shape = _checked_shape(input_shape)
    _check_fixed(fixed)
    network = _read_network(model, input_shape, key, output, fixed)
    if input_shape is not None and math.prod(input_shape) != network.input_dim:
        raise InputError(
            f"`input_shape` {input_shape} has {math.prod(input_shape)} entries, the network "
            f"takes {network.input_dim}; pass the shape of one input, without the batch axis"
        )
    if expected is not None:
        _check_outputs(network, expected)
    return network


def network_for(model: Any, points: ArrayLike) -> tuple[Network, NDArray[np.float64]]:
    """Return the network of a model, read in the shape of the given points, and the points as rows.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `as_network`.
    points : (n, ...) array_like
        Rows, or images in their shape.

    Raises
    ------
    InputError
        If the model does not take such points.

    Examples
    --------
    >>> network, rows = network_for(([[[1.0, 2.0]]], [[0.0]]), [[3, 4]])
    >>> network.input_dim, rows.tolist()
    (2, [[3.0, 4.0]])
    """
    x = as_numbers(points, "points")
    if hasattr(model, "named_modules"):
        try:
            network = as_network(model, x.shape[1:] or None)
        except InputError as error:
            remedy = (
                "pass points in the shape that the model takes, images as (n, 1, 28, 28) for "
                "example, or as_network(model, input_shape=(1, 28, 28)) with rows"
            )
            raise InputError(str(error).replace("check `input_shape`", remedy)) from None
    else:
        network = as_network(model)
    return network, as_points(x.reshape(len(x), -1) if x.ndim > 2 else x, network.input_dim)


def _check_fixed(fixed: object) -> None:
    if fixed is not None and not isinstance(fixed, Mapping):
        raise InputError(
            f"`fixed` must be a mapping of names to values, got {type(fixed).__name__}; pass for "
            "example {'t': [0.5]}"
        )


def _check_outputs(network: Network, expected: tuple[ArrayLike, ArrayLike]) -> None:
    if not isinstance(expected, (tuple, list)) or len(expected) != 2:
        raise InputError(
            f"`expected` must be a pair (points, outputs), got {type(expected).__name__}; pass for "
            "example (X, model(X))"
        )
    points = as_points(_rows(expected[0]), network.input_dim)
    outputs, computed = _rows(expected[1]), outputs_in_range(network, points)
    if outputs.shape != computed.shape:
        raise InputError(
            f"`expected` must have outputs of shape {computed.shape}, got {outputs.shape}; pass "
            "one row for each point"
        )
    errors = np.abs(computed - outputs).max(axis=1, initial=0.0)
    most = _SINGLE_PRECISION * max(1.0, float(np.abs(outputs).max(initial=0.0)))
    worst = int(np.argmax(errors)) if len(errors) else 0
    if (
        len(errors)
        and not errors[worst] <= most
        and not errors[worst] <= roundoff(network, points, _SINGLE_UNIT)
    ):
        raise InputError(
            f"`expected` outputs differ by up to {errors[worst]:.2g} (point {worst}) from those of "
            f"{network!r}, which was read from `model`; is there something else than ReLU between "
            "its layers, or another order? Pass the module itself, or an ONNX file of it"
        )


def _rows(values: Any) -> NDArray[np.float64]:
    array = host_array(values)
    return array.reshape(len(array), -1) if array.ndim else array


def _checked_shape(shape: Any) -> tuple[int, ...]:
    remedy = "pass the shape of one input without the batch axis, for example (2,) or (1, 28, 28)"
    found = check_integers("input_shape", shape, 1, at_least=1, remedy=remedy)
    n_entries = math.prod(found)
    Room().check(8 * n_entries, f"an input of {n_entries} entries", "pass a smaller `input_shape`")
    return found


def _read_network(
    model: Any,
    input_shape: Sequence[int] | None,
    key: str | None,
    output: str | int | None,
    fixed: Mapping[str, ArrayLike] | None,
) -> Network:
    if isinstance(model, (str, os.PathLike)):
        return load_model(model, input_shape=input_shape, key=key, output=output, fixed=fixed)
    torch = sys.modules.get("torch")
    is_module = torch is not None and isinstance(model, torch.nn.Module)
    if not is_module or _is_keras_model(model):
        _refuse_options(type(model).__name__, output, fixed)
    is_nested = isinstance(model, (tuple, list)) and any(isinstance(m, Mapping) for m in model)
    if isinstance(model, Mapping) or is_nested:
        return _network_within(model, input_shape, key)
    if key is not None:
        kind = type(model).__name__
        raise InputError(
            f"`key` must be left out for a {kind}, got {key!r}; it names a part of a mapping or of "
            "a file" + ("; pass the submodule itself" if is_module else "")
        )
    if isinstance(model, Network):
        return model
    if is_estimator(model):
        return _with_word(type(model).__name__, network_of_estimator(model))
    if _is_keras_model(model):  # with torch behind it, it is a module of torch as well
        from relutopo.networks.keras_models import network_of_keras_model  # loads torch

        return _with_word(type(model).__name__, network_of_keras_model(model, input_shape))
    if is_module:
        from relutopo.networks.torch_modules import network_of_module  # loads torch

        found = network_of_module(model, input_shape, output=output, fixed=fixed)
        return _with_word(type(model).__name__, found)
    if isinstance(model, (tuple, list)) and model:
        if torch is not None and all(isinstance(layer, torch.nn.Module) for layer in model):
            raise InputError(
                f"`model` must be one module, got a {type(model).__name__} of {len(model)}; pass "
                "torch.nn.Sequential(*model), with the activations between its layers"
            )
        return network_of_weights(model)
    raise InputError(
        "`model` must be a relutopo Network, a torch.nn.Module, a model of Keras or scikit-learn, "
        "a state dict, the path of a .pt or .onnx file or a pair (weights, biases), got "
        f"{kind_of(model)}; {_way_to_a_model(model, torch)}"
    )


def _way_to_a_model(came: Any, torch: Any) -> str:
    """Return how to get a model from what was given in place of one."""
    if isinstance(came, type):
        return f"pass an instance, {came.__name__}(...)"
    owner = getattr(came, "__self__", None)
    if torch is not None and isinstance(owner, torch.nn.Module):  # model.forward
        return "pass the module itself"
    if torch is not None and isinstance(came, torch.optim.Optimizer):
        return "pass the module that it trains"
    if isinstance(came, Iterator):
        return "pass the module itself, or a list of its weights and biases in turn"
    if hasattr(came, "network"):
        return "pass its `network`"
    return "convert it to one of these"


def _refuse_options(
    what: str, output: str | int | None, fixed: Mapping[str, ArrayLike] | None
) -> None:
    for name, value in (("output", output), ("fixed", fixed)):
        if value is not None:
            raise InputError(
                f"`{name}` must be left out for a {what}, got {value!r}; it is for torch modules "
                "and ONNX files"
            )


def _is_keras_model(model: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and hasattr(keras, "Model") and isinstance(model, keras.Model)


def _network_within(
    content: Any,
    input_shape: Sequence[int] | None,
    key: str | None,
    output: str | int | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
) -> Network:
    """Read the network in a state dict, or in mappings and lists around one."""
    found = parameters_in(content, key)
    if not isinstance(found, Mapping):
        return as_network(found, input_shape, output=output, fixed=fixed)
    _refuse_options("state dict", output, fixed)
    network = network_of_state_dict(found)
    names = network.layer_names
    _tell(
        f"read {len(names)} Linear {'layers' if len(names) > 1 else 'layer'} with ReLU between "
        f"them: {network!r}"
    )
    return network


def _with_word(what: str, network: Network) -> Network:
    """Log that a network has a link, and return the network."""
    if network.link is not None:
        _tell(
            f"read {what} as {network!r}: regions, decisions and outputs are those before its "
            f"link, {network.link}"
        )
    return network


@cache
def _tell(words: str) -> None:
    """Log a sentence, but not anew for each of a thousand checkpoints."""
    log.info("%s", words)


@in_words("take a smaller model")
def load_model(
    path: str | os.PathLike[str],
    *,
    trust: bool = False,
    input_shape: Sequence[int] | None = None,
    key: str | None = None,
    output: str | int | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
) -> Network:
    """Read a network from a file: ``.onnx``, ``.safetensors``, ``.npz``, or of `torch.save`.

    Parameters
    ----------
    path : path-like
        A state dict of Linear and ReLU layers, a checkpoint that contains one, named arrays, ONNX,
        or a file of `save_network`. The ending of the name tells which.
    trust : bool, default False
        Whether the file may hold whole Python objects, such as a module. Reading them *runs code
        from the file*: only for files of people you trust. The classes must be importable.
    input_shape : sequence of int, optional
        Shape of one input of a module that does not begin with a Linear layer.
    key : str, optional
        Which network of several; see `as_network`.
    output, fixed
        Which output to read, and values of other inputs; see `as_network`.

    Raises
    ------
    InputError
        If the file is missing, unreadable, contains no network, or needs `trust`.
    """
    trust = check_flag("trust", trust)
    name = os.fspath(check_path(path, "model.pt"))
    _check_fixed(fixed)
    if not os.path.isfile(path):
        raise InputError(f"`model` names the file {name!r}, which does not exist; check the path")
    if name.endswith(".onnx"):
        if key is not None:
            raise InputError(
                f"`key` must be left out for an ONNX file, got {key!r}; the file is one network"
            )
        require("torch", "reading an ONNX file")
        from relutopo.networks.onnx_files import network_of_onnx  # loads torch

        found = network_of_onnx(path, input_shape, output=output, fixed=fixed)
        return _with_word(repr(name), found)
    content = model_in_file(name, trust)
    if isinstance(content, Mapping) and "network/kind" in content:
        _refuse_options("file of save_network", output, fixed)
        return _with_word(repr(name), load_network(name))
    try:
        return _network_within(content, input_shape, key, output, fixed)
    except InputError as error:
        raise InputError(f"{name!r} holds no network that can be read: {error}") from error
