"""Tables and figures of sweeps: values in their order, many of them in a few lines."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from rich.console import Console
from rich.table import Table

from relutopo.app.jobs.folder import JobFolder, JobRecord
from relutopo.app.jobs.identity import Identity
from relutopo.app.sweeps.plots import plot_measure
from relutopo.app.sweeps.summary import _best, _counts, _measured, _ranges
from relutopo.app.sweeps.sweep import Sweep
from relutopo.reports.text import natural_sort


def sweep(values: list[object], n_seeds: int = 2) -> pd.DataFrame:
    """A table of jobs."""
    rows = [(value, i + seed / 10) for i, value in enumerate(values) for seed in range(n_seeds)]
    return pd.DataFrame(rows, columns=["key", "measure"])


def panel(values: list[object], n_seeds: int = 2) -> Axes:
    (ax,) = plot_measure(sweep(values, n_seeds), ["key"], "measure").axes
    return ax


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_numbers_within_text_are_sorted_by_size(sizes: list[int]) -> None:
    assert natural_sort([f"[{n},8]" for n in sizes]) == [f"[{n},8]" for n in sorted(sizes)]


def folder_of(jobs: Path, hidden: list[int], seed: int) -> JobFolder:
    """The folder of a job that has begun."""
    values = {
        "analysis": {"name": "partition"},
        "seed": seed,
        "training_dir": None,
        "data": {"name": "two_moons"},
        "network": {"hidden": hidden},
    }
    overrides = [f"network.hidden={hidden}", f"seed={seed}"]
    record = JobRecord(Identity.of("two_moons", values), {}, overrides)
    folder = JobFolder(jobs / record.identity.id)
    folder.begin(record)
    return folder


def test_jobs_stand_in_the_order_in_which_their_values_grow(tmp_path: Path) -> None:
    settings = [([8], 0), ([8], 1), ([8, 8], 0), ([16, 4], 9), ([16, 4], 10), ([128], 0)]
    for hidden, seed in settings:
        folder_of(tmp_path / "jobs", hidden, seed)
    swept = Sweep.open(tmp_path).swept
    assert swept["network.hidden"] == ["[8]", "[8]", "[8,8]", "[16,4]", "[16,4]", "[128]"]
    assert swept["seed"] == [seed for _, seed in settings]


def measured(
    directory: Path, jobs: list[tuple[list[int], int, float]], measure: str | None = "delay"
) -> str:
    """What is told of a measure of a sweep's jobs, as words; NaN is unknown."""
    for hidden, seed, value in jobs:
        folder_of(directory / "jobs", hidden, seed).finish({}, {"delay": value, "n_regions": 7.0})
    sweep = Sweep.open(directory)
    parts = _measured(sweep.overview(), sweep, "partition", measure, least=False)
    file = io.StringIO()
    Console(file=file, width=200, color_system=None).print(*parts, sep="\n")
    return " ".join(file.getvalue().split())


def test_of_one_job_the_measure_is_told_without_a_table(tmp_path: Path) -> None:
    assert measured(tmp_path, [([8], 0, 1.5)]) == "delay: 1.5"


NAN = float("nan")


def test_values_for_which_a_measure_is_unknown_are_named_below_the_table(tmp_path: Path) -> None:
    jobs = [([8], 0, NAN), ([8], 1, NAN), ([8, 8], 0, NAN), ([16], 0, 1.0), ([16], 1, 3.0),
            ([128], 0, 5.0), ([128], 1, NAN)]  # fmt: skip
    words = measured(tmp_path, jobs)
    assert "network.hidden jobs mean sd least greatest" in words
    assert "[16] 2 2 1.414 1 3 [128] 1 of 2 5 - 5 5" in words
    assert words.count("No job has a delay where network.hidden is [8], [8,8].") == 1


def test_one_number_a_value_has_no_spread(tmp_path: Path) -> None:
    words = measured(tmp_path, [([8], 0, 0.5), ([8, 8], 0, 1.5), ([16], 1, 2.5)])
    assert (
        words
        == "delay against network.hidden network.hidden jobs mean [8] 1 0.5 [8,8] 1 1.5 [16] 1 2.5"
    )


@pytest.mark.slow
def test_a_measure_that_stands_in_for_another_is_told(tmp_path: Path) -> None:
    words = measured(tmp_path, [([8], 0, NAN), ([8], 1, NAN)], measure=None)
    assert "No job has a delay; shown is the next, n_regions. n_regions against seed" in words
    assert "n_regions." not in measured(tmp_path, [([8], 0, 1.0), ([8], 1, NAN)], measure=None)
    named = measured(tmp_path, [([8], 0, NAN), ([8], 1, NAN)], measure="n_regions")
    assert "No job has a" not in named


@pytest.mark.parametrize(
    ("name", "least", "first"),
    [("delay", False, "4"), ("delay", True, "1"), ("seconds", False, "1"),
     ("fiedler_seconds", False, "1"), ("train_loss", False, "1")],
)  # fmt: skip
def test_of_seconds_and_losses_the_least_are_the_best(name: str, least: bool, first: str) -> None:
    rows = pd.DataFrame({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2], name: [2.0, 1.0, 4.0, 3.0]})
    title, grid = _best(rows, ["a", "b"], name, least)
    assert f"the {'least' if first == '1' else 'greatest'} mean {name} first" in str(title)
    assert isinstance(grid, Table)
    assert next(iter(grid.columns[-1].cells)) == first


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([{"relutopo": "1"}, {"relutopo": "1", "others": "1.2"}], []),
        ([{"relutopo": "1"}, {"relutopo": "2", "others": "1.2"}], ["2 versions of relutopo"]),
        ([{"relutopo": "1", "others": v} for v in ("1.2", "1.3")], ["2 versions of others"]),
    ],
)
def test_versions_are_compared_package_by_package(
    tmp_path: Path, codes: list[dict[str, str]], told: list[str]
) -> None:
    for seed, code in enumerate(codes):
        values = {"analysis": {"name": "partition"}, "seed": seed}
        record = JobRecord(Identity("two_moons", values, code), {}, [f"seed={seed}"])
        folder = JobFolder(tmp_path / "jobs" / record.identity.id)
        folder.begin(record)
        folder.finish({}, {"delay": 1.0})
    sweep = Sweep.open(tmp_path)
    lines = [line for line in _counts(sweep, sweep.overview()) if "version" in line]
    assert lines == [f"[yellow]results of {text} stand here[/yellow]" for text in told]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([16, 32, 64], "linear"),
        ([16, 32, 256], "log"),
        ([0.001, 0.01], "log"),
        ([0.0, 0.01, 1.0], "symlog"),
        ([-1.0, 0.01, 1.0], "linear"),
        ([0], "linear"),
    ],
)
def test_numbers_that_span_a_power_of_ten_get_a_logarithmic_axis(
    values: list[object], scale: str
) -> None:
    assert panel(values).get_xscale() == scale


@pytest.mark.parametrize("values", [[0, 1], [1, 2], [3], list(range(0, 14, 2))])
def test_integers_have_no_fractional_ticks(values: list[object]) -> None:
    ticks = panel(values).get_xticks()
    assert len(ticks)
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_names_stand_in_their_order_and_do_not_overlap() -> None:
    figure = plot_measure(sweep([f"[{n},{n}]" for n in range(39, 1, -1)]), ["key"], "measure")
    (ax,) = figure.axes
    figure.draw_without_rendering()
    labels = ax.get_xticklabels()
    assert [label.get_text() for label in labels] == [f"[{n},{n}]" for n in range(2, 40)]
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_mean_is_drawn_where_there_are_several_jobs() -> None:
    def means(ax: Axes) -> list[float]:
        return [y for lines in ax.containers for y in lines[0].get_ydata()]

    assert means(panel(["a", "b"])) == pytest.approx([0.05, 1.05])
    assert means(panel(["a", "b"], n_seeds=1)) == []


@pytest.mark.parametrize("sorted_values", [np.geomspace(1e-6, 10, 50), np.linspace(-20, 20, 50)])
def test_many_numbers_are_told_in_ranges_that_hold_alike_many_jobs(sorted_values: Any) -> None:
    values = pd.Series(np.random.default_rng(0).permutation(sorted_values))
    ranges = _ranges(values)
    assert ranges.value_counts().tolist() == [10] * 5
    for text, group in values.groupby(ranges):
        low, high = map(float, str(text).split(" to "))
        assert (low, high) == pytest.approx((group.min(), group.max()), rel=1e-3)
    assert natural_sort(ranges.unique()) == list(dict.fromkeys(ranges[values.sort_values().index]))
    few = pd.Series([1, 2, 3] * 10)
    assert _ranges(few) is few
