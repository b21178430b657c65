"""Compiles the kernels of this machine before tests run beside each other.

As a program: two processes compile the two halves. What is compiled already is only loaded.
"""

from __future__ import annotations

import subprocess
import sys

PLANAR = """
import numpy as np
import relutopo as rt
from relutopo.gallery import random_network
for hidden in ([6, 5], [12, 12, 12], [4, 200], [64, 64, 16]):
    for kind in ("gaussian", "integer"):
        rt.decompose(random_network([2, *hidden, 1], 0, kind), rt.Box(-1, 1, dim=2))
network = random_network([2, 6, 4, 4, 1])
weights, biases = [w.copy() for w in network.weights], [b.copy() for b in network.biases]
for w, b in zip(weights[:-1], biases[:-1]):
    w[1], b[1] = w[0] * (1 + 1e-12), b[0] * (1 - 1e-12)
rt.decompose(rt.ReluNetwork(weights, biases), rt.Box(-2, 2, dim=2))
"""
OTHERS = """
import numpy as np
from scipy import sparse
import relutopo as rt
from relutopo import registry
from relutopo.gallery import random_network
for dim, hidden in ((1, [5, 4]), (3, [5, 4]), (3, [20, 20])):
    complex_ = rt.decompose(random_network([dim, *hidden, 1]), rt.Box(-1, 1, dim=dim))
    diagram = rt.persistence(complex_, rt.filtration(complex_, "layer_depth"))
    for k in range(dim):
        diagram.representatives(k)
    rt.homology_basis(rt.decision_boundary(complex_), 1 if dim > 1 else 0)
    rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
ends = np.random.default_rng(0).normal(size=(2, 4000, 3))
rt.segments(random_network([3, 20, 20, 2]), *ends)
chain = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(250, 250))
grid = sparse.kronsum(chain, chain, format="csr")
for name in ("arpack", "amg_lobpcg"):
    registry.create("eigensolver", name).solve(grid, np.ones(grid.shape[0]))
"""

if __name__ == "__main__":
    compiling = [subprocess.Popen([sys.executable, "-c", code]) for code in (PLANAR, OTHERS)]
    sys.exit(max(abs(process.wait()) for process in compiling))
