"""Hostile weighted graphs, and their Fiedler pairs against dense and exact computations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import cos, pi
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

import relutopo as rt
from relutopo.errors import (
    DisconnectedGraphError,
    NoFiedlerVectorError,
    NotConvergedError,
    WeightsError,
)
from relutopo.spectral.weights import EdgeWeights, VertexWeights
from tests.campaign import oracles
from tests.campaign.cases import rounder
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator
VALUE = 1e-6
"""How far an eigenvalue may be off, relatively."""
ESTIMATE = 0.15
"""How much larger a gap may be that is not said to be proved."""


@dataclass(frozen=True)
class GraphCase:
    """A weighted graph.

    Attributes
    ----------
    n : int
        Nodes.
    edges : list of (u, v, weight)
        With u < v.
    vertex_weights : list of float
        One for each node, or none for ones.
    value : float, optional
        The Fiedler value in closed form.
    """

    n: int
    edges: list[tuple[int, int, float]]
    vertex_weights: list[float]
    value: float | None = None

    def tags(self) -> dict[str, Any]:
        """Return the order of magnitude of the number of nodes."""
        return {"nodes": 10 ** len(str(self.n - 1)) if self.n > 1 else 1}

    def graph(self) -> rt.DualGraph:
        """Return the graph."""
        ends = np.array(sorted((u, v) for u, v, _ in self.edges), dtype=np.int32).reshape(-1, 2)
        return rt.DualGraph(self.n, ends, np.full(len(ends), -1), "hamming")

    def weights(self) -> tuple[VertexWeights, EdgeWeights]:
        """Return strategies that give these weights."""
        return OwnVertices(self.vertex_weights), OwnEdges([w for *_, w in sorted(self.edges)])

    def simpler(self) -> Iterator[GraphCase]:
        """Yield the graph without a node, without an edge, and with rounder weights."""
        if self.value is not None:
            return
        for start in (*range(0, self.n, max(1, self.n // 2)), *range(self.n if self.n < 80 else 0)):
            size = max(1, self.n // 2) if start == 0 else 1
            gone = set(range(start, min(start + size, self.n)))
            if len(gone) < self.n:
                yield self._only([i for i in range(self.n) if i not in gone])
        for i in range(len(self.edges) if len(self.edges) < 200 else 0):
            yield replace(self, edges=self.edges[:i] + self.edges[i + 1 :])
        for weights in rounder([w for *_, w in self.edges]):
            pairs = zip(self.edges, weights, strict=True)
            yield replace(self, edges=[(u, v, w) for (u, v, _), w in pairs])
        if self.vertex_weights:
            yield replace(self, vertex_weights=[])

    def _only(self, nodes: list[int]) -> GraphCase:
        number = {node: i for i, node in enumerate(nodes)}
        edges = [(number[u], number[v], w) for u, v, w in self.edges if {u, v} <= set(number)]
        weights = [self.vertex_weights[i] for i in nodes] if self.vertex_weights else []
        return replace(self, n=len(nodes), edges=edges, vertex_weights=weights)


@dataclass(frozen=True)
class OwnVertices(VertexWeights):
    """Weights that are given."""

    given: list[float]
    needs_points = False

    def __call__(self, graph: rt.DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return them, or ones."""
        return np.array(self.given) if self.given else np.ones(graph.n_nodes)


@dataclass(frozen=True)
class OwnEdges(EdgeWeights):
    """Weights that are given."""

    given: list[float]

    def __call__(self, graph: rt.DualGraph) -> NDArray[np.float64]:
        """Return them."""
        return np.array(self.given, dtype=float)


@dataclass(frozen=True)
class Reference:
    """The lowest non-zero eigenvalues, and the vector of the first with unit length."""

    values: list[float]
    vector: NDArray[np.float64]


def dense(case: GraphCase) -> Reference:
    """Return what LAPACK says of the symmetric matrix W^(-1/2) L W^(-1/2)."""
    matrix = np.zeros((case.n, case.n))
    for u, v, w in case.edges:
        matrix[u, u] += w
        matrix[v, v] += w
        matrix[u, v] = matrix[v, u] = -w
    root = 1 / np.sqrt(np.array(case.vertex_weights or [1.0] * case.n))
    values, vectors = np.linalg.eigh(root[:, None] * matrix * root)
    return Reference(values[1:3].tolist(), vectors[:, 1])


def precise(case: GraphCase) -> Reference:
    """Return the same from numbers of 80 digits."""
    with mpmath.workdps(80):
        weights = [mpmath.mpf(w) for w in case.vertex_weights or [1.0] * case.n]
        matrix = mpmath.zeros(case.n)
        for u, v, edge in case.edges:
            w = mpmath.mpf(edge)
            matrix[u, u] += w / weights[u]
            matrix[v, v] += w / weights[v]
            matrix[u, v] = matrix[v, u] = -w / mpmath.sqrt(weights[u] * weights[v])
        values, vectors = mpmath.eigsy(matrix)
        order = sorted(range(case.n), key=lambda i: values[i])
        vector = np.array([float(vectors[i, order[1]]) for i in range(case.n)])
        return Reference([float(values[i]) for i in order[1:3]], vector)


def compare(case: GraphCase, clock: Clock, solver: str, find: Any) -> None:
    """Compare value, and sides where the gap says that they are determined."""
    vertices, edges = case.weights()
    graph = case.graph()
    clock.predict(0.02 + 1e-4 * (case.n + len(case.edges)))
    part = clock(
        rt.fiedler_partition,
        graph,
        vertex_weights=vertices,
        edge_weights=edges,
        eigensolver=solver,
    )
    if case.value is not None:
        off = abs(part.value - case.value)
        assert off <= VALUE * case.value, f"{part.value}, {case.value} in closed form"
        return
    reference: Reference = find(case)
    first, *others = reference.values
    off = VALUE + _rounding(case) / first
    assert abs(part.value - first) <= off * first, f"{part.value}, {first} is right"
    if not others:
        return
    gap = others[0] / first - 1
    more = off if part.is_gap_proved else ESTIMATE
    assert part.gap <= gap * (1 + more) + off, f"gap {part.gap}, {gap} is right"
    if part.multiplicity > 1 or gap < 1e-6:
        return  # the vector is one of many, or the reference is not better
    # Values many decades apart hide one another in double precision, and the gap is a bound.
    assert part.gap >= 0.85 * min(gap, 1e9), f"gap {part.gap}, {gap} is right"
    scaled = part.vector * np.sqrt(part.vertex_weights)
    right = reference.vector * np.sign(reference.vector @ scaled)
    wrong = (part.sides * np.sign(right) < 0) & (np.abs(right) > 1e-12 / min(1.0, gap))
    assert not wrong.any(), f"node {np.argmax(wrong)} is on the other side"


def _rounding(case: GraphCase) -> float:
    """Return how far the Rayleigh quotient of a vector may be off whose entries are rounded."""
    edges = sum(w for *_, w in case.edges)
    return case.n * float(np.finfo(float).eps) ** 2 * edges / min(case.vertex_weights or [1.0])


for _solver in ("auto", "arpack", "amg_lobpcg"):

    @check(f"dense solver, {_solver}")
    def against_dense(case: GraphCase, clock: Clock, solver: str = _solver) -> None:
        """Against LAPACK."""
        compare(case, clock, solver, dense)

    @check(f"80 digits, {_solver}")
    def against_precise(case: GraphCase, clock: Clock, solver: str = _solver) -> None:
        """Against 80 digits."""
        compare(case, clock, solver, precise)


@check("components")
def components(case: GraphCase, clock: Clock) -> None:
    """Components of a graph, and the partition of the largest one."""
    graph, labels = case.graph(), oracles.components(case.n, case.edges)
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    assert graph.component_labels.tolist() == [numbers[label] for label in labels]
    sizes = [labels.count(label) for label in numbers]
    assert graph.component_sizes.tolist() == sizes
    vertices, edges = case.weights()
    largest = [label == max(numbers, key=labels.count) for label in labels]
    if len(numbers) > 1:
        try:
            rt.fiedler_partition(graph, vertex_weights=vertices, edge_weights=edges)
        except (DisconnectedGraphError, NoFiedlerVectorError):
            pass
        else:
            raise AssertionError("a disconnected graph has no Fiedler partition")
    part = clock(
        rt.fiedler_partition,
        graph,
        vertex_weights=vertices,
        edge_weights=edges,
        component="largest",
    )
    assert part.component.tolist() == largest
    value = dense(case._only([i for i, one in enumerate(largest) if one])).values[0]
    assert abs(part.value - value) <= VALUE * value, f"{part.value}, {value} is right"


DENSE = tuple(f"dense solver, {solver}" for solver in ("auto", "arpack", "amg_lobpcg"))
PRECISE = tuple(f"80 digits, {solver}" for solver in ("auto", "arpack", "amg_lobpcg"))
REFUSALS = (NotConvergedError,)


def graph_of(
    rng: Rng, n: int, pairs: Sequence[tuple[int, int]], decades: float = 0.0, mass: float = 0.0
) -> GraphCase:
    """Return a graph with weights over some decades, and nodes in random order."""
    order = rng.permutation(n).tolist()
    distinct = sorted({tuple(sorted((order[u], order[v]))) for u, v in pairs if u != v})
    weights = 10.0 ** (decades * rng.uniform(-0.5, 0.5, len(distinct)))
    edges = [(u, v, float(w)) for (u, v), w in zip(distinct, weights, strict=True)]
    vertices = (10.0 ** (mass * rng.uniform(-0.5, 0.5, n))).tolist() if mass else []
    return GraphCase(n, edges, vertices)


def tree(rng: Rng, n: int) -> list[tuple[int, int]]:
    """Return the edges of a random tree."""
    return [(int(rng.integers(i)), i) for i in range(1, n)]


def some_n(rng: Rng) -> int:
    """Return a number of nodes, small or beyond what is solved densely."""
    return int(rng.integers(2, 64) if rng.random() < 0.5 else rng.integers(64, 200))


@kind("random graphs", "graphs", checks=DENSE, refusals=REFUSALS)
def random_graphs(rng: Rng) -> GraphCase:
    n = some_n(rng)
    more = rng.integers(0, n, (int(rng.integers(0, 3 * n)), 2)).tolist()
    mass = float(rng.choice([0, 2]))
    return graph_of(rng, n, [*tree(rng, n), *map(tuple, more)], decades=1.0, mass=mass)


@kind("trees", "graphs", checks=DENSE, refusals=REFUSALS)
def trees(rng: Rng) -> GraphCase:
    n = some_n(rng)
    return graph_of(rng, n, tree(rng, n), decades=float(rng.choice([0, 2])))


@kind("weights over 24 decades", "graphs", checks=PRECISE, refusals=REFUSALS)
def many_decades(rng: Rng) -> GraphCase:
    n = int(rng.integers(2, 14))
    more = rng.integers(0, n, (int(rng.integers(0, n)), 2)).tolist()
    mass = float(rng.choice([0, 6]))
    return graph_of(rng, n, [*tree(rng, n), *map(tuple, more)], decades=24.0, mass=mass)


@kind("cliques with weak bridges", "graphs", checks=PRECISE, refusals=REFUSALS)
def bridges(rng: Rng) -> GraphCase:
    a, b = int(rng.integers(2, 8)), int(rng.integers(2, 8))
    edges = [(u, v, 1.0) for u, v in combinations(range(a), 2)]
    edges += [(a + u, a + v, 1.0) for u, v in combinations(range(b), 2)]
    weak = 10.0 ** -int(rng.integers(0, 25))
    edges.append((int(rng.integers(a)), a + int(rng.integers(b)), weak))
    return GraphCase(a + b, edges, [])


@kind("larger graphs with weak bridges", "graphs", checks=DENSE, refusals=REFUSALS)
def larger_bridges(rng: Rng) -> GraphCase:
    a, b = int(rng.integers(2, 90)), int(rng.integers(2, 90))
    pairs = [*tree(rng, a), *((a + u, a + v) for u, v in tree(rng, b))]
    pairs += [tuple(pair) for pair in rng.integers(0, a, (a, 2)).tolist()]
    made = graph_of(rng, a + b, pairs)
    ends = sorted(rng.choice(a + b, 2, replace=False).tolist())
    linked = oracles.components(a + b, made.edges)
    one, other = (linked.index(label) for label in sorted(set(linked))[:2])
    bridge = (min(one, other), max(one, other), 10.0 ** -int(rng.integers(0, 6)))
    assert ends
    return replace(made, edges=sorted([*made.edges, bridge]))


def relabelled(rng: Rng, case: GraphCase) -> GraphCase:
    """Return the graph with its nodes in another order."""
    order = rng.permutation(case.n).tolist()
    edges = sorted((*sorted((order[u], order[v])), w) for u, v, w in case.edges)
    return replace(case, edges=[(int(u), int(v), w) for u, v, w in edges])


@kind("graphs in closed form", "graphs", checks=DENSE, refusals=REFUSALS)
def closed_forms(rng: Rng) -> GraphCase:
    """Paths, cycles, stars, complete graphs, hypercubes and grids, up to some thousand nodes."""
    choice, n = rng.integers(6), int(2 + 10 ** rng.uniform(0, 3.3))
    if choice == 0:
        edges, value = [(i, i + 1, 1.0) for i in range(n - 1)], 2 - 2 * cos(pi / n)
    elif choice == 1:
        n += 1
        edges = [(i, i + 1, 1.0) for i in range(n - 1)] + [(0, n - 1, 1.0)]
        value = 2 - 2 * cos(2 * pi / n)
    elif choice == 2:
        n += 1
        edges, value = [(0, i, 1.0) for i in range(1, n)], 1.0
    elif choice == 3:
        n = min(n, 90)
        edges, value = [(u, v, 1.0) for u, v in combinations(range(n), 2)], float(n)
    elif choice == 4:
        d = int(rng.integers(1, 10))
        n = 2**d
        edges = [(u, u | 1 << i, 1.0) for u in range(n) for i in range(d) if not u >> i & 1]
        value = 2.0
    else:
        a, b = (int(x) for x in rng.integers(2, 30, 2))
        n = a * b
        edges = [(i, i + 1, 1.0) for i in range(n) if (i + 1) % b]
        edges += [(i, i + b, 1.0) for i in range(n - b)]
        value = 2 - 2 * cos(pi / max(a, b))
    return relabelled(rng, GraphCase(n, edges, [], value))


@kind("long paths", "graphs", checks=DENSE, refusals=REFUSALS, limit=120.0, in_the_gate=1)
def long_paths(rng: Rng) -> GraphCase:
    n = int(10 ** rng.uniform(3, 4.5))
    return GraphCase(n, [(i, i + 1, 1.0) for i in range(n - 1)], [], 4 * np.sin(pi / n / 2) ** 2)


@kind("large stars", "graphs", checks=DENSE, refusals=REFUSALS, limit=120.0, in_the_gate=1)
def large_stars(rng: Rng) -> GraphCase:
    n = int(10 ** rng.uniform(3, 4))
    return GraphCase(n, [(0, i, 1.0) for i in range(1, n)], [], 1.0)


@kind("disconnected graphs", "graphs", checks=("components",), refusals=(NoFiedlerVectorError,))
def disconnected(rng: Rng) -> GraphCase:
    parts = [int(x) for x in rng.integers(1, 40, int(rng.integers(1, 6)))]
    pairs, start = [], 0
    for n in parts:
        pairs += [(start + u, start + v) for u, v in tree(rng, n)]
        start += n
    return graph_of(rng, start, pairs)


@kind(
    "weights that are none",
    "graphs",
    checks=DENSE,
    refusals=(WeightsError, DisconnectedGraphError, NotConvergedError, NoFiedlerVectorError),
)
def no_weights(rng: Rng) -> GraphCase:
    """Zero, negative, infinite or missing, or at the ends of the floats."""
    n = int(rng.integers(1, 12))
    made = graph_of(rng, n, tree(rng, n))
    bad = float(rng.choice([0.0, -1.0, np.inf, -np.inf, np.nan]))
    if rng.random() < 0.5 and made.edges:
        u, v, _ = made.edges[0]
        return replace(made, edges=[(u, v, bad), *made.edges[1:]])
    return replace(made, vertex_weights=[bad, *[1.0] * (n - 1)])
