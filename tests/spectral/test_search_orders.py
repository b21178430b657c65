"""Orders, budgets, processes and files of a search, against the exact complex and each other."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError, RelutopoError
from relutopo.gallery import random_network
from relutopo.geometry.crew import crew
from relutopo.geometry.patterns import find_patterns, pack_patterns
from relutopo.spectral.search_starts import Starts

NETWORK, BOX = random_network([2, 8, 6, 1], 3), rt.Box(-2, 2, dim=2)
POINTS = np.random.default_rng(5).uniform(-2, 2, (3, 2))


def assert_part_of(search: rt.RegionSearch, complex_: rt.CellComplex) -> None:
    at = find_patterns(pack_patterns(search.patterns), complex_.packed_patterns)
    assert (at >= 0).all()
    whole = complex_.dual_graph().edges
    induced = whole[np.isin(whole, at).all(axis=1)]
    found = np.sort(at[search.graph.edges], axis=1)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, induced.tolist()))
    degrees = np.bincount(whole.ravel(), minlength=complex_.n_regions)
    np.testing.assert_array_equal(search.n_walls, degrees[at])


def same(a: rt.RegionSearch, b: rt.RegionSearch) -> None:
    np.testing.assert_array_equal(a.patterns, b.patterns)
    np.testing.assert_array_equal(a.graph.edges, b.graph.edges)
    np.testing.assert_array_equal(a.n_walls, b.n_walls)
    np.testing.assert_array_equal(a.visits, b.visits)
    np.testing.assert_allclose(a.interior_points, b.interior_points, atol=1e-6)
    assert (a.status, a.n_frontier, a.n_open) == (b.status, b.n_frontier, b.n_open)


@pytest.mark.parametrize("order", ["breadth_first", "nearest", "random_walk"])
def test_every_order_finds_all_in_the_end(order: Any) -> None:
    complex_ = rt.decompose(NETWORK, BOX)
    limit = complex_.n_regions + 5
    search = rt.search_regions(NETWORK, BOX, POINTS, order=order, max_regions=limit)
    assert (search.status, search.order) == ("complete", order)
    assert search.n_regions == complex_.n_regions
    assert_part_of(search, complex_)


@pytest.mark.parametrize("order", ["breadth_first", "nearest", "random_walk"])
@pytest.mark.parametrize("n", [1, 5, 40])
def test_a_part_is_a_connected_part_with_its_seeds(order: Any, n: int) -> None:
    search = rt.search_regions(NETWORK, BOX, POINTS[:1], order=order, max_regions=n)
    assert (search.n_regions, search.status) == (n, "max_regions")
    assert search.graph.locate(POINTS[:1]).tolist() == [0]
    assert_part_of(search, rt.decompose(NETWORK, BOX))
    # Each region but the first was met behind a wall of an earlier one.
    for region in range(1, n):
        at = search.graph.edges[search.graph.edges[:, 1] == region]
        assert (at[:, 0] < region).any()


def test_nearest_regions_come_first() -> None:
    grid = rt.ReluNetwork(
        [np.repeat(np.eye(2), 9, axis=0), np.ones((1, 18))], [[*-np.arange(-4.0, 5.0)] * 2, [0.0]]
    )
    search = rt.search_regions(
        grid, rt.Box(-5, 5, dim=2), [[0.5, 0.5]], order="nearest", max_regions=45
    )
    far = np.abs(search.interior_points - 0.5).max(axis=1)
    # In batches of 32: the first one, its eight neighbours, then those further away.
    assert far[0] < 0.1
    assert far.max() < 4.1
    np.testing.assert_array_equal(np.sort(far[:5].round(6)), [0, 1, 1, 1, 1])
    breadth = rt.search_regions(grid, rt.Box(-5, 5, dim=2), [[0.5, 0.5]], max_regions=45)
    assert search.interior_points.std() < breadth.interior_points.std() + 0.1


def test_distances_from_the_nearest_seed() -> None:
    rng = np.random.default_rng(0)
    seeds, points = 1e3 + rng.uniform(-1, 1, (40, 3)), 1e3 + rng.uniform(-1, 1, (9, 3))
    starts = Starts(random_network([3, 4, 1], 0), rt.Box(998, 1002, dim=3), seeds)
    right = np.linalg.norm(points[:, None] - seeds, axis=2).min(axis=1)
    np.testing.assert_allclose(starts.distances(points), right, rtol=1e-9)
    assert starts.distances(np.empty((0, 3))).shape == (0,)


@examples(25)
@given(
    dim=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer"]),
    n=st.integers(2, 4),
)
def test_a_path_is_what_a_line_meets(dim: int, seed: int, kind: str, n: int) -> None:
    network, box = random_network([dim, 5, 4, 1], seed, kind), rt.Box(-2, 2, dim=dim)
    corners = np.random.default_rng(seed).uniform(-2, 2, (n, dim))
    search = rt.search_regions(network, box, corners, order="path")
    line = rt.segments(network, corners[:-1], corners[1:])
    met = [tuple(row) for i in range(n - 1) for row in line.patterns(i).tolist()]
    order = list(dict.fromkeys(met))
    found = [tuple(row) for row in search.patterns.tolist()]
    assert [row for row in found if row in set(order)] == order
    complex_ = rt.decompose(network, box, enumerator="exact")
    assert_part_of(search, complex_)
    assert search.status in ("path", "complete")
    # Neighbours on the way share a wall, unless the line goes through a corner.
    if kind == "gaussian":
        edges = set(map(tuple, search.graph.edges.tolist()))
        trail = Starts(network, box, corners, is_path=True).patterns()
        steps = [found.index(tuple(row.tolist())) for row in trail]
        for u, v in pairwise(steps):
            assert u == v or (min(u, v), max(u, v)) in edges


def test_a_path_along_a_wall_and_through_corners() -> None:
    cross = rt.ReluNetwork([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    box = rt.Box(-1, 1, dim=2)
    for path in ([[0, -0.75], [0, 0.5]], [[-0.5, -0.5], [0.5, 0.5]], [[0, 0], [0, 0]]):
        search = rt.search_regions(cross, box, path, order="path")
        assert 1 <= search.n_regions <= 3
        assert_part_of(search, rt.decompose(cross, box))


def test_random_walks_visit_regions_by_their_walls() -> None:
    cross = rt.ReluNetwork([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 1.0]]], [[0.5, -0.5], [0.0]])
    search = rt.search_regions(
        cross, rt.Box(-1, 1, dim=2), [[0.0, 0.0]], order="random_walk", max_regions=3
    )
    assert search.status == "complete"
    ends, middle = search.visits[search.n_walls == 1], search.visits[search.n_walls == 2]
    assert (ends >= 1).all()
    assert middle[0] >= ends.sum() - 1
    first, again, other = (
        rt.search_regions(
            NETWORK, BOX, POINTS, order="random_walk", max_regions=30, seed=seed
        ).patterns.tolist()
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


@pytest.mark.slow
@pytest.mark.parametrize("order", ["breadth_first", "nearest", "random_walk", "path"])
def test_processes_change_nothing(order: Any) -> None:
    alone, together = (
        rt.search_regions(NETWORK, BOX, POINTS, order=order, max_regions=40, n_processes=n)
        for n in (1, 2)
    )
    same(alone, together)


@pytest.mark.parametrize("order", ["breadth_first", "nearest", "random_walk", "path"])
def test_a_search_goes_on_from_its_file(order: Any, tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    whole = rt.search_regions(NETWORK, BOX, POINTS, order=order, max_regions=33)
    for n in (1, 33):
        part = rt.search_regions(NETWORK, BOX, POINTS, order=order, max_regions=n, file=file)
        if order != "path":
            assert part.n_regions == n
    assert part.seconds > 0
    again = rt.search_regions(NETWORK, BOX, POINTS, order=order, max_regions=33, file=file)
    same(part, again)
    if order == "nearest":  # which regions are nearest is asked for 32 at a time
        assert_part_of(part, rt.decompose(NETWORK, BOX))
    else:
        same(whole, part)


def test_an_interrupt_leaves_what_was_found(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"

    def interrupt(done: int, total: int, message: str = "") -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rt.search_regions(NETWORK, BOX, POINTS, file=file, progress=interrupt)
    dones: list[int] = []
    search = rt.search_regions(
        NETWORK, BOX, POINTS, file=file, progress=lambda done, *_: dones.append(done)
    )
    assert dones[0] == 6
    same(search, rt.search_regions(NETWORK, BOX, POINTS))


def test_budgets_in_seconds() -> None:
    search = rt.search_regions(NETWORK, BOX, POINTS, max_seconds=1e-9)
    assert (search.n_regions, search.status) == (1, "max_seconds")
    assert search.n_frontier > 0
    some = rt.search_regions(NETWORK, BOX, POINTS, max_seconds=0.05)
    assert some.n_regions > 0
    assert some.status in ("max_seconds", "complete")
    assert_part_of(some, rt.decompose(NETWORK, BOX))
    assert rt.search_regions(NETWORK, BOX, POINTS, max_seconds=600).complete


def test_progress_says_how_long_it_takes() -> None:
    said: list[str] = []
    rt.search_regions(
        NETWORK, BOX, max_regions=3, progress=lambda done, total, message="": said.append(message)
    )
    assert len(said) == 3
    assert "ms a region" in said[0]
    assert said[-1].endswith("0 s to max_regions")


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    rt.search_regions(NETWORK, BOX, max_regions=3, file=file)
    for changed in (
        {"model": random_network([2, 8, 6, 1], 4)},
        {"domain": rt.Box(-2, 2.5, dim=2)},
        {"order": "nearest"},
    ):
        arguments: dict[str, Any] = {"model": NETWORK, "domain": BOX} | changed
        with pytest.raises(InputError, match=r"`file` .* must hold a search of the same network"):
            rt.search_regions(**arguments, max_regions=3, file=file)
    content = file.read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:-200] + bytes(200)):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"`file` .* cannot be read as a search"):
            rt.search_regions(NETWORK, BOX, max_regions=3, file=file)


def test_changed_arrays_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "search.npz"
    rt.search_regions(NETWORK, BOX, max_regions=3, file=file)
    with np.load(file) as archive:
        arrays = dict(archive)
    for name, value in {
        "entered": arrays["entered"][::-1] * 0,
        "behind": arrays["behind"] + 1000,
        "n_behind": arrays["n_behind"] + 1,
        "centres": arrays["centres"][:, :1],
        "met": arrays["met"] * 0,
    }.items():
        np.savez(file, **(arrays | {name: value}))
        with pytest.raises(InputError, match="cannot be read as a search"):
            rt.search_regions(NETWORK, BOX, max_regions=3, file=file)


def test_errors() -> None:
    with pytest.raises(InputError, match="`order` must be"):
        rt.search_regions(NETWORK, BOX, order="depth_first")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a random walk never ends by itself; pass max_regions"):
        rt.search_regions(NETWORK, BOX, order="random_walk")
    with pytest.raises(InputError, match="`max_seconds` must be"):
        rt.search_regions(NETWORK, BOX, max_seconds=0)
    with pytest.raises(InputError, match="`n_processes` must be an integer from 1"):
        rt.search_regions(NETWORK, BOX, n_processes=0)
    with pytest.raises(InputError, match="`seeds` must be at least two points of a path, got 0"):
        rt.search_regions(NETWORK, BOX, order="path")
    with pytest.raises(InputError, match="`seeds` must have all points in the domain, got 1"):
        rt.search_regions(NETWORK, BOX, [[0.0, 0.0], [3.0, 0.0]], order="path")


def test_a_process_that_dies_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with (
        pytest.raises(RelutopoError, match="ended with status 0; pass n_processes=1"),
        crew(NETWORK, BOX, 2) as find,
    ):
        next(find(NETWORK.signs(POINTS) > 0))


@pytest.mark.slow
def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import relutopo as rt\n"
        "network = rt.gallery.random_network([2, 8, 6, 1], 3)\n"
        "print(rt.search_regions(network, rt.Box(-2, 2, dim=2), max_regions=9, n_processes=2))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.startswith("RegionSearch(9 regions, max_regions, ")


def test_tables() -> None:
    points = np.random.default_rng(0).uniform(-2.2, 2.2, (60, 2))
    search = rt.search_regions(NETWORK, BOX, points, max_regions=20)
    table, of_points = search.table(points), search.points_table(points)
    assert list(rt.columns(table)) == list(table.columns)
    assert list(rt.columns(of_points)) == list(of_points.columns)
    assert table.n_walls.tolist() == search.n_walls.tolist()
    assert (table.inradius <= table.most_inradius).all()
    assert (table.n_neighbours <= table.n_walls).all()
    assert of_points.region.tolist() == search.graph.locate(points).tolist()
    inside = of_points[of_points.region >= 0]
    assert table.n_points.sum() == len(inside)
    least = inside.groupby("region").margin.min()
    np.testing.assert_allclose(table.least_margin[least.index], least)
    assert table.least_margin.isna().sum() == len(table) - len(least)
    assert (inside.inradius == table.inradius[inside.region].to_numpy()).all()
    assert (of_points[of_points.region < 0].n_walls == -1).all()
    assert "visits" not in table
    walk = rt.search_regions(NETWORK, BOX, points, order="random_walk", max_regions=20)
    assert walk.table().visits.tolist() == walk.visits.tolist()


@pytest.mark.parametrize("n_regions", [1, 2])
def test_points_of_few_regions(n_regions: int) -> None:
    network = random_network([5, 8, 1], seed=0)
    points = np.random.default_rng(0).uniform(-1, 1, (10, 5))
    search = rt.search_regions(network, rt.Box(-1, 1, dim=5), points[:1], max_regions=n_regions)
    table = search.points_table(points)
    known = table["region"] >= 0
    assert known[0]
    assert (table["n_walls"][known] == search.n_walls[table["region"][known]]).all()
    assert table["inradius"][~known].isna().all()
    assert (table["n_walls"][~known] == -1).all()
