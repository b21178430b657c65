"""A corpus of ways to write, save and export small networks: read, and equal to what made them.

Each way gives what is read, and what the library that made it computes. A network is compared
inside of each of its regions on a box, through its link. `SHARES` counts the ways by kind; the page
of networks shows the same table, which ``test_the_page_shows_the_shares`` compares.
"""

from __future__ import annotations

import copy
import itertools
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

import relutopo as rt
from relutopo.errors import InputError

os.environ.setdefault("KERAS_BACKEND", "torch")

Outputs = Callable[[NDArray[np.float64]], Any]
PAGE = Path(rt.__file__).parents[1] / "docs" / "networks.md"
BOX = rt.Box([-1.2, -0.9], [1.1, 1.3])
L = nn.Linear


@dataclass(frozen=True)
class Way:
    """How a network comes: what is read, with which options, and what it should compute."""

    model: Any
    outputs: Outputs
    options: Mapping[str, Any]
    tolerance: float = 1e-6


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


# Modules of torch


class Module(nn.Module):
    """Layers under some names, and a forward method."""

    def __init__(self, way: Callable[[Any, Any], Any], **parts: nn.Module) -> None:
        super().__init__()
        self.way = way
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Any:
        return self.way(self, x)


def trained_norm(size: int) -> nn.BatchNorm1d:
    norm = nn.BatchNorm1d(size)
    norm.running_mean, norm.running_var = torch.randn(size), torch.rand(size) + 0.5
    return norm


def _view_of_size(m: Any, x: Any) -> Any:
    return m.c(torch.relu(m.a(x.view(x.size(0), -1))))


def _shape_and_reshape(m: Any, x: Any) -> Any:
    h = m.a(x).reshape(x.shape[0], 4, 2)
    return m.c(F.relu(h).permute(0, 2, 1).reshape(x.shape[0], 8))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "perceptron": lambda: nn.Sequential(L(2, 8), nn.ReLU(), L(8, 1)),
    "deep": lambda: nn.Sequential(L(2, 6), nn.ReLU(), L(6, 6), nn.ReLU(), L(6, 3)),
    "no biases": lambda: nn.Sequential(L(2, 6, bias=False), nn.ReLU(), L(6, 1, bias=False)),
    "nested": lambda: nn.Sequential(
        nn.Sequential(L(2, 6), nn.ReLU()), nn.Sequential(L(6, 4), nn.ReLU()), L(4, 2)
    ),
    "leaky": lambda: nn.Sequential(L(2, 6), nn.LeakyReLU(0.1), L(6, 1)),
    "prelu": lambda: nn.Sequential(L(2, 6), nn.PReLU(6, 0.3), L(6, 1)),
    "relu6": lambda: nn.Sequential(L(2, 6), nn.ReLU6(), L(6, 1)),
    "hardtanh": lambda: nn.Sequential(L(2, 6), nn.Hardtanh(-0.5, 1.0), L(6, 1)),
    "norm first": lambda: nn.Sequential(trained_norm(2), L(2, 6), nn.ReLU(), L(6, 1)),
    "norm inside": lambda: nn.Sequential(L(2, 6), trained_norm(6), nn.ReLU(), L(6, 1)),
    "dropout": lambda: nn.Sequential(L(2, 6), nn.ReLU(), nn.Dropout(0.5), L(6, 1)),
    "sigmoid last": lambda: nn.Sequential(L(2, 6), nn.ReLU(), L(6, 1), nn.Sigmoid()),
    "softmax last": lambda: nn.Sequential(L(2, 6), nn.ReLU(), L(6, 3), nn.Softmax(dim=1)),
    "log softmax last": lambda: nn.Sequential(L(2, 6), nn.ReLU(), L(6, 3), nn.LogSoftmax(dim=-1)),
    "tanh last": lambda: nn.Sequential(L(2, 6), nn.ReLU(), L(6, 1), nn.Tanh()),
    "residual": lambda: Module(
        lambda m, x: m.c(torch.relu(m.b(torch.relu(m.a(x)))) + m.a(x)), a=L(2, 6), b=L(6, 6),
        c=L(6, 1),
    ),
    "skip by concatenation": lambda: Module(
        lambda m, x: m.c(torch.cat([torch.relu(m.a(x)), x], 1)), a=L(2, 6), c=L(8, 1)
    ),
    "view": lambda: Module(_view_of_size, a=L(2, 6), c=L(6, 1)),
    "reshape and permute": lambda: Module(_shape_and_reshape, a=L(2, 8), c=L(8, 1)),
    "squeeze": lambda: Module(
        lambda m, x: m.c(torch.relu(m.a(x))).squeeze(-1), a=L(2, 6), c=L(6, 1)
    ),
    "two branches": lambda: Module(
        lambda m, x: m.c(torch.maximum(m.a(x), m.b(x))), a=L(2, 6), b=L(2, 6), c=L(6, 1)
    ),
    "halves": lambda: Module(
        lambda m, x: m.c(torch.relu(torch.cat(m.a(x).chunk(2, 1)[::-1], 1))), a=L(2, 6), c=L(6, 1)
    ),
    "clamp": lambda: Module(lambda m, x: m.c(m.a(x).clamp(-0.4, 0.9)), a=L(2, 6), c=L(6, 1)),
    "normalised input": lambda: Module(
        lambda m, x: m.c(torch.relu(m.a((x - 0.3) / 0.7))), a=L(2, 6), c=L(6, 1)
    ),
    "convolution": lambda: Module(
        lambda m, x: m.c(torch.relu(m.k(m.a(x).unsqueeze(1))).flatten(1)), a=L(2, 6),
        k=nn.Conv1d(1, 2, 3, padding=1), c=L(12, 1),
    ),
    "pooling": lambda: Module(
        lambda m, x: m.c(F.max_pool1d(m.a(x).unsqueeze(1), 2).squeeze(1)), a=L(2, 8), c=L(4, 1)
    ),
    "average": lambda: Module(
        lambda m, x: torch.relu(m.a(x)).view(-1, 2, 3).mean(dim=2), a=L(2, 6)
    ),
    "flattened": lambda: nn.Sequential(nn.Flatten(), L(2, 5), nn.ReLU(), nn.Flatten(), L(5, 2)),
    "absolute value": lambda: Module(lambda m, x: m.c(m.a(x).abs()), a=L(2, 5), c=L(5, 1)),
    "where": lambda: Module(
        lambda m, x: m.c(torch.where(m.a(x) > 0, m.a(x), 0.2 * m.a(x))), a=L(2, 5), c=L(5, 1)
    ),
}  # fmt: skip
CHAINS = ("perceptron", "deep", "no biases", "nested")


def of_module(module: nn.Module) -> Callable[[NDArray[np.float64]], Any]:
    """What torch computes in double precision."""
    double = module.double().eval()

    def outputs(x: NDArray[np.float64]) -> Any:
        with torch.no_grad():
            return double(torch.tensor(x)).numpy()

    return outputs


def made(name: str) -> nn.Module:
    return MODULES[name]().eval()


def module_itself(name: str, folder: Path) -> Way:
    module = made(name)
    return Way(module, of_module(copy.deepcopy(module)), {}, 1e-9)


def whole_module_in_a_file(name: str, folder: Path) -> Way:
    module = made(name)
    path = folder / "model.pt"
    torch.save(module, path)
    return Way(rt.load_model(path, trust=True, input_shape=(2,)), of_module(module), {}, 1e-9)


def program(write: Callable[[nn.Module, Path], object], folder: Path) -> Way:
    """What holds code, and is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(made("perceptron"), folder / "model.pt2")
    return Way(folder / "model.pt2", lambda x: x, {})


PROGRAMS: dict[str, Callable[[nn.Module, Path], object]] = {
    "TorchScript": lambda module, path: torch.jit.save(torch.jit.script(module), path),
    "exported program": lambda module, path: torch.export.save(
        torch.export.export(module, (torch.ones(1, 2),)), path
    ),
    "whole module, without trust": torch.save,
}


# State dicts and files of them


class _WithOptions(NamedTuple):
    content: Any
    options: Mapping[str, Any]


def states(save: Callable[[Mapping[str, Tensor], Path], Any], name: str, folder: Path) -> Way:
    module = made(name)
    found = save(module.state_dict(), folder)
    content, options = found if isinstance(found, _WithOptions) else (found, {})
    return Way(content, of_module(module), options, 1e-9)


def renamed(change: Callable[[str], str]) -> Callable[[Mapping[str, Any], Path], Any]:
    return lambda state, folder: {change(name): value for name, value in state.items()}


def torch_file(
    wrap: Callable[[Any], Any] = lambda state: state, ending: str = "pt", **options: Any
) -> Callable[[Mapping[str, Any], Path], Any]:
    def save(state: Mapping[str, Any], folder: Path) -> Path:
        path = folder / f"model.{ending}"
        torch.save(wrap(state), path, **options)
        return path

    return save


def _npz(state: Mapping[str, Any], folder: Path) -> Path:
    arrays: dict[str, Any] = {name: value.numpy() for name, value in state.items()}
    np.savez(folder / "model.npz", **arrays)
    return folder / "model.npz"


def _safetensors(state: Mapping[str, Any], folder: Path) -> Path:
    library: Any = pytest.importorskip("safetensors.torch")
    library.save_file(dict(state), folder / "model.safetensors")
    return folder / "model.safetensors"


def _kernels(state: Mapping[str, Any], folder: Path, *, below: str = "params") -> Any:
    """As Flax keeps them: kernels are (in, out)."""
    names = sorted({name.rpartition(".")[0] for name in state})
    tree: dict[str, Any] = {}
    for i, name in enumerate(names):
        tree[f"Dense_{i}"] = {"kernel": state[f"{name}.weight"].numpy().T}
        if f"{name}.bias" in state:
            tree[f"Dense_{i}"]["bias"] = state[f"{name}.bias"].numpy()
    return {below: tree} if below else tree


def _pairs(state: Mapping[str, Any], folder: Path) -> Any:
    weights = [value.numpy() for name, value in state.items() if name.endswith("weight")]
    biases = [value.numpy() for name, value in state.items() if name.endswith("bias")]
    return weights, biases or [None] * len(weights)


STATES: dict[str, Callable[[Mapping[str, Any], Path], Any]] = {
    "state dict": lambda state, folder: dict(state),
    "sorted": lambda state, folder: dict(sorted(state.items())),
    "reversed": lambda state, folder: dict(reversed(list(state.items()))),
    "arrays": lambda state, folder: {k: v.numpy() for k, v in state.items()},
    "lists": lambda state, folder: {k: v.tolist() for k, v in state.items()},
    "module.": renamed(lambda name: f"module.{name}"),
    "_orig_mod.": renamed(lambda name: f"_orig_mod.{name}"),
    "both prefixes": renamed(lambda name: f"_orig_mod.module.{name}"),
    "model. of Lightning": renamed(lambda name: f"model.net.{name}"),
    "under state_dict": lambda state, folder: {"epoch": 3, "state_dict": state},
    "under a key of one's own": lambda state, folder: {"best": {"ema": state}, "loss": 0.5},
    "in a list": lambda state, folder: [state],
    "one of two": lambda state, folder: _WithOptions({"net": state, "ema": state}, {"key": "ema"}),
    "pt": torch_file(),
    "pth, old format": torch_file(ending="pth", _use_new_zipfile_serialization=False),
    "ckpt": torch_file(lambda state: {"state_dict": state, "global_step": 5}, "ckpt"),
    "bin": torch_file(lambda state: dict(sorted(state.items())), "bin"),
    "with an optimiser": torch_file(
        lambda state: {"model": state, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}
    ),
    "npz": _npz,
    "safetensors": _safetensors,
    "Flax": _kernels,
    "Flax, without params": partial(_kernels, below=""),
    "pytree, flattened": lambda state, folder: {
        f"params/{name}/{kind}": array
        for name, entry in _kernels(state, folder)["params"].items()
        for kind, array in entry.items()
    },
    "weights and biases": _pairs,
}

# ONNX


def exported(name: str, folder: Path, *, opset: int, is_open: bool, is_new: bool = False) -> Way:
    module = made(name)
    path = folder / "model.onnx"
    example = (torch.randn(3 if is_open else 1, 2),)
    options: dict[str, Any] = {"input_names": ["x"]}
    if is_new:
        batch = ({0: torch.export.Dim("batch")},) if is_open else None
        options |= {"dynamo": True, "dynamic_shapes": batch, "verbose": False}
    else:
        options |= {"dynamo": False, "dynamic_axes": {"x": {0: "batch"}} if is_open else None}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, example, path, opset_version=opset, **options)
    return Way(path, of_module(module), {}, 1e-5)


# scikit-learn


X = np.random.default_rng(0).uniform([-1.2, -0.9], [1.1, 1.3], (60, 2))
LABELS: dict[str, Any] = {
    "two classes": (X[:, 0] > 0).astype(int),
    "words": np.where(X[:, 0] > X[:, 1], "dog", "cat"),
    "three classes": np.digitize(X[:, 1], [-0.2, 0.6]),
    "two labels at once": np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int),
    "values": X[:, 0] * X[:, 1],
    "two values at once": np.stack([X[:, 0], X[:, 1] ** 2], axis=1),
}


def estimator(labels: str, hidden: Any, steps: tuple[str, ...], folder: Path) -> Way:
    from sklearn import decomposition, pipeline, preprocessing
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    is_values = "values" in labels
    kind = MLPRegressor if is_values else MLPClassifier
    model: Any = kind(hidden_layer_sizes=hidden, max_iter=20, random_state=0)
    before = {
        "standard": preprocessing.StandardScaler,
        "min-max": preprocessing.MinMaxScaler,
        "robust": preprocessing.RobustScaler,
        "largest": preprocessing.MaxAbsScaler,
        "components": lambda: decomposition.PCA(2),
        "white": lambda: decomposition.PCA(2, whiten=True),
    }
    if steps:
        model = pipeline.make_pipeline(*(before[step]() for step in steps), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge
        model.fit(X, LABELS[labels])

    def outputs(x: NDArray[np.float64]) -> Any:
        if is_values:
            return model.predict(x)
        found = model.predict_proba(x)
        return found[:, 1:] if labels in ("two classes", "words") else found

    return Way(model, outputs, {}, 1e-9)


# Keras


def keras_model(build: Callable[[Any], Any], folder: Path) -> Way:
    keras: Any = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = build(keras)

    def outputs(x: NDArray[np.float64]) -> Any:
        return keras.ops.convert_to_numpy(model(x.astype(np.float32), training=False))

    return Way(model, outputs, {}, 1e-4)


def stack(*parts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda keras: keras.Sequential(
        [keras.Input((2,)), *(part(keras.layers) for part in parts)]
    )


def dense(n: int, activation: str | None = None, **options: Any) -> Callable[[Any], Any]:
    return lambda layers: layers.Dense(n, activation=activation, **options)


def functional(join: Callable[[Any, Any, Any], Any]) -> Callable[[Any], Any]:
    def build(keras: Any) -> Any:
        x = keras.Input((2,))
        h = keras.layers.Dense(5, activation="relu")(x)
        return keras.Model(x, keras.layers.Dense(1)(join(keras.layers, x, h)))

    return build


KERAS: dict[str, Callable[[Any], Any]] = {
    "dense": stack(dense(6, "relu"), dense(1)),
    "deep": stack(dense(6, "relu"), dense(5, "relu"), dense(3)),
    "no bias": stack(dense(6, "relu", use_bias=False), dense(1)),
    "relu layer": stack(dense(6), lambda layers: layers.ReLU(), dense(1)),
    "activation layer": stack(dense(6), lambda layers: layers.Activation("relu"), dense(2)),
    "leaky": stack(dense(6), lambda layers: layers.LeakyReLU(0.2), dense(1)),
    "leaky activation": stack(dense(6, "leaky_relu"), dense(1)),
    "prelu": stack(dense(6), lambda layers: layers.PReLU(alpha_initializer="uniform"), dense(1)),
    "relu6": stack(dense(6, "relu6"), dense(1)),
    "norm": stack(dense(6), lambda layers: layers.BatchNormalization(), dense(1)),
    "dropout": stack(dense(6, "relu"), lambda layers: layers.Dropout(0.5), dense(1)),
    "sigmoid": stack(dense(6, "relu"), dense(1, "sigmoid")),
    "softmax": stack(dense(6, "relu"), dense(3, "softmax")),
    "softmax layer": stack(dense(6, "relu"), dense(3), lambda layers: layers.Softmax()),
    "tanh": stack(dense(6, "relu"), dense(1, "tanh")),
    "reshape": stack(dense(6, "relu"), lambda layers: layers.Reshape((3, 2)),
                     lambda layers: layers.Flatten(), dense(1)),
    "rescaling": stack(lambda layers: layers.Rescaling(0.5, 0.1), dense(6, "relu"), dense(1)),
    "convolution": stack(dense(6), lambda layers: layers.Reshape((6, 1)),
                         lambda layers: layers.Conv1D(2, 3, activation="relu"),
                         lambda layers: layers.Flatten(), dense(1)),
    "pooling": stack(dense(6), lambda layers: layers.Reshape((6, 1)),
                     lambda layers: layers.MaxPooling1D(2), lambda layers: layers.Flatten(),
                     dense(1)),
    "functional": functional(lambda layers, x, h: h),
    "concatenation": functional(lambda layers, x, h: layers.Concatenate()([x, h])),
    "sum": functional(lambda layers, x, h: layers.Add()([layers.Dense(5)(x), h])),
    "maximum": functional(lambda layers, x, h: layers.Maximum()([layers.Dense(5)(x), h])),
    "average": functional(lambda layers, x, h: layers.Average()([layers.Dense(5)(x), h])),
}  # fmt: skip

# The corpus

Make = Callable[[Path], Way]
_STATES: dict[str, Make] = {
    f"{name}: {chain}": partial(states, save, chain)
    for name, save in STATES.items()
    for chain in CHAINS
}
_STATES["with batch normalisation"] = partial(states, STATES["state dict"], "norm inside")
_ESTIMATORS: dict[str, Make] = {
    f"{labels}, {hidden}, {' '.join(steps)}": partial(estimator, labels, hidden, steps)
    for labels in LABELS
    for hidden, steps in itertools.product(((5,), (4, 3)), ((), ("standard",)))
}
_ESTIMATORS |= {
    " ".join(steps): partial(estimator, "two classes", (5,), steps)
    for steps in (("min-max",), ("robust",), ("largest",), ("components",), ("white",),
                  ("standard", "components"), ("min-max", "white"))
}  # fmt: skip
CORPUS: dict[str, dict[str, Make]] = {
    "torch modules": {name: partial(module_itself, name) for name in MODULES},
    "modules in files": {
        **{name: partial(whole_module_in_a_file, name) for name in (*CHAINS, "view", "leaky")},
        **{name: partial(program, write) for name, write in PROGRAMS.items()},
    },
    "state dicts, trees and files of them": _STATES,
    "ONNX, TorchScript exporter, sets 9 to 18": {
        f"{name}, set {9 + (i + 3 * k) % 10}, {'open' if k % 2 else 'one row'}": partial(
            exported, name, opset=9 + (i + 3 * k) % 10, is_open=bool(k % 2)
        )
        for i, name in enumerate(MODULES)
        for k in range(4)
    },
    "ONNX, dynamo exporter, set 18": {
        f"{name}, {'open' if i % 2 else 'one row'}": partial(
            exported, name, opset=18, is_open=bool(i % 2), is_new=True
        )
        for i, name in enumerate([*MODULES][::2])
    },
    "scikit-learn": _ESTIMATORS,
    "Keras": {name: partial(keras_model, build) for name, build in KERAS.items()},
}  # fmt: skip
REFUSED: dict[tuple[str, str], str] = {
    ("modules in files", "TorchScript"): "it is a program of TorchScript or torch.export; write it",
    ("modules in files", "exported program"): "it is a program of TorchScript or torch.export",
    ("modules in files", "whole module, without trust"): "anything else runs code from the file",
    ("state dicts, trees and files of them", "with batch normalisation"): "pass the module instead",
}
"""Ways that are not read, and the reason that the error gives."""
NEEDED = {
    "ONNX, TorchScript exporter, sets 9 to 18": "onnx",
    "ONNX, dynamo exporter, set 18": "onnxscript",
    "scikit-learn": "sklearn",
    "Keras": "keras",
}
SHARES = {
    kind: (len(ways), sum(key[0] == kind for key in REFUSED)) for kind, ways in CORPUS.items()
}
"""By kind: how many ways there are, and how many of them are refused."""
SLOW = {"ONNX, dynamo exporter, set 18"}
ALL = [
    pytest.param(kind, name, id=f"{kind}: {name}", marks=[pytest.mark.slow] * (kind in SLOW))
    for kind, ways in CORPUS.items()
    for name in ways
]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_way_is_read_and_equal_inside_of_regions(kind: str, name: str, tmp_path: Path) -> None:
    if kind in NEEDED:
        pytest.importorskip(NEEDED[kind])
    way = CORPUS[kind][name](tmp_path)
    if (kind, name) in REFUSED:
        with pytest.raises(InputError, match=REFUSED[kind, name]):
            rt.as_network(way.model, **way.options)
        return
    network = rt.as_network(way.model, **way.options)
    complex_ = rt.decompose(network, BOX)
    corners = complex_.cell_vertices(2)
    points = np.array([complex_.vertices[row.indices].mean(axis=0) for row in corners])
    expected = np.asarray(way.outputs(points), dtype=float).reshape(len(points), -1)
    np.testing.assert_allclose(
        network.predict(points), expected, rtol=way.tolerance, atol=way.tolerance
    )
    maps, offsets = complex_.output_maps()
    affine = np.einsum("rod,rd->ro", maps, points) + offsets
    np.testing.assert_allclose(affine, network(points), rtol=1e-9, atol=1e-9)


def test_the_corpus_is_large_and_little_of_it_refused() -> None:
    total, refused = (sum(share[i] for share in SHARES.values()) for i in (0, 1))
    assert total >= 150
    assert refused <= 0.05 * total
    for kind, name in REFUSED:
        assert name in CORPUS[kind]


def test_the_page_shows_the_shares() -> None:
    rows = re.findall(r"^\| (.*?) \| (\d+) \| (\d+) \|$", PAGE.read_text(), re.MULTILINE)
    total = tuple(sum(share[i] for share in SHARES.values()) for i in (0, 1))
    expected = {**SHARES, "together": total}
    assert {kind: (int(n), int(refused)) for kind, n, refused in rows} == expected
    assert set(NEEDED) <= set(CORPUS)
