"""How fast the reducers are: ``pytest benchmarks/bench_reducers.py``.

Complexes of networks with one hidden layer, two in the plane and one in space, under a random
filtration. For each reducer the time from the arrays of a `BoundaryMatrix` to the arrays of pairs;
for PHAT also its reduction alone, after its matrix is loaded. All pairs are compared. And the
representatives of all classes, beside the reduction in the same run.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo import registry
from relutopo.geometry.domain import FacetLists
from relutopo.homology.boundary import boundary_matrix
from relutopo.interfaces import Reducer, Reduction

from . import peers
from .measuring import QUICK, record

pytest.importorskip("phat")

ROUNDS = 5
PHAT_ALGORITHMS = ("twist", "chunk")


@dataclass(frozen=True)
class Cells:
    """What a boundary matrix needs of a complex."""

    n_cells: tuple[int, ...]
    facets: tuple[FacetLists, ...]


def plane_cells(n_lines: int) -> Cells:
    """Random lines that cut a square: 520 give half a million cells, 1,680 five million."""
    rng = np.random.default_rng(0)
    network = (
        [rng.standard_normal((n_lines, 2)), np.ones((1, n_lines))],
        [rng.standard_normal(n_lines), [0]],
    )
    complex_ = rt.decompose(network, rt.Box(-12, 12, dim=2), enumerator="cpu")
    return Cells(complex_.n_cells, complex_.facets)


def space_cells(n_planes: int = 62) -> Cells:
    """Random planes in general position that cut a cube.

    Every cell has a vertex, and around the vertex where three planes meet the cells are the 27
    (inside the cube fewer) ways to choose a sign for each of the three. A cell is known by its
    signs, and here by a random number for each sign, added up.
    """
    rng = np.random.default_rng(0)
    normals = np.concatenate([np.eye(3), -np.eye(3), rng.standard_normal((n_planes, 3))])
    offsets = np.concatenate([np.full(6, 3.0), rng.standard_normal(n_planes)])
    triples = np.array(list(combinations(range(len(normals)), 3)))
    triples = triples[np.abs(np.linalg.det(normals[triples])) > 1e-9]
    points = np.linalg.solve(normals[triples], -offsets[triples][..., None])[..., 0]
    signs = np.sign(points @ normals.T + offsets).astype(np.int8)
    np.put_along_axis(signs, triples, 0, axis=1)
    inside = (signs[:, :6] >= 0).all(axis=1)
    triples, signs = triples[inside], signs[inside]
    code = rng.integers(0, 2**63, size=(3, len(normals)), dtype=np.uint64)
    base = sum(
        np.where(signs == s, code[s + 1], 0).sum(axis=1, dtype=np.uint64) for s in (-1, 0, 1)
    )

    def around(choice: tuple[int, ...]) -> Any:
        """Numbers of the cells at every vertex on the chosen sides of its three planes."""
        change = sum(
            code[s + 1, triples[:, i]] - code[1, triples[:, i]] for i, s in enumerate(choice)
        )
        return base + change

    def exists(choice: tuple[int, ...]) -> Any:
        return ~((triples < 6) & (np.array(choice) < 0)).any(axis=1)

    incidences: list[list[Any]] = [[], [], [], []]
    for choice in product((-1, 0, 1), repeat=3):
        k = 3 - choice.count(0)
        for i in np.flatnonzero(choice):
            facet = (*choice[:i], 0, *choice[i + 1 :])
            pairs = np.stack([around(choice), around(facet)], axis=1)
            incidences[k].append(pairs[exists(choice)])
    known = np.unique(base)
    counts, facets = [len(known)], []
    for k in (1, 2, 3):
        pairs = np.unique(np.concatenate(incidences[k]), axis=0)
        cells, sizes = np.unique(pairs[:, 0], return_counts=True)
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        facets.append((indptr, np.searchsorted(known, pairs[:, 1]).astype(np.int32)))
        known = cells
        counts.append(len(cells))
    assert sum((-1) ** k * n for k, n in enumerate(counts)) == 1
    return Cells(tuple(counts), tuple(facets))


def random_closure(cells: Cells) -> rt.Filtration:
    rng = np.random.default_rng(1)
    values = [rng.random(cells.n_cells[0])]
    for n, (indptr, facets) in zip(cells.n_cells[1:], cells.facets, strict=True):
        below = np.maximum.reduceat(values[-1][facets], indptr[:-1])
        values.append(np.maximum(rng.random(n), below))
    return rt.Filtration.from_values(cells, values, "random_closure", 1)


CASES = ["plane", "space"] if QUICK else ["plane", "space", "large plane"]


@dataclass(frozen=True)
class Filtered:
    """Cells in an order, and their boundary matrix."""

    name: str
    cells: Cells
    filtration: rt.Filtration
    boundary: rt.BoundaryMatrix


@pytest.fixture(scope="module", params=CASES)
def filtered(request: pytest.FixtureRequest) -> Filtered:
    n_lines = {"plane": 60 if QUICK else 520, "large plane": 1680}
    if request.param == "space":
        cells = space_cells(20 if QUICK else 62)
    else:
        cells = plane_cells(n_lines[request.param])
    order = random_closure(cells)
    return Filtered(request.param, cells, order, boundary_matrix(cells, order))


@pytest.fixture(scope="module")
def case(filtered: Filtered) -> tuple[str, rt.BoundaryMatrix]:
    return filtered.name, filtered.boundary


def rounds(name: str) -> int:
    return 2 if name == "large plane" else ROUNDS


def measure(
    benchmark: Any, name: str, boundary: rt.BoundaryMatrix, reducer: Reducer, label: str
) -> Reduction:
    result = record(
        benchmark,
        lambda: reducer.reduce(boundary),
        rounds=rounds(name),
        complex=name,
        n_cells=boundary.n_columns,
        n_entries=len(boundary.indices),
        reducer=label,
        timed="arrays to pairs",
    )
    benchmark.extra_info |= {"method": result.method, "n_pairs": len(result.pairs)}
    return result


def test_z2(benchmark: Any, case: tuple[str, rt.BoundaryMatrix]) -> None:
    name, boundary = case
    result = measure(benchmark, name, boundary, registry.create("reducer", "z2"), "z2")
    assert boundary.dimensions[result.essential].tolist() == [0]


@pytest.mark.parametrize("algorithm", PHAT_ALGORITHMS)
def test_phat(benchmark: Any, case: tuple[str, rt.BoundaryMatrix], algorithm: str) -> None:
    name, boundary = case
    reducer = registry.create("reducer", "phat", algorithm=algorithm)
    result = measure(benchmark, name, boundary, reducer, f"phat {algorithm}")
    expected = registry.create("reducer", "z2").reduce(boundary)
    np.testing.assert_array_equal(result.pairs, expected.pairs)
    np.testing.assert_array_equal(result.essential, expected.essential)
    benchmark.extra_info |= {"same_pairs": True}


@pytest.mark.parametrize("algorithm", PHAT_ALGORITHMS)
def test_phat_alone(benchmark: Any, case: tuple[str, rt.BoundaryMatrix], algorithm: str) -> None:
    """The reduction without its input and output, which PHAT has as files."""
    name, boundary = case
    reducer = registry.create("reducer", "phat", algorithm=algorithm)

    def load() -> tuple[tuple[Any], dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder:
            return (reducer.load(boundary, Path(folder)),), {}

    benchmark.pedantic(reducer.pair, setup=load, rounds=rounds(name))
    benchmark.extra_info |= {
        "complex": name,
        "n_cells": boundary.n_columns,
        "reducer": f"phat {algorithm}",
        "timed": "reduction alone",
    }


def test_cycles(benchmark: Any, filtered: Filtered) -> None:
    """The representatives of all classes, in turn with the reduction."""
    z2 = registry.create("reducer", "z2")
    reductions: list[float] = []
    found: list[rt.Cycles] = []

    def reduce() -> tuple[tuple[rt.Diagram], dict[str, Any]]:
        begin = time.perf_counter()
        reduction = z2.reduce(filtered.boundary)
        reductions.append(time.perf_counter() - begin)
        return (
            rt.Diagram.of(reduction, filtered.boundary, filtered.filtration, filtered.cells),
        ), {}

    def represent(diagram: rt.Diagram) -> None:
        found[:] = [diagram.representatives(dim) for dim in range(len(filtered.cells.n_cells))]

    represent(*reduce()[0])  # loads the kernels
    benchmark.pedantic(represent, setup=reduce, rounds=rounds(filtered.name))
    benchmark.extra_info |= {
        "complex": filtered.name,
        "n_cells": filtered.boundary.n_columns,
        "reducer": "cycles",
        "timed": "representatives of all classes",
        "n_cycles": sum(map(len, found)),
        "n_cells_of_cycles": sum(len(cycles.cells) for cycles in found),
        "times_reduction": benchmark.stats["min"] / min(reductions[1:]),
    }


def test_oineus(benchmark: Any, case: tuple[str, rt.BoundaryMatrix]) -> None:
    """oineus takes lists of lists; its own clock starts when it has them."""
    name, boundary = case
    if name == "large plane":
        pytest.skip("lists of lists of 5 million columns fill the memory")
    inputs = {"indptr": boundary.indptr, "indices": boundary.indices}
    answers: list[peers.Answer] = []
    benchmark.pedantic(lambda: answers.append(peers.run("oineus_reduction", inputs, timeout=200)))
    (answer,) = answers
    expected = registry.create("reducer", "z2").reduce(boundary)
    np.testing.assert_array_equal(answer.arrays["pairs"], expected.pairs)
    benchmark.extra_info |= {
        "complex": name,
        "n_cells": boundary.n_columns,
        "reducer": "oineus",
        "timed": "arrays to pairs",
        "same_pairs": True,
        **answer.facts,
    }
