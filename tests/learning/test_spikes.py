"""Spikes of made-up losses, and checkpoints around those of a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from relutopo.errors import InputError
from relutopo.learning.runs import TrainingRun
from relutopo.learning.spikes import (
    Spike,
    find_spikes,
    log_excess,
    running_median,
    steps_around,
)
from relutopo.learning.surfaces import bump
from relutopo.learning.trainer import MlpSettings, TrainerSettings, checkpoint_steps, train

SPIKY = TrainerSettings(
    n_steps=400,
    learning_rate=0.05,
    weight_decay=0.3,
    n_checkpoints=0,
    checkpoint_every=50,
    checkpoint_spikes=True,
)
NETWORK = MlpSettings([12, 12])


@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-5, 5)), st.integers(0, 30))
def test_the_running_median_is_that_of_a_window(values: np.ndarray, half: int) -> None:
    expected = [np.median(values[max(i - half, 0) : i + half + 1]) for i in range(len(values))]
    np.testing.assert_allclose(running_median(values, half), expected)


def test_spikes_are_where_they_were_put() -> None:
    loss = np.exp(-np.arange(600) / 200)  # a slow decline is none
    loss[100] *= 3
    loss[200:206] *= [2.5, 4, 8, 6, 3, 1.2]
    loss[400] *= 1.9  # too low
    spikes = find_spikes(loss)
    assert [(s.start, s.peak, s.stop) for s in spikes] == [(100, 100, 100), (200, 202, 204)]
    assert spikes[0].excess == pytest.approx(np.log(3), abs=0.02)
    assert spikes[1].excess == pytest.approx(np.log(8), abs=0.04)


def test_the_descent_from_the_initialisation_is_no_spike() -> None:
    loss = np.where(np.arange(200) < 5, 100.0, 1.0)
    assert log_excess(loss)[0] > np.log(2)
    assert find_spikes(loss) == []


@pytest.mark.parametrize("factor", [1.9, 2.1])
def test_the_threshold_is_a_factor_of_two_whatever_the_scale(factor: float) -> None:
    for scale in (1e-9, 1.0, 1e6):
        loss = np.full(100, scale)
        loss[50] *= factor
        assert len(find_spikes(loss)) == (factor > 2)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_loss_without_logarithm_is_named(bad: float) -> None:
    loss = np.ones(10)
    loss[7] = bad
    with pytest.raises(InputError, match=f"positive and finite at every step, got {bad} at step 7"):
        find_spikes(loss)


def test_steps_around_stay_within_the_run() -> None:
    assert steps_around([Spike(5, 7, 10, 1.0), Spike(11, 11, 11, 1.0)], 11) == [4, 7, 10, 11]
    assert steps_around([], 11) == []


@pytest.fixture(scope="module")
def spiky(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    return train(bump(n=60), NETWORK, SPIKY, directory=tmp_path_factory.mktemp("spiky"))


def test_spikes_get_checkpoints_of_the_same_run(spiky: TrainingRun) -> None:
    loss = spiky.history.train_loss
    spikes = find_spikes(loss)
    assert spikes, "the settings are meant to give some"
    assert set(spiky.steps) == set(checkpoint_steps(SPIKY)) | set(steps_around(spikes, 400))
    x, y = spiky.dataset.points, spiky.dataset.targets
    for step in spiky.steps:
        outputs = spiky.checkpoint(step).network(x)[:, 0]
        assert loss[step] == pytest.approx(np.mean((outputs - y) ** 2), rel=1e-9)


def test_a_training_that_was_interrupted_keeps_the_same_spikes(
    spiky: TrainingRun, tmp_path: Path
) -> None:
    def stop(done: int, total: int, /, message: str = "") -> None:
        if done >= 230:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(bump(n=60), NETWORK, SPIKY, directory=tmp_path, progress=stop)
    resumed = train(bump(n=60), NETWORK, SPIKY, directory=tmp_path)
    assert resumed.steps == spiky.steps
    for step in spiky.steps:
        states = (run.checkpoint(step).state for run in (resumed, spiky))
        assert all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_a_repetition_that_differs_is_refused(tmp_path: Path) -> None:
    def stop(done: int, total: int, /, message: str = "") -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(bump(n=60), NETWORK, SPIKY, directory=tmp_path, progress=stop)
    path = TrainingRun(tmp_path).unfinished_path
    state = torch.load(path, weights_only=True)
    state["losses"][3] *= 1 + 1e-9
    torch.save(state, path)
    with pytest.raises(InputError, match=r"repeating the training run .* at step 3 where it was"):
        train(bump(n=60), NETWORK, SPIKY, directory=tmp_path)


def test_every_multiple_gets_a_checkpoint() -> None:
    settings = TrainerSettings(n_steps=23, n_checkpoints=0, checkpoint_every=5)
    assert checkpoint_steps(settings) == [0, 5, 10, 15, 20, 23]
    with pytest.raises(InputError, match="`checkpoint_every` must be an integer from 1, got 0"):
        TrainerSettings(checkpoint_every=0)
