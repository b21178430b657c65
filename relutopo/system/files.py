"""Files that several processes use: written as a whole or not at all, and locked.

Locks are those of `fcntl` where it exists, and of `msvcrt` on Windows.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO

from relutopo.errors import InputError
from relutopo.system.interrupts import interrupt_behind

__all__ = ["append_to", "atomic_write", "is_locked", "locked", "remove_leftovers", "save_json"]

log = logging.getLogger("relutopo")


def _module_or_none(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


_FCNTL, _MSVCRT = _module_or_none("fcntl"), _module_or_none("msvcrt")
_LOCKED_BYTE = 2**31 - 2
"""Windows locks parts of files, even against reading; so a byte beyond the end is locked."""
_PAUSE = 0.05
"""Seconds between attempts to lock, if the system cannot wait for a lock without limit."""


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, flush: bool = True) -> Iterator[BinaryIO]:
    """Open a file that replaces the old one only when the block ends without error.

    The content goes to a temporary file in the same folder, which is flushed to disk and then
    renamed. After an exception or a kill the old file, if any, is unchanged.

    Parameters
    ----------
    path : path-like
        Path of the file; missing folders are made.
    flush : bool, default True
        Whether to wait for the disk, which may take milliseconds. Without it the file is safe from
        a kill of the process, but not from a loss of power.

    Yields
    ------
    binary file
        Open for writing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"done")
    >>> path.read_bytes()
    b'done'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    handled = sys.exc_info()[1]
    try:
        with _marked_as_in_use(temporary):
            with open(temporary, "wb") as file:
                yield file
                if flush:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, target)
    except BaseException as error:
        # Nothing in Python comes before the call, where another interrupt could strike.
        try:  # noqa: SIM105
            os.unlink(temporary)
        except (OSError, ValueError):  # it was never made, and why is told by the first error
            pass
        if (interrupt := interrupt_behind(error, handled)) is not None:
            raise interrupt  # noqa: B904 - archives that are half written cannot be closed
        raise


def save_json(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain values as JSON, atomically."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=2).encode())


def append_to(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to append to it; it is made if it is missing.

    Raises
    ------
    InputError
        If it is a link, which may lead anywhere, or not a regular file.

    Examples
    --------
    >>> import tempfile
    >>> with append_to(Path(tempfile.mkdtemp()) / "lines.log") as file:
    ...     file.write(b"begun")
    5
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        # That is a link, and a pipe that nobody reads.
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return os.fdopen(descriptor, "ab")


def _no_file(path: str | os.PathLike[str]) -> InputError:
    return InputError(
        f"{os.fspath(path)!r} must be a regular file, got a link or something else; remove it"
    )


def remove_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left in a folder and its subfolders.

    Files that other processes are writing stay.
    """
    for path in Path(directory).rglob(".*.tmp"):
        with suppress(OSError):
            if path.is_symlink() or not path.is_file():
                continue
            if _FCNTL is not None:
                with open(path, "r+b") as file:
                    if _lock(file):
                        path.unlink()
            elif _MSVCRT is not None:
                path.unlink()  # Windows refuses this for open files


@contextmanager
def _marked_as_in_use(path: Path) -> Iterator[None]:
    """Lock a temporary file, where that does no harm, so that it is not taken for a leftover."""
    with ExitStack() as stack:
        if _FCNTL is not None:  # Windows does not rename open files
            with suppress(OSError):
                stack.enter_context(locked(path))
        yield


@contextmanager
def locked(path: str | os.PathLike[str], wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Let one process at a time into a block, on all machines that share the file system.

    Parameters
    ----------
    path : path-like
        A file that represents the lock. It is not removed; its existence does not lock, so a killed
        process leaves no lock behind.
    wait : callable, optional
        Called once if another process is in the block.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with append_to(path) as file:
        if not _lock(file):
            if wait is not None:
                wait()
            _lock(file, waits=True)
        yield


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Tell whether some process is in the block of a lock."""
    if not Path(path).is_file():
        return False
    with append_to(path) as file:
        return not _lock(file)


def _lock(file: IO[bytes], waits: bool = False) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it."""
    if _FCNTL is not None:
        try:
            _FCNTL.flock(file, _FCNTL.LOCK_EX | (0 if waits else _FCNTL.LOCK_NB))
        except BlockingIOError:
            return False
        return True
    if _MSVCRT is None:
        _warn_of_no_locks()
        return True
    while True:
        os.lseek(file.fileno(), _LOCKED_BYTE, os.SEEK_SET)
        try:
            _MSVCRT.locking(file.fileno(), _MSVCRT.LK_NBLCK, 1)
        except OSError:
            if not waits:
                return False
            time.sleep(_PAUSE)
        else:
            return True


@cache
def _warn_of_no_locks() -> None:
    log.warning("this system locks no files; let one process at a time work in a folder")
