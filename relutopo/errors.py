"""The errors that relutopo raises on purpose.

Every message names the argument, what was expected, what came, and the remedy.
All of them derive from `RelutopoError`, and from the builtin exception that a caller
who does not know relutopo would catch.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "DeviceError",
    "DeviceMemoryError",
    "DisconnectedGraphError",
    "EntryPointError",
    "FloatRangeError",
    "InputError",
    "InvariantError",
    "LimitReachedError",
    "MissingExtraError",
    "NoDecisionBoundaryError",
    "NoFiedlerVectorError",
    "NotConvergedError",
    "NotUniqueWarning",
    "OutOfMemoryError",
    "RelutopoError",
    "UnknownNameError",
    "UnsupportedModuleError",
    "WeightsError",
]


class RelutopoError(Exception):
    """Base class of every error that relutopo raises on purpose."""


class InputError(RelutopoError, ValueError):
    """An argument has the wrong shape, range or content."""


class FloatRangeError(InputError):
    """Numbers are too large or too small for floats to bound errors; integers are not limited."""


class UnknownNameError(InputError):
    """A registry name that nobody registered."""


class UnsupportedModuleError(InputError):
    """A torch module that is not piecewise linear, or not yet understood."""


class NoDecisionBoundaryError(InputError):
    """The network has one sign on the whole domain, so that nothing has a distance to {f = 0}."""


class NoFiedlerVectorError(InputError):
    """The graph has fewer than two nodes, so that no Fiedler vector exists."""


class DisconnectedGraphError(InputError):
    """The graph has several components, so that the Fiedler vector only tells them apart."""


class WeightsError(InputError):
    """A strategy gives weights that are not positive and finite, as for facets of no length."""


class BackendError(RelutopoError, RuntimeError):
    """A backend or strategy that is not what its role says, or returned what that rules out."""


class NotConvergedError(RelutopoError, RuntimeError):
    """An iterative method stopped before it reached its tolerance."""


class NotUniqueWarning(UserWarning):
    """A Fiedler value is multiple, so that its vector, and the partition, are one of many."""


class MissingExtraError(RelutopoError, ImportError):
    """An optional package is not installed."""


class EntryPointError(RelutopoError, ImportError):
    """What another package registered under a name cannot be loaded, or two packages did."""


class DeviceError(RelutopoError, RuntimeError):
    """There is no card to compute on, or it cannot be used."""


class DeviceMemoryError(DeviceError, MemoryError):
    """A card has too little memory."""


class LimitReachedError(RelutopoError, RuntimeError):
    """A limit such as `max_cells` or `max_bytes` stopped the work before memory did."""


class OutOfMemoryError(LimitReachedError, MemoryError):
    """The system gave no more memory, to work of which nobody could tell what it needs."""


class InvariantError(RelutopoError, AssertionError):
    """A cell complex breaks an invariant that every complex must satisfy."""
