"""Figures of sweeps: what was measured against what was swept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from relutopo import drawing
from relutopo.drawing import BLUE, MUTED
from relutopo.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_measure"]

_DECADES = 2
"""A parameter that spans more powers of ten than this gets a logarithmic axis."""


def plot_measure(table: pd.DataFrame, keys: Sequence[str], measure: str) -> Figure:
    """Draw a measure against each of some parameters: every job, means and standard deviations.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each job.
    keys : sequence of str
        Columns of parameters, at least one. Numbers get an axis of numbers, names places in
        alphabetical order.
    measure : str
        The column to draw.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each parameter.

    Raises
    ------
    InputError
        If the table is empty or lacks a column, or there is no parameter.
    """
    missing = [name for name in (*keys, measure) if name not in table.columns]
    if missing or not len(table) or not keys:
        raise InputError(
            f"`table` must have a row for each job, a column for each of `keys` (at least one) and "
            f"{measure!r}, got {len(table)} rows, keys {list(keys)}"
            + (f" and no {', '.join(missing)}" if missing else "")
            + "; pass the table of a sweep's jobs"
        )
    with drawing.style():
        figure = drawing.new_figure(max(3.2, 2.6 * len(keys)), 3.0, layout="constrained")
        panels = np.ravel(figure.subplots(1, len(keys), sharey=True))
        for ax, key in zip(panels, keys, strict=True):
            _draw(ax, table, key, measure)
        panels[0].set_ylabel(measure)
    return figure


def _draw(ax: Axes, table: pd.DataFrame, key: str, measure: str) -> None:
    groups = {value: rows[measure].dropna() for value, rows in table.groupby(key, dropna=False)}
    places = _places(ax, list(groups))
    for place, values in zip(places, groups.values(), strict=True):
        ax.plot(np.full(len(values), place), values, "o", color=MUTED, markersize=2.5, alpha=0.6)
    means = [values.mean() for values in groups.values()]
    spread = [values.std() if len(values) > 1 else 0.0 for values in groups.values()]
    ax.errorbar(places, means, spread, fmt="s", color=BLUE, markersize=4, capsize=3, linewidth=1.2)
    ax.set_xlabel(key)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _places(ax: Axes, values: list[Any]) -> list[float]:
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        if min(values) > 0 and max(values) > 10**_DECADES * min(values):
            ax.set_xscale("log")
        return [float(value) for value in values]
    ax.set_xticks(range(len(values)), [str(value) for value in values], rotation=30, ha="right")
    ax.set_xlim(-0.5, len(values) - 0.5)
    return [float(i) for i in range(len(values))]
