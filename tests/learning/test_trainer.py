"""Training: conventions, determinism, resumption, and what decays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.planar_classes import three_spirals
from relutopo.learning.runs import TrainingRun
from relutopo.learning.surfaces import sinsin
from relutopo.learning.trainer import (
    MlpSettings,
    TrainerSettings,
    build_mlp,
    checkpoint_steps,
    train,
)

DATA = two_moons(n=40)
SMALL = MlpSettings(hidden=[5, 4])
BRIEF = TrainerSettings(n_steps=120, n_checkpoints=5, checkpoint_steps=[7, 500])


def parameters(run: TrainingRun, step: int) -> list[torch.Tensor]:
    return list(run.checkpoint(step).state.values())


def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def same_run(first: TrainingRun, second: TrainingRun) -> bool:
    histories = [vars(run.history) for run in (first, second)]
    return (
        first.steps == second.steps
        and all(equal(parameters(first, s), parameters(second, s)) for s in first.steps)
        and all(np.array_equal(histories[0][name], histories[1][name]) for name in histories[0])
    )


def test_steps_are_log_spaced_with_first_last_and_named_ones() -> None:
    steps = checkpoint_steps(BRIEF)
    assert steps == sorted(set(steps))
    assert {0, 7, 120} <= set(steps)
    assert max(steps) == 120
    ratios = np.diff(np.log([s for s in steps if s not in (0, 7)]))
    np.testing.assert_allclose(ratios, np.log(120) / 4, rtol=0.1)


def test_a_checkpoint_is_the_network_of_the_history(tmp_path: Path) -> None:
    run = train(DATA, SMALL, BRIEF, directory=tmp_path)
    assert run.is_complete
    assert run.steps == checkpoint_steps(BRIEF)
    assert len(run.history.train_loss) == BRIEF.n_steps + 1
    for step in run.steps:
        network, entry = run.checkpoint(step).network, run.history.at(step)
        assert network.widths == (2, 5, 4, 1)
        for prefix, x, y in (
            ("train", DATA.points, DATA.targets),
            ("held_out", DATA.held_out_points, DATA.held_out_targets),
        ):
            outputs = network(x)[:, 0]
            assert entry[f"{prefix}_loss"] == pytest.approx(np.mean((outputs - y) ** 2))
            assert entry[f"{prefix}_accuracy"] == np.mean((outputs > 0) == (y > 0))


def test_training_learns(tmp_path: Path) -> None:
    history = train(DATA, MlpSettings([16, 16]), BRIEF, directory=tmp_path).history
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]


def test_cross_entropy_is_that_of_the_logit(tmp_path: Path) -> None:
    settings = TrainerSettings(n_steps=1, loss="bce")
    run = train(DATA, SMALL, settings, directory=tmp_path)
    margins = DATA.targets * run.checkpoint(0).network(DATA.points)[:, 0]
    assert run.history.at(0)["train_loss"] == pytest.approx(np.mean(np.log1p(np.exp(-margins))))


def test_smoothed_targets_are_less_than_certain(tmp_path: Path) -> None:
    settings = TrainerSettings(n_steps=1, loss="bce", label_smoothing=0.1)
    run = train(DATA, SMALL, settings, directory=tmp_path)
    margins = DATA.targets * run.checkpoint(0).network(DATA.points)[:, 0]
    right, wrong = np.log1p(np.exp(-margins)), np.log1p(np.exp(margins))
    assert run.history.at(0)["train_loss"] == pytest.approx(np.mean(0.9 * right + 0.1 * wrong))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("loss", ["mse", "one_hot", "cross_entropy"])
def test_several_classes(
    tmp_path: Path, loss: Literal["mse", "one_hot", "cross_entropy"], smoothing: float
) -> None:
    data = three_spirals(n=40)
    if loss != "cross_entropy" and smoothing:
        with pytest.raises(InputError, match=f"`label_smoothing` must be 0 for the loss '{loss}'"):
            TrainerSettings(loss=loss, label_smoothing=smoothing)
        return
    settings = TrainerSettings(n_steps=20, loss=loss, label_smoothing=smoothing, n_checkpoints=2)
    run = train(data, SMALL, settings, directory=tmp_path)
    for step in run.steps:
        network, entry = run.checkpoint(step).network, run.history.at(step)
        assert network.widths == (2, 5, 4, 3)
        for prefix, x, y in (
            ("train", data.points, data.targets),
            ("held_out", data.held_out_points, data.held_out_targets),
        ):
            outputs, right = network(x), np.eye(3)[y.astype(int)]
            if loss == "mse":
                expected = np.mean((outputs - (2 * right - 1)) ** 2)
            elif loss == "one_hot":
                expected = np.mean((outputs - right) ** 2)
            else:
                wanted = (1 - smoothing) * right + smoothing / 2 * (1 - right)
                expected = -np.mean(np.sum(wanted * log_softmax(outputs, axis=1), axis=1))
            assert entry[f"{prefix}_loss"] == pytest.approx(expected)
            assert entry[f"{prefix}_accuracy"] == np.mean(outputs.argmax(axis=1) == y)
    assert run.history.train_loss[-1] < run.history.train_loss[0]


@pytest.mark.parametrize(
    ("data", "loss", "n_outputs", "message"),
    [
        (
            three_spirals(n=9),
            "bce",
            None,
            "'bce' needs data of two classes.*'cross_entropy'",
        ),
        (sinsin(n=9), "cross_entropy", None, "needs data of two classes or more.*values.*'mse'"),
        (three_spirals(n=9), "mse", 2, "`n_outputs` must be 1 or 3 for the loss 'mse'"),
        (three_spirals(n=9), "one_hot", 1, "`n_outputs` must be 3 for the loss 'one_hot'"),
        (sinsin(n=9), "one_hot", None, "needs data of two classes or more.*values.*'mse'"),
        (two_moons(n=9), "bce", 2, "`n_outputs` must be 1 for the loss 'bce'"),
        (
            sinsin(n=9),
            "mse",
            2,
            "must be 1 for the loss 'mse' and 'sinsin' with values",
        ),
    ],
)
def test_targets_that_outputs_cannot_learn_are_refused(
    tmp_path: Path, data: Dataset, loss: Any, n_outputs: int | None, message: str
) -> None:
    network = MlpSettings([3], n_outputs=n_outputs)
    with pytest.raises(InputError, match=message):
        train(data, network, TrainerSettings(n_steps=1, loss=loss), directory=tmp_path)


@pytest.mark.parametrize(("loss", "n"), [("mse", 1), ("bce", 1), ("cross_entropy", 2)])
def test_two_classes_have_one_output_but_for_the_softmax(tmp_path: Path, loss: Any, n: int) -> None:
    settings = TrainerSettings(n_steps=1, loss=loss)
    run = train(two_moons(n=9), MlpSettings([3]), settings, directory=tmp_path)
    assert run.checkpoint(1).network.n_outputs == n


def test_same_seed_same_run_and_no_global_state(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first = train(DATA, SMALL, BRIEF, seed=1, directory=tmp_path / "a")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    torch.manual_seed(6)
    second = train(DATA, SMALL, BRIEF, seed=1, directory=tmp_path / "b")
    other = train(DATA, SMALL, BRIEF, seed=2, directory=tmp_path / "c")
    assert same_run(first, second)
    assert not equal(parameters(first, 0), parameters(other, 0))


@pytest.mark.parametrize("stop_at", [0, 1, 50, 120])
def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path: Path, stop_at: int) -> None:
    def stop(done: int, total: int, /, message: str = "") -> None:
        if done >= stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(DATA, SMALL, BRIEF, directory=tmp_path / "stopped", progress=stop)
    assert not TrainingRun(tmp_path / "stopped").is_complete
    resumed_from: list[int] = []

    def watch(done: int, total: int, /, message: str = "") -> None:
        resumed_from.append(done)

    resumed = train(DATA, SMALL, BRIEF, directory=tmp_path / "stopped", progress=watch)
    assert same_run(resumed, train(DATA, SMALL, BRIEF, directory=tmp_path / "whole"))
    assert not resumed.unfinished_path.exists()
    assert resumed_from[0] == max(s for s in checkpoint_steps(BRIEF) if s <= stop_at)


def test_a_complete_run_is_not_trained_again(tmp_path: Path) -> None:
    train(DATA, SMALL, BRIEF, directory=tmp_path)

    def forbidden(done: int, total: int, /, message: str = "") -> None:
        raise AssertionError("trained again")

    train(DATA, SMALL, BRIEF, directory=tmp_path, progress=forbidden)


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    train(DATA, SMALL, BRIEF, directory=tmp_path)
    with pytest.raises(InputError, match=r"other settings: seed was 0, is 1; pass the same"):
        train(DATA, SMALL, BRIEF, seed=1, directory=tmp_path)
    with pytest.raises(InputError, match=r"network.init_scale was 1.0, is 2.0; data; pass"):
        train(two_moons(n=41), MlpSettings([5, 4], 2.0), BRIEF, directory=tmp_path)


def test_initialisation_is_torchs_times_alpha() -> None:
    plain, scaled = (
        [p.detach() for p in build_mlp(2, MlpSettings([6], scale), seed=3).parameters()]
        for scale in (1.0, 16.0)
    )
    for a, b in zip(plain, scaled, strict=True):
        torch.testing.assert_close(16 * a, b)
    # torch draws weights and biases of a layer uniformly from ±1/sqrt(fan in).
    assert max(float(p.abs().max()) for p in plain[:2]) <= 2**-0.5
    assert max(float(p.abs().max()) for p in plain[2:]) <= 6**-0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_precision_is_as_asked(dtype: Literal["float32", "float64"]) -> None:
    assert {p.dtype for p in build_mlp(2, MlpSettings([3], dtype=dtype)).parameters()} == {
        getattr(torch, dtype)
    }


@pytest.mark.parametrize("decay_biases", [False, True])
def test_decay_shrinks_what_it_should_and_nothing_else(tmp_path: Path, decay_biases: bool) -> None:
    # With a dead first layer the first layer's gradient is exactly zero, so only decay moves it.
    x, y = -np.ones((4, 2)) + 0.01 * np.arange(8).reshape(4, 2), np.array([-1.0, 1, -1, 1])
    data = Dataset("dead", x, y, x, y)
    settings = TrainerSettings(
        n_steps=10, learning_rate=0.01, weight_decay=0.5, decay_biases=decay_biases
    )
    run = _train_from_dead_layer(data, settings, tmp_path)
    before, after = (run.checkpoint(step).state for step in (0, 10))
    shrink = (1 - 0.01 * 0.5) ** 10
    torch.testing.assert_close(after["0.weight"], shrink * before["0.weight"])
    expected = before["0.bias"] * (shrink if decay_biases else 1.0)
    torch.testing.assert_close(after["0.bias"], expected)


def _train_from_dead_layer(data: Dataset, settings: TrainerSettings, folder: Path) -> TrainingRun:
    from relutopo.learning import trainer

    original = trainer.build_mlp

    def dead(*arguments: Any, **options: Any) -> torch.nn.Sequential:
        model = original(*arguments, **options)
        weight, bias = list(model.parameters())[:2]
        with torch.no_grad():
            weight.abs_().add_(0.01)  # negative on the data, which lie near (-1, -1)
            bias.fill_(0.001)
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "build_mlp", dead)
        return train(data, MlpSettings([3]), settings, directory=folder)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (MlpSettings, {"hidden": []}, r"`hidden` must .* at least 1 integer from 1, got \[\]"),
        (MlpSettings, {"hidden": [4, 0]}, r"`hidden` must .* got \[4, 0\]"),
        (MlpSettings, {"hidden": [4.5]}, r"`hidden` must .* got \[4.5\]"),
        (MlpSettings, {"init_scale": 0.0}, "`init_scale` must be a positive finite number, got 0"),
        (MlpSettings, {"dtype": "half"}, "`dtype` must be one of float32, float64, got 'half'"),
        (TrainerSettings, {"n_steps": "many"}, "`n_steps` must be an integer from 1, got 'many'"),
        (TrainerSettings, {"n_steps": 0}, "`n_steps` must be an integer from 1, got 0"),
        (TrainerSettings, {"weight_decay": "x"}, "must be a finite number ≥ 0, got 'x'"),
        (TrainerSettings, {"weight_decay": -1}, "`weight_decay` must be a finite number ≥ 0"),
        (
            TrainerSettings,
            {"loss": "hinge"},
            "one of mse, one_hot, bce, cross_entropy, got 'hinge'",
        ),
        (TrainerSettings, {"learning_rate": -1}, "`learning_rate` must be a positive finite numb"),
        (TrainerSettings, {"checkpoint_steps": [-1]}, r"integers from 0, got \[-1\]; step 0 is"),
        (TrainerSettings, {"decay_biases": "no"}, "`decay_biases` must be True or False, got 'no'"),
    ],
)
def test_bad_settings_are_named(
    settings: Callable[..., object], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        settings(**options)


def test_a_diverging_run_says_so(tmp_path: Path) -> None:
    settings = TrainerSettings(n_steps=50, learning_rate=1e200)
    with pytest.raises(InputError, match=r"the training loss is .* lower `learning_rate`"):
        train(DATA, SMALL, settings, directory=tmp_path)
