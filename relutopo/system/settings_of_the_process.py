"""Settings that belong to the whole process, changed for as long as any thread needs it.

If two threads each save a setting, change it and restore it, and the first ends before the second,
the change stays: the second restores the value that the first had set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["Borrowed"]


class Borrowed:
    """A setting that is changed while any thread needs it, and restored afterwards.

    Parameters
    ----------
    change : callable
        Changes the setting, and returns a function that restores it.

    Examples
    --------
    >>> setting = ["before"]
    >>> def change():
    ...     setting.append("changed")
    ...     return setting.pop
    >>> borrowed = Borrowed(change)
    >>> with borrowed.changed(), borrowed.changed():
    ...     setting
    ['before', 'changed']
    >>> setting
    ['before']
    """

    def __init__(self, change: Callable[[], Callable[[], object]]) -> None:
        self._change = change
        self._lock = Lock()
        self._n = 0
        self._change_back: Callable[[], object] = lambda: None

    @contextmanager
    def changed(self) -> Iterator[None]:
        """Change the setting within a ``with`` block."""
        has_entered = False
        try:
            with self._lock:
                if not self._n:
                    self._change_back = self._change()
                self._n += 1
                has_entered = True
            yield
        finally:
            if has_entered:
                with self._lock:
                    self._n -= 1
                    if not self._n:
                        self._change_back()
