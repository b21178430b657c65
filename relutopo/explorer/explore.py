"""`explore`: from an object of the library to the page that shows it."""

from __future__ import annotations

import os
from typing import Any

from relutopo.explorer.page import Page
from relutopo.explorer.scenes import scene_of

__all__ = ["explore"]


def explore(
    x: Any, path: str | os.PathLike[str] | None = None, *, title: str | None = None
) -> Page:
    """Make a page that people touch: regions with their numbers, patterns and neighbours.

    Parameters
    ----------
    x : CellComplex
        What to show.
    path : path-like, optional
        Where to write the page, a single file that opens by a double click.
    title : str, optional

    Returns
    -------
    Page
        Shows itself in a notebook.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> page = rt.explore(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    page = Page(scene_of(x, title=title))
    if path is not None:
        page.save(path)
    return page
