"""Path graphs: part of the dual graph, and contracted as conductors are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.patterns import unpack_patterns


def seen_by(widths: list[int], seed: int, n: int = 12) -> tuple[rt.PathGraph, rt.Segments]:
    rng = np.random.default_rng(seed)
    network = random_network(widths, seed=seed)
    ends = rng.uniform(-2, 2, (2, n, widths[0]))
    found = rt.segments(network, ends[0], ends[1])
    return rt.path_graph(found), found


@examples(25)
@given(st.integers(0, 10**6), st.sampled_from([[2, 5, 4, 1], [3, 4, 3, 2], [2, 3, 3, 3, 1]]))
def test_it_is_part_of_the_dual_graph(seed: int, widths: list[int]) -> None:
    seen, found = seen_by(widths, seed)
    box = rt.Box(-2, 2, dim=widths[0])
    complex_ = rt.decompose(found.network, box, enumerator="exact")
    whole = complex_.dual_graph()
    packed = {bytes(row): i for i, row in enumerate(complex_.packed_patterns)}
    assert seen.graph.regions is not None
    names = [packed[bytes(row)] for row in seen.graph.regions.packed_patterns]
    edges = {tuple(edge) for edge in whole.edges.tolist()}
    for u, v in seen.graph.edges.tolist():
        assert tuple(sorted((names[u], names[v]))) in edges
    assert seen.visits.sum() == len(found.t) + len(found)
    assert seen.crossings.sum() + seen.n_meetings == len(found.t)
    assert (seen.graph.locate(found.starts) == seen.ends[:, 0]).all()
    assert seen.coverage(found.ends) == 1.0


@pytest.mark.slow
@examples(20)
@given(st.integers(0, 10**6))
def test_contracting_keeps_what_flows_between_the_nodes_that_stay(seed: int) -> None:
    seen, _ = seen_by([2, 6, 4, 1], seed)
    left = seen.contracted()
    n = seen.graph.n_nodes
    weights = seen.graph.adjacency.toarray().astype(float)
    laplacian = np.diag(weights.sum(axis=0)) - weights
    gone = np.setdiff1d(np.arange(n), left.nodes)
    # What is not joined to a node that stays has no part in it.
    b = laplacian[np.ix_(left.nodes, gone)]
    schur = (
        laplacian[np.ix_(left.nodes, left.nodes)]
        - b @ np.linalg.pinv(laplacian[np.ix_(gone, gone)]) @ b.T
    )
    conductances = left.conductances.toarray()
    expected = np.diag(conductances.sum(axis=0)) - conductances
    np.testing.assert_allclose(schur, expected, atol=1e-8)


@pytest.mark.slow
def test_partitions_take_it() -> None:
    data = rt.two_moons(n=60)
    network = random_network([2, 8, 8, 1], seed=2)
    pairs = rt.segment_pairs(data.points, n=200)
    seen = rt.path_graph(rt.segments(network, data.points, pairs=pairs))
    part = rt.fiedler_partition(
        seen.graph, data.points, vertex_weights=rt.ChungLanglands(), component="largest"
    )
    assert part.agreement(data.points, data.targets).accuracy >= 0.5
    assert not seen.is_bundle


def test_in_many_dimensions_it_is_a_bundle_and_says_so() -> None:
    seen, _ = seen_by([40, 30, 30, 1], 0, n=20)
    assert seen.is_bundle
    assert "a bundle of paths" in str(seen._facts()["regions over pieces"])


def test_planes_that_meet_make_no_edge() -> None:
    cross = rt.ReluNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    seen = rt.path_graph(rt.segments(cross, [[-1.0, -1.0]], [[1.0, 1.0]]))
    assert (seen.graph.n_nodes, seen.graph.n_edges, seen.n_meetings) == (2, 0, 1)
    assert seen.graph.regions is not None
    patterns = unpack_patterns(seen.graph.regions.packed_patterns, 2)
    assert patterns.tolist() == [[False, False], [True, True]]


def test_without_segments_nothing_is_covered() -> None:
    network = rt.gallery.random_network([2, 4, 1], seed=0)
    found = rt.segments(network, np.zeros((1, 2)), pairs=np.empty((0, 2)))
    seen = rt.path_graph(found)
    assert (seen.graph.n_nodes, seen.coverage([[0.0, 0.0]])) == (0, 0.0)
    with pytest.raises(InputError, match="one or more"):
        seen.coverage(np.empty((0, 2)))


def test_only_segments_make_one() -> None:
    with pytest.raises(InputError, match="`found` must be Segments, got"):
        rt.path_graph(np.zeros((3, 2)))  # type: ignore[arg-type]


@examples(25)
@given(st.integers(0, 10**6), st.sampled_from([[2, 5, 4, 1], [3, 4, 3, 2], [2, 3, 3, 3, 1]]))
def test_induced_edges_are_all_facets_between_known_regions(seed: int, widths: list[int]) -> None:
    """Those of the dual graph on a box that holds whatever the regions have in common."""
    seen, found = seen_by(widths, seed, n=5)
    more = rt.path_graph(found, induced=True)
    assert more.graph.regions is not None
    complex_ = rt.decompose(found.network, more.graph.regions.domain, enumerator="exact")
    whole = complex_.dual_graph()
    numbers = {bytes(row): i for i, row in enumerate(more.graph.regions.packed_patterns)}
    expected = set()
    for u, v in whole.edges.tolist():
        rows = complex_.packed_patterns[[u, v]]
        pair = sorted(numbers.get(bytes(row), -1) for row in rows)
        # Several neurons with one plane switch together; these are not looked for.
        if pair[0] >= 0 and np.unpackbits(rows[0] ^ rows[1]).sum() == 1:
            expected.add(tuple(pair))
    got = {tuple(edge) for edge in more.graph.edges.tolist()}
    assert more.n_open == 0
    assert got == expected | {tuple(edge) for edge in seen.graph.edges.tolist()}
    assert more.n_induced == len(got) - seen.graph.n_edges
    assert (more.crossings == 0).sum() == more.n_induced
    assert more.crossings.sum() == seen.crossings.sum()


def test_in_many_dimensions_hardly_any_edge_is_induced() -> None:
    seen, found = seen_by([40, 30, 30, 1], 0, n=20)
    more = rt.path_graph(found, induced=True)
    assert more.n_induced <= 0.02 * seen.graph.n_edges
    with pytest.raises(InputError, match="`induced` must be True or False"):
        rt.path_graph(found, induced="yes")  # type: ignore[arg-type]
