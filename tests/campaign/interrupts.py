"""Interrupts of fresh processes, at random moments and lines.

By themselves, so many of them: ``python -m tests.campaign.interrupts --number 2000``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.campaign.framework import Clock, check, kind
from tests.campaign.interrupted import LIMIT, PHASES

__all__ = ["Schedule", "run"]

_ROOT = Path(__file__).parents[2]
_FIRST_USE = ("importing", "compiling", "connecting", "writing")
"""Phases of processes that have no compiled kernels: what is compiled within seconds."""


@dataclass(frozen=True)
class Schedule:
    """When a process is interrupted.

    Attributes
    ----------
    seed : int
        Decides the moments, or lines.
    n_strikes : int
        Interrupts of each phase.
    strike_at : {"moments", "lines"}
    has_kernels : bool
        Whether kernels were compiled before.
    """

    seed: int
    n_strikes: int
    strike_at: str
    has_kernels: bool

    def simpler(self) -> Iterator[Schedule]:
        """Yield the schedule with fewer interrupts."""
        for n in range(1, self.n_strikes):
            yield replace(self, n_strikes=n)

    def tags(self) -> dict[str, Any]:
        """Return how interrupts strike."""
        return {"at": self.strike_at, "kernels": "kept" if self.has_kernels else "none"}

    def carry_out(self) -> dict[str, Any]:
        """Return what a process says that is interrupted so; see `tests.campaign.interrupted`."""
        phases = list(PHASES) if self.has_kernels else list(_FIRST_USE)
        with tempfile.TemporaryDirectory() as folder:
            kept = {} if self.has_kernels else {"NUMBA_CACHE_DIR": folder}
            process = subprocess.run(
                [
                    *(sys.executable, "-m", "tests.campaign.interrupted"),
                    *(str(self.seed), str(self.n_strikes), self.strike_at, *phases),
                ],
                cwd=_ROOT,
                env={**os.environ, "TMPDIR": folder, **kept},
                capture_output=True,
                text=True,
                timeout=5 * LIMIT,
                check=False,
            )
        assert process.returncode == 0, f"status {process.returncode}: {process.stderr[-6000:]}"
        found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
        return found


@cache
def undisturbed(has_kernels: bool) -> dict[str, str]:
    """Return what each phase gives if nobody interrupts."""
    results: dict[str, str] = Schedule(0, 0, "moments", has_kernels).carry_out()["results"]
    return results


@check("the next call works")
def goes_on(case: Schedule, clock: Clock) -> None:
    """Interrupts are raised in time, nothing stays locked, and results are those of others."""
    _compared(case, case.carry_out())


def _compared(case: Schedule, found: dict[str, Any]) -> None:
    assert not found["wrong"], found["wrong"]
    assert found["results"] == undisturbed(case.has_kernels), found["results"]


def _schedule(rng: np.random.Generator, has_kernels: bool) -> Schedule:
    return Schedule(int(rng.integers(2**31)), 8, ("moments", "lines")[rng.integers(2)], has_kernels)


@kind("interrupts", "schedules", checks=("the next call works",), limit=5 * LIMIT, in_the_gate=1)
def interrupts(rng: np.random.Generator) -> Schedule:
    """Make a schedule for a process that only loads what is compiled."""
    return _schedule(rng, has_kernels=True)


@kind(
    "interrupts of the first use",
    "schedules",
    checks=("the next call works",),
    limit=5 * LIMIT,
    in_the_gate=1,
)
def interrupts_of_the_first_use(rng: np.random.Generator) -> Schedule:
    """Make a schedule for a process that has compiled nothing yet."""
    return _schedule(rng, has_kernels=False)


def run(seed: int, number: int) -> tuple[Counter[str], list[str]]:
    """Interrupt processes so often in all; return how often each phase was, and what was wrong."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = longest = 0.0
    told, n_processes = time.monotonic(), 0
    while counts.total() < number:
        case = _schedule(rng, has_kernels=bool(rng.random() < 0.8))
        n_processes += 1
        try:
            found = case.carry_out()
            counts.update(found["counts"])
            slowest, longest = max(slowest, found["slowest"]), max(longest, found["longest"])
            _compared(case, found)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            wrong.append(f"{case!r}: {error}")
            print(wrong[-1], flush=True)
        if time.monotonic() > told + 30 or counts.total() >= number:
            told = time.monotonic()
            print(
                f"{counts.total()} interrupts of {n_processes} processes, {len(wrong)} wrong, "
                f"raised within {slowest:.2f} s of the processor, {longest:.2f} s by the clock",
                flush=True,
            )
    return counts, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, default=2000)
    chosen = parser.parse_args()
    by_phase, failures = run(chosen.seed, chosen.number)
    print("\n".join(f"{name}: {n}" for name, n in by_phase.most_common()))
    sys.exit(bool(failures))
