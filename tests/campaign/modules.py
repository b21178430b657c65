"""Random torch modules, pooling in all its settings, against their own forward passes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import relutopo as rt
from relutopo.errors import InputError, LimitReachedError, RelutopoError, UnsupportedModuleError
from tests.campaign.cases import without_each
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator
REFUSALS = (UnsupportedModuleError, InputError, LimitReachedError)


class Add(nn.Module):
    """x + f(x)."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        result: Tensor = x + self.parts(x)
        return result


class Beside(nn.Module):
    """f(x) and g(x), joined along the first axis behind the batch."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """Return both."""
        return torch.cat([part(x) for part in self.parts], dim=1)


class Largest(nn.Module):
    """The larger one of f(x) and g(x), a maxout unit."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Return the maximum."""
        return torch.maximum(self.first(x), self.second(x))


class Abs(nn.Module):
    """|x|."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the absolute values."""
        return torch.abs(x)


NAMES = {**vars(nn), "Add": Add, "Beside": Beside, "Largest": Largest, "Abs": Abs, "inf": np.inf}


@dataclass(frozen=True)
class ModuleCase:
    """A sequence of layers, as Python; the weights follow from the seed.

    Attributes
    ----------
    layers : list of str
    shape : list of int
        Of one input.
    seed : int
    weights : str
        "gaussian", "integer", "half" or "bfloat16".
    """

    layers: list[str]
    shape: list[int]
    seed: int
    weights: str

    def tags(self) -> dict[str, Any]:
        """Return the number of layers."""
        return {"depth": len(self.layers), "weights": self.weights}

    def simpler(self) -> Iterator[ModuleCase]:
        """Yield it with fewer layers."""
        for layers in without_each(self.layers):
            yield replace(self, layers=layers)
        if self.weights != "integer":
            yield replace(self, weights="integer")

    def module(self) -> nn.Module:
        """Return the module, in evaluation mode."""
        module = nn.Sequential(*(eval(layer, NAMES) for layer in self.layers)).eval()
        rng = np.random.default_rng(self.seed)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            values = torch.tensor(rng.standard_normal(tuple(tensor.shape)))
            if self.weights == "integer":
                values = torch.round(1.5 * values)
            if name.endswith("running_var"):
                values = values.abs() + 0.5
            if self.weights in ("half", "bfloat16"):
                values = values.to(getattr(torch, self.weights))
            tensor.data.copy_(values)
        return module


def forward(module: nn.Module, shape: list[int], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what torch says, in double precision; a batch of one at a time."""
    with torch.no_grad():
        double = module.double()
        rows = [double(torch.tensor(row.reshape(1, *shape))).reshape(-1).numpy() for row in x]
    return np.stack(rows)


@check("forward pass")
def forward_pass(case: ModuleCase, clock: Clock) -> None:
    """The network at points, and the affine maps of the regions of a slice."""
    module = case.module()
    rng = np.random.default_rng(case.seed)
    n = int(np.prod(case.shape))
    points = np.concatenate(
        [rng.standard_normal((6, n)), np.round(rng.standard_normal((4, n))), np.zeros((1, n))]
    )
    try:
        right = forward(module, case.shape, points)
    except Exception as error:
        try:
            rt.as_network(case.module(), input_shape=case.shape)
        except RelutopoError:
            return
        raise AssertionError(f"taken, though torch says {error}") from error
    if right.size == 0:
        return
    network = rt.as_network(case.module(), input_shape=case.shape)
    found = network(points)
    slack = 1e-9 * (1 + np.abs(right).max())
    assert found.shape == right.shape, f"{found.shape[1]} outputs, not {right.shape[1]}"
    assert np.abs(found - right).max() <= slack, f"off by {np.abs(found - right).max()}"
    k = min(n, 2)
    basis = rng.standard_normal((n, k)) if n > k else np.eye(k)
    plane = rt.AffineSlice(rng.standard_normal(n), basis, rt.Box(-1, 1, dim=k))
    complex_ = clock(rt.decompose, network, plane, max_cells=20_000)
    clock.predict(0.05 + 1e-4 * sum(complex_.n_cells) + 2e-4 * complex_.record.n_uncertain)
    complex_.check()
    slopes, offsets = complex_.output_maps()
    chosen = rng.permutation(complex_.n_regions)[:20]
    inside = complex_.interior_points[chosen]
    by_map = np.einsum("rok,rk->ro", slopes[chosen], inside) + offsets[chosen]
    by_torch = forward(module, case.shape, plane.embed(inside))
    assert np.abs(by_map - by_torch).max() <= 1e-8 * (1 + np.abs(by_torch).max()), "affine maps"


@check("forward pass in threads")
def in_threads(case: ModuleCase, clock: Clock) -> None:
    """Four threads read the same module while a fifth one uses it."""
    x = np.random.default_rng(case.seed).standard_normal((1, int(np.prod(case.shape))))
    right = forward(case.module(), case.shape, x)
    stop = threading.Event()
    failed: list[BaseException] = []

    def use() -> None:
        module = case.module()
        while not stop.is_set():
            try:
                assert np.array_equal(forward(module, case.shape, x), right)
            except BaseException as error:
                failed.append(error)
                return

    user = threading.Thread(target=use)
    user.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: rt.as_network(case.module(), case.shape)(x), range(8)))
    finally:
        stop.set()
        user.join()
    if failed:
        raise failed[0]
    for values in found:
        assert np.abs(values - right).max() <= 1e-9 * (1 + np.abs(right).max())


def weights(rng: Rng) -> str:
    """Return how weights are made."""
    return str(rng.choice(["gaussian", "integer", "half", "bfloat16"]))


def activation(rng: Rng, n: int) -> str:
    """Return an activation for n features or channels."""
    a, b = sorted(rng.integers(-2, 3, 2).tolist())
    return str(
        rng.choice(
            [
                "ReLU()",
                "ReLU()",
                f"LeakyReLU({rng.choice([0.1, 0.0, 1.0, -0.5])})",
                "PReLU()",
                f"PReLU({n})",
                "ReLU6()",
                f"Hardtanh({a}, {b + 1})",
                "Abs()",
                "Identity()",
            ]
        )
    )


def of_features(rng: Rng, n: int, depth: int) -> tuple[list[str], int]:
    """Return layers on vectors."""
    layers = []
    for _ in range(depth):
        choice, m = rng.integers(7), int(rng.integers(1, 6))
        bias = bool(rng.integers(2))
        if choice == 0:
            layers.append(f"Add(Linear({n}, {n}), {activation(rng, n)})")
        elif choice == 1:
            layers.append(f"Largest(Linear({n}, {m}), Linear({n}, {m}, bias={bias}))")
            n = m
        elif choice == 2:
            layers.append(f"Beside(Linear({n}, {m}), Identity())")
            n += m
        elif choice == 3:
            layers.append(f"BatchNorm1d({n})")
        else:
            layers += [f"Linear({n}, {m}, bias={bias})", activation(rng, m)]
            n = m
    return layers, n


@kind("modules of vectors", "modules", checks=("forward pass",), refusals=REFUSALS)
def modules(rng: Rng) -> ModuleCase:
    n = int(rng.integers(1, 5))
    layers, m = of_features(rng, n, int(rng.integers(1, 5)))
    return ModuleCase([*layers, f"Linear({m}, 1)"], [n], int(rng.integers(1000)), weights(rng))


@kind("modules of images", "modules", checks=("forward pass",), refusals=REFUSALS)
def images(rng: Rng) -> ModuleCase:
    c, h, w = (int(x) for x in rng.integers(1, [3, 7, 7]))
    layers = []
    for _ in range(int(rng.integers(1, 4))):
        choice, m = rng.integers(6), int(rng.integers(1, 4))
        k, s, p = (int(x) for x in rng.integers([1, 1, 0], [4, 3, 2]))
        ceil = bool(rng.integers(2))
        if choice == 0:
            layers.append(f"MaxPool2d({k}, {s}, {min(p, k // 2)}, ceil_mode={ceil})")
        elif choice == 1:
            pad = bool(rng.integers(2))
            layers.append(
                f"AvgPool2d({k}, {s}, {min(p, k // 2)}, ceil_mode={ceil}, count_include_pad={pad})"
            )
        elif choice == 2:
            layers.append(f"BatchNorm2d({c})")
        elif choice == 3:
            layers.append(f"Add(Conv2d({c}, {c}, 3, padding=1), ReLU())")
        else:
            layers += [f"Conv2d({c}, {m}, {k}, {s}, {p})", activation(rng, m)]
            c = m
    layers += ["Flatten()"] if rng.random() < 0.7 else []
    return ModuleCase(
        layers, [int(x) for x in (_first(layers), h, w)], int(rng.integers(1000)), weights(rng)
    )


def _first(layers: list[str]) -> int:
    """Return the channels that the first layer which has some takes."""
    for layer in layers:
        for name in ("Conv2d(", "BatchNorm2d("):
            if name in layer:
                return int(layer.partition(name)[2].partition(",")[0].rstrip(")"))
    return 1


@kind("settings of pooling", "modules", checks=("forward pass",), refusals=REFUSALS)
def pooling(rng: Rng) -> ModuleCase:
    """All settings of pooling in one and two dimensions on small maps, valid or not."""
    two = bool(rng.integers(2))
    sizes = [int(x) for x in rng.integers(1, 6, 2 if two else 1)]
    d = 2 if two else 1

    def setting(low: int, high: int) -> str:
        values = [int(x) for x in rng.integers(low, high, d)]
        return str(values[0] if rng.random() < 0.7 else tuple(values) if two else values[0])

    kernel, stride, padding = setting(1, 5), setting(1, 5), setting(0, 3)
    ceil = bool(rng.integers(2))
    choice = rng.integers(4)
    if choice <= 1:
        layer = f"MaxPool{d}d({kernel}, {stride}, {padding}, {setting(1, 3)}, ceil_mode={ceil})"
    elif choice == 2:
        pad = bool(rng.integers(2))
        layer = f"AvgPool{d}d({kernel}, {stride}, {padding}, {ceil}, {pad})"
    else:
        name = str(rng.choice(["AdaptiveAvgPool", "AdaptiveMaxPool"]))
        layer = f"{name}{d}d({setting(1, 4)})"
    channels = int(rng.integers(1, 3))
    shape = [channels, *sizes]
    more = ["ReLU()"] if rng.random() < 0.3 else []
    return ModuleCase([layer, *more, "Flatten()"], shape, int(rng.integers(1000)), "integer")


@kind(
    "modules in threads", "modules", checks=("forward pass in threads",), refusals=(), in_the_gate=2
)
def threaded(rng: Rng) -> ModuleCase:
    n = int(rng.integers(1, 5))
    layers, m = of_features(rng, n, int(rng.integers(1, 4)))
    chosen = ModuleCase([*layers, f"Linear({m}, 2)"], [n], int(rng.integers(1000)), weights(rng))
    return chosen
