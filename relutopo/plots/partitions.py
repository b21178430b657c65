"""Figures of Fiedler partitions, of one network and of several checkpoints side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_labels
from relutopo.checks import check_flag, check_kind
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.options import PlaneOptions
from relutopo.plots.parts import draw_parts
from relutopo.plots.pictures import draw_pictures
from relutopo.plots.style import NAMES_OF_KINDS, new_figure, style_unless
from relutopo.reports.text import fraction
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


__all__ = ["PartitionedCheckpoint", "plot_partition", "plot_partition_history"]


class _HistoryOptions(TypedDict, total=False):
    decision_boundary: bool | None
    cmap: str | Colormap | None
    legend: bool | str
    colorbar: bool
    point_size: float | None


class PartitionedCheckpoint(Protocol):
    """A checkpoint with its partitions, as `plot_partition_history` draws it."""

    @property
    def complex(self) -> Cells:
        """The complex, of dimension 2."""

    @property
    def partitions(self) -> Mapping[str, FiedlerPartition | SpectralPartition | None]:
        """The partitions by their kind, from the top down, None where there is none."""

    @property
    def row(self) -> Mapping[str, Any]:
        """Columns of the checkpoint's row in a table.

        ``step``, which may be missing, and for each kind of partition ``<kind>_status``
        (``"converged"``, or why there is none) and ``<kind>_agreement``; with ``_least`` and
        ``_greatest`` if ``<kind>_fiedler_multiplicity`` is there and more than 1.
        """


@overload
def plot_partition(
    partition: FiedlerPartition | SpectralPartition,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: Axes,
    **options: Unpack[PlaneOptions],
) -> Axes: ...


@overload
def plot_partition(
    partition: FiedlerPartition | SpectralPartition,
    points: ArrayLike | None = ...,
    labels: ArrayLike | None = ...,
    *,
    ax: None = ...,
    **options: Unpack[PlaneOptions],
) -> Figure: ...


def plot_partition(
    partition: FiedlerPartition | SpectralPartition,
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
    """Draw the regions coloured by the Fiedler vector or by part, with cut and boundary.

    The colours of a Fiedler vector saturate where its modulus exceeds its 95 % quantile over the
    regions. The sign of a Fiedler vector means nothing; where there are labels, it is chosen so
    that the sides take the colours of the classes that they hold. Regions outside the vector's
    component are grey, regions on the cut are hatched, and of a multiple Fiedler value the title
    says that the partition is one of many. The parts of a `SpectralPartition` have the colours of
    the classes with which they are matched, where there are labels.

    Parameters
    ----------
    partition : FiedlerPartition or SpectralPartition
        Of a complex of dimension 1 or 2.
    decision_boundary : bool, optional
        See `plot_complex`; by default it is drawn for networks of one or two outputs, and where
        labels are of as many classes as there are outputs.
    values : (n_regions,) array_like or str, optional
        What the colours show in place of the Fiedler vector or the parts; see `plot_complex`.
    points, labels, ax, title, label, cmap, legend, colorbar, point_size, pictures
        See `plot_complex`.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        As `plot_complex`.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    >>> part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    >>> figure = plot_partition(part, [[0.5, 0.5], [-0.5, -0.5]], [1, -1])
    """
    if not isinstance(partition, SpectralPartition):
        remedy = "take it from relutopo.fiedler_partition(graph, points) or spectral_partition"
        check_kind("partition", partition, FiedlerPartition, remedy=remedy)
    complex_ = partition.complex
    drawing.require_drawable(complex_)
    if isinstance(partition, FiedlerPartition) and partition.multiplicity > 1:
        title = f"{title}\n{partition.uniqueness}" if title else partition.uniqueness
    if decision_boundary is None:
        decision_boundary = _decides(complex_, labels)
    check_flag("decision_boundary", decision_boundary)
    x = None if points is None else drawing.points_of(points, complex_)
    with style_unless(ax):
        axes = drawing.axes_for(ax, complex_)
        drawing.fit_axes(axes, complex_, points, own=ax is None)
        # Classes come first in the legend.
        dots = None if x is None else drawing.draw_points(axes, x, labels, size=point_size)
        bars = _draw_partition(
            axes, complex_, partition, x, labels,
            decision_boundary=decision_boundary, values=values, cmap=cmap, label=label,
        )  # fmt: skip
        bars += [] if dots is None else [(dots, "data", {})]
        if x is not None:
            draw_pictures(axes, complex_, x, pictures)
        frames.furnish([axes], ax, bars, legend=legend, colorbar=colorbar)
        frames.put_title(axes, title)
    return frames.figure_of(axes) if ax is None else axes


def _draw_partition(
    ax: Axes,
    complex_: Cells,
    part: FiedlerPartition | SpectralPartition | None,
    points: NDArray[np.float64] | None,
    labels: ArrayLike | None,
    *,
    decision_boundary: bool,
    values: ArrayLike | str | None = None,
    cmap: str | Colormap | None = None,
    label: str | None = None,
) -> list[tuple[ScalarMappable, str, dict[str, Any]]]:
    """Draw all but the points, and return what colour bars say."""
    bars: list[tuple[ScalarMappable, str, dict[str, Any]]] = []
    if values is not None:
        numbers, name = drawing.region_values(complex_, values)
        colours = frames.colour_map(cmap, "viridis")
        regions = drawing.draw_regions(ax, complex_, numbers, colours, frames.norm_of(numbers))
        bars.append((regions, label or name, {}))
    elif isinstance(part, SpectralPartition):
        draw_parts(ax, complex_, part, points, labels)
    else:
        from matplotlib.colors import Normalize

        numbers = np.full(complex_.n_regions, np.nan)
        if part is not None:
            numbers = drawing.oriented_vector(part, points, labels)
        colours = frames.colour_map(cmap, drawing.side_colours())
        regions = drawing.draw_regions(ax, complex_, numbers, colours, Normalize(-1, 1))
        options = {"extend": "both", "ticks": [-1, -0.5, 0, 0.5, 1]}
        if part is not None:
            bars.append((regions, label or "Fiedler vector, scaled", options))
    drawing.draw_edges(ax, complex_)
    if decision_boundary:
        drawing.draw_decision_boundary(ax, complex_)
    if part is not None:
        drawing.draw_cut(ax, part)
    return bars


def _decides(complex_: Cells, labels: ArrayLike | None) -> bool:
    """Tell whether the greatest output is a decision, as far as one can see."""
    n = complex_.network.n_outputs
    return n <= 2 or (labels is not None and len(as_labels(labels).classes) == n)


@overload
def plot_partition_history(
    checkpoints: Sequence[PartitionedCheckpoint],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    axes: ArrayLike,
    **options: Unpack[_HistoryOptions],
) -> NDArray[Any]: ...


@overload
def plot_partition_history(
    checkpoints: Sequence[PartitionedCheckpoint],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    axes: None = ...,
    **options: Unpack[_HistoryOptions],
) -> Figure: ...


def plot_partition_history(
    checkpoints: Sequence[PartitionedCheckpoint],
    points: ArrayLike,
    labels: ArrayLike,
    *,
    axes: ArrayLike | None = None,
    decision_boundary: bool | None = None,
    cmap: str | Colormap | None = None,
    legend: bool | str = True,
    colorbar: bool = True,
    point_size: float | None = None,
) -> Figure | NDArray[Any]:
    """Draw partitions of several checkpoints side by side, one kind above the other.

    Parameters
    ----------
    checkpoints : sequence of PartitionedCheckpoint
        For example from the analyses ``partition`` and ``classes``, all with the same kinds of
        partitions; three fill a page's width. Where one has no partition, its regions are grey and
        the title says why.
    points : (n, d) array_like
        Training points.
    labels : (n,) array_like
        Their labels, of any kind, or values.
    axes : (n_kinds, n_checkpoints) array_like of matplotlib.axes.Axes, optional
        Where to draw; by default a figure is made.
    decision_boundary, cmap, legend, colorbar, point_size
        See `plot_partition`.

    Returns
    -------
    matplotlib.figure.Figure or ndarray of matplotlib.axes.Axes
        The figure, or `axes` if they were given.

    Raises
    ------
    InputError
        If there is no checkpoint, axes are not one for each and each kind, and as
        `plot_partition`.
    """
    if not isinstance(checkpoints, Sequence) or not len(checkpoints):
        raise InputError(
            "`checkpoints` must hold at least one checkpoint, got none; pass for example those of "
            "the first, a middle and the last checkpoint"
        )
    for checkpoint in checkpoints:
        if not hasattr(checkpoint, "partitions"):
            raise InputError(
                "`checkpoints` must be records with complex, partitions and row, got "
                f"{type(checkpoint).__name__}; draw one partition by plot_partition"
            )
        drawing.require_drawable(checkpoint.complex)
    n, first, kinds = len(checkpoints), checkpoints[0].complex, list(checkpoints[0].partitions)
    given = None if axes is None else np.asarray(axes, dtype=object)
    if given is not None and given.size != len(kinds) * n:
        raise InputError(
            f"`axes` must be {len(kinds)} for each of the {n} checkpoints, got {given.size}; pass "
            f"those of plt.subplots({len(kinds)}, {n})"
        )
    x = drawing.points_of(points, first)
    with style_unless(given):
        if given is None:
            panel = 6.4 / max(n, 2)
            height = 0.9 * panel * drawing.aspect(first)
            figure = new_figure(max(panel * n + 0.9, 4.4), len(kinds) * (height + 0.25) + 0.75)
            grid = figure.subplots(len(kinds), n, sharex=True, sharey=True, squeeze=False)
        else:
            grid = given.reshape(len(kinds), n)
        bars: list[tuple[ScalarMappable, str, dict[str, Any]]] = []
        for row, kind in zip(grid, kinds, strict=True):
            for ax, checkpoint in zip(row, checkpoints, strict=True):
                complex_ = checkpoint.complex
                drawing.fit_axes(ax, complex_, points, own=given is None)
                boundary = decision_boundary
                if boundary is None:
                    boundary = _decides(complex_, labels)
                dots = drawing.draw_points(ax, x, labels, size=point_size)
                drawn = _draw_partition(
                    ax, complex_, checkpoint.partitions[kind], x, labels,
                    decision_boundary=boundary, cmap=cmap,
                )  # fmt: skip
                bars = drawn or bars  # a checkpoint without a partition has none
                words = _checkpoint_title(checkpoint.row, kind)
                ax.set_ylabel(f"{NAMES_OF_KINDS.get(kind, kind)}\n{ax.get_ylabel()}")
                if given is None:
                    ax.set_title(words)
                    ax.label_outer()
                else:
                    frames.put_title(ax, words)
        for *_, options in bars:
            options["aspect"] = 40
        bars += [] if dots is None else [(dots, "data", {"aspect": 40})]
        frames.furnish(list(grid.flat), given, bars, legend=legend, colorbar=colorbar)
        if given is None:
            frames.enlarge(figure)
    return figure if given is None else grid


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
