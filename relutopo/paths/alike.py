"""Entries of values that are the same function along a segment, because they are made alike.

Two entries of the input are *alike* if they are equal at both ends of the segment; two entries of
an affine image, if their rows have the same weights, in the same order, for entries that are alike,
and the same bias; two entries of a kink, if their slopes are equal and their sources alike. Entries
that are zero along the segment do not count: black pixels, what rows without other entries make of
them if their bias is zero, and what kinks make of a constant on the side where they are flat. This
holds for the units of a convolution on a flat part of two images: the differences that max pooling
takes there are certainly zero, which no error bound could tell. A single point is a segment, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.networks.graph import Affine, GraphNetwork

__all__ = ["Comparisons", "Flips"]

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
        constants = {0: np.where((start == 0) & (end == 0), 0.0, np.nan)}
        found: dict[int, _Ints] = {}
        for number, node in enumerate(self._graph.nodes[: self._last], start=1):
            if not isinstance(node, Affine):
                slopes = np.column_stack([node.slope_off, node.slope_on])
                alike[number] = _firsts(np.column_stack([slopes, alike[node.source].astype(float)]))
                constants[number] = _bent_constants(constants[node.source], slopes)
                continue
            shifts = np.cumsum([0, *(len(alike[k]) for k in node.sources[:-1])])
            sources = [alike[k] + shift for k, shift in zip(node.sources, shifts, strict=True)]
            before = np.concatenate(sources)
            is_zero = np.concatenate([constants[k] for k in node.sources]) == 0
            rows = _without(self._rows[number], is_zero)
            compared = _compared(rows, node.bias)
            one = before[rows.indices[rows.indptr[compared]]]
            other = before[rows.indices[rows.indptr[compared] + 1]]
            constants[number] = np.where(np.diff(rows.indptr) == 0, node.bias, np.nan)
            if (one == other).any():
                found[number] = compared[one == other]
                constants[number][found[number]] = 0.0
            alike[number] = _alike_images(rows, node.bias, before)
        return found


class Flips:
    """Finds the units of a graph's first layer that are alike, and so change their signs together.

    Their planes differ: on a segment where they are the same function and not constant, they would
    have to be the same rows, and of equal rows one is chosen (`relutopo.paths.twins`).

    Parameters
    ----------
    graph : GraphNetwork
    chosen : (n,) ndarray of int64
        Units of the first layer with different rows, as `Twins` has them.

    Examples
    --------
    >>> from relutopo.networks.graph import Kink
    >>> rows = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 2.0]])
    >>> kink = Kink(1, np.ones(2), np.zeros(2))
    >>> graph = GraphNetwork(3, [Affine((0,), (rows,), np.zeros(2)), kink])
    >>> Flips(graph, np.arange(2)).together(np.full((1, 3), -1.0), np.ones((1, 3))).tolist()
    [[0, 0]]
    """

    def __init__(self, graph: GraphNetwork, chosen: _Ints) -> None:
        self._rows: sparse.csr_array | None = None
        targets = graph.targets(0) if graph.layer_sizes else []
        node = graph.nodes[targets[0][0] - 1] if targets and targets[0][0] else None
        if len(targets) == 1 and isinstance(node, Affine) and node.sources == (0,):
            rows, self._bias = _without_zeros(node)[chosen], node.bias[chosen]
            # Only rows with the same weights can be alike.
            numbers = np.split(rows.data, rows.indptr[1:-1])
            if len({each.tobytes() for each in numbers}) < len(numbers):
                self._rows = rows

    def together(self, starts: _Floats, ends: _Floats) -> _Ints | None:
        """Return for each segment and chosen unit the first one that is alike; None if none is.

        Parameters
        ----------
        starts, ends : (n, d) ndarrays
        """
        if self._rows is None:
            return None
        firsts = [
            _alike_images(
                _without(self._rows, (start == 0) & (end == 0)),
                self._bias,
                _alike_ends(start, end),
            )
            for start, end in zip(starts, ends, strict=True)
        ]
        return np.stack(firsts)


def _without_zeros(node: Affine) -> sparse.csr_array:
    rows = sparse.csr_array(sparse.hstack([*map(sparse.csr_array, node.matrices)], format="csr"))
    rows.eliminate_zeros()
    return rows


def _without(rows: sparse.csr_array, is_zero: NDArray[np.bool_]) -> sparse.csr_array:
    """Return a matrix without the entries of sources that are zero.

    Examples
    --------
    >>> _without(sparse.csr_array([[1.0, 2.0], [0.0, 3.0]]), np.array([False, True])).toarray()
    array([[1., 0.],
           [0., 0.]])
    """
    kept = ~is_zero[rows.indices]
    if kept.all():
        return rows
    indptr = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    return sparse.csr_array((rows.data[kept], rows.indices[kept], indptr), shape=rows.shape)


def _bent_constants(constants: _Floats, slopes: _Floats) -> _Floats:
    """Return what kinks make of constants, where that is exact; NaN elsewhere.

    Parameters
    ----------
    constants : (n,) ndarray
    slopes : (n, 2) ndarray
        Where units are off and on.

    Examples
    --------
    >>> _bent_constants(np.array([-2.0, 2.0, 2.0]), np.array([[0.0, 1], [0, 1], [0, 0.3]])).tolist()
    [0.0, 2.0, nan]
    """
    slope = np.where(constants > 0, slopes[:, 1], slopes[:, 0])
    is_exact = (constants == 0) | np.isin(slope, (-1.0, 0.0, 1.0))
    return np.where(is_exact, slope * constants + 0.0, np.nan)


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
