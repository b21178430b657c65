"""`explore`: from an object of the library to the page that shows it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.checks import kind_of
from relutopo.errors import InputError
from relutopo.explorer.charts import library, with_charts
from relutopo.explorer.families import scene_of_family
from relutopo.explorer.folders import scene_of_folder
from relutopo.explorer.graphs import scene_of_paths
from relutopo.explorer.live import LivePage, named_entries
from relutopo.explorer.page import Page, check_page_path
from relutopo.explorer.runs import scene_of_run
from relutopo.explorer.scene import Scene
from relutopo.explorer.scenes import scene_of
from relutopo.paths.path_graph import PathGraph

__all__ = ["explore", "page_of"]


def explore(
    x: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
    family: Mapping[str, Any] | Iterable[Any] | None = None,
    analysis: CheckpointAnalysis | None = None,
    domain: Mapping[str, Any] | str | None = None,
    title: str | None = None,
) -> Page:
    """Make a page that people touch: regions with their numbers, patterns and neighbours.

    Parameters
    ----------
    x : object
        What to show:

        - a `CellComplex` of the plane, of a slice or of space, or a partition of one;
        - a `Diagram` of `relutopo.persistence`, with its classes and their representatives;
        - a training run, a `TrainingRun` or `ModelFiles`: a complex for each checkpoint, and the
          time line;
        - a folder, of a training run or of a run of the command;
        - a list of complexes or partitions, or a mapping with their names: a family of parallel
          slices, for example, through which a slider leads;
        - a function that returns the complex or the partition of an entry of `family`;
        - a `PathGraph`, for any number of inputs.
    path : path-like, optional
        Where to write the page, a single file ending in ``.html`` that opens by a double click.
    points : (n, d) array_like, optional
        Data; for a slice also inputs of the network, which are projected onto it. A run has its
        own.
    labels : (n,) array_like, optional
        Their classes or values. Words stand for outputs in alphabetical order, or in that of the
        categories of a pandas.Categorical.
    columns : mapping of str to (n_regions,) array_like, optional
        Numbers or words of your own, one for each region, by name.
    family : iterable, or mapping of str to anything, optional
        What the function `x` is called with, the heights of parallel slices for example; a mapping
        has their names. In a notebook with a kernel, and with the extra ``notebook``, a complex is
        made when the slider rests on it, in a file all of them before.
    analysis : CheckpointAnalysis, optional
        What to compute of the checkpoints of a run, for example ``rt.Homology()``: by default
        partitions where there are classes, and persistence where the targets are values.
    domain : mapping or str, optional
        Where the networks of a run are cut, in place of the domain of its analysis: the name of a
        rule, such as ``"slice_principal"``, or a mapping with ``name`` and options, for example
        ``{"name": "slice_through", "points": [0, 1, 2]}``. It must be a plane. Networks of three
        inputs or more whose domain is none are shown on the plane of two principal components of
        their data, and the page says so.
    title : str, optional

    Returns
    -------
    Page
        Shows itself in a notebook; `relutopo.Page.save` writes it.

    Raises
    ------
    InputError
        If the complex has another dimension than 2 or 3, a folder holds no run, a run is not cut in
        a plane, or points, labels, columns or the path do not fit.
    MissingExtraError
        If bokeh, which draws the charts, is not installed.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.3], [-0.5]])
    >>> page = rt.explore(rt.decompose(net, rt.Box(-1, 1, dim=2)))
    """
    library()  # what is missing shall not wait, nor a name that does not fit
    if path is not None:
        check_page_path(path)
    data = {"points": points, "labels": labels, "columns": columns}
    page = _page(x, family, data, {"analysis": analysis, "domain": domain}, title)
    if path is not None:
        page.save(path)
    return page


def _page(
    x: Any, family: Any, data: dict[str, Any], of_run: dict[str, Any], title: str | None
) -> Page:
    if family is None:
        return page_of(_scene(x, data, of_run, title))
    if not callable(x) or isinstance(x, type):
        raise InputError(
            f"`x` must be a function with `family`, that returns the complex of an entry, got "
            f"{kind_of(x)}; leave `family` out, or pass for example lambda z: rt.decompose(...)"
        )
    _refuse({**of_run, "columns": data.pop("columns")}, "a function returns complexes")
    return LivePage(x, named_entries(family), (library(),), **data, title=title)


def page_of(scene: Scene) -> Page:
    """Return the page of a scene, with its charts."""
    return Page(with_charts(scene), (library(),))


def _scene(x: Any, data: dict[str, Any], of_run: dict[str, Any], title: str | None) -> Scene:
    is_run = hasattr(x, "steps") and hasattr(x, "network") and hasattr(x, "history")
    if is_run or isinstance(x, (str, os.PathLike)):
        _refuse(data, "a run has its own data")
        if not is_run:
            return scene_of_folder(x, **of_run, title=title)
        return scene_of_run(x, **of_run, title=title)
    _refuse(of_run, "only checkpoints of a run are analysed")
    if isinstance(x, PathGraph):
        _refuse({"columns": data.pop("columns")}, "a path graph has columns of its own")
        return scene_of_paths(x, **data, title=title)
    if isinstance(x, (Mapping, Sequence)):
        _refuse({"columns": data.pop("columns")}, "pass the complexes one by one")
        return scene_of_family(x, **data, title=title)
    return scene_of(x, **data, title=title)


def _refuse(given: Mapping[str, Any], reason: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(f"`{name}` must be left out here, got one; {reason}")
