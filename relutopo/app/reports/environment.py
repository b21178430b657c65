"""The environment of a job: the seed, and the versions of what its results may depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

__all__ = ["environment", "versions"]

_PACKAGES = (
    "relutopo",
    "numpy",
    "scipy",
    "numba",
    "pyamg",
    "phat",
    "torch",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "hydra-core",
)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, or ``"not installed"``.

    Examples
    --------
    >>> versions(["no such package"])
    {'no such package': 'not installed'}
    """
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def environment(seed: int) -> dict[str, Any]:
    """Return the seed, and the versions of everything that a result may depend on.

    Examples
    --------
    >>> sorted(environment(0))
    ['machine', 'packages', 'platform', 'python', 'seed']
    """
    return {
        "seed": seed,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions(_PACKAGES),
    }
