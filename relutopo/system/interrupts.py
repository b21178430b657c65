"""Interrupts, raised where they can be caught and where they leave nothing half done.

Python runs the handler of a signal between any two instructions of the main thread, and an
exception of the handler, such as `KeyboardInterrupt`, is raised there. This does harm in three
kinds of places. In a finalizer or the callback of a weak reference, Python reports the exception as
ignored, and the program continues as if the key had not been pressed. Numba calls back into Python
to wrap the result of a kernel, without checking whether that failed: the process ends with a
segmentation fault. And code that takes a lock in Python (that of LLVM, which finalizers take as
well, of logging, of modules, of conditions) would keep it for ever.

Invariant: while a public call that runs kernels runs in the main thread, no handler raises an
exception in such a place; see `deliver_interrupts`. Compilations and imports, which take longer
than a moment there, are done in other threads, see `relutopo.system.uninterrupted`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it, which takes longer
import _thread
import inspect
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from types import CodeType, FrameType
from typing import Any, ParamSpec, TypeVar

from relutopo.system.uninterrupted import Work, is_main_thread, postponed

__all__ = ["deliver_interrupts"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Handler = Callable[[int, FrameType | None], Any]

_SECONDS_TO_LEAVE = 0.01
_PATIENCE = 1.0
"""Seconds after which a second interrupt is raised wherever the program is."""
_NUMBERS = tuple(signal.valid_signals())
_PACKAGES = ("numba", "llvmlite")
"""Modules whose Python functions are not interrupted."""
_FILES = ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
_FUNCTIONS = (
    logging.Handler.acquire.__code__,
    logging.Handler.release.__code__,
    threading.Condition.__enter__.__code__,
    threading.Condition.__exit__.__code__,
)
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_calls: set[CodeType] = set()
"""Code of the public calls; the search for such functions ends at their frames."""


def deliver_interrupts(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a call be interrupted only where the exception reaches its caller and breaks nothing.

    Every public call that runs kernels is decorated with this. In threads other than the main one,
    which signals do not reach, it does nothing.

    It surrounds public calls and not only kernels: finalizers run, and lose interrupts, anywhere in
    the minutes that a call may take; and a call runs thousands of kernels, each of which would pay
    for a handler. Without an interrupt it costs a call microseconds, and the program's own handlers
    are restored when the call ends. A signal that arrives where nothing may be raised sets a trace
    function until the caller's next line. A second signal, more than a second later, is raised
    wherever it arrives.

    Examples
    --------
    >>> @deliver_interrupts
    ... def total(n):
    ...     return sum(range(n))
    >>> total(10)
    45
    """

    @wraps(function)
    def call(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        if not is_main_thread():
            return function(*arguments, **named)
        state = _State()
        try:
            state.enter()
            return function(*arguments, **named)
        finally:
            try:
                state.leave()
            except BaseException:  # an interrupt before its first instruction
                state.leave()
                raise

    code: CodeType = call.__code__  # type: ignore[attr-defined]  # a function, whatever `wraps` says
    _calls.add(code)
    return call


class _State:
    """The state before a call: the signal handlers, and the hook for ignored exceptions."""

    def __init__(self) -> None:
        self._hook = sys.unraisablehook
        self._handlers: list[tuple[int, _Postponing]] = []

    def enter(self) -> None:
        is_within = isinstance(self._hook, _Insisting)
        if is_within and isinstance(_signal.getsignal(_signal.SIGINT), _Postponing):
            return  # an enclosing call does it
        for number in _NUMBERS:
            handler = _signal.getsignal(number)
            # Otherwise the signal is ignored, ends the process without Python, or is handled.
            if callable(handler) and not isinstance(handler, _Postponing):
                self._handlers.append((number, _Postponing(handler)))
                _signal.signal(*self._handlers[-1])
        if not is_within:
            sys.unraisablehook = _Insisting(self._hook)

    def leave(self) -> None:
        for number, ours in self._handlers:
            if _signal.getsignal(number) is ours:
                _signal.signal(number, ours.handler)
        sys.unraisablehook = self._hook


class _Insisting:
    """Raises interrupts again that Python ignored."""

    def __init__(self, hook: Callable[[Any], object]) -> None:
        self._hook = hook

    def __call__(self, unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_again, ())
        else:
            self._hook(unraisable)


def _interrupt_again() -> None:
    time.sleep(_SECONDS_TO_LEAVE)  # raised at once, it would arrive in the same place
    _thread.interrupt_main()


class _Postponing:
    """Lets a handler of the program act where it may raise an exception."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self._since: float | None = None  # when it was postponed

    def __call__(self, number: int, frame: FrameType | None) -> None:
        place, now = _place(frame), time.monotonic()
        if place is None or (self._since is not None and now - self._since > _PATIENCE):
            self._since = None
            postponed.clear()
            self.handler(number, frame)
        elif self._since is None:
            self._since = now
            act = partial(self._act, number, place)
            postponed.append(act)  # the lines before it may wait for other threads
            _at_next_line(place, act)

    def _act(self, number: int, frame: FrameType) -> None:
        postponed.clear()
        if self._since is not None:
            self._since = None
            self.handler(number, frame)


def _place(frame: FrameType | None) -> FrameType | None:
    """Return the frame at whose next line a handler may raise, or None if it may raise at once."""
    folders = tuple(
        os.path.dirname(str(sys.modules[name].__file__)) + os.sep
        for name in _PACKAGES
        if name in sys.modules
    )
    place: FrameType | None = None
    while frame is not None and frame.f_code not in _calls:
        code, frame = frame.f_code, frame.f_back
        if code is Work.ends_within.__code__ and place is None:
            return None  # it waits for work that interrupts do not reach
        name = code.co_filename
        if name.startswith(folders) or name in _FILES or code in _FUNCTIONS:
            place = frame
    return place if frame is not None else None


def _at_next_line(frame: FrameType, act: Callable[[], object]) -> None:
    """Act at the frame's next line or return, where a debugger would stop."""
    trace, trace_of_frame = sys.gettrace(), frame.f_trace

    def stop(_: FrameType, event: str, __: object) -> None:
        frame.f_trace = trace_of_frame
        sys.settrace(trace)
        if event == "return" and frame.f_code.co_flags & _GENERATOR and frame.f_back is not None:
            # What is raised where a generator yields ends it without its own ``finally``.
            _at_next_line(frame.f_back, act)
        else:
            act()

    frame.f_trace = stop
    sys.settrace(lambda *_: None)
