"""Sweeps on each launcher, and a search: the same jobs, one table, nothing computed twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobStatus
from hydra_plugins.relutopo.optuna_sweeper import OptunaSweeper, distribution
from hydra_plugins.relutopo.ray_launcher import RayLauncher
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from relutopo.errors import InputError

TINY = ["--multirun", "data.n=20", "network.hidden=[4]", "trainer.n_steps=20",
        "trainer.n_checkpoints=2", "trainer.checkpoint_steps=[]", "figures=false"]  # fmt: skip


def only(folder: Path) -> Path:
    """The one sweep in a folder."""
    (sweep,) = (folder / "multirun").iterdir()
    return sweep


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "options", "n_seeds"),
    [
        ("joblib", ["hydra.launcher.n_jobs=2"], 5),
        ("submitit_local", [], 1),
        ("ray", [], 2),
    ],
)
def test_a_sweep_runs_on_a_launcher(
    launcher: str, options: list[str], n_seeds: int, tmp_path: Path, command: Callable[..., str]
) -> None:
    printed = command(
        tmp_path, *TINY, "experiment=two_moons", f"seed=range({n_seeds})",
        "eigensolver=arpack,amg_lobpcg", f"hydra/launcher={launcher}", *options,
    )  # fmt: skip
    for told in (printed, (only(tmp_path) / "sweep.log").read_text()):
        assert f"{2 * n_seeds} of {2 * n_seeds} jobs finished\n" in told
    jobs = pd.read_parquet(only(tmp_path) / "jobs.parquet")
    assert len(jobs) == 2 * n_seeds
    assert set(jobs["status"]) == {"done"}
    table = pd.read_parquet(only(tmp_path) / "results.parquet")
    first, second = (
        rows.sort_values([*table.columns.intersection(["seed"]), "step"])
        for _, rows in table.groupby("eigensolver")
    )
    assert first["seed"].tolist() == second["seed"].tolist()
    for kind in ("weighted", "unweighted"):
        assert first[f"{kind}_partition"].tolist() == second[f"{kind}_partition"].tolist()
        np.testing.assert_allclose(
            first[f"{kind}_fiedler_value"], second[f"{kind}_fiedler_value"], rtol=1e-6
        )


def test_a_job_of_ray_that_dies_is_told_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class RayError(Exception):
        pass

    def get(overrides: list[str]) -> str:
        if overrides == ["seed=6"]:
            raise RayError("the worker died")
        return overrides[0]

    ray = SimpleNamespace(
        is_initialized=lambda: True,
        cluster_resources=dict,
        remote=lambda: lambda function: SimpleNamespace(remote=lambda _, config, *__: config.own),
        get=get,
        exceptions=SimpleNamespace(RayError=RayError),
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("hydra_plugins.relutopo.ray_launcher.configure_log", lambda *_: None)
    hydra = {"hydra_logging": None, "verbose": False, "sweep": {"dir": str(tmp_path)},
             "job": {"name": "job"}}  # fmt: skip
    config = OmegaConf.create({"hydra": hydra})
    loader = SimpleNamespace(
        load_sweep_config=lambda config, own: OmegaConf.merge(config, {"own": own})
    )
    launcher, context = RayLauncher({}, {}), SimpleNamespace(config_loader=loader)
    launcher.setup(hydra_context=context, task_function=lambda _: None, config=config)
    first, second = launcher.launch([["seed=5"], ["seed=6"]], initial_job_idx=5)
    assert first == "seed=5"
    assert second.status == JobStatus.FAILED
    assert "job 6 ended without a result: the worker died" in caplog.text


@pytest.mark.slow
def test_a_search_goes_on_where_it_stopped(tmp_path: Path, command: Callable[..., str]) -> None:
    search = [
        *TINY, "hydra/sweeper=optuna", "objective=train_accuracy",
        "trainer.learning_rate=tag(log,interval(0.001,0.1))", "network.init_scale=1.0,4.0",
    ]  # fmt: skip
    command(tmp_path, *search, "hydra.sweeper.n_trials=2")
    printed = command(tmp_path, *search, "hydra.sweeper.n_trials=4")
    assert printed.count("done before") == 2
    assert "4 of 4 jobs finished" in printed
    jobs = pd.read_parquet(only(tmp_path) / "jobs.parquet")
    assert len(jobs) == 4
    assert jobs["trainer.learning_rate"].between(0.001, 0.1).all()
    best = json.loads((only(tmp_path) / "best.json").read_text())
    assert best["objective"] == jobs["train_accuracy"].max()
    row = jobs[np.isclose(jobs["trainer.learning_rate"], best["settings"]["trainer.learning_rate"])]
    assert row["train_accuracy"].item() == best["objective"]
    assert "train_accuracy against trainer.learning_rate" in printed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"direction": "up"}, "must be one of maximize, minimize, got 'up'"),
        ({"sampler": "Tree"}, "RandomSampler, TPESampler, got 'Tree'"),
        ({"n_trials": "many"}, "must be an integer from 1, got 'many'"),
        ({"n_jobs": 0}, "must be an integer from 1, got 0"),
        ({"sampler": "GridSampler"}, "TPESampler, got 'GridSampler'"),
        ({"sampler": "BaseSampler"}, "TPESampler, got 'BaseSampler'"),
        ({"seed": -1}, "must be an integer from 0 to 4294967295, got -1"),
        ({"seed": None}, "must be an integer from 0 to 4294967295, got None"),
    ],
)
def test_a_search_says_what_it_can_be(wrong: dict[str, Any], told: str) -> None:
    right: dict[str, Any] = {
        "direction": "maximize", "n_trials": 2, "n_jobs": 1, "sampler": "TPESampler", "seed": 0,
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        OptunaSweeper(**(right | wrong))._check(optuna)
    assert f"`hydra.sweeper.{next(iter(wrong))}` " in str(caught.value)
    assert told in str(caught.value)
    OptunaSweeper(**right)._check(optuna)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("x=int(interval(1,8))", IntDistribution(1, 8)),
        ("x=interval(0.5,8)", FloatDistribution(0.5, 8.0)),
        ("x=tag(log,interval(0.5,8.0))", FloatDistribution(0.5, 8.0, log=True)),
        ("x=a,b", CategoricalDistribution(["a", "b"])),
        ("x=range(3)", CategoricalDistribution(["0", "1", "2"])),
    ],
)
def test_the_command_line_says_what_is_searched(override: str, expected: object) -> None:
    parsed = OverridesParser.create().parse_override(override)
    assert distribution(parsed) == expected


@pytest.mark.parametrize("value", ["interval(1,0)", "tag(log,interval(0,1))", "int(interval(3,1))"])
def test_an_interval_that_is_none_is_named(value: str) -> None:
    parsed = OverridesParser.create().parse_override(f"trainer.learning_rate={value}")
    with pytest.raises(InputError, match=r"`trainer.learning_rate` must be an interval\(a,b\)"):
        distribution(parsed)
