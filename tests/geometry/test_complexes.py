from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from relutopo import (
    ON_BOUNDARY,
    OUTSIDE,
    Box,
    CellComplex,
    Polytope,
    ReluNetwork,
    decompose,
    search_regions,
)
from relutopo.errors import InputError, InvariantError
from relutopo.gallery import central_arrangement, random_network
from relutopo.geometry import invariants
from relutopo.geometry.location import NOT_FOUND
from relutopo.testing import assert_same_complex


@pytest.fixture(scope="module")
def complex_() -> CellComplex:
    return decompose(random_network([2, 6, 5, 1], 4), Box([-1, -2], [2, 1.5]))


def test_box_errors() -> None:
    with pytest.raises(InputError, match=r"got \[1.0, 1.0\] on axis 0, which is empty"):
        Box(1, 1, dim=2)
    with pytest.raises(InputError, match=r"got \[2.0, 1.0\] on axis 1, which is inverted"):
        Box([0, 2], [1, 1])
    with pytest.raises(InputError, match="must be finite"):
        Box(-np.inf, 1, dim=2)
    with pytest.raises(InputError, match="must be numbers or have dim=3 entries"):
        Box([0, 0], [1, 1], dim=3)
    with pytest.raises(
        InputError, match=r"got a box of 36, and a box has 3\^36 faces; pass an Affine"
    ):
        Box(-1, 1, dim=36).face_lattice()
    with pytest.raises(InputError, match="must have shape"):
        Box.around([])


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_box_faces(dim: int) -> None:
    from math import comb

    lattice = Box(-1, [1.0 + i for i in range(dim)]).face_lattice()
    counts = [len(lattice.vertices)] + [len(indptr) - 1 for indptr, _ in lattice.facets]
    assert counts == [comb(dim, k) * 2 ** (dim - k) for k in range(dim + 1)]
    assert sorted(lattice.sides.tolist()) == list(range(2 * dim))


def test_areas_against_the_shoelace_formula(complex_: CellComplex) -> None:
    for region in range(complex_.n_regions):
        x, y = complex_.vertices[complex_.region_vertices(region)].T
        area = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))
        assert area > 0  # counterclockwise
        assert area == pytest.approx(complex_.volumes[region], rel=1e-9, abs=1e-12)


def test_measures_in_space() -> None:
    network = random_network([3, 4, 1], 0)
    cube = decompose(network, Box(-1, 1, dim=3), enumerator="exact")
    assert cube.volumes.sum() == pytest.approx(8.0)
    border = cube.facet_labels < 0
    assert cube.facet_measures[border].sum() == pytest.approx(24.0)
    assert cube.volumes @ cube.centroids == pytest.approx(np.zeros(3), abs=1e-12)


def test_facet_measures_are_edge_lengths(complex_: CellComplex) -> None:
    ends = complex_.vertices[complex_.facets[0][1].reshape(-1, 2)]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    np.testing.assert_allclose(complex_.facet_measures, lengths, atol=1e-12)


def test_facet_regions_are_the_two_sides(complex_: CellComplex) -> None:
    low, high = complex_.facet_regions.T
    inner = high >= 0
    np.testing.assert_array_equal(inner, complex_.facet_labels >= 0)
    differ = complex_.patterns[low[inner]] ^ complex_.patterns[high[inner]]
    labels = complex_.facet_labels[inner]
    assert differ[np.arange(len(labels)), labels].all()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_output_maps_are_the_network(dim: int) -> None:
    network = random_network([dim, 5, 4, 2], 0)
    regions = decompose(network, Box(-1, 1, dim=dim))
    a, c = regions.output_maps()
    assert a.shape == (regions.n_regions, 2, dim)
    x = regions.interior_points
    np.testing.assert_allclose(np.einsum("rod,rd->ro", a, x) + c, network(x), atol=1e-9)


@pytest.mark.parametrize("k", [-1, 3, 1.0, True, "a"])
def test_dimensions_of_cells_are_checked(complex_: CellComplex, k: Any) -> None:
    with pytest.raises(
        InputError,
        match=r"`k` must be an integer from 1 to 2, got (1.0; pass 1|.*; vertices have no)",
    ):
        complex_.boundary(k)
    with pytest.raises(InputError, match="`k` must be an integer from 1 to 2, got 0"):
        complex_.boundary(0)
    for method in (complex_.cell_vertices, complex_.triangulation):
        with pytest.raises(InputError, match=f"`k` must be an integer from 0 to 2, got {k!r}"):
            method(k)


def test_numbers_of_regions_are_checked(complex_: CellComplex) -> None:
    n = complex_.n_regions
    for region in (-1, n):
        with pytest.raises(
            InputError, match=f"`region` must be an integer from 0 to {n - 1}, got {region}"
        ):
            complex_.region_vertices(region)
    assert len(complex_.region_vertices(n - 1)) >= 3


def test_locate_by_brute_force(complex_: CellComplex) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform([-1.5, -2.5], [2.5, 2], (300, 2))
    regions = complex_.locate(points)
    inside = complex_.domain.contains(points)
    np.testing.assert_array_equal(regions == OUTSIDE, ~inside)
    for point, region in zip(points[inside], regions[inside], strict=True):
        corners = complex_.vertices[complex_.region_vertices(int(region))]
        edges = np.roll(corners, -1, axis=0) - corners
        arms = point - corners
        assert (edges[:, 0] * arms[:, 1] - edges[:, 1] * arms[:, 0] >= -1e-12).all()


def test_locate_tells_boundary_from_dead_neurons() -> None:
    # Neuron 0 is the line x = 0, neuron 1 is identically zero.
    network = ReluNetwork([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    complex_ = decompose(network, Box(-1, 1, dim=2))
    regions = complex_.locate([[0.5, 0.0], [-0.5, 0.0], [0.0, 0.3], [0.0, 2.0], [1.0, 1.0]])
    assert set(regions[:2].tolist()) == {0, 1}
    assert regions[2:].tolist() == [ON_BOUNDARY, OUTSIDE, regions[0]]


def test_locate_on_the_sides_of_the_domain() -> None:
    """Kinks along a side, or through a corner from outside, divide no region there."""
    network = ReluNetwork(
        [[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0]], np.ones((1, 4))],
        [[0.0, -1.0, -1.0, 0.0], [0.0]],
    )
    points = [[0.0, 0.0], [0.0, 0.5], [0.5, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]]
    complex_ = decompose(network, Box(0, 1, dim=2))
    low, high = complex_.locate([[0.25, 0.25], [0.75, 0.75]]).tolist()
    assert low != high
    expected = [low, low, high, ON_BOUNDARY, ON_BOUNDARY, high, ON_BOUNDARY]
    assert complex_.locate(points).tolist() == expected
    triangle = Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
    assert decompose(network, triangle).locate(points).tolist() == [0, 0, -1, 0, 0, -1, 0]
    found = search_regions(network, Box(0, 1, dim=2), [[0.25, 0.25]], max_regions=1)
    assert found.graph.locate(points[:3]).tolist() == [0, 0, NOT_FOUND]


def test_locate_decides_exactly() -> None:
    # 0.1 + 0.2 > 0.3 as floats and as the rationals that they are; a rounded dot product of
    # (0.1, 0.2) with these weights cannot tell.
    network = ReluNetwork([[[1.0, 1.0]], [[1.0]]], [[-0.3], [0.0]])
    complex_ = decompose(network, Box(0, 1, dim=2))
    above, below = complex_.locate([[0.1, 0.2], [0.1, np.nextafter(0.2, 0)]])
    assert complex_.patterns[above, 0]
    assert not complex_.patterns[below, 0]


def test_canonical_does_not_depend_on_the_numbering(complex_: CellComplex) -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(complex_.n_regions)
    indptr, indices = complex_.facets[1]
    lists = np.split(indices, indptr[1:-1])
    shuffled = replace(
        complex_,
        packed_patterns=complex_.packed_patterns[order],
        facets=(
            complex_.facets[0],
            (
                np.cumsum([0, *(len(lists[r]) for r in order)]),
                np.concatenate([rng.permutation(lists[r]) for r in order]),
            ),
        ),
    )
    shuffled.check()
    assert_same_complex(complex_, shuffled)


@pytest.mark.parametrize("most_refined", [1000, 3])
def test_check_far_from_the_origin(most_refined: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounding moves vertices off a slanted side by more than a billionth of the domain."""
    monkeypatch.setattr(invariants, "_MOST_REFINED", most_refined)
    triangle = Polytope([[-1, 0], [0, -1], [1, 3]], [-1e8, -1e8, 4e8 + 1])
    rng = np.random.default_rng(0)
    normals, points = rng.standard_normal((9, 2)), 1e8 + rng.random((9, 2)) / 3
    offsets = -(normals * points).sum(axis=1)
    far = decompose(ReluNetwork([normals, np.ones((1, 9))], [offsets, [0.0]]), triangle)
    assert abs(far.volumes.sum() - triangle.volume) > 1e-9 * triangle.volume
    far.check()
    moved = far.vertices.copy()
    moved[np.argmin(far.vertex_errors), 0] += 1e-3
    with pytest.raises(InvariantError, match=r"volumes add up|is off by 1\.00e-03"):
        replace(far, vertices=moved).check()


class TestCheckFinds:
    """Each broken invariant is found and named."""

    def test_missing_region(self, complex_: CellComplex) -> None:
        indptr, indices = complex_.facets[1]
        last = complex_.n_regions - 1
        broken = replace(
            complex_,
            facets=(complex_.facets[0], (indptr[:-1], indices[: indptr[last]])),
            packed_patterns=complex_.packed_patterns[:-1],
        )
        with pytest.raises(InvariantError, match="Euler characteristic"):
            broken.check()

    def test_boundary_of_boundary(self, complex_: CellComplex) -> None:
        indptr, indices = complex_.facets[1]
        indices = indices.copy()
        indices[0] = next(e for e in range(complex_.n_cells[1]) if e not in indices[:12])
        with pytest.raises(InvariantError, match="∂∂ is not zero at the 2-cell 0"):
            replace(complex_, facets=(complex_.facets[0], (indptr, indices))).check()

    def test_moved_vertex_changes_no_topology_but_areas(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        complex_ = decompose(central_arrangement(4, 2, 0), Box(-1, 1, dim=2))
        vertices = complex_.vertices.copy()
        corner = int(np.flatnonzero((np.abs(vertices) == 1).all(axis=1))[0])
        vertices[corner] *= 1.5
        with pytest.raises(InvariantError, match=f"vertex {corner} is off by 5.00e-01"):
            replace(complex_, vertices=vertices).check()
        monkeypatch.setattr(invariants, "_MOST_REFINED", 0)
        with pytest.raises(InvariantError, match="volumes add up"):
            replace(complex_, vertices=vertices).check()

    def test_slivers_that_rounding_turns_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of nearly parallel lines the corners may be so far off that areas do not add up."""
        rng, sizes = np.random.default_rng(0), (2, 6, 6, 6, 1)
        weights = [rng.standard_normal((n, m)) for m, n in pairwise(sizes)]
        biases = [rng.standard_normal(n) for n in sizes[1:]]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            w[1::2] = w[::2]
            b[1::2] = b[::2] + 1e-9 * rng.standard_normal(3)
            w[1::2] *= 1 + 1e-9 * rng.standard_normal(w[1::2].shape)
        complex_ = decompose(ReluNetwork(weights, biases), Box(-1000, 1000, dim=2))
        complex_.check()
        monkeypatch.setattr(invariants, "_MOST_REFINED", 0)
        with pytest.raises(InvariantError, match="volumes add up"):
            complex_.check()

    def test_equal_patterns(self, complex_: CellComplex) -> None:
        packed = complex_.packed_patterns.copy()
        packed[3] = packed[7]
        with pytest.raises(InvariantError, match="regions 3 and 7 have the same pattern"):
            replace(complex_, packed_patterns=packed).check()

    def test_wrong_pattern(self, complex_: CellComplex) -> None:
        packed = complex_.packed_patterns.copy()
        # A neuron whose flip gives a pattern that no region has.
        flipped = [packed[5] ^ np.array([1 << bit, 0], dtype=np.uint8) for bit in range(8)]
        free = [p for p in flipped if not (p == packed).all(axis=1).any()]
        packed[5] = free[0]
        with pytest.raises(InvariantError, match=r"inside region 5|do not meet in one point"):
            replace(complex_, packed_patterns=packed).check()

    def test_wrong_label(self, complex_: CellComplex) -> None:
        labels = complex_.facet_labels.copy()
        edge = int(np.flatnonzero(labels >= 0)[0])
        labels[edge] = -1
        with pytest.raises(InvariantError, match=f"1-cell {edge} with label -1 has 2 regions"):
            replace(complex_, facet_labels=labels).check()

    def test_errors_that_are_none(self, complex_: CellComplex) -> None:
        errors = complex_.vertex_errors
        for wrong in (errors[1:], errors - 1.0, errors * np.nan, errors + np.inf):
            with pytest.raises(InvariantError, match=r"vertex errors have shape .* none negative"):
                replace(complex_, vertex_errors=wrong).check()

    def test_errors_that_are_too_small(self) -> None:
        thirds: list[Any] = [[[3.0, 0.0], [0.0, 3.0]], [[1.0, 1.0]]]
        complex_ = decompose((thirds, [[1.0, -1.0], [0.0]]), Box(-1, 1, dim=2))
        complex_.check()
        with pytest.raises(InvariantError, match=r"vertex \d+ is off by .* more than its error 0"):
            replace(complex_, vertex_errors=np.zeros(complex_.n_cells[0])).check()

    def test_missing_labels(self, complex_: CellComplex) -> None:
        with pytest.raises(InvariantError, match="facet labels have shape"):
            replace(complex_, facet_labels=complex_.facet_labels[1:]).check()

    def test_labels_of_what_does_not_exist(self, complex_: CellComplex) -> None:
        for label in (-5, 11):
            labels = complex_.facet_labels.copy()
            labels[3] = label
            message = f"1-cell 3 has label {label}, but there are 11 neurons and 4 sides"
            with pytest.raises(InvariantError, match=message):
                replace(complex_, facet_labels=labels).check()

    def test_another_network(self, complex_: CellComplex) -> None:
        with pytest.raises(InvariantError, match="packed patterns have shape"):
            replace(complex_, network=random_network([2, 3, 1], 0)).check()
        with pytest.raises(InvariantError, match=r"bits beyond the 10 neur|there are 10 neurons"):
            replace(complex_, network=random_network([2, 6, 4, 1], 4)).check()
        with pytest.raises(InvariantError, match="a network of 3 inputs"):
            replace(complex_, network=random_network([3, 6, 5, 1], 4)).check()

    def test_bits_beyond_the_last_neuron(self, complex_: CellComplex) -> None:
        packed = complex_.packed_patterns.copy()
        packed[2, -1] |= 0x80
        with pytest.raises(InvariantError, match="pattern of region 2 has bits beyond the 11 neur"):
            replace(complex_, packed_patterns=packed).check()

    def test_arrays_of_another_kind(self, complex_: CellComplex) -> None:
        broken: list[tuple[str, Any]] = [
            ("vertices", complex_.vertices.astype(object)),
            ("vertices", complex_.vertices.ravel()),
            ("vertices", complex_.vertices.tolist()),
            ("vertex_errors", np.zeros(complex_.n_cells[0], dtype=int)),
            ("packed_patterns", complex_.packed_patterns.astype(int)),
            ("facet_labels", complex_.facet_labels.astype(float)),
            ("facets", tuple((indptr, indices / 1) for indptr, indices in complex_.facets)),
            ("facets", tuple((indptr / 1, indices) for indptr, indices in complex_.facets)),
        ]
        for name, value in broken:
            with pytest.raises(InvariantError, match=r"are \w+.*, expected an array of \w+ with"):
                replace(complex_, **{name: value}).check()
        missing: Any = None
        with pytest.raises(InvariantError, match="the record is None, expected an EnumerationRec"):
            replace(complex_, record=missing).check()

    def test_vertices_nowhere(self, complex_: CellComplex) -> None:
        vertices = complex_.vertices.copy()
        vertices[4, 1] = np.nan
        with pytest.raises(InvariantError, match=r"vertex 4 is at \[.*nan\]"):
            replace(complex_, vertices=vertices).check()

    def test_no_cells(self, complex_: CellComplex) -> None:
        empty = np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32)
        no_regions = replace(
            complex_,
            facets=(complex_.facets[0], empty),
            packed_patterns=complex_.packed_patterns[:0],
        )
        with pytest.raises(InvariantError, match="there are no 2-cells"):
            no_regions.check()
        nothing = replace(
            no_regions,
            vertices=complex_.vertices[:0],
            vertex_errors=complex_.vertex_errors[:0],
            facets=(empty, empty),
            facet_labels=complex_.facet_labels[:0],
        )
        with pytest.raises(InvariantError, match="there are no 0-cells"):
            nothing.check()

    def test_lists_that_do_not_end_where_facets_do(self, complex_: CellComplex) -> None:
        indptr, indices = complex_.facets[1]
        for pair in ((indptr + 1, indices), (indptr, indices[:-1]), (indptr[1:], indices)):
            with pytest.raises(InvariantError, match=r"indptr of 2-cells run from|packed patterns"):
                replace(complex_, facets=(complex_.facets[0], pair)).check()
