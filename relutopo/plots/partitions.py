"""Figures of plane decompositions, of Fiedler partitions, and of their course during training.

Every function returns a `matplotlib.figure.Figure` that belongs to no global state, so that it
works without a display; `save_figure` writes it. Matplotlib is imported when a figure is made.

One code serves all figures: blue and orange are the two sides and the two classes (which also
differ in their markers), a black line is the cut, a green one the decision boundary. The colours
are close to those of Okabe and Ito, "Color Universal Design" (2008), and differ in lightness too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_points
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polygons import require_plane
from relutopo.plots import layers as drawing
from relutopo.plots.layers import BLUE, INK, MUTED, ORANGE
from relutopo.reports.text import fraction
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    from relutopo.analyses.partition import Signature
    from relutopo.spectral.fiedler import FiedlerPartition

__all__ = [
    "plot_complex",
    "plot_partition",
    "plot_partition_history",
    "plot_timeline",
    "save_figure",
]

# Panel -> column -> label, colour, marker and line.
_TIMELINE = {
    "accuracy": {
        "train_accuracy": ("train", INK, "o", "-"),
        "held_out_accuracy": ("held out", ORANGE, "s", "-"),
    },
    "agreement": {
        "weighted_agreement": ("weighted", BLUE, "o", "-"),
        "unweighted_agreement": ("unweighted", ORANGE, "s", "-"),
        "purity": ("purity (upper bound)", MUTED, "", "--"),
    },
    "regions": {"n_regions": ("", INK, "o", "-")},
    "Fiedler value": {
        "weighted_fiedler_value": ("weighted", BLUE, "o", "-"),
        "unweighted_fiedler_value": ("unweighted", ORANGE, "s", "-"),
    },
}
# Column -> what happened at the step that it holds, and the line that marks it.
_EVENTS = {
    "fitted_step": ("train 100 %", ":"),
    "generalised_step": ("held out ≥ 98 %", "--"),
}
_TIMELINE_COLUMNS = [
    "step",
    *(column for curves in _TIMELINE.values() for column in curves),
    *_EVENTS,
]


def plot_partition(
    partition: FiedlerPartition,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    decision_boundary: bool = True,
) -> Figure:
    """Draw the regions coloured by the Fiedler vector, with the cut and the decision boundary.

    The colours saturate where the vector's modulus exceeds its 95 % quantile over the regions.
    The sign of a Fiedler vector means nothing; where there are labels, it is chosen so that
    the sides take the colours of the classes that they hold. Regions outside the vector's
    component are grey.

    Parameters
    ----------
    partition : FiedlerPartition
        Of a complex of dimension 2.
    points : (n, 2) array_like, optional
        Data points to draw.
    labels : (n,) array_like, optional
        Their labels, of at most two kinds; blue circles have the smaller label, orange triangles
        the larger one.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own otherwise.
    title : str, optional
        The figure's title.
    decision_boundary : bool
        Whether to draw the zeros of the network's decision function, exactly: it is affine on
        each region.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the complex is not two-dimensional, points and labels do not fit, or the network has
        more than two outputs and `decision_boundary` is true.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    >>> figure = plot_partition(part, [[0.5, 0.5], [-0.5, -0.5]], [1, -1])
    """
    complex_ = partition.complex
    require_plane(complex_)
    with drawing.style():
        figure, axes = _single(ax, complex_, title)
        regions = drawing.draw_partition(
            axes, complex_, partition, points, labels, decision_boundary
        )
        _fiedler_bar(figure, regions, [axes])
        drawing.legend(figure, [axes], inside=ax is not None)
    return figure


def plot_complex(
    complex_: Cells,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    decision_boundary: bool = False,
) -> Figure:
    """Draw the regions in the grey of their number of active neurons, and their edges by layer.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2.
    points, labels, ax, title, decision_boundary
        See `plot_partition`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        As `plot_partition`.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> figure = plot_complex(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    require_plane(complex_)
    with drawing.style():
        from matplotlib.colors import LinearSegmentedColormap, Normalize
        from matplotlib.ticker import MaxNLocator

        figure, axes = _single(ax, complex_, title)
        drawing.plane_axes(axes, complex_)
        active = complex_.patterns.sum(axis=1).astype(float)
        greys = LinearSegmentedColormap.from_list("relutopo_greys", ["#ffffff", "#aeb4ba"])
        norm = Normalize(active.min(), max(active.max(), active.min() + 1))
        regions = drawing.draw_regions(axes, complex_, active, greys, norm)
        drawing.draw_edges_by_layer(axes, complex_)
        if decision_boundary:
            drawing.draw_decision_boundary(axes, complex_)
        if points is not None:
            drawing.draw_points(axes, as_points(points, 2), labels)
        ticks = MaxNLocator(integer=True, min_n_ticks=1)
        drawing.colour_bar(figure, regions, [axes], "active neurons", ticks=ticks)
        drawing.legend(figure, [axes], inside=ax is not None)
    return figure


def plot_partition_history(
    signatures: Sequence[Signature],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    decision_boundary: bool = True,
) -> Figure:
    """Draw partitions of several checkpoints side by side, unweighted above weighted.

    Parameters
    ----------
    signatures : sequence of Signature
        One for each checkpoint, from `relutopo.analyses.partition.analyse_checkpoint`; three fill
        a page's width. Where one has no partition, its regions are grey and the title says why.
    points : (n, 2) array_like
        Training points.
    labels : (n,) array_like
        Their labels, of two kinds.
    decision_boundary : bool
        See `plot_partition`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no signature, and as `plot_partition`.
    """
    if not signatures:
        raise InputError(
            "`signatures` must hold at least one signature, got none; pass for example those of "
            "the first, a middle and the last checkpoint"
        )
    for signature in signatures:
        require_plane(signature.complex)
    with drawing.style():
        panel = 6.4 / max(len(signatures), 2)
        height = 0.9 * panel * drawing.aspect(signatures[0].complex)
        figure = drawing.new_figure(panel * len(signatures) + 0.9, 2 * (height + 0.25) + 0.75)
        grid = figure.subplots(2, len(signatures), sharex=True, sharey=True, squeeze=False)
        for row, kind in zip(grid, ("unweighted", "weighted"), strict=True):
            for ax, signature in zip(row, signatures, strict=True):
                regions = drawing.draw_partition(
                    ax,
                    signature.complex,
                    getattr(signature, kind),
                    points,
                    labels,
                    decision_boundary,
                )
                ax.set_title(_checkpoint_title(signature.row, kind))
                ax.set_ylabel(f"{kind}\n$x_2$")
                ax.label_outer()
        axes = list(grid.flat)
        _fiedler_bar(figure, regions, axes, aspect=40)
        drawing.legend(figure, axes, inside=False)
    return figure


def _checkpoint_title(row: dict[str, Any], kind: str) -> str:
    step = f"step {row['step']}, " if "step" in row else ""
    status = row[f"{kind}_status"]
    if status != "converged":
        return f"{step}{status}"
    return f"{step}agreement {fraction(row[f'{kind}_agreement'], 2)}"


def plot_timeline(table: pd.DataFrame) -> Figure:
    """Draw accuracy, agreement, number of regions and Fiedler value against the training step.

    Step 0 has a place of its own at the left end of the logarithmic axis. Vertical lines mark when
    the training set was fitted and when the network generalised. A curve without numbers is left
    out.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, with the columns step, train_accuracy, held_out_accuracy,
        weighted_agreement, unweighted_agreement, purity, n_regions, weighted_fiedler_value,
        unweighted_fiedler_value, and, the same in all rows, fitted_step and generalised_step:
        the first steps with a train accuracy of 1 and a held-out accuracy of 0.98, or NaN.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
    missing = [name for name in _TIMELINE_COLUMNS if name not in table.columns]
    if missing or not len(table):
        raise InputError(
            f"`table` must have a row for each checkpoint and the columns "
            f"{', '.join(_TIMELINE_COLUMNS)}, got {len(table)} rows"
            + (f" without {', '.join(missing)}" if missing else "")
            + "; pass the table that the analysis of a training run returns"
        )
    table = table.sort_values("step")
    columns = {name: table[name].to_numpy(dtype=np.float64) for name in _TIMELINE_COLUMNS}
    with drawing.style():
        figure = drawing.new_figure(5.2, 6.6, layout="constrained")
        panels = figure.subplots(len(_TIMELINE), 1, sharex=True, height_ratios=[1.2, 1.2, 1, 1])
        for ax, (name, curves) in zip(panels, _TIMELINE.items(), strict=True):
            _draw_curves(ax, columns, curves)
            ax.set_ylabel(name)
        for ax in panels[:2]:
            ax.set_ylim(top=1.0)
        panels[2].set_ylim(bottom=0)
        _decades(panels[3], [columns[name] for name in _TIMELINE["Fiedler value"]])
        _step_axis(panels[-1], columns["step"])
        _mark_steps(figure, panels, columns)
        figure.align_ylabels(panels)
    return figure


def _draw_curves(
    ax: Axes, columns: dict[str, NDArray[np.float64]], curves: dict[str, tuple[str, str, str, str]]
) -> None:
    known = {name: look for name, look in curves.items() if not np.isnan(columns[name]).all()}
    for below, (column, (label, color, marker, line)) in enumerate(known.items()):
        ax.plot(
            columns["step"],
            columns[column],
            line,
            color=color,
            marker=marker,
            # A curve that lies under another one is broader, so that both are seen.
            markersize=3.0 + 1.2 * below,
            linewidth=1.2 + 0.4 * below,
            label=label,
            clip_on=False,
            zorder=3 - below / 10,
        )
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    drawing.tick_labels(ax)
    if known and len(curves) > 1:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(known), borderpad=0)


def _decades(ax: Axes, curves: list[NDArray[np.float64]]) -> None:
    """Make the axis logarithmic, from one power of ten to another."""
    from matplotlib.ticker import NullFormatter

    values = np.concatenate(curves)
    if np.any(positive := values > 0):
        low = np.floor(np.log10(values[positive].min()))
        high = np.ceil(np.log10(values[positive].max()))
        ax.set_yscale("log", nonpositive="mask")
        ax.set_ylim(10.0**low, 10.0 ** max(high, low + 1))
        ax.yaxis.set_minor_formatter(NullFormatter())


def _step_axis(ax: Axes, steps: NDArray[np.float64]) -> None:
    """Make the axis logarithmic from the first positive step on, with 0 one unit before it."""
    positive = steps[steps > 0]
    first, last = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    ax.set_xscale("symlog", linthresh=first, linscale=0.5)
    decades = 10.0 ** np.arange(np.ceil(np.log10(first)), np.floor(np.log10(last)) + 1)
    between = np.outer(10.0 ** np.arange(np.floor(np.log10(first)), np.log10(last)), range(2, 10))
    ax.set_xticks([0.0, *decades], labels=["0", *(f"$10^{{{np.log10(t):.0f}}}$" for t in decades)])
    ax.set_xticks([t for t in between.ravel() if first <= t <= last], minor=True)
    ax.set_xlim(-0.3 * first, last * 1.15)
    ax.set_xlabel("training step")


def _mark_steps(figure: Figure, panels: Any, columns: dict[str, NDArray[np.float64]]) -> None:
    handles = []
    for column, (name, line) in _EVENTS.items():
        step = columns[column][0]
        if np.isfinite(step):
            for ax in panels:
                mark = ax.axvline(step, color=MUTED, linestyle=line, linewidth=0.9, zorder=1)
            mark.set_label(f"{name} at step {step:g}")
            handles.append(mark)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=2)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as PNG and as PDF, and close it.

    Each file appears complete or not at all, and holds no date: the same figure gives the same
    bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path
        Without suffix; folders that are missing are made.

    Returns
    -------
    png, pdf : pathlib.Path
        The files.

    Raises
    ------
    InputError
        If `path` has the suffix of a picture.
    """
    stem = Path(path)
    if stem.suffix.lower() in {".png", ".pdf", ".svg"}:
        raise InputError(
            f"`path` must have no suffix, got {str(path)!r}; a PNG and a PDF are written, "
            f"pass {str(stem.with_suffix(''))!r}"
        )
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    files = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    with drawing.style():
        for target, dpi in zip(files, (160, 300), strict=True):
            kind = target.suffix[1:]
            with atomic_write(target) as file:
                figure.savefig(file, format=kind, dpi=dpi, metadata=metadata[kind])
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(figure)  # only pyplot keeps figures alive
    return files


def _single(ax: Axes | None, complex_: Cells, title: str | None) -> tuple[Figure, Axes]:
    if ax is None:
        height = max(3.45 * drawing.aspect(complex_), 1.2) + (0.85 if title is None else 1.05)
        ax = drawing.new_figure(4.8, height).add_subplot()
    if title is not None:
        ax.set_title(title)
    figure: Figure = ax.figure  # type: ignore[assignment]
    return figure, ax


def _fiedler_bar(figure: Figure, regions: PolyCollection, axes: list[Axes], **shape: Any) -> None:
    drawing.colour_bar(
        figure,
        regions,
        axes,
        "Fiedler vector, scaled",
        extend="both",
        ticks=[-1, -0.5, 0, 0.5, 1],
        **shape,
    )
