"""What the gallery says of its networks is what enumerators and eigensolvers find."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo import gallery
from relutopo.errors import InputError
from relutopo.gallery import Example


def check(example: Example, enumerator: str) -> None:
    complex_ = rt.decompose(example.network, example.domain, enumerator=enumerator)
    assert complex_.n_cells == example.n_cells
    partition = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    assert partition.value == pytest.approx(example.fiedler_value, rel=1e-9)


@pytest.mark.parametrize("enumerator", ["exact", "cpu"])
@pytest.mark.parametrize("example", gallery.examples(), ids=str)
def test_examples_are_as_stated(example: Example, enumerator: str) -> None:
    check(example, enumerator)
    assert eval(repr(example), vars(gallery)).network.widths == example.network.widths


@examples(20)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=3).filter(any))
def test_grids(numbers: list[int]) -> None:
    check(gallery.grid(numbers), "cpu")


@examples(20)
@given(st.integers(1, 40))
def test_fans(n: int) -> None:
    check(gallery.fan(n), "cpu")


@pytest.mark.parametrize(("depth", "dim"), [(1, 1), (9, 1), (5, 2), (2, 3), (1, 4)])
def test_foldings_double_with_each_layer(depth: int, dim: int) -> None:
    check(gallery.folding(depth, dim), "cpu")


@pytest.mark.parametrize(("n", "dim"), [(2, 2), (5, 2), (3, 3), (5, 3)])
def test_faces_of_arrangements_in_the_whole_space(n: int, dim: int) -> None:
    for network, expected in (
        (gallery.general_arrangement(n, dim, seed=n), gallery.n_faces_general(n, dim)),
        (gallery.central_arrangement(n, dim, seed=n), gallery.n_faces_central(n, dim)),
    ):
        complex_ = rt.decompose_whole_space(network).complex
        on_side = np.zeros(complex_.n_cells[-2], dtype=bool)
        on_side[complex_.facet_labels < 0] = True
        n_faces = [complex_.n_regions]
        for k in range(dim - 1, -1, -1):
            n_faces.append(int(np.sum(~on_side)))
            if k:  # the faces of what lies on the border of the box lie there, too
                below = np.zeros(complex_.n_cells[k - 1], dtype=bool)
                indptr, faces = complex_.facets[k - 1]
                below[faces[np.repeat(on_side, np.diff(indptr))]] = True
                on_side = below
        assert tuple(reversed(n_faces)) == expected


@given(st.integers(1, 30), st.integers(1, 6))
def test_numbers_of_faces_add_up(n: int, dim: int) -> None:
    faces = gallery.n_faces_general(n, dim)
    assert faces[-1] == gallery.n_regions_general(n, dim)
    # Euler's characteristic of the whole space, with compact supports
    assert sum((-1) ** k * f for k, f in enumerate(faces)) == (-1) ** dim
    assert faces[0] == comb(n, dim)
    if n >= dim:
        central = gallery.n_faces_central(n, dim)
        assert central[-1] == gallery.n_regions_central(n, dim)
        assert sum((-1) ** k * f for k, f in enumerate(central)) == (-1) ** dim


@pytest.mark.parametrize("kind", ["gaussian", "float32", "integer", "uniform"])
def test_random_networks_are_the_same_for_the_same_seed(kind: str) -> None:
    one, same, other = (gallery.random_network([3, 5, 4, 1], s, kind) for s in (1, 1, 2))
    halved = gallery.random_network([3, 5, 4, 1], 1, kind, bias=0.5)
    without = gallery.random_network([3, 5, 4, 1], 1, kind, bias=0)
    for i in range(3):
        np.testing.assert_array_equal(one.weights[i], same.weights[i])
        np.testing.assert_array_equal(one.biases[i], same.biases[i])
        np.testing.assert_array_equal(one.weights[i], without.weights[i])
        np.testing.assert_array_equal(halved.biases[i], one.biases[i] / 2)
        assert not without.biases[i].any()
    assert (one.weights[0] != other.weights[0]).any()
    if kind == "integer":
        assert set(np.concatenate([w.ravel() for w in one.weights]).tolist()) == {-1, 0, 1}
    if kind == "float32":
        assert all((w == w.astype(np.float32)).all() for w in [*one.weights, *one.biases])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gallery.grid([]), "`numbers` must be a sequence of at least 1 integer from 0"),
        (lambda: gallery.grid([0, 0]), "`numbers` must not all be zero"),
        (lambda: gallery.fan(0), "`n` must be an integer from 1, got 0"),
        (lambda: gallery.folding(0), "`depth` must be an integer from 1, got 0"),
        (lambda: gallery.random_network([2, 1], kind="normal"), "`kind` must be one of gaussian"),
        (lambda: gallery.n_faces_central(1, 2), "`n` must be at least `dim`=2, got 1"),
    ],
)
def test_bad_arguments_are_named(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
