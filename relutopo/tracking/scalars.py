"""Rows of a tracker as named numbers, for whatever draws curves."""

from __future__ import annotations

import math

from relutopo.analyses.base import Row
from relutopo.paths.path_signatures import COLUMNS_OF_PATHS

__all__ = ["GROUPS", "scalars"]

_GROUPS = {
    **dict.fromkeys(("loss", "train_accuracy", "held_out_accuracy"), "training"),
    **{column.name: "paths" for column in COLUMNS_OF_PATHS},
}
_BEGINNINGS = {
    "seconds_": "seconds",
    "weighted_": "weighted",
    "unweighted_": "unweighted",
    "betti_": "homology",
    "boundary_betti_": "homology",
    "total_persistence_": "homology",
    "n_filtrations": "homology",
    "paths_": "paths",
    "n_": "cells",
    "euler": "cells",
}
_OTHERS = "more"
GROUPS = tuple(
    f"relutopo-{name}" for name in ("training", *dict.fromkeys(_BEGINNINGS.values()), _OTHERS)
)
"""What names begin with, before a slash: programs that draw curves group them by it."""


def scalars(row: Row) -> dict[str, float]:
    """Return the finite numbers of a row, named ``relutopo-<group>/<column>``.

    Parameters
    ----------
    row : mapping

    Examples
    --------
    >>> scalars({"step": 3, "loss": 0.5, "n_regions": 12, "enumerator": "cpu", "error": None})
    {'relutopo-training/loss': 0.5, 'relutopo-cells/n_regions': 12.0}
    >>> scalars({"step": 3, "n_open": 0, "n_open_regions": 1})
    {'relutopo-paths/n_open': 0.0, 'relutopo-cells/n_open_regions': 1.0}
    """
    return {
        f"relutopo-{_group(name)}/{name}": float(value)
        for name, value in row.items()
        if name != "step"
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


def _group(name: str) -> str:
    if name in _GROUPS:
        return _GROUPS[name]
    groups = (group for start, group in _BEGINNINGS.items() if name.startswith(start))
    return next(groups, _OTHERS)
