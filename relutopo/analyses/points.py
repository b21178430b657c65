"""The points that analyses compare with partitions, and their regions."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError
from relutopo.geometry.domain import Domain
from relutopo.learning.datasets import Dataset
from relutopo.learning.domain_rules import project_onto
from relutopo.signatures.subject import Subject, second_of_two

__all__ = ["HeldOut", "check_points"]


class HeldOut:
    """The held-out points of a subject's data, projected and located when needed.

    Parameters
    ----------
    subject : Subject
    dataset : Dataset
    """

    def __init__(self, subject: Subject, dataset: Dataset) -> None:
        self._subject, self._dataset = subject, dataset

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """In the subject's domain; on a slice their projections."""
        return project_onto(self._dataset, self._subject.domain).held_out_points

    @cached_property
    def labels(self) -> NDArray[np.bool_] | None:
        """Which of them are of the second of two classes; None for other targets."""
        return second_of_two(self._dataset.held_out_targets)

    @cached_property
    def regions(self) -> NDArray[np.int64]:
        """The region of each, negative for none; see `relutopo.CellComplex.locate`."""
        return self._subject.complex.locate(self.points)


def check_points(dataset: Dataset, domain: Domain) -> None:
    """Raise an `InputError` for data with no training point in a domain.

    Parameters
    ----------
    dataset : Dataset
    domain : Domain
    """
    seen = project_onto(dataset, domain)
    if not domain.contains(seen.points).any():
        raise InputError(
            f"`domain` must hold training points of `data` {dataset.name!r} to be compared "
            f"with partitions, got {domain!r} with none of {len(seen.points)}; choose another "
            "box, or the domain 'around_data'"
        )
