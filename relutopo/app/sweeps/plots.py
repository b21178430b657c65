"""Figures of sweeps: what was measured against what was swept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from relutopo.errors import InputError
from relutopo.plots.style import BLUE, MUTED, new_figure, open_frame, style
from relutopo.reports.text import natural_sort
from relutopo.system.untrusted import printable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_measure"]

_LONGEST = 60
"""Characters of a name."""
_WIDEST = 60.0
_LEAST_SPAN = 0.1
"""Of the axis of a measure, as a share of its values."""
_FEW = 6
"""Whole numbers, up to so many, that all stand at the axis."""
_MANY = 8
"""Names beyond so many stand upright, and widen their panel."""


def plot_measure(table: pd.DataFrame, keys: Sequence[str], measure: str) -> Figure:
    """Draw a measure against each of some parameters: every job, means and standard deviations.

    A value that one job has shows that job alone.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each job.
    keys : sequence of str
        Columns of parameters, at least one. Numbers get an axis of numbers, which is logarithmic
        from one power of ten on; names get places, ordered as by
        `relutopo.reports.text.natural_sort`.
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
    with style():
        widths = [_width(table[key]) for key in keys]
        figure = new_figure(max(3.2, sum(widths)), 3.3, layout="constrained")
        grid = figure.subplots(1, len(keys), sharey=True, width_ratios=widths)
        panels = np.ravel(grid)
        for ax, key in zip(panels, keys, strict=True):
            _draw(ax, table, key, measure)
        panels[0].set_ylabel(_label(measure.replace("_", " ")))
        _widen(panels[0], table[measure])
        marks = [
            mark for ax in panels for mark in zip(*ax.get_legend_handles_labels(), strict=True)
        ]
        kinds = {label: handle for handle, label in marks}
        figure.legend(kinds.values(), kinds.keys(), loc="outside lower center", ncols=len(kinds))
    return figure


def _widen(ax: Axes, values: pd.Series[Any]) -> None:
    """Let the axis of the measure span a tenth of its size at least: less is no effect.

    That of shares ends at 1.
    """
    low, high = ax.get_ylim()
    least = _LEAST_SPAN * max(abs(low), abs(high))
    if 0 < high - low < least:
        middle = (low + high) / 2
        if values.min() >= 0 and values.max() <= 1:
            middle = min(middle, 1.0 - 0.45 * least)
        ax.set_ylim(middle - least / 2, middle + least / 2)


def _width(values: pd.Series[Any]) -> float:
    """Return the width of a panel in inches."""
    n_names = 0 if _are_numbers(values) else values.nunique(dropna=False)
    return min(max(2.6, 0.22 * n_names), _WIDEST)


def _draw(ax: Axes, table: pd.DataFrame, key: str, measure: str) -> None:
    groups = {value: rows[measure].dropna() for value, rows in table.groupby(key, dropna=False)}
    values = natural_sort(groups)
    places = dict(zip(values, _places(ax, values), strict=True))
    jobs = [(places[value], y) for value in values for y in groups[value]]
    if jobs:
        x, y = np.transpose(jobs)
        ax.plot(x, y, "o", color=MUTED, markersize=2.5, alpha=0.6, label="job")
    several = [(places[v], groups[v].mean(), groups[v].std()) for v in values if len(groups[v]) > 1]
    if several:
        x, means, spread = np.transpose(several)
        ax.errorbar(
            x, means, spread, fmt="s", color=BLUE, markersize=4, capsize=3, linewidth=1.2,
            label="mean, standard deviation",
        )  # fmt: skip
    ax.set_xlabel(_label(str(key)))
    open_frame(ax, grid="y")


def _places(ax: Axes, values: list[Any]) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    if _are_numbers(values):
        if all(isinstance(value, int) for value in values):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if len(values) <= _FEW:
                ax.set_xticks([float(value) for value in values])
        above = [value for value in values if value > 0]
        if above and min(values) >= 0 and max(above) >= 10 * min(above):
            if min(values) > 0:
                ax.set_xscale("log")
            else:  # zero is no part of a logarithmic axis; here it stands a decade before the rest
                ax.set_xscale("symlog", linthresh=min(above), linscale=1.0)
        return [float(value) for value in values]
    slant: Any = {"rotation": 90} if len(values) > _MANY else {"rotation": 30, "ha": "right"}
    ax.set_xticks(range(len(values)), [_label(value) for value in values], **slant)
    ax.set_xlim(-0.5, len(values) - 0.5)
    return [float(i) for i in range(len(values))]


def _label(value: Any) -> str:
    r"""Return a name as it is, but for what matplotlib would take for a formula.

    Examples
    --------
    >>> print(_label("$x"))
    \$x
    """
    text = printable(str(value))
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return text.replace("$", r"\$")


def _are_numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
