"""One style for all figures: colours, fonts, frames.

One code serves all figures: blue and orange are the two sides and the two classes (which also
differ in their markers), a black line is the cut, a green one the decision boundary. The colours
are close to those of Okabe and Ito, "Color Universal Design" (2008), and differ in lightness too.

The reader's own settings of matplotlib come first: the style takes the place of matplotlib's
defaults only, and its sizes are relative to ``font.size``. Axes that the reader passes keep the
look that they have.

No figure belongs to matplotlib's global state, so that all work without a display. Matplotlib is
imported when a figure is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from relutopo.checks import kind_of
from relutopo.errors import InputError
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
    "NAMES_OF_KINDS",
    "ORANGE",
    "PALETTE",
    "names_of_elements",
    "new_figure",
    "open_frame",
    "own_size",
    "style",
    "style_unless",
    "tick_labels",
]

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
INK, MUTED = "#1a1a1a", "#6b6b6b"
PALETTE = (BLUE, ORANGE, GREEN, INK, "#CC79A7", "#56B4E9", "#E69F00", MUTED)
"""Colours of curves in any number, in this order."""
NAMES_OF_KINDS = {"count_plus_one": "1 + count", "chung_langlands": "Chung-Langlands"}
"""What figures call kinds of partitions, if not by their names in tables."""
_GRID = "#e4e4e4"
_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": "medium",
    "axes.labelsize": "medium",
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "text.color": INK,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.4,
    "pdf.fonttype": 42,
    **{f"{axis}tick.labelsize": "small" for axis in "xy"},
    **{f"{axis}tick.labelcolor": INK for axis in "xy"},
    **{f"{axis}tick.color": MUTED for axis in "xy"},
    **{f"{axis}tick.{kind}.width": 0.6 for axis in "xy" for kind in ("major", "minor")},
    **{f"{axis}tick.{kind}.size": 2.5 for axis in "xy" for kind in ("major", "minor")},
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the common style, but for what the reader has set otherwise.

    Settings belong to the process, and are back when no thread draws any more.
    """
    with _borrowed.changed():
        yield


@contextmanager
def names_of_elements() -> Iterator[None]:
    """Name the elements of an SVG the same each time, unless the reader has said how."""
    with _borrowed_names.changed():
        yield


def style_unless(ax: object, dim: int = 2) -> AbstractContextManager[None]:
    """Apply the common style, unless there are axes of the reader to draw on.

    Parameters
    ----------
    ax : Axes, sequence of Axes or None
        What the reader gave as `ax`, or as `axes`.
    dim : int
        3 if they must have three dimensions, otherwise they must be those of a plane.

    Raises
    ------
    InputError
        If they are none, or of another projection.
    """
    if ax is None:
        return style()
    several = isinstance(ax, (list, tuple))
    for one in ax if isinstance(ax, (list, tuple)) else (ax,):
        _require_axes(one, "axes" if several else "ax", dim)
    return nullcontext()


def _require_axes(ax: Any, name: str, dim: int) -> None:
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        remedy = "pass one made by plt.subplots()"
        if hasattr(ax, "add_subplot"):
            remedy = "pass its `add_subplot()`"
        elif isinstance(ax, np.ndarray):
            remedy = "choose one of them, for example axes.flat[0]"
        raise InputError(f"`{name}` must be axes of matplotlib, got {kind_of(ax)}; {remedy}")
    kind = "3d" if dim == 3 else "rectilinear"
    if ax.name == kind:
        return
    expected = "of three dimensions" if dim == 3 else "of a plane"
    came = {"3d": "of three dimensions", "rectilinear": "of a plane"}.get(
        ax.name, f"of the projection {ax.name!r}"
    )
    remedy = "subplot_kw={'projection': '3d'}" if dim == 3 else ""
    raise InputError(
        f"`{name}` must be axes {expected}, got axes {came}; make them with plt.subplots({remedy})"
    )


def _in_place_of_defaults(wanted: Mapping[str, Any]) -> Callable[[], object]:
    matplotlib: Any = require("matplotlib", "a figure")
    settings, defaults = matplotlib.rcParams, matplotlib.rcParamsDefault
    before = {name: settings[name] for name in wanted if settings[name] == defaults[name]}
    settings.update({name: wanted[name] for name in before})
    return lambda: settings.update(before)


_borrowed = Borrowed(lambda: _in_place_of_defaults(_STYLE))
_borrowed_names = Borrowed(lambda: _in_place_of_defaults({"svg.hashsalt": "relutopo"}))


def new_figure(width: float, height: float, layout: str = "compressed") -> Figure:
    """Return an empty figure of the given size in inches, which notebooks show."""
    from relutopo.plots.notebook import NotebookFigure  # loads matplotlib

    return NotebookFigure(settings=style, figsize=(width, height), layout=layout)


def own_size(width: float, height: float) -> tuple[float, float]:
    """Return the size of a figure with one panel: the reader's, if there is one."""
    matplotlib: Any = require("matplotlib", "a figure")
    wanted = matplotlib.rcParams["figure.figsize"]
    if list(wanted) == list(matplotlib.rcParamsDefault["figure.figsize"]):
        return width, height
    return float(wanted[0]), float(wanted[1])


def tick_labels(ax: Axes) -> None:
    """Style the ticks of axes, which are made at drawing time, when `style` has ended."""
    settings: Any = require("matplotlib", "a figure").rcParams
    for axis in ("x", "y"):
        names = ("labelsize", "labelcolor", "color")
        look: dict[str, Any] = {name: settings[f"{axis}tick.{name}"] for name in names}
        if look["labelcolor"] == "inherit":
            look["labelcolor"] = look["color"]
        ax.tick_params(axis=axis, which="both", **look)


def open_frame(ax: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> None:
    """Hide the top and right spines, and draw a pale grid."""
    if grid is not None:
        ax.grid(axis=grid, color=_GRID, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
