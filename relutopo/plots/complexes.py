"""Figures of complexes in one and two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from relutopo.checks import check_flag, kind_of
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.options import PlaneOptions
from relutopo.plots.pictures import draw_pictures
from relutopo.plots.style import new_figure, style_unless

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["plot_complex", "plot_complexes"]


@overload
def plot_complex(
    complex_: Cells,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: Axes,
    **options: Unpack[PlaneOptions],
) -> Axes: ...


@overload
def plot_complex(
    complex_: Cells,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: None = ...,
    **options: Unpack[PlaneOptions],
) -> Figure: ...


def plot_complex(
    complex_: Cells,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    decision_boundary: bool | None = None,
    values: ArrayLike | str | None = None,
    label: str | None = None,
    cmap: str | Colormap | None = None,
    legend: bool | str = True,
    colorbar: bool = True,
    point_size: float | None = None,
    pictures: bool | None = None,
) -> Figure | Axes:
    """Draw the regions, in grey by number of active neurons or by any values, and their edges.

    Edges have the colour of the layer that made them. Over a complex of dimension 1 the network
    is drawn, with a dot at each breakpoint; its regions are stripes and its breakpoints upright
    lines.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 1 or 2.
    points : (n, d) array_like, optional
        Data points to draw; the columns of a table of points name the axes.
    labels : (n,) array_like, optional
        Their labels, of any kind: each class has its own colour and marker. Numbers with a
        fraction, and whole numbers of more than 12 kinds, count as values: they are shown as
        colours, over a line as heights. With two classes, blue circles have the smaller label and
        orange triangles the larger one.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Legend and colour bar take their room from these axes alone, and fonts are
        theirs. By default a figure is made.
    title : str, optional
        The title, which is broken into lines where it is longer than the axes.
    decision_boundary : bool, optional
        Whether to draw where the network's decision changes, exactly: the zeros of the decision
        function of one or two outputs, and where another of several becomes the greatest.
    values : (n_regions,) array_like or str, optional
        What the colours show: one number for each region, grey where it is NaN, or a name:
        ``"n_active"`` (the default), ``"volume"``, ``"output"`` at the interior point,
        ``"gradient"``, the norm of the region's linear map.
    label : str, optional
        Label of the colour bar; by default the name of the values, if they have one.
    cmap : str or matplotlib.colors.Colormap, optional
        Colours of the values.
    legend : bool or str
        Whether to draw a legend; a location of matplotlib's, such as ``"upper left"``, puts it
        inside.
    colorbar : bool
        Whether to draw colour bars.
    point_size : float, optional
        Area of a point in square points, as ``s`` of ``scatter``; by default points are smaller the
        more there are.
    pictures : bool, optional
        Whether to draw the input beside each point, where the complex is a slice of a space of
        images; by default where there are at most six points. Off the slice a point has the picture
        of its projection.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, which notebooks show by themselves; or `ax` if it was given.

    Raises
    ------
    InputError
        If the complex has more than two dimensions, or points, labels or values do not fit.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> figure = plot_complex(complex_)
    >>> figure = plot_complex(complex_, values="volume", cmap="cividis")
    """
    drawing.require_drawable(complex_)
    numbers, name = drawing.region_values(complex_, "n_active" if values is None else values)
    x = None if points is None else drawing.points_of(points, complex_)
    if decision_boundary is not None:
        check_flag("decision_boundary", decision_boundary)
    with style_unless(ax):
        from matplotlib.ticker import MaxNLocator

        axes = drawing.axes_for(ax, complex_)
        drawing.fit_axes(axes, complex_, points, own=ax is None)
        shades = frames.greys() if values is None else "viridis"
        colours = frames.colour_map(cmap, shades)
        targets = None if x is None else drawing.values_of(labels, len(x))
        # Where both are outputs, equal ones have one colour.
        share_scale = isinstance(values, str) and values == "output" and targets is not None
        every = np.concatenate([numbers, targets]) if share_scale else numbers
        norm = frames.norm_of(every, integers=values is None)
        regions = drawing.draw_regions(axes, complex_, numbers, colours, norm)
        drawing.draw_edges_by_layer(axes, complex_)
        if decision_boundary:
            drawing.draw_decision_boundary(axes, complex_)
        options = {} if values is not None else {"ticks": MaxNLocator(integer=True, min_n_ticks=1)}
        bars: list[Any] = [(regions, label or name, options)]
        if x is not None:
            scale = (colours, norm) if share_scale else None
            dots = drawing.draw_points(axes, x, labels, size=point_size, scale=scale)
            if share_scale:
                bars = [(regions, label or f"{name}, data", options)]
            elif dots is not None:
                bars.append((dots, "data", {}))
            draw_pictures(axes, complex_, x, pictures)
        frames.furnish([axes], ax, bars, legend=legend, colorbar=colorbar)
        frames.put_title(axes, title)
    return frames.figure_of(axes) if ax is None else axes


@overload
def plot_complexes(
    complexes: Sequence[Cells],
    titles: Sequence[str] | None = ...,
    *,
    axes: Sequence[Axes],
    values: str | Sequence[ArrayLike] | None = ...,
    cmap: str | Colormap | None = ...,
    legend: bool | str = ...,
    colorbar: bool = ...,
) -> Sequence[Axes]: ...


@overload
def plot_complexes(
    complexes: Sequence[Cells],
    titles: Sequence[str] | None = ...,
    *,
    axes: None = ...,
    values: str | Sequence[ArrayLike] | None = ...,
    cmap: str | Colormap | None = ...,
    legend: bool | str = ...,
    colorbar: bool = ...,
) -> Figure: ...


def plot_complexes(
    complexes: Sequence[Cells],
    titles: Sequence[str] | None = None,
    *,
    axes: Sequence[Axes] | None = None,
    values: str | Sequence[ArrayLike] | None = None,
    cmap: str | Colormap | None = None,
    legend: bool | str = True,
    colorbar: bool = True,
) -> Figure | Sequence[Axes]:
    """Draw several complexes on a common scale of colours.

    Parameters
    ----------
    complexes : sequence of Cells
        At least one, of dimension 1 or 2.
    titles : sequence of str, optional
        One for each; the numbers of cells stand below.
    axes : sequence of matplotlib.axes.Axes, optional
        Where to draw, one for each complex; by default a figure with rows of four is made.
    values : str or sequence of array_like, optional
        What the colours show: a name as in `plot_complex`, or one array for each complex. By
        default the output of networks with one or two outputs, and of others the number of active
        neurons.
    cmap, legend, colorbar
        See `plot_complex`.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, or `axes` if they were given. Colours saturate at the 2 % and 98 % quantiles of
        all regions. The green line is where the output of a network with one or two outputs is
        zero: the decision boundary of a classifier.

    Raises
    ------
    InputError
        If there is no complex, one has more than two dimensions, or titles, axes or values are not
        one for each.

    Examples
    --------
    >>> import relutopo as rt
    >>> nets = [([[[1.0, 0.0], [0.0, 1.0]], [[s, 1.0]]], [[0.0, 0.3], [-0.5]]) for s in (1.0, 2.0)]
    >>> complexes = [rt.decompose(net, rt.Box(-1, 1, dim=2)) for net in nets]
    >>> figure = plot_complexes(complexes, ["before", "after"])
    """
    if not isinstance(complexes, (list, tuple)):
        raise InputError(
            f"`complexes` must be a sequence of complexes, got {kind_of(complexes)}; pass a list, "
            "or draw a single one by plot_complex"
        )
    if not len(complexes):
        raise InputError("`complexes` must have at least one complex, got none")
    for complex_ in complexes:
        drawing.require_drawable(complex_)
    if not isinstance(titles, (list, tuple, NoneType)):
        raise InputError(
            f"`titles` must be a sequence of words, one for each complex, got {kind_of(titles)}; "
            "pass a list"
        )
    names = [""] * len(complexes) if titles is None else list(titles)
    if values is None:
        has_decision = all(complex_.network.n_outputs <= 2 for complex_ in complexes)
        values = "output" if has_decision else "n_active"
    wanted: Any = [values] * len(complexes) if isinstance(values, str) else values
    frames.require_one_each("complexes", complexes, titles=names, values=wanted, axes=axes)
    found = [drawing.region_values(c, v) for c, v in zip(complexes, wanted, strict=True)]
    every = np.concatenate([numbers for numbers, _ in found])
    low, high = np.nanquantile(every, (0.02, 0.98)) if np.isfinite(every).any() else (0.0, 1.0)
    norm = frames.norm_of(np.array([low, high]))
    with style_unless(None if axes is None else list(axes)):
        # Lines of all layers are seen on pale greys.
        pale = isinstance(values, str) and values == "n_active"
        colours = frames.colour_map(cmap, frames.greys() if pale else "Greys")
        if axes is None:
            n_rows = -(-len(complexes) // 4)
            n_columns = -(-len(complexes) // n_rows)
            height = 2.75 * drawing.aspect(complexes[0]) + 0.75
            figure = new_figure(3.0 * n_columns + 0.8, n_rows * height + 0.6)
            grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True, sharex=True)
            for ax in grid.flat[len(complexes) :]:
                ax.remove()
            panels = list(grid.flat[: len(complexes)])
        else:
            panels = list(axes)
        for ax, complex_, (numbers, _), title in zip(panels, complexes, found, names, strict=True):
            drawing.fit_axes(ax, complex_, own=axes is None)
            regions = drawing.draw_regions(ax, complex_, numbers, colours, norm)
            drawing.draw_edges_by_layer(ax, complex_)
            if complex_.network.n_outputs <= 2:
                drawing.draw_decision_boundary(ax, complex_, label="output is 0")
            counts = " + ".join(map(str, complex_.n_cells))
            words = f"{title}\n{counts} cells".lstrip()
            if axes is None:
                ax.set_title(words)
                ax.label_outer()
            else:
                frames.put_title(ax, words)
        options = {"extend": "both", "shrink": 0.8 if len(panels) <= 4 else 0.6}
        frames.furnish(
            panels, axes, [(regions, found[0][1], options)], legend=legend, colorbar=colorbar
        )
        if axes is None:
            frames.enlarge(figure)
    return figure if axes is None else axes
