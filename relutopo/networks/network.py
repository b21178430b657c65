"""Networks as the geometry sees them.

The geometry needs only the number of hidden neurons in each layer and, on a region whose earlier
neurons keep their sign, the affine maps that give the pre-activations of the next layer. `Network`
is this interface; `ReluNetwork` is the multi-layer perceptron with plain arrays, `GraphNetwork`
everything else. Layers are numbered 0..n_layers-1; layer number n_layers is the output.

Rounding
--------
Let u = 2^-53 and γ_n = n u / (1 - n u) (Higham, Accuracy and Stability of Numerical Algorithms,
2nd ed., section 3.1). On a region with slopes D (0 or 1 for each neuron) layer l + 1 has the exact
map ``A' = W D A, c' = W D c + b``. A computed sum of n products in any order, with or without
fused multiply-add, is off by at most γ_n times the sum of the absolute products. With
``h = |Â| X + |ĉ|`` for a bound X of |x| over the domain, ::

    e' = |W| D e + γ_{n+2} (|W| D h + |b|),      e = 0 in layer 0,

bounds ``|(Â' - A') x + (ĉ' - c')|``, coefficient by coefficient, for all |x| ≤ X. The factor 1.01
in the code covers the rounding of e itself. The bound is zero exactly where every product is, so a
neuron that vanishes on a whole region is known to vanish.

A forward pass obeys the same rule at points, with the values of the layer before in place of h. At
many points at once h bounds these values at all of them, and one bound serves all. If points are
only known up to a deviation δ in each coordinate, |W_l| ... |W_1| 1 δ is added to it.

This model excludes underflow. If products of weights of a network can underflow, its maps get an
absolute error term, and any X below 2^-100 is replaced by that number. At points, coordinates and
values may be tiny too: there non-zero factors are enlarged by 2^-500 and 2^-400, so that each
product of two non-zero factors adds more to the bound than it can lose.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, homogeneous_points
from relutopo.arrays import as_points
from relutopo.errors import InputError
from relutopo.networks.links import apply_link

__all__ = ["AffineMaps", "Network", "PackedPatterns"]


@dataclass(frozen=True)
class AffineMaps:
    """One layer's pre-activations z(x) = A x + c on each of R regions.

    Attributes
    ----------
    planes : (R, d + 1, n_l) ndarray
        ``planes[r, :d]`` is A transposed and ``planes[r, d]`` is c, as computed on region r.
    errors : (R, n_l) ndarray
        Bound of Σ_i |δA_i| X_i + |δc| for the errors δ of the map, where X is the `magnitude` for
        which the maps were computed.
    """

    planes: NDArray[np.float64]
    errors: NDArray[np.float64]


class PackedPatterns(NamedTuple):
    """Which neurons are positive at points, and where some may be zero.

    Attributes
    ----------
    packed : (n, ceil(n_neurons / 8)) ndarray of uint8
        The pattern of each point, `numpy.packbits` with ``bitorder="little"``.
    close : (m,) ndarray of int64
        The points at which a neuron is zero, and perhaps others.
    signs : (m, n_neurons) ndarray of int8
        The signs of the neurons at those.
    decided : (n,) ndarray of bool or None
        Whether `Network.decision_values` are positive at the points, where bounds tell it of all of
        them.
    """

    packed: NDArray[np.uint8]
    close: NDArray[np.int64]
    signs: NDArray[np.int8]
    decided: NDArray[np.bool_] | None = None


class Network(ABC):
    """A piecewise affine function whose kinks are the zeros of its hidden neurons.

    Attributes
    ----------
    input_dim : int
        Dimension d of the input.
    layer_sizes : tuple of int
        Hidden neurons in each layer; a layer depends on earlier layers only.
    n_outputs : int
        Dimension of the output.
    link : str or None
        The last step of the model, which is not part of the network: ``"sigmoid"``, ``"softmax"``
        and others of `relutopo.networks.links.LINKS`. It changes no region and no decision: calls,
        regions and decisions are those before the link; `predict` applies it.
    weight_norm : float or None
        Root of the sum of squares of the parameters of the model that the network was read from,
        those of a convolution counted once; None if not known.
    """

    input_dim: int
    layer_sizes: tuple[int, ...]
    n_outputs: int
    link: str | None = None
    weight_norm: float | None = None

    @property
    def n_neurons(self) -> int:
        """Number of hidden neurons."""
        return sum(self.layer_sizes)

    @cached_property
    def layer_offsets(self) -> tuple[int, ...]:
        """First neuron of each layer, and n_neurons at the end."""
        return (0, *np.cumsum(self.layer_sizes, dtype=int).tolist())

    def layer_of(self, neurons: ArrayLike) -> NDArray[np.int64]:
        """Return the layer (from 0) of each neuron.

        Parameters
        ----------
        neurons : array_like of int
            Neurons, 0..n_neurons-1.
        """
        return np.searchsorted(np.asarray(self.layer_offsets[1:]), neurons, side="right")

    def names_of(self, neurons: ArrayLike) -> list[tuple[int, int]]:
        """Return the name of each neuron: its layer, and its unit in that layer, both from 0.

        Parameters
        ----------
        neurons : (n,) array_like of int
            Neurons, 0..n_neurons-1.

        Examples
        --------
        >>> from relutopo.networks.perceptron import ReluNetwork
        >>> two_layers = ReluNetwork([[[1.0], [2.0]], [[1.0, 1.0]], [[1.0]]], [[0, 1], [0], [0]])
        >>> two_layers.names_of([0, 1, 2])
        [(0, 0), (0, 1), (1, 0)]
        """
        numbers = np.asarray(neurons, dtype=np.int64)
        layers = self.layer_of(numbers)
        units = numbers - np.asarray(self.layer_offsets)[layers]
        return list(zip(layers.tolist(), units.tolist(), strict=True))

    @abstractmethod
    def preactivations(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return z_j(x) of every hidden neuron by a forward pass; shape (n, n_neurons)."""

    @abstractmethod
    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs, before the link, at points of shape (n, d); shape (n, n_outputs)."""

    def predict(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs of the model at points, its link applied: probabilities, for example.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n, k) ndarray
            k is n_outputs, or 1 if the link ends with an argmax.

        Examples
        --------
        >>> from relutopo.networks.perceptron import ReluNetwork
        >>> network = ReluNetwork([[[1.0]]], [[0.0]]).with_link("sigmoid")
        >>> network([[0.0]]).tolist(), network.predict([[0.0]]).tolist()
        ([[0.0]], [[0.5]])
        """
        return apply_link(self.link, self(points))

    def with_link(self, link: str | None) -> Self:
        """Return the same network with another link.

        Parameters
        ----------
        link : str or None
            See `relutopo.networks.links.apply_link`.
        """
        network = copy(self)
        network.link = link
        return network

    @abstractmethod
    def affine_maps(
        self, layer: int, patterns: NDArray[np.bool_], magnitude: NDArray[np.float64]
    ) -> AffineMaps:
        """Return a layer's affine maps on regions, with error bounds.

        Parameters
        ----------
        layer : int
            0..n_layers; n_layers is the output.
        patterns : (R, ≥ layer_offsets[layer]) ndarray of bool
            Activation patterns of the regions.
        magnitude : (d,) ndarray
            Bound X of |x_i| over the regions.
        """

    @abstractmethod
    def exact_planes(
        self,
        pattern: NDArray[np.bool_],
        earlier: Sequence[Integers],
        units: Sequence[int] | None = None,
    ) -> Integers:
        """Return the exact map of the layer after the `earlier` ones on one region.

        Parameters
        ----------
        pattern : ndarray of bool
            The region's activation pattern, at least for the earlier layers.
        earlier : sequence of ndarrays of int objects
            The results of this method for all earlier layers, for all of their units.
        units : sequence of int, optional
            Neurons of the layer (from 0) whose planes are wanted; all by default.

        Returns
        -------
        (n_units, d + 1) ndarray of int objects
            Rows are planes (A, C) in the sense of `relutopo.arithmetic.exact`; all planes of one
            layer have the same positive factor, which does not depend on the region.
        """

    def exact_maps(self, pattern: NDArray[np.bool_], n_layers: int) -> list[Integers]:
        """Return the exact maps of layers 0..n_layers-1 on one region.

        Parameters
        ----------
        pattern : ndarray of bool
            The region's activation pattern.
        n_layers : int
            Number of layers; len(layer_sizes) + 1 includes the output.

        Returns
        -------
        list of (n_l, d + 1) ndarrays of int objects
            See `exact_planes`.
        """
        maps: list[Integers] = []
        for _ in range(n_layers):
            maps.append(self.exact_planes(pattern, maps))
        return maps

    @abstractmethod
    def exact_preactivations(self, points: Integers) -> list[Integers]:
        """Return the exact pre-activations of each layer, the output last, at exact points.

        Parameters
        ----------
        points : (n, d + 1) ndarray of int objects
            Points (X, W) in the sense of `relutopo.arithmetic.exact`.

        Returns
        -------
        list of (n, n_l) ndarrays of int objects
            Values times W times a positive factor, which is the same for all points of one layer.
        """

    @abstractmethod
    def preactivation_bounds(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return z_j(x) by a forward pass, and a bound of its rounding error.

        Parameters
        ----------
        points : (n, d) ndarray
            Taken as exact.

        Returns
        -------
        values, bounds : (n, n_neurons) ndarrays
        """

    def signs(self, points: ArrayLike) -> NDArray[np.int8]:
        """Return the sign of every hidden neuron's pre-activation, exactly.

        Signs that the rounding error leaves open are decided with integers.

        Parameters
        ----------
        points : (n, d) array_like
            Taken as exact.

        Returns
        -------
        (n, n_neurons) ndarray of int8
            -1, 0 or +1.
        """
        x = as_points(points, self.input_dim)
        with np.errstate(over="ignore", invalid="ignore"):  # signs that overflow are open
            values, bounds = self.preactivation_bounds(x)
            signs = np.sign(values).astype(np.int8)
        # A bound of zero means that the value is exact, as for neurons behind dead ones.
        is_open = ~((np.abs(values) > bounds) & np.isfinite(values)) & (bounds != 0)
        open_rows = np.flatnonzero(is_open.any(axis=1))
        if open_rows.size:
            *hidden, _ = self.exact_preactivations(homogeneous_points(x[open_rows]))
            exact = np.concatenate(hidden, axis=1)
            signs[open_rows] = (exact > 0).astype(np.int8) - (exact < 0).astype(np.int8)
        return signs

    def patterns_at(self, points: NDArray[np.float64]) -> PackedPatterns:
        """Return which neurons are positive at points, exactly.

        Parameters
        ----------
        points : (n, d) ndarray
            Taken as exact.
        """
        signs = self.signs(points)
        close = np.flatnonzero((signs == 0).any(axis=1))
        packed = np.packbits(signs > 0, axis=1, bitorder="little")
        return PackedPatterns(packed, close, signs[close])

    def bounded_decision(
        self, points: NDArray[np.float64], deviations: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `decision_values` and bounds of their errors, infinite where floats tell nothing.

        By default they are infinite everywhere.

        Parameters
        ----------
        points : (n, d) ndarray
        deviations : (n,) ndarray
            Bounds of how far any coordinate of a point is from the exact one.

        Returns
        -------
        values, bounds : (n,) ndarrays
        """
        return np.zeros(len(points)), np.full(len(points), np.inf)

    def restricted(self, origin: ArrayLike, basis: ArrayLike) -> Network:
        """Return the network u → f(origin + basis u) on an affine slice of the input space.

        The product of the first weights and the basis is not rounded where signs are decided: the
        floats of all three are taken as the exact numbers that they are.

        Parameters
        ----------
        origin : (d,) array_like
        basis : (d, k) array_like

        Returns
        -------
        Network
            Its input_dim is k; its neurons are the same.

        Raises
        ------
        InputError
            If the shapes do not fit, or this kind of network cannot be restricted.
        """
        raise InputError(
            f"a {type(self).__name__} cannot be restricted to a slice; pass a ReluNetwork, a "
            "GraphNetwork or the torch module itself"
        )

    def equal_outputs(self) -> NDArray[np.int64]:
        """Return for each output the first one that has the same weights and bias, (n_outputs,).

        By default no two outputs count as equal.
        """
        return np.arange(self.n_outputs)

    def margins(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the greatest output minus the second greatest; for one output, its modulus.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray
            Not negative; zero where greatest outputs tie.

        Examples
        --------
        >>> from relutopo.networks.perceptron import ReluNetwork
        >>> network = ReluNetwork([[[1.0], [-1.0], [0.0]]], [[0.0, 0.0, 0.5]])
        >>> network.margins([[2.0], [0.5]]).tolist()
        [1.5, 0.0]
        """
        values = self(points)
        if self.n_outputs == 1:
            return np.abs(values[:, 0])
        last_two = np.partition(values, self.n_outputs - 2, axis=1)[:, -2:]
        differences: NDArray[np.float64] = last_two[:, 1] - last_two[:, 0]
        return differences

    def decision_values(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return f(x), whose sign is the network's decision between two classes.

        A single output is f itself; for two outputs f is their difference, second minus first.

        Parameters
        ----------
        points : (n, d) array_like

        Returns
        -------
        (n,) ndarray

        Raises
        ------
        InputError
            If the network has more than two outputs.
        """
        self.check_two_classes()
        values = self(points)
        return values[:, 0] if self.n_outputs == 1 else values[:, 1] - values[:, 0]

    def check_two_classes(self) -> None:
        """Raise an `InputError` if the network has more than two outputs."""
        if self.n_outputs > 2:
            raise InputError(
                f"a decision between two classes needs 1 or 2 outputs, the network has "
                f"{self.n_outputs}; pass a network that outputs the difference of two of them, or "
                "choose what takes any number: the filtration 'margin', `CellComplex.decision`"
            )
