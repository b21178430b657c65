"""Compiled kernels of agreements; importing them loads numba, so import them where they are used.

What is compared with the sides of a partition is given as two masses for each node: what belongs on
the positive side, and what on the negative one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = [
    "agreement_on_sides",
    "at_the_cut",
    "label_hits",
    "masses_of_decision",
    "masses_of_points",
    "rand_index",
]

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
def agreement_on_sides(
    sides: Int8s, component: Bools, positive: Floats, negative: Floats
) -> tuple[float, float, float]:
    """Return the agreement for one vector, the least and the greatest; NaN for no mass.

    Mass on the cut counts half, and for the least and the greatest as it may be.

    Parameters
    ----------
    sides : (n_nodes,) ndarray of int8
        Side of each node, 0 where it is open.
    component : (n_nodes,) ndarray of bool
        The nodes that count.
    positive, negative : (n_nodes,) ndarrays
        Mass in each node that belongs on the positive, and on the negative side.

    Examples
    --------
    >>> sides, ones = np.array([1, 0, -1], np.int8), np.ones(3)
    >>> agreement_on_sides(sides, ones > 0, ones * [1, 1, 0], ones * [0, 0, 1])
    (0.8333333333333334, 0.6666666666666666, 1.0)
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
    if total == 0.0:
        return np.nan, np.nan, np.nan
    agreeing, least, greatest = settled + half, settled + low, settled + high
    at_least, at_most = max(least, total - least), max(greatest, total - greatest)
    lowest, middle = min(at_least, at_most), total / 2
    if least < greatest and least <= middle and middle <= greatest:
        lowest = middle
    highest = max(at_least, at_most)
    return max(agreeing, total - agreeing) / total, lowest / total, highest / total


@njit(cache=True)
def rand_index(table: Floats) -> float:
    """Return the Rand index, corrected for chance, of two partitions.

    Parameters
    ----------
    table : (n, m) ndarray
        How many points are in class i of one partition and class j of the other.

    Examples
    --------
    >>> rand_index(np.array([[0.0, 2.0], [2.0, 0.0]]))
    1.0
    """
    n, together, by_row, by_column = 0.0, 0.0, 0.0, 0.0
    for i in range(table.shape[0]):
        row = 0.0
        for j in range(table.shape[1]):
            row += table[i, j]
            together += table[i, j] * (table[i, j] - 1.0) / 2
        by_row += row * (row - 1.0) / 2
        n += row
    for j in range(table.shape[1]):
        column = 0.0
        for i in range(table.shape[0]):
            column += table[i, j]
        by_column += column * (column - 1.0) / 2
    every = n * (n - 1.0) / 2
    expected = by_row * by_column / every if every else 0.0
    largest = (by_row + by_column) / 2
    return 1.0 if largest == expected else (together - expected) / (largest - expected)


@njit(cache=True)
def label_hits(
    regions: Int64s,
    positive: Bools,
    order: Int64s,
    vector: Floats,
    sides: Int8s,
    component: Bools,
) -> tuple[Floats, Floats, Int64s, float, float, float, float]:
    """Compare sides with two classes of points.

    Parameters
    ----------
    regions, positive : (n,) ndarrays
        As for `masses_of_points`.
    order : (n_nodes,) ndarray
        Sorts the vector.
    vector, sides, component : (n_nodes,) ndarrays

    Returns
    -------
    ones, zeros, counts
        From `masses_of_points`.
    rand : float
        See `rand_index`; points on the cut count as a third side.
    purity, best : float
        How many points the best labelling of regions has right, and the best threshold of the
        vector, up to the flip.
    threshold : float
        The first such threshold; -inf if one side is empty.

    Examples
    --------
    >>> x, classes = np.array([0.5, -0.5, 0.25]), np.array([True, True, False, False])
    >>> found = label_hits(np.array([0, 0, 1, 2]), classes, np.array([1, 2, 0]), x,
    ...                    np.array([1, -1, 1], np.int8), np.ones(3, bool))
    >>> found[0].tolist(), found[1].tolist(), found[4:]
    ([2.0, 0.0, 0.0], [0.0, 1.0, 1.0], (4.0, 4.0, 0.375))
    """
    ones, zeros, counts = masses_of_points(regions, positive, component)
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
    return ones, zeros, counts, rand_index(table), purity, best, threshold


@njit(cache=True)
def masses_of_decision(positive: Bools, volumes: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the volumes, and the numbers, of regions that are positive, and of those that are not.

    Examples
    --------
    >>> [x.tolist() for x in masses_of_decision(np.array([True, False]), np.array([2.0, 3.0]))]
    [[2.0, 0.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]]
    """
    n = len(positive)
    above, below, n_above, n_below = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    for i in range(n):
        if positive[i]:
            above[i], n_above[i] = volumes[i], 1.0
        else:
            below[i], n_below[i] = volumes[i], 1.0
    return above, below, n_above, n_below


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
