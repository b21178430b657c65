"""Data sets: points, their targets, and a held-out set from the same source.

Targets are labels or values. Words, truth values, and whole numbers are labels, and make
`Dataset.classes`; other numbers are values for regression.

Invariant: the targets of two classes are -1 and +1, whatever the labels were. For any other number
of classes they are the labels themselves if these are numbers, otherwise 0, 1, ... in the order of
the classes. Sources are named in the registry under the role ``data``; each takes its own options
and a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_array, as_labels, as_points, categories_of, points_of
from relutopo.checks import check_integer, check_number, check_seed, kind_of
from relutopo.errors import InputError
from relutopo.optional import require
from relutopo.reports.shown import Shown
from relutopo.reports.text import counted

__all__ = ["Dataset", "two_circles", "two_moons"]

N_HELD_OUT = 1000
HELD_OUT_SEED = 10_000
MOST_SEED = 2**32 - 1 - HELD_OUT_SEED
"""scikit-learn accepts seeds of 32 bits."""


def _nothing() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Shown):
    """Points to train on and, if there are any, points to test on.

    Parameters
    ----------
    name : str
        Where the data come from.
    points : (n, d) array_like
        Training points; the column names of a pandas table become `features`.
    targets : (n,) or (n, 1) array_like
        Labels of any kind, or values.
    held_out_points, held_out_targets : array_like, optional
        Points that training never sees, with their targets.
    classes : sequence, optional
        The labels that the targets stand for, for example those of another data set. By default
        they are found in the targets, ascending, or are the categories of a categorical column of
        words, in their order; None for values. Where the targets are words, it may list these in
        another order: that of the network's outputs.
    features : sequence of str, optional
        Names of the d coordinates.

    Attributes
    ----------
    points, held_out_points : (n, d) and (m, d) ndarray of float64
        m is 0 if nothing is held out.
    targets, held_out_targets : (n,) and (m,) ndarray of float64
        -1 and +1 for two classes.
    classes : tuple or None
        The labels, in the order of the outputs that stand for them.
    features : tuple of str or None

    Raises
    ------
    InputError
        If shapes do not fit together, a number is not finite, a label is missing, or a word is not
        one of the classes.

    Examples
    --------
    >>> Dataset("pets", [[0.0, 1.0], [2.0, 1.0], [3.0, 0.0]], ["dog", "cat", "dog"])
    Dataset('pets', 3 points in 2 dimensions, classes 'cat', 'dog')
    """

    name: str
    points: NDArray[np.float64]
    targets: NDArray[np.float64]
    held_out_points: NDArray[np.float64] = field(default_factory=_nothing)
    held_out_targets: NDArray[np.float64] = field(default_factory=_nothing)
    classes: tuple[Any, ...] | None = None
    features: tuple[str, ...] | None = None

    if TYPE_CHECKING:  # it accepts more types than it keeps

        def __init__(
            self,
            name: str,
            points: Any,
            targets: Any,
            held_out_points: Any = None,
            held_out_targets: Any = None,
            classes: Sequence[Any] | None = None,
            features: Sequence[str] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InputError(
                f"`name` must be a word for where the data come from, got {kind_of(self.name)}; "
                "pass Dataset(name, points, targets)"
            )
        names = self.features if self.features is not None else _names_of_columns(self.points)
        points = as_array(self.points, name="points")
        if points.ndim != 2 and points_of(self.points) is None:
            remedy = "one row for each point"
            if points.ndim > 2:
                remedy = "points.reshape(len(points), -1)"
            raise InputError(f"`points` must have shape (n, d), got {points.shape}; pass {remedy}")
        dim = points.shape[-1] if points.ndim == 2 else 1
        if names is not None and len(names) != dim:
            raise InputError(
                f"`features` must be {dim} names, one for each coordinate, got {len(names)}; pass "
                "them in the order of the columns of points"
            )
        self._set("features", None if names is None else tuple(map(str, names)))
        nothing = np.empty((0, dim))
        for name, default in (("points", None), ("held_out_points", nothing)):
            given = getattr(self, name)
            is_missing = given is None or not as_array(given, name=name).size
            is_default = default is not None and is_missing
            self._set(name, as_points(nothing if is_default else given, dim, name))
        categories = tuple(categories_of(self.targets))
        labels = [
            _column(name, getattr(self, name), len(points))
            for name, points in (
                ("targets", self.points),
                ("held_out_targets", self.held_out_points),
            )
        ]
        words = [target.dtype.kind not in "biuf" for target in labels]
        if len(labels[1]) and words[0] != words[1]:
            raise InputError(
                "`held_out_targets` must be of the kind of `targets`, got words for one and "
                "numbers for the other; encode both alike"
            )
        if self.classes is None:
            self._set("classes", categories or None)
        if self.classes is None:
            labels = self._as_numbers(*labels)
        else:
            self._set("classes", tuple(self.classes))
            named = zip(("targets", "held_out_targets"), labels, strict=True)
            labels = [self._places(name, values) for name, values in named]
        for name, values in zip(("targets", "held_out_targets"), labels, strict=True):
            self._set(name, as_array(values, np.float64))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _places(self, name: str, targets: NDArray[Any]) -> NDArray[Any]:
        """Return the numbers that stand for words, by the order of the classes."""
        if targets.dtype.kind in "biuf" or self.classes is None:
            return targets
        number_of = {label: i for i, label in enumerate(self.classes)}
        unknown = [label for label in targets.tolist() if label not in number_of]
        if unknown:
            raise InputError(
                f"`{name}` must be among the classes {', '.join(map(repr, self.classes[:5]))}"
                f"{', ...' if len(self.classes) > 5 else ''}, got {unknown[0]!r}; list every label "
                "once, in the order of the network's outputs"
            )
        codes = np.array([number_of[label] for label in targets.tolist()], dtype=np.float64)
        return _numbers_of(codes, len(self.classes))

    def _as_numbers(self, *targets: NDArray[Any]) -> list[NDArray[Any]]:
        """Find the classes of targets, and return the numbers that stand for the targets."""
        both = np.concatenate(targets) if len(targets[1]) else targets[0]
        found = as_labels(both, "targets")
        if not found.are_whole:
            return list(targets)
        self._set("classes", tuple(found.classes.tolist()))
        if len(found.classes) != 2 and found.are_numbers:
            return list(targets)
        codes = _numbers_of(found.codes.astype(np.float64), len(found.classes))
        return np.split(codes, [len(targets[0])])

    def __repr__(self) -> str:
        held_out = f", {len(self.held_out_points)} held out" if self.has_held_out else ""
        if self.classes is None:
            targets = "values"
        elif len(self.classes) > 5:
            targets = f"{len(self.classes)} classes"
        else:
            targets = f"classes {', '.join(map(repr, self.classes))}"
        return (
            f"Dataset({self.name!r}, {counted(len(self.points), 'point')} in "
            f"{counted(self.dim, 'dimension')}"
            f"{held_out}, {targets})"
        )

    def _facts(self) -> Mapping[str, object]:
        facts: dict[str, object] = {
            "name": self.name,
            "points": len(self.points),
            "held out": len(self.held_out_points),
            "dimensions": self.dim,
        }
        if self.features is not None:
            facts["features"] = self.features
        if self.classes is None:
            return facts | {"values": (float(self.targets.min()), float(self.targets.max()))}
        counts = np.bincount(self.class_numbers(self.targets), minlength=len(self.classes))
        named = zip(self.classes, counts.tolist(), strict=True)
        return facts | {"points by class": tuple(f"{name}: {n}" for name, n in named)}

    @property
    def dim(self) -> int:
        """Dimension d of the points."""
        return int(self.points.shape[1])

    @property
    def has_held_out(self) -> bool:
        """Whether there are points that training never sees."""
        return len(self.held_out_points) > 0

    def class_numbers(self, targets: ArrayLike) -> NDArray[np.int64]:
        """Return the classes 0..k-1 of targets of this data set.

        Parameters
        ----------
        targets : (n,) array_like
            `targets`, `held_out_targets`, or a part of them.

        Raises
        ------
        InputError
            If the targets are values.

        Examples
        --------
        >>> pets = Dataset("pets", [[0.0], [2.0], [3.0]], ["dog", "cat", "dog"])
        >>> pets.targets.tolist(), pets.class_numbers(pets.targets).tolist()
        ([1.0, -1.0, 1.0], [1, 0, 1])
        """
        if self.classes is None:
            raise InputError(
                f"`targets` of the data {self.name!r} must be of classes, got values; pass labels"
            )
        values = as_array(targets, np.float64)
        classes = np.array(self.classes)
        if len(classes) == 2:
            return (values > 0).astype(np.int64)
        if classes.dtype.kind in "biuf":
            return np.searchsorted(classes, values).astype(np.int64)
        return values.astype(np.int64)

    def equals(self, other: Dataset) -> bool:
        """Tell whether another data set has the same name, numbers and classes."""
        arrays = ("points", "targets", "held_out_points", "held_out_targets")
        return (self.name, self.classes, self.features) == (
            other.name,
            other.classes,
            other.features,
        ) and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)


def _numbers_of(codes: NDArray[np.float64], n_classes: int) -> NDArray[np.float64]:
    """Return the targets of classes 0..n_classes-1."""
    return 2.0 * codes - 1.0 if n_classes == 2 else codes


def _names_of_columns(points: Any) -> list[str] | None:
    names = list(getattr(points, "columns", ()))
    return names if names and all(isinstance(name, str) for name in names) else None


def _column(name: str, values: Any, n_points: int) -> NDArray[Any]:
    """Return targets as an array of shape (n,), or raise an error that says what is wrong."""
    array = as_array(np.empty(0) if values is None else values, name=name)
    if array.shape == (n_points, 1):
        array = array[:, 0]
    if array.shape != (n_points,):
        raise InputError(
            f"`{name}` must be {n_points} labels or finite numbers, one for each point, got shape "
            f"{array.shape}; pass one target for each row, for example y.argmax(axis=1) of columns "
            "of 0 and 1"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise InputError(
            f"`{name}` must be finite, got {array[row]} in row {row}; drop points without a target"
        )
    return array


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
