"""The version stands in one place; what repeats it says the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import relutopo

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_package_has_the_version_of_the_project() -> None:
    assert relutopo.__version__ == VERSION


def test_the_citation_is_of_this_version() -> None:
    found = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert found is not None
    assert found[1] == VERSION


def test_the_latest_changes_are_of_this_version() -> None:
    heading = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == VERSION
