"""Pairs of points for segments to join.

Pairs of a kind are numbered without being listed: if points are in the order of their classes, the
partners of each are the rest of its class, or all points after its class.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

from relutopo.arrays import as_labels, as_numbers, check_finite
from relutopo.checks import check_choice, check_integer, check_seed, random_generator
from relutopo.errors import InputError

__all__ = ["PairKind", "segment_pairs"]

PairKind: TypeAlias = Literal["random", "nearest", "within", "between", "path", "polygon"]
_KINDS = ("random", "nearest", "within", "between", "path", "polygon")
_RARE = 64
"""Pairs that are rarer than one in so many are not found by drawing points."""


def segment_pairs(
    points: ArrayLike,
    labels: ArrayLike | None = None,
    kind: PairKind = "random",
    *,
    n: int = 1000,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Choose pairs of points, without repeats, for `relutopo.segments`.

    Parameters
    ----------
    points : (n_points, ...) array_like
    labels : (n_points,) array_like, optional
        For "within" and "between".
    kind : {"random", "nearest", "within", "between", "path", "polygon"}
        "random": random pairs of all points. "nearest": each point and its nearest other one, the
        shortest pairs first. "within", "between": random pairs of points with the same label, or
        with different ones. "path": each point and the next one, in the given order. "polygon": the
        same, and the last point and the first.
    n : int, default 1000
        Largest number of pairs; all pairs, if there are no more. Paths and polygons are whole,
        whatever n is.
    seed : int, default 0

    Returns
    -------
    (m, 2) ndarray of int64
        Numbers of points, i < j in each row but the last one of a polygon.

    Raises
    ------
    InputError
        If labels are missing or do not fit, a coordinate is not finite, or there is no such pair.

    Examples
    --------
    >>> points, labels = [[0.0], [1.0], [3.0], [7.0]], [0, 0, 1, 1]
    >>> segment_pairs(points, labels, "within").tolist()
    [[0, 1], [2, 3]]
    >>> segment_pairs(points, kind="nearest", n=2).tolist()
    [[0, 1], [1, 2]]
    >>> segment_pairs(points, kind="polygon").tolist()
    [[0, 1], [1, 2], [2, 3], [3, 0]]
    """
    kind_ = check_choice("kind", kind, _KINDS, remedy="choose one of them")
    n = check_integer("n", n, 1, remedy="pass how many pairs are wanted")
    generator = random_generator(check_seed(seed))
    if isinstance(labels, str):
        raise InputError(
            f"`labels` must be one for each point, got the text {labels!r}; the kind of pairs is "
            f"kind={labels!r}"
        )
    x = as_numbers(points, "points")
    if not x.ndim:
        raise InputError(
            f"`points` must be an array with a row for each point, got the number {x}; pass all"
        )
    x = x.reshape(len(x), -1) if x.ndim > 1 else x[:, None]
    check_finite(x, "points")
    if kind_ in ("within", "between"):
        if labels is None:
            raise InputError(
                f"`labels` must be given for the kind {kind_!r}; pass one for each point, or "
                "choose 'random'"
            )
        classes = as_labels(labels).codes
        if len(classes) != len(x):
            raise InputError(
                f"`labels` must be one for each of the {len(x)} points, got {len(classes)}; pass "
                "those of these points"
            )
    else:
        classes = np.zeros(len(x), dtype=np.int64)
    if len(x) < 2:
        pairs = np.empty((0, 2), dtype=np.int64)
    elif kind_ == "nearest":
        pairs = _nearest(x)[:n]
    elif kind_ in ("path", "polygon"):
        steps = np.arange(len(x) if kind_ == "polygon" else len(x) - 1)
        pairs = np.stack([steps, (steps + 1) % len(x)], axis=1)
    else:
        pairs = _random(classes, kind_ == "between", n, generator)
    if not len(pairs):
        raise InputError(
            f"`points` must have a pair of the kind {kind_!r}, got {len(x)} points"
            f"{'' if labels is None else f' of {len(np.unique(classes))} classes'}; pass more"
        )
    return pairs


def _nearest(x: NDArray[np.float64]) -> NDArray[np.int64]:
    found = KDTree(x).query(x, k=2)
    distances, others = np.asarray(found[0]), np.asarray(found[1])
    own = np.arange(len(x))
    # Of two points at one place, either may come first.
    column = np.where(others[:, 0] == own, 1, 0)
    pairs = np.sort(np.stack([own, others[own, column]], axis=1), axis=1).astype(np.int64)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    return pairs[np.argsort(distances[first, column[first]], kind="stable")]


def _random(
    classes: NDArray[np.int64], between: bool, n: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return n different pairs of equal or of different classes, or all there are."""
    n_points, order = len(classes), np.argsort(classes, kind="stable")
    ends = np.cumsum(np.bincount(classes))[classes[order]]
    firsts = ends if between else np.arange(n_points) + 1
    counts = (n_points if between else ends) - firsts
    total = int(counts.sum())

    def numbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        after = np.cumsum(counts)
        one = np.searchsorted(after, numbers, side="right")
        other = firsts[one] + numbers - (after - counts)[one]
        return np.sort(np.stack([order[one], order[other]], axis=1), axis=1)

    if total <= max(2 * n, 1000):
        pairs = numbered(np.arange(total))
        pairs = pairs[np.lexsort(pairs.T[::-1])]
        if total > n:
            pairs = pairs[np.sort(generator.choice(total, size=n, replace=False))]
        return pairs
    if _RARE * total < n_points**2:
        return numbered(generator.choice(total, size=n, replace=False))
    found = np.empty((0, 2), dtype=np.int64)
    while len(found) < n:
        drawn = np.sort(generator.integers(n_points, size=(4 * n, 2)), axis=1)
        same = classes[drawn[:, 0]] == classes[drawn[:, 1]]
        drawn = drawn[(drawn[:, 0] < drawn[:, 1]) & (same != between)]
        joined = np.concatenate([found, drawn])
        _, first = np.unique(joined @ [n_points, 1], return_index=True)
        found = joined[np.sort(first)][:n]
    return found
