"""Where arrays live: the interface, and the computer's own memory.

Code that is written against a `Device` runs in the computer's memory and on an NVIDIA card
(`relutopo.devices.cuda`). On NumPy it is tested; on a card it is fast. What differs between the
two, beyond the namespaces, is gathered here: moving arrays, the memory that a card has, and what
can be wrong with a card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse as scipy_sparse

from relutopo.devices.copies import copy_on_card, drop_used_copies

__all__ = ["Device", "detached", "numpy_device"]

# DLDeviceType of the DLPack standard; what is pinned is memory of the host.
_DLPACK_CPU, _DLPACK_PINNED = 1, 3


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
        if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack__"):
            return np.asarray(array)
        return np.from_dlpack(detached(array))

    def csr_to_device(self, matrix: Any) -> Any:
        """Return a matrix of the host as CSR of this device, with indices of type int32.

        Parameters
        ----------
        matrix : scipy.sparse.csr_array
        """
        indices, indptr = (a.astype(np.int32, copy=False) for a in (matrix.indices, matrix.indptr))
        arrays = tuple(self.to_device(array) for array in (matrix.data, indices, indptr))
        return self.sparse.csr_matrix(arrays, shape=matrix.shape)

    def bring(self, array: NDArray[Any]) -> Any:
        """Return a read-only array of the host as an array of this device, for reading only.

        If a copy of it is on the device already, that is taken, and the memory of the copy is free
        when the session ends; see `relutopo.devices.copies`.

        Parameters
        ----------
        array : ndarray
        """
        copy = copy_on_card(array, self.holds)
        return self.to_device(array if copy is None else copy)

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
        inside. Copies that `bring` has found are dropped too.

        Raises
        ------
        DeviceMemoryError
            If an array does not fit.
        """
        try:
            yield
        finally:
            drop_used_copies(self.holds)

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


def numpy_device() -> Device:
    """Return the computer's own memory and NumPy: the reference that cards are compared with.

    Examples
    --------
    >>> device = numpy_device()
    >>> device.name, device.xp.__name__, device.sparse.__name__
    ('NumPy', 'numpy', 'scipy.sparse')
    """
    return Device()


def detached(array: Any) -> Any:
    """Return a tensor without its gradient's record, which DLPack does not carry."""
    return array.detach() if hasattr(array, "detach") else array
