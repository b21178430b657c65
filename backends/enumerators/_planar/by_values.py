"""A whole cut of a block in one call, where a layer's values are known at the vertices.

Threads take turns at whatever is done outside of kernels, and changing turns takes them longer than
most steps of a cut. So as long as bounds decide everything, all steps follow each other in here;
otherwise nothing is done, and they are taken one by one (`layer`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

from .blocks.block import incidences
from .cuts.cut import BUILT, finish
from .cuts.lines import lines_after
from .maps.vertex_values import add_vertices, fit_maps, next_values
from .records import Beside, Crossed, Crossings, PlanarCells, Values

__all__ = ["CutByValues", "cut_by_values"]


class CutByValues(NamedTuple):
    """What `cut_by_values` returns; as before the cut unless it is done.

    Attributes
    ----------
    is_done : bool
    cells : PlanarCells
    beside, values, lines
        Of the complex after the cut; as before in the last layer, where nothing needs them.
    first_piece : (n_edges + 1,) ndarray of int64
        Of `Placed`.
    """

    is_done: bool
    cells: PlanarCells
    beside: Beside
    values: Values
    lines: NDArray[np.float64]
    first_piece: NDArray[np.int64]


@njit(cache=True, nogil=True)
def cut_by_values(this, cutters, cells, beside, earlier, lines, limits, is_last):
    """Cut a block by a layer unless anything is open or there would be too many cells.

    Parameters
    ----------
    this : `maps.chain._Layer`
    cutters : Cutters
        Its units.
    cells, beside
        The complex before the layer cuts.
    earlier : Values
        Of the layer before.
    lines
        As for `finish`.
    limits : CutLimits
    is_last : bool
        Whether this is the last layer.
    """
    undone = CutByValues(False, cells, beside, earlier, lines, np.empty(0, np.int64))
    values, signs = next_values(this, cells, beside, earlier)
    if len(signs.unknown) > 0:
        return undone
    maps = fit_maps(values, cells, beside, signs)
    # What crosses edges is yet to be found.
    numbers, places, t = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
    crossings = Crossings(numbers, places, t, t, np.empty(0, np.bool_))
    above = np.empty((0, 0), np.uint64)
    crossed = Crossed(cells, beside, cutters, maps, signs, crossings, above, places)
    done = finish(crossed, False, lines, limits)
    if done.reached != BUILT or done.n_cells > limits.most:
        return undone
    cut, first_piece = done.cut, done.placed.first_piece
    for v in range(len(done.placed.x), len(cut.cells.x)):
        if not cut.cells.deviation[v] <= limits.target:
            return undone
    if is_last:
        return CutByValues(True, cut.cells, beside, earlier, lines, first_piece)
    if len(lines) > 0:
        lines = lines_after(lines, crossed, first_piece, cut)
    values = add_vertices(values, cells, done.placed, cut.inner_ends, cut.cells.x)
    return CutByValues(True, cut.cells, incidences(cut.cells), values, lines, first_piece)
