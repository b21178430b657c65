"""Networks with known complexes, and random networks.

For tests of backends, for benchmarks, and to try things out. Three kinds:

- an `Example` is a network on a domain with numbers of cells and a Fiedler value in closed form:
  `grid`, `stripes`, `fan`, `folding`; `examples` lists small ones;
- random arrangements of hyperplanes have known numbers of faces in the whole space:
  `general_arrangement` with `n_faces_general`, `central_arrangement` with `n_faces_central`;
- for a `random_network` only the distribution of its weights is known.

The same arguments give the same network on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb, cos, pi
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import (
    check_choice,
    check_integer,
    check_integers,
    check_number,
    random_generator,
)
from relutopo.errors import InputError
from relutopo.geometry.domain import Box
from relutopo.networks.perceptron import ReluNetwork
from relutopo.system.public_names import listing

__all__ = [
    "Example",
    "central_arrangement",
    "examples",
    "fan",
    "folding",
    "general_arrangement",
    "grid",
    "n_faces_central",
    "n_faces_general",
    "n_regions_central",
    "n_regions_general",
    "random_network",
    "stripes",
]

__dir__ = listing(__name__)

Arrays: TypeAlias = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Example:
    """A network on a box, and known facts about its complex there.

    Attributes
    ----------
    name : str
        The call that makes it.
    network : ReluNetwork
    domain : Box
    n_cells : tuple of int
        Number of k-cells for k = 0..d.
    fiedler_value : float
        Smallest nonzero eigenvalue of the unweighted Laplacian of the dual graph.

    Examples
    --------
    >>> import relutopo as rt
    >>> example = grid([2, 1])
    >>> complex_ = rt.decompose(example.network, example.domain, enumerator="exact")
    >>> complex_.n_cells == example.n_cells
    True
    """

    name: str
    network: ReluNetwork
    domain: Box
    n_cells: tuple[int, ...]
    fiedler_value: float

    def __repr__(self) -> str:
        return self.name


def grid(numbers: Sequence[int]) -> Example:
    """Return hyperplanes across the axes of the box [-1, 1]^d, evenly spaced.

    The box is cut into Π_i (n_i + 1) smaller ones. Along an axis there are n_i + 2 points and
    n_i + 1 segments, and a k-cell is a product of k segments and d - k points. The dual graph is a
    product of paths, whose eigenvalues are the sums of theirs: the smallest nonzero one is that of
    the longest path, 2 - 2 cos(π / (n + 1)).

    Parameters
    ----------
    numbers : sequence of int
        Hyperplanes across each axis, n_i ≥ 0, at least one in all.

    Raises
    ------
    InputError
        If there is no hyperplane.

    Examples
    --------
    >>> grid([2, 1]).n_cells
    (12, 17, 6)
    """
    remedy = "pass the number of hyperplanes across each axis, for example [3, 2]"
    counts = check_integers("numbers", numbers, at_least=1, remedy=remedy)
    if not any(counts):
        raise InputError(f"`numbers` must not all be zero, got {list(counts)}; {remedy}")
    axes = np.repeat(np.arange(len(counts)), counts)
    normals = np.zeros((len(axes), len(counts)))
    normals[np.arange(len(axes)), axes] = 1.0
    places = np.concatenate([np.linspace(-1, 1, n + 2)[1:-1] for n in counts])
    return Example(
        f"grid({list(counts)})",
        _one_layer(normals, -places),
        Box(-1, 1, dim=len(counts)),
        _n_cells_of_grid(counts),
        _path_value(max(counts) + 1),
    )


def stripes(n: int, dim: int = 2) -> Example:
    """Return n parallel hyperplanes: `grid` with hyperplanes across the first axis only.

    Parameters
    ----------
    n : int
        At least 1.
    dim : int, default 2

    Examples
    --------
    >>> stripes(3).n_cells  # five points on either side, and what joins them
    (10, 13, 4)
    """
    n = check_integer("n", n, 1, remedy="pass for example 3")
    dim = check_integer("dim", dim, 1, remedy="leave it out for the plane")
    made = grid([n, *[0] * (dim - 1)])
    return Example(f"stripes({n}, {dim})", *_known(made))


def fan(n: int) -> Example:
    """Return n lines through the origin of the plane, in the box [-1, 1]².

    They meet the border in 2 n points besides its four corners; with the origin there are 2 n + 5
    vertices. Each region has a corner at the origin, so there are 2 n regions, and the number of
    edges follows from Euler's formula. The dual graph is a cycle of 2 n nodes, for n = 1 a path of
    two.

    Parameters
    ----------
    n : int
        At least 1.

    Examples
    --------
    >>> fan(3).n_cells, round(fan(3).fiedler_value, 9)
    ((11, 16, 6), 1.0)
    """
    n = check_integer("n", n, 1, remedy="pass for example 3")
    # No line goes through a corner of the box: none of these angles is an odd multiple of π / 4.
    angles = pi * (np.arange(n) + 1 / 3) / n
    network = _one_layer(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros(n))
    n_cells = (2 * n + 5, 4 * n + 4, 2 * n) if n > 1 else (6, 7, 2)
    value = 2 - 2 * cos(pi / n) if n > 1 else 2.0
    return Example(f"fan({n})", network, Box(-1, 1, dim=2), n_cells, value)


def folding(depth: int, dim: int = 1) -> Example:
    """Return a network whose regions double with each layer, along each axis of the box [0, 1]^d.

    Each layer folds every axis once, by the tent map t(x) = 2 max(x, 0) - 4 max(x - 1/2, 0), two
    neurons an axis; t is two to one, so that the kinks of the composition of L of them are the
    multiples of 2^-L, a grid of 2^L boxes along each axis. (M. Telgarsky, "Benefits of depth in
    neural networks", COLT 2016, lemma 3.10; G. Montúfar, R. Pascanu, K. Cho, Y. Bengio, "On the
    number of linear regions of deep neural networks", NIPS 2014, section 3.) In its kinks the first
    neuron of a layer only touches zero, which bounds no region. All numbers are exact in floats.

    Parameters
    ----------
    depth : int
        Hidden layers L, at least 1.
    dim : int, default 1

    Examples
    --------
    >>> folding(3).n_cells, folding(2, dim=2).n_cells
    ((9, 8), (25, 40, 16))
    """
    depth = check_integer("depth", depth, 1, remedy="pass for example 3")
    dim = check_integer("dim", dim, 1, remedy="leave it out for the line")
    eye = np.eye(dim)
    split = np.kron(eye, [[1.0], [1.0]])  # each axis goes to two neurons,
    tent = np.kron(eye, [[2.0, -4.0]])  # whose values make its fold
    biases = np.tile([0.0, -0.5], dim)
    weights = [split, *[split @ tent] * (depth - 1), np.ones((1, dim)) @ tent]
    network = ReluNetwork(weights, [*[biases] * depth, np.zeros(1)])
    counts = (2**depth - 1,) * dim
    return Example(
        f"folding({depth}, {dim})",
        network,
        Box(0, 1, dim=dim),
        _n_cells_of_grid(counts),
        _path_value(2**depth),
    )


def examples() -> tuple[Example, ...]:
    """Return small examples of every kind, in one to four dimensions.

    Examples
    --------
    >>> [str(example) for example in examples()][:2]
    ['stripes(1, 1)', 'stripes(4, 2)']
    """
    return (
        stripes(1, 1),
        stripes(4, 2),
        stripes(2, 3),
        grid([3, 2]),
        grid([2, 1, 1]),
        grid([1, 1, 1, 1]),
        fan(1),
        fan(5),
        folding(4),
        folding(2, 2),
        folding(1, 3),
    )


def general_arrangement(n: int, dim: int, seed: int = 0) -> ReluNetwork:
    """Return one hidden layer of n hyperplanes in general position, all near the origin.

    Parameters
    ----------
    n : int
        Number of neurons.
    dim : int
        Dimension d.
    seed : int, default 0

    Examples
    --------
    >>> general_arrangement(3, 2).layer_sizes
    (3,)
    """
    rng = random_generator(seed)
    n, dim = _checked_arrangement(n, dim)
    return _one_layer(rng.standard_normal((n, dim)), 0.1 * rng.standard_normal(n))


def n_regions_general(n: int, dim: int) -> int:
    """Return Σ_{i ≤ d} C(n, i), the regions of n hyperplanes in general position in R^d.

    T. Zaslavsky, Facing up to arrangements, Memoirs of the AMS 154 (1975).

    Examples
    --------
    >>> n_regions_general(3, 2)
    7
    """
    return sum(comb(n, i) for i in range(dim + 1))


def n_faces_general(n: int, dim: int) -> tuple[int, ...]:
    """Return the numbers of k-dimensional faces of n hyperplanes in general position in R^d.

    Every d - k of them meet in a flat of dimension k, which the n - d + k others cut into regions.

    Parameters
    ----------
    n, dim : int

    Returns
    -------
    tuple of int
        For k = 0..d. Unbounded faces count.

    Examples
    --------
    >>> n_faces_general(3, 2)  # a triangle, whose three lines go on
    (3, 9, 7)
    """
    return tuple(
        comb(n, dim - k) * n_regions_general(n - dim + k, k) if n >= dim - k else 0
        for k in range(dim + 1)
    )


def central_arrangement(n: int, dim: int, seed: int = 0) -> ReluNetwork:
    """Return one hidden layer of n hyperplanes through the origin, otherwise general.

    Examples
    --------
    >>> central_arrangement(3, 2).biases[0].tolist()
    [0.0, 0.0, 0.0]
    """
    rng = random_generator(seed)
    n, dim = _checked_arrangement(n, dim)
    return _one_layer(rng.standard_normal((n, dim)), np.zeros(n))


def n_regions_central(n: int, dim: int) -> int:
    """Return 2 Σ_{i < d} C(n - 1, i), the regions of n general hyperplanes through one point.

    Examples
    --------
    >>> n_regions_central(5, 2)
    10
    """
    return 2 * sum(comb(n - 1, i) for i in range(dim))


def n_faces_central(n: int, dim: int) -> tuple[int, ...]:
    """Return the numbers of k-dimensional faces of n general hyperplanes through one point of R^d.

    As `n_faces_general`, for n ≥ d: then their only vertex is the point itself.

    Examples
    --------
    >>> n_faces_central(3, 2)
    (1, 6, 6)
    """
    if n < dim:
        raise InputError(f"`n` must be at least `dim`={dim}, got {n}; add hyperplanes")
    flats = [comb(n, dim - k) * n_regions_central(n - dim + k, k) for k in range(1, dim + 1)]
    return (1, *flats)


def random_network(
    sizes: Sequence[int], seed: int = 0, kind: str = "gaussian", bias: float = 1.0
) -> ReluNetwork:
    """Return a network with random weights and biases.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, neurons of each hidden layer, outputs: at least two numbers, all positive.
    seed : int, default 0
    kind : {"gaussian", "float32", "integer", "uniform"}
        The distribution of weights and biases:

        - "gaussian": standard normal, the same for every layer;
        - "float32": these rounded to single precision, as trained weights often are;
        - "integer": -1, 0 and 1 with equal probability, so that planes coincide and are not in
          general position: the hard case for an enumerator;
        - "uniform": as networks are initialised, weights in ±sqrt(6 / fan-in), which keeps the
          size of the activations from layer to layer (K. He, X. Zhang, S. Ren, J. Sun, "Delving
          deep into rectifiers", ICCV 2015, section 2.2, there for a normal distribution of the
          same variance), biases in ±1 / sqrt(fan-in).
    bias : float, default 1
        Factor of the biases; with 0, all hyperplanes of the first layer go through the origin.

    Returns
    -------
    ReluNetwork

    Raises
    ------
    InputError
        If there are fewer than two sizes, one is not positive, or the kind is unknown.

    Examples
    --------
    >>> random_network([2, 16, 16, 1]).layer_sizes
    (16, 16)
    >>> random_network([2, 4, 1], seed=3, kind="integer", bias=0).biases[0].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    widths = check_integers("sizes", sizes, 1, at_least=2, remedy="pass for example [2, 16, 16, 1]")
    check_choice("kind", kind, _KINDS, remedy="'gaussian' is the default")
    bias = check_number("bias", bias, remedy="1 is the default, 0 means none")
    weights, biases = _KINDS[kind](widths, random_generator(seed))
    return ReluNetwork(weights, [bias * b if bias else np.zeros_like(b) for b in biases])


def _gaussian(sizes: Sequence[int], rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    weights = [rng.standard_normal((n, fan_in)) for fan_in, n in pairwise(sizes)]
    return weights, [rng.standard_normal(n) for n in sizes[1:]]


def _float32(sizes: Sequence[int], rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    weights, biases = (
        [array.astype(np.float32).astype(np.float64) for array in arrays]
        for arrays in _gaussian(sizes, rng)
    )
    return weights, biases


def _integer(sizes: Sequence[int], rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    weights = [rng.integers(-1, 2, (n, m)).astype(np.float64) for m, n in pairwise(sizes)]
    return weights, [rng.integers(-1, 2, n).astype(np.float64) for n in sizes[1:]]


def _uniform(sizes: Sequence[int], rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    weights, biases = [], []
    for fan_in, n in pairwise(sizes):
        weights.append(rng.uniform(-1, 1, (n, fan_in)) * np.sqrt(6 / fan_in))
        biases.append(rng.uniform(-1, 1, n) / np.sqrt(fan_in))
    return weights, biases


_KINDS: dict[str, Callable[[Sequence[int], np.random.Generator], tuple[Arrays, Arrays]]] = {
    "gaussian": _gaussian,
    "float32": _float32,
    "integer": _integer,
    "uniform": _uniform,
}


def _one_layer(normals: NDArray[np.float64], offsets: NDArray[np.float64]) -> ReluNetwork:
    return ReluNetwork([normals, np.ones((1, len(normals)))], [offsets, np.zeros(1)])


def _checked_arrangement(n: int, dim: int) -> tuple[int, int]:
    return (
        check_integer("n", n, 1, remedy="pass the number of hyperplanes"),
        check_integer("dim", dim, 1, remedy="pass the number of inputs"),
    )


def _n_cells_of_grid(counts: Sequence[int]) -> tuple[int, ...]:
    """Return the coefficients of Π_i ((n_i + 2) + (n_i + 1) t): a segment counts as t."""
    polynomial = [1]
    for n in counts:
        shifted = [0, *((n + 1) * c for c in polynomial)]
        kept = [*((n + 2) * c for c in polynomial), 0]
        polynomial = [a + b for a, b in zip(kept, shifted, strict=True)]
    return tuple(polynomial)


def _path_value(n_nodes: int) -> float:
    """Return the smallest nonzero eigenvalue of the Laplacian of a path."""
    return 2 - 2 * cos(pi / n_nodes)


def _known(example: Example) -> tuple[ReluNetwork, Box, tuple[int, ...], float]:
    return example.network, example.domain, example.n_cells, example.fiedler_value
