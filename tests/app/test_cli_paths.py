"""Segments at the command line: a run without a complex, models of one's own, a sweep, refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from relutopo.learning.digits import digits
from relutopo.reports.columns import Column

TINY = [
    "experiment=digits_grok",
    "data.n=40",
    "network.hidden=[8]",
    "trainer.n_steps=20",
    "trainer.n_checkpoints=2",
    "analysis.n=15",
]


@pytest.mark.slow
def test_a_run_leaves_tables_and_figures_but_no_complex(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    printed = command(tmp_path, *TINY, "hydra.run.dir=run")
    assert "Which number moved when?" in printed
    assert "Warning" not in printed
    assert not (tmp_path / "run" / "complex.npz").exists()
    drawn = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert drawn == {"timeline", "crossings", "segment"}
    page = (tmp_path / "run" / "columns.md").read_text()
    columns = [Column(name, "", "") for name in re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)]
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    assert [name for name in table if not any(c.is_named(str(name)) for c in columns)] == []
    assert (table["n_open"] == 0).all()
    assert "Which number moved when?" in command(tmp_path, "show", "run")


@pytest.mark.slow
def test_a_convolutional_network_of_ones_own(tmp_path: Path, command: Callable[..., str]) -> None:
    data = digits(n=40)
    np.savez(tmp_path / "digits.npz", points=data.points, targets=data.targets)
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 2, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten()),
        torch.nn.Linear(18, 10),
    )
    torch.save(network, tmp_path / "mine.pt")
    own = ["network.path=mine.pt", "network.trust=true", "network.input_shape=[1,8,8]"]
    printed = command(
        tmp_path, "experiment=inspect", *own, "data.path=digits.npz", "analysis=paths",
        "analysis.n=15", "hydra.run.dir=run",
    )  # fmt: skip
    assert "There is one network" in printed
    (row,) = pd.read_csv(tmp_path / "run" / "results.csv").to_dict("records")
    assert 0 <= row["class_constant_same"] <= 1
    assert row["weight_norm"] > 0
    drawn = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert drawn == {"crossings", "segment"}


@pytest.mark.slow
def test_seeds_and_experiments_are_swept(tmp_path: Path, command: Callable[..., str]) -> None:
    swept = ["experiment=digits_grok,digits_random_labels", "seed=0,1", "figures=false",
             "analysis=paths"]  # fmt: skip
    printed = command(tmp_path, "--multirun", *TINY[1:], *swept)
    assert "4 jobs: 4 done" in printed
    assert "digits_random_labels, 2 jobs" in printed
    (path,) = tmp_path.glob("multirun/*/results.csv")
    table = pd.read_csv(path)
    ends = table[table["step"] == 20]
    assert len(ends) == 4
    assert ends["weight_norm"].nunique() == 4


@pytest.mark.slow
def test_values_are_refused_before_anything_is_trained(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    printed = command(tmp_path, "data=bump", "analysis=paths", succeeds=False)
    assert "must be labels of two classes or more" in printed
    assert "training" not in printed
