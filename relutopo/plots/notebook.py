"""Figures that notebooks show, whether or not matplotlib's own integration is switched on.

Matplotlib shows a figure as the last line of a cell only after ``%matplotlib inline``, or once
pyplot has made another one. Imported when a figure is made: it loads matplotlib.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure

from relutopo.errors import InputError

__all__ = ["NotebookFigure"]

_DPI = 110
"""Of pictures in notebooks: 5 inches are a column of text."""


class NotebookFigure(Figure):
    """A figure that belongs to no global state, and that notebooks show by itself.

    Parameters
    ----------
    settings : callable
        Returns a context in which matplotlib has the settings that the figure is drawn with,
        however it is drawn.
    **options
        Those of `matplotlib.figure.Figure`.
    """

    def __init__(
        self, *, settings: Callable[[], AbstractContextManager[None]], **options: Any
    ) -> None:
        self.refit: Callable[[], object] | None = None
        """What fits the content to a new size."""
        self._settings = settings
        super().__init__(**options)

    def set_size_inches(self, w: Any, h: float | None = None, forward: bool = True) -> None:
        """Change the size; see `matplotlib.figure.Figure.set_size_inches`."""
        super().set_size_inches(w, h, forward)
        if self.refit is not None:
            with self._settings():
                self.refit()

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure with its settings: ticks are made now."""
        with self._settings():
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the figure with its settings; see `matplotlib.figure.Figure.savefig`."""
        with self._settings():
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        """Return the picture, as IPython asks for it where it has no way of its own."""
        with io.BytesIO() as file:
            self.savefig(file, format="png", dpi=_DPI)
            return file.getvalue()

    def show(self, warn: bool = True) -> None:
        """Show the figure in a notebook; elsewhere as matplotlib does.

        Parameters
        ----------
        warn : bool
            See `matplotlib.figure.Figure.show`.

        Raises
        ------
        InputError
            If there is neither a notebook nor a window.
        """
        ipython: Any = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            ipython.display.display(self)
            return
        try:
            super().show(warn)
        except AttributeError as error:  # no window belongs to the figure
            raise InputError(
                "a figure must be shown by a notebook, or have axes of yours, got a script without "
                "them; write it by relutopo.plots.save_figure(figure, 'figure.png'), or for a "
                "window make `figure, ax = plt.subplots()`, draw with `ax=ax` and call plt.show()"
            ) from error
