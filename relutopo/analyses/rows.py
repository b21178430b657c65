"""Rows of an analysis on disk, of which only missing ones are computed.

An analysis gives one flat row for each checkpoint. Rows are files,
``analysis/<key>/step_000300.json`` in the run's folder, written as soon as they are known. The
key is a hash of the analysis settings and of the code that computes, so an interrupted analysis
continues where it stopped, and rows of different settings never mix.

Invariant: a row depends only on the checkpoint, the data and the settings (except for columns that
start with ``seconds``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from relutopo.analyses.base import Row
from relutopo.interfaces import Progress
from relutopo.system.files import atomic_write, save_json
from relutopo.system.untrusted import PLAIN, read_json

__all__ = ["kept_rows", "timed"]


class timed:
    """Put the wall-clock time of a block into the column ``seconds_<stage>``."""

    def __init__(self, row: Row, stage: str) -> None:
        self._row, self._stage = row, stage

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._row[f"seconds_{self._stage}"] = time.perf_counter() - self._begin


def kept_rows(
    folder: Path,
    settings: Mapping[str, Any],
    steps: Sequence[int],
    analyse: Callable[[int], Row],
    progress: Progress | None = None,
) -> list[Row]:
    """Return a row for each step; compute and write those that are not in the folder.

    Parameters
    ----------
    folder : Path
        Of rows with these settings.
    settings : mapping
        Plain values, written beside the rows.
    steps : sequence of int
    analyse : callable
        Takes a step and returns its row, of values that JSON can hold.
    progress : Progress, optional
        Called after each step with (steps done, steps, message).

    Returns
    -------
    list of dict
        One row for each step, in order.

    Raises
    ------
    InputError
        If a row cannot be read.
    """
    if not (folder / "settings.json").is_file():
        save_json(settings, folder / "settings.json")
    rows: list[Row] = []
    for step in steps:
        path = folder / f"step_{step:06d}.json"
        if path.is_file():
            row = _read_row(path)
        else:
            row = analyse(step)
            with atomic_write(path) as file:
                file.write(json.dumps(row).encode())
        rows.append(row)
        if progress is not None:
            size = f", {row['n_regions']} regions" if "n_regions" in row else ""
            progress(len(rows), len(steps), f"step {step}{size}")
    return rows


def _read_row(path: Path) -> Row:
    values = (None, bool, float, str, [PLAIN])
    row: Row = read_json(path, {str: values}, "a row", "delete it to compute it again")
    return row
