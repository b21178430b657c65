"""Starting is quick because little is imported."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import relutopo
import relutopo.plots
import relutopo.tracking
from relutopo.system.public_names import table


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


@pytest.mark.parametrize("package", [relutopo, relutopo.plots, relutopo.tracking])
def test_every_public_name_is_found_where_its_stub_says(package: ModuleType) -> None:
    homes = table(str(package.__file__))
    assert homes
    for name, home in homes.items():
        found = getattr(package, name)
        if home == package.__name__:
            assert found is import_module(f"{home}.{name}")
        else:
            assert found is getattr(import_module(home), name)
            assert name in import_module(home).__all__
    assert vars(package)["__getattr__"]("__all__") == sorted(homes)
    assert set(homes) <= set(dir(package))


def test_stubs_are_part_of_the_package() -> None:
    folder = Path(relutopo.__file__).parent
    tool = tomllib.loads((folder.parent / "pyproject.toml").read_text())["tool"]["setuptools"]
    stubs = {
        ".".join(["relutopo", *path.relative_to(folder).parts[:-1]])
        for path in folder.rglob("__init__.pyi")
    }
    assert stubs == {
        name for name, files in tool["package-data"].items() if "__init__.pyi" in files
    }
    for name in stubs:
        assert "lazy(__name__)\n" in Path(str(import_module(name).__file__)).read_text()


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(relutopo.__file__).parents[1] / "pyproject.toml").read_text())
    assert relutopo.__version__ == project["project"]["version"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'relutopo' has no attribute 'decompse'"):
        getattr(relutopo, "decompse")  # noqa: B009


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_help_loads_no_numerics() -> None:
    code = (
        "import sys; sys.argv = ['relutopo', '--help']; from relutopo.app import cli\n"
        "try: cli.main()\nexcept SystemExit: pass"
    )
    assert not {"numpy", "scipy", "numba", "torch", "pandas"} & modules_after(code)
