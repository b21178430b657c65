"""Imports that an interrupt does not leave half done.

A package in C that was interrupted during its import cannot be imported again in the same process.
So the imports made by modules of relutopo, and those requested through `whole`, run in a separate
thread (`relutopo.system.uninterrupted`).

Invariant: modules of relutopo import each other in one order only. The main thread holds the lock
of the module that it imports while another thread imports what that module needs; if that in turn
needed the first module, both would wait for ever. So no two files import each other, and a package
imports its own modules only if these are never imported except through the package.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from relutopo.system.uninterrupted import is_main_thread, uninterrupted

__all__ = ["install", "whole"]


class _WholeLoader(Loader):
    """Loads a module in a separate thread, and leaves no trace of itself."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        assert module.__spec__ is not None
        module.__spec__.loader = self._loader
        uninterrupted(self._loader.exec_module, module)


class _WholeFinder(MetaPathFinder):
    """Finds the modules of a package as the other finders do, for imports by the main thread."""

    def __init__(self, package: str) -> None:
        self._begin = f"{package}."

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(self._begin) or not is_main_thread():
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _WholeLoader(spec.loader)
                return spec
        return None


def install(package: str) -> None:
    """Make imports of a package's modules uninterruptible from now on."""
    sys.meta_path.insert(0, _WholeFinder(package))


def whole(module: str) -> ModuleType:
    """Import a module of another package; an interrupt does not leave it half imported.

    Parameters
    ----------
    module : str
        Its dotted name.

    Examples
    --------
    >>> whole("math").sqrt(4.0)
    2.0
    """
    if module in sys.modules:
        return import_module(module)
    return uninterrupted(import_module, module)
