"""Pseudorandom numbers: the mixing of SplitMix64, on arrays and as text for kernels in C.

G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
figure 17. Integers of 64 bits wrap around on every device alike, so results are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["GOLDEN_GAMMA", "MIX_IN_C", "mix"]

GOLDEN_GAMMA = 0x9E3779B97F4A7C15
"""The difference of successive seeds: 2^64 divided by the golden ratio, made odd."""

_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SHIFT, _LAST_SHIFT = 27, 31

MIX_IN_C = f"""
hash *= {_FIRST:#x}ULL;
hash ^= hash >> {_SHIFT};
hash *= {_SECOND:#x}ULL;
hash ^= hash >> {_LAST_SHIFT};
"""
"""What `mix` does, in C, with an ``unsigned long long hash``."""


def mix(words: Any) -> None:
    """Mix the bits of words in place, so that a difference in any bit affects all of them.

    Parameters
    ----------
    words : ndarray of uint64
        Of NumPy or CuPy.

    Examples
    --------
    >>> words = np.array([1, 2], dtype=np.uint64)
    >>> mix(words)
    >>> int(words[0] ^ words[1]).bit_count() > 16
    True
    """
    words *= np.uint64(_FIRST)
    words ^= words >> np.uint64(_SHIFT)
    words *= np.uint64(_SECOND)
    words ^= words >> np.uint64(_LAST_SHIFT)
