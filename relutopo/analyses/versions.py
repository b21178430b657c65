"""Versions of the code that computes, so that results of older code are not taken for current."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from relutopo import registry

__all__ = ["code_of", "code_of_class", "code_version"]


@cache
def code_version() -> str:
    """Return the version of relutopo, and a hash of its source.

    The version alone does not change during development.

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
        For each role the choice: a name, a mapping with ``name`` and options, which may in turn
        contain choices, or several of these in a mapping or sequence. Other keys are ignored.

    Examples
    --------
    >>> list(code_of({"reducer": {"name": "z2"}, "seed": 0}))
    ['relutopo']
    """
    code = {"relutopo": code_version()}
    for role in registry.roles():
        for name, options in _chosen(settings.get(role)):
            code |= registry.provider(role, name) | code_of(options)
    return code


def _chosen(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each name that is chosen, with its options."""
    if isinstance(value, str):
        yield value, {}
    elif isinstance(value, Mapping) and isinstance(value.get("name"), str):
        yield value["name"], value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _chosen(entry)


def code_of_class(kind: type) -> dict[str, str]:
    """Return a hash of the file in which a class of another package is defined, if known.

    The version of a package does not change during development.

    Examples
    --------
    >>> code_of_class(dict), code_of_class(Mapping)
    ({}, {})
    """
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None)
    own = kind.__module__.partition(".")[0] in ("relutopo", *sys.stdlib_module_names)
    if own or path is None:
        return {}
    return {f"{kind.__module__}.py": hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}
