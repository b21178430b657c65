"""Links of torch modules: what comes last and changes no region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relutopo import Box, ReluNetwork, as_network, decompose
from relutopo.errors import UnsupportedModuleError
from relutopo.networks.torch_modules import perceptron_of

X = np.random.default_rng(0).standard_normal((20, 2))


class Ended(nn.Module):
    """A perceptron with some function of its outputs."""

    def __init__(self, end: Callable[[Tensor], Tensor], n_outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.c = nn.Linear(2, 8), nn.Linear(8, n_outputs)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.c(torch.relu(self.a(x))))


def outputs(module: nn.Module) -> Any:
    with torch.no_grad():
        return module.double().eval()(torch.tensor(X)).numpy().reshape(len(X), -1)


ENDS: list[tuple[Callable[[Tensor], Tensor], str]] = [
    (torch.sigmoid, "sigmoid"),
    (lambda z: z.sigmoid(), "sigmoid"),
    (lambda z: z.tanh_(), "tanh"),
    (lambda z: F.softmax(z, dim=1), "softmax"),
    (lambda z: z.softmax(-1), "softmax"),
    (lambda z: torch.log_softmax(z, 1), "log_softmax"),
    (lambda z: z.argmax(1), "argmax"),
    (lambda z: z.softmax(1).argmax(dim=-1), "softmax, argmax"),
    (lambda z: torch.sigmoid(z).float().flatten(1), "sigmoid"),
    (nn.Softmax(dim=1), "softmax"),
    (nn.Tanh(), "tanh"),
]


@pytest.mark.parametrize(("end", "link"), ENDS, ids=[link for _, link in ENDS])
def test_the_last_step_is_a_link(end: Callable[[Tensor], Tensor], link: str) -> None:
    module = Ended(end)
    network = as_network(module)
    assert isinstance(network, ReluNetwork)
    assert network.link == link
    np.testing.assert_allclose(network.predict(X), outputs(module), atol=1e-9)
    bare = Ended(lambda z: z)
    np.testing.assert_array_equal(network(X), as_network(bare)(X))
    quick = perceptron_of(module)
    assert quick is not None
    assert quick.link == link


@pytest.mark.parametrize(
    "end",
    [
        lambda z: torch.sigmoid(z)[:, 0],
        lambda z: torch.sigmoid(z).squeeze(),
        lambda z: torch.sigmoid(z).view(-1),
    ],
)
def test_one_output_may_lose_its_axis(end: Callable[[Tensor], Tensor]) -> None:
    module = Ended(end, n_outputs=1)
    network = as_network(module)
    assert network.link == "sigmoid"
    np.testing.assert_allclose(network.predict(X), outputs(module), atol=1e-9)


def test_sequences_and_regions() -> None:
    layers = [nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)]
    with_link, without = nn.Sequential(*layers, nn.Sigmoid()), nn.Sequential(*layers)
    complexes = [decompose(module, Box(-1, 1, dim=2)) for module in (with_link, without)]
    np.testing.assert_array_equal(complexes[0].vertices, complexes[1].vertices)
    assert complexes[0].network.link == "sigmoid"
    assert "link sigmoid" in repr(complexes[0].network)
    module = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(), nn.Linear(8, 3), nn.LogSoftmax(dim=1))
    network = as_network(module)
    assert network.link == "log_softmax"
    np.testing.assert_allclose(network.predict(X), outputs(module), atol=1e-9)


@pytest.mark.parametrize(
    "end",
    [
        lambda z: 2 * torch.sigmoid(z),
        lambda z: torch.sigmoid(z) + z,
        lambda z: torch.sigmoid(z).sum(1),
        lambda z: torch.sigmoid(z)[:, 1:],
        lambda z: torch.relu(torch.sigmoid(z) - 0.5),
        lambda z: z.softmax(0),
        lambda z: torch.tanh(z.softmax(1)),
        lambda z: torch.sigmoid(z).flip(1),
        lambda z: z.softmax(1).argmax(0),
        lambda z: F.gelu(z),
        lambda z: torch.cat([torch.sigmoid(z), torch.sigmoid(z)], 1),
    ],
)
def test_other_ends_are_refused(end: Callable[[Tensor], Tensor]) -> None:
    module = Ended(end)
    with pytest.raises(UnsupportedModuleError):
        as_network(module)
    assert perceptron_of(module) is None


@pytest.mark.parametrize(
    "end",
    [
        lambda z: z.softmax(1),
        lambda z: torch.log_softmax(z, 1),
        lambda z: z.argmax(1),
        lambda z: torch.sigmoid(z).argmax(1),
        lambda z: torch.log(z + 100.0),
        lambda z: torch.log(z),
    ],
)
def test_ends_of_one_output_that_change_its_sign_are_refused(
    end: Callable[[Tensor], Tensor],
) -> None:
    module = Ended(end, n_outputs=1)
    nn.init.constant_(module.c.bias, 9.0)  # a log is defined at the points of comparison
    with pytest.raises(UnsupportedModuleError, match=r"constant|smooth"):
        as_network(module)
    assert perceptron_of(module) is None


@pytest.mark.parametrize("end", [nn.Softmax(1), lambda z: z.argmax(1)])
def test_hard_sigmoids_are_kinks_before_a_link(end: Callable[[Tensor], Tensor]) -> None:
    module = Ended(lambda z: end(F.hardsigmoid(9 * z)))
    network = as_network(module)
    assert network.n_neurons == 8 + 6
    np.testing.assert_allclose(network.predict(X), outputs(module), atol=1e-9)


def test_within_a_network_they_are_named() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 3), nn.ReLU())
    with pytest.raises(UnsupportedModuleError, match=r"Sigmoid at 'Sequential\.1'"):
        as_network(module)
    module = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Identity(), nn.Linear(2, 2))
    with pytest.raises(UnsupportedModuleError, match=r"Sigmoid at 'Sequential\.1'"):
        as_network(module)
