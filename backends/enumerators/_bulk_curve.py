"""Numbering along a curve that fills the space, so that neighbours come soon after each other."""

from __future__ import annotations

import numpy as np

from relutopo.devices import Device

from ._bulk_arrays import Array

__all__ = ["curve_codes"]

_MOST_BITS = 12
# Where the grid of the curve lies; points that are symmetric must not lie on its lines, or rounding
# would number them.
_SCALE, _SHIFT = 0.9173, 0.0317
_TINY = float(np.finfo(np.float64).tiny)


def curve_codes(device: Device, x: Array) -> Array:
    """Return where points come along Morton's curve: the bits of their coordinates in turn.

    Parameters
    ----------
    device : Device
    x : (d, n) ndarray
        Points; n > 0.

    Returns
    -------
    (n,) ndarray of int64
    """
    d, n = x.shape
    n_bits = max(1, min(_MOST_BITS, 63 // d))
    numbers = np.arange(1 << n_bits, dtype=np.int64)
    spread = np.zeros_like(numbers)
    for bit in range(n_bits):
        spread |= (numbers >> bit & 1) << (bit * d)
    table = device.to_device(spread)
    low, high = x.min(axis=1)[:, None], x.max(axis=1)[:, None]
    cells = (x - low) / device.xp.maximum(high - low, _TINY) * _SCALE + _SHIFT
    places = (cells * float(1 << n_bits)).astype(np.int32)
    codes = device.xp.zeros(n, dtype=np.int64)
    for i in range(min(d, 63)):
        codes |= table[places[i]] << np.int64(i)
    return codes
