"""How long work reports its progress."""

from __future__ import annotations

from typing import Protocol

from relutopo.checks import kind_of
from relutopo.errors import InputError

__all__ = ["Progress", "check_progress"]


class Progress(Protocol):
    """Called as long work advances."""

    def __call__(self, done: int, total: int, /, message: str = "") -> None:
        """Say that `done` of `total` steps are done."""


def check_progress(progress: object) -> None:
    """Refuse what cannot be called as work advances.

    Raises
    ------
    InputError
        If it is neither None nor a function.

    Examples
    --------
    >>> check_progress(True)
    Traceback (most recent call last):
    relutopo.errors.InputError: `progress` must be a function that is called with the steps done ...
    """
    if progress is not None and not callable(progress):
        raise InputError(
            "`progress` must be a function that is called with the steps done and their number, "
            f"got {kind_of(progress)}; pass for example lambda done, total, message='': "
            "print(done, total)"
        )
