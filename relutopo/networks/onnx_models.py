"""ONNX models before they are read: opened, checked, cut, put into double precision, and run.

The reference implementation of the `onnx` package runs single operators on constants, and whole
models for comparison. Its errors never leave this module unchanged.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError, RelutopoError, UnsupportedModuleError
from relutopo.networks import onnx_resizing
from relutopo.networks.onnx_pooling import reference_operators
from relutopo.networks.onnx_safety import load_model_proto
from relutopo.optional import require

__all__ = [
    "NotRun",
    "array_of",
    "attributes_of",
    "cut_at",
    "in_double",
    "needs_of",
    "open_model",
    "operator_set",
    "run_node",
    "run_reference",
    "run_runtime",
]

_OLDEST = 7
"""From this operator set on, shapes are broadcast as in NumPy."""


_NEWEST = 99
_MOST_NODES, _DEEPEST = 100_000, 50


class NotRun(Exception):
    """A model could not be run, with the reason."""


def open_model(path: str | os.PathLike[str]) -> Any:
    """Return the checked model of an ONNX file, its nodes in order and its functions inlined.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    InputError
        If the file cannot be read, or is not a valid model.
    """
    onnx = require("onnx", "reading an ONNX file")
    name = os.fspath(path)
    try:
        model = load_model_proto(onnx, path)
        if not all(isinstance(text, str) for text in _names(model.graph)):
            raise ValueError("a name in it is no text")
    except RelutopoError:
        raise
    except Exception as error:
        # onnx and protobuf raise errors of many kinds for a damaged file.
        raise InputError(
            f"{name!r} cannot be read as an ONNX model ({_sentence(error)}); export it again"
        ) from error
    try:
        onnx.checker.check_model(model)
    except Exception:
        _sort(model.graph)
        try:
            onnx.checker.check_model(_in_good_form(onnx, model))
        except Exception as error:  # the checker has errors of several kinds
            raise InputError(
                f"{name!r} is no valid ONNX model ({_sentence(error)}); export it again"
            ) from error
    opset = operator_set(model)
    if opset < _OLDEST:
        raise InputError(
            f"{name!r} is written for operator set {opset}, the oldest that is read is {_OLDEST}; "
            f"convert it by onnx.version_converter.convert_version(model, {_OLDEST})"
        )
    if model.functions:
        _check_functions(model, name)
        model = require("onnx.inliner", "reading an ONNX file").inline_local_functions(model)
    return model


def _names(graph: Any) -> Iterator[object]:
    """Yield all names; protobuf gives bytes for a name that is not text."""
    yield graph.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            for part in (attribute.g, *attribute.graphs):
                yield from _names(part)
    for tensor in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield tensor.name
    for tensor in graph.sparse_initializer:
        yield tensor.values.name


def _check_functions(model: Any, name: str) -> None:
    """Refuse functions that give too many nodes when they are inlined."""
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(node: Any, above: tuple[tuple[str, str], ...]) -> int:
        key = node.domain, node.op_type
        if key not in functions:
            return 1 + sum(size(n, above) for graph in _inner(node) for n in graph.node)
        if key in above or len(above) > _DEEPEST:
            return _MOST_NODES + 1
        if key not in sizes:
            sizes[key] = sum(size(n, (*above, key)) for n in functions[key].node)
        return sizes[key]

    if sum(size(node, ()) for node in model.graph.node) > _MOST_NODES:
        raise UnsupportedModuleError(
            f"{name!r} has functions that call each other too often; export it without functions"
        )


def array_of(tensor: Any, name: str) -> NDArray[Any]:
    """Return the numbers of a tensor in a file.

    Raises
    ------
    InputError
        If there are not as many as the tensor declares.
    """
    onnx = require("onnx", "reading an ONNX file")
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # errors of NumPy, of onnx, and of unknown types
        raise InputError(
            f"{name!r} cannot be read as an ONNX model ({_sentence(error)}, in the tensor "
            f"{tensor.name[:60]!r}); export it again"
        ) from error


def operator_set(model: Any) -> int:
    """Return the version of the standard operators of a model, the newest if it has none."""
    versions = [s.version for s in model.opset_import if s.domain in ("", "ai.onnx")]
    return max(versions, default=_NEWEST)


def attributes_of(node: Any) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    helper = require("onnx", "reading an ONNX file").helper
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _sentence(error: Exception) -> str:
    """Return the first sentence of an error of onnx, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    kind = type(error).__name__
    return f"{kind}: {text.rstrip('.;:')}" if text else kind


# Form


def _inner(node: Any) -> list[Any]:
    """Return the graphs in the attributes of a node."""
    return [a.g for a in node.attribute if a.HasField("g")]


def needs_of(node: Any) -> set[str]:
    """Return the names that a node uses from the graph around it."""
    names = {name for name in node.input if name}
    for graph in _inner(node):
        own = {x.name for x in graph.input} | {x.name for x in graph.initializer}
        inside = {name for n in graph.node for name in needs_of(n)} | {x.name for x in graph.output}
        made = {name for n in graph.node for name in n.output}
        names |= inside - own - made
    return names


def _sort(graph: Any) -> None:
    """Sort the nodes of a graph so that each comes after the nodes it needs."""
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output}
    needs = [{maker[name] for name in needs_of(node) if name in maker} for node in graph.node]
    users: list[list[int]] = [[] for _ in needs]
    for i, before in enumerate(needs):
        for j in before:
            users[j].append(i)
    missing = list(map(len, needs))
    order = [i for i, n in enumerate(missing) if n == 0]
    for i in order:  # which grows meanwhile
        for j in users[i]:
            missing[j] -= 1
            if missing[j] == 0:
                order.append(j)
    if len(order) < len(needs):
        return  # a circle, which the checker names
    nodes = [type(graph.node[i]).FromString(graph.node[i].SerializeToString()) for i in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _in_good_form(onnx: Any, model: Any) -> Any:
    """Return a copy with the fields that the checker requires although nothing depends on them."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(max(copy.ir_version, 4), onnx.IR_VERSION)
    copy.graph.name = copy.graph.name or "graph"
    del copy.graph.value_info[:]
    for value in [*copy.graph.input, *copy.graph.output]:
        if not value.type.WhichOneof("value"):
            value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
    return copy


def cut_at(model: Any, output: str, fixed: Mapping[str, NDArray[Any]]) -> Any:
    """Return the part of a model that a value depends on.

    Parameters
    ----------
    model : ModelProto
    output : str
        Name of the value that becomes the only output.
    fixed : mapping of str to ndarray
        Inputs that become constants.
    """
    onnx = require("onnx", "reading an ONNX file")
    wanted, kept = {output}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= needs_of(node)
    graph = onnx.GraphProto(name=model.graph.name or "graph")
    graph.node.extend(reversed(kept))
    graph.initializer.extend(
        t for t in model.graph.initializer if t.name in wanted and t.name not in fixed
    )
    graph.sparse_initializer.extend(
        t for t in model.graph.sparse_initializer if t.values.name in wanted
    )
    constants = {t.name for t in graph.initializer} | set(fixed)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in fixed.items() if name in wanted
    )
    graph.input.extend(x for x in model.graph.input if x.name in wanted and x.name not in constants)
    graph.output.append(
        next(
            (x for x in model.graph.output if x.name == output),
            onnx.ValueInfoProto(name=output),
        )
    )
    part = onnx.ModelProto(ir_version=model.ir_version, graph=graph)
    part.opset_import.extend(model.opset_import)
    return part


# Double precision


def in_double(model: Any, name: str) -> Any:
    """Return a copy of a model in which all floats are in double precision.

    Casts between floats become casts to double. Weights that are not finite are refused, unless
    they are the bounds of a Clip.
    """
    onnx = require("onnx", "reading an ONNX file")
    double = onnx.ModelProto()
    double.CopyFrom(model)
    _graph_to_double(onnx, double.graph, name)
    return double


def _graph_to_double(onnx: Any, graph: Any, name: str) -> None:
    bounds = {x for n in graph.node if n.op_type == "Clip" for x in n.input[1:]}
    for tensor in graph.initializer:
        _tensor_to_double(onnx, tensor, name, tensor.name, may_be_infinite=tensor.name in bounds)
    for value in [*graph.input, *graph.output]:
        kind = value.type.tensor_type
        if kind.elem_type in _float_types(onnx):
            kind.elem_type = onnx.TensorProto.DOUBLE
    del graph.value_info[:]
    for node in graph.node:
        _node_to_double(onnx, node, name)
        for inner in _inner(node):
            _graph_to_double(onnx, inner, name)


def _float_types(onnx: Any) -> tuple[int, ...]:
    kinds = onnx.TensorProto
    return kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE


def _tensor_to_double(onnx: Any, tensor: Any, file: str, name: str, may_be_infinite: bool) -> None:
    if tensor.data_type not in _float_types(onnx):
        return
    array = array_of(tensor, file).astype(np.float64)
    if not may_be_infinite and not np.isfinite(array).all():
        raise InputError(
            f"the model must have finite weights, got NaN or infinity in {name!r}; did the "
            "training diverge? Load an earlier checkpoint"
        )
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _node_to_double(onnx: Any, node: Any, name: str) -> None:
    attributes = {a.name: a for a in node.attribute}
    kinds = _float_types(onnx)
    if node.op_type == "Constant":
        for old in ("value_float", "value_floats"):
            if old in attributes:
                numbers = np.array(onnx.helper.get_attribute_value(attributes[old]), float)
                node.attribute.remove(attributes[old])
                tensor = onnx.numpy_helper.from_array(numbers)
                node.attribute.append(onnx.helper.make_attribute("value", tensor))
        for attribute in node.attribute:
            if attribute.HasField("t"):
                _tensor_to_double(onnx, attribute.t, name, node.output[0], may_be_infinite=True)
    elif node.op_type == "ConstantOfShape":
        if "value" in attributes:
            _tensor_to_double(
                onnx, attributes["value"].t, name, node.output[0], may_be_infinite=True
            )
        else:
            tensor = onnx.numpy_helper.from_array(np.zeros(1))
            node.attribute.append(onnx.helper.make_attribute("value", tensor))
    else:
        for key in ("to", "dtype", "output_datatype", "output_dtype"):
            if key in attributes and attributes[key].i in kinds:
                attributes[key].i = onnx.TensorProto.DOUBLE


# Running


@cache
def _corrected(opset: int) -> tuple[type, ...]:
    """Return operators that the reference implementation gets wrong for some operator sets."""
    op_run = require("onnx.reference.op_run", "reading an ONNX file")

    def normalise(
        self: Any, x: Any, scale: Any, bias: Any, mean: Any, var: Any, epsilon: Any = None,
        momentum: Any = None, spatial: Any = None, is_test: Any = None, training_mode: Any = None,
    ) -> tuple[Any]:  # fmt: skip
        shape = (-1, *[1] * (x.ndim - 2)) if scale.ndim == 1 else scale.shape
        centred = x - mean.reshape(shape)
        deviation = np.sqrt(var.reshape(shape) + (1e-5 if epsilon is None else epsilon))
        return (scale.reshape(shape) * centred / deviation + bias.reshape(shape),)

    def pad(
        self: Any, x: Any, pads: Any = None, constant: Any = None, axes: Any = None,
        mode: str = "constant", value: float | None = None,
    ) -> tuple[Any]:  # fmt: skip
        along = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
        sides = [(0, 0)] * x.ndim
        for k, axis in enumerate(along):
            sides[axis] = int(pads[k]), int(pads[k + len(along)])
        added = value if constant is None else constant
        kind: Any = mode or "constant"
        filled: dict[str, Any] = (
            {} if kind != "constant" else {"constant_values": np.ravel(added or 0)[0]}
        )
        padded = np.pad(x, [(max(a, 0), max(b, 0)) for a, b in sides], kind, **filled)
        cuts = zip(padded.shape, sides, strict=True)
        return (padded[tuple(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in cuts)],)

    operators: dict[str, Any] = {
        "BatchNormalization": normalise,
        "Pad": pad,
        **onnx_resizing.reference_operators(opset),
    }
    return tuple(
        type(name, (op_run.OpRun,), {"op_domain": "", "_run": run})
        for name, run in operators.items()
    )


def _evaluator(model: Any) -> Any:
    reference = require("onnx.reference", "reading an ONNX file")
    return reference.ReferenceEvaluator(
        model, new_ops=[*_corrected(operator_set(model)), *reference_operators()]
    )


def run_reference(model: Any, feeds: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return the first output of a model by the reference implementation.

    Raises
    ------
    NotRun
        If it cannot run the model.
    """
    try:
        with np.errstate(all="ignore"):
            (output, *_) = _evaluator(model).run(None, dict(feeds))
        return np.asarray(output, dtype=np.float64)
    except Exception as error:  # it raises whatever NumPy and its operators do
        raise NotRun(_sentence(error)) from error


def run_runtime(model: Any, feeds: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return the first output of a model by onnxruntime, if it is installed.

    Raises
    ------
    NotRun
        If it is not installed, or cannot run the model.
    """
    try:
        onnxruntime: Any = importlib.import_module("onnxruntime")
    except ImportError:
        raise NotRun("onnxruntime is not installed") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        kinds = {x.name: _NUMPY_TYPES[x.type] for x in session.get_inputs()}
        output = session.run(None, {k: x.astype(kinds[k]) for k, x in feeds.items()})[0]
        return np.asarray(output, dtype=np.float64)
    except Exception as error:  # its own errors do not share a class
        raise NotRun(_sentence(error)) from error


_NUMPY_TYPES = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2"}


def run_node(
    node: Any, opsets: Iterable[Any], inputs: Sequence[Any], **attributes: Any
) -> list[Any]:
    """Return the outputs of one operator for arrays, at the operator sets of its file.

    Parameters
    ----------
    node : NodeProto
    opsets : iterable of OperatorSetIdProto
    inputs : sequence of ndarray, list or None
        One for each input of the node; None for those that are left out.
    **attributes
        Attributes that replace those of the node.

    Raises
    ------
    NotRun
        If the reference implementation cannot run it.
    """
    onnx = require("onnx", "reading an ONNX file")
    single = onnx.NodeProto()
    single.CopyFrom(node)
    for key, value in attributes.items():
        for old in [a for a in single.attribute if a.name == key]:
            single.attribute.remove(old)
        single.attribute.append(onnx.helper.make_attribute(key, value))
    feeds = {k: x for k, x in zip(single.input, inputs, strict=True) if k and x is not None}
    graph = onnx.GraphProto(name="one")
    graph.node.append(single)
    graph.input.extend(onnx.ValueInfoProto(name=k) for k in feeds)
    graph.output.extend(onnx.ValueInfoProto(name=k) for k in single.output if k)
    model = onnx.ModelProto(ir_version=onnx.IR_VERSION, graph=graph)
    model.opset_import.extend(opsets)
    try:
        with np.errstate(all="ignore"):
            results = iter(_evaluator(model).run(None, feeds))
            return [next(results) if k else None for k in single.output]
    except Exception as error:  # it raises whatever NumPy and its operators do
        raise NotRun(_sentence(error)) from error
