"""Untrained networks of any size, for measuring how costs grow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from relutopo.errors import InputError
from relutopo.geometry.network import ReluNetwork

__all__ = ["random_network"]


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
