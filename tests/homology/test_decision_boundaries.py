"""{f = 0} has the cells of the complex that f cuts as one more neuron, and the known topology."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

import relutopo as rt
from properties import examples
from relutopo.arithmetic.exact import homogeneous_points
from relutopo.geometry.decision import decision_signs

# Rows of a first layer with ReLU(x_i) and ReLU(-x_i) for every axis: they add up to |x_i|.
PLUS_MINUS_2 = [[1, 0], [-1, 0], [0, 1], [0, -1]]
PLUS_MINUS_3 = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]


def two_circles() -> rt.ReluNetwork:
    """min(|x - a|, |x - b|) - 0.6 in the 1-norm, by min(u, v) = u - ReLU(u - v)."""
    a, b = np.array([-1.0, -0.3]), np.array([0.9, 0.4])
    rows = np.array(PLUS_MINUS_2, dtype=float)
    first = np.concatenate([rows, rows])
    biases = np.concatenate([-rows @ a, -rows @ b])
    second = np.array([[1, 1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, -1, -1, -1, -1]])
    return rt.ReluNetwork([first, second, [[1.0, -1.0]]], [biases, [0, 0], [-0.6]])


def sphere() -> rt.ReluNetwork:
    """|x| + |y| + |z| - 1."""
    return rt.ReluNetwork([PLUS_MINUS_3, np.ones((1, 6))], [np.zeros(6), [-1.0]])


def torus() -> rt.ReluNetwork:
    """|max(|x|, |y|) - 2| + |z| - 0.5, by max(u, v) = u + ReLU(v - u)."""
    second = [[1, 1, 0, 0, 0, 0], [-1, -1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]
    third = [[1, 1, 0], [-1, -1, 0], [0, 0, 1]]
    return rt.ReluNetwork(
        [PLUS_MINUS_3, second, third, [[1.0, 1.0, 1.0]]],
        [np.zeros(6), np.zeros(3), [-2.0, 2.0, 0.0], [-0.5]],
    )


def decompose(network: rt.ReluNetwork, half_width: float = 3.0) -> rt.CellComplex:
    # No symmetry with the networks, so that their kinks do not meet the corners.
    low = [-half_width - 0.1 * i for i in range(network.input_dim)]
    high = [half_width + 0.07 * (i + 1) for i in range(network.input_dim)]
    return rt.decompose(network, rt.Box(low, high), enumerator="exact")


def output_as_neuron(network: rt.ReluNetwork) -> rt.ReluNetwork:
    one = np.ones((1, 1))
    return rt.ReluNetwork([*network.weights, one], [*network.biases, np.zeros(1)])


def zero_cells(complex_: rt.CellComplex, at_vertices: ArrayLike) -> tuple[int, ...]:
    """How many cells of each dimension have zeros at all of their vertices."""
    nonzero = np.asarray(at_vertices) != 0
    return tuple(
        int(np.sum(complex_.cell_vertices(k).astype(int) @ nonzero.astype(int) == 0))
        for k in range(complex_.dim + 1)
    )


@pytest.mark.parametrize(
    ("network", "betti"),
    [(two_circles(), (2, 2, 0)), (sphere(), (1, 0, 1, 0)), (torus(), (1, 2, 1, 0))],
    ids=["two_circles", "sphere", "torus"],
)
@pytest.mark.parametrize("reducer", ["z2", "phat"])
def test_known_decision_boundaries(
    network: rt.ReluNetwork, betti: Sequence[int], reducer: str
) -> None:
    if reducer == "phat":
        pytest.importorskip("phat")
    boundary = rt.decision_boundary(decompose(network))
    assert rt.betti_numbers(boundary, reducer=reducer) == betti
    np.testing.assert_allclose(network(boundary.vertices), 0.0, atol=1e-12)
    # A closed surface or curve: every cell below the top has exactly two cofaces there.
    top = len(betti) - 2
    assert (np.bincount(boundary.facets[top - 1][1]) == 2).all()


def test_a_full_disc() -> None:
    """ReLU(|x| + |y| - 1) vanishes on a diamond, inside included."""
    network = rt.ReluNetwork([PLUS_MINUS_2, np.ones((1, 4)), [[1.0]]], [np.zeros(4), [-1.0], [0.0]])
    boundary = rt.decision_boundary(decompose(network))
    assert boundary.n_cells == (5, 8, 4)
    assert rt.betti_numbers(boundary) == (1, 0, 0)


def test_a_single_point() -> None:
    """|x| + |y| touches zero in one vertex."""
    network = rt.ReluNetwork([PLUS_MINUS_2, np.ones((1, 4))], [np.zeros(4), [0.0]])
    boundary = rt.decision_boundary(decompose(network))
    assert boundary.n_cells == (1, 0, 0)
    assert boundary.vertices.tolist() == [[0.0, 0.0]]
    assert rt.betti_numbers(boundary) == (1, 0, 0)
    np.testing.assert_allclose(boundary.distances([[3.0, 4.0], [0.0, 0.0]]), [5.0, 0.0])


def test_a_network_that_vanishes_everywhere() -> None:
    network = rt.ReluNetwork([PLUS_MINUS_2, np.zeros((1, 4))], [np.zeros(4), [0.0]])
    complex_ = decompose(network)
    assert rt.decision_boundary(complex_).n_cells == complex_.n_cells


def test_no_decision_boundary() -> None:
    network = rt.ReluNetwork([PLUS_MINUS_2, np.ones((1, 4))], [np.zeros(4), [1.0]])
    boundary = rt.decision_boundary(decompose(network))
    assert boundary.n_cells == (0, 0, 0)
    assert rt.betti_numbers(boundary) == (0, 0, 0)


@examples(40)
@given(
    st.integers(0, 100_000),
    st.sampled_from([(1, 4, 1), (2, 3, 1), (2, 3, 2, 1), (3, 2, 1), (3, 2, 2, 1)]),
    st.booleans(),
)
def test_the_cells_are_those_of_the_network_with_its_output_as_neuron(
    seed: int, widths: tuple[int, ...], biased: bool
) -> None:
    """Small integer weights: the output vanishes in many vertices, edges and regions."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-1, 2, size=(m, n)) for n, m in pairwise(widths)]
    biases = [rng.integers(-1, 2, size=m) * biased for m in widths[1:]]
    network = rt.ReluNetwork(weights, biases)
    box = rt.Box(-2, 2, dim=widths[0])
    complex_ = rt.decompose(network, box, enumerator="exact")
    boundary = rt.decision_boundary(complex_)
    finer = rt.decompose(output_as_neuron(network), box, enumerator="exact")
    # With such weights a computed value is zero, 1e-16, or not small.
    f = finer.network.preactivations(finer.vertices)[:, -1]
    expected = zero_cells(finer, np.where(np.abs(f) < 1e-12, 0.0, f))
    assert boundary.n_cells == expected
    for k in range(2, complex_.dim + 1):
        twice = sparse_boundary(boundary, k - 1) @ sparse_boundary(boundary, k)
        assert not (twice % 2).any()


def sparse_boundary(boundary: rt.DecisionBoundary, k: int) -> NDArray[np.int64]:
    dense = np.zeros((boundary.n_cells[k - 1], boundary.n_cells[k]), dtype=np.int64)
    indptr, indices = boundary.facets[k - 1]
    dense[indices, np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))] += 1
    return dense


def test_signs_where_rounding_cannot_tell() -> None:
    """f vanishes exactly at a vertex with coordinates 1/3 and 1/7, which no float has."""
    kinks = [[3.0, 0.0], [0.0, 7.0]]
    network = rt.ReluNetwork([kinks, [[1.0, 1.0]]], [[-1.0, -1.0], [0.0]])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    signs = decision_signs(complex_)
    third = np.flatnonzero((np.abs(complex_.vertices - [1 / 3, 1 / 7]) < 1e-9).all(axis=1))
    assert signs[third].tolist() == [0]
    # f itself is the sum of two ReLUs: zero on the quadrant below, positive elsewhere
    expected = np.any(complex_.vertices > [1 / 3 + 1e-9, 1 / 7 + 1e-9], axis=1)
    np.testing.assert_array_equal(signs, expected)
    assert rt.betti_numbers(rt.decision_boundary(complex_)) == (1, 0, 0)


@pytest.mark.parametrize("offset", [-(2.0**-45), 0.0, 2.0**-45])
def test_signs_of_tiny_values_are_exact(offset: float) -> None:
    """f is `offset` at the exact vertex (1/3, 1/7), below the rounding of its terms."""
    # 3x + 7y - 2 vanishes there; with y' = ReLU(3x - 1), ReLU(7y - 1) it is a sum of kinks.
    kinks = [[3.0, 0.0], [-3.0, 0.0], [0.0, 7.0], [0.0, -7.0]]
    network = rt.ReluNetwork([kinks, [[1.0, -1.0, 1.0, -1.0]]], [[-1, 1, -1, 1], [offset]])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    third = np.flatnonzero((np.abs(complex_.vertices - [1 / 3, 1 / 7]) < 1e-9).all(axis=1))
    assert decision_signs(complex_)[third].tolist() == [np.sign(offset)]


@pytest.mark.parametrize("seed", range(8))
def test_signs_where_nearly_parallel_lines_meet(seed: int) -> None:
    """f vanishes between the exact vertex and the float that stands for it."""
    rng = np.random.default_rng(seed)
    rows, offsets, box = rng.standard_normal((3, 2)), np.zeros(3), rt.Box(-2, 2, dim=2)
    rows[1] = rows[0] + 1e-9 * rng.standard_normal(2)
    offsets[:2] = -(rows[:2] @ [0.3, 0.4]) + 1e-17 * rng.standard_normal(2)

    def complexes(rows: ArrayLike, offsets: ArrayLike, output: ArrayLike) -> list[rt.CellComplex]:
        network = rt.ReluNetwork([rows, output], [offsets, [0.0]])
        return [
            rt.decompose(network, box, enumerator=name).canonical() for name in ("cpu", "exact")
        ]

    fast, exact = complexes(rows, offsets, [[1.0, 1.0, 1.0]])
    off = np.abs(fast.vertices - exact.vertices).max(axis=1)
    assert (off <= fast.vertex_errors + exact.vertex_errors).all()
    vertex = int(off.argmax())
    assert off[vertex] > 1e-9
    here, there = fast.vertices[vertex], exact.vertices[vertex]
    across = here - there
    middle = across @ (here + there) / 2
    # Two neurons that are active everywhere add up to this, and cut nothing.
    both = np.concatenate([rows, [across, -across]])
    fast, exact = complexes(
        both, [*offsets, 9.0 - middle, 9.0 + middle], [[0.0, 0.0, 0.0, 0.5, -0.5]]
    )
    np.testing.assert_array_equal(decision_signs(fast), decision_signs(exact))


@examples(20)
@given(st.integers(0, 100_000), st.integers(1, 2))
def test_signs_of_corners_are_those_of_exact_evaluation(seed: int, n_outputs: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-3, 4, size=s) / 8 for s in ((4, 2), (3, 4), (n_outputs, 3))]
    biases = [rng.integers(-3, 4, size=m) / 8 for m in (4, 3, n_outputs)]
    network = rt.ReluNetwork(weights, biases)
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    corners = np.flatnonzero((np.abs(complex_.vertices) == 1).all(axis=1))
    assert len(corners) == 4
    values = network.exact_preactivations(homogeneous_points(complex_.vertices[corners]))[-1]
    exact = values[:, 0] if n_outputs == 1 else values[:, 1] - values[:, 0]
    assert decision_signs(complex_)[corners].tolist() == [(v > 0) - (v < 0) for v in exact]


def test_both_enumerators_give_the_same_decision_boundary() -> None:
    rng = np.random.default_rng(4)
    weights = [rng.standard_normal(s) for s in ((8, 2), (6, 8), (1, 6))]
    biases = [rng.standard_normal(m) / 2 for m in (8, 6)]
    # Shift the output so that it has both signs near the middle.
    middle = float(rt.ReluNetwork(weights, [*biases, [0.0]])([[0.2, 0.1]])[0, 0])
    network = rt.ReluNetwork(weights, [*biases, [-middle]])
    box = rt.Box(-3, 3, dim=2)
    fast, slow = (
        rt.decision_boundary(rt.decompose(network, box, enumerator=kind))
        for kind in ("cpu", "exact")
    )
    assert fast.n_cells == slow.n_cells
    assert rt.betti_numbers(fast) == rt.betti_numbers(slow)
    assert fast.n_cells[1] > 0
    lengths = [np.linalg.norm(np.diff(b.segments, axis=1), axis=2).sum() for b in (fast, slow)]
    assert lengths[0] == pytest.approx(lengths[1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("enumerator", ["cpu", "exact"])
def test_outputs_beyond_the_range_of_floats(enumerator: str) -> None:
    network = rt.ReluNetwork([[[1e160]], [[1e160]]], [[0.0], [-1e300]])
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=1), enumerator=enumerator)
    boundary = rt.decision_boundary(complex_)
    np.testing.assert_allclose(boundary.vertices, [[1e-20]], rtol=1e-15)
    # Two outputs that are both infinite in floats; the zero is at x = 3/2 y.
    huge = [[1e160, 0.0], [0.0, 1.5e160]]
    network = rt.ReluNetwork([huge, [[0.0, 1e160], [1e160, 0.0]]], [[0.0, 0.0], [0.0, 0.0]])
    complex_ = rt.decompose(network, rt.Box([1, 1], [2, 2]), enumerator=enumerator)
    boundary = rt.decision_boundary(complex_)
    assert boundary.n_cells == (2, 1, 0)
    np.testing.assert_allclose(sorted(boundary.vertices.tolist()), [[1.5, 1.0], [2.0, 4 / 3]])
