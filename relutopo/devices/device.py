"""Where arrays live: in the computer's memory, or on an NVIDIA card.

Code that is written against a `Device` runs on both. On NumPy it is tested; on a card it is fast.
What differs between the two, beyond the namespaces, is gathered here: moving arrays, the memory
that a card has, and what can be wrong with a card.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse as scipy_sparse

from relutopo.devices.pinned import LARGE, staging
from relutopo.errors import DeviceError, DeviceMemoryError, InputError
from relutopo.optional import require

__all__ = ["Device", "cuda_device", "numpy_device"]

_REMEDY = "choose a backend for the CPU, such as 'cpu' or 'auto'"
_MAKE_ROOM = (
    "close other programs that use the card, call torch.cuda.empty_cache() where this one trains, "
    f"give it less, or {_REMEDY}"
)
# DLDeviceType of the DLPack standard; what is pinned is memory of the host.
_DLPACK_CPU, _DLPACK_CUDA, _DLPACK_PINNED = 1, 2, 3
_GIB = 2**30


class Device:
    """Memory, and the array namespace that computes in it: here, the computer's own and NumPy.

    Attributes
    ----------
    name : str
        What the device calls itself: the card's name, or ``"NumPy"``.
    xp : module
        `numpy`, or `cupy`.
    sparse : module
        `scipy.sparse`, or `cupyx.scipy.sparse`.
    """

    name: str = "NumPy"
    xp: Any = np
    sparse: Any = scipy_sparse

    def to_device(self, array: Any) -> Any:
        """Return an array of this device.

        Parameters
        ----------
        array : array_like or torch.Tensor
            What is on the device already is not copied.

        Raises
        ------
        InputError
            If a tensor is on another card.
        """
        return _as_numpy(array)

    def holds(self, array: Any) -> bool:
        """Tell whether an array or tensor lies in the memory of this device."""
        return array.__dlpack_device__()[0] in (_DLPACK_CPU, _DLPACK_PINNED)

    def to_host(self, array: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return an array of this device as an array of NumPy, once it is computed.

        Parameters
        ----------
        array : array of this device
        out : ndarray, optional
            A contiguous array of the same shape and type that takes it.
        """
        if out is None:
            return np.asarray(array)
        out[...] = array
        return out

    def all_to_host(self, arrays: Sequence[Any]) -> list[NDArray[Any]]:
        """Return arrays of this device as arrays of NumPy, which is faster than one by one."""
        return [self.to_host(array) for array in arrays]

    @contextmanager
    def session(self) -> Iterator[None]:
        """Compute on this device; at the end its memory is free again.

        Arrays made inside must be out of use by then, so let a function make them, and call it
        inside.

        Raises
        ------
        DeviceMemoryError
            If an array does not fit.
        """
        yield

    def synchronize(self) -> None:
        """Wait until everything that was asked for is computed."""

    def free(self) -> None:
        """Give back memory that is kept for later arrays; arrays in use stay."""

    def require_memory(self, n_bytes: int, purpose: str) -> None:
        """Say so before starting work that cannot fit.

        Parameters
        ----------
        n_bytes : int
            Bytes that the work takes at a time, beside what is on the device already.
        purpose : str
            What takes them, as the subject of a sentence.

        Raises
        ------
        DeviceMemoryError
            If the card has less. The memory of the computer itself is not looked at.
        """


_HOST = Device()


class _CudaDevice(Device):
    def __init__(self, cupy: ModuleType, cupy_sparse: ModuleType, index: int) -> None:
        self.index = index
        self.xp = cupy
        self.sparse = cupy_sparse

    @cached_property
    def name(self) -> str:  # type: ignore[override]  # asking takes milliseconds
        properties = self.xp.cuda.runtime.getDeviceProperties(self.index)
        return str(properties["name"].decode())

    def to_device(self, array: Any) -> Any:
        with self._current():
            if isinstance(array, self.xp.ndarray) or not hasattr(array, "__dlpack_device__"):
                return self.xp.asarray(array)
            if _HOST.holds(array):
                return self._copy(_as_numpy(array))
            if not self.holds(array):
                index = array.__dlpack_device__()[1]
                raise InputError(
                    f"a tensor is on card {index}, and the backend computes on card {self.index}; "
                    f"set `device={index}`, or move the tensor by .to('cuda:{self.index}')"
                )
            return self.xp.from_dlpack(_detached(array))

    def _copy(self, array: NDArray[Any]) -> Any:
        if array.nbytes < LARGE:
            return self.xp.asarray(array)
        copy = self.xp.empty(array.shape, dtype=array.dtype)
        staging(self.xp, self.index).to_card(np.ascontiguousarray(array), copy)
        return copy

    def holds(self, array: Any) -> bool:
        return tuple(array.__dlpack_device__()) == (_DLPACK_CUDA, self.index)

    def to_host(self, array: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        with self._current():
            if array.nbytes < LARGE:
                return _HOST.to_host(np.asarray(self.xp.asnumpy(array)), out)
            if out is None:
                out = np.empty(array.shape, array.dtype)
            staging(self.xp, self.index).to_host([self.xp.ascontiguousarray(array)], [out])
            return out

    def all_to_host(self, arrays: Sequence[Any]) -> list[NDArray[Any]]:
        with self._current():
            small = [array.nbytes < LARGE for array in arrays]
            outs = [
                self.to_host(array) if is_small else np.empty(array.shape, array.dtype)
                for array, is_small in zip(arrays, small, strict=True)
            ]
            large = [i for i, is_small in enumerate(small) if not is_small]
            if large:
                staging(self.xp, self.index).to_host(
                    [self.xp.ascontiguousarray(arrays[i]) for i in large], [outs[i] for i in large]
                )
            return outs

    @contextmanager
    def session(self) -> Iterator[None]:
        with self._current():
            try:
                yield
            except self.xp.cuda.memory.OutOfMemoryError as error:
                traceback.clear_frames(error.__traceback__)  # they hold arrays
                raise DeviceMemoryError(
                    f"{self.name} has too little memory: {error}; {_MAKE_ROOM}"
                ) from error
            finally:
                self.free()

    def synchronize(self) -> None:
        with self._current():
            self.xp.cuda.get_current_stream().synchronize()

    def free(self) -> None:
        with self._current():
            self.xp.get_default_memory_pool().free_all_blocks()
            self.xp.get_default_pinned_memory_pool().free_all_blocks()

    def require_memory(self, n_bytes: int, purpose: str) -> None:
        with self._current():
            n_free, n_all = self.xp.cuda.runtime.memGetInfo()
            n_free += self.xp.get_default_memory_pool().free_bytes()
        if n_bytes > n_free:
            raise DeviceMemoryError(
                f"{purpose} needs {n_bytes / _GIB:.1f} GiB on {self.name}, which has "
                f"{n_free / _GIB:.1f} GiB free of {n_all / _GIB:.1f} GiB; {_MAKE_ROOM}"
            )

    def _current(self) -> Any:
        return self.xp.cuda.Device(self.index)


def numpy_device() -> Device:
    """Return the computer's own memory and NumPy: the reference that cards are compared with.

    Examples
    --------
    >>> device = numpy_device()
    >>> device.name, device.xp.__name__, device.sparse.__name__
    ('NumPy', 'numpy', 'scipy.sparse')
    """
    return Device()


def cuda_device(index: int = 0, purpose: str = "computing on a card") -> Device:
    """Return an NVIDIA card, through CuPy.

    Parameters
    ----------
    index : int, default 0
        Number of the card, from 0, in CUDA's own order.
    purpose : str
        What needs it, as the subject of a sentence.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    DeviceError
        If there is no card, no driver for it, or CuPy finds no CUDA libraries.
    InputError
        If there are fewer cards.
    """
    cupy = require("cupy", purpose)
    try:
        n_cards = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's own, which exists only where CuPy does
        raise DeviceError(
            f"{purpose} needs an NVIDIA card, and CUDA finds none: {error}; check that "
            f"`nvidia-smi` lists one and that its driver is as new as CuPy needs, or {_REMEDY}"
        ) from error
    if n_cards == 0:
        raise DeviceError(
            f"{purpose} needs an NVIDIA card, and CUDA sees none; check `nvidia-smi` and the "
            f"environment variable CUDA_VISIBLE_DEVICES, or {_REMEDY}"
        )
    if not 0 <= index < n_cards:
        raise InputError(
            f"`device` must be in 0..{n_cards - 1}, the cards that CUDA sees, got {index}; "
            "device=0 always exists"
        )
    try:
        device = _CudaDevice(cupy, require("cupyx.scipy.sparse", purpose), index)
        device.to_host(device.to_device(np.ones(1)) + 1.0)
    except Exception as error:  # whatever a half installed CUDA brings
        raise DeviceError(
            f"{purpose} found a card, but cannot compute on it: {error}; the extras "
            "relutopo[cuda12] and relutopo[cuda13] install the CUDA libraries that CuPy needs, "
            f"or {_REMEDY}"
        ) from error
    return device


def _detached(array: Any) -> Any:
    """Return a tensor without its gradient's record, which DLPack does not carry."""
    return array.detach() if hasattr(array, "detach") else array


def _as_numpy(array: Any) -> NDArray[Any]:
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
        return np.asarray(array)
    return np.from_dlpack(_detached(array))
