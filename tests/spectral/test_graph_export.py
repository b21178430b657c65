"""Dual graphs for other programs, read back."""

from __future__ import annotations

import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError, MissingExtraError
from relutopo.gallery import random_network


def test_graphml_round_trips(tmp_path: Path) -> None:
    complex_ = rt.decompose(
        random_network([2, 5, 4, 1], 0), rt.Box(-2, 2, dim=2), enumerator="exact"
    )
    graph = complex_.dual_graph()
    points = np.random.default_rng(0).uniform(-2, 2, (50, 2))
    part = rt.fiedler_partition(graph, points)
    path = tmp_path / "new" / "graph.graphml"
    rt.save_graphml(
        path, graph, {"population": part.counts, "fiedler": part.vector, "side": part.sides}
    )
    again = nx.read_graphml(path, node_type=int)
    edges = np.sort(np.array(again.edges), axis=1)
    np.testing.assert_array_equal(edges[np.lexsort(edges.T[::-1])], graph.edges)
    for (u, v), facet in zip(graph.edges.tolist(), graph.facets.tolist(), strict=True):
        assert again.edges[u, v]["facet"] == facet
        name = again.edges[u, v]["layer"], again.edges[u, v]["unit"]
        assert [name] == complex_.network.names_of([complex_.facet_labels[facet]])
    for node, data in again.nodes.items():
        assert data["population"] == part.counts[node]
        assert data["fiedler"] == part.vector[node]
        assert data["side"] == part.sides[node]
        assert data["volume"] == complex_.volumes[node]
        assert [data["centroid_0"], data["centroid_1"]] == complex_.centroids[node].tolist()
        assert [c == "1" for c in data["pattern"]] == complex_.patterns[node].tolist()


def test_a_searched_graph_has_patterns_only(tmp_path: Path) -> None:
    search = rt.search_regions(random_network([3, 4, 1], 0), rt.Box(-1, 1, dim=3), max_regions=4)
    rt.save_graphml(tmp_path / "graph.graphml", search.graph)
    again = nx.read_graphml(tmp_path / "graph.graphml", node_type=int)
    assert [again.nodes[i] for i in range(4)] == [
        {"pattern": "".join(map(str, row.astype(int)))} for row in search.patterns
    ]


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = rt.DualGraph(2, np.array([[0, 1]]), np.array([-1]), "hamming")
    with pytest.raises(InputError, match=r"`node_data`\['population'\] must have shape \(2,\)"):
        graph.to_networkx({"population": [1, 2, 3]})
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(MissingExtraError, match=r"'networkx', .* \"relutopo\[export\]\""):
        rt.save_graphml(tmp_path / "graph.graphml", graph)


def test_a_path_with_the_ending_of_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in .graphml or .xml, got 'g.gexf'; .*to_netw"):
        rt.save_graphml("g.gexf", nx.path_graph(3))
    rt.save_graphml(tmp_path / "g.GraphML", nx.path_graph(3))
    assert nx.read_graphml(tmp_path / "g.GraphML").number_of_edges() == 2
