"""Pages of path graphs with data that are few, odd, or do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from browser import Browser
from relutopo.errors import InputError
from relutopo.explorer.graphs import scene_of_paths

POINTS = np.random.default_rng(0).normal(size=(9, 6))
NETWORK = rt.gallery.random_network([6, 8, 2], seed=0)


@pytest.fixture(scope="module", name="paths")
def paths_() -> rt.PathGraph:
    return rt.path_graph(rt.segments(NETWORK, POINTS[:-1], POINTS[1:]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"points": POINTS, "labels": [1, 2]}, "`labels` must be 9 labels or values"),
        ({"points": 5}, r"`points` must have shape \(n, 6\), got \(\)"),
        ({"points": POINTS[:, :3]}, r"`points` must have shape \(n, 6\), got \(9, 3\)"),
        ({"points": POINTS, "labels": [[1, 2], [3]]}, "`labels` must be an array"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    paths: rt.PathGraph, data: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        rt.explore(paths, **data)


def test_no_data_leave_nodes_where_they_are_without(paths: rt.PathGraph) -> None:
    frames = [scene_of_paths(paths, points=x).frames[0] for x in (None, np.zeros((0, 6)))]
    places = [frame.arrays["vertices"][-paths.graph.n_nodes :] for frame in frames]
    assert np.array_equal(places[0], places[1])
    (counts,) = (q.values for q in frames[1].quantities if q.name == "n_points")
    assert counts.tolist() == [0] * paths.graph.n_nodes


def test_values_of_the_data_are_averaged(paths: rt.PathGraph) -> None:
    values = POINTS[:, 0]
    (frame,) = scene_of_paths(paths, points=POINTS, labels=values).frames
    shown = frame.quantities[0]
    assert (shown.name, shown.kind) == ("label", "number")
    nodes = paths.graph.locate(POINTS)
    for node in range(paths.graph.n_nodes):
        held = values[nodes == node]
        mean = held.mean() if held.size else np.nan
        np.testing.assert_allclose(shown.values[node], mean, rtol=1e-14)


@pytest.mark.slow
def test_one_region_without_neurons_is_a_page(browser: Browser, tmp_path: Path) -> None:
    affine = rt.gallery.random_network([6, 2], seed=0)
    paths = rt.path_graph(rt.segments(affine, POINTS[:-1], POINTS[1:]))
    rt.explore(paths, tmp_path / "page.html", points=POINTS, labels=np.arange(9) % 2)
    with browser.opened(tmp_path / "page.html", "#region=0") as opened:
        assert opened.js("[rt.current.nRegions, rt.current.nNeurons]") == [1, 0]
        assert opened.page.locator("#region-panel h2").inner_text() == "Region 0"
        assert opened.complaints == []
