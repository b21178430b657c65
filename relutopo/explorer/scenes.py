"""From objects of the library to scenes."""

from __future__ import annotations

from typing import Any

from relutopo.explorer.scene import Frame, Scene
from relutopo.geometry.cells import check_cells

__all__ = ["scene_of"]


def scene_of(x: Any, *, title: str | None = None) -> Scene:
    """Return the scene that shows an object.

    Parameters
    ----------
    x : CellComplex
    title : str, optional
    """
    complex_ = check_cells(x)
    return Scene("complex", title or repr(complex_), (Frame("", {}),))
