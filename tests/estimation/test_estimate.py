"""Estimates: exact where every tile is decomposed, and otherwise right on average."""

from __future__ import annotations

import numpy as np
import pytest

from relutopo import AffineSlice, Box, Polytope, decompose, estimate
from relutopo.errors import InputError
from relutopo.estimation import estimate as module
from relutopo.estimation.estimate import Estimate
from relutopo.gallery import random_network


@pytest.mark.parametrize(
    ("widths", "most_cells"),
    [([2, 16, 16, 1], 300), ([3, 8, 1], 200), ([1, 30, 1], 20), ([2, 6, 6, 6, 1], 60)],
)
def test_all_tiles_together_are_exact(
    widths: list[int], most_cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_CELLS", most_cells)
    network, box = random_network(widths, seed=3), Box(-1, 2, dim=widths[0])
    found = estimate(network, box, n_tiles=10**6)
    assert found.n_tiles > 1
    assert found.is_exact
    assert found.n_regions == found.low == found.high == decompose(network, box).n_regions


def test_kinks_along_halves_do_not_meet_the_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CELLS", 100)
    offsets = np.linspace(-0.75, 0.75, 7)
    weights = np.repeat(np.eye(2), 7, axis=0)
    grid = ([weights, np.ones((1, 14))], [np.tile(offsets, 2), [0.0]])
    assert estimate(grid, Box(-1, 1, dim=2), n_tiles=10**6).n_regions == 64


def test_samples_are_right_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CELLS", 200)
    network, box = random_network([2, 24, 24, 1], seed=0), Box(-2, 2, dim=2)
    n = decompose(network, box).n_regions
    found = [estimate(network, box, n_tiles=8, seed=seed) for seed in range(60)]
    assert not any(each.is_exact for each in found)
    numbers = np.array([each.n_regions for each in found])
    assert abs(numbers.mean() - n) <= 4 * numbers.std() / np.sqrt(len(found))
    assert np.mean([each.low <= n <= each.high for each in found]) >= 0.8
    assert all(each.low <= each.n_regions <= each.high for each in found)


def test_slices_and_bytes() -> None:
    network = random_network([5, 12, 12, 1], seed=0)
    plane = AffineSlice.through(*np.random.default_rng(0).normal(size=(3, 5)))
    found, complex_ = estimate(network, plane), decompose(network, plane)
    assert found.n_regions == complex_.n_regions
    arrays = [complex_.vertices, complex_.packed_patterns, *(x for f in complex_.facets for x in f)]
    n_bytes = sum(array.nbytes for array in arrays)
    assert 0.5 * n_bytes <= found.n_bytes <= 10 * n_bytes


def test_what_cannot_be_estimated_is_named() -> None:
    network = random_network([2, 4, 1], seed=0)
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    with pytest.raises(InputError, match="`domain` must be a Box, or an AffineSlice with one, got"):
        estimate(network, triangle)
    with pytest.raises(InputError, match="`n_tiles` must be an integer"):
        estimate(network, Box(-1, 1, dim=2), n_tiles=1)


def test_the_words() -> None:
    some = Estimate(1234.0, 1000.0, 1500.0, 4936.0, 2.5e6, 0.0123, 64, 20)
    assert str(some) == ("about 1.23 k regions (1 k to 1.5 k), 2.5 MB, 0.01 s; from 20 of 64 tiles")
    assert str(Estimate(215.0, 215.0, 215.0, 860.0, 4e4, 0.01, 1, 1)).startswith("215 regions, 40")
