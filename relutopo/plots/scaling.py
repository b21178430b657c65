"""Figures of costs against sizes, on logarithmic axes, with fitted power laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike

from relutopo.checks import check_kind, kind_of
from relutopo.errors import InputError
from relutopo.plots import frames
from relutopo.plots.style import PALETTE, new_figure, open_frame, style_unless
from relutopo.reports.power_laws import fit_power_law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curves", "plot_scaling"]

Curves = Mapping[str, tuple[ArrayLike, ArrayLike]]
"""For each name sizes, (n,), and costs in seconds, (n,), all positive."""
_MARKERS = "osD^vP"


@overload
def plot_scaling(
    panels: Mapping[str, Curves], size: str, *, axes: Sequence[Axes] | Axes, legend: bool = ...
) -> Sequence[Axes]: ...


@overload
def plot_scaling(
    panels: Mapping[str, Curves], size: str, *, axes: None = ..., legend: bool = ...
) -> Figure: ...


def plot_scaling(
    panels: Mapping[str, Curves],
    size: str,
    *,
    axes: Sequence[Axes] | Axes | None = None,
    legend: bool = True,
) -> Figure | Sequence[Axes]:
    """Draw costs against sizes.

    Parameters
    ----------
    panels : mapping of str to Curves
        At least one; the keys are titles.
    size : str
        What the sizes count, for example ``"regions"``.
    axes : matplotlib.axes.Axes or sequence of them, optional
        Where to draw, one for each entry; by default a figure is made.
    legend : bool
        Whether to name the curves.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, a panel for each entry, or the axes if they were given. Dots are measurements,
        lines are fitted power laws, with their exponents in the legends.

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
    remedy = "pass {title: {name: (sizes, costs)}}"
    check_kind("panels", panels, Mapping, remedy=remedy)
    for curves in panels.values():
        check_kind("panels", curves, Mapping, remedy=remedy)
        for curve in curves.values():
            if not isinstance(curve, (tuple, list)) or len(curve) != 2:
                raise InputError(
                    f"`panels` must hold pairs of sizes and costs, got {kind_of(curve)}; {remedy}"
                )
    if not panels:
        raise InputError("`panels` must have at least one entry, got none; pass {title: curves}")
    given = None if axes is None else list(np.ravel(np.asarray(axes, dtype=object)))
    frames.require_one_each("panels", panels, axes=given)
    with style_unless(given):
        if given is None:
            figure = new_figure(0.6 + 3.6 * len(panels), 4.0, layout="constrained")
            shown = list(np.ravel(figure.subplots(1, len(panels), squeeze=False)))
        else:
            shown = given
        for ax, (title, curves) in zip(shown, panels.items(), strict=True):
            _draw(ax, curves)
            ax.set_title(title)
            ax.set_xlabel(size)
            if given is not None:
                frames.furnish([ax], given, [], legend=legend, colorbar=False)
            elif legend:  # below the axes, where no curve runs through it
                ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        shown[0].set_ylabel("seconds")
    return figure if given is None else given


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
