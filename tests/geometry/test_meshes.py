"""Meshes read back: cells, measures and data of every region."""

from __future__ import annotations

import sys
from math import factorial
from pathlib import Path

import meshio
import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError, MissingExtraError
from relutopo.gallery import random_network


def decomposed(dim: int) -> rt.CellComplex:
    network = random_network([dim, 4, 3, 1], dim)
    return rt.decompose(network, rt.Box(-2, 2, dim=dim), enumerator="exact")


@pytest.mark.parametrize("suffix", ["vtu", "vtk"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_round_trip(dim: int, suffix: str, tmp_path: Path) -> None:
    complex_ = decomposed(dim)
    path = tmp_path / "new" / f"mesh.{suffix}"
    label = np.arange(complex_.n_regions) % 3
    rt.save_mesh(path, complex_, {"label": label, "side": label > 0})
    mesh = meshio.read(path)
    np.testing.assert_array_equal(mesh.points[:, :dim], complex_.vertices)
    assert not mesh.points[:, dim:].any()
    np.testing.assert_array_equal(
        mesh.point_data["output"].reshape(-1, 1), complex_.network(complex_.vertices)
    )
    volumes = np.zeros(complex_.n_regions)
    for i, block in enumerate(mesh.cells):
        data = {name: values[i] for name, values in mesh.cell_data.items()}
        region = data["region"].astype(int)
        np.testing.assert_array_equal(data["label"], label[region])
        np.testing.assert_array_equal(data["side"], label[region] > 0)
        np.testing.assert_array_equal(data["n_active"], complex_.patterns[region].sum(axis=1))
        np.testing.assert_array_equal(data["volume"], complex_.volumes[region])
        corners = complex_.vertices[block.data.astype(int)]
        if dim == 2:  # the shoelace formula, positive for counterclockwise polygons
            x, y = np.moveaxis(corners, -1, 0)
            sizes = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1) / 2
        elif dim == 3:  # the right-handed order that VTK expects
            sizes = np.linalg.det(corners[:, 1:] - corners[:, :1]) / factorial(3)
        else:
            sizes = np.abs(corners[:, 1, 0] - corners[:, 0, 0])
        assert (sizes >= 0).all()
        np.add.at(volumes, region, sizes)
    np.testing.assert_allclose(volumes, complex_.volumes, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("suffix", ["vtu", "vtk"])
def test_two_outputs(suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    complex_ = rt.decompose(random_network([2, 4, 2], 0), rt.Box(-2, 2, dim=2))
    rt.save_mesh(tmp_path / f"mesh.{suffix}", complex_)
    assert capfd.readouterr() == ("", "")
    written = meshio.read(tmp_path / f"mesh.{suffix}").point_data["output"]
    np.testing.assert_array_equal(written[:, :2], complex_.network(complex_.vertices))
    assert not written[:, 2:].any()


def test_triangulation_is_a_copy() -> None:
    complex_ = decomposed(3)
    owner, corners = complex_.triangulation(3)
    assert corners.shape == (len(owner), 4)
    assert set(owner.tolist()) == set(range(complex_.n_regions))
    corners[:] = 0
    assert complex_.triangulation(3)[1].any()


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = decomposed(2)
    with pytest.raises(InputError, match=r"`path` must end in .vtu or .vtk, got '.*mesh.ply'"):
        rt.save_mesh(tmp_path / "mesh.ply", plane)
    with pytest.raises(InputError, match=r"`cell_data`\['label'\] must have shape .* got \(2,\)"):
        rt.save_mesh(tmp_path / "mesh.vtu", plane, {"label": [1, 2]})
    with pytest.raises(InputError, match="at most 3 dimensions, got 4; decompose a slice"):
        rt.save_mesh(tmp_path / "mesh.vtu", decomposed(4))
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "meshio", None)
    with pytest.raises(MissingExtraError, match=r"'meshio', .* pip install \"relutopo\[export\]\""):
        rt.save_mesh(tmp_path / "mesh.vtu", plane)


def test_a_single_cycle_is_written_as_a_sequence_of_one(tmp_path: Path) -> None:
    complex_ = rt.decompose(random_network([2, 5, 1], 0), rt.Box(-1, 1, dim=2), enumerator="exact")
    diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=0))
    cycle = diagram.representatives(1)[0]
    for name, cycles in (("one", cycle), ("sequence", [cycle])):
        rt.save_mesh(tmp_path / f"{name}.vtu", complex_, cycles=cycles)
    assert (tmp_path / "one.vtu").read_bytes() == (tmp_path / "sequence.vtu").read_bytes()
