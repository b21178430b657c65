"""Diagrams, barcodes, Betti curves and panels of tables, on one's own axes too."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import relutopo as rt
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.plots import (
    plot_barcode,
    plot_betti_curves,
    plot_persistence_diagram,
    plot_scaling,
    plot_spike_timeline,
    plot_timeline,
)


def waves(x: Any) -> Any:
    return np.sin(5 * x[:, 0]) * np.cos(4 * x[:, 1])


@pytest.fixture(scope="module")
def diagrams() -> list[rt.Diagram]:
    found = []
    for seed in (3, 4):
        complex_ = rt.decompose(random_network([2, 10, 8, 1], seed), rt.Box(-1, 1, dim=2))
        entry = rt.filtration(complex_, "lower_star", function=waves)
        found.append(rt.persistence(complex_, entry))
    return found


def lasting(diagram: rt.Diagram, degree: int, over: Any) -> Any:
    pairs = diagram.pairs(degree, over)
    return pairs[pairs[:, 1] > pairs[:, 0]]


@pytest.mark.parametrize("over", ["value", "index"])
def test_a_diagram_shows_every_class_that_lasts(diagrams: list[rt.Diagram], over: Any) -> None:
    (one, _) = diagrams
    figure = plot_persistence_diagram(one, over=over)
    ax = figure.axes[0]
    infinity = float(np.asarray(ax.lines[1].get_ydata())[0])
    assert infinity > max(lasting(one, k, over).max() for k in (0, 1))
    points: list[Any] = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert [c.get_label() for c in points] == ["$H_0$", "$H_1$"]
    for k, layer in enumerate(points):
        essential = [(birth, infinity) for birth in one.essential(k, over)]
        expected = {*map(tuple, lasting(one, k, over).tolist()), *essential}
        assert {*map(tuple, layer.get_offsets().tolist())} == expected
    low, high = ax.get_ylim()
    assert low < min(lasting(one, 0, over).min(), one.essential(0, over).min())
    assert high > infinity


def test_classes_at_one_place_are_one_larger_point() -> None:
    step = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [-0.5]])
    complex_ = rt.decompose(step, rt.Box(-1, 1, dim=2), enumerator="exact")
    values: list[Any] = [np.zeros(n) + k for k, n in enumerate(complex_.n_cells)]
    diagram = rt.persistence(complex_, rt.Filtration.from_values(complex_, values))
    points: Any = plot_persistence_diagram(diagram, degrees=[0]).axes[0].collections[0]
    assert len(points.get_offsets()) == 2
    sizes = points.get_sizes()
    assert sizes[0] / sizes[1] == pytest.approx(np.sqrt(len(diagram.pairs(0))))


def test_a_barcode_has_a_bar_for_each_class_and_none_overlap(diagrams: list[rt.Diagram]) -> None:
    figure = plot_barcode({"before": diagrams[0], 10: diagrams[1]})
    ax = figure.axes[0]
    bars: list[Any] = [c for c in ax.collections if isinstance(c, LineCollection)]
    segments = np.concatenate([c.get_segments() for c in bars])
    expected = [
        (diagram, k, len(lasting(diagram, k, "value")) + len(diagram.essential(k)))
        for diagram in diagrams
        for k in (0, 1)
    ]
    assert [len(c.get_segments()) for c in bars] == [n for *_, n in expected]
    assert sorted(segments[:, 0, 1]) == list(range(len(segments)))
    for layer, (diagram, k, _) in zip(bars, expected, strict=True):
        births = np.append(lasting(diagram, k, "value")[:, 0], diagram.essential(k))
        assert [s[0, 0] for s in layer.get_segments()] == sorted(births)
    arrows = [line for line in ax.lines if line.get_marker() == ">"]
    assert sum(len(np.asarray(line.get_xdata())) for line in arrows) == 2
    assert [text.get_text() for text in ax.get_yticklabels()] == ["before", "step 10"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["$H_0$", "$H_1$"]


@pytest.mark.slow
def test_figures_of_homology_stay_within_their_axes(diagrams: list[rt.Diagram]) -> None:
    figure = Figure(figsize=(8, 6))
    axes = figure.subplots(2, 2)
    assert plot_persistence_diagram(diagrams[0], ax=axes[0, 0]) is axes[0, 0]
    assert plot_barcode({"a": diagrams[0]}, ax=axes[0, 1], title="bars") is axes[0, 1]
    assert list(plot_betti_curves({"a": diagrams[0]}, axes=axes[1])) == list(axes[1])
    figure.draw_without_rendering()
    assert not figure.legends
    for upper, lower in zip(*axes, strict=True):
        assert upper.get_tightbbox().y0 >= lower.get_tightbbox().y1 - 1
    with pytest.raises(InputError, match="`axes` must have one entry for each of the 2 degrees"):
        plot_betti_curves(diagrams[0], axes=axes)


def test_names_of_diagrams_are_steps_or_words(diagrams: list[rt.Diagram]) -> None:
    first, second = diagrams
    figure = plot_betti_curves({"before": first, np.int64(7): second})
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["before", "step 7"]
    assert not plot_betti_curves(first).legends
    curve = plot_betti_curves(first).axes[0].lines[0]
    assert np.asarray(curve.get_ydata()).max() == first.betti_curve(0).peak().height


def test_what_is_no_diagram_is_refused(diagrams: list[rt.Diagram]) -> None:
    plots: list[Any] = [plot_betti_curves, plot_barcode, plot_persistence_diagram]
    for plot in plots:
        for wrong in (np.zeros(3), {"a": np.zeros(3)}, None):
            with pytest.raises(InputError, match="`diagrams` must be a Diagram, or a mapping of"):
                plot(wrong)
        with pytest.raises(InputError, match="at least one diagram"):
            plot({})
    with pytest.raises(InputError, match="`over` must be one of value, index"):
        plots[1](diagrams[0], over="time")
    with pytest.raises(InputError, match="`degrees` must be"):
        plot_barcode(diagrams[0], degrees=[7])


def test_tables_are_drawn_on_ones_own_axes() -> None:
    table = pd.DataFrame(
        {
            "step": [0, 10, 100],
            "loss": [1.0, 0.1, 0.01],
            "weighted_agreement": [0.7, 0.7, 0.9],
            "unweighted_agreement": [0.7, 0.7, 0.9],
        }
    )
    figure = Figure(figsize=(5, 6))
    before = dict(matplotlib.rcParams)
    axes = figure.subplots(2, 1)
    assert list(plot_timeline(table, axes=axes)) == list(axes)
    assert dict(matplotlib.rcParams) == before
    weighted, unweighted = axes[1].lines[:2]
    assert weighted.get_linestyle() == "-"  # both are seen where they are one
    assert unweighted.get_linestyle() == "--"
    assert unweighted.get_linewidth() < weighted.get_linewidth()
    assert unweighted.get_zorder() > weighted.get_zorder()
    figure.draw_without_rendering()
    assert axes[0].get_tightbbox().y0 >= axes[1].get_tightbbox().y1 - 1
    ax = Figure().add_subplot()
    assert list(plot_timeline(table, ["loss"], axes=ax)) == [ax]
    with pytest.raises(InputError, match="`axes` must have one entry for each of the 2 panels"):
        plot_timeline(table, axes=ax)
    scaled = plot_scaling({"a": {"b": ([1, 10], [1.0, 12.0])}}, "regions", axes=ax, legend=False)
    assert list(scaled) == [ax]
    spikes = pd.DataFrame(
        {
            "step": [0, 1, 2],
            "is_regular": True,
            "n_cells": [9, 8, 7],
            "betti_0_peak_value": [0.4, 0.41, 0.4],
            "betti_0_peak_value_std": 0.01,
        }
    )
    panels = Figure().subplots(3, 1)
    assert list(plot_spike_timeline(spikes, [1.0, 0.9, 0.8], axes=panels)) == list(panels)
