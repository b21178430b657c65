"""Saving of figures."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo.checks import check_path, kind_of
from relutopo.errors import InputError
from relutopo.plots.style import names_of_elements
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save_figure"]

# What would make the files of one figure differ.
_NO_DATES: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    "svg": {"Creator": None, "Date": None},
}
_PIXELS = {"jpg": 160, "jpeg": 160, "png": 160, "webp": 160}
"""Dots per inch of formats of pixels; 300 are what others have of pixels within."""
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]*")
"""What names a format: a point in ``moons_0.1`` or ``step.300`` is part of the name."""


def save_figure(figure: Figure | Axes, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write a figure in the format that the path names, or as PNG and as PDF, and close it.

    Each file appears complete or not at all, and PNG, PDF and SVG hold no date: the same figure
    gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure or matplotlib.axes.Axes
        The figure, or axes in it.
    path : path
        Its suffix is the format: ``.png``, ``.svg``, ``.pdf``, or another one that matplotlib
        writes. Without one a PNG and a PDF are written; a number behind a point, as in
        ``moons_0.1``, is part of the name. Folders that are missing are made.

    Returns
    -------
    tuple of pathlib.Path
        The files: one, or the PNG and the PDF.

    Raises
    ------
    InputError
        If the suffix is that of no format that matplotlib writes.

    Examples
    --------
    >>> import tempfile
    >>> from relutopo.plots import plot_scaling
    >>> figure = plot_scaling({"sorting": {"numpy": ([10, 100], [1e-6, 1.2e-5])}}, "numbers")
    >>> [path.name for path in save_figure(figure, f"{tempfile.mkdtemp()}/sorting.svg")]
    ['sorting.svg']
    """
    whole: Any = figure
    if not hasattr(figure, "figure") or not hasattr(figure, "get_window_extent"):
        raise InputError(
            f"`figure` must be a figure or axes of matplotlib, got {kind_of(figure)}; pass what a "
            "function of relutopo.plots returns"
        )
    check_path(path, "figure.png")
    while whole.figure is not whole:  # axes and figures within figures
        whole = whole.figure
    target = Path(path)
    formats = whole.canvas.get_supported_filetypes()
    suffix = target.suffix.lower()
    if _SUFFIX.fullmatch(suffix) and suffix[1:] not in formats:
        raise InputError(
            f"`path` must end in a format that is written, {', '.join(sorted(formats))}, got "
            f"{str(path)!r}; choose one of these, or leave the suffix out for a PNG and a PDF"
        )
    if suffix[1:] in formats:
        files = {suffix[1:]: target}
    else:
        files = {kind: target.with_name(f"{target.name}.{kind}") for kind in ("png", "pdf")}
    layout = whole.get_layout_engine()
    try:
        with names_of_elements():
            for kind, file_path in files.items():
                with atomic_write(file_path) as file:
                    whole.savefig(
                        file, format=kind, dpi=_PIXELS.get(kind, 300), metadata=_NO_DATES.get(kind)
                    )
                if layout is not None:  # it takes long, and both files are to look alike
                    whole.set_layout_engine("none")
    finally:
        if layout is not None:  # None would mean that of the style
            whole.set_layout_engine(layout)
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(whole)  # only pyplot keeps figures alive
    return tuple(files.values())
