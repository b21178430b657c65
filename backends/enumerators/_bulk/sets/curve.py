"""Numbering along a space-filling curve, so that neighbours get close numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel

from .lists import Array

__all__ = ["curve_order"]

_MOST_BITS = 12
# Offset of the grid of the curve: symmetric points must not lie on its lines, where rounding would
# decide their numbers.
_SCALE, _SHIFT = 0.9173, 0.0317
_TINY = float(np.finfo(np.float64).tiny)

_KEYS = Kernel(
    "relutopo_keys_along_curve",
    "raw float64 x, raw float64 low, raw float64 width, raw int32 owner, int64 n_points, "
    "int32 n_axes, int32 n_bits, float64 scale, float64 shift, float64 n_cells",
    "raw int64 keys",
    """
    unsigned long long code = owner[i];
    code <<= n_axes * n_bits;
    for (int axis = 0; axis < n_axes; ++axis) {
        double place = (x[axis * n_points + i] - low[axis]) / width[axis] * scale + shift;
        unsigned long long bits = (unsigned long long)(place * n_cells);
        for (int bit = 0; bit < n_bits; ++bit)
            code |= (bits >> bit & 1) << (bit * n_axes + axis);
    }
    keys[i] = (long long)code;
    """,
)


def curve_order(xp: Any, owner: Array, n_owners: int, x: Array) -> Array:
    """Return the order of points by their owner, and for each owner along Morton's curve.

    The position of a point on the curve interleaves the bits of its coordinates.

    Parameters
    ----------
    xp : module
    owner : (n,) ndarray of int32
        0..n_owners-1.
    n_owners : int
    x : (d, n) ndarray
        Points; n > 0.

    Returns
    -------
    (n,) ndarray of int64
    """
    d, n = x.shape
    n_free = 63 - n_owners.bit_length()
    n_axes = min(d, n_free)
    n_bits = min(_MOST_BITS, n_free // n_axes)
    low = x.min(axis=1)
    width = xp.maximum(x.max(axis=1) - low, _TINY)
    kernel = _KEYS.on(xp)
    keys = xp.empty(n, dtype=np.int64)
    if kernel is not None:
        grid = n, n_axes, n_bits, _SCALE, _SHIFT, float(1 << n_bits)
        kernel(x, low, width, owner, *grid, keys, size=n)
    else:
        keys[:] = owner
        keys <<= n_axes * n_bits
        places = (x - low[:, None]) / width[:, None] * _SCALE + _SHIFT
        bits = (places * float(1 << n_bits)).astype(np.int64)
        for axis in range(n_axes):
            for bit in range(n_bits):
                keys |= (bits[axis] >> bit & 1) << (bit * n_axes + axis)
    return xp.argsort(keys, kind="stable")
