"""Data sets keep their conventions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons

from relutopo import registry
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_circles, two_moons


@pytest.mark.parametrize("seed", [0, 3])
def test_moons_are_scikit_learns_minus_their_centre(seed: int) -> None:
    data = two_moons(n=50, noise=0.2, seed=seed)
    points, classes = make_moons(50, noise=0.2, random_state=seed)
    np.testing.assert_array_equal(data.points, points - [0.5, 0.25])
    np.testing.assert_array_equal(data.targets > 0, classes == 1)
    held_out, _ = make_moons(1000, noise=0.2, random_state=10_000 + seed)
    np.testing.assert_array_equal(data.held_out_points, held_out - [0.5, 0.25])


def test_circles_are_scikit_learns() -> None:
    data = two_circles(n=50, seed=1)
    points, classes = make_circles(50, noise=0.05, factor=0.5, random_state=1)
    np.testing.assert_array_equal(data.points, points)
    np.testing.assert_array_equal(data.targets > 0, classes == 1)
    # The inner circle is +1.
    radius = np.linalg.norm(data.held_out_points, axis=1)
    assert np.mean((radius < 0.75) == (data.held_out_targets > 0)) > 0.99


@pytest.mark.parametrize("make", [two_moons, two_circles])
def test_labels_are_signs_and_seeds_matter(make: Callable[..., Dataset]) -> None:
    data = make(n=30)
    assert set(data.targets) == {-1.0, 1.0} == set(data.held_out_targets)
    assert len(data.held_out_points) == 1000
    assert data.equals(make(n=30, seed=0))
    assert not data.equals(make(n=30, seed=1))


def test_the_registry_knows_them() -> None:
    assert registry.create("data", "two_moons", n=10).equals(two_moons(n=10))
    assert {"two_moons", "two_circles"} <= set(registry.names("data"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1}, "`n` must be an integer from 2, got 1"),
        ({"noise": -0.1}, "`noise` must be a finite number ≥ 0, got -0.1"),
        ({"noise": np.nan}, "`noise` must be a finite number ≥ 0, got nan"),
        ({"factor": 1.0}, r"`factor` must be a number in \[0, 1\), got 1.0"),
    ],
)
def test_bad_options_are_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        two_circles(**options)  # type: ignore[arg-type]


def test_arrays_must_fit_together() -> None:
    x, y = np.zeros((3, 2)), np.ones(3)
    with pytest.raises(InputError, match="`targets` must be 3 finite numbers"):
        Dataset("mine", x, y[:2], x, y)
    with pytest.raises(InputError, match=r"`held_out_points` must have shape \(n, 2\)"):
        Dataset("mine", x, y, np.zeros((3, 1)), y)
    with pytest.raises(InputError, match="`points` must be finite"):
        Dataset("mine", x + np.inf, y, x, y)
