"""Figures: what they draw, what they write, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure

import relutopo
import relutopo.plots
from relutopo import Box, CellComplex, ReluNetwork, decompose
from relutopo.analyses.partition import Partitions
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.plots import layers as drawing
from relutopo.plots import (
    plot_complex,
    plot_complexes,
    plot_partition,
    plot_partition_history,
    plot_timeline,
    save_figure,
)
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.partitioner import fiedler_partition
from relutopo.system.public_names import table

SQUARE = Box(-1, 1, dim=2)
# Regions on a path along the first axis; the network decides at x = 0.
STRIPES = (
    [[[1.0, 0.0]] * 4, [[1.0, 0.0, 0.0, 0.0]]],
    [[0.6, 0.2, -0.2, -0.6], [-0.6]],
)
POINTS = np.array([[-0.9, 0.5], [-0.5, 0.0], [0.5, 0.1], [0.9, -0.5]])
LABELS = np.array([-1, -1, 1, 1])


def striped(adjacency: Any = "facet") -> tuple[CellComplex, FiedlerPartition]:
    complex_ = decompose(STRIPES, SQUARE, enumerator="exact")
    graph = complex_.dual_graph(adjacency)
    return complex_, fiedler_partition(graph, vertex_weights="unweighted")


def random_partition(seed: int, *widths: int) -> FiedlerPartition:
    rng = np.random.default_rng(seed)
    network = ReluNetwork(
        [rng.normal(size=(n, m)) for m, n in pairwise(widths)],
        [rng.normal(size=n) / 2 for n in widths[1:]],
    )
    graph = decompose(network, SQUARE, enumerator="exact").dual_graph()
    return fiedler_partition(graph, vertex_weights="unweighted")


def layers(figure: Figure, kind: Any, label: str | None = None) -> list[Any]:
    found = [c for ax in figure.axes for c in ax.collections if isinstance(c, kind)]
    return [c for c in found if label is None or c.get_label() == label]


def partitions(part: FiedlerPartition | None, complex_: CellComplex, **row: Any) -> Partitions:
    return Partitions(complex_, part, part, row)


def timeline() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": [100, 0, 10, 1000],
            "train_accuracy": [1.0, 0.5, 0.8, 1.0],
            "held_out_accuracy": [0.8, 0.5, 0.7, 0.99],
            "purity": [1.0, 0.9, 0.9, 1.0],
            "weighted_agreement": [0.9, 0.6, 0.7, 0.95],
            "unweighted_agreement": [0.8, 0.6, np.nan, 0.7],
            "n_regions": [120, 80, 1, 100],
            "weighted_fiedler_value": [1e-3, 1e-2, np.nan, 1e-4],
            "unweighted_fiedler_value": [1e-2, 1e-2, np.nan, 1e-2],
            "fitted_step": [64.0] * 4,  # between two checkpoints
            "generalised_step": [1000.0] * 4,
        }
    )


# What is drawn


def test_the_cut_consists_of_the_facets_between_the_sides() -> None:
    part = random_partition(3, 2, 6, 5, 1)
    complex_ = part.complex
    expected = set()
    for edge, (first, second) in enumerate(complex_.facet_regions.tolist()):
        if second >= 0 and part.sides[first] != part.sides[second]:
            ends = complex_.facets[0][1][2 * edge : 2 * edge + 2]
            expected.add(frozenset(map(tuple, complex_.vertices[ends].tolist())))
    segments = drawing.cut_segments(part)
    assert {frozenset(map(tuple, segment)) for segment in segments.tolist()} == expected
    assert len(segments) == len(part.cut_edges) > 0  # facet adjacency: one edge a facet


def test_no_cut_runs_along_regions_outside_the_component() -> None:
    complex_, part = striped()
    component = np.ones(complex_.n_regions, dtype=bool)
    low_end = np.argmin(complex_.interior_points[:, 0])
    component[low_end] = False
    sides = np.where(complex_.interior_points[:, 0] < 0, 1, -1).astype(np.int8)
    sides[low_end] = 0  # as a region outside the component has it
    vector = np.where(component, sides.astype(float), np.nan)
    changed = FiedlerPartition(
        **{**vars(part), "component": component, "sides": sides, "vector": vector}
    )
    x = drawing.cut_segments(changed)[..., 0]
    assert x.tolist() == [[0.2, 0.2]] or x.tolist() == [[-0.2, -0.2]]
    (regions,) = layers(plot_partition(changed), PolyCollection)
    assert np.flatnonzero(np.ma.getmaskarray(regions.get_array())).tolist() == [low_end]


@pytest.mark.parametrize("flip", [1, -1])
def test_sides_take_the_colour_of_their_class(flip: int) -> None:
    complex_, part = striped()
    labels = flip * LABELS
    regions, on_the_cut = layers(plot_partition(part, POINTS, labels), PolyCollection)
    assert on_the_cut.get_label() == "on the cut"
    values = regions.get_array()
    at_points = values[complex_.locate(POINTS)]
    assert np.sign(at_points).tolist() == labels.tolist()
    without_labels = layers(plot_partition(part, POINTS), PolyCollection)[0].get_array()
    assert np.array_equal(np.sign(without_labels), np.sign(part.vector))


@pytest.mark.parametrize("dtype", [None, object])
def test_labels_may_be_names_or_tensors(dtype: Any) -> None:
    complex_, part = striped()
    names = np.array(["cat-like", "cat-like", "dog", "dog"], dtype=dtype)
    figure = plot_partition(part, POINTS, names)
    values = layers(figure, PolyCollection)[0].get_array()[complex_.locate(POINTS)]
    assert np.sign(values).tolist() == LABELS.tolist()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["class cat-like", "class dog"]
    tensor = torch.tensor(LABELS, dtype=torch.float32, requires_grad=True)
    assert plot_partition(part, POINTS, tensor)
    assert plot_partition(part, POINTS, names[:1].repeat(4))


def test_colours_saturate_at_a_quantile_of_the_vector() -> None:
    part = random_partition(1, 2, 8, 8, 1)
    scaled = drawing.scaled_vector(part)
    assert np.array_equal(np.sign(scaled), np.sign(part.vector))
    assert np.mean(np.abs(scaled) <= 1) == pytest.approx(0.95, abs=1 / len(scaled))


def test_every_region_is_drawn_with_its_own_area() -> None:
    part = random_partition(2, 2, 5, 5, 1)
    (regions,) = layers(plot_partition(part), PolyCollection)
    paths = regions.get_paths()
    assert len(paths) == part.complex.n_regions
    areas = []
    for path in paths:
        x, y = path.vertices[:-1].T  # the last one closes the path
        areas.append((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)
    assert areas == pytest.approx(part.complex.volumes)


def test_the_decision_boundary_can_be_left_out() -> None:
    _, part = striped()
    (line,) = layers(plot_partition(part), LineCollection, "decision boundary")
    assert np.allclose([s[:, 0] for s in line.get_segments()], 0)
    without = plot_partition(part, decision_boundary=False)
    assert not layers(without, LineCollection, "decision boundary")


def test_edges_of_a_complex_are_told_apart_by_layer() -> None:
    part = random_partition(0, 2, 4, 3, 1)
    complex_ = part.complex
    figure = plot_complex(complex_, POINTS, LABELS, title="layers", decision_boundary=True)
    for layer, neurons in enumerate((range(4), range(4, 7))):
        (lines,) = layers(figure, LineCollection, f"layer {layer}")
        assert len(lines.get_segments()) == np.isin(complex_.facet_labels, neurons).sum()
    assert figure.axes[0].get_title() == "layers"


def test_a_partition_can_be_drawn_on_given_axes() -> None:
    _, part = striped()
    figure = Figure()
    ax = figure.add_subplot()
    assert plot_partition(part, POINTS, LABELS, ax=ax, title="mine") is ax
    texts = [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    names = ["class −1", "class +1", "decision boundary", "on the cut", "Fiedler cut"]
    assert texts == names


def test_a_history_has_a_column_for_each_checkpoint() -> None:
    complex_, part = striped()
    rows = {"weighted_agreement": 0.998, "unweighted_agreement": 0.75}
    good = {f"{kind}_status": "converged" for kind in ("weighted", "unweighted")}
    bad = {f"{kind}_status": "one region" for kind in ("weighted", "unweighted")}
    figure = plot_partition_history(
        [
            partitions(part, complex_, step=0, **rows, **good),
            partitions(None, complex_, step=30, **rows, **bad),
        ],
        POINTS,
        LABELS,
    )
    titles = [ax.get_title() for ax in figure.axes[:4]]
    assert titles[::2] == ["step 0, agreement 0.75", "step 0, agreement 0.99"]
    assert titles[1::2] == ["step 30, one region"] * 2
    regions = [r for r in layers(figure, PolyCollection) if r.get_array() is not None]
    assert not regions[1].get_array().count()  # grey, all of it


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_nothing_of_several_panels_is_cut_off(n: int) -> None:
    complex_, part = striped()
    row = {f"{kind}_status": "converged" for kind in ("weighted", "unweighted")}
    row |= {f"{kind}_agreement": 0.9 for kind in ("weighted", "unweighted")}  # type: ignore[misc]
    one = partitions(part, complex_, step=5000, **row)
    titles = [f"step {k}, at the peak: loss 0.00048" for k in range(n)]
    for figure in (
        plot_partition_history([one] * n, POINTS, ["a long name", "another long name"] * 2),
        plot_complexes([complex_] * n, titles),
    ):
        figure.draw_without_rendering()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(box.x0, box.y0) > -0.02
        assert box.x1 < width + 0.02
        assert box.y1 < height + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("side", [(100.0, 0.5), (0.5, 100.0)])
def test_a_domain_that_is_a_sliver_is_drawn_with_room_for_its_labels(
    side: tuple[float, float],
) -> None:
    network = ([np.diag(1 / np.array(side)), [[1.0, 1.0]]], [[0.1, 0.2], [-0.5]])
    complex_ = decompose(network, Box([-s for s in side], list(side)), enumerator="exact")
    part = fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    row = {f"{kind}_status": "one region" for kind in ("weighted", "unweighted")}
    points = np.array([[0.1, 0.1], [-0.1, -0.2]])
    figure = plot_partition_history([partitions(part, complex_, **row)] * 3, points, [1, -1])
    figure.draw_without_rendering()
    upper, lower = figure.axes[0], figure.axes[3]
    box = upper.get_window_extent()
    assert 1 / 3 - 0.01 < box.height / box.width < 2.01
    ends = [upper.yaxis.label.get_window_extent(), lower.yaxis.label.get_window_extent()]
    assert ends[1].y1 < ends[0].y0
    ticks = [t.get_window_extent() for t in lower.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(ticks))


@pytest.mark.slow
def test_a_time_line_shows_step_zero_and_marks_two_events() -> None:
    figure = plot_timeline(timeline())
    first = figure.axes[0]
    assert first.get_xlim()[0] < 0
    assert "0" in [text.get_text() for text in figure.axes[-1].get_xticklabels()]
    for line in first.get_lines()[:2]:
        assert np.all(np.diff(np.asarray(line.get_xdata())) > 0)  # sorted by step
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["train 100 % at step 64", "held out ≥ 98 % at step 1000"]


@pytest.mark.slow
def test_a_time_line_without_held_out_points_shows_no_curve_of_them() -> None:
    first = plot_timeline(timeline().assign(held_out_accuracy=np.nan)).axes[0]
    assert [line.get_label() for line in first.get_lines()[:-2]] == ["train"]


# What is written


@pytest.mark.slow
@pytest.mark.parametrize("n_checkpoints", [1, 4])
def test_figures_are_written_whole_and_the_same_each_time(
    n_checkpoints: int, tmp_path: Path
) -> None:
    table = timeline().sort_values("step").head(n_checkpoints)
    written = [save_figure(plot_timeline(table), tmp_path / run / "line.0") for run in "ab"]
    for png, pdf in written:
        assert png.name == "line.0.png"
        assert png.read_bytes().startswith(b"\x89PNG")
        assert pdf.read_bytes().startswith(b"%PDF")
        assert sorted(os.listdir(png.parent)) == ["line.0.pdf", "line.0.png"]
    for first, second in zip(*written, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert b"CreationDate" not in written[0][1].read_bytes()


def test_a_time_line_without_any_partition_is_drawn(tmp_path: Path) -> None:
    table = timeline()
    table[["weighted_fiedler_value", "unweighted_fiedler_value", "purity"]] = np.nan
    table[["weighted_agreement", "unweighted_agreement", "held_out_accuracy"]] = np.nan
    table[["fitted_step", "generalised_step"]] = np.nan
    save_figure(plot_timeline(table), tmp_path / "empty")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "offsets", "domain"),
    [
        ([[1.0, 0.0]], [5.0], SQUARE),  # one region
        ([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0] * 3, SQUARE),  # a star
        ([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.1], Box([-8, -0.5], [8, 0.5])),  # wide
        ([[1.0, 0.0], [0.0, 1.0]], [0.1, 0.5], Box([-0.5, -8], [0.5, 8])),  # tall
    ],
)
def test_degenerate_complexes_are_drawn(
    weights: Any, offsets: Any, domain: Box, tmp_path: Path
) -> None:
    network = ReluNetwork([weights, np.ones((1, len(weights)))], [offsets, [-1.0]])
    complex_ = decompose(network, domain, enumerator="exact")
    save_figure(plot_complex(complex_, POINTS, title="complex"), tmp_path / "complex")
    if complex_.n_regions > 1:
        part = fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
        save_figure(plot_partition(part, POINTS, LABELS), tmp_path / "partition")


def test_polygons_of_large_complexes_are_pixels_in_vector_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = random_partition(0, 2, 4, 1)
    assert not layers(plot_partition(part), PolyCollection)[0].get_rasterized()
    monkeypatch.setattr(drawing, "_MANY_REGIONS", part.complex.n_regions - 1)
    assert layers(plot_partition(part), PolyCollection)[0].get_rasterized()


def test_saving_closes_a_figure_of_pyplot(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    figure, ax = pyplot.subplots()
    plot_complex(striped()[0], ax=ax)
    save_figure(figure, tmp_path / "figure")
    assert not pyplot.fignum_exists(figure.number)


@pytest.mark.slow
def test_importing_plots_loads_no_plotting_library() -> None:
    root = Path(relutopo.__file__).parent.parent
    for use, heavy in (
        ("import relutopo.plots", {"matplotlib", "pandas", "rich", "numpy", "scipy"}),
        ("from relutopo.plots import *", {"matplotlib", "pandas", "rich"}),
    ):
        code = f"import sys\n{use}\nprint({heavy!r} & set(sys.modules))"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
        )
        assert run.stdout.strip() == "set()"


def test_every_public_plot_is_found_and_no_other() -> None:
    public = table(relutopo.plots.__file__)
    for name in public:
        value = getattr(relutopo.plots, name)
        assert value.__name__ == name
        assert name in sys.modules[value.__module__].__all__
    modules = [
        import_module(f"relutopo.plots.{path.stem}")
        for path in Path(relutopo.plots.__file__).parent.glob("[a-z]*.py")
    ]
    figures = {n for module in modules for n in module.__all__ if n.startswith("plot_")}
    assert figures <= set(public)
    with pytest.raises(AttributeError, match=r"'relutopo\.plots' has no attribute 'plot_nothing'"):
        _ = relutopo.plots.plot_nothing  # type: ignore[attr-defined]


# What is refused


def test_only_complexes_of_one_and_two_dimensions_are_drawn() -> None:
    kink = ([[[1.0, 0.0, 0.0]], [[1.0]]], [[0.0], [0.0]])
    complex_ = decompose(kink, Box(-1, 1, dim=3), enumerator="exact")
    part = fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    message = r"dimension 1 or 2 to be drawn, got dimension 3; use relutopo.plots.plot_space, or"
    with pytest.raises(InputError, match=message):
        plot_complex(complex_)
    with pytest.raises(InputError, match=message):
        plot_partition(part)
    with pytest.raises(InputError, match=message):
        plot_partition_history([partitions(part, complex_)], POINTS, LABELS)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([0, 1, 2, 1], ["class 0", "class 1", "class 2"]),
        (["a", "b", "c", "c"], ["class a", "class b", "class c"]),
        ([-1, 0, 1, 1], ["class −1", "class 0", "class +1"]),
        ([True, False, True, True], ["class 0", "class 1"]),
        ([0.5, 1.5, 2.0, 0.1], ["data"]),
    ],
)
def test_points_have_labels_of_any_number_of_classes_or_values(
    labels: list[Any], shown: list[str]
) -> None:
    _, part = striped()
    figure = plot_partition(part, POINTS, labels)
    names = figure.legends[0].get_texts()
    assert [text.get_text() for text in names if text.get_text() in shown] == shown
    points = [c for c in layers(figure, PathCollection) if c.get_label() in shown]
    assert sum(len(c.get_offsets()) for c in points) == 4
    looks = {tuple(c.get_facecolor()[0]) for c in points}
    assert len(looks) == len(shown)


def test_labels_must_be_those_of_the_points() -> None:
    _, part = striped()
    with pytest.raises(InputError, match="got 2; pass for example -1 and"):
        plot_partition(part, POINTS, [0, 1])
    with pytest.raises(InputError, match=r"`points` must have shape \(n, 2\)"):
        plot_partition(part, [1.0, 2.0])


def test_a_decision_between_three_classes_is_drawn_where_it_is_one() -> None:
    """Three outputs are classes where the labels are three, or where the reader says so."""
    network = ([np.eye(2), [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]], [np.zeros(2), [0.0, 0.0, 0.5]])
    complex_ = decompose(network, SQUARE, enumerator="exact")
    part = fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")
    found = complex_.decision()
    expected = sum(len(found.segments(i, j)) for i, j in found.pairs)
    for figure in (
        plot_partition(part, decision_boundary=True),
        plot_partition(part, POINTS, ["a", "b", "c", "c"]),
        plot_complex(complex_, decision_boundary=True),
    ):
        (line,) = layers(figure, LineCollection, "decision boundary")
        ends = np.array(line.get_segments())
        assert len(ends) == expected > 0
        outputs = np.sort(complex_.network(ends.mean(axis=1)), axis=1)
        assert outputs[:, -1] == pytest.approx(outputs[:, -2])
    for figure in (
        plot_partition(part),
        plot_partition(part, POINTS, LABELS),
        plot_partition(part, decision_boundary=False),
    ):
        assert not layers(figure, LineCollection, "decision boundary")


@pytest.mark.parametrize(("n_outputs", "label"), [(1, "output"), (2, "output"), (3, "active")])
def test_complexes_of_any_number_of_outputs_are_drawn(n_outputs: int, label: str) -> None:
    network = random_network([2, 6, n_outputs], seed=0)
    complex_ = decompose(network, Box(-1, 1, dim=2))
    figure = plot_complexes([complex_, complex_])
    *_, bar = figure.axes
    assert bar.get_ylabel().startswith(label)
    regions = [r for r in layers(figure, PolyCollection) if r.get_array() is not None]
    darkest = np.array([r.cmap(1.0)[:3] for r in regions])
    assert (darkest > 0.5).all() == (n_outputs == 3)  # lines are drawn in dark blue


def test_a_history_needs_a_checkpoint() -> None:
    with pytest.raises(InputError, match="`checkpoints` must hold at least one checkpoint, got"):
        plot_partition_history([], POINTS, LABELS)


def test_a_time_line_draws_what_there_is_and_needs_something() -> None:
    few = timeline()[["step", "train_accuracy", "weighted_agreement"]]
    figure = plot_timeline(few)
    assert [ax.get_ylabel() for ax in figure.axes] == ["accuracy", "agreement"]
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["train 100 % at step 100"]  # the first row, where nobody knows it better
    with pytest.raises(InputError, match=r"the column step and a row for each .* got 4 rows with"):
        plot_timeline(timeline().drop(columns=["step"]))
    with pytest.raises(InputError, match=r"must have the column step and a row .*got 0 rows"):
        plot_timeline(timeline().head(0))
    with pytest.raises(InputError, match="must have numbers to draw, got none in step, error"):
        plot_timeline(timeline()[["step"]].assign(error="InputError: ..."))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "SVG", "jpg"])
def test_the_suffix_of_a_path_is_the_format(suffix: str, tmp_path: Path) -> None:
    written = []
    for run in "ab":
        (path,) = save_figure(plot_timeline(timeline()), tmp_path / run / f"line.{suffix}")
        assert os.listdir(path.parent) == [f"line.{suffix}"]
        written.append(path.read_bytes())
    assert written[0] == written[1]
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml", "jpg": b"\xff\xd8"}
    assert written[0].startswith(start[suffix.lower()])
    ax = Figure().add_subplot()
    assert save_figure(ax, tmp_path / "of_axes.png")[0].is_file()


@pytest.mark.parametrize("name", ["moons.emf", "moons.xyz", "moons.PNGG", "a_0.1.html", "a.v2"])
def test_a_path_of_a_picture_that_is_not_written_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"`path` must end in a format .*svg.*, got .*{name}"):
        save_figure(Figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["moons_0.1", "step.300", "rate_1.5e-3", "moons."])
def test_a_number_behind_a_point_is_part_of_the_name(name: str, tmp_path: Path) -> None:
    written = save_figure(Figure(), tmp_path / name)
    assert [path.name for path in written] == [f"{name}.png", f"{name}.pdf"]
