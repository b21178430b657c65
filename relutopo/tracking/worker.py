"""Analyses, in a process of its own, what a `Tracker` records."""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from relutopo import registry
from relutopo.analyses.base import Row, restored
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.learning.model_files import accuracy
from relutopo.learning.runs import TrainingRun
from relutopo.networks.storage import load_network
from relutopo.signatures.subject import made
from relutopo.system.files import atomic_write, remove_leftovers
from relutopo.system.untrusted import PLAIN, read_json
from relutopo.tracking.tensorboard import Board

__all__ = ["work"]

_Part = TypeVar("_Part")
_PAUSE = 0.2
"""Seconds between looks for new copies: each look wakes a process beside training."""


def work(directory: Path, is_closing: Callable[[], bool]) -> None:
    """Analyse what waits, until the tracker is closing and nothing waits."""
    remove_leftovers(directory)
    values = read_json(
        directory / "settings.json",
        {
            "format": int,
            "analysis": {str: PLAIN},
            "slice": (None, str),
            "input_shape": (None, [int]),
            "tensorboard": (None, str),
            "keep": bool,
        },
        "the settings of a tracker",
        "begin in a new folder",
    )
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
            form = {"step": int, "loss": float}
            row = read_json(note, form, "a note of a tracker", "record the step again")
        except InputError as error:  # a loss of power, which the tracker does not guard against
            print(f"{note} is damaged; the step is lost: {error}", file=sys.stderr, flush=True)
        else:
            row |= _analyse(copy, dataset, values, row["step"])
            with atomic_write(directory / "rows" / note.name) as file:
                file.write(json.dumps(row).encode())
            board.add(row)
        note.unlink()  # first: what has a note is analysed again after a kill
        if values["keep"] and copy.is_file():
            (directory / "networks").mkdir(exist_ok=True)
            os.replace(copy, directory / "networks" / copy.name)
        copy.unlink(missing_ok=True)
    board.close()


def _analyse(copy: Path, dataset: Dataset, values: Mapping[str, Any], step: int) -> Row:
    row: Row = {"train_accuracy": np.nan, "held_out_accuracy": np.nan, "error": None}
    try:
        network = load_network(copy)
        data = dataset.points, dataset.targets
        held_out = dataset.held_out_points, dataset.held_out_targets
        row["train_accuracy"] = accuracy(network, dataset, *data)
        row["held_out_accuracy"] = accuracy(network, dataset, *held_out)
        analysis = restored(values["analysis"])
        if not isinstance(analysis, CheckpointAnalysis):
            raise InputError(
                f"the settings of a tracker must be of a CheckpointAnalysis, got {analysis!r}; "
                "begin in a new folder"
            )
        analysis = _in_one_thread(analysis)
        return row | analysis.analyse(network, dataset, step=step).row
    except Exception as error:  # one bad step must not end the record of a training run
        return row | {"error": f"{type(error).__name__}: {error}"}


def _in_one_thread(part: _Part) -> _Part:
    """Let backends use one thread unless they are told otherwise: other threads do not rest."""
    if not is_dataclass(part):  # a signature of somebody else, who knows what it chooses
        return part
    changed: dict[str, Any] = {}
    for role in {"enumerator", "eigensolver", "reducer"} & {entry.name for entry in fields(part)}:
        entry = getattr(part, role)
        entry = {"name": entry} if isinstance(entry, str) else entry
        if isinstance(entry, Mapping) and "name" in entry:
            parameters = inspect.signature(registry.constructor(role, entry["name"])).parameters
            if "n_threads" in parameters:
                changed[role] = {"n_threads": 1, **entry}
    if getattr(part, "n_threads", 1) is None:
        changed["n_threads"] = 1
    if isinstance(part, CheckpointAnalysis):
        signatures = (made("signature", choice) for choice in part.signatures)
        changed["signatures"] = tuple(map(_in_one_thread, signatures))
    again: _Part = replace(part, **changed)  # type: ignore[type-var]
    return again
