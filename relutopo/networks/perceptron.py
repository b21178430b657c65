"""The multi-layer perceptron with plain arrays.

`relutopo.networks.network` derives the error bounds of its maps and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arithmetic.exact import Integers, dyadic_integers
from relutopo.arithmetic.rounding import ONCE, SMALLEST_REACH, UNIT_ROUNDOFF, gamma
from relutopo.arrays import Frozen, as_points
from relutopo.devices.copies import host_array
from relutopo.devices.device import Device
from relutopo.errors import InputError
from relutopo.networks.graph import Affine, GraphNetwork, Kink, first_equal_rows
from relutopo.networks.network import AffineMaps, Network, PackedPatterns

if TYPE_CHECKING:
    from relutopo.networks.forward_kernels import Pass

__all__ = ["ReluNetwork", "relu_nodes"]

_MOST_VALUES = 2**24
"""How many values of a layer a forward pass computes at once: bounds memory, and the time between
two looks for an interrupt."""
_MOST_NAMES = 8
_TINY_VALUE = 2.0**-500
_TINY_WEIGHT = 2.0**-400


class ReluNetwork(Frozen, Network):
    """A multi-layer perceptron x → W_L ReLU(... ReLU(W_1 x + b_1) ...) + b_L.

    Parameters
    ----------
    weights : sequence of (n_l, n_{l-1}) array_like or torch.Tensor
        At least one matrix; the last one is the output layer. float32 weights are converted
        exactly.
    biases : sequence of (n_l,) array_like or torch.Tensor
    layer_names : sequence of str, optional
        Names of the layers in the model that was read, for messages.

    Attributes
    ----------
    weights : tuple of (n_l, n_{l-1}) ndarrays of float64
        Read-only copies.
    biases : tuple of (n_l,) ndarrays of float64
        Read-only copies.
    layer_names : tuple of str
        Empty if no names were given.

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

    def __init__(
        self,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike],
        *,
        layer_names: Sequence[str] = (),
    ) -> None:
        lengths = [_length(x) for x in (weights, biases)]
        if lengths[0] != lengths[1] or lengths[0] == 0 or isinstance(lengths[0], str):
            raise InputError(
                f"`weights` and `biases` must be sequences of the same positive length, got "
                f"{lengths[0]} and {lengths[1]}; pass one pair for each linear layer"
            )
        self.layer_names = tuple(layer_names)
        self.weights = tuple(map(host_array, weights))
        self.biases = tuple(host_array(bias, "biases") for bias in biases)
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
        names = self.layer_names
        if len(names) > _MOST_NAMES:
            names = (*names[: _MOST_NAMES - 2], "...", names[-1])
        layers = f", layers {', '.join(names)}" if names else ""
        link = f", link {self.link}" if self.link else ""
        return f"ReluNetwork({'-'.join(map(str, self.widths))}{layers}{link})"

    def arrays_on(self, device: Device) -> list[tuple[Any, Any]]:
        """Return weights and biases in the memory of a device, for reading only.

        Weights of a module that is on the same card need not be copied there, if this is the first
        session that asks for them; see `relutopo.devices.copies`.

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
        pairs = zip(self.weights, self.biases, strict=True)
        return [(device.bring(w), device.bring(b)) for w, b in pairs]

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
        points = as_points(points, self.input_dim)
        n = max(1, _MOST_VALUES // max(self.widths))
        pieces = [points[i : i + n] for i in range(0, max(1, len(points)), n)]
        return np.concatenate([self._outputs(piece) for piece in pieces])

    def _outputs(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        x = points
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ w.T if i == 0 else np.maximum(x, 0.0, out=x) @ w.T
            x += b
        return x

    def preactivation_bounds(
        self, points: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return z_j(x) and a bound of its rounding error; see `Network`.

        ReLU does not enlarge errors. So if the inputs x of a layer have the error e, the error of
        the layer is at most |W| e + γ_{n+1} (|W| |x| + |b|), underflow aside.
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

    def patterns_at(self, points: NDArray[np.float64]) -> PackedPatterns:
        """Return which neurons are positive at points, exactly; see `Network`."""
        found = self._pass(points)
        packed, close, decided = found.patterns, np.flatnonzero(found.is_open), self._decided(found)
        if not close.size:
            no_signs = np.empty((0, self.n_neurons), dtype=np.int8)
            return PackedPatterns(packed, close, no_signs, decided)
        signs = self.signs(points[close])
        packed[close] = np.packbits(signs > 0, axis=1, bitorder="little")
        return PackedPatterns(packed, close, signs, decided)

    def _decided(self, found: Pass) -> NDArray[np.bool_] | None:
        """Return where `decision_values` are positive if bounds tell it of all points."""
        if self.n_outputs > 2:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            values, bounds = self._bounded(found, found.errors)
            # Once for these values, once for those, which are summed in another order. Where values
            # overflow, so do bounds.
            is_known = (np.abs(values) > 2.02 * bounds).all()
        return values > 0 if is_known else None

    def bounded_decision(
        self, points: NDArray[np.float64], deviations: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return `decision_values` and bounds of their errors; see `Network`."""
        found = self._pass(points)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._bounded(
                found, found.errors + ONCE * np.multiply.outer(deviations, found.slopes)
            )

    def _bounded(
        self, found: Pass, errors: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return decision values and their bounds, by bounds of the outputs."""
        if self.n_outputs == 1:
            return found.outputs[:, 0], errors[..., 0]
        rounding = UNIT_ROUNDOFF * np.abs(found.outputs)
        return np.diff(found.outputs)[:, 0], ONCE * (errors + rounding).sum(axis=1)

    def _pass(self, points: NDArray[np.float64]) -> Pass:
        from relutopo.networks.forward_kernels import forward  # loads numba

        # A copy: numba would compile the kernel a second time for read-only arrays.
        found: Pass = forward(np.array(points, order="C"), *self._joined)
        return found

    @cached_property
    def _joined(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """All weights, all biases, and the widths."""
        weights = np.concatenate([w.ravel() for w in self.weights])
        return weights, np.concatenate(self.biases), np.array(self.widths)

    def affine_maps(
        self, layer: int, patterns: NDArray[np.bool_], magnitude: NDArray[np.float64]
    ) -> AffineMaps:
        """Return a layer's affine maps on regions, with error bounds; see `Network`."""
        d = self.input_dim
        # Regions with the same pattern in the layers so far have the same map of the next layer.
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
            if len(before) == 1:  # one map of all regions needs no copies
                planes = planes * active[:, None, :]
            else:
                planes = planes[parent]
                planes *= active[:, None, :]
            heights = reach @ np.abs(planes)
            # One matrix product for each layer serves all regions and columns.
            planes = (planes.reshape(-1, w.shape[1]) @ w.T).reshape(len(heads), d + 1, len(w))
            planes[:, d] += b
            rounding = 1.01 * gamma(w.shape[1] + 2)
            errors = (1.01 * errors[parent] * active + rounding * heights) @ np.abs(w).T
            errors += rounding * np.abs(b)
            if not self.products_are_normal:
                errors += w.shape[1] * np.finfo(np.float64).tiny
        if len(heads) == len(patterns):
            return AffineMaps(np.ascontiguousarray(planes), errors)
        repeats = np.diff(heads, append=len(patterns))
        return AffineMaps(np.repeat(planes, repeats, axis=0), np.repeat(errors, repeats, axis=0))

    def equal_outputs(self) -> NDArray[np.int64]:
        """Return for each output the first one that has the same weights and bias.

        Examples
        --------
        >>> ReluNetwork([[[1.0], [2.0], [1.0]]], [[0.5, 0.5, 0.5]]).equal_outputs().tolist()
        [0, 1, 0]
        """
        return first_equal_rows(self.weights[-1], self.biases[-1])

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
        network = GraphNetwork(self.input_dim, relu_nodes(self)).with_link(self.link)
        return network.restricted(origin, basis)


def _length(layers: object) -> int | str:
    """Return the number of layers, or the name of the type if it is not a sequence."""
    try:
        return len(layers)  # type: ignore[arg-type]
    except TypeError:
        return type(layers).__name__


def relu_nodes(network: ReluNetwork) -> list[Affine | Kink]:
    """Return a multi-layer perceptron as nodes of a graph.

    Examples
    --------
    >>> net = ReluNetwork([[[1.0, -1.0]], [[2.0]]], [[0.0], [1.0]])
    >>> GraphNetwork(2, relu_nodes(net))
    GraphNetwork(2-1-1)
    """
    nodes: list[Affine | Kink] = []
    for weight, bias in zip(network.weights, network.biases, strict=True):
        if nodes:
            width = weight.shape[1]
            nodes.append(Kink(len(nodes), np.ones(width), np.zeros(width)))
        nodes.append(Affine((len(nodes),), (weight,), bias))
    return nodes
