"""The process that analyses, in the background, what a `Tracker` records."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from relutopo.files import atomic_write, locked
from relutopo.geometry.storage import load_network
from relutopo.learning.analysis import Row
from relutopo.learning.checkpoints import TrainingRun
from relutopo.learning.datasets import Dataset
from relutopo.learning.homology_signatures import HomologySettings, analyse_homology
from relutopo.learning.model_files import accuracy
from relutopo.learning.signatures import AnalysisSettings, analyse
from relutopo.tracking.board import Board

__all__ = ["work"]

_PAUSE = 0.05


def work(directory: Path, parent: int) -> None:
    """Analyse what waits until the tracker closes, or its process is gone, and nothing waits."""
    values = json.loads((directory / "settings.json").read_text())
    dataset = TrainingRun(directory).dataset
    board = Board(values["tensorboard"])
    while True:
        is_closing = (directory / "closing").exists() or os.getppid() != parent
        waiting = sorted(directory.glob("pending/*.json"))
        if not waiting:
            if is_closing:
                break
            time.sleep(_PAUSE)
            continue
        note, copy = waiting[0], waiting[0].with_suffix(".npz")
        try:
            row = json.loads(note.read_text())
        except ValueError:  # a loss of power, which the tracker does not guard against
            print(f"{note} is damaged; the step is lost", file=sys.stderr, flush=True)
        else:
            row |= _analyse(copy, dataset, values, row["step"])
            with atomic_write(directory / "rows" / note.name) as file:
                file.write(json.dumps(row).encode())
            board.add(row)
        note.unlink()
        copy.unlink(missing_ok=True)
    board.close()


def _analyse(copy: Path, dataset: Dataset, values: Mapping[str, Any], step: int) -> Row:
    row: Row = {"train_accuracy": np.nan, "held_out_accuracy": np.nan, "error": None}
    try:
        network = load_network(copy)
        data = dataset.points, dataset.targets
        held_out = dataset.held_out_points, dataset.held_out_targets
        row["train_accuracy"] = accuracy(network, *data)
        row["held_out_accuracy"] = accuracy(network, *held_out)
        if values["analysis"] == "partition":
            settings = AnalysisSettings(**values["settings"])
            return row | analyse(network, dataset, settings).row
        of_homology = HomologySettings(**values["settings"])
        return row | analyse_homology(network, dataset, of_homology, step=step).row
    except Exception as error:  # one bad step must not end the record of a training run
        return row | {"error": f"{type(error).__name__}: {error}"}


def give_way() -> None:
    """Let every other process go first."""
    os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):  # some containers forbid it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    give_way()
    # The tracker tells its number: its process may be gone before this one could ask.
    folder, tracker = Path(sys.argv[1]), int(sys.argv[2])
    with locked(folder / "lock"):
        work(folder, tracker)
