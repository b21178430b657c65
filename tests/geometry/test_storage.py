"""Complexes in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError
from relutopo.geometry.storage import load_complex, save_complex


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
    with pytest.raises(InputError, match="must have format 1, got 99"):
        load_complex(tmp_path / "new.npz")
