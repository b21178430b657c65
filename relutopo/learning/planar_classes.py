"""Classes in the plane: spirals, rings and blobs, two or three of them.

Classes have equal numbers of points, up to one. Points of a class are drawn along a curve, or
around a centre, and moved by Gaussian noise. Labels are 0, 1, ... in the order of the arms,
outwards, or counterclockwise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_integer, check_number, check_seed, random_generator
from relutopo.learning.datasets import HELD_OUT_SEED, MOST_SEED, N_HELD_OUT, Dataset

__all__ = ["three_blobs", "three_rings", "three_spirals", "two_spirals"]

Floats = NDArray[np.float64]

_SHORTEST = {2: 0.15, 3: 0.35}
"""The radius at which arms begin, by the number of arms.

Three arms that begin nearer to the centre are also learned, but then the parts of a partition
follow them only in some networks."""
_RADII = np.array([0.25, 0.75, 1.25])


def two_spirals(n: int = 450, noise: float = 0.03, turns: float = 0.75, seed: int = 0) -> Dataset:
    """Return two arms of a spiral.

    Parameters
    ----------
    n : int
        Number of training points, at least 2.
    noise : float
        Standard deviation of the Gaussian noise; the arms reach from radius 0.15 to 1.
    turns : float
        Number of turns of an arm from the centre to radius 1, ≥ 0.
    seed : int
        Seed of the training points; the 1000 held-out points have the seed 10000 + `seed`.

    Examples
    --------
    >>> two_spirals(n=20)
    Dataset('two_spirals', 20 points in 2 dimensions, 1000 held out, classes 0, 1)
    """
    return _spirals("two_spirals", 2, n, noise, turns, seed)


def three_spirals(n: int = 450, noise: float = 0.03, turns: float = 0.55, seed: int = 0) -> Dataset:
    """Return three arms of a spiral.

    Parameters
    ----------
    n : int
        Number of training points, at least 3.
    noise : float
        Standard deviation of the Gaussian noise; the arms reach from radius 0.35 to 1.
    turns, seed
        As for `two_spirals`.

    Examples
    --------
    >>> three_spirals(n=20)
    Dataset('three_spirals', 20 points in 2 dimensions, 1000 held out, classes 0, 1, 2)
    """
    return _spirals("three_spirals", 3, n, noise, turns, seed)


def three_rings(n: int = 450, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Return three concentric rings, of radius 0.25, 0.75 and 1.25.

    Parameters
    ----------
    n : int
        Number of training points, at least 3.
    noise, seed
        As for `two_spirals`.

    Examples
    --------
    >>> three_rings(n=20)
    Dataset('three_rings', 20 points in 2 dimensions, 1000 held out, classes 0, 1, 2)
    """

    def place(classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        return _polar(_RADII[classes], rng.uniform(0, 2 * np.pi, len(classes)))

    return _dataset("three_rings", 3, n, noise, seed, place)


def three_blobs(n: int = 450, noise: float = 0.25, seed: int = 0) -> Dataset:
    """Return three blobs around the corners of a triangle.

    Parameters
    ----------
    n : int
        Number of training points, at least 3.
    noise : float
        Standard deviation of the blobs; their centres have a distance of 1 from the origin.
    seed : int
        As for `two_spirals`.

    Examples
    --------
    >>> three_blobs(n=20)
    Dataset('three_blobs', 20 points in 2 dimensions, 1000 held out, classes 0, 1, 2)
    """

    def place(classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        return _polar(np.ones(len(classes)), 2 * np.pi * (classes / 3 + 0.25))

    return _dataset("three_blobs", 3, n, noise, seed, place)


def _spirals(name: str, k: int, n: int, noise: float, turns: float, seed: int) -> Dataset:
    turns = check_number("turns", turns, least=0, remedy="0 gives straight arms")

    def place(classes: NDArray[np.int64], rng: np.random.Generator) -> Floats:
        radii = rng.uniform(_SHORTEST[k], 1, len(classes))
        return _polar(radii, 2 * np.pi * (classes / k + turns * radii))

    return _dataset(name, k, n, noise, seed, place)


def _polar(radii: Floats, angles: Floats) -> Floats:
    points: Floats = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return points


def _dataset(
    name: str,
    k: int,
    n: int,
    noise: float,
    seed: int,
    place: Callable[[NDArray[np.int64], np.random.Generator], Floats],
) -> Dataset:
    n = check_integer("n", n, k, remedy="each class needs a point")
    noise = check_number("noise", noise, least=0, remedy="0 means none")
    seed = check_seed(seed, MOST_SEED)

    def sample(size: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
        rng = random_generator(seed)
        classes = np.arange(size) % k
        points = place(classes, rng)
        return points + noise * rng.normal(size=points.shape), classes

    return Dataset(name, *sample(n, seed), *sample(N_HELD_OUT, HELD_OUT_SEED + seed))
