"""The enumerator `cpu` on lines (d = 1): every layer cuts the segments where its units vanish."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from relutopo.interfaces import Progress
from relutopo.system.compilation import njit

from .._shared.bits import set_bits
from .._shared.task import Stage
from .blocks.block import Block
from .cuts.cut import place_edges
from .cuts.faces import split_edges
from .layer import LayerCut, PlanarTask
from .records import PlanarCells

__all__ = ["cut_line"]


def cut_line(task: PlanarTask, block: Block, progress: Progress | None) -> Block:
    """Cut the domain by all layers; regions are edges, and labels belong to vertices."""
    sizes = task.network.layer_sizes
    for layer, size in enumerate(sizes):
        cut = LayerCut(task, Stage(layer, 0, size), block)
        crossed, crossings = cut.crossed, cut.crossed.crossings
        placed = place_edges(cut.cells, crossings, task.magnitude)
        cut.refine_edges(placed)
        task.check_limit(2 * len(placed.x) - 1, layer)
        first_of_group = np.flatnonzero(~crossings.same)
        labels = cut.units.neurons[crossings.item[first_of_group]]
        pieces = split_edges(cut.cells.edge_vertices, placed.group_ptr, cut.n_old, 0)
        cells = PlanarCells(
            x=placed.x,
            deviation=placed.deviation,
            edge_vertices=pieces,
            labels=np.concatenate([cut.cells.labels, labels]),
            region_ptr=np.arange(0, 2 * len(pieces) + 1, 2),
            half_edges=np.arange(2 * len(pieces), dtype=np.int32),
            packed=_patterns(crossed, placed.first_piece),
        )
        n_uncertain = cut.n_uncertain
        block = replace(block, cells=cells, n_uncertain=n_uncertain, known_beside=None)
        if progress is not None:
            progress(layer + 1, len(sizes), f"{block.n_regions} regions")
    return block


@njit(cache=True, nogil=True)
def _patterns(crossed, first_piece):
    """Return the patterns of the pieces of the edges."""
    edge_vertices, packed = crossed.cells.edge_vertices, crossed.cells.packed
    positive, crossings = crossed.signs.positive, crossed.crossings
    ptr, item, same = crossings.ptr, crossings.item, crossings.same
    bits, n_bytes = crossed.cutters.bits, len(crossed.cutters.always)
    result = np.empty((first_piece[-1], n_bytes), np.uint8)
    for r in range(len(edge_vertices)):
        row = np.zeros(n_bytes, np.uint8)
        row[: packed.shape[1]] = packed[r]
        a, b = edge_vertices[r]
        set_bits(row, bits, positive[a] | positive[b])
        # On the first piece a unit that crosses has the sign that it has at a.
        for i in range(ptr[r], ptr[r + 1]):
            if not (positive[a, item[i] >> 6] >> np.uint64(item[i] & 63)) & np.uint64(1):
                bit = bits[item[i]]
                row[bit >> 3] ^= np.uint8(1 << (bit & 7))
        k = first_piece[r]
        for i in range(ptr[r], ptr[r + 1]):
            if not same[i]:
                result[k] = row
                k += 1
            bit = bits[item[i]]
            row[bit >> 3] ^= np.uint8(1 << (bit & 7))
        result[k] = row
    return result
