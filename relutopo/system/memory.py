"""Memory: how much this process may still have, and bounds that are checked before it is asked for.

Invariant: work predicted to need more than is available raises a `LimitReachedError` before it asks
for any memory. If needs cannot be predicted, or the system refuses memory all the same, the error
is an `OutOfMemoryError` within `in_words`.

Under a limit of the process (``ulimit -v``) some libraries end the process, or retry for ever, when
memory runs out: LLVM while it compiles, OpenBLAS when a thread first multiplies matrices, the
loader of shared libraries. `require_address_space` checks before they begin. Without such a limit
it does nothing; a limit that is set later is seen half a second later at the latest.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ContextDecorator, suppress
from pathlib import Path
from typing import NoReturn

from relutopo.errors import LimitReachedError, OutOfMemoryError, RelutopoError

__all__ = [
    "Room",
    "address_space_left",
    "available_bytes",
    "in_words",
    "readable",
    "require_address_space",
]

_SHARE = 0.9
"""Share of the available memory that may be used; the system and other threads need the rest."""
_LEAST = 2**28
"""Address space needed to begin work: OpenBLAS never returns if it finds no room for buffers."""
_SHORT = 2**29
"""With less address space than this left, failures in loading count as lack of it."""
_FEW = 2**25
"""For fewer bytes than this the system is not asked."""
_RECENT = 0.5
"""Seconds for which an answer of the system stays valid."""
_MEMINFO = Path("/proc/meminfo")
_CGROUPS = Path("/sys/fs/cgroup")
_GROUPS_OF_PROCESS = Path("/proc/self/cgroup")
_STATM = Path("/proc/self/statm")
_LIMIT_NAMES = (
    ("memory.max", "memory.current", "inactive_file"),
    (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_bytes() -> int:
    """Return how many bytes this process can still ask for, as far as the system tells.

    This is the minimum of the available memory of the machine, and of what control groups
    (containers, batch systems) and limits of the process (``ulimit -v``, ``ulimit -d``) leave. If
    the system does not tell, all memory of the machine, or no bound.

    Examples
    --------
    >>> available_bytes() > 2**20
    True
    """
    return max(0, min([_of_machine(), *_of_groups(), *_of_process()]))


def _of_machine() -> int:
    with suppress(OSError, ValueError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    if sys.platform == "win32":
        return _of_windows()
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return sys.maxsize


def _of_windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("all", "free", "all_pages", "pages")),
            *((name, ctypes.c_ulonglong) for name in ("all_virtual", "virtual", "extended")),
        ]

    status = Status(length=ctypes.sizeof(Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009  # not known elsewhere
    if kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return min(int(status.free), int(status.pages), int(status.virtual))
    return sys.maxsize


def _of_groups() -> Iterator[int]:
    """Yield what each control group around this process leaves, for both versions of groups."""
    with suppress(OSError, ValueError):
        for line in _GROUPS_OF_PROCESS.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                names, root = _LIMIT_NAMES[0], _CGROUPS
            elif "memory" in controllers.split(","):
                names, root = _LIMIT_NAMES[1], _CGROUPS / "memory"
            else:
                continue
            inner = root / path.lstrip("/")
            for folder in (inner, *inner.parents):
                with suppress(OSError, ValueError):
                    limit, used = (int((folder / name).read_text()) for name in names[:2])
                    yield limit - used + _reclaimable(folder, names[2])
                if folder == root:
                    break


def _reclaimable(folder: Path, name: str) -> int:
    """Return how much of a group's memory are pages of files, which the system can reclaim."""
    with suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text().splitlines():
            if line.startswith(f"{name} "):
                return int(line.split()[1])
    return 0


def _of_process() -> Iterator[int]:
    """Yield what the limits of this process leave."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, field in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            page, used = os.sysconf("SC_PAGE_SIZE"), 0
            with suppress(OSError, ValueError, IndexError):
                used = page * int(_STATM.read_text().split()[field])
            yield soft - used


def address_space_left() -> int | None:
    """Return how many bytes the limits of this process leave; None without such limits.

    Examples
    --------
    >>> left = address_space_left()
    >>> left is None or left > 2**20
    True
    """
    global _unlimited_since
    now = time.monotonic()
    if _unlimited_since <= now < _unlimited_since + _RECENT:
        return None
    left = min(_of_process(), default=None)
    _unlimited_since = now if left is None else math.inf
    return left


def require_address_space(n_bytes: int, what: str) -> None:
    """Raise an `OutOfMemoryError` if a limit of this process leaves less.

    Parameters
    ----------
    n_bytes : int
    what : str
        What needs it, for the message.

    Examples
    --------
    >>> require_address_space(2**20, "a thread")
    """
    left = address_space_left()
    if left is not None and left < n_bytes:
        raise OutOfMemoryError(
            f"{what} needs {readable(n_bytes)} of address space, and the limit of this process "
            f"(ulimit -v) leaves {readable(max(left, 0))}; raise the limit"
        )


def readable(n_bytes: float) -> str:
    """Return a number of bytes as text.

    Examples
    --------
    >>> readable(3 * 2**30), readable(1500)
    ('3.0 GiB', '1.5 kiB')
    """
    for unit in ("bytes", "kiB", "MiB", "GiB", "TiB"):
        if n_bytes < 1000 or unit == "TiB":
            break
        n_bytes /= 1024
    return f"{n_bytes:.0f} bytes" if unit == "bytes" else f"{n_bytes:.1f} {unit}"


_unlimited_since = math.inf
"""When this process was last seen to have no limits; work asks at each of its steps."""


def _forget() -> None:
    """Ask again: a process that was forked may be given limits at once."""
    global _unlimited_since
    _unlimited_since = math.inf


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

_recent: tuple[float, int] = (-1.0, 0)
"""When the system was last asked, and its answer; asking takes longer than a tiny complex."""


def _recently_available() -> int:
    global _recent
    now = time.monotonic()
    when, n_bytes = _recent
    if when < 0 or now - when > _RECENT:
        n_bytes = available_bytes()
        _recent = now, n_bytes
    return n_bytes


class Room:
    """The memory that some work may use.

    Parameters
    ----------
    max_bytes : int, optional
        By default nine tenths of what is available when the work first asks for more than 32 MiB.

    Examples
    --------
    >>> Room(10**6).check(10**5, "a matrix", "take fewer points")
    >>> Room(10**6).check(10**8, "a matrix", "take fewer points")
    Traceback (most recent call last):
    relutopo.errors.LimitReachedError: `max_bytes`=1000000 does not suffice: a matrix needs 95.4 ...
    """

    def __init__(self, max_bytes: int | None = None) -> None:
        self.max_bytes = max_bytes
        self._available: int | None = None

    @property
    def n_bytes(self) -> int:
        """How many bytes the work may use."""
        if self.max_bytes is not None:
            return self.max_bytes
        if self._available is None:
            self._available = max(_FEW, int(_SHARE * _recently_available()))
        return self._available

    def check(self, n_bytes: float, what: str, remedy: str) -> None:
        """Raise a `LimitReachedError` if the work needs more in total.

        Parameters
        ----------
        n_bytes : float
            Predicted need.
        what : str
            What needs it, for the message.
        remedy : str
            What to do about it, besides a larger `max_bytes` or more memory.
        """
        if self.max_bytes is None and n_bytes <= _FEW:
            return
        if n_bytes > self.n_bytes:
            self.refuse(n_bytes, what, remedy)

    def refuse(self, n_bytes: float, what: str, remedy: str) -> NoReturn:
        """Raise the `LimitReachedError` of `check`, which has the same parameters."""
        needs = f"{what} needs {readable(n_bytes)}"
        if self.max_bytes is not None:
            raise LimitReachedError(
                f"`max_bytes`={self.max_bytes} does not suffice: {needs}; raise it, or {remedy}"
            )
        raise LimitReachedError(
            f"there is not enough memory: {needs}, and this process can have "
            f"{readable(self.n_bytes)}; {remedy}, or free some memory; `max_bytes` sets another "
            "bound"
        )


class in_words(ContextDecorator):
    """Turn the system's refusals of memory into one error that says what to do.

    Parameters
    ----------
    remedy : str
        For the end of the message.

    Raises
    ------
    OutOfMemoryError
        For a MemoryError of Python, NumPy or a compiled kernel, and for torch's error. If a limit
        of the process leaves little memory, also before work begins, and for failures to load.

    Examples
    --------
    >>> with in_words("shrink the domain"):
    ...     raise MemoryError("Unable to allocate 7 TiB")
    Traceback (most recent call last):
    relutopo.errors.OutOfMemoryError: the system gives no more memory (MemoryError: Unable ...
    """

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy

    def __enter__(self) -> None:
        require_address_space(_LEAST, "this work")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MemoryError) and not isinstance(error, RelutopoError):
            raise _refused(error, self._remedy) from error
        if isinstance(error, (RuntimeError, SystemError, ImportError, OSError)) and not isinstance(
            error, RelutopoError
        ):
            left = address_space_left()
            if "DefaultCPUAllocator" in str(error) or (left is not None and left < _SHORT):
                raise _refused(error, self._remedy) from error


def _refused(error: Exception, remedy: str) -> OutOfMemoryError:
    text = (str(error).splitlines() or [""])[0]
    said = f" ({type(error).__name__}: {text})" if text else ""
    left = readable(available_bytes())
    return OutOfMemoryError(
        f"the system gives no more memory{said}; {left} are available to this process; {remedy}"
    )
