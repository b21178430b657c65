"""Graphs as chains: values, bounds of weights and biases, and what is a chain."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from convolutions import random_skips
from properties import examples
from relutopo.networks.chains import ChainLayer, chain_of
from relutopo.networks.graph import Affine, GraphNetwork, Kink

torch = pytest.importorskip("torch")
nn = torch.nn


def _skips(seed: int) -> tuple[GraphNetwork, tuple[ChainLayer, ...]] | None:
    model, shape = random_skips(np.random.default_rng(seed))
    network = rt.as_network(model, shape)
    found = chain_of(network, np.ones(shape)) if isinstance(network, GraphNetwork) else None
    return None if found is None else (network, found)  # type: ignore[return-value]


@examples(60)
@given(st.integers(0, 2**32 - 1))
def test_chains_are_off_by_no_more_than_their_bounds(seed: int) -> None:
    """The exact chain on a point, with numbers that stand for what is off in each row."""
    found = _skips(seed)
    if found is None:
        return
    network, chain = found
    point = np.random.default_rng(seed).integers(-8, 9, network.input_dim) / 4
    exact = _exact_values(network, point)
    here = exact[0]
    if chain and chain[0].weights.shape[1] > network.layer_sizes[0]:
        here = [*here, *map(Fraction, point.tolist())]
    slack = np.zeros(len(here))
    for layer, wanted in zip(chain, exact[1:], strict=True):
        on, off = map(np.ndarray.tolist, (layer.slopes_on, layer.slopes_off))
        n = len(on)
        slopes = [Fraction(on[j] if here[j] > 0 else off[j]) for j in range(n)]
        inputs = [s * z for s, z in zip(slopes, here, strict=False)] + here[n:]
        steepest = max([1.0, *np.abs([on, off]).ravel()])
        values = [
            sum((Fraction(w) * z for w, z in zip(row, inputs, strict=True)), Fraction(b))
            for row, b in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True)
        ]
        sizes = np.linalg.norm(np.array(inputs, dtype=float))
        slack = (
            steepest * np.abs(layer.weights) @ slack
            + layer.weight_errors * (sizes + steepest * np.linalg.norm(slack))
            + layer.bias_error
        )
        for j in range(layer.n_units):
            assert abs(values[j] - wanted[j]) <= 1.01 * slack[j]
        # What units are is known exactly, what is carried is not.
        here = [*wanted, *values[layer.n_units :]]
        slack[: layer.n_units] = 0.0


def _exact_values(network: GraphNetwork, point: Any) -> list[list[Fraction]]:
    """Return the pre-activations of each layer by a forward pass in rational numbers."""
    values: list[list[Fraction]] = [[Fraction(x) for x in point.tolist()]]
    for node in network.nodes:
        if isinstance(node, Affine):
            rows = [Fraction(b) for b in node.bias.tolist()]
            for source, matrix in zip(node.sources, node.matrices, strict=True):
                dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
                for j, row in enumerate(dense.tolist()):
                    terms = zip(row, values[source], strict=True)
                    rows[j] += sum(Fraction(w) * z for w, z in terms)
            values.append(rows)
        else:
            assert isinstance(node, Kink)
            slopes = zip(node.slope_on.tolist(), node.slope_off.tolist(), strict=True)
            values.append(
                [
                    Fraction(on if z > 0 else off) * z
                    for (on, off), z in zip(slopes, values[node.source], strict=True)
                ]
            )
    layers = range(len(network.layer_sizes))
    return [[z for value, _, _ in network.targets(k) for z in values[value]] for k in layers]


class _Model(nn.Module):  # type: ignore[misc, name-defined]
    """A layer, some way from its units on, and two layers more."""

    def __init__(self, way: Any, size: int) -> None:
        super().__init__()
        self.first, self.f, self.g = nn.Linear(2, 5), nn.Linear(5, 4), nn.Linear(4, 5)
        self.last, self.way = nn.Sequential(nn.Linear(size, 3), nn.ReLU(), nn.Linear(3, 1)), way

    def forward(self, x: Any) -> Any:
        """Return the output."""
        z = self.first(x)
        return self.last(self.way(self, x, z, torch.relu(z)))


def test_what_is_carried() -> None:
    """Shapes of weights: units and what is carried, of a layer and of the one before."""
    ways: dict[str, tuple[Any, int, list[tuple[int, int]]]] = {
        "sum before units": (
            lambda m, x, z, a: torch.relu(a + m.g(torch.relu(m.f(a)))),
            5,
            [(4 + 5, 5), (5, 4 + 5), (3, 5)],
        ),
        "sum": (lambda m, x, z, a: a + m.g(torch.relu(m.f(a))), 5, [(4 + 3, 5), (3, 4 + 3)]),
        "sum without a kink before": (
            lambda m, x, z, a: z + m.g(torch.relu(m.f(z))),
            5,
            [(3, 4 + 2)],
        ),
        "joined": (
            lambda m, x, z, a: torch.cat([a, torch.relu(m.f(a))], 1),
            9,
            [(4 + 3, 5), (3, 4 + 3)],
        ),
        "joined input": (lambda m, x, z, a: torch.cat([a, x], 1), 7, [(3, 5 + 2)]),
        "two kinks": (lambda m, x, z, a: torch.cat([a, torch.relu(m.f(z))], 1), 9, [(3, 9)]),
        "nothing beside": (lambda m, x, z, a: m.g(torch.relu(m.f(a))), 5, [(4, 5), (3, 4)]),
    }
    for name, (way, size, shapes) in ways.items():
        torch.manual_seed(0)
        network = rt.as_network(_Model(way, size).double().eval(), (2,))
        if isinstance(network, GraphNetwork):
            chain = chain_of(network, np.ones(2))
            assert chain is not None, name
            assert [layer.weights.shape for layer in chain] == shapes, name
            assert [layer.n_units for layer in chain] == list(network.layer_sizes[1:]), name
        else:
            assert name == "nothing beside"


def test_products_of_tiny_weights_are_no_chain() -> None:
    """They would be too small for floats, so that nothing could be said of their rounding."""
    tiny = np.full((3, 3), 2.0**-299)
    kink = (np.ones(3), np.zeros(3))
    zero = np.zeros(3)
    for n, is_chain in ((2, True), (4, False)):
        more = [Affine((3 + i,), (tiny,), zero) for i in range(n - 1)]
        nodes: list[Affine | Kink] = [
            Affine((0,), (np.ones((3, 2)),), zero),
            Kink(1, *kink),
            Affine((2,), (tiny,), zero),
        ]
        nodes += [*more, Kink(2 + n, *kink), Affine((3 + n,), (np.ones((1, 3)),), np.zeros(1))]
        assert (chain_of(GraphNetwork(2, nodes), np.ones(2)) is not None) == is_chain
