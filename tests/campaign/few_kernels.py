"""Kernels that are compiled quickly, for processes that have compiled nothing yet."""

from __future__ import annotations

from relutopo.system.compilation import njit

__all__ = ["total"]


@njit()
def square(x: int) -> int:
    return x * x


@njit()
def total(n: int) -> int:
    result = 0
    for i in range(n):
        result += square(i)
    return result
