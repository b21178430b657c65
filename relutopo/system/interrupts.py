"""Interrupts from the keyboard, delivered also where Python or numba would lose them.

Python raises `KeyboardInterrupt` between any two instructions of the main thread. There are two
places where nobody can catch it. In a finalizer or the callback of a weak reference Python reports
it as ignored, and the program goes on as if the key had not been pressed. And numba calls back into
Python to wrap what a kernel returns, without looking whether that failed: an interrupt that was
pending while the kernel ran ends the process with a segmentation fault.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["deliver_interrupts"]

_SECONDS_TO_LEAVE = 0.01


@contextmanager
def deliver_interrupts() -> Iterator[None]:
    """Deliver interrupts as `KeyboardInterrupt` where it can be caught, wherever they strike.

    Everything that runs kernels in the main thread belongs in here. Signals reach no other
    thread, and there it does nothing.

    It surrounds public calls and not kernels alone. Finalizers run, and lose interrupts, anywhere
    in the minutes that a call may take; and a call runs thousands of kernels, each of which would
    pay for a handler. Until an interrupt comes, a call pays for two assignments, and Python's
    handler is back when it ends. A trace function is set only by an interrupt that strikes while
    a kernel's result is wrapped, until the next line.

    Examples
    --------
    >>> with deliver_interrupts():
    ...     total = sum(range(10))
    >>> total
    45
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    hook, handler = sys.unraisablehook, signal.getsignal(signal.SIGINT)

    def insist(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_again, ())
        else:
            hook(unraisable)

    def handle(number: int, frame: FrameType | None) -> None:
        assert callable(handler)
        caller = _caller_of_kernel(frame)
        if caller is None:
            handler(number, frame)
        else:
            _at_next_line(caller, lambda: handler(number, caller))

    sys.unraisablehook = insist
    if callable(handler):  # else the signal is ignored, or ends the process without Python
        signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if callable(handler):
            signal.signal(signal.SIGINT, handler)


def _interrupt_again() -> None:
    time.sleep(_SECONDS_TO_LEAVE)  # at once, it would strike in the same place
    _thread.interrupt_main()


def _caller_of_kernel(frame: FrameType | None) -> FrameType | None:
    """Return the frame whose kernel's result numba is wrapping, if that is what it does."""
    serialize = sys.modules.get("numba.core.serialize")
    while serialize is not None and frame is not None:
        code, frame = frame.f_code, frame.f_back
        if code.co_name == "_numba_unpickle" and code.co_filename == serialize.__file__:
            return frame
    return None


def _at_next_line(frame: FrameType, act: Callable[[], object]) -> None:
    """Act at the frame's next line or return, as a debugger would stop there."""
    trace, trace_of_frame = sys.gettrace(), frame.f_trace

    def stop(*_: object) -> None:
        frame.f_trace = trace_of_frame
        sys.settrace(trace)
        act()

    frame.f_trace = stop
    sys.settrace(lambda *_: None)
