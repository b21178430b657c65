"""Pairs of points are of the kind that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError


@pytest.mark.parametrize(("n_points", "n"), [(30, 50), (400, 300), (6, 1000)])
@pytest.mark.parametrize("kind", ["random", "within", "between"])
def test_random_pairs_are_different_and_of_their_kind(kind: Any, n_points: int, n: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n_points, 3)), np.arange(n_points) % 3
    pairs = rt.segment_pairs(x, y, kind, n=n, seed=1)
    i, j = np.triu_indices(n_points, 1)
    wanted = {"random": i >= 0, "within": y[i] == y[j], "between": y[i] != y[j]}[kind]
    assert len(pairs) == min(n, wanted.sum())
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    if kind != "random":
        assert ((y[pairs[:, 0]] == y[pairs[:, 1]]) == (kind == "within")).all()
    again = rt.segment_pairs(x, y, kind, n=n, seed=1)
    np.testing.assert_array_equal(pairs, again)


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (np.minimum(np.arange(20_000), 19_998), "within"),
        (np.arange(20_000) // 2, "within"),
        (np.arange(20_000) == 7, "between"),
    ],
)
def test_rare_pairs_of_many_points_are_found(classes: Any, kind: Any) -> None:
    """Pairs of a kind are neither listed nor waited for."""
    points = np.zeros((20_000, 1))
    pairs = rt.segment_pairs(points, classes, kind, n=300)
    assert len(np.unique(pairs, axis=0)) == len(pairs) == (1 if classes.max() == 19_998 else 300)
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert ((classes[pairs[:, 0]] == classes[pairs[:, 1]]) == (kind == "within")).all()


@pytest.mark.parametrize("n_points", [2, 5])
def test_a_polygon_is_a_path_that_is_closed(n_points: int) -> None:
    points = np.ones((n_points, 2))
    path = rt.segment_pairs(points, kind="path", n=1)
    assert path.tolist() == [[i, i + 1] for i in range(n_points - 1)]
    polygon = rt.segment_pairs(points, kind="polygon", n=1)
    assert polygon.tolist() == [*path.tolist(), [n_points - 1, 0]]


def test_nearest_pairs_are_those_by_distance() -> None:
    x = np.random.default_rng(2).normal(size=(40, 2))
    distances = np.linalg.norm(x[:, None] - x[None], axis=2) + np.diag(np.full(40, np.inf))
    nearest = {tuple(sorted((i, int(distances[i].argmin())))) for i in range(40)}
    pairs = rt.segment_pairs(x, kind="nearest")
    assert {tuple(pair) for pair in pairs.tolist()} == nearest
    lengths = distances[pairs[:, 0], pairs[:, 1]]
    assert (np.diff(lengths) >= 0).all()
    assert rt.segment_pairs(x, kind="nearest", n=3).tolist() == pairs[:3].tolist()
    x[7] = x[3]
    assert rt.segment_pairs(x, kind="nearest", n=1).tolist() == [[3, 7]]


@pytest.mark.parametrize(
    ("points", "labels", "kind", "message"),
    [
        ([[0.0], [1.0]], None, "within", "labels"),
        ([[0.0], [1.0]], [0], "within", "one for each"),
        ([[0.0], [1.0]], [0, 1], "within", "2 points of 2 classes"),
        ([[0.0]], None, "nearest", "1 points"),
        ([[0.0]], None, "polygon", "1 points"),
        ([[0.0], [np.nan]], None, "nearest", "finite"),
        ([[0.0], [np.inf]], [0, 0], "within", "finite"),
        ([[0.0], [1.0]], None, "all", "kind"),
        ([[0.0], [1.0]], "nearest", "random", "the kind of pairs is kind='nearest'"),
    ],
)
def test_mistakes_are_explained(points: Any, labels: Any, kind: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.segment_pairs(points, labels, kind)
