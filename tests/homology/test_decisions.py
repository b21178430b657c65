"""Where which output is greatest: against clipping in fractions, finer complexes, grids."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import dist
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples

Point: TypeAlias = tuple[Fraction, Fraction]
Polygon: TypeAlias = list[Point]
Plane: TypeAlias = list[Fraction]
KINDS = ("normal", "integers", "equal outputs", "constant differences", "decades", "dead")


def network_of(kind: str, widths: Sequence[int], seed: int) -> rt.ReluNetwork:
    rng = np.random.default_rng(seed)
    shapes = [(m, n) for n, m in pairwise(widths)]
    if kind == "integers":  # outputs are equal at vertices, on edges and on regions
        weights = [rng.integers(-2, 3, size=shape).astype(float) for shape in shapes]
        biases = [rng.integers(-1, 2, size=m).astype(float) for m, _ in shapes]
    else:
        weights = [rng.standard_normal(shape) / np.sqrt(shape[1]) for shape in shapes]
        biases = [0.5 * rng.standard_normal(m) for m, _ in shapes]
    copied = rng.integers(0, widths[-1], size=widths[-1])
    if kind == "equal outputs":
        weights[-1], biases[-1] = weights[-1][copied], biases[-1][copied]
    if kind == "constant differences":
        weights[-1] = weights[-1][copied]
    if kind == "decades":
        weights = [w * 10.0 ** rng.integers(-6, 7, size=(len(w), 1)) for w in weights]
        biases = [b * 10.0 ** rng.integers(-6, 7, size=len(b)) for b in biases]
        weights[-1], biases[-1] = weights[-1] + 1e9, biases[-1] - 1e9
    if kind == "dead":  # where the last neurons are off, several outputs are equal
        biases[-1] = rng.integers(0, 2, size=widths[-1]).astype(float)
    return rt.ReluNetwork(weights, biases)


# The same in fractions: polygons cut by one line after another.


def at(plane: Plane, point: Point) -> Fraction:
    return plane[0] * point[0] + plane[1] * point[1] + plane[2]


def clipped(polygon: Polygon, plane: Plane) -> Polygon:
    """The part of a convex polygon, a segment or a point where a plane is not negative."""
    found: Polygon = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        at_a, at_b = at(plane, a), at(plane, b)
        if at_a >= 0:
            found.append(a)
        if at_a * at_b < 0:
            t = at_a / (at_a - at_b)
            found.append((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))
    return list(dict.fromkeys(found))


def area(polygon: Polygon) -> Fraction:
    around = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum((a[0] * b[1] - a[1] * b[0] for a, b in around), Fraction(0))) / 2


def negative(plane: Plane) -> Plane:
    return [-x for x in plane]


def minus(first: Plane, second: Plane) -> Plane:
    return [x - y for x, y in zip(first, second, strict=True)]


def pieces_of(network: rt.ReluNetwork, half: int) -> list[tuple[Polygon, list[Plane]]]:
    """The regions of a network on a square, with the outputs there."""
    side = Fraction(half)
    square = [(-side, -side), (side, -side), (side, side), (-side, side)]
    identity = [[Fraction(i == j) for j in range(3)] for i in range(2)]
    pieces = [(square, identity)]
    for layer, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        cut = []
        for polygon, inputs in pieces:
            planes = []
            for row, bias in zip(weights.tolist(), biases.tolist(), strict=True):
                terms = [
                    [Fraction(w) * x for x in plane] for w, plane in zip(row, inputs, strict=True)
                ]
                plane = [sum(column, Fraction(0)) for column in zip(*terms, strict=True)]
                plane[2] += Fraction(bias)
                planes.append(plane)
            if layer == len(network.weights) - 1:
                cut.append((polygon, planes))
                continue
            parts: list[tuple[Polygon, list[Plane]]] = [(polygon, [])]
            for plane in planes:
                halves = [
                    (clipped(part, signed), [*active, plane if on else [Fraction(0)] * 3])
                    for part, active in parts
                    for signed, on in ((plane, True), (negative(plane), False))
                ]
                parts = [(part, active) for part, active in halves if area(part) > 0]
                # A plane that vanishes on a part leaves it twice.
                parts = list({tuple(part): (part, active) for part, active in parts}.values())
            cut += parts
        pieces = cut
    return pieces


class Clipped:
    """Areas, lengths and Betti numbers of the decision, by clipping in fractions."""

    def __init__(self, network: rt.ReluNetwork, half: int) -> None:
        pieces = pieces_of(network, half)
        n = network.n_outputs
        self.areas = [Fraction(0)] * n
        self.parts: list[list[Polygon]] = [[] for _ in range(n)]
        self.n_crossed = self.n_cells = 0
        self.lengths = np.zeros((n, n))
        for polygon, planes in pieces:
            left, classes = area(polygon), 0
            for i in range(n):
                part = polygon
                for j in range(n):
                    part = clipped(part, minus(planes[i], planes[j])) if part else part
                if part:
                    self.parts[i].append(part)
                # The first of several equal outputs takes the area.
                if (size := area(part)) > 0 and planes[i] not in planes[:i]:
                    self.areas[i] += size
                    left -= size
                    classes += 1
            assert left == 0
            self.n_cells += classes
            self.n_crossed += classes > 1
            for i, j in combinations(range(n), 2):
                along = clipped(polygon, minus(planes[i], planes[j]))
                along = clipped(along, minus(planes[j], planes[i])) if along else along
                for k in range(n):
                    along = clipped(along, minus(planes[i], planes[k])) if along else along
                if len(along) == 2:
                    a, b = ([float(x) for x in end] for end in along)
                    self.lengths[i, j] += dist(a, b)
        self.lengths += self.lengths.T

    def betti(self, class_: int) -> tuple[int, int, int]:
        """Of a union of convex sets that meet in common faces, by its Euler characteristic."""
        parts = self.parts[class_]
        vertices = sorted({point for part in parts for point in part})
        edges = set()
        for part in parts:
            if len(part) < 2:
                continue
            for a, b in zip(part, part[1:] + part[:1], strict=True):
                (x, y), (u, v) = a, b
                within = [
                    (p, q)
                    for p, q in vertices
                    if (u - x) * (q - y) == (v - y) * (p - x)
                    and min(x, u) <= p <= max(x, u)
                    and min(y, v) <= q <= max(y, v)
                ]
                edges |= set(pairwise(sorted(within)))
        root = {vertex: vertex for vertex in vertices}

        def find(vertex: Point) -> Point:
            while root[vertex] != vertex:
                root[vertex] = root[root[vertex]]
                vertex = root[vertex]
            return vertex

        for a, b in [*edges, *(pair for part in parts for pair in pairwise(part))]:
            root[find(a)] = find(b)
        components = sum(root[vertex] == vertex for vertex in vertices)
        full = {tuple(sorted(part)) for part in parts if area(part) > 0}
        return components, components - (len(vertices) - len(edges) + len(full)), 0


def check(found: rt.Decision, complex_: rt.CellComplex) -> None:
    """What every decision satisfies."""
    refined = found.refined
    for k in range(2, refined.dim + 1):
        twice = refined.boundary(k - 1).astype(int) @ refined.boundary(k).astype(int)
        assert not (twice.data % 2).any()
    assert sum((-1) ** k * n for k, n in enumerate(refined.n_cells)) == 1
    n_beside = np.bincount(refined.facets[-1][1], minlength=refined.n_cells[-2])
    assert set(n_beside.tolist()) <= {1, 2}
    assert refined.volumes.sum() == pytest.approx(complex_.domain.volume, rel=1e-9)
    inside = np.bincount(found.region_of, weights=refined.volumes)
    np.testing.assert_allclose(inside, complex_.volumes, atol=1e-9 * complex_.domain.volume)
    for k, (greatest, origins) in enumerate(zip(refined.greatest, refined.origins, strict=True)):
        assert greatest.any(axis=1).all()
        assert (origins[:, 0] >= k).all()
        keys = np.concatenate([origins, greatest], axis=1)
        assert len(np.unique(keys, axis=0)) == len(keys)  # each convex set is one cell
        if k:  # on a face at least the outputs are greatest that are around it
            indptr, faces = refined.facets[k - 1]
            cells = np.repeat(np.arange(len(greatest)), np.diff(indptr))
            assert (refined.greatest[k - 1][faces] >= greatest[cells]).all()
            assert np.diff(indptr).min() >= k + (k == 1)
    np.testing.assert_array_equal(np.sort(np.unique(found.region_of)), range(complex_.n_regions))
    np.testing.assert_array_equal(found.classes, refined.greatest[-1].argmax(axis=1))


@examples(100)
@given(st.sampled_from(KINDS), st.integers(3, 10), st.integers(0, 10**6))
def test_areas_lengths_and_betti_numbers_are_those_of_clipping(
    kind: str, n_outputs: int, seed: int
) -> None:
    network = network_of(kind, (2, 4, 3, n_outputs), seed)
    complex_ = rt.decompose(network, rt.Box(-2, 2, dim=2), enumerator="exact")
    found, right = complex_.decision(), Clipped(network, 2)
    check(found, complex_)
    np.testing.assert_allclose(found.volumes, np.array(right.areas, dtype=float), atol=1e-9)
    assert found.refined.n_regions == right.n_cells
    assert found.crossed.sum() == right.n_crossed
    assert found.betti_numbers() == tuple(right.betti(i) for i in range(n_outputs))
    if kind in ("normal", "decades"):  # no walls within facets
        np.testing.assert_allclose(found.measures, right.lengths, atol=1e-7)
