"""What is compiled is kept, and is never older than the code."""

from __future__ import annotations

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
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


@pytest.mark.slow
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


def kernel_modules() -> list[Path]:
    root = Path(__file__).parents[2]
    return [p for p in (root / "backends").rglob("*.py") if "@njit" in p.read_text()]


@pytest.mark.parametrize("path", kernel_modules(), ids=lambda path: path.stem)
def test_kernels_take_in_what_their_stamp_covers(path: Path) -> None:
    tree = ast.parse(path.read_text())
    homes = {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }
    kernels = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]
    used = {
        homes[name.id]
        for kernel in kernels
        for statement in kernel.body
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and homes.get(name.id, "").startswith("relutopo.")
    }
    covered = ("relutopo.arithmetic.", "relutopo.spectral.")
    assert [module for module in used if not module.startswith(covered)] == []
