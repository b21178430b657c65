"""Orders of elimination, and the factorisation on them."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

Elimination = import_module("relutopo.backends.eigensolvers._cholesky").Elimination
nested_dissection = import_module("relutopo.backends.eigensolvers._dissection").nested_dissection
threads = import_module("relutopo.backends.eigensolvers._threads").threads


def laplacian(
    n: int, edges: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> sparse.csr_array:
    w = np.ones(len(edges)) if weights is None else weights
    adjacency = sparse.csr_array((w, (edges[:, 0], edges[:, 1])), shape=(n, n))
    adjacency = adjacency + adjacency.T
    return sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)


def grid(rows: int, columns: int) -> NDArray[np.int64]:
    node = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    return np.concatenate([across, np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, NDArray[np.int64]]:
    """Connected graphs: paths, trees, stars, grids, dense ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 200))
    reach = draw(st.sampled_from([1, 5, 200]))
    tree = np.array([[rng.integers(max(0, v - reach), v), v] for v in range(1, n)])
    extra = rng.integers(n, size=(draw(st.sampled_from([0, n // 2, 20 * n])), 2))
    hub = np.stack([np.zeros(n - 1, dtype=np.int64), np.arange(1, n)], axis=1)
    edges = np.concatenate([tree, extra, hub[: draw(st.sampled_from([0, n - 1]))]])
    edges = rng.permutation(n)[edges]  # numbers say nothing of the place
    edges = np.unique(np.sort(edges[edges[:, 0] != edges[:, 1]], axis=1), axis=0)
    return n, edges


@given(graph=graphs(), leaf_size=st.sampled_from([1, 2, 12]))
@settings(max_examples=150, deadline=None)
def test_an_order_is_a_permutation_and_blocks_meet_only_those_above(
    graph: tuple[int, NDArray[np.int64]], leaf_size: int
) -> None:
    n, edges = graph
    system = laplacian(n, edges)
    found = nested_dissection(system.indptr, system.indices, leaf_size)
    assert np.sort(found.order).tolist() == list(range(n))
    assert (found.starts[0], found.starts[-1]) == (0, n)
    assert (np.diff(found.starts) > 0).all()
    n_blocks = len(found.parents)
    assert found.parents[-1] == -1
    assert (found.parents[:-1] > np.arange(n_blocks - 1)).all()
    block = np.empty(n, dtype=np.int64)
    block[found.order] = np.repeat(np.arange(n_blocks), np.diff(found.starts))
    for low, high in np.sort(block[edges], axis=1).tolist():
        above = low
        while above < high:
            above = found.parents[above]
        assert above == high


def test_a_dissection_does_not_depend_on_threads() -> None:
    """Parts of a large graph are cut at the same time, and read each other's places."""
    edges = grid(250, 300)
    system = laplacian(250 * 300, edges)
    alone = nested_dissection(system.indptr, system.indices)
    with threads(3) as run:
        shared = nested_dissection(system.indptr, system.indices, run=run)
    np.testing.assert_array_equal(alone.order, shared.order)
    np.testing.assert_array_equal(alone.starts, shared.starts)
    np.testing.assert_array_equal(alone.parents, shared.parents)


@given(graph=graphs(), spread=st.sampled_from([0.0, 3.0, 8.0]), seed=st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_the_factor_solves(graph: tuple[int, NDArray[np.int64]], spread: float, seed: int) -> None:
    n, edges = graph
    rng = np.random.default_rng(seed)
    system = laplacian(n, edges, 10 ** rng.uniform(-spread, spread, len(edges)))
    plan = Elimination.of(system)
    factor = plan.factorize(system)
    order = plan.dissection.order
    dense = system.toarray()[np.ix_(order, order)]
    y = rng.standard_normal(n)
    right = dense @ y
    found = factor.solve(right)
    assert found[-1] == pytest.approx(0, abs=1e-6 * np.abs(found).max())
    # Backward stable: the residual is small against what is summed up in it.
    sizes = np.abs(dense) @ np.abs(found) + np.abs(right)
    assert (np.abs(dense @ found - right) <= 1e-10 * sizes.max()).all()


@given(graph=graphs())
@settings(max_examples=60, deadline=None)
def test_planned_entries_hold_all_of_the_factor(graph: tuple[int, NDArray[np.int64]]) -> None:
    n, edges = graph
    system = laplacian(n, edges)
    plan = Elimination.of(system)
    order = plan.dissection.order
    grounded = system.toarray()[np.ix_(order, order)] + np.diag(np.append(np.zeros(n - 1), 1.0))
    entries = np.count_nonzero(np.abs(scipy.linalg.cholesky(grounded, lower=True)) > 1e-12)
    assert entries <= plan.n_entries <= n * (n + 1) / 2


def test_a_badly_scaled_path_is_solved_entry_by_entry() -> None:
    """Weights over 1e±150: a pivot found by subtraction would be lost."""
    n = 100
    edges = np.stack([np.arange(n - 1), np.arange(1, n)], axis=1)
    weights = 10 ** np.random.default_rng(0).uniform(-150, 150, n - 1)
    plan = Elimination.of(laplacian(n, edges, weights))
    factor = plan.factorize(laplacian(n, edges, weights))
    order = plan.dissection.order
    right = np.zeros(n)
    right[plan.positions[0]], right[plan.positions[n - 1]] = 1.0, -1.0
    potential = np.empty(n)
    potential[order] = factor.solve(right)
    # A current of 1 from end to end: differences of potential are resistances.
    drop = potential[0] - potential[n - 1]
    assert drop == pytest.approx(float(np.sum(1 / weights)), rel=1e-12)


@pytest.mark.parametrize("renumbered", [False, True])
def test_fill_grows_like_n_log_n_on_plane_graphs(renumbered: bool) -> None:
    """Natural order fills n^1.5 entries on a square grid, nested dissection about 8 n log n."""
    side = 150
    n, edges = side * side, grid(side, side)
    if renumbered:
        edges = np.random.default_rng(0).permutation(n)[edges]
    plan = Elimination.of(laplacian(n, edges))
    assert plan.n_entries <= 3 * n * np.log2(n)
    assert plan.n_entries <= 0.35 * side**3
    assert plan.n_operations <= 15 * side**3


def test_dense_parts_are_not_cut() -> None:
    n = 60
    system = laplacian(n, np.stack(np.triu_indices(n, 1), axis=1))
    plan = Elimination.of(system)
    assert len(plan.dissection.parents) == 1
    assert plan.n_entries == n * (n + 1) / 2
