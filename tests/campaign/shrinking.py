"""Failures made small."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.campaign.framework import Case, Outcome

__all__ = ["shrink"]


def shrink(
    case: Case, outcome: Outcome, again: Callable[[Case], Outcome], seconds: float = 60.0
) -> Case:
    """Return a simpler case that fails in the same way.

    Parameters
    ----------
    case : Case
        One that failed.
    outcome : Outcome
        How it failed.
    again : callable
        Runs the same check of another case.
    seconds : float
        How long to try.
    """
    until = time.monotonic() + seconds
    found = True
    while found:
        found = False
        for simpler in case.simpler():
            if time.monotonic() > until:
                return case
            other = again(simpler)
            if (other.verdict, other.where) == (outcome.verdict, outcome.where):
                case, found = simpler, True
                break
    return case
