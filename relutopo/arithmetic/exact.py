"""Exact rational geometry with Python integers.

Every float is a dyadic rational, so a network with float weights has exact pre-activations. Here
they are kept as integers:

- a *plane* is an integer vector ``(A_1, ..., A_d, C)``, the affine function A·x + C up to one
  positive factor;
- a *point* is an integer vector ``(X_1, ..., X_d, W)`` with W > 0, the point X / W.

The sign of the plane at the point is then the sign of one integer, A·X + C·W. Object arrays hold
the integers, so that NumPy's matrix product works on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import InputError

__all__ = [
    "Integers",
    "adjugate",
    "dyadic_integers",
    "homogeneous_points",
    "intersection_point",
    "mean_point",
    "sign",
    "to_float",
]

Integers = NDArray[np.object_]


def sign(value: Any) -> int:
    """Return -1, 0 or +1.

    Examples
    --------
    >>> sign(-(10**40))
    -1
    """
    return int(value > 0) - int(value < 0)


def dyadic_integers(*arrays: NDArray[np.floating[Any]]) -> tuple[list[Integers], int]:
    """Scale float arrays by one common power of two to integers.

    Parameters
    ----------
    *arrays : ndarray of float
        Finite numbers, any shapes.

    Returns
    -------
    integers : list of ndarray of int objects
        ``arrays[i] * 2**shift``, exactly.
    shift : int
        The exponent, at least 0.

    Examples
    --------
    >>> (a, b), shift = dyadic_integers(np.array([0.5, -2.0]), np.array([0.25]))
    >>> a.tolist(), b.tolist(), shift
    ([2, -8], [1], 2)
    """
    ratios = [[float(x).as_integer_ratio() for x in np.ravel(array)] for array in arrays]
    shift = max((den.bit_length() - 1 for row in ratios for _, den in row), default=0)
    integers = []
    for array, row in zip(arrays, ratios, strict=True):
        flat = np.empty(len(row), dtype=object)
        flat[:] = [num << (shift - den.bit_length() + 1) for num, den in row]
        integers.append(flat.reshape(np.shape(array)))
    return integers, shift


def homogeneous_points(points: NDArray[np.float64]) -> Integers:
    """Write float points exactly as integer vectors (X, W).

    Parameters
    ----------
    points : (n, d) ndarray
        Finite coordinates.

    Returns
    -------
    (n, d + 1) ndarray of int objects

    Examples
    --------
    >>> homogeneous_points(np.array([[0.5, 3.0]])).tolist()
    [[1, 6, 2]]
    """
    rows = []
    for point in np.atleast_2d(points):
        (integers,), shift = dyadic_integers(point)
        rows.append([*integers.tolist(), 1 << shift])
    result = np.empty((len(rows), np.shape(points)[-1] + 1), dtype=object)
    for i, row in enumerate(rows):
        result[i] = row
    return result


def intersection_point(planes: Sequence[Integers]) -> Integers:
    """Return the one point at which d planes of R^d vanish.

    Parameters
    ----------
    planes : sequence of d ndarrays of d + 1 int objects
        Planes with linearly independent normals.

    Returns
    -------
    (d + 1,) ndarray of int objects
        The point (X, W) with W > 0.

    Raises
    ------
    InputError
        If the normals are dependent.

    Examples
    --------
    >>> x_is_1, y_is_2 = np.array([1, 0, -1], object), np.array([0, 1, -2], object)
    >>> intersection_point([x_is_1, y_is_2]).tolist()
    [1, 2, 1]
    """
    d = len(planes)
    if d == 1:
        ((a, c),) = planes
        point = [-c, a]
    elif d == 2:
        (a, b, c), (e, f, g) = planes
        point = [b * g - c * f, c * e - a * g, a * f - b * e]
    else:
        point = _solve(planes)
    if point[-1] == 0:
        raise InputError(
            f"planes must have {d} linearly independent normals, got dependent ones; "
            "choose facets that meet in one point"
        )
    if point[-1] < 0:
        point = [-x for x in point]
    result = np.empty(d + 1, dtype=object)
    result[:] = point
    return result


def adjugate(matrix: Integers) -> tuple[Integers, int]:
    """Return the adjugate of a matrix, its determinant times its inverse, and the determinant.

    Parameters
    ----------
    matrix : (d, d) ndarray of int objects

    Returns
    -------
    adjugate : (d, d) ndarray of int objects
        Zero if the determinant is zero.
    determinant : int

    Examples
    --------
    >>> inverse, determinant = adjugate(np.array([[1, 2], [3, 4]], object))
    >>> inverse.tolist(), determinant
    ([[4, -2], [-3, 1]], -2)
    """
    d = len(matrix)
    if d == 2:
        (a, b), (e, f) = matrix.tolist()
        entries, determinant = [[f, -b], [-e, a]], a * f - b * e
    else:
        unit = np.eye(d, dtype=int).astype(object)
        entries, determinant = _eliminate(np.concatenate([matrix, unit], axis=1).tolist())
    result = np.empty((d, d), dtype=object)
    result[:] = entries if determinant else 0
    return result, determinant


def _solve(planes: Sequence[Integers]) -> list[int]:
    """Return the zero (X_1, ..., X_d, W) of d planes; W = 0 if their normals are dependent."""
    rows, determinant = _eliminate([list(plane) for plane in planes])
    return [*(-row[0] for row in rows), determinant]


def _eliminate(rows: list[list[int]]) -> tuple[list[list[int]], int]:
    """Return the adjugate of the first d columns times the other columns, and the determinant.

    By fraction-free Gauss-Jordan elimination (Bareiss 1968); all zero if the determinant is zero.
    """
    d, previous = len(rows), 1
    for k in range(d):
        pivot = next((i for i in range(k, d) if rows[i][k] != 0), None)
        if pivot is None:
            return [[0] * (len(row) - d) for row in rows], 0
        if pivot != k:  # with the sign that keeps the determinant
            rows[k], rows[pivot] = rows[pivot], [-a for a in rows[k]]
        for i in range(d):
            if i != k:
                rows[i] = [
                    (rows[k][k] * a - rows[i][k] * b) // previous
                    for a, b in zip(rows[i], rows[k], strict=True)
                ]
        previous = rows[k][k]
    return [row[d:] for row in rows], previous


def mean_point(points: Integers) -> Integers:
    """Return the mean of points.

    Parameters
    ----------
    points : (n, d + 1) ndarray of int objects
        Points (X, W), n ≥ 1.

    Returns
    -------
    (d + 1,) ndarray of int objects

    Examples
    --------
    >>> mean_point(np.array([[1, 2], [0, 1]], object)).tolist()
    [1, 4]
    """
    scale = lcm(*points[:, -1].tolist())
    result: Integers = np.sum(points * (scale // points[:, -1:]), axis=0)
    result[-1] = scale * len(points)
    return result


def to_float(point: Integers) -> NDArray[np.float64]:
    """Round a point to floats, each coordinate correctly.

    Parameters
    ----------
    point : (d + 1,) ndarray of int objects
        The point (X, W).

    Returns
    -------
    (d,) ndarray of float64

    Examples
    --------
    >>> to_float(np.array([1, 6, 2], object)).tolist()
    [0.5, 3.0]
    """
    return np.array([float(Fraction(x, point[-1])) for x in point[:-1]])
