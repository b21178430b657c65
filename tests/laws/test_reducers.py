"""The reducers agree with each other and with the textbook algorithm, on every kind of matrix."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo import registry
from relutopo.errors import InputError, MissingExtraError
from relutopo.interfaces import BoundaryMatrix, Reduction, checked_reduction
from surfaces import PROJECTIVE_PLANE, grid_surface

SEEDS = st.integers(0, 2**32 - 1)
RANDOM_ORDERS = st.sampled_from(["dimension_major", "random_closure", "random_extension"])


def from_columns(columns: Sequence[Sequence[int]], dims: Sequence[int]) -> BoundaryMatrix:
    return BoundaryMatrix(
        np.cumsum([0, *map(len, columns)]),
        np.array([row for column in columns for row in column], dtype=np.int64),
        np.array(dims, dtype=np.int8),
    )


def simplicial(tops: Sequence[Sequence[int]], rng: np.random.Generator) -> BoundaryMatrix:
    """All faces of simplices, under independent values that are raised over faces."""
    simplices = {
        face
        for top in tops
        for size in range(1, len(top) + 1)
        for face in combinations(sorted(top), size)
    }
    value: dict[tuple[int, ...], float] = {}
    for face in sorted(simplices, key=lambda f: (len(f), f)):
        below = [value[f] for f in combinations(face, len(face) - 1)] if len(face) > 1 else []
        value[face] = max([rng.random(), *below])
    order = sorted(simplices, key=lambda f: (value[f], len(f), f))
    position = {face: i for i, face in enumerate(order)}
    columns = [
        sorted(position[f] for f in combinations(face, len(face) - 1)) if len(face) > 1 else []
        for face in order
    ]
    return from_columns(columns, [len(face) - 1 for face in order])


KNOWN: dict[str, tuple[Sequence[Sequence[int]], tuple[int, ...]]] = {
    "torus": (grid_surface(is_twisted=False), (1, 2, 1)),
    "klein_bottle": (grid_surface(is_twisted=True), (1, 2, 1)),
    "projective_plane": (PROJECTIVE_PLANE, (1, 1, 1)),
    "circle": ([[0, 1], [1, 2], [0, 2]], (1, 1)),
    "sphere": (list(combinations(range(4), 3)), (1, 0, 1)),
    "three_sphere": (list(combinations(range(5), 4)), (1, 0, 0, 1)),
    "four_sphere": (list(combinations(range(6), 5)), (1, 0, 0, 0, 1)),
    "two_spheres": (
        [*combinations(range(4), 3), *combinations(range(4, 8), 3)],
        (2, 0, 2),
    ),
    "three_triangles_at_an_edge": ([[0, 1, 2], [0, 1, 3], [0, 1, 4]], (1, 0, 0)),
    "points": ([[0], [1], [2]], (3,)),
}


def chain_complex(rng: np.random.Generator) -> BoundaryMatrix:
    """A random Z/2 complex that need not come from any space, in random order.

    Each boundary is a random sum of cycles that are already there.
    """
    dims = rng.integers(0, 4, size=rng.integers(1, 40)).tolist()
    columns: list[list[int]] = []
    cycles: dict[int, list[frozenset[int]]] = {k: [] for k in range(-1, 4)}
    # By the last cell of a boundary: that boundary, and the chain whose boundary it is.
    bounding: dict[int, tuple[frozenset[int], frozenset[int]]] = {}
    for j, k in enumerate(dims):
        boundary: frozenset[int] = frozenset()
        for cycle in cycles[k - 1]:
            if rng.random() < 0.4:
                boundary ^= cycle
        columns.append(sorted(boundary))
        rest, chain = boundary, frozenset([j])
        while rest and max(rest) in bounding:
            other, its_chain = bounding[max(rest)]
            rest, chain = rest ^ other, chain ^ its_chain
        if rest:
            bounding[max(rest)] = (rest, chain)
        else:
            cycles[k].append(chain)
    return from_columns(columns, dims)


def textbook(boundary: BoundaryMatrix) -> Reduction:
    """Reduce columns from left to right (Edelsbrunner, Harer, Computational Topology, VII.1)."""
    reduced: dict[int, set[int]] = {}
    pairs = []
    for j in range(boundary.n_columns):
        column = set(boundary.indices[boundary.indptr[j] : boundary.indptr[j + 1]].tolist())
        while column and max(column) in reduced:
            column ^= reduced[max(column)]
        if column:
            reduced[max(column)] = column
            pairs.append((max(column), j))
    pairs.sort()
    paired = {i for pair in pairs for i in pair}
    essential = [j for j in range(boundary.n_columns) if j not in paired]
    return Reduction(
        np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(essential, np.int64), 0.0, "book"
    )


def network_complex(rng: np.random.Generator, widths: Sequence[int], kind: str) -> rt.CellComplex:
    """A random network, with small integer weights for half of the seeds."""
    small = rng.random() < 0.5

    def draw(*shape: int) -> NDArray[np.float64]:
        if small:
            return rng.integers(-1, 2, size=shape).astype(np.float64)
        return rng.standard_normal(shape)

    weights = [draw(m, n) for n, m in pairwise(widths)]
    biases = [0.5 * draw(m) for m in widths[1:]]
    box = rt.Box(-1.5, 1.5, dim=widths[0])
    return rt.decompose((weights, biases), box, enumerator=kind)


def reduce_all(boundary: BoundaryMatrix) -> Reduction:
    """Return z2's result after PHAT's has been compared with it."""
    ours = registry.create("reducer", "z2").reduce(boundary)
    theirs = registry.create("reducer", "phat").reduce(boundary)
    np.testing.assert_array_equal(ours.pairs, theirs.pairs)
    np.testing.assert_array_equal(ours.essential, theirs.essential)
    return ours  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _phat() -> None:
    pytest.importorskip("phat")


@examples(60)
@given(SEEDS, RANDOM_ORDERS, st.sampled_from([(2, 6, 1), (2, 4, 4, 1), (2, 3, 3, 3, 1)]))
def test_planar_network_complexes(seed: int, order: str, widths: tuple[int, ...]) -> None:
    complex_ = network_complex(np.random.default_rng(seed), widths, "cpu")
    boundary = complex_.boundary_matrix(rt.filtration(complex_, order, seed=seed))
    result = reduce_all(boundary)
    assert boundary.dimensions[result.essential].tolist() == [0]
    assert result.method == "z2 (∂1 union-find, ∂2 dual union-find)"


@examples(25)
@given(SEEDS, RANDOM_ORDERS, st.sampled_from([(3, 4, 1), (3, 2, 2, 1)]))
def test_network_complexes_in_space(seed: int, order: str, widths: tuple[int, ...]) -> None:
    complex_ = network_complex(np.random.default_rng(seed), widths, "exact")
    boundary = complex_.boundary_matrix(rt.filtration(complex_, order, seed=seed))
    result = reduce_all(boundary)
    assert boundary.dimensions[result.essential].tolist() == [0]
    assert result.method == "z2 (∂1 union-find, ∂2 columns, ∂3 dual union-find)"


def test_a_network_complex_in_four_dimensions() -> None:
    complex_ = network_complex(np.random.default_rng(0), (4, 2, 1), "exact")
    boundary = complex_.boundary_matrix(rt.filtration(complex_, "random_closure"))
    assert boundary.dimensions[reduce_all(boundary).essential].tolist() == [0]


@examples(60)
@given(SEEDS, st.sampled_from(sorted(KNOWN)))
def test_known_spaces(seed: int, name: str) -> None:
    tops, betti = KNOWN[name]
    boundary = simplicial(tops, np.random.default_rng(seed))
    result = reduce_all(boundary)
    found = np.bincount(boundary.dimensions[result.essential], minlength=len(betti))
    assert tuple(found.tolist()) == betti


@examples(80)
@given(SEEDS, st.integers(3, 8), st.integers(1, 4), st.integers(1, 12))
def test_random_simplicial_complexes(seed: int, n: int, dim: int, n_tops: int) -> None:
    rng = np.random.default_rng(seed)
    size = min(dim + 1, n)
    tops = [rng.choice(n, size=size, replace=False).tolist() for _ in range(n_tops)]
    boundary = simplicial(tops, rng)
    result, expected = reduce_all(boundary), textbook(boundary)
    np.testing.assert_array_equal(result.pairs, expected.pairs)
    np.testing.assert_array_equal(result.essential, expected.essential)


@examples(80)
@given(SEEDS)
def test_random_chain_complexes(seed: int) -> None:
    boundary = chain_complex(np.random.default_rng(seed))
    result, expected = reduce_all(boundary), textbook(boundary)
    np.testing.assert_array_equal(result.pairs, expected.pairs)
    np.testing.assert_array_equal(result.essential, expected.essential)


@pytest.mark.slow
def test_a_larger_complex_uses_every_level_of_the_bit_tree() -> None:
    """More than 64 squared rows are left for the column reduction."""
    shape = (15, 15, 15)
    corners = np.arange(16**3).reshape(16, 16, 16)
    # Kuhn's triangulation of every cube: one tetrahedron for each order of the axes.
    tops = []
    for i, j, k in product(*map(range, shape)):
        for axes in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            at = [i, j, k]
            top = [int(corners[i, j, k])]
            for axis in axes:
                at[axis] += 1
                top.append(int(corners[at[0], at[1], at[2]]))
            tops.append(top)
    boundary = simplicial(tops, np.random.default_rng(0))
    result = reduce_all(boundary)
    assert boundary.dimensions[result.essential].tolist() == [0]
    rows = boundary.dimensions[result.pairs[:, 0]] == 1
    assert rows.sum() > 64**2


@pytest.mark.parametrize("name", registry.names("reducer"))
@pytest.mark.parametrize("space", sorted(KNOWN))
def test_laws(name: str, space: str) -> None:
    boundary = simplicial(KNOWN[space][0], np.random.default_rng(1))
    reducer = registry.create("reducer", name)
    result = checked_reduction(reducer.reduce(boundary), reducer, boundary)
    cells = np.concatenate([result.pairs.ravel(), result.essential])
    assert sorted(cells.tolist()) == list(range(boundary.n_columns))
    births, deaths = result.pairs.T
    assert (births < deaths).all()
    assert (np.diff(births) > 0).all()
    assert (np.diff(result.essential) > 0).all()
    np.testing.assert_array_equal(boundary.dimensions[births] + 1, boundary.dimensions[deaths])
    assert result.method.startswith(name)
    assert result.seconds >= 0


@pytest.mark.parametrize("name", registry.names("reducer"))
def test_an_empty_matrix(name: str) -> None:
    reducer, empty = registry.create("reducer", name), from_columns([], [])
    result = checked_reduction(reducer.reduce(empty), reducer, empty)
    assert result.pairs.shape == (0, 2)
    assert result.essential.shape == (0,)


def test_phat_gives_the_same_whatever_its_options() -> None:
    import phat

    boundary = simplicial(KNOWN["torus"][0], np.random.default_rng(2))
    expected = textbook(boundary)
    algorithms = [a.name.removesuffix("_reduction") for a in phat.reductions]
    assert len(algorithms) == 5
    assert len(phat.representations) == 7
    for algorithm, representation, dualized in product(
        algorithms, phat.representations, (False, True)
    ):
        reducer = registry.create(
            "reducer",
            "phat",
            algorithm=algorithm,
            representation=representation.name,
            dualized=dualized,
        )
        result = reducer.reduce(boundary)
        np.testing.assert_array_equal(result.pairs, expected.pairs)
        np.testing.assert_array_equal(result.essential, expected.essential)
        assert algorithm in result.method
        assert representation.name in result.method
        assert ("dualized" in result.method) == dualized


def test_what_ran_is_recorded() -> None:
    def method(space: str) -> str:
        boundary = simplicial(KNOWN[space][0], np.random.default_rng(3))
        return str(registry.create("reducer", "z2").reduce(boundary).method)

    assert method("torus") == "z2 (∂1 union-find, ∂2 dual union-find)"
    assert method("three_triangles_at_an_edge") == "z2 (∂1 union-find, ∂2 columns)"
    assert method("three_sphere") == "z2 (∂1 union-find, ∂2 columns, ∂3 dual union-find)"
    assert method("points") == "z2"
    star = from_columns([[], [], [], [0, 1, 2]], [0, 0, 0, 1])
    assert registry.create("reducer", "z2").reduce(star).method == "z2 (∂1 columns)"


def test_phat_refuses_what_it_does_not_have() -> None:
    with pytest.raises(InputError, match=r"`algorithm` must be one of twist, .*, got 'fast'"):
        registry.create("reducer", "phat", algorithm="fast")
    with pytest.raises(InputError, match=r"`representation` must be one of .*, got 'dense'"):
        registry.create("reducer", "phat", representation="dense")


def test_phat_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phat", None)
    with pytest.raises(MissingExtraError, match=r"reducer 'phat' needs the package 'phat'.*pip"):
        registry.create("reducer", "phat")


def test_too_many_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("relutopo.backends.reducers.z2")
    monkeypatch.setattr(module, "_MAX_COLUMNS", 2)
    with pytest.raises(InputError, match="`boundary` must have at most 2 columns, got 3"):
        module.Z2Reducer().reduce(from_columns([[], [], [0, 1]], [0, 0, 1]))
