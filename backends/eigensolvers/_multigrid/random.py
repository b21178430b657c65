"""Numbers that look random and are the same on every device."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["random_numbers"]


def random_numbers(xp: Any, n: int, seed: int) -> Any:
    """Return numbers of type uint64 that look independent and uniform, the same on any device.

    The mixing of SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014, figure 17.
    """
    x = xp.arange(1, n + 1).astype(np.uint64)
    x *= np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(seed)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
