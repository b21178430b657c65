"""Saving of figures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relutopo.errors import InputError
from relutopo.plots.style import style
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_figure"]


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a figure as PNG and as PDF, and close it.

    Each file appears complete or not at all, and holds no date: the same figure gives the same
    bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : path
        Without suffix; folders that are missing are made.

    Returns
    -------
    png, pdf : pathlib.Path
        The files.

    Raises
    ------
    InputError
        If `path` has the suffix of a picture.
    """
    stem = Path(path)
    if stem.suffix.lower() in {".png", ".pdf", ".svg"}:
        raise InputError(
            f"`path` must have no suffix, got {str(path)!r}; a PNG and a PDF are written, "
            f"pass {str(stem.with_suffix(''))!r}"
        )
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    files = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.pdf")
    with style():
        for target, dpi in zip(files, (160, 300), strict=True):
            kind = target.suffix[1:]
            with atomic_write(target) as file:
                figure.savefig(file, format=kind, dpi=dpi, metadata=metadata[kind])
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close(figure)  # only pyplot keeps figures alive
    return files
