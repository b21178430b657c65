"""The total persistence of the filtered complex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature, mean_and_spread, with_spread
from relutopo.signatures.subject import Filtering, Subject

__all__ = ["TotalPersistence"]


@dataclass(frozen=True)
class TotalPersistence(Filtering, Signature):
    """Sums of death minus birth, in filtration values: means over filtrations, with their spread.

    See `Filtering` for its options.
    """

    columns = with_spread(
        (Column("total_persistence_{k}", "1", "sum of death minus birth, by value", "d - 1"),)
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers, if there is a filtration."""
        found = subject.diagrams(self)
        values: dict[str, float] = {}
        for k in range(subject.complex.dim):
            sums = [diagram.total_persistence(k) for diagram in found.diagrams]
            values |= mean_and_spread(f"total_persistence_{k}", sums)
        return values
