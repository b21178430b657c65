"""Complexes in space: the page's sections are those of the complex."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

import relutopo as rt
from browser import Browser, Opened
from relutopo.errors import InputError
from relutopo.explorer.spaces import cut_triangles, decision_triangles, geometry_of_space
from relutopo.homology.decision import decision


@pytest.fixture(scope="module")
def space() -> rt.CellComplex:
    network = rt.gallery.random_network([3, 8, 6, 1], seed=3)
    return rt.decompose(network, rt.Box([-1, -2, 0], [1, 1, 5]), enumerator="exact")


@pytest.fixture(scope="module")
def points() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform([-1, -2, 0], [1, 1, 5], (60, 3))


@pytest.fixture(scope="module")
def path(
    space: rt.CellComplex, points: NDArray[np.float64], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("space") / "page.html"
    part = rt.fiedler_partition(space.dual_graph(), points)
    rt.explore(part, path, points=points, labels=np.arange(60) % 2)
    return path


@pytest.fixture
def opened(browser: Browser, path: Path) -> Iterator[Opened]:
    with browser.opened(path) as page:
        yield page
        assert page.complaints == []
        assert page.requests == []


def plane_of(opened: Opened) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Return the plane that is shown: its normal, its place, and the two directions of the map."""
    script = "(({normal, at, across, up}) => [normal, at, [across, up]])(rt.current.plane)"
    normal, at, directions = opened.js(script)
    return np.array(normal), at, np.array(directions)


def lifted(flat: NDArray[np.float64], opened: Opened) -> NDArray[np.float64]:
    normal, at, directions = plane_of(opened)
    places: NDArray[np.float64] = at * normal + flat @ directions
    return places


@pytest.mark.slow
@pytest.mark.parametrize(
    ("direction", "share"),
    [
        ({"axis": 0}, 0.31),
        ({"axis": 1}, 0.5),
        ({"axis": 2}, 0.77),
        ({"turn": 40, "tilt": 55}, 0.5),
        ({"turn": -130, "tilt": 117}, 0.62),
        ({"turn": 0, "tilt": 0}, 0.4),
    ],
)
def test_a_section_is_that_of_the_complex(
    space: rt.CellComplex, opened: Opened, direction: dict[str, int], share: float
) -> None:
    opened.js("rt.store.set({section: {...argument, at: null}})", direction)
    normal, _, directions = plane_of(opened)
    basis = np.vstack([normal, directions])
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-14)
    if "tilt" in direction:  # angles are those in a cube
        turn, tilt = np.radians([direction["turn"], direction["tilt"]])
        widths = space.vertices.max(axis=0) - space.vertices.min(axis=0)
        in_cube = normal * widths / np.linalg.norm(normal * widths)
        expected = [np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)]
        np.testing.assert_allclose(in_cube, expected, atol=1e-12)
    heights = space.vertices @ normal
    at = float(heights.min() + share * np.ptp(heights))
    opened.js("rt.store.set({section: {...rt.store.get('section'), at: argument}})", at)
    low, high = (space.vertices @ directions.T).min(0), (space.vertices @ directions.T).max(0)
    flat = np.random.default_rng(3).uniform(low, high, (2000, 2))
    script = "argument.map(([x, y]) => rt.current.locator().at(x, y))"
    found = np.array(opened.js(script, flat.tolist()))
    assert (found != space.locate(lifted(flat, opened))).sum() <= 1
    assert (found >= 0).mean() > 0.3

    polygons = opened.js(
        "Array.from({length: rt.current.nRegions}, (_, r) => rt.current.polygon(r))"
    )
    area = 0.0
    for polygon in polygons:
        if polygon:
            x, y = np.array(polygon).reshape(-1, 2).T
            signed = 0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))
            assert signed > 0  # counterclockwise
            area += float(signed)
    ends = space.vertices[space.facets[0][1].reshape(-1, 2)]
    away = ends @ normal - at
    met = (away[:, 0] < 0) != (away[:, 1] < 0)
    (a, b), (p, q) = away[met].T, ends[met].transpose(1, 0, 2)
    hull = ConvexHull((p + (a / (a - b))[:, None] * (q - p)) @ directions.T)
    assert area == pytest.approx(hull.volume, rel=1e-9)

    # Ends of the decision's trace: the network is zero there.
    trace = np.array(opened.js("[...rt.map.segments('overlay:decision')]")).reshape(-1, 2)
    values = space.network(lifted(trace, opened))
    assert np.abs(values).max(initial=0.0) < 1e-9 * np.abs(space.network(space.vertices)).max()


@pytest.mark.slow
def test_the_plane_moves_by_keyboard_and_to_what_is_chosen(
    space: rt.CellComplex, browser: Browser, path: Path, opened: Opened
) -> None:
    page = opened.page
    before = opened.js("rt.current.plane.at")
    page.locator("#section-at").focus()
    page.keyboard.press("ArrowRight")
    assert opened.js("rt.current.plane.at") > before
    page.locator("#section-axis").focus()
    page.keyboard.press("ArrowUp")
    assert opened.js("rt.current.plane.axis") == 1
    missing = opened.js(
        "Array.from({length: rt.current.nRegions}, (_, r) => r).find((r) => !rt.current.isThere(r))"
    )
    opened.js("(rt.store.set({region: argument}), rt.map.showRegion(argument))", missing)
    assert opened.js("rt.current.isThere(argument)", missing)
    assert opened.js("rt.store.get('region')") == missing
    listed = page.locator("#region-panel .neighbours button").all_inner_texts()
    assert sorted(map(int, listed)) == list(space.region(missing).neighbours)
    page.locator("#space").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(600)
    with browser.opened(path, opened.js("location.hash")) as again:
        state = "[rt.current.plane, rt.store.get('spin'), rt.store.get('region')]"
        assert again.js(state) == opened.js(state)


@pytest.mark.slow
def test_cycles_are_lit_where_the_plane_meets_them(
    space: rt.CellComplex, browser: Browser, tmp_path: Path
) -> None:
    diagram = rt.persistence(space, rt.filtration(space, "random_closure", seed=0))
    path = tmp_path / "diagram.html"
    rt.explore(diagram, path)
    lines = space.facets[0][1].reshape(-1, 2)
    low, high = space.vertices.min(axis=0)[2], space.vertices.max(axis=0)[2]
    with browser.opened(path) as opened:
        for degree in (1, 2):
            cycles = diagram.representatives(degree)
            cycle = max(cycles, key=lambda c: len(c.cells))
            edges = np.asarray(cycle.cells)
            if degree == 2:  # their edges; each is of two of the faces
                indptr, indices = space.facets[1]
                edges = np.unique(
                    np.concatenate([indices[indptr[f] : indptr[f + 1]] for f in edges])
                )
            ends = space.vertices[lines[edges]]
            at = float(np.median(ends[:, :, 2]) + 1e-3)
            assert low < at < high
            with np.errstate(divide="ignore", invalid="ignore"):  # edges beside the plane
                share = (at - ends[:, 0, 2]) / (ends[:, 1, 2] - ends[:, 0, 2])
                places = ends[:, 0] + share[:, None] * (ends[:, 1] - ends[:, 0])
            expected = places[(share > 0) & (share < 1), :2]
            opened.js(
                "rt.store.set({section: {axis: 2, at: argument[0]}, pair: argument[1]})",
                [at, f"{degree}:{cycle.pair[0]}"],
            )
            lit = np.array(opened.js("[...rt.map.segments('cycle')]")).reshape(-1, 2)
            assert len(np.unique(lit.round(9), axis=0)) == len(expected) > 0
            distances = np.linalg.norm(lit[:, None] - expected[None], axis=2).min(axis=1)
            assert distances.max() < 1e-9
        assert opened.complaints == []


@pytest.mark.slow
def test_a_click_in_space_chooses_what_is_seen(space: rt.CellComplex, opened: Opened) -> None:
    """From above, with the plane at the top, the view is the map."""
    opened.js(
        "rt.store.set({section: {axis: 2, at: 4.9},"
        "spin: {yaw: -Math.PI / 2, pitch: 1.57, near: 1}, points: 'no'})"
    )
    opened.page.wait_for_timeout(200)
    box = opened.page.locator("#space").bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    middle = space.vertices.min(axis=0) / 2 + space.vertices.max(axis=0) / 2
    assert opened.js("rt.store.get('region')") == space.locate([*middle[:2], 4.9])


def test_arrays_of_space_are_those_of_the_complex(space: rt.CellComplex) -> None:
    arrays: dict[str, Any] = geometry_of_space(space)
    ends = arrays["places"][arrays["frameLines"]]
    # Along the edges of the box two coordinates stay at their limits.
    limits = [space.vertices.min(axis=0), space.vertices.max(axis=0)]
    at_limit = np.any([np.isclose(ends, limit).all(axis=1) for limit in limits], axis=0)
    assert (at_limit.sum(axis=1) == 2).all()
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert lengths.sum() == pytest.approx(4 * (2 + 3 + 5))
    skin = arrays["places"][arrays["skin"]]
    normals = np.cross(skin[:, 1] - skin[:, 0], skin[:, 2] - skin[:, 0])
    assert np.linalg.norm(normals, axis=1).sum() / 2 == pytest.approx(2 * (2 * 3 + 3 * 5 + 2 * 5))


def test_surfaces_are_where_they_should_be(
    space: rt.CellComplex, points: NDArray[np.float64]
) -> None:
    triangles, _ = decision_triangles(space)
    values = space.network(triangles.reshape(-1, 3))
    assert len(triangles)
    assert np.abs(values).max() < 1e-9 * np.abs(space.network(space.vertices)).max()
    part = rt.fiedler_partition(space.dual_graph(), points)
    cut = cut_triangles(part)
    normals = np.cross(cut[:, 1] - cut[:, 0], cut[:, 2] - cut[:, 0])
    owners = space.facet_regions
    inner = owners[:, 1] >= 0
    sides = np.where(inner, part.sides[owners[:, 0]] != part.sides[owners[:, 1]], False)
    area = np.linalg.norm(normals, axis=1).sum() / 2
    assert area == pytest.approx(space.facet_measures[sides].sum())


@pytest.mark.parametrize("n_outputs", [1, 4])
def test_the_surface_of_a_class_is_the_boundary_of_where_it_wins(n_outputs: int) -> None:
    network = rt.gallery.random_network([3, 8, 6, n_outputs], seed=3)
    complex_ = rt.decompose(network, rt.Box(-1, 1, dim=3), enumerator="exact")
    found = decision(complex_)
    walls, arrays = decision_triangles(complex_)
    for class_ in range(found.n_classes):
        own = np.concatenate(
            [
                walls[(arrays["wallClasses"] == class_).any(axis=1)],
                arrays["sides"][arrays["sideClasses"] == class_],
            ]
        )
        normals = np.cross(own[:, 1] - own[:, 0], own[:, 2] - own[:, 0])
        area = np.linalg.norm(normals, axis=1).sum() / 2
        both = found.refined.facet_regions
        inside = np.where(both >= 0, found.classes[both] == class_, False)
        is_border = inside[:, 0] != inside[:, 1]
        assert area == pytest.approx(found.refined.facet_measures[is_border].sum(), abs=1e-12)
        # It is closed: turned outwards, its triangles enclose the volume of the class.
        middles = own.mean(axis=1)
        outwards = normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]
        ahead = middles + 1e-7 * outwards
        outputs = network(np.where(np.abs(ahead) <= 1, ahead, middles + -1e-7 * outwards))
        winners = outputs.argmax(axis=1) if n_outputs > 1 else (outputs[:, 0] > 0).astype(int)
        is_out = (np.abs(ahead) > 1).any(axis=1) | (winners != class_)
        signs = np.where(is_out, 1.0, -1.0)
        volume = (signs * (normals * middles).sum(axis=1)).sum() / 6
        assert volume == pytest.approx(found.volumes[class_], abs=1e-6)


@pytest.mark.slow
def test_the_surface_of_a_class_is_chosen_and_traced(
    space: rt.CellComplex, browser: Browser, path: Path, opened: Opened
) -> None:
    page = opened.page
    assert page.locator("#surface option").all_inner_texts() == ["none", "0", "1"]
    page.locator("#surface").focus()
    page.keyboard.press("ArrowDown")
    assert opened.js("rt.store.get('surface')") == 0
    opened.js("rt.store.set({section: {turn: 20, tilt: 70, at: null}})")
    trace = np.array(opened.js("[...rt.map.segments('surface')]")).reshape(-1, 2)
    places = lifted(trace, opened)
    low, high = space.vertices.min(axis=0), space.vertices.max(axis=0)
    on_side = np.minimum(places - low, high - places).min(axis=1) < 1e-9
    values = space.network(places)[:, 0] / np.abs(space.network(space.vertices)).max()
    assert (on_side | (np.abs(values) < 1e-9)).all()
    assert (values < 1e-9).all()
    assert on_side.any()
    assert not on_side.all()
    assert "surface of one class: 0" in page.locator("#legend").inner_text()
    page.wait_for_timeout(400)
    with browser.opened(path, opened.js("location.hash")) as again:
        state = "[rt.store.get('surface'), rt.store.get('section')]"
        assert again.js(state) == opened.js(state) == [0, {"turn": 20, "tilt": 70, "at": None}]


@pytest.mark.slow
def test_hostile_sections_in_the_address_change_nothing(browser: Browser, path: Path) -> None:
    values = ["3,0", "2", ",", ",,", "nan,nan,0", "1e999,0,0", "10,200,0", "190,10,0", "0,1,2,3"]
    with browser.opened(path) as opened:
        initial = opened.js("rt.store.get('section')")
        for value in values:
            opened.js("(location.hash = `section=${argument}&surface=7&spin=a`)", value)
            opened.page.wait_for_timeout(30)
            assert opened.js("[rt.store.get('section'), rt.store.get('surface')]") == [initial, -1]
        opened.js("(location.hash = 'section=1,2,&surface=1')")
        opened.until("rt.store.get('surface') === 1")
        assert opened.js("rt.store.get('section')") == {"turn": 1, "tilt": 2, "at": None}
        opened.js("(location.hash = 'section=0,-9e300')")
        opened.until("rt.store.get('section').axis === 0")
        assert opened.js("rt.current.plane.at") >= -1  # inside
        assert opened.complaints == []


@pytest.mark.slow
def test_the_plane_is_turned_by_keyboard_and_meets_what_is_chosen(
    space: rt.CellComplex, opened: Opened
) -> None:
    page = opened.page
    assert page.locator("#section-angles").is_hidden()
    page.locator("#section-axis").select_option("free")
    before = opened.js("rt.current.plane.normal")
    for name in ("turn", "tilt"):
        page.locator(f"#section-{name}").focus()
        page.keyboard.press("ArrowRight")
        after = opened.js("rt.current.plane.normal")
        assert after != before
        before = after
    assert "x₁" in page.locator("#section-words").inner_text()
    missing = opened.js(
        "Array.from({length: rt.current.nRegions}, (_, r) => r).find((r) => !rt.current.isThere(r))"
    )
    opened.js("(rt.store.set({region: argument}), rt.map.showRegion(argument))", missing)
    assert opened.js("rt.current.isThere(argument)", missing)
    assert opened.js("rt.current.plane.normal") == before


def test_other_dimensions_are_refused(space: rt.CellComplex) -> None:
    line = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    with pytest.raises(InputError, match="dimension 2 or 3 to be explored, got dimension 1"):
        rt.explore(line)
