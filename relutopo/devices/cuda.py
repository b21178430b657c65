"""NVIDIA cards, through CuPy."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_integer
from relutopo.devices.device import Device, detached, numpy_device
from relutopo.devices.pinned import LARGE, staging
from relutopo.errors import DeviceError, DeviceMemoryError, InputError
from relutopo.optional import require

__all__ = ["cuda_device"]

_DLPACK_CUDA = 2
"""DLDeviceType of the DLPack standard."""
_GIB = 2**30
_WITHOUT = "compute without a card"


_HOST = numpy_device()


class _CudaDevice(Device):
    def __init__(
        self, cupy: ModuleType, cupy_sparse: ModuleType, index: int, otherwise: str
    ) -> None:
        self.index = index
        self._make_room = (
            "close other programs that use the card, call torch.cuda.empty_cache() where this one "
            f"trains, give it less, or {otherwise}"
        )
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
                return self._copy(_HOST.to_device(array))
            if not self.holds(array):
                index = array.__dlpack_device__()[1]
                raise InputError(
                    f"a tensor is on card {index}, and the backend computes on card {self.index}; "
                    f"set `device={index}`, or move the tensor by .to('cuda:{self.index}')"
                )
            return self.xp.from_dlpack(detached(array))

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
                with super().session():
                    yield
            except self.xp.cuda.memory.OutOfMemoryError as error:
                traceback.clear_frames(error.__traceback__)  # they hold arrays
                raise DeviceMemoryError(
                    f"{self.name} has too little memory: {error}; {self._make_room}"
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
                f"{n_free / _GIB:.1f} GiB free of {n_all / _GIB:.1f} GiB; {self._make_room}"
            )

    def _current(self) -> Any:
        return self.xp.cuda.Device(self.index)


def cuda_device(
    index: int = 0, purpose: str = "computing on a card", otherwise: str = _WITHOUT
) -> Device:
    """Return an NVIDIA card, through CuPy.

    Parameters
    ----------
    index : int, default 0
        Number of the card, from 0, in CUDA's own order.
    purpose : str
        What needs it, as the subject of a sentence.
    otherwise : str
        What to do if it cannot be used, as a command.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    DeviceError
        If there is no card, no driver for it, or CuPy finds no CUDA libraries.
    InputError
        If there are fewer cards.
    """
    remedy = "device=0 is the first card"
    check_integer("device", index, remedy=remedy)
    cupy = require("cupy", purpose)
    try:
        n_cards = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy's own, which exists only where CuPy does
        raise DeviceError(
            f"{purpose} needs an NVIDIA card, and CUDA finds none: {error}; check that "
            f"`nvidia-smi` lists one and that its driver is as new as CuPy needs, or {otherwise}"
        ) from error
    if n_cards == 0:
        raise DeviceError(
            f"{purpose} needs an NVIDIA card, and CUDA sees none; check `nvidia-smi` and the "
            f"environment variable CUDA_VISIBLE_DEVICES, or {otherwise}"
        )
    index = check_integer("device", index, 0, n_cards - 1, remedy=f"{remedy} that CUDA sees")
    try:
        device = _CudaDevice(cupy, require("cupyx.scipy.sparse", purpose), index, otherwise)
        device.to_host(device.to_device(np.ones(1)) + 1.0)
    except Exception as error:  # whatever a half installed CUDA brings
        raise DeviceError(
            f"{purpose} found a card, but cannot compute on it: {error}; the extras "
            "relutopo[cuda12] and relutopo[cuda13] install the CUDA libraries that CuPy needs, "
            f"or {otherwise}"
        ) from error
    return device
