"""What a campaign consists of: kinds of hostile input, checks, and verdicts.

- A *case* is plain data whose `repr` is the Python that makes it; it can offer simpler cases.
- A *kind* makes a case of a generator of random numbers, and names the checks that fit it, and the
  errors with which its cases may be refused.
- A *check* computes something of a case, compares it with what does not depend on the code that is
  tested, and raises an `AssertionError` where they differ.
- A *verdict* says how a check of a case ended.

Invariant: the name of a kind and a seed determine the case and the check, on every machine.
"""

from __future__ import annotations

import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from relutopo.errors import BackendError, InvariantError, RelutopoError

__all__ = [
    "CHECKS",
    "KINDS",
    "VERDICTS",
    "Case",
    "Clock",
    "Kind",
    "Outcome",
    "check",
    "judge",
    "kind",
]

VERDICTS = ("right", "refused", "slow", "wrong", "raw error", "hang", "crash")
"""The last four are failures; "slow" is right, but took far longer than its size predicts."""
FAILURES = VERDICTS[3:]
SLOW = 10.0
"""How many times the predicted time a case may take before it counts as slow."""
PATIENCE = 0.5
"""Seconds that no case counts as slow for, as compiled code may have to be loaded first."""

Result = TypeVar("Result")
Making = Callable[[np.random.Generator], "Case"]
Checking = Callable[[Any, "Clock"], None]


class Case(Protocol):
    """Plain data; its `repr` is the Python that makes it."""

    def simpler(self) -> Iterator[Case]:
        """Yield cases that are a little simpler, the boldest steps first."""

    def tags(self) -> dict[str, Any]:
        """Return by what cases are counted, for example the dimension."""


class Clock:
    """The seconds of the processor that the code under test takes, and how many are predicted."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.predicted = np.inf

    def __call__(self, call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Return what a call returns; its time counts."""
        begin = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            self.seconds += time.process_time() - begin

    def predict(self, seconds: float) -> None:
        """Say what the size of the result makes one expect."""
        self.predicted = seconds

    @property
    def is_slow(self) -> bool:
        """Whether the time exceeds a multiple of what was predicted."""
        return self.seconds > PATIENCE + SLOW * self.predicted


@dataclass(frozen=True)
class Kind:
    """A kind of hostile input.

    Attributes
    ----------
    name : str
        What is hostile about it.
    group : str
        What is made: networks, graphs, files, ...
    make : callable
        Returns a case of a generator of random numbers.
    checks : tuple of str
        Names of the checks, which take turns.
    refusals : tuple of exception classes
        The errors of relutopo that are right answers to some of its cases.
    limit : float
        Seconds after which a case hangs.
    in_the_gate : int
        Of how many cases the short part of the campaign consists, at most.
    """

    name: str
    group: str
    make: Making
    checks: tuple[str, ...]
    refusals: tuple[type[RelutopoError], ...] = ()
    limit: float = 60.0
    in_the_gate: int = 5

    def case(self, seed: int) -> Case:
        """Return the case of a seed."""
        return self.make(np.random.default_rng([seed, zlib.crc32(self.name.encode())]))

    def check(self, seed: int) -> str:
        """Return the name of the check of a seed."""
        return self.checks[seed % len(self.checks)]


@dataclass(frozen=True)
class Outcome:
    """How a check of a case ended.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    reason : str
        What differs, which error came, or how slow it was.
    where : str
        Of an error, the line of the project from which it came.
    tags : dict
        Those of the case.
    """

    verdict: str
    reason: str = ""
    where: str = ""
    tags: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether there is something to mend."""
        return self.verdict in FAILURES

    @property
    def signature(self) -> tuple[str, str, str]:
        """What failures of one cause have in common."""
        return self.verdict, self.where, self.reason[:20]


KINDS: dict[str, Kind] = {}
CHECKS: dict[str, Checking] = {}


def kind(name: str, group: str, **settings: Any) -> Callable[[Making], Making]:
    """Register the function that makes a kind; the settings are those of `Kind`."""

    def register(make: Making) -> Making:
        assert name not in KINDS, f"two kinds are called {name!r}"
        KINDS[name] = Kind(name, group, make, **settings)
        return make

    return register


def check(name: str) -> Callable[[Checking], Checking]:
    """Register a check."""

    def register(function: Checking) -> Checking:
        assert name not in CHECKS, f"two checks are called {name!r}"
        CHECKS[name] = function
        return function

    return register


def judge(of: Kind, name: str, case: Case) -> Outcome:
    """Run a check of a case in this process, and return how it ended."""
    tags = case.tags()
    outcome = _judge_once(of, name, case)
    if outcome.verdict == "slow":  # perhaps something was compiled
        outcome = _judge_once(of, name, case)
    return Outcome(outcome.verdict, outcome.reason, outcome.where, tags)


def _judge_once(of: Kind, name: str, case: Case) -> Outcome:
    clock = Clock()
    try:
        with warnings.catch_warnings():
            # What NumPy warns of is an answer that may be wrong; other warnings are answers.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)
            CHECKS[name](case, clock)
    except (InvariantError, BackendError) as error:
        return _failure("wrong", error)
    except RelutopoError as error:
        return _refusal(of, error)
    except AssertionError as error:
        return _failure("wrong", error)
    except (Exception, SystemExit) as error:
        return _failure("raw error", error)
    if clock.is_slow:
        return Outcome("slow", f"{clock.seconds:.2f} s, {clock.predicted:.4f} s predicted")
    return Outcome("right")


def _refusal(of: Kind, error: RelutopoError) -> Outcome:
    text = str(error)
    if not isinstance(error, of.refusals):
        return _failure("wrong", error, "refused without a cause: ")
    if not is_clear(text):
        return _failure("wrong", error, "refused without a reason: ")
    return Outcome("refused", f"{type(error).__name__}: {text}")


def is_clear(text: str) -> bool:
    """Tell whether an error names what it is about, and a remedy, in one line."""
    names = any(mark in text for mark in "`'\"") or " must " in text
    remedies = ";" in text or ", or " in text or "choose" in text
    return names and remedies and "\n" not in text and len(text) > 30


def _failure(verdict: str, error: BaseException, prefix: str = "") -> Outcome:
    frames = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and "/lib/python" not in frame.filename
    ]
    text = " ".join(str(error).split())
    return Outcome(verdict, f"{prefix}{type(error).__name__}: {text[:500]}", " ".join(frames[-3:]))
