"""Torch modules as graphs of affine maps and kinks.

A module is copied, put into evaluation mode and double precision, and traced with torch.fx. Its
operations become affine maps and kinks (`relutopo.geometry.graph`):

- ReLU, LeakyReLU, PReLU and abs are kinks; hardtanh(z) = lo + ReLU(z - lo) - ReLU(z - hi);
- max(a, b) = a + ReLU(b - a), and max-pooling is a tournament of these. Its neurons compare two
  entries, so the regions are those on which all comparisons are constant: a refinement of the
  pieces on which the maximum is affine;
- batch normalisation in evaluation mode is the affine map with scale γ / sqrt(var + eps) and
  shift β - mean · scale, rounded to float64. Average pooling, means and divisions by a constant
  multiply by the rounded reciprocal. These floats *are* the network from then on, exactly.

Whatever only moves entries around (flatten, permute, slices, ...) is done to a tensor of indices.
The result is compared with the module's own forward pass at random points.

This module imports torch; `relutopo.as_network` imports it when it is given a torch module.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, fx, nn

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.geometry.graph import Affine, GraphNetwork, Kink, Matrix
from relutopo.geometry.network import Network, ReluNetwork

__all__ = ["network_of_module"]

_DENSE = 0.3
"""Matrices with a larger share of nonzero entries are stored densely."""

_SUPPORTED = (
    "Linear, convolutions in one and two dimensions, batch normalisation, pooling, ReLU, "
    "LeakyReLU, PReLU, ReLU6, Hardtanh, abs, max, sums, concatenation, and what moves entries"
)


def network_of_module(module: nn.Module, input_shape: Sequence[int] | None = None) -> Network:
    """Read a torch module, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Stays as it is.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis; by default that of the first layer with
        weights if it is Linear.

    Returns
    -------
    Network
        A `ReluNetwork` for Linear and ReLU layers in turn, otherwise a `GraphNetwork`.

    Raises
    ------
    UnsupportedModuleError
        If an operation is not understood, or the result differs from the module's forward pass.
    InputError
        If the input shape is missing or does not fit.

    Examples
    --------
    >>> net = network_of_module(nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(), nn.Linear(3, 1)))
    >>> net
    GraphNetwork(2-3-1)
    """
    _check_finite(module)
    module = copy.deepcopy(module).cpu().double().eval()
    if type(module) in _MODULES:  # torch.fx takes these as wholes only within another module
        module = nn.Sequential(module)
    network: Network | None = _perceptron(module)
    if network is not None:
        shape = tuple(input_shape or (network.input_dim,))
    else:
        traced = _trace(module)
        shape = tuple(input_shape or _first_linear(module, traced))
        with torch.no_grad():
            network = _Translator(module, shape).network(traced)
    if int(np.prod(shape)) == network.input_dim:  # otherwise as_network complains
        _compare(module, network, shape)
    return network


def _check_finite(module: nn.Module) -> None:
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"`model` must have finite weights, got NaN or infinity in {name!r}; did the "
                "training diverge? Load an earlier checkpoint"
            )


def _perceptron(module: nn.Module) -> ReluNetwork | None:
    try:
        return ReluNetwork.from_torch(module)
    except UnsupportedModuleError:
        return None


def _trace(module: nn.Module) -> fx.Graph:
    try:
        return fx.Tracer().trace(module)
    except Exception as error:
        # Tracing runs the module's own code, which may raise anything.
        raise UnsupportedModuleError(
            f"`model` ({type(module).__name__}) cannot be traced: {error}; remove control flow "
            "that depends on the data from its forward method"
        ) from error


def _first_linear(module: nn.Module, graph: fx.Graph) -> tuple[int, ...]:
    for node in graph.nodes:
        if node.op == "call_module":
            layer = module.get_submodule(node.target)
            if isinstance(layer, nn.Linear):
                return (layer.in_features,)
            if next(layer.parameters(), None) is not None:
                break
    raise InputError(
        f"`input_shape` is needed for a {type(module).__name__} that does not begin with a Linear "
        "layer; pass as_network(model, input_shape=(1, 28, 28)), for example, and decompose that"
    )


def _compare(module: nn.Module, network: Network, shape: tuple[int, ...]) -> None:
    """Compare the network with the module's forward pass at random points."""
    scales = np.repeat([0.1, 1.0, 10.0], 4)[:, None]
    points = scales * np.random.default_rng(0).standard_normal((len(scales), network.input_dim))
    try:
        with torch.no_grad():
            # A copy, since the module may change its input in place.
            expected = module(torch.tensor(points).reshape(-1, *shape)).numpy()
    except Exception as error:
        # The module's own code may raise anything.
        raise InputError(
            f"`model` ({type(module).__name__}) in double precision cannot take a batch of inputs "
            f"of shape {shape}: {error}; check `input_shape` and casts in its forward method"
        ) from error
    computed = network(points)
    if expected.size == computed.size:
        difference = float(np.abs(expected.reshape(computed.shape) - computed).max(initial=0.0))
        if difference <= 1e-9 * max(1.0, float(np.abs(expected).max(initial=0.0))):
            return
        problem = f"differs from it by {difference:.3g} at random points"
    else:
        problem = f"has {computed.shape[1]} outputs, it has {expected[0].size}"
    raise UnsupportedModuleError(
        f"`model` ({type(module).__name__}) was traced, but the result {problem}; does it change "
        "a tensor in place that it uses again, mix the inputs of a batch, or draw random numbers? "
        "Rewrite that part"
    )


@dataclass(frozen=True)
class _Signal:
    """A tensor with batch size 1: its entries are those of one value, at `index`."""

    value: int
    index: Tensor

    @property
    def shape(self) -> torch.Size:
        return self.index.shape

    @property
    def size(self) -> int:
        return self.index.numel()

    @property
    def entries(self) -> NDArray[np.int64]:
        return self.index.reshape(-1).numpy()


class _Unsupported(Exception):
    """An operation is not understood, with the reason."""


class _Translator:
    """Makes the nodes of one module's graph."""

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.module = module
        self.input_shape = input_shape
        self.nodes: list[Affine | Kink] = []
        self.sizes = [int(np.prod(input_shape))]

    # The nodes of the traced graph

    def network(self, graph: fx.Graph) -> GraphNetwork:
        *nodes, last = graph.nodes
        needed = set(last.all_input_nodes)
        for node in reversed(nodes):
            if node in needed:
                needed.update(node.all_input_nodes)
        results: dict[fx.Node, Any] = {}
        for node in nodes:
            if node in needed or node.op == "placeholder":
                results[node] = self.result(node, results)
        output = fx.map_arg(last.args[0], results.__getitem__)
        if not isinstance(output, _Signal):
            raise UnsupportedModuleError(
                f"`model` ({type(self.module).__name__}) must return one tensor that depends on "
                f"its input, got {type(output).__name__}; wrap it in a module that returns one"
            )
        if output.value != len(self.nodes) or not self.nodes or not self.is_whole(output):
            output = self.affine([(output, _identity(output.size))], 0.0, output.shape)
        return GraphNetwork(self.sizes[0], self.nodes)

    def result(self, node: fx.Node, results: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            if results:
                if node.args:  # a second argument with a default
                    return node.args[0]
                raise UnsupportedModuleError(
                    f"`model` ({type(self.module).__name__}) must take one input, got a second one "
                    f"named {node.name!r}; wrap it in a module that takes one"
                )
            return _Signal(0, torch.arange(self.sizes[0]).reshape(1, *self.input_shape))
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self.module)
        args = fx.map_arg(node.args, results.__getitem__)
        kwargs = dict(fx.map_arg(node.kwargs, results.__getitem__))
        try:
            return self.call(node, list(args), kwargs)
        except _Unsupported as reason:
            raise UnsupportedModuleError(
                f"`model` has {self.describe(node)}, {reason}; replace it by what is supported "
                f"({_SUPPORTED}), or cut the model before it"
            ) from None
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            shapes = [tuple(x.shape) for x in _signals([args, kwargs])]
            raise InputError(
                f"{self.describe(node)} cannot take inputs of shape {shapes}: {error}; the model "
                f"was given inputs of shape (1, {', '.join(map(str, self.input_shape))}), check "
                "`input_shape`"
            ) from error

    def describe(self, node: fx.Node) -> str:
        root = type(self.module).__name__
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            return f"{type(layer).__name__} at {f'{root}.{node.target}'!r}"
        inside = list(node.meta.get("nn_module_stack", {}).values())
        path = inside[-1][0] if inside else ""
        where = f"{root}.{path}" if path else root
        return f"the operation {_name(node.target)} in {where!r}"

    def call(self, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            if isinstance(layer, _MOVING_MODULES):
                return self.move(args[0], lambda x: layer(x.double()))
            if type(layer) not in _MODULES:
                raise _Unsupported("which is not piecewise linear or not known")
            return _MODULES[type(layer)](self, layer, *args)
        name = _name(node.target)
        if not _signals([args, kwargs]):
            return _apply(node.target, args, kwargs)
        if name == "getattr" and args[1] in ("shape", "ndim"):
            return getattr(args[0].index, args[1])
        if name == "getitem" and not isinstance(args[0], _Signal):
            return args[0][args[1]]
        if "input" in kwargs:
            args.insert(0, kwargs.pop("input"))
        if name in _SIZES:
            return getattr(args[0].index, name)(*args[1:], **kwargs)
        if name in _MOVES:
            return self.move(args[0], lambda x: _apply(node.target, [x, *args[1:]], kwargs))
        if name not in _OPERATIONS:
            raise _Unsupported("which is not piecewise linear or not known")
        return _OPERATIONS[name](self, *args, **kwargs)

    # Building blocks

    def is_whole(self, x: _Signal) -> bool:
        """Whether a signal is all of its value, in order."""
        return x.size == self.sizes[x.value] and bool((np.diff(x.entries) == 1).all())

    def move(self, x: Any, operation: Callable[[Tensor], Any]) -> Any:
        """Apply an operation that moves, drops, repeats entries, or inserts zeros."""
        if not isinstance(x, _Signal):
            raise _Unsupported("whose first argument does not depend on the input")

        def wrap(moved: Any) -> Any:
            if isinstance(moved, (tuple, list)):
                return tuple(map(wrap, moved))
            places = moved.long() - 1
            if (places >= 0).all():
                return _Signal(x.value, x.index.reshape(-1)[places])
            flat = places.reshape(-1).numpy()
            rows = np.flatnonzero(flat >= 0)
            matrix = _matrix(rows, flat[rows], np.ones(len(rows)), (flat.size, x.size))
            return self.affine([(x, matrix)], 0.0, places.shape)

        return wrap(operation(1 + torch.arange(x.size).reshape(x.shape)))

    def affine(
        self,
        terms: Sequence[tuple[_Signal, sparse.csr_array]],
        bias: Any,
        shape: Sequence[int],
    ) -> _Signal:
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
            matrices.append(matrix.toarray() if matrix.nnz > _DENSE * n_entries else matrix)
        node = Affine(tuple(x.value for x, _ in terms), tuple(matrices), _flat(bias, shape))
        return self.add(node, shape)

    def add(self, node: Affine | Kink, shape: Sequence[int]) -> _Signal:
        self.nodes.append(node)
        self.sizes.append(node.size)
        return _Signal(len(self.nodes), torch.arange(node.size).reshape(tuple(shape)))

    def kink(self, x: _Signal, slope_on: Any, slope_off: Any) -> _Signal:
        """Add y = (slope_on if x > 0 else slope_off) x."""
        _need_signal(x)
        if not self.is_whole(x):
            x = self.affine([(x, _identity(x.size))], 0.0, x.shape)
        return self.add(Kink(x.value, _flat(slope_on, x.shape), _flat(slope_off, x.shape)), x.shape)

    def relu(self, x: _Signal) -> _Signal:
        return self.kink(x, 1.0, 0.0)

    def scale(self, x: _Signal, factor: Any, bias: Any = 0.0) -> _Signal:
        """Add factor · x + bias, elementwise with broadcasting."""
        shape = np.broadcast_shapes(x.shape, np.shape(factor), np.shape(bias))
        x = _Signal(x.value, x.index.expand(shape))
        rows = np.arange(x.size)
        return self.affine(
            [(x, _matrix(rows, rows, _flat(factor, shape), (x.size, x.size)))], bias, shape
        )

    def sum(self, x: Any, y: Any, alpha: float = 1.0, first: float = 1.0) -> _Signal:
        """Add first · x + alpha · y, where one of them may be constant."""
        if not isinstance(y, _Signal):
            return self.scale(x, first, torch.as_tensor(y, dtype=torch.float64) * alpha)
        if not isinstance(x, _Signal):
            return self.scale(y, alpha, torch.as_tensor(x, dtype=torch.float64) * first)
        shape = np.broadcast_shapes(x.shape, y.shape)
        terms = []
        for signal, factor in ((x, first), (y, alpha)):
            signal = _Signal(signal.value, signal.index.expand(shape))
            terms.append((signal, factor * _identity(signal.size)))
        return self.affine(terms, 0.0, shape)

    def product(self, x: Any, y: Any) -> _Signal:
        if isinstance(x, _Signal) and isinstance(y, _Signal):
            raise _Unsupported("a product of two tensors that both depend on the input")
        return self.scale(x, y) if isinstance(x, _Signal) else self.scale(y, x)

    def quotient(self, x: Any, y: Any) -> _Signal:
        if isinstance(y, _Signal):
            raise _Unsupported("a division by a tensor that depends on the input")
        return self.scale(x, 1.0 / torch.as_tensor(y, dtype=torch.float64))

    def concatenate(self, signals: Sequence[Any], dim: int = 0) -> _Signal:
        for x in signals:
            _need_signal(x)
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

    def linear(self, x: _Signal, weight: Tensor, bias: Tensor | None = None) -> _Signal:
        _need_signal(x)
        n_out, n_in = weight.shape
        if x.shape[-1] != n_in:
            raise ValueError(f"the last axis must have {n_in} entries")
        n_rows = x.size // n_in
        block = sparse.csr_array(_array(weight))
        matrix = sparse.csr_array(sparse.kron(sparse.eye_array(n_rows), block))
        return self.affine([(x, matrix)], _or_zero(bias), (*x.shape[:-1], n_out))

    def convolution(
        self,
        x: _Signal,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> _Signal:
        _need_signal(x)
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

    def batch_norm(self, x: _Signal, norm: Any) -> _Signal:
        if norm.running_mean is None:
            raise _Unsupported("which normalises by the batch even in evaluation mode")
        scale = 1.0 / torch.sqrt(norm.running_var + norm.eps)
        if norm.weight is not None:
            scale = norm.weight * scale
        shift = -norm.running_mean * scale
        if norm.bias is not None:
            shift = norm.bias + shift
        shape = (-1, *[1] * (len(x.shape) - 2))
        return self.scale(x, scale.detach().reshape(shape), shift.detach().reshape(shape))

    def hardtanh(self, x: _Signal, min_val: Any = -1.0, max_val: Any = 1.0) -> _Signal:
        """Add lo + ReLU(x - lo) - ReLU(x - hi); a bound that is None is left out."""
        _need_signal(x)
        result = x
        if min_val is not None:  # max(x, lo) = lo + ReLU(x - lo)
            result = self.sum(self.relu(self.sum(x, min_val, -1.0)), min_val)
        if max_val is not None:
            result = self.sum(result, self.relu(self.sum(x, max_val, -1.0)), -1.0)
        return result

    def maximum(self, x: Any, y: Any) -> _Signal:
        if not isinstance(y, (_Signal, Tensor)):
            raise _Unsupported("a maximum over an axis; use max-pooling or amax")
        return self.sum(x, self.relu(self.sum(y, x, -1.0)))

    def minimum(self, x: Any, y: Any) -> _Signal:
        if not isinstance(y, (_Signal, Tensor)):
            raise _Unsupported("a minimum over an axis")
        return self.sum(x, self.relu(self.sum(x, y, -1.0)), -1.0)

    # Pooling: a table of windows has one row for each result, padded with -1

    def average(
        self, x: _Signal, windows: NDArray[np.int64], shape: Sequence[int], by: Any
    ) -> _Signal:
        """Add the sums over windows, divided by `by`."""
        rows, columns = np.nonzero(windows >= 0)
        factors = np.broadcast_to(1.0 / np.asarray(by, dtype=np.float64), len(windows))
        matrix = _matrix(rows, windows[rows, columns], factors[rows], (len(windows), x.size))
        return self.affine([(x, matrix)], 0.0, shape)

    def largest(self, x: _Signal, windows: NDArray[np.int64], shape: Sequence[int]) -> _Signal:
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
        return _Signal(
            x.value, x.index.reshape(-1)[torch.from_numpy(windows[:, 0])].reshape(tuple(shape))
        )

    def max_pool(
        self,
        rank: int,
        x: _Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> _Signal:
        if return_indices:
            raise _Unsupported("which returns indices")
        windows, shape = _pool_windows(x, rank, kernel_size, stride, padding, dilation, ceil_mode)
        return self.largest(x, windows, shape)

    def avg_pool(
        self,
        rank: int,
        x: _Signal,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> _Signal:
        if ceil_mode:
            raise _Unsupported("which pools with ceil_mode=True")
        windows, shape = _pool_windows(x, rank, kernel_size, stride, padding, 1, False)
        by = (windows >= 0).sum(axis=1) if not count_include_pad else windows.shape[1]
        return self.average(x, windows, shape, divisor_override or by)

    def adaptive_pool(self, rank: int, largest: bool, x: _Signal, output_size: Any) -> _Signal:
        _need_signal(x)
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

    def reduce(self, how: str, x: _Signal, dim: Any = None, keepdim: bool = False) -> _Signal:
        _need_signal(x)
        chosen = tuple(range(len(x.shape))) if dim is None else _tuple(dim, 1)
        axes = sorted({axis % len(x.shape) for axis in chosen})
        if 0 in axes:
            raise _Unsupported("a reduction over the batch axis")
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
        self, x: _Signal, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> _Signal:
        if training:
            raise _Unsupported("a dropout that stays random; pass training=self.training")
        return x

    def matmul(self, x: Any, y: Any) -> _Signal:
        if isinstance(y, _Signal) or y.ndim != 2:
            raise _Unsupported("a product with something else than a constant matrix on the right")
        return self.linear(x, y.T)


def _need_signal(x: Any) -> None:
    if not isinstance(x, _Signal):
        raise _Unsupported("with a constant argument where one that depends on the input is needed")


def _signals(tree: Any) -> list[_Signal]:
    if isinstance(tree, _Signal):
        return [tree]
    children = tree.values() if isinstance(tree, dict) else tree
    if isinstance(tree, (list, tuple, dict)):
        return [x for child in children for x in _signals(child)]
    return []


def _apply(target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function, or the method of the first argument, of a traced node."""
    if isinstance(target, str):
        return getattr(args[0], target)(*args[1:], **kwargs)
    return target(*args, **kwargs)


def _name(target: Any) -> str:
    """Return the plain name of a function or method: torch.relu_ and Tensor.relu are `relu`."""
    if target in _DISPATCHED:
        return _DISPATCHED[target]
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return str(name).rstrip("_") if not str(name).startswith("__") else str(name)


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
    x: _Signal,
    rank: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    _need_signal(x)
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


_MOVING_MODULES = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ChannelShuffle,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.CircularPad1d,
    nn.CircularPad2d,
)
_MOVES = {
    *("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "contiguous"),
    *("chunk", "split", "getitem", "expand", "flip", "clone", "unbind", "select", "narrow"),
    *("roll", "repeat", "tile", "unflatten", "movedim", "swapaxes", "detach", "pixel_shuffle"),
}
_SIZES = {"size", "dim", "numel"}


def _convolve(t: _Translator, m: Any, x: _Signal) -> _Signal:
    padding = m.padding
    if m.padding_mode != "zeros":
        sides = m._reversed_padding_repeated_twice
        x = t.move(x, lambda i: F.pad(i.double(), sides, mode=m.padding_mode))
        padding = 0
    return t.convolution(x, m.weight, m.bias, m.stride, padding, m.dilation, m.groups)


def _prelu(t: _Translator, x: _Signal, weight: Tensor) -> _Signal:
    _need_signal(x)
    if weight.numel() > 1:
        weight = weight.reshape(-1, *[1] * (len(x.shape) - 2))
    return t.kink(x, 1.0, weight)


def _max_pool_module(rank: int) -> Callable[..., _Signal]:
    return lambda t, m, x: t.max_pool(
        rank, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    )


def _adaptive(rank: int, largest: bool) -> Callable[..., _Signal]:
    return lambda t, m, x: t.adaptive_pool(rank, largest, x, m.output_size)


_MODULES: dict[type[nn.Module], Callable[..., _Signal]] = {
    nn.Linear: lambda t, m, x: t.linear(x, m.weight, m.bias),
    nn.Conv1d: _convolve,
    nn.Conv2d: _convolve,
    nn.BatchNorm1d: lambda t, m, x: t.batch_norm(x, m),
    nn.BatchNorm2d: lambda t, m, x: t.batch_norm(x, m),
    nn.ReLU: lambda t, m, x: t.relu(x),
    nn.LeakyReLU: lambda t, m, x: t.kink(x, 1.0, m.negative_slope),
    nn.PReLU: lambda t, m, x: _prelu(t, x, m.weight),
    nn.ReLU6: lambda t, m, x: t.hardtanh(x, 0.0, 6.0),
    nn.Hardtanh: lambda t, m, x: t.hardtanh(x, m.min_val, m.max_val),
    nn.Dropout: lambda t, m, x: x,
    nn.Dropout1d: lambda t, m, x: x,
    nn.Dropout2d: lambda t, m, x: x,
    nn.AlphaDropout: lambda t, m, x: x,
    nn.MaxPool1d: _max_pool_module(1),
    nn.MaxPool2d: _max_pool_module(2),
    nn.AvgPool1d: lambda t, m, x: t.avg_pool(
        1, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad
    ),
    nn.AvgPool2d: lambda t, m, x: t.avg_pool(
        2,
        x,
        m.kernel_size,
        m.stride,
        m.padding,
        m.ceil_mode,
        m.count_include_pad,
        m.divisor_override,
    ),
    nn.AdaptiveAvgPool1d: _adaptive(1, False),
    nn.AdaptiveAvgPool2d: _adaptive(2, False),
    nn.AdaptiveMaxPool1d: _adaptive(1, True),
    nn.AdaptiveMaxPool2d: _adaptive(2, True),
}

# Functions that torch wraps, so that their own name is lost.
_DISPATCHED: dict[Any, str] = {
    F.max_pool1d: "max_pool1d",
    F.max_pool2d: "max_pool2d",
    F.adaptive_max_pool1d: "adaptive_max_pool1d",
    F.adaptive_max_pool2d: "adaptive_max_pool2d",
}


def _pad(
    t: _Translator, x: _Signal, pad: Any, mode: str = "constant", value: Any = None
) -> _Signal:
    if mode == "constant" and value:
        raise _Unsupported("a padding by another constant than zero")
    moved: _Signal = t.move(x, lambda i: F.pad(i.double(), list(pad), mode=mode))
    return moved


def _stack(t: _Translator, tensors: Sequence[Any], dim: int = 0) -> _Signal:
    return t.concatenate([t.move(x, lambda i: i.unsqueeze(dim)) for x in tensors], dim)


_OPERATIONS: dict[str, Callable[..., _Signal]] = {
    "relu": lambda t, x, inplace=False: t.relu(x),
    "leaky_relu": lambda t, x, negative_slope=0.01, inplace=False: t.kink(x, 1.0, negative_slope),
    "prelu": _prelu,
    "relu6": lambda t, x, inplace=False: t.hardtanh(x, 0.0, 6.0),
    "hardtanh": lambda t, x, min_val=-1.0, max_val=1.0, inplace=False: t.hardtanh(
        x, min_val, max_val
    ),
    "clamp": lambda t, x, min=None, max=None: t.hardtanh(x, min, max),
    "clamp_min": lambda t, x, min: t.hardtanh(x, min, None),
    "clamp_max": lambda t, x, max: t.hardtanh(x, None, max),
    "clip": lambda t, x, min=None, max=None: t.hardtanh(x, min, max),
    "abs": lambda t, x: t.kink(x, 1.0, -1.0),
    "absolute": lambda t, x: t.kink(x, 1.0, -1.0),
    "neg": lambda t, x: t.scale(x, -1.0),
    "add": lambda t, x, y, alpha=1.0: t.sum(x, y, alpha),
    "iadd": lambda t, x, y: t.sum(x, y),
    "sub": lambda t, x, y, alpha=1.0: t.sum(x, y, -alpha),
    "isub": lambda t, x, y: t.sum(x, y, -1.0),
    "mul": lambda t, x, y: t.product(x, y),
    "imul": lambda t, x, y: t.product(x, y),
    "truediv": lambda t, x, y: t.quotient(x, y),
    "itruediv": lambda t, x, y: t.quotient(x, y),
    "div": lambda t, x, y: t.quotient(x, y),
    "max": lambda t, x, y=None: t.maximum(x, y),
    "maximum": lambda t, x, y: t.maximum(x, y),
    "min": lambda t, x, y=None: t.minimum(x, y),
    "minimum": lambda t, x, y: t.minimum(x, y),
    "cat": lambda t, tensors, dim=0: t.concatenate(tensors, dim),
    "concat": lambda t, tensors, dim=0: t.concatenate(tensors, dim),
    "stack": _stack,
    "linear": lambda t, x, weight, bias=None: t.linear(x, weight, bias),
    "matmul": lambda t, x, y: t.matmul(x, y),
    "conv1d": lambda t, *args, **kwargs: t.convolution(*args, **kwargs),
    "conv2d": lambda t, *args, **kwargs: t.convolution(*args, **kwargs),
    "pad": _pad,
    "dropout": lambda t, *args, **kwargs: t.dropout(*args, **kwargs),
    "max_pool1d": lambda t, *args, **kwargs: t.max_pool(1, *args, **kwargs),
    "max_pool2d": lambda t, *args, **kwargs: t.max_pool(2, *args, **kwargs),
    "avg_pool1d": lambda t, *args, **kwargs: t.avg_pool(1, *args, **kwargs),
    "avg_pool2d": lambda t, *args, **kwargs: t.avg_pool(2, *args, **kwargs),
    "adaptive_avg_pool1d": lambda t, x, output_size: t.adaptive_pool(1, False, x, output_size),
    "adaptive_avg_pool2d": lambda t, x, output_size: t.adaptive_pool(2, False, x, output_size),
    "adaptive_max_pool1d": lambda t, x, output_size, return_indices=False: t.adaptive_pool(
        1, True, x, output_size
    ),
    "adaptive_max_pool2d": lambda t, x, output_size, return_indices=False: t.adaptive_pool(
        2, True, x, output_size
    ),
    "mean": lambda t, x, dim=None, keepdim=False: t.reduce("mean", x, dim, keepdim),
    "sum": lambda t, x, dim=None, keepdim=False: t.reduce("sum", x, dim, keepdim),
    "amax": lambda t, x, dim, keepdim=False: t.reduce("amax", x, dim, keepdim),
}
