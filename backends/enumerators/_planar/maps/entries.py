"""The entries of a graph's values, and what each is made of, as kernels take them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.system.compilation import njit

__all__ = ["FEW", "MANY", "Entries", "chooses", "entries_of"]

FEW, MANY = 4, 128
"""Sums of few terms are written in what their terms are made of. Rows of more than many terms are
classes of their own: hardly ever are all of their terms the same as another's."""


class Entries(NamedTuple):
    """The entries of all values of a graph, one value after another.

    Attributes
    ----------
    first : (n_values,) ndarray of int64
        The first entry of each value.
    neuron : (n,) ndarray of int64
        The neuron of each entry of a kink, otherwise -1.
    slopes : (2, n) ndarray
        Slopes of kinks.
    ptr, terms, weights : ndarrays of int64, int64, float64
        What each entry is made of: of a kink its source.
    bias : (n,) ndarray
    is_whole : (n,) ndarray of bool
        Whether an entry is a class of its own on all regions.
    use_ptr, uses : ndarrays of int64
        The entries that each is a term of.
    before, after : (n_neurons,) ndarrays of int64
        The entry that is each neuron's pre-activation, and the one that is the kink's.
    """

    first: NDArray[np.int64]
    neuron: NDArray[np.int64]
    slopes: NDArray[np.float64]
    ptr: NDArray[np.int64]
    terms: NDArray[np.int64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    is_whole: NDArray[np.bool_]
    use_ptr: NDArray[np.int64]
    uses: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


def chooses(network: GraphNetwork) -> bool:
    """Tell whether there are maxima in a graph, as in pooling."""
    for node in network.nodes:
        if not isinstance(node, Affine):
            continue
        for source in node.sources:
            kink = network.nodes[source - 1] if source else None
            before = network.nodes[kink.source - 1] if isinstance(kink, Kink) else None
            # As in max(a, b) = a + ReLU(b - a).
            if isinstance(before, Affine) and set(before.sources) & set(node.sources):
                lengths = np.sum([np.diff(ends) for ends, _, _ in before.rows], axis=0)
                if lengths.min(initial=FEW + 1) <= FEW:
                    return True
    return False


def entries_of(network: GraphNetwork) -> Entries:
    """Return the entries of a graph."""
    sizes = [network.size_of(number) for number in range(len(network.nodes) + 1)]
    first = np.cumsum([0, *sizes])
    n = int(first[-1])
    neuron, bias, slopes = np.full(n, -1), np.zeros(n), np.ones((2, n))
    is_whole = np.zeros(n, dtype=bool)
    is_whole[: sizes[0]] = True
    before, after = np.empty((2, network.n_neurons), dtype=np.int64)
    rows, columns, weights = [first[:0]], [first[:0]], [bias[:0]]
    for number, node in enumerate(network.nodes, start=1):
        own = slice(first[number], first[number + 1])
        every = np.arange(own.start, own.stop)
        if isinstance(node, Affine):
            bias[own] = node.bias
            counts = sum(np.diff(ends) for ends, _, _ in node.rows)
            is_whole[own] = counts > MANY
            for source, (ends, places, numbers) in zip(node.sources, node.rows, strict=True):
                of_row = np.repeat(every, np.diff(ends))
                kept = ~is_whole[of_row]
                rows.append(of_row[kept])
                columns.append(first[source] + places[kept])
                weights.append(numbers[kept])
        else:
            neurons = network.first_neuron(number) + np.arange(node.size)
            neuron[own], slopes[:, own] = neurons, node.slopes
            before[neurons], after[neurons] = first[node.source] + np.arange(node.size), every
            rows.append(every)
            columns.append(before[neurons])
            weights.append(np.ones(node.size))
    row, column = np.concatenate(rows), np.concatenate(columns)
    weight: NDArray[np.float64] = np.concatenate(weights)
    order = np.argsort(row, kind="stable")
    ptr = np.append(0, np.cumsum(np.bincount(row, minlength=n)))
    column, weight = column[order], weight[order]
    ptr, column, weight = _kept(neuron, slopes, ptr, column, weight, is_whole)
    used_by = np.argsort(column, kind="stable")
    use_ptr = np.append(0, np.cumsum(np.bincount(column, minlength=n)))
    uses = np.repeat(np.arange(n), np.diff(ptr))[used_by]
    return Entries(
        first[:-1],
        neuron,
        slopes,
        ptr,
        column,
        weight,
        bias,
        is_whole,
        use_ptr,
        uses,
        before,
        after,
    )


@njit(cache=True)
def _kept(neuron, slopes, ptr, terms, weights, is_whole):
    """Mark entries that are the same sums on all regions as whole; return the terms of others."""
    n = len(neuron)
    varies = np.zeros(n, np.bool_)
    for e in range(n):
        for q in range(ptr[e], ptr[e + 1]):
            varies[e] |= varies[terms[q]]
        varies[e] |= neuron[e] >= 0 and (slopes[0, e] == 0.0 or slopes[1, e] == 0.0)
        if neuron[e] < 0 and ptr[e + 1] - ptr[e] <= FEW:
            # As in max(a, b) = a + ReLU(b - a), of which a kink's source has another term, too.
            for q in range(ptr[e], ptr[e + 1]):
                if neuron[terms[q]] < 0:
                    continue
                z = terms[ptr[terms[q]]]
                for k in range(ptr[z], ptr[z + 1] if ptr[z + 1] - ptr[z] <= FEW else ptr[z]):
                    for m in range(ptr[e], ptr[e + 1]):
                        varies[e] |= terms[k] == terms[m]
        # Kinks and short rows are followed, for what they are made of may be the same.
        is_whole[e] |= not varies[e] and neuron[e] < 0 and ptr[e + 1] - ptr[e] > FEW
    kept_ptr = np.zeros(n + 1, np.int64)
    for e in range(n):
        kept_ptr[e + 1] = kept_ptr[e] + (0 if is_whole[e] else ptr[e + 1] - ptr[e])
    kept, kept_weights = np.empty(kept_ptr[n], np.int64), np.empty(kept_ptr[n])
    for e in range(n):
        for q in range(kept_ptr[e + 1] - kept_ptr[e]):
            kept[kept_ptr[e] + q] = terms[ptr[e] + q]
            kept_weights[kept_ptr[e] + q] = weights[ptr[e] + q]
    return kept_ptr, kept, kept_weights
