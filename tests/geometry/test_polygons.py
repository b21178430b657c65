"""Polygons and zero sets of plane complexes, against closed forms and a slow reference."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from properties import examples
from relutopo import Box, CellComplex, ReluNetwork, decompose
from relutopo.errors import InputError
from relutopo.geometry.polygons import edge_vertices, polygons, zero_segments

BOX = Box([-2, -1], [2, 3])


def random_complex(seed: int, *, biases: float = 1.0) -> CellComplex:
    rng = np.random.default_rng(seed)
    widths = [2, *rng.integers(1, 6, size=rng.integers(1, 4)), 1]
    pairs = list(pairwise(widths))
    network = ReluNetwork(
        [rng.normal(size=(after, before)) for before, after in pairs],
        [biases * rng.normal(size=after) for _, after in pairs],
    )
    return decompose(network, BOX, enumerator="exact")


def lines(*normals: tuple[float, float], offsets: ArrayLike = 0.0) -> CellComplex:
    """Cut the box along the lines n·x + c = 0."""
    w = np.array(normals)
    network = ReluNetwork(
        [w, np.ones((1, len(w)))], [np.broadcast_to(offsets, len(w)), np.zeros(1)]
    )
    return decompose(network, BOX, enumerator="exact")


def total_length(segments: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1).sum())


@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0]))
@examples(40)
def test_polygons_run_counterclockwise_along_the_edges_of_their_region(
    seed: int, biases: float
) -> None:
    complex_ = random_complex(seed, biases=biases)
    indptr, corners = polygons(complex_)
    edges = [frozenset(pair) for pair in edge_vertices(complex_).tolist()]
    facet_indptr, facets = complex_.facets[1]
    for region in range(complex_.n_regions):
        cycle = corners[indptr[region] : indptr[region + 1]]
        x, y = complex_.vertices[cycle].T
        shoelace = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
        assert shoelace == pytest.approx(complex_.volumes[region], rel=1e-9, abs=1e-12)
        sides = {
            frozenset(pair)
            for pair in zip(cycle.tolist(), np.roll(cycle, -1).tolist(), strict=True)
        }
        own = facets[facet_indptr[region] : facet_indptr[region + 1]]
        assert sides == {edges[e] for e in own}


def reference_length(complex_: CellComplex, values: NDArray[np.float64]) -> float:
    """Clip the line f = 0 of each region's affine map to the region, half-plane by half-plane."""
    total = 0.0
    for region in range(complex_.n_regions):
        corners = complex_.region_vertices(region)
        points = complex_.vertices[corners]
        design = np.column_stack([points, np.ones(len(points))])
        (a, b, c), *_ = np.linalg.lstsq(design, values[corners], rcond=None)
        normal = np.array([a, b])
        if np.linalg.norm(normal) < 1e-9:
            continue
        base, along = -c * normal / (normal @ normal), np.array([-b, a]) / np.linalg.norm(normal)
        low, high = -np.inf, np.inf
        for p, q in zip(points, np.roll(points, -1, axis=0), strict=True):
            inward = np.array([p[1] - q[1], q[0] - p[0]])
            slope, height = inward @ along, inward @ (base - p)
            if abs(slope) > 1e-12:
                low = max(low, -height / slope) if slope > 0 else low
                high = min(high, -height / slope) if slope < 0 else high
            elif height < 0:
                high = -np.inf
        total += max(high - low, 0.0)
    return total


@given(st.integers(0, 10_000))
@examples(60)
def test_zero_segments_of_random_networks_equal_clipped_lines(seed: int) -> None:
    complex_ = random_complex(seed)
    segments = zero_segments(complex_, complex_.network.decision_values(complex_.vertices))
    scale = np.abs(complex_.network.decision_values(complex_.vertices)).max()
    for t in (0.0, 0.3, 1.0):
        points = (1 - t) * segments[:, 0] + t * segments[:, 1]
        assert np.abs(complex_.network.decision_values(points)).max(initial=0) <= 1e-9 * scale
    expected = reference_length(complex_, complex_.network.decision_values(complex_.vertices))
    assert total_length(segments) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: x - y, np.hypot(3, 3)),  # a line across regions, from (-1, -1) to (2, 2)
        (lambda x, y: np.abs(x) - 0.5, 8.0),
        (lambda x, y: np.abs(x), 4.0),  # along edges, both neighbours positive: once
        (lambda x, y: -np.abs(x), 4.0),
        (lambda x, y: x, 4.0),  # along edges, with a change of sign
        (lambda x, y: np.maximum(x, 0), 4.0),  # zero on half of the box: the border inside it
        (lambda x, y: np.abs(x) + np.abs(y) - 0.75, 4 * 0.75 * np.sqrt(2)),  # a diamond
        (lambda x, y: np.abs(x) - np.abs(y), 6 * np.sqrt(2)),  # two legs down to -1, two up to 2
        (lambda x, y: 1 + np.abs(x), 0.0),
        (lambda x, y: 0 * x, 0.0),  # zero everywhere: no border inside the box
    ],
)
def test_zero_segments_have_the_closed_form_length(
    function: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    expected: float,
) -> None:
    complex_ = lines((1, 0), (0, 1))
    segments = zero_segments(complex_, function(*complex_.vertices.T))
    assert total_length(segments) == pytest.approx(expected)


def test_zero_segments_through_a_vertex_of_many_lines() -> None:
    angles = np.pi * np.arange(7) / 7
    complex_ = lines(*zip(np.cos(angles), np.sin(angles), strict=True))
    assert complex_.n_regions == 14
    x, y = complex_.vertices.T
    segments = zero_segments(complex_, y - 0.3 * x)
    assert total_length(segments) == pytest.approx(4 * np.hypot(1, 0.3))


def test_zero_segments_ignore_rounding_errors_along_an_edge() -> None:
    normal = np.array([np.cos(0.3), np.sin(0.3)])
    complex_ = lines((normal[0], normal[1]), (1, 0), (0, 1))
    segments = zero_segments(complex_, np.abs(complex_.vertices @ normal))
    assert total_length(segments) == pytest.approx(4 / np.cos(0.3))  # from y = -1 to y = 3


def test_errors_name_the_remedy() -> None:
    complex_ = lines((1, 0))
    with pytest.raises(InputError, match=r"`values` must be 6 finite numbers.*shape \(3,\)"):
        zero_segments(complex_, [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="`values` must be 6 finite numbers"):
        zero_segments(complex_, np.full(6, np.nan))
    kink = decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), Box(-1, 1, dim=1), enumerator="exact")
    with pytest.raises(InputError, match="must have dimension 2 to be drawn, got dimension 1"):
        polygons(kink)
