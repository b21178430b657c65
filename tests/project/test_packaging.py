"""What is declared of the package is what is there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

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
