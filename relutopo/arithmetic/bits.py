"""Instructions of the processor for the bits of a word, for compiled kernels."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

__all__ = ["lowest_bit", "popcount"]


@intrinsic
def popcount(typing_context: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def lowest_bit(typing_context: Any, word: Any) -> Any:
    """Return the number of the lowest set bit of a uint64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        defined_at_zero = context.get_constant(types.boolean, 0)
        return builder.cttz(arguments[0], defined_at_zero)

    return types.uint64(types.uint64), generate
