"""Work that goes on to its end when an interrupt ends the wait for it.

A signal handler raises its exception between any two instructions of the main thread, and of no
other. What must not be left half done there (an import of a package in C, a compilation that
holds numba's and LLVM's locks) is therefore done in a thread of its own, for which the main thread
waits. An interrupt ends the wait at once. The work goes on behind, and whoever needs the same
again waits for the locks that it holds, as threads do.

Invariants: only locks of C are taken in the main thread, and none that another thread waits for, so
that an interrupt between two instructions leaves none of them taken. A process neither ends nor
forks in the midst of such work: it waits for a while, in which a compilation is told to give up.
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
"""Seconds between looks at whether work has ended; its lock tells earlier."""

postponed: list[Callable[[], object]] = []
"""What handlers of signals could not do where they struck, for the main thread when it waits."""


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
        """Do it, and keep what it returns or raises."""
        try:
            assert self._work is not None
            self._outcome = (self._work(),)
        except BaseException as error:
            self._outcome = error
        finally:
            self._work = None
            self._ended.release()

    def wait(self) -> Result:
        """Return what the work returns, or raise what it raises, once it has ended."""
        while not self.ends_within(math.inf):
            pass
        outcome = self._outcome
        if isinstance(outcome, BaseException):
            try:
                raise outcome
            finally:
                del outcome  # else it and this frame would hold each other
        assert outcome is not None
        return outcome[0]

    def ends_within(self, seconds: float) -> bool:
        """Wait until it ends, and tell whether it has."""
        until = time.monotonic() + seconds
        while self._outcome is None and (left := until - time.monotonic()) > 0:
            if postponed and is_main_thread():
                postponed.pop()()
            # An interrupt may leave the lock taken, and Windows does not interrupt the wait.
            if self._ended.acquire(timeout=min(left, _PAUSE)):
                self._ended.release()
        return self._outcome is not None


class Task(Work[Result]):
    """Work in a thread of its own, which begins at once.

    Parameters
    ----------
    work : callable
    may_stop : bool
        Whether an exception may be raised in its midst when the process ends.
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
        """Raise an exception in its midst, if it may be stopped."""
        if self.may_stop:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self.thread), ctypes.py_object(SystemExit)
            )


_running: set[Task[Any]] = set()


def uninterrupted(
    work: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Result:
    """Return what work returns; an interrupt raises at once, and the work goes on to its end.

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
    except RuntimeError:  # no memory for another thread; then it is done here, if it can be
        return work(*arguments, **named)
    return task.wait()


def _give_back_import_lock() -> None:
    # Python's ``import`` keeps the lock of all imports where an interrupt strikes between the
    # taking of it and the ``try`` that gives it back; no other thread could import any more. It is
    # never held while a module runs, so whatever the main thread has of it here is left over.
    while _imp.lock_held():
        try:
            _imp.release_lock()
        except RuntimeError:  # another thread has it
            return


def _wait_for_others(seconds: float) -> None:
    until = time.monotonic() + seconds
    tasks = list(_running)
    if all(task.thread != get_ident() for task in tasks):  # else it would wait for itself
        for task in tasks:
            task.ends_within(until - time.monotonic())


def _before_fork() -> None:
    # The copy would have what other threads have locked, and not the threads.
    _wait_for_others(_SECONDS_BEFORE_FORK)


def _before_exit() -> None:
    for task in list(_running):
        task.stop()
    _wait_for_others(_SECONDS_BEFORE_EXIT)


atexit.register(_before_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_running.clear)
