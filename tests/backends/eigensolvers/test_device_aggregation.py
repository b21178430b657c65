"""Aggregates and products for any device: their laws, and kernels against operations on arrays."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from relutopo.devices.device import Device

aggregation = import_module("relutopo.backends.eigensolvers._multigrid.aggregation")
hierarchies = import_module("relutopo.backends.eigensolvers._multigrid.hierarchy")
products = import_module("relutopo.backends.eigensolvers._multigrid.products")


@pytest.fixture(scope="module")
def card(numpy_with_kernels: Any) -> Device:
    device = Device()
    device.xp = numpy_with_kernels
    return device


@st.composite
def laplacians(draw: st.DrawFn) -> sparse.csr_matrix:
    """Connected graphs from paths to hubs, with edges of one weight, or of very different ones."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 120))
    reach = draw(st.sampled_from([1, 5, 120]))
    tree = [[rng.integers(max(0, v - reach), v), v] for v in range(1, n)]
    extra = rng.integers(n, size=(draw(st.integers(0, 2 * n)), 2))
    u, v = np.concatenate([tree, extra[extra[:, 0] != extra[:, 1]]]).astype(int).T
    spread = draw(st.sampled_from([0.0, 2.0]))
    w = 10 ** rng.uniform(-spread, spread, len(u))
    adjacency = sparse.coo_array((w, (u, v)), shape=(n, n)).tocsr()
    adjacency = adjacency + adjacency.T
    matrix = sparse.csr_array(sparse.diags_array(adjacency.sum(axis=1)) - adjacency)
    matrix.sort_indices()
    on_device: sparse.csr_matrix = Device().csr_to_device(matrix)
    return on_device


def strong_edges(matrix: sparse.csr_matrix) -> Any:
    sizes = abs(matrix.toarray())
    np.fill_diagonal(sizes, 0)
    most = sizes.max(axis=1)
    return (sizes > 0) & (sizes >= 0.25 * np.minimum.outer(most, most))


@given(laplacians())
def test_roots_are_a_maximal_set_far_apart(matrix: sparse.csr_matrix) -> None:
    strong, degree = aggregation._strong(np, matrix)
    is_root = aggregation._roots(np, matrix, strong, degree)
    one = strong_edges(matrix) | np.eye(matrix.shape[0], dtype=bool)
    two = one @ one
    np.testing.assert_array_equal(degree, one.sum(axis=1) - 1)
    np.testing.assert_array_equal(two[np.ix_(is_root, is_root)], np.eye(is_root.sum()))
    assert two[is_root].any(axis=0).all()


@given(laplacians())
def test_aggregates_are_in_one_piece_and_not_of_one_node(matrix: sparse.csr_matrix) -> None:
    tentative = aggregation.tentative_prolongation(matrix, Device())
    members = tentative.indices
    np.testing.assert_array_equal(tentative @ np.ones(tentative.shape[1]), 1)
    assert set(members) == set(range(tentative.shape[1]))
    edges = strong_edges(matrix)
    for number in range(tentative.shape[1]):
        inside = np.flatnonzero(members == number)
        assert len(inside) > 1
        within = sparse.csr_array(edges[np.ix_(inside, inside)])
        assert sparse.csgraph.connected_components(within)[0] == 1


@given(matrix=laplacians())
def test_a_card_finds_the_same_aggregates(card: Device, matrix: sparse.csr_matrix) -> None:
    found = [aggregation.tentative_prolongation(matrix, device) for device in (card, Device())]
    assert found[0].shape == found[1].shape
    np.testing.assert_array_equal(found[0].indices, found[1].indices)


@given(matrix=laplacians(), seed=st.integers(0, 1000))
def test_kernels_give_what_operations_on_arrays_give(
    card: Device, matrix: sparse.csr_matrix, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n, few = matrix.shape[0], int(rng.integers(1, 5))
    wide = matrix[: n // 2 + 1]
    vectors, others = rng.standard_normal((few, n)), rng.standard_normal((3, n))
    four = tuple(rng.standard_normal((4, n)))
    plus, coefficients = rng.standard_normal((few, n // 2 + 1)), rng.standard_normal((2, few))
    for call in (
        lambda xp: products.product(xp, wide, vectors),
        lambda xp: products.product(xp, wide, vectors[0], plus[0], -1.0),
        lambda xp: products.product(xp, wide, vectors, plus),
        lambda xp: np.stack(products.chebyshev_step(xp, matrix, four, 0.3, 0.7)),
        lambda xp: products.inner_products(xp, vectors, others),
        lambda xp: products.combinations(xp, coefficients, vectors),
    ):
        by_kernel, by_arrays = call(card.xp), call(np)
        assert by_kernel.shape == by_arrays.shape
        scale = abs(matrix.data).max() * n
        np.testing.assert_allclose(by_kernel, by_arrays, rtol=1e-10, atol=1e-13 * scale)
