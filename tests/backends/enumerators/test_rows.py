"""Ties of perceptrons: copies and opposites of neurons, planes through the origin, grids."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.testing import assert_same_complex

rows = import_module("relutopo.backends.enumerators._certified.rows")
planes = import_module("relutopo.backends.enumerators._planar.integers.planes")

FACTORS = [1.0, -1.0, 2.0, -3.0, 0.5, 1 / 3, 0.1]
"""By which rows are multiplied; products with the last two are rounded."""


def with_ties(rng: np.random.Generator, dim: int, widest: int) -> rt.ReluNetwork:
    """Return a perceptron in which rows repeat, with few biases or none, and lines of a grid."""
    depth, kind = int(rng.integers(1, 5)), rng.choice(["reals", "halves", "signs"])
    sizes = [dim, *rng.integers(2, widest + 1, depth).tolist(), 1]
    biased = rng.choice(["all", "none", "later", "some"])
    weights, biases = [], []
    for layer, (n_inputs, n) in enumerate(pairwise(sizes)):
        w, b = rng.standard_normal((n, n_inputs)), rng.standard_normal(n) / 2
        if kind == "halves":
            w, b = np.round(2 * w) / 2, np.round(2 * b) / 2
        elif kind == "signs":
            w, b = np.sign(w), np.round(2 * b) / 2
        if biased == "none" or (biased == "later" and layer == 0):
            b = 0 * b
        elif biased == "some":
            b = b * rng.integers(0, 2, n)
        if layer == 0 and rng.integers(3) == 0:
            w = np.round(1.5 * rng.standard_normal((3, n_inputs)))[rng.integers(0, 3, n)]
            b = np.round(4 * b) / 4
        for _ in range(int(rng.integers(0, n + 1))):
            i, j = rng.integers(0, n, 2)
            factor = rng.choice(FACTORS)
            w[i], b[i] = factor * w[j], factor * b[j]
            if rng.integers(6) == 0:  # nearly; where there was no bias, one that is no normal float
                b[i] = np.nextafter(b[i], 9.0)
        weights.append(w)
        biases.append(b)
    return rt.ReluNetwork(weights, biases)


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "widest"), [(1, 10), (2, 8), (3, 5)])
@examples(25)
@given(seed=st.integers(0, 2**32 - 1), middle=st.sampled_from([0.0, 0.25]))
def test_ties_are_those_of_integers(dim: int, widest: int, seed: int, middle: float) -> None:
    network = with_ties(np.random.default_rng(seed), dim, widest)
    box = rt.Box(middle - 1.5, middle + 1.5, dim=dim)
    ours = rt.decompose(network, box, enumerator="cpu")
    assert_same_complex(rt.decompose(network, box, enumerator="exact"), ours)


def grid(n: int) -> rt.ReluNetwork:
    """Return hat functions on triangles of a grid: of each three directions, lines meet in one."""
    at = np.arange(1, n) / n
    directions = np.repeat([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [n - 1, n - 1, 2 * n - 1], axis=0)
    offsets = np.concatenate([at, at, np.arange(1, 2 * n) / n])
    rng = np.random.default_rng(0)
    weights = [directions, rng.standard_normal((5, len(offsets))), np.ones((1, 5))]
    return rt.ReluNetwork(weights, [-offsets, rng.standard_normal(5), np.zeros(1)])


@pytest.mark.parametrize("n", [8, 10])  # where points are floats, and where lines nearly meet
def test_lines_of_a_grid_are_those_of_integers(n: int) -> None:
    network, box = grid(n), rt.Box(0, 1, dim=2)
    ours = rt.decompose(network, box, enumerator="cpu")
    assert ours.record.n_uncertain > 64  # enough for digits
    assert_same_complex(rt.decompose(network, box, enumerator="exact"), ours)
    first = rt.ReluNetwork(
        [network.weights[0], np.ones((1, 4 * n - 3))], [network.biases[0], [0.0]]
    )
    if n == 8:
        assert rt.decompose(first, box).n_cells == ((n + 1) ** 2, n * (3 * n + 2), 2 * n * n)


@pytest.mark.parametrize("widths", [(100,), (40, 8)])
def test_planes_through_the_origin_meet_there(widths: tuple[int, ...]) -> None:
    """Of n lines through the middle of a box, there are 2 n cones."""
    rng, sizes = np.random.default_rng(0), [2, *widths, 1]
    weights = [rng.standard_normal((n, m)) for m, n in pairwise(sizes)]
    network = rt.ReluNetwork(weights, [np.zeros(n) for n in sizes[1:]])
    found = rt.decompose(network, rt.Box(-1, 1, dim=2))
    assert np.count_nonzero((found.vertices == 0).all(axis=1)) == 1
    rim = found.n_cells[0] - 1  # each point on the rim has an edge to the middle, but for corners
    assert found.n_cells == (1 + rim, 2 * rim - 4, rim - 4)
    if len(widths) == 1:
        assert found.n_regions == 2 * widths[0]


def test_opposite_neurons_of_any_layer_need_no_numbers() -> None:
    rng, sizes = np.random.default_rng(1), [2, 12, 12, 12]
    weights, biases = [], []
    for m, n in pairwise(sizes):
        w, b = rng.standard_normal((n // 2, m)), rng.standard_normal(n // 2)
        weights.append(np.concatenate([w, -w]))
        biases.append(np.concatenate([b, -b]))
    network = rt.ReluNetwork([*weights, np.ones((1, 12))], [*biases, np.zeros(1)])
    box = rt.Box(-1, 1, dim=2)
    found = rt.decompose(network, box)
    assert found.record.n_uncertain == 0
    assert_same_complex(rt.decompose(network, box, enumerator="exact"), found)


def test_products_below_the_range_of_floats_are_not_zero() -> None:
    """A bias of the smallest float, times less than a half, has no float but a sign."""
    weights = [[[1.0, 0.0]], [[1.0]], [[0.25]], [[1.0]]]
    network = rt.ReluNetwork(weights, [[0.0], [5e-324], [0.0], [0.0]])
    found = rt.decompose(network, rt.Box(-1, 1, dim=2))
    assert_same_complex(rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact"), found)
    assert found.patterns[:, 1:].all()


@examples(50)
@given(
    base=st.lists(
        st.lists(st.sampled_from([0.0, 1.0, -2.0, 3.0, 0.1, 1e-3]), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    ),
    multiples=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(FACTORS)), max_size=4),
)
def test_multiples_are_those_of_fractions(
    base: list[list[float]], multiples: list[tuple[int, float]]
) -> None:
    more = [[factor * x for x in base[k % len(base)]] for k, factor in multiples]
    matrix = np.array(base + more)

    def are_multiples(a: list[float], b: list[float]) -> bool:
        one, two = [*map(Fraction, a)], [*map(Fraction, b)]
        if any(one) != any(two):
            return False
        return all(one[i] * two[j] == one[j] * two[i] for i in range(3) for j in range(i))

    expected = [
        next(i for i, row in enumerate(matrix.tolist()) if are_multiples(row, matrix[k].tolist()))
        for k in range(len(matrix))
    ]
    assert rows.first_multiples(matrix).tolist() == expected


def test_sums_of_many_long_numbers_are_not_made_digits() -> None:
    """Of ones they are, though there are as many."""
    rng, box = np.random.default_rng(0), rt.Box(-1, 1, dim=2)
    long = [np.repeat(rng.standard_normal((20, n)), 2, axis=0) for n in (2, 40)]
    biases = [np.zeros(40), np.zeros(40), np.zeros(1)]
    for weights, is_short in ((long, False), ([np.sign(w) for w in long], True)):
        network = rt.ReluNetwork([*weights, np.ones((1, 40))], biases)
        assert (planes.ShortPlanes.of(network, box) is not None) == is_short
