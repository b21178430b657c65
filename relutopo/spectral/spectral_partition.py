"""The spectral partition of a dual graph into k parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, frozen
from relutopo.reports.shown import Shown
from relutopo.spectral.accuracy import RESOLVED
from relutopo.spectral.class_agreement import (
    ClassAgreement,
    ClassDecisionAgreement,
    class_agreement,
    class_decision_agreement,
)
from relutopo.spectral.dual_graph import DualGraph, OfGraph
from relutopo.spectral.given_graph import nodes_of
from relutopo.spectral.table import partition_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SpectralPartition"]


@dataclass(frozen=True, eq=False)
class SpectralPartition(OfGraph, Frozen, Shown):
    """The parts into which the first eigenvectors divide the regions.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    parts : (n_nodes,) ndarray of int64
        The part of each node, 0..k - 1; parts are numbered in the order of their first nodes. -1
        for nodes *on the cut*, whose part the error leaves open, and for nodes outside `component`.
    k : int
        The number of parts that were asked for.
    values : (k - 1,) ndarray
        The smallest non-zero λ of L x = λ W_V x, ascending.
    next_value : float
        The value after them, or a number known to be no larger; inf if the graph has k nodes.
    vectors : (n_nodes, k - 1) ndarray
        The eigenvectors of `values`, orthonormal in W_V; NaN outside `component`.
    error : float
        Bound of the distance of a unit vector in the span of `vectors` and the constants from the
        true space, in the norm of W_V.
    component : (n_nodes,) ndarray of bool
        The nodes that are partitioned: all of them, unless the largest component of a
        disconnected graph was asked for.
    rounding : str
        The strategy that turned the vectors into parts, with its options.
    residuals : (k - 1,) ndarray
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖) of each pair.
    iterations : int
        Of the eigensolver.
    seconds : float
        Wall-clock time of the eigensolver and of rounding.
    method : str
        The method that ran.
    status : {"converged"}
        Of the eigensolver; no partition is made if it does not converge.
    graph : DualGraph
        The graph.
    counts : (n_nodes,) ndarray of int64
        Data points in each region.
    n_outside : int
        Data points outside the domain.
    n_on_boundary : int
        Data points on a facet between regions.
    n_not_found : int
        Data points in regions that a partial search did not find.
    vertex_weights : (n_nodes,) ndarray
        Diagonal of W_V.
    edge_weights : (n_edges,) ndarray
        Diagonal of W_E.
    """

    parts: NDArray[np.int64]
    k: int
    values: NDArray[np.float64]
    next_value: float
    vectors: NDArray[np.float64]
    error: float
    component: NDArray[np.bool_]
    rounding: str
    residuals: NDArray[np.float64]
    iterations: int
    seconds: float
    method: str
    status: Literal["converged"]
    graph: DualGraph
    counts: NDArray[np.int64]
    n_outside: int
    n_on_boundary: int
    n_not_found: int
    vertex_weights: NDArray[np.float64]
    edge_weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        names = ("parts", "values", "vectors", "component", "residuals", "counts")
        for name in (*names, "vertex_weights", "edge_weights"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        nodes = nodes_of(self.graph)
        on_cut = f", {self.n_open} on the cut" if self.n_open else ""
        unique = "" if self.is_unique else ", one of many"
        return (
            f"SpectralPartition({' + '.join(map(str, self.sizes.tolist()))} {nodes}{on_cut}, "
            f"separation={self.separation:.3g}, {self.method}, {self.rounding}{unique})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "parts": self.k,
            "regions in them": tuple(self.sizes.tolist()),
            "regions on the cut": self.n_open,
            "points in them": tuple(self.masses.tolist()),
            "separation": self.separation,
            "unique": self.is_unique,
            "method": self.method,
        }

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many regions each part has, (k,)."""
        return np.bincount(self.parts[self.parts >= 0], minlength=self.k)

    @property
    def masses(self) -> NDArray[np.int64]:
        """How many of the counted data points each part has, (k,)."""
        is_in = self.parts >= 0
        return np.bincount(self.parts[is_in], self.counts[is_in], self.k).astype(np.int64)

    @property
    def n_open(self) -> int:
        """How many regions are on the cut."""
        return int((self.component & (self.parts < 0)).sum())

    @property
    def separation(self) -> float:
        """λ_k / λ_{k+1}, in [0, 1], counted from λ₁ = 0: small if the graph has k groups.

        Near 1, the k-th vector is no better than the one after it: nothing speaks for k parts.
        """
        return float(self.values[-1] / self.next_value)

    @property
    def is_unique(self) -> bool:
        """Whether the gap after the last value determines the space that the parts come from."""
        return self.error <= RESOLVED

    @property
    def cut_edges(self) -> NDArray[np.int64]:
        """Edges of the graph whose ends are not in the same part, (n_cut, 2).

        A region on the cut is in no part, so its edges to all parts are included.
        """
        low, high = self.parts[self.graph.edges].T
        cut: NDArray[np.int64] = self.graph.edges[low != high]
        return cut

    def table(
        self, points: ArrayLike | None = None, labels: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return a table with a row for each region: its part, and the points in it.

        ``relutopo.columns("parts_table")`` explains the columns. The rows are in the order of
        `CellComplex.regions_table`, so the two tables can be joined.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points to count in each region; by default those that gave the vertex weights.
        labels : (n,) array_like, optional
            Labels of the points: classes of any kind and number, whose shares are given for each
            region, or values, whose mean is given.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        InputError
            If points and labels do not fit together, or labels are given without points.

        Examples
        --------
        >>> import numpy as np
        >>> import relutopo as rt
        >>> kinks = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
        >>> x = np.array([[-0.9], [-0.8], [0.0], [0.1], [0.8]])
        >>> graph = rt.decompose(kinks, rt.Box(-1, 1), enumerator="exact").dual_graph()
        >>> rt.spectral_partition(graph, x, k=3).table()[["part", "n_points"]].values.tolist()
        [[0, 2], [1, 2], [2, 1]]
        """
        vectors = {f"vector_{i}": column for i, column in enumerate(self.vectors.T, 1)}
        return partition_table(self, {"part": self.parts, **vectors}, points, labels)

    def agreement(self, points: ArrayLike, labels: ArrayLike) -> ClassAgreement:
        """Compare the parts with the labels of points, training or held out.

        Points between regions count if these are all in one part. A warning says so if a tenth of
        the points, or more, do not count.

        Parameters
        ----------
        points : (n, d) array_like
        labels : (n,) array_like
            Of any kind, and of any number of classes.

        Returns
        -------
        ClassAgreement

        Raises
        ------
        InputError
            If there are not as many labels as points, or no point lies in a region of the
            partition.

        Examples
        --------
        >>> import numpy as np
        >>> import relutopo as rt
        >>> kinks = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
        >>> x = np.array([[-0.9], [-0.8], [0.0], [0.1], [0.8], [0.9]])
        >>> graph = rt.decompose(kinks, rt.Box(-1, 1), enumerator="exact").dual_graph()
        >>> part = rt.spectral_partition(graph, x, k=3)
        >>> part.agreement(x, ["low", "low", "mid", "mid", "high", "high"]).accuracy
        1.0
        """
        return class_agreement(self, points, labels)

    def decision_agreement(self, points: ArrayLike | None = None) -> ClassDecisionAgreement:
        """Compare the parts with the network's own decision, the largest of its outputs.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points at which the decision is compared, besides whole regions.

        Returns
        -------
        ClassDecisionAgreement

        Raises
        ------
        InputError
            If the graph has no complex.
        """
        return class_decision_agreement(self, points)
