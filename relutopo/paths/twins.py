"""Neurons of one layer that vanish at the same places because their rows are multiples.

Factors of a sign and a power of two count, because they are exact. So equal neurons, and pairs z
and -z, never have to be compared by where they vanish.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.networks.graph import Affine, GraphNetwork

__all__ = ["Twins", "twins_of"]

_HUGE = 2.0**300


@dataclass(frozen=True)
class Twins:
    """Which units of a layer are multiples of others.

    Attributes
    ----------
    chosen : (n_chosen,) ndarray of int64
        One unit of each set of multiples, ascending.
    place : (n_l,) ndarray of int64
        For each unit, the place of its chosen multiple in `chosen`.
    signs : (n_l,) ndarray of int8
        The sign of the factor.
    """

    chosen: NDArray[np.int64]
    place: NDArray[np.int64]
    signs: NDArray[np.int8]


def twins_of(graph: GraphNetwork, layer: int) -> Twins:
    """Return which units of a layer are multiples of others by a power of two, or minus that.

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0], [1.0, 0.0], [-2.0, -4.0]])
    >>> from relutopo.networks.graph import Kink
    >>> kink = Kink(1, np.ones(3), np.zeros(3))
    >>> found = twins_of(GraphNetwork(2, [Affine((0,), (rows,), np.zeros(3)), kink]), 0)
    >>> found.chosen.tolist(), found.place.tolist(), found.signs.tolist()
    ([0, 1], [0, 1, 0], [1, 1, -1])
    """
    firsts: dict[object, int] = {}
    chosen: list[int] = []
    place: list[int] = []
    signs: list[int] = []
    for value, size, start in graph.targets(layer):
        for row, (key, one) in enumerate(_keys(graph, value, size)):
            if key not in firsts:
                firsts[key] = len(chosen)
                chosen.append(start + row)
            place.append(firsts[key])
            signs.append(one)
    # The factor relates a unit to the first of its multiples.
    own = np.array(signs, dtype=np.int8)
    numbers, places = np.array(chosen, dtype=np.int64), np.array(place, dtype=np.int64)
    return Twins(numbers, places, own * own[numbers][places] if len(own) else own)


def _keys(graph: GraphNetwork, value: int, size: int) -> list[tuple[object, int]]:
    """Return for each row of a value a key that its multiples share, and its sign."""
    node = graph.nodes[value - 1] if value else None
    if not isinstance(node, Affine):
        return [((value, row), 1) for row in range(size)]
    rows = sparse.csr_array(sparse.hstack([*map(sparse.csr_array, node.matrices)]))
    rows.sum_duplicates()
    rows.eliminate_zeros()
    # Rows are divided by the sign and the power of two of their first non-zero number.
    counts = np.diff(rows.indptr)
    firsts = node.bias.copy()
    filled = counts > 0
    firsts[filled] = rows.data[rows.indptr[:-1][filled]]
    ones = np.where(firsts < 0, -1, 1)
    # Of huge numbers the smallest would be lost.
    sizes = abs(rows).max(axis=1).toarray().ravel() if rows.nnz else np.zeros(size)
    is_huge = np.maximum(sizes, np.abs(node.bias)) > _HUGE
    exponents = np.where(is_huge, 0, np.frexp(firsts)[1])
    data = np.ldexp(rows.data * np.repeat(ones, counts), -np.repeat(exponents, counts))
    constants = np.ldexp(node.bias * ones, -exponents).tolist()
    keys: list[tuple[object, int]] = []
    for row, (constant, one) in enumerate(zip(constants, ones.tolist(), strict=True)):
        part = slice(rows.indptr[row], rows.indptr[row + 1])
        keys.append(
            ((node.sources, rows.indices[part].tobytes(), data[part].tobytes(), constant), one)
        )
    return keys
