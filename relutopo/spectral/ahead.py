"""Compile the kernels of partitions ahead of use: ``python -m relutopo.spectral.ahead``.

This process compiles the kernels that the first partition will need, while the process that makes
the complex compiles those of the enumerator; see `relutopo.system.ahead`.
"""

from __future__ import annotations

import numpy as np

from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.partitioner import fiedler_partition
from relutopo.system.ahead import follow

__all__ = ["partition_grids"]


def partition_grids() -> None:
    """Partition a small graph, which is solved densely, and a larger one, which is factorised."""
    for n in (5, 25):
        nodes = np.arange(n * n, dtype=np.int32).reshape(n, n)
        pairs = (nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:])
        edges = np.concatenate([np.stack(ends, axis=-1).reshape(-1, 2) for ends in pairs])
        edges = np.unique(edges, axis=0)
        graph = DualGraph(n * n, edges, np.full(len(edges), -1, np.int32), "hamming")
        fiedler_partition(graph, vertex_weights=np.arange(1.0, n * n + 1))


if __name__ == "__main__":
    follow(partition_grids)
