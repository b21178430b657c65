"""How well the Fiedler partition agrees with the network's own decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Cut, Subject
from relutopo.spectral.agreement import decision_agreement
from relutopo.spectral.fiedler import FiedlerPartition

__all__ = ["DecisionAgreement"]


@dataclass(frozen=True)
class DecisionAgreement(Cut, Signature):
    """Agreement of the sides of a partition with the sign of the network's output.

    See `Cut` for its options. It has no value for networks with more than two outputs.
    """

    columns = (
        Column("decision_by_points", "1", "agreement with the network's decision, by data"),
        Column("decision_by_points_least", "1", "the least that any Fiedler vector has"),
        Column("decision_by_points_greatest", "1", "the greatest that any Fiedler vector has"),
        Column("decision_by_volume", "1", "agreement with the network's decision, by volume"),
        Column("decision_by_volume_least", "1", "the least that any Fiedler vector has"),
        Column("decision_by_volume_greatest", "1", "the greatest that any Fiedler vector has"),
        Column("decision_by_regions", "1", "agreement with the decision, by number of regions"),
        Column("decision_by_regions_least", "1", "the least that any Fiedler vector has"),
        Column("decision_by_regions_greatest", "1", "the greatest that any Fiedler vector has"),
        Column("cut_at_boundary", "1", "cut edges at regions that the boundary crosses"),
        Column("boundary_at_cut", "1", "crossed regions at which the cut passes"),
        Column("n_crossed_regions", "regions", "regions that the decision boundary crosses"),
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers, if there are a partition and a decision between two classes."""
        part = subject.partition(self).part
        return {} if part is None else self.of(part, subject)

    @staticmethod
    def of(part: FiedlerPartition, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers for a partition of the subject."""
        if subject.network.n_outputs > 2:
            return {}
        found = decision_agreement(
            part,
            subject.points,
            regions=subject.regions,
            decision=subject.decision,
            positive=subject.decided,
        )
        return {
            "decision_by_points": found.by_points,
            "decision_by_points_least": found.by_points_least,
            "decision_by_points_greatest": found.by_points_greatest,
            "decision_by_volume": found.by_volume,
            "decision_by_volume_least": found.by_volume_least,
            "decision_by_volume_greatest": found.by_volume_greatest,
            "decision_by_regions": found.by_regions,
            "decision_by_regions_least": found.by_regions_least,
            "decision_by_regions_greatest": found.by_regions_greatest,
            "cut_at_boundary": found.cut_edges_at_boundary,
            "boundary_at_cut": found.crossed_regions_at_cut,
            "n_crossed_regions": found.n_crossed,
        }
