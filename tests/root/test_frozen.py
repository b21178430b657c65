"""What is certified or checked cannot be changed behind its back."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import relutopo as rt
from relutopo.interfaces import BoundaryMatrix
from relutopo.networks.graph import Affine, Kink
from relutopo.networks.perceptron import relu_nodes

NETWORK = rt.ReluNetwork(
    [[[1.0, 0.5], [-0.5, 1.0], [1.0, 1.0]], [[1.0, -1.0, 0.5]]], [[0.1, 0.2, -0.3], [0.0]]
)
DERIVED = (
    *("patterns", "facet_regions", "interior_points", "volumes", "centroids", "facet_measures"),
    *("adjacency", "component_labels", "positions"),
)
"""Arrays that are made when they are first asked for."""


def graph_network() -> rt.GraphNetwork:
    sparse_first = Affine((0,), (sparse.csr_array(np.eye(2)),), np.zeros(2))
    moved = [
        Affine(tuple(s + 1 for s in node.sources), node.matrices, node.bias)
        if isinstance(node, Affine)
        else Kink(node.source + 1, node.slope_on, node.slope_off)
        for node in relu_nodes(NETWORK)
    ]
    return rt.GraphNetwork(2, [sparse_first, *moved])


def certified(enumerator: str = "cpu", dim: int = 2) -> Iterator[Any]:
    network = graph_network() if dim == 2 else rt.ReluNetwork([np.eye(dim)], [np.zeros(dim)])
    box = rt.Box(-1, 1, dim=dim)
    cut = rt.decompose(network, box, enumerator=enumerator)
    yield from (NETWORK, network, box, cut, cut.canonical())
    yield rt.Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
    yield rt.AffineSlice([0.0, 0.0, 5.0], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    graph, filtration = cut.dual_graph(), rt.filtration(cut, "dimension_major")
    yield from (graph, filtration, cut.boundary_matrix(filtration))
    if graph.n_nodes > 1:
        yield rt.fiedler_partition(graph, [[0.5] * dim])
    yield rt.persistence(cut, filtration)


def arrays_in(value: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, sparse.csr_array):
        yield from (value.data, value.indices, value.indptr)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from arrays_in(part, seen)
    elif type(value).__module__.startswith("relutopo") and hasattr(value, "__dict__"):
        for name, part in vars(value).items():
            if not name.startswith("_simplices") and name not in ("sizes", "integers"):
                yield from arrays_in(part, seen)


@pytest.mark.parametrize(("enumerator", "dim"), [("cpu", 1), ("cpu", 2), ("cpu", 3), ("exact", 2)])
def test_nothing_can_be_written_to_and_copies_are_the_same(enumerator: str, dim: int) -> None:
    for thing in certified(enumerator, dim):
        for name in DERIVED:
            getattr(thing, name, None)
        for same in (
            thing,
            copy.copy(thing),
            copy.deepcopy(thing),
            pickle.loads(pickle.dumps(thing)),
        ):
            found = list(arrays_in(same))
            assert found, type(thing)
            for array in found:
                assert not array.flags.writeable, type(thing)
                part: Any = array
                while isinstance(part, np.ndarray):
                    assert not part.flags.writeable, type(thing)
                    part = part.base


def test_arrays_of_a_caller_stay_the_callers() -> None:
    weights, biases = [np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)]
    network = rt.ReluNetwork(weights, biases)
    slopes, bias, matrix = np.ones(2), np.zeros(2), np.eye(2)
    rows = sparse.csr_array(np.eye(2))
    graph_net = rt.GraphNetwork(2, [Affine((0,), (matrix,), bias), Affine((1,), (rows,), bias)])
    kink = Kink(0, slopes, slopes)
    edges, facets = np.array([[0, 1]]), np.array([-1])
    graph = rt.DualGraph(2, edges, facets, "hamming")
    ptr, rows_of_columns, dims = np.array([0, 0, 0, 2]), np.array([0, 1]), np.zeros(3, np.int8)
    dims[2] = 1
    matrices = [
        BoundaryMatrix(ptr, rows_of_columns, dims, verify=verify) for verify in (True, False)
    ]
    cut = rt.decompose(NETWORK, rt.Box(-1, 1, dim=2))
    vertices = cut.vertices.copy()
    again = replace(cut, vertices=vertices)
    low, high = np.zeros(2), np.ones(2)
    box = rt.Box(low, high)  # type: ignore[arg-type]
    normals, offsets = np.array([[-1.0, 0], [0, -1], [1, 1]]), np.array([0.0, 0, 1])
    triangle = rt.Polytope(normals, offsets)
    given = [*weights, *biases, slopes, bias, matrix, rows.data, edges, facets]
    given += [ptr, rows_of_columns, dims]
    given += [vertices, low, high, normals, offsets]
    kept = (network, graph_net, kink, graph, matrices, again, box, triangle)
    before = pickle.dumps(kept)
    for array in given:
        array += 7
    assert pickle.dumps(kept) == before


def test_what_is_frozen_is_not_copied() -> None:
    cut = rt.decompose(NETWORK, rt.Box(-1, 1, dim=2))
    again = replace(cut, record=cut.record)
    for first, second in zip(arrays_in(cut), arrays_in(again), strict=True):
        assert first is second
    graph = cut.dual_graph()
    assert rt.DualGraph(graph.n_nodes, graph.edges, graph.facets, "facet").edges is graph.edges


def test_a_boundary_can_be_sorted_in_place() -> None:
    cut = rt.decompose(NETWORK, rt.Box(-1, 1, dim=2))
    before = [indices.copy() for _, indices in cut.facets]
    for k in (1, 2):
        cut.boundary(k).sort_indices()
    for (_, indices), kept in zip(cut.facets, before, strict=True):
        np.testing.assert_array_equal(indices, kept)
