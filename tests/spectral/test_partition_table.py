"""The table of a partition says what the partition and the points say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import relutopo as rt
from relutopo.errors import InputError
from relutopo.gallery import random_network

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-2, 2, (60, 2))
LABELS = np.array(["a", "b", "c"])[RNG.integers(0, 3, 60)]


def partition_of(n_outputs: int) -> rt.FiedlerPartition:
    network = random_network([2, 5, n_outputs], 0)
    complex_ = rt.decompose(network, rt.Box(-1.5, 1.5, dim=2), enumerator="exact")
    return rt.fiedler_partition(complex_.dual_graph(), POINTS)


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_each_region_has_its_row(n_outputs: int) -> None:
    part = partition_of(n_outputs)
    table = part.table(POINTS, LABELS)
    regions = part.locate(POINTS)
    np.testing.assert_array_equal(table.part, part.sides)
    np.testing.assert_array_equal(table.fiedler, part.vector)
    np.testing.assert_array_equal(table.n_points, part.counts)
    np.testing.assert_array_equal(table.vertex_weight, 1 + part.counts)
    row: Any
    for region, row in table.iterrows():
        here = LABELS[regions == region]
        assert row.n_points == len(here)
        for label in "abc":
            share = np.mean(here == label) if len(here) else np.nan
            np.testing.assert_allclose(row[f"share_{label}"], share)
    outputs = part.complex.network(part.complex.interior_points)
    if n_outputs == 1:
        np.testing.assert_array_equal(table.decision, outputs[:, 0] > 0)
    else:
        np.testing.assert_array_equal(table.decision, outputs.argmax(axis=1))
    assert ("is_crossed" in table) == (n_outputs < 3)
    if n_outputs < 3:
        assert table.is_crossed.sum() == part.decision_agreement().n_crossed


def test_without_points_those_of_the_partition_count() -> None:
    part = partition_of(1)
    np.testing.assert_array_equal(part.table().n_points, part.counts)
    assert not [name for name in part.table() if str(name).startswith("share")]


def test_values_have_means() -> None:
    part = partition_of(1)
    table = part.table(POINTS, POINTS[:, 0])
    regions = part.locate(POINTS)
    full = np.flatnonzero(table.n_points)
    means = [POINTS[regions == region, 0].mean() for region in full]
    np.testing.assert_allclose(table.mean_label[full], means)
    assert table.mean_label[table.n_points == 0].isna().all()


def test_found_regions_have_a_table_without_decisions() -> None:
    search = rt.search_regions(random_network([2, 5, 1], 0), rt.Box(-1, 1, dim=2))
    table = rt.fiedler_partition(search.graph, vertex_weights="unweighted").table()
    assert "decision" not in table
    assert len(table) == search.graph.n_nodes


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (None, LABELS, "`points` must be given with `labels`, got None"),
        (POINTS, LABELS[:9], "`labels` must have one entry for each of the 60 points, got 9"),
        (POINTS[:, :1], LABELS, r"`points` must have shape \(n, 2\)"),
        (POINTS, [None, *LABELS[1:]], "missing"),
    ],
)
def test_what_does_not_fit_is_said(points: Any, labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        partition_of(1).table(points, labels)


def test_parts_of_a_spectral_partition_have_the_same_table() -> None:
    part = rt.spectral_partition(partition_of(1).graph, POINTS, k=3)
    table = part.table(POINTS, LABELS)
    of_sides = partition_of(1).table(POINTS, LABELS)
    np.testing.assert_array_equal(table.part, part.parts)
    np.testing.assert_array_equal(table[["vector_1", "vector_2"]], part.vectors)
    same = [name for name in of_sides if name not in ("part", "fiedler", "vertex_weight")]
    pd.testing.assert_frame_equal(table[same], of_sides[same])
    assert set(rt.columns(table)) >= {"part", "vector_1", "vector_2", "n_points"}
