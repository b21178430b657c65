"""A layer of a graph on a block of the plane: its units there, their maps, and their signs.

Only units that may change their sign in the block are given maps (`relutopo.networks.local_maps`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.networks.graph import GraphNetwork
from relutopo.networks.local_maps import LocalGraph, Place, Shared

from ..records import Beside, Cutters, Maps, PlanarCells, VertexSigns
from .choices import Choices, may_vanish
from .entries import Entries
from .graph_signs import maps_and_signs

__all__ = ["Evaluated", "LocalCut", "cut_locally"]


class Evaluated(NamedTuple):
    """A graph as far as it is evaluated on a block, or None where it is not.

    `shared` is what the patterns of the block's regions share, if they are kept short, and
    `choices` what pooling chooses on them, where there is pooling.
    """

    graph: LocalGraph | None
    shared: Shared | None
    choices: Choices | None = None

    def of(self, parts: NDArray[np.integer]) -> Evaluated:
        """Return what is known on a part of the block: fewer units switch there."""
        return Evaluated(None, self.shared)


class LocalCut(NamedTuple):
    """What cuts a block, with maps where it may cross regions, and signs at vertices.

    `beside` may be without lists of own vertices.
    """

    beside: Beside
    cutters: Cutters
    maps: Maps
    signs: VertexSigns
    evaluated: Evaluated


def cut_locally(
    network: GraphNetwork,
    layer: int,
    cells: PlanarCells,
    magnitude: NDArray[np.float64],
    earlier: Evaluated,
    entries: Callable[[], Entries] | None,
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
    entries : callable or None
        Gives the network's entries, where there is pooling.
    """
    n_before = network.layer_offsets[layer]
    graph, shared, choices = earlier
    assert shared is not None
    if graph is None:
        off = cells.deviation.max()
        low, high = cells.x.min(axis=0) - off, cells.x.max(axis=0) + off
        reach = np.minimum(np.maximum(-low, high), magnitude)
        place = Place(np.maximum(low, -reach), np.minimum(high, reach), np.unique(cells.labels))
        graph = LocalGraph(network, place, reach)
        choices = None if entries is None else Choices(entries)
    with np.errstate(over="ignore", invalid="ignore"):
        found, graph = graph.layer(layer, shared, cells.packed)
    if not np.isfinite(found.changes.maps[:, -1]).all():
        return None
    neurons = (n_before + found.units).astype(np.int32)
    zeros = np.zeros(len(cells.packed) + 1, np.int64), np.empty(0, np.int32)
    if choices is not None:
        choices.on(shared, cells.packed)
        if may_vanish(found.changes, graph.reach):
            zeros = choices.vanishing(neurons, found.changes, graph.reach)
    beside, maps, signs = maps_and_signs(
        len(found.units),
        found.changes,
        zeros,
        found.variables,
        found.supports,
        found.others,
        cells,
        float(magnitude.min()),
    )
    bits = len(shared.neurons) + np.arange(len(found.units), dtype=np.int32)
    shared = shared.then(found.units, found.is_on)
    no_others = np.zeros(shared.n_bytes, np.uint8)
    cutters = Cutters(neurons, bits, no_others)
    return LocalCut(beside, cutters, maps, signs, Evaluated(graph, shared, choices))
