"""What is said of a sweep that goes on follows from the records of its jobs."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from relutopo.app import cli
from relutopo.app.jobs.folder import JobFolder, JobRecord
from relutopo.app.jobs.identity import Identity
from relutopo.app.sweeps.progress import SweepWatch


def begin(sweep: Path, seed: int) -> JobFolder:
    """Let a job be asked for."""
    values = {"seed": seed, "analysis": {"name": "partition"}}
    folder = JobFolder(sweep / "jobs" / str(seed))
    folder.begin(JobRecord(Identity("two_moons", values), {}))
    return folder


def age(sweep: Path) -> None:
    """Let all records be some seconds old."""
    for path in sweep.glob("jobs/*/*.json"):
        os.utime(path, ns=(1, path.stat().st_mtime_ns - 10**10))


def counts(told: str | None) -> tuple[int, int]:
    """Read how many jobs have finished, and how many of them failed."""
    assert told is not None
    words = re.sub("[,;]", "", told).split()
    return int(words[0]), int(words[words.index("failed") - 1]) if "failed" in words else 0


@given(st.lists(st.sampled_from(["done", "failed", "running"]), min_size=1, max_size=6),
       st.lists(st.sampled_from(["done", "failed", "running", "absent"]), max_size=6))  # fmt: skip
def test_jobs_of_this_run_count_and_no_others(
    tmp_path_factory: pytest.TempPathFactory, now: list[str], before: list[str]
) -> None:
    sweep = tmp_path_factory.mktemp("sweep")
    for seed, status in enumerate(before):
        if status != "absent":
            folder = begin(sweep, seed)
            if status == "done":
                folder.finish({}, {})
            if status == "failed":
                folder.fail(ValueError("then"))
    age(sweep)
    watch = SweepWatch(sweep, len(now))
    assert watch.look() is None
    finished = failed = 0
    for seed, status in enumerate(now):
        folder = begin(sweep, seed)
        if not folder.is_done and status == "failed":
            folder.fail(ValueError("now"))
            failed += 1
        elif not folder.is_done and status == "done":
            folder.finish({}, {})
        elif not folder.is_done:
            assert watch.look() is None  # it is under way
            continue
        finished += 1
        assert counts(watch.look()) == (finished, failed)
        assert watch.look() is None  # nothing new


def test_the_time_left_follows_from_jobs_that_took_time(tmp_path: Path) -> None:
    for seed in range(2):
        begin(tmp_path, seed).finish({}, {})
    age(tmp_path)
    watch = SweepWatch(tmp_path, 5)
    for seed in range(2):
        begin(tmp_path, seed)
    assert watch.look() == "2 of 5 jobs finished"
    begin(tmp_path, 2).finish({}, {})
    told = watch.look()
    assert told is not None
    assert told.startswith("3 of 5 jobs finished; about ")
    # Two are left, and one took all the time that there was.
    assert watch.line(400.0, 3, 0, 1) == "3 of 5 jobs finished; about 13 min left"
    assert watch.line(400.0, 5, 1, 3) == "5 of 5 jobs finished, 1 failed"
    assert SweepWatch(tmp_path, None).line(400.0, 5, 0, 3) == "5 jobs finished"


def test_the_terminal_and_the_log_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = SweepWatch(tmp_path, 1)
    watch.start()
    begin(tmp_path, 0).finish({}, {})
    watch.stop()
    assert capsys.readouterr().out == "1 of 1 jobs finished\n"
    assert (tmp_path / "sweep.log").read_text().endswith(" 1 of 1 jobs finished\n")


def test_the_last_line_is_true_where_settings_repeat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = SweepWatch(tmp_path, 2)
    begin(tmp_path, 0).finish({}, {})
    watch._tell(watch.look())
    assert "1 of 2 jobs finished; about " in capsys.readouterr().out
    begin(tmp_path, 0)
    watch.stop()
    assert capsys.readouterr().out == "1 job finished\n"


@pytest.mark.parametrize(
    ("overrides", "n_jobs"),
    [
        (["seed=range(5)", "eigensolver=arpack,amg_lobpcg", "network.hidden=[4,4]"], 10),
        (["seed=0,1,2", "seed=1"], 1),
        ([], 1),
        (["seed=((("], None),
    ],
)
def test_the_number_of_jobs_follows_from_the_command(
    overrides: list[str], n_jobs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoHydra:
        @staticmethod
        def config_loader() -> None:
            return None

    monkeypatch.setattr(GlobalHydra, "instance", lambda: NoHydra)
    sweeper = {"_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"}
    for params, factor in ((None, 1), ({"n_filtrations": "1,2"}, 2)):
        hydra = {"sweeper": {**sweeper, "params": params}, "overrides": {"task": overrides}}
        expected = None if n_jobs is None else factor * n_jobs
        assert cli._n_jobs(OmegaConf.create({"hydra": hydra})) == expected
    search = OmegaConf.create({"hydra": {"sweeper": {"_target_": "Optuna", "n_trials": 7}}})
    assert cli._n_jobs(search) == 7
    assert cli._n_jobs(OmegaConf.create({"hydra": {"sweeper": {"_target_": "My"}}})) is None


@pytest.mark.parametrize("name", ["plain", "it's", 'a "b" c', "back\\", "a,b=[c]", "back\\'s"])
def test_jobs_are_told_the_folder_of_the_sweep_whatever_its_name(name: str, tmp_path: Path) -> None:
    directory = str(tmp_path / name)
    hydra = {
        "sweep": {"dir": directory},
        "overrides": {"hydra": [], "task": []},
        "sweeper": {"_target_": "My"},
    }
    config = OmegaConf.create({"hydra": hydra})
    callback = cli.SummarizeSweep()
    callback.on_multirun_start(config)
    assert callback._watch is not None
    callback._watch.stop()
    (told,) = config.hydra.overrides.hydra
    assert OverridesParser.create().parse_override(told).value() == directory


def test_workers_get_the_callback_without_the_thread(tmp_path: Path) -> None:
    callback = cli.SummarizeSweep()
    callback._watch = SweepWatch(tmp_path, 1)
    assert pickle.loads(pickle.dumps(callback))._watch is None
