"""Time lines of training: measures of the checkpoints against the training step."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.checks import kind_of
from relutopo.errors import InputError
from relutopo.learning.rises import fit_step, rise
from relutopo.learning.spikes import find_spikes, running_median
from relutopo.plots import frames
from relutopo.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    NAMES_OF_KINDS,
    ORANGE,
    PALETTE,
    new_figure,
    open_frame,
    style_unless,
    tick_labels,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_spike_timeline", "plot_timeline", "step_axis"]

Look: TypeAlias = tuple[str, str, str, str]
"""Label, colour, marker and line of a curve."""

_KINDS = {
    "weighted": (BLUE, "o"),
    "chung_langlands": (BLUE, "o"),
    "count_plus_one": (GREEN, "^"),
    "unweighted": (ORANGE, "s"),
}


def _of_kinds(column: str) -> dict[str, Look]:
    """Return the curves of a column that each kind of partition has."""
    return {
        f"{kind}_{column}": (NAMES_OF_KINDS.get(kind, kind), *look, "-")
        for kind, look in _KINDS.items()
    }


def _of_paths(**looks: Look) -> dict[str, Look]:
    """Return curves of columns of segments, those of the analysis or those of the signature."""
    return {f"{prefix}{name}": look for prefix in ("", "paths_") for name, look in looks.items()}


# Panel -> column -> label, colour, marker and line.
_PANELS = {
    "loss": {"loss": ("", INK, "o", "-")},
    "accuracy": {
        "train_accuracy": ("train", INK, "o", "-"),
        "held_out_accuracy": ("held out", ORANGE, "s", "-"),
    },
    "agreement": {
        **_of_kinds("agreement"),
        "purity": ("purity (bound)", MUTED, "", "--"),
    },
    "agreement,\nheld out": {
        **_of_kinds("held_out_agreement"),
        "held_out_purity": ("purity (bound)", MUTED, "", "--"),
    },
    "separation": _of_kinds("separation"),
    "regions": {"n_regions": ("", INK, "o", "-")},
    "Fiedler value": _of_kinds("fiedler_value"),
    "Betti curves peak\nat the value": {
        "betti_0_peak_value": (r"$\beta_0$", BLUE, "o", "-"),
        "betti_1_peak_value": (r"$\beta_1$", ORANGE, "s", "-"),
        "betti_2_peak_value": (r"$\beta_2$", GREEN, "^", "-"),
    },
    "between points\nof one class": _of_paths(
        class_constant_same=("class constant", BLUE, "o", "-"),
        midpoint_accuracy=("midpoint right (control)", MUTED, "", "-"),
    ),
    "between points,\nin units of scale": _of_paths(
        jacobian=("slope", GREEN, "^", "-"),
        variation_diff=("variation, different labels", ORANGE, "s", "-"),
        departure_same=("departure, same label", BLUE, "o", "-"),
    ),
    "same label over\ndifferent labels": _of_paths(
        crossing_ratio=("crossings", ORANGE, "s", "-"),
        departure_ratio=("departure", BLUE, "o", "-"),
        hamming_ratio=("Hamming (control)", MUTED, "", "-"),
    ),
    "controls": _of_paths(
        weight_norm=("weight norm", MUTED, "", "-"), logit_scale=("logit scale", INK, "", "-")
    ),
    "decision boundary": {
        "boundary_betti_0": ("components", BLUE, "o", "-"),
        "boundary_betti_1": (r"$\beta_1$", ORANGE, "s", "-"),
    },
}
_SHARES = ("accuracy", "agreement", "agreement,\nheld out", "between points\nof one class")
_LOGARITHMIC = ("loss", "Fiedler value", "between points,\nin units of scale", "controls")
_OF_PATHS = ("class_constant_same", "paths_class_constant_same")
"""A table with one of these is about segments: there the half-rises are marked."""
# Column -> what happened at the step that it holds, the line that marks it, and the accuracy that
# was reached there.
_EVENTS = {
    "fitted_step": ("train 100 %", ":", "train_accuracy", 1.0),
    "generalised_step": ("held out ≥ 98 %", "--", "held_out_accuracy", 0.98),
}
_RISES = {"fit_step": ("train ≥ 99 %", ":"), "held_out_half_rise": ("held out half-way", "--")}
"""The events of a table about segments, see `relutopo.learning.rises`."""
_DEGREES = (BLUE, ORANGE, GREEN)
"""Colours of the Betti numbers of degrees 0, 1, ...; black are the loss and all cells."""


@overload
def plot_timeline(
    table: pd.DataFrame,
    columns: Sequence[str | Sequence[str]] | None = ...,
    *,
    axes: Sequence[Axes] | Axes,
    legend: bool = ...,
) -> Sequence[Axes]: ...


@overload
def plot_timeline(
    table: pd.DataFrame,
    columns: Sequence[str | Sequence[str]] | None = ...,
    *,
    axes: None = ...,
    legend: bool = ...,
) -> Figure: ...


def plot_timeline(
    table: pd.DataFrame,
    columns: Sequence[str | Sequence[str]] | None = None,
    *,
    axes: Sequence[Axes] | Axes | None = None,
    legend: bool = True,
) -> Figure | Sequence[Axes]:
    """Draw columns of a table against the training step.

    Step 0 has a place of its own at the left end of the logarithmic axis. Vertical lines mark when
    the training set was fitted and when the network generalised. A curve without numbers is left
    out. In tables about segments the lines mark the fit, which is a train accuracy of 0.99, and the
    step at which held-out accuracy is half way from there to its end; diamonds mark where other
    curves are half way.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, with the column ``step``: that of an analysis of a run, or
        of a `relutopo.Tracker`. The events are the columns ``fitted_step`` and
        ``generalised_step``, the same in all rows; where they are missing, the first rows with a
        train accuracy of 1 and a held-out accuracy of 0.98.
    columns : sequence of str or of sequences of str, optional
        What to draw: each entry is a panel of one column, or of several. By default loss, accuracy,
        agreement, separation, number of regions, Fiedler values and Betti numbers, as far as the
        table has them.
    axes : matplotlib.axes.Axes or sequence of them, optional
        Where to draw, one for each panel; by default a figure is made.
    legend : bool
        Whether to name the curves and the events.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, or the axes if they were given.

    Raises
    ------
    InputError
        If the table has no row, no steps, or no numbers to draw, or there are not as many axes as
        panels.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"step": [0, 10, 100], "n_regions": [12, 40, 31]})
    >>> figure = plot_timeline(table)
    """
    _check_table(table)
    if "step" not in table.columns or not len(table):
        raise InputError(
            f"`table` must have the column step and a row for each checkpoint, got {len(table)} "
            f"rows with the columns {', '.join(map(str, table.columns)) or 'none'}; pass the table "
            "of an analysis of a run, or of a tracker that has analysed a step"
        )
    table = table.sort_values("step")
    steps = table["step"].to_numpy(dtype=np.float64)
    panels = _chosen(table, columns)
    events = _events(table, steps)
    fit, general = events.get("fit_step", np.nan), events.get("held_out_half_rise", np.nan)
    given = None if axes is None else list(np.ravel(np.asarray(axes, dtype=object)))
    frames.require_one_each("panels", panels, axes=given)
    with style_unless(given):
        if given is None:
            heights = [1.2 if name in _SHARES else 1.0 for name, _ in panels]
            figure = new_figure(5.2, max(1.5 * sum(heights), 2.4), layout="constrained")
            rows = figure.subplots(
                len(panels), 1, sharex=True, height_ratios=heights, squeeze=False
            )
            shown = list(rows[:, 0])
        else:
            shown = given
        for ax, (name, curves) in zip(shown, panels, strict=True):
            numbers = {column: _numbers(table, column) for column in curves}
            _draw_curves(ax, steps, numbers, curves)
            if np.isfinite(general):
                _mark_rises(ax, steps, numbers, curves, fit)
            if given is None:
                tick_labels(ax)
                if legend and any(label for label, *_ in curves.values()):
                    _legend_above(ax, len(curves))
            ax.set_ylabel(name)
            if name in _SHARES:
                ax.set_ylim(top=1.0)
            elif name in _LOGARITHMIC:
                _decades(ax, list(numbers.values()))
            elif name == "regions":
                ax.set_ylim(bottom=0)
        for ax in shown if given is not None else shown[-1:]:
            step_axis(ax, steps)
        handles = _mark_steps(shown, events)
        if np.isfinite(general):
            handles += _diamond(shown[-1])
        if given is None:
            figure.align_ylabels(shown)
            if handles and legend:
                frames.legend_below(figure, {str(one.get_label()): one for one in handles})
        else:
            for ax in shown:
                frames.furnish([ax], given, [], legend=legend, colorbar=False)
    return figure if given is None else given


def _legend_above(ax: Axes, n_curves: int) -> None:
    """Draw a legend above axes, in as many columns as the figure is wide."""
    room = 0.75 * ax.figure.bbox.width
    for columns in range(n_curves, 0, -1):
        legend = ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderpad=0)
        if legend.get_window_extent().width <= room:
            return
    legend.set_in_layout(False)  # a name that is wider than the figure leaves the axes their room


def _check_table(table: Any) -> None:
    if not hasattr(table, "columns") or not hasattr(table, "sort_values"):
        raise InputError(
            f"`table` must be a DataFrame, got {kind_of(table)}; pass the table of an analysis of "
            "a run, or that of a tracker"
        )


def _chosen(
    table: pd.DataFrame, columns: Sequence[str | Sequence[str]] | None
) -> list[tuple[str, dict[str, Look]]]:
    """Return the panels that have a number, with the look of their curves."""
    if columns is None:
        wanted = list(_PANELS.items())
    else:
        entries = [columns] if isinstance(columns, str) else columns
        wanted = [_panel([entry] if isinstance(entry, str) else entry) for entry in entries]
        unknown = sorted({name for _, curves in wanted for name in curves} - {*table.columns})
        if unknown or not wanted:
            names = [str(name) for name in table.columns]
            close = [get_close_matches(name, names, 1) for name in map(str, unknown)]
            meant = ", ".join(one for found in close for one in found)
            remedy = f"did you mean {meant}?" if meant else f"choose from {', '.join(names)}"
            raise InputError(
                f"`columns` must name columns of the table, got "
                f"{', '.join(map(str, unknown)) or 'none'}; {remedy}"
            )
    shown = [
        (name, known)
        for name, curves in wanted
        if (known := {c: look for c, look in curves.items() if _has_numbers(table, c)})
    ]
    if not shown:
        raise InputError(
            f"`table` must have numbers to draw, got none in {', '.join(map(str, table.columns))}; "
            "look at its column error, or name other `columns`"
        )
    return shown


def _panel(names: Sequence[str]) -> tuple[str, dict[str, Look]]:
    title = names[0].replace("_", " ") if len(names) == 1 else ""
    return title, {
        name: ("" if title else name.replace("_", " "), PALETTE[k % len(PALETTE)], "o", "-")
        for k, name in enumerate(names)
    }


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return table[name].to_numpy(dtype=np.float64)


def _has_numbers(table: pd.DataFrame, name: str) -> bool:
    if name not in table.columns:
        return False
    try:
        return not np.isnan(_numbers(table, name)).all()
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`columns` must be columns of numbers, got {name} with {table[name].iloc[0]!r}; "
            "leave it out"
        ) from error


def _events(table: pd.DataFrame, steps: NDArray[np.float64]) -> dict[str, float]:
    """Return the step of each event, NaN for never."""
    if any(name in table.columns and _has_numbers(table, name) for name in _OF_PATHS):
        accuracies = ("train_accuracy", "held_out_accuracy")
        train, held_out = (
            _numbers(table, name) if name in table.columns else np.full(len(steps), np.nan)
            for name in accuracies
        )
        fit = fit_step(steps, train)
        half = rise(steps, held_out, fit, is_accuracy=True).step
        return {"fit_step": fit, "held_out_half_rise": half}
    found = {}
    for column, (_, _, accuracy, reached) in _EVENTS.items():
        if column in table.columns:
            found[column] = float(table[column].iloc[0])
        else:
            known = accuracy in table.columns
            there = steps[_numbers(table, accuracy) >= reached] if known else steps[:0]
            found[column] = float(there[0]) if there.size else np.nan
    return found


def _draw_curves(
    ax: Axes,
    steps: NDArray[np.float64],
    numbers: dict[str, NDArray[np.float64]],
    curves: dict[str, Look],
) -> None:
    for above, (column, (label, color, marker, line)) in enumerate(curves.items()):
        # Where curves coincide both are seen: the later ones are thin and broken, on a broad one.
        # Markers shrink likewise.
        ax.plot(
            steps,
            numbers[column],
            color=color,
            linestyle=line if not above or line != "-" else (0, (3.0, 2.5)),
            marker=marker,
            markersize=max(4.4 - 1.5 * above, 2.0),
            linewidth=max(2.0 - 0.6 * above, 1.0) if len(curves) > 1 else 1.2,
            label=label,
            clip_on=False,
            zorder=3 + above / 10,
        )
    open_frame(ax, grid="y")


def _mark_rises(
    ax: Axes,
    steps: NDArray[np.float64],
    numbers: dict[str, NDArray[np.float64]],
    curves: dict[str, Look],
    fit: float,
) -> None:
    """Mark where curves are half way from the fit to their end."""
    for column, (_, color, *_) in curves.items():
        found = rise(steps, numbers[column], fit, is_accuracy=column == "held_out_accuracy")
        if np.isfinite(found.step) and column != "train_accuracy":
            look: dict[str, Any] = {"color": "white", "markeredgecolor": color, "zorder": 6}
            ax.plot(found.step, found.value, "D", markersize=6.0, markeredgewidth=1.5, **look)


def _diamond(ax: Axes) -> list[Artist]:
    """Return what stands in a legend for the marks of half-rises; nothing is seen of it."""
    look: dict[str, Any] = {"color": "white", "markeredgecolor": MUTED, "markeredgewidth": 1.2}
    return [*ax.plot([], [], "D", markersize=5.0, label="half-way after the fit", **look)]


def _decades(ax: Axes, curves: list[NDArray[np.float64]]) -> None:
    """Make the y axis logarithmic, with powers of ten as limits."""
    from matplotlib.ticker import NullFormatter

    values = np.concatenate(curves)
    if np.any(positive := values > 0):
        low = np.floor(np.log10(values[positive].min()))
        high = np.ceil(np.log10(values[positive].max()))
        ax.set_yscale("log", nonpositive="mask")
        ax.set_ylim(10.0**low, 10.0 ** max(high, low + 1))
        ax.yaxis.set_minor_formatter(NullFormatter())


def step_axis(ax: Axes, steps: NDArray[np.float64]) -> None:
    """Make the x axis logarithmic from the first positive step, with a place for step 0."""
    positive = steps[steps > 0]
    first, last = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    ax.set_xscale("symlog", linthresh=first, linscale=0.5)
    decades = 10.0 ** np.arange(np.ceil(np.log10(first)), np.floor(np.log10(last)) + 1)
    between = np.outer(10.0 ** np.arange(np.floor(np.log10(first)), np.log10(last)), range(2, 10))
    ax.set_xticks([0.0, *decades], labels=["0", *(f"$10^{{{np.log10(t):.0f}}}$" for t in decades)])
    ax.set_xticks([t for t in between.ravel() if first <= t <= last], minor=True)
    ax.set_xlim(-0.3 * first, last * 1.15)
    ax.set_xlabel("training step")


def _mark_steps(panels: list[Axes], events: dict[str, float]) -> list[Artist]:
    """Draw upright lines at events, and return those of the last panel."""
    handles: list[Artist] = []
    for column, step in events.items():
        name, line, *_ = {**_EVENTS, **_RISES}[column]
        if np.isfinite(step):
            for ax in panels:
                mark = ax.axvline(step, color=MUTED, linestyle=line, linewidth=0.9, zorder=1)
            mark.set_label(f"{name} at step {step:.0f}")
            handles.append(mark)
    return handles


@overload
def plot_spike_timeline(
    table: pd.DataFrame, loss: ArrayLike, *, axes: Sequence[Axes], legend: bool = ...
) -> Sequence[Axes]: ...


@overload
def plot_spike_timeline(
    table: pd.DataFrame, loss: ArrayLike, *, axes: None = ..., legend: bool = ...
) -> Figure: ...


def plot_spike_timeline(
    table: pd.DataFrame,
    loss: ArrayLike,
    *,
    axes: Sequence[Axes] | None = None,
    legend: bool = True,
) -> Figure | Sequence[Axes]:
    """Draw the loss with its spikes, where the Betti curves peak, and the cell counts.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, with step, is_regular, betti_k_peak_value and its standard
        deviation for k = 0, 1, ..., and n_cells.
    loss : (n_steps + 1,) array_like
        The training loss at every step.
    axes : sequence of three matplotlib.axes.Axes, optional
        Where to draw the loss, the peaks and the counts; by default a figure is made.
    legend : bool
        Whether to name the curves.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, or the axes if they were given. Dots are peak positions at the spikes, shaded
        bands one standard deviation over filtrations to each side of the mean. Their axis starts
        at zero, so that what random filtrations vary by looks as small as it is.

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    _check_table(table)
    degrees = [k for k in range(8) if f"betti_{k}_peak_value" in table.columns]
    needed = {"step", "is_regular", "n_cells"} - set(table.columns)
    if needed or not degrees or not len(table):
        raise InputError(
            "`table` must have a row for each checkpoint and the columns of the homology "
            f"analysis, got {len(table)} rows and the columns {', '.join(table.columns)}; pass the "
            "table that the analysis of a training run returns"
        )
    values, spikes = np.asarray(loss, dtype=np.float64), find_spikes(loss)
    regular, peaks = table[table["is_regular"]], [spike.peak for spike in spikes]
    at_spikes = table[table["step"].isin(peaks)]
    given = None if axes is None else list(axes)
    frames.require_one_each("panels (loss, peaks, cells)", range(3), axes=given)
    with style_unless(given):
        if given is None:
            figure = new_figure(7.2, 5.4, layout="constrained")
            panels = list(figure.subplots(3, 1, sharex=True, height_ratios=[1.5, 1.2, 1.0]))
        else:
            panels = given
        _draw_loss(panels[0], values, peaks)
        for k in degrees:
            column, color = f"betti_{k}_peak_value", _DEGREES[k % len(_DEGREES)]
            middle, spread = regular[column], regular[f"{column}_std"].fillna(0.0)
            panels[1].fill_between(
                regular["step"], middle - spread, middle + spread, color=color, alpha=0.2, lw=0
            )
            panels[1].plot(
                regular["step"], middle, color=color, linewidth=0.9, label=f"$\\beta_{k}$"
            )
            panels[1].plot(at_spikes["step"], at_spikes[column], "o", color=color, markersize=3.2,
                           markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip
        least, most = panels[1].get_ylim()
        panels[1].set_ylim(min(least, 0.0), max(most, 0.0))
        panels[1].set_ylabel("filtration value\nof the highest $\\beta$")
        panels[2].plot(regular["step"], regular["n_cells"], color=INK, linewidth=0.9)
        panels[2].set_ylabel("all cells")
        panels[2].set_xlabel("training step")
        for ax in panels:
            ax.set_xlim(0, len(values) - 1)
            for peak in peaks:
                ax.axvline(peak, color="#d9d9d9", linewidth=0.6, zorder=0)
            open_frame(ax)
            if given is None:
                tick_labels(ax)
        if given is None:
            figure.align_ylabels(panels)
            for ax in panels[:2] if legend else ():
                ax.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=3, borderpad=0)
        else:
            for ax in panels:
                frames.furnish([ax], given, [], legend=legend, colorbar=False)
    return figure if given is None else given


def _draw_loss(ax: Axes, loss: Any, peaks: list[int]) -> None:
    steps = np.arange(len(loss))
    ax.plot(steps, loss, color=INK, linewidth=0.7, label="training loss")
    median = np.exp(running_median(np.log(loss)))
    ax.plot(steps, median, color=GREEN, linewidth=1.0, label="running median")
    # No marks are in the corner of the figure, for the layout.
    ax.plot(peaks, loss[peaks], "v", color=ORANGE, markersize=4, linestyle="none", clip_on=False,
            in_layout=bool(peaks), label=f"{len(peaks)} spikes")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylabel("loss")
