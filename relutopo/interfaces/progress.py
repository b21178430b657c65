"""How long work reports its progress."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress"]


class Progress(Protocol):
    """Called as long work advances."""

    def __call__(self, done: int, total: int, /, message: str = "") -> None:
        """Say that `done` of `total` steps are done."""
