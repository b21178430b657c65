"""Graphs given by the user: NetworkX graphs, sparse matrices, arrays.

Invariants: those of a `DualGraph`; every weight is positive and finite. An edge of weight zero does
not count as an edge.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo import registry
from relutopo.arrays import as_numbers, freeze, frozen
from relutopo.errors import InputError
from relutopo.geometry.cells import Cells
from relutopo.optional import require
from relutopo.spectral.dual_graph import DualGraph, dual_graph
from relutopo.spectral.region_search import RegionSearch
from relutopo.spectral.weights import EdgeWeights, UnitEdges, VertexWeights

__all__ = [
    "GivenEdges",
    "GivenGraph",
    "GivenNodes",
    "OwnWeights",
    "as_edge_weights",
    "as_graph",
    "as_vertex_weights",
    "nodes_of",
]


@dataclass(frozen=True, eq=False, repr=False)
class GivenGraph(DualGraph):
    """A graph with weights on its edges, whose nodes are not regions of a space.

    Partitions of it have no complex and no points. `as_graph` makes it.

    Attributes
    ----------
    weights : (n_edges,) ndarray of float64
        Weights of the edges, positive.
    names : tuple
        Names of the nodes in the graph that was given, by number.
    """

    kinds: ClassVar[tuple[str, ...]] = ("given",)

    weights: NDArray[np.float64] = None  # type: ignore[assignment]  # fields before have defaults
    names: tuple[Hashable, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "weights", frozen(self.weights))

    def __repr__(self) -> str:
        return f"GivenGraph({self.n_nodes} nodes, {self.n_edges} edges)"

    def locate(self, points: ArrayLike) -> NoReturn:
        """Refuse points: the nodes of such a graph are not regions of a space.

        Raises
        ------
        InputError
        """
        raise InputError(
            "`points` must be left out for a graph of one's own, whose nodes are in no space, got "
            "points; pass numbers of the nodes as vertex_weights=, and compare labels of the nodes "
            "with `sides` of the partition"
        )

    def to_networkx(self, node_data: Mapping[str, ArrayLike] | None = None) -> Any:
        """Return the graph as a `networkx.Graph` with its node names, and ``weight`` of the edges.

        Parameters
        ----------
        node_data : mapping of str to (n_nodes,) array_like, optional
            See `DualGraph.to_networkx`.
        """
        graph = super().to_networkx(node_data)
        for (u, v), weight in zip(self.edges.tolist(), self.weights.tolist(), strict=True):
            graph.edges[u, v].clear()
            graph.edges[u, v]["weight"] = weight
        networkx = require("networkx", "GivenGraph.to_networkx")
        return networkx.relabel_nodes(graph, dict(enumerate(self.names)))


@dataclass(frozen=True, eq=False)
class OwnWeights(EdgeWeights):
    """The weights that a graph came with."""

    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return them; 1 for a graph of regions."""
        return graph.weights if isinstance(graph, GivenGraph) else np.ones(graph.n_edges)


@dataclass(frozen=True, eq=False, repr=False)
class GivenEdges(EdgeWeights):
    """Numbers in the order of the graph's edges."""

    values: NDArray[np.float64]

    def __repr__(self) -> str:
        return "(numbers that were given)"

    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return them."""
        return self.values


@dataclass(frozen=True, eq=False, repr=False)
class GivenNodes(VertexWeights):
    """Numbers in the order of the graph's nodes."""

    needs_points: ClassVar[bool] = False

    values: NDArray[np.float64]

    def __repr__(self) -> str:
        return "(numbers that were given)"

    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return them."""
        return self.values


def as_graph(graph: Any, weight: str = "weight") -> DualGraph:
    """Return any graph as a `DualGraph`, which relutopo can partition.

    Parameters
    ----------
    graph : networkx.Graph, scipy.sparse matrix or array, (n, n) array_like, or of relutopo
        Undirected, without loops. A matrix must be symmetric; its entries are the weights of
        edges, 0 where there is no edge. Weights of parallel edges of a ``MultiGraph`` are added. A
        graph of regions is returned as it is; of a `CellComplex` or `RegionSearch`, its graph.
    weight : str, default "weight"
        Edge attribute of a NetworkX graph that holds the weight; edges without it get 1.

    Returns
    -------
    DualGraph
        A `GivenGraph`, unless `graph` is a graph of relutopo.

    Raises
    ------
    InputError
        If it is not a graph, is directed or not symmetric, has loops, or has a weight that is
        negative or not finite.

    Examples
    --------
    >>> path = as_graph([[0, 2, 0], [2, 0, 1], [0, 1, 0]])
    >>> path, path.weights.tolist()
    (GivenGraph(3 nodes, 2 edges), [2.0, 1.0])
    """
    if isinstance(graph, DualGraph):
        return graph
    if isinstance(graph, Cells):
        return dual_graph(graph)
    if isinstance(graph, RegionSearch):
        return graph.graph
    if all(hasattr(graph, name) for name in ("is_directed", "is_multigraph", "nodes", "edges")):
        return _of_networkx(graph, weight)
    if sparse.issparse(graph):
        given: Any = graph
        if given.ndim != 2 or given.dtype.kind not in "biuf":
            raise _no_matrix(f"one of shape {given.shape} and dtype {given.dtype}")
        return _of_matrix(sparse.coo_array(given.astype(np.float64)), None)
    index = getattr(graph, "index", None)
    if isinstance(graph, (list, tuple)) or hasattr(graph, "__array__"):
        matrix = as_numbers(graph, "graph")
        if matrix.ndim != 2:
            raise _no_matrix(f"an array of shape {matrix.shape}")
        names = tuple(index) if hasattr(graph, "columns") and index is not None else None
        return _of_matrix(sparse.coo_array(matrix), names)
    remedy = "take complex_.dual_graph(), or pass the adjacency matrix"
    if isinstance(getattr(graph, "graph", None), DualGraph):  # a path graph
        remedy = "pass its `graph`"
    raise InputError(
        "`graph` must be a graph of regions, a complex, a NetworkX graph or a symmetric matrix, "
        f"got {type(graph).__name__}; {remedy}"
    )


def _node_weights(graph: DualGraph, weights: Any) -> NDArray[np.float64]:
    """Return numbers of the nodes, given as an array or by name.

    Parameters
    ----------
    graph : DualGraph
    weights : (n_nodes,) array_like, or mapping of names of nodes to numbers

    Raises
    ------
    InputError
        If there is not one number for each node, or one is not positive and finite.

    Examples
    --------
    >>> _node_weights(as_graph([[0, 1], [1, 0]]), {1: 5, 0: 2}).tolist()
    [2.0, 5.0]
    """
    names = graph.names if isinstance(graph, GivenGraph) else range(graph.n_nodes)
    if isinstance(weights, Mapping):
        missing = [name for name in names if name not in weights]
        if missing or len(weights) != graph.n_nodes:
            came = f"none for {missing[0]!r}" if missing else f"{len(weights)} numbers"
            raise InputError(
                f"`vertex_weights` must have a number for each of the {graph.n_nodes} nodes, got "
                f"{came}; pass one for each, or leave it out"
            )
        weights = [weights[name] for name in names]
    return _positive("vertex_weights", weights, graph.n_nodes, "node")


def _edge_numbers(graph: DualGraph, weights: Any) -> NDArray[np.float64]:
    """Return the numbers of the edges, after checking them."""
    return _positive("edge_weights", weights, graph.n_edges, "edge")


def _positive(name: str, weights: Any, n: int, what: str) -> NDArray[np.float64]:
    values = as_numbers(weights, name)
    if values.shape != (n,):
        raise InputError(
            f"`{name}` must be a registry name or have shape ({n},), a number for each {what}, got "
            f"{values.shape}; leave it out for the default"
        )
    good = (values > 0) & np.isfinite(values)
    if not good.all():
        bad = int(np.argmin(good))
        raise InputError(
            f"`{name}` must be positive and finite, got {values[bad]} for {what} {bad}; correct it"
        )
    return values


def _no_matrix(came: str) -> InputError:
    return InputError(
        f"`graph` as a matrix must be square and of real numbers, got {came}; pass the weighted "
        "adjacency matrix, for example networkx.to_scipy_sparse_array(G)"
    )


def _of_networkx(graph: Any, weight: str) -> GivenGraph:
    if graph.is_directed():
        raise InputError(
            f"`graph` must be undirected, got a {type(graph).__name__}, whose Laplacian is not "
            "symmetric; pass graph.to_undirected()"
        )
    names = tuple(graph.nodes)
    number = {name: i for i, name in enumerate(names)}
    rows, columns, given = [], [], []
    for u, v, value in graph.edges(data=weight, default=1.0):
        rows.append(number[u])
        columns.append(number[v])
        given.append(value)
    weights = as_numbers(given, f"graph edges' {weight!r}") if given else np.empty(0)
    if weights.ndim != 1:
        raise InputError(
            f"`graph` must have numbers as {weight!r} of its edges, got lists; pass the name of "
            "another attribute to relutopo.as_graph"
        )
    low, high = np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)
    return _of_edges(low, high, weights, names)


def _of_matrix(matrix: sparse.coo_array, names: tuple[Hashable, ...] | None) -> GivenGraph:
    if matrix.shape[0] != matrix.shape[1]:
        raise _no_matrix(f"one of shape {matrix.shape}")
    rows = sparse.csr_array(matrix)
    rows.sum_duplicates()
    _check_weights(rows.data, np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr)),
                   rows.indices, names)  # fmt: skip
    difference = sparse.coo_array(rows - rows.T)
    wrong = np.flatnonzero(difference.data)
    if wrong.size:
        i, j = (int(axis[wrong[0]]) for axis in difference.coords)
        raise InputError(
            f"`graph` must be a symmetric matrix, got {rows[i, j]:g} at ({i}, {j}) and "
            f"{rows[j, i]:g} at ({j}, {i}); pass (A + A.T) / 2, or numpy.maximum(A, A.T)"
        )
    diagonal = np.flatnonzero(rows.diagonal())
    if diagonal.size:
        raise _no_loops(int(diagonal[0]), "A - scipy.sparse.diags_array(A.diagonal())")
    upper = sparse.coo_array(sparse.triu(rows, 1))
    low, high = (np.asarray(axis, dtype=np.int64) for axis in upper.coords)
    own = tuple(range(rows.shape[0])) if names is None else names
    return _of_edges(low, high, upper.data, own)


def _of_edges(
    u: NDArray[np.int64],
    v: NDArray[np.int64],
    weights: NDArray[np.float64],
    names: tuple[Hashable, ...],
) -> GivenGraph:
    """Return the graph with the given pairs as edges; weights of equal pairs are added."""
    _check_weights(weights, u, v, names)
    loops = np.flatnonzero(u == v)
    if loops.size:
        name = names[int(u[loops[0]])]
        raise _no_loops(name, "graph.remove_edges_from(list(networkx.selfloop_edges(graph)))")
    low, high, weights = (x[weights > 0] for x in (np.minimum(u, v), np.maximum(u, v), weights))
    keys, place = np.unique(low * max(len(names), 1) + high, return_inverse=True)
    n = max(len(names), 1)
    edges = np.array([keys // n, keys % n], dtype=np.int32).T.copy()
    return GivenGraph(
        len(names),
        freeze(edges),
        freeze(np.full(len(edges), -1, dtype=np.int32)),
        "given",
        weights=freeze(np.bincount(place, weights, len(edges)).astype(np.float64)),
        names=names,
    )


def _check_weights(
    weights: NDArray[np.float64],
    u: NDArray[np.integer],
    v: NDArray[np.integer],
    names: tuple[Hashable, ...] | None,
) -> None:
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if not bad.size:
        return
    i, j = int(u[bad[0]]), int(v[bad[0]])
    ends = (i, j) if names is None else (names[i], names[j])
    remedy = "drop the edge, or give it the weight that it has"
    if weights[bad[0]] < 0:
        remedy = "of a Laplacian L pass the adjacency matrix, numpy.diag(numpy.diag(L)) - L"
    raise InputError(
        f"`graph` must have weights that are finite and not negative, got {weights[bad[0]]:g} "
        f"between nodes {ends[0]!r} and {ends[1]!r}; {remedy}"
    )


def _no_loops(name: Hashable, remedy: str) -> InputError:
    return InputError(
        f"`graph` must have no loops, which no cut ever parts, got one at node {name!r}; drop them "
        f"by {remedy}"
    )


def as_vertex_weights(graph: DualGraph, weights: Any) -> VertexWeights:
    """Return the strategy for vertex weights given by name, as an instance, or as numbers."""
    if weights is None:
        weights = "unweighted" if isinstance(graph, GivenGraph) else "count_plus_one"
    elif not isinstance(weights, (str, VertexWeights)) and _are_numbers(weights):
        return GivenNodes(_node_weights(graph, weights))
    strategy: VertexWeights = registry.create("vertex_weights", weights)
    return strategy


def as_edge_weights(graph: DualGraph, weights: Any) -> EdgeWeights:
    """Return the strategy for edge weights given by name, as an instance, or as numbers."""
    if weights is None:
        return OwnWeights() if isinstance(graph, GivenGraph) else UnitEdges()
    if not isinstance(weights, (str, EdgeWeights)) and _are_numbers(weights):
        return GivenEdges(_edge_numbers(graph, weights))
    strategy: EdgeWeights = registry.create("edge_weights", weights)
    return strategy


def _are_numbers(weights: Any) -> bool:
    return isinstance(weights, (Mapping, Sequence)) or hasattr(weights, "__array__")


def nodes_of(graph: DualGraph) -> str:
    """Return the word for the nodes of a graph in messages: "nodes" or "regions"."""
    return "nodes" if isinstance(graph, GivenGraph) else "regions"
