"""Convolutional and other graphs that are cut on planes, and what each is measured against."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import relutopo as rt
from relutopo.geometry.slices import network_on
from relutopo.registry import constructor

from .measuring import QUICK

__all__ = ["CASES", "Case", "Floor", "enumerate_on"]

_SHARE = 0.3 if QUICK else 1.0
_WIDTH = 64 if QUICK else 256
Restricted = tuple[rt.Network, rt.AffineSlice | rt.Box]


@dataclass(frozen=True)
class Case:
    """A network on a plane.

    Attributes
    ----------
    make : callable
        Gives the network of the plane's coordinates, and the plane.
    floor : str
        What it is measured against; see `Floor`.
    wanted : float
        At most so many times the floor.
    """

    make: Callable[[], Restricted]
    floor: str
    wanted: float


def enumerate_on(network: rt.Network, domain: rt.AffineSlice | rt.Box) -> rt.CellComplex:
    """Cut a network on its domain, with one thread."""
    enumerator = constructor("enumerator", "cpu")(n_threads=1)
    complex_: rt.CellComplex = enumerator.enumerate(network, domain)
    return complex_


class Floor:
    """What a case is measured against: a case or a perceptron, or a pass of three points.

    Parameters
    ----------
    name : str

    Attributes
    ----------
    microseconds : float
        The least a region so far.
    """

    def __init__(self, name: str) -> None:
        self._restricted: Restricted | None = None
        if name.startswith("forward pass"):
            self.microseconds = _pass_of_three_points()
            return
        self._restricted = CASES[name].make() if name in CASES else _perceptron(name)
        enumerate_on(*self._restricted)
        self.microseconds = np.inf

    def measure(self) -> None:
        """Cut it once more, if it is something that is cut."""
        if self._restricted is not None:
            begin = time.perf_counter()
            n_regions = enumerate_on(*self._restricted).n_regions
            self.microseconds = min(
                self.microseconds, 1e6 * (time.perf_counter() - begin) / n_regions
            )


def _on_plane(model: Any, shape: tuple[int, ...], half_width: float) -> Restricted:
    rng = np.random.default_rng(1)
    basis, _ = np.linalg.qr(rng.normal(size=(int(np.prod(shape)), 2)))
    box = rt.Box(-half_width * _SHARE, half_width * _SHARE, dim=2)
    plane = rt.AffineSlice(rng.normal(size=shape), basis, box)
    return network_on(model, plane), plane


def _convolutions(pool: str) -> Restricted:
    import torch
    from torch import nn

    torch.manual_seed(0)
    pools = {
        "max": nn.MaxPool2d(2),
        "overlapping": nn.MaxPool2d(3, 2, padding=1),
        "average": nn.AvgPool2d(2),
    }
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), pools[pool]),
        *(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), pools[pool]),
        *(nn.Flatten(), nn.Linear(8 * 49, 10)),
    )
    width = {"max": 0.75, "overlapping": 0.6, "average": 1.25}[pool]
    return _on_plane(model.eval(), (1, 28, 28), width)


def _residual_network() -> Any:
    """Return a network of eight layers with residual blocks and batch normalisation."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.inner = nn.Sequential(
                nn.Conv2d(before, after, 3, stride, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, 1, 1, bias=False),
                nn.BatchNorm2d(after),
            )
            self.short = nn.Identity() if stride == 1 else nn.Conv2d(before, after, 1, stride)

        def forward(self, x: Any) -> Any:
            return torch.relu(self.inner(x) + self.short(x))

    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
            nn.init.normal_(module.bias, 0.0, 0.2)
    return model.eval()


def _pass_of_three_points() -> float:
    import torch

    model, x = _residual_network(), torch.randn(3, 3, 32, 32)
    seconds = []
    with torch.no_grad():
        for _ in range(20):
            begin = time.perf_counter()
            model(x)
            seconds.append(time.perf_counter() - begin)
    return 1e6 * min(seconds)


def _perceptron(kind: str = "perceptron") -> Restricted:
    """Return a perceptron of two or three layers on a plane, or a graph of that size."""
    import torch
    from torch import nn

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(_WIDTH, _WIDTH), nn.ReLU())

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    torch.manual_seed(0)
    n_inputs = 784 if kind == "slice" else 2
    kink = nn.LeakyReLU if kind == "leaky" else nn.ReLU
    layers: list[Any] = [nn.Linear(n_inputs, _WIDTH), kink()]
    layers += [Sum()] if kind == "residual" else []
    layers += [nn.Linear(_WIDTH, _WIDTH), kink()] if kind == "perceptron of three layers" else []
    layers += [nn.Linear(_WIDTH, _WIDTH)]
    layers += [nn.BatchNorm1d(_WIDTH)] if kind == "normalised" else []
    model = nn.Sequential(*layers, kink(), nn.Linear(_WIDTH, 10)).double()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.normal_(module.bias, 0.0, 0.3)
    model.eval()
    if kind == "slice":
        return _on_plane(model, (n_inputs,), 60.0)
    input_shape = None if kind.startswith("perceptron") else (2,)
    return rt.as_network(model, input_shape), rt.Box(-2, 2, dim=2)


CASES = {
    "convolutions, average pooling, 28x28": Case(
        lambda: _convolutions("average"), "perceptron", 60.0
    ),
    "convolutions, max pooling, 28x28": Case(
        lambda: _convolutions("max"), "convolutions, average pooling, 28x28", 1.3
    ),
    "convolutions, overlapping max pooling, 28x28": Case(
        lambda: _convolutions("overlapping"), "convolutions, average pooling, 28x28", 6.0
    ),
    "residual blocks, batch norm, 3x32x32": Case(
        lambda: _on_plane(_residual_network(), (3, 32, 32), 0.45),
        "forward pass of three points",
        1.0,
    ),
    "perceptron on a plane of 784 inputs": Case(lambda: _perceptron("slice"), "perceptron", 1.5),
    "leaky perceptron": Case(lambda: _perceptron("leaky"), "perceptron", 1.5),
    "perceptron with batch norm": Case(lambda: _perceptron("normalised"), "perceptron", 1.5),
    "perceptron with a residual layer": Case(
        lambda: _perceptron("residual"), "perceptron of three layers", 2.0
    ),
}
