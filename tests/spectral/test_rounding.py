"""Rounding of eigenvectors: planted groups are found, whatever basis the solver returns."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from properties import examples
from relutopo.errors import InputError
from relutopo.spectral.rounding import ClusterQr, KMeans, Rounding, Signs

Floats = NDArray[np.float64]


def cliques(sizes: list[int], bridge: float) -> tuple[Floats, NDArray[np.int64]]:
    """Return the Laplacian of cliques joined in a ring, and the clique of each node."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    adjacency = (groups[:, None] == groups).astype(float)
    first = np.cumsum([0, *sizes[:-1]])
    for here, there in zip(first, np.roll(first, -1), strict=True):
        if here != there:
            adjacency[here, there] = adjacency[there, here] = bridge
    np.fill_diagonal(adjacency, 0)
    return np.diag(adjacency.sum(axis=0)) - adjacency, groups


def vectors_of(laplacian: Floats, weights: Floats, k: int) -> Floats:
    found: Floats = scipy.linalg.eigh(laplacian, np.diag(weights))[1][:, :k]
    return found


def same(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether two partitions are equal but for the names of their parts."""
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    return len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))


@examples(30)
@given(
    sizes=st.lists(st.integers(3, 7), min_size=2, max_size=6),
    seed=st.integers(0, 2**32 - 1),
    rounding=st.sampled_from([ClusterQr(), KMeans()]),
)
def test_cliques_are_found(sizes: list[int], seed: int, rounding: Rounding) -> None:
    rng = np.random.default_rng(seed)
    laplacian, groups = cliques(sizes, 0.01)
    weights, k = rng.uniform(0.5, 2, len(groups)), len(sizes)
    vectors, counts = vectors_of(laplacian, weights, k), rng.integers(1, 4, len(groups))
    parts = rounding(vectors, weights, counts, error=0.0, seed=0)
    assert same(parts, groups)


@examples(50)
@given(n=st.integers(5, 30), k=st.integers(2, 5), seed=st.integers(0, 2**32 - 1))
def test_a_turned_basis_gives_the_same_parts(n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    adjacency = np.triu(rng.uniform(size=(n, n)) * (rng.uniform(size=(n, n)) < 0.5), 1)
    adjacency += np.diag(np.ones(n - 1), 1)
    adjacency += adjacency.T
    weights = rng.uniform(0.5, 2, n)
    vectors = vectors_of(np.diag(adjacency.sum(axis=0)) - adjacency, weights, k)
    turn = np.linalg.qr(rng.normal(size=(k - 1, k - 1)))[0]
    turned = np.column_stack([vectors[:, 0], vectors[:, 1:] @ turn])
    counts = np.zeros(n, dtype=np.int64)
    expected = ClusterQr()(vectors, weights, counts, error=1e-9, seed=0)
    found = ClusterQr()(turned, weights, counts, error=1e-9, seed=0)
    assert np.array_equal(found, expected)


def test_nothing_decides_on_a_node_between() -> None:
    """The middle of a path, for signs; the hub of a star of three cliques, for three parts."""
    path = np.diag([1.0, 2, 1]) - np.diag([1.0, 1], 1) - np.diag([1.0, 1], -1)
    weights, none = np.ones(3), np.zeros(3, dtype=np.int64)
    signs = Signs()(vectors_of(path, weights, 2), weights, none, error=1e-14, seed=0)
    assert signs[1] == -1
    assert {signs[0], signs[2]} == {0, 1}
    laplacian, _ = cliques([4, 4, 4], 0.0)
    whole = np.zeros((13, 13))
    whole[:12, :12] = laplacian
    for corner in (0, 4, 8):
        whole[[corner, 12], [12, corner]] -= 1
        whole[[corner, 12], [corner, 12]] += 1
    weights, none = np.ones(13), np.zeros(13, dtype=np.int64)
    parts = ClusterQr()(vectors_of(whole, weights, 3), weights, none, error=1e-12, seed=0)
    assert parts[12] == -1
    assert same(parts[:12], np.repeat(np.arange(3), 4))


def test_nodes_with_data_decide_for_k_means() -> None:
    laplacian, groups = cliques([4, 4, 4, 4], 0.01)
    vectors, weights = vectors_of(laplacian, np.ones(16), 3), np.ones(16)
    counts = np.where(groups == 3, 0, 5)
    parts = KMeans()(vectors, weights, counts, error=0.0, seed=0)
    with_data = counts > 0
    assert same(parts[with_data], groups[with_data])
    few = np.where(np.arange(16) < 2, 1, 0)
    with pytest.raises(InputError, match="`points` must lie in regions that the eigenvectors tell"):
        KMeans()(vectors_of(laplacian, np.ones(16), 4), weights, few, error=0.0, seed=0)


def test_signs_have_two_parts() -> None:
    with pytest.raises(InputError, match="`rounding` 'signs' gives two parts, got k=3"):
        Signs()(np.ones((4, 3)), np.ones(4), np.zeros(4, dtype=np.int64), error=0.0, seed=0)
