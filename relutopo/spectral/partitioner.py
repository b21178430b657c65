"""Partitions of a graph by its first eigenvectors, into two parts or any number.

A `Partitioner` computes once what partitions of one graph have in common.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo import registry
from relutopo.arrays import as_array, freeze, frozen, read_only
from relutopo.checks import check_integer, check_seed
from relutopo.errors import (
    DisconnectedGraphError,
    InputError,
    NoFiedlerVectorError,
    NotConvergedError,
    NotUniqueWarning,
)
from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE
from relutopo.geometry.location import NOT_FOUND
from relutopo.interfaces import (
    EigenResult,
    Eigensolver,
    PreparedLaplacian,
    checked_eigenpair,
    checked_preparation,
    refused_record,
)
from relutopo.reports.shown import Shown
from relutopo.reports.text import counted
from relutopo.spectral.accuracy import certain_signs, span_error
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.eigenspace import canonical_vector, eigenspace
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.given_graph import (
    GivenGraph,
    as_edge_weights,
    as_graph,
    as_vertex_weights,
)
from relutopo.spectral.laplacian import Pencil, pencil
from relutopo.spectral.rounding import AutoRounding, Rounding, Signs, numbered
from relutopo.spectral.spectral_partition import SpectralPartition
from relutopo.spectral.weights import EdgeWeights, VertexWeights
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["Partitioner", "fiedler_partition", "spectral_partition"]


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
        Usually ``complex_.dual_graph()``, or the complex itself. Also whatever `as_graph` takes: a
        NetworkX graph, a symmetric sparse matrix or array. In partitions of those, value, vector,
        sides, cut and gap have the usual meaning; there are no points and no complex, so counts
        are 0 and agreements are refused. ``part.graph.names`` and ``part.table()`` have the names
        of the nodes.
    points : (n, d) array_like, optional
        Data points. Those outside the domain or on a facet between regions are counted apart.
    vertex_weights : str, VertexWeights, (n_nodes,) array_like or mapping, optional
        Registry name or instance, or a number for each node, in a mapping by node name. By default
        "count_plus_one", which needs points; "unweighted" for a graph that the user gave.
    edge_weights : str, EdgeWeights or (n_edges,) array_like, optional
        Registry name or instance, or numbers in the order of ``graph.edges``. By default "unit",
        or the weights of the graph that the user gave.
    eigensolver : str or Eigensolver, default "auto"
        Registry name or instance.
    component : {None, "largest"}
        What to do with a disconnected graph: None refuses it, "largest" partitions its largest
        component (the first of several).
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
        If the eigensolver's result is not an eigenpair, or its residual is not the true one.
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
    partitioner = Partitioner(
        graph, points, eigensolver=eigensolver, component=component, seed=seed
    )
    return partitioner.fiedler(vertex_weights, edge_weights)


def spectral_partition(
    graph: Any,
    points: ArrayLike | None = None,
    *,
    k: int,
    vertex_weights: str | VertexWeights | ArrayLike | Mapping[Any, float] | None = None,
    edge_weights: str | EdgeWeights | ArrayLike | None = None,
    rounding: str | Rounding = "auto",
    eigensolver: str | Eigensolver = "auto",
    component: Literal["largest"] | None = None,
    seed: int = 0,
) -> SpectralPartition:
    """Divide the regions, or the nodes of any graph, in k parts by the first k eigenvectors.

    A named strategy turns the eigenvectors x₁, ..., x_k of L x = λ W_V x into parts, where x₁ is
    constant. To find classes, the `vertex_weights` ``ChungLanglands(scale=10)`` do best.

    Parameters
    ----------
    graph : DualGraph, or any graph
    points : (n, d) array_like, optional
        Both as for `fiedler_partition`.
    k : int
        The number of parts, from 2 to the number of nodes.
    vertex_weights, edge_weights
        As for `fiedler_partition`.
    rounding : str or Rounding, default "auto"
        Registry name or instance: "cluster_qr", which is deterministic, "k_means", or for two parts
        "signs", which gives the sides of `fiedler_partition`; "auto" takes "signs" for k = 2 and
        "cluster_qr" otherwise.
    eigensolver, component
        As for `fiedler_partition`.
    seed : int, default 0
        Seed of the eigensolver's random start, and of a random rounding.

    Returns
    -------
    SpectralPartition

    Raises
    ------
    InputError
        If k is larger than the number of regions, or the rounding does not fit; and as
        `fiedler_partition`.
    NoFiedlerVectorError, DisconnectedGraphError, NotConvergedError, BackendError
        As `fiedler_partition`.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> kinks = ([[[1.0]] * 5, [[1.0] * 5]], [[0.9, 0.8, 0.0, -0.8, -0.9], [0.0]])
    >>> graph = decompose(kinks, Box(-1, 1), enumerator="exact").dual_graph()
    >>> spectral_partition(graph, k=3, vertex_weights="unweighted").sizes.tolist()
    [2, 2, 2]
    """
    partitioner = Partitioner(
        graph, points, eigensolver=eigensolver, component=component, seed=seed
    )
    return partitioner.spectral(k, vertex_weights, edge_weights, rounding)


class Partitioner(Shown):
    """Partitions of one graph with different weights.

    Each equals the result of `fiedler_partition` or `spectral_partition`, but common work is done
    once: the regions of the points, and the eigensolver's preparation of the Laplacian, as long as
    the edge weights stay the same. Only the last preparation is kept (for `arpack` a
    factorisation).

    Parameters
    ----------
    graph : DualGraph, or any graph
    points : (n, d) array_like, optional
    regions : (n,) ndarray of int64, optional
        What ``graph.locate`` says of the points, if it is known already.
    eigensolver : str or Eigensolver, default "auto"
    component : {None, "largest"}
    seed : int, default 0
        All others as for `fiedler_partition`.

    Raises
    ------
    InputError
        If the points or regions have the wrong shape, or the seed is not an integer ≥ 0.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    >>> graph = decompose(lines, Box(-1, 1, dim=2), enumerator="exact").dual_graph()
    >>> partitioner = Partitioner(graph, [[0.0, 0.0]])
    >>> [round(partitioner.fiedler(w).value, 9) for w in ("unweighted", "count_plus_one")]
    [1.0, 1.0]
    >>> partitioner.spectral(3).sizes.tolist()
    [1, 1, 1]
    """

    @in_words("take a smaller graph")
    @deliver_interrupts
    def __init__(
        self,
        graph: Any,
        points: ArrayLike | None = None,
        *,
        regions: NDArray[np.int64] | None = None,
        eigensolver: str | Eigensolver = "auto",
        component: Literal["largest"] | None = None,
        seed: int = 0,
    ) -> None:
        self._seed = check_seed(seed)
        self._solver: Eigensolver = registry.create("eigensolver", eigensolver)
        self._graph = as_graph(graph)
        self._component = component
        self._regions = _located(self._graph, points, regions)
        self._members: NDArray[np.bool_] | None = None
        self._last: _Prepared | None = None

    def __repr__(self) -> str:
        n = 0 if self._regions is None else len(self._regions)
        return f"Partitioner({self._graph!r}, {counted(n, 'point')}, {type(self._solver).__name__})"

    def _facts(self) -> Mapping[str, object]:
        return {
            "graph": self._graph,
            "points": 0 if self._regions is None else len(self._regions),
            "eigensolver": type(self._solver).__name__,
        }

    @in_words("take a smaller graph")
    @deliver_interrupts
    def fiedler(
        self,
        vertex_weights: str | VertexWeights | ArrayLike | Mapping[Any, float] | None = None,
        edge_weights: str | EdgeWeights | ArrayLike | None = None,
    ) -> FiedlerPartition:
        """Return the two sides for some weights; see `fiedler_partition`."""
        problem = self._problem(vertex_weights, edge_weights)
        begin = time.perf_counter()
        found = eigenspace(problem.pairs, problem.laplacian, problem.weights)
        seconds = time.perf_counter() - begin
        inner = found.basis[:, 0]
        if found.basis.shape[1] > 1:
            inner = _canonical(found.basis, problem.weights, problem.graph, problem.members)
        sides = certain_signs(problem.weights, inner, found.error)
        part = FiedlerPartition(
            value=found.value,
            vector=problem.of_nodes(inner, np.nan),
            sides=freeze(problem.of_nodes(sides, 0)),
            eigenspace=problem.of_nodes(found.basis, np.nan),
            error=found.error,
            gap=found.gap,
            is_gap_proved=found.is_gap_proved,
            is_multiplicity_known=found.is_whole,
            residual=found.residual,
            iterations=found.iterations,
            seconds=seconds,
            method=found.method,
            **problem.shared,
        )
        if part.multiplicity > 1:
            warnings.warn(
                f"the Fiedler vector is {part.uniqueness}, so that the partition is a choice; "
                "agreements are intervals, see `FiedlerPartition.eigenspace`",
                NotUniqueWarning,
                stacklevel=3,
            )
        return part

    @in_words("take a smaller graph")
    @deliver_interrupts
    def spectral(
        self,
        k: int,
        vertex_weights: str | VertexWeights | ArrayLike | Mapping[Any, float] | None = None,
        edge_weights: str | EdgeWeights | ArrayLike | None = None,
        rounding: str | Rounding = "auto",
    ) -> SpectralPartition:
        """Return the partition in k parts for some weights; see `spectral_partition`."""
        k = check_integer("k", k, 2, remedy="2 gives the sides of the Fiedler vector")
        strategy: Rounding = registry.create("rounding", rounding)
        if isinstance(strategy, AutoRounding):
            strategy = strategy.chosen(k)
        if isinstance(strategy, Signs) and k == 2:
            return _of_sides(self.fiedler(vertex_weights, edge_weights))
        problem = self._problem(vertex_weights, edge_weights)
        n, weights = len(problem.weights), problem.weights
        if k > n:
            raise InputError(
                f"`k` must be at most the number of nodes to divide, {n}, got {k}; ask for fewer "
                "parts"
            )
        begin = time.perf_counter()
        result = problem.pairs(k - 1)
        error = span_error(result, problem.laplacian, weights)
        vectors = np.hstack([np.full((n, 1), 1 / np.sqrt(weights.sum())), result.vectors])
        counts = problem.numbers["counts"][problem.members]
        inner = strategy(vectors, weights, counts, error=error, seed=self._seed)
        part = SpectralPartition(
            parts=problem.of_nodes(numbered(inner), -1),
            k=k,
            values=result.values,
            next_value=result.next_value,
            vectors=problem.of_nodes(result.vectors, np.nan),
            error=error,
            rounding=repr(strategy),
            residuals=result.residuals,
            iterations=result.iterations,
            seconds=time.perf_counter() - begin,
            method=result.method,
            **problem.shared,
        )
        if not part.is_unique:
            warnings.warn(
                f"nothing tells the eigenvalue {k} from the one after it, so that the partition in "
                f"{k} parts is a choice; take a k after which `separation` is smaller",
                NotUniqueWarning,
                stacklevel=3,
            )
        return part

    @cached_property
    def _numbers(self) -> dict[str, Any]:
        """How many points are in each node, and elsewhere."""
        regions = np.empty(0, np.int64) if self._regions is None else self._regions
        return {
            "counts": freeze(np.bincount(regions[regions >= 0], minlength=self._graph.n_nodes)),
            "n_outside": int(np.count_nonzero(regions == OUTSIDE)),
            "n_on_boundary": int(np.count_nonzero(regions == ON_BOUNDARY)),
            "n_not_found": int(np.count_nonzero(regions == NOT_FOUND)),
        }

    def _problem(self, vertex_weights: Any, edge_weights: Any) -> _Problem:
        graph = self._graph
        weighting = as_vertex_weights(graph, vertex_weights)
        _check_regions(self._regions, weighting)
        if self._members is None:
            self._members = freeze(_members(graph, self._component))
        members, numbers = self._members, self._numbers
        system = pencil(graph, numbers["counts"], weighting, as_edge_weights(graph, edge_weights))
        if self._last is None or not np.array_equal(self._last.edge_weights, system.edge_weights):
            self._last = None  # frees memory
            self._last = _Prepared.by(self._solver, system, members)
        laplacian, prepared = self._last.laplacian, self._last.prepared
        weights = read_only(system.vertex_weights)
        if laplacian.shape[0] < len(weights):
            weights = read_only(weights[members])

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

        return _Problem(graph, numbers, members, system, solve, laplacian, weights)


@dataclass(frozen=True, eq=False)
class _Problem:
    """The pencil of a graph with weights, and a function that returns its first converged pairs."""

    graph: DualGraph
    numbers: dict[str, Any]
    members: NDArray[np.bool_]
    system: Pencil
    pairs: Callable[[int], EigenResult]
    laplacian: sparse.csr_array
    weights: NDArray[np.float64]

    @property
    def shared(self) -> dict[str, Any]:
        """The fields that all partitions record."""
        return {
            "component": self.members,
            "status": "converged",
            "graph": self.graph,
            **self.numbers,
            "vertex_weights": self.system.vertex_weights,
            "edge_weights": self.system.edge_weights,
        }

    def of_nodes(self, values: NDArray[Any], elsewhere: float) -> NDArray[Any]:
        """Return values of the members as values of all nodes, with `elsewhere` for the others."""
        if len(values) == self.graph.n_nodes:
            return values
        result = np.full((self.graph.n_nodes, *values.shape[1:]), elsewhere, dtype=values.dtype)
        result[self.members] = values
        return result


@dataclass(frozen=True, eq=False)
class _Prepared:
    """The Laplacian for some edge weights, and an eigensolver's preparation of it."""

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
        # A copy: later weights are compared with these, and a strategy may change its own array.
        return cls(frozen(system.edge_weights), laplacian, prepared)


def _canonical(
    space: NDArray[np.float64],
    weights: NDArray[np.float64],
    graph: DualGraph,
    members: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the vector closest to the first coordinate, its largest entry positive."""
    coordinates = np.empty((len(space), 0))
    if graph.complex is not None:
        coordinates = graph.complex.centroids[members]
        coordinates = coordinates - weights @ coordinates / weights.sum()
    vector = canonical_vector(space, weights, coordinates)
    sizes = np.abs(vector)
    sign = float(np.sign(vector[np.argmax(sizes >= (1 - 1e-6) * sizes.max())]))
    return sign * vector


def _of_sides(part: FiedlerPartition) -> SpectralPartition:
    """Return the two sides as parts."""
    parts = numbered(np.where(part.sides == 0, -1, (part.sides > 0).astype(np.int64)))
    names = ("component", "iterations", "seconds", "method", "status", "graph", "counts")
    more = ("n_outside", "n_on_boundary", "n_not_found", "vertex_weights", "edge_weights")
    return SpectralPartition(
        parts=parts,
        k=2,
        values=np.array([part.value]),
        next_value=part.value * (1 + part.gap),
        vectors=part.vector[:, None],
        error=part.error if part.multiplicity == 1 else np.inf,
        rounding=repr(Signs()),
        residuals=np.array([part.residual]),
        **{name: getattr(part, name) for name in (*names, *more)},
    )


def _located(
    graph: DualGraph, points: ArrayLike | None, regions: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """Return the regions of points, if there are points; they may be known."""
    if regions is None:
        return None if points is None else graph.locate(points)
    n = 0 if points is None else len(as_array(points))
    given = as_array(regions)
    if given.shape != (n,) or given.dtype.kind not in "iu" or (given >= graph.n_nodes).any():
        raise InputError(
            f"`regions` must have one of {graph.n_nodes} regions for each of {n} points, got shape "
            f"{given.shape} of {given.dtype}; pass what graph.locate(points) returns, or leave it "
            "out"
        )
    return given.astype(np.int64)


def _check_regions(regions: NDArray[np.int64] | None, weighting: VertexWeights) -> None:
    """Raise an error if points are given and all lie elsewhere, or are needed and not given."""
    if regions is None:
        if weighting.needs_points:
            raise InputError(
                f"`points` must be given for vertex_weights={weighting!r}, got None; pass the "
                "data points, or vertex_weights='unweighted'"
            )
    elif not np.any(regions >= 0):
        raise InputError(
            f"`points` must have a point inside the domain and its known regions, got "
            f"{np.sum(regions == OUTSIDE)} outside the domain, {np.sum(regions == ON_BOUNDARY)} on "
            f"facets between regions and {np.sum(regions == NOT_FOUND)} in regions not found; "
            "decompose a domain that holds them, for example Box.around(points)"
        )


def _members(graph: DualGraph, component: Literal["largest"] | None) -> NDArray[np.bool_]:
    """Return the nodes to partition, or raise an error that says why there are none."""
    given: Any = component  # may be anything
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
    n = int(sizes.max(initial=0))
    if n < 2:
        raise NoFiedlerVectorError(
            f"`graph` must have a component of at least 2 nodes, got {n}; a single "
            + (
                "node has no Fiedler vector"
                if isinstance(graph, GivenGraph)
                else "region has no Fiedler vector: take a larger domain or a network with a kink "
                "in it"
            )
        )
    members: NDArray[np.bool_] = graph.component_labels == np.argmax(sizes)
    return members
