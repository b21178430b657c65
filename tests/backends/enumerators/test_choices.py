"""What pooling chooses on the regions of a block: entries that are the same for any reason."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.geometry.patterns import pack_patterns
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.local_maps import Shared
from relutopo.testing import assert_same_complex

torch = pytest.importorskip("torch")
nn = torch.nn
choices = import_module("relutopo.backends.enumerators._planar.maps.choices")
classes_ = import_module("relutopo.backends.enumerators._planar.maps.classes")
entries_ = import_module("relutopo.backends.enumerators._planar.maps.entries")
chain = import_module("relutopo.backends.enumerators._planar.maps.chain")


def _branches(*branches: Any) -> Any:
    class Branches(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(branches)

        def forward(self, x: Any) -> Any:
            return torch.cat([branch(x) for branch in self.branches], dim=1)

    return Branches()


def poolings(rng: np.random.Generator, width: int) -> GraphNetwork:
    """Return poolings of poolings, with what networks have between them."""

    def pool() -> Any:
        return nn.MaxPool1d(3, stride=1, padding=1)

    between = [
        nn.Sequential(pool(), nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2), nn.ReLU()),
        nn.Sequential(pool(), pool()),
        _branches(
            nn.Sequential(nn.Conv1d(2, 1, 1), nn.ReLU()), nn.Sequential(pool(), nn.Conv1d(2, 1, 1))
        ),
        nn.Sequential(pool(), nn.ReLU6()),
        nn.Sequential(pool(), nn.Conv1d(2, 2, 3), nn.LeakyReLU(0.25)),
    ][rng.integers(5)]
    layers = [nn.Unflatten(1, (1, width)), nn.Conv1d(1, 2, 2), between, pool(), nn.Flatten()]
    module = nn.Sequential(*layers, nn.LazyLinear(2), nn.ReLU(), nn.Linear(2, 1)).eval().double()
    module(torch.zeros(1, width, dtype=torch.float64))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.from_numpy(rng.standard_normal(tuple(parameter.shape))))
    network = rt.as_network(module, input_shape=(width,))
    assert isinstance(network, GraphNetwork)
    return network


def a_plane(rng: np.random.Generator, width: int) -> rt.AffineSlice:
    return rt.AffineSlice.through(*rng.standard_normal((3, width)))


@pytest.mark.slow
@examples(30)
@given(st.integers(0, 2**32 - 1))
def test_entries_of_one_class_are_multiples(seed: int) -> None:
    """Neurons of one class are multiples of each other by their factors, region after region."""
    rng = np.random.default_rng(seed)
    network = poolings(rng, 6)
    corners = rng.standard_normal((4, 6))
    points = (corners[:, None] + 1e-6 * rng.standard_normal((4, 5, 6))).reshape(-1, 6)
    values = network.preactivations(points).reshape(4, 5, -1)
    # What is zero but for rounding must be switched off, as it is in patterns.
    signs = values > 1e-9
    packed = np.zeros((4, -(-network.n_neurons // 64) * 8), dtype=np.uint8)
    packed[:, : -(-network.n_neurons // 8)] = pack_patterns(signs[:, 0])
    known = choices.Choices(lambda: entries_.entries_of(network))
    known.on(Shared(np.arange(network.n_neurons), np.zeros(network.n_neurons, bool)), packed)
    entries, classes = known._entries, known._classes
    for region in range(4):
        choices._visit(region, entries, classes, known._regions)
        of_units = [classes_.evaluate(e, entries, classes) for e in entries.before]
        if (signs[region] != signs[region, 0]).any():
            continue
        z, scale = values[region], np.abs(values[region]).max()
        first: dict[int, tuple[Any, float]] = {0: (np.zeros(5), 1.0)}
        for unit, kind in enumerate(of_units):
            factor = classes.factor_of[entries.before[unit]]
            base, of_base = first.setdefault(kind, (z[:, unit], factor))
            assert np.abs(z[:, unit] * of_base - base * factor).max() <= 1e-11 * scale**2


@pytest.mark.slow
@examples(20)
@given(st.integers(0, 2**32 - 1))
def test_poolings_of_poolings_are_cut_as_by_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, domain = poolings(rng, 5), a_plane(rng, 5)
    found, exact = (rt.decompose(network, domain, enumerator=name) for name in ("cpu", "exact"))
    found.check()
    assert_same_complex(found, exact)


@pytest.mark.slow
@examples(20)
@given(st.integers(0, 2**32 - 1))
def test_without_choices_the_cells_are_the_same(seed: int) -> None:
    def none(network: Any) -> bool:
        return False

    rng = np.random.default_rng(seed)
    network, domain = poolings(rng, 6), a_plane(rng, 6)
    found = rt.decompose(network, domain, enumerator="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "chooses", none)
        other = rt.decompose(network, domain, enumerator="cpu")
    assert np.array_equal(found.vertices, other.vertices)
    assert np.array_equal(found.packed_patterns, other.packed_patterns)
    assert np.array_equal(found.facet_labels, other.facet_labels)
    assert found.record.n_uncertain <= other.record.n_uncertain


def test_products_are_exact_or_not_taken() -> None:
    numbers = [3.0, 0.1, -0.75, 2.0**-30 + 1.0, 1e-200, 2.0**200, 1.0 + 2.0**-52]
    for a in numbers:
        for b in numbers:
            product = classes_.exact_product(a, b)
            (p, q), (r, s) = a.as_integer_ratio(), b.as_integer_ratio()
            n, m = product.as_integer_ratio()
            assert product == 0.0 or p * r * m == n * q * s
    assert classes_.exact_product(0.75, 3.0) == 2.25
    assert classes_.exact_product(0.1, 0.1) == 0.0
