"""The kernels of the bulk enumerator, compiled for the processor, against operations on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relutopo import Box, decompose
from relutopo.devices import Device
from relutopo.testing import assert_same_complex, random_network

bulk = import_module("relutopo.backends.enumerators._bulk")
maps = import_module("relutopo.backends.enumerators._bulk_maps")
sets = import_module("relutopo.backends.enumerators._bulk_units")


@pytest.fixture(scope="module")
def with_kernels(numpy_with_kernels: Any) -> Iterator[Any]:
    calls = numpy_with_kernels.ElementwiseKernel.calls
    yield numpy_with_kernels
    assert numpy_with_kernels.ElementwiseKernel.calls > calls


@st.composite
def numbers(draw: st.DrawFn, *shape: int) -> Any:
    """Draw arrays with zeros, the same numbers again, overflows and what is no number."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    array = rng.choice([0.0, -0.0, 1.0, -1.0, 3e-17, -0.3, 0.7, 1e200, np.inf, np.nan], size=shape)
    ordinary = rng.standard_normal(shape)
    return np.where(rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 0.9])), array, ordinary)


@settings(deadline=None)
@given(
    data=st.data(), d=st.integers(1, 4), n=st.integers(0, 5), n_units=st.sampled_from([1, 64, 70])
)
def test_signs(with_kernels: Any, data: st.DataObject, d: int, n: int, n_units: int) -> None:
    units = sets.Units(np, n_units, 2**20)
    planes, errors = data.draw(numbers(3, d + 1, n_units)), abs(data.draw(numbers(3, n_units)))
    region = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int32)
    x, deviation = data.draw(numbers(d, n)), abs(data.draw(numbers(n))) * 1e-3
    with np.errstate(all="ignore"):
        signs = [
            maps.signs_from_maps(xp, units, (planes, errors), region, x, deviation, 1e-3)
            for xp in (np, with_kernels)
        ]
    np.testing.assert_array_equal(signs[0], signs[1])
    assert not np.array(signs)[..., n_units:].any()


@settings(deadline=None)
@given(
    data=st.data(), d=st.integers(1, 4), n=st.integers(0, 5), n_units=st.sampled_from([1, 64, 70])
)
def test_inherited_maps(
    with_kernels: Any, data: st.DataObject, d: int, n: int, n_units: int
) -> None:
    units = sets.Units(np, n_units, 2**20)
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    before = rng.standard_normal((3, d + 1, n_units)), rng.random((3, n_units))
    parent = rng.integers(0, 3, n).astype(np.int32)
    active = rng.random((n, 64 * units.n_words)) < 0.5
    reach = np.append(rng.random(d), 1.0)
    after = [
        maps.inherited(xp, units, before, parent, units.pack(active), reach, 1e-15)
        for xp in (np, with_kernels)
    ]
    for by_arrays, by_kernel in zip(*after, strict=True):
        np.testing.assert_array_equal(by_arrays, by_kernel)
    flags = active[:, :n_units]
    np.testing.assert_array_equal(after[1][0], before[0][parent] * flags[:, None])


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("hidden", [[1, 6, 6], [2, 7, 5, 4], [2, 70, 20], [3, 6, 5], [4, 5, 3]])
def test_the_same_cells(with_kernels: Any, hidden: list[int], kind: str) -> None:
    device = Device()
    device.xp = with_kernels
    network, box = random_network([*hidden, 1], 0, kind), Box(-2, 2, dim=hidden[0])
    calls = with_kernels.ElementwiseKernel.calls
    cut = decompose(network, box, enumerator=bulk.BulkEnumerator(device, "kernels", 2**14))
    assert with_kernels.ElementwiseKernel.calls > calls
    assert_same_complex(cut, decompose(network, box, enumerator="cpu"))
