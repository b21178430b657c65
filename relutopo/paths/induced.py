"""Facets between regions that segments meet, but that no segment crosses.

Pairs of patterns that differ in one neuron are found by lookup. The walls of one region prove that
both share a facet, as in `relutopo.search_regions`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.location import KnownRegions
from relutopo.geometry.patterns import find_patterns, pack_patterns, unpack_patterns
from relutopo.geometry.region import RegionGeometry, Sides

__all__ = ["InducedEdges", "induced_edges"]

_Ints = NDArray[np.int64]
_AT_ONCE = 64
"""Regions whose maps are computed together."""


class InducedEdges(NamedTuple):
    """Facets between known regions.

    Attributes
    ----------
    edges : (m, 2) ndarray of int64
        Pairs of regions i < j that share a facet.
    n_open : int
        Pairs whose patterns differ in one neuron, but for which a facet is neither proved nor
        disproved.
    """

    edges: _Ints
    n_open: int


def induced_edges(known: KnownRegions, edges: _Ints) -> InducedEdges:
    """Return the facets between known regions that are not among the given edges.

    Parameters
    ----------
    known : KnownRegions
    edges : (n_edges, 2) ndarray of int64
        Pairs i < j that need no proof.
    """
    network, domain = known.network, known.domain
    pairs = _neighbours(known.packed_patterns, network.n_neurons)
    n = max(1, len(known.packed_patterns))
    pairs = pairs[~np.isin(pairs @ np.array([n, 1]), edges @ np.array([n, 1]))]
    owners, first = np.unique(pairs[:, 0], return_index=True)
    groups = np.split(pairs[:, 1], first[1:])
    sides = Sides(domain)
    found: list[_Ints] = [np.empty((0, 2), dtype=np.int64)]
    n_open = 0
    for begin in range(0, len(owners), _AT_ONCE):
        part = owners[begin : begin + _AT_ONCE]
        patterns = unpack_patterns(known.packed_patterns[part], network.n_neurons)
        regions = RegionGeometry.of_patterns(network, sides, domain, patterns)
        for owner, others, region in zip(part, groups[begin:], regions, strict=False):
            if not region.inradius > 0:  # not a region: pieces that run along a plane
                n_open += len(others)
                continue
            walls = region.walls()
            beyond = {bytes(pack_patterns(wall[None])) for wall in walls.neighbours}
            behind = np.array([bytes(known.packed_patterns[k]) in beyond for k in others.tolist()])
            found.append(np.column_stack([np.full(behind.sum(), owner), others[behind]]))
            n_open += int((~behind).sum()) if walls.n_open else 0
    joined = np.sort(np.concatenate(found), axis=1)
    return InducedEdges(joined[np.lexsort(joined.T[::-1])], n_open)


def _neighbours(packed: NDArray[np.uint8], n_neurons: int) -> _Ints:
    """Return the pairs i < j of rows that differ in one bit, (m, 2), by i."""
    found: list[_Ints] = [np.empty((0, 2), dtype=np.int64)]
    for neuron in range(n_neurons):
        byte, bit = neuron // 8, np.uint8(1 << neuron % 8)
        off = np.flatnonzero(packed[:, byte] & bit == 0)
        if len(off):
            flipped = packed[off]
            flipped[:, byte] |= bit
            others = find_patterns(flipped, packed)
            there = others >= 0
            found.append(np.column_stack([off[there], others[there]]))
    pairs = np.sort(np.concatenate(found), axis=1)
    return pairs[np.lexsort(pairs.T[::-1])]
