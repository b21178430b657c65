"""Building graphs of affine maps and kinks out of operations on tensors.

A `GraphBuilder` handles `Signal`s: tensors with batch size 1, each entry of which is an entry of
one value of the graph (`relutopo.networks.graph`). Operations that only move entries (flatten,
permute, slices, ...) are applied to a tensor of their places, and make no node.

This module imports torch; it is imported only to read torch modules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from relutopo.arrays import freeze
from relutopo.networks.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.networks.pooling import Windows, as_numbers, sliding_windows

__all__ = ["GraphBuilder", "NotUnderstood", "Signal", "need_signal"]

_DENSE = 0.3
"""Matrices with a larger share of non-zero entries are stored densely."""


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

    def reshaped(self, shape: Sequence[int]) -> Signal:
        """Return the same entries in another shape."""
        return Signal(self.value, self.index.reshape(tuple(shape)))

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
        """Return the network whose output is the given signal, flattened.

        Nodes on which the output does not depend are left out.
        """
        if output.value != len(self.nodes) or not self.nodes or not self.is_whole(output):
            output = self.affine([(output, _identity(output.size))], 0.0, output.shape)
        needed = {output.value}
        for number in range(output.value, 0, -1):
            if number in needed:
                node = self.nodes[number - 1]
                needed.update(node.sources if isinstance(node, Affine) else [node.source])
        place = {old: new for new, old in enumerate(sorted(needed | {0}))}
        nodes: list[Affine | Kink] = []
        for number in sorted(needed - {0}):
            node = self.nodes[number - 1]
            if isinstance(node, Affine):
                node = replace(node, sources=tuple(place[source] for source in node.sources))
            else:
                node = replace(node, source=place[node.source])
            nodes.append(node)
        return GraphNetwork(self.sizes[0], nodes)

    def is_whole(self, x: Signal) -> bool:
        """Whether a signal has all entries of its value, in order."""
        return x.size == self.sizes[x.value] and bool((np.diff(x.entries) == 1).all())

    def move(self, x: Any, operation: Callable[[Tensor], Any]) -> Any:
        """Apply an operation that moves, drops or repeats entries, or inserts zeros."""
        if not isinstance(x, Signal):
            raise NotUnderstood("whose first argument does not depend on the input")

        return self.gathered([x], lambda numbers: operation(numbers[0]))

    def affine(
        self,
        terms: Sequence[tuple[Signal, sparse.csr_array]],
        bias: Any,
        shape: Sequence[int],
    ) -> Signal:
        """Add Σ matrix @ (entries of a signal) + bias, with the bias broadcast to the shape."""
        size = int(np.prod(shape))
        if not size:  # nodes have entries
            return Signal(0, torch.empty(tuple(shape), dtype=torch.int64))
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
        if not x.size:
            return x
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

    def join(self, parts: Sequence[Signal | Tensor], numbers: Tensor) -> Signal:
        """Add a tensor whose entries are taken from several others.

        Parameters
        ----------
        parts : sequence of Signal or Tensor
            At least one signal; tensors are constants.
        numbers : Tensor of int
            Which entry of the parts to take, counted from 1 through all parts; 0 gives a zero.
        """
        signals = [part for part in parts if isinstance(part, Signal)]
        first = signals[0]
        are_alike = len(signals) == len(parts) and all(x.value == first.value for x in signals)
        if are_alike and bool((numbers > 0).all()):
            entries = torch.cat([x.index.reshape(-1) for x in signals])
            return Signal(first.value, entries[numbers - 1])
        flat = numbers.reshape(-1).numpy()
        bias, terms, start = np.zeros(flat.size), [], 1
        for part in parts:
            size = part.size if isinstance(part, Signal) else part.numel()
            rows = np.flatnonzero((flat >= start) & (flat < start + size))
            chosen = flat[rows] - start
            start += size
            if not isinstance(part, Signal):
                bias[rows] = _flat(part, part.shape)[chosen]
            elif rows.size == flat.size:
                return Signal(
                    part.value, part.index.reshape(-1)[torch.from_numpy(chosen)]
                ).reshaped(numbers.shape)
            elif rows.size:
                ones = np.ones(rows.size)
                terms.append((part, _matrix(rows, chosen, ones, (flat.size, size))))
        if not terms:  # no entry depends on the input
            terms = [(first, sparse.csr_array((flat.size, first.size)))]
        return self.affine(terms, bias.reshape(numbers.shape), numbers.shape)

    def constant(self, tensor: Tensor) -> Signal:
        """Add a constant."""
        n = tensor.numel()
        return self.affine(
            [(self.input, sparse.csr_array((n, self.input.size)))], tensor, tensor.shape
        )

    def gathered(self, parts: Sequence[Any], operation: Callable[[list[Tensor]], Any]) -> Any:
        """Apply an operation that moves entries of several tensors, or inserts zeros.

        Parameters
        ----------
        parts : sequence of Signal or Tensor
            At least one signal; tensors are constants.
        operation : callable
            Takes tensors of numbers in place of the parts, and returns one tensor or several.
        """
        numbers, start = [], 1
        for part in parts:
            size = math.prod(part.shape)
            numbers.append(torch.arange(start, start + size).reshape(part.shape))
            start += size

        def wrap(moved: Any) -> Any:
            if isinstance(moved, (tuple, list)):
                return tuple(map(wrap, moved))
            return self.join(parts, moved.long())

        return wrap(operation(numbers))

    def concatenate(self, tensors: Sequence[Any], dim: int = 0) -> Signal:
        """Add the concatenation of signals and constants along an axis."""
        parts = [x if isinstance(x, Signal) else torch.as_tensor(x) for x in tensors]
        joined: Signal = self.gathered(parts, lambda numbers: torch.cat(numbers, dim))
        return joined

    def linear_image(self, x: Signal, operation: Callable[[Tensor], Tensor]) -> Signal:
        """Add the image of a linear operation, whose matrix is computed entry by entry."""
        need_signal(x)
        zero = torch.zeros(tuple(x.shape), dtype=torch.float64)
        shape = operation(zero).shape
        rows, columns, data = [], [], []
        for j in range(x.size):
            zero.view(-1)[j] = 1.0
            image = operation(zero.clone()).detach().reshape(-1).double().numpy()
            zero.view(-1)[j] = 0.0
            (found,) = np.nonzero(image)
            rows.append(found)
            columns.append(np.full(found.size, j))
            data.append(image[found])
        size = int(np.prod(shape))
        matrix = _matrix(
            np.concatenate(rows), np.concatenate(columns), np.concatenate(data), (size, x.size)
        )
        return self.affine([(x, matrix)], 0.0, shape)

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
        """Add a convolution, arguments as in torch.

        The padding may also be a sequence of pairs, the numbers before and behind each axis.
        """
        need_signal(x)
        n_out, n_in, *kernel = weight.shape
        rank = len(kernel)
        strides, dilations = as_numbers(stride, rank), as_numbers(dilation, rank)
        is_single = len(x.shape) == rank + 1  # no batch axis
        if len(x.shape) not in (rank + 1, rank + 2) or x.shape[-rank - 1] != n_in * groups:
            sizes = ", ".join(["1", str(n_in * groups), *"DHW"[3 - rank :]])
            raise ValueError(f"expected the shape ({sizes})")
        if padding in ("valid", "same"):
            totals = [
                d * (k - 1) * (padding == "same") for k, d in zip(kernel, dilations, strict=True)
            ]
            sides = [(total // 2, total - total // 2) for total in totals]
        elif isinstance(padding, (tuple, list)) and padding and isinstance(padding[0], tuple):
            sides = list(padding)
        else:
            sides = [(p, p) for p in as_numbers(padding, rank)]
        extents = x.shape[-rank:]
        windows = sliding_windows(extents, kernel, strides, sides, dilations)
        # Rows of `places` are channels x offsets; each group of outputs sees its own channels.
        places = windows.on_channels(n_in * groups, math.prod(extents))
        n_places, n_results = windows.places.shape[1], len(windows.places)
        places = places.reshape(groups, n_in, n_results, n_places).transpose(0, 1, 3, 2)
        places = places.reshape(groups, -1, n_results)
        places = np.repeat(places, n_out // groups, axis=0)
        data = np.broadcast_to(_array(weight).reshape(n_out, -1, 1), places.shape)
        rows = np.arange(n_out)[:, None, None] * n_results + np.arange(n_results)
        rows = np.broadcast_to(rows, places.shape)
        inside = places >= 0
        shape = (*([] if is_single else [1]), n_out, *windows.extents)
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
        return self.sum(x, self.relu(self.sum(y, x, -1.0)))

    def minimum(self, x: Any, y: Any) -> Signal:
        """Add min(x, y) = x - ReLU(x - y), elementwise."""
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
        windows = -np.sort(-windows, axis=1)  # missing places move to the end
        windows = windows[:, (windows >= 0).any(axis=0)]
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
        last = x.index.reshape(-1)[torch.from_numpy(windows[:, 0])]
        return Signal(x.value, last).reshaped(shape)

    def max_pool(self, x: Signal, windows: Windows) -> Signal:
        """Add the maxima over the same windows of each map along the last axes."""
        places, shape = _over_maps(x, windows)
        if (places < 0).all(axis=1).any():
            raise NotUnderstood("with a window that lies in the padding, where the maximum is -inf")
        return self.largest(x, places, shape)

    def avg_pool(
        self,
        x: Signal,
        windows: Windows,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Signal:
        """Add the means over the same windows of each map along the last axes."""
        places, shape = _over_maps(x, windows)
        n_inside = (windows.places >= 0).sum(axis=1)
        by = windows.n_padded if count_include_pad else np.maximum(n_inside, 1)
        if divisor_override is not None:
            by = np.full_like(by, divisor_override)
        n_maps = len(places) // len(by)
        return self.average(x, places, shape, np.tile(by, n_maps))

    def reduce(self, how: str, x: Signal, dim: Any = None, keepdim: bool = False) -> Signal:
        """Add the mean, the sum, the largest (amax) or the smallest entry (amin) over axes."""
        need_signal(x)
        if how == "amin":
            return self.scale(self.reduce("amax", self.scale(x, -1.0), dim, keepdim), -1.0)
        rank = len(x.shape)
        chosen = tuple(range(rank)) if dim is None or dim == [] else as_numbers(dim, 1)
        if any(not -max(rank, 1) <= axis < max(rank, 1) for axis in chosen):
            raise IndexError(f"there is no axis {max(chosen)} in the shape {tuple(x.shape)}")
        axes = sorted({axis % rank for axis in chosen}) if rank else []
        if not axes:
            return x
        places = np.arange(x.size).reshape(x.shape)
        windows = np.moveaxis(places, axes, range(-len(axes), 0))
        shape = windows.shape[: -len(axes)]
        if keepdim:
            shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        windows = windows.reshape(int(np.prod(shape)), -1)
        if how == "amax":
            return self.largest(x, windows, shape)
        return self.average(x, windows, shape, windows.shape[1] if how == "mean" else 1)

    def matmul(self, x: Any, y: Any) -> Signal:
        """Add x @ y, where one of them is constant."""
        if isinstance(x, Signal) and isinstance(y, Signal):
            raise NotUnderstood("a product of two tensors that both depend on the input")
        if isinstance(x, Signal):
            if y.ndim == 2 and len(x.shape) > 0:
                return self.linear(x, y.T)
            return self.linear_image(x, lambda e: e @ y.detach().double())
        return self.linear_image(y, lambda e: x.detach().double() @ e)

    def ratios(
        self, x: Signal, y: Signal, *, where_positive: bool = False
    ) -> NDArray[np.float64] | None:
        """Return numbers k with x = k y, entry by entry, or None if there are none.

        Both are written as affine functions of the input and the results of kinks. The returned
        numbers are rounded.

        Parameters
        ----------
        x, y : Signal
            With equally many entries.
        where_positive : bool, default False
            Whether x = k y is needed only where y > 0. There, the sign of a kink of a multiple of y
            plus a constant may be known.
        """
        if x.value == y.value and np.array_equal(x.entries, y.entries):
            return np.ones(x.size)
        rows, others = self._in_kinks(x), self._in_kinks(y)
        if where_positive:
            rows = self._where_positive(rows, others)
        lengths = np.asarray((others * others).sum(axis=1)).ravel()
        dots = np.asarray((rows * others).sum(axis=1)).ravel()
        factors = np.divide(dots, lengths, out=np.zeros(x.size), where=lengths > 0)
        left = abs(rows - sparse.csr_array(sparse.diags_array(factors) @ others))
        sizes = abs(rows).max(axis=1).toarray().ravel()
        allowed = 1e-12 * np.maximum(sizes, abs(others).max(axis=1).toarray().ravel())
        if (left.max(axis=1).toarray().ravel() > allowed).any():
            return None
        return np.asarray(factors)

    def _where_positive(self, rows: sparse.csr_array, others: sparse.csr_array) -> sparse.csr_array:
        """Replace kinks whose sign is known where `others` are positive, row by row."""
        starts = np.cumsum([0, *self.sizes])
        changed = []
        for row, other in zip(rows.toarray(), others.toarray(), strict=True):
            length = other[:-1] @ other[:-1]
            for place in np.flatnonzero(row[:-1])[::-1]:
                number = int(np.searchsorted(starts, place, side="right")) - 1
                if number == 0 or not length:
                    continue
                kink, unit = self.nodes[number - 1], place - starts[number]
                assert isinstance(kink, Kink)
                before = Signal(kink.source, torch.tensor([int(unit)]))
                z = self._in_kinks(before).toarray()[0]
                alpha = (z[:-1] @ other[:-1]) / length
                if np.abs(z[:-1] - alpha * other[:-1]).max() > 1e-12 * np.abs(z[:-1]).max():
                    continue
                beta = z[-1] - alpha * other[-1]  # z = alpha other + beta
                if alpha >= 0 and beta >= 0:
                    slope = kink.slope_on[unit]
                elif alpha <= 0 and beta <= 0:
                    slope = kink.slope_off[unit]
                else:
                    continue
                factor = row[place] * slope
                row[place] = 0.0
                row += factor * z
            changed.append(np.where(np.abs(row) > 1e-14 * np.abs(row).max(), row, 0.0))
        return sparse.csr_array(np.array(changed))

    def _in_kinks(self, x: Signal) -> sparse.csr_array:
        """Return a row for each entry: its factors of all results so far, and of 1 at the end."""
        starts = np.cumsum([0, *self.sizes])
        width = int(starts[-1]) + 1
        rows = _matrix(
            np.arange(x.size), starts[x.value] + x.entries, np.ones(x.size), (x.size, width)
        )
        for number in range(len(self.nodes), 0, -1):
            node = self.nodes[number - 1]
            columns = rows[:, starts[number] : starts[number + 1]]
            if isinstance(node, Kink) or not columns.nnz:
                continue
            blocks = [sparse.csr_array((x.size, n)) for n in (*self.sizes, 1)]
            for source, matrix in zip(node.sources, node.matrices, strict=True):
                blocks[source] = blocks[source] + columns @ sparse.csr_array(matrix)
            blocks[-1] = sparse.csr_array(columns @ sparse.csr_array(node.bias[:, None]))
            kept = rows.tolil()
            kept[:, starts[number] : starts[number + 1]] = 0.0
            rows = sparse.csr_array(kept) + sparse.hstack(blocks, format="csr")
        rows = sparse.csr_array(rows)
        rows.eliminate_zeros()
        return rows


def need_signal(x: Any) -> None:
    """Refuse anything that does not depend on the input."""
    if not isinstance(x, Signal):
        raise NotUnderstood("with a constant where what depends on the input is needed")


def _array(tensor: Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().double().numpy())


def _flat(numbers: Any, shape: Sequence[int]) -> NDArray[np.float64]:
    tensor = torch.as_tensor(numbers, dtype=torch.float64).detach()
    return np.array(tensor.expand(tuple(shape)).reshape(-1).numpy(), dtype=np.float64)


def _or_zero(bias: Tensor | None) -> Any:
    return 0.0 if bias is None else bias


def _identity(n: int) -> sparse.csr_array:
    return sparse.csr_array(sparse.eye_array(n, format="csr"))


def _matrix(
    rows: NDArray[Any], columns: NDArray[Any], data: NDArray[np.float64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.csr_array(sparse.coo_array((data, (rows, columns)), shape=shape))


def _over_maps(x: Signal, windows: Windows) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    """Return the windows on all maps of a tensor, and the shape of the result."""
    rank = len(windows.extents)
    size = math.prod(x.shape[-rank:])
    places = windows.on_channels(x.size // size if size else 0, size)
    return places, (*x.shape[:-rank], *windows.extents)
