"""What tests of enumerators need: comparison of complexes, and networks with known complexes.

For everybody's tests, benchmarks and backends.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb

import numpy as np
from numpy.typing import NDArray

from relutopo.complex import CellComplex
from relutopo.networks.perceptron import ReluNetwork

__all__ = [
    "assert_same_complex",
    "central_arrangement",
    "general_arrangement",
    "n_regions_central",
    "n_regions_general",
    "random_network",
]


def assert_same_complex(a: CellComplex, b: CellComplex, tolerance: float = 1e-9) -> None:
    """Check that two complexes have the same cells, after canonical relabelling.

    Parameters
    ----------
    a, b : CellComplex
        Of the same network and domain.
    tolerance : float
        How far coordinates may differ, relative to the domain's magnitude. They must not differ by
        more than the bounds of their errors in any case.

    Raises
    ------
    AssertionError
        If cells, incidences, patterns, labels or coordinates differ.
    """
    assert a.n_cells == b.n_cells, f"{a} and {b} have different numbers of cells"
    a, b = a.canonical(), b.canonical()
    np.testing.assert_array_equal(a.packed_patterns, b.packed_patterns)
    for k, (x, y) in enumerate(zip(a.facets, b.facets, strict=True), start=1):
        np.testing.assert_array_equal(x[0], y[0], err_msg=f"numbers of facets of {k}-cells")
        np.testing.assert_array_equal(x[1], y[1], err_msg=f"facets of {k}-cells")
    np.testing.assert_array_equal(a.facet_labels, b.facet_labels)
    off = np.abs(a.vertices - b.vertices).max(axis=1)
    assert (off <= a.vertex_errors + b.vertex_errors).all(), (
        "vertices differ by more than the bounds of their errors"
    )
    np.testing.assert_allclose(
        a.vertices, b.vertices, rtol=0, atol=tolerance * float(a.domain.magnitude.max())
    )


def general_arrangement(n: int, dim: int, seed: int) -> ReluNetwork:
    """Return one hidden layer of n hyperplanes in general position, all near the origin.

    Parameters
    ----------
    n : int
        Number of neurons.
    dim : int
        Dimension d.
    seed : int

    Examples
    --------
    >>> general_arrangement(3, 2, seed=0).layer_sizes
    (3,)
    """
    rng = np.random.default_rng(seed)
    return _one_layer(rng.standard_normal((n, dim)), 0.1 * rng.standard_normal(n))


def n_regions_general(n: int, dim: int) -> int:
    """Return Σ_{i ≤ d} C(n, i), the regions of n hyperplanes in general position in R^d.

    Zaslavsky, Facing up to arrangements (1975).

    Examples
    --------
    >>> n_regions_general(3, 2)
    7
    """
    return sum(comb(n, i) for i in range(dim + 1))


def central_arrangement(n: int, dim: int, seed: int) -> ReluNetwork:
    """Return one hidden layer of n hyperplanes through the origin, otherwise general.

    Examples
    --------
    >>> central_arrangement(3, 2, seed=0).biases[0].tolist()
    [0.0, 0.0, 0.0]
    """
    rng = np.random.default_rng(seed)
    return _one_layer(rng.standard_normal((n, dim)), np.zeros(n))


def n_regions_central(n: int, dim: int) -> int:
    """Return 2 Σ_{i < d} C(n - 1, i), the regions of n general hyperplanes through one point.

    Examples
    --------
    >>> n_regions_central(5, 2)
    10
    """
    return 2 * sum(comb(n - 1, i) for i in range(dim))


def random_network(
    widths: Sequence[int], seed: int, kind: str = "gaussian", bias: bool = True
) -> ReluNetwork:
    """Return a network with random weights.

    Parameters
    ----------
    widths : sequence of int
        Input dimension, hidden layer sizes, outputs.
    seed : int
    kind : {"gaussian", "integer", "float32"}
        Standard normal weights, weights in {-1, 0, 1} (coincidences everywhere), or normal ones
        rounded to float32.
    bias : bool
        Whether biases differ from zero.

    Examples
    --------
    >>> random_network([2, 4, 1], seed=0, kind="integer").widths
    (2, 4, 1)
    """
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> NDArray[np.float64]:
        if kind == "integer":
            return rng.integers(-1, 2, shape).astype(np.float64)
        values = rng.standard_normal(shape)
        return values.astype(np.float32).astype(np.float64) if kind == "float32" else values

    weights = [draw(n, m) for m, n in pairwise(widths)]
    biases = [draw(n) if bias else np.zeros(n) for n in widths[1:]]
    return ReluNetwork(weights, biases)


def _one_layer(normals: NDArray[np.float64], offsets: NDArray[np.float64]) -> ReluNetwork:
    return ReluNetwork([normals, np.ones((1, len(normals)))], [offsets, np.zeros(1)])
