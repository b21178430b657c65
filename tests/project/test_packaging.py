"""What is declared of the package is what is there."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def test_packages_on_disk_are_declared() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        tool: dict[str, Any] = tomllib.load(file)["tool"]["setuptools"]
    top = {
        "relutopo": "relutopo",
        "relutopo.backends": "backends",
        "relutopo.conf": "conf",
        "hydra_plugins.relutopo": "relutopo/app/plugins",
    }
    assert tool["package-dir"] == top
    on_disk = set()
    for package, folder in top.items():
        inside = [ROOT / other for other in top.values() if other.startswith(f"{folder}/")]
        for file_ in (ROOT / folder).rglob("__init__.py"):
            if any(file_.is_relative_to(other) for other in inside):
                continue  # packages of another name
            parts = file_.parent.relative_to(ROOT / folder).parts
            on_disk.add(".".join((package, *parts)))
    assert on_disk == set(tool["packages"])


@pytest.mark.slow
def test_the_source_distribution_is_whole(tmp_path: Path) -> None:
    """It can be tested, and its pages built: what git knows of is in it, but for settings."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    files = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    if listed.returncode or not files:
        pytest.skip("what belongs to the project is known in a clone of its repository only")
    clone = tmp_path / "clone"
    for name in files:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    build = f"import setuptools.build_meta as b; b.build_sdist({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=clone, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in files if not name.startswith(".")} <= found
    assert not [name for name in found if name.endswith(".pyc")]


def test_links_of_the_readme_hold_also_where_an_index_shows_it() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "index_readme.py"))
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for _, _, target in page["LINK"].findall(text):
        assert (ROOT / target.partition("#")[0]).exists()
    absolute = page["with_absolute_links"](text, "https://host/owner/relutopo/", "v1")
    targets = re.findall(r"\]\(([^)\s]+)\)", absolute)
    assert targets
    assert all(target.startswith(("https://", "#")) for target in targets)
    assert "https://host/owner/relutopo/raw/v1/docs/figures/two_moons_history.png" in targets
