"""A process that compiles, beside this one, what will be asked for next.

On an empty cache a first complex takes half a minute of compilation, and its partition nearly as
much again. Neither uses more than one processor. So as soon as this process has to compile kernels
of one kind, another one, for which processors are free only while nobody else wants them, compiles
those of the next kind. They meet in the cache, where numba replaces whole files, so that neither
reads what the other has half written.

Invariants: the process ends with this one, however this one ends. It prints nothing, and whether it
succeeds makes no difference but in time.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from relutopo.system.processes import apart, give_way

__all__ = ["begin", "compile_next", "follow"]

_next: dict[str, str] = {}
"""Modules to run, by what names of modules begin with whose kernels are compiled first."""


def compile_next(module: str, after: str) -> None:
    """Have a module run in a process of its own once kernels of others have to be compiled.

    Parameters
    ----------
    module : str
        It calls `follow`, and then what is to be compiled.
    after : str
        What the names of those others begin with.
    """
    _next[after] = module


def begin(module: str) -> None:
    """Start what is to be compiled next, now that a kernel of a module has to be.

    Parameters
    ----------
    module : str
    """
    for after in [after for after in _next if module.startswith(after)]:
        _start(_next.pop(after))


def _start(module: str) -> None:
    is_python = bool(sys.executable) and not getattr(sys, "frozen", False)
    if not is_python or len(_processors()) < 2:
        return
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **apart(),
        )
    except OSError:
        return
    atexit.register(_end, process, os.getpid())
    with suppress(RuntimeError):  # there may be no more threads
        threading.Thread(target=process.wait, daemon=True).start()  # else it stays as a zombie


def _processors() -> range:
    if hasattr(os, "sched_getaffinity"):
        return range(len(os.sched_getaffinity(0)))
    return range(os.cpu_count() or 1)


def _end(process: subprocess.Popen[bytes], parent: int) -> None:
    if os.getpid() == parent:  # and not a copy of it
        process.kill()
        process.wait()


def follow(work: Callable[[], object]) -> None:
    """Do the work of such a process: behind all others, and no longer than the one that began it.

    Parameters
    ----------
    work : callable
    """
    give_way()
    threading.Thread(target=_watch, daemon=True).start()
    work()


def _watch() -> None:
    sys.stdin.buffer.read(1)  # nothing comes until the other end is closed
    os._exit(0)
