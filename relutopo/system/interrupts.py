"""Interrupts, raised where they can be caught and where they leave nothing half done.

Python runs the handler of a signal between any two instructions of the main thread, and an
exception of the handler, such as `KeyboardInterrupt`, is raised there. This does harm in five
kinds of places. In a finalizer or the callback of a weak reference, Python reports the exception as
ignored, and the program continues as if the key had not been pressed. Code in C may clear the
exception (that of NumPy does where it makes a scalar of an array of strings), with the same effect.
Numba calls back into Python to wrap the result of a kernel, without checking whether that failed:
the process ends with a segmentation fault. Code that takes a lock in Python (that of LLVM, which
finalizers take as well, of logging, of modules, of conditions) would keep it for ever. And where a
file is half written, closing it may fail, and that error would take the place of the interrupt.

Invariant: while a public call that runs kernels runs in the main thread, no handler raises an
exception where it would break something, and every exception that one raises reaches the caller of
the public call or code that catches it; see `deliver_interrupts`. Compilations and imports, which
take longer than a moment there, are done in other threads, see `relutopo.system.uninterrupted`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` wraps it, which takes longer
import _thread
import dis
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
from typing import Any, NamedTuple, ParamSpec, TypeVar

from relutopo.system.uninterrupted import Work, is_main_thread, postponed

__all__ = ["deliver_interrupts", "interrupt_behind"]

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
_NAMES_OF_NAMED_TUPLES = NamedTuple("_", [("x", int)]).__new__.__code__.co_names
"""Names in the function that makes a named tuple: all are alike, and none has a file of its own."""
_RETURNS = tuple(dis.opmap[name] for name in dis.opmap if name.startswith(("RETURN", "YIELD")))
"""Instructions that end or leave a function without an exception."""
_GENERATOR = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_awaited: list[FrameType] = []
"""The frame that is to raise the exception of a handler next, where one was raised."""
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
    wherever it arrives. An error that takes the place of a `KeyboardInterrupt` on its way out is
    replaced by it.

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
        handled = sys.exc_info()[1]
        try:
            state.enter()
            return function(*arguments, **named)
        except Exception as error:
            if (interrupt := interrupt_behind(error, handled)) is None:
                raise
            raise interrupt  # noqa: B904 - it came first
        finally:
            try:
                state.leave()
            except BaseException:  # an interrupt before its first instruction
                state.leave()
                raise

    code: CodeType = call.__code__  # type: ignore[attr-defined]  # a function, whatever `wraps` says
    _calls.add(code)
    return call


def interrupt_behind(
    error: BaseException | None, handled: BaseException | None
) -> KeyboardInterrupt | None:
    """Return the interrupt whose place an error took on the way out, if any.

    Parameters
    ----------
    error : exception or None
    handled : exception or None
        What was being handled when the work began, ``sys.exc_info()[1]``. It is no part of it.

    Returns
    -------
    KeyboardInterrupt or None

    Examples
    --------
    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     finally:
    ...         raise ValueError("half written")
    ... except ValueError as error:
    ...     interrupt_behind(error, None)
    KeyboardInterrupt()
    """
    while error is not None and error is not handled and not error.__suppress_context__:
        error = error.__context__
        if isinstance(error, KeyboardInterrupt) and error is not handled:
            return error
    return None


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
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self._hook(unraisable)
        elif not _awaited:  # else it is found to be missing
            _thread.start_new_thread(_interrupt_again, ())


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
            try:
                self.handler(number, frame)
            except BaseException as error:
                if frame is not None:
                    _unless_raised(frame, type(error), partial(self.handler, number, frame))
                raise
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
        if (
            name.startswith(folders)
            or name in _FILES
            or code in _FUNCTIONS
            or code.co_names == _NAMES_OF_NAMED_TUPLES
        ):
            place = frame
    return place if frame is not None else None


def _at_next_line(frame: FrameType, act: Callable[[], object]) -> None:
    """Act at the frame's next line or return, where a debugger would stop."""

    def at_once(event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_flags & _GENERATOR and frame.f_back is not None:
            # What is raised where a generator yields ends it without its own ``finally``.
            _at_next_line(frame.f_back, act)
        else:
            act()

    _trace_once(frame, at_once)


def _unless_raised(frame: FrameType, kind: type[BaseException], act: Callable[[], object]) -> None:
    """Act at the frame's next line or return, unless an exception is raised in it first.

    Where an exception of this kind leaves the frame, one must be raised in the frame's caller, and
    so on.
    """

    def look(event: str, raised: Any) -> None:
        _awaited.clear()
        if event != "exception":
            act()
        elif issubclass(raised[0], kind) and frame.f_code not in _calls:
            _trace_once(frame, follow)

    def follow(event: str, _: Any) -> None:
        if event != "return":  # it catches the exception, or does what must be done on its way out
            _trace_once(frame, follow)
        elif frame.f_back is not None and frame.f_code.co_code[frame.f_lasti] not in _RETURNS:
            _unless_raised(frame.f_back, kind, act)

    _awaited.append(frame)
    _trace_once(frame, look)


def _trace_once(frame: FrameType, act: Callable[[str, Any], object]) -> None:
    """Act at what a trace function is told of next in a frame."""
    trace, trace_of_frame = sys.gettrace(), frame.f_trace

    def stop(_: FrameType, event: str, argument: Any) -> None:
        frame.f_trace = trace_of_frame
        sys.settrace(trace)
        act(event, argument)

    frame.f_trace = stop
    sys.settrace(lambda *_: None)
