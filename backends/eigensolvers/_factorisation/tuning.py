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
    cut_at_once : int
        Parts of up to about this many nodes are cut by different threads at the same time.
    piece_size : int
        A piece of the elimination, which one thread works on, has at most so many nodes, unless it
        is a single block; so nothing in a graph of no more nodes is shared among threads.
    piece_share : float
        A piece may also have this share of all nodes.
    """

    leaf_size: int = 12
    cut_at_once: int = 1 << 14
    piece_size: int = 1 << 13
    piece_share: float = 1 / 16


DEFAULT = Tuning()
