"""What the summaries of the homology analysis claim follows from the numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from rich.console import Console, RenderableType
from rich.table import Table

import relutopo as rt
from relutopo.analyses import homology_summary
from relutopo.analyses.association import KINDS
from relutopo.errors import InputError
from relutopo.learning.spikes import Spike
from relutopo.plots import plot_betti_curves, plot_complexes, plot_spike_timeline

SPIKES = [Spike(10, 11, 12, np.log(3)), Spike(40, 41, 41, np.log(5))]
NAN = float("nan")


def text(parts: Sequence[RenderableType]) -> str:
    """Render as plain words."""
    file = io.StringIO()
    Console(file=file, width=200, color_system=None).print(*parts, sep="\n")
    return " ".join(file.getvalue().split())


def table(**columns: Any) -> pd.DataFrame:
    """Five checkpoints of a run in which everything goes well, but for the given columns."""
    values: dict[str, Any] = {
        "step": [0, 20, 40, 60, 80],
        "is_regular": True,
        "n_cells": [4000, 3600, 3200, 2800, 3000],
        "euler": 1,
        "betti_0": 1,
        "betti_1": 0,
        "betti_2": 0,
        "enumeration_status": "certified",
        "filtration_status": "ok",
        "filtration": "random_closure",
        "n_filtrations": 5,
        "method": "z2",
        "enumerator": "cpu",
    }
    for k in (0, 1):
        values |= {f"betti_{k}_peak_value": 0.5, f"betti_{k}_peak_value_std": 0.1}
    return pd.DataFrame(values | columns)


def effects(**of_value: Any) -> pd.DataFrame:
    """Associations in which nothing happens, but for the given ones of the β0 peak value."""
    rows = []
    for signal in ("n_cells", "skeleton", "betti_0_peak_value", "betti_0_peak_index"):
        row: dict[str, Any] = {"signal": signal, "identity": "", "first": 10.0, "last": 5.0}
        row |= {"trend": -0.5, "n_spikes": 7, "n_compared": 6}
        for kind in KINDS:
            row |= {kind: 0.1, f"{kind}_low": -0.2, f"{kind}_high": 0.3}
        rows.append(row | (of_value if signal == "betti_0_peak_value" else {}))
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("numbers", "answer"),
    [
        ({}, "β0: No, the change over 6 spikes cannot be told from zero: +0.1000 [-0.2000,"),
        ({"change_high": -0.01}, "β0: No, it falls"),
        ({"change_low": 0.01}, "β0: It rises, but not beyond the cell counts"),
        ({"change_low": 0.01, "adjusted_change_low": 0.01}, "β0: Yes, in this run"),
        ({"change_low": NAN, "change_high": NAN}, "β0: no answer, too few spikes"),
        ({"n_compared": 0}, "β0: no answer, there are no spikes"),
        ({"identity": "V / (V + E + F)"}, "β0: no answer of its own, the value at its peak is V /"),
    ],
)
def test_the_verdict_follows_the_interval(numbers: dict[str, Any], answer: str) -> None:
    assert answer in text(homology_summary.run_summary(table(), effects(**numbers), SPIKES))


def test_spikes_and_cells_are_told_with_their_numbers() -> None:
    words = text(homology_summary.run_summary(table(), effects(), SPIKES))
    assert "has 2 spikes in 80 steps" in words
    assert "the largest at step 41: 5.0 times the median" in words
    assert "4,000 cells at the start and 3,000 at the end (ratio 0.75; least 2,800" in words
    assert "restate" not in words
    assert "no spikes in 80 steps" in text(homology_summary.run_summary(table(), effects(), []))


def test_identities_are_warned_of_in_words() -> None:
    same = effects(identity="V / (V + E + F)")
    words = text(homology_summary.run_summary(table(), same, SPIKES))
    assert "restate the cell counts exactly, on all 5 checkpoints" in words
    assert "β0 peak value = V / (V + E + F)" in words
    assert "V + E + F = 2E + 1" in words
    odd = text(homology_summary.run_summary(table(euler=[1, 1, 2, 1, 1]), same, SPIKES))
    assert "2E + 1" not in odd
    assert "has not the homology of a ball at step 40" in odd


def test_failures_and_doubts_are_told() -> None:
    doubtful = table(
        enumeration_status=["certified"] * 3 + ["uncertified"] * 2,
        filtration_status=["no decision boundary"] + ["ok"] * 4,
        betti_1=[0, 0, 0, 0, 1],
    )
    words = text(homology_summary.run_summary(doubtful, effects(), SPIKES))
    assert "2 complexes are not certified" in words
    assert "1 of 5 checkpoints have no filtration and are left out: no decision boundary" in words
    assert "has not the homology of a ball at step 80" in words


def sweep(changes: list[float], reducers: Sequence[str] = ("z2",)) -> tuple[Any, Any]:
    """One job for each seed and reducer, whose changes at spikes are given by seed."""
    tables, associations = [], []
    for reducer in reducers:
        for seed, change in enumerate(changes):
            labels: dict[str, Any] = {"job": f"{reducer}{seed}", "seed": seed, "reducer": reducer}
            tables.append(table(n_cells=1000 + seed).assign(**labels, seconds_homology=seed))
            associations.append(effects(change=change).assign(**labels))
    return pd.concat(tables), pd.concat(associations)


def test_the_seed_is_the_unit_of_a_sweep() -> None:
    words = text(homology_summary.sweep_summary(*sweep([0.1, 0.2, 0.3, 0.2, 0.2]), ["seed"]))
    assert "all jobs, 5 jobs cells end/start 0.50 [0.50, 0.50]" in words
    assert "Spearman(step, cells) -0.50 [-0.50, -0.50]; spikes 7.0 [7, 7]" in words
    # Mean 0.2, standard error 0.0316, t = 6.325 with four degrees of freedom, half width 0.0878.
    assert "β0 peak value +0.2000 [0.1122, 0.2878] +0.1000 5/5 0.062" in words
    assert "Of 4 changes 0.2 are expected to exclude zero by chance alone" in words


def test_settings_stand_in_the_order_of_their_values() -> None:
    rows, associations = sweep([0.1, 0.2, 0.3])
    widths = ["[8,8]", "[16]", "[128,128]"]
    for part in (rows, associations):
        part["width"] = part["seed"].map(dict(enumerate(widths)))
    words = text(homology_summary.sweep_summary(rows, associations, ["seed", "width"]))
    places = [words.index(f"{width}, 1 job") for width in widths]
    assert places == sorted(places)


def without_spikes(effects: pd.DataFrame, n_spikes: int = 0) -> pd.DataFrame:
    """The associations of runs with no spikes that can be compared with anything."""
    unknown = {f"{kind}{end}": NAN for kind in ("change", "adjusted_change")
               for end in ("", "_low", "_high")}  # fmt: skip
    return effects.assign(n_spikes=n_spikes, n_compared=0, **unknown)


def grids(parts: Sequence[RenderableType]) -> list[Table]:
    return [part for part in parts if isinstance(part, Table)]


def cells(grid: Table) -> np.ndarray[Any, Any]:
    """The cells of a table without its first column."""
    return np.array([list(column.cells) for column in grid.columns[1:]]).T


@pytest.mark.parametrize(
    ("n_spikes", "why"),
    [(0, "No loss spikes were found"), (3, "No loss spike has a checkpoint at its peak and quiet")],
)
def test_a_sweep_without_spikes_says_so_once_and_shows_what_is_known(
    n_spikes: int, why: str
) -> None:
    rows, associations = sweep([NAN] * 4)
    associations = without_spikes(associations, n_spikes)
    associations["raw"] = associations["seed"] / 10
    rows["width"], associations["width"] = (part["seed"] % 2 for part in (rows, associations))
    parts = homology_summary.sweep_summary(rows, associations, ["seed", "width"])
    words = text(parts)
    assert words.count(why) == words.count("nothing can be told about changes at spikes") == 1
    assert "settings" not in words
    assert "by chance" not in words
    assert ("no spikes" in words) == (n_spikes == 0)
    assert len(grids(parts)) == 2
    for i, grid in enumerate(grids(parts)):
        assert [column.header for column in grid.columns[1:]] == [
            "raw",
            "detrended",
            "cell counts out",
        ]
        # Widths 0 and 1 have the seeds 0, 2 and 1, 3.
        assert set(cells(grid)[:, 0]) == {[r"+0.10 \[0.00, 0.20]", r"+0.20 \[0.10, 0.30]"][i]}


def test_spikes_that_some_settings_have_are_compared_there() -> None:
    rows, associations = sweep([0.1, 0.2])
    with_spikes, without = (associations[associations["seed"] == seed] for seed in (0, 1))
    associations = pd.concat([with_spikes, without_spikes(without)])
    rows["width"], associations["width"] = rows["seed"], associations["seed"]
    parts = homology_summary.sweep_summary(rows, associations, ["seed", "width"])
    assert "No loss spikes were found in 1 of 2 settings: nothing can be told" in text(parts)
    assert "by chance alone" not in text(parts)  # of single jobs
    first, second = grids(parts)
    assert first.columns[1].header == "change at spikes"
    assert second.columns[1].header == "raw"


def test_signals_that_no_job_knows_are_named_and_fill_no_table() -> None:
    rows, associations = sweep([0.1, 0.2])
    associations = associations.assign(adjusted_change=NAN, adjusted=NAN)
    is_unknown = associations["signal"] == "betti_0_peak_value"
    associations.loc[is_unknown, ["raw", "detrended", "change"]] = NAN
    for effects in (associations, without_spikes(associations)):
        parts = homology_summary.sweep_summary(rows, effects, ["seed"])
        assert "β0 peak value, cell counts out" in text(parts).partition("unknown (")[2]
        (grid,) = grids(parts)
        assert list(grid.columns[0].cells) == ["all cells", "not regions", "β0 peak index"]
        assert not (cells(grid) == "-").any()


def test_a_run_without_spikes_has_no_columns_for_them() -> None:
    parts = homology_summary.run_summary(table(), without_spikes(effects()), [])
    correlations, values = grids(parts)
    assert correlations.columns[-1].header == "cell counts out"
    assert [column.header for column in values.columns] == ["", "first", "last"]
    assert "quiet steps" not in text(parts)
    _, changes = grids(homology_summary.run_summary(table(), effects(), SPIKES))
    assert [c.header for c in changes.columns[3:]] == ["change", "cell counts out"]


def test_reducers_are_compared_number_by_number() -> None:
    rows, associations = sweep([0.1, 0.2], ["z2", "phat"])
    words = text(homology_summary.sweep_summary(rows, associations, ["reducer", "seed"]))
    assert "reducers compared on 10 checkpoints: all numbers are equal on 10" in words
    rows = rows.reset_index(drop=True)
    rows.loc[3, "betti_1_peak_value"] += 1e-12
    words = text(homology_summary.sweep_summary(rows, associations, ["reducer", "seed"]))
    assert "all numbers are equal on 9" in words


def test_reducers_are_compared_where_there_are_two() -> None:
    """Whatever versions of the code they come from."""
    rows, associations = sweep([0.1], ["z2", "outside"])
    rows = rows.assign(code=rows["reducer"])
    swept = ["reducer", "seed"]
    words = text(homology_summary.sweep_summary(rows, associations, swept))
    assert "reducers compared on 5 checkpoints: all numbers are equal on 5" in words
    apart = rows.assign(seed=np.repeat([0, 1], 5))
    words = text(homology_summary.sweep_summary(apart, associations, swept))
    assert "no two reducers worked on the same checkpoint" in words


def diagram(seed: int) -> rt.Diagram:
    net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, -1.0]]], [[0.0, 0.1], [0.0]])
    complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    return rt.persistence(complex_, rt.filtration(complex_, "dimension_major", seed=seed))


@pytest.mark.slow
def test_the_time_line_has_a_mark_for_every_spike() -> None:
    loss = np.ones(81)
    loss[[30, 60]] = 5.0
    figure = plot_spike_timeline(table(), loss)
    assert len(figure.axes) == 3
    assert figure.axes[1].get_ylim()[0] == 0.0
    (marks,) = (line for line in figure.axes[0].lines if line.get_marker() == "v")
    assert np.asarray(marks.get_xdata()).tolist() == [30, 60]
    with pytest.raises(InputError, match="`table` must have a row for each checkpoint"):
        plot_spike_timeline(table().drop(columns="n_cells"), loss)


def test_panels_of_the_time_line_fill_it_without_spikes() -> None:
    figure = plot_spike_timeline(table(), np.linspace(2.0, 1.0, 81))
    figure.draw_without_rendering()
    boxes = [ax.get_position() for ax in figure.axes]
    assert sum(box.height for box in boxes) > 0.6
    assert all(low.y1 < high.y0 for high, low in pairwise(boxes))


def test_curves_are_drawn_with_their_peaks() -> None:
    found = {0: diagram(0), 100: diagram(1)}
    figure = plot_betti_curves(found)
    for k, ax in enumerate(figure.axes):
        for i, one in enumerate(found.values()):
            curve, mark = ax.lines[2 * i], ax.lines[2 * i + 1]
            top = one.betti_curve(k).peak()
            assert np.asarray(curve.get_ydata()).max() == top.height
            assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (top.value, top.height)  # type: ignore[index]
    with pytest.raises(InputError, match="`diagrams` must have at least one diagram"):
        plot_betti_curves({})


def test_complexes_share_one_colour_scale() -> None:
    nets = [([[[1.0, 0.0], [0.0, 1.0]], [[s, -s]]], [[0.0, 0.1], [0.0]]) for s in (1.0, 4.0)]
    complexes = [rt.decompose(n, rt.Box(-1, 1, dim=2), enumerator="exact") for n in nets]
    figure = plot_complexes(complexes, ["a", "b"])
    assert isinstance(figure, Figure)
    limits = {
        c.get_clim() for ax in figure.axes[:2] for c in ax.collections if c.get_array() is not None
    }
    assert len(limits) == 1
    with pytest.raises(InputError, match="`complexes` must have at least one"):
        plot_complexes([], [])
    kink = ([[[1.0, 0.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    cube = rt.decompose(kink, rt.Box(-1, 1, dim=3), enumerator="exact")
    with pytest.raises(InputError, match="dimension 1 or 2"):
        plot_complexes([cube], ["a"])
    with pytest.raises(InputError, match="`titles` must have one entry for each of the 2"):
        plot_complexes(complexes, ["a"])
