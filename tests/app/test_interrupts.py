"""Interrupts that strike where nobody can catch them."""

from __future__ import annotations

import signal
import time
import weakref
from collections.abc import Callable

import pytest

from relutopo.app.interrupts import interrupts_that_insist


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

    with pytest.raises(KeyboardInterrupt), interrupts_that_insist():
        run()
    assert went_on


def test_other_ignored_errors_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda ignored: told.append(ignored.exc_value))

    def fail() -> None:
        raise ValueError("in a finalizer")

    with interrupts_that_insist():
        Referred(fail)
    assert [str(error) for error in told] == ["in a finalizer"]
