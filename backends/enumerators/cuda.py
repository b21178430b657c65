"""Enumeration on an NVIDIA card, by CuPy, in any dimension, certified.

The algorithm is in `_bulk`; it is the same on NumPy, where it is tested against the other
enumerators.
"""

from __future__ import annotations

from relutopo.devices.cuda import cuda_device

from ._bulk.enumeration import BulkEnumerator

__all__ = ["CudaEnumerator"]


class CudaEnumerator(BulkEnumerator):
    """Cuts domains of any dimension on an NVIDIA card.

    The network's weights are copied to the card, unless they belong to a module that is on it, and
    the finished complex is copied back; the processor decides exactly what error bounds leave open.
    Afterwards the card's memory is freed.

    Parameters
    ----------
    device : int, default 0
        Number of the card, from 0, in CUDA's own order.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    DeviceError
        If there is no card, or CUDA does not work.
    InputError
        If there is no card with this number.

    Examples
    --------
    Needs a card::

        relutopo.decompose(model, domain, enumerator="cuda")
    """

    def __init__(self, device: int = 0) -> None:
        card = cuda_device(device, "the enumerator 'cuda'", "choose the enumerator 'cpu'")
        super().__init__(card, "cuda")
