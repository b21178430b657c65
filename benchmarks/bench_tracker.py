"""How much slower training is with a tracker attached.

Triples of runs, without, with and without a tracker, train the same network from the same
initialisation, for as many steps as take some seconds. A triple's ratio is the time of the run in
the middle over the mean of the two around it; the ratio of these two shows how much the machine
drifted meanwhile. What counts is the time from before the tracker is made to after the last step,
while the analysis goes on beside it; waiting for the analysis afterwards is told apart, and how
many networks were analysed before. There are two situations:

    one thread   500 points, nn.Sequential; the analysis finds the other cores free
    all cores    20000 points, a module of a class of one's own; torch uses every core, so that the
                 analysis can only have what training leaves over

Wall-clock time is what a person waits. Processor time of the training process shows what the
tracker does in it, whatever else the machine does. The median of n ratios lies between the least
and the greatest of them except with probability 2^(1 - n). Run it alone on a machine with at
least two cores; it takes four minutes:

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
        output: torch.Tensor = self.body(x)
        return output


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
    """What one run took, in seconds; how many networks were recorded, and analysed meanwhile."""

    wall: float
    processor: float
    waiting: float = 0.0
    n_rows: int = 0
    n_meanwhile: int = 0


@dataclass(frozen=True)
class Triple:
    """Three runs, one after another."""

    before: Run
    tracked: Run
    after: Run

    @property
    def wall(self) -> float:
        """Ratio of wall-clock times."""
        return 2 * self.tracked.wall / (self.before.wall + self.after.wall)

    @property
    def processor(self) -> float:
        """Ratio of processor times."""
        return 2 * self.tracked.processor / (self.before.processor + self.after.processor)

    @property
    def drift(self) -> float:
        """Ratio of the wall-clock times without a tracker."""
        return self.after.wall / self.before.wall


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
    n_meanwhile = len(tracker.rows)
    begin_closing = time.perf_counter()
    tracker.close()
    waiting = time.perf_counter() - begin_closing
    rows = tracker.rows
    failed = [row["error"] for row in rows if row["error"] is not None]
    assert not failed, failed[0]
    return Run(wall, processor, waiting, len(rows), n_meanwhile)


def compare(situation: Situation, seconds: float, n_triples: int) -> dict[str, Any]:
    """Train triples of runs, and return their ratios."""
    torch.set_num_threads(situation.n_threads)
    dataset = two_moons(situation.n_points)
    train(situation, dataset, 20)  # warm up
    with tempfile.TemporaryDirectory() as folder:  # also the analysis, which compiles once
        train(situation, dataset, 20, folder)
    probe = min(train(situation, dataset, 50).wall for _ in range(5))
    n_steps = max(100, round(50 * seconds / probe))
    triples: list[Triple] = []
    for _ in range(n_triples):
        before = train(situation, dataset, n_steps)
        with tempfile.TemporaryDirectory() as folder:
            tracked = train(situation, dataset, n_steps, folder)
        triple = Triple(before, tracked, train(situation, dataset, n_steps))
        triples.append(triple)
        print(
            f"  {before.wall:.2f}, {tracked.wall:.2f}, {triple.after.wall:.2f} s: ratio "
            f"{triple.wall:.3f}, of processor time {triple.processor:.3f}; drift "
            f"{triple.drift:.3f}; {tracked.n_meanwhile} of {tracked.n_rows} networks analysed "
            f"meanwhile, then {tracked.waiting:.1f} s of waiting",
            flush=True,
        )
    return {
        "n_steps": n_steps,
        "n_rows": triples[0].tracked.n_rows,
        "n_meanwhile": [triple.tracked.n_meanwhile for triple in triples],
        "wall": [triple.wall for triple in triples],
        "drift": [triple.drift for triple in triples],
        "processor": [triple.processor for triple in triples],
    }


def spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--triples", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one run")
    parser.add_argument("--only", choices=sorted(SITUATIONS))
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    chosen = parser.parse_args()
    results = {}
    for name, situation in SITUATIONS.items():
        if chosen.only in (None, name):
            print(f"{name} ({situation.n_threads}):")
            results[name] = compare(situation, chosen.seconds, chosen.triples)
    print(f"\nmedian ratio [least, greatest] of {chosen.triples} triples; at most {LIMIT} wanted")
    for name, result in results.items():
        verdict = "reached" if statistics.median(result["wall"]) <= LIMIT else "NOT reached"
        print(
            f"{name}: {spread(result['wall'])}, {verdict}; drift {spread(result['drift'])}; of "
            f"processor time {spread(result['processor'])}; {result['n_rows']} networks recorded "
            f"in {result['n_steps']} steps, {statistics.median(result['n_meanwhile']):g} analysed "
            "meanwhile"
        )
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
