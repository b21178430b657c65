"""Settings that belong to the whole process, changed for as long as any thread needs it.

Two threads that each save a setting, change it and restore what they saved leave the change behind
if the first one ends before the second: what the second saved is what the first had changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["Borrowed"]


class Borrowed:
    """A setting that is changed while anybody needs it, and as before when nobody does.

    Parameters
    ----------
    change : callable
        Changes it, and returns what changes it back.

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
