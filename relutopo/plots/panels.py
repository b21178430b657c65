"""Panels: axes with their colour bars and their legend, within the place of the axes alone.

Invariant: what stands beside the axes of a panel ends where the axes would end without it, to the
right; what stands below them ends where their own labels would end. So a panel never lies on its
neighbours, whatever the figure's layout is. It is fitted whenever the figure is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.cm import ScalarMappable
    from matplotlib.gridspec import SubplotSpec
    from matplotlib.legend import Legend

__all__ = ["Panel", "panels_of"]

_IN_SPACE = 8.0
"""Gaps that labels of three dimensions take beside their axes."""
_GAP = 0.5
"""Between the parts of a panel, in sizes of the font, as the width of a bar."""


class Panel:
    """Axes, and what stands beside and below them.

    Panels of one group give way to the largest bars and legend among them, so that their axes
    have one size.

    Parameters
    ----------
    ax : Axes
        A panel that they were before loses its bars.
    group : sequence of Panel
        To which this one is added.
    """

    def __init__(self, ax: Axes, group: list[Panel] | None = None) -> None:
        before: Any = ax.get_axes_locator()
        if isinstance(before, Panel):
            for bar in before._drawn_bars:
                bar.remove()
            before = before._place
        self._ax = ax
        self._place: Any = before
        self._group = [] if group is None else group
        self._group.append(self)
        self.bars: list[Axes] = []
        self.legend: Legend | None = None
        ax.set_axes_locator(self)

    def add_bar(self, layer: ScalarMappable, label: str, **options: Any) -> None:
        """Draw a colour bar to the right."""
        bar = self._ax.inset_axes((1.0, 0.0, 0.1, 1.0))
        bar.set_axes_locator(_BarPlace(self, len(self.bars)))
        self.bars.append(bar)
        colours = self._figure.colorbar(layer, cax=bar, **options)
        colours.set_label(label)
        text = bar.yaxis.label
        if text.get_window_extent().height > self._ax.bbox.height:
            text.set_text(
                label.replace(" ", "\n", 1) if "," not in label else label.replace(", ", ",\n")
            )

    def add_legend(self, entries: dict[str, Artist]) -> None:
        """Draw a legend below, in as many columns as there is room for."""
        widest = self._cell().width
        for columns in range(len(entries), 0, -1):
            self.legend = self._ax.legend(
                list(entries.values()), list(entries), ncols=columns, loc="upper left",
                borderpad=0, borderaxespad=0, frameon=False,
            )  # fmt: skip
            if self.legend.get_window_extent().width <= widest:
                break

    def get_subplotspec(self) -> SubplotSpec | None:
        """Return the place of the axes in a grid, which the layout "tight" asks for."""
        return self._ax.get_subplotspec()

    def __call__(self, ax: Any, renderer: RendererBase) -> Bbox:
        """Return the place of the axes, in shares of the figure, and put the legend below."""
        cell = self._cell(renderer)
        left, below, above = (max(sides) for sides in zip(*self._excesses(renderer), strict=True))
        right = max(panel._width_of_bars(renderer) for panel in self._group)
        below += max(panel._height_of_legend(renderer) for panel in self._group)
        place = Bbox.from_extents(
            min(cell.x0 + left, cell.x1 - 2),
            min(cell.y0 + below, cell.y1 - 1),
            max(cell.x1 - right, cell.x0 + left + 1),
            max(cell.y1 - above, cell.y0 + below + 1),
        )
        inner = place.transformed(self._figure.transSubfigure.inverted())
        if self.legend is not None:
            ax.apply_aspect(inner)
            axes, legend = ax.bbox, self.legend.get_window_extent(renderer)
            middle = (axes.x0 + axes.x1 - legend.width) / 2
            start = max(min(middle, cell.x1 - legend.width), cell.x0)
            top = axes.y0 - self._labels(renderer)[1] - self._gap
            # In shares of the figure, which move with it where what is saved is cut to its content.
            to_shares = self._figure.transSubfigure
            anchor = to_shares.inverted().transform((start, top))
            self.legend.set_bbox_to_anchor(tuple(anchor), to_shares)
        return inner

    def _excesses(self, renderer: RendererBase) -> list[tuple[float, float, float]]:
        """Return by how much text would leave its room, left, below and above, of each panel."""
        found = []
        for panel in self._group:
            room, labels = panel._room(renderer), panel._labels(renderer)
            top = panel._figure.bbox.y1 - panel._cell(renderer).y1
            title = _height_of_title(panel._ax, renderer) + panel._gap
            excess = labels[0] - room[0], labels[1] - room[1], title - top
            found.append((max(excess[0], 0.0), max(excess[1], 0.0), max(excess[2], 0.0)))
        return found

    def _room(self, renderer: RendererBase) -> tuple[float, float]:
        """Return the pixels from the place of the axes to what comes next, left and below."""
        cell, figure = self._cell(renderer), self._figure.bbox
        left, below = float(cell.x0 - figure.x0), float(cell.y0 - figure.y0)
        for ax in self._figure.axes:
            if ax is self._ax or not ax.get_visible():
                continue
            other = ax.get_position(original=True).transformed(self._figure.transSubfigure)
            title = _height_of_title(ax, renderer)
            if other.x1 <= cell.x0 and other.y0 < cell.y1 and other.y1 > cell.y0:
                left = min(left, cell.x0 - other.x1 - self._gap / 2)
            if other.y1 <= cell.y0 and other.x0 < cell.x1 and other.x1 > cell.x0:
                below = min(below, cell.y0 - other.y1 - title - 1.5 * self._gap)
        return left, below

    @property
    def _figure(self) -> Any:
        return self._ax.figure

    @property
    def _gap(self) -> float:
        """In pixels."""
        from matplotlib import rcParams

        return float(_GAP * rcParams["font.size"] * self._figure.dpi / 72)

    def _cell(self, renderer: RendererBase | None = None) -> Bbox:
        """Return the place that the axes alone would take, in pixels."""
        place = (
            self._ax.get_position(original=True)
            if self._place is None
            else self._place(self._ax, renderer)
        )
        return place.transformed(self._figure.transSubfigure)

    def _labels(self, renderer: RendererBase) -> tuple[float, float]:
        """Return by how many pixels ticks and labels stick out to the left, and below."""
        axes, across, up = (
            self._ax.bbox,
            *(axis.get_tightbbox(renderer) for axis in (self._ax.xaxis, self._ax.yaxis)),
        )
        return (
            0.0 if up is None else max(float(axes.x0 - up.x0), 0.0),
            0.0 if across is None else max(float(axes.y0 - across.y0), 0.0),
        )

    @property
    def _drawn_bars(self) -> list[Axes]:
        """The bars that are still there: who clears axes clears what stands beside them."""
        return [bar for bar in self.bars if bar in self._ax.child_axes]

    def _width_of_bars(self, renderer: RendererBase) -> float:
        widths = [self.width_of_bar(bar, renderer) for bar in self._drawn_bars]
        return sum(widths) + (self._labels_in_space if widths else 0.0)

    @property
    def _labels_in_space(self) -> float:
        """The pixels that labels of three dimensions take beside their axes."""
        return _IN_SPACE * self._gap if hasattr(self._ax, "get_zlim") else 0.0

    def width_of_bar(self, bar: Axes, renderer: RendererBase) -> float:
        """Return the width of one bar with its labels and the gap before it, in pixels."""
        box = bar.yaxis.get_tightbbox(renderer)
        labels = 0.0 if box is None else float(box.x1 - bar.bbox.x1)
        return 2 * self._gap + max(labels, 0.0)

    def _height_of_legend(self, renderer: RendererBase) -> float:
        if self.legend is None or self._ax.get_legend() is not self.legend:
            return 0.0
        return float(self.legend.get_window_extent(renderer).height) + self._gap

    def place_of_bar(self, number: int, renderer: RendererBase) -> Bbox:
        """Return where a bar stands, in shares of the figure."""
        axes, gap = self._ax.bbox, self._gap
        left = (
            axes.x1
            + self._labels_in_space
            + sum(self.width_of_bar(bar, renderer) for bar in self.bars[:number])
        )
        place = Bbox.from_extents(left + gap, axes.y0, left + 2 * gap, axes.y1)
        return place.transformed(self._figure.transSubfigure.inverted())


def _height_of_title(ax: Axes, renderer: RendererBase) -> float:
    return float(ax.title.get_window_extent(renderer).height) if ax.get_title() else 0.0


class _BarPlace:
    """Where a bar of a panel stands."""

    def __init__(self, panel: Panel, number: int) -> None:
        self._panel, self._number = panel, number

    def __call__(self, ax: object, renderer: RendererBase) -> Bbox:
        return self._panel.place_of_bar(self._number, renderer)


def panels_of(axes: Sequence[Axes]) -> list[Panel]:
    """Return panels of one size on some axes."""
    group: list[Panel] = []
    for ax in axes:
        Panel(ax, group)
    return group
