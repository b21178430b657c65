"""Interrupts that strike where nobody can catch them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from relutopo.system.interrupts import deliver_interrupts


class Referred:
    def __init__(self, last: Callable[[], None] = lambda: None) -> None:
        self._last = last

    def __del__(self) -> None:
        self._last()


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def in_a_finalizer() -> None:
    Referred(interrupt)


def in_a_callback() -> None:
    referred = Referred()
    reference = weakref.ref(referred, interrupt)
    del referred
    assert reference() is None


@pytest.mark.parametrize("strike", [in_a_finalizer, in_a_callback])
def test_an_ignored_interrupt_is_raised_again(strike: Callable[[], None]) -> None:
    went_on = []

    def run() -> None:
        strike()
        went_on.append(True)  # Python ignored the interrupt: else there were nothing to test
        until = time.monotonic() + 20
        while time.monotonic() < until:
            pass

    with pytest.raises(KeyboardInterrupt):
        deliver_interrupts(run)()
    assert went_on


def test_other_ignored_errors_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda ignored: told.append(ignored.exc_value))

    def fail() -> None:
        raise ValueError("in a finalizer")

    deliver_interrupts(lambda: Referred(fail))()
    assert [str(error) for error in told] == ["in a finalizer"]


WHILE_A_KERNEL_RUNS = """
import os, signal, threading, time
from typing import NamedTuple

import numpy as np
from numba import njit

from relutopo.system.interrupts import deliver_interrupts


class Counted(NamedTuple):
    go_on: np.ndarray
    counts: np.ndarray


@njit(nogil=True)
def kernel(go_on, counts):
    while go_on[0]:
        counts[0] += 1
    return {result}


@deliver_interrupts
def call(go_on):
    return kernel(go_on, np.zeros(1))


@deliver_interrupts
def go():
    call(go_on)
    print("went on")


def strike():
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
    go_on[0] = 0


call(np.zeros(1))
go_on = np.ones(1)
threading.Thread(target=strike).start()
try:
    go()
except KeyboardInterrupt:
    print("interrupted, and", signal.getsignal(signal.SIGINT).__name__, sys.gettrace())
"""


@pytest.mark.slow
@pytest.mark.parametrize("result", ["Counted(go_on, counts)", "(go_on, counts)", "counts"])
def test_an_interrupt_while_a_kernel_runs_is_raised_after_it(result: str) -> None:
    # In a process of its own, because this used to end with a segmentation fault.
    script = "import sys\n" + WHILE_A_KERNEL_RUNS.replace("{result}", result)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "interrupted, and default_int_handler None\n"


def test_the_handler_of_the_program_is_asked() -> None:
    heard = []
    handler = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        deliver_interrupts(deliver_interrupts(interrupt))()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert heard == [True]


def test_threads_leave_signals_alone() -> None:
    handlers = []

    @deliver_interrupts
    def run() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
