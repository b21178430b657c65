"""Any graph: the same partition whatever form it comes in, with values known in closed form."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, sparse

import relutopo as rt
from properties import examples
from relutopo.errors import (
    DisconnectedGraphError,
    InputError,
    NoFiedlerVectorError,
    NotUniqueWarning,
)
from relutopo.gallery import random_network


def forms(graph: Any) -> list[Any]:
    """The same graph as people have it."""
    matrix = nx.to_scipy_sparse_array(graph)
    dense = matrix.toarray()
    return [
        graph,
        matrix,
        sparse.csc_matrix(matrix),
        sparse.coo_array(matrix),
        sparse.lil_array(matrix),
        dense,
        dense.tolist(),
        pd.DataFrame(dense, index=list(graph), columns=list(graph)),
    ]


CLOSED_FORMS = {
    "path": (nx.path_graph(7), 2 - 2 * np.cos(np.pi / 7)),
    "grid": (nx.grid_2d_graph(3, 5), 2 - 2 * np.cos(np.pi / 5)),
    "two nodes": (nx.path_graph(2), 2.0),
    "weighted path": (nx.Graph([(0, 1, {"weight": 3}), (1, 2, {"weight": 3})]), 3.0),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name: str) -> None:
    graph, value = CLOSED_FORMS[name]
    first = rt.fiedler_partition(graph)
    for form in forms(graph):
        part = rt.fiedler_partition(form)
        assert part.value == pytest.approx(value, rel=1e-9)
        np.testing.assert_array_equal(part.sides, first.sides)
        assert repr(part).endswith(" nodes, dense)") or "on the cut" in repr(part)


def test_a_cycle_has_a_double_value() -> None:
    with pytest.warns(NotUniqueWarning):
        part = rt.fiedler_partition(nx.cycle_graph(8))
    assert part.multiplicity == 2
    assert part.value == pytest.approx(2 - 2 * np.cos(2 * np.pi / 8))


def test_a_barbell_is_cut_at_its_bridge() -> None:
    graph = nx.barbell_graph(6, 0)
    part = rt.fiedler_partition(graph)
    assert part.cut_edges.tolist() == [[5, 6]]
    assert part.sweep_cut().conductance == pytest.approx(1 / 6)
    assert part.uniqueness == "one Fiedler vector"


@given(seed=st.integers(0, 2**32 - 1))
@examples(20)
def test_random_weighted_graphs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 12))
    upper = np.triu(rng.uniform(0.5, 2, (n, n)) * (rng.random((n, n)) < 0.6), 1)
    upper[np.arange(n - 1), np.arange(1, n)] = 1.0
    matrix = upper + upper.T
    nodes = rng.uniform(0.5, 3, n)
    part = rt.fiedler_partition(matrix, vertex_weights=nodes)
    laplacian = np.diag(matrix.sum(axis=1)) - matrix
    assert part.value == pytest.approx(linalg.eigh(laplacian, np.diag(nodes))[0][1], rel=1e-8)
    np.testing.assert_array_equal(part.vertex_weights, nodes)
    assert part.edge_weights.sum() == pytest.approx(upper.sum())


def test_names_are_kept(tmp_path: Any) -> None:
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=2.0, cost=1.0)
    graph.add_edge("c", "b", weight=0.5, cost=5.0)
    graph.add_edge("c", "d", weight=1.0)
    part: Any = rt.fiedler_partition(graph, vertex_weights={"d": 4, "a": 1, "b": 2, "c": 3})
    assert part.graph.names == ("a", "b", "c", "d")
    assert part.vertex_weights.tolist() == [1, 2, 3, 4]
    assert [part.graph.names[i] for i in part.cut_edges[0]] == ["b", "c"]
    table = part.table()
    assert table.node.tolist() == ["a", "b", "c", "d"]
    assert "region" not in table
    assert "decision" not in table
    assert rt.columns(table)["node"].unit == "text"
    again = part.graph.to_networkx({"side": part.sides})
    assert again.edges["c", "b"] == {"weight": 0.5}
    assert {again.nodes[n]["side"] for n in "ab"} != {again.nodes[n]["side"] for n in "cd"}
    rt.save_graphml(tmp_path / "graph.graphml", graph)
    assert nx.read_graphml(tmp_path / "graph.graphml").edges["a", "b"]["weight"] == 2.0
    by_cost: Any = rt.as_graph(graph, weight="cost")
    assert by_cost.weights.tolist() == [1.0, 5.0, 1.0]


def test_parallel_edges_add_up() -> None:
    graph = nx.MultiGraph([(0, 1), (1, 0), (1, 2)])
    added: Any = rt.as_graph(graph)
    assert added.weights.tolist() == [2.0, 1.0]
    weighted = nx.Graph([(0, 1, {"weight": 2}), (1, 2)])
    assert rt.fiedler_partition(graph).value == rt.fiedler_partition(weighted).value


def test_edges_without_weight_are_none() -> None:
    graph = rt.as_graph(sparse.csr_array(([0.0, 0.0, 1.0, 1.0], ([0, 1, 1, 2], [1, 0, 2, 1]))))
    assert graph.edges.tolist() == [[1, 2]]


def test_weights_of_edges_may_be_given() -> None:
    path = nx.path_graph(3)
    assert rt.fiedler_partition(path, edge_weights=[3, 3]).value == pytest.approx(3)
    graph = nx.Graph([(0, 1, {"weight": 9}), (1, 2, {"weight": 9})])
    assert rt.fiedler_partition(graph, edge_weights="unit").value == pytest.approx(1)


def test_a_complex_and_a_search_stand_for_their_graphs() -> None:
    network = random_network([2, 5, 1], 0)
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    graph = complex_.dual_graph()
    part = rt.fiedler_partition(complex_, points)
    assert part.value == rt.fiedler_partition(graph, points).value
    brought = rt.fiedler_partition(graph.to_networkx(), vertex_weights=1 + part.counts)
    assert brought.value == pytest.approx(part.value)
    numbers = rt.fiedler_partition(complex_, vertex_weights=1 + part.counts)
    assert numbers.value == part.value
    search = rt.search_regions(network, rt.Box(-1, 1, dim=2))
    unweighted = rt.fiedler_partition(search, vertex_weights="unweighted")
    assert unweighted.value == pytest.approx(
        rt.fiedler_partition(complex_, vertex_weights="unweighted").value
    )


def loop() -> Any:
    graph = nx.path_graph(3)
    graph.add_edge(1, 1)
    return graph


def weighted(value: Any) -> Any:
    return nx.Graph([("a", "b", {"weight": value}), ("b", "c")])


PATH = nx.to_numpy_array(nx.path_graph(3))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (nx.DiGraph([(0, 1)]), r"`graph` must be undirected, got a DiGraph.*to_undirected\(\)"),
        (loop(), r"`graph` must have no loops.*node 1; drop them by .*selfloop_edges"),
        (PATH + np.eye(3), r"`graph` must have no loops.*node 0; drop them by A - "),
        (np.triu(PATH), r"symmetric matrix, got 1 at \(0, 1\) and 0 at \(1, 0\); pass"),
        (sparse.csr_array(np.triu(PATH)), r"symmetric matrix"),
        (-PATH, r"not negative, got -1 between nodes 0 and 1; of a Laplacian L pass"),
        (np.diag([1.0, 2, 1]) - PATH, r"of a Laplacian L pass the adjacency matrix"),
        (PATH * np.nan, r"must have weights that are finite and not negative, got nan"),
        (weighted(-2), r"got -2 between nodes 'a' and 'b'"),
        (weighted(float("nan")), r"got nan between nodes 'a' and 'b'"),
        (weighted(float("inf")), r"got inf between nodes 'a' and 'b'"),
        (weighted("much"), r"`graph edges' 'weight'` must be an array of numbers"),
        (weighted(None), r"must have weights that are finite .* got nan"),
        (PATH[:2], r"must be square and of real numbers, got one of shape \(2, 3\)"),
        (np.ones(4), r"must be square and of real numbers, got an array of shape \(4,\)"),
        (1j * PATH, r"`graph` must be an array of numbers, got dtype complex128"),
        (sparse.csr_array(1j * PATH), r"of real numbers, got one of shape .* complex128"),
        ([["a", "b"], ["b", "a"]], r"`graph` must be an array of numbers"),
        ("graph", r"`graph` must be a graph of regions, a complex, .* got str; take"),
        (None, r"`graph` must be a graph of regions, a complex, .* got NoneType; take"),
    ],
)
def test_what_is_no_graph_is_said(graph: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.fiedler_partition(graph)


def test_graphs_without_a_fiedler_vector() -> None:
    apart = nx.Graph([(0, 1), (1, 2), (3, 4)])
    for form in forms(apart):
        with pytest.raises(DisconnectedGraphError, match="2 components of 3, 2 nodes"):
            rt.fiedler_partition(form)
        part = rt.fiedler_partition(form, component="largest")
        assert part.component.tolist() == [True] * 3 + [False] * 2
    for empty in (nx.Graph(), nx.empty_graph(1), np.zeros((1, 1)), np.zeros((0, 0))):
        with pytest.raises(NoFiedlerVectorError, match="a single node has no Fiedler vector"):
            rt.fiedler_partition(empty)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": np.zeros((3, 2))}, r"`points` must be left out .*pass numbers of the nodes"),
        ({"vertex_weights": [1, 2]}, r"`vertex_weights` must .*shape \(3,\).*got \(2,\)"),
        ({"vertex_weights": [1, 0, 1]}, r"`vertex_weights` must be positive .*got 0.0 for node 1"),
        ({"vertex_weights": {0: 1, 1: 1}}, r"for each of the 3 nodes, got none for 2"),
        ({"vertex_weights": {0: 1, 1: 1, 2: 1, "x": 2}}, r"3 nodes, got 4 numbers"),
        ({"vertex_weights": "count_plus_one"}, r"`points` must be given"),
        ({"vertex_weights": ["a", "b", "c"]}, r"`vertex_weights` must be an array of numbers"),
        ({"edge_weights": [1.0]}, r"`edge_weights` must .*shape \(2,\).*got \(1,\)"),
        ({"edge_weights": [1.0, np.nan]}, r"`edge_weights` must be positive .*got nan for edge 1"),
        ({"edge_weights": "facet_length"}, r"'facet_length' needs adjacency 'facet', got 'given'"),
        ({"edge_weights": "inverse_distance"}, r"needs a graph with a complex"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.fiedler_partition(nx.path_graph(3), **options)


def test_what_has_no_meaning_says_so() -> None:
    part = rt.fiedler_partition(nx.path_graph(4))
    assert part.counts.tolist() == [0] * 4
    for call in (
        lambda: part.decision_agreement(),
        lambda: part.complex,
        lambda: part.agreement(np.zeros((4, 2)), [0, 0, 1, 1]),
        lambda: part.locate([[0.0]]),
    ):
        with pytest.raises(InputError, match=r"graph of one's own"):
            call()
