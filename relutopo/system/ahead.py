"""A second process that compiles the kernels that will be needed next.

With an empty cache a first complex takes half a minute of compilation, and its partition nearly as
much again; each uses only one processor. So when this process begins to compile kernels of one
kind, another process of lowest priority compiles those of the next kind. Both write to the same
cache, where numba replaces whole files, so neither reads a half-written file.

Invariants: the second process ends with this one, however this one ends. It prints nothing, and its
success affects only the time.
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
"""Modules to run, by the prefix of the modules whose kernels are compiled first."""


def compile_next(module: str, after: str) -> None:
    """Run a module in a separate process once kernels of certain other modules must be compiled.

    Parameters
    ----------
    module : str
        It calls `follow` with work that needs the kernels to compile.
    after : str
        Prefix of the names of the other modules.
    """
    _next[after] = module


def begin(module: str) -> None:
    """Start compiling what comes next, because a kernel of a module must be compiled now.

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
        threading.Thread(target=process.wait, daemon=True).start()  # otherwise it becomes a zombie


def _processors() -> range:
    if hasattr(os, "sched_getaffinity"):
        return range(len(os.sched_getaffinity(0)))
    return range(os.cpu_count() or 1)


def _end(process: subprocess.Popen[bytes], parent: int) -> None:
    if os.getpid() == parent:  # and not a copy of it
        process.kill()
        process.wait()


def follow(work: Callable[[], object]) -> None:
    """Do the work of such a process: at lowest priority, and no longer than its parent lives.

    Parameters
    ----------
    work : callable
    """
    give_way()
    threading.Thread(target=_watch, daemon=True).start()
    work()


def _watch() -> None:
    sys.stdin.buffer.read(1)  # returns when the other end is closed
    os._exit(0)
