"""The dual graph of a complex: its nodes are the regions.

Invariants: an edge (u, v) has u < v; edges are distinct and in lexicographic order; node i is
region i of the complex, when there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import NoneType
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo.arrays import Frozen, freeze, frozen, read_only
from relutopo.checks import check_choice, check_integer, kind_of
from relutopo.errors import InputError, InvariantError
from relutopo.geometry.cells import Cells
from relutopo.geometry.location import KnownRegions, locate
from relutopo.geometry.patterns import unpack_patterns
from relutopo.optional import require
from relutopo.reports.shown import Shown
from relutopo.spectral.csr import csr_of
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import Room, in_words

__all__ = ["Adjacency", "DualGraph", "OfGraph", "dual_graph"]

Adjacency: TypeAlias = Literal["facet", "hamming"]
"""What joins two regions: a shared facet, or patterns that differ in one neuron."""


@dataclass(frozen=True, eq=False)
class DualGraph(Frozen, Shown):
    """The graph of regions.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    n_nodes : int
        Number of regions.
    edges : (n_edges, 2) ndarray of integers
        Pairs (u, v) with u < v, in lexicographic order; int32 when the library makes them.
    facets : (n_edges,) ndarray of integers
        The (d-1)-cell that both regions share; -1 for a Hamming pair that shares none, and
        throughout when there is no complex.
    kind : {"facet", "hamming"}
        The adjacency; "given" for graphs that did not come from a network, see `relutopo.as_graph`.
    complex : CellComplex or None
        The complex of the regions. Weights that measure cells need it.
    regions : KnownRegions or None
        Locates points when there is no complex; comes from `relutopo.search_regions`.

    Raises
    ------
    InputError
        If the arrays break an invariant of the module.

    Examples
    --------
    >>> graph = DualGraph(3, np.array([[0, 1], [1, 2]]), np.array([-1, -1]), "hamming")
    >>> graph.adjacency.toarray().tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """

    kinds: ClassVar[tuple[str, ...]] = get_args(Adjacency)

    n_nodes: int
    edges: NDArray[np.integer]
    facets: NDArray[np.integer]
    kind: Adjacency | Literal["given"]
    complex: Cells | None = None
    regions: KnownRegions | None = None

    def __post_init__(self) -> None:
        remedy = "'facet' is the usual choice"
        check_choice("adjacency", self.kind, self.kinds, remedy=remedy)
        n_nodes = check_integer("n_nodes", self.n_nodes, remedy="pass the number of regions")
        object.__setattr__(self, "n_nodes", n_nodes)
        for name in ("edges", "facets"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
                raise InputError(
                    f"`{name}` must be an ndarray of integers, got {_shown(array)}; convert it"
                )
        if self.edges.shape != (len(self.edges), 2) or self.facets.shape != (len(self.edges),):
            raise InputError(
                f"`edges` must have shape (n_edges, 2) and `facets` (n_edges,), got "
                f"{self.edges.shape} and {self.facets.shape}; pass one row for each edge"
            )
        low, high = self.edges.T
        good = (low >= 0) & (low < high) & (high < self.n_nodes)
        if not good.all():
            bad = int(np.argmin(good))
            raise InputError(
                f"`edges` must be pairs u < v of nodes 0..{self.n_nodes - 1}, got "
                f"{self.edges[bad].tolist()} in row {bad}; sort each pair and drop loops"
            )
        rising = (low[1:] > low[:-1]) | ((low[1:] == low[:-1]) & (high[1:] > high[:-1]))
        if not rising.all():
            bad = int(np.argmin(rising)) + 1
            raise InputError(
                f"`edges` must be distinct and in lexicographic order, got "
                f"{self.edges[bad].tolist()} in row {bad} after {self.edges[bad - 1].tolist()}; "
                "pass numpy.unique(edges, axis=0)"
            )

        object.__setattr__(self, "edges", frozen(self.edges))
        object.__setattr__(self, "facets", frozen(self.facets))

    @classmethod
    def _known(cls, **fields: Any) -> DualGraph:
        """Return the graph of fields that are known to obey the invariants."""
        graph = cls.__new__(cls)
        vars(graph).update(fields)
        return graph

    def __repr__(self) -> str:
        return f"DualGraph({self.n_nodes} nodes, {self.n_edges} edges, {self.kind!r})"

    def _facts(self) -> Mapping[str, object]:
        return {
            "nodes": self.n_nodes,
            "edges": self.n_edges,
            "adjacency": self.kind,
            "components": self.component_sizes.tolist() if self.n_nodes else 0,
        }

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edges)

    @cached_property
    @deliver_interrupts
    def adjacency(self) -> sparse.csr_array:
        """Symmetric 0/1 adjacency matrix, (n_nodes, n_nodes); column indices sorted."""
        from relutopo.spectral.kernels import adjacency_rows  # loads numba

        indptr, columns = adjacency_rows(self.edges.astype(np.int32, copy=False), self.n_nodes)
        ones = np.ones(len(columns), dtype=np.int8)
        return csr_of(freeze(indptr), freeze(columns), freeze(ones))

    @cached_property
    @deliver_interrupts
    def component_labels(self) -> NDArray[np.int32]:
        """Connected component of each node, (n_nodes,), numbered from 0 by first node."""
        from relutopo.spectral.kernels import components  # loads numba

        edges = read_only(self.edges.astype(np.int32, copy=False))
        labels: NDArray[np.int32] = components(edges, self.n_nodes)
        return freeze(labels)

    @property
    def component_sizes(self) -> NDArray[np.int64]:
        """Number of nodes of each connected component, (n_components,)."""
        return np.bincount(self.component_labels)

    def locate(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the node of each point.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray of int64
            The node, or for points in no region the negative code that `CellComplex.locate` and
            `KnownRegions.locate` return.

        Raises
        ------
        InputError
            If the graph has neither a complex nor regions.
        """
        if self.complex is not None:
            return locate(self.complex, points)
        if self.regions is None:
            raise InputError(
                "`graph` must have a complex to locate points, got one without; take the graph "
                "from CellComplex.dual_graph or relutopo.search_regions"
            )
        return self.regions.locate(points)

    def to_networkx(self, node_data: Mapping[str, ArrayLike] | None = None) -> Any:
        """Return the graph as a `networkx.Graph`.

        Nodes carry the entries of `node_data`; ``pattern``, a string of 0 and 1, if patterns are
        known; with a complex also ``volume`` and ``centroid_0``, ``centroid_1``, ... Edges carry
        ``facet``; with a complex also ``layer`` and ``unit`` of the neuron that made the facet.

        Parameters
        ----------
        node_data : mapping of str to (n_nodes,) array_like, optional
            Numbers of the nodes by name, for example
            ``{"fiedler": part.vector, "population": part.counts}``.

        Raises
        ------
        MissingExtraError
            If networkx is not installed.
        InputError
            If an array has another shape.
        """
        if not isinstance(node_data, (Mapping, NoneType)):
            raise InputError(
                f"`node_data` must be a mapping of names to numbers, got {kind_of(node_data)}; "
                'pass for example {"fiedler": part.vector}'
            )
        graph = require("networkx", "DualGraph.to_networkx").Graph()
        graph.add_nodes_from(range(self.n_nodes))
        columns: dict[str, list[Any]] = {}
        for name, values in (node_data or {}).items():
            array = np.asarray(values)
            if array.shape != (self.n_nodes,):
                raise InputError(
                    f"`node_data`[{name!r}] must have shape ({self.n_nodes},), got {array.shape}; "
                    "pass one number for each node"
                )
            columns[name] = array.tolist()
        source = self.complex if self.complex is not None else self.regions
        if source is not None:
            bits = unpack_patterns(source.packed_patterns, source.network.n_neurons).astype(int)
            columns["pattern"] = ["".join(map(str, row)) for row in bits.tolist()]
        if self.complex is not None:
            columns["volume"] = self.complex.volumes.tolist()
            for axis, column in enumerate(self.complex.centroids.T.tolist()):
                columns[f"centroid_{axis}"] = column
        for name, column in columns.items():
            for node, value in enumerate(column):
                graph.nodes[node][name] = value
        of_edges = [{"facet": facet} for facet in self.facets.tolist()]
        if self.complex is not None:
            shared = np.flatnonzero(self.facets >= 0)
            neurons = self.complex.facet_labels[self.facets[shared]]
            names = self.complex.network.names_of(neurons)
            for edge, (layer, unit) in zip(shared.tolist(), names, strict=True):
                of_edges[edge] |= {"layer": layer, "unit": unit}
        graph.add_edges_from(
            (u, v, known) for (u, v), known in zip(self.edges.tolist(), of_edges, strict=True)
        )
        return graph


_BYTES_A_FACET, _BYTES_A_REGION = 24, 100
"""Memory for a dual graph, temporary arrays included."""


@in_words("take a smaller complex")
@deliver_interrupts
def dual_graph(complex_: Cells, adjacency: Adjacency = "facet") -> DualGraph:
    """Return the graph of regions of a complex.

    The two adjacencies differ in degenerate arrangements, where crossing two coinciding kinks
    changes two neurons, and in deep networks, where two regions that differ in one neuron may lie
    apart.

    Parameters
    ----------
    complex_ : Cells
    adjacency : {"facet", "hamming"}
        Join regions that share a facet, or regions whose patterns differ in one neuron (Bosca et
        al., arXiv:2510.12700).

    Returns
    -------
    DualGraph

    Raises
    ------
    InputError
        If the adjacency is of another kind.

    Examples
    --------
    >>> from relutopo import Box, decompose
    >>> lines = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> dual_graph(decompose(lines, Box(-1, 1, dim=2), enumerator="exact")).edges.tolist()
    [[0, 1], [0, 2], [1, 3], [2, 3]]
    """
    check_choice("adjacency", adjacency, get_args(Adjacency), remedy="'facet' is the usual choice")
    from relutopo.spectral.kernels import facet_edges  # loads numba

    needed = _BYTES_A_FACET * complex_.n_cells[-2]
    if adjacency == "hamming":
        needed += (_BYTES_A_REGION + complex_.packed_patterns.shape[1]) * complex_.n_regions
    Room().check(
        needed, f"the dual graph of {complex_.n_regions} regions", "take a smaller complex"
    )
    # Regions are convex, so two of them share at most one facet: no pair comes twice.
    indptr, facets = complex_.facets[-1]
    edges, shared = facet_edges(
        indptr.astype(np.int64, copy=False),
        facets.astype(np.int32, copy=False),
        complex_.n_cells[-2],
    )
    if adjacency == "hamming":
        pairs = _hamming_pairs(complex_.packed_patterns, complex_.network.n_neurons)
        pairs = np.sort(pairs, axis=1)
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        _, at_pair, at_edge = np.intersect1d(
            _keys(pairs, complex_.n_regions),
            _keys(edges, complex_.n_regions),
            assume_unique=True,
            return_indices=True,
        )
        facets_of_edges, shared = shared, np.full(len(pairs), -1, dtype=np.int32)
        shared[at_pair] = facets_of_edges[at_edge]
        edges = pairs.astype(np.int32)
    return DualGraph._known(
        n_nodes=complex_.n_regions,
        edges=freeze(edges),
        facets=freeze(shared),
        kind=adjacency,
        complex=complex_,
        regions=None,
    )


def _shown(array: object) -> str:
    if isinstance(array, np.ndarray):
        return f"one of {array.dtype} of shape {array.shape}"
    return type(array).__name__


def _keys(pairs: NDArray[np.integer], n_nodes: int) -> NDArray[np.int64]:
    """Return one number for each pair, in the order of the pairs."""
    return pairs[:, 0].astype(np.int64) * n_nodes + pairs[:, 1]


def _hamming_pairs(packed: NDArray[np.uint8], n_neurons: int) -> NDArray[np.int64]:
    """Return all pairs of rows that differ in exactly one bit, each once.

    A pattern's hash is the exclusive or of random 64-bit keys of its active neurons, so flipping
    neuron j turns the hash h into h ^ key[j]. As long as the hashes of all rows are distinct, the
    row looked up under that hash is the only candidate, and comparing bits settles it: the
    result is exact. Time O(n_regions · n_neurons · log n_regions).
    """
    n = len(packed)

    def active(j: int) -> NDArray[np.bool_]:
        bits: NDArray[np.bool_] = (packed[:, j // 8] >> (j % 8)) & 1 == 1
        return bits

    rng = np.random.default_rng(0)
    while True:
        keys = rng.integers(1, 2**64, size=n_neurons, dtype=np.uint64)
        hashes = np.zeros(n, dtype=np.uint64)
        for j in range(n_neurons):
            hashes[active(j)] ^= keys[j]
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        clash = np.flatnonzero(ordered[1:] == ordered[:-1])
        if not clash.size:
            break
        first, second = order[clash], order[clash + 1]
        same = np.all(packed[first] == packed[second], axis=1)
        if same.any():
            k = int(np.argmax(same))
            raise InvariantError(
                f"activation patterns must be distinct, regions {first[k]} and {second[k]} have "
                "the same; the complex is broken, run its `check`"
            )

    found = []
    for j in range(n_neurons):
        off = np.flatnonzero(~active(j))
        wanted = hashes[off] ^ keys[j]
        at = np.minimum(np.searchsorted(ordered, wanted), n - 1)
        hit = ordered[at] == wanted
        low, high = off[hit], order[at[hit]]
        difference = packed[low] ^ packed[high]
        difference[:, j // 8] ^= np.uint8(1 << (j % 8))
        exact = ~difference.any(axis=1)
        found.append(np.stack([low[exact], high[exact]], axis=1))
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)


class OfGraph:
    """Base of results that are made from a graph and can locate points in it."""

    graph: DualGraph

    @property
    def complex(self) -> Cells:
        """The complex of the graph.

        Raises
        ------
        InputError
            If the graph has none.
        """
        if self.graph.complex is None:
            raise InputError(
                "`graph` must have a complex for this, got one without; take the graph from "
                "CellComplex.dual_graph; of a graph of one's own `sides`, `vector` and `sweep_cut` "
                "are what there is"
            )
        return self.graph.complex

    def locate(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the region of each point; see `DualGraph.locate`."""
        return self.graph.locate(points)
