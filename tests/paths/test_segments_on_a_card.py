"""Segments on a card find what the processor finds, on NumPy in its place and on a card."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import relutopo as rt
from convolutions import random_stack
from properties import examples
from relutopo.devices.cuda import cuda_device
from relutopo.devices.device import Device, numpy_device
from relutopo.errors import MissingExtraError
from relutopo.paths import following
from relutopo.paths.following import Resources, as_graph
from relutopo.paths.knots import KnotFinder
from relutopo.paths.segments import follow
from segment_cases import check_same_segments, random_ends, random_network, relu_graph
from strict_device import CALLS, Namespace, StrictDevice

DEVICES = ["numpy", "strict", pytest.param("cuda", marks=pytest.mark.gpu)]


def card(name: str) -> Device:
    if name == "cuda":
        return cuda_device()
    return numpy_device() if name == "numpy" else StrictDevice(Namespace())


def on(device: str, network: Any, starts: Any, ends: Any, *, exact: bool | None = None) -> Any:
    """Return the segments, found on a card or what stands for one."""
    n = len(starts)
    pairs = np.column_stack([np.arange(n), n + np.arange(n)])
    points = np.concatenate([starts, ends])
    return follow(network, points, pairs, exact, Resources(device=card(device)))


@pytest.mark.parametrize("device", DEVICES)
@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(2, 20),
    kind=st.sampled_from(["plain", "integers", "no biases", "twins"]),
)
@examples(30)
def test_perceptrons_are_as_on_the_processor(device: str, seed: int, d: int, kind: str) -> None:
    """Ties go to the host, and are decided there."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, d, kind)
    ends = random_ends(rng, d, 6)
    found = on(device, network, *ends)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", 0)
        compiled = rt.segments(network, *ends)
    check_same_segments(found, compiled)


@pytest.mark.parametrize("device", DEVICES)
@given(seed=st.integers(0, 2**32 - 1))
@examples(20)
def test_convolutions_are_as_on_the_processor(device: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module, shape = random_stack(rng)
    network = rt.as_network(module, shape)
    ends = random_ends(rng, int(np.prod(shape)), 3)
    found = on(device, network, *ends, exact=True)
    check_same_segments(found, rt.segments(network, *ends, exact=True))


@pytest.mark.parametrize("device", DEVICES)
def test_sparse_maps_are_as_on_the_processor(device: str) -> None:
    """Of convolutions on images, with what max pooling compares on their flat parts."""
    torch.manual_seed(0)
    module = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(27, 3)),
    ).double()
    images = np.full((6, 1, 10, 10), 0.25)
    images[:, :, 3:6, 3:6] = np.random.default_rng(0).random((6, 1, 3, 3))
    network = rt.as_network(module, (1, 10, 10))
    assert "Compressed Sparse Row" in str(as_graph(network).nodes[0])
    starts, ends = images.reshape(2, 3, 100)
    found = on(device, network, starts, ends)
    same = rt.segments(network, starts, ends)
    assert found.record.n_uncertain == same.record.n_uncertain
    np.testing.assert_array_equal(found.neurons, same.neurons)
    np.testing.assert_array_equal(found.classes, same.classes)
    np.testing.assert_allclose(found.t, same.t, atol=1e-12)
    assert len(found.t) > 100


def test_numpy_stands_for_the_processor_bit_by_bit() -> None:
    """What is on the card alone is what NumPy computes, bounds included."""
    network = random_network(np.random.default_rng(0), 5, "plain")
    ends = random_ends(np.random.default_rng(1), 5, 30)
    graph = relu_graph(network)
    here = KnotFinder(graph).find(*ends)
    there = KnotFinder(graph, card("strict")).find(*ends)
    for name in ("indptr", "points", "neurons", "first", "n_open"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    for name in ("t", "t_errors", "outputs", "output_errors"):
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-9, atol=1e-14)


def test_the_number_of_operations_does_not_depend_on_the_number_of_segments() -> None:
    network = rt.gallery.random_network([5, 30, 30, 3], seed=0)
    counts = []
    for n in (4, 400):
        CALLS.clear()
        KnotFinder(relu_graph(network), card("strict")).find(
            *np.random.default_rng(0).normal(size=(2, n, 5))
        )
        counts.append(sum(CALLS.values()))
    assert counts[0] == counts[1]


def test_without_cupy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    network = rt.gallery.random_network([3, 4, 2], seed=0)
    message = r"following segments on a card needs .*cuda12"
    with pytest.raises(MissingExtraError, match=message):
        rt.segments(network, np.eye(3), pairs=[(0, 1)], device=0)
    with pytest.raises(MissingExtraError, match=message):
        rt.path_signatures(network, np.eye(3), [0, 0, 1], device=0)


@pytest.mark.parametrize("device", ["cuda", "cpu", -1, 0.5])
def test_a_card_has_a_number(device: Any) -> None:
    network = rt.gallery.random_network([3, 4, 2], seed=0)
    with pytest.raises(rt.errors.InputError, match="`device` must be an integer"):
        rt.segments(network, np.eye(3), pairs=[(0, 1)], device=device)


@pytest.mark.gpu
def test_a_card_is_free_again() -> None:
    network = rt.gallery.random_network([3, 20, 20, 2], seed=0)
    ends = np.random.default_rng(0).normal(size=(2, 500, 3))
    found = rt.segments(network, *ends, device=0)
    check_same_segments(found, rt.segments(network, *ends))
    import cupy

    assert cupy.get_default_memory_pool().used_bytes() == 0
