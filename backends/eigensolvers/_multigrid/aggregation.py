"""Aggregates of strongly connected nodes, found for all nodes at once on any device.

N. Bell, S. Dalton, L. N. Olson, "Exposing fine-grained parallelism in algebraic multigrid methods",
SIAM J. Sci. Comput. 34 (2012) C123-C152, sections 4.2 and 4.3: find a maximal set of nodes no two
of which are within two strong edges, by rounds in which every undecided node looks for a larger key
around it; each node of the set is the root of an aggregate. Keys prefer nodes with few strong
edges, which packs roots more closely than chance, and so takes fewer iterations later.

Invariants: strength is symmetric, so that every node is within two strong edges of a root, and at
most one root is within one; the same matrix gives the same aggregates on every device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.device import Device
from relutopo.devices.kernels import Kernel

from .random import random_numbers

__all__ = ["STRENGTH", "tentative_prolongation"]

STRENGTH = 0.25
"""A strong edge has at least this share of the strongest edge at one of its ends.

This relative threshold keeps aggregates off the weak edges of badly scaled graphs, and still finds
strong edges at hubs.
"""
# A key: from its highest bits on the state, few strong edges, chance, and the number of the node.
_UNDECIDED, _ROOT = 1, 2  # and 0 for a node that is out, near a root
_STATE, _DEGREE, _CHANCE = 60, 52, 31
_MOST_EDGES = 255

_STRONGEST = Kernel(
    "relutopo_strongest",
    "raw float64 data, raw int32 indices, raw int32 indptr",
    "float64 strongest",
    """
    double most = 0.0;
    for (int p = indptr[i]; p < indptr[i + 1]; ++p) {
        if (indices[p] != i) most = fmax(most, fabs(data[p]));
    }
    strongest = most;
    """,
)

_STRONG = Kernel(
    "relutopo_strong",
    "raw float64 data, raw int32 indices, raw int32 indptr, raw float64 strongest, float64 theta",
    "raw bool strong, int32 degree",
    """
    int count = 0;
    for (int p = indptr[i]; p < indptr[i + 1]; ++p) {
        int j = indices[p];
        double size = fabs(data[p]);
        bool is_strong =
            j != i && size > 0.0 && size >= theta * fmin(strongest[i], strongest[j]);
        strong[p] = is_strong;
        count += is_strong;
    }
    degree = count;
    """,
)

_LARGEST = Kernel(
    "relutopo_largest",
    "raw int32 indices, raw int32 indptr, raw bool strong, raw int64 keys",
    "int64 largest",
    """
    long long most = keys[i];
    for (int p = indptr[i]; p < indptr[i + 1]; ++p) {
        if (strong[p] && keys[indices[p]] > most) most = keys[indices[p]];
    }
    largest = most;
    """,
)

_DECIDED = Kernel(
    "relutopo_decided",
    "raw int32 indices, raw int32 indptr, raw bool strong, raw int64 keys, raw int64 largest, "
    "int32 state",
    "int64 decided",
    """
    long long key = keys[i], most = largest[i];
    for (int p = indptr[i]; p < indptr[i + 1]; ++p) {
        if (strong[p] && largest[indices[p]] > most) most = largest[indices[p]];
    }
    if (key >> state == 1) {
        if (most == key) key += 1LL << state;
        else if (most >> state == 2) key -= 1LL << state;
    }
    decided = key;
    """,
)

_JOINED = Kernel(
    "relutopo_joined",
    "raw float64 data, raw int32 indices, raw int32 indptr, raw bool strong, raw int32 members",
    "int32 joined",
    """
    int found = members[i];
    double most = 0.0;
    for (int p = indptr[i]; members[i] < 0 && p < indptr[i + 1]; ++p) {
        int there = members[indices[p]];
        if (strong[p] && there >= 0 && fabs(data[p]) > most) {
            most = fabs(data[p]);
            found = there;
        }
    }
    joined = found;
    """,
)


def tentative_prolongation(matrix: Any, device: Device) -> Any:
    """Return which aggregate each node is in, an (n, m) csr_matrix with one entry 1 a row.

    Parameters
    ----------
    matrix : (n, n) csr_matrix
        L of a graph, on the device, with sorted indices of type int32 and every diagonal entry.
    device : Device
    """
    xp, n = device.xp, matrix.shape[0]
    strong, degree = _strong(xp, matrix)
    is_root = _roots(xp, matrix, strong, degree)
    number = xp.cumsum(is_root, dtype=np.int64) - 1
    members = xp.where(is_root, number, -1).astype(np.int32)
    for _ in range(2):  # the neighbours of roots, and theirs
        members = _joined(xp, matrix, strong, members)
    shape = n, int(number[-1]) + 1
    pointers = xp.arange(n + 1, dtype=np.int32)
    return device.sparse.csr_matrix((xp.ones(n), members, pointers), shape=shape)


def _strong(xp: Any, matrix: Any) -> tuple[Any, Any]:
    """Return which entries are strong edges, and how many of them each row has."""
    arrays, n = (matrix.data, matrix.indices, matrix.indptr), matrix.shape[0]
    kernel = _STRONGEST.on(xp)
    if kernel is not None:
        strongest, strong = xp.empty(n), xp.empty(matrix.nnz, dtype=bool)
        degree = xp.empty(n, dtype=np.int32)
        kernel(*arrays, strongest)
        _STRONG.on(xp)(*arrays, strongest, STRENGTH, strong, degree)
        return strong, degree
    rows = _rows(xp, matrix)
    sizes = xp.where(matrix.indices == rows, 0.0, xp.abs(matrix.data))
    strongest = xp.maximum.reduceat(sizes, matrix.indptr[:-1])
    least = xp.minimum(strongest[rows], strongest[matrix.indices])
    strong = (sizes > 0) & (sizes >= STRENGTH * least)
    return strong, xp.add.reduceat(strong, matrix.indptr[:-1], dtype=np.int32)


def _roots(xp: Any, matrix: Any, strong: Any, degree: Any) -> Any:
    """Return the nodes of a maximal set of which no two are within two strong edges."""
    n = matrix.shape[0]
    keys = (random_numbers(xp, n, 0) >> np.uint64(64 - (_DEGREE - _CHANCE))).astype(np.int64)
    keys += (_MOST_EDGES - xp.minimum(degree, _MOST_EDGES)).astype(np.int64) << (_DEGREE - _CHANCE)
    keys += _UNDECIDED << (_STATE - _CHANCE)
    keys = (keys << _CHANCE) + xp.arange(n)
    while bool((keys >> _STATE == _UNDECIDED).any()):
        keys = _decided(xp, matrix, strong, keys)
    return keys >> _STATE == _ROOT


def _decided(xp: Any, matrix: Any, strong: Any, keys: Any) -> Any:
    """Return keys with new roots, those largest within two strong edges, and new nodes out."""
    near, kernel = _largest(xp, matrix, strong, keys), _DECIDED.on(xp)
    if kernel is not None:
        decided = xp.empty(len(keys), dtype=np.int64)
        kernel(matrix.indices, matrix.indptr, strong, keys, near, _STATE, decided)
        return decided
    most = _largest(xp, matrix, strong, near)
    is_undecided = keys >> _STATE == _UNDECIDED
    wins, loses = is_undecided & (most == keys), is_undecided & (most >> _STATE == _ROOT)
    return keys + ((wins.astype(np.int64) - loses.astype(np.int64)) << _STATE)


def _largest(xp: Any, matrix: Any, strong: Any, keys: Any) -> Any:
    """Return the largest key of each node and those at the other ends of its strong edges."""
    kernel = _LARGEST.on(xp)
    if kernel is not None:
        largest = xp.empty(len(keys), dtype=np.int64)
        kernel(matrix.indices, matrix.indptr, strong, keys, largest)
        return largest
    there = xp.where(strong, keys[matrix.indices], -1)
    return xp.maximum(keys, xp.maximum.reduceat(there, matrix.indptr[:-1]))


def _joined(xp: Any, matrix: Any, strong: Any, members: Any) -> Any:
    """Return members, with unassigned nodes put where their strongest edge to a member leads."""
    kernel = _JOINED.on(xp)
    if kernel is not None:
        joined = xp.empty(len(members), dtype=np.int32)
        kernel(matrix.data, matrix.indices, matrix.indptr, strong, members, joined)
        return joined
    rows, begins = _rows(xp, matrix), matrix.indptr[:-1]
    sizes = xp.where(strong & (members[matrix.indices] >= 0), xp.abs(matrix.data), 0.0)
    most = xp.maximum.reduceat(sizes, begins)
    entry = xp.where((sizes > 0) & (sizes == most[rows]), xp.arange(matrix.nnz), matrix.nnz)
    first = xp.minimum.reduceat(entry, begins)
    joins = (members < 0) & (first < matrix.nnz)
    found = members[matrix.indices[xp.minimum(first, matrix.nnz - 1)]]
    return xp.where(joins, found, members)


def _rows(xp: Any, matrix: Any) -> Any:
    return xp.repeat(xp.arange(matrix.shape[0]), xp.diff(matrix.indptr))
