"""The number of regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Subject

__all__ = ["NumberOfRegions"]


@dataclass(frozen=True)
class NumberOfRegions(Signature):
    """How many regions the network has in the domain."""

    columns = (Column("n_regions", "regions", "regions in the domain"),)

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the number."""
        return {"n_regions": subject.complex.n_regions}
