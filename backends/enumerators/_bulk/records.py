"""Cells and flats as the bulk enumerator stores them; see `enumerator`."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._shared.planes import PlaneTable
from .sets.lists import Array, Lists

__all__ = ["BulkCells", "FlatSigns", "Flats", "Level"]


@dataclass
class BulkCells:
    """A complex on the device.

    Attributes
    ----------
    x, deviation : (d, n_0), (n_0,) ndarrays
        Vertices, and bounds of their errors.
    facets : list of d Lists
        Entry k - 1 has the facets of the k-cells.
    planes : list of d ndarrays of int32, (n_k, d - k)
        Rows of `table`: the planes in which a k-cell lies, for k < d.
    table : PlaneTable
    """

    x: Array
    deviation: Array
    facets: list[Lists]
    planes: list[Array]
    table: PlaneTable

    @property
    def n(self) -> tuple[int, ...]:
        """Number of cells of each dimension."""
        return (len(self.deviation), *map(len, self.facets))


@dataclass
class FlatSigns:
    """Signs of a layer's units on some flats.

    Attributes
    ----------
    positive, negative : (n, n_words) ndarrays of uint64
        Units that are positive, and negative, somewhere on the flat, its border included. Units in
        neither set vanish on the whole flat.
    """

    positive: Array
    negative: Array

    def __len__(self) -> int:
        return len(self.positive)

    @property
    def nonzero(self) -> Array:
        """Units that do not vanish on the whole flat."""
        return self.positive | self.negative

    @property
    def crossing(self) -> Array:
        """Units that have both signs on the flat."""
        return self.positive & self.negative


@dataclass
class Level(FlatSigns):
    """The flats of one dimension, those of cells of lower dimension first.

    Attributes
    ----------
    planes : (n, d - m) ndarray of int32
        Rows of the table of planes that meet in the flat.
    walls : Lists
        Flats of the dimension below that bound a flat, and after them those that cut it.
    cuts : ndarray of bool
        For each item of `walls`, whether it cuts.
    """

    planes: Array
    walls: Lists
    cuts: Array


@dataclass
class Flats(FlatSigns):
    """The flats of one dimension in the cells of one dimension.

    Facets and subflats are numbered as in their level.

    Attributes
    ----------
    regions : (n_cells,) ndarray of int32
        A region that contains each of the cells.
    first : int
        Number of the first flat in its level.
    carrier : (n,) ndarray of int32
        The cell in which each flat lies.
    planes : (n, d - m) ndarray of int32
    facets, subflats : Lists
        The flats that bound a flat, and those that cut it.
    """

    regions: Array
    first: int
    carrier: Array
    planes: Array
    facets: Lists
    subflats: Lists = field(init=False)
