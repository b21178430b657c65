"""Orthonormal bases of a few long columns, on any device."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices import Device

__all__ = ["orthonormal"]

_NEARLY_DEPENDENT = 1e-4  # length of what is left of a unit column


def orthonormal(basis: Any, device: Device) -> Any:
    """Return orthonormal columns, whose first ones span what the first columns given span.

    Cholesky factors of the Gram matrix, twice (T. Fukaya et al., "CholeskyQR2", ScalA 2014), are
    faster than Householder's reflections, which take over when the columns are too close to
    dependent. Nothing but Gram matrices and their factors goes between device and host.

    Parameters
    ----------
    basis : (n, m) array of the device
    device : Device
    """
    xp = device.xp
    q = basis / xp.maximum(xp.linalg.norm(basis, axis=0), np.finfo(np.float64).tiny)
    for _ in range(2):
        try:
            lower = np.linalg.cholesky(device.to_host(q.T @ q))
        except np.linalg.LinAlgError:
            break
        if np.diagonal(lower).min() < _NEARLY_DEPENDENT:
            break
        q = q @ device.to_device(np.linalg.inv(lower).T)
    else:
        return q
    return xp.linalg.qr(basis)[0]
