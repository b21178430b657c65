"""Networks are read in several threads at once, and beside training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relutopo import as_network
from relutopo.networks.torch_modules import perceptron_of


class Block(nn.Module):
    def __init__(self, width: int, slope: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, width), nn.Linear(width, 2)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 1:
            x = x[None]
        h = F.leaky_relu(self.first(x.to("cpu").float()), self.slope)
        return torch.cat([self.second(h), torch.maximum(h, -x[:, :1]).mean(1, keepdim=True)], 1)


def some_module(seed: int) -> nn.Module:
    """Return one of several kinds of modules, with weights of its own."""
    width = 2 + seed % 5
    kinds: list[Callable[[], nn.Module]] = [
        lambda: nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 1)),
        lambda: Block(width, 0.1),
        lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Hardtanh(), Block(2, 0.2)),
        lambda: nn.Sequential(
            nn.Unflatten(1, (1, 2)), nn.Conv1d(1, width, 2), nn.ReLU6(), nn.Flatten()
        ),
    ]
    with torch.random.fork_rng():  # tells nothing about threads: it is called by one at a time
        module = kinds[seed % 4]()
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data = torch.tensor(
            rng.standard_normal(tuple(parameter.shape)), dtype=torch.float
        )
    return module


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


POINTS = np.random.default_rng(0).standard_normal((7, 2))


def values(module: nn.Module) -> Any:
    return as_network(module, (2,))(POINTS)


@pytest.mark.slow
@pytest.mark.usefixtures("hasty")
def test_modules_are_read_in_eight_threads() -> None:
    modules = [some_module(seed) for seed in range(288)]
    expected = [values(module) for module in modules]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(values, modules))
        again = list(pool.map(values, [modules[1]] * 16))  # one module in all threads
    for one, other in zip([*found, *again], [*expected, *[expected[1]] * 16], strict=True):
        np.testing.assert_array_equal(one, other)


def train(module: nn.Module, steps: int) -> tuple[list[Tensor], Tensor]:
    """Return weights and the last loss after so many steps on the same random data."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    loss = torch.zeros(())
    for _ in range(steps):
        x = torch.randn(8, 2, generator=generator)
        optimizer.zero_grad()
        loss = F.mse_loss(module(x)[:, :1], x.prod(1, keepdim=True))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return [parameter.detach().clone() for parameter in module.parameters()], loss.detach()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("seed", "steps"), [(0, 100), (1, 100), (2, 100), pytest.param(2, 1000, marks=pytest.mark.slow)]
)
def test_training_goes_on_beside_as_if_alone(seed: int, steps: int) -> None:
    expected = train(some_module(seed), steps)
    module, other = some_module(seed), some_module(1)
    state, call = torch.get_rng_state(), nn.Module.__call__
    done = Event()

    def read() -> int:
        n = 0
        while not done.is_set() or not n:
            values(other)
            as_network(module, (2,))  # the one that is trained, too
            perceptron_of(module)
            n += 1
        return n

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            found = train(module, steps)  # would raise if a forward pass failed
        finally:
            done.set()
        assert reader.result()
    assert torch.equal(found[1], expected[1])
    for one, two in zip(found[0], expected[0], strict=True):
        assert torch.equal(one, two)
    # Nothing of the process has changed.
    assert nn.Module.__call__ is call
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()
    assert not torch.fx._symbolic_trace.is_fx_tracing()
