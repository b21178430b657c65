"""How fast networks are followed along segments: ``pytest benchmarks/bench_segments.py``.

Perceptrons of the shape of digits and of MNIST, and a residual network on 32 x 32 x 3 inputs, at
random weights. Two yardsticks: the floor, dense forward passes at the knots alone, which whoever
draws the function along a segment needs, and counts of sign changes between sampled points, of
which there are twice as many until no crossing is missed (or 8,192 a segment).
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import relutopo as rt

from .measuring import QUICK, record

N = 200 if QUICK else 10_000
"""Segments of the smaller perceptron, all signatures."""
N_WIDE = 20 if QUICK else 200
N_RESIDUAL = 1 if QUICK else 4
SMALL, WIDE = [64, 100, 100, 10], [784, 512, 512, 10]
_AT_ONCE = 256
_ROWS_AT_ONCE = 2**14
_MOST_SAMPLES = 2**13


def data(dim: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    y = np.arange(1000) % 10
    return rng.uniform(0, 1, (1000, dim)) + 0.3 * rng.normal(size=(10, dim))[y], y


@cache
def network(shape: tuple[int, ...]) -> rt.ReluNetwork:
    return rt.gallery.random_network(list(shape), seed=0)


def test_signatures(benchmark: Any) -> None:
    x, y = data(SMALL[0])
    rt.path_signatures(network(tuple(SMALL)), x, y, n=N // 2)
    found = record(
        benchmark, lambda: rt.path_signatures(network(tuple(SMALL)), x, y, n=N // 2), rounds=5
    )
    pairs = rt.segment_pairs(x, n=N)
    followed = rt.segments(network(tuple(SMALL)), x, pairs=pairs)
    benchmark.extra_info |= {
        "what": "all signatures",
        "shape": SMALL,
        "n_segments": found["n_same"] + found["n_different"],
        "n_crossings": int(followed.n_crossings.sum()),
        "n_open": found["n_open"],
        "floor": forward_passes(network(tuple(SMALL)), followed),
    }
    assert found["n_open"] == 0


@pytest.mark.parametrize(("shape", "n"), [(SMALL, N), (WIDE, N_WIDE)], ids=["small", "wide"])
def test_crossings(benchmark: Any, shape: list[int], n: int) -> None:
    x, _ = data(shape[0])
    pairs = rt.segment_pairs(x, n=n)
    model = network(tuple(shape))
    found = record(benchmark, lambda: rt.segments(model, x, pairs=pairs), rounds=5)
    seconds, samples, counted = sampled(model, found)
    benchmark.extra_info |= {
        "what": "segments",
        "shape": shape,
        "n_segments": len(found),
        "n_crossings": int(found.n_crossings.sum()),
        "n_switches": len(found.neurons),
        "n_open": found.record.n_open,
        "peer": {
            "name": "sampled sign changes",
            "seconds": seconds,
            "samples": samples,
            "n_crossings": counted,
        },
        "floor": forward_passes(model, found),
    }
    assert found.record.status == "certified"


def forward_passes(model: rt.Network, found: rt.Segments) -> dict[str, Any]:
    """Return how long the dense forward passes at the knots take, many at once."""
    owners = np.repeat(np.arange(len(found)), found.n_crossings)
    seconds = 0.0
    for part in np.array_split(np.arange(len(found.t)), 1 + len(found.t) // _ROWS_AT_ONCE):
        t, i = found.t[part, None], owners[part]
        points = (1 - t) * found.starts[i] + t * found.ends[i]
        begin = time.perf_counter()
        model(points)
        seconds += time.perf_counter() - begin
    return {"name": "forward passes at the knots", "seconds": seconds}


def sampled(model: rt.Network, found: rt.Segments) -> tuple[float, int, int]:
    """Return seconds, points a segment and crossings of the coarsest sample that misses none."""
    exact = len(found.neurons)
    samples = 16
    while True:
        begin = time.perf_counter()
        t = np.linspace(0, 1, samples + 1)[:, None]
        counted = 0
        for a, b in zip(found.starts, found.ends, strict=True):
            signs = model.preactivations((1 - t) * a + t * b) > 0
            counted += int((signs[1:] != signs[:-1]).sum())
        seconds = time.perf_counter() - begin
        if counted >= exact or samples >= _MOST_SAMPLES:
            return seconds, samples, counted
        samples *= 2


class Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
        )
        self.second = nn.Sequential(
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
        )
        self.short = nn.Conv2d(n_in, n_out, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = torch.relu(self.short(x) + self.second(self.first(x)))
        return y


def residual() -> nn.Module:
    torch.manual_seed(0)
    width = 4 if QUICK else 16
    model = nn.Sequential(
        nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10),
    )  # fmt: skip
    return model.double().eval()


def test_residual(benchmark: Any) -> None:
    """A network like ResNet-8, against torch's forward passes at the same knots."""
    model = residual()
    rng = np.random.default_rng(0)
    ends = rng.uniform(0, 1, (2, N_RESIDUAL, 3, 32, 32))
    found = record(benchmark, lambda: rt.segments(model, ends[0], ends[1]), rounds=1)
    begin = time.perf_counter()
    for i in range(len(found)):
        t = torch.tensor(found.t_of(i))[:, None]
        points = (1 - t) * torch.tensor(found.starts[i]) + t * torch.tensor(found.ends[i])
        with torch.no_grad():
            for part in points.reshape(-1, 3, 32, 32).split(_AT_ONCE):
                model(part)
    seconds = time.perf_counter() - begin
    benchmark.extra_info |= {
        "what": "residual network",
        "shape": [found.network.input_dim, *found.network.layer_sizes, 10],
        "n_segments": len(found),
        "n_crossings": int(found.n_crossings.sum()),
        "n_open": found.record.n_open,
        "floor": {"name": "torch's forward passes at the knots", "seconds": seconds},
    }
    assert found.record.status == "certified"
