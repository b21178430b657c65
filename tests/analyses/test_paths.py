"""Segments along a run: rows without a complex, what summaries say, refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console, RenderableType

import relutopo as rt
from relutopo.analyses.paths import Paths
from relutopo.analyses.paths_summary import CONTROLS, NUMBERS, run_summary, sweep_summary
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.digits import digits
from relutopo.learning.runs import TrainingRun
from relutopo.learning.surfaces import sinsin
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train

FEW = Paths(n=40)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    settings = TrainerSettings(n_steps=40, learning_rate=0.02, loss="one_hot", n_checkpoints=4)
    directory = tmp_path_factory.mktemp("paths") / "run"
    return train(digits(n=60), MlpSettings([12, 10]), settings, directory=directory)


def rendered(lines: Sequence[RenderableType]) -> str:
    console = Console(width=200)
    with console.capture() as shown:
        for line in lines:
            console.print(line)
    return shown.get()


def test_a_row_has_the_numbers_of_the_function_and_no_complex(run: TrainingRun) -> None:
    step, data = run.steps[-1], run.dataset
    found = FEW.checkpoint(run, step)
    expected = rt.path_signatures(run.network(step), data.points, data.targets.astype(int), n=40)
    assert {name: found.row[name] for name in expected} == expected
    assert found.row["label_status"] == "ok"
    assert not found.subject.is_decomposed
    assert "ReluNetwork(64-12-10-10" in repr(found)


def test_integers_are_for_perceptrons_unless_they_are_asked_for() -> None:
    """Equal rows make knots of the second convolution coincide, which bounds leave open."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 2), torch.nn.ReLU()),
        *(torch.nn.Flatten(), torch.nn.Linear(32, 2)),
    )
    network = rt.as_network(module, (1, 6, 6))
    points = np.repeat(np.random.default_rng(0).normal(size=(6, 6)), 6, axis=1)
    data = Dataset("flat", points, [0, 0, 0, 1, 1, 1])
    rows = {exact: Paths(n=5, exact=exact).analyse(network, data).row for exact in (None, True)}
    assert rows[None]["n_open"] > 0 == rows[True]["n_open"]
    perceptron = rt.ReluNetwork([np.ones((3, 36)), np.ones((2, 3))], [np.zeros(3), np.zeros(2)])
    assert Paths(n=5).analyse(perceptron, data).row["n_open"] == 0


def test_all_columns_of_a_table_are_declared(run: TrainingRun) -> None:
    conclusion = FEW.conclude(FEW.rows(run), run)
    table = conclusion.tables["results"]
    assert set(table.columns) == {column.name for column in FEW.columns_of_rows()}
    assert set(conclusion.measures) == set(FEW.measures)
    assert not set(NUMBERS) & set(CONTROLS)
    assert {*NUMBERS, *CONTROLS} <= set(table.columns)


@pytest.mark.slow
def test_signatures_that_need_a_complex_have_their_domain(run: TrainingRun) -> None:
    """On a slice regions are of the slice, and segments still of the whole input space."""
    plane = {"name": "slice_principal"}
    both = Paths(n=40, domain=plane, signatures=["n_regions", "paths", "local_complexity"])
    row = both.checkpoint(run, run.steps[-1]).row
    box = rt.AffineSlice.principal(run.dataset.points, 2, 0.25)
    assert row["n_regions"] == rt.decompose(run.network(run.steps[-1]), box).n_regions
    for name in ("jacobian", "logit_scale"):
        assert row[f"paths_{name}"] == row[name]
    assert row["local_complexity"] > 0
    with pytest.raises(InputError, match="the box around them is flat"):
        Paths(n=40, signatures=["n_regions"]).checkpoint(run, 0)


def test_two_classes_of_one_output_and_words(tmp_path: Path) -> None:
    moons = two_moons(n=40)
    words = Dataset("words", moons.points, np.where(moons.targets > 0, "b", "a"))
    network = rt.gallery.random_network([2, 6, 1], seed=0)
    rows = [FEW.analyse(network, data).row for data in (moons, words)]
    for row in rows:
        row.pop("seconds_paths")
    assert json.dumps(rows[0]) == json.dumps(rows[1])


def test_what_has_no_pairs_says_so(tmp_path: Path) -> None:
    network = rt.gallery.random_network([2, 6, 1], seed=0)
    row = FEW.analyse(network, sinsin(n=20)).row
    assert row["label_status"] == "targets are values, not labels"
    assert np.isnan(row["class_constant_same"])
    alone = Dataset("alone", [[0.0, 0.0], [1.0, 0.0]], [0, 1])
    assert FEW.analyse(network, alone).row["label_status"].startswith("no pairs")
    with pytest.raises(InputError, match=r"labels of two classes or more.*got values"):
        FEW.check_conclusion(sinsin(n=20))
    with pytest.raises(InputError, match="an output for each of the 10 classes"):
        FEW.check_network(network, digits(n=20))
    with pytest.raises(InputError, match="`n` must be an integer from 1"):
        Paths(n=0)


def course(held_out: Sequence[float], **columns: Sequence[float]) -> pd.DataFrame:
    """Make a table of a run in which all numbers but the named ones stay."""
    steps = [0, 10, 100, 200, 400, 800, 1600, 3200]
    numbers: dict[str, Any] = dict.fromkeys([*NUMBERS, *CONTROLS], [1.0] * len(steps)) | columns
    return pd.DataFrame(
        {
            "step": steps,
            "train_accuracy": [0.1, 1.0, *[1.0] * 6],
            "held_out_accuracy": held_out,
            "label_status": "ok",
            "n_same": 40,
            "n_different": 40,
            "n_open": 0,
            **numbers,
        }
    )


RISES = [0.1, 0.2, 0.2, 0.2, 0.4, 0.8, 0.9, 0.9]
EARLY = [0.0, 0.5, 0.5, 0.9, 1.0, 1.0, 1.0, 1.0]
LATE = [3.0, 3.0, 3.0, 3.0, 3.0, 2.9, 2.0, 1.0]


def test_a_summary_says_what_leads_and_what_lags() -> None:
    table = course(
        RISES, class_constant_same=EARLY, jacobian=[1 - x for x in RISES], crossing_ratio=LATE
    )
    text = rendered(run_summary(table, has_held_out=True))
    assert "rises from 0.200 there to 0.900, half of it by step 519" in text
    lines = {line.split(":")[0].strip(): line for line in text.splitlines() if ":" in line}
    assert "class constant, same (0.30)" in lines["leads"]
    assert "slope at the points (1.00)" in lines["coincides"]
    assert "crossings, same / different" in lines["lags"]
    assert "class changes, same" in lines["stays"]
    assert "midpoint accuracy stays" in lines["controls"]
    unknown = rendered(run_summary(table.assign(weight_norm=np.nan), has_held_out=True))
    assert "weight norm stays" not in unknown
    assert "weight norm" in unknown


@pytest.mark.parametrize("held_out", [[0.2] * 8, [0.9] * 8, RISES[::-1]])
def test_without_a_rise_nothing_leads(held_out: Sequence[float]) -> None:
    text = rendered(run_summary(course(held_out, class_constant_same=EARLY), has_held_out=True))
    assert "it does not rise after the fit, and nothing leads or lags" in text
    assert "leads:" not in text
    assert "lags" not in text.split("nothing leads or lags")[1]


def test_a_summary_of_less_says_less() -> None:
    table = course(RISES, class_constant_same=EARLY)
    text = rendered(run_summary(table[-1:], has_held_out=True))
    assert "There is one network: nothing is said of what moved when." in text
    text = rendered(run_summary(table[:3], has_held_out=True))
    assert "Of 2 checkpoints from there on nobody can say what moved when." in text
    unfitted = table.assign(train_accuracy=0.5)
    text = rendered(run_summary(unfitted, has_held_out=True))
    assert "never fitted: train accuracy is 0.500 at most" in text
    unknown = table.assign(held_out_accuracy=np.nan)
    assert "Without held-out accuracy" in rendered(run_summary(unknown, has_held_out=False))
    text = rendered(run_summary(table.assign(n_open=1), has_held_out=True))
    assert "8 of 640 segments are not certified" in text


def test_a_sweep_is_shown_setting_by_setting() -> None:
    jobs = [
        course(held_out, class_constant_same=EARLY).assign(job=f"{name}{seed}", experiment=name)
        for name, held_out in (("grok", RISES), ("memorise", [0.2] * 8))
        for seed in range(2)
    ]
    text = rendered(sweep_summary(pd.concat(jobs), ["experiment", "seed"]))
    first, second = text.split("memorise, 2 jobs")
    assert "grok, 2 jobs" in first
    assert "0.297 [0.297, 0.297]" in first
    assert "× held-out" not in second.splitlines()[0]
