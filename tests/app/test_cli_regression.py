"""The command's homology analysis, end to end, with tiny settings."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import Started, Strike
from relutopo.complex import load_complex

Command = Callable[..., str]
TINY = [
    "experiment=regression",
    "data.n=40",
    "network.hidden=[6,5]",
    "trainer.n_steps=60",
    "trainer.learning_rate=0.05",
    "analysis.n_filtrations=2",
]


def numbers(table: pd.DataFrame, *left_out: str) -> pd.DataFrame:
    return table[[c for c in table.columns if not c.startswith("seconds") and c not in left_out]]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """A folder in which one run was made."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "printed").write_text(command(folder, *TINY, "hydra.run.dir=outputs/first"))
    return folder


@pytest.mark.slow
def test_a_run_leaves_tables_figures_and_an_answer(workplace: Path) -> None:
    run = workplace / "outputs" / "first"
    table = pd.read_parquet(run / "results.parquet")
    assert set(table.loc[table["is_regular"], "step"]) == set(range(0, 61, 5))
    assert (table["is_spike"] <= (table["log_excess"] > np.log(2))).all()
    assert set(table["data"]) == {"bump"}
    assert set(table["reducer"]) == {"z2"}
    pd.testing.assert_frame_equal(table, pd.read_csv(run / "results.csv"), check_dtype=False)
    effects = pd.read_parquet(run / "associations.parquet")
    assert {"n_cells", "betti_0_peak_value", "betti_1_peak_index"} <= set(effects["signal"])
    assert load_complex(run / "complex.npz").n_regions == table["n_regions"].iloc[-1]
    assert np.abs(load_complex(run / "complex.npz").vertices).max() == 5
    for name in ("timeline", "betti_curves", "complexes"):
        for suffix in (".png", ".pdf"):
            assert (run / "figures" / name).with_suffix(suffix).stat().st_size > 1000
    question = "Do spikes of the training loss coincide with a rise of the filtration value"
    for text in ((workplace / "printed").read_text(), (run / "summary.txt").read_text()):
        assert question in " ".join(text.split())
        assert "reducer z2" in " ".join(text.split())
    assert json.loads((run / "config.json").read_text())["analysis"]["name"] == "homology"


@pytest.mark.slow
def test_the_dimension_major_order_is_told_to_restate_the_cell_counts(
    workplace: Path, command: Command
) -> None:
    printed = command(
        workplace, *TINY, "filtration=dimension_major", "training_dir=outputs/first/training",
        "figures=false", "hydra.run.dir=outputs/major",
    )  # fmt: skip
    words = " ".join(printed.split())
    table = pd.read_parquet(workplace / "outputs" / "major" / "results.parquet")
    assert (table["betti_1_peak_index"] == table["n_cells_0"] + table["n_cells_1"]).all()
    assert f"restate the cell counts exactly, on all {len(table)} checkpoints" in words
    assert "β1 peak index = V + E" in words
    assert "no answer of its own" in words


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_to_the_same_tables(
    workplace: Path, start: Callable[..., Started], fresh_command: Command
) -> None:
    arguments = [*TINY, "figures=false", "hydra.run.dir=outputs/stopped"]
    folder = workplace / "outputs" / "stopped"
    strike = Strike(signal.SIGINT, "outputs/stopped/training/analysis/*/step_*.json", 3)
    process = start(workplace, *arguments, strike=strike)
    process.wait(timeout=300)
    printed = process.printed()
    # `python -m` ends by the signal itself where that struck inside an `exec`, of a dataclass say.
    assert process.returncode in (130, -signal.SIGINT), printed
    assert "goes on from here" in printed
    assert not (folder / "results.parquet").exists()
    fresh_command(workplace, *arguments)
    for name in ("results", "associations"):
        first, resumed = (
            pd.read_parquet(workplace / "outputs" / run / f"{name}.parquet")
            for run in ("first", "stopped")
        )
        pd.testing.assert_frame_equal(numbers(first), numbers(resumed))


@pytest.mark.slow
def test_a_sweep_over_reducers_gives_equal_numbers_and_a_test_over_seeds(
    tmp_path: Path, command: Command
) -> None:
    printed = command(
        tmp_path, "--multirun", *TINY, "figures=false", "reducer=z2,phat",
        "filtration=dimension_major,random_closure", "seed=0,1",
    )  # fmt: skip
    (folder,) = (tmp_path / "multirun").iterdir()
    table = pd.read_parquet(folder / "results.parquet")
    assert len(table.groupby(["reducer", "filtration", "seed"])) == 8
    first, second = (
        numbers(rows, "job", "reducer", "method", "code").reset_index(drop=True)
        for _, rows in table.groupby("reducer")
    )
    pd.testing.assert_frame_equal(first, second)
    n = len(first)
    assert f"reducers compared on {n} checkpoints: all numbers are equal on {n}" in printed
    assert "2 jobs" in printed
    assert "= V + E" in printed
    major = table[table["filtration"] == "dimension_major"]
    v, e, f = (major[f"n_cells_{k}"] for k in range(3))
    assert (major["betti_0_peak_index"] == v).all()
    assert (major["betti_0_peak_height"] == v).all()
    assert (major["betti_1_peak_index"] == v + e).all()
    assert (major["betti_1_peak_height"] == f).all()
    assert (v + e + f == 2 * e + 1).all()
    effects = pd.read_parquet(folder / "associations.parquet")
    assert len(effects.groupby(["job", "reducer", "filtration", "seed"])) == 8


@pytest.mark.slow
def test_a_sweep_without_spikes_says_so_and_shows_what_there_is(
    tmp_path: Path, command: Command
) -> None:
    printed = command(
        tmp_path, "--multirun", *TINY[:3], "figures=false", "seed=0,1", "trainer.n_steps=40",
        "trainer.learning_rate=0.001",
    )  # fmt: skip
    (folder,) = (tmp_path / "multirun").iterdir()
    effects = pd.read_parquet(folder / "associations.parquet")
    assert not effects["n_spikes"].any()
    assert printed.count("No loss spikes were found") == 1
    assert not re.search(r"- +(- |0/0)", printed)  # neighbours in a row of dashes
    raw = effects.loc[effects["signal"] == "betti_0_peak_value", "raw"]
    row = rf"β0 peak value +{re.escape(f'{raw.mean():+.2f} [{raw.min():.2f}, {raw.max():.2f}]')}"
    assert re.search(row, printed)
    assert "shown is the next, betti_1_peak_value_detrended" in " ".join(printed.split())


@pytest.mark.slow
def test_a_sweep_may_mix_kinds_of_analysis(tmp_path: Path, command: Command) -> None:
    printed = command(
        tmp_path, "--multirun", *TINY[1:4], "experiment=regression,two_moons", "figures=false",
        "trainer.checkpoint_every=30", "trainer.n_checkpoints=2", "seed=0,1",
    )  # fmt: skip
    (folder,) = (tmp_path / "multirun").iterdir()
    table = pd.read_parquet(folder / "results.parquet")
    assert set(table["experiment"]) == {"regression", "two_moons"}
    assert "cells end/start" in printed
    assert "unweighted" in printed
    for measure, kind, other in (
        ("n_regions", "partition", "homology"),
        ("n_spikes", "homology", "partition"),
    ):
        printed = command(tmp_path, "summarize", str(folder), "--measure", measure)
        assert f"{measure} against seed" in printed
        assert printed.count(f"The analysis '{other}' does not measure {measure}.") == 1
        assert f"The analysis '{kind}' does not" not in printed
        assert (folder / "figures" / f"{kind}_{measure}.png").is_file()
        assert not (folder / "figures" / f"{other}_{measure}.png").exists()
    printed = command(tmp_path, "summarize", str(folder), "--measure", "n_region", succeeds=False)
    assert "'homology' or 'partition' measures, got 'n_region'; did you mean n_regions?" in printed
    names = printed.strip().rpartition("choose one of ")[2].split(", ")
    assert {"n_regions", "n_spikes"} <= set(names)
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("analysis=topology", "choose one of classes, homology, other, partition, paths, scale"),
        ("domain.low=7", "`domain.low` must be less than `domain.high`"),
        ("domain=[-5,5]", "`domain` must be the name of a choice, got [-5,5]; choose one of"),
        ("+filtration.speed=3", "`filtration` 'random_closure' does not take the options"),
    ],
)
def test_bad_settings_are_named(
    tmp_path: Path, override: str, message: str, command: Command
) -> None:
    printed = command(tmp_path, *TINY, override, succeeds=False)
    assert message in " ".join(printed.split())
    assert "Traceback" not in printed
