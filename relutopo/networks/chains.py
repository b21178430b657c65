"""Graphs in which each layer is a dense image of the layer before and of values carried beside it.

Let z_k be the pre-activations of layer k. In a perceptron, z_{k+1} is an affine image of the slopes
of layer k times z_k. With skip connections, as in residual networks, z_{k+1} also depends on values
s_k that are known before layer k, such as the sum that a block is added to. These are *carried*:
the pairs (z_k, s_k) form a chain, each an affine image of the pair before it, where both slopes of
s_k are 1. Values that no kink precedes are images of the input; in their place the input itself is
carried, which has few entries on a plane. If a value goes into the units of layer k + 1 and nowhere
later, its contribution to each of them is carried beside layer k in its place: one number for each
unit, which is added as it is.

Rounding
--------
Weights of a chain are products of matrices of the graph. Let Ŵ be the computed value of a factor W,
with E ≥ |Ŵ - W|. The product with M is off by at most |M| E + γ_n |M| |Ŵ|, where n is the largest
number of terms in a row of M, and 0 if Ŵ is the identity; a sum of k products is off by γ_k times
its size in addition. Products of two non-zero factors must be normal numbers: then no product
underflows, and sums of floats lose nothing by underflow.
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
"""A matrix counts as dense if at least this share of its entries is not zero."""
_SMALLEST_PRODUCT = 2.0**-900


@dataclass(frozen=True)
class ChainLayer:
    """A layer and the values carried beside it, from those before: weights @ (slopes * z) + bias.

    Rows are the layer's units, then the carried values; columns are the units of the layer before,
    then the values carried there.

    Attributes
    ----------
    weights : (n, n_before) ndarray
    weight_errors : (n,) ndarray
        Bound of the Euclidean norm of the error of each row.
    bias, bias_error : (n,) ndarrays
        The bias, and a bound of its error.
    slopes_on, slopes_off : (n_units_before,) ndarrays
        Slopes of the units of the layer before, where they are active and elsewhere: 1 and 0 for
        ReLUs. Carried values have the slope 1.
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

    They do if each layer is a dense image of the layer before (whose units may be leaky) and of the
    values carried beside it, and if no squares of numbers overflow. Two kinds of images do not
    count as dense, so that the structure of the graph decides their zeros: comparisons of two
    entries, as in pooling, and sums without a bias of an image and single values that may vanish.

    Parameters
    ----------
    network : GraphNetwork
    magnitude : (d,) ndarray
        Bounds of the coordinates.

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
    images: list[dict[int, _Image]] = [{}]
    for before, after in pairwise(fronts):
        found = _images(network, before, after)
        if found is None:
            return None
        images.append(found)
    parts = [_ended(network, k, fronts, images) for k in range(len(fronts))]
    layers: list[ChainLayer] = []
    for k in range(1, len(fronts)):
        layer = _layer(network, k, fronts, images, parts)
        if layer is None:
            return None
        layers.append(layer)
    return tuple(layers) if _is_moderate(network, layers, magnitude) else None


class _Front(NamedTuple):
    """A layer's pre-activations, its kinks in the order of their units, and the carried values."""

    targets: list[int]
    kinks: list[int]
    carried: list[int]


def _fronts(network: GraphNetwork) -> list[_Front]:
    """Return the layers with the values carried beside each."""
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
            # Values that no kink precedes are images of the input.
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
    """The weights of one value in an image, and bounds of their errors."""

    weights: Matrix
    errors: Matrix


class _Image(NamedTuple):
    """A value as Σ weights @ value + bias, by the numbers of the values; None is the identity."""

    blocks: dict[int, _Block | None]
    bias: NDArray[np.float64]
    bias_error: NDArray[np.float64]


def _images(network: GraphNetwork, before: _Front, after: _Front) -> dict[int, _Image] | None:
    """Return a layer and its carried values as images, or None if the layer is not a dense one."""
    sizes = {number: network.size_of(number) for number in [*before.kinks, *before.carried]}
    if not _may_be_dense(network, after.targets, sizes):
        return None
    images: dict[int, _Image] = {}
    for number, size in sizes.items():
        images[number] = _Image({number: None}, np.zeros(size), np.zeros(size))
    for wanted in (after.targets, after.carried):
        for number in network.ancestors(wanted, images):
            node = network.nodes[number - 1]
            assert isinstance(node, Affine)
            matrices = zip(node.sources, node.matrices, node.sizes, strict=True)
            factors = [(source, _Block(matrix, 0.0 * size)) for source, matrix, size in matrices]
            image = _image(factors, node.bias, images, is_exact=not node.rounding)
            if image is None:
                return None
            images[number] = image
        if wanted is after.targets and not all(_is_dense(images[number]) for number in wanted):
            return None
    return images


def _ended(
    network: GraphNetwork, k: int, fronts: list[_Front], images: list[dict[int, _Image]]
) -> list[int]:
    """Return which values carried beside layer k go into the units of the next layer only.

    Their contributions to these units are carried instead, unless these have more entries. This is
    not done beside the first layer, whose maps come from the network.
    """
    if not 1 <= k < len(fronts) - 1:
        return []
    after, of = fronts[k + 1], images[k + 1]
    used = {source for number in after.carried for source in of[number].blocks}
    ended = [number for number in fronts[k].carried if number not in used]
    n_units = sum(network.size_of(number) for number in after.targets)
    return ended if n_units <= sum(map(network.size_of, ended)) else []


def _layer(
    network: GraphNetwork,
    k: int,
    fronts: list[_Front],
    images: list[dict[int, _Image]],
    parts: list[list[int]],
) -> ChainLayer | None:
    """Return layer k and the values carried beside it, in terms of those before."""
    before, after, of = fronts[k - 1], fronts[k], images[k]
    basis = [*before.kinks, *(v for v in before.carried if v not in parts[k - 1])]
    starts = np.cumsum([0, *map(network.size_of, basis)]).tolist()
    places = {number: slice(*ends) for number, ends in zip(basis, pairwise(starts), strict=True)}
    rows = [of[number] for number in after.targets]
    n_units = sum(len(image.bias) for image in rows)
    rows += [of[number] for number in after.carried if number not in parts[k]]
    if parts[k]:
        for target in fronts[k + 1].targets:
            blocks = images[k + 1][target].blocks
            factors = [(v, block) for v in parts[k] if (block := blocks.get(v)) is not None]
            image = _image(factors, np.zeros(network.size_of(target)), of)
            if image is None:
                return None
            rows.append(image)
    ends = np.cumsum([0, *(len(image.bias) for image in rows)]).tolist()
    n_columns = starts[-1] + (n_units if parts[k - 1] else 0)
    weights, errors = np.zeros((ends[-1], n_columns)), np.zeros((ends[-1], n_columns))
    for (first, last), image in zip(pairwise(ends), rows, strict=True):
        for source, block in image.blocks.items():
            if source not in places:
                continue
            if block is None:
                weights[first:last, places[source]] = np.eye(last - first)
            else:
                weights[first:last, places[source]] = _dense(block.weights)
                errors[first:last, places[source]] = _dense(block.errors)
    if parts[k - 1]:
        weights[:n_units, starts[-1] :] = np.eye(n_units)
    kinks = [node for kink in before.kinks if isinstance(node := network.nodes[kink - 1], Kink)]
    return ChainLayer(
        weights=weights,
        weight_errors=_norms(errors),
        bias=np.concatenate([image.bias for image in rows]),
        bias_error=np.concatenate([image.bias_error for image in rows]),
        slopes_on=np.concatenate([kink.slope_on for kink in kinks]),
        slopes_off=np.concatenate([kink.slope_off for kink in kinks]),
        n_units=n_units,
    )


def _image(
    factors: Sequence[tuple[int, _Block]],
    bias: NDArray[np.float64],
    images: dict[int, _Image],
    *,
    is_exact: bool = False,
) -> _Image | None:
    """Return Σ factor @ image + bias, or None if products may underflow.

    A value can come several times, as in the sum of two parts of it. If `is_exact`, products with
    entries of the factors are not rounded.
    """
    blocks: dict[int, _Block | None] = {}
    own, error, size = bias, np.zeros(len(bias)), np.zeros(len(bias))
    n_terms = len(factors) + 1
    for source, factor in factors:
        image, absolute = images[source], _absolute(factor.weights)
        n = int(_terms(factor.weights).max(initial=0))
        if image.bias.any() or image.bias_error.any():
            if not _is_normal(factor.weights, image.bias):
                return None
            bias = bias + factor.weights @ image.bias
            size = size + absolute @ np.abs(image.bias)
            error = error + (absolute + factor.errors) @ image.bias_error
            error = error + factor.errors @ np.abs(image.bias)
            n_terms = max(n_terms, n + len(factors) + 1)
        for number, block in image.blocks.items():
            new = factor
            if block is not None:
                if not _is_normal(factor.weights, block.weights):
                    return None
                heights = _absolute(block.weights)
                errors = (absolute + factor.errors) @ block.errors + factor.errors @ heights
                if not is_exact:
                    errors = errors + gamma(n) * (absolute @ heights)
                new = _Block(factor.weights @ block.weights, errors)
            blocks[number] = _sum(blocks[number], new) if number in blocks else new
    error = error + gamma(n_terms) * np.where(size > 0, size + np.abs(own), 0.0)
    return _Image(blocks, bias, 1.01 * error)


def _sum(one: _Block | None, other: _Block) -> _Block:
    assert one is not None
    weights: Matrix = one.weights + other.weights
    errors: Matrix = one.errors + other.errors
    return _Block(weights, errors + UNIT_ROUNDOFF * _absolute(weights))


def _may_be_dense(network: GraphNetwork, targets: list[int], basis: dict[int, int]) -> bool:
    """Return whether targets have enough terms to be dense, without computing their images."""
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
    """Return whether an image sums many entries of one value, and others entry by entry."""
    any_dense = False
    for block in image.blocks.values():
        if block is None:
            continue
        counts = _terms(block.weights)
        n = block.weights.shape[1]
        # Comparisons of two entries, as in pooling: the structure of the graph decides their zeros.
        if counts.mean() >= _DENSE * n and (counts.max() > 2 or n <= 2):
            any_dense = True
        # Without a bias, a sum of a value and of units that are all zero vanishes where the value
        # does.
        elif counts.max() > 1 or (image.bias[counts > 0] == 0).any():
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
    """Return whether all products of two non-zero numbers are normal numbers."""
    return _smallest(one) * _smallest(other) >= _SMALLEST_PRODUCT


def _smallest(matrix: Matrix) -> float:
    sizes = np.abs(matrix if isinstance(matrix, np.ndarray) else matrix.data)
    return float(sizes.min(initial=1.0, where=sizes > 0))


def _dense(matrix: Matrix) -> NDArray[np.float64]:
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _norms(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bounds of the norms of rows, protected against squares that underflow."""
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
