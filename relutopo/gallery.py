"""Untrained networks of any size, for measuring how costs grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from relutopo.errors import InputError
from relutopo.geometry.domain import Box
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["RandomNetwork", "random_network"]


def random_network(sizes: Sequence[int], seed: int = 0) -> ReluNetwork:
    """Return a network with uniformly distributed weights and biases.

    Weights are uniform in ±sqrt(6 / fan-in), which keeps the size of the activations from layer to
    layer (K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015, section 2.2,
    there for a normal distribution of the same variance), biases in ±1 / sqrt(fan-in).

    Parameters
    ----------
    sizes : sequence of int
        Inputs, neurons of each hidden layer, outputs: at least two numbers, all positive.
    seed : int, default 0

    Returns
    -------
    ReluNetwork

    Raises
    ------
    InputError
        If there are fewer than two sizes, or one is not positive.

    Examples
    --------
    >>> random_network([2, 16, 16, 1]).layer_sizes
    (16, 16)
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise InputError(
            f"`sizes` must be at least two positive integers, got {list(sizes)}; pass for example "
            "[2, 16, 16, 1]"
        )
    rng = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, n in pairwise(sizes):
        weights.append(rng.uniform(-1, 1, (n, fan_in)) * np.sqrt(6 / fan_in))
        biases.append(rng.uniform(-1, 1, n) / np.sqrt(fan_in))
    return ReluNetwork(weights, biases)


@dataclass(frozen=True)
class RandomNetwork:
    """Which network is measured, on which domain, and how often.

    Attributes
    ----------
    width : int
        Neurons of each hidden layer.
    depth : int
        Hidden layers.
    dim : int
        Inputs.
    radius : float
        The domain is the box [-radius, radius]^dim.
    rounds : int
        How often each step is timed after a warm-up; the least time counts.

    Raises
    ------
    InputError
        If a number is not positive.
    """

    width: int = 32
    depth: int = 2
    dim: int = 2
    radius: float = 10.0
    rounds: int = 3

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"`scale.{name}` must be positive, got {value}; see `--help`")

    def create(self, seed: int) -> ReluNetwork:
        """Return the network, with one output."""
        return random_network([self.dim, *[self.width] * self.depth, 1], seed)

    @property
    def domain(self) -> Box:
        """The box that it is decomposed on."""
        return Box(-self.radius, self.radius, dim=self.dim)
