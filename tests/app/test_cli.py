"""The command, end to end, with tiny settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import relutopo
from relutopo.complex import load_complex
from relutopo.reports.columns import Column

Command = Callable[..., str]
TINY = [
    "data.n=40",
    "network.hidden=[6,5]",
    "trainer.n_steps=40",
    "trainer.n_checkpoints=3",
    "trainer.checkpoint_steps=[30]",
]


def timeless(table: pd.DataFrame) -> pd.DataFrame:
    return table[[c for c in table.columns if not c.startswith("seconds")]]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """A folder in which one run was made."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "printed").write_text(command(folder, *TINY, "hydra.run.dir=outputs/first"))
    return folder


def test_a_run_leaves_everything_it_should(workplace: Path) -> None:
    run = workplace / "outputs" / "first"
    table = pd.read_parquet(run / "results.parquet")
    assert table["step"].tolist() == [0, 1, 6, 30, 40]
    pd.testing.assert_frame_equal(table, pd.read_csv(run / "results.csv"), check_dtype=False)
    assert set(table["experiment"]) == {"two_moons"}
    explained = re.findall(r"^\| `(.*?)` \|", (run / "columns.md").read_text(), re.MULTILINE)
    columns = [Column(name, "", "") for name in explained]
    assert [name for name in table if not any(c.is_named(str(name)) for c in columns)] == []
    complex_ = load_complex(run / "complex.npz")
    assert complex_.n_regions == table["n_regions"].iloc[-1]
    environment = json.loads((run / "environment.json").read_text())
    assert environment["seed"] == 0
    assert environment["packages"]["relutopo"] == relutopo.__version__
    assert json.loads((run / "config.json").read_text())["network"]["hidden"] == [6, 5]
    assert (run / ".hydra" / "config.yaml").is_file()
    for name in ("timeline", "partition", "partition_history"):
        for suffix in (".png", ".pdf"):
            assert (run / "figures" / name).with_suffix(suffix).stat().st_size > 1000


def test_the_summary_answers_the_question(workplace: Path) -> None:
    printed = (workplace / "printed").read_text()
    kept = (workplace / "outputs" / "first" / "summary.txt").read_text()
    question = "Does the weighted Fiedler partition follow the decision boundary?"
    assert question in printed
    assert question in kept
    assert "enumerator cpu; eigensolver" in " ".join(kept.split())
    assert "the first use compiles" not in printed
    table = pd.read_parquet(workplace / "outputs" / "first" / "results.parquet")
    assert f"{table['weighted_agreement'].iloc[-1]:.3f}" in kept


@pytest.mark.slow
def test_the_same_command_gives_the_same_table(workplace: Path, fresh_command: Command) -> None:
    fresh_command(workplace, *TINY, "figures=false", "hydra.run.dir=outputs/second")
    first, second = (
        timeless(pd.read_parquet(workplace / "outputs" / name / "results.parquet"))
        for name in ("first", "second")
    )
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
def test_checkpoints_are_analysed_again_with_another_backend(
    workplace: Path, command: Command
) -> None:
    printed = command(
        workplace,
        *TINY,
        "training_dir=outputs/first/training",
        "enumerator=exact",
        "eigensolver=amg_lobpcg",
        "figures=false",
        "hydra.run.dir=outputs/again",
    )
    assert "using the training run in outputs/first/training" in printed
    assert not (workplace / "outputs" / "again" / "training").exists()
    first, again = (
        pd.read_parquet(workplace / "outputs" / name / "results.parquet")
        for name in ("first", "again")
    )
    assert set(again["enumerator"]) == {"exact"}
    for column in ("n_regions", "train_loss", "weighted_agreement", "purity"):
        np.testing.assert_array_equal(first[column], again[column])
    np.testing.assert_allclose(
        first["weighted_fiedler_value"], again["weighted_fiedler_value"], rtol=1e-6
    )


@pytest.mark.slow
def test_other_settings_for_the_same_training_are_refused(
    workplace: Path, command: Command
) -> None:
    printed = command(
        workplace, *TINY, "training_dir=outputs/first/training", "seed=1", succeeds=False
    )
    assert "seed was 0, is 1" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_what_is_wrong_is_told_before_anything_runs_and_in_one_line(
    tmp_path: Path, command: Command
) -> None:
    inspect = command(tmp_path, "experiment=inspect", succeeds=False)
    assert inspect == "`data.path` has no value; add data.path=<value> to the command\n"
    search = ["--multirun", "seed=0,1", "experiment=regression", "objective=n_regions"]
    printed = command(tmp_path, *search, succeeds=False)
    assert "`objective` must be something that the analysis 'homology' measures, got" in printed
    assert "Traceback" not in printed
    interval = command(tmp_path, "--multirun", "seed=interval(0,5)", succeeds=False)
    assert interval.endswith("give values, or add hydra/sweeper=optuna\n")
    for seed in ("-1", "99999999999999999999"):
        printed = command(tmp_path, f"seed={seed}", succeeds=False)
        told = f"`seed` must be an integer from 0 to 4294957295, got {seed}"
        assert printed == f"{told}; pass for example seed=0\n"
    printed = command(tmp_path, "--multirun", "seed=-1,-2", succeeds=False)
    assert "`seed` must be an integer from 0 to 4294957295, got -2" in " ".join(printed.split())
    assert "Traceback" not in printed
    np.savez(tmp_path / "data.npz", points=[[0.0, 0.0], [1.0, 1.0]], targets=[0, 1])
    for name in ("a-epoch=1.pt", "b-epoch=1.pt"):
        torch.save(torch.nn.Linear(2, 1).state_dict(), tmp_path / name)
    of_one_step = ("experiment=inspect", "checkpoints=*-epoch=1.pt", "data.path=data.npz")
    printed = command(tmp_path, *of_one_step, succeeds=False)
    assert "got step 1 for a-epoch=1.pt, b-epoch=1.pt" in printed
    assert not list(tmp_path.rglob("training"))
    assert not (tmp_path / "outputs").exists()  # what was refused leaves nothing behind


@pytest.mark.slow
def test_a_run_is_named_after_data_of_ones_own(tmp_path: Path, command: Command) -> None:
    np.savez(tmp_path / "my iris.npz", points=np.random.default_rng(0).normal(size=(20, 2)),
             targets=np.arange(20) % 2)  # fmt: skip
    command(tmp_path, *TINY[1:], "data=file", "data.path=my iris.npz", "figures=false")
    command(tmp_path, *TINY, "data=two_circles", "figures=false")
    names = {path.name for path in (tmp_path / "outputs").iterdir()}
    assert names == {"two_moons_my+iris", "two_moons_two_circles"}


@pytest.mark.slow
def test_a_folder_can_be_shown(workplace: Path, command: Command) -> None:
    printed = command(workplace, "show", "outputs/first")
    assert printed.startswith((workplace / "outputs" / "first" / "summary.txt").read_text())
    assert "figures in outputs/first: figures/partition.png, figures/partition_history" in printed
    assert "must be the folder of a run or a sweep" in command(
        workplace, "show", ".", succeeds=False
    )


def test_parts_of_other_packages_are_listed(tmp_path: Path, command: Command) -> None:
    assert command(tmp_path, "plugins").startswith("no installed package adds parts of its own")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["data=franke"], "training targets of `data` 'franke' must be labels of two classes"),
        (["domain=box", "domain.low=5", "domain.high=6"], "`domain` must hold training points of"),
    ],
)
def test_data_that_do_not_fit_the_analysis_are_refused_before_any_training(
    wrong: list[str], message: str, tmp_path: Path, command: Command
) -> None:
    printed = command(tmp_path, *TINY, *wrong, succeeds=False)
    assert message in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.rglob("training"))


@pytest.mark.slow
def test_a_job_that_is_done_shows_its_summary_again(workplace: Path, command: Command) -> None:
    printed = command(workplace, *TINY, "hydra.run.dir=outputs/first")
    assert printed.startswith("done before: ")
    assert printed.endswith((workplace / "outputs" / "first" / "summary.txt").read_text())


@pytest.mark.slow
def test_an_unknown_backend_lists_those_there_are(tmp_path: Path, command: Command) -> None:
    printed = command(
        tmp_path, *TINY, "eigensolver=other", "eigensolver.name=nobody", succeeds=False
    )
    assert "eigensolver='nobody' is not registered; choose one of amg_lobpcg, arpack" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.glob("outputs/*/*/training"))  # said before any training


@pytest.mark.slow
def test_a_sweep_ends_with_one_table(tmp_path: Path, command: Command) -> None:
    printed = command(
        tmp_path, "--multirun", *TINY, "experiment=two_moons,two_circles", "seed=0,1",
        "eigensolver=arpack,amg_lobpcg", "figures=false",
    )  # fmt: skip
    (folder,) = (tmp_path / "multirun").iterdir()
    table = pd.read_parquet(folder / "results.parquet")
    assert len(list((folder / "training").iterdir())) == 4  # both eigensolvers share them
    assert len(table.groupby(["job", "experiment", "seed", "eigensolver"])) == 8
    assert set(table["experiment"]) == {"two_moons", "two_circles"}
    assert len(table) == 8 * 5
    assert "Fiedler values differ by at most" in printed
    for job in set(table["job"]):
        own = pd.read_parquet(folder / "jobs" / job / "results.parquet")
        rows = table[table["job"] == job].drop(columns=["job", "code"]).reset_index(drop=True)
        pd.testing.assert_frame_equal(rows[own.columns], own, check_dtype=False)
    jobs = pd.read_parquet(folder / "jobs.parquet")
    assert set(jobs["status"]) == {"done"}
    last = table[table["step"] == 40].set_index("job")["weighted_agreement"]
    np.testing.assert_array_equal(jobs.set_index("job")["weighted_agreement"], last[jobs["job"]])
    assert (folder / "figures" / "partition_weighted_agreement.png").stat().st_size > 1000


@pytest.mark.slow
def test_help_is_readable(tmp_path: Path, fresh_command: Command) -> None:
    printed = fresh_command(tmp_path, "--help")
    assert "relutopo experiment=two_circles" in printed
    assert "eigensolver: amg_lobpcg, arpack" in printed
    assert "learning_rate" in printed
