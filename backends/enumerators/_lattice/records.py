"""Records of the kernels of the lattice enumerator: a block's cells, and the planes that cut them.

Cells of all dimensions share one numbering. When a cell is cut, its half on the minus side keeps
its number, and the half on the plus side and the section get the next two numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._shared.growing import doubled

__all__ = [
    "CARRIER",
    "COUNT",
    "HEAD",
    "LENGTH",
    "LEVEL",
    "MINUS",
    "PLUS",
    "PLUS_HALF",
    "ROOM",
    "START",
    "TAIL",
    "WORD",
    "ZERO",
    "BlockCells",
    "Chains",
    "Planes",
    "Pool",
]

# Columns of `info`, `kind`, `chains` and `mask`.
START, COUNT, ROOM, PLUS_HALF = range(4)
CARRIER, LEVEL = range(2)
HEAD, TAIL, LENGTH = range(3)
PLUS, MINUS, ZERO = range(3)

WORD = 64
"""How many neurons a mask holds, and so how many cut in one stage at most."""


class BlockCells(NamedTuple):
    """The cells of a block, by their numbers.

    Attributes
    ----------
    mask : (n, 3) ndarray of uint64
        The neurons, at most `WORD`, that are positive, negative and zero at some vertex of the
        cell; the first neuron has the highest bit. A neuron cuts a cell if it is in the first two
        sets. At a vertex where its sign is still open, a neuron is in both.
    info : (n, 4) ndarray of int32
        The place of the cell's facets in the pool, their number, the number for which there is
        room, and the number of the half on the plus side, -1 before the cell is cut. For a vertex
        the first is its row in `x`.
    kind : (n, 2) ndarray of int32
        The cell's carrier, which is the cell that contained it when the block was taken, and its
        dimension.
    planes_of : (n, d) ndarray of int32
        The planes whose intersection is the affine hull of the cell: ``~row`` of the complex'
        table, or a row of `Planes.rows`.
    x, deviation : (n_vertices, d), (n_vertices,) ndarrays
        Vertices, and bounds of their errors.
    """

    mask: NDArray[np.uint64]
    info: NDArray[np.int32]
    kind: NDArray[np.int32]
    planes_of: NDArray[np.int32]
    x: NDArray[np.float64]
    deviation: NDArray[np.float64]

    def doubled(self) -> BlockCells:
        """Return a copy with twice the room."""
        return BlockCells(**{name: doubled(array) for name, array in self._asdict().items()})


class Chains(NamedTuple):
    """Linked lists of the cells that each neuron cuts, by dimension; and the kernel's state.

    Chains are filled before the neurons cut, and whenever a cell is made, so that a neuron
    visits only the cells that it cuts and their facets.

    Attributes
    ----------
    cursor : (n,) ndarray of int64
        The kernel's state between calls; see `cutting`.
    ends : (d + 1, n_units, 3) ndarray of int32
        First and last link of each chain, and how many there are.
    links : (n_links, 2) ndarray of int32
        A cell, and the next link or -1.
    """

    cursor: NDArray[np.int64]
    ends: NDArray[np.int32]
    links: NDArray[np.int32]


class Pool(NamedTuple):
    """Room for lists.

    Attributes
    ----------
    facets : (n,) ndarray of int32
        The facets of cell c are ``facets[info[c, START] : info[c, START] + info[c, COUNT]]``.
    cuts : (n,) ndarray of int32
        The cells that are being cut.
    side : (n,) ndarray of int32
        The facets on the plus side of one of these cells.
    """

    facets: NDArray[np.int32]
    cuts: NDArray[np.int32]
    side: NDArray[np.int32]


class Planes(NamedTuple):
    """The planes that cut a block.

    Attributes
    ----------
    rows : (n_regions * n_units, d + 2) ndarray
        Neurons that cut the block, on each of its regions: A, c and a bound of the error.
    old : (n, d + 2) ndarray
        The planes of the complex' table.
    region_of : (n_carriers,) ndarray of int32
        A region that contains the carrier.
    n_units : int
        How many neurons cut the block.
    limit, target : float
        Vertex errors above `limit` leave all signs open; vertices with errors above `target` are
        refined.
    """

    rows: NDArray[np.float64]
    old: NDArray[np.float64]
    region_of: NDArray[np.int32]
    n_units: int
    limit: float
    target: float
