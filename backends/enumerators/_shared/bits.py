"""Sets of a layer's neurons as bits of 64-bit words, for compiled kernels.

Neuron j of a layer is bit ``j & 63`` of word ``j >> 6``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

__all__ = ["N_LANES", "in_neither", "n_words", "negative_bits", "negative_lanes", "set_bits"]


_MINUS_INFINITY = -(2**52)
"""The bits of -inf as a signed integer."""


@njit(cache=True)
def n_words(n_neurons):
    """Return how many words hold one bit a neuron."""
    return -(-n_neurons // 64)


def _negative(n: int) -> Any:
    """Return `negative_bits` for so many numbers."""

    @intrinsic
    def negative(typing_context: Any, numbers: Any, at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            vector = ir.VectorType(ir.IntType(64), n)
            place = builder.bitcast(builder.gep(array.data, [arguments[1]]), vector.as_pointer())
            infinite = ir.Constant(vector, [_MINUS_INFINITY] * n)
            found = builder.icmp_signed("<", builder.load(place, align=8), infinite)
            word = builder.bitcast(found, ir.IntType(n))
            return word if n == 64 else builder.zext(word, ir.IntType(64))

        return types.uint64(types.Array(types.float64, 1, "C"), types.intp), generate

    return negative


negative_bits = _negative(64)
"""Return as bits which of 64 float64 of an array, from an index on, are negative and finite.

As integers, these are less than what -inf is, and what is no number is not.
"""
N_LANES = 8
negative_lanes = _negative(N_LANES)
"""The same of `N_LANES` numbers only."""


@njit(cache=True, inline="always")
def in_neither(positive, negative, v, w, n):
    """Return word w of those of n neurons that are in neither of two sets of row v."""
    word = ~(positive[v, w] | negative[v, w])
    if w == positive.shape[1] - 1 and n & 63:
        word &= (np.uint64(1) << np.uint64(n & 63)) - np.uint64(1)
    return word


@njit(cache=True)
def set_bits(row, neurons, words):
    """Set in a packed pattern the bits of those of a layer's units that are in a set of bits."""
    for w in range(len(words)):
        word = words[w]
        while word:
            bit = neurons[64 * w + int(lowest_bit(word))]
            word &= word - np.uint64(1)
            row[bit >> 3] |= np.uint8(1 << (bit & 7))
