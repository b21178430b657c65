"""Agreement of partitions with labels and decisions: known answers, bounds, symmetries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from sklearn.metrics import adjusted_rand_score

import relutopo as rt
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset
from relutopo.spectral.agreement import adjusted_rand_index, decision_of_regions, settled


def chain(kinks: Sequence[float], boundary: float = 0.0) -> rt.CellComplex:
    """Intervals on [-1, 1] and the decision f(x) = x - boundary.

    The first neuron is active on the whole domain and carries f; the others only cut.
    """
    first = [[1.0]] * (len(kinks) + 1)
    net = ([first, [[1.0] + [0.0] * len(kinks)]], [[8.0, *(-k for k in kinks)], [-8.0 - boundary]])
    return rt.decompose(net, rt.Box(-1, 1, dim=1), enumerator="exact")


def middle_cut(boundary: float = 0.0, points: ArrayLike = ((0.0,),)) -> rt.FiedlerPartition:
    """Intervals of lengths 0.5, 0.7, 0.6 and 0.2; two of them on each side."""
    graph = chain([-0.5, 0.2, 0.8], boundary).dual_graph()
    return rt.fiedler_partition(graph, points, vertex_weights="unweighted")


@pytest.fixture(scope="module")
def planar() -> rt.FiedlerPartition:
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=shape) for shape in ((8, 2), (8, 8), (1, 8))]
    biases = [rng.normal(size=n) for n in (8, 8)] + [np.zeros(1)]
    net = rt.ReluNetwork(weights, biases)
    shift = np.median(net(rng.uniform(-2, 2, (1000, 2))))
    net = rt.ReluNetwork(weights, [*biases[:2], [-shift]])
    complex_ = rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact")
    return rt.fiedler_partition(complex_.dual_graph(), rng.normal(size=(200, 2)))


def test_known_labels() -> None:
    part = middle_cut()
    # Intervals: [-1, -.5] [-.5, .2] | [.2, .8] [.8, 1]
    points = [[-0.9], [-0.8], [0.0], [0.1], [0.5], [0.6], [0.9], [0.2], [7.0], [8.0]]
    labels = [0, 0, 0, 1, 1, 0, 0, 1, 1, 1]
    told = "7 of 10 points: 2 outside the domain, 1 between regions of both sides"
    with pytest.warns(UserWarning, match=told):
        found = part.agreement(points, labels)
    assert (found.n_used, found.n_on_boundary, found.n_outside) == (7, 1, 2)
    # Sides 0000111 against labels 0001100.
    assert found.accuracy == pytest.approx(4 / 7)
    # Two points of each mixed region are wrong at best.
    assert found.purity == pytest.approx(5 / 7)
    # All points on one side are as good as any threshold.
    assert found.sweep_accuracy == pytest.approx(5 / 7)
    assert found.n_off_component == 0


def test_points_on_kinks_count_where_all_regions_around_are_on_one_side() -> None:
    """The network of a textbook for XOR: integer weights, and four integer points."""
    xor = rt.ReluNetwork([[[1.0, 1.0], [1.0, 1.0]], [[1.0, -2.0]]], [[0.0, -1.0], [-0.5]])
    points, labels = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    complex_ = rt.decompose(xor, rt.Box(-1, 2, dim=2), enumerator="exact")
    assert complex_.locate(points).tolist().count(rt.ON_BOUNDARY) == 3
    part = rt.fiedler_partition(complex_.dual_graph(), points)
    regions = settled(part, part.sides, points)
    for point, region in zip(points, regions.tolist(), strict=True):
        near = np.add(point, 1e-6 * np.array([[1, 1], [-1, -1], [1, 2], [-2, -1]]))
        around = set(part.sides[complex_.locate(near)].tolist())
        assert (region >= 0) == (len(around) == 1 and 0 not in around)
        assert region < 0 or {int(part.sides[region])} == around
    n_used = int((regions >= 0).sum())
    assert 1 < n_used < 4
    with pytest.warns(UserWarning, match=f"that of {n_used} of 4 points: .* between regions of"):
        found = part.agreement(points, labels)
    assert (found.n_used, found.n_on_boundary) == (n_used, 4 - n_used)
    assert found.accuracy < 1


@pytest.mark.filterwarnings("ignore::relutopo.errors.NotUniqueWarning")
@given(seed=st.integers(0, 2**32 - 1))
def test_vertices_count_where_all_regions_at_them_are_on_one_side(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-2, 3, size=shape).astype(float) for shape in ((4, 2), (3, 4), (1, 3))]
    biases = [rng.integers(-1, 2, size=n).astype(float) for n in (4, 3, 1)]
    domain = rt.Box(-3, 3, dim=2)
    complex_ = rt.decompose(rt.ReluNetwork(weights, biases), domain, enumerator="exact")
    if complex_.n_regions < 3:
        return
    part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    on_integers = complex_.vertices == np.rint(complex_.vertices)
    exact = np.flatnonzero(on_integers.all(axis=1))
    regions = settled(part, part.sides, complex_.vertices[exact])
    at = complex_.cell_vertices(2)
    for vertex, region in zip(exact.tolist(), regions.tolist(), strict=True):
        around = np.flatnonzero(at[:, [vertex]].toarray()[:, 0])
        sides = set(part.sides[around].tolist())
        if region >= 0:
            assert region in around
            assert sides == {int(part.sides[region])} or len(around) == 1
        else:
            assert len(sides) > 1 or 0 in sides


def test_tensors_with_a_history_are_points_and_labels() -> None:
    points, labels = np.array([[-0.9], [0.5], [0.6]]), np.array([0.0, 1.0, 0.0])
    x, y = torch.tensor(points, requires_grad=True) * 1, torch.tensor(labels, requires_grad=True)
    part = middle_cut(points=x)
    assert part.agreement(x, y) == part.agreement(points, labels)
    assert rt.Box.around(x).low == rt.Box.around(points).low
    data = Dataset("own", x, y, x, y)
    assert data.equals(Dataset("own", points, labels, points, labels))


def test_sweep_finds_the_threshold_that_the_sign_misses() -> None:
    part = middle_cut()
    points = [[-0.9], [-0.8], [0.0], [0.5], [0.6], [0.9], [0.95]]
    found = part.agreement(points, [0, 0, 0, 0, 0, 1, 1])
    assert found.accuracy == pytest.approx(5 / 7)
    assert found.sweep_accuracy == found.purity == 1
    regions = part.locate(points)
    above = part.vector[regions] > found.sweep_threshold
    assert above.tolist() in ([False] * 5 + [True] * 2, [True] * 5 + [False] * 2)


def test_labels_of_one_side_need_no_cut() -> None:
    found = middle_cut().agreement([[-0.9], [-0.8], [-0.7]], [0, 1, 1])
    assert found.sweep_accuracy == pytest.approx(2 / 3)
    assert found.sweep_threshold == -np.inf


@pytest.mark.filterwarnings("ignore:the agreement is that of")
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_and_symmetries(planar: rt.FiedlerPartition, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-2.2, 2.2, (60, 2))
    labels = rng.random(60) < rng.uniform(0.1, 0.9)
    labels[:2] = False, True
    found = planar.agreement(points, labels)
    assert 0.5 <= found.accuracy <= found.sweep_accuracy <= found.purity <= 1
    assert found.n_used + found.n_outside + found.n_on_boundary == 60
    assert planar.agreement(points, ~labels) == found
    assert planar.agreement(points, np.where(labels, 1, -1)) == found
    assert planar.agreement(points, labels.astype(float)) == found
    flipped = replace(planar, vector=-planar.vector, sides=-planar.sides)
    turned = flipped.agreement(points, labels)
    for name in ("accuracy", "adjusted_rand_index", "purity", "sweep_accuracy"):
        assert getattr(turned, name) == pytest.approx(getattr(found, name))
    inside = planar.locate(points) >= 0
    sides = planar.sides[planar.locate(points)[inside]] > 0
    assert found.accuracy == pytest.approx(
        max(np.mean(sides == labels[inside]), np.mean(sides != labels[inside]))
    )
    assert found.adjusted_rand_index == pytest.approx(adjusted_rand_score(labels[inside], sides))
    thresholds = [-np.inf, *planar.vector]
    values = planar.vector[planar.locate(points)[inside]]
    best = max(np.mean((values > t) == labels[inside]) for t in thresholds)
    worst = min(np.mean((values > t) == labels[inside]) for t in thresholds)
    assert found.sweep_accuracy == pytest.approx(max(best, 1 - worst))


def test_labels_equal_to_the_sides_agree_fully(planar: rt.FiedlerPartition) -> None:
    points = np.random.default_rng(0).uniform(-1.9, 1.9, (100, 2))
    labels = planar.sides[planar.locate(points)] > 0
    found = planar.agreement(points, labels)
    assert found.accuracy == found.sweep_accuracy == found.purity == 1
    assert found.adjusted_rand_index == 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=30),
)
def test_adjusted_rand_index_against_sklearn(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    expected = adjusted_rand_score(first, second)
    assert adjusted_rand_index(first, second) == pytest.approx(expected, abs=1e-12)


def test_adjusted_rand_index_of_one_point() -> None:
    assert adjusted_rand_index([0], [1]) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "exactly two classes, got 3: 0, 1, 2; a Fiedler"),
        ([1, 1, 1], "exactly two classes, got 1: 1; a Fiedler"),
        ([0, 1], "one entry for each of the 3 points, got 2"),
        ([[[0, 1, 1]]], r"must have shape \(n,\), got \(1, 1, 3\); pass labels.ravel"),
        (list(range(3)) * 4, "one entry for each of the 3 points, got 12"),
        ([0.0, 1.0, np.nan], "`labels` must have none missing, got nan in row 2; drop points"),
        ([1.0, np.nan, 1.0], "none missing, got nan in row 1"),
        (np.array([0, "NaT", 0], dtype="datetime64[s]"), "none missing, got NaT in row 1"),
        (np.array([0, 1, None], dtype=object), "`labels` must be of one kind and none missing"),
        (np.array([0, "b", "b"], dtype=object), "`labels` must be of one kind and none missing"),
    ],
)
def test_labels_are_checked(labels: ArrayLike, message: str) -> None:
    with pytest.raises(InputError, match=message):
        middle_cut().agreement([[-0.9], [0.0], [0.9]], labels)


def test_points_are_checked() -> None:
    part = middle_cut()
    with pytest.raises(InputError, match=r"`points` must have shape \(n, 1\)"):
        part.agreement([[0.0, 1.0], [0.0, 1.0]], [0, 1])
    with pytest.raises(InputError, match="a point in a region of the partition, got none in 2"):
        part.agreement([[5.0], [0.2]], [0, 1])


def test_known_decision() -> None:
    points = [[-0.9], [0.5], [0.6], [0.9]]
    found = middle_cut(0.6).decision_agreement([*points, [0.2], [7.0]])
    # Decision 0001 at the regions' middles against the sides 0011: the third is wrong; at the
    # points 0001 as well, for f(0.6) = 0.
    assert found.by_regions == pytest.approx(3 / 4)
    assert found.by_volume == pytest.approx(1 - 0.6 / 2)
    assert found.by_points == pytest.approx(2 / 4)
    # f vanishes in the third interval, at which the cut's only edge ends.
    assert found.n_crossed == 1
    assert found.cut_edges_at_boundary == 1
    assert found.crossed_regions_at_cut == 1


def test_decision_boundary_away_from_the_cut() -> None:
    found = middle_cut(0.95).decision_agreement()
    assert found.n_crossed == 1
    assert found.cut_edges_at_boundary == 0
    assert found.crossed_regions_at_cut == 0


def test_boundary_on_a_facet_crosses_no_region() -> None:
    found = middle_cut(-0.5).decision_agreement()
    assert found.n_crossed == 0
    assert found.by_regions == pytest.approx(3 / 4)
    assert found.cut_edges_at_boundary == 0
    assert np.isnan(found.crossed_regions_at_cut)


def test_rounding_crosses_no_region() -> None:
    """58 (x + 1) - 59 vanishes exactly at the kink 1/58, which no float has."""
    net = ([[[58.0], [1.0]], [[0.0, 58.0]]], [[-1.0, 1.0], [-59.0]])
    complex_ = rt.decompose(net, rt.Box(-0.5, 1, dim=1), enumerator="exact")
    decision = decision_of_regions(complex_)
    assert not decision.crossed.any()
    assert decision.positive.tolist() == (complex_.interior_points[:, 0] > 1 / 58).tolist()


@pytest.mark.parametrize("seed", range(40))
def test_crossed_regions_are_those_that_the_output_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-3, 4, shape) for shape in ((4, 2), (3, 4), (1, 3))]
    biases = [rng.integers(-3, 4, n) for n in (4, 3, 1)]
    box = rt.Box(-2, 2, dim=2)
    complex_ = rt.decompose((weights, biases), box, enumerator="exact")
    as_neuron = [*weights, [[1.0]]], [*biases, [0.0]]
    finer = rt.decompose(as_neuron, box, enumerator="exact")
    crossed = decision_of_regions(complex_).crossed
    assert crossed.sum() == finer.n_regions - complex_.n_regions


def test_no_points_no_share_of_points() -> None:
    graph = chain([0.0]).dual_graph()
    found = rt.fiedler_partition(graph, vertex_weights="unweighted").decision_agreement()
    assert np.isnan(found.by_points)
    assert found.by_volume == found.by_regions == 1


def test_decision_against_loops(planar: rt.FiedlerPartition) -> None:
    points = np.random.default_rng(0).normal(size=(300, 2))
    complex_, found = planar.complex, planar.decision_agreement(points)
    f = complex_.network.decision_values
    crossed = np.array(
        [
            np.ptp(np.sign(f(complex_.vertices[complex_.region_vertices(r)]))) == 2
            for r in range(complex_.n_regions)
        ]
    )
    assert crossed.any()
    assert found.n_crossed == crossed.sum()
    at_boundary = [crossed[u] or crossed[v] for u, v in planar.cut_edges]
    assert found.cut_edges_at_boundary == pytest.approx(np.mean(at_boundary))
    at_cut = [r in planar.cut_edges for r in np.flatnonzero(crossed)]
    assert found.crossed_regions_at_cut == pytest.approx(np.mean(at_cut))
    agree = (planar.sides > 0) == (f(complex_.interior_points) > 0)
    for share, mass in (
        (found.by_volume, complex_.volumes),
        (found.by_regions, np.ones(complex_.n_regions)),
    ):
        part = mass[agree].sum() / mass.sum()
        assert share == pytest.approx(max(part, 1 - part))
    inside = [(x, r) for x, r in zip(points, planar.locate(points), strict=True) if r >= 0]
    same = np.mean([(planar.sides[r] > 0) == (f(x[None])[0] > 0) for x, r in inside])
    assert found.by_points == pytest.approx(max(same, 1 - same))
    flipped = replace(planar, vector=-planar.vector, sides=-planar.sides)
    assert astuple(flipped.decision_agreement(points)) == pytest.approx(astuple(found))


def test_more_than_two_outputs_have_no_decision() -> None:
    net = ([[[1.0]], [[1.0], [2.0], [3.0]]], [[0.0], [0.0, 0.0, 0.0]])
    graph = rt.decompose(net, rt.Box(-1, 1, dim=1), enumerator="exact").dual_graph()
    with pytest.raises(InputError, match="needs 1 or 2 outputs, the network has 3"):
        rt.fiedler_partition(graph, [[0.5]]).decision_agreement()


def test_two_blobs_end_to_end() -> None:
    """Two clouds in the outer strips of a comb of parallel kinks are told apart."""
    rng = np.random.default_rng(0)
    kinks = np.linspace(-0.4, 0.4, 9)
    net = (
        [np.tile([1.0, 0.0], (10, 1)), [[1.0] + [0.0] * 9]],
        [np.concatenate([[8.0], -kinks]), [-8.0]],
    )
    complex_ = rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact")
    points = rng.normal(size=(200, 2)) * 0.2
    labels = np.arange(200) < 100
    points[:, 0] += np.where(labels, -1.2, 1.2)
    part = rt.fiedler_partition(complex_.dual_graph(), points)
    found = part.agreement(points, labels)
    assert found.accuracy == found.purity == found.adjusted_rand_index == 1
    assert part.decision_agreement(points).by_points == 1
    held_out = rng.normal(size=(100, 2)) * 0.2 + [1.2, 0]
    both = np.concatenate([held_out, -held_out])
    assert part.agreement(both, np.arange(200) < 100).accuracy == 1
