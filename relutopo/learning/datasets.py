"""Data sets: points, their targets, and a held-out set from the same source.

Invariant: in classification the targets are -1 and +1. Sources are named in the registry under the
role ``data``; each takes its own options and a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from relutopo.arrays import as_array, as_points
from relutopo.checks import check_integer, check_number, check_seed
from relutopo.errors import InputError
from relutopo.optional import require

__all__ = ["Dataset", "two_circles", "two_moons"]

N_HELD_OUT = 1000
HELD_OUT_SEED = 10_000
MOST_SEED = 2**32 - 1 - HELD_OUT_SEED
"""scikit-learn takes seeds of 32 bits."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Points to train on and points to test on.

    Attributes
    ----------
    name : str
        Where the data come from.
    points : (n, d) ndarray of float64
        Training points.
    targets : (n,) ndarray of float64
        Their targets; labels are -1 and +1.
    held_out_points : (m, d) ndarray of float64
        Points that training never sees.
    held_out_targets : (m,) ndarray of float64
        Their targets.

    Raises
    ------
    InputError
        If shapes do not fit together or a number is not finite.
    """

    name: str
    points: NDArray[np.float64]
    targets: NDArray[np.float64]
    held_out_points: NDArray[np.float64]
    held_out_targets: NDArray[np.float64]

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            object.__setattr__(self, field.name, as_array(getattr(self, field.name)))
        dim = np.shape(self.points)[-1] if np.ndim(self.points) == 2 else 1
        for name in ("points", "held_out_points"):
            as_points(getattr(self, name), dim, name)
        for name, points in (("targets", self.points), ("held_out_targets", self.held_out_points)):
            targets = getattr(self, name)
            if np.shape(targets) != (len(points),) or not np.isfinite(targets).all():
                raise InputError(
                    f"`{name}` must be {len(points)} finite numbers, one for each point, got shape "
                    f"{np.shape(targets)}; pass one target for each row"
                )

    @property
    def dim(self) -> int:
        """Dimension d of the points."""
        return int(self.points.shape[1])

    def equals(self, other: Dataset) -> bool:
        """Tell whether another data set has the same name and the same numbers."""
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
        )


def two_moons(n: int = 500, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Return two interleaved half circles, centred.

    Parameters
    ----------
    n : int
        Number of training points, at least 2.
    noise : float
        Standard deviation of the Gaussian noise; the radius is 1.
    seed : int
        Seed of the training points; the 1000 held-out points have the seed 10000 + `seed`.

    Returns
    -------
    Dataset
        scikit-learn's ``make_moons`` minus (0.5, 0.25).

    Examples
    --------
    >>> two_moons(n=20).points.shape
    (20, 2)
    """
    n, noise, seed = _checked(n, noise, seed)
    make = require("sklearn.datasets", "the data set 'two_moons'").make_moons

    def sample(size: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points, classes = make(size, noise=noise, random_state=seed)
        return points - np.array([0.5, 0.25]), 2.0 * classes - 1.0

    return Dataset("two_moons", *sample(n, seed), *sample(N_HELD_OUT, HELD_OUT_SEED + seed))


def two_circles(n: int = 500, noise: float = 0.05, factor: float = 0.5, seed: int = 0) -> Dataset:
    """Return two concentric circles.

    Parameters
    ----------
    n : int
        Number of training points, at least 2.
    noise : float
        Standard deviation of the Gaussian noise; the outer radius is 1.
    factor : float
        Radius of the inner circle, in [0, 1).
    seed : int
        Seed of the training points; the 1000 held-out points have the seed 10000 + `seed`.

    Returns
    -------
    Dataset
        scikit-learn's ``make_circles``; the inner circle is +1.

    Examples
    --------
    >>> two_circles(n=20).points.shape
    (20, 2)
    """
    n, noise, seed = _checked(n, noise, seed)
    factor = check_number("factor", factor, least=0, below=1, remedy="the outer radius is 1")
    make = require("sklearn.datasets", "the data set 'two_circles'").make_circles

    def sample(size: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points, classes = make(size, noise=noise, factor=factor, random_state=seed)
        return points, 2.0 * classes - 1.0

    return Dataset("two_circles", *sample(n, seed), *sample(N_HELD_OUT, HELD_OUT_SEED + seed))


def _checked(n: int, noise: float, seed: int) -> tuple[int, float, int]:
    return (
        check_integer("n", n, 2, remedy="each class needs a point"),
        check_number("noise", noise, least=0, remedy="0 means none"),
        check_seed(seed, MOST_SEED),
    )
