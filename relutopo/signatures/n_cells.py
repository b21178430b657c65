"""The numbers of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Subject

__all__ = ["NumbersOfCells"]


@dataclass(frozen=True)
class NumbersOfCells(Signature):
    """How many cells of each dimension the network has in the domain."""

    columns = (Column("n_cells_{k}", "cells", "cells of dimension k"),)

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers."""
        return {f"n_cells_{k}": n for k, n in enumerate(subject.complex.n_cells)}
