"""Sizes that control the bulk enumerator."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How much is done at once, and from which size on the device's memory is checked.

    Affects speed and memory. Law: the complex, cell by cell, is the same for all positive numbers.

    Attributes
    ----------
    at_once : int
        Most numbers of a temporary array.
    ask_from : int
        From this many bytes on, the device is asked whether it has them, which takes a while.
    """

    at_once: int = 2**25
    ask_from: int = 2**30


DEFAULT = Tuning()
