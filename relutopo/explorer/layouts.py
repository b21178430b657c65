"""Positions of the nodes of a graph for drawing.

Nodes with data are placed at the mean of their data, on two principal components; all others at the
mean of their neighbours, so that a chain between two of the former is a straight line, evenly
divided. Without data, the first two eigenvectors of the graph are the coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from relutopo.errors import RelutopoError
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.partitioner import spectral_partition

__all__ = ["places_of_nodes", "principal_coordinates"]


def principal_coordinates(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return points on their first two principal components, and their share of the variance.

    Examples
    --------
    >>> places, share = principal_coordinates(np.array([[0.0, 0.0, 1.0], [2.0, 0.0, 1.0]]))
    >>> places.round(6).tolist(), round(share, 6)
    ([[-1.0, 0.0], [1.0, 0.0]], 1.0)
    """
    centred = points - points.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    # The sign of an axis is chosen by its largest entry.
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    places = centred @ (axes * signs[:, None])[:2].T
    total = float((sizes**2).sum())
    share = float((sizes[:2] ** 2).sum()) / total if total > 0 else 1.0
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1]))), share


def places_of_nodes(
    graph: DualGraph,
    nodes: NDArray[np.int64] | None = None,
    places: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return a place in the plane for each node, (n_nodes, 2).

    Parameters
    ----------
    graph : DualGraph
    nodes : (n,) ndarray of int64, optional
        The node of each point; negative for none.
    places : (n, 2) ndarray, optional
        Where the points are.

    Examples
    --------
    >>> chain = DualGraph(3, np.array([[0, 1], [1, 2]]), np.array([-1, -1]), "facet")
    >>> places_of_nodes(chain, np.array([0, 2]), np.array([[0.0, 0.0], [4.0, 2.0]])).tolist()
    [[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]]
    """
    if nodes is None or places is None or not (nodes >= 0).any():
        return _by_eigenvectors(graph)
    found = np.zeros((graph.n_nodes, 2))
    inside = nodes >= 0
    counts = np.bincount(nodes[inside], minlength=graph.n_nodes)
    for axis in range(2):
        sums = np.bincount(nodes[inside], places[inside, axis], graph.n_nodes)
        found[:, axis] = sums / np.maximum(counts, 1)
    held = counts > 0
    adjacency = sparse.csr_array(graph.adjacency.astype(np.float64))
    component = connected_components(adjacency, directed=False)[1]
    reached = np.isin(component, component[held])
    free = np.flatnonzero(~held & reached)
    if len(free):
        degrees = np.asarray(adjacency.sum(axis=1)).ravel()
        laplacian = sparse.diags_array(degrees) - adjacency
        rows = sparse.csr_array(laplacian)[free]
        inner = sparse.csc_array(rows[:, free])
        outer = rows[:, np.flatnonzero(held)] @ found[held]
        found[free] = splu(inner).solve(-np.asarray(outer))
    found[~reached] = found[held].mean(axis=0)
    return found


def _by_eigenvectors(graph: DualGraph) -> NDArray[np.float64]:
    found = np.zeros((graph.n_nodes, 2))
    found[:, 0] = np.arange(graph.n_nodes)
    if graph.n_nodes < 4:
        return found
    try:
        part = spectral_partition(graph, k=3, vertex_weights="unweighted", component="largest")
    except RelutopoError:  # a graph that is too small, or whose eigenvectors are not found
        return found
    known = part.component
    found[known] = part.vectors[known]
    found[~known] = part.vectors[known].min(axis=0)
    return found
