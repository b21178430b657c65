"""What several test files share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relutopo.devices.cuda import cuda_device
from relutopo.errors import RelutopoError

Command = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked `gpu` where there is no card, with the reason."""
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if needing:
        try:
            cuda_device(purpose="this test")
        except RelutopoError as error:
            for item in needing:
                item.add_marker(pytest.mark.skip(reason=str(error)))


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs `relutopo` in a folder, and gives what it prints."""

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
