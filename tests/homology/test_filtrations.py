"""Every strategy gives a valid order; each has the distribution or the values that it promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.errors import InputError, UnknownNameError
from relutopo.gallery import random_network
from relutopo.homology.order_kernels import ascending_order
from relutopo.homology.strategies import DimensionMajor, LowerStar, RandomClosure, RandomExtension

OPTIONS: dict[str, dict[str, Any]] = {
    "distance_to_data": {"points": [[0.1, 0.2], [-0.3, 0.9]]},
    "lower_star": {"function": lambda x: x[:, 0] - x[:, 1]},
}
RANDOM = ("dimension_major", "random_closure", "random_extension")


def square(network: rt.ReluNetwork) -> rt.CellComplex:
    return rt.decompose(network, rt.Box(-2, 2, dim=2), enumerator="cpu")


def segment() -> rt.CellComplex:
    """Three vertices and two edges; edge 0 joins vertices 0 and 2, edge 1 vertices 2 and 1."""
    return rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")


def crossing_network(seed: int) -> rt.ReluNetwork:
    """A random network whose output has both signs near the origin."""
    network = random_network([2, 6, 5, 1], seed, bias=0.5)
    shift = float(network([[0.1, 0.1]])[0, 0] + network([[-0.5, 0.3]])[0, 0]) / 2
    return rt.ReluNetwork(network.weights, [*network.biases[:-1], network.biases[-1] - shift])


@examples(10)
@given(st.integers(0, 10_000))
def test_every_strategy_gives_a_filtration(seed: int) -> None:
    complex_ = square(crossing_network(seed))
    dims = np.repeat(np.arange(3), complex_.n_cells)
    for name in registry.names("filtration"):
        result = rt.filtration(complex_, name, seed=seed, **OPTIONS.get(name, {}))
        assert result.name == name
        assert result.seed == (seed if name in RANDOM else None)
        # faces first, ties by dimension and then by index
        keys = list(zip(result.values[result.order], dims[result.order], result.order, strict=True))
        assert keys == sorted(keys)
        for k, (indptr, facets) in enumerate(complex_.facets):
            start = sum(complex_.n_cells[: k + 1])
            cell = start + np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
            face = start - complex_.n_cells[k] + facets
            assert (result.positions[face] < result.positions[cell]).all()
            assert (result.values[face] <= result.values[cell]).all()


def test_a_filtration_does_not_change_with_the_arrays_that_it_was_made_of() -> None:
    order, values = np.arange(3), np.array([0.0, 0.5, 1.0])
    filtration = rt.Filtration((2, 1), order, values)
    order[:], values[:] = 0, np.nan
    assert filtration.order.tolist() == [0, 1, 2]
    assert filtration.values.tolist() == [0.0, 0.5, 1.0]


def test_a_function_cannot_move_the_vertices() -> None:
    def shifted(x: NDArray[np.float64]) -> NDArray[np.float64]:
        x -= 1
        return x[:, 0]

    complex_ = segment()
    before = complex_.vertices.copy()
    with pytest.raises(ValueError, match="read-only"):
        rt.filtration(complex_, LowerStar(shifted))
    np.testing.assert_array_equal(complex_.vertices, before)
    assert not complex_.vertices.flags.writeable


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    complex_ = square(random_network([2, 5, 1], 0, bias=0.5))
    first, again = (rt.filtration(complex_, name, seed=4) for _ in range(2))
    other = rt.filtration(complex_, name, seed=5)
    np.testing.assert_array_equal(first.order, again.order)
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.order != other.order).any()


@pytest.mark.parametrize("name", ["dimension_major", "random_extension"])
def test_values_of_random_orders_are_places(name: str) -> None:
    complex_ = square(random_network([2, 5, 1], 1, bias=0.5))
    result = rt.filtration(complex_, name, seed=2)
    n = sum(complex_.n_cells)
    np.testing.assert_allclose(result.values[result.order], np.arange(1, n + 1) / n)


def test_dimension_major_shuffles_each_dimension_uniformly() -> None:
    complex_, strategy = segment(), DimensionMajor()
    orders = Counter(
        tuple(rt.filtration(complex_, strategy, seed=s).order.tolist()) for s in range(2400)
    )
    assert all(set(order[:3]) == {0, 1, 2} for order in orders)
    # 3! · 2! orders, 200 each; five standard deviations are 68
    assert len(orders) == 12
    assert max(abs(count - 200) for count in orders.values()) < 68


def uniform_extensions(
    faces: dict[int, list[int]], done: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Every valid order, with its probability if each step takes any admissible cell."""
    ready = [c for c, f in faces.items() if c not in done and set(f) <= set(done)]
    if not ready:
        yield done, Fraction(1)
    for cell in ready:
        for order, probability in uniform_extensions(faces, (*done, cell)):
            yield order, probability / len(ready)


def test_random_extension_takes_admissible_cells_uniformly() -> None:
    complex_ = segment()
    indptr, ends = complex_.facets[0]
    faces = {0: [], 1: [], 2: []} | {
        3 + e: ends[indptr[e] : indptr[e + 1]].tolist() for e in range(2)
    }
    exact = dict(uniform_extensions(faces))
    assert sum(exact.values()) == 1
    assert len(set(exact.values())) > 1  # not the uniform distribution over all orders
    n = 4000
    found = Counter(
        tuple(rt.filtration(complex_, RandomExtension(), seed=s).order.tolist()) for s in range(n)
    )
    assert set(found) == set(exact)
    for order, probability in exact.items():
        p = float(probability)
        assert abs(found[order] - n * p) < 5 * np.sqrt(n * p * (1 - p))


def test_random_closure_raises_uniform_values() -> None:
    """An edge is the largest of three uniform numbers: P(value ≤ t) = t³."""
    complex_ = segment()
    values = np.array(
        [rt.filtration(complex_, RandomClosure(), seed=s).values for s in range(3000)]
    )
    for t in (0.3, 0.6, 0.9):
        spread = 5 * np.sqrt(0.25 / 3000)
        np.testing.assert_allclose((values[:, :3] <= t).mean(axis=0), t, atol=spread)
        np.testing.assert_allclose((values[:, 3:] <= t).mean(axis=0), t**3, atol=spread)


@pytest.mark.parametrize(
    "name",
    [
        *("output", "abs_output", "margin", "distance_to_data", "lower_star"),
        "distance_to_decision_boundary",
    ],
)
def test_lower_star_values_are_maxima_over_vertices(name: str) -> None:
    complex_ = square(crossing_network(3))
    result = rt.filtration(complex_, name, **OPTIONS.get(name, {}))
    at_vertices = result.values[: complex_.n_cells[0]]
    start = 0
    for k, count in enumerate(complex_.n_cells):
        incidence = complex_.cell_vertices(k)
        expected = [
            at_vertices[row].max() for row in np.split(incidence.indices, incidence.indptr[1:-1])
        ]
        np.testing.assert_array_equal(result.values[start : start + count], expected)
        start += count


def test_values_at_vertices() -> None:
    network = crossing_network(3)
    complex_ = square(network)
    x, n = complex_.vertices, complex_.n_cells[0]
    f = network(x)[:, 0]
    data = np.random.default_rng(0).uniform(-2, 2, size=(7, 2))
    nearest = np.linalg.norm(x[:, None] - data, axis=2).min(axis=1)

    def at_vertices(name: str, **options: Any) -> Any:
        return rt.filtration(complex_, name, **options).values[:n]

    np.testing.assert_array_equal(at_vertices("output"), f)
    np.testing.assert_array_equal(at_vertices("abs_output"), np.abs(f))
    np.testing.assert_array_equal(at_vertices("margin"), np.abs(f))
    np.testing.assert_allclose(at_vertices("distance_to_data", points=data), nearest)
    np.testing.assert_array_equal(at_vertices("lower_star", function=f), f)


@pytest.mark.parametrize("n_outputs", [2, 3, 7])
def test_margins_are_top_minus_second(n_outputs: int) -> None:
    complex_ = square(random_network([2, 6, n_outputs], 4, bias=0.5))
    found = rt.filtration(complex_, "margin").values[: complex_.n_cells[0]]
    outputs = np.sort(complex_.network(complex_.vertices), axis=1)
    np.testing.assert_array_equal(found, outputs[:, -1] - outputs[:, -2])
    if n_outputs == 2:
        values = rt.filtration(complex_, "abs_output").values
        np.testing.assert_array_equal(rt.filtration(complex_, "margin").values, values)


def test_margins_of_outputs_that_tie_are_zero() -> None:
    network = rt.ReluNetwork([np.eye(2), np.ones((3, 2))], [[0.0, 0.0], [0.1, 0.1, -1.0]])
    assert not rt.filtration(square(network), "margin").values.any()


def test_distance_to_a_diamond() -> None:
    """The zeros of |x| + |y| - 1; further neurons only add vertices."""
    rng = np.random.default_rng(5)
    more = rng.standard_normal((12, 2))
    weights = [np.concatenate([[[1, 0], [-1, 0], [0, 1], [0, -1]], more])]
    weights.append(np.concatenate([np.ones((1, 4)), np.zeros((1, 12))], axis=1))
    complex_ = square(rt.ReluNetwork(weights, [[0] * 4 + rng.standard_normal(12).tolist(), [-1.0]]))
    x, y = np.abs(complex_.vertices).T
    beside_a_side = np.abs(x - y) <= 1
    to_corner = np.hypot(np.maximum(x, y) - 1, np.minimum(x, y))
    expected = np.where(beside_a_side, np.abs(x + y - 1) / np.sqrt(2), to_corner)
    result = rt.filtration(complex_, "distance_to_decision_boundary")
    np.testing.assert_allclose(result.values[: len(x)], expected, atol=1e-12)


def test_distance_on_a_line() -> None:
    """f(x) = |x| - 0.5 vanishes at ±0.5."""
    net = ([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [-0.5]])
    complex_ = rt.decompose(net, rt.Box(-2, 1), enumerator="cpu")
    result = rt.filtration(complex_, "distance_to_decision_boundary")
    expected = np.abs(np.abs(complex_.vertices[:, 0]) - 0.5)
    np.testing.assert_allclose(result.values[: complex_.n_cells[0]], expected, atol=1e-15)


def test_distance_to_where_three_classes_meet() -> None:
    """The outputs x, y, -x - y tie on three rays from the origin, cut off by the box."""
    net = rt.ReluNetwork([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]], [[0.0, 0.0, 0.0]])
    complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    result = rt.filtration(complex_, "distance_to_decision_boundary")
    # To the ray of direction (1, -2) it is 3 / √5 from (-1, -1); it leaves the box at (0.5, -1).
    by_corner = {(-1, -1): 3 / np.sqrt(5), (1, -1): 0.5, (-1, 1): 0.5, (1, 1): 0.0}
    expected = [by_corner[round(x), round(y)] for x, y in complex_.vertices.tolist()]
    np.testing.assert_allclose(result.values[:4], expected, atol=1e-15)


@examples(20)
@given(st.integers(0, 10_000), st.integers(3, 6))
def test_where_several_classes_meet_the_two_greatest_outputs_tie(seed: int, n_outputs: int) -> None:
    complex_ = square(random_network([2, 6, n_outputs], seed, bias=0.5))
    boundary = rt.decision_boundary(complex_)
    middles = np.concatenate([boundary.vertices, boundary.segments.mean(axis=1)])
    np.testing.assert_allclose(complex_.network.margins(middles), 0.0, atol=1e-12)
    x = np.random.default_rng(seed).uniform(-1, 1, (300, 2))
    same = complex_.network(x).argmax(axis=1)
    for i, j in np.random.default_rng(seed + 1).integers(0, 300, (30, 2)):
        if same[i] != same[j]:  # a segment between two classes meets the boundary
            along = x[i] + np.linspace(0, 1, 400)[:, None] * (x[j] - x[i])
            step = np.linalg.norm(x[j] - x[i]) / 399
            assert boundary.distances(along).min() <= step


def test_distance_without_a_decision_boundary() -> None:
    net = ([[[1.0, 0.0]], [[1.0]]], [[0.0], [1.0]])
    complex_ = square(rt.ReluNetwork(*net))
    with pytest.raises(InputError, match=r"same class on the whole domain.*another filtration"):
        rt.filtration(complex_, "distance_to_decision_boundary")


def test_distance_in_space() -> None:
    complex_ = rt.decompose(
        random_network([3, 2, 1], 0, bias=0.5), rt.Box(-1, 1, dim=3), enumerator="exact"
    )
    with pytest.raises(InputError, match=r"domains of dimension 1 and 2, got 3; use .*abs_output"):
        rt.filtration(complex_, "distance_to_decision_boundary")


@examples(10)
@given(st.integers(0, 10_000))
def test_layer_depth_rebuilds_the_layers(seed: int) -> None:
    """The cells up to depth l are the skeleton of the complex of the first l layers.

    So they are connected, and their cycles are that complex's regions but for those that later
    layers leave whole, which are filled.
    """
    network = random_network([2, 4, 3, 3, 1], seed, bias=0.5)
    complex_ = square(network)
    result = rt.filtration(complex_, "layer_depth")
    diagram = rt.persistence(complex_, result)
    regions = result.values[-complex_.n_regions :]
    for depth in range(4):
        head = rt.ReluNetwork(
            [*network.weights[:depth], np.zeros((1, network.widths[depth]))],
            [*network.biases[:depth], [0.0]],
        )
        assert diagram.betti_curve(0)(depth) == 1
        filled = np.sum(regions <= depth)
        assert diagram.betti_curve(1)(depth) == square(head).n_regions - filled


def test_layer_depth_in_space() -> None:
    network = random_network([3, 2, 2, 1], 7, bias=0.5)
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=3), enumerator="exact")
    result = rt.filtration(complex_, "layer_depth")
    faces = result.values[sum(complex_.n_cells[:2]) : sum(complex_.n_cells[:3])]
    labels = complex_.facet_labels
    np.testing.assert_array_equal(faces, np.where(labels < 0, 0, np.where(labels < 2, 1, 2)))


def test_a_custom_order_is_taken_and_checked() -> None:
    complex_ = segment()
    (a, b), (c, d) = complex_.facets[0][1].reshape(2, 2).tolist()
    shared = ({a, b} & {c, d}).pop()
    other = ({0, 1, 2} - {a, b}).pop()
    good = rt.Filtration((3, 2), np.array([a, b, 3, other, 4]), np.zeros(5))
    assert rt.persistence(complex_, good).betti_numbers == (1, 0)
    bad = rt.Filtration((3, 2), np.array([a, b, 4, other, 3]), np.zeros(5))
    message = (
        rf"cell \(1, 1\) enters at position 2 and its face \(0, {other}\) at position 3; raise"
    )
    with pytest.raises(InputError, match=message):
        rt.persistence(complex_, bad)
    assert shared != other


def test_the_first_offending_pair_is_named() -> None:
    """Both edges come before a vertex of theirs; the one that enters first is named."""
    complex_ = segment()
    order = np.array([4, 3, 0, 1, 2])
    first_end = complex_.facets[0][1].reshape(2, 2)[1].min()
    with pytest.raises(
        InputError, match=rf"cell \(1, 1\) enters at position 0 .*\(0, {first_end}\)"
    ):
        complex_.boundary_matrix(rt.Filtration((3, 2), order, np.zeros(5)))


def test_values_that_fall_from_face_to_coface() -> None:
    complex_ = segment()
    with pytest.raises(InputError, match=r"cell \(1, 1\) enters at position 0 and its face \(0, "):
        rt.Filtration.from_values(complex_, [[1.0, 1.0, 1.0], [2.0, 0.5]])


def test_nan_values() -> None:
    complex_ = segment()
    with pytest.raises(InputError, match=r"must not be NaN, got NaN for cell \(1, 0\)"):
        rt.Filtration.from_values(complex_, [[0.0, 0.0, 0.0], [np.nan, 1.0]])
    with pytest.raises(InputError, match=r"must not be NaN, got NaN for cell \(0, 1\)"):
        rt.filtration(complex_, LowerStar([0.0, np.nan, 1.0]))


def test_orders_and_values_that_do_not_fit() -> None:
    complex_ = segment()
    with pytest.raises(InputError, match=r"permutation of 0..4, got cell 0 more than once"):
        rt.Filtration((3, 2), np.array([0, 0, 1, 2, 3]), np.zeros(5))
    with pytest.raises(InputError, match=r"permutation of 0..4, got 9 at position 4"):
        rt.Filtration((3, 2), np.array([0, 1, 2, 3, 9]), np.zeros(5))
    with pytest.raises(InputError, match=r"permutation of 0..4, got dtype float64"):
        rt.Filtration((3, 2), np.arange(5.0), np.zeros(5))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"`order` must have one entry for each of the 5 cells"):
        rt.Filtration((3, 2), np.arange(4), np.zeros(5))
    with pytest.raises(
        InputError, match=r"ascend along `order`, got 2.0 for cell \(0, 2\) and then 1.0 .*\(1, 0\)"
    ):
        rt.Filtration((3, 2), np.arange(5), np.array([0.0, 1.0, 2.0, 1.0, 3.0]))
    with pytest.raises(InputError, match=r"must have \(3, 2\) entries .*got shapes \[\(3,\)\]"):
        rt.Filtration.from_values(complex_, [[0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match=r"orders \(2, 1\) cells, the complex has \(3, 2\); make"):
        rt.persistence(complex_, rt.Filtration((2, 1), np.arange(3), np.zeros(3)))


def test_bad_options() -> None:
    complex_ = segment()
    with pytest.raises(UnknownNameError, match=r"filtration='rips' is not registered; choose one"):
        rt.filtration(complex_, "rips")
    with pytest.raises(InputError, match=r"one value for each of the 3 vertices, got shape \(2,\)"):
        rt.filtration(complex_, "lower_star", function=[0.0, 1.0])
    with pytest.raises(InputError, match=r"`points` must have at least one row"):
        rt.filtration(complex_, "distance_to_data", points=np.empty((0, 1)))
    with pytest.raises(InputError, match=r"'distance_to_data' needs the option points, got"):
        rt.filtration(complex_, "distance_to_data")
    for seed in (-1, 0.5):
        with pytest.raises(InputError, match="`seed` must be an integer from 0, got"):
            rt.filtration(complex_, "random_closure", seed=seed)  # type: ignore[arg-type]


@given(st.integers(0, 10**6), st.integers(0, 60), st.sampled_from([1, 2, 40, 300]))
@examples(40)
def test_orders_ascend_by_any_bits_of_the_values(seed: int, bits: int, n: int) -> None:
    # Values differ in the lower bits only, where there are few of them in the upper ones.
    numbers = np.random.default_rng(seed).integers(0, 2 ** (62 - bits), n)
    values = numbers.view(np.float64) * np.random.default_rng(seed).choice([1.0, -1.0], n)
    order = ascending_order(values)
    np.testing.assert_array_equal(order, np.argsort(values, kind="stable"))
