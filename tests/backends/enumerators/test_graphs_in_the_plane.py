"""Graphs on planes: convolutions, pooling and sums, in blocks of any size; ties by structure."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from convolutions import random_perceptron, random_plane, random_skips, random_stack
from properties import examples
from relutopo.errors import LimitReachedError
from relutopo.geometry.patterns import pack_patterns
from relutopo.networks.chains import chain_of
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.local_maps import LocalGraph, Place, Shared
from relutopo.networks.local_walks import Changes
from relutopo.testing import assert_same_complex

torch = pytest.importorskip("torch")
nn = torch.nn
planar, tuning = (
    import_module(f"relutopo.backends.enumerators._planar.{name}")
    for name in ("enumeration", "tuning")
)


@examples(25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([4, 256]))
def test_cells_are_those_of_exact(seed: int, size: int, wide: int) -> None:
    rng = np.random.default_rng(seed)
    model, shape = random_stack(rng, most_layers=3)
    plane = random_plane(rng, shape, 2.0 ** rng.integers(-3, 1))
    network = rt.as_network(model, shape).restricted(plane.origin, plane.basis)
    blocks = tuning.Tuning(of_graph=size, wide_first=wide)
    try:
        found = planar.enumerate_planar(network, plane, 400, None, 1, blocks)
    except LimitReachedError:
        return
    assert_same_complex(found, rt.decompose(model, plane, enumerator="exact"))


def on_a_plane(seed: int, size: int, siblings: int, random_model: Any) -> tuple[Any, Any, Any, Any]:
    """Return a model, a random plane, the network on it, and blocks of few regions."""
    rng = np.random.default_rng(seed)
    model, shape = random_model(rng)
    plane = random_plane(rng, shape, 2.0 ** rng.integers(-2, 3))
    network = rt.as_network(model, shape).restricted(plane.origin, plane.basis)
    blocks = tuning.Tuning(
        numbers_at_once=1, fewest=size, fewest_at_last=size, siblings=siblings, wide_last=2
    )
    return model, plane, network, blocks


@pytest.mark.slow
@examples(25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([3, 10**9]))
def test_cells_of_perceptrons_on_planes_are_those_of_exact(
    seed: int, size: int, siblings: int
) -> None:
    """Slices and batch normalisation take the kernels of perceptrons, with bounds of their own."""
    model, plane, network, blocks = on_a_plane(seed, size, siblings, random_perceptron)
    found = planar.enumerate_planar(network, plane, None, None, 1, blocks)
    assert_same_complex(found, rt.decompose(model, plane, enumerator="exact"))


@pytest.mark.slow
@examples(60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([3, 10**9]))
def test_cells_of_networks_with_skips_are_those_of_exact(
    seed: int, size: int, siblings: int
) -> None:
    """What goes round a layer is carried beside it, in maps and in values at vertices."""
    model, plane, network, blocks = on_a_plane(seed, size, siblings, random_skips)
    try:
        found = planar.enumerate_planar(network, plane, 1000, None, 1, blocks)
    except LimitReachedError:
        return
    assert_same_complex(found, rt.decompose(model, plane, enumerator="exact"))


class _Block(nn.Module):  # type: ignore[misc, name-defined]
    """ReLU(x + f(x)) with few units in f, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Sequential(
            nn.Linear(12, 2, bias=False), nn.ReLU(), nn.Linear(2, 12, bias=False)
        )

    def forward(self, x: Any) -> Any:
        """Return the sum's positive part."""
        return torch.relu(x + self.f(x))


@pytest.mark.slow
def test_sums_that_vanish_on_regions_are_zero_by_structure() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), _Block(), _Block(), nn.Linear(12, 1))
    found = rt.decompose(model.double(), rt.Box(-2, 2, dim=2), enumerator="cpu")
    assert found.n_regions > 50
    assert found.record.n_uncertain == 0
    assert_same_complex(found, rt.decompose(model, found.domain, enumerator="exact"))


def test_what_is_a_perceptron() -> None:
    torch.manual_seed(0)
    dense = [nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU()]
    ones = np.ones(4)
    for layers, is_chain in (
        (dense, True),
        ([*dense[:1], nn.LeakyReLU(0.5), *dense[2:]], True),
        ([*dense[:2], nn.Linear(5, 6), nn.PReLU(6)], True),
        ([*dense, nn.Hardtanh()], False),
        ([*dense, nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 4), nn.ReLU(), nn.Flatten()], True),
        ([*dense, nn.Unflatten(1, (1, 6)), nn.MaxPool1d(2), nn.Flatten()], False),
    ):
        model = nn.Sequential(*layers, nn.LazyLinear(2)).double()
        model.eval()(torch.zeros(1, 4, dtype=torch.float64))
        network = rt.as_network(model, (4,))
        found = chain_of(network, ones) if isinstance(network, GraphNetwork) else ()
        assert (found is not None) == is_chain
        for layer in found or ():
            sizes = np.linalg.norm(layer.weights, axis=1)
            assert (layer.weight_errors <= 1.02 * 2.0**-53 * sizes).all()
    huge = nn.Sequential(*dense, nn.Linear(6, 1)).double().eval()
    with torch.no_grad():
        huge[2].weight *= 2.0**260
    network = rt.as_network(huge, (4,))
    assert isinstance(network, GraphNetwork)
    assert chain_of(network, ones) is None


@pytest.mark.slow
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2), nn.AdaptiveMaxPool2d(3)])
@pytest.mark.parametrize("size", [20, 2048])
def test_nothing_is_computed_of_entries_that_are_zero(pool: Any, size: int) -> None:
    """Pooling compares entries that the kink before has set to zero: exact ties everywhere."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), pool, nn.Conv2d(2, 2, 2), nn.ReLU(), pool
    )
    model = nn.Sequential(*model[:-1] if size == 20 else model, nn.Flatten(), nn.LazyLinear(1))
    model.double().eval()(torch.zeros(1, 1, 12, 12, dtype=torch.float64))
    rng = np.random.default_rng(1)
    plane = rt.AffineSlice(
        rng.normal(size=(1, 12, 12)), rng.normal(size=(144, 2)), rt.Box(-0.2, 0.2, dim=2)
    )
    network = rt.as_network(model, plane.input_shape).restricted(plane.origin, plane.basis)
    blocks = tuning.Tuning(of_graph=size)
    found = planar.enumerate_planar(network, plane, None, None, 1, blocks)
    assert found.n_regions > 100
    assert found.record.n_uncertain == 0
    found.check()


def unfolded(changes: Changes, n_units: int) -> tuple[Any, Any]:
    """Return the maps of all regions, and the bounds of their errors."""
    maps = np.full((len(changes.ptr), n_units, 4), np.nan)
    for r in range(len(changes.ptr) - 1):
        here = slice(changes.ptr[r], changes.ptr[r + 1])
        maps[r] = maps[r - 1]
        maps[r, changes.places[here]] = changes.maps[here]
    return maps[:-1, :, :3].transpose(0, 2, 1), maps[:-1, :, 3]


def test_maps_on_a_block_are_those_of_its_regions() -> None:
    rng = np.random.default_rng(2)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model, shape = random_stack(rng)
        plane = random_plane(rng, shape, 0.5)
        network = rt.as_network(model, shape).restricted(plane.origin, plane.basis)
        assert isinstance(network, GraphNetwork)
        points = rng.uniform(-0.5, 0.5, (6, 2))
        patterns = network.preactivations(points) > 0
        reach = np.array([0.5, 0.5])
        graph = LocalGraph(network, Place(-reach, reach, np.array([], dtype=int)), reach)
        offsets = network.layer_offsets
        for layer in range(1, len(network.layer_sizes)):
            before = pack_patterns(patterns[:, : offsets[layer]])
            shared, kept = Shared.by(before, offsets[layer], np.array([], dtype=int))
            found, graph = graph.layer(layer, shared, kept)
            whole = network.affine_maps(layer, patterns, reach)
            planes, errors = unfolded(found.changes, len(found.units))
            bounds = errors + whole.errors[:, found.units]
            ones = np.append(points, np.ones((6, 1)), axis=1)
            differ = planes - whole.planes[:, :, found.units]
            values = np.einsum("rk,rkn->rn", ones, differ)
            assert (np.abs(values) <= bounds + 1e-300).all()
            others = np.setdiff1d(np.arange(network.layer_sizes[layer]), found.units)
            own = patterns[:, offsets[layer] : offsets[layer + 1]]
            assert (own[:, others] == found.is_on[others]).all()


class Halves(nn.Module):  # type: ignore[misc, name-defined]
    """Two halves of one value together, from which a dense layer follows."""

    def __init__(self, together: str, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2 * width), nn.Linear(width, 3)
        self.last = nn.Linear(3, 1)
        self.together, self.width = together, width

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.first(x))
        one, other = x[:, : self.width], x[:, self.width :]
        if self.together == "sum":
            x = one + other
        elif self.together == "difference":
            x = one - 0.5 * other
        else:
            x = torch.minimum(one, other)
        return self.last(torch.relu(self.second(x)))


@pytest.mark.parametrize("together", ["sum", "difference", "minimum"])
@pytest.mark.parametrize("width", [1, 2, 6])
def test_a_value_can_come_twice_in_a_sum(together: str, width: int) -> None:
    """The sum of two parts of one value has both of them, also where layers form a chain."""
    torch.manual_seed(width)
    model, box = Halves(together, width).double(), rt.Box(-2, 2, dim=2)
    found, exact = (rt.decompose(model, box, enumerator=name) for name in ("cpu", "exact"))
    found.check()
    assert_same_complex(found, exact)
