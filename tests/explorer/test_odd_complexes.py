"""Pages of complexes that are at the edge of what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from browser import Browser
from relutopo.errors import InputError
from relutopo.explorer.quantities import own_quantities
from relutopo.explorer.scenes import scene_of

BOX = rt.Box(-1, 1, dim=2)
NARROW = rt.Box([0.0, 0.0], [1e-6, 50.0])
FAR = rt.Box([1e6, -1e6], [1e6 + 1, -1e6 + 1])
CASES = {
    "no hidden neuron": (([[[1.0, 2.0]]], [[0.5]]), BOX),
    "one region": (([[[1.0, 0.0]], [[1.0]]], [[9.0], [0.0]]), BOX),
    "dead everywhere": (([[[1.0, 0.0]], [[1.0]]], [[-9.0], [0.0]]), BOX),
    "a sliver": (([[[1e6, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[-0.5, -7.0], [0.0]]), NARROW),
    "far away": (([[[1.0, 0.0], [1.0, 1.0]], [[1.0, 1.0]]], [[-1e6 - 0.5, -0.9], [0.0]]), FAR),
    "twelve outputs": (rt.gallery.random_network([2, 6, 12], seed=1), BOX),
    "nine layers": (rt.gallery.random_network([2, *[4] * 9, 1], seed=2), BOX),
    "equal outputs": (
        ([[[1.0, 0.0]], [[1.0], [1.0], [1.0]]], [[0.0], [0.0, 0.0, 0.0]]),
        BOX,
    ),
    "a triangle": (
        rt.gallery.random_network([2, 7, 1], seed=3),
        rt.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0]),
    ),
}


def test_what_is_missing_in_own_columns_has_no_value() -> None:
    columns: dict[str, Any] = {
        "words": ["b", None, "a"],
        "numbers": [2, None, np.inf],
        "nothing": [None] * 3,
        "truth": [True, None, False],
        "days": np.array(["2020-01-01", "NaT", "2019-01-01"], dtype="datetime64[D]"),
    }
    words, numbers, nothing, truth, days = own_quantities(columns, 3)
    assert (truth.categories, truth.values.tolist()) == (("false", "true"), [1, -1, 0])
    assert (days.categories, days.values.tolist()) == (("2019-01-01", "2020-01-01"), [1, -1, 0])
    assert (words.kind, words.categories, words.values.tolist()) == (
        "category",
        ("a", "b"),
        [1, -1, 0],
    )
    assert numbers.kind == nothing.kind == "number"
    assert np.array_equal(numbers.values, [2.0, np.nan, np.nan], equal_nan=True)
    assert np.isnan(nothing.values).all()


def test_the_title_of_a_slice_names_the_inputs_of_the_network() -> None:
    network = rt.gallery.random_network([12, 5, 2], seed=0)
    complex_ = rt.decompose(network, rt.AffineSlice(np.zeros(12), np.eye(12)[:, :2]))
    assert scene_of(complex_).title == "Regions of a ReLU network, 12-5-2"
    with pytest.raises(InputError, match=r"\(n, 12\), inputs of the network, or \(n, 2\), places"):
        scene_of(complex_, points=np.zeros((4, 5)))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_page_opens_and_locates(browser: Browser, tmp_path: Path, name: str) -> None:
    network, domain = CASES[name]
    complex_ = rt.decompose(network, domain, enumerator="exact")
    path = tmp_path / "page.html"
    values = np.full(complex_.n_regions, np.nan)  # numbers that are not there
    rt.explore(complex_, path, columns={"none": values, "same": np.ones(complex_.n_regions)})
    with browser.opened(path) as opened:
        assert opened.js("rt.current.nRegions") == complex_.n_regions
        middles = complex_.interior_points
        script = "argument.map(([x, y]) => rt.current.locator().at(x, y))"
        assert opened.js(script, middles.tolist()) == complex_.locate(middles).tolist()
        for quantity in opened.js("[...rt.current.quantities.keys()]"):
            opened.js("rt.store.set({colour: argument, region: 0})", quantity)
            assert opened.page.locator("#legend h2").count() == 1
        opened.js("rt.store.set({facets: 'layer', overlays: new Set(rt.current.overlayNames)})")
        opened.js("(rt.map.draw(), rt.map.go(rt.map.camera.around(rt.boxOf(0))), rt.map.draw())")
        assert opened.js("rt.drawing(80)").count('Z" fill="') >= 1
        assert len(opened.js("rt.table()").splitlines()) == complex_.n_regions + 1
        box = opened.page.locator("#regions").bounding_box()
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        opened.page.wait_for_timeout(60)
        assert opened.page.locator("#tip b").count() == 1
        assert opened.complaints == []
