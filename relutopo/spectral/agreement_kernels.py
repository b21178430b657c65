"""Compiled kernels of agreements; importing them loads numba, so import them where they are used.

What is compared with the sides of a partition is given as two masses for each node: what belongs on
the positive side, and what on the negative one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["at_the_cut", "label_hits", "masses_of_points", "masses_on_sides"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Int8s = NDArray[np.int8]
Int64s = NDArray[np.int64]


@njit(cache=True)
def masses_of_points(
    regions: Int64s, positive: Bools, component: Bools
) -> tuple[Floats, Floats, Int64s]:
    """Return how many points of both classes lie in each node of a component, and how many do not.

    Parameters
    ----------
    regions : (n,) ndarray
        Of the points, as from `DualGraph.locate`.
    positive : (n,) ndarray of bool
        Their classes.
    component : (n_nodes,) ndarray of bool

    Returns
    -------
    positive_mass, negative_mass : (n_nodes,) ndarrays
    counts : (5,) ndarray
        Points in the component; with the codes -1, -2 and -3; and in other nodes.

    Examples
    --------
    >>> found = masses_of_points(np.array([1, 1, -2]), np.array([True, False, True]),
    ...                          np.array([True, True]))
    >>> [part.tolist() for part in found]
    [[0.0, 1.0], [0.0, 1.0], [2, 0, 1, 0, 0]]
    """
    ones, zeros = np.zeros(len(component)), np.zeros(len(component))
    counts = np.zeros(5, np.int64)
    for point in range(len(regions)):
        region = regions[point]
        if region < 0:
            counts[-region] += 1
        elif not component[region]:
            counts[4] += 1
        else:
            counts[0] += 1
            if positive[point]:
                ones[region] += 1.0
            else:
                zeros[region] += 1.0
    return ones, zeros, counts


@njit(cache=True)
def masses_on_sides(
    sides: Int8s, component: Bools, positive: Floats, negative: Floats
) -> tuple[float, float, float, float]:
    """Return the mass that is on its side, the least and the greatest that may be, and all mass.

    Mass on the cut counts half, and for the least and the greatest as it may be.

    Examples
    --------
    >>> masses_on_sides(np.array([1, 0, -1], np.int8), np.ones(3, bool), np.array([1.0, 3.0, 0.0]),
    ...                 np.array([0.5, 1.0, 2.0]))
    (5.0, 4.0, 6.0, 7.5)
    """
    settled, half, low, high, total = 0.0, 0.0, 0.0, 0.0, 0.0
    for node in range(len(sides)):
        if not component[node]:
            continue
        plus, minus = positive[node], negative[node]
        total += plus + minus
        if sides[node] > 0:
            settled += plus
        elif sides[node] < 0:
            settled += minus
        else:
            half += (plus + minus) / 2
            low += min(plus, minus)
            high += max(plus, minus)
    return settled + half, settled + low, settled + high, total


@njit(cache=True)
def label_hits(
    order: Int64s, vector: Floats, sides: Int8s, component: Bools, ones: Floats, zeros: Floats
) -> tuple[Floats, float, float, float]:
    """Compare sides with two classes of points.

    Parameters
    ----------
    order : (n_nodes,) ndarray
        Sorts the vector.
    vector, sides, component : (n_nodes,) ndarrays
    ones, zeros : (n_nodes,) ndarrays
        Points of both classes.

    Returns
    -------
    table : (3, 2) ndarray
        Points on the cut, on the positive and on the negative side, of the classes 0 and 1.
    purity, best : float
        How many points the best labelling of regions has right, and the best threshold of the
        vector, up to the flip.
    threshold : float
        The first such threshold; -inf if one side is empty.

    Examples
    --------
    >>> x, ones = np.array([0.5, -0.5, 0.25]), np.array([2.0, 0.0, 0.0])
    >>> table, *rest = label_hits(np.array([1, 2, 0]), x, np.array([1, -1, 1], np.int8),
    ...                           np.ones(3, bool), ones, np.array([0.0, 1.0, 1.0]))
    >>> table.tolist(), rest
    ([[0.0, 0.0], [1.0, 2.0], [1.0, 0.0]], [4.0, 4.0, 0.375])
    """
    table, purity, n, n_ones = np.zeros((3, 2)), 0.0, 0.0, 0.0
    for node in range(len(sides)):
        if component[node]:
            table[sides[node] % 3, 0] += zeros[node]
            table[sides[node] % 3, 1] += ones[node]
            purity += max(ones[node], zeros[node])
            n_ones += ones[node]
            n += ones[node] + zeros[node]
    # `hits` of the points are right if all of those so far are of the class 0, and the others not.
    hits, best, threshold, before, is_first = n_ones, max(n_ones, n - n_ones), -np.inf, 0.0, True
    for node in order:
        if not component[node] or ones[node] + zeros[node] == 0.0:
            continue
        value = vector[node]
        if not is_first and value > before and max(hits, n - hits) > best:
            best = max(hits, n - hits)
            middle = before + (value - before) / 2
            threshold = middle if middle < value else before
        hits += zeros[node] - ones[node]
        before, is_first = value, False
    return table, purity, best, threshold


@njit(cache=True)
def at_the_cut(
    edges: NDArray[np.int32], sides: Int8s, component: Bools, crossed: Bools
) -> tuple[int, int, int, int]:
    """Count crossed nodes of a component, edges of the cut, and both at each other.

    Returns
    -------
    n_crossed, n_cut : int
    n_cut_at_crossed : int
        Edges of the cut with an end that is crossed.
    n_crossed_at_cut : int
        Crossed nodes that are an end of an edge of the cut.

    Examples
    --------
    >>> path, sides = np.array([[0, 1], [1, 2]], np.int32), np.array([1, 1, -1], np.int8)
    >>> at_the_cut(path, sides, np.ones(3, bool), np.array([True, True, False]))
    (2, 1, 1, 1)
    """
    is_at_cut = np.zeros(len(sides), np.bool_)
    n_cut, n_cut_at_crossed, n_crossed, n_crossed_at_cut = 0, 0, 0, 0
    for i in range(len(edges)):
        u, v = edges[i, 0], edges[i, 1]
        if sides[u] != sides[v]:
            n_cut += 1
            n_cut_at_crossed += (crossed[u] and component[u]) or (crossed[v] and component[v])
            is_at_cut[u] = is_at_cut[v] = True
    for node in range(len(sides)):
        if crossed[node] and component[node]:
            n_crossed += 1
            n_crossed_at_cut += is_at_cut[node]
    return n_crossed, n_cut, n_cut_at_crossed, n_crossed_at_cut
