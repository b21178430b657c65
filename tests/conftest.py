"""What several test files share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., str]


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs `relutopo` in a folder, and gives what it prints."""

    def run(folder: Path, *arguments: str, succeeds: bool = True, **options: Any) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "relutopo.cli", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )
        assert (result.returncode == 0) == succeeds, result.stdout + result.stderr
        return str(result.stdout + result.stderr)

    return run
