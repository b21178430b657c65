"""Rows are kept as soon as they are measured: a run that is stopped loses no more than one."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import rows

ROWS = os.environ.get("RELUTOPO_BENCHMARKS_ROWS")
"""The file that takes them; they are only shown where none is named."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    report = yield
    benchmark = getattr(item, "funcargs", {}).get("benchmark")
    if ROWS and call.when == "call" and benchmark is not None and benchmark.stats:
        stats = benchmark.stats.stats
        # A peer's own clock, in extra_info, takes the place of the time of its process.
        times = {"seconds": stats.min, "median": stats.median, "rounds": stats.rounds}
        rows.keep(Path(ROWS), {"test": item.name, **times, **benchmark.extra_info})
    return report
