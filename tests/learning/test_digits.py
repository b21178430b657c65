"""Handwritten digits: which are held out, and what shuffled labels leave."""

from __future__ import annotations

import numpy as np
import pytest

from relutopo.errors import InputError
from relutopo.learning.digits import digits


def test_all_images_are_there_once_and_seeds_choose() -> None:
    data = digits(n=200)
    every = np.concatenate([data.points, data.held_out_points])
    assert every.shape == (1797, 64)
    assert (every.min(), every.max()) == (0, 1)
    others = np.concatenate([digits(n=50, seed=1).points, digits(n=50, seed=1).held_out_points])
    np.testing.assert_array_equal(np.unique(every, axis=0), np.unique(others, axis=0))
    assert data.classes == tuple(range(10))
    assert data.equals(digits(n=200, seed=0))
    assert not data.equals(digits(n=200, seed=1))


def test_shuffled_labels_are_the_same_ones_of_other_images() -> None:
    data, shuffled = digits(n=200), digits(n=200, random_labels=True)
    np.testing.assert_array_equal(data.points, shuffled.points)
    np.testing.assert_array_equal(np.sort(data.targets), np.sort(shuffled.targets))
    assert np.mean(data.targets == shuffled.targets) < 0.25
    np.testing.assert_array_equal(data.held_out_targets, shuffled.held_out_targets)


@pytest.mark.parametrize("n", [9, 1788, 20.5])
def test_some_images_must_be_left(n: float) -> None:
    with pytest.raises(InputError, match="`n` must be an integer from 10 to 1787"):
        digits(n=n)  # type: ignore[arg-type]
