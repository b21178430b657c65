"""The bulk enumerator on NumPy in the role of CuPy, with kernels and without.

The namespace refuses what CuPy does not have and arrays of NumPy where a card wants its own, so
what passes here has a good chance on a card. It also counts operations.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relutopo import Box, ReluNetwork, decompose
from relutopo.devices.device import Device
from relutopo.gallery import random_network
from relutopo.testing import assert_same_complex

bulk = import_module("relutopo.backends.enumerators._bulk.enumeration")

# What CuPy 14 has under the same name, with the same arguments as far as they are used.
FUNCTIONS = frozenset([
    "abs", "append", "arange", "argsort", "ascontiguousarray", "asarray", "clip",
    "concatenate", "cumsum", "empty", "flatnonzero", "full", "nonzero", "ones", "ones_like",
    "packbits", "searchsorted", "unique", "unpackbits", "where", "zeros", "zeros_like",
])  # fmt: skip
SCATTERS = frozenset(["maximum", "minimum"])  # `ufunc.at` exists for few of them


CALLS: Counter[str] = Counter()
"""How often what was called; each would start about one kernel."""


class OnCard(np.ndarray):
    """An array that does not mix with those of NumPy."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        CALLS["operators"] += 1
        out = options.pop("out", None)
        if out is not None:
            options["out"] = tuple(_off(array) for array in out)
        result = getattr(ufunc, method)(*map(_off, inputs), **options)
        return out[0] if out is not None else _on(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} got an array that is on a card")

    def max(self, *args: Any, **kwargs: Any) -> Any:
        assert self.size, "CuPy has no maximum of an empty array, along whatever axis"
        return _on(self.view(np.ndarray).max(*args, **kwargs))

    def __getitem__(self, key: Any) -> Any:
        CALLS["indexing"] += any(isinstance(part, np.ndarray) for part in _parts(key))
        return _on(self.view(np.ndarray)[_index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        CALLS["indexing"] += 1
        self.view(np.ndarray)[_index(key)] = _off(value)


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _index(key: Any) -> tuple[Any, ...]:
    return tuple(map(_off, _parts(key)))


def _off(value: Any) -> Any:
    if isinstance(value, OnCard):
        return value.view(np.ndarray)
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("an array of NumPy is used like one on a card")
    if isinstance(value, list | tuple):
        return type(value)(map(_off, value))
    return value


def _on(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_on, value))
    return value.view(OnCard) if isinstance(value, np.ndarray) else value


class _Namespace:
    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS | SCATTERS:
            raise AttributeError(f"CuPy's {name} is not in the list of this test")

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in ("packbits", "unpackbits"):
                assert args[0].ndim == 1, "CuPy packs and unpacks flat arrays only"
            if name in ("argsort", "cumsum", "unique"):
                assert args[0].size, "an empty array is left to chance"
            CALLS[name] += 1
            taken = args if name == "asarray" else map(_off, args)
            array = getattr(np, name)(*taken, **kwargs)
            if name == "empty":  # the memory of a card has whatever was there before
                array.reshape(-1).view(np.uint8)[...] = 0xA5
            return _on(array)

        def at(*args: Any) -> None:
            CALLS[name] += 1
            getattr(np, name).at(*map(_off, args))

        if name in SCATTERS:
            call.at = at  # type: ignore[attr-defined]
        return call


class _NamespaceWithKernels(_Namespace):
    def __init__(self, compiled: Any) -> None:
        class Kernel(compiled):  # type: ignore[misc]  # a class that a fixture gives
            def __call__(self, *arguments: Any, size: int | None = None) -> None:
                CALLS["kernels"] += 1
                assert not any(type(x) is np.ndarray for x in arguments), "not on the card"
                super().__call__(*map(_off, arguments), size=size)

        self.ElementwiseKernel = Kernel


class StrictDevice(Device):
    """A device whose arrays live in the computer's memory, but are kept apart."""

    name = "strict NumPy"

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def to_device(self, array: Any) -> Any:
        """Return an array of this device."""
        return np.array(array).view(OnCard)

    def to_host(self, array: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return an array of NumPy."""
        assert isinstance(array, OnCard), "only arrays on the card can come back"
        return super().to_host(np.array(array.view(np.ndarray)), out)


@pytest.fixture(scope="module", params=["operations", "kernels"])
def device(request: pytest.FixtureRequest) -> StrictDevice:
    if request.param == "operations":
        return StrictDevice(_Namespace())
    with_kernels = request.getfixturevalue("numpy_with_kernels")
    return StrictDevice(_NamespaceWithKernels(with_kernels.ElementwiseKernel))


def cut(device: StrictDevice, network: ReluNetwork, dim: int) -> Any:
    enumerator = bulk.BulkEnumerator(device, "strict", bulk.Tuning(at_once=2**20))
    return decompose(network, Box(-2, 2, dim=dim), enumerator=enumerator)


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
