"""Slow computations that share no code with the library.

`regions` cuts a polytope by the kinks of a perceptron, plane by plane, in fractions: a region is a
set of corners, each with the planes that hold there with equality. It needs no numbers of NumPy's,
no bounds and no incidences of lower faces; those are found afterwards, as sets of corners.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from math import factorial
from typing import Any

__all__ = ["Complex", "Region", "naive_reduction", "regions"]

Point = tuple[Fraction, ...]
Plane = tuple[Fraction, ...]
"""Coefficients, and the constant at the end."""
Face = frozenset[Point]


def at(plane: Plane, point: Point) -> Fraction:
    """Return the value of a plane at a point."""
    return sum((a * x for a, x in zip(plane, point, strict=False)), plane[-1])


@dataclass(frozen=True)
class Region:
    """A polytope on which a perceptron is affine.

    Attributes
    ----------
    pattern : tuple of bool
        Which neurons are on.
    corners : dict
        The planes, by number, that hold with equality at each corner.
    planes : tuple of planes
        Not negative on the region.
    outputs : tuple of planes
        The affine map there.
    """

    pattern: tuple[bool, ...]
    corners: dict[Point, frozenset[int]]
    planes: tuple[Plane, ...]
    outputs: tuple[Plane, ...]

    def holds(self, point: Point) -> bool:
        """Whether a point is in the region or on its border."""
        return all(at(plane, point) >= 0 for plane in self.planes)


def regions(
    weights: Sequence[Sequence[Sequence[float]]],
    biases: Sequence[Sequence[float]],
    sides: Sequence[Plane],
) -> Complex:
    """Cut {x : every side is not negative at x} by the kinks of a perceptron."""
    dim = len(sides[0]) - 1
    identity = [tuple(Fraction(int(i == j)) for j in range(dim + 1)) for i in range(dim)]
    found = [Region((), _corners(sides, dim), tuple(sides), tuple(identity))]
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        matrix = [[Fraction(x) for x in row] for row in w]
        shifts = [Fraction(x) for x in b]
        is_last = layer == len(weights) - 1
        deeper = []
        for region in found:
            values = [
                _combination(row, shift, region.outputs)
                for row, shift in zip(matrix, shifts, strict=True)
            ]
            pieces = [region]
            if not is_last:
                for value in values:
                    pieces = [part for piece in pieces for part in _cut(piece, value)]
            off = (Fraction(0),) * (dim + 1)
            for piece in pieces:
                own = piece.pattern[len(region.pattern) :]
                outputs = (
                    values
                    if is_last
                    else [value if on else off for value, on in zip(values, own, strict=True)]
                )
                deeper.append(Region(piece.pattern, piece.corners, piece.planes, tuple(outputs)))
        found = deeper
    return Complex(dim, found)


def _combination(row: Sequence[Fraction], shift: Fraction, planes: Sequence[Plane]) -> Plane:
    total = [Fraction(0)] * len(planes[0])
    for factor, plane in zip(row, planes, strict=True):
        if factor:
            total = [t + factor * a for t, a in zip(total, plane, strict=True)]
    total[-1] += shift
    return tuple(total)


def _corners(sides: Sequence[Plane], dim: int) -> dict[Point, frozenset[int]]:
    """Return the corners of a polytope: where sides meet, and all others hold."""
    corners = {}
    for chosen in combinations(sides, dim):
        point = _meeting(chosen)
        if point is not None and all(at(side, point) >= 0 for side in sides):
            corners[point] = frozenset(i for i, side in enumerate(sides) if at(side, point) == 0)
    return corners


def _meeting(planes: Sequence[Plane]) -> Point | None:
    """Solve for the point at which planes vanish, by elimination."""
    n = len(planes)
    rows = [[*plane[:-1], -plane[-1]] for plane in planes]
    for i in range(n):
        pivot = next((k for k in range(i, n) if rows[k][i]), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for k in range(n):
            if k != i and rows[k][i]:
                rows[k] = [x - rows[k][i] * y for x, y in zip(rows[k], rows[i], strict=True)]
    return tuple(row[-1] for row in rows)


def _cut(region: Region, value: Plane) -> list[Region]:
    heights = {corner: at(value, corner) for corner in region.corners}
    above = [c for c, h in heights.items() if h > 0]
    below = [c for c, h in heights.items() if h < 0]
    if not above or not below:
        pattern = (*region.pattern, bool(above))
        return [Region(pattern, region.corners, region.planes, region.outputs)]
    new = len(region.planes)
    on_plane = {c: region.corners[c] | {new} for c, h in heights.items() if h == 0}
    for a in above:
        for b in below:
            shared = region.corners[a] & region.corners[b]
            if any(shared <= region.corners[c] for c in region.corners if c not in (a, b)):
                continue  # no edge
            step = heights[a] / (heights[a] - heights[b])
            point = tuple(x + step * (y - x) for x, y in zip(a, b, strict=True))
            on_plane[point] = shared | {new}
    parts = []
    for on, kept in ((True, above), (False, below)):
        side = value if on else tuple(-x for x in value)
        corners = {c: region.corners[c] for c in kept} | on_plane
        parts.append(Region((*region.pattern, on), corners, (*region.planes, side), region.outputs))
    return parts


@dataclass(frozen=True)
class Complex:
    """All regions, and their faces."""

    dim: int
    regions: list[Region]

    @cached_property
    def faces(self) -> list[dict[Face, list[int]]]:
        """For each dimension the cells, as sets of corners, with the regions around them."""
        levels: list[dict[Face, list[int]]] = [{} for _ in range(self.dim + 1)]
        for i, region in enumerate(self.regions):
            layer = {frozenset(region.corners)}
            for k in range(self.dim, -1, -1):
                for face in layer:
                    levels[k].setdefault(face, []).append(i)
                layer = {facet for face in layer for facet in facets(face, region)}
        return levels

    @property
    def n_cells(self) -> tuple[int, ...]:
        """Number of cells of each dimension."""
        return tuple(map(len, self.faces))

    def volume(self, region: Region) -> Fraction:
        """Return the volume of a region."""
        total = Fraction(0)
        for first, *others in _simplices(frozenset(region.corners), region, self.dim):
            spans = [[x - y for x, y in zip(other, first, strict=True)] for other in others]
            total += abs(_determinant(spans))
        return total / factorial(self.dim)

    def around(self, point: Point) -> list[int]:
        """Return the regions that hold a point, on their border or inside."""
        return [i for i, region in enumerate(self.regions) if region.holds(point)]


def facets(face: Face, region: Region) -> list[Face]:
    """Return the largest proper faces of a face of a region."""
    planes = {plane for corner in face for plane in region.corners[corner]}
    cut = {frozenset(c for c in face if plane in region.corners[c]) for plane in planes} - {face}
    return [one for one in cut if one and not any(one < other for other in cut)]


def _simplices(face: Face, region: Region, k: int) -> Iterable[list[Point]]:
    apex = min(face)
    if k == 0:
        yield [apex]
        return
    for facet in facets(face, region):
        if apex not in facet:
            for simplex in _simplices(facet, region, k - 1):
                yield [apex, *simplex]


def _determinant(rows: list[list[Fraction]]) -> Fraction:
    if not rows:
        return Fraction(1)
    return sum(
        (
            (-1) ** j * x * _determinant([[*row[:j], *row[j + 1 :]] for row in rows[1:]])
            for j, x in enumerate(rows[0])
            if x
        ),
        Fraction(0),
    )


def naive_reduction(columns: Sequence[Iterable[int]]) -> tuple[list[tuple[int, int]], list[int]]:
    """Reduce a boundary matrix over Z/2 column by column; return pairs and essential columns."""
    by_low: dict[int, set[int]] = {}
    pairs = {}
    for j, rows in enumerate(columns):
        column = set(rows)
        while column and max(column) in by_low:
            column ^= by_low[max(column)]
        if column:
            by_low[max(column)] = column
            pairs[max(column)] = j
    touched = {*pairs, *pairs.values()}
    return sorted(pairs.items()), [j for j in range(len(columns)) if j not in touched]


def components(n: int, edges: Iterable[Sequence[Any]]) -> list[int]:
    """Return the component of each of n nodes, by its smallest node."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for u, v, *_ in edges:
        a, b = sorted((root(u), root(v)))
        parent[b] = a
    return [root(i) for i in range(n)]
