"""The weighted Laplacian W_V^{-1} ∂ᵀ W_E ∂ of a dual graph, as a symmetric pencil.

Here ∂ is the coboundary, the edge-by-node matrix. W_V^{-1} L has the same eigenpairs as the
symmetric generalised problem L x = λ W_V x with L = ∂ᵀ W_E ∂.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from relutopo.arrays import read_only
from relutopo.errors import InputError, WeightsError
from relutopo.spectral.csr import csr_of
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.weights import EdgeWeights, VertexWeights
from relutopo.system.interrupts import deliver_interrupts

__all__ = ["Pencil", "coboundary", "pencil"]


@dataclass(frozen=True, eq=False)
class Pencil:
    """The matrices of L x = λ W_V x.

    Attributes
    ----------
    graph : DualGraph
    vertex_weights : (n,) ndarray
        Diagonal of W_V.
    edge_weights : (n_edges,) ndarray
        Diagonal of W_E.
    """

    graph: DualGraph
    vertex_weights: NDArray[np.float64]
    edge_weights: NDArray[np.float64]

    @cached_property  # the same for pencils that differ in W_V only
    def laplacian(self) -> sparse.csr_array:
        """L = ∂ᵀ W_E ∂, (n, n)."""
        from relutopo.spectral.kernels import laplacian_rows  # loads numba

        n, edges = self.graph.n_nodes, self.graph.edges.astype(np.int32, copy=False)
        return csr_of(*laplacian_rows(edges, self.edge_weights, n))


def coboundary(graph: DualGraph) -> sparse.csr_array:
    """Return ∂, which maps a function on nodes to its differences along edges.

    Parameters
    ----------
    graph : DualGraph

    Returns
    -------
    scipy.sparse.csr_array, shape (n_edges, n_nodes)
        Row (u, v) has -1 at u and +1 at v.

    Examples
    --------
    >>> graph = DualGraph(3, np.array([[0, 1], [1, 2]]), np.array([-1, -1]), "hamming")
    >>> coboundary(graph).toarray().tolist()
    [[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]]
    """
    signs = np.tile([-1.0, 1.0], graph.n_edges)
    indptr = np.arange(graph.n_edges + 1) * 2
    return sparse.csr_array(
        (signs, graph.edges.ravel(), indptr), shape=(graph.n_edges, graph.n_nodes)
    )


@deliver_interrupts
def pencil(
    graph: DualGraph,
    counts: NDArray[np.int64],
    vertex_weights: VertexWeights,
    edge_weights: EdgeWeights,
) -> Pencil:
    """Return the weighted Laplacian of a graph.

    Parameters
    ----------
    graph : DualGraph
    counts : (n_nodes,) ndarray of int64
        Number of data points in each region.
    vertex_weights : VertexWeights
    edge_weights : EdgeWeights

    Returns
    -------
    Pencil

    Raises
    ------
    InputError
        If a strategy gives a wrong number of weights or factors.
    WeightsError
        If a weight is not positive and finite.

    Examples
    --------
    >>> from relutopo.spectral.weights import CountPlusOne, UnitEdges
    >>> graph = DualGraph(2, np.array([[0, 1]]), np.array([-1]), "hamming")
    >>> system = pencil(graph, np.array([4, 0]), CountPlusOne(), UnitEdges())
    >>> system.laplacian.toarray().tolist(), system.vertex_weights.tolist()
    ([[1.0, -1.0], [-1.0, 1.0]], [5.0, 1.0])
    """

    def of_vertices() -> str:  # names may be long arrays, and are needed for messages only
        return f"`vertex_weights`={vertex_weights!r}"

    def of_edges() -> str:
        return f"`edge_weights`={edge_weights!r}"

    w_v = _positive(of_vertices, vertex_weights(graph, read_only(counts)), graph.n_nodes)
    w_e = _positive(of_edges, edge_weights(graph), graph.n_edges)
    factors = np.asarray(vertex_weights.edge_factors(graph, read_only(w_v)), dtype=np.float64)
    if factors.ndim:
        factors = _positive(lambda: f"`edge_factors` of {of_vertices()}", factors, graph.n_edges)
    elif factors == 1.0:
        return Pencil(graph, w_v, w_e)
    with np.errstate(over="ignore"):  # the product of two floats may overflow
        products = w_e * factors
    w_e = _positive(
        lambda: f"{of_edges()} times `edge_factors` of {of_vertices()}", products, graph.n_edges
    )
    return Pencil(graph, w_v, w_e)


def _positive(named: Callable[[], str], weights: ArrayLike, n: int) -> NDArray[np.float64]:
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (n,):
        raise InputError(
            f"{named()} must give an array of shape ({n},), got {weights.shape}; "
            "correct the strategy"
        )
    good = (weights > 0) & (weights < np.inf)
    if not good.all():
        bad = int(np.argmin(good))
        raise WeightsError(
            f"{named()} must give positive finite weights, got {weights[bad]} at "
            f"index {bad}; choose another strategy"
        )
    return weights
