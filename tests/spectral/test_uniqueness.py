"""Multiple Fiedler values and regions on the cut: the interval holds what any solver finds."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo.errors import NotUniqueWarning
from relutopo.spectral.ranges import agreement_range

SOLVERS = ["arpack", "amg_lobpcg", "auto"]
Floats = NDArray[np.float64]


def kinks(planes: Any) -> Any:
    """One hidden layer with a kink at a·x = c for each row (*a, c)."""
    rows = np.array(planes, dtype=float)
    return rt.as_network(([rows[:, :-1], np.ones((1, len(rows)))], [-rows[:, -1], np.zeros(1)]))


def symmetric_grid(n: int = 10, stretch: float = 0.0) -> rt.CellComplex:
    at = np.linspace(-0.8, 0.8, n)
    rows = [*((1, 0, c) for c in at), *((0, 1, c) for c in at)]
    box = rt.Box([-1, -1], [1 + stretch, 1])
    return rt.decompose(kinks(rows), box)


def partition(graph: rt.DualGraph, points: Any = None, **options: Any) -> rt.FiedlerPartition:
    if points is None:
        options["vertex_weights"] = "unweighted"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotUniqueWarning)
        return rt.fiedler_partition(graph, points, **options)


def symmetric_points(seed: int = 0, n: int = 25) -> Floats:
    """Points with all symmetries of the square."""
    x = np.random.default_rng(seed).uniform(0.05, 0.95, (n, 2))
    x = np.concatenate([x, x[:, ::-1]])
    return np.concatenate([x * s for s in ([1, 1], [1, -1], [-1, 1], [-1, -1])])


def plain_graph(n: int, edges: Any) -> rt.DualGraph:
    pairs = np.unique(np.sort(np.array(edges, dtype=np.int64), axis=1), axis=0)
    return rt.DualGraph(n, pairs, np.full(len(pairs), -1), "hamming")


def grid_edges(rows: int, columns: int) -> NDArray[np.int64]:
    node = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    return np.concatenate([across, np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)])


def test_a_double_value_gives_an_interval_whatever_the_solver() -> None:
    complex_, points = symmetric_grid(), symmetric_points()
    labels = points[:, 0] > 0
    found = []
    for eigensolver in SOLVERS:
        with pytest.warns(NotUniqueWarning, match="one of many: a 2-fold Fiedler value"):
            part = rt.fiedler_partition(complex_.dual_graph(), points, eigensolver=eigensolver)
        assert part.multiplicity == 2
        assert part.gap < 1e-9
        assert part.is_multiplicity_known
        assert "one of many: a 2-fold Fiedler value" in repr(part)
        found.append(part.agreement(points, labels))
    for agreement in found:
        assert agreement.accuracy_least < 0.7
        assert agreement.accuracy_greatest > 0.9
        # The vector is the one along the first coordinate, whatever the solver.
        assert agreement.accuracy == found[0].accuracy == agreement.accuracy_greatest
        assert agreement.accuracy_least == pytest.approx(found[0].accuracy_least, abs=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@examples(20)
def test_the_interval_of_a_plane_holds_what_all_its_vectors_have(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    plane = np.linalg.qr(rng.standard_normal((n, 2)))[0]
    if rng.random() < 0.5:  # coincidences
        plane = np.round(plane * 4) / 4
    plus, minus = rng.integers(0, 4, (2, n)).astype(float)
    plus[0] += 1
    total = (plus + minus).sum()
    bounds = np.full(n, 1e-12)
    sides = np.sign(plane[:, 0]).astype(np.int8)
    low, high = agreement_range(sides, plane, plane[:, 0], bounds, plus, minus)
    reached = []
    for t in [*rng.uniform(0, np.pi, 4000), *(np.arctan2(*plane.T[::-1]) + np.pi / 2)]:
        x = plane @ [np.cos(t), np.sin(t)]
        agreeing = np.where(x > 1e-12, plus, np.where(x < -1e-12, minus, (plus + minus) / 2)).sum()
        reached.append(max(agreeing, total - agreeing) / total)
    assert low - 1e-12 <= min(reached)
    assert max(reached) <= high + 1e-12
    if not (np.hypot(*plane.T) < 1e-9).any() and len(np.unique(plane, axis=0)) == n:
        assert high == pytest.approx(max(reached), abs=2 / total)


@pytest.mark.parametrize("eigensolver", SOLVERS)
@pytest.mark.parametrize("n", [3, 5, 63, 101, 999])
def test_the_middle_of_a_path_is_on_the_cut(eigensolver: str, n: int) -> None:
    graph = plain_graph(n, list(pairwise(range(n))))
    part = partition(graph, eigensolver=eigensolver)
    assert np.flatnonzero(part.sides == 0).tolist() == [n // 2]
    assert (part.n_open, part.multiplicity) == (1, 1)
    gap = (1 - np.cos(2 * np.pi / n)) / (1 - np.cos(np.pi / n)) - 1
    assert part.gap == pytest.approx(gap, rel=0.11)


@pytest.mark.parametrize("eigensolver", SOLVERS)
def test_points_on_the_cut_count_half(eigensolver: str) -> None:
    net = kinks([(1, -0.5), (1, 0.5)])
    x = np.array([[-0.7], [-0.6], [0.0], [0.1], [0.8], [0.9]])
    graph = rt.decompose(net, rt.Box(-1, 1, dim=1)).dual_graph()
    part = partition(graph, x, eigensolver=eigensolver)
    assert part.n_open == 1
    assert part.open_mass == pytest.approx(1 / 3)
    found = part.agreement(x, [0, 0, 0, 0, 1, 1])
    assert (found.accuracy, found.accuracy_least, found.accuracy_greatest) == (5 / 6, 4 / 6, 1)
    assert len(part.cut_edges) == 2


def test_a_grid_graph_has_the_same_interval_from_all_solvers() -> None:
    graph = plain_graph(961, grid_edges(31, 31))
    right = (np.arange(961) % 31 > 15).astype(float)
    ranges = []
    for eigensolver in SOLVERS:
        part = partition(graph, eigensolver=eigensolver)
        assert part.multiplicity == 2
        ranges.append(part.agreement_range(right, 1 - right))
        own = (part.sides > 0) == (right > 0)
        assert ranges[-1][0] <= max(own.mean(), 1 - own.mean()) <= ranges[-1][1]
    np.testing.assert_allclose(ranges, [ranges[0]] * len(ranges), atol=1e-9)


@pytest.mark.parametrize("stretch", [1e-6, 1e-12])
def test_nearly_equal_values_are_told_apart_or_said_to_be_one(stretch: float) -> None:
    complex_ = symmetric_grid(8, stretch)
    graph = complex_.dual_graph()
    parts = [partition(graph, edge_weights="facet_length", eigensolver=s) for s in SOLVERS]
    for part in parts[1:]:
        assert part.multiplicity == parts[0].multiplicity
        decided = (part.sides != 0) & (parts[0].sides != 0)
        same = part.sides[decided] == parts[0].sides[decided]
        assert same.all() or not same.any()


def test_a_star_is_said_to_be_more_than_was_asked() -> None:
    star = plain_graph(200, [(0, leaf) for leaf in range(1, 200)])
    part = partition(star)
    assert not part.is_multiplicity_known
    assert part.uniqueness == "one of many: at least a 16-fold Fiedler value"
    assert part.sides[0] == 0


def test_what_is_unique_says_so() -> None:
    rng = np.random.default_rng(0)
    net = rt.gallery.random_network([2, 12, 12, 1], 3)
    graph = rt.decompose(net, rt.Box(-3, 3, dim=2)).dual_graph()
    points = rng.standard_normal((200, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        part = rt.fiedler_partition(graph, points)
    assert (part.multiplicity, part.n_open, part.open_mass) == (1, 0, 0)
    assert part.gap > 1e-3
    found = part.agreement(points, points[:, 0] > 0)
    assert found.accuracy == found.accuracy_least == found.accuracy_greatest
    decision = part.decision_agreement(points)
    assert decision.by_volume_least == pytest.approx(decision.by_volume, rel=1e-12)
