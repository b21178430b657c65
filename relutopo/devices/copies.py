"""Copies on a card of arrays that the host has.

The weights of a module on a card are read to the host, where exact decisions need them. A copy
stays on the card, so that who computes there need not send the numbers back: `host_array` keeps
it, `Device.bring` finds it, and it is dropped when the session that found it ends, or with the
array.

Invariant: an array that has a copy is read-only and holds the same numbers. So it is a matter of
speed and memory alone which of the two is used.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import as_numbers

__all__ = ["copy_on_card", "drop_used_copies", "host_array"]


@dataclass
class _Copy:
    tensor: Any
    is_used: bool = False


_COPIES: dict[int, _Copy] = {}
"""By the identity of the array, for as long as the array lives."""


def host_array(values: Any, name: str = "weights") -> NDArray[np.float64]:
    """Return numbers as a new read-only float64 array of the host.

    Parameters
    ----------
    values : array_like or torch.Tensor
        Of a tensor on a card a copy in double precision is kept there too, as it is now: training
        changes tensors in place. Whoever computes on a card has loaded CuPy before; without it
        nothing is kept.
    name : str
        The argument's name, for the message.

    Examples
    --------
    >>> host_array([1, 2]).flags.writeable
    False
    """
    if hasattr(values, "detach"):  # NumPy lacks some of torch's types
        array = np.array(values.detach().cpu().double().numpy())
    else:
        array = as_numbers(values, name).copy()
    array.flags.writeable = False
    if "cupy" in sys.modules and getattr(values, "is_cuda", False):
        _COPIES[id(array)] = _Copy(values.detach().clone().double())
        weakref.finalize(array, _COPIES.pop, id(array), None).atexit = False
    return array


def copy_on_card(array: NDArray[Any], holds: Callable[[Any], bool]) -> Any:
    """Return the copy of an array that a device holds, or None, and mark it as used.

    Parameters
    ----------
    array : ndarray
    holds : callable
        Tells whether a tensor lies on the device.
    """
    copy = _COPIES.get(id(array))
    if copy is None or not holds(copy.tensor):
        return None
    copy.is_used = True
    return copy.tensor


def drop_used_copies(holds: Callable[[Any], bool]) -> None:
    """Drop the copies on a device that `copy_on_card` returned.

    Parameters
    ----------
    holds : callable
        Tells whether a tensor lies on the device.
    """
    for key, copy in list(_COPIES.items()):
        if copy.is_used and holds(copy.tensor):
            _COPIES.pop(key, None)
