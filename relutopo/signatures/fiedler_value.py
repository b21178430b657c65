"""The Fiedler value of the dual graph, and whether it is a simple eigenvalue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Cut, Subject
from relutopo.spectral.fiedler import FiedlerPartition

__all__ = ["FiedlerValue"]


@dataclass(frozen=True)
class FiedlerValue(Cut, Signature):
    """The smallest non-zero eigenvalue of the weighted Laplacian, and whether it is simple.

    See `Cut` for its options. It depends on the training data through the vertex weights.
    """

    columns = (
        Column("fiedler_value", "1", "eigenvalue of the Fiedler vector"),
        Column("fiedler_gap", "1", "relative distance to the next eigenvalue"),
        Column("fiedler_multiplicity", "1", "dimension of the space of Fiedler vectors"),
        Column("n_open_regions", "regions", "regions on the cut, on no side"),
        Column("open_mass", "1", "share of the training points that lie in these"),
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the value, if there is a Fiedler vector."""
        part = subject.partition(self).part
        return {} if part is None else self.of(part)

    @staticmethod
    def of(part: FiedlerPartition) -> Mapping[str, Any]:
        """Return the value for a partition."""
        row = {
            "fiedler_value": part.value,
            "fiedler_multiplicity": part.multiplicity,
            "n_open_regions": part.n_open,
            "open_mass": part.open_mass,
        }
        # A graph of two nodes has no other eigenvalue.
        return row | ({"fiedler_gap": part.gap} if part.gap < float("inf") else {})
