"""Which class is decided for where: what is filled, and what is refused."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba

import relutopo as rt
from relutopo.errors import InputError
from relutopo.plots.parts import fill

NETWORK = rt.gallery.random_network([2, 8, 8, 5], seed=1)
COMPLEX = rt.decompose(NETWORK, rt.Box(-3, 3, dim=2), enumerator="exact")


def area(polygon: np.ndarray[Any, Any]) -> float:
    x, y = polygon.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def test_each_class_fills_its_area() -> None:
    ax = plt.figure().add_subplot()
    assert rt.plots.plot_decision(COMPLEX, ax=ax) is ax
    filled: dict[int, float] = {}
    for layer in ax.collections:
        if isinstance(layer, PolyCollection) and layer.get_zorder() == 1:
            layer.update_scalarmappable()
            shapes = zip(layer.get_paths(), np.asarray(layer.get_facecolor()), strict=True)
            for path, colour in shapes:
                (k,) = (k for k in range(5) if to_rgba(fill(k)) == tuple(colour.tolist()))
                filled[k] = filled.get(k, 0.0) + area(np.asarray(path.vertices)[:-1])
    volumes = COMPLEX.decision().volumes
    for k in range(5):
        assert filled.get(k, 0.0) == pytest.approx(volumes[k], abs=1e-9)
    assert {text.get_text() for text in ax.texts} <= set("01234")
    for text in ax.texts:
        place = np.array([text.get_position()])
        assert NETWORK(place)[0].argmax() == int(text.get_text())


def test_points_have_the_looks_of_their_classes() -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (50, 2))
    y = NETWORK(x).argmax(axis=1)
    some = np.isin(y, np.unique(y)[1:])  # the first class is missing
    figure = rt.plots.plot_decision(COMPLEX, x[some], y[some])
    (ax,) = figure.axes
    shown = {c.get_label(): c for c in ax.collections}
    for k in np.unique(y[some]).tolist():
        offsets = np.asarray(shown[f"class {k}"].get_offsets())
        np.testing.assert_allclose(np.sort(offsets, axis=0), np.sort(x[y == k], axis=0))


def test_outputs_that_tie_are_pale() -> None:
    tied = rt.ReluNetwork([[[1.0, 0.0]], [[1.0], [1.0]]], [[0.0], [0.0, 0.0]])
    figure = rt.plots.plot_decision(rt.decompose(tied, rt.Box(-1, 1, dim=2), enumerator="exact"))
    assert "outputs tie" in {c.get_label() for c in figure.axes[0].collections}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "one for each of the 3 points, got 2"),
        (["a", "b", "a"], r"numbers 0\.\.4 of outputs, or of 5 classes, got 2 others"),
        ([0, 1, 7], r"numbers 0\.\.4 of outputs"),
    ],
)
def test_labels_that_do_not_fit(labels: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.plots.plot_decision(COMPLEX, np.zeros((3, 2)), labels)


def test_no_picture_of_a_line() -> None:
    line = rt.decompose(
        rt.gallery.random_network([1, 3, 3], seed=0), rt.Box(-1, 1), enumerator="exact"
    )
    with pytest.raises(InputError, match="`complex_` must have dimension 2, got 1"):
        rt.plots.plot_decision(line)


@pytest.mark.parametrize("names", [["ox", "a cat", "hen", "fly", "dog"], [10, 4, 7, 6, 5]])
def test_classes_have_the_names_of_their_labels(names: list[Any]) -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (400, 2))
    codes = np.arange(400) % 5
    figure = rt.plots.plot_decision(COMPLEX, x, np.array(sorted(names))[codes])
    (ax,) = figure.axes
    said = {text.get_text() for text in figure.legends[0].get_texts()}
    decided = np.unique(COMPLEX.decision().classes[~COMPLEX.decision().is_tied])
    assert said >= {f"class {name}" for name in names}
    assert said >= {f"decides for {sorted(names)[k]}" for k in decided}
    for text in ax.texts:
        k = NETWORK(np.array([text.get_position()]))[0].argmax()
        assert text.get_text() == str(sorted(names)[k])


def test_words_stand_for_outputs_in_the_order_of_their_categories() -> None:
    names = ["ox", "cat", "hen", "fly", "dog"]
    x = np.random.default_rng(0).uniform(-3, 3, (200, 2))
    labels = pd.Categorical([names[k] for k in NETWORK(x).argmax(axis=1)], names)
    for given in (labels, pd.Series(labels)):
        (ax,) = rt.plots.plot_decision(COMPLEX, x, given).axes
        assert ax.texts
        for text in ax.texts:
            k = NETWORK(np.array([text.get_position()]))[0].argmax()
            assert text.get_text() == names[k]
