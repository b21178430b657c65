"""ONNX files: equal to the torch modules that they were exported from, and to the reference."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from relutopo import AffineSlice, Box, GraphNetwork, as_network, decompose
from relutopo.errors import InputError, MissingExtraError, UnsupportedModuleError
from relutopo.testing import assert_same_complex

onnx: Any = pytest.importorskip("onnx")


def save(
    path: Path,
    nodes: list[Any],
    shape: tuple[int | str, ...],
    weights: dict[str, Any] | None = None,
    n_inputs: int = 1,
    opset: int = 17,
) -> Path:
    """Write a model whose inputs are x0, x1, ... and whose output is y."""
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(n_inputs)],
        [onnx.helper.make_tensor_value_info("y", kind, ("any",))],
        [onnx.numpy_helper.from_array(np.asarray(w), k) for k, w in (weights or {}).items()],
    )
    imports = [onnx.helper.make_opsetid("", opset)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), output.split(), **attributes)


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolutional(path: Path) -> tuple[Path, nn.Module]:
    """The same convolutional network in a file and as a module."""
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.LeakyReLU(0.25),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 3),
        nn.ReLU6(),
        nn.Linear(3, 1),
    )
    rng = np.random.default_rng(1)
    state = {
        name: torch.tensor(np.abs(rng.standard_normal(tuple(t.shape))) + 0.1)
        if name.endswith("running_var")
        else torch.tensor(rng.standard_normal(tuple(t.shape)))
        for name, t in module.state_dict().items()
        if t.is_floating_point()
    }
    module.load_state_dict(state, strict=False)
    w = {k: v.numpy() for k, v in module.state_dict().items() if v.is_floating_point()}
    nodes = [
        node("Conv", "x0 0.weight 0.bias", "a", pads=[1, 1, 1, 1]),
        node(
            "BatchNormalization", "a 1.weight 1.bias 1.running_mean 1.running_var", "b",
            epsilon=module.get_submodule("1").eps,
        ),
        node("LeakyRelu", "b", "c", alpha=0.25),
        node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
        # What exporters make of x.view(x.size(0), -1): arithmetic on the shape.
        node("Shape", "d", "s"),
        node("Gather", "s zero", "n"),
        node("Unsqueeze", "n axis", "n1"),
        node("Concat", "n1 rest", "t", axis=0),
        node("Reshape", "d t", "e"),
        node("Gemm", "e 5.weight 5.bias", "f", transB=1),
        node("Clip", "f lo hi", "g"),
        node("Gemm", "g 7.weight 7.bias", "y", transB=1),
    ]  # fmt: skip
    w |= {"zero": np.int64(0), "axis": np.array([0]), "rest": np.array([-1])}
    w |= {"lo": np.float32(0), "hi": np.float32(6)}
    return save(path, nodes, ("batch", 1, 4, 4), w), module.eval()


@pytest.mark.slow
def test_a_file_is_the_module_that_it_came_from(tmp_path: Path) -> None:
    path, module = convolutional(tmp_path / "model.onnx")
    network = as_network(path)
    assert isinstance(network, GraphNetwork)
    x = np.random.default_rng(0).standard_normal((20, 1, 4, 4))
    with torch.no_grad():
        expected = module.double()(torch.tensor(x)).numpy()
    # The epsilon of batch normalisation is a float32 in the file.
    np.testing.assert_allclose(network(x.reshape(20, -1)), expected, rtol=1e-9, atol=1e-9)
    plane = AffineSlice.through(*x[:3], margin=0.0)
    fast, exact = (decompose(path, plane, enumerator=name) for name in ("cpu", "exact"))
    fast.check()
    assert_same_complex(fast, exact)


OPERATORS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "elementwise": (
        [
            node("Abs", "x0", "a"), node("Neg", "a", "b"), node("Sub", "w b", "c"),
            node("Mul", "c w", "d"), node("Div", "d two", "e"), node("Sum", "a e x0", "f"),
            node("Max", "f x0 w", "g"), node("Min", "g two", "y"),
        ],
        {"w": random(4, 4), "two": np.float32(2)},
    ),
    "slopes": ([node("PRelu", "x0 w", "a"), node("Dropout", "a", "y")], {"w": random(2, 1, 1)}),
    "moves": (
        [
            node("Slice", "x0 from to axes", "a"), node("Transpose", "a", "b", perm=[0, 3, 1, 2]),
            node("Split", "b sizes", "c d", axis=1), node("Concat", "d c", "e", axis=1),
            node("Pad", "e pads", "f"), node("Relu", "f", "g"), node("Identity", "g", "h"),
            node("Gather", "h one", "i", axis=1), node("Unsqueeze", "i one1", "j"),
            node("Squeeze", "j one1", "k"), node("Flatten", "k", "y"),
        ],
        {
            "from": np.array([1]), "to": np.array([4]), "axes": np.array([3]),
            "sizes": np.array([2, 1]), "pads": np.array([0, 0, 1, 0, 0, 0, 0, 2]),
            "one": np.int64(1), "one1": np.array([1]),
        },
    ),
    "pooling": (
        [
            node("AveragePool", "x0", "a", kernel_shape=[3, 2], pads=[1, 0, 1, 0]),
            node("Conv", "a w", "b", auto_pad="SAME_UPPER"), node("Relu", "b", "c"),
            node("GlobalMaxPool", "c", "d"), node("GlobalAveragePool", "c", "e"),
            node("ReduceMean", "c", "f", axes=[2, 3], keepdims=1), node("Add", "d e", "g"),
            node("Add", "g f", "y"),
        ],
        {"w": random(2, 2, 2, 2)},
    ),
    "products": (
        [
            node("MatMul", "x0 w", "a"), node("Relu", "a", "b"),
            node("ReduceMax", "b", "y", axes=[3]),
        ],
        {"w": random(4, 5)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_equal_the_reference(name: str, tmp_path: Path) -> None:
    from onnx.reference import ReferenceEvaluator

    nodes, weights = OPERATORS[name]
    path = save(tmp_path / "model.onnx", nodes, (1, 2, 4, 4), weights)
    network = as_network(path)
    reference: Any = ReferenceEvaluator(onnx.load(path))
    for x in random(10, 1, 2, 4, 4, seed=1):
        expected = np.ravel(reference.run(None, {"x0": x})[0])
        np.testing.assert_allclose(network(x.reshape(1, -1))[0], expected, atol=1e-5)


def windows_by_hand(extents: Any, a: dict[str, Any]) -> list[list[tuple[int, ...]]]:
    """Slow reference: the places in each window, among them those in the padding."""
    axes = []
    for axis, n in enumerate(extents):
        k, s, d = a["kernel_shape"][axis], a["strides"][axis], a["dilations"][axis]
        reach = d * (k - 1) + 1
        low, high = a["pads"][axis], a["pads"][axis + len(extents)]
        is_same = a["auto_pad"].startswith("SAME")
        if is_same:
            total = max(0, (math.ceil(n / s) - 1) * s + reach - n)
            low, high = total // 2, total - total // 2
            if a["auto_pad"] == "SAME_LOWER":
                low, high = high, low
        starts = [
            start
            for start in range(-low, n + high, s)
            if start + reach <= n + high
            or (a["ceil_mode"] and not is_same and start < n and start + reach <= n + high + s - 1)
        ]
        axes.append([[p for p in range(q, q + reach, d) if p < n + high] for q in starts])
    return [list(product(*window)) for window in product(*axes)]


def pooled_by_hand(kind: str, x: Any, windows: Any, counts_pads: bool) -> Any:
    results = []
    for window in windows:
        inside = [x[p] for p in window if all(0 <= c < n for c, n in zip(p, x.shape, strict=True))]
        if kind == "MaxPool":
            results.append(max(inside))
        else:
            results.append(sum(inside) / (len(window) if counts_pads else len(inside)))
    return results


def transposed_by_hand(x: Any, w: Any, a: dict[str, Any], total: int) -> Any:
    """A transposed convolution of one axis; of its full result `total` entries are cut."""
    s, d = a["strides"][0], a["dilations"][0]
    full = np.zeros(s * (len(x) - 1) + a["output_padding"][0] + d * (len(w) - 1) + 1)
    for i, j in product(range(len(x)), range(len(w))):
        full[i * s + j * d] += x[i] * w[j]
    less = total // 2
    low, high = (less, total - less) if a["auto_pad"] == "SAME_UPPER" else (total - less, less)
    return full[low : len(full) - high]


@pytest.mark.slow
@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "NOTSET"])
def test_sizes_of_transposed_convolutions(auto: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")  # the reference implementation cuts a given shape otherwise
    n_refused = 0
    for k, s, d, e in product((1, 2, 3), (1, 2, 3), (1, 2), (0, 1)):
        n, reach = 4, e + d * (k - 1) + 1
        if e >= s:
            continue
        a: dict[str, Any] = {"strides": [s], "dilations": [d], "output_padding": [e]}
        a["auto_pad"] = auto
        total = reach - s
        if auto == "NOTSET":
            total = (k + d) % 4
            a["output_shape"] = [s * (n - 1) + reach - total]
        w = random(1, 1, k, seed=k)
        nodes = [node("ConvTranspose", "x0 w", **a)]
        path = save(tmp_path / "model.onnx", nodes, (1, 1, n), {"w": w})
        if total < 0:
            n_refused += 1
            message = f"{n * s} entries along an axis, others {n * s + total}; .* explicit pads"
            with pytest.raises(UnsupportedModuleError, match=message):
                as_network(path)
            continue
        x = random(5, n, seed=s)
        expected = [transposed_by_hand(row, w[0, 0].astype(float), a, total) for row in x]
        np.testing.assert_allclose(as_network(path)(x), expected, atol=1e-6)
    assert (n_refused > 0) == (auto != "NOTSET")


def poolings() -> list[tuple[str, tuple[int, ...], dict[str, Any]]]:
    cases: list[tuple[tuple[int, ...], dict[str, Any]]] = []
    for k, s, pads, d, ceil, n in product(
        (2, 3), (1, 2, 3), ([0, 0], [1, 1], [0, 1], [1, 0]), (1, 2), (0, 1), (5,)
    ):
        a = {"kernel_shape": [k], "strides": [s], "pads": pads, "dilations": [d]}
        cases.append(((n,), a | {"ceil_mode": ceil, "auto_pad": "NOTSET"}))
    for auto, s2, ceil in product(("SAME_UPPER", "SAME_LOWER"), ([1, 2], [2, 3]), (0, 1)):
        a = {"kernel_shape": [3, 2], "strides": s2, "pads": [0] * 4, "dilations": [1, 1]}
        cases.append(((3, 4), a | {"ceil_mode": ceil, "auto_pad": auto}))
    return [(kind, *case) for kind in ("MaxPool", "AveragePool") for case in cases]


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_every_setting_of_pooling(tmp_path: Path) -> None:
    x = random(1, 2, 5, 5, seed=2)
    for number, (kind, extents, a) in enumerate(poolings()):
        windows = windows_by_hand(extents, a)
        given = {
            key: value for key, value in a.items() if key != "pads" or a["auto_pad"] == "NOTSET"
        }
        counts = bool(number % 2) and kind == "AveragePool"
        if counts:
            given["count_include_pad"] = 1
        path = save(
            tmp_path / "model.onnx", [node(kind, "x0", **given)], (1, 2, *extents), opset=19
        )
        maps = (
            x[0, :, : extents[0], : extents[1]] if len(extents) == 2 else x[0, :, 0, : extents[0]]
        )
        if not windows:
            with pytest.raises(InputError, match="does not fit into a map"):
                as_network(path)
            continue
        found = as_network(path)(maps.reshape(1, -1))[0]
        expected = [pooled_by_hand(kind, y, windows, counts) for y in maps]
        np.testing.assert_allclose(found, np.ravel(expected), atol=1e-6, err_msg=f"{kind} {a}")


@pytest.mark.parametrize(
    ("kind", "attributes", "message"),
    [
        ("Exp", {}, r"has the operator Exp at 'y' of .*model\.onnx', which is not"),
        ("LpPool", {"kernel_shape": [2, 2]}, "LpPool at 'y' .*, which is not"),
    ],
)
def test_what_is_not_understood_is_named(
    kind: str, attributes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "model.onnx", [node(kind, "x0", **attributes)], (1, 2, 4, 4))
    with pytest.raises(UnsupportedModuleError, match=message):
        as_network(path)


def test_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"model\.onnx' cannot be read as an ONNX model"):
        as_network(path)
    save(path, [node("Add", "x0 x1")], (1, 2), n_inputs=2)
    with pytest.raises(InputError, match="must have one input, got 2: 'x0'"):
        as_network(path)
    save(path, [node("Relu", "x0")], (1, "width"))
    with pytest.raises(InputError, match=r"`input_shape` is needed, since .* leaves the shape"):
        as_network(path)
    assert as_network(path, input_shape=(2,)).input_dim == 2
    assert decompose(as_network(path, (2,)), Box(-1, 1, dim=2)).n_regions == 4
    save(path, [node("MatMul", "x0 w")], (1, 2), {"w": random(3, 2)})
    with pytest.raises(InputError, match=r"operator MatMul .* shape \[\(1, 2\)\].*`input_shape`"):
        as_network(path)
    save(path, [node("Mul", "x0 w")], (1, 2), {"w": np.float32(np.nan)})
    with pytest.raises(InputError, match="must have finite weights, got NaN or infinity in 'w'"):
        as_network(path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="reading an ONNX file needs the package 'onnx'"):
        as_network(path)
