"""One region, and tables of regions and neurons, against slow references and closed forms."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from scipy.spatial import HalfspaceIntersection

import relutopo as rt
from relutopo.errors import InputError, MissingExtraError
from relutopo.gallery import random_network
from relutopo.geometry.region import RegionGeometry


def complex_of(dim: int, seed: int) -> rt.CellComplex:
    network = random_network([dim, 5, 4, 2], seed)
    return rt.decompose(network, rt.Box(-2, 2, dim=dim), enumerator="exact")


CROSS: Any = (  # off, on, two lines x = 0, the same from the other side, y = 0.5, then a copy of it
    [
        [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [0.0, 1.0]],
        [[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]],
        [[1.0]],
    ],
    [[-1.0, 3.0, 0.0, 0.0, 0.0, 1.0], [-1.5], [0.0]],
)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_region_is_what_the_arrays_say(dim: int) -> None:
    complex_ = complex_of(dim, 3)
    graph, (slopes, offsets) = complex_.dual_graph(), complex_.output_maps()
    for index in range(0, complex_.n_regions, 3):
        region = complex_.region(index)
        assert [bit for layer in region.pattern for bit in layer] == complex_.patterns[
            index
        ].tolist()
        assert [len(layer) for layer in region.pattern] == [5, 4]
        assert region.volume == complex_.volumes[index]
        np.testing.assert_array_equal(region.coefficients, slopes[index])
        np.testing.assert_array_equal(region.offset, offsets[index])
        assert list(region.neighbours) == graph.adjacency[[index]].indices.tolist()
        np.testing.assert_allclose(
            complex_.network(region.vertices),
            region.vertices @ region.coefficients.T + region.offset,
            atol=1e-9,
        )
        for facet in region.facets:
            label = complex_.facet_labels[facet.cell]
            assert facet.measure == complex_.facet_measures[facet.cell]
            if facet.neighbour is None:
                assert facet.side == complex_.domain.side_name(-1 - label)
                assert facet.neurons == ()
            else:
                assert facet.side is None
                changed = complex_.patterns[index] != complex_.patterns[facet.neighbour]
                numbers = [complex_.network.layer_offsets[k] + u for k, u in facet.neurons]
                assert numbers == np.flatnonzero(changed).tolist()
                assert label in numbers


def test_the_inradius_is_that_of_a_ball_that_touches_the_walls() -> None:
    complex_ = complex_of(2, 1)
    for index in range(complex_.n_regions):
        region = complex_.region(index)
        ends = np.roll(region.vertices, -1, axis=0)
        along = (ends - region.vertices) / np.linalg.norm(ends - region.vertices, axis=1)[:, None]
        normals = np.stack([along[:, 1], -along[:, 0]], axis=1)  # outwards, counterclockwise
        levels = np.einsum("ij,ij->i", normals, region.vertices)
        # Walls moved inwards leave something up to the inradius, and nothing beyond it.
        half = np.concatenate([normals, (0.99 * region.inradius - levels)[:, None]], axis=1)
        inside = RegionGeometry(
            complex_.network, complex_.domain, complex_.patterns[index]
        ).interior_point
        assert len(HalfspaceIntersection(half, inside).intersections) >= 3
        assert (levels - normals @ inside).min() == pytest.approx(region.inradius, rel=1e-6)


def test_regions_of_a_cross() -> None:
    complex_ = rt.decompose(CROSS, rt.Box(-1, 1, dim=2), enumerator="exact")
    assert complex_.n_regions == 4
    table = complex_.regions_table([[0.5, 0.9], [0.5, 0.8], [-0.5, 0.0], [5.0, 5.0]])
    np.testing.assert_allclose(table.volume.sum(), 4)
    assert table.is_at_border.all()
    assert (table.n_neighbours == 2).all()
    assert (table.n_facets == 4).all()
    assert table.n_points.sum() == 3
    top_right: Any = table.loc[complex_.locate([0.5, 0.9])]
    assert top_right.pattern == "011101|1"
    assert (top_right.n_points, top_right.n_active, top_right.volume) == (2, 5, 0.5)
    assert (top_right.slope_0_0, top_right.slope_0_1, top_right.offset_0) == (0, 1, -0.5)
    assert (top_right.centroid_0, top_right.centroid_1, top_right.output_0) == (0.5, 0.75, 0.25)


def test_neurons_of_a_cross() -> None:
    complex_ = rt.decompose(CROSS, rt.Box(-1, 1, dim=2), enumerator="exact")
    table = complex_.neurons_table([[0.5, 0.9], [0.25, 0.7]])
    assert list(zip(table.layer, table.unit, strict=True)) == [*((0, u) for u in range(6)), (1, 0)]
    assert table.is_dead.tolist() == [True, *[False] * 6]
    assert table.is_always_on.tolist() == [False, True, False, False, False, True, False]
    assert table.same_as.tolist() == ["", "", "(0, 3)", "(0, 2)", "", "", ""]
    assert table.opposite_of.tolist() == ["", "", "(0, 4)", "(0, 4)", "(0, 2)", "", ""]
    assert table.facet_measure.tolist() == [0, 0, 2, 2, 2, 0, 2]
    assert table.n_facets.tolist() == [0, 0, 2, 2, 2, 0, 2]
    assert table.active_volume.tolist() == [0, 1, 0.5, 0.5, 0.5, 1, 0.25]
    assert table.is_dead_on_points.tolist() == [True, False, False, False, True, False, False]
    assert table.is_always_on_on_points.tolist() == [False, True, True, True, False, True, True]
    assert table.active_points.tolist() == [0, 1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_tables_of_random_complexes(dim: int) -> None:
    complex_ = complex_of(dim, 5)
    points = np.random.default_rng(0).uniform(-2, 2, (50, dim))
    regions, neurons = complex_.regions_table(points), complex_.neurons_table(points)
    assert len(regions) == complex_.n_regions
    np.testing.assert_array_equal(regions.volume, complex_.volumes)
    degrees = np.diff(complex_.dual_graph().adjacency.indptr)
    np.testing.assert_array_equal(regions.n_neighbours, degrees)
    row: Any
    for row in regions.itertuples():
        region = complex_.region(row.region)
        assert row.is_at_border == region.is_at_border
        assert row.n_facets == len(region.facets)
        assert row.pattern.replace("|", "") == "".join(
            "01"[bit] for layer in region.pattern for bit in layer
        )
    outputs = regions[["output_0", "output_1"]].to_numpy()
    np.testing.assert_array_equal(outputs, complex_.network(complex_.centroids))
    on = complex_.network.preactivations(points) > 0
    np.testing.assert_allclose(neurons.active_points, on.mean(axis=0))
    # Without coinciding kinks every inner facet belongs to one neuron.
    inner = complex_.facet_labels >= 0
    np.testing.assert_array_equal(
        neurons.n_facets, np.bincount(complex_.facet_labels[inner], minlength=9)
    )
    np.testing.assert_allclose(neurons.facet_measure.sum(), complex_.facet_measures[inner].sum())


def test_large_maps_and_patterns_are_left_out() -> None:
    wide = rt.decompose(random_network([1, 70, 1], 0), rt.Box(-1, 1), enumerator="exact")
    assert "pattern" not in wide.regions_table()
    outputs = rt.decompose(random_network([2, 2, 5], 0), rt.Box(-1, 1, dim=2), enumerator="exact")
    assert "slope_0_0" not in outputs.regions_table()
    assert "output_4" in outputs.regions_table()


def test_a_network_without_neurons() -> None:
    plane = rt.decompose(([[[1.0]]], [[0.5]]), rt.Box(-1, 1), enumerator="exact")
    assert plane.regions_table().pattern.tolist() == [""]
    assert len(plane.neurons_table()) == 0
    assert repr(plane.region(0)) == "Region(0, pattern , 2 vertices, volume 2, neighbours none)"


@pytest.mark.parametrize("wrong", [-1, 4, 0.5, "0", None])
def test_regions_that_are_not_there(wrong: Any) -> None:
    complex_ = rt.decompose(CROSS, rt.Box(-1, 1, dim=2), enumerator="exact")
    with pytest.raises(
        InputError, match=r"`region` must be an integer from 0 to 3, got ('0'; pass 0 |.*locate)"
    ):
        complex_.region(wrong)


def test_tables_without_pandas_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    complex_ = rt.decompose(CROSS, rt.Box(-1, 1, dim=2), enumerator="exact")
    part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted", seed=0)
    for table in (complex_.regions_table, complex_.neurons_table, part.table):
        with pytest.raises(
            MissingExtraError, match=r"needs the package 'pandas'.*relutopo\[tables"
        ):
            table()


def test_sides_have_names() -> None:
    box = rt.Box(-1, 1, dim=2)
    assert [box.side_name(s) for s in range(2)] == ["lower end of axis 0", "upper end of axis 0"]
    plane = rt.AffineSlice(np.zeros(3), np.eye(3)[:, :2])
    assert plane.side_name(3) == "upper end of axis 1"
    triangle = rt.Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
    assert triangle.side_name(2) == "side 2"
