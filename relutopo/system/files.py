"""Files that several processes use: all of the new content or all of the old; one at a time."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

__all__ = ["atomic_write", "is_locked", "locked", "remove_leftovers", "save_json"]


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, flush: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes its place only when the block ends well.

    The content goes to a temporary file in the same folder, which is flushed to disk and then
    renamed. After an exception or a kill the old file, if any, is as it was.

    Parameters
    ----------
    path : path-like
        Where the file shall be; missing folders are made.
    flush : bool, default True
        Whether to wait for the disk, which may take milliseconds. Without it the file is as safe
        from a kill of the process, but not from a loss of power.

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
    with _marked_as_in_use(temporary):
        try:
            with open(temporary, "wb") as file:
                yield file
                if flush:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def save_json(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain values as JSON, atomically."""
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=2).encode())


def remove_leftovers(directory: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes left in a folder and in those within.

    Files that other processes write at the moment stay.
    """
    for path in Path(directory).rglob(".*.tmp"):
        with suppress(FileNotFoundError), open(path, "r+b") as file:
            if _try_lock(file):
                path.unlink()


@contextmanager
def _marked_as_in_use(path: Path) -> Iterator[None]:
    """Lock a temporary file, where locks exist, so that nobody takes it for a leftover."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):
            stack.enter_context(locked(path))
        yield


@contextmanager
def locked(path: str | os.PathLike[str], wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Let one process at a time into a block, on all machines that share the file system.

    Parameters
    ----------
    path : path-like
        A file that stands for the lock. It stays; what locks is not that it exists, so that a
        process that is killed leaves no lock behind.
    wait : callable, optional
        Called once if another process is in the block.
    """
    import fcntl  # not on every system

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        if not _try_lock(file):
            if wait is not None:
                wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Tell whether some process is in the block of a lock."""
    if not Path(path).is_file():
        return False
    with open(path, "a") as file:
        return not _try_lock(file)


def _try_lock(file: IO[Any]) -> bool:
    """Lock an open file until it is closed, unless another process has; tell whether it is."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
