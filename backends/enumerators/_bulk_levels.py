"""Flats as the bulk enumerator stores them; see `_bulk`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._bulk_arrays import Array, Lists

__all__ = ["Block", "Level"]


@dataclass
class Level:
    """The flats of one dimension, those of cells of lower dimension first.

    Attributes
    ----------
    positive, negative : (n, n_words) ndarrays of uint64
        Units that are positive, and negative, somewhere on the flat; its border included.
    planes : (n, d - m) ndarray of int32
        Rows of the table of planes that meet in the flat.
    walls : Lists
        Flats of the dimension below that bound a flat, and after them those that cut it.
    cuts : ndarray of bool
        For each item of `walls`, whether it cuts.
    """

    positive: Array
    negative: Array
    planes: Array
    walls: Lists
    cuts: Array

    def __len__(self) -> int:
        return len(self.positive)

    @property
    def nonzero(self) -> Array:
        """Units that do not vanish on the whole flat."""
        return self.positive | self.negative


@dataclass
class Block:
    """The flats of one dimension in the cells of one dimension, of which there are `n_cells`.

    Numbers of facets and subflats are those in their level, where the first flat has `first`.
    """

    n_cells: int
    first: int
    carrier: Array
    positive: Array
    negative: Array
    planes: Array
    facets: Lists
    subflats: Lists = field(init=False)

    def __len__(self) -> int:
        return len(self.positive)

    @property
    def nonzero(self) -> Array:
        return self.positive | self.negative

    @property
    def crossing(self) -> Array:
        return self.positive & self.negative
