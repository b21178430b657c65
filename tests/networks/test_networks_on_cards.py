"""Networks of modules on a card, with torch tensors that only say that they are on one."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from relutopo import Box, ReluNetwork, as_network, decompose
from relutopo.devices.device import Device
from relutopo.testing import assert_same_complex

CARD = 1


class Card(Device):
    """A device that takes tensors of one card by reference, and copies what is on the host."""

    def __init__(self, index: int = CARD) -> None:
        self.index = index
        self.taken: list[Tensor] = []

    def holds(self, array: Any) -> bool:
        """Tell whether a tensor is on this card."""
        return tuple(array.__dlpack_device__()) == (2, self.index)

    def to_device(self, array: Any) -> Any:
        """Return an array on the card."""
        if not isinstance(array, Tensor):
            return np.array(array)
        self.taken.append(array)
        return array.numpy()


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 7), nn.Linear(7, 1)

    def forward(self, x: Tensor) -> Any:
        return self.second(torch.relu(self.first(x)))


@pytest.fixture
def on_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", ModuleType("cupy"))
    monkeypatch.setattr(Tensor, "is_cuda", property(lambda self: True), raising=False)
    monkeypatch.setattr(Tensor, "__dlpack_device__", lambda self: (2, CARD))


def perceptron() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 1))


@pytest.mark.usefixtures("on_card")
@pytest.mark.parametrize("source", ["sequence", "chain", "state dict", "pair"])
def test_weights_stay_on_their_card_as_they_were(source: str) -> None:
    module: nn.Module = Chain() if source == "chain" else perceptron()
    state = module.state_dict()
    names = [*state]
    model = {
        "sequence": module,
        "chain": module,
        "state dict": state,
        "pair": ([state[n] for n in names[::2]], [state[n] for n in names[1::2]]),
    }[source]
    network = as_network(model)
    assert isinstance(network, ReluNetwork)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)  # training goes on
    device = Card()
    for (w, b), weights, biases in zip(
        network.arrays_on(device), network.weights, network.biases, strict=True
    ):
        for array, host in ((w, weights), (b, biases)):
            assert array.dtype == np.float64
            np.testing.assert_array_equal(array, host)
            assert any(np.shares_memory(array, tensor.numpy()) for tensor in device.taken)
            assert not np.shares_memory(array, host)
    assert len(device.taken) == 4


@pytest.mark.usefixtures("on_card")
def test_a_session_lets_go_of_what_it_took_from_the_card() -> None:
    network, unused = as_network(perceptron()), as_network(perceptron())
    assert isinstance(network, ReluNetwork)
    assert isinstance(unused, ReluNetwork)
    again = pickle.loads(pickle.dumps(network))
    other, first, second, third = Card(CARD + 1), Card(), Card(), Card()
    with other.session():
        again.arrays_on(first)
    assert not first.taken  # a file holds the arrays of the host
    with first.session():
        network.arrays_on(first)
    layers = network.arrays_on(second)
    unused.arrays_on(third)
    assert len(third.taken) == 4
    assert (len(first.taken), len(second.taken)) == (4, 0)
    np.testing.assert_array_equal(layers[0][0], network.weights[0])
    as_network(perceptron()).arrays_on(other)  # type: ignore[attr-defined]
    assert not other.taken


@pytest.mark.usefixtures("on_card")
def test_two_calls_do_not_differ_in_a_session() -> None:
    network, device = as_network(perceptron()), Card()
    assert isinstance(network, ReluNetwork)
    before = pickle.dumps(network)
    with device.session():
        for (w, b), (again, also) in zip(
            network.arrays_on(device), network.arrays_on(device), strict=True
        ):
            assert np.shares_memory(w, again)
            assert np.shares_memory(b, also)
    assert pickle.dumps(network) == before


@pytest.mark.usefixtures("on_card")
def test_a_copy_ends_with_its_network() -> None:
    network = as_network(perceptron())
    assert isinstance(network, ReluNetwork)
    copies = import_module("relutopo.devices.copies")
    n_copies = len(copies._COPIES)
    del network
    assert len(copies._COPIES) == n_copies - 4


@pytest.mark.usefixtures("on_card")
def test_nothing_stays_on_a_card_that_nobody_computes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cupy")
    device = Card()
    as_network(perceptron()).arrays_on(device)  # type: ignore[attr-defined]
    assert not device.taken


@pytest.mark.usefixtures("on_card")
def test_the_enumerator_takes_what_is_there() -> None:
    bulk = import_module("relutopo.backends.enumerators._bulk.enumeration")
    module, box, device = perceptron(), Box(-3, 3, dim=2), Card()
    cut = decompose(module, box, enumerator=bulk.BulkEnumerator(device, "bulk"))
    assert len(device.taken) == 4
    assert_same_complex(cut, decompose(module, box))
