"""Entries of values that are the same function along a segment, because they are made alike.

Two entries of the input are *alike* if they are equal at both ends of the segment; two entries of
an affine image, if their rows have the same weights, in the same order, for entries that are alike,
and the same bias; two entries of a kink, if their slopes are equal and their sources alike. This
holds for the units of a convolution on a flat part of two images: the differences that max pooling
takes there are certainly zero, which no error bound could tell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.networks.graph import Affine, GraphNetwork

__all__ = ["Comparisons"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


class Comparisons:
    """Finds the entries of a graph's values that are differences of alike entries.

    Parameters
    ----------
    graph : GraphNetwork

    Examples
    --------
    >>> rows = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]])
    >>> graph = GraphNetwork(3, [Affine((0,), (rows,), np.zeros(2))])
    >>> found = Comparisons(graph).vanishing(np.array([1.0, 1.0, 2.0]), np.zeros(3))
    >>> {value: entries.tolist() for value, entries in found.items()}
    {1: [0]}
    """

    def __init__(self, graph: GraphNetwork) -> None:
        self._graph = graph
        rows: dict[int, sparse.csr_array] = {}
        last = 0
        for number, node in enumerate(graph.nodes, start=1):
            if isinstance(node, Affine):
                rows[number] = _without_zeros(node)
                last = number if _compared(rows[number], node.bias).size else last
        self._last = last
        self._rows = {number: each for number, each in rows.items() if number <= last}

    def vanishing(self, start: _Floats, end: _Floats) -> dict[int, _Ints]:
        """Return which entries are zero along a segment, by the number of the value."""
        if not self._last:
            return {}
        alike = {0: _alike_ends(start, end)}
        found: dict[int, _Ints] = {}
        for number, node in enumerate(self._graph.nodes[: self._last], start=1):
            if not isinstance(node, Affine):
                slopes = np.column_stack([node.slope_off, node.slope_on])
                alike[number] = _firsts(np.column_stack([slopes, alike[node.source].astype(float)]))
                continue
            shifts = np.cumsum([0, *(len(alike[k]) for k in node.sources[:-1])])
            sources = [alike[k] + shift for k, shift in zip(node.sources, shifts, strict=True)]
            before, rows = np.concatenate(sources), self._rows[number]
            compared = _compared(rows, node.bias)
            one = before[rows.indices[rows.indptr[compared]]]
            other = before[rows.indices[rows.indptr[compared] + 1]]
            if (one == other).any():
                found[number] = compared[one == other]
            alike[number] = _alike_images(rows, node.bias, before)
        return found


def _without_zeros(node: Affine) -> sparse.csr_array:
    rows = sparse.csr_array(sparse.hstack([*map(sparse.csr_array, node.matrices)], format="csr"))
    rows.eliminate_zeros()
    return rows


def _compared(rows: sparse.csr_array, bias: _Floats) -> _Ints:
    """Return the rows that are multiples of a difference of two entries."""
    pairs = np.flatnonzero((np.diff(rows.indptr) == 2) & (bias == 0))
    one = rows.indptr[pairs]
    compared: _Ints = pairs[rows.data[one] == -rows.data[one + 1]]
    return compared


def _alike_ends(start: _Floats, end: _Floats) -> _Ints:
    """Return for each coordinate the first coordinate that is alike.

    Examples
    --------
    >>> _alike_ends(np.array([0.0, 1.0, 0.0]), np.array([2.0, 2.0, 2.0])).tolist()
    [0, 1, 0]
    """
    return _firsts(np.stack([start, end], axis=1) + 0.0)


def _alike_images(rows: sparse.csr_array, bias: _Floats, alike: _Ints) -> _Ints:
    """Return for each row of an affine map the first row that is alike, possibly itself.

    Parameters
    ----------
    rows : (n, n_in) csr_array
    bias : (n,) ndarray
    alike : (n_in,) ndarray
        The first alike entry of each entry of the source.

    Examples
    --------
    >>> rows = sparse.csr_array([[1.0, 2.0, 0.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    >>> _alike_images(rows, np.zeros(3), np.array([0, 0, 0])).tolist()
    [0, 1, 0]
    """
    counts = np.diff(rows.indptr)
    sources = alike[rows.indices]
    # Alike rows have equal sums; rows with equal sums are compared entry by entry.
    weights = np.cos(np.arange(counts.max(initial=0)) + 1.0)
    within = np.arange(len(sources)) - np.repeat(rows.indptr[:-1], counts)
    owners = np.repeat(np.arange(len(counts)), counts)
    sums = [
        np.bincount(owners, weights[within] * terms, minlength=len(counts))
        for terms in (rows.data, np.cos(sources + 0.5))
    ]
    firsts = _firsts(np.stack([*sums, bias, counts.astype(float)], axis=1))
    others = np.repeat(rows.indptr[:-1][firsts], counts) + within
    differ = (rows.data != rows.data[others]) | (sources != sources[others])
    is_own = np.bincount(owners[differ], minlength=len(counts)) > 0
    return np.where(is_own, np.arange(len(counts)), firsts)


def _firsts(keys: _Floats) -> _Ints:
    """Return for each row of numbers the first row equal to it."""
    order = np.lexsort(keys.T)
    ordered = keys[order]
    is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(keys)]
    firsts = np.empty(len(keys), dtype=np.int64)
    firsts[order] = order[np.flatnonzero(is_new)][np.cumsum(is_new) - 1]
    return firsts
