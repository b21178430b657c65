"""The layers that figures of plane complexes are made of: regions, lines, points, legends.

Every function draws on axes that it is given. Matplotlib is imported when one is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_array, as_labels, as_points
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.polygons import edge_vertices, polygons, zero_segments
from relutopo.plots.style import GREEN, INK, new_figure, tick_labels

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

    from relutopo.spectral.fiedler import FiedlerPartition

__all__ = [
    "aspect",
    "colour_bar",
    "cut_segments",
    "draw_decision_boundary",
    "draw_edges",
    "draw_edges_by_layer",
    "draw_partition",
    "draw_points",
    "draw_regions",
    "draw_segments",
    "figure_and_axes",
    "legend",
    "plane_axes",
    "scaled_vector",
]

_OUTSIDE = "#d4d4d4"
_ON_CUT = "#8f8a80"
_SIDES = ("#3d88bd", "#a3cbe6", "#f6f4f0", "#f7c597", "#dc7b2e")
_CLASSES = (("#003a5c", "o"), ("#7d2a00", "^"))
_MORE_CLASSES = tuple(
    (color, marker)
    for marker, color in zip(
        "o^sDvP*X<>",
        ("#003a5c", "#7d2a00", "#00553d", "#1a1a1a", "#8f4a73", "#2c7fb8", "#a66f00", "#5e3c99",
         "#8c2d04", "#4d4d4d"),
        strict=True,
    )
)  # fmt: skip
_SATURATION = 0.95
"""Quantile of the Fiedler vector's modulus at which the colours saturate."""
_MANY_REGIONS = 5000
"""Above this polygons become pixels inside vector files, which would be slow to open."""


def aspect(complex_: Cells) -> float:
    """Return height over width of a complex, within what fits on a page."""
    width, height = np.ptp(complex_.vertices, axis=0)
    return float(np.clip(height / width, 1 / 3, 2.0))


def figure_and_axes(ax: Axes | None, complex_: Cells, title: str | None) -> tuple[Figure, Axes]:
    """Return the axes to draw a complex on, made if there are none, and their figure."""
    if ax is None:
        height = max(3.45 * aspect(complex_), 1.2) + (0.85 if title is None else 1.05)
        ax = new_figure(4.8, height).add_subplot()
    if title is not None:
        ax.set_title(title)
    figure: Figure = ax.figure  # type: ignore[assignment]
    return figure, ax


def plane_axes(ax: Axes, complex_: Cells) -> None:
    """Fit axes to a plane complex, with equal scales unless it is a sliver; see `aspect`."""
    low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
    width, height = high - low
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="$x_1$", ylabel="$x_2$")
    ax.set_aspect(aspect(complex_) * width / height)
    tick_labels(ax)


def draw_regions(
    ax: Axes, complex_: Cells, values: NDArray[np.float64], cmap: Colormap, norm: Normalize
) -> PolyCollection:
    """Fill each region with the colour of its value, (n_regions,); NaN becomes grey."""
    from matplotlib.collections import PolyCollection

    indptr, corners = polygons(complex_)
    layer = PolyCollection(
        np.split(complex_.vertices[corners], indptr[1:-1]),
        array=np.ma.masked_invalid(values),
        cmap=cmap.with_extremes(bad=_OUTSIDE),
        norm=norm,
        # Without a line in the face's own colour, antialiasing leaves a seam between neighbours.
        edgecolors="face",
        linewidths=0.3,
        zorder=1,
        rasterized=complex_.n_regions > _MANY_REGIONS,
    )
    ax.add_collection(layer, autolim=False)
    return layer


def draw_segments(ax: Axes, segments: NDArray[np.float64], **line: Any) -> None:
    """Draw segments, (n, 2, 2), as one collection."""
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(list(segments), capstyle="round", **line), autolim=False)


def draw_edges(ax: Axes, complex_: Cells) -> None:
    """Draw the edges of all regions, thinner and paler the more there are."""
    edges = complex_.vertices[edge_vertices(complex_)]
    draw_segments(ax, edges, colors=INK, **_fading(complex_.n_regions, width=0.55, alpha=0.6))


def draw_edges_by_layer(ax: Axes, complex_: Cells) -> None:
    """Draw the edges in the colour of the layer that made them, from dark to light."""
    import matplotlib

    edges = complex_.vertices[edge_vertices(complex_)]
    inner = complex_.facet_labels >= 0
    layer_of_edge = complex_.network.layer_of(complex_.facet_labels)
    n_layers = len(complex_.network.layer_sizes)
    colors = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.8, max(n_layers, 2)))
    for layer in np.unique(layer_of_edge[inner]):
        made_here = edges[inner & (layer_of_edge == layer)]
        line = _fading(complex_.n_regions, width=1.2, alpha=0.9)
        line["zorder"] += 1 - layer / n_layers  # earlier layers are coarser: on top
        draw_segments(ax, made_here, colors=colors[layer], label=f"layer {layer + 1}", **line)


def _fading(n_regions: int, *, width: float, alpha: float) -> dict[str, Any]:
    crowd = max(n_regions / 150, 1.0)
    return {
        "linewidths": max(width * crowd**-0.35, 0.08),
        "alpha": max(alpha * crowd**-0.25, 0.12),
        "zorder": 2,
        "rasterized": n_regions > _MANY_REGIONS,
    }


def _draw_line(
    ax: Axes,
    segments: NDArray[np.float64],
    label: str,
    *,
    color: str,
    width: float,
    casing: float,
    zorder: float,
) -> None:
    if not len(segments):
        return  # nor does the legend promise it
    # A light casing under the whole line keeps it apart from what it crosses.
    draw_segments(ax, segments, colors="white", linewidths=width + 2 * casing, zorder=zorder)
    draw_segments(ax, segments, colors=color, linewidths=width, zorder=zorder + 0.1, label=label)


def draw_decision_boundary(ax: Axes, complex_: Cells, label: str = "decision boundary") -> None:
    """Draw the zeros of the network's decision function, which is affine on each region."""
    if complex_.network.n_outputs > 2:
        raise InputError(
            "`decision_boundary` must be False for a network that decides between more than two "
            f"classes, got True for one with {complex_.network.n_outputs} outputs; pass "
            "decision_boundary=False, or decompose a network that outputs the difference of two"
        )
    values = complex_.network.decision_values(complex_.vertices)
    segments = zero_segments(complex_, values)
    # Thinner than the cut and above it: where they coincide, both are seen.
    _draw_line(ax, segments, label, color=GREEN, width=1.4, casing=0.45, zorder=5)


def draw_points(ax: Axes, points: NDArray[np.float64], labels: ArrayLike | None) -> None:
    """Draw data points, each class in its own colour and marker, or coloured by their values."""
    inches = ax.bbox.width / ax.figure.dpi
    size = float(np.clip(4000 / max(len(points), 1), 12, 36) * np.clip(inches / 3.5, 0.75, 1.0))
    for members, (color, marker), name in _classes(labels, len(points)):
        ax.scatter(
            points[members, 0],
            points[members, 1],
            s=size,
            c=color,
            marker=marker,
            cmap="viridis" if isinstance(color, np.ndarray) else None,
            edgecolors="white",
            linewidths=0.16 + size / 100,
            zorder=6,  # above all lines: a hidden point would mislead
            label=name,
        )


def _classes(
    labels: ArrayLike | None, n_points: int
) -> list[tuple[NDArray[np.bool_], tuple[str | NDArray[np.float64], str], str]]:
    """Return members, look and name of each class; of values all members, and their values."""
    every = np.ones(n_points, dtype=bool)
    if labels is None:
        return [(every, (INK, "o"), "data")]
    array = as_array(labels)
    if array.size != n_points:
        raise InputError(
            f"`labels` must be {n_points} labels or values, one for each point, got {array.size}; "
            "pass for example -1 and +1"
        )
    found = as_labels(array.ravel())
    kinds = found.classes
    if not found.are_whole:
        return [(every, (array.ravel().astype(np.float64), "o"), "data, by value")]
    names = [f"class {k}" for k in kinds]
    if found.are_numbers:
        kinds = kinds.astype(np.float64)
        form = "+g" if kinds.min() < 0 else "g"
        names = [f"class {k:{form if k else 'g'}}".replace("-", "−") for k in kinds]
    looks = _CLASSES if len(kinds) <= 2 else _MORE_CLASSES
    if found.are_numbers and len(kinds) == 1 and kinds[0] > 0:
        looks = _CLASSES[1:]
    return [(found.codes == k, looks[k % len(looks)], name) for k, name in enumerate(names)]


def draw_partition(
    ax: Axes,
    complex_: Cells,
    part: FiedlerPartition | None,
    points: ArrayLike | None,
    labels: ArrayLike | None,
    decision_boundary: bool,
) -> PolyCollection:
    """Draw a complex with its partition, if it has one; see `relutopo.plots.plot_partition`."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    plane_axes(ax, complex_)
    values = np.full(complex_.n_regions, np.nan) if part is None else scaled_vector(part)
    if points is not None:
        x = as_points(points, 2)
        draw_points(ax, x, labels)
        if part is not None and labels is not None:
            values = values * _sign_of_the_labels(part, x, labels)
    cmap = LinearSegmentedColormap.from_list("relutopo_sides", _SIDES)
    regions = draw_regions(ax, complex_, values, cmap, Normalize(-1, 1))
    draw_edges(ax, complex_)
    if decision_boundary:
        draw_decision_boundary(ax, complex_)
    if part is not None:
        if part.n_open:
            _hatch(ax, complex_, part.component & (part.sides == 0), "on the cut")
        segments = cut_segments(part)
        _draw_line(ax, segments, "Fiedler cut", color=INK, width=2.6, casing=0.6, zorder=4)
    return regions


def _hatch(ax: Axes, complex_: Cells, which: NDArray[np.bool_], label: str) -> None:
    """Hatch some regions, and name them in the legend."""
    from matplotlib.collections import PolyCollection

    indptr, corners = polygons(complex_)
    every = np.split(complex_.vertices[corners], indptr[1:-1])
    layer = PolyCollection(
        [every[r] for r in np.flatnonzero(which)],
        facecolors="none",
        edgecolors=_ON_CUT,
        linewidths=0,
        hatch="//////",
        zorder=1.5,
        label=label,
    )
    ax.add_collection(layer, autolim=False)


def scaled_vector(part: FiedlerPartition) -> NDArray[np.float64]:
    """Return the Fiedler vector divided by the 95 % quantile of its modulus, (n_regions,).

    NaN outside the vector's component.
    """
    modulus = np.abs(part.vector)
    typical = float(np.nanquantile(modulus, _SATURATION))
    return part.vector / (typical if typical > 0 else float(np.nanmax(modulus)))


def _sign_of_the_labels(
    part: FiedlerPartition, points: NDArray[np.float64], labels: ArrayLike
) -> float:
    """Return the sign that puts the positive side on the points of the larger label."""
    found = as_labels(as_array(labels).ravel())
    if len(found.classes) != 2:  # then neither sign is better
        return 1.0
    y = 2.0 * found.codes - 1.0
    region = part.locate(points)
    located = region >= 0
    sides = np.sign(part.vector[region[located]])
    return -1.0 if np.nansum(sides * y[located]) < 0 else 1.0


def cut_segments(part: FiedlerPartition) -> NDArray[np.float64]:
    """Return the edges between regions that are not on the same side, (n, 2, 2)."""
    complex_ = part.complex
    inner = np.flatnonzero(complex_.facet_regions[:, 1] >= 0)
    first, second = complex_.facet_regions[inner].T
    partitioned = part.component[first] & part.component[second]
    cut = inner[partitioned & (part.sides[first] != part.sides[second])]
    segments: NDArray[np.float64] = complex_.vertices[edge_vertices(complex_)[cut]]
    return segments


def colour_bar(
    figure: Figure, layer: PolyCollection, axes: Sequence[Axes], label: str, **shape: Any
) -> None:
    """Draw a colour bar beside the axes, or below them if they are too low."""
    low, high = axes[0].get_ylim()
    left, right = axes[0].get_xlim()
    beside = (high - low) / (right - left) > 0.4 or len(axes) > 1
    shape |= {"location": "right", "pad": 0.02} if beside else {"location": "bottom"}
    bar = figure.colorbar(layer, ax=list(axes), **shape)
    bar.set_label(label)
    bar.outline.set_linewidth(0.6)
    tick_labels(bar.ax)


def legend(figure: Figure, axes: Sequence[Axes], *, inside: bool) -> None:
    """Draw one legend for all axes, in a corner of the first or below the figure."""
    from matplotlib.lines import Line2D

    entries: dict[str, Artist] = {}
    for ax in axes:
        handles, names = ax.get_legend_handles_labels()
        entries = dict(zip(names, handles, strict=True)) | entries
    if not entries:
        return
    if inside:
        place = axes[0].legend(entries.values(), entries, loc="upper right", frameon=True)
    else:
        place = figure.legend(entries.values(), entries, loc="outside lower center", ncols=4)
    for handle in place.legend_handles:  # lines that have faded shall be seen here
        if isinstance(handle, Line2D):
            handle.set(alpha=1.0, linewidth=max(handle.get_linewidth(), 1.3))
