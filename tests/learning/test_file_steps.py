"""Steps of the files of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from relutopo.errors import InputError
from relutopo.learning.file_steps import file_steps


def unknown(path: Path) -> None:
    return None


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        # Lightning: the loss falls, so that digits of the loss would turn the order around.
        ([f"epoch={i}-val_loss=0.{69 - 13 * i:02d}.ckpt" for i in range(6)], range(6)),
        ([f"epoch={i}-step={100 * (i + 1)}.ckpt" for i in range(3)], [100, 200, 300]),
        ([f"epoch={i:02d}-step={100}.{i}.ckpt" for i in range(3)], range(3)),
        (["epoch=9.ckpt", "epoch=10.ckpt", "epoch=100.ckpt"], [9, 10, 100]),
        (["step_000300.pt", "step_000000.pt"], [0, 300]),
        (["m_iter20.pt", "m_iter3.pt"], [3, 20]),
        (["model_10_seed3.pt", "model_20_seed3.pt"], [10, 20]),
        (["run1_v2_10.pt", "run1_v2_9.pt"], [9, 10]),
        (["0.5_10.pt", "0.25_9.pt"], [9, 10]),
        (["checkpoint-500/model.pt", "checkpoint-1000/model.pt"], [500, 1000]),
        (["a/step=3/net.pt", "a/step=20/net.pt", "a/step=100/net.pt"], [3, 20, 100]),
        (["Epoch 3.pt", "Epoch 12.pt"], [3, 12]),
        (["best.pt", "last.pt"], [0, 1]),
        (["model.pt"], [0]),
        (["model_7.pt"], [7]),
        (["a.10.pt", "a.9.pt"], [9, 10]),
    ],
)
def test_steps_in_names(names: list[str], steps: list[int]) -> None:
    found = file_steps(names, unknown)
    assert list(found.files) == list(steps)
    assert sorted(map(str, found.files.values())) == sorted(names)


def test_files_lie_at_their_steps() -> None:
    found = file_steps(["epoch=1-loss=0.04.ckpt", "epoch=0-loss=0.69.ckpt"], unknown)
    assert found.files[0] == Path("epoch=0-loss=0.69.ckpt")


def test_files_say_their_steps_where_names_do_not() -> None:
    said = {"a-loss=0.5.ckpt": 20, "b-loss=0.6.ckpt": 10}
    found = file_steps(list(said), lambda path: said[path.name])
    assert list(found.files) == [10, 20]
    assert found.source == '"global_step" in the files'


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["epoch=3-loss=0.5.pt", "epoch=3-loss=0.4.pt"], r"step 3 for epoch=3-loss=0\.4\.pt, epo"),
        (["a/epoch=3.pt", "b/epoch=3.pt"], r"step 3 for a/epoch=3\.pt, b/epoch=3\.pt"),
        (["model_1.pt", "other_1.pt"], r"step 1 for model_1\.pt, other_1\.pt"),
        (["epoch=3.pt", "last.pt"], r"got none for last\.pt"),
        (["model_3.pt", "best.pt"], r"got none for best\.pt"),
    ],
)
def test_what_has_no_step_of_its_own_is_listed(names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        file_steps(names, unknown)
