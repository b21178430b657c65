"""Values that the planar enumerator carries from vertex to vertex, layer by layer."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.perceptron import ReluNetwork
from relutopo.testing import assert_same_complex

torch = pytest.importorskip("torch")
_enumeration, _plane, _records, _tuning = (
    import_module(f"relutopo.backends.enumerators._planar.{name}")
    for name in ("enumeration", "plane", "records", "tuning")
)
spectral_norm_bound = import_module(
    "relutopo.backends.enumerators._certified.norms"
).spectral_norm_bound


def network(seed: int, widths: list[int], kind: str) -> ReluNetwork:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(o, i)) for i, o in zip([2, *widths], [*widths, 1], strict=True)]
    biases = [rng.normal(size=len(w)) for w in weights]
    if kind == "integer":
        weights, biases = [np.round(2 * w) for w in weights], [np.round(b) for b in biases]
    elif kind == "no biases":
        biases = [0 * b for b in biases]
    return ReluNetwork(weights, biases)


def by_values(net: ReluNetwork, domain: rt.Domain, coarse: float = 2.0**-32) -> rt.CellComplex:
    """Carry values from the second layer on, in blocks of a few regions."""
    tuning = _tuning.Tuning(
        siblings=10**9, numbers_at_once=1, fewest=5, fewest_at_last=5, coarse=coarse
    )
    found: rt.CellComplex = _enumeration.enumerate_planar(net, domain, None, None, 2, tuning)
    return found


@pytest.mark.parametrize("kind", ["generic", "integer", "no biases"])
@pytest.mark.parametrize("seed", range(12))
def test_complex_is_that_of_exact(seed: int, kind: str) -> None:
    widths = np.random.default_rng(seed).integers(1, 9, size=2 + seed % 4).tolist()
    net, domain = network(seed, widths, kind), rt.Box(-3, 3, dim=2)
    found = by_values(net, domain)
    found.check()
    assert_same_complex(found, rt.decompose(net, domain, enumerator="exact"))


@pytest.mark.parametrize("kind", ["generic", "integer", "no biases"])
@pytest.mark.parametrize("seed", range(6))
def test_deep_complex_is_that_of_exact(seed: int, kind: str) -> None:
    """With the lines of edges, and with values that are computed anew in every layer."""
    widths = np.random.default_rng(seed).integers(2, 6, size=7 + 2 * seed).tolist()
    net, domain = network(seed, widths, kind), rt.Box(-3, 3, dim=2)
    exact = rt.decompose(net, domain, enumerator="exact").canonical()
    for found in (rt.decompose(net, domain, enumerator="cpu"), by_values(net, domain, 0.0)):
        assert_same_complex(found, exact)
        vertices, errors = found.canonical().vertices, found.canonical().vertex_errors
        off = np.abs(vertices - exact.vertices).max(axis=1)
        assert (off <= errors + exact.vertex_errors).all()


@pytest.mark.parametrize("kind", ["generic", "integer", "no biases"])
@pytest.mark.parametrize("depth", [3, 8])
@pytest.mark.parametrize("seed", range(3))
def test_one_call_and_steps_cut_alike(
    monkeypatch: pytest.MonkeyPatch, seed: int, depth: int, kind: str
) -> None:
    net = network(seed, [7, 9, 6, 8, 5, 7, 6, 8][:depth], kind)
    found = by_values(net, rt.Box(-3, 3, dim=2))
    monkeypatch.setattr(_plane.PlaneCutter, "_cut_by_values", lambda *_: None)
    in_steps = by_values(net, rt.Box(-3, 3, dim=2))
    for one, other in zip(_arrays(found), _arrays(in_steps), strict=True):
        np.testing.assert_array_equal(one, other)


def _arrays(found: rt.CellComplex) -> list[Any]:
    arrays = [found.vertices, found.vertex_errors, found.packed_patterns, found.facet_labels]
    return [*arrays, *(array for pair in found.facets for array in pair)]


def leaky(net: ReluNetwork, seed: int) -> tuple[Any, list[NDArray[np.float64]]]:
    """Return a network with the same weights and units that are leaky, and their slopes."""
    rng, layers, slopes = np.random.default_rng(seed), [], []
    for w, b in zip(net.weights, net.biases, strict=True):
        linear = torch.nn.Linear(w.shape[1], len(w)).double()
        linear.weight.data, linear.bias.data = torch.tensor(w.copy()), torch.tensor(b.copy())
        slopes.append(rng.choice([-0.7, 0.1, 0.5, 1.3], len(w)))
        kink = torch.nn.PReLU(len(w))
        kink.weight.data = torch.tensor(slopes[-1])
        layers += [linear, kink]
    return rt.as_network(torch.nn.Sequential(*layers[:-1]), (2,)), slopes


def exact_values(
    net: ReluNetwork, slopes: list[NDArray[np.float64]], pattern: Any, x: list[Fraction], layer: int
) -> list[Fraction]:
    """Return the values of a layer at a point, with the slopes of a pattern."""
    first = 0
    for i, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        rows = zip(w.tolist(), b.tolist(), strict=True)
        z = [
            sum((Fraction(c) * v for c, v in zip(row, x, strict=True)), Fraction(c0))
            for row, c0 in rows
        ]
        if i == layer:
            return z
        on = pattern[first : first + len(z)]
        off = map(Fraction, slopes[i].tolist())
        x = [v if is_on else s * v for v, is_on, s in zip(z, on, off, strict=True)]
        first += len(z)
    raise AssertionError


@pytest.mark.parametrize("is_leaky", [False, True])
@pytest.mark.parametrize("coarse", [2.0**-32, 0.0])
@pytest.mark.parametrize("seed", range(4))
def test_values_are_within_their_bounds(
    monkeypatch: pytest.MonkeyPatch, seed: int, coarse: float, is_leaky: bool
) -> None:
    """At the floats of a vertex they are those of the maps of all regions beside it."""
    net = network(seed, [7, 6, 6, 5, 4], "generic")
    of_leaky, slopes = leaky(net, seed)
    if not is_leaky:
        slopes = [np.zeros(len(b)) for b in net.biases]
    seen: list[tuple[int, Any, Any]] = []
    cut_once = _plane.PlaneCutter._cut_once

    def watch(self: Any, block: Any, stage: Any) -> Any:
        after = cut_once(self, block, stage)
        seen.append((stage.layer, after.cells, after.earlier))
        return after

    monkeypatch.setattr(_plane.PlaneCutter, "_cut_once", watch)
    by_values(of_leaky if is_leaky else net, rt.Box(-3, 3, dim=2), coarse)
    carried = [entry for entry in seen if isinstance(entry[2], _records.Values)]
    assert carried
    for layer, cells, values in carried[:: max(1, len(carried) // 12)]:
        for region in range(len(cells.packed)):
            (pattern,) = unpack_patterns(cells.packed[region][None], net.n_neurons)
            for half in cells.half_edges[slice(*cells.region_ptr[region : region + 2])]:
                vertex = cells.edge_vertices[half >> 1, half & 1]
                x = [*map(Fraction, cells.x[vertex].tolist())]
                exact = exact_values(net, slopes, pattern, x, layer)
                found = map(Fraction, values.z[vertex].tolist())
                square = sum((a - z) ** 2 for a, z in zip(exact, found, strict=True))
                assert square <= Fraction(values.errors[vertex]) ** 2


@pytest.mark.parametrize("seed", range(4))
def test_leaky_complex_is_that_of_exact(seed: int) -> None:
    """By values, by maps that are updated, and by maps that are products."""
    net, _ = leaky(network(seed, [6, 5, 5, 4], "generic"), seed)
    domain = rt.Box(-3, 3, dim=2)
    exact = rt.decompose(net, domain, enumerator="exact")
    for siblings in (0, 3, 10**9):
        tuning = _tuning.Tuning(siblings=siblings, numbers_at_once=1, fewest=40, fewest_at_last=40)
        found = _enumeration.enumerate_planar(net, domain, None, None, 1, tuning)
        found.check()
        assert_same_complex(found, exact)


@examples(60)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 1e-200]))
def test_bound_of_spectral_norm(seed: int, n_rows: int, n_columns: int, scale: float) -> None:
    matrix = scale * np.random.default_rng(seed).normal(size=(n_rows, n_columns))
    norm = np.linalg.norm(matrix, 2)
    assert norm * (1 - 1e-12) <= spectral_norm_bound(matrix) <= 1.2 * norm


def test_bound_of_spectral_norm_of_nothing() -> None:
    assert spectral_norm_bound(np.zeros((3, 2))) == 0.0
