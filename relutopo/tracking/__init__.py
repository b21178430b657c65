"""Signatures of a network while it trains in a loop of one's own.

Importing this package loads nothing else until its name is used: the process beside training gives
way before it loads anything heavy.
"""

from relutopo.system.public_names import lazy

__getattr__, __dir__ = lazy(__name__)
