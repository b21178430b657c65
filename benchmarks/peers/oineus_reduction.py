"""Persistence pairs of a boundary matrix by oineus, of the matrix or of its anti-transpose.

The pairs are the same; the faster way counts.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import oineus
from scipy import sparse


def reduce(matrix: sparse.csc_array, dualize: bool) -> tuple[float, np.ndarray[Any, Any]]:
    """Return the time from lists of rows to the reduced matrix, and its pairs (low, column)."""
    matrix.sort_indices()
    rows = matrix.indices.tolist()
    columns = [rows[start:end] for start, end in pairwise(matrix.indptr.tolist())]
    begin = time.perf_counter()
    decomposition = oineus.Decomposition(columns, len(columns), dualize, skip_check=True)
    decomposition.reduce(n_threads=1)
    seconds = time.perf_counter() - begin
    reduced = decomposition.r_as_csc()
    columns_with_low = np.flatnonzero(np.diff(reduced.indptr))
    lows = np.maximum.reduceat(reduced.indices, reduced.indptr[:-1][columns_with_low])
    return seconds, np.stack([lows, columns_with_low], axis=1)


with np.load(sys.argv[1]) as file:
    n = len(file["indptr"]) - 1
    matrix = sparse.csc_array(
        (np.ones(len(file["indices"]), dtype=np.int8), file["indices"], file["indptr"]), (n, n)
    )
seconds, pairs = reduce(matrix, False)
anti_transpose = sparse.csc_array(matrix[::-1, ::-1].T)
dual_seconds, dual_pairs = reduce(anti_transpose, True)
if dual_seconds < seconds:
    pairs = n - 1 - dual_pairs[:, ::-1]
np.savez(sys.argv[2], pairs=pairs[np.argsort(pairs[:, 0])])
facts = {
    "name": "oineus",
    "version": version("oineus"),
    "seconds": min(seconds, dual_seconds),
    "dualized": dual_seconds < seconds,
}
print(json.dumps(facts))
