"""Networks as the geometry sees them.

All that the geometry needs of a network is the number of hidden neurons in each layer and, for a
region whose earlier neurons keep their sign, the affine functions that the next layer's
pre-activations are there. `Network` is that interface; `ReluNetwork` is the multi-layer perceptron
with plain arrays, `relutopo.networks.graph.GraphNetwork` everything else. Layers are numbered
0..n_layers-1; layer number n_layers is the output.

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
neuron that vanishes on a whole region is known to do so.

The model above excludes underflow. Products of tiny weights may underflow; a network for which
they could gets an absolute term in its maps, and a smaller X than 2^-100 counts as that. At points
coordinates and values may be tiny too: there factors that are not zero are enlarged by 2^-500 and
2^-400, so that each product of two that are not zero adds more to the bound than it can lose.
"""

from __future__ import annotations

import math
import operator
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers, homogeneous_points
from relutopo.devices.device import Device
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.geometry.domain import as_points
from relutopo.optional import require

__all__ = [
    "SMALLEST_REACH",
    "UNIT_ROUNDOFF",
    "AffineMaps",
    "Network",
    "ReluNetwork",
    "as_network",
    "gamma",
]

UNIT_ROUNDOFF = 2.0**-53

SMALLEST_REACH = 2.0**-100
"""Maps take smaller bounds of |x_i| for this, so that bounds of errors do not underflow to 0."""

_TINY_VALUE = 2.0**-500
_TINY_WEIGHT = 2.0**-400


def gamma(n: int) -> float:
    """Return γ_n = n u / (1 - n u), the relative error bound of n roundings.

    Examples
    --------
    >>> gamma(1) > 2.0**-53
    True
    """
    return n * UNIT_ROUNDOFF / (1 - n * UNIT_ROUNDOFF)


@dataclass(frozen=True)
class AffineMaps:
    """One layer's pre-activations z(x) = A x + c on each of R regions.

    Attributes
    ----------
    planes : (R, d + 1, n_l) ndarray
        ``planes[r, :d]`` is A transposed and ``planes[r, d]`` is c, as computed on region r.
    errors : (R, n_l) ndarray
        Bound of Σ_i |δA_i| X_i + |δc| for the deviations δ from the exact map, where X is the
        `magnitude` that the maps were asked for.
    """

    planes: NDArray[np.float64]
    errors: NDArray[np.float64]


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
    """

    input_dim: int
    layer_sizes: tuple[int, ...]
    n_outputs: int

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

    @abstractmethod
    def preactivations(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return z_j(x) of every hidden neuron by a forward pass; shape (n, n_neurons)."""

    @abstractmethod
    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs at points of shape (n, d); shape (n, n_outputs)."""

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
            What this method returned for all earlier layers, for all of their units.
        units : sequence of int, optional
            Neurons of the layer (from 0) whose planes are wanted; all by default.

        Returns
        -------
        (n_units, d + 1) ndarray of int objects
            Rows are planes (A, C) in the sense of `relutopo.arithmetic.exact`; all planes of one
            layer share their positive factor, which does not depend on the region.
        """

    def exact_maps(self, pattern: NDArray[np.bool_], n_layers: int) -> list[Integers]:
        """Return the exact maps of layers 0..n_layers-1 on one region.

        Parameters
        ----------
        pattern : ndarray of bool
            The region's activation pattern.
        n_layers : int
            How many layers; len(layer_sizes) + 1 includes the output.

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
            Values times W times a positive factor that all points share in one layer.
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
        values, bounds = self.preactivation_bounds(x)
        signs = np.sign(values).astype(np.int8)
        # A bound of zero means that the value is exact, as that of neurons behind dead ones.
        is_open = ~((np.abs(values) > bounds) & np.isfinite(values)) & (bounds != 0)
        open_rows = np.flatnonzero(is_open.any(axis=1))
        if open_rows.size:
            *hidden, _ = self.exact_preactivations(homogeneous_points(x[open_rows]))
            exact = np.concatenate(hidden, axis=1)
            signs[open_rows] = (exact > 0).astype(np.int8) - (exact < 0).astype(np.int8)
        return signs

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

    def decision_values(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return f(x) whose sign is the network's decision between two classes.

        One output is taken as it is; of two outputs the difference, second minus first.

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
        values = self(points)
        if self.n_outputs > 2:
            raise InputError(
                f"a decision between two classes needs 1 or 2 outputs, the network has "
                f"{self.n_outputs}; pass a network that outputs the difference of two of them"
            )
        return values[:, 0] if self.n_outputs == 1 else values[:, 1] - values[:, 0]


class ReluNetwork(Network):
    """A multi-layer perceptron x → W_L ReLU(... ReLU(W_1 x + b_1) ...) + b_L.

    Parameters
    ----------
    weights : sequence of (n_l, n_{l-1}) array_like or torch.Tensor
        At least one matrix; the last one is the output layer. float32 weights are
        taken as the exact numbers that they are.
    biases : sequence of (n_l,) array_like or torch.Tensor

    Raises
    ------
    InputError
        If shapes do not fit together or a weight is NaN or infinite.

    Examples
    --------
    >>> net = ReluNetwork([[[1.0, -1.0]], [[2.0]]], [[0.0], [1.0]])
    >>> net([[3.0, 1.0], [0.0, 1.0]]).ravel().tolist()
    [5.0, 1.0]
    """

    def __init__(self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]) -> None:
        lengths = [len(x) if hasattr(x, "__len__") else repr(x) for x in (weights, biases)]
        if lengths[0] != lengths[1] or lengths[0] == 0 or isinstance(lengths[0], str):
            raise InputError(
                f"`weights` and `biases` must be sequences of the same positive length, got "
                f"{lengths[0]} and {lengths[1]}; pass one pair for each linear layer"
            )
        self._on_card = [(_on_card(w), _on_card(b)) for w, b in zip(weights, biases, strict=True)]
        self.weights = [np.array(_to_numpy(w)) for w in weights]
        self.biases = [np.array(_to_numpy(b)) for b in biases]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            fan_in = self.weights[i - 1].shape[0] if i else w.shape[-1] if w.ndim else 1
            if w.ndim != 2 or w.shape[1] != fan_in or b.shape != w.shape[:1] or not w.size:
                raise InputError(
                    f"layer {i} must have weights of shape (n, {fan_in}) and biases of shape "
                    f"(n,), got {w.shape} and {b.shape}; check the order of the layers"
                )
            for name, array in (("weights", w), ("biases", b)):
                if not np.isfinite(array).all():
                    where = tuple(int(k[0]) for k in np.nonzero(~np.isfinite(array)))
                    raise InputError(
                        f"`{name}` of layer {i} must be finite, got {array[where]} at {where}; "
                        "did the training diverge? Load an earlier checkpoint"
                    )
        self.input_dim = self.weights[0].shape[1]
        self.layer_sizes = tuple(w.shape[0] for w in self.weights[:-1])
        self.n_outputs = self.weights[-1].shape[0]

    def __repr__(self) -> str:
        return f"ReluNetwork({'-'.join(map(str, self.widths))})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_on_card": []}  # the same numbers as on the host

    def arrays_on(self, device: Device) -> list[tuple[Any, Any]]:
        """Return weights and biases in the memory of a device, for reading only.

        Of a module on that card they never leave it. The network keeps the card's memory until it
        has handed them over; from then on it only has the arrays of the host.

        Parameters
        ----------
        device : Device

        Examples
        --------
        >>> from relutopo.devices.device import numpy_device
        >>> net = ReluNetwork([[[1.0, -1.0]], [[2.0]]], [[0.0], [1.0]])
        >>> [(w.tolist(), b.tolist()) for w, b in net.arrays_on(numpy_device())]
        [([[1.0, -1.0]], [0.0]), ([[2.0]], [1.0])]
        """
        layers: list[Any] = [*zip(self.weights, self.biases, strict=True)]
        kept, self._on_card = self._on_card or [(None, None)] * len(layers), []
        return [
            tuple(
                device.to_device(array if tensor is None or not device.holds(tensor) else tensor)
                for array, tensor in zip(*pairs, strict=True)
            )
            for pairs in zip(layers, kept, strict=True)
        ]

    @property
    def widths(self) -> tuple[int, ...]:
        """Input dimension, hidden layer sizes, number of outputs."""
        return (self.input_dim, *self.layer_sizes, self.n_outputs)

    def _forward(self, points: ArrayLike) -> Iterator[NDArray[np.float64]]:
        x = as_points(points, self.input_dim)
        for w, b in zip(self.weights, self.biases, strict=True):
            z = x @ w.T + b
            yield z
            x = np.maximum(z, 0.0)

    def preactivations(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return z_j(x) of every hidden neuron by a forward pass; shape (n, n_neurons)."""
        *hidden, output = self._forward(points)
        return np.concatenate(hidden, axis=1) if hidden else np.empty((len(output), 0))

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs at points of shape (n, d); shape (n, n_outputs)."""
        *_, output = self._forward(points)
        return output

    def preactivation_bounds(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return z_j(x) and a bound of its rounding error; see `Network`.

        ReLU does not enlarge errors, so with an error e of its inputs x a layer's error is at most
        |W| e + γ_{n+1} (|W| |x| + |b|), underflow aside.
        """
        x, errors = points, np.zeros_like(points)
        values, bounds = [np.empty((len(x), 0))], [np.empty((len(x), 0))]
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            rounding = 1.01 * gamma(w.shape[1] + 2)
            sizes = np.abs(x) + _TINY_VALUE * ((x != 0) | (errors > 0))
            slopes = np.abs(w) + _TINY_WEIGHT * (w != 0)
            errors = (1.01 * errors + rounding * sizes) @ slopes.T + rounding * np.abs(b)
            z = x @ w.T + b
            values.append(z)
            bounds.append(errors)
            x = np.maximum(z, 0.0)
        return np.concatenate(values, axis=1), np.concatenate(bounds, axis=1)

    def affine_maps(
        self, layer: int, patterns: NDArray[np.bool_], magnitude: NDArray[np.float64]
    ) -> AffineMaps:
        """Return a layer's affine maps on regions, with error bounds; see `Network`."""
        d = self.input_dim
        # Regions that share the pattern of the layers so far share the maps up to the next one.
        # Enumerators list such regions one after another, so only neighbouring rows are compared.
        differs = np.zeros(max(len(patterns) - 1, 0), dtype=bool)
        heads = np.zeros(min(1, len(patterns)), dtype=np.intp)
        first = np.concatenate([self.weights[0].T, self.biases[0][None]])
        reach = np.append(np.maximum(magnitude, SMALLEST_REACH), 1.0)
        planes, errors = first[None][heads], np.zeros((len(heads), first.shape[1]))
        for i in range(layer):
            w, b = self.weights[i + 1], self.biases[i + 1]
            bits = patterns[:, self.layer_offsets[i] : self.layer_offsets[i + 1]]
            differs |= (bits[1:] != bits[:-1]).any(axis=1)
            before, heads = heads, np.concatenate([heads[:1], 1 + np.flatnonzero(differs)])
            parent = np.searchsorted(before, heads, side="right") - 1
            active = bits[heads].astype(np.float64)
            planes = planes[parent]
            planes *= active[:, None, :]
            heights = reach @ np.abs(planes)
            # One matrix product a layer serves all regions and columns.
            planes = (planes.reshape(-1, w.shape[1]) @ w.T).reshape(len(heads), d + 1, len(w))
            planes[:, d] += b
            rounding = 1.01 * gamma(w.shape[1] + 2)
            errors = (1.01 * errors[parent] * active + rounding * heights) @ np.abs(w).T
            errors += rounding * np.abs(b)
            if not self.products_are_normal:
                errors += w.shape[1] * np.finfo(np.float64).tiny
        repeats = np.diff(heads, append=len(patterns))
        return AffineMaps(np.repeat(planes, repeats, axis=0), np.repeat(errors, repeats, axis=0))

    @cached_property
    def products_are_normal(self) -> bool:
        """Whether no product of weights along the layers can underflow."""
        exponent = 0.0
        for w, b in zip(self.weights, self.biases, strict=True):
            smallest = min(
                float(np.min(np.abs(part), where=part != 0, initial=1.0)) for part in (w, b)
            )
            exponent += float(np.log2(smallest))
        # 53 bits of slack for the cancellation that a computed sum may show.
        return exponent > -1022 + 53 * (len(self.weights) + 1)

    @cached_property
    def _integer_layers(self) -> list[tuple[Integers, Integers, int]]:
        layers = []
        for w, b in zip(self.weights, self.biases, strict=True):
            (integer_w, integer_b), shift = dyadic_integers(w, b)
            layers.append((integer_w, integer_b, shift))
        return layers

    def exact_planes(
        self,
        pattern: NDArray[np.bool_],
        earlier: Sequence[Integers],
        units: Sequence[int] | None = None,
    ) -> Integers:
        """Return the exact map of the layer after the `earlier` ones; see `Network`."""
        layer = len(earlier)
        w, b, _ = self._integer_layers[layer]
        rows = slice(None) if units is None else list(units)
        w, b = w[rows], b[rows]
        if layer == 0:
            return np.concatenate([w, b[:, None]], axis=1)
        start = self.layer_offsets[layer - 1]
        active = np.flatnonzero(pattern[start : start + self.layer_sizes[layer - 1]])
        planes = np.zeros((len(w), self.input_dim + 1), dtype=object)
        if active.size:
            planes = w[:, active] @ earlier[-1][active]
        scale = sum(shift for *_, shift in self._integer_layers[:layer])
        planes[:, -1] = planes[:, -1] + b * (1 << scale)
        return planes

    def exact_preactivations(self, points: Integers) -> list[Integers]:
        """Return the exact pre-activations of each layer at exact points; see `Network`."""
        layers: list[Integers] = []
        x, denominators, scale = points[:, :-1], points[:, -1:], 0
        for w, b, shift in self._integer_layers:
            z = x @ w.T + denominators * (b * (1 << scale))
            layers.append(z)
            x = np.where(z > 0, z, 0)
            scale += shift
        return layers

    def restricted(self, origin: ArrayLike, basis: ArrayLike) -> Network:
        """Return the network on an affine slice of the input space; see `Network`."""
        from relutopo.networks.graph import GraphNetwork, relu_nodes  # graph builds on this module

        return GraphNetwork(self.input_dim, relu_nodes(self)).restricted(origin, basis)

    @classmethod
    def from_torch(cls, module: Any) -> ReluNetwork:
        """Read a torch module made of Linear and ReLU layers in sequence.

        Nested `Sequential`s, `Identity` and `Flatten` are followed. Two neighbouring Linear
        layers would need a rounded product and are refused.

        Parameters
        ----------
        module : torch.nn.Module
            A `Sequential` or a single `Linear`.

        Raises
        ------
        UnsupportedModuleError
            If a submodule is of another kind; the message names it.
        """
        weights: list[Any] = []
        biases: list[Any] = []
        after_linear = False
        for path, layer in _leaves(module, type(module).__name__):
            kind = type(layer).__name__
            if kind == "Linear" and not after_linear:
                weights.append(layer.weight)
                biases.append(np.zeros(len(layer.weight)) if layer.bias is None else layer.bias)
                after_linear = True
            elif kind == "ReLU" and (after_linear or weights):
                after_linear = False
            elif kind not in ("Identity", "Flatten"):
                raise UnsupportedModuleError(
                    f"`model` must be a sequence of Linear and ReLU layers, got "
                    f"{kind} at {path!r}"
                    + (" right after another Linear" if kind == "Linear" else "")
                    + (" before any Linear" if kind == "ReLU" else "")
                    + "; rewrite this part, or pass weights and biases to ReluNetwork"
                )
        if not weights:
            raise UnsupportedModuleError(
                f"`model` must contain a Linear layer, got {type(module).__name__} without one; "
                "pass the trained network itself"
            )
        if not after_linear:  # a ReLU ends the module: its neurons are hidden ones
            weights.append(np.eye(len(biases[-1])))
            biases.append(np.zeros(len(biases[-1])))
        return cls(weights, biases)

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> ReluNetwork:
        """Read the state dict of Linear layers with ReLU between them.

        Parameters
        ----------
        state : mapping of str to tensor
            Keys ``"....weight"`` and ``"....bias"`` in layer order; a missing bias counts as zero.

        Raises
        ------
        UnsupportedModuleError
            If an entry is neither a weight matrix nor a bias vector.
        """
        layers: dict[str, dict[str, Any]] = {}
        for key, tensor in state.items():
            prefix, _, kind = str(key).rpartition(".")
            shape = tuple(np.shape(tensor))
            if (kind, len(shape)) not in (("weight", 2), ("bias", 1)):
                raise UnsupportedModuleError(
                    f"`state` must hold weight matrices and bias vectors of Linear layers, got "
                    f"{key!r} of shape {shape}; pass the module instead of its state dict"
                )
            layers.setdefault(prefix, {})[kind] = tensor
        for prefix, entry in layers.items():
            if "weight" not in entry:
                raise UnsupportedModuleError(
                    f"`state` has a bias but no weight for layer {prefix!r}; pass the whole dict"
                )
        return cls(
            [entry["weight"] for entry in layers.values()],
            [entry.get("bias", np.zeros(len(entry["weight"]))) for entry in layers.values()],
        )


def _leaves(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    if type(module).__name__ == "Sequential":
        for name, child in module._modules.items():  # named_children() leaves out repeated ones
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, module


def _on_card(array: Any) -> Any:
    """Return a tensor on a card as it is now, in double precision, if it may be wanted there.

    Training changes tensors in place. Whoever computes on a card has loaded CuPy before.
    """
    if "cupy" in sys.modules and getattr(array, "is_cuda", False):
        return array.detach().clone().double()
    return None


def _to_numpy(tensor: Any) -> NDArray[np.float64]:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    return np.asarray(tensor, dtype=np.float64)


def as_network(model: Any, input_shape: Sequence[int] | None = None) -> Network:
    """Turn whatever describes a network into a `Network`.

    Parameters
    ----------
    model : Network, torch.nn.Module, mapping, path, or pair (weights, biases)
        A network; a torch module whose non-linearities are piecewise linear (see
        `relutopo.networks.torch_modules`; what counts is its evaluation mode); the state dict of a
        sequence of Linear and ReLU layers, or the ``.pt`` file that holds it; a ``.onnx`` file; or
        two sequences of arrays.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis, for example ``(1, 28, 28)``. Needed for a module
        that does not begin with a Linear layer, or whose Linear layers act on each row.

    Returns
    -------
    Network
        A `ReluNetwork` where that is possible, otherwise a `GraphNetwork`.

    Raises
    ------
    UnsupportedModuleError
        If a torch module does something that is not understood.
    InputError
        If `model` is none of these, or `input_shape` is missing or does not fit.

    Examples
    --------
    >>> as_network(([[[1.0, 0.0]], [[1.0]]], [[0.0], [0.0]])).n_neurons
    1
    """
    if input_shape is not None:
        input_shape = _checked_shape(input_shape)
    network = _read_network(model, input_shape)
    if input_shape is not None and math.prod(input_shape) != network.input_dim:
        raise InputError(
            f"`input_shape` {input_shape} has {math.prod(input_shape)} entries, the network "
            f"takes {network.input_dim}; pass the shape of one input, without the batch axis"
        )
    return network


def _checked_shape(shape: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(map(operator.index, shape))
    except TypeError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise InputError(
            "`input_shape` must be a sequence of integers from 1, the shape of one input without "
            f"the batch axis, got {shape!r}; pass for example (2,) or (1, 28, 28)"
        )
    return sizes


def _read_network(model: Any, input_shape: Sequence[int] | None) -> Network:
    if isinstance(model, Network):
        return model
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from relutopo.networks.torch_modules import network_of_module  # loads torch

        return network_of_module(model, input_shape)
    if isinstance(model, Mapping):
        return ReluNetwork.from_state_dict(model)
    if isinstance(model, (str, os.PathLike)):
        if not os.path.isfile(model):
            raise InputError(
                f"`model` names the file {os.fspath(model)!r}, which does not exist; check the path"
            )
        if os.fspath(model).endswith(".onnx"):
            require("torch", "reading an ONNX file")
            from relutopo.networks.onnx_files import network_of_onnx  # loads torch

            return network_of_onnx(model, input_shape)
        return ReluNetwork.from_state_dict(_load_state_dict(model))
    if isinstance(model, (tuple, list)) and len(model) == 2:
        return ReluNetwork(*model)
    raise InputError(
        "`model` must be a relutopo Network, a torch.nn.Module, a state dict, the path of a .pt "
        f"or .onnx file or a pair (weights, biases), got {type(model).__name__}; convert it to "
        "one of these"
    )


def _load_state_dict(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    name = os.fspath(path)
    torch = require("torch", "reading a .pt file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch raises pickle, runtime, key and end-of-file errors alike for an unreadable file.
        raise InputError(
            f"{name!r} cannot be read as a state dict ({type(error).__name__}); write it with "
            "torch.save(model.state_dict(), path)"
        ) from error
    if not isinstance(state, Mapping):
        raise InputError(
            f"{name!r} must hold a state dict, got {type(state).__name__}; write it with "
            "torch.save(model.state_dict(), path)"
        )
    return state
