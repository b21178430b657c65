"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import relutopo

MODULES = ["relutopo"] + [
    module.name
    for package in ("relutopo", "relutopo.backends")
    for module in pkgutil.walk_packages(
        importlib.import_module(package).__path__, prefix=f"{package}."
    )
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_the_backends_are_among_them() -> None:
    assert "relutopo.backends.enumerators.cpu" in MODULES
    assert relutopo.__version__
