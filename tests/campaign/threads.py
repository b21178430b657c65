"""The public face in many threads at once, beside training, for some time.

By itself: ``python -m tests.campaign.threads --threads 16 --seconds 600``.

Each thread decomposes, partitions, reduces, compares, stores and reads networks of its own turn
again and again; one more trains. What comes out must be what came out in one thread alone, and
training must go on.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import relutopo as rt

__all__ = ["run"]

BOX = rt.Box(-1, 1, dim=2)
POINTS = np.random.default_rng(9).uniform(-1, 1, (40, 2))
LABELS = np.arange(40) % 3
N_MODELS = 8


class _Clipped(nn.Module):
    """Not made of layers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 5), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.where(self.first(x.float()) > 0, self.first(x.float()), 0)
        out: torch.Tensor = self.last(torch.cat([x.float(), nn.ReLU6()(h)], dim=1))
        return out


def _models() -> list[nn.Module]:
    made: list[nn.Module] = []
    for seed in range(N_MODELS):
        generator = torch.Generator().manual_seed(seed)
        layers = nn.Sequential(nn.Linear(2, 6), nn.LeakyReLU(0.1), nn.Linear(6, 3))
        model = _Clipped() if seed % 2 else layers
        for parameter in model.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        made.append(model)
    return made


def _all_of(model: nn.Module, folder: Path) -> tuple[Any, ...]:
    complex_ = rt.decompose(model, BOX)
    complex_.check()
    path = folder / f"{threading.get_ident()}.npz"
    rt.save_complex(path, complex_)
    graph = rt.load_complex(path).dual_graph()
    part = rt.spectral_partition(graph, POINTS, k=3)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=1))
    figure = rt.plots.plot_complex(complex_, POINTS, LABELS)
    return (
        complex_.n_regions,
        complex_.vertices.tobytes(),
        f"{rt.fiedler_partition(graph, POINTS).value:.9g}",
        part.agreement(POINTS, LABELS).accuracy,
        diagram.betti_numbers,
        diagram.pairs(0).tobytes(),
        len(figure.axes),
        rt.search_regions(model, BOX, POINTS[:1], max_regions=5).patterns.tobytes(),
    )


def run(n_threads: int, seconds: float) -> tuple[Counter[str], list[str]]:
    """Return how often what was done, and what was wrong."""
    models, counts, wrong = _models(), Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = [_all_of(model, folder) for model in models]
        until = time.monotonic() + seconds

        def work(number: int) -> None:
            rng = random.Random(number)
            while time.monotonic() < until and not wrong:
                turn = rng.randrange(N_MODELS)
                try:
                    if _all_of(models[turn], folder) != expected[turn]:
                        wrong.append(f"thread {number}: model {turn} came out otherwise")
                except Exception as error:  # whatever it is, it is wrong
                    wrong.append(f"thread {number}, model {turn}: {error!r}")
                counts["rounds"] += 1

        def train() -> None:
            model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            x = torch.rand(32, 2)
            while time.monotonic() < until and not wrong:
                try:
                    optimizer.zero_grad()
                    model(x).square().mean().backward()
                    optimizer.step()
                except Exception as error:
                    wrong.append(f"training: {error!r}")
                counts["steps of training"] += 1

        threads = [threading.Thread(target=work, args=[i], daemon=True) for i in range(n_threads)]
        threads.append(threading.Thread(target=train, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()) + 120)
        wrong += [f"{thread.name} hangs" for thread in threads if thread.is_alive()]
    return counts, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=600)
    chosen = parser.parse_args()
    sys.setswitchinterval(1e-4)
    done, failures = run(chosen.threads, chosen.seconds)
    print(dict(done), f"{len(failures)} wrong")
    print("\n".join(failures))
    sys.exit(bool(failures))
