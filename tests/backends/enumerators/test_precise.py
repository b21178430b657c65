"""Signs and orders to twice the precision, before integers decide what they leave open."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relutopo import Box, ReluNetwork, decompose
from relutopo.arithmetic.exact import adjugate, sign
from relutopo.arithmetic.rounding import UNDERFLOW
from relutopo.gallery import random_network
from relutopo.testing import assert_same_complex

precise = import_module("relutopo.backends.enumerators._certified.precise")
decisions = import_module("relutopo.backends.enumerators._certified.decisions")
crossings = import_module("relutopo.backends.enumerators._certified.crossings")

POSITIVE = st.fractions(min_value=Fraction(1, 10**6), max_value=1000)
SHARES = st.fractions(min_value=-1, max_value=1)


@pytest.mark.slow
@example(
    a=Fraction(1, 10**6),
    b=Fraction(1, 10**6),
    swapped=False,
    bounds=(5e-324, 0.0),
    shares=(Fraction(1), Fraction(0)),
)
@given(
    a=POSITIVE,
    b=POSITIVE,
    swapped=st.booleans(),
    bounds=st.tuples(*[st.floats(0, 10)] * 2),
    shares=st.tuples(SHARES, SHARES),
)
def test_parameters_have_their_bounds(
    a: Fraction,
    b: Fraction,
    swapped: bool,
    bounds: tuple[float, float],
    shares: tuple[Fraction, Fraction],
) -> None:
    """Whatever the exact values are within their bounds, if their signs are opposite."""
    start, stop = (-a, b) if swapped else (a, -b)
    t, bound = crossings.parameter_between((start, bounds[0]), (stop, bounds[1]))
    alpha, beta = (share * Fraction(bound) for share, bound in zip(shares, bounds, strict=True))
    exact_start, exact_stop = start + alpha, stop + beta
    if exact_start * start > 0 and exact_stop * stop > 0 and bound < float("inf"):
        assert abs(exact_start / (exact_start - exact_stop) - t) <= bound
    assert 0 <= t <= 1


@pytest.mark.slow
@pytest.mark.parametrize("magnitude", [1.0, 1e-310])
def test_errors_of_maps_do_not_underflow_on_tiny_domains(magnitude: float) -> None:
    """0.1^4 does not fit into two floats."""
    network = ReluNetwork([[[0.1, 0.0]], *[[[0.1]]] * 3, [[1.0]]], [[0.0]] * 5)
    maps = precise.PreciseMaps(network, np.array([magnitude, magnitude]))
    last = maps.on(np.ones((1, 3), dtype=bool), 3)
    slope = Fraction(last.high[0, 0, 0]) + Fraction(last.low[0, 0, 0])
    deviation = abs(slope - Fraction(0.1) ** 4)
    assert 0 < deviation <= Fraction(last.errors[0, 0])
    assert 0 < deviation * Fraction(magnitude) <= Fraction(maps.reach @ last.errors[0])


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6), exponent=st.sampled_from([0, -12, -60]), depth=st.integers(1, 18)
)
def test_maps_have_their_bounds(seed: int, exponent: int, depth: int) -> None:
    """However deep the network is, and also where its products are too small for a float."""
    drawn = random_network([2, *[4] * depth, 1], seed)
    weights = [w * 2.0**exponent for w in drawn.weights]
    network = ReluNetwork(weights, drawn.biases)
    patterns = np.random.default_rng(seed).random((5, network.n_neurons)) < 0.7
    maps = precise.PreciseMaps(network, np.ones(2)).on(patterns, depth - 1)
    scales = np.cumsum([shift for *_, shift in network._integer_layers])
    for r, pattern in enumerate(patterns):
        exact = network.exact_maps(pattern, depth)[-1]
        for k in range(3):
            found = [
                Fraction(x) + Fraction(y)
                for x, y in zip(maps.high[r, k], maps.low[r, k], strict=True)
            ]
            wanted = [Fraction(x, 1 << int(scales[depth - 1])) for x in exact[:, k]]
            square = sum((x - y) ** 2 for x, y in zip(found, wanted, strict=True))
            assert square <= Fraction(maps.errors[r, k]) ** 2


@given(
    a=POSITIVE,
    b=POSITIVE,
    exponent=st.integers(-290, 100),
    relative=st.tuples(*[st.sampled_from([0.0, 1e-9, 0.1, 0.2, 0.6])] * 2),
    shares=st.tuples(SHARES, SHARES),
)
def test_parameters_of_floats_have_their_bounds(
    a: Fraction,
    b: Fraction,
    exponent: int,
    relative: tuple[float, float],
    shares: tuple[Fraction, Fraction],
) -> None:
    """However small the values are: their bounds count what is too small for a float."""
    start, stop = float(a) * 10.0**exponent, -float(b) * 10.0**exponent
    bounds = [r * abs(z) + UNDERFLOW for r, z in zip(relative, (start, stop), strict=True)]
    t, bound = crossings.parameter(start, bounds[0], stop, bounds[1])
    exact_start, exact_stop = (
        Fraction(z) + share * Fraction(b)
        for z, share, b in zip((start, stop), shares, bounds, strict=True)
    )
    assert 0 <= t <= 1
    if exact_start > 0 > exact_stop and bound < float("inf"):
        assert abs(exact_start / (exact_start - exact_stop) - Fraction(t)) <= bound


@given(
    d=st.integers(2, 4), seed=st.integers(0, 10**6), kind=st.sampled_from(["gaussian", "integer"])
)
def test_points_and_signs_agree_with_integers(d: int, seed: int, kind: str) -> None:
    """In any dimension: points within their bound, and signs that are right or open."""
    network, box = random_network([d, 5, 5, 6, 1], seed, kind), Box(-2, 2, dim=d)
    decide = decisions.Decisions(network, box, box.magnitude)
    rng = np.random.default_rng(seed)
    packed = np.packbits(rng.random(network.n_neurons) < 0.7, bitorder="little")
    neurons = rng.permutation(network.n_neurons)[: d + 3].tolist()
    planes = [(neuron, packed) for neuron in neurons]
    near, bound = decide.near_point(planes[:d])
    normals = np.array([decide.plane(plane)[:d] for plane in planes[:d]])
    if bound == float("inf") or adjugate(normals)[1] == 0:
        return
    exact = decide.point(planes[:d])
    for coordinate, found in zip(exact[:-1], near[:-1], strict=True):
        off = Fraction(coordinate, exact[-1]) - Fraction(found, near[-1])
        assert abs(off) <= Fraction(bound)
    if all(abs(Fraction(coordinate, exact[-1])) <= 2 for coordinate in exact[:-1]):
        for plane in planes:
            found = precise.sign_at(decide._near_plane(plane), near, bound)
            assert found in (0, sign(decide.plane(plane) @ exact))
            told, _, _ = decide.signs(planes[:d], [plane], None)
            assert told == [sign(decide.plane(plane) @ exact)]


def test_orders_are_the_same_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network with lines that are so close that floats leave their order open."""
    orders = []
    find = decisions.Decisions.parameters

    def watched(self: Any, ends: Any, planes: Any) -> Any:
        orders.append(planes)
        return find(self, ends, planes)

    monkeypatch.setattr(decisions.Decisions, "parameters", watched)
    drawn, box = random_network([2, 8, 8, 8, 1]), Box(-2, 2, dim=2)
    weights = [w.copy() for w in drawn.weights]
    for w in weights[:-1]:
        w[1::2] = w[::2]
    biases = [*(np.repeat(b[::2], 2) for b in drawn.biases[:-1]), drawn.biases[-1]]
    for b in biases[:-1]:
        b[1::2] *= 1 + 2.0**-50
    network = ReluNetwork(weights, biases)
    fast = decompose(network, box)
    assert orders
    monkeypatch.setattr(precise.PreciseMaps, "of", lambda *arguments: None)
    assert_same_complex(decompose(network, box), fast)
