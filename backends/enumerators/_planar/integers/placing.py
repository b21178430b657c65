"""Vertices where planes meet that are known as integers, rounded to floats."""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

from .digits import BITS, meet

__all__ = ["refine_inside", "refine_on_edges"]

_ROUNDINGS = 4
"""How many times further off than the nearest float a quotient may be: it rounds four times."""


@njit(cache=True)
def _put(p, q, x, deviation, v, rounding, point):
    """Put vertex v where two planes meet."""
    meet(p, q, point)
    top = point.shape[1] - 1
    while top > 0 and point[2, top] == 0:
        top -= 1
    numbers = np.zeros(3)
    for i in range(3):
        for d in range(point.shape[1]):  # small ones first
            numbers[i] += point[i, d] * 2.0 ** (BITS * (d - top))
    for i in range(2):
        x[v, i] = numbers[i] / numbers[2]
    deviation[v] = _ROUNDINGS * rounding


@njit(cache=True, nogil=True)
def refine_on_edges(placed, crossings, owner, plane_of, places, integers, target, rounding):
    """Compute the new vertices on edges anew whose bounds exceed `target`.

    Parameters
    ----------
    placed : Placed
    crossings : Crossings
        Of edges.
    owner : (n_edges,) ndarray of int32
        A region beside each edge.
    plane_of, places, integers
        As for `settling.settle_signs`.
    target, rounding : float
        See `Task`.
    """
    x, deviation, group_ptr = placed.x, placed.deviation, placed.group_ptr
    point = np.empty((3, 2 * integers.lines.shape[2]), np.int64)
    base = len(x) - group_ptr[-1]
    for e in range(len(group_ptr) - 1):
        for g in range(group_ptr[e], group_ptr[e + 1]):
            if not deviation[base + g] <= target:
                unit = places[crossings.item[placed.source[g]]]
                plane = integers.units[plane_of[owner[e]], unit]
                _put(plane, integers.lines[e], x, deviation, base + g, rounding, point)


@njit(cache=True, nogil=True)
def refine_inside(cut, plane_of, places, integers, target, rounding):
    """Compute the vertices inside regions anew whose bounds exceed `target`; see above.

    Parameters
    ----------
    cut : Cut
    """
    x, deviation, source = cut.cells.x, cut.cells.deviation, cut.inner_source
    point = np.empty((3, 2 * integers.lines.shape[2]), np.int64)
    base = len(x) - len(source)
    for i in range(len(source)):
        if not deviation[base + i] <= target:
            units = integers.units[plane_of[source[i, 0]]]
            a, b = units[places[source[i, 1]]], units[places[source[i, 2]]]
            _put(a, b, x, deviation, base + i, rounding, point)
