"""What is compiled is kept, and is never older than the code."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

KERNEL = """
from collections import namedtuple
from relutopo.system.compilation import njit
from mine.small import Pair, add

@njit()
def total(pair):
    return add(pair.a, pair.b)

print(total(Pair(2, 3)), sum(total.stats.cache_hits.values()))
"""
SMALL = """
from typing import NamedTuple
from relutopo.system.compilation import njit

class {name}(NamedTuple):
    a: int
    b: int

Pair = {name}

@njit(inline="always")
def add(x, y):
    return x {sign} y
"""


def run(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "import mine.kernel"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_kernel_is_compiled_again_when_what_it_takes_in_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernel.py").write_text(KERNEL)
    (package / "small.py").write_text(SMALL.format(name="First", sign="+"))
    assert run(tmp_path) == "5 0"
    assert run(tmp_path) == "5 1"
    # A record of another name: what was kept cannot even be read.
    (package / "small.py").write_text(SMALL.format(name="Second", sign="-"))
    assert run(tmp_path) == "-1 0"
    assert run(tmp_path) == "-1 1"


def test_a_damaged_list_is_made_anew(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "kernel.py").write_text(KERNEL)
    (package / "small.py").write_text(SMALL.format(name="First", sign="+"))
    assert run(tmp_path) == "5 0"
    lists = list(tmp_path.rglob("*.nbi"))
    assert lists
    for path in lists:
        version = pickle.loads(path.read_bytes())
        path.write_bytes(pickle.dumps(version) + b"nothing")
    assert run(tmp_path) == "5 0"
