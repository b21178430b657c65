"""The search by walls against the exact enumerator, closed forms, and what it says when partial."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.arithmetic.exact import homogeneous_points
from relutopo.errors import InputError, InvariantError
from relutopo.gallery import (
    central_arrangement,
    general_arrangement,
    n_regions_central,
    n_regions_general,
    random_network,
)
from relutopo.geometry.location import NOT_FOUND
from relutopo.geometry.patterns import find_patterns, pack_patterns
from relutopo.geometry.region import RegionGeometry, pattern_beyond
from relutopo.geometry.strict_points import Raised


def one_layer(rows: list[tuple[float, ...]]) -> rt.ReluNetwork:
    """Rows are (normal..., offset)."""
    array = np.array(rows, dtype=float)
    return rt.ReluNetwork([array[:, :-1], np.ones((1, len(array)))], [array[:, -1], [0.0]])


def assert_part_of(search: rt.RegionSearch, complex_: rt.CellComplex) -> None:
    """The graph found is the subgraph that its nodes induce in the complex's dual graph."""
    at = find_patterns(pack_patterns(search.patterns), complex_.packed_patterns)
    assert (at >= 0).all()
    assert len(set(at.tolist())) == search.n_regions
    whole = complex_.dual_graph().edges
    induced = whole[np.isin(whole, at).all(axis=1)]
    found = np.sort(at[search.graph.edges], axis=1)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, induced.tolist()))


def assert_all_of(search: rt.RegionSearch, complex_: rt.CellComplex) -> None:
    assert (search.status, search.n_frontier, search.n_open) == ("complete", 0, 0)
    assert search.n_regions == complex_.n_regions
    assert_part_of(search, complex_)


@examples(20)
@given(
    dim=st.integers(1, 3),
    hidden=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer", "float32"]),
    bias=st.sampled_from([0.0, 1.0]),
)
def test_finds_what_the_exact_enumerator_finds(
    dim: int, hidden: list[int], seed: int, kind: str, bias: float
) -> None:
    network = random_network([dim, *hidden, 1], seed, kind, bias)
    box = rt.Box(-2, 2, dim=dim)
    search = rt.search_regions(network, box, np.full((1, dim), 0.3))
    assert_all_of(search, rt.decompose(network, box, enumerator="exact"))
    signs = network.signs(search.interior_points) > 0
    roomy = search.inradii > 1e-6
    np.testing.assert_array_equal(signs[roomy], search.patterns[roomy])
    assert box.contains(search.interior_points[roomy]).all()


@pytest.mark.parametrize(
    "rows",
    [
        [(1, 0, 0.25)] * 3,  # the same line three times
        [(1, 0, 0.25), (-2, 0, -0.5), (0.1, 0, 0.025)],  # multiples; 0.1 is not a tenth
        [(0, 0, 1), (0, 0, -1), (0, 0, 0)],  # dead and always active neurons
        [(1, 1, 0), (1, -1, 0)],  # both diagonals
        [(1, 1, 2), (1, 0, 1)],  # through a corner, along a side
        [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0)],  # four lines through one point
        [(1, 0, 0), (1, 0, -(2.0**-40))],  # a sliver, but a region
        [(0.1, 0, -0.03), (1, 0, -0.3)],  # lines a rounding error apart, unless they are equal
    ],
)
def test_special_lines(rows: list[tuple[float, ...]]) -> None:
    network, box = one_layer(rows), rt.Box(-1, 1, dim=2)
    assert_all_of(rt.search_regions(network, box), rt.decompose(network, box, enumerator="exact"))


def test_a_neuron_that_vanishes_on_a_region() -> None:
    # Where the first layer is dead the second one is identically zero, and awakes behind the wall.
    network = rt.ReluNetwork(
        [[[1.0, 0.0], [1.0, 1.0]], [[1.0, -1.0], [2.0, 0.0]], [[1.0, 1.0]]],
        [[0.0, 0.0], [0.0, 0.0], [0.0]],
    )
    box = rt.Box(-1, 1, dim=2)
    complex_ = rt.decompose(network, box, enumerator="exact")
    for seed in ([-0.5, -0.5], [0.5, 0.5], [0.0, 0.0]):
        assert_all_of(rt.search_regions(network, box, [seed]), complex_)


def test_closed_forms_in_five_dimensions() -> None:
    general = rt.search_regions(general_arrangement(6, 5, 0), rt.Box(-1000, 1000, dim=5))
    central = rt.search_regions(central_arrangement(6, 5, 0), rt.Box(-1, 1, dim=5))
    assert general.complete
    assert central.complete
    assert general.n_regions == n_regions_general(6, 5)
    assert central.n_regions == n_regions_central(6, 5)
    # Every hyperplane is cut by the others into as many facets as they have regions on it.
    assert general.graph.n_edges == 6 * n_regions_general(5, 4)
    assert central.graph.n_edges == 6 * n_regions_central(5, 4)


@pytest.mark.slow
@pytest.mark.parametrize("bias", [1.0, 0.0])
def test_many_neurons_that_miss_a_region(bias: float) -> None:
    network, box = random_network([2, 16, 8, 1], 0, bias=bias), rt.Box(-2, 2, dim=2)
    assert_all_of(rt.search_regions(network, box), rt.decompose(network, box))


def nowhere(normals: Any, offsets: Any, starts: Any, planes: Any, counts: Any, _: Any) -> Raised:
    return Raised(starts * np.nan, np.full(len(starts), np.nan), np.zeros(counts.shape))


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_a_broken_solver_does_not_mislead(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches in floats only propose; without them everything is decided exactly."""
    network, box = random_network([2, 5, 4, 1], 3, kind), rt.Box(-2, 2, dim=2)
    complex_ = rt.decompose(network, box, enumerator="exact")
    failed = SimpleNamespace(x=None)
    monkeypatch.setattr("scipy.optimize.linprog", lambda *_, **__: failed)
    monkeypatch.setattr("relutopo.geometry.region.raised", nowhere)
    assert_all_of(rt.search_regions(network, box, [[0.3, 0.2]]), complex_)


def test_what_is_not_decided_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    network, box = central_arrangement(4, 2, 0), rt.Box(-1, 1, dim=2)
    monkeypatch.setattr("relutopo.geometry.region._MOST_STEPS", 0)
    search = rt.search_regions(network, box)
    assert search.status == "open"
    assert not search.complete
    assert search.n_open > 0
    assert_part_of(search, rt.decompose(network, box, enumerator="exact"))


def test_a_polytope_as_domain() -> None:
    network = random_network([2, 5, 4, 1], 3)
    triangle = rt.Polytope([[-1, 0], [0, -1], [1, 1]], [1, 1, 1])
    assert_all_of(
        rt.search_regions(network, triangle), rt.decompose(network, triangle, enumerator="exact")
    )


NARROW = [
    (one_layer([(1, -1)]), rt.Box([1.0], [1 + 2**-52])),
    (one_layer([(1, 1, 1, 0)]), rt.Box([0, 0, 0], [1e-3, 1e13, 1])),
    (one_layer([(2, 1, 0)]), rt.Box([0, 1], [1e-4, 1e11])),
    (one_layer([(1e13, 1, -5e8), (1e13, -1e-3, 0)]), rt.Box([0, 0], [1e-4, 1e11])),
    (one_layer([(1, 1, 0)]), rt.Box(-5e-324, 5e-324, dim=2)),
    # No float lies inside of this triangle, which touches the first neuron's line.
    (
        one_layer([(1, 0, -1), (0, 1, -1)]),
        rt.Polytope([[-1, 0], [0, -1], [1, 1]], [-1, -1, 2 + 2**-51]),
    ),
]


@pytest.mark.parametrize(("network", "domain"), NARROW)
def test_narrow_domains(network: rt.ReluNetwork, domain: rt.Domain) -> None:
    complex_ = rt.decompose(network, domain, enumerator="exact")
    assert_all_of(rt.search_regions(network, domain), complex_)
    lattice = domain.face_lattice()
    corners = lattice.vertices[domain.contains(lattice.vertices)]
    assert_all_of(rt.search_regions(network, domain, corners), complex_)


def test_a_domain_without_floats() -> None:
    low = 1.95 + 2**-52
    domain = rt.Polytope([[-1.9], [1.9]], [-low, low + 2**-52])
    assert not domain.contains([[low / 1.9], [np.nextafter(low / 1.9, 2)]]).any()
    # The second neuron is zero in the middle.
    network = rt.ReluNetwork([[[1.9]], [[1.0]], [[1.0]]], [[-low], [-(2.0**-53)], [0.0]])
    search = rt.search_regions(network, domain)
    assert_all_of(search, rt.decompose(network, domain, enumerator="exact"))
    assert search.n_regions == 2


def test_directions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relutopo.spectral.search_starts.pattern_beyond", lambda *_: None)
    with pytest.raises(InvariantError, match="100 random directions from a seed"):
        rt.search_regions(one_layer([(1, 0, 0)]), rt.Box(-1, 1, dim=2))


def test_partial_searches_say_so() -> None:
    network, box = random_network([2, 6, 5, 1], 0), rt.Box(-2, 2, dim=2)
    complex_ = rt.decompose(network, box, enumerator="exact")
    calls: list[tuple[int, int]] = []
    search = rt.search_regions(
        network,
        box,
        max_regions=7,
        progress=lambda done, total, message="": calls.append((done, total)),
    )
    assert (search.n_regions, search.status, search.complete) == (7, "max_regions", False)
    assert search.n_frontier > 0
    assert f"{search.n_frontier} more seen" in repr(search)
    assert [done for done, _ in calls] == list(range(1, 8))
    assert calls[-1][1] == 7 + search.n_frontier
    assert_part_of(search, complex_)
    # As many regions as there are: nothing is left on the frontier.
    assert rt.search_regions(network, box, max_regions=complex_.n_regions).complete


def test_seeds_start_in_their_regions() -> None:
    network, box = random_network([2, 6, 1], 1), rt.Box(-2, 2, dim=2)
    seeds = np.array([[-1.9, -1.9], [1.9, 1.9], [5.0, 5.0]])
    search = rt.search_regions(network, box, seeds, max_regions=2)
    np.testing.assert_array_equal(search.patterns, network.signs(seeds[:2]) > 0)


def test_seeds_on_facets_and_corners() -> None:
    network, box = central_arrangement(4, 2, 0), rt.Box(-1, 1, dim=2)
    complex_ = rt.decompose(network, box, enumerator="exact")
    for seed in ([0.0, 0.0], [1.0, 1.0], [-1.0, 0.0]):
        assert_all_of(rt.search_regions(network, box, [seed]), complex_)


def test_pattern_beyond_a_point() -> None:
    network = random_network([3, 5, 4, 1], 2)
    point = np.array([0.25, -0.5, 1.0])
    beyond = pattern_beyond(network, homogeneous_points(point)[0], np.array([1, 2, 3], object))
    assert beyond is not None
    np.testing.assert_array_equal(beyond, network.signs(point[None])[0] > 0)


def test_walls_of_one_region() -> None:
    # In the triangle x, y > 0, x + y < 1 the fourth line is redundant.
    lines = one_layer([(1, 0, 0), (0, 1, 0), (-1, -1, 1), (1, 1, 1)])
    region = RegionGeometry(lines, rt.Box(-4, 4, dim=2), np.ones(4, dtype=bool))
    walls = region.walls()
    assert walls.n_open == 0
    assert sorted((~n).nonzero()[0].tolist() for n in walls.neighbours) == [[0], [1], [2]]
    assert region.inradius * region.scale == pytest.approx(1 / (2 + 2**0.5))


def test_fiedler_partition_of_a_search() -> None:
    network, box = random_network([2, 6, 4, 1], 4), rt.Box(-2, 2, dim=2)
    complex_ = rt.decompose(network, box, enumerator="exact")
    points = np.random.default_rng(0).uniform(-2.5, 2.5, (200, 2))
    whole = rt.fiedler_partition(complex_.dual_graph(), points)
    search = rt.search_regions(network, box, points)
    part = rt.fiedler_partition(search.graph, points)
    assert part.value == pytest.approx(whole.value, rel=1e-9)
    at = find_patterns(pack_patterns(search.patterns), complex_.packed_patterns)
    np.testing.assert_array_equal(part.counts, whole.counts[at])
    assert (part.n_outside, part.n_not_found) == (whole.n_outside, 0)
    labels = points[:, 0] > 0
    with pytest.warns(UserWarning, match=r"\d+ of 200 points: \d+ outside the domain$"):
        first, second = (found.agreement(points, labels) for found in (part, whole))
    assert first.accuracy == pytest.approx(second.accuracy)
    with pytest.raises(InputError, match="`graph` must have a complex"):
        part.decision_agreement()


def test_points_in_regions_not_found_are_counted() -> None:
    network, box = random_network([2, 6, 4, 1], 4), rt.Box(-2, 2, dim=2)
    points = np.random.default_rng(0).uniform(-2, 2, (200, 2))
    search = rt.search_regions(network, box, points[:1], max_regions=6)
    part = rt.fiedler_partition(search.graph, points)
    assert part.n_not_found == np.sum(search.graph.locate(points) == NOT_FOUND) > 0
    assert part.counts.sum() + part.n_not_found == 200
    with pytest.warns(UserWarning, match="in regions that were not found"):
        judged = part.agreement(points, points[:, 0] > 0)
    assert judged.n_not_found == part.n_not_found
    assert judged.n_used == part.counts.sum()


def test_points_on_facets_of_regions_not_found() -> None:
    lines = one_layer([(1, 0, 0), (1, 0, -0.5)])
    search = rt.search_regions(lines, rt.Box(-1, 1, dim=2), [[-0.5, 0.0]], max_regions=1)
    points = [[-0.5, 0.5], [0.0, 0.5], [0.25, 0.0], [0.5, 0.0], [0.75, 0.0], [2.0, 0.0]]
    located = search.graph.locate(points).tolist()
    assert located == [0, rt.ON_BOUNDARY, NOT_FOUND, rt.ON_BOUNDARY, NOT_FOUND, rt.OUTSIDE]


def test_no_hidden_layer() -> None:
    search = rt.search_regions(rt.ReluNetwork([[[1.0, 2.0]]], [[0.0]]), rt.Box(0, 1, dim=2))
    assert (search.n_regions, search.graph.n_edges, search.complete) == (1, 0, True)


def test_errors() -> None:
    network, box = random_network([2, 3, 1], 0), rt.Box(-1, 1, dim=2)
    with pytest.raises(InputError, match="`domain` has 3 dimensions, the network takes 2"):
        rt.search_regions(network, rt.Box(-1, 1, dim=3))
    with pytest.raises(InputError, match="`max_regions` must be an integer from 1, got 0"):
        rt.search_regions(network, box, max_regions=0)
    with pytest.raises(InputError, match="`seeds` must have a point in the domain, got 1 outside"):
        rt.search_regions(network, box, [[2.0, 2.0]])
    with pytest.raises(InputError, match=r"`seeds` must have shape \(n, 2\)"):
        rt.search_regions(network, box, [0.0, 0.0])


@pytest.mark.parametrize(
    ("weights", "biases"),
    [
        ([[[0.0, 1.6e-168]], [[0.0]]], [[0.0], [0.0]]),
        ([[[7.5e-161, 0.0]], [[5.2e-114]], [[0.0]]], [[0.0], [0.0], [1.0]]),
        ([[[1e300, 1.0]], [[1.0]]], [[1.0], [1.0]]),
        ([[[1.0, 5e-324]], [[0.0]]], [[-0.25], [1.0]]),
        ([[[1e-300, 0.0]], [[2.2e-308]], [[1.0]]], [[1.0], [1.0], [1.0]]),
        ([[[0.0, -1.0]], [[-4.4e-119]], [[0.0]]], [[-1.65e-236], [1.0], [0.0]]),
    ],
)
def test_rows_of_numbers_at_the_ends_of_the_floats(weights: Any, biases: Any) -> None:
    """Squares of weights may vanish or overflow, and offsets be beyond the range of floats."""
    box = rt.Box([-0.5, -0.25], [2, 1])
    found = rt.search_regions((weights, biases), box)
    right = rt.decompose((weights, biases), box, enumerator="exact")
    assert found.complete
    assert sorted(found.patterns.tolist()) == sorted(right.patterns.tolist())
