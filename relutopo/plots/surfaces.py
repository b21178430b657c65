"""Surfaces in space that hide what is behind them, from wherever one looks.

Matplotlib draws polygons from the farthest to the nearest by the means of their depths, which is
wrong where large ones meet small ones. Here the order follows from the regions. Cutting a domain
neuron by neuron divides it as a tree of planes does, so that two regions with a common wall are
drawn in the right order if the one on the far side of the wall comes first, and all these
conditions together have no circle. (H. Fuchs, Z. M. Kedem, B. F. Naylor, "On visible surface
generation by a priori tree structures", SIGGRAPH 1980.) Which side is the far one is seen from the
orientation of the wall's projection. The order is found anew whenever the figure is turned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from mpl_toolkits.mplot3d.proj3d import proj_transform
from numpy.typing import NDArray

__all__ = ["Surface"]


class Surface(PolyCollection):
    """Polygons in space that belong to regions with walls between them.

    Parameters
    ----------
    faces : list of (n_corners, 3) ndarrays
        Seen from outside their region, corners run counterclockwise.
    owners : (n_faces,) ndarray of int
        The region of each face.
    walls : list of (n_corners, 3) ndarrays
        Planar polygons between regions.
    sides : (n_walls, 2) ndarray of int
        The regions of each wall: seen from the second one, corners run counterclockwise.
    n_regions : int
    is_closed : bool
        Whether the faces bound solids, so that those which look away are hidden.
    colours : (n_faces, 4) ndarray
    **options
        Those of `matplotlib.collections.PolyCollection`.
    """

    def __init__(
        self,
        faces: list[NDArray[np.float64]],
        owners: NDArray[np.intp],
        walls: list[NDArray[np.float64]],
        sides: NDArray[np.intp],
        n_regions: int,
        *,
        is_closed: bool,
        colours: NDArray[np.float64],
        **options: Any,
    ) -> None:
        super().__init__([], **options)
        self._faces, self._owners, self._colours = faces, owners, colours
        self._walls, self._sides, self._n_regions = walls, sides, n_regions
        self._is_closed = is_closed

    def do_3d_projection(self) -> float:
        """Project and sort the faces; return how far the nearest corner is."""
        axes: Any = self.axes
        flat, depth = _projected(self._faces, axes.M)
        area = _signed_areas(flat)
        shown = np.flatnonzero(area > 0) if self._is_closed else np.arange(len(flat))
        walls, _ = _projected(self._walls, axes.M)
        area = _signed_areas(walls)
        decided = np.abs(area) > 1e-12 * max(np.abs(area).max(initial=0.0), 1e-300)
        far = np.where(area[:, None] > 0, self._sides, self._sides[:, ::-1])[decided]
        rank = _far_to_near(far, self._n_regions)
        order = shown[np.argsort(rank[self._owners[shown]], kind="stable")]
        self.set_verts([flat[i] for i in order])
        self.set_facecolor(list(map(tuple, self._colours[order])))
        return float(depth)


def _projected(polygons: list[NDArray[np.float64]], view: Any) -> tuple[list[Any], float]:
    """Return polygons on the screen, and the least depth of a corner."""
    if not polygons:
        return [], 0.0
    x, y, z = proj_transform(*np.concatenate(polygons).T, view)
    ends = np.cumsum([len(polygon) for polygon in polygons])[:-1]
    return np.split(np.column_stack([x, y]), ends), float(np.min(z))


def _signed_areas(polygons: list[Any]) -> NDArray[np.float64]:
    """Return areas that are positive where corners run counterclockwise on the screen."""
    sizes = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    if not len(sizes):
        return np.zeros(0)
    corners = np.concatenate(polygons)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    following = np.arange(len(corners)) + 1
    following[starts + sizes - 1] = starts
    (x, y), (u, v) = corners.T, corners[following].T
    areas: NDArray[np.float64] = np.add.reduceat(x * v - u * y, starts) / 2
    return areas


def _far_to_near(pairs: NDArray[np.intp], n: int) -> NDArray[np.int64]:
    """Return the place of each region in an order in which the first of each pair comes first.

    Where rounding makes a circle, it is broken anywhere.
    """
    order = np.argsort(pairs[:, 0], kind="stable")
    after = pairs[order, 1].tolist()
    starts = np.searchsorted(pairs[order, 0], np.arange(n + 1)).tolist()
    waiting = np.bincount(pairs[:, 1], minlength=n).tolist()
    ready = [region for region in range(n) if not waiting[region]]
    rank = np.full(n, -1, dtype=np.int64)
    placed, look = 0, 0
    while placed < n:
        if not ready:
            while rank[look] >= 0:
                look += 1
            ready.append(look)
            waiting[look] = 0
        region = ready.pop()
        if rank[region] >= 0:
            continue
        rank[region] = placed
        placed += 1
        for other in after[starts[region] : starts[region + 1]]:
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    return rank
