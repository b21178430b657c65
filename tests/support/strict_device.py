"""NumPy in the role of CuPy.

The namespace refuses what CuPy does not have and arrays of NumPy where a card wants its own, so
what passes here has a good chance on a card. It also counts operations.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.devices.device import Device

__all__ = ["CALLS", "Namespace", "NamespaceWithKernels", "OnCard", "StrictDevice"]

# What CuPy 14 has under the same name, with the same arguments as far as they are used.
FUNCTIONS = frozenset([
    "abs", "append", "arange", "argsort", "ascontiguousarray", "asarray", "clip",
    "concatenate", "cumsum", "empty", "flatnonzero", "full", "isfinite", "nonzero", "ones",
    "ones_like", "packbits", "searchsorted", "sign", "unique", "unpackbits", "where", "zeros",
    "zeros_like",
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


class Namespace:
    """What CuPy has, on NumPy."""

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


class NamespaceWithKernels(Namespace):
    """The same, with kernels that are compiled for the processor."""

    def __init__(self, compiled: Any) -> None:
        class Kernel(compiled):  # type: ignore[misc]  # a class that a fixture gives
            def __call__(self, *arguments: Any, size: int | None = None) -> None:
                CALLS["kernels"] += 1
                assert not any(type(x) is np.ndarray for x in arguments), "not on the card"
                super().__call__(*map(_off, arguments), size=size)

        self.ElementwiseKernel = Kernel


class _Matrix:
    """A sparse matrix on the card, times dense arrays there."""

    def __init__(self, arrays: tuple[Any, Any, Any], shape: tuple[int, int]) -> None:
        assert all(isinstance(array, OnCard) for array in arrays)
        data, indices, indptr = map(_off, arrays)
        assert indices.dtype == indptr.dtype == np.int32, "cuSPARSE takes no other indices"
        self.indptr = arrays[2]
        self._matrix = sparse.csr_matrix((data, indices, indptr), shape=shape)

    def __matmul__(self, other: Any) -> Any:
        assert isinstance(other, OnCard)
        CALLS["sparse"] += 1
        return _on(np.asarray(self._matrix @ _off(other)))


class _Sparse:
    csr_matrix = _Matrix


class StrictDevice(Device):
    """A device whose arrays live in the computer's memory, but are kept apart."""

    name = "strict NumPy"

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.sparse = _Sparse()

    def to_device(self, array: Any) -> Any:
        """Return an array of this device."""
        return np.array(array).view(OnCard)

    def to_host(self, array: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return an array of NumPy."""
        assert isinstance(array, OnCard), "only arrays on the card can come back"
        return super().to_host(np.array(array.view(np.ndarray)), out)
