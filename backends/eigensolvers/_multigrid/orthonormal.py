"""Orthonormal bases of a few long vectors, on any device."""

from __future__ import annotations

from typing import Any

import numpy as np

from relutopo.devices.device import Device

from .products import combinations, inner_products

__all__ = ["orthonormal"]

# Least length of the independent part of a unit vector. There, rounding of the first Gram matrix
# changes the part by a tenth, which the second one corrects.
_NEARLY_DEPENDENT = 1e-7


def orthonormal(rows: Any, weights: Any, device: Device) -> Any:
    """Return rows q with q W qᵀ = 1; the first ones span the same spaces as the first given rows.

    Cholesky factors of the Gram matrix, twice (T. Fukaya et al., "CholeskyQR2", ScalA 2014), are
    faster than Householder's reflections, which take over when the rows are too close to
    dependent. Only Gram matrices and their factors are moved between device and host.

    Parameters
    ----------
    rows : (m, n) array of the device
    weights : (n,) array of the device
        Diagonal of W, positive.
    device : Device
    """
    xp = device.xp
    q = rows
    for _ in range(2):
        gram = device.to_host(inner_products(xp, q, weights * q))
        lengths = np.sqrt(np.maximum(np.diagonal(gram), np.finfo(np.float64).tiny))
        try:
            lower = np.linalg.cholesky(gram / np.multiply.outer(lengths, lengths))
        except np.linalg.LinAlgError:
            break
        if np.diagonal(lower).min() < _NEARLY_DEPENDENT:
            break
        q = combinations(xp, device.to_device(np.linalg.inv(lower) / lengths), q)
    else:
        return q
    roots = xp.sqrt(weights)
    return xp.ascontiguousarray(xp.linalg.qr((roots * rows).T)[0].T) / roots
