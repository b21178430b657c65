from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from properties import examples
from relutopo import Box, ReluNetwork, as_network, decompose
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.gallery import random_network
from relutopo.geometry.patterns import pack_patterns
from relutopo.networks.torch_modules import perceptron_of_sequence


def fraction_forward(network: ReluNetwork, point: list[Fraction]) -> list[list[Fraction]]:
    """Slow reference: the pre-activations of each layer in rational arithmetic."""
    layers, x = [], point
    for w, b in zip(network.weights, network.biases, strict=True):
        z = [
            sum((Fraction(a) * c for a, c in zip(row, x, strict=True)), Fraction(offset))
            for row, offset in zip(w.tolist(), b.tolist(), strict=True)
        ]
        layers.append(z)
        x = [max(v, Fraction(0)) for v in z]
    return layers


def test_sequential_equals_its_forward_pass() -> None:
    module = nn.Sequential(
        nn.Flatten(),
        nn.Linear(3, 5),
        nn.ReLU(),
        nn.Sequential(nn.Identity(), nn.Linear(5, 4, bias=False), nn.ReLU()),
        nn.Linear(4, 2),
    ).double()
    network = as_network(module)
    assert isinstance(network, ReluNetwork)
    assert network.widths == (3, 5, 4, 2)
    x = np.random.default_rng(0).standard_normal((50, 3))
    with torch.no_grad():
        np.testing.assert_allclose(network(x), module(torch.tensor(x)).numpy(), atol=1e-14)


def test_a_layer_that_is_used_twice_is_two_layers() -> None:
    shared, act = nn.Linear(3, 3), nn.ReLU()
    module = nn.Sequential(nn.Linear(2, 3), act, shared, act, shared, act, nn.Linear(3, 1)).double()
    network = as_network(module)
    assert isinstance(network, ReluNetwork)
    assert network.widths == (2, 3, 3, 3, 1)
    x = np.random.default_rng(0).standard_normal((20, 2))
    with torch.no_grad():
        np.testing.assert_allclose(network(x), module(torch.tensor(x)).numpy(), atol=1e-14)


def test_trailing_relu_counts_as_hidden_layer() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).double()
    network = as_network(module)
    assert network.layer_sizes == (3,)
    x = np.random.default_rng(0).standard_normal((20, 2))
    with torch.no_grad():
        np.testing.assert_allclose(network(x), module(torch.tensor(x)).numpy(), atol=1e-14)


def test_state_dict_and_arrays_give_the_same_network() -> None:
    first, last = nn.Linear(2, 3), nn.Linear(3, 1)
    module = nn.Sequential(first, nn.ReLU(), last)
    from_module, from_state = as_network(module), as_network(module.state_dict())
    arrays = (
        [layer.weight.detach().numpy() for layer in (first, last)],
        [layer.bias.detach().numpy() for layer in (first, last)],
    )
    x = np.random.default_rng(0).standard_normal((20, 2))
    np.testing.assert_array_equal(from_module(x), from_state(x))
    np.testing.assert_array_equal(from_module(x), as_network(arrays)(x))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), r"Tanh at 'Sequential\.1'"),
        (
            nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.GELU())),
            r"GELU at 'Sequential\.1\.0'",
        ),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), "Linear at .* right after another"),
        (nn.Sequential(nn.ReLU(), nn.Linear(2, 1)), "ReLU at .* before any Linear"),
        (nn.Sequential(nn.Identity()), "must contain a Linear layer"),
    ],
)
def test_unsupported_modules_are_named(module: nn.Module, message: str) -> None:
    with pytest.raises(UnsupportedModuleError, match=message):
        perceptron_of_sequence(module)


def test_unsupported_state_dict_entry_is_named() -> None:
    state = nn.Sequential(nn.Conv1d(1, 1, 3)).state_dict()
    with pytest.raises(UnsupportedModuleError, match=r"got '0\.weight' of shape \(1, 1, 3\)"):
        as_network(state)
    with pytest.raises(
        InputError, match=r"names that end in \.weight, got a mapping with the keys 0"
    ):
        as_network({0: np.ones((1, 2))})


@pytest.mark.parametrize("shape", [2, (), (2, 0), "2", (2.0,)])
def test_input_shapes_are_sequences_of_integers(shape: Any) -> None:
    with pytest.raises(
        InputError, match="`input_shape` must be a sequence of at least 1 integer from 1"
    ):
        as_network(nn.Linear(2, 1), shape)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_must_be_finite(bad: float) -> None:
    with pytest.raises(InputError, match=r"`weights` of layer 1 must be finite.*at \(0, 1\)"):
        ReluNetwork([np.ones((2, 1)), np.array([[1.0, bad]])], [np.zeros(2), np.zeros(1)])
    with pytest.raises(InputError, match=r"`biases` of layer 0 must be finite.*at \(1,\)"):
        ReluNetwork([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, bad], [0.0]])


def test_shapes_must_fit() -> None:
    with pytest.raises(InputError, match=r"layer 1 must have weights of shape \(n, 2\)"):
        ReluNetwork([[[1.0], [1.0]], [[1.0, 1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    with pytest.raises(InputError, match="same positive length"):
        ReluNetwork([[[1.0]]], [])
    for weights, biases in ((1.0, 0.0), ([1.0], [0.0]), (np.zeros((2, 2, 2)), np.zeros((2, 3)))):
        with pytest.raises(InputError, match=r"same positive length|must have weights of shape"):
            ReluNetwork(weights, biases)  # type: ignore[arg-type]
    assert ReluNetwork(np.ones((2, 2, 2)), np.ones((2, 2))).widths == (2, 2, 2)  # type: ignore


def test_other_objects_are_refused() -> None:
    with pytest.raises(InputError, match=r"`model` must be a relutopo Network.*got 3;"):
        as_network(3)


def test_dimensions_must_agree() -> None:
    with pytest.raises(InputError, match=r"`domain` has 2 dimensions, the network takes 3"):
        decompose(random_network([3, 2, 1], 0), Box(-1, 1, dim=2))
    with pytest.raises(InputError, match="`domain` must be a Domain, or at least two points"):
        decompose(random_network([2, 2, 1], 0), (-1, 1))
    with pytest.raises(InputError, match=r"`points` must have shape \(n, 2\), got \(5, 3\)"):
        random_network([2, 2, 1], 0)(np.zeros((5, 3)))
    with pytest.raises(InputError, match=r"`points` must be finite.*in row 1"):
        random_network([2, 2, 1], 0)(np.array([[0.0, 0.0], [0.0, np.nan]]))


def test_decision_values() -> None:
    x = np.random.default_rng(0).standard_normal((10, 2))
    one, two = random_network([2, 4, 1], 0), random_network([2, 4, 2], 0)
    np.testing.assert_array_equal(one.decision_values(x), one(x)[:, 0])
    np.testing.assert_array_equal(two.decision_values(x), two(x)[:, 1] - two(x)[:, 0])
    with pytest.raises(InputError, match="needs 1 or 2 outputs, the network has 3"):
        random_network([2, 4, 3], 0).decision_values(x)


random_networks = st.builds(
    lambda hidden, seed, kind, bias: random_network([2, *hidden, 1], seed, kind, bias),
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.integers(0, 10**6),
    st.sampled_from(["gaussian", "integer", "float32"]),
    st.sampled_from([0.0, 1.0]),
)


def test_signs_of_values_beyond_the_floats() -> None:
    """What overflows is decided exactly, without a warning."""
    network = ReluNetwork(
        [[[1e200]], [[1e200], [-1e200]], [[1.0, 1.0]]], [[0.0], [0.0, 1.0], [0.0]]
    )
    assert network.signs([[1e-3], [0.0]]).tolist() == [[1, 1, -1], [0, 0, 1]]


@examples(50)
@given(network=random_networks, seed=st.integers(0, 10**6))
def test_forward_bound_holds(network: ReluNetwork, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-3, 3, (4, 2))
    values, bounds = network.preactivation_bounds(points)
    signs = network.signs(points)
    for i, point in enumerate(points.tolist()):
        layers = fraction_forward(network, [Fraction(c) for c in point])[:-1]
        exact = [z for layer in layers for z in layer]
        for j, z in enumerate(exact):
            assert abs(Fraction(values[i, j]) - z) <= Fraction(bounds[i, j])
            assert signs[i, j] == (z > 0) - (z < 0)


@pytest.mark.parametrize(
    ("weights", "point", "sign"),
    [([0.5], [5e-324], 1), ([0.3, -0.1], [1e-323, 3e-323], -1), ([1e-200, 0.0], [1e-200, 1.0], 1)],
)
def test_signs_at_tiny_coordinates(weights: list[float], point: list[float], sign: int) -> None:
    network = ReluNetwork([[weights], [[1.0]]], [[0.0], [0.0]])
    assert network.signs([point]).item() == sign
    complex_ = decompose(network, Box(-1, 1, dim=len(point)))
    region = complex_.locate([point]).item()
    assert complex_.patterns[region].tolist() == [sign > 0]


@examples(200)
@given(seed=st.integers(0, 10**6))
def test_forward_bound_holds_where_products_underflow(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> NDArray[np.float64]:
        low, high = [(-1070, -900), (-1070, 100), (-300, 300), (-2, 2)][rng.integers(4)]
        present = rng.random(shape) < 0.8
        return present * rng.standard_normal(shape) * 2.0 ** rng.uniform(low, high, shape)

    network = ReluNetwork(
        [numbers(3, 2), numbers(3, 3), numbers(1, 3)],
        [numbers(3) * rng.integers(2), numbers(3) * rng.integers(2), [0.0]],
    )
    point = numbers(1, 2)
    values, bounds = network.preactivation_bounds(point)
    exact = fraction_forward(network, [Fraction(c) for c in point[0].tolist()])[:-1]
    for j, z in enumerate(z for layer in exact for z in layer):
        assert abs(Fraction(values[0, j]) - z) <= Fraction(bounds[0, j])
        assert network.signs(point)[0, j] == (z > 0) - (z < 0)


@examples(100)
@given(seed=st.integers(0, 10**6), n_outputs=st.integers(1, 2), is_tiny=st.booleans())
def test_passes_of_many_points_are_exact_or_bounded(
    seed: int, n_outputs: int, is_tiny: bool
) -> None:
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> NDArray[np.float64]:
        sizes = 2.0 ** rng.uniform(-1000, 100, shape) if is_tiny else 1.0
        return (rng.random(shape) < 0.7) * rng.integers(-4, 5, shape) * sizes / 3

    network = ReluNetwork(
        [numbers(9, 2), numbers(3, 9), numbers(n_outputs, 3)],
        [numbers(9) * rng.integers(2), numbers(3) * rng.integers(2), numbers(n_outputs)],
    )
    points = np.concatenate([numbers(300, 2), np.zeros((1, 2))])[: rng.integers(1, 302)]
    signs, found = network.signs(points), network.patterns_at(points)
    np.testing.assert_array_equal(found.packed, pack_patterns(signs > 0))
    np.testing.assert_array_equal(found.signs, signs[found.close])
    is_live = (signs != 0).any(axis=0) | (network.signs(rng.standard_normal((50, 2))) != 0).any(0)
    others = np.delete(signs, found.close, axis=0)
    assert (others[:, is_live] != 0).all()
    if found.decided is not None:
        np.testing.assert_array_equal(found.decided, network.decision_values(points) > 0)

    deviations = np.abs(points).max(axis=1) * 1e-6
    moved = points + deviations[:, None] * rng.uniform(-0.99, 0.99, points.shape)
    values, bounds = network.bounded_decision(points, deviations)
    for i in rng.choice(len(points), min(5, len(points)), replace=False):
        *_, outputs = fraction_forward(network, [Fraction(c) for c in moved[i].tolist()])
        exact = outputs[-1] if n_outputs == 1 else outputs[1] - outputs[0]
        assert abs(Fraction(values[i]) - exact) <= Fraction(bounds[i])


def test_errors_of_maps_do_not_underflow_on_tiny_domains() -> None:
    """0.1 * 0.1 is rounded, however small the coordinates are that it is a slope of."""
    network = ReluNetwork([[[0.1]], [[0.1]], [[1.0]]], [[0.0], [0.0], [0.0]])
    maps = network.affine_maps(1, np.array([[True, True]]), np.array([1e-310]))
    deviation = abs(Fraction(maps.planes[0, 0, 0]) - Fraction(0.1) ** 2) * Fraction(1e-310)
    assert 0 < deviation <= Fraction(maps.errors[0, 0])


@examples(50)
@given(network=random_networks, seed=st.integers(0, 10**6))
def test_affine_maps_are_the_network_on_its_region(network: ReluNetwork, seed: int) -> None:
    point = np.random.default_rng(seed).uniform(-3, 3, (1, 2))
    pattern = network.signs(point) > 0
    exact_maps = network.exact_maps(pattern[0], len(network.layer_sizes) + 1)
    exact_x = [Fraction(c) for c in point[0].tolist()]
    reference = fraction_forward(network, exact_x)
    for layer, (z, planes) in enumerate(zip(reference, exact_maps, strict=True)):
        maps = network.affine_maps(layer, pattern, np.array([3.0, 3.0]))
        scale = None
        for j, value in enumerate(z):
            *a, c = (Fraction(v) for v in maps.planes[0, :, j].tolist())
            computed = sum((p * q for p, q in zip(a, exact_x, strict=True)), c)
            assert abs(computed - value) <= Fraction(maps.errors[0, j])
            *a_int, c_int = planes[j]
            integer = sum((p * q for p, q in zip(a_int, exact_x, strict=True)), Fraction(c_int))
            if value:  # one positive factor for the whole layer
                assert scale in (None, integer / value)
                scale = integer / value
                assert scale > 0
            else:
                assert integer == 0


def test_import_is_light() -> None:
    import subprocess

    code = (
        "import sys, relutopo; "
        "heavy = {'torch', 'numba', 'pyamg', 'hydra', 'matplotlib', 'pandas', 'phat', 'cupy', "
        "'sklearn', 'rich'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
