"""The total persistence of the filtered complex."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature, means_and_spreads, with_spread
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
        return means_and_spreads(
            {
                f"total_persistence_{k}": [d.total_persistence(k) for d in found.diagrams]
                for k in range(subject.complex.dim)
            }
        )
