"""Data from the user's files: arrays of NumPy, or tables of text.

Nothing in a file is executed when it is read.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.system.archives import read_arrays
from relutopo.system.untrusted import open_regular

__all__ = ["data_file"]

_NAMES = {
    "points": ("points", "X", "x", "X_train", "x_train"),
    "targets": ("targets", "y", "labels", "Y", "y_train"),
    "held_out_points": ("held_out_points", "X_test", "x_test"),
    "held_out_targets": ("held_out_targets", "y_test"),
}
"""Names of arrays in files, ours and common other ones."""
_TABLES = {".csv", ".tsv", ".txt"}
_TARGETS = ("target", "targets", "label", "labels", "class", "y")
"""Headings of the column of targets, in lower case."""
_HOW = "write it with numpy.savez(path, points=..., targets=...)"


def data_file(path: str, classes: Sequence[str] | None = None) -> Dataset:
    """Read points and targets from a file.

    Parameters
    ----------
    path : str
        A ``.npz`` file with the arrays ``points`` (n, d) and ``targets`` (n,), and, if there are
        points that training never saw, ``held_out_points`` and ``held_out_targets``. Also accepted:
        ``X`` and ``y``, or ``x_train`` and ``y_train`` with ``x_test`` and ``y_test``. Points may
        have any shape after their first axis, such as (n, 1, 28, 28). Or a table of text, ``.csv``,
        ``.tsv`` or ``.txt``, with one point in each line, separated by commas, semicolons, tabs or
        blanks: the targets are the column with the heading target, label, class or y, otherwise
        the last one. Targets are labels of any kind, or values.
    classes : sequence of str, optional
        Of labels that are words, the order in which a network's outputs stand for them; by default
        the alphabetical one.

    Returns
    -------
    Dataset
        Named like the file; headings of a table are its `features`.

    Raises
    ------
    InputError
        If the file or an array is missing, cannot be read, or has no numbers, or one of the
        held-out arrays is given without the other.
    """
    if not os.path.isfile(path):
        raise InputError(f"`data.path` names the file {path!r}, which does not exist; check it")
    read = _table if Path(path).suffix.lower() in _TABLES else _arrays
    return read(path, None if classes is None else tuple(classes))


def _arrays(path: str, classes: tuple[str, ...] | None) -> Dataset:
    present: list[str] = []

    def is_known(name: str) -> bool:
        present.append(name)
        return any(name in names for names in _NAMES.values())

    try:
        arrays = read_arrays(path, is_known)
    except Exception as error:
        # An unreadable file may raise value, end-of-file, zip or type errors.
        raise InputError(
            f"{path!r} cannot be read ({type(error).__name__}: {error}); {_HOW}, or a table of "
            "text as .csv"
        ) from error
    found: dict[str, NDArray[Any]] = {}
    for role, names in _NAMES.items():
        same = [name for name in names if name in arrays]
        if len(same) > 1:
            raise InputError(
                f"{path!r} must have one array for {role.replace('_', ' ')}, got "
                f"{' and '.join(same)}; leave out all but one"
            )
        if same:
            found[role] = arrays[same[0]]
    missing = [name for name in ("points", "targets") if name not in found]
    if missing:
        raise InputError(
            f"{path!r} must have the arrays 'points' and 'targets', or 'X' and 'y', got "
            f"{sorted(present)}; {_HOW}"
        )
    if len(found) == 3:
        raise InputError(
            f"{path!r} must have both 'held_out_points' and 'held_out_targets' or neither, got "
            f"{sorted(present)}; add the other, or leave out both"
        )
    for role, array in found.items():
        kinds, words = ("biufU", "numbers or words") if "targets" in role else ("biuf", "numbers")
        if array.dtype.kind not in kinds or not array.size:
            raise InputError(
                f"{role!r} in {path!r} must be {words}, for at least one point, got "
                f"{array.dtype} of shape {array.shape}; write for example classes as 0 and 1"
            )
    flat: dict[str, Any] = {
        role: _flat(array) if "points" in role else array for role, array in found.items()
    }
    return Dataset(Path(path).stem, **flat, classes=classes)


def _flat(points: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    return array if array.ndim < 2 else array.reshape(len(array), -1)


def _table(path: str, classes: tuple[str, ...] | None) -> Dataset:
    lines = _lines(path)
    if not lines:
        raise InputError(f"{path!r} must have a line for each point, got none; check the file")
    width = len(lines[0][1])
    for number, cells in lines:
        if len(cells) != width or width < 2:
            raise InputError(
                f"{path!r} must have a point and its target in each line, got {len(cells)} entries "
                f"in line {number} and {width} in line {lines[0][0]}; separate them by commas"
            )
    heading = lines[0][1]
    named = [k for k, name in enumerate(heading) if name.strip().lower() in _TARGETS]
    if len(named) > 1:
        raise InputError(
            f"{path!r} must have one column of targets, got "
            f"{', '.join(heading[k] for k in named)}; rename all but one"
        )
    target = named[0] if named else width - 1
    columns = [k for k in range(width) if k != target]
    has_heading = bool(named) or not all(_is_number(heading[k]) for k in columns)
    rows = lines[1:] if has_heading else lines
    if not rows:
        raise InputError(f"{path!r} must have a line for each point, got a heading only; add them")
    if has_heading and not heading[0].strip() and target != 0:
        # The numbers of the rows, as pandas writes them, are no coordinate.
        raise InputError(
            f"{path!r} must have a heading over each column, got none over the first; name it, or "
            "leave the numbers of the rows out, in pandas by to_csv(path, index=False)"
        )
    points = np.empty((len(rows), len(columns)))
    for row, (number, cells) in enumerate(rows):
        for axis, k in enumerate(columns):
            if not _is_number(cells[k]) or not np.isfinite(float(cells[k])):
                called = f"column {heading[k]!r}" if has_heading else f"column {k + 1}"
                raise InputError(
                    f"{path!r} must have finite numbers but in its column of targets, got "
                    f"{cells[k]!r} in line {number}, {called}; drop or repair it"
                )
            points[row, axis] = float(cells[k])
    return Dataset(
        Path(path).stem,
        points,
        _labels(path, [(number, cells[target]) for number, cells in rows]),
        features=tuple(heading[k].strip() for k in columns) if has_heading else None,
        classes=classes,
    )


def _lines(path: str) -> list[tuple[int, Sequence[str]]]:
    """Return the lines that are not empty, with their numbers from 1, as lists of entries."""
    try:
        with open_regular(path) as file:
            text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path!r} cannot be read as text ({error.reason}); save it as UTF-8, or {_HOW}"
        ) from error
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    most = max(",;\t", key=first.count)
    if not first.count(most):  # separated by any number of blanks
        cells: list[Sequence[str]] = [line.split() for line in lines]
    else:
        cells = [next(csv.reader([line], delimiter=most, skipinitialspace=True), [])
                 for line in lines]  # fmt: skip
    return [(k + 1, entries) for k, entries in enumerate(cells) if any(map(str.strip, entries))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _labels(path: str, cells: list[tuple[int, str]]) -> NDArray[Any]:
    """Return the targets as numbers if all are numbers, otherwise as words."""
    for number, cell in cells:
        if not cell.strip():
            raise InputError(
                f"{path!r} must have a target in each line, got none in line {number}; drop points "
                "without a target"
            )
    words = [cell.strip() for _, cell in cells]
    return np.array([float(word) for word in words] if all(map(_is_number, words)) else words)
