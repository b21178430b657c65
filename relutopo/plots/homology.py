"""Figures of Betti curves and of the training loss beside them.

The conventions are those of `relutopo.plots.partitions`: no global state, matplotlib imported when
a figure is made. Blue is degree 0, orange degree 1, black the loss and all cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polygons import require_plane
from relutopo.homology.diagram import Diagram
from relutopo.learning.spikes import find_spikes, running_median
from relutopo.plots import layers as drawing
from relutopo.plots.layers import BLUE, GREEN, INK, ORANGE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_betti_curves", "plot_complexes", "plot_spike_timeline"]

_COLORS = (BLUE, ORANGE, GREEN)


def plot_spike_timeline(table: pd.DataFrame, loss: ArrayLike) -> Figure:
    """Draw the loss with its spikes, where the Betti curves peak, and the cell counts.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each checkpoint, with step, is_regular, betti_k_peak_value and its standard
        deviation for k = 0, 1, ..., and n_cells.
    loss : (n_steps + 1,) array_like
        The training loss at every step.

    Returns
    -------
    matplotlib.figure.Figure
        Dots are peak positions at the spikes, shaded bands one standard deviation over
        filtrations to each side of the mean.

    Raises
    ------
    InputError
        If the table is empty or lacks a column.
    """
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
    with drawing.style():
        figure = drawing.new_figure(7.2, 2.4 + 1.35 * (len(degrees) + 1), layout="constrained")
        ratios = [1.5] + [1.0] * (len(degrees) + 1)
        panels = figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios)
        _draw_loss(panels[0], values, peaks)
        for k, ax in zip(degrees, panels[1:], strict=False):
            column, color = f"betti_{k}_peak_value", _COLORS[k % len(_COLORS)]
            middle, spread = regular[column], regular[f"{column}_std"].fillna(0.0)
            ax.fill_between(
                regular["step"], middle - spread, middle + spread, color=color, alpha=0.2, lw=0
            )
            ax.plot(regular["step"], middle, color=color, linewidth=0.9)
            ax.plot(at_spikes["step"], at_spikes[column], "o", color=color, markersize=3.2,
                    markeredgecolor="white", markeredgewidth=0.5)  # fmt: skip
            ax.set_ylabel(f"$\\beta_{k}$ peaks at value")
        panels[-1].plot(regular["step"], regular["n_cells"], color=INK, linewidth=0.9)
        panels[-1].set_ylabel("all cells")
        panels[-1].set_xlabel("training step")
        panels[-1].set_xlim(0, len(values) - 1)
        for ax in panels:
            for peak in peaks:
                ax.axvline(peak, color="#d9d9d9", linewidth=0.6, zorder=0)
            ax.spines[["top", "right"]].set_visible(False)
            drawing.tick_labels(ax)
        figure.align_ylabels(panels)
    return figure


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
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1.0), ncols=3, borderpad=0)


def plot_betti_curves(diagrams: Mapping[int, Diagram]) -> Figure:
    """Draw the Betti curves of several checkpoints, one panel for each degree.

    Parameters
    ----------
    diagrams : mapping of int to Diagram
        At least one; the keys are the steps.

    Returns
    -------
    matplotlib.figure.Figure
        Dots mark the peaks.

    Raises
    ------
    InputError
        If there is no diagram.
    """
    if not diagrams:
        raise InputError(
            "`diagrams` must have at least one diagram, got none; pass {step: diagram}"
        )
    import matplotlib

    dim = next(iter(diagrams.values())).dim
    shades = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, len(diagrams)))
    with drawing.style():
        figure = drawing.new_figure(3.6 * dim, 3.2, layout="constrained")
        panels = figure.subplots(1, dim, squeeze=False)[0]
        for k, ax in enumerate(panels):
            for shade, (step, diagram) in zip(shades, diagrams.items(), strict=True):
                curve, last = diagram.betti_curve(k), float(diagram.values[-1])
                # From the first cell to the last, so that all curves span the filtration.
                breaks = np.concatenate([[float(diagram.values[0])], curve.breaks, [last]])
                ax.step(breaks, curve(breaks), where="post", color=shade, linewidth=1.1,
                        label=f"step {step}")  # fmt: skip
                peak = curve.peak()
                ax.plot(peak.value, peak.height, "o", color=shade, markersize=4.5,
                        markeredgecolor="white", markeredgewidth=0.7, zorder=4)  # fmt: skip
            ax.set_xlabel("filtration value")
            ax.set_ylabel(f"$\\beta_{k}$")
            ax.set_ylim(bottom=0)
            ax.spines[["top", "right"]].set_visible(False)
            drawing.tick_labels(ax)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=5)
    return figure


def plot_complexes(complexes: Sequence[Cells], titles: Sequence[str]) -> Figure:
    """Draw several complexes in a row, coloured by the network's output on one scale.

    Parameters
    ----------
    complexes : sequence of Cells
        At least one, of dimension 2, of networks with one output.
    titles : sequence of str
        One for each.

    Returns
    -------
    matplotlib.figure.Figure
        A region has the output at its interior point; colours saturate at the 2 % and 98 %
        quantiles. The green line is where the output is zero: the decision boundary of a
        classifier.

    Raises
    ------
    InputError
        If there is no complex, or one is not of dimension 2.
    """
    if not len(complexes):
        raise InputError("`complexes` must have at least one complex, got none")
    for complex_ in complexes:
        require_plane(complex_)
    import matplotlib
    from matplotlib.colors import Normalize

    outputs = [c.network.decision_values(c.interior_points) for c in complexes]
    low, high = np.quantile(np.concatenate(outputs), (0.02, 0.98))
    norm = Normalize(low, high if high > low else low + 1)
    cmap = matplotlib.colormaps["Greys"]
    with drawing.style():
        figure = drawing.new_figure(3.1 * len(complexes) + 0.8, 3.4)
        axes = list(figure.subplots(1, len(complexes), squeeze=False, sharey=True)[0])
        for ax, complex_, values, title in zip(axes, complexes, outputs, titles, strict=True):
            drawing.plane_axes(ax, complex_)
            regions = drawing.draw_regions(ax, complex_, values, cmap, norm)
            drawing.draw_edges_by_layer(ax, complex_)
            drawing.draw_decision_boundary(ax, complex_, label="output 0")
            v, e, f = complex_.n_cells
            ax.set_title(f"{title}\n{v} + {e} + {f} cells")
            ax.label_outer()
        drawing.colour_bar(figure, regions, axes, "output", extend="both", shrink=0.8)
        drawing.legend(figure, axes, inside=False)
    return figure
