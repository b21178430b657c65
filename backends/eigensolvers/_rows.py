"""Compiled kernels for a few long rows: their products, combinations, and orthonormal bases.

For some hundred nodes a call of NumPy takes longer than its work, and with few rows its products
are slower than plain loops at any size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.system.compilation import njit

__all__ = [
    "NEARLY_DEPENDENT",
    "inner_products",
    "lengths",
    "orthonormal_rows",
    "project_out",
    "residuals_of",
    "subtract_combinations",
    "triangular",
]

NEARLY_DEPENDENT = 1e-7
"""If the part of a row orthogonal to the others is shorter than this, rounding dominates it."""
_WELL_APART = 0.1
"""Rows whose shares are longer are orthonormal to rounding by one factor, whose error grows with
the square of the inverse."""
_FEW = 4  # products with more rows are left to BLAS
_STRIP = 512

Floats = NDArray[np.float64]


def lengths(rows: Floats) -> Floats:
    """Return the length of each row."""
    found: Floats = np.sqrt(np.add.reduce(rows * rows, axis=1))  # numpy.linalg.norm takes longer
    return found


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def inner_products(known: Floats, rows: Floats) -> Floats:
    """Return the products of the rows of a basis with a few other rows, (size, b)."""
    (size, n), b = known.shape, len(rows)
    if b > _FEW:
        return np.asarray(np.dot(known, rows.T))
    products = np.zeros((size, b))
    for first in range(0, n, _STRIP):  # so that rows stay in the nearest memory
        last = min(n, first + _STRIP)
        for i in range(size):
            p = known[i, first:last]
            for j in range(b):
                row, product = rows[j, first:last], 0.0
                for k in range(len(p)):
                    product += p[k] * row[k]
                products[i, j] += product
    return products


@njit(cache=True, fastmath={"contract"})
def subtract_combinations(rows: Floats, coefficients: Floats, known: Floats) -> None:
    """Subtract combinations of the rows of a basis from a few rows; coefficients (size, b)."""
    (size, n), b = known.shape, len(rows)
    if b > _FEW:
        rows -= np.dot(coefficients.T, known)
        return
    for first in range(0, n, _STRIP):
        last = min(n, first + _STRIP)
        for j in range(b):
            row, i = rows[j, first:last], 0
            while i + 4 <= size:
                p, q = known[i, first:last], known[i + 1, first:last]
                r, s = known[i + 2, first:last], known[i + 3, first:last]
                w, x = coefficients[i, j], coefficients[i + 1, j]
                y, z = coefficients[i + 2, j], coefficients[i + 3, j]
                for k in range(len(row)):
                    row[k] -= w * p[k] + x * q[k] + y * r[k] + z * s[k]
                i += 4
            while i < size:
                p, w = known[i, first:last], coefficients[i, j]
                for k in range(len(row)):
                    row[k] -= w * p[k]
                i += 1


@njit(cache=True)
def triangular(gram: Floats, sizes: Floats) -> tuple[Floats, Floats, float]:
    """Return Cholesky's factor of a Gram matrix, its inverse, and how far from dependent rows are.

    The latter is the least share of a row's size that is orthogonal to the earlier rows.
    """
    n = len(gram)
    lower, inverse, least = np.zeros((n, n)), np.zeros((n, n)), np.inf
    for i in range(n):
        length = gram[i, i]
        for j in range(i):
            part = gram[i, j]
            for k in range(j):
                part -= lower[i, k] * lower[j, k]
            lower[i, j] = part / lower[j, j]
            length -= lower[i, j] * lower[i, j]
        # Rounding of the Gram matrix hides shorter parts.
        if not length > 1e-14 * gram[i, i]:
            return lower, inverse, 0.0
        lower[i, i] = np.sqrt(length)
        least = min(least, lower[i, i] / max(sizes[i], np.sqrt(gram[i, i])))
        inverse[i, i] = 1 / lower[i, i]
        for j in range(i):
            part = 0.0
            for k in range(j, i):
                part -= lower[i, k] * inverse[k, j]
            inverse[i, j] = part / lower[i, i]
    return lower, inverse, least


@njit(cache=True)
def orthonormal_rows(rows: Floats) -> tuple[Floats, bool]:
    """Return orthonormal rows, the first ones spanning the same spaces as the first given ones.

    The inverse Cholesky factor of their Gram matrix makes them orthonormal; a second one corrects
    the rounding of the first, where that may be large. Also returns whether this was possible,
    which needs rows that are not nearly dependent.
    """
    q = rows
    for _ in range(2):
        _, inverse, least = triangular(np.dot(q, q.T), np.zeros(len(q)))
        if least < NEARLY_DEPENDENT:
            return q, False
        q = np.dot(inverse, q)
        if least > _WELL_APART:
            break
    return q, True


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def project_out(unit: Floats, rows: Floats) -> None:
    """Subtract from each row its component along a unit vector."""
    for i in range(len(rows)):
        row = rows[i]
        for _ in range(2):  # the second time removes what rounding left
            product = 0.0
            for k in range(len(row)):
                product += unit[k] * row[k]
            for k in range(len(row)):
                row[k] -= product * unit[k]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
def residuals_of(
    values: Floats, g: Floats, images: Floats, roots: Floats, sizes: Floats
) -> tuple[Floats, Floats]:
    """Return images - values g, row by row, and norms.

    The norms, (4, m), are those of the residuals, of the residuals and g each times `roots`, and of
    g times `sizes`.
    """
    residuals, squares = np.empty_like(g), np.zeros((4, len(g)))
    for i in range(len(g)):
        value, row, image, residual = values[i], g[i], images[i], residuals[i]
        plain, weighted, size, scale = 0.0, 0.0, 0.0, 0.0
        for k in range(len(row)):
            r = image[k] - value * row[k]
            residual[k] = r
            plain += r * r
            r *= roots[k]
            weighted += r * r
            x = roots[k] * row[k]
            scale += x * x
            y = sizes[k] * row[k]
            size += y * y
        squares[0, i], squares[1, i], squares[2, i], squares[3, i] = plain, weighted, scale, size
    return residuals, np.sqrt(squares)
