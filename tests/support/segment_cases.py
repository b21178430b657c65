"""Networks and segments at random, with ties, and how what is found on them is compared."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

import relutopo as rt
from relutopo.networks.perceptron import relu_nodes

__all__ = ["check_same_segments", "random_ends", "random_network", "relu_graph"]

Floats = NDArray[np.float64]
Rng = np.random.Generator


def random_network(rng: Rng, d: int, kind: str) -> rt.ReluNetwork:
    """Return a perceptron: of plain numbers, of small integers with many ties, without biases."""
    widths = [d, *rng.integers(1, 9, size=rng.integers(1, 4)), int(rng.integers(1, 4))]
    weights, biases = [], []
    for n_in, n_out in pairwise(widths):
        w: NDArray[Any] = rng.normal(size=(n_out, n_in))
        b: NDArray[Any] = rng.normal(size=n_out)
        if kind == "integers":
            w, b = rng.integers(-2, 3, size=w.shape) * 1.0, rng.integers(-1, 2, size=n_out) * 1.0
        if kind == "no biases":
            b = np.zeros(n_out)
        if kind == "twins" and n_out > 1:
            w[-1], b[-1] = rng.choice([1, -1, 2, -3]) * w[0], b[0]
        weights.append(w)
        biases.append(b)
    return rt.ReluNetwork(weights, biases)


def relu_graph(network: rt.ReluNetwork) -> rt.GraphNetwork:
    """Return a perceptron as a graph."""
    return rt.GraphNetwork(network.input_dim, relu_nodes(network))


def random_ends(rng: Rng, d: int, n: int) -> tuple[Floats, Floats]:
    """Return points whose differences are floats; some pairs have the origin between them."""
    a, b = (rng.integers(-64, 65, size=(n, d)) / 16 for _ in range(2))
    symmetric = rng.random(n) < 0.3
    b[symmetric] = -a[symmetric]
    a[rng.random(n) < 0.1] = 0
    b[(a == b).all(axis=1)] += 1
    return a, b


def check_same_segments(quick: rt.Segments, slow: rt.Segments) -> None:
    """Compare all that is found along segments."""
    assert quick.record.status == "certified"
    for name in ("indptr", "neuron_indptr", "neurons", "meets", "first_patterns", "class_indptr"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name))
    np.testing.assert_array_equal(quick.classes, slow.classes)
    np.testing.assert_allclose(quick.t, slow.t, atol=1e-11)
    np.testing.assert_allclose(quick.outputs, slow.outputs, atol=1e-8)
