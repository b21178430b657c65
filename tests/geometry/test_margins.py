"""Distances from walls against fractions, and against balls in which nothing changes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.geometry.margins import margins_of


@examples(30)
@given(
    dim=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer", "float32"]),
    scale=st.sampled_from([1.0, 1e-6, 1e6]),
)
def test_margins_against_fractions(dim: int, seed: int, kind: str, scale: float) -> None:
    network = random_network([dim, 5, 4, 3, 1], seed, kind)
    points = scale * np.random.default_rng(seed).standard_normal((4, dim))
    found = rt.wall_margins(network, points)
    assert (found.margins <= found.most_margins).all()
    signs = network.signs(points)
    for i, point in enumerate(points):
        x = [*map(Fraction, point.tolist()), Fraction(1)]
        squares = []
        for planes in network.exact_maps(signs[i] > 0, len(network.layer_sizes)):
            for plane in planes:
                length = sum(int(a) ** 2 for a in plane[:-1])
                value = sum(int(a) * b for a, b in zip(plane, x, strict=True))
                if length or value == 0:
                    squares.append(Fraction(value) ** 2 / length if length else None)
                else:
                    squares.append(None)
        right = min((s for s in squares if s is not None), default=None)
        if right is None:
            assert found.margins[i] == np.inf
            assert found.neurons[i] == -1
            continue
        assert Fraction(found.margins[i]) ** 2 <= right
        assert Fraction(found.most_margins[i]) ** 2 >= right
        width = found.most_margins[i] - found.margins[i]
        assert width <= 1e-7 * max(1.0, scale, found.margins[i])
        nearest = squares[found.neurons[i]]
        assert nearest is not None
        assert float(nearest) ** 0.5 == pytest.approx(float(right) ** 0.5, rel=1e-6, abs=1e-12)


def test_nothing_changes_within_the_margin_and_something_just_beyond() -> None:
    network = random_network([64, 16, 12, 2], 2)
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (20, 64))
    found = rt.wall_margins(network, points)
    signs = network.signs(points)
    for i, point in enumerate(points):
        steps = rng.standard_normal((50, 64))
        steps *= 0.999 * found.margins[i] / np.linalg.norm(steps, axis=1)[:, None]
        assert (network.signs(point + steps) == signs[i]).all()
        plane = network.affine_maps(
            int(network.layer_of(found.neurons[i])), signs[i : i + 1] > 0, np.abs(point)
        ).planes[0]
        (_, unit) = network.names_of([found.neurons[i]])[0]
        slope = plane[:-1, unit]
        towards = -signs[i, found.neurons[i]] * slope / np.linalg.norm(slope)
        beyond = network.signs((point + 1.0001 * found.most_margins[i] * towards)[None])[0]
        assert beyond[found.neurons[i]] == -signs[i, found.neurons[i]]


def test_points_on_walls_and_neurons_that_are_constant() -> None:
    network = rt.ReluNetwork(
        [[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0, 1.0]]], [[0.0, 0.0, 1.0], [0.0]]
    )
    found = rt.wall_margins(network, [[0.0, 3.0], [2.0, 0.0]])
    assert found.margins.tolist() == [0.0, pytest.approx(2.0)]
    assert found.neurons.tolist() == [0, 0]
    assert found.most_margins[0] == 0.0
    flat = rt.ReluNetwork([[[0.0]], [[1.0]]], [[1.0], [0.0]])
    nowhere = rt.wall_margins(flat, [[0.5]])
    assert (nowhere.margins[0], nowhere.most_margins[0], nowhere.neurons[0]) == (np.inf, np.inf, -1)
    assert rt.wall_margins(([[[1.0]]], [[0.0]]), [[0.5]]).margins[0] == np.inf
    assert repr(rt.wall_margins(network, np.empty((0, 2)))) == "WallMargins(0 points)"
    assert repr(found) == "WallMargins(2 points, 0 to 2, half below 1)"


def test_walls_beyond_the_range_of_floats() -> None:
    network = rt.ReluNetwork([[[5e-324], [1e-300]], [[1.0, 1.0]]], [[1.0, 1.0], [0.0]])
    found = rt.wall_margins(network, [[0.0]])
    assert found.margins[0] == pytest.approx(1e300)
    assert found.neurons[0] == 1
    far = rt.wall_margins(([[[5e-324]], [[1.0]]], [[1.0], [0.0]]), [[0.0]])
    assert (far.margins[0], far.most_margins[0]) == (np.finfo(np.float64).max, np.inf)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network([3, 6, 5, 1], 0)
    points = np.random.default_rng(0).standard_normal((30, 3))
    whole = margins_of(network, points)
    monkeypatch.setattr("relutopo.geometry.margins._MOST_NUMBERS", 1)
    pieces = margins_of(network, points)
    np.testing.assert_allclose(whole.margins, pieces.margins)
    np.testing.assert_array_equal(whole.neurons, pieces.neurons)


def test_margins_of_a_convolutional_module() -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(1, 2, 3).double()
    module = torch.nn.Sequential(
        convolution, torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(18, 2).double()
    )
    images = torch.randn(3, 1, 5, 5, dtype=torch.float64)
    found = rt.wall_margins(module, images)
    hidden = convolution(images).detach().flatten(1)
    lengths = convolution.weight.detach().flatten(1).norm(dim=1).repeat_interleave(9)
    right = (hidden.abs() / lengths).min(dim=1).values.numpy()
    np.testing.assert_allclose(found.margins, right, rtol=1e-9)


def test_wrong_points() -> None:
    with pytest.raises(InputError, match=r"`points` must have shape \(n, 3\)"):
        rt.wall_margins(random_network([3, 4, 1], 0), [[0.0, 0.0]])


def test_margins_do_not_depend_on_points_far_outside() -> None:
    """Bounds of coordinates are shared by points of one size only."""
    network = random_network([3, 6, 5, 1], 0)
    points = np.random.default_rng(0).standard_normal((20, 3))
    alone = rt.wall_margins(network, points)
    far = np.concatenate([[[1e24, 0.0, 1.0]], points, [[0.0, -1e9, 0.0], [0.0, 1e-30, 0.0]]])
    beside = rt.wall_margins(network, far)
    np.testing.assert_allclose(beside.margins[1:21], alone.margins, rtol=1e-9)
    np.testing.assert_array_equal(beside.neurons[1:21], alone.neurons)


def test_points_without_walls_are_told() -> None:
    constant = ([[[0.0]], [[1.0]]], [[1.0], [0.0]])
    found = rt.wall_margins(constant, [[1.0], [2.0]])
    assert repr(found) == "WallMargins(2 points, inf to inf, half below inf)"
