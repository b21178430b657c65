"""Sizes at which the enumerator in any dimension changes its ways."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How a complex is split into blocks.

    It changes speed and memory. Law: the complex does not depend on it, cell by cell, whatever
    positive numbers these are; the order of cells and last bits of vertices may.

    Attributes
    ----------
    block_cells : int
        About how many cells a block should end with.
    few_regions : int
        Below this number of regions some neurons cut all of them first, so that there are more.
    sample : int
        At most how many regions are cut first to see how many there will be.
    map_numbers : int
        At most how many numbers the affine maps of a block should have.
    """

    block_cells: int = 2**18
    few_regions: int = 32
    sample: int = 32
    map_numbers: int = 2**17


DEFAULT = Tuning()
