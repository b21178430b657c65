"""Columns are explained in Python as on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError
from relutopo.gallery import random_network

COMPLEX = rt.decompose(random_network([2, 5, 1], 0), rt.Box(-1, 1, dim=2), enumerator="exact")
POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 2))


def test_every_column_of_a_table_is_explained() -> None:
    part = rt.fiedler_partition(COMPLEX.dual_graph(), POINTS)
    for table in (
        COMPLEX.regions_table(POINTS),
        COMPLEX.neurons_table(POINTS),
        part.table(POINTS, POINTS[:, 0] > 0),
        part.table(POINTS, POINTS[:, 0]),
    ):
        found = rt.columns(table)
        assert list(found) == list(table)
        assert repr(found).startswith(f"{len(table.columns)} of {len(table.columns)} columns\n")
        assert all(found[name].is_named(name) for name in found)
    region = rt.columns("regions_table")["volume"]
    assert rt.columns(COMPLEX.regions_table())["volume"] == region


def test_the_row_of_an_analysis_is_explained() -> None:
    pandas = pytest.importorskip("pandas")
    kink = ([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]])
    found = rt.Partition(enumerator={"name": "exact"}).analyse(
        rt.as_network(kink), rt.two_moons(n=20)
    )
    table = pandas.DataFrame([found.row])
    assert list(rt.columns(table)) == list(table)


def test_names_of_tables() -> None:
    every = rt.columns()
    page = (Path(__file__).parents[2] / "docs" / "columns.md").read_text()
    assert len(every) == len(re.findall(r"^\| `", page, flags=re.MULTILINE))
    assert "partition.weighted_partition_accuracy" not in every
    for name in ("regions_table", "partition", "homology", "scale", "betti_peaks"):
        columns = rt.columns(name)
        assert {f"{name}.{column}" for column in columns} <= set(every)
        assert all(column.meaning in page for column in columns.of_names.values())
    assert "<th>volume</th>" in rt.columns("regions_table")._repr_html_()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("regions", "`table` must be a DataFrame or one of regions_table, .*got 'regions'"),
        (3, "`table` must be a DataFrame .*got 3;"),
        (COMPLEX, "`table` must be a DataFrame .*got CellComplex"),
    ],
)
def test_what_is_no_table(table: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.columns(table)


def test_tables_of_others_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match=r"must have columns that relutopo writes, got x, y"):
        rt.columns(pandas.DataFrame({"x": [1], "y": [2]}))
