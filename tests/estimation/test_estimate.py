"""Estimates: exact where every tile is decomposed, and otherwise right on average."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from relutopo import AffineSlice, Box, Polytope, decompose, estimate
from relutopo.errors import InputError
from relutopo.estimation import estimate as module
from relutopo.estimation.descents import descents
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


@pytest.mark.slow
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
    with pytest.raises(InputError, match="at most 12 dimensions to be cut into cells, got a box"):
        estimate(random_network([64, 4, 1]), Box(-1, 1, dim=64))
    with pytest.raises(InputError, match="`n_tiles` must be an integer"):
        estimate(network, Box(-1, 1, dim=2), n_tiles=1)


def test_the_words() -> None:
    some = Estimate(1234.0, 1000.0, 1500.0, 4936.0, 2.5e6, 0.0123, 64, 20)
    assert str(some) == ("about 1.23 k regions (1 k to 1.5 k), 2.5 MB, 0.01 s; from 20 of 64 tiles")
    assert str(Estimate(215.0, 215.0, 215.0, 860.0, 4e4, 0.01, 1, 1)).startswith("215 regions, 40")
    many = Estimate(5e6, 1.0, 1e7, 1e9, 6e10, 754.0, 0, 6)
    assert str(many) == "about 5 M regions (1 to 10 M), 60 GB, 13 min; from 6 descents"


@pytest.mark.slow
@pytest.mark.parametrize("widths", [[1, 9, 1], [2, 12, 8, 1], [3, 8, 6, 1], [4, 8, 5, 1]])
def test_descents_are_right_on_average(widths: list[int]) -> None:
    network, box = random_network(widths, seed=1), Box(-1, 2, dim=widths[0])
    n = decompose(network, box).n_regions
    found = np.array(descents(network, box, 200, 60.0, np.random.default_rng(0)))
    assert abs(found.mean() - n) <= 4 * found.std() / np.sqrt(len(found))


@pytest.mark.slow
def test_many_dimensions(caplog: pytest.LogCaptureFixture) -> None:
    """A grid of planes along the axes has as many regions as one can count."""
    weights = np.repeat(np.eye(8), 5, axis=0)
    offsets = np.tile(np.linspace(-0.7, 0.8, 5), 8)
    grid = ([weights, np.ones((1, 40))], [offsets, [0.0]])
    found = [
        estimate(grid, Box(-1, 1, dim=8), n_tiles=24, seconds=60, seed=seed) for seed in range(6)
    ]
    assert all(entry.n_tiles == 0 and entry.n_drawn == 24 for entry in found)
    assert sum(entry.low <= 6**8 <= entry.high for entry in found) >= 5  # at 95 percent each
    assert all(entry.high < 100 * 6**8 for entry in found)
    small = estimate(random_network([6, 3, 1], seed=0), Box(-1, 1, dim=6))
    assert small.is_exact


@pytest.mark.slow
@pytest.mark.parametrize("widths", [[8, 8, 1], [6, 16, 1], [4, 12, 12, 1], [9, 2, 1]])
def test_cells_in_many_dimensions(widths: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where most of them are faces of the box."""
    network, box = random_network(widths, seed=0), Box(-1, 1, dim=widths[0])
    n_cells = sum(decompose(network, box).n_cells)
    monkeypatch.setattr(module, "_MOST_CELLS", 10)
    found = estimate(network, box, seconds=2)
    assert not found.n_tiles
    assert n_cells / 4 < found.n_cells < 4 * n_cells


def test_planes_in_general_position_have_so_many_cells() -> None:
    lines = random_network([2, 5, 1], seed=0)
    wide = decompose(lines, Box(-1e6, 1e6, dim=2))
    assert module._regions_of(5, 2) == wide.n_regions == 16
    assert module._cells_of(5, 2) == 10 + 5 * 5 + 16
    assert module._cells_in_box([1.0] * 5) == 3**4
    # Five lines, whose ten ends are on the sides of the box.
    on_side = [module._cells_with(1 + 10 / 4, 1), module._cells_with(16, 2)]
    assert sum(wide.n_cells) == module._cells_in_box([1.0, *on_side])


def test_a_warning_comes_for_few_neurons_in_many_dimensions(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "relutopo"):
        module.warn_of_costs(random_network([12, 8, 3], seed=0), Box(-1, 1, dim=12))
    assert "a decomposition in 12 dimensions is expected to give about" in caplog.text


@pytest.mark.slow
def test_a_warning_comes_before_minutes_and_gigabytes(caplog: pytest.LogCaptureFixture) -> None:
    network, box = random_network([8, 32, 32, 1], seed=0), Box(-1, 1, dim=8)
    with caplog.at_level(logging.WARNING, "relutopo"):
        module.warn_of_costs(network, box)
    assert "a decomposition in 8 dimensions is expected to give about" in caplog.text
    assert re.search(r"\d [GT]B,", caplog.text)
    assert "`max_cells`" in caplog.text
    assert "AffineSlice" in caplog.text


def test_no_warning_where_little_is_to_be_done(caplog: pytest.LogCaptureFixture) -> None:
    plane = AffineSlice.through(*np.random.default_rng(0).normal(size=(3, 8)))
    small = random_network([8, 32, 32, 1], seed=0)
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    with caplog.at_level(logging.WARNING, "relutopo"):
        decompose(small, plane)
        decompose(random_network([2, 40, 1]), triangle)
        module.warn_of_costs(random_network([4, 12, 12, 1]), Box(-1, 1, dim=4))
        # As many neurons as may give minutes, none of which has a kink in the box.
        far = ([np.ones((60, 6)), np.ones((1, 60))], [np.full(60, 100.0), [0.0]])
        assert decompose(far, Box(-1, 1, dim=6)).n_regions == 1
    assert "is expected" not in caplog.text
