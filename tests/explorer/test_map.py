"""The map in a browser: what it says is what Python says, and everything can be reached."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import relutopo as rt
from browser import Browser, Opened

pytestmark = pytest.mark.slow


@dataclass
class Moons:
    """A partition of two_moons with its page."""

    part: rt.FiedlerPartition
    data: rt.Dataset
    path: Path

    @property
    def complex(self) -> rt.CellComplex:
        return rt.CellComplex.of(self.part.complex)


@pytest.fixture(scope="module")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Moons:
    folder = tmp_path_factory.mktemp("moons")
    data = rt.two_moons(100)
    settings = rt.TrainerSettings(n_steps=300, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings(hidden=(10, 10)), settings, directory=folder / "run")
    complex_ = rt.decompose(run.network(run.steps[-1]), rt.Box.around(data.points, 0.25))
    part = rt.fiedler_partition(complex_.dual_graph(), data.points)
    path = folder / "page.html"
    own = {"mine": np.arange(complex_.n_regions) / 7}
    rt.explore(part, path, points=data.points, labels=data.targets, columns=own)
    return Moons(part, data, path)


@pytest.fixture
def opened(browser: Browser, moons: Moons) -> Iterator[Opened]:
    with browser.opened(moons.path) as page:
        yield page
        assert page.complaints == []
        assert page.requests == []


def table(moons: Moons) -> dict[str, NDArray[Any]]:
    """Return the numbers of regions by the names that they have in the page."""
    of_regions = moons.complex.regions_table(moons.data.points)
    of_part = moons.part.table(moons.data.points)
    found = {str(name): of_regions[name].to_numpy() for name in of_regions}
    found |= {str(name): of_part[name].to_numpy() for name in ("fiedler", "vertex_weight")}
    found["decision"] = of_part["decision"].to_numpy()
    found["mine"] = np.arange(moons.complex.n_regions) / 7
    found["gradient"] = np.linalg.norm(moons.complex.output_maps()[0], axis=(1, 2))
    return found


def number(words: str) -> float:
    """Return a number as the page writes it."""
    mantissa, _, exponent = (
        words.replace("−", "-").replace("\u202f", "").partition("\u00a0×\u00a010")
    )
    digits = exponent.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    return float(mantissa) * 10.0 ** int(digits or 0)


def on_screen(opened: Opened, places: NDArray[np.float64]) -> list[list[float]]:
    """Return where places of the map's canvas, as shares of it, are on the screen."""
    box = opened.page.locator("#regions").bounding_box()
    return [[box["x"] + x * box["width"], box["y"] + y * box["height"]] for x, y in places]


def test_hovering_shows_the_numbers_of_python(moons: Moons, opened: Opened) -> None:
    known = table(moons)
    rng = np.random.default_rng(0)
    n_inside = 0
    for x, y in on_screen(opened, rng.uniform(0.02, 0.98, (50, 2))):
        opened.page.mouse.move(x, y)
        opened.page.wait_for_timeout(40)
        point = opened.js(
            "(() => { const box = rt.map.canvas.getBoundingClientRect();"
            "return rt.map.camera.toPlane(argument[0] - box.left, argument[1] - box.top); })()",
            [x, y],
        )
        region = moons.complex.locate(point)
        tip = opened.page.locator("#tip")
        if region < 0:
            assert not tip.is_visible()
            continue
        n_inside += 1
        assert tip.locator("b").inner_text() == f"Region {region}"
        assert opened.js("rt.store.get('hover')") == region
        labels = tip.locator("dt").all_inner_texts()
        values = tip.locator("dd").all_inner_texts()
        names = {
            "Fiedler vector": "fiedler",
            "vertex weight": "vertex_weight",
            "active neurons": "n_active",
            "area": "volume",
            "output": "output_0",
            "mine": "mine",
        }
        shown = dict(zip(labels, values, strict=True))
        assert set(names) <= set(shown)
        for label, name in names.items():
            assert number(shown[label]) == pytest.approx(known[name][region], rel=6e-6)
    assert n_inside > 20


def test_a_data_point_below_the_pointer_is_named(moons: Moons, opened: Opened) -> None:
    numbers = np.random.default_rng(2).choice(len(moons.data.points), 8, replace=False)
    box = opened.page.locator("#regions").bounding_box()
    for number_ in numbers.tolist():
        point = moons.data.points[number_].tolist()
        x, y = opened.js("rt.map.camera.toScreen(...argument)", point)
        opened.page.mouse.move(box["x"] + x, box["y"] + y)
        opened.page.wait_for_timeout(60)
        words = opened.page.locator("#tip .datum").inner_text()
        found = int(words.removeprefix("Data point ").partition(",")[0])
        # Another may be as near, as far as pixels tell.
        away = opened.js("rt.map.camera.toScreen(...argument)", moons.data.points[found].tolist())
        assert np.hypot(away[0] - x, away[1] - y) < 1.5
        label = f"{moons.data.targets[found]:g}".replace("-", "−")
        assert words.endswith(f", class {label}")
    opened.js("rt.store.set({points: 'no'})")
    opened.page.mouse.move(box["x"] + x + 1, box["y"] + y)
    opened.page.wait_for_timeout(60)
    assert opened.page.locator("#tip .datum").count() == 0


def test_quantities_are_those_of_python_to_the_last_bit(moons: Moons, opened: Opened) -> None:
    known = table(moons)
    names = opened.js("[...rt.current.quantities.keys()]")
    assert {"fiedler", "part", "n_points", "n_neighbours", "newest_layer"} <= set(names)
    assert "n_switching" in names
    compared = [name for name in names if name in known and name != "part"]
    assert len(compared) >= 8
    for name in compared:
        values = opened.js("[...rt.current.quantities.get(argument).values]", name)
        np.testing.assert_array_equal(values, known[name])
    sides = np.array(opened.js("[...rt.current.quantities.get('part').values]"))
    np.testing.assert_array_equal(np.choose(sides, [-1, 1, 0]), moons.part.sides)


def test_points_are_located_as_python_does(moons: Moons, opened: Opened) -> None:
    rng = np.random.default_rng(1)
    low, high = moons.complex.vertices.min(axis=0), moons.complex.vertices.max(axis=0)
    width = high - low
    points = rng.uniform(low - 0.1 * width, high + 0.1 * width, (20_000, 2))
    script = "argument.map(([x, y]) => rt.current.locator().at(x, y))"
    found = np.array(opened.js(script, points.tolist()))
    expected = moons.complex.locate(points)
    # Vertices are rounded, so a point nearer to a facet than that may be on its other side.
    assert (found != expected).sum() <= 1
    assert (found == rt.OUTSIDE).sum() > 1000


def test_points_on_facets_are_on_several_regions(browser: Browser, tmp_path: Path) -> None:
    """Where coordinates are exact, the page says what Python says, of every point."""
    rows = [[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, -1]]
    lines = (np.array(rows, dtype=float), np.array([0.25, -0.5, 0, 0.375, 0.125, 0]))
    network = ([lines[0], np.ones((1, len(rows)))], [lines[1], [0.0]])
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=2), enumerator="exact")
    path = tmp_path / "grid.html"
    rt.explore(complex_, path)
    low, high = complex_.vertices.min(axis=0), complex_.vertices.max(axis=0)
    steps = np.arange(-1, 66) / 64
    x = np.stack(np.meshgrid(*(low + steps[:, None] * (high - low)).T), axis=-1).reshape(-1, 2)
    x = np.concatenate([x, complex_.vertices, complex_.interior_points])
    with browser.opened(path) as opened:
        script = "argument.map(([x, y]) => rt.current.locator().at(x, y))"
        found = np.array(opened.js(script, x.tolist()))
        several = "argument.map(([x, y]) => rt.current.locator().beside(x, y))"
        beside = opened.js(several, complex_.vertices.tolist())
    expected = complex_.locate(x)
    np.testing.assert_array_equal(found, expected)
    assert (found == rt.ON_BOUNDARY).sum() > 100
    incidence = complex_.cell_vertices(2).tocsc()
    for vertex, regions in enumerate(beside):
        around = incidence.indices[incidence.indptr[vertex] : incidence.indptr[vertex + 1]]
        assert sorted(regions) == sorted(around.tolist())


def test_colours_on_the_screen_are_those_of_the_legend(moons: Moons, opened: Opened) -> None:
    opened.js("rt.store.set({facets: 'none', points: 'no', overlays: new Set()})")
    largest = np.argsort(moons.complex.volumes)[-40:].tolist()
    script = """(() => {
      const gl = rt.map.canvas.getContext("webgl2");
      rt.map.draw();
      const pixel = new Uint8Array(4);
      return argument.map((region) => {
        const [x, y] = rt.map.camera.toScreen(...rt.current.middle(region));
        const d = rt.map.density();
        gl.readPixels(x * d, rt.map.canvas.height - y * d, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
        const quantity = rt.current.quantities.get(rt.store.get("colour"));
        return [[...pixel.slice(0, 3)], rt.colours.of(quantity, region)];
      });
    })()"""
    for colour in ("fiedler", "part", "n_active", "volume"):
        opened.js("rt.store.set({colour: argument})", colour)
        pairs = np.array(opened.js(script, largest))
        # A place in a palette may be rounded otherwise.
        assert np.abs(pairs[:, 0] - pairs[:, 1]).max() <= 6
        assert len(np.unique(pairs[:, 0], axis=0)) > 1


@pytest.mark.parametrize(("kind", "density"), [("plain", 1), ("plain", 2), ("layer", 2)])
def test_facets_are_drawn_where_they_are(
    browser: Browser, moons: Moons, kind: str, density: int
) -> None:
    """As lines of the card where they are a pixel wide, and as rectangles where they are wider."""
    with browser.opened(moons.path, device_scale_factor=density) as opened:
        opened.js("rt.store.set({filled: 'no', points: 'no', overlays: new Set()})")
        script = """((kind) => {
          const { canvas } = rt.map;
          const gl = canvas.getContext("webgl2");
          const read = () => {
            const bytes = new Uint8Array(4 * canvas.width * canvas.height);
            rt.map.draw();
            gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
            return bytes;
          };
          rt.store.set({facets: "none"});
          const empty = read();
          rt.store.set({facets: kind});
          const found = [];
          read().forEach((x, i) => i % 4 === 1 && x !== empty[i] && found.push(i >> 2));
          const { width, height } = canvas;
          const ends = [];
          const segments = rt.current.segmentsOf([...rt.current.neurons.keys()]);
          for (let i = 0; i < segments.length; i += 2) {
            ends.push(rt.map.camera.toScreen(segments[i], segments[i + 1]));
          }
          const place = (i) => [i % width, height - 1 - Math.floor(i / width)];
          return { ends, painted: found.map(place) };
        })(argument)"""
        read = opened.js(script, kind)
        ends = density * np.array(read["ends"]).reshape(-1, 2, 2)
        ends = ends[moons.complex.facet_labels >= 0]
        painted = np.array(read["painted"]) + 0.5
        start, along = ends[:, 0], ends[:, 1] - ends[:, 0]
        lengths = np.maximum((along**2).sum(axis=1), 1e-12)
        nearest = np.full(len(painted), np.inf)
        for from_, way, size in zip(start, along, lengths, strict=True):
            share = np.clip((painted - from_) @ way / size, 0, 1)
            away = np.linalg.norm(painted - from_ - share[:, None] * way, axis=1)
            nearest = np.minimum(nearest, away)
        assert nearest.max() < 2.5 * density
        long = lengths > (20 * density) ** 2
        middles = ends[long].mean(axis=1)
        assert len(middles) > 20
        away = np.linalg.norm(middles[:, None] - painted[None], axis=2).min(axis=1)
        assert away.max() < 1.5 * density


def test_a_neuron_is_lit_where_its_sign_changes(moons: Moons, opened: Opened) -> None:
    complex_ = moons.complex
    neuron = 12
    beside = complex_.facet_regions
    inner = np.flatnonzero(beside[:, 1] >= 0)
    bits = complex_.patterns[:, neuron]
    changing = inner[bits[beside[inner, 0]] != bits[beside[inner, 1]]]
    ends = complex_.facets[0][1].reshape(-1, 2)[changing]
    opened.js("rt.store.set({neuron: argument})", neuron)
    lit = np.array(opened.js("[...rt.map.segments('neuron')]")).reshape(-1, 2, 2)
    np.testing.assert_array_equal(lit, complex_.vertices[ends])


def test_clicking_shows_pattern_map_and_neighbours(moons: Moons, opened: Opened) -> None:
    largest = int(np.argmax(moons.complex.volumes))
    place = opened.js("rt.map.camera.toScreen(...rt.current.middle(argument))", largest)
    box = opened.page.locator("#regions").bounding_box()
    opened.page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    region = moons.complex.region(largest)
    panel = opened.page.locator("#region-panel")
    assert panel.locator("h2").inner_text() == f"Region {largest}"
    rows = panel.locator(".bits")
    for layer, bits in enumerate(region.pattern):
        squares = rows.nth(layer).locator("i")
        assert squares.count() == len(bits)
        assert rows.nth(layer).locator("i.on").count() == sum(bits)
    buttons = panel.locator(".neighbours button")
    assert sorted(map(int, buttons.all_inner_texts())) == list(region.neighbours)
    found = opened.js("rt.current.map(argument)[0]", largest)
    assert [*found["slopes"], found["constant"]] == [*region.coefficients[0], region.offset[0]]
    formula = panel.locator(".formula").inner_text()
    assert formula.startswith("f = ")
    buttons.first.click()
    shown = opened.js("rt.store.get('region')")
    assert shown in region.neighbours
    assert panel.locator("h2").inner_text() == f"Region {shown}"


def test_selection_and_saved_table_agree_with_python(moons: Moons, opened: Opened) -> None:
    page = opened.page
    box = page.locator("#regions").bounding_box()
    places = [(0.3, 0.35), (0.7, 0.7)]
    (x, y), (u, v) = (
        (box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in places
    )
    page.keyboard.down("Shift")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + u) / 2, (y + v) / 2)
    page.mouse.move(u, v)
    page.mouse.up()
    page.keyboard.up("Shift")
    chosen = opened.js("[...rt.store.get('selection')]")
    script = "rt.map.camera.toPlane(argument[0] - argument[2], argument[1] - argument[3])"
    left, top = opened.js(script, [x, y, box["x"], box["y"]])
    right, bottom = opened.js(script, [u, v, box["x"], box["y"]])
    middles = moons.complex.interior_points
    inside = (middles > [left, bottom]).all(axis=1) & (middles < [right, top]).all(axis=1)
    assert 3 < len(chosen) < moons.complex.n_regions
    assert len(set(chosen) ^ set(np.flatnonzero(inside).tolist())) <= 1  # at the rounded border

    with page.expect_download() as download:
        page.locator("#save-table").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert [int(row["region"]) for row in rows] == chosen
    known = table(moons)
    for name in ("n_active", "volume", "output_0", "fiedler", "mine", "n_points"):
        saved = np.array([float(row[name]) for row in rows])
        np.testing.assert_array_equal(saved, known[name][chosen])
    assert [row["pattern"] for row in rows] == known["pattern"][chosen].tolist()
    words = {"side +1": 1, "side −1": -1, "on the cut": 0}
    assert [words[row["part"]] for row in rows] == moons.part.sides[chosen].tolist()

    page.locator("#selection-invert").click()
    assert opened.js("rt.store.get('selection').length") == moons.complex.n_regions - len(chosen)
    page.locator("#selection-clear").click()
    assert opened.js("rt.store.get('selection')") is None


def test_pictures_can_be_saved(moons: Moons, opened: Opened) -> None:
    page = opened.page
    page.locator("#save-width").fill("60")
    with page.expect_download() as download:
        page.locator("#save-svg").click()
    drawing = Path(download.value.path()).read_text("utf-8")
    assert 'width="60mm"' in drawing
    assert drawing.count('Z" fill="') == moons.complex.n_regions
    with page.expect_download() as download:
        page.locator("#save-png").click()
    content = Path(download.value.path()).read_bytes()
    width = int.from_bytes(content[16:20], "big")
    assert width == pytest.approx(60 / 25.4 * 300, abs=1)


def test_the_keyboard_reaches_everything(moons: Moons, opened: Opened) -> None:
    page = opened.page
    opened.js("rt.store.set({region: 5})")
    page.evaluate("document.activeElement.blur()")
    expected = page.evaluate(
        "[...document.querySelectorAll('button, select, input, [tabindex=\"0\"], summary')]"
        ".filter((e) => !e.disabled && e.checkVisibility() && !e.closest('dialog')).length"
    )
    seen = []
    for _ in range(expected + 5):
        page.keyboard.press("Tab")
        page.evaluate("document.activeElement.dataset.seen = 'yes'")
        name = page.evaluate(
            "(() => { const e = document.activeElement; return e === document.body ? '' :"
            "e.id || e.name || e.textContent; })()"
        )
        seen.append(name)
    assert page.evaluate("document.querySelectorAll('[data-seen]').length") >= expected
    assert {"map", "colour", "palette", "facets", "neuron-layer", "save-table"} <= set(seen)

    page.locator("#map").focus()
    page.keyboard.press("Escape")
    assert opened.js("rt.store.get('region')") == -1
    page.keyboard.press("Enter")
    middle = opened.js("rt.map.camera.toPlane(rt.map.camera.width / 2, rt.map.camera.height / 2)")
    region = moons.complex.locate(middle)
    assert opened.js("rt.store.get('region')") == region
    assert f"Region {region}" in page.locator("#spoken").inner_text()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        before = opened.js("rt.store.get('region')")
        page.keyboard.press(key)
        after = opened.js("rt.store.get('region')")
        assert after == before or after in moons.complex.region(before).neighbours
    page.keyboard.press("s")
    assert opened.js("[...rt.store.get('selection')]") == [after]
    colour = opened.js("rt.store.get('colour')")
    page.keyboard.press("c")
    assert opened.js("rt.store.get('colour')") != colour
    page.keyboard.press("Shift+C")
    assert opened.js("rt.store.get('colour')") == colour
    page.keyboard.press("f")
    assert opened.js("rt.store.get('facets')") == "layer"
    page.keyboard.press("n")
    assert opened.js("rt.store.get('neuron')") == 0
    page.keyboard.press("+")
    page.wait_for_timeout(500)
    assert opened.js("rt.map.camera.zoom") == pytest.approx(1.6)
    page.keyboard.press("0")
    page.wait_for_timeout(500)
    assert opened.js("rt.store.get('view')") is None
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.locator("#facets").focus()
    page.keyboard.press("ArrowUp")
    assert opened.js("rt.store.get('facets')") == "plain"


def test_every_control_has_a_name(opened: Opened) -> None:
    opened.js("rt.store.set({region: 5})")
    nameless = opened.page.evaluate(
        "[...document.querySelectorAll('button, select, input, [role], section, dialog')]"
        ".filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') ||"
        " e.labels?.length || e.textContent.trim() || e.id === 'spoken'))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []


def test_the_address_brings_back_the_state(browser: Browser, moons: Moons, opened: Opened) -> None:
    opened.js(
        "rt.store.set({colour: 'volume', palette: 'cividis', region: 7, neuron: 3, points: 'no',"
        "facets: 'layer', overlays: new Set(['cut', 'graph']), theme: 'dark',"
        "selection: Int32Array.of(1, 2, 3, 7, 20), view: {x: 0.25, y: -0.125, zoom: 4}})"
    )
    opened.page.wait_for_timeout(600)
    address = opened.js("location.hash")
    keys = "['colour','palette','region','neuron','points','facets','theme','view']"
    state = f"[{keys}.map((k) => rt.store.get(k)), [...rt.store.get('selection')],"
    state += "[...rt.store.get('overlays')].sort(), rt.map.camera.zoom]"
    with browser.opened(moons.path, address) as again:
        assert again.js(state) == opened.js(state)
        assert again.page.locator("#colour").input_value() == "volume"
        assert again.complaints == []
        again.page.evaluate("location.hash = '#colour=n_active'")
        again.page.wait_for_timeout(100)
        assert again.js("[rt.store.get('colour'), rt.store.get('region')]") == ["n_active", -1]


@pytest.mark.parametrize(
    "address",
    [
        "#colour=<script>hit()</script>&region=99999999&neuron=-3&facets=all&view=1,2",
        "#selection=1-9999999999&overlays=__proto__&theme=constructor&palette=toString",
        "#view=NaN,0,1&region=1e3&frame=7&selection=5-1.x&%%%=&colour=__proto__",
        "#selection=3-1",
        "#&&&===",
    ],
)
def test_hostile_addresses_change_nothing(browser: Browser, moons: Moons, address: str) -> None:
    with browser.opened(moons.path, address) as opened:
        state = "['colour','region','neuron','facets','view','theme','palette','selection','frame']"
        assert opened.js(f"{state}.map((k) => rt.store.get(k))") == [
            "fiedler", -1, -1, "plain", None, "auto", "viridis", None, 0,
        ]  # fmt: skip
        assert opened.complaints == []


def test_wheel_and_drag_keep_the_point_below_the_pointer(opened: Opened) -> None:
    page = opened.page
    box = page.locator("#regions").bounding_box()
    # Wheels tell of whole pixels.
    x, y = 200 - box["x"] % 1, 300 - box["y"] % 1
    here = "rt.map.camera.toPlane(argument[0], argument[1])"
    before = opened.js(here, [x, y])
    page.mouse.move(box["x"] + x, box["y"] + y)
    for _ in range(4):
        page.mouse.wheel(0, -150)
    page.wait_for_timeout(100)
    assert opened.js("rt.map.camera.zoom") > 2
    assert opened.js(here, [x, y]) == pytest.approx(before, rel=1e-9)
    page.mouse.down()
    page.mouse.move(box["x"] + x + 60, box["y"] + y - 40, steps=5)
    page.mouse.up()
    assert opened.js(here, [x + 60, y - 40]) == pytest.approx(before, abs=1e-6)
    assert opened.js("rt.store.get('region')") == -1  # a drag is no click


def test_a_narrow_screen_is_wide_enough(browser: Browser, moons: Moons) -> None:
    with browser.opened(moons.path, "#region=3", width=360, height=740, has_touch=True) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
        box = opened.page.locator("#regions").bounding_box()
        opened.js("rt.store.set({region: -1})")
        opened.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert opened.js("rt.store.get('region')") >= 0
        opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        opened.page.wait_for_timeout(100)
        tip = opened.page.locator("#tip").bounding_box()
        assert tip["x"] >= 0
        assert tip["x"] + tip["width"] <= 360
        opened.page.mouse.move(box["x"] + 2, box["y"] + 2)
        opened.page.wait_for_timeout(100)
        assert not opened.page.locator("#tip").is_visible()
        # A long name of the vertical axis has room beside the map.
        opened.js("(rt.current.facts.axes = ['one', 'another, which is long'])")
        name = opened.js("rt.axes(12, (text) => 7 * text.length).words.find((w) => w.isTurned)")
        assert name["x"] - 6 >= -opened.js("rt.map.canvas.offsetLeft")
        assert opened.complaints == []


def test_without_webgl_the_page_says_so_and_numbers_work(browser: Browser, moons: Moons) -> None:
    blocked = "HTMLCanvasElement.prototype.getContext = ((old) => function (kind, ...rest) {"
    blocked += "return kind === 'webgl2' ? null : old.call(this, kind, ...rest); })"
    blocked += "(HTMLCanvasElement.prototype.getContext)"
    with browser.opened(moons.path, "#region=3", script=blocked) as opened:
        assert opened.page.locator(".missing").is_visible()
        assert opened.page.locator("#region-panel h2").inner_text() == "Region 3"
        assert opened.complaints == []


def test_numbers_that_are_missing_or_beyond_all_scales(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(rt.gallery.random_network([2, 6, 1], 0), rt.Box(-1, 1, dim=2))
    n = complex_.n_regions
    some = np.where(np.arange(n) < 3, np.nan, np.arange(n))
    columns = {
        "some": some,
        "none": np.full(n, np.nan),
        "beyond": np.where(np.arange(n) % 2, 1.7e308, -1.7e308),
    }
    rt.explore(complex_, tmp_path / "page.html", columns=columns)
    with browser.opened(tmp_path / "page.html") as opened:
        legends = {}
        for name in columns:
            opened.js("rt.store.set({ colour: argument })", name)
            opened.page.wait_for_timeout(100)
            legends[name] = opened.page.inner_text("#legend")
        assert "without a number: 3 regions" in legends["some"]
        assert f"without a number: {n} regions" in legends["none"]
        assert "without" not in legends["beyond"]
        assert opened.page.locator("#legend .bar").count() == 1
        assert not opened.complaints
