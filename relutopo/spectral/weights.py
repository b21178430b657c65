"""Vertex and edge weights of the dual graph, as named strategies.

Invariant: weights are positive and finite; `relutopo.spectral.laplacian.pencil` checks it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_number
from relutopo.errors import InputError
from relutopo.spectral.dual_graph import DualGraph

__all__ = [
    "ChungLanglands",
    "CountPlusOne",
    "EdgeWeights",
    "FacetLength",
    "InverseDistance",
    "ScaledCount",
    "UnitEdges",
    "Unweighted",
    "VertexWeights",
]


class VertexWeights(ABC):
    """Gives each region its weight, the diagonal of W_V.

    Attributes
    ----------
    needs_points : bool
        Whether the weights depend on data points.
    """

    needs_points: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weight of each node.

        Parameters
        ----------
        graph : DualGraph
        counts : (n_nodes,) ndarray of int64
            Number of data points in each region; read-only.

        Returns
        -------
        (n_nodes,) ndarray of float64
            Positive.
        """

    def edge_factors(
        self, graph: DualGraph, weights: NDArray[np.float64]
    ) -> NDArray[np.float64] | float:
        """Return what each edge weight is multiplied by: 1, unless a strategy says otherwise.

        Parameters
        ----------
        graph : DualGraph
        weights : (n_nodes,) ndarray
            The vertex weights; read-only.
        """
        return 1.0


@dataclass(frozen=True)
class CountPlusOne(VertexWeights):
    """W_V(i, i) = 1 + number of points in region i (Bosca et al., arXiv:2510.12700)."""

    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return 1 + counts."""
        return 1.0 + counts.astype(np.float64)


@dataclass(frozen=True)
class ScaledCount(VertexWeights):
    """W_V(i, i) = 1 + scale × number of points in region i.

    Parameters
    ----------
    scale : float, optional
        Weight of one point, ≥ 0. By default n_nodes / (number of points), so that all data together
        weigh as much as all regions.

    Raises
    ------
    InputError
        If the scale is negative or not finite.
    """

    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            remedy = "leave it out to let the data weigh as much as the regions"
            object.__setattr__(
                self, "scale", check_number("scale", self.scale, least=0, remedy=remedy)
            )

    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return 1 + scale × counts."""
        scale = graph.n_nodes / counts.sum() if self.scale is None else self.scale
        return 1.0 + float(scale) * counts.astype(np.float64)


@dataclass(frozen=True)
class ChungLanglands(VertexWeights):
    """The Laplacian of Chung and Langlands with vertex weights α = 1 + count, or 1 + a multiple.

    Their Laplacian is 𝓛 = D' - W^{1/2} A W^{1/2} with W = diag(α), A the (weighted) adjacency
    matrix and D'(u, u) = Σ_v α_v A(u, v) (F. R. K. Chung and R. P. Langlands, "A combinatorial
    Laplacian with vertex weights", J. Combin. Theory A 75 (1996) 316-327, section 2). Put
    g = W^{1/2} x in 𝓛 g = λ g and multiply by W^{1/2} from the left::

        (W^{1/2} D' W^{1/2} - W A W) x = λ W x.

    The matrix on the left has the entries Σ_v α_u α_v A(u, v) on the diagonal and
    -α_u α_v A(u, v) off it: it is the Laplacian of the edge weights α_u α_v A(u, v). So the
    pencil has vertex weights α, and edge weights multiplied by α_u α_v.

    Parameters
    ----------
    scale : float, optional
        Weight of all data together relative to all regions, ≥ 0:
        α = 1 + scale × (n_nodes / number of points) × count. By default α = 1 + count. A scale of
        10 finds classes best, whether two or more.

    Raises
    ------
    InputError
        If the scale is negative or not finite.
    """

    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None:
            remedy = "leave it out for 1 + count"
            object.__setattr__(
                self, "scale", check_number("scale", self.scale, least=0, remedy=remedy)
            )

    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return α."""
        factor = 1.0 if self.scale is None else self.scale * graph.n_nodes / counts.sum()
        return 1.0 + factor * counts.astype(np.float64)

    def edge_factors(
        self, graph: DualGraph, weights: NDArray[np.float64]
    ) -> NDArray[np.float64] | float:
        """Return α_u α_v of each edge (u, v)."""
        factors: NDArray[np.float64] = weights[graph.edges[:, 0]] * weights[graph.edges[:, 1]]
        return factors


@dataclass(frozen=True)
class Unweighted(VertexWeights):
    """W_V = I: the combinatorial Laplacian."""

    needs_points: ClassVar[bool] = False

    def __call__(self, graph: DualGraph, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return ones."""
        return np.ones(graph.n_nodes)


class EdgeWeights(ABC):
    """Gives each edge its weight, the diagonal of W_E."""

    @abstractmethod
    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return the positive weight of each edge, (n_edges,)."""


@dataclass(frozen=True)
class UnitEdges(EdgeWeights):
    """W_E = I."""

    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return ones."""
        return np.ones(graph.n_edges)


@dataclass(frozen=True)
class FacetLength(EdgeWeights):
    """The (d-1)-dimensional measure of the shared facet: its length in the plane.

    Raises
    ------
    InputError
        When called with Hamming adjacency, where an edge need not have a facet, or with a graph
        without a complex.
    """

    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return the measures."""
        if graph.kind != "facet":
            raise InputError(
                f"`edge_weights`='facet_length' needs adjacency 'facet', got {graph.kind!r}; "
                "build the graph with dual_graph(adjacency='facet')"
            )
        if graph.complex is None:
            raise InputError(_NO_COMPLEX.format("facet_length"))
        measures: NDArray[np.float64] = graph.complex.facet_measures[graph.facets]
        return measures


@dataclass(frozen=True)
class InverseDistance(EdgeWeights):
    """1 / distance between the regions' centroids.

    Raises
    ------
    InputError
        When called with a graph without a complex.
    """

    def __call__(self, graph: DualGraph) -> NDArray[np.float64]:
        """Return the inverse distances."""
        if graph.complex is None:
            raise InputError(_NO_COMPLEX.format("inverse_distance"))
        ends = graph.complex.centroids[graph.edges]
        with np.errstate(divide="ignore"):
            inverse: NDArray[np.float64] = 1.0 / np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
        return inverse


_NO_COMPLEX = (
    "`edge_weights`={!r} needs a graph with a complex, got one without; take the graph from "
    "CellComplex.dual_graph, or use 'unit'"
)
