"""Networks whose numbers stay within the range of floats, with the same signs everywhere.

ReLU(c z) = c ReLU(z) for c > 0: if a layer's weights and biases are multiplied by a power of two,
and the next layer's weights divided by it, no sign changes anywhere, and nothing is rounded.
Ordinary networks are left as they are.

Invariant: in a network that `balanced` returns, pre-activations of hidden neurons on the domain are
below 2^256, so squares and products of two of them do not overflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relutopo.errors import FloatRangeError
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["balanced"]

_ORDINARY = 256.0
"""Numbers of a network up to this power of two are left as they are."""
_LARGEST = 480
"""For coordinates up to this power of two, sums of squares stay within the range of floats."""


def balanced(network: Network, magnitude: NDArray[np.float64]) -> Network:
    """Return a network whose hidden neurons have the same signs; its outputs have no meaning.

    Parameters
    ----------
    network : Network
        Networks other than `ReluNetwork` are returned as they are.
    magnitude : (d,) ndarray
        Bounds of the coordinates.

    Raises
    ------
    FloatRangeError
        If the numbers of one layer spread over more than the range of floats, or squares of the
        domain's coordinates leave this range.

    Examples
    --------
    >>> huge = ReluNetwork([[[2.0**200]], [[2.0**200]], [[1.0]]], [[0.0], [2.0**399], [0.0]])
    >>> [w.item() for w in balanced(huge, np.ones(1)).weights]
    [1.0, 0.5, 1.0]
    """
    beyond = (magnitude < 2.0**-_LARGEST) | (magnitude > 2.0**_LARGEST)
    if beyond.any():
        raise FloatRangeError(
            f"`domain` must have coordinates of a size from 2^-{_LARGEST} to 2^{_LARGEST}, got "
            f"at most {magnitude[beyond][0]:.1e} on axis {int(np.argmax(beyond))}; scale it and "
            "the first layer"
        )
    if not isinstance(network, ReluNetwork):
        return network
    heights = _heights(network, magnitude)
    if np.abs(heights).max(initial=0.0) <= _ORDINARY:
        return network
    weights, biases, before = list(network.weights), list(network.biases), 0
    for layer, shift in enumerate((-np.ceil(heights)).astype(int).tolist()):
        weights[layer] = _shifted(weights[layer], shift - before, layer)
        biases[layer] = _shifted(biases[layer], shift, layer)
        before = shift
    return ReluNetwork(weights, biases)


def _heights(network: ReluNetwork, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each hidden layer a power of two that bounds its values on the domain."""
    heights, height = [], float(np.log2(max(1.0, float(magnitude.max()))))
    for w, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        with np.errstate(divide="ignore"):  # a layer of zeros
            terms = np.log2(np.abs(w).max()) + np.log2(w.shape[1]) + height
            total = np.logaddexp2(terms, np.log2(np.abs(b).max()))
        height = float(total) if total > -np.inf else 0.0
        heights.append(height)
    return np.array(heights)


def _shifted(numbers: NDArray[np.float64], shift: int, layer: int) -> NDArray[np.float64]:
    with np.errstate(over="ignore", under="ignore"):
        shifted = np.ldexp(numbers.astype(np.float64), shift)
        is_exact = np.array_equal(np.ldexp(shifted, -shift), numbers)
    if not is_exact:
        least, most = np.abs(numbers[numbers != 0]).min(), np.abs(numbers).max()
        raise FloatRangeError(
            "`network` must have numbers within the range of floats, but layer "
            f"{layer} has weights or biases from {least:.1e} to {most:.1e}, which would have to be "
            f"multiplied by 2^{shift}; scale its layers down"
        )
    return shifted
