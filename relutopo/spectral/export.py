"""Write dual graphs to files for other programs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from relutopo.checks import check_path
from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.spectral.given_graph import as_graph
from relutopo.system.files import atomic_write

__all__ = ["save_graphml"]


def save_graphml(
    path: str | os.PathLike[str],
    graph: Any,
    node_data: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Write a dual graph as GraphML, atomically, for Gephi, Cytoscape, igraph and others.

    Parameters
    ----------
    path : path-like
        Ends in ``.graphml`` or ``.xml``.
    graph : DualGraph, or what `as_graph` takes
    node_data : mapping of str to (n_nodes,) array_like, optional
        See `DualGraph.to_networkx`, which says what nodes and edges carry.

    Raises
    ------
    MissingExtraError
        If networkx is not installed.
    InputError
        If the path has another ending, or an array another shape.

    Examples
    --------
    >>> import tempfile, networkx
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> graph = decompose(lines, Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> path = os.path.join(tempfile.mkdtemp(), "regions.graphml")
    >>> save_graphml(path, graph, {"population": [3, 0, 0, 1]})
    >>> networkx.read_graphml(path).nodes["0"]
    {'population': 3, 'pattern': '00', 'volume': 1.0, 'centroid_0': -0.5, 'centroid_1': -0.5}
    """
    networkx = require("networkx", "save_graphml")
    check_path(path, "regions.graphml")
    if os.path.splitext(path)[1].lower() not in (".graphml", ".xml"):
        raise InputError(
            f"`path` must end in .graphml or .xml, got {os.fspath(path)!r}; for other formats pass "
            "graph.to_networkx() to a writer of NetworkX"
        )
    exported = as_graph(graph).to_networkx(node_data)
    with atomic_write(path) as file:
        networkx.write_graphml(exported, file)
