"""Figures of plane complexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from relutopo.arrays import as_points
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polygons import require_plane
from relutopo.plots import layers as drawing
from relutopo.plots.style import new_figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_complex", "plot_complexes"]


def plot_complex(
    complex_: Cells,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    decision_boundary: bool = False,
) -> Figure:
    """Draw the regions in grey by number of active neurons, and the edges coloured by layer.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2.
    points, labels, ax, title, decision_boundary
        See `relutopo.plots.plot_partition`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        As `relutopo.plots.plot_partition`.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> figure = plot_complex(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    require_plane(complex_)
    with style():
        from matplotlib.colors import LinearSegmentedColormap, Normalize
        from matplotlib.ticker import MaxNLocator

        figure, axes = drawing.figure_and_axes(ax, complex_, title)
        drawing.plane_axes(axes, complex_)
        active = complex_.patterns.sum(axis=1).astype(float)
        greys = LinearSegmentedColormap.from_list("relutopo_greys", ["#ffffff", "#aeb4ba"])
        norm = Normalize(active.min(), max(active.max(), active.min() + 1))
        regions = drawing.draw_regions(axes, complex_, active, greys, norm)
        drawing.draw_edges_by_layer(axes, complex_)
        if decision_boundary:
            drawing.draw_decision_boundary(axes, complex_)
        if points is not None:
            drawing.draw_points(axes, as_points(points, 2), labels)
        ticks = MaxNLocator(integer=True, min_n_ticks=1)
        drawing.colour_bar(figure, regions, [axes], "active neurons", ticks=ticks)
        drawing.legend(figure, [axes], inside=ax is not None)
    return figure


def plot_complexes(complexes: Sequence[Cells], titles: Sequence[str]) -> Figure:
    """Draw several complexes in a row, coloured by the network's output on a common scale.

    Parameters
    ----------
    complexes : sequence of Cells
        At least one, of dimension 2, of networks with one output.
    titles : sequence of str
        One for each.

    Returns
    -------
    matplotlib.figure.Figure
        A region has the output at its interior point; colours saturate at the 2 % and 98 %
        quantiles. The green line is where the output is zero: the decision boundary of a
        classifier.

    Raises
    ------
    InputError
        If there is no complex, or one is not of dimension 2.
    """
    if not len(complexes):
        raise InputError("`complexes` must have at least one complex, got none")
    for complex_ in complexes:
        require_plane(complex_)
    import matplotlib
    from matplotlib.colors import Normalize

    outputs = [c.network.decision_values(c.interior_points) for c in complexes]
    low, high = np.quantile(np.concatenate(outputs), (0.02, 0.98))
    norm = Normalize(low, high if high > low else low + 1)
    cmap = matplotlib.colormaps["Greys"]
    with style():
        figure = new_figure(3.1 * len(complexes) + 0.8, 3.4)
        axes = list(figure.subplots(1, len(complexes), squeeze=False, sharey=True)[0])
        for ax, complex_, values, title in zip(axes, complexes, outputs, titles, strict=True):
            drawing.plane_axes(ax, complex_)
            regions = drawing.draw_regions(ax, complex_, values, cmap, norm)
            drawing.draw_edges_by_layer(ax, complex_)
            drawing.draw_decision_boundary(ax, complex_, label="output 0")
            v, e, f = complex_.n_cells
            ax.set_title(f"{title}\n{v} + {e} + {f} cells")
            ax.label_outer()
        drawing.colour_bar(figure, regions, axes, "output", extend="both", shrink=0.8)
        drawing.legend(figure, axes, inside=False)
    return figure
