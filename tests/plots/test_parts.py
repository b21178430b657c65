"""Partitions in any number of parts: colours of classes, cuts, and the plane of eigenvectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from relutopo.complex import CellComplex
from relutopo.decomposition import decompose
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.domain import Box
from relutopo.plots import (
    plot_partition,
    plot_partition_history,
    plot_spectral_embedding,
    plot_timeline,
    save_figure,
)
from relutopo.spectral.partitioner import spectral_partition
from relutopo.spectral.spectral_partition import SpectralPartition

SQUARE = Box(-1, 1, dim=2)
# Five stripes across the first axis, and outputs that decide at -0.4 and 0.4.
STRIPES = (
    [[[1.0, 0.0]] * 4, [[0.0] * 4, [1.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0]]],
    [[0.6, 0.2, -0.2, -0.6], [0.2, 0.0, -1.0]],
)
POINTS = np.array([[-0.9, 0.5], [-0.8, 0.1], [0.0, 0.1], [0.1, 0.2], [0.8, -0.5], [0.9, 0.0]])


def striped(k: int = 3) -> SpectralPartition:
    graph = decompose(STRIPES, SQUARE, enumerator="exact").dual_graph()
    return spectral_partition(graph, POINTS, k=k)


def layers(figure: Figure, kind: Any) -> list[Any]:
    return [c for ax in figure.axes for c in ax.collections if isinstance(c, kind)]


def colours_of_regions(figure: Figure) -> np.ndarray[Any, Any]:
    layer = layers(figure, PolyCollection)[0]
    layer.update_scalarmappable()
    return np.asarray(layer.get_facecolor()[:, :3])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_parts_have_the_colours_of_their_classes(order: tuple[int, int, int]) -> None:
    """Whatever a part's number is, the region of a point of class c has the colour of class c."""
    part = striped()
    labels = np.repeat(order, 2)
    colours = colours_of_regions(plot_partition(part, POINTS, labels))
    named = colours_of_regions(plot_partition(part, POINTS, np.array(list("abc"))[labels]))
    regions = part.locate(POINTS)
    first = colours_of_regions(plot_partition(part, POINTS, np.repeat([0, 1, 2], 2)))
    assert np.array_equal(colours, named)
    for points, label in enumerate(order):
        assert np.array_equal(colours[regions[2 * points]], first[regions[2 * label]])
    assert len(np.unique(colours, axis=0)) == 3


def test_the_cut_consists_of_the_facets_between_parts() -> None:
    part = striped()
    figure = plot_partition(part)
    (line,) = [c for c in layers(figure, LineCollection) if c.get_label() == "spectral cut"]
    assert len(line.get_segments()) == len(part.cut_edges)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["part 0", "part 1", "part 2", "spectral cut"]
    labelled = plot_partition(part, POINTS, np.repeat(["a", "b", "c"], 2))
    names = [text.get_text() for text in labelled.legends[0].get_texts()]
    assert names == ["class a", "class b", "class c", "decision boundary", "spectral cut"]


def test_parts_without_a_class_have_a_colour_and_a_name_of_their_own() -> None:
    part = striped()
    figure = plot_partition(part, POINTS, np.repeat([0, 1, 0], 2))
    assert len(np.unique(colours_of_regions(figure), axis=0)) == 3
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum(name.startswith("part ") for name in names) == 1


@pytest.mark.slow
def test_regions_on_the_cut_are_hatched() -> None:
    """Of a path of an odd number of equal regions the middle one is on neither side."""
    graph = decompose(STRIPES, SQUARE, enumerator="exact").dual_graph()
    part = spectral_partition(graph, k=2, vertex_weights="unweighted", rounding="signs")
    assert part.n_open == 1
    figure = plot_partition(part)
    hatched = [c for c in layers(figure, PolyCollection) if c.get_hatch()]
    assert [len(c.get_paths()) for c in hatched] == [1]
    embedded = plot_spectral_embedding(part)
    assert "on the cut" in [text.get_text() for text in embedded.legends[0].get_texts()]


def test_colours_of_parts_differ_also_without_hue() -> None:
    """Each part's colour is the paler one of its class, and no two of the first four are alike."""
    from relutopo.plots.layers import _COLOURS
    from relutopo.plots.parts import _PARTS

    assert len(_PARTS) == len(_COLOURS)
    for pale, full in zip(_PARTS, _COLOURS, strict=True):
        assert sum(to_rgb(pale)) > sum(to_rgb(full))
    grey = [float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722))) for colour in _PARTS[:4]]
    assert min(np.diff(np.sort(grey))) > 0.02


def test_the_embedding_places_nodes_by_eigenvectors_and_sizes_them_by_weight() -> None:
    complex_ = decompose(random_network([2, 8, 8, 3], seed=0), SQUARE, enumerator="exact")
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    part = spectral_partition(complex_.dual_graph(), points, k=4)
    for vectors, columns in ((None, (0, 1)), ((4, 2), (2, 0))):
        figure = plot_spectral_embedding(part, vectors=vectors)
        dots = layers(figure, PathCollection)
        assert sum(len(c.get_offsets()) for c in dots) == complex_.n_regions
        for k, layer in enumerate(dots):
            members = part.parts == k
            assert np.array_equal(layer.get_offsets(), part.vectors[members][:, columns])
            sizes, weights = layer.get_sizes(), part.vertex_weights[members]
            assert np.all(np.diff(sizes[np.argsort(weights)]) >= 0)
        inner, cut = layers(figure, LineCollection)
        assert len(cut.get_segments()) == len(part.cut_edges)
        assert len(inner.get_segments()) == part.graph.n_edges - len(part.cut_edges)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("eigenvector 4", "eigenvector 2")


def test_two_parts_are_drawn_along_one_vector() -> None:
    part = striped(2)
    figure = plot_spectral_embedding(part, POINTS, [0, 0, 0, 1, 1, 1], title="two")
    heights = np.concatenate([c.get_offsets()[:, 1] for c in layers(figure, PathCollection)])
    assert sorted(heights) == pytest.approx(np.arange(1, 6) / 5)
    assert figure.axes[0].get_ylabel() == "share of regions below"


def test_what_is_no_embedding_is_refused() -> None:
    part = striped()
    with pytest.raises(
        InputError, match=r"`partition` must be a SpectralPartition, got .*; take it"
    ):
        plot_spectral_embedding(part.graph)  # type: ignore[call-overload]
    with pytest.raises(InputError, match=r"`vectors` must be two numbers up to 3, got \(2, 4\)"):
        plot_spectral_embedding(part, vectors=(2, 4))
    with pytest.raises(InputError, match=r"`vectors` must be two numbers up to 3, got \(2,\)"):
        plot_spectral_embedding(part, vectors=(2,))


@dataclass
class Checkpoint:
    complex: CellComplex
    partitions: Mapping[str, SpectralPartition | None]
    row: Mapping[str, Any]


@pytest.mark.slow
def test_a_history_has_a_row_for_each_kind_of_weights(tmp_path: Path) -> None:
    part = striped()
    kinds = ("unweighted", "count_plus_one", "chung_langlands")
    row = {f"{kind}_status": "converged" for kind in kinds} | {"step": 7}
    agreements = {f"{kind}_agreement": 0.5 for kind in kinds}
    complex_ = decompose(STRIPES, SQUARE, enumerator="exact")
    missing = {**row, "chung_langlands_status": "fewer than 3 regions"}
    checkpoints = [
        Checkpoint(complex_, dict.fromkeys(kinds, part), row | agreements),
        Checkpoint(complex_, {**dict.fromkeys(kinds, part), kinds[2]: None}, missing | agreements),
    ]
    figure = plot_partition_history(checkpoints, POINTS, np.repeat([0, 1, 2], 2))
    assert len(figure.axes) == 6
    assert figure.axes[5].get_title() == "step 7, fewer than 3 regions"
    names = [ax.get_ylabel().split("\n")[0] for ax in figure.axes[::2]]
    assert names == ["unweighted", "1 + count", "Chung-Langlands"]
    save_figure(figure, tmp_path / "history.png")
    with pytest.raises(InputError, match="`axes` must be 3 for each of the 2 checkpoints, got 4"):
        plot_partition_history(
            checkpoints, POINTS, np.repeat([0, 1, 2], 2), axes=Figure().subplots(2, 2)
        )


def test_legends_of_a_time_line_leave_the_axes_their_room() -> None:
    """Long names of many curves are put below one another, and never wider than the figure."""
    table = pd.DataFrame({"step": [0, 10, 100]})
    names = [f"{'very_' * k}long_name_of_a_column_{k}" for k in range(1, 9)]
    for k, name in enumerate(names):
        table[name] = np.array([0.1, 0.2, 0.3]) + k
    figure = plot_timeline(table, [names, names[:4], names[0], names[1], names[2]])
    figure.draw_without_rendering()
    for ax in figure.axes:
        assert ax.get_window_extent().width > 0.6 * figure.bbox.width
    legend = figure.axes[1].get_legend()
    assert legend is not None
    assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1
