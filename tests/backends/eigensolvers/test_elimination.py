"""Orders of elimination, and the factorisation on them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from properties import examples
from relutopo import registry
from relutopo.errors import InputError

Cholesky = import_module("relutopo.backends.eigensolvers._factorisation.cholesky").Cholesky
Elimination = import_module("relutopo.backends.eigensolvers._factorisation.elimination").Elimination
fronts = import_module("relutopo.backends.eigensolvers._factorisation.fronts")
substitution = import_module("relutopo.backends.eigensolvers._factorisation.substitution")
nested_dissection = import_module(
    "relutopo.backends.eigensolvers._factorisation.dissection"
).nested_dissection
Tuning = import_module("relutopo.backends.eigensolvers._factorisation.tuning").Tuning
threads = import_module("relutopo.system.threads").threads


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
@examples(150)
def test_an_order_is_a_permutation_and_blocks_meet_only_those_above(
    graph: tuple[int, NDArray[np.int64]], leaf_size: int
) -> None:
    n, edges = graph
    system = laplacian(n, edges)
    tuning = Tuning(leaf_size_at_once=leaf_size)
    found = nested_dissection(system.indptr, system.indices, tuning=tuning)
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


@given(graph=graphs(), few=st.sampled_from([1, 10, 1000]))
@examples(100)
def test_pieces_are_all_blocks_and_later_levels_hold_those_above(
    graph: tuple[int, NDArray[np.int64]], few: int
) -> None:
    system = laplacian(*graph)
    plan = Elimination.of(system, tuning=Tuning(piece_size=few))
    parents = plan.dissection.parents
    assert [piece.first for piece in plan.pieces[1:]] == [piece.last for piece in plan.pieces[:-1]]
    assert (plan.pieces[0].first, plan.pieces[-1].last) == (0, len(parents))
    assert sorted(i for level in plan.levels for i in level) == list(range(len(plan.pieces)))
    height = {i: h for h, level in enumerate(plan.levels) for i in level}
    for i, piece in enumerate(plan.pieces):
        assert (parents[piece.first : piece.last - 1] < piece.last).all()
        assert all(parents[plan.pieces[j].last - 1] == piece.last - 1 for j in piece.below)
        assert all(height[j] < height[i] for j in piece.below)
        if piece.last < len(parents):
            assert sum(i in other.below for other in plan.pieces) == 1


def dense_factor(factor: Any) -> NDArray[np.float64]:
    """Return the factor with its zeros, lower triangular; the panels have inverses of triangles."""
    plan = factor.plan
    starts, n = plan.dissection.starts, len(plan.positions)
    dense = np.zeros((n, n))
    panels = np.concatenate(factor.panels)
    for b in range(len(starts) - 1):
        own = np.arange(starts[b], starts[b + 1])
        rows = np.append(own, plan.borders[plan.border_ptr[b] : plan.border_ptr[b + 1]])
        panel = panels[plan.panel_ptr[b] : plan.panel_ptr[b + 1]].reshape(len(own), len(rows))
        for low in range(0, len(own), substitution.WIDE):
            step = slice(low, min(len(own), low + substitution.WIDE))
            inverse = panel[step, step]
            np.testing.assert_array_equal(inverse, inverse.T)
            panel[step, step] = scipy.linalg.inv(np.triu(inverse))
        for k, column in enumerate(panel):
            dense[rows[k:], own[k]] = column[k:]
    return dense


@given(graph=graphs(), few=st.sampled_from([1, 10, 1000]), seed=st.integers(0, 99))
@examples(100)
def test_the_factor_is_that_of_lapack(
    graph: tuple[int, NDArray[np.int64]], few: int, seed: int
) -> None:
    n, edges = graph
    system = laplacian(n, edges, np.random.default_rng(seed).uniform(1, 10, len(edges)))
    plan = Elimination.of(system, tuning=Tuning(piece_size=few))
    order = plan.dissection.order
    grounded = system.toarray()[np.ix_(order, order)] + np.diag(np.append(np.zeros(n - 1), 1.0))
    expected = scipy.linalg.cholesky(grounded, lower=True)
    found = dense_factor(Cholesky.of(system, plan))
    # In LAPACK's last pivot all of the matrix cancels but the 1.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(("n_own", "n_border"), [(1, 0), (31, 70), (33, 63), (90, 250), (300, 40)])
def test_a_front_becomes_a_part_of_the_factor(n_own: int, n_border: int) -> None:
    """Large fronts are eliminated otherwise than small ones."""
    n = n_own + n_border
    weights = -np.random.default_rng(0).uniform(0, 1, (n, n))
    front = np.triu(weights, 1)
    panel, update = front[:n_own].copy(), front[n_own:, n_own:].copy()
    fronts.eliminate(panel.reshape(-1), update.reshape(-1), n_own, n_border)
    dense = front + front.T
    dense -= np.diag(dense.sum(axis=1))
    dense[n - 1, n - 1] += 1.0  # grounded; nothing but the last pivot depends on it
    factor = scipy.linalg.cholesky(dense)
    n_sure = min(n_own, n - 1)
    np.testing.assert_allclose(np.triu(panel)[:n_sure], factor[:n_sure], rtol=1e-10)
    below = factor[n_own:, n_own:]
    np.testing.assert_allclose(np.triu(update, 1), np.triu(below.T @ below, 1), rtol=1e-9)


def test_factors_and_solutions_do_not_depend_on_threads() -> None:
    n, edges = 250 * 300, grid(250, 300)
    weights = np.random.default_rng(0).uniform(1, 10, len(edges))
    system = laplacian(n, edges, weights)
    right = np.random.default_rng(1).standard_normal((3, n))
    right -= right.mean(axis=1)[:, None]
    plan = Elimination.of(system)
    assert len(plan.pieces) > 20
    alone = Cholesky.of(system, plan)
    with threads(3) as run:
        shared_plan = Elimination.of(system, run)
        shared = Cholesky.of(system, shared_plan, run)
        solution = shared.solve(right, run)
    np.testing.assert_array_equal(plan.borders, shared_plan.borders)
    for panels, others in zip(alone.panels, shared.panels, strict=True):
        np.testing.assert_array_equal(panels, others)
    np.testing.assert_array_equal(alone.solve(right), solution)


@given(
    graph=graphs(),
    few=st.sampled_from([1, 10, 1000]),
    spread=st.sampled_from([0.0, 3.0, 8.0]),
    seed=st.integers(0, 99),
    n_rights=st.integers(1, 3),
)
@examples(150)
def test_the_factor_solves(
    graph: tuple[int, NDArray[np.int64]], few: int, spread: float, seed: int, n_rights: int
) -> None:
    n, edges = graph
    rng = np.random.default_rng(seed)
    system = laplacian(n, edges, 10 ** rng.uniform(-spread, spread, len(edges)))
    plan = Elimination.of(system, tuning=Tuning(piece_size=few))
    factor = Cholesky.of(system, plan)
    order = plan.dissection.order
    dense = system.toarray()[np.ix_(order, order)]
    rights = rng.standard_normal((n_rights, n)) @ dense
    for right, found in zip(rights, factor.solve(rights), strict=True):
        assert found[-1] == pytest.approx(0, abs=1e-6 * np.abs(found).max())
        # Backward stable: the residual is small against what is summed up in it.
        sizes = np.abs(dense) @ np.abs(found) + np.abs(right)
        assert (np.abs(dense @ found - right) <= 1e-10 * sizes.max()).all()


@given(graph=graphs())
@examples(60)
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
    factor = Cholesky.of(laplacian(n, edges, weights), plan)
    order = plan.dissection.order
    right = np.zeros(n)
    right[plan.positions[0]], right[plan.positions[n - 1]] = 1.0, -1.0
    potential = np.empty(n)
    potential[order] = factor.solve(right[None])[0]
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


@pytest.mark.parametrize("solver", ["arpack", "auto"])
def test_eigenvectors_do_not_depend_on_threads(solver: str) -> None:
    n, edges = 150 * 170, grid(150, 170)
    system = laplacian(n, edges)
    alone, shared = (
        registry.create("eigensolver", solver, n_threads=n_threads).solve(system, np.ones(n))
        for n_threads in (1, 3)
    )
    assert alone.method == shared.method == "arpack"
    np.testing.assert_array_equal(alone.vectors, shared.vectors)


@pytest.mark.parametrize("solver", ["arpack", "auto"])
def test_at_least_one_thread_is_asked_for(solver: str) -> None:
    with pytest.raises(InputError, match="`n_threads` must be an integer from 1, got 0"):
        registry.create("eigensolver", solver, n_threads=0)


def test_a_start_without_the_fiedler_vector_is_left() -> None:
    """Two long arms and many short ones meet in a node: the ends are the landmarks, and the slowest
    mode of the weighted graph, which is at home between two short arms, has no part in them."""
    arms = [60, 60, 20, 20]
    begins = np.cumsum([1, *arms])
    edges = np.array(
        [
            [0 if k == 0 else begin + k - 1, begin + k]
            for begin, length in zip(begins, arms, strict=False)
            for k in range(length)
        ]
    )
    weights = np.ones(begins[-1])
    weights[begins[3] - 1] = weights[begins[4] - 1] = 1e4
    system = laplacian(len(weights), edges)
    found = registry.create("eigensolver", "arpack").solve(system, weights)
    values = scipy.linalg.eigh(system.toarray(), np.diag(weights), eigvals_only=True)
    assert found.values == pytest.approx(values[1:2], rel=1e-6)
