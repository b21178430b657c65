"""Sizes at which the planar enumerator changes its ways."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How the plane is split into blocks, and how the maps of a layer are found.

    It changes speed and memory. Law: the complex does not depend on it, cell by cell, whatever
    positive numbers these are, `wide_first` and `share` at least 2. The order of cells, last bits
    of vertices and the number of decisions taken exactly may.

    Attributes
    ----------
    numbers_at_once : int
        From how many numbers in the maps of its regions on a block is split.
    fewest, fewest_at_last : int
        How few regions blocks may have; more in the last layer, which makes maps of few of its
        units, and where a block is split from twice as many on.
    room_to_grow : int
        How many times smaller than that blocks begin, for they grow with every layer.
    wide_first, share : int
        From how many units the first layer cuts in two stages, and which share of them, one in so
        many, cuts first.
    regions_of_one_layer : int
        How many regions blocks may come to have where there is no other layer.
    wide_last : int
        From how many units in the last layer those are looked for that may cut a block.
    of_graph : int
        From how many regions on a block of a graph is split. Maps are made of few of its units.
    siblings : int
        From how many children a parent on a layer's maps are made rather than its values at
        vertices.
    coarse : float
        From which share of the largest value on the bounds of values are too large, and values are
        computed anew from maps to twice the precision.
    """

    numbers_at_once: int = 2**20
    fewest: int = 64
    fewest_at_last: int = 1024
    room_to_grow: int = 32
    wide_first: int = 256
    share: int = 8
    regions_of_one_layer: int = 2**13
    wide_last: int = 192
    of_graph: int = 2048
    siblings: int = 3
    coarse: float = 2.0**-27


DEFAULT = Tuning()
