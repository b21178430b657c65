"""Which part of the input space is decomposed: rules that give a data set its domain.

Rules are named in the registry under the role ``domain``. On a slice of a high-dimensional input
space, the data are replaced by their projections (`project_onto`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relutopo.checks import check_integer, check_integers, check_number
from relutopo.errors import InputError
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.slices import AffineSlice
from relutopo.learning.datasets import Dataset

__all__ = [
    "AroundData",
    "DomainRule",
    "FixedBox",
    "SlicePrincipal",
    "SliceThrough",
    "distance_from",
    "project_onto",
]


class DomainRule(ABC):
    """Gives the domain on which networks trained on a data set are decomposed."""

    @abstractmethod
    def __call__(self, dataset: Dataset) -> Domain:
        """Return the domain for a data set; `InputError` if the rule does not fit it."""


@dataclass(frozen=True)
class AroundData(DomainRule):
    """The bounding box of the training points, widened.

    Parameters
    ----------
    margin : float, default 0.25
        Fraction of the width that is added on each side.
    """

    margin: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "margin", _checked_margin(self.margin))

    def __call__(self, dataset: Dataset) -> Box:
        """Return the box."""
        return Box.around(dataset.points, self.margin)


@dataclass(frozen=True)
class FixedBox(DomainRule):
    """A box that does not depend on the data.

    Parameters
    ----------
    low, high : float or sequence of d floats
        Corners; a single number is used for every axis.

    Raises
    ------
    InputError
        If the corners are not numbers, differ in length, or leave no room between them.

    Examples
    --------
    >>> from relutopo.learning.datasets import two_moons
    >>> FixedBox(-5, [5, 1])(two_moons(n=20))
    Box([-5.0, -5.0], [5.0, 1.0])
    """

    low: float | Sequence[float]
    high: float | Sequence[float]

    def __post_init__(self) -> None:
        self._box(None if np.ndim(self.low) or np.ndim(self.high) else 1)

    def __call__(self, dataset: Dataset) -> Box:
        """Return the box."""
        return self._box(dataset.dim)

    def _box(self, dim: int | None) -> Box:
        if not all(_are_numbers(ends) for ends in (self.low, self.high)):
            raise InputError(
                f"`low` and `high` must be numbers, or lists of one number for each axis, got "
                f"{self.low!r} and {self.high!r}; pass for example -5 and 5, or [-5, -1] and [5, 1]"
            )
        return Box(self.low, self.high, dim=dim)


def _are_numbers(ends: Any) -> bool:
    try:
        return np.asarray(ends).dtype.kind in "biuf"
    except (TypeError, ValueError):  # lists of different lengths
        return False


@dataclass(frozen=True)
class SliceThrough(DomainRule):
    """The affine slice through some of the training points, for example the plane through three.

    Parameters
    ----------
    points : sequence of int
        Numbers of training points, from 0: k + 1 of them span a slice of k dimensions. See
        `AffineSlice.through` for its axes.
    margin : float, default 0.25
        The domain is the bounding box of these points, widened by this fraction on each side.
    """

    points: Sequence[int]
    margin: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "margin", _checked_margin(self.margin))
        remedy = "pass the numbers of training points, for example [0, 1, 2] for a plane"
        points = check_integers("points", self.points, at_least=2, remedy=remedy)
        if len(set(points)) < len(points):
            raise InputError(f"`points` must be distinct, got {list(points)}; {remedy}")
        object.__setattr__(self, "points", points)

    def __call__(self, dataset: Dataset) -> AffineSlice:
        """Return the slice."""
        n = len(dataset.points)
        if max(self.points) >= n:
            raise InputError(
                f"`points` must be numbers of training points, 0 to {n - 1}, got "
                f"{list(self.points)}; choose others"
            )
        return AffineSlice.through(*dataset.points[list(self.points)], margin=self.margin)


@dataclass(frozen=True)
class SlicePrincipal(DomainRule):
    """The affine slice through the mean of the training points, along their principal components.

    Parameters
    ----------
    dim : int, default 2
        Number of principal components, the dimension of the slice.
    margin : float, default 0.25
        The domain is the bounding box of the projections of all training points, widened by this
        fraction on each side.
    """

    dim: int = 2
    margin: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", check_integer("dim", self.dim, 1, remedy="2 is usual"))
        object.__setattr__(self, "margin", _checked_margin(self.margin))

    def __call__(self, dataset: Dataset) -> AffineSlice:
        """Return the slice."""
        return AffineSlice.principal(dataset.points, self.dim, self.margin)


def _checked_margin(margin: float) -> float:
    return check_number("margin", margin, least=0, remedy="0.25 is usual")


def project_onto(dataset: Dataset, domain: Domain) -> Dataset:
    """Return the data in the coordinates of a domain.

    Parameters
    ----------
    dataset : Dataset
    domain : Domain
        On an `AffineSlice` every point is replaced by the coordinates of its projection.

    Examples
    --------
    >>> import numpy as np
    >>> points, targets = np.array([[1.0, 2.0, 3.0]]), np.array([1.0])
    >>> plane = AffineSlice([0.0, 0.0, 0.0], np.eye(3)[:, :2])
    >>> project_onto(Dataset("one", points, targets, points, targets), plane).points.tolist()
    [[1.0, 2.0]]
    """
    if not isinstance(domain, AffineSlice):
        return dataset
    points, held_out_points = (
        domain.coordinates(x)[0] for x in (dataset.points, dataset.held_out_points)
    )
    return replace(dataset, points=points, held_out_points=held_out_points, features=None)


def distance_from(domain: Domain, dataset: Dataset) -> float:
    """Return the median distance of the training points from an affine slice.

    Parameters
    ----------
    domain : Domain
        The distance is 0 unless this is an `AffineSlice`.
    dataset : Dataset
    """
    if not isinstance(domain, AffineSlice):
        return 0.0
    return float(np.median(domain.coordinates(dataset.points)[1]))
