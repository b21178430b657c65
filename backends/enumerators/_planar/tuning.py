"""Sizes that control the planar enumerator."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How the plane is split into blocks, and how the maps of a layer are found.

    Affects speed and memory. Law: the complex, cell by cell, is the same for all positive numbers,
    with `wide_first` and `share` at least 2. The order of cells, last bits of vertices and the
    number of exact decisions may differ.

    Attributes
    ----------
    numbers_at_once : int
        A block is split if the maps of its regions have this many numbers.
    fewest, fewest_at_last : int
        Fewest regions of a block; more in the last layer, which computes maps of few of its units,
        and where a block is split from twice as many on.
    room_to_grow : int
        Blocks begin smaller than that by this factor, because they grow with every layer.
    wide_first, share : int
        From this many units on, the first layer cuts in two stages; one in `share` of its units
        cuts first.
    regions_of_one_layer : int
        Most regions of a block if there is no other layer.
    wide_last : int
        From this many units in the last layer on, the units that may cut a block are selected.
    of_graph : int
        A block of a graph is split from this many regions on. Maps are computed for few of its
        units.
    siblings : int
        From this many children per parent on, a layer's maps are computed rather than its values at
        vertices.
    coarse : float
        If bounds of values exceed this share of the largest value, values are recomputed from maps
        to twice the precision.
    """

    numbers_at_once: int = 2**20
    fewest: int = 64
    fewest_at_last: int = 1024
    room_to_grow: int = 32
    wide_first: int = 256
    share: int = 8
    regions_of_one_layer: int = 2**13
    wide_last: int = 192
    of_graph: int = 8192
    siblings: int = 3
    coarse: float = 2.0**-31


DEFAULT = Tuning()
