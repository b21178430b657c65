"""Summaries: on the terminal, and in ``summary.txt`` beside the tables."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relutopo.optional import require
from relutopo.system.files import atomic_write

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["save_summary", "show"]


def save_summary(parts: Sequence[RenderableType], directory: str | os.PathLike[str]) -> None:
    """Write a summary as plain text to ``summary.txt``.

    Parameters
    ----------
    parts : sequence of rich renderables
    directory : path-like
        Where the run's files are.
    """
    require("rich", "the summary")
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=100, color_system=None).print(*parts, sep="\n")
    with atomic_write(Path(directory) / "summary.txt") as file:
        file.write(text.getvalue().encode())


def show(parts: Sequence[RenderableType], directory: str | os.PathLike[str]) -> None:
    """Print a summary, and the folder of the files.

    Parameters
    ----------
    parts : sequence of rich renderables
    directory : path-like
        Where the run's files are.
    """
    require("rich", "the summary")
    from rich.console import Console

    console = Console()
    console.print(*parts, sep="\n")
    console.print(f"files: {os.fspath(directory)}", soft_wrap=True)  # a path must not be broken
