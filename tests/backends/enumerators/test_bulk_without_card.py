"""The bulk enumerator on NumPy in the role of CuPy, with kernels and without."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from relutopo import Box, ReluNetwork, decompose
from relutopo.gallery import random_network
from relutopo.testing import assert_same_complex
from strict_device import CALLS, Namespace, NamespaceWithKernels, OnCard, StrictDevice

bulk = import_module("relutopo.backends.enumerators._bulk.enumeration")


@pytest.fixture(scope="module", params=["operations", "kernels"])
def device(request: pytest.FixtureRequest) -> StrictDevice:
    if request.param == "operations":
        return StrictDevice(Namespace())
    with_kernels = request.getfixturevalue("numpy_with_kernels")
    return StrictDevice(NamespaceWithKernels(with_kernels.ElementwiseKernel))


def cut(device: StrictDevice, network: ReluNetwork, dim: int) -> Any:
    enumerator = bulk.BulkEnumerator(device, "strict", bulk.Tuning(at_once=2**20))
    return decompose(network, Box(-2, 2, dim=dim), enumerator=enumerator)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("bias", [1.0, 0.0])
@pytest.mark.parametrize("hidden", [[1, 6, 6], [2, 7, 5, 4], [2, 70], [3, 6, 5], [4, 5, 3]])
def test_only_what_cupy_has_is_used(
    device: StrictDevice, hidden: list[int], bias: float, kind: str
) -> None:
    dim = hidden[0]
    network = random_network([*hidden, 1], 0, kind, bias)
    exact = decompose(network, Box(-2, 2, dim=dim), enumerator="cpu")
    assert_same_complex(cut(device, network, dim), exact)


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_layers_that_cut_nothing(device: StrictDevice, dim: int) -> None:
    """Dead neurons, neurons that are always active, and one that cuts off a corner."""
    rows = np.array([[0.0] * dim, [0.0] * dim, [1.0] * dim])
    offsets = np.array([-1.0, 1.0, 1.5 * dim])
    for n in (2, 3):
        weights: list[Any] = [rows[:n], np.ones((2, n)), np.ones((1, 2))]
        network = ReluNetwork(weights, [offsets[:n], [9e9, -9e9], [0.0]])
        complex_ = cut(device, network, dim)
        assert complex_.n_regions == n - 1
        complex_.check()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_number_of_operations_does_not_depend_on_the_size(
    device: StrictDevice, dim: int
) -> None:
    """Ten times as many neurons in a layer, and many times as many regions."""
    counts = []
    for width in (6, 60):
        CALLS.clear()
        cut(device, random_network([dim, width, 1], 0), dim)
        counts.append(sum(CALLS.values()))
    assert abs(counts[1] - counts[0]) <= 0.05 * counts[0]


def test_the_strict_device_is_strict(device: StrictDevice) -> None:
    here, there = np.arange(3), device.to_device(np.arange(3))
    assert isinstance(there + there, OnCard)
    with pytest.raises(TypeError, match="used like one on a card"):
        there + here
    with pytest.raises(TypeError, match="used like one on a card"):
        there[here]
    with pytest.raises(TypeError, match="is on a card"):
        np.concatenate([there, there])
    with pytest.raises(AttributeError, match="lexsort"):
        device.xp.lexsort(there)
