"""A sweep that is killed again and again ends with what an undisturbed one has."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from commands import Started, Strike

SWEEP = [
    "--multirun",
    "data.n=20",
    "network.hidden=[4]",
    "trainer.n_steps=60",
    "trainer.n_checkpoints=4",
    "trainer.checkpoint_steps=[]",
    "figures=false",
    "seed=range(2)",
    "experiment=two_moons,two_circles",
    "eigensolver=arpack,amg_lobpcg",
]
N_JOBS = 8


def table(folder: Path) -> pd.DataFrame:
    """The sweep's table, without what depends on the clock."""
    rows = pd.read_parquet(folder / "results.parquet")
    rows = rows[[name for name in rows.columns if not name.startswith("seconds")]]
    return rows.sort_values(["job", "step"]).reset_index(drop=True)


def done_marks(folder: Path) -> dict[str, int]:
    """For each job that is done, when it was marked."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("jobs/*/done.json")}


@pytest.mark.slow
def test_a_sweep_that_is_killed_gives_the_table_of_an_undisturbed_one(
    tmp_path: Path,
    start: Callable[..., Started],
    command: Callable[..., str],
) -> None:
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    calm.mkdir()
    stormy.mkdir()
    command(calm, *SWEEP)
    (reference,) = (calm / "multirun").iterdir()
    folder = stormy / "multirun" / reference.name  # the name follows from the command
    times = sorted(done_marks(reference).values())
    seconds = (times[-1] - times[0]) / (N_JOBS - 1) / 1e9
    moments = random.Random(0)
    marks: dict[str, int] = {}
    n_kills = 0
    while len(marks) < N_JOBS - 3:
        # After some more jobs, and then at any moment of one of them.
        done = f"multirun/{reference.name}/jobs/*/done.json"
        n_done = len(marks) + moments.choice([0, 1, 2])
        later = moments.uniform(0, seconds)
        process = start(stormy, *SWEEP, strike=Strike(signal.SIGKILL, done, n_done, later))
        assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
        n_kills += 1
        now = done_marks(folder)
        assert marks.items() <= now.items(), f"a job was computed again before kill {n_kills}"
        marks = now
    assert n_kills >= 3
    assert len(marks) < N_JOBS
    printed = command(stormy, *SWEEP)
    assert printed.count("done before") == len(marks)
    assert marks.items() <= done_marks(folder).items()
    assert len(done_marks(folder)) == N_JOBS
    pd.testing.assert_frame_equal(table(folder), table(reference))
    assert not list(folder.rglob("*.tmp"))
