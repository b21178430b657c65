"""The process beside training rests when, and as long as, it should."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relutopo.system.processes import processor_seconds
from relutopo.system.threads import available_cores
from relutopo.tracking import pace
from relutopo.tracking.pace import Pace, cores_in_quota, rest_after

needs_proc = pytest.mark.skipif(
    math.isnan(processor_seconds(os.getpid())), reason="the system does not tell processor times"
)
SECONDS = st.floats(1e-3, 1e4)
CORES = st.integers(1, 256)


@given(SECONDS, st.floats(0, 1), CORES)
def test_work_takes_a_fifth_of_the_time_while_training_has_nearly_all_cores(
    seconds: float, share: float, n_cores: int
) -> None:
    rest = rest_after(seconds, share * n_cores * seconds, n_cores)
    if share > 0.81:
        assert math.isclose(seconds / (seconds + rest), 0.2)
    if share < 0.79:
        assert rest == 0


@given(SECONDS, st.integers(2, 4))
def test_a_core_that_training_leaves_free_is_used(seconds: float, n_cores: int) -> None:
    assert rest_after(seconds, (n_cores - 1) * seconds, n_cores) == 0


@given(SECONDS, CORES)
def test_nobody_rests_for_what_is_unknown(seconds: float, n_cores: int) -> None:
    assert rest_after(seconds, math.nan, n_cores) == 0


@needs_proc
def test_processor_time_is_that_of_all_threads() -> None:
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    low = time.process_time()
    told = processor_seconds(os.getpid())
    high = time.process_time()
    tick = 1 / os.sysconf("SC_CLK_TCK")
    assert low - 2 * tick <= told <= high + 2 * tick


@needs_proc
def test_a_process_that_is_gone_has_no_processor_time() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert math.isnan(processor_seconds(gone.pid))


@needs_proc
def test_a_quota_counts_where_it_is_less_than_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_cores = available_cores()
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(pace, "_QUOTA", quota)
    for told, expected in [
        (None, n_cores),
        ("max 100000", n_cores),
        ("50000 100000", 0.5),
        (f"{n_cores + 1}00000 100000", n_cores),
        ("", n_cores),
    ]:
        if told is not None:
            quota.write_text(told + "\n")
        assert cores_in_quota() == expected


class Training:
    """A process that is said to keep all cores busy, until it waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks_before_closing: int) -> None:
        self.looks, self.last = 0, looks_before_closing
        n_cores = available_cores()
        monkeypatch.setattr(pace, "processor_seconds", lambda _: n_cores * time.monotonic())

    def is_closing(self) -> bool:
        self.looks += 1
        return self.looks > self.last


def test_closing_ends_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch, looks_before_closing=2)
    steps = Pace(0, training.is_closing)
    # As after an hour of work: without an end it would rest for four.
    steps._begin, steps._before = steps._begin - 3600, steps._before - 3600 * 10_000
    steps.rest()
    assert training.looks == 3
    worked = time.monotonic() - steps._begin
    assert worked < 1000  # the hour is not counted again


def test_nobody_rests_while_training_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch, looks_before_closing=0)
    steps = Pace(0, training.is_closing)
    steps._begin, steps._before = steps._begin - 3600, steps._before - 3600 * 10_000
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it slept"))
    steps.rest()


@contextmanager
def alarms_as_before() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


@needs_proc
def test_whatever_is_done_is_interrupted_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_PIECE", 0.01)
    training = Training(monkeypatch, looks_before_closing=4)
    until = time.monotonic() + 60
    with alarms_as_before(), Pace(0, training.is_closing):
        while training.looks < 8:  # work that knows of no rests
            assert time.monotonic() < until
