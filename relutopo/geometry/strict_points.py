"""Points at which many affine functions are positive, on many planes at once.

Given rows g_i(y) = n_i·y + c_i with normals of length one, and for each of K problems a plane, two
methods look for a point of the plane at which the rows that count are as high as can be:

- `relaxed`: from a foot on the plane, again and again along the plane towards the lowest row (S.
  Agmon, "The relaxation method for linear inequalities", Canad. J. Math. 6 (1954) 382-392), with
  over-relaxation, all planes together. Heights follow from the products of the normals, so that a
  step costs K × R numbers and no product of matrices. It finds most walls in high dimensions.
- `raised`: the programme ::

      maximise t    such that    g_i(y) ≥ t for the rows that count,    y on the plane

  by a primal-dual interior point method (S. Mehrotra, "On the implementation of a primal-dual
  interior point method", SIAM J. Optim. 2 (1992) 575-601), all problems together. Its points are
  strictly inside and its multipliers positive long before it has converged, so that a caller who
  wants a sign only may stop it early.

Both work in floats and only propose: whoever calls proves what they found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Raised", "raised", "relaxed"]

Floats = NDArray[np.float64]

_MOST_STEPS = 100
_MOST_STEPS_IN_VAIN = 16
"""Of `relaxed`, after which a plane more is not worth the wait."""
_BEYOND = 1.9
"""How far a step goes, in parts of the way to where the lowest row is high enough; less than 2."""
_PARALLEL = 1e-12
_MOST_ITERATIONS = 60
_INSIDE = 0.99
"""Share of the way to the border that a step of `raised` goes."""
_MOST_NUMBERS = 2**21
"""Which `raised` takes at once."""


def relaxed(
    normals: Floats,
    offsets: Floats,
    products: Floats,
    start: Floats,
    walls: NDArray[np.intp],
    counts: NDArray[np.bool_],
    wanted: float,
) -> tuple[NDArray[np.intp], Floats]:
    """Look for points of the planes of some rows at which the rows that count are positive.

    Parameters
    ----------
    normals : (R, d) ndarray
        Of length one.
    offsets : (R,) ndarray
    products : (R, R) ndarray
        Of the normals with each other.
    start : (d,) ndarray
        Where all rows are positive, if possible.
    walls : (K,) ndarray of int
        The rows whose planes are searched.
    counts : (K, R) ndarray of bool
        Which rows must be positive there; the row itself does not count, nor any parallel one.
    wanted : float
        How high, in the metric of the rows, each step lifts the lowest row.

    Returns
    -------
    found : (k,) ndarray of int
        Entries of `walls`.
    points : (k, d) ndarray

    Examples
    --------
    >>> normals, offsets = np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2)
    >>> counts = np.array([[False, True], [True, False]])
    >>> products, start = normals @ normals.T, np.array([0.5, 0.25])
    >>> relaxed(normals, offsets, products, start, np.arange(2), counts, 0.1)[1].tolist()
    [[0.0, 0.25], [0.5, 0.0]]
    """
    at, heights = np.arange(len(walls)), normals @ start + offsets
    # Points are start + weights @ normals.
    weights = np.zeros((len(walls), len(offsets)))
    weights[at, walls] = -heights[walls]
    own = products[walls]
    values = np.where(counts, heights - heights[walls, None] * own, np.inf)
    found, last = [], 0
    for step in range(_MOST_STEPS):
        lowest = values.argmin(axis=1)
        value = values[np.arange(len(at)), lowest]
        is_found = value > 0
        if is_found.any():
            found.append(at[is_found])
            last, left = step, ~is_found
            at, values, own, lowest, value = (x[left] for x in (at, values, own, lowest, value))
        if not at.size or step - last > _MOST_STEPS_IN_VAIN:
            break
        along = own[np.arange(len(at)), lowest]
        lean = 1 - along * along
        # A parallel row has one height all over the plane.
        way = np.where(
            lean > _PARALLEL, _BEYOND * (wanted - value) / np.maximum(lean, _PARALLEL), 0
        )
        values += way[:, None] * products[lowest]  # rows that do not count stay infinite
        values -= (way * along)[:, None] * own
        weights[at, lowest] += way
        weights[at, walls[at]] -= way * along
    which = np.concatenate(found) if found else np.empty(0, dtype=np.intp)
    return which, start + weights[which] @ normals


@dataclass(frozen=True)
class Raised:
    """What `raised` returns.

    Attributes
    ----------
    points : (K, d) ndarray
    heights : (K,) ndarray
        t, by which all rows that count are positive at least, up to rounding; NaN where numbers
        left the range of floats.
    multipliers : (K, R) ndarray
        λ ≥ 0, whose sum is nearly 1, and which combine the rows that count to nearly a constant on
        the plane; no row is higher than that for all points at once.
    """

    points: Floats
    heights: Floats
    multipliers: Floats


def raised(
    normals: Floats,
    offsets: Floats,
    starts: Floats,
    planes: Floats,
    counts: NDArray[np.bool_],
    is_enough: Callable[[NDArray[np.intp], Raised], NDArray[np.bool_]],
) -> Raised:
    """Maximise the lowest of the rows that count on each of several planes.

    Parameters
    ----------
    normals : (R, d) ndarray
        Of length one.
    offsets : (R,) ndarray
    starts : (K, d) ndarray
        A point of each plane.
    planes : (K, d) ndarray
        Normals of the planes, of length one; zero for the whole space.
    counts : (K, R) ndarray of bool
        Which rows count.
    is_enough : callable
        Told which problems are meant and where they are, says which of them may stop; asked before
        each step.

    Returns
    -------
    Raised
        A problem that was not stopped has come as far as floats let it.

    Examples
    --------
    >>> normals = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> start, nowhere, all_rows = np.zeros((1, 2)), np.zeros((1, 2)), np.ones((1, 4), dtype=bool)
    >>> to_the_end = lambda which, now: np.zeros(len(which), dtype=bool)
    >>> ball = raised(normals, np.array([0, 2, 0, 4]), start, nowhere, all_rows, to_the_end)
    >>> ball.points[0, 0].round(6), ball.heights.round(6).tolist()
    (np.float64(1.0), [1.0])
    """
    n_problems, (n_rows, d) = len(starts), normals.shape
    if not n_problems:
        return Raised(starts, np.empty(0), np.empty((0, n_rows)))
    at_once = max(1, _MOST_NUMBERS // (n_rows * (d + 1)))
    parts = []
    for first in range(0, n_problems, at_once):
        piece = slice(first, first + at_once)

        def of_piece(which: NDArray[np.intp], now: Raised, first: int = first) -> NDArray[np.bool_]:
            return is_enough(which + first, now)

        parts.append(
            _raised(normals, offsets, starts[piece], planes[piece], counts[piece], of_piece)
        )
    return Raised(
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.heights for part in parts]),
        np.concatenate([part.multipliers for part in parts]),
    )


def _raised(
    normals: Floats,
    offsets: Floats,
    starts: Floats,
    planes: Floats,
    counts: NDArray[np.bool_],
    is_enough: Callable[[NDArray[np.intp], Raised], NDArray[np.bool_]],
) -> Raised:
    """Do the work of `raised` for as many problems as fit.

    With slacks s = g(y) - t, rows a_i = (n_i, -1) along the plane and D = λ / s a step solves ::

        (Aᵀ D A) (δy, δt) = Aᵀ(σ μ - δs' δλ') / s + (0, 1),

    where δs' δλ' are those of the step with σ = 0. To keep δy in the plane its normal is added to
    the matrix; all right sides are orthogonal to it.
    """
    points, at = starts.copy(), np.arange(len(starts))
    n_counts = np.maximum(counts.sum(axis=1), 1)
    lam = counts / n_counts[:, None]
    values = np.where(counts, points @ normals.T + offsets, np.inf)
    spans = np.where(counts, np.abs(values), 0.0).max(axis=1, initial=0.0)
    heights = values.min(axis=1, initial=np.inf) - np.maximum(spans, 1e-300)
    result = Raised(points.copy(), heights.copy(), lam.copy())
    y, t, n, mask = points, heights, planes, counts
    with np.errstate(all="ignore"):  # what overflows or does not converge is not proved
        for _ in range(_MOST_ITERATIONS):
            result.points[at], result.heights[at], result.multipliers[at] = y, t, lam
            slack = np.where(mask, y @ normals.T + offsets - t[:, None], 1.0)
            mean = (lam * slack).sum(axis=1) / n_counts
            good = (slack > 0).all(axis=1) & (mean > 0) & np.isfinite(mean)
            go_on = good & ~is_enough(at, Raised(y, t, lam))
            if not go_on.all():
                at, y, t, lam, n, mask, slack, mean, n_counts = (
                    x[go_on] for x in (at, y, t, lam, n, mask, slack, mean, n_counts)
                )
            if not at.size:
                break
            ratio = lam / slack
            inverse = _inverse(normals, n, ratio)
            if inverse is None:
                break

            def solve(
                right: Floats, inverse: Floats = inverse, n: Floats = n
            ) -> tuple[Floats, Floats, Floats]:
                """Return the steps of y, of t and of the slacks; `right` is a number a row."""
                top = right @ normals
                top -= np.einsum("kd,kd->k", top, n)[:, None] * n
                full = np.concatenate([top, 1 - right.sum(axis=1, keepdims=True)], axis=1)
                step = (inverse @ full[:, :, None])[:, :, 0]
                dy = step[:, :-1] - np.einsum("kd,kd->k", step[:, :-1], n)[:, None] * n
                return dy, step[:, -1], dy @ normals.T - step[:, -1:]

            _, _, ds = solve(np.zeros_like(lam))
            ds = np.where(mask, ds, 0.0)
            dl = -lam - ratio * ds
            a, b = _longest(slack, ds), _longest(np.where(mask, lam, 1.0), dl)
            ahead = ((lam + b[:, None] * dl) * (slack + a[:, None] * ds)).sum(axis=1) / n_counts
            target = (ahead / mean) ** 3 * mean
            right = np.where(mask, (target[:, None] - ds * dl) / slack, 0.0)
            dy, dt, ds = solve(right)
            ds = np.where(mask, ds, 0.0)
            dl = right - lam - ratio * ds
            a = np.minimum(1, _INSIDE * _longest(slack, ds, np.inf))
            b = np.minimum(1, _INSIDE * _longest(np.where(mask, lam, 1.0), dl, np.inf))
            y, t, lam = y + a[:, None] * dy, t + a * dt, lam + b[:, None] * dl
    return result


def _longest(values: Floats, steps: Floats, most: float = 1.0) -> Floats:
    """Return the longest step, in parts of the whole, that leaves values positive."""
    fastest = np.max(-steps / values, axis=1)
    longest: Floats = 1 / np.maximum(fastest, 1 / most)
    return longest


def _inverse(normals: Floats, planes: Floats, weights: Floats) -> Floats | None:
    """Return the inverses of the matrices of `_raised`; None if one is singular."""
    d = normals.shape[1]
    matrix = np.empty((len(weights), d + 1, d + 1))
    inner = (weights[:, None, :] * normals.T) @ normals
    across = (inner @ planes[:, :, None])[:, :, 0]
    inner -= planes[:, :, None] * across[:, None, :]
    across -= np.einsum("kd,kd->k", across, planes)[:, None] * planes
    inner -= across[:, :, None] * planes[:, None, :]
    size = np.einsum("kdd->k", inner) / d
    inner += (size[:, None] * planes)[:, :, None] * planes[:, None, :]
    matrix[:, :d, :d] = inner
    edge = weights @ normals
    edge -= np.einsum("kd,kd->k", edge, planes)[:, None] * planes
    matrix[:, :d, d] = matrix[:, d, :d] = -edge
    matrix[:, d, d] = weights.sum(axis=1)
    try:
        return np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return None
