"""Graphs whose layers are dense images of the layer before, and of what is carried beside it.

Let z_k be the pre-activations of layer k. In a perceptron z_{k+1} is an affine image of the slopes
of layer k times z_k. Where values go round a layer, as in residual networks, it is also one of
values s_k that are known before layer k, such as the sum that a block is added to. They are
*carried*: the pairs (z_k, s_k) form a chain, each an affine image of the pair before, with the
slopes 1 and 1 for s_k. Values that no kink precedes are images of the input, so that in their place
the input itself is carried, of which there are few numbers on a plane.

Rounding
--------
Weights of a chain are products of matrices of the graph. With Ŵ for what is computed of a factor W
and E ≥ |Ŵ - W|, the product with M is off by at most |M| E + γ_n |M| |Ŵ|, where n is the largest
number of terms in a row of M, and 0 if Ŵ is the identity; a sum of k of them by γ_k times its size
more. Products of two factors neither of which vanishes must be normal numbers: then nothing is lost
in one, and sums of floats lose nothing by underflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relutopo.arithmetic.rounding import UNIT_ROUNDOFF, gamma
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix

__all__ = ["ChainLayer", "chain_of"]

_MODERATE = 2.0**256
_DENSE = 0.25
"""From which share of entries on that are not zero a matrix is used as a dense one."""
_SMALLEST_PRODUCT = 2.0**-900


@dataclass(frozen=True)
class ChainLayer:
    """A layer, and what is carried beside it, from those before: weights @ (slopes * z) + bias.

    Rows are the layer's units, then what is carried on; columns are the units of the layer before,
    then what is carried there.

    Attributes
    ----------
    weights : (n, n_before) ndarray
    weight_errors : (n,) ndarray
        Bound of the Euclidean norm of what each row is off.
    bias, bias_error : (n,) ndarrays
        The bias, and a bound of how far it is off.
    slopes_on, slopes_off : (n_units_before,) ndarrays
        Slopes of the units of the layer before, where they are active and elsewhere: 1 and 0 for
        ReLUs. What is carried has the slope 1.
    n_units : int
        How many rows are units of the layer.
    """

    weights: NDArray[np.float64]
    weight_errors: NDArray[np.float64]
    bias: NDArray[np.float64]
    bias_error: NDArray[np.float64]
    slopes_on: NDArray[np.float64]
    slopes_off: NDArray[np.float64]
    n_units: int


def chain_of(
    network: GraphNetwork, magnitude: NDArray[np.float64]
) -> tuple[ChainLayer, ...] | None:
    """Return the hidden layers of a graph from the second on, if they form a chain.

    They do if each layer is a dense image of the layer before, of which all units may be leaky, and
    of what is carried beside it; and if no squares of numbers overflow. Comparisons of two entries,
    as pooling makes them, are no such images: they are left to structure.

    Parameters
    ----------
    network : GraphNetwork
    magnitude : (d,) ndarray
        Bound of the coordinates.

    Examples
    --------
    >>> from relutopo.networks.perceptron import ReluNetwork, relu_nodes
    >>> net = ReluNetwork([[[1.0]], [[2.0]], [[1.0]]], [[0.0], [3.0], [0.0]])
    >>> (layer,) = chain_of(GraphNetwork(1, relu_nodes(net)), np.ones(1))
    >>> layer.weights.tolist(), layer.bias.tolist(), layer.bias_error.tolist()
    ([[2.0]], [3.0], [0.0])

    The same with 5 times the input added to the second layer: the input is carried.

    >>> nodes = relu_nodes(net)
    >>> first, kink, second, *rest = nodes
    >>> second = Affine((2, 0), (*second.matrices, np.array([[5.0]])), second.bias)
    >>> (layer,) = chain_of(GraphNetwork(1, [first, kink, second, *rest]), np.ones(1))
    >>> layer.weights.tolist(), layer.slopes_off.tolist()
    ([[2.0, 5.0]], [0.0])
    """
    fronts = _fronts(network)
    layers: list[ChainLayer] = []
    for before, after in pairwise(fronts):
        layer = _layer(network, before, after)
        if layer is None:
            return None
        layers.append(layer)
    return tuple(layers) if _is_moderate(network, layers, magnitude) else None


class _Front(NamedTuple):
    """A layer's pre-activations, its kinks in the order of their units, and what is carried."""

    targets: list[int]
    kinks: list[int]
    carried: list[int]


def _fronts(network: GraphNetwork) -> list[_Front]:
    """Return the layers with what is carried beside each."""
    n_layers, depths = len(network.layer_sizes), network.depths
    targets = [[value for value, _, _ in network.targets(layer)] for layer in range(n_layers)]
    kinks: list[list[int]] = [[] for _ in range(n_layers)]
    for number, node in enumerate(network.nodes, 1):
        if isinstance(node, Kink):
            kinks[depths[node.source]].append(number)
    # The depth of the last affine node that needs a value.
    last_use: dict[int, int] = {}
    for number in network.ancestors(value for values in targets for value in values):
        node = network.nodes[number - 1]
        for source in node.sources if isinstance(node, Affine) else ():
            # What no kink precedes is an image of the input.
            value = source if depths[source] else 0
            last_use[value] = max(last_use.get(value, 0), depths[number])
    return [
        _Front(
            targets[k],
            kinks[k],
            [value for value, last in sorted(last_use.items()) if depths[value] <= k < last],
        )
        for k in range(n_layers)
    ]


class _Block(NamedTuple):
    """The weights of one value in an image, and bounds of what they are off."""

    weights: Matrix
    errors: Matrix


class _Image(NamedTuple):
    """A value as Σ weights @ value + bias, by the numbers of values; None is the identity."""

    blocks: dict[int, _Block | None]
    bias: NDArray[np.float64]
    bias_error: NDArray[np.float64]


def _layer(network: GraphNetwork, before: _Front, after: _Front) -> ChainLayer | None:
    """Return a layer as an image of the one before, or None if it is no dense one."""
    basis = [*before.kinks, *before.carried]
    sizes = [network.size_of(number) for number in basis]
    starts = dict(zip(basis, np.cumsum([0, *sizes]).tolist(), strict=False))
    if not _may_be_dense(network, after.targets, dict(zip(basis, sizes, strict=True))):
        return None
    images: dict[int, _Image] = {}
    for number, size in zip(basis, sizes, strict=True):
        images[number] = _Image({number: None}, np.zeros(size), np.zeros(size))
    for wanted in (after.targets, after.carried):
        for number in network.ancestors(wanted, images):
            node = network.nodes[number - 1]
            image = _affine(node, images) if isinstance(node, Affine) else None
            if image is None:
                return None
            images[number] = image
        if wanted is after.targets and not all(_is_dense(images[number]) for number in wanted):
            return None
    rows = [*after.targets, *after.carried]
    ends = np.cumsum([0, *(network.size_of(number) for number in rows)]).tolist()
    shape = ends[-1], sum(sizes)
    weights, errors = np.zeros(shape), np.zeros(shape)
    for first, last, number in zip(ends, ends[1:], rows, strict=False):
        for source, block in images[number].blocks.items():
            here = (
                slice(first, last),
                slice(starts[source], starts[source] + network.size_of(source)),
            )
            if block is None:
                weights[here] = np.eye(last - first)
            else:
                weights[here], errors[here] = map(_dense, block)
    slopes = [network.nodes[kink - 1] for kink in before.kinks]
    return ChainLayer(
        weights=weights,
        weight_errors=_norms(errors),
        bias=np.concatenate([images[number].bias for number in rows]),
        bias_error=np.concatenate([images[number].bias_error for number in rows]),
        slopes_on=np.concatenate([node.slope_on for node in slopes if isinstance(node, Kink)]),
        slopes_off=np.concatenate([node.slope_off for node in slopes if isinstance(node, Kink)]),
        n_units=ends[len(after.targets)],
    )


def _affine(node: Affine, images: dict[int, _Image]) -> _Image | None:
    """Return a node as an image, or None where products may be too small for floats."""
    blocks: dict[int, _Block | None] = {}
    bias, error, size = node.bias, np.zeros(node.size), np.zeros(node.size)
    n_terms = len(node.sources) + 1
    for source, matrix, absolute in zip(node.sources, node.matrices, node.sizes, strict=True):
        image = images[source]
        n = int(_terms(matrix).max(initial=0))
        if image.bias.any() or image.bias_error.any():
            if not _is_normal(matrix, image.bias):
                return None
            bias = bias + matrix @ image.bias
            size = size + absolute @ np.abs(image.bias)
            error = error + absolute @ image.bias_error
            n_terms = max(n_terms, n + len(node.sources) + 1)
        for number, block in image.blocks.items():
            new = _product(node, matrix, absolute, n, block)
            if new is None:
                return None
            blocks[number] = _sum(blocks[number], new) if number in blocks else new
    error = error + gamma(n_terms) * np.where(size > 0, size + np.abs(node.bias), 0.0)
    return _Image(blocks, bias, 1.01 * error)


def _product(
    node: Affine, matrix: Matrix, absolute: Matrix, n: int, block: _Block | None
) -> _Block | None:
    if block is None:
        return _Block(matrix, 0.0 * absolute)
    if not _is_normal(matrix, block.weights):
        return None
    errors = absolute @ block.errors
    if node.rounding:
        errors = errors + gamma(n) * (absolute @ _absolute(block.weights))
    return _Block(matrix @ block.weights, errors)


def _sum(one: _Block | None, other: _Block) -> _Block:
    assert one is not None
    weights: Matrix = one.weights + other.weights
    errors: Matrix = one.errors + other.errors
    return _Block(weights, errors + UNIT_ROUNDOFF * _absolute(weights))


def _may_be_dense(network: GraphNetwork, targets: list[int], basis: dict[int, int]) -> bool:
    """Return whether targets have enough terms to be dense, which is found faster than which."""
    terms = {number: np.ones(size) for number, size in basis.items()}
    for number in network.ancestors(targets, terms):
        node = network.nodes[number - 1]
        if isinstance(node, Affine):
            terms[number] = np.zeros(node.size)
            for source, matrix in zip(node.sources, node.matrices, strict=True):
                terms[number] = terms[number] + (matrix != 0) @ terms[source]
    least = _DENSE * min(basis.values())
    return all(terms[number].mean() >= least for number in targets)


def _is_dense(image: _Image) -> bool:
    """Return whether an image mixes many values of one kind, and others one by one."""
    any_dense = False
    for block in image.blocks.values():
        if block is None:
            continue
        counts = _terms(block.weights)
        n = block.weights.shape[1]
        # Comparisons of two entries, as pooling makes them, are left to structure.
        if counts.mean() >= _DENSE * n and (counts.max() > 2 or n <= 2):
            any_dense = True
        elif counts.max() > 1:
            return False
    return any_dense


def _terms(matrix: Matrix) -> NDArray[np.int64]:
    """Return how many entries of each row are not zero."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(np.count_nonzero(matrix, axis=1), dtype=np.int64)
    return np.asarray(np.diff(matrix.indptr), dtype=np.int64)


def _absolute(matrix: Matrix) -> Matrix:
    return np.abs(matrix) if isinstance(matrix, np.ndarray) else abs(matrix)


def _is_normal(one: Matrix, other: Matrix) -> bool:
    """Return whether products of two numbers that are not zero are normal numbers."""
    return _smallest(one) * _smallest(other) >= _SMALLEST_PRODUCT


def _smallest(matrix: Matrix) -> float:
    sizes = np.abs(matrix if isinstance(matrix, np.ndarray) else matrix.data)
    return float(sizes.min(initial=1.0, where=sizes > 0))


def _dense(matrix: Matrix) -> NDArray[np.float64]:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _norms(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bounds of the norms of rows, none of whose squares vanish."""
    largest = errors.max(axis=1, initial=0.0)
    scaled = errors / np.where(largest > 0, largest, 1.0)[:, None]
    norms: NDArray[np.float64] = 1.01 * largest * np.linalg.norm(scaled, axis=1)
    return norms


def _is_moderate(
    network: GraphNetwork, layers: Sequence[ChainLayer], magnitude: NDArray[np.float64]
) -> bool:
    """Return whether no squares of values and of weights overflow."""
    if not layers:
        return True
    patterns = np.ones((1, network.n_neurons), dtype=bool)
    first = network.affine_maps(0, patterns, magnitude).planes[0]
    height = float((np.abs(first).T @ np.append(magnitude, 1.0)).max(initial=magnitude.max()))
    for layer in layers:
        slopes = np.abs([layer.slopes_on, layer.slopes_off]).max(initial=1.0)
        widest = layer.weights.shape[1] * float(np.abs(layer.weights).max() * slopes)
        height = max(1.0, height) * max(1.0, widest) + float(np.abs(layer.bias).max())
    return height < _MODERATE
