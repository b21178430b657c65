"""Where the Betti curves of the filtered complex peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature, means_and_spreads, with_spread
from relutopo.signatures.subject import Filtering, Subject

__all__ = ["BettiPeaks"]


@dataclass(frozen=True)
class BettiPeaks(Filtering, Signature):
    """Where each Betti curve peaks, and how high: means over filtrations, with their spread.

    See `Filtering` for its options.
    """

    columns = with_spread(
        (
            Column("betti_{k}_peak_index", "cells", "cells that have entered at it", "d - 1"),
            Column("betti_{k}_peak_fraction", "1", "the same as a share of all cells", "d - 1"),
            Column("betti_{k}_peak_value", "1", "the filtration value there", "d - 1"),
            Column("betti_{k}_peak_height", "1", "the Betti number there", "d - 1"),
        )
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers, if there is a filtration."""
        found = subject.diagrams(self)
        values: dict[str, list[float]] = {}
        for k in range(subject.complex.dim):
            # Over values, classes with equal birth and death do not count: ties cannot move it.
            peaks = [diagram.betti_curve(k).peak() for diagram in found.diagrams]
            for name in ("index", "fraction", "value", "height"):
                values[f"betti_{k}_peak_{name}"] = [getattr(peak, name) for peak in peaks]
        return means_and_spreads(values)
