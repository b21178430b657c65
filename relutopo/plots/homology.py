"""Figures of persistent homology: diagrams, barcodes, Betti curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_choice, check_integer, check_integers
from relutopo.errors import InputError
from relutopo.homology.diagram import Diagram, Scale
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    new_figure,
    open_frame,
    own_size,
    style_unless,
    tick_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["plot_barcode", "plot_betti_curves", "plot_persistence_diagram"]

_DEGREES = (BLUE, ORANGE, GREEN, INK)
"""Colours of degrees 0, 1, ..., which repeat."""
_MARKERS = "os^DvP*X"
"""Of diagrams in one figure, which repeat."""
_SCALES = {"value": "filtration value", "index": "number of cells"}


class _Options(TypedDict, total=False):
    degrees: Sequence[int] | None
    over: Scale
    title: str | None
    legend: bool | str


class _Classes:
    """The classes of one degree of one diagram that have a length."""

    def __init__(self, name: str, number: int, degree: int, diagram: Diagram, over: Scale) -> None:
        pairs = np.asarray(diagram.pairs(degree, over), dtype=np.float64)
        self.pairs: NDArray[np.float64] = pairs[pairs[:, 1] > pairs[:, 0]]
        self.essential = np.asarray(diagram.essential(degree, over), dtype=np.float64)
        self.name, self.number, self.degree = name, number, degree
        self.color = _DEGREES[degree % len(_DEGREES)]
        self.label = f"{name}, $H_{degree}$" if name else f"$H_{degree}$"

    @property
    def n(self) -> int:
        return len(self.pairs) + len(self.essential)


@overload
def plot_persistence_diagram(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    ax: Axes,
    point_size: float | None = ...,
    **options: Unpack[_Options],
) -> Axes: ...


@overload
def plot_persistence_diagram(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    ax: None = ...,
    point_size: float | None = ...,
    **options: Unpack[_Options],
) -> Figure: ...


def plot_persistence_diagram(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    degrees: Sequence[int] | None = None,
    over: Scale = "value",
    ax: Axes | None = None,
    title: str | None = None,
    legend: bool | str = True,
    point_size: float | None = None,
) -> Figure | Axes:
    """Draw birth and death of the classes of homology; those that never end are on the line ∞.

    Each degree has its own colour, each diagram its own marker. The area of a point grows with the
    number of classes there. Classes that end where they begin are not drawn.

    Parameters
    ----------
    diagrams : Diagram or mapping of names to Diagram
        Steps of a run are names too.
    degrees : sequence of int, optional
        Degrees of homology; by default those that have a class to draw.
    over : {"value", "index"}
        The scale: filtration values, or numbers of cells.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a figure is made.
    title : str, optional
        The title.
    legend : bool or str
        See `plot_complex`.
    point_size : float, optional
        Area of the point of one class, as ``s`` of matplotlib's ``scatter``.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        If there is no diagram, or a degree is not one of theirs.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "dimension_major"))
    >>> figure = plot_persistence_diagram(diagram)
    """
    classes = _classes(diagrams, degrees, over)
    low, high = _ends(classes)
    infinity = high + 0.08 * (high - low)
    if point_size is not None:
        point_size = frames.check_point_size(point_size)
    with style_unless(ax):
        axes = new_figure(*own_size(4.2, 4.3)).add_subplot() if ax is None else ax
        for one in classes:
            places, counts = np.unique(one.pairs, axis=0, return_counts=True)
            births, many = np.unique(one.essential, return_counts=True)
            axes.scatter(
                np.concatenate([places[:, 0], births]),
                np.concatenate([places[:, 1], np.full(len(births), infinity)]),
                s=(point_size or 14.0) * np.sqrt(np.concatenate([counts, many])),
                c=one.color,
                marker=_MARKERS[one.number % len(_MARKERS)],
                edgecolors="white",
                linewidths=0.4,
                label=one.label,
                zorder=3,
                clip_on=False,
            )
        margin = 0.03 * (high - low)
        ends = [low - margin, high + margin]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8, zorder=1)
        axes.axhline(infinity, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)
        axes.annotate(
            "∞", (1.0, infinity), xycoords=("axes fraction", "data"), xytext=(-3, -3),
            textcoords="offset points", ha="right", va="top", color=MUTED,
        )  # fmt: skip
        axes.set(
            xlim=ends,
            ylim=(ends[0], infinity + margin),
            xlabel=f"birth ({_SCALES[over]})",
            ylabel="death",
        )
        axes.set_aspect("equal")
        _finish(axes, ax, title, legend)
    return frames.figure_of(axes) if ax is None else axes


@overload
def plot_barcode(
    diagrams: Diagram | Mapping[Any, Diagram], *, ax: Axes, **options: Unpack[_Options]
) -> Axes: ...


@overload
def plot_barcode(
    diagrams: Diagram | Mapping[Any, Diagram], *, ax: None = ..., **options: Unpack[_Options]
) -> Figure: ...


def plot_barcode(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    degrees: Sequence[int] | None = None,
    over: Scale = "value",
    ax: Axes | None = None,
    title: str | None = None,
    legend: bool | str = True,
) -> Figure | Axes:
    """Draw a bar for each class of homology, from birth to death.

    Bars are sorted by diagram, degree and birth, from below. Those of classes that never end leave
    the figure to the right, with an arrowhead. Classes that end where they begin are not drawn.

    Parameters
    ----------
    diagrams, degrees, over, ax, title, legend
        See `plot_persistence_diagram`.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        As `plot_persistence_diagram`.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "dimension_major"))
    >>> figure = plot_barcode({"before": diagram, "after": diagram}, degrees=[0])
    """
    classes = _classes(diagrams, degrees, over)
    low, high = _ends(classes)
    n_bars = sum(one.n for one in classes)
    with style_unless(ax):
        axes = new_figure(*own_size(4.8, 3.2), "constrained").add_subplot() if ax is None else ax
        end = high + 0.06 * (high - low)
        height = 0
        middles: dict[str, list[tuple[int, int]]] = {}
        points = axes.bbox.height / axes.figure.dpi * 72
        width = float(np.clip(0.7 * points / max(n_bars, 1), 0.25, 4.0))
        for one in classes:
            ends = np.concatenate(
                [one.pairs, np.column_stack([one.essential, np.full(len(one.essential), end)])]
            )
            order = np.lexsort((ends[:, 1], ends[:, 0]))
            rows = height + np.arange(len(order))
            bars = np.stack([ends[order], np.column_stack([rows, rows])], axis=2)
            drawing.draw_segments(
                axes,
                bars,
                colors=one.color,
                linewidths=width,
                capstyle="butt",
                zorder=2,
                label=f"$H_{one.degree}$",
            )
            essential = rows[order >= len(one.pairs)]
            if len(essential):  # no marks would be in the corner of the figure, for the layout
                axes.plot(np.full(len(essential), end), essential, ">", color=one.color,
                          markersize=np.clip(1.6 * width, 2.5, 6.0), clip_on=False, zorder=3,
                          label="_nolegend_")  # fmt: skip
            middles.setdefault(one.name, []).append((height, height + len(order)))
            height += len(order)
        axes.set(xlim=(low, end), ylim=(-1, max(height, 1)), xlabel=_SCALES[over])
        names = [name for name in middles if name]
        axes.set_yticks([(middles[n][0][0] + middles[n][-1][1] - 1) / 2 for n in names], names)
        axes.set_ylabel("" if names else "classes")
        open_frame(axes)
        _finish(axes, ax, title, legend)
    return frames.figure_of(axes) if ax is None else axes


def _finish(axes: Axes, given: Axes | None, title: str | None, legend: bool | str) -> None:
    if given is None:
        tick_labels(axes)
    frames.furnish([axes], given, [], legend=legend, colorbar=False)
    frames.put_title(axes, title)


def _ends(classes: Sequence[_Classes]) -> tuple[float, float]:
    every = np.concatenate([np.append(one.pairs.ravel(), one.essential) for one in classes])
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    return low, high if high > low else low + 1.0


def _classes(
    diagrams: Diagram | Mapping[Any, Diagram], degrees: Sequence[int] | None, over: Scale
) -> list[_Classes]:
    check_choice("over", over, _SCALES, remedy="the default is 'value'")
    found = _named(diagrams)
    dim = max(diagram.dim for diagram in found.values())
    wanted = (
        range(dim + 1)
        if degrees is None
        else check_integers("degrees", degrees, remedy="pass for example [0, 1]")
    )
    for k in wanted:
        check_integer("degrees", k, 0, dim, remedy="the complex has no larger cells")
    classes = [
        _Classes(name, i, k, diagram, over)
        for i, (name, diagram) in enumerate(found.items())
        for k in wanted
        if k <= diagram.dim
    ]
    return [one for one in classes if one.n or degrees is not None]


def _named(diagrams: Diagram | Mapping[Any, Diagram]) -> dict[str, Diagram]:
    """Return diagrams by their names, an empty one for one diagram alone."""
    if isinstance(diagrams, Diagram):
        return {"": diagrams}
    if not isinstance(diagrams, Mapping) or any(
        not isinstance(diagram, Diagram) for diagram in diagrams.values()
    ):
        kinds = (
            {type(d).__name__ for d in diagrams.values()}
            if isinstance(diagrams, Mapping)
            else {type(diagrams).__name__}
        )
        raise InputError(
            "`diagrams` must be a Diagram, or a mapping of names to diagrams, got "
            f"{', '.join(sorted(kinds))}; pass what relutopo.persistence returns"
        )
    if not diagrams:
        raise InputError(
            "`diagrams` must have at least one diagram, got none; pass {step: diagram}"
        )
    return {
        (f"step {key}" if isinstance(key, (int, np.integer)) else str(key)): diagram
        for key, diagram in diagrams.items()
    }


class _CurveOptions(TypedDict, total=False):
    cmap: str | Colormap | None
    legend: bool | str


@overload
def plot_betti_curves(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    axes: Sequence[Axes] | Axes,
    **options: Unpack[_CurveOptions],
) -> Sequence[Axes]: ...


@overload
def plot_betti_curves(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    axes: None = ...,
    **options: Unpack[_CurveOptions],
) -> Figure: ...


def plot_betti_curves(
    diagrams: Diagram | Mapping[Any, Diagram],
    *,
    axes: Sequence[Axes] | Axes | None = None,
    cmap: str | Colormap | None = None,
    legend: bool | str = True,
) -> Figure | Sequence[Axes]:
    """Draw the Betti curves of one diagram or several, one panel for each degree.

    Parameters
    ----------
    diagrams : Diagram or mapping of names to Diagram
        At least one; of the same dimension. Whole numbers are steps.
    axes : matplotlib.axes.Axes or sequence of them, optional
        Where to draw, one for each degree below the dimension; by default a figure is made.
    cmap : str or matplotlib.colors.Colormap, optional
        Colours of the curves, from the first to the last.
    legend : bool or str
        See `plot_complex`.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, or the axes if they were given. Dots mark the peaks. Where one curve is many
        times as high as another, heights beyond 1 are on a logarithmic scale.

    Raises
    ------
    InputError
        If there is no diagram, or there are not as many axes as degrees.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "dimension_major"))
    >>> figure = plot_betti_curves({0: diagram, "after": diagram})
    """
    found = _named(diagrams)
    dim = max(diagram.dim for diagram in found.values())
    given = None if axes is None else list(np.ravel(np.asarray(axes, dtype=object)))
    frames.require_one_each("degrees", range(dim), axes=given)
    with style_unless(given):
        from matplotlib.ticker import MaxNLocator

        shades = frames.colour_map(cmap, "viridis")(np.linspace(0.0, 0.85, len(found)))
        if given is None:
            figure = new_figure(3.6 * dim, 3.2, layout="constrained")
            panels = list(figure.subplots(1, dim, squeeze=False)[0])
        else:
            panels = given
        for k, ax in enumerate(panels):
            heights = []
            for shade, (name, diagram) in zip(shades, found.items(), strict=True):
                if k > diagram.dim:
                    continue
                curve, last = diagram.betti_curve(k), float(diagram.values[-1])
                # From the first cell to the last, so that all curves span the filtration.
                breaks = np.concatenate([[float(diagram.values[0])], curve.breaks, [last]])
                ax.step(breaks, curve(breaks), where="post", color=shade, linewidth=1.1,
                        label=name or "_nolegend_")  # fmt: skip
                peak = curve.peak()
                heights.append(peak.height)
                ax.plot(peak.value, peak.height, "o", color=shade, markersize=4.5,
                        markeredgecolor="white", markeredgewidth=0.7, zorder=4)  # fmt: skip
            ax.set_xlabel(_SCALES["value"])
            ax.set_ylabel(f"$\\beta_{k}$")
            if min(heights) and max(heights) >= 4 * min(heights):
                ax.set_yscale("symlog", linthresh=1.0)
            else:
                ax.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            ax.set_ylim(bottom=0)
            open_frame(ax)
            if given is None:
                tick_labels(ax)
        frames.furnish(panels, given, [], legend=legend, colorbar=False)
    return figure if given is None else given
