"""Compiles the kernels of this machine before tests run beside each other.

As a program: two processes compile the two halves. What is compiled already is only loaded.
"""

from __future__ import annotations

import subprocess
import sys

PLANAR = """
import relutopo as rt
from relutopo.gallery import random_network
for hidden in ([6, 5], [12, 12, 12]):
    rt.decompose(random_network([2, *hidden, 1]), rt.Box(-1, 1, dim=2))
"""
OTHERS = """
import numpy as np
from scipy import sparse
import relutopo as rt
from relutopo import registry
from relutopo.gallery import random_network
for dim in (1, 3):
    complex_ = rt.decompose(random_network([dim, 5, 4, 1]), rt.Box(-1, 1, dim=dim))
    rt.betti_numbers(complex_)
    complex_.dual_graph().adjacency
chain = sparse.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(600, 600))
grid = sparse.kronsum(chain, chain, format="csr")
registry.create("eigensolver", "arpack").solve(grid, np.ones(grid.shape[0]))
"""

if __name__ == "__main__":
    compiling = [subprocess.Popen([sys.executable, "-c", code]) for code in (PLANAR, OTHERS)]
    sys.exit(max(process.wait() for process in compiling))
