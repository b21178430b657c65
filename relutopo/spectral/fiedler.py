"""The Fiedler partition of a dual graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, freeze, frozen
from relutopo.reports.shown import Shown
from relutopo.spectral.accuracy import entry_bounds
from relutopo.spectral.agreement import (
    DecisionAgreement,
    LabelAgreement,
    decision_agreement,
    label_agreement,
)
from relutopo.spectral.dual_graph import DualGraph, OfGraph
from relutopo.spectral.given_graph import nodes_of
from relutopo.spectral.ranges import range_in_space
from relutopo.spectral.sweep import SweepCut, sweep_cut
from relutopo.spectral.table import partition_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FiedlerPartition"]


@dataclass(frozen=True, eq=False)
class FiedlerPartition(OfGraph, Frozen, Shown):
    """The two sides into which the Fiedler vector divides the regions.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    value : float
        Fiedler value λ₂: the smallest non-zero λ of L x = λ W_V x.
    vector : (n_nodes,) ndarray
        Fiedler vector x, with xᵀ W_V x = 1; NaN on nodes outside `component`. If the value is
        multiple, one of many: the vector of the eigenspace closest to the first input coordinate
        of the regions' centroids; if that has no component in the space, to the second, and so on.
    sides : (n_nodes,) ndarray of int8
        1 where the vector is positive, -1 where it is negative, and 0 on regions that are *on the
        cut*: their entry is no larger than its error bound, so its sign is open. Nodes outside
        `component` have 0, too.
    eigenspace : (n_nodes, m) ndarray
        W_V-orthonormal basis of the eigenvectors of the value; m is 1 unless the value is multiple
        as far as double precision tells. NaN outside `component`.
    error : float
        Bound of the distance of the vector from an eigenvector, in the norm of W_V: entry i is off
        by at most this over the root of its vertex weight, plus rounding. It is at most 1e-3; if
        `is_multiplicity_known` is False it is set to that number, and bounds nothing.
    gap : float
        (λ₃ - λ₂) / λ₂, the relative distance to the next eigenvalue, counted with multiplicity. It
        may be a tenth too small, and smaller still where it exceeds 1e9. inf if the graph has two
        nodes.
    is_gap_proved : bool
        Whether it is proved, rounding included, that the gap is no smaller and that no eigenvalue
        was missed: by all eigenvalues of a small graph, or by the pivots of L - σ W_V if computing
        these takes little time beside the solution. Otherwise the gap is an estimate, which may
        also be a tenth too large.
    is_multiplicity_known : bool
        Whether the eigenspace is complete; otherwise its dimension may be larger.
    component : (n_nodes,) ndarray of bool
        The nodes that are partitioned: all of them, unless the largest component of a
        disconnected graph was asked for.
    residual : float
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖).
    iterations : int
        Of the eigensolver.
    seconds : float
        Wall-clock time of the eigensolver. Includes its preparation, unless a `Partitioner` had
        done that for an earlier partition.
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

    value: float
    vector: NDArray[np.float64]
    sides: NDArray[np.int8]
    eigenspace: NDArray[np.float64]
    error: float
    gap: float
    is_gap_proved: bool
    is_multiplicity_known: bool
    component: NDArray[np.bool_]
    residual: float
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
        names = ("vector", "sides", "eigenspace", "component", "counts")
        for name in (*names, "vertex_weights", "edge_weights"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    def __repr__(self) -> str:
        on_cut = f", {self.n_open} on the cut" if self.n_open else ""
        words = f", {self.uniqueness}" if self.multiplicity > 1 else ""
        return (
            f"FiedlerPartition(value={self.value:.6g}, {int((self.sides > 0).sum())} + "
            f"{int((self.sides < 0).sum())} {nodes_of(self.graph)}{on_cut}, {self.method}{words})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "Fiedler value": self.value,
            "gap": self.gap,
            "sides": [int((self.sides == side).sum()) for side in (1, -1)],
            "on the cut": self.n_open,
            "uniqueness": self.uniqueness,
            "edges that are cut": len(self.cut_edges),
            "points in regions": int(self.counts.sum()),
            "points outside, between regions": (self.n_outside, self.n_on_boundary),
            "graph": self.graph,
            "eigensolver": self.method,
        }

    @property
    def multiplicity(self) -> int:
        """Dimension of the eigenspace of the value, as far as can be told."""
        return int(self.eigenspace.shape[1])

    @cached_property
    def n_open(self) -> int:
        """How many regions are on the cut."""
        return int(self._is_open.sum())

    @property
    def open_mass(self) -> float:
        """Share of the counted data points that lie in regions on the cut; NaN without points."""
        total = int(self.counts[self.component].sum())
        if not total:
            return np.nan
        return float(self.counts[self._is_open].sum() / total) if self.n_open else 0.0

    @property
    def uniqueness(self) -> str:
        """Whether the partition is the only one, in words."""
        if self.multiplicity == 1:
            return "one Fiedler vector"
        if not self.is_multiplicity_known:
            return (
                f"one of many: double precision does not tell the first {self.multiplicity} "
                "eigenvectors apart"
            )
        return f"one of many: a {self.multiplicity}-fold Fiedler value"

    @property
    def _is_open(self) -> NDArray[np.bool_]:
        is_open: NDArray[np.bool_] = self.component & (self.sides == 0)
        return is_open

    def agreement_range(
        self, positive: NDArray[Any], negative: NDArray[Any]
    ) -> tuple[float, float]:
        """Return the least and the greatest agreement that any Fiedler vector may have.

        The agreement is the share of a mass that lies on the side where it belongs, up to the
        global flip. Regions on the cut may be on either side. For a double value all vectors are
        examined; for a higher multiplicity those of 64 planes in the eigenspace, so that the true
        interval may be wider.

        Parameters
        ----------
        positive, negative : (n_nodes,) ndarray
            Mass in each region that belongs on the positive, and on the negative side; ≥ 0.

        Returns
        -------
        (float, float)
            NaN if there is no mass in `component`.

        Examples
        --------
        >>> from relutopo import fiedler_partition
        >>> path = DualGraph(3, np.array([[0, 1], [1, 2]]), np.array([-1, -1]), "hamming")
        >>> part = fiedler_partition(path, vertex_weights="unweighted")
        >>> part.sides.tolist(), part.n_open
        ([1, 0, -1], 1)
        >>> part.agreement_range(np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 2.0]))
        (0.75, 1.0)
        """
        masses = (np.ascontiguousarray(x, dtype=np.float64) for x in (positive, negative))
        return self.agreement_of(*masses)[1:]

    def agreement_of(
        self, positive: NDArray[np.float64], negative: NDArray[np.float64]
    ) -> tuple[float, float, float]:
        """Return the agreement, with regions on the cut half on either side, and `agreement_range`.

        Parameters
        ----------
        positive, negative : (n_nodes,) ndarray of float64
            As for `agreement_range`, contiguous.
        """
        from relutopo.spectral.agreement_kernels import agreement_on_sides  # loads numba

        nodes = self.component
        share, least, greatest = agreement_on_sides(self.sides, nodes, positive, negative)
        if self.multiplicity > 1 and not isnan(share):
            others = range_in_space(*self._possible, positive[nodes], negative[nodes])
            least, greatest = min(least, others[0]), max(greatest, others[1])
        return share, least, greatest

    @cached_property
    def _possible(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Eigenspace, vector and how far entries may be off, in the component."""
        nodes = self.component
        vector = self.vector[nodes]
        bounds = entry_bounds(self.vertex_weights[nodes], vector, self.error)
        return self.eigenspace[nodes], vector, bounds

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """The nodes by their entries of the vector, ascending, and those of no component last."""
        return freeze(np.argsort(self.vector))

    @property
    def cut_edges(self) -> NDArray[np.int64]:
        """Edges of the graph whose ends are not on the same side, (n_cut, 2).

        A region on the cut is on neither side, so its edges to both sides are included.
        """
        # No edge leaves a component, so nodes outside it are at no edge of the cut.
        low, high = self.sides[self.graph.edges].T
        cut: NDArray[np.int64] = self.graph.edges[low != high]
        return cut

    def table(
        self, points: ArrayLike | None = None, labels: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return a table with a row for each region: its part, and the points in it.

        ``relutopo.columns("partition_table")`` explains the columns. The rows are in the order of
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
        >>> from relutopo import Box, decompose, fiedler_partition
        >>> step = ([[[1.0]], [[1.0]]], [[0.0], [-0.5]])  # one kink, at 0
        >>> x = np.array([[-0.5], [0.25], [0.5], [0.75]])
        >>> graph = decompose(step, Box(-1, 1, dim=1), enumerator="exact").dual_graph()
        >>> table = fiedler_partition(graph, x).table(x, ["cat", "cat", "dog", "dog"])
        >>> print(table[["part", "n_points", "share_dog", "is_crossed"]].round(3))
           part  n_points  share_dog  is_crossed
        0     1         1      0.000       False
        1    -1         3      0.667        True
        """
        of_nodes: dict[str, NDArray[Any]] = {"part": self.sides, "fiedler": self.vector}
        return partition_table(self, of_nodes, points, labels)

    def agreement(self, points: ArrayLike, labels: ArrayLike) -> LabelAgreement:
        """Compare the sides with the labels of points, training or held out.

        Points between regions count if these are all on one side. A warning says so if a tenth of
        the points, or more, do not count.

        Parameters
        ----------
        points : (n, d) array_like
        labels : (n,) array_like
            Two classes, for example {0, 1}, {-1, 1} or bool.

        Returns
        -------
        LabelAgreement

        Raises
        ------
        InputError
            If there are not two classes, not as many labels as points, or no point in a region of
            the partition.

        Examples
        --------
        >>> import numpy as np
        >>> from relutopo import Box, decompose, fiedler_partition
        >>> step = ([[[1.0]], [[1.0]]], [[0.0], [-0.5]])  # one kink, at 0
        >>> x = np.array([[-0.5], [-0.25], [0.5], [0.75]])
        >>> graph = decompose(step, Box(-1, 1, dim=1), enumerator="exact").dual_graph()
        >>> fiedler_partition(graph, x).agreement(x, [0, 0, 1, 1]).accuracy
        1.0
        """
        return label_agreement(self, points, labels)

    def decision_agreement(self, points: ArrayLike | None = None) -> DecisionAgreement:
        """Compare the sides with the network's own decision, the sign of `decision_values`.

        Parameters
        ----------
        points : (n, d) array_like, optional
            Points at which the decision is compared, besides whole regions; points outside the
            domain and on facets are left out.

        Returns
        -------
        DecisionAgreement

        Raises
        ------
        InputError
            If the graph has no complex, or the network has more than two outputs.
        """
        return decision_agreement(self, points)

    def sweep_cut(self) -> SweepCut:
        """Return the cut of least conductance along the Fiedler vector.

        With m(S) the vertex weight of a set and w(∂S) the weight of the edges that leave it, the
        conductance is φ(S) = w(∂S) / min(m(S), m(rest)). The best threshold satisfies the Cheeger
        inequality λ / 2 ≤ φ ≤ sqrt(2 λ Δ) with Δ = max_u (Σ_v w_uv) / W_V(u, u). (F. R. K. Chung,
        Spectral Graph Theory, AMS 1997, lemma 2.1 and theorem 2.2, where W_V is the degree and
        Δ = 1; the proof carries over.)

        Returns
        -------
        SweepCut
        """
        return sweep_cut(self)
