"""Small ONNX models, written node by node: a perceptron of two inputs and what comes before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

_rng = np.random.default_rng(7)
WEIGHTS: dict[str, Any] = {
    name: _rng.standard_normal(shape).astype(np.float32)
    for name, shape in {"W": (3, 2), "b": (3,), "V": (1, 3), "c": (1,)}.items()
}


def node(kind: str, inputs: Sequence[str] | str, outputs: str = "h", **attributes: Any) -> Any:
    """One node; inputs and outputs are names, separated by spaces (or a list)."""
    from onnx import helper

    names = inputs.split() if isinstance(inputs, str) else list(inputs)
    return helper.make_node(kind, names, outputs.split(), **attributes)


def mlp(source: str = "h") -> list[Any]:
    """The nodes of a perceptron, from the value `source` to y."""
    return [
        node("Gemm", f"{source} W b", "z", transB=1),
        node("Relu", "z", "r"),
        node("Gemm", "r V c", "y", transB=1),
    ]


def perceptron(h: NDArray[np.float64]) -> NDArray[np.float64]:
    """What `mlp` computes, row by row."""
    w = {name: array.astype(float) for name, array in WEIGHTS.items()}
    return np.asarray(np.maximum(h @ w["W"].T + w["b"], 0) @ w["V"].T + w["c"])


def write(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[int | str] | None = ("batch", 2),
    constants: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    inputs: Mapping[str, Sequence[int | str] | None] | None = None,
    kind: int = 1,
    domains: Sequence[str] = (),
) -> Path:
    """Write a model with the input x (or others) and the weights of `mlp`, and check nothing."""
    import onnx
    from onnx import helper, numpy_helper

    named = {"x": shape} if inputs is None else inputs
    used = {name for n in nodes for name in n.input}
    weights = {k: v for k, v in WEIGHTS.items() if k in used} | dict(constants or {})
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(k, kind, v) for k, v in named.items()],
        [helper.make_tensor_value_info(k, kind, None) for k in outputs],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in weights.items()],
    )
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=8)
    onnx.save(model, path)
    return path
