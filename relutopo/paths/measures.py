"""Numbers of single segments, exact on each piece.

On a piece the outputs f are affine in t, and so is their difference g from the chord between both
ends of the segment. Let g_0, g_1 be its values at the ends of the piece, α = |g_1 - g_0|, δ the
distance of the line through g_0 and g_1 from 0, and y the position along this line, which runs from
p to p + α. Then the mean of |g| is ::

    (F(p + α) - F(p)) / α,    F(y) = (y sqrt(y² + δ²) + δ² asinh(y / δ)) / 2.

If α is small against |g|, the difference would cancel; but then |g| is smooth, and Gauss-Legendre
quadrature with five nodes integrates it to the last digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["departures", "hamming_distances", "mean_lengths"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

_SMALL = 1e-3
_NODES, _SHARES = np.polynomial.legendre.leggauss(5)
_POINTS_AT_ONCE = 2**13
_COUNTS_AT_ONCE = 2**18
_WORTH_COMPILING = 2**22
"""From this amount of numbers on, loading or compiling the kernel pays."""


def mean_lengths(starts: _Floats, ends: _Floats) -> _Floats:
    """Return the mean length of a vector that moves in a straight line from one to another.

    Parameters
    ----------
    starts, ends : (n, k) ndarrays

    Examples
    --------
    >>> starts, ends = np.array([[0.0, 0.0], [-1.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> mean_lengths(starts, ends).tolist()
    [2.5, 0.5]
    """
    step = ends - starts
    alpha, low, high = _lengths(step), _lengths(starts), _lengths(ends)
    is_bent = alpha > _SMALL * (low + high)
    means: _Floats = np.zeros(len(starts))
    flat, bent = np.flatnonzero(~is_bent), np.flatnonzero(is_bent)
    for node, weight in zip(_NODES.tolist(), _SHARES.tolist(), strict=True):
        means[flat] += weight / 2 * _lengths(starts[flat] + (1 + node) / 2 * step[flat])
    p = np.einsum("nk,nk->n", starts, step)[bent] / alpha[bent]
    # If δ is lost in rounding, it contributes nothing.
    delta = np.sqrt(np.maximum(low[bent] ** 2 - p**2, 0.0))
    q = p + alpha[bent]
    means[bent] = (_integral(q, delta) - _integral(p, delta)) / alpha[bent]
    return means


def _lengths(vectors: _Floats) -> _Floats:
    lengths: _Floats = np.sqrt(np.einsum("nk,nk->n", vectors, vectors))
    return lengths


def _integral(y: _Floats, delta: _Floats) -> _Floats:
    """Return F(y)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bend = np.where(delta > 0, delta**2 * np.arcsinh(y / delta), 0.0)
    total: _Floats = (y * np.hypot(y, delta) + np.where(np.isfinite(bend), bend, 0.0)) / 2
    return total


def departures(t: _Floats, outputs: _Floats, indptr: _Ints) -> tuple[_Floats, _Floats]:
    """Return ∫ |f(x(t)) - chord(t)| dt of each segment, and the length of the path of its outputs.

    Parameters
    ----------
    t : (n_points,) ndarray
    outputs : (n_points, k) ndarray
    indptr : (n + 1,) ndarray
        Where the points of each segment begin; the chord joins f at the first and at the last.

    Examples
    --------
    >>> hat = np.array([[0.0], [1.0], [0.0]])
    >>> means, ways = departures(np.array([0.0, 0.5, 1.0]), hat, np.array([0, 3]))
    >>> means.tolist(), ways.tolist()
    ([0.5], [2.0])
    """
    if outputs.size >= _WORTH_COMPILING:
        from relutopo.paths import kernels

        means, ways = kernels.departures(t, outputs, indptr, _SMALL, _NODES, _SHARES)
        return means, ways
    n = len(indptr) - 1
    found = [np.empty((2, 0))]
    first = 0
    while first < n:  # few at once, so that they stay in caches
        last = int(np.searchsorted(indptr, indptr[first] + _POINTS_AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), n)
        part = slice(indptr[first], indptr[last])
        found.append(_departures(t[part], outputs[part], indptr[first : last + 1] - indptr[first]))
        first = last
    joined = np.concatenate(found, axis=1)
    return joined[0], joined[1]


def _departures(t: _Floats, outputs: _Floats, indptr: _Ints) -> _Floats:
    counts = np.diff(indptr)
    first, last = (np.repeat(outputs[i], counts, axis=0) for i in (indptr[:-1], indptr[1:] - 1))
    gaps = outputs - ((1 - t)[:, None] * first + t[:, None] * last)
    pieces = _pieces(indptr)
    areas = np.diff(t)[pieces] * mean_lengths(gaps[pieces], gaps[pieces + 1])
    ways = _lengths(np.diff(outputs, axis=0)[pieces])
    return np.array([_sums(areas, indptr), _sums(ways, indptr)])


def _pieces(indptr: _Ints) -> _Ints:
    """Return the points after which there is a piece."""
    return np.setdiff1d(np.arange(indptr[-1]), indptr[1:] - 1, assume_unique=True)


def _sums(amounts: _Floats, indptr: _Ints) -> _Floats:
    """Return sums over the pieces of each segment; every segment has at least one."""
    n = len(indptr) - 1
    if not n:
        return np.empty(0)
    sums: _Floats = np.add.reduceat(amounts, indptr[:-1] - np.arange(n))
    return sums


def hamming_distances(segments: _Ints, neurons: _Ints, n: int, n_neurons: int) -> _Ints:
    """Return in how many neurons the patterns on the first and the last piece differ.

    Parameters
    ----------
    segments, neurons : (n_switches,) ndarrays of int64
        Which neuron switches on which segment; segments ascend.
    n, n_neurons : int

    Examples
    --------
    >>> hamming_distances(np.array([0, 0, 0]), np.array([2, 1, 2]), 2, 3).tolist()
    [1, 0]
    """
    distances = np.zeros(n, dtype=np.int64)
    step = max(1, _COUNTS_AT_ONCE // max(1, n_neurons))
    for first in range(0, n, step):
        size = min(step, n - first)
        low, high = np.searchsorted(segments, [first, first + size])
        places = (segments[low:high] - first) * n_neurons + neurons[low:high]
        odd = np.bincount(places, minlength=size * n_neurons) % 2
        distances[first : first + size] = odd.reshape(size, n_neurons).sum(axis=1)
    return distances
