"""relutopo: the polyhedral decomposition of ReLU networks and its topology.

What is public, and changes with notice in the changelog only: the names of this package, of
`relutopo.plots`, `relutopo.gallery`, `relutopo.testing`, `relutopo.errors`, `relutopo.interfaces`
and `relutopo.registry`, and whatever else the pages in ``docs/`` name. All other modules are there
for these, and may change from one version to the next.

Importing this package loads nothing else: a name is imported, with NumPy and SciPy, when it is
first used. The table of names is ``__init__.pyi``.
"""

from typing import Any

from relutopo.system.imports import install
from relutopo.system.public_names import lazy

install(__name__)
_get, __dir__ = lazy(__name__)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _get(name)
    from importlib.metadata import version  # here, because few ask for it

    globals()[name] = version("relutopo")
    return globals()[name]
