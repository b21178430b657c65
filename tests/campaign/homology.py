"""Hostile filtrations and boundary matrices, against a naive reduction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf, nan
from typing import Any

import numpy as np

import relutopo as rt
from relutopo import registry
from relutopo.errors import InputError
from tests.campaign import oracles
from tests.campaign.cases import rounder, without_each
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator


@dataclass(frozen=True)
class MatrixCase:
    """The columns of a boundary matrix, as lists of rows, and the dimensions of the cells."""

    columns: list[list[int]]
    dimensions: list[int]

    def tags(self) -> dict[str, Any]:
        """Return the largest dimension."""
        return {"dim": max(self.dimensions, default=0)}

    def simpler(self) -> Iterator[MatrixCase]:
        """Yield it without the columns that no other needs, and without single rows."""
        needed = {row for column in self.columns for row in column}
        for j in reversed(range(len(self.columns))):
            if j not in needed:
                number = {i: i - (i > j) for i in range(len(self.columns))}
                columns = [
                    [number.get(r, r) for r in c] for i, c in enumerate(self.columns) if i != j
                ]
                dims = self.dimensions[:j] + self.dimensions[j + 1 :]
                yield MatrixCase(columns, dims)
        for j, column in enumerate(self.columns):
            for fewer in without_each(column):
                yield replace(self, columns=[*self.columns[:j], fewer, *self.columns[j + 1 :]])

    def matrix(self) -> rt.BoundaryMatrix:
        """Return it as the library takes it."""
        indptr = np.cumsum([0, *map(len, self.columns)])
        indices = np.array([row for column in self.columns for row in column], dtype=np.int64)
        return rt.BoundaryMatrix(indptr, indices, np.array(self.dimensions, dtype=np.int8))


@check("naive reduction")
def naive_reduction(case: MatrixCase, clock: Clock) -> None:
    """Pairs of both reducers."""
    matrix = case.matrix()
    right = oracles.naive_reduction(case.columns)
    clock.predict(1e-3 + 1e-4 * len(case.columns))
    for name in ("z2", "phat"):
        found = clock(registry.create("reducer", name).reduce, matrix)
        pairs = [tuple(pair) for pair in found.pairs.tolist()]
        assert (pairs, found.essential.tolist()) == right, f"other pairs by {name}"


@check("faults of matrices")
def faults_of_matrices(case: MatrixCase, clock: Clock) -> None:
    """A matrix is refused if it is none, and reduced if it is one."""
    dims = case.dimensions
    ordered = all(
        c == sorted(set(c)) and all(0 <= r < j and dims[r] == dims[j] - 1 for r in c)
        for j, c in enumerate(case.columns)
    )
    good = ordered and all(0 <= k <= 127 for k in dims)
    if good:
        for column in case.columns:
            total: set[int] = set()
            for row in column:
                total ^= set(case.columns[row])
            good = good and not total
    try:
        case.matrix()
    except InputError:
        assert not good, "a boundary matrix was refused"
        raise
    except OverflowError:  # of NumPy, before the library sees a dimension
        return
    assert good, "a matrix that is none was taken"
    naive_reduction(case, clock)


def simplices(rng: Rng) -> MatrixCase:
    """Return a random simplicial complex in a random order that has faces first."""
    n, top = int(rng.integers(1, 9)), int(rng.integers(0, 4))
    chosen: set[tuple[int, ...]] = {(v,) for v in range(n)}
    for k in range(2, top + 2):
        for simplex in combinations(range(n), k):
            if rng.random() < 0.6 and all(f in chosen for f in combinations(simplex, k - 1)):
                chosen.add(simplex)
    arrival: dict[tuple[int, ...], float] = {}
    levels = int(rng.choice([2, 5, 1000]))
    for simplex in sorted(chosen, key=len):
        faces = [f for f in combinations(simplex, len(simplex) - 1) if f]
        arrival[simplex] = max([float(rng.integers(levels)), *(arrival[f] for f in faces)])
    order = sorted(chosen, key=lambda s: (arrival[s], len(s), rng.random()))
    number = {simplex: j for j, simplex in enumerate(order)}
    columns = [sorted(number[f] for f in combinations(s, len(s) - 1) if f) for s in order]
    return MatrixCase(columns, [len(s) - 1 for s in order])


@kind("random simplicial complexes", "homology", checks=("naive reduction",))
def random_complexes(rng: Rng) -> MatrixCase:
    return simplices(rng)


@kind("cell complexes with few faces", "homology", checks=("naive reduction",))
def few_faces(rng: Rng) -> MatrixCase:
    """Cells whose boundary is empty, or is any cycle: spheres, projective planes, nothing."""
    columns: list[list[int]] = []
    dims: list[int] = []
    for j in range(int(rng.integers(0, 14))):
        k = int(rng.integers(0, 4))
        below = [i for i in range(j) if dims[i] == k - 1]
        cycle: set[int] = set()
        if below:
            # The cycles among them: those that a naive elimination leaves as zero.
            kept: dict[int, tuple[set[int], set[int]]] = {}
            for i in below:
                column, combined = set(columns[i]), {i}
                while column and max(column) in kept:
                    other, parts = kept[max(column)]
                    column, combined = column ^ other, combined ^ parts
                if column:
                    kept[max(column)] = column, combined
                elif rng.random() < 0.5:
                    cycle ^= combined
        columns.append(sorted(cycle))
        dims.append(k)
    return MatrixCase(columns, dims)


@kind("matrices that are none", "homology", checks=("faults of matrices",), refusals=(InputError,))
def no_matrices(rng: Rng) -> MatrixCase:
    made = simplices(rng)
    columns, dims = [list(c) for c in made.columns], list(made.dimensions)
    j = int(rng.integers(len(columns)))
    fault = rng.integers(6)
    if fault == 0:
        columns[j].append(int(rng.integers(-2, len(columns) + 2)))
    elif fault == 1 and columns[j]:
        columns[j].append(columns[j][-1])
    elif fault == 2 and columns[j]:
        columns[j].reverse()
    elif fault == 3 and columns[j]:
        columns[j].pop()
    elif fault == 4:
        dims[j] = int(rng.choice([0, 1, 2, 127, 128, -1]))
    return MatrixCase(columns, dims)


@dataclass(frozen=True)
class FiltrationCase:
    """Values for the cells of a complex of lines in a square.

    Attributes
    ----------
    lines : list of (a, b, c)
        The complex: the square [-1, 1]², cut where a x + b y + c = 0.
    values : list of lists
        For each dimension.
    strict : bool
        Whether the values of cells are raised to those of their faces.
    """

    lines: list[list[float]]
    values: list[list[float]]
    strict: bool

    def tags(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def simpler(self) -> Iterator[FiltrationCase]:
        """Yield rounder values."""
        for values in rounder(self.values):
            yield replace(self, values=values)

    def complex(self) -> rt.CellComplex:
        """Return the complex."""
        rows = np.array(self.lines)
        network = ([rows[:, :2], np.ones((1, len(rows)))], [rows[:, 2], np.zeros(1)])
        return rt.decompose(network, rt.Box(-1, 1, dim=2))


@check("filtrations by value")
def filtrations(case: FiltrationCase, clock: Clock) -> None:
    """Order, diagrams, curves and total persistence, each computed anew."""
    complex_ = case.complex()
    values = [
        np.resize(np.array(v, dtype=float), n)
        for v, n in zip(case.values, complex_.n_cells, strict=True)
    ]
    if case.strict:
        for k in (1, 2):
            indptr, facets = complex_.facets[k - 1]
            below = np.maximum.reduceat(values[k - 1][facets], indptr[:-1])
            values[k] = np.maximum(values[k], below)
    good = not any(np.isnan(v).any() for v in values)
    for k in (1, 2):
        indptr, facets = complex_.facets[k - 1]
        owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        good = good and bool(np.all(values[k - 1][facets] <= values[k][owner]))
    try:
        filtration = clock(rt.Filtration.from_values, complex_, values)
    except InputError:
        assert not good, "a filtration was refused"
        raise
    assert good, "values that are no filtration were taken"
    cells = [(v, k, i) for k, level in enumerate(values) for i, v in enumerate(level.tolist())]
    order = sorted(range(len(cells)), key=lambda c: (cells[c][0], cells[c][1], cells[c][2]))
    assert filtration.order.tolist() == order, "ties by dimension, then by index"
    position = {c: i for i, c in enumerate(order)}
    starts = np.cumsum([0, *complex_.n_cells])
    columns: list[list[int]] = []
    for c in order:
        _, k, i = cells[c]
        columns.append([])
        if k:
            indptr, facets = complex_.facets[k - 1]
            own = facets[indptr[i] : indptr[i + 1]].tolist()
            columns[-1] = sorted(position[int(starts[k - 1]) + f] for f in own)
    pairs, essential = oracles.naive_reduction(columns)
    diagram = clock(rt.persistence, complex_, filtration, reducer=("z2", "phat")[len(order) % 2])
    entered = [cells[c][0] for c in order]
    for k in range(3):
        mine = [(b, d) for b, d in pairs if cells[order[b]][1] == k]
        found = diagram.pairs(k).tolist()
        assert found == [[entered[b], entered[d]] for b, d in mine], f"pairs of dimension {k}"
        never = [entered[b] for b in essential if cells[order[b]][1] == k]
        assert diagram.essential(k).tolist() == never, f"essential classes of dimension {k}"
        curve = diagram.betti_curve(k)
        for at in {-inf, inf, 0.0, *entered[::3]}:
            alive = sum(entered[b] <= at < entered[d] for b, d in mine)
            alive += sum(b <= at for b in never)
            assert curve(at) == alive, f"Betti number {k} at {at}"
        curve.peak()
        total = diagram.total_persistence(k)
        lengths = [entered[d] - entered[b] for b, d in mine if entered[d] != entered[b]]
        expected = float(sum(lengths))
        assert (
            total == expected
            or abs(total - expected) <= 1e-9 * abs(expected)
            or (np.isinf(expected) and total == expected)
        ), f"total persistence {total}, not {expected}"


def lines(rng: Rng) -> list[list[float]]:
    """Return lines with small integers, some of them through one point."""
    rows = rng.integers(-2, 3, (int(rng.integers(1, 6)), 3)) / 2
    rows[~rows[:, :2].any(axis=1), 0] = 1.0
    return [[float(x) for x in row] for row in rows]


SPECIAL = [0.0, -0.0, 1.0, 1.0, 2.0, -1.0, 5e-324, np.nextafter(1.0, 2), inf, -inf, 1e308, -1e308]


@kind("filtrations with ties, infinities and -0.0", "homology", checks=("filtrations by value",))
def tied_filtrations(rng: Rng) -> FiltrationCase:
    sizes = rng.integers(1, 9, 3)
    chosen = [[float(x) for x in rng.choice(SPECIAL, n)] for n in sizes]
    return FiltrationCase(lines(rng), chosen, True)


@kind(
    "filtrations that are none",
    "homology",
    checks=("filtrations by value",),
    refusals=(InputError,),
)
def no_filtrations(rng: Rng) -> FiltrationCase:
    sizes = rng.integers(1, 5, 3)
    special = [*SPECIAL, nan]
    chosen = [[float(x) for x in rng.choice(special, n)] for n in sizes]
    return FiltrationCase(lines(rng), chosen, bool(rng.random() < 0.3))
