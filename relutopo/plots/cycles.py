"""Figures of cycles that represent classes of homology, on their complex."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, overload

import numpy as np

from relutopo.checks import kind_of
from relutopo.errors import InputError
from relutopo.geometry.cells import CellLists, Cells
from relutopo.homology.cycles import Cycle, coordinates, edge_lengths, lives_of, solid
from relutopo.plots import frames
from relutopo.plots import layers as drawing
from relutopo.plots.space import polygons_in_space
from relutopo.plots.style import (
    INK,
    MUTED,
    PALETTE,
    new_figure,
    own_size,
    style_unless,
    tick_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = ["plot_cycles"]

_NAMED = len(PALETTE)
"""So many cycles have a colour and a name of their own."""


class _Options(TypedDict, total=False):
    title: str | None
    cmap: str | Colormap | None
    legend: bool | str
    colorbar: bool
    view: tuple[float, float]


@overload
def plot_cycles(
    cycles: Cycle | Sequence[Cycle],
    complex_: CellLists | None = ...,
    *,
    ax: Axes,
    **options: Unpack[_Options],
) -> Axes: ...


@overload
def plot_cycles(
    cycles: Cycle | Sequence[Cycle],
    complex_: CellLists | None = ...,
    *,
    ax: None = ...,
    **options: Unpack[_Options],
) -> Figure: ...


def plot_cycles(
    cycles: Cycle | Sequence[Cycle],
    complex_: CellLists | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    cmap: str | Colormap | None = None,
    legend: bool | str = True,
    colorbar: bool = True,
    view: tuple[float, float] = (28.0, -50.0),
) -> Figure | Axes:
    """Draw cycles where they are: points, loops, and in space surfaces.

    Up to eight have colours of their own, and the legend says from when to when their classes live.
    If there are more, the colour shows how long they live; classes that never end are black.

    Parameters
    ----------
    cycles : Cycle or sequence of Cycle
        What `Diagram.representatives`, `Diagram.representative` or `homology_basis` returns; at
        least one, with coordinates in two or three dimensions.
    complex_ : CellComplex, DecisionBoundary or any with coordinates, optional
        The axes are fitted to it, and in the plane its edges are drawn below the cycles. By default
        the complex of the cycles, unless `ax` is given: then the cycles are drawn on what is there.
    ax : matplotlib.axes.Axes, optional
        Where to draw: in space, axes of three dimensions. By default a figure is made.
    title : str, optional
        The title.
    cmap : str or matplotlib.colors.Colormap, optional
        Colours of the length of life.
    legend, colorbar : bool
        See `plot_complex`.
    view : (float, float)
        Height above the horizon and direction of the viewer, in degrees, in space.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or `ax` if it was given.

    Raises
    ------
    InputError
        If there is no cycle, one has no coordinates in the plane or in space, or the cycles lie in
        space and `ax` has no third dimension.

    Examples
    --------
    >>> import relutopo as rt
    >>> network = rt.gallery.random_network([2, 8, 8, 1], seed=0)
    >>> complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2))
    >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "output"))
    >>> figure = plot_cycles(diagram.representatives(1))
    """
    chosen = _list_of(cycles)
    below: Any = complex_
    if below is None and ax is None:
        below = chosen[0].complex_
    dim = _dimension(chosen)
    with style_unless(ax, dim=dim):
        axes: Any = ax if ax is not None else _own_axes(below, dim)
        if below is not None and dim == 3:
            _fit_space(axes, below, view)
        elif below is not None:
            _draw_below(axes, below, own=ax is None)
        if ax is None:
            tick_labels(axes)
        colours, bar = _colours(chosen, cmap)
        # Those that live longest last, on top; many at once, as each layer takes its time.
        order = np.argsort([_life(cycle) for cycle in chosen], kind="stable").tolist()
        if bar is None:
            names = _names(chosen)
            for i in order:
                _draw(axes, [chosen[i]], [colours[i]], names[i])
        else:
            for k in sorted({cycle.dim for cycle in chosen}, reverse=True):
                some = [i for i in order if chosen[i].dim == k]
                shades = [colours[i] for i in some]
                _draw(axes, [chosen[i] for i in some], shades, "_nolegend_")
        bars: list[Any] = [] if bar is None else [(bar, "life of the class", {})]
        if bar is not None and any(cycle.is_essential for cycle in chosen):
            axes.plot([], [], color=INK, label="never end")
        frames.furnish([axes], ax, bars, legend=legend, colorbar=colorbar)
        if dim == 2:
            frames.put_title(axes, title)
        elif title is not None:
            axes.set_title(title)
    return frames.figure_of(axes) if ax is None else axes


def _list_of(cycles: Cycle | Sequence[Cycle]) -> list[Cycle]:
    found: Any = [cycles] if isinstance(cycles, Cycle) else cycles
    if not isinstance(found, Sequence) or not all(isinstance(cycle, Cycle) for cycle in found):
        raise InputError(
            f"`cycles` must be a Cycle or a sequence of them, got {kind_of(cycles)}; pass "
            "diagram.representatives(1)"
        )
    if not len(found):
        raise InputError(
            "`cycles` must have at least one cycle, got none: there is no class of this degree, or "
            "none that lives so long; take another degree, or a smaller `least`, if one was given"
        )
    return list(found)


def _dimension(cycles: Sequence[Cycle]) -> int:
    dims: set[int] = {coordinates(cycle.complex_).shape[1] for cycle in cycles}
    if len(dims) > 1 or not dims <= {2, 3}:
        raise InputError(
            "`cycles` must have coordinates in two or three dimensions, got "
            f"{', '.join(map(str, sorted(dims)))}; decompose a slice of the domain"
        )
    return dims.pop()


def _life(cycle: Cycle) -> float:
    return float(lives_of(np.array([cycle.birth]), np.array([cycle.death]))[0])


def _names(cycles: Sequence[Cycle]) -> list[str]:
    """Return what the legend says of each cycle, with a number where several have one name."""
    names = []
    for cycle in cycles:
        end = "on" if cycle.is_essential else f"to {cycle.death:.4g}"
        names.append(f"$H_{cycle.dim}$ from {cycle.birth:.4g} {end}")
    return [
        f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def _colours(
    cycles: Sequence[Cycle], cmap: str | Colormap | None
) -> tuple[Sequence[Any], ScalarMappable | None]:
    """Return the colour of each cycle, and what a colour bar shows, if they are many."""
    if len(cycles) <= _NAMED and cmap is None:
        return PALETTE, None
    from matplotlib.cm import ScalarMappable

    lives = np.array([_life(cycle) for cycle in cycles])
    norm = frames.norm_of(lives)
    bar = ScalarMappable(norm, frames.colour_map(cmap, "viridis_r"))
    bar.set_array(lives[np.isfinite(lives)])
    shades = bar.to_rgba(np.clip(lives, norm.vmin, norm.vmax))
    return [
        INK if cycle.is_essential else shade for cycle, shade in zip(cycles, shades, strict=True)
    ], bar


def _own_axes(complex_: Any, dim: int) -> Any:
    if dim == 3:
        return new_figure(*own_size(5.2, 4.2), "constrained").add_subplot(projection="3d")
    return drawing.axes_for(None, solid(complex_))


def _fit_space(axes: Any, complex_: Any, view: tuple[float, float]) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axes.set_box_aspect(np.maximum(high - low, 1e-300))
    names = (
        drawing.axis_names(complex_)
        if isinstance(complex_, Cells)
        else [f"$x_{i + 1}$" for i in range(3)]
    )
    axes.set(xlabel=names[0], ylabel=names[1], zlabel=names[2])
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):  # where two axes meet, no ends collide
        axis.set_major_locator(MaxNLocator(4, prune="both"))
    axes.view_init(elev=view[0], azim=view[1])


def _draw_below(axes: Axes, complex_: Any, *, own: bool) -> None:
    """Draw the edges of a complex in grey, and fit the axes to it."""
    if isinstance(complex_, Cells):
        drawing.fit_axes(axes, complex_, own=own)
    else:
        low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
        margin = 0.04 * (high - low).max()
        axes.set(xlim=(low[0] - margin, high[0] + margin), xlabel="$x_1$")
        axes.set(ylim=(low[1] - margin, high[1] + margin), ylabel="$x_2$")
        axes.set_aspect("equal")
    if edge_lengths(complex_) is not None:
        ends = complex_.facets[0][1].reshape(-1, 2)
        look = drawing.fading(complex_.n_cells[-1], width=0.55, alpha=0.8)
        drawing.draw_segments(axes, complex_.vertices[ends], colors=MUTED, **look)


def _draw(axes: Any, cycles: Sequence[Cycle], colours: Sequence[Any], name: str) -> None:
    """Draw cycles of one dimension, the last on top."""
    in_space, dim = hasattr(axes, "get_zlim"), cycles[0].dim
    if dim == 2:
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        faces = [
            polygons_in_space(solid(cycle.complex_), cycle.cells.astype(np.intp))
            for cycle in cycles
        ]
        axes.add_collection3d(
            Poly3DCollection(
                [face for some in faces for face in some], facecolors=_each(colours, faces),
                edgecolors=[(1, 1, 1, 0.5)], linewidths=0.4, alpha=0.5, label=name,
            ),
            autolim=False,
        )  # fmt: skip
        return
    parts = [cycle.segments if dim else cycle.vertices for cycle in cycles]
    every, shades = np.concatenate(parts), _each(colours, parts)
    if dim == 0:
        # In space sizes are kept as they are, whatever the depth.
        options = {"depthshade": False} if in_space else {}
        axes.scatter(
            *every.T, s=26, c=shades, edgecolors="white", linewidths=0.7, zorder=7, label=name,
            clip_on=False, **options,
        )  # fmt: skip
    elif in_space:
        from mpl_toolkits.mplot3d.art3d import Line3DCollection

        axes.add_collection3d(
            Line3DCollection(every, colors=shades, linewidths=2.0, label=name), autolim=False
        )
    else:
        drawing.draw_segments(axes, every, colors="white", linewidths=3.2, zorder=6)
        drawing.draw_segments(axes, every, colors=shades, linewidths=2.0, zorder=6.1, label=name)


def _each(colours: Sequence[Any], parts: Sequence[Sized]) -> Any:
    """Return the colour of each element of some parts."""
    from matplotlib.colors import to_rgba_array

    return np.repeat(to_rgba_array(list(colours)), [len(part) for part in parts], axis=0)
