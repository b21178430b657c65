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
    """Numbers are too large or too small for error bounds in floats; integers have no limit."""


class UnknownNameError(InputError):
    """A name that is not in the registry."""


class UnsupportedModuleError(InputError):
    """A model that is not piecewise linear, or not yet understood."""


class NoDecisionBoundaryError(InputError):
    """The network decides for one class on the whole domain, so there is no decision boundary."""


class NoFiedlerVectorError(InputError):
    """The graph has fewer than two nodes, so that no Fiedler vector exists."""


class DisconnectedGraphError(InputError):
    """The graph has several components, so the Fiedler vector would only separate them."""


class WeightsError(InputError):
    """A strategy gives weights that are not positive and finite, as for facets of length zero."""


class BackendError(RelutopoError, RuntimeError):
    """A backend or strategy does not fit its role, or returned a result that breaks its laws."""


class NotConvergedError(RelutopoError, RuntimeError):
    """An iterative method stopped before it reached its tolerance."""


class NotUniqueWarning(UserWarning):
    """A Fiedler value is multiple, so that its vector, and the partition, are one of many."""


class MissingExtraError(RelutopoError, ImportError):
    """An optional package is not installed."""


class EntryPointError(RelutopoError, ImportError):
    """A name registered by another package cannot be loaded, or several packages registered it."""


class DeviceError(RelutopoError, RuntimeError):
    """There is no card to compute on, or the card cannot be used."""


class DeviceMemoryError(DeviceError, MemoryError):
    """A card has too little memory."""


class LimitReachedError(RelutopoError, RuntimeError):
    """A limit such as `max_cells` or `max_bytes` stopped the work before memory did."""


class OutOfMemoryError(LimitReachedError, MemoryError):
    """The system gave no more memory, and the need could not be predicted."""


class InvariantError(RelutopoError, AssertionError):
    """A cell complex breaks an invariant that every complex must satisfy."""
