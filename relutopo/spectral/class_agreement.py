"""How well parts of a graph agree with classes, for any number of both.

Parts have no names. Each class is matched with at most one part, such that as many points as
possible lie in the part of their class (the assignment problem). For two parts and two classes this
is the better of the two ways to name the sides.

Invariant: only points in nodes of the partition's component are judged; points left out are
counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, as_labels, frozen
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.location import NOT_FOUND
from relutopo.optional import require
from relutopo.reports.shown import Shown
from relutopo.reports.text import fraction
from relutopo.spectral.agreement import (
    Divided,
    adjusted_rand_index,
    in_component,
    judged,
    settled,
    warn_of_unused,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ClassAgreement",
    "ClassDecisionAgreement",
    "Parts",
    "class_agreement",
    "class_decision_agreement",
    "match",
]


class Parts(Divided, Protocol):
    """A graph whose nodes lie in parts, such as a `SpectralPartition`: what is judged here."""

    @property
    def k(self) -> int:
        """The number of parts."""

    @property
    def parts(self) -> NDArray[np.int64]:
        """The part of each node; -1 on the cut and outside the component."""


@dataclass(frozen=True, eq=False)
class ClassAgreement(Frozen, Shown):
    """Parts against the classes of points.

    Attributes
    ----------
    accuracy : float
        Share of the points that lie in the part matched with their class, for the best matching;
        in [0, 1]. Points in regions on the cut count one k-th.
    adjusted_rand_index : float
        Of parts and classes; 0 expected by chance, 1 for equal partitions. Regions on the cut count
        as a part of their own.
    purity : float
        The best accuracy of any labelling that is constant on regions: an upper bound.
    classes : (n_classes,) ndarray
        The labels that occur, in order.
    matching : (n_classes,) ndarray of int64
        The part matched with each class; -1 for a class without one, if there are more classes
        than parts.
    confusion : (n_classes, k) ndarray of int64
        Points of each class in each part.
    n_points : (n_classes,) ndarray of int64
        Points of each class that were judged, those in regions on the cut included.
    n_used : int
        Points that were judged.
    n_open : int
        Judged points in regions on the cut.
    n_outside : int
        Points outside the domain.
    n_on_boundary : int
        Points on a facet between regions of different parts.
    n_not_found : int
        Points in regions that a partial search did not find.
    n_off_component : int
        Points in regions that the partition leaves out.
    """

    accuracy: float
    adjusted_rand_index: float
    purity: float
    classes: NDArray[Any]
    matching: NDArray[np.int64]
    confusion: NDArray[np.int64]
    n_points: NDArray[np.int64]
    n_used: int
    n_open: int
    n_outside: int
    n_on_boundary: int
    n_not_found: int
    n_off_component: int

    def __post_init__(self) -> None:
        for name in ("classes", "matching", "confusion", "n_points"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        return (
            f"ClassAgreement(accuracy={fraction(self.accuracy)}, {len(self.classes)} classes in "
            f"{self.confusion.shape[1]} parts, {self.n_used} points)"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "accuracy": self.accuracy,
            "adjusted Rand index": self.adjusted_rand_index,
            "purity": self.purity,
            "points": self.n_used,
        }

    def table(self) -> pd.DataFrame:
        """Return one row for each class.

        Returns
        -------
        pandas.DataFrame
            ``class``; ``n_points``; ``part``, the part matched with the class, or -1;
            ``recall``, the share of the class that lies in it; ``precision``, the share of the
            part's points that are of the class (NaN for a part without points); and ``in_part_0``,
            ``in_part_1``, ..., the numbers of points in each part.

        Examples
        --------
        >>> found = ClassAgreement(
        ...     0.75, 0.5, 1.0, np.array(["cat", "dog"]), np.array([1, 0]),
        ...     np.array([[0, 1], [2, 1]]), np.array([1, 3]), 4, 0, 0, 0, 0, 0,
        ... )
        >>> found.table()[["class", "part", "recall", "precision"]].values.tolist()
        [['cat', 1, 1.0, 0.5], ['dog', 0, 0.6666666666666666, 1.0]]
        """
        pandas: Any = require("pandas", "a table of classes")
        rows, matching = np.arange(len(self.classes)), self.matching
        hits = np.where(matching >= 0, self.confusion[rows, matching], 0)
        sizes = np.where(matching >= 0, self.confusion.sum(axis=0)[matching], 0)
        with np.errstate(invalid="ignore"):
            recall, precision = hits / self.n_points, hits / sizes
        columns = {
            "class": self.classes,
            "n_points": self.n_points,
            "part": matching,
            "recall": recall,
            "precision": precision,
        }
        columns |= {f"in_part_{part}": column for part, column in enumerate(self.confusion.T)}
        table: pd.DataFrame = pandas.DataFrame(columns)
        return table


@dataclass(frozen=True)
class ClassDecisionAgreement(Shown):
    """Parts against the network's own decision, the largest of its outputs.

    A region counts with the decision at its interior point, even if other decisions occur in it.
    Regions on the cut count one k-th.

    Attributes
    ----------
    by_points : float
        Share of the points that lie in the part matched with the decision at the point; NaN without
        points.
    by_volume, by_regions : float
        The same for the volume and the number of regions, each by its own best matching.
    n_decided : int
        Classes for which the network decides on some region.
    """

    by_points: float
    by_volume: float
    by_regions: float
    n_decided: int

    def __repr__(self) -> str:
        by_points = "" if np.isnan(self.by_points) else f"{self.by_points:.3f} by points, "
        return (
            f"ClassDecisionAgreement({by_points}{self.by_volume:.3f} by volume, "
            f"{self.by_regions:.3f} by regions, {self.n_decided} classes decided)"
        )


def match(confusion: ArrayLike) -> NDArray[np.int64]:
    """Match rows with columns one to one, such that the sum of the matched entries is largest.

    H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Res. Logistics Quart. 2
    (1955) 83-97.

    Parameters
    ----------
    confusion : (n, k) array_like
        Not negative.

    Returns
    -------
    (n,) ndarray of int64
        The column of each row, -1 for rows without one.

    Examples
    --------
    >>> match([[1, 5], [4, 6], [0, 0]]).tolist()
    [1, 0, -1]
    """
    from scipy.optimize import linear_sum_assignment  # slow to load

    counts = np.asarray(confusion)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    found = np.full(len(counts), -1, dtype=np.int64)
    found[rows] = columns
    return found


def class_agreement(
    partition: Parts,
    points: ArrayLike,
    labels: ArrayLike,
    regions: NDArray[np.int64] | None = None,
) -> ClassAgreement:
    """Compare parts with labels; see `SpectralPartition.agreement`.

    Parameters
    ----------
    partition : Parts
    points : (n, d) array_like
    labels : (n,) array_like
    regions : (n,) ndarray of int64, optional
        Regions of the points, as from ``partition.locate``, if known already.
    """
    classes, codes = as_labels(labels)
    regions = settled(partition, partition.parts + 1, points, regions)
    used = judged(partition, regions, len(codes))
    region, codes = regions[used], codes[used]
    parts = partition.parts[region]
    confusion = _confusion(codes, parts, np.ones(len(codes)), len(classes), partition.k)
    by_region = np.zeros((partition.graph.n_nodes, len(classes)), dtype=np.int64)
    np.add.at(by_region, (region, codes), 1)
    found = ClassAgreement(
        accuracy=_share(confusion, float((parts < 0).sum())),
        adjusted_rand_index=adjusted_rand_index(parts, codes),
        purity=float(by_region.max(axis=1).sum() / len(codes)),
        classes=classes,
        matching=match(confusion),
        confusion=confusion.astype(np.int64),
        n_points=np.bincount(codes, minlength=len(classes)),
        n_used=len(codes),
        n_open=int((parts < 0).sum()),
        n_outside=int(np.sum(regions == OUTSIDE)),
        n_on_boundary=int(np.sum(regions == ON_BOUNDARY)),
        n_not_found=int(np.sum(regions == NOT_FOUND)),
        n_off_component=int(np.sum(regions >= 0) - used.sum()),
    )
    warn_of_unused(found)
    return found


def class_decision_agreement(
    partition: Parts,
    points: ArrayLike | None = None,
    regions: NDArray[np.int64] | None = None,
) -> ClassDecisionAgreement:
    """Compare parts with the network; see `SpectralPartition.decision_agreement`.

    Parameters
    ----------
    partition : Parts
    points : (n, d) array_like, optional
    regions : (n,) ndarray of int64, optional
        Regions of the points, as from ``partition.locate``, if known already.
    """
    complex_, n_classes = partition.complex, max(2, partition.complex.network.n_outputs)
    nodes = np.flatnonzero(partition.component)
    decided = _decisions(complex_, complex_.interior_points[nodes])
    parts = partition.parts[nodes]

    def share(codes: NDArray[np.int64], parts: NDArray[np.int64], masses: Any) -> float:
        confusion = _confusion(codes, parts, masses, n_classes, partition.k)
        return _share(confusion, float(masses[parts < 0].sum()))

    by_points = np.nan
    if points is not None:
        regions = settled(partition, partition.parts + 1, points, regions)
        used = in_component(partition, regions)
        codes = _decisions(complex_, np.asarray(points)[used])
        by_points = share(codes, partition.parts[regions[used]], np.ones(len(codes)))
    return ClassDecisionAgreement(
        by_points,
        share(decided, parts, complex_.volumes[nodes]),
        share(decided, parts, np.ones(len(nodes))),
        len(np.unique(decided)),
    )


def _decisions(complex_: Cells, points: ArrayLike) -> NDArray[np.int64]:
    """Return the network's class at each point; of a single output, 1 where it is above 0."""
    outputs = complex_.network(points)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(np.int64)
    largest: NDArray[np.int64] = np.argmax(outputs, axis=1)
    return largest


def _confusion(
    codes: NDArray[np.int64], parts: NDArray[np.int64], masses: Any, n_classes: int, k: int
) -> NDArray[np.float64]:
    """Return the mass of each class in each part; mass in no part is left out."""
    is_in = parts >= 0
    cells = codes[is_in] * k + parts[is_in]
    table: NDArray[np.float64] = np.bincount(cells, masses[is_in], n_classes * k).astype(np.float64)
    return table.reshape(n_classes, k)


def _share(confusion: NDArray[np.float64], undecided: float) -> float:
    """Return the matched share of the mass; mass in no part counts one k-th. NaN for no mass."""
    total = float(confusion.sum()) + undecided
    matching = match(confusion)
    rows = np.flatnonzero(matching >= 0)
    hits = float(confusion[rows, matching[rows]].sum())
    return (hits + undecided / confusion.shape[1]) / total if total else np.nan
