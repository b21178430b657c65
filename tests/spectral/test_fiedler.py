"""The Fiedler partition of chains of intervals, whose graph is a path, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

import relutopo as rt
from relutopo import registry
from relutopo.errors import (
    BackendError,
    DisconnectedGraphError,
    InputError,
    NoFiedlerVectorError,
    NotConvergedError,
    UnknownNameError,
)
from relutopo.interfaces import EigenResult, Eigensolver, PreparedLaplacian
from relutopo.spectral.weights import (
    CountPlusOne,
    EdgeWeights,
    UnitEdges,
    Unweighted,
    VertexWeights,
)


def chain(kinks: Sequence[float]) -> rt.CellComplex:
    """The intervals into which kinks cut [-1, 1]."""
    net = ([[[1.0]] * len(kinks), [[1.0] * len(kinks)]], [[-k for k in kinks], [0.0]])
    return rt.decompose(net, rt.Box(-1, 1, dim=1), enumerator="exact")


def plain_graph(n: int, edges: Sequence[Sequence[int]]) -> rt.DualGraph:
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return rt.DualGraph(n, pairs, np.full(len(pairs), -1), "hamming")


def from_left(complex_: rt.CellComplex) -> NDArray[np.int64]:
    return np.argsort(complex_.interior_points[:, 0])


@pytest.mark.parametrize(
    "eigensolver",
    [
        pytest.param(name, marks=[pytest.mark.gpu] if name.startswith("cuda") else [])
        for name in registry.names("eigensolver")
    ],
)
@pytest.mark.parametrize("n", [2, 4, 9, 90])
def test_path_of_intervals(eigensolver: str, n: int) -> None:
    complex_ = chain(np.linspace(-1, 1, n + 1)[1:-1].tolist())
    part = rt.fiedler_partition(
        complex_.dual_graph(), vertex_weights="unweighted", eigensolver=eigensolver
    )
    assert part.value == pytest.approx(2 - 2 * np.cos(np.pi / n), rel=1e-9)
    assert part.residual <= 1e-6
    assert part.status == "converged"
    ran = "arpack" if eigensolver == "auto" else eigensolver
    assert part.method == ("dense" if n <= 64 else ran)
    vector = part.vector[from_left(complex_)]
    assert (np.diff(vector) > 0).all() or (np.diff(vector) < 0).all()
    sides = np.sign(part.vector)
    sides[from_left(complex_)[n // 2 : (n + 1) // 2]] = 0  # the middle of an odd path
    np.testing.assert_array_equal(part.sides, sides)
    assert part.n_open == n % 2
    assert part.component.all()
    if n % 2 == 0:
        middle = from_left(complex_)[n // 2 - 1 : n // 2 + 1]
        assert part.cut_edges.tolist() == [sorted(middle.tolist())]


def test_counts_tell_inside_outside_and_boundary_apart() -> None:
    complex_ = chain([-0.5, 0.5])
    points = [[-0.75], [0.0], [0.1], [0.5], [1.5], [-2.0], [3.0]]
    part = rt.fiedler_partition(complex_.dual_graph(), points)
    assert part.counts[from_left(complex_)].tolist() == [1, 2, 0]
    assert (part.n_outside, part.n_on_boundary) == (3, 1)
    np.testing.assert_array_equal(part.vertex_weights, 1.0 + part.counts)
    assert part.edge_weights.tolist() == [1, 1]


def test_data_move_the_cut() -> None:
    """On a path of six the unweighted cut is in the middle; heavy ends pull it towards them."""
    complex_ = chain([-0.9, -0.8, -0.7, -0.6, -0.5])
    order, graph = from_left(complex_), complex_.dual_graph()
    points = np.concatenate([np.full((50, 1), -0.95), np.full((50, 1), -0.85)])
    sides = rt.fiedler_partition(graph, points).sides[order]
    assert np.abs(np.diff(sides)).tolist() == [2, 0, 0, 0, 0]
    unweighted = rt.fiedler_partition(graph, points, vertex_weights="unweighted").sides[order]
    assert np.abs(np.diff(unweighted)).tolist() == [0, 0, 2, 0, 0]


def test_names_and_instances_are_the_same() -> None:
    graph, points = chain([-0.5, 0.0, 0.2]).dual_graph(), [[0.1], [0.15], [0.9]]
    by_name = rt.fiedler_partition(graph, points, eigensolver="amg_lobpcg")
    by_instance = rt.fiedler_partition(
        graph,
        points,
        vertex_weights=CountPlusOne(),
        edge_weights=UnitEdges(),
        eigensolver=registry.create("eigensolver", "amg_lobpcg"),
    )
    np.testing.assert_array_equal(by_name.vector, by_instance.vector)


def test_largest_component() -> None:
    """Equal kinks at 0 cut the Hamming graph: 1 + 3 regions."""
    complex_ = chain([0.0, 0.0, 0.4, 0.7])
    order, graph = from_left(complex_), complex_.dual_graph("hamming")
    points = np.array([[-0.5], [-0.4], [0.2], [0.5], [0.9]])
    part = rt.fiedler_partition(graph, points, component="largest")
    assert part.component[order].tolist() == [False, True, True, True]
    np.testing.assert_array_equal(np.isnan(part.vector), ~part.component)
    assert not part.sides[~part.component].any()
    # Vertex weights 2 on a path of three: half of its value 1.
    assert part.value == pytest.approx(0.5)
    with pytest.warns(UserWarning, match="3 of 5 points: 2 in regions that the partition leaves"):
        agreement = part.agreement(points, [0, 1, 0, 1, 1])
    assert (agreement.n_used, agreement.n_off_component) == (3, 2)
    cut = part.sweep_cut()
    assert not cut.sides[~part.component].any()
    assert cut.conductance == pytest.approx(1 / 2)


def test_disconnected_graph_is_refused() -> None:
    graph = plain_graph(6, [[0, 1], [1, 2], [3, 4]])
    with pytest.raises(
        DisconnectedGraphError,
        match=r"must be connected, got 3 components of 3, 2, 1 nodes; pass component='largest'",
    ):
        rt.fiedler_partition(graph, vertex_weights="unweighted")


def test_many_components_are_abbreviated() -> None:
    with pytest.raises(DisconnectedGraphError, match=r"12 components of (1, ){10}\.\.\. nodes"):
        rt.fiedler_partition(plain_graph(12, []), vertex_weights="unweighted")


def test_one_node_has_no_fiedler_vector() -> None:
    graph = chain([5.0]).dual_graph()
    assert graph.n_nodes == 1
    with pytest.raises(NoFiedlerVectorError, match="at least 2 nodes, got 1"):
        rt.fiedler_partition(graph, [[0.0]])
    with pytest.raises(NoFiedlerVectorError, match="at least 2 nodes, got 1"):
        rt.fiedler_partition(plain_graph(3, []), vertex_weights="unweighted", component="largest")
    with pytest.raises(NoFiedlerVectorError, match="at least 2 nodes, got 0"):
        rt.fiedler_partition(plain_graph(0, []), vertex_weights="unweighted")


def test_points_must_be_there() -> None:
    graph = chain([0.0]).dual_graph()
    with pytest.raises(InputError, match=r"`points` must be given for vertex_weights=CountPlusOne"):
        rt.fiedler_partition(graph)
    with pytest.raises(
        InputError, match=r"a point inside the domain .* got 2 outside the domain, 1 on facets"
    ):
        rt.fiedler_partition(graph, [[2.0], [-2.0], [0.0]])
    with pytest.raises(InputError, match=r"`points` must have shape \(n, 1\), got \(1, 2\)"):
        rt.fiedler_partition(graph, [[0.0, 1.0]])
    with pytest.raises(InputError, match=r"`points` must be finite"):
        rt.fiedler_partition(graph, [[np.nan]])
    with pytest.raises(InputError, match="`graph` must have a complex"):
        rt.fiedler_partition(plain_graph(2, [[0, 1]]), [[0.0]])


def test_names_are_checked() -> None:
    graph = chain([0.0]).dual_graph()
    with pytest.raises(UnknownNameError, match=r"choose one of .*arpack"):
        rt.fiedler_partition(graph, [[0.5]], eigensolver="lanczos")
    with pytest.raises(UnknownNameError, match=r"choose one of .*count_plus_one"):
        rt.fiedler_partition(graph, [[0.5]], vertex_weights="mass")
    with pytest.raises(UnknownNameError, match=r"choose one of .*facet_length"):
        rt.fiedler_partition(graph, [[0.5]], edge_weights="mass")
    with pytest.raises(InputError, match="`component` must be None or 'largest', got 'first'"):
        rt.fiedler_partition(graph, [[0.5]], component="first")  # type: ignore[arg-type]


class _GivesUp(Eigensolver):
    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        one, vectors = np.ones(1), np.array([[1.0], [-1.0]])
        return EigenResult(one, vectors, one / 2, np.inf, 7, 0.0, "gives_up", "not_converged")


def test_an_eigensolver_that_gives_up_is_not_passed_over() -> None:
    with pytest.raises(
        NotConvergedError, match=r"'gives_up' must converge, got residual 5.0e-01 after 7"
    ):
        rt.fiedler_partition(chain([0.0]).dual_graph(), [[0.5]], eigensolver=_GivesUp())


class _Heavy(VertexWeights):
    needs_points = False

    def __call__(self, graph: rt.DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.random.default_rng(graph.n_nodes).integers(1, 50, graph.n_nodes).astype(float)


class _Writes(CountPlusOne):
    """Writes into what it is given, as far as it may."""

    def __call__(self, graph: rt.DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        counts += 1
        return counts.astype(np.float64)


class _WritesFactors(CountPlusOne):
    def edge_factors(
        self, graph: rt.DualGraph, weights: NDArray[np.float64]
    ) -> NDArray[np.float64] | float:
        weights /= weights.sum()
        return 1.0


class _WritesWeights(Eigensolver):
    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        vertex_weights *= 2
        result: EigenResult = registry.create("eigensolver", "arpack").solve(
            laplacian, vertex_weights
        )
        return result


@pytest.mark.parametrize(
    "choice",
    [
        {"vertex_weights": _Writes()},
        {"vertex_weights": _WritesFactors()},
        {"eigensolver": _WritesWeights()},
    ],
)
def test_what_is_kept_in_the_partition_cannot_be_changed_from_outside(
    choice: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="read-only"):
        rt.fiedler_partition(chain([0.0]).dual_graph(), [[0.5]], **choice)


@pytest.mark.parametrize("seed", range(8))
def test_sweep_cut_against_all_thresholds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 100))
    tree = {(int(rng.integers(v)), v) for v in range(1, n)}
    extra = np.sort(rng.integers(n, size=(n, 2)), axis=1)
    edges = sorted(tree | {(u, v) for u, v in extra.tolist() if u < v})
    graph = plain_graph(n, edges)
    weights = rng.uniform(0.1, 1, len(edges))
    part = replace(
        rt.fiedler_partition(graph, vertex_weights=_Heavy()), edge_weights=np.ones(len(edges))
    )
    assert isinstance(part, rt.FiedlerPartition)

    def conductance(sides: NDArray[np.bool_], w: NDArray[np.float64]) -> float:
        cut = w[sides[graph.edges[:, 0]] != sides[graph.edges[:, 1]]].sum()
        mass = part.vertex_weights
        return float(cut / min(mass[sides].sum(), mass[~sides].sum()))

    sweep = part.sweep_cut()
    every = [conductance(part.vector > t, part.edge_weights) for t in np.sort(part.vector)[:-1]]
    assert sweep.conductance == pytest.approx(min(every))
    assert sweep.conductance == pytest.approx(conductance(sweep.sides, part.edge_weights))
    assert sweep.sign_conductance == pytest.approx(conductance(part.sides > 0, part.edge_weights))
    np.testing.assert_array_equal(sweep.sides, part.vector > sweep.threshold)
    # Cheeger's inequality with vertex weights.
    degree = np.asarray(graph.adjacency.sum(axis=1)).ravel()
    spread = (degree / part.vertex_weights).max()
    assert part.value / 2 <= sweep.conductance * (1 + 1e-9)
    assert sweep.conductance <= np.sqrt(2 * part.value * spread) * (1 + 1e-9)
    # Other edge weights, the same vector: the sweep follows the weights.
    other = replace(part, edge_weights=weights)
    assert other.sweep_cut().conductance == pytest.approx(
        min(conductance(part.vector > t, weights) for t in np.sort(part.vector)[:-1])
    )


def test_points_are_optional_for_unweighted_instances() -> None:
    part = rt.fiedler_partition(plain_graph(2, [[0, 1]]), vertex_weights=Unweighted())
    assert part.counts.tolist() == [0, 0]
    with pytest.raises(InputError, match="`graph` must have a complex"):
        part.agreement([[0.0], [1.0]], [0, 1])
    with pytest.raises(InputError, match="`graph` must have a complex"):
        part.decision_agreement()


class _Counting(Eigensolver):
    """The eigensolver "auto", which counts what it prepares."""

    def __init__(self) -> None:
        self.n_prepared = 0

    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: NDArray[np.float64],
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        raise AssertionError("the driver prepares")

    def prepare(self, laplacian: sparse.csr_array) -> PreparedLaplacian:
        self.n_prepared += 1
        prepared: PreparedLaplacian = registry.create("eigensolver", "auto").prepare(laplacian)
        return prepared


@pytest.mark.parametrize("eigensolver", ["auto", "arpack", "amg_lobpcg"])
@pytest.mark.parametrize("adjacency", ["facet", "hamming"])
def test_a_partitioner_gives_the_same_partitions(eigensolver: str, adjacency: Any) -> None:
    """On 90 regions, and on the largest of two components."""
    kinks = np.linspace(-0.9, 0.9, 90)
    kinks[1] = kinks[0]  # neurons that switch at once cut the Hamming graph
    graph = chain(kinks.tolist()).dual_graph(adjacency)
    points = np.random.default_rng(0).uniform(-1, 1, (500, 1))
    options: dict[str, Any] = {"eigensolver": eigensolver, "component": "largest", "seed": 4}
    partitioner = rt.Partitioner(graph, points, **options)
    by_regions = rt.Partitioner(graph, points, regions=graph.locate(points), **options)
    counts = by_regions.fiedler("count_plus_one").counts
    np.testing.assert_array_equal(counts, partitioner.fiedler("count_plus_one").counts)
    for weights in ("unweighted", "count_plus_one", "chung_langlands", "count_plus_one"):
        shared = partitioner.fiedler(weights)
        alone = rt.fiedler_partition(graph, points, vertex_weights=weights, **options)
        for name in ("vector", "sides", "component", "counts", "vertex_weights", "edge_weights"):
            np.testing.assert_array_equal(getattr(shared, name), getattr(alone, name))
        for name in ("value", "residual", "iterations", "method", "n_outside", "n_on_boundary"):
            assert getattr(shared, name) == getattr(alone, name)


@pytest.mark.parametrize(
    "regions", [np.zeros(2, np.int64), np.zeros((3, 1), np.int64), np.zeros(3), np.full(3, 9)]
)
def test_a_partitioner_refuses_what_are_no_regions_of_the_points(regions: Any) -> None:
    graph = chain([0.0, 0.5]).dual_graph()
    with pytest.raises(InputError, match="`regions` must have one of 3 regions for each of 3"):
        rt.Partitioner(graph, [[-0.5], [0.1], [0.7]], regions=regions)


def test_a_partitioner_prepares_once_for_the_same_edge_weights() -> None:
    solver, points = _Counting(), [[-0.5], [0.1], [0.7]]
    partitioner = rt.Partitioner(chain([0.0, 0.5]).dual_graph(), points, eigensolver=solver)
    counts = []
    for weights in ("unweighted", "count_plus_one", "chung_langlands", "scaled_count"):
        assert partitioner.fiedler(weights).seconds > 0
        counts.append(solver.n_prepared)
    assert counts == [1, 1, 2, 3]
    partitioner.fiedler("unweighted", "inverse_distance")
    assert solver.n_prepared == 4


def test_a_partitioner_refuses_one_partition_and_gives_the_next() -> None:
    graph = chain([0.0, 0.5]).dual_graph()
    partitioner = rt.Partitioner(graph)
    with pytest.raises(InputError, match="`points` must be given"):
        partitioner.fiedler("count_plus_one")
    assert partitioner.fiedler("unweighted").value == pytest.approx(1.0)


class _PreparesNothing(_Counting):
    def prepare(self, laplacian: sparse.csr_array) -> PreparedLaplacian:
        return None  # type: ignore[return-value]


def test_a_preparation_that_is_none_is_named() -> None:
    graph = chain([0.0]).dual_graph()
    with pytest.raises(BackendError, match="a PreparedLaplacian from `prepare`, got NoneType"):
        rt.fiedler_partition(graph, [[0.5]], eigensolver=_PreparesNothing())


def test_edge_weights_that_a_strategy_changes_in_place_are_seen() -> None:
    class Own(EdgeWeights):
        weights = np.ones(2)

        def __call__(self, graph: rt.DualGraph) -> NDArray[np.float64]:
            return self.weights

    own, graph = Own(), chain([-0.5, 0.5]).dual_graph()
    partitioner = rt.Partitioner(graph)
    first = partitioner.fiedler("unweighted", own)
    own.weights[:] = 3.0
    second = partitioner.fiedler("unweighted", own)
    assert second.value == pytest.approx(3 * first.value)
    np.testing.assert_array_equal(first.edge_weights, np.ones(2))
