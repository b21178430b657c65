"""How much slower training is with a tracker attached.

Pairs of runs, without and with a tracker in alternating order, train the same network from the
same initialisation, for as many steps as take some seconds. What counts is the time from before
the tracker is made to after the last step, while the analysis goes on beside it; waiting for the
analysis afterwards is told apart. There are two situations:

    one thread   500 points, nn.Sequential; the analysis finds the other cores free
    all cores    20000 points, a module of a class of one's own; torch uses every core, so that the
                 analysis can only have what training leaves over

Wall-clock time is what a person waits. Processor time of the training process shows what the
tracker does in it, whatever else the machine does. The median of n ratios lies between the least
and the greatest of them except with probability 2^(1 - n). Run it alone on a machine with at
least two cores; it takes less than three minutes:

    python benchmarks/bench_tracker.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.trainer import MlpSettings, build_mlp
from relutopo.tracking import Tracker

LIMIT = 1.10
HIDDEN = MlpSettings([8] * 5)


class OwnClass(nn.Module):
    """What people write."""

    def __init__(self) -> None:
        super().__init__()
        self.body = build_mlp(2, HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


@dataclass(frozen=True)
class Situation:
    """How a network is trained."""

    n_points: int
    n_threads: int
    is_own_class: bool

    def model(self) -> nn.Module:
        torch.manual_seed(0)
        return OwnClass() if self.is_own_class else build_mlp(2, HIDDEN)


SITUATIONS = {
    "one thread": Situation(500, 1, False),
    "all cores": Situation(20_000, len(os.sched_getaffinity(0)), True),
}


@dataclass(frozen=True)
class Run:
    """What one run took, in seconds, and how many networks were recorded."""

    wall: float
    processor: float
    waiting: float = 0.0
    n_rows: int = 0


def train(situation: Situation, dataset: Dataset, n_steps: int, folder: str | None = None) -> Run:
    """Train once, with a tracker if there is a folder for it."""
    model = situation.model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
    x, y = torch.tensor(dataset.points), torch.tensor(dataset.targets)
    begin = time.perf_counter(), time.process_time()
    tracker = None if folder is None else Tracker(folder, dataset)
    for step in range(n_steps + 1):
        loss = nn.functional.mse_loss(model(x)[:, 0], y)
        if tracker is not None:
            tracker.step(model, step, loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    wall, processor = time.perf_counter() - begin[0], time.process_time() - begin[1]
    if tracker is None:
        return Run(wall, processor)
    tracker.close()
    waiting = time.perf_counter() - begin[0] - wall
    rows = tracker.rows
    failed = [row["error"] for row in rows if row["error"] is not None]
    assert not failed, failed[0]
    return Run(wall, processor, waiting, len(rows))


def compare(situation: Situation, seconds: float, n_pairs: int) -> dict[str, Any]:
    """Train pairs of runs, and return their ratios."""
    torch.set_num_threads(situation.n_threads)
    dataset = two_moons(situation.n_points)
    train(situation, dataset, 20)  # warm up
    with tempfile.TemporaryDirectory() as folder:  # also the analysis, which compiles once
        train(situation, dataset, 20, folder)
    probe = min(train(situation, dataset, 50).wall for _ in range(5))
    n_steps = max(100, round(50 * seconds / probe))
    pairs: list[tuple[Run, Run]] = []
    for number in range(n_pairs):
        runs: dict[bool, Run] = {}
        for is_tracked in sorted([False, True], reverse=bool(number % 2)):
            with tempfile.TemporaryDirectory() as folder:
                place = folder if is_tracked else None
                runs[is_tracked] = train(situation, dataset, n_steps, place)
        without, tracked = runs[False], runs[True]
        pairs.append((without, tracked))
        print(
            f"  {without.wall:.2f} s without, {tracked.wall:.2f} s with: ratio "
            f"{tracked.wall / without.wall:.3f}, of processor time "
            f"{tracked.processor / without.processor:.3f}; then {tracked.waiting:.1f} s of waiting",
            flush=True,
        )
    return {
        "n_steps": n_steps,
        "n_rows": pairs[0][1].n_rows,
        "wall": [tracked.wall / without.wall for without, tracked in pairs],
        "processor": [tracked.processor / without.processor for without, tracked in pairs],
    }


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one run")
    parser.add_argument("--only", choices=sorted(SITUATIONS))
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    chosen = parser.parse_args()
    results = {}
    for name, situation in SITUATIONS.items():
        if chosen.only in (None, name):
            print(f"{name} ({situation.n_threads}):")
            results[name] = compare(situation, chosen.seconds, chosen.pairs)
    print(f"\nmedian ratio [least, greatest] of {chosen.pairs} pairs; at most {LIMIT} wanted")
    for name, result in results.items():
        verdict = "met" if statistics.median(result["wall"]) <= LIMIT else "NOT met"
        print(
            f"{name}: {spread(result['wall'])}, {verdict}; of processor time "
            f"{spread(result['processor'])}; {result['n_rows']} networks recorded in "
            f"{result['n_steps']} steps"
        )
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
