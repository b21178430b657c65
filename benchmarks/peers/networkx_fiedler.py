"""Fiedler vector by networkx; the pencil's vertex weights must be 1."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import networkx as nx
import numpy as np

with np.load(sys.argv[1]) as file:
    n, edges, method = int(file["n"]), file["edges"], str(file["method"])
graph = nx.Graph()
graph.add_nodes_from(range(n))
graph.add_edges_from(edges.tolist())
begin = time.perf_counter()
vector = nx.fiedler_vector(graph, method=method, seed=0)
seconds = time.perf_counter() - begin
np.savez(sys.argv[2], vector=vector)
print(
    json.dumps({"name": f"networkx {method}", "version": version("networkx"), "seconds": seconds})
)
