"""Segments of the input space: the facets on the way, and the function over one of them.

Invariant: an output has the colour of points of its class, and the strip of a class that of its
part in every other figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.checks import check_integer, check_integers, check_kind
from relutopo.errors import InputError
from relutopo.paths.segments import Segments
from relutopo.plots import frames
from relutopo.plots.layers import class_look
from relutopo.plots.parts import fill
from relutopo.plots.pictures import image_shape
from relutopo.plots.style import (
    BLUE,
    INK,
    MUTED,
    ORANGE,
    new_figure,
    open_frame,
    own_size,
    style,
    style_unless,
    tick_labels,
)
from relutopo.reports.text import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["crossings_history", "plot_crossings", "plot_segment", "segment_history"]

_Floats = NDArray[np.float64]
_WHERE = "position along the segment"
_MOST_LINES = 60
"""Segments of a kind that are drawn one by one."""
_OTHERS = "#cfcfcf"
_LEAST_WIDTH = 0.035
"""Of an interval in which its class is written."""
_MOST_PLACES = 400
_MOST_NAMES = 6
"""Inputs that are named one by one."""
_COLOURS = 8
"""Classes from this one on have the colours of the first ones again, and broken lines."""
_REMEDY = "take them from relutopo.segments(model, points, pairs=...)"


@overload
def plot_crossings(
    segments: Segments,
    labels: ArrayLike | None = ...,
    *,
    ax: Axes,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Axes: ...


@overload
def plot_crossings(
    segments: Segments,
    labels: ArrayLike | None = ...,
    *,
    ax: None = ...,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Figure: ...


def plot_crossings(
    segments: Segments,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    legend: bool | str = True,
) -> Figure | Axes:
    """Draw how many facets each segment has crossed on its way, within and between classes.

    Thin lines are segments, sixty of each kind at most; thick lines are the mean of all segments of
    a kind.

    Parameters
    ----------
    segments : Segments
    labels : (n_points,) array_like, optional
        Labels of the points that the segments join: segments between points of equal labels and of
        different labels are told apart.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a figure is made.
    title : str, optional
    legend : bool or str
        See `plot_complex`.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        If there are no segments, or labels without pairs, or not as many as points.

    Examples
    --------
    >>> import relutopo as rt
    >>> network = rt.gallery.random_network([8, 20, 20, 3], seed=0)
    >>> X, y = np.random.default_rng(0).normal(size=(30, 8)), np.arange(30) % 3
    >>> figure = plot_crossings(rt.segments(network, X, pairs=rt.segment_pairs(X)), y)
    """
    found = _checked(segments)
    kinds: dict[str, tuple[NDArray[np.bool_], str]] = {"": (np.ones(len(found), dtype=bool), INK)}
    if labels is not None:
        same = found.same_label(labels)
        kinds = {"same label": (same, BLUE), "different labels": (~same, ORANGE)}
    with style_unless(ax):
        axes = new_figure(*own_size(4.8, 3.4), "constrained").add_subplot() if ax is None else ax
        for name, (members, colour) in kinds.items():
            if members.any():
                _draw_fan(axes, found, np.flatnonzero(members), name, colour)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, _top(found))
        axes.set_xlabel(_WHERE)
        axes.set_ylabel("facets crossed")
        open_frame(axes, grid="y")
        if ax is None:
            tick_labels(axes)
        frames.furnish([axes], ax, [], legend=legend, colorbar=False)
        frames.put_title(axes, title)
    return frames.figure_of(axes) if ax is None else axes


def _checked(segments: Any) -> Segments:
    found: Segments = check_kind("segments", segments, Segments, remedy=_REMEDY)
    if not len(found):
        raise InputError(f"`segments` must be at least one, got none; {_REMEDY}")
    return found


def _top(found: Segments) -> float:
    return 1.05 * max(int(found.n_crossings.max()), 1)


def _draw_fan(ax: Axes, found: Segments, members: NDArray[np.intp], name: str, colour: str) -> None:
    """Draw counts of knots along segments, and their mean."""
    from matplotlib.collections import LineCollection

    chosen = members[np.linspace(0, len(members) - 1, min(len(members), _MOST_LINES)).astype(int)]
    lines = []
    for i in chosen.tolist():
        t = found.t_of(i)
        counts = np.minimum(np.arange(len(t)), len(t) - 2)
        lines.append(np.column_stack([np.repeat(t, 2)[1:], np.repeat(counts, 2)[:-1]]))
    ax.add_collection(
        LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.25, rasterized=True)
    )
    segment_of_knot = np.repeat(np.arange(len(found)), found.n_crossings)
    knots = np.sort(found.t[np.isin(segment_of_knot, members)])
    places = np.linspace(0, 1, _MOST_PLACES + 1)
    means = np.searchsorted(knots, places, side="right") / len(members)
    label = f"{name + ': ' if name else ''}{means[-1]:.3g} on average"
    ax.plot(places, means, color="white", linewidth=4.0, zorder=3)
    ax.plot(places, means, color=colour, linewidth=2.2, zorder=4, label=label)


def crossings_history(found: Mapping[str, Segments], labels: ArrayLike) -> Figure:
    """Draw crossings at several checkpoints side by side.

    Parameters
    ----------
    found : mapping of str to Segments
        By title.
    labels : (n_points,) array_like
        Of the points whose pairs the segments join.
    """
    with style():
        figure = new_figure(2.6 * len(found) + 0.6, 3.2, "constrained")
        panels = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for ax, (title, one) in zip(panels, found.items(), strict=True):
            plot_crossings(one, labels, ax=ax, title=title, legend=False)
            ax.legend(loc="upper left", fontsize="x-small", borderpad=0, handlelength=1.2)
            tick_labels(ax)
            ax.set_ylabel("facets crossed" if ax is panels[0] else "")
        panels[0].set_ylim(0, max(map(_top, found.values())))
    return figure


def segment_history(found: Mapping[str, Segments], segment: int) -> Figure:
    """Draw one segment at several checkpoints side by side.

    Parameters
    ----------
    found : mapping of str to Segments
        By title; all of the same pairs.
    segment : int
    """
    with style():
        figure = new_figure(4.2 * len(found) + 0.4, 3.6, "constrained")
        panels = figure.subplots(2, len(found), sharex=True, squeeze=False, height_ratios=[1, 0.2])
        for column, (title, one) in zip(panels.T, found.items(), strict=True):
            shown = f"{title}: {counted(int(one.n_crossings[segment]), 'facet')}"
            plot_segment(one, segment, axes=column, n_pictures=7, title=shown, legend=False)
            for ax in column:
                tick_labels(ax)
        limits = _limits([one.outputs_of(segment) for one in found.values()])
        for ax in panels[0]:
            ax.set_ylim(limits)
        frames.legend_below(figure, frames.legend_entries(panels[0]))
    return figure


@overload
def plot_segment(
    segments: Segments,
    segment: int = ...,
    *,
    axes: Sequence[Axes],
    input_shape: Sequence[int] | None = ...,
    n_pictures: int = ...,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Sequence[Axes]: ...


@overload
def plot_segment(
    segments: Segments,
    segment: int = ...,
    *,
    axes: None = ...,
    input_shape: Sequence[int] | None = ...,
    n_pictures: int = ...,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Figure: ...


def plot_segment(
    segments: Segments,
    segment: int = 0,
    *,
    axes: Sequence[Axes] | None = None,
    input_shape: Sequence[int] | None = None,
    n_pictures: int = 9,
    title: str | None = None,
    legend: bool | str = True,
) -> Figure | Sequence[Axes]:
    """Draw the function along one segment, exactly, above the points on it.

    Outputs that are the greatest somewhere on the segment have the colours of their classes, the
    others are grey; the strip at the top says which is the greatest, the strokes at the bottom are
    facets. Below stand the inputs: images as pictures, others as columns of numbers, from black for
    the greatest to white for the least.

    Parameters
    ----------
    segments : Segments
    segment : int
        Its number.
    axes : pair of matplotlib.axes.Axes, optional
        Where to draw the function and the points; by default a figure is made.
    input_shape : sequence of int, optional
        Shape of one input, such as (1, 28, 28). By default inputs are taken for images if their
        number is a square, or three times a square; ``input_shape=(64,)`` says that they are none.
    n_pictures : int
        How many points have a picture.
    title : str, optional
    legend : bool or str
        See `plot_complex`.

    Returns
    -------
    matplotlib.figure.Figure or sequence of matplotlib.axes.Axes
        The figure, or the axes if they were given.

    Raises
    ------
    InputError
        If there is no such segment, the shape does not fit, or there are not two axes.

    Examples
    --------
    >>> import relutopo as rt
    >>> network = rt.gallery.random_network([64, 20, 20, 3], seed=0)
    >>> X = np.random.default_rng(0).random((2, 64))
    >>> figure = plot_segment(rt.segments(network, X[:1], X[1:]))
    """
    found = _checked(segments)
    remedy = "segments are numbered from 0"
    number = check_integer("segment", segment, 0, len(found) - 1, remedy=remedy)
    n = check_integer("n_pictures", n_pictures, 2, remedy="9 are usual")
    shape = _image(found.network.input_dim, input_shape)
    given = None if axes is None else list(np.ravel(np.asarray(axes, dtype=object)))
    frames.require_one_each("panels, the function and the points", [0, 1], axes=given)
    with style_unless(given):
        if given is None:
            width, height = own_size(5.6, 3.6)
            figure = new_figure(width, height, "constrained")
            below = 1.0 / n if shape is not None else 0.2
            upper, lower = figure.subplots(
                2, 1, sharex=True, height_ratios=[1.0, below * width / height * 1.25]
            )
            shown = [upper, lower]
        else:
            shown = given
        _draw_function(shown[0], found, number)
        _draw_inputs(shown[1], found, number, shape, n)
        if given is None:
            tick_labels(shown[0])
            tick_labels(shown[1])
        frames.furnish([shown[0]], given, [], legend=legend, colorbar=False)
        frames.put_title(shown[0], title)
    return frames.figure_of(shown[0]) if given is None else given


def _image(dim: int, given: Sequence[int] | None) -> tuple[int, ...] | None:
    """Return the shape of an image, or None."""
    if given is None:
        side, side_of_three = math.isqrt(dim), math.isqrt(dim // 3)
        guesses = ((side, side), (3, side_of_three, side_of_three))
        return next((image_shape(g) for g in guesses if math.prod(g) == dim and g[-1] > 1), None)
    remedy = f"pass for example ({dim},)"
    shape = tuple(check_integers("input_shape", given, 1, at_least=1, remedy=remedy))
    if math.prod(shape) != dim:
        raise InputError(
            f"`input_shape` must have {dim} entries in all, one for each input, got {shape}; "
            f"{remedy}"
        )
    return image_shape(shape)


def _draw_function(ax: Axes, found: Segments, number: int) -> None:
    t, outputs = found.t_of(number), found.outputs_of(number)
    first, last = found.class_indptr[number], found.class_indptr[number + 1]
    starts, classes = found.class_starts[first:last], found.classes[first:last]
    is_single = outputs.shape[1] == 1
    greatest = np.unique(classes).tolist()
    others = [] if is_single else [k for k in range(outputs.shape[1]) if k not in greatest]
    for k in others:
        label = "other outputs" if k == others[0] else None
        ax.plot(t, outputs[:, k], color=_OTHERS, linewidth=0.8, label=label, zorder=2)
    if is_single:
        ax.axhline(0, color=MUTED, linewidth=0.7, zorder=1)
        ax.plot(t, outputs[:, 0], color=INK, linewidth=1.6, label="output", zorder=3)
    else:
        for k in greatest:
            line = "-" if k < _COLOURS else "--"
            ax.plot(t, outputs[:, k], color=class_look(k)[0], linewidth=1.6, linestyle=line,
                    label=f"output {k}", zorder=3)  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_ylim(_limits([outputs]))
    across = ax.get_xaxis_transform()
    ends = [*starts[1:].tolist(), 1.0]
    for k, start, stop in zip(classes.tolist(), starts.tolist(), ends, strict=True):
        ax.axvspan(start, stop, 0.91, 1.0, facecolor=fill(k), edgecolor="none", zorder=1)
        if stop - start >= _LEAST_WIDTH:
            ax.text((start + stop) / 2, 0.952, str(k), transform=across, color=INK, zorder=5,
                    ha="center", va="center", fontsize="small")  # fmt: skip
    if len(t) > 2:
        ax.vlines(t[1:-1], 0, 0.045, transform=across, color=MUTED, linewidth=0.5, zorder=2,
                  label="facets")  # fmt: skip
    ax.set_axisbelow(True)
    ax.set_ylabel("output" if is_single else "outputs")
    open_frame(ax, grid="y")


def _limits(outputs: Sequence[_Floats]) -> tuple[float, float]:
    """Return limits that leave room for facets below and for classes above."""
    low, high = min(float(x.min()) for x in outputs), max(float(x.max()) for x in outputs)
    room = (high - low) or 1.0
    return low - 0.12 * room, high + 0.18 * room


def _draw_inputs(
    ax: Axes, found: Segments, number: int, shape: tuple[int, ...] | None, n: int
) -> None:
    a, b = found.starts[number], found.ends[number]
    ax.set_xlim(0, 1)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel(_WHERE)
    low, high = (float(f([a.min(), b.min(), a.max(), b.max()])) for f in (min, max))
    scale: dict[str, Any] = {
        "cmap": "gray_r", "vmin": low, "vmax": high if high > low else low + 1,
        "interpolation": "nearest",
    }  # fmt: skip
    if shape is None:
        places = np.linspace(0, 1, 65)
        rows = (1 - places) * a[:, None] + places * b[:, None]
        ax.imshow(rows, aspect="auto", extent=(0, 1, 0, 1), **scale)
        ax.set_ylabel("inputs")
        if len(a) <= _MOST_NAMES:
            middles = 1 - (np.arange(len(a)) + 0.5) / len(a)
            ax.set_yticks(middles, labels=[f"$x_{{{k + 1}}}$" for k in range(len(a))])
            ax.tick_params(axis="y", length=0)
        return
    for k in range(n):
        place = k / (n - 1)
        picture = ((1 - place) * a + place * b).reshape(shape)
        pixels = np.moveaxis(picture, 0, -1) if picture.ndim == 3 else picture
        if pixels.ndim == 3:
            pixels = (pixels - low) / max(high - low, 1e-300)
        # The first and the last stand at the ends of the axes, all others between.
        width = 0.94 / n
        inner = ax.inset_axes((place * (1 - width), 0.0, width, 1.0))
        inner.imshow(pixels, **({} if pixels.ndim == 3 else scale))
        inner.set_xticks([])
        inner.set_yticks([])
        inner.spines[:].set(color=MUTED, linewidth=0.5)
