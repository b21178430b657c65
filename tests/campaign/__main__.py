"""Run the campaign: ``python -m tests.campaign --seconds 600``.

Each kind of input gets the same share of the time. A case is repeated by its kind and seed:
``python -m tests.campaign --kind generic --seed 7``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections import Counter, defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.campaign import MODULES
from tests.campaign.framework import KINDS, Case, Kind, Outcome, judge
from tests.campaign.shrinking import shrink
from tests.campaign.table import summary
from tests.campaign.workers import Worker, first_ready

for _module in MODULES:
    import_module(_module)

_SHRUNK = 2
"""How many failures of one cause are made small."""


class Campaign:
    """Runs cases of kinds in workers, and counts.

    Parameters
    ----------
    kinds : list of Kind
    jobs : int
        Worker processes.
    modules : list of str
        What a worker imports to know the kinds.
    first_seed : int
        Seeds of each kind count from here.
    to_shrink : float
        Seconds for making one failure small.
    """

    def __init__(
        self, kinds: list[Kind], jobs: int, modules: list[str], first_seed: int, to_shrink: float
    ) -> None:
        self._kinds = kinds
        self._modules = modules
        self._workers = [Worker(modules) for _ in range(jobs)]
        self._running: dict[Worker, tuple[Kind, str, int, Case, float]] = {}
        self._spent = dict.fromkeys((kind.name for kind in kinds), 0.0)
        self._seed = dict.fromkeys((kind.name for kind in kinds), first_seed)
        self._seen: Counter[Any] = Counter()
        self._to_shrink = to_shrink
        self.counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.failures: list[dict[str, Any]] = []

    def run(self, seconds: float) -> None:
        """Run until the time is over, and all that began has ended."""
        begin = told = time.monotonic()
        while (now := time.monotonic()) < begin + seconds or self._running:
            for worker in self._workers:
                if not worker.is_busy and now < begin + seconds:
                    self._start(worker)
            first_ready(list(self._running))
            for worker in list(self._running):
                outcome = worker.poll()
                if outcome is not None:
                    self._ended(worker, outcome)
            if now > told + 30:
                told = now
                print(f"{now - begin:6.0f} s: {self._totals()}", flush=True)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.close()

    def _totals(self) -> str:
        totals: Counter[str] = Counter()
        for name, counter in self.counts.items():
            totals[name.rpartition("|")[2]] += sum(counter.values())
        return ", ".join(f"{n} {verdict}" for verdict, n in sorted(totals.items()))

    def _start(self, worker: Worker) -> None:
        kind = min(self._kinds, key=lambda kind: self._spent[kind.name])
        seed = self._seed[kind.name]
        self._seed[kind.name] += 1
        # Until the answer is here, a case counts as one of the usual length.
        self._spent[kind.name] += 0.01
        case, check = kind.case(seed), kind.check(seed)
        self._running[worker] = kind, check, seed, case, time.monotonic()
        worker.start(kind.name, check, case)

    def _ended(self, worker: Worker, outcome: Outcome) -> None:
        kind, check, seed, case, begin = self._running.pop(worker)
        self._spent[kind.name] += time.monotonic() - begin
        tags = " ".join(f"{key}={value}" for key, value in outcome.tags.items())
        self.counts[f"{kind.name}|{check}|{outcome.verdict}"][tags] += 1
        if outcome.failed or outcome.verdict == "slow":
            signature = (kind.name, check, *outcome.signature)
            self._seen[signature] += 1
            if self._seen[signature] <= _SHRUNK:
                self._report(kind, check, seed, case, outcome)

    def _report(self, kind: Kind, check: str, seed: int, case: Case, outcome: Outcome) -> None:
        print(f"\n{outcome.verdict}: {kind.name!r}, check {check!r}, seed {seed}")
        print(f"  {outcome.reason}  {outcome.where}")
        small = case
        if outcome.failed:
            worker = Worker(self._modules)
            small = shrink(
                case, outcome, lambda c: worker.run(kind.name, check, c), self._to_shrink
            )
            worker.close()
        print(reproduction(kind, check, small), flush=True)
        self.failures.append(
            {
                "kind": kind.name,
                "check": check,
                "seed": seed,
                "verdict": outcome.verdict,
                "reason": outcome.reason,
                "where": outcome.where,
                "case": repr(small),
            }
        )


def reproduction(kind: Kind, check: str, case: Case) -> str:
    """Return Python that shows a failure again, and fits into the list of `found`."""
    return f"  ({kind.name!r}, {check!r}, {case!r}),"


def repeat(kind: Kind, seed: int, check: str | None) -> int:
    """Run one case in this process, print it, and return 1 if it fails."""
    case, name = kind.case(seed), check or kind.check(seed)
    print(reproduction(kind, name, case))
    outcome = judge(kind, name, case)
    print(f"{outcome.verdict}: {outcome.reason} {outcome.where}")
    return int(outcome.failed)


def main() -> int:
    """Run what the arguments say; return 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="time budget")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kind", action="append", help="only these kinds; may be repeated")
    parser.add_argument("--group", action="append", help="only kinds of these groups")
    parser.add_argument("--seed", type=int, help="run this one case of a kind, in this process")
    parser.add_argument("--check", help="with --seed: this check instead of its own")
    parser.add_argument("--first-seed", type=int, help="seeds count from here; random by default")
    parser.add_argument("--to-shrink", type=float, default=60, help="seconds for a failure")
    parser.add_argument("--results", type=Path, default=Path("outputs/campaign.json"))
    parser.add_argument("--list", action="store_true", help="list kinds and checks")
    chosen = parser.parse_args()
    kinds = [
        kind
        for kind in KINDS.values()
        if (not chosen.kind or kind.name in chosen.kind)
        and (not chosen.group or kind.group in chosen.group)
    ]
    if chosen.list or not kinds:
        for kind in KINDS.values():
            print(f"{kind.group}: {kind.name}: {', '.join(kind.checks)}")
        return int(not chosen.list)
    if chosen.seed is not None:
        return max(repeat(kind, chosen.seed, chosen.check) for kind in kinds)
    first = chosen.first_seed
    if first is None:
        first = int.from_bytes(os.urandom(4), "little")
    print(f"{len(kinds)} kinds, {chosen.jobs} jobs, seeds from {first}", flush=True)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    campaign = Campaign(kinds, chosen.jobs, MODULES, first, chosen.to_shrink)
    begin = time.monotonic()
    try:
        campaign.run(chosen.seconds)
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        campaign.close()
    results = {
        "commit": _commit(),
        "python": platform.python_version(),
        "first_seed": first,
        "seconds": math.ceil(time.monotonic() - begin),
        "kinds": {kind.name: [kind.group, *kind.checks] for kind in kinds},
        "counts": campaign.counts,
        "failures": campaign.failures,
    }
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    chosen.results.write_text(json.dumps(results, indent=1))
    print(summary([results]))
    return int(any(f["verdict"] != "slow" for f in campaign.failures))


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
