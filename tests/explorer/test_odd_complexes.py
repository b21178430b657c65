"""Pages of complexes that are at the edge of what there is."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from browser import Browser
from relutopo.errors import InputError
from relutopo.explorer.page import static
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


def test_complex_numbers_are_no_column() -> None:
    with pytest.raises(InputError, match="must be an array of numbers, got dtype complex128"):
        own_quantities({"mine": np.array([1j, 2.0])}, 2)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({1: [0, 1], "1": [1, 0]}, "name of its own for each column, got '1' twice"),
        ({"mine": [10**400, None]}, r"`columns\['mine'\]` must be an array of numbers"),
        ({"mine": [[1, 2], [3]]}, r"`columns\['mine'\]` must be an array"),
        ({"mine": {0: 1, 1: 2}}, r"`columns\['mine'\]` must have one entry for each of the 2"),
    ],
)
def test_columns_that_cannot_be_shown_are_named(columns: dict[Any, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        own_quantities(columns, 2)


def test_a_table_of_columns_becomes_a_mapping() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"mine": [1.0, 2.0]})
    with pytest.raises(InputError, match=r"got DataFrame; pass dict\(columns\)"):
        own_quantities(table, 2)
    assert [q.name for q in own_quantities(dict(table), 2)] == ["mine"]


def test_data_outside_of_the_domain_are_told() -> None:
    complex_ = rt.decompose(*CASES["one region"])
    points = np.array([[0.0, 0.0], [1.0, 1.0], [3.0, 0.0], [0.0, -9.0]])
    certainty, note = scene_of(complex_, points=points).notes
    assert (certainty.kind, note.kind) == ("certified", "data outside")
    assert note.text.startswith("2 of 4 data points lie outside")
    inside = scene_of(complex_, points=points[:2])
    assert [note.kind for note in inside.notes] == ["certified"]


def test_regions_that_enter_at_infinity_have_no_number() -> None:
    complex_ = rt.decompose(*CASES["a triangle"])
    late = [np.zeros(n) for n in complex_.n_cells[:2]]
    values = np.where(np.arange(complex_.n_regions) % 2, np.inf, 1.0)
    order = rt.Filtration.from_values(complex_, [*late, values])
    (frame,) = scene_of(rt.persistence(complex_, order)).frames
    (entry,) = [quantity for quantity in frame.quantities if quantity.name == "entry"]
    np.testing.assert_array_equal(entry.values, np.where(np.isinf(values), np.nan, values))


def test_one_column_for_each_class_is_not_a_label() -> None:
    complex_ = rt.decompose(*CASES["one region"])
    with pytest.raises(InputError, match=r"shape \(n,\), got \(3, 3\); pass labels.argmax"):
        rt.explore(complex_, points=np.zeros((3, 2)), labels=np.eye(3))


def test_a_family_is_of_one_dimension() -> None:
    plane = rt.decompose(*CASES["one region"])
    space = rt.decompose(rt.gallery.random_network([3, 3, 1], seed=0), rt.Box(-1, 1, dim=3))
    with pytest.raises(InputError, match="must be complexes of one dimension"):
        rt.explore([plane, space])


AXES = """(() => {
  const { camera } = rt.map;
  const { words } = rt.axes(12, (text) => 7 * text.length);
  const called = rt.current.facts.axes;
  const isName = (word) => called.some((name) => word.text.includes(name));
  const [from, to] = [camera.toPlane(0, 0), camera.toPlane(1, 1)];
  return [0, 1].map((axis) => ({
    name: words.find(({ text }) => text.includes(called[axis])).text,
    pixel: Math.abs(to[axis] - from[axis]),
    numbers: words
      .filter((word) => !isName(word) && word.x < 0 === (axis === 1) && word.y >= -1)
      .map(({ text, x, y }) => ({ text, at: camera.toPlane(x, y)[axis] })),
  }));
})()"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("box", "view"),
    [
        (BOX, None),
        (BOX, {"x": -0.312345, "y": 0.212345, "zoom": 5000}),
        (FAR, None),
        (rt.Box(1e9, 1e9 + 1, dim=2), None),
        (rt.Box(-1e9 - 7, -1e9, dim=2), {"x": -1e9 - 3, "y": -1e9 - 2.5, "zoom": 100}),
        (rt.Box(0.1, 0.1 + 1e-12, dim=2), None),
        (rt.Box([-1.0, -1e-6], [1.0, 1e-6]), None),
        (rt.Box(-3e8, 1e8, dim=2), None),
        (rt.Box(20000, 30000, dim=2), None),
    ],
)
def test_numbers_of_axes_are_where_they_say_and_have_room(
    browser: Browser, tmp_path: Path, box: rt.Box, view: Any
) -> None:
    network = rt.gallery.random_network([2, 4, 1], seed=0)
    rt.explore(rt.decompose(network, box), tmp_path / "page.html")
    with browser.opened(tmp_path / "page.html") as opened:
        opened.js("rt.store.set({ view: argument })", view)
        for axis, (name, widest) in enumerate((("x₁", 72), ("x₂", 38))):
            drawn = opened.js(AXES)[axis]
            pattern = rf"\(?{name}(?: ([−+]) (\S+?))?\)?(?: · 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*))?"
            found = re.fullmatch(pattern, drawn["name"])
            assert found is not None, drawn["name"]
            sign, shift, power = found.groups()
            raised = (power or "¹").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
            factor = Decimal(10) ** (int(raised) if power is not None else 0)
            moved = Decimal(shift or 0) * (-1 if sign == "+" else 1)
            assert len(drawn["numbers"]) >= 2
            for number in drawn["numbers"]:
                assert 7 * len(number["text"]) <= widest
                value = Decimal(number["text"].replace("−", "-")) / factor + moved
                assert abs(float(value) - number["at"]) <= 1.5 * drawn["pixel"]
            assert len({number["text"] for number in drawn["numbers"]}) == len(drawn["numbers"])


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


def numbers_of(colour: str) -> list[int]:
    return [int(channel) for channel in re.findall(r"\d+", colour)[:3]]


@pytest.mark.slow
def test_ten_classes_of_data_differ_in_colour_or_mark(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(*CASES["no hidden neuron"])
    points = np.stack([np.linspace(-0.9, 0.9, 10), np.zeros(10)], axis=1)
    rt.explore(complex_, tmp_path / "page.html", points=points, labels=np.arange(10))
    with browser.opened(tmp_path / "page.html") as opened:
        looks = opened.js(
            "[...document.querySelectorAll('#legend svg.shape path')]"
            ".map((path) => [path.getAttribute('d'), path.getAttribute('fill')])"
        )
        assert len(looks) == 10
        for k, (mark, colour) in enumerate(looks):
            channels = numbers_of(colour)
            for other, hue in looks[:k]:
                apart = np.subtract(channels, numbers_of(hue))
                assert other != mark or np.abs(apart).max() > 60
        (drawn,) = re.findall(r"kind % (\d+)u", static("dots.js"))
        assert opened.js("rt.shapes.length") == int(drawn)


@pytest.mark.slow
def test_more_classes_than_bytes_are_drawn_as_on_the_map(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(*CASES["no hidden neuron"])
    points = np.stack([np.linspace(-0.9, 0.9, 300), np.zeros(300)], axis=1)
    labels = [f"class {i:03}" for i in range(300)]
    rt.explore(complex_, tmp_path / "page.html", points=points, labels=labels)
    with browser.opened(tmp_path / "page.html") as opened:
        found = re.findall(r'fill="rgb\((\S+) (\S+) (\S+)\)" stroke', opened.js("rt.drawing(80)"))
        assert len(found) >= 300
        assert all(channel.isdigit() for colour in found for channel in colour)
        assert opened.complaints == []


PIXELS = """argument.map((vertex) => {
  const { canvas, camera } = rt.map;
  const gl = canvas.getContext("webgl2");
  rt.map.draw();
  const pixel = new Uint8Array(4);
  const [x, y] = camera.toScreen(...rt.current.vertices.subarray(2 * vertex, 2 * vertex + 2));
  gl.readPixels(x, canvas.height - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  return [...pixel.slice(0, 3)];
})"""


@pytest.mark.slow
def test_vertices_are_seen_as_dots(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(rt.gallery.random_network([2, 5, 1], seed=0), BOX)
    n_cells = complex_.n_cells
    late = [np.full(n, 999.0) for n in n_cells[1:]]
    order = rt.Filtration.from_values(complex_, [np.arange(n_cells[0], dtype=float), *late])
    diagram = rt.persistence(complex_, order)
    rt.explore(diagram, tmp_path / "page.html")
    inside = np.flatnonzero((np.abs(complex_.vertices) < 0.95).all(axis=1))[:4].tolist()
    with browser.opened(tmp_path / "page.html") as opened:
        opened.js("rt.store.set({facets: 'none', overlays: new Set()})")
        opened.js("rt.store.set({threshold: argument})", float(n_cells[0]))
        for colour in opened.js(PIXELS, inside):
            assert np.abs(np.subtract(colour, opened.js("rt.colours.ink('ink')"))).max() <= 8
        for vertex in inside:
            pair = next(c for c in diagram.representatives(0) if vertex in c.cells.tolist()).pair
            opened.js("rt.store.set({pair: `0:${argument}`, threshold: null})", int(pair[0]))
            (colour,) = opened.js(PIXELS, [vertex])
            assert np.abs(np.subtract(colour, opened.js("rt.colours.ink('cycle')"))).max() <= 8
        assert opened.complaints == []


@pytest.mark.slow
def test_what_is_there_from_the_beginning_has_no_threshold(
    browser: Browser, tmp_path: Path
) -> None:
    complex_ = rt.decompose(*CASES["one region"])
    order = rt.Filtration.from_values(complex_, [np.full(n, -np.inf) for n in complex_.n_cells])
    rt.explore(rt.persistence(complex_, order), tmp_path / "page.html")
    with browser.opened(tmp_path / "page.html") as opened:
        assert opened.page.locator("#threshold").is_disabled()
        opened.js("document.querySelector('#threshold').dispatchEvent(new Event('input'))")
        assert opened.js("rt.store.get('threshold')") is None
        assert opened.complaints == []


@pytest.mark.slow
def test_names_of_a_family_leave_the_page_its_width(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(*CASES["a triangle"])
    columns = {f"{'x' * 400}": complex_, "short": complex_}
    rt.explore(columns, tmp_path / "page.html")
    with browser.opened(tmp_path / "page.html") as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert "xxx" in opened.page.locator("#timeline output").inner_text()


@pytest.mark.slow
def test_bars_of_categories_begin_at_one_place(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(*CASES["nine layers"])
    words = np.where(np.arange(complex_.n_regions) % 2, "short", "rather a long word")
    rt.explore(complex_, tmp_path / "page.html", columns={"words": words})
    with browser.opened(tmp_path / "page.html") as opened:
        bars = opened.page.locator(".categories .track").all()
        places = [box["x"] for bar in bars if (box := bar.bounding_box())]
        assert len(places) == 2
        assert places[0] == places[1]
