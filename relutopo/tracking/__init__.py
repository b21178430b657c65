"""Signatures of a network while it trains in a loop of one's own.

Importing this package loads nothing else until its name is used: the process beside training gives
way before it loads anything heavy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relutopo.tracking.tracker import Tracker

__all__ = ["Tracker"]

if not TYPE_CHECKING:  # type checkers know the name from above, and no others

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from relutopo.tracking.tracker import Tracker

        return Tracker
