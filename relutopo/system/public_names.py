"""The names of a package, imported when they are first used, from one table: the package's stub.

The table of a package is its ``__init__.pyi``, which type checkers and editors read directly: each
line ``from module import name as name`` gives one public name and its module. The package uses
`lazy` for its ``__getattr__`` and ``__dir__``, so it has these names and no others. Modules that
are public as a whole list their ``__all__`` through `listing`.

Imports do not run in the main thread: an interrupt among the first instructions of the import
system would keep its lock for ever.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

from relutopo.system.memory import in_words, require_address_space
from relutopo.system.uninterrupted import uninterrupted

__all__ = ["lazy", "listing", "table"]

_BYTES, _BYTES_A_CORE = 3 * 2**27, 2**25
"""Address space that NumPy and SciPy need: for themselves, for the importing thread with its heap,
and for threads of OpenBLAS."""


def table(file: str) -> dict[str, str]:
    """Return the module that each name of a package comes from.

    Parameters
    ----------
    file : str
        The ``__file__`` of the package, beside which its stub lies.

    Examples
    --------
    >>> import relutopo
    >>> table(relutopo.__file__)["CellComplex"]
    'relutopo.complex'
    """
    with open(file.removesuffix(".py") + ".pyi", encoding="utf-8") as stub:
        lines = [line.split() for line in stub if line.startswith("from ")]
    return {words[3]: words[1] for words in lines}


def _room_to_load() -> AbstractContextManager[None]:
    """Check for address space before NumPy and SciPy are loaded, which crash without it."""
    if "numpy" not in sys.modules:
        n_bytes = _BYTES + _BYTES_A_CORE * (os.cpu_count() or 1)
        require_address_space(n_bytes, "loading NumPy and SciPy")
    return in_words("raise the limit of this process (ulimit -v)")


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the functions ``__getattr__`` and ``__dir__`` of a package that has a stub.

    Parameters
    ----------
    package : str
        Its ``__name__``.

    Returns
    -------
    get : callable
        Imports the module of a name, stores the object in the package, and returns it. ``__all__``
        is the sorted list of all names.
    names : callable
        Lists these names, and the attributes of every module, but not the package's own imports.
    """
    homes: dict[str, str] = {}

    def known() -> dict[str, str]:
        if not homes:
            homes.update(table(str(sys.modules[package].__file__)))
        return homes

    def found(name: str) -> Any:
        if name == "__all__":
            return sorted(known())
        if name not in known():
            raise refusal(name)
        is_module = homes[name] == package  # of the package itself
        home = f"{package}.{name}" if is_module else homes[name]
        with nullcontext() if home in sys.modules else _room_to_load():
            module = import_module(home)
        return module if is_module else getattr(module, name)

    def get(name: str) -> Any:
        if name.startswith("__") and name != "__all__":
            raise refusal(name)
        value = uninterrupted(found, name)
        vars(sys.modules[package])[name] = value
        return value

    def refusal(name: str) -> AttributeError:
        return AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        of_module = {name for name in vars(sys.modules[package]) if name.startswith("__")}
        return sorted({*of_module, *known()})

    return get, names


def listing(module: str) -> Callable[[], list[str]]:
    """Return a ``__dir__`` for a module: its ``__all__``, and the attributes of every module.

    Parameters
    ----------
    module : str
        Its ``__name__``.

    Examples
    --------
    >>> from relutopo import gallery
    >>> "np" in dir(gallery), "grid" in dir(gallery)
    (False, True)
    """

    def names() -> list[str]:
        content = vars(sys.modules[module])
        return sorted({*content["__all__"], *(name for name in content if name.startswith("__"))})

    return names
