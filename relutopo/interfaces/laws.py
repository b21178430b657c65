"""The error for a backend that breaks a law of its role."""

from __future__ import annotations

from relutopo.errors import BackendError

__all__ = ["broken_law"]


def broken_law(role: str, backend: object, expected: str, came: object) -> BackendError:
    """Return the error for a backend whose result breaks a law of its role.

    Parameters
    ----------
    role : str
    backend : object
    expected, came : str
        What the law says, and what was returned.
    """
    kind = type(backend)
    return BackendError(
        f"`{role}` {kind.__module__}.{kind.__qualname__} must return {expected}, got {came}; "
        "correct it by the docstrings of relutopo.interfaces, or choose another one"
    )
