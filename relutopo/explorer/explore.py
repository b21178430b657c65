"""`explore`: from an object of the library to the page that shows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from relutopo.explorer.page import Page
from relutopo.explorer.scenes import scene_of

__all__ = ["explore"]


def explore(
    x: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    title: str | None = None,
) -> Page:
    """Make a page that people touch: regions with their numbers, patterns and neighbours.

    Parameters
    ----------
    x : CellComplex, FiedlerPartition or SpectralPartition
        What to show: a complex of the plane or of a slice, or a partition of one.
    path : path-like, optional
        Where to write the page, a single file that opens by a double click.
    points : (n, 2) array_like, optional
        Data; for a slice also inputs of the network, which are projected onto it.
    labels : (n,) array_like, optional
        Their classes or values.
    columns : mapping of str to (n_regions,) array_like, optional
        Numbers or words of your own, one for each region, by name.
    title : str, optional

    Returns
    -------
    Page
        Shows itself in a notebook; `relutopo.Page.save` writes it.

    Raises
    ------
    InputError
        If the complex is not of the plane, or points, labels or columns do not fit.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> page = rt.explore(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    page = Page(scene_of(x, points=points, labels=labels, columns=columns, title=title))
    if path is not None:
        page.save(path)
    return page
