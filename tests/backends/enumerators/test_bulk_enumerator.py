"""The enumerator that works in bulk, on NumPy; on a card where there is one."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from properties import examples
from relutopo import AffineSlice, Box, decompose, registry
from relutopo.arithmetic import rounding as bounds
from relutopo.devices.device import Device, numpy_device
from relutopo.errors import DeviceMemoryError, InvariantError, LimitReachedError, MissingExtraError
from relutopo.gallery import general_arrangement, random_network
from relutopo.geometry.polytope import Polytope
from relutopo.testing import assert_same_complex

bulk = import_module("relutopo.backends.enumerators._bulk.enumeration")
arrays = import_module("relutopo.backends.enumerators._bulk.sets.lists")
groups = import_module("relutopo.backends.enumerators._bulk.sets.equal_rows")
bulk_units = import_module("relutopo.backends.enumerators._bulk.sets.bitsets")
DEVICES = ["numpy", pytest.param("cuda", marks=pytest.mark.gpu)]


def enumerator(device: str = "numpy", at_once: int = 2**22) -> Any:
    if device == "cuda":
        return registry.create("enumerator", "cuda")
    return bulk.BulkEnumerator(numpy_device(), "bulk", bulk.Tuning(at_once=at_once))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("dim", "width", "depth"), [(1, 6, 4), (2, 6, 4), (3, 5, 3), (4, 4, 2)])
@examples(40)
@given(data=st.data(), seed=st.integers(0, 10**6), bias=st.sampled_from([0.0, 1.0]))
def test_equals_exact(
    device: str, dim: int, width: int, depth: int, data: st.DataObject, seed: int, bias: float
) -> None:
    hidden = data.draw(st.lists(st.integers(1, width), min_size=1, max_size=depth))
    kind = data.draw(st.sampled_from(["gaussian", "integer", "float32"]))
    network, box = random_network([dim, *hidden, 1], seed, kind, bias), Box(-2, 2, dim=dim)
    fast = decompose(network, box, enumerator=enumerator(device))
    fast.check()
    assert_same_complex(fast, decompose(network, box, enumerator="exact"))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize(
    ("dim", "hidden"),
    [(1, [70, 70]), (2, [24, 24, 24]), (2, [130]), (3, [70]), (3, [10, 10]), (4, [8, 5]), (5, [6])],
)
def test_equals_cpu_on_wider_networks(device: str, kind: str, dim: int, hidden: list[int]) -> None:
    """Units in several words, and complexes of some thousand cells."""
    network, box = random_network([dim, *hidden, 1], 0, kind), Box(-2, 1.5, dim=dim)
    cut = decompose(network, box, enumerator=enumerator(device))
    assert_same_complex(cut, decompose(network, box, enumerator="cpu"))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_equals_exact_on_polytopes(device: str, dim: int, kind: str) -> None:
    """Corners of a polytope are rationals, which floats only approximate."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        normals = np.concatenate([np.eye(dim), -np.eye(dim), rng.standard_normal((4, dim))])
        polytope = Polytope(normals, rng.uniform(0.5, 1.5, len(normals)))
        network = random_network([dim, 5, 4, 1], seed, kind)
        cut = decompose(network, polytope, enumerator=enumerator(device))
        cut.check()
        assert_same_complex(cut, decompose(network, polytope, enumerator="exact"))


@pytest.mark.parametrize("device", DEVICES)
def test_traced_networks_and_slices(device: str) -> None:
    """Networks whose maps are computed on the host: residual sums, leaky kinks, slices."""

    class Residual(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = torch.nn.Linear(2, 6)
            self.across = torch.nn.Linear(6, 6)
            self.down = torch.nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> Any:
            x = torch.nn.functional.leaky_relu(self.up(x), 0.1)
            return self.down(x + torch.relu(self.across(x)))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Residual().double()
    box = Box(-3, 3, dim=2)
    cut = decompose(module, box, enumerator=enumerator(device))
    cut.check()
    assert cut.n_regions > 10
    assert_same_complex(cut, decompose(module, box, enumerator="exact"))
    network = random_network([5, 6, 5, 1], 0)
    basis = np.random.default_rng(0).standard_normal((5, 2))
    plane = AffineSlice(np.zeros(5), basis, Box(-2, 2, dim=2))
    cut = decompose(network, plane, enumerator=enumerator(device, at_once=64))
    assert_same_complex(cut, decompose(network, plane, enumerator="exact"))


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_what_fits_at_once_changes_nothing(dim: int, kind: str) -> None:
    network, box = random_network([dim, 9, 7, 5, 1], 1, kind), Box(-2, 2, dim=dim)
    whole = decompose(network, box, enumerator=enumerator())
    for at_once in (1, 300):
        parts = decompose(network, box, enumerator=enumerator(at_once=at_once))
        np.testing.assert_array_equal(parts.packed_patterns, whole.packed_patterns)
        np.testing.assert_array_equal(parts.facet_labels, whole.facet_labels)
        # Sums in another order may round differently.
        np.testing.assert_allclose(parts.vertices, whole.vertices, rtol=0, atol=1e-12)
        for x, y in zip(parts.facets, whole.facets, strict=True):
            np.testing.assert_array_equal(x[0], y[0])
            np.testing.assert_array_equal(x[1], y[1])


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("hidden", [[2, 5, 4, 4], [3, 4, 3]])
@pytest.mark.parametrize("first_precise", [0, 2, 9])
def test_what_stays_open_is_decided(
    monkeypatch: pytest.MonkeyPatch, hidden: list[int], kind: str, first_precise: int
) -> None:
    """Bounds that tell nothing leave every sign to the host, to twice the precision or exactly."""
    decisions = import_module("relutopo.backends.enumerators._certified.decisions")
    network, box = random_network([*hidden, 1], 1, kind), Box(-2, 2, dim=hidden[0])
    usual = decompose(network, box, enumerator=enumerator()).record.n_uncertain
    monkeypatch.setattr(bounds, "value_bound", lambda size, *others: size + np.inf)
    monkeypatch.setattr(decisions, "_first_precise", lambda d: first_precise)
    cut = decompose(network, box, enumerator=enumerator())
    assert cut.record.n_uncertain > usual
    assert_same_complex(cut, decompose(network, box, enumerator="exact"))


def test_children_of_a_region_have_consecutive_numbers() -> None:
    complex_ = decompose(
        random_network([2, 8, 8, 1], 0), Box(-2, 2, dim=2), enumerator=enumerator()
    )
    first_layer = complex_.packed_patterns[:, 0]
    n_runs = 1 + np.count_nonzero(first_layer[1:] != first_layer[:-1])
    assert n_runs == len(np.unique(first_layer))


def test_limits_hold_in_every_layer() -> None:
    network, box = random_network([2, 2, 30, 1], 1), Box(-2, 2, dim=2)
    n = sum(decompose(network, box).n_cells)
    assert sum(decompose(network, box, enumerator=enumerator(), max_cells=n).n_cells) == n
    n_vertices = decompose(network, box).n_cells[0]
    for limit in (n - 1, n_vertices + 1, n_vertices - 1):
        with pytest.raises(LimitReachedError, match=r"layer 2 of 2.*raise the limit"):
            decompose(network, box, enumerator=enumerator(), max_cells=limit)


class SmallDevice(Device):
    """A card with little memory."""

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes

    def require_memory(self, n_bytes: int, purpose: str) -> None:
        if n_bytes > self._n_bytes:
            raise DeviceMemoryError(f"{purpose} needs {n_bytes} bytes")


def test_too_little_memory_is_told_before_it_runs_out() -> None:
    network, box = random_network([2, 12, 12, 1], 0), Box(-2, 2, dim=2)
    small = bulk.BulkEnumerator(SmallDevice(40_000), "bulk")
    assert decompose(network, box, enumerator=small).n_regions  # nobody asks for so little
    small = bulk.BulkEnumerator(SmallDevice(40_000), "bulk", bulk.Tuning(ask_from=1))
    with pytest.raises(DeviceMemoryError, match=r"layer 2 of 2 needs \d+ bytes"):
        decompose(network, box, enumerator=small)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=40),
    n_bad=st.integers(0, 3),
)
def test_groups_do_not_depend_on_hashes(rows: list[tuple[int, int, int]], n_bad: int) -> None:
    """Rows in a group are equal, rows in different groups are not, even if hashes collide."""
    table = np.array(rows, dtype=np.uint64).reshape(-1, 3)
    every = np.arange(len(rows), dtype=np.int32)
    names = groups.Unions(table[:, 1:], every, table[:, 1:], every)
    good = groups._hash
    bad = set(groups._SEEDS[:n_bad])

    def sometimes_bad(xp: Any, words: Any, seed: int) -> Any:
        return good(xp, words, seed) * np.uint64(seed not in bad)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "_hash", sometimes_bad)
        order, ptr = groups.group(np, table[:, 0].astype(np.int32), 4, names)
    assert sorted(order.tolist()) == list(range(len(rows)))
    runs = [[rows[i] for i in order[a:b]] for a, b in pairwise(ptr)]
    assert all(len(set(found)) == 1 for found in runs)
    assert len(runs) == len(set(rows))


def test_hashes_that_always_collide_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "_hash", lambda xp, words, seed: np.zeros(len(words), np.uint64))
    words, rows = np.array([[1], [2]], dtype=np.uint64), np.arange(2, dtype=np.int32)
    with pytest.raises(InvariantError, match="hash functions"):
        groups.group(np, np.zeros(2, np.int32), 1, groups.Unions(words, rows, words, rows))


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=9), max_size=9))
def test_unions_of_sets(lists: list[list[int]]) -> None:
    units = bulk_units.Units(np, 64, 2**10)
    sets = np.array([x for part in lists for x in part], dtype=np.uint64).reshape(-1, 1)
    ptr = arrays.prefix_sums(np, np.array(list(map(len, lists)), dtype=np.int64))
    expected = [np.bitwise_or.reduce(np.array(part, dtype=np.uint64)) for part in lists]
    items = np.arange(len(sets), dtype=np.int32)
    assert units.union(sets, arrays.Lists(ptr, items)).ravel().tolist() == [
        int(x) for x in expected
    ]


def test_without_cupy_it_says_what_to_install() -> None:
    try:
        import_module("cupy")
    except ImportError:
        with pytest.raises(MissingExtraError, match=r"the enumerator 'cuda' needs .*cuda12"):
            registry.create("enumerator", "cuda")


@pytest.mark.gpu
def test_a_card_is_free_again() -> None:
    chosen = registry.create("enumerator", "cuda")
    complex_ = decompose(general_arrangement(200, 2, 0), Box(-100, 100, dim=2), enumerator=chosen)
    assert complex_.record.method == "cuda"
    assert import_module("cupy").get_default_memory_pool().used_bytes() == 0
