"""How much slower training is with a tracker attached.

Pairs of runs, without and with a tracker in changing order, train the same network from the same
initialisation with one thread; what counts is the training loop, from the first step to the last,
while the analysis goes on beside it. Wall-clock time is what a person waits, but it means little
where other programs run; processor time of the training process shows what the tracker does in
it, whatever else the machine does. Run it alone on a machine with two free cores:

    python benchmarks/bench_tracker.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch

from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.trainer import MlpSettings, build_mlp
from relutopo.tracking import Tracker

LIMIT = 1.10


def train(
    dataset: Dataset, network: MlpSettings, n_steps: int, tracker: Tracker | None
) -> tuple[float, float]:
    """Train once; return the seconds that the loop takes, by the clock and of the processor."""
    model = build_mlp(2, network)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.1)
    x, y = torch.tensor(dataset.points), torch.tensor(dataset.targets)
    begin = time.perf_counter(), time.process_time()
    for step in range(n_steps + 1):
        loss = torch.nn.functional.mse_loss(model(x)[:, 0], y)
        if tracker is not None:
            tracker.step(model, step, loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begin[0], time.process_time() - begin[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--hidden", type=int, nargs="+", default=[8] * 5)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    dataset, network = two_moons(), MlpSettings(chosen.hidden)
    train(dataset, network, 200, None)  # warm up
    ratios: list[tuple[float, float]] = []
    n_rows = 0
    for pair in range(chosen.pairs):
        seconds: dict[bool, tuple[float, float]] = {}
        for tracked in sorted([False, True], reverse=bool(pair % 2)):
            with tempfile.TemporaryDirectory() as folder:
                tracker = Tracker(folder, dataset) if tracked else None
                seconds[tracked] = train(dataset, network, chosen.steps, tracker)
                if tracker is not None:
                    tracker.close()
                    n_rows = len(tracker.rows)
        wall, processor = (seconds[True][i] / seconds[False][i] for i in range(2))
        ratios.append((wall, processor))
        print(
            f"pair {pair}: {seconds[False][0]:.2f} s without, {seconds[True][0]:.2f} s with, "
            f"ratio {wall:.3f}, of processor time {processor:.3f}",
            flush=True,
        )
    medians = [statistics.median(column) for column in zip(*ratios, strict=True)]
    print(
        f"{n_rows} networks recorded; median ratio {medians[0]:.3f}, of processor time "
        f"{medians[1]:.3f}; at most {LIMIT} wanted"
    )
    if chosen.json:
        chosen.json.write_text(json.dumps({"ratios": ratios, "medians": medians, "n_rows": n_rows}))


if __name__ == "__main__":
    main()
