"""Complexes in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import relutopo as rt
from relutopo.complex import load_complex
from relutopo.errors import InputError
from relutopo.geometry.storage import save_complex


@pytest.fixture
def complex_() -> rt.CellComplex:
    rng = np.random.default_rng(0)
    network = rt.ReluNetwork(
        [rng.normal(size=(4, 2)), rng.normal(size=(3, 4)), rng.normal(size=(1, 3))],
        [rng.normal(size=n) for n in (4, 3, 1)],
    )
    return rt.decompose(network, rt.Box([-1, -2], [3, 4]), enumerator="exact")


def test_a_complex_round_trips(complex_: rt.CellComplex, tmp_path: Path) -> None:
    path = tmp_path / "complex.npz"
    save_complex(path, complex_)
    again = load_complex(path)
    assert again.n_cells == complex_.n_cells
    assert again.record == complex_.record
    np.testing.assert_array_equal(again.vertices, complex_.vertices)
    np.testing.assert_array_equal(again.patterns, complex_.patterns)
    np.testing.assert_array_equal(again.facet_labels, complex_.facet_labels)
    np.testing.assert_array_equal(again.facet_regions, complex_.facet_regions)
    for k in (1, 2):
        np.testing.assert_array_equal(again.boundary(k).toarray(), complex_.boundary(k).toarray())
    x = np.random.default_rng(1).normal(size=(10, 2))
    np.testing.assert_array_equal(again.network(x), complex_.network(x))
    assert again.domain.volume == complex_.domain.volume == 24.0


def test_nothing_in_the_file_is_pickled(complex_: rt.CellComplex, tmp_path: Path) -> None:
    save_complex(tmp_path / "complex.npz", complex_)
    with np.load(tmp_path / "complex.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)


def test_unreadable_files_are_named(complex_: rt.CellComplex, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"complex '.*none.npz' does not exist"):
        load_complex(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"bad.npz' cannot be read as a complex"):
        load_complex(tmp_path / "bad.npz")
    np.savez(tmp_path / "new.npz", format=99)
    with pytest.raises(InputError, match="must have format 3, got 99"):
        load_complex(tmp_path / "new.npz")


def test_damaged_complexes_are_refused(complex_: rt.CellComplex, tmp_path: Path) -> None:
    path = tmp_path / "complex.npz"
    np.savez(path, format=3)
    with pytest.raises(InputError, match=r"complex.npz' cannot be read as a complex \(KeyError"):
        load_complex(path)
    save_complex(path, complex_)
    with np.load(path) as archive:
        arrays = dict(archive)
    for name in arrays:
        np.savez(path, **{key: arrays[key] for key in arrays if key != name})
        with pytest.raises(InputError, match=r"cannot be read as a complex \(KeyError.*save_compl"):
            load_complex(path)
    for name, value in {
        "vertices": np.float64(0),
        "packed_patterns": arrays["packed_patterns"][:3],
        "facet_labels": arrays["facet_labels"] + 100,
        "facet_indices_2": arrays["facet_indices_2"][:-1],
        "domain/low": arrays["domain/high"],
        "network/0/weight": arrays["network/0/weight"][:, :1],
    }.items():
        np.savez(path, **{**arrays, name: value})
        with pytest.raises(InputError, match=r"complex.npz' cannot be read as a complex"):
            load_complex(path)


def test_polytopes_round_trip(tmp_path: Path) -> None:
    network = rt.ReluNetwork([[[1.0, 2.0]], [[1.0]]], [[0.1], [0.0]])
    domain = rt.Polytope([[3, 0], [-1, 0], [0, 1], [0, -1], [1, 1]], [1, 1, 1, 1, 9])
    complex_ = rt.decompose(network, domain, enumerator="exact")
    save_complex(tmp_path / "complex.npz", complex_)
    again = load_complex(tmp_path / "complex.npz")
    assert isinstance(again.domain, rt.Polytope)
    for x, y in zip(again.domain.halfspaces(), domain.halfspaces(), strict=True):
        np.testing.assert_array_equal(x, y)
    again.check()


def test_slices_of_torch_modules_round_trip(tmp_path: Path) -> None:
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv2d(1, 2, 2), torch.nn.LeakyReLU(), torch.nn.MaxPool2d(2),
            torch.nn.Flatten(), torch.nn.Linear(2, 3), torch.nn.ReLU6(), torch.nn.Linear(3, 1),
        ).eval()  # fmt: skip
    rng = np.random.default_rng(0)
    domain = rt.AffineSlice(rng.normal(size=(1, 3, 3)), rng.normal(size=(9, 2)))
    complex_ = rt.decompose(module, domain, enumerator="exact")
    save_complex(tmp_path / "complex.npz", complex_)
    again = load_complex(tmp_path / "complex.npz")
    assert isinstance(again.domain, rt.AffineSlice)
    assert again.domain.input_shape == domain.input_shape
    np.testing.assert_array_equal(again.domain.origin, domain.origin)
    np.testing.assert_array_equal(again.domain.basis, domain.basis)
    u = rng.uniform(-1, 1, size=(20, 2))
    np.testing.assert_array_equal(again.network(u), complex_.network(u))
    np.testing.assert_array_equal(again.locate(u), complex_.locate(u))
    assert again.n_regions > 5
    again.check()


def test_other_networks_and_domains_are_refused(complex_: rt.CellComplex, tmp_path: Path) -> None:
    class Square(rt.Box):
        pass

    class Perceptron(rt.ReluNetwork):
        pass

    square = replace(complex_, domain=Square(-1, 1, dim=2))
    with pytest.raises(InputError, match=r"must be on a Box, a Polytope or .*, got Square; save"):
        save_complex(tmp_path / "complex.npz", square)
    other = replace(complex_, network=Perceptron([[[1.0, 2.0]]], [[0.0]]))
    with pytest.raises(InputError, match="a ReluNetwork or a GraphNetwork, got Perceptron; save"):
        save_complex(tmp_path / "complex.npz", other)
