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
from scipy import sparse

import relutopo as rt
from properties import examples
from relutopo.errors import NotUniqueWarning
from relutopo.spectral.ranges import range_in_space

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


def symmetric_kinks(kind: str, seed: int) -> list[Floats]:
    """Kinks that a group of motions of the plane maps onto each other."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    if kind == "square":  # reflections and the swap of the axes, some at an angle
        offsets = np.round(rng.uniform(0.1, 0.9, n), 2)
        rows = [
            np.array([a, b, s * c]) for c in offsets for a, b in ((1, 0), (0, 1)) for s in (1, -1)
        ]
        if rng.random() < 0.5:
            rows += [np.array([a, b, 0.5]) for a in (1, -1) for b in (1, -1)]
        return rows
    if kind == "quarter turns":
        rows = []
        for _ in range(n):
            a, b = np.round(rng.uniform(-1, 1, 2), 2)
            c = np.round(rng.uniform(0.1, 0.7), 2)
            rows += [np.array([*x, c]) for x in ((a, b), (-b, a), (-a, -b), (b, -a))]
        return rows
    if kind == "third turns":
        rows = []
        for _ in range(n):
            turn, c = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.6)
            rows += [
                np.array([np.cos(turn + k * 2 * np.pi / 3), np.sin(turn + k * 2 * np.pi / 3), c])
                for k in range(3)
            ]
        return rows
    rows = symmetric_kinks("square", seed)  # "twins"
    return [*rows, *(2 * row for row in rows[:2])]


def domain_of(kind: str) -> Any:
    if kind != "third turns":
        return rt.Box(-1, 1, dim=2)
    turns = np.pi / 2 + np.arange(3) * 2 * np.pi / 3
    return rt.Polytope(np.stack([np.cos(turns), np.sin(turns)], axis=1), np.ones(3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["square", "quarter turns", "third turns", "twins"])
@pytest.mark.parametrize("seed", range(13))
def test_the_interval_holds_what_solvers_enumerators_and_orders_find(kind: str, seed: int) -> None:
    rows, domain = symmetric_kinks(kind, seed), domain_of(kind)
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.6, 0.6, (60, 2))
    labels = points[:, 0] > 0
    ranges, found, spaces = [], [], []
    for order in (np.arange(len(rows)), rng.permutation(len(rows))):
        net = kinks([rows[i] for i in order])
        for enumerator in ("cpu", "exact"):
            complex_ = rt.decompose(net, domain, enumerator=enumerator)
            graph = complex_.dual_graph()
            region = complex_.locate(points)
            inside = region >= 0
            for eigensolver in SOLVERS:
                part = partition(graph, eigensolver=eigensolver)
                agreement = part.agreement(points, labels)
                ranges.append((agreement.accuracy_least, agreement.accuracy_greatest))
                found.append(agreement.accuracy)
                spaces.append(part.multiplicity)
                # Any other vector that a solver might have taken.
                for _ in range(20):
                    x = part.eigenspace @ rng.standard_normal(part.multiplicity)
                    same = (x[region[inside]] > 0) == labels[inside]
                    found.append(max(same.mean(), 1 - same.mean()))
    assert len(set(spaces)) == 1
    if spaces[0] <= 2:
        np.testing.assert_allclose(ranges, [ranges[0]] * len(ranges), atol=1e-9)
        assert ranges[0][0] - 1e-9 <= min(found)
        assert max(found) <= ranges[0][1] + 1e-9


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
    low, high = range_in_space(plane, plane[:, 0], bounds, plus, minus)
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
    assert "does not tell the first 16 eigenvectors apart" in part.uniqueness
    assert part.sides[0] == 0


class Given(rt.EdgeWeights):
    """Weights that are known."""

    def __init__(self, weights: Any) -> None:
        self.weights = np.asarray(weights, dtype=float)

    def __call__(self, graph: rt.DualGraph) -> Floats:
        return self.weights


def chain_of_cliques(n_cliques: int, size: int) -> tuple[Any, NDArray[np.bool_]]:
    """Return the edges in lexicographic order, and which of them join two cliques."""
    clique = np.stack(np.triu_indices(size, 1), axis=1)
    parts = [clique + i * size for i in range(n_cliques)]
    bridges = [[(i + 1) * size - 1, (i + 1) * size] for i in range(n_cliques - 1)]
    edges = np.concatenate([*parts, bridges])
    is_bridge = np.arange(len(edges)) >= len(edges) - len(bridges)
    order = np.lexsort(edges.T[::-1])
    return edges[order], is_bridge[order]


@pytest.mark.parametrize("eigensolver", SOLVERS)
@pytest.mark.parametrize("size", [8, 40])
@pytest.mark.parametrize("bridge", [1e-9, 1e-12, 1e-20])
def test_weak_bridges_are_cut(eigensolver: str, size: int, bridge: float) -> None:
    edges, is_bridge = chain_of_cliques(2, size)
    weights = Given(np.where(is_bridge, bridge, 1.0))
    part = partition(plain_graph(2 * size, edges), edge_weights=weights, eigensolver=eigensolver)
    assert abs(part.sides[:size].sum()) == abs(part.sides[size:].sum()) == size
    assert part.value == pytest.approx(2 * bridge / size, rel=1e-6)
    assert part.multiplicity == 1


@pytest.mark.parametrize("eigensolver", SOLVERS)
def test_several_weak_bridges_are_told_apart(eigensolver: str) -> None:
    """Residuals do not tell these values apart, sums along edges do."""
    size = 30
    edges, is_bridge = chain_of_cliques(4, size)
    weights = np.ones(len(edges))
    weights[is_bridge] = np.array([3.0, 1.0, 2.0]) * 1e-13
    part = partition(plain_graph(4 * size, edges), edge_weights=Given(weights))
    # The cliques as nodes of a path.
    quotient = np.diag([3.0, 4.0, 3.0, 2.0]) - np.diag([3.0, 1.0, 2.0], 1)
    quotient -= np.diag([3.0, 1.0, 2.0], -1)
    values, vectors = np.linalg.eigh(quotient)
    assert part.value == pytest.approx(1e-13 * values[1] / size, rel=1e-6)
    assert part.gap == pytest.approx(values[2] / values[1] - 1, rel=0.11)
    expected = np.repeat(np.sign(vectors[:, 1]), size)
    assert (part.sides * part.sides[0] == expected * expected[0]).all()
    assert part.multiplicity == 1


@pytest.mark.slow
@pytest.mark.parametrize("eigensolver", SOLVERS)
def test_long_paths_are_cut_in_the_middle(eigensolver: str) -> None:
    n = 200_000
    part = partition(plain_graph(n, list(pairwise(range(n)))), eigensolver=eigensolver)
    assert part.value == pytest.approx(2 - 2 * np.cos(np.pi / n), rel=1e-6)
    assert part.n_open < 1000
    sides = part.sides * part.sides[0]
    assert (sides[: n // 2 - 500] == 1).all()
    assert (sides[n // 2 + 500 :] == -1).all()


@pytest.mark.parametrize("edge_weights", ["facet_length", "inverse_distance"])
def test_nearly_concurrent_lines_cut_off_their_triangle(edge_weights: str) -> None:
    net = rt.as_network(
        ([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0] * 3]], [[0.0, 0.0, -1e-12], [0.0]])
    )
    complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2))
    part = partition(complex_.dual_graph(), edge_weights=edge_weights)
    assert part.status == "converged"
    if edge_weights == "facet_length":
        assert min((part.sides > 0).sum(), (part.sides < 0).sum()) == 1
        triangle = int(np.argmin(complex_.volumes))
        assert (part.sides == part.sides[triangle]).sum() == 1


@pytest.mark.parametrize("weights", ["facet_length", "inverse_distance"])
@pytest.mark.parametrize("seed", range(5))
def test_a_million_points_in_few_regions(weights: str, seed: int) -> None:
    net = rt.gallery.random_network([2, 5, 3, 1], seed)
    points = np.random.default_rng(seed).normal(0.5, 0.02, (10**5, 2))
    graph = rt.decompose(net, rt.Box(-2, 2, dim=2)).dual_graph()
    part = partition(graph, points, edge_weights=weights)
    assert part.status == "converged"


@pytest.mark.slow
@pytest.mark.parametrize("eigensolver", ["arpack", "auto"])
def test_a_star_of_many_leaves_is_factorised_sparsely(eigensolver: str) -> None:
    solver = rt.registry.create("eigensolver", eigensolver)
    n = 30_000
    hub = sparse.coo_array((np.ones(n), (np.zeros(n, int), np.arange(1, n + 1))), (n + 1, n + 1))
    adjacency = sparse.csr_array(hub + hub.T)
    system = sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)
    found = solver.solve(system, np.ones(n + 1))
    assert (found.status, found.method) == ("converged", "arpack")
    assert found.values[0] == pytest.approx(1, rel=1e-9)
    assert found.next_value == pytest.approx(1, rel=1e-9)


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


@pytest.mark.parametrize("solver", ["auto", "arpack", "amg_lobpcg"])
@pytest.mark.parametrize("weight", [1e-8, 1e-14, 1e-18, 1e-24])
def test_the_gap_beside_a_weak_bridge_is_no_larger_than_it_is(solver: str, weight: float) -> None:
    """A path of three nodes at a weak edge: 4/3 of its weight, then 1 and 3."""
    edges = np.array([[0, 1], [0, 2], [0, 3]])
    graph = rt.DualGraph(4, edges, np.full(3, -1), "hamming")
    part = rt.fiedler_partition(
        graph,
        vertex_weights="unweighted",
        edge_weights=Given(np.array([1.0, 1.0, weight])),
        eigensolver=solver,
    )
    gap = 1 / (4 / 3 * weight)
    assert 1e6 <= part.gap <= gap * (1 + 1e-6)


@pytest.mark.parametrize("n_leaves", [41, 52, 56])
def test_stars_have_a_multiple_value(n_leaves: int) -> None:
    edges = np.array([[0, i] for i in range(1, n_leaves + 1)])
    graph = rt.DualGraph(n_leaves + 1, edges, np.full(n_leaves, -1), "hamming")
    with pytest.warns(NotUniqueWarning):
        part = rt.fiedler_partition(graph, vertex_weights="unweighted", eigensolver="amg_lobpcg")
    assert part.value == pytest.approx(1)
