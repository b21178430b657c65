"""Pivots count eigenvalues, and tell by how much rounding may have moved them."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import scipy.linalg
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.spectral.accuracy import quality_of

Elimination = import_module("relutopo.backends.eigensolvers._factorisation.elimination").Elimination
count_below = import_module("relutopo.backends.eigensolvers._factorisation.inertia").count_below
pencil = import_module("relutopo.backends.eigensolvers._pencil")


def laplacian(
    n: int, edges: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> sparse.csr_array:
    w = np.ones(len(edges)) if weights is None else weights
    adjacency = sparse.csr_array((w, (edges[:, 0], edges[:, 1])), shape=(n, n))
    adjacency = adjacency + adjacency.T
    return sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)


def random_pencil(
    rng: np.random.Generator, n: int, spread: float
) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    reach = int(rng.choice(np.array([1, 4, n])))
    tree = np.array([[int(rng.integers(max(0, v - reach), v)), v] for v in range(1, n)])
    extra = rng.integers(n, size=(int(rng.integers(0, 3 * n)), 2))
    edges = np.concatenate([tree, extra[extra[:, 0] != extra[:, 1]]])
    weights = rng.choice(np.array([1.0, float(rng.integers(2, 500))]), n)
    return laplacian(n, edges, 10 ** rng.uniform(-spread, spread, len(edges))), weights


def eigenvalues(system: sparse.csr_array, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = scipy.linalg.eigh(
        system.toarray(), np.diag(weights), eigvals_only=True
    )
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 300),
    spread=st.sampled_from([0.0, 1.0, 3.0]),
    near=st.sampled_from([0.5, 1e-2, 1e-6]),
)
@examples(100)
def test_pivots_count_eigenvalues(seed: int, n: int, spread: float, near: float) -> None:
    rng = np.random.default_rng(seed)
    system, weights = random_pencil(rng, n, spread)
    values = eigenvalues(system, weights)
    plan = Elimination.of(system)
    for i in rng.integers(0, n - 1, 3):
        low, high = values[i : i + 2]
        shift = float(rng.choice([low + near * (high - low), high - near * (high - low)]))
        if shift <= 0:
            continue
        n_below, uncertainty = count_below(system, weights, plan, shift)
        off = uncertainty + 1e-13 * values[-1]  # LAPACK's own
        assert (values < shift - off).sum() <= n_below <= (values < shift + off).sum()


def test_low_eigenvalues_of_a_plane_graph_are_counted_with_certainty() -> None:
    node = np.arange(40 * 50).reshape(40, 50)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    edges = np.concatenate([across, np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)])
    system, plan = laplacian(2000, edges), Elimination.of(laplacian(2000, edges))
    modes = [2 - 2 * np.cos(np.pi * np.arange(m) / m) for m in (40, 50)]
    values = np.sort(np.add.outer(*modes).ravel())
    for k in (1, 2, 3, 5):
        for shift in (values[k] - 1e-6, (values[k - 1] + values[k]) / 2):
            n_below, uncertainty = count_below(system, np.ones(2000), plan, float(shift))
            assert n_below == k
            assert uncertainty < 1e-6


def test_a_pivot_of_zero_leaves_everything_open() -> None:
    system = laplacian(3, np.array([[0, 1], [1, 2]]))
    n_below, uncertainty = count_below(system, np.ones(3), Elimination.of(system), 1.0)
    assert not uncertainty < np.inf or n_below in (1, 2)


@pytest.mark.parametrize("solver", ["arpack", "amg_lobpcg", "auto"])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(65, 200),
    n_pairs=st.sampled_from([1, 1, 3]),
    spread=st.sampled_from([0.0, 0.5]),
)
@example(seed=510509, n=174, n_pairs=3, spread=0.0)  # the count is certain far below only
@examples(40)
def test_the_next_value_is_not_too_large_and_hardly_too_small(
    solver: str, seed: int, n: int, n_pairs: int, spread: float
) -> None:
    system, weights = random_pencil(np.random.default_rng(seed), n, spread)
    values = eigenvalues(system, weights)[1:]
    last, after = values[n_pairs - 1 : n_pairs + 1]
    found = registry.create("eigensolver", solver).solve(system, weights, n_pairs=n_pairs)
    assert found.status == "converged"
    assert found.next_value <= after * (1 + 1e-9)
    if found.is_next_value_proved:
        assert found.next_value >= last + 0.8 * (after - last) - 1e-9 * last


@pytest.mark.parametrize("solver", ["arpack", "amg_lobpcg", "auto"])
def test_the_next_value_of_plane_graphs_is_proved(solver: str) -> None:
    for network in ([2, 12, 12, 1], [2, 8, 8, 8, 1]):
        net = rt.gallery.random_network(network, 3)
        graph = rt.decompose(net, rt.Box(-3, 3, dim=2)).dual_graph()
        points = np.random.default_rng(0).standard_normal((200, 2))
        for weights in ("unweighted", "count_plus_one"):
            part = rt.fiedler_partition(graph, points, vertex_weights=weights, eigensolver=solver)
            system = laplacian(graph.n_nodes, graph.edges.astype(np.int64))
            values = eigenvalues(system, part.vertex_weights)
            gap = values[2] / values[1] - 1
            assert part.is_gap_proved
            assert 0.8 * gap <= part.gap <= gap * (1 + 1e-9)


@pytest.mark.parametrize("too_large", [1.05, 1.5, 40.0])
def test_an_eigenvalue_that_was_passed_over_is_seen(too_large: float) -> None:
    system, weights = random_pencil(np.random.default_rng(0), 120, 0.5)
    last, after = eigenvalues(system, weights)[1:3]
    numbered = pencil.NumberedLaplacian.of(system, breadth_first=True)
    problem = pencil.SymmetricProblem.of(numbered, weights)
    found = registry.create("eigensolver", "arpack").solve(system, weights)
    pair = pencil.Eigenpair(found.vectors[:, 0], quality_of(system, weights, found.vectors[:, 0]))
    estimate = last + too_large * (after - last)
    iterate = pencil.Iterate([pair], estimate, 1, "arpack")
    proved = pencil.with_proof(iterate, problem, Elimination.of(numbered.matrix))
    if too_large < 2:
        assert proved.is_next_value_proved
        assert last + 0.89 * (after - last) <= proved.next_value <= after
    else:
        assert not proved.is_next_value_proved
        assert proved.next_value == pytest.approx(last)


def test_large_graphs_have_an_estimate_and_say_so() -> None:
    side = 120
    node = np.arange(side**2 - side).reshape(side - 1, side)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    edges = np.concatenate([across, np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)])
    n = int(edges.max()) + 1
    for solver in ("arpack", "amg_lobpcg"):
        found = registry.create("eigensolver", solver).solve(laplacian(n, edges), np.ones(n))
        assert not found.is_next_value_proved
        assert found.next_value <= (2 - 2 * np.cos(np.pi / (side - 1))) * (1 + 1e-9)
