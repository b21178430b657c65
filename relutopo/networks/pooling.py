"""The entries of a map that each window of a pooling, or each position of a kernel, covers.

A table of windows has one row for each result and one column for each place in the window. It holds
flat places in the map, and -1 where the window hangs over the map's edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Windows", "adaptive_windows", "as_numbers", "sliding_windows"]


@dataclass(frozen=True)
class Windows:
    """Windows on a map.

    Attributes
    ----------
    places : (results, places in a window) ndarray
        Flat places in the map, -1 outside of it.
    extents : tuple of int
        Shape of the result.
    n_padded : (results,) ndarray
        How many places of each window lie in the map or its padding: in ceil mode, a window may
        also reach beyond the padding.
    """

    places: NDArray[np.int64]
    extents: tuple[int, ...]
    n_padded: NDArray[np.int64]

    def on_channels(self, n: int, size: int) -> NDArray[np.int64]:
        """Return the table of places for n maps of equal size, one after another."""
        shifts = np.arange(n)[:, None, None] * size
        places = np.where(self.places >= 0, self.places + shifts, -1)
        return places.reshape(-1, self.places.shape[1])


def as_numbers(x: Any, length: int) -> tuple[int, ...]:
    """Return one number for each axis, given one for all axes or one for each, as in torch.

    Examples
    --------
    >>> as_numbers(2, 3), as_numbers((1, 2), 2)
    ((2, 2, 2), (1, 2))
    """
    values = tuple(x) if isinstance(x, (tuple, list)) else (x,)
    return values * length if len(values) == 1 else values


def sliding_windows(
    extents: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    sides: Sequence[tuple[int, int]],
    dilations: Sequence[int],
    ceil_mode: bool = False,
) -> Windows:
    """Return the windows of a kernel that slides over a map.

    Parameters
    ----------
    extents : sequence of int
        Shape of the map.
    kernel, strides, dilations : sequence of int
        One for each axis, at least 1.
    sides : sequence of (int, int)
        Padding before and behind each axis.
    ceil_mode : bool, default False
        Whether there is a last window that hangs over the padded map, if it begins before the
        padding behind.

    Raises
    ------
    ValueError
        If the map is too small for a single window.

    Examples
    --------
    >>> windows = sliding_windows([3], [2], [2], [(1, 1)], [1])
    >>> windows.places.tolist()
    [[-1, 0], [1, 2]]
    >>> sliding_windows([3], [2], [2], [(0, 0)], [1], ceil_mode=True).n_padded.tolist()
    [2, 1]
    """
    seen, reached, counts = [], [], []
    for n, k, s, (low, high), d in zip(extents, kernel, strides, sides, dilations, strict=True):
        span = n + low + high - d * (k - 1) - 1
        count = (-(-span // s) if ceil_mode else span // s) + 1
        if ceil_mode and (count - 1) * s >= n + low:
            count -= 1
        if count < 1:
            raise ValueError(
                f"the kernel {tuple(kernel)}, dilated by {tuple(dilations)}, does not fit into a "
                f"map of {tuple(extents)} entries, padded by {list(sides)}"
            )
        places = s * np.arange(count)[:, None] - low + d * np.arange(k)
        seen.append(np.where((places >= 0) & (places < n), places, -1))
        reached.append((places < n + high).sum(axis=1))
        counts.append(count)
    return Windows(_crossed(seen, extents), tuple(counts), _outer(reached, np.multiply).reshape(-1))


def adaptive_windows(extents: Sequence[int], wanted: Sequence[int]) -> Windows:
    """Return the windows that divide a map into a given number of parts along each axis.

    Part i of n entries in m parts goes from floor(i n / m) to ceil((i + 1) n / m), as in torch.

    Examples
    --------
    >>> adaptive_windows([3], [2]).places.tolist()
    [[0, 1], [1, 2]]
    """
    seen = []
    for n, m in zip(extents, wanted, strict=True):
        first = np.arange(m) * n // m
        last = -(-(np.arange(m) + 1) * n // m)
        places = first[:, None] + np.arange(int((last - first).max(initial=1)))
        seen.append(np.where(places < last[:, None], places, -1))
    places = _crossed(seen, extents)
    return Windows(places, tuple(wanted), (places >= 0).sum(axis=1))


def _crossed(seen: Sequence[NDArray[np.int64]], extents: Sequence[int]) -> NDArray[np.int64]:
    """Return flat places of windows from those along each axis; (results, places)."""
    steps = [math.prod(extents[axis + 1 :]) for axis in range(len(extents))]
    places = _outer(
        [np.where(x >= 0, x * step, -1) for x, step in zip(seen, steps, strict=True)],
        lambda a, b: np.where((a >= 0) & (b >= 0), a + b, -1),
    )
    # The axes are (result, place) for each axis of the map in turn.
    rank = len(seen)
    order = [*range(0, 2 * rank, 2), *range(1, 2 * rank, 2)]
    n = math.prod(len(x) for x in seen)
    return np.asarray(places.transpose(order).reshape(n, -1), dtype=np.int64)


def _outer(
    arrays: Sequence[NDArray[np.int64]],
    join: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]],
) -> NDArray[np.int64]:
    result = arrays[0]
    for array in arrays[1:]:
        result = join(result.reshape(*result.shape, *[1] * array.ndim), array)
    return result
