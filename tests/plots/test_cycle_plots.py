"""Cycles are drawn where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import meshio
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

import relutopo as rt
from relutopo.errors import InputError
from relutopo.plots import plot_cycles
from relutopo.plots.style import INK, PALETTE

PLANE = rt.decompose(rt.gallery.random_network([2, 8, 6, 1], seed=2), rt.Box(-1, 1, dim=2))
DIAGRAM = rt.persistence(PLANE, rt.filtration(PLANE, "random_closure", seed=0))
SPACE = rt.decompose(rt.gallery.random_network([3, 4, 1], seed=0), rt.Box(-1, 1, dim=3))
IN_SPACE = rt.persistence(SPACE, rt.filtration(SPACE, "random_closure", seed=0))
LABEL = "$H_{}$ from {:.4g} to {:.4g}"


def sets(segments: Any) -> set[frozenset[tuple[float, ...]]]:
    return {frozenset(map(tuple, segment)) for segment in np.asarray(segments).tolist()}


def test_few_cycles_have_colours_and_names() -> None:
    cycles = DIAGRAM.representatives(1)[:3]
    (ax,) = plot_cycles(cycles).axes
    lines = {c.get_label(): c for c in ax.collections if isinstance(c, LineCollection)}
    for cycle, colour in zip(cycles, PALETTE, strict=False):
        drawn = lines[LABEL.format(1, cycle.birth, cycle.death)]
        assert sets(drawn.get_segments()) == sets(cycle.segments)
        assert tuple(np.asarray(drawn.get_colors())[0]) == to_rgba(colour)
    everything = sets(np.concatenate([c.get_segments() for c in lines.values()]))
    assert sets(PLANE.vertices[PLANE.facets[0][1].reshape(-1, 2)]) <= everything
    (legend,) = ax.figure.legends
    assert len(legend.get_texts()) == 3


def test_points_are_drawn_and_equal_names_numbered() -> None:
    pair = DIAGRAM.representatives(0)[0]
    (ax,) = plot_cycles([pair, pair]).axes
    dots = [c for c in ax.collections if isinstance(c, PathCollection)]
    name = LABEL.format(0, pair.birth, pair.death)
    assert [c.get_label() for c in dots] == [f"{name} (1)", f"{name} (2)"]
    for c in dots:
        np.testing.assert_array_equal(np.asarray(c.get_offsets()), pair.vertices)


def test_many_cycles_have_the_colours_of_their_lives() -> None:
    cycles = [*DIAGRAM.representatives(1), *DIAGRAM.representatives(0, least=np.inf)]
    figure = plot_cycles(cycles, title="all")
    ax, bar = figure.axes
    assert (ax.get_title(), bar.get_ylabel()) == ("all", "life of the class")
    (endless,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert tuple(np.asarray(endless.get_facecolor())[0]) == to_rgba(INK)
    lines = [c for c in ax.collections if isinstance(c, LineCollection)][-1]
    last = max(cycles[:-1], key=lambda cycle: cycle.death - cycle.birth)
    drawn = np.array(lines.get_segments())[-len(last.cells) :]  # on top
    assert sets(drawn) == sets(last.segments)
    assert len(np.unique(np.asarray(lines.get_colors())[-len(last.cells) :], axis=0)) == 1
    assert len(lines.get_segments()) == sum(len(cycle.cells) for cycle in cycles[:-1])
    plt.close("all")


def test_axes_of_ones_own_are_kept() -> None:
    ax = plt.figure().add_subplot()
    ax.set(xlim=(0, 9), ylim=(0, 5))
    cycle = DIAGRAM.representatives(1)[0]
    assert plot_cycles(cycle, ax=ax, legend=False) is ax
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 9), (0, 5))
    assert len(ax.collections) == 2  # the cycle, and the casing below
    plot_cycles(cycle, PLANE, ax=ax)
    assert ax.get_xlim() == (-1, 1)
    plt.close("all")


@pytest.mark.slow
def test_cycles_of_a_decision() -> None:
    diamond = ([np.vstack([np.eye(2), -np.eye(2)]), np.ones((1, 4))], [np.zeros(4), [-0.5]])
    complex_ = rt.decompose(diamond, rt.Box(-1, 1, dim=2))
    loops = rt.homology_basis(rt.decision_boundary(complex_), 1)
    (wide,), (narrow,) = plot_cycles(loops, complex_).axes, plot_cycles(loops).axes
    assert wide.get_xlim() == (-1, 1)
    low, high = narrow.get_xlim()
    assert -0.6 < low < -0.5 < 0.5 < high < 0.6
    for ax in (wide, narrow):
        lines = [c for c in ax.collections if isinstance(c, LineCollection)]
        (loop,) = (c for c in lines if c.get_label() == "$H_1$ from 0 on")
        assert sets(loop.get_segments()) == sets(loops[0].segments)


@pytest.mark.slow
def test_cycles_in_space() -> None:
    surface, loop = IN_SPACE.representatives(2)[0], IN_SPACE.representatives(1)[0]
    pair = IN_SPACE.representatives(0)[0]
    figure = plot_cycles([surface, loop, pair], title="three")
    (ax,) = figure.axes
    (faces,) = (c for c in ax.collections if isinstance(c, Poly3DCollection))
    (edges,) = (c for c in ax.collections if isinstance(c, Line3DCollection))
    assert len(edges._segments3d) == len(loop.cells)
    assert len(faces.get_facecolor()) >= 1
    figure.draw_without_rendering()
    assert len(faces.get_paths()) == len(surface.cells)
    assert ax.get_title() == "three"
    flat = plt.figure().add_subplot()
    with pytest.raises(InputError, match="`ax` must be axes of three dimensions"):
        plot_cycles(surface, ax=flat)
    plt.close("all")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "at least one cycle, got none: there is no class of this degree, or none"),
        (DIAGRAM, "must be a Cycle or a sequence of them, got .*; pass diagram.representatives"),
        ([3], "must be a Cycle or a sequence"),
        ([DIAGRAM.representatives(0)[0], IN_SPACE.representatives(0)[0]], "dimensions, got 2, 3"),
    ],
)
def test_what_is_no_cycle_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_cycles(wrong)


@pytest.mark.parametrize("suffix", ["vtu", "vtk"])
@pytest.mark.parametrize("dim", [2, 3])
def test_cycles_in_meshes(dim: int, suffix: str, tmp_path: Path) -> None:
    complex_, diagram = {2: (PLANE, DIAGRAM), 3: (SPACE, IN_SPACE)}[dim]
    cycles = [c for k in range(dim) for c in diagram.representatives(k, least=0.1)]
    path = tmp_path / f"mesh.{suffix}"
    rt.save_mesh(path, complex_, {"n": np.arange(complex_.n_regions)}, cycles)
    mesh = meshio.read(path)
    found: dict[int, list[Any]] = {i: [] for i in range(-1, len(cycles))}
    for i, block in enumerate(mesh.cells):
        data = {name: values[i] for name, values in mesh.cell_data.items()}
        for corners, number, region, birth in zip(
            block.data, data["cycle"], data["region"], data["birth"], strict=True
        ):
            found[int(number)].append(mesh.points[corners.astype(int), :dim])
            assert (region < 0) == (number >= 0) != np.isnan(birth)
            if number >= 0:
                assert birth == cycles[int(number)].birth
    for i, cycle in enumerate(cycles):
        np.testing.assert_array_equal(np.array(found[i]), cycle.simplices)
    assert len(found[-1]) >= complex_.n_regions
    other = rt.persistence(SPACE, rt.filtration(SPACE, "layer_depth")).representatives(0)
    if dim == 2:
        with pytest.raises(InputError, match=r"`cycles` must have 2 coordinates, .* got 3 in num"):
            rt.save_mesh(path, complex_, cycles=other)


def test_meshes_take_cycles_of_their_own_complex_alone(tmp_path: Path) -> None:
    path, cycles = tmp_path / "mesh.vtu", DIAGRAM.representatives(1)
    again = rt.decompose(PLANE.network, PLANE.domain)
    rt.save_mesh(path, again, cycles=cycles)  # of equal complexes either will do
    boundary = rt.decision_boundary(PLANE)
    order = rt.Filtration.from_values(boundary, [np.zeros(n) for n in boundary.n_cells])
    of_boundary = rt.persistence(boundary, order).representatives(0)
    rt.save_mesh(path, PLANE, cycles=of_boundary)
    other = rt.decompose(rt.gallery.random_network([2, 5, 1], seed=3), PLANE.domain)
    with pytest.raises(InputError, match=r"must be those of `complex_`, .* got number 0 of an"):
        rt.save_mesh(path, other, cycles=cycles)
