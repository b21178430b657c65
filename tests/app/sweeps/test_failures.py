"""What fails is told clearly, and costs nothing that was done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from relutopo.app.sweeps.summary import summarize
from relutopo.errors import InputError

TINY = ["data.n=20", "network.hidden=[4]", "trainer.n_steps=20", "trainer.n_checkpoints=2",
        "trainer.checkpoint_steps=[]", "figures=false"]  # fmt: skip


def mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    if not mount("-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)):
        pytest.skip("a file system can be mounted by the superuser only")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_sweep_goes_on_when_there_is_space(
    small_disk: Path, command: Callable[..., str]
) -> None:
    sweep = ["--multirun", *TINY, "seed=range(5)"]
    printed = command(small_disk, *sweep, succeeds=False)
    assert "the disk is full" in printed
    assert "Traceback" not in printed
    done = {path: path.stat().st_mtime_ns for path in small_disk.rglob("done.json")}
    assert 0 < len(done) < 5
    assert mount("-o", "remount,size=50m", str(small_disk))
    command(small_disk, *sweep)
    (table,) = small_disk.glob("multirun/*/jobs.parquet")
    assert (pd.read_parquet(table)["status"] == "done").sum() == 5
    assert all(path.stat().st_mtime_ns == time for path, time in done.items())


@pytest.mark.slow
def test_a_failed_job_is_recorded_and_the_others_go_on(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    sweep = ["--multirun", *TINY, "seed=0,1", "trainer.learning_rate=0.01,-1,0.1"]
    for attempts in (1, 2):
        printed = command(tmp_path, *sweep, succeeds=False)
        (folder,) = (tmp_path / "multirun").iterdir()
        jobs = pd.read_parquet(folder / "jobs.parquet")
        assert jobs["status"].value_counts().to_dict() == {"done": 4, "failed": 2}
        failed = jobs[jobs["status"] == "failed"]
        assert set(failed["trainer.learning_rate"]) == {-1.0}
        assert failed["error"].str.contains("`trainer.learning_rate` must be a positive").all()
        words = " ".join(printed.split())
        assert "`trainer.learning_rate` must be a positive finite number, got -1.0" in words
        for seed in (0, 1):  # also that of a lone failure says where it failed
            assert f"(seed={seed}, trainer.learning_rate=-1)" in words
        assert printed.count("done before") == 4 * (attempts - 1)
        assert "6 of 6 jobs finished, 2 failed" in printed
        for job in failed["job"]:
            error = json.loads((folder / "jobs" / job / "error.json").read_text())
            assert error["attempts"] == attempts
    assert len(pd.read_parquet(folder / "results.parquet")["job"].unique()) == 4
    printed = command(tmp_path, "summarize", str(folder), "--measure", "n_regions", "--least")
    assert "n_regions against trainer.learning_rate" in printed
    printed = command(tmp_path, "summarize", str(folder), "--measure", "delay")
    assert "No job has a delay; --measure shows another of weighted_agreement, " in printed
    with pytest.raises(InputError, match="`measure` must be something that the analysis"):
        summarize(folder, measure="joy")
    (damaged, *_) = folder.glob("jobs/*/results.parquet")
    damaged.write_bytes(b"half")
    with pytest.raises(InputError, match=f"'{damaged}' must be a table .* delete the folder"):
        summarize(folder)
    damaged.unlink()
    with pytest.raises(InputError, match=r"it cannot be read \(it is missing\); delete the folder"):
        summarize(folder)
    with pytest.raises(InputError, match="there are none"):
        summarize(tmp_path)


@pytest.mark.slow
def test_a_key_that_nothing_reads_stops_a_sweep_before_it_begins(
    tmp_path: Path, command: Callable[..., str]
) -> None:
    printed = command(tmp_path, "--multirun", *TINY, "+sead=0,1", succeeds=False)
    assert "`sead` is not a key; did you mean seed?" in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.glob("multirun/*/jobs/*/job.json"))
