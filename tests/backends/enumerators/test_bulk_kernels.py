"""The kernels of the bulk enumerator, compiled for the processor, against operations on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties import examples
from relutopo import Box, decompose
from relutopo.devices.device import Device
from relutopo.gallery import random_network
from relutopo.testing import assert_same_complex

bulk = import_module("relutopo.backends.enumerators._bulk.enumeration")
incidence = import_module("relutopo.backends.enumerators._bulk.cells.incidence")
levels = import_module("relutopo.backends.enumerators._bulk.records")
arrays = import_module("relutopo.backends.enumerators._bulk.sets.lists")
curve = import_module("relutopo.backends.enumerators._bulk.sets.curve")
groups = import_module("relutopo.backends.enumerators._bulk.sets.equal_rows")
maps = import_module("relutopo.backends.enumerators._bulk.numbers.maps")
pieces = import_module("relutopo.backends.enumerators._bulk.cells.pieces")
points = import_module("relutopo.backends.enumerators._bulk.cells.points")
sets = import_module("relutopo.backends.enumerators._bulk.sets.bitsets")
crossings = import_module("relutopo.backends.enumerators._certified.crossings")
meeting = import_module("relutopo.backends.enumerators._certified.meeting_points")
walks = import_module("relutopo.backends.enumerators._bulk.numbers.maps_by_walking")


@pytest.fixture(scope="module")
def with_kernels(numpy_with_kernels: Any) -> Iterator[Any]:
    calls = numpy_with_kernels.ElementwiseKernel.calls
    yield numpy_with_kernels
    assert numpy_with_kernels.ElementwiseKernel.calls > calls


@st.composite
def numbers(draw: st.DrawFn, *shape: int) -> Any:
    """Draw arrays with zeros, the same numbers again, overflows and what is no number."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    array = rng.choice([0.0, -0.0, 1.0, -1.0, 3e-17, -0.3, 0.7, 1e200, np.inf, np.nan], size=shape)
    ordinary = rng.standard_normal(shape)
    return np.where(rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.9])), array, ordinary)


@given(
    data=st.data(), d=st.integers(1, 4), n=st.integers(0, 5), n_units=st.sampled_from([1, 64, 70])
)
def test_signs(with_kernels: Any, data: st.DataObject, d: int, n: int, n_units: int) -> None:
    units = sets.Units(np, n_units, 2**20)
    planes, errors = data.draw(numbers(3, d + 1, n_units)), abs(data.draw(numbers(3, n_units)))
    region = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int32)
    x, deviation = data.draw(numbers(d, n)), abs(data.draw(numbers(n))) * 1e-3
    with np.errstate(all="ignore"):
        signs = [
            maps.signs_from_maps(xp, units, (planes, errors), region, x, deviation, 1e-3)
            for xp in (np, with_kernels)
        ]
    np.testing.assert_array_equal(signs[0], signs[1])
    assert not units.unpack(np.concatenate(signs[1]))[..., n_units:].any()


@given(
    data=st.data(), d=st.integers(1, 4), n=st.integers(0, 5), n_units=st.sampled_from([1, 64, 70])
)
def test_inherited_maps(
    with_kernels: Any, data: st.DataObject, d: int, n: int, n_units: int
) -> None:
    units = sets.Units(np, n_units, 2**20)
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    before = rng.standard_normal((3, d + 1, n_units)), rng.random((3, n_units))
    parent = rng.integers(0, 3, n).astype(np.int32)
    active = rng.random((n, 64 * units.n_words)) < 0.5
    reach = np.append(rng.random(d), 1.0)
    after = [
        maps.inherited(xp, units, before, parent, units.pack(active), reach, 1e-15)
        for xp in (np, with_kernels)
    ]
    for by_arrays, by_kernel in zip(*after, strict=True):
        np.testing.assert_array_equal(by_arrays, by_kernel)
    flags = active[:, :n_units]
    np.testing.assert_array_equal(after[1][0], before[0][parent] * flags[:, None])


SETS = st.lists(
    st.lists(st.sampled_from([0, 1, 2**63, 2**64 - 1, 0xF0F0]), min_size=3, max_size=3), max_size=7
)


def assert_same_lists(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(one.ptr, other.ptr)
    np.testing.assert_array_equal(one.items, other.items)


def as_sets(rows: list[list[int]]) -> Any:
    return np.array(rows, dtype=np.uint64).reshape(-1, 3)


@given(rows=SETS, data=st.data())
def test_sets(with_kernels: Any, rows: list[list[int]], data: st.DataObject) -> None:
    by_arrays, by_kernels = (sets.Units(xp, 190, 2**20) for xp in (np, with_kernels))
    words = as_sets(rows)
    (lists, rows_of), (again, rows_again) = (u.members(words) for u in (by_arrays, by_kernels))
    assert_same_lists(lists, again)
    np.testing.assert_array_equal(rows_of, rows_again)
    places = st.lists(st.integers(0, max(0, len(rows) - 1)), min_size=1, max_size=4)
    lists = data.draw(st.lists(places, max_size=5 * bool(rows)))
    ptr = arrays.prefix_sums(np, np.array(list(map(len, lists)), dtype=np.int64))
    items = np.array([q for part in lists for q in part], dtype=np.int32)
    np.testing.assert_array_equal(by_arrays.sizes(words), by_kernels.sizes(words))
    unions = [units.union(words, arrays.Lists(ptr, items)) for units in (by_arrays, by_kernels)]
    np.testing.assert_array_equal(unions[0], unions[1])
    first = data.draw(st.integers(0, 130))
    longer = [np.zeros((len(items), -(-(first + 190) // 64)), dtype=np.uint64) for _ in range(2)]
    words[:, 2] &= np.uint64(2**62 - 1)
    for units, target in zip((by_arrays, by_kernels), longer, strict=True):
        units.place(words, items, target, first)
    np.testing.assert_array_equal(longer[0], longer[1])
    bits = np.unpackbits(longer[0].view(np.uint8), axis=1, bitorder="little")
    expected = np.unpackbits(words[items].view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(bits[:, first : first + 190], expected[:, :190])
    assert not bits[:, :first].any()


@given(rows=SETS, data=st.data())
def test_groups(with_kernels: Any, rows: list[list[int]], data: st.DataObject) -> None:
    n = len(rows)
    places = st.lists(st.integers(0, max(0, n - 1)), min_size=n, max_size=n)
    owner, one, other, but = (np.array(data.draw(places), dtype=np.int32) for _ in range(4))
    table = as_sets(rows)
    names = groups.Unions(table, one, table, other, data.draw(st.sampled_from([None, 64 + but])))
    every = np.arange(n)
    words = [names.words(xp, every) for xp in (np, with_kernels)]
    np.testing.assert_array_equal(*words)
    expected = table[one] | table[other]
    if names.but is not None:
        expected[:, 1] &= ~(np.uint64(1) << but.astype(np.uint64))
    np.testing.assert_array_equal(words[0], expected)
    found = [groups.group(xp, owner, max(1, n), names) for xp in (np, with_kernels)]
    for by_arrays, by_kernel in zip(*found, strict=True):
        np.testing.assert_array_equal(by_arrays, by_kernel)
    for xp in (np, with_kernels):
        differ = groups.differ(xp, names, every, groups.Unions(table, one, table, one), every)
        assert differ == (expected != table[one]).any()


@given(lists=st.lists(st.sets(st.integers(0, 9), min_size=1), min_size=1), data=st.data())
def test_lists(with_kernels: Any, lists: list[set[int]], data: st.DataObject) -> None:
    ptr = arrays.prefix_sums(np, np.array(list(map(len, lists))))
    ragged = arrays.Lists(ptr, np.array([x for part in lists for x in sorted(part)], np.int32))
    some = st.lists(st.integers(0, len(lists) - 1), max_size=5)
    rows = np.array(data.draw(some), dtype=np.int32)
    np.testing.assert_array_equal(ragged.owners(np), ragged.owners(with_kernels))
    (taken, owner), (again, owner_again) = (ragged.of(xp, rows) for xp in (np, with_kernels))
    assert_same_lists(taken, again)
    np.testing.assert_array_equal(owner, owner_again)
    assert taken.items.tolist() == [x for row in rows for x in sorted(lists[row])]
    wanted = [data.draw(st.sampled_from(sorted(lists[row]))) for row in rows]
    for xp in (np, with_kernels):
        places = ragged.places(xp, rows, np.array(wanted, dtype=np.int32))
        np.testing.assert_array_equal(ragged.items[places], wanted)
        np.testing.assert_array_equal(ragged.owners(np)[places], rows)


@given(n_lines=st.integers(1, 4), n=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_runs_along_lines(with_kernels: Any, n_lines: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = np.sort(rng.integers(0, n_lines, n)).astype(np.int32)
    t, widest = rng.choice([0.0, 1.0, 0.5, 0.25, 0.3], n), rng.choice([0.0, 0.05, np.inf], n_lines)
    keys = [points._keys_along_lines(xp, line, t, 40) for xp in (np, with_kernels)]
    np.testing.assert_array_equal(*keys)
    order = np.argsort(keys[0], kind="stable")
    np.testing.assert_array_equal(line[order], line)
    begins = [points._runs(xp, line, order, t, widest) for xp in (np, with_kernels)]
    np.testing.assert_array_equal(*begins)
    line_ptr = np.searchsorted(line, np.arange(n_lines + 1))
    found = [points._widest(xp, line_ptr, widest[line] + t) for xp in (np, with_kernels)]
    np.testing.assert_array_equal(*found)


@given(
    d=st.sampled_from([1, 2, 3, 7, 70]),
    n=st.integers(1, 9),
    n_owners=st.sampled_from([1, 3, 2**31 - 1]),
)
def test_curves(with_kernels: Any, d: int, n: int, n_owners: int) -> None:
    rng = np.random.default_rng(n)
    owner, x = rng.integers(0, n_owners, n).astype(np.int32), rng.random((d, n))
    orders = [curve.curve_order(xp, owner, n_owners, x) for xp in (np, with_kernels)]
    np.testing.assert_array_equal(*orders)
    assert (np.diff(owner[orders[0]]) >= 0).all()


@given(n_walls=st.integers(1, 4), n=st.integers(0, 6), seed=st.integers(0, 10**6))
def test_cells_on_walls(with_kernels: Any, n_walls: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ptr = arrays.prefix_sums(np, rng.integers(1, 4, n_walls))
    flat, wall, other = rng.integers(0, n_walls, (3, n)).astype(np.int32)
    cuts = rng.random(n) < 0.5
    found = []
    for xp in (np, with_kernels):
        begins = pieces._places_on_walls(xp, ptr, wall, cuts)
        found.append(pieces._on_walls(xp, ptr, flat, wall, cuts, other, begins))
    for by_arrays, by_kernel in zip(*found, strict=True):
        np.testing.assert_array_equal(by_arrays, by_kernel)
    expected = [
        (cell, flat[i], side)
        for i in range(n)
        for side in ([i, other[i]] if cuts[i] else [i])
        for cell in range(ptr[wall[i]], ptr[wall[i] + 1])
    ]
    assert list(zip(*found[0], strict=True)) == expected


@given(n_flats=st.integers(1, 4), n=st.integers(0, 6), seed=st.integers(0, 10**6))
def test_incidences(with_kernels: Any, n_flats: int, n: int, seed: int) -> None:
    """Sets of units where flats meet."""
    rng = np.random.default_rng(seed)
    units = sets.Units(np, 190, 2**20)

    def signs(n: int) -> Any:
        flags = rng.random((2, n, 192)) < rng.choice([0.1, 0.5, 0.9])
        flags[..., 190:] = False
        return levels.FlatSigns(*map(units.pack, flags))

    upper, flats, below, sections = signs(n_flats), signs(n_flats), signs(n_flats), signs(n)
    flat, facet, wall = rng.integers(0, n_flats, (3, n)).astype(np.int32)
    unit, cuts = rng.integers(0, 190, n).astype(np.int32), rng.random(n) < 0.5
    for function, *arguments in (
        (incidence.vanishing_on_walls, flats, flat, below, wall, cuts),
        (incidence.vanishing_on_sections, upper, flat, flats, facet, below, wall),
        (incidence.crosses_earlier, upper, flat, sections, unit),
    ):
        by_arrays, by_kernel = (function(xp, units, *arguments) for xp in (np, with_kernels))
        np.testing.assert_array_equal(by_arrays, by_kernel)


@pytest.mark.slow
@given(data=st.data(), d=st.integers(1, 4), n=st.integers(0, 6))
def test_points(with_kernels: Any, data: st.DataObject, d: int, n: int) -> None:
    table = data.draw(numbers(d + 2, 5))
    table[-1] = abs(table[-1]) * 1e-15
    columns = st.lists(st.integers(0, 4), min_size=n, max_size=n)
    planes = np.array([data.draw(columns) for _ in range(d)], dtype=np.int32).reshape(d, n).T
    x, deviation = data.draw(numbers(d, 5)), abs(data.draw(numbers(5))) * 1e-14
    one, line = (np.array(data.draw(columns), dtype=np.int32) for _ in range(2))
    ends = np.random.default_rng(n).integers(0, 5, (5, 2)).astype(np.int32)
    with np.errstate(all="ignore"):
        for function, *arguments in (
            (meeting.meeting_points, table, np.ascontiguousarray(planes)),
            (crossings.parameters, table, one, line, ends, x, deviation, 1e-3),
        ):
            found = [function(xp, *arguments) for xp in (np, with_kernels)]
            np.testing.assert_array_equal(found[0][1], found[1][1])
            # Where the bound is infinite the point says nothing.
            told = found[0][1] < np.inf
            np.testing.assert_array_equal(found[0][0][..., told], found[1][0][..., told])


@pytest.mark.slow
@examples(60)
@given(
    data=st.data(),
    d=st.integers(1, 4),
    n_below=st.sampled_from([1, 5, 66]),
    n_units=st.sampled_from([1, 70]),
)
def test_walks(with_kernels: Any, data: st.DataObject, d: int, n_below: int, n_units: int) -> None:
    """Maps and signs on a walk, in whatever order, against rational numbers."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    earlier, units = (sets.Units(np, n, 2**20) for n in (n_below, n_units))
    parent = np.sort(rng.integers(0, 3, data.draw(st.integers(1, 7)))).astype(np.int32)
    parent -= parent[0]
    flags = np.zeros((len(parent), 64 * earlier.n_words), dtype=bool)
    flags[:, :n_below] = rng.random((len(parent), n_below)) < rng.choice([0.0, 0.1, 0.9])
    below = data.draw(vanishing(rng, parent[-1] + 1, d + 1, n_below))
    columns = data.draw(vanishing(rng, n_below, n_units))
    bias = data.draw(vanishing(rng, n_units))
    reach = np.append(rng.random(d), 1.0)
    errors = data.draw(vanishing(rng, parent[-1] + 1, n_below)) ** 2 * 1e-15
    longest = data.draw(st.integers(1, 4))
    active, before = earlier.pack(flags), (below, errors)
    walk = walks.Walk.of(
        with_kernels, earlier, active, parent, before, (columns, bias), reach, 0.0, longest
    )
    everything = np.zeros((len(parent), 64 * units.n_words), dtype=bool)
    everything[:, :n_units] = True
    table = np.empty((d + 2, len(parent) * n_units))
    row_ptr = np.arange(len(parent) + 1) * n_units
    walks.planes_on_walk(with_kernels, units, walk, units.pack(everything), row_ptr, table)
    found = table.reshape(d + 2, len(parent), n_units)
    exact = np.vectorize(Fraction, otypes=[object])
    terms = exact(below[parent]) * flags[:, None, :n_below]
    planes = (terms @ exact(columns)).transpose(1, 0, 2)
    planes[d] += exact(bias)
    lost = exact(errors[parent]) * flags[:, :n_below] @ exact(abs(columns))
    off = abs(exact(found[: d + 1]) - planes)
    deviation = sum(exact(reach[k]) * off[k] for k in range(d + 1)) + lost
    assert (deviation <= exact(found[d + 1])).all()
    assert (found[d + 1] <= 1e-12 + 20 * len(parent) * lost.astype(float)).all()
    # Signs at points that belong to one region each.
    x, spread = rng.uniform(-1, 1, (d, len(parent))) * reach[:d, None], np.full(len(parent), 1e-14)
    signs = units.none(len(parent)), units.none(len(parent)), units.none(len(parent))
    vertices = arrays.Lists(np.arange(len(parent) + 1), np.arange(len(parent)))
    walks.signs_on_walk(with_kernels, units, walk, vertices, x, spread, 1.0, signs)
    dense = found[: d + 1].transpose(1, 0, 2).copy(), found[d + 1]
    region = np.arange(len(parent), dtype=np.int32)
    expected = maps.signs_from_maps(np, units, dense, region, x, spread, 1.0)
    np.testing.assert_array_equal(signs, expected)


def vanishing(rng: np.random.Generator, *shape: int) -> st.SearchStrategy[Any]:
    """Draw arrays of which a part is zero."""
    parts = st.sampled_from([0.0, 0.5, 1.0])
    return parts.map(lambda part: rng.standard_normal(shape) * (rng.random(shape) >= part))


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("hidden", [[1, 6, 6], [2, 7, 5, 4], [2, 70, 20], [3, 6, 5], [4, 5, 3]])
def test_the_same_cells(with_kernels: Any, hidden: list[int], kind: str) -> None:
    device = Device()
    device.xp = with_kernels
    network, box = random_network([*hidden, 1], 0, kind), Box(-2, 2, dim=hidden[0])
    calls = with_kernels.ElementwiseKernel.calls
    small = bulk.BulkEnumerator(device, "kernels", bulk.Tuning(at_once=2**14))
    cut = decompose(network, box, enumerator=small)
    assert with_kernels.ElementwiseKernel.calls > calls
    assert_same_complex(cut, decompose(network, box, enumerator="cpu"))
