"""A layer of a graph on a block of the plane: its units there, their maps, and their signs.

Only units that may change their sign in the block are given maps (`relutopo.networks.local_maps`).
What the bounds leave open at a vertex is zero by structure where pooling compares what a kink has
set to zero with what vanishes on an edge there; that is known without any number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.graph import GraphNetwork
from relutopo.networks.local_maps import LocalGraph, LocalLayer, Place, Shared

from ..records import Beside, Cutters, Maps, PlanarCells, VertexSigns

__all__ = ["Evaluated", "LocalCut", "cut_locally", "without_zeros"]


class Evaluated(NamedTuple):
    """A graph as far as it is evaluated on a block, or None where it is not.

    `shared` is what the patterns of the block's regions share, if they are kept short.
    """

    graph: LocalGraph | None
    shared: Shared | None

    def of(self, parts: NDArray[np.integer]) -> Evaluated:
        """Return what is known on a part of the block: fewer units switch there."""
        return Evaluated(None, self.shared)


class LocalCut(NamedTuple):
    """What cuts a block, with the maps of its regions."""

    cutters: Cutters
    maps: Maps
    layer: LocalLayer
    evaluated: Evaluated


def cut_locally(
    network: GraphNetwork,
    layer: int,
    cells: PlanarCells,
    magnitude: NDArray[np.float64],
    earlier: Evaluated,
) -> LocalCut | None:
    """Return what cuts a block, or None where numbers leave the range of floats.

    Parameters
    ----------
    network : GraphNetwork
    layer : int
        At least 1.
    cells : PlanarCells
        The block before the layer cuts.
    magnitude : (2,) ndarray
        Bound of the coordinates of the domain.
    earlier : Evaluated
        Of the layer before, with what patterns share.
    """
    n_before, d = network.layer_offsets[layer], cells.x.shape[1]
    graph, shared = earlier
    assert shared is not None
    if graph is None:
        off = cells.deviation.max()
        low, high = cells.x.min(axis=0) - off, cells.x.max(axis=0) + off
        reach = np.minimum(np.maximum(-low, high), magnitude)
        place = Place(np.maximum(low, -reach), np.minimum(high, reach), np.unique(cells.labels))
        graph = LocalGraph(network, place, reach)
    with np.errstate(over="ignore", invalid="ignore"):
        found, graph = graph.layer(layer, shared, cells.packed)
    planes, errors = found.maps.planes, found.maps.errors
    if not np.isfinite(errors).all():
        return None
    every = np.arange(len(planes), dtype=np.int32)
    norms = np.zeros((len(planes), d + 1))  # not used
    maps = Maps(planes, every, errors, every, norms, float(magnitude.min()))
    bits = len(shared.neurons) + np.arange(len(found.units), dtype=np.int32)
    shared = shared.then(found.units, found.is_on)
    no_others = np.zeros(-(-len(shared.neurons) // 8), np.uint8)
    cutters = Cutters((n_before + found.units).astype(np.int32), bits, no_others)
    return LocalCut(cutters, maps, found, Evaluated(graph, shared))


def without_zeros(
    signs: VertexSigns, layer: LocalLayer, cells: PlanarCells, beside: Beside
) -> VertexSigns:
    """Return signs without those unknown ones that are zero by structure."""
    if not len(signs.unknown):
        return signs
    vertices, place = np.unique(signs.unknown[:, 0], return_inverse=True)
    regions = beside.vertex_owner[vertices]
    zero = layer.vanish_at(regions, _lines(regions, vertices, cells, beside))
    left = ~zero[place, signs.unknown[:, 1]]
    return signs._replace(unknown=np.ascontiguousarray(signs.unknown[left]))


def _lines(
    regions: NDArray[np.int32], vertices: NDArray[np.int32], cells: PlanarCells, beside: Beside
) -> NDArray[np.int32]:
    """Return the labels of the two edges of a region that meet in a corner, (n, 2)."""
    ptr = cells.region_ptr
    counts = ptr[regions + 1] - ptr[regions]
    corners = np.arange(counts.sum()) + np.repeat(
        ptr[regions] - (np.cumsum(counts) - counts), counts
    )
    corner = corners[beside.origins[corners] == np.repeat(vertices, counts)]
    before = np.where(corner == ptr[regions], ptr[regions + 1], corner) - 1
    halves = np.stack([cells.half_edges[corner], cells.half_edges[before]], axis=1)
    labels: NDArray[np.int32] = cells.labels[halves >> 1]
    return labels
