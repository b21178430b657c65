"""Representatives are cycles that are born and die with their classes, by textbook reduction."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

import relutopo as rt
from properties import examples
from relutopo.errors import BackendError, InputError
from relutopo.geometry.cells import CellLists
from relutopo.geometry.domain import FacetLists
from relutopo.homology.cycles import edge_lengths
from surfaces import PROJECTIVE_PLANE, grid_surface

SEEDS = st.integers(0, 2**32 - 1)


@dataclass(frozen=True)
class Lists:
    """Cells with facets, and nothing else."""

    n_cells: tuple[int, ...]
    facets: tuple[FacetLists, ...]


class Textbook:
    """Columns as bit masks, reduced from left to right, with the chains that they come from."""

    def __init__(self, boundary: rt.BoundaryMatrix) -> None:
        self.columns = [
            sum(1 << int(row) for row in boundary.indices[begin:end])
            for begin, end in pairwise(boundary.indptr.tolist())
        ]
        self.reduced: dict[int, tuple[int, int]] = {}
        """By pivot: when, and the column."""
        self.cycles: dict[int, int] = {}
        """By birth: a cycle."""
        self.deaths: dict[int, int] = {}
        chains: dict[int, int] = {}
        for j, column in enumerate(self.columns):
            chain = 1 << j
            while column and (pivot := column.bit_length() - 1) in self.reduced:
                column ^= self.reduced[pivot][1]
                chain ^= chains[pivot]
            if column:
                pivot = column.bit_length() - 1
                self.reduced[pivot], chains[pivot] = (j, column), chain
                self.deaths[pivot] = j
                self.cycles[pivot] = column
            else:
                self.cycles[j] = chain

    def boundary_of(self, chain: int) -> int:
        found = 0
        for j, column in enumerate(self.columns):
            if chain >> j & 1:
                found ^= column
        return found

    def rest(self, cycle: int, until: int) -> int:
        """What is left of a cycle, reduced by the boundaries of the cells up to one."""
        left, at = cycle, cycle.bit_length() - 1
        while at >= 0:
            if left >> at & 1 and at in self.reduced and self.reduced[at][0] <= until:
                left ^= self.reduced[at][1]
            at -= 1
        return left


def rank(vectors: Sequence[int]) -> int:
    pivots: dict[int, int] = {}
    for vector in vectors:
        while vector and vector.bit_length() in pivots:
            vector ^= pivots[vector.bit_length()]
        if vector:
            pivots[vector.bit_length()] = vector
    return len(pivots)


def check_all(complex_: CellLists, filtration: rt.Filtration, rng: np.random.Generator) -> None:
    """Compare the representatives of every class with textbook reduction."""
    diagram = rt.persistence(complex_, filtration)
    boundary = rt.boundary_matrix(complex_, filtration)
    book = Textbook(boundary)
    starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
    n = boundary.n_columns
    times = sorted({n - 1, *rng.integers(0, n, size=3).tolist()}) if n else []
    for dim in range(len(complex_.n_cells)):
        cycles = diagram.representatives(dim)
        births = [*diagram.pairs(dim, "index")[:, 0], *diagram.essential(dim, "index")]
        assert cycles.pairs[:, 0].tolist() == births
        chains = []
        for cycle in cycles:
            birth, death = cycle.pair
            assert (np.diff(cycle.cells) > 0).all()
            places = filtration.positions[starts[dim] + cycle.cells]
            assert (boundary.dimensions[places] == dim).all()
            chain = sum(1 << int(place) for place in places)
            chains.append(chain)
            assert book.boundary_of(chain) == 0
            assert places.max() == birth  # so that it is there, whole, when the class is born
            assert book.deaths.get(birth, -1) == death
            assert book.rest(chain, n if death < 0 else death - 1) != 0
            assert death < 0 or book.rest(chain, death) == 0
            assert cycle.death == (np.inf if death < 0 else diagram.values[death])
            assert cycle.birth == diagram.values[birth]
        for time in times:  # they are a basis wherever they are alive, of what the textbook's span
            alive = [
                (chain, book.cycles[birth])
                for chain, (birth, death) in zip(chains, cycles.pairs.tolist(), strict=True)
                if birth <= time and (death < 0 or death > time)
            ]
            ours = [book.rest(chain, time) for chain, _ in alive]
            theirs = [book.rest(chain, time) for _, chain in alive]
            assert rank(ours) == rank(theirs) == rank(ours + theirs) == len(alive)


def check_basis(complex_: CellLists) -> tuple[int, ...]:
    """Check that cycles are independent of each other and of boundaries; return how many."""
    n = sum(complex_.n_cells)
    order = rt.Filtration(complex_.n_cells, np.arange(n), np.zeros(n))
    book = Textbook(rt.boundary_matrix(complex_, order))
    starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
    counts = []
    for dim, betti in enumerate(rt.betti_numbers(complex_)):
        cycles = rt.homology_basis(complex_, dim)
        chains = [sum(1 << int(starts[dim] + cell) for cell in cycle.cells) for cycle in cycles]
        assert not any(book.boundary_of(chain) for chain in chains)
        assert rank([book.rest(chain, n) for chain in chains]) == len(chains) == betti
        counts.append(betti)
        if dim == 1 and betti:
            # No longer than loops that are shortest of their edges and shorter ones.
            lengths = edge_lengths(complex_)
            edges = slice(starts[1], starts[2])
            by_length = np.arange(n)
            if lengths is not None:
                by_length[edges] = starts[1] + np.argsort(lengths, kind="stable")
            first = rt.Filtration(complex_.n_cells, by_length, np.zeros(n))
            others = rt.persistence(complex_, first).representatives(1, least=np.inf)
            sizes, bounds = (
                np.diff(found.indptr) if lengths is None else found.measures
                for found in (cycles, others)
            )
            assert (np.diff(sizes) >= -1e-9).all()
            assert sizes.sum() <= bounds.sum() + 1e-9
    return tuple(counts)


def network_complex(rng: np.random.Generator, widths: Sequence[int]) -> rt.CellComplex:
    """A random network, with small integer weights for half of the seeds."""
    small = rng.random() < 0.5

    def draw(*shape: int) -> NDArray[np.float64]:
        if small:
            return rng.integers(-1, 2, size=shape).astype(np.float64)
        return rng.standard_normal(shape)

    weights = [draw(m, n) for n, m in pairwise(widths)]
    biases = [0.5 * draw(m) for m in widths[1:]]
    kind = "cpu" if widths[0] == 2 else "exact"
    return rt.decompose((weights, biases), rt.Box(-1.5, 1.5, dim=widths[0]), enumerator=kind)


def raised(cells: CellLists, rng: np.random.Generator, levels: int) -> rt.Filtration:
    """Few values, so that many are equal, each raised to those of faces."""
    values = [rng.integers(0, levels, size=cells.n_cells[0]).astype(np.float64)]
    for n, (indptr, facets) in zip(cells.n_cells[1:], cells.facets, strict=True):
        own = rng.integers(0, levels, size=n).astype(np.float64)
        np.maximum.at(own, np.repeat(np.arange(n), np.diff(indptr)), values[-1][facets])
        values.append(own)
    return rt.Filtration.from_values(cells, values)


@examples(180)
@given(
    SEEDS,
    st.sampled_from(["random_closure", "dimension_major", "random_extension", "output", "margin",
                     "abs_output", "layer_depth"]),
    st.sampled_from([(1, 6, 1), (2, 4, 1), (2, 3, 3, 1), (2, 3, 2, 2), (3, 3, 1), (3, 2, 2, 1)]),
)  # fmt: skip
def test_complexes_of_networks(seed: int, order: str, widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    complex_ = network_complex(rng, widths)
    check_all(complex_, rt.filtration(complex_, order, seed=seed), rng)


@examples(60)
@given(SEEDS, st.sampled_from([(2, 4, 3), (2, 3, 3, 1), (2, 4, 1), (3, 2, 3), (3, 2, 2, 1)]))
def test_decision_boundaries_and_regions_of_classes(seed: int, widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    complex_ = network_complex(rng, widths)
    decision = complex_.decision()
    parts: list[CellLists] = [rt.decision_boundary(complex_), decision.boundary]
    parts += [decision.region(class_) for class_ in range(decision.n_classes)]
    for part in parts:
        check_all(part, raised(part, rng, 20), rng)
        check_basis(part)


def simplicial(tops: Sequence[Sequence[int]]) -> Lists:
    """All faces of simplices."""
    faces = {
        face
        for top in tops
        for size in range(1, len(top) + 1)
        for face in combinations(sorted(top), size)
    }
    by_dim = [sorted(f for f in faces if len(f) == k + 1) for k in range(max(map(len, faces)))]
    facets = []
    for k in range(1, len(by_dim)):
        number = {face: i for i, face in enumerate(by_dim[k - 1])}
        rows = [number[f] for face in by_dim[k] for f in combinations(face, k)]
        facets.append((np.arange(len(by_dim[k]) + 1) * (k + 1), np.array(rows, dtype=np.int32)))
    return Lists(tuple(map(len, by_dim)), tuple(facets))


SPACES: dict[str, tuple[Sequence[Sequence[int]], tuple[int, ...]]] = {
    "torus": (grid_surface(is_twisted=False), (1, 2, 1)),
    "klein_bottle": (grid_surface(is_twisted=True), (1, 2, 1)),
    "projective_plane": (PROJECTIVE_PLANE, (1, 1, 1)),
    "three_sphere": (list(combinations(range(5), 4)), (1, 0, 0, 1)),
    "two_spheres": ([*combinations(range(4), 3), *combinations(range(4, 8), 3)], (2, 0, 2)),
    "three_triangles_at_an_edge": ([[0, 1, 2], [0, 1, 3], [0, 1, 4]], (1, 0, 0)),
    "graph_with_a_triangle": ([[0, 1], [1, 2], [2, 3], [0, 3], [3, 4, 5]], (1, 1, 0)),
    "points": ([[0], [1], [2]], (3,)),
}


@examples(40)
@given(SEEDS, st.sampled_from(sorted(SPACES)), st.sampled_from([3, 1000]))
def test_known_spaces(seed: int, name: str, levels: int) -> None:
    tops, betti = SPACES[name]
    cells, rng = simplicial(tops), np.random.default_rng(seed)
    check_all(cells, raised(cells, rng, levels), rng)
    assert check_basis(cells) == betti


def test_cycles_of_surfaces_are_what_they_are_called() -> None:
    for name, n_triangles, n_edges in (("torus", 32, 4), ("projective_plane", 10, 3)):
        cells = simplicial(SPACES[name][0])
        loops = rt.homology_basis(cells, 1)
        assert loops.methods[1] == "short loops"
        assert [len(cycle.cells) for cycle in loops] == [n_edges] * len(loops)
        (whole,) = rt.homology_basis(cells, 2)
        assert len(whole.cells) == n_triangles


@examples(30)
@given(SEEDS)
def test_random_simplices(seed: int) -> None:
    """Which need not be of one dimension, nor manifolds."""
    rng = np.random.default_rng(seed)
    tops = [rng.choice(8, size=rng.integers(1, 6), replace=False) for _ in range(6)]
    cells = simplicial([sorted(top.tolist()) for top in tops])
    check_all(cells, raised(cells, rng, 12), rng)


@pytest.mark.slow
@examples(60)
@given(SEEDS)
def test_chain_complexes_that_come_from_no_space(seed: int) -> None:
    """Each boundary is a random sum of cycles that are already there."""
    rng = np.random.default_rng(seed)
    columns: list[set[int]] = []
    dims = rng.integers(0, 4, size=rng.integers(1, 40)).tolist()
    cycles: dict[int, list[set[int]]] = {k: [] for k in range(-1, 4)}
    bounding: dict[int, tuple[set[int], set[int]]] = {}
    for j, k in enumerate(dims):
        boundary: set[int] = set()
        for cycle in cycles[k - 1]:
            if rng.random() < 0.4:
                boundary ^= cycle
        columns.append(boundary)
        rest, chain = set(boundary), {j}
        while rest and max(rest) in bounding:
            other, its_chain = bounding[max(rest)]
            rest, chain = rest ^ other, chain ^ its_chain
        if rest:
            bounding[max(rest)] = (rest, chain)
        else:
            cycles[k].append(chain)
    of_dim = [[j for j, other in enumerate(dims) if other == k] for k in range(max(dims) + 1)]
    number = {j: i for part in of_dim for i, j in enumerate(part)}
    facets = tuple(
        (
            np.cumsum([0, *(len(columns[j]) for j in part)]),
            np.array([number[i] for j in part for i in sorted(columns[j])], dtype=np.int32),
        )
        for part in of_dim[1:]
    )
    cells = Lists(tuple(map(len, of_dim)), facets)
    starts = np.concatenate([[0], np.cumsum(cells.n_cells)])
    order = np.array([starts[dims[j]] + number[j] for j in range(len(dims))])
    check_all(cells, rt.Filtration(cells.n_cells, order, np.zeros(len(dims))), rng)


@examples(20)
@given(SEEDS, st.sampled_from([(2, 4, 3, 1), (3, 3, 1)]))
def test_one_is_what_it_is_among_all(seed: int, widths: tuple[int, ...]) -> None:
    complex_ = network_complex(np.random.default_rng(seed), widths)
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=seed))
    lengthy = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=seed))
    for dim in range(complex_.dim):
        every = diagram.representatives(dim)
        for cycle in every:
            birth = np.array(cycle.pair[0])
            for name in (cycle.pair, cycle.pair[0], np.array(cycle.pair), list(cycle.pair), birth):
                one = lengthy.representative(name)
                np.testing.assert_array_equal(one.cells, cycle.cells)
                assert (one.pair, one.dim) == (cycle.pair, dim)
                assert (one.method, repr(one)) == (cycle.method, repr(cycle))
        lives = [cycle.death - cycle.birth for cycle in every]
        least = float(np.median(lives))
        chosen = diagram.representatives(dim, least=least if least < np.inf else 0.0)
        expected = [c for c, life in zip(every, lives, strict=True) if life >= least]
        assert least == np.inf or len(chosen) == len(expected)
        pairs = diagram.pairs(dim)
        lasting = [pair for pair in pairs.tolist() if pair[1] - pair[0] >= least]
        assert diagram.pairs(dim, least=least).tolist() == lasting
        for cycle, other in zip(chosen, expected, strict=least < np.inf):
            np.testing.assert_array_equal(cycle.cells, other.cells)
        by_index = diagram.representatives(dim, least=4, over="index")
        assert all(c.is_essential or c.pair[1] - c.pair[0] >= 4 for c in by_index)
        assert len(diagram.representatives(dim, least=np.inf)) == len(diagram.essential(dim))


def test_other_reducers_give_the_same_cycles() -> None:
    pytest.importorskip("phat")
    complex_ = network_complex(np.random.default_rng(3), (3, 3, 1))
    order = rt.filtration(complex_, "random_closure", seed=0)
    for dim in range(3):
        ours, theirs = (
            rt.persistence(complex_, order, reducer=name).representatives(dim)
            for name in ("z2", "phat")
        )
        np.testing.assert_array_equal(ours.cells, theirs.cells)
        np.testing.assert_array_equal(ours.pairs, theirs.pairs)


# Shapes


def shells(dim: int, turn: NDArray[np.float64], at: NDArray[np.float64]) -> rt.ReluNetwork:
    """Positive where 1 < |u_1| + ... + |u_d| < 2, u the turned arms from a point."""
    eye = np.vstack([turn, -turn])
    norm = np.ones(2 * dim)
    return rt.ReluNetwork(
        [eye, np.stack([norm, -norm]), np.array([[-1.0, -1.0]])],
        [-eye @ at, np.array([-1.5, 1.5]), np.array([0.5])],
    )


def winding(loop: NDArray[np.float64], at: NDArray[np.float64]) -> int:
    arms = loop - at
    angles = np.unwrap(np.arctan2(arms[:, 1], arms[:, 0]))
    return round(float(angles[-1] - angles[0]) / (2 * np.pi))


@examples(25)
@given(SEEDS)
def test_loops_of_a_ring_go_around_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    angle, at = rng.uniform(0, np.pi), rng.uniform(-0.5, 0.5, size=2)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    complex_ = rt.decompose(shells(2, turn, at), rt.Box(-4, 4, dim=2))
    decision = complex_.decision()
    for part, n_loops in ((decision.region(1), 1), (decision.region(0), 1),
                          (rt.decision_boundary(complex_), 2), (decision.boundary, 2)):  # fmt: skip
        cycles = rt.homology_basis(part, 1)
        assert len(cycles) == n_loops
        for cycle in cycles:
            (loop,) = cycle.loops
            assert abs(winding(loop, at)) == 1
            np.testing.assert_array_equal(loop[0], loop[-1])
            along = np.linalg.norm(np.diff(loop, axis=0), axis=1).sum()
            assert cycle.measure == pytest.approx(along)
            assert len(cycle.segments) == len(cycle.cells) == len(loop) - 1
    for class_, length in ((1, 4 * np.sqrt(2)), (0, 8 * np.sqrt(2))):  # around convex holes
        (cycle,) = rt.homology_basis(decision.region(class_), 1)
        assert cycle.measure == pytest.approx(length)
    lengths = [cycle.measure for cycle in rt.homology_basis(rt.decision_boundary(complex_), 1)]
    assert sorted(lengths) == pytest.approx([4 * np.sqrt(2), 8 * np.sqrt(2)])
    # From the middle of the ring outwards: its hole is filled last.
    diagram = rt.persistence(
        complex_, rt.filtration(complex_, "lower_star", function=lambda x: -complex_.network(x))
    )
    (cycle,) = diagram.representatives(1, least=1.0)
    assert cycle.death == pytest.approx(1.0)
    assert [abs(winding(loop, at)) for loop in cycle.loops] == [1]
    sizes = np.abs((cycle.vertices - at) @ turn.T).sum(axis=1)
    np.testing.assert_allclose(sizes, 1.5, atol=1e-9)


def test_spheres_in_space() -> None:
    complex_ = rt.decompose(shells(3, np.eye(3), np.zeros(3)), rt.Box(-3, 3, dim=3))
    spheres = rt.homology_basis(rt.decision_boundary(complex_), 2)
    assert spheres.methods[1] == "dual union-find"
    areas = sorted(cycle.measure for cycle in spheres)
    assert areas == pytest.approx([4 * np.sqrt(3), 16 * np.sqrt(3)])
    (sphere,) = rt.homology_basis(complex_.decision().region(1), 2)
    assert sphere.method == "columns"
    # A closed surface around the cavity: the origin's rays meet it an odd number of times.
    directions = np.random.default_rng(0).standard_normal((20, 3))
    corners = sphere.simplices.swapaxes(1, 2)
    for direction in directions:
        shares = np.linalg.solve(corners, np.broadcast_to(direction[:, None], (len(corners), 3, 1)))
        assert (shares > 0).all(axis=(1, 2)).sum() % 2 == 1


@examples(40)
@given(SEEDS, st.booleans())
def test_loops_that_never_end_are_shortest(seed: int, has_coordinates: bool) -> None:
    """Among those that are there at birth and not before."""
    rng = np.random.default_rng(seed)
    n = 12
    ends = np.unique(np.sort(rng.integers(0, n, size=(30, 2)), axis=1), axis=0)
    ends = ends[ends[:, 0] < ends[:, 1]]
    points = rng.uniform(size=(n, 2))
    lists = (np.arange(len(ends) + 1) * 2, ends.ravel().astype(np.int32))
    cells: CellLists = Lists((n, len(ends)), (lists,))
    lengths = np.ones(len(ends))
    if has_coordinates:
        none = (np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))
        cells = rt.DecisionBoundary(points, (lists, none))
        lengths = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    order = raised(cells, rng, 1000)
    times = order.positions[n : n + len(ends)]
    for cycle in rt.persistence(cells, order).representatives(1):
        edge = int(order.order[cycle.pair[0]]) - n
        early = times < times[edge]
        graph = coo_array((lengths[early], ends[early].T), shape=(n, n)).tocsr()
        shortest = dijkstra(graph, directed=False, indices=ends[edge, 0])[ends[edge, 1]]
        assert lengths[cycle.cells].sum() == pytest.approx(shortest + lengths[edge])
        if has_coordinates:
            assert cycle.measure == pytest.approx(shortest + lengths[edge])


def test_loops_that_touch_are_taken_apart() -> None:
    """Two squares with a corner in common, as one cycle."""
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 1], [2, 2], [1, 2]], dtype=np.float64)
    ends = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [2, 4], [4, 5], [5, 6], [6, 2]])
    none = (np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))
    cells = rt.DecisionBoundary(points, ((np.arange(9) * 2, ends.ravel().astype(np.int32)), none))
    first, _ = rt.homology_basis(cells, 1)
    both = replace(first, cells=np.arange(8, dtype=np.int32))
    assert sorted(len(loop) for loop in both.loops) == [5, 5]
    assert both.measure == 8.0
    assert {tuple(p) for loop in both.loops for p in loop} == {tuple(p) for p in points}


# What is refused


def a_diagram() -> tuple[rt.CellComplex, rt.Diagram]:
    complex_ = network_complex(np.random.default_rng(0), (2, 4, 1))
    return complex_, rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=0))


@pytest.mark.parametrize(
    "pair", [0.5, "first", (0.0, 1.0), [1, 2, 3], None, True, [[0.5, 1.0]], 10_000, -1]
)
def test_what_is_no_class_is_refused(pair: Any) -> None:
    with pytest.raises(InputError, match=r"`pair` must .* got .*; take it from pairs\(dim, over="):
        a_diagram()[1].representative(pair)


def test_a_cell_that_ends_a_class_names_none() -> None:
    _, diagram = a_diagram()
    birth, death = diagram.pairs(1, "index")[0].tolist()
    with pytest.raises(InputError, match="must begin with a cell that creates a class, got"):
        diagram.representative(death)
    with pytest.raises(InputError, match=f"cell {birth} creates the one that ends with {death}"):
        diagram.representative((birth, death + 1))


def test_values_are_no_names_of_classes() -> None:
    _, diagram = a_diagram()
    with pytest.raises(InputError, match='over="index"'):
        diagram.representative(diagram.pairs(1)[0])


@pytest.mark.parametrize("least", [-1, np.nan, "long"])
def test_lives_that_are_none_are_refused(least: Any) -> None:
    with pytest.raises(InputError, match="`least` must be a finite number ≥ 0, got"):
        a_diagram()[1].representatives(1, least=least)
    with pytest.raises(InputError, match="`least` must be a finite number ≥ 0, got"):
        a_diagram()[1].pairs(1, least=least)


def test_a_diagram_without_its_complex_says_so() -> None:
    _, diagram = a_diagram()
    bare = rt.Diagram(diagram.reduction, diagram.dimensions, diagram.values, diagram.dim)
    with pytest.raises(InputError, match=r"take the diagram from relutopo\.persistence"):
        bare.representatives(1)


@pytest.mark.parametrize("widths", [(1, 4, 1), (2, 4, 1), (3, 3, 1)])
def test_pairs_of_another_order_are_found_out(widths: tuple[int, ...]) -> None:
    complex_ = network_complex(np.random.default_rng(1), widths)
    right = rt.persistence(complex_, rt.filtration(complex_, "dimension_major", seed=0))
    order = rt.filtration(complex_, "dimension_major", seed=1)
    wrong = replace(right, filtration=order)
    for dim in range(complex_.dim):
        with pytest.raises(BackendError, match="must have the pairs of the complex"):
            wrong.representatives(dim)


def test_coordinates_need_vertices_and_loops_edges() -> None:
    cells = simplicial(SPACES["torus"][0])
    loop = rt.homology_basis(cells, 1)[0]
    with pytest.raises(InputError, match="must have `vertices` for coordinates, got Lists"):
        _ = loop.vertices
    complex_, diagram = a_diagram()
    points = diagram.representatives(0)[0]
    with pytest.raises(InputError, match="has dimension 1, got 0; use vertices"):
        _ = points.loops
    assert points.measure == len(points.cells) == 2
    np.testing.assert_array_equal(points.vertices, complex_.vertices[points.cells])
    np.testing.assert_array_equal(points.simplices[:, 0], points.vertices)


def test_cycles_cannot_be_written_to_and_are_sequences() -> None:
    _, diagram = a_diagram()
    cycles = diagram.representatives(1)
    kept = pickle.loads(pickle.dumps(cycles))
    for some in (cycles, kept):
        for array in (some.cells, some.indptr, some.births, some.pairs, some[0].cells):
            assert not array.flags.writeable
    assert [cycle.pair for cycle in cycles[:2]] == [cycles[0].pair, cycles[1].pair]
    assert cycles[-1].pair == cycles[len(cycles) - 1].pair
    with pytest.raises(IndexError):
        _ = cycles[len(cycles)]
    assert len(list(cycles)) == len(cycles)


def test_no_cells() -> None:
    network = ([[[1.0, 0.0]], [[1.0]]], [[9.0], [0.0]])  # f > 0 everywhere
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    nothing = rt.decision_boundary(complex_)
    assert nothing.n_cells == (0, 0, 0)
    assert [len(rt.homology_basis(nothing, dim)) for dim in range(3)] == [0, 0, 0]
