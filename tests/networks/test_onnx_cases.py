"""What people's ONNX files are like: batch axes, several outputs and inputs, links, and form."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from onnx_graphs import WEIGHTS, mlp, node, perceptron, write
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.reading import load_model
from relutopo.networks.storage import load_network, save_network

onnx: Any = pytest.importorskip("onnx")

X = np.random.default_rng(1).standard_normal((9, 2))


def equal(network: Any, expected: Any, points: Any = X) -> None:
    np.testing.assert_allclose(network(points), expected, rtol=1e-6, atol=1e-7)


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


# The first axis of the input


@pytest.fixture
def columns() -> tuple[list[Any], dict[str, Any]]:
    """W x, as converters for control write it."""
    nodes = [node("MatMul", "W x", "z"), node("Relu", "z", "r"), node("MatMul", "V r", "y")]
    return nodes, {}


def test_inputs_without_a_batch_axis(tmp_path: Path, columns: tuple[list[Any], Any]) -> None:
    path = tmp_path / "model.onnx"
    w, v = (WEIGHTS[name].astype(float) for name in "WV")
    expected = np.maximum(X @ w.T, 0) @ v.T
    for shape in ((2,), (2, 1)):
        network = rt.as_network(write(path, columns[0], shape))
        assert network.input_dim == 2
        equal(network, expected)
    rows = [node("MatMul", "x A", "z"), node("Relu", "z", "r"), node("MatMul", "r B", "y")]
    write(path, rows, (2,), {"A": w.T.astype("f4"), "B": v.T.astype("f4")})
    equal(rt.as_network(path), expected)
    assert rt.as_network(write(path, [node("Relu", "x", "y")], (1,))).input_dim == 1
    turned = write(path, [node("Transpose", "x", "t"), node("Relu", "t", "y")], (2, 3))
    assert rt.as_network(turned).input_dim == 6  # three rows come out of two
    joined = write(path, [node("ReduceSum", "x i", "t"), node("Relu", "t", "y")], (2, 3),
                   {"i": ints(0)})  # fmt: skip
    points = np.random.default_rng(0).standard_normal((4, 6))
    summed = points.reshape(4, 2, 3).sum(1)
    equal(rt.as_network(joined), np.maximum(summed, 0), points)


@pytest.mark.parametrize("shape", [(64, 2), (12, 2), (2, 2)])
def test_a_fixed_first_axis_is_asked_for(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", mlp("x"), shape)
    n = shape[0]
    with pytest.raises(InputError, match=rf"input_shape=\(2,\) if .* input_shape=\({n}, 2\) if"):
        rt.as_network(path)
    equal(rt.as_network(path, (2,)), perceptron(X))
    whole = rt.as_network(path, shape)
    assert whole.input_dim == 2 * n
    points = np.random.default_rng(0).standard_normal((3, 2 * n))
    equal(whole, perceptron(points.reshape(-1, 2)).reshape(3, n), points)
    box = rt.Box(-1, 1, dim=2)
    assert rt.decompose(rt.as_network(path, (2,)), box).n_regions > 1


@pytest.mark.parametrize("target", [(64, -1), (-1, 2), (0, -1), (64, 2)])
def test_reshapes_to_a_fixed_batch(target: tuple[int, ...], tmp_path: Path) -> None:
    nodes = [node("Reshape", "x s"), *mlp()]
    path = write(tmp_path / "model.onnx", nodes, (64, 2, 1), {"s": ints(*target)})
    equal(rt.as_network(path, (2, 1)), perceptron(X))


def test_constants_beside_a_fixed_batch(tmp_path: Path) -> None:
    path, ones = tmp_path / "model.onnx", np.ones((8, 1), np.float32)
    nodes = [node("Concat", "x k", axis=1), *mlp()]
    equal(
        rt.as_network(write(path, nodes, (8, 1), {"k": ones}), (1,)),
        perceptron(np.c_[X[:, :1], np.ones(9)]),
        X[:, :1],
    )
    ones[3] = 2.0
    with pytest.raises(UnsupportedModuleError, match="different for each row of the batch"):
        rt.as_network(write(path, nodes, (8, 1), {"k": ones}), (1,))


def test_rows_that_see_each_other_are_no_batch(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for nodes in (
        [node("ReduceMean", "x", "m", axes=[0], keepdims=1), node("Sub", "x m"), *mlp()],
        [node("CumSum", "x i"), *mlp()],
    ):
        with pytest.raises(UnsupportedModuleError, match="rows of a batch are not kept apart"):
            rt.as_network(write(path, nodes, ("n", 2), {"i": np.int64(0)}))
        with pytest.raises(UnsupportedModuleError, match="rows of a batch are not kept apart"):
            rt.as_network(write(path, nodes, (4, 2), {"i": np.int64(0)}), (2,))
        assert rt.as_network(path, (4, 2)).input_dim == 8


def test_open_shapes_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for shape in (None, ("n",), ("n", "m")):
        write(path, mlp("x"), shape)
        with pytest.raises(InputError, match=r"`input_shape` is needed, since .* open"):
            rt.as_network(path)
        equal(rt.as_network(path, (2,)), perceptron(X))
    with pytest.raises(InputError, match=r"must fit to the shape \(\?, 2\)"):
        rt.as_network(write(path, mlp("x"), ("n", 2)), (2, 1, 3))
    single = write(path, [node("Reshape", "x s"), *mlp()], (1, 1, 2, 1), {"s": ints(1, 2)})
    equal(rt.as_network(single), perceptron(X))
    equal(rt.as_network(single, (2,)), perceptron(X))


# Several outputs, several inputs


def test_a_choice_of_output(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", mlp("x"), outputs=["y", "r"])
    with pytest.raises(InputError, match="has 2 outputs, 'y', 'r'; choose one by output='r'"):
        rt.as_network(path)
    hidden = np.maximum(X @ WEIGHTS["W"].T.astype(float) + WEIGHTS["b"], 0)
    equal(rt.as_network(path, output="y"), perceptron(X))
    equal(rt.as_network(path, output=0), perceptron(X))
    equal(rt.as_network(path, output="r"), hidden)
    equal(load_model(path, output=-1), hidden)
    assert rt.as_network(path, output="z").n_neurons == 0  # a value inside
    for wrong in ("w", 2, -3):
        with pytest.raises(InputError, match="`output` must be the name or the number"):
            rt.as_network(path, output=wrong)
    with pytest.raises(InputError, match="`output` must be left out for a tuple"):
        rt.as_network(([[[1.0]]], [[0.0]]), output="y")


def test_what_the_output_does_not_need_does_not_matter(tmp_path: Path) -> None:
    """A label, a value head with other inputs, and an operator of another library."""
    nodes = [
        *mlp("x"),
        node("ArgMax", "y", "label", axis=1),
        node("Sin", "extra", "other"),
        node("Own", "y", "own", domain="com.example"),
    ]
    path = write(
        tmp_path / "model.onnx", nodes, inputs={"x": ("n", 2), "extra": (3,)},
        outputs=["label", "y", "other", "own"], domains=["com.example"],
    )  # fmt: skip
    equal(rt.as_network(path, output="y"), perceptron(X))
    with pytest.raises(UnsupportedModuleError, match=r"operator Own .* which is not known"):
        rt.as_network(path, output="own")
    with pytest.raises(UnsupportedModuleError, match="argmax of one output is constant"):
        rt.as_network(path, output="label")


def test_inputs_that_are_fixed(tmp_path: Path) -> None:
    nodes = [node("Concat", "x t", axis=1), *mlp()]
    path = write(tmp_path / "model.onnx", nodes, inputs={"x": ("n", 1), "t": (1, 1)})
    with pytest.raises(InputError, match=r"one input, got 2: 'x' .*\(\?, 1\), 't'.*fixed="):
        rt.as_network(path)
    one = X[:, :1]
    for value in (0.5, [0.5], [[0.5]]):
        network = rt.as_network(path, (1,), fixed={"t": value})
        equal(network, perceptron(np.c_[one, np.full(9, 0.5)]), one)
        is_open = write(tmp_path / "open.onnx", nodes, inputs={"x": ("n", 1), "t": ("n", 1)})
        network = rt.as_network(is_open, (1,), fixed={"t": value})
        equal(network, perceptron(np.c_[one, np.full(9, 0.5)]), one)
    equal(rt.as_network(path, fixed={"x": [0.5]}), perceptron(np.c_[np.full(9, 0.5), one]), one)
    for wrong in ({"z": 1.0}, {"t": [1.0, 2.0]}, {"t": "a"}):
        with pytest.raises(InputError, match="`fixed` must"):
            rt.as_network(path, fixed=wrong)


# Links


@pytest.mark.parametrize(
    ("ends", "link"),
    [
        ([node("Sigmoid", "y", "p")], "sigmoid"),
        ([node("Tanh", "y", "p")], "tanh"),
        ([node("Sigmoid", "y", "s"), node("Squeeze", "s i", "p")], "sigmoid"),
        ([node("Sigmoid", "y", "s"), node("Cast", "s", "d", to=11), node("Flatten", "d", "p")],
         "sigmoid"),
        ([node("Sigmoid", "y", "s"), node("Log", "s", "p")], "sigmoid, log"),
        ([node("Sigmoid", "y", "s"), node("Sub", "o s", "t"), node("Concat", "t s", "p", axis=1)],
         "sigmoid, complement"),
    ],
)  # fmt: skip
def test_links_of_one_output(ends: list[Any], link: str, tmp_path: Path) -> None:
    path = write(
        tmp_path / "model.onnx", [*mlp("x"), *ends], constants={"i": ints(1), "o": np.float32(1)},
        outputs=["p"],
    )  # fmt: skip
    network = rt.as_network(path)
    assert network.link == link
    assert repr(network).endswith(f", link {link})")
    logits = perceptron(X)
    equal(network, logits)
    expected = {
        "sigmoid": 1 / (1 + np.exp(-logits)),
        "tanh": np.tanh(logits),
        "sigmoid, log": -np.log1p(np.exp(-logits)),
        "sigmoid, complement": np.c_[1 / (1 + np.exp(logits)), 1 / (1 + np.exp(-logits))],
    }[link]
    np.testing.assert_allclose(network.predict(X), expected, atol=1e-6)
    np.testing.assert_allclose(network.decision_values(X), logits[:, 0], atol=1e-6)


@pytest.mark.parametrize("opset", [11, 12, 13, 17])
@pytest.mark.parametrize(
    ("ends", "link"),
    [
        ([node("Softmax", "y", "p", axis=1)], "softmax"),
        ([node("LogSoftmax", "y", "p", axis=1)], "log_softmax"),
        ([node("Softmax", "y", "s", axis=-1), node("ArgMax", "s", "p", axis=1)], "softmax, argmax"),
        ([node("ArgMax", "y", "p", axis=1, keepdims=0)], "argmax"),
    ],
)
def test_links_of_several_outputs(ends: list[Any], link: str, opset: int, tmp_path: Path) -> None:
    weight = np.random.default_rng(2).standard_normal((3, 2)).astype(np.float32)
    nodes = [node("Relu", "x", "r"), node("Gemm", "r w", "y", transB=1), *ends]
    path = write(tmp_path / "m.onnx", nodes, constants={"w": weight}, outputs=["p"], opset=opset)
    network = rt.as_network(path)
    logits = np.maximum(X, 0) @ weight.T.astype(float)
    equal(network, logits)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = {
        "softmax": shares,
        "log_softmax": np.log(shares),
        "softmax, argmax": logits.argmax(1)[:, None],
        "argmax": logits.argmax(1)[:, None],
    }[link]
    assert network.link == link
    np.testing.assert_allclose(network.predict(X), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("ends", "link"),
    [
        ([node("HardSigmoid", "y", "p", alpha=1 / 6)], None),
        ([node("HardSigmoid", "y", "h", alpha=1 / 6), node("ArgMax", "h", "p", axis=1)], "argmax"),
        ([node("HardSigmoid", "y", "h", alpha=1 / 6), node("Softmax", "h", "p", axis=1)],
         "softmax"),
        ([node("HardSigmoid", "y", "h"), node("Sigmoid", "h", "p")], "sigmoid"),
    ],
)  # fmt: skip
def test_a_final_hard_sigmoid_is_made_of_kinks(
    ends: list[Any], link: str | None, tmp_path: Path
) -> None:
    weight = 3 * np.random.default_rng(2).standard_normal((3, 2)).astype(np.float32)
    nodes = [node("Gemm", "x w", "y", transB=1), *ends]
    network = rt.as_network(write(tmp_path / "m.onnx", nodes, constants={"w": weight},
                                  outputs=["p"]))  # fmt: skip
    assert network.link == link
    assert network.n_neurons == 6
    slope = 0.2 if link == "sigmoid" else np.float32(1 / 6)
    equal(network, np.clip(slope * (X @ weight.T.astype(float)) + 0.5, 0, 1))
    decision = rt.decompose(network, rt.Box(-9, 9, dim=2)).decision()
    assert decision.ties  # two outputs that are both 0, or both 1, on a region


@pytest.mark.parametrize("link", ["sigmoid", "tanh"])
@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_pairs_of_one_probability_are_links_only(link: str, n_outputs: int, tmp_path: Path) -> None:
    kind = link.capitalize()
    weight = np.random.default_rng(2).standard_normal((n_outputs, 2)).astype(np.float32)
    nodes = [node("Gemm", "x w", "y", transB=1), node(kind, "y", "s"), node("Sub", "o s", "t"),
             node("Concat", "t s", "p", axis=1)]  # fmt: skip
    path = write(
        tmp_path / "m.onnx", nodes, constants={"w": weight, "o": np.float32(1)}, outputs=["p"]
    )
    if (link, n_outputs) == ("sigmoid", 1):
        assert rt.as_network(path).link == "sigmoid, complement"
        return
    reason = "0.5" if n_outputs == 1 else f"{2 * n_outputs} outputs"
    with pytest.raises(UnsupportedModuleError, match=f"change decisions: .*{reason}.*output='y'"):
        rt.as_network(path)
    assert rt.as_network(path, output="y").n_outputs == n_outputs


@pytest.mark.parametrize(
    "ends",
    [
        [node("Softmax", "y", "p", axis=1)],
        [node("LogSoftmax", "y", "p", axis=1)],
        [node("ArgMax", "y", "p", axis=1)],
        [node("Sigmoid", "y", "s"), node("ArgMax", "s", "p", axis=1)],
        [node("Sigmoid", "y", "s"), node("Sigmoid", "s", "p")],
        [node("Tanh", "y", "s"), node("Log", "s", "p")],
    ],
)
def test_ends_of_one_output_that_change_its_sign(ends: list[Any], tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [*mlp("x"), *ends], outputs=["p"])
    with pytest.raises(UnsupportedModuleError, match="change decisions"):
        rt.as_network(path)


def test_links_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    inside = [node("Sigmoid", "x", "s"), *mlp("s")]
    with pytest.raises(UnsupportedModuleError, match=r"Sigmoid at 's' .*, which is not piecewise"):
        rt.as_network(write(path, inside))
    over_rows = [node("Reshape", "x s"), *mlp(), node("Reshape", "y s", "q"),
                 node("Softmax", "q", "p", axis=1)]  # fmt: skip
    write(path, over_rows, ("n", 4, 2), {"s": ints(-1, 2)}, outputs=["p"])
    with pytest.raises(UnsupportedModuleError, match="not taken over all of its"):
        rt.as_network(write(path, [node("Softmax", "x", "p", axis=2)], (1, 2, 2), outputs=["p"]))
    with pytest.raises(UnsupportedModuleError, match="operator Log "):
        rt.as_network(write(path, [node("Log", "x", "y")]))
    for kind in ("Gelu", "Elu", "Softplus", "Erf", "LayerNormalization", "Mish"):
        more = "x g" if kind == "LayerNormalization" else "x"
        nodes = [node(kind, more), *mlp()]
        write(path, nodes, constants={"g": np.ones(2, np.float32)}, opset=20)
        with pytest.raises(
            UnsupportedModuleError, match=f"{kind} .* which is not piecewise linear"
        ):
            rt.as_network(path)


def test_a_link_is_said_kept_and_passed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "said.onnx", [*mlp("x"), node("Sigmoid", "y", "p")], outputs=["p"])
    with caplog.at_level(logging.INFO, "relutopo"):
        network = rt.as_network(path)
    assert "before its link, sigmoid" in caplog.text
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2))
    save_network(tmp_path / "network.npz", complex_.network)
    again = load_network(tmp_path / "network.npz")
    assert again.link == complex_.network.link == "sigmoid"
    plain = rt.as_network(write(tmp_path / "plain.onnx", mlp("x")))
    assert rt.decompose(plain, rt.Box(-1, 1, dim=2)).n_regions == complex_.n_regions
    line = rt.AffineSlice.through(*X[:2])
    assert network.restricted(line.origin, line.basis).link == "sigmoid"
    rt.as_network(path, expected=(X, network.predict(X)))


# Form, and what the reference implementation does not know


def test_form_that_nothing_depends_on(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write(path, mlp("x")[::-1])  # out of order, and an output without a shape
    equal(rt.as_network(path), perceptron(X))
    model = onnx.load(path)
    model.ir_version, model.graph.name = 3, ""
    onnx.save(model, path)
    equal(rt.as_network(path), perceptron(X))
    model.graph.output[0].ClearField("type")
    onnx.save(model, path)
    equal(rt.as_network(path), perceptron(X))


def test_the_checker_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(InputError, match=r"no valid ONNX model .*NoSuch"):
        rt.as_network(write(path, [node("NoSuch", "x", "y")]))
    with pytest.raises(InputError, match=r"no valid ONNX model .*input 'z'"):
        rt.as_network(write(path, [node("Relu", "z", "y")]))
    with pytest.raises(InputError, match="operator set 6, the oldest that is read is 7"):
        rt.as_network(write(path, [node("Relu", "x", "y")], opset=6))


def test_branches_on_constants(tmp_path: Path) -> None:
    """As torch exports squeeze(1): a branch for each size of the axis."""
    from onnx import helper

    def branch(name: str, nodes: list[Any]) -> Any:
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, 1, None)])

    nodes = [
        node("Shape", "x", "s"), node("Gather", "s i", "n"), node("Equal", "n i", "e"),
        node("If", "e", "h", then_branch=branch("t", [node("Squeeze", "x i", "t")]),
             else_branch=branch("f", [node("Sigmoid", "x", "f")])),
        *mlp(),
    ]  # fmt: skip
    path = write(tmp_path / "model.onnx", nodes, ("n", 1, 2), {"i": ints(1)})
    equal(rt.as_network(path), perceptron(X))
    nodes[2:3] = [node("ReduceSum", "x", "m", keepdims=0), node("Greater", "m o", "e")]
    write(path, nodes, ("n", 1, 2), {"i": ints(1), "o": np.float32(0)})
    with pytest.raises(UnsupportedModuleError, match="whose condition depends on the input"):
        rt.as_network(path)


def test_functions_are_inlined(tmp_path: Path) -> None:
    from onnx import helper

    path = tmp_path / "model.onnx"
    write(path, [node("Twice", "x", domain="own"), *mlp()], domains=["own"])
    model = onnx.load(path)
    sets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]

    def function(name: str, kind: str, domain: str) -> Any:
        calls = [node(kind, "a a" if kind == "Add" else "a", "b", domain=domain)]
        calls += [node(kind, "a", "unused", domain=domain)] if kind != "Add" else []
        return helper.make_function("own", name, ["a"], ["b"], calls, sets)

    model.functions.append(function("Twice", "Add", ""))
    onnx.save(model, path)
    equal(rt.as_network(path), perceptron(2 * X))
    del model.functions[:]
    model.functions.append(function("F0", "Add", ""))
    model.functions.extend(function(f"F{i + 1}", f"F{i}", "own") for i in range(40))
    model.functions.append(function("Twice", "F40", "own"))
    onnx.save(model, path)
    with pytest.raises(UnsupportedModuleError, match="call each other too often"):
        rt.as_network(path)


@pytest.mark.parametrize("opset", [7, 8])
def test_onnxruntime_decides_where_the_reference_fails(
    opset: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "model.onnx", mlp("x"), opset=opset)

    def broken(model: Any, feeds: Any) -> Any:
        return np.zeros((1, 1))

    monkeypatch.setattr("relutopo.networks.onnx_files.run_reference", broken)
    with monkeypatch.context() as without:
        without.setitem(__import__("sys").modules, "onnxruntime", None)
        with pytest.raises(UnsupportedModuleError, match="install onnxruntime, which decides"):
            rt.as_network(path)
    pytest.importorskip("onnxruntime")
    equal(rt.as_network(path), perceptron(X))


@pytest.mark.parametrize("kind", [10, 11, 16])
def test_floats_of_every_kind(kind: int, tmp_path: Path) -> None:
    """Half, double and bfloat16: the weights are the numbers that they are."""
    path = write(tmp_path / "model.onnx", mlp("x"), kind=kind)
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).ravel().tolist()
        tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, kind, tensor.dims, values))
    onnx.save(model, path)
    np.testing.assert_allclose(rt.as_network(path)(X), perceptron(X), atol=0.1)


def test_inputs_of_whole_numbers_are_refused(tmp_path: Path) -> None:
    nodes = [node("Cast", "x", to=1), *mlp()]
    with pytest.raises(UnsupportedModuleError, match="must be of floats, got int64"):
        rt.as_network(write(tmp_path / "model.onnx", nodes, kind=7))
    jumps = [node("Cast", "x", "i", to=7), node("Cast", "i", to=1), *mlp()]
    with pytest.raises(UnsupportedModuleError, match="whole numbers or truth values"):
        rt.as_network(write(tmp_path / "model.onnx", jumps))
