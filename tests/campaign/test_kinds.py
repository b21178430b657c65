"""A short part of the campaign: a few cases of every kind, and all that was found before."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.campaign import MODULES
from tests.campaign.found import FOUND
from tests.campaign.framework import KINDS, judge

for _module in MODULES:
    import_module(_module)
CHOSEN = [kind for kind in KINDS.values() if kind.group != "planted"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHOSEN, ids=lambda kind: kind.name)
def test_a_few_cases_of_every_kind(kind: Any) -> None:
    for seed in range(kind.in_the_gate):
        case, check = kind.case(seed), kind.check(seed)
        outcome = judge(kind, check, case)
        assert not outcome.failed, f"seed {seed}, check {check!r}: {outcome} {case!r}"


@pytest.mark.parametrize("number", range(len(FOUND)))
def test_what_was_found_stays_mended(number: int) -> None:
    name, check, case = FOUND[number]
    outcome = judge(KINDS[name], check, case)
    assert not outcome.failed, outcome


def test_there_are_kinds_enough() -> None:
    assert len(CHOSEN) >= 25
