"""Charts and the time line in a browser: they move the map, and agree with Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import relutopo as rt
from browser import Browser, Opened
from relutopo.geometry.patterns import find_patterns
from relutopo.learning.datasets import Dataset
from relutopo.spectral.sweep import sweep_of

pytestmark = pytest.mark.slow

HOMOLOGY = rt.Homology(filtration={"name": "distance_to_data", "points": "training"})


@dataclass
class Moons:
    """A training run on two_moons."""

    run: rt.TrainingRun
    folder: Path

    def page(self, name: str) -> Path:
        return self.folder / f"{name}.html"

    def complex_(self, step: int) -> rt.CellComplex:
        return rt.decompose(self.run.network(step), rt.Box.around(self.run.dataset.points))

    def diagram(self, step: int) -> rt.Diagram:
        complex_ = self.complex_(step)
        points = self.run.dataset.points
        return rt.persistence(complex_, rt.filtration(complex_, "distance_to_data", points=points))


@pytest.fixture(scope="module")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Moons:
    folder = tmp_path_factory.mktemp("moons")
    settings = rt.TrainerSettings(n_steps=300, n_checkpoints=6)
    run = rt.train(rt.two_moons(60), rt.MlpSettings((12, 12)), settings, directory=folder / "run")
    made = Moons(run, folder)
    rt.explore(run, made.page("partition"))
    rt.explore(run, made.page("homology"), analysis=HOMOLOGY)
    return made


def opened_without_complaint(browser: Browser, path: Path, **options: Any) -> Iterator[Opened]:
    with browser.opened(path, **options) as page:
        yield page
        assert page.complaints == []
        assert page.requests == []


@pytest.fixture
def partition(browser: Browser, moons: Moons) -> Iterator[Opened]:
    yield from opened_without_complaint(browser, moons.page("partition"))


@pytest.fixture
def homology(browser: Browser, moons: Moons) -> Iterator[Opened]:
    yield from opened_without_complaint(browser, moons.page("homology"))


def go(opened: Opened, frame: int) -> None:
    """Let the page show a frame, and wait for it."""
    opened.js("rt.store.set({ frame: argument })", frame)
    opened.until(f"rt.current.index === {frame}")


def on_screen(opened: Opened, figure: str, x: float, y: float) -> tuple[float, float]:
    """Return where a point of a chart is on the screen, scrolled into it."""
    place = opened.js(
        """(() => {
          const find = (views) => {
            for (const view of views) {
              if (view.model.name === argument[0]) return view;
              const below = find(view.child_views ?? []);
              if (below) return below;
            }
            return null;
          };
          const view = find([...Bokeh.index.roots]);
          view.el.scrollIntoView({ block: "center" });
          const box = view.canvas_view.el.getBoundingClientRect();
          const { x_scale, y_scale } = view.frame;
          return [box.left + x_scale.compute(argument[1]), box.top + y_scale.compute(argument[2])];
        })()""",
        [figure, x, y],
    )
    return place[0], place[1]


def drag(opened: Opened, figure: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag the mouse over a chart, which is in its place by then."""
    opened.page.wait_for_timeout(300)
    on_screen(opened, figure, *begin)  # scrolls
    opened.page.wait_for_timeout(100)
    places = on_screen(opened, figure, *begin), on_screen(opened, figure, *end)
    opened.page.mouse.move(*places[0])
    opened.page.mouse.down()
    opened.page.mouse.move(*places[1], steps=6)
    opened.page.mouse.up()


def test_the_cursor_shows_the_regions_of_the_checkpoint(moons: Moons, partition: Opened) -> None:
    steps = moons.run.steps
    slider = partition.page.locator("#moment")
    assert slider.get_attribute("max") == str(len(steps) - 1)
    for frame in (0, len(steps) // 2, len(steps) - 1):
        slider.fill(str(frame))
        partition.until(f"rt.current.index === {frame}")
        complex_ = moons.complex_(steps[frame])
        patterns = np.array(partition.js("[...rt.current.arrays.patterns]"), dtype=np.uint8)
        np.testing.assert_array_equal(patterns, complex_.packed_patterns.ravel())
        areas = partition.js("[...rt.current.quantities.get('volume').values]")
        np.testing.assert_array_equal(areas, complex_.volumes)
        assert partition.page.locator("#timeline output").inner_text() == (
            f"step {steps[frame]} ({frame + 1} of {len(steps)})"
        )


def test_touching_the_curves_moves_the_cursor(moons: Moons, partition: Opened) -> None:
    time = partition.js("rt.data.scene.time")
    names = [curve["name"] for curve in time["numbers"]]
    regions = time["numbers"][names.index("n_regions")]
    frame = len(moons.run.steps) - 2
    there, first = ((time["x"][i], regions["y"][i]) for i in (frame, 1))
    partition.page.mouse.click(*on_screen(partition, "time:number", *there))
    partition.until(f"rt.current.index === {frame}")
    drag(partition, "time:number", there, first)
    partition.until("rt.current.index === 1")


def test_curves_are_the_numbers_of_the_run(moons: Moons, partition: Opened) -> None:
    time = partition.js("rt.data.scene.time")
    history = moons.run.history
    loss = next(curve for curve in time["panels"]["loss"] if curve["name"] == "train_loss")
    np.testing.assert_array_equal(loss["y"], history.train_loss)
    numbers = {curve["name"]: curve["y"] for curve in time["numbers"]}
    assert numbers["n_regions"] == [moons.complex_(step).n_regions for step in moons.run.steps]
    readout = partition.page.locator("#time .readout").inner_text()
    assert readout.startswith("step 0 ")
    assert f"number of regions {numbers['n_regions'][0]}" in readout


def test_the_page_plays_to_the_end(moons: Moons, partition: Opened) -> None:
    last = len(moons.run.steps) - 1
    go(partition, last - 2)
    partition.page.get_by_role("button", name="play").click()
    partition.until(f"rt.current.index === {last}")
    partition.until("!rt.store.get('playing')")


def test_a_region_has_the_history_of_its_pattern(moons: Moons, partition: Opened) -> None:
    complexes = [moons.complex_(step) for step in moons.run.steps]
    last = len(complexes) - 1
    go(partition, last)
    found = [find_patterns(complexes[last].packed_patterns, c.packed_patterns) for c in complexes]
    there = np.array(found)  # frame, region
    first = np.array(moons.run.steps)[(there >= 0).argmax(axis=0)]
    shown = partition.js("[...rt.current.quantities.get('first_step').values]")
    np.testing.assert_array_equal(shown, first)
    region = int(np.argmax((there >= 0).sum(axis=0) == 3))
    partition.js("rt.store.set({ region: argument })", region)
    assert partition.js("rt.history(argument).then((found) => [...found])", region) == (
        there[:, region].tolist()
    )
    words = partition.page.locator("#region-history")
    words.get_by_text(f"first at step {first[region]}").wait_for()
    # The pattern stays chosen through the frames, also where it is not there.
    absent = int(np.flatnonzero(there[:, region] < 0)[-1])
    for frame in (absent, int(np.flatnonzero(there[:, region] >= 0)[0])):
        go(partition, frame)
        assert partition.js("rt.store.get('region')") == there[frame, region]


def test_brushing_selects_what_python_selects(moons: Moons, partition: Opened) -> None:
    go(partition, len(moons.run.steps) - 1)
    partition.page.locator("#colour").select_option("volume")
    volumes = moons.complex_(moons.run.steps[-1]).volumes
    low, high = np.quantile(volumes, [0.2, 0.9])
    drag(partition, "histogram", (low, 1), (high, 1))
    left, right = map(float, partition.js("rt.store.get('brush')").split(".."))
    width = volumes.max() - volumes.min()
    assert (left, right) == pytest.approx((low, high), abs=0.02 * width)

    def check(volumes: NDArray[np.float64], left: float, right: float) -> None:
        expected = np.flatnonzero((volumes >= left) & (volumes <= right))
        assert partition.js("[...rt.store.get('selection')]") == expected.tolist()
        words = f"{len(expected)} of {len(volumes)} regions selected"
        assert partition.page.locator("#histogram .readout").inner_text() == words

    check(volumes, left, right)
    go(partition, 1)  # what is selected follows from the range in every frame
    check(moons.complex_(moons.run.steps[1]).volumes, left, right)
    partition.page.locator("#brush-low").fill("0.05")
    partition.page.locator("#brush-high").fill("0.25")
    partition.page.locator("#brush-high").press("Tab")
    check(moons.complex_(moons.run.steps[1]).volumes, 0.05, 0.25)
    partition.page.get_by_role("button", name="clear").click()
    assert partition.js("rt.store.get('selection')") is None
    partition.page.locator("#brush-low").fill("0.05")
    partition.page.locator("#brush-low").press("Tab")
    check(moons.complex_(moons.run.steps[1]).volumes, 0.05, np.inf)
    assert partition.page.locator("#brush-high").input_value() == ""
    partition.page.locator("#colour").select_option("decision")
    partition.page.locator(".categories input").nth(1).check()
    decided = partition.js("[...rt.current.quantities.get('decision').values]")
    assert partition.js("[...rt.store.get('selection')]") == np.flatnonzero(decided).tolist()


def test_the_eigenvector_is_shown_in_its_order(moons: Moons, partition: Opened) -> None:
    go(partition, 2)
    graph = moons.complex_(moons.run.steps[2]).dual_graph()
    part = rt.fiedler_partition(graph, moons.run.dataset.points)
    sweep = sweep_of(part)
    assert partition.js("[...rt.current.arrays['spectrum:order']]") == sweep.order.tolist()
    entries = partition.js("[...rt.current.arrays['spectrum:entries']]")
    np.testing.assert_allclose(np.abs(entries), np.abs(part.vector[sweep.order]), rtol=1e-6)
    cut = part.sweep_cut()
    assert partition.js("rt.current.facts.spectrum.conductance") == cut.conductance
    a, b = 3, 12
    y = float(np.mean(entries))
    drag(partition, "entries", (a - 0.4, y), (b + 0.4, y))
    chosen = partition.js("[...rt.store.get('selection')]")
    assert chosen == sorted(sweep.order[a : b + 1].tolist())


def test_the_spectrum_of_several_parts(browser: Browser, tmp_path: Path) -> None:
    complex_ = rt.decompose(
        rt.gallery.random_network([2, 10, 8, 3], seed=4), rt.Box(-1, 1, dim=2), enumerator="exact"
    )
    points = np.random.default_rng(0).uniform(-1, 1, (80, 2))
    part = rt.spectral_partition(complex_.dual_graph(), points, k=4)
    rt.explore(part, tmp_path / "parts.html", points=points)
    for page in opened_without_complaint(browser, tmp_path / "parts.html"):
        facts = page.js("rt.current.facts.parts")
        assert facts["values"] == part.values.tolist()
        assert facts["next"] == part.next_value
        weights, edges = np.asarray(part.vertex_weights), np.asarray(part.graph.edges)
        for k in range(4):
            inside = part.parts == k
            leaving = inside[edges[:, 0]] != inside[edges[:, 1]]
            least = min(weights[inside].sum(), weights[~inside].sum())
            expected = part.edge_weights[leaving].sum() / least
            assert facts["conductance"][k] == pytest.approx(expected)
        # Regions stand part by part, and within a part by the eigenvector that is chosen.
        page.page.locator("#vector-across").select_option(label="3")
        assert page.js("rt.store.get('across')") == 2
        order = np.lexsort([part.vectors[:, 1], part.parts])
        order = order[part.parts[order] >= 0]
        a, b = 4, 15
        y = float(np.mean(part.vectors[order, 1]))
        drag(page, "order", (a - 0.4, y), (b + 0.4, y))
        assert page.js("[...rt.store.get('selection')]") == sorted(order[a : b + 1].tolist())
        # A click on the cloud chooses the region there.
        region = int(order[7])
        x, y = part.vectors[region, 1], part.vectors[region, 1]  # 2 against 2, on the diagonal
        page.js("rt.store.set({up: 2})")
        page.page.wait_for_timeout(200)
        page.page.mouse.click(*on_screen(page, "embedding", float(x), float(y)))
        page.until(f"rt.store.get('region') === {region}")
        assert f"region {region}: part" in page.page.locator("#parts .readout").inner_text()
        page.page.locator("#parts summary").click()
        page.until("document.querySelector('#parts tbody tr') !== null")
        rows = page.page.locator("#parts tbody tr").all_inner_texts()
        assert [row.split("\t")[1] for row in rows] == [str(size) for size in part.sizes]
        page.page.wait_for_timeout(400)
        address = page.js("location.hash")
        with browser.opened(tmp_path / "parts.html", address) as again:
            state = "['across', 'up', 'region'].map(rt.store.get)"
            assert again.js(state) == page.js(state) == [2, 2, region]


def test_own_columns_hide_the_spectrum_whose_names_they_take(
    browser: Browser, tmp_path: Path
) -> None:
    complex_ = rt.decompose(rt.gallery.random_network([2, 6, 1], seed=4), rt.Box(-1, 1, dim=2))
    graph = complex_.dual_graph()
    part = rt.spectral_partition(graph, vertex_weights="unweighted", k=3)
    columns = {"part": np.arange(complex_.n_regions)}
    rt.explore({"a": part, "b": complex_}, tmp_path / "family.html")
    for page in opened_without_complaint(browser, tmp_path / "family.html"):
        assert page.page.locator("#parts").is_visible()
        go(page, 1)
        assert page.page.locator("#parts").is_hidden()
    rt.explore(part, tmp_path / "own.html", columns=columns)
    for page in opened_without_complaint(browser, tmp_path / "own.html"):
        assert page.page.locator("#parts").count() == 0
        assert page.js("[...rt.current.quantities.get('part').values]") == columns["part"].tolist()


def cells_lit(opened: Opened) -> set[tuple[tuple[float, float], ...]]:
    """Return the segments of the lit cycle, each with its ends in order."""
    flat = np.array(opened.js("[...rt.map.segments('cycle')]")).reshape(-1, 2, 2)
    return {tuple(sorted(map(tuple, ends.tolist()))) for ends in flat}


def test_a_class_lights_exactly_its_representative(moons: Moons, homology: Opened) -> None:
    frame = len(moons.run.steps) - 1
    go(homology, frame)
    diagram = moons.diagram(moons.run.steps[frame])
    homology.page.locator("#classes summary").click()
    n_lit = 0
    for degree in (0, 1):
        for cycle in diagram.representatives(degree):
            birth, death = cycle.birth, cycle.death
            name = f"{degree}:{cycle.pair[0]}"
            row = homology.page.locator("#classes tbody tr").filter(
                has=homology.page.get_by_role("button", name=f" {name}", exact=False)
            )
            if birth == death:
                assert homology.js("rt.cycle(rt.current, argument)", name) is None
                continue
            row.get_by_role("button").filter(has_text=f" {name}").first.click()
            assert homology.js("rt.store.get('pair')") == name
            if degree == 1:
                ends = cycle.segments
            else:
                ends = np.repeat(np.asarray(cycle.vertices)[:, None, :], 2, axis=1)
            expected = {tuple(sorted(map(tuple, pair.tolist()))) for pair in ends}
            assert cells_lit(homology) == expected
            n_lit += 1
    assert n_lit > 5
    homology.page.get_by_role("button", name="no class").click()
    assert cells_lit(homology) == set()


def test_a_mark_of_the_diagram_can_be_touched(moons: Moons, homology: Opened) -> None:
    frame = len(moons.run.steps) - 1
    go(homology, frame)
    diagram = moons.diagram(moons.run.steps[frame])
    classes = [cycle for degree in (0, 1) for cycle in diagram.representatives(degree)]
    ending = [cycle for cycle in classes if not cycle.is_essential]
    longest = max(ending, key=lambda cycle: cycle.death - cycle.birth)
    point = on_screen(homology, "diagram", longest.birth, longest.death)
    homology.page.mouse.click(*point)
    chosen = homology.js("rt.store.get('pair')")
    degree, number = map(int, chosen.split(":"))
    touched = next(c for c in classes if c.dim == degree and c.pair[0] == number)
    # Marks may lie on each other; what is touched is as near.
    near = pytest.approx((longest.birth, longest.death), abs=0.02)
    assert (touched.birth, touched.death) == near


def test_the_threshold_shows_what_has_entered(moons: Moons, homology: Opened) -> None:
    frame = 3
    go(homology, frame)
    diagram = moons.diagram(moons.run.steps[frame])
    complex_, entry = moons.complex_(moons.run.steps[frame]), diagram.filtration
    assert entry is not None
    starts = np.concatenate([[0], np.cumsum(complex_.n_cells)])
    vertices, edges, regions = (entry.values[starts[k] : starts[k + 1]] for k in range(3))
    ends = complex_.cell_vertices(1).indices.reshape(-1, 2)
    slider = homology.page.locator("#threshold")
    values = np.unique(entry.values)
    assert slider.get_attribute("max") == str(len(values) - 1)
    for place in (2, len(values) // 3, len(values) - 2):
        slider.fill(str(place))
        threshold = homology.js("rt.store.get('threshold')")
        assert threshold == values[place]
        is_in = np.append(regions <= threshold, False)[complex_.facet_regions]
        loose = (edges <= threshold) & ~is_in.any(axis=1)
        covered = np.isin(np.arange(len(vertices)), ends[edges <= threshold])
        n_lone = int(((vertices <= threshold) & ~covered).sum())
        lit = np.array(homology.js("[...rt.map.segments('entered')]")).reshape(-1, 4)
        assert len(lit) == loose.sum() + n_lone
        for degree in (0, 1):
            curve = homology.js(
                "rt.bettiCurve(argument, rt.current.arrays['classes:births'],"
                " rt.current.arrays['classes:deaths'], rt.current.arrays['classes:degrees'],"
                " rt.current.arrays['entry:vertices'])",
                degree,
            )
            at = np.searchsorted(curve["value"], threshold, side="right") - 1
            assert curve["height"][at] == diagram.betti_curve(degree)([threshold])[0]
    homology.page.get_by_role("button", name="whole complex").click()
    assert homology.js("rt.map.segments('entered').length") == 0


def test_the_address_brings_back_charts(browser: Browser, moons: Moons) -> None:
    path = moons.page("homology")
    with browser.opened(path) as page:
        go(page, 4)
        pair = page.js(
            "`${rt.current.arrays['classes:degrees'][1]}:${rt.current.arrays['classes:numbers'][1]}`"
        )
        page.js("rt.store.set({ pair: argument, threshold: 0.25, brush: '0.1..0.5' })", pair)
        address, selection = page.js("['#' + rt.store.address(), [...rt.store.get('selection')]]")
    for page in opened_without_complaint(browser, path, address=address):
        assert page.js("['frame', 'pair', 'threshold', 'brush'].map(rt.store.get)") == [
            4, pair, 0.25, "0.1..0.5",
        ]  # fmt: skip
        assert page.js("[...rt.store.get('selection')]") == selection
        assert cells_lit(page)
    for hostile in ("#pair=1:x&threshold=<b>&brush=9..1&frame=99", "#brush=..&pair=%00"):
        for page in opened_without_complaint(browser, path, address=hostile):
            state = page.js("['frame', 'pair', 'threshold', 'brush'].map(rt.store.get)")
            assert json.dumps(state) == json.dumps([0, "", None, ""])


@pytest.mark.parametrize("name", ["partition", "homology"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_narrow_screen_holds_all_charts(
    browser: Browser, moons: Moons, name: str, theme: str
) -> None:
    options = {"width": 360, "height": 740, "color_scheme": theme, "has_touch": True}
    for page in opened_without_complaint(browser, moons.page(name), **options):
        assert page.js("document.documentElement.scrollWidth") <= 360
        ink = page.js("getComputedStyle(document.documentElement).getPropertyValue('--ink')")
        label = page.js("[...Bokeh.index.roots][0].model.references()")
        assert label is not None
        colours = page.js(
            "[...Bokeh.index.roots].flatMap((view) => [...view.model.references()])"
            ".filter((model) => model.type.endsWith('Axis'))"
            ".map((model) => model.axis_label_text_color)"
        )
        assert set(colours) == {ink.strip()}


def test_what_is_selected_elsewhere_ends_the_range(moons: Moons, partition: Opened) -> None:
    partition.js("rt.store.set({ colour: 'volume', brush: '0..0.5' })")
    assert partition.js("rt.store.get('selection').length") > 0
    partition.js("rt.store.set({ selection: Int32Array.of(1, 2) })")
    assert partition.js("rt.store.get('brush')") == ""
    assert partition.js("[...rt.store.get('selection')]") == [1, 2]
    partition.js("rt.store.set({ brush: '0..0.5' })")
    partition.js("rt.store.set({ selection: null })")
    assert partition.js("rt.store.get('brush')") == ""
    assert partition.js("rt.store.get('selection')") is None


def test_the_dual_graph_can_be_seen_by_itself(moons: Moons, partition: Opened) -> None:
    graph = moons.complex_(moons.run.steps[0]).dual_graph()
    for name in ("decision", "cut", "points", "filled"):
        partition.page.locator(f"#over input[name={name}]").uncheck()
    partition.page.locator("#facets").select_option("none")
    script = """(() => {
      rt.map.draw();
      const gl = rt.map.canvas.getContext("webgl2");
      const { width, height } = rt.map.canvas;
      const pixels = new Uint8Array(4 * width * height);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      return new Set(new Uint32Array(pixels.buffer)).size;
    })()"""
    assert partition.js(script) == 1  # paper alone
    partition.page.locator("#over input[name=graph]").check()
    assert partition.js(script) > 1
    lines = partition.js("rt.map.segments('overlay:graph').length") / 4
    assert lines == graph.n_edges


def test_tables_say_what_charts_show(moons: Moons, partition: Opened) -> None:
    for summary in partition.page.locator("#charts summary").all():
        summary.click()
    for panel in ("time", "histogram", "spectrum"):  # filled when the browser tells of it
        partition.page.locator(f"#{panel} tbody tr").first.wait_for()
    rows = partition.page.locator("#time tbody tr")
    assert rows.count() == len(moons.run.steps)
    cells = rows.nth(0).locator("td").all_inner_texts()
    assert float(cells[0]) == pytest.approx(moons.run.history.train_loss[0], rel=1e-3)
    counts = partition.page.locator("#histogram tbody tr td:last-child").all_inner_texts()
    assert sum(map(int, counts)) == partition.js("rt.current.nRegions")
    order = partition.page.locator("#spectrum tbody tr td:nth-child(2)").all_inner_texts()
    assert order == partition.js("[...rt.current.arrays['spectrum:order']].map(String)")


def test_keys_of_the_map_lead_through_the_checkpoints(partition: Opened) -> None:
    partition.page.locator("#map").focus()
    for key, frame in (("]", 1), ("]", 2), ("[", 1)):
        partition.page.keyboard.press(key)
        partition.until(f"rt.current.index === {frame}")


def test_every_chart_has_a_name_and_words(partition: Opened) -> None:
    plots = partition.page.locator(".plot")
    assert plots.count() == 3
    for i in range(plots.count()):
        assert plots.nth(i).get_attribute("role") == "img"
        assert len(plots.nth(i).get_attribute("aria-label") or "") > 5
    unnamed = partition.js(
        "[...document.querySelectorAll('#charts :is(button, input, select), #timeline *')]"
        ".filter((one) => one.matches('button, input, select') && !one.labels?.length"
        " && !one.getAttribute('aria-label') && !one.textContent.trim()).length"
    )
    assert unnamed == 0


def test_hostile_names_of_data_run_nothing(browser: Browser, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror='globalThis.hit = 1'><b>\u2028\ud800"
    points = np.random.default_rng(0).normal(size=(20, 2))
    data = Dataset(hostile, points, np.where(points[:, 0] > 0, hostile, f"2 {hostile}"))
    settings = rt.TrainerSettings(n_steps=2, n_checkpoints=2)
    run = rt.train(data, rt.MlpSettings([4]), settings, directory=tmp_path / "run")
    rt.explore(run, tmp_path / "run.html")
    paths = rt.path_graph(rt.segments(run.network(2), points[:-1], points[1:]))
    labels = [f"{hostile}{k % 2}" for k in range(20)]
    rt.explore(paths, tmp_path / "paths.html", points=points, labels=labels)
    for name, colour in (("run", "decision"), ("paths", "label")):
        path, address = tmp_path / f"{name}.html", f"#colour={colour}&region=0"
        for page in opened_without_complaint(browser, path, address=address):
            page.page.locator(".categories input").first.check()
            for summary in page.page.locator("#charts summary").all():
                if summary.is_visible():
                    summary.click()
            assert page.js("globalThis.hit") is None
            assert page.page.locator("img").count() == 0
            assert "onerror" in page.page.locator(".categories").inner_text()


def test_a_slider_leads_through_a_family(browser: Browser, tmp_path: Path) -> None:
    network = rt.gallery.random_network([3, 8, 1], seed=0)
    family = {
        f"height <b>{z}</b>": rt.decompose(network, rt.AffineSlice([0, 0, z], np.eye(3)[:, :2]))
        for z in (-0.5, 0.0, 0.5)
    }
    rt.explore(family, tmp_path / "family.html", points=[[0.1, 0.2, 0.0]], labels=["a"])
    for page in opened_without_complaint(browser, tmp_path / "family.html"):
        for i, (label, complex_) in enumerate(family.items()):
            page.page.locator("#moment").fill(str(i))
            page.until(f"rt.current.index === {i}")
            assert page.js("rt.current.nRegions") == complex_.n_regions
            assert page.page.locator("#timeline output").inner_text().startswith(label)


def test_the_head_of_a_family_is_that_of_the_frame(browser: Browser, tmp_path: Path) -> None:
    box = rt.Box(-1, 1, dim=2)
    family = [rt.decompose(rt.gallery.random_network([2, n, 1]), box) for n in (4, 7)]
    rt.explore(family, tmp_path / "family.html")
    for page in opened_without_complaint(browser, tmp_path / "family.html"):
        for i, complex_ in enumerate(family):
            go(page, i)
            assert page.page.locator("h1").inner_text().endswith(f"2-{(4, 7)[i]}-1")
            assert page.page.title() == page.page.locator("h1").inner_text()
            words = page.page.locator("#summary").inner_text()
            assert words.startswith("complexes 2")
            assert f"regions {complex_.n_regions}" in words
    assert rt.explore(family, title="Two").html.count("<h1>Two</h1>") == 1


def test_a_path_graph_is_laid_out_with_its_classes(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(12, 6)), np.arange(12) % 3
    network = rt.gallery.random_network([6, 10, 3], seed=0)
    paths = rt.path_graph(rt.segments(network, points[:-1], points[1:]))
    rt.explore(paths, tmp_path / "paths.html", points=points, labels=labels)
    for page in opened_without_complaint(browser, tmp_path / "paths.html"):
        nodes = paths.graph.locate(points)
        assert page.js("rt.current.nRegions") == paths.graph.n_nodes
        classes = page.js("[...rt.current.quantities.get('label').values]")
        alone = np.bincount(nodes, minlength=paths.graph.n_nodes)[nodes] == 1
        assert [classes[node] for node in nodes[alone]] == labels[alone].tolist()
        region = int(nodes[0])
        around = page.js("rt.current.facetsOf(argument).map((f) => f.neighbour)", region)
        assert sorted(around) == paths.graph.adjacency[[region]].indices.tolist()
        # The octagon of a node is around its place, and nobody else's.
        middle = page.js("rt.current.middle(argument)", region)
        assert page.js("rt.current.locator().at(argument[0], argument[1])", middle) == region
