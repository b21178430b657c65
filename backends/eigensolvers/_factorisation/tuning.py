"""Sizes that control the factorisation."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "Tuning"]


@dataclass(frozen=True)
class Tuning:
    """How finely the nodes are cut into blocks and pieces; changes speed, and last bits.

    Attributes
    ----------
    leaf_size : int
        Parts of at most this many nodes are not cut further by the dissection.
    leaf_size_at_once : int
        The same for graphs that one thread cuts. There cutting takes longer than what larger
        leaves add to the factor.
    cut_at_once : int
        Parts of up to about this many nodes are cut by different threads at the same time; graphs
        of no more nodes by one.
    piece_size : int
        A piece of the elimination, which one thread works on, has at most so many nodes, unless it
        is a single block; so nothing in a graph of no more nodes is shared among threads.
    piece_share : float
        A piece may also have this share of all nodes.
    """

    leaf_size: int = 12
    leaf_size_at_once: int = 28
    cut_at_once: int = 1 << 14
    piece_size: int = 1 << 13
    piece_share: float = 1 / 16


DEFAULT = Tuning()
