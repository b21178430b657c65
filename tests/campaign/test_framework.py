"""Whatever goes wrong is seen, is put down to its case, and is made small."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.campaign import planted
from tests.campaign.__main__ import Campaign
from tests.campaign.cases import NetworkCase, rounder
from tests.campaign.framework import KINDS, is_clear, judge
from tests.campaign.shrinking import shrink
from tests.campaign.table import summary
from tests.campaign.workers import Worker

ROOT = Path(__file__).parents[2]
PLANTED = KINDS["planted"]
MODULES = ["tests.campaign.planted"]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker(MODULES)
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        ("right", "right", ""),
        ("wrong", "wrong", "AssertionError: 60 is too much"),
        ("raw error", "raw error", "KeyError: 'perm'"),
        ("warning", "raw error", "RuntimeWarning: divide by zero encountered in log"),
        ("refused", "refused", "InputError: `numbers` must be small"),
        ("refused without a remedy", "wrong", "refused without a reason: InputError"),
        ("slow", "slow", "5.00 s, 0.0001 s predicted"),
    ],
)
def test_verdicts_in_one_process(check: str, verdict: str, reason: str) -> None:
    outcome = judge(PLANTED, f"planted: {check}", PLANTED.case(0))
    assert outcome.verdict == verdict
    assert outcome.reason.startswith(reason)
    assert outcome.failed == (verdict in ("wrong", "raw error"))


def test_a_kind_says_what_may_be_refused() -> None:
    strict = KINDS["planted: without refusals"]
    outcome = judge(strict, "planted: refused", strict.case(0))
    assert outcome.verdict == "wrong"
    assert outcome.reason.startswith("refused without a cause: InputError")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        ("hang", "hang", "no answer within its limit of time"),
        ("crash", "crash", "exit status -11"),
        ("exit", "crash", "exit status 3"),
        ("wrong", "wrong", "AssertionError: 60 is too much"),
    ],
)
def test_failures_of_processes_are_seen_and_made_small(
    worker: Worker, check: str, verdict: str, reason: str
) -> None:
    """A worker is replaced, and the next case is not affected."""
    worker.run("planted", "planted: right", PLANTED.case(0))  # starts it
    name, case = f"planted: {check}", planted.Numbers([3, 60])
    outcome = worker.run("planted", name, case)
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    if verdict != "hang":
        small = shrink(case, outcome, lambda c: worker.run("planted", name, c), 10)
        assert small == planted.Numbers([planted.TOO_MUCH]) or verdict == "crash"
        assert len(getattr(small, "values", [])) == 1
    assert worker.run("planted", "planted: right", case).verdict == "right"


@pytest.mark.slow
def test_a_seed_determines_a_case() -> None:
    assert PLANTED.case(3) == PLANTED.case(3)
    assert PLANTED.case(3) != PLANTED.case(4)
    assert [PLANTED.check(seed) for seed in (0, 1, 2)] == [
        "planted: right",
        "planted: wrong",
        "planted: right",
    ]
    command = [sys.executable, "-c", "from tests.campaign.test_framework import PLANTED; "]
    command[-1] += "print(repr(PLANTED.case(3)))"
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert eval(printed, {"Numbers": planted.Numbers}) == PLANTED.case(3)


@pytest.mark.slow
def test_a_campaign_counts_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    campaign = Campaign([PLANTED], 2, MODULES, 0, 5)
    campaign.run(2)
    campaign.close()
    printed = capsys.readouterr().out
    # Two processes work, and every second seed is planted: the first to be reported may be any.
    assert re.search(r"wrong: 'planted', check 'planted: wrong', seed \d*[13579]\n", printed)
    assert "('planted', 'planted: wrong', Numbers(values=[50]))" in printed
    results = {
        "kinds": {"planted": ["planted", *PLANTED.checks, "planted: hang"]},
        "counts": json.loads(json.dumps(campaign.counts)),
    }
    table = summary([results, results])
    totals = {key.rpartition("|")[2]: sum(c.values()) for key, c in campaign.counts.items()}
    assert totals["right"] > 2
    assert totals["wrong"] > 2
    assert f"| planted | {2 * totals['right']:,} | 0 | 0 | {2 * totals['wrong']:,} | 0 |" in table
    assert "- planted: planted: hang" in table  # never tried


def test_networks_shrink_to_valid_networks() -> None:
    rng = np.random.default_rng(0)
    shapes = [(4, 2), (4, 4), (3, 4), (1, 3)]
    case = NetworkCase(
        [rng.standard_normal(shape).tolist() for shape in shapes],
        [rng.standard_normal(n).tolist() for n, _ in shapes],
        ("box", [0.25, -1.0], [1.5, 2.0]),
        rng.standard_normal((3, 2)).tolist(),
        [0, 1, 0],
    )
    names = {"NetworkCase": NetworkCase}
    simpler = list(case.simpler())
    assert len(simpler) > 50
    for one in simpler:
        assert one != case
        assert eval(repr(one), names) == one
        assert one.network().input_dim == 2
        assert len(one.points) == len(one.labels)
    assert list(rounder([0.123, [1.0]]))[:2] == [[0.0, [1.0]], [0.1, [1.0]]]


def test_clear_errors_name_and_remedy() -> None:
    assert is_clear("`points` must be finite, got NaN in row 3; drop or repair it")
    assert not is_clear("cannot reshape array of size 3 into shape (2, 2)")
    assert not is_clear("`points` must be finite")
