"""How settings differ from those that a folder was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["differences"]


def differences(present: Any, wanted: Any, path: str = "") -> list[str]:
    """Return a line for each setting that differs from what it was.

    Parameters
    ----------
    present, wanted : any
        Plain values, in mappings or not.
    path : str
        Prefix of all keys.

    Examples
    --------
    >>> differences({"seed": 0, "data": {"n": 5}}, {"seed": 1, "data": {"n": 5}})
    ['seed was 0, is 1']
    """
    if isinstance(present, Mapping) and isinstance(wanted, Mapping):
        return [
            line
            for key in sorted(present.keys() | wanted.keys())
            for line in differences(
                present.get(key), wanted.get(key), f"{path}.{key}" if path else key
            )
        ]
    return [] if present == wanted else [f"{path} was {present!r}, is {wanted!r}"]
