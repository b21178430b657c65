"""The Fiedler partition of a dual graph."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo import registry
from relutopo.arrays import Frozen, frozen, read_only
from relutopo.checks import check_seed
from relutopo.errors import (
    DisconnectedGraphError,
    InputError,
    NoFiedlerVectorError,
    NotConvergedError,
    NotUniqueWarning,
)
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE, Cells
from relutopo.geometry.location import NOT_FOUND
from relutopo.interfaces import (
    EigenResult,
    Eigensolver,
    PreparedLaplacian,
    checked_eigenpair,
    checked_preparation,
    refused_record,
)
from relutopo.spectral.accuracy import entry_bounds, open_signs
from relutopo.spectral.agreement import (
    DecisionAgreement,
    LabelAgreement,
    SweepCut,
    decision_agreement,
    label_agreement,
    sweep_cut,
)
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.eigenspace import Eigenspace, canonical_vector, eigenspace
from relutopo.spectral.given_graph import (
    GivenEdges,
    GivenGraph,
    GivenNodes,
    OwnWeights,
    as_graph,
    edge_numbers,
    node_weights,
)
from relutopo.spectral.laplacian import Pencil, pencil
from relutopo.spectral.ranges import agreement_range
from relutopo.spectral.table import partition_table
from relutopo.spectral.weights import EdgeWeights, UnitEdges, VertexWeights
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FiedlerPartition", "FiedlerPartitioner", "fiedler_partition"]


@dataclass(frozen=True, eq=False)
class FiedlerPartition(Frozen):
    """The two sides into which the Fiedler vector divides the regions.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    value : float
        Fiedler value λ₂: the smallest non-zero λ of L x = λ W_V x.
    vector : (n_nodes,) ndarray
        Fiedler vector x, with xᵀ W_V x = 1; NaN on nodes outside `component`. If the value is
        multiple, one of many: that which goes along with the first input coordinate (of the
        regions' centroids) as far as any does, else with the second, and so on.
    sides : (n_nodes,) ndarray of int8
        1 where the vector is positive, -1 where it is negative, and 0 on regions that are *on the
        cut*: where the entry is no larger than `error` allows it to be off, so that nothing decides
        on a side. Nodes outside `component` have 0, too.
    eigenspace : (n_nodes, m) ndarray
        W_V-orthonormal basis of the eigenvectors of the value; m is 1 unless it is multiple, as
        far as double precision tells. NaN outside `component`.
    error : float
        Bound of how far the vector is from an eigenvector, in the norm of W_V: entry i is off by
        at most this over the root of its vertex weight, and rounding.
    gap : float
        (λ₃ - λ₂) / λ₂, how much larger the next eigenvalue is, counted with its multiplicity; up
        to a tenth of it may be missing, and more where it exceeds 1e9. inf if the graph has two
        nodes.
    is_multiplicity_known : bool
        Whether the eigenspace is all there is; otherwise its dimension may be larger.
    component : (n_nodes,) ndarray of bool
        The nodes that are partitioned: all of them, unless the largest component of a
        disconnected graph was asked for.
    residual : float
        ‖L x - λ W_V x‖ / (λ ‖W_V x‖).
    iterations : int
        Of the eigensolver.
    seconds : float
        Wall-clock time of the eigensolver, with its preparation unless a `FiedlerPartitioner`
        prepared for an earlier partition.
    method : str
        The method that ran.
    status : {"converged"}
        The eigensolver's; a partition that did not converge is not made.
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
            f"{int((self.sides < 0).sum())} {_nodes_of(self.graph)}{on_cut}, {self.method}{words})"
        )

    @property
    def multiplicity(self) -> int:
        """How many independent eigenvectors belong to the value, as far as can be told."""
        return int(self.eigenspace.shape[1])

    @property
    def n_open(self) -> int:
        """How many regions are on the cut."""
        return int(self._is_open.sum())

    @property
    def open_mass(self) -> float:
        """Share of the counted data points that lie in regions on the cut; NaN without points."""
        total = int(self.counts[self.component].sum())
        return float(self.counts[self._is_open].sum() / total) if total else np.nan

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

        The agreement is the share of a mass on the side where it belongs, up to the global flip.
        Regions on the cut may be on any side. Of a multiple value all vectors are looked at, if it
        is double; if it is more than that, those of 64 planes in their space, so that the true
        interval may be wider.

        Parameters
        ----------
        positive, negative : (n_nodes,) ndarray
            Mass in each region that belongs on the positive, and on the negative side; from 0.

        Returns
        -------
        (float, float)
            NaN if there is no mass in `component`.

        Examples
        --------
        >>> path = DualGraph(3, np.array([[0, 1], [1, 2]]), np.array([-1, -1]), "hamming")
        >>> part = fiedler_partition(path, vertex_weights="unweighted")
        >>> part.sides.tolist(), part.n_open
        ([1, 0, -1], 1)
        >>> part.agreement_range(np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 2.0]))
        (0.75, 1.0)
        """
        nodes = self.component
        weights = self.vertex_weights[nodes]
        return agreement_range(
            self.sides[nodes],
            self.eigenspace[nodes],
            self.vector[nodes],
            entry_bounds(weights, self.vector[nodes], self.error),
            positive[nodes],
            negative[nodes],
        )

    @property
    def complex(self) -> Cells:
        """The complex of the graph.

        Raises
        ------
        InputError
            If the graph has none.
        """
        return _complex_of(self.graph)

    @property
    def cut_edges(self) -> NDArray[np.int64]:
        """Edges of the graph whose ends are not on the same side, (n_cut, 2).

        A region on the cut is on none, so that its edges to either side are among these.
        """
        # No edge leaves a component, so that nodes outside are at no edge of the cut.
        low, high = self.sides[self.graph.edges].T
        cut: NDArray[np.int64] = self.graph.edges[low != high]
        return cut

    def locate(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the region of each point; see `DualGraph.locate`."""
        return self.graph.locate(points)

    def table(
        self, points: ArrayLike | None = None, labels: ArrayLike | None = None
    ) -> pd.DataFrame:
        """Return a table with a row for each region: its part, and the points in it.

        Its columns are explained by ``relutopo.columns("partition_table")``; its rows are those of
        `CellComplex.regions_table`, beside which it can be set.

        Parameters
        ----------
        points : (n, d) array_like, optional
            To be counted by region; by default those that weigh the partition.
        labels : (n,) array_like, optional
            Of the points: classes of any number and kind, of which each region has shares, or
            values, of which it has a mean.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        InputError
            If points and labels do not fit, or there are labels alone.

        Examples
        --------
        >>> from relutopo import Box, decompose
        >>> step = ([[[1.0]], [[1.0]]], [[0.0], [-0.5]])  # one kink, at 0
        >>> x = np.array([[-0.5], [0.25], [0.5], [0.75]])
        >>> graph = decompose(step, Box(-1, 1, dim=1), enumerator="exact").dual_graph()
        >>> table = fiedler_partition(graph, x).table(x, ["cat", "cat", "dog", "dog"])
        >>> print(table[["part", "n_points", "share_dog", "is_crossed"]].round(3))
           part  n_points  share_dog  is_crossed
        0     1         1      0.000       False
        1    -1         3      0.667        True
        """
        return partition_table(self, self.counts, points, labels)

    def agreement(self, points: ArrayLike, labels: ArrayLike) -> LabelAgreement:
        """Compare the sides with the labels of points, training or held out.

        Points between regions count if these are all on one side. A warning tells where a tenth of
        the points or more do not count.

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
            If the labels do not have two classes or another length than the points, or no point
            lies in a region of the partition.

        Examples
        --------
        >>> import numpy as np
        >>> from relutopo import Box, decompose
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
            Where the decision counts, beside that on whole regions; points outside the domain and
            on facets are left out.

        Returns
        -------
        DecisionAgreement

        Raises
        ------
        InputError
            If the graph has no complex, or the network more than two outputs.
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


def fiedler_partition(
    graph: Any,
    points: ArrayLike | None = None,
    *,
    vertex_weights: str | VertexWeights | ArrayLike | Mapping[Any, float] | None = None,
    edge_weights: str | EdgeWeights | ArrayLike | None = None,
    eigensolver: str | Eigensolver = "auto",
    component: Literal["largest"] | None = None,
    seed: int = 0,
) -> FiedlerPartition:
    """Divide the regions, or the nodes of any graph, in two by the sign of the Fiedler vector.

    M. Fiedler, "A property of eigenvectors of nonnegative symmetric matrices and its application
    to graph theory", Czechoslovak Math. J. 25 (1975) 619-633; with vertex weights that count data
    points, Bosca et al., arXiv:2510.12700.

    Parameters
    ----------
    graph : DualGraph, or any graph
        Usually ``complex_.dual_graph()``, for which the complex may stand. Others are what
        `as_graph` takes: a NetworkX graph, a symmetric sparse matrix or array. Of their partitions
        value, vector, sides, cut and gap have the usual meaning; there are no points and no
        complex, so that counts are 0 and agreements refused. ``part.graph.names`` and
        ``part.table()`` have the names of the nodes.
    points : (n, d) array_like, optional
        Data points. Those outside the domain or on a facet between regions are counted apart.
    vertex_weights : str, VertexWeights, (n_nodes,) array_like or mapping, optional
        Registry name or instance, or numbers of the nodes, by their names in a mapping. By default
        "count_plus_one", which needs points; "unweighted" for a graph of one's own.
    edge_weights : str, EdgeWeights or (n_edges,) array_like, optional
        Registry name or instance, or numbers in the order of ``graph.edges``. By default "unit"; a
        graph of one's own keeps its weights.
    eigensolver : str or Eigensolver, default "auto"
        Registry name or instance.
    component : {None, "largest"}
        What to do with a disconnected graph: refuse it, or partition its largest component (the
        first of several).
    seed : int, default 0
        Seed of the eigensolver's random start.

    Returns
    -------
    FiedlerPartition

    Raises
    ------
    NoFiedlerVectorError
        If the graph (or its largest component) has one node.
    DisconnectedGraphError
        If the graph has several components and `component` is None.
    NotConvergedError
        If the eigensolver stops before its tolerance.
    BackendError
        If the eigensolver returns what is no eigenpair, or another residual than the true one.
    InputError
        If the points have the wrong shape, none lies in a region, or they are missing.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    >>> graph = decompose(lines, Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> part = fiedler_partition(graph, vertex_weights="unweighted")
    >>> round(part.value, 9), part.method  # a path of three regions
    (1.0, 'dense')
    >>> fiedler_partition([[0, 2, 0], [2, 0, 1], [0, 1, 0]]).cut_edges.tolist()
    [[1, 2]]
    """
    partitioner = FiedlerPartitioner(
        graph, points, eigensolver=eigensolver, component=component, seed=seed
    )
    return partitioner.partition(vertex_weights, edge_weights)


class FiedlerPartitioner:
    """Fiedler partitions of one graph with different weights.

    Each is the one that `fiedler_partition` gives, but what they have in common is computed once:
    where the points lie, and all that the eigensolver prepares for the Laplacian, as long as the
    edge weights stay the same. This keeps the last preparation, for `arpack` a factorisation, and
    no more.

    Parameters
    ----------
    graph : DualGraph, or any graph
    points : (n, d) array_like, optional
    eigensolver : str or Eigensolver, default "auto"
    component : {None, "largest"}
    seed : int, default 0
        All as for `fiedler_partition`.

    Raises
    ------
    InputError
        If the points have the wrong shape, or the seed is no integer from 0.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    >>> graph = decompose(lines, Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> partitioner = FiedlerPartitioner(graph, [[0.0, 0.0]])
    >>> [round(partitioner.partition(w).value, 9) for w in ("unweighted", "count_plus_one")]
    [1.0, 1.0]
    """

    @in_words("take a smaller graph")
    @deliver_interrupts
    def __init__(
        self,
        graph: Any,
        points: ArrayLike | None = None,
        *,
        eigensolver: str | Eigensolver = "auto",
        component: Literal["largest"] | None = None,
        seed: int = 0,
    ) -> None:
        self._seed = check_seed(seed)
        self._solver: Eigensolver = registry.create("eigensolver", eigensolver)
        self._graph = as_graph(graph)
        self._component = component
        self._regions = None if points is None else self._graph.locate(points)
        self._last: _Prepared | None = None

    @in_words("take a smaller graph")
    @deliver_interrupts
    def partition(
        self,
        vertex_weights: str | VertexWeights | ArrayLike | Mapping[Any, float] | None = None,
        edge_weights: str | EdgeWeights | ArrayLike | None = None,
    ) -> FiedlerPartition:
        """Return the partition for some weights; see `fiedler_partition`."""
        graph = self._graph
        weighting = _of_nodes(graph, vertex_weights)
        regions = _known_regions(self._regions, weighting)
        counts = np.bincount(regions[regions >= 0], minlength=graph.n_nodes)
        members = _members(graph, self._component)
        system = pencil(graph, counts, weighting, _of_edges(graph, edge_weights))
        begin = time.perf_counter()
        found = self._eigenspace(system, members)
        seconds = time.perf_counter() - begin
        weights = system.vertex_weights[members]
        inner = found.basis[:, 0]
        if found.basis.shape[1] > 1:
            inner = _canonical(found.basis, weights, graph, members)
        vector = np.full(graph.n_nodes, np.nan)
        vector[members] = inner
        space = np.full((graph.n_nodes, found.basis.shape[1]), np.nan)
        space[members] = found.basis
        sides = np.zeros(graph.n_nodes, dtype=np.int8)
        sides[members] = np.where(open_signs(weights, inner, found.error), 0, np.sign(inner))
        part = FiedlerPartition(
            value=found.value,
            vector=vector,
            sides=sides,
            eigenspace=space,
            error=found.error,
            gap=found.gap,
            is_multiplicity_known=found.is_whole,
            component=members,
            residual=found.residual,
            iterations=found.result.iterations,
            seconds=seconds,
            method=found.result.method,
            status="converged",
            graph=graph,
            counts=counts,
            n_outside=int(np.sum(regions == OUTSIDE)),
            n_on_boundary=int(np.sum(regions == ON_BOUNDARY)),
            n_not_found=int(np.sum(regions == NOT_FOUND)),
            vertex_weights=system.vertex_weights,
            edge_weights=system.edge_weights,
        )
        if part.multiplicity > 1:
            warnings.warn(
                f"the Fiedler vector is {part.uniqueness}, so that the partition is a choice; "
                "agreements are intervals, see `FiedlerPartition.eigenspace`",
                NotUniqueWarning,
                stacklevel=3,
            )
        return part

    def _eigenspace(self, system: Pencil, members: NDArray[np.bool_]) -> Eigenspace:
        if self._last is None or not np.array_equal(self._last.edge_weights, system.edge_weights):
            self._last = None  # makes room
            self._last = _Prepared.by(self._solver, system, members)
        laplacian, prepared = self._last.laplacian, self._last.prepared
        weights = read_only(system.vertex_weights[members])

        def solve(n_pairs: int) -> EigenResult:
            with refused_record(self._solver):
                found = prepared.solve(weights, n_pairs=n_pairs, seed=self._seed)
            result = checked_eigenpair(found, self._solver, laplacian, weights, n_pairs)
            if result.status != "converged":
                is_exact = result.method in ("arpack", "dense")
                other = (
                    "weights over fewer powers of ten, another eigensolver"
                    if is_exact
                    else "the eigensolver 'arpack'"
                )
                raise NotConvergedError(
                    f"`eigensolver` {result.method!r} must converge, got residual "
                    f"{max(result.residuals):.1e} after {result.iterations} iterations; choose "
                    f"{other}, or pass an instance with a larger tol or max_iterations"
                )
            return result

        return eigenspace(solve, laplacian, weights)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The Laplacian of some edge weights, and what an eigensolver prepared for it."""

    edge_weights: NDArray[np.float64]
    laplacian: sparse.csr_array
    prepared: PreparedLaplacian

    @classmethod
    def by(cls, solver: Eigensolver, system: Pencil, members: NDArray[np.bool_]) -> _Prepared:
        laplacian = system.laplacian
        if not members.all():
            nodes = np.flatnonzero(members)
            laplacian = laplacian[nodes][:, nodes]
        prepared = checked_preparation(solver.prepare(laplacian), solver)
        return cls(system.edge_weights, laplacian, prepared)


def _canonical(
    space: NDArray[np.float64],
    weights: NDArray[np.float64],
    graph: DualGraph,
    members: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the vector that goes along with the first coordinate, its largest entry positive."""
    coordinates = np.empty((len(space), 0))
    if graph.complex is not None:
        coordinates = graph.complex.centroids[members]
        coordinates = coordinates - weights @ coordinates / weights.sum()
    vector = canonical_vector(space, weights, coordinates)
    sizes = np.abs(vector)
    sign = float(np.sign(vector[np.argmax(sizes >= (1 - 1e-6) * sizes.max())]))
    return sign * vector


def _of_nodes(graph: DualGraph, weights: Any) -> VertexWeights:
    """Return the strategy that a choice of vertex weights means."""
    if weights is None:
        weights = "unweighted" if isinstance(graph, GivenGraph) else "count_plus_one"
    elif not isinstance(weights, (str, VertexWeights)) and _are_numbers(weights):
        return GivenNodes(node_weights(graph, weights))
    strategy: VertexWeights = registry.create("vertex_weights", weights)
    return strategy


def _of_edges(graph: DualGraph, weights: Any) -> EdgeWeights:
    """Return the strategy that a choice of edge weights means."""
    if weights is None:
        return OwnWeights() if isinstance(graph, GivenGraph) else UnitEdges()
    if not isinstance(weights, (str, EdgeWeights)) and _are_numbers(weights):
        return GivenEdges(edge_numbers(graph, weights))
    strategy: EdgeWeights = registry.create("edge_weights", weights)
    return strategy


def _are_numbers(weights: Any) -> bool:
    return isinstance(weights, (Mapping, Sequence)) or hasattr(weights, "__array__")


def _nodes_of(graph: DualGraph) -> str:
    return "nodes" if isinstance(graph, GivenGraph) else "regions"


def _complex_of(graph: DualGraph) -> Cells:
    if graph.complex is None:
        raise InputError(
            "`graph` must have a complex for this, got one without; take the graph from "
            "CellComplex.dual_graph; of a graph of one's own `sides`, `vector` and `sweep_cut` are "
            "what there is"
        )
    return graph.complex


def _known_regions(
    regions: NDArray[np.int64] | None, weighting: VertexWeights
) -> NDArray[np.int64]:
    """Return the regions of the points, or none if there need not be any."""
    if regions is None:
        if weighting.needs_points:
            raise InputError(
                f"`points` must be given for vertex_weights={weighting!r}, got None; pass the "
                "data points, or vertex_weights='unweighted'"
            )
        return np.empty(0, dtype=np.int64)
    if not np.any(regions >= 0):
        raise InputError(
            f"`points` must have a point inside the domain and its known regions, got "
            f"{np.sum(regions == OUTSIDE)} outside the domain, {np.sum(regions == ON_BOUNDARY)} on "
            f"facets between regions and {np.sum(regions == NOT_FOUND)} in regions not found; "
            "decompose a domain that holds them, for example Box.around(points)"
        )
    return regions


def _members(graph: DualGraph, component: Literal["largest"] | None) -> NDArray[np.bool_]:
    """Return the nodes to partition, or say why there are none."""
    given: Any = component  # whatever came
    if given is not None and not (isinstance(given, str) and given == "largest"):
        came = " ".join(repr(given).split())
        raise InputError(f"`component` must be None or 'largest', got {came}; leave it out")
    sizes = graph.component_sizes
    if len(sizes) > 1 and component is None:
        listed = ", ".join(map(str, np.sort(sizes)[::-1][:10].tolist()))
        raise DisconnectedGraphError(
            f"`graph` must be connected, got {len(sizes)} components of "
            f"{listed}{', ...' if len(sizes) > 10 else ''} nodes; pass component='largest' to "
            "partition the largest one"
        )
    members = graph.component_labels == np.argmax(sizes) if len(sizes) else np.empty(0, bool)
    if members.sum() < 2:
        raise NoFiedlerVectorError(
            f"`graph` must have a component of at least 2 nodes, got {members.sum()}; a single "
            + (
                "node has no Fiedler vector"
                if isinstance(graph, GivenGraph)
                else "region has no Fiedler vector: take a larger domain or a network with a kink "
                "in it"
            )
        )
    return members
