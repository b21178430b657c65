"""Analyses, in a process of its own, what a `Tracker` records."""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from relutopo import registry
from relutopo.analyses.base import Row
from relutopo.analyses.homology import HomologySettings, analyse_homology
from relutopo.analyses.partition import AnalysisSettings, analyse
from relutopo.learning.datasets import Dataset
from relutopo.learning.model_files import accuracy
from relutopo.learning.runs import TrainingRun
from relutopo.networks.storage import load_network
from relutopo.system.files import atomic_write
from relutopo.tracking.tensorboard import Board

__all__ = ["work"]

_PAUSE = 0.2
"""Seconds between looks for new copies: each look wakes a process beside training."""


def work(directory: Path, is_closing: Callable[[], bool]) -> None:
    """Analyse what waits, until the tracker is closing and nothing waits."""
    values = json.loads((directory / "settings.json").read_text())
    dataset = TrainingRun(directory).dataset
    board = Board(values["tensorboard"])
    while True:
        is_last_look = is_closing()
        waiting = sorted(directory.glob("pending/*.json"))
        if not waiting:
            if is_last_look:
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
        options = _in_one_thread(values["settings"])
        if values["analysis"] == "partition":
            return row | analyse(network, dataset, AnalysisSettings(**options)).row
        return row | analyse_homology(network, dataset, HomologySettings(**options), step=step).row
    except Exception as error:  # one bad step must not end the record of a training run
        return row | {"error": f"{type(error).__name__}: {error}"}


def _in_one_thread(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Let backends use one thread unless they are told otherwise: other threads do not rest."""
    changed = dict(settings)
    for role in {"enumerator", "eigensolver", "reducer"} & settings.keys():
        entry = settings[role]
        if "name" in entry:
            parameters = inspect.signature(registry.constructor(role, entry["name"])).parameters
            if "n_threads" in parameters:
                changed[role] = {"n_threads": 1, **entry}
    return changed
