"""Dense kernels of the multifrontal Cholesky factorisation of graph Laplacians.

A front has rows for the columns of a block of the dissection, the *panel*, and for its border, the
*update*. Only entries above the diagonal are used; the content below it is undefined. Both are
stored flat, row by row, and accessed by unsigned indices: slices are reference-counted and signed
indices compared with 0, which takes longer than the few numbers of a row.

Only products of numbers of equal sign are ever summed up, in any order; see `cholesky`.
"""

from __future__ import annotations

import numpy as np

from relutopo.system.compilation import njit

__all__ = [
    "STEP",
    "assemble",
    "eliminate",
    "index",
    "take_off_later_rows",
    "take_off_update",
    "take_products",
]

STEP = 8
"""Rows that are eliminated before their products are subtracted from later rows."""
index = np.uint64
"""An index, or a number of entries, that is not negative."""
# From these numbers of rows and columns on, BLAS is worth the copies that it needs.
_MANY_ROWS = 32
_MANY_COLUMNS = 64
_STRIP = 128


@njit(cache=True, nogil=True)
def assemble(b, matrix, blocks, panel, update, local, columns, waiting, n_waiting, stack, top):
    """Fill in the front of block b: from the matrix, and from the updates of its children.

    These are the last ones on the stack, which ends at `top`. Returns how many blocks are waiting
    without them, and where the stack ends then.
    """
    indptr, indices, data = matrix
    order, starts, parents, positions, border_ptr, borders, _ = blocks
    begin, end = starts[b], starts[b + 1]
    border = borders[border_ptr[b] : border_ptr[b + 1]]
    n_own, n_border = end - begin, len(border)
    n = n_own + n_border
    for k in range(n_own):
        local[begin + k] = k
    for k in range(n_border):
        local[border[k]] = n_own + k
    for k in range(n_own):
        v, row = order[begin + k], panel[k * n : (k + 1) * n]
        for p in range(indptr[v], indptr[v + 1]):
            i = positions[indices[p]]
            if i > begin + k:
                row[local[i]] = data[p]
    while n_waiting > 0 and parents[waiting[n_waiting - 1]] == b:
        n_waiting -= 1
        child = waiting[n_waiting]
        m = border_ptr[child + 1] - border_ptr[child]
        for k in range(m):
            columns[k] = local[borders[border_ptr[child] + k]]
        top -= m * m
        _extend(panel, update, n_own, n_border, columns[:m], stack[top : top + m * m])
    return n_waiting, top


@njit(cache=True, nogil=True)
def _extend(panel, update, n_own, n_border, columns, entries):
    """Add the update of a child to a front; `columns` are those of its rows there, ascending."""
    n, width = len(columns), n_own + n_border
    for i in range(n):
        row, source = columns[i], i * n
        if row < n_own:
            target = row * width
            for j in range(i + 1, n):
                panel[index(target + columns[j])] += entries[index(source + j)]
        else:
            target = (row - n_own) * n_border - n_own
            for j in range(i + 1, n):
                update[index(target + columns[j])] += entries[index(source + j)]


@njit(cache=True, nogil=True, inline="always")
def _sum(numbers, first, n):
    """Return the sum of n numbers from the given first one, always in the same order.

    If LLVM chose the order, it would depend on what else is compiled with it, and last bits would
    depend on whether kernels are compiled or loaded.
    """
    a = b = c = d = 0.0
    one, at, last = index(1), first, first + n
    while at + index(4) <= last:
        a += numbers[at]
        b += numbers[at + one]
        c += numbers[at + one + one]
        d += numbers[at + one + one + one]
        at += index(4)
    while at < last:
        a += numbers[at]
        at += one
    return (a + b) + (c + d)


@njit(cache=True, nogil=True, fastmath={"contract"})
def eliminate(panel, update, n_own, n_border):
    """Turn a front's rows into columns of the factor, and subtract products from the update."""
    n = n_own + n_border
    for begin in range(0, n_own, STEP):
        end = min(n_own, begin + STEP)
        for k in range(begin, end):
            first, rest = index(k * n + k + 1), index(n - k - 1)
            take_products(panel, first, panel, n, k, begin, k)
            degree = -_sum(panel, first, rest)
            root = np.sqrt(degree) if degree > 0 else 1.0
            panel[k * n + k] = root
            for i in range(rest):
                panel[first + i] /= root
        take_off_later_rows(panel, n_own, n, end)
    take_off_update(panel, update, n_own, n_border)


@njit(cache=True, nogil=True)
def take_off_later_rows(panel, n_own, n, end):
    """Subtract the products of eliminated rows, up to `end`, from some of the later ones.

    With p the largest power of 2 that divides `end`, the p rows before `end` are subtracted from
    the p rows from `end` on: so the products are as large as if the halves of the panel, then the
    quarters, and so on, were eliminated one after the other.
    """
    if end < n_own:
        width = end & -end
        rows = panel[(end - width) * n : end * n]
        # For the plain number 0 it would be compiled apart.
        _subtract_products(panel, n, np.int64(0), rows, n, end, min(n_own, end + width))


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
        at = index((i - offset) * width - offset + i + 1)
        take_products(target, at, rows, n, i, 0, n_products)


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
def take_products(target, begin, rows, n, i, first, last):
    """Subtract Σ_k rows[k, i] rows[k, j], first ≤ k < last, from target[begin + j - i - 1], j > i.

    Rows are n long. Four at a time halve the passes over the target; with two targets at a time
    LLVM makes scalar loops of it.
    """
    step, rest, k = index(n), index(n - i - 1), first
    while k + 4 <= last:
        at = index(k * n + i)
        a, p = rows[at], at + index(1)
        b, q = rows[at + step], p + step
        c, r = rows[at + step + step], q + step
        d, s = rows[at + step + step + step], r + step
        for j in range(rest):
            target[begin + j] -= (
                a * rows[p + j] + b * rows[q + j] + c * rows[r + j] + d * rows[s + j]
            )
        k += 4
    while k < last:
        at = index(k * n + i)
        a, p = rows[at], at + index(1)
        for j in range(rest):
            target[begin + j] -= a * rows[p + j]
        k += 1
