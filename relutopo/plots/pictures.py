"""Small pictures of points of a slice, where the inputs of the network are images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_flag
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.geometry.slices import AffineSlice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_pictures", "image_shape"]

_MOST = 6
"""Points that have pictures unless more are asked for."""
_SMALLEST_IMAGE = 4
"""Pixels of a side: below, two axes of an input are hardly an image."""
_SIDE = 30.0
"""Of a picture, in points."""


def draw_pictures(
    ax: Axes, complex_: Cells, points: NDArray[np.float64], wanted: bool | None
) -> None:
    """Draw the input of the network beside each point.

    Parameters
    ----------
    ax : Axes
    complex_ : Cells
    points : (n, dim) ndarray
        In the coordinates of the complex.
    wanted : bool, optional
        Whether to draw them; None draws those of six points at most.

    Raises
    ------
    InputError
        If `wanted` is true, and the complex is not a slice of a space of images.
    """
    if wanted is not None:
        check_flag("pictures", wanted)
    domain = complex_.domain
    shape = domain.input_shape if isinstance(domain, AffineSlice) else ()
    image = image_shape(shape)
    if image is None or complex_.dim != 2:
        if wanted:
            raise InputError(
                "`pictures` must be False unless the complex is a plane slice of a space of "
                f"images, got True for inputs of shape {shape or (complex_.dim,)}; leave it out"
            )
        return
    if wanted is False or (wanted is None and len(points) > _MOST):
        return
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    assert isinstance(domain, AffineSlice)
    inputs = domain.embed(points).reshape(len(points), *image)
    low, high = float(inputs.min()), float(inputs.max())
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for (x, y), values in zip(points, inputs, strict=True):
        pixels = np.moveaxis(values, 0, -1) if values.ndim == 3 else values
        if pixels.ndim == 3:
            pixels = (pixels - low) / max(high - low, 1e-300)
        picture = OffsetImage(
            pixels, zoom=_SIDE / max(pixels.shape[:2]), cmap="gray_r", interpolation="nearest"
        )
        picture.set_data(pixels)
        # Towards the middle of the axes, which it does not leave.
        aside = 1 if x < (left + right) / 2 else -1
        up = 1 if y < (bottom + top) / 2 else -1
        ax.add_artist(
            AnnotationBbox(
                picture, (x, y), xybox=(0.85 * _SIDE * aside, 0.85 * _SIDE * up),
                boxcoords="offset points", pad=0.1, zorder=7,
                bboxprops={"edgecolor": "#6b6b6b", "linewidth": 0.6},
                arrowprops={"arrowstyle": "-", "color": "#6b6b6b", "linewidth": 0.6},
            )
        )  # fmt: skip


def image_shape(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the shape of an image, (height, width) or (3, height, width), None if it is none."""
    sides = tuple(n for n in shape if n > 1)
    if len(sides) == 3 and sides[0] == 3:
        return sides if min(sides[1:]) >= _SMALLEST_IMAGE else None
    return sides if len(sides) == 2 and min(sides) >= _SMALLEST_IMAGE else None
