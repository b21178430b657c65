"""Signatures of a network while it trains in a loop of one's own."""

from relutopo.tracking.tracker import Tracker

__all__ = ["Tracker"]
