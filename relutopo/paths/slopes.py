"""Slopes of a network at points, computed backwards from the outputs.

This takes as many passes through the network as there are outputs, whereas computing the affine
maps takes as many as there are inputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.graph import Affine, GraphNetwork

__all__ = ["slopes"]


def slopes(graph: GraphNetwork, patterns: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the linear part of the network's map on regions.

    Parameters
    ----------
    graph : GraphNetwork
    patterns : (n, n_neurons) ndarray of bool

    Returns
    -------
    (n, n_outputs, d) ndarray

    Examples
    --------
    >>> from relutopo.networks.graph import Kink
    >>> graph = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> slopes(graph, np.array([[True], [False]])).ravel().tolist()
    [1.0, -1.0]
    """
    n, k = len(patterns), graph.n_outputs
    # For each value: derivatives of the outputs by it; leading length 1 where all regions agree.
    by_value: dict[int, NDArray[np.float64]] = {len(graph.nodes): np.eye(k)[None]}
    for number in range(len(graph.nodes), 0, -1):
        after = by_value.pop(number, None)
        if after is None:
            continue
        node = graph.nodes[number - 1]
        if isinstance(node, Affine):
            rows = after.reshape(-1, node.size)
            terms = [
                (source, (rows @ matrix).reshape(*after.shape[:2], -1))
                for source, matrix in zip(node.sources, node.matrices, strict=True)
            ]
        else:
            first = graph.first_neuron(number)
            on = patterns[:, None, first : first + node.size]
            terms = [(node.source, after * np.where(on, node.slope_on, node.slope_off))]
        for source, term in terms:
            by_value[source] = by_value[source] + term if source in by_value else term
    return np.broadcast_to(by_value[0], (n, k, graph.input_dim))
