"""Complexes in space: the page's sections are those of the complex."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import relutopo as rt
from browser import Browser, Opened
from relutopo.errors import InputError
from relutopo.explorer.spaces import cut_triangles, decision_triangles, geometry_of_space


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


def lifted(flat: NDArray[np.float64], axis: int, at: float) -> NDArray[np.float64]:
    return np.insert(flat, axis, at, axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "share"), [(0, 0.31), (1, 0.5), (2, 0.77)])
def test_a_section_is_that_of_the_complex(
    space: rt.CellComplex, opened: Opened, axis: int, share: float
) -> None:
    low, high = space.vertices.min(axis=0), space.vertices.max(axis=0)
    at = float(low[axis] + share * (high - low)[axis])
    opened.js("rt.store.set({section: argument})", {"axis": axis, "at": at})
    rest = [i for i in range(3) if i != axis]
    flat = np.random.default_rng(axis).uniform(low[rest], high[rest], (2000, 2))
    script = "argument.map(([x, y]) => rt.current.locator().at(x, y))"
    found = np.array(opened.js(script, flat.tolist()))
    expected = space.locate(lifted(flat, axis, at))
    assert (found != expected).sum() <= 1
    assert found.min() >= 0

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
    assert area == pytest.approx(np.prod((high - low)[rest]), rel=1e-9)

    # Ends of the decision's trace: the network is zero there.
    trace = np.array(opened.js("[...rt.map.segments('overlay:decision')]")).reshape(-1, 2)
    values = space.network(lifted(trace, axis, at))
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
    triangles = decision_triangles(space)
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


def test_other_dimensions_are_refused(space: rt.CellComplex) -> None:
    line = rt.decompose(([[[1.0]], [[1.0]]], [[0.0], [0.0]]), rt.Box(-1, 1), enumerator="exact")
    with pytest.raises(InputError, match="dimension 2 or 3 to be explored, got dimension 1"):
        rt.explore(line)
