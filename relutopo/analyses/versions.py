"""Which code computes: results of code that has changed are not those of the code that there is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from relutopo import registry

__all__ = ["code_of", "code_version"]


@cache
def code_version() -> str:
    """Return the version of relutopo, and a hash of its source.

    The version alone does not change while the code is worked on.

    Examples
    --------
    >>> code_version().startswith(metadata.version("relutopo") + "+")
    True
    """
    total = hashlib.sha256()
    for package in ("relutopo", "relutopo.backends"):
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*.py")):
            total.update(str(path.relative_to(root)).encode())
            total.update(path.read_bytes())
    return f"{metadata.version('relutopo')}+{total.hexdigest()[:12]}"


def code_of(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the version of each package that computes with these settings.

    Parameters
    ----------
    settings : mapping
        By role, mappings with the ``name`` that was chosen; other keys say nothing here.

    Examples
    --------
    >>> list(code_of({"reducer": {"name": "z2"}, "seed": 0}))
    ['relutopo']
    """
    code = {"relutopo": code_version()}
    for role in registry.roles():
        entry = settings.get(role)
        if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
            code |= registry.provider(role, entry["name"])
    return code
