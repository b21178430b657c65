"""One style for all figures: colours, fonts, frames.

One code serves all figures: blue and orange are the two sides and the two classes (which also
differ in their markers), a black line is the cut, a green one the decision boundary. The colours
are close to those of Okabe and Ito, "Color Universal Design" (2008), and differ in lightness too.

No figure belongs to matplotlib's global state, so that all work without a display. Matplotlib is
imported when a figure is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from relutopo.optional import require
from relutopo.system.settings_of_the_process import Borrowed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "INK",
    "MUTED",
    "ORANGE",
    "PALETTE",
    "new_figure",
    "open_frame",
    "style",
    "tick_labels",
]

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, MUTED = "#1a1a1a", "#6b6b6b"
PALETTE = (BLUE, ORANGE, GREEN, INK, "#CC79A7", "#56B4E9", "#E69F00", MUTED)
"""Colours of curves in any number, in this order."""
_GRID = "#e4e4e4"
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.unicode_minus": True,
    "axes.facecolor": "white",
    "axes.labelcolor": INK,
    "figure.facecolor": "white",
    "text.color": INK,
    "text.usetex": False,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.4,
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the common style, whatever the user's matplotlib settings are.

    They belong to the process, and are back when no thread draws any more.
    """
    with _borrowed.changed():
        yield


def _apply() -> Callable[[], object]:
    settings: Any = require("matplotlib", "a figure").rcParams
    before = {name: settings[name] for name in _STYLE}
    settings.update(_STYLE)
    return lambda: settings.update(before)


_borrowed = Borrowed(_apply)


def new_figure(width: float, height: float, layout: str = "compressed") -> Figure:
    """Return an empty figure of the given size in inches, which notebooks show."""
    from relutopo.plots.notebook import NotebookFigure  # loads matplotlib

    return NotebookFigure(settings=style, figsize=(width, height), layout=layout)


def tick_labels(ax: Axes) -> None:
    """Style the ticks of axes, which are made at drawing time, when `style` has ended."""
    ax.tick_params(which="both", labelsize=8, labelcolor=INK, color=MUTED, width=0.6, length=2.5)


def open_frame(ax: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Hide the top and right spines, and draw a pale grid."""
    if grid is not None:
        ax.grid(axis=grid, color=_GRID, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
