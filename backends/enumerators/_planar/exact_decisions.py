"""Exact decisions for the planar enumerator, where error bounds leave a sign or an order open.

A region's activation pattern names the planes of its neurons (`_certified.decisions`), and a vertex
is the point where the planes of the facets beside it vanish. Lines that bound a region and meet in
a corner are never parallel there, so every corner is determined by its two neighbouring edges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._certified import decisions
from .._certified.decisions import Decisions
from .blocks.block import Block
from .maps.choices import Choices
from .records import Beside

__all__ = ["Plane", "Point", "Settler", "settle_orders", "settle_signs"]

Plane: TypeAlias = tuple[int, int]
"""A region, and the label of a side, of an earlier neuron or of one that cuts."""
Point: TypeAlias = tuple[int, Sequence[int]]
"""A region and d labels, whose planes meet in the point."""


class Settler:
    """Passes open signs and orders of a block, before one layer cuts it, to `Decisions`.

    Parameters
    ----------
    decisions : Decisions
    block : Block
    choices : Choices or None
        What pooling chooses on the block's regions, where there is pooling.
    """

    def __init__(self, decisions: Decisions, block: Block, choices: Choices | None) -> None:
        self.decisions, self._block, self._choices = decisions, block, choices

    def left(
        self, unknown: NDArray[np.int32], neurons: NDArray[np.int32], beside: Beside
    ) -> NDArray[np.int32]:
        """Return those of the (vertex, unit) pairs that what pooling chooses leaves open."""
        if self._choices is None or not len(unknown):
            return unknown
        return self._choices.left(unknown, neurons, self._block.cells, beside)

    def meet(self, region: int, line: int, neurons: Sequence[int]) -> bool:
        """Tell whether neurons cross a line in one point of a region by what pooling chooses."""
        known = self._choices
        return known is not None and known.meet(region, line, np.array(neurons))

    def planes(self, region: int, labels: Sequence[int]) -> list[decisions.Plane]:
        """Return the planes of labels on a region."""
        (packed,) = self._block.patterns(slice(region, region + 1))
        return [(label, packed) for label in labels]

    def lines(self, region: int, vertex: int) -> list[int]:
        """Return the labels of the d facets of a region that meet in a corner."""
        cells = self._block.cells
        if cells.x.shape[1] == 1:
            return [int(cells.labels[vertex])]
        sides = slice(cells.region_ptr[region], cells.region_ptr[region + 1])
        (q,) = np.flatnonzero(self._block.beside.origins[sides] == vertex)
        halves = cells.half_edges[sides]
        return [int(cells.labels[halves[i] >> 1]) for i in (q, q - 1)]


def settle_signs(
    settler: Settler,
    unknown: NDArray[np.int32],
    neurons: NDArray[np.int32],
    owner: NDArray[np.int32],
) -> tuple[list[tuple[int, int, int]], int]:
    """Return (vertex, unit, sign) for the (vertex, unit) pairs in `unknown`; see `Cutters`.

    Also how many of them took numbers.
    """
    found: list[tuple[int, int, int]] = []
    n_open = 0
    for vertex, pairs in groupby(unknown.tolist(), key=lambda pair: pair[0]):
        region, units = int(owner[vertex]), [unit for _, unit in pairs]
        meeting = settler.planes(region, settler.lines(region, vertex))
        wanted = settler.planes(region, neurons[units].tolist())
        signs, _, n_left = settler.decisions.signs(meeting, wanted, None)
        found += [(vertex, unit, sign) for unit, sign in zip(units, signs, strict=True)]
        n_open += n_left
    return found, n_open


def settle_orders(
    settler: Settler,
    ptr: NDArray[np.int64],
    linked: NDArray[np.bool_],
    columns: Sequence[NDArray[Any]],
    ends: Callable[[int], tuple[Point, Point]],
    line: Callable[[int], int],
    plane: Callable[[int, int], Plane],
) -> int:
    """Order crossings exactly where that is open, and find those at the same point, in place.

    Parameters
    ----------
    settler : Settler
    ptr : (n_segments + 1,) ndarray
        Crossings ``ptr[s]:ptr[s + 1]`` lie on segment s, in order but for open runs.
    linked : ndarray of bool
        Crossing i and i - 1 are in open order; on return: at the same point.
    columns : sequence of ndarrays
        Arrays with an entry for each crossing, which are permuted; crossings at the same point
        are put in the order of the first one.
    ends : callable
        Segment → its ends.
    line : callable
        Segment → a label that vanishes on it, on the region of the planes that cross it.
    plane : callable
        (segment, crossing) → the plane whose zero the crossing is.

    Returns
    -------
    int
        How many orders took numbers.
    """
    open_places, n_open = np.flatnonzero(linked), 0
    for run in np.split(open_places, np.flatnonzero(np.diff(open_places) > 1) + 1):
        if not run.size:
            continue
        lo, hi = int(run[0]) - 1, int(run[-1]) + 1
        segment = int(np.searchsorted(ptr, lo, side="right")) - 1
        crossing = [plane(segment, i) for i in range(lo, hi)]
        (region, *_), labels = zip(*crossing, strict=True)
        parameters, n_left = [Fraction(0)] * len(labels), 0
        if not settler.meet(region, line(segment), labels):
            parameters, n_left = settler.decisions.parameters(
                [settler.planes(*end) for end in ends(segment)],
                [settler.planes(region, [label])[0] for label in labels],
            )
        n_open += n_left
        items = columns[0][lo:hi]
        order = sorted(range(hi - lo), key=lambda k: (parameters[k], items[k]))
        for column in columns:
            column[lo:hi] = column[lo:hi][order]
        linked[lo:hi] = [
            k > 0 and parameters[order[k]] == parameters[order[k - 1]] for k in range(hi - lo)
        ]
    return n_open
