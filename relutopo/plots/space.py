"""Figures in space: the surface of a union of regions, and the network over a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.checks import check_flag, check_integer
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells, check_cells
from relutopo.geometry.polygons import edge_vertices, polygons
from relutopo.geometry.polyhedra import PolyhedralCells
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.style import new_figure, own_size, style_unless, tick_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["plot_function", "plot_space", "polygons_in_space"]

_LIGHT = np.array([0.25, -0.55, 0.8])
_DARKEST = 0.72
"""Share of its colour that a face keeps which looks away from the light."""
_MANY_FACES = 5000
"""Above this faces become pixels inside vector files."""


class _SpaceOptions(TypedDict, total=False):
    values: ArrayLike | str | None
    label: str | None
    cmap: str | Colormap | None
    colorbar: bool
    title: str | None
    view: tuple[float, float]


@overload
def plot_space(
    complex_: Cells,
    values: ArrayLike | str | None = ...,
    keep: ArrayLike | None = ...,
    *,
    ax: Axes,
    label: str | None = ...,
    cmap: str | Colormap | None = ...,
    colorbar: bool = ...,
    title: str | None = ...,
    view: tuple[float, float] = ...,
) -> Axes: ...


@overload
def plot_space(
    complex_: Cells,
    values: ArrayLike | str | None = ...,
    keep: ArrayLike | None = ...,
    *,
    ax: None = ...,
    label: str | None = ...,
    cmap: str | Colormap | None = ...,
    colorbar: bool = ...,
    title: str | None = ...,
    view: tuple[float, float] = ...,
) -> Figure: ...


def plot_space(
    complex_: Cells,
    values: ArrayLike | str | None = None,
    keep: ArrayLike | None = None,
    *,
    ax: Axes | None = None,
    label: str | None = None,
    cmap: str | Colormap | None = None,
    colorbar: bool = True,
    title: str | None = None,
    view: tuple[float, float] = (28.0, -50.0),
) -> Figure | Axes:
    """Draw the surface of a union of regions, coloured by region.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 3.
    values : (n_regions,) array_like or str, optional
        What the colours show, as in `plot_complex`; the number of active neurons by default.
    keep : (n_regions,) array_like of bool, optional
        The regions whose union is drawn. By default those whose interior point is not in the
        octant of the domain that faces the viewer, so that one corner is taken out along region
        walls.
    ax : mpl_toolkits.mplot3d.Axes3D, optional
        Where to draw; by default a figure is made.
    label, cmap, colorbar, title
        See `plot_complex`.
    view : (float, float)
        Height above the horizon and direction of the viewer, in degrees.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given. Faces are a little darker the more they look away from
        the light.

    Raises
    ------
    InputError
        If the dimension is not 3, an array does not have one entry for each region, or `ax` has no
        third dimension.
    """
    if check_cells(complex_).dim != 3:
        raise InputError(
            f"`complex_` must have dimension 3, got {complex_.dim}; use "
            "relutopo.plots.plot_complex for lines and planes"
        )
    n = complex_.n_regions
    numbers, name = drawing.region_values(complex_, "n_active" if values is None else values)
    low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
    if keep is None:
        towards = np.array(_direction(view)) > 0
        corner = (complex_.interior_points > (low + high) / 2) == towards
        kept = ~corner.all(axis=1)
    else:
        kept = np.asarray(keep, dtype=bool)
    if kept.shape != (n,):
        raise InputError(
            f"`keep` must have one entry for each of the {n} regions, got shape {kept.shape}; pass "
            "for example `complex_.interior_points[:, 0] < 0`"
        )
    regions = complex_.facet_regions
    inside = np.append(kept, False)[regions]  # -1 is the last: outside
    surface = np.flatnonzero(inside.sum(axis=1) == 1)
    side = np.argmax(inside[surface], axis=1)
    owners = regions[surface, side].astype(np.intp)
    inner = np.flatnonzero(regions[:, 1] >= 0)
    walls = _seen_from_outside(complex_, inner, regions[inner, 0])
    return _draw(
        _seen_from_outside(complex_, surface, owners), owners, walls,
        regions[inner].astype(np.intp), numbers,
        limits=(low, high), is_closed=True, aspect=high - low,
        names=[*drawing.axis_names(complex_)], integers=values is None, ax=ax,
        label=label or name, cmap=cmap, colorbar=colorbar, title=title, view=view,
    )  # fmt: skip


@overload
def plot_function(
    complex_: Cells, output: int | None = ..., *, ax: Axes, **options: Unpack[_SpaceOptions]
) -> Axes: ...


@overload
def plot_function(
    complex_: Cells, output: int | None = ..., *, ax: None = ..., **options: Unpack[_SpaceOptions]
) -> Figure: ...


def plot_function(
    complex_: Cells,
    output: int | None = None,
    *,
    ax: Axes | None = None,
    values: ArrayLike | str | None = None,
    label: str | None = None,
    cmap: str | Colormap | None = None,
    colorbar: bool = True,
    title: str | None = None,
    view: tuple[float, float] = (32.0, -60.0),
) -> Figure | Axes:
    """Draw the graph of the network over a plane, a surface of flat pieces.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 2. Over a line the network is drawn by `plot_complex`.
    output : int, optional
        Which output, from 0; by default the function that decides: the one output, or the second
        minus the first of two.
    values : (n_regions,) array_like or str, optional
        What the colours show, as in `plot_complex`; the height of the middle by default.
    ax, label, cmap, colorbar, title, view
        See `plot_space`.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        If the dimension is not 2, there is no such output, values are not one for each region, or
        `ax` has no third dimension.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> figure = plot_function(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    if check_cells(complex_).dim != 2:
        raise InputError(
            f"`complex_` must have dimension 2, got {complex_.dim}; use "
            "relutopo.plots.plot_complex for lines"
        )
    network = complex_.network
    if output is None and network.n_outputs > 2:
        raise InputError(
            f"`output` must be chosen for a network of {network.n_outputs} outputs, got None; pass "
            "a number from 0"
        )
    if output is None:
        heights, middle = (
            network.decision_values(x) for x in (complex_.vertices, complex_.interior_points)
        )
        name = "$f(x)$" if network.n_outputs == 1 else "$f_2(x) - f_1(x)$"
    else:
        check_integer("output", output, 0, network.n_outputs - 1, remedy="they count from 0")
        heights, middle = (
            network(x)[:, output] for x in (complex_.vertices, complex_.interior_points)
        )
        name = f"$f_{output + 1}(x)$"
    numbers, shown = (middle, name) if values is None else drawing.region_values(complex_, values)
    points = np.column_stack([complex_.vertices, heights])
    indptr, corners = polygons(complex_)
    faces = np.split(points[corners], indptr[1:-1])
    low, high = points.min(axis=0), points.max(axis=0)
    if high[2] <= low[2]:
        high[2] = low[2] + 1.0
    regions = complex_.facet_regions
    inner = np.flatnonzero(regions[:, 1] >= 0)
    ends = complex_.vertices[edge_vertices(complex_)[inner]]
    arms = complex_.interior_points[regions[inner, 1]] - ends[:, 0]
    along = ends[:, 1] - ends[:, 0]
    # Upright walls, turned so that they run counterclockwise seen from the second region.
    is_turned = along[:, 0] * arms[:, 1] - along[:, 1] * arms[:, 0] > 0
    start, end = (
        np.where(is_turned[:, None], ends[:, 1], ends[:, 0]),
        np.where(is_turned[:, None], ends[:, 0], ends[:, 1]),
    )
    floor, top = np.full((len(inner), 1), low[2]), np.full((len(inner), 1), high[2])
    walls = np.stack(
        [
            np.hstack([start, floor]), np.hstack([end, floor]),
            np.hstack([end, top]), np.hstack([start, top]),
        ],
        axis=1,
    )  # fmt: skip
    return _draw(
        faces, np.arange(complex_.n_regions), list(walls), regions[inner].astype(np.intp), numbers,
        limits=(low, high), is_closed=False, aspect=np.append((high - low)[:2], 0.7 * np.max(
            (high - low)[:2]
        )),
        names=[*drawing.axis_names(complex_), name], integers=False, ax=ax, label=label or shown,
        cmap=cmap, colorbar=colorbar, title=title, view=view,
    )  # fmt: skip


def _draw(
    faces: list[NDArray[np.float64]],
    owners: NDArray[np.intp],
    walls: list[NDArray[np.float64]],
    sides: NDArray[np.intp],
    numbers: NDArray[np.float64],
    *,
    limits: tuple[NDArray[np.float64], NDArray[np.float64]],
    is_closed: bool,
    aspect: NDArray[np.float64],
    names: Sequence[str],
    integers: bool,
    ax: Axes | None,
    label: str,
    cmap: str | Colormap | None,
    colorbar: bool,
    title: str | None,
    view: tuple[float, float],
) -> Figure | Axes:
    view = frames.check_view(view)
    check_flag("colorbar", colorbar)
    with style_unless(ax, dim=3):
        from matplotlib.cm import ScalarMappable
        from matplotlib.ticker import MaxNLocator

        from relutopo.plots.surfaces import Surface  # loads matplotlib

        axes: Any = (
            new_figure(*own_size(5.2, 4.2), "constrained").add_subplot(projection="3d")
            if ax is None
            else ax
        )
        colours = frames.colour_map(cmap, "viridis")
        scale = ScalarMappable(frames.norm_of(numbers, integers=integers), colours)
        scale.set_array(numbers)
        tones = scale.to_rgba(np.ma.masked_invalid(numbers[owners]))
        size = np.maximum(limits[1] - limits[0], 1e-300)
        normals = _normals([face / size * aspect for face in faces])
        light = np.abs(normals @ (_LIGHT / np.linalg.norm(_LIGHT)))
        tones[:, :3] *= _DARKEST + (1 - _DARKEST) * light[:, None]
        surface = Surface(
            faces, owners, walls, sides, len(numbers), is_closed=is_closed, colours=tones,
            edgecolors=(0, 0, 0, 0.4), linewidths=0.2, rasterized=len(faces) > _MANY_FACES,
        )  # fmt: skip
        axes.add_collection(surface, autolim=False)
        low, high = limits
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        axes.set_box_aspect(aspect)
        axes.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):  # where two axes meet, no ends collide
            axis.set_major_locator(MaxNLocator(4, prune="both"))
        axes.view_init(elev=view[0], azim=view[1])
        if ax is None:
            tick_labels(axes)
        if colorbar and ax is None:
            figure = frames.figure_of(axes)
            figure.colorbar(scale, ax=axes, shrink=0.7, pad=0.12, label=label)
        elif colorbar:
            from relutopo.plots.panels import Panel

            Panel(axes).add_bar(scale, label)
        if title is not None:
            axes.set_title(title)
    return frames.figure_of(axes) if ax is None else ax


def _direction(view: tuple[float, float]) -> tuple[float, float, float]:
    """Return where the viewer is."""
    up, around = np.radians(view)
    return (
        float(np.cos(up) * np.cos(around)), float(np.cos(up) * np.sin(around)), float(np.sin(up))
    )  # fmt: skip


def _normals(polygons: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return unit normals from which corners of planar polygons run counterclockwise, (n, 3)."""
    if not polygons:
        return np.zeros((0, 3))
    sizes = np.array([len(polygon) for polygon in polygons])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    corners = np.concatenate(polygons)
    arms = corners - np.repeat(corners[starts], sizes, axis=0)
    following = np.arange(len(corners)) + 1
    following[starts + sizes - 1] = starts
    normals = np.add.reduceat(np.cross(arms, arms[following]), starts)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: NDArray[np.float64] = normals / np.maximum(lengths, 1e-300)
    return unit


def _seen_from_outside(
    complex_: Cells, faces: NDArray[np.intp], owners: NDArray[np.intp]
) -> list[NDArray[np.float64]]:
    """Return the corners of faces, counterclockwise seen from outside their owners."""
    found = polygons_in_space(complex_, faces)
    first = np.array([corners[0] for corners in found]).reshape(-1, 3)
    outwards = ((first - complex_.interior_points[owners]) * _normals(found)).sum(axis=1) >= 0
    return [
        corners if is_outwards else corners[::-1]
        for corners, is_outwards in zip(found, outwards, strict=True)
    ]


def polygons_in_space(
    complex_: PolyhedralCells, faces: NDArray[np.intp]
) -> list[NDArray[np.float64]]:
    """Return the corners of some 2-cells, in order around each.

    Parameters
    ----------
    complex_ : PolyhedralCells
        Of dimension 3.
    faces : (m,) ndarray of int
        Numbers of 2-cells.

    Returns
    -------
    list of (n_corners, 3) ndarrays
    """
    incidence = complex_.cell_vertices(2)[faces]
    sizes = np.diff(incidence.indptr)
    owner = np.repeat(np.arange(len(faces)), sizes)
    points = complex_.vertices[incidence.indices]
    centres = np.add.reduceat(points, incidence.indptr[:-1]) / sizes[:, None]
    arms = points - centres[owner]
    # A basis of each face's plane: the arm to its first corner, and what is orthogonal to it in
    # the arm that leaves this line furthest.
    first = arms[incidence.indptr[:-1]]
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    across = arms - (arms * first[owner]).sum(axis=1, keepdims=True) * first[owner]
    width = np.linalg.norm(across, axis=1)
    order = np.lexsort((-width, owner))
    second = across[order[incidence.indptr[:-1]]]
    angles = np.arctan2(
        (arms * second[owner]).sum(axis=1),
        (arms * first[owner]).sum(axis=1) * np.linalg.norm(second, axis=1)[owner],
    )
    order = np.lexsort((angles, owner))
    return np.split(points[order], incidence.indptr[1:-1])
