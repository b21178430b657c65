"""Walls of one region against corners in fractions, and proofs made again with fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import relutopo as rt
from properties import examples
from relutopo.gallery import random_network
from relutopo.geometry.region import RegionGeometry, Sides
from relutopo.geometry.strict_points import Raised, raised, relaxed

Row = list[Fraction]


def rows_of(network: rt.ReluNetwork, pattern: np.ndarray[Any, Any], box: rt.Box) -> list[Row]:
    """The inequalities of a region, (normal, offset) ≥ 0, neurons first; a plain forward pass."""
    d = network.input_dim
    maps: list[Row] = [[Fraction(int(i == j)) for j in range(d + 1)] for i in range(d)]
    rows: list[Row] = []
    bits = iter(pattern.tolist())
    for weights, biases in zip(network.weights[:-1], network.biases[:-1], strict=True):
        layer: list[Row] = []
        for w, b in zip(weights.tolist(), biases.tolist(), strict=True):
            row = [Fraction(0)] * d + [Fraction(b)]
            for x, below in zip(map(Fraction, w), maps, strict=True):
                if x and any(below):
                    row = [a + x * y for a, y in zip(row, below, strict=True)]
            on = next(bits)
            rows.append(row if on else [-a for a in row])
            layer.append(row if on else [Fraction(0)] * (d + 1))
        maps = layer
    for i, (low, high) in enumerate(zip(box.low.tolist(), box.high.tolist(), strict=True)):
        unit = [Fraction(int(i == j)) for j in range(d)]
        rows += [[*unit, -Fraction(low)], [*(-a for a in unit), Fraction(high)]]
    return rows


def value(row: Row, point: list[Fraction]) -> Fraction:
    return sum((a * x for a, x in zip(row, point, strict=False)), row[-1])


def solved(rows: list[Row]) -> list[Fraction] | None:
    """The one point at which d rows vanish, by elimination."""
    d, table = len(rows), [list(row) for row in rows]
    for k in range(d):
        pivot = next((i for i in range(k, d) if table[i][k]), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        table[k] = [a / table[k][k] for a in table[k]]
        for i in range(d):
            if i != k:
                table[i] = [a - table[i][k] * b for a, b in zip(table[i], table[k], strict=True)]
    return [-row[-1] for row in table]


def rank(vectors: list[list[Fraction]]) -> int:
    table, found = [list(v) for v in vectors], 0
    for column in range(len(table[0]) if table else 0):
        pivot = next((i for i in range(found, len(table)) if table[i][column]), None)
        if pivot is None:
            continue
        table[found], table[pivot] = table[pivot], table[found]
        for i in range(found + 1, len(table)):
            factor = table[i][column] / table[found][column]
            table[i] = [a - factor * b for a, b in zip(table[i], table[found], strict=True)]
        found += 1
    return found


def planes_of_walls(rows: list[Row], n_neurons: int) -> set[frozenset[int]]:
    """Neurons of each plane that holds d corners in general position, sides of the box aside."""
    d = len(rows[0]) - 1
    planes = [i for i, row in enumerate(rows) if any(row[:-1])]
    corners = []
    for some in combinations(planes, d):
        point = solved([rows[i] for i in some])
        if point is not None and all(value(row, point) >= 0 for row in rows):
            corners.append(point)
    walls = set()
    for i in planes:
        on = [p for p in corners if value(rows[i], p) == 0]
        if on and rank([[a - b for a, b in zip(p, on[0], strict=True)] for p in on]) == d - 1:
            same = frozenset(j for j in planes if all(value(rows[j], p) == 0 for p in on))
            if max(same) < n_neurons:
                walls.add(same)
    return walls


@examples(15)
@given(
    dim=st.integers(1, 3),
    hidden=st.sampled_from([[3], [5], [2, 2], [3, 2]]),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer", "float32"]),
    bias=st.sampled_from([0.0, 1.0]),
)
def test_walls_are_the_planes_that_hold_corners(
    dim: int, hidden: list[int], seed: int, kind: str, bias: float
) -> None:
    network, box = random_network([dim, *hidden, 1], seed, kind, bias), rt.Box(-2, 2, dim=dim)
    point = np.random.default_rng(seed).uniform(-2, 2, (1, dim))
    signs = network.signs(point)[0]
    region = RegionGeometry(network, box, signs > 0)
    rows = rows_of(network, signs > 0, box)
    walls = region.walls()
    assert walls.n_open == 0
    flipped = [frozenset(np.flatnonzero(n != region.pattern).tolist()) for n in walls.neighbours]
    right = planes_of_walls(rows, network.n_neurons)
    # Deeper neurons may vanish on the whole region behind, or on this one and awake there.
    first = frozenset(range(hidden[0]))
    assert {min(f) for f in flipped} == {min(w) for w in right}
    assert {f & first for f in flipped} == {w & first for w in right}
    assert len(flipped) == len(right)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_walls_of_64_inputs_hold_in_fractions(seed: int) -> None:
    """At the exact foot of each point on the exact plane every other row is positive."""
    network, box = random_network([64, 12, 10, 1], seed), rt.Box(-1, 1, dim=64)
    point = np.random.default_rng(seed).uniform(-1, 1, (1, 64))
    region = RegionGeometry(network, box, network.signs(point)[0] > 0)
    walls = region.walls()
    assert (walls.n_open, region.n_linear_programs) == (0, 0)
    assert len(walls.neighbours) > 10
    rows = rows_of(network, region.pattern, box)
    proved = set()
    for neighbour, near in zip(walls.neighbours, walls.points, strict=True):
        (neuron,) = np.flatnonzero(neighbour != region.pattern).tolist()
        proved.add(neuron)
        normal, start = rows[neuron][:-1], list(map(Fraction, near.tolist()))
        step = value(rows[neuron], start) / sum(a * a for a in normal)
        foot = [x - step * a for x, a in zip(start, normal, strict=True)]
        assert all(value(row, foot) > 0 for i, row in enumerate(rows) if i != neuron)
    for neuron in set(range(network.n_neurons)) - proved:
        normals = np.array([[float(a) for a in row] for row in rows])
        others = np.arange(len(rows)) != neuron
        end = linprog(
            [*[0.0] * 64, -1.0],
            A_ub=np.c_[-normals[others, :-1], np.ones(others.sum())],
            b_ub=normals[others, -1],
            A_eq=[[*normals[neuron, :-1], 0.0]],
            b_eq=[-normals[neuron, -1]],
            bounds=(None, None),
        )
        assert end.status == 2 or (end.fun or 0.0) > -1e-7


@examples(25)
@given(
    dim=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    thin=st.sampled_from([1.0, 1e-3, 1e-9]),
)
def test_balls_are_inside_and_none_is_much_larger(dim: int, seed: int, thin: float) -> None:
    network = random_network([dim, 5, 4, 1], seed)
    high = np.full(dim, 1.0)
    high[0] = -1 + 2 * thin
    box = rt.Box(np.full(dim, -1.0).tolist(), high.tolist())
    point = np.random.default_rng(seed).uniform(-1, high, (1, dim))
    region = RegionGeometry(network, box, network.signs(point)[0] > 0)
    radius = Fraction(region.inradius * region.scale)
    centre = list(map(Fraction, region.interior_point.tolist()))
    for row in rows_of(network, region.pattern, box):
        square = sum(a * a for a in row[:-1])
        assert value(row, centre) >= 0
        assert value(row, centre) ** 2 >= radius**2 * square
    assert region.most_inradius >= region.inradius
    if thin == 1.0:
        rows = np.array([[float(a) for a in r] for r in rows_of(network, region.pattern, box)])
        lengths = np.linalg.norm(rows[:, :-1], axis=1)
        rows, lengths = rows[lengths > 0], lengths[lengths > 0]
        end = linprog(
            [*[0.0] * dim, -1.0],
            A_ub=np.c_[-rows[:, :-1], lengths],
            b_ub=rows[:, -1],
            bounds=(None, None),
        )
        largest = -(end.fun or 0.0)
        assert region.inradius * region.scale <= largest + 1e-9
        assert region.most_inradius * region.scale >= largest - 1e-9
        assert region.most_inradius - region.inradius <= 1e-6 * region.most_inradius + 1e-9


def test_regions_made_together_are_those_made_alone() -> None:
    network, box = random_network([3, 6, 5, 1], 1), rt.Box(-2, 2, dim=3)
    patterns = network.signs(np.random.default_rng(0).uniform(-2, 2, (5, 3))) > 0
    together = list(RegionGeometry.of_patterns(network, Sides(box), box, patterns))
    for pattern, region in zip(patterns, together, strict=True):
        alone = RegionGeometry(network, box, pattern)
        np.testing.assert_array_equal(region.pattern, pattern)
        np.testing.assert_allclose(region.centre, alone.centre, atol=1e-7)
        first, second = (r.walls().neighbours for r in (region, alone))
        assert [n.tolist() for n in first] == [n.tolist() for n in second]


def test_a_neuron_that_never_vanishes_in_the_domain_is_left_out() -> None:
    network = rt.ReluNetwork([[[1.0, 0.0], [1e-12, 0.0]], [[1.0, 1.0]]], [[0.25, 3.0], [0.0]])
    region = RegionGeometry(network, rt.Box(-1, 1, dim=2), np.array([True, True]))
    assert region.rows.tolist() == [0, 2, 3, 4, 5]
    assert [n.tolist() for n in region.walls().neighbours] == [[False, True]]


def test_relaxation_gives_up_on_planes_beside_the_region() -> None:
    normals = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [0.6, 0.8]])
    offsets = np.array([1.0, 1.0, 1.0, 1.0, 5.0])
    counts = ~np.eye(5, dtype=bool)
    found, points = relaxed(
        normals, offsets, normals @ normals.T, np.zeros(2), np.arange(5), counts, 0.02
    )
    assert sorted(found.tolist()) == [0, 1, 2, 3]
    np.testing.assert_allclose(np.sort(np.abs(points), axis=1), [[0, 1]] * 4)


@pytest.mark.parametrize("n_at_once", [2**21, 1])
def test_programmes_reach_what_linprog_reaches(
    n_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relutopo.geometry.strict_points._MOST_NUMBERS", n_at_once)
    rng = np.random.default_rng(3)
    normals = rng.standard_normal((30, 4))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    normals = np.concatenate([normals, np.eye(4), -np.eye(4)])
    offsets = np.concatenate([rng.uniform(0.1, 1, 30), np.ones(8)])
    walls = np.arange(6)
    counts = ~np.eye(len(normals), dtype=bool)[walls]
    asked: list[int] = []

    def to_the_end(which: np.ndarray[Any, Any], now: Raised) -> np.ndarray[Any, Any]:
        asked.extend(which.tolist())
        bound = np.einsum("kr,r->k", now.multipliers, offsets)
        assert len(now.heights) == len(which) == len(bound)
        return np.zeros(len(which), dtype=bool)

    feet = -offsets[walls, None] * normals[walls]
    end = raised(normals, offsets, feet, normals[walls], counts, to_the_end)
    assert set(asked) == set(walls.tolist())
    for k, wall in enumerate(walls.tolist()):
        right = linprog(
            [*[0.0] * 4, -1.0],
            A_ub=np.c_[-normals[counts[k]], np.ones(counts[k].sum())],
            b_ub=offsets[counts[k]],
            A_eq=[[*normals[wall], 0.0]],
            b_eq=[-offsets[wall]],
            bounds=(None, None),
        )
        assert end.heights[k] == pytest.approx(-(right.fun or 0.0), abs=1e-7)
        assert end.multipliers[k].sum() == pytest.approx(1)
        assert (end.multipliers[k] >= 0).all()
        assert normals[wall] @ end.points[k] + offsets[wall] == pytest.approx(0, abs=1e-9)
        assert (normals @ end.points[k] + offsets)[counts[k]].min() == pytest.approx(
            end.heights[k], abs=1e-6
        )
