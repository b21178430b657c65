"""What all figures of complexes take."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

__all__ = ["PlaneOptions"]


class PlaneOptions(TypedDict, total=False):
    """Options of `relutopo.plots.plot_complex` and `relutopo.plots.plot_partition`."""

    title: str | None
    decision_boundary: bool | None
    values: ArrayLike | str | None
    label: str | None
    cmap: str | Colormap | None
    legend: bool | str
    colorbar: bool
    point_size: float | None
    pictures: bool | None
