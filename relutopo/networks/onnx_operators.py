"""ONNX operators as affine maps and kinks, in all their forms from operator set 7 on.

The inputs of an operator are signals (`relutopo.networks.tensors.Signal`), comparisons of signals
(`relutopo.networks.following.Step`), constants (torch tensors), lists of these for sequences, and
None for inputs that are left out. Operators that only move entries are applied to a tensor of
places by the reference implementation of the `onnx` package, at the operator set of the file, so
that defaults, attributes that became inputs, and negative axes are as in the file.

This module imports torch; it is imported only to read ONNX files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from relutopo.networks.following import Step
from relutopo.networks.onnx_pooling import pool_windows, sides_of
from relutopo.networks.onnx_resizing import axis_matrices, joint_matrix
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.networks.torch_functions import OPERATIONS

__all__ = ["OPERATORS", "Operation", "apply"]


@dataclass(frozen=True)
class Operation:
    """One operator of a file, applied to values that depend on the input.

    Attributes
    ----------
    kind : str
        Name of the operator.
    attributes : dict
        As in the file.
    builder : GraphBuilder
    opset : int
        Operator set of the file.
    batch : int
        How many rows the file gives to the batch axis; 1 unless it fixes more.
    has_batch : bool
        Whether the first axis of the input is a batch.
    n_outputs : int
        How many outputs are named.
    evaluate : callable
        Runs the operator on arrays by the reference implementation; attributes passed by name
        replace those of the file.
    """

    kind: str
    attributes: dict[str, Any]
    builder: GraphBuilder
    opset: int
    batch: int
    has_batch: bool
    n_outputs: int
    evaluate: Callable[..., list[Any]]

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


def apply(operation: Operation, inputs: Sequence[Any]) -> Sequence[Any]:
    """Return the outputs of an operator; raise `NotUnderstood` with the reason if it is not known.

    Parameters
    ----------
    operation : Operation
    inputs : sequence of Signal, Tensor, list or None
        At least one depends on the input of the network.
    """
    if operation.kind not in OPERATORS:
        raise NotUnderstood(_reason_against(operation.kind))
    if operation.kind == "Concat" and any(isinstance(x, Step) for x in inputs):
        raise NotUnderstood("which is given a comparison of the input: not continuous")
    if operation.batch > 1:
        inputs = _rows_of_one(operation, inputs)
    result = OPERATORS[operation.kind](operation, *inputs)
    return result if isinstance(result, tuple) else (result,)


def _reason_against(kind: str) -> str:
    """Return why an operator is not understood.

    Examples
    --------
    >>> _reason_against("Gelu")
    'which is not piecewise linear'
    """
    if kind in _SMOOTH:
        return "which is not piecewise linear"
    if kind in _JUMPS:
        return "which is not continuous"
    if kind in _RANDOM:
        return "which is random"
    if kind in _FLOW:
        return "which repeats a part of the graph; export the model without it"
    return "which is not known"


def _rows_of_one(operation: Operation, inputs: Sequence[Any]) -> list[Any]:
    """Replace constants that repeat one row for a fixed batch by that row."""
    rank = max((len(x.shape) for x in inputs if isinstance(x, Signal)), default=0)
    rows = []
    for x in inputs:
        if (
            operation.kind in _ROW_BY_ROW
            and isinstance(x, Tensor)
            and x.ndim == rank
            and x.shape[0] == operation.batch
        ):
            if not (x == x[:1]).all():
                raise NotUnderstood("with a constant that is different for each row of the batch")
            x = x[:1]
        rows.append(x)
    return rows


_ROW_BY_ROW = {"Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum", "Where"}


def _numbers(x: Any) -> list[int]:
    return [int(v) for v in (x.reshape(-1).tolist() if isinstance(x, Tensor) else x)]


def _constant(x: Any, what: str) -> Any:
    if isinstance(x, (Signal, Step)):
        raise NotUnderstood(f"with {what} that depends on the input")
    return x


def _signal(x: Any) -> Signal:
    if isinstance(x, Step):
        raise NotUnderstood("which is given a comparison of the input: not continuous")
    if not isinstance(x, Signal):
        raise NotUnderstood("with a constant where what depends on the input is needed")
    return x


# Sums and products


def _plus(s: Operation, x: Any, y: Any, factor: float = 1.0) -> Any:
    if isinstance(x, Step) or isinstance(y, Step):
        return OPERATIONS["add" if factor > 0 else "sub"](s.builder, x, y)
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return x + factor * y
    return s.builder.sum(x, y, factor)


def _sum(s: Operation, x: Any, *others: Any) -> Any:
    for y in others:
        x = _plus(s, x, y)
    return x


def _mean(s: Operation, *terms: Any) -> Any:
    return s.builder.scale(_sum(s, *terms), 1.0 / len(terms))


def _product(s: Operation, x: Any, y: Any) -> Any:
    return OPERATIONS["mul"](s.builder, x, y)


def _quotient(s: Operation, x: Any, y: Any) -> Any:
    return OPERATIONS["div"](s.builder, x, y)


def _power(s: Operation, x: Any, exponent: Any) -> Signal:
    if isinstance(exponent, Signal) or not bool((exponent == 1).all()):
        raise NotUnderstood("which is not piecewise linear")
    return s.builder.scale(_signal(x), exponent)


def _matmul(s: Operation, x: Any, y: Any) -> Any:
    b = s.builder
    if isinstance(x, Signal) and isinstance(y, Signal):
        raise NotUnderstood("a product of two tensors that both depend on the input")
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return x @ y
    if isinstance(x, Signal):
        y = y.double()
        if y.ndim == 2:
            return b.linear(x, y.T)
        if y.ndim == 1:
            return b.move(b.linear(x, y[None]), lambda i: i.squeeze(-1))
        if math.prod(y.shape[:-2]) == 1 and len(x.shape) >= y.ndim:
            return b.linear(x, y.reshape(y.shape[-2:]).T)
        return b.linear_image(x, lambda e: e @ y)
    x = x.double()
    if x.ndim == 2 and len(y.shape) == 1:
        return b.linear(y, x)
    if x.ndim == 2:  # x y = (yᵀ xᵀ)ᵀ
        turned = b.linear(b.move(y, lambda i: i.transpose(-1, -2)), x)
        return b.move(turned, lambda i: i.transpose(-1, -2))
    return b.linear_image(y, lambda e: x @ e)


def _gemm(s: Operation, x: Any, y: Any, c: Any = None) -> Any:
    b = s.builder
    alpha, beta = s.get("alpha", 1.0), s.get("beta", 1.0)

    def turned(z: Any) -> Any:
        return z.T if isinstance(z, Tensor) else b.move(z, lambda i: i.T)

    x = turned(x) if s.get("transA", 0) else x
    y = turned(y) if s.get("transB", 0) else y
    if isinstance(c, Tensor) and isinstance(x, Signal) and isinstance(y, Tensor):
        return b.linear(x, alpha * y.double().T, beta * c.double())
    if isinstance(x, Tensor):
        x = alpha * x.double()
    elif isinstance(y, Tensor):
        y = alpha * y.double()
    result = _matmul(s, x, y)
    if c is None:
        return result
    return _plus(s, result, beta * c if isinstance(c, Tensor) else b.scale(c, beta))


def _einsum(s: Operation, *operands: Any) -> Signal:
    places = [i for i, x in enumerate(operands) if isinstance(x, Signal)]
    if len(places) > 1:
        raise NotUnderstood("a product of two tensors that both depend on the input")
    equation = s.get("equation", "")

    def image(e: Tensor) -> Tensor:
        return torch.einsum(
            equation, *(e if isinstance(x, Signal) else x.double() for x in operands)
        )

    return s.builder.linear_image(operands[places[0]], image)


def _cumsum(s: Operation, x: Any, axis: Any) -> Signal:
    (along,) = _numbers(_constant(axis, "an axis"))

    def image(e: Tensor) -> Tensor:
        e = e.flip(along) if s.get("reverse", 0) else e
        sums = e.cumsum(along)
        sums = sums - e if s.get("exclusive", 0) else sums
        return sums.flip(along) if s.get("reverse", 0) else sums

    return s.builder.linear_image(x, image)


# Convolutions


def _for_each_row(s: Operation, x: Any, of_one: Callable[[Signal], Signal]) -> Signal:
    """Apply an operation for tensors whose first axis is 1 to each row of a longer tensor."""
    x = _signal(x)
    if x.shape[0] == 1:
        return of_one(x)
    rows = s.builder.move(x, lambda i: torch.split(i, 1))
    return s.builder.concatenate([of_one(row) for row in rows], 0)


def _conv(s: Operation, x: Any, weight: Any, bias: Any = None) -> Signal:
    weight, bias = _constant(weight, "a kernel"), _constant(bias, "a bias")
    kernel = list(weight.shape[2:])
    ones = [1] * len(kernel)
    strides, dilations = s.get("strides", ones), s.get("dilations", ones)
    sides = sides_of(s.attributes, _signal(x).shape[2:], kernel, strides, dilations)

    def of_one(y: Signal) -> Signal:
        return s.builder.convolution(
            y, weight.double(), bias, strides, sides, dilations, s.get("group", 1)
        )

    return _for_each_row(s, x, of_one)


def _conv_transpose(s: Operation, x: Any, weight: Any, bias: Any = None) -> Signal:
    weight, bias = _constant(weight, "a kernel"), _constant(bias, "a bias")
    kernel, extents = list(weight.shape[2:]), list(_signal(x).shape[2:])
    rank, group = len(kernel), s.get("group", 1)
    if x.shape[1] != weight.shape[0]:
        raise ValueError(f"expected {weight.shape[0]} channels")
    ones = [1] * rank
    strides, dilations = s.get("strides", ones), s.get("dilations", ones)
    extra, mode = s.get("output_padding", [0] * rank), s.get("auto_pad", "NOTSET")
    full = [
        step * (n - 1) + e + (k - 1) * d + 1
        for n, k, step, d, e in zip(extents, kernel, strides, dilations, extra, strict=True)
    ]
    wanted = s.get("output_shape", None)
    if wanted is None and mode.startswith("SAME"):
        wanted = [n * step for n, step in zip(extents, strides, strict=True)]
    if wanted is None:
        pads = [0] * (2 * rank) if mode == "VALID" else s.get("pads", [0] * (2 * rank))
        sides = list(zip(pads[:rank], pads[rank:], strict=True))
    else:
        totals = [f - w for f, w in zip(full, wanted[-rank:], strict=True)]
        if s.get("output_shape", None) is None and min(totals) < 0:
            # By the definition zeros fill up the last step, or the first; runtimes add none.
            at = totals.index(min(totals))
            raise NotUnderstood(
                f"whose stride of {strides[at]} leaves gaps between its kernels and whose "
                f"auto_pad is {mode}: some make {wanted[at]} entries along an axis, others "
                f"{full[at]}; export the model with explicit pads"
            )
        # A result longer than the full one is extended at its end.
        cuts = [max(0, t) // 2 if mode == "SAME_UPPER" else (max(0, t) + 1) // 2 for t in totals]
        sides = [(cut, t - cut) for cut, t in zip(cuts, totals, strict=True)]
    out = [f - low - high for f, (low, high) in zip(full, sides, strict=True)]
    # The matrix of a transposed convolution is the transpose of that of a convolution.
    n_out = weight.shape[1] * group
    back = GraphBuilder((n_out, *out))
    image = back.convolution(back.input, weight.double(), None, strides, sides, dilations, group)
    first = (slice(None), slice(None), *(slice(n) for n in extents))
    seen = Signal(image.value, image.index[first])
    transposed = sparse.csr_array(_matrix_behind(back, seen).T)
    shift = 0.0 if bias is None else bias.double().reshape(-1, *[1] * rank)

    def of_one(y: Signal) -> Signal:
        return s.builder.affine([(y, transposed)], shift, (1, n_out, *out))

    return _for_each_row(s, x, of_one)


def _batch_norm(s: Operation, x: Any, scale: Any, shift: Any, mean: Any, var: Any) -> Signal:
    if s.get("training_mode", 0) or (s.opset < 14 and s.n_outputs > 1):
        raise NotUnderstood("in training mode; export the model after model.eval()")
    for y in (scale, shift, mean, var):
        _constant(y, "a scale or statistic")
    factor = scale.double() / torch.sqrt(var.double() + s.get("epsilon", 1e-5))
    added = shift.double() - mean.double() * factor
    if factor.ndim == 1 and s.get("spatial", 1):
        shape = (-1, *[1] * (len(_signal(x).shape) - 2))
        factor, added = factor.reshape(shape), added.reshape(shape)
    return s.builder.scale(_signal(x), factor, added)


# Pooling and reductions


def _max_pool(s: Operation, x: Any) -> Signal:
    if s.n_outputs > 1:
        raise NotUnderstood("which returns indices")
    return s.builder.max_pool(_signal(x), pool_windows(s.attributes, _signal(x)))


def _average_pool(s: Operation, x: Any) -> Signal:
    with_padding = bool(s.get("count_include_pad", 0))
    return s.builder.avg_pool(_signal(x), pool_windows(s.attributes, _signal(x)), with_padding)


def _reduce(
    how: str, first: Callable[[Operation, Signal], Signal] | None = None
) -> Callable[..., Any]:
    def reduce(s: Operation, x: Any, axes: Any = None) -> Any:
        chosen = _constant(axes, "an axis") if axes is not None else s.get("axes", None)
        numbers = [] if chosen is None else _numbers(chosen)
        y = _signal(x) if first is None else first(s, _signal(x))
        if not numbers and s.get("noop_with_empty_axes", 0):
            return y
        return s.builder.reduce(how, y, numbers or None, bool(s.get("keepdims", 1)))

    return reduce


def _over_space(how: str) -> Callable[..., Signal]:
    return lambda s, x: s.builder.reduce(how, x, list(range(2, len(_signal(x).shape))), True)


# Kinks


def _abs(s: Operation, x: Any) -> Signal:
    return s.builder.kink(x, 1.0, -1.0)


def _clip(s: Operation, x: Any, low: Any = None, high: Any = None) -> Any:
    lower = _bound(s.get("min", None) if low is None else low)
    upper = _bound(s.get("max", None) if high is None else high)
    x = _signal(x)
    if lower is not None and upper is not None and lower > upper:
        return s.builder.scale(x, 0.0, upper)
    return s.builder.hardtanh(x, lower, upper)


def _bound(x: Any) -> float | None:
    if x is None:
        return None
    value = float(_constant(x, "a bound"))
    return None if abs(value) >= _LARGEST_FLOAT else value


_LARGEST_FLOAT = float(np.finfo(np.float32).max)
"""The number that means "no bound" in files of older operator sets."""


def _extreme(s: Operation, largest: bool, x: Any, *others: Any) -> Any:
    for y in others:
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            x = torch.maximum(x, y) if largest else torch.minimum(x, y)
        else:
            x = s.builder.maximum(x, y) if largest else s.builder.minimum(x, y)
    return x


def _hard_sigmoid(s: Operation, x: Any) -> Signal:
    line = s.builder.scale(_signal(x), s.get("alpha", 0.2), s.get("beta", 0.5))
    return s.builder.hardtanh(line, 0.0, 1.0)


def _thresholded(s: Operation, x: Any) -> Signal:
    if s.get("alpha", 1.0) != 0.0:
        raise NotUnderstood("which is not continuous")
    return s.builder.relu(x)


def _shrink(s: Operation, x: Any) -> Signal:
    edge = s.get("lambd", 0.5)
    if s.get("bias", 0.0) != edge:
        raise NotUnderstood("which is not continuous")
    b = s.builder
    return b.sum(x, b.hardtanh(_signal(x), -edge, edge), -1.0)


def _compared(name: str) -> Callable[..., Any]:
    return lambda s, x, y: OPERATIONS[name](s.builder, x, y)


def _where(s: Operation, condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, Tensor) and not isinstance(x, Step) and not isinstance(y, Step):
        return _moved(1, 2)(s, condition, x, y)
    return OPERATIONS["where"](s.builder, condition, x, y)


# Moves


def _moved(*data: int) -> Callable[..., Any]:
    """Return an operator that moves the entries of its inputs at the given places."""

    def move(s: Operation, *inputs: Any) -> Any:
        if any(isinstance(x, Step) for x in inputs):
            _signal(next(x for x in inputs if isinstance(x, Step)))
        places = [i for i in data or range(len(inputs)) if i < len(inputs)]
        places = [i for i in places if inputs[i] is not None]
        for i, x in enumerate(inputs):
            if i not in places:
                _constant(x, "an argument")

        def run(numbers: list[Tensor]) -> Any:
            arrays = [x.numpy() if isinstance(x, Tensor) else x for x in inputs]
            for i, tensor in zip(places, numbers, strict=True):
                arrays[i] = tensor.numpy()
            results = [torch.from_numpy(np.array(y)) for y in s.evaluate(arrays)]
            return results[0] if len(results) == 1 else results

        return s.builder.gathered([inputs[i] for i in places], run)

    return move


def _scatter(s: Operation, x: Any, indices: Any, updates: Any) -> Any:
    if s.get("reduction", "none") != "none":
        raise NotUnderstood("which combines what it writes with what was there")
    if s.kind == "Scatter":  # of operator sets 9 and 10
        axis, places = s.get("axis", 0), _constant(indices, "an argument")
        return s.builder.gathered([x, updates], lambda n: n[0].scatter(axis, places, n[1]))
    return _moved(0, 2)(s, x, indices, updates)


def _pad(s: Operation, x: Any, *others: Any) -> Any:
    value = s.get("value", 0.0)
    if others or not value:
        return _moved(0, 2)(s, x, *others)
    parts = [x, torch.tensor([value], dtype=torch.float64)]

    def run(numbers: list[Tensor]) -> Tensor:
        moved = torch.from_numpy(np.array(s.evaluate([numbers[0].numpy()], value=0.0)[0]))
        return torch.where(moved == 0, numbers[1], moved)

    return s.builder.gathered(parts, run)


def _reshape(s: Operation, x: Any, shape: Any) -> Any:
    x = _signal(x)
    sizes = _numbers(_constant(shape, "a shape"))
    if not s.get("allowzero", 0):
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    if s.batch > 1 and sizes and sizes[0] > 0 and sizes[0] % s.batch == 0:
        known = math.prod(n for n in sizes if n > 0)
        if -1 in sizes or known == s.batch * x.size:
            sizes[0] //= s.batch
    return s.builder.move(x, lambda i: i.reshape(sizes))


def _expand(s: Operation, x: Any, shape: Any) -> Any:
    x = _signal(x)
    sizes = _numbers(_constant(shape, "a shape"))
    if s.batch > 1 and len(sizes) == len(x.shape) and sizes[0] == s.batch:
        sizes[0] = 1
    return s.builder.move(x, lambda i: i.expand(np.broadcast_shapes(i.shape, sizes)))


def _squeeze(s: Operation, x: Any, axes: Any = None) -> Any:
    x = _signal(x)
    chosen = _constant(axes, "an axis") if axes is not None else s.get("axes", None)
    if chosen is None:
        numbers = [i for i, n in enumerate(x.shape) if n == 1 and not (s.has_batch and i == 0)]
    else:
        numbers = [i % len(x.shape) for i in _numbers(chosen)]
        if any(x.shape[i] != 1 for i in numbers):
            raise ValueError(f"cannot squeeze the axes {numbers}")
    return s.builder.move(x, lambda i: i.squeeze(tuple(numbers)) if numbers else i)


def _dropout(s: Operation, x: Any, ratio: Any = None, training: Any = None) -> tuple[Any, ...]:
    if training is not None and bool(_constant(training, "a mode")):
        raise NotUnderstood("in training mode; export the model after model.eval()")
    return (x,)


def _cast(s: Operation, x: Any, like: Any = None) -> Any:
    if isinstance(like, Tensor):
        is_float = like.dtype.is_floating_point
    else:
        is_float = s.kind == "CastLike" or s.attributes["to"] == _DOUBLE
    if isinstance(x, Step):  # truth values become the numbers 0 and 1
        return x if is_float or x.is_boolean else _signal(x)
    if not is_float:
        raise NotUnderstood("which rounds to whole numbers or truth values: not continuous")
    return x


_DOUBLE = 11
"""The value of ``TensorProto.DOUBLE``; all floats of a model are double when it is read."""


def _by_shape(s: Operation, *inputs: Any) -> Any:
    """Run an operator whose result depends only on the shape of its first input."""
    x, *others = inputs
    arrays = [np.zeros(tuple(_signal(x).shape)), *(_constant(y, "an argument") for y in others)]
    return tuple(torch.from_numpy(np.array(y)) for y in s.evaluate(arrays))


def _resize(s: Operation, x: Any, *others: Any) -> Any:
    given = [None if y is None else _constant(y, "a size").numpy() for y in others]
    scales, sizes = (given[0], None) if s.opset <= 10 else [*given, None, None, None][1:3]
    return _resized(s, _signal(x), scales, sizes)


def _upsample(s: Operation, x: Any, scales: Any = None) -> Any:
    factors = s.get("scales", None) if scales is None else _constant(scales, "a scale").numpy()
    return _resized(s, _signal(x), factors, None)


def _resized(s: Operation, x: Signal, scales: Any, sizes: Any) -> Any:
    if sizes is not None and s.batch > 1 and sizes[:1] == s.batch and len(sizes) == len(x.shape):
        sizes = [1, *sizes[1:]]
    matrices = axis_matrices(s.opset, s.attributes, x.shape, scales, sizes)
    if s.get("mode", "nearest") != "nearest":
        shape = [matrix.shape[0] for matrix in matrices]
        return s.builder.affine([(x, joint_matrix(matrices))], 0.0, shape)

    def move(i: Tensor) -> Tensor:
        for axis, matrix in enumerate(matrices):
            i = i.index_select(axis, torch.as_tensor(matrix.indices, dtype=torch.int64))
        return i

    return s.builder.move(x, move)


def _matrix_behind(builder: GraphBuilder, x: Signal) -> sparse.csr_array:
    """Return the matrix of the last step of a builder, in the order of a signal's entries."""
    (matrix,) = builder.nodes[x.value - 1].matrices  # type: ignore[union-attr]
    return sparse.csr_array(sparse.csr_array(matrix)[x.entries])


# Sequences


def _split_to_sequence(s: Operation, x: Any, sizes: Any = None) -> Any:
    axis, _n = s.get("axis", 0), 0
    if sizes is None:
        _signal(x).shape[axis]
        parts = s.builder.move(x, lambda i: torch.split(i, 1, axis))
        if not s.get("keepdims", 1):
            parts = tuple(s.builder.move(part, lambda i: i.squeeze(axis)) for part in parts)
    else:
        numbers = _numbers(_constant(sizes, "a size"))
        by = numbers[0] if sizes.ndim == 0 else numbers
        parts = s.builder.move(x, lambda i: torch.split(i, by, axis))
    return (list(parts),)


def _sequence_at(s: Operation, sequence: Any, place: Any) -> Any:
    return sequence[int(_constant(place, "a place"))]


def _concat_from_sequence(s: Operation, sequence: Any) -> Any:
    axis = s.get("axis", 0)
    if s.get("new_axis", 0):
        return s.builder.gathered(sequence, lambda numbers: torch.stack(numbers, axis))
    return s.builder.concatenate(sequence, axis)


def _scaler(s: Operation, x: Any) -> Signal:
    offset, scale = (
        torch.tensor(s.attributes[key], dtype=torch.float64) for key in ("offset", "scale")
    )
    return s.builder.scale(_signal(x), scale, -offset * scale)


def _features(s: Operation, *columns: Any) -> Signal:
    return s.builder.concatenate([_signal(x) for x in columns], 1)


OPERATORS: dict[str, Callable[..., Any]] = {
    "Abs": _abs,
    "Add": _plus,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "CastLike": _cast,
    "CenterCropPad": _moved(0),
    "Clip": _clip,
    "Compress": _moved(0),
    "Concat": lambda s, *x: s.builder.concatenate(x, s.attributes["axis"]),
    "ConcatFromSequence": _concat_from_sequence,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "CumSum": _cumsum,
    "DepthToSpace": _moved(0),
    "Div": _quotient,
    "Dropout": _dropout,
    "Einsum": _einsum,
    "Expand": _expand,
    "EyeLike": _by_shape,
    "Flatten": _moved(0),
    "Gather": _moved(0),
    "GatherElements": _moved(0),
    "GatherND": _moved(0),
    "Gemm": _gemm,
    "GlobalAveragePool": _over_space("mean"),
    "GlobalMaxPool": _over_space("amax"),
    "Greater": _compared("gt"),
    "GreaterOrEqual": _compared("ge"),
    "HardSigmoid": _hard_sigmoid,
    "Identity": lambda s, x: x,
    "LeakyRelu": lambda s, x: s.builder.kink(x, 1.0, s.get("alpha", 0.01)),
    "Less": _compared("lt"),
    "LessOrEqual": _compared("le"),
    "MatMul": _matmul,
    "Max": lambda s, *x: _extreme(s, True, *x),
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Min": lambda s, *x: _extreme(s, False, *x),
    "Mul": _product,
    "Neg": lambda s, x: s.builder.scale(x, -1.0),
    "Not": lambda s, x: OPERATIONS["logical_not"](s.builder, x),
    "PRelu": lambda s, x, slope: s.builder.kink(x, 1.0, _constant(slope, "a slope")),
    "Pad": _pad,
    "Pow": _power,
    "ReduceL1": _reduce("sum", _abs),
    "ReduceMax": _reduce("amax"),
    "ReduceMean": _reduce("mean"),
    "ReduceMin": _reduce("amin"),
    "ReduceSum": _reduce("sum"),
    "Relu": lambda s, x: s.builder.relu(x),
    "Reshape": _reshape,
    "Resize": _resize,
    "ReverseSequence": _moved(0),
    "Scatter": _scatter,
    "ScatterElements": _scatter,
    "ScatterND": _scatter,
    "SequenceAt": _sequence_at,
    "SequenceConstruct": lambda s, *x: (list(x),),
    "SequenceLength": lambda s, x: torch.tensor(len(x)),
    "Shape": _by_shape,
    "Shrink": _shrink,
    "Sign": lambda s, x: OPERATIONS["sign"](s.builder, _signal(x)),
    "Size": _by_shape,
    "Slice": _moved(0),
    "SpaceToDepth": _moved(0),
    "Split": _moved(0),
    "SplitToSequence": _split_to_sequence,
    "Squeeze": _squeeze,
    "Sub": lambda s, x, y: _plus(s, x, y, -1.0),
    "Sum": _sum,
    "ThresholdedRelu": _thresholded,
    "Tile": _moved(0),
    "Transpose": _moved(0),
    "Trilu": _moved(0),
    "Unsqueeze": _moved(0),
    "Upsample": _upsample,
    "Where": _where,
    "ai.onnx.ml.ArrayFeatureExtractor": lambda s, x, places: s.builder.move(
        x, lambda i: i[..., _constant(places, "an argument").reshape(-1)]
    ),
    "ai.onnx.ml.FeatureVectorizer": _features,
    "ai.onnx.ml.Scaler": _scaler,
}
"""For each operator, a function of an `Operation` and its inputs that returns the outputs."""

_SMOOTH = frozenset(
    [
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Attention",
        "Celu",
        "Cos",
        "Cosh",
        "CumProd",
        "Det",
        "Elu",
        "Erf",
        "Exp",
        "GRU",
        "Gelu",
        "GlobalLpPool",
        "GroupNormalization",
        "HardSwish",
        "InstanceNormalization",
        "LRN",
        "LSTM",
        "LayerNormalization",
        "LinearAttention",
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "LpPool",
        "MeanVarianceNormalization",
        "Mish",
        "NegativeLogLikelihoodLoss",
        "RMSNormalization",
        "RNN",
        "Reciprocal",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceProd",
        "ReduceSumSquare",
        "Selu",
        "Sigmoid",
        "Sin",
        "Sinh",
        "Softmax",
        "SoftmaxCrossEntropyLoss",
        "Softplus",
        "Softsign",
        "Sqrt",
        "SwiGLU",
        "Swish",
        "Tan",
        "Tanh",
    ]
)
_JUMPS = frozenset(
    [
        "And",
        "ArgMax",
        "ArgMin",
        "BitCast",
        "Ceil",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "Equal",
        "Floor",
        "Hardmax",
        "IsInf",
        "IsNaN",
        "Mod",
        "NonZero",
        "OneHot",
        "Or",
        "QuantizeLinear",
        "Round",
        "TopK",
        "Unique",
        "Xor",
    ]
)
_RANDOM = frozenset(
    [
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    ]
)
_FLOW = frozenset(["Loop", "Scan"])
