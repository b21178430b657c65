"""What the rows of a perceptron tell about its planes on every region, without numbers.

Neurons of a layer whose rows, biases included, are multiples of each other have the same plane
wherever their inputs are the same: copies of neurons, and pairs of opposite ones. Where no neuron
so far has a bias, planes contain the origin, and d of them that meet in one point meet there.

Invariant: rows are compared exactly.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["Rows"]


class Rows:
    """The rows of a perceptron's hidden layers.

    Parameters
    ----------
    network : ReluNetwork
    """

    def __init__(self, network: ReluNetwork) -> None:
        self._network = network
        self._first: dict[int, NDArray[np.int64]] = {}

    @classmethod
    def of(cls, network: Network) -> Rows | None:
        """Return the rows of a perceptron, or None for another network."""
        return cls(network) if isinstance(network, ReluNetwork) else None

    def first(self, label: int) -> int:
        """Return the first neuron of its layer with the same plane; a side is its own."""
        if label < 0:
            return label
        layer = int(self._network.layer_of(label))
        if layer not in self._first:
            w, b = self._network.weights[layer], self._network.biases[layer]
            self._first[layer] = first_multiples(np.concatenate([w, b[:, None]], axis=1))
        begin = self._network.layer_offsets[layer]
        return begin + int(self._first[layer][label - begin])

    @cached_property
    def _without_bias(self) -> NDArray[np.bool_]:
        found, all_before = [], True
        for b in self._network.biases[:-1]:
            found.append((b == 0) & all_before)
            all_before = all_before and not b.any()
        return np.concatenate([np.zeros(0, np.bool_), *found])

    def contains_origin(self, label: int) -> bool:
        """Tell whether a neuron's plane contains the origin on every region."""
        return label >= 0 and bool(self._without_bias[label])


def first_multiples(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each row the first one that it is a multiple of; rows of zeros are multiples.

    Parameters
    ----------
    rows : (n, m) ndarray

    Examples
    --------
    >>> first_multiples(np.array([[1.0, 3.0], [2.0, 3.0], [-3.0, -9.0], [0.0, 3.0]])).tolist()
    [0, 1, 0, 3]
    """
    found = np.arange(len(rows))
    # Quotients of multiples are the same numbers, and rounded alike; others seldom are.
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    with np.errstate(under="ignore"):
        quotients = rows / np.where(largest == 0, 1.0, largest) + 0.0  # no zero has a sign
    groups: dict[bytes, list[int]] = {}
    for k, quotient in enumerate(quotients):
        groups.setdefault(quotient.tobytes(), []).append(k)
    for members in groups.values():
        if len(members) == 1:
            continue
        (exact,), _ = dyadic_integers(rows[members])
        firsts: list[int] = []
        for i, k in enumerate(members):
            same = (j for j in firsts if _are_multiples(exact[j], exact[i]))
            j = next(same, i)
            found[k] = members[j]
            if j == i:
                firsts.append(i)
    return found


def _are_multiples(one: Integers, other: Integers) -> bool:
    at = int(np.abs(one).argmax())
    return bool((one * other[at] == other * one[at]).all())
