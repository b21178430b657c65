"""Figures of persistent homology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from relutopo.errors import InputError
from relutopo.homology.diagram import Diagram
from relutopo.plots.style import new_figure, open_frame, style, tick_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_betti_curves"]


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
    with style():
        figure = new_figure(3.6 * dim, 3.2, layout="constrained")
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
            open_frame(ax)
            tick_labels(ax)
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=5)
    return figure
