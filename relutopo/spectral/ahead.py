"""Compile the kernels of partitions ahead of use: ``python -m relutopo.spectral.ahead``.

This process compiles the kernels that the first partition will need, while the process that makes
the complex compiles those of the enumerator; see `relutopo.system.ahead`.
"""

from __future__ import annotations

import numpy as np

from relutopo.geometry.domain import Box
from relutopo.geometry.location import KnownRegions
from relutopo.networks.perceptron import ReluNetwork
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.partitioner import fiedler_partition
from relutopo.system.ahead import follow

__all__ = ["partition_points"]


def partition_points() -> None:
    """Partition a small graph, which is solved densely, and a larger one, which is factorised.

    Before that, locate a point, as the usual vertex weights need.
    """
    halves = ReluNetwork([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    patterns = np.array([[0], [1]], dtype=np.uint8)
    KnownRegions(halves, Box(-1, 1, dim=2), patterns).locate([[0.5, 0.0]])
    for n in (5, 25):
        nodes = np.arange(n * n, dtype=np.int32).reshape(n, n)
        pairs = (nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:])
        edges = np.concatenate([np.stack(ends, axis=-1).reshape(-1, 2) for ends in pairs])
        edges = np.unique(edges, axis=0)
        graph = DualGraph(n * n, edges, np.full(len(edges), -1, np.int32), "hamming")
        fiedler_partition(graph, vertex_weights=np.arange(1.0, n * n + 1))


if __name__ == "__main__":
    follow(partition_points)
