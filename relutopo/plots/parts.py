"""Partitions in any number of parts: their colours, and the nodes in the plane of eigenvectors.

Invariant: a part that is matched with a class has the colour of that class, in every figure; other
parts have the colours that are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_labels
from relutopo.checks import check_integers, check_kind
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.style import INK, new_figure, own_size, style_unless, tick_labels
from relutopo.spectral.spectral_partition import SpectralPartition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_parts", "fill", "looks_of_parts", "plot_spectral_embedding"]

_PARTS = ("#8fbfe0", "#f5b57d", "#eac8dd", "#a9a9a9", "#d6effb", "#f6e9a8", "#c9a08c", "#b5e3d2")
"""Paler than those of classes, in the same order, so that points are seen on them."""
_ON_CUT = "#f6f4f0"
_EDGE, _CUT_EDGE = "#c9c9c9", "#5a5a5a"
_LARGEST = 160.0
"""Square points of the heaviest node."""


def looks_of_parts(
    part: SpectralPartition, points: NDArray[np.float64] | None, labels: ArrayLike | None
) -> tuple[list[int], list[str]]:
    """Return for each part the number of its colour, and its name.

    A part has the number of its class, or one that is left.
    """
    numbers, classes = np.full(part.k, -1), []
    if points is not None and labels is not None and drawing.values_of(labels, len(points)) is None:
        codes = as_labels(labels).codes
        classes = [name for *_, name in drawing.classes_of(labels, len(points))]
        regions = part.locate(points)
        used = regions >= 0
        used[used] = part.component[regions[used]]
        if used.any():
            found = part.agreement(points[used], codes[used])
            matched = found.matching >= 0
            numbers[found.matching[matched]] = found.classes[matched]
    left = iter(np.setdiff1d(np.arange(part.k + len(classes)), numbers).tolist())
    colours = [next(left) if number < 0 else number for number in numbers.tolist()]
    names = [
        f"part {k}" + (f", {classes[number]}" if number >= 0 else "")
        for k, number in enumerate(numbers.tolist())
    ]
    return colours, names


def fill(number: int) -> str:
    """Return the colour of a part, or of the region of a class, by its number."""
    return _PARTS[number % len(_PARTS)]


def draw_parts(
    ax: Axes,
    complex_: Cells,
    part: SpectralPartition,
    points: NDArray[np.float64] | None,
    labels: ArrayLike | None,
) -> None:
    """Fill the regions with the colours of their parts; those on the cut are pale.

    The legend names parts without a class.
    """
    from matplotlib.colors import ListedColormap, Normalize

    numbers, names = looks_of_parts(part, points, labels)
    colours = [fill(number) for number in numbers]
    values = np.where(part.parts < 0, part.k, part.parts).astype(np.float64)
    values[~part.component] = np.nan
    shades = ListedColormap([*colours, _ON_CUT])
    drawing.draw_regions(ax, complex_, values, shades, Normalize(-0.5, part.k + 0.5))
    for colour, name in zip(colours, names, strict=True):
        if ", " not in name:
            ax.scatter([], [], marker="s", c=colour, s=30, label=name)


@overload
def plot_spectral_embedding(
    partition: SpectralPartition,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: Axes,
    vectors: ArrayLike | None = ...,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Axes: ...


@overload
def plot_spectral_embedding(
    partition: SpectralPartition,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: None = ...,
    vectors: ArrayLike | None = ...,
    title: str | None = ...,
    legend: bool | str = ...,
) -> Figure: ...


def plot_spectral_embedding(
    partition: SpectralPartition,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    vectors: ArrayLike | None = None,
    title: str | None = None,
    legend: bool | str = True,
) -> Figure | Axes:
    """Draw the nodes of the graph in the plane of two eigenvectors, coloured by part.

    The area of a node is its vertex weight. Lines are edges of the graph, dark ones between parts.
    Nodes of one group lie close together, with few edges to other groups.

    Parameters
    ----------
    partition : SpectralPartition
        Of any graph.
    points : (n, d) array_like, optional
        Together with `labels` they give the parts the colours of their classes; they are not drawn.
    labels : (n,) array_like, optional
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a figure is made.
    vectors : pair of int, optional
        Numbers of the eigenvectors on the horizontal and the vertical axis, where the constant one
        is number 1; by default 2 and 3. A partition in two parts has only number 2, and its
        vertical axis is the share of nodes below.
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
        If there are no such vectors, or points and labels do not fit.

    Examples
    --------
    >>> import relutopo as rt
    >>> network = rt.gallery.random_network([2, 6, 6, 3], seed=0)
    >>> graph = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> part = rt.spectral_partition(graph, k=3, vertex_weights="unweighted")
    >>> figure = plot_spectral_embedding(part)
    """
    remedy = "take it from relutopo.spectral_partition(graph, points, k=...)"
    part = check_kind("partition", partition, SpectralPartition, remedy=remedy)
    across, up = _chosen(part, vectors)
    x = None if points is None else drawing.points_of(points, part.complex)
    numbers, names = looks_of_parts(part, x, labels)
    colours = [fill(number) for number in numbers]
    place = np.column_stack([part.vectors[:, across - 2], _height(part, across, up)])
    with style_unless(ax):
        from matplotlib.collections import LineCollection

        axes = new_figure(*own_size(4.8, 4.2)).add_subplot() if ax is None else ax
        edges = part.graph.edges[part.component[part.graph.edges].all(axis=1)]
        is_cut = part.parts[edges[:, 0]] != part.parts[edges[:, 1]]
        for which, colour, width in ((~is_cut, _EDGE, 0.4), (is_cut, _CUT_EDGE, 0.5)):
            lines = LineCollection(list(place[edges[which]]), colors=colour, linewidths=width,
                                   zorder=1, rasterized=len(edges) > 10_000)  # fmt: skip
            axes.add_collection(lines)
        sizes = np.maximum(_LARGEST * part.vertex_weights / part.vertex_weights.max(), 4.0)
        for k in range(-1, part.k):
            members = np.flatnonzero(part.component & (part.parts == k))
            if len(members):
                axes.scatter(
                    place[members, 0],
                    place[members, 1],
                    s=sizes[members],
                    c=_ON_CUT if k < 0 else colours[k],
                    label="on the cut" if k < 0 else names[k],
                    edgecolors=INK,
                    linewidths=0.4,
                    zorder=3,
                )
        axes.set_xlabel(f"eigenvector {across}")
        axes.set_ylabel("share of regions below" if up is None else f"eigenvector {up}")
        if ax is None:
            tick_labels(axes)
        frames.furnish([axes], ax, [], legend=legend, colorbar=False)
        frames.put_title(axes, title)
    return frames.figure_of(axes) if ax is None else axes


def _chosen(part: SpectralPartition, vectors: ArrayLike | None) -> tuple[int, int | None]:
    if vectors is None:
        return 2, 3 if part.k > 2 else None
    remedy = f"the vectors of a partition in {part.k} parts are 2 to {part.k}"
    chosen = check_integers("vectors", vectors, 2, remedy=remedy)
    if len(chosen) != 2 or max(chosen) > part.k:
        raise InputError(f"`vectors` must be two numbers up to {part.k}, got {chosen}; {remedy}")
    return chosen[0], chosen[1]


def _height(part: SpectralPartition, across: int, up: int | None) -> NDArray[np.float64]:
    if up is not None:
        heights: NDArray[np.float64] = part.vectors[:, up - 2]
        return heights
    values = part.vectors[:, across - 2]
    known = np.sort(values[part.component])
    return np.searchsorted(known, values, side="right") / len(known)
