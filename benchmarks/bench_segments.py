"""How fast networks are followed along segments: ``pytest benchmarks/bench_segments.py``.

Perceptrons of the shape of digits and of MNIST, and a residual network on 32 x 32 x 3 inputs, at
random weights, between points around zero. Two yardsticks: the floor, dense forward passes at the
knots alone, which whoever draws the function along a segment needs, and counts of sign changes
between sampled points, of which there are twice as many until no switch of a neuron is missed (or
131,072 a segment). Both are slow: they take some of the knots or segments, and their seconds are
scaled to all of them. Rows say to how many.
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

N = 1000 if QUICK else 10_000
"""Segments of the smaller perceptron, all signatures."""
N_WIDE = 40 if QUICK else 200
N_RESIDUAL = 2
N_SAMPLED, N_SAMPLED_WIDE = (20, 2) if QUICK else (200, 8)
"""Segments that are sampled; with each one more points are needed until none misses a switch."""
N_TORCH = 256 if QUICK else 1024
"""Knots at which torch computes the outputs of the residual network."""
SMALL, WIDE = [64, 100, 100, 10], [784, 512, 512, 10]
_AT_ONCE = 128
_ROWS_AT_ONCE = 2**14
_MOST_SAMPLES = 2**17


def data(dim: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    y = np.arange(1000) % 10
    x = rng.uniform(-0.5, 0.5, (1000, dim)) + 0.3 * rng.normal(size=(10, dim))[y]
    return x - x.mean(axis=0), y


@cache
def network(shape: tuple[int, ...]) -> rt.ReluNetwork:
    return rt.gallery.random_network(list(shape), seed=0)


def test_signatures(benchmark: Any) -> None:
    x, y = data(SMALL[0])
    rt.path_signatures(network(tuple(SMALL)), x, y, n=N // 2)
    found = record(
        benchmark, lambda: rt.path_signatures(network(tuple(SMALL)), x, y, n=N // 2), rounds=5
    )
    pairs = [rt.segment_pairs(x, y, kind, n=N // 2) for kind in ("within", "between")]
    followed = rt.segments(network(tuple(SMALL)), x, pairs=np.concatenate(pairs))
    benchmark.extra_info |= {
        "what": "all signatures",
        "shape": SMALL,
        "n_segments": found["n_same"] + found["n_different"],
        "n_crossings": int(followed.n_crossings.sum()),
        "n_open": found["n_open"],
        "floor": forward_passes(network(tuple(SMALL)), followed),
    }
    assert found["n_open"] == 0


@pytest.mark.parametrize(
    ("shape", "n", "n_sampled"),
    [(SMALL, N, N_SAMPLED), (WIDE, N_WIDE, N_SAMPLED_WIDE)],
    ids=["small", "wide"],
)
def test_crossings(benchmark: Any, shape: list[int], n: int, n_sampled: int) -> None:
    x, _ = data(shape[0])
    pairs = rt.segment_pairs(x, n=n)
    model = network(tuple(shape))
    found = record(benchmark, lambda: rt.segments(model, x, pairs=pairs), rounds=5)
    benchmark.extra_info |= {
        "what": "segments",
        "shape": shape,
        "n_segments": len(found),
        "n_crossings": int(found.n_crossings.sum()),
        "n_open": found.record.n_open,
        "peer": sampled(model, found, n_sampled),
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
    n = len(found.t)
    return {"name": "forward passes at the knots", "seconds": seconds, "n_timed": n, "n": n}


def sampled(model: rt.Network, found: rt.Segments, n: int) -> dict[str, Any]:
    """Return how long the coarsest sample of n segments takes that misses no switch of a neuron."""
    some = rt.segments(model, found.starts[:n], found.ends[:n])
    exact = len(some.neurons)
    samples = 16
    while True:
        begin = time.perf_counter()
        t = np.linspace(0, 1, samples + 1)[:, None]
        counted = 0
        for a, b in zip(some.starts, some.ends, strict=True):
            signs = model.preactivations((1 - t) * a + t * b) > 0
            counted += int((signs[1:] != signs[:-1]).sum())
        seconds = time.perf_counter() - begin
        if counted >= exact or samples >= _MOST_SAMPLES:
            return {
                "name": "sampled sign changes",
                "seconds": seconds * len(found) / n,
                "samples": samples,
                "n_missed": exact - counted,
                "n_timed": n,
                "n": len(found),
            }
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
    starts, ends = rng.uniform(0, 1, (2, N_RESIDUAL, 3, 32, 32))
    ends = starts + (ends - starts) / (10 if QUICK else 1)
    rt.segments(model, starts, starts + 1e-3 * (ends - starts))
    found = record(benchmark, lambda: rt.segments(model, starts, ends), rounds=1)
    benchmark.extra_info |= {
        "what": "residual network",
        "shape": [found.network.input_dim, *found.network.layer_sizes, 10],
        "n_segments": len(found),
        "n_crossings": int(found.n_crossings.sum()),
        "n_open": found.record.n_open,
        "floor": torch_passes(model, found),
    }
    assert found.record.status == "certified"


def torch_passes(model: nn.Module, found: rt.Segments) -> dict[str, Any]:
    """Return how long torch's forward passes at the knots take, those at some of them scaled up."""
    n = len(found.t)
    some = np.linspace(0, n - 1, min(n, N_TORCH)).astype(np.int64)
    t, i = found.t[some, None], np.repeat(np.arange(len(found)), found.n_crossings)[some]
    points = torch.tensor((1 - t) * found.starts[i] + t * found.ends[i]).reshape(-1, 3, 32, 32)
    with torch.no_grad():
        model(points[:_AT_ONCE])
        begin = time.perf_counter()
        for part in points.split(_AT_ONCE):
            model(part)
        seconds = time.perf_counter() - begin
    return {
        "name": "torch's forward passes at the knots",
        "seconds": seconds * n / len(some),
        "n_timed": len(some),
        "n": n,
    }
