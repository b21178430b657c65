"""Diagrams and Betti curves against ranks of subcomplexes, and the identities in the plane."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.errors import InputError

REDUCERS = registry.names("reducer")


def random_complex(seed: int, *widths: int) -> rt.CellComplex:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal((m, n)) for n, m in pairwise(widths)]
    biases = [rng.standard_normal(m) / 2 for m in widths[1:]]
    box = rt.Box(-2, 2, dim=widths[0])
    kind = "cpu" if widths[0] <= 2 else "exact"
    return rt.decompose((weights, biases), box, enumerator=kind)


def rank(matrix: NDArray[Any]) -> int:
    """Rank over Z/2 by elimination."""
    rows = [int("".join(map(str, row)), 2) for row in matrix.astype(int).tolist() if any(row)]
    found = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            found += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return found


def betti_of_first(boundary: rt.BoundaryMatrix, n: int) -> list[int]:
    """Betti numbers of the first n cells, from ranks."""
    matrix = boundary.to_sparse().toarray()[:n, :n]
    dims = boundary.dimensions[:n]
    top = int(boundary.dimensions.max())
    ranks = [rank(matrix[:, dims == k]) for k in range(top + 2)]
    return [int(np.sum(dims == k)) - ranks[k] - ranks[k + 1] for k in range(top + 1)]


@examples(8)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["random_closure", "dimension_major", "random_extension", "output"]),
    st.sampled_from([(1, 4, 1), (2, 3, 1), (2, 2, 2, 1), (3, 2, 1)]),
)
def test_curves_are_the_betti_numbers_of_every_subcomplex(
    seed: int, order: str, widths: tuple[int, ...]
) -> None:
    complex_ = random_complex(seed, *widths)
    filtration = rt.filtration(complex_, order, seed=seed)
    boundary = complex_.boundary_matrix(filtration)
    diagram = rt.persistence(complex_, filtration)
    along = filtration.values[filtration.order]
    for n in range(0, boundary.n_columns + 1, 3):
        expected = betti_of_first(boundary, n)
        found = [int(diagram.betti_curve(k, over="index")(n)) for k in range(complex_.dim + 1)]
        assert found == expected
        if n and (n == len(along) or along[n] > along[n - 1]):
            by_value = [int(diagram.betti_curve(k)(along[n - 1])) for k in range(complex_.dim + 1)]
            assert by_value == expected


@examples(15)
@given(st.integers(0, 10_000), st.sampled_from([(1, 6, 1), (2, 6, 4, 1), (3, 3, 1)]))
def test_every_complex_is_a_ball(seed: int, widths: tuple[int, ...]) -> None:
    complex_ = random_complex(seed, *widths)
    ball = (1, *[0] * complex_.dim)
    euler = sum((-1) ** k * n for k, n in enumerate(complex_.n_cells))
    assert euler == 1
    for reducer in REDUCERS:
        assert rt.betti_numbers(complex_, reducer=reducer) == ball
        filtration = rt.filtration(complex_, "random_extension", seed=seed)
        assert rt.persistence(complex_, filtration, reducer=reducer).betti_numbers == ball


@examples(60)
@given(
    st.integers(0, 10_000),
    st.sampled_from([(2, 7, 1), (2, 5, 5, 1), (2, 4, 3, 2, 1)]),
    st.sampled_from(REDUCERS),
    st.sampled_from(["value", "index"]),
)
def test_identities_of_the_dimension_major_order_in_the_plane(
    seed: int, widths: tuple[int, ...], reducer: str, over: Any
) -> None:
    """β_0 peaks with the last vertex, β_1 with the last edge, whatever the order within."""
    complex_ = random_complex(seed, *widths)
    v, e, f = complex_.n_cells
    assert v + e + f == 2 * e + 1
    filtration = rt.filtration(complex_, "dimension_major", seed=seed)
    of_0, of_1, of_2 = rt.betti_curves(complex_, filtration, reducer=reducer, over=over)
    n = v + e + f
    assert (of_0.peak().index, of_0.peak().height) == (v, v)
    assert (of_1.peak().index, of_1.peak().height) == (v + e, f)
    assert of_0.peak().fraction == of_0.peak().value == v / n
    assert of_1.peak().fraction == of_1.peak().value == (v + e) / n
    assert not of_2.values.size


def test_pairs_over_both_scales_belong_together() -> None:
    complex_ = random_complex(3, 2, 5, 4, 1)
    filtration = rt.filtration(complex_, "random_closure", seed=1)
    diagram = rt.persistence(complex_, filtration)
    along = filtration.values[filtration.order]
    n_paired = n_essential = 0
    for k in range(3):
        index, value = diagram.pairs(k, over="index"), diagram.pairs(k)
        np.testing.assert_array_equal(along[index], value)
        assert (value[:, 0] <= value[:, 1]).all()
        np.testing.assert_array_equal(along[diagram.essential(k, "index")], diagram.essential(k))
        n_paired += len(index)
        n_essential += len(diagram.essential(k))
        expected = math.fsum((value[:, 1] - value[:, 0]).tolist())
        assert diagram.total_persistence(k) == pytest.approx(expected)
    assert 2 * n_paired + n_essential == sum(complex_.n_cells)
    assert diagram.dim == 2


def test_total_persistence_is_the_area_under_the_curve_of_finite_classes() -> None:
    complex_ = random_complex(4, 2, 6, 1)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=0))
    for over in ("value", "index"):
        curve = diagram.betti_curve(1, over)
        area = np.sum(curve.values[:-1] * np.diff(curve.breaks))
        assert curve.values[-1] == 0
        assert diagram.total_persistence(1, over) == pytest.approx(area)


def test_total_persistence_of_infinite_and_huge_values() -> None:
    line = rt.decompose(([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, 0.5], [0.0]]), rt.Box(-1, 1))
    order = np.argsort(np.argsort(line.vertices[:, 0]))
    for along, total in (
        ([0.0, np.inf, np.inf, np.inf], 0.0),  # three classes from inf to inf
        ([-np.inf, -np.inf, 0.0, 0.0], 0.0),
        ([-1e308, 1e308, -1e308, 1e308], np.inf),
        ([-np.inf, 3.0, 1.0, 3.0], 2.0),
    ):
        filtration = rt.filtration(line, rt.LowerStar(np.array(along)[order]))
        assert rt.persistence(line, filtration).total_persistence(0) == total, along


def test_curves_change_at_every_break_and_nowhere_else() -> None:
    complex_ = random_complex(5, 2, 6, 1)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=0))
    for over in ("value", "index"):
        curve = diagram.betti_curve(0, over)
        assert (np.diff(curve.breaks) > 0).all()
        assert (np.diff(curve.values, prepend=0) != 0).all()
        assert curve(curve.breaks[0] - 1e-9) == 0
        np.testing.assert_array_equal(curve(curve.breaks), curve.values)


def test_the_peak_is_the_first_maximum() -> None:
    """Vertices at 0, 0.5, 1, 2; edges at 1, 2, 2: two components from 0.5 on, joined at 2."""
    net = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
    left_to_right = np.argsort(line.vertices[:, 0])
    at_vertices = np.empty(4)
    at_vertices[left_to_right] = [0.0, 1.0, 0.5, 2.0]
    filtration = rt.filtration(line, "lower_star", function=at_vertices)
    peak = rt.persistence(line, filtration).betti_curve(0).peak()
    # 0 and 0.5 are two components; what enters at 1 joins them
    assert (peak.height, peak.value, peak.index) == (2, 0.5, 2)
    assert peak.fraction == 2 / 7
    over_index = rt.persistence(line, filtration).betti_curve(0, over="index").peak()
    assert (over_index.height, over_index.value, over_index.index) == (3, 1.0, 3)


def test_a_zero_curve_has_no_peak() -> None:
    complex_ = random_complex(6, 2, 3, 1)
    curves = rt.betti_curves(complex_, rt.filtration(complex_, "random_closure"))
    peak = curves[2].peak()
    assert (peak.index, peak.fraction, peak.height) == (0, 0.0, 0)
    assert math.isnan(peak.value)
    assert curves[2]([0.0, 0.5]).tolist() == [0, 0]


def test_an_instance_is_as_good_as_a_name() -> None:
    complex_ = random_complex(7, 2, 4, 1)
    filtration = rt.filtration(complex_, "random_closure")
    reducer = registry.create("reducer", "z2")
    by_name = rt.persistence(complex_, filtration, reducer="z2")
    by_instance = rt.persistence(complex_, filtration, reducer=reducer)
    np.testing.assert_array_equal(by_name.reduction.pairs, by_instance.reduction.pairs)
    with pytest.raises(InputError, match=r"reducer='gudhi' is not registered.*phat, z2"):
        rt.persistence(complex_, filtration, reducer="gudhi")


def test_unknown_scales() -> None:
    complex_ = random_complex(7, 2, 2, 1)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure"))
    with pytest.raises(InputError, match="`over` must be one of value, index, got 'time'"):
        diagram.betti_curve(0, over="time")  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [-1, 7, "a"])
def test_unknown_degrees(dim: Any) -> None:
    complex_ = random_complex(7, 2, 2, 1)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure"))
    assert len(diagram.pairs(2)) == 0
    for ask in (diagram.pairs, diagram.essential, diagram.betti_curve):
        with pytest.raises(InputError, match=f"`dim` must be an integer from 0 to 2, got {dim!r}"):
            ask(dim)


def test_no_cells_of_the_largest_dimension() -> None:
    empty = np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32)
    points: Any = SimpleNamespace(n_cells=(2, 0), facets=(empty,))
    filtration = rt.Filtration((2, 0), np.arange(2), np.zeros(2), "as_numbered")
    diagram = rt.persistence(points, filtration)
    assert diagram.betti_numbers == rt.betti_numbers(points) == (2, 0)
    assert len(diagram.pairs(1)) == 0
    assert diagram.betti_curve(1).peak().height == 0
