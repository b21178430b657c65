"""Pseudorandom numbers that are the same on every device."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.arithmetic.mixing import GOLDEN_GAMMA, mix

__all__ = ["random_numbers", "uniform_numbers"]


def random_numbers(xp: Any, n: int, seed: int) -> Any:
    """Return numbers of type uint64 that look independent and uniform, the same on any device.

    These are the numbers of SplitMix64; see `relutopo.arithmetic.mixing`.
    """
    x = xp.arange(1, n + 1).astype(np.uint64)
    x *= np.uint64(GOLDEN_GAMMA)
    x += np.uint64(seed)
    x ^= x >> np.uint64(30)
    mix(x)
    return x


def uniform_numbers(xp: Any, n: int, seed: int) -> Any:
    """Return `random_numbers` as numbers between -1 and 1."""
    return (random_numbers(xp, n, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
