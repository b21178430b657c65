"""Segments: what is drawn along them, on which axes, and what is refused."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

import relutopo as rt
from relutopo.errors import InputError
from relutopo.plots.layers import class_look
from relutopo.plots.parts import fill
from relutopo.plots.segments import crossings_history, segment_history

NETWORK = rt.gallery.random_network([16, 12, 10, 3], seed=0)
X = np.random.default_rng(0).uniform(0, 1, (40, 16))
Y = np.arange(40) % 3
FOUND = rt.segments(NETWORK, X, pairs=rt.segment_pairs(X, n=50))


def panels(figure: Any) -> list[Any]:
    """Return the axes of a figure, not those within them."""
    axes: list[Any] = figure.axes
    return axes


def test_thick_lines_end_at_the_mean_number_of_crossings() -> None:
    ax = plt.figure().add_subplot()
    assert rt.plots.plot_crossings(FOUND, Y, ax=ax) is ax
    same = FOUND.same_label(Y)
    lines = {str(line.get_label()): line for line in ax.lines}
    for name, members in (("same label", same), ("different labels", ~same)):
        mean = FOUND.n_crossings[members].mean()
        (line,) = (one for label, one in lines.items() if label.startswith(name))
        assert np.asarray(line.get_ydata())[-1] == pytest.approx(mean)
        assert line.get_label() == f"{name}: {mean:.3g} on average"
    fans = [fan for fan in ax.collections if isinstance(fan, LineCollection)]
    counts = sorted(np.asarray(path.vertices)[-1, 1] for fan in fans for path in fan.get_paths())
    assert counts == sorted(FOUND.n_crossings.tolist())
    assert ax.get_ylim()[1] > max(counts)


def test_the_function_is_drawn_at_its_knots() -> None:
    changes = int(np.argmax(FOUND.n_class_changes))
    upper, lower = panels(rt.plots.plot_segment(FOUND, changes))
    t, outputs = FOUND.t_of(changes), FOUND.outputs_of(changes)
    first, last = FOUND.class_indptr[changes], FOUND.class_indptr[changes + 1]
    greatest = set(FOUND.classes[first:last].tolist())
    lines = {str(line.get_label()): line for line in upper.lines}
    for k in greatest:
        line = lines[f"output {k}"]
        np.testing.assert_array_equal(np.asarray(line.get_xdata()), t)
        np.testing.assert_array_equal(np.asarray(line.get_ydata()), outputs[:, k])
        assert line.get_color() == class_look(k)[0]
    strips = [patch.get_facecolor() for patch in upper.patches]
    assert strips == [to_rgba(fill(k)) for k in FOUND.classes[first:last].tolist()]
    pictures = [inner.images[0].get_array() for inner in lower.child_axes]
    assert len(pictures) == 9
    np.testing.assert_allclose(np.ravel(pictures[0]), FOUND.starts[changes])
    np.testing.assert_allclose(np.ravel(pictures[-1]), FOUND.ends[changes])


@pytest.mark.parametrize(
    ("dim", "shape", "pictures"),
    [(16, None, True), (48, None, True), (16, (16,), False), (10, None, False), (2, None, False)],
)
def test_inputs_are_images_or_columns(
    dim: int, shape: tuple[int, ...] | None, pictures: bool
) -> None:
    network = rt.gallery.random_network([dim, 5, 1], seed=0)
    a, b = np.random.default_rng(1).uniform(size=(2, 1, dim))
    _, lower = panels(rt.plots.plot_segment(rt.segments(network, a, b), input_shape=shape))
    assert bool(lower.child_axes) == pictures
    assert bool(lower.images) != pictures


def test_given_axes_are_drawn_on() -> None:
    axes = plt.figure().subplots(2, 1)
    assert list(rt.plots.plot_segment(FOUND, 1, axes=axes, legend=False)) == list(axes)
    with pytest.raises(InputError, match=r"one entry for each of the 2 panels.*got 1"):
        rt.plots.plot_segment(FOUND, 1, axes=axes[:1])


def test_histories_share_their_limits() -> None:
    found = {"a": FOUND, "b": rt.segments(NETWORK, 3 * X, pairs=FOUND.pairs)}
    for figure in (crossings_history(found, Y), segment_history(found, 2)):
        shown = [ax for ax in figure.axes if ax.get_title()]
        assert len(shown) == 2
        assert shown[0].get_ylim() == shown[1].get_ylim()
        assert [ax.get_title()[0] for ax in shown] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segment": 50}, "`segment` must be an integer from 0 to 49, got 50"),
        ({"input_shape": (3, 3)}, r"`input_shape` must have 16 entries in all.*got \(3, 3\)"),
        ({"n_pictures": 1}, "`n_pictures` must be an integer from 2, got 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.plots.plot_segment(FOUND, **options)


def test_segments_are_needed() -> None:
    with pytest.raises(InputError, match="`segments` must be a Segments"):
        rt.plots.plot_crossings(X)  # type: ignore[call-overload]
    with pytest.raises(InputError, match="at least one"):
        rt.plots.plot_crossings(rt.segments(NETWORK, X[:0], X[:0]))
    with pytest.raises(InputError, match="`labels` must be those of the points"):
        rt.plots.plot_crossings(FOUND, Y[:5])


@pytest.mark.slow
def test_a_time_line_of_segments_marks_half_rises() -> None:
    held_out = [0.1, 0.2, 0.2, 0.2, 0.4, 0.8, 0.9, 0.9]
    table = pd.DataFrame(
        {
            "step": [0, 10, 100, 200, 400, 800, 1600, 3200],
            "train_accuracy": [0.1, *[1.0] * 7],
            "held_out_accuracy": held_out,
            "class_constant_same": [0.0, 0.5, 0.5, 0.9, 1.0, 1.0, 1.0, 1.0],
            "crossing_ratio": 0.7,
        }
    )
    figure = rt.plots.plot_timeline(table)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["train ≥ 99 % at step 10", "held out half-way at step 519"]
    diamonds = {
        ax.get_ylabel(): [line for line in ax.lines if line.get_marker() == "D" and
                          len(np.asarray(line.get_xdata()))]
        for ax in figure.axes
    }  # fmt: skip
    (of_accuracy,), (of_class,) = diamonds["accuracy"], diamonds["between points\nof one class"]
    assert np.asarray(of_accuracy.get_xdata())[0] == pytest.approx(518.7, abs=0.1)
    assert np.asarray(of_class.get_xdata())[0] == pytest.approx(154.2, abs=0.1)
    assert not diamonds["same label over\ndifferent labels"]
    flat = rt.plots.plot_timeline(table.assign(held_out_accuracy=0.2))
    assert not any(line.get_marker() == "D" for ax in flat.axes for line in ax.lines)
