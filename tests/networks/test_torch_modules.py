"""Torch modules as graphs: equal to their own forward pass, bounded, exact, and decomposed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune

from relutopo import (
    AffineSlice,
    Box,
    GraphNetwork,
    Network,
    ReluNetwork,
    as_network,
    decompose,
)
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.gallery import random_network
from relutopo.networks.graph import Affine, Kink
from relutopo.networks.perceptron import relu_nodes
from relutopo.networks.torch_functions import OPERATIONS
from relutopo.networks.torch_modules import perceptron_of
from relutopo.testing import assert_same_complex


class Apply(nn.Module):
    """A module whose forward pass is a function of the input and of other modules."""

    def __init__(self, function: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.layers)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        out += x
        return torch.relu(out)


class Shifted(nn.Module):
    """Parameters and buffers used directly."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(1, 3))
        self.register_buffer("matrix", torch.randn(3, 4))

    def forward(self, x: Tensor, scale: float = 0.3) -> Tensor:
        hidden = (x * scale + self.shift.view(1, -1)).relu_()
        return hidden @ self.get_buffer("matrix") - 2


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give every parameter and running statistic a random value."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if not tensor.is_floating_point():
            continue
        values = torch.randn(tensor.shape, generator=generator) * 0.7
        tensor.data.copy_(values.abs() + 0.1 if name.endswith("running_var") else values)
    return module


def written_through_views(x: Tensor, f: nn.Module) -> Tensor:
    h = f(x)
    left, right = h[:, :2], h.view(-1, 3, 1).transpose(1, 2)
    left.relu_()
    right *= 2
    h[:, 2] = x[:, 0]
    h[:, 1:2] -= left[:, :1]
    y = h.reshape(-1)  # a view, too
    y += 1
    return torch.cat([h, left.clone().zero_(), left], 1)


def written_into_new_memory(x: Tensor, f: nn.Module) -> Tensor:
    out = torch.zeros(x.shape[0], 4, dtype=x.dtype)
    out[:, 1:3] = f(x).relu()
    out[:, 3] = 1.5
    out += torch.ones(4).to(out)
    out[:, :2] *= -1
    return out


MODULES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "leaky": (nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 2)), (3,)),
    "one slope for all": (nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2)), (3,)),
    "a slope for each": (nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), nn.Linear(4, 2)), (3,)),
    "channel slopes": (nn.Sequential(nn.Conv2d(1, 3, 2), nn.PReLU(3)), (1, 4, 4)),
    "relu6": (nn.Sequential(nn.Linear(3, 4), nn.ReLU6(), nn.Linear(4, 2)), (3,)),
    "hardtanh": (nn.Sequential(nn.Linear(3, 4), nn.Hardtanh(-0.5, 2), nn.Linear(4, 2)), (3,)),
    "hardtanh to infinity": (
        nn.Sequential(
            nn.Linear(3, 4),
            nn.Hardtanh(0, float("inf")),
            nn.Linear(4, 2),
            nn.Hardtanh(-float("inf"), 1),
        ),
        (3,),
    ),
    "two linear in turn": (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.ReLU()), (3,)),
    "weight norm": (
        nn.Sequential(
            nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), nn.ReLU(), nn.Linear(4, 2)
        ),
        (3,),
    ),
    "relu first": (nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), (3,)),
    "batch norm": (
        nn.Sequential(
            nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 2)
        ),
        (3,),
    ),
    "batch norm without parameters": (
        nn.Sequential(nn.Conv1d(2, 4, 2), nn.BatchNorm1d(4, affine=False), nn.ReLU()),
        (2, 5),
    ),
    "strided, dilated, grouped": (
        nn.Sequential(
            nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)),
            nn.ReLU(),
            nn.Conv2d(4, 6, 2, dilation=2, groups=2),
            nn.ReLU(),
            nn.Flatten(),
        ),
        (2, 7, 6),
    ),
    "padded the same": (
        nn.Sequential(nn.Conv2d(1, 2, 4, padding="same", dilation=2), nn.ReLU()),
        (1, 6, 7),
    ),
    "padded around": (
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=(1, 2), padding_mode="circular"), nn.ReLU()),
        (1, 5, 6),
    ),
    "padded by reflection": (
        nn.Sequential(nn.ReflectionPad1d((1, 2)), nn.Conv1d(2, 2, 3), nn.ReLU()),
        (2, 6),
    ),
    "in one dimension": (
        nn.Sequential(
            nn.Conv1d(2, 4, 3, padding=2, stride=2, dilation=2),
            nn.ReLU(),
            nn.MaxPool1d(3, 2, padding=1, ceil_mode=True),
            nn.AvgPool1d(2, padding=1),
            nn.AdaptiveMaxPool1d(2),
        ),
        (2, 12),
    ),
    "max-pooling, overlapping": (
        nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Flatten(), nn.Linear(25, 2)),
        (1, 5, 5),
    ),
    "max-pooling, dilated": (nn.MaxPool2d((2, 3), dilation=(2, 1)), (2, 6, 7)),
    "average pooling": (
        nn.Sequential(nn.AvgPool2d(3, 2, 1, count_include_pad=False), nn.AvgPool2d(2, 1, 1)),
        (2, 5, 6),
    ),
    "adaptive pooling": (
        nn.Sequential(nn.AdaptiveAvgPool2d((3, None)), nn.AdaptiveMaxPool2d(2)),
        (2, 5, 4),
    ),
    "residual": (
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(), Residual(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (1, 6, 6),
    ),
    "parameters": (Shifted(), (3,)),
    "absolute values": (
        Apply(lambda x, f, g: f(x).abs() - 3 * torch.abs(g(x)) / 4, *(nn.Linear(3, 4),) * 2),
        (3,),
    ),
    "concatenation": (
        Apply(
            lambda x, f: torch.cat([f(x).relu(), torch.flatten(x, 1), -x], dim=1)[:, 1:],
            nn.Linear(3, 4),
        ),
        (3,),
    ),
    "stack": (
        Apply(
            lambda x, f: torch.stack([F.leaky_relu(f(x), 0.1), x], dim=2).amax(dim=-1),
            nn.Linear(3, 3),
        ),
        (3,),
    ),
    "maxima and minima": (
        Apply(lambda x, f: torch.maximum(f(x), -x) + torch.min(x, 2 * f(x)), nn.Linear(3, 3)),
        (3,),
    ),
    "clamps": (
        Apply(
            lambda x, f: f(x).clamp(min=-0.1) + f(x).clamp(max=0.5) + F.hardtanh(x, -0.2, 0.3),
            nn.Linear(3, 3),
        ),
        (3,),
    ),
    "halves": (
        Apply(lambda x, f: f(x).chunk(2, dim=1)[0].relu() + f(x).split(2, 1)[1], nn.Linear(3, 4)),
        (3,),
    ),
    "moves": (
        Apply(
            lambda x, f: f(F.relu(x.permute(0, 2, 3, 1)).reshape(x.shape[0], x.size(2), -1)),
            nn.Linear(8, 2),
        ),
        (2, 3, 4),
    ),
    "functions": (
        Apply(
            lambda x, f: (
                F.max_pool2d(
                    F.avg_pool2d(F.pad(F.dropout(f(x), 0.5, training=False), (1, 0, 0, 1)), 2, 1), 2
                )
                .relu()
                .mean(dim=(2, 3), keepdim=True)
                .sum(1)
            ),
            nn.Conv2d(1, 3, 3),
        ),
        (1, 7, 7),
    ),
    "in place": (
        Apply(
            lambda x, f: F.relu(x, inplace=True) + x + f(x).abs_().mul_(2).sub_(x), nn.Linear(3, 3)
        ),
        (3,),
    ),
    "in place through views": (Apply(written_through_views, nn.Linear(3, 3)), (3,)),
    "into new memory": (Apply(written_into_new_memory, nn.Linear(3, 2)), (3,)),
    "shared": (
        Apply(lambda x, f: f(F.relu(f(F.relu(f(x))))) * torch.tensor([1.0, -2.0]), nn.Linear(2, 2)),
        (2,),
    ),
    "a single leaf": (nn.Conv2d(1, 2, 2), (1, 3, 3)),
    "one number": (nn.ReLU(), (1,)),
    "linear on each row": (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1)), (5, 4)),
    "a function on each row": (
        Apply(lambda x, f, g: g(F.relu(f(x))), nn.Linear(4, 3), nn.Linear(3, 1)),
        (5, 4),
    ),
    "rows flattened": (
        nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(15, 1)),
        (5, 4),
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules_equal_their_forward_pass(name: str) -> None:
    module, shape = MODULES[name]
    randomised(module)
    network = as_network(module, shape)
    assert isinstance(network, GraphNetwork)
    x = 2 * np.random.default_rng(0).standard_normal((30, *shape))
    with torch.no_grad():
        expected = module.double().eval()(torch.tensor(x)).numpy().reshape(30, -1)
    module.float()
    np.testing.assert_allclose(network(x.reshape(30, -1)), expected, rtol=1e-12, atol=1e-12)
    assert network.n_outputs == expected.shape[1]


def fraction_forward(network: GraphNetwork, point: list[Fraction]) -> list[list[Fraction]]:
    """Slow reference: every layer's pre-activations in rational arithmetic, the output last."""
    values, depths = [point], [0]
    layers: list[list[Fraction]] = [[] for _ in network.layer_sizes]
    for node in network.nodes:
        if isinstance(node, Affine):
            value = [Fraction(b) for b in node.bias.tolist()]
            for source, matrix in zip(node.sources, node.matrices, strict=True):
                dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
                for i, row in enumerate(dense.tolist()):
                    for j, entry in enumerate(row):
                        value[i] += Fraction(entry) * values[source][j]
            depths.append(max(depths[source] for source in node.sources))
        else:
            z = values[node.source]
            slopes = zip(z, node.slope_on.tolist(), node.slope_off.tolist(), strict=True)
            value = [Fraction(on if v > 0 else off) * v for v, on, off in slopes]
            layers[depths[node.source]] += z
            depths.append(depths[node.source] + 1)
        values.append(value)
    return [*layers, values[-1]]


SMALL = ["leaky", "a slope for each", "hardtanh", "batch norm", "absolute values"]
SMALL += ["concatenation", "stack", "maxima and minima", "shared", "max-pooling, overlapping"]


@pytest.mark.parametrize("name", SMALL)
def test_bounds_and_signs_hold(name: str) -> None:
    module, shape = MODULES[name]
    network = as_network(randomised(module), shape)
    assert isinstance(network, GraphNetwork)
    # Half of the points have coordinates at which small integer weights would cancel.
    rng = np.random.default_rng(0)
    points = rng.uniform(-3, 3, (4, network.input_dim))
    points[:2] = np.round(points[:2])
    values, bounds = network.preactivation_bounds(points)
    signs = network.signs(points)
    for i, point in enumerate(points.tolist()):
        *hidden, _ = fraction_forward(network, [Fraction(c) for c in point])
        for j, z in enumerate(v for layer in hidden for v in layer):
            assert abs(Fraction(values[i, j]) - z) <= Fraction(bounds[i, j])
            assert signs[i, j] == (z > 0) - (z < 0)


@pytest.mark.parametrize("name", SMALL)
def test_affine_maps_are_the_network_on_its_region(name: str) -> None:
    module, shape = MODULES[name]
    network = as_network(randomised(module), shape)
    assert isinstance(network, GraphNetwork)
    point = np.random.default_rng(1).uniform(-3, 3, (1, network.input_dim))
    pattern = network.signs(point) > 0
    exact_x = [Fraction(c) for c in point[0].tolist()]
    n_layers = len(network.layer_sizes) + 1
    exact = network.exact_maps(pattern[0], n_layers)
    reference = fraction_forward(network, exact_x)
    for layer in range(n_layers):
        maps = network.affine_maps(layer, pattern, np.full(network.input_dim, 3.0))
        scales = set()
        for j, value in enumerate(reference[layer]):
            *a, c = (Fraction(v) for v in maps.planes[0, :, j].tolist())
            computed = sum((p * q for p, q in zip(a, exact_x, strict=True)), c)
            assert abs(computed - value) <= Fraction(maps.errors[0, j])
            *a_int, c_int = exact[layer][j]
            integer = sum((p * q for p, q in zip(a_int, exact_x, strict=True)), Fraction(c_int))
            if value:  # one positive factor for the whole layer
                scales.add(integer / value)
            else:
                assert integer == 0
        assert len(scales) == 1
        assert scales.pop() > 0
        some = [len(exact[layer]) - 1, 0]
        np.testing.assert_array_equal(
            network.exact_planes(pattern[0], exact[:layer], some), exact[layer][some]
        )


PLANE_MODULES: dict[str, Callable[[], nn.Module]] = {
    "leaky": lambda: nn.Sequential(
        nn.Linear(2, 4), nn.LeakyReLU(0.25), nn.Linear(4, 3), nn.LeakyReLU(), nn.Linear(3, 1)
    ),
    "prelu": lambda: nn.Sequential(
        nn.Linear(2, 4), nn.PReLU(4), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1)
    ),
    "hardtanh": lambda: nn.Sequential(
        nn.Linear(2, 3), nn.Hardtanh(), nn.Linear(3, 3), nn.ReLU6(), nn.Linear(3, 1)
    ),
    "abs": lambda: Apply(lambda x, f, g: g(f(x).abs()).abs(), nn.Linear(2, 3), nn.Linear(3, 3)),
    "residual": lambda: Apply(
        lambda x, f, g, h: h(F.relu(g(F.relu(f(x)))) + f(x)).relu(),
        nn.Linear(2, 3),
        nn.Linear(3, 3),
        nn.Linear(3, 2),
    ),
    "concatenation": lambda: Apply(
        lambda x, f, g: F.relu(g(torch.cat([x, F.relu(f(x))], 1))),
        nn.Linear(2, 3),
        nn.Linear(5, 3),
    ),
    "batch norm": lambda: nn.Sequential(
        nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU()
    ),
    "maxout": lambda: Apply(
        lambda x, f, g: g(F.max_pool1d(f(x).unsqueeze(1), 3, 2)).relu(),
        nn.Linear(2, 7),
        nn.Linear(3, 2),
    ),
}


@pytest.mark.parametrize("kind", PLANE_MODULES)
@pytest.mark.parametrize("integer", [False, True])
def test_cpu_equals_exact(kind: str, integer: bool) -> None:
    for seed in range(3):
        module = randomised(PLANE_MODULES[kind](), seed)
        if integer:  # coincidences everywhere
            for parameter in module.parameters():
                parameter.data.round_()
        box = Box(-2, 2, dim=2)
        fast, exact = (decompose(module, box, enumerator=name) for name in ("cpu", "exact"))
        assert fast.record.status == "certified"
        fast.check()
        assert_same_complex(fast, exact)


@pytest.mark.slow
def test_a_graph_of_a_perceptron_is_the_perceptron() -> None:
    for seed in range(3):
        network = random_network([2, 5, 4, 3, 1], seed, "integer")
        graph = GraphNetwork(2, relu_nodes(network))
        box = Box(-2, 2, dim=2)
        assert_same_complex(decompose(graph, box), decompose(network, box), tolerance=0.0)


@pytest.mark.parametrize(
    "wrap", [torch.compile, nn.DataParallel, lambda module: torch.compile(nn.DataParallel(module))]
)
def test_a_module_that_is_compiled_or_parallel_is_the_module(wrap: Any) -> None:
    layers = nn.Linear(2, 3), nn.Linear(3, 1)
    module = nn.Sequential(layers[0], nn.ReLU(), layers[1])
    for network in (as_network(wrap(module)), perceptron_of(wrap(module))):
        assert isinstance(network, ReluNetwork)
        for found, layer in zip(network.weights, layers, strict=True):
            np.testing.assert_array_equal(found, layer.weight.detach().numpy())


@pytest.mark.parametrize("wrap", [torch.compile, nn.DataParallel])
def test_parts_that_are_compiled_or_parallel_are_read(wrap: Any) -> None:
    for act in (nn.ReLU(), nn.LeakyReLU()):
        first, last = nn.Linear(2, 3), nn.Linear(3, 1)
        module = nn.Sequential(
            wrap(nn.Sequential(first, act)), Apply(lambda x, f: f(x), wrap(last))
        )
        points = np.random.default_rng(0).standard_normal((5, 2))
        found, expected = as_network(module), as_network(nn.Sequential(first, act, last))
        assert type(found) is type(expected)
        np.testing.assert_array_equal(found(points), expected(points))
        assert not isinstance(module[0], nn.Sequential)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_what_torch_jit_compiled_is_refused() -> None:
    layers = nn.Linear(2, 3), nn.Linear(3, 1)
    scripted = torch.jit.script(layers[0])
    with pytest.raises(
        UnsupportedModuleError, match=r"'Sequential\.0', .* torch\.jit; pass the mod"
    ):
        as_network(nn.Sequential(scripted, layers[1]))
    with pytest.raises(
        UnsupportedModuleError, match=r"RecursiveScriptModule at .* pass the module"
    ):
        as_network(scripted)


def test_hooks_that_change_nothing_are_fine() -> None:
    seen: list[Tensor] = []
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    module[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    assert isinstance(as_network(module), ReluNetwork)


def test_convolution_with_max_pooling_on_a_slice() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2, 1),
    )
    for seed in range(2):
        randomised(module, seed)
        images = np.random.default_rng(seed).standard_normal((3, 1, 4, 4))
        plane = AffineSlice.through(*images)
        fast, exact = (decompose(module, plane, enumerator=name) for name in ("cpu", "exact"))
        fast.check()
        assert_same_complex(fast, exact)
        assert fast.n_regions > 4


def test_a_neuron_that_vanishes_on_a_region_is_known_to() -> None:
    # The bound is zero where every product is, however deep, so nothing is left to decide.
    dead = np.array([-1.0, -1.0])
    nodes: list[Affine | Kink] = [Affine((0,), (np.zeros((2, 2)),), dead)]
    for number in range(1, 9, 2):
        nodes.append(Kink(number, np.ones(2), np.zeros(2)))
        nodes.append(Affine((number + 1,), (np.full((2, 2), 1e-30),), np.zeros(2)))
    network = GraphNetwork(2, nodes)
    maps = network.affine_maps(4, np.zeros((1, 8), dtype=bool), np.ones(2))
    assert not maps.planes.any()
    assert not maps.errors.any()


def test_underflow_is_covered() -> None:
    # Eight layers of 1e-50: the floats vanish, the exact values do not.
    nodes: list[Affine | Kink] = []
    for number in range(0, 16, 2):
        nodes.append(Affine((number,), (np.array([[1e-50]]),), np.zeros(1)))
        nodes.append(Kink(number + 1, np.ones(1), np.full(1, 0.1)))
    network = GraphNetwork(1, nodes)
    assert network.signs([[-1.0], [1.0]]).tolist() == [[-1] * 8, [1] * 8]
    maps = network.affine_maps(7, np.ones((1, 8), dtype=bool), np.ones(1))
    assert maps.planes[0, 0, 0] == 0
    assert maps.errors[0, 0] > 0


def test_training_mode_is_left_alone_and_not_used() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(0.9))
    randomised(module).train()
    network = as_network(module)
    assert module.training
    assert module[0].weight.dtype == torch.float32
    x = np.random.default_rng(0).standard_normal((5, 2))
    expected = module.eval().double()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(network(x), expected, atol=1e-14)


def hooked(module: nn.Module) -> nn.Module:
    module.register_forward_hook(lambda module, inputs, output: 2 * output)
    return module


COUNTER = itertools.count()
UNSUPPORTED = [
    (
        nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)),
        None,
        r"Tanh at 'Sequential\.1', which is not",
    ),
    (
        nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.GELU())),
        None,
        r"GELU at 'Sequential\.1\.0'",
    ),
    (Apply(lambda x: x * x), (2,), "the operation mul in 'Apply', a product of two tensors"),
    (Apply(lambda x: 1 / x), (2,), "the operation truediv in 'Apply', a division by a tensor"),
    (
        nn.Sequential(Apply(lambda x: x.exp())),
        (2,),
        r"the operation exp in 'Sequential\.0'.* replace it by what is supported",
    ),
    (Apply(lambda x: F.dropout(x)), (2,), "dropout that stays random; pass training=self.training"),
    (Apply(lambda x: x.max(1)[1]), (2,), "max in 'Apply', which returns indices"),
    (Apply(lambda x: x - x.mean(0)), (2,), "mixes the inputs of a batch, as a mean over axis 0"),
    (Apply(lambda x: x @ x.t()), (2,), "the operation matmul in 'Apply', a product of two"),
    (
        Apply(lambda x, f: f(x)[0] + f(x)[1], nn.MaxPool1d(2, return_indices=True)),
        (1, 4),
        r"MaxPool1d at 'Apply\.layers\.0', which returns indices",
    ),
    (nn.LPPool1d(2, 2), (1, 4), r"LPPool1d at 'Sequential\.0', which is not .* but smooth"),
    (
        nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False)),
        None,
        "normalises by the batch even in evaluation mode",
    ),
    (
        Apply(lambda x: x if x.sum() > 0 else -x),
        (2,),
        r"cannot be followed: .* asks whether numbers .* are true, as control flow does "
        r"\(line \d+ of test_torch_modules\.py\); remove from its forward method",
    ),
    (Apply(lambda x: (x, x)), (2,), "must return one tensor .* got tuple"),
    (Apply(lambda x: x * next(COUNTER)), (2,), "differs from it by .* uses again"),
    (Apply(lambda x: x[:1]), (2,), "has 24 outputs at 12 points, it has 2; it mixes"),
    (hooked(nn.Linear(2, 3)), None, r"has hooks, at 'Sequential\.0'; move what changes values"),
    (
        nn.Sequential(nn.LeakyReLU(), nn.Sequential(hooked(nn.Linear(2, 3)))),
        (2,),
        r"differs from it by .* has hooks, at 'Sequential\.1\.0'; move what changes values",
    ),
]


@pytest.mark.parametrize(("module", "shape", "message"), UNSUPPORTED)
def test_what_is_not_understood_is_named(
    module: nn.Module, shape: tuple[int, ...] | None, message: str
) -> None:
    with pytest.raises(UnsupportedModuleError, match=message):
        as_network(module, shape)


def pruned(layer: nn.Module) -> None:
    methods: list[Any] = [prune.l1_unstructured, prune.random_unstructured]
    for method in methods:  # one on top of the other
        method(layer, "weight", 0.5)


DERIVE: dict[str, Callable[[nn.Module], Any]] = {
    "pruned": pruned,
    "weight norm": nn.utils.weight_norm,
    "spectral norm": nn.utils.spectral_norm,
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", DERIVE)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: Apply(lambda y, f: -f(y), x)])
@pytest.mark.parametrize("has_run", [False, True])
def test_weights_that_a_hook_derives_are_those_of_the_next_forward_pass(
    name: str, wrap: Callable[[nn.Module], nn.Module], has_run: bool
) -> None:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    for layer in (inner[0], inner[2]):
        DERIVE[name](layer)
    module, points = wrap(inner), np.random.default_rng(0).standard_normal((20, 2))
    if has_run:
        with torch.no_grad():
            module(torch.ones(1, 2))
            for parameter in module.parameters():
                parameter.mul_(1.5)
    network = as_network(module, (2,))
    assert perceptron_of(module) is None  # it reads what is there
    assert module.training
    with torch.no_grad():
        expected = module.eval().double()(torch.tensor(points)).numpy()
    np.testing.assert_allclose(network(points), expected, atol=1e-14)


def test_models_without_weights_say_so() -> None:
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    with pytest.raises(InputError, match=r"'0\.weight' of a lazy layer .* call the model on"):
        as_network(lazy)
    lazy(torch.ones(1, 2))
    assert as_network(lazy).input_dim == 2
    with pytest.raises(InputError, match=r"'weight' on the meta device; load them"):
        as_network(nn.Linear(2, 1, device="meta"))


def test_models_that_cannot_be_copied_say_why() -> None:
    module = nn.LeakyReLU()
    module.seen = Lock()  # type: ignore[assignment]
    with pytest.raises(UnsupportedModuleError, match=r"can copy it, got TypeError: .* drop what"):
        as_network(module, (2,))


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Casting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x.contiguous())
        return y.reshape(3, -1)


def test_second_input_is_refused() -> None:
    with pytest.raises(UnsupportedModuleError, match=r"must take one input, got a second .* 'y'"):
        as_network(TwoInputs(), (2,))


def test_input_shape_must_be_there_and_fit() -> None:
    conv = nn.Sequential(nn.Conv2d(3, 1, 2), nn.ReLU())
    with pytest.raises(InputError, match=r"`input_shape` is needed for a Sequential .* begin with"):
        as_network(conv)
    with pytest.raises(InputError, match=r"Conv2d at 'Sequential\.0' .* expected the shape \(1, 3"):
        as_network(conv, (1, 4, 4))
    with pytest.raises(InputError, match=r"Linear at .* last axis must have 2 entries.*\(1, 3\)"):
        as_network(nn.Sequential(nn.Linear(2, 1), nn.LeakyReLU()), (3,))
    with pytest.raises(
        InputError, match=r"`input_shape` \(4,\) has 4 entries, the network takes 2"
    ):
        as_network(nn.Sequential(nn.Linear(2, 1)), (4,))
    with pytest.raises(InputError, match=r"cannot take inputs of shape .* check `input_shape`"):
        as_network(Casting())
    rows = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(15, 1))
    with pytest.raises(InputError, match=r"Linear at 'Sequential\.3' .* must have 15 .*\(1, 4\)"):
        as_network(rows)


def test_weights_must_be_finite_and_not_tiny() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU())
    module.get_parameter("0.weight").data[0, 1] = torch.nan
    with pytest.raises(InputError, match=r"must have finite weights, got NaN .* '0\.weight'"):
        as_network(module)
    one = np.ones(1)
    with pytest.raises(InputError, match="weights of node 0 must be finite"):
        GraphNetwork(1, [Kink(0, one, np.array([np.inf]))])
    with pytest.raises(InputError, match=r"at least 2\^-300"):
        GraphNetwork(1, [Affine((0,), (np.array([[1e-100]]),), one)])


def test_graphs_must_fit_together() -> None:
    with pytest.raises(InputError, match="`nodes` must not be empty"):
        GraphNetwork(1, [])
    with pytest.raises(InputError, match="node 0 must use earlier values"):
        GraphNetwork(1, [Kink(1, np.ones(1), np.ones(1))])
    with pytest.raises(InputError, match=r"node 0 .* sizes \[3\]"):
        GraphNetwork(3, [Affine((0,), (np.ones((2, 2)),), np.zeros(2))])


def test_overflow_is_an_error() -> None:
    layer = Affine((0,), (np.array([[1e200]]),), np.zeros(1))
    nodes: list[Affine | Kink] = [layer, Kink(1, np.ones(1), np.zeros(1))]
    nodes.append(Affine((2,), layer.matrices, layer.bias))
    network = GraphNetwork(1, nodes)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(InputError, match="range of floats, but they overflow"),
    ):
        network([[1.0]])


@pytest.mark.parametrize(
    ("function", "is_chain"),
    [
        (lambda x, a, b, c: c(torch.relu(b(F.relu(a(x), inplace=True)))), True),
        (lambda x, a, b, c: c(b(a(x).relu()).relu_()), True),
        (lambda x, a, b, c: c(torch.relu(b(torch.relu(b(torch.relu(a(x))))))), True),  # b twice
        (lambda x, a, b, c: c(torch.relu(b(a(x)))), False),
        (lambda x, a, b, c: c(torch.relu(b(torch.relu(torch.relu(a(x)))))), False),
        (lambda x, a, b, c: torch.relu(c(torch.relu(b(torch.relu(a(x)))))), False),
        (lambda x, a, b, c: c(torch.relu(b(h := torch.relu(a(x)))) + h), False),
        (lambda x, a, b, c: c(F.leaky_relu(b(torch.relu(a(x))))), False),
    ],
)
def test_chains_of_linear_and_relu_are_perceptrons(
    function: Callable[..., Any], is_chain: bool
) -> None:
    torch.manual_seed(0)
    module = Apply(function, nn.Linear(2, 3), nn.Linear(3, 3, bias=False), nn.Linear(3, 1)).double()
    for _ in range(2):
        network, again = as_network(module), perceptron_of(module)
        x = np.random.default_rng(0).standard_normal((20, 2))
        expected = module(torch.tensor(x)).detach().numpy()
        np.testing.assert_allclose(network(x), expected, atol=1e-14)
        assert isinstance(network, ReluNetwork) == (again is not None) == is_chain
        if again is not None:
            np.testing.assert_array_equal(again(x), network(x))
        with torch.no_grad():  # what is read is what is there now
            next(module.parameters()).mul_(-2)


def test_state_dict_files(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    path = tmp_path / "model.pt"
    torch.save(module.state_dict(), path)
    network = as_network(path)
    assert isinstance(network, ReluNetwork)
    x = np.random.default_rng(0).standard_normal((5, 2))
    np.testing.assert_array_equal(network(x), as_network(module)(x))
    np.testing.assert_array_equal(network(x), as_network(str(path))(x))

    torch.save(module, path)  # a pickle, which is not executed
    with pytest.raises(InputError, match=r"cannot be read as a state dict .* torch\.save\(model"):
        as_network(path)
    torch.save([1, 2], path)
    with pytest.raises(
        InputError, match=r"must hold the weights of Linear layers .* got a list of 2"
    ):
        as_network(path)
    with pytest.raises(InputError, match=r"names the file .*absent\.pt', which does not exist"):
        as_network(tmp_path / "absent.pt")


class Opaque(ReluNetwork):
    """Stands for somebody's own network."""

    restricted = Network.restricted


def test_networks_that_cannot_be_restricted_say_so() -> None:
    network = Opaque([[[1.0, 2.0]]], [[0.0]])
    with pytest.raises(InputError, match="a Opaque cannot be restricted to a slice"):
        network.restricted([0.0, 0.0], [[1.0], [0.0]])


def test_the_page_names_every_operation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")
    layers = {name.lower(): name for name in vars(nn) if name[0].isupper()}
    missing = []
    for name in OPERATIONS:
        layer = layers.get(name.replace("_", ""))
        if not any(f"``{known}``" in page for known in (name, layer)) and name not in UNNAMED:
            missing.append(name)
    assert missing == [], "add them to the table of docs/networks.md"


UNNAMED = {
    *("gt", "ge", "lt", "le", "logical_not", "neg", "add", "sub", "mul", "div", "pow", "zero"),
    *("rsub", "rdiv", "rmatmul", "clamp_min", "clamp_max", "sgn", "where_method", "copy", "fill"),
    *("native_batch_norm_legit_no_training", "tensor", "as_tensor", "constant_pad_nd", "im2col"),
    *("multi_dot", "diagflat", "row_stack", "select_scatter", "slice_scatter", "batch_norm"),
    *("instance_norm", "feature_alpha_dropout", "alpha_dropout"),
    *(f"{kind}max_pool{r}d_with_indices" for kind in ("", "adaptive_") for r in (1, 2, 3)),
    *(f"dropout{rank}d" for rank in (1, 2, 3)),
}
"""Operators, other names of the same, and layers with a number for "of every kind"."""
