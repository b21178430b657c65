"""The graph of the regions that segments meet.

Its nodes are the activation patterns on pieces of segments, its edges the knots at which a single
plane is crossed: there both regions share a facet. Where different planes meet there is no edge.

Invariants: node i belongs to row i of ``graph.regions.packed_patterns``, whose rows are in
lexicographic order; the graph is a subgraph of the dual graph of the whole decomposition, except
for pieces that lie within a plane, on which its neuron counts as inactive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from relutopo.arrays import Frozen, freeze
from relutopo.checks import check_flag, check_integers, kind_of
from relutopo.errors import InputError
from relutopo.geometry.domain import Box
from relutopo.geometry.location import KnownRegions
from relutopo.geometry.patterns import pack_patterns
from relutopo.paths.induced import induced_edges
from relutopo.paths.segments import Segments
from relutopo.reports.shown import Shown
from relutopo.spectral.dual_graph import DualGraph
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["Contracted", "PathGraph", "path_graph"]

_BUNDLE = 0.5
"""With more distinct regions than this per piece, paths hardly meet outside the data."""


class Contracted(NamedTuple):
    """A path graph without its nodes of degree 2.

    Attributes
    ----------
    nodes : (n,) ndarray of int64
        The remaining nodes of the path graph, ascending.
    conductances : (n, n) sparse array
        Symmetric: 1 over the number of facets on a chain between two nodes, summed over parallel
        chains.
    """

    nodes: NDArray[np.int64]
    conductances: sparse.csr_array


@dataclass(frozen=True, eq=False, repr=False)
class PathGraph(Frozen, Shown):
    """The part of the dual graph that segments meet.

    Attributes
    ----------
    graph : DualGraph
        Regions and the facets that were crossed; points are located in it by their patterns.
    visits : (n_nodes,) ndarray of int64
        Pieces of segments in each region.
    crossings : (n_edges,) ndarray of int64
        How often each edge was crossed.
    ends : (n_segments, 2) ndarray of int64
        The nodes in which each segment begins and ends.
    n_meetings : int
        Knots without an edge, at which different planes meet.
    n_induced : int
        Edges that no segment crosses, see `path_graph`; their `crossings` are 0.
    n_open : int
        Pairs of regions that differ in one neuron, for which it is open whether they share a facet.
    status : {"certified", "uncertified"}
        Status of the segments.
    """

    graph: DualGraph
    visits: NDArray[np.int64]
    crossings: NDArray[np.int64]
    ends: NDArray[np.int64]
    n_meetings: int
    n_induced: int
    n_open: int
    status: Literal["certified", "uncertified"]

    def __repr__(self) -> str:
        return f"PathGraph({self.graph.n_nodes} nodes, {self.graph.n_edges} edges, {self.status})"

    @property
    def distinct_share(self) -> float:
        """Regions over pieces: near 1, paths meet only at the data, so the graph is a bundle."""
        return float(self.graph.n_nodes / max(1, self.visits.sum()))

    @property
    def is_bundle(self) -> bool:
        """Whether most pieces found a new region; a partition then means little."""
        return self.distinct_share > _BUNDLE

    def _facts(self) -> Mapping[str, object]:
        note = "; a bundle of paths, of which a partition means little" if self.is_bundle else ""
        return {
            "regions": self.graph.n_nodes,
            "facets crossed": self.graph.n_edges - self.n_induced,
            **({"facets beside": self.n_induced} if self.n_induced else {}),
            **({"facets open": self.n_open} if self.n_open else {}),
            "components": len(self.graph.component_sizes),
            "regions over pieces": f"{self.distinct_share:.2f}{note}",
            **({"meetings of planes": self.n_meetings} if self.n_meetings else {}),
            "status": self.status,
        }

    def coverage(self, points: ArrayLike) -> float:
        """Return the share of points that lie in regions of the graph.

        Parameters
        ----------
        points : (n, d) array_like
            A separate sample, not the ends of the segments.

        Raises
        ------
        InputError
            If they have another shape, a coordinate is not finite, or there are none.
        """
        found = self.graph.locate(points)
        if not len(found):
            raise InputError("`points` must be one or more, got none; pass a sample")
        return float(np.mean(found >= 0))

    def contracted(self, keep: ArrayLike | None = None) -> Contracted:
        """Return the graph without nodes of degree 2, by the series law for conductances.

        Parameters
        ----------
        keep : (n,) array_like of int, optional
            Nodes that stay whatever their degree; by default those in which segments begin and end.

        Examples
        --------
        Three kinks between two points leave one edge of a third:

        >>> from relutopo.paths.segments import segments
        >>> kinks = [[[1.0], [1.0], [1.0]], [[1.0, 1.0, 1.0]]], [[0.0, -1.0, -2.0], [0.0]]
        >>> left = path_graph(segments(kinks, [[-1.0]], [[3.0]])).contracted()
        >>> left.nodes.tolist(), left.conductances.toarray().round(3).tolist()
        ([0, 3], [[0.0, 0.333], [0.333, 0.0]])
        """
        n = self.graph.n_nodes
        chosen = self.ends.ravel()
        if keep is not None:
            listed = check_integers("keep", keep, 0, remedy=f"nodes are 0..{n - 1}")
            chosen = np.asarray(listed, dtype=np.int64)
            if len(chosen) and chosen.max() >= n:
                raise InputError(
                    f"`keep` must be nodes 0..{n - 1}, got {chosen.max()}; leave it out"
                )
        edges = np.asarray(self.graph.edges, dtype=np.int64)
        stays = np.bincount(edges.ravel(), minlength=n) != 2
        stays[chosen] = True
        nodes = np.flatnonzero(stays)
        inner = ~stays[edges]
        within = edges[inner.all(axis=1)]
        links = sparse.coo_array((np.ones(len(within)), (within[:, 0], within[:, 1])), shape=(n, n))
        chain_of = connected_components(links, directed=False)[1]
        # Two edges leave every chain of inner nodes, unless it is a cycle by itself.
        leaving = edges[inner.any(axis=1) & ~inner.all(axis=1)]
        outer = np.where(stays[leaving[:, 0]], leaving[:, 0], leaving[:, 1])
        chain = chain_of[np.where(stays[leaving[:, 0]], leaving[:, 1], leaving[:, 0])]
        order = np.argsort(chain, kind="stable")
        pairs = outer[order].reshape(-1, 2)
        sizes = np.bincount(chain_of[~stays], minlength=n)[chain[order][::2]]
        direct = edges[~inner.any(axis=1)]
        rows, columns = np.concatenate([direct, pairs]).T
        weights = np.concatenate([np.ones(len(direct)), 1.0 / (sizes + 1)])
        apart = rows != columns
        number = np.cumsum(stays) - 1
        half = sparse.coo_array(
            (weights[apart], (number[rows[apart]], number[columns[apart]])),
            shape=(len(nodes), len(nodes)),
        )
        return Contracted(nodes, sparse.csr_array(half + half.T))


@deliver_interrupts
@in_words("take fewer segments")
def path_graph(found: Segments, *, induced: bool = False) -> PathGraph:
    """Return the graph of the regions that segments meet, joined where these cross a facet.

    Parameters
    ----------
    found : Segments
        From `relutopo.segments`.
    induced : bool, default False
        Whether to join also known regions that share a facet which no segment crosses: regions
        whose patterns differ in one neuron, where the walls of one prove the facet. For partitions,
        segments between data points need this; in many dimensions there are hardly any such facets.

    Returns
    -------
    PathGraph
        Its `graph` can be used wherever a dual graph can, for example in
        `relutopo.fiedler_partition`.

    Raises
    ------
    InputError
        If `found` is not `Segments`.

    Examples
    --------
    Two segments around a corner see three of the four regions:

    >>> from relutopo.paths.segments import segments
    >>> corner = [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]]
    >>> seen = path_graph(segments(corner, [[1.0, 2.0], [1.0, 2.0]], [[-1.0, 1.0], [2.0, -1.0]]))
    >>> seen
    PathGraph(3 nodes, 2 edges, certified)
    >>> seen.visits.tolist(), seen.coverage([[-1.0, -1.0], [1.0, 1.0]])
    ([1, 1, 2], 0.5)
    """
    check_flag("induced", induced)
    if not isinstance(found, Segments):
        raise InputError(
            f"`found` must be Segments, got {kind_of(found)}; pass what relutopo.segments gives"
        )
    pieces = np.diff(found.indptr) + 1
    begins = np.append(0, np.cumsum(pieces))
    packed = np.concatenate(
        [np.zeros((0, found.first_patterns.shape[1]), dtype=np.uint8)]
        + [pack_patterns(found.patterns(i)) for i in range(len(found))]
    )
    distinct, nodes = np.unique(packed, axis=0, return_inverse=True)
    nodes = nodes.ravel()
    before = np.delete(np.arange(len(packed)), begins[1:] - 1)
    steps = np.stack([nodes[before], nodes[before + 1]], axis=1)[~found.meets]
    edges, crossings = np.unique(np.sort(steps, axis=1), axis=0, return_counts=True)
    reach = 1.0 + 4.0 * max(np.abs(found.starts).max(initial=0), np.abs(found.ends).max(initial=0))
    domain = Box(-reach, reach, dim=found.network.input_dim)
    regions, more = KnownRegions(found.network, domain, distinct), np.empty((0, 2), dtype=np.int64)
    n_open = 0
    if induced:
        more, n_open = induced_edges(regions, edges)
        edges = np.concatenate([edges, more])
        crossings = np.concatenate([crossings, np.zeros(len(more), dtype=np.int64)])
        order = np.lexsort(edges.T[::-1])
        edges, crossings = edges[order], crossings[order]
    graph = DualGraph(
        len(distinct),
        edges,
        np.full(len(edges), -1),
        "facet",
        regions=regions,
    )
    return PathGraph(
        graph,
        freeze(np.bincount(nodes, minlength=len(distinct))),
        freeze(crossings),
        freeze(np.stack([nodes[begins[:-1]], nodes[begins[1:] - 1]], axis=1)),
        int(found.meets.sum()),
        len(more),
        n_open,
        found.record.status,
    )
