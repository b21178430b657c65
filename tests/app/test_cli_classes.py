"""Three classes at the command line: a run, sweeps, models of one's own, refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import relutopo as rt
from relutopo.reports.columns import Column

TINY = [
    "experiment=three_blobs",
    "data.n=30",
    "network.hidden=[4]",
    "trainer.n_steps=20",
    "trainer.checkpoint_steps=[]",
    "trainer.n_checkpoints=2",
    "enumerator=exact",
]


@pytest.mark.slow
def test_a_run_draws_and_is_shown_again(tmp_path: Path, command: Callable[..., str]) -> None:
    printed = command(tmp_path, *TINY, "hydra.run.dir=run")
    assert "Do the 3 parts follow the classes?" in printed
    assert "Warning" not in printed
    drawn = {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    assert drawn == {"timeline", "partition_history", "partition", "embedding"}
    page = (tmp_path / "run" / "columns.md").read_text()
    columns = [Column(name, "", "") for name in re.findall(r"^\| `(.*?)` \|", page, re.MULTILINE)]
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    assert [name for name in table if not any(c.is_named(str(name)) for c in columns)] == []
    assert "Do the 3 parts follow the classes?" in command(tmp_path, "show", "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("swept", "column"),
    [
        ("analysis.k=2,3,4", "unweighted_separation"),
        ("analysis.scale=1,100", "chung_langlands_separation"),
        ("rounding=cluster_qr,k_means", None),
    ],
)
def test_settings_are_swept(
    swept: str, column: str | None, tmp_path: Path, command: Callable[..., str]
) -> None:
    key, values = swept.split("=")
    n = len(values.split(","))
    printed = command(tmp_path, "--multirun", *TINY, swept, "figures=false")
    assert f"{n} jobs: {n} done" in printed
    assert "Agreement with training labels, first checkpoint: mean\n" in printed
    (path,) = tmp_path.glob("multirun/*/results.csv")
    table = pd.read_csv(path)
    assert table[key].nunique() == n
    first = table[table["step"] == 0]
    assert first["n_regions"].nunique() == 1
    if column is not None:
        assert first[column].nunique() == n


@pytest.mark.slow
def test_outputs_in_another_order_than_words_are_asked_about(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    data = rt.three_blobs(n=30)
    numbers = data.class_numbers(data.targets)
    words = np.array(["bee", "cat", "ant"])[numbers]
    np.savez(tmp_path / "data.npz", points=data.points, targets=words)
    for order, is_low in (([0, 1, 2], False), ([1, 2, 0], True)):
        # Each output is the greatest where the mean of its class is the nearest.
        means = np.stack([data.points[numbers == k].mean(axis=0) for k in order])
        parts = [[1, 0], [-1, 0], [0, 1], [0, -1]]
        last = np.repeat(means, 2, axis=1) * [1, -1, 1, -1]
        biases = [[0, 0, 0, 0], -(means**2).sum(axis=1) / 2]
        rt.save_network(tmp_path / "model.npz", rt.ReluNetwork([parts, last], biases))
        printed = command(
            tmp_path, "experiment=inspect", "network.path=model.npz", "data.path=data.npz",
            'data.classes=["bee","cat","ant"]', "analysis=classes", "figures=false",
        )  # fmt: skip
        asked = "Do its outputs stand for the classes in another order?"
        assert (asked in " ".join(printed.split())) == is_low


@pytest.mark.slow
def test_models_of_ones_own_decide_between_words(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    data = rt.three_blobs(n=30)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))
    torch.save(model.state_dict(), tmp_path / "model.pt")
    numbers = data.class_numbers(data.targets)
    own = ["experiment=inspect", "network.path=model.pt", "data.path=data.npz", "enumerator=exact",
           "figures=false"]  # fmt: skip
    for name, labels in (("words", np.array(["ant", "bee", "cat"])), ("ints", np.array([7, 3, 5]))):
        np.savez(tmp_path / "data.npz", points=data.points, targets=labels[numbers])
        printed = command(tmp_path, *own, "analysis=classes", f"hydra.run.dir={name}")
        assert "Do the 3 parts follow the classes?" in printed
        assert "One part for all has 0.333." in printed
    words, ints = (pd.read_csv(tmp_path / name / "results.csv") for name in ("words", "ints"))
    assert words["unweighted_agreement"].tolist() == ints["unweighted_agreement"].tolist()
    for analysis in (["analysis=partition"], []):
        printed = command(tmp_path, *own, *analysis, succeeds=False)
        assert "take the analysis classes" in printed.replace("\n", " ")
    four = np.array(["a", "b", "c", "d"])[np.arange(30) % 4]
    np.savez(tmp_path / "data.npz", points=data.points, targets=four)
    printed = command(tmp_path, *own, "analysis=classes", succeeds=False)
    assert "must have an output for each of the 4 classes" in printed.replace("\n", " ")
