"""By how much rounding may make two computations of a network's outputs differ.

If large numbers cancel in a sum, its error is of the size of the large numbers' rounding, not of
the sum's. The error is measured: all numbers are moved at random by a few units in the last place,
which changes each product and each summand as rounding does.

Invariant: a number that is zero stays zero, so no new terms enter the sums.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF
from relutopo.errors import FloatRangeError
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["check_range", "nudged", "outputs_in_range", "roundoff", "spread"]

_N_DRAWS = 4
_UNITS = 4
"""Units by which numbers are moved: more than one, as sums of many terms are rounded repeatedly."""
_FACTOR = 8.0
"""Factor by which differences may exceed those seen in a few draws."""


def spread(
    computed: NDArray[np.float64],
    again: Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]],
    points: NDArray[np.float64],
    unit: float = UNIT_ROUNDOFF,
) -> NDArray[np.float64]:
    """Return by how much each output may differ from that computed in another way.

    Parameters
    ----------
    computed : (n, ...) ndarray
        The outputs at the points.
    again : callable
        Takes points and a random generator, and returns the outputs with all other numbers moved by
        `nudged`.
    points : (n, d) ndarray
    unit : float
        Relative rounding error of a number: 2^-53 in double, 2^-24 in single precision.

    Returns
    -------
    (n, ...) ndarray
        About the size of the rounding errors; not a bound of them.
    """
    rng = np.random.default_rng(0)
    largest = np.zeros(computed.shape)
    for _ in range(_N_DRAWS):
        others = again(nudged(points, rng, unit), rng)
        largest = np.maximum(largest, np.abs(others - computed))
    return _FACTOR * largest


def roundoff(network: Network, points: NDArray[np.float64], unit: float = UNIT_ROUNDOFF) -> float:
    """Return by how much two ways to compute a network's outputs may differ at the worst point.

    Parameters
    ----------
    network : Network
        If it is neither a perceptron nor a graph, only the points are moved; see `spread`.
    points : (n, d) ndarray
    unit : float

    Examples
    --------
    Where two large numbers cancel, only their rounding errors are left:

    >>> small = ReluNetwork([[[1.0, -1.0]]], [[0.0]])
    >>> large = ReluNetwork([[[1e9, -1e9]]], [[0.0]])
    >>> x = np.ones((1, 2))
    >>> roundoff(small, x) < 1e-12, 1e-7 < roundoff(large, x) < 1e-4
    (True, True)
    """

    def again(moved: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        return _moved(network, rng, unit).predict(moved)

    return float(spread(network.predict(points), again, points, unit).max(initial=0.0))


def outputs_in_range(network: Network, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a network that was read predicts at points, to be compared with its model.

    Raises
    ------
    FloatRangeError
        If its outputs there are infinite or NaN.

    Examples
    --------
    >>> outputs_in_range(ReluNetwork([[[2.0]]], [[0.0]]), np.ones((1, 1))).tolist()
    [[2.0]]
    """
    with np.errstate(all="ignore"):
        check_range(network(points))
        return network.predict(points)


def check_range(outputs: NDArray[np.float64], limit: float = sys.float_info.max) -> None:
    """Refuse outputs of a model that are infinite or NaN, for floats up to a limit."""
    if not np.isfinite(outputs).all():
        raise FloatRangeError(
            f"`model` must have numbers within the range of floats, up to {limit:.2g}, but its "
            "outputs where it is compared are infinite or NaN; did the training diverge? Load an "
            "earlier checkpoint, or scale its layers down"
        )


def nudged(
    array: NDArray[Any], rng: np.random.Generator, unit: float = UNIT_ROUNDOFF
) -> NDArray[np.float64]:
    """Return numbers moved by a few units in the last place, each up or down.

    Examples
    --------
    >>> moved = nudged(np.array([0.0, 1.0]), np.random.default_rng(0))
    >>> float(moved[0]), bool(0 < abs(moved[1] - 1.0) < 1e-15)
    (0.0, True)
    """
    size = _UNITS * unit
    found: NDArray[np.float64] = array * (1.0 + size * rng.choice((-1.0, 1.0), array.shape))
    return found


def _moved(network: Network, rng: np.random.Generator, unit: float) -> Network:
    """Return a network all of whose numbers are moved."""
    if isinstance(network, ReluNetwork):
        weights = [nudged(array, rng, unit) for array in network.weights]
        biases = [nudged(array, rng, unit) for array in network.biases]
        return ReluNetwork(weights, biases).with_link(network.link)
    if not isinstance(network, GraphNetwork):
        return network
    nodes: list[Affine | Kink] = []
    for node in network.nodes:
        if isinstance(node, Kink):
            slopes = (nudged(slope, rng, unit) for slope in (node.slope_on, node.slope_off))
            nodes.append(Kink(node.source, *slopes))
        else:
            matrices = tuple(_nudged_matrix(matrix, rng, unit) for matrix in node.matrices)
            nodes.append(Affine(node.sources, matrices, nudged(node.bias, rng, unit)))
    return GraphNetwork(network.input_dim, nodes).with_link(network.link)


def _nudged_matrix(matrix: Matrix, rng: np.random.Generator, unit: float) -> Matrix:
    if isinstance(matrix, np.ndarray):
        return nudged(matrix, rng, unit)
    found = matrix.copy()
    found.data = nudged(found.data, rng, unit)
    return found
