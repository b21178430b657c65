"""Packed activation patterns as sortable keys.

Patterns are packed with ``numpy.packbits(..., axis=1, bitorder="little")``, one row a region.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import read_only

__all__ = ["find_patterns", "pack_patterns", "pattern_keys", "unpack_patterns"]


def pack_patterns(patterns: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pack patterns, (n, n_neurons) bool, into bytes, (n, ceil(n_neurons / 8)).

    Examples
    --------
    >>> pack_patterns(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    return np.packbits(patterns, axis=1, bitorder="little")


def unpack_patterns(packed: NDArray[np.uint8], n_neurons: int) -> NDArray[np.bool_]:
    """Return the first n_neurons bits of packed patterns, (n, n_neurons).

    Examples
    --------
    >>> unpack_patterns(np.array([[5]], dtype=np.uint8), 3).tolist()
    [[True, False, True]]
    """
    return np.unpackbits(packed, axis=1, count=n_neurons, bitorder="little").astype(bool)


def pattern_keys(packed: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Return one byte string a row, equal where and only where the rows are.

    Examples
    --------
    >>> keys = pattern_keys(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.uint8))
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    if packed.shape[1] == 0:
        return np.zeros(len(packed), dtype="S1")
    # NumPy drops trailing zero bytes when it compares, which loses nothing at a fixed width.
    return np.ascontiguousarray(packed).view(f"S{packed.shape[1]}").ravel()


def find_patterns(packed: NDArray[np.uint8], among: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each row the index of the equal row `among` others, or -1.

    Parameters
    ----------
    packed : (n, n_bytes) ndarray of uint8
    among : (m, n_bytes) ndarray of uint8
        Distinct rows.

    Examples
    --------
    >>> rows = np.array([[3], [1]], dtype=np.uint8)
    >>> find_patterns(np.array([[1], [2]], dtype=np.uint8), rows).tolist()
    [1, -1]
    """
    from relutopo.geometry.kernels import find_rows  # loads numba

    found: NDArray[np.int64] = find_rows(packed, read_only(among))
    return found
