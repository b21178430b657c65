"""Dense kernels of the multifrontal Cholesky factorisation of graph Laplacians.

A front has rows for the columns of a block of the dissection, the *panel*, and for its border, the
*update*. Only what lies above the diagonal counts; below it anything may stand.

Nothing but products of numbers of equal sign is ever summed up, in whatever order; see `cholesky`.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

__all__ = ["eliminate", "extend", "subtract_products"]

_STEP = 8
# From how many rows and columns on BLAS is worth the copies that it takes.
_MANY_ROWS = 32
_MANY_COLUMNS = 64
_STRIP = 128


@njit(cache=True, nogil=True)
def extend(panel, update, columns, entries):
    """Add the update of a child to a front; `columns` are those of its rows there, ascending."""
    n_own, n = len(panel), len(columns)
    for i in range(n):
        row = columns[i]
        source = entries[i * n : (i + 1) * n]
        if row < n_own:
            target = panel[row]
            for j in range(i + 1, n):
                target[columns[j]] += source[j]
        else:
            target = update[row - n_own]
            for j in range(i + 1, n):
                target[columns[j] - n_own] += source[j]


@njit(cache=True, nogil=True, fastmath={"contract"})
def eliminate(panel, update):
    """Turn a front's rows into columns of the factor, and take their part off the update."""
    n_own, n = panel.shape
    for begin in range(0, n_own, _STEP):
        end = min(n_own, begin + _STEP)
        for k in range(begin, end):
            row = panel[k, k + 1 :]
            for j in range(begin, k):
                other, a = panel[j, k + 1 :], panel[j, k]
                for i in range(len(row)):
                    row[i] -= a * other[i]
            degree = 0.0
            for i in range(len(row)):
                degree -= row[i]
            root = np.sqrt(degree) if degree > 0 else 1.0
            panel[k, k] = root
            for i in range(len(row)):
                row[i] /= root
        # As many rows more as the largest power of 2 that divides `end` take their part from as
        # many before: the products are as large as they would be if the halves of the panel, the
        # quarters, and so on, were eliminated one after the other.
        width = end & -end
        subtract_products(panel, 0, panel[end - width : end], end, min(n_own, end + width))
    subtract_products(update, n_own, panel, n_own, n)


@njit(cache=True, nogil=True)
def subtract_products(target, offset, rows, first, last):
    """Subtract Σ_k rows[k, i] rows[k, j] from entry (i, j) for i in first..last and j > i.

    Entry (i, j) is target[i - offset, j - offset].
    """
    if len(rows) >= _MANY_ROWS and rows.shape[1] - first >= _MANY_COLUMNS:
        _subtract_with_blas(target, offset, rows, first, last)
    else:
        _subtract_in_place(target, offset, rows, first, last)


@njit(cache=True, nogil=True)
def _subtract_with_blas(target, offset, rows, first, last):
    n = rows.shape[1]
    room = np.empty(min(_STRIP, max(0, last - first)) * (n - first))
    for i in range(first, last, _STRIP):
        height = min(_STRIP, last - i)
        products = room[: height * (n - i)].reshape(height, n - i)
        np.dot(
            np.ascontiguousarray(rows[:, i : i + height]).T,
            np.ascontiguousarray(rows[:, i:]),
            products,
        )
        for k in range(height):
            row, product = target[i + k - offset, i - offset : n - offset], products[k]
            for j in range(k + 1, n - i):
                row[j] -= product[j]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _subtract_in_place(target, offset, rows, first, last):
    # Two rows and four products at a time keep the sums in registers.
    n_products, n = rows.shape
    for i in range(first, last, 2):
        pair = i + 1 < last
        row = target[i - offset, i + 1 - offset : n - offset]
        after = target[i + 1 - offset, i + 1 - offset : n - offset] if pair else row
        k = 0
        while k + 4 <= n_products:
            p, q, r, s = (
                rows[k, i + 1 :],
                rows[k + 1, i + 1 :],
                rows[k + 2, i + 1 :],
                rows[k + 3, i + 1 :],
            )
            a, b, c, d = rows[k, i], rows[k + 1, i], rows[k + 2, i], rows[k + 3, i]
            if pair:
                e, f, g, h = p[0], q[0], r[0], s[0]
                for j in range(len(row)):
                    row[j] -= a * p[j] + b * q[j] + c * r[j] + d * s[j]
                    after[j] -= e * p[j] + f * q[j] + g * r[j] + h * s[j]
            else:
                for j in range(len(row)):
                    row[j] -= a * p[j] + b * q[j] + c * r[j] + d * s[j]
            k += 4
        while k < n_products:
            p, a = rows[k, i + 1 :], rows[k, i]
            for j in range(len(row)):
                row[j] -= a * p[j]
            if pair:
                e = p[0]
                for j in range(len(row)):
                    after[j] -= e * p[j]
            k += 1
