"""Compiled kernels that tell the class of an entry on a region; see `choices`.

Invariant: a class and a factor are an exact identity on the closure of a region. Products and sums
of weights that would be rounded are not carried out: what needs one stays a class of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.system.compilation import njit

from .entries import FEW, MANY, Entries

__all__ = [
    "ZERO",
    "Classes",
    "begin",
    "evaluate",
    "exact_product",
    "follow",
    "load",
    "reduced",
    "room_for",
    "vanishes",
]

_STEPS = 8
"""A sum is written in what its terms are made of in some steps, if that is no longer."""
ZERO, _ONE = 0, 1
_SMALL, _LARGE = 2.0**-400, 2.0**400
"""Products between these are not lost to underflow, and nor are the parts of their errors."""


class Classes(NamedTuple):
    """What is known on the present region.

    Attributes
    ----------
    bits : (n_neurons,) ndarray of bool
    class_of, factor_of : (n,) ndarrays of int64, float64
        Of each entry, the class or -1 where it is not known, and the factor.
    own : (n,) ndarray of int64
        The class that each entry is on its own, or -1.
    sizes : (2,) ndarray of int64
        How many classes there are, and terms of these.
    start, length : ndarrays of int64
        Where the terms of each class are, and how many: none of entries that are taken as they are.
        The number is negative for products that would be rounded.
    parts, factors : ndarrays of int64, float64
    table : ndarray of int64
        Classes plus 1 by what they are, for open addressing, or 0.
    stack, changed : ndarrays of int64
        Room for entries.
    dirty : ndarray of uint64
        Entries that may not be as they were on the region before, as bits.
    sums, sum_factors : (8, n) ndarrays of int64, float64
        Room for sums: classes, ascending, and factors. The first four and the last one are used
        where entries are evaluated.
    """

    bits: NDArray[np.bool_]
    class_of: NDArray[np.int64]
    factor_of: NDArray[np.float64]
    own: NDArray[np.int64]
    sizes: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    parts: NDArray[np.int64]
    factors: NDArray[np.float64]
    table: NDArray[np.int64]
    stack: NDArray[np.int64]
    changed: NDArray[np.int64]
    dirty: NDArray[np.uint64]
    sums: NDArray[np.int64]
    sum_factors: NDArray[np.float64]


def room_for(entries: Entries) -> Classes:
    """Return room for the classes of a graph's entries, none of which is known."""
    n, m = len(entries.neuron), len(entries.terms)
    n_classes, n_parts = 4 * (n + m) + 64, 8 * (n + m) + 4096
    classes = Classes(
        np.zeros(len(entries.before), dtype=bool),
        np.empty(n, np.int64),
        np.empty(n),
        np.empty(n, np.int64),
        np.zeros(2, np.int64),
        np.empty(n_classes, np.int64),
        np.empty(n_classes, np.int64),
        np.empty(n_parts, np.int64),
        np.empty(n_parts),
        np.zeros(1 << (2 * n_classes - 1).bit_length(), np.int64),
        np.empty(n + m + 1, np.int64),
        np.empty(2 * n, np.int64),
        np.zeros((n + 63) >> 6, np.uint64),
        np.empty((8, 2 * MANY), np.int64),
        np.empty((8, 2 * MANY)),
    )
    begin(classes)
    return classes


@njit(cache=True)
def begin(classes):
    """Begin without any classes but those of 0 and 1, and without known entries."""
    class_of, own, sizes = classes.class_of, classes.own, classes.sizes
    for e in range(len(class_of)):
        class_of[e] = own[e] = -1
    sizes[0] = sizes[1] = 0
    _add_class(0, False, classes)
    _add_class(0, False, classes)


@njit(cache=True)
def _add_class(length, is_fixed, classes):
    """Add a class with the next terms; return its number."""
    k = classes.sizes[0]
    classes.start[k], classes.length[k] = classes.sizes[1], -length if is_fixed else length
    classes.sizes[0] += 1
    classes.sizes[1] += length
    return k


@njit(cache=True)
def exact_product(a, b):
    """Return a product of numbers that are not zero, or 0 where it is not exact."""
    p = a * b
    if abs(a) == 1.0 or abs(b) == 1.0:
        return p
    # Dekker's product: p + error = a b, as no part is lost.
    if not _SMALL < abs(p) < _LARGE or not (abs(a) < _LARGE and abs(b) < _LARGE):
        return 0.0
    if not (abs(a) > _SMALL and abs(b) > _SMALL):
        return 0.0
    shift = 134217729.0
    t, u = shift * a, shift * b
    a1, b1 = t - (t - a), u - (u - b)
    a2, b2 = a - a1, b - b1
    error = ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2
    return p if error == 0.0 else 0.0


@njit(cache=True)
def _quotient(a, b):
    """Return a quotient of numbers that are not zero, or 0 where it is not exact."""
    if a == b:
        return 1.0
    if a == -b:
        return -1.0
    q = a / b
    if not _SMALL < abs(q) < _LARGE:
        return 0.0
    return q if exact_product(q, b) == a else 0.0


@njit(cache=True)
def _put(w, n, k, factor, classes):
    """Add a multiple of a class to sum w of n terms, sorted by class; return how many it has.

    Return -1 where there is no room, or the sum of two factors is not exact.
    """
    sums, factors = classes.sums, classes.sum_factors
    i = n
    while i > 0 and sums[w, i - 1] > k:
        i -= 1
    if i > 0 and sums[w, i - 1] == k:
        a = factors[w, i - 1]
        s = a + factor
        if s == 0.0:
            for m in range(i, n):
                sums[w, m - 1], factors[w, m - 1] = sums[w, m], factors[w, m]
            return n - 1
        t = s - a
        if (a - (s - t)) + (factor - t) != 0.0 or not _SMALL < abs(s) < _LARGE:
            return -1
        factors[w, i - 1] = s
        return n
    if n >= sums.shape[1]:
        return -1
    for m in range(n, i, -1):
        sums[w, m], factors[w, m] = sums[w, m - 1], factors[w, m - 1]
    sums[w, i], factors[w, i] = k, factor
    return n + 1


@njit(cache=True)
def _put_parts(w, n, k, factor, classes):
    """Add a multiple of the terms of a class to sum w, as `_put`."""
    first = classes.start[k]
    for q in range(first, first + classes.length[k]):
        product = exact_product(factor, classes.factors[q])
        if product == 0.0:
            return -1
        n = _put(w, n, classes.parts[q], product, classes)
        if n < 0:
            return -1
    return n


@njit(cache=True)
def _interned(w, n, is_fixed, classes):
    """Return the class of sum w; one that is fixed is never written in other terms."""
    sums, sum_factors = classes.sums, classes.sum_factors
    parts, factors, table = classes.parts, classes.factors, classes.table
    end = classes.sizes[1]
    for i in range(n):
        parts[end + i], factors[end + i] = sums[w, i], sum_factors[w, i]
    numbers = factors.view(np.uint64)
    h = np.uint64(n + 1024 * is_fixed)
    for i in range(n):
        h = (h ^ np.uint64(parts[end + i])) * np.uint64(0x9E3779B97F4A7C15)
        h = (h ^ (h >> np.uint64(29)) ^ numbers[end + i]) * np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(32)
    mask = len(table) - 1
    place = np.int64(h & np.uint64(mask))
    length = -n if is_fixed else n
    while table[place]:
        k = table[place] - 1
        if classes.length[k] == length:
            first, is_same = classes.start[k], True
            for i in range(n):
                is_same &= parts[first + i] == parts[end + i]
                is_same &= factors[first + i] == factors[end + i]
            if is_same:
                return k
        place = (place + 1) & mask
    k = _add_class(n, is_fixed, classes)
    table[place] = k + 1
    return k


@njit(cache=True)
def _scaled(k, factor, by, classes):
    """Return a class and a factor: that of a class times two numbers."""
    if k == ZERO:
        return k, 1.0
    product = exact_product(factor, by)
    if product != 0.0:
        return k, product
    # Fixed terms (k, factor), (-1, by) stand for a product; no sum has a class -1.
    sums, factors = classes.sums, classes.sum_factors
    sums[7, 0], factors[7, 0] = -1, by
    sums[7, 1], factors[7, 1] = k, factor
    return _interned(7, 2, True, classes), 1.0


@njit(cache=True)
def follow(entry, entries, classes):
    """Make dirty entries known, and one more unless it is -1; those that change go to `changed`.

    Return how many these are. This is one function because calls with arrays count references,
    which would take most of the time; what is called here is rarely called.
    """
    bits, class_of, factor_of, own = classes.bits, classes.class_of, classes.factor_of, classes.own
    start, length = classes.start, classes.length
    parts, numbers = classes.parts, classes.factors
    stack, changed, dirty = classes.stack, classes.changed, classes.dirty
    sums, factors = classes.sums, classes.sum_factors
    neuron_of, slopes, is_whole = entries.neuron, entries.slopes, entries.is_whole
    ptr, terms, weights, bias = entries.ptr, entries.terms, entries.weights, entries.bias
    use_ptr, uses, room = entries.use_ptr, entries.uses, sums.shape[1]
    n_changed, at, n_stack, before, factor_before = 0, 0, 0, np.int64(-1), 1.0
    while True:
        if n_stack == 0:
            while at < len(dirty) and not dirty[at]:
                at += 1
            if at < len(dirty):
                # What an entry is a term of comes after it.
                word = dirty[at]
                e = 64 * at + int(lowest_bit(word))
                dirty[at] = word & (word - np.uint64(1))
                before, factor_before = class_of[e], factor_of[e]
                class_of[e] = -1
            elif entry >= 0 and class_of[entry] < 0:
                e, before = entry, np.int64(-1)
            else:
                break
            stack[0], n_stack = e, 1
        e = stack[n_stack - 1]
        if class_of[e] >= 0:
            n_stack -= 1
            if n_stack or before < 0 or (class_of[e] == before and factor_of[e] == factor_before):
                continue
            changed[n_changed] = e
            n_changed += 1
            for q in range(use_ptr[e], use_ptr[e + 1]):
                user = uses[q]
                i = neuron_of[user]
                is_open = class_of[user] >= 0 and (i < 0 or slopes[int(bits[i]), user] != 0.0)
                dirty[user >> 6] |= np.uint64(is_open) << np.uint64(user & 63)
            continue
        neuron, slope = neuron_of[e], 1.0
        if neuron >= 0:
            slope = slopes[int(bits[neuron]), e]
        first, last = ptr[e], ptr[e + 1] if not is_whole[e] and slope != 0.0 else ptr[e]
        m = n_stack
        for q in range(first, last):
            if class_of[terms[q]] < 0:
                stack[m] = terms[q]
                m += 1
        if m > n_stack:
            n_stack = m
            continue
        if slope == 0.0:
            class_of[e], factor_of[e] = ZERO, 1.0
            continue
        # Sum 3 is what is put together, in one of the sums 0, 1 and 2.
        n_terms, is_exact = 0, not is_whole[e]
        for q in range(first, last):
            k, factor = class_of[terms[q]], factor_of[terms[q]]
            by = weights[q] * slope  # one of them is 1
            if k == ZERO or by == 0.0:
                continue
            product = exact_product(factor, by)
            if product == 0.0:
                k, product = _scaled(k, factor, by, classes)
            sums[3, n_terms], factors[3, n_terms] = k, product
            n_terms += 1
        if bias[e] != 0.0:
            sums[3, n_terms], factors[3, n_terms] = _ONE, bias[e]
            n_terms += 1
        steps = _STEPS if last - first <= FEW else 0
        v, n, total = 0, 0, 1.0
        best, best_n, best_total = -1, 0, 1.0
        while is_exact:
            # Put the terms together, by class.
            n = 0
            for j in range(n_terms):
                k, factor, i = sums[3, j], factors[3, j], n
                while i > 0 and sums[v, i - 1] > k:
                    i -= 1
                if i > 0 and sums[v, i - 1] == k:
                    a = factors[v, i - 1]
                    s = a + factor
                    if s == 0.0:
                        n -= 1
                        for i_next in range(i, n + 1):
                            sums[v, i_next - 1] = sums[v, i_next]
                            factors[v, i_next - 1] = factors[v, i_next]
                        continue
                    t = s - a
                    error = (a - (s - t)) + (factor - t)
                    if error != 0.0 or not _SMALL < abs(s) < _LARGE:
                        n = -1
                        break
                    factors[v, i - 1] = s
                    continue
                for i_next in range(n, i, -1):
                    sums[v, i_next], factors[v, i_next] = (
                        sums[v, i_next - 1],
                        factors[v, i_next - 1],
                    )
                sums[v, i], factors[v, i] = k, factor
                n += 1
            if n < 0:
                break
            if n > 1:
                # Divide by the first factor if all are alike but for signs, or by its sign.
                divisor, is_alike = factors[v, 0], True
                for i in range(n):
                    is_alike &= abs(factors[v, i]) == abs(divisor)
                if not is_alike:
                    divisor = 1.0 if divisor > 0.0 else -1.0
                product = exact_product(total, divisor)
                if product == 0.0:
                    break
                total = product
                for i in range(n):
                    if is_alike:
                        factors[v, i] = 1.0 if (factors[v, i] > 0.0) == (divisor > 0.0) else -1.0
                    else:
                        factors[v, i] *= divisor
            if best < 0 or n <= best_n:
                best, best_n, best_total = v, n, total
            # Write the latest class in its terms.
            i = n - 1
            while i >= 0 and not 0 < length[sums[v, i]] <= FEW:
                i -= 1
            if i < 0 or n == 1 or steps == 0:
                break
            steps -= 1
            n_terms = 0
            for j in range(n):
                if j != i:
                    sums[3, n_terms], factors[3, n_terms] = sums[v, j], factors[v, j]
                    n_terms += 1
            k, factor = sums[v, i], factors[v, i]
            for j in range(start[k], start[k] + length[k]):
                product = exact_product(factor, numbers[j])
                if product == 0.0:
                    steps = -1
                    break
                sums[3, n_terms], factors[3, n_terms] = parts[j], product
                n_terms += 1
            if steps < 0 or n_terms + FEW > room:
                break
            w = v
            v = 0
            while v in (w, best):
                v += 1
        if best < 0:
            if own[e] < 0:
                own[e] = _add_class(0, False, classes)
            class_of[e], factor_of[e] = own[e], 1.0
        elif best_n == 0:
            class_of[e], factor_of[e] = ZERO, 1.0
        else:
            k, factor = sums[best, 0], factors[best, 0]
            if best_n > 1:
                k, factor = _interned(best, best_n, False, classes), 1.0
            product = exact_product(factor, best_total)
            if product == 0.0:
                k, product = _scaled(k, factor, best_total, classes)
            class_of[e], factor_of[e] = k, product
    return n_changed


@njit(cache=True)
def evaluate(entry, entries, classes):
    """Return the class of an entry on the present region."""
    if classes.class_of[entry] < 0:
        follow(entry, entries, classes)
    return classes.class_of[entry]


@njit(cache=True)
def load(w, k, classes):
    """Put the terms of a class into sum w; return how many there are."""
    sums, factors = classes.sums, classes.sum_factors
    n = classes.length[k]
    if k == ZERO:
        return 0
    if n <= 0:
        sums[w, 0], factors[w, 0] = k, 1.0
        return 1
    for i in range(n):
        q = classes.start[k] + i
        sums[w, i], factors[w, i] = classes.parts[q], classes.factors[q]
    return n


@njit(cache=True)
def reduced(w, n, v, m, u, classes):
    """Write to sum u what sum v leaves of sum w, without its first term; return its length or -1.

    The length is -1 where a number is not exact.
    """
    sums, factors = classes.sums, classes.sum_factors
    ratio = 0.0
    for i in range(n):
        sums[u, i], factors[u, i] = sums[w, i], factors[w, i]
        if m > 0 and sums[w, i] == sums[v, 0]:
            ratio = _quotient(factors[w, i], factors[v, 0])
            if ratio == 0.0:
                return -1
    if ratio != 0.0:
        for i in range(m):
            product = exact_product(-ratio, factors[v, i])
            if product == 0.0:
                return -1
            n = _put(u, n, sums[v, i], product, classes)
            if n < 0:
                return -1
    return n


@njit(cache=True)
def vanishes(k, k_a, k_b, classes):
    """Tell whether a class is 0 where two others are, by what all of its terms are made of."""
    sums, factors, length = classes.sums, classes.sum_factors, classes.length
    w, n = 6, 1
    sums[w, 0], factors[w, 0] = k, 1.0
    for _ in range(4 * _STEPS):
        i = n - 1
        while i >= 0 and length[sums[w, i]] <= 0:
            i -= 1
        if i < 0:
            break
        v, m = 13 - w, 0
        for q in range(n):
            if q != i and m >= 0:
                m = _put(v, m, sums[w, q], factors[w, q], classes)
        if m >= 0:
            m = _put_parts(v, m, sums[w, i], factors[w, i], classes)
        if m < 0:
            break
        w, n = v, 0
        for q in range(m):
            sums[w, n], factors[w, n] = sums[w, q], factors[w, q]
            n += sums[w, q] not in (k_a, k_b)
        if n == 0:
            return True
    return False
