"""Where in the plane a network decides for which class.

Invariant: class k has the colour of part k and of points of class k in every figure of parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import ArrayLike

from relutopo.arrays import as_labels, as_outputs
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.homology.decision import Decision, decision
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.parts import fill
from relutopo.plots.style import INK, style_unless

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_decision"]

_TIED = "#f6f4f0"
_LEAST_SHARE = 0.002
"""Of the area: a class with less has no number written into it."""


@overload
def plot_decision(
    complex_: Cells,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: Axes,
    title: str | None = ...,
    legend: bool | str = ...,
    point_size: float | None = ...,
) -> Axes: ...


@overload
def plot_decision(
    complex_: Cells,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: None = ...,
    title: str | None = ...,
    legend: bool | str = ...,
    point_size: float | None = ...,
) -> Figure: ...


def plot_decision(
    complex_: Cells,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    legend: bool | str = True,
    point_size: float | None = None,
) -> Figure | Axes:
    """Draw exactly where each output is the greatest, with the facets of the complex.

    The name of a class, or its number, stands near the middle of its cells. Where outputs tie on a
    whole cell it is pale.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2, of a network with any number of outputs; a single one decides by its sign.
    points : (n, 2) array_like, optional
        Data.
    labels : (n,) array_like, optional
        Their classes: numbers of outputs, or other labels of as many kinds as there are classes,
        which stand for the outputs in ascending order; words in alphabetical order, or in that of
        the categories of a pandas.Categorical.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a figure is made.
    title : str, optional
    legend : bool or str
        See `plot_complex`.
    point_size : float, optional
        Area of a point in square points.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        If the complex has another dimension, or points or labels do not fit.

    Examples
    --------
    >>> import relutopo as rt
    >>> network = rt.gallery.random_network([2, 6, 6, 4], seed=0)
    >>> figure = plot_decision(rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact"))
    """
    drawing.require_drawable(complex_)
    if complex_.dim == 1:
        raise InputError(
            f"`complex_` must have dimension 2, got {complex_.dim}; plot_complex draws the network "
            "over a line"
        )
    found = decision(complex_)
    x = None if points is None else drawing.points_of(points, complex_)
    classes = None
    names = [f"class {k}" for k in range(found.n_classes)]
    if x is not None and labels is not None:
        classes = as_outputs(labels, len(x), found.n_classes)
        kinds = as_labels(labels)
        for k, name in enumerate(drawing.class_names(kinds)):
            names[classes[kinds.codes == k][0]] = name
    with style_unless(ax):
        axes = drawing.axes_for(ax, complex_)
        drawing.fit_axes(axes, complex_, points, own=ax is None)
        _fill(axes, found, [name.removeprefix("class ") for name in names])
        drawing.draw_edges(axes, complex_)
        drawing.draw_decision_boundary(axes, complex_)
        if x is not None and classes is not None:
            drawing.draw_classes(axes, x, classes, names, size=point_size)
        elif x is not None:
            drawing.draw_points(axes, x, None, size=point_size)
        frames.furnish([axes], ax, [], legend=legend, colorbar=False)
        frames.put_title(axes, title)
    return frames.figure_of(axes) if ax is None else axes


def _fill(ax: Axes, found: Decision, names: Sequence[str]) -> None:
    """Fill the cells of each class, and write its name near their middle."""
    from matplotlib.colors import ListedColormap, Normalize

    cells, n = found.refined, found.n_classes
    sizes = cells.volumes
    kinds = np.where(found.is_tied, n, found.classes)
    colours = [*map(fill, range(n)), _TIED]
    shades, norm = ListedColormap(colours), Normalize(-0.5, n + 0.5)
    drawing.draw_regions(ax, cells, kinds.astype(np.float64), shades, norm)
    for k in np.unique(kinds).tolist():
        members = kinds == k
        name = f"decides for {names[k]}" if k < n else "outputs tie"
        ax.scatter([], [], marker="s", s=30, c=colours[k], label=name)
        if k < n and sizes[members].sum() > _LEAST_SHARE * sizes.sum():
            centre = sizes[members] @ cells.centroids[members] / sizes[members].sum()
            inside = cells.interior_points[members]
            x, y = inside[np.argmin(np.sum((inside - centre) ** 2, axis=1))]
            ax.text(x, y, names[k], color=INK, ha="center", va="center", zorder=5)
