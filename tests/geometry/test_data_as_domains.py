"""Data in the place of a domain: the box around them, wherever a domain is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from relutopo import Box, decompose, estimate, search_regions
from relutopo.errors import InputError
from relutopo.gallery import random_network

X = np.random.default_rng(0).uniform(-1, 2, (30, 2))
NETWORK = random_network([2, 6, 1], seed=0)
KINDS: dict[str, Callable[[Any], Any]] = {
    "array": lambda x: x,
    "single precision": lambda x: x.astype(np.float32),
    "list": lambda x: x.tolist(),
    "tensor": torch.tensor,
    "tensor with a gradient": lambda x: torch.tensor(x).requires_grad_(),
    "half": lambda x: torch.tensor(x).half(),
    "table": lambda x: pd.DataFrame(x, columns=["width", "length"]),
    "whole numbers": lambda x: np.rint(10 * x).astype(int),
}


@pytest.mark.parametrize("kind", KINDS)
def test_data_give_the_box_around_them(kind: str) -> None:
    points = KINDS[kind](X)
    box = Box.around(points)
    complex_ = decompose(NETWORK, points)
    assert complex_.domain == box
    assert complex_.n_regions == decompose(NETWORK, box).n_regions
    assert estimate(NETWORK, points).n_regions == complex_.n_regions
    assert search_regions(NETWORK, points, points).graph.n_nodes == complex_.n_regions


def test_the_shape_of_an_input_follows_from_data() -> None:
    module = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 4), torch.nn.ReLU())
    assert decompose(module.eval(), X).n_regions > 1


def test_what_is_no_data_is_refused() -> None:
    for wrong in ([0.0, 1.0], (-1, 1), np.zeros(3), np.zeros((1, 2)), np.array(2.0)):
        with pytest.raises(InputError, match="`domain` must be a Domain, or at least two points"):
            decompose(NETWORK, wrong)
    with pytest.raises(InputError, match="`domain` must be an array of numbers"):
        decompose(NETWORK, [["a", "b"], ["c", "d"]])
    with pytest.raises(InputError, match="must be finite"):
        decompose(NETWORK, np.where(X > 1.9, np.nan, X))
    with pytest.raises(InputError, match="`domain` must be a Domain, got str"):
        decompose(NETWORK, "box")
    with pytest.raises(InputError, match="`domain` has 3 dimensions, the network takes 2"):
        decompose(NETWORK, np.random.default_rng(0).normal(size=(9, 3)))


@pytest.mark.parametrize("n", [13, 64, 784])
def test_many_columns_need_a_slice(n: int) -> None:
    """Said at once, also where some of them are constant, as pixels at the edge of images are."""
    network = random_network([n, 4, 1], seed=0)
    points = np.random.default_rng(0).normal(size=(20, n))
    points[:, ::3] = 0.0
    for refuse in (decompose, estimate):
        for domain in (points, points.reshape(20, 1, n), Box(-1, 1, dim=n)):
            with pytest.raises(InputError, match=r"at most 12 .* AffineSlice\.principal\(X\), or"):
                refuse(network, domain)
