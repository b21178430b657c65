"""Dense kernels of the multifrontal Cholesky factorisation of graph Laplacians.

A front has rows for the columns of a block of the dissection, the *panel*, and for its border, the
*update*. Only what lies above the diagonal counts; below it anything may stand. Both are given
flat, row by row: slices of one dimension cost a fraction of what those of two do.

Nothing but products of numbers of equal sign is ever summed up, in whatever order; see `cholesky`.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

__all__ = ["STEP", "eliminate", "extend", "take_off_later_rows", "take_off_update", "take_products"]

STEP = 8
"""Rows that are eliminated before their part is taken off later ones."""
# From how many rows and columns on BLAS is worth the copies that it takes.
_MANY_ROWS = 32
_MANY_COLUMNS = 64
_STRIP = 128


@njit(cache=True, nogil=True)
def extend(panel, update, n_own, n_border, columns, entries):
    """Add the update of a child to a front; `columns` are those of its rows there, ascending."""
    n, width = len(columns), n_own + n_border
    for i in range(n):
        row = columns[i]
        if row < n_own:
            target, offset = panel[row * width : (row + 1) * width], 0
        else:
            begin = (row - n_own) * n_border
            target, offset = update[begin : begin + n_border], n_own
        source = entries[i * n : (i + 1) * n]
        for j in range(i + 1, n):
            target[columns[j] - offset] += source[j]


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def eliminate(panel, update, n_own, n_border):
    """Turn a front's rows into columns of the factor, and take their part off the update."""
    n = n_own + n_border
    for begin in range(0, n_own, STEP):
        end = min(n_own, begin + STEP)
        for k in range(begin, end):
            row = panel[k * n + k + 1 : (k + 1) * n]
            take_products(row, panel, n, k, begin, k)
            degree = 0.0
            for i in range(len(row)):
                degree -= row[i]
            root = np.sqrt(degree) if degree > 0 else 1.0
            panel[k * n + k] = root
            for i in range(len(row)):
                row[i] /= root
        take_off_later_rows(panel, n_own, n, end)
    take_off_update(panel, update, n_own, n_border)


@njit(cache=True, nogil=True)
def take_off_later_rows(panel, n_own, n, end):
    """Subtract the products of eliminated rows, up to `end`, from some of the later ones.

    As many rows more as the largest power of 2 that divides `end` take their part from as many
    before: the products are as large as they would be if the halves of the panel, the quarters,
    and so on, were eliminated one after the other.
    """
    if end < n_own:
        width = end & -end
        rows = panel[(end - width) * n : end * n]
        _subtract_products(panel, n, 0, rows, n, end, min(n_own, end + width))


@njit(cache=True, nogil=True)
def take_off_update(panel, update, n_own, n_border):
    """Subtract the products of all rows from the update."""
    n = n_own + n_border
    _subtract_products(update, n_border, n_own, panel, n, n_own, n)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _subtract_products(target, width, offset, rows, n, first, last):
    """Subtract Σ_k rows[k, i] rows[k, j] from entry (i, j) for i in first..last and j > i.

    Rows are n long. Entry (i, j) is target[i - offset, j - offset], of rows `width` long.
    """
    n_products = len(rows) // n
    if n_products >= _MANY_ROWS and n - first >= _MANY_COLUMNS:
        _subtract_with_blas(target, width, offset, rows.reshape(n_products, n), first, last)
        return
    for i in range(first, last):
        at = (i - offset) * width - offset
        take_products(target[at + i + 1 : at + n], rows, n, i, 0, n_products)


@njit(cache=True, nogil=True)
def _subtract_with_blas(target, width, offset, rows, first, last):
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
            at = (i + k - offset) * width - offset
            row, product = target[at + i : at + n], products[k]
            for j in range(k + 1, n - i):
                row[j] -= product[j]


@njit(cache=True, nogil=True, inline="always")
def take_products(row, rows, n, i, first, last):
    """Subtract Σ_k rows[k, i] rows[k, j], first ≤ k < last, from row[j - i - 1] for j > i.

    `rows` is flat, each of them n long. Four at a time halve the passes over the row; with two
    targets at a time LLVM makes scalar loops of it.
    """
    k = first
    while k + 4 <= last:
        at = k * n + i
        p, q = rows[at + 1 : at + n - i], rows[at + n + 1 : at + 2 * n - i]
        r, s = rows[at + 2 * n + 1 : at + 3 * n - i], rows[at + 3 * n + 1 : at + 4 * n - i]
        a, b, c, d = rows[at], rows[at + n], rows[at + 2 * n], rows[at + 3 * n]
        for j in range(len(row)):
            row[j] -= a * p[j] + b * q[j] + c * r[j] + d * s[j]
        k += 4
    if k + 2 <= last:
        at = k * n + i
        p, q = rows[at + 1 : at + n - i], rows[at + n + 1 : at + 2 * n - i]
        a, b = rows[at], rows[at + n]
        for j in range(len(row)):
            row[j] -= a * p[j] + b * q[j]
        k += 2
    if k < last:
        at = k * n + i
        p, a = rows[at + 1 : at + n - i], rows[at]
        for j in range(len(row)):
            row[j] -= a * p[j]
