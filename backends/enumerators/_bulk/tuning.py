"""Sizes at which the enumerator that works in bulk changes its ways."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How much is done at once, and from when on memory is asked for.

    It changes speed and memory. Law: the complex does not depend on it, cell by cell, whatever
    positive numbers these are.

    Attributes
    ----------
    at_once : int
        How many numbers an array may have that is made in passing.
    ask_from : int
        From how many bytes on the device is asked whether it has them, which takes a while.
    """

    at_once: int = 2**25
    ask_from: int = 2**30


DEFAULT = Tuning()
