"""Planes that coincide by the structure of a network: windows that overlap, units that vanish."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.geometry.patterns import pack_patterns
from relutopo.networks.graph import GraphNetwork
from relutopo.testing import assert_same_complex

torch = pytest.importorskip("torch")
nn = torch.nn
structure = import_module("relutopo.backends.enumerators._certified.structure")


def overlapping(
    rng: np.random.Generator, width: int, *, norm: bool, integers: bool = False
) -> GraphNetwork:
    """Return pooling windows that overlap, with weights in general position, and more behind.

    With integers there are ties besides, which the structure does not know.
    """
    kernel, padding = int(rng.integers(2, 4)), int(rng.integers(0, 2))
    pool = nn.MaxPool1d(kernel, stride=1, padding=padding)
    first = [nn.Unflatten(1, (1, width)), nn.Conv1d(1, 2, 2), pool]
    middle = [nn.BatchNorm1d(2)] if norm else []
    last = [nn.MaxPool1d(2, stride=1)] if rng.integers(2) else []
    mixing = [nn.Conv1d(2, 2, 1)] if rng.integers(2) else []
    kink = nn.LeakyReLU(0.1) if rng.integers(3) == 0 else nn.ReLU()
    layers = [*first, *middle, *mixing, kink, *last, nn.Flatten()]
    module = nn.Sequential(*layers, nn.LazyLinear(2), nn.ReLU(), nn.Linear(2, 1)).eval().double()
    module(torch.zeros(1, width, dtype=torch.float64))
    with torch.no_grad():
        for parameter in module.parameters():
            numbers = rng.standard_normal(tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(np.round(numbers) if integers else numbers))
        for layer in middle:
            layer.running_mean.normal_(generator=torch.Generator().manual_seed(1))
            layer.running_var.uniform_(0.5, 2.0, generator=torch.Generator().manual_seed(1))
    network = rt.as_network(module, input_shape=(width,))
    assert isinstance(network, GraphNetwork)
    return network


def a_slice(rng: np.random.Generator, width: int, dim: int) -> rt.AffineSlice:
    return rt.AffineSlice.through(*rng.standard_normal((dim + 1, width)))


@pytest.mark.slow
@examples(10)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 2, 2, 3]))
def test_windows_that_overlap_need_no_integers(seed: int, norm: bool, dim: int) -> None:
    rng = np.random.default_rng(seed)
    network, domain = overlapping(rng, 5, norm=norm), a_slice(rng, 5, dim)
    found, exact = (rt.decompose(network, domain, enumerator=name) for name in ("cpu", "exact"))
    found.check()
    assert_same_complex(found, exact)
    assert found.record.n_uncertain == 0


@pytest.mark.slow
@examples(25)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 2, 2, 3]))
def test_other_ties_are_left_to_numbers(seed: int, norm: bool, dim: int) -> None:
    rng = np.random.default_rng(seed)
    network = overlapping(rng, 5, norm=norm, integers=True)
    origin, *directions = np.round(2 * rng.standard_normal((dim + 1, 5)))
    try:
        domain = rt.AffineSlice.through(origin, *directions)
    except InputError:  # directions that depend on each other
        return
    found, exact = (rt.decompose(network, domain, enumerator=name) for name in ("cpu", "exact"))
    found.check()
    assert_same_complex(found, exact)


@pytest.mark.slow
def test_without_structure_integers_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(network: Any) -> None:
        return None

    n_uncertain = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        network, domain = overlapping(rng, 8, norm=bool(seed % 2)), a_slice(rng, 8, 2)
        found = rt.decompose(network, domain, enumerator="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(structure.Structure, "of", none)
            other = rt.decompose(network, domain, enumerator="cpu")
        assert_same_complex(found, other)
        n_uncertain += other.record.n_uncertain
    assert n_uncertain > 100


@pytest.mark.slow
@examples(20)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_forms_are_identities(seed: int, norm: bool) -> None:
    """Forms of neurons that depend on each other, and the values of the neurons, do so alike."""
    rng = np.random.default_rng(seed)
    network = overlapping(rng, 7, norm=norm)
    points = rng.standard_normal((40, 7)) * 0.01 + rng.standard_normal(7)
    values = network.preactivations(points)
    inside = (np.sign(values) == np.sign(values[0])).all(axis=1)
    values = values[inside]
    (packed,) = pack_patterns(values[:1] > 0)
    forms = structure.Structure(network).on(packed)
    scale = np.abs(values).max()
    for neuron in range(network.n_neurons):
        others = rng.choice(network.n_neurons, 3, replace=False).tolist()
        span = structure.Span(forms.form(other) for other in others)
        if not span.rest(forms.form(neuron)):
            fit = np.linalg.lstsq(values[:, others], values[:, neuron], rcond=None)[0]
            assert np.abs(values[:, others] @ fit - values[:, neuron]).max() <= 1e-9 * scale
