"""The lines of edges as floats with bounds, and vertices where two of them meet.

A vertex placed between two vertices inherits the bounds of both, which grow from layer to layer
with 1 / sine of the angles between lines. But a vertex is also where two lines meet: there the
exact values of both vanish, so the computed values are at most their error bounds. Hence for the
vertex v, any x, and the computed normals A of both lines, A (x - v) is at most the computed values
at x, plus their rounding and these bounds. This bounds the error of any x. So vertices whose bound
has grown are corrected once, and get this bound instead if it is smaller.
"""

from __future__ import annotations

import numpy as np

from relutopo.arithmetic.rounding import UNDERFLOW, UNIT_ROUNDOFF
from relutopo.system.compilation import njit

__all__ = ["lines_after", "sharpen_inside", "sharpen_on_edges"]


@njit(cache=True, nogil=True)
def lines_after(lines, crossed, first_piece, cut):
    """Return the lines of the edges after a cut, (n_edges, 4): A, c and the bound of the error.

    Parameters
    ----------
    lines : (n_edges, 4) ndarray
        Before the cut.
    crossed : Crossed
    first_piece : (n_edges + 1,) ndarray
        Of `Placed`.
    cut : Cut
    """
    maps, neurons, cells = crossed.maps, crossed.cutters.neurons, cut.cells
    n_pieces = first_piece[-1]
    result = np.full((len(cells.edge_vertices), 4), -1.0)
    for e in range(len(first_piece) - 1):
        result[first_piece[e] : first_piece[e + 1]] = lines[e]
    for r in range(len(cells.packed)):
        parent = cut.parent[r]
        for q in range(cells.region_ptr[r], cells.region_ptr[r + 1]):
            e = cells.half_edges[q] >> 1
            if e >= n_pieces and result[e, 3] < 0.0:
                unit = np.searchsorted(neurons, cells.labels[e])
                _take(maps, parent, unit, result[e])
    return result


@njit(cache=True)
def _take(maps, region, unit, line):
    """Fill the line of a unit on a region that it crosses."""
    for k in range(3):
        line[k] = maps.planes[maps.plane_of[region], k, unit]
    line[3] = maps.errors[maps.error_of[region], unit]


@njit(cache=True)
def _sharpen(x, deviation, v, p, q):
    """Correct a vertex where lines p and q meet, if that gives a smaller bound of its error."""
    det = p[0] * q[1] - p[1] * q[0]
    size = abs(p[0] * q[1]) + abs(p[1] * q[0])
    if not abs(det) > 16 * UNIT_ROUNDOFF * size:
        return
    at_p, at_q = p[2] + (p[0] * x[v, 0] + p[1] * x[v, 1]), q[2] + (q[0] * x[v, 0] + q[1] * x[v, 1])
    x0 = x[v, 0] - (q[1] * at_p - p[1] * at_q) / det
    x1 = x[v, 1] - (p[0] * at_q - q[0] * at_p) / det
    at_p, at_q = abs(p[2] + (p[0] * x0 + p[1] * x1)), abs(q[2] + (q[0] * x0 + q[1] * x1))
    at_p += 4 * UNIT_ROUNDOFF * (abs(p[2]) + abs(p[0] * x0) + abs(p[1] * x1)) + p[3] + UNDERFLOW
    at_q += 4 * UNIT_ROUNDOFF * (abs(q[2]) + abs(q[0] * x0) + abs(q[1] * x1)) + q[3] + UNDERFLOW
    by_0, by_1 = abs(q[1]) * at_p + abs(p[1]) * at_q, abs(p[0]) * at_q + abs(q[0]) * at_p
    bound = 1.01 * max(by_0, by_1) / (abs(det) - 4 * UNIT_ROUNDOFF * size)
    if bound < deviation[v]:
        x[v, 0], x[v, 1], deviation[v] = x0, x1, bound


@njit(cache=True, nogil=True)
def sharpen_on_edges(lines, crossed, placed, target):
    """Correct the new vertices on edges whose bounds exceed `target`.

    Parameters
    ----------
    lines : (n_edges, 4) ndarray
    crossed : Crossed
    placed : Placed
    target : float
    """
    x, deviation, group_ptr = placed.x, placed.deviation, placed.group_ptr
    base, line = len(x) - group_ptr[-1], np.empty(4)
    for e in range(len(group_ptr) - 1):
        for g in range(group_ptr[e], group_ptr[e + 1]):
            if not deviation[base + g] <= target:
                unit = crossed.crossings.item[placed.source[g]]
                _take(crossed.maps, crossed.beside.edge_owner[e], unit, line)
                _sharpen(x, deviation, base + g, line, lines[e])


@njit(cache=True, nogil=True)
def sharpen_inside(crossed, cut, target):
    """Correct the vertices inside regions whose bounds exceed `target`.

    Parameters
    ----------
    crossed : Crossed
    cut : Cut
    target : float
    """
    x, deviation, source = cut.cells.x, cut.cells.deviation, cut.inner_source
    base, p, q = len(x) - len(source), np.empty(4), np.empty(4)
    for i in range(len(source)):
        if not deviation[base + i] <= target:
            _take(crossed.maps, source[i, 0], source[i, 1], p)
            _take(crossed.maps, source[i, 0], source[i, 2], q)
            _sharpen(x, deviation, base + i, p, q)
