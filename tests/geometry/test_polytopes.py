"""Polytopes A x ≤ b as domains: faces against boxes and brute force, and errors."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo.arithmetic.exact import homogeneous_points
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.polytope import Cone, integer_rows
from relutopo.testing import assert_same_complex

SEGMENT = ([[1.0], [-1.0]], [1.0, 1.0])


def random_polytope(dim: int, n: int, seed: int, integer: bool) -> rt.Polytope:
    """A box in [-3, 3]^d cut by n half-spaces that hold a ball around the origin."""
    rng = np.random.default_rng(seed)
    normals = rng.integers(-2, 3, (n, dim)) if integer else rng.standard_normal((n, dim))
    offsets = rng.integers(1, 4, n) if integer else rng.uniform(0.5, 2, n)
    box, sides = rt.Box(-3, 3, dim=dim).halfspaces()
    return rt.Polytope(np.concatenate([normals, box]), np.concatenate([offsets, sides]))


def rational_vertices(polytope: rt.Polytope) -> set[tuple[Fraction, ...]]:
    """Intersections of d sides that satisfy all others, by Cramer's rule over fractions."""
    normals, offsets = polytope.halfspaces()
    rows = [[Fraction(x) for x in (*a, b)] for a, b in zip(normals, offsets, strict=True)]
    found = set()
    for chosen in combinations(rows, polytope.dim):
        point = solve([row[:-1] for row in chosen], [row[-1] for row in chosen])
        if point and all(
            sum(a * x for a, x in zip(row, point, strict=False)) <= row[-1] for row in rows
        ):
            found.add(tuple(point))
    return found


def solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [x / rows[k][k] for x in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [x - rows[i][k] * y for x, y in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_a_box_as_a_polytope(dim: int) -> None:
    box = rt.Box([-1.0] * dim, [2.0] * dim)
    polytope = rt.Polytope(*box.halfspaces())
    network = random_network([dim, 3, 2, 1], 1, "integer")
    a, b = (rt.decompose(network, d, enumerator="exact") for d in (box, polytope))
    assert_same_complex(a, b)
    assert polytope.volume == pytest.approx(3.0**dim, rel=1e-14)
    assert (polytope.magnitude >= box.magnitude).all()
    assert (polytope.face_lattice().rounding == 0).all()


@examples(40)
@given(
    dim=st.integers(1, 3), n=st.integers(0, 6), seed=st.integers(0, 10**6), integer=st.booleans()
)
def test_vertices_and_faces(dim: int, n: int, seed: int, integer: bool) -> None:
    polytope = random_polytope(dim, n, seed, integer)
    lattice = polytope.face_lattice()
    exact = {tuple(Fraction(x, p[-1]) for x in p[:-1]) for p in lattice.exact_vertices}
    assert exact == rational_vertices(polytope)
    # Vertices are correctly rounded, within the bound.
    for point, rounded, bound in zip(
        lattice.exact_vertices, lattice.vertices, lattice.rounding, strict=True
    ):
        for x, y in zip(point[:-1], rounded, strict=True):
            assert abs(Fraction(x, point[-1]) - Fraction(y)) <= Fraction(bound)
    # Without neurons the complex is the polytope itself: its lattice is a ball's, its volume fits.
    alone = rt.decompose(rt.ReluNetwork([np.ones((1, dim))], [[0.0]]), polytope, enumerator="exact")
    alone.check()
    assert alone.n_regions == 1
    # Every facet's vertices lie on the side it is labelled with.
    corners = alone.cell_vertices(dim - 1).toarray()
    normals, offsets = polytope.halfspaces()
    for side, on_it in zip(lattice.sides, corners, strict=True):
        rows = np.stack(integer_rows(np.append(normals[side], -offsets[side])[None]))
        assert not (lattice.exact_vertices[on_it.astype(bool)] @ rows.T).any()
    assert len(set(lattice.sides.tolist())) == len(lattice.sides)


@examples(25)
@given(dim=st.integers(1, 4), seed=st.integers(0, 10**6), integer=st.booleans())
def test_networks_on_polytopes(dim: int, seed: int, integer: bool) -> None:
    polytope = random_polytope(dim, 3, seed, integer)
    network = random_network([dim, 3, 2, 1], seed, "integer" if integer else "gaussian")
    rt.decompose(network, polytope, enumerator="exact").check()


def test_many_sides_through_one_vertex() -> None:
    """The octahedron's four sides at a vertex, the apex of a pyramid over a hexagon."""
    signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])
    octahedron = rt.Polytope(signs, np.ones(8))
    assert [len(f[0]) - 1 for f in octahedron.face_lattice().facets] == [12, 8, 1]
    assert octahedron.volume == pytest.approx(4 / 3, rel=1e-14)
    fourth = np.repeat([[-1], [1]], 8, axis=0)
    cross = rt.Polytope(np.concatenate([np.tile(signs, (2, 1)), fourth], axis=1), np.ones(16))
    assert [len(f[0]) - 1 for f in cross.face_lattice().facets] == [24, 32, 16, 1]
    assert cross.volume == pytest.approx(2**4 / 24, rel=1e-14)


def test_redundant_rows_make_no_side() -> None:
    rows = [
        [1, 1], [2, 2], [-1, 0], [0, -1], [1, 0], [1, 1], [0, 0]
    ]  # fmt: skip
    triangle = rt.Polytope(rows, [1, 2, 0, 0, 1, 7, 0])  # x ≤ 1 touches a corner
    assert triangle.volume == pytest.approx(0.5)
    assert sorted(triangle.face_lattice().sides) == [0, 2, 3]


def test_a_third_is_rounded_and_known_exactly() -> None:
    thirds = rt.Polytope([[3.0], [-1.0]], [1.0, 0.0])
    lattice = thirds.face_lattice()
    assert lattice.exact_vertices.tolist() == [[0, 1], [1, 3]]
    assert lattice.rounding[0] == 0 < lattice.rounding[1] < 1e-15
    # A neuron that is zero exactly at the corner does not cut a sliver off.
    kink = rt.ReluNetwork([[[3.0]], [[1.0]]], [[-1.0], [0.0]])
    assert rt.decompose(kink, thirds, enumerator="exact").n_regions == 1


def test_contains_is_exact() -> None:
    thirds = rt.Polytope([[3.0], [-1.0]], [1.0, 0.0])
    below = 1 / 3  # rounds down
    assert Fraction(below) < Fraction(1, 3) < Fraction(np.nextafter(below, 1))
    points = np.array([[0.0], [below], [np.nextafter(below, 1)], [-5e-324], [0.5]])
    assert thirds.contains(points).tolist() == [True, True, False, False, False]


def test_slivers_far_from_the_origin() -> None:
    narrow = rt.Polytope(
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [1e9 + 1e-6, -1e9, 1, 1]
    )
    width = Fraction(1e9 + 1e-6) - 10**9
    assert narrow.volume == pytest.approx(2 * float(width), rel=1e-14)


def test_cones_of_random_rows() -> None:
    """Rays satisfy all rows, and their masks are the rows that vanish."""
    rng = np.random.default_rng(0)
    rows = list(rng.integers(-3, 4, (9, 4)).astype(object))
    cone = Cone.of_rows(rows)
    for ray, mask in zip(cone.rays, cone.zeros, strict=True):
        values: NDArray[np.object_] = np.stack(rows) @ ray
        assert (values >= 0).all()
        assert [bool(mask >> i & 1) for i in range(9)] == (values == 0).tolist()
    half_plane = Cone.of_rows([np.array([0, 1, 0], dtype=object)])
    assert len(half_plane.lines) == 2
    assert [ray.tolist() for ray in half_plane.rays] == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("normals", "offsets", "message"),
    [
        ([[1.0, 0.0]], [1.0], r"unbounded in the direction \[0.0, 1.0\]; add a side"),
        ([[-1, 0], [0, 1], [0, -1]], [0, 1, 1], r"unbounded in the direction \[1.0, 0.0\]"),
        ([[1.0], [-1.0]], [1.0, -2.0], "2 sides whose polytope is empty"),
        ([[1.0], [-1.0], [0.0]], [1.0, 1.0, -1.0], "polytope is empty"),
        ([[1, 0], [-1, 0], [0, 1], [0, -1]], [1, -1, 1, 1], "interior, .* plane of row 0"),
        ([[1.0], [np.nan]], [1.0, 1.0], r"finite, got \[nan\] and 1.0 in row 1"),
        ([[1.0], [-1.0]], [1.0, np.inf], r"finite, got \[-1.0\] and inf in row 1"),
        ([1.0, -1.0], [1.0, 1.0], r"shape \(n_sides, d\) .* got \(2,\) and \(2,\)"),
        ([[1.0], [-1.0]], [1.0], r"got \(2, 1\) and \(1,\)"),
        ([[5e-324], [-5e-324]], [1.0, 1.0], "within the range of floats, got one with a vertex"),
    ],
)
def test_what_is_no_domain(normals: list[list[float]], offsets: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.Polytope(normals, offsets)


def test_lattices_with_exact_floats_say_so() -> None:
    lattice = rt.Box(-1, 1, dim=2).face_lattice()
    assert (lattice.rounding == 0).all()
    assert lattice.exact_vertices.tolist() == homogeneous_points(lattice.vertices).tolist()


@examples(25)
@given(dim=st.integers(1, 3), seed=st.integers(0, 10**6), integer=st.booleans())
def test_cpu_equals_exact_on_rounded_corners(dim: int, seed: int, integer: bool) -> None:
    """Two neurons run along sides of the polytope, through corners that no float equals."""
    polytope = random_polytope(dim, 4, seed, integer)
    network = random_network([dim, 3, 3, 1], seed, "integer" if integer else "gaussian")
    normals, offsets = polytope.halfspaces()
    network = rt.ReluNetwork(
        [
            np.concatenate([network.weights[0], normals[:2]]),
            np.concatenate([network.weights[1], np.ones((3, 2))], axis=1),
            network.weights[2],
        ],
        [np.concatenate([network.biases[0], -offsets[:2]]), *network.biases[1:]],
    )
    fast = rt.decompose(network, polytope)
    assert fast.record.status == "certified"
    fast.check()
    assert_same_complex(fast, rt.decompose(network, polytope, enumerator="exact"))
