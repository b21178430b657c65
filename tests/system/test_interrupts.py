"""Interrupts that strike where nobody can catch them."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest

from relutopo.system.interrupts import deliver_interrupts


class Referred:
    def __init__(self, last: Callable[[], None] = lambda: None) -> None:
        self._last = last

    def __del__(self) -> None:
        self._last()


def interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


def interrupt_and_leave(*_: object) -> None:
    tidied = False
    try:
        interrupt()
    finally:
        tidied = True
    assert tidied


def in_a_finalizer(strike: Callable[..., None]) -> None:
    Referred(strike)


def in_a_callback(strike: Callable[..., None]) -> None:
    referred = Referred()
    reference = weakref.ref(referred, strike)
    del referred
    assert reference() is None


def in_code_that_clears_exceptions(strike: Callable[..., None]) -> None:
    class Key:
        def __eq__(self, _: object) -> bool:
            strike()
            return False

        def __hash__(self) -> int:
            return 0

    # It asks whether keys are equal, and ignores that it could not know.
    ctypes.pythonapi.PyDict_GetItem(ctypes.py_object({Key(): 0}), ctypes.py_object(Key()))


@pytest.mark.parametrize("strike", [interrupt, interrupt_and_leave])
@pytest.mark.parametrize("place", [in_a_finalizer, in_a_callback, in_code_that_clears_exceptions])
def test_an_ignored_interrupt_is_raised_again(
    place: Callable[[Callable[..., None]], None], strike: Callable[..., None]
) -> None:
    def run() -> None:
        place(strike)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            pass
        pytest.fail("it went on")

    trace = sys.gettrace()
    with pytest.raises(KeyboardInterrupt):
        deliver_interrupts(run)()
    assert sys.gettrace() is trace


def test_an_interrupt_that_is_caught_is_not_raised_again() -> None:
    def run() -> str:
        with suppress(KeyboardInterrupt):
            interrupt_and_leave()
        return "went on"

    assert deliver_interrupts(run)() == "went on"


def test_an_error_on_the_way_out_does_not_take_the_place_of_an_interrupt() -> None:
    def run() -> None:
        try:
            interrupt()
        finally:
            raise ValueError("the file is half written")

    with pytest.raises(KeyboardInterrupt) as caught:
        deliver_interrupts(run)()
    assert isinstance(caught.value.__context__, ValueError)

    def translate() -> None:
        try:
            interrupt()
        except KeyboardInterrupt as reason:
            raise ValueError("stopped") from reason

    with pytest.raises(ValueError, match="stopped"):
        deliver_interrupts(translate)()


def test_an_error_while_an_interrupt_is_handled_stays_an_error() -> None:
    def fail() -> None:
        raise ValueError("wrong")

    try:
        interrupt()
    except KeyboardInterrupt:
        with pytest.raises(ValueError, match="wrong"):
            deliver_interrupts(fail)()


INSIDE_A_NAMED_TUPLE = """
import signal, sys
from typing import NamedTuple

import numpy as np
from numba import njit

from relutopo.system.interrupts import deliver_interrupts


class Counted(NamedTuple):
    first: np.ndarray
    second: np.ndarray


@njit
def kernel(counts):
    return counts, Counted(counts, counts.copy())


def trace(frame, event, _):
    if frame.f_code is Counted.__new__.__code__:
        sys.settrace(None)
        signal.raise_signal(signal.SIGINT)


@deliver_interrupts
def call():
    sys.settrace(trace)
    kernel(counts)
    print("went on")


counts = np.zeros(1)
kernel(counts)
try:
    call()
except KeyboardInterrupt:
    print("interrupted")
"""


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
    script = "import sys\n" + WHILE_A_KERNEL_RUNS.replace("{result}", result)
    assert printed_by(script) == "interrupted, and default_int_handler None\n"


@pytest.mark.slow
def test_an_interrupt_while_a_result_is_wrapped_is_raised_after_it() -> None:
    assert printed_by(INSIDE_A_NAMED_TUPLE) == "interrupted\n"


def printed_by(script: str) -> str:
    """Run a script in a process of its own, because it could end with a segmentation fault."""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


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
