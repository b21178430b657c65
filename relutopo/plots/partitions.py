"""Figures of Fiedler partitions, of one network and of several checkpoints side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import ArrayLike

from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polygons import require_plane
from relutopo.plots import layers as drawing
from relutopo.plots.style import new_figure, style
from relutopo.reports.text import fraction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    from relutopo.spectral.fiedler import FiedlerPartition

__all__ = ["PartitionedCheckpoint", "plot_partition", "plot_partition_history"]


class PartitionedCheckpoint(Protocol):
    """A checkpoint with its partitions, as `plot_partition_history` draws it."""

    @property
    def complex(self) -> Cells:
        """The complex, of dimension 2."""

    @property
    def unweighted(self) -> FiedlerPartition | None:
        """The partition of the unweighted graph, None if there is none."""

    @property
    def weighted(self) -> FiedlerPartition | None:
        """The partition with vertex weights, None if there is none."""

    @property
    def row(self) -> Mapping[str, Any]:
        """Columns of the checkpoint's row in a table.

        ``step``, which may be missing, and for each kind of partition ``<kind>_status``
        (``"converged"``, or why there is none) and ``<kind>_agreement``; with ``_least`` and
        ``_greatest`` if ``<kind>_fiedler_multiplicity`` is there and more than 1.
        """


def plot_partition(
    partition: FiedlerPartition,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    decision_boundary: bool = True,
) -> Figure:
    """Draw the regions coloured by the Fiedler vector, with the cut and the decision boundary.

    The colours saturate where the vector's modulus exceeds its 95 % quantile over the regions.
    The sign of a Fiedler vector means nothing; where there are labels, it is chosen so that
    the sides take the colours of the classes that they hold. Regions outside the vector's
    component are grey, regions on the cut are hatched, and of a multiple Fiedler value the title
    says that the partition is one of many.

    Parameters
    ----------
    partition : FiedlerPartition
        Of a complex of dimension 2.
    points : (n, 2) array_like, optional
        Data points to draw.
    labels : (n,) array_like, optional
        Their labels, of any kind, or values, which are colours. Of two classes blue circles have
        the smaller label, orange triangles the larger one.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a figure of its own otherwise.
    title : str, optional
        The figure's title.
    decision_boundary : bool
        Whether to draw the zeros of the network's decision function, exactly: it is affine on
        each region.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the complex is not two-dimensional, points and labels do not fit, or the network has
        more than two outputs and `decision_boundary` is true.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    >>> figure = plot_partition(part, [[0.5, 0.5], [-0.5, -0.5]], [1, -1])
    """
    complex_ = partition.complex
    require_plane(complex_)
    if partition.multiplicity > 1:
        title = f"{title}\n{partition.uniqueness}" if title else partition.uniqueness
    with style():
        figure, axes = drawing.figure_and_axes(ax, complex_, title)
        regions = drawing.draw_partition(
            axes, complex_, partition, points, labels, decision_boundary
        )
        _fiedler_bar(figure, regions, [axes])
        drawing.legend(figure, [axes], inside=ax is not None)
    return figure


def plot_partition_history(
    checkpoints: Sequence[PartitionedCheckpoint],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    decision_boundary: bool = True,
) -> Figure:
    """Draw partitions of several checkpoints side by side, unweighted above weighted.

    Parameters
    ----------
    checkpoints : sequence of PartitionedCheckpoint
        For example from the analysis ``partition``; three fill a page's width. Where one has no
        partition, its regions are grey and the title says why.
    points : (n, 2) array_like
        Training points.
    labels : (n,) array_like
        Their labels, of any kind, or values.
    decision_boundary : bool
        See `plot_partition`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no checkpoint, and as `plot_partition`.
    """
    if not checkpoints:
        raise InputError(
            "`checkpoints` must hold at least one checkpoint, got none; pass for example those of "
            "the first, a middle and the last checkpoint"
        )
    for checkpoint in checkpoints:
        require_plane(checkpoint.complex)
    with style():
        panel = 6.4 / max(len(checkpoints), 2)
        height = 0.9 * panel * drawing.aspect(checkpoints[0].complex)
        figure = new_figure(panel * len(checkpoints) + 0.9, 2 * (height + 0.25) + 0.75)
        grid = figure.subplots(2, len(checkpoints), sharex=True, sharey=True, squeeze=False)
        for row, kind in zip(grid, ("unweighted", "weighted"), strict=True):
            for ax, checkpoint in zip(row, checkpoints, strict=True):
                regions = drawing.draw_partition(
                    ax,
                    checkpoint.complex,
                    getattr(checkpoint, kind),
                    points,
                    labels,
                    decision_boundary,
                )
                ax.set_title(_checkpoint_title(checkpoint.row, kind))
                ax.set_ylabel(f"{kind}\n$x_2$")
                ax.label_outer()
        axes = list(grid.flat)
        _fiedler_bar(figure, regions, axes, aspect=40)
        drawing.legend(figure, axes, inside=False)
    return figure


def _checkpoint_title(row: Mapping[str, Any], kind: str) -> str:
    step = f"step {row['step']}, " if "step" in row else ""
    status = row[f"{kind}_status"]
    if status != "converged":
        return f"{step}{status}"
    agreement = fraction(row[f"{kind}_agreement"], 2)
    if row.get(f"{kind}_fiedler_multiplicity", 1) > 1:
        least, greatest = (row[f"{kind}_agreement_{end}"] for end in ("least", "greatest"))
        return f"{step}one of many:\nagreement {fraction(least, 2)} to {fraction(greatest, 2)}"
    return f"{step}agreement {agreement}"


def _fiedler_bar(figure: Figure, regions: PolyCollection, axes: list[Axes], **shape: Any) -> None:
    drawing.colour_bar(
        figure,
        regions,
        axes,
        "Fiedler vector, scaled",
        extend="both",
        ticks=[-1, -0.5, 0, 0.5, 1],
        **shape,
    )
