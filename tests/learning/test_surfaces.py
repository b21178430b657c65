"""Regression data sets against formulas written anew, and their sampling."""

from __future__ import annotations

from math import exp, pi, sin

import numpy as np
import pytest

from relutopo import registry
from relutopo.errors import InputError

NAMES = ("sinsin", "bump", "franke", "peaks")


def expected(name: str, x: float, y: float) -> float:
    """The targets, point by point, from the formulas on their customary squares."""
    if name == "sinsin":
        return sin(pi * x) * sin(pi * y)
    if name == "bump":
        return exp(-4 * x * x) * exp(-4 * y * y)
    if name == "franke":
        u, v = 0.5 + x / 2, 0.5 + y / 2
        return (
            3 / 4 * exp(-((9 * u - 2) ** 2) / 4 - (9 * v - 2) ** 2 / 4)
            + 3 / 4 * exp(-((9 * u + 1) ** 2) / 49 - (9 * v + 1) / 10)
            + 1 / 2 * exp(-((9 * u - 7) ** 2) / 4 - (9 * v - 3) ** 2 / 4)
            - 1 / 5 * exp(-((9 * u - 4) ** 2) - (9 * v - 7) ** 2)
        )
    u, v = 3 * x, 3 * y
    return (
        3 * (1 - u) ** 2 * exp(-u * u - (v + 1) ** 2)
        - 10 * (u / 5 - u**3 - v**5) * exp(-u * u - v * v)
        - 1 / 3 * exp(-((u + 1) ** 2) - v * v)
    )


@pytest.mark.parametrize("name", NAMES)
def test_targets_are_the_function(name: str) -> None:
    data = registry.create("data", name, n=50, seed=3)
    assert data.name == name
    for points, targets in (
        (data.points, data.targets),
        (data.held_out_points, data.held_out_targets),
    ):
        np.testing.assert_allclose(targets, [expected(name, *p) for p in points], atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_points_are_uniform_on_the_square_and_seeded(name: str) -> None:
    data = registry.create("data", name, n=4000, seed=0)
    assert data.points.shape == (4000, 2)
    assert data.held_out_points.shape == (1000, 2)
    assert np.abs(data.points).max() <= 1
    # Mean 0 and variance 1/3 on each axis, to five standard errors; no correlation.
    np.testing.assert_allclose(data.points.mean(axis=0), 0, atol=5 * np.sqrt(1 / 3 / 4000))
    np.testing.assert_allclose(data.points.var(axis=0), 1 / 3, atol=0.03)
    assert abs(np.corrcoef(data.points.T)[0, 1]) < 0.08
    assert data.equals(registry.create("data", name, n=4000, seed=0))
    assert not data.equals(registry.create("data", name, n=4000, seed=1))


def test_known_values_of_the_functions() -> None:
    data = registry.create("data", "bump", n=2000)
    radius = np.hypot(*data.points.T)
    assert np.all(np.diff(data.targets[np.argsort(radius)]) <= 0)  # it falls with the radius


def test_no_points_are_refused() -> None:
    with pytest.raises(InputError, match="`n` must be an integer from 1, got 0"):
        registry.create("data", "franke", n=0)
