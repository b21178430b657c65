"""Small convolutional, residual and dense networks at random, with exact ties, on planes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from relutopo import AffineSlice, Box

__all__ = ["random_perceptron", "random_plane", "random_skips", "random_stack"]

Rng = np.random.Generator


class _Sum(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        result: torch.Tensor = x + self.inner(x)
        return result


class _Beside(nn.Module):
    """x and f(x), one after the other."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both."""
        return torch.cat([x, self.inner(x)], dim=1)


def random_stack(rng: Rng, most_layers: int = 4) -> tuple[nn.Sequential, tuple[int, int, int]]:
    """Return layers of convolutions, kinks, pooling, normalisation and sums, and an input's shape.

    In half of them weights are small integers, so that many zeros coincide.
    """
    n = int(rng.integers(1, 3))
    shape = n, int(rng.integers(3, 6)), int(rng.integers(3, 6))
    layers: list[nn.Module] = []
    x = torch.zeros(1, *shape)

    def add(layer: nn.Module) -> None:
        nonlocal x
        layers.append(layer)
        x = layer.eval()(x)

    for _ in range(int(rng.integers(1, most_layers + 1))):
        n, height, width = x.shape[1:]
        if height >= 2 and width >= 2 and rng.random() < 0.9:
            groups = n if rng.random() < 0.25 else 1
            add(
                nn.Conv2d(
                    n,
                    groups * int(rng.integers(1, 3)),
                    int(rng.integers(1, min(height, width, 3) + 1)),
                    stride=int(rng.integers(1, 3)),
                    padding=int(rng.integers(0, 2)),
                    groups=groups,
                    bias=bool(rng.random() < 0.6),
                )
            )
        if rng.random() < 0.3:
            add(nn.BatchNorm2d(x.shape[1]))
        kinks: list[Any] = [nn.ReLU, nn.ReLU, nn.ReLU, lambda: nn.LeakyReLU(0.25), nn.ReLU6]
        add(kinks[int(rng.integers(len(kinks)))]())
        n, height, width = x.shape[1:]
        size = min(height, width, 2)
        stride = int(rng.integers(1, 3))
        others: list[Any] = [
            lambda size=size, stride=stride: nn.MaxPool2d(size, stride=stride),
            lambda size=size, stride=stride: nn.MaxPool2d(size, stride=stride),
            lambda size=size: nn.AvgPool2d(size),
            lambda: nn.AdaptiveMaxPool2d(1),
            lambda: nn.AdaptiveAvgPool2d((1, 2)),
            lambda n=n: _Sum(nn.Sequential(nn.Conv2d(n, n, 1), nn.ReLU())),
            lambda n=n: _Sum(nn.Conv2d(n, n, 3, padding=1, bias=False)),
            nn.Identity,
        ]
        add(others[int(rng.integers(len(others)))]())
    layers += [nn.Flatten(), nn.Linear(x[0].numel(), 2), nn.ReLU(), nn.Linear(2, 1)]
    model = nn.Sequential(*layers).double().eval()
    _draw_weights(model, rng)
    return model, shape


def _draw_weights(model: nn.Sequential, rng: Rng) -> None:
    are_integers = rng.random() < 0.5
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean = torch.from_numpy(rng.normal(size=module.num_features))
            module.running_var = torch.from_numpy(rng.uniform(0.5, 2.0, module.num_features))
    with torch.no_grad():
        for weights in model.parameters():
            extents = tuple(weights.shape)
            numbers = rng.integers(-2, 3, extents) if are_integers else rng.normal(size=extents)
            weights.copy_(torch.from_numpy(numbers.astype(float)))


def random_perceptron(rng: Rng) -> tuple[nn.Sequential, tuple[int]]:
    """Return dense layers, some of them normalised, and an input's shape.

    In half of them weights are small integers, so that many zeros coincide.
    """
    sizes = rng.integers(2, 7, int(rng.integers(3, 6))).tolist()
    layers: list[nn.Module] = []
    for fan_in, size in pairwise(sizes):
        layers += [nn.Linear(fan_in, size, bias=bool(rng.random() < 0.7))]
        if rng.random() < 0.4:
            layers.append(nn.BatchNorm1d(size))
        layers.append(_random_kink(rng, size))
    model = nn.Sequential(*layers, nn.Linear(sizes[-1], 1)).double().eval()
    _draw_weights(model, rng)
    return model, (sizes[0],)


def random_skips(rng: Rng) -> tuple[nn.Sequential, tuple[int]]:
    """Return dense layers that values go round, added or joined to their results.

    In half of them weights are small integers, so that many zeros coincide, and biases vanish in
    some.
    """
    n = n_inputs = int(rng.integers(2, 7))
    has_bias = bool(rng.random() < 0.7)
    layers: list[nn.Module] = []

    def dense(fan_in: int, size: int, *, kink: bool = True) -> list[nn.Module]:
        some: list[nn.Module] = [nn.Linear(fan_in, size, bias=has_bias)]
        if rng.random() < 0.3:
            some.append(nn.BatchNorm1d(size))
        return [*some, _random_kink(rng, size)] if kink else some

    for _ in range(int(rng.integers(1, 4))):
        size, chance = int(rng.integers(1, 7)), rng.random()
        if chance < 0.3:
            size = int(rng.integers(2, 7))
            layers += dense(n, size, kink=bool(rng.random() < 0.7))
            n = size
        elif chance < 0.7:
            inner = nn.Sequential(*dense(n, size), *dense(size, n, kink=bool(rng.random() < 0.3)))
            layers.append(_Sum(inner))
            if rng.random() < 0.5:
                layers.append(_random_kink(rng, n))
        elif chance < 0.8:
            layers.append(_Sum(nn.Sequential(*dense(n, n))))
        else:
            layers.append(_Beside(nn.Sequential(*dense(n, size))))
            n += size
    model = nn.Sequential(*layers, *dense(n, 3), nn.Linear(3, 1)).double().eval()
    _draw_weights(model, rng)
    return model, (n_inputs,)


def _random_kink(rng: Rng, size: int) -> nn.Module:
    """Return ReLUs, mostly, or units that are leaky, whose slopes may rise, fall and vanish."""
    chance = rng.random()
    if chance < 0.6:
        return nn.ReLU()
    if chance < 0.8:
        return nn.LeakyReLU(float(rng.choice([0.25, 0.1, -0.5, 3.0])))
    kink = nn.PReLU(size)
    kink.weight.data = torch.tensor(rng.choice([0.0, 0.5, 0.3, -1.0, 1.7], size))
    return kink


def random_plane(rng: Rng, shape: tuple[int, ...], half_width: float) -> AffineSlice:
    """Return a plane, in half of the cases with small integers."""
    size = int(np.prod(shape))
    numbers = rng.normal(size=(3, size))
    if rng.random() < 0.5:
        numbers = np.round(numbers)
        numbers[1, 0], numbers[2, 0], numbers[1, 1], numbers[2, 1] = 1, 0, 0, 1
    origin, *basis = numbers
    box = Box(-half_width, half_width, dim=2)
    return AffineSlice(origin.reshape(shape), np.stack(basis, axis=1), box=box)
