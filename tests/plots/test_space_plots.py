from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.proj3d import proj_transform

from relutopo import Box, CellComplex, decompose
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.plots import plot_function, plot_space, save_figure
from relutopo.plots.space import polygons_in_space
from relutopo.plots.surfaces import Surface

# Up and down along both axes.
FOLDS = (
    [[[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4, [[4.0, -8.0, 8.0, -8.0, 3.0, -6.0, 6.0, -6.0]]],
    [[1.0, 0.5, 0.0, -0.5] * 2, [0.0]],
)


@pytest.fixture(scope="module")
def cube() -> CellComplex:
    return decompose(random_network([3, 6, 4, 1], 1), Box(-1, 1, dim=3))


def test_polygons_have_the_areas_of_the_faces(cube: CellComplex) -> None:
    faces = np.arange(cube.n_cells[2])[::-1]
    for face, corners in zip(faces, polygons_in_space(cube, faces), strict=True):
        arms = corners - corners[0]
        area = 0.5 * np.linalg.norm(np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0))
        assert area == pytest.approx(cube.facet_measures[face], abs=1e-12)


@pytest.mark.slow
def test_the_surface_of_everything_is_the_border(cube: CellComplex, tmp_path: Path) -> None:
    figure = plot_space(cube, values=cube.volumes, keep=np.ones(cube.n_regions, dtype=bool))
    (surface,) = drawn(figure.axes[0])
    assert len(surface._faces) == (cube.facet_labels < 0).sum()
    area = sum(np.linalg.norm(area_of(face)) for face in surface._faces)
    assert area == pytest.approx(24.0)
    png, _ = save_figure(figure, tmp_path / "cube")
    assert png.stat().st_size > 10_000
    assert 0 < len(surface.get_paths()) < len(surface._faces)  # three sides are hidden


def drawn(ax: Any) -> list[Any]:
    ax.figure.draw_without_rendering()
    return [c for c in ax.collections if isinstance(c, Surface)]


def area_of(corners: Any) -> Any:
    arms = corners - corners[0]
    return np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0) / 2


def depth_at(face: Any, view: Any, at: Any) -> float:
    """How far a face is where one looks, NaN where it is not; by a fan of triangles."""
    x, y, z = proj_transform(*face.T, view)
    flat = np.column_stack([x, y])
    for i in range(1, len(face) - 1):
        a, b, c = flat[0], flat[i], flat[i + 1]
        matrix = np.column_stack([b - a, c - a])
        if abs(np.linalg.det(matrix)) < 1e-14:
            continue
        s, t = np.linalg.solve(matrix, at - a)
        if min(s, t, 1 - s - t) > 1e-6:
            return float(z[0] + s * (z[i] - z[0]) + t * (z[i + 1] - z[0]))
    return float("nan")


@pytest.mark.parametrize("view", [(28.0, -50.0), (-40.0, 130.0), (5.0, 10.0), (80.0, -100.0)])
@pytest.mark.parametrize("projection", ["persp", "ortho"])
@pytest.mark.parametrize("kind", ["space", "function"])
def test_the_nearest_face_is_seen_from_everywhere(
    cube: CellComplex, kind: str, view: tuple[float, float], projection: Any
) -> None:
    ax: Any = Figure().add_subplot(projection="3d", proj_type=projection)
    if kind == "space":
        plot_space(cube, ax=ax, view=view)
    else:
        plot_function(decompose(FOLDS, Box(-1, 1, dim=2)), ax=ax, view=view)
    (surface,) = drawn(ax)
    places = surface.get_paths()
    hidden = 0
    for at in np.random.default_rng(0).uniform(-0.08, 0.08, (60, 2)):
        depths = np.array([depth_at(face, ax.M, at) for face in surface._faces])
        if np.isnan(depths).all():
            continue
        nearest = np.nanargmin(depths)
        last = max(i for i, path in enumerate(places) if path.contains_point(at, radius=-1e-9))
        corners = np.column_stack(proj_transform(*surface._faces[nearest].T, ax.M)[:2])
        assert np.allclose(places[last].vertices[:-1], corners)
        hidden += int(np.isfinite(depths).sum() > 1)
    assert hidden > 5 or (kind == "function" and abs(view[0]) > 20)  # from above all is seen


def test_the_surface_of_a_function_goes_through_its_values() -> None:
    plane = decompose(random_network([2, 7, 6, 3], 2), Box(-1, 1, dim=2))
    figure = plot_function(plane, 1, title="second output")
    (surface,) = drawn(figure.axes[0])
    assert len(surface._faces) == len(surface.get_paths()) == plane.n_regions
    for face in surface._faces:
        assert plane.network(face[:, :2])[:, 1] == pytest.approx(face[:, 2])
    with pytest.raises(InputError, match="`output` must be chosen for a network of 3 outputs"):
        plot_function(plane)
    with pytest.raises(InputError, match="`output` must be"):
        plot_function(plane, 3)
    with pytest.raises(InputError, match="`complex_` must have dimension 2, got 1"):
        plot_function(decompose(random_network([1, 3, 1], 2), Box(-1, 1)))


def test_figures_in_space_stay_within_their_axes(cube: CellComplex) -> None:
    figure = Figure(figsize=(9, 4))
    ax: Any = figure.add_subplot(1, 2, 1, projection="3d")
    other = figure.add_subplot(1, 2, 2)
    assert plot_space(cube, ax=ax, values="volume", label="share") is ax
    figure.draw_without_rendering()
    assert ax.get_tightbbox().x1 <= other.bbox.x0
    assert len(figure.axes) == 2
    assert len(ax.child_axes) == 1
    with pytest.raises(InputError, match="`ax` must be axes of three dimensions, got"):
        plot_space(cube, ax=other)


def test_errors_of_space_figures(cube: CellComplex) -> None:
    plane = decompose(random_network([2, 3, 1], 0), Box(-1, 1, dim=2))
    with pytest.raises(InputError, match="`complex_` must have dimension 3, got 2"):
        plot_space(plane)
    with pytest.raises(InputError, match=f"one entry for each of the {cube.n_regions} regions"):
        plot_space(cube, values=[1.0])
    with pytest.raises(InputError, match="`keep` must have one entry for each"):
        plot_space(cube, keep=[True])


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ELSEWHERE = {"convolutional_segments", "pages"}
"""Of which test_readme and test_page ask that they run."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "example", sorted(p for p in EXAMPLES.glob("*.py") if p.stem not in ELSEWHERE), ids=str
)
def test_examples_leave_their_figure(example: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / f"{example.stem}.png").stat().st_size > 10_000
