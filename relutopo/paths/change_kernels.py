"""The compiled kernels for graphs; importing them loads numba, so import them where they are used.

`relutopo.paths.graph_knots` describes their data and derives the bounds. Changes of a value are in
CSR form, by knots: ``units[indptr[i]:indptr[i + 1]]`` change at knot i, by ``amounts`` times the
knot's own ``a + b t``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = ["bend", "map_twice", "merge", "sample", "spread"]

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]
_Places = NDArray[np.int32]
_Changes = tuple[_Ints, _Places, _Floats]

_U = 2.0**-53
_MOST_ASKED = 16
"""Most open signs of one kink that are checked afterwards; more of them mostly come from ties."""
_SPLIT = 2.0**27 + 1.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def spread(
    heads: _Places,
    rows: _Places,
    weights: _Floats,
    n: int,
    changes: _Changes,
    steepness: _Floats,
) -> tuple[_Changes, _Ints, _Floats]:
    """Return the images of changes under a matrix in CSC form, and bounds of their rounding.

    Parameters
    ----------
    heads, rows, weights : ndarrays
        The column pointer, and rows and weights of the entries.
    n : int
        Rows of the matrix.
    changes : (indptr, units, amounts)
    steepness : (n_knots,) ndarray
        |a| + |b|.

    Returns
    -------
    changes : (indptr, units, amounts)
    counts : (n,) ndarray of int64
        At how many knots each entry changes.
    losses : (n,) ndarray
        Sums over these of ``(m + 3) (|a| + |b|) Σ |w v|`` over the m terms of each.
    """
    indptr, units, amounts = changes
    n_knots = len(indptr) - 1
    starts = np.zeros(n_knots + 1, np.int64)
    room = 2 * len(units) + n
    places, sums = np.empty(room, np.int32), np.empty(room)
    counts = np.zeros(n, np.int64)
    losses, total, reach = np.zeros(n), np.zeros(n), np.zeros(n)
    terms, seen = np.zeros(n), np.full(n, -1)
    touched = np.empty(n, np.int32)
    m = 0
    for i in range(n_knots):
        n_touched = 0
        for at in range(indptr[i], indptr[i + 1]):
            amount, unit = amounts[at], units[at]
            for entry in range(heads[unit], heads[unit + 1]):
                row = rows[entry]
                if seen[row] != i:
                    seen[row] = i
                    total[row], reach[row], terms[row] = 0.0, 0.0, 3.0
                    touched[n_touched] = row
                    n_touched += 1
                term = weights[entry] * amount
                total[row] += term
                reach[row] += abs(term)
                terms[row] += 1.0
        if m + n_touched > room:
            more = room + n_touched
            places = np.concatenate((places, np.empty(more, np.int32)))
            sums = np.concatenate((sums, np.empty(more)))
            room += more
        for k in range(n_touched):
            row = touched[k]
            places[m], sums[m] = row, total[row]
            losses[row] += steepness[i] * terms[row] * reach[row]
            counts[row] += 1
            m += 1
        starts[i + 1] = m
    return (starts, places[:m].copy(), sums[:m].copy()), counts, losses


@njit(cache=True, nogil=True)
def merge(one: _Changes, other: _Changes, shift: int) -> _Changes:
    """Return the changes of two values as one, the second after `shift` entries of the first."""
    indptr = one[0] + other[0]
    units, amounts = np.empty(indptr[-1], np.int32), np.empty(indptr[-1])
    for i in range(len(indptr) - 1):
        m = indptr[i]
        for at in range(one[0][i], one[0][i + 1]):
            units[m], amounts[m] = one[1][at], one[2][at]
            m += 1
        for at in range(other[0][i], other[0][i + 1]):
            units[m], amounts[m] = other[1][at] + shift, other[2][at]
            m += 1
    return indptr, units, amounts


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def bend(
    alpha: _Floats,
    beta: _Floats,
    error: _Floats,
    slopes: _Floats,
    changes: _Changes,
    knots: _Floats,
) -> tuple[int, _Ints, NDArray[np.bool_], _Floats, _Ints, _Changes, _Floats, _Floats]:
    """Follow the units of a kink from knot to knot; signs that bounds leave open follow the floats.

    Parameters
    ----------
    alpha, beta, error : (n,) ndarrays
        Coefficients on the first piece, which are overwritten, and E.
    slopes : (2, n) ndarray
        Slopes where units are off and on.
    changes : (indptr, units, amounts)
    knots : (4, n_knots) ndarray
        t, its error bound, a and b.

    Returns
    -------
    n_open : int
        Zeros about which nothing is known; if there are any, the other results are void.
    asked : (3, n_asked) ndarray of int64
        Signs that bounds leave open: the knot (n_knots for the end, -1 for the beginning); the
        unit; and 1 if it is taken to be on, otherwise 0.
    first : (n,) ndarray of bool
        Which units are on on the first piece.
    new : (5, n_new) ndarray
        As `knots`, in no order, and by how many times their own a + b t the units change there.
    new_units : (n_new,) ndarray of int64
    changes : (indptr, units, amounts)
        Changes of the kink's result at the old knots.
    size, steepest : (n,) ndarrays
        The greatest ``|α| + |β|`` of the kink's result, and its greatest slope.
    """
    indptr, units, amounts = changes
    n, n_knots = len(alpha), len(indptr) - 1
    n_open, n_asked = 0, 0
    asked = np.empty((3, _MOST_ASKED), np.int64)
    first, now = np.zeros(n, np.bool_), np.zeros(n, np.int64)
    size, steepest, since = np.zeros(n), np.zeros(n), np.zeros(n)
    room = n + 64
    new, new_units = np.empty((5, room)), np.empty(room, np.int64)
    q = 0
    starts = np.zeros(n_knots + 1, np.int64)
    places, kept = np.empty(len(units), np.int32), np.empty(len(units))
    m = 0
    for j in range(n):
        if not abs(alpha[j]) > error[j] and not alpha[j] == beta[j] == error[j] == 0.0:
            n_open += 0 if n_asked < _MOST_ASKED and alpha[j] != 0.0 else 1
            last = min(n_asked, _MOST_ASKED - 1)
            asked[0, last], asked[1, last], asked[2, last] = -1, j, 1 if alpha[j] > 0.0 else 0
            n_asked = last + 1
        first[j] = alpha[j] > 0.0
        now[j] = 1 if first[j] else 0
        steepest[j] = abs(slopes[now[j], j])
        size[j] = steepest[j] * (abs(alpha[j]) + abs(beta[j]))
    # The last round examines all units at the end.
    for i in range(n_knots + 1):
        begin, end = (indptr[i], indptr[i + 1]) if i < n_knots else (0, n)
        right, off = (knots[0, i], knots[1, i]) if i < n_knots else (1.0, 0.0)
        for at in range(begin, end):
            j = int(units[at]) if i < n_knots else at
            value = (2 * now[j] - 1) * (alpha[j] + beta[j] * right)
            slope = abs(beta[j])
            bound = error[j] + slope * off
            if not value > bound:
                if i == n_knots and alpha[j] == beta[j] == error[j] == 0.0:
                    continue
                if not value < -bound:
                    n_open += 0 if n_asked < _MOST_ASKED and value != 0.0 else 1
                    last = min(n_asked, _MOST_ASKED - 1)
                    asked[0, last], asked[1, last] = i, j
                    asked[2, last] = now[j] if value > 0.0 else 1 - now[j]
                    n_asked = last + 1
                if not value > 0.0 and not slope > 4 * error[j]:
                    n_open += 1
            if value < 0.0 and not n_open:
                if q == room:
                    new = np.concatenate((new, np.empty((5, room))), axis=1)
                    new_units = np.concatenate((new_units, np.empty(room, np.int64)))
                    room *= 2
                zero = -alpha[j] / beta[j]
                place = min(max(zero, since[j]), right)
                doubt = 1.01 * error[j] / (slope - error[j]) + 4 * _U
                before = slopes[now[j], j]
                now[j] = 1 - now[j]
                after = slopes[now[j], j]
                new[0, q], new[1, q] = place, doubt + abs(place - zero)
                new[2, q], new[3, q], new[4, q] = alpha[j], beta[j], after - before
                new_units[q] = j
                q += 1
                steepest[j] = max(steepest[j], abs(after))
                size[j] = max(size[j], abs(after) * (abs(alpha[j]) + slope))
            if i < n_knots:
                since[j] = right
                alpha[j] += knots[2, i] * amounts[at]
                beta[j] += knots[3, i] * amounts[at]
                factor = slopes[now[j], j]
                size[j] = max(size[j], abs(factor) * (abs(alpha[j]) + abs(beta[j])))
                if factor != 0.0:
                    places[m], kept[m] = j, factor * amounts[at]
                    m += 1
        if n_open:
            break
        if i < n_knots:
            starts[i + 1] = m
    kept_changes = starts, places[:m].copy(), kept[:m].copy()
    return (
        *(n_open, asked[:, :n_asked].copy(), first, new[:, :q].copy(), new_units[:q].copy()),
        *(kept_changes, size, steepest),
    )


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def sample(
    alpha: _Floats, beta: _Floats, error: _Floats, changes: _Changes, knots: _Floats
) -> tuple[_Floats, _Floats]:
    """Return values at 0, at the knots and at 1, and bounds of their errors.

    Parameters
    ----------
    alpha, beta, error : (n,) ndarrays
        Coefficients on the first piece, which are overwritten, and E.
    changes : (indptr, units, amounts)
    knots : (4, n_knots) ndarray
        As for `bend`.
    """
    indptr, units, amounts = changes
    n, n_knots = len(alpha), len(indptr) - 1
    values, errors = np.empty((n_knots + 2, n)), np.empty((n_knots + 2, n))
    values[0], errors[0] = alpha, error
    for i in range(n_knots + 1):
        right, off = (knots[0, i], knots[1, i]) if i < n_knots else (1.0, 0.0)
        for j in range(n):
            values[i + 1, j] = alpha[j] + beta[j] * right
            errors[i + 1, j] = error[j] + abs(beta[j]) * off
        if i < n_knots:
            for at in range(indptr[i], indptr[i + 1]):
                alpha[units[at]] += knots[2, i] * amounts[at]
                beta[units[at]] += knots[3, i] * amounts[at]
    return values, errors


@njit(cache=True, nogil=True, error_model="numpy")
def map_twice(
    indptr: _Places, columns: _Places, weights: _Floats, bias: _Floats, values: _Floats
) -> _Floats:
    """Return the image of values to twice the precision, high parts before low parts.

    Parameters
    ----------
    indptr, columns, weights : ndarrays
        A matrix in CSR form.
    bias : (n,) ndarray
    values : (2, n_in) ndarray
    """
    n = len(indptr) - 1
    image = np.empty((2, n))
    for row in range(n):
        high, low = bias[row], 0.0
        for at in range(indptr[row], indptr[row + 1]):
            w, x = weights[at], values[0, columns[at]]
            product = w * x
            big = _SPLIT * w
            w_high = big - (big - w)
            w_low = w - w_high
            big = _SPLIT * x
            x_high = big - (big - x)
            x_low = x - x_high
            lost = ((w_high * x_high - product) + w_high * x_low + w_low * x_high) + w_low * x_low
            total = high + product
            part = total - high
            low += ((high - (total - part)) + (product - part)) + (
                lost + w * values[1, columns[at]]
            )
            high = total
        total = high + low
        part = total - high
        image[0, row], image[1, row] = total, (high - (total - part)) + (low - part)
    return image
