"""Where large numbers cancel, models and networks differ by what these are rounded by, and no more.

All of these networks add up numbers of 1e17 or more, and give some of 1 or so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from onnx_graphs import node, write
from relutopo import as_network
from relutopo.errors import FloatRangeError, InputError, UnsupportedModuleError
from relutopo.gallery import random_network
from relutopo.networks.roundoff import roundoff

SHARES = np.linspace(0.3, 1.7, 8)


def cancelling(seed: int, slope: float = 1e8, bias: float = 1000.0) -> nn.Sequential:
    """Return a network whose last layers add up multiples of one large number to nothing."""
    torch.manual_seed(seed)
    first, second, third, last = (nn.Linear(n, m) for n, m in ((2, 8), (8, 8), (8, 8), (8, 1)))
    shares = torch.tensor(SHARES, dtype=torch.float32)
    with torch.no_grad():
        first.bias.fill_(-bias)
        second.bias.fill_(-bias)
        third.weight.copy_(shares[:, None] * third.weight[:1])
        third.bias.zero_()
        chosen = torch.randn(8)
        last.weight.copy_((chosen - (chosen @ shares) / (shares @ shares) * shares)[None])
        last.bias.fill_(1.0)
    kinks = nn.PReLU(init=slope), nn.PReLU(init=slope)
    return nn.Sequential(first, kinks[0], second, kinks[1], third, last).double()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bias", [1.0, 1000.0])
def test_steep_kinks_are_read(seed: int, bias: float) -> None:
    model = cancelling(seed, bias=bias)
    before = [parameter.clone() for parameter in model.parameters()]
    network = as_network(model)
    assert network.layer_sizes == (8, 8)
    assert all(torch.equal(x, y) for x, y in zip(before, model.parameters(), strict=True))


class Wrapped(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.inner, self.what = cancelling(0), what
        self.generator, self.calls = np.random.default_rng(0), 0

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner[:4](x)
        if self.what == "draws":
            y = y * float(self.generator.uniform(0.5, 1.5))
        if self.what == "counts":
            self.calls += 1
            y = y * (1.0 + 1e-6 * self.calls)
        return self.inner[4:](y) + 1e-8 * y.sum(1, keepdim=True)  # type: ignore[no-any-return]


@pytest.mark.parametrize("what", ["draws", "counts"])
def test_what_is_drawn_or_changes_is_no_rounding(what: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=r"differs from it by .* draw random numbers"):
        as_network(Wrapped(what), (2,))


def test_plain_differences_are_no_rounding() -> None:
    network = random_network([2, 8, 8, 1], seed=0)
    points = np.random.default_rng(0).standard_normal((20, 2))
    assert roundoff(network, points) < 1e-12
    with pytest.raises(InputError, match="`expected` outputs differ"):
        as_network(network, expected=(points, network(points) + 1e-3))


def nearly(seed: int) -> tuple[list[Any], list[Any]]:
    """Return weights and biases, multiples of single numbers, of outputs that cancel."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((1, 2)).astype(np.float32)
    chosen = rng.standard_normal(8)
    last = (chosen - (chosen @ SHARES) / (SHARES @ SHARES) * SHARES)[None].astype(np.float32)
    weights = [(1e8 * SHARES[:, None] * first).astype(np.float32), last]
    biases = [(1e11 * SHARES).astype(np.float32), np.ones(1, dtype=np.float32)]
    return weights, biases


def test_outputs_in_single_precision_are_compared_with_what_was_added_up() -> None:
    weights, biases = nearly(0)
    points = np.random.default_rng(1).standard_normal((20, 2)).astype(np.float32)
    hidden = np.maximum(points @ weights[0].T + biases[0], 0)
    outputs = hidden @ weights[1].T + biases[1]
    network = as_network((weights, biases), expected=(points, outputs))
    off = np.abs(network(points) - outputs).max()
    assert 1e-4 * np.abs(outputs).max() < off < roundoff(network, points.astype(float), 2.0**-24)
    with pytest.raises(InputError, match="`expected` outputs differ"):
        as_network((weights, biases), expected=(points, outputs + 1e9))


@pytest.mark.parametrize("seed", range(3))
def test_steep_kinks_of_onnx_are_read(seed: int, tmp_path: Path) -> None:
    weights, biases = nearly(seed)
    arrays = {"a": weights[0], "b": -biases[0], "s": np.full(1, 1e8), "c": weights[1]}
    held = [
        numpy_helper.from_array(np.asarray(x, dtype=np.float32), name) for name, x in arrays.items()
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "a", "b"], ["z"], transB=1),
        helper.make_node("PRelu", ["z", "s"], ["h"]),
        helper.make_node("Gemm", ["h", "c"], ["y"], transB=1),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
        for name, size in (("x", 2), ("y", 1))
    ]
    graph = helper.make_graph(nodes, "steep", ends[:1], ends[1:], held)
    path = tmp_path / "steep.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    assert as_network(path).layer_sizes == (8,)


def huge(layers: int, factor: float, *more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    first, last = nn.Linear(2, 6).double(), nn.Linear(6, 1).double()
    with torch.no_grad():
        for layer in (first, last)[:layers]:
            layer.weight.mul_(factor)
    return nn.Sequential(first, nn.ReLU(), last, *more)


@pytest.mark.filterwarnings("error")
def test_finite_weights_beyond_the_range_of_floats_are_named(tmp_path: Path) -> None:
    assert as_network(huge(1, 1e200)).n_neurons == 6
    reason = r"within the range of floats, .* (training diverge|scale its layers down)"
    for more in ((), (nn.LeakyReLU(), nn.Sigmoid())):
        with pytest.raises(InputError, match=reason):
            as_network(huge(2, 1e200, *more))
    weights, biases = [np.full((6, 2), 1e200), np.full((1, 6), -1e200)], [np.ones(6), np.ones(1)]
    with pytest.raises(FloatRangeError, match=reason):
        as_network((weights, biases), expected=(np.ones((1, 2)), [[1.0]]))
    names = dict(zip("acbd", [*weights, *biases], strict=True))
    nodes = [
        node("Gemm", "x a b", "z", transB=1),
        node("Relu", "z", "r"),
        node("Gemm", "r c d", "y", transB=1),
    ]
    path = write(tmp_path / "huge.onnx", nodes, constants=names, kind=TensorProto.DOUBLE)
    with pytest.raises(InputError, match=reason):
        as_network(path)


ENDS = {
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(-1.0, 4.0),
    "softshrink": nn.Softshrink(4.0),
}


@pytest.mark.parametrize("end", list(ENDS))
def test_networks_that_lose_what_the_module_keeps_are_refused(end: str) -> None:
    torch.manual_seed(0)
    first, last = nn.Linear(2, 3, bias=False).double(), nn.Linear(3, 1).double()
    start = first.weight.detach().clone()
    for scale in (1.0, 1e9, 1e18):
        with torch.no_grad():
            first.weight.copy_(scale * start)
        module = nn.Sequential(first, ENDS[end], last)
        if scale < 1e10 or end == "softshrink":
            assert as_network(module).n_neurons == 6
            continue
        with pytest.raises(UnsupportedModuleError, match=r"lost where they cancel.*scale its"):
            as_network(module)
