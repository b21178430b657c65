"""Kills at random moments of runs, sweeps and trackers: nothing that was written is lost.

By themselves, so many of them: ``python -m tests.campaign.kills --number 500``.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from commands import Server, Started
from tests.campaign.framework import Clock, check, kind

__all__ = ["Kills", "run"]

_RUN = (
    "data.n=20",
    "network.hidden=[4]",
    "trainer.n_steps=60",
    "trainer.n_checkpoints=4",
    "trainer.checkpoint_steps=[]",
    "figures=false",
)
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "run": (*_RUN, "trainer.n_steps=300", "trainer.n_checkpoints=20", "hydra.run.dir=folder"),
    "sweep": (
        *_RUN,
        "--multirun",
        "hydra.sweep.dir=folder",
        "seed=range(2)",
        "experiment=two_moons,two_circles",
    ),
}
TRACKER = """
import sys
import relutopo as rt
from relutopo.analyses.partition import Partition
from relutopo.learning.datasets import two_moons
from relutopo.tracking import Tracker
settings = Partition(enumerator={"name": "exact"})
weights = [[2.0, 0.3], [0.4, 1.0], [0.7, -1.1]], [[1.0, -1.0, 0.6]]
tracker = Tracker(sys.argv[1], two_moons(n=20), settings, steps=range(40), resume=True)
with tracker:
    for step in range(40):
        tracker.step((weights, [[0.01 * step, 0.1, -0.3], [0.0]]), step)
"""
LIMIT = 200.0
"""Seconds after which a process that nobody kills should have ended."""


@dataclass(frozen=True)
class Kills:
    """How often something is killed, and when.

    Attributes
    ----------
    seed : int
        Decides the moments.
    what : {"run", "sweep", "tracker"}
    number : int
    """

    seed: int
    what: str
    number: int

    def simpler(self) -> Iterator[Kills]:
        """Yield fewer kills."""
        for n in range(1, self.number):
            yield replace(self, number=n)

    def tags(self) -> dict[str, Any]:
        """Return what is killed."""
        return {"killed": self.what}

    def carry_out(self) -> int:
        """Kill, look and go on until it ends; compare, and return how often it was killed."""
        rng = random.Random(self.seed)
        seconds, reference = undisturbed(self.what)
        with tempfile.TemporaryDirectory() as name:
            place, killed = Path(name), 0
            before: dict[str, Any] = {}
            for _ in range(self.number):
                process = start(self.what, place)
                if ends_within(process, 0.8 * seconds * rng.random()):
                    break
                # The worker of a tracker outlives the training, and is killed by itself.
                kill(process, place, rng)
                killed += 1
                now = written(place)
                lost = {key for key, value in before.items() if now.get(key) != value}
                assert not lost, f"lost or computed again after kill {killed}: {sorted(lost)}"
                before = now
            process = start(self.what, place)
            assert ends_within(process, LIMIT), "it hangs after a kill"
            assert status(process) == 0, f"it fails after a kill: {said(process)[-2000:]}"
            now = written(place)
            assert before.items() <= now.items(), "computed again what there was"
            assert timeless(now) == timeless(reference), "other results than undisturbed"
            leftovers = [*place.rglob(".*.tmp")]
            assert not leftovers, f"left: {leftovers}"
        return killed


@cache
def server() -> Server:
    """Return the process that commands are copies of."""
    found = Server(Path(tempfile.mkdtemp()))
    atexit.register(found.close)
    return found


def start(what: str, place: Path) -> Started | subprocess.Popen[str]:
    """Start it anew, or go on with it."""
    if what != "tracker":
        return server().start(place, *COMMANDS[what])
    return subprocess.Popen(
        [sys.executable, "-c", TRACKER, str(place / "folder")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ends_within(process: Started | subprocess.Popen[str], seconds: float) -> bool:
    """Wait for a process, and tell whether it has ended."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    return process.poll() is not None


def status(process: Started | subprocess.Popen[str]) -> int | None:
    """Return its exit status."""
    return process.returncode


def said(process: Started | subprocess.Popen[str]) -> str:
    """Return what it printed."""
    if isinstance(process, Started):
        return process.printed()
    assert process.stderr is not None
    return process.stderr.read()


def kill(process: Started | subprocess.Popen[str], place: Path, rng: random.Random) -> None:
    """Kill a process, and in some cases what analyses for it in the background."""
    if isinstance(process, Started):
        process.send_signal(signal.SIGKILL)
        process.wait()
        return
    worker = worker_of(process.pid) if rng.random() < 0.5 else None
    for number in (worker, process.pid):
        if number is not None:
            os.kill(number, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


def worker_of(parent: int) -> int | None:
    """Return the process in which a tracker analyses, if there is one."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    numbers = children.read_text().split() if children.exists() else []
    return int(numbers[0]) if numbers else None


def written(place: Path) -> dict[str, Any]:
    """Read all that there is; return what must stay: rows, checkpoints, jobs that are done."""
    kept: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.suffix == ".json":
            content = json.loads(path.read_text())
            if path.name == "done.json" or path.parent.name == "rows" or "/analysis/" in name:
                kept[name] = content
        elif path.suffix == ".parquet":
            import pandas as pd

            table = pd.read_parquet(path)
            columns = [c for c in table.columns if not c.startswith("seconds")]
            if "/" not in name.removeprefix("folder/"):  # of the run, or the whole sweep
                by = [c for c in ("job", "step") if c in columns]
                table = table.sort_values(by) if by else table
                kept[f"table {name}"] = table[columns].to_csv(index=False)
        elif path.suffix in (".npz", ".npy") and "pending" not in name:
            np.load(path)
    return kept


def timeless(content: Any) -> Any:
    """Return content without times."""
    if isinstance(content, dict):
        return {
            key: timeless(value)
            for key, value in content.items()
            if not str(key).startswith(("seconds", "finished"))
        }
    if isinstance(content, float) and content != content:
        return "nan"
    return content


@cache
def undisturbed(what: str) -> tuple[float, dict[str, Any]]:
    """Return how long it takes, and what is there in the end."""
    with tempfile.TemporaryDirectory() as name:
        for again in range(2):  # the first loads what the second has
            place = Path(name) / str(again)
            place.mkdir()
            begin = time.monotonic()
            process = start(what, place)
            assert ends_within(process, LIMIT)
            assert status(process) == 0, said(process)
            seconds = time.monotonic() - begin
        return seconds, written(place)


@check("nothing is lost")
def nothing_is_lost(case: Kills, clock: Clock) -> None:
    """What was written stays, and in the end there is what an undisturbed process gives."""
    case.carry_out()


def _kills(rng: np.random.Generator) -> Kills:
    what = ("run", "sweep", "tracker")[rng.integers(3)]
    return Kills(int(rng.integers(2**31)), what, int(rng.integers(1, 13)))


kind("kills", "schedules", checks=("nothing is lost",), limit=5 * LIMIT, in_the_gate=1)(_kills)


def run(seed: int, number: int) -> tuple[Counter[str], list[str]]:
    """Kill so often in all; return how often each was killed, and what was wrong."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    while counts.total() < number:
        case = _kills(rng)
        try:
            counts[case.what] += case.carry_out()
        except AssertionError as error:
            wrong.append(f"{case!r}: {error}")
            print(wrong[-1], flush=True)
        print(f"{dict(counts)}, {len(wrong)} wrong", flush=True)
    return counts, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, default=500)
    chosen = parser.parse_args()
    _, failures = run(chosen.seed, chosen.number)
    sys.exit(bool(failures))
