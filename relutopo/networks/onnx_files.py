"""ONNX files as graphs of affine maps and kinks.

Operators become affine maps and kinks (`relutopo.networks.onnx_operators`), as those of torch
modules do; `relutopo.networks.torch_functions` says which floats count as the network. Floats of
every kind are read exactly, as numbers in double precision, and casts between floats change
nothing: intermediate rounding is not part of the network.

The first axis of the input is a batch only if the file leaves its size open, or the caller says
so. Rows of a batch must not influence each other.

Every network is compared with the model at random points, in double precision by the reference
implementation of the `onnx` package. If that fails or differs, onnxruntime decides.

This module imports onnx and torch; `relutopo.as_network` imports it when it is given an ONNX file.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.errors import InputError, RelutopoError, UnsupportedModuleError
from relutopo.networks.following import Step
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.links import apply_link, reason_against_link
from relutopo.networks.network import Network
from relutopo.networks.onnx_models import (
    NotRun,
    array_of,
    attributes_of,
    cut_at,
    in_double,
    needs_of,
    open_model,
    operator_set,
    run_node,
    run_reference,
    run_runtime,
)
from relutopo.networks.onnx_operators import Operation, apply
from relutopo.networks.onnx_safety import Bounds
from relutopo.networks.roundoff import outputs_in_range, roundoff
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.optional import require

__all__ = ["network_of_onnx"]

_N_POINTS = 5
_SINGLE_PRECISION = 1e-4
"""Tolerance for onnxruntime, relative to the largest output; larger for half precision."""
_HALF_PRECISION = 2e-2


def network_of_onnx(
    path: str | os.PathLike[str],
    input_shape: Sequence[int] | None = None,
    *,
    output: str | int | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
) -> GraphNetwork:
    """Read an ONNX file.

    Parameters
    ----------
    path : path-like
    input_shape : sequence of int, optional
        Shape of one input without the batch axis; by default as the file says. If the file fixes a
        first axis above 1, that axis is a batch exactly if this shape is shorter.
    output : str or int, optional
        Name or number of the output to read, if there are several; also the name of any value
        inside the model.
    fixed : mapping of str to array_like, optional
        Values of all inputs but one, if there are several.

    Returns
    -------
    GraphNetwork
        Its link is a sigmoid, softmax or the like that comes last.

    Raises
    ------
    UnsupportedModuleError
        If an operator is not understood, or the result differs from the model.
    InputError
        If the file cannot be read, the input shape is missing or does not fit, or there are several
        inputs or outputs.
    """
    name = os.fspath(path)
    model = open_model(path)
    goal = _chosen_output(model, output, name)
    values = _fixed_values(model, fixed or {}, name)
    goal = _before_names(model, goal)
    logits, link = _before_link(cut_at(model, goal, values), goal)
    part = cut_at(model, logits, values)
    source = _only_input(part, name)
    double = in_double(part, name)
    run = partial(_run, double, source.name)
    layout = _layout(name, source, input_shape)
    network = _Reading(double, source.name, layout, name).network(logits)
    if layout.may_be_batch and not _rows_are_joined(layout.shape, run):
        rows, *row = layout.shape
        raise InputError(
            f"`input_shape` is needed, since the input of {name!r} has the shape {layout.shape}, "
            f"which may be {rows} rows of a batch, or one input; pass input_shape={tuple(row)} if "
            f"its first axis is a batch, input_shape={layout.shape} if it is not"
        )
    plain = partial(_run_plain, part, source.name)
    _compare(network, layout, run, plain, _precision(source), name)
    if link is None:
        return network
    if reason := reason_against_link(link.split(", "), network.n_outputs):
        raise UnsupportedModuleError(
            f"the last steps of {name!r}, {link}, change decisions: {reason}; choose an output "
            f"before them: output={logits!r}"
        )
    network = network.with_link(link)
    whole = cut_at(model, goal, values)
    runs = (
        partial(_run, in_double(whole, name), source.name),
        partial(_run_plain, whole, source.name),
    )
    _compare_link(network, layout, *runs, _precision(source), name)
    return network


# Which part of the model is read


def _chosen_output(model: Any, output: str | int | None, name: str) -> str:
    outputs = [x.name for x in model.graph.output]
    if output is None:
        if len(outputs) == 1:
            return str(outputs[0])
        if not outputs:
            raise InputError(f"{name!r} has no output; export it again")
        raise InputError(
            f"{name!r} has {len(outputs)} outputs, {', '.join(map(repr, outputs))}; choose one by "
            f"output={outputs[-1]!r}, for example"
        )
    wanted = output
    if isinstance(output, str):
        if output in outputs or any(output in node.output for node in model.graph.node):
            return output
        output = int(output) if output.lstrip("-").isdecimal() else len(outputs)
    if -len(outputs) <= output < len(outputs):
        return str(outputs[output])
    raise InputError(
        f"`output` must be the name or the number of an output of {name!r}, which has "
        f"{', '.join(map(repr, outputs))}, got {wanted!r}; choose one of them"
    )


def _fixed_values(model: Any, fixed: Mapping[str, ArrayLike], name: str) -> dict[str, Any]:
    inputs = {x.name: x for x in model.graph.input}
    helper = require("onnx", "reading an ONNX file").helper
    values = {}
    for key, value in fixed.items():
        if key not in inputs:
            raise InputError(
                f"`fixed` must name inputs of {name!r}, which has "
                f"{', '.join(map(repr, inputs))}, got {key!r}; choose one of them"
            )
        kind = inputs[key].type.tensor_type
        try:
            dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
            array = np.asarray(value).astype(dtype)
            sizes = _sizes(inputs[key])
            if sizes and not array.ndim:  # one number for all entries
                array = np.full([size or 1 for size in sizes], array)
            if sizes is not None and array.ndim == len(sizes) - 1 and sizes[0] in (None, 1):
                array = array[None]
            if sizes is not None and all(sizes) and array.shape != tuple(sizes):
                array = array.reshape([size or 1 for size in sizes])
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(
                f"`fixed` must hold numbers of shape {_sizes(inputs[key])} for {key!r}, got shape "
                f"{np.shape(value)}; check its value"
            ) from error
        values[key] = array
    return values


def _only_input(part: Any, name: str) -> Any:
    """Return the input that a part of a model depends on."""
    inputs = list(part.graph.input)
    if not inputs:
        raise UnsupportedModuleError(
            f"the output of {name!r} does not depend on its input, so there is nothing to cut; "
            "check how the file was exported, or choose another output"
        )
    if len(inputs) > 1:
        shown = ", ".join(f"{x.name!r} of shape {_shown(_sizes(x))}" for x in inputs)
        raise InputError(
            f"{name!r} must have one input, got {len(inputs)}: {shown}; give values to all but one "
            f"of them, for example fixed={{{inputs[-1].name!r}: ...}}"
        )
    (source,) = inputs
    kinds = require("onnx", "reading an ONNX file").TensorProto
    kind = source.type.tensor_type.elem_type
    if kind not in (0, kinds.FLOAT, kinds.DOUBLE, kinds.FLOAT16, kinds.BFLOAT16):
        known = kind in kinds.DataType.values()
        came = kinds.DataType.Name(kind).lower() if known else f"the unknown type {kind}"
        raise UnsupportedModuleError(
            f"the input {source.name!r} of {name!r} must be of floats, got {came}; export the "
            "model for inputs of floats"
        )
    return source


_LINKS = {
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Tanh": "tanh",
    "ArgMax": "argmax",
    "Log": "log",
}
_PASSING = {"Cast", "CastLike", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that may follow a link, because they change no number."""


def _before_names(part: Any, output: str) -> str:
    """Return the value before the step that gives columns the names of classes."""
    for node in part.graph.node:
        if node.op_type == "ZipMap" and output in node.output:
            return str(node.input[0])
    return output


def _before_link(part: Any, output: str) -> tuple[str, str | None]:
    """Return the value before the link of a model, and the names of its steps."""
    makers = {name: node for node in part.graph.node for name in node.output}
    plain = {t.name for t in part.graph.initializer} | {
        name for node in part.graph.node if node.op_type == "Constant" for name in node.output
    }
    value, steps = output, list[tuple[str, str]]()  # the last step first
    while value in makers:
        node = makers[value]
        source = node.input[0] if node.input else ""
        if node.op_type == "Concat" and (both := _complemented(node, makers)) is not None:
            source = both
            steps.append((source, "complement"))
        elif node.op_type in _LINKS:
            steps.append((source, _LINKS[node.op_type]))
        elif node.op_type not in _PASSING or not plain.issuperset(node.input[1:]):
            break
        value = source
    while steps and steps[-1][1] in ("complement", "log"):  # links of probabilities only
        steps.pop()
    if not steps:
        return output, None
    return steps[-1][0], ", ".join(name for _, name in reversed(steps))


def _complemented(node: Any, makers: Mapping[str, Any]) -> str | None:
    """Return the name of p if a node joins 1 - p and p."""
    if len(node.input) == 2:
        first, second = node.input
        maker = makers.get(first)
        if maker is not None and maker.op_type == "Sub" and maker.input[1] == second:
            return str(second)
    return None


# The shape of the input


@dataclass(frozen=True)
class _Layout:
    """How points become inputs.

    Attributes
    ----------
    shape : tuple of int
        Shape of the tensor that one point becomes.
    batch : int or None
        Size of the batch axis, which is the first: 0 if it is open, None if there is none.
    is_guess : bool
        Whether the shape is a guess, which may be wrong.
    may_be_batch : bool
        Whether the first axis may turn out to be a batch.
    """

    shape: tuple[int, ...]
    batch: int | None
    is_guess: bool = False
    may_be_batch: bool = False

    def tensor(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points as one input of the model: rows of a batch, or a single point."""
        return points.reshape(len(points) * self.shape[0] if self.shape else 1, *self.shape[1:])


def _sizes(value: Any) -> list[int | None] | None:
    """Return the declared shape of an input, with None for open sizes."""
    kind = value.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [axis.dim_value if axis.dim_value > 0 else None for axis in kind.shape.dim]


def _shown(sizes: Sequence[int | None] | None) -> str:
    if sizes is None:
        return "(...)"
    return f"({', '.join('?' if n is None else str(n) for n in sizes)}{',' * (len(sizes) == 1)})"


def _layout(name: str, source: Any, input_shape: Sequence[int] | None) -> _Layout:
    sizes = _sizes(source)
    if input_shape is not None:
        return _layout_as_told(name, sizes, tuple(input_shape))
    if sizes is None or None in sizes[1:] or sizes == [None]:
        raise InputError(
            f"`input_shape` is needed, since {name!r} leaves the shape of its input open, "
            f"{_shown(sizes)}; pass as_network(path, input_shape=(1, 28, 28)), for example"
        )
    known = tuple(n or 1 for n in sizes)
    if sizes and sizes[0] is None:
        return _Layout(known, 0)
    return _Layout(known, None, may_be_batch=len(known) > 1 and known[0] > 1)


def _layout_as_told(
    name: str, sizes: Sequence[int | None] | None, given: tuple[int, ...]
) -> _Layout:
    if sizes is None:
        return _Layout((1, *given), 0, is_guess=True)
    if not sizes and math.prod(given) == 1:
        return _Layout((), None)
    if sizes and None not in sizes[1:]:
        # Flat inputs, and other shapes with as many entries, mean the declared shape.
        known = tuple(n or 1 for n in sizes)
        if math.prod(given) == math.prod(known[1:]):
            is_single = len(given) == len(sizes) or sizes[0] == 1
            batch = None if is_single else sizes[0] or 0
            return _Layout((1, *known[1:]), batch)
        if sizes[0] is not None and math.prod(given) == math.prod(known):
            return _Layout(known, None)
    if len(given) == len(sizes):
        return _Layout(given, None, is_guess=True)
    if len(given) == len(sizes) - 1:
        batch = None if sizes[0] == 1 else sizes[0] or 0
        return _Layout((1, *given), batch, is_guess=True)
    raise InputError(
        f"`input_shape` must fit to the shape {_shown(sizes)} that {name!r} declares, got {given}; "
        f"pass {len(sizes) - 1} numbers if the first axis is a batch, {len(sizes)} if it is not"
    )


def _rows_are_joined(
    shape: tuple[int, ...], run: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> bool:
    """Whether an output depends on several rows of the input, so that these are not a batch."""
    rng = np.random.default_rng(0)
    try:
        for row in range(min(shape[0], _N_POINTS)):
            x, y = rng.standard_normal((2, *shape))
            y[row] = x[row]
            first, second = run(x), run(y)
            if first.ndim == 0 or first.shape[0] != shape[0]:
                return True
            if not np.allclose(first[row], second[row], rtol=1e-9, atol=1e-12):
                return True
    except NotRun:
        return False
    return False


# Reading


_ERRORS_OF_SHAPES = (
    NotRun,
    RuntimeError,
    ValueError,
    IndexError,
    TypeError,
    KeyError,
    MemoryError,
)


class _Reading:
    """Reads the nodes of a model in double precision."""

    def __init__(self, model: Any, source: str, layout: _Layout, name: str) -> None:
        self._model, self._layout, self._name = model, layout, name
        self._bounds = Bounds(name)
        self._bounds.add(math.prod(layout.shape), "the input")
        self._builder = GraphBuilder(layout.shape)
        entries = self._builder.input.index.reshape(layout.shape)
        self._values: dict[str, Any] = {"": None, source: Signal(0, entries)}

    def network(self, output: str) -> GraphNetwork:
        self._read(self._model.graph)
        result = self._values.get(output)
        if not isinstance(result, Signal):
            raise UnsupportedModuleError(
                f"the output {output!r} of {self._name!r} does not depend on its input, or is "
                "several tensors; choose another output"
            )
        return self._builder.network(result)

    def _read(self, graph: Any) -> None:
        for tensor in graph.initializer:
            self._values[tensor.name] = _tensor(array_of(tensor, self._name))
        uses: dict[str, int] = {}
        for i, node in enumerate(graph.node):
            uses.update(dict.fromkeys(needs_of(node), i))
        kept = {value.name for value in graph.output}
        for i, node in enumerate(graph.node):
            results = self._results(node)
            self._values.update(zip(node.output, results, strict=False))
            for name in needs_of(node) - kept:
                if uses[name] == i:  # not used again
                    self._values.pop(name, None)

    def _results(self, node: Any) -> Sequence[Any]:
        place = node.name or node.output[0]
        what = f"the operator {node.op_type} at {place!r} of {self._name!r}"
        inputs: list[Any] = []
        try:
            for key in node.input:
                if key not in self._values:
                    raise NotUnderstood(
                        f"which uses {key!r}, a result that is not read, such as places beside "
                        "maxima"
                    )
                inputs.append(self._values[key])
            if node.op_type == "If":
                return self._branch(node, inputs[0])
            evaluate = partial(run_node, node, self._model.opset_import)
            is_constant = not any(_depends(x) for x in inputs)
            attributes = attributes_of(node)
            unbounded = self._bounds.add_result(
                node.op_type, attributes, inputs, is_constant=is_constant
            )
            if unbounded:
                raise NotUnderstood(unbounded)
            if is_constant:
                return [_tensor(x) for x in evaluate([_array(x) for x in inputs])]
            is_standard = node.domain in ("", "ai.onnx")
            operation = Operation(
                kind=node.op_type if is_standard else f"{node.domain}.{node.op_type}",
                attributes=attributes,
                builder=self._builder,
                opset=operator_set(self._model),
                batch=self._layout.batch or 1,
                has_batch=self._layout.batch is not None,
                n_outputs=sum(map(bool, node.output)),
                evaluate=evaluate,
            )
            return apply(operation, inputs)
        except NotUnderstood as reason:
            raise UnsupportedModuleError(
                f"the model has {what}, {reason}; replace it by a piecewise linear one, or read "
                f"the value before it: output={node.input[0] if node.input else ''!r}"
            ) from None
        except RelutopoError:
            raise
        except _ERRORS_OF_SHAPES as error:
            shapes = [tuple(x.shape) for x in inputs if isinstance(x, Signal)]
            remedy = (
                "check `input_shape`"
                if self._layout.is_guess
                else "is the file whole? If it declares a wrong shape, pass `input_shape`"
            )
            raise InputError(
                f"{what} cannot take inputs of shape {shapes}: {error}; {remedy}"
            ) from error

    def _branch(self, node: Any, condition: Any) -> list[Any]:
        """Read the branch of an If whose condition does not depend on the input."""
        if not isinstance(condition, Tensor):
            raise NotUnderstood("whose condition depends on the input: not continuous")
        attributes = attributes_of(node)
        graph = attributes["then_branch" if bool(condition) else "else_branch"]
        outside = dict(self._values)
        self._read(graph)
        results = [self._values.get(x.name) for x in graph.output]
        self._values = outside
        return results


def _depends(x: Any) -> bool:
    return isinstance(x, (Signal, Step)) or (isinstance(x, list) and any(map(_depends, x)))


def _tensor(x: Any) -> Any:
    """Return a constant as a tensor, if torch has its type."""
    if isinstance(x, list):
        return [_tensor(y) for y in x]
    try:
        array = np.ascontiguousarray(x).reshape(np.shape(x))
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    except TypeError:
        return x


def _array(x: Any) -> Any:
    if isinstance(x, list):
        return [_array(y) for y in x]
    return x.numpy() if isinstance(x, Tensor) else x


# Comparing


def _run(model: Any, source: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return run_reference(model, {source: x})


def _run_plain(model: Any, source: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return run_runtime(model, {source: x})


_Run = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_Alike = Callable[[NDArray[np.float64], NDArray[np.float64]], bool]


class _Precision(NamedTuple):
    """The precision in which a model is computed.

    Attributes
    ----------
    most : float
        Tolerance for outputs, relative to the largest one.
    unit : float
        Relative rounding error of a number.
    """

    most: float
    unit: float


def _precision(source: Any) -> _Precision:
    """Return the precision of the model's own numbers."""
    kinds = require("onnx", "reading an ONNX file").TensorProto
    is_half = source.type.tensor_type.elem_type in (kinds.FLOAT16, kinds.BFLOAT16)
    return (
        _Precision(_HALF_PRECISION, 2.0**-9) if is_half else _Precision(_SINGLE_PRECISION, 2.0**-24)
    )


def _compare(
    network: GraphNetwork, layout: _Layout, run: _Run, plain: _Run, own: _Precision, name: str
) -> None:
    """Refuse a network whose outputs differ from those of the model."""
    reasons = []
    for evaluate, precision in ((run, _Precision(1e-9, UNIT_ROUNDOFF)), (plain, own)):
        try:
            found = _difference(network, layout, evaluate, precision)
        except NotRun as error:
            reasons.append(str(error))
            continue
        if found is None:
            return
        reasons.append(found)
    by_reference, by_runtime = reasons
    if by_runtime == "onnxruntime is not installed":
        raise UnsupportedModuleError(
            f"{name!r} was read, but by the reference implementation of onnx {by_reference}; if "
            "that one is wrong, install onnxruntime, which decides then"
        )
    raise UnsupportedModuleError(
        f"{name!r} was read, but by the reference implementation of onnx {by_reference}, and by "
        f"onnxruntime {by_runtime}; export it in another way"
    )


def _difference(
    network: GraphNetwork, layout: _Layout, evaluate: _Run, precision: _Precision
) -> str | None:
    """Return in words how a network differs from a model, or None."""
    n = layout.batch or _N_POINTS
    points = np.random.default_rng(0).standard_normal((n, network.input_dim))
    computed = outputs_in_range(network, points)
    are_alike = _comparison(network.with_link(None), points, precision)
    if not layout.batch:
        single = np.stack([np.ravel(evaluate(x.reshape(layout.shape))) for x in points])
        if not are_alike(computed, single):
            return "the result differs"
    if layout.batch is None:
        return None
    try:
        together = evaluate(layout.tensor(points))
    except NotRun:
        if layout.batch:
            raise
        return None  # the model was exported for one row at a time
    return (
        None if _has_rows(together, computed, are_alike) else "rows of a batch are not kept apart"
    )


def _has_rows(together: NDArray[np.float64], rows: NDArray[np.float64], are_alike: _Alike) -> bool:
    """Whether the output for several rows consists of those for each, along any of its axes."""
    if together.size != rows.size:
        return False
    axes = [axis for axis, size in enumerate(together.shape) if size == len(rows)]
    turned = [np.moveaxis(together, axis, 0).reshape(rows.shape) for axis in axes]
    return any(are_alike(rows, y) for y in [together.reshape(rows.shape), *turned])


def _comparison(network: Network, points: NDArray[np.float64], precision: _Precision) -> _Alike:
    """Return a function that tells whether two outputs at points agree up to rounding."""
    most, unit = precision
    allowed = cache(lambda: roundoff(network, points, unit))

    def are_alike(x: NDArray[np.float64], y: NDArray[np.float64]) -> bool:
        size = max(1.0, float(np.abs(y).max(initial=0.0)))
        if x.shape != y.shape:
            return False
        if np.allclose(x, y, rtol=most, atol=most * size):
            return True
        return bool(np.abs(x - y).max(initial=0.0) <= allowed())  # large numbers may have cancelled

    return are_alike


def _compare_link(
    network: GraphNetwork, layout: _Layout, run: _Run, plain: _Run, own: _Precision, name: str
) -> None:
    """Refuse a link that differs from the last steps of the model."""
    points = np.random.default_rng(0).standard_normal(
        (layout.batch or _N_POINTS, network.input_dim)
    )
    expected = apply_link(network.link, network(points))
    for evaluate, precision in ((run, _Precision(1e-7, UNIT_ROUNDOFF)), (plain, own)):
        try:
            if layout.batch:
                given = evaluate(layout.tensor(points)).reshape(len(points), -1)
            else:
                given = np.stack([np.ravel(evaluate(x.reshape(layout.shape))) for x in points])
        except NotRun:
            continue
        if _comparison(network, points, precision)(expected, given):
            return
    raise UnsupportedModuleError(
        f"the last steps of {name!r}, {network.link}, are not taken over all of its "
        f"{network.n_outputs} outputs; choose an output before them: output=..., the name of a "
        "value in the file"
    )
