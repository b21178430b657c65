"""Runs what a user would take instead, in processes of an environment of its own.

Each script of this folder takes the name of an input and of an output ``.npz`` file and prints its
facts as JSON; its clock runs from the arrays in memory to the result in memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent
ENVIRONMENT = Path(os.environ.get("RELUTOPO_PEERS", FOLDER / ".venv"))


@dataclass(frozen=True)
class Answer:
    """What a peer found, and the facts about how."""

    facts: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]


class TooSlow(Exception):
    """A peer did not finish in its time."""


def set_up() -> None:
    """Make the environment, unless it is there."""
    if (ENVIRONMENT / ".ready").exists():
        return
    print(f"setting up {ENVIRONMENT}, which takes some minutes ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    python, requirements = ENVIRONMENT / "bin" / "python", FOLDER / "requirements.txt"
    options = ["--quiet", "install", "--requirement"]
    subprocess.run([python, "-m", "pip", *options, requirements], check=True)
    (ENVIRONMENT / ".ready").touch()


def run(script: str, inputs: Mapping[str, Any], *, timeout: float) -> Answer:
    """Run a peer on some arrays; skip the benchmark if its environment is missing."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.skip("no environment for peers: python -m benchmarks sets it up")
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.npz", Path(name) / "out.npz"
        np.savez(source, **inputs)
        command = [python, FOLDER / f"{script}.py", source, target]
        begin = time.perf_counter()
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise TooSlow(f"{script} did not finish in {timeout:.0f} s") from error
        if result.returncode:
            raise RuntimeError(f"{script} failed: {result.stderr[-2000:]}")
        facts = json.loads(result.stdout.splitlines()[-1])
        facts["process_seconds"] = time.perf_counter() - begin
        with np.load(target) as file:
            return Answer(facts, dict(file))
