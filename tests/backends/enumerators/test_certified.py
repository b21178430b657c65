"""Values, crossings and meeting points with their bounds: on numba, on arrays and in C.

Bounds are compared with rational numbers, the three implementations with each other, and nothing is
certain where anything is no number, or infinite.
"""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from relutopo.arithmetic.exact import dyadic_integers, intersection_point, sign
from relutopo.arithmetic.rounding import UNIT_ROUNDOFF, value_bound
from relutopo.devices.kernels import Kernel
from relutopo.system.compilation import njit

bits = import_module("relutopo.backends.enumerators._shared.bits")
bulk_maps = import_module("relutopo.backends.enumerators._bulk.numbers.maps")
bulk_sets = import_module("relutopo.backends.enumerators._bulk.sets.bitsets")
crossings = import_module("relutopo.backends.enumerators._certified.crossings")
meeting = import_module("relutopo.backends.enumerators._certified.meeting_points")
planar_signs = import_module("relutopo.backends.enumerators._planar.cuts.signs")
records = import_module("relutopo.backends.enumerators._planar.records")
transfer = import_module("relutopo.backends.enumerators._lattice.transfer")
values = import_module("relutopo.backends.enumerators._certified.values")

OPEN = values.OPEN
NO_NUMBERS = [np.nan, -np.nan, np.inf, -np.inf]
SHARES = st.fractions(min_value=-1, max_value=1, max_denominator=1000)

_VALUE = Kernel(
    "test_value",
    "raw float64 numbers, raw float64 x, raw float64 deviation, int64 n_points, float64 limit",
    "raw float64 found, raw float64 bounds, raw int64 signs",
    f"""
    double m[DIM + 1], error = numbers[(DIM + 1) * n_points + i];
    for (int k = 0; k <= DIM; ++k) m[k] = numbers[k * n_points + i];
    long long v = i;
    bool is_above, is_below, is_open;
    {values.SIGN_IN_C}
    found[i] = z;
    bounds[i] = bound;
    signs[i] = is_open ? {OPEN} : is_above - is_below;
    """,
)


def by_kernel(
    xp: Any, numbers: NDArray[np.float64], x: NDArray[np.float64], deviation: Any, limit: float
) -> tuple[Any, Any, Any]:
    """Return values, bounds and signs of planes at points, computed in C."""
    d, n = x.shape
    found, bounds, signs = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    kernel = _VALUE.on(xp, DIM=d)
    kernel(numbers, x, deviation, n, limit, found, bounds, signs, size=n)
    return found, bounds, signs


def as_sign(positive: Any, negative: Any, is_open: Any) -> Any:
    assert not (positive & negative | positive & is_open | negative & is_open).any()
    return np.where(is_open, OPEN, positive.astype(int) - negative)


def floats(size: float = 10.0) -> st.SearchStrategy[float]:
    ordinary = st.floats(-size, size)
    return ordinary | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-160, 3e-17, 0.1])


@settings(deadline=None)  # it is compiled
@given(data=st.data(), d=st.integers(1, 4))
def test_values_are_within_their_bounds(
    numpy_with_kernels: Any, data: st.DataObject, d: int
) -> None:
    """Whatever map and point are within their bounds."""
    plane = np.array([data.draw(floats()) for _ in range(d + 1)])
    reach = np.array([data.draw(st.floats(0.125, 10)) for _ in range(d)])
    x = np.array([data.draw(st.floats(-1, 1)) for _ in range(d)]) * reach
    error = data.draw(st.sampled_from([0.0, 1e-300, 1e-17, 1e-9, 0.1]))
    deviation = data.draw(st.sampled_from([0.0, 1e-200, 1e-16, 1e-3, 0.125]))
    limit = float(reach.min())
    shares = [data.draw(SHARES) / (d + 1) for _ in range(d + 1)]
    exact = Fraction(plane[d]) + shares[d] * Fraction(error)
    for i in range(d):
        slope = Fraction(plane[i]) + shares[i] * Fraction(error) / Fraction(reach[i])
        exact += slope * (Fraction(x[i]) + data.draw(SHARES) * Fraction(deviation))
    z, bound = values.value_at(plane, error, x, deviation, limit)
    assert abs(exact - Fraction(z)) <= Fraction(bound)
    found = values.certain_sign(z, bound)
    assert found in (OPEN, sign(exact))
    assert found != OPEN or abs(z) <= bound
    # The others do the same operations.
    rows = np.append(plane, error)[:, None]
    at, far = x[:, None], np.array([deviation])
    (other,), (other_bound,), (vanishes,) = values.values(np, rows, at, far, limit)
    told = values.signs_of_pairs(np, rows, at, far, limit)
    in_c = by_kernel(numpy_with_kernels, rows, at, far, limit)
    assert in_c[0] == other == z
    assert vanishes == (bound == 0.0)
    assert in_c[1] == other_bound
    assert vanishes or bound == other_bound
    assert in_c[2] == as_sign(*told) == found


@given(
    size=st.floats(0, 1e10), slope=st.floats(0, 10), e=st.floats(0, 1), off=st.floats(0, 1),
    d=st.integers(1, 9),
)  # fmt: skip
def test_the_bound_covers_its_own_rounding(
    size: float, slope: float, e: float, off: float, d: int
) -> None:
    """Rounding, twice the map's error, and the slope times the deviation, all rounded up."""
    exact = (d + 2) * Fraction(UNIT_ROUNDOFF) * Fraction(size) + 2 * Fraction(e)
    exact += Fraction(slope) * Fraction(off)
    assert exact <= Fraction(value_bound(size, slope, e, off, d))


@settings(deadline=None)
@given(data=st.data(), d=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_no_value_is_certain_without_numbers(
    numpy_with_kernels: Any, data: st.DataObject, d: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, x = rng.standard_normal((d + 2, 1)), rng.standard_normal((d, 1))
    rows[-1], deviation = 1e-15, np.array([1e-15])
    array = data.draw(st.sampled_from([rows, x, deviation[None]]))
    array[data.draw(st.integers(0, len(array) - 1))] = data.draw(st.sampled_from(NO_NUMBERS))
    deviation, rows[-1] = abs(deviation), abs(rows[-1])
    with np.errstate(all="ignore"):
        told = values.signs_of_pairs(np, rows, x, deviation, 1e-3)
        z, bound = values.value_at(rows[:, 0], rows[-1, 0], x[:, 0], deviation[0], 1e-3)
    assert as_sign(*told) == OPEN
    assert values.certain_sign(z, bound) == OPEN
    assert by_kernel(numpy_with_kernels, rows, x, deviation, 1e-3)[2] == OPEN


def test_what_is_zero_vanishes_wherever_it_is_evaluated(numpy_with_kernels: Any) -> None:
    rows, x, deviation = np.zeros((4, 1)), np.array([[np.nan], [np.inf]]), np.array([np.nan])
    assert values.certain_sign(*values.value_at(rows[:, 0], 0.0, x[:, 0], np.nan, 1.0)) == 0
    with np.errstate(all="ignore"):
        assert as_sign(*values.signs_of_pairs(np, rows, x, deviation, 1.0)) == 0
    assert by_kernel(numpy_with_kernels, rows, x, deviation, 1.0)[2] == 0


@njit(cache=False)
def negative_bits(numbers: Any, first: int) -> Any:
    return bits.negative_bits(numbers, first)


@njit(cache=False)
def negative_lanes(numbers: Any, first: int) -> Any:
    return bits.negative_lanes(numbers, first)


@pytest.mark.parametrize("strange", NO_NUMBERS)
def test_bits_of_what_is_no_number_are_not_set(strange: float) -> None:
    numbers = np.ones(128)
    numbers[[64, 70]] = strange, -np.finfo(float).max
    numbers[127] = -5e-324
    assert int(negative_bits(numbers, 64)) == 1 << 6 | 1 << 63
    assert int(negative_lanes(numbers, 64)) == 1 << 6
    assert int(negative_lanes(numbers, 128 - bits.N_LANES)) == 1 << bits.N_LANES - 1


@pytest.mark.parametrize("strange", NO_NUMBERS)
def test_the_larger_one_is_no_number_if_one_is_not(strange: float) -> None:
    for pair in ((strange, 1.0), (1.0, strange)):
        np.testing.assert_equal(values.larger(*pair), np.maximum(*pair))


def one_region(d: int, n_units: int, seed: int) -> tuple[Any, Any, Any, Any]:
    """Return the maps of units on one region, their errors, points and their deviations."""
    rng = np.random.default_rng(seed)
    planes, x = rng.standard_normal((1, d + 1, n_units)), rng.standard_normal((3, d))
    return planes, np.full((1, n_units), 1e-15), x, np.full(3, 1e-15)


@settings(deadline=None)
@given(data=st.data(), d=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_no_family_is_certain_without_numbers(
    numpy_with_kernels: Any, data: st.DataObject, d: int, seed: int
) -> None:
    """Unit 65 is strange everywhere, or all units are at point 1."""
    planes, errors, x, deviation = one_region(d, 70, seed)
    strange, k = data.draw(st.sampled_from(NO_NUMBERS)), data.draw(st.integers(0, d - 1))
    expected = np.zeros((3, 70), dtype=bool)
    where = data.draw(st.sampled_from(["planes", "offset", "errors", "x", "deviation"]))
    if where in ("planes", "offset", "errors"):
        expected[:, 65] = True
    else:
        expected[1] = True
    if where == "planes":
        planes[0, k, 65] = strange
    elif where == "offset":
        planes[0, d, 65] = strange
    elif where == "errors":
        errors[0, 65] = abs(strange)
    elif where == "x":
        x[1, k] = strange
    else:
        deviation[1] = abs(strange)
    regions = np.zeros(3, dtype=np.int32)

    signs = np.empty((3, 70), dtype=np.int8)
    n_open = transfer.evaluate(planes, errors, 0, 70, regions, x, deviation, 1e-3, signs)
    np.testing.assert_array_equal(signs == OPEN, expected)
    assert n_open == expected.sum()

    if d <= 2:
        sets = np.zeros((2, 3, 2), dtype=np.uint64)
        none, one = np.zeros(0, dtype=np.int32), regions[:1]
        edges, patterns = np.zeros((0, 2), dtype=np.int32), np.zeros((1, 1), dtype=np.uint8)
        unknown, n_unknown = planar_signs.corner_signs(
            one,
            records.Maps(planes, one, errors, one, np.zeros((1, d + 1)), 1e-3),
            records.PlanarCells(x, deviation, edges, none, np.zeros(2, np.int64), none, patterns),
            records.Beside(
                none, none, none, regions, np.array([0, 3]), np.arange(3, dtype=np.int32)
            ),
            records.VertexSigns(*sets, np.empty((1, 2), dtype=np.int32), sets[0, :0], none),
            0,
        )
        found = np.zeros((3, 70), dtype=bool)
        found[tuple(unknown[:n_unknown].T)] = True
        np.testing.assert_array_equal(found, expected)
        by_bits = np.unpackbits(sets.view(np.uint8), axis=2, bitorder="little")[..., :70]
        np.testing.assert_array_equal(by_bits[0].astype(int) - by_bits[1], signs * ~expected)

    for xp in (np, numpy_with_kernels):
        units = bulk_sets.Units(np, 70, 2**20)
        with np.errstate(all="ignore"):
            above, below, is_open = bulk_maps.signs_from_maps(
                xp, units, (planes, errors), regions, np.ascontiguousarray(x.T), deviation, 1e-3
            )
        flags = [units.unpack(some)[:, :70].astype(int) for some in (above, below, is_open)]
        np.testing.assert_array_equal(flags[2], expected)
        np.testing.assert_array_equal(flags[0] - flags[1], signs * ~expected)


@pytest.mark.parametrize("strange", NO_NUMBERS)
@pytest.mark.parametrize("which", range(4))
def test_no_crossing_is_certain_without_numbers(strange: float, which: int) -> None:
    given = [1.0, 1e-9, -1.0, 1e-9]
    given[which] = abs(strange) if which % 2 else strange
    assert crossings.parameter(*given) == (0.5, np.inf)


@pytest.mark.parametrize(("column", "strange"), [(0, np.nan), (1, np.nan), (1, np.inf)])
@pytest.mark.parametrize("n", [5, 30])
def test_no_order_is_certain_without_numbers(column: int, strange: float, n: int) -> None:
    """A crossing whose parameter or error is no number may be anywhere."""
    item, linked = np.arange(n, dtype=np.int32), np.zeros(n, dtype=bool)
    columns = np.linspace(0, 1, n), np.full(n, 1e-9)
    columns[column][2] = strange
    planar_signs.sort_along(0, n, item, *columns, linked)
    assert linked[1:].all()


def crossing_planes(rng: np.random.Generator, d: int, spread: float) -> NDArray[np.float64]:
    """Return d planes in columns; their normals are nearly parallel where `spread` is small."""
    planes = np.empty((d + 2, d))
    normal = rng.standard_normal(d)
    planes[:d] = (normal + spread * rng.standard_normal((d, d))).T
    planes[d] = -(planes[:d] * rng.uniform(-1, 1, d)[:, None]).sum(axis=0)
    return planes


@settings(deadline=None)
@given(
    d=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    spread=st.sampled_from([1.0, 1e-3, 1e-8, 1e-14, 0.0]),
    slack=st.sampled_from([0.0, 1e-17, 1e-9]),
    data=st.data(),
)
def test_meeting_points_are_within_their_bounds(
    numpy_with_kernels: Any, d: int, seed: int, spread: float, slack: float, data: st.DataObject
) -> None:
    """Whatever the planes are within their slack, in a domain that holds the points."""
    numbers = crossing_planes(np.random.default_rng(seed), d, spread)
    numbers[d + 1], reach = slack, 1000.0
    x, every = np.empty((1, d)), np.arange(d, dtype=np.int32)[None]
    a, offset = np.ascontiguousarray(numbers[:d].T), numbers[d].copy()
    found = [(x[0], meeting.place(a, offset, numbers[d + 1], np.empty((d, 2 * d)), x, 0))]
    with np.errstate(all="ignore"):
        for xp in (np, numpy_with_kernels):
            points, (bound,) = meeting.meeting_points(xp, numbers, every)
            found.append((points[:, 0], bound))
    (integers,), shift = dyadic_integers(numbers[: d + 1].T)
    loss = Fraction(slack) * (1 << shift) / 2
    planes = []
    for row in integers:
        shares = [data.draw(SHARES) for _ in range(2)]
        moved = [Fraction(int(entry)) for entry in row]
        moved[0] += shares[0] * loss / Fraction(reach)
        moved[d] += shares[1] * loss
        scale = np.lcm.reduce([entry.denominator for entry in moved], dtype=object)
        planes.append(np.array([int(entry * scale) for entry in moved], dtype=object))
    certain = [(point, bound) for point, bound in found if bound < np.inf]
    assert np.isfinite([bound for _, bound in certain]).all()
    if spread >= 1e-3 and slack < 1e-9:
        assert len(certain) == 3
    if certain:
        *exact, w = intersection_point(planes)
        for point, bound in certain:
            if abs(point).max() <= reach and all(abs(c) <= reach * w for c in exact):
                for c, coordinate in zip(exact, point, strict=True):
                    assert abs(Fraction(int(c), int(w)) - Fraction(coordinate)) <= Fraction(bound)


@settings(deadline=None)
@given(
    d=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    strange=st.sampled_from(NO_NUMBERS),
    data=st.data(),
)
def test_no_planes_meet_without_numbers(
    numpy_with_kernels: Any, d: int, seed: int, strange: float, data: st.DataObject
) -> None:
    numbers = crossing_planes(np.random.default_rng(seed), d, 1.0)
    numbers[d + 1] = 0.0
    row, column = data.draw(st.integers(0, d + 1)), data.draw(st.integers(0, d - 1))
    numbers[row, column] = abs(strange) if row == d + 1 else strange
    a, offset = np.ascontiguousarray(numbers[:d].T), numbers[d].copy()
    x, every = np.empty((1, d)), np.arange(d, dtype=np.int32)[None]
    assert meeting.place(a, offset, numbers[d + 1], np.empty((d, 2 * d)), x, 0) == np.inf
    with np.errstate(all="ignore"):
        for xp in (np, numpy_with_kernels):
            assert meeting.meeting_points(xp, numbers, every)[1] == np.inf
