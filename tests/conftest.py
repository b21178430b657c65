"""What several test files share."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from commands import Server, Started
from relutopo.devices.cuda import cuda_device
from relutopo.errors import RelutopoError

Command = Callable[..., str]

# Machines differ, and kernels compile within examples: no test has a deadline.
settings.register_profile("full", max_examples=100, deadline=None)
settings.register_profile("quick", max_examples=10, deadline=None)
settings.load_profile("full")

# Shells let what they start in the background ignore Ctrl-C, which tests send.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@cache
def _no_card() -> str:
    """Return why there is no card to be used, or nothing."""
    try:
        cuda_device(purpose="this test")
    except RelutopoError as error:
        return str(error)
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked `gpu` where there is no card: from one place, which is one line."""
    if item.get_closest_marker("gpu") and _no_card():
        pytest.skip(_no_card())


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Started]]:
    """Starts `relutopo` in a folder, as a process that can be interrupted and killed."""
    server = Server(tmp_path_factory.mktemp("printed"))
    yield server.start
    server.close()


@pytest.fixture(scope="session")
def command(start: Callable[..., Started]) -> Command:
    """Runs `relutopo` in a folder, and gives what it prints."""

    def run(folder: Path, *arguments: str, succeeds: bool = True) -> str:
        started = start(folder, *arguments)
        status, printed = started.wait(), started.printed()
        assert (status == 0) == succeeds, printed
        return printed

    return run


@pytest.fixture(scope="session")
def fresh_command() -> Command:
    """Runs `relutopo` as users do, in an interpreter that has loaded nothing, and takes longer."""

    def run(folder: Path, *arguments: str, succeeds: bool = True, **options: Any) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "relutopo.app.cli", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )
        assert (result.returncode == 0) == succeeds, result.stdout + result.stderr
        return str(result.stdout + result.stderr)

    return run
