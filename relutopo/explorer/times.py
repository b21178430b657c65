"""The time line of a run: curves against the training step, and the places of frames on it.

Invariant: a curve has a point at every frame at which it has a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from relutopo.analyses.partition_summary import GENERALISED, learning_steps
from relutopo.learning.runs import History
from relutopo.reports.columns import Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StepAxis", "panels_of", "time_line"]

_MOST_POINTS = 600
"""Pairs of points of a curve that are kept: the least and the greatest of this many intervals."""
_LOGARITHMIC = 50.0
"""From this ratio of the last to the first step on, the axis is logarithmic."""
_ACCURACIES = {"train_accuracy": "train accuracy", "held_out_accuracy": "held-out accuracy"}
_LOSSES = {"train_loss": "train loss", "held_out_loss": "held-out loss"}
_AGREEMENTS = {
    "weighted_agreement": "agreement with labels, weighted",
    "chung_langlands_agreement": "agreement with labels, weighted",
    "unweighted_agreement": "agreement with labels, unweighted",
    "weighted_decision_by_points": "agreement with the decision",
    "chung_langlands_decision_by_points": "agreement with the decision",
}
_NUMBER = "number"
_FIRST = ("n_regions", "weighted_fiedler_value", "betti_1_peak_value")
"""The numbers that are listed first, where there are such."""


class StepAxis:
    """Places of steps: on a logarithmic axis, where step 0 has its own place, or evenly spaced.

    Parameters
    ----------
    steps : sequence of int
        Those of the checkpoints.

    Examples
    --------
    >>> axis = StepAxis([0, 1, 10, 100])
    >>> axis.at([1, 100]).tolist(), [tick["label"] for tick in axis.ticks]
    ([0.0, 2.0], ['0', '1', '10', '100'])
    >>> [tick["label"] for tick in StepAxis([0, 100, 200, 300]).ticks]
    ['0', '100', '200', '300']
    """

    def __init__(self, steps: Sequence[int]) -> None:
        positive = [step for step in steps if step > 0] or [1]
        self._first, self._last = positive[0], positive[-1]
        self._from_zero = 0 in steps
        self._is_logarithmic = self._last / self._first >= _LOGARITHMIC

    def at(self, steps: Iterable[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the places of steps."""
        numbers = np.asarray(list(steps), dtype=np.float64)
        if not self._is_logarithmic:
            return numbers
        # Steps before the first checkpoint are placed beside zero.
        zero = math.log10(self._first) - 0.5
        with np.errstate(divide="ignore"):
            return np.maximum(np.log10(numbers), zero)

    @property
    def ticks(self) -> list[dict[str, Any]]:
        """Places of some steps, with their names."""
        if self._is_logarithmic:
            low, high = math.ceil(math.log10(self._first)), math.floor(math.log10(self._last))
            steps = [10**k for k in range(low, high + 1)]
        else:
            rough = self._last / 4
            unit = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
            unit *= next(k for k in (1, 2, 5, 10) if k * unit >= rough)
            steps = list(range(unit, self._last + 1, unit))
        if self._from_zero:
            steps.insert(0, 0)
        places = self.at(steps)
        return [{"x": float(x), "label": str(n)} for x, n in zip(places, steps, strict=True)]


def panels_of(time: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the curves in each panel."""
    found = {name: [curve["name"] for curve in curves] for name, curves in time["panels"].items()}
    return found | ({_NUMBER: [_NUMBER]} if time["numbers"] else {})


def time_line(
    steps: Sequence[int],
    history: History,
    table: pd.DataFrame,
    columns: Iterable[Column],
    dim: int,
    *,
    has_classes: bool = True,
) -> dict[str, Any]:
    """Return the curves of a run, for the page.

    Parameters
    ----------
    steps : sequence of int
        Those of the frames, ascending.
    history : History
        Loss and accuracy.
    table : pandas.DataFrame
        A row for each checkpoint that was analysed, with the column ``step``.
    columns : iterable of Column
        What the columns of the table are.
    dim : int
        Dimensions of the complexes.
    has_classes : bool
        Whether the targets are labels, of which accuracies tell something.
    """
    table = table.sort_values("step")
    axis = StepAxis(sorted({*steps, *table["step"].tolist()}))
    kept = np.asarray(sorted(steps), dtype=np.int64)
    panels: dict[str, list[dict[str, Any]]] = {"loss": [], "share": []}
    known = {"loss": _LOSSES, "share": _ACCURACIES if has_classes else {}}
    for panel, names in known.items():
        for name, label in names.items():
            at = history.train_steps if name.startswith("train") else history.held_out_steps
            values = getattr(history, name)
            shown = np.isfinite(values) & ((values > 0) | (panel == "share"))
            if shown.any():
                chosen = _thinned(axis.at(at[shown]), values[shown], np.isin(at[shown], kept))
                curve = _curve(name, label, axis.at(at[shown])[chosen], values[shown][chosen])
                panels[panel].append(curve)
    places = axis.at(table["step"].tolist())
    for name, label in _AGREEMENTS.items():
        panels["share"] += _of_table(table, places, name, label)
    numbers = []
    for column in columns:
        for k, name in enumerate(column.names(dim)):
            if column.unit == "text" or name == "step" or name.startswith("seconds"):
                continue
            words = name.replace("_", " ")
            label = f"number of {words[2:]}" if words.startswith("n ") else words
            unit = "" if column.unit == "1" else f" ({column.unit})"
            meaning = column.meaning + (f", k = {k}" if column.is_by_dimension else "")
            numbers += [
                curve | {"meaning": f"{meaning}{unit}"}
                for curve in _of_table(table, places, name, label)
            ]
    numbers.sort(key=lambda entry: _FIRST.index(entry["name"]) if entry["name"] in _FIRST else 99)
    shown_panels = {name: curves for name, curves in panels.items() if curves}
    if numbers:
        shown_panels[_NUMBER] = []
    return {
        "noun": "checkpoint",
        "title": "Training",
        "explained": "Touch the curves, or move the slider above the map, to go to a checkpoint.",
        "x": axis.at(kept).tolist(),
        "ticks": axis.ticks,
        "panels": shown_panels,
        "numbers": numbers,
        "events": _events(history, axis) if has_classes else [],
    }


def _of_table(
    table: pd.DataFrame, places: NDArray[np.float64], name: str, label: str
) -> list[dict[str, Any]]:
    """Return a column as a curve, or nothing if it has no number."""
    if name not in table.columns:
        return []
    values = table[name].to_numpy(dtype=np.float64)
    finite = np.isfinite(values)
    return [_curve(name, label, places[finite], values[finite])] if finite.any() else []


def _curve(name: str, label: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, Any]:
    return {"name": name, "label": label, "x": x.tolist(), "y": y.tolist()}


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], kept: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return which points of a curve to keep: those of frames, and what peaks between them."""
    if len(x) <= 2 * _MOST_POINTS:
        return np.arange(len(x))
    edges = np.linspace(x[0], x[-1], _MOST_POINTS + 1)
    interval = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, _MOST_POINTS - 1)
    by_value = np.lexsort((y, interval))
    firsts = np.flatnonzero(np.diff(interval[by_value], prepend=-1))
    lasts = np.append(firsts[1:], len(x)) - 1
    return np.unique(np.concatenate([by_value[firsts], by_value[lasts], np.flatnonzero(kept)]))


def _events(history: History, axis: StepAxis) -> list[dict[str, Any]]:
    """Return when the training set was fitted and when the network generalised."""
    if not np.isfinite(history.train_accuracy).any():
        return []
    steps = learning_steps(history)
    found: list[dict[str, Any]] = []
    for name, words in (
        ("fitted_step", "Dotted: train accuracy of 1"),
        ("generalised_step", f"Dashed: held-out accuracy of {GENERALISED}"),
    ):
        step = steps[name]
        if math.isnan(step):
            found.append({"x": None, "text": f"{words}: never."})
        else:
            text = f"{words}, first at step {step:.0f}."
            found.append({"x": float(axis.at([int(step)])[0]), "text": text})
    return found
