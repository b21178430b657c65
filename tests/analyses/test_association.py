"""Statistics on made-up series whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from relutopo.analyses.association import (
    COLUMNS_OF_ASSOCIATIONS,
    Estimate,
    associations,
    change_at_spikes,
    identity,
    over_runs,
    residuals,
    signals,
    spearman,
)
from relutopo.errors import InputError
from relutopo.learning.spikes import Spike

RNG = np.random.default_rng(0)


def autoregression(n: int, coefficient: float, rng: np.random.Generator) -> np.ndarray:
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = coefficient * x[i - 1] + rng.normal()
    return x


def test_spearman_is_scipys() -> None:
    x, y = RNG.normal(size=(2, 80)).round(1)  # with ties
    assert spearman(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert np.isnan(spearman(np.ones(10), np.arange(10.0)).value)
    assert spearman(x, y, seed=1) == spearman(x, y, seed=1)


@pytest.mark.slow
def test_intervals_of_dependent_series_cover_zero_where_independence_would_not() -> None:
    """Two independent, slowly varying series: blocks know, single points do not."""
    rng = np.random.default_rng(1)
    blocks, naive, n_pairs = 0, 0, 60
    for _ in range(n_pairs):
        x, y = autoregression(300, 0.8, rng), autoregression(300, 0.8, rng)
        blocks += spearman(x, y).sign == 0
        naive += stats.spearmanr(x, y).pvalue > 0.05
    assert blocks / n_pairs > 0.8
    assert naive < blocks


def test_an_interval_excludes_zero_where_series_go_together() -> None:
    x = autoregression(400, 0.5, RNG)
    assert spearman(x, x + 0.5 * RNG.normal(size=400)).sign == 1
    assert spearman(x, -x + 0.5 * RNG.normal(size=400)).sign == -1


def test_residuals_forget_the_covariates() -> None:
    x = RNG.normal(size=(100, 2))
    rest = RNG.normal(size=100)
    rest -= (
        np.column_stack([np.ones(100), x])
        @ np.linalg.lstsq(np.column_stack([np.ones(100), x]), rest)[0]
    )
    np.testing.assert_allclose(residuals(3 + x @ [2.0, -5.0] + rest, x), rest, atol=1e-12)
    fitted = np.arange(100) < 60  # exact on the fitted rows, and carried on to the others
    np.testing.assert_allclose(residuals(3 + x @ [2.0, -5.0], x, fitted), 0, atol=1e-12)


def made_up_spikes(n_spikes: int) -> list[Spike]:
    return [Spike(t - 1, t, t + 1, 1.0) for t in range(103, 103 + 120 * n_spikes, 120)]


def test_a_change_at_spikes_is_found_with_its_size_whatever_the_trend() -> None:
    steps = np.union1d(np.arange(0, 1500, 5), [s.peak for s in made_up_spikes(10)])
    values = 0.01 * steps + 0.05 * RNG.normal(size=len(steps))
    peaks = np.isin(steps, [s.peak for s in made_up_spikes(10)])
    estimate, n = change_at_spikes(values + 0.3 * peaks, steps, steps % 5 == 0, made_up_spikes(10))
    assert n == 10
    assert estimate.low < 0.3 < estimate.high
    assert estimate.sign == 1
    none, _ = change_at_spikes(values, steps, steps % 5 == 0, made_up_spikes(10))
    assert none.sign == 0


def test_quiet_steps_are_those_outside_of_all_spikes() -> None:
    steps, values = np.arange(0, 60, 5), np.zeros(12)
    values[[4, 5, 6]] = 1.0, 7.0, 7.0  # 20 is a peak; 25 and 30 belong to the next spike
    spikes = [Spike(20, 20, 20, 1.0), Spike(24, 31, 33, 1.0)]
    estimate, n = change_at_spikes(values, steps, np.ones(12, dtype=bool), spikes)
    assert (estimate.value, n) == (1.0, 1)  # the second peak has no checkpoint


def test_few_or_no_spikes_give_no_interval() -> None:
    steps = np.union1d(np.arange(0, 1500, 5), [s.peak for s in made_up_spikes(4)])
    estimate, n = change_at_spikes(steps, steps, steps % 5 == 0, made_up_spikes(4))
    assert n == 4
    assert np.isnan([estimate.low, estimate.high]).all()
    assert estimate.sign == 0
    nothing, n = change_at_spikes(steps, steps, steps % 5 == 0, [])
    assert n == 0
    assert np.isnan(nothing.value)


def test_runs_are_tested_as_scipy_tests_them() -> None:
    x = RNG.normal(0.5, 1, size=9)
    test = over_runs(np.append(x, np.nan))
    reference = stats.ttest_1samp(x, 0)
    interval = reference.confidence_interval(0.95)
    assert test.n == 9
    assert (test.mean, test.t_p) == pytest.approx((x.mean(), reference.pvalue))
    assert (test.low, test.high) == pytest.approx((interval.low, interval.high))
    assert test.n_positive == np.sum(x > 0)
    assert over_runs([1.0] * 12).sign_p == pytest.approx(2 / 2**12)
    assert over_runs([1.0, 0.0, -1.0]).sign_p == 1
    for without_spread in ([2.0], [2.0, 2.0, 2.0], [0.1] * 3):
        test = over_runs(without_spread)
        assert test.mean == pytest.approx(without_spread[0])
        assert np.isnan([test.low, test.high, test.t_p]).all()
    assert over_runs([]).n == 0


def made_up_table(n: int = 300, **columns: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Checkpoints every 5 steps and at ten spikes, whose cell counts fluctuate freely."""
    rng = np.random.default_rng(2)
    spikes = made_up_spikes(10)
    steps = np.union1d(np.arange(0, 5 * n, 5), [s.peak for s in spikes])
    loss = np.exp(0.1 * rng.normal(size=5 * n))
    for spike in spikes:
        loss[spike.start : spike.stop + 1] = 4, 9, 4
    v, f = rng.integers(800, 1000, (2, len(steps)))
    table = {
        "step": steps,
        "is_regular": steps % 5 == 0,
        "n_cells_0": v,
        "n_cells_1": v + f - 1,
        "n_cells_2": f,
        "n_cells": 2 * (v + f) - 1,
        "n_regions": f,
    }
    for name, values in columns.items():
        table[name] = values(v, f, loss[steps]) if callable(values) else values
        table[f"{name}_std"] = 0.0
    return pd.DataFrame(table), loss


@pytest.mark.slow
def test_identities_are_recognised_and_left_unadjusted() -> None:
    table, loss = made_up_table(
        betti_0_peak_index=lambda v, f, _: v * 1.0,
        betti_1_peak_index=lambda v, f, _: 2.0 * v + f - 1,
        betti_1_peak_height=lambda v, f, _: f * 1.0,
        betti_1_peak_value=lambda v, f, _: (2 * v + f - 1) / (2 * v + 2 * f - 1),
        betti_0_peak_value=lambda v, f, _: v / (2 * v + 2 * f - 1) + 1e-9,
    )
    rows = associations(table, loss)
    assert all(list(row) == [column.name for column in COLUMNS_OF_ASSOCIATIONS] for row in rows)
    found = {row["signal"]: row for row in rows}
    assert found["betti_0_peak_index"]["identity"] == "V"
    assert found["betti_1_peak_index"]["identity"] == "V + E"
    assert found["betti_1_peak_height"]["identity"] == "F"
    assert found["betti_1_peak_value"]["identity"] == "(V + E) / (V + E + F)"
    assert found["betti_0_peak_value"]["identity"] == ""  # nearly is not exactly
    assert np.isnan(found["betti_0_peak_index"]["adjusted"])
    assert np.isfinite(found["betti_0_peak_value"]["adjusted"])
    for column in ("raw", "change"):  # the skeleton is the number at which β1 peaks
        assert found["skeleton"][column] == found["betti_1_peak_index"][column]


def test_one_row_that_differs_is_no_identity() -> None:
    table, _ = made_up_table(betti_0_peak_index=lambda v, f, _: v * 1.0)
    assert identity(table, "betti_0_peak_index") == "V"
    table.loc[17, "betti_0_peak_index_std"] = 0.5
    assert identity(table, "betti_0_peak_index") == ""
    table.loc[17, ["betti_0_peak_index_std", "betti_0_peak_index"]] = 0.0, 1.0
    assert identity(table, "betti_0_peak_index") == ""


@pytest.mark.slow
def test_what_the_cell_counts_explain_vanishes_and_the_rest_stays() -> None:
    """One signal follows the counts and nothing else, the other the counts and the loss."""
    noise = np.random.default_rng(3).normal(size=1000)
    table, loss = made_up_table(
        betti_0_peak_value=lambda v, f, loss: np.log(v) + 1e-3 * noise[: len(v)],
        betti_1_peak_value=lambda v, f, loss: np.log(v) + 0.2 * np.log(loss),
    )
    found = {row["signal"]: row for row in associations(table, loss)}
    only, both = found["betti_0_peak_value"], found["betti_1_peak_value"]
    assert only["n_spikes"] == only["n_compared"] == 10
    assert Estimate(only["adjusted"], only["adjusted_low"], only["adjusted_high"]).sign == 0
    assert both["adjusted"] == pytest.approx(1, abs=0.01)
    assert both["adjusted_change_low"] < 0.2 * np.log(9) < both["adjusted_change_high"] + 0.05
    assert both["adjusted_change_low"] > 0.3


def test_a_shared_trend_is_in_raw_and_not_in_detrended() -> None:
    table, loss = made_up_table(total_persistence_0=1.0)
    steps = np.arange(len(loss))
    loss *= np.exp(-steps / 300)
    noise = np.random.default_rng(4).normal(size=len(table))
    table["total_persistence_0"] = np.exp(-table["step"] / 1000 + 0.02 * noise)
    (row,) = (r for r in associations(table, loss) if r["signal"] == "total_persistence_0")
    assert row["raw"] > 0.9
    assert row["detrended_low"] < 0 < row["detrended_high"]
    assert row["trend"] < -0.9


def test_nothing_is_detrended_where_checkpoints_are_far_apart_or_uneven() -> None:
    table, loss = made_up_table(total_persistence_0=1.0)
    loss *= np.exp(-np.arange(len(loss)) / 300)
    table["total_persistence_0"] = loss[table["step"]]
    for keep in (table["step"] % 40 == 0, table["step"].isin([0, 5, 10, 20, 40, 80, 160, 320])):
        chosen = table.assign(is_regular=keep)
        (row,) = (r for r in associations(chosen, loss) if r["signal"] == "total_persistence_0")
        assert row["raw"] == pytest.approx(1)
        assert np.isnan(row["detrended"])


def test_signals_are_the_named_columns_and_missing_values_are_left_out() -> None:
    table, loss = made_up_table(betti_0_peak_value=lambda v, f, loss: 0.5 + 0.1 * np.log(loss))
    assert set(signals(table)) == {"n_cells", "skeleton", "betti_0_peak_value"}
    table.loc[[3, 30], "betti_0_peak_value"] = np.nan
    (row,) = (r for r in associations(table, loss) if r["signal"] == "betti_0_peak_value")
    assert row["raw"] == pytest.approx(1)


def test_a_signal_that_is_never_known_goes_with_nothing() -> None:
    table, loss = made_up_table(betti_0_peak_value=lambda v, f, loss: np.full(len(v), np.nan))
    (row,) = (r for r in associations(table, loss) if r["signal"] == "betti_0_peak_value")
    assert np.isnan([row["raw"], row["detrended"], row["change"]]).all()


def test_a_table_without_regular_checkpoints_is_refused() -> None:
    table, loss = made_up_table()
    with pytest.raises(InputError, match="must have evenly spaced checkpoints"):
        associations(table.assign(is_regular=False), loss)
