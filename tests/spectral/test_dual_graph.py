"""Dual graphs are what brute force over all pairs of regions finds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError, InvariantError, MissingExtraError
from relutopo.spectral.dual_graph import _hamming_pairs


def random_complex(seed: int, widths: Sequence[int], dim: int = 2) -> rt.CellComplex:
    rng = np.random.default_rng(seed)
    shape = [dim, *widths, 1]
    weights = [rng.integers(-3, 4, (n, m)) for m, n in pairwise(shape)]
    biases = [rng.integers(-2, 3, n) for n in shape[1:]]
    return rt.decompose((weights, biases), rt.Box(-2, 2, dim=dim), enumerator="exact")


def small_graph(n: int, edges: Sequence[Sequence[int]]) -> rt.DualGraph:
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return rt.DualGraph(n, pairs, np.full(len(pairs), -1), "hamming")


@given(seed=st.integers(0, 2**32 - 1), dim=st.sampled_from([1, 2, 3]), deep=st.booleans())
@examples(25)
def test_against_all_pairs(seed: int, dim: int, deep: bool) -> None:
    """Small integer weights make duplicate neurons and shared crossings frequent."""
    complex_ = random_complex(seed, [4, 3] if deep else [5], dim)
    facets = complex_.facet_regions
    shared = {frozenset(pair): f for f, pair in enumerate(facets.tolist()) if -1 not in pair}
    facet = complex_.dual_graph("facet")
    assert {frozenset(e): f for e, f in zip(facet.edges.tolist(), facet.facets, strict=True)} == (
        shared
    )
    distance = (complex_.patterns[:, None] != complex_.patterns[None]).sum(axis=2)
    hamming = complex_.dual_graph("hamming")
    expected = np.argwhere(np.triu(distance == 1))
    np.testing.assert_array_equal(hamming.edges, expected)
    assert [shared.get(frozenset(e), -1) for e in expected.tolist()] == hamming.facets.tolist()


def test_two_adjacencies_of_coinciding_kinks() -> None:
    """Crossing two equal neurons at once changes two bits, so no Hamming edge is there."""
    twins = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    complex_ = rt.decompose(twins, rt.Box(-1, 1, dim=1), enumerator="exact")
    assert complex_.dual_graph("facet").edges.tolist() == [[0, 1]]
    assert complex_.dual_graph("hamming").n_edges == 0


def test_a_hamming_pair_may_share_no_facet() -> None:
    """A hat over a threshold: its two feet differ in one neuron and lie apart.

    f = ReLU(x + 1) - 2 ReLU(x) has its peak at 0, and the second layer is active where f > 1/2.
    Left and right of that the patterns differ in the neuron of the peak only.
    """
    hat = (
        [[[1.0], [1.0]], [[1.0, -2.0]], [[1.0]]],
        [[1.0, 0.0], [-0.5], [0.0]],
    )
    complex_ = rt.decompose(hat, rt.Box(-1, 1, dim=1), enumerator="exact")
    assert complex_.n_regions == 4
    graph = complex_.dual_graph("hamming")
    apart = graph.edges[graph.facets == -1]
    assert len(apart) == 1
    assert not complex_.patterns[apart[0], 2].any()
    assert graph.n_edges == complex_.dual_graph("facet").n_edges + 1


def test_the_two_adjacencies_of_an_ordinary_network() -> None:
    """Counts that an independent enumeration of this network over the whole plane gave."""
    torch.manual_seed(0)
    layers = [torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(8, 1))
    complex_ = rt.decompose(model, rt.Box(-1e5, 1e5, dim=2), enumerator="exact")
    facet, hamming = complex_.dual_graph("facet"), complex_.dual_graph("hamming")
    assert (complex_.n_regions, facet.n_edges, hamming.n_edges) == (156, 291, 293)
    assert (hamming.facets == -1).sum() == 2


@given(seed=st.integers(0, 2**32 - 1), n_neurons=st.integers(0, 20))
@examples(50)
def test_hamming_pairs_of_random_patterns(seed: int, n_neurons: int) -> None:
    rng = np.random.default_rng(seed)
    patterns = np.unique(rng.random((60, n_neurons)) < 0.2, axis=0)
    packed = np.packbits(patterns, axis=1, bitorder="little")
    pairs = {tuple(sorted(p)) for p in _hamming_pairs(packed, n_neurons).tolist()}
    distance = (patterns[:, None] != patterns[None]).sum(axis=2)
    assert pairs == set(map(tuple, np.argwhere(np.triu(distance == 1)).tolist()))
    assert len(_hamming_pairs(packed, n_neurons)) == len(pairs)


def test_equal_patterns_are_refused() -> None:
    packed = np.array([[1], [2], [1]], dtype=np.uint8)
    with pytest.raises(InvariantError, match="regions 0 and 2 have the same"):
        _hamming_pairs(packed, 8)


def test_adjacency_and_components() -> None:
    graph = small_graph(6, [[0, 3], [1, 2], [2, 4]])
    dense = graph.adjacency.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    assert np.argwhere(np.triu(dense)).tolist() == graph.edges.tolist()
    assert graph.component_labels.tolist() == [0, 1, 1, 0, 1, 2]
    assert graph.component_sizes.tolist() == [2, 3, 1]


def test_components_agree_with_networkx() -> None:
    rng = np.random.default_rng(0)
    edges = np.unique(np.sort(rng.integers(40, size=(25, 2)), axis=1), axis=0)
    edges = edges[edges[:, 0] < edges[:, 1]]
    graph = small_graph(40, edges.tolist())
    other = graph.to_networkx()
    assert sorted(map(len, nx.connected_components(other))) == sorted(graph.component_sizes)
    assert {tuple(sorted(e)) for e in other.edges} == set(map(tuple, graph.edges.tolist()))


def test_networkx_edges_carry_their_facet() -> None:
    graph = random_complex(0, [5]).dual_graph()
    other = graph.to_networkx()
    u, v = graph.edges[3].tolist()
    assert other.edges[u, v]["facet"] == graph.facets[3]


def test_missing_networkx_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(MissingExtraError, match="needs the package 'networkx'"):
        small_graph(2, [[0, 1]]).to_networkx()


def test_one_region_has_no_edge() -> None:
    complex_ = rt.decompose(([[[1.0]]], [[0.0]]), rt.Box(-1, 1, dim=1), enumerator="exact")
    for graph in (complex_.dual_graph("facet"), complex_.dual_graph("hamming")):
        assert (graph.n_nodes, graph.n_edges) == (1, 0)
        assert graph.edges.shape == (0, 2)


def test_unknown_adjacency() -> None:
    with pytest.raises(InputError, match=r"`adjacency` must be one of facet, hamming, got 'edge'"):
        random_complex(0, [3]).dual_graph("edge")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([[1, 0]], r"pairs u < v of nodes 0\.\.2, got \[1, 0\] in row 0"),
        ([[0, 1], [1, 3]], r"got \[1, 3\] in row 1"),
        ([[1, 1]], r"got \[1, 1\] in row 0"),
        ([[0, 2], [0, 1]], r"lexicographic order, got \[0, 1\] in row 1 after \[0, 2\]"),
        ([[0, 1], [0, 1]], r"must be distinct"),
    ],
)
def test_edges_are_checked(edges: list[list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small_graph(3, edges)


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match=r"`facets` \(n_edges,\), got \(1, 2\) and \(2,\)"):
        rt.DualGraph(2, np.array([[0, 1]]), np.array([-1, -1]), "facet")
    integers: Any = [[0, 1]]
    for n, edges in ((2.0, np.array(integers)), (2, np.array(integers) + 0.5), (2, integers)):
        with pytest.raises(InputError, match=r"must be an integer|must be an ndarray of integers"):
            rt.DualGraph(n, edges, np.array([-1]), "facet")  # type: ignore[arg-type]
