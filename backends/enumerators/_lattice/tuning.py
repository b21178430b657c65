"""Sizes that control the enumerator in any dimension."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How a complex is split into parts.

    Affects speed and memory. Law: the complex, cell by cell, is the same for all positive numbers;
    the order of cells and last bits of vertices may differ.

    Attributes
    ----------
    block_cells : int
        Approximate number of cells of a block in the end.
    few_regions : int
        With fewer regions than this, some neurons cut all of them first, so that there are more.
    first_cells : int
        Approximate number of cells that these make.
    sample : int
        Most regions that are cut first, to predict the number of cells.
    map_numbers : int
        Most numbers that the affine maps of a block, or of the regions that are surveyed together,
        should have.
    """

    block_cells: int = 2**18
    few_regions: int = 32
    first_cells: int = 2**14
    sample: int = 32
    map_numbers: int = 2**17


DEFAULT = Tuning()
