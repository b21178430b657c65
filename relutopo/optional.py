"""Import optional packages where they are used, with one clear error when they are missing."""

from __future__ import annotations

import sys
from types import ModuleType

from relutopo.errors import MissingExtraError
from relutopo.system.imports import whole
from relutopo.system.memory import require_address_space

__all__ = ["require"]

_LARGE = {"torch": 3 * 2**28, "pandas": 2**28, "matplotlib": 2**27}
"""Address space that packages need, if a limit of the process bounds it."""
_APP = 'pip install "relutopo[app]"'
_EXPORT = 'pip install "relutopo[export]"'
_REMEDIES = {
    "torch": _APP,
    "hydra": _APP,
    "matplotlib": 'pip install "relutopo[plots]"',
    "bokeh": 'pip install "relutopo[explore]"',
    "anywidget": 'pip install "relutopo[notebook]"',
    "pandas": 'pip install "relutopo[tables]"',
    "pyarrow": _APP,
    "sklearn": _APP,
    "rich": _APP,
    "onnx": 'pip install "relutopo[onnx]"',
    "ray": 'pip install "relutopo[ray]"',
    "optuna": 'pip install "relutopo[optuna]"',
    "lightning": 'pip install "relutopo[lightning]"',
    "tensorboard": 'pip install "relutopo[tensorboard]"',
    "wandb": 'pip install "relutopo[wandb]"',
    "mlflow": 'pip install "relutopo[mlflow]"',
    "networkx": _EXPORT,
    "meshio": _EXPORT,
    "cupy": 'pip install "relutopo[cuda12]" or "relutopo[cuda13]", whichever your driver supports',
    "phat": (
        "pip install pybind11 setuptools wheel, then pip install --no-build-isolation "
        "--use-deprecated=legacy-resolver --pre phat (its release needs both options)"
    ),
}


def require(module: str, purpose: str) -> ModuleType:
    """Import `module`, or say what to install.

    Parameters
    ----------
    module : str
        Dotted name of the module to import.
    purpose : str
        What needs it, as the subject of a sentence, for example ``"the reducer 'phat'"``.

    Returns
    -------
    types.ModuleType
        The imported module.

    Raises
    ------
    MissingExtraError
        If the package of the module is not installed, or has no such module.

    Examples
    --------
    >>> require("math", "this example").sqrt(4.0)
    2.0
    """
    if module in _LARGE and module not in sys.modules:
        require_address_space(_LARGE[module], f"loading {module}")
    try:
        return whole(module)
    except ImportError as error:
        # Any other missing module is a dependency of the optional package.
        if not isinstance(error, ModuleNotFoundError) or error.name not in _with_parents(module):
            raise
        package = module.partition(".")[0]
        if error.name == package:
            remedy = _REMEDIES.get(package, f"pip install {package}")
            need = f"the package {package!r}, which is not installed; remedy: {remedy}"
        else:
            need = (
                f"the module {module!r}, which the installed package {package!r} does not have; "
                "install a version that has it"
            )
        raise MissingExtraError(f"{purpose} needs {need}", name=error.name) from error


def _with_parents(module: str) -> list[str]:
    """Return a dotted name and those of the packages around it.

    Examples
    --------
    >>> _with_parents("a.b.c")
    ['a.b.c', 'a.b', 'a']
    """
    return [module.rsplit(".", n)[0] for n in range(module.count(".") + 1)]
