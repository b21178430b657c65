"""Figures of three-dimensional complexes: the surface of a union of regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.plots.style import new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_space", "polygons_in_space"]

_LIGHT = np.array([0.25, -0.55, 0.8])


def plot_space(
    complex_: Cells, values: ArrayLike | None = None, keep: ArrayLike | None = None
) -> Figure:
    """Draw the surface of a union of regions, coloured by region.

    Parameters
    ----------
    complex_ : Cells
        Of dimension 3.
    values : (n_regions,) array_like, optional
        What the colours show; the number of active neurons by default.
    keep : (n_regions,) array_like of bool, optional
        The regions whose union is drawn. By default those whose interior point is not in the
        octant beyond the domain's centre, so that one corner is taken out along region walls.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the dimension is not 3, or an array does not have one entry for each region.
    """
    if complex_.dim != 3:
        raise InputError(
            f"`complex_` must have dimension 3, got {complex_.dim}; use "
            "relutopo.plots.plot_complex for planes"
        )
    n = complex_.n_regions
    colours = complex_.patterns.sum(axis=1) if values is None else np.asarray(values, dtype=float)
    if keep is None:
        middle = (complex_.vertices.min(axis=0) + complex_.vertices.max(axis=0)) / 2
        corner = complex_.interior_points > middle
        corner[:, 1] ^= True  # the corner that faces the viewer
        kept = ~corner.all(axis=1)
    else:
        kept = np.asarray(keep, dtype=bool)
    if colours.shape != (n,) or kept.shape != (n,):
        raise InputError(
            f"`values` and `keep` must have one entry for each of the {n} regions, got shapes "
            f"{colours.shape} and {kept.shape}"
        )
    inside = np.append(kept, False)[complex_.facet_regions]  # -1 is the last: outside
    surface = np.flatnonzero(inside.sum(axis=1) == 1)
    owner = complex_.facet_regions[surface, np.argmax(inside[surface], axis=1)]
    with style():
        from matplotlib.cm import ScalarMappable
        from mpl_toolkits.mplot3d.art3d import Poly3DCollection

        figure = new_figure(5.2, 4.2, layout="constrained")
        ax = figure.add_subplot(projection="3d")
        shown = ScalarMappable(cmap="viridis")
        shown.set_clim(float(colours.min()), float(colours.max()))
        polygons = polygons_in_space(complex_, surface)
        tones = shown.to_rgba(colours[owner])
        # Faces that look away from the light are darker, so that the opened corner shows.
        normals = np.array([np.cross(p[1] - p[0], p[2] - p[0]) for p in polygons])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
        tones[:, :3] *= 0.45 + 0.55 * np.abs(normals @ _LIGHT)[:, None]
        faces = Poly3DCollection(
            polygons, facecolors=tones, edgecolors=(0, 0, 0, 0.35), linewidths=0.15
        )
        faces.set_rasterized(len(surface) > 5000)
        ax.add_collection3d(faces)
        low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
        ax.set_box_aspect(high - low)
        ax.set(xlabel="$x_1$", ylabel="$x_2$", zlabel="$x_3$")
        ax.locator_params(nbins=4)
        ax.view_init(elev=28, azim=-50)
        label = "active neurons" if values is None else "value"
        figure.colorbar(shown, ax=ax, shrink=0.7, pad=0.12, label=label)
    return figure


def polygons_in_space(complex_: Cells, faces: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Return the corners of some 2-cells, in order around each.

    Parameters
    ----------
    complex_ : Cells
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
