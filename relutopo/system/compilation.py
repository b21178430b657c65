"""The decorator of kernels: numba's, with a cache and an announcement of compilations.

Compiled kernels are kept beside their modules, or in the user's cache folder if that cannot be
written to, and later runs load them from there. numba signals every compilation that the cache does
not answer; the first one of a process is announced, so that compiling does not look like hanging.

Invariant: loaded kernels were compiled from the present code. Kernels inline functions and records
of other modules: of their package, of `relutopo.arithmetic` and of `relutopo.spectral`. So a kernel
is obsolete as soon as any of these has changed, not only its own module, which is all that numba
checks.

Invariant: no interrupt strikes inside numba while it compiles or loads, where it would leave the
locks of numba and LLVM taken for ever: a kernel's first call for a kind of arguments, and its
decoration, are `relutopo.system.uninterrupted`. Later calls go from numba's dispatcher, which is in
C, straight to the compiled code.
"""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from relutopo.system.ahead import begin
from relutopo.system.memory import require_address_space

if "numba" not in sys.modules:
    require_address_space(2**29, "loading numba and compiled kernels")

import numba
from numba.core import event
from numba.core.caching import IndexDataCacheFile

from relutopo.system.uninterrupted import uninterrupted

__all__ = ["njit"]

log = logging.getLogger("relutopo")
_BYTES_OF_COMPILER = 2**28 + 2**27
_EVERYWHERE = tuple(Path(__file__).parents[1] / name for name in ("arithmetic", "spectral"))
"""Folders whose code kernels of every package may inline."""


class _CacheFile(IndexDataCacheFile):  # type: ignore[misc]  # numba has no types
    """The index of the compiled versions of one kernel."""

    def _load_index(self) -> Any:
        try:
            return super()._load_index()
        except Exception:  # unpickling a record that no longer exists can raise anything
            return {}


def njit(*, cache: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return numba's decorator `njit` with some options.

    Parameters
    ----------
    cache : bool, default True
        Whether compiled code is kept.
    **options
        Others of `numba.njit`.

    Examples
    --------
    >>> @njit(cache=False)
    ... def double(x):
    ...     return 2 * x
    >>> double(2)
    4
    """

    def decorate(function: Callable[..., Any]) -> Any:
        # No kernel is called from C, for which numba would write another function each time.
        kernel = numba.njit(cache=cache, no_cfunc_wrapper=True, **options)(function)
        if cache:
            kept = kernel._cache
            stamp = _stamp(_package(function.__module__))
            kept._cache_file = _CacheFile(kept.cache_path, kept._impl.filename_base, stamp)
        # The dispatcher, in C, calls this for arguments that it has no compiled code for.
        kernel._compile_for_args = partial(_compile, kernel._compile_for_args, function.__module__)
        return kernel

    return lambda function: uninterrupted(decorate, function)


def _compile(compile_for: Callable[..., Any], module: str, *arguments: Any) -> Any:
    """Compile a kernel, or load it, for the kinds of some arguments."""
    spec = getattr(sys.modules.get(module), "__spec__", None)
    if getattr(spec, "_initializing", False):
        # Reading the cache may import the module, and another thread would wait for this one.
        return compile_for(*arguments)
    return uninterrupted(compile_for, *arguments)


def _package(module: str) -> Path:
    """Return the folder whose code a kernel may inline: that of its role, or of its package."""
    path = Path(sys.modules[module].__file__ or "").resolve()
    # relutopo.backends.enumerators._planar.cuts.faces is the third below `enumerators`.
    parts = module.split(".")
    depth = len(parts) - (3 if parts[:2] == ["relutopo", "backends"] else 2)
    return path.parents[max(depth - 1, 0)]


@cache
def _stamp(package: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, change time and size of every module that a package's kernels may inline."""
    found = []
    for folder in (package, *_EVERYWHERE):
        for path in sorted(folder.rglob("*.py")):
            state = path.stat()
            found.append((str(path.relative_to(folder)), state.st_mtime_ns, state.st_size))
    return tuple(found)


class _Announcement(event.Listener):  # type: ignore[misc]  # numba has no types
    """Says once that kernels are being compiled, and turns garbage collection off meanwhile.

    A compilation makes so many lasting objects that the collector would take a fifth of its time.
    By numba's lock only one thread compiles at a time, but compilations are nested.
    """

    def __init__(self) -> None:
        self.is_made = False
        self._depth = 0
        self._collects = False

    def on_start(self, event: event.Event) -> None:
        if self._depth == 0:
            self._collects = gc.isenabled()
            gc.disable()
        self._depth += 1
        # Otherwise LLVM would end the process.
        require_address_space(_BYTES_OF_COMPILER, "compiling a kernel")
        module = str(event.data["dispatcher"].py_func.__module__)
        begin(module)
        ours = module.startswith("relutopo.")
        if ours and not self.is_made:
            self.is_made = True
            # Without logging set up only warnings are shown, and silence would be worse.
            log.warning(
                "compiling kernels for this machine, half a minute; they are kept for later runs"
            )

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if self._depth == 0 and self._collects:
            gc.enable()


event.register("numba:compile", _Announcement())
