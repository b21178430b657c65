"""What figures have around their layers: axes, titles, scales of colours, colour bars, legends."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_flag, check_number, kind_of
from relutopo.errors import InputError
from relutopo.plots.style import tick_labels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

__all__ = [
    "check_point_size",
    "check_view",
    "colour_map",
    "enlarge",
    "figure_of",
    "furnish",
    "greys",
    "legend_below",
    "legend_entries",
    "norm_of",
    "put_title",
    "require_one_each",
]


def figure_of(ax: Axes) -> Figure:
    """Return the figure that axes were made in."""
    figure: Any = ax.figure
    return cast("Figure", figure)


def put_title(ax: Axes, title: object) -> None:
    """Write a title above axes, in lines that are no longer than the axes are wide."""
    if title is None:
        return
    title = str(title)  # the number of a step will do
    ax.get_tightbbox()  # now they are where their panel has its place
    text, room = ax.set_title(title), 0.9 * ax.bbox.width  # the layout may yet narrow them
    if text.get_window_extent().width <= room:
        return
    lines: list[str] = []
    for line in title.split("\n"):
        lines.append("")
        for word in line.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            text.set_text(longer)
            if lines[-1] and text.get_window_extent().width > room:
                lines.append(word)
            else:
                lines[-1] = longer
    text.set_text("\n".join(lines))


def enlarge(figure: Figure) -> None:
    """Enlarge a figure of one's own until nothing that belongs to it is cut off."""
    for _ in range(3):
        figure.draw_without_rendering()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        over = max(box.x1 - width, 0.0) + max(-box.x0, 0.0)
        high = max(box.y1 - height, 0.0) + max(-box.y0, 0.0)
        if max(over, high) < 0.01:
            break
        # Twice, as the layout centres panels whose sides have a fixed ratio.
        figure.set_size_inches(width + 2 * over, height + 2 * high + 0.04)


def require_one_each(what: str, whole: Sized, **others: Sequence[Any] | None) -> None:
    """Refuse sequences that have not one entry for each of the others."""
    for name, entries in others.items():
        if entries is not None and not isinstance(entries, Sized):
            raise InputError(
                f"`{name}` must be a sequence, one for each of the {len(whole)} {what}, got "
                f"{kind_of(entries)}; pass a list"
            )
        if entries is not None and len(entries) != len(whole):
            raise InputError(
                f"`{name}` must have one entry for each of the {len(whole)} {what}, got "
                f"{len(entries)}; pass as many"
            )


def norm_of(values: NDArray[np.float64], *, integers: bool = False) -> Normalize:
    """Return the scale of colours from the least to the greatest of finite values."""
    from matplotlib.colors import Normalize

    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    return Normalize(low, high if high > low else low + (1.0 if integers else abs(low) or 1.0))


def colour_map(cmap: str | Colormap | None, default: str | Colormap) -> Colormap:
    """Return a colour map by its name, or as it is."""
    import matplotlib
    from matplotlib.colors import Colormap

    chosen = default if cmap is None else cmap
    if isinstance(chosen, Colormap):
        return chosen
    if isinstance(chosen, str) and chosen in matplotlib.colormaps:
        return matplotlib.colormaps[chosen]
    raise InputError(
        f"`cmap` must be a colour map of matplotlib, got {kind_of(cmap)}; pass for example "
        "'viridis', 'cividis' or 'Greys'"
    )


def check_view(view: Any) -> tuple[float, float]:
    """Return the direction of the viewer, or say what it should be."""
    remedy = "pass the degrees above the plane and around it, for example (30, -60)"
    if not isinstance(view, (list, tuple)) or len(view) != 2:
        raise InputError(f"`view` must be two angles, got {kind_of(view)}; {remedy}")
    up, around = (check_number("view", angle, remedy=remedy) for angle in view)
    return up, around


def check_point_size(size: float) -> float:
    """Return the size of points, or say what it should be."""
    return check_number("point_size", size, above=0, remedy="pass an area in square points")


def greys() -> Colormap:
    """Return greys that are pale enough for lines of all colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("relutopo_greys", ["#ffffff", "#aeb4ba"])


def _colour_bar(
    figure: Figure, layer: ScalarMappable, axes: Sequence[Axes], label: str, **shape: Any
) -> None:
    """Draw a colour bar beside the axes of a figure of one's own, or below if they are low."""
    low, high = axes[0].get_ylim()
    left, right = axes[0].get_xlim()
    beside = (high - low) / (right - left) > 0.4 or len(axes) > 1
    shape |= {"location": "right", "pad": 0.02} if beside else {"location": "bottom"}
    bar = figure.colorbar(layer, ax=list(axes), **shape)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)
    tick_labels(bar.ax)


def legend_entries(axes: Sequence[Axes]) -> dict[str, Artist]:
    """Return what a legend of all axes has to explain, each name once."""
    entries: dict[str, Artist] = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        entries = dict(zip(names, handles, strict=True)) | entries
    return entries


def furnish(
    axes: Sequence[Axes],
    given: object,
    bars: Sequence[tuple[ScalarMappable, str, dict[str, Any]]],
    *,
    legend: bool | str,
    colorbar: bool,
) -> None:
    """Draw colour bars and one legend for all axes: around one's own, or within given ones.

    Parameters
    ----------
    axes : sequence of Axes
        Of one figure.
    given : object
        None if the figure is one's own.
    bars : sequence of (layer, label, options)
        Colour bars from left to right, with options of ``Figure.colorbar``.
    legend : bool or str
        Whether to draw a legend; a location of matplotlib's, such as ``"upper left"``, puts it
        inside the first axes.
    colorbar : bool
        Whether to draw colour bars.
    """
    check_flag("colorbar", colorbar)
    _check_legend(legend)
    figure: Any = axes[0].figure
    entries = legend_entries(axes) if legend else {}
    shown = bars if colorbar else []
    place: Legend | None = None
    inside: Any = legend
    if isinstance(legend, str) and entries:
        place = axes[0].legend(list(entries.values()), list(entries), loc=inside, frameon=True)
    if given is None:
        if len(shown) > 1 and len(axes) == 1:
            width, height = figure.get_size_inches()
            figure.set_size_inches(width + 0.8, height)
        for layer, label, options in shown:
            _colour_bar(figure, layer, axes, label, **options)
        if entries and place is None:
            place = legend_below(figure, entries)
    else:
        from relutopo.plots.panels import panels_of

        panels = panels_of(axes)
        for layer, label, options in shown:
            own = {"shrink", "aspect"}  # of bars that take their room from several axes
            panels[-1].add_bar(layer, label, **{k: v for k, v in options.items() if k not in own})
        if entries and place is None:
            panels[0].add_legend(entries)
            place = panels[0].legend
    if place is not None:
        _strengthen(place)


def _check_legend(legend: object) -> None:
    from matplotlib.legend import Legend

    if not isinstance(legend, str):
        check_flag("legend", legend, remedy="or pass a place of matplotlib's, such as 'upper left'")
    elif legend not in Legend.codes:
        raise InputError(
            f"`legend` must be True, False or one of {', '.join(Legend.codes)}, got {legend!r}; "
            "choose one of these"
        )


def legend_below(figure: Figure, entries: dict[str, Artist]) -> Legend:
    """Draw a legend below a figure, in as many columns as there is room for.

    A figure of one's own that becomes too narrow for it gets one with fewer columns.
    """
    for columns in range(min(len(entries), 6), 0, -1):
        place = figure.legend(
            list(entries.values()), list(entries), loc="outside lower center", ncols=columns
        )
        # Text is wider at some resolutions.
        if columns == 1 or place.get_window_extent().width <= 0.94 * figure.bbox.width:
            break
        place.remove()
    _strengthen(place)
    own: Any = figure
    own.refit = partial(_legend_again, figure, place, entries)
    return place


def _legend_again(figure: Figure, place: Legend, entries: dict[str, Artist]) -> None:
    """Draw a legend anew if it is still there and has become wider than the figure."""
    if place in figure.legends and place.get_window_extent().width > 0.94 * figure.bbox.width:
        place.remove()
        legend_below(figure, entries)


def _strengthen(place: Legend) -> None:
    """Let lines that have faded be seen in the legend."""
    from matplotlib.lines import Line2D

    for handle in place.legend_handles:
        if isinstance(handle, Line2D):
            handle.set(alpha=1.0, linewidth=max(handle.get_linewidth(), 1.3))
