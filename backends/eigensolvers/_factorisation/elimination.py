"""The plan of an elimination in the order of a dissection: its entries, its cost, its pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.system.compilation import njit
from relutopo.system.memory import available_bytes
from relutopo.system.threads import Run

from .dissection import Dissection, nested_dissection
from .tuning import DEFAULT, Tuning

__all__ = ["Elimination", "Piece"]


_LITTLE = 2**25


class Piece(NamedTuple):
    """Blocks first:last of a dissection: one block and all below it, or one above other pieces.

    Attributes
    ----------
    first, last : int
    below : tuple of int
        The pieces whose last block has the last block of this piece next above it, ascending.
    """

    first: int
    last: int
    below: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Elimination:
    """The pattern of the factor of a Laplacian, before any entry is computed.

    Attributes
    ----------
    dissection : Dissection
    positions : (n,) ndarray of int32
        The position of each node in the order of elimination.
    border_ptr, borders : ndarray
        The border of block b is borders[border_ptr[b]:border_ptr[b + 1]], ascending positions:
        later ones to which the block will be joined.
    panel_ptr : (n_blocks + 1,) ndarray of int64
        Where the columns of the factor of each block start, if all of a block are as long as the
        first.
    n_operations : float
        Multiplications, and as many additions, of the factorisation.
    pieces : tuple of Piece
        All blocks, ascending.
    levels : tuple of tuple of int
        The pieces, so that those below a piece are in earlier levels: the pieces of a level do
        not depend on each other.
    slots : ndarray of int32
        For each entry of `borders` its place in a vector over the positions of the block's piece
        and, after these, over the border of the piece's last block.
    """

    dissection: Dissection
    positions: NDArray[np.int32]
    border_ptr: NDArray[np.int64]
    borders: NDArray[np.int32]
    panel_ptr: NDArray[np.int64]
    n_operations: float
    pieces: tuple[Piece, ...]
    levels: tuple[tuple[int, ...], ...]
    slots: NDArray[np.int32]

    @classmethod
    def of(
        cls, laplacian: sparse.csr_array, run: Run = map, tuning: Tuning = DEFAULT
    ) -> Elimination:
        """Plan the elimination of a symmetric matrix, (n, n).

        `run` is `map`, or a `map` that works in threads; the result does not depend on it.
        """
        indptr, indices = laplacian.indptr, laplacian.indices
        dissection = nested_dissection(indptr, indices, run, tuning)
        starts, parents = dissection.starts, dissection.parents
        positions, border_ptr, borders, panel_ptr, n_operations = _borders(
            indptr, indices, dissection.order, starts, parents
        )
        pieces = _pieces(starts, parents, tuning)
        slots = borders
        levels: tuple[tuple[int, ...], ...] = ((0,),)
        if len(pieces) > 1:
            levels = _levels(pieces)
            slots = np.empty_like(borders)
            for piece in pieces:
                _fill_in_slots(starts, border_ptr, borders, piece.first, piece.last, slots)
        return cls(
            dissection,
            positions,
            border_ptr,
            borders,
            panel_ptr,
            n_operations,
            pieces,
            levels,
            slots,
        )

    @property
    def blocks(self) -> tuple[NDArray[Any], ...]:
        """The arrays that elimination needs."""
        return (
            self.dissection.order,
            self.dissection.starts,
            self.dissection.parents,
            self.positions,
            self.border_ptr,
            self.borders,
            self.panel_ptr,
        )

    @property
    def n_entries(self) -> int:
        """Entries of the factor."""
        columns = np.diff(self.dissection.starts)
        return int(self.panel_ptr[-1] - (columns * (columns - 1) // 2).sum())

    @property
    def n_bytes(self) -> int:
        """Memory that the factorisation needs: the panels, and the largest fronts."""
        largest = int(np.diff(self.border_ptr).max())
        return 8 * (int(self.panel_ptr[-1]) + 2 * largest**2)

    def has_room(self) -> bool:
        """Tell whether that is available; for small amounts the system is not asked."""
        n = len(self.positions)
        if 8 * (int(self.panel_ptr[-1]) + 2 * n * n) <= _LITTLE:  # no border is longer
            return True
        return self.n_bytes <= _LITTLE or self.n_bytes <= available_bytes()

    def positions_of(self, piece: Piece) -> slice:
        """Return the positions of the nodes of a piece in the order of elimination."""
        starts = self.dissection.starts
        return slice(int(starts[piece.first]), int(starts[piece.last]))

    def border_of(self, piece: Piece) -> NDArray[np.int32]:
        """Return the border of a piece's last block, which holds all positions beyond the piece."""
        return self.borders[self.border_ptr[piece.last - 1] : self.border_ptr[piece.last]]


@njit(cache=True)
def _sum_of_squares(n):
    return n * (n + 1) * (2 * n + 1) / 6


def _pieces(
    starts: NDArray[np.int64], parents: NDArray[np.int64], tuning: Tuning
) -> tuple[Piece, ...]:
    if starts[-1] <= tuning.piece_size and (parents[:-1] >= 0).all():
        return (Piece(0, len(parents), ()),)
    first, n_nodes = _subtrees(starts, parents)
    is_large = n_nodes > max(tuning.piece_size, tuning.piece_share * starts[-1])
    is_top = (parents < 0) | is_large[parents]
    pieces: list[Piece] = []
    below: dict[int, list[int]] = {}
    for last in np.flatnonzero(is_top | is_large).tolist():
        begin = last if is_large[last] else int(first[last])
        below.setdefault(int(parents[last]), []).append(len(pieces))
        pieces.append(Piece(begin, last + 1, tuple(below.get(last, ()))))
    return tuple(pieces)


def _levels(pieces: tuple[Piece, ...]) -> tuple[tuple[int, ...], ...]:
    heights: list[int] = []
    for piece in pieces:
        heights.append(1 + max((heights[i] for i in piece.below), default=-1))
    return tuple(
        tuple(i for i, height in enumerate(heights) if height == level)
        for level in range(max(heights) + 1)
    )


@njit(cache=True)
def _subtrees(starts, parents):
    """Return the first block below each block or itself, and how many nodes all of these have."""
    n_blocks = len(parents)
    first, n_nodes = np.empty(n_blocks, np.int64), np.empty(n_blocks, np.int64)
    for b in range(n_blocks):
        first[b], n_nodes[b] = b, starts[b + 1] - starts[b]
    for b in range(n_blocks):
        if parents[b] >= 0:
            first[parents[b]] = min(first[parents[b]], first[b])
            n_nodes[parents[b]] += n_nodes[b]
    return first, n_nodes


@njit(cache=True)
def _borders(indptr, indices, order, starts, parents):
    """Return positions, border_ptr, borders, panel_ptr and n_operations of `Elimination`."""
    n, n_blocks = len(order), len(parents)
    positions = np.empty(n, np.int32)
    for k in range(n):
        positions[order[k]] = k
    first_child = np.full(n_blocks, -1, np.int64)
    sibling = np.full(n_blocks, -1, np.int64)
    mark = np.full(n, -1, np.int64)
    border_ptr = np.zeros(n_blocks + 1, np.int64)
    borders = np.empty(len(indices), np.int32)
    size = 0
    for b in range(n_blocks):
        end = starts[b + 1]
        # Room for the largest number of entries.
        most = 0
        for k in range(starts[b], end):
            most += indptr[order[k] + 1] - indptr[order[k]]
        child = first_child[b]
        while child >= 0:
            most += border_ptr[child + 1] - border_ptr[child]
            child = sibling[child]
        if size + most > len(borders):
            longer = np.empty(2 * len(borders) + most, np.int32)
            for p in range(size):
                longer[p] = borders[p]
            borders = longer
        for k in range(starts[b], end):
            for p in range(indptr[order[k]], indptr[order[k] + 1]):
                i = positions[indices[p]]
                if i >= end and mark[i] != b:
                    mark[i] = b
                    borders[size] = i
                    size += 1
        child = first_child[b]
        while child >= 0:
            for p in range(border_ptr[child], border_ptr[child + 1]):
                i = borders[p]
                if i >= end and mark[i] != b:
                    mark[i] = b
                    borders[size] = i
                    size += 1
            child = sibling[child]
        border_ptr[b + 1] = size
        if parents[b] >= 0:
            sibling[b] = first_child[parents[b]]
            first_child[parents[b]] = b
    panel_ptr, n_operations = np.zeros(n_blocks + 1, np.int64), 0.0
    for b in range(n_blocks):
        own, below = starts[b + 1] - starts[b], border_ptr[b + 1] - border_ptr[b]
        panel_ptr[b + 1] = panel_ptr[b] + own * (own + below)
        # Half of Σ over all columns of the squares of their numbers of entries.
        squares = _sum_of_squares(float(own + below)) - _sum_of_squares(float(below))
        n_operations += squares / 2
    return positions, border_ptr, _ascending(n, border_ptr, borders), panel_ptr, n_operations


@njit(cache=True)
def _ascending(n, border_ptr, borders):
    """Return the borders of all blocks, each of them sorted: taken by position they come so."""
    size = border_ptr[-1]
    ends = np.zeros(n + 1, np.int64)
    for p in range(size):
        ends[borders[p] + 1] += 1
    for i in range(n):
        ends[i + 1] += ends[i]
    blocks = np.empty(size, np.int64)
    for b in range(len(border_ptr) - 1):
        for p in range(border_ptr[b], border_ptr[b + 1]):
            blocks[ends[borders[p]]] = b
            ends[borders[p]] += 1
    found, at, q = np.empty(size, np.int32), border_ptr.copy(), 0
    for i in range(n):
        while q < ends[i]:
            found[at[blocks[q]]] = i
            at[blocks[q]] += 1
            q += 1
    return found


@njit(cache=True)
def _fill_in_slots(starts, border_ptr, borders, first, last, slots):
    """Fill in the slots of the blocks of a piece."""
    begin, end = starts[first], starts[last]
    beyond = borders[border_ptr[last - 1] : border_ptr[last]]
    for p in range(border_ptr[first], border_ptr[last]):
        if borders[p] < end:
            slots[p] = borders[p] - begin
            continue
        low, high = 0, len(beyond)
        while low < high:
            middle = (low + high) // 2
            if beyond[middle] < borders[p]:
                low = middle + 1
            else:
                high = middle
        slots[p] = end - begin + low
