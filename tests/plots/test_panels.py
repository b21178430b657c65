"""Panels on axes of the reader: within their place, whatever the layout and the settings are."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import permutations
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from relutopo import AffineSlice, Box, CellComplex, decompose
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.plots import plot_complex, plot_complexes, plot_partition
from relutopo.spectral.fiedler import FiedlerPartition
from relutopo.spectral.partitioner import fiedler_partition

POINTS = np.random.default_rng(0).uniform(-1, 1, (40, 2))
LABELS = np.where(POINTS.sum(axis=1) > 0, "a cat", "a dog")


@pytest.fixture(scope="module")
def plane() -> CellComplex:
    return decompose(random_network([2, 8, 6, 1], 3), Box(-1, 1, dim=2))


@pytest.fixture(scope="module")
def line() -> CellComplex:
    return decompose(random_network([1, 6, 5, 1], 1), Box(-2, 2, dim=1))


def partition(complex_: CellComplex) -> FiedlerPartition:
    return fiedler_partition(complex_.dual_graph(), vertex_weights="unweighted")


def everything(ax: Axes) -> Bbox:
    """The box of all that belongs to axes, as it is drawn."""
    box = ax.get_tightbbox()
    assert box is not None
    return Bbox(box)


def draw_one_with_values(complex_: CellComplex, ax: Axes) -> None:
    plot_complex(complex_, POINTS, POINTS[:, 0], ax=ax, values="volume")


DRAWN: list[Callable[[CellComplex, Axes], Any]] = [
    lambda complex_, ax: plot_complex(complex_, POINTS, LABELS, ax=ax, title="layers"),
    lambda complex_, ax: plot_partition(partition(complex_), POINTS, LABELS, ax=ax, title="cut"),
    draw_one_with_values,
]


@pytest.mark.slow
@pytest.mark.parametrize("layout", [None, "constrained", "compressed", "tight"])
@pytest.mark.parametrize("draw", DRAWN)
@pytest.mark.parametrize("size", [(6.4, 4.8), (9.0, 6.0)])
def test_nothing_of_a_panel_lies_on_a_neighbour(
    plane: CellComplex, draw: Any, layout: Any, size: tuple[float, float]
) -> None:
    figure = Figure(figsize=size, layout=layout)
    axes = figure.subplots(2, 2) if size[0] > 8 else figure.subplots(1, 2, squeeze=False)
    for ax in axes.flat:
        draw(plane, ax)
    figure.draw_without_rendering()
    # "tight" places axes before bars and legends have their final size.
    least = 0.01 * figure.bbox.width if layout == "tight" else 1.0
    for ax, other in permutations(axes.flat, 2):
        overlap = Bbox.intersection(everything(ax), everything(other))
        assert overlap is None or min(overlap.width, overlap.height) < least
    assert len(figure.axes) == axes.size  # bars belong to their axes


@pytest.mark.parametrize("draw", DRAWN)
def test_a_panel_ends_where_its_place_ends(plane: CellComplex, draw: Any) -> None:
    figure = Figure(figsize=(5, 4))
    ax = figure.add_subplot()
    place = Bbox(ax.get_position(original=True).transformed(figure.transFigure))
    draw(plane, ax)
    figure.draw_without_rendering()
    assert everything(ax).x1 <= place.x1 + 1
    labels = ax.xaxis.get_tightbbox(None)
    assert labels is not None
    sticks_out = ax.bbox.y0 - labels.y0
    assert everything(ax).y0 >= place.y0 - sticks_out - 1
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y1 <= labels.y0  # on no point, and on no label


def test_a_legend_stays_below_where_the_picture_is_cut_to_its_content(plane: CellComplex) -> None:
    figure = Figure(figsize=(9, 4))
    ax = figure.subplots(1, 2)[0]
    plot_partition(partition(plane), POINTS, LABELS, ax=ax)
    ax.set_xlim(-4, 4)  # a low picture in a high place
    gaps: list[float] = []

    class Watched(type(ax.get_legend())):  # type: ignore[misc]
        def draw(self, renderer: Any) -> None:
            labels = ax.xaxis.get_tightbbox(renderer)
            assert labels is not None
            gaps.append((labels.y0 - self.get_window_extent(renderer).y1) / figure.dpi)
            super().draw(renderer)

    ax.get_legend().__class__ = Watched
    for options in ({}, {"bbox_inches": "tight"}, {"bbox_inches": "tight", "dpi": 150}):
        figure.savefig(io.BytesIO(), **options)
        assert gaps[-1] > 0
    assert np.allclose(gaps, gaps[0], atol=0.02)


def test_a_figure_of_another_size_cuts_no_legend_off(plane: CellComplex) -> None:
    figure = plot_partition(partition(plane), POINTS, LABELS)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    figure.set_size_inches(2.2, 2.6)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert [text.get_text() for text in legend.get_texts()] == names
    legend.remove()
    figure.set_size_inches(1.5, 2.6)
    assert not figure.legends  # what the reader takes away stays away


def test_a_panel_that_is_drawn_again_keeps_its_place(plane: CellComplex) -> None:
    figure = Figure(figsize=(5, 4))
    ax = figure.add_subplot()
    boxes = []
    for again in range(3):
        if again == 2:
            ax.clear()
        plot_complex(plane, ax=ax)
        figure.draw_without_rendering()
        boxes.append(ax.get_position().bounds)
        assert len(ax.child_axes) == 1
    assert all(np.allclose(box, boxes[0]) for box in boxes)
    ax.clear()
    locate: Any = ax.get_axes_locator()
    assert locate(ax, None).bounds == pytest.approx(ax.get_position(original=True).bounds)


def test_bars_and_legends_can_be_left_out_or_put_inside(plane: CellComplex) -> None:
    figure = plot_complex(plane, POINTS, LABELS, legend=False, colorbar=False)
    assert len(figure.axes) == 1
    assert not figure.legends
    assert figure.axes[0].get_legend() is None
    inside = plot_complex(plane, POINTS, LABELS, legend="upper left")
    inside.draw_without_rendering()
    legend = inside.axes[0].get_legend()
    assert legend is not None
    assert not inside.legends
    box, axes = legend.get_window_extent(), inside.axes[0].bbox
    assert box.x0 >= axes.x0
    assert box.y1 <= axes.y1
    ax = Figure().add_subplot()
    plot_partition(partition(plane), ax=ax, legend=False, colorbar=False)
    assert not ax.child_axes
    assert ax.get_legend() is None


def parts(ax: Axes, kind: str = "collections") -> list[Any]:
    return list(getattr(ax, kind))


def points_on(ax: Axes) -> list[Any]:
    return [c for c in parts(ax) if isinstance(c, PathCollection)]


def regions_of(figure: Figure) -> Any:
    return next(c for c in parts(figure.axes[0]) if isinstance(c, PolyCollection))


def test_regions_have_the_colours_of_any_values(plane: CellComplex) -> None:
    volumes = plot_complex(plane, values="volume", cmap="cividis")
    layer = regions_of(volumes)
    assert np.array_equal(layer.get_array(), plane.volumes)
    assert layer.get_cmap().name == "cividis"
    assert volumes.axes[1].get_ylabel() == "volume"
    named = plot_complex(plane, values=pd.Series(plane.volumes, name="share"))
    assert named.axes[1].get_ylabel() == "share"
    assert plot_complex(plane, values="output", label="logit").axes[1].get_ylabel() == "logit"
    part = partition(plane)
    mine = np.where(part.sides > 0, 1.0, np.nan)
    drawn = regions_of(plot_partition(part, values=mine)).get_array()
    assert np.array_equal(np.ma.getmaskarray(drawn), np.isnan(mine))
    maps, _ = plane.output_maps()
    norms = [np.linalg.norm(a) for a in maps]
    drawn = regions_of(plot_complex(plane, values="gradient")).get_array()
    assert np.asarray(drawn) == pytest.approx(norms)
    for wrong, message in (
        ("volumes", "`values` must be one of 'n_active', 'volume'.* got 'volumes'"),
        (plane.volumes[1:], f"one entry for each of the {plane.n_regions} regions, got shape"),
    ):
        with pytest.raises(InputError, match=message):
            plot_complex(plane, values=wrong)
    with pytest.raises(InputError, match="`cmap` must be a colour map of matplotlib, got 'sea'"):
        plot_complex(plane, cmap="sea")


def test_outputs_and_targets_share_a_scale(plane: CellComplex) -> None:
    figure = plot_complex(plane, POINTS, 3 * POINTS[:, 0], values="output")
    points = points_on(figure.axes[0])[0]
    assert points.get_clim() == regions_of(figure).get_clim()
    assert points.get_cmap().name == regions_of(figure).get_cmap().name
    assert len(figure.axes) == 2
    assert len(plot_complex(plane, POINTS, POINTS[:, 0], values="volume").axes) == 3


def test_points_have_the_size_that_is_asked_for(plane: CellComplex) -> None:
    figure = plot_complex(plane, POINTS, LABELS, point_size=7.0)
    points = points_on(figure.axes[0])
    assert [c.get_sizes().tolist() for c in points] == [[7.0], [7.0]]


@pytest.mark.parametrize("n_classes", [3, 11, 12, 60])
def test_classes_in_any_number_look_different(plane: CellComplex, n_classes: int) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (n_classes, 2))
    names = [f"${k:03d}" for k in range(n_classes)]
    figure = plot_complex(plane, points, names)
    drawn = points_on(figure.axes[0])
    looks = {(look(c.get_facecolor()), look(c.get_paths()[0].vertices)) for c in drawn}
    assert len(looks) == len(drawn) == n_classes
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len([text for text in texts if text.startswith("class")]) == min(n_classes, 12)
    assert (f", and {n_classes - 12} more" in texts[-1]) == (n_classes > 12)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def look(vertices: Any) -> bytes:
    return bytes(np.asarray(vertices).tobytes())


def seen(colour: Any, matrix: Any) -> Any:
    """A colour as a colour-blind reader sees it, in linear light."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt(np.clip(np.array(matrix) @ linear, 0, 1))


# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, "A physiologically-based model for simulation
# of color vision deficiency", IEEE Trans. Vis. Comput. Graph. 15 (2009), table 1, severity 1.
PROTAN = [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
]
DEUTAN = [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
]


@pytest.mark.parametrize("matrix", [np.eye(3), PROTAN, DEUTAN])
def test_colour_blind_readers_tell_classes_apart(plane: CellComplex, matrix: Any) -> None:
    figure = plot_complex(plane, POINTS[:8], np.arange(8))
    drawn = points_on(figure.axes[0])
    colours = [seen(c.get_facecolor()[0][:3], matrix) for c in drawn]
    distances = [np.linalg.norm(a - b) for a, b in permutations(colours, 2)]
    assert min(distances) > 0.1


def test_whole_numbers_of_many_kinds_are_values(plane: CellComplex) -> None:
    figure = plot_complex(plane, POINTS, np.arange(len(POINTS)))
    (points,) = points_on(figure.axes[0])
    assert np.array_equal(points.get_array(), np.arange(len(POINTS)))


def test_the_columns_of_a_table_name_the_axes(plane: CellComplex) -> None:
    table = pd.DataFrame(POINTS, columns=["length in $", "width"])
    for figure in (plot_complex(plane, table), plot_partition(partition(plane), table)):
        names = figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
        assert names == (r"length in \$", "width")
        figure.draw_without_rendering()


def test_sizes_follow_the_settings_of_the_reader(plane: CellComplex) -> None:
    plain = plot_complex(plane)
    with matplotlib.rc_context({"font.size": 18.0, "figure.figsize": (3.0, 2.5)}):
        large = plot_complex(plane, title="title")
        ax = Figure().add_subplot()
        plot_complex(plane, ax=ax)
        assert ax.xaxis.label.get_fontsize() == 18.0
    assert large.get_size_inches().tolist() == [3.0, 2.5]
    sizes = [f.axes[0].xaxis.label.get_fontsize() for f in (plain, large)]
    ticks = [f.axes[0].xaxis.get_ticklabels()[0].get_fontsize() for f in (plain, large)]
    assert sizes[1] == 2 * sizes[0] == 18.0
    assert ticks[1] == pytest.approx(2 * ticks[0])
    with matplotlib.rc_context({"font.family": "serif", "axes.linewidth": 3.0}):
        mine = plot_complex(plane, title="title")
        figure = Figure()
        before = dict(matplotlib.rcParams)
        plot_complex(plane, ax=figure.add_subplot())
        assert dict(matplotlib.rcParams) == before
    for text in (mine.axes[0].title, mine.axes[0].xaxis.label, figure.axes[0].yaxis.label):
        assert text.get_fontfamily() == ["serif"]
    assert mine.axes[0].spines["left"].get_linewidth() == 3.0


def test_a_title_is_broken_where_the_axes_end(plane: CellComplex) -> None:
    long = "many words that nobody sees in a line " * 4
    own = plot_complex(plane, title=long)
    given = Figure(figsize=(4, 4))
    ax = given.add_subplot()
    place = Bbox(ax.get_position(original=True).transformed(given.transFigure))
    plot_complex(plane, ax=ax, title=long)
    for figure, box in ((own, own.bbox), (given, place)):
        figure.draw_without_rendering()
        title = figure.axes[0].title
        assert title.get_text().replace("\n", " ") == long.strip()
        assert title.get_window_extent().x0 >= box.x0 - 1
        assert title.get_window_extent().x1 <= box.x1 + 1
        assert title.get_window_extent().y1 <= figure.bbox.y1


# One dimension


def test_a_line_shows_the_network_with_its_breakpoints(line: CellComplex) -> None:
    figure = plot_complex(line, [0.1, -0.5], [1.5, 0.25], decision_boundary=True)
    ax = figure.axes[0]
    graph, dots = ax.lines
    x = np.asarray(graph.get_xdata())
    assert np.array_equal(x, np.sort(line.vertices[:, 0]))
    assert graph.get_ydata() == pytest.approx(line.network(x[:, None])[:, 0])
    kinks = line.vertices[line.facet_labels >= 0, 0]
    assert sorted(np.asarray(dots.get_xdata())) == sorted(kinks)
    stripes = [p.vertices[:4] for p in regions_of(figure).get_paths()]
    widths = np.array([np.ptp(corners[:, 0]) for corners in stripes])
    assert widths == pytest.approx(line.volumes)
    for layer, neurons in enumerate((range(6), range(6, 11))):
        found = [
            c
            for c in parts(ax)
            if isinstance(c, LineCollection) and c.get_label() == f"layer {layer}"
        ]
        n = np.isin(line.facet_labels, neurons).sum()
        assert sum(len(c.get_segments()) for c in found) == n
    (zeros,) = (c for c in parts(ax) if c.get_label() == "decision boundary")
    at = np.array([segment[0, 0] for segment in zeros.get_segments()])
    f = graph.get_ydata()
    assert len(at) == np.sum(np.asarray(f)[1:] * np.asarray(f)[:-1] < 0) > 0
    assert line.network(at[:, None]) == pytest.approx(0, abs=1e-9)
    (points,) = points_on(ax)
    assert points.get_offsets().tolist() == [[0.1, 1.5], [-0.5, 0.25]]


def test_a_partition_of_a_line_shows_its_cut(line: CellComplex) -> None:
    part = partition(line)
    figure = plot_partition(part, [[-1.0], [1.0]], [0, 1])
    (cut,) = (c for c in parts(figure.axes[0]) if c.get_label() == "Fiedler cut")
    assert len(cut.get_segments()) == len(part.cut_edges)
    low, high = figure.axes[0].get_xlim()
    assert (low, high) == (-2.0, 2.0)
    assert plot_complexes([line, line], ["a", "b"])


# Slices


def test_slices_say_what_their_axes_are() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(20, 1, 5, 5)) * np.geomspace(4, 1, 25).reshape(1, 5, 5)
    network = random_network([25, 6, 1], 0)
    principal = AffineSlice.principal(images.reshape(20, 25))
    ax = plot_complex(decompose(network, principal)).axes[0]
    centred = (images - images.mean(axis=0)).reshape(20, 25)
    shares = np.linalg.svd(centred)[1] ** 2 / (centred**2).sum()
    assert ax.get_xlabel() == f"principal component 1 ({100 * shares[0]:.0f} % of variance)"
    assert ax.get_ylabel() == f"principal component 2 ({100 * shares[1]:.0f} % of variance)"
    plane = AffineSlice.through(*images[:3])
    complex_ = decompose(network, plane)
    points = plane.coordinates(images[:3])[0]
    figure = plot_complex(complex_, points, ["a", "b", "c"])
    assert figure.axes[0].get_xlabel() == "from point 1 towards point 2"
    assert figure.axes[0].get_ylabel() == "across, towards point 3"
    figure.draw_without_rendering()
    pictures = parts(figure.axes[0], "artists")
    assert len(pictures) == 3
    for image, picture in zip(images, pictures, strict=False):
        pixels = picture.offsetbox.get_data()
        assert pixels == pytest.approx(image[0])
        box = picture.get_window_extent()
        assert box.x0 >= figure.axes[0].bbox.x0
        assert box.y1 <= figure.axes[0].bbox.y1
    assert not plot_complex(complex_, points, pictures=False).axes[0].artists
    many = plane.coordinates(images)[0]
    assert not plot_complex(complex_, many).axes[0].artists
    assert len(plot_complex(complex_, many, pictures=True).axes[0].artists) == 20
    plain = AffineSlice(np.zeros(25), np.eye(25)[:, :2])
    assert plot_complex(decompose(network, plain)).axes[0].get_xlabel() == "$u_1$"
    with pytest.raises(InputError, match="`axis_names` must be 2 names"):
        AffineSlice(np.zeros(25), np.eye(25)[:, :2], axis_names=["one"])
    with pytest.raises(InputError, match="`pictures` must be False unless"):
        plot_complex(decompose(network, plain), [[0.0, 0.0]], pictures=True)
