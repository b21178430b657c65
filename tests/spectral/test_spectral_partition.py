"""Partitions in k parts: planted groups, one partition from all solvers, sides for two."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

import relutopo as rt
from properties import examples
from relutopo.errors import InputError, NotUniqueWarning
from relutopo.spectral.weights import ChungLanglands

SOLVERS = ("auto", "arpack", "amg_lobpcg")


def graph_of(adjacency: NDArray[np.bool_]) -> rt.DualGraph:
    edges = np.argwhere(np.triu(adjacency, 1))
    return rt.DualGraph(len(adjacency), edges, np.full(len(edges), -1), "hamming")


def blocks(
    rng: np.random.Generator, sizes: list[int], inside: float, outside: float
) -> tuple[rt.DualGraph, NDArray[np.int64]]:
    """Return a graph of the stochastic block model, made connected by a path, and the blocks."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    chance = np.where(groups[:, None] == groups, inside, outside)
    adjacency = rng.uniform(size=chance.shape) < chance
    path = np.arange(len(groups) - 1)
    adjacency[path, path + 1] = True
    return graph_of(adjacency | adjacency.T), groups


def trained(seed: int) -> tuple[rt.CellComplex, NDArray[np.float64]]:
    net = rt.gallery.random_network([2, 10, 8, 3], seed)
    points = np.random.default_rng(seed).uniform(-1, 1, (60, 2))
    return rt.decompose(net, rt.Box(-1, 1, dim=2)), points


@pytest.mark.slow
@examples(15)
@given(k=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_blocks_are_found(k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, groups = blocks(rng, [30] * k, 0.6, 0.02)
    for solver in SOLVERS:
        part = rt.spectral_partition(
            graph, k=k, vertex_weights="unweighted", eigensolver=solver, seed=1
        )
        assert adjusted_rand_score(groups, part.parts) > 0.95
        assert part.separation < 0.7


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [2, 3, 5])
def test_all_solvers_give_the_same_parts_where_the_gap_decides(seed: int, k: int) -> None:
    complex_, points = trained(seed)
    graph = complex_.dual_graph()
    found = []
    for solver in SOLVERS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotUniqueWarning)
            found.append(
                rt.spectral_partition(
                    graph, points, k=k, vertex_weights=ChungLanglands(10), eigensolver=solver
                )
            )
    assert all(part.is_unique for part in found)
    settled = np.all([part.parts >= 0 for part in found], axis=0)
    assert settled.mean() > 0.9
    for part in found[1:]:
        assert np.array_equal(part.parts[settled], found[0].parts[settled])
        np.testing.assert_allclose(part.values, found[0].values, rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_two_parts_are_the_sides(seed: int) -> None:
    complex_, points = trained(seed)
    graph = complex_.dual_graph()
    sides, parts = rt.fiedler_partition(graph, points), rt.spectral_partition(graph, points, k=2)
    assert set(zip(sides.sides.tolist(), parts.parts.tolist(), strict=True)) in (
        {(1, 0), (-1, 1)},
        {(1, 1), (-1, 0)},
    )
    np.testing.assert_array_equal(parts.cut_edges, sides.cut_edges)
    labels = points[:, 0] > 0.2
    of_sides, of_parts = sides.agreement(points, labels), parts.agreement(points, labels)
    assert of_parts.accuracy == of_sides.accuracy
    assert of_parts.adjusted_rand_index == of_sides.adjusted_rand_index
    assert of_parts.purity == of_sides.purity
    assert of_parts.n_used == of_sides.n_used


def test_two_parts_agree_with_a_decision_as_the_sides_do() -> None:
    net = rt.gallery.random_network([2, 10, 8, 1], 3)
    points = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    graph = rt.decompose(net, rt.Box(-1, 1, dim=2)).dual_graph()
    sides = rt.fiedler_partition(graph, points).decision_agreement(points)
    parts = rt.spectral_partition(graph, points, k=2).decision_agreement(points)
    assert parts.by_points == sides.by_points
    assert parts.by_volume == pytest.approx(sides.by_volume, rel=1e-12)
    assert parts.by_regions == sides.by_regions


@pytest.mark.parametrize(("n", "k"), [(4, 3), (6, 4), (8, 2), (8, 6)])
def test_a_multiple_value_that_is_torn_apart_is_said(n: int, k: int) -> None:
    """The values of a cycle come in pairs: after an odd number of parts there is a gap."""
    ring = np.roll(np.eye(n, dtype=bool), 1, axis=1)
    graph = graph_of(ring | ring.T)
    expected = np.sort(2 - 2 * np.cos(2 * np.pi * np.arange(n) / n))
    is_torn = k < n and k % 2 == 0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        part = rt.spectral_partition(graph, k=k, vertex_weights="unweighted")
    np.testing.assert_allclose(part.values, expected[1:k], atol=1e-12)
    assert part.is_unique == (not is_torn)
    assert [w.category for w in told] == ([NotUniqueWarning] if is_torn else [])
    if not is_torn and k < n:
        assert part.separation == pytest.approx(expected[k - 1] / expected[k])


def test_known_classes() -> None:
    kinks = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    graph = rt.decompose(kinks, rt.Box(-1, 1), enumerator="exact").dual_graph()
    points = np.array([[-0.9], [-0.8], [0.0], [0.1], [0.8], [0.9], [0.5], [3.0]])
    labels = ["low", "low", "mid", "mid", "mid", "high", "high", "low"]
    part = rt.spectral_partition(graph, points, k=3)
    with pytest.warns(UserWarning, match="6 of 8 points"):
        found = part.agreement(points, labels)
    assert found.accuracy == 5 / 6
    assert found.purity == 5 / 6
    assert (found.n_used, found.n_outside, found.n_on_boundary) == (6, 1, 1)
    table = found.table()
    assert table["class"].tolist() == ["high", "low", "mid"]
    assert table["n_points"].tolist() == [1, 2, 3]
    assert table["recall"].tolist() == [1, 1, 2 / 3]
    assert table["precision"].tolist() == [0.5, 1, 1]
    assert found.confusion.sum() == 6
    two = part.agreement(points[:6], [0, 0, 1, 1, 1, 1])  # fewer classes than parts
    assert two.accuracy == 4 / 6
    four = part.agreement(points[:6], [0, 1, 2, 2, 3, 3])  # more
    assert four.accuracy == 5 / 6
    assert sorted(four.matching.tolist()) == [-1, 0, 1, 2]


def test_refusals() -> None:
    complex_, points = trained(0)
    graph = complex_.dual_graph()
    with pytest.raises(InputError, match="`k` must be at most the number of nodes to divide, "):
        rt.spectral_partition(graph, points, k=graph.n_nodes + 1)
    with pytest.raises(InputError, match="`k` must be an integer from 2, got 1"):
        rt.spectral_partition(graph, points, k=1)
    with pytest.raises(InputError, match="'signs' gives two parts, got k=3"):
        rt.spectral_partition(graph, points, k=3, rounding="signs")
    part = rt.spectral_partition(graph, points, k=3)
    with pytest.raises(InputError, match="`labels` must have one entry for each of the 60 points"):
        part.agreement(points, [0, 1])


def test_as_many_parts_as_regions() -> None:
    complex_, points = trained(1)
    graph = complex_.dual_graph()
    part = rt.spectral_partition(graph, points, k=graph.n_nodes)
    assert part.separation == 0.0
    assert part.parts.tolist() == list(range(graph.n_nodes))


def test_graphs_of_ones_own() -> None:
    """Three cliques in a row, of NetworkX and as a matrix, with names."""
    networkx = pytest.importorskip("networkx")
    graph = networkx.disjoint_union_all([networkx.complete_graph(5) for _ in range(3)])
    graph.add_edges_from([(4, 5, {"weight": 0.1}), (9, 10, {"weight": 0.1})])
    for brought in (graph, networkx.to_numpy_array(graph), networkx.to_scipy_sparse_array(graph)):
        part = rt.spectral_partition(brought, k=3)
        assert part.parts.tolist() == [0] * 5 + [1] * 5 + [2] * 5
        assert "5 + 5 + 5 nodes" in repr(part)
        with pytest.raises(InputError, match="`graph` must have a complex"):
            part.decision_agreement()
