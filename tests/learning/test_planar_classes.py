"""Spirals, rings and blobs: where their points lie, and how they are labelled."""

from __future__ import annotations

import numpy as np
import pytest

from relutopo import registry
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset

NAMES = ("two_spirals", "three_spirals", "three_rings", "three_blobs")


def make(name: str, **options: float) -> Dataset:
    data: Dataset = registry.create("data", name, **options)
    return data


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_balanced_and_seeds_matter(name: str) -> None:
    k = 2 if name.startswith("two") else 3
    data = make(name, n=100)
    sizes = np.bincount(data.class_numbers(data.targets))
    assert data.classes == tuple(range(k))
    assert sizes.max() - sizes.min() <= 1
    assert len(data.held_out_points) == 1000
    assert data.equals(make(name, n=100, seed=0))
    assert not data.equals(make(name, n=100, seed=1))
    with pytest.raises(InputError, match=f"`n` must be an integer from {k}, got 1"):
        make(name, n=1)


@pytest.mark.parametrize(("name", "k", "turns"), [("two_spirals", 2, 0.7), ("three_spirals", 3, 2)])
def test_spirals_without_noise_are_on_their_arm(name: str, k: int, turns: float) -> None:
    data = make(name, n=90, noise=0, turns=turns)
    radii = np.linalg.norm(data.points, axis=1)
    assert radii.min() >= (0.15 if k == 2 else 0.35)
    assert radii.max() <= 1
    angles = np.arctan2(data.points[:, 1], data.points[:, 0]) / (2 * np.pi)
    arm = (angles - turns * radii) * k
    off = (arm - data.class_numbers(data.targets) + k / 2) % k - k / 2
    np.testing.assert_allclose(off, 0, atol=1e-12)


def test_rings_without_noise_have_their_radius() -> None:
    data = make("three_rings", n=90, noise=0)
    radii = np.array([0.25, 0.75, 1.25])[data.class_numbers(data.targets)]
    np.testing.assert_allclose(np.linalg.norm(data.points, axis=1), radii)


def test_noise_is_as_wide_as_it_says() -> None:
    data = make("three_blobs", n=6000, noise=0.2)
    for label in range(3):
        blob = data.points[data.targets == label]
        np.testing.assert_allclose(blob.std(axis=0), 0.2, rtol=0.1)
        assert np.linalg.norm(blob.mean(axis=0)) == pytest.approx(1, abs=0.05)
