"""Costs against sizes: the fit, the measured rows, and a sweep that ends with laws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from relutopo.analyses.scale import Scale, laws
from relutopo.errors import InputError, LimitReachedError
from relutopo.gallery import random_network
from relutopo.plots import plot_scaling
from relutopo.reports.power_laws import fit_power_law


@given(
    exponent=st.floats(-3, 3),
    factor=st.floats(1e-9, 1e3),
    sizes=st.lists(st.integers(1, 10**7), min_size=2, max_size=8, unique=True),
)
def test_a_power_law_is_found_again(exponent: float, factor: float, sizes: list[int]) -> None:
    law = fit_power_law(sizes, factor * np.array(sizes, dtype=float) ** exponent)
    assert law is not None
    np.testing.assert_allclose(law.exponent, exponent, atol=1e-6)
    np.testing.assert_allclose(law(sizes), factor * np.array(sizes, dtype=float) ** exponent)
    assert law.spread == pytest.approx(1.0, abs=1e-6)
    assert law.n == len(sizes)


def test_the_spread_is_that_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1, 1e6, 2000)
    law = fit_power_law(sizes, sizes * np.exp(rng.normal(0, np.log(1.5), 2000)))
    assert law is not None
    assert law.exponent == pytest.approx(1.0, abs=0.01)
    assert law.spread == pytest.approx(1.5, rel=0.05)


def test_one_size_has_no_law_and_bad_numbers_are_refused() -> None:
    assert fit_power_law([5, 5], [1.0, 2.0]) is None
    with pytest.raises(InputError, match="`costs` must be positive and finite"):
        fit_power_law([1, 2], [1.0, 0.0])
    with pytest.raises(InputError, match=r"shapes \(2,\) and \(1,\)"):
        fit_power_law([1, 2], [1.0])


def test_random_networks_have_the_ranges_that_they_promise() -> None:
    network = random_network([3, 400, 200, 1], seed=1, kind="uniform")
    assert network.layer_sizes == (400, 200)
    for w, b in zip(network.weights, network.biases, strict=True):
        bound = np.sqrt(6 / w.shape[1])
        assert np.abs(w).max() <= bound
        assert np.abs(b).max() <= 1 / np.sqrt(w.shape[1])
        if w.size > 1000:  # uniform: the variance is a third of the bound's square
            assert np.abs(w).max() > 0.99 * bound
            assert w.var() == pytest.approx(bound**2 / 3, rel=0.1)
    again = random_network([3, 400, 200, 1], seed=1, kind="uniform")
    np.testing.assert_array_equal(network.weights[1], again.weights[1])
    other = random_network([3, 400, 200, 1], seed=2, kind="uniform")
    assert (network.weights[0] != other.weights[0]).all()
    with pytest.raises(InputError, match="`sizes` must be a sequence of at least 2 integers"):
        random_network([2])
    with pytest.raises(InputError, match=r"`width` must be an integer from 1, got 0"):
        Scale(width=0)


def test_a_row_is_that_of_the_network() -> None:
    scale = Scale(width=9, depth=2, dim=2, radius=3.0, rounds=1, seed=4)
    steps: list[str] = []

    def progress(done: int, total: int, /, message: str = "") -> None:
        steps.append(message)
        assert (done, total) == (len(steps), 5)

    row = scale.measure(progress)
    complex_ = rt.decompose(random_network([2, 9, 9, 1], 4, "uniform"), rt.Box(-3, 3, dim=2))
    assert (row["n_regions"], row["n_cells"]) == (complex_.n_regions, sum(complex_.n_cells))
    assert row["n_edges"] == complex_.dual_graph().n_edges
    part = rt.fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    assert row["fiedler_value"] == pytest.approx(part.value, rel=1e-9)
    # Every cell is in a pair, but for the one class of a ball.
    assert 2 * row["n_pairs"] + 1 == row["n_cells"]
    assert steps == ["enumeration", "graph", "fiedler", "filtration", "reduction"]
    assert all(0 < row[f"seconds_{step}"] < np.inf for step in steps)


def test_the_limit_of_cells_holds() -> None:
    small = Scale(width=20, max_cells=50)
    with pytest.raises(LimitReachedError):
        small.measure()


def rows(**facts: Any) -> pd.DataFrame:
    """Rows of jobs whose steps cost 1, 2, ... µs for each region or cell."""
    n = np.array([100, 1000, 10000])
    steps = ("enumeration", "graph", "fiedler", "filtration", "reduction")
    sizes = dict(zip(steps, (n, n, n, 4 * n, 4 * n), strict=True))
    table = pd.DataFrame({"n_regions": n, "n_cells": 4 * n, "dim": 2, "depth": 1})
    table = table.assign(enumerator="cpu", eigensolver="arpack", reducer="z2")
    for i, step in enumerate(steps, start=1):
        table[f"seconds_{step}"] = i * 1e-6 * sizes[step]
    return table.assign(**facts)


def test_laws_are_those_of_each_setting() -> None:
    table = pd.concat([rows(), rows(depth=2, seconds_fiedler=[1e-3, 1e-2 * 10**0.5, 1e-1 * 10])])
    fitted = laws(table)
    assert len(fitted) == 10
    plain = fitted[(fitted["depth"] == 1)].set_index("step")
    np.testing.assert_allclose(plain["exponent"], 1.0)
    np.testing.assert_allclose(plain["factor"], [1e-6, 2e-6, 3e-6, 4e-6, 5e-6])
    counts = plain[["least", "greatest", "n_jobs"]].to_numpy()
    assert counts[-1].tolist() == [400, 40000, 3]
    deep = fitted[(fitted["depth"] == 2) & (fitted["step"] == "fiedler")]
    assert float(deep["exponent"].iloc[0]) == pytest.approx(1.5)


def test_a_figure_has_a_panel_for_each_step_and_exponents_in_its_legends() -> None:
    sizes = [10, 100, 1000]
    curves = {"one": (sizes, [1e-6, 1e-5, 1e-4]), "other": ([10], [1e-3])}
    figure = plot_scaling({"first": curves, "second": {"one": curves["one"]}}, "regions")
    assert [ax.get_title() for ax in figure.axes] == ["first", "second"]
    assert {ax.get_xscale() for ax in figure.axes} == {"log"}
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["one: $n^{1.00}$", "other"]
    with pytest.raises(InputError, match="at least one entry"):
        plot_scaling({}, "regions")


@pytest.mark.slow
def test_a_sweep_ends_with_laws(tmp_path: Path, command: Callable[..., str]) -> None:
    arguments = ["experiment=scale", "analysis.width=6,12", "analysis.rounds=1", "seed=0,1"]
    assert "Cost against size" in command(tmp_path, "--multirun", *arguments)
    (sweep,) = (tmp_path / "multirun").iterdir()
    table = pd.read_parquet(sweep / "results.parquet")
    assert sorted(zip(table["width"], table["seed"], strict=True)) == [
        (6, 0), (6, 1), (12, 0), (12, 1),
    ]  # fmt: skip
    fitted = pd.read_parquet(sweep / "scaling.parquet")
    pd.testing.assert_frame_equal(fitted, laws(table))
    assert (sweep / "figures" / "scaling.png").is_file()
    assert not list(sweep.glob("**/training"))
