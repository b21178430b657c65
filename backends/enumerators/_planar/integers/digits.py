"""Compiled arithmetic of integers with several digits.

The number with the digits a_0, a_1, ... is Σ_i a_i 2^(26 i). Digits but the last are *balanced*,
from -2^25 to 2^25, so that numbers have no sign of their own: that of a number is the sign of its
last digit that is not zero, for what comes before adds up to less than one of it. Sums of products
of balanced digits stay below 2^63 while there are at most `MOST_TERMS` of them, and are balanced
afterwards.

A *plane* is (A, C), three numbers of k digits each, all below 2^(26 k - 2). The point where two
planes meet has coordinates (X, Y, W) of 2 k digits, and a plane's value there 3 k digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.exact import Integers
from relutopo.system.compilation import njit

__all__ = [
    "BITS",
    "MOST_TERMS",
    "balance",
    "digits_of_floats",
    "digits_of_integers",
    "meet",
    "sign_at",
    "sign_of",
]

BITS = 26
"""How many bits a digit has."""
MOST_TERMS = 2**12
"""How many products of two digits may be added up before they are balanced."""
_HALF = 1 << (BITS - 1)


def digits_of_floats(numbers: NDArray[np.float64], n_digits: int) -> NDArray[np.int32]:
    """Return the digits of floats that are integers, along a new last axis.

    Examples
    --------
    >>> digits_of_floats(np.array([3.0, -(2.0**27)]), 2).tolist()
    [[3, 0], [0, -2]]
    """
    rest, digits = numbers.copy(), np.empty((*numbers.shape, n_digits), np.int32)
    for i in reversed(range(n_digits)):
        digits[..., i] = np.rint(np.ldexp(rest, -BITS * i))
        rest -= np.ldexp(digits[..., i].astype(np.float64), BITS * i)
    return digits


def digits_of_integers(numbers: Integers, n_digits: int) -> NDArray[np.int32]:
    """Return the digits of integers, along a new last axis.

    Examples
    --------
    >>> digits_of_integers(np.array([3, -(2**27)], object), 2).tolist()
    [[3, 0], [0, -2]]
    """
    rest, digits = numbers.copy(), np.empty((*numbers.shape, n_digits), np.int32)
    for i in range(n_digits - 1):
        digits[..., i] = (rest + _HALF) % (1 << BITS) - _HALF
        rest = (rest - digits[..., i]) >> BITS
    digits[..., -1] = rest
    return digits


@njit(cache=True)
def balance(sums):
    """Turn sums of products, one for each digit, into digits, in place."""
    for i in range(len(sums) - 1):
        carried = (sums[i] + _HALF) >> BITS
        sums[i] -= carried << BITS
        sums[i + 1] += carried


@njit(cache=True)
def sign_of(number):
    """Return the sign of a number."""
    for i in range(len(number) - 1, -1, -1):
        if number[i] != 0:
            return 1 if number[i] > 0 else -1
    return 0


@njit(cache=True)
def _add_product(sums, a, b, sign):
    """Add sign * a * b."""
    for i in range(len(a)):
        factor = sign * np.int64(a[i])
        if factor != 0:
            for j in range(len(b)):
                sums[i + j] += factor * b[j]


@njit(cache=True)
def meet(p, q, point):
    """Fill the point where two planes meet, with W of either sign; return the sign of W."""
    point[:] = 0
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3
        _add_product(point[i], p[a], q[b], 1)
        _add_product(point[i], p[b], q[a], -1)
        balance(point[i])
    return sign_of(point[2])


@njit(cache=True)
def sign_at(plane, point, sums):
    """Return the sign of A X + B Y + C W; `sums` has room for it."""
    sums[:] = 0
    for i in range(3):
        _add_product(sums, plane[i], point[i], 1)
    balance(sums)
    return sign_of(sums)
