"""Data sets keep their conventions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_circles, make_moons

from relutopo import registry
from relutopo.arrays import as_labels, as_outputs
from relutopo.errors import InputError
from relutopo.learning.data_files import data_file
from relutopo.learning.datasets import Dataset, two_circles, two_moons
from relutopo.learning.runs import TrainingRun
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train


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
    with pytest.raises(InputError, match="`targets` must be 3 labels or finite numbers"):
        Dataset("mine", x, y[:2], x, y)
    with pytest.raises(InputError, match=r"`held_out_points` must have shape \(n, 2\)"):
        Dataset("mine", x, y, np.zeros((3, 1)), y)
    with pytest.raises(InputError, match="`points` must be finite"):
        Dataset("mine", x + np.inf, y, x, y)


TWO: list[Any] = [
    [0, 1, 1],
    [False, True, True],
    [1.0, 2.0, 2.0],
    [[-1], [1], [1]],
    ["cat", "dog", "dog"],
    np.array(["cat", "dog", "dog"], dtype=object),
    pd.Series(["cat", "dog", "dog"], dtype="category"),
    pd.Series([2, 4, 4], dtype="Int64"),
    torch.tensor([0, 1, 1]),
]
POINTS = np.array([[0.0, 1.0], [1.0, 0.5], [2.0, 0.0]])


@pytest.mark.parametrize("labels", TWO)
def test_two_classes_are_signs_whatever_the_labels_are(labels: Any) -> None:
    data = Dataset("mine", POINTS, labels, POINTS[:1], labels[:1])
    assert data.targets.tolist() == [-1.0, 1.0, 1.0]
    assert data.held_out_targets.tolist() == [-1.0]
    assert data.classes == tuple(sorted(set(np.ravel(np.asarray(labels)).tolist())))
    assert data.class_numbers(data.targets).tolist() == [0, 1, 1]


@pytest.mark.parametrize("order", [["low", "high"], ["low", "middle", "none", "high"]])
def test_categories_keep_their_order(order: list[str]) -> None:
    words = ["high", "low", "low"]
    targets = pd.Categorical(words, order)
    points = np.zeros((3, 1))
    for given in (targets, pd.Series(targets), pd.DataFrame({"level": targets})):
        data = Dataset("levels", points, given, points[:1], ["high"])
        assert data.classes == tuple(order)  # also those of which there is no point
        assert data.class_numbers(data.targets).tolist() == [order.index(w) for w in words]
        assert data.class_numbers(data.held_out_targets).tolist() == [len(order) - 1]
        assert as_outputs(given, 3, len(order)).tolist() == [order.index(w) for w in words]
        assert as_labels(given).classes.tolist() == ["low", "high"]
    with pytest.raises(
        InputError, match=r"`held_out_targets` must be among the classes 'low'.*got 'medium'"
    ):
        Dataset("levels", points, targets, points[:1], ["medium"])
    with pytest.raises(InputError, match="`held_out_targets` must be of the kind of `targets`"):
        Dataset("levels", points, targets, points[:1], [1])


@pytest.mark.parametrize("order", [[True, False], [3, 1]])
def test_categories_that_are_numbers_ascend(order: list[Any]) -> None:
    targets = pd.Categorical(order, order)
    points = np.zeros((2, 1))
    assert Dataset("numbers", points, targets).class_numbers([1.0, -1.0]).tolist() == [1, 0]
    assert as_labels(targets).codes.tolist() == as_outputs(targets, 2, 2).tolist() == [1, 0]


def test_more_classes_keep_their_numbers_and_words_get_some() -> None:
    words = Dataset("words", POINTS, ["b", "a", "c"])
    assert (words.classes, words.targets.tolist()) == (("a", "b", "c"), [1.0, 0.0, 2.0])
    numbers = Dataset("numbers", POINTS, [7, 3, 5], POINTS, [3, 3, 9])
    assert (numbers.classes, numbers.targets.tolist()) == ((3, 5, 7, 9), [7.0, 3.0, 5.0])
    for data, numbered in ((words, [1, 0, 2]), (numbers, [2, 0, 1])):
        assert data.class_numbers(data.targets).tolist() == numbered
    assert numbers.class_numbers(numbers.held_out_targets).tolist() == [0, 0, 3]
    values = Dataset("values", POINTS, [0.5, 1.0, 2.0])
    assert values.classes is None
    assert values.targets.tolist() == [0.5, 1.0, 2.0]
    with pytest.raises(InputError, match="must be of classes, got values"):
        values.class_numbers(values.targets)


def test_nothing_need_be_held_out() -> None:
    data = Dataset("mine", POINTS, [0, 1, 1])
    assert not data.has_held_out
    assert data.held_out_points.shape == (0, 2)
    assert two_moons(n=4).has_held_out
    with pytest.raises(
        InputError, match=r"`held_out_targets` must be 3 labels .* got shape \(0,\)"
    ):
        Dataset("mine", POINTS, [0, 1, 1], POINTS)
    with pytest.raises(
        InputError, match=r"`held_out_targets` must be 0 labels .* got shape \(3,\)"
    ):
        Dataset("mine", POINTS, [0, 1, 1], held_out_targets=[0, 1, 1])


def test_a_table_names_its_columns() -> None:
    table = pd.DataFrame(POINTS, columns=["width", "height"])
    assert Dataset("mine", table, [0, 1, 1]).features == ("width", "height")
    assert Dataset("mine", POINTS, [0, 1, 1]).features is None
    assert not Dataset("mine", table, [0, 1, 1]).equals(Dataset("mine", POINTS, [0, 1, 1]))
    with pytest.raises(InputError, match=r"`features` must be 2 names, one for each .* got 1"):
        Dataset("mine", POINTS, [0, 1, 1], features=["width"])


@pytest.mark.parametrize(
    ("points", "targets", "message"),
    [
        (POINTS, [0, np.nan, 1], "`targets` must be finite, got nan in row 1; drop points"),
        (POINTS, ["a", None, "b"], "`targets` must be of one kind and none missing, got None in"),
        (
            POINTS,
            pd.Series([1, None, 2], dtype="Int64"),
            "`targets` must be finite, got nan in row 1",
        ),
        (POINTS, np.eye(3), r"got shape \(3, 3\); .* for example y.argmax\(axis=1\)"),
        ([[0, np.nan], [1, 2]], [0, 1], r"`points` must be finite, got .* in row 0"),
        ([["a", 1], ["b", 2]], [0, 1], "`points` must be an array of numbers, got entries that"),
    ],
)
def test_what_is_wrong_is_told_by_row(points: Any, targets: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Dataset("mine", points, targets)


@pytest.mark.parametrize("targets", [[0, 1, 1], ["a", "b", "b"], [0.5, 1.5, 1.0], [3, 4, 5]])
def test_data_on_disk_are_the_same(targets: Any, tmp_path: Path) -> None:
    for name, features in (("all", ("w", "h")), ("few", None)):
        data = Dataset("mine", POINTS, targets, features=features)
        TrainingRun(tmp_path / name).claim({}, data)
        assert TrainingRun(tmp_path / name).dataset.equals(data)


def test_a_loss_needs_targets_of_its_kind(tmp_path: Path) -> None:
    values, words = (
        Dataset("mine", POINTS, targets) for targets in ([0.5, 1.0, 2.0], ["a", "b", "c"])
    )
    bce, mse = TrainerSettings(n_steps=1, loss="bce"), TrainerSettings(n_steps=1, loss="mse")
    with pytest.raises(InputError, match="'bce' needs data of two classes, got 'mine' with values"):
        train(values, MlpSettings(hidden=[2]), bce, directory=tmp_path)
    with pytest.raises(InputError, match=r"`n_outputs` must be 3 .* with 3 classes, got 1"):
        train(words, MlpSettings(hidden=[2], n_outputs=1), mse, directory=tmp_path)
    of_words = train(words, MlpSettings(hidden=[2]), mse, directory=tmp_path / "words")
    assert of_words.checkpoint(1).network.n_outputs == 3
    run = train(values, MlpSettings(hidden=[2]), mse, directory=tmp_path)
    assert np.isnan(run.history.held_out_loss).all()


TABLE = "width,height,class\n0,1,cat\n1,0.5,dog\n2,0,dog\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.csv", TABLE),
        ("own.csv", "\ufeff" + TABLE.replace("\n", "\r\n")),
        ("own.csv", 'class;"width";height\ncat;0;1\n\ndog;1;0.5\ndog;2;0\n'),
        ("own.tsv", TABLE.replace(",", "\t")),
        ("own.txt", TABLE.replace(",", "  ")),
        ("own.CSV", TABLE.replace("class", "Species")),
    ],
)
def test_tables_of_text_are_read(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode())
    data = data_file(str(tmp_path / name))
    expected = Dataset("own", POINTS, ["cat", "dog", "dog"], features=("width", "height"))
    assert data.equals(expected)


def test_words_may_be_listed_in_the_order_of_outputs(tmp_path: Path) -> None:
    words = ["one", "two", "three", "one"]
    points = np.arange(8.0).reshape(4, 2)
    data = Dataset("own", points, words, points[:1], ["three"], classes=["one", "two", "three"])
    assert data.class_numbers(data.targets).tolist() == [0, 1, 2, 0]
    assert data.class_numbers(data.held_out_targets).tolist() == [2]
    two = Dataset("own", points, ["b", "a", "a", "b"], classes=["b", "a"])
    assert two.targets.tolist() == [-1.0, 1.0, 1.0, -1.0]
    with pytest.raises(
        InputError, match=r"among the classes 'one', 'two', got 'three'; list every"
    ):
        Dataset("own", points, words, classes=["one", "two"])
    np.savez(tmp_path / "own.npz", points=points, targets=np.array(words))
    (tmp_path / "own.csv").write_text("".join(f"{i},{i},{word}\n" for i, word in enumerate(words)))
    for name in ("own.npz", "own.csv"):
        found = data_file(str(tmp_path / name), ["one", "two", "three"])
        assert found.class_numbers(found.targets).tolist() == [0, 1, 2, 0]


def test_a_table_may_have_numbers_only(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("0,1,1\n1,0.5,2\n2,0,2\n")
    assert data_file(str(tmp_path / "own.csv")).equals(Dataset("own", POINTS, [1.0, 2.0, 2.0]))
    (tmp_path / "own.csv").write_text("y,a,b\n0.5,0,1\n1.5,1,0.5\n1.0,2,0\n")
    values = Dataset("own", POINTS, [0.5, 1.5, 1.0], features=("a", "b"))
    assert data_file(str(tmp_path / "own.csv")).equals(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a line for each point, got none"),
        ("a,b,y\n", "got a heading only"),
        ("a,b,y\n1,2,0\n1,,1\n", "finite numbers .* got '' in line 3, column 'b'; drop or repair"),
        ("a,b,y\n1,nan,0\n", "got 'nan' in line 2, column 'b'"),
        ("1,2,0\n1,red,1\n", "got 'red' in line 2, column 2"),
        ("a,b,y\n1,2,\n", "must have a target in each line, got none in line 2"),
        ("a,b,y\n1,2,0\n1,2\n", "got 2 entries in line 3 and 3 in line 1"),
        ("1\n2\n", "a point and its target in each line, got 1 entries in line 1"),
        ("a,label,y\n1,2,0\n", "must have one column of targets, got label, y"),
        (",a,y\n0,1.5,0\n1,2.5,1\n", r"none over the first; .* to_csv\(path, index=False\)"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_by_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        data_file(str(tmp_path / "own.csv"))


@pytest.mark.parametrize(
    "names",
    [
        ("points", "targets", "held_out_points", "held_out_targets"),
        ("X", "y", "X_test", "y_test"),
        ("x_train", "y_train", "x_test", "y_test"),
    ],
)
def test_arrays_have_the_names_of_other_libraries_too(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    arrays: dict[str, Any] = dict(
        zip(names, (POINTS, ["a", "b", "b"], POINTS[:1], ["b"]), strict=True)
    )
    np.savez(tmp_path / "own.npz", **arrays)
    data = data_file(str(tmp_path / "own.npz"))
    assert data.equals(Dataset("own", POINTS, ["a", "b", "b"], POINTS[:1], ["b"]))
    twice: dict[str, Any] = {"points": POINTS, "X": POINTS, "y": [0, 1, 1]}
    np.savez(tmp_path / "own.npz", **twice)
    with pytest.raises(InputError, match="one array for points, got points and X; leave out"):
        data_file(str(tmp_path / "own.npz"))
