"""Half-rises: of curves whose middle is known."""

from __future__ import annotations

import numpy as np
import pytest

from relutopo.learning.rises import fit_step, rise


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("middle", [300.0, 2000.0])
def test_the_middle_of_a_sigmoid_is_its_half_rise(sign: float, middle: float) -> None:
    steps = np.geomspace(10, 100_000, 81)
    values = sign / (1 + np.exp(-4 * np.log(steps / middle)))
    found = rise(steps, values, 10.0)
    assert found.step == pytest.approx(middle, rel=0.02)
    assert found.value == pytest.approx(sign / 2, abs=0.01)


def test_only_what_comes_after_the_fit_counts() -> None:
    steps = [0, 1, 10, 100, 1000, 2000, 3000]
    fit = fit_step(steps, [0.1, 0.5, 0.99, 1.0, 1.0, 1.0, 1.0])
    assert fit == 10
    values = [50.0, np.nan, 1.0, 1.0, 3.0, 3.0, 3.0]
    found = rise(steps, values, fit)
    assert (found.start, found.end) == (1.0, 3.0)
    assert found.step == pytest.approx(np.sqrt(100 * 1000))


def test_there_is_no_half_rise_where_nothing_moves() -> None:
    steps = np.arange(1, 9)
    assert np.isnan(rise(steps, np.linspace(1.0, 1.02, 8), 1.0).step)
    assert np.isfinite(rise(steps, np.linspace(1.0, 1.04, 8), 1.0).step)
    small, large = np.linspace(0.1, 0.14, 8), np.linspace(0.1, 0.2, 8)
    assert np.isnan(rise(steps, small, 1.0, is_accuracy=True).step)
    assert np.isfinite(rise(steps, large, 1.0, is_accuracy=True).step)
    assert np.isnan(rise(steps, large[::-1], 1.0, is_accuracy=True).step)  # it falls
    never = rise(steps, large, fit_step(steps, np.full(8, 0.9)))
    assert np.isnan([never.start, never.end, never.step]).all()
    assert np.isnan(rise(steps[:3], [0.0, 1.0, 2.0], 1.0).step)  # too few to tell
