"""Kinds that go wrong in every way, to see that each is caught."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.errors import InputError
from tests.campaign.cases import without_each
from tests.campaign.framework import Clock, check, kind

TOO_MUCH = 50


@dataclass(frozen=True)
class Numbers:
    """Some numbers."""

    values: list[int]

    def tags(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def simpler(self) -> Iterator[Numbers]:
        """Yield fewer numbers, then smaller ones."""
        yield from map(Numbers, without_each(self.values))
        for i, value in enumerate(self.values):
            if value:
                yield Numbers([*self.values[:i], value - 1, *self.values[i + 1 :]])


def numbers(rng: np.random.Generator) -> Numbers:
    """Return numbers of which one is large."""
    return Numbers([*rng.integers(0, 9, 9).tolist(), 60])


def goes(case: Numbers) -> bool:
    """Whether all is well."""
    return max(case.values, default=0) < TOO_MUCH


@check("planted: right")
def right(case: Numbers, clock: Clock) -> None:
    assert len(case.values) >= 0


@check("planted: wrong")
def wrong(case: Numbers, clock: Clock) -> None:
    assert goes(case), f"{max(case.values)} is too much"


@check("planted: raw error")
def raw_error(case: Numbers, clock: Clock) -> None:
    if not goes(case):
        raise KeyError("perm")


@check("planted: warning")
def warning(case: Numbers, clock: Clock) -> None:
    np.log(np.array(0.0 if not goes(case) else 1.0))


@check("planted: refused")
def refused(case: Numbers, clock: Clock) -> None:
    raise InputError("`numbers` must be small, got 60; choose smaller ones")


@check("planted: refused without a remedy")
def refused_unclearly(case: Numbers, clock: Clock) -> None:
    raise InputError("`numbers` are wrong, got 60 of them all")


@check("planted: hang")
def hang(case: Numbers, clock: Clock) -> None:
    while not goes(case):
        time.sleep(0.01)


@check("planted: crash")
def crash(case: Numbers, clock: Clock) -> None:
    if not goes(case):
        ctypes.string_at(0)


@check("planted: exit")
def leave(case: Numbers, clock: Clock) -> None:
    if not goes(case):
        os._exit(3)


@check("planted: slow")
def slow(case: Numbers, clock: Clock) -> None:
    clock.predict(1e-4)
    clock.seconds += 5.0


kind("planted: without refusals", "planted", checks=("planted: refused",))(numbers)
kind(
    "planted",
    "planted",
    checks=("planted: right", "planted: wrong"),
    refusals=(InputError,),
    limit=0.5,
)(numbers)
