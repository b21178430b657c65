"""Weights in lists, in the forms of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from relutopo import as_network
from relutopo.errors import InputError

RNG = np.random.default_rng(0)
W, V = RNG.standard_normal((8, 2)), RNG.standard_normal((1, 8))
B, C = RNG.standard_normal(8), RNG.standard_normal(1)
X = RNG.standard_normal((20, 2))


def forward(b: Any, c: Any) -> np.ndarray:
    result: np.ndarray = np.maximum(X @ W.T + b, 0) @ V.T + c
    return result


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(array) for array in arrays]


@pytest.mark.parametrize(
    "model",
    [
        ([W, V], [B, C]),
        ([W.tolist(), V.tolist()], [B.tolist(), C.tolist()]),
        ([W, V], [B[None], C[None]]),
        ([W, V], [B[:, None], C[:, None]]),
        [(W, B), (V, C)],
        [[W, B], [V, C]],
        [(W, B[:, None]), (V, C)],
        [(W, B[None]), (V, C[None])],
        [W, B, V, C],
        tensors(W, B, V, C),
        [tensors(W, B), tensors(V, C)],
        (tensors(W, V), tensors(B, C)),
    ],
)
def test_forms_of_weights_and_biases(model: Any) -> None:
    np.testing.assert_allclose(as_network(model)(X), forward(B, C), atol=1e-12)


@pytest.mark.parametrize(
    "model", [([W, V], None), ([W, V], [None, None]), [(W, None), (V, None)], [W, None, V, None]]
)
def test_without_biases(model: Any) -> None:
    np.testing.assert_allclose(as_network(model)(X), forward(0, 0), atol=1e-12)


def test_the_last_bias_may_be_missing() -> None:
    np.testing.assert_allclose(as_network([W, B, V])(X), forward(B, 0), atol=1e-12)


@pytest.mark.parametrize("model", [([W.T, V.T], [B, C]), [(W.T, B), (V.T, C)], [W.T, B, V.T, C]])
def test_the_other_orientation_is_named(model: Any) -> None:
    with pytest.raises(InputError, match=r"are \(n_in, n_out\), as scikit-learn.*\[w\.T for w in"):
        as_network(model)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ([W, V, V], r"must be a pair \(weights, biases\), got a list of 3"),
        ([[W, B[None]], [V, C]], r"can also be read as pairs .* biases of shape \(n,\)"),
        ([1, 2, 3], r"must be a pair \(weights, biases\), got a list of 3"),
        ([], "got list"),
        (([W, V], [B]), "got 2 and 1"),
        (([W, V], [B, np.ones(3)]), r"layer 1 must have .* and \(3,\)"),
        (([W, V], [C, B]), "layer 0 must have"),
    ],
)
def test_other_lists_are_refused(model: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_network(model)
