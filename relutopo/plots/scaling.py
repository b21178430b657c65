"""Figures of costs against sizes, on logarithmic axes, with fitted power laws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from relutopo.errors import InputError
from relutopo.plots.style import PALETTE, new_figure, open_frame, style
from relutopo.reports.power_laws import fit_power_law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curves", "plot_scaling"]

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]
"""For each name sizes, (n,), and costs in seconds, (n,), all positive."""
_MARKERS = "osD^vP"


def plot_scaling(panels: Mapping[str, Curves], size: str) -> Figure:
    """Draw costs against sizes.

    Parameters
    ----------
    panels : mapping of str to Curves
        At least one; the keys are titles.
    size : str
        What the sizes count, for example ``"regions"``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each entry. Dots are measurements, lines fitted power laws, whose exponents
        stand in the legends.

    Raises
    ------
    InputError
        If there is no panel, or a number is not positive and finite.

    Examples
    --------
    >>> figure = plot_scaling({"sorting": {"numpy": ([10, 100], [1e-6, 1.2e-5])}}, "numbers")
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'numpy: $n^{1.08}$'
    """
    if not panels:
        raise InputError("`panels` must have at least one entry, got none; pass {title: curves}")
    with style():
        figure = new_figure(0.6 + 3.6 * len(panels), 4.0, layout="constrained")
        axes = np.ravel(figure.subplots(1, len(panels), squeeze=False))
        for ax, (title, curves) in zip(axes, panels.items(), strict=True):
            _draw(ax, curves)
            ax.set_title(title)
            ax.set_xlabel(size)
        axes[0].set_ylabel("seconds")
    return figure


def _draw(ax: Axes, curves: Curves) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    for i, (name, (sizes, costs)) in enumerate(curves.items()):
        color = PALETTE[i % len(PALETTE)]
        marker = _MARKERS[i // len(PALETTE) % len(_MARKERS)]
        law = fit_power_law(sizes, costs)
        label = name if law is None else f"{name}: $n^{{{law.exponent:.2f}}}$"
        ax.plot(sizes, costs, marker, color=color, markersize=3.5, linestyle="none", label=label)
        if law is not None:
            ends = np.array([np.min(sizes), np.max(sizes)])
            ax.plot(ends, law(ends), color=color, linewidth=0.9)
    open_frame(ax, grid="both")
    # Below the axes, where no curve runs through it.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=7)
