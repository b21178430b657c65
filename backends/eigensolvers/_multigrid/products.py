"""Products with vectors that stay on a device, fused with the operations on their results.

A small operation on a card takes as long as one on a hundred thousand numbers, and nearly all
levels of a hierarchy are smaller than that. So each function is a single kernel, given beside the
equivalent operations on arrays (`relutopo.devices.kernels`). A kernel sums each row in order, one
row per thread: the same numbers give the same sums, and rows with very many entries take long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.kernels import Kernel
from relutopo.system.compilation import njit

__all__ = ["chebyshev_step", "combinations", "inner_products", "product"]

_N_PARTS = 2**15  # of a sum over all nodes, each a thread's

_PRODUCT = Kernel(
    "relutopo_product",
    "raw float64 data, raw int32 indices, raw int32 indptr, raw float64 x, raw float64 plus, "
    "int64 n_rows, int64 n_columns, int32 has_plus, float64 sign",
    "float64 y",
    """
    long long row = i % n_rows, first = i / n_rows * n_columns;
    double sum = 0.0;
    for (int p = indptr[row]; p < indptr[row + 1]; ++p) {
        sum += data[p] * x[first + indices[p]];
    }
    y = has_plus ? plus[i] + sign * sum : sign * sum;
    """,
)

_CHEBYSHEV = Kernel(
    "relutopo_chebyshev",
    "raw float64 data, raw int32 indices, raw int32 indptr, raw float64 x, raw float64 step, "
    "raw float64 right, raw float64 inverse, float64 keep, float64 gain",
    "float64 new_step, float64 new_x",
    """
    double sum = 0.0;
    for (int p = indptr[i]; p < indptr[i + 1]; ++p) {
        sum += data[p] * x[indices[p]];
    }
    double change = keep * step[i] + gain * inverse[i] * (right[i] - sum);
    new_step = change;
    new_x = x[i] + change;
    """,
)

_INNER_PRODUCTS = Kernel(
    "relutopo_inner_products",
    "raw float64 a, raw float64 b, int64 n_nodes, int32 n_b, int64 n_parts",
    "float64 part",
    """
    long long pair = i / n_parts;
    long long first = pair / n_b * n_nodes, second = pair % n_b * n_nodes;
    double sum = 0.0;
    for (long long v = i % n_parts; v < n_nodes; v += n_parts) {
        sum += a[first + v] * b[second + v];
    }
    part = sum;
    """,
)

_COMBINATIONS = Kernel(
    "relutopo_combinations",
    "raw float64 coefficients, raw float64 vectors, int64 n_nodes, int32 n_vectors",
    "float64 combined",
    """
    long long v = i % n_nodes, first = i / n_nodes * n_vectors;
    double sum = 0.0;
    for (int k = 0; k < n_vectors; ++k) {
        sum += coefficients[first + k] * vectors[k * n_nodes + v];
    }
    combined = sum;
    """,
)


def product(xp: Any, matrix: Any, x: Any, plus: Any = None, sign: float = 1.0) -> Any:
    """Return plus + sign M x.

    Parameters
    ----------
    xp : module
    matrix : (n, m) csr_matrix
        M, with indices of type int32.
    x : (m,) or (k, m) array
        A vector, or several.
    plus : (n,) or (k, n) array, optional
        None stands for 0.
    sign : float
    """
    kernel = _PRODUCT.on(xp)
    if kernel is None:
        rows = np.atleast_2d(np.ascontiguousarray(x))
        added = rows if plus is None else np.atleast_2d(np.ascontiguousarray(plus))
        arrays = matrix.indptr, matrix.indices, matrix.data
        y = _products(*arrays, rows, added, plus is not None, sign)
        return y if x.ndim == 2 else y[0]
    y = xp.empty((*x.shape[:-1], matrix.shape[0]))
    others = (x, *matrix.shape, 0, sign) if plus is None else (plus, *matrix.shape, 1, sign)
    kernel(matrix.data, matrix.indices, matrix.indptr, x, *others, y)
    return y


@njit(cache=True)
def _products(
    indptr: Any, indices: Any, data: Any, rows: Any, plus: Any, has_plus: bool, sign: float
) -> Any:
    # In small graphs, SciPy's dispatch would take longer than the product; in large ones, two rows
    # at a time take little longer than one. Signed indices would be compared with 0, each of them.
    k, n = len(rows), len(indptr) - 1
    y = np.empty((k, n))
    for first in range(0, k - 1, 2):
        a, b, second = rows[first], rows[first + 1], first + 1
        for i in range(n):
            total_a, total_b = 0.0, 0.0
            for p in range(np.uint32(indptr[i]), np.uint32(indptr[i + 1])):
                j = np.uint32(indices[p])
                total_a += data[p] * a[j]
                total_b += data[p] * b[j]
            y[first, i] = plus[first, i] + sign * total_a if has_plus else sign * total_a
            y[second, i] = plus[second, i] + sign * total_b if has_plus else sign * total_b
    if k % 2:
        a = rows[k - 1]
        for i in range(n):
            total_a = 0.0
            for p in range(np.uint32(indptr[i]), np.uint32(indptr[i + 1])):
                total_a += data[p] * a[np.uint32(indices[p])]
            y[k - 1, i] = plus[k - 1, i] + sign * total_a if has_plus else sign * total_a
    return y


def chebyshev_step(
    xp: Any, matrix: Any, vectors: tuple[Any, Any, Any, Any], keep: float, gain: float
) -> tuple[Any, Any]:
    """Return keep step + gain D⁻¹ (right - M x), and its sum with x.

    Parameters
    ----------
    xp : module
    matrix : (n, n) csr_matrix
        M, with indices of type int32.
    vectors : (n,) arrays
        x, step, right, and the diagonal of D⁻¹.
    keep, gain : float
    """
    kernel = _CHEBYSHEV.on(xp)
    x, step, right, inverse = vectors
    if kernel is None:
        change = keep * step + gain * inverse * (right - matrix @ x)
        return change, x + change
    results = xp.empty(x.shape), xp.empty(x.shape)
    kernel(matrix.data, matrix.indices, matrix.indptr, *vectors, keep, gain, *results)
    return results


def inner_products(xp: Any, a: Any, b: Any) -> Any:
    """Return a bᵀ, (k, m), for a few long rows.

    Parameters
    ----------
    xp : module
    a, b : (k, n) and (m, n) arrays
    """
    kernel = _INNER_PRODUCTS.on(xp)
    if kernel is None:
        return a @ b.T
    n_parts = min(a.shape[1], _N_PARTS)
    parts = xp.empty((len(a), len(b), n_parts))
    kernel(a, b, a.shape[1], len(b), n_parts, parts)
    return parts.sum(axis=2)


def combinations(xp: Any, coefficients: Any, vectors: Any) -> Any:
    """Return coefficients @ vectors, (k, n), for a few long rows.

    Parameters
    ----------
    xp : module
    coefficients : (k, m) array
        With its rows one after the other in memory.
    vectors : (m, n) array
    """
    kernel = _COMBINATIONS.on(xp)
    if kernel is None:
        return coefficients @ vectors
    combined = xp.empty((len(coefficients), vectors.shape[1]))
    kernel(coefficients, vectors, vectors.shape[1], len(vectors), combined)
    return combined
