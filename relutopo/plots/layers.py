"""The layers that figures of complexes are made of: regions, lines, points.

Every function draws on axes that it is given. Matplotlib is imported when one is called.

A complex of dimension 2 is drawn as it is. Over one of dimension 1 stands the graph of the network;
its regions are drawn as stripes and its facets as upright lines, from the lower end of the axes to
the upper one, so that the same layers serve both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Labels, as_labels, as_numbers, as_points
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells, check_cells
from relutopo.geometry.polygons import edge_vertices, polygons, zero_segments
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.geometry.slices import AffineSlice
from relutopo.homology.decision import decision
from relutopo.networks.network import Network
from relutopo.plots.frames import check_point_size, colour_map, norm_of
from relutopo.plots.style import GREEN, INK, ORANGE, new_figure, own_size, tick_labels
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.system.untrusted import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection, PolyCollection
    from matplotlib.colors import Colormap, Normalize

__all__ = [
    "aspect",
    "axes_for",
    "axis_names",
    "class_look",
    "class_names",
    "classes_of",
    "cut_segments",
    "decision_segments",
    "draw_classes",
    "draw_cut",
    "draw_decision_boundary",
    "draw_edges",
    "draw_edges_by_layer",
    "draw_points",
    "draw_regions",
    "draw_segments",
    "fading",
    "fit_axes",
    "oriented_vector",
    "points_of",
    "region_values",
    "require_drawable",
    "scaled_vector",
    "side_colours",
    "sign_of_labels",
    "values_of",
]

_OUTSIDE = "#d4d4d4"
_ON_CUT = "#8f8a80"
_SIDES = ("#3d88bd", "#a3cbe6", "#f6f4f0", "#f7c597", "#dc7b2e")
_CLASSES = (("#003a5c", "o"), ("#7d2a00", "^"))
_LAYERS = ("#14138a", "#f39c2f", "#b5179e", "#3a9bd9", "#7a4a21", "#8a8a8a")
_COLOURS = ("#003a5c", "#d55e00", "#a8327e", "#1a1a1a", "#56b4e9", "#e6b800", "#7d2a00", "#009e73")
_MARKERS = "o^sDvP*X<>p"
"""Of more than two classes, the green of the decision boundary last; class k has colour k modulo 8
and marker k modulo 11, so that the first 88 look different, and no two of the first eleven have one
marker."""
_MOST_CLASSES = 12
"""Of which a legend names so many; whole numbers with more are values."""
_SATURATION = 0.95
"""Quantile of the Fiedler vector's modulus at which the colours saturate."""
_MANY_REGIONS = 5000
"""Above this polygons become pixels inside vector files, which would be slow to open."""


def require_drawable(complex_: Cells) -> None:
    """Refuse a complex that is neither one-dimensional nor two-dimensional."""
    if check_cells(complex_).dim not in (1, 2):
        raise InputError(
            f"`complex_` must have dimension 1 or 2 to be drawn, got dimension {complex_.dim}; "
            + ("use relutopo.plots.plot_space, or " if complex_.dim == 3 else "")
            + "decompose the network on a plane, an AffineSlice of two dimensions"
        )


def aspect(complex_: PolyhedralCells) -> float:
    """Return height over width of a complex, within what fits on a page."""
    if complex_.dim == 1:
        return 0.6
    width, height = np.ptp(complex_.vertices, axis=0)
    return float(np.clip(height / width, 1 / 3, 2.0))


def axes_for(ax: Axes | None, complex_: PolyhedralCells) -> Axes:
    """Return the axes to draw a complex on, made if there are none."""
    if ax is not None:
        return ax
    height = max(3.45 * aspect(complex_), 1.2) + 1.05
    return new_figure(*own_size(4.8, height)).add_subplot()


def axis_names(complex_: Cells, points: Any = None) -> list[str]:
    """Return the names of the axes: columns of a table of points, what a slice says, or x_i."""
    columns = getattr(points, "columns", None)
    if columns is not None and len(columns) == complex_.dim:
        return [str(name).replace("$", r"\$") for name in columns]
    letter = "x"
    if isinstance(complex_.domain, AffineSlice):
        if complex_.domain.axis_names is not None:
            return list(complex_.domain.axis_names)
        letter = "u"
    return [f"${letter}_{i + 1}$" for i in range(complex_.dim)]


def fit_axes(ax: Axes, complex_: Cells, points: Any = None, *, own: bool = True) -> None:
    """Fit axes to a complex: a plane one has equal scales unless it is a sliver; see `aspect`."""
    low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
    across, *up = axis_names(complex_, points)
    ax.set(xlim=(low[0], high[0]), xlabel=across)
    if complex_.dim == 1:
        _draw_function(ax, complex_)
    else:
        width, height = high - low
        ax.set(ylim=(low[1], high[1]), ylabel=up[0])
        ax.set_aspect(aspect(complex_) * width / height)
    if own:
        tick_labels(ax)
        ax.locator_params(nbins=6)


def _outputs(network: Network, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the decision values, or the outputs of a network with more than two, (n, m)."""
    return network(points) if network.n_outputs > 2 else network.decision_values(points)[:, None]


def _draw_function(ax: Axes, complex_: Cells) -> None:
    """Draw the network over a line, straight on each region, and its facets as dots."""
    order = np.argsort(complex_.vertices[:, 0])
    x, kinks = complex_.vertices[order], complex_.facet_labels[order] >= 0
    for f in _outputs(complex_.network, x).T:
        ax.plot(x[:, 0], f, color=INK, linewidth=1.4, zorder=3)
        ax.plot(x[kinks, 0], f[kinks], "o", color="white", markeredgecolor=INK, markersize=3.2,
                markeredgewidth=0.8, zorder=3.5)  # fmt: skip
    ax.set_ylabel({1: "$f(x)$", 2: "$f_2(x) - f_1(x)$"}.get(complex_.network.n_outputs, "outputs"))


def _across(ax: Axes, complex_: PolyhedralCells) -> dict[str, Any]:
    """Return the coordinates of layers: those of a line go up from 0 to 1 in any axes."""
    return {"transform": ax.get_xaxis_transform()} if complex_.dim == 1 else {}


def _corners(complex_: PolyhedralCells) -> list[NDArray[np.float64]]:
    """Return the polygon of each region; of a line, stripes of height 1."""
    if complex_.dim == 2:
        indptr, corners = polygons(complex_)
        return np.split(complex_.vertices[corners], indptr[1:-1])
    ends = complex_.vertices[complex_.cell_vertices(1).indices.reshape(-1, 2), 0]
    return [np.array([[a, 0.0], [b, 0.0], [b, 1.0], [a, 1.0]]) for a, b in np.sort(ends, axis=1)]


def _facet_segments(complex_: Cells) -> NDArray[np.float64]:
    """Return the edges of a plane complex, or upright lines at the vertices of a line."""
    if complex_.dim == 2:
        edges: NDArray[np.float64] = complex_.vertices[edge_vertices(complex_)]
        return edges
    return _upright(complex_.vertices[:, 0])


def _upright(x: NDArray[np.float64]) -> NDArray[np.float64]:
    segments = np.zeros((len(x), 2, 2))
    segments[:, :, 0], segments[:, 1, 1] = x[:, None], 1.0
    return segments


def _zeros(complex_: Cells) -> NDArray[np.float64]:
    """Return where the decision function is zero, as segments."""
    values = complex_.network.decision_values(complex_.vertices)
    if complex_.dim == 2:
        return zero_segments(complex_, values)
    ends = complex_.cell_vertices(1).indices.reshape(-1, 2)
    (x, y), (f, g) = complex_.vertices[ends, 0].T, values[ends].T
    crossed = f * g < 0
    inside = x[crossed] + (y - x)[crossed] * (f / (f - g))[crossed]
    return _upright(np.concatenate([inside, complex_.vertices[values == 0, 0]]))


def region_values(complex_: Cells, values: ArrayLike | str) -> tuple[NDArray[np.float64], str]:
    """Return one number for each region, and what they are.

    Parameters
    ----------
    complex_ : Cells
    values : (n_regions,) array_like or str
        Numbers, or their name: ``"n_active"``, ``"volume"``, ``"output"`` at the interior point,
        or ``"gradient"``, the norm of the region's linear map.

    Raises
    ------
    InputError
        If the name is not one of these, or there is not one number for each region.
    """
    if isinstance(values, str):
        if values not in _NAMED:
            raise InputError(
                f"`values` must be one of {', '.join(map(repr, _NAMED))}, or one number for each "
                f"of the {complex_.n_regions} regions, got {values!r}; choose one of these"
            )
        label, of = _NAMED[values]
        return of(complex_), label
    name = getattr(values, "name", None)
    numbers = as_numbers(values, "values")
    if numbers.shape != (complex_.n_regions,):
        raise InputError(
            f"`values` must have one entry for each of the {complex_.n_regions} regions, got "
            f"shape {numbers.shape}; pass for example `complex_.volumes`"
        )
    return numbers, name if isinstance(name, str) else "values"


def _output(complex_: Cells) -> NDArray[np.float64]:
    network = complex_.network
    if network.n_outputs > 2:
        raise InputError(
            f"`values` can be 'output' of a network with one or two outputs, got one with "
            f"{network.n_outputs}; pass one column of complex_.network(complex_.interior_points)"
        )
    return network.decision_values(complex_.interior_points)


def _gradient(complex_: Cells) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.linalg.norm(complex_.output_maps()[0], axis=(1, 2))
    return norms


_NAMED: dict[str, tuple[str, Callable[[Cells], NDArray[np.float64]]]] = {
    "n_active": ("active neurons", lambda c: c.patterns.sum(axis=1).astype(np.float64)),
    "volume": ("volume", lambda c: c.volumes),
    "output": ("output", _output),
    "gradient": ("norm of the gradient", _gradient),
}


def draw_regions(
    ax: Axes,
    complex_: PolyhedralCells,
    values: NDArray[np.float64],
    cmap: Colormap,
    norm: Normalize,
) -> PolyCollection:
    """Fill each region with the colour of its value, (n_regions,); NaN becomes grey."""
    from matplotlib.collections import PolyCollection

    layer = PolyCollection(
        _corners(complex_),
        array=np.ma.masked_invalid(values),
        cmap=cmap.with_extremes(bad=_OUTSIDE),
        norm=norm,
        # Without a line in the face's own colour, antialiasing leaves a seam between neighbours.
        edgecolors="face",
        linewidths=0.3,
        zorder=1,
        rasterized=complex_.n_regions > _MANY_REGIONS,
        **_across(ax, complex_),
    )
    ax.add_collection(layer, autolim=False)
    return layer


def draw_segments(ax: Axes, segments: NDArray[np.float64], **line: Any) -> None:
    """Draw segments, (n, 2, 2), as one collection."""
    from matplotlib.collections import LineCollection

    look = {"capstyle": "round"} | line
    ax.add_collection(LineCollection(list(segments), **look), autolim=False)


def draw_edges(ax: Axes, complex_: Cells) -> None:
    """Draw the edges of all regions, thinner and paler the more there are."""
    look = fading(complex_.n_regions, width=0.55, alpha=0.6) | _across(ax, complex_)
    draw_segments(ax, _facet_segments(complex_), colors=INK, **look)


def draw_edges_by_layer(ax: Axes, complex_: Cells) -> None:
    """Draw the edges in the colour of the layer that made them; many layers from dark to light."""
    import matplotlib

    edges = _facet_segments(complex_)
    inner = complex_.facet_labels >= 0
    layer_of_edge = complex_.network.layer_of(complex_.facet_labels)
    n_layers = len(complex_.network.layer_sizes)
    colors: Any = _LAYERS
    if n_layers > len(_LAYERS):
        colors = matplotlib.colormaps["plasma"](np.linspace(0.0, 0.87, n_layers))
    for layer in np.unique(layer_of_edge[inner]):
        made_here = edges[inner & (layer_of_edge == layer)]
        line = fading(complex_.n_regions, width=1.2, alpha=0.9) | _across(ax, complex_)
        line["zorder"] += 1 - layer / n_layers  # earlier layers are coarser: on top
        draw_segments(ax, made_here, colors=colors[layer], label=f"layer {layer}", **line)


def fading(n_regions: int, *, width: float, alpha: float) -> dict[str, Any]:
    """Return a look of edges that is thinner and paler the more regions there are."""
    crowd = max(n_regions / 150, 1.0)
    return {
        "linewidths": max(width * crowd**-0.3, 0.08),
        "alpha": max(alpha * crowd**-0.2, 0.12),
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
    **coordinates: Any,
) -> None:
    if not len(segments):
        return  # nor does the legend promise it
    # A light casing under the whole line keeps it apart from what it crosses.
    casing = width + 2 * casing
    draw_segments(ax, segments, colors="white", linewidths=casing, zorder=zorder, **coordinates)
    draw_segments(
        ax, segments, colors=color, linewidths=width, zorder=zorder + 0.1, label=label,
        **coordinates,
    )  # fmt: skip


def draw_decision_boundary(ax: Axes, complex_: Cells, label: str = "decision boundary") -> None:
    """Draw where the network's decision changes, exactly.

    Of one or two outputs these are the zeros of the decision function, of more the points at which
    another output becomes the greatest.
    """
    # Thinner than the cut and above it: where they coincide, both are seen.
    _draw_line(
        ax, decision_segments(complex_), label, color=GREEN, width=1.4, casing=0.45, zorder=5,
        **_across(ax, complex_),
    )  # fmt: skip


def decision_segments(complex_: Cells) -> NDArray[np.float64]:
    """Return where the network's decision changes, (n, 2, 2); see `draw_decision_boundary`."""
    return _walls(complex_) if complex_.network.n_outputs > 2 else _zeros(complex_)


def _walls(complex_: Cells) -> NDArray[np.float64]:
    """Return where the class changes of which the output is the greatest, as segments."""
    found = decision(complex_)
    refined, is_wall = found.refined, found.wall_classes[:, 0] >= 0
    if complex_.dim == 1:
        return _upright(refined.vertices[is_wall, 0])
    walls: NDArray[np.float64] = refined.vertices[refined.facets[0][1].reshape(-1, 2)[is_wall]]
    return walls


def points_of(points: ArrayLike, complex_: Cells) -> NDArray[np.float64]:
    """Return points of the complex's space, (n, dim); those of a line may be (n,)."""
    if complex_.dim == 1 and np.ndim(points) == 1:
        return as_points(as_numbers(points, "points")[:, None], 1)
    return as_points(points, complex_.dim)


def draw_points(
    ax: Axes,
    points: NDArray[np.float64],
    labels: ArrayLike | None,
    *,
    size: float | None = None,
    scale: tuple[Colormap, Normalize] | None = None,
) -> PathCollection | None:
    """Draw data points, each class in its own colour and marker, or coloured by their values.

    Points of a line stand at the height of their value; classes stand at the lower edge.

    Parameters
    ----------
    ax : Axes
    points : (n, 1) or (n, 2) ndarray
    labels : (n,) array_like, optional
        Classes or values.
    size : float, optional
        Of a point, as ``s`` of matplotlib's ``scatter``; by default the more the smaller.
    scale : (Colormap, Normalize), optional
        Of colours of values.

    Returns
    -------
    PathCollection or None
        What a colour bar explains, if the points are coloured by values.
    """
    look = _look_of_points(ax, len(points), size)
    values = values_of(labels, len(points))
    if points.shape[1] == 1:
        if values is not None:
            ax.scatter(points[:, 0], values, c=ORANGE, label="data", **look)
            return None
        points = np.column_stack([points[:, 0], np.full(len(points), 0.04)])
        look["transform"] = ax.get_xaxis_transform()
    if values is not None:
        cmap, norm = scale or (colour_map(None, "cividis"), norm_of(values))
        return ax.scatter(
            points[:, 0], points[:, 1], c=values, cmap=cmap, norm=norm, label="data", **look
        )
    for members, (color, marker), name in classes_of(labels, len(points)):
        ax.scatter(
            points[members, 0], points[members, 1], c=color, marker=marker, label=name, **look
        )
    return None


def draw_classes(
    ax: Axes,
    points: NDArray[np.float64],
    classes: NDArray[np.int64],
    names: Sequence[str],
    *,
    size: float | None = None,
) -> None:
    """Draw points of the plane, each in colour and marker of the number of its class."""
    look = _look_of_points(ax, len(points), size)
    for k in np.unique(classes).tolist():
        color, marker = class_look(k)
        x, y = points[classes == k].T
        ax.scatter(x, y, c=color, marker=marker, label=names[k], **look)


def class_look(k: int) -> tuple[str, str]:
    """Return colour and marker of a class, by its number."""
    return _COLOURS[k % len(_COLOURS)], _MARKERS[k % len(_MARKERS)]


def _look_of_points(ax: Axes, n: int, size: float | None) -> dict[str, Any]:
    if size is not None:
        size = check_point_size(size)
    else:
        inches = ax.bbox.width / ax.figure.dpi
        size = float(np.clip(4000 / max(n, 1), 12, 36) * np.clip(inches / 3.5, 0.75, 1.0))
    return {
        "s": size,
        "edgecolors": "white",
        "linewidths": 0.16 + min(size, 60.0) / 100,
        "zorder": 6,  # above all lines: a hidden point would mislead
    }


def values_of(labels: ArrayLike | None, n_points: int) -> NDArray[np.float64] | None:
    """Return labels as numbers if they are values, and None if they are classes.

    Values are numbers with a fraction, and whole ones of more than 12 kinds.
    """
    if labels is None:
        return None
    found = as_labels(labels)
    if len(found.codes) != n_points:
        raise InputError(
            f"`labels` must be {n_points} labels or values, one for each point, got "
            f"{len(found.codes)}; pass for example -1 and +1"
        )
    are_classes = found.are_whole and (len(found.classes) <= _MOST_CLASSES or not found.are_numbers)
    return None if are_classes else found.classes.astype(np.float64)[found.codes]


def class_names(found: Labels) -> list[str]:
    """Return what figures call each class."""
    if not found.are_numbers:
        return [f"class {printable(str(k))}".replace("$", r"\$") for k in found.classes]
    kinds = found.classes.astype(np.float64)
    form = "+g" if kinds.min() < 0 else "g"
    return [f"class {k:{form if k else 'g'}}".replace("-", "−") for k in kinds]


def classes_of(
    labels: ArrayLike | None, n_points: int
) -> list[tuple[NDArray[np.bool_], tuple[str, str], str]]:
    """Return members, look and name of each class."""
    if labels is None:
        return [(np.ones(n_points, dtype=bool), (INK, "o"), "data")]
    found = as_labels(labels)
    kinds, names = found.classes, class_names(found)
    looks = [class_look(k) for k in range(len(kinds))]
    if len(kinds) <= 2:
        looks = list(_CLASSES)
    if found.are_numbers and len(kinds) == 1 and kinds[0] > 0:
        looks = looks[1:]
    if len(kinds) > _MOST_CLASSES:
        names[_MOST_CLASSES - 1] += f", and {len(kinds) - _MOST_CLASSES} more"
        names[_MOST_CLASSES:] = ["_nolegend_"] * (len(kinds) - _MOST_CLASSES)
    return [(found.codes == k, looks[k], name) for k, name in enumerate(names)]


def draw_cut(ax: Axes, part: FiedlerPartition | SpectralPartition) -> None:
    """Draw the cut of a partition of a plane complex, and hatch the regions on it."""
    if isinstance(part, FiedlerPartition):
        name, on_cut = "Fiedler cut", part.sides == 0
    else:
        name, on_cut = "spectral cut", part.parts < 0
    if part.n_open:
        _hatch(ax, part.complex, part.component & on_cut, "on the cut")
    _draw_line(
        ax, cut_segments(part), name, color=INK, width=2.6, casing=0.6, zorder=4,
        **_across(ax, part.complex),
    )  # fmt: skip


def side_colours() -> Colormap:
    """Return the colours of the two sides, from blue to orange."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("relutopo_sides", _SIDES)


def oriented_vector(
    part: FiedlerPartition, points: NDArray[np.float64] | None, labels: ArrayLike | None
) -> NDArray[np.float64]:
    """Return the scaled vector, with the sign that fits the labels, (n_regions,)."""
    values = scaled_vector(part)
    if points is not None and labels is not None:
        values = values * sign_of_labels(part, points, labels)
    return values


def _hatch(ax: Axes, complex_: Cells, which: NDArray[np.bool_], label: str) -> None:
    """Hatch some regions, and name them in the legend."""
    from matplotlib.collections import PolyCollection

    every = _corners(complex_)
    layer = PolyCollection(
        [every[r] for r in np.flatnonzero(which)],
        facecolors="none",
        edgecolors=_ON_CUT,
        linewidths=0,
        hatch="//////",
        zorder=1.5,
        label=label,
        **_across(ax, complex_),
    )
    ax.add_collection(layer, autolim=False)


def scaled_vector(part: FiedlerPartition) -> NDArray[np.float64]:
    """Return the Fiedler vector divided by the 95 % quantile of its modulus, (n_regions,).

    NaN outside the vector's component.
    """
    modulus = np.abs(part.vector)
    typical = float(np.nanquantile(modulus, _SATURATION))
    return part.vector / (typical if typical > 0 else float(np.nanmax(modulus)))


def sign_of_labels(part: FiedlerPartition, points: NDArray[np.float64], labels: ArrayLike) -> float:
    """Return the sign that puts the positive side on the points of the larger label."""
    found = as_labels(labels)
    if len(found.classes) != 2:  # then neither sign is better
        return 1.0
    y = 2.0 * found.codes - 1.0
    region = part.locate(points)
    located = region >= 0
    sides = np.sign(part.vector[region[located]])
    return -1.0 if np.nansum(sides * y[located]) < 0 else 1.0


def cut_segments(part: FiedlerPartition | SpectralPartition) -> NDArray[np.float64]:
    """Return the facets between regions that are not in the same part, (n, 2, 2)."""
    complex_ = part.complex
    parts = part.sides if isinstance(part, FiedlerPartition) else part.parts
    inner = np.flatnonzero(complex_.facet_regions[:, 1] >= 0)
    first, second = complex_.facet_regions[inner].T
    partitioned = part.component[first] & part.component[second]
    cut = inner[partitioned & (parts[first] != parts[second])]
    segments: NDArray[np.float64] = _facet_segments(complex_)[cut]
    return segments
