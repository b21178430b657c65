"""The knots of many segments of a perceptron, by the compiled kernel."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import ONCE, UNIT_ROUNDOFF, gamma
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.paths.knots import Knots

__all__ = ["PerceptronKnots"]

_Floats = NDArray[np.float64]
_LEAST = 1e-290
_MOST_NUMBERS = 2**24
"""Bytes of the kernel's own arrays in each thread."""
_MOST_OUTPUTS = 2**22
"""Numbers that the kernel returns from one call."""


class PerceptronKnots:
    """Finds the knots of a perceptron with hidden layers on segments.

    Invariant: a segment that is not open is as exact as with `relutopo.paths.knots`; the results of
    an open segment are void.

    Parameters
    ----------
    network : ReluNetwork
        A network for which `suits` is true.

    Attributes
    ----------
    most_segments : int
        How many segments to follow in one call.
    n_bytes_at_once : int
        Bytes that following so many takes.

    Examples
    --------
    >>> hat = ReluNetwork([[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -1.0], [0.0]])
    >>> found = PerceptronKnots(hat).find(np.array([[-1.0]]), np.array([[3.0]]))
    >>> found.t.tolist(), found.outputs.ravel().tolist(), found.neurons.tolist()
    ([0.0, 0.25, 0.5, 1.0], [0.0, 0.0, 1.0, -1.0], [0, 1])
    """

    def __init__(self, network: ReluNetwork) -> None:
        self.network = network
        self._weights = np.concatenate([w.T.ravel() for w in network.weights[1:]])
        self._rows = np.concatenate([w.ravel() for w in network.weights[1:]])
        self._biases = np.concatenate(network.biases[1:])
        self._sizes, self._straight_sizes = np.abs(self._weights), np.abs(self._rows)
        self._widths = np.array(network.widths[1:], dtype=np.int64)
        self._capacity = _capacity(network)
        room = _MOST_OUTPUTS // (2 * self._capacity * (network.n_outputs + 2))
        self.most_segments = max(1, room)
        numbers = 2 * (self._capacity + 3) * max(network.widths[1:]) + _MOST_OUTPUTS
        self.n_bytes_at_once = 8 * numbers

    @staticmethod
    def suits(network: Network) -> TypeGuard[ReluNetwork]:
        """Whether the network is a perceptron with hidden layers, and not too wide."""
        if not isinstance(network, ReluNetwork) or not network.layer_sizes:
            return False
        return 2 * _capacity(network) * max(network.widths[1:]) <= _MOST_NUMBERS

    def find(self, starts: _Floats, ends: _Floats) -> Knots:
        """Return the knots of segments.

        Parameters
        ----------
        starts, ends : (n, d) ndarrays
            Finite, taken as exact.
        """
        from relutopo.paths.kernels import walk

        weight, bias = self.network.weights[0], self.network.biases[0]
        rounding = ONCE * gamma(weight.shape[1] + 2)
        sizes = np.abs(weight).T
        with np.errstate(all="ignore"):
            low, high = starts @ weight.T + bias, ends @ weight.T + bias
            step = high - low
            # The error of the coefficients is at most twice the error at the start plus that at the
            # end.
            heights = (2 * np.abs(starts) + np.abs(ends)) @ sizes + 3 * np.abs(bias)
            errors = rounding * heights + 8 * UNIT_ROUNDOFF * (np.abs(low) + np.abs(step)) + _LEAST
        indptr, t, t_errors, neurons, first, outputs, output_errors, n_open = walk(
            *(self._weights, self._rows, self._sizes, self._straight_sizes, self._biases),
            *(self._widths, low, step, errors, self._capacity),
        )
        points = np.flatnonzero(neurons >= 0)
        return Knots(
            indptr=indptr,
            t=t,
            t_errors=t_errors,
            outputs=outputs,
            output_errors=output_errors,
            first=first,
            points=points,
            neurons=neurons[points],
            meets=np.zeros(len(t), dtype=bool),
            n_open=n_open,
        )


def _capacity(network: Network) -> int:
    """Return the largest number of knots of a segment for which there is room."""
    return 64 + 2 * network.n_neurons
