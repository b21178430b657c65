"""Weights and the pencil against their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.errors import InputError
from relutopo.spectral.laplacian import coboundary, pencil
from relutopo.spectral.weights import (
    ChungLanglands,
    CountPlusOne,
    EdgeWeights,
    FacetLength,
    InverseDistance,
    ScaledCount,
    UnitEdges,
    Unweighted,
    VertexWeights,
)


def small_graph(n: int, edges: list[list[int]], kind: str = "hamming") -> rt.DualGraph:
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return rt.DualGraph(n, pairs, np.full(len(pairs), -1), kind)  # type: ignore[arg-type]


def complete_graph(n: int) -> rt.DualGraph:
    return small_graph(n, np.stack(np.triu_indices(n, 1), axis=1).tolist())


def unit_square_in_four() -> rt.CellComplex:
    """[0, 4] x [0, 1] cut at x = 1 and y = 1/4."""
    net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[-1.0, -0.25], [0.0]])
    return rt.decompose(net, rt.Box([0, 0], [4, 1]), enumerator="exact")


PATH = small_graph(3, [[0, 1], [1, 2]])
COUNTS = np.array([3, 0, 5])


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (CountPlusOne(), [4, 1, 6]),
        (ScaledCount(10), [31, 1, 51]),
        (ScaledCount(), [1 + 9 / 8, 1, 1 + 15 / 8]),
        (ChungLanglands(), [4, 1, 6]),
        (Unweighted(), [1, 1, 1]),
    ],
)
def test_vertex_weights(strategy: VertexWeights, expected: list[float]) -> None:
    assert strategy(PATH, COUNTS).tolist() == expected


def test_scaled_count_weighs_the_data_like_the_regions() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, 50)
    weights = ScaledCount()(complete_graph(50), counts)
    assert weights.sum() == pytest.approx(2 * 50)


def test_registry_holds_them_all() -> None:
    assert all(
        isinstance(registry.create("vertex_weights", name), VertexWeights)
        for name in registry.names("vertex_weights")
    )
    assert all(
        isinstance(registry.create("edge_weights", name), EdgeWeights)
        for name in registry.names("edge_weights")
    )
    assert registry.create("vertex_weights", "scaled_count", scale=2.0) == ScaledCount(2.0)


@pytest.mark.parametrize("scale", [-1.0, np.inf, np.nan])
def test_scale_is_checked(scale: float) -> None:
    with pytest.raises(InputError, match="`scale` must be a finite number ≥ 0"):
        ScaledCount(scale)


def test_edge_weights_measure_the_complex() -> None:
    complex_ = unit_square_in_four()
    graph = complex_.dual_graph()
    middles = complex_.interior_points
    across = middles[graph.edges[:, 0], 0] != middles[graph.edges[:, 1], 0]
    lengths = FacetLength()(graph)
    # Facets between left and right are the parts 1/4 and 3/4 of x = 1; the others 1 and 3 long.
    assert sorted(lengths[across]) == pytest.approx([0.25, 0.75])
    assert sorted(lengths[~across]) == pytest.approx([1, 3])
    inverse = InverseDistance()(graph)
    assert inverse[across] == pytest.approx(1 / 2.0)
    assert inverse[~across] == pytest.approx(1 / 0.5)


def test_facet_length_needs_facets() -> None:
    graph = unit_square_in_four().dual_graph("hamming")
    with pytest.raises(InputError, match="needs adjacency 'facet', got 'hamming'"):
        FacetLength()(graph)
    with pytest.raises(InputError, match="'facet_length' needs a graph with a complex"):
        FacetLength()(small_graph(2, [[0, 1]], "facet"))
    with pytest.raises(InputError, match="'inverse_distance' needs a graph with a complex"):
        InverseDistance()(small_graph(2, [[0, 1]]))
    assert (InverseDistance()(graph) > 0).all()


class _Random(EdgeWeights):
    def __call__(self, graph: rt.DualGraph) -> NDArray[np.float64]:
        return np.random.default_rng(0).uniform(1, 2, graph.n_edges)


def test_laplacian_is_the_quadratic_form_of_differences() -> None:
    rng = np.random.default_rng(1)
    graph = complete_graph(7)
    system = pencil(graph, np.zeros(7, dtype=np.int64), Unweighted(), _Random())
    x = rng.standard_normal(7)
    u, v = graph.edges.T
    assert x @ (system.laplacian @ x) == pytest.approx(
        np.sum(_Random()(graph) * (x[u] - x[v]) ** 2)
    )
    np.testing.assert_allclose(coboundary(graph) @ x, x[v] - x[u])
    np.testing.assert_allclose(system.laplacian @ np.ones(7), 0, atol=1e-14)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12))
@examples(30)
def test_matrices_of_random_graphs(seed: int, n: int) -> None:
    """Isolated nodes, several components and no edges at all are among them."""
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    graph = small_graph(n, pairs[rng.random(len(pairs)) < rng.random()].tolist())
    system = pencil(graph, np.zeros(n, dtype=np.int64), Unweighted(), _Random())
    d, laplacian = coboundary(graph).toarray(), system.laplacian
    np.testing.assert_allclose(
        laplacian.toarray(), d.T @ np.diag(system.edge_weights) @ d, atol=1e-13
    )
    for matrix in (laplacian, graph.adjacency):
        rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
        assert (np.diff(rows * n + matrix.indices) > 0).all()  # sorted, and no entry twice
    np.testing.assert_array_equal(graph.adjacency.toarray(), (laplacian.toarray() < 0))


def test_unweighted_laplacian_is_degree_minus_adjacency() -> None:
    graph = unit_square_in_four().dual_graph()
    laplacian = pencil(graph, np.zeros(4, dtype=np.int64), Unweighted(), UnitEdges()).laplacian
    adjacency = graph.adjacency.toarray().astype(float)
    np.testing.assert_array_equal(laplacian.toarray(), np.diag(adjacency.sum(axis=1)) - adjacency)


def test_chung_langlands_has_the_spectrum_of_their_matrix() -> None:
    """D' - W^{1/2} A W^{1/2}, written out entry by entry as they define it."""
    rng = np.random.default_rng(2)
    pairs = np.stack(np.triu_indices(8, 1), axis=1)
    graph = small_graph(8, pairs[rng.random(len(pairs)) < 0.5].tolist())
    counts = rng.integers(0, 20, 8)
    alpha = 1.0 + counts
    theirs = np.zeros((8, 8))
    weights = np.zeros((8, 8))
    weights[tuple(graph.edges.T)] = _Random()(graph)
    weights += weights.T
    for u in range(8):
        theirs[u, u] = sum(alpha[z] * weights[u, z] for z in range(8))
        for v in range(8):
            if u != v:
                theirs[u, v] = -np.sqrt(alpha[u] * alpha[v]) * weights[u, v]
    system = pencil(graph, counts, ChungLanglands(), _Random())
    ours = scipy.linalg.eigvalsh(system.laplacian.toarray(), np.diag(system.vertex_weights))
    np.testing.assert_allclose(ours, np.linalg.eigvalsh(theirs), atol=1e-9)


def test_chung_langlands_on_a_complete_graph_has_the_total_weight_as_value() -> None:
    counts = np.array([4, 0, 0, 9, 2])
    system = pencil(complete_graph(5), counts, ChungLanglands(), UnitEdges())
    values = scipy.linalg.eigvalsh(system.laplacian.toarray(), np.diag(system.vertex_weights))
    np.testing.assert_allclose(values, [0, 20, 20, 20, 20], atol=1e-9)


class _Broken(VertexWeights):
    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights)

    def __call__(self, graph: rt.DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 0.0, 1.0], "must give positive finite weights, got 0.0 at index 1"),
        ([1.0, 2.0, np.nan], "got nan at index 2"),
        ([1.0], r"must give an array of shape \(3,\), got \(1,\)"),
    ],
)
def test_strategies_are_checked(weights: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        pencil(PATH, COUNTS, _Broken(weights), UnitEdges())


class _Factors(Unweighted):
    def __init__(self, factors: Any) -> None:
        self.factors = factors

    def edge_factors(self, graph: rt.DualGraph, weights: NDArray[np.float64]) -> Any:
        return self.factors


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (np.array([1.0, -2.0]), "must give positive finite weights, got -2.0 at index 1"),
        (np.array([np.inf, 1.0]), "got inf at index 0"),
        (np.ones(3), r"must give an array of shape \(2,\), got \(3,\)"),
        (np.ones((2, 1)), r"must give an array of shape \(2,\), got \(2, 1\)"),
        (0.0, "got 0.0 at index 0"),
        (None, "got nan at index 0"),
        (np.full(2, 1e300), "got inf at index 0"),
    ],
)
def test_edge_factors_are_checked(factors: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"`edge_factors` of `vertex_weights`=.*{message}"):
        pencil(PATH, COUNTS, _Factors(factors), _Huge())


class _Huge(EdgeWeights):
    def __call__(self, graph: rt.DualGraph) -> NDArray[np.float64]:
        return np.full(graph.n_edges, 1e10)
