"""Starting is quick because little is imported."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import relutopo


def modules_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after some code."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_import_loads_nothing_else() -> None:
    assert not {"numpy", "scipy", "numba", "torch", "hydra"} & modules_after("import relutopo")


def test_the_library_loads_numpy_and_scipy_only() -> None:
    code = "from relutopo import *"
    loaded = modules_after(code)
    heavy = {"numba", "torch", "hydra", "pyamg", "matplotlib", "pandas", "sklearn", "rich", "phat"}
    assert {"numpy", "scipy"} <= loaded
    assert not heavy & loaded


def test_every_public_name_is_found_and_declared_to_type_checkers() -> None:
    for name in relutopo.__all__:
        assert getattr(relutopo, name) is not None
    assert set(relutopo.__all__) <= set(dir(relutopo))
    tree = ast.parse(Path(relutopo.__file__).read_text())
    declared = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: home for home, names in relutopo._NAMES.items() for name in names.split()}
    assert declared == homes
    assert set(declared) == set(relutopo.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'relutopo' has no attribute 'decompse'"):
        getattr(relutopo, "decompse")  # noqa: B009


def test_the_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path: Path) -> None:
    code = (
        "import numpy as np; from relutopo import DualGraph; "
        "DualGraph(2, np.array([[0, 1]]), np.array([-1]), 'facet').adjacency"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment
        ).stderr
        for _ in range(2)
    ]
    assert said[0].count("compiling kernels") == 1
    assert said[1] == ""


def test_the_help_loads_no_numerics() -> None:
    code = (
        "import sys; sys.argv = ['relutopo', '--help']; from relutopo.app import cli\n"
        "try: cli.main()\nexcept SystemExit: pass"
    )
    assert not {"numpy", "scipy", "numba", "torch", "pandas"} & modules_after(code)
