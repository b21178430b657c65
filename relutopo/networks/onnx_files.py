"""ONNX files as graphs of affine maps and kinks.

Operators become affine maps and kinks as those of torch modules do
(`relutopo.networks.torch_modules` says how, and what counts as the network). Operators on
constants, such as the shape arithmetic that exporters leave behind, are run by the reference
implementation of the `onnx` package; so is the whole model, in double precision, to compare the
result with it at random points.

This module imports onnx and torch; `relutopo.as_network` imports it when it is given an ONNX file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from relutopo.errors import InputError, RelutopoError, UnsupportedModuleError
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.onnx_pooling import pool_windows, reference_operators, sides_of
from relutopo.networks.onnx_safety import Bounds, load_model_proto
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.optional import require

__all__ = ["network_of_onnx"]


def network_of_onnx(
    path: str | os.PathLike[str], input_shape: Sequence[int] | None = None
) -> GraphNetwork:
    """Read an ONNX file.

    Parameters
    ----------
    path : path-like
    input_shape : sequence of int, optional
        Shape of one input without the batch axis; by default as the file says.

    Returns
    -------
    GraphNetwork

    Raises
    ------
    UnsupportedModuleError
        If an operator is not understood, or the result differs from the reference implementation.
    InputError
        If the file cannot be read, or the input shape is missing or does not fit.
    """
    onnx = require("onnx", "reading an ONNX file")
    name = os.fspath(path)
    try:
        model = load_model_proto(onnx, path)
        _to_double(onnx, model)
    except RelutopoError:
        raise
    except Exception as error:
        # onnx and protobuf raise errors of many kinds for a damaged file.
        reason = f"{type(error).__name__}: {error}" if isinstance(error, ValueError) else ""
        raise InputError(
            f"{name!r} cannot be read as an ONNX model ({reason or type(error).__name__}); export "
            "it again"
        ) from error
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsupportedModuleError(
            f"{name!r} must have one input and one output, got {len(inputs)} and "
            f"{len(graph.output)}; cut the model before you export it"
        )
    shape = tuple(input_shape or _declared_shape(name, inputs[0]))
    bounds = Bounds(name)
    bounds.add(math.prod(shape), "the input")
    builder = GraphBuilder(shape)
    values: dict[str, Any] = {"": None, inputs[0].name: builder.input}
    for tensor in graph.initializer:
        values[tensor.name] = torch.tensor(onnx.numpy_helper.to_array(tensor))
    for node in graph.node:
        missing = [i for i in node.input if i not in values]
        if missing:
            raise UnsupportedModuleError(
                f"{name!r} uses {missing[0]!r}, a result that is not read, such as places beside "
                "maxima; export it without that"
            )
        results = _result(onnx, builder, node, [values[i] for i in node.input], name, bounds)
        values.update(zip(node.output, results, strict=False))
    output = values.get(graph.output[0].name)
    if not isinstance(output, Signal):
        raise UnsupportedModuleError(f"the output of {name!r} does not depend on its input")
    network = builder.network(output)
    _compare(onnx, model, inputs[0].name, network, shape, name)
    return network


def _evaluator(proto: Any) -> Any:
    reference = require("onnx.reference", "reading an ONNX file")
    return reference.ReferenceEvaluator(proto, new_ops=reference_operators())


def _to_double(onnx: Any, model: Any) -> None:
    """Turn all floats of a model into double precision, in place."""
    attributes = [
        a for node in model.graph.node for a in node.attribute if node.op_type == "Constant"
    ]
    for tensor in [*model.graph.initializer, *(a.t for a in attributes if a.HasField("t"))]:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind == "f":
            if not np.isfinite(array).all():
                raise InputError(
                    f"the model must have finite weights, got NaN or infinity in {tensor.name!r}; "
                    "did the training diverge? Load an earlier checkpoint"
                )
            double = onnx.numpy_helper.from_array(array.astype(np.float64), tensor.name)
            tensor.CopyFrom(double)


def _declared_shape(name: str, value: Any) -> list[int]:
    sizes = [axis.dim_value for axis in value.type.tensor_type.shape.dim][1:]
    if not sizes or min(sizes) < 1:
        raise InputError(
            f"`input_shape` is needed, since {name!r} leaves the shape of its input open; pass "
            "as_network(path, input_shape=(1, 28, 28)), for example"
        )
    return sizes


def _result(
    onnx: Any, builder: GraphBuilder, node: Any, inputs: list[Any], name: str, bounds: Bounds
) -> Sequence[Any]:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    what = f"the operator {node.op_type} at {node.name or node.output[0]!r} of {name!r}"
    try:
        is_constant = not any(isinstance(x, Signal) for x in inputs)
        if node.domain not in ("", "ai.onnx"):
            raise NotUnderstood(f"of the domain {node.domain!r}, which is not known")
        reason = bounds.add_result(node.op_type, attributes, inputs, is_constant=is_constant)
        if reason:
            raise NotUnderstood(reason)
        if is_constant:
            feeds = {
                key: x.numpy() for key, x in zip(node.input, inputs, strict=True) if x is not None
            }
            results = _evaluator(node).run(None, feeds)
            return [torch.tensor(np.array(x)) for x in results]
        if node.op_type not in _OPERATORS:
            raise NotUnderstood("which is not piecewise linear or not known")
        result = _OPERATORS[node.op_type](builder, attributes, *inputs)
        return result if isinstance(result, tuple) else (result,)
    except NotUnderstood as reason:
        raise UnsupportedModuleError(
            f"the model has {what}, {reason}; replace it by a piecewise linear one, or cut the "
            "model before it"
        ) from None
    except RelutopoError:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, MemoryError) as error:
        shapes = [tuple(x.shape) for x in inputs if isinstance(x, Signal)]
        raise InputError(
            f"{what} cannot take inputs of shape {shapes}: {error}; check `input_shape`"
        ) from error


def _compare(
    onnx: Any, model: Any, feed: str, network: GraphNetwork, shape: tuple[int, ...], name: str
) -> None:
    evaluate = _evaluator(model)
    points = np.random.default_rng(0).standard_normal((5, network.input_dim))
    expected = np.stack(
        [np.ravel(evaluate.run(None, {feed: x.reshape(1, *shape)})[0]) for x in points]
    )
    computed = network(points)
    if expected.shape != computed.shape or not np.allclose(
        computed,
        expected,
        rtol=1e-9,
        atol=1e-9 * max(1.0, float(np.abs(expected).max(initial=0.0))),
    ):
        raise UnsupportedModuleError(
            f"{name!r} was read, but the result differs from the reference implementation; does it "
            "cast numbers, or mix the inputs of a batch? Export it without that"
        )


def _numbers(x: Any) -> list[int]:
    return [int(v) for v in (x.tolist() if isinstance(x, Tensor) else x)]


def _gemm(b: GraphBuilder, a: dict[str, Any], x: Any, y: Any, c: Any = None) -> Signal:
    if isinstance(y, Signal) or a.get("transA"):
        raise NotUnderstood("whose second matrix is not constant")
    weight = y if a.get("transB") else y.T
    bias = None if c is None else a.get("beta", 1.0) * c
    return b.linear(x, a.get("alpha", 1.0) * weight, bias)


def _conv(b: GraphBuilder, a: dict[str, Any], x: Any, weight: Any, bias: Any = None) -> Signal:
    rank = weight.ndim - 2
    strides, dilations = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    sides = sides_of(a, x.shape[-rank:], weight.shape[2:], strides, dilations)
    return b.convolution(x, weight, bias, strides, sides, dilations, a.get("group", 1))


def _batch_norm(
    b: GraphBuilder, a: dict[str, Any], x: Any, scale: Any, shift: Any, mean: Any, var: Any
) -> Signal:
    if a.get("training_mode"):
        raise NotUnderstood("in training mode")
    eps = a.get("epsilon", 1e-5)
    return b.batch_norm(
        x, SimpleNamespace(weight=scale, bias=shift, running_mean=mean, running_var=var, eps=eps)
    )


def _average_pool(b: GraphBuilder, a: dict[str, Any], x: Any) -> Signal:
    return b.avg_pool(x, pool_windows(a, x), bool(a.get("count_include_pad", 0)))


def _reduce(how: str) -> Callable[..., Signal]:
    def reduce(b: GraphBuilder, a: dict[str, Any], x: Any, axes: Any = None) -> Signal:
        chosen = axes if axes is not None else a.get("axes")
        return b.reduce(
            how, x, None if chosen is None else _numbers(chosen), bool(a.get("keepdims", 1))
        )

    return reduce


def _over_space(how: str) -> Callable[..., Signal]:
    return lambda b, a, x: b.reduce(how, x, list(range(2, len(x.shape))), True)


def _reshape(b: GraphBuilder, a: dict[str, Any], x: Any, shape: Tensor) -> Any:
    sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(_numbers(shape))]
    return b.move(x, lambda i: i.reshape(sizes))


def _flatten(b: GraphBuilder, a: dict[str, Any], x: Any) -> Any:
    axis = a.get("axis", 1)
    return b.move(x, lambda i: i.reshape(int(np.prod(i.shape[:axis])), -1))


def _squeeze(b: GraphBuilder, a: dict[str, Any], x: Any, axes: Any = None) -> Any:
    return b.move(x, lambda i: i.squeeze(tuple(_numbers(a.get("axes") if axes is None else axes))))


def _unsqueeze(b: GraphBuilder, a: dict[str, Any], x: Any, axes: Any = None) -> Any:
    places = sorted(_numbers(a.get("axes") if axes is None else axes))

    def move(i: Tensor) -> Tensor:
        for axis in places:
            i = i.unsqueeze(axis)
        return i

    return b.move(x, move)


def _gather(b: GraphBuilder, a: dict[str, Any], x: Any, indices: Any) -> Any:
    axis = a.get("axis", 0)
    before = (slice(None),) * axis
    return b.move(x, lambda i: i[(*before, indices)])


def _slice(
    b: GraphBuilder,
    a: dict[str, Any],
    x: Any,
    starts: Any,
    ends: Any,
    axes: Any = None,
    steps: Any = None,
) -> Any:
    first, last = _numbers(starts), _numbers(ends)
    along = list(range(len(first))) if axes is None else _numbers(axes)
    by = [1] * len(first) if steps is None else _numbers(steps)
    if min(by) < 1:
        raise NotUnderstood("which goes backwards")
    cuts = [slice(None)] * len(x.shape)
    for axis, start, stop, step in zip(along, first, last, by, strict=True):
        cuts[axis] = slice(start, stop, step)
    return b.move(x, lambda i: i[tuple(cuts)])


def _pad(b: GraphBuilder, a: dict[str, Any], x: Any, pads: Any, value: Any = None, *_: Any) -> Any:
    mode = _PAD_MODES[a.get("mode", b"constant")]
    if mode == "constant" and value is not None and float(value):
        raise NotUnderstood("which pads by something else than zeros")
    sides, rank = _numbers(pads), len(x.shape)
    order = [p for axis in reversed(range(rank)) for p in (sides[axis], sides[axis + rank])]
    while order and order[-2:] == [0, 0]:  # torch pads few axes at once in most modes
        order = order[:-2]
    return b.move(x, lambda i: F.pad(i.double(), order, mode=mode))


_PAD_MODES = {
    b"constant": "constant",
    b"reflect": "reflect",
    b"edge": "replicate",
    b"wrap": "circular",
}


def _split(b: GraphBuilder, a: dict[str, Any], x: Any, sizes: Any = None) -> Any:
    axis = a.get("axis", 0)
    chosen = sizes if sizes is not None else a.get("split")
    if chosen is None:
        raise NotUnderstood("which leaves open where it splits")
    return b.move(x, lambda i: torch.split_with_sizes(i, _numbers(chosen), axis))


def _clip(b: GraphBuilder, a: dict[str, Any], x: Any, low: Any = None, high: Any = None) -> Signal:
    return b.hardtanh(x, a.get("min", low), a.get("max", high))


def _fold(step: Callable[[GraphBuilder, Any, Any], Signal]) -> Callable[..., Signal]:
    def fold(b: GraphBuilder, a: dict[str, Any], x: Any, *others: Any) -> Signal:
        for y in others:
            x = step(b, x, y)
        result: Signal = x
        return result

    return fold


_OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": lambda b, a, x: b.kink(x, 1.0, -1.0),
    "Add": lambda b, a, x, y: b.sum(x, y),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": lambda b, a, *signals: b.concatenate(signals, a["axis"]),
    "Conv": _conv,
    "Div": lambda b, a, x, y: b.quotient(x, y),
    "Dropout": lambda b, a, x, *_: x,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": _over_space("mean"),
    "GlobalMaxPool": _over_space("amax"),
    "Identity": lambda b, a, x: x,
    "LeakyRelu": lambda b, a, x: b.kink(x, 1.0, a.get("alpha", 0.01)),
    "MatMul": lambda b, a, x, y: b.matmul(x, y),
    "Max": _fold(lambda b, x, y: b.maximum(x, y)),
    "MaxPool": lambda b, a, x: b.max_pool(x, pool_windows(a, x)),
    "Min": _fold(lambda b, x, y: b.minimum(x, y)),
    "Mul": lambda b, a, x, y: b.product(x, y),
    "Neg": lambda b, a, x: b.scale(x, -1.0),
    "PRelu": lambda b, a, x, slope: b.kink(x, 1.0, slope),
    "Pad": _pad,
    "ReduceMax": _reduce("amax"),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "Relu": lambda b, a, x: b.relu(x),
    "Reshape": _reshape,
    "Shape": lambda b, a, x: torch.tensor(x.shape),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": lambda b, a, x, y: b.sum(x, y, -1.0),
    "Sum": _fold(lambda b, x, y: b.sum(x, y)),
    "Transpose": lambda b, a, x: b.move(x, lambda i: i.permute(a["perm"])),
    "Unsqueeze": _unsqueeze,
}
