"""Work that continues to its end even if an interrupt ends the wait for it.

A signal handler raises its exception between any two instructions of the main thread, and of no
other. Work that must not be left half done (an import of a package in C, a compilation that holds
the locks of numba and LLVM) is therefore done in a separate thread, for which the main thread
waits. An interrupt ends the wait at once. The work continues in the background, and code that needs
the same result waits for its locks.

Invariants: the main thread takes only locks implemented in C, and none that another thread waits
for, so an interrupt between two instructions leaves none of them taken. A process neither ends nor
forks during such work: it waits for a while, in which a compilation is told to give up.
"""

from __future__ import annotations

import _imp
import atexit
import ctypes
import math
import os
import threading
import time
from _thread import allocate_lock, get_ident, start_new_thread
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Task", "Work", "is_main_thread", "postponed", "uninterrupted"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_SECONDS_BEFORE_FORK = 30.0
_SECONDS_BEFORE_EXIT = 5.0
_PAUSE = 0.1
"""Seconds between checks whether work has ended; usually its lock tells earlier."""

postponed: list[Callable[[], object]] = []
"""Actions that signal handlers had to postpone, for the main thread to run when it waits."""


def is_main_thread() -> bool:
    """Tell whether this is the thread that signals reach.

    Examples
    --------
    >>> is_main_thread()
    True
    """
    # `threading.current_thread` would make a record of each thread that it does not know.
    return get_ident() == threading.main_thread().ident


class Work(Generic[Result]):
    """Work that one thread does and another waits for.

    Parameters
    ----------
    work : callable
    """

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work: Callable[[], Result] | None = work
        self._outcome: tuple[Result] | BaseException | None = None
        self._ended = allocate_lock()
        self._ended.acquire()

    def do(self) -> None:
        """Do the work, and keep its result or exception."""
        try:
            assert self._work is not None
            self._outcome = (self._work(),)
        except BaseException as error:
            self._outcome = error
        finally:
            self._work = None
            self._ended.release()

    @property
    def has_ended(self) -> bool:
        """Whether there is a result or an exception."""
        return self._outcome is not None

    @property
    def was_interrupted(self) -> bool:
        """Whether an interrupt ended the work, or another exception that is no error."""
        outcome = self._outcome
        return isinstance(outcome, BaseException) and not isinstance(outcome, Exception)

    def wait(self) -> Result:
        """Wait for the work to end; return its result or raise its exception."""
        while not self.ends_within(math.inf):
            pass
        outcome = self._outcome
        if isinstance(outcome, BaseException):
            try:
                raise outcome
            finally:
                del outcome  # otherwise it and this frame would refer to each other
        assert outcome is not None
        return outcome[0]

    def ends_within(self, seconds: float) -> bool:
        """Wait at most this long for the work to end, and tell whether it has."""
        until = time.monotonic() + seconds
        while self._outcome is None and (left := until - time.monotonic()) > 0:
            if postponed and is_main_thread():
                postponed.pop()()
            # An interrupt may leave the lock taken, and Windows does not interrupt the wait.
            if self._ended.acquire(timeout=min(left, _PAUSE)):
                self._ended.release()
        return self._outcome is not None


class Task(Work[Result]):
    """Work in a separate thread, which begins at once.

    Parameters
    ----------
    work : callable
    may_stop : bool
        Whether an exception may be raised within the work when the process ends.
    """

    def __init__(self, work: Callable[[], Result], *, may_stop: bool = False) -> None:
        super().__init__(work)
        self.may_stop = may_stop
        self.thread = 0
        self._begun = allocate_lock()
        self._begun.acquire()
        start_new_thread(self._run, ())
        self._begun.acquire()

    def _run(self) -> None:
        self.thread = get_ident()
        _running.add(self)
        self._begun.release()
        try:
            self.do()
        finally:
            _running.discard(self)

    def stop(self) -> None:
        """Raise an exception within the work, if it may be stopped."""
        if self.may_stop:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread), ctypes.py_object(SystemExit)
            )


_running: set[Task[Any]] = set()


def uninterrupted(
    work: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """Return the result of work; an interrupt raises at once, and the work continues to its end.

    In threads other than the main one, which no interrupt reaches, it is a plain call.

    Examples
    --------
    >>> uninterrupted(max, 1, 2)
    2
    """
    if not is_main_thread():
        return work(*arguments, **named)
    _give_back_import_lock()
    try:
        task = Task(partial(work, *arguments, **named), may_stop=True)
    except RuntimeError:  # no memory for another thread; try to do the work here
        return work(*arguments, **named)
    return task.wait()


def _give_back_import_lock() -> None:
    # Python's ``import`` keeps the global import lock if an interrupt arrives between taking it and
    # the ``try`` that releases it; then no other thread could import any more. The lock is never
    # held while a module runs, so if the main thread holds it here, it is a leftover.
    while _imp.lock_held():
        try:
            _imp.release_lock()
        except RuntimeError:  # another thread has it
            return


def _wait_for_others(seconds: float) -> None:
    until = time.monotonic() + seconds
    tasks = list(_running)
    if all(task.thread != get_ident() for task in tasks):  # otherwise it would wait for itself
        for task in tasks:
            task.ends_within(until - time.monotonic())


def _before_fork() -> None:
    # The child would inherit the locks of other threads, but not the threads.
    _wait_for_others(_SECONDS_BEFORE_FORK)


def _before_exit() -> None:
    for task in list(_running):
        task.stop()
    _wait_for_others(_SECONDS_BEFORE_EXIT)


atexit.register(_before_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_running.clear)
