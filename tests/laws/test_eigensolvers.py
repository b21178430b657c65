"""Every registered eigensolver obeys the laws of its role, on closed forms and against LAPACK."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.devices.device import Device, numpy_device
from relutopo.errors import DeviceMemoryError, InputError, MissingExtraError
from relutopo.gallery import random_network
from relutopo.interfaces import EigenResult, Eigensolver, checked_eigenpair
from relutopo.spectral.laplacian import pencil
from relutopo.spectral.weights import CountPlusOne, UnitEdges

SOLVERS = [
    # Everywhere, what runs on a card runs on NumPy; see `create`.
    *registry.names("eigensolver"),
    pytest.param("on a card", marks=pytest.mark.gpu),
]
ALL = [*SOLVERS, "from outside"]
"""With one that implements no more than the role asks for."""
# Sums on a card may differ in their last bits from run to run.
NAMES = registry.names("eigensolver")
DEVICE_LOBPCG = import_module(
    "relutopo.backends.eigensolvers._multigrid.lobpcg"
).DeviceLobpcgEigensolver
Floats = NDArray[np.float64]
Edges = NDArray[np.int64]


class Outside(Eigensolver):
    def solve(
        self,
        laplacian: sparse.csr_array,
        vertex_weights: Floats,
        *,
        n_pairs: int = 1,
        seed: int = 0,
    ) -> EigenResult:
        begin = time.perf_counter()
        values, vectors = scipy.linalg.eigh(laplacian.toarray(), np.diag(vertex_weights))
        next_value = values[n_pairs + 1] if n_pairs + 1 < len(values) else np.inf
        values, x = values[1 : n_pairs + 1], vectors[:, 1 : n_pairs + 1]
        x -= vertex_weights @ x / vertex_weights.sum()
        sizes = np.abs(x)
        first = np.argmax(sizes >= (1 - 1e-6) * sizes.max(axis=0), axis=0)
        x *= np.sign(x[first, np.arange(n_pairs)])
        right = values * vertex_weights[:, None] * x
        residuals = np.linalg.norm(laplacian @ x - right, axis=0) / np.linalg.norm(right, axis=0)
        seconds = time.perf_counter() - begin
        return EigenResult(values, x, residuals, next_value, 0, seconds, "dense", "converged")


def laplacian(n: int, edges: ArrayLike, weights: ArrayLike | None = None) -> sparse.csr_array:
    u, v = np.asarray(edges).T
    w = np.ones(len(u)) if weights is None else np.asarray(weights, dtype=float)
    adjacency = sparse.csr_array((w, (u, v)), shape=(n, n))
    adjacency = adjacency + adjacency.T
    return sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)


def create(solver: str, *, tol: float = 1e-8, max_iterations: int = 500) -> Eigensolver:
    """Create a solver; `cuda_lobpcg` runs on NumPy, and "on a card" where its name says."""
    options = {"tol": tol, "max_iterations": max_iterations}
    if solver == "from outside":
        return Outside()
    if solver == "cuda_lobpcg":
        on_numpy: Eigensolver = DEVICE_LOBPCG(numpy_device(), **options)
        return on_numpy
    name = {"on a card": "cuda_lobpcg"}.get(solver, solver)
    made: Eigensolver = registry.create("eigensolver", name, **options)
    return made


@dataclass
class Pair:
    """The first of the pairs that were found."""

    every: EigenResult

    @property
    def value(self) -> float:
        return float(self.every.values[0])

    @property
    def vector(self) -> Floats:
        return self.every.vectors[:, 0]

    @property
    def residual(self) -> float:
        return float(self.every.residuals[0])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.every, name)


def solve(
    solver: str,
    system: sparse.csr_array,
    weights: Floats | None = None,
    seed: int = 0,
    n_pairs: int = 1,
) -> Pair:
    """Solve, and check all the laws that need no reference."""
    w = np.ones(system.shape[0]) if weights is None else weights
    made = create(solver)
    found = made.solve(system, w, n_pairs=n_pairs, seed=seed)
    result = checked_eigenpair(found, made, system, w, n_pairs)
    assert result.status == "converged"
    assert result.values.shape == result.residuals.shape == (n_pairs,)
    for i in range(n_pairs):
        x = result.vectors[:, i]
        residual = np.linalg.norm(system @ x - result.values[i] * w * x)
        residual /= result.values[i] * np.linalg.norm(w * x)
        assert residual <= 1e-6
        rounding = 4e-16 * np.linalg.norm(abs(system) @ np.abs(x))
        rounding /= result.values[i] * np.linalg.norm(w * x)
        assert result.residuals[i] == pytest.approx(residual, rel=1e-3, abs=2 * rounding)
        assert x @ (w * x) == pytest.approx(1)
        assert abs(w @ x) <= 1e-9 * np.linalg.norm(w)
        largest = np.flatnonzero(np.abs(x) >= (1 - 1e-6) * np.abs(x).max())
        assert x[largest[0]] > 0
    ran = {"auto": ("arpack", "amg_lobpcg"), "on a card": ("cuda_lobpcg",)}.get(solver, (solver,))
    is_dense = len(x) <= max(64, 4 * (n_pairs + 1)) or solver == "from outside"
    assert result.method in (("dense",) if is_dense else ran)
    assert (result.iterations == 0) >= (result.method == "dense")
    assert result.seconds >= 0
    return Pair(result)


def path_edges(n: int) -> Edges:
    return np.array(list(pairwise(range(n))))


def grid_edges(rows: int, columns: int) -> Edges:
    node = np.arange(rows * columns).reshape(rows, columns)
    across = np.stack([node[:, :-1].ravel(), node[:, 1:].ravel()], axis=1)
    down = np.stack([node[:-1].ravel(), node[1:].ravel()], axis=1)
    return np.concatenate([across, down])


def hypercube_edges(dim: int) -> Edges:
    corner = np.arange(2**dim)
    return np.concatenate(
        [
            np.stack([corner[low], corner[low] | 1 << bit], axis=1)
            for bit in range(dim)
            for low in [(corner >> bit) & 1 == 0]
        ]
    )


def in_span(x: Floats, basis: NDArray[np.floating[Any]]) -> bool:
    q = np.linalg.qr(basis)[0]
    return bool(np.linalg.norm(x - q @ (q.T @ x)) <= 1e-6 * np.linalg.norm(x))


def random_pencil(
    rng: np.random.Generator, n: int, reach: int, n_extra: int, spread: float, heavy_share: float
) -> tuple[sparse.csr_array, Floats]:
    """Return a connected graph: a tree whose nodes hang on one of `reach` before, and more edges.

    Edge weights lie within `spread` powers of ten of 1; a share of the nodes is heavy.
    """
    tree = np.array([[rng.integers(max(0, v - reach), v), v] for v in range(1, n)])
    extra = rng.integers(n, size=(n_extra, 2))
    edges = np.concatenate([tree, extra[extra[:, 0] != extra[:, 1]]])
    system = laplacian(n, edges, 10 ** rng.uniform(-spread, spread, len(edges)))
    heavy = rng.random(n) < heavy_share
    return system, np.where(heavy, rng.integers(2, 501, n), 1).astype(float)


@st.composite
def pencils(draw: st.DrawFn) -> tuple[sparse.csr_array, Floats]:
    """Connected graphs, dense and sparse, with weights over several orders of magnitude."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 150))
    return random_pencil(
        rng,
        n,
        reach=draw(st.sampled_from([1, 150])),  # a path, or a bushy tree
        n_extra=draw(st.integers(0, 3 * n)),
        spread=draw(st.sampled_from([0.0, 1.0, 2.0])),
        heavy_share=draw(st.sampled_from([0.0, 0.1, 0.9])),
    )


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("n", [2, 3, 10, 64, 65, 500])
def test_path(solver: str, n: int) -> None:
    result = solve(solver, laplacian(n, path_edges(n)))
    assert result.value == pytest.approx(2 - 2 * np.cos(np.pi / n), rel=1e-9)
    cosine = np.cos(np.pi * (np.arange(n) + 0.5) / n)  # the second mode of the DCT-II
    np.testing.assert_allclose(result.vector, cosine / np.linalg.norm(cosine), atol=1e-6)


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("n", [5, 200])
def test_cycle_has_a_double_value(solver: str, n: int) -> None:
    edges = np.stack([np.arange(n), np.roll(np.arange(n), -1)], axis=1)
    result = solve(solver, laplacian(n, edges))
    assert result.value == pytest.approx(2 - 2 * np.cos(2 * np.pi / n), rel=1e-9)
    angle = 2 * np.pi * np.arange(n) / n
    assert in_span(result.vector, np.stack([np.cos(angle), np.sin(angle)], axis=1))


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("n", [3, 100])
def test_complete_graph_has_one_value_only(solver: str, n: int) -> None:
    result = solve(solver, laplacian(n, np.stack(np.triu_indices(n, 1), axis=1)))
    assert result.value == pytest.approx(n, rel=1e-9)


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("n", [3, 1000])
def test_star_vanishes_at_its_centre(solver: str, n: int) -> None:
    edges = np.stack([np.zeros(n - 1, dtype=int), np.arange(1, n)], axis=1)
    result = solve(solver, laplacian(n, edges))
    assert result.value == pytest.approx(1, rel=1e-9)
    assert abs(result.vector[0]) <= 1e-7


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("dim", [3, 8])
def test_hypercube_has_a_value_as_multiple_as_its_dimension(solver: str, dim: int) -> None:
    result = solve(solver, laplacian(2**dim, hypercube_edges(dim)))
    assert result.value == pytest.approx(2, rel=1e-9)
    bits = (np.arange(2**dim)[:, None] >> np.arange(dim)) & 1
    assert in_span(result.vector, 1.0 - 2 * bits)


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize(("rows", "columns"), [(3, 7), (8, 9), (20, 20), (11, 40)])
def test_grid_is_a_product(solver: str, rows: int, columns: int) -> None:
    result = solve(solver, laplacian(rows * columns, grid_edges(rows, columns)))
    longest = max(rows, columns)
    assert result.value == pytest.approx(2 - 2 * np.cos(np.pi / longest), rel=1e-9)
    down = np.cos(np.pi * (np.arange(rows) + 0.5) / rows)[:, None] * np.ones(columns)
    across = np.ones(rows)[:, None] * np.cos(np.pi * (np.arange(columns) + 0.5) / columns)
    basis = [mode.ravel() for mode, n in ((down, rows), (across, columns)) if n == longest]
    assert in_span(result.vector, np.stack(basis, axis=1))


def path_values(n: int) -> Floats:
    return 2 - 2 * np.cos(np.pi * np.arange(n) / n)


def cycle_values(n: int) -> Floats:
    return 2 - 2 * np.cos(2 * np.pi * np.arange(n) / n)


def grid_values(rows: int, columns: int) -> Floats:
    return np.add.outer(path_values(rows), path_values(columns)).ravel()


def hypercube_values(dim: int) -> Floats:
    """Return 2 j as often as there are corners with j ones."""
    return 2.0 * np.array([corner.bit_count() for corner in range(2**dim)])


def cycle_edges(n: int) -> Edges:
    return np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)


def check_first_values(
    found: EigenResult, every: ArrayLike, n_pairs: int, rtol: float = 1e-7
) -> None:
    """Check values and the next one against all eigenvalues of the pencil, 0 among them."""
    values = np.append(np.sort(every)[1:], np.inf)
    np.testing.assert_allclose(found.values, values[:n_pairs], rtol=rtol)
    last, after = values[n_pairs - 1], values[n_pairs]
    assert found.next_value <= after * (1 + 0.01 * rtol)
    if np.isfinite(after):
        assert found.next_value >= last + 0.85 * (after - last) - 0.01 * rtol * last


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("n_pairs", [1, 2, 5, 8])
@pytest.mark.parametrize(
    ("edges", "values"),
    [
        (path_edges(9), path_values(9)),
        (path_edges(300), path_values(300)),
        (cycle_edges(9), cycle_values(9)),
        (cycle_edges(100), cycle_values(100)),
        (grid_edges(9, 9), grid_values(9, 9)),
        (grid_edges(12, 17), grid_values(12, 17)),
        (hypercube_edges(4), hypercube_values(4)),
        (hypercube_edges(8), hypercube_values(8)),
    ],
    ids=["path", "long path", "ring", "cycle", "square", "grid", "cube", "hypercube"],
)
def test_several_pairs_with_their_multiplicities(
    solver: str, n_pairs: int, edges: Edges, values: Floats
) -> None:
    """What is found, and what comes next, are the values of the closed forms."""
    found = solve(solver, laplacian(len(values), edges), n_pairs=n_pairs).every
    check_first_values(found, values, n_pairs)


@lru_cache(maxsize=300)  # for all solvers
def solved_pencil(seed: int) -> tuple[sparse.csr_array, Floats, Floats, Floats]:
    """Return a random pencil with all of its eigenvalues and eigenvectors, by LAPACK."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(10, 120))
    system, weights = random_pencil(
        rng,
        n,
        reach=int(rng.choice([1, 3, n])),
        n_extra=int(rng.integers(3 * n)),
        spread=rng.choice([0.0, 1.0, 2.0]),
        heavy_share=rng.choice([0.0, 0.1, 0.9]),
    )
    return system, weights, *scipy.linalg.eigh(system.toarray(), np.diag(weights))


@pytest.mark.slow
@pytest.mark.parametrize("solver", ALL)
def test_several_pairs_of_300_graphs_against_lapack(solver: str) -> None:
    """One to eight pairs; where a gap follows after them they span the same space as LAPACK's."""
    n_told_apart = 0
    for seed in range(300):
        system, weights, values, vectors = solved_pencil(seed)
        n_pairs = 1 + seed % 8
        found = solve(solver, system, weights, seed, n_pairs).every
        np.testing.assert_allclose(found.values, values[1 : n_pairs + 1], rtol=1e-6)
        assert found.next_value <= values[n_pairs + 1] * (1 + 1e-6)
        if values[n_pairs + 1] > 1.01 * values[n_pairs]:
            overlap = found.vectors.T @ (weights[:, None] * vectors[:, 1 : n_pairs + 1])
            cosines = np.linalg.svd(overlap, compute_uv=False)
            np.testing.assert_allclose(cosines, 1, atol=1e-6)
            n_told_apart += 1
    assert n_told_apart > 200


@pytest.mark.parametrize("solver", ALL)
@given(pencil=pencils(), seed=st.integers(0, 100), n_pairs=st.integers(1, 8))
@examples(30)
def test_several_pairs_of_random_pencils(
    solver: str, pencil: tuple[sparse.csr_array, Floats], seed: int, n_pairs: int
) -> None:
    system, weights = pencil
    n_pairs = min(n_pairs, len(weights) - 1)
    found = solve(solver, system, weights, seed, n_pairs).every
    values = np.append(scipy.linalg.eigh(system.toarray(), np.diag(weights))[0][1:], np.inf)
    np.testing.assert_allclose(found.values, values[:n_pairs], rtol=1e-6)
    assert found.next_value <= values[n_pairs] * (1 + 1e-6)


@pytest.mark.parametrize("n_pairs", [6, 7, 8])
@pytest.mark.parametrize("n", [66, 71, 91, 120, 150])
def test_pairs_that_fill_the_basis_converge(n: int, n_pairs: int) -> None:
    """Blocks of so many vectors leave no room for a next one, and lose their orthogonality."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        tree = np.array([[rng.integers(v), v] for v in range(1, n)])
        extra = rng.integers(n, size=(seed * n, 2))
        edges = np.concatenate([tree, extra[extra[:, 0] != extra[:, 1]]])
        system = laplacian(n, edges)
        found = solve("arpack", system, n_pairs=n_pairs).every
        values = np.linalg.eigvalsh(system.toarray())[1:]
        np.testing.assert_allclose(found.values, values[:n_pairs], rtol=1e-7)
        assert found.iterations < 100


@pytest.mark.parametrize("solver", ALL)
@pytest.mark.parametrize("ratio", [1.0, 500.0, 1e9])
def test_two_weighted_nodes(solver: str, ratio: float) -> None:
    result = solve(solver, laplacian(2, [[0, 1]], [3.0]), np.array([1.0, ratio]))
    assert result.value == pytest.approx(3 * (1 + 1 / ratio), rel=1e-9)


@pytest.mark.parametrize("solver", ALL)
def test_scaling_both_matrices_scales_the_value(solver: str) -> None:
    rng = np.random.default_rng(0)
    edges = grid_edges(9, 10)
    system, weights = laplacian(90, edges, rng.uniform(1, 2, len(edges))), rng.uniform(1, 9, 90)
    plain = solve(solver, system, weights)
    scaled = solve(solver, sparse.csr_array(1e-6 * system), 1e5 * weights)
    assert scaled.value == pytest.approx(1e-11 * plain.value, rel=1e-9)


@pytest.mark.parametrize("solver", ALL)
@given(pencil=pencils(), seed=st.integers(0, 100))
@examples(60)
def test_random_pencils_against_lapack(
    solver: str, pencil: tuple[sparse.csr_array, Floats], seed: int
) -> None:
    system, weights = pencil
    result = solve(solver, system, weights, seed)
    values, vectors = scipy.linalg.eigh(system.toarray(), np.diag(weights))
    assert result.value == pytest.approx(values[1], rel=1e-6)
    if len(values) == 2 or values[2] > 1.01 * values[1]:
        roots = np.sqrt(weights)
        assert abs((roots * result.vector) @ (roots * vectors[:, 1])) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_all_agree_on_large_badly_scaled_grids() -> None:
    rows, columns = 200, 101
    n, edges, rng = rows * columns, grid_edges(rows, columns), np.random.default_rng(1)
    heavy = np.where(rng.random(n) < 0.02, rng.integers(2, 501, n), 1).astype(float)
    for edge_weights, weights in (
        (np.ones(len(edges)), np.ones(n)),
        (np.ones(len(edges)), heavy),
        (10 ** rng.uniform(-3, 0, len(edges)), np.ones(n)),
        (heavy[edges[:, 0]] * heavy[edges[:, 1]], heavy),
    ):
        results = [solve(s, laplacian(n, edges, edge_weights), weights) for s in NAMES]
        for result in results[1:]:
            assert result.value == pytest.approx(results[0].value, rel=1e-6)
            np.testing.assert_array_equal(result.vector > 0, results[0].vector > 0)


@pytest.mark.parametrize("solver", ALL)
def test_nearly_multiple_value(solver: str) -> None:
    """A grid so nearly square that its two lowest values differ by a relative 1e-6."""
    edges = grid_edges(15, 15)
    weights = np.ones(len(edges))
    weights[: 15 * 14] *= 1 + 1e-6
    result = solve(solver, laplacian(225, edges, weights))
    assert result.value == pytest.approx(2 - 2 * np.cos(np.pi / 15), rel=1e-7)


@pytest.mark.parametrize("solver", NAMES)
@pytest.mark.parametrize("edges", [grid_edges(13, 13), np.stack(np.triu_indices(100, 1), axis=1)])
def test_same_seed_same_result_whatever_the_global_state(solver: str, edges: Edges) -> None:
    system = laplacian(int(edges.max()) + 1, edges)
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    first = solve(solver, system, seed=3)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    np.testing.assert_equal(before, after)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(solve(solver, system, seed=3).vector, first.vector)
    with pytest.raises(InputError, match="`seed` must be an integer from 0, got -1"):
        solve(solver, system, seed=-1)


@pytest.mark.parametrize("solver", ALL)
def test_input_is_left_alone(solver: str) -> None:
    system = laplacian(100, path_edges(100))
    weights = np.arange(1.0, 101)
    copies = system.copy(), weights.copy()
    solve(solver, system, weights)
    assert abs(system - copies[0]).sum() == 0
    np.testing.assert_array_equal(weights, copies[1])


@pytest.mark.parametrize("solver", [*NAMES, "from outside"])
@pytest.mark.parametrize("edges", [path_edges(40), grid_edges(13, 13), hypercube_edges(9)])
def test_a_prepared_laplacian_gives_the_same_bits(solver: str, edges: Edges) -> None:
    """Whatever was solved before, and also when `auto` chooses the other method."""
    n = int(edges.max()) + 1
    system, rng = laplacian(n, edges), np.random.default_rng(0)
    weightings = [np.ones(n), rng.uniform(1, 500, n), np.ones(n)]
    made = create(solver)
    prepared = made.prepare(system)
    for weights, seed in zip(weightings, (0, 0, 5), strict=True):
        again = checked_eigenpair(prepared.solve(weights, seed=seed), made, system, weights)
        alone = made.solve(system, weights, seed=seed)
        for name in ("values", "vectors", "residuals", "next_value", "iterations", "method"):
            np.testing.assert_array_equal(getattr(again, name), getattr(alone, name))
    with pytest.raises((InputError, ValueError)):
        prepared.solve(np.ones(n + 1))


@pytest.mark.parametrize("solver", NAMES)
def test_edges_that_are_lost_in_the_sums_of_rows_count(solver: str) -> None:
    """A cycle whose halves are joined by edges that are lost on the Laplacian's diagonal."""
    edges = np.array([[i, (i + 1) % 6] for i in range(6)])
    weights = np.array([1.0, 1.0, 1e-200, 1.0, 1.0, 1e-200])
    result = create(solver).solve(laplacian(6, edges, weights), np.ones(6))
    assert result.status == "converged"
    # Each half moves as a whole: the edges between carry (2 / √6)² each.
    assert result.values[0] == pytest.approx(2 * 1e-200 * 4 / 6, rel=1e-12)
    halves = np.repeat([1, -1], 3) / np.sqrt(6)
    np.testing.assert_allclose(result.vectors[:, 0] * result.vectors[0, 0] * 6**0.5, halves)


@pytest.mark.parametrize("solver", NAMES)
def test_stopping_early_is_said(solver: str) -> None:
    # Eigenvalues as dense as the weights are: no method is done at once.
    n, weights = 200, np.random.default_rng(0).uniform(1, 500, 200)
    system = laplacian(n, np.stack(np.triu_indices(n, 1), axis=1))
    result = create(solver, max_iterations=1).solve(system, weights)
    assert result.status == "not_converged"
    assert result.residuals[0] > 1e-8
    assert np.isfinite(result.vectors).all()


@pytest.mark.parametrize("solver", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tol": 0.0}, r"`tol` must be a number in \(0, 1e-06\], got 0.0"),
        ({"tol": 1e-3}, r"`tol` must be a number in \(0, 1e-06\], got 0.001"),
        ({"max_iterations": 0}, "`max_iterations` must be an integer from 1, got 0"),
    ],
)
def test_options_are_checked(solver: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create(solver, **options)


def test_block_size_is_checked() -> None:
    with pytest.raises(InputError, match="`block_size` must be an integer from 1 to 16, got 17"):
        registry.create("eigensolver", "amg_lobpcg", block_size=17)


@pytest.mark.parametrize("block_size", [1, 16])
def test_every_block_size_works(block_size: int) -> None:
    solver = registry.create("eigensolver", "amg_lobpcg", block_size=block_size)
    result = solver.solve(laplacian(66, path_edges(66)), np.ones(66))
    assert result.status == "converged"
    assert result.values[0] == pytest.approx(2 - 2 * np.cos(np.pi / 66), rel=1e-9)


@pytest.mark.parametrize("solver", NAMES)
@pytest.mark.parametrize("n_weights", [1, 3])
def test_shapes_are_checked(solver: str, n_weights: int) -> None:
    with pytest.raises(InputError, match=r"`laplacian` must have shape \(n, n\) with n ≥ 2"):
        create(solver).solve(laplacian(2, [[0, 1]]), np.ones(n_weights))


def cube_edges(side: int) -> Edges:
    node = np.arange(side**3).reshape(side, side, side)
    pairs = [(node[:-1], node[1:]), (node[:, :-1], node[:, 1:]), (node[..., :-1], node[..., 1:])]
    return np.concatenate([np.stack([low.ravel(), high.ravel()], axis=1) for low, high in pairs])


def test_auto_factorises_plane_graphs_and_not_large_solid_ones() -> None:
    for edges, method in ((grid_edges(90, 90), "arpack"), (cube_edges(27), "amg_lobpcg")):
        system = laplacian(int(edges.max()) + 1, edges)
        auto = solve("auto", system)
        assert auto.method == method
        np.testing.assert_array_equal(auto.vector, solve(method, system).vector)


def dual_pencil(network: rt.ReluNetwork, dim: int) -> tuple[sparse.csr_array, Floats]:
    graph = rt.decompose(network, rt.Box(-3, 3, dim=dim)).dual_graph()
    counts = np.random.default_rng(0).poisson(0.5, graph.n_nodes)
    system = pencil(graph, counts, CountPlusOne(), UnitEdges())
    return system.laplacian, system.vertex_weights


@pytest.mark.parametrize(
    ("widths", "kind"),
    [([2, 40, 1], "gaussian"), ([2, 12, 12, 12, 1], "gaussian"), ([3, 16, 1], "gaussian")],
)
def test_dual_graphs_of_networks(widths: list[int], kind: str) -> None:
    """All solvers find the same pair, and it solves the pencil to far below the tolerance."""
    system, weights = dual_pencil(random_network(widths, seed=3, kind=kind), widths[0])
    results = [solve(solver, system, weights) for solver in NAMES]
    for result in results:
        assert result.residual <= 1e-8
        assert result.value == pytest.approx(results[0].value, rel=1e-9)
        np.testing.assert_allclose(result.vector, results[0].vector, atol=1e-6)


def test_a_symmetric_start_is_left() -> None:
    """The coarse levels of a star and of a barbell know only the wrong eigenvectors."""
    n = 400
    hub = np.stack([np.zeros(n - 1, dtype=int), np.arange(1, n)], axis=1)
    clique = np.stack(np.triu_indices(100, 1), axis=1)
    barbell = np.concatenate([clique, clique + 100, [[0, 100]]])
    for edges in (hub, barbell):
        system = laplacian(int(edges.max()) + 1, edges)
        reference = scipy.linalg.eigvalsh(system.toarray())[1]
        for solver in NAMES:
            assert solve(solver, system).value == pytest.approx(reference, rel=1e-7)


@pytest.mark.parametrize("solver", NAMES)
def test_results_do_not_depend_on_threads(solver: str) -> None:
    system = laplacian(150 * 150, grid_edges(150, 150))
    vectors = []
    for n_threads in (1, 4):
        with threadpoolctl.threadpool_limits(n_threads):
            vectors.append(solve(solver, system).vector)
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_missing_pyamg_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyamg", None)
    with pytest.raises(MissingExtraError, match="'amg_lobpcg' needs the package 'pyamg'"):
        registry.create("eigensolver", "amg_lobpcg")


def test_missing_cupy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingExtraError, match=r"'cuda_lobpcg' needs .*'cupy'.*relutopo\[cuda12"):
        registry.create("eigensolver", "cuda_lobpcg")


def test_what_does_not_fit_on_a_card_is_told_before_it_begins() -> None:
    class Small(Device):
        def require_memory(self, n_bytes: int, purpose: str) -> None:
            assert n_bytes > system.data.nbytes + system.indices.nbytes
            raise DeviceMemoryError(f"{purpose} needs {n_bytes}")

    system = laplacian(400, grid_edges(20, 20))
    solver = DEVICE_LOBPCG(Small(), tol=1e-8, max_iterations=500)
    with pytest.raises(DeviceMemoryError, match="the Fiedler vector of 400 nodes needs"):
        solver.solve(system, np.ones(400))


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_double_precision_allows_is_accepted(solver: str) -> None:
    """No vector of doubles has a residual of 1e-16 here."""
    system = laplacian(3000, path_edges(3000))
    result = create(solver, tol=1e-16).solve(system, np.ones(3000))
    assert result.status == "converged"
    assert 1e-16 < result.residuals[0] <= 1e-6
    assert result.iterations < 100
