"""Data sets for regression: functions on the square [-1, 1]², sampled uniformly.

Targets are the exact values of the function, without noise. The training points are drawn with the
seed, the 1000 held-out points with 10000 + seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_integer, check_seed
from relutopo.learning.datasets import HELD_OUT_SEED, MOST_SEED, N_HELD_OUT, Dataset

__all__ = ["bump", "franke", "peaks", "sinsin"]

_Array = NDArray[np.float64]


def sinsin(n: int = 300, seed: int = 0) -> Dataset:
    """Return samples of sin(π x) sin(π y), four hills and hollows with values in [-1, 1].

    Parameters
    ----------
    n : int
        Number of training points, at least 1.
    seed : int
        Seed of the training points; see the module's docstring.

    Examples
    --------
    >>> data = sinsin(n=20)
    >>> data.points.shape, bool(abs(data.targets).max() <= 1)
    ((20, 2), True)
    """
    return _sample("sinsin", lambda x, y: np.sin(np.pi * x) * np.sin(np.pi * y), n, seed)


def bump(n: int = 300, seed: int = 0) -> Dataset:
    """Return samples of exp(-4 (x² + y²)), one hill of height 1 and width 0.35 in the middle.

    Parameters
    ----------
    n : int
        Number of training points, at least 1.
    seed : int
        Seed of the training points; see the module's docstring.

    Examples
    --------
    >>> float(bump(n=20).targets.min()) > 0
    True
    """
    return _sample("bump", lambda x, y: np.exp(-4 * (x**2 + y**2)), n, seed)


def franke(n: int = 300, seed: int = 0) -> Dataset:
    """Return samples of Franke's function, two hills and a hollow with values in (0, 1.3).

    The function is defined on the unit square; [-1, 1]² is mapped there by u = (x + 1) / 2,
    v = (y + 1) / 2.

    Parameters
    ----------
    n : int
        Number of training points, at least 1.
    seed : int
        Seed of the training points; see the module's docstring.

    Notes
    -----
    R. Franke, A critical comparison of some methods for interpolation of scattered data, report
    NPS-53-79-003, Naval Postgraduate School, 1979, test function 1.

    Examples
    --------
    >>> franke(n=20).targets.shape
    (20,)
    """

    def surface(x: _Array, y: _Array) -> _Array:
        u, v = 9 * (x + 1) / 2, 9 * (y + 1) / 2
        value: _Array = (
            0.75 * np.exp(-((u - 2) ** 2 + (v - 2) ** 2) / 4)
            + 0.75 * np.exp(-((u + 1) ** 2) / 49 - (v + 1) / 10)
            + 0.5 * np.exp(-((u - 7) ** 2 + (v - 3) ** 2) / 4)
            - 0.2 * np.exp(-((u - 4) ** 2) - (v - 7) ** 2)
        )
        return value

    return _sample("franke", surface, n, seed)


def peaks(n: int = 300, seed: int = 0) -> Dataset:
    """Return samples of MATLAB's ``peaks``, three hills and hollows with values in (-6.6, 8.2).

    The function is usually shown on [-3, 3]²; [-1, 1]² is mapped there by u = 3 x, v = 3 y.

    Parameters
    ----------
    n : int
        Number of training points, at least 1.
    seed : int
        Seed of the training points; see the module's docstring.

    Notes
    -----
    The formula is that of the MATLAB reference page "peaks".

    Examples
    --------
    >>> peaks(n=20).targets.shape
    (20,)
    """

    def surface(x: _Array, y: _Array) -> _Array:
        u, v = 3 * x, 3 * y
        value: _Array = (
            3 * (1 - u) ** 2 * np.exp(-(u**2) - (v + 1) ** 2)
            - 10 * (u / 5 - u**3 - v**5) * np.exp(-(u**2) - v**2)
            - np.exp(-((u + 1) ** 2) - v**2) / 3
        )
        return value

    return _sample("peaks", surface, n, seed)


def _sample(name: str, surface: Callable[[_Array, _Array], _Array], n: int, seed: int) -> Dataset:
    n = check_integer("n", n, 1, remedy="pass the number of training points")
    seed = check_seed(seed, MOST_SEED)
    points = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    held_out = np.random.default_rng(HELD_OUT_SEED + seed).uniform(-1, 1, (N_HELD_OUT, 2))
    return Dataset(name, points, surface(*points.T), held_out, surface(*held_out.T))
