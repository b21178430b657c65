"""How well the Fiedler partition agrees with the training labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Cut, Subject
from relutopo.spectral.agreement import label_agreement_if_any, settled
from relutopo.spectral.fiedler import FiedlerPartition

__all__ = ["LabelAgreement"]


@dataclass(frozen=True)
class LabelAgreement(Cut, Signature):
    """Agreement of the sides of a partition with the training labels; see `Cut` for its options.

    It has no value if the targets are values, or labels of more or fewer than two classes.
    """

    columns = (
        Column("agreement", "1", "accuracy of the sides against the training labels"),
        Column("agreement_least", "1", "the least that any Fiedler vector has"),
        Column("agreement_greatest", "1", "the greatest that any Fiedler vector has"),
        Column("adjusted_rand", "1", "adjusted Rand index of sides and training labels"),
        Column("sweep_agreement", "1", "accuracy of the best threshold (picked by labels)"),
        Column("purity", "1", "bound of every agreement: the best labelling of regions"),
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers, if there are two classes and a training point in a partition."""
        part = subject.partition(self).part
        return {} if part is None else self.of(part, subject)

    @staticmethod
    def of(part: FiedlerPartition, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers for a partition of the subject."""
        if subject.labels is None:
            return {}
        regions = settled(part, part.sides, subject.points, subject.regions)
        found = label_agreement_if_any(part, regions, subject.labels)
        if found is None:
            return {}
        return {
            "agreement": found.accuracy,
            "agreement_least": found.accuracy_least,
            "agreement_greatest": found.accuracy_greatest,
            "adjusted_rand": found.adjusted_rand_index,
            "sweep_agreement": found.sweep_accuracy,
            "purity": found.purity,
        }
