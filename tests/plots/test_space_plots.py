from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from relutopo import Box, CellComplex, decompose
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.plots import plot_space, save_figure
from relutopo.plots.space import polygons_in_space


@pytest.fixture(scope="module")
def cube() -> CellComplex:
    return decompose(random_network([3, 6, 4, 1], 1), Box(-1, 1, dim=3))


def test_polygons_have_the_areas_of_the_faces(cube: CellComplex) -> None:
    faces = np.arange(cube.n_cells[2])[::-1]
    for face, corners in zip(faces, polygons_in_space(cube, faces), strict=True):
        arms = corners - corners[0]
        area = 0.5 * np.linalg.norm(np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0))
        assert area == pytest.approx(cube.facet_measures[face], abs=1e-12)


def test_the_surface_of_everything_is_the_border(cube: CellComplex, tmp_path: Path) -> None:
    figure = plot_space(cube, values=cube.volumes, keep=np.ones(cube.n_regions, dtype=bool))
    (faces,) = figure.axes[0].collections
    assert len(faces.get_facecolor()) == (cube.facet_labels < 0).sum()
    png, _ = save_figure(figure, tmp_path / "cube")
    assert png.stat().st_size > 10_000


def test_errors_of_space_figures(cube: CellComplex) -> None:
    plane = decompose(random_network([2, 3, 1], 0), Box(-1, 1, dim=2))
    with pytest.raises(InputError, match="`complex_` must have dimension 3, got 2"):
        plot_space(plane)
    with pytest.raises(InputError, match=f"one entry for each of the {cube.n_regions} regions"):
        plot_space(cube, values=[1.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "example", sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.py")), ids=str
)
def test_examples_leave_their_figure(example: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / f"{example.stem}.png").stat().st_size > 10_000
