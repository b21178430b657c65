"""Fiedler vector by scipy's eigsh in shift-invert mode, as its documentation shows it."""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib.metadata import version

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

with np.load(sys.argv[1]) as file:
    shape = (int(file["n"]), int(file["n"]))
    laplacian = sparse.csr_array((file["data"], file["indices"], file["indptr"]), shape=shape)
    weights, tol = file["vertex_weights"], float(file["tol"])
mass = sparse.diags_array(weights, format="csc")
begin = time.perf_counter()
# The shift must not be an eigenvalue, and 0 is one.
values, vectors = eigsh(
    laplacian.tocsc(), k=2, M=mass, sigma=-1e-6, which="LM", tol=tol, rng=np.random.default_rng(0)
)
seconds = time.perf_counter() - begin
np.savez(sys.argv[2], vector=vectors[:, np.argsort(values)[1]])
facts = {
    "name": "scipy eigsh (shift-invert)",
    "version": version("scipy"),
    "seconds": seconds,
    "process_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
}
print(json.dumps(facts))
