"""Building graphs of affine maps and kinks out of operations on tensors.

What a `GraphBuilder` handles are `Signal`s: tensors with batch size 1, each entry of which is an
entry of one value of the graph (`relutopo.networks.graph`). Whatever only moves entries around
(flatten, permute, slices, ...) is done to a tensor of their places, and makes no node.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from relutopo.arrays import freeze
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix

__all__ = ["GraphBuilder", "NotUnderstood", "Signal", "need_signal"]

_DENSE = 0.3
"""Matrices with a larger share of nonzero entries are stored densely."""


@dataclass(frozen=True)
class Signal:
    """A tensor with batch size 1: its entries are those of one value, at `index`."""

    value: int
    index: Tensor

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor, the batch axis of size 1 first."""
        return self.index.shape

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.index.numel()

    @property
    def entries(self) -> NDArray[np.int64]:
        """Places of all entries in the value, flat."""
        return self.index.reshape(-1).numpy()


class NotUnderstood(Exception):
    """An operation is not understood, with the reason."""


class GraphBuilder:
    """Makes the nodes of a graph, one operation after another.

    Operations raise `NotUnderstood` if they are not piecewise linear or not known, and ValueError
    or torch's own errors if shapes do not fit.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one input without the batch axis.

    Examples
    --------
    >>> builder = GraphBuilder((3,))
    >>> hidden = builder.relu(builder.linear(builder.input, torch.ones(2, 3)))
    >>> builder.network(builder.scale(hidden, 0.5))
    GraphNetwork(3-2-2)
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self.nodes: list[Affine | Kink] = []
        self.sizes = [int(np.prod(input_shape))]
        self.input = Signal(0, torch.arange(self.sizes[0]).reshape(1, *input_shape))

    def network(self, output: Signal) -> GraphNetwork:
        """Return the network whose output is the given signal, flattened."""
        if output.value != len(self.nodes) or not self.nodes or not self.is_whole(output):
            output = self.affine([(output, _identity(output.size))], 0.0, output.shape)
        return GraphNetwork(self.sizes[0], self.nodes)

    def is_whole(self, x: Signal) -> bool:
        """Whether a signal is all of its value, in order."""
        return x.size == self.sizes[x.value] and bool((np.diff(x.entries) == 1).all())

    def move(self, x: Any, operation: Callable[[Tensor], Any]) -> Any:
        """Apply an operation that moves, drops, repeats entries, or inserts zeros."""
        if not isinstance(x, Signal):
            raise NotUnderstood("whose first argument does not depend on the input")

        def wrap(moved: Any) -> Any:
            if isinstance(moved, (tuple, list)):
                return tuple(map(wrap, moved))
            places = moved.long() - 1
            if (places >= 0).all():
                return Signal(x.value, x.index.reshape(-1)[places])
            flat = places.reshape(-1).numpy()
            rows = np.flatnonzero(flat >= 0)
            matrix = _matrix(rows, flat[rows], np.ones(len(rows)), (flat.size, x.size))
            return self.affine([(x, matrix)], 0.0, places.shape)

        return wrap(operation(1 + torch.arange(x.size).reshape(x.shape)))

    def affine(
        self,
        terms: Sequence[tuple[Signal, sparse.csr_array]],
        bias: Any,
        shape: Sequence[int],
    ) -> Signal:
        """Add Σ matrix @ entries of a signal + bias, with the bias broadcast to the shape."""
        size = int(np.prod(shape))
        matrices: list[Matrix] = []
        for x, matrix in terms:
            if not self.is_whole(x):
                entries, n = x.entries, self.sizes[x.value]
                matrix = sparse.csr_array(
                    (matrix.data, entries[matrix.indices], matrix.indptr), shape=(size, n)
                )
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
            n_entries = matrix.shape[0] * matrix.shape[1]
            is_dense = matrix.nnz > _DENSE * n_entries
            matrices.append(freeze(matrix.toarray()) if is_dense else matrix)
        node = Affine(tuple(x.value for x, _ in terms), tuple(matrices), _flat(bias, shape))
        return self.add(node, shape)

    def add(self, node: Affine | Kink, shape: Sequence[int]) -> Signal:
        """Add a node, and return its result in the given shape."""
        self.nodes.append(node)
        self.sizes.append(node.size)
        return Signal(len(self.nodes), torch.arange(node.size).reshape(tuple(shape)))

    def kink(self, x: Signal, slope_on: Any, slope_off: Any) -> Signal:
        """Add y = (slope_on if x > 0 else slope_off) x."""
        need_signal(x)
        if not self.is_whole(x):
            x = self.affine([(x, _identity(x.size))], 0.0, x.shape)
        return self.add(Kink(x.value, _flat(slope_on, x.shape), _flat(slope_off, x.shape)), x.shape)

    def relu(self, x: Signal) -> Signal:
        """Add max(x, 0)."""
        return self.kink(x, 1.0, 0.0)

    def scale(self, x: Signal, factor: Any, bias: Any = 0.0) -> Signal:
        """Add factor · x + bias, elementwise with broadcasting."""
        shape = np.broadcast_shapes(x.shape, np.shape(factor), np.shape(bias))
        x = Signal(x.value, x.index.expand(shape))
        rows = np.arange(x.size)
        return self.affine(
            [(x, _matrix(rows, rows, _flat(factor, shape), (x.size, x.size)))], bias, shape
        )

    def sum(self, x: Any, y: Any, alpha: float = 1.0, first: float = 1.0) -> Signal:
        """Add first · x + alpha · y, where one of them may be constant."""
        if not isinstance(y, Signal):
            return self.scale(x, first, torch.as_tensor(y, dtype=torch.float64) * alpha)
        if not isinstance(x, Signal):
            return self.scale(y, alpha, torch.as_tensor(x, dtype=torch.float64) * first)
        shape = np.broadcast_shapes(x.shape, y.shape)
        terms = []
        for signal, factor in ((x, first), (y, alpha)):
            signal = Signal(signal.value, signal.index.expand(shape))
            terms.append((signal, factor * _identity(signal.size)))
        return self.affine(terms, 0.0, shape)

    def product(self, x: Any, y: Any) -> Signal:
        """Add x · y, elementwise, where one of them is constant."""
        if isinstance(x, Signal) and isinstance(y, Signal):
            raise NotUnderstood("a product of two tensors that both depend on the input")
        return self.scale(x, y) if isinstance(x, Signal) else self.scale(y, x)

    def quotient(self, x: Any, y: Any) -> Signal:
        """Add x / y, elementwise, for a constant y."""
        if isinstance(y, Signal):
            raise NotUnderstood("a division by a tensor that depends on the input")
        return self.scale(x, 1.0 / torch.as_tensor(y, dtype=torch.float64))

    def concatenate(self, signals: Sequence[Any], dim: int = 0) -> Signal:
        """Add the concatenation of signals along an axis."""
        for x in signals:
            need_signal(x)
        starts = np.cumsum([0, *(x.size for x in signals)])
        places = torch.cat(
            [
                torch.arange(start, start + x.size).reshape(x.shape)
                for x, start in zip(signals, starts, strict=False)
            ],
            dim=dim,
        )
        flat = places.reshape(-1).numpy()
        terms = []
        for x, start in zip(signals, starts, strict=False):
            rows = np.flatnonzero((flat >= start) & (flat < start + x.size))
            terms.append(
                (x, _matrix(rows, flat[rows] - start, np.ones(x.size), (flat.size, x.size)))
            )
        return self.affine(terms, 0.0, places.shape)

    def linear(self, x: Signal, weight: Tensor, bias: Tensor | None = None) -> Signal:
        """Add weight · x + bias along the last axis."""
        need_signal(x)
        n_out, n_in = weight.shape
        if x.shape[-1] != n_in:
            raise ValueError(f"the last axis must have {n_in} entries")
        n_rows = x.size // n_in
        block = sparse.csr_array(_array(weight))
        matrix = sparse.csr_array(sparse.kron(sparse.eye_array(n_rows), block))
        return self.affine([(x, matrix)], _or_zero(bias), (*x.shape[:-1], n_out))

    def convolution(
        self,
        x: Signal,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Signal:
        """Add a convolution in one or two dimensions, arguments as in torch."""
        need_signal(x)
        n_out, n_in, *kernel = weight.shape
        rank = len(kernel)
        strides, dilations = _tuple(stride, rank), _tuple(dilation, rank)
        if len(x.shape) != rank + 2 or x.shape[1] != n_in * groups:
            sizes = ", ".join(["1", str(n_in * groups), *"HW"[2 - rank :]])
            raise ValueError(f"expected the shape ({sizes})")
        if padding in ("valid", "same"):
            totals = [
                d * (k - 1) * (padding == "same") for k, d in zip(kernel, dilations, strict=True)
            ]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sides = [(p, p) for p in _tuple(padding, rank)]
        places, extent = _patches(x.shape, kernel, strides, sides, dilations)
        # Rows of `places` are channels × offsets; each group of outputs sees its own channels.
        places = places.reshape(groups, -1, places.shape[-1])
        places = np.repeat(places, n_out // groups, axis=0)
        data = np.broadcast_to(_array(weight).reshape(n_out, -1, 1), places.shape)
        rows = np.arange(n_out)[:, None, None] * places.shape[-1] + np.arange(places.shape[-1])
        rows = np.broadcast_to(rows, places.shape)
        inside = places >= 0
        shape = (1, n_out, *extent)
        matrix = _matrix(rows[inside], places[inside], data[inside], (int(np.prod(shape)), x.size))
        constant = 0.0 if bias is None else bias.reshape(-1, *[1] * rank)
        return self.affine([(x, matrix)], constant, shape)

    def batch_norm(self, x: Signal, norm: Any) -> Signal:
        """Add γ (x - mean) / sqrt(var + eps) + β with the statistics of a torch module."""
        if norm.running_mean is None:
            raise NotUnderstood("which normalises by the batch even in evaluation mode")
        scale = 1.0 / torch.sqrt(norm.running_var + norm.eps)
        if norm.weight is not None:
            scale = norm.weight * scale
        shift = -norm.running_mean * scale
        if norm.bias is not None:
            shift = norm.bias + shift
        shape = (-1, *[1] * (len(x.shape) - 2))
        return self.scale(x, scale.detach().reshape(shape), shift.detach().reshape(shape))

    def hardtanh(self, x: Signal, min_val: Any = -1.0, max_val: Any = 1.0) -> Signal:
        """Add lo + ReLU(x - lo) - ReLU(x - hi); a bound that is None or infinite is left out."""
        need_signal(x)
        min_val, max_val = (
            None if isinstance(bound, float) and bound == infinity else bound
            for bound, infinity in ((min_val, -math.inf), (max_val, math.inf))
        )
        result = x
        if min_val is not None:  # max(x, lo) = lo + ReLU(x - lo)
            result = self.sum(self.relu(self.sum(x, min_val, -1.0)), min_val)
        if max_val is not None:
            result = self.sum(result, self.relu(self.sum(x, max_val, -1.0)), -1.0)
        return result

    def maximum(self, x: Any, y: Any) -> Signal:
        """Add max(x, y) = x + ReLU(y - x), elementwise."""
        if not isinstance(y, (Signal, Tensor)):
            raise NotUnderstood("a maximum over an axis; use max-pooling or amax")
        return self.sum(x, self.relu(self.sum(y, x, -1.0)))

    def minimum(self, x: Any, y: Any) -> Signal:
        """Add min(x, y) = x - ReLU(x - y), elementwise."""
        if not isinstance(y, (Signal, Tensor)):
            raise NotUnderstood("a minimum over an axis")
        return self.sum(x, self.relu(self.sum(x, y, -1.0)), -1.0)

    # Pooling: a table of windows has one row for each result, padded with -1

    def average(
        self, x: Signal, windows: NDArray[np.int64], shape: Sequence[int], by: Any
    ) -> Signal:
        """Add the sums over windows, divided by `by`."""
        rows, columns = np.nonzero(windows >= 0)
        factors = np.broadcast_to(1.0 / np.asarray(by, dtype=np.float64), len(windows))
        matrix = _matrix(rows, windows[rows, columns], factors[rows], (len(windows), x.size))
        return self.affine([(x, matrix)], 0.0, shape)

    def largest(self, x: Signal, windows: NDArray[np.int64], shape: Sequence[int]) -> Signal:
        """Add the maxima over windows by a tournament, max(a, b) = a + ReLU(b - a)."""
        windows = -np.sort(-windows, axis=1)  # what is missing moves to the end
        while windows.shape[1] > 1:
            if windows.shape[1] % 2:
                windows = np.pad(windows, ((0, 0), (0, 1)), constant_values=-1)
            left, right = windows[:, 0::2], windows[:, 1::2]
            both = right >= 0
            pairs, place = np.unique(
                np.stack([left[both], right[both]], axis=1), axis=0, return_inverse=True
            )
            alone, place_alone = np.unique(left[(left >= 0) & ~both], return_inverse=True)
            n, every = len(pairs), np.arange(len(pairs))
            first = _matrix(every, pairs[:, 0], np.ones(n), (n, x.size))
            second = _matrix(every, pairs[:, 1], np.ones(n), (n, x.size))
            gains = self.relu(self.affine([(x, second - first)], 0.0, (1, n)))
            winners = np.concatenate([pairs[:, 0], alone])
            m = len(winners)
            kept = _matrix(np.arange(m), winners, np.ones(m), (m, x.size))
            x = self.affine(
                [(x, kept), (gains, _matrix(every, every, np.ones(n), (m, n)))], 0.0, (1, m)
            )
            windows = np.full(left.shape, -1, dtype=np.int64)
            windows[both] = place.ravel()
            windows[(left >= 0) & ~both] = n + place_alone.ravel()
        return Signal(
            x.value, x.index.reshape(-1)[torch.from_numpy(windows[:, 0])].reshape(tuple(shape))
        )

    def max_pool(
        self,
        rank: int,
        x: Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Signal:
        """Add max-pooling over `rank` axes, arguments as in torch."""
        if return_indices:
            raise NotUnderstood("which returns indices")
        windows, shape = _pool_windows(x, rank, kernel_size, stride, padding, dilation, ceil_mode)
        return self.largest(x, windows, shape)

    def avg_pool(
        self,
        rank: int,
        x: Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Signal:
        """Add average pooling over `rank` axes, arguments as in torch."""
        if ceil_mode:
            raise NotUnderstood("which pools with ceil_mode=True")
        windows, shape = _pool_windows(x, rank, kernel_size, stride, padding, 1, False)
        by = (windows >= 0).sum(axis=1) if not count_include_pad else windows.shape[1]
        return self.average(x, windows, shape, divisor_override or by)

    def adaptive_pool(self, rank: int, largest: bool, x: Signal, output_size: Any) -> Signal:
        """Add the largest entries, or the means, of windows that make up the output size."""
        need_signal(x)
        extents = x.shape[-rank:]
        wanted = [
            n if out is None else out
            for n, out in zip(extents, _tuple(output_size, rank), strict=True)
        ]
        channels = np.arange(x.size).reshape(-1, *extents)
        rows = []
        for channel in channels:
            for place in np.ndindex(*wanted):
                bounds = [
                    slice(i * n // out, -(-(i + 1) * n // out))
                    for i, n, out in zip(place, extents, wanted, strict=True)
                ]
                rows.append(channel[tuple(bounds)].ravel())
        windows = np.full((len(rows), max(map(len, rows))), -1, dtype=np.int64)
        for window, row in zip(windows, rows, strict=True):
            window[: len(row)] = row
        shape = (*x.shape[:-rank], *wanted)
        if largest:
            return self.largest(x, windows, shape)
        return self.average(x, windows, shape, (windows >= 0).sum(axis=1))

    def reduce(self, how: str, x: Signal, dim: Any = None, keepdim: bool = False) -> Signal:
        """Add the mean, the sum or the maximum (amax) over axes."""
        need_signal(x)
        chosen = tuple(range(len(x.shape))) if dim is None else _tuple(dim, 1)
        axes = sorted({axis % len(x.shape) for axis in chosen})
        if 0 in axes:
            raise NotUnderstood("a reduction over the batch axis")
        places = np.arange(x.size).reshape(x.shape)
        windows = np.moveaxis(places, axes, range(-len(axes), 0))
        shape = windows.shape[: -len(axes)]
        if keepdim:
            shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        windows = windows.reshape(int(np.prod(shape)), -1)
        if how == "amax":
            return self.largest(x, windows, shape)
        return self.average(x, windows, shape, windows.shape[1] if how == "mean" else 1)

    def dropout(
        self, x: Signal, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Signal:
        """Pass the signal on, unless the dropout is random."""
        if training:
            raise NotUnderstood("a dropout that stays random; pass training=self.training")
        return x

    def matmul(self, x: Any, y: Any) -> Signal:
        """Add x @ y for a constant matrix y."""
        if isinstance(y, Signal) or y.ndim != 2:
            raise NotUnderstood("a product with something else than a constant matrix on the right")
        return self.linear(x, y.T)


def need_signal(x: Any) -> None:
    """Refuse what does not depend on the input."""
    if not isinstance(x, Signal):
        raise NotUnderstood("with a constant where what depends on the input is needed")


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().double().numpy())


def _flat(numbers: Any, shape: Sequence[int]) -> NDArray[np.float64]:
    tensor = torch.as_tensor(numbers, dtype=torch.float64).detach()
    return np.array(tensor.expand(tuple(shape)).reshape(-1).numpy(), dtype=np.float64)


def _or_zero(bias: Tensor | None) -> Any:
    return 0.0 if bias is None else bias


def _tuple(x: Any, length: int) -> tuple[Any, ...]:
    values = tuple(x) if isinstance(x, (tuple, list)) else (x,)
    return values * length if len(values) == 1 and length > 1 else values


def _identity(n: int) -> sparse.csr_array:
    return sparse.csr_array(sparse.eye_array(n, format="csr"))


def _matrix(
    rows: NDArray[Any], columns: NDArray[Any], data: NDArray[np.float64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array(sparse.coo_array((data, (rows, columns)), shape=shape))


def _patches(
    shape: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    sides: Sequence[tuple[int, int]],
    dilations: Sequence[int],
) -> tuple[NDArray[np.int64], list[int]]:
    """Return what each position of a kernel sees, -1 for padding.

    Returns
    -------
    places : (channels * offsets, positions) ndarray
    extent : list of int
        Number of positions on each axis.
    """
    numbers = 1.0 + torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(tuple(shape))
    padded = F.pad(numbers, [p for pair in reversed(sides) for p in pair])
    extent = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(padded.shape[2:], kernel, strides, dilations, strict=True)
    ]
    if len(kernel) == 1:  # unfold wants two axes
        padded = padded.unsqueeze(2)
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
    patches = F.unfold(padded, tuple(kernel), tuple(dilations), 0, tuple(strides))
    return patches[0].long().numpy() - 1, extent


def _pool_windows(
    x: Signal,
    rank: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    need_signal(x)
    kernel, pads = _tuple(kernel_size, rank), _tuple(padding, rank)
    strides = kernel if stride is None or stride == [] else _tuple(stride, rank)
    dilations = _tuple(dilation, rank)
    sides = []
    for n, k, s, p, d in zip(x.shape[-rank:], kernel, strides, pads, dilations, strict=True):
        span = n + 2 * p - d * (k - 1) - 1
        extent = -(-span // s) + 1 if ceil_mode else span // s + 1
        if ceil_mode and (extent - 1) * s >= n + p:  # a window must begin in the input
            extent -= 1
        sides.append((p, p + max(0, (extent - 1) * s - span)))
    channels = x.size // int(np.prod(x.shape[-rank:]))
    places, extents = _patches((1, channels, *x.shape[-rank:]), kernel, strides, sides, dilations)
    places = places.reshape(channels, -1, places.shape[-1])
    windows = places.transpose(0, 2, 1).reshape(-1, places.shape[1])
    return windows, (*x.shape[:-rank], *extents)
