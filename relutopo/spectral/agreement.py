"""How well a Fiedler partition agrees with labels and with the network's decision.

The two sides of a partition have no names, so every accuracy here is for the better of the two
ways to name them ("up to the global flip").

Invariant: only nodes of the partition's component are judged; points left out are counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_labels, as_points, read_only
from relutopo.errors import InputError
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.decision import decision_signs
from relutopo.geometry.location import NOT_FOUND
from relutopo.geometry.patterns import pack_patterns
from relutopo.geometry.polyhedra import for_kernels
from relutopo.reports.shown import Shown
from relutopo.reports.text import fraction
from relutopo.spectral.dual_graph import DualGraph

__all__ = [
    "Decision",
    "DecisionAgreement",
    "Divided",
    "LabelAgreement",
    "Sides",
    "adjusted_rand_index",
    "decision_agreement",
    "decision_of_regions",
    "in_component",
    "judged",
    "judged_labels",
    "label_agreement",
    "label_agreement_if_any",
    "label_agreement_in",
    "settled",
    "warn_of_unused",
]


_MANY = 0.1
"""A warning is given if this share of the points, or more, does not count."""


class Divided(Protocol):
    """A graph with some of its nodes divided among parts."""

    @property
    def graph(self) -> DualGraph:
        """The graph."""

    @property
    def complex(self) -> Cells:
        """The complex of the graph."""

    @property
    def component(self) -> NDArray[np.bool_]:
        """The nodes that are divided."""

    def locate(self, points: ArrayLike, /) -> NDArray[np.int64]:
        """Return the region of each point; see `DualGraph.locate`."""


class Sides(Divided, Protocol):
    """A graph whose nodes lie on two sides, such as a `FiedlerPartition`: what is judged here."""

    @property
    def vector(self) -> NDArray[np.float64]:
        """A number for each node; its sign is the side. NaN outside the component."""

    @property
    def sides(self) -> NDArray[np.int8]:
        """1 where the vector is positive, -1 where it is negative, 0 where the sign is open."""

    @property
    def _order(self) -> NDArray[np.int64]:
        """The nodes by their numbers, ascending."""

    @property
    def cut_edges(self) -> NDArray[np.int64]:
        """Edges whose ends are not on the same side, (n_cut, 2)."""

    @property
    def vertex_weights(self) -> NDArray[np.float64]:
        """Diagonal of W_V."""

    @property
    def edge_weights(self) -> NDArray[np.float64]:
        """Diagonal of W_E."""

    def agreement_of(
        self, positive: NDArray[np.float64], negative: NDArray[np.float64], /
    ) -> tuple[float, float, float]:
        """Return an agreement, the least and the greatest; see `FiedlerPartition.agreement_of`."""


@dataclass(frozen=True, repr=False)
class LabelAgreement(Shown):
    """A partition against the labels of points.

    Attributes
    ----------
    accuracy : float
        Fraction of points whose side is their label, up to the global flip; in [0.5, 1]. Points in
        regions on the cut count half. This is the result.
    accuracy_least, accuracy_greatest : float
        The range of the accuracy over all Fiedler vectors, with regions on the cut on either side.
        Both equal the accuracy unless the partition leaves something open. If the multiplicity of
        the Fiedler value exceeds two, the widest range that was found.
    adjusted_rand_index : float
        Of sides and labels; 0 expected by chance, 1 for equal partitions. Regions on the cut count
        as a third side.
    purity : float
        The best accuracy of any labelling that is constant on regions: an upper bound.
    sweep_accuracy : float
        The accuracy of the best threshold on the Fiedler vector. The threshold is chosen by the
        labels, so this supplements the accuracy and does not replace it.
    sweep_threshold : float
        That threshold; the sides are vector > threshold. -inf if one side is empty.
    n_used : int
        Points that were judged.
    n_outside : int
        Points outside the domain.
    n_on_boundary : int
        Points on facets between regions that are not all on one side.
    n_not_found : int
        Points in regions that a partial search did not find.
    n_off_component : int
        Points in regions that the partition leaves out.
    """

    accuracy: float
    accuracy_least: float
    accuracy_greatest: float
    adjusted_rand_index: float
    purity: float
    sweep_accuracy: float
    sweep_threshold: float
    n_used: int
    n_outside: int
    n_on_boundary: int
    n_not_found: int
    n_off_component: int

    def __repr__(self) -> str:
        n_points = sum(_unused(self).values(), self.n_used)
        return (
            f"LabelAgreement({_with_range(self, 'accuracy')}, {self.n_used} of {n_points} points, "
            f"purity {fraction(self.purity)}, Rand index {fraction(self.adjusted_rand_index)})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "accuracy": _with_range(self, "accuracy"),
            "best of any labelling of regions": self.purity,
            "adjusted Rand index": self.adjusted_rand_index,
            "accuracy of the best threshold": self.sweep_accuracy,
            "points": self.n_used,
            **{f"points {where}": n for where, n in _unused(self).items() if n},
        }


@dataclass(frozen=True, eq=False)
class Decision:
    """What a network decides on the regions of its complex.

    Attributes
    ----------
    positive : (n_regions,) ndarray of bool
        Whether f > 0 at the region's interior point.
    crossed : (n_regions,) ndarray of bool
        Whether f takes both signs at the region's vertices, decided exactly.
    """

    positive: NDArray[np.bool_]
    crossed: NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class DecisionAgreement(Shown):
    """A partition against the network's own decision, the sign of f.

    Attributes
    ----------
    by_points : float
        Share of the points whose region is on the side of the network's decision at the point, up
        to the global flip; NaN without points. Regions on the cut count half, here and below.
    by_volume : float
        Share of the volume that lies in regions on the side of the decision at their interior
        point, up to the global flip. A region crossed by the decision boundary counts as a whole.
    by_regions : float
        The same for the number of regions.
    by_points_least, by_points_greatest, by_volume_least, by_volume_greatest : float
    by_regions_least, by_regions_greatest : float
        The range of each of them over all Fiedler vectors; see `LabelAgreement`.
    n_crossed : int
        Regions crossed by the decision boundary: f takes both signs at their vertices.
    cut_edges_at_boundary : float
        Fraction of the cut's edges that have a crossed region at one end at least.
    crossed_regions_at_cut : float
        Fraction of the crossed regions that are an end of a cut edge; NaN if no region is crossed.
    """

    by_points: float
    by_points_least: float
    by_points_greatest: float
    by_volume: float
    by_volume_least: float
    by_volume_greatest: float
    by_regions: float
    by_regions_least: float
    by_regions_greatest: float
    n_crossed: int
    cut_edges_at_boundary: float
    crossed_regions_at_cut: float

    def __repr__(self) -> str:
        return (
            f"DecisionAgreement({_with_range(self, 'by_points')} by points, "
            f"{_with_range(self, 'by_volume')} by volume, {self.n_crossed} regions crossed)"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "by points": _with_range(self, "by_points"),
            "by volume": _with_range(self, "by_volume"),
            "by regions": _with_range(self, "by_regions"),
            "regions crossed by the decision boundary": self.n_crossed,
            "of the cut's edges, at such regions": self.cut_edges_at_boundary,
            "of such regions, at the cut": self.crossed_regions_at_cut,
        }


def _unused(found: Any) -> dict[str, int]:
    """Return how many points do not count, by reason."""
    return {
        "outside the domain": found.n_outside,
        "between regions of both sides": found.n_on_boundary,
        "in regions that were not found": found.n_not_found,
        "in regions that the partition leaves out": found.n_off_component,
    }


def _with_range(agreement: LabelAgreement | DecisionAgreement, name: str) -> str:
    """Return an agreement in words, with its range if the partition leaves something open."""
    value, least, greatest = (getattr(agreement, name + end) for end in ("", "_least", "_greatest"))
    text = fraction(value)
    return text if not least < greatest else f"{text} ({fraction(least)} to {fraction(greatest)})"


def adjusted_rand_index(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Rand index of two partitions, corrected for chance.

    L. Hubert and P. Arabie, "Comparing partitions", J. Classification 2 (1985) 193-218,
    equation 5.

    Parameters
    ----------
    first, second : (n,) array_like
        Class of each point, n ≥ 1.

    Returns
    -------
    float
        1 for equal partitions (also when both have one class), 0 expected by chance.

    Examples
    --------
    >>> adjusted_rand_index([0, 0, 1, 1], [1, 1, 0, 0])
    1.0
    """
    from relutopo.spectral.agreement_kernels import rand_index  # loads numba

    rows, row = np.unique(np.asarray(first), return_inverse=True)
    columns, column = np.unique(np.asarray(second), return_inverse=True)
    table = np.bincount(row * len(columns) + column, minlength=len(rows) * len(columns))
    index: float = rand_index(table.reshape(len(rows), len(columns)).astype(np.float64))
    return index


def label_agreement(partition: Sides, points: ArrayLike, labels: ArrayLike) -> LabelAgreement:
    """Compare a partition with labels; see `FiedlerPartition.agreement`."""
    found = label_agreement_in(partition, settled(partition, partition.sides, points), labels)
    warn_of_unused(found)
    return found


def warn_of_unused(found: Any) -> None:
    """Warn if a tenth of the points, or more, do not count.

    Parameters
    ----------
    found : LabelAgreement or ClassAgreement
    """
    n_unused = _unused(found)
    n_points = found.n_used + sum(n_unused.values())
    if found.n_used <= (1 - _MANY) * n_points:
        reasons = ", ".join(f"{n} {where}" for where, n in n_unused.items() if n)
        warnings.warn(
            f"the agreement is that of {found.n_used} of {n_points} points: {reasons}",
            stacklevel=4,
        )


def label_agreement_in(
    partition: Sides, regions: NDArray[np.int64], labels: ArrayLike
) -> LabelAgreement:
    """Compare a partition with the labels of points whose regions are known.

    Parameters
    ----------
    partition : Sides
    regions : (n,) ndarray of int64
        Regions of the points, as from ``partition.locate``.
    labels : (n,) array_like
        Two classes.

    Raises
    ------
    InputError
        As `FiedlerPartition.agreement`.
    """
    return judged_labels(partition, regions, _two_classes(labels, regions))


def judged_labels(
    partition: Sides, regions: NDArray[np.int64], positive: NDArray[np.bool_]
) -> LabelAgreement:
    """Compare a partition with two classes of points whose regions are known.

    Parameters
    ----------
    partition : Sides
    regions : (n,) ndarray of int64
        Regions of the points, as from ``partition.locate``.
    positive : (n,) ndarray of bool
        Which points are of the class that comes second.

    Raises
    ------
    InputError
        As `judged`.
    """
    found = label_agreement_if_any(partition, regions, positive)
    if found is None:
        raise _none_judged(regions)
    return found


def label_agreement_if_any(
    partition: Sides, regions: NDArray[np.int64], positive: NDArray[np.bool_]
) -> LabelAgreement | None:
    """Return what `judged_labels` does, or None if no point lies in a region of the partition."""
    from relutopo.spectral.agreement_kernels import label_hits  # loads numba

    _check_one_each(regions, len(positive))
    ones, zeros, numbers, rand, purity, best, threshold = label_hits(
        *_for_kernels(regions, positive),
        partition._order,
        read_only(partition.vector),
        read_only(partition.sides),
        read_only(partition.component),
    )
    counts = numbers.tolist()
    n = counts[0]
    if not n:
        return None
    accuracy, least, greatest = partition.agreement_of(ones, zeros)
    return LabelAgreement(
        accuracy=accuracy,
        accuracy_least=least,
        accuracy_greatest=greatest,
        adjusted_rand_index=rand,
        purity=purity / n,
        sweep_accuracy=best / n,
        sweep_threshold=threshold,
        n_used=n,
        n_outside=counts[-OUTSIDE],
        n_on_boundary=counts[-ON_BOUNDARY],
        n_not_found=counts[-NOT_FOUND],
        n_off_component=counts[4],
    )


def _for_kernels(
    regions: NDArray[np.int64], positive: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the regions and classes of points as arrays for which kernels are compiled."""
    points = np.ascontiguousarray(regions, dtype=np.int64), np.ascontiguousarray(positive)
    return read_only(points[0]), read_only(points[1])


def decision_of_regions(complex_: Cells) -> Decision:
    """Return the network's decision on each region of a complex.

    Raises
    ------
    InputError
        If the network has more than two outputs.
    """
    from relutopo.geometry.kernels import extremes_over_facets  # loads numba

    low = high = decision_signs(complex_)
    for lists in complex_.facets:
        low, high = extremes_over_facets(*for_kernels(lists), low, high)
    above = high > 0
    crossed = above & (low < 0)
    positive = above.copy()
    inside = complex_.interior_points_of(np.flatnonzero(crossed))
    positive[crossed] = complex_.network.decision_values(inside) > 0
    return Decision(positive, crossed)


def decision_agreement(
    partition: Sides,
    points: ArrayLike | None = None,
    *,
    regions: NDArray[np.int64] | None = None,
    decision: Decision | None = None,
    positive: NDArray[np.bool_] | None = None,
) -> DecisionAgreement:
    """Compare a partition with the network; see `FiedlerPartition.decision_agreement`.

    Parameters
    ----------
    partition : Sides
    points : (n, d) array_like, optional
    regions : (n,) ndarray of int64, optional
        Regions of the points, as from ``partition.locate``, if known already.
    decision : Decision, optional
        Of the partition's complex, if known already.
    positive : (n,) ndarray of bool, optional
        Whether f > 0 at the points, if known already.
    """
    from relutopo.spectral import agreement_kernels as kernels  # loads numba

    complex_ = partition.complex
    if decision is None:
        decision = decision_of_regions(complex_)
    by_points = (np.nan, np.nan, np.nan)
    if points is not None:
        regions = settled(partition, partition.sides, points, regions)
        if positive is None:
            positive = complex_.network.decision_values(points) > 0
        ones, zeros, _ = kernels.masses_of_points(
            *_for_kernels(regions, positive), read_only(partition.component)
        )
        by_points = partition.agreement_of(ones, zeros)
    above, below, n_above, n_below = kernels.masses_of_decision(
        read_only(decision.positive), read_only(complex_.volumes)
    )
    n_crossed, n_cut, n_cut_at_crossed, n_crossed_at_cut = kernels.at_the_cut(
        read_only(partition.graph.edges.astype(np.int32, copy=False)),
        *map(read_only, (partition.sides, partition.component, decision.crossed)),
    )
    return DecisionAgreement(
        *by_points,
        *partition.agreement_of(above, below),
        *partition.agreement_of(n_above, n_below),
        n_crossed=n_crossed,
        cut_edges_at_boundary=n_cut_at_crossed / n_cut if n_cut else np.nan,
        crossed_regions_at_cut=n_crossed_at_cut / n_crossed if n_crossed else np.nan,
    )


def settled(
    partition: Divided,
    sides: NDArray[Any],
    points: ArrayLike,
    regions: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return the region of each point; a point between regions of one side gets one of these.

    A point lies in the closure of a region if, and only if, the region's pattern agrees with the
    signs of all neurons that are not zero at the point: zeros add nothing to later layers.

    Parameters
    ----------
    partition : Divided
    sides : (n_nodes,) ndarray
        The side, or part, of each node; 0 for none.
    points : (n, d) array_like
    regions : (n,) ndarray of int64, optional
        Regions of the points, as from ``partition.locate``, if known already.

    Returns
    -------
    (n,) ndarray of int64
        As `regions`, except that points between regions of one side are in the first of these.
    """
    regions = partition.locate(points) if regions is None else regions
    is_between = regions == ON_BOUNDARY
    if partition.graph.complex is None or not is_between.any():
        return regions
    between = np.flatnonzero(is_between)
    complex_ = partition.complex
    signs = complex_.network.signs(as_points(points, complex_.dim)[between])
    masks, wanted = pack_patterns(signs != 0), pack_patterns(signs > 0)
    result = regions.copy()
    for row, mask, bits in zip(between, masks, wanted, strict=True):
        around = np.flatnonzero(((complex_.packed_patterns & mask) == bits).all(axis=1))
        met = np.unique(sides[around])
        if len(met) == 1 and met[0] != 0 and partition.component[around].all():
            result[row] = around[0]
    return result


def in_component(partition: Divided, regions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which points lie in a region of the partition's component.

    Parameters
    ----------
    partition : Divided
    regions : (n,) ndarray of int64
        Regions of the points, as from ``partition.locate``.

    Returns
    -------
    (n,) ndarray of bool
    """
    used = regions >= 0
    used[used] = partition.component[regions[used]]
    return used


def judged(partition: Divided, regions: NDArray[np.int64], n_labels: int) -> NDArray[np.bool_]:
    """Tell which points lie in the partition's component, after checking points and labels.

    Parameters
    ----------
    partition : Divided
    regions : (n,) ndarray of int64
        Regions of the points, as from ``partition.locate``.
    n_labels : int

    Raises
    ------
    InputError
        If there are not as many labels as points, or no point lies in the component.
    """
    _check_one_each(regions, n_labels)
    used = in_component(partition, regions)
    if not used.any():
        raise _none_judged(regions)
    return used


def _check_one_each(regions: NDArray[np.int64], n_labels: int) -> None:
    if len(regions) != n_labels:
        raise InputError(
            f"`labels` must have one entry for each of the {len(regions)} points, got "
            f"{n_labels}; pass points and labels of the same set"
        )


def _none_judged(regions: NDArray[np.int64]) -> InputError:
    return InputError(
        f"`points` must have a point in a region of the partition, got none in "
        f"{len(regions)}; widen the domain, for example Box.around(points)"
    )


def _two_classes(labels: ArrayLike, regions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which labels of points in these regions are the greater one of the two."""
    classes, codes = as_labels(labels)
    _check_one_each(regions, len(codes))
    if len(classes) != 2:
        raise InputError(
            f"`labels` must have exactly two classes, got {len(classes)}: "
            f"{', '.join(map(str, classes[:5].tolist()))}{', ...' if len(classes) > 5 else ''}; "
            "a Fiedler partition has two sides, for more take relutopo.spectral_partition"
        )
    greater: NDArray[np.bool_] = codes == 1
    return greater
