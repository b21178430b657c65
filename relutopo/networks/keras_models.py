"""Models of Keras as graphs of affine maps and kinks.

Layers become affine maps and kinks as those of torch modules do
(`relutopo.networks.torch_functions` says how, and which floats count as the network). Keras keeps
channels last; they are moved to the front for convolutions. The result is compared with the model's
own forward pass at random points.

Keras is not imported here: a caller who passes a model has imported it. This module imports torch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.links import reason_against_link
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.roundoff import check_range, outputs_in_range
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.networks.torch_functions import OPERATIONS

__all__ = ["network_of_keras_model"]

_LINKS = {
    "Sigmoid": "sigmoid",
    "sigmoid": "sigmoid",
    "Softmax": "softmax",
    "softmax": "softmax",
    "log_softmax": "log_softmax",
    "tanh": "tanh",
}
_UNDERSTOOD = (
    "Dense, convolutions, batch normalisation, pooling, ReLU, LeakyReLU, PReLU, sums, maxima, "
    "concatenation, and what moves entries"
)


def network_of_keras_model(model: Any, input_shape: Sequence[int] | None = None) -> Network:
    """Read a sequential or functional model of Keras, as in its `predict`.

    Parameters
    ----------
    model : keras.Model
        With one input and one output.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis, where the model leaves it open.

    Returns
    -------
    Network
        A `ReluNetwork` for Dense and ReLU layers in turn, otherwise a `GraphNetwork`. An
        activation like ``"softmax"`` of the last layer is its link.

    Raises
    ------
    UnsupportedModuleError
        If a layer is not understood, or the result differs from what the model predicts.
    InputError
        If the model is not built, or its input shape is open.
    """
    inner = getattr(model, "_functional", None) or model
    nodes_by_depth = getattr(inner, "_nodes_by_depth", None)
    if nodes_by_depth is None:
        raise UnsupportedModuleError(
            f"`model` must be a sequential or functional model of Keras, got "
            f"{type(model).__name__}, whose layers are only known when it runs, or which has seen "
            "no input; build it from keras.Input, or export it as ONNX"
        )
    if len(inner.inputs) != 1 or len(inner.outputs) != 1:
        raise UnsupportedModuleError(
            f"`model` must have one input and one output, got {len(inner.inputs)} and "
            f"{len(inner.outputs)}; pass keras.Model(input, output) with one of each"
        )
    shape = tuple(input_shape or inner.inputs[0].shape[1:])
    if None in shape:
        raise InputError(
            "`input_shape` is needed, since the model leaves the shape of its input open; pass "
            "as_network(model, input_shape=(28, 28, 1)), for example"
        )
    walk = _Walk(GraphBuilder(tuple(map(int, shape))))
    output = walk.through(inner, walk.builder.input)
    if not isinstance(output, Signal):
        raise UnsupportedModuleError(
            "the output of `model` does not depend on its input, so that there is nothing to cut; "
            "check how its layers are connected"
        )
    network: Network = _perceptron(model, shape) or walk.builder.network(output)
    network = network.with_link(walk.link)
    _compare(model, network, shape)
    return network


def _perceptron(model: Any, shape: Sequence[int]) -> ReluNetwork | None:
    """Return a chain of Dense and ReLU layers, None if it is anything else."""
    if len(shape) != 1 or _branches(model):
        return None
    weights: list[Any] = []
    biases: list[Any] = []
    is_active = True  # the next layer may be Dense
    for layer in model.layers:
        kind, config = type(layer).__name__, layer.get_config()
        if kind in ("InputLayer", "Dropout"):
            continue
        if kind == "Dense" and is_active:
            weights.append(_array(layer.kernel).T)
            biases.append(np.zeros(len(weights[-1])) if layer.bias is None else _array(layer.bias))
            activation = config["activation"]
        elif kind in ("Activation", "Softmax") and weights and not is_active:
            activation = config.get("activation", "softmax")
        elif kind == "ReLU" and _is_plain(config) and weights and not is_active:
            activation = "relu"
        else:
            return None
        is_active = activation == "relu"
        if not is_active and activation != "linear" and activation not in _LINKS:
            return None
    if is_active and weights:  # the last ReLU is a hidden layer too
        weights.append(np.eye(len(biases[-1])))
        biases.append(np.zeros(len(biases[-1])))
    return ReluNetwork(weights, biases) if weights else None


def _is_plain(config: Any) -> bool:
    return (
        config.get("max_value") is None
        and not config.get("negative_slope")
        and not config.get("threshold")
    )


def _branches(model: Any) -> bool:
    inner = getattr(model, "_functional", None) or model
    return any(len(nodes) > 1 for nodes in inner._nodes_by_depth.values())


class _Walk:
    """Applies the operations of a model in order."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.link: str | None = None

    def through(self, model: Any, x: Any) -> Any:
        """Return the output of a model for its input."""
        values = {id(model.inputs[0]): x}
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                inputs = [values[id(tensor)] for tensor in node.input_tensors]
                values[id(node.outputs[0])] = self.result(node.operation, inputs)
        return values[id(model.outputs[0])]

    def result(self, layer: Any, inputs: list[Any]) -> Any:
        """Return the output of a layer."""
        if self.link is not None and type(layer).__name__ not in ("Flatten", "Reshape"):
            raise UnsupportedModuleError(
                f"the model has {self.link} before the layer {layer.name!r}, and it is not "
                "piecewise linear; it may be the last step only"
            )
        try:
            inner = getattr(layer, "_functional", None) or layer
            if hasattr(inner, "_nodes_by_depth"):
                return self.through(inner, *inputs)
            kind = type(layer).__name__
            if kind not in _LAYERS:
                raise NotUnderstood(f"which is not piecewise linear or not known ({_UNDERSTOOD})")
            return self.activated(_LAYERS[kind](self, layer, *inputs), layer)
        except NotUnderstood as reason:
            raise UnsupportedModuleError(
                f"the model has the layer {layer.name!r} ({type(layer).__name__}), {reason}; "
                "replace it by a piecewise linear one"
            ) from None

    def activated(self, x: Any, layer: Any) -> Any:
        """Apply the activation of a layer, if it has one."""
        activation = getattr(layer, "activation", None)
        return x if activation is None else self.by_name(x, activation.__name__)

    def by_name(self, x: Any, name: str) -> Any:
        """Apply an activation given by its name."""
        if name in _LINKS:
            if reason := reason_against_link([_LINKS[name]], x.size):
                raise NotUnderstood(f"and {reason}")
            self.link = _LINKS[name]
            return x
        if name not in _ACTIVATIONS:
            raise NotUnderstood(f"whose activation {name!r} is not piecewise linear or not known")
        return _ACTIVATIONS[name](self.builder, x)


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, Any], Any]] = {
    "linear": lambda b, x: x,
    "relu": lambda b, x: b.relu(x),
    "relu6": lambda b, x: b.hardtanh(x, 0.0, 6.0),
    "leaky_relu": lambda b, x: b.kink(x, 1.0, 0.2),
    "hard_tanh": lambda b, x: b.hardtanh(x, -1.0, 1.0),
    "hard_sigmoid": OPERATIONS["hardsigmoid"],
}


def _array(variable: Any) -> Any:
    keras = sys.modules["keras"]
    return np.asarray(keras.ops.convert_to_numpy(variable), dtype=np.float64)


def _tensor(variable: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(_array(variable)))


def _channels_first(walk: _Walk, layer: Any, x: Any, to: Callable[[Any], Any]) -> Any:
    """Apply an operation with the channels on axis 1, wherever the layer keeps them."""
    if getattr(layer, "data_format", None) == "channels_first":
        return to(x)
    rank = len(x.shape)
    front, back = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
    moved = walk.builder.move(x, lambda i: i.permute(front))
    return walk.builder.move(to(moved), lambda i: i.permute(back))


def _sides(sizes: Sequence[int], kernel: Any, strides: Any, dilations: Any) -> list[int]:
    """Return the padding of "same" on both sides of each axis, the last axis first."""
    sides: list[int] = []
    for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        sides = [total // 2, total - total // 2, *sides]
    return sides


def _dense(walk: _Walk, layer: Any, x: Any) -> Any:
    bias = None if layer.bias is None else _tensor(layer.bias)
    return walk.builder.linear(x, _tensor(layer.kernel).T, bias)


def _convolution(walk: _Walk, layer: Any, x: Any) -> Any:
    kernel = _tensor(layer.kernel)
    rank = kernel.ndim - 2
    weight = kernel.permute(rank + 1, rank, *range(rank))
    return _convolved(walk, layer, x, weight, layer.groups)


def _depthwise(walk: _Walk, layer: Any, x: Any) -> Any:
    kernel = _tensor(layer.kernel)
    rank = kernel.ndim - 2
    weight = kernel.permute(rank, rank + 1, *range(rank))
    return _convolved(walk, layer, x, weight.reshape(-1, 1, *weight.shape[2:]), weight.shape[0])


def _convolved(walk: _Walk, layer: Any, x: Any, weight: Tensor, groups: int) -> Any:
    b, kernel = walk.builder, weight.shape[2:]
    bias = None if layer.bias is None else _tensor(layer.bias)

    def to(signal: Any) -> Any:
        if layer.padding == "same":
            sides = _sides(signal.shape[2:], kernel, layer.strides, layer.dilation_rate)
            signal = b.move(signal, lambda i: F.pad(i, sides))
        elif layer.padding != "valid":
            raise NotUnderstood(f"with the padding {layer.padding!r}")
        return b.convolution(signal, weight, bias, layer.strides, 0, layer.dilation_rate, groups)

    return _channels_first(walk, layer, x, to)


def _batch_norm(walk: _Walk, layer: Any, x: Any) -> Any:
    axis = layer.axis % len(x.shape)
    scale = 1.0 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    shift = -_array(layer.moving_mean) * scale
    if layer.center:
        shift = shift + _array(layer.beta)
    shape = [-1 if i == axis else 1 for i in range(len(x.shape))]
    return walk.builder.scale(x, scale.reshape(shape), shift.reshape(shape))


def _pool(largest: bool) -> Callable[[_Walk, Any, Any], Any]:
    def pool(walk: _Walk, layer: Any, x: Any) -> Any:
        b, kernel, strides = walk.builder, layer.pool_size, layer.strides

        def to(signal: Any) -> Any:
            sizes = signal.shape[2:]
            pads = [0] * (2 * len(sizes))
            if layer.padding == "same":
                pads = _sides(sizes, kernel, strides, [1] * len(sizes))
            return _pooled(b, signal, kernel, strides, pads, largest)

        return _channels_first(walk, layer, x, to)

    return pool


def _pooled(
    b: GraphBuilder, x: Any, kernel: Any, strides: Any, pads: Sequence[int], largest: bool
) -> Any:
    """Return the largest entries or the means of windows, over entries inside the input."""
    places = 1 + torch.arange(x.size).reshape(x.shape)
    padded = F.pad(places, list(pads))
    for axis, (k, s) in enumerate(zip(kernel, strides, strict=True)):
        padded = padded.unfold(2 + axis, k, s)
    extents = padded.shape[: len(x.shape)]
    windows = padded.reshape(int(np.prod(extents)), -1).numpy() - 1
    if largest:
        return b.largest(x, windows, extents)
    return b.average(x, windows, extents, (windows >= 0).sum(axis=1))


def _over_space(how: str) -> Callable[[_Walk, Any, Any], Any]:
    def reduce(walk: _Walk, layer: Any, x: Any) -> Any:
        rank = len(x.shape)
        first = 2 if getattr(layer, "data_format", None) == "channels_first" else 1
        return walk.builder.reduce(how, x, list(range(first, first + rank - 2)), layer.keepdims)

    return reduce


def _relu(walk: _Walk, layer: Any, x: Any) -> Any:
    if layer.threshold:
        raise NotUnderstood("which jumps at its threshold")
    slope, most = float(layer.negative_slope or 0), layer.max_value
    if most is None:
        return walk.builder.kink(x, 1.0, slope)
    if slope:
        raise NotUnderstood("with both a slope and a largest value")
    return walk.builder.hardtanh(x, 0.0, float(most))


def _leaky(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.kink(x, 1.0, float(layer.negative_slope))


def _prelu(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.kink(x, 1.0, _tensor(layer.alpha))


def _fold(step: Callable[[GraphBuilder, Any, Any], Any]) -> Callable[..., Any]:
    def fold(walk: _Walk, layer: Any, x: Any, *others: Any) -> Any:
        for y in others:
            x = step(walk.builder, x, y)
        return x

    return fold


def _average(walk: _Walk, layer: Any, *inputs: Any) -> Any:
    total = _LAYERS["Add"](walk, layer, *inputs)
    return walk.builder.scale(total, 1.0 / len(inputs))


def _normalization(walk: _Walk, layer: Any, x: Any) -> Any:
    factor = 1.0 / np.maximum(np.sqrt(_array(layer.variance)), 1e-7)
    return walk.builder.scale(x, factor, -_array(layer.mean) * factor)


def _rescaling(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.scale(x, np.asarray(layer.scale, float), np.asarray(layer.offset, float))


def _pad(walk: _Walk, layer: Any, x: Any) -> Any:
    amounts = layer.padding if isinstance(layer.padding[0], tuple) else (layer.padding,)
    sides = [side for pair in reversed(amounts) for side in pair]
    return _channels_first(
        walk, layer, x, lambda y: walk.builder.move(y, lambda i: F.pad(i, sides))
    )


def _crop(walk: _Walk, layer: Any, x: Any) -> Any:
    amounts = layer.cropping if isinstance(layer.cropping[0], tuple) else (layer.cropping,)
    sides = [-side for pair in reversed(amounts) for side in pair]
    return _channels_first(
        walk, layer, x, lambda y: walk.builder.move(y, lambda i: F.pad(i, sides))
    )


def _permute(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.move(x, lambda i: i.permute(0, *layer.dims))


def _reshape(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.move(x, lambda i: i.reshape(1, *layer.target_shape))


def _flatten(walk: _Walk, layer: Any, x: Any) -> Any:
    return walk.builder.move(x, lambda i: i.reshape(1, -1))


def _same(walk: _Walk, layer: Any, x: Any) -> Any:
    return x


def _softmax(walk: _Walk, layer: Any, x: Any) -> Any:
    if layer.axis not in (-1, len(x.shape) - 1):
        raise NotUnderstood("over another axis than the last")
    return walk.by_name(x, "softmax")


def _convolutions() -> dict[str, Callable[..., Any]]:
    layers: dict[str, Callable[..., Any]] = {}
    for rank in (1, 2):
        layers[f"Conv{rank}D"] = _convolution
        layers[f"DepthwiseConv{rank}D"] = _depthwise
        layers[f"ZeroPadding{rank}D"] = _pad
        layers[f"Cropping{rank}D"] = _crop
    for rank in (1, 2, 3):
        layers[f"MaxPooling{rank}D"] = _pool(largest=True)
        layers[f"AveragePooling{rank}D"] = _pool(largest=False)
        layers[f"GlobalMaxPooling{rank}D"] = _over_space("amax")
        layers[f"GlobalAveragePooling{rank}D"] = _over_space("mean")
    return layers


_LAYERS: dict[str, Callable[..., Any]] = {
    **_convolutions(),
    "Activation": _same,
    "ActivityRegularization": _same,
    "Add": _fold(lambda b, x, y: b.sum(x, y)),
    "Average": _average,
    "BatchNormalization": _batch_norm,
    "Concatenate": lambda walk, layer, *xs: walk.builder.concatenate(xs, layer.axis),
    "Dense": _dense,
    "Dropout": _same,
    "Flatten": _flatten,
    "GaussianDropout": _same,
    "GaussianNoise": _same,
    "Identity": _same,
    "LeakyReLU": _leaky,
    "Maximum": _fold(lambda b, x, y: b.maximum(x, y)),
    "Minimum": _fold(lambda b, x, y: b.minimum(x, y)),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "SpatialDropout1D": _same,
    "SpatialDropout2D": _same,
    "Subtract": _fold(lambda b, x, y: b.sum(x, y, -1.0)),
}


def _compare(model: Any, network: Network, shape: Sequence[int]) -> None:
    points = np.random.default_rng(0).standard_normal((8, network.input_dim))
    keras = sys.modules["keras"]
    batch = points.reshape(len(points), *shape).astype(np.float32)
    expected = np.asarray(keras.ops.convert_to_numpy(model(batch, training=False)))
    expected = expected.reshape(len(points), -1)
    computed = outputs_in_range(network, batch.reshape(len(points), -1).astype(np.float64))
    check_range(expected, float(np.finfo(np.float32).max))
    size = max(1.0, float(np.abs(expected).max(initial=0.0)))
    if computed.shape != expected.shape or not np.abs(computed - expected).max() <= 1e-4 * size:
        raise UnsupportedModuleError(
            f"`model` ({type(model).__name__}) was read, but the result differs from what it "
            "predicts; does a layer do more than its class says? Export the model as ONNX"
        )
