"""Compiled kernels that walk the regions of a block; see `relutopo.networks.local_maps`.

A view of an array and an array that is replaced by a longer one count their references at each turn
of a loop, which takes longer than the rest of what is done on a region. So the loops over regions
only read and write single numbers, stop where there is no room, and are entered again with more.
Indices with a sign are looked at whether they count from the end, and rows of arrays multiplied by
their length: so indices have none there, and what belongs to a row is four numbers of a flat array.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.bits import lowest_bit
from relutopo.arithmetic.rounding import ONCE
from relutopo.networks.local_kernels import LOST, Added, Frame, Rows, and_some, free
from relutopo.system.compilation import njit

__all__ = ["Changes", "first_and_switching", "free_on_regions", "put_bits", "take_bits"]


class Changes(NamedTuple):
    """Maps of values on regions of the plane, each as what is not as on the region before it.

    Attributes
    ----------
    ptr : (n_regions + 1,) ndarray of int64
        The entries ``ptr[r]:ptr[r + 1]`` of `places` and `maps` change on region r: on the first
        one all that is wanted.
    places : (n,) ndarray of uint32
        Which of the wanted values changes.
    maps : (n, 4) ndarray
        Its A and c from there on, and the bound of their error.
    flip_ptr, flips : (n_regions + 1,), (m,) ndarrays of int64, uint32
        The variables that become active on each region, or cease to be; on the first one those that
        are active. Only variables that contribute to wanted values.
    """

    ptr: NDArray[np.int64]
    places: NDArray[np.uint32]
    maps: NDArray[np.float64]
    flip_ptr: NDArray[np.int64]
    flips: NDArray[np.uint32]


class _Known(NamedTuple):
    """What is the same on all regions; see `changes_on_regions`.

    Attributes
    ----------
    bits : (f,) ndarray of uint32
    slopes : (2, f) ndarray
    rows : (4 * n_rows,) ndarray
        Of each row A, c and the bound `own`.
    ptr, columns, numbers : ndarrays of int64, uint32, float64
        As in `Rows`.
    others : (n_rows,) ndarray of bool
    reach : (3,) ndarray
    rounding, lost : float
    """

    bits: NDArray[np.uint32]
    slopes: NDArray[np.float64]
    rows: NDArray[np.float64]
    ptr: NDArray[np.int64]
    columns: NDArray[np.uint32]
    numbers: NDArray[np.float64]
    others: NDArray[np.bool_]
    reach: NDArray[np.float64]
    rounding: float
    lost: float


class _Uses(NamedTuple):
    """What changes with each bit.

    Attributes
    ----------
    ptr, rows : ndarrays of int64, uint32
        For each variable, the rows that it is part of, of those that are needed.
    variable_of : ndarray of int64
        The variable that each bit is, of those that are needed.
    mask : (n_bytes,) ndarray of uint8
        Their bits.
    """

    ptr: NDArray[np.int64]
    rows: NDArray[np.uint32]
    variable_of: NDArray[np.int64]
    mask: NDArray[np.uint8]


class _Here(NamedTuple):
    """Variables on the present region.

    Attributes
    ----------
    inputs : (4 * f,) ndarray
        The map of each, and the bound of its error.
    is_active : (f,) ndarray of bool
        Whether each is active.
    open_rows : ndarray of uint64
        Which rows are not known to be as on the region before, as bits.
    """

    inputs: NDArray[np.float64]
    is_active: NDArray[np.bool_]
    open_rows: NDArray[np.uint64]


@njit(cache=True, nogil=True)
def free_on_regions(
    value: tuple[NDArray[np.float64], Rows, NDArray[np.float64], NDArray[np.bool_]],
    variables: Added,
    neurons: NDArray[np.int64],
    slopes: NDArray[np.float64],
    frame: Frame,
    packed: NDArray[np.uint8],
    neurons_of_bits: NDArray[np.int64],
    roundings: tuple[float, float],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], Changes, Rows, NDArray[np.bool_]]:
    """Return which values may change their sign in a block, and their maps on its regions.

    Parameters
    ----------
    value : tuple
        Planes, factors, errors and others as in `local_kernels.image`.
    variables : Added
    neurons : (f,) ndarray of int64
        The neurons that are variables.
    slopes : (2, f) ndarray
        Slopes of the variables where they are not active, and where they are.
    frame : Frame
    packed : (n_regions, n_bytes) ndarray of uint8
        Patterns of the regions, from `take_bits`.
    neurons_of_bits : (n,) ndarray of int64
        The neurons whose bits these are, ascending, and among them all variables.
    roundings : tuple of float
        Relative error bounds of sums of products with all variables, of intervals and of maps.

    Returns
    -------
    units : (n,) ndarray of int64
        The values that may change their sign.
    is_on : ndarray of bool
        Which others are positive.
    changes : Changes
        The maps of `units`.
    factors, others
        Of the pre-activations of the variables, then of `units`, as in `changes_on_regions`.
    """
    planes, factors, errors, others = value
    units, is_on = free(
        planes,
        factors,
        errors,
        others,
        frame,
        variables.folded,
        variables.slopes,
        variables.jumps,
        variables.reach,
        roundings[0],
    )
    before = variables.planes, variables.factors, variables.errors, variables.others
    planes, factors, errors, others = and_some(before, value, units)
    bits = np.searchsorted(neurons_of_bits, neurons)
    reach, own = frame.reach, np.empty(len(planes))
    lost = LOST * np.sum(reach)
    for i in range(len(planes)):
        height = 0.0
        for k in range(planes.shape[1]):
            height += abs(planes[i, k]) * reach[k]
        own[i] = ONCE * errors[i] + roundings[1] * height + lost
    changes = changes_on_regions(
        packed, bits, slopes, planes, factors, own, others, reach, roundings[1], lost
    )
    return units, is_on, changes, factors, others


@njit(cache=True)
def changes_on_regions(
    packed: NDArray[np.uint8],
    bits: NDArray[np.int64],
    slopes: NDArray[np.float64],
    planes: NDArray[np.float64],
    factors: Rows,
    own: NDArray[np.float64],
    others: NDArray[np.bool_],
    reach: NDArray[np.float64],
    rounding: float,
    lost: float,
) -> Changes:
    """Return maps on regions of the plane, with bounds, and which variables are active there.

    A region mostly differs from the one before it in few neurons. Only what depends on these is
    computed again.

    Parameters
    ----------
    packed : (n_regions, n_bytes) ndarray of uint8
        Patterns of the regions, in whole words as from `take_bits`.
    bits : (f,) ndarray of int64
        The bit of each variable in these.
    slopes : (2, f) ndarray
        Slopes of the variables where their bits are 0, and where they are 1.
    planes : (f + n, 3) ndarray
        A and c of the pre-activations of the variables, then of the wanted values.
    factors : Rows
        C of the same, and their supports; rows of variables have entries only in earlier columns.
    own : (f + n,) ndarray
        Bounds of the errors of A, c and C, including the rounding of the sums that start with them.
    others : (f + n,) ndarray of bool
        Whether anything besides the variables contributes to a value.
    reach : (3,) ndarray
        Bounds of the factors of the columns of maps: of |x_i|, and 1.
    rounding, lost : float
        Relative rounding error of a sum, and its loss to underflow.
    """
    (n_regions, n_bytes), f, n_rows = packed.shape, len(bits), len(planes)
    rows = np.empty(4 * n_rows)
    for i in range(n_rows):
        rows[4 * i], rows[4 * i + 1], rows[4 * i + 2] = planes[i, 0], planes[i, 1], planes[i, 2]
        rows[4 * i + 3] = own[i]
    known = _Known(
        bits.astype(np.uint32),
        slopes,
        rows,
        factors.ptr,
        factors.columns.astype(np.uint32),
        factors.numbers,
        others,
        reach,
        rounding,
        lost,
    )
    here = _Here(np.zeros(4 * f), np.zeros(f, np.bool_), np.zeros((n_rows + 63) >> 6, np.uint64))
    is_needed = _needed(f, n_rows, factors)
    use_ptr, use_rows = _uses(f, factors, is_needed)
    uses = _Uses(use_ptr, use_rows, np.empty(8 * n_bytes, np.int64), np.zeros(n_bytes, np.uint8))
    for i in range(n_rows):
        here.open_rows[i >> 6] |= np.uint64(is_needed[i]) << np.uint64(i & 63)
        if i < f and is_needed[i]:
            uses.variable_of[bits[i]] = i
            uses.mask[bits[i] >> 3] |= np.uint8(1 << (bits[i] & 7))
    found = Changes(
        np.zeros(n_regions + 1, np.int64),
        np.empty(n_rows + 2 * n_regions, np.uint32),
        np.empty((n_rows + 2 * n_regions, 4)),
        np.zeros(n_regions + 1, np.int64),
        np.empty(n_rows + 2 * n_regions, np.uint32),
    )
    r = _follow(np.int64(0), packed, known, uses, here, found)
    while r < n_regions:
        found = Changes(
            found.ptr,
            np.concatenate((found.places, np.empty_like(found.places))),
            np.concatenate((found.maps, np.empty_like(found.maps))),
            found.flip_ptr,
            np.concatenate((found.flips, np.empty_like(found.flips))),
        )
        r = _follow(r, packed, known, uses, here, found)
    count, n_flips = found.ptr[-1], found.flip_ptr[-1]
    return Changes(
        found.ptr,
        found.places[:count],
        found.maps[:count],
        found.flip_ptr,
        found.flips[:n_flips],
    )


@njit(cache=True)
def _needed(f: int, n_rows: int, factors: Rows) -> NDArray[np.bool_]:
    """Return the rows that wanted values are made of, and these."""
    is_needed = np.zeros(n_rows, np.bool_)
    for i in range(n_rows - 1, -1, -1):
        is_needed[i] |= i >= f
        if is_needed[i]:
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                is_needed[factors.columns[q]] = True
    return is_needed


@njit(cache=True)
def _uses(
    f: int, factors: Rows, is_needed: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return, for each variable, the rows that it is part of, of those that are needed."""
    ptr = np.zeros(f + 2, np.int64)
    for i in range(len(factors.ptr) - 1):
        if is_needed[i]:
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                ptr[factors.columns[q] + 2] += 1
    for j in range(f + 1):
        ptr[j + 1] += ptr[j]
    uses = np.empty(ptr[-1], np.uint32)
    for i in range(len(factors.ptr) - 1):
        if is_needed[i]:
            for q in range(factors.ptr[i], factors.ptr[i + 1]):
                j = factors.columns[q]
                uses[ptr[j + 1]] = i
                ptr[j + 1] += 1
    return ptr[:-1], uses


@njit(cache=True)
def _follow(
    r: int,
    packed: NDArray[np.uint8],
    known: _Known,
    uses: _Uses,
    here: _Here,
    found: Changes,
) -> int:
    """Fill what is found from region r on; return where there is no room any more, or the end."""
    bits, slopes, rows, ptr, columns, numbers, others, reach, rounding, lost = known
    use_ptr, use_rows, variable_of, mask = uses
    found_ptr, flip_ptr = found.ptr, found.flip_ptr
    inputs, is_active, open_rows = here
    places, maps, flips = found.places, found.maps, found.flips
    words, mask_words = packed.view(np.uint64), mask.view(np.uint64)
    one = np.uint64(1)
    f, n_rows, count, n_flips = len(bits), len(others), found.ptr[r], found.flip_ptr[r]
    while r < len(packed) and count + n_rows <= len(places) and n_flips + f < len(flips):
        at = len(open_rows) if r > 0 else 0
        for w in range(words.shape[1] if r > 0 else 0):
            word = (words[r, w] ^ words[r - 1, w]) & mask_words[w]
            while word:
                bit = variable_of[64 * w + int(lowest_bit(word))]
                word &= word - one
                open_rows[bit >> 6] |= one << np.uint64(bit & 63)
                at = min(at, bit >> 6)
        while at < len(open_rows):
            # What depends on a row comes after it.
            word = open_rows[at]
            if not word:
                at += 1
                continue
            i = np.uint32(64 * at + int(lowest_bit(word)))
            open_rows[at] = word & (word - one)
            slope = 1.0
            if i < f:
                slope = slopes[(packed[r, bits[i] >> 3] >> (bits[i] & 7)) & 1, i]
            a, b, c, bound = 0.0, 0.0, 0.0, 0.0
            if slope != 0.0:
                a, b, c, bound = rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]
                is_empty = not others[i]
                for q in range(ptr[i], ptr[i + 1]):
                    j, factor = columns[q], numbers[q]
                    is_empty &= not is_active[j]
                    a += factor * inputs[4 * j]
                    b += factor * inputs[4 * j + 1]
                    c += factor * inputs[4 * j + 2]
                    bound += abs(factor) * inputs[4 * j + 3]
                if is_empty:
                    # A value whose support has nothing active is known to be zero.
                    a, b, c, bound = 0.0, 0.0, 0.0, 0.0
            if i >= f:
                places[count] = i - f
                maps[count, 0], maps[count, 1], maps[count, 2], maps[count, 3] = a, b, c, bound
                count += 1
                continue
            a, b, c = slope * a, slope * b, slope * c
            here_a, here_b, here_c = inputs[4 * i], inputs[4 * i + 1], inputs[4 * i + 2]
            is_same = a == here_a and b == here_b and c == here_c
            inputs[4 * i], inputs[4 * i + 1], inputs[4 * i + 2] = a, b, c
            height = reach[0] * abs(a) + reach[1] * abs(b) + reach[2] * abs(c)
            is_zero = a == b == c == 0.0
            loss = ONCE * (abs(slope) * bound + 2.0 * rounding * height)
            if bound > 0.0:
                loss += lost
            if is_same and loss == inputs[4 * i + 3]:
                continue
            inputs[4 * i + 3] = loss
            was_active, is_active[i] = is_active[i], bound > 0.0 or not is_zero
            flips[n_flips] = i
            n_flips += is_active[i] != was_active
            for q in range(use_ptr[i], use_ptr[i + 1]):
                j = use_rows[q]
                open_rows[j >> 6] |= one << np.uint64(j & 63)
        r += 1
        found_ptr[r], flip_ptr[r] = count, n_flips
    return r


@njit(cache=True, nogil=True)
def first_and_switching(
    kept: NDArray[np.uint8], neurons: NDArray[np.int64], always: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the pattern of the first region, and where any other one differs from it; (2, n).

    Parameters
    ----------
    kept : (n_regions, n_bytes) ndarray of uint8
        From `take_bits`.
    neurons : (n,) ndarray of int64
        The neurons whose bits these are.
    always : (n_neurons,) ndarray of bool
        Other neurons that are positive.
    """
    found = np.zeros((2, len(always)), np.bool_)
    for i in range(len(always)):
        found[0, i] = always[i]
    differ, words = np.zeros(kept.shape[1], np.uint8), kept.view(np.uint64)
    differ_words = differ.view(np.uint64)
    for r in range(len(kept)):
        for w in range(len(differ_words)):
            differ_words[w] |= words[r, w] ^ words[0, w]
    for i in range(len(neurons)):
        found[0, neurons[i]] = (kept[0, i >> 3] >> (i & 7)) & 1
        found[1, neurons[i]] = (differ[i >> 3] >> (i & 7)) & 1
    return found


@njit(cache=True, nogil=True)
def take_bits(packed: NDArray[np.uint8], bits: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return some bits of packed patterns, packed again into whole words of 8 bytes.

    Examples
    --------
    >>> take_bits(np.array([[0b1010]], dtype=np.uint8), np.array([3, 0])).tolist()
    [[1, 0, 0, 0, 0, 0, 0, 0]]
    """
    taken = np.zeros((len(packed), 8 * ((len(bits) + 63) >> 6)), np.uint8)
    for r in range(len(packed)):
        for i in range(len(bits)):
            bit = (packed[r, bits[i] >> 3] >> (bits[i] & 7)) & 1
            taken[r, i >> 3] |= bit << (i & 7)
    return taken


@njit(cache=True, nogil=True)
def put_bits(
    taken: NDArray[np.uint8], bits: NDArray[np.int64], others: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return packed patterns whose bits have been taken; `others` are all other bits.

    Examples
    --------
    >>> put_bits(*(np.array(x, dtype=np.uint8) for x in ([[1]], [3, 0], [0b100]))).tolist()
    [[12]]
    """
    packed = np.empty((len(taken), len(others)), np.uint8)
    for r in range(len(taken)):
        # Regions mostly differ in few bits from those before them.
        for b in range(len(others)):
            packed[r, b] = packed[r - 1, b] if r > 0 else others[b]
        for b in range(taken.shape[1]):
            byte, i = taken[r, b] ^ (taken[r - 1, b] if r > 0 else np.uint8(0)), 8 * b
            while byte:
                if byte & 1:
                    packed[r, bits[i] >> 3] ^= np.uint8(1 << (bits[i] & 7))
                byte >>= 1
                i += 1
    return packed
